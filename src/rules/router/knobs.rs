//! What can be told to a router: flag, variable, kind of value, and whether only `kv` mode reads it.
//!
//! Source: `dynamo/common/configuration/groups/{router_args,kv_router_args}.py` of the releases 1.0.2 to 1.6.1.

use Kind::{Choice, Number, Switch, Text};

/// What a setting accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A boolean with a `--no-` form; its default.
    Switch(bool),
    /// A number within bounds (both included).
    Number {
        /// Whether Python's `int` reads it (else `float`).
        integer: bool,
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
        /// Whether the empty string and `None` mean unset.
        nullable: bool,
    },
    /// One of these; argparse checks the flag, nothing checks the variable before it is used.
    Choice(&'static [&'static str]),
    /// Anything.
    Text,
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Knob {
    /// Its flag.
    pub flag: &'static str,
    /// An older spelling that still works; empty when there is none.
    pub alias: &'static str,
    /// Its variable.
    pub env: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// Whether only `kv` mode reads it.
    pub kv: bool,
}

const fn knob(flag: &'static str, env: &'static str, kind: Kind) -> Knob {
    Knob { flag, alias: "", env, kind, kv: true }
}

const fn aliased(flag: &'static str, alias: &'static str, env: &'static str, kind: Kind) -> Knob {
    Knob { flag, alias, env, kind, kv: true }
}

const fn general(flag: &'static str, env: &'static str, kind: Kind) -> Knob {
    Knob { flag, alias: "", env, kind, kv: false }
}

const fn float(min: f64, max: f64) -> Kind {
    Number { integer: false, min, max, nullable: false }
}

const fn int(min: f64, max: f64) -> Kind {
    Number { integer: true, min, max, nullable: false }
}

const INF: f64 = f64::INFINITY;

pub(super) const MODE: Knob = general("--router-mode", "DYN_ROUTER_MODE", Text);
pub(super) const MIN_WORKERS: Knob =
    general("--router-min-initial-workers", "DYN_ROUTER_MIN_INITIAL_WORKERS", int(0.0, INF));
pub(super) const AFFINITY_TTL: Knob =
    general("--router-session-affinity-ttl-secs", "DYN_ROUTER_SESSION_AFFINITY_TTL_SECS", int(1.0, 31_536_000.0));
pub(super) const LOAD_AWARE: Knob = knob("--load-aware", "DYN_ROUTER_LOAD_AWARE", Switch(false));
pub(super) const CREDIT: Knob =
    knob("--router-kv-overlap-score-credit", "DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT", float(0.0, INF));
pub(super) const WEIGHT: Knob = aliased(
    "--router-kv-overlap-score-weight",
    "--kv-overlap-score-weight",
    "DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT",
    float(0.0, INF),
);
pub(super) const LOAD_SCALE: Knob =
    knob("--router-prefill-load-scale", "DYN_ROUTER_PREFILL_LOAD_SCALE", float(0.0, INF));
pub(super) const KV_EVENTS: Knob =
    aliased("--router-kv-events", "--kv-events", "DYN_ROUTER_USE_KV_EVENTS", Switch(true));
pub(super) const REPLICA_SYNC: Knob = knob("--router-replica-sync", "DYN_ROUTER_REPLICA_SYNC", Switch(false));
pub(super) const TRACK_ACTIVE: Knob =
    aliased("--router-track-active-blocks", "--track-active-blocks", "DYN_ROUTER_TRACK_ACTIVE_BLOCKS", Switch(true));
pub(super) const TRACK_OUTPUT: Knob =
    aliased("--router-track-output-blocks", "--track-output-blocks", "DYN_ROUTER_TRACK_OUTPUT_BLOCKS", Switch(false));
pub(super) const TTL: Knob = knob("--router-ttl-secs", "DYN_ROUTER_TTL_SECS", float(0.0, INF));
pub(super) const PREDICTED_TTL: Knob =
    knob("--router-predicted-ttl-secs", "DYN_ROUTER_PREDICTED_TTL_SECS", float(0.0, INF));
pub(super) const QUEUE_THRESHOLD: Knob = knob(
    "--router-queue-threshold",
    "DYN_ROUTER_QUEUE_THRESHOLD",
    Number { integer: false, min: 0.0, max: INF, nullable: true },
);
pub(super) const QUEUE_POLICY: Knob =
    knob("--router-queue-policy", "DYN_ROUTER_QUEUE_POLICY", Choice(&["fcfs", "wspt"]));
pub(super) const POLICY_CONFIG: Knob = knob("--router-policy-config", "DYN_ROUTER_POLICY_CONFIG", Text);
pub(super) const REMOTE_INDEXER: Knob = knob("--use-remote-indexer", "DYN_USE_REMOTE_INDEXER", Switch(false));
pub(super) const SERVE_INDEXER: Knob = knob("--serve-indexer", "DYN_SERVE_INDEXER", Switch(false));
pub(super) const SHARED_CACHE_TYPE: Knob =
    knob("--shared-cache-type", "DYN_SHARED_CACHE_TYPE", Choice(&["none", "hicache"]));
pub(super) const CONDITIONAL: Knob =
    knob("--router-conditional-disagg", "DYN_ROUTER_CONDITIONAL_DISAGG", Switch(false));
pub(super) const CONDITIONAL_CONFIG: Knob =
    knob("--router-conditional-disagg-config", "DYN_ROUTER_CONDITIONAL_DISAGG_CONFIG", Text);
pub(super) const LOAD_MODEL: Knob =
    knob("--router-prefill-load-model", "DYN_ROUTER_PREFILL_LOAD_MODEL", Choice(&["none", "aic", "ais"]));

