//! Components that stand for one thing: workers that make one set, frontends that share the workers of a graph.

use super::knobs::{MODE, knob, knobs};
use super::modes::mode_stands;
use super::settings::{Place, frontends};
use super::workers::worker_span;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::rules::disagg::served_name;
use crate::source::{Fact, Span};

/// Whether the Dynamo namespace or the endpoint of a service is its own.
fn apart(service: &Service) -> bool {
    service.component.global_namespace
        || service.flag(&["--namespace", "--endpoint"]).is_some()
        || ["DYN_NAMESPACE", "DYN_NAMESPACE_PREFIX", "DYN_ENDPOINT"]
            .iter()
            .any(|name| service.env.get(name).is_some_and(|v| v.written()))
}

/// What a worker says of a router setting: as text, and where. `Err` when that cannot be known.
fn says<'a>(service: &'a Service, name: &str, env: &str) -> Result<Option<(&'a str, Span)>, ()> {
    let off = name.replacen("--", "--no-", 1);
    if let Some(flag) = service.flag(&[name, &off]) {
        return match flag.value() {
            Some(word) => Ok(Some((word.as_known().ok_or(())?, word.span()))),
            None => Ok(Some((&flag.name, flag.span))),
        };
    }
    let Some(var) = service.env.get(env).filter(|v| v.written()) else { return Ok(None) };
    match &var.winner().value {
        Fact::Known(text) => Ok(Some((text.as_str(), text.span()))),
        _ => Err(()),
    }
}

/// `worker-set-asymmetric`
pub fn worker_set_asymmetric(deployment: &Deployment, out: &mut Findings) {
    let alone = |s: &&Service| {
        s.role == Role::Aggregated
            && s.role_known
            && s.at_least(1, 5)
            && s.framework.is_some_and(|f| f != Framework::Tokenspeed)
            && !s.args_open()
            && !apart(s)
    };
    let mut first: Option<&Service> = None;
    for service in deployment.workers().filter(alone) {
        let Some(earlier) = first else {
            first = Some(service);
            continue;
        };
        if earlier.framework != service.framework || served_name(service).is_none() {
            continue;
        }
        let mode = |s| knob(MODE).map(|k| says(s, MODE, k.env));
        let (Some(Ok(ours)), Some(Ok(theirs))) = (mode(service), mode(earlier)) else { continue };
        if served_name(earlier) != served_name(service) || (ours.is_none() && theirs.is_none()) {
            continue;
        }
        let differing = knobs().find_map(|knob| {
            let (a, b) = (says(service, knob.flag, knob.env).ok()?, says(earlier, knob.flag, knob.env).ok()?);
            (a.map(|x| x.0) != b.map(|x| x.0)).then_some((knob.flag, a, b))
        });
        let Some((name, here, there)) = differing else { continue };
        out.report(
            here.map_or_else(|| worker_span(service), |h| h.1),
            format!("`{}` and `{}` are one worker set with different router settings", earlier.name, service.name),
            format!("`{name}` differs: of the two, the one that the frontend sees second gets no requests"),
        )
        .service(service)
        .subject(name)
        .label(there.map_or_else(|| worker_span(earlier), |t| t.1), format!("`{}`", earlier.name))
        .help("give both the same router flags, or serve them under different models or endpoints")
        .emit();
    }
}

/// `frontend-modes-differ`
pub fn frontend_modes_differ(deployment: &Deployment, out: &mut Findings) {
    // A mode that is none is `unknown-router-mode`'s to say, and nobody knows which one was meant.
    let mut all = frontends(deployment).filter(|r| r.place == Place::Frontend && !apart(r.service) && mode_stands(r));
    let Some(first) = all.next() else { return };
    for other in all {
        let (a, b) = (first.mode(), other.mode());
        let (Fact::Known(ours), Fact::Known(theirs)) = (&b.mode, &a.mode) else { continue };
        if ours == theirs {
            continue;
        }
        out.report(
            other.mode_span(),
            format!("two frontends of one graph route differently: `{}` here", ours.name()),
            "sends requests to the same workers, and neither knows of the load that the other makes",
        )
        .service(other.service)
        .subject(MODE)
        .label(first.mode_span(), format!("`{}` routes in `{}` mode", first.service.name, theirs.name()))
        .help("give both the same `--router-mode`, unless it is a comparison")
        .emit();
    }
}
