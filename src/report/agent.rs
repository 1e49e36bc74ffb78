//! One self-contained line per finding, for coding agents: message, place, every place that takes part, and the help,
//! without excerpts and without line breaks.

use std::fmt::Write as _;

use super::text::{one_line, place, where_in};
use super::wire::Check;
use crate::finding::Applicability;

/// Renders a report, one line per finding; the last line is the summary.
#[must_use]
pub fn agent(check: &Check) -> String {
    let mut out = String::new();
    for finding in &check.findings {
        let _ = write!(
            out,
            "{}: {}[{}] {}",
            place(&finding.place),
            finding.severity,
            finding.rule,
            one_line(&finding.message)
        );
        if let Some(of) = where_in(finding) {
            let _ = write!(out, " (in {of})");
        }
        for (index, label) in finding.labels.iter().enumerate().filter(|(_, label)| !label.message.is_empty()) {
            let at = if index == 0 { "here".to_owned() } else { place(&label.place) };
            let _ = write!(out, "; {at}: {}", one_line(&label.message));
        }
        if !finding.help.is_empty() {
            let _ = write!(out, "; help: {}", one_line(&finding.help));
        }
        match finding.fix.as_ref().map(|fix| fix.applicability) {
            Some(Applicability::Safe) => out.push_str("; fix: safe"),
            Some(Applicability::Unsafe) => out.push_str("; fix: unsafe"),
            Some(Applicability::Display) | None => {}
        }
        out.push('\n');
    }
    for open in check.undecided.iter().flatten() {
        let service = open.service.as_ref().map_or_else(String::new, |name| format!(" (in {name})"));
        let _ = writeln!(out, "{}: undecided[{}] {}{service}", place(&open.place), open.rule, one_line(&open.reason));
    }
    let s = &check.summary;
    if let Some(probed) = &check.probed {
        let _ = writeln!(
            out,
            "{} errors, {} warnings in {} checks of {}",
            s.errors, s.warnings, probed.checks, probed.target
        );
        return out;
    }
    let _ = writeln!(
        out,
        "{} errors, {} warnings, {} advice in {} files; {} undecided, {} unreadable; `dynlint explain RULE` tells more",
        s.errors, s.warnings, s.advice, s.files, s.undecided, s.unreadable
    );
    out
}
