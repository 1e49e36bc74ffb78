//! `dynlint router plan`: how to get a deployment into a router mode, as edits that are proven before they are offered.
//!
//! Stands above the line, beside `fix`. Facts: the router's flags and variables by release
//! (`router_args.py`, `kv_router_args.py`), KV events by backend (`dynamo/{vllm,sglang,trtllm}/args.py`).

mod edits;
mod patch;
mod text;

pub use text::text;

use serde::Serialize;

use crate::catalog::router::{MODES, mode_names};
use crate::fix::{Certifier, Changed};
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::router::{event_remedy, router_claims, worker_claims};
use crate::source::Fact;

/// What KV events a plan counts on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Events {
    /// The workers' when all of them publish, else none.
    #[default]
    Auto,
    /// The workers', which are changed to publish.
    Workers,
    /// None: the router predicts what is cached.
    Approximate,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Router mode; `kv` or `round-robin` by what the deployment is when none is given.
    pub mode: Option<String>,
    /// KV events.
    pub events: Events,
    /// Kubernetes namespace for the commands.
    pub namespace: Option<String>,
    /// Local port for the commands.
    pub port: u16,
    /// Path as the user gave it, for the next commands.
    pub path: String,
    /// What `kubectl apply` is given for it: `-k` with the directory of a kustomization, `-f` with anything else.
    pub apply: String,
    /// Whether verified edits are about to be written.
    pub write: bool,
}

/// A plan; the shape of `--format json`.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Version of this shape.
    pub version: u32,
    /// Deployment.
    pub deployment: String,
    /// `apiVersion` in whose shape the patch is written.
    pub api_version: &'static str,
    /// Mode selected.
    pub mode: String,
    /// Why this one.
    pub why: String,
    /// Mode in force now; null when it cannot be known.
    pub mode_now: Option<String>,
    /// Whether all is as planned already.
    pub done: bool,
    /// How the router knows what is cached: `events`, `approximate`; null in other modes.
    pub kv: Option<&'static str>,
    /// Command that starts such a frontend on this machine.
    pub local_command: String,
    /// Service whose environment or command line changes.
    pub frontend: String,
    /// Its change as YAML in the manifest's own shape.
    pub patch: String,
    /// The change as JSON 6902 operations for kustomize; null when it is not to be written so.
    pub kustomize: Option<String>,
    /// Workers and what they have to do with KV events.
    pub workers: Vec<Worker>,
    /// The frontend's Kubernetes Service and how to reach it.
    pub service: Endpoint,
    /// What this cannot do.
    pub limits: Vec<String>,
    /// Commands to run next: the one that applies the edits, where they are not.
    pub next: Vec<String>,
    /// Whether the edits were tried and change what they should.
    pub verified: bool,
    /// Why not.
    pub refused: Option<String>,
    /// Files as they are and as they would be.
    #[serde(skip)]
    pub changed: Vec<Changed>,
}

/// A worker and KV events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// Service.
    pub service: String,
    /// Engine.
    pub framework: Option<&'static str>,
    /// Whether it publishes KV events; null when that cannot be known.
    pub publishes: Option<bool>,
    /// What to add so that it does; null when nothing is to be added, or nothing would help.
    pub add: Option<String>,
}

/// How the frontend is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// Kubernetes Service, as the operator names it: deployment, then component in lower case.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// Command that brings it to this machine.
    pub port_forward: String,
}

