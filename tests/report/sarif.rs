//! SARIF against the schema of the standard, and against what it says itself.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::run::{Ran, awkward, command, dir, finish, json, root, run, schema, trees, valid};

fn validator() -> Validator {
    jsonschema::validator_for(&schema("tests/schemas/sarif-2.1.0.json")).expect("the schema compiles")
}

fn sarif(dir: &Path, args: &[&str]) -> Value {
    json(dir, &[&["check", "-f", "sarif"], args].concat())
}

/// Every tree, its log and its log under `--profile audit`; made once.
fn logs() -> &'static [(String, Value, Value)] {
    static LOGS: OnceLock<Vec<(String, Value, Value)>> = OnceLock::new();
    LOGS.get_or_init(|| {
        let log = |(cwd, tree): (PathBuf, String)| {
            let plain = sarif(&cwd, &[&tree]);
            let audit = sarif(&cwd, &["--profile", "audit", &tree]);
            (tree, plain, audit)
        };
        trees().into_iter().map(log).collect()
    })
}

fn results(log: &Value) -> &[Value] {
    log["runs"][0]["results"].as_array().expect("there is always a list")
}

/// What the schema cannot say: indices, ranges, and GitHub's limits.
fn consistent(log: &Value, what: &str) {
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let artifacts = run["artifacts"].as_array().expect("artifacts");
    assert!(results(log).len() <= 25_000 && rules.len() <= 25_000, "{what}");
    let mut names = HashSet::new();
    for result in results(log) {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules[index]["id"], result["ruleId"], "{what}");
        assert!(rules[index]["help"]["markdown"].as_str().is_some_and(|text| !text.is_empty()), "{what}");
        assert!(result["message"]["text"].as_str().is_some_and(|text| text.ends_with('.')), "{what}: {result}");
        assert_eq!(result["locations"].as_array().map(Vec::len), Some(1), "{what}");
        let related = result["relatedLocations"].as_array().map_or(0, Vec::len);
        assert!(related < 1_000, "{what}");
        each_location(result, &mut |location| {
            let file = &location["artifactLocation"];
            let index = usize::try_from(file["index"].as_u64().expect("an index")).expect("small");
            assert_eq!(artifacts[index]["location"]["uri"], file["uri"], "{what}");
            assert_eq!(artifacts[index]["location"]["uriBaseId"], file["uriBaseId"], "{what}");
            let uri = file["uri"].as_str().expect("a uri");
            assert!(file["uriBaseId"] == "SRCROOT" || uri.starts_with("file:///"), "{what}: {uri}");
            assert!(!uri.contains(' ') && uri.is_ascii(), "{what}: {uri}");
        });
        if result["kind"] == "open" {
            assert_eq!(result["level"], "none", "{what}");
            continue;
        }
        // Unique within the file, as GitHub compares them together with it.
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].to_string();
        let print = result["partialFingerprints"]["primaryLocationLineHash"].to_string();
        assert!(names.insert((uri, print)), "{what}: {}", result["ruleId"]);
    }
    for rule in rules {
        for key in ["shortDescription", "fullDescription"] {
            let text = rule[key]["text"].as_str().expect(key);
            assert!(!text.is_empty() && text.chars().count() <= 1_024, "{what}: {}", rule["id"]);
        }
        assert!(rule["properties"]["tags"].as_array().is_none_or(|tags| tags.len() <= 10), "{what}");
        assert!(rule["helpUri"].as_str().is_some_and(|uri| uri.starts_with("https://")), "{what}");
    }
}

fn each_location(value: &Value, look: &mut dyn FnMut(&Value)) {
    match value {
        Value::Object(map) => {
            if let Some(location) = map.get("physicalLocation") {
                look(location);
            }
            map.values().for_each(|value| each_location(value, look));
        }
        Value::Array(items) => items.iter().for_each(|item| each_location(item, look)),
        _ => {}
    }
}

#[test]
fn every_log_is_valid() {
    let validator = validator();
    let (mut count, mut flows, mut fixes) = (0, 0, 0);
    let mut check = |log: &Value, what: &str| {
        valid(&validator, what, log);
        consistent(log, what);
        count += 1;
        flows += results(log).iter().filter(|result| result.get("codeFlows").is_some()).count();
        fixes += results(log).iter().filter(|result| result.get("fixes").is_some()).count();
    };
    for (tree, log, audit) in logs() {
        check(log, tree);
        check(audit, tree);
    }
    let empty = dir(&[]);
    check(&sarif(empty.path(), &["."]), "nothing");
    check(&sarif(awkward().path(), &["."]), "awkward");
    check(&sarif(root(), &["no-such-directory"]), "no such directory");
    assert!(count >= 5 && flows > 0 && fixes > 0, "{count} logs, {flows} code flows, {fixes} fixes");
    println!("{count} logs valid; {flows} code flows, {fixes} fixes");
}

