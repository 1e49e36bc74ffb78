//! `dynlint readiness` on manifests alone.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

pub fn dynlint(args: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("dynlint").expect("the binary is built");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).output().expect("it starts")
}

fn json(args: &[&str]) -> (Value, Option<i32>) {
    let output = dynlint(args);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}")), output.status.code())
}

fn fixtures(kind: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(kind);
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(root).expect("fixtures").map(|e| e.expect("entry").path()).collect();
    dirs.sort();
    dirs
}

fn schema() -> jsonschema::Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/readiness-1.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("schema")).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

fn valid(schema: &jsonschema::Validator, value: &Value, what: &str) {
    let errors: Vec<String> = schema.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:?}");
}

fn check<'a>(value: &'a Value, name: &str) -> &'a Value {
    let checks = value["checks"].as_array().expect("checks");
    checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {checks:#?}"))
}

#[test]
fn the_json_keeps_to_its_schema_on_every_fixture() {
    let schema = schema();
    for (kind, wanted) in [("good", Some(0)), ("bad", None)] {
        for dir in fixtures(kind) {
            let path = dir.to_str().expect("UTF-8");
            let (value, code) = json(&["readiness", path, "--format", "json"]);
            valid(&schema, &value, path);
            let counted = ["ok", "warn", "fail", "skipped"].map(|status| {
                let checks = value["checks"].as_array().expect("checks");
                let n = checks.iter().filter(|c| c["status"] == status).count();
                assert_eq!(value["counts"][status], n, "{path}: {status}");
                n
            });
            assert!(counted.iter().sum::<usize>() > 0);
            assert_eq!(code, Some(i32::from(counted[2] > 0)), "{path}: exit code follows failures");
            if wanted.is_some() {
                assert_eq!(code, wanted, "{path}");
                assert_ne!(value["layers"]["configuration"], "failed", "{path}");
            }
            // Nothing was probed: neither layer may claim anything.
            assert_eq!(value["layers"]["capability"], "inconclusive", "{path}");
            assert_eq!(value["layers"]["transfer"], "inconclusive", "{path}");
            assert_eq!(value["transfer_validated"], false, "{path}");
            assert!(!value["next"].as_array().expect("next").is_empty(), "{path}");
        }
    }
}

#[test]
fn the_schema_refuses_another_shape() {
    let schema = schema();
    let (mut value, _) = json(&["readiness", "fixtures/good/vllm-disagg-infiniband", "-f", "json"]);
    value["layers"]["transfer"] = "skipped".into();
    assert!(!schema.is_valid(&value));
}

#[test]
fn a_mistake_fails_the_configuration_and_names_the_place() {
    let (value, code) = json(&["readiness", "fixtures/bad/ucx-tls-without-cuda-copy", "-f", "json"]);
    assert_eq!(code, Some(1));
    assert_eq!(value["layers"]["configuration"], "failed");
    let said = check(&value, "ucx-tls-missing-cuda-copy");
    assert_eq!(said["status"], "fail");
    assert_eq!(said["evidence"][0], "fixtures/bad/ucx-tls-without-cuda-copy/deploy.yaml:83:23");
    assert_eq!(check(&value, "env:UCX_TLS")["status"], "fail");
    assert!(value["verdict"].as_str().expect("text").starts_with("not ready"));
}

/// Threads read the files in any order: what was seen of a deployment stands in its own file all the same.
#[test]
fn evidence_stands_in_the_file_of_its_deployment() {
    let recipe = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/good/vllm-disagg-infiniband/deploy.yaml");
    let recipe = std::fs::read_to_string(recipe).unwrap();
    let name = recipe.lines().skip_while(|line| *line != "metadata:").find_map(|line| line.strip_prefix("  name: "));
    let name = name.expect("the recipe has a name");
    let many = tempfile::tempdir().unwrap();
    for at in 0..64 {
        let text = recipe.replacen(&format!("  name: {name}\n"), &format!("  name: own-{at}-\n"), 1);
        std::fs::write(many.path().join(format!("own-{at}-.yaml")), "# filled\n".repeat(at % 7 * 400) + &text).unwrap();
    }
    let (value, _) = json(&["readiness", many.path().to_str().unwrap(), "-j", "4", "-f", "json"]);
    let checks = value["checks"].as_array().unwrap();
    let mut seen = 0;
    for check in checks.iter().filter(|check| check["name"] == "env:UCX_TLS") {
        let own = check["target"].as_str().unwrap().split('/').next().unwrap();
        let place = check["evidence"][0].as_str().unwrap();
        assert!(place.contains(&format!("{own}.yaml")), "{own}: {place}");
        seen += 1;
    }
    assert!(seen > 64, "{seen}");
}

#[test]
fn a_sound_recipe_is_not_called_ready_on_its_text_alone() {
    let (value, code) = json(&["readiness", "fixtures/good/vllm-disagg-infiniband", "-f", "json"]);
    assert_eq!(code, Some(0));
    assert_eq!(value["layers"]["configuration"], "verified");
    assert!(value["verdict"].as_str().expect("text").starts_with("not proven"), "{}", value["verdict"]);
    let next: Vec<&str> = value["next"].as_array().expect("next").iter().filter_map(Value::as_str).collect();
    assert!(next.iter().any(|step| step.contains("probe nixl") && step.contains("--run-transfer")), "{next:?}");
}

#[test]
fn an_aggregated_recipe_needs_no_transfer() {
    let (value, _) = json(&["readiness", "fixtures/good/vllm-agg-nvlink", "-f", "json"]);
    assert!(check(&value, "kv-transfer")["detail"].as_str().expect("text").contains("no KV cache crosses"));
    let next = value["next"].to_string();
    assert!(!next.contains("probe nixl"), "{next}");
}

#[test]
fn what_cannot_be_read_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("pod.yaml"), "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n").expect("written");
    std::fs::write(path("broken.yaml"), "apiVersion: [\n").expect("written");
    std::fs::create_dir(path("empty")).expect("made");
    for name in ["missing", "pod.yaml", "empty", "broken.yaml"] {
        let (value, code) = json(&["readiness", &path(name), "--format", "json"]);
        assert_eq!(code, Some(1), "{name}: {value:#}");
        assert_eq!(check(&value, "manifests")["status"], "fail", "{name}");
        assert_eq!(value["layers"]["configuration"], "failed", "{name}");
    }
}

#[test]
fn how_strict_is_the_callers_choice() {
    let code = |path: &str, fail_on: &str| dynlint(&["readiness", path, "--fail-on", fail_on]).status.code();
    let good = "fixtures/good/vllm-disagg-infiniband";
    let warned = "fixtures/bad/kv-router-without-events";
    assert_eq!(code(good, "fail"), Some(0));
    assert_eq!(code(good, "warn"), Some(0));
    assert_eq!(code(good, "inconclusive"), Some(1), "capability was not probed");
    assert_eq!(code(warned, "fail"), Some(0));
    assert_eq!(code(warned, "warn"), Some(1));
    assert_eq!(code("fixtures/bad/router-mode-misspelled", "never"), Some(0));
    assert_eq!(dynlint(&["readiness"]).status.code(), Some(2), "usage");
}

#[test]
fn the_text_says_all_three_layers() {
    let output = dynlint(&["readiness", "fixtures/good/vllm-disagg-infiniband", "--color", "never"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for line in ["configuration verified", "capability inconclusive", "transfer inconclusive", "next:"] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour");
}
