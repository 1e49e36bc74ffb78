//! `dynlint explain`: a rule's page for the terminal.

use std::fmt::Write as _;

use super::args::Explain;
use super::{Exit, config, output};
use crate::finding::nearest;
use crate::rules::{self, Rule};

pub(super) fn run(args: &Explain) -> Exit {
    let find = || rules::find(args.rule.trim());
    let own = || {
        config::bring();
        find()
    };
    let Some(rule) = find().or_else(own) else {
        let near = nearest(args.rule.trim(), rules::all().map(|r| r.id));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`dynlint rules` lists them all".to_owned(),
        };
        output::error(&format!("no rule is called `{}`; {hint}", args.rule));
        return Exit::Usage;
    };
    output::print(&page(rule));
    Exit::Clean
}

/// The page with its front matter in words, headings and code set off. Markers of the examples become comments that
/// say what is found.
fn page(rule: &Rule) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\u{1b}[1m{}\u{1b}[0m: {}", rule.id, rule.summary);
    let _ = writeln!(
        out,
        "{}, {}, {} family; applies to: {}; {}\n",
        rule.severity,
        rule.confidence,
        rule.family,
        rule.applies_to,
        since(rule)
    );
    let mut fenced = false;
    for line in rule.page().lines() {
        if let Some(info) = line.trim_start().strip_prefix("```") {
            fenced = !fenced;
            let mut words = info.split_whitespace().skip(1);
            if fenced && let Some(kind) = words.next() {
                let what = if kind == "bad" { "found:" } else { "fine:" };
                let _ = writeln!(out, "  \u{1b}[1m{what}\u{1b}[0m\n");
            }
        } else if fenced {
            let marker = line.trim_start().strip_prefix("#~").map(|_| line.replacen("#~", "  ", 1));
            match marker {
                Some(marker) => {
                    let _ = writeln!(out, "    \u{1b}[33m{marker}\u{1b}[0m");
                }
                None if line.is_empty() => out.push('\n'),
                None => {
                    let _ = writeln!(out, "    \u{1b}[2m{line}\u{1b}[0m");
                }
            }
        } else if let Some(heading) = line.strip_prefix("## ") {
            let _ = writeln!(out, "\u{1b}[1;4m{heading}\u{1b}[0m");
        } else {
            let _ = writeln!(out, "{}", inline(line));
        }
    }
    if rule.check.is_ours() {
        let _ = writeln!(out, "\n{}", rule.measured.in_words());
    }
    out
}

/// Whose rule it is, and since when.
fn since(rule: &Rule) -> String {
    match (rule.check.is_ours(), rule.since) {
        (true, since) => format!("since dynlint {since}"),
        (false, "") => "a rule of your own".to_owned(),
        (false, since) => format!("a rule of your own, since {since}"),
    }
}

/// Sets `code` off; backticks stay where colour goes.
fn inline(line: &str) -> String {
    let mut out = String::new();
    for (index, part) in line.split('`').enumerate() {
        match index % 2 {
            0 => out.push_str(part),
            _ => {
                let _ = write!(out, "\u{1b}[36m`{part}`\u{1b}[0m");
            }
        }
    }
    out
}