/// Plans one deployment.
///
/// # Errors
/// Why there is no plan, in words for the user.
pub fn plan(deployment: &Deployment, wish: &Wish, certifier: &Certifier<'_>) -> Result<Plan, String> {
    let frontend = frontend(deployment)?;
    let claims = router_claims(deployment);
    let now = claims.iter().find(|claim| claim.service == frontend.name);
    let targets = targets(deployment);
    let (mode, why) = choose(wish, targets, frontend)?;
    let release = frontend.version().map(|v| (v.major, v.minor));
    if !mode_names(release).contains(&mode.as_str()) {
        return Err(unknown_mode(&mode, frontend));
    }
    let workers = workers(deployment);
    let all = !workers.is_empty() && workers.iter().all(|worker| worker.publishes == Some(true));
    let cannot = workers.iter().any(|worker| worker.publishes != Some(true) && worker.add.is_none());
    let events = mode == "kv" && (wish.events == Events::Workers || (wish.events == Events::Auto && all));
    if events && !all && cannot {
        return Err("not every worker can be made to publish KV events; use `--events approximate`".to_owned());
    }
    let kv = (mode == "kv").then_some(if events { "events" } else { "approximate" });
    let wanted = edits::Wanted { mode: &mode, kv };
    let done = now.is_some_and(|claim| {
        claim.mode == Fact::Known(mode_name(&mode)) && (kv.is_none() || claim.events == Fact::Known(events))
    }) && (!events || all);
    let mut meant = vec![(deployment.name.clone(), frontend.name.clone())];
    let edited = if done { Some(Vec::new()) } else { edits::frontend(deployment, frontend, &wanted) };
    let edited = edited.and_then(|mut edits| {
        if events && !all {
            for (service, more) in edits::workers(deployment, &workers)? {
                meant.push((deployment.name.clone(), service));
                edits.extend(more);
            }
        }
        Some(edits)
    });
    let (changed, refused) = match edited.map(|edits| certifier.try_edits(&edits, &meant)) {
        Some(Ok(changed)) => (changed, None),
        Some(Err(refusal)) => (Vec::new(), Some(refusal.to_string())),
        None => (Vec::new(), Some("the manifest says it in a way that has to be changed by hand".to_owned())),
    };
    let endpoint = endpoint(deployment, frontend, wish);
    let silent: Vec<&Worker> =
        workers.iter().filter(|worker| events && !all && worker.publishes != Some(true)).collect();
    Ok(Plan {
        version: 1,
        deployment: deployment.name.clone(),
        api_version: deployment.graph.shape.as_str(),
        local_command: local(&wanted, wish.port),
        patch: patch::yaml(deployment, frontend, &wanted),
        kustomize: patch::json6902(deployment, frontend, &wanted, &silent),
        limits: limits(deployment, frontend, &wanted, targets, &workers),
        next: next(&mode, !done && refused.is_none(), &deployment.name, wish, &endpoint),
        frontend: frontend.name.clone(),
        mode_now: now.and_then(|claim| claim.mode.known().map(|mode| (*mode).to_owned())),
        service: endpoint,
        verified: refused.is_none(),
        mode,
        why,
        done,
        kv,
        workers,
        refused,
        changed,
    })
}

fn frontend(deployment: &Deployment) -> Result<&Service, String> {
    let name = &deployment.name;
    let mut found = deployment.role(Role::Frontend);
    match (found.next(), found.next()) {
        (Some(frontend), None) => Ok(frontend),
        (Some(_), Some(_)) => Err(format!("`{name}` has more than one frontend")),
        (None, _) if deployment.role(Role::Epp).next().is_some() => {
            Err(format!("`{name}` routes by an endpoint picker, which always runs in `kv` mode"))
        }
        (None, _) => Err(format!("`{name}` has no frontend")),
    }
}

/// Places that requests can go to; none when that cannot be known.
fn targets(deployment: &Deployment) -> Option<u32> {
    let claims = worker_claims(deployment);
    let cached = claims.iter().filter(|c| matches!(c.role, Role::Prefill | Role::Aggregated));
    cached.map(|c| if c.scaled { None } else { Some(c.replicas.known()? * c.ranks.known()?) }).sum()
}

fn choose(wish: &Wish, targets: Option<u32>, frontend: &Service) -> Result<(String, String), String> {
    if let Some(mode) = &wish.mode {
        return match MODES.iter().find(|known| known.name == *mode) {
            Some(_) => Ok((mode.clone(), "asked for".to_owned())),
            None => Err(unknown_mode(mode, frontend)),
        };
    }
    Ok(match targets {
        Some(0 | 1) => ("round-robin".to_owned(), "there is one target, so there is nothing to choose".to_owned()),
        Some(n) => {
            ("kv".to_owned(), format!("{n} targets: requests that share a prefix are best sent where it is cached"))
        }
        None => (
            "kv".to_owned(),
            "the number of targets is not fixed: requests that share a prefix are best sent where it is cached"
                .to_owned(),
        ),
    })
}

fn unknown_mode(mode: &str, frontend: &Service) -> String {
    let release = frontend.version().map(|v| (v.major, v.minor));
    let names: Vec<String> = mode_names(release).into_iter().map(|name| format!("`{name}`")).collect();
    let of = frontend.version().map_or_else(String::new, |v| format!(" of Dynamo {v}"));
    format!("`{mode}` is no router mode{of}; there are {}", names.join(", "))
}

fn mode_name(name: &str) -> &'static str {
    MODES.iter().find(|mode| mode.name == name).map_or("", |mode| mode.name)
}

