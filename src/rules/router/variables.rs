//! Variables that nobody reads where they are written: old names, the other component's name, a worker's environment.

use super::blocks::block_size;
use super::knobs::{MODE, knobs};
use super::settings::{Place, Router, Source, ancient, own_layer, routers};
use super::workers::worker_span;
use crate::catalog::router::{self as names, Effect, Knob, KnobKind, NameKind, Rename, Scope};
use crate::catalog::values;
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, EnvVar, Framework, Layer, Role, Service};
use crate::rules::Findings;
use crate::rules::disagg::served_name;
use crate::source::{Fact, Span};

/// Where a variable is named.
fn name_span(var: &EnvVar) -> Option<Span> {
    var.winner().name_span.or(var.winner().span)
}

/// Whether a variable's value is what happens without it.
fn default_value(knob: &Knob, var: &EnvVar) -> bool {
    let Fact::Known(text) = &var.winner().value else { return false };
    match knob.kind {
        KnobKind::Bool => values::python_bool(text).0 == (knob.default == "true"),
        _ => text.as_str() == knob.default,
    }
}

/// The component whose renames count for an environment.
fn reader(name: &str, service: &Service, router: Option<&Router<'_>>) -> &'static str {
    match (router.map(|r| r.place), service.framework) {
        (Some(_), _) => "frontend",
        (None, Some(Framework::Vllm)) => "vllm",
        (None, Some(Framework::Trtllm)) => "trtllm",
        // Whatever runs there, only one backend ever read it.
        (None, None) if name.starts_with("DYN_VLLM_") => "vllm",
        (None, _) => "any",
    }
}

/// `dead-router-env`
pub fn dead_router_env(deployment: &Deployment, out: &mut Findings) {
    if !deployment.services.iter().all(ancient) {
        dead_everywhere(deployment, out);
    }
    let routers = routers(deployment);
    for service in deployment.services.iter().filter(|s| !ancient(s)) {
        let router = routers.iter().find(|r| std::ptr::eq(r.service, service) && r.place != Place::Sidecar);
        let sidecar = routers.iter().find(|r| std::ptr::eq(r.service, service) && r.place == Place::Sidecar);
        for (env, router) in [Some((&service.env, router)), sidecar.map(|r| (r.env, Some(r)))].into_iter().flatten() {
            for var in env.written().filter(|v| v.name.starts_with("DYN") && own_layer(v)) {
                let Some(row) = names::rename(&var.name, reader(&var.name, service, router)) else { continue };
                if row.kind != NameKind::Env || row.effect != Effect::Dead {
                    continue;
                }
                // The endpoint picker never read any of them; 1.0 is the oldest release there is.
                let epp = router.is_some_and(|r| r.place == Place::Epp);
                let release = service.version().map(|v| (v.major, v.minor));
                if !epp && !release.map_or(row.since <= (1, 0), |release| release >= row.since) {
                    continue;
                }
                dead(service, router, var, row, out);
            }
        }
    }
}

/// What is written for the whole graph is dead when no component reads it in any release.
fn dead_everywhere(deployment: &Deployment, out: &mut Findings) {
    for entry in &deployment.graph.env {
        let Some(row) = names::rename(&entry.name.value, "any") else { continue };
        if row.kind != NameKind::Env || row.effect != Effect::Dead || row.since > (1, 0) {
            continue;
        }
        let name = &entry.name.value;
        out.report(entry.name.span, format!("nothing reads `{name}` any more"), "dead since before 1.0")
            .subject(name.clone())
            .help(match row.new {
                [new] => format!("drop it; its place was taken by `{new}`, which the operator sets"),
                _ => "drop it".to_owned(),
            })
            .emit();
    }
}

fn dead(service: &Service, router: Option<&Router<'_>>, var: &EnvVar, row: &Rename, out: &mut Findings) {
    let Some(span) = name_span(var) else { return };
    // A new name only counts where the frontend reads it, and only when nobody gives it already.
    let new = match (row.new, router.map(|r| r.place)) {
        ([new], Some(Place::Frontend | Place::Sidecar | Place::Standalone)) if row.component == "frontend" => {
            Some(*new)
        }
        _ => None,
    };
    let given = new.is_some_and(|new| router.is_some_and(|r| r.env.get(new).is_some()));
    let matters = new.and_then(names::knob).is_some_and(|knob| !default_value(knob, var)) && !given;
    let help = match new {
        Some(new) if !given => format!("write `{new}`"),
        _ if row.new.is_empty() || new.is_some() || row.component == "any" => "drop it".to_owned(),
        _ => format!("drop it; its place was taken by `{}`", row.new.join("` and `")),
    };
    let label = if row.since > (1, 0) {
        format!("dead since {}.{}", row.since.0, row.since.1)
    } else {
        "dead since before 1.0".to_owned()
    };
    let report = out
        .report(span, format!("nothing reads `{}` any more", var.name), label)
        .service(service)
        .subject(var.name.clone())
        .severity(if matters { Severity::Warning } else { Severity::Advice })
        .help(help);
    match new {
        Some(new) if matters && span.len() as usize == var.name.len() => {
            report.fix(Applicability::Unsafe, span, new).emit();
        }
        _ => report.emit(),
    }
}

/// `epp-wrong-env`
pub fn epp_wrong_env(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment) {
        if router.place != Place::Epp {
            frontend_with_epp_name(&router, out);
            continue;
        }
        not_the_workers(deployment, &router, out);
        for var in router.env.written().filter(|v| own_layer(v)) {
            if names::epp_reads(&var.name) != Some(false) || var.name == "DYN_KV_CACHE_BLOCK_SIZE" {
                continue;
            }
            let (Some(span), Some(knob)) = (name_span(var), names::knob(&var.name)) else { continue };
            let events = var.name == "DYN_ROUTER_USE_KV_EVENTS";
            let kv = var.name == "DYN_ROUTER_MODE" && var.known().is_some_and(|text| text.as_str() == "kv");
            let harmless = kv || default_value(knob, var);
            let mut report = out
                .report(
                    span,
                    format!("the endpoint picker does not read `{}`", var.name),
                    if var.name == "DYN_ROUTER_MODE" {
                        "it always routes in `kv` mode"
                    } else {
                        "read by frontends only"
                    },
                )
                .service(router.service)
                .subject(var.name.clone())
                .severity(if harmless { Severity::Advice } else { Severity::Warning })
                .help(if events { "write `DYN_USE_KV_EVENTS`" } else { "drop it" });
            if events && span.len() as usize == var.name.len() && router.env.get("DYN_USE_KV_EVENTS").is_none() {
                report = report.fix(Applicability::Unsafe, span, "DYN_USE_KV_EVENTS");
            }
            report.emit();
        }
    }
}

