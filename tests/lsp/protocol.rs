//! The protocol itself: handshake, order, cancellation, what goes wrong.

use serde_json::{Value, json};

use crate::client::{Client, codes, plain};
use crate::diagnostics::recipe;

#[test]
fn nothing_is_answered_before_initialize_and_nothing_after_shutdown() {
    let (server, connection) = lsp_server::Connection::memory();
    let server = std::thread::spawn(move || dynlint::lsp::serve(server));
    let early = lsp_server::Request::new(1.into(), "textDocument/hover".to_owned(), json!({}));
    connection.sender.send(early.into()).unwrap();
    let lsp_server::Message::Response(response) = connection.receiver.recv().unwrap() else { panic!() };
    assert_eq!(response.response_result.unwrap_err().code, -32002);
    drop(connection);
    assert!(server.join().unwrap().is_err());

    let mut client = Client::new(&[], plain(), Value::Null);
    client.request("shutdown", Value::Null);
    assert_eq!(client.refused("textDocument/hover", json!({})).code, -32600);
    client.notify("exit", Value::Null);
    assert!(client.server().join().unwrap().is_ok());
}

#[test]
fn exit_without_shutdown_is_no_good_end() {
    let mut client = Client::new(&[], plain(), Value::Null);
    client.notify("exit", Value::Null);
    assert!(client.server().join().unwrap().is_err());
}

#[test]
fn what_is_wrong_is_refused_and_the_server_goes_on() {
    let mut client = Client::new(&[("deploy.yaml", &recipe("kv-aware"))], plain(), Value::Null);
    assert_eq!(client.refused("textDocument/nonsense", json!({})).code, -32601);
    assert_eq!(client.refused("textDocument/diagnostic", json!({ "textDocument": 3 })).code, -32602);
    client.notify("textDocument/didOpen", json!({ "textDocument": null }));
    client.notify("textDocument/didChange", json!([1, 2]));
    client.notify("$/setTrace", json!({ "value": "off" }));
    client.change("deploy.yaml", [0, 0, 0, 0], "not open");
    client.open("deploy.yaml");
    client.change("deploy.yaml", [9999, 9999, 1, 1], "\n# out of range\n");
    loop {
        let found = client.published("deploy.yaml");
        if codes(&found).contains(&"unknown-router-mode") {
            break;
        }
    }
    let logged = client.notification("window/logMessage");
    assert!(logged["message"].as_str().unwrap().contains("didOpen"), "{logged}");
    client.end();
}

#[test]
fn documents_that_are_no_files_are_left_alone() {
    let mut client = Client::new(&[], plain(), Value::Null);
    let item = json!({ "uri": "untitled:Untitled-1", "languageId": "yaml", "version": 1, "text": recipe("x") });
    client.notify("textDocument/didOpen", json!({ "textDocument": item }));
    let pulled = client.request("textDocument/diagnostic", json!({ "textDocument": { "uri": "git:/x.yaml" } }));
    assert_eq!(pulled["items"], json!([]));
    client.end();
}

#[test]
fn settings_choose_and_what_is_wrong_in_them_is_said() {
    let options = json!({ "ignore": ["router", "no-such-rule"] });
    let mut client = Client::new(&[("deploy.yaml", &recipe("kv-aware"))], plain(), options);
    let said = client.notification("window/showMessage");
    assert!(said["message"].as_str().unwrap().contains("no-such-rule"), "{said}");
    client.open("deploy.yaml");
    assert!(!codes(&client.published("deploy.yaml")).contains(&"unknown-router-mode"));
    client.notify("workspace/didChangeConfiguration", json!({ "settings": { "dynlint": { "ignore": [] } } }));
    assert!(codes(&client.published("deploy.yaml")).contains(&"unknown-router-mode"));
    client.end();
}

#[test]
fn files_are_watched_when_the_client_can() {
    let capabilities = json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } });
    let mut client = Client::new(&[], capabilities, Value::Null);
    client.request("shutdown", Value::Null);
    let asked = client.heard.iter().find_map(|message| match message {
        lsp_server::Message::Request(request) if request.method == "client/registerCapability" => {
            Some(request.params.to_string())
        }
        _ => None,
    });
    let asked = asked.expect("a registration");
    assert!(asked.contains("workspace/didChangeWatchedFiles") && asked.contains("dynlint.toml"), "{asked}");
    client.notify("exit", Value::Null);
}

#[test]
fn the_last_of_many_quick_changes_is_what_counts() {
    let text = recipe("kv");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), json!({ "debounce": 200 }));
    client.open("deploy.yaml");
    let _ = client.published("deploy.yaml");
    let (line, column) = crate::client::find(&text, "kv\"");
    for (at, c) in "-aware".chars().enumerate() {
        let column = column + 2 + u32::try_from(at).unwrap();
        client.change("deploy.yaml", [line, column, line, column], &c.to_string());
    }
    let found = client.published("deploy.yaml");
    let mode = found.iter().find(|d| d["code"] == "unknown-router-mode").unwrap();
    assert!(mode["message"].as_str().unwrap().contains("`kv-aware`"), "six changes, one answer: {mode}");
    client.end();
}

#[test]
fn configuration_is_heeded_and_watched() {
    let text = recipe("kv-aware");
    let files = [("dynlint.toml", "ignore = [\"unknown-router-mode\"]\n"), ("deploy.yaml", &*text)];
    let mut client = Client::new(&files, plain(), Value::Null);
    client.open("deploy.yaml");
    assert!(!codes(&client.published("deploy.yaml")).contains(&"unknown-router-mode"));
    let write = |client: &mut Client, text: &str| {
        std::fs::write(client.path("dynlint.toml"), text).unwrap();
        let event = json!({ "uri": client.uri("dynlint.toml"), "type": 2 });
        client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [event] }));
    };
    write(&mut client, "profile = \"strict\"\n");
    assert!(codes(&client.published("deploy.yaml")).contains(&"unknown-router-mode"));
    // A mistake is said where it stands, and the findings stay.
    write(&mut client, "ignore = [\"no-such-rule\"]\n");
    let mut mistake = Vec::new();
    while mistake.is_empty() {
        mistake = client.published("dynlint.toml");
    }
    assert!(mistake[0]["message"].as_str().unwrap().contains("no-such-rule"), "{mistake:?}");
    assert_eq!(mistake[0]["range"]["start"]["line"], 0);
    client.end();
}
