//! Conditional disaggregation (1.5 and later): what it needs to start, and to do any good
//! (`frontend_args.py:203-206`, `kv_router_args.py` `apply_conditional_disagg_config`, `config.rs:992-1020`).

use super::knobs::{CONDITIONAL, CONDITIONAL_CONFIG, KV_EVENTS, QUEUE_THRESHOLD};
use super::mode::Mode;
use super::settings::{Place, Router, Setting, Source, routers};
use super::workers::worker_span;
use crate::catalog::json::{JsonKey, keys};
use crate::command::json::{self, Json, JsonValue};
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Role};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// Keys of the JSON object.
fn fields() -> impl Iterator<Item = JsonKey> {
    keys("--router-conditional-disagg-config", Some("frontend")).into_iter()
}

/// What `policy` takes.
fn policies() -> Vec<&'static str> {
    fields().find(|field| field.name == "policy").map_or(Vec::new(), |field| field.values)
}

/// `conditional-disagg-requirements`
pub fn conditional_disagg_requirements(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment).iter().filter(|r| r.place != Place::Epp && r.at_least(1, 5)) {
        let on = router.toggle(CONDITIONAL);
        let config = router.setting(CONDITIONAL_CONFIG);
        let Fact::Known(enabled) = on.on else { continue };
        if let Some(at) = config.source.span() {
            settings(router, enabled, &config, at, out);
        }
        if !enabled {
            continue;
        }
        let at = on.source.span().unwrap_or_else(|| router.span());
        if stops(router, on.source, at, out) {
            continue;
        }
        useless(deployment, router, on.source, at, out);
    }
}

/// What makes the frontend stop at start.
fn stops(router: &Router<'_>, source: Source<'_>, at: Span, out: &mut Findings) -> bool {
    let mode = router.mode();
    let load_aware = router.load_aware();
    let events = router.toggle(KV_EVENTS);
    let (message, other, label, help) = if router.place == Place::Standalone {
        (
            "`dynamo.router` does not run conditional disaggregation: it stops at start",
            None,
            "",
            "set it on the frontend instead",
        )
    } else if load_aware.on == Fact::Known(true) {
        (
            "conditional disaggregation needs KV events, which `--load-aware` switches off: the frontend stops at start",
            load_aware.source.span(),
            "switches KV events off",
            "drop one of the two",
        )
    } else if matches!(mode.mode, Fact::Known(kind) if kind != Mode::Kv) {
        (
            "conditional disaggregation needs `kv` mode: the frontend stops at start",
            Some(router.mode_span()),
            "not the `kv` mode",
            "add `--router-mode kv`",
        )
    } else if events.on == Fact::Known(false) {
        (
            "conditional disaggregation needs KV events, which are off: the frontend stops at start",
            events.source.span(),
            "switches KV events off",
            "drop `--no-router-kv-events`",
        )
    } else {
        return false;
    };
    out.report(at, message, "conditional disaggregation is on")
        .service(router.service)
        .subject(source.name())
        .severity(Severity::Error)
        .label_opt(other.filter(|span| *span != at), label)
        .help(help)
        .emit();
    true
}

/// What lets it run and never do any good.
fn useless(deployment: &Deployment, router: &Router<'_>, source: Source<'_>, at: Span, out: &mut Findings) {
    for decode in deployment.role(Role::Decode).filter(|s| s.role_known) {
        let (label, help) = if decode.framework == Some(Framework::Sglang) {
            ("SGLang decode workers cannot prefill on their own", "drop `--router-conditional-disagg`")
        } else if decode.events.published == Fact::Known(false) {
            ("publishes no KV events, so its cache looks empty", "let the decode workers publish KV events, too")
        } else {
            continue;
        };
        out.report(
            at,
            "conditional disaggregation never finds a decode worker to prefill on",
            "counts on decode caches",
        )
        .service(router.service)
        .subject(source.name())
        .severity(Severity::Warning)
        .label(worker_span(decode), label)
        .help(help)
        .emit();
    }
}

/// The JSON beside it.
fn settings(router: &Router<'_>, enabled: bool, config: &Setting<'_>, at: Span, out: &mut Findings) {
    let name = config.source.name();
    let mut error = |at: Span, message: String, label: &str, help: String| {
        out.report(at, message, label)
            .service(router.service)
            .subject(name)
            .severity(Severity::Error)
            .help(help)
            .emit();
    };
    let text = match config.source {
        Source::Flag(flag) => flag.value().filter(|w| w.dynamic.is_none()).map(|w| &w.text),
        Source::Env(var) => var.known(),
        Source::Default => None,
    };
    let Some(text) = text else { return };
    if !enabled {
        error(
            at,
            format!("`{name}` needs `--router-conditional-disagg`: the frontend stops at start"),
            "given without the flag that turns it on",
            "add `--router-conditional-disagg`, or drop the config".to_owned(),
        );
        return;
    }
    let parsed = json::parse(text).ok().filter(|json| matches!(json.value, JsonValue::Object(_)));
    let Some(json) = parsed else {
        error(
            at,
            format!("`{name}` is no JSON object: the frontend stops at start"),
            "not a JSON object",
            "write `{\"policy\":\"isl_bounding\"}` in single quotes".to_owned(),
        );
        return;
    };
    if let JsonValue::Object(entries) = &json.value {
        for entry in entries.iter().filter(|e| fields().all(|field| field.name != e.key)) {
            error(
                entry.key_span,
                format!("`{name}` has no field `{}`: the frontend stops at start", entry.key),
                "unknown field",
                format!("the fields are `{}`", fields().map(|field| field.name).collect::<Vec<_>>().join("`, `")),
            );
        }
    }
    let Some(policy) = json.get("policy") else { return };
    let Some(kind) = policy.as_str() else { return };
    if !policies().contains(&kind) {
        error(
            policy.span,
            format!("`{kind}` is no policy of conditional disaggregation: the frontend stops at start"),
            "unknown policy",
            format!("write one of `{}`", policies().join("`, `")),
        );
    } else if kind != "isl_bounding" && !threshold(router, &json) {
        error(
            policy.span,
            format!("policy `{kind}` needs a threshold: the frontend stops at start"),
            "goes by how busy prefill is",
            "add `\"prefill_busy_threshold\"`, or `--router-queue-threshold`".to_owned(),
        );
    }
}

fn threshold(router: &Router<'_>, json: &Json) -> bool {
    let own = json.get("prefill_busy_threshold").is_some_and(|t| t.value != JsonValue::Null);
    let queue = router.setting(QUEUE_THRESHOLD);
    own || match queue.value {
        Fact::Known(text) => !["", "None"].contains(&text),
        Fact::Dynamic(_) => true,
        Fact::Unset => false,
    }
}
