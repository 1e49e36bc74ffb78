//! A router that wants KV events, and workers that publish none.
//!
//! In `kv` mode without events every worker looks equally empty to the router: overlap is 0 for all, and requests go by
//! load alone (`lib/llm/src/kv_router/indexer/recovery/subscriber.rs:99-101`). Nothing fails and, before 1.4, nothing
//! is logged.

use std::borrow::Cow;

use super::publisher::{asks, explained};
use super::settings::{Place, Router, Source, ancient, old_frontends, routers};
use super::workers::{Targets, cached, prefix_caching_off, publisher, remedy, silence, targets, worker_span};
use crate::finding::{Applicability, Confidence, Edit, Severity};
use crate::manifest::ApiVersion;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::rules::mend::append_words;
use crate::source::{Fact, Reason, Span};

/// The first router of a deployment that certainly wants events.
pub(super) fn wanting(deployment: &Deployment) -> Option<Router<'_>> {
    routers(deployment).into_iter().find(|r| r.events().wanted == Fact::Known(true))
}

/// Workers that a router needs events from: prefill and aggregated ones, decode too when it may skip the prefill hop
/// (`KvEventSourceRequirement::derive`, `lib/llm/src/kv_router.rs:122-140`).
pub(super) fn required<'a>(deployment: &'a Deployment, router: &Router<'_>) -> Vec<&'a Service> {
    let decode = router.conditional() == Fact::Known(true);
    let sources = cached(deployment).chain(deployment.role(Role::Decode).filter(|_| decode));
    match router.place {
        Place::Standalone => {
            let component = endpoint_component(router);
            sources.filter(|s| component.is_none_or(|c| (c == "prefill") == (s.role == Role::Prefill))).collect()
        }
        _ => sources.collect(),
    }
}

/// `prefill` out of `dynamo.router --endpoint ns.prefill.generate`.
fn endpoint_component<'a>(router: &Router<'a>) -> Option<&'a str> {
    router.args()?.last(&["--endpoint"])?.value()?.as_known()?.split('.').nth(1)
}

/// Severity of a cache-blind router: with one target there is nothing to choose, until somebody scales.
pub(super) fn severity(targets: &Targets) -> Severity {
    if targets.one() { Severity::Advice } else { Severity::Warning }
}

/// Where the router says (or by being there implies) that it wants events, and what to write there.
fn place<'a>(router: &Router<'a>) -> (Span, Cow<'static, str>) {
    let label = match (router.place, router.mode().source) {
        (Place::Epp, _) => "routes by KV events unless `DYN_USE_KV_EVENTS` is false".into(),
        (Place::Standalone, _) => "`dynamo.router` routes by KV events".into(),
        (_, Source::Default) => "expects KV events".into(),
        (_, source) => format!("`{}` expects KV events from the workers", source.name()).into(),
    };
    (router.mode_span(), label)
}

