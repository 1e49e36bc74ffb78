//! The certificate held against the disk: every fix that is called verified is applied, written, read and linted anew.
//!
//! `DYNLINT_FIXES` says how many applications (400 unless given; the nightly run does 20,000).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use dynlint::finding::{Applicability, Edit, Finding, Profile, Selection, Severity};
use dynlint::fix::{Certifier, mend};
use dynlint::lint::{self, Input, Options, Report};
use dynlint::rules::RULES;
use dynlint::source::Sources;
use dynlint::yaml::{self, Kind, Limits, Node};
use rayon::prelude::*;

fn options() -> Options {
    Options {
        selection: Selection { profile: Profile::Audit, ..Selection::default() },
        threads: 1,
        ..Options::default()
    }
}

/// Manifests with something to mend in them: bad examples of the pages, fixtures, and the corpora where they are.
fn manifests() -> Vec<String> {
    let mut out = Vec::new();
    for rule in RULES {
        for fence in rule.page().split("```yaml bad").skip(1) {
            let body = fence.split_once('\n').map_or("", |(_, rest)| rest).split("```").next().unwrap_or_default();
            out.push(body.lines().filter(|l| !l.trim_start().starts_with("#~")).flat_map(|l| [l, "\n"]).collect());
        }
    }
    let mut roots = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")];
    match super::common::corpus() {
        Some(corpus) => roots.extend(["upstream", "third-party", "wild"].map(|name| corpus.join(name))),
        None => println!("skipped: no corpus"),
    }
    for root in roots {
        out.extend(files(&root).iter().filter_map(|path| std::fs::read_to_string(path).ok()));
    }
    out
}

fn files(root: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten();
    walk.map(walkdir::DirEntry::into_path).filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect()
}

/// A small generator of numbers: the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % n.max(1)
    }
}

/// The same manifest written otherwise: line ends, byte order mark, comments, blank lines, quotes.
fn rewritten(text: &str, round: usize) -> String {
    if round == 0 {
        return text.to_owned();
    }
    let mut numbers = Numbers(round as u64 * 7919 + text.len() as u64);
    let mut out = String::new();
    for line in text.lines() {
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let entry = line.trim_start().starts_with("- name:") || line.trim_end().ends_with(':');
        match numbers.below(12) {
            0 if entry => out.push_str(&format!("{indent}# why: ä note\n")),
            1 if entry => out.push('\n'),
            _ => {}
        }
        let value = line
            .trim_start()
            .strip_prefix("value: ")
            .filter(|v| v.bytes().all(|b| b.is_ascii_alphanumeric() || b"_,".contains(&b)));
        match (value, numbers.below(3)) {
            (Some(value), 0) => out.push_str(&format!("{indent}value: '{value}'")),
            (Some(value), 1) => out.push_str(&format!("{indent}value: \"{value}\" # so")),
            _ => out.push_str(line),
        }
        out.push('\n');
    }
    match numbers.below(4) {
        0 => out = out.replace('\n', "\r\n"),
        1 => out.truncate(out.trim_end().len()),
        2 => out.insert(0, '\u{feff}'),
        _ => {}
    }
    out
}

/// Counts of findings by what they are about, at each least severity.
fn tally(report: &Report, least: Severity) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for finding in report.findings.iter().map(|r| &r.finding).filter(|f| f.severity >= least) {
        *out.entry(about(finding)).or_default() += 1;
    }
    out
}

fn about(f: &Finding) -> String {
    format!("{} {:?} {:?} {:?}", f.rule, f.deployment, f.service, f.subject)
}

/// A scalar: where the keys lead (positions in lists left out) with the value, and the bytes of those keys and the value.
type Leaf = (String, Vec<std::ops::Range<usize>>);

/// Scalars below a node.
fn leaves(node: &Node, path: &str, keys: &[std::ops::Range<usize>], out: &mut Vec<Leaf>) {
    match &*node.kind {
        Kind::Map(map) => {
            for entry in &map.entries {
                let keys = [keys, &[entry.key.span.range()]].concat();
                leaves(&entry.value, &format!("{path}/{}", entry.key.name), &keys, out);
            }
        }
        Kind::Seq(items) => items.iter().for_each(|item| leaves(item, path, keys, out)),
        Kind::Scalar(scalar) => {
            let own = node.alias().unwrap_or(node.span).range();
            out.push((format!("{path}={}", scalar.value), [keys, &[own]].concat()));
        }
    }
}

fn parsed(text: &str) -> Vec<Leaf> {
    let file = Sources::new().add(String::new(), None, text.to_owned());
    let mut out = Vec::new();
    for root in yaml::parse(&file, &Limits::default()).documents.iter().filter_map(|d| d.root.as_ref()) {
        leaves(root, "", &[], &mut out);
    }
    out
}

