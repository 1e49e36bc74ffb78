//! Router modes, settings, and the history of their names
//! (`components/src/dynamo/common/configuration/groups/{router_args,kv_router_args}.py`).

use super::tables::{KNOBS, RENAMES};
use super::{Expected, Release, nearest_of, values};

/// A routing mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// As `--router-mode` takes it.
    pub name: &'static str,
    /// First release that takes it.
    pub since: Release,
}

/// All modes (router_args.py:222-245; direct since 1.0, three more since 1.1).
pub const MODES: [Mode; 7] = [
    Mode { name: "round-robin", since: (0, 4) },
    Mode { name: "random", since: (0, 4) },
    Mode { name: "power-of-two", since: (1, 1) },
    Mode { name: "kv", since: (0, 4) },
    Mode { name: "direct", since: (1, 0) },
    Mode { name: "least-loaded", since: (1, 1) },
    Mode { name: "device-aware-weighted", since: (1, 1) },
];

/// What a mode's spelling means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeLookup {
    /// A mode: matching is exact, case included.
    Known(&'static Mode),
    /// None; this one was probably meant.
    Suggest(&'static Mode),
    /// None, and nothing near.
    Unknown,
}

/// Reads a mode the way `build_router_config` does (router_args.py:404-410).
#[must_use]
pub fn mode_from(value: &str) -> ModeLookup {
    if let Some(mode) = MODES.iter().find(|m| m.name == value) {
        return ModeLookup::Known(mode);
    }
    let tidy = value.trim().trim_matches(['"', '\'']).to_ascii_lowercase().replace(['_', ' '], "-");
    let name = match tidy.as_str() {
        "roundrobin" | "rr" => "round-robin",
        "kv-aware" | "kv-router" | "kv-routing" | "kvaware" | "kv-cache" | "kv-cache-aware" | "cache-aware"
        | "prefix" | "prefix-aware" => "kv",
        "p2c" | "power-of-two-choices" | "poweroftwo" | "pow2" => "power-of-two",
        "least-load" | "leastloaded" | "least-connections" | "load-aware" => "least-loaded",
        "rand" => "random",
        other => other,
    };
    let near = MODES.iter().find(|m| m.name == name).or_else(|| {
        let limit = if name.len() > 4 { 2 } else { 1 };
        let near = nearest_of(name, MODES.iter().map(|m| m.name), limit)?;
        MODES.iter().find(|m| m.name == near)
    });
    near.map_or(ModeLookup::Unknown, ModeLookup::Suggest)
}

/// Names of the modes that a release takes (all when it is not known).
#[must_use]
pub fn mode_names(release: Option<Release>) -> Vec<&'static str> {
    MODES.iter().filter(|m| release.is_none_or(|r| m.since <= r)).map(|m| m.name).collect()
}

/// In which modes a setting counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In `kv` only: in any other mode the whole `KvRouterConfig` is dropped (router_args.py:412-417).
    Kv,
    /// In all.
    Any,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KnobKind {
    /// A flag with a `--no-` form; its variable is a [`values::python_bool`].
    Bool,
    /// An integer.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Whether the empty value and `None` mean unset.
        nullable: bool,
    },
    /// A finite number.
    Float {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// Whether the empty value and `None` mean unset.
        nullable: bool,
    },
    /// One of these, exactly.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
    /// JSON.
    Json,
}

/// A router setting of the frontend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    /// Its flag.
    pub flag: &'static str,
    /// Its variable, which only supplies the flag's default.
    pub env: &'static str,
    /// First release that has it.
    pub since: Release,
    /// What it takes.
    pub kind: KnobKind,
    /// Where it counts.
    pub scope: Scope,
    /// Whether the endpoint picker reads the variable (`lib/kv-router/src/scheduling/config.rs:194-314`).
    pub epp: bool,
    /// Default, empty for none.
    pub default: &'static str,
    /// Where the fact comes from.
    pub source: &'static str,
}

/// All settings, sorted by flag.
#[must_use]
pub fn knobs() -> &'static [Knob] {
    KNOBS
}

/// The setting by its flag or variable; aliases of the flag are [`super::flags`]'s matter.
#[must_use]
pub fn knob(name: &str) -> Option<&'static Knob> {
    KNOBS.iter().find(|k| k.flag == name || k.env == name)
}

