//! Document symbols, inlay hints and code lenses: what a document holds, and what comes of it.

use gen_lsp_types::{CodeLens, Command, DocumentSymbol, InlayHint, InlayHintKind, Label, SymbolKind, Tooltip};
use serde_json::json;

use super::cursor::envs;
use super::hover::{flag_span, shown, wins_over};
use super::view::View;
use crate::manifest::{Component, EnvEntry, Graph, Object};
use crate::report::mask;
use crate::resolve::wire::is_credential;
use crate::resolve::{EnvVar, Service};
use crate::source::{Fact, Span};
use crate::yaml::{self, Limits, Node};

/// The command of the code lens.
pub(super) const RESOLVE: &str = "dynlint.resolve";

/// Longest value in a hint, in characters.
const LONGEST: usize = 40;

/// Deployments, their services, and the variables of those.
pub(super) fn symbols(view: &View<'_>) -> Vec<DocumentSymbol> {
    let stream = yaml::parse(&view.file, &Limits::default());
    let objects = stream.documents.iter().flat_map(Object::of_document);
    objects.filter_map(|object| Some(deployment(view, &Graph::of_object(&object)?))).collect()
}

fn deployment(view: &View<'_>, graph: &Graph) -> DocumentSymbol {
    let object = &graph.object;
    let mut children: Vec<DocumentSymbol> = graph.env.iter().filter_map(|entry| variable(view, entry)).collect();
    children.extend(graph.components.iter().filter_map(|component| service(view, component)));
    symbol(
        view,
        &object.name,
        Some(object.kind.clone()),
        SymbolKind::Package,
        object.node.span,
        object.name_span,
        children,
    )
}

fn service(view: &View<'_>, component: &Component) -> Option<DocumentSymbol> {
    let children = component.containers().flat_map(|c| &c.env).filter_map(|(_, entry)| variable(view, entry)).collect();
    let kind = component.type_span.filter(|span| view.has(*span));
    let detail = kind.and_then(|span| view.file.text.get(span.range())).map(|t| t.trim_matches(['"', '\'']).to_owned());
    let name = &component.name;
    view.has(name.span)
        .then(|| symbol(view, &name.value, detail, SymbolKind::Class, component.node.span, name.span, children))
}

fn variable(view: &View<'_>, entry: &EnvEntry) -> Option<DocumentSymbol> {
    let detail = entry.node.get("value").and_then(Node::as_text).filter(|_| !is_credential(&entry.name.value));
    let detail = detail.map(|value| short(&mask(value)));
    let EnvEntry { name, node, .. } = entry;
    view.has(name.span)
        .then(|| symbol(view, &name.value, detail, SymbolKind::Variable, node.span, name.span, Vec::new()))
}

fn symbol(
    view: &View<'_>,
    name: &str,
    detail: Option<String>,
    kind: SymbolKind,
    whole: Span,
    at: Span,
    children: Vec<DocumentSymbol>,
) -> DocumentSymbol {
    // A name must not be empty, and must stand within the whole.
    let name = if name.is_empty() { "(no name)" } else { name };
    let whole = whole.to(at);
    #[allow(deprecated, reason = "the type has no default")]
    DocumentSymbol {
        name: name.to_owned(),
        detail,
        kind,
        tags: None,
        deprecated: None,
        range: view.range(whole),
        selection_range: view.range(at),
        children: Some(children),
    }
}

fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(LONGEST).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// Behind each value that somebody overrides: what counts in its place.
pub(super) fn hints(view: &View<'_>, within: Span) -> Vec<InlayHint> {
    let mut found: Vec<(Span, String, Vec<String>)> = Vec::new();
    let mut add = |span: Span, text: String, tip: String| {
        if !view.has(span) || span.end < within.start || within.end < span.start {
            return;
        }
        match found.iter_mut().find(|(at, label, _)| *at == span && *label == text) {
            Some((_, _, tips)) => tips.push(tip),
            None => found.push((span, text, vec![tip])),
        }
    };
    for service in view.deployments().iter().flat_map(|deployment| &deployment.services) {
        for var in envs(service).flat_map(|env| &env.vars) {
            overridden(view, service, var, &mut add);
        }
    }
    found.sort_by_key(|(span, _, _)| *span);
    let hint = |(span, label, mut tips): (Span, String, Vec<String>)| {
        tips.dedup();
        InlayHint {
            position: view.range(span).end,
            label: Label::String(label),
            kind: Some(InlayHintKind::Type),
            text_edits: None,
            tooltip: Some(Tooltip::String(tips.join("\n"))),
            padding_left: Some(true),
            padding_right: None,
            data: None,
        }
    };
    found.into_iter().map(hint).collect()
}

fn overridden(view: &View<'_>, service: &Service, var: &EnvVar, add: &mut impl FnMut(Span, String, String)) {
    let Some((winner, losers)) = var.chain.split_first() else { return };
    let flag = wins_over(service, &var.name);
    let plain = |fact: &Fact<_>| match fact {
        Fact::Dynamic(_) => "not known here".to_owned(),
        fact => short(shown(&var.name, fact).trim_matches('`')),
    };
    if let (Some((flag, value)), Some(span)) = (&flag, winner.span) {
        let place = view.plain_place(flag_span(service, flag));
        let value = value.trim_start_matches(" with ").trim_matches('`');
        let value = if value.is_empty() { String::new() } else { format!(" {value}") };
        add(span, format!("→ {flag}{}", short(&value)), format!("`{flag}` of {} wins: {place}", service.name));
    }
    for loser in losers {
        let Some(span) = loser.span else { continue };
        let place =
            winner.span.or(winner.entry_span).map_or_else(|| "the operator".to_owned(), |s| view.plain_place(s));
        let tip = format!("{} gets it from {} ({place})", service.name, winner.layer.as_str());
        add(span, format!("→ {}", plain(&winner.value)), tip);
    }
}

/// Above each service: its effective configuration.
pub(super) fn lenses(view: &View<'_>) -> Vec<CodeLens> {
    let uri = view.documents.uri(&view.path);
    let mut out: Vec<CodeLens> = Vec::new();
    for deployment in view.deployments() {
        for service in deployment.services.iter().filter(|service| view.has(service.span)) {
            let arguments = vec![json!(uri), json!(deployment.name), json!(service.name)];
            let command = Command {
                title: "effective configuration".to_owned(),
                tooltip: Some("what this service really runs with, and who set it".to_owned()),
                command: RESOLVE.to_owned(),
                arguments: Some(arguments),
            };
            let lens = CodeLens { range: view.range(service.span), command: Some(command), data: None };
            if !out.contains(&lens) {
                out.push(lens);
            }
        }
    }
    out
}
