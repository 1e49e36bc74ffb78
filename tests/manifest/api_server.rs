//! What dynlint says about the structure of an object, against what a real API server said.
//!
//! `api-server.tsv` holds the answers of Kubernetes 1.20 to a dry run of every object of our recipes and of the corpora, and
//! of mutations of them: whether it was taken, why not, and whether a field was dropped on the way. `.ci/crds` asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use dynlint::lint::{self, Input, Options};
use dynlint::manifest::Object;
use dynlint::source::Sources;
use dynlint::yaml::{self, Limits};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::common;
use crate::mutate::{Dice, mutate, sorted};

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manifest/api-server.tsv");

/// Why a difference is meant: a template is nothing yet that a server could be asked about, and dynlint says nothing of what
/// `envsubst` will put there.
fn template(case: &Case, verdict: &str) -> bool {
    verdict == "refused" && case.object.to_string().contains("\"${")
}

struct Case {
    /// Where the object stands, and which mutation of it this is (0: as it is).
    id: String,
    /// What was done to it.
    what: String,
    object: Value,
}

impl Case {
    fn hash(&self) -> String {
        let digest = Sha256::digest(self.object.to_string().as_bytes());
        digest[..6].iter().fold(String::new(), |mut out, b| {
            let _ = write!(out, "{b:02x}");
            out
        })
    }
}

/// Every object of a kind of Dynamo's in the files below a directory.
fn objects(root: &Path, label: &str) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    let files = walkdir::WalkDir::new(root).sort_by_file_name().into_iter().filter_map(Result::ok);
    for entry in files.filter(|e| e.path().extension().is_some_and(|x| x == "yaml" || x == "yml")) {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        let sources = Sources::new();
        let file = sources.add("deploy.yaml".to_owned(), None, text);
        let stream = yaml::parse(&file, &Limits::default());
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path()).display().to_string();
        let all = stream.documents.iter().flat_map(Object::of_document);
        for (index, object) in all.enumerate().filter(|(_, o)| o.group() == "nvidia.com") {
            if dynlint::catalog::crd::root(&object.kind, object.version()).is_some() {
                out.push((format!("{label}:{path}#{index}"), sorted(&yaml::json(&object.node))));
            }
        }
    }
    out
}

/// Ours and those of the corpora, as they are; 300 mutations of ours and 300 of theirs.
fn cases() -> Vec<Case> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut groups = vec![objects(&root.join("fixtures"), "fixtures")];
    if let Some(corpus) = common::corpus() {
        let mut theirs = objects(&corpus.join("upstream"), "upstream");
        theirs.extend(objects(&corpus.join("third-party"), "third-party"));
        groups.push(theirs);
    }
    let mut out = Vec::new();
    for group in groups {
        let each = 300_usize.div_ceil(group.len().max(1));
        let step = (group.len() / 300).max(1);
        for (index, (place, object)) in group.into_iter().enumerate() {
            for n in 1..=(if index % step == 0 { each } else { 0 }) {
                let id = format!("{place}\t{n}");
                let mut changed = object.clone();
                if let Some(what) = mutate(&mut changed, &mut Dice::new(&id)) {
                    out.push(Case { id, what, object: sorted(&changed) });
                }
            }
            out.push(Case { id: format!("{place}\t0"), what: String::new(), object });
        }
    }
    out
}

/// What dynlint makes of it: the rules that speak of what the server refuses, and whether one speaks of a dropped field.
fn judged(object: &Value) -> (Vec<&'static str>, bool) {
    let text = serde_json::to_string_pretty(object).expect("string keys");
    let input = [Input::Bytes { bytes: text.into_bytes(), path: Some(PathBuf::from("deploy.yaml")) }];
    let report = lint::lint(&input, &Options { threads: 1, ..Options::default() });
    let beta = object["apiVersion"] == "nvidia.com/v1beta1";
    let mut refused = Vec::new();
    let mut dropped = false;
    for found in &report.findings {
        match found.finding.rule {
            rule @ ("wrong-type" | "invalid-choice" | "missing-field" | "value-refused" | "duplicate-item") => {
                refused.push(rule);
            }
            // The old version takes any text there; it is the operator that knows six.
            rule @ "component-type-invalid" if beta => refused.push(rule),
            "unknown-field" | "api-version-shape" => dropped = true,
            _ => {}
        }
    }
    (refused, dropped)
}

#[test]
fn a_real_api_server_agrees_about_structure() {
    let cases = cases();
    if let Some(to) = std::env::var_os("DYNLINT_CRD_CASES") {
        let lines: String = cases
            .iter()
            .map(|c| format!("{}\n", json!({"id": c.id, "hash": c.hash(), "what": c.what, "object": c.object})))
            .collect();
        std::fs::write(to, lines).expect("the cases are written");
        return;
    }
    let record = std::fs::read_to_string(RECORD).expect("a record");
    let mut answers: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in record.lines().filter(|l| !l.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        answers.insert(format!("{}\t{}", cells[0], cells[1]), cells[2..].to_vec());
    }
    let (mut asked, mut mutations, mut refusals, mut stale) = (0, 0, 0, 0);
    let mut templates = 0;
    let mut differences = Vec::new();
    for case in &cases {
        let Some([hash, verdict, cause, dropped]) = answers.get(&case.id).map(Vec::as_slice) else {
            stale += 1;
            continue;
        };
        if **hash != case.hash() {
            stale += 1;
            continue;
        }
        asked += 1;
        mutations += usize::from(!case.what.is_empty());
        let (refused, drops) = judged(&case.object);
        refusals += usize::from(*verdict == "refused");
        let agrees = (*verdict == "refused") != refused.is_empty()
            // What a refused object would have lost, the server does not say.
            && (*verdict == "refused" || (*dropped == "dropped") == drops);
        let meant = template(case, verdict);
        templates += usize::from(!agrees && meant);
        if !agrees && !meant {
            differences.push(format!(
                "{} {}: the server {verdict} it ({cause}; {dropped}), dynlint {refused:?}, dropped: {drops}",
                case.id.replace('\t', " "),
                case.what
            ));
        }
    }
    println!(
        "{asked} answers of a real API server, {mutations} to mutations, {refusals} refusals: {} differences, and \
         {templates} templates; {stale} not asked yet",
        differences.len()
    );
    for line in &differences {
        println!("{line}");
    }
    // Nothing of ours is kept that nobody asks for; corpora differ, and `.ci/crds` drops what theirs no longer have.
    let ids: BTreeSet<&str> = cases.iter().map(|c| c.id.as_str()).collect();
    let spare: Vec<&String> =
        answers.keys().filter(|id| id.starts_with("fixtures:") && !ids.contains(id.as_str())).collect();
    assert!(spare.is_empty(), "nothing asks for {} answers, run `.ci/crds`: {spare:?}", spare.len());
    assert!(stale * 10 <= asked, "{stale} objects are not those that the server was asked about: run `.ci/crds`");
    assert!(mutations >= 300 && refusals >= 100, "{mutations} mutations, {refusals} refusals");
    assert!(differences.is_empty(), "{} differences from a real API server", differences.len());
}
