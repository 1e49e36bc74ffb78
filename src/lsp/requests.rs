//! Requests, by method.

use std::collections::{HashMap, HashSet};

use gen_lsp_types::{DocumentDiagnosticParams, Uri, WorkspaceDiagnosticParams};
use lsp_server::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::diagnostics;
use super::documents::path_of;
use super::server::State;
use super::units::is_yaml;
use crate::source::{WalkOptions, discover, normal};

/// Why a request is not answered.
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

type Answer = Result<Value, Refusal>;

/// Answers one request.
pub(super) fn answer(state: &mut State, method: &str, params: Value) -> Answer {
    match method {
        "textDocument/diagnostic" => pull(state, &read(params)?),
        "workspace/diagnostic" => pull_all(state, &read(params)?),
        _ => Err(Refusal { code: ErrorCode::MethodNotFound, message: format!("`{method}` is not known here") }),
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params)
        .map_err(|error| Refusal { code: ErrorCode::InvalidParams, message: error.to_string() })
}

fn value(answer: impl Serialize) -> Answer {
    serde_json::to_value(answer).map_err(|error| Refusal { code: ErrorCode::InternalError, message: error.to_string() })
}

fn pull(state: &mut State, params: &DocumentDiagnosticParams) -> Answer {
    let Some(path) = path_of(&params.text_document.uri) else {
        return Ok(json!({ "kind": "full", "items": [] }));
    };
    let id = state.analysis(&path).job.revision.to_string();
    if params.previous_result_id.as_deref() == Some(&id) {
        return Ok(json!({ "kind": "unchanged", "resultId": id }));
    }
    let key = state.unit(&path).key;
    let found = state.made(&key).map(|analysis| diagnostics::all(analysis, &state.documents, state.encoding));
    let items = found.and_then(|mut found| found.remove(&path)).unwrap_or_default();
    Ok(json!({ "kind": "full", "resultId": id, "items": value(items)? }))
}

/// Every file of the workspace that has findings, or had some when last asked.
fn pull_all(state: &mut State, params: &WorkspaceDiagnosticParams) -> Answer {
    let before: HashMap<&Uri, &str> = params.previous_result_ids.iter().map(|p| (&p.uri, p.value.as_str())).collect();
    let unchanged = |uri: &Uri, id: &str| json!({ "kind": "unchanged", "uri": uri, "version": null, "resultId": id });
    if state.surveyed == Some(state.revision()) {
        let items: Vec<Value> = before.iter().map(|(uri, id)| unchanged(uri, id)).collect();
        return Ok(json!({ "items": items }));
    }
    let found = discover(state.roots(), WalkOptions::default());
    let files = found.files.into_iter().filter_map(|file| file.path).filter(|path| is_yaml(path));
    let (mut seen, mut said) = (HashSet::new(), HashSet::new());
    let mut reports = Vec::new();
    for path in files.map(|path| normal(&path)) {
        if !seen.insert(state.unit(&path).key) {
            continue;
        }
        let key = state.unit(&path).key;
        let id = state.analysis(&path).job.revision.to_string();
        let Some(analysis) = state.made(&key) else { continue };
        for (file, items) in diagnostics::all(analysis, &state.documents, state.encoding) {
            let Some(uri) = state.documents.uri(&file) else { continue };
            let version = state.documents.get(&file).map(|document| document.version);
            reports.push(if before.get(&uri) == Some(&id.as_str()) {
                unchanged(&uri, &id)
            } else {
                json!({ "kind": "full", "uri": uri, "version": version, "resultId": id, "items": value(items)? })
            });
            said.insert(uri);
        }
    }
    let id = state.revision().to_string();
    for uri in before.keys().filter(|uri| !said.contains(**uri)) {
        reports.push(json!({ "kind": "full", "uri": uri, "version": null, "resultId": id, "items": [] }));
    }
    state.surveyed = Some(state.revision());
    Ok(json!({ "items": reports }))
}