/// Scalars of `a` that no edit touches and that `b` lacks.
fn lost(a: &[Leaf], b: &[Leaf], touched: &[std::ops::Range<usize>]) -> Vec<String> {
    let mut have: BTreeMap<&str, isize> = BTreeMap::new();
    b.iter().for_each(|(leaf, _)| *have.entry(leaf).or_default() += 1);
    a.iter().for_each(|(leaf, _)| *have.entry(leaf).or_default() -= 1);
    // As many as are touched may be gone.
    let meets = |range: &std::ops::Range<usize>| touched.iter().any(|t| t.start <= range.end && range.start <= t.end);
    for (leaf, ranges) in a {
        if ranges.iter().any(meets) {
            *have.entry(leaf).or_default() += 1;
        }
    }
    have.into_iter().filter(|(_, n)| *n < 0).map(|(leaf, _)| leaf.to_owned()).collect()
}

/// Applies edits by hand; also where they stand afterwards.
fn by_hand(text: &str, edits: &[Edit]) -> (String, Vec<std::ops::Range<usize>>) {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|e| e.span.start);
    let (mut out, mut at, mut after) = (String::new(), 0, Vec::new());
    for edit in edits {
        out.push_str(&text[at..edit.span.start as usize]);
        after.push(out.len()..out.len() + edit.text.len());
        out.push_str(&edit.text);
        at = edit.span.end as usize;
    }
    out.push_str(&text[at..]);
    (out, after)
}

/// Tries every fix of a manifest; what is wrong with one is said.
fn try_all(text: &str, dir: &Path, done: &AtomicUsize, wanted: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let inputs = [Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }];
    let report = lint::lint(&inputs, &options());
    if report.findings.iter().all(|r| r.finding.fix.is_none()) {
        return wrong;
    }
    let certifier = Certifier::new(&inputs, &options(), &report);
    let parsed_before = parsed(text);
    for finding in report.findings.iter().map(|r| &r.finding) {
        let Some(fix) = certifier.offer(finding).filter(|fix| fix.verified) else { continue };
        if done.fetch_add(1, Ordering::Relaxed) >= wanted {
            return wrong;
        }
        let mut say =
            |what: String| wrong.push(format!("{}: {what}\n  {}\n  {:?}", finding.rule, finding.message, fix.edits));
        assert_ne!(fix.applicability, Applicability::Display);
        let (after, places) = by_hand(text, &fix.edits);
        let touched: Vec<_> = fix.edits.iter().map(|e| e.span.range()).collect();
        let parsed_after = parsed(&after);
        let gone = lost(&parsed_before, &parsed_after, &touched);
        let new = lost(&parsed_after, &parsed_before, &places);
        if !gone.is_empty() || !new.is_empty() {
            say(format!("other values changed: gone {gone:?}, new {new:?}"));
        }
        // From the disk, with nothing kept from the run that proved it.
        let path = dir.join("deploy.yaml");
        std::fs::write(&path, &after).expect("written");
        let again = lint::lint(&[Input::Path(path)], &options());
        let (before, now) = (tally(&report, Severity::Advice), tally(&again, Severity::Advice));
        let key = about(finding);
        if now.get(&key).copied().unwrap_or_default() >= before[&key] {
            say("the finding is still there".to_owned());
        }
        let (before, now) = (tally(&report, finding.severity), tally(&again, finding.severity));
        for (key, n) in now {
            if n > before.get(&key).copied().unwrap_or_default() {
                say(format!("new: {key}"));
            }
        }
        if after == *text {
            say("changes nothing".to_owned());
        }
    }
    wrong
}

#[test]
fn the_certificate_never_lies() {
    let wanted = std::env::var("DYNLINT_FIXES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let manifests = manifests();
    let done = AtomicUsize::new(0);
    let mut wrong = Vec::new();
    for round in 0..200 {
        let before = done.load(Ordering::Relaxed);
        let more: Vec<Vec<String>> = manifests
            .par_iter()
            .map(|text| {
                if done.load(Ordering::Relaxed) >= wanted {
                    return Vec::new();
                }
                let dir = tempfile::tempdir().expect("a directory");
                try_all(&rewritten(text, round), dir.path(), &done, wanted)
            })
            .collect();
        wrong.extend(more.into_iter().flatten());
        if done.load(Ordering::Relaxed) >= wanted || done.load(Ordering::Relaxed) == before {
            break;
        }
    }
    let count = done.load(Ordering::Relaxed).min(wanted);
    println!("{count} fixes applied, {} wrong", wrong.len());
    assert!(count > 100);
    assert!(wrong.is_empty(), "{}", wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn mending_twice_is_mending_once() {
    let fixtures = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    let mut changed = 0;
    for path in fixtures {
        let inputs = [Input::Path(path)];
        let first = mend(&inputs, &options(), true);
        let second = mend(&first.inputs, &first.options, true);
        assert!(second.applied.is_empty() && second.changed.is_empty(), "{:?}", second.applied);
        changed += first.changed.len();
    }
    assert!(changed > 3);
}
