//! Rules of the user's own: `--rules DIR`, `dynlint rules test DIR`.
#![cfg(feature = "cel")]

#[path = "custom/config.rs"]
mod config;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn dynlint(args: &[&str]) -> Output {
    let command = env!("CARGO_BIN_EXE_dynlint");
    Command::new(command).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("dynlint runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A directory with one page.
fn page(name: &str, text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join(name), text).expect("a page");
    directory
}

const GRAPH: &str = r#"apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  components:
  - name: Worker
    type: worker
    replicas: 3
    podTemplate:
      spec:
        containers:
        - name: main
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
          env:
          - name: HF_TOKEN
            value: hf_abcdefghijklmnopqrstuvwx
          - name: OPEN
            valueFrom: {secretKeyRef: {name: s, key: k}}
          command: [python3, -m, dynamo.vllm]
          args: [--model, Qwen/Qwen3-0.6B, --seed, "7"]
"#;

/// What a condition over services says about [`GRAPH`]: findings, and how many are undecided.
fn judge(condition: &str, more: &str) -> (Vec<Value>, u64) {
    let rules = page(
        "my-rule.md",
        &format!(
            "---\nsummary: mine\nseverity: warning\nconfidence: certain\ncondition: '{condition}'\nmessage: '{{service.name}} is \
             found'\nhelp: mend it\n{more}---\n## What it does\n"
        ),
    );
    let recipe = page("deploy.yaml", GRAPH);
    let run = dynlint(&[
        "check",
        "--format",
        "json",
        "--select",
        "my-rule",
        "--rules",
        &rules.path().display().to_string(),
        &recipe.path().display().to_string(),
    ]);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| panic!("{}", text(&run.stderr)));
    let findings = report["findings"].as_array().expect("findings").clone();
    (findings, report["summary"]["undecided"].as_u64().expect("a count"))
}

fn holds(condition: &str) -> Option<bool> {
    match judge(condition, "") {
        (found, 0) => Some(!found.is_empty()),
        (found, _) => {
            assert!(found.is_empty(), "undecided and found: {condition}");
            None
        }
    }
}

#[test]
fn the_examples_of_our_own_pages_hold() {
    let run = dynlint(&["rules", "test", "fixtures/rules"]);
    assert_eq!(run.status.code(), Some(0), "{}{}", text(&run.stdout), text(&run.stderr));
    assert!(text(&run.stderr).contains("2 rules, 4 examples, 0 failures"));
}

#[test]
fn a_wrong_example_fails() {
    let source = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules/house/image-from-our-registry.md"),
    );
    let wrong = source.expect("a page").replace("image: registry.example.com/", "image: docker.io/");
    let rules = page("image-from-our-registry.md", &wrong);
    let run = dynlint(&["rules", "test", &rules.path().display().to_string()]);
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stdout).contains("the good example"), "{}", text(&run.stdout));
    let none = tempfile::tempdir().expect("a directory");
    assert_eq!(dynlint(&["rules", "test", &none.path().display().to_string()]).status.code(), Some(3));
}

