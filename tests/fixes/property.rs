//! The certificate held against the disk: every fix that is called verified is applied, written, read and linted anew.
//!
//! Every other round takes the manifests as parts of kustomize trees (`trees.rs`): an edit lands in a base or a patch, and
//! every overlay is built anew. `DYNLINT_FIXES` says how many applications (400 unless given; the nightly run does
//! 20,000), `DYNLINT_FIXES_SEED` how the manifests are rewritten. What goes wrong is kept below `target/tmp/fixes`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use dynlint::finding::{Applicability, Edit, Finding, Profile, Selection, Severity};
use dynlint::fix::{Certifier, mend};
use dynlint::lint::{self, Input, Options, Report, Seen};
use dynlint::resolve::wire;
use dynlint::rules::RULES;
use dynlint::source::{FileId, Sources};
use dynlint::yaml::{self, Kind, Limits, Node};
use rayon::prelude::*;
use serde_json::Value;

use super::trees;

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
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % n.max(1)
    }
}

/// The same manifest written otherwise: line ends, byte order mark, comments, blank lines, quotes.
fn rewritten(text: &str, round: u64) -> String {
    if round == 0 {
        return text.to_owned();
    }
    let mut numbers = Numbers(round * 7919 + text.len() as u64);
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

/// Counts of findings by what they are about, in each kustomization, at each least severity.
fn tally(report: &Report, least: Severity) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for finding in report.findings.iter().map(|r| &r.finding).filter(|f| f.severity >= least) {
        about(finding).into_iter().for_each(|key| *out.entry(key).or_default() += 1);
    }
    out
}

fn about(f: &Finding) -> Vec<String> {
    let key = |overlay: &str| format!("{} {:?} {:?} {:?} {overlay}", f.rule, f.deployment, f.service, f.subject);
    if f.overlays.is_empty() { vec![key("")] } else { f.overlays.iter().map(|overlay| key(overlay)).collect() }
}

/// A service: its kustomization, its deployment, its name.
type Whose = (Option<String>, String, String);

