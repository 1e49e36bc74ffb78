//! Findings counted by rule.

use std::fmt::Write as _;

use super::wire::RuleCount;

/// A table, the most frequent rule first: how often, rule, severity, and how many can be fixed.
pub(super) fn statistics(counts: &[RuleCount]) -> String {
    let mut out = String::new();
    let wide = counts.first().map_or(1, |most| most.count.to_string().len());
    let name = counts.iter().map(|known| known.rule.len()).max().unwrap_or_default();
    for RuleCount { rule, severity, count, fixable } in counts {
        let _ = write!(out, "{count:>wide$}  {rule:name$}  {:7}", severity.as_str());
        if *fixable > 0 {
            let _ = write!(out, "  {fixable} with a fix");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}
