//! What an editor shows beside diagnostics: actions, hover, completion, definitions, symbols, hints, lenses.

use serde_json::{Value, json};

use crate::client::{Client, codes, covered, find, plain};
use crate::diagnostics::recipe;

const CONFIG: &str = r#"apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  mode: random
  other: x
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: models
"#;

/// Two services, with a variable that is set three times.
const GRAPH: &str = r#"apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: llama
spec:
  envs:
    - name: UCX_TLS # ü
      value: "rc,cuda_copy"
  services:
    Frontend:
      componentType: frontend
      envs:
        - name: DYN_ROUTER_MODE
          value: "kv"
        - name: DYN_ROUTER_TEMPERATURE
          valueFrom: { configMapKeyRef: { name: settings, key: other } }
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [python3, -m, dynamo.frontend]
          args: [--router-mode, round-robin, --http-port, "8000"]
    Worker:
      componentType: worker
      envs:
        - name: UCX_TLS
          value: "tcp"
        - name: HF_TOKEN
          value: hf_abcdefghijklmnopqrstuvwxyz
      extraPodSpec:
        volumes:
          - name: models
            persistentVolumeClaim: { claimName: models }
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          volumeMounts:
            - { name: models, mountPath: /models }
          command: [python3, -m, dynamo.vllm]
          args:
            - --model
            - Qwen/Qwen3-0.6B
            - --kv-transfer-config
            - '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'
"#;

fn client() -> Client {
    let text = format!("{CONFIG}---\n{GRAPH}");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    client
}

fn text() -> String {
    format!("{CONFIG}---\n{GRAPH}")
}

/// Position in the middle of what is found.
fn place(needle: &str, inside: &str) -> (u32, u32) {
    let text = text();
    let at = text.find(needle).unwrap_or_else(|| panic!("no {needle:?}"));
    let (line, column) = find(&text[at..], inside);
    let above = u32::try_from(text[..at].matches('\n').count()).unwrap();
    let start = if line == 0 { text[..at].len() - text[..at].rfind('\n').map_or(0, |n| n + 1) } else { 0 };
    (above + line, column + u32::try_from(start).unwrap() + 1)
}

fn ask(client: &mut Client, method: &str, (line, column): (u32, u32)) -> Value {
    let params = client.at("deploy.yaml", line, column);
    client.request(method, params)
}

