//! Plants a mistake into every known-good manifest where it can be made, and expects the rule that knows it, and nothing
//! else above advice.
//!
//! `DYNLINT_MUTATION=all cargo test --release --test mutation` plants everywhere; without it, in a few manifests a rule.

#[path = "common/mod.rs"]
mod common;
#[path = "mutation/edits.rs"]
mod edits;
#[path = "mutation/manifest.rs"]
mod manifest;
#[path = "mutation/plants.rs"]
mod plants;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dynlint::finding::{Confidence, Profile, Severity};
use dynlint::lint::{self, Input, Options, Report};
use dynlint::resolve::{Deployment, Version};
use dynlint::rules::RULES;
use manifest::{Manifest, Op};
use plants::{PLANTS, UNPLANTED};
use rayon::prelude::*;

/// What a finding is about, without its place: planting moves lines.
type Key = (&'static str, Option<String>, Option<String>);

/// A manifest without a loud finding, and what it says quietly.
struct Good {
    name: String,
    path: PathBuf,
    manifest: Manifest,
    deployment: Deployment,
}

fn input(text: &str, path: &Path) -> [Input; 1] {
    [Input::Bytes { bytes: text.as_bytes().to_vec(), path: Some(path.to_owned()) }]
}

fn check(text: &str, path: &Path) -> Report {
    lint::lint(&input(text, path), &Options { threads: 1, ..Options::default() })
}

/// What a rule that is hidden by default says of it.
fn audited(text: &str, path: &Path, rule: &str) -> bool {
    let hidden = RULES.iter().any(|r| r.id == rule && r.confidence == Confidence::Possible);
    let mut options = Options { threads: 1, ..Options::default() };
    options.selection.profile = Profile::Audit;
    hidden && lint::lint(&input(text, path), &options).findings.iter().any(|f| f.finding.rule == rule)
}

fn loud(report: &Report) -> BTreeSet<Key> {
    let findings = report.findings.iter().map(|r| &r.finding).filter(|f| f.severity > Severity::Advice);
    findings.map(|f| (f.rule, f.service.clone(), f.subject.clone())).collect()
}

/// Our own sound recipes, and those of the corpora that are quiet.
fn good() -> Vec<Good> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut places = vec![root.join("fixtures/good")];
    match common::corpus() {
        Some(corpus) => places.extend([corpus.join("upstream"), corpus.join("third-party")]),
        None => println!("skipped: no corpus; planting in our own recipes only"),
    }
    let mut list = Vec::new();
    for place in places {
        let files = walkdir::WalkDir::new(&place).sort_by_file_name().into_iter().filter_map(Result::ok);
        for entry in files.filter(|e| e.path().extension().is_some_and(|x| x == "yaml" || x == "yml")) {
            let Some(manifest) = std::fs::read_to_string(entry.path()).ok().and_then(|t| Manifest::read(&t)) else {
                continue;
            };
            // Written back without comments and layout; judged in that shape before and after.
            let text = manifest.write();
            let report = check(&text, entry.path());
            if !loud(&report).is_empty() {
                continue;
            }
            let (mut deployments, _) =
                lint::resolve(&input(&text, entry.path()), &Options { threads: 1, ..Options::default() });
            // What is true before 1.0 is said of few rules.
            let old = |s: &dynlint::resolve::Service| s.version().is_some_and(|v| v < Version::new(1, 0));
            if deployments.len() != 1 || deployments[0].services.iter().any(old) {
                continue;
            }
            let name = entry.path().strip_prefix(&place).unwrap_or(entry.path()).display().to_string();
            list.push(Good { name, path: entry.path().to_owned(), manifest, deployment: deployments.remove(0) });
        }
    }
    list
}

#[test]
fn every_transport_and_router_rule_is_planted_or_says_why_not() {
    let planted: BTreeSet<&str> = PLANTS.iter().map(|p| p.rule).collect();
    let excused: BTreeSet<&str> = UNPLANTED.iter().map(|u| u.0).collect();
    let rules: BTreeSet<&str> =
        RULES.iter().filter(|r| ["interconnect", "router"].contains(&r.family)).map(|r| r.id).collect();
    let both: Vec<&&str> = planted.intersection(&excused).collect();
    assert!(both.is_empty(), "planted after all: {both:?}");
    let neither: Vec<&&str> = rules.iter().filter(|r| !planted.contains(*r) && !excused.contains(*r)).collect();
    assert!(neither.is_empty(), "neither planted nor excused: {neither:?}");
    let gone: Vec<&&str> = excused.iter().filter(|r| !rules.contains(*r)).collect();
    assert!(gone.is_empty(), "no such rules: {gone:?}");
}

