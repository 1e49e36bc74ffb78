//! Settings of a router that exclude or need each other.

use super::knobs::{
    APPROXIMATE, CREDIT, KV_EVENTS, PREDICTED_TTL, REMOTE_INDEXER, SERVE_INDEXER, TRACK_ACTIVE, TRACK_OUTPUT, TTL,
    python_number,
};
use super::mode::Mode;
use super::tuning::{name_span, said_of, tuned};
use crate::finding::Severity;
use crate::resolve::Deployment;
use crate::rules::Findings;
use crate::source::Fact;

/// `predicted-ttl-without-events`
pub fn predicted_ttl_without_events(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment).filter(|r| r.mode().is(Mode::Kv) && !r.below(1, 3)) {
        let ttl = router.setting(PREDICTED_TTL);
        let events = router.toggle(KV_EVENTS);
        let Some(span) = ttl.source.span().filter(|_| ttl.value.known().is_some()) else { continue };
        if events.on != Fact::Known(false) || router.load_aware().on != Fact::Known(false) {
            continue;
        }
        out.report(
            span,
            "`--router-predicted-ttl-secs` needs KV events, which are off: the router stops at start",
            "fills gaps between events; without events `--router-ttl-secs` is the one that counts",
        )
        .service(router.service)
        .subject(ttl.source.name())
        .label_opt(events.source.span(), "switches KV events off")
        .help("drop it, or use `--router-ttl-secs`")
        .emit();
    }
}

/// `approximate-policy-with-events`
pub fn approximate_policy_with_events(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment).filter(|r| r.mode().is(Mode::Kv) && r.at_least(1, 5)) {
        let policy = router.setting(APPROXIMATE);
        let events = router.toggle(KV_EVENTS);
        let lru = policy.value == Fact::Known("lru");
        let Some(span) = policy.source.span().filter(|_| lru) else { continue };
        if events.on != Fact::Known(true) || router.load_aware().on != Fact::Known(false) {
            continue;
        }
        out.report(
            span,
            "the `lru` policy is for prediction without KV events, which are on: the router stops at start",
            "needs `--no-router-kv-events`",
        )
        .service(router.service)
        .subject(policy.source.name())
        .label_opt(events.source.span(), "KV events are on")
        .help("add `--no-router-kv-events`, or drop the policy")
        .emit();
    }
}

/// `output-blocks-without-active`
pub fn output_blocks_without_active(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment).filter(|r| r.mode().is(Mode::Kv)) {
        let (output, active) = (router.toggle(TRACK_OUTPUT), router.toggle(TRACK_ACTIVE));
        let overridden = router.load_aware().on != Fact::Known(false);
        if output.on != Fact::Known(true) || active.on != Fact::Known(false) || overridden {
            continue;
        }
        let fatal = router.at_least(1, 2);
        out.report(
            output.source.span().unwrap_or_else(|| router.span()),
            "output blocks cannot be tracked without active blocks",
            if fatal { "the router stops at start" } else { "has no effect (from 1.2 on the router stops at start)" },
        )
        .service(router.service)
        .subject(output.source.name())
        .severity(if fatal { Severity::Error } else { Severity::Warning })
        .label_opt(active.source.span(), "switches active blocks off")
        .help("drop one of the two")
        .emit();
    }
}

/// `indexer-flag-conflict`
pub fn indexer_flag_conflict(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment).filter(|r| !r.below(1, 1)) {
        let serve = router.toggle(SERVE_INDEXER);
        let Some(span) = serve.source.span() else { continue };
        if serve.on != Fact::Known(true) || router.load_aware().on != Fact::Known(false) {
            continue;
        }
        let remote = router.toggle(REMOTE_INDEXER);
        let credit = router.setting(CREDIT);
        let zero = credit.value.known().is_some_and(|text| python_number(text, false) == Some(0.0));
        let (message, other, label, help) = match router.mode().mode {
            Fact::Known(mode) if mode != Mode::Kv => (
                format!("`--serve-indexer` needs `kv` mode: {} stops at start", router.noun()),
                Some(router.mode_span()),
                "not the `kv` mode",
                "add `--router-mode kv`, or drop `--serve-indexer`",
            ),
            _ if remote.on == Fact::Known(true) => (
                format!(
                    "`--serve-indexer` and `--use-remote-indexer` exclude each other: {} stops at start",
                    router.noun()
                ),
                remote.source.span(),
                "asks another indexer",
                "keep one of the two: serve the index, or ask for it",
            ),
            _ if zero && router.at_least(1, 2) && router.below(1, 6) => (
                format!("`--serve-indexer` needs an overlap credit above 0: {} stops at start", router.noun()),
                credit.source.span(),
                "no overlap credit, no index",
                "raise the credit, or drop `--serve-indexer`",
            ),
            _ => continue,
        };
        out.report(span, message, "serves the index of this router")
            .service(router.service)
            .subject(serve.source.name())
            .label_opt(other, label)
            .help(help)
            .emit();
    }
}

/// `ttl-inert`
pub fn ttl_inert(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment).filter(|r| r.mode().is(Mode::Kv)) {
        let Some(source) = said_of(&router, TTL) else { continue };
        let events = router.toggle(KV_EVENTS);
        if events.on != Fact::Known(true) || router.load_aware().on != Fact::Known(false) {
            continue;
        }
        out.report(
            name_span(source).unwrap_or_else(|| router.span()),
            format!("`{}` has no effect while KV events are on", source.name()),
            "only the prediction without events forgets by time",
        )
        .service(router.service)
        .subject(source.name())
        .label_opt(events.source.span(), "KV events are on")
        .help("drop it; beside events there is `--router-predicted-ttl-secs`")
        .emit();
    }
}
