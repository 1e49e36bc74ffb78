//! Rule pages are the rules' tests: every example is linted and compared with the markers written in it.
//!
//! `DYNLINT_RULE=kv-without-events cargo test --test rules` looks at one page only.

#[path = "rules/page.rs"]
mod page;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use dynlint::finding::{Applicability, Confidence, Finding, Profile, Selection, Severity};
use dynlint::lint::{self, Input, Options, Report};
use dynlint::rules::{Check, RULES};
use dynlint::source::{SourceFile, Span};
use page::{Example, Kind, Marker, Page};

const SECTIONS: [&str; 5] = ["What it does", "Why it is bad", "When it stays silent", "What to write", "References"];

/// Pages to look at.
fn pages() -> Vec<Page> {
    let only = std::env::var("DYNLINT_RULE").ok().filter(|name| !name.is_empty());
    page::all().into_iter().filter(|page| only.as_ref().is_none_or(|name| page.id == *name)).collect()
}

/// Everything that every rule says, the merely possible too.
fn run(text: &str) -> Report {
    let options =
        Options { selection: Selection { profile: Profile::Audit, ..Selection::default() }, ..Options::default() };
    lint::lint(&[Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }], &options)
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
    let end = file.line_column(span.end.min(u32::try_from(end_of_line).expect("examples are short")).max(span.start));
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

