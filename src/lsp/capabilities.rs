//! The handshake: what the client can do, and what we can.

use std::path::PathBuf;

use gen_lsp_types::Uri;
use serde_json::{Value, json};

use super::actions::FIX_ALL;
use super::documents::path_of;
use super::outline::RESOLVE;
use super::position::Encoding;
use super::state::{Client, State};

/// What `initialize` says. Read leniently: an odd client is better served than refused.
pub(super) struct Asked {
    pub(super) encoding: Encoding,
    pub(super) client: Client,
    pub(super) roots: Vec<PathBuf>,
    pub(super) options: Value,
}

impl Asked {
    pub(super) fn read(params: &Value) -> Self {
        let can = |path: &str| {
            let value = params.pointer(&format!("/capabilities/{path}"));
            value.is_some_and(|value| value.as_bool().unwrap_or(value.is_object()))
        };
        let encodings = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
        let encodings: Vec<&str> = encodings.into_iter().flatten().filter_map(Value::as_str).collect();
        let client = Client {
            pulls: can("textDocument/diagnostic"),
            refreshes: can("workspace/diagnostics/refreshSupport"),
            versioned_edits: can("workspace/workspaceEdit/documentChanges"),
            watches: can("workspace/didChangeWatchedFiles/dynamicRegistration"),
        };
        let path = |value: &Value| path_of(&Uri::parse(value.as_str()?).ok()?);
        let folders = params.get("workspaceFolders").and_then(Value::as_array);
        let mut roots: Vec<PathBuf> =
            folders.into_iter().flatten().filter_map(|folder| path(folder.get("uri")?)).collect();
        if roots.is_empty() {
            roots.extend(params.get("rootUri").and_then(path));
        }
        let options = params.get("initializationOptions").cloned().unwrap_or_default();
        Self { encoding: Encoding::negotiate(encodings.iter().copied()), client, roots, options }
    }
}

/// The answer to `initialize`.
pub(super) fn result(state: &State) -> Value {
    let mut capabilities = json!({
        "positionEncoding": state.encoding.kind(),
        "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
        "codeActionProvider": { "codeActionKinds": ["quickfix", FIX_ALL] },
        "hoverProvider": true,
        "completionProvider": { "triggerCharacters": ["-", "\"", "'", "=", " ", ":"] },
        "definitionProvider": true,
        "documentSymbolProvider": { "label": "dynlint" },
        "executeCommandProvider": { "commands": [RESOLVE] },
        "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
    });
    if state.settings.inlay_hints {
        capabilities["inlayHintProvider"] = json!(true);
    }
    if state.settings.code_lens {
        capabilities["codeLensProvider"] = json!({ "resolveProvider": false });
    }
    if !state.pushes() {
        capabilities["diagnosticProvider"] =
            json!({ "identifier": "dynlint", "interFileDependencies": true, "workspaceDiagnostics": true });
    }
    json!({
        "capabilities": capabilities,
        "serverInfo": { "name": "dynlint", "version": env!("CARGO_PKG_VERSION") },
    })
}
