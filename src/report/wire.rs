//! The frozen shape of `dynlint check --format json`, and the one thing every other renderer reads. Keys may be added,
//! never renamed or removed; `version` would change if one were.

use serde::Serialize;

use super::mask;
use crate::finding::{Applicability, Confidence, Finding, Known, Label, Severity};
use crate::lint::{self, SkipReason};
use crate::source::{Sources, Span};

/// A report.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Check {
    /// Version of this shape.
    pub version: u32,
    /// Findings shown: by path, line, column, rule.
    pub findings: Vec<CheckFinding>,
    /// What could not be decided, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<Vec<Open>>,
    /// Findings that a comment or a baseline silences; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<CheckSuppressed>,
    /// Files found but not judged.
    pub skipped: Vec<Skipped>,
    /// Findings shown by rule, the most frequent first, when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Vec<RuleCount>>,
    /// Counts.
    pub summary: Summary,
    /// What is open, by rule, for renderers that tell machines about the run: always filled.
    #[serde(skip)]
    pub open_rules: Vec<OpenRule>,
    /// Bugs in dynlint that the run survived.
    #[serde(skip)]
    pub crashes: Vec<lint::Crash>,
    /// Whether there was a baseline, so that what is shown is new.
    #[serde(skip)]
    pub compared: bool,
    /// What was probed, when no file was read at all.
    #[serde(skip)]
    pub probed: Option<Probed>,
}

/// What stands in the place of files where a probe was given none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// A machine, a deployment, a URL.
    pub target: String,
    /// How many checks were made.
    pub checks: usize,
}

/// A finding that was silenced, and by what.
#[derive(Clone, Debug, Serialize)]
pub struct CheckSuppressed {
    /// The finding.
    #[serde(flatten)]
    pub finding: CheckFinding,
    /// By what.
    pub suppression: CheckSuppression,
}

/// What silences a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckSuppression {
    /// `comment` or `baseline`.
    pub kind: &'static str,
    /// The reason given.
    pub reason: Option<String>,
    /// Where the comment stands.
    pub place: Option<Place>,
    /// What the finding is to the baseline that silences it.
    #[serde(skip)]
    pub known: Option<Known>,
}

/// How often a rule was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The rule.
    pub rule: &'static str,
    /// The worst of its findings.
    pub severity: Severity,
    /// How many there are.
    pub count: usize,
    /// How many of them have a fix that may be applied.
    pub fixable: usize,
}

/// What one rule left open.
#[derive(Clone, Debug)]
pub struct OpenRule {
    /// The rule.
    pub rule: &'static str,
    /// How often.
    pub count: usize,
    /// The first of them.
    pub first: Open,
}

/// A place. Lines and columns start at 1, columns count Unicode scalar values; the end is exclusive. What a probe looked at
/// is no file: it has a name and no lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Relative to the working directory, `/`-separated; or `namespace/pod`, a URL, `this machine`.
    pub path: String,
    /// First line.
    #[serde(skip_serializing_if = "none")]
    pub line: u32,
    /// First column.
    #[serde(skip_serializing_if = "none")]
    pub column: u32,
    /// Last line.
    #[serde(skip_serializing_if = "none")]
    pub end_line: u32,
    /// One past the last column.
    #[serde(skip_serializing_if = "none")]
    pub end_column: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape that serde asks for
const fn none(line: &u32) -> bool {
    *line == 0
}

/// A finding.
#[derive(Clone, Debug, Serialize)]
pub struct CheckFinding {
    /// Rule id.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: String,
    /// Where: the primary label.
    #[serde(flatten)]
    pub place: Place,
    /// Deployment name.
    pub deployment: Option<String>,
    /// Service name.
    pub service: Option<String>,
    /// Variable, flag or field.
    pub subject: Option<String>,
    /// Lasting name, unique within the file.
    pub fingerprint: String,
    /// The primary label, then every other place that takes part.
    pub labels: Vec<CheckLabel>,
    /// How to mend it.
    pub fix: Option<CheckFix>,
    /// Directories of the kustomizations whose result it was found in; left out when there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overlays: Vec<String>,
    /// Who set the variable it is about, the winner last, as far as files say it.
    #[serde(skip)]
    pub provenance: Vec<CheckStep>,
}

