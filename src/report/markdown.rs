//! Markdown, for job summaries and comments.

use std::fmt::Write as _;

use super::summary::summary;
use super::text::{one_line, place, where_in};
use super::wire::{Check, CheckFinding};
use crate::rules;

/// Findings described in full; the rest is counted. A job summary holds at most 1 MiB.
const MOST: usize = 200;

/// Renders a report: what was found in a table, each finding's places and help folded below.
#[must_use]
pub fn markdown(check: &Check) -> String {
    let mut out = String::from("### dynlint\n\n");
    for line in summary(check).lines() {
        let _ = writeln!(out, "{}  ", text(line));
    }
    out.push('\n');
    if !check.findings.is_empty() {
        out.push_str("| | rule | where | what |\n|---|---|---|---|\n");
    }
    for finding in check.findings.iter().take(MOST) {
        let rule = rules::find(finding.rule)
            .map_or_else(|| finding.rule.to_owned(), |rule| format!("[{}]({})", rule.id, rule.url()));
        let _ = writeln!(
            out,
            "| {} | {rule} | {} | {} |",
            finding.severity,
            code(&place(&finding.place)),
            text(&finding.message).replace('|', "\\|")
        );
    }
    let left = check.findings.len().saturating_sub(MOST);
    if left > 0 {
        let _ = writeln!(out, "\nand {left} more");
    }
    for finding in check.findings.iter().take(MOST) {
        details(&mut out, finding);
    }
    let open = check.undecided.as_deref().unwrap_or_default();
    if !open.is_empty() {
        out.push_str("\n| undecided | where | why |\n|---|---|---|\n");
        for open in open.iter().take(MOST) {
            let why = text(&open.reason).replace('|', "\\|");
            let _ = writeln!(out, "| {} | {} | {why} |", open.rule, code(&place(&open.place)));
        }
    }
    out
}

fn details(out: &mut String, finding: &CheckFinding) {
    let of = where_in(finding).map_or_else(String::new, |of| format!(" in {of}"));
    let _ = write!(
        out,
        "\n<details><summary>{}[{}]{}</summary>\n\n{}\n\n",
        finding.severity,
        finding.rule,
        html(&of),
        text(&finding.message)
    );
    for label in &finding.labels {
        let _ = writeln!(out, "- {}: {}", code(&place(&label.place)), text(&label.message));
    }
    if !finding.help.is_empty() {
        let _ = write!(out, "\n**help**: {}\n", text(&finding.help));
    }
    out.push_str("\n</details>\n");
}

/// Words of ours with `code` in them, in one line: code stays code, and nothing outside it is markup.
fn text(words: &str) -> String {
    let words = one_line(words);
    let parts: Vec<&str> = words.split('`').collect();
    // An odd backtick opens nothing.
    let pairs = if parts.len() % 2 == 1 { parts.len() } else { 0 };
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index % 2 == 1 && index < pairs {
            let _ = write!(out, "`{part}`");
        } else {
            if index > 0 && index >= pairs {
                out.push_str("\\`");
            }
            out.push_str(&html(part).replace('*', "\\*").replace('_', "\\_").replace('[', "\\[").replace('~', "\\~"));
        }
    }
    out
}

/// A path or name as code, whatever backticks it holds.
fn code(text: &str) -> String {
    let text = one_line(text).replace('|', "\\|");
    if text.contains('`') { format!("`` {text} ``") } else { format!("`{text}`") }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_no_markup() {
        assert_eq!(text("`<b>` is *not* <b>"), "`<b>` is \\*not\\* &lt;b&gt;");
        assert_eq!(text("one ` alone"), "one \\` alone");
        assert_eq!(text("a\n  b"), "a b");
        assert_eq!(code("a|b.yaml:1:1"), "`a\\|b.yaml:1:1`");
        assert_eq!(code("a`b"), "`` a`b ``");
    }
}