#[test]
fn examples_give_what_their_markers_say() {
    let mut wrong = String::new();
    for page in pages() {
        for example in &page.examples {
            let report = run(&example.text);
            let mut what = match example.kind {
                Kind::Bad => bad(&page.id, example, &report),
                Kind::Good => {
                    let file = file(&report);
                    let mut out = others(&page.id, example, &report);
                    let own = findings(&report).filter(|f| f.rule == page.id);
                    out.extend(own.map(|f| format!("  the rule speaks\n{}", show(f, &file, example))));
                    out
                }
            };
            what.extend(report.crashes.iter().map(|c| format!("  crash in {:?}: {}\n", c.rule, c.message)));
            if report.summary.deployments == 0 && what.is_empty() && rule_scope(&page) == Some("deployment") {
                what.push("  there is no deployment in it\n".to_owned());
            }
            if !what.is_empty() {
                let _ = writeln!(wrong, "{}:{}: {:?} example", page.path.display(), example.page_line, example.kind);
                for open in &report.undecided {
                    if open.rule == page.id {
                        what.push(format!(
                            "  undecided ({}): {}\n",
                            open.service.as_deref().unwrap_or("-"),
                            open.reason
                        ));
                    }
                }
                wrong.extend(what);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn rule_scope(page: &Page) -> Option<&'static str> {
    Some(match dynlint::rules::find(&page.id)?.check {
        Check::Deployment(_) => "deployment",
        Check::File(_) => "file",
        Check::Reader => "reader",
        Check::Probe => "probe",
    })
}

#[test]
fn safe_fixes_mend_what_they_are_for_and_break_nothing() {
    let mut wrong = String::new();
    for page in pages() {
        for example in page.examples.iter().filter(|e| e.kind == Kind::Bad) {
            let report = run(&example.text);
            let before = tally(&report);
            for finding in findings(&report) {
                let Some(fix) = finding.fix.as_ref().filter(|f| f.applicability == Applicability::Safe) else {
                    continue;
                };
                let mut text = example.text.clone();
                let mut edits = fix.edits.clone();
                edits.sort_by_key(|e| e.span.start);
                let overlap = edits.windows(2).any(|w| w[0].span.end > w[1].span.start);
                for edit in edits.iter().rev() {
                    text.replace_range(edit.span.range(), &edit.text);
                }
                let after = tally(&run(&text));
                let key = (finding.rule, finding.message.clone());
                let left = after.get(&key).copied().unwrap_or_default();
                let mut new: Vec<_> = after.iter().filter(|(k, n)| before.get(*k).is_none_or(|b| *n > b)).collect();
                new.retain(|(k, _)| **k != key);
                if overlap || left >= before[&key] || !new.is_empty() {
                    let _ = writeln!(
                        wrong,
                        "{}:{}: the safe fix of `{}`: overlapping edits: {overlap}, findings like it before {} and after \
                         {left}, new findings {new:?}; it makes\n{text}",
                        page.path.display(),
                        example.page_line,
                        finding.rule,
                        before[&key]
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn tally(report: &Report) -> BTreeMap<(&'static str, String), usize> {
    let mut out = BTreeMap::new();
    for finding in findings(report) {
        *out.entry((finding.rule, finding.message.clone())).or_default() += 1;
    }
    out
}

#[test]
fn pages_have_every_section_and_both_kinds_of_example() {
    let mut wrong = Vec::new();
    for page in pages() {
        let mut say = |what: String| wrong.push(format!("{}: {what}", page.path.display()));
        page.errors.iter().cloned().for_each(&mut say);
        for section in SECTIONS {
            if !page.sections.iter().any(|s| s == section) {
                say(format!("no section `## {section}`"));
            }
        }
        if matches!(rule_scope(&page), Some("reader" | "probe")) {
            continue;
        }
        for kind in [Kind::Bad, Kind::Good] {
            if !page.examples.iter().any(|e| e.kind == kind) {
                say(format!("no {kind:?} example"));
            }
        }
        for name in page.examples.iter().flat_map(|e| &e.also) {
            if dynlint::rules::find(name).is_none() {
                say(format!("`also={name}` names no rule"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_strict_profile_raises_what_pages_say() {
    let severities = |text: &str, rule: &str, profile: Profile| -> Vec<Severity> {
        let options = Options { selection: Selection { profile, ..Selection::default() }, ..Options::default() };
        let report = lint::lint(&[Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }], &options);
        findings(&report).filter(|f| f.rule == rule).map(|f| f.severity).collect()
    };
    let mut raised = 0;
    for page in pages() {
        let Some(strict) = dynlint::rules::find(&page.id).and_then(|rule| rule.strict) else { continue };
        for example in page.examples.iter().filter(|e| e.kind == Kind::Bad) {
            let (usual, raised_to) = (
                severities(&example.text, &page.id, Profile::Default),
                severities(&example.text, &page.id, Profile::Strict),
            );
            assert_eq!(usual.len(), raised_to.len(), "{}", page.id);
            assert!(raised_to.iter().all(|severity| *severity >= strict), "{}: {raised_to:?}", page.id);
            raised += usual.iter().zip(&raised_to).filter(|(a, b)| b > a).count();
        }
    }
    let any = RULES.iter().any(|rule| rule.strict.is_some_and(|strict| strict > rule.severity));
    assert!(raised > 0 || !any || std::env::var_os("DYNLINT_RULE").is_some(), "no example shows a raised severity");
}

#[test]
fn every_page_is_registered() {
    let pages: Vec<(String, String)> = page::all().into_iter().map(|p| (p.id, p.family)).collect();
    let rules: Vec<(String, String)> = RULES.iter().map(|r| (r.id.to_owned(), r.family.to_owned())).collect();
    assert_eq!(rules, pages);
    for rule in RULES {
        assert_eq!(dynlint::rules::find(rule.id).map(|r| r.id), Some(rule.id));
        assert!(!rule.page.starts_with("---"), "{}: front matter left in the page", rule.id);
    }
}

#[test]
fn messages_keep_the_style() {
    let mut wrong = Vec::new();
    for page in pages() {
        for example in &page.examples {
            for finding in findings(&run(&example.text)) {
                let mut say = |what: &str, text: &str| {
                    wrong.push(format!(
                        "{}:{}: {} {what}: {text}",
                        page.path.display(),
                        example.page_line,
                        finding.rule
                    ));
                };
                if finding.help.is_empty() {
                    say("has no help", &finding.message);
                }
                if finding.primary.message.is_empty() {
                    say("has no words at its primary label", &finding.message);
                }
                let labels = finding.labels.iter().map(|l| &l.message).chain([&finding.primary.message]);
                for text in labels.chain([&finding.message, &finding.help]) {
                    for fault in faults(text) {
                        say(fault, text);
                    }
                }
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Names that are written with a capital even at the start.
const PROPER: [&str; 10] =
    ["Dynamo", "Kubernetes", "Mooncake", "Kustomize", "Python", "Ethernet", "Gloo", "Helm", "Multus", "Ray"];

fn faults(text: &str) -> Vec<&'static str> {
    let mut out = Vec::new();
    let first = text.split_whitespace().next().unwrap_or_default();
    let capital = first.chars().next().is_some_and(char::is_uppercase);
    let shouting = first.chars().filter(|c| c.is_uppercase() || c.is_ascii_digit()).count() >= 2;
    if capital && !shouting && !PROPER.iter().any(|name| first.starts_with(name)) {
        out.push("starts with a capital");
    }
    if text.trim_end().ends_with('.') && !text.ends_with("...") {
        out.push("ends with a full stop");
    }
    if text.trim() != text || text.contains('\n') {
        out.push("has blanks around it or more than one line");
    }
    if text.matches('`').count() % 2 == 1 {
        out.push("has an odd number of backticks");
    }
    out
}

#[test]
fn the_style_test_can_fail() {
    assert_eq!(faults("the `mode` is wrong"), [""; 0]);
    assert_eq!(faults("UCX_TLS is wrong"), [""; 0]);
    assert_eq!(faults("Dynamo says no"), [""; 0]);
    assert_eq!(
        faults("The mode is `wrong."),
        ["starts with a capital", "ends with a full stop", "has an odd number of backticks"]
    );
    assert_eq!(faults(" two\nlines"), ["has blanks around it or more than one line"]);
}
