//! What the reader says, as findings of the reader's rules.

use crate::finding::{Confidence, Finding, Label, Severity};
use crate::kustomize::{Quiet, Remark};
use crate::rules;
use crate::source::Span;
use crate::yaml::{Problem, ProblemKind};

/// Rule, what to write at the primary label, what to do.
const fn words(kind: ProblemKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        ProblemKind::Syntax => (
            "yaml-syntax",
            "reading stops here",
            "mend the YAML: as it stands kubectl rejects the file and applies nothing of it",
        ),
        ProblemKind::NotUtf8 => ("not-utf8", "the first byte that is no UTF-8", "convert the file to UTF-8"),
        ProblemKind::TooLarge => ("too-large", "not read", "split the file, or leave it out of the run"),
        ProblemKind::TooDeep => {
            ("too-deep", "too deep from here on", "look for unbalanced brackets or a generator that runs away")
        }
        ProblemKind::AliasBomb => {
            ("alias-bomb", "this alias goes over the limit", "write the values out in place of the aliases")
        }
        ProblemKind::DuplicateKey => (
            "duplicate-key",
            "this one wins",
            "keep one of the two, or join their contents: kubectl takes the last and drops the first without a word",
        ),
    }
}

/// A finding of a reader's rule.
pub(super) fn reader(rule: &'static str, span: Span, message: String, label: &str, help: String) -> Finding {
    let page = rules::find(rule);
    Finding {
        rule,
        severity: page.map_or(Severity::Error, |page| page.severity),
        confidence: page.map_or(Confidence::Certain, |page| page.confidence),
        message,
        primary: Label { span, message: label.to_owned() },
        labels: Vec::new(),
        help,
        deployment: None,
        service: None,
        subject: None,
        fix: None,
        overlays: Vec::new(),
    }
}

/// What a build does without a word, as a finding.
pub(super) fn remark(remark: Remark) -> Finding {
    let (rule, label) = match remark.about {
        Quiet::Idle => ("kustomize-no-effect", "selects nothing"),
        Quiet::Replaced => ("kustomize-list-replaced", "kustomize has no merge key for it"),
        Quiet::Unfollowed => ("kustomize-name-not-followed", "nothing has this name"),
    };
    let mut finding = reader(rule, remark.span, remark.message, label, remark.help);
    finding.labels.extend(remark.other.map(|(span, message)| Label { span, message: message.to_owned() }));
    finding
}

/// The finding that a problem is reported as.
pub(super) fn finding(problem: &Problem) -> Finding {
    let (rule, label, help) = words(problem.kind);
    let mut finding = reader(rule, problem.span, problem.message.clone(), label, help.to_owned());
    finding.labels =
        problem.related.iter().map(|(span, message)| Label { span: *span, message: message.clone() }).collect();
    finding
}
