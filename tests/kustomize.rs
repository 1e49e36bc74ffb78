//! The build agrees with `kubectl kustomize`: on every kustomization of the corpus, and on small cases of our own, one
//! for each feature, in `tests/kustomize/<case>/` (the case's root is its `overlay` directory when it has one).

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Disk, corpus, json};
use dynlint::kustomize;
use dynlint::source::Sources;
use dynlint::yaml::{self, Limits};
use serde_json::Value;

/// What the oracle makes of a directory; `None` when it refuses.
fn oracle(directory: &Path) -> Option<Vec<Value>> {
    let run = Command::new("kubectl").arg("kustomize").arg(directory).output().ok()?;
    if !run.status.success() {
        return None;
    }
    let sources = Sources::new();
    let file = sources.add("oracle".to_owned(), None, String::from_utf8(run.stdout).ok()?);
    let stream = yaml::parse(&file, &Limits::default());
    assert!(stream.problems.is_empty(), "the oracle's output reads without problems: {:?}", stream.problems);
    Some(stream.documents.iter().filter_map(|d| d.root.as_ref()).map(json).collect())
}

fn ours(directory: &Path) -> Option<(Vec<Value>, kustomize::Build)> {
    let disk = Disk::default();
    let build = kustomize::build(directory, &disk)?;
    Some((build.objects.iter().map(|o| json(&o.node)).collect(), build))
}

fn have_kubectl() -> bool {
    let have = Command::new("kubectl").args(["kustomize", "--help"]).output().is_ok_and(|o| o.status.success());
    assert!(have || std::env::var_os("CI").is_none(), "kubectl is needed here");
    if !have {
        println!("skipped: no kubectl");
    }
    have
}

/// Compares; a refusal by the oracle must be an error or something undecided of ours.
fn differences(directories: &[PathBuf]) -> (usize, Vec<String>) {
    let (mut equal, mut out) = (0, Vec::new());
    for directory in directories {
        let Some((mine, build)) = ours(directory) else {
            out.push(format!("{}: no build", directory.display()));
            continue;
        };
        match oracle(directory) {
            Some(theirs) if mine == theirs => equal += 1,
            Some(theirs) => {
                let first = mine.iter().zip(&theirs).find(|(a, b)| a != b);
                let (a, b) = first.map_or((Value::Null, Value::Null), |(a, b)| (a.clone(), b.clone()));
                out.push(format!(
                    "{}: {} objects, the oracle has {}; first difference:\n  ours   {a}\n  oracle {b}\n  errors {:?}",
                    directory.display(),
                    mine.len(),
                    theirs.len(),
                    build.errors
                ));
            }
            None if build.errors.is_empty() && build.undecided.is_empty() => {
                out.push(format!("{}: the oracle refuses it, we do not", directory.display()));
            }
            None => equal += 1,
        }
    }
    (equal, out)
}

