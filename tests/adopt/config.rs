//! `dynlint.toml` and `[tool.dynlint]`.

use super::{WRONG, dir, json, read, rules, run, write};

fn found(dir: &std::path::Path, args: &[&str]) -> Vec<String> {
    rules(&json(dir, args)).0
}

const ONE: [&str; 1] = ["unknown-router-mode"];

#[test]
fn the_nearest_one_up_to_the_root_of_the_repository_holds() {
    let dir = dir(&[
        ("dynlint.toml", "ignore = [\"router\"]\n"),
        ("a.yaml", WRONG),
        ("deep/er/b.yaml", WRONG),
        ("repo/.git/HEAD", ""),
        ("repo/c.yaml", WRONG),
        ("python/pyproject.toml", "[tool.other]\n"),
        ("python/d.yaml", WRONG),
    ]);
    let p = dir.path();
    // What lies in a repository of its own is not ruled from outside.
    assert_eq!(found(p, &[]), ONE);
    assert_eq!(json(p, &[])["findings"][0]["path"], "repo/c.yaml");
    write(p, "deep/dynlint.toml", "");
    assert_eq!(found(p, &[]).len(), 2);
    write(p, "python/pyproject.toml", "[tool.dynlint]\nselect = [\"all\"]\n");
    assert_eq!(found(p, &[]).len(), 3);
    assert_eq!(found(p, &["--no-config"]).len(), 4);
    assert_eq!(found(p, &["--config", "dynlint.toml"]).len(), 0);
    // The command line wins: a rule that is named runs.
    assert_eq!(found(p, &["--select", "unknown-router-mode"]).len(), 4);
    assert_eq!(found(p, &["--ignore", "router"]).len(), 0);
}

#[test]
fn severities_fail_levels_and_profiles() {
    let dir =
        dir(&[("a.yaml", WRONG), ("dynlint.toml", "[severity]\nrouter = \"warning\"\n\"unknown-*\" = \"advice\"\n")]);
    let p = dir.path();
    assert_eq!(json(p, &[])["findings"][0]["severity"], "advice");
    assert_eq!(run(p, &["check"]).code, 0);
    assert_eq!(run(p, &["check", "--fail-on", "advice"]).code, 1);
    write(p, "dynlint.toml", "fail-on = \"advice\"\n[severity]\nunknown-router-mode = \"advice\"\n");
    assert_eq!(run(p, &["check"]).code, 1);
    assert_eq!(run(p, &["check", "--fail-on", "error"]).code, 0);
    write(p, "dynlint.toml", "min-severity = \"error\"\n[severity]\nunknown-router-mode = \"advice\"\n");
    assert_eq!(found(p, &[]), [""; 0]);
}

#[test]
fn paths_may_differ_and_be_left_out() {
    let dir = dir(&[
        ("a.yaml", WRONG),
        ("tests/b.yaml", WRONG),
        ("tests/deep/c.yaml", WRONG),
        ("vendor/d.yaml", WRONG),
        ("dynlint.toml", "exclude = [\"vendor\"]\n[[per-path]]\npaths = [\"tests/**\"]\nignore = [\"router\"]\n"),
    ]);
    let p = dir.path();
    assert_eq!(found(p, &[]), ONE);
    assert_eq!(json(p, &[])["skipped"][0], serde_json::json!({"path": "vendor/d.yaml", "reason": "excluded"}));
    assert_eq!(found(p, &["vendor/d.yaml"]), ONE);
    assert_eq!(found(p, &["vendor/d.yaml", "--force-exclude"]), [""; 0]);
    write(p, "dynlint.toml", "exclude = [\"*.yaml\"]\n");
    assert_eq!(run(p, &["check"]).code, 3);
}

