//! Findings as diagnostics.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gen_lsp_types::{
    Code, CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location,
    Message, Uri,
};

use super::analysis::Analysis;
use super::documents::Documents;
use super::position::Encoding;
use crate::config;
use crate::finding::{Finding, Label, Severity};
use crate::lint::Reported;
use crate::report::mask;
use crate::rules;
use crate::source::{Sources, Span};

/// Who says it.
pub(super) const SOURCE: &str = "dynlint";

/// Rules about settings that count for nothing: editors fade what they point at.
const DEAD: [&str; 22] = [
    "annotation-not-propagated",
    "dead-router-env",
    "events-unused",
    "fi-vars-without-libfabric",
    "frontend-block-size-inert",
    "frontend-transport-vars",
    "ignored-router-setting",
    "kv-knob-in-non-kv-mode",
    "load-aware-overrides",
    "mc-vars-without-mooncake",
    "operator-forced-env",
    "predicted-ttl-without-events",
    "router-env-on-worker",
    "sglang-ib-device-with-nixl",
    "transport-vars-in-agg",
    "trtllm-env-ignored",
    "trtllm-event-buffer-without-publish",
    "ttl-inert",
    "ucx-addr-type-noop",
    "ucx-rndv-inert-under-nixl",
    "ucx-vars-without-ucx",
    "unknown-transport-variable",
];

/// Rules about names whose time is over: editors strike them out.
const OLD: [&str; 8] = [
    "deprecated-flag-alias",
    "overlap-weight-deprecated",
    "planner-cli-removed",
    "removed-router-flag",
    "removed-worker-flag",
    "stale-env-name",
    "ucx-removed-variable",
    "vllm-connector-flag-removed",
];

/// The diagnostics of one run, by file. Files without any are left out.
pub(super) fn all(
    analysis: &Analysis,
    documents: &Documents,
    encoding: Encoding,
) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
    let mut out: BTreeMap<PathBuf, Vec<Diagnostic>> = BTreeMap::new();
    let sources = analysis.sources();
    for reported in &analysis.report.findings {
        let finding = &reported.finding;
        let file = sources.get(finding.primary.span.file);
        let Some(path) = file.path.clone() else { continue };
        if analysis.is_left(finding) {
            continue;
        }
        // What the reader says about a file is worth saying only where the file is ours.
        if finding.deployment.is_some() || !finding.overlays.is_empty() || analysis.concerns(&file) {
            out.entry(path).or_default().push(one(reported, analysis, documents, encoding));
        }
    }
    for mistake in &analysis.mistakes {
        out.entry(mistake.file.path.clone()).or_default().push(configuration(mistake, encoding));
    }
    out
}

/// A mistake in a configuration.
fn configuration(mistake: &config::Error, encoding: Encoding) -> Diagnostic {
    let file = Sources::new().add(String::new(), None, mistake.file.text.as_str());
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let span = mistake.span.clone().unwrap_or(0..0);
    let help = mistake.help.as_ref().map(|help| format!("\nhelp: {help}")).unwrap_or_default();
    Diagnostic {
        range: encoding.range(&file, Span::new(file.id, number(span.start), number(span.end))),
        severity: Some(DiagnosticSeverity::Error),
        code: Some(Code::String("configuration".to_owned())),
        source: Some(SOURCE.to_owned()),
        message: Message::String(format!("{}{help}", mistake.message)),
        ..Diagnostic::default()
    }
}

fn one(reported: &Reported, analysis: &Analysis, documents: &Documents, encoding: Encoding) -> Diagnostic {
    let finding = &reported.finding;
    let file = analysis.sources().get(finding.primary.span.file);
    let related = finding.labels.iter().filter_map(|label| related(label, analysis, documents, encoding)).collect();
    let href = rules::find(finding.rule).and_then(|rule| Uri::parse(&rule.url()).ok());
    Diagnostic {
        range: encoding.range(&file, finding.primary.span),
        severity: Some(severity(finding.severity)),
        code: Some(Code::String(finding.rule.to_owned())),
        code_description: href.map(CodeDescription::new),
        source: Some(SOURCE.to_owned()),
        message: Message::String(message(finding)),
        tags: tags(finding),
        related_information: Some(related),
        data: Some(serde_json::json!({ "fingerprint": reported.fingerprint.to_string() })),
    }
}

const fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Error => DiagnosticSeverity::Error,
        Severity::Warning => DiagnosticSeverity::Warning,
        Severity::Advice => DiagnosticSeverity::Information,
    }
}

/// What is wrong; why here; what to write; where it shows.
fn message(finding: &Finding) -> String {
    let mut out = finding.message.clone();
    let label = &finding.primary.message;
    if !label.is_empty() && !finding.message.contains(label.as_str()) {
        out.push('\n');
        out.push_str(label);
    }
    if !finding.help.is_empty() {
        out.push_str("\nhelp: ");
        out.push_str(&finding.help);
    }
    if !finding.overlays.is_empty() {
        let overlays: Vec<String> = finding.overlays.iter().map(|name| format!("`{name}`")).collect();
        out.push_str("\nin what is built from ");
        out.push_str(&overlays.join(", "));
    }
    mask(&out).into_owned()
}

fn tags(finding: &Finding) -> Option<Vec<DiagnosticTag>> {
    if OLD.contains(&finding.rule) {
        return Some(vec![DiagnosticTag::Deprecated]);
    }
    DEAD.contains(&finding.rule).then(|| vec![DiagnosticTag::Unnecessary])
}

fn related(
    label: &Label,
    analysis: &Analysis,
    documents: &Documents,
    encoding: Encoding,
) -> Option<DiagnosticRelatedInformation> {
    let file = analysis.sources().get(label.span.file);
    let uri = documents.uri(file.path.as_deref()?)?;
    let range = encoding.range(&file, label.span);
    Some(DiagnosticRelatedInformation { location: Location { uri, range }, message: mask(&label.message).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_rules_exist() {
        for id in DEAD.iter().chain(&OLD) {
            assert!(rules::find(id).is_some(), "{id}");
        }
    }
}
