//! Workflow commands of GitHub Actions: each finding becomes an annotation on its line.

use std::fmt::Write as _;

use super::root::Root;
use super::summary::summary;
use super::text::{place, where_in};
use super::wire::{Check, CheckFinding};
use crate::finding::Severity;
use crate::rules;

/// Renders a report as workflow commands, the worst first: Actions shows ten of a kind for a step. The summary follows.
#[must_use]
pub fn github(check: &Check, root: &Root) -> String {
    let mut out = String::new();
    let mut findings: Vec<&CheckFinding> = check.findings.iter().collect();
    crate::source::order_by_key(&mut findings, |finding| std::cmp::Reverse(finding.severity));
    for finding in findings {
        command(&mut out, finding, root);
    }
    for open in check.undecided.iter().flatten() {
        let title = format!("undecided: {}", open.rule);
        let path = root.relative(&open.place.path);
        let (line, column) = (open.place.line, open.place.column);
        let _ = writeln!(
            out,
            "::notice file={},line={line},col={column},title={}::{}",
            property(&path),
            property(&title),
            data(&open.reason)
        );
    }
    out.push_str(&summary(check));
    out.push('\n');
    out
}

fn command(out: &mut String, finding: &CheckFinding, root: &Root) {
    let at = &finding.place;
    let kind = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "notice",
    };
    let _ = write!(out, "::{kind} ");
    let mut text = finding.message.clone();
    if at.is_live() {
        // An annotation of the run, not of a file.
        text = format!("{}: {text}", at.path);
    } else {
        let _ = write!(out, "file={},line={}", property(&root.relative(&at.path)), at.line);
        // Columns are taken only for a range within one line.
        if at.end_line == at.line {
            let _ = write!(out, ",endLine={},col={},endColumn={},", at.end_line, at.column, at.end_column);
        } else {
            let _ = write!(out, ",endLine={},", at.end_line);
        }
    }
    if let Some(of) = where_in(finding) {
        let _ = write!(text, " ({of})");
    }
    for label in &finding.labels {
        if !label.message.is_empty() {
            let _ = write!(text, "\n{}: {}", place(&label.place), label.message);
        }
    }
    if !finding.help.is_empty() {
        let _ = write!(text, "\nhelp: {}", finding.help);
    }
    if let Some(rule) = rules::find(finding.rule) {
        let _ = write!(text, "\n{}", rule.url());
    }
    let _ = writeln!(out, "title={}::{}", property(&format!("dynlint: {}", finding.rule)), data(&text));
}

/// Escapes the text of a command, as `@actions/core` does.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("50%\r\nof a: b, c"), "50%25%0D%0Aof a: b, c");
        assert_eq!(property("a:b,c\n"), "a%3Ab%2Cc%0A");
    }
}
