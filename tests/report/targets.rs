//! Several reports of one run, what Actions gets unasked, and what goes to which stream.

use std::fs;

use crate::run::{command, dir, finish, json, root, run};

const TWICE: &[u8] = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  a: x\n  a: z\n";

#[test]
fn several_reports_of_one_run() {
    let tree = dir(&[("a.yaml", TWICE)]);
    let ran = run(
        tree.path(),
        &["check", "-f", "sarif", "-o", "out/x.sarif", "-f", "junit", "-o", "x.xml", "-f", "concise", "."],
    );
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("a.yaml:7:3: warning[duplicate-key]"), "{}", ran.out);
    let sarif = fs::read_to_string(tree.path().join("out/x.sarif")).expect("written");
    assert!(serde_json::from_str::<serde_json::Value>(&sarif).is_ok());
    assert!(fs::read_to_string(tree.path().join("x.xml")).expect("written").starts_with("<?xml"));
    // The same as when it is alone.
    assert_eq!(sarif, run(tree.path(), &["check", "-f", "sarif", "a.yaml"]).out);
}

#[test]
fn a_report_in_files_only_leaves_the_summary_on_standard_error() {
    let tree = dir(&[("a.yaml", TWICE)]);
    let ran = run(tree.path(), &["check", "--format", "json", "--output-file", "x.json"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("found 1 warning"), "{}", ran.err);
    let quiet = run(tree.path(), &["check", "-q", "-f", "json", "-o", "x.json"]);
    assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (1, "", ""));
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let tree = dir(&[("a.yaml", TWICE), ("file", b"")]);
    for (args, why) in [
        (&["check", "-o", "x"][..], "needs the format"),
        (&["check", "-f", "json", "-f", "full"], "standard output"),
        (&["check", "-f", "json", "-o", "x", "-f", "full", "-o", "x"], "both go to `x`"),
        (&["check", "-f", "json", "-o", "a.yaml"], "will not be overwritten"),
        (&["check", "-f", "json", "-o", "./a.yaml"], "will not be overwritten"),
        (&["check", "-f", "json", "-o", "file/x.json"], "cannot"),
        (&["check", "-q", "-v"], "cannot be used with"),
    ] {
        let ran = run(tree.path(), args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(why), "{args:?}: {}", ran.err);
    }
    assert_eq!(fs::read(tree.path().join("a.yaml")).expect("still there"), TWICE);
}

#[test]
fn actions_get_annotations_and_a_job_summary_unasked() {
    let tree = dir(&[("recipes/a.yaml", TWICE), (".git/HEAD", b"")]);
    let page = tree.path().join("summary.md");
    fs::write(&page, "before\n").expect("written");
    let actions = |args: &[&str]| {
        let mut command = command(&tree.path().join("recipes"), args);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &page).env("CI", "true");
        finish(command)
    };
    let ran = actions(&["check"]);
    assert_eq!(ran.code, 1);
    // The path is that of the checkout, not of the working directory.
    assert!(
        ran.out.starts_with("::warning file=recipes/a.yaml,line=7,endLine=7,col=3,endColumn=4,title="),
        "{}",
        ran.out
    );
    let summary = fs::read_to_string(&page).expect("there");
    assert!(summary.starts_with("before\n### dynlint"), "{summary}");
    assert!(summary.contains("duplicate-key"));
    // Asked for something else, it writes no page.
    assert!(actions(&["check", "-f", "full"]).out.contains("https://"));
    assert_eq!(fs::read_to_string(&page).expect("there"), summary);
}

#[test]
fn links_are_for_terminals_and_addresses_for_logs() {
    let tree = dir(&[("a.yaml", TWICE)]);
    let with = |vars: &[(&str, &str)]| {
        let mut command = command(tree.path(), &["check"]);
        command.envs(vars.iter().copied());
        finish(command).out
    };
    assert!(!with(&[]).contains("https://"));
    assert!(with(&[("CI", "true")]).contains("/rules/reader/duplicate-key.md"));
    // A pipe gets no escapes, whatever the terminal can do.
    assert!(!with(&[("FORCE_HYPERLINK", "1")]).contains('\u{1b}'));
}

#[test]
fn statistics_count_what_the_report_shows() {
    let args = ["check", "fixtures/bad", "--statistics"];
    let report = json(root(), &[&args[..], &["-f", "json"]].concat());
    let counts = report["statistics"].as_array().expect("asked for");
    let sum: u64 = counts.iter().map(|rule| rule["count"].as_u64().expect("a count")).sum();
    assert_eq!(sum, report["findings"].as_array().expect("a list").len() as u64);
    let table = run(root(), &[&args[..], &["-f", "concise"]].concat());
    assert_eq!(table.out.lines().count(), counts.len());
    assert_eq!(table.code, 1);
    assert!(json(root(), &["check", "fixtures/bad", "-f", "json"]).get("statistics").is_none());
}

#[test]
fn files_are_listed_without_being_judged() {
    let tree = dir(&[("a.yaml", TWICE), ("values.yaml", b"a: 1\n"), ("b/c.yml", TWICE)]);
    let ran = run(tree.path(), &["check", "--show-files"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "a.yaml\nb/c.yml\n"));
    assert!(ran.err.contains("values.yaml"), "{}", ran.err);
    assert_eq!(run(tree.path(), &["check", "--show-files", "values.yaml"]).code, 3);
}

#[test]
fn timings_are_said_on_standard_error() {
    let tree = dir(&[("a.yaml", TWICE)]);
    let (plain, verbose) = (run(tree.path(), &["check"]), run(tree.path(), &["check", "--verbose"]));
    assert_eq!(plain.out, verbose.out);
    for phase in ["discover", "read", "kustomize", "judge", "finish", "in all", "rules"] {
        assert!(verbose.err.contains(phase), "{}", verbose.err);
    }
    assert!(!plain.err.contains("judge"));
}