fn hover(client: &mut Client, at: (u32, u32)) -> String {
    ask(client, "textDocument/hover", at)["contents"]["value"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn hover_says_what_a_variable_means_and_who_sets_it() {
    let mut client = client();
    let shown = hover(&mut client, place("  envs:\n    - name: UCX_TLS", "UCX_TLS"));
    assert!(shown.contains("read by UCX") && shown.contains("transports that UCX may use"), "{shown}");
    assert!(shown.contains("`Frontend` (frontend) gets `rc,cuda_copy`"), "{shown}");
    assert!(shown.contains("`Worker` (aggregated) gets `tcp`"), "{shown}");
    assert!(shown.contains("graph-env: `rc,cuda_copy`") && shown.contains(", overridden"), "{shown}");
    assert!(shown.contains("[deploy.yaml:"), "{shown}");
    let mode = hover(&mut client, place("DYN_ROUTER_MODE", "kv"));
    assert!(mode.contains("supplies the default of `--router-mode`"), "{mode}");
    assert_eq!(mode.matches("how the router chooses").count(), 1, "{mode}");
    assert!(mode.contains("`--router-mode` on the command line wins with `round-robin`"), "{mode}");
    assert!(mode.contains("`least-loaded`"), "{mode}");
    let token = hover(&mut client, place("HF_TOKEN", "hf_abc"));
    assert!(token.contains("`***`") && !token.contains("hf_abc"), "{token}");
    assert_eq!(ask(&mut client, "textDocument/hover", (0, 2)), Value::Null);
    client.end();
}

#[test]
fn hover_says_what_an_option_takes_and_what_it_wins_over() {
    let mut client = client();
    let shown = hover(&mut client, place("args: [--router-mode", "--router-mode"));
    assert!(shown.contains("an option of `dynamo.frontend`") && shown.contains("`round-robin`"), "{shown}");
    assert!(shown.contains("wins over `DYN_ROUTER_MODE` = `kv`"), "{shown}");
    let value = hover(&mut client, place("args: [--router-mode", "round-robin"));
    assert!(value.contains("**`--router-mode`**"), "{value}");
    let key = hover(&mut client, place("{\"kv_connector", "kv_role"));
    assert!(key.contains("**`kv_role`**") && key.contains("--kv-transfer-config"), "{key}");
    assert!(key.contains("`kv_consumer`"), "{key}");
    assert!(shown.contains("runs with `round-robin` ([deploy.yaml:"), "{shown}");
    client.end();
}

#[test]
fn definitions_lead_to_who_wins_and_to_objects() {
    let mut client = client();
    let text = text();
    let mut to = |needle: &str, inside: &str| -> Vec<String> {
        let found = ask(&mut client, "textDocument/definition", place(needle, inside));
        let line = |location: &Value| {
            let range = &location["range"];
            format!("{}:{}", range["start"]["line"], covered(&text, range))
        };
        found.as_array().unwrap().iter().map(line).collect()
    };
    let line = |needle: &str| text[..text.find(needle).unwrap()].matches('\n').count();
    let worker = line("value: \"tcp\"");
    assert!(to("  envs:\n    - name: UCX_TLS", "rc,cuda").contains(&format!("{worker}:tcp")));
    let args = line("args: [--router-mode");
    assert_eq!(to("DYN_ROUTER_MODE", "kv"), [format!("{args}:--router-mode")], "the option wins");
    assert_eq!(to("configMapKeyRef: { name: settings", "settings"), ["3:settings"]);
    assert_eq!(to("name: settings, key: other", "other"), ["6:x"]);
    assert_eq!(to("claimName: models", "models"), ["11:models"]);
    let volume = line("- name: models\n            persistent");
    assert_eq!(to("{ name: models, mountPath", "models"), [format!("{volume}:models")]);
    client.end();
}

#[test]
fn a_claim_leads_to_the_compute_domain_that_makes_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/good/sglang-disagg-gb200-mnnvl/deploy.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let (line, column) = find(&text, "resourceClaimTemplateName: ");
    let at = client.at("deploy.yaml", line, column + 30);
    let found = client.request("textDocument/definition", at);
    let range = &found[0]["range"];
    let domain = text[text.find("kind: ComputeDomain").unwrap()..].lines().find(|line| line.contains("name:")).unwrap();
    assert_eq!(covered(&text, range), domain.split(": ").nth(1).unwrap(), "{found}");
    let above = text.lines().take(usize::try_from(range["start"]["line"].as_u64().unwrap()).unwrap());
    assert!(above.collect::<Vec<_>>().iter().rev().take(4).any(|line| line.contains("ComputeDomain")), "{found}");
    // The container's claim is one of its own pod.
    let (last, pod) = (text.rfind("claims:").unwrap(), text.rfind("resourceClaims:").unwrap());
    let row = |at: usize| u32::try_from(text[..at].matches('\n').count()).unwrap() + 1;
    let entry = text.lines().nth(row(last) as usize).unwrap();
    let at = client.at("deploy.yaml", row(last), u32::try_from(entry.find("name: ").unwrap()).unwrap() + 7);
    let found = client.request("textDocument/definition", at);
    assert_eq!(found[0]["range"]["start"]["line"], row(pod), "{found}");
    client.end();
}

#[test]
fn symbols_are_deployments_services_and_variables() {
    let mut client = client();
    let symbols =
        client.request("textDocument/documentSymbol", json!({ "textDocument": { "uri": client.uri("deploy.yaml") } }));
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&symbols), ["llama"]);
    let inside = &symbols[0]["children"];
    assert_eq!(names(inside), ["UCX_TLS", "Frontend", "Worker"]);
    assert_eq!(names(&inside[2]["children"]), ["UCX_TLS", "HF_TOKEN"]);
    assert_eq!(inside[2]["children"][0]["detail"], "tcp");
    assert_eq!(inside[2]["children"][1]["detail"], Value::Null, "no credential in the outline");
    client.end();
}

