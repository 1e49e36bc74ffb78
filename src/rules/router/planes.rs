//! What frontend and workers must agree on to hear each other, and frontends among themselves.

use super::events::wanting;
use super::mode::Mode;
use super::settings::{Place, Source, frontends, routers, variable};
use super::workers::worker_span;
use crate::command::Args;
use crate::finding::Severity;
use crate::resolve::{Deployment, Env, Role, Service, Version};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// A plane's transport as one process will use it.
struct Transport<'a> {
    kind: &'a str,
    span: Option<Span>,
    name: &'a str,
}

/// The transport by flag, variable or default; none when it cannot be known.
fn transport<'a>(
    args: Option<&'a Args>,
    env: &'a Env,
    flag: &'static str,
    var: &'static str,
    default: Option<&'a str>,
) -> Option<Transport<'a>> {
    let args = args?;
    if let Some(used) = args.last(&[flag]) {
        let word = used.value()?;
        return Some(Transport { kind: word.as_known()?, span: Some(word.span()), name: flag });
    }
    if args.open.is_some() {
        return None;
    }
    match variable(env, var) {
        (Fact::Known(text), source) => Some(Transport { kind: text, span: source.span(), name: var }),
        (Fact::Unset, _) => Some(Transport { kind: default?, span: None, name: var }),
        (Fact::Dynamic(_), _) => None,
    }
}

/// How a process finds others, as far as the manifest says it.
fn transport_of<'a>(args: Option<&'a Args>, env: &'a Env) -> Option<Transport<'a>> {
    let known = ["kubernetes", "etcd", "file", "mem"];
    transport(args, env, "--discovery-backend", "DYN_DISCOVERY_BACKEND", None)
        .filter(|t| t.span.is_some() && known.contains(&t.kind))
        // What the operator says is the same for all, whatever its platform uses.
        .filter(|t| t.name.starts_with('-') || env.get(t.name).is_some_and(|var| var.written()))
}

/// Default event plane: ZeroMQ from 1.3 on, NATS before (#10902; `lib/runtime/src/distributed.rs:655-680`).
fn event_default(version: Option<Version>) -> Option<&'static str> {
    version.map(|v| if v >= Version::new(1, 3) { "zmq" } else { "nats" })
}

/// Every transport of either plane; what is none of these is the business of `frontend-choice-invalid`.
const KINDS: [&str; 4] = ["zmq", "nats", "tcp", "http"];

/// What stands at either end of a plane and does not fit.
fn mismatches<'a>(
    deployment: &'a Deployment,
    flag: &'static str,
    var: &'static str,
    default: impl Fn(Option<Version>) -> Option<&'static str>,
) -> Vec<(&'a Service, Transport<'a>, &'a Service, Transport<'a>)> {
    let mut out = Vec::new();
    for router in routers(deployment) {
        if router.place == Place::Epp {
            continue;
        }
        let Some(ours) = transport(router.args(), router.env, flag, var, default(router.version)) else { continue };
        for worker in deployment.workers() {
            let theirs = transport(worker.args(), &worker.env, flag, var, default(worker.version()));
            let Some(theirs) = theirs else { continue };
            let real = KINDS.contains(&ours.kind) && KINDS.contains(&theirs.kind);
            if real && ours.kind != theirs.kind && (ours.span.is_some() || theirs.span.is_some()) {
                let ours = Transport { ..ours };
                out.push((router.service, ours, worker, theirs));
            }
        }
    }
    out
}

fn said(transport: &Transport<'_>) -> String {
    match transport.span {
        Some(_) => format!("`{}` here", transport.kind),
        None => format!("`{}` by default", transport.kind),
    }
}

/// `event-plane-mismatch`
pub fn event_plane_mismatch(deployment: &Deployment, out: &mut Findings) {
    let wanted = wanting(deployment).is_some();
    for (frontend, ours, worker, theirs) in mismatches(deployment, "--event-plane", "DYN_EVENT_PLANE", event_default) {
        let at = theirs.span.or(ours.span).unwrap_or_else(|| worker_span(worker));
        let other =
            if theirs.span.is_some() { ours.span.unwrap_or(frontend.component.name.span) } else { worker_span(worker) };
        let (here, there) = if theirs.span.is_some() { (&theirs, &ours) } else { (&ours, &theirs) };
        out.report(
            at,
            format!(
                "`{}` sends events over {}, `{}` listens to {}: none arrive",
                worker.name, theirs.kind, frontend.name, ours.kind
            ),
            said(here),
        )
        .service(worker)
        .subject(here.name)
        .severity(if wanted { Severity::Warning } else { Severity::Advice })
        .label(other, said(there))
        .help("give both the same event plane; `zmq` is the default from 1.3 on, `nats` before")
        .emit();
    }
}

