//! What `kubectl` itself makes of a document. Not run by default: it needs `kubectl` and takes minutes.
//! `cargo test --test yaml -- --ignored`

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use dynlint::yaml::{Kind, Node, Typed};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::Value;

use crate::support::{Parsed, real_files};

/// Reads manifests without a cluster; `None` when it refuses.
fn kubectl(path: &Path) -> Option<Vec<Value>> {
    let output = Command::new("kubectl")
        .args(["label", "--local", "--output=json", "dynlint-oracle=x", "--filename"])
        .arg(path)
        .env("KUBECONFIG", "/dev/null")
        .stderr(Stdio::null())
        .output()
        .expect("kubectl runs");
    if !output.status.success() {
        return None;
    }
    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    Some(documents.map(|value| unlabelled(value.expect("JSON"))).collect())
}

/// Takes the label out again.
fn unlabelled(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let labels = metadata.get_mut("labels").and_then(Value::as_object_mut);
        if labels.is_some_and(|labels| labels.remove("dynlint-oracle").is_some() && labels.is_empty()) {
            metadata.remove("labels");
        }
    }
    object
}

fn json(node: &Node) -> Value {
    match &*node.kind {
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => Value::Null,
            Typed::Bool(value) => value.into(),
            Typed::Int(value) => {
                i64::try_from(value.get()).map_or_else(|_| Value::from(value.get() as f64), Value::from)
            }
            Typed::Float(value) => value.into(),
            Typed::Str => (*scalar.value).into(),
        },
        Kind::Seq(items) => items.iter().map(json).collect(),
        Kind::Map(map) => map.entries.iter().map(|e| (e.key.name.to_string(), json(&e.value))).collect(),
    }
}

/// Large numbers come back rounded by JSON.
fn alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            (a - b).abs() <= 1e-15 * b.abs()
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}

#[test]
#[ignore = "needs kubectl"]
fn kubectl_reads_real_manifests_alike() {
    let mut compared = 0;
    for (path, text) in real_files() {
        let parsed = Parsed::new(&text);
        let roots: Vec<&Node> = parsed.stream.documents.iter().filter_map(|d| d.root.as_ref()).collect();
        let objects = roots.iter().all(|r| r.get("kind").is_some() && r.at(&["metadata", "name"]).is_some());
        // It takes lists apart.
        if roots.is_empty() || !objects || roots.iter().any(|r| r.get("items").is_some()) {
            continue;
        }
        let broken = parsed.stream.documents.iter().any(|d| d.root.is_none())
            && parsed.stream.problems.iter().any(|p| p.kind == dynlint::yaml::ProblemKind::Syntax);
        let Some(theirs) = kubectl(&path) else {
            assert!(broken, "only kubectl refuses {}", path.display());
            continue;
        };
        assert!(!broken, "only we refuse {}", path.display());
        assert_eq!(roots.len(), theirs.len(), "{}", path.display());
        for (ours, theirs) in roots.into_iter().zip(&theirs) {
            assert!(alike(&json(ours), theirs), "{}\n{:#}\n{theirs:#}", path.display(), json(ours));
        }
        compared += 1;
    }
    println!("{compared} files");
    assert!(compared > 5);
}

/// Scalars that look like numbers, booleans and nulls, as values and as keys, with core tags and without.
#[test]
#[ignore = "needs kubectl"]
fn kubectl_types_scalars_alike() {
    let mut runner = TestRunner::deterministic();
    let number = "[-+]?(0[xXbBoO]?)?[0-9a-f_]{0,6}(\\.[0-9_]{0,3})?([eE][-+]?[0-9]{0,3})?";
    let word = "[yYnN]|(yes|no|on|off|true|false|null|YES|No|On|OFF|True|FALSE|Null|NULL|yEs|~)|[-+]?\\.(inf|INF|Inf)";
    let date = "20[0-9]{2}-[01]?[0-9]-[0-3]?[0-9]([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}Z?)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?";
    let tag = "(!!(int|float|bool|str|null) )?";
    let strategy = (proptest::prop_oneof![4 => number, 2 => word, 1 => date], tag, proptest::bool::weighted(0.2));
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("t.yaml");
    let read = |lines: &[String]| {
        let text = format!("apiVersion: v1\nkind: T\nmetadata: {{name: t}}\n{}", lines.concat());
        std::fs::write(&file, &text).expect("a file");
        let parsed = Parsed::new(&text);
        let ours = parsed.stream.documents[0].root.as_ref().map(json);
        let infinite = text.to_lowercase().contains(".inf");
        (ours, kubectl(&file), infinite)
    };
    let mut good = Vec::new();
    for n in 0..400 {
        let (token, tag, key) = strategy.new_tree(&mut runner).expect("a token").current();
        let tag = if key { "" } else { &tag };
        let mut line = String::new();
        let _ = if key { writeln!(line, "{token}: k{n}") } else { writeln!(line, "k{n}: {tag}{token}") };
        let (ours, theirs, infinite) = read(std::slice::from_ref(&line));
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                assert!(alike(&ours, &theirs[0]), "{line}{ours:#}\n{:#}", theirs[0]);
                good.push(line);
            }
            (None, None) => {}
            // JSON has no infinity: `kubectl` refuses what we merely type.
            (Some(_), None) if infinite => {}
            (ours, theirs) => panic!("{line}{ours:?}\n{theirs:?}"),
        }
    }
    assert!(good.len() > 200);
}

