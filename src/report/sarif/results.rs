//! Findings, what silences them, and what is open, as results.

use std::cmp::Reverse;
use std::fmt::Write as _;

use serde_json::{Map, json};

use super::limit;
use super::location::{Artifacts, logical, region};
use super::model::{
    ArtifactChange, CodeFlow, Fingerprints, Fix, Replacement, SarifResult, Suppression, Text, ThreadFlow,
    ThreadFlowLocation,
};
use super::rules::{Listed, level, sentence};
use crate::finding::{Applicability, Known};
use crate::report::text::place;
use crate::report::wire::{Check, CheckFinding, CheckSuppressed, Open};
use crate::rules;

/// All results, and how many the limit leaves out.
pub(super) fn all(check: &Check, listed: &mut Listed, artifacts: &mut Artifacts<'_>) -> (Vec<SarifResult>, usize) {
    let mut kept: Vec<&CheckFinding> = check.findings.iter().collect();
    let left_out = kept.len().saturating_sub(limit::RESULTS);
    if left_out > 0 {
        // A stable sort: among equals the order of the report stays.
        crate::source::order_by_key(&mut kept, |finding| Reverse(finding.severity));
        kept.truncate(limit::RESULTS);
    }
    let mut results: Vec<SarifResult> = kept.into_iter().map(|finding| result(finding, listed, artifacts)).collect();
    if check.compared {
        results.iter_mut().for_each(|result| result.baseline_state = Some("new"));
    }
    let room = |results: &[SarifResult]| limit::RESULTS - results.len().min(limit::RESULTS);
    for suppressed in check.suppressed.iter().take(room(&results)) {
        results.push(silenced(suppressed, listed, artifacts));
    }
    let open = check.undecided.as_deref().unwrap_or_default();
    for open in open.iter().take(room(&results)) {
        results.push(undecided(open, listed, artifacts));
    }
    (results, left_out)
}

fn result(finding: &CheckFinding, listed: &mut Listed, artifacts: &mut Artifacts<'_>) -> SarifResult {
    let span = finding.labels.first().map(|label| label.span);
    let mut primary = artifacts.location(&finding.place, span);
    primary.logical_locations = logical(finding);
    let related: Vec<_> = finding
        .labels
        .iter()
        .enumerate()
        .skip(1)
        .take(limit::LOCATIONS - 1)
        .map(|(id, label)| {
            let mut location = artifacts.said(&label.place, Some(label.span), label.message.clone());
            location.id = Some(id);
            location
        })
        .collect();
    let mut properties = Map::new();
    properties.insert("confidence".to_owned(), json!(finding.confidence));
    for (key, value) in [("service", &finding.service), ("subject", &finding.subject)] {
        if let Some(value) = value {
            properties.insert(key.to_owned(), json!(value));
        }
    }
    if !finding.overlays.is_empty() {
        properties.insert("overlays".to_owned(), json!(finding.overlays));
    }
    SarifResult {
        rule_id: finding.rule,
        rule_index: listed.index(finding.rule),
        kind: None,
        level: level(finding.severity),
        message: Text { text: message(finding) },
        locations: vec![primary],
        baseline_state: None,
        partial_fingerprints: Some(fingerprints(finding)),
        related_locations: related,
        code_flows: code_flow(finding, artifacts).into_iter().collect(),
        fixes: fix(finding, artifacts).into_iter().collect(),
        suppressions: Vec::new(),
        properties,
    }
}

/// Title, why here, the other places as links, what to write. Alerts show it all in one.
fn message(finding: &CheckFinding) -> String {
    let mut title = finding.message.clone();
    if let Some(label) = finding.labels.first().filter(|label| !label.message.is_empty()) {
        let _ = write!(title, ": {}", label.message);
    }
    let mut text = literal(&sentence(&title));
    for (id, label) in finding.labels.iter().enumerate().skip(1).filter(|(_, label)| !label.message.is_empty()) {
        let _ = write!(text, "\n[{}]({id}): {}", place(&label.place).replace(['[', ']'], ""), literal(&label.message));
    }
    if !finding.help.is_empty() {
        let _ = write!(text, "\nHelp: {}", literal(&finding.help));
    }
    if text.ends_with('.') { text } else { text + "." }
}

/// Keeps brackets that are meant from being read as a link (SARIF 3.11.6): only `](` makes one.
fn literal(text: &str) -> String {
    text.replace("](", "\\](")
}

