//! Rules of the user's own that a configuration brings: `rules-dirs`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{GRAPH, text};

/// A rule that finds every service, under a name of its own.
fn rule(word: &str) -> String {
    format!(
        "---\nsummary: {word} is said\nseverity: warning\nconfidence: certain\ncondition: 'true'\nmessage: '{word} \
         {{service.name}}'\nhelp: mend it\n---\n## What it does\n"
    )
}

fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    files.iter().for_each(|(name, text)| write(dir.path(), name, text));
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
    std::fs::write(path, text).expect("a file");
}

fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_dynlint")).args(args).current_dir(dir).output().expect("dynlint runs");
    (out.status.code().unwrap_or(-1), text(&out.stdout), text(&out.stderr))
}

/// `path: rule` of each finding of the user's own rules.
fn found(dir: &Path, args: &[&str]) -> Vec<String> {
    let (_, out, err) = run(dir, &[&["check", "-f", "json"], args].concat());
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    let all = findings.map(|f| format!("{}: {}", text(&f["path"]), text(&f["rule"])));
    all.filter(|line| line.contains("-rule")).collect()
}

#[test]
fn they_hold_where_the_configuration_does() {
    let dir = dir(&[
        ("one/dynlint.toml", "rules-dirs = [\"lint\"]\n[severity]\none-rule = \"error\"\n"),
        ("one/lint/one-rule.md", &rule("one")),
        ("one/deep/a.yaml", GRAPH),
        ("two/dynlint.toml", "rules-dirs = [\"../shared/lint\"]\nselect = [\"house\"]\n"),
        ("shared/lint/house/two-rule.md", &rule("two")),
        ("two/b.yaml", GRAPH),
        ("three/c.yaml", GRAPH),
    ]);
    let p = dir.path();
    let both = ["one/deep/a.yaml: one-rule", "two/b.yaml: two-rule"];
    assert_eq!(found(p, &[]), both);
    assert_eq!(found(p, &["one/deep"]), both[..1]);
    assert_eq!(found(&p.join("one/deep"), &[]), ["a.yaml: one-rule"]);
    // A rule that only a configuration further down brings can be named.
    assert_eq!(found(p, &["--select", "two-rule"]), both[1..]);
    assert_eq!(found(p, &["--ignore", "*-rule"]), [""; 0]);
    assert_eq!(found(p, &["--no-config"]), [""; 0]);
    assert_eq!(found(p, &["--config", "one/dynlint.toml"]).len(), 3);
    let (code, _, err) = run(p, &["check", "--select", "thre-rule"]);
    assert!(code == 2 && err.contains("no rule or family matches `thre-rule`"), "{err}");
    // `--rules` makes the same directory hold everywhere.
    assert_eq!(found(p, &["--rules", "one/lint", "--select", "one-rule"]).len(), 3);
}

#[test]
fn extending_adds_them() {
    let dir = dir(&[
        ("shared/dynlint.toml", "rules-dirs = [\"lint\"]\n[severity]\nbase-rule = \"error\"\n"),
        ("shared/lint/base-rule.md", &rule("base")),
        ("app/dynlint.toml", "extend = \"../shared/dynlint.toml\"\nrules-dirs = [\"lint\"]\nignore = [\"manifest\"]\n"),
        ("app/lint/own-rule.md", &rule("own")),
        ("app/a.yaml", GRAPH),
    ]);
    let p = &dir.path().join("app");
    assert_eq!(found(p, &[]), ["a.yaml: base-rule", "a.yaml: own-rule"]);
    let (_, shown, _) = run(p, &["config", "show"]);
    assert!(shown.contains("rules-dirs = [") && shown.contains("shared/lint\", \"lint\"]"), "{shown}");
    let (_, doctor, _) = run(p, &["doctor"]);
    assert!(doctor.contains(", 2 of them of your own"), "{doctor}");
    let (code, rules, _) = run(p, &["rules"]);
    assert!(code == 0 && rules.contains("base is said"), "{rules}");
    let (code, page, _) = run(p, &["explain", "own-rule"]);
    assert!(code == 0 && page.contains("own is said"), "{page}");
    // Their examples are run without naming the directories; these have none.
    let (code, out, err) = run(p, &["rules", "test"]);
    assert!(code == 1 && out.contains("own-rule: no example") && err.contains("2 rules"), "{out}{err}");
}

#[test]
fn mistakes_stand_where_the_directory_is_named() {
    let dir = dir(&[("a.yaml", GRAPH), ("empty/README.md", "# none\n"), ("lint/my-rule.md", &rule("my"))]);
    let p = dir.path();
    write(p, "broken/some-rule.md", "no front matter\n");
    write(p, "twin/my-rule.md", &rule("twin"));
    for (text, message, place) in [
        ("rules-dirs = [\"nowhere\"]", "no such directory: `nowhere`", "dynlint.toml:1:15"),
        ("rules-dirs = [\"empty\"]", "no page with a rule in `empty`", "dynlint.toml:1:15"),
        ("rules-dirs = [\"broken\"]", "broken/some-rule.md: no front matter", "dynlint.toml:1:15"),
        ("rules-dirs = [\"lint\", \"twin\"]", "`my-rule` is the name of more than one rule", "dynlint.toml:1:23"),
        ("rules-dirs = \"lint\"", "`rules-dirs` must be a list of strings", "dynlint.toml:1:14"),
        ("rules-dir = [\"lint\"]", "did you mean `rules-dirs`?", "dynlint.toml:1:1"),
        ("rules-dirs = [\"lint\"]\nselect = [\"my-rul\"]", "did you mean `my-rule`?", "dynlint.toml:2:11"),
        ("[[per-path]]\npaths = [\"*\"]\nrules-dirs = [\"lint\"]", "cannot differ by path", "dynlint.toml:3:1"),
    ] {
        write(p, "dynlint.toml", text);
        let (code, out, err) = run(p, &["check"]);
        assert_eq!((code, out.as_str()), (2, ""), "{text}: {err}");
        assert!(err.contains(message) && err.contains(place), "{text}: {err}");
    }
    // Whoever asks for the rules gets them all the same: the list is what mends a selector.
    write(p, "dynlint.toml", "rules-dirs = [\"lint\"]\nselect = [\"my-rul\"]");
    let (code, rules, err) = run(p, &["rules"]);
    assert!(code == 0 && rules.contains("my is said") && err.contains("my-rul"), "{rules}{err}");
}