#[test]
fn one_may_extend_another() {
    let dir = dir(&[
        ("a.yaml", WRONG),
        ("shared/base.toml", "fail-on = \"never\"\nignore = [\"router\"]\n[severity]\nall = \"advice\"\n"),
        ("dynlint.toml", "extend = \"shared/base.toml\"\nignore = []\n[severity]\nreader = \"error\"\n"),
    ]);
    let p = dir.path();
    assert_eq!(json(p, &[])["findings"][0]["severity"], "advice");
    assert_eq!(run(p, &["check"]).code, 0);
    let shown = run(p, &["config", "show"]).out;
    assert!(shown.contains("fail-on = \"never\"") && shown.contains("# shared/base.toml:1"), "{shown}");
    assert!(shown.contains("severity = { \"all\" = \"advice\", \"reader\" = \"error\" }"), "{shown}");
    write(p, "shared/base.toml", "extend = \"../dynlint.toml\"\n");
    let ran = run(p, &["check"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("extend one another") && ran.err.contains("dynlint.toml"), "{}", ran.err);
    write(p, "shared/base.toml", "extend = \"nowhere.toml\"\n");
    assert!(run(p, &["check"]).err.contains("cannot extend `nowhere.toml`"));
}

#[test]
fn mistakes_are_named_on_their_characters() {
    let dir = dir(&[("deep/a.yaml", WRONG)]);
    let p = dir.path();
    for (text, message, place, label) in [
        ("selct = []", "unknown key `selct`", "dynlint.toml:1:1", "did you mean `select`?"),
        (
            "\nselect = [\"all\", \"routr\"]",
            "no rule or family matches `routr`",
            "dynlint.toml:2:18",
            "did you mean `router`?",
        ),
        ("fail-on = \"warn\"", "`fail-on` must be one of", "dynlint.toml:1:11", "did you mean `warning`?"),
        ("fail-on = 3", "`fail-on` must be one of", "dynlint.toml:1:11", "this is an integer"),
        ("grove = \"yes\"", "`grove` must be `true` or `false`", "dynlint.toml:1:9", "this is a string"),
        ("dynamo-version = \"new\"", "`new` is no version", "dynlint.toml:1:18", ""),
        ("fabric = \"infinband\"", "`fabric` must be one of", "dynlint.toml:1:10", "did you mean `infiniband`?"),
        ("exclude = [\"a[\"]", "`a[` is no glob", "dynlint.toml:1:12", ""),
        ("[severity]\nunknown-router-mod = \"error\"", "no rule or family", "dynlint.toml:2:1", "unknown-router-mode"),
        ("[[per-path]]\nignore = []", "has no `paths`", "dynlint.toml:2:1", "of which paths?"),
        ("[[per-path]]\npaths = []\nexclude = []", "cannot differ by path", "dynlint.toml:3:1", ""),
        ("select = [", "not TOML", "dynlint.toml:1:", ""),
    ] {
        write(p, "deep/dynlint.toml", text);
        for args in [&["check"][..], &["check", "deep/a.yaml"], &["resolve", "deep"], &["config", "show", "deep"]] {
            let ran = run(p, args);
            assert_eq!(ran.code, 2, "{text}: {ran:?}");
            assert!(ran.out.is_empty(), "{text}: {ran:?}");
            for words in [message, place, label] {
                assert!(ran.err.contains(words), "{text}: no `{words}` in\n{}", ran.err);
            }
        }
    }
    assert_eq!(run(p, &["check", "--no-config"]).code, 1);
    assert!(run(p, &["check", "--config", "none.toml"]).err.contains("cannot read the configuration"));
}

#[test]
fn what_the_manifest_cannot_tell() {
    let dir = dir(&[("dynlint.toml", "namespace = \"prod\"\n"), ("a.yaml", WRONG)]);
    let p = dir.path();
    let namespace = |args: &[&str]| {
        let ran = run(p, &[&["resolve", "a.yaml", "--format", "json", "--var", "DYN_NAMESPACE"], args].concat());
        let resolved: serde_json::Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
        resolved["deployments"][0]["services"][0]["env"][0]["value"].as_str().map(str::to_owned)
    };
    assert_eq!(namespace(&[]).as_deref(), Some("prod-web"));
    assert_eq!(namespace(&["-n", "test"]).as_deref(), Some("test-web"));
}

#[test]
fn the_fabric_is_taken_where_nothing_shows_one() {
    let text = include_str!("../../fixtures/good/vllm-disagg-infiniband/deploy.yaml");
    let bare: String = text.lines().filter(|line| !line.contains("rdma/")).map(|line| format!("{line}\n")).collect();
    assert_ne!(text, bare);
    let dir = dir(&[("a.yaml", &bare)]);
    let p = dir.path();
    let before = found(p, &[]);
    assert!(before.iter().any(|rule| rule.contains("fabric") || rule.contains("ucx-tls")), "{before:?}");
    write(p, "dynlint.toml", "fabric = \"infiniband\"\n");
    let after = found(p, &[]);
    assert!(after.len() < before.len(), "{before:?} {after:?}");
    assert_eq!(found(p, &["--no-config", "--fabric", "infiniband"]), after);
}

#[test]
fn show_schema_and_init() {
    let dir = dir(&[]);
    let p = dir.path();
    assert_eq!(run(p, &["config", "init"]).code, 0);
    assert_eq!(run(p, &["config", "init"]).code, 2);
    // What is commented out is right: without the signs it is a configuration that says nothing new.
    let commented = read(p, "dynlint.toml");
    let bare: String = commented
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .filter(|line| {
            line.starts_with('[')
                || line.starts_with('"')
                || line.split_once(" = ").is_some_and(|(k, _)| !k.contains([' ', '`']))
        })
        .filter(|line| !line.starts_with("extend") && !line.starts_with("rules-dirs"))
        .map(|line| format!("{line}\n"))
        .collect();
    write(p, "dynlint.toml", &bare);
    let shown = run(p, &["config", "show"]);
    assert_eq!(shown.code, 0, "{bare}\n{shown:?}");
    assert!(
        shown.out.contains("namespace = \"default\"") && shown.out.contains("[[per-path]]  # dynlint.toml:"),
        "{shown:?}"
    );
    let schema: serde_json::Value = serde_json::from_str(&run(p, &["config", "schema"]).out).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let as_json = |text: &str| -> serde_json::Value { toml_edit::de::from_str(text).expect("TOML") };
    assert!(validator.is_valid(&as_json(&bare)));
    for wrong in ["selct = []", "fail-on = \"warn\"", "[[per-path]]\nignore = []", "[severity]\nx = \"fatal\""] {
        assert!(!validator.is_valid(&as_json(wrong)), "{wrong}");
    }
}

#[test]
fn the_schema_in_the_repository_is_current() {
    let dir = dir(&[]);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/dynlint-toml.json");
    let now = run(dir.path(), &["config", "schema"]).out;
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "run `dynlint config schema > schemas/dynlint-toml.json`");
}
