//! GitLab's code quality report: the subset of the Code Climate format that merge requests show.

use std::collections::HashMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::root::Root;
use super::wire::{Check, CheckFinding};
use crate::finding::Severity;
use crate::rules;

#[derive(Serialize)]
struct Issue<'a> {
    r#type: &'static str,
    check_name: &'a str,
    description: String,
    content: Content,
    categories: [&'static str; 1],
    severity: &'static str,
    fingerprint: String,
    location: Location,
}

#[derive(Serialize)]
struct Content {
    body: String,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
    end: u32,
}

/// Renders a report as a JSON array, empty when nothing is found.
///
/// # Errors
/// None that the types allow; serde_json's signature wants one.
pub fn gitlab(check: &Check, root: &Root) -> serde_json::Result<String> {
    let mut seen = HashMap::new();
    let issues: Vec<Issue<'_>> = check.findings.iter().map(|finding| issue(finding, root, &mut seen)).collect();
    serde_json::to_string_pretty(&issues)
}

fn issue<'a>(finding: &'a CheckFinding, root: &Root, seen: &mut HashMap<String, u32>) -> Issue<'a> {
    let at = &finding.place;
    // What is no file still needs a path and a line here.
    let path = if at.is_live() { at.path.clone() } else { root.relative(&at.path) };
    let lines = Lines { begin: at.line.max(1), end: at.end_line.max(1) };
    let mut body = rules::find(finding.rule).map_or_else(String::new, |rule| format!("{}\n\n", rule.url()));
    if !finding.help.is_empty() {
        body.insert_str(0, &format!("{}\n\n", finding.help));
    }
    let name = name(&path, &finding.fingerprint);
    let times = seen.entry(name.clone()).or_default();
    *times += 1;
    let fingerprint = if *times == 1 { name } else { self::name(&path, &format!("{}:{times}", finding.fingerprint)) };
    Issue {
        r#type: "issue",
        check_name: finding.rule,
        description: finding.message.clone(),
        content: Content { body: body.trim_end().to_owned() },
        categories: ["Bug Risk"],
        severity: match finding.severity {
            Severity::Error => "critical",
            Severity::Warning => "major",
            Severity::Advice => "info",
        },
        fingerprint,
        location: Location { path, lines },
    }
}

/// GitLab compares fingerprints over the whole report, ours are unique within a file: the path joins in.
fn name(path: &str, fingerprint: &str) -> String {
    let hash = Sha256::new().chain_update(path).chain_update([0]).chain_update(fingerprint).finalize();
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
