//! What is pushed and what is pulled.

use serde_json::{Value, json};

use crate::client::{Client, codes, covered, find, plain};

/// A mistake behind characters that are one, two and four bytes wide.
pub const RECIPE: &str = r#"apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  components:
    - name: Frontend
      type: frontend
      podTemplate:
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
              env:
                - { name: "NOTE", value: "äöü 🦀" } # é
                - { name: NOTE2, value: "🦀🦀" }
                - { name: /* */ X, value: y }
"#;

/// A router mode that is none, with text of every width before it on its line.
pub fn recipe(mode: &str) -> String {
    let env = format!("                - {{ value: \"{mode}\", name: DYN_ROUTER_MODE }} # 🦀\n");
    let head: Vec<&str> = RECIPE.lines().filter(|line| !line.contains("/* */")).collect();
    format!("{}\n{env}", head.join("\n"))
}

/// The same with the mode behind a name in other scripts.
pub fn wide(mode: &str) -> String {
    recipe(mode).replace("{ value: \"", "{ \"🦀é\": \"ü𝄞\", value: \"")
}

#[test]
fn a_file_is_linted_when_opened_and_again_with_every_change() {
    let text = recipe("kv-aware");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").expect("the mode is found");
    assert_eq!(covered(&text, &mode["range"]), "kv-aware");
    assert_eq!(mode["source"], "dynlint");
    assert_eq!(mode["severity"], 2);
    assert!(mode["codeDescription"]["href"].as_str().unwrap().ends_with("/rules/router/unknown-router-mode.md"));
    assert!(mode["message"].as_str().unwrap().contains("help: "));
    let (line, column) = find(&text, "-aware");
    client.change("deploy.yaml", [line, column, line, column + 6], "");
    let found = client.published("deploy.yaml");
    assert!(!codes(&found).contains(&"unknown-router-mode"), "{found:?}");
    client.end();
}

#[test]
fn columns_count_in_the_encoding_that_was_agreed() {
    for (offered, agreed) in [
        (json!([]), "utf-16"),
        (json!(["utf-8", "utf-16"]), "utf-8"),
        (json!(["utf-32"]), "utf-32"),
        (json!(["utf-16", "utf-32"]), "utf-16"),
    ] {
        let text = wide("kv-aware");
        let capabilities = json!({ "general": { "positionEncodings": offered } });
        let mut client = Client::new(&[("deploy.yaml", &text)], capabilities, Value::Null);
        assert_eq!(client.initialized["capabilities"]["positionEncoding"], agreed);
        client.open("deploy.yaml");
        let found = client.published("deploy.yaml");
        let range = &found.iter().find(|d| d["code"] == "unknown-router-mode").unwrap()["range"];
        let line = text.lines().find(|line| line.contains("kv-aware")).unwrap();
        let before = &line[..line.find("kv-aware").unwrap()];
        let expected = match agreed {
            "utf-8" => before.len(),
            "utf-16" => before.encode_utf16().count(),
            _ => before.chars().count(),
        };
        assert_eq!(range["start"]["character"], expected, "{agreed}");
        assert_eq!(range["end"]["character"], expected + "kv-aware".len(), "{agreed}");
        // The client counts the same way when it edits.
        let line_number = range["start"]["line"].as_u64().unwrap() as u32;
        let from = expected as u32;
        client.change("deploy.yaml", [line_number, from + 2, line_number, from + 8], "");
        assert!(!codes(&client.published("deploy.yaml")).contains(&"unknown-router-mode"), "{agreed}");
        client.end();
    }
}

const BASE: &str = "resources: [deploy.yaml]\n";
const OVERLAY: &str = "resources: [../../base]\npatches:\n  - path: patch.yaml\n";

fn patch(mode: &str) -> String {
    format!(
        "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata:\n  name: llama\nspec:\n  components:\n    - name: Frontend\n      type: frontend\n      podTemplate:\n        spec:\n          containers:\n            - name: main\n              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0\n              env:\n                - name: DYN_ROUTER_MODE\n                  value: {mode}\n"
    )
}

