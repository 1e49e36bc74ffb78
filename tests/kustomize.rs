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