#[test]
fn every_kustomization_of_the_corpus() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    if !have_kubectl() {
        return;
    }
    let mut directories: Vec<PathBuf> = walkdir::WalkDir::new(&corpus)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|e| kustomize::FILE_NAMES.iter().any(|n| e.file_name() == *n))
        .filter_map(|e| e.path().parent().map(Path::to_owned))
        .collect();
    directories.sort();
    let (equal, differences) = differences(&directories);
    println!("{equal} of {} kustomizations equal", directories.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn our_own_cases() {
    if !have_kubectl() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kustomize");
    let mut directories: Vec<PathBuf> = std::fs::read_dir(root)
        .expect("the cases")
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| p.is_dir())
        .map(|p| if p.join("overlay").is_dir() { p.join("overlay") } else { p })
        .collect();
    directories.sort();
    assert!(directories.len() >= 60, "only {} cases", directories.len());
    let (_, differences) = differences(&directories);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Kustomizations with one line more than `resources`: what the oracle refuses we refuse, what it builds we build.
const LINES: &[&str] = &[
    "bogus: x",
    "Resources: [r.yaml]",
    "namePrefix: [a]",
    "namePrefix: 5",
    "namePrefix: null",
    "patches: {path: x}",
    "patches: [{patch: 'a: b'}]",
    "patches: [{path: p.yaml, bogus: x}]",
    "patches: [{path: p.yaml, target: {kind: Deployment, bogus: x}}]",
    "patches: [{path: p.yaml, options: {allowNameChange: 'yes'}}]",
    "patches: [{path: p.yaml, options: {allowNameChange: true}}]",
    "patches: [p.yaml]",
    "patchesStrategicMerge: [p.yaml]",
    "patchesStrategicMerge: p.yaml",
    "apiVersion: foo/v1",
    "apiVersion: kustomize.config.k8s.io/v1alpha1",
    "apiVersion: ''",
    "kind: Foo",
    "kind: Component",
    "labels: [{pairs: {a: 1}}]",
    "labels: [{pairs: {a: b}, includeSelectors: 'true'}]",
    "labels: [{pairs: {a: b}, fields: [{path: spec/x, create: true}]}]",
    "labels: [{pairs: {a: b}, fieldSpecs: [{path: spec/x, create: true}]}]",
    "labels: {a: b}",
    "commonLabels: {a: 1}",
    "commonLabels: {a: null}",
    "commonAnnotations: {a: true}",
    "commonAnnotations: [a]",
    "images: [{name: x, newTag: 1.5}]",
    "images: [{name: x, newTag: '1.5'}]",
    "images: [{name: registry.example/app, tag: x}]",
    "imageTags: [{name: registry.example/app, newTag: x}]",
    "replicas: [{name: d, count: x}]",
    "replicas: [{name: d, count: 1.5}]",
    "replicas: [{name: d, count: 3}]",
    "metadata: {name: x}",
    "configMapGenerator: [{literals: [a=b]}]",
    "configMapGenerator: [{name: m, literals: [a]}]",
    "configMapGenerator: [{name: m, literals: {a: b}}]",
    "configMapGenerator: [{name: m, data: {a: b}}]",
    "configMapGenerator: [{name: m, behavior: bogus, literals: [a=b]}]",
    "configMapGenerator: [{name: m, options: {bogus: true}}]",
    "configMapGenerator: [{name: m, files: [nope]}]",
    "configMapGenerator: [{name: m, envs: [nope]}]",
    "generatorOptions: {bogus: true}",
    "generatorOptions: {labels: {a: b}}",
    "namespace: 5",
    "replacements: [{path: nope}]",
    "replacements: [{source: {kind: Deployment, fieldPath: spec.replicas}, target: x}]",
    "replacements: [{source: {kind: Deployment}, targets: [{select: {kind: Deployment}, fieldPaths: spec}]}]",
    "openapi: {path: nope}",
    "openapi: nope",
    "validators: [v.yaml]",
    "sortOptions: {order: bogus}",
    "sortOptions: {order: fifo}",
    "buildMetadata: [bogus]",
    "buildMetadata: originAnnotations",
    "components: [nope]",
    "components: nope",
    "crds: [nope]",
    "configurations: [nope]",
    "transformers: [nope]",
    "generators: [nope]",
    "vars: [{name: X}]",
    "patches: [{path: ../shared.yaml}]",
    "patchesStrategicMerge: [../shared.yaml]",
    "configMapGenerator: [{name: m, files: [../shared.yaml]}]",
    "configMapGenerator: [{name: m, envs: [../shared.env]}]",
    "configurations: [../empty.yaml]",
    "bases: [../base]",
];

#[test]
fn what_the_oracle_refuses_is_refused() {
    if !have_kubectl() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let object = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n";
    let spec = "spec: {template: {spec: {containers: [{name: c, image: registry.example/app:1}]}}}\n";
    let common = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    common("shared.yaml", &format!("{object}spec: {{paused: true}}\n"));
    common("shared.env", "A=b\n");
    common("empty.yaml", "{}\n");
    std::fs::create_dir(dir.path().join("base")).expect("made");
    common("base/kustomization.yaml", "namePrefix: x\nresources: [r.yaml]\n");
    common("base/r.yaml", &object.replace("name: d", "name: e"));
    let mut cases = Vec::new();
    for (number, line) in LINES.iter().enumerate() {
        let case = dir.path().join(format!("{number}"));
        std::fs::create_dir(&case).expect("made");
        let write = |name: &str, text: &str| std::fs::write(case.join(name), text).expect("written");
        write("kustomization.yaml", &format!("resources: [r.yaml]\n{line}\n"));
        write("r.yaml", &format!("{object}{spec}"));
        write("p.yaml", &format!("{object}spec: {{paused: true}}\n"));
        cases.push(case);
    }
    let (_, differences) = differences(&cases);
    let shown = differences.iter().map(|text| {
        let number = text.strip_prefix(&format!("{}/", dir.path().display())).unwrap_or_default();
        let number: usize = number.split(':').next().unwrap_or_default().parse().expect("a number");
        format!("{}\n  {text}", LINES[number])
    });
    assert!(differences.is_empty(), "{}", shown.collect::<Vec<_>>().join("\n"));
    println!("{} lines", cases.len());
}