/// What to change on the router's side instead.
fn without_events(router: &Router<'_>) -> &'static str {
    match router.place {
        Place::Epp => "set `DYN_USE_KV_EVENTS: \"false\"` on the endpoint picker",
        _ if router.below(1, 0) => "give the frontend `--no-kv-events`",
        _ => "give the router `--no-router-kv-events`",
    }
}

fn help(router: &Router<'_>, silent: &[&Service]) -> String {
    let mut remedies: Vec<String> = Vec::new();
    for service in silent {
        let text = if prefix_caching_off(service).is_some() && service.framework == Some(Framework::Vllm) {
            format!("replace `--no-enable-prefix-caching` by `--enable-prefix-caching` and add {}", remedy(service))
        } else if prefix_caching_off(service).is_some() {
            "switch prefix caching on".to_owned()
        } else {
            format!("add {}", remedy(service))
        };
        if !remedies.contains(&text) {
            remedies.push(text);
        }
    }
    let uncached = silent.iter().any(|s| prefix_caching_off(s).is_some());
    let predict = if uncached && router.place == Place::Epp {
        "or, if the workers shall not cache prefixes, set `DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT: \"0\"` on the endpoint picker"
    } else if uncached {
        "or, if the workers shall not cache prefixes, use a mode that does not count on it (`round-robin`, `least-loaded`)"
    } else {
        "so that it predicts what is cached from where it sent requests"
    };
    let joiner = if predict.starts_with("or,") { "; " } else { ", or " };
    let rest =
        if predict.starts_with("or,") { predict.to_owned() } else { format!("{} {predict}", without_events(router)) };
    format!("{} on the worker{joiner}{rest}", remedies.join("; "))
}

/// What has every silent worker publish, where one option does that. On the host's network they would share its port.
fn publishing(deployment: &Deployment, silent: &[&Service]) -> Option<Vec<Edit>> {
    let mut edits: Vec<Edit> = Vec::new();
    for service in silent {
        // Where it takes no value more than the option is needed.
        let (flag, Some(value)) = publisher(service)? else { return None };
        if service.flag(&[flag]).is_some()
            || prefix_caching_off(service).is_some()
            || service.fabric.host_network.is_some()
        {
            return None;
        }
        for edit in append_words(service, &deployment.recipe.sources, &[flag, value])? {
            // Workers may share their arguments.
            if !edits.contains(&edit) {
                edits.push(edit);
            }
        }
    }
    Some(edits)
}

/// Why it is unknown whether one of the workers publishes.
fn unknown<'a>(workers: &[&'a Service]) -> Option<(&'a Service, Reason)> {
    workers.iter().find_map(|s| match &s.events.published {
        Fact::Dynamic(reason) => Some((*s, reason.clone())),
        Fact::Unset => Some((*s, Reason::Image)),
        Fact::Known(false) if !s.role_known => Some((*s, Reason::Image)),
        Fact::Known(_) => None,
    })
}

/// vLLM of an unknown release that is told nothing about KV events: 1.0 publishes them all the same
/// (`create_kv_events_config` in `dynamo/vllm/args.py` of 1.0.2).
fn perhaps_unasked(service: &Service) -> bool {
    service.framework == Some(Framework::Vllm)
        && service.version().is_none()
        && service.events.config.is_none()
        && prefix_caching_off(service).is_none()
}

/// `kv-router-no-events`
pub fn kv_router_no_events(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment).into_iter().chain(old_frontends(deployment)) {
        let events = router.events();
        if events.wanted == Fact::Known(false) {
            continue;
        }
        let workers = required(deployment, &router);
        if workers.is_empty() || workers.iter().any(|s| s.events.published == Fact::Known(true)) {
            continue;
        }
        if let Fact::Dynamic(reason) = events.wanted {
            out.undecided(router.service, router.mode_span(), reason);
            continue;
        }
        if let Some((service, reason)) = unknown(&workers) {
            out.undecided(service, worker_span(service), reason);
            continue;
        }
        // Each of those has a rule that names the one word to change.
        if workers.iter().all(|s| explained(s)) {
            continue;
        }
        let targets = targets(deployment, workers.iter().copied());
        let (span, label) = place(&router);
        let what = match router.place {
            Place::Epp => "the endpoint picker routes by KV cache",
            Place::Standalone => "the standalone router routes by KV cache",
            _ => "the router runs in `kv` mode",
        };
        let effect = if targets.one() { "" } else { ", so it ignores what they have cached" };
        // Without a release it may be the 1.0 in which vLLM publishes unasked, unless the graph is of the API that came later.
        let unasked = workers.iter().any(|s| perhaps_unasked(s));
        let depends = unasked && deployment.graph.shape == ApiVersion::V1Alpha1;
        let message = match depends {
            true => format!(
                "{what} but no worker is told to publish KV events: Dynamo 1.0 does unasked, 1.1 and later do not"
            ),
            false => format!("{what} but no worker publishes KV events{effect}"),
        };
        let mut report = out
            .report(span, message, label)
            .confidence(if unasked { Confidence::Likely } else { Confidence::Certain })
            .service(router.service)
            .subject("kv-events")
            .severity(if depends { Severity::Advice } else { severity(&targets) })
            .help(help(&router, &workers))
            // A router that does without them would lose those of 1.0.
            .mend(Applicability::Display, depends.then(|| publishing(deployment, &workers)).flatten());
        for service in &workers {
            report = report.label(service.events.span.unwrap_or_else(|| worker_span(service)), silence(service));
        }
        report.emit();
    }
}

