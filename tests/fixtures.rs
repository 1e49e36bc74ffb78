//! The recipes in `fixtures/`: the sound ones are quiet, each of the others has its one mistake found, on its line.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Rules that a mistake sets off besides its own, because it has more than one bad effect.
const ALSO: &[(&str, &str)] =
    &[("compute-domain-on-one-side", "compute-domain-numnodes"), ("transfer-backend-differs", "kv-connector-mismatch")];

/// Each mistake: directory, the rule that names it, and words of the line it must point at.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("compute-domain-on-one-side", "compute-domain-asymmetric", ""),
    ("decode-role-missing", "disagg-role-undeclared", ""),
    ("efa-with-ucx", "efa-with-ucx-backend", ""),
    ("kv-router-without-events", "kv-router-no-events", "--router-mode, kv"),
    ("router-env-on-worker", "router-env-on-worker", "value: kv"),
    ("router-mode-misspelled", "unknown-router-mode", "power_of_two"),
    ("transceiver-missing", "trtllm-cache-transceiver-missing", ""),
    ("transfer-backend-differs", "sglang-backend-defaults-mooncake", ""),
    ("ucx-tls-without-cuda-copy", "ucx-tls-missing-cuda-copy", "rc,cuda_ipc"),
];

fn check(path: &str) -> (Vec<Value>, Option<i32>) {
    let run = Command::new(env!("CARGO_BIN_EXE_dynlint"))
        .args(["check", "--format", "json", path])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("dynlint runs");
    let report: Value = serde_json::from_slice(&run.stdout).expect("a JSON report");
    (report["findings"].as_array().expect("findings").clone(), run.status.code())
}

#[test]
fn sound_recipes_are_quiet() {
    let (findings, code) = check("fixtures/good");
    // Where UCX is left to choose, one line of advice says what it will do; all else must be silent.
    let loud: Vec<String> = findings
        .iter()
        .filter(|f| f["rule"] != "disagg-transport-unpinned")
        .map(|f| format!("{} {}:{} {}", f["rule"], f["path"], f["line"], f["message"]))
        .collect();
    assert!(loud.is_empty(), "{}", loud.join("\n"));
    assert_eq!(code, Some(0));
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad");
    let mut directories: Vec<String> = std::fs::read_dir(&root)
        .expect("fixtures/bad")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    directories.sort();
    let listed: Vec<&str> = MISTAKES.iter().map(|m| m.0).collect();
    assert_eq!(directories, listed, "fixtures/bad and the list here agree");
    let mut wrong = Vec::new();
    for (directory, rule, words) in MISTAKES {
        let path = format!("fixtures/bad/{directory}/deploy.yaml");
        let (findings, code) = check(&path);
        assert_eq!(code, Some(1), "{directory}");
        let text = std::fs::read_to_string(root.join(directory).join("deploy.yaml")).expect("the recipe");
        let hit = findings.iter().find(|f| f["rule"] == *rule);
        let Some(hit) = hit else {
            wrong.push(format!(
                "{directory}: no {rule}, but {:?}",
                findings.iter().map(|f| f["rule"].to_string()).collect::<Vec<_>>()
            ));
            continue;
        };
        let line = hit["line"].as_u64().and_then(|n| usize::try_from(n).ok()).expect("a line");
        let written = text.lines().nth(line - 1).unwrap_or_default();
        if !written.contains(words) {
            wrong.push(format!("{directory}: {rule} points at line {line}: {written}"));
        }
        let others: Vec<String> = findings
            .iter()
            .filter(|f| f["rule"] != *rule && f["severity"] != "advice")
            .filter(|f| !ALSO.iter().any(|(d, also)| d == directory && f["rule"] == *also))
            .map(|f| f["rule"].to_string())
            .collect();
        if !others.is_empty() {
            wrong.push(format!("{directory}: besides {rule} also {}", others.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
