//! Whether a rule finds in the examples of its page what the markers there announce, and nothing else.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Input, Options, Report, lint};
use crate::finding::{Confidence, Finding, Profile, Selection, Selector, Severity};
use crate::rules::page::{Example, Kind, Marker};
use crate::source::{SourceFile, Span};

/// Everything that every rule says, the merely possible too.
#[must_use]
pub fn run(text: &str) -> Report {
    run_only(text, Vec::new())
}

/// What the selected rules say, the merely possible too.
#[must_use]
pub fn run_only(text: &str, select: Vec<Selector>) -> Report {
    let selection = Selection { profile: Profile::Audit, select, ..Selection::default() };
    let options = Options { selection, ..Options::default() };
    lint(&[Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }], &options)
}

/// The file that an example became.
fn file(report: &Report) -> Arc<SourceFile> {
    report.sources.all().remove(0)
}

fn findings(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().map(|r| &r.finding)
}

/// A finding as an author wants to see it: place in the page, the line, carets under the primary label, and the words.
fn show(finding: &Finding, file: &SourceFile, example: &Example) -> String {
    let at = file.line_column(finding.primary.span.start);
    let line = at.line as usize;
    let page_line = example.page_lines.get(line - 1).copied().unwrap_or_default();
    let text = &file.text[file.line_range(line - 1)];
    let (start, end) = columns(finding.primary.span, file);
    let mut out = format!(
        "    {}[{}] {} ({}) at page line {page_line}, columns {start}..{end}\n      {text}\n",
        finding.severity, finding.rule, finding.message, finding.confidence
    );
    let _ = writeln!(
        out,
        "      {}{} {}",
        " ".repeat(start - 1),
        "^".repeat((end - start).max(1)),
        finding.primary.message
    );
    for label in &finding.labels {
        let (l, start, end) = place(label.span, file);
        let page_line = example.page_lines.get(l - 1).copied().unwrap_or_default();
        let _ = writeln!(out, "      also page line {page_line}, columns {start}..{end}: {}", label.message);
    }
    out
}

/// Columns of a span on its first line, from 1, end exclusive.
fn columns(span: Span, file: &SourceFile) -> (usize, usize) {
    let (_, start, end) = place(span, file);
    (start, end)
}

fn place(span: Span, file: &SourceFile) -> (usize, usize, usize) {
    let start = file.line_column(span.start);
    let end_of_line = file.line_range(start.line as usize - 1).end;
    let end_of_line = u32::try_from(end_of_line).unwrap_or(u32::MAX);
    let end = file.line_column(span.end.min(end_of_line).max(span.start));
    (start.line as usize, start.column as usize, end.column as usize)
}

/// Why a finding is not the one that a marker announces; none when it is.
fn differs(finding: &Finding, marker: &Marker, file: &SourceFile) -> Option<String> {
    let (line, start, end) = place(finding.primary.span, file);
    if line != marker.line {
        return Some("it stands on another line".to_owned());
    }
    if let Some(carets) = marker.carets
        && carets != (start, end)
    {
        return Some(format!("carets stand under columns {}..{}, the label under {start}..{end}", carets.0, carets.1));
    }
    if !finding.primary.message.contains(&marker.text) && !finding.message.contains(&marker.text) {
        return Some(format!("neither label nor message says `{}`", marker.text));
    }
    None
}

/// Compares what a rule says about a bad example with its markers; what does not fit is returned.
fn bad(rule: &str, example: &Example, report: &Report) -> Vec<String> {
    let file = file(report);
    let mut open: Vec<&Finding> = findings(report).filter(|f| f.rule == rule).collect();
    let mut wrong = Vec::new();
    for marker in &example.markers {
        if let Some(index) = open.iter().position(|f| differs(f, marker, &file).is_none()) {
            open.remove(index);
            continue;
        }
        let why = open
            .iter()
            .find(|f| place(f.primary.span, &file).0 == marker.line)
            .and_then(|f| differs(f, marker, &file))
            .unwrap_or_else(|| "no finding on that line".to_owned());
        wrong.push(format!("  the marker on page line {} is not met: {why}\n", marker.page_line));
    }
    wrong.extend(open.iter().map(|f| format!("  no marker announces\n{}", show(f, &file, example))));
    wrong.extend(others(rule, example, report));
    wrong
}

/// Loud findings of other rules that the fence does not list.
fn others(rule: &str, example: &Example, report: &Report) -> Vec<String> {
    let file = file(report);
    findings(report)
        .filter(|f| f.rule != rule && !example.also.iter().any(|name| name == f.rule))
        .filter(|f| f.severity >= Severity::Warning && f.confidence >= Confidence::Likely)
        .map(|f| {
            format!(
                "  another rule speaks (list it in the fence as `also={}`, or mend one of them)\n{}",
                f.rule,
                show(f, &file, example)
            )
        })
        .collect()
}

/// What is wrong with an example of a rule's page, given what every rule says about it; empty when nothing is.
#[must_use]
pub fn judge(rule: &str, example: &Example, report: &Report) -> Vec<String> {
    let mut wrong = match example.kind {
        Kind::Bad => bad(rule, example, report),
        Kind::Good => {
            let file = file(report);
            let mut out = others(rule, example, report);
            let own = findings(report).filter(|f| f.rule == rule);
            out.extend(own.map(|f| format!("  the rule speaks\n{}", show(f, &file, example))));
            out
        }
    };
    wrong.extend(report.crashes.iter().map(|c| format!("  crash in {:?}: {}\n", c.rule, c.message)));
    if !wrong.is_empty() {
        let open = report.undecided.iter().filter(|open| open.rule == rule);
        wrong.extend(
            open.map(|open| format!("  undecided ({}): {}\n", open.service.as_deref().unwrap_or("-"), open.reason)),
        );
    }
    wrong
}
