//! `dynlint rules`

use std::fmt::Write as _;

use serde::Serialize;

use super::args::{ListFormat, Rules};
use super::{Exit, config, custom, output};
use crate::finding::{Confidence, Severity};
use crate::rules::{self, Measured, Rule, families};

/// A rule in `dynlint rules --format json`.
#[derive(Serialize)]
struct Listed {
    id: &'static str,
    family: &'static str,
    summary: &'static str,
    severity: Severity,
    confidence: Confidence,
    strict: Option<Severity>,
    since: &'static str,
    applies_to: &'static str,
    measured: Measured,
}

#[derive(Serialize)]
struct List {
    version: u32,
    rules: Vec<Listed>,
}

pub(super) fn run(args: &Rules) -> Exit {
    if let Some(super::args::RulesCommand::Test(test)) = &args.command {
        return custom::test(test);
    }
    config::bring();
    match args.format {
        ListFormat::Full => output::print(&table()),
        ListFormat::Json => {
            let rules = rules::all().map(|r| Listed {
                id: r.id,
                family: r.family,
                summary: r.summary,
                severity: r.severity,
                confidence: r.confidence,
                strict: r.strict,
                since: r.since,
                applies_to: r.applies_to,
                measured: r.measured,
            });
            let list = List { version: 1, rules: rules.collect() };
            let text = serde_json::to_string_pretty(&list).unwrap_or_default();
            output::print(&format!("{text}\n"));
        }
    }
    Exit::Clean
}

fn table() -> String {
    let width = rules::all().map(|r| r.id.len()).max().unwrap_or_default();
    let mut out = String::new();
    for family in families() {
        let _ = writeln!(out, "\u{1b}[1m{family}\u{1b}[0m");
        for Rule { id, severity, confidence, summary, .. } in rules::all().filter(|r| r.family == family) {
            // Only what differs from the usual is worth a word.
            let sure = if *confidence == Confidence::Possible { " (audit)" } else { "" };
            let _ = writeln!(out, "  {id:width$}  {:7}  {summary}{sure}", severity.as_str());
        }
        out.push('\n');
    }
    let _ = writeln!(out, "{} rules; `dynlint explain RULE` shows what one means", rules::all().count());
    out
}
