//! A new user's hour: install is behind them; a repository full of old recipes is before them.

use std::path::Path;
use std::process::Command;

use super::{git, json, read, rules, run, write};

/// As [`run`], inside GitHub Actions; what is in the job summary afterwards.
fn in_actions(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let summary = dir.join(".git/summary.md");
    let _ = std::fs::remove_file(&summary);
    let out = Command::new(env!("CARGO_BIN_EXE_dynlint"))
        .current_dir(dir)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_WORKSPACE", dir)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .args(args)
        .output()
        .expect("dynlint runs");
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    (out.status.code().expect("no signal"), text, std::fs::read_to_string(summary).expect("a summary"))
}

#[test]
fn an_old_repository_is_adopted_and_only_what_is_new_is_said() {
    let dir = super::dir(&[]);
    let p = dir.path();
    // Old recipes: every mistake of the fixtures.
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bad");
    for entry in std::fs::read_dir(fixtures).expect("fixtures").flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path().join("deploy.yaml")) else { continue };
        write(p, &format!("recipes/{}/deploy.yaml", entry.file_name().to_string_lossy()), &text);
    }
    git(p, &["init", "-q", "-b", "main"]);
    git(p, &["add", "-A"]);
    git(p, &["commit", "-qm", "old"]);

    // What is there?
    let ran = run(p, &["check", "--statistics"]);
    assert!(ran.code == 1 && ran.out.contains("unknown-router-mode"), "{ran:?}");
    let old = rules(&json(p, &[])).0.len();
    assert!(old > 9, "{old}");

    // Say what holds, and draw a line.
    assert_eq!(run(p, &["config", "init"]).code, 0);
    let config = read(p, "dynlint.toml")
        .replace("# baseline = ", "baseline = ")
        .replace("# ignores-need-reason = false", "ignores-need-reason = true");
    write(p, "dynlint.toml", &config);
    let ran = run(p, &["baseline", "write"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = format!("recorded {old} findings in `dynlint-baseline.json`; `dynlint check` fails on new ones only");
    assert!(ran.err.contains(&said), "{}", ran.err);
    let ran = run(p, &["check"]);
    assert!(ran.code == 0 && ran.err.contains(&format!("0 new, {old} unchanged, 0 resolved")), "{ran:?}");
    git(p, &["add", "-A"]);
    git(p, &["commit", "-qm", "adopt dynlint"]);

    // A new recipe on a branch, with a mistake: CI says that and nothing else.
    git(p, &["checkout", "-qb", "feature"]);
    write(p, "recipes/new/deploy.yaml", super::WRONG);
    let (code, out, summary) = in_actions(p, &["check"]);
    assert_eq!(code, 1, "{out}");
    let annotations: Vec<&str> = out.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(annotations.len(), 1, "{out}");
    assert!(annotations[0].starts_with("::warning file=recipes/new/deploy.yaml,line=15,"), "{out}");
    assert!(summary.contains("recipes/new/deploy.yaml:15:22") && !summary.contains("router-mode-misspelled"));
    let (code, out, _) = in_actions(p, &["check", "--changed-since", "main"]);
    assert!(code == 1 && out.lines().filter(|line| line.starts_with("::")).count() == 1, "{out}");

    // It is meant: an ignore says so, and must say why.
    let ignored =
        |comment: &str| super::WRONG.replace("value: kv-aware", &format!("value: kv-aware # dynlint: {comment}"));
    write(p, "recipes/new/deploy.yaml", &ignored("ignore[unknown-router-mode]"));
    assert_eq!(rules(&json(p, &[])).0, ["ignore-without-reason"]);
    write(p, "recipes/new/deploy.yaml", &ignored("ignore[unknown-router-mode] our fork knows it"));
    let report = json(p, &[]);
    assert_eq!(rules(&report), (vec![], old as u64 + 1));

    // Code scanning has them all, each with what silences it.
    let ran = run(p, &["check", "-f", "sarif", "-o", "out.sarif", "-f", "concise"]);
    assert!(ran.code == 0 && ran.out.is_empty(), "{ran:?}");
    let log: serde_json::Value = serde_json::from_str(&read(p, "out.sarif")).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let kinds = |kind: &str| results.iter().filter(|result| result["suppressions"][0]["kind"] == kind).count();
    assert_eq!((results.len(), kinds("external"), kinds("inSource")), (old + 1, old, 1));

    // One old mistake is mended: it leaves the baseline.
    let path = "recipes/router-mode-misspelled/deploy.yaml";
    write(p, path, &read(p, path).replace("power_of_two", "power-of-two"));
    let ran = run(p, &["check"]);
    assert!(ran.code == 0 && ran.err.contains("1 resolved"), "{ran:?}");
    let ran = run(p, &["baseline", "prune"]);
    assert!(ran.err.contains(&format!("forgot 1, kept {} in `dynlint-baseline.json`", old - 1)), "{ran:?}");
    assert_eq!(run(p, &["check"]).code, 0);
}