#[test]
fn editing_a_patch_updates_what_the_overlay_comes_to() {
    let files = [
        ("base/kustomization.yaml", BASE),
        ("base/deploy.yaml", &recipe("kv")),
        ("overlays/prod/kustomization.yaml", OVERLAY),
        ("overlays/prod/patch.yaml", &patch("round-robin")),
    ];
    let mut client = Client::new(&files, plain(), Value::Null);
    client.open("overlays/prod/patch.yaml");
    assert!(!codes(&client.published("overlays/prod/patch.yaml")).contains(&"unknown-router-mode"));
    let text = patch("round-robin");
    let (line, column) = find(&text, "round-robin");
    client.change("overlays/prod/patch.yaml", [line, column, line, column + 11], "kv-aware");
    let found = client.published("overlays/prod/patch.yaml");
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").expect("found through the overlay");
    assert_eq!(covered(&patch("kv-aware"), &mode["range"]), "kv-aware");
    assert!(mode["message"].as_str().unwrap().contains("overlays/prod"), "{mode}");
    // A change of the base, which is not open, is on disk only.
    std::fs::write(client.path("overlays/prod/kustomization.yaml"), "resources: [../../base]\n").unwrap();
    let event = json!({ "uri": client.uri("overlays/prod/kustomization.yaml"), "type": 2 });
    client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [event] }));
    let found = client.published("overlays/prod/patch.yaml");
    assert!(!found.iter().any(|d| d.to_string().contains("overlays/prod")), "no longer applied: {found:?}");
    client.end();
}

#[test]
fn an_unsaved_base_counts_for_findings_in_other_files() {
    let files = [
        ("base/kustomization.yaml", BASE),
        ("base/deploy.yaml", &recipe("kv")),
        ("overlays/prod/kustomization.yaml", "resources: [../../base]\n"),
    ];
    let mut client = Client::new(&files, plain(), Value::Null);
    client.open("overlays/prod/kustomization.yaml");
    let _ = client.published("overlays/prod/kustomization.yaml");
    client.open_as("base/deploy.yaml", &recipe("kv-aware"));
    let found = client.published("base/deploy.yaml");
    assert!(codes(&found).contains(&"unknown-router-mode"), "{found:?}");
    // Closed without saving: the disk speaks again.
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": client.uri("base/deploy.yaml") } }));
    let found = client.published("base/deploy.yaml");
    assert!(!codes(&found).contains(&"unknown-router-mode"), "{found:?}");
    client.end();
}

#[test]
fn what_is_not_ours_gets_nothing() {
    let broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, name: b}\ndata: [\n";
    let compose = "services:\n  a: {image: x, image: y}\n";
    let mut client = Client::new(&[("cm.yaml", broken), ("compose.yaml", compose)], plain(), Value::Null);
    for name in ["cm.yaml", "compose.yaml"] {
        client.open(name);
        assert_eq!(client.published(name), [] as [Value; 0], "{name}");
    }
    client.end();
}

#[test]
fn related_places_are_named_across_files() {
    let base = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
    Worker:
      componentType: worker
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [python3, -m, dynamo.vllm]
          args: [--model, Qwen/Qwen3-0.6B]
";
    let head = base.split("    Frontend:").next().unwrap();
    let patch = format!("{head}    Frontend:\n      envs:\n        - {{name: DYN_ROUTER_MODE, value: kv}}\n");
    let files = [
        ("base/kustomization.yaml", BASE),
        ("base/deploy.yaml", base),
        ("overlays/prod/kustomization.yaml", OVERLAY),
        ("overlays/prod/patch.yaml", &patch),
    ];
    let mut client = Client::new(&files, plain(), Value::Null);
    client.open("overlays/prod/patch.yaml");
    let found = client.published("overlays/prod/patch.yaml");
    let finding = found.iter().find(|d| d["code"] == "kv-router-no-events").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(covered(&patch, &finding["range"]), "kv");
    let related = finding["relatedInformation"].as_array().unwrap();
    let elsewhere = related.iter().find(|r| r["location"]["uri"] == client.uri("base/deploy.yaml"));
    let elsewhere = elsewhere.unwrap_or_else(|| panic!("{related:?}"));
    assert_eq!(covered(base, &elsewhere["location"]["range"]), "dynamo.vllm");
    client.end();
}

#[test]
fn related_places_are_named() {
    let text = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/bad/kv-router-without-events/deploy.yaml"
    ))
    .unwrap();
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let finding = found.iter().find(|d| d["code"] == "kv-router-no-events").unwrap();
    let related = finding["relatedInformation"].as_array().unwrap();
    assert_eq!(related[0]["location"]["uri"], client.uri("deploy.yaml"));
    assert_eq!(covered(&text, &related[0]["location"]["range"]), "dynamo.vllm");
    client.end();
}