impl Knob {
    /// Whether `value` is in range, as Python reads it from a variable or a command line, and Rust checks it after.
    /// Booleans are read as variables: their flags take no value.
    ///
    /// # Errors
    ///
    /// Says what is legal.
    pub fn check(&self, value: &str) -> Result<(), Expected> {
        let unset = |nullable: bool| nullable && (value.is_empty() || value == "None");
        match self.kind {
            KnobKind::Bool => values::python_bool(value).1,
            KnobKind::Int { nullable, .. } | KnobKind::Float { nullable, .. } if unset(nullable) => Ok(()),
            KnobKind::Int { min, max, .. } => {
                let number = python_number(value).and_then(|v| v.parse::<i64>().ok());
                in_range(
                    number.is_some_and(|n| min <= n && n <= max),
                    "an integer",
                    bounds(&min, &max, min == i64::MIN, max == i64::MAX),
                )
            }
            KnobKind::Float { min, max, .. } => {
                let number = python_number(value).and_then(|v| v.parse::<f64>().ok()).filter(|n| n.is_finite());
                let (open_low, open_high) = (min <= f64::MIN, max >= f64::MAX);
                in_range(
                    number.is_some_and(|n| min <= n && n <= max),
                    "a number",
                    bounds(&min, &max, open_low, open_high),
                )
            }
            KnobKind::OneOf(legal) => {
                values::one_of(value, legal, true).map_err(|e| Expected::rejected(e.legal, e.suggestion))
            }
            KnobKind::Json if serde_json::from_str::<serde::de::IgnoredAny>(value).is_err() => {
                Err(Expected::rejected("JSON", None))
            }
            KnobKind::Json | KnobKind::Text => Ok(()),
        }
    }
}

/// `int()` and `float()` trim blanks and take `_` between digits.
fn python_number(value: &str) -> Option<String> {
    let value = value.trim();
    let lone = value.starts_with('_') || value.ends_with('_') || value.contains("__");
    (!lone).then(|| value.replace('_', ""))
}

fn bounds(min: &impl ToString, max: &impl ToString, open_low: bool, open_high: bool) -> String {
    match (open_low, open_high) {
        (true, true) => String::new(),
        (false, true) => format!(" of at least {}", min.to_string()),
        (true, false) => format!(" of at most {}", max.to_string()),
        (false, false) => format!(" from {} to {}", min.to_string(), max.to_string()),
    }
}

fn in_range(ok: bool, what: &str, bounds: String) -> Result<(), Expected> {
    if ok { Ok(()) } else { Err(Expected::rejected(format!("{what}{bounds}"), None)) }
}

/// Variables of the endpoint picker that are not settings of the frontend under the same name
/// (`lib/kv-router/src/scheduling/config.rs:241`, `deploy/inference-gateway/ext-proc/src/runner.rs:60-78`).
pub const EPP_ONLY: &[&str] = &[
    "DYN_USE_KV_EVENTS",
    "DYN_EPP_MODE",
    "DYN_EPP_METRICS_PORT",
    "DYN_EPP_INFERENCE_POOL_NAME",
    "DYN_EPP_TOKENIZER_SERVICE_URL",
    "DYN_EPP_TOKENIZER_PROTOCOL",
    "DYN_COMPONENT_NAME",
    "DYN_ROUTER_CONDITIONAL_DISAGG_POLICY",
    "DYN_ROUTER_CONDITIONAL_DISAGG_EFF_ISL_THRESHOLD",
    "DYN_ROUTER_CONDITIONAL_DISAGG_EFF_ISL_RATIO_THRESHOLD",
    "DYN_ROUTER_CONDITIONAL_DISAGG_PREFILL_BUSY_THRESHOLD",
    "DYN_ROUTER_CONDITIONAL_DISAGG_DECODE_BUSY_THRESHOLD",
];

/// Whether the endpoint picker reads a router variable of the frontend. `None` when it is not one.
#[must_use]
pub fn epp_reads(variable: &str) -> Option<bool> {
    KNOBS.iter().find(|k| k.env == variable).map(|k| k.epp)
}

/// Whether a renamed name is a flag or a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A flag.
    Flag,
    /// A variable.
    Env,
}

/// What becomes of an old name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Still works under the old name.
    Alias,
    /// Accepted and read as the new settings.
    Mapped,
    /// Accepted, and without effect.
    Ignored,
    /// Nothing reads it any more.
    Dead,
    /// The process refuses to start.
    Rejected,
}

/// A name that was renamed, removed or emptied of effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Old name.
    pub old: &'static str,
    /// `frontend`, `vllm`, `trtllm`, `mocker`, `any`.
    pub component: &'static str,
    /// Flag or variable.
    pub kind: NameKind,
    /// What replaces it; none when nothing does, several when its meaning was split.
    pub new: &'static [&'static str],
    /// First release with that effect.
    pub since: Release,
    /// What becomes of it.
    pub effect: Effect,
    /// Where the fact comes from.
    pub source: &'static str,
}

/// All renames, sorted by old name.
#[must_use]
pub fn renames() -> &'static [Rename] {
    RENAMES
}

/// What became of a name in a component (`any` rows count for all).
#[must_use]
pub fn rename(name: &str, component: &str) -> Option<&'static Rename> {
    RENAMES.iter().find(|r| r.old == name && (r.component == component || r.component == "any"))
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