/// Workers whose cache the router looks at: decode workers of a pair are chosen by load.
fn workers(deployment: &Deployment) -> Vec<Worker> {
    let cached = deployment.workers().filter(|s| matches!(s.role, Role::Prefill | Role::Aggregated));
    cached
        .map(|service| {
            let publishes = service.events.published.known().copied();
            let can = matches!(service.framework, Some(Framework::Vllm | Framework::Sglang | Framework::Trtllm));
            Worker {
                service: service.name.clone(),
                framework: service.framework.map(Framework::as_str),
                publishes,
                add: (publishes == Some(false) && can).then(|| event_remedy(service).trim_matches('`').to_owned()),
            }
        })
        .collect()
}

fn local(wanted: &edits::Wanted<'_>, port: u16) -> String {
    let events = if wanted.kv == Some("approximate") { " --no-router-kv-events" } else { "" };
    format!("python3 -m dynamo.frontend --router-mode {}{events} --http-port {port}", wanted.mode)
}

fn endpoint(deployment: &Deployment, frontend: &Service, wish: &Wish) -> Endpoint {
    let name = format!("{}-{}", deployment.name, frontend.name.to_lowercase());
    // The operator's Service listens where it tells the frontend to (`component_frontend.go:70-84`).
    let port = 8000;
    let namespace = wish.namespace.as_ref().map_or_else(String::new, |n| format!(" -n {n}"));
    Endpoint { port_forward: format!("kubectl port-forward svc/{name} {}:{port}{namespace}", wish.port), name, port }
}

fn limits(
    deployment: &Deployment,
    frontend: &Service,
    wanted: &edits::Wanted<'_>,
    targets: Option<u32>,
    workers: &[Worker],
) -> Vec<String> {
    let mut out = Vec::new();
    let mut say = |text: String| out.push(text);
    if wanted.kv == Some("approximate") {
        say("approximate: the router predicts what is cached from where it sent requests (for 120 s unless \
            `DYN_ROUTER_TTL_SECS` says else), and does not see evictions"
            .to_owned());
        let silent: Vec<String> = workers
            .iter()
            .filter(|worker| worker.publishes == Some(false))
            .map(|worker| format!("`{}`", worker.service))
            .collect();
        if !silent.is_empty() {
            say(format!("no KV events from {}; `--events workers` changes that", silent.join(", ")));
        }
    }
    let unknown: Vec<String> =
        workers.iter().filter(|w| w.publishes.is_none()).map(|w| format!("`{}`", w.service)).collect();
    if wanted.kv.is_some() && !unknown.is_empty() {
        say(format!("the manifest does not show whether KV events come from {}", unknown.join(", ")));
    }
    if targets == Some(1) {
        say("there is one target: every mode sends all requests to it".to_owned());
    }
    let replicas = frontend.replicas.known().copied().unwrap_or(1);
    if wanted.kv.is_some() && replicas > 1 && frontend.flag(&["--router-replica-sync"]).is_none() {
        say(format!("{replicas} frontends count load each for itself unless `--router-replica-sync` is set"));
    }
    if wanted.mode == "direct" {
        say("`direct` takes the worker from the request: an endpoint picker or the client has to name it".to_owned());
    }
    if deployment.is_disaggregated() && wanted.kv.is_some() {
        say("prefill workers are chosen by cached prefix, decode workers by load".to_owned());
    }
    if deployment.services.iter().any(|s| s.sidecar.is_some()) {
        say("frontend sidecars keep the mode they have".to_owned());
    }
    say("one request that is answered is a smoke test; compare modes with the same model, workers, prompts and load"
        .to_owned());
    out
}

fn next(mode: &str, open: bool, deployment: &str, wish: &Wish, endpoint: &Endpoint) -> Vec<String> {
    let namespace = wish.namespace.as_ref().map_or_else(String::new, |n| format!(" -n {n}"));
    let write = (open && !wish.write && wish.path != "-").then(|| {
        let events = match wish.events {
            Events::Auto => "",
            Events::Workers => " --events workers",
            Events::Approximate => " --events approximate",
        };
        format!("dynlint router plan {} --deployment {deployment} --mode {mode}{events}{namespace} --write", wish.path)
    });
    let rest = [
        format!("kubectl apply{namespace} {}", wish.apply),
        endpoint.port_forward.clone(),
        format!("dynlint probe router --base-url http://127.0.0.1:{} --manifest {}", wish.port, wish.path),
        format!("dynlint readiness {}", wish.path),
    ];
    write.into_iter().chain(rest).collect()
}
