//! `dynlint baseline` and `check --baseline`, `check --add-ignores`.

use super::{WRONG, dir, json, read, rules, run, write};

#[test]
fn only_what_is_new_fails() {
    let dir = dir(&[("a/deploy.yaml", WRONG), ("b/deploy.yaml", WRONG)]);
    let p = dir.path();
    let wrote = run(p, &["baseline", "write"]);
    assert_eq!(wrote.code, 0, "{wrote:?}");
    assert!(wrote.err.contains("recorded 2 findings"), "{wrote:?}");
    let check = ["check", "--baseline", "dynlint-baseline.json"];
    let ran = run(p, &check);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("0 new, 2 unchanged, 0 resolved, 0 incomparable"), "{ran:?}");
    let report = json(p, &check[1..]);
    assert_eq!(rules(&report), (Vec::new(), 2));
    assert_eq!(report["suppressed"][0]["suppression"]["kind"], "baseline");

    // A copy is a new finding, a renamed directory is not.
    write(p, "c/deploy.yaml", WRONG);
    assert_eq!(run(p, &check).code, 1);
    std::fs::remove_dir_all(p.join("b")).expect("removed");
    let ran = run(p, &check);
    assert_eq!(ran.code, 0, "{ran:?}");

    // Moved lines, other names around, another place: the same finding. Another value: a new one.
    write(p, "a/deploy.yaml", &format!("# one\n\n# two\n{}", WRONG.replace("replicas: 1", "replicas: 3")));
    assert_eq!(run(p, &check).code, 0);
    write(p, "a/deploy.yaml", &WRONG.replace("kv-aware", "kv-awful"));
    let ran = run(p, &["baseline", "diff", "--format", "json"]);
    assert_eq!(ran.code, 1);
    let diff: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(diff["counts"], serde_json::json!({"new": 1, "unchanged": 1, "resolved": 1, "incomparable": 0}));
    assert_eq!(diff["new"][0]["path"], "a/deploy.yaml");
    assert_eq!(diff["resolved"][0]["path"], "a/deploy.yaml");

    write(p, "a/deploy.yaml", &WRONG.replace("kv-aware", "kv"));
    let pruned = run(p, &["baseline", "prune"]);
    assert!(pruned.err.contains("forgot 1, kept 1"), "{pruned:?}");
    assert_eq!(run(p, &check).code, 0);
}

#[test]
fn what_was_not_looked_at_is_neither_new_nor_resolved() {
    let dir = dir(&[("a/deploy.yaml", WRONG), ("b/deploy.yaml", WRONG)]);
    let p = dir.path();
    run(p, &["baseline", "write"]);
    let counts = |args: &[&str]| {
        let ran = run(p, &[&["baseline", "diff", "--format", "json"], args].concat());
        let diff: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e} {ran:?}"));
        let count = |key: &str| diff["counts"][key].as_u64().expect("a number");
        [count("new"), count("unchanged"), count("resolved"), count("incomparable")]
    };
    assert_eq!(counts(&["a"]), [0, 1, 0, 1]);
    assert_eq!(counts(&["--select", "interconnect"]), [0, 0, 0, 2]);
    assert_eq!(counts(&["--min-severity", "error"]), [0, 0, 0, 0]);
    write(p, "b/deploy.yaml", &format!("{WRONG}  - broken: [\n"));
    assert_eq!(counts(&[])[1..], [1, 0, 1]);
    write(p, "b/deploy.yaml", WRONG);
    // A rule of another revision: neither new nor resolved.
    let text = read(p, "dynlint-baseline.json");
    let old = text.replace("\"revision\":1", "\"revision\":0").replace("\"fingerprint\":\"", "\"fingerprint\":\"0");
    write(p, "dynlint-baseline.json", &old);
    assert_eq!(counts(&[]), [0, 0, 0, 4]);
    assert_eq!(run(p, &["check", "--baseline", "dynlint-baseline.json"]).code, 0);
}

