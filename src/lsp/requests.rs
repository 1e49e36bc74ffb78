//! Requests, by method.

use std::collections::{HashMap, HashSet};

use gen_lsp_types::{
    CodeActionParams, CodeLensParams, CompletionParams, DefinitionParams, DocumentDiagnosticParams,
    DocumentSymbolParams, ExecuteCommandParams, HoverParams, InlayHintParams, Uri, WorkspaceDiagnosticParams,
};
use lsp_server::ErrorCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::documents::path_of;
use super::state::State;
use super::units::is_yaml;
use super::view::View;
use super::{actions, complete, diagnostics, goto, hover, outline};
use crate::report;
use crate::resolve::wire;
use crate::source::{Span, WalkOptions, discover, normal};

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
        "textDocument/hover" => {
            let HoverParams { text_document_position_params: at, .. } = read(params)?;
            let view = View::of(state, &at.text_document.uri);
            value(view.and_then(|view| hover::at(&view, view.offset(at.position))))
        }
        "textDocument/definition" => {
            let DefinitionParams { text_document_position_params: at, .. } = read(params)?;
            let view = View::of(state, &at.text_document.uri);
            value(view.map(|view| goto::at(&view, view.offset(at.position))).unwrap_or_default())
        }
        "textDocument/completion" => {
            let CompletionParams { text_document_position_params: at, .. } = read(params)?;
            let view = View::of(state, &at.text_document.uri);
            value(view.map(|view| complete::at(&view, view.offset(at.position))).unwrap_or_default())
        }
        "textDocument/documentSymbol" => {
            let params: DocumentSymbolParams = read(params)?;
            let view = View::of(state, &params.text_document.uri);
            value(view.map(|view| outline::symbols(&view)).unwrap_or_default())
        }
        "textDocument/inlayHint" => {
            let params: InlayHintParams = read(params)?;
            let Some(view) = View::of(state, &params.text_document.uri) else { return Ok(json!([])) };
            let (from, to) = (view.offset(params.range.start), view.offset(params.range.end));
            value(outline::hints(&view, Span::new(view.file.id, from, to)))
        }
        "textDocument/codeLens" => {
            let params: CodeLensParams = read(params)?;
            let view = View::of(state, &params.text_document.uri);
            value(view.map(|view| outline::lenses(&view)).unwrap_or_default())
        }
        "textDocument/codeAction" => {
            let params: CodeActionParams = read(params)?;
            let versioned = state.client.versioned_edits;
            let view = View::of(state, &params.text_document.uri);
            value(view.map(|view| actions::at(&view, &params, versioned)).unwrap_or_default())
        }
        "workspace/executeCommand" => {
            let params: ExecuteCommandParams = read(params)?;
            if params.command == outline::RESOLVE {
                return effective(state, params.arguments.as_deref().unwrap_or_default());
            }
            let message = format!("`{}` is no command", params.command);
            Err(Refusal { code: ErrorCode::InvalidParams, message })
        }
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

/// What a service of a document really runs with, as `dynlint resolve` prints it: arguments are the document, and
/// optionally the deployment and the service.
fn effective(state: &mut State, arguments: &[Value]) -> Answer {
    let refuse = |message: &str| Refusal { code: ErrorCode::InvalidParams, message: message.to_owned() };
    let text = |at: usize| arguments.get(at).and_then(Value::as_str);
    let uri = text(0).and_then(|uri| Uri::parse(uri).ok()).ok_or_else(|| refuse("the first argument is a document"))?;
    let path = path_of(&uri).ok_or_else(|| refuse("the document is no file"))?;
    let (deployment, service) = (text(1), text(2));
    let analysis = state.analysis(&path);
    let found = analysis.deployments().iter().filter(|d| deployment.is_none_or(|name| name == d.name));
    let found = found.filter(|d| service.is_none_or(|name| d.services.iter().any(|s| s.name == name)));
    let resolved = wire::Resolve::new(found.map(|d| wire::deployment(d, analysis.sources())).collect());
    value(report::resolve(&resolved, report::ResolveOptions { service, variable: None }))
}

fn pull(state: &mut State, params: &DocumentDiagnosticParams) -> Answer {
    let Some(path) = path_of(&params.text_document.uri) else {
        return Ok(json!({ "kind": "full", "items": [] }));
    };
    let id = state.analysis(&path).job.revision.to_string();
    if params.previous_result_id.as_deref() == Some(&id) {
        return Ok(json!({ "kind": "unchanged", "resultId": id }));
    }
    let key = state.unit(&path).key.clone();
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
        if !seen.insert(state.unit(&path).key.clone()) {
            continue;
        }
        let key = state.unit(&path).key.clone();
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