#[test]
fn dead_settings_are_tagged() {
    let text = recipe("round-robin").replace("NOTE2, value: \"🦀🦀\"", "DYN_ROUTER_TEMPERATURE, value: \"0.5\"");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let dead = found.iter().find(|d| d["code"] == "kv-knob-in-non-kv-mode").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(dead["tags"], json!([1]));
    client.end();
}

#[test]
fn clients_that_pull_are_not_pushed_to() {
    let files = [("a/deploy.yaml", &*recipe("kv-aware")), ("b/deploy.yaml", &recipe("kv"))];
    let mut client = Client::new(&files, json!({ "textDocument": { "diagnostic": {} } }), Value::Null);
    let provider = &client.initialized["capabilities"]["diagnosticProvider"];
    assert_eq!(provider["interFileDependencies"], true);
    client.open("a/deploy.yaml");
    let pull = |client: &mut Client, previous: Value| {
        let uri = client.uri("a/deploy.yaml");
        client
            .request("textDocument/diagnostic", json!({ "textDocument": { "uri": uri }, "previousResultId": previous }))
    };
    let first = pull(&mut client, Value::Null);
    assert_eq!(first["kind"], "full");
    assert!(codes(first["items"].as_array().unwrap()).contains(&"unknown-router-mode"));
    let again = pull(&mut client, first["resultId"].clone());
    assert_eq!(again["kind"], "unchanged");
    // A change elsewhere leaves it as it was, one here does not.
    client.open("b/deploy.yaml");
    assert_eq!(pull(&mut client, first["resultId"].clone())["kind"], "unchanged");
    let (line, column) = find(&recipe("kv-aware"), "-aware");
    client.change("a/deploy.yaml", [line, column, line, column + 6], "");
    let fixed = pull(&mut client, first["resultId"].clone());
    assert_eq!(fixed["kind"], "full");
    assert!(!codes(fixed["items"].as_array().unwrap()).contains(&"unknown-router-mode"));

    let pushed = |client: &Client| {
        client
            .heard
            .iter()
            .any(|m| matches!(m, lsp_server::Message::Notification(n) if n.method == "textDocument/publishDiagnostics"))
    };
    assert!(!pushed(&client));
    client.end();
}

#[test]
fn the_whole_workspace_can_be_pulled() {
    let files = [("a/deploy.yaml", &*recipe("kv-aware")), ("b/deploy.yaml", &recipe("kv")), ("c/other.yaml", "a: [\n")];
    let mut client = Client::new(&files, json!({ "textDocument": { "diagnostic": {} } }), Value::Null);
    let all = client.request("workspace/diagnostic", json!({ "previousResultIds": [] }));
    let items = all["items"].as_array().unwrap();
    let bad = items.iter().find(|item| item["uri"] == client.uri("a/deploy.yaml")).unwrap();
    assert!(codes(bad["items"].as_array().unwrap()).contains(&"unknown-router-mode"));
    assert!(!items.iter().any(|item| item["uri"] == client.uri("c/other.yaml")));
    let previous: Vec<Value> =
        items.iter().map(|item| json!({ "uri": item["uri"], "value": item["resultId"] })).collect();
    let again = client.request("workspace/diagnostic", json!({ "previousResultIds": previous }));
    assert!(again["items"].as_array().unwrap().iter().all(|item| item["kind"] == "unchanged"), "{again}");
    client.end();
}

#[test]
fn a_fix_that_was_killed_half_way_is_mentioned_once() {
    let text = recipe("kv");
    let journal = json!({ "version": 1, "files": [{
        "directory": "", "waiting": ".dynlint-x.tmp", "target": "deploy.yaml", "before": "0", "after": "1",
    }] });
    let files = [
        ("deploy.yaml", &*text),
        ("more.yaml", "kind: Pod\n"),
        (".dynlint-x.tmp", "new"),
        (".dynlint-x.journal", &journal.to_string()),
    ];
    let mut client = Client::new(&files, plain(), Value::Null);
    client.open("deploy.yaml");
    let said = client.notification("window/showMessage");
    let message = said["message"].as_str().unwrap();
    assert_eq!(said["type"], 2, "a warning");
    assert!(message.contains("interrupted half-way") && message.contains("`dynlint check --fix "), "{message}");
    client.open("more.yaml");
    client.published("deploy.yaml");
    client.request("shutdown", Value::Null);
    assert!(!client.heard.iter().any(|m| format!("{m:?}").contains("showMessage")), "{:?}", client.heard);
}