/// Every setting of a router.
pub(super) const KNOBS: &[Knob] = &[
    MODE,
    MIN_WORKERS,
    AFFINITY_TTL,
    general("--router-session-affinity-mode", "DYN_ROUTER_SESSION_AFFINITY_MODE", Choice(&["hard", "soft"])),
    general(
        "--active-decode-blocks-threshold",
        "DYN_ACTIVE_DECODE_BLOCKS_THRESHOLD",
        Number { integer: false, min: 0.0, max: 1.0, nullable: true },
    ),
    general(
        "--active-prefill-tokens-threshold",
        "DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD",
        Number { integer: true, min: 0.0, max: INF, nullable: true },
    ),
    general(
        "--active-prefill-tokens-threshold-frac",
        "DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD_FRAC",
        Number { integer: false, min: 0.0, max: INF, nullable: true },
    ),
    LOAD_AWARE,
    CREDIT,
    knob("--router-kv-overlap-score-credit-decay", "DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT_DECAY", float(0.0, INF)),
    WEIGHT,
    LOAD_SCALE,
    knob("--router-decode-active-request-weight", "DYN_ROUTER_DECODE_ACTIVE_REQUEST_WEIGHT", float(0.0, INF)),
    knob("--router-host-cache-hit-weight", "DYN_ROUTER_HOST_CACHE_HIT_WEIGHT", float(0.0, 1.0)),
    knob("--router-disk-cache-hit-weight", "DYN_ROUTER_DISK_CACHE_HIT_WEIGHT", float(0.0, 1.0)),
    knob("--router-temperature", "DYN_ROUTER_TEMPERATURE", float(0.0, INF)),
    KV_EVENTS,
    REPLICA_SYNC,
    TRACK_ACTIVE,
    TRACK_OUTPUT,
    aliased("--router-assume-kv-reuse", "--assume-kv-reuse", "DYN_ROUTER_ASSUME_KV_REUSE", Switch(true)),
    knob("--router-track-prefill-tokens", "DYN_ROUTER_TRACK_PREFILL_TOKENS", Switch(true)),
    knob("--router-tracking-hash", "DYN_ROUTER_TRACKING_HASH", Choice(&["public-xxh3-v1", "keyed-xxh3-v1"])),
    knob("--router-tracking-key-file", "DYN_ROUTER_TRACKING_KEY_FILE", Text),
    knob("--router-tracking-key-id", "DYN_ROUTER_TRACKING_KEY_ID", Text),
    LOAD_MODEL,
    TTL,
    knob("--router-approximate-cache-policy", "DYN_ROUTER_APPROXIMATE_CACHE_POLICY", Choice(&["ttl", "lru"])),
    QUEUE_THRESHOLD,
    POLICY_CONFIG,
    CONDITIONAL,
    CONDITIONAL_CONFIG,
    knob("--router-prefill-policy", "DYN_ROUTER_PREFILL_POLICY", Text),
    knob("--router-decode-policy", "DYN_ROUTER_DECODE_POLICY", Text),
    knob("--router-event-threads", "DYN_ROUTER_EVENT_THREADS", int(1.0, INF)),
    QUEUE_POLICY,
    REMOTE_INDEXER,
    SERVE_INDEXER,
    knob("--enable-session-prefix-index", "DYN_ENABLE_SESSION_PREFIX_INDEX", Switch(false)),
    knob("--shared-cache-multiplier", "DYN_SHARED_CACHE_MULTIPLIER", float(0.0, 1.0)),
    SHARED_CACHE_TYPE,
    PREDICTED_TTL,
];

/// Boolean variables of the frontend beyond the router's own settings.
pub(super) const FRONTEND_SWITCHES: &[&str] = &[
    "DYN_INTERACTIVE",
    "DYN_KSERVE_GRPC_SERVER",
    "DYN_ENABLE_ANTHROPIC_API",
    "DYN_STRIP_ANTHROPIC_PREAMBLE",
    "DYN_DEBUG_PERF",
    "DYN_ENABLE_STREAMING_TOOL_DISPATCH",
    "DYN_ENABLE_STREAMING_REASONING_DISPATCH",
    "DYN_EXCLUDE_TOOLS_WHEN_TOOL_CHOICE_NONE",
    "DYN_TRUST_REMOTE_CODE",
    "DYN_ROUTER_DURABLE_KV_EVENTS",
    "DYN_ROUTER_RESET_STATES",
];

/// The number a text is to Python's `int()` or `float()`.
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

/// The boolean a variable's text is to the Python side: anything but four words is false
/// (`dynamo/common/configuration/utils.py:74-75`).
pub(super) fn python_bool(text: &str) -> bool {
    ["true", "1", "yes", "on"].contains(&text.trim().to_lowercase().as_str())
}

/// Whether a text is one of the spellings that somebody who means a boolean would write.
pub(super) fn spelled_bool(text: &str) -> bool {
    ["true", "1", "yes", "on", "false", "0", "no", "off"].contains(&text.trim().to_lowercase().as_str())
}

/// The boolean a variable's text is to the Rust side (`lib/truthy/src/lib.rs:22-45`); none keeps the default.
pub(super) fn rust_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOBS, python_bool, python_number};

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
    fn booleans_as_python_reads_them() {
        assert!(["true", "True", " 1 ", "YES", "on"].into_iter().all(python_bool));
        assert!(!["", "y", "t", "enabled", "ture", "false", "0"].into_iter().any(python_bool));
    }

    #[test]
    fn no_flag_or_variable_twice() {
        for (at, knob) in KNOBS.iter().enumerate() {
            assert!(!KNOBS[at + 1..].iter().any(|k| k.flag == knob.flag || k.env == knob.env), "{}", knob.flag);
        }
    }
}