/// What the picker is told of its workers, and is not so. Beside an operator's graph it goes by their cards.
fn not_the_workers(deployment: &Deployment, router: &Router<'_>, out: &mut Findings) {
    const MODEL: &str = "DYN_MODEL_NAME";
    const BLOCK: &str = "DYN_KV_CACHE_BLOCK_SIZE";
    if router.env.get("DYN_EPP_MODE").is_some() {
        return;
    }
    let told = |name: &str| {
        let var = router.env.get(name).filter(|v| v.written() && own_layer(v))?;
        Some((var.known()?.trim().to_owned(), var.winner().span?)).filter(|(value, _)| !value.contains(['$', '<', '{']))
    };
    let mut say = |at: Span, message: String, subject: &str, (there, what): (Span, String)| {
        out.report(at, message, "the cards of the workers say otherwise")
            .service(router.service)
            .subject(subject)
            .severity(Severity::Advice)
            .label(there, what.clone())
            .help(format!("write `{what}`, or remove it"))
            .emit();
    };
    if let Some((model, at)) = told(MODEL) {
        let served: Option<Vec<_>> = deployment.workers().map(|w| Some((served_name(w)?, worker_span(w)))).collect();
        if let Some(served) = served.filter(|all| !all.is_empty() && all.iter().all(|(name, _)| *name != model)) {
            let (name, there) = served[0];
            say(at, format!("no worker serves `{model}`"), MODEL, (there, name.to_owned()));
        }
    }
    if let Some((text, at)) = told(BLOCK)
        && let Ok(ours) = text.parse::<u32>()
        && let Some((size, there)) = deployment.workers().find_map(|w| block_size(w).filter(|(n, _)| *n != ours))
    {
        say(at, format!("the workers do not count in blocks of {ours}"), BLOCK, (there, size.to_string()));
    }
}

