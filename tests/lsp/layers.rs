//! Features that reach over several files, and what the server says of itself.

use serde_json::{Value, json};

use crate::client::{Client, codes, covered, find, plain};
use crate::diagnostics::recipe;

const BASE: &str = "\
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
          command: [python3, -m, dynamo.frontend]
          env:
            - { name: DYN_ROUTER_MODE, value: random } # ü
    Worker:
      componentType: worker
      subComponentType: decode
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [python3, -m, dynamo.vllm]
";

const PATCH: &str = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  services:
    Frontend:
      extraPodSpec:
        mainContainer:
          env:
            - { name: DYN_ROUTER_MODE, value: round-robin }
          args: [--router-mode, least-loaded]
    Worker:
      extraPodSpec:
        mainContainer:
          args: [--model, Qwen/Qwen3-0.6B, --disaggregation-mode, decode]
";

fn tree(capabilities: Value, options: Value) -> Client {
    let files = [
        ("base/kustomization.yaml", "resources: [deploy.yaml]\n"),
        ("base/deploy.yaml", BASE),
        ("prod/kustomization.yaml", "resources: [../base]\npatches:\n  - path: patch.yaml\n"),
        ("prod/patch.yaml", PATCH),
    ];
    Client::new(&files, capabilities, options)
}

fn ask(client: &mut Client, method: &str, name: &str, (line, column): (u32, u32)) -> Value {
    let params = client.at(name, line, column);
    client.request(method, params)
}

#[test]
fn what_the_server_can_do_is_said_and_formatting_is_not_among_it() {
    let client = Client::new(&[], plain(), Value::Null);
    let can = client.initialized["capabilities"].as_object().unwrap().clone();
    assert_eq!(can["textDocumentSync"]["change"], 2, "incremental");
    assert_eq!(can["codeActionProvider"]["codeActionKinds"], json!(["quickfix", "source.fixAll.dynlint"]));
    for provider in ["hover", "completion", "definition", "documentSymbol", "inlayHint", "codeLens", "executeCommand"] {
        assert!(can.get(&format!("{provider}Provider")).is_some(), "{provider}: {can:?}");
    }
    for name in can.keys() {
        assert!(!name.to_lowercase().contains("format"), "{name}");
    }
    client.end();
    // Pulled diagnostics are announced to who can pull.
    let client = Client::new(&[], json!({ "textDocument": { "diagnostic": {} } }), Value::Null);
    assert_eq!(client.initialized["capabilities"]["diagnosticProvider"]["workspaceDiagnostics"], true);
    client.end();
    let client = Client::new(&[], plain(), json!({ "inlayHints": false, "codeLens": false }));
    let can = client.initialized["capabilities"].as_object().unwrap();
    assert!(!can.contains_key("inlayHintProvider") && !can.contains_key("codeLensProvider"), "{can:?}");
    client.end();
}

#[test]
fn several_changes_of_one_message_are_made_in_order() {
    let text = recipe("kv-aware");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let _ = client.published("deploy.yaml");
    let (line, column) = find(&text, "kv-aware");
    let at = |line: u32, column: u32| json!({ "line": line, "character": column });
    // A line comes above, then the word is replaced where it stands by then.
    let changes = json!([
        { "range": { "start": at(0, 0), "end": at(0, 0) }, "text": "# 🦀\n" },
        { "range": { "start": at(line + 1, column), "end": at(line + 1, column + 8) }, "text": "randon" },
    ]);
    let document = json!({ "uri": client.uri("deploy.yaml"), "version": 2 });
    client.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    let found = client.published("deploy.yaml");
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").unwrap_or_else(|| panic!("{found:?}"));
    let now = format!("# 🦀\n{}", text.replace("kv-aware", "randon"));
    assert_eq!(covered(&now, &mode["range"]), "randon");
    // Without a range the whole text is meant.
    let document = json!({ "uri": client.uri("deploy.yaml"), "version": 3 });
    let changes = json!([{ "text": recipe("kv-off") }]);
    client.notify("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    let found = client.published("deploy.yaml");
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!(covered(&recipe("kv-off"), &mode["range"]), "kv-off");
    client.end();
}

#[test]
fn old_names_are_struck_out() {
    let text = recipe("kv").replace("NOTE2, value: \"🦀🦀\"", "DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT, value: \"1.0\"");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), json!({ "profile": "audit" }));
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let old: Vec<&Value> = found.iter().filter(|d| d["tags"] == json!([2])).collect();
    assert!(!old.is_empty(), "{found:#?}");
    client.end();
}