/// Odd documents, good and bad: taken or refused alike, and read alike when taken.
#[test]
#[ignore = "needs kubectl"]
fn kubectl_takes_and_refuses_alike() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("t.yaml");
    let base = "base: &b {p: base, q: base}\nmore: &m {p: more, r: more}\n";
    let bodies = [
        "x: {<<: *b, p: own}\n",
        "x: {p: own, <<: *b}\n",
        "x: {<<: [*b, *m]}\n",
        "x: {<<: *b, <<: *m}\n",
        "x: {!!merge <<: *b}\n",
        "x: {\"<<\": v}\n",
        "x: {<<: {p: here}}\n",
        "x: {<<: [{p: here}, *m]}\n",
        "x:\n  <<: 5\n",
        "x:\n  <<:\n",
        "x: {<<: [1]}\n",
        "x: *nope\n",
        "x: &x [*x]\n",
        "x: &x 1\ny1: *x\n*x : 2\n",
        "&x x: 1\ny1: *x\n",
        "~: 1\n",
        "? [a]\n: b\n",
        "? {a: b}\n: c\n",
        "x: {{ .V }}\n",
        "x: \"a\\/b\"\n",
        "x: \"\\x41\\u00e9\\U0001D11E\\N\\_\\L\\P\\e\\0\"\n",
        "x: \"one \\\n   two\\\n  three\n\n  four\"\n",
        "x: 'it''s\n\n  two'\n",
        "x:\n  y: 'under\nindented'\n",
        "x:\n  y: \"a\n\n\tb\"\n",
        "x: a\n\tb\n",
        "x: \u{feff}a\n",
        "\u{feff}y1: b\nx:\n- \u{feff}c\n",
        "x: one\n  two\n\n  three\n",
        "x: |2\n   a\n  b\n",
        "x: |+\n  a\n\n\ny1: 1\n",
        "x: >\n\n  a\n  b\n\n  c\n   d\n  e\n",
        "x: >-\n  a\n",
        "x: |\n",
        "x: |-\n  a",
        "x: |\n  a\n \n",
        "x: [\n1\n]\n",
        "x:\t2\n",
        "x: [a, b, ]\n",
        "x: [a, , b]\n",
        "x: {a, b: }\n",
        "x: [a: b, ? c : d]\n",
        "x:\n- 1\n- - 2\n  -\n",
        "x:\n  - 1\n y1: 2\n",
        "x: 1\n  y1: 2\n",
        "x: a: b\n",
        "x: - a\n",
        "x: @a\n",
        "x: %a\n",
        "x: a#b # c\n",
        "x: [a]b\n",
        "x: \"a\" b\n",
        "x: 'a\n",
        "x:\n\ty1: 1\n",
        "x: !custom 12\nz: !custom {a: b}\n",
        "x: !!seq {a: 1}\n",
        "x: ! 12\n",
        "x: a\r\nz: |\r\n  b\r\n  c\r\n",
        "x: 1\n...\nthis: [is dropped\n",
        "x: 1\n--- # second\napiVersion: v1\nkind: T\nmetadata: {name: u}\n",
        "x: 1\n--- {a: b}\n",
        "x: 1\n---z: 2\n",
        "x: 1\n---\n\u{feff}apiVersion: v1\nkind: T\nmetadata: {name: u}\n",
        "\"x\": 1\nx: 2\n",
        "y: 1\non: 2\n",
        "x: <<\n",
        "- a\n",
        "x: \"\u{85}\"\n",
        "x: .inf\n",
    ];
    for body in bodies {
        let text = format!("apiVersion: v1\nkind: T\nmetadata: {{name: t}}\n{base}{body}");
        std::fs::write(&file, &text).expect("a file");
        let parsed = Parsed::new(&text);
        let broken = parsed.stream.problems.iter().any(|p| p.kind == dynlint::yaml::ProblemKind::Syntax);
        let ours: Vec<Value> = parsed.stream.documents.iter().filter_map(|d| d.root.as_ref()).map(json).collect();
        match kubectl(&file) {
            // It prints what comes before a broken document and fails all the same.
            None => assert!(broken || body.contains(".inf"), "only kubectl refuses {body:?}"),
            Some(theirs) => {
                assert!(!broken, "only we refuse {body:?}: {:?}", parsed.stream.problems);
                assert_eq!(ours.len(), theirs.len(), "{body:?}");
                let same = ours.iter().zip(&theirs).all(|(a, b)| alike(a, b));
                // It folds a NEL like any line end.
                assert!(same || body.contains('\u{85}'), "{body:?}\n{ours:#?}\n{theirs:#?}");
            }
        }
    }
}
