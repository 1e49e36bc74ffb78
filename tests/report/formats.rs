//! Formats for services and people, each by what reads it.

use std::collections::HashSet;

use serde_json::Value;

use crate::run::{awkward, dir, json, root, run, trees};

fn findings(tree: &str) -> Vec<Value> {
    json(root(), &["check", "-f", "json", tree])["findings"].as_array().cloned().expect("a list")
}

#[test]
fn gitlab_has_what_its_merge_requests_read() {
    for (cwd, tree) in trees() {
        let issues = json(&cwd, &["check", "-f", "gitlab", &tree]);
        let issues = issues.as_array().expect("a list");
        let mut names = HashSet::new();
        for issue in issues {
            for key in ["description", "check_name", "fingerprint"] {
                assert!(issue[key].as_str().is_some_and(|text| !text.is_empty()), "{issue}");
            }
            assert!(
                ["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap_or(""))
            );
            let path = issue["location"]["path"].as_str().expect("a path");
            assert!(!path.starts_with("./") && issue["location"]["lines"]["begin"].as_u64() > Some(0), "{issue}");
            // Compared over the whole report.
            assert!(names.insert(issue["fingerprint"].to_string()), "{issue}");
        }
    }
    assert_eq!(run(dir(&[]).path(), &["check", "-f", "gitlab"]).out, "[]\n");
}

#[test]
fn junit_is_xml_with_a_failed_case_for_each_finding() {
    let all = findings("fixtures/bad");
    let worse = all.iter().filter(|finding| finding["severity"] != "advice").count();
    let xml = run(root(), &["check", "-f", "junit", "fixtures/bad"]).out;
    let reader = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit");
    assert_eq!((reader.tests, reader.failures), (all.len(), worse));
    let tree = awkward();
    let xml = run(tree.path(), &["check", "-f", "junit"]).out;
    let reader = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit");
    assert_eq!(reader.errors, 1, "the unreadable file is an error: {xml}");
    let none = run(root(), &["check", "-f", "junit", "-q", "fixtures/good", "--min-severity", "error"]).out;
    assert_eq!(quick_junit::Report::deserialize_from_str(&none).expect("JUnit").tests, 1);
}

#[test]
fn agents_get_one_line_each() {
    let out = run(root(), &["check", "-f", "agent", "fixtures/bad"]).out;
    let lines: Vec<&str> = out.lines().collect();
    let all = findings("fixtures/bad");
    assert_eq!(lines.len(), all.len() + 1);
    for (line, finding) in lines.iter().zip(&all) {
        let text =
            |key: &str| finding[key].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line.starts_with(&format!("{}:{}:{}: ", text("path"), finding["line"], finding["column"])), "{line}");
        assert!(line.contains(&text("message")), "{line}");
        assert!(line.split_whitespace().collect::<Vec<_>>().join(" ").contains(&text("help")), "{line}");
    }
}

#[test]
fn commands_are_one_line_each_and_the_worst_comes_first() {
    let out = run(root(), &["check", "-f", "github", "fixtures/bad"]).out;
    let kinds: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("::")?.split(' ').next()).collect();
    assert_eq!(kinds.len(), findings("fixtures/bad").len());
    let rank = |kind: &str| ["error", "warning", "notice"].iter().position(|known| *known == kind).expect(kind);
    assert!(kinds.is_sorted_by_key(|kind| rank(kind)), "{kinds:?}");
    let tree = awkward();
    let out = run(tree.path(), &["check", "-f", "github"]).out;
    assert!(out.contains("file=a b/50%25 ü#?.yaml,"), "{out}");
}

#[test]
fn markdown_names_every_finding_once_in_its_table() {
    let out = run(root(), &["check", "-f", "markdown", "fixtures/bad"]).out;
    let all = findings("fixtures/bad");
    assert_eq!(out.lines().filter(|line| line.starts_with("| ") && line.contains("](https://")).count(), all.len());
    assert_eq!(out.matches("<details>").count(), out.matches("</details>").count());
    let columns =
        out.lines().filter(|line| line.starts_with("| ")).map(|line| line.replace("\\|", "").matches('|').count());
    assert!(columns.into_iter().all(|count| count == 5), "{out}");
}

#[test]
fn credentials_are_in_no_format() {
    let secret = "hf_abcdefghijklmnopqrstuvwxyz012345";
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  token: {secret}\n  token: {secret}\n---\nkind: ConfigMap\napiVersion: v1\ndata:\n  HF_TOKEN: {secret}\n  HF_TOKEN: {secret}\n"
    );
    let tree = dir(&[("a.yaml", text.as_bytes())]);
    for format in ["full", "concise", "json", "jsonl", "sarif", "github", "gitlab", "junit", "markdown", "agent"] {
        let ran = run(tree.path(), &["check", "-f", format, "--profile", "audit"]);
        assert!(ran.code == 1 && !ran.out.is_empty(), "{format}");
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{format}: {}", ran.out);
    }
}