#[test]
fn conditions_see_the_resolved_service() {
    for (condition, expected) in [
        ("service.replicas > 2", true),
        (r#"service.role == "aggregated" && service.framework == "vllm""#, true),
        (r#""--seed" in service.flags && service.flags["--seed"] == "7""#, true),
        (r#""--seeds" in service.flags"#, false),
        (r#"version(service.version) >= version("1.4")"#, true),
        (r#"version(service.version) < version("1.4")"#, false),
        (r#"service.spec.podTemplate.spec.containers.exists(c, c.image.contains("1.4.0"))"#, true),
        ("deployment.disaggregated", false),
        (r#"deployment.object.metadata.?labels.?team.orValue("") == """#, true),
        (r#""DYN_SYSTEM_PORT" in service.env"#, true),
    ] {
        assert_eq!(holds(condition), Some(expected), "{condition}");
    }
}

#[test]
fn what_cannot_be_known_is_undecided() {
    assert_eq!(holds(r#"service.env.OPEN == "x""#), None);
    assert_eq!(holds(r#"service.env.OPEN != "x""#), None);
    assert_eq!(holds(r#"service.env.exists(name, service.env[name] == "surely-not")"#), Some(false));
    assert_eq!(holds(r#"service.env.all(name, service.env[name] != "")"#), Some(true));
    // A key that is not there is an error of the expression, not a verdict.
    assert_eq!(holds(r#"service.env.NOT_THERE == "x""#), None);
}

/// The names that a page is checked against are those that there are.
#[test]
fn the_fields_are_those_of_the_book() {
    let book =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/custom-rules.md")).expect("the book");
    let rows: Vec<&str> = book.lines().filter_map(|l| l.strip_prefix("| `")?.split(" | ").next()).collect();
    for (of, rows) in [("service", &rows[..]), ("deployment", &rows[..])] {
        let mut names: Vec<&str> = Vec::new();
        for row in rows.iter().filter(|r| r.starts_with(&format!("{of}."))) {
            names.extend(row.trim_start_matches(of).split(['`', ',', ' ']).filter_map(|w| w.strip_prefix('.')));
        }
        let has: Vec<String> = names.iter().map(|name| format!("has({of}.{name})")).collect();
        let condition = format!("size({of}) == {} && {}", names.len(), has.join(" && "));
        assert_eq!(holds(&condition), Some(true), "{condition}");
    }
}

#[test]
fn a_finding_stands_where_the_page_says_and_can_be_ignored() {
    let (found, _) = judge(
        "service.replicas > 2",
        "at: [env.NOT_THERE, flag.--seed]\nlabels: [{at: field.replicas, message: '{service.replicas} of them'}]\n",
    );
    assert_eq!(found.len(), 1);
    let line = GRAPH.lines().position(|l| l.contains("--seed")).expect("a line") as u64 + 1;
    assert_eq!(found[0]["line"].as_u64(), Some(line));
    assert_eq!(found[0]["message"], "Worker is found");
    assert_eq!(found[0]["labels"][1]["message"], "3 of them");
    let rules = page(
        "my-rule.md",
        "---\nsummary: mine\nseverity: warning\ncondition: service.replicas > 2\nmessage: many\nat: field.replicas\n---\n",
    );
    let recipe = page(
        "deploy.yaml",
        &GRAPH.replace("    replicas: 3", "    # dynlint: ignore[my-rule] we need three\n    replicas: 3"),
    );
    let run = dynlint(&[
        "check",
        "--select",
        "my-rule",
        "--rules",
        &rules.path().display().to_string(),
        &recipe.path().display().to_string(),
    ]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stdout));
}

#[test]
fn secrets_do_not_come_out() {
    let rules = page(
        "my-rule.md",
        "---\nsummary: mine\nseverity: warning\ncondition: service.replicas > 2\nmessage: 'it is {service.env.HF_TOKEN}'\n---\n",
    );
    let recipe = page("deploy.yaml", GRAPH);
    for format in ["json", "full", "sarif"] {
        let run = dynlint(&[
            "check",
            "--format",
            format,
            "--rules",
            &rules.path().display().to_string(),
            &recipe.path().display().to_string(),
        ]);
        assert!(text(&run.stdout).contains("t is ***"), "{}", text(&run.stdout));
        assert!(!text(&run.stdout).contains("hf_abc"), "{format}");
    }
}

#[test]
fn a_page_that_is_no_rule_is_a_usage_error_that_says_why() {
    let good = "---\nsummary: mine\nseverity: warning\ncondition: 'true'\nmessage: m\n---\n";
    for (name, text_of, expected) in [
        ("kv-router-no-events.md", good, "the name of a rule of dynlint itself"),
        ("My_Rule.md", good, "is not kebab case"),
        ("a.md", "no front matter", "no front matter"),
        ("a.md", "---\nsummary: mine\nseverity: warning\ncondition: 'true ++'\nmessage: m\n---\n", "condition:"),
        ("a.md", "---\nsummary: mine\nseverity: loud\ncondition: 'true'\nmessage: m\n---\n", "loud"),
        ("a.md", "---\nsummary: mine\nseverity: warning\ncondition: 'true'\nmessage: '{service'\n---\n", "a lone `{`"),
        (
            "a.md",
            "---\nsummary: mine\nseverity: warning\ncondition: 'true'\nmessage: m\nat: nowhere\n---\n",
            "is no place",
        ),
        ("a.md", "---\nsummary: mine\nseverity: warning\nmessage: m\n---\n", "condition"),
        (
            "a.md",
            "---\nsummary: mine\nseverity: warning\ncondition: service.replica > 1\nmessage: m\n---\n",
            "condition: `service.replica > 1`: a service has no `replica`; did you mean `replicas`?",
        ),
        (
            "a.md",
            "---\nsummary: mine\nseverity: warning\ncondition: service.name\nmessage: m\n---\n",
            "condition: `service.name` is text, not true or false",
        ),
        (
            "a.md",
            "---\nsummary: mine\nseverity: warning\ncondition: 'true'\nmessage: 'of {service.nme}'\n---\n",
            "message: `service.nme`: a service has no `nme`; did you mean `name`?",
        ),
        (
            "a.md",
            "---\nsummary: mine\nseverity: warning\nscope: deployment\ncondition: service.nodes > 1\nmessage: m\n---\n",
            "`scope: deployment` has no `service`",
        ),
    ] {
        let rules = page(name, text_of);
        let run = dynlint(&["check", "--rules", &rules.path().display().to_string(), "fixtures/good"]);
        assert_eq!(run.status.code(), Some(2), "{name}");
        assert!(text(&run.stderr).contains(expected), "{expected}: {}", text(&run.stderr));
    }
    assert_eq!(dynlint(&["check", "--rules", "no-such-directory", "fixtures/good"]).status.code(), Some(2));
}

#[test]
fn own_rules_are_listed_and_explained() {
    let list = text(&dynlint(&["rules", "--rules", "fixtures/rules"]).stdout);
    assert!(list.contains("house") && list.contains("image-from-our-registry"), "{list}");
    let page = text(&dynlint(&["explain", "image-from-our-registry", "--rules", "fixtures/rules"]).stdout);
    assert!(page.contains("ImagePullBackOff"), "{page}");
}
