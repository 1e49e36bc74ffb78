//! What makes dynlint fit a repository that is already there: ignores, configuration, baselines, changed files.

#[path = "adopt/baseline.rs"]
mod baseline;
#[path = "adopt/changed.rs"]
mod changed;
#[path = "adopt/config.rs"]
mod config;
#[path = "adopt/fingerprints.rs"]
mod fingerprints;
#[path = "adopt/hour.rs"]
mod hour;
#[path = "adopt/ignores.rs"]
mod ignores;

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A frontend with a router mode that does not exist: one error.
const WRONG: &str = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: web
spec:
  services:
    Frontend:
      componentType: frontend
      replicas: 1
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.0.0
          env:
            - name: DYN_ROUTER_MODE
              value: kv-aware
";

/// Runs `git` as somebody.
fn git(dir: &Path, args: &[&str]) {
    let out = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"])
        .args(args)
        .output()
        .expect("git runs");
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
}

fn dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        write(dir.path(), name, text);
    }
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).expect("a file")
}

#[derive(Debug)]
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    let out = Command::new(env!("CARGO_BIN_EXE_dynlint"))
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("dynlint runs");
    Ran {
        code: out.status.code().expect("no signal"),
        out: String::from_utf8(out.stdout).expect("UTF-8"),
        err: String::from_utf8(out.stderr).expect("UTF-8"),
    }
}

fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    let ran = run(dir, &[&["check", "--format", "json"], args].concat());
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

/// Rules of the findings shown, in order, and how many are suppressed.
fn rules(report: &serde_json::Value) -> (Vec<String>, u64) {
    let findings = report["findings"].as_array().expect("findings");
    let rules = findings.iter().map(|f| f["rule"].as_str().expect("a rule").to_owned()).collect();
    (rules, report["summary"]["suppressed"].as_u64().expect("a number"))
}
