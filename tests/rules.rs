//! Rule pages are the rules' tests: every example is linted and compared with the markers written in it.
//!
//! `DYNLINT_RULE=kv-without-events cargo test --test rules` looks at one page only.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dynlint::finding::{Applicability, Finding, Profile, Selection, Severity};
use dynlint::lint::examples::{judge, run};
use dynlint::lint::{self, Input, Options, Report};
use dynlint::rules::page::{Example, Kind};
use dynlint::rules::{Check, RULES};

const SECTIONS: [&str; 5] = ["What it does", "Why it is bad", "When it stays silent", "What to write", "References"];

/// One page and where it lies.
struct Page {
    path: PathBuf,
    id: String,
    family: String,
    sections: Vec<String>,
    examples: Vec<Example>,
    errors: Vec<String>,
}

/// Every page below `rules/`, sorted by id.
fn all() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let name = |p: Option<&std::ffi::OsStr>| p.map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut pages: Vec<Page> = walkdir::WalkDir::new(&root)
        .min_depth(2)
        .max_depth(2)
        .into_iter()
        .map(|entry| entry.expect("rules/ can be read").into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .filter(|path| path.parent().and_then(Path::file_name).is_some_and(|dir| dir != "catalog"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a page can be read");
            let dynlint::rules::page::Page { sections, examples, errors } = dynlint::rules::page::Page::parse(&text);
            let (id, family) = (name(path.file_stem()), name(path.parent().and_then(Path::file_name)));
            Page { path, id, family, sections, examples, errors }
        })
        .collect();
    pages.sort_by(|a, b| a.id.cmp(&b.id));
    pages
}

/// Pages to look at.
fn pages() -> Vec<Page> {
    let only = std::env::var("DYNLINT_RULE").ok().filter(|name| !name.is_empty());
    all().into_iter().filter(|page| only.as_ref().is_none_or(|name| page.id == *name)).collect()
}

fn findings(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().map(|r| &r.finding)
}

#[test]
fn examples_give_what_their_markers_say() {
    let mut wrong = String::new();
    for page in pages() {
        for example in &page.examples {
            let report = run(&example.text);
            let mut what = judge(&page.id, example, &report);
            if report.summary.deployments == 0 && what.is_empty() && rule_scope(&page) == Some("deployment") {
                what.push("  there is no deployment in it\n".to_owned());
            }
            if !what.is_empty() {
                let _ = writeln!(wrong, "{}:{}: {:?} example", page.path.display(), example.page_line, example.kind);
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
        _ => return None,
    })
}

#[test]
fn fixes_mend_what_they_are_for_and_break_nothing() {
    let (mut offered, mut proven) = (0, 0);
    let mut wrong = String::new();
    for page in pages() {
        for example in page.examples.iter().filter(|e| e.kind == Kind::Bad) {
            let report = run(&example.text);
            let before = tally(&report);
            let inputs = [Input::Bytes { bytes: example.text.as_bytes().to_vec(), path: None }];
            let options = Options {
                selection: Selection { profile: Profile::Audit, ..Selection::default() },
                ..Options::default()
            };
            let certifier = dynlint::fix::Certifier::new(&inputs, &options, &report);
            for finding in findings(&report) {
                // One that is not proven is demoted before anybody sees it.
                let Some(fix) = certifier.offer(finding).filter(|_| finding.fix.is_some()) else { continue };
                offered += usize::from(finding.rule == page.id);
                if fix.applicability == Applicability::Display {
                    continue;
                }
                proven += usize::from(finding.rule == page.id);
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
                // A finding whose message names the value that was changed is none that is new.
                let rules: Vec<&str> = before.keys().map(|(rule, _)| *rule).collect();
                new.retain(|(k, _)| **k != key && (fix.applicability == Applicability::Safe || !rules.contains(&k.0)));
                new.retain(|((rule, message), _)| {
                    let severity = run(&text)
                        .findings
                        .iter()
                        .map(|r| &r.finding)
                        .find(|f| f.rule == *rule && f.message == *message)
                        .map(|f| f.severity);
                    severity.is_none_or(|severity| severity >= finding.severity)
                });
                if overlap || left >= before[&key] || !new.is_empty() {
                    let _ = writeln!(
                        wrong,
                        "{}:{}: the fix of `{}`: overlapping edits: {overlap}, findings like it before {} and after \
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
    println!("{proven} of {offered} fixes of the bad examples are proven");
    assert!(proven > 0 || std::env::var_os("DYNLINT_RULE").is_some());
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
        let text = std::fs::read_to_string(&page.path).expect("a page can be read");
        for section in SECTIONS {
            if !page.sections.iter().any(|s| s == section) {
                say(format!("no section `## {section}`"));
            }
            // What it finds, effect, guard, remedy and evidence are said, not only announced.
            let said = text.split(&format!("## {section}\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
            if said.is_none_or(|said| said.trim().len() < 6) {
                say(format!("nothing under `## {section}`"));
            }
        }
        // Since which Dynamo it holds.
        if !text.lines().any(|line| line.strip_prefix("applies-to: ").is_some_and(|v| !v.trim().is_empty())) {
            say("no `applies-to`".to_owned());
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
    let pages: Vec<(String, String)> = all().into_iter().map(|p| (p.id, p.family)).collect();
    let rules: Vec<(String, String)> = RULES.iter().map(|r| (r.id.to_owned(), r.family.to_owned())).collect();
    assert_eq!(rules, pages);
    for rule in RULES {
        assert_eq!(dynlint::rules::find(rule.id).map(|r| r.id), Some(rule.id));
        assert!(!rule.page().starts_with("---"), "{}: front matter left in the page", rule.id);
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

#[test]
fn hygiene_is_advice_only() {
    let hygiene: Vec<_> = RULES.iter().filter(|rule| rule.family == "hygiene").collect();
    assert!(hygiene.len() > 15, "{}", hygiene.len());
    for rule in hygiene {
        assert_eq!(rule.severity, Severity::Advice, "{}", rule.id);
    }
}
