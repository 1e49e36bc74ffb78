//! `json` and `jsonl` against the published schema, which must also say no more than there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::run::{awkward, dir, json as run_json, root, run, schema, trees, valid};

const SCHEMA: &str = "schemas/check-1.json";

/// The schema with nothing allowed that it does not name: a key that is not described must not be printed.
fn strict() -> Value {
    let mut schema = schema(SCHEMA);
    schema["unevaluatedProperties"] = json!(false);
    for name in [
        "finding",
        "label",
        "fix",
        "edit",
        "undecided",
        "suppressed",
        "suppression",
        "strictPlace",
        "skipped",
        "ruleCount",
        "summary",
    ] {
        assert!(schema["$defs"][name].is_object(), "{name}");
        schema["$defs"][name]["unevaluatedProperties"] = json!(false);
    }
    schema
}

/// Every key of an object anywhere in the value.
fn keys(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.insert(key.clone());
                keys(value, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, out)),
        _ => {}
    }
}

/// Every name below a `properties`.
fn described(schema: &Value, out: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                out.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| described(value, out));
        }
        Value::Array(items) => items.iter().for_each(|item| described(item, out)),
        _ => {}
    }
}

#[test]
fn what_is_printed_is_what_is_published() {
    jsonschema::meta::validate(&schema(SCHEMA)).expect("the schema is a schema");
    let validator = jsonschema::validator_for(&strict()).expect("the schema compiles");
    let mut seen = BTreeSet::new();
    for (cwd, tree) in trees() {
        for more in [&[][..], &["--profile", "audit", "--statistics"]] {
            let report = run_json(&cwd, &[&["check", "-f", "json", tree.as_str()], more].concat());
            valid(&validator, &tree, &report);
            keys(&report, &mut seen);
        }
    }
    let ignored =
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n  # dynlint: ignore[duplicate-key] kept for tests\n  a: z\n";
    let overlay = dir(&[
        ("base/cm.yaml", b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: a\n  x: b\n"),
        ("base/kustomization.yaml", b"resources: [cm.yaml]\n"),
        ("prod/kustomization.yaml", b"resources: [../base]\nnamePrefix: p-\n"),
        ("ignored.yaml", ignored.as_bytes()),
    ]);
    let empty = dir(&[]);
    for at in [awkward().path(), overlay.path(), empty.path()] {
        let report = run_json(at, &["check", "-f", "json", "."]);
        valid(&validator, &at.display().to_string(), &report);
        keys(&report, &mut seen);
    }
    let mut named = BTreeSet::new();
    described(&schema(SCHEMA), &mut named);
    // Only an overlay's own finding names it, which the corpora have.
    named.remove("overlays");
    let idle: Vec<_> = named.difference(&seen).collect();
    assert!(idle.is_empty(), "described but never printed: {idle:?}");
}

#[test]
fn a_wrong_report_is_not_valid() {
    let validator = jsonschema::validator_for(&strict()).expect("the schema compiles");
    let report = run_json(root(), &["check", "-f", "json", "fixtures/bad"]);
    for (pointer, value) in [
        ("/version", json!(2)),
        ("/findings/0/severity", json!("fatal")),
        ("/findings/0/fingerprint", json!("x")),
        ("/findings/0/line", json!(0)),
        ("/findings/0/labels", json!([])),
        ("/summary/files", json!("9")),
    ] {
        let mut wrong = report.clone();
        *wrong.pointer_mut(pointer).expect(pointer) = value;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    let mut more = report.clone();
    more["findings"][0]["unheard_of"] = json!(1);
    assert!(!validator.is_valid(&more));
}

#[test]
fn lines_are_the_objects_of_the_report() {
    let args = |format| ["check", "-f", format, "--profile", "audit", "fixtures"];
    let report = run_json(root(), &args("json"));
    let mut lines: Vec<Value> =
        run(root(), &args("jsonl")).out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let mut of = |kind: &str| -> Vec<Value> {
        let (those, rest) = std::mem::take(&mut lines).into_iter().partition(|line| line["type"] == kind);
        lines = rest;
        those
    };
    for (kind, key) in [("finding", "findings"), ("undecided", "undecided"), ("skipped", "skipped")] {
        let mut expected = report[key].as_array().cloned().unwrap_or_default();
        expected.iter_mut().for_each(|object| object["type"] = json!(kind));
        assert_eq!(of(kind), expected);
    }
    let mut summary = report["summary"].clone();
    summary["type"] = json!("summary");
    summary["version"] = json!(1);
    assert_eq!(of("summary"), [summary]);
    assert!(lines.is_empty());
}
