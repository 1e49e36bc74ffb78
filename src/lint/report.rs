//! What a run comes to.

use std::path::PathBuf;
use std::sync::Arc;

use super::load::Loaded;
use super::provenance::Provenance;
use crate::finding::{Finding, Fingerprint, Known, Severity};
use crate::resolve::Recipe;
use crate::rules::Undecided;
use crate::source::{Sources, Span};

/// A finding with its lasting name.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The finding.
    pub finding: Finding,
    /// Its name, unique within its file.
    pub fingerprint: Fingerprint,
}

/// A finding that somebody has silenced.
#[derive(Clone, Debug)]
pub struct Suppressed {
    /// The finding.
    pub reported: Reported,
    /// By what.
    pub by: Suppression,
}

/// What silences a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// A comment or the baseline.
    pub kind: SuppressionKind,
    /// The reason given.
    pub reason: Option<String>,
    /// The comment.
    pub span: Option<Span>,
}

/// Where a finding was silenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionKind {
    /// A comment in the source.
    Comment,
    /// A baseline file, and what the finding is to it.
    Baseline(Known),
}

impl SuppressionKind {
    /// Name in machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Baseline(_) => "baseline",
        }
    }
}

/// Why a file was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// No Kubernetes object in it.
    NotAManifest,
    /// A Helm or Jinja template: no YAML before it is rendered.
    Template,
    /// A patch that a kustomization applies to something else.
    KustomizePatch,
    /// A configuration leaves it out.
    Excluded,
}

impl SkipReason {
    /// All of them, in the order they are reported.
    pub const ALL: [Self; 4] = [Self::NotAManifest, Self::Template, Self::KustomizePatch, Self::Excluded];

    /// Name in machine-readable output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAManifest => "not_a_manifest",
            Self::Template => "template",
            Self::KustomizePatch => "kustomize_patch",
            Self::Excluded => "excluded",
        }
    }

    /// In words, for `count` files.
    #[must_use]
    pub const fn words(self, count: usize) -> &'static str {
        match (self, count) {
            (Self::NotAManifest, 1) => "not a manifest",
            (Self::NotAManifest, _) => "not manifests",
            (Self::Template, 1) => "template",
            (Self::Template, _) => "templates",
            (Self::KustomizePatch, 1) => "kustomize patch",
            (Self::KustomizePatch, _) => "kustomize patches",
            (Self::Excluded, _) => "excluded by configuration",
        }
    }
}

/// A file that was found but not judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Its name as reports show it.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

/// A bug in dynlint that a run survived: a rule, or the resolver, panicked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crash {
    /// The file it happened on.
    pub path: String,
    /// The rule, none when it happened before the rules.
    pub rule: Option<&'static str>,
    /// What the panic said.
    pub message: String,
}

/// What was looked at and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files judged.
    pub files: usize,
    /// Graphs in them.
    pub deployments: usize,
    /// Services in those.
    pub services: usize,
    /// Findings shown, by severity.
    pub errors: usize,
    /// See `errors`.
    pub warnings: usize,
    /// See `errors`.
    pub advice: usize,
    /// Findings that the profile or the least severity hides.
    pub hidden: usize,
    /// Findings that a comment or a baseline silences.
    pub suppressed: usize,
    /// Questions that the manifests leave open.
    pub undecided: usize,
    /// Inputs that could not be read (`unreadable`, `not-utf8`, `too-large`).
    pub unreadable: usize,
    /// Things called like YAML files that are no files: dangling links, pipes.
    pub passed_over: usize,
}

impl Summary {
    /// Counts a finding that is shown.
    pub const fn count(&mut self, severity: Severity) {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Advice => self.advice += 1,
        }
    }

    /// Findings shown.
    #[must_use]
    pub const fn shown(&self) -> usize {
        self.errors + self.warnings + self.advice
    }
}

/// A kustomization that was judged as what it builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kustomization {
    /// How findings name it: its directory.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Every YAML file that took part, by its [`crate::source::normal`] path.
    pub files: Vec<PathBuf>,
    /// What else the build asked for, whether it was there or not: files that generators put in, schemas.
    pub reads: Vec<PathBuf>,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Every file that was read, those looked at for context included.
    pub sources: Arc<Sources>,
    /// Findings shown: by path, line, column, rule.
    pub findings: Vec<Reported>,
    /// Findings that a comment or a baseline silences, in the same order.
    pub suppressed: Vec<Suppressed>,
    /// What could not be decided, in the same order.
    pub undecided: Vec<Undecided>,
    /// Files found but not judged, by path.
    pub skipped: Vec<Skipped>,
    /// Who set the variables that findings are about.
    pub provenance: Provenance,
    /// Bugs in dynlint itself.
    pub crashes: Vec<Crash>,
    /// Kustomizations that were built.
    pub kustomizations: Vec<Kustomization>,
    /// The counts.
    pub summary: Summary,
    /// Findings shown that are at or above the fail level of their file.
    pub failing: usize,
    /// How the findings compare with the baseline, when there is one.
    pub baseline: Option<crate::finding::Compared>,
    /// Mistakes in configurations. With any of them nothing was linted.
    pub config: Vec<crate::config::Error>,
    /// The trees that the spans point into. Freeing them is left to whoever drops the report: a command that ends anyway
    /// need not.
    pub(super) files: Kept,
}

/// What a run had read.
#[derive(Default)]
pub(super) struct Kept(#[allow(dead_code, reason = "kept, not read")] pub(super) Vec<(Loaded, Arc<Recipe>)>);

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} files", self.0.len())
    }
}

impl Report {
    /// The worst severity shown.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|reported| reported.finding.severity).max()
    }

    /// How many files were skipped for that reason.
    #[must_use]
    pub fn skipped_for(&self, reason: SkipReason) -> usize {
        self.skipped.iter().filter(|skipped| skipped.reason == reason).count()
    }
}