fn frontend_with_epp_name(router: &Router<'_>, out: &mut Findings) {
    let Some(var) = router.env.get("DYN_USE_KV_EVENTS").filter(|v| v.written() && own_layer(v)) else { return };
    let Some(span) = name_span(var) else { return };
    let off = var.known().is_some_and(|text| values::rust_bool(text).0 == Some(false));
    let mut report = out
        .report(
            span,
            format!("{} does not read `DYN_USE_KV_EVENTS`", router.noun()),
            "read by the endpoint picker only",
        )
        .service(router.service)
        .subject("DYN_USE_KV_EVENTS")
        .severity(if off { Severity::Warning } else { Severity::Advice })
        .help("write `DYN_ROUTER_USE_KV_EVENTS`");
    if span.len() as usize == var.name.len() && router.env.get("DYN_ROUTER_USE_KV_EVENTS").is_none() {
        report = report.fix(Applicability::Unsafe, span, "DYN_ROUTER_USE_KV_EVENTS");
    }
    report.emit();
}

/// What of a router's settings a worker is given by variable.
fn given(service: &Service) -> Vec<(&'static Knob, &EnvVar)> {
    knobs()
        .filter(|knob| knob.env.starts_with("DYN_ROUTER_"))
        .filter_map(|knob| Some((knob, service.env.get(knob.env).filter(|v| v.written())?)))
        .collect()
}

/// `router-env-on-worker`
pub fn router_env_on_worker(deployment: &Deployment, out: &mut Findings) {
    let frontend = routers(deployment).into_iter().find(|r| matches!(r.place, Place::Frontend | Place::Sidecar));
    for service in deployment.workers().filter(|s| s.framework != Some(Framework::Tokenspeed) && !ancient(s)) {
        let vars = given(service);
        if service.at_least(1, 5) {
            advertised(service, &vars, frontend.as_ref(), out);
            continue;
        }
        // Up to 1.4 nobody reads them here; with an unknown release either that holds, or what holds from 1.5 on.
        for (_, var) in vars.iter().filter(|(_, v)| own_layer(v) && v.winner().layer != Layer::EnvFrom) {
            let Some(span) = name_span(var) else { continue };
            let label = if service.version().is_some() {
                "a worker of this release does not read it"
            } else {
                "not read by a worker before 1.5; from then on it replaces the frontend's settings for this worker"
            };
            out.report(span, format!("`{}` stands on a worker", var.name), label)
                .service(service)
                .subject(var.name.clone())
                .help("move it to the frontend")
                .emit();
        }
        if service.below(1, 5) && service.framework.is_some() {
            flags(service, out);
        }
    }
}

/// Up to 1.4 the flags of a router are unknown arguments of an engine.
fn flags(service: &Service, out: &mut Findings) {
    let Some(args) = service.args() else { return };
    for flag in args.flags.iter().filter(|f| f.name.starts_with("--router-") || f.name.starts_with("--no-router-")) {
        let name = flag.name.replacen("--no-", "--", 1);
        if !knobs().any(|knob| knob.flag == name) {
            continue;
        }
        out.report(
            flag.span,
            format!("`{}` stands on a worker", flag.name),
            "an unknown argument of a worker before 1.5: it exits",
        )
        .service(service)
        .subject(flag.name.clone())
        .severity(Severity::Error)
        .help("move it to the frontend")
        .emit();
    }
}

