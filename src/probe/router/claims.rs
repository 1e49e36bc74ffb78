//! A live frontend held against what its manifest says, and that said on the manifest's own lines.

use super::check;
use super::observe::{Arrival, Observed, Source};
use crate::finding::{Confidence, Severity};
use crate::probe::{Check, Status};
use crate::resolve::{Deployment, Role};
use crate::rules::Findings;
use crate::rules::router::{RouterClaim, WorkerClaim, router_claims, worker_claims};
use crate::source::{Fact, Span};

/// The rule whose findings these are.
const RULE: &str = "probe-router-drift";

/// The claims of one deployment.
#[derive(Clone, Debug)]
pub struct Claims {
    /// Name of the deployment.
    pub deployment: String,
    /// Where it stands.
    pub at: Span,
    /// Its frontend; the one that answers, when there are several routers.
    pub router: Option<RouterClaim>,
    /// Its workers.
    pub workers: Vec<WorkerClaim>,
}

/// One claim held against what is live.
struct Held {
    check: Check,
    /// Where the manifest makes the claim.
    at: Span,
    /// The service that makes it.
    service: Option<String>,
    /// What is live, for the label there.
    now: String,
}

impl Held {
    fn new(check: Check, at: Span, service: &str, now: impl Into<String>) -> Self {
        Self { check, at, service: Some(service.to_owned()), now: now.into() }
    }
}

/// Says on the manifest's lines what is live and not as they have it.
pub fn judge(deployment: &Deployment, observed: &Observed, findings: &mut Findings) {
    findings.enter(RULE, Severity::Warning, Confidence::Certain);
    for held in Claims::of(deployment).hold(observed) {
        let severity = match held.check.status {
            Status::Fail => Severity::Error,
            Status::Warn => Severity::Warning,
            Status::Ok | Status::Skipped => continue,
        };
        let subject = held.check.name.trim_start_matches("manifest-").to_owned();
        let said = findings.report(held.at, held.check.detail, format!("live now: {}", held.now));
        let said = said.subject(subject).severity(severity).help(held.check.next.unwrap_or_default());
        match held.service.and_then(|name| deployment.services.iter().find(|s| s.name == name)) {
            Some(service) => said.service(service).emit(),
            None => said.emit(),
        }
    }
}

impl Claims {
    /// What a deployment claims.
    #[must_use]
    pub fn of(deployment: &Deployment) -> Self {
        let mut routers = router_claims(deployment);
        let at = routers.iter().position(|r| r.place == "frontend").or((!routers.is_empty()).then_some(0));
        Self {
            deployment: deployment.name.clone(),
            at: deployment.graph.object.name_span,
            router: at.map(|at| routers.swap_remove(at)),
            workers: worker_claims(deployment),
        }
    }

    /// Holds a frontend against them: one check for each claim that either side knows.
    #[must_use]
    pub fn compare(&self, observed: &Observed) -> Vec<Check> {
        self.hold(observed).into_iter().map(|held| held.check.on(self.deployment.clone())).collect()
    }

    fn hold(&self, observed: &Observed) -> Vec<Held> {
        let mut out = Vec::new();
        if let Some(router) = &self.router {
            out.extend(version(router, observed));
            out.push(mode(router, observed));
            out.extend(events(router, &self.workers, observed));
        }
        out.extend(self.counts(observed));
        out.extend(block_size(&self.workers, observed));
        out
    }

    /// Workers of each role.
    fn counts(&self, observed: &Observed) -> Vec<Held> {
        let Some(by) = observed.workers_by else { return Vec::new() };
        // Before 1.3 the frontend knows components: whatever is not prefill or encode is `backend`.
        let groups: &[(&str, &[Role])] = if by == "role" {
            &[
                ("aggregated", &[Role::Aggregated]),
                ("prefill", &[Role::Prefill]),
                ("decode", &[Role::Decode]),
                ("encode", &[Role::Encode]),
            ]
        } else {
            &[
                ("backend", &[Role::Aggregated, Role::Decode]),
                ("prefill", &[Role::Prefill]),
                ("encode", &[Role::Encode]),
            ]
        };
        let mut out = Vec::new();
        for (name, roles) in groups {
            let claimed: Vec<&WorkerClaim> = self.workers.iter().filter(|w| roles.contains(&w.role)).collect();
            let live = observed.workers.get(*name).copied().unwrap_or(0);
            if claimed.is_empty() && live == 0 {
                continue;
            }
            let check = count(name, &claimed, live);
            let now = format!("{live} {name}");
            out.push(match claimed.first() {
                Some(worker) => Held::new(check, worker.replicas_at, &worker.service, now),
                None => Held { check, at: self.at, service: None, now },
            });
        }
        out
    }
}

