//! The verdict for people.

use std::fmt::Write as _;

use super::{Readiness, State};
use crate::probe::{Check, Counts, Layer, Status};

/// The verdict with escape codes for colour, which the stream takes out where they are not wanted. `verbose` shows what
/// each check has seen, and the checks that need no attention.
#[must_use]
pub fn text(readiness: &Readiness, verbose: bool) -> String {
    let mut out = format!("\u{1b}[1m{}\u{1b}[0m\n", readiness.target);
    let width = readiness.checks.iter().map(|c| c.name.len()).max().unwrap_or(0).min(32);
    for (layer, state) in [
        (Layer::Configuration, readiness.layers.configuration),
        (Layer::Capability, readiness.layers.capability),
        (Layer::Transfer, readiness.layers.transfer),
    ] {
        let color = match state {
            State::Verified => "32",
            State::Failed => "31",
            State::Inconclusive => "33",
        };
        let _ = writeln!(out, "\n{} \u{1b}[{color}m{}\u{1b}[0m", layer.as_str(), state.as_str());
        let mut target = None;
        for check in readiness.checks.iter().filter(|check| check.layer == layer) {
            if check.target != target {
                target.clone_from(&check.target);
                if let Some(target) = &target {
                    let _ = writeln!(out, "  {target}");
                }
            }
            line(&mut out, check, width, verbose);
        }
    }
    let Counts { ok, warn, fail, skipped } = readiness.counts;
    let _ = writeln!(out, "\n{ok} ok, {warn} warn, {fail} fail, {skipped} skipped");
    let _ = writeln!(out, "\u{1b}[1m{}\u{1b}[0m", readiness.verdict);
    if !readiness.next.is_empty() {
        out.push_str("next:\n");
        for step in &readiness.next {
            let _ = writeln!(out, "  {step}");
        }
    }
    out
}

fn line(out: &mut String, check: &Check, width: usize, verbose: bool) {
    let color = match check.status {
        Status::Ok => "32",
        Status::Warn => "33",
        Status::Fail => "31",
        Status::Skipped => "2",
    };
    let status = check.status.as_str();
    let _ = writeln!(out, "    \u{1b}[{color}m{status:<7}\u{1b}[0m  {:<width$}  {}", check.name, check.detail);
    let shown = verbose || matches!(check.status, Status::Warn | Status::Fail);
    for evidence in check.evidence.iter().filter(|_| shown) {
        let _ = writeln!(out, "    {:7}  {:width$}  \u{1b}[2m{evidence}\u{1b}[0m", "", "");
    }
    if let Some(next) = check.next.as_ref().filter(|_| shown) {
        let _ = writeln!(out, "    {:7}  {:width$}  next: {next}", "", "");
    }
}
