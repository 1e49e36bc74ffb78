//! The report of a probe: the frozen shape of its JSON, and the text for people.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Check, Counts, Status};
use crate::report::{mask, wire};

/// What a probe reports. Keys may be added, never renamed or removed.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub version: u32,
    /// `node`, `env`, `nixl`, `router`, `compare`, `capture`.
    pub probe: &'static str,
    /// What was probed: a machine, `context/namespace/…`, a URL.
    pub target: String,
    /// The checks, in the order they are printed.
    pub checks: Vec<Check>,
    /// How many ended how.
    pub counts: Counts,
    /// What that comes to, in one line.
    pub verdict: &'static str,
    /// Whether a transfer ran and moved its bytes unharmed.
    pub transfer_validated: bool,
    /// What a router probe found out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<super::router::observe::Observed>,
    /// What a comparison came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<super::compare::Comparison>,
    /// What stands on the manifest's own lines, when a manifest was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<wire::Check>,
}

impl Report {
    /// A report of checks.
    #[must_use]
    pub fn new(probe: &'static str, target: impl Into<String>, mut checks: Vec<Check>) -> Self {
        for check in &mut checks {
            // The transport masked what came in; this is what goes out.
            check.detail = mask(&check.detail).into_owned();
            check.evidence.iter_mut().for_each(|line| *line = mask(line).into_owned());
        }
        let transfer_validated = checks.iter().any(|c| c.name == super::nixl::TRANSFER && c.status == Status::Ok);
        Self {
            version: 1,
            probe,
            target: target.into(),
            counts: Counts::of(&checks),
            verdict: verdict(Counts::of(&checks)),
            checks,
            transfer_validated,
            router: None,
            compare: None,
            manifest: None,
        }
    }

    /// Adds a check.
    pub fn add(&mut self, mut check: Check) {
        check.detail = mask(&check.detail).into_owned();
        check.evidence.iter_mut().for_each(|line| *line = mask(line).into_owned());
        self.checks.push(check);
        self.counts = Counts::of(&self.checks);
        self.verdict = verdict(self.counts);
    }

    /// Whether anything failed.
    #[must_use]
    pub const fn failed(&self) -> bool {
        self.counts.fail > 0
    }
}

/// One line for all checks of one probe. None of them makes a deployment ready: that is for `dynlint readiness` to say.
const fn verdict(counts: Counts) -> &'static str {
    match counts {
        Counts { fail: 1.., .. } => "blocked: a check failed",
        Counts { warn: 1.., .. } => "gaps: a check warns",
        Counts { skipped: 1.., .. } => "no gap seen; what was skipped is inconclusive",
        _ => "no gap seen",
    }
}

/// The report as JSON, indented, with a line end.
///
/// # Errors
/// Never in practice: all keys are strings.
pub fn json(report: &Report) -> serde_json::Result<String> {
    serde_json::to_string_pretty(report).map(|text| text + "\n")
}

/// The report for people: checks grouped by target, then counts. `verbose` shows the evidence.
#[must_use]
pub fn text(report: &Report, verbose: bool) -> String {
    let mut out = String::new();
    let width = report.checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let mut shown: Option<&str> = None;
    for check in &report.checks {
        let target = check.target.as_deref().unwrap_or(&report.target);
        if shown != Some(target) {
            let gap = if shown.is_none() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}\u{1b}[1m{target}\u{1b}[0m");
            shown = Some(target);
        }
        let color = match check.status {
            Status::Ok => "32",
            Status::Warn => "33",
            Status::Fail => "31",
            Status::Skipped => "2",
        };
        let name = check.status.as_str();
        let _ = writeln!(out, "  \u{1b}[{color}m{name:<7}\u{1b}[0m  {:<width$}  {}", check.name, check.detail);
        if verbose {
            for line in &check.evidence {
                let _ = writeln!(out, "  {:9}{:width$}  \u{1b}[2m{line}\u{1b}[0m", "", "");
            }
        }
        if let Some(next) = &check.next {
            let _ = writeln!(out, "  {:9}{:width$}  next: {next}", "", "");
        }
    }
    let Counts { ok, warn, fail, skipped } = report.counts;
    let _ = writeln!(out, "\n{ok} ok, {warn} warn, {fail} fail, {skipped} skipped");
    out
}