fn count(role: &str, claimed: &[&WorkerClaim], live: usize) -> Check {
    let name = "manifest-workers";
    let open = claimed.iter().find(|w| !w.role_known || !matches!(w.replicas, Fact::Known(_)));
    let wanted: usize = claimed.iter().filter_map(|w| w.replicas.known()).map(|n| *n as usize).sum();
    let services = claimed.iter().map(|w| w.service.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(open) = open {
        let detail = format!("{live} {role} live; the manifest does not tell how many `{}` has", open.service);
        return check(name, Status::Skipped, detail);
    }
    let scaled = claimed.iter().any(|w| w.scaled);
    if live == wanted {
        return check(name, Status::Ok, format!("{live} {role}, as `{services}` has it"));
    }
    if claimed.is_empty() {
        let detail = format!("{live} {role} live, and the manifest has none");
        return check(name, Status::Fail, detail)
            .then("check that frontend and manifest belong together, and what mode the workers are started in");
    }
    if scaled && live > 0 {
        return check(name, Status::Ok, format!("{live} {role}; the manifest starts with {wanted} and lets it scale"));
    }
    let status = if live == 0 { Status::Fail } else { Status::Warn };
    check(name, status, format!("{live} {role} live, {wanted} by the manifest (`{services}`)"))
        .then("kubectl get pods: are all of them ready, and in the role that their command line says?")
}

fn version(claim: &RouterClaim, observed: &Observed) -> Option<Held> {
    let live = observed.version.as_deref()?;
    Some(Held::new(version_check(claim, live), claim.version_at, &claim.service, live))
}

fn version_check(claim: &RouterClaim, live: &str) -> Check {
    let name = "manifest-version";
    let Some(claimed) = claim.version else {
        let detail = format!("{live} live; the manifest does not tell");
        return check(name, Status::Skipped, detail).then(format!("dynlint check --dynamo-version {live}"));
    };
    let same =
        crate::resolve::Version::parse(live).is_some_and(|v| (v.major, v.minor) == (claimed.major, claimed.minor));
    if same {
        check(name, Status::Ok, format!("{live}, as the manifest has it"))
    } else {
        check(name, Status::Warn, format!("{live} live, {claimed} by the manifest"))
            .then(format!("dynlint check --dynamo-version {live}"))
    }
}

fn mode(claim: &RouterClaim, observed: &Observed) -> Held {
    let now = observed.mode.map_or_else(|| observed.mode_candidates.join(" or "), str::to_owned);
    Held::new(mode_check(claim, observed), claim.mode_at, &claim.service, now)
}

fn mode_check(claim: &RouterClaim, observed: &Observed) -> Check {
    let name = "manifest-router-mode";
    let claimed = match &claim.mode {
        Fact::Known(mode) => *mode,
        Fact::Dynamic(reason) => {
            let live = observed.mode.unwrap_or("unknown");
            return check(name, Status::Skipped, format!("{live} live; the manifest does not tell: {reason}"));
        }
        Fact::Unset => return check(name, Status::Skipped, "the manifest names no mode"),
    };
    match observed.mode {
        Some(live) if live == claimed => check(name, Status::Ok, format!("{live}, as the manifest has it")),
        Some(live) => check(name, Status::Fail, format!("{live} live, {claimed} by the manifest"))
            .then("check that the pod runs what the manifest says: `dynlint probe env`"),
        None if observed.mode_candidates.contains(&claimed) => {
            let ruled_out = if observed.mode_candidates.contains(&"kv") { "" } else { "; `kv` is ruled out" };
            check(name, Status::Skipped, format!("{claimed} by the manifest, which nothing contradicts{ruled_out}"))
        }
        None => check(name, Status::Fail, format!("{claimed} by the manifest, and that is ruled out"))
            .then("check that the pod runs what the manifest says: `dynlint probe env`"),
    }
}

fn events(claim: &RouterClaim, workers: &[WorkerClaim], observed: &Observed) -> Option<Held> {
    let check = events_check(claim, workers, observed)?;
    let now = match (observed.cache_source?, observed.kv_events) {
        (Source::Predictions, _) => "approximate",
        (Source::Load, _) => "by load alone",
        (Source::Events, Some(Arrival::Arriving | Arrival::Connected)) => "by KV events, which arrive",
        (Source::Events, Some(Arrival::Partial)) => "by KV events, which some workers publish",
        (Source::Events, Some(Arrival::None)) => "by KV events, which nobody publishes",
        (Source::Events, Some(Arrival::Lost)) => "by KV events, which do not arrive",
        (Source::Events, _) => "by KV events",
    };
    // When the router is what it should be, it is the workers that are not.
    let silent = workers.iter().find(|w| matches!(w.role, Role::Prefill | Role::Aggregated));
    let of_workers = observed.cache_source == Some(Source::Events) && claim.events == Fact::Known(true);
    Some(match silent.filter(|_| of_workers) {
        Some(worker) => Held::new(check, worker.events_at, &worker.service, now),
        None => Held::new(check, claim.events_at, &claim.service, now),
    })
}

fn events_check(claim: &RouterClaim, workers: &[WorkerClaim], observed: &Observed) -> Option<Check> {
    let name = "manifest-kv-events";
    if claim.mode != Fact::Known("kv") || observed.mode != Some("kv") {
        return None;
    }
    let source = observed.cache_source?;
    let wanted = match (&claim.events, claim.load_aware.known()) {
        (_, Some(true)) => Source::Load,
        (Fact::Known(true), _) => Source::Events,
        (Fact::Known(false), _) => Source::Predictions,
        _ => return Some(check(name, Status::Skipped, "the manifest does not tell whether events are wanted")),
    };
    let said = |source: Source| match source {
        Source::Events => "by KV events",
        Source::Predictions => "approximate",
        Source::Load => "by load alone",
    };
    // An overlap credit of 0 and events switched off are both no events to a manifest.
    let same = wanted == source || (wanted == Source::Predictions && source == Source::Load);
    if !same {
        let detail = format!("{} live, {} by the manifest", said(source), said(wanted));
        return Some(check(name, Status::Fail, detail).then("dynlint probe env"));
    }
    if source != Source::Events {
        return Some(check(name, Status::Ok, format!("{}, as the manifest has it", said(source))));
    }
    let cached = workers.iter().filter(|w| matches!(w.role, Role::Prefill | Role::Aggregated));
    let publish: Vec<&Fact<bool>> = cached.map(|w| &w.events).collect();
    let all = publish.iter().all(|e| **e == Fact::Known(true)) && !publish.is_empty();
    let none = publish.iter().all(|e| **e == Fact::Known(false));
    Some(match observed.kv_events? {
        Arrival::Arriving | Arrival::Connected if all => check(name, Status::Ok, "published, as the manifest has it"),
        Arrival::None | Arrival::Partial | Arrival::Lost if all => {
            check(name, Status::Fail, "all workers publish by the manifest, and not all events arrive")
                .then("compare the event plane of frontend and workers: `dynlint probe env`")
        }
        Arrival::None if none => check(name, Status::Warn, "awaited and published by nobody, as the manifest has it")
            .then("dynlint explain kv-router-no-events"),
        Arrival::Arriving | Arrival::Connected if none => {
            check(name, Status::Warn, "published, though no worker does by the manifest").then("dynlint probe env")
        }
        _ => check(name, Status::Skipped, "the manifest does not tell who publishes"),
    })
}

fn block_size(workers: &[WorkerClaim], observed: &Observed) -> Option<Held> {
    let live = observed.block_size?;
    let said: Vec<(&WorkerClaim, (u32, Span))> = workers.iter().filter_map(|w| Some((w, w.block_size?))).collect();
    let name = "manifest-block-size";
    let other = said.iter().find(|(_, (size, _))| u64::from(*size) != live);
    let (worker, (first, at)) = *other.or_else(|| said.first())?;
    let check = if other.is_none() {
        check(name, Status::Ok, format!("{live}, as the manifest has it"))
    } else {
        check(name, Status::Warn, format!("{live} registered, {first} by the manifest"))
            .seen(["engines may round a block size, or take their own for hybrid models"])
            .then("compare with the worker's log: engines may round a block size, or take their own for hybrid models")
    };
    Some(Held::new(check, at, &worker.service, format!("{live} tokens")))
}