#[test]
fn hints_show_what_counts_in_place_of_what_is_written() {
    let mut client = client();
    let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 999, "character": 0 } });
    let uri = client.uri("deploy.yaml");
    let hints = client.request("textDocument/inlayHint", json!({ "textDocument": { "uri": uri }, "range": range }));
    let text = text();
    let shown: Vec<(String, String)> = hints
        .as_array()
        .unwrap()
        .iter()
        .map(|hint| {
            let line = usize::try_from(hint["position"]["line"].as_u64().unwrap()).unwrap();
            let line = text.lines().nth(line).unwrap().trim().to_owned();
            (line, hint["label"].as_str().unwrap().to_owned())
        })
        .collect();
    let has = |line: &str, label: &str| shown.contains(&(line.to_owned(), label.to_owned()));
    assert!(has("value: \"rc,cuda_copy\"", "→ tcp"), "{shown:?}");
    assert!(has("value: \"kv\"", "→ --router-mode round-robin"), "{shown:?}");
    assert_eq!(shown.len(), 2, "{shown:?}");
    client.end();
}

#[test]
fn the_lens_gives_the_effective_configuration() {
    let mut client = client();
    let uri = client.uri("deploy.yaml");
    let lenses = client.request("textDocument/codeLens", json!({ "textDocument": { "uri": uri } }));
    let lenses = lenses.as_array().unwrap();
    assert_eq!(lenses.len(), 2);
    let worker = lenses.iter().find(|lens| lens["command"]["arguments"][2] == "Worker").unwrap();
    assert_eq!(covered(&text(), &worker["range"]), "Worker");
    let command = &worker["command"];
    let shown = client.request(
        "workspace/executeCommand",
        json!({ "command": command["command"], "arguments": command["arguments"] }),
    );
    let shown = shown.as_str().unwrap();
    assert!(shown.contains("UCX_TLS = tcp") && !shown.contains("Frontend at"), "{shown}");
    assert!(shown.contains("HF_TOKEN = ***") && !shown.contains("hf_abc"), "{shown}");
    assert_eq!(client.refused("workspace/executeCommand", json!({ "command": "rm" })).code, -32602);
    client.end();
}

