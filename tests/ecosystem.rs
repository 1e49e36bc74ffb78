//! Every error and warning over the real manifests has a reviewed verdict, and none is false.
//!
//! The manifests belong to other people and are not in this repository: the test runs where a corpus directory stands
//! (`DYNLINT_CORPUS`, or `shared/corpus` beside the checkout) and says so where none does.

mod common;

use common::corpus;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// What a finding is about, whatever line it stands on.
type Key = (String, String, String, String, String);

/// `corpus rule path service subject → verdict, reason` from the reviewed table.
fn verdicts() -> BTreeMap<Key, (String, String)> {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ecosystem/verdicts.tsv");
    let mut out = BTreeMap::new();
    for (n, line) in std::fs::read_to_string(table).expect("the table of verdicts").lines().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        let cells: Vec<&str> = line.split('\t').collect();
        let [corpus, rule, path, service, subject, verdict, reason] = cells[..] else {
            panic!("verdicts.tsv:{}: seven tab-separated cells, found {}", n + 1, cells.len());
        };
        assert!(["true", "debatable"].contains(&verdict), "verdicts.tsv:{}: `{verdict}` cannot land", n + 1);
        assert!(!reason.is_empty(), "verdicts.tsv:{}: a verdict needs its reason", n + 1);
        let key = (corpus.into(), rule.into(), path.into(), service.into(), subject.into());
        out.insert(key, (verdict.into(), reason.into()));
    }
    out
}

/// Errors and warnings of a default run over one corpus.
fn loud(corpus: &Path, name: &str) -> BTreeMap<Key, String> {
    let run = Command::new(env!("CARGO_BIN_EXE_dynlint"))
        .args(["check", "--format", "json", "."])
        .current_dir(corpus.join(name))
        .output()
        .expect("dynlint runs");
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).expect("a JSON report");
    let text = |v: &serde_json::Value| v.as_str().unwrap_or("-").to_owned();
    report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|f| f["severity"] != "advice")
        .map(|f| {
            let key = (name.to_owned(), text(&f["rule"]), text(&f["path"]), text(&f["service"]), text(&f["subject"]));
            (key, format!("line {}: {}: {}", f["line"], text(&f["severity"]), text(&f["message"])))
        })
        .collect()
}

#[test]
fn every_loud_finding_is_reviewed() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let verdicts = verdicts();
    let mut missing = Vec::new();
    let mut seen = BTreeSet::new();
    for name in ["upstream", "third-party"] {
        for (key, what) in loud(&corpus, name) {
            if !verdicts.contains_key(&key) {
                missing.push(format!("{}\t{}\t{}\t{}\t{}\t  {what}", key.0, key.1, key.2, key.3, key.4));
            }
            seen.insert(key);
        }
    }
    assert!(missing.is_empty(), "{} findings without a verdict:\n{}", missing.len(), missing.join("\n"));
    let stale: Vec<String> = verdicts
        .keys()
        .filter(|k| !seen.contains(*k))
        .map(|k| format!("{}\t{}\t{}\t{}\t{}", k.0, k.1, k.2, k.3, k.4))
        .collect();
    assert!(stale.is_empty(), "{} verdicts on findings that are gone:\n{}", stale.len(), stale.join("\n"));
}

/// Verdicts of each rule: hits, confirmed.
fn reviewed() -> BTreeMap<String, (u32, u32)> {
    let mut out: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (key, (verdict, _)) in verdicts() {
        let count = out.entry(key.1).or_default();
        count.0 += 1;
        count.1 += u32::from(verdict == "true");
    }
    out
}

#[test]
fn rules_know_how_they_fared() {
    let reviewed = reviewed();
    for rule in dynlint::rules::RULES {
        // One place may be said of several graphs, so that a rule can have more hits than places.
        let (hits, confirmed) = reviewed.get(rule.id).copied().unwrap_or_default();
        let told = rule.measured;
        assert!(told.hits >= hits && told.confirmed >= confirmed, "{}: run `cargo xtask ecosystem`", rule.id);
        assert_eq!(told.hits > 0, hits > 0, "{}: run `cargo xtask ecosystem`", rule.id);
    }
}

/// A rule that was wrong once in ten is no rule that speaks by default.
#[test]
fn who_is_often_wrong_does_not_claim_to_be_sure() {
    use dynlint::finding::Confidence;
    for rule in dynlint::rules::RULES {
        let precise = rule.measured.confirmed * 10 >= rule.measured.hits * 9;
        assert!(
            rule.measured.hits < 5 || precise || rule.confidence < Confidence::Likely,
            "{}: {} of {} hits confirmed, but its page says {}",
            rule.id,
            rule.measured.confirmed,
            rule.measured.hits,
            rule.confidence
        );
    }
}

#[test]
fn debatable_findings_do_not_shout() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let loud_debatable: Vec<String> = ["upstream", "third-party"]
        .iter()
        .flat_map(|name| loud(&corpus, name))
        .filter(|(key, _)| verdicts().get(key).is_some_and(|(verdict, _)| verdict == "debatable"))
        .map(|(key, what)| format!("{} {} {what}", key.1, key.2))
        .collect();
    assert!(loud_debatable.is_empty(), "debatable findings must be advice or off:\n{}", loud_debatable.join("\n"));
}
