//! What the API server refuses in objects that bring requests to a graph or read its metrics.

use super::object::one_of;
use super::refusal::{Refusal, refuse};
use crate::manifest::Object;
use crate::yaml::{Node, Typed};

const SERVER: &str = "the API server refuses the object";

fn list<'a>(node: &'a Node, path: &[&str]) -> impl Iterator<Item = &'a Node> + use<'a> {
    node.at(path).into_iter().flat_map(Node::items)
}

/// The part of `object-refused` that is about Services, routes and monitors.
pub(super) fn traffic<'a>(object: &'a Object, all: &mut Vec<Refusal<'a>>) {
    let node = &object.node;
    match (object.kind.as_str(), object.group()) {
        // `spec.selector` is a map of strings (`core/v1`).
        ("Service", _) => labels(node.at(&["spec", "selector"]), all),
        ("PodMonitor" | "ServiceMonitor", _) => monitor(object, all),
        ("Ingress", "networking.k8s.io") => {
            for path in list(node, &["spec", "rules"]).flat_map(|rule| list(rule, &["http", "paths"])) {
                let takes = ["Exact", "Prefix", "ImplementationSpecific"];
                one_of(path.get("pathType"), "pathType", &takes, SERVER, all);
                // `extensions/v1beta1` had them, `v1` of `networking.k8s.io` has `service`.
                if let Some(old) = path.get("backend").and_then(|backend| backend.entry("serviceName")) {
                    let help = "write `service: {name: …, port: {number: …}}`";
                    refuse(all, old.key.span, "backend", "an Ingress has no `serviceName` any more", SERVER, help);
                }
            }
        }
        ("HTTPRoute", _) => {
            for rule in list(node, &["spec", "rules"]) {
                for found in list(rule, &["matches"]) {
                    let paths = ["Exact", "PathPrefix", "RegularExpression"];
                    one_of(found.at(&["path", "type"]), "path.type", &paths, SERVER, all);
                    for header in list(found, &["headers"]) {
                        one_of(header.get("type"), "headers.type", &["Exact", "RegularExpression"], SERVER, all);
                    }
                }
                for time in ["request", "backendRequest"] {
                    duration(rule.at(&["timeouts", time]), "timeouts", all);
                }
            }
        }
        _ => {}
    }
}

/// Labels to select by: strings, and nothing but strings.
fn labels<'a>(selector: Option<&'a Node>, all: &mut Vec<Refusal<'a>>) {
    for entry in selector.into_iter().flat_map(Node::entries) {
        let name = &*entry.key.name;
        if entry.value.as_map().is_some() {
            let help = "write the labels themselves under `selector`";
            refuse(all, entry.key.span, "selector", format!("`{name}` is no label of a selector"), SERVER, help);
        } else if let Some(scalar) = entry.value.as_scalar()
            && matches!(scalar.typed, Typed::Bool(_) | Typed::Int(_) | Typed::Float(_))
        {
            let help = format!("write `\"{}\"`", scalar.value);
            refuse(all, entry.value.span, "selector", format!("the label `{name}` is no string"), SERVER, help);
        }
    }
}

/// A time without its unit.
fn duration<'a>(node: Option<&Node>, field: &'a str, all: &mut Vec<Refusal<'a>>) {
    let Some((node, text)) = node.and_then(|n| Some((n, n.as_text()?))) else { return };
    if !text.is_empty() && text != "0" && text.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{text}` is a time without a unit");
        refuse(all, node.span, field, message, SERVER, format!("write `{text}s`"));
    }
}

/// Monitors of the Prometheus operator (`monitoring.coreos.com/v1`).
fn monitor<'a>(object: &'a Object, all: &mut Vec<Refusal<'a>>) {
    let Some(spec) = object.node.get("spec") else { return };
    let (own, other) = match object.kind.as_str() {
        "PodMonitor" => ("podMetricsEndpoints", "endpoints"),
        _ => ("endpoints", "podMetricsEndpoints"),
    };
    if let (Some(entry), None) = (spec.entry(other), spec.get(own)) {
        let message = format!("a {} has no `{other}`", object.kind);
        refuse(all, entry.key.span, other, message, SERVER, format!("write `{own}`"));
    }
    let selector = spec.get("selector");
    labels(selector.and_then(|s| s.get("matchLabels")), all);
    let stray = |e: &&crate::yaml::Entry| e.value.as_scalar().is_some();
    if let Some(entry) = selector.and_then(|s| s.entries().find(stray)) {
        let message = format!("the selector of a {} has no `{}`", object.kind, entry.key.name);
        refuse(all, entry.key.span, "selector", message, SERVER, "put the labels under `matchLabels`");
    }
    for endpoint in [own, other].into_iter().flat_map(|name| list(spec, &[name])) {
        duration(endpoint.get("interval"), "interval", all);
        duration(endpoint.get("scrapeTimeout"), "scrapeTimeout", all);
    }
}