#[test]
fn a_configuration_may_name_it() {
    let dir = dir(&[("a.yaml", WRONG), ("dynlint.toml", "baseline = \"ci/known.json\"\n"), ("ci/x", "")]);
    let p = dir.path();
    assert_eq!(run(p, &["check"]).code, 2, "named, but not there");
    assert_eq!(run(p, &["baseline", "write"]).code, 0);
    assert!(read(p, "ci/known.json").contains("\"path\":\"../a.yaml\""));
    assert_eq!(run(p, &["check"]).code, 0);
    write(p, "ci/known.json", "{}");
    let ran = run(p, &["check"]);
    assert!(ran.code == 2 && ran.err.contains("no baseline"), "{ran:?}");
}

#[test]
fn ignores_are_written_and_hold() {
    let script = WRONG.replace(
        "          env:\n            - name: DYN_ROUTER_MODE\n              value: kv-aware\n",
        "          command: [\"bash\", \"-c\"]\n          args:\n            - |\n              set -e\n              exec python3 -m dynamo.frontend \\\n                --router-mode nonsense\n",
    );
    let flow = WRONG.replace(
        "          env:\n            - name: DYN_ROUTER_MODE\n              value: kv-aware\n",
        "          env: [\n            {name: A, value: b},\n            {name: DYN_ROUTER_MODE, value: kv-aware}]\n",
    );
    let patch = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata:\n  name: web\nspec:\n  services:\n    Frontend:\n      extraPodSpec:\n        mainContainer:\n          env:\n            - name: DYN_ROUTER_MODE\n              value: kv-aware\n";
    let dir = dir(&[
        ("a.yaml", WRONG),
        ("script.yaml", &script),
        ("flow.yaml", &flow),
        ("k/base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("k/base/deploy.yaml", &WRONG.replace("kv-aware", "kv")),
        ("k/over/kustomization.yaml", "resources: [../base]\npatches:\n  - path: patch.yaml\n"),
        ("k/over/patch.yaml", patch),
    ]);
    let p = dir.path();
    let (before, _) = rules(&json(p, &[]));
    assert!(before.len() >= 4, "{before:?}");
    let ran = run(p, &["check", "--add-ignores", "adopted as it was"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(rules(&json(p, &["--ignore", "x-*,unknown-router-mode"][..0])), (Vec::new(), before.len() as u64));
    assert!(read(p, "a.yaml").contains("              # dynlint: ignore[unknown-router-mode] adopted as it was\n"));
    assert!(read(p, "script.yaml").contains("adopted as it was\n            - |\n"));
    assert!(read(p, "flow.yaml").contains("adopted as it was\n          env: [\n"));
    assert!(read(p, "k/over/patch.yaml").contains("adopted as it was"));
    // Nothing is left to write.
    let text = read(p, "a.yaml");
    run(p, &["check", "--add-ignores", "again"]);
    assert_eq!(read(p, "a.yaml"), text);
    // Mended: the comment is idle, and its fix takes it away.
    write(p, "a.yaml", &text.replace("kv-aware", "kv"));
    let left = rules(&json(p, &["a.yaml"])).0;
    assert_eq!(left, ["unused-ignore"]);
    assert_eq!(run(p, &["check", "a.yaml", "--fix"]).code, 0);
    assert_eq!(read(p, "a.yaml"), WRONG.replace("kv-aware", "kv"));
    assert_eq!(run(p, &["check", "--add-ignores", "two\nlines"]).code, 2);
}

#[test]
fn what_may_not_be_written_is_left_and_said() {
    let dir = dir(&[("fast.yaml", WRONG), ("free.yaml", WRONG)]);
    let p = dir.path();
    let mut permissions = std::fs::metadata(p.join("fast.yaml")).expect("there").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(p.join("fast.yaml"), permissions).expect("set");
    let ran = run(p, &["check", "--add-ignores", "why"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(ran.err.contains("cannot write `fast.yaml`: the file is read-only"), "{ran:?}");
    assert!(ran.err.contains("wrote an ignore for 1 finding"), "{ran:?}");
    assert_eq!(read(p, "fast.yaml"), WRONG);
    assert!(read(p, "free.yaml").contains("ignore[unknown-router-mode] why"));
    let ran = run(p, &["check", "--add-ignores", "why"]);
    assert!(ran.err.contains("wrote no ignores"), "{ran:?}");
    let ran = run(p, &["check", "-q", "--add-ignores", "why", "free.yaml"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
}