#[test]
fn a_wrong_log_is_not_valid() {
    let mut log = sarif(root(), &["fixtures/bad"]);
    log["runs"][0]["results"][0]["level"] = "advice".into();
    assert!(!validator().is_valid(&log));
}

#[test]
fn a_run_without_findings_has_results_and_says_so() {
    let empty = dir(&[]);
    let log = sarif(empty.path(), &["."]);
    assert!(results(&log).is_empty());
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run(empty.path(), &["check", "-f", "sarif"]).code, 3);
}

#[test]
fn unreadable_input_is_a_notification_and_the_rest_is_still_there() {
    let tree = awkward();
    let log = sarif(tree.path(), &["."]);
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let told = &invocation["toolExecutionNotifications"][0];
    assert_eq!(told["level"], "error");
    assert_eq!(told["descriptor"]["id"], "unreadable-input");
    assert_eq!(told["associatedRule"]["id"], "not-utf8");
    assert_eq!(told["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "latin1.yaml");
    let of = |rule: &str| results(&log).iter().filter(|result| result["ruleId"] == rule).count();
    assert_eq!((of("not-utf8"), of("duplicate-key"), of("yaml-syntax")), (1, 2, 1));
}

#[test]
fn paths_start_at_the_checkout_wherever_it_is_linted_from() {
    let tree =
        dir(&[(".git/HEAD", b""), ("recipes/a b.yaml", b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n  a: z\n")]);
    let uri = |log: &Value| results(log)[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone();
    let base = |log: &Value| log["runs"][0]["originalUriBaseIds"]["SRCROOT"]["uri"].clone();
    let above = sarif(tree.path(), &["recipes"]);
    let below = sarif(&tree.path().join("recipes"), &["."]);
    assert_eq!((uri(&above), uri(&below)), ("recipes/a%20b.yaml".into(), "recipes/a%20b.yaml".into()));
    assert_eq!(base(&above), base(&below));
    assert!(base(&above).as_str().is_some_and(|base| base.starts_with("file:///") && base.ends_with('/')));
    let outside = dir(&[("x.yaml", b"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n  a: z\n")]);
    let log = sarif(tree.path(), &[&outside.path().display().to_string()]);
    assert!(uri(&log).as_str().is_some_and(|uri| uri.starts_with("file:///") && uri.ends_with("/x.yaml")));
}

#[test]
fn undecided_is_open_when_asked_for_and_a_notification_always() {
    let recipe =
        std::fs::read_to_string(root().join("fixtures/bad/ucx-tls-without-cuda-copy/deploy.yaml")).expect("there");
    let tree = dir(&[(
        "deploy.yaml",
        recipe.replace("value: \"rc,cuda_ipc\"", "valueFrom: {secretKeyRef: {name: s, key: k}}").as_bytes(),
    )]);
    let open = |log: &Value| results(log).iter().filter(|result| result["kind"] == "open").count();
    let silent = sarif(tree.path(), &["."]);
    let asked = sarif(tree.path(), &["--show-undecided", "."]);
    let count = json(tree.path(), &["check", "-f", "json"])["summary"]["undecided"].as_u64().expect("a count");
    assert!(count > 0, "the fixture leaves nothing open");
    assert_eq!((open(&silent), open(&asked) as u64), (0, count));
    for log in [silent, asked] {
        let told =
            log["runs"][0]["invocations"][0]["toolExecutionNotifications"].as_array().cloned().unwrap_or_default();
        assert!(told.iter().any(|told| told["descriptor"]["id"] == "undecided-rule" && told["level"] == "note"));
    }
}

#[test]
fn what_is_silenced_is_there_with_its_reason() {
    let text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: x\n  # dynlint: ignore[duplicate-key] kept for the test\n  a: z\n";
    let tree = dir(&[("a.yaml", text.as_bytes())]);
    let log = sarif(tree.path(), &["."]);
    let silenced = &results(&log)[0]["suppressions"][0];
    assert_eq!(silenced["kind"], "inSource");
    assert_eq!(silenced["justification"], "kept for the test");
    assert_eq!(silenced["location"]["physicalLocation"]["region"]["startLine"], 5);
    valid(&validator(), "suppressed", &log);
}

#[test]
fn a_baseline_says_what_is_new_and_what_is_not() {
    let map = |name: &str, second: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  a: x\n{second}  a: z\n")
            .into_bytes()
    };
    let silent = map("s", "  # dynlint: ignore[duplicate-key] kept\n");
    let tree = dir(&[("old.yaml", &map("old", "")), ("silent.yaml", &silent)]);
    assert!(results(&sarif(tree.path(), &["."])).iter().all(|result| result.get("baselineState").is_none()));
    assert_eq!(run(tree.path(), &["baseline", "write", "--baseline", "b.json"]).code, 0);
    std::fs::write(tree.path().join("new.yaml"), map("new", "")).expect("written");
    let log = sarif(tree.path(), &["--baseline", "b.json", "."]);
    let state = |log: &Value, file: &str| {
        let of = |r: &&Value| r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == file;
        let result = results(log).iter().find(of).unwrap_or_else(|| panic!("{file}")).clone();
        (result["baselineState"].clone(), result["suppressions"][0]["kind"].clone())
    };
    assert_eq!(state(&log, "new.yaml"), ("new".into(), Value::Null));
    assert_eq!(state(&log, "old.yaml"), ("unchanged".into(), "external".into()));
    assert_eq!(state(&log, "silent.yaml"), (Value::Null, "inSource".into()));
    valid(&validator(), "with a baseline", &log);
    // The rule has changed since: nobody can tell which of its findings is which.
    let path = tree.path().join("b.json");
    let text = std::fs::read_to_string(&path).expect("there").replace("\"revision\":1", "\"revision\":0");
    std::fs::write(&path, text).expect("written");
    let log = sarif(tree.path(), &["--baseline", "b.json", "."]);
    assert_eq!(state(&log, "old.yaml"), ("updated".into(), "external".into()));
    valid(&validator(), "with an older baseline", &log);
}

#[test]
fn provenance_goes_from_the_first_setting_to_the_winner() {
    let recipe =
        std::fs::read_to_string(root().join("fixtures/bad/ucx-tls-without-cuda-copy/deploy.yaml")).expect("there");
    // The same variable for the whole graph, which the container overrides.
    let twice = recipe.replacen("  envs:\n", "  envs:\n    - name: UCX_TLS\n      value: all\n", 1);
    assert_ne!(recipe, twice);
    let tree = dir(&[("deploy.yaml", twice.as_bytes())]);
    let log = sarif(tree.path(), &["--select", "ucx-tls-missing-cuda-copy", "."]);
    let steps = results(&log)[0]["codeFlows"][0]["threadFlows"][0]["locations"].as_array().cloned().expect("a chain");
    let said: Vec<_> = steps.iter().map(|step| step["location"]["message"]["text"].as_str().unwrap_or("-")).collect();
    assert!(said[0].contains("graph-env sets `UCX_TLS` to `all`"), "{said:?}");
    assert!(said[1].contains("container-env sets `UCX_TLS` to `rc,cuda_ipc`"), "{said:?}");
    assert_eq!(said.len(), 3);
}

/// Lines and columns, counted in Unicode scalar values, as a viewer would apply them; a byte order mark has no width.
fn offset(text: &str, line: u64, column: u64) -> usize {
    let line = usize::try_from(line).expect("small") - 1;
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let mut left = usize::try_from(column).expect("small") - 1;
    let mut at = start;
    for c in text[start..].chars() {
        if left == 0 && c != '\u{feff}' {
            break;
        }
        at += c.len_utf8();
        left -= usize::from(c != '\u{feff}');
    }
    at
}

#[test]
fn fixes_name_the_same_bytes_in_both_ways_and_mend_the_file() {
    let (mut applied, mut seen) = (0, BTreeMap::new());
    for (_, log, _) in logs() {
        let base = log["runs"][0]["originalUriBaseIds"]["SRCROOT"]["uri"].as_str().expect("a base").to_owned();
        let top = base.strip_prefix("file://").expect("a file").to_owned();
        for change in results(log).iter().flat_map(|result| result["fixes"].as_array().cloned().unwrap_or_default()) {
            for change in change["artifactChanges"].as_array().expect("changes") {
                let uri = change["artifactLocation"]["uri"].as_str().expect("a uri");
                if uri.contains('%') {
                    continue;
                }
                let path = format!("{top}{uri}");
                let text = seen
                    .entry(path.clone())
                    .or_insert_with(|| std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}")));
                for replacement in change["replacements"].as_array().expect("replacements") {
                    let region = &replacement["deletedRegion"];
                    let number = |key: &str| region[key].as_u64().unwrap_or_else(|| panic!("{key}: {region}"));
                    let start = offset(text, number("startLine"), number("startColumn"));
                    let end = offset(text, number("endLine"), number("endColumn"));
                    assert_eq!(start as u64, number("byteOffset"), "{path} {region}");
                    assert_eq!((end - start) as u64, number("byteLength"), "{path} {region}");
                    applied += 1;
                }
            }
        }
    }
    assert!(applied > 0);
    println!("{applied} replacements, byte for byte");
}

#[test]
fn the_same_input_gives_the_same_log() {
    let with = |threads: &str| -> Ran {
        finish(command(root(), &["check", "-f", "sarif", "--profile", "audit", "-j", threads, "fixtures"]))
    };
    assert_eq!(with("1").out, with("4").out);
}