/// `kv-router-partial-events`
pub fn kv_router_partial_events(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment) {
        if router.events().wanted != Fact::Known(true) {
            continue;
        }
        let workers = required(deployment, &router);
        if !workers.iter().any(|s| s.events.published == Fact::Known(true)) {
            continue;
        }
        let apart = deployment.role(Role::Prefill).next().is_some();
        for service in &workers {
            // Beside a prefill worker an "aggregated" one is a decode worker that forgot to say so; another rule's job.
            let forgot = apart && service.role == Role::Aggregated;
            let known = service.role_known && !perhaps_unasked(service);
            if service.events.published != Fact::Known(false) || !known || forgot || explained(service) {
                continue;
            }
            let (span, label) = place(&router);
            out.report(
                worker_span(service),
                format!("`{}` publishes no KV events while other workers of the same router do", service.name),
                silence(service),
            )
            .service(service)
            .subject("kv-events")
            .label(span, label)
            .help(format!(
                "add {} here too: to the router this worker's cache looks empty, so requests flock to the others",
                remedy(service)
            ))
            .emit();
        }
    }
}

/// `backend-cannot-publish`
pub fn backend_cannot_publish(deployment: &Deployment, out: &mut Findings) {
    let Some(router) = wanting(deployment) else { return };
    let workers = required(deployment, &router);
    let severity = severity(&targets(deployment, workers.iter().copied()));
    for service in workers {
        if service.framework != Some(Framework::Tokenspeed) || !service.role_known {
            continue;
        }
        let (span, label) = place(&router);
        out.report(
            worker_span(service),
            "the router waits for KV events that tokenspeed cannot publish",
            "no flag of `dynamo.tokenspeed` turns them on",
        )
        .service(service)
        .subject("kv-events")
        .severity(severity)
        .label(span, label)
        .help(format!("{} so that it predicts what is cached, or use another mode", without_events(&router)))
        .emit();
    }
}

/// `events-unused`
pub fn events_unused(deployment: &Deployment, out: &mut Findings) {
    let routers = routers(deployment);
    // A graph without a router may be served by one elsewhere.
    if routers.is_empty()
        || deployment.services.iter().any(|s| s.role == Role::Router && s.module() != Some("dynamo.router"))
    {
        return;
    }
    for service in deployment.workers() {
        let Some(span) = asks(service).filter(|_| service.role_known && !ancient(service)) else { continue };
        let metrics = also_metrics(service);
        let nobody = routers.iter().all(|r| r.events().wanted == Fact::Known(false));
        let decode = service.role == Role::Decode
            && routers.iter().all(|r| r.conditional() == Fact::Known(false) || r.events().wanted == Fact::Known(false));
        let (why, who) = if nobody {
            ("no router of this deployment listens to KV events", routers.first())
        } else if decode {
            ("the router never looks at the cache of decode workers", routers.first())
        } else {
            continue;
        };
        out.report(span, format!("KV events are published, but {why}"), "published for nobody")
            .service(service)
            .subject("kv-events")
            .label_opt(
                who.filter(|_| nobody).map(|r| r.events().source.span().unwrap_or_else(|| r.mode_span())),
                "routes without KV events",
            )
            .help(if metrics {
                "route by them with `--router-mode kv`, or keep the flag for the metrics alone that it turns on, too"
            } else if nobody {
                "drop it, or route by it with `--router-mode kv`"
            } else {
                "drop it: decode is chosen by load, unless conditional disaggregation is on"
            })
            .emit();
    }
}

/// Before 1.3 and from 1.6 on the old TensorRT-LLM flag turns on metrics too (`dynamo/trtllm/args.py:124-130`).
fn also_metrics(service: &Service) -> bool {
    service.framework == Some(Framework::Trtllm)
        && service.flag(&["--publish-events-and-metrics"]).is_some()
        && !(service.at_least(1, 3) && service.below(1, 6))
}
