//! Rules of the user's own in the server. They are known to the whole process, so each speaks about one service only.

use serde_json::{Value, json};

use crate::client::{Client, codes, plain};

/// A page whose rule finds the service of that name.
fn page(service: &str, word: &str) -> String {
    format!(
        "---\nsummary: {word} is said\nseverity: warning\nconfidence: certain\n\
         condition: 'service.name == \"{service}\"'\nmessage: '{word} {{service.name}}'\nhelp: mend it\n---\n## What it does\n"
    )
}

fn recipe(service: &str) -> String {
    crate::diagnostics::recipe("kv").replace("name: Frontend", &format!("name: {service}"))
}

/// What the rule says about the open file, in the next diagnostics that are not as before.
fn said(found: &[Value], rule: &str) -> Option<String> {
    found.iter().find(|d| d["code"] == rule).map(|d| d["message"].as_str().unwrap().to_owned())
}

fn changed(client: &mut Client, name: &str, kind: u32) {
    let uri = client.uri(name);
    client.notify("workspace/didChangeWatchedFiles", json!({ "changes": [{ "uri": uri, "type": kind }] }));
}

#[test]
fn rules_that_the_client_names_are_run_and_watched() {
    let (text, rule) = (recipe("Asked"), page("Asked", "first"));
    let files = [("deploy.yaml", &*text), ("lint/asked-rule.md", &rule)];
    let capabilities = json!({ "workspace": { "didChangeWatchedFiles": { "dynamicRegistration": true } } });
    let mut client = Client::new(&files, capabilities, json!({ "rules": ["lint"], "select": ["*"] }));
    client.open("deploy.yaml");
    assert!(said(&client.published("deploy.yaml"), "asked-rule").unwrap().contains("first Asked"));
    let watched = client.heard.iter().any(|m| format!("{m:?}").contains("**/*.md"));
    assert!(watched, "{:?}", client.heard);

    std::fs::write(client.path("lint/asked-rule.md"), page("Asked", "second")).unwrap();
    changed(&mut client, "lint/asked-rule.md", 2);
    assert!(said(&client.published("deploy.yaml"), "asked-rule").unwrap().contains("second Asked"));

    // Half written: the mistake is said, and the rule as it was still holds.
    std::fs::write(client.path("lint/asked-rule.md"), page("Asked", "third").replace("==", "=")).unwrap();
    changed(&mut client, "lint/asked-rule.md", 2);
    let message = client.notification("window/showMessage")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("asked-rule.md"), "{message}");
    assert!(said(&client.published("deploy.yaml"), "asked-rule").unwrap().contains("second Asked"));

    // A rule that is gone says nothing any more.
    std::fs::remove_file(client.path("lint/asked-rule.md")).unwrap();
    std::fs::write(client.path("lint/other-rule.md"), page("Asked", "other")).unwrap();
    changed(&mut client, "lint/asked-rule.md", 3);
    let found = client.published("deploy.yaml");
    assert!(said(&found, "asked-rule").is_none() && said(&found, "other-rule").is_some(), "{:?}", codes(&found));

    // The client takes the directory out.
    client.notify("workspace/didChangeConfiguration", json!({ "settings": { "rules": [] } }));
    let found = client.published("deploy.yaml");
    assert!(said(&found, "other-rule").is_none(), "{:?}", codes(&found));
    client.end();
}

#[test]
fn rules_that_a_configuration_brings_are_run() {
    let (text, rule) = (recipe("Brought"), page("Brought", "house"));
    let config = "rules-dirs = [\"lint\"]\n[severity]\nbrought-rule = \"error\"\n";
    let files = [("deploy.yaml", &*text), ("dynlint.toml", config), ("lint/brought-rule.md", &rule)];
    // A client may name a rule that only a configuration brings.
    let mut client = Client::new(&files, plain(), json!({ "select": ["brought-rule"] }));
    client.open("deploy.yaml");
    let found = client.published("deploy.yaml");
    assert_eq!(codes(&found), ["brought-rule"]);
    assert_eq!(found[0]["severity"], 1, "as the configuration says");
    assert!(!client.heard.iter().any(|m| format!("{m:?}").contains("showMessage")), "{:?}", client.heard);

    std::fs::write(client.path("lint/brought-rule.md"), page("Brought", "manor")).unwrap();
    changed(&mut client, "lint/brought-rule.md", 2);
    assert!(said(&client.published("deploy.yaml"), "brought-rule").unwrap().contains("manor Brought"));
    client.end();
}

#[test]
fn what_is_wrong_with_a_directory_is_said() {
    let text = recipe("Nowhere");
    let mut client = Client::new(&[("deploy.yaml", &text)], plain(), json!({ "rules": ["nowhere"] }));
    let message = client.notification("window/showMessage")["message"].as_str().unwrap().to_owned();
    assert!(message.contains("nowhere"), "{message}");
    client.open("deploy.yaml");
    let _ = client.published("deploy.yaml");
    client.end();
}