/// One place that set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStep {
    /// Where.
    pub place: Place,
    /// Who, and to what.
    pub message: String,
}

/// A label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckLabel {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Why here.
    pub message: String,
    /// Bytes, for renderers that show the source.
    #[serde(skip)]
    pub span: Span,
}

/// A fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckFix {
    /// Whether it may be applied without asking.
    pub applicability: Applicability,
    /// Whether applying it was tried and mended the finding without harm.
    pub verified: bool,
    /// Replacements, not overlapping.
    pub edits: Vec<CheckEdit>,
}

/// A replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckEdit {
    /// File.
    pub path: String,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// What goes there.
    pub text: String,
    /// The bytes as lines and columns.
    #[serde(skip)]
    pub place: Place,
}

/// Something that a rule needed and could not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Open {
    /// The rule that stayed silent.
    pub rule: &'static str,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Service.
    pub service: Option<String>,
    /// Why.
    pub reason: String,
}

/// A file that was not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The file.
    pub path: String,
    /// `not_a_manifest`, `template`, `kustomize_patch`, `excluded`.
    pub reason: &'static str,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Files judged.
    pub files: usize,
    /// Graphs in them.
    pub deployments: usize,
    /// Services in those.
    pub services: usize,
    /// Errors shown.
    pub errors: usize,
    /// Warnings shown.
    pub warnings: usize,
    /// Advice shown.
    pub advice: usize,
    /// Hidden by profile or least severity.
    pub hidden: usize,
    /// Silenced by comment or baseline.
    pub suppressed: usize,
    /// Left open by the manifests.
    pub undecided: usize,
    /// Inputs that could not be read.
    pub unreadable: usize,
    /// Files found but not judged.
    pub skipped: usize,
    /// Things called like YAML files that are no files: dangling links, pipes.
    pub passed_over: usize,
    /// Bugs in dynlint that the run survived; standard error has the details.
    pub crashes: usize,
}

impl Check {
    /// The report of a run; `show_undecided` lists what is open.
    #[must_use]
    pub fn new(report: &lint::Report, show_undecided: bool) -> Self {
        let sources = &report.sources;
        let open = |u: &crate::rules::Undecided| Open {
            rule: u.rule,
            place: Place::of(u.span, sources),
            service: u.service.clone(),
            reason: u.reason.to_string(),
        };
        let undecided = show_undecided.then(|| report.undecided.iter().map(open).collect());
        let mut open_rules: Vec<OpenRule> = Vec::new();
        for undecided in &report.undecided {
            match open_rules.binary_search_by(|known| known.rule.cmp(undecided.rule)) {
                Ok(at) => open_rules[at].count += 1,
                Err(at) => {
                    let first = open(undecided);
                    open_rules.insert(at, OpenRule { rule: undecided.rule, count: 1, first });
                }
            }
        }
        let silenced = report.suppressed.iter().map(|s| CheckSuppressed::new(s, report)).collect();
        let skipped =
            report.skipped.iter().map(|s| Skipped { path: s.path.clone(), reason: s.reason.as_str() }).collect();
        let lint::Summary {
            files,
            deployments,
            services,
            errors,
            warnings,
            advice,
            hidden,
            suppressed,
            undecided: open,
            unreadable,
            passed_over,
        } = report.summary;
        Self {
            version: 1,
            findings: report.findings.iter().map(|r| CheckFinding::new(r, report)).collect(),
            undecided,
            suppressed: silenced,
            skipped,
            statistics: None,
            open_rules,
            crashes: report.crashes.clone(),
            compared: report.baseline.is_some(),
            probed: None,
            summary: Summary {
                files,
                deployments,
                services,
                errors,
                warnings,
                advice,
                hidden,
                suppressed,
                undecided: open,
                unreadable,
                skipped: report.skipped.len(),
                passed_over,
                crashes: report.crashes.len(),
            },
        }
    }