/// From 1.5 on a mode on a worker goes on its model card and replaces the frontend's whole configuration for that worker
/// set (`lib/llm/src/discovery/watcher.rs:456-460`, `1276-1294`).
fn advertised(service: &Service, vars: &[(&Knob, &EnvVar)], frontend: Option<&Router<'_>>, out: &mut Findings) {
    if service.flag(&[MODE]).is_some() {
        return; // said on the worker's own command line: meant
    }
    let Some((_, var)) = vars.iter().find(|(knob, _)| knob.flag == MODE) else { return };
    let (Some(text), Some(span), Some(router)) = (var.known(), Source::Env(var).span(), frontend) else { return };
    let theirs = router.mode();
    let (Fact::Known(mode), true) = (&theirs.mode, theirs.source.written()) else { return };
    // What a graph-wide variable says is said to the frontend as well.
    let lost: Vec<(&Knob, Source<'_>)> = knobs()
        .filter(|knob| knob.scope == Scope::Kv)
        .filter_map(|knob| {
            let source = match router.flag(knob.flag) {
                Some((flag, _)) => Source::Flag(flag),
                None => Source::Env(router.env.get(knob.env).filter(|v| v.written())?),
            };
            Some((knob, source))
        })
        .filter(|(knob, _)| !vars.iter().any(|(own, _)| own.flag == knob.flag))
        .collect();
    let same = mode.name() == text.as_str();
    if same && (lost.is_empty() || mode.name() != "kv") {
        return;
    }
    let mut report = out
        .report(
            span,
            if same {
                "a router mode on the worker replaces the frontend's KV settings".to_owned()
            } else {
                format!("router mode `{}` on the worker replaces the frontend's `{}`", text.as_str(), mode.name())
            },
            "goes on the worker's model card and wins, with built-in defaults for the rest",
        )
        .service(service)
        .subject(var.name.clone())
        .help("drop it here; set the mode on the frontend, not in the environment of the graph");
    if !same {
        report = report.label(router.mode_span(), "replaced");
    }
    for (knob, source) in lost.iter().take(if same { 4 } else { 0 }) {
        report = report.label_opt(source.span(), format!("`{}` is replaced by its default", knob.flag));
    }
    report.emit();
}

/// `epp-sidecar-not-direct`
pub fn epp_sidecar_not_direct(deployment: &Deployment, out: &mut Findings) {
    let Some(epp) = deployment.role(Role::Epp).next() else { return };
    for router in routers(deployment).iter().filter(|r| r.place == Place::Sidecar) {
        let mode = router.mode();
        let Fact::Known(kind) = mode.mode else { continue };
        if matches!(kind, super::mode::Mode::Direct | super::mode::Mode::Invalid) {
            continue;
        }
        let sidecar = router.service.sidecar.as_ref();
        let process = sidecar.and_then(|s| s.process.as_ref()).filter(|p| !p.implied).map(|p| p.module.span);
        let own = process.or(sidecar.map(|s| s.name.span));
        let at = mode.source.span().or(own).unwrap_or_else(|| router.span());
        out.report(
            at,
            format!("the frontend sidecar routes in `{}` mode behind an endpoint picker", kind.name()),
            if mode.source.written() { "picks a worker of its own" } else { "no `--router-mode`: takes turns" },
        )
        .service(router.service)
        .subject(MODE)
        .label(epp.component.type_span.unwrap_or(epp.component.name.span), "has picked the worker already")
        .help("give the sidecar `--router-mode direct`")
        .emit();
    }
}