/// The same wherever the lines move, and unique within its file as ours is.
fn fingerprints(finding: &CheckFinding) -> Fingerprints {
    Fingerprints {
        primary_location_line_hash: format!("{}:1", finding.fingerprint),
        dynlint: finding.fingerprint.clone(),
    }
}

/// How the value came about: who set it first to who won. Where there is no such chain, the places that take part.
fn code_flow(finding: &CheckFinding, artifacts: &mut Artifacts<'_>) -> Option<CodeFlow> {
    let mut locations: Vec<ThreadFlowLocation> = Vec::new();
    let (text, chain) = if finding.provenance.len() > 1 {
        for step in &finding.provenance {
            let location = artifacts.said(&step.place, None, step.message.clone());
            locations.push(ThreadFlowLocation { location });
        }
        ("how the value came about, the last one wins", true)
    } else {
        ("the places that take part", false)
    };
    if !chain {
        for label in finding.labels.iter().skip(1).take(limit::STEPS) {
            let location = artifacts.said(&label.place, Some(label.span), label.message.clone());
            locations.push(ThreadFlowLocation { location });
        }
        if locations.is_empty() {
            return None;
        }
    }
    locations.truncate(limit::STEPS - 1);
    let said = finding.labels.first().map(|label| label.message.clone()).unwrap_or_default();
    let location = artifacts.said(&finding.place, None, if said.is_empty() { finding.message.clone() } else { said });
    locations.push(ThreadFlowLocation { location });
    Some(CodeFlow { message: Text { text: sentence(text) }, thread_flows: [ThreadFlow { locations }] })
}

/// The change that mends it, unless it is only to be read.
fn fix(finding: &CheckFinding, artifacts: &mut Artifacts<'_>) -> Option<Fix> {
    let fix =
        finding.fix.as_ref().filter(|fix| fix.applicability != Applicability::Display && !fix.edits.is_empty())?;
    let mut changes: Vec<(&str, ArtifactChange)> = Vec::new();
    for edit in &fix.edits {
        let replacement = Replacement {
            deleted_region: region(&edit.place, Some((edit.start, edit.end))),
            inserted_content: Text { text: edit.text.clone() },
        };
        match changes.iter_mut().find(|(path, _)| *path == edit.path) {
            Some((_, change)) => change.replacements.push(replacement),
            None => {
                let artifact_location = artifacts.of(&edit.path);
                changes.push((&edit.path, ArtifactChange { artifact_location, replacements: vec![replacement] }));
            }
        }
    }
    let sure = if fix.applicability == Applicability::Safe { "" } else { " (read it before you apply it)" };
    let text = if finding.help.is_empty() { finding.message.clone() } else { finding.help.clone() };
    Some(Fix {
        description: Text { text: sentence(&format!("{text}{sure}")) },
        artifact_changes: changes.into_iter().map(|(_, change)| change).collect(),
    })
}

fn silenced(suppressed: &CheckSuppressed, listed: &mut Listed, artifacts: &mut Artifacts<'_>) -> SarifResult {
    let by = &suppressed.suppression;
    let location = by.place.as_ref().map(|place| artifacts.location(place, None));
    SarifResult {
        suppressions: vec![Suppression {
            kind: if by.kind == "comment" { "inSource" } else { "external" },
            status: "accepted",
            justification: by.reason.clone(),
            location,
        }],
        // A finding that a comment silences is none that is compared.
        baseline_state: by.known.map(|known| match known {
            Known::New => "new",
            Known::Unchanged => "unchanged",
            Known::Incomparable => "updated",
        }),
        ..result(&suppressed.finding, listed, artifacts)
    }
}

fn undecided(open: &Open, listed: &mut Listed, artifacts: &mut Artifacts<'_>) -> SarifResult {
    let what = rules::find(open.rule).map_or(open.rule, |rule| rule.summary);
    SarifResult {
        rule_id: open.rule,
        rule_index: listed.index(open.rule),
        kind: Some("open"),
        level: "none",
        message: Text { text: literal(&sentence(&format!("cannot be decided ({what}): {}", open.reason))) },
        locations: vec![artifacts.location(&open.place, None)],
        baseline_state: None,
        partial_fingerprints: None,
        related_locations: Vec::new(),
        code_flows: Vec::new(),
        fixes: Vec::new(),
        suppressions: Vec::new(),
        properties: Map::new(),
    }
}