/// Whether what was planted is in force: a script may export another value, or never come to the engine.
fn in_force(manifest: &Manifest, path: &Path, ops: &plants::Ops) -> bool {
    let (deployments, _) =
        lint::resolve(&input(&manifest.write(), path), &Options { threads: 1, ..Options::default() });
    let Some(deployment) = deployments.first() else { return false };
    ops.iter().all(|(name, op)| {
        let Some(service) = deployment.services.iter().find(|s| s.name == *name) else { return false };
        match op {
            Op::Env(name, value) => service.env.known(name).is_some_and(|t| t.as_str() == value),
            Op::Flag(flag, value) => service.flag(&[flag]).is_some_and(|f| {
                value.as_ref().is_none_or(|v| f.value().and_then(|w| w.as_known()) == Some(v.as_str()))
            }),
            Op::NoFlag(flag, _) => service.flag(&[flag]).is_none(),
            Op::NoDevice | Op::Device(..) | Op::Replicas(_) | Op::Kind(_) | Op::Edit(..) => true,
        }
    })
}

#[test]
fn planted_mistakes_are_found_and_nothing_else() {
    let all = std::env::var("DYNLINT_MUTATION").is_ok_and(|v| v == "all");
    let only = std::env::var("DYNLINT_RULE").ok();
    let goods = good();
    assert!(goods.len() >= 8, "our own recipes at least");
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut missed = Vec::new();
    let mut noisy = Vec::new();
    for plant in PLANTS.iter().filter(|p| only.as_ref().is_none_or(|o| o == p.rule)) {
        let mut planted = Vec::new();
        for good in &goods {
            for ops in (plant.make)(&good.deployment) {
                let mut manifest = good.manifest.clone();
                if ops.iter().all(|(service, op)| manifest.apply(service, op).is_some()) {
                    planted.push((good, ops, manifest));
                }
            }
        }
        // A few, evenly spread, unless all are wanted.
        let step = if all { 1 } else { planted.len().div_ceil(6).max(1) };
        let chosen: Vec<_> = planted.into_iter().step_by(step).collect();
        let judged: Vec<_> = chosen
            .into_par_iter()
            .filter(|(good, ops, manifest)| in_force(manifest, &good.path, ops))
            .map(|(good, ops, manifest)| {
                let report = check(&manifest.write(), &good.path);
                let found = report.findings.iter().any(|f| f.finding.rule == plant.rule)
                    || audited(&manifest.write(), &good.path, plant.rule);
                (good, ops, report, found)
            })
            .collect();
        for (good, ops, report, found) in judged {
            let count = counts.entry(plant.rule).or_default();
            count.0 += 1;
            if found {
                count.1 += 1;
            } else {
                missed.push(format!("{}: not found in {} after {ops:?}", plant.rule, good.name));
            }
            for (rule, service, subject) in loud(&report) {
                if rule != plant.rule && !plant.also.contains(&rule) {
                    noisy.push(format!(
                        "{}: {} also got {rule} ({service:?}, {subject:?}) after {ops:?}",
                        plant.rule, good.name
                    ));
                }
            }
        }
    }
    for (rule, (planted, found)) in &counts {
        println!("{rule}: {found} of {planted}");
    }
    let (planted, found) = counts.values().fold((0, 0), |(a, b), (p, f)| (a + p, b + f));
    println!("{found} of {planted} planted mistakes found, {} rules, {} manifests", counts.len(), goods.len());
    for line in missed.iter().chain(&noisy) {
        println!("{line}");
    }
    if only.is_none() && common::corpus().is_some() {
        let never: Vec<&str> = PLANTS.iter().map(|p| p.rule).filter(|rule| !counts.contains_key(rule)).collect();
        assert!(never.is_empty(), "no manifest to plant these in: {never:?}");
    }
    assert!(noisy.is_empty(), "{} findings that nobody planted", noisy.len());
    assert!(found * 100 >= planted * 99, "only {found} of {planted} planted mistakes were found");
}