/// What each service comes to, places left out.
fn services(report: &Report, seen: &[Seen]) -> BTreeMap<Whose, Vec<Value>> {
    let mut out: BTreeMap<Whose, Vec<Value>> = BTreeMap::new();
    for seen in seen {
        let shown = wire::deployment(&seen.deployment, &report.sources);
        for service in shown.services {
            let whose = (seen.overlay.clone(), seen.deployment.name.clone(), service.name.clone());
            let mut value = serde_json::to_value(service).expect("JSON");
            strip(&mut value);
            out.entry(whose).or_default().push(value);
        }
    }
    out
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            ["path", "line", "column", "chain"].iter().for_each(|key| drop(map.remove(*key)));
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Services that are not what they were, though no finding of that rule is about them.
fn strayed(
    rule: &str,
    report: &Report,
    before: &BTreeMap<Whose, Vec<Value>>,
    after: &BTreeMap<Whose, Vec<Value>>,
) -> Vec<Whose> {
    let meant = |(overlay, deployment, service): &Whose| {
        report.findings.iter().map(|reported| &reported.finding).any(|finding| {
            finding.rule == rule
                && overlay.as_ref().map_or(finding.overlays.is_empty(), |overlay| finding.overlays.contains(overlay))
                && finding.deployment.as_ref().is_none_or(|name| name == deployment)
                && finding.service.as_ref().is_none_or(|name| name == service)
        })
    };
    // A service that is there under a new name is one that was meant.
    let renamed = before.keys().any(|whose| meant(whose) && !after.contains_key(whose));
    let changed = before.iter().filter(|(whose, value)| after.get(*whose) != Some(value)).map(|(whose, _)| whose);
    let new = after.keys().filter(|whose| !renamed && !before.contains_key(*whose));
    changed.chain(new).filter(|whose| !meant(whose)).cloned().collect()
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

/// Edits by file.
fn by_file(edits: &[Edit]) -> BTreeMap<FileId, Vec<Edit>> {
    let mut out: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    for edit in edits {
        out.entry(edit.span.file).or_default().push(edit.clone());
    }
    out
}

/// Tries every fix of what lies in a directory; what is wrong with one is said.
fn try_all(inputs: &[Input], dir: &Path, done: &AtomicUsize, wanted: usize) -> Vec<String> {
    let mut wrong = Vec::new();
    let (report, seen) = lint::examine(inputs, &options());
    if report.findings.iter().all(|r| r.finding.fix.is_none()) {
        return wrong;
    }
    let services_before = services(&report, &seen);
    let certifier = Certifier::new(inputs, &options(), &report);
    for finding in report.findings.iter().map(|r| &r.finding) {
        let Some(fix) = certifier.offer(finding).filter(|fix| fix.verified) else { continue };
        if done.fetch_add(1, Ordering::Relaxed) >= wanted {
            return wrong;
        }
        let mut say =
            |what: String| wrong.push(format!("{}: {what}\n  {}\n  {:?}", finding.rule, finding.message, fix.edits));
        assert_ne!(fix.applicability, Applicability::Display);
        let mut restore = Vec::new();
        for (file, edits) in by_file(&fix.edits) {
            let file = report.sources.get(file);
            let (after, places) = by_hand(&file.text, &edits);
            let touched: Vec<_> = edits.iter().map(|e| e.span.range()).collect();
            let (parsed_before, parsed_after) = (parsed(&file.text), parsed(&after));
            let gone = lost(&parsed_before, &parsed_after, &touched);
            let new = lost(&parsed_after, &parsed_before, &places);
            if !gone.is_empty() || !new.is_empty() {
                say(format!("other values changed: gone {gone:?}, new {new:?}"));
            }
            if after == *file.text {
                say("changes nothing".to_owned());
            }
            let path = file.path.clone().unwrap_or_else(|| dir.join("deploy.yaml"));
            std::fs::write(&path, after).expect("written");
            restore.push((path, file.text.to_string()));
        }
        // From the disk, with nothing kept from the run that proved it.
        let (again, seen) = lint::examine(&[Input::Path(dir.to_owned())], &options());
        let (before, now) = (tally(&report, Severity::Advice), tally(&again, Severity::Advice));
        for key in about(finding) {
            if now.get(&key).copied().unwrap_or_default() >= before[&key] {
                say(format!("the finding is still there: {key}"));
            }
        }
        let (before, now) = (tally(&report, finding.severity), tally(&again, finding.severity));
        for (key, n) in now {
            if n > before.get(&key).copied().unwrap_or_default() {
                say(format!("new: {key}"));
            }
        }
        for whose in strayed(finding.rule, &report, &services_before, &services(&again, &seen)) {
            say(format!("not meant, and changed: {whose:?}"));
        }
        restore.into_iter().for_each(|(path, text)| std::fs::write(path, text).expect("written"));
    }
    wrong
}

/// One manifest in one round: by itself on standard input, or in a tree.
fn attempt(text: &str, round: u64, tree: bool, done: &AtomicUsize, wanted: usize) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let text = rewritten(text, round);
    let wrong = if !tree {
        let inputs = [Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }];
        try_all(&inputs, dir.path(), done, wanted)
    } else if trees::plant(&text, dir.path(), &mut Numbers(round * 104_729 + text.len() as u64)).is_some() {
        try_all(&[Input::Path(dir.path().to_owned())], dir.path(), done, wanted)
    } else {
        return Vec::new();
    };
    if !wrong.is_empty() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixes");
        std::fs::create_dir_all(&kept).expect("a directory");
        if !tree {
            std::fs::write(dir.path().join("deploy.yaml"), &text).expect("written");
        }
        let kept = tempfile::Builder::new().prefix(&format!("{round}-")).tempdir_in(kept).expect("a directory").keep();
        for path in files(dir.path()) {
            let to = kept.join(path.strip_prefix(dir.path()).expect("below it"));
            std::fs::create_dir_all(to.parent().expect("a parent")).expect("a directory");
            std::fs::copy(&path, to).expect("copied");
        }
        return wrong.into_iter().map(|what| format!("{}: {what}", kept.display())).collect();
    }
    wrong
}

#[test]
fn the_certificate_never_lies() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let wanted = usize::try_from(number("DYNLINT_FIXES").unwrap_or(400)).expect("a number");
    let seed = number("DYNLINT_FIXES_SEED").unwrap_or(0);
    let manifests = manifests();
    // As many applications in trees as outside them.
    let (alone, trees) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut wrong = Vec::new();
    for (done, tree) in [(&alone, false), (&trees, true)] {
        let wanted = if tree { wanted - wanted / 2 } else { wanted / 2 };
        for round in 0..200 {
            let before = done.load(Ordering::Relaxed);
            let more: Vec<Vec<String>> = manifests
                .par_iter()
                .map(|text| {
                    if done.load(Ordering::Relaxed) >= wanted {
                        return Vec::new();
                    }
                    attempt(text, seed * 1000 + round, tree, done, wanted)
                })
                .collect();
            wrong.extend(more.into_iter().flatten());
            if done.load(Ordering::Relaxed) >= wanted || done.load(Ordering::Relaxed) == before {
                break;
            }
        }
        done.fetch_min(wanted, Ordering::Relaxed);
    }
    let (alone, trees) = (alone.into_inner(), trees.into_inner());
    println!("{} fixes applied, {trees} of them in kustomize trees; {} wrong", alone + trees, wrong.len());
    assert!(alone > 50 && trees > 50, "{alone} {trees}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