/// Where processes find each other. What is kept in memory (`mem`), or in a file of one's own, another pod never sees.
fn discovery(deployment: &Deployment, out: &mut Findings) {
    const NAME: &str = "DYN_DISCOVERY_BACKEND";
    for router in routers(deployment).iter().filter(|r| r.place == Place::Frontend && !r.below(1, 0)) {
        if router.args_hide().is_some() || deployment.role(Role::Epp).next().is_some() {
            continue;
        }
        let ours = transport_of(router.args(), router.env);
        for worker in deployment.workers().filter(|w| !w.args_open()) {
            let theirs = transport_of(worker.args(), &worker.env);
            let (here, there) = match (&ours, &theirs) {
                (Some(ours), _) if ours.kind == "mem" => (ours, theirs.as_ref()),
                (_, Some(theirs)) if theirs.kind == "mem" => (theirs, ours.as_ref()),
                (Some(ours), Some(theirs)) if ours.kind != theirs.kind => (theirs, Some(ours)),
                _ => continue,
            };
            let Some(at) = here.span else { continue };
            let message = match here.kind {
                "mem" => "what is found in memory is found by nobody else".to_owned(),
                _ => format!("`{}` registers in {}, and the frontend looks elsewhere", worker.name, here.kind),
            };
            out.report(at, message, "the frontend never sees its workers")
                .service(worker)
                .subject(NAME)
                .label_opt(there.and_then(|t| t.span), "said here")
                .help("drop it: the operator tells all of them where to look")
                .emit();
            if here.kind == "mem" {
                break;
            }
        }
    }
}

/// `request-plane-mismatch`
pub fn request_plane_mismatch(deployment: &Deployment, out: &mut Findings) {
    discovery(deployment, out);
    for (frontend, ours, worker, theirs) in
        mismatches(deployment, "--request-plane", "DYN_REQUEST_PLANE", |_| Some("tcp"))
    {
        let at = theirs.span.or(ours.span).unwrap_or_else(|| worker_span(worker));
        let other =
            if theirs.span.is_some() { ours.span.unwrap_or(frontend.component.name.span) } else { worker_span(worker) };
        let (here, there) = if theirs.span.is_some() { (&theirs, &ours) } else { (&ours, &theirs) };
        out.report(
            at,
            format!(
                "`{}` takes requests over {}, `{}` sends them over {}: every request fails",
                worker.name, theirs.kind, frontend.name, ours.kind
            ),
            said(here),
        )
        .service(worker)
        .subject(here.name)
        .label(other, said(there))
        .help("give both the same request plane; `tcp` is the default")
        .emit();
    }
}

/// `nats-without-server`
pub fn nats_without_server(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().chain(deployment.role(Role::Frontend)).filter(|s| s.at_least(1, 4)) {
        let planes = [("--event-plane", "DYN_EVENT_PLANE"), ("--request-plane", "DYN_REQUEST_PLANE")];
        let said = planes.iter().find_map(|(flag, var)| transport(service.args(), &service.env, flag, var, None));
        let Some(Transport { kind: "nats", span: Some(span), name }) = said else { continue };
        if service.env.hides().is_some() || service.env.get("NATS_SERVER").is_some() {
            continue;
        }
        out.report(
            span,
            format!("`{}` goes over NATS, and nothing here says where that is", service.name),
            "from 1.4 on the platform comes without NATS unless it is asked for",
        )
        .service(service)
        .subject(name)
        .help("install the platform with NATS (the operator then sets `NATS_SERVER`), set it, or leave the plane out")
        .emit();
    }
}

/// `mixed-image-versions`
pub fn mixed_image_versions(deployment: &Deployment, out: &mut Findings) {
    let Some(router) = wanting(deployment) else { return };
    let (Some(ours), Some(place)) = (router.version, router.service.version.as_ref()) else { return };
    let edge = Version::new(1, 4);
    for worker in deployment.workers().filter(|w| w.events.published == Fact::Known(true)) {
        let Some(theirs) = worker.version.as_ref() else { continue };
        if (ours < edge) == (theirs.value < edge) || std::ptr::eq(worker, router.service) {
            continue;
        }
        out.report(
            theirs.span,
            format!("Dynamo {} and {ours} do not hear each other's KV events", theirs.value),
            format!("`{}` runs {}", worker.name, theirs.value),
        )
        .service(worker)
        .subject("image")
        .label(place.span, format!("`{}` runs {ours}", router.service.name))
        .help("use the same release for both: event subjects changed in 1.4, without a fallback")
        .emit();
    }
}

/// `replica-sync-missing`
pub fn replica_sync_missing(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment).filter(|r| r.place == Place::Frontend) {
        let (Some(replicas), true) = (router.service.replicas.known(), router.mode().is(Mode::Kv)) else { continue };
        let sync = router.toggle("--router-replica-sync");
        if *replicas < 2 || sync.on != Fact::Known(false) || router.args_hide().is_some() {
            continue;
        }
        let predicts = router.events().wanted == Fact::Known(false);
        let at = router.service.component.replicas.as_ref().map_or_else(|| router.span(), |r| r.span);
        let mut report = out
            .report(
                at,
                format!("{replicas} frontends route in `kv` mode without telling each other"),
                if predicts {
                    "each knows only the requests it sent itself, load and cache"
                } else {
                    "each counts only the load it sent itself"
                },
            )
            .service(router.service)
            .subject("--router-replica-sync")
            .label(router.mode_span(), "routes in `kv` mode")
            .help("add `--router-replica-sync`");
        if let Source::Env(var) = sync.source {
            report = report.label_opt(var.winner().span, "off");
        }
        report.emit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_plane_changed_in_1_3() {
        assert_eq!(event_default(Some(Version::new(1, 2))), Some("nats"));
        assert_eq!(event_default(Some(Version::new(1, 3))), Some("zmq"));
        assert_eq!(event_default(None), None);
    }
}