#[test]
fn a_fix_of_several_files_is_one_action() {
    for versioned in [true, false] {
        let capabilities = json!({ "workspace": { "workspaceEdit": { "documentChanges": versioned } } });
        let mut client = tree(capabilities, Value::Null);
        client.open("prod/patch.yaml");
        let found = client.published("prod/patch.yaml");
        let role =
            found.iter().find(|d| d["code"] == "disagg-role-in-aggregated").unwrap_or_else(|| panic!("{found:?}"));
        let params = json!({
            "textDocument": { "uri": client.uri("prod/patch.yaml") }, "range": role["range"],
            "context": { "diagnostics": [], "only": ["quickfix"] },
        });
        let offered = client.request("textDocument/codeAction", params);
        let fix = offered.as_array().unwrap().iter().find(|a| a["title"].as_str().unwrap().contains("in 2 files"));
        let edit = &fix.unwrap_or_else(|| panic!("{offered:#}"))["edit"];
        let (base, patch) = (client.uri("base/deploy.yaml"), client.uri("prod/patch.yaml"));
        let of = |uri: &str| -> Value {
            let mut all = edit["documentChanges"].as_array().into_iter().flatten();
            let own = all.find(|change| change["textDocument"]["uri"] == uri).map(|change| change["edits"].clone());
            own.unwrap_or_else(|| edit["changes"][uri].clone())
        };
        assert_eq!(of(&base).as_array().unwrap().len(), 1, "{edit:#}");
        let (line, _) = find(BASE, "subComponentType");
        assert_eq!(of(&base)[0]["range"]["start"]["line"], line);
        let (line, _) = find(PATCH, "--disaggregation-mode");
        assert_eq!(of(&patch)[0]["range"]["start"]["line"], line);
        client.end();
    }
}

#[test]
fn hover_definition_and_hints_look_through_the_layers() {
    let mut client = tree(plain(), Value::Null);
    client.open("base/deploy.yaml");
    client.open("prod/patch.yaml");
    let (line, column) = find(PATCH, "round-robin");
    let hover = ask(&mut client, "textDocument/hover", "prod/patch.yaml", (line, column + 1));
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(text.contains("`--router-mode` on the command line wins with `least-loaded`"), "{text}");
    // From the value that lost to who won.
    let found = ask(&mut client, "textDocument/definition", "prod/patch.yaml", (line, column + 1));
    assert_eq!(found[0]["uri"], client.uri("prod/patch.yaml"), "{found}");
    assert_eq!(covered(PATCH, &found[0]["range"]), "--router-mode");
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 999, "character": 0 } });
    let uri = client.uri("prod/patch.yaml");
    let hints = client.request("textDocument/inlayHint", json!({ "textDocument": { "uri": uri }, "range": range }));
    assert_eq!(hints[0]["label"], "→ --router-mode least-loaded", "{hints}");
    assert_eq!(hints[0]["position"]["line"], line);
    // The lens of the patched deployment shows what the overlay comes to.
    let uri = client.uri("base/deploy.yaml");
    let lenses = client.request("textDocument/codeLens", json!({ "textDocument": { "uri": uri } }));
    let lenses = lenses.as_array().unwrap();
    let frontend = lenses.iter().find(|lens| lens["command"]["arguments"][2] == "Frontend");
    let command = &frontend.unwrap_or_else(|| panic!("{lenses:?}"))["command"];
    let params = json!({ "command": command["command"], "arguments": command["arguments"] });
    let shown = client.request("workspace/executeCommand", params);
    assert!(shown.as_str().unwrap().contains("--router-mode"), "{shown}");
    client.end();
}

