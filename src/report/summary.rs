//! What was checked and what came of it, in a few words.

use super::wire::Check;
use crate::lint::SkipReason;

/// `1 file`, `2 files`.
fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// The summary, one thought a line.
#[must_use]
pub fn summary(check: &Check) -> String {
    let s = &check.summary;
    let mut lines = vec![match &check.probed {
        Some(probed) => format!("probed {}: {}", probed.target, count(probed.checks, "check", "checks")),
        None => format!(
            "checked {}, {}, {}",
            count(s.files, "file", "files"),
            count(s.deployments, "deployment", "deployments"),
            count(s.services, "service", "services")
        ),
    }];
    let mut found = Vec::new();
    for (n, one, many) in
        [(s.errors, "error", "errors"), (s.warnings, "warning", "warnings"), (s.advice, "advice", "advice")]
    {
        if n > 0 {
            found.push(count(n, one, many));
        }
    }
    if s.undecided > 0 && check.undecided.is_some() {
        found.push(format!("{} undecided", s.undecided));
    }
    lines.push(if found.is_empty() { "found nothing".to_owned() } else { format!("found {}", found.join(", ")) });
    let mut more = Vec::new();
    if s.hidden > 0 {
        more.push(format!("{} hidden (--profile audit shows them)", s.hidden));
    }
    if s.undecided > 0 && check.undecided.is_none() {
        more.push(format!("{} undecided (--show-undecided)", s.undecided));
    }
    if s.suppressed > 0 {
        more.push(format!("{} suppressed", s.suppressed));
    }
    if !more.is_empty() {
        lines.push(format!("not shown: {}", more.join(", ")));
    }
    let skipped: Vec<String> = SkipReason::ALL
        .into_iter()
        .map(|reason| (reason, check.skipped_for(reason)))
        .filter(|(_, n)| *n > 0)
        .map(|(reason, n)| format!("{n} {}", reason.words(n)))
        .collect();
    if !skipped.is_empty() {
        lines.push(format!("skipped {}: {}", count(s.skipped, "file", "files"), skipped.join(", ")));
    }
    if s.passed_over > 0 {
        lines.push(format!("passed over {} that no file stands behind", count(s.passed_over, "name", "names")));
    }
    if s.unreadable > 0 {
        lines.push(format!("{} could not be read", count(s.unreadable, "input", "inputs")));
    }
    lines.join("\n")
}
