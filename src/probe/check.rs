//! What a probe says: one line about one thing, in one of the verdict's three layers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The layers of the readiness verdict, which never blur: what is written, what is there, what really ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// What the manifests say.
    Configuration,
    /// What nodes, pods and endpoints have and say.
    Capability,
    /// A transfer that really ran.
    Transfer,
}

impl Layer {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Capability => "capability",
            Self::Transfer => "transfer",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Seen, and as it should be.
    Ok,
    /// Could not be seen: inconclusive, never a pass.
    Skipped,
    /// Works, but not as it should; or a fast path is missing.
    Warn,
    /// Does not work.
    Fail,
}

impl Status {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable kebab-case name, the same for every target.
    pub name: String,
    /// Which layer it speaks for.
    pub layer: Layer,
    /// How it ended.
    pub status: Status,
    /// One line; lower case, no full stop.
    pub detail: String,
    /// What it is about, when a probe has several: `namespace/pod`, a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What was seen, a line each; shown by `--verbose` and in JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What to do or run next; a command stands alone, so that it can be copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Check {
    /// A check without evidence or next step.
    #[must_use]
    pub fn new(name: &str, layer: Layer, status: Status, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            layer,
            status,
            detail: detail.into(),
            target: None,
            evidence: Vec::new(),
            next: None,
        }
    }

    /// Says what it is about.
    #[must_use]
    pub fn on(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Adds what was seen.
    #[must_use]
    pub fn seen(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.evidence.extend(lines.into_iter().map(Into::into));
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// As it should be.
    pub ok: usize,
    /// Not as it should be.
    pub warn: usize,
    /// Does not work.
    pub fail: usize,
    /// Inconclusive.
    pub skipped: usize,
}

impl Counts {
    /// Counts them.
    #[must_use]
    pub fn of(checks: &[Check]) -> Self {
        let mut counts = Self::default();
        for check in checks {
            match check.status {
                Status::Ok => counts.ok += 1,
                Status::Warn => counts.warn += 1,
                Status::Fail => counts.fail += 1,
                Status::Skipped => counts.skipped += 1,
            }
        }
        counts
    }
}
