//! One line per finding: `path:line:column: severity[rule] message (service)`.

use std::fmt::Write as _;

use super::text::place;
use super::wire::Check;

/// Renders a report, one line per finding, nothing when there is none.
#[must_use]
pub fn concise(check: &Check) -> String {
    if let Some(counts) = &check.statistics {
        return super::statistics::statistics(counts);
    }
    let mut out = String::new();
    for finding in &check.findings {
        let _ = write!(out, "{}: {}[{}] {}", place(&finding.place), finding.severity, finding.rule, finding.message);
        if let Some(service) = &finding.service {
            let _ = write!(out, " ({service})");
        }
        out.push('\n');
    }
    for open in check.undecided.iter().flatten() {
        let _ = write!(out, "{}: undecided[{}] {}", place(&open.place), open.rule, open.reason);
        if let Some(service) = &open.service {
            let _ = write!(out, " ({service})");
        }
        out.push('\n');
    }
    out
}
