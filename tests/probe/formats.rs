//! Checks in the formats that hold findings, without a manifest to say them on.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::{dynlint, json};
use crate::server::{Config, Server, pod};

/// Two pods of one service, whose nodes have no active port.
fn down(names: [&str; 2]) -> Server {
    let says = include_str!("../../fixtures/probe/node/h100.txt").replace("4: ACTIVE", "1: DOWN");
    let says = names.map(|name| (name.to_owned(), says.clone())).into();
    let pods = names.map(|name| pod(name, "qwen", "prefill", "worker")).to_vec();
    Server::start(Config { pods, says, ..Config::default() })
}

const NODE: [&str; 4] = ["probe", "node", "--deployment", "qwen"];

fn run(server: &Server, format: &str) -> String {
    let output = dynlint(server, &[&NODE[..], &["-f", format]].concat());
    assert_eq!(output.status.code(), Some(1), "{format}: {}", String::from_utf8_lossy(&output.stderr));
    // Who reads the report's file still wants to see the checks.
    assert!(String::from_utf8_lossy(&output.stderr).contains("infiniband"), "{format}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The log against the schema of the standard; its results.
fn sarif(text: &str) -> Vec<Value> {
    let schema: Value = serde_json::from_str(include_str!("../schemas/sarif-2.1.0.json")).expect("the schema");
    let log: Value = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let wrong: Vec<String> = jsonschema::validator_for(&schema)
        .expect("the schema compiles")
        .iter_errors(&log)
        .map(|e| format!("{e} at {}", e.instance_path()))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    let results = log["runs"][0]["results"].as_array().expect("results").clone();
    for result in &results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("a small one");
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    results
}

fn names(results: &[Value]) -> BTreeSet<String> {
    results.iter().map(|r| r["partialFingerprints"]["dynlint/v1"].to_string()).collect()
}

#[test]
fn sarif_has_logical_places() {
    let server = down(["says-0", "says-1"]);
    let results = sarif(&run(&server, "sarif"));
    let report = json(&dynlint(&server, &[&NODE[..], &["-f", "json"]].concat()));
    let bad = (report["counts"]["warn"].as_u64().expect("a number")
        + report["counts"]["fail"].as_u64().expect("a number")) as usize;
    assert_eq!(results.len(), bad, "each check that warns or fails is one result");
    let ports = results.iter().filter(|r| r["properties"]["subject"] == "infiniband").collect::<Vec<_>>();
    assert_eq!(ports.len(), 2);
    assert_eq!(
        ports[0]["locations"],
        json!([{"logicalLocations": [
            {"name": "infiniband", "fullyQualifiedName": "demo/says-0/infiniband", "kind": "member"},
            {"name": "says-0", "fullyQualifiedName": "demo/says-0", "kind": "resource"},
        ]}])
    );
    assert_eq!((&ports[0]["ruleId"], &ports[0]["level"]), (&json!("probe-check"), &json!("error")));
    assert_eq!(ports[0]["properties"]["service"], "prefill");
    // Each has a name of its own, which it keeps when the pods are replaced by others of the same service.
    let first = names(&results);
    assert_eq!(first.len(), results.len());
    assert_eq!(names(&sarif(&run(&down(["says-7f9c", "says-x2p4"]), "sarif"))), first);
}

#[test]
fn every_format_says_what_failed_and_where() {
    let server = down(["says-0", "says-1"]);
    let lines = |text: &str, part: &str| text.lines().filter(|line| line.contains(part)).count();
    let text = run(&server, "concise");
    assert_eq!(lines(&text, "demo/says-0: error[probe-check] infiniband: "), 1, "{text}");
    let text = run(&server, "agent");
    assert_eq!(lines(&text, "demo/says-1: error[probe-check] infiniband: "), 1, "{text}");
    assert!(text.ends_with("checks of demo/qwen\n"), "{text}");
    let text = run(&server, "jsonl");
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let port = objects.iter().find(|o| o["subject"] == "infiniband").expect("a finding");
    assert_eq!((&port["type"], &port["path"], &port["line"]), (&json!("finding"), &json!("demo/says-0"), &Value::Null));
    assert_eq!(objects.last().expect("a summary")["type"], "summary");
    let text = run(&server, "github");
    assert_eq!(lines(&text, "::error title=dynlint%3A probe-check::demo/says-0: infiniband: "), 1, "{text}");
    assert!(!text.contains("line="), "{text}");
    let issues: Vec<Value> = serde_json::from_str(&run(&server, "gitlab")).expect("JSON");
    let port =
        issues.iter().find(|i| i["description"].as_str().is_some_and(|d| d.contains("infiniband"))).expect("one");
    assert_eq!(port["location"], json!({"path": "demo/says-0", "lines": {"begin": 1, "end": 1}}));
    let junit = quick_junit::Report::deserialize_from_str(&run(&server, "junit")).expect("JUnit");
    let suites: Vec<&str> = junit.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(suites, ["demo/says-0", "demo/says-1"]);
    let text = run(&server, "markdown");
    assert_eq!(lines(&text, "| `demo/says-0` | infiniband: "), 1, "{text}");
    assert!(text.contains("probed demo/qwen: "), "{text}");
}

#[test]
fn every_probe_has_its_checks_in_sarif() {
    let server =
        Server::start(Config { pods: vec![pod("noshell-0", "qwen", "prefill", "worker")], ..Config::default() });
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    let closed = "http://127.0.0.1:1";
    let cases: [(&[&str], &str, &str); 6] = [
        (&["node", "--pod", "noshell-0"], "node-access", "demo/noshell-0"),
        (&["env", "--pod", "gone"], "env-access", ""),
        (&["nixl", "--pod", "noshell-0"], "nixl-access", "demo/noshell-0"),
        (&["router", "--base-url", closed, "--retries", "1"], "models", closed),
        (&["compare", "--baseline", closed, "--candidate", closed, "--requests", "1"], "baseline", ""),
        (&["capture", at, "--pod", "noshell-0"], "node-access", "demo/noshell-0"),
    ];
    for (args, name, target) in cases {
        let output = dynlint(&server, &[&["probe"], args, &["-f", "sarif"]].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let results = sarif(&String::from_utf8(output.stdout).expect("UTF-8"));
        let places: Vec<&Value> =
            results.iter().flat_map(|r| r["locations"][0]["logicalLocations"].as_array().expect("places")).collect();
        let full =
            |text: &str| places.iter().any(|p| p["fullyQualifiedName"].as_str().is_some_and(|n| n.ends_with(text)));
        assert!(full(name) && full(target), "{args:?}: {places:#?}");
    }
    // Nothing wrong is a log without results, and no cluster a result like any other.
    let server = Server::start(Config { pods: vec![pod("h100-0", "qwen", "prefill", "worker")], ..Config::default() });
    let output = dynlint(&server, &["probe", "node", "--pod", "h100-0", "-f", "sarif"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(sarif(&text).iter().all(|r| r["level"] == "warning"), "{text}");
    let output = dynlint(&server, &["probe", "node", "--pod", "h100-0", "--context", "nope", "-f", "sarif"]);
    assert_eq!(sarif(&String::from_utf8(output.stdout).expect("UTF-8"))[0]["properties"]["subject"], "cluster");
}
