//! Names of the settings that the rules of this family speak of, and how Python reads a number. What each setting takes,
//! since when, and in which modes it counts is in the catalog.

use crate::catalog::router::{self, Knob, KnobKind, Scope};

pub(super) const MODE: &str = "--router-mode";
pub(super) const MIN_WORKERS: &str = "--router-min-initial-workers";
pub(super) const AFFINITY_TTL: &str = "--router-session-affinity-ttl-secs";
pub(super) const LOAD_AWARE: &str = "--load-aware";
pub(super) const CREDIT: &str = "--router-kv-overlap-score-credit";
pub(super) const WEIGHT: &str = "--router-kv-overlap-score-weight";
pub(super) const KV_EVENTS: &str = "--router-kv-events";
pub(super) const TRACK_ACTIVE: &str = "--router-track-active-blocks";
pub(super) const TRACK_OUTPUT: &str = "--router-track-output-blocks";
pub(super) const TTL: &str = "--router-ttl-secs";
pub(super) const PREDICTED_TTL: &str = "--router-predicted-ttl-secs";
pub(super) const APPROXIMATE: &str = "--router-approximate-cache-policy";
pub(super) const QUEUE_THRESHOLD: &str = "--router-queue-threshold";
pub(super) const QUEUE_POLICY: &str = "--router-queue-policy";
pub(super) const POLICY_CONFIG: &str = "--router-policy-config";
pub(super) const REMOTE_INDEXER: &str = "--use-remote-indexer";
pub(super) const SERVE_INDEXER: &str = "--serve-indexer";
pub(super) const CONDITIONAL: &str = "--router-conditional-disagg";
pub(super) const CONDITIONAL_CONFIG: &str = "--router-conditional-disagg-config";
pub(super) const LOAD_MODEL: &str = "--router-prefill-load-model";

/// The deprecated weight is no setting of its own any more, but still parsed and passed on to the two that replaced it
/// (`kv_router_args.py:326-338`).
static OVERLAP_WEIGHT: Knob = Knob {
    flag: WEIGHT,
    env: "DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT",
    since: (1, 0),
    kind: KnobKind::Float { min: 0.0, max: f64::MAX, nullable: false },
    scope: Scope::Kv,
    epp: true,
    default: "",
    source: "kv_router_args.py:326-338",
};

/// The setting of that flag.
pub(super) fn knob(flag: &str) -> Option<&'static Knob> {
    if flag == WEIGHT { Some(&OVERLAP_WEIGHT) } else { router::knob(flag) }
}

/// Every setting.
pub(super) fn knobs() -> impl Iterator<Item = &'static Knob> {
    router::knobs().iter().chain([&OVERLAP_WEIGHT])
}

/// The number a text is to Python's `int()` or `float()`: blanks around it and `_` between digits are fine.
pub(super) fn python_number(text: &str, integer: bool) -> Option<f64> {
    let text = text.trim();
    let plain = |part: &str| !part.is_empty() && !part.starts_with('_') && !part.ends_with('_') && !part.contains("__");
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if integer {
        let all = plain(digits) && digits.bytes().all(|b| b.is_ascii_digit() || b == b'_');
        return all.then(|| text.replace('_', "").parse().ok()).flatten();
    }
    if ["inf", "infinity", "nan"].contains(&digits.to_ascii_lowercase().as_str()) {
        return text.parse().ok();
    }
    let shaped = digits.bytes().all(|b| b.is_ascii_digit() || b"_.eE+-".contains(&b)) && plain(digits);
    shaped.then(|| text.replace('_', "").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_python_reads_them() {
        for (text, integer, value) in [
            ("4", true, Some(4.0)),
            (" +1_000 ", true, Some(1000.0)),
            ("-3", true, Some(-3.0)),
            ("4.0", true, None),
            ("", true, None),
            ("_1", true, None),
            ("0.5", false, Some(0.5)),
            ("1e3", false, Some(1000.0)),
            (".5", false, Some(0.5)),
            ("-Infinity", false, Some(f64::NEG_INFINITY)),
            ("two", false, None),
            ("", false, None),
            ("0x10", false, None),
        ] {
            assert_eq!(python_number(text, integer), value, "{text:?}");
        }
        assert!(python_number("nan", false).is_some_and(f64::is_nan));
    }

    #[test]
    fn every_name_is_a_setting() {
        for flag in [
            MODE,
            MIN_WORKERS,
            AFFINITY_TTL,
            LOAD_AWARE,
            CREDIT,
            WEIGHT,
            KV_EVENTS,
            TRACK_ACTIVE,
            TRACK_OUTPUT,
            TTL,
            PREDICTED_TTL,
            APPROXIMATE,
            QUEUE_THRESHOLD,
            QUEUE_POLICY,
            POLICY_CONFIG,
            REMOTE_INDEXER,
            SERVE_INDEXER,
            CONDITIONAL,
            CONDITIONAL_CONFIG,
            LOAD_MODEL,
        ] {
            assert!(knob(flag).is_some(), "{flag}");
        }
    }
}