#[test]
fn completion_knows_whose_command_line_it_is_in() {
    let labels = |args: &str, typed: &str| -> Vec<String> {
        let text = PATCH.replace(args, &format!("[{typed}]"));
        assert_ne!(text, PATCH);
        let mut client = tree(plain(), Value::Null);
        client.open_as("prod/patch.yaml", &text);
        let (line, column) = find(&text, &format!("[{typed}]"));
        let end = column + 1 + u32::try_from(typed.len()).unwrap();
        let items = ask(&mut client, "textDocument/completion", "prod/patch.yaml", (line, end));
        client.end();
        items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    };
    let has = |list: &[String], name: &str| list.iter().any(|item| item == name);
    let frontend = labels("[--router-mode, least-loaded]", "--");
    assert!(has(&frontend, "--http-port") && !has(&frontend, "--kv-transfer-config"), "{frontend:?}");
    let worker = labels("[--model, Qwen/Qwen3-0.6B, --disaggregation-mode, decode]", "--");
    assert!(has(&worker, "--kv-transfer-config") && !has(&worker, "--http-port"), "{worker:?}");
}

#[test]
fn clients_that_pull_are_told_to_pull_again() {
    let capabilities =
        json!({ "textDocument": { "diagnostic": {} }, "workspace": { "diagnostics": { "refreshSupport": true } } });
    let text = recipe("kv-aware");
    let mut client = Client::new(&[("deploy.yaml", &text)], capabilities, Value::Null);
    client.open("deploy.yaml");
    let pull = |client: &mut Client| {
        let uri = client.uri("deploy.yaml");
        client.request("textDocument/diagnostic", json!({ "textDocument": { "uri": uri } }))["items"].clone()
    };
    assert!(codes(pull(&mut client).as_array().unwrap()).contains(&"unknown-router-mode"));
    client.heard.clear();
    std::fs::write(client.path("dynlint.toml"), "ignore = [\"unknown-router-mode\"]\n").unwrap();
    let event = json!({ "uri": client.uri("dynlint.toml"), "type": 1 });
    client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [event] }));
    assert!(!codes(pull(&mut client).as_array().unwrap()).contains(&"unknown-router-mode"));
    let asked = |m: &lsp_server::Message| matches!(m, lsp_server::Message::Request(r) if r.method == "workspace/diagnostic/refresh");
    assert!(client.heard.iter().any(asked), "{:?}", client.heard);
    client.end();
}

/// What a reader of schemas says is left to it when the client says that there is one, and only that.
#[test]
fn what_schemas_say_is_left_to_who_reads_them() {
    let text = "\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  components:
    - name: Frontend
      type: frontent
      replicas: many
    - name: Worker
      type: worker
      replica: 2
      replicas: -1
    - type: worker
    - name: Other
      type: frontend
      podTemplate:
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
              env:
                - { name: DYN_ROUTER_MODE, value: kv-aware }
";
    let schema = ["component-type-invalid", "missing-field", "unknown-field", "value-refused", "wrong-type"];
    let old = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: old
spec:
  services:
    Worker:
      componentType: wroker
";
    let said = |leaves: bool| {
        let files = [("deploy.yaml", text), ("old/deploy.yaml", old)];
        let mut client = Client::new(&files, plain(), json!({ "yamlLanguageServer": leaves }));
        client.open("deploy.yaml");
        let mut found: Vec<String> = codes(&client.published("deploy.yaml")).iter().map(|&c| c.to_owned()).collect();
        found.sort();
        found.dedup();
        client.open("old/deploy.yaml");
        // The schema of v1alpha1 takes any word.
        assert!(codes(&client.published("old/deploy.yaml")).contains(&"component-type-invalid"), "leaves: {leaves}");
        client.end();
        found
    };
    let (all, left) = (said(false), said(true));
    for rule in schema {
        assert!(all.iter().any(|code| code == rule), "{rule}: {all:?}");
    }
    let kept: Vec<&String> = all.iter().filter(|code| !schema.contains(&code.as_str())).collect();
    assert_eq!(left.iter().collect::<Vec<_>>(), kept);
    assert!(left.contains(&"unknown-router-mode".to_owned()), "{left:?}");
}
