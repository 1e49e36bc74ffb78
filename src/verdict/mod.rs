//! The readiness verdict: what the manifests say, what nodes and endpoints have, and what really ran, joined without
//! blurring. Configuration is static; capability and transfer are evidence of the probes, live or recorded.

mod configuration;
mod next;
mod service;
mod text;

use serde::{Deserialize, Serialize};

use crate::probe::{Check, Counts, Layer, Status};
use crate::report::mask;

pub use configuration::{Static, configuration, witnessed};
pub use next::{Known, steps};
pub use text::text;

/// How a layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Seen, all of it, and as it should be.
    Verified,
    /// Something in it does not work.
    Failed,
    /// Not seen, not all of it, or not as it should be without being broken.
    Inconclusive,
}

impl State {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// How the checks of one layer add up: one failure fails it, and only what was seen whole is verified. What was
    /// skipped is inconclusive, never a pass.
    #[must_use]
    pub fn of(checks: &[Check], layer: Layer) -> Self {
        let mut seen = false;
        let mut whole = true;
        for check in checks.iter().filter(|check| check.layer == layer) {
            match check.status {
                Status::Fail => return Self::Failed,
                Status::Ok => seen = true,
                Status::Warn | Status::Skipped => whole = false,
            }
        }
        if seen && whole { Self::Verified } else { Self::Inconclusive }
    }
}

/// The three layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// What the manifests say.
    pub configuration: State,
    /// What nodes, pods and endpoints have and say.
    pub capability: State,
    /// A transfer that really ran.
    pub transfer: State,
}

/// What `dynlint readiness --format json` prints; `schemas/readiness-1.json` describes it. Keys may be added, never
/// renamed or removed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// Version of this shape.
    pub version: u32,
    /// What was judged: the paths, and what was probed.
    pub target: String,
    /// The checks, layer by layer.
    pub checks: Vec<Check>,
    /// How many ended how.
    pub counts: Counts,
    /// How the layers stand.
    pub layers: Layers,
    /// Whether a transfer ran and its bytes were verified. Nothing else sets it.
    pub transfer_validated: bool,
    /// In one line.
    pub verdict: String,
    /// Commands that would decide what is open, the most useful first.
    pub next: Vec<String>,
}

impl Readiness {
    /// Rolls checks up. `needs_transfer` is whether KV cache crosses between workers of what was judged; `next` are the
    /// commands that would decide what is open.
    #[must_use]
    pub fn new(target: impl Into<String>, mut checks: Vec<Check>, needs_transfer: bool, next: Vec<String>) -> Self {
        for check in &mut checks {
            check.detail = mask(&check.detail).into_owned();
            check.evidence.iter_mut().for_each(|line| *line = mask(line).into_owned());
        }
        crate::source::order_by_key(&mut checks, |check| check.layer);
        let state = |layer| State::of(&checks, layer);
        let layers = Layers {
            configuration: state(Layer::Configuration),
            capability: state(Layer::Capability),
            transfer: state(Layer::Transfer),
        };
        let counts = Counts::of(&checks);
        Self {
            version: 1,
            target: target.into(),
            transfer_validated: checks.iter().any(|c| c.layer == Layer::Transfer && c.status == Status::Ok)
                && layers.transfer != State::Failed,
            verdict: verdict(counts, layers, needs_transfer),
            checks,
            counts,
            layers,
            next,
        }
    }
}

/// The verdict in one line.
fn verdict(counts: Counts, layers: Layers, needs_transfer: bool) -> String {
    let named = |state: State| {
        let all =
            [("configuration", layers.configuration), ("capability", layers.capability), ("transfer", layers.transfer)];
        let wanted = all.iter().filter(|(name, s)| *s == state && (needs_transfer || *name != "transfer"));
        wanted.map(|(name, _)| *name).collect::<Vec<_>>().join(" and ")
    };
    let (failed, verified, open) = (named(State::Failed), named(State::Verified), named(State::Inconclusive));
    let trust = if needs_transfer { "disaggregated serving" } else { "this deployment" };
    if !failed.is_empty() {
        let many =
            if counts.fail == 1 { "1 check failed".to_owned() } else { format!("{} checks failed", counts.fail) };
        return format!("not ready: {many} ({failed}); mend that before trusting {trust}");
    }
    if open.is_empty() {
        return format!("ready: {verified} verified");
    }
    let warned = match counts.warn {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        n => format!(", {n} warnings"),
    };
    let so_far = if verified.is_empty() { "nothing verified yet".to_owned() } else { format!("{verified} verified") };
    format!("not proven: {so_far}, {open} inconclusive{warned}; do not trust {trust} on this alone")
}