/// The labels that are offered when `typed` stands in place of `old`.
fn offered(old: &str, typed: &str) -> Vec<String> {
    let mut client = client();
    let text = text();
    let changed = text.replacen(old, typed.trim_end_matches('¦'), 1);
    assert_ne!(text, changed);
    client.open_as("deploy.yaml", &changed);
    let end = text.find(old).unwrap() + typed.trim_end_matches('¦').len();
    let (line, column) = {
        let before = &changed[..end];
        let start = before.rfind('\n').map_or(0, |n| n + 1);
        (before.matches('\n').count(), before[start..].encode_utf16().count())
    };
    let at = client.at("deploy.yaml", u32::try_from(line).unwrap(), u32::try_from(column).unwrap());
    let items = client.request("textDocument/completion", at);
    client.end();
    items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn completion_knows_names_values_options_and_keys() {
    let has = |list: &[String], name: &str| list.iter().any(|item| item == name);
    let names = offered("name: DYN_ROUTER_MODE", "name: DYN_R");
    assert!(has(&names, "DYN_ROUTER_MODE") && has(&names, "UCX_TLS"));
    assert!(!has(&names, "VLLM_ADAPTIVE_VERIFICATION_PROFILE_CONTEXT_LEN"), "a frontend is no engine");
    assert!(!has(&names, "DYNAMO_NAMESPACE"), "nothing reads it");
    let modes = offered("value: \"kv\"", "value: \"");
    assert!(has(&modes, "kv") && has(&modes, "least-loaded"), "{modes:?}");
    let options = offered("args: [--router-mode", "args: [--router-");
    assert!(has(&options, "--router-mode") && has(&options, "--http-port"), "{options:?}");
    let values = offered("[--router-mode, round-robin", "[--router-mode, r");
    assert!(has(&values, "round-robin") && !has(&values, "--http-port"), "{values:?}");
    let keys = offered("\"kv_role\"", "\"kv_");
    assert!(has(&keys, "kv_connector") && has(&keys, "kv_role") && !has(&keys, "publisher"), "{keys:?}");
    assert!(offered("name: models\n---", "name: mod").is_empty(), "a name, but of no variable");
    let transports = offered("value: \"tcp\"", "value: \"rc,");
    assert!(has(&transports, "cuda_copy") && !has(&transports, "kv"), "{transports:?}");
    assert_eq!(offered("configMapKeyRef: { name: settings", "configMapKeyRef: { name: s"), ["settings"]);
    let inside = offered("name: settings, key: other", "name: settings, key: o");
    assert!(has(&inside, "other") && !has(&inside, "UCX_TLS"), "{inside:?}");
    let roles = offered("\"kv_role\":\"kv_both", "\"kv_role\":\"");
    assert_eq!(roles, ["kv_producer", "kv_both", "kv_consumer"]);
}

#[test]
fn completion_follows_the_release() {
    let old = text().replace(":1.3.0", ":1.0.2");
    let modes = |text: &str| -> Vec<String> {
        let mut client = Client::new(&[("deploy.yaml", text)], plain(), Value::Null);
        client.open("deploy.yaml");
        let (line, column) = find(text, "\"kv\"");
        let at = client.at("deploy.yaml", line, column + 1);
        let items = client.request("textDocument/completion", at);
        client.end();
        items.as_array().unwrap().iter().map(|item| item["label"].as_str().unwrap().to_owned()).collect()
    };
    assert!(modes(&text()).contains(&"least-loaded".to_owned()));
    assert!(!modes(&old).contains(&"least-loaded".to_owned()));
}

fn actions(client: &mut Client, name: &str, range: &Value, only: Value) -> Vec<Value> {
    let context = json!({ "diagnostics": [], "only": only });
    let uri = client.uri(name);
    let params = json!({ "textDocument": { "uri": uri }, "range": range, "context": context });
    client.request("textDocument/codeAction", params).as_array().unwrap().clone()
}

/// Applies the `changes` of an action to a text, from the end on.
fn applied(text: &str, action: &Value, uri: &str) -> String {
    let mut edits = action["edit"]["changes"][uri].as_array().unwrap().clone();
    let offset = |at: &Value| {
        let line = usize::try_from(at["line"].as_u64().unwrap()).unwrap();
        let column = usize::try_from(at["character"].as_u64().unwrap()).unwrap();
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let units: Vec<u16> = text[start..].encode_utf16().take(column).collect();
        start + String::from_utf16(&units).unwrap().len()
    };
    edits.sort_by_key(|edit| std::cmp::Reverse(offset(&edit["range"]["start"])));
    let mut out = text.to_owned();
    for edit in edits {
        let (from, to) = (offset(&edit["range"]["start"]), offset(&edit["range"]["end"]));
        out.replace_range(from..to, edit["newText"].as_str().unwrap());
    }
    out
}

/// Two values that certainly mean something else, behind wide characters.
fn fixable() -> String {
    GRAPH
        .replace("value: \"tcp\"", "value: \" tcp, cuda_copy\" # 🦀")
        .replace(
            "- name: HF_TOKEN\n          value: hf_abcdefghijklmnopqrstuvwxyz",
            "- name: UCX_TSL\n          value: all",
        )
        .replace("value: \"rc,cuda_copy\"", "value: \"rc\"")
}

/// A misspelled name behind wide characters, which a fix mends.
fn misspelled() -> String {
    recipe("kv-aware").replace("{ name: NOTE2, value", "{ \"🦀ü\": x, name: NCCL_DEBGU, value")
}

#[test]
fn fixes_are_offered_when_they_hold_and_ignores_always() {
    let text = misspelled();
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let name = found.iter().find(|d| d["code"] == "unknown-transport-variable").unwrap();
    let offered = actions(&mut client, "deploy.yaml", &name["range"], json!(["quickfix"]));
    let fix = offered.iter().find(|a| a["title"].as_str().unwrap().starts_with("replace")).expect("a fix");
    assert_eq!(fix["diagnostics"][0]["code"], "unknown-transport-variable");
    assert_eq!(fix["isPreferred"], false, "likely, not certain");
    let uri = client.uri("deploy.yaml");
    assert_eq!(applied(&text, fix, &uri), text.replace("NCCL_DEBGU", "NCCL_DEBUG"));
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").unwrap();
    let offered = actions(&mut client, "deploy.yaml", &mode["range"], json!(["quickfix"]));
    let ignore = offered.iter().find(|a| a["title"].as_str().unwrap().starts_with("ignore")).expect("an ignore");
    let ignored = applied(&text, ignore, &uri);
    assert!(ignored.contains("# dynlint: ignore[unknown-router-mode] "), "{ignored}");
    client.open_as("deploy.yaml", &ignored);
    assert!(!codes(&client.published("deploy.yaml")).contains(&"unknown-router-mode"));
    client.end();
}

#[test]
fn fix_all_takes_what_is_safe_and_leaves_nothing_to_fix() {
    let text = fixable();
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let whole = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 999, "character": 0 } });
    let offered = actions(&mut client, "deploy.yaml", &whole, json!(["source.fixAll"]));
    assert_eq!(offered.len(), 1, "{offered:?}");
    assert_eq!(offered[0]["kind"], "source.fixAll.dynlint");
    let uri = client.uri("deploy.yaml");
    let fixed = applied(&text, &offered[0], &uri);
    assert!(fixed != text && fixed.contains("# 🦀"), "{fixed}");
    client.open_as("deploy.yaml", &fixed);
    assert!(actions(&mut client, "deploy.yaml", &whole, json!(["source.fixAll"])).is_empty());
    assert!(actions(&mut client, "deploy.yaml", &whole, json!(["refactor"])).is_empty());
    client.end();
}