    /// Counts findings by rule.
    pub fn count_rules(&mut self) {
        let mut counts: Vec<RuleCount> = Vec::new();
        for finding in &self.findings {
            let fixable = finding.fix.as_ref().is_some_and(|fix| fix.applicability != Applicability::Display);
            match counts.iter_mut().find(|known| known.rule == finding.rule) {
                Some(known) => {
                    known.count += 1;
                    known.fixable += usize::from(fixable);
                    known.severity = known.severity.max(finding.severity);
                }
                None => counts.push(RuleCount {
                    rule: finding.rule,
                    severity: finding.severity,
                    count: 1,
                    fixable: fixable.into(),
                }),
            }
        }
        crate::source::order(&mut counts, |a, b| b.count.cmp(&a.count).then_with(|| a.rule.cmp(b.rule)));
        self.statistics = Some(counts);
    }

    /// How many files were skipped for that reason.
    #[must_use]
    pub fn skipped_for(&self, reason: SkipReason) -> usize {
        self.skipped.iter().filter(|s| s.reason == reason.as_str()).count()
    }
}

impl Place {
    /// What a probe looked at.
    #[must_use]
    pub fn live(target: &str) -> Self {
        Self { path: target.to_owned(), ..Self::default() }
    }

    /// Whether it is no file.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.line == 0
    }

    /// Where a span stands.
    #[must_use]
    pub fn of(span: Span, sources: &Sources) -> Self {
        let file = sources.get(span.file);
        let (start, end) = (file.line_column(span.start), file.line_column(span.end.max(span.start)));
        Self {
            path: file.name.clone(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
        }
    }
}

impl Check {
    /// A report on what was probed, without a file.
    #[must_use]
    pub fn live(probed: Probed, mut findings: Vec<CheckFinding>) -> Self {
        // As in every report: sorted by where they are.
        crate::source::order(&mut findings, |a, b| a.place.path.cmp(&b.place.path));
        let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
        let summary = Summary {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            advice: count(Severity::Advice),
            ..Summary::default()
        };
        Self { version: 1, findings, summary, probed: Some(probed), ..Self::default() }
    }
}

impl CheckFinding {
    fn new(reported: &lint::Reported, report: &lint::Report) -> Self {
        let sources = &*report.sources;
        let provenance = report
            .provenance
            .of(&reported.finding)
            .iter()
            .map(|step| CheckStep { place: Place::of(step.span, sources), message: mask(&step.message).into_owned() });
        let Finding {
            rule,
            severity,
            confidence,
            message,
            primary,
            labels,
            help,
            deployment,
            service,
            subject,
            fix,
            overlays,
        } = &reported.finding;
        let fix = fix.as_ref().map(|fix| CheckFix {
            applicability: fix.applicability,
            verified: fix.verified,
            edits: fix
                .edits
                .iter()
                .map(|edit| CheckEdit {
                    path: sources.get(edit.span.file).name.clone(),
                    start: edit.span.start,
                    end: edit.span.end,
                    text: edit.text.clone(),
                    place: Place::of(edit.span, sources),
                })
                .collect(),
        });
        Self {
            rule,
            severity: *severity,
            confidence: *confidence,
            message: mask(message).into_owned(),
            help: mask(help).into_owned(),
            place: Place::of(primary.span, sources),
            deployment: deployment.clone(),
            service: service.clone(),
            subject: subject.clone(),
            fingerprint: reported.fingerprint.to_string(),
            labels: std::iter::once(primary).chain(labels).map(|l| CheckLabel::new(l, sources)).collect(),
            fix,
            overlays: overlays.clone(),
            provenance: provenance.collect(),
        }
    }
}

impl CheckSuppressed {
    fn new(suppressed: &lint::Suppressed, report: &lint::Report) -> Self {
        let lint::Suppression { kind, reason, span } = &suppressed.by;
        Self {
            finding: CheckFinding::new(&suppressed.reported, report),
            suppression: CheckSuppression {
                kind: kind.as_str(),
                reason: reason.as_deref().map(|reason| mask(reason).into_owned()),
                place: span.map(|span| Place::of(span, &report.sources)),
                known: match kind {
                    lint::SuppressionKind::Baseline(known) => Some(*known),
                    lint::SuppressionKind::Comment => None,
                },
            },
        }
    }
}

impl CheckLabel {
    fn new(label: &Label, sources: &Sources) -> Self {
        Self { place: Place::of(label.span, sources), message: mask(&label.message).into_owned(), span: label.span }
    }
}
