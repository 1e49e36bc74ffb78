//! What a rule says. Knows nothing about rendering.

mod baseline;
mod date;
mod fingerprint;
pub mod ignore;
mod select;

pub use baseline::{Baseline, Compared, Entry as BaselineEntry, Known, Matcher};
pub use date::Date;
pub use fingerprint::{Fingerprint, Fingerprints, Identity};
pub use select::{Profile, Selection, Selector, UnknownRule, nearest, nearest_of};

use std::fmt;

pub use crate::source::Edit;

use crate::source::Span;

/// How bad the effect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Inert, redundant, or worth knowing.
    Advice,
    /// Silently slow or wrong.
    Warning,
    /// The pod cannot start, or every request fails.
    Error,
}

/// How sure we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Depends on something that the manifest does not show.
    Possible,
    /// True unless the cluster is unusual.
    Likely,
    /// Follows from the source.
    Certain,
}

impl Severity {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Advice => "advice",
        }
    }
}

impl Confidence {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place with what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// Why here; lower case, no full stop.
    pub message: String,
}

/// Whether a fix may be applied without asking, the boldest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Applicability {
    /// Meaning kept, or certainly intended.
    Safe,
    /// Likely intended; ask.
    Unsafe,
    /// To read only.
    Display,
}

/// A change that mends the finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Whether it may be applied without asking.
    pub applicability: Applicability,
    /// Non-overlapping edits.
    pub edits: Vec<Edit>,
    /// Whether it was tried and mended the finding without harm; rules leave it to `fix`.
    pub verified: bool,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Rule id, kebab case.
    pub rule: &'static str,
    /// How bad; starts as the rule's own.
    pub severity: Severity,
    /// How sure; starts as the rule's own.
    pub confidence: Confidence,
    /// What is wrong; lower case, no full stop, backticks round code.
    pub message: String,
    /// Primary label.
    pub primary: Label,
    /// Every other place that takes part.
    pub labels: Vec<Label>,
    /// What to write.
    pub help: String,
    /// Deployment name.
    pub deployment: Option<String>,
    /// Service name.
    pub service: Option<String>,
    /// Variable, flag or field it is about.
    pub subject: Option<String>,
    /// How to mend it.
    pub fix: Option<Fix>,
    /// Kustomizations whose result it was found in; empty when the file is applied as it stands.
    pub overlays: Vec<String>,
}