#[test]
fn all_findings_of_one_rule_are_mended_together() {
    let text = GRAPH.replace("value: \"tcp\"", "value: \" tcp, cuda_copy\" # 🦀").replace(
        "- name: HF_TOKEN\n          value: hf_abcdefghijklmnopqrstuvwxyz",
        "- name: NCCL_DEBGU\n          value: INFO\n        - name: NCCL_IB_TIMEOTU\n          value: \"22\"",
    );
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), Value::Null);
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let name = found.iter().find(|d| d["code"] == "unknown-transport-variable").unwrap();
    let offered = actions(&mut client, "deploy.yaml", &name["range"], Value::Null);
    let all = offered.iter().find(|a| a["title"].as_str().unwrap().starts_with("fix all 2 of `unknown-transport"));
    let all = all.unwrap_or_else(|| panic!("{offered:#?}"));
    assert!(all["title"].as_str().unwrap().ends_with("(check that this is meant)"), "{all}");
    let wanted = text.replace("NCCL_DEBGU", "NCCL_DEBUG").replace("NCCL_IB_TIMEOTU", "NCCL_IB_TIMEOUT");
    let uri = client.uri("deploy.yaml");
    assert_eq!(applied(&text, all, &uri), wanted);
    client.end();
}

#[test]
fn edits_carry_the_version_for_clients_that_take_it() {
    let capabilities = json!({ "workspace": { "workspaceEdit": { "documentChanges": true } } });
    let text = recipe("kv-aware");
    let mut client = Client::new(&[("deploy.yaml", &text)], capabilities, Value::Null);
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").unwrap();
    let offered = actions(&mut client, "deploy.yaml", &mode["range"], Value::Null);
    assert_eq!(offered[0]["edit"]["documentChanges"][0]["textDocument"]["version"], 1);
    client.end();
}
