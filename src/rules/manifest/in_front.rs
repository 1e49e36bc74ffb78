//! What stands in front of a graph in its own file, against the Services and pods that the operator makes of it.
//!
//! Source: operator `GetDynamoComponentServiceName` (`<graph>-<component>` in lower case), `DynamoServicePort` (8000), labels of pods.

use super::near::typo;
use crate::manifest::{Component, ComponentType, Object};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

const GRAPH_LABEL: &str = "nvidia.com/dynamo-graph-deployment-name";

fn open(text: &str) -> bool {
    text.contains(['$', '<', '{', '*'])
}

/// Graphs of the file in the namespace of an object; none where a name of theirs is not known.
fn graphs<'a>(recipe: &'a Recipe, object: &Object) -> Vec<&'a Object> {
    let place = |o: &Object| o.node.at(&["metadata", "namespace"]).and_then(Node::as_text).map(str::to_owned);
    let same = |graph: &&Object| place(graph).zip(place(object)).is_none_or(|(a, b)| a == b);
    let all: Vec<&Object> = recipe.here.iter().filter(|o| o.graph().is_some()).filter(same).collect();
    if all.iter().any(|graph| open(&graph.name)) { Vec::new() } else { all }
}

fn components(graph: &Object) -> impl Iterator<Item = &Component> {
    graph.graph().into_iter().flat_map(|g| &g.components).map(|component| &**component)
}

/// The Service that the operator makes for a component.
fn service(graph: &Object, component: &Component) -> String {
    format!("{}-{}", graph.name, component.name.value.to_ascii_lowercase())
}

/// Names and ports of the Services that an Ingress or an HTTPRoute sends requests to.
fn backends(object: &Object) -> Vec<(&Node, Option<&Node>)> {
    let spec = |path: &[&str]| object.node.at(path).into_iter().flat_map(Node::items);
    if object.kind == "Ingress" {
        let paths = spec(&["spec", "rules"]).filter_map(|r| r.at(&["http", "paths"])).flat_map(Node::items);
        let all = paths.filter_map(|p| p.at(&["backend", "service"]));
        let all = all.chain(object.node.at(&["spec", "defaultBackend", "service"]));
        return all.filter_map(|s| Some((s.get("name")?, s.at(&["port", "number"])))).collect();
    }
    let all = spec(&["spec", "rules"]).filter_map(|r| r.get("backendRefs")).flat_map(Node::items);
    let plain = |b: &&Node| {
        let kind = b.get("kind").and_then(Node::as_text).unwrap_or("Service");
        kind == "Service" && b.get("namespace").is_none()
    };
    all.filter(plain).filter_map(|b| Some((b.get("name")?, b.get("port")))).collect()
}

/// The part of `route-backend-missing` that is about Services of graphs.
pub(super) fn routes(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(|o| matches!(o.kind.as_str(), "Ingress" | "HTTPRoute")) {
        let graphs = graphs(recipe, object);
        for (name, port) in backends(object) {
            let Some(text) = name.as_text().filter(|t| !open(t) && !recipe.around.has("Service", t)) else { continue };
            let made = || graphs.iter().flat_map(|g| components(g).map(move |c| (service(g, c), c)));
            if let Some((_, component)) = made().find(|(made, _)| made == text) {
                let wrong = port.and_then(Node::as_int).filter(|p| *p != 8000);
                if let (ComponentType::Frontend, Some(port), Some(number)) = (&component.component_type, port, wrong) {
                    out.report(
                        port.span,
                        format!("the Service `{text}` has no port {number}"),
                        "the operator gives the Service of a frontend port 8000",
                    )
                    .subject("backend")
                    .label(component.name.span, "this frontend")
                    .help("write port 8000")
                    .emit();
                }
                continue;
            }
            let near = made().find(|(made, _)| text.eq_ignore_ascii_case(made) || typo(text, made));
            let own = |graph: &&Object| text.len() > graph.name.len() && text.starts_with(&format!("{}-", graph.name));
            let Some((meant, component)) = near.filter(|_| graphs.iter().any(own)) else { continue };
            out.report(name.span, format!("the operator makes no Service `{text}`"), "the route has no backend")
                .subject("backend")
                .label(component.name.span, "its Service has graph and component in its name, in lower case")
                .help(format!("write `{meant}`"))
                .fix(crate::finding::Applicability::Unsafe, name.span, meant)
                .emit();
        }
    }
}

/// The part of `pool-selector` that is about Services of one's own for pods of a graph.
pub(super) fn service_of_graph(recipe: &Recipe, object: &Object, labels: &Node, out: &mut Findings) {
    let graphs = graphs(recipe, object);
    let Some(named) = labels.get(GRAPH_LABEL).filter(|_| object.kind == "Service" && !graphs.is_empty()) else {
        return;
    };
    let Some(name) = named.as_text().filter(|t| !open(t)) else { return };
    let Some(graph) = graphs.iter().find(|graph| graph.name == name) else {
        if !recipe.around.has("DynamoGraphDeployment", name) {
            let report = out.report(
                named.span,
                format!("no graph of this file is called `{name}`"),
                format!("`{}` selects nothing", object.name),
            );
            let report = report.subject(GRAPH_LABEL).label(graphs[0].name_span, "the graph that is made");
            report.help(format!("write `{}`", graphs[0].name)).emit();
        }
        return;
    };
    // Of a headless Service no port is mapped.
    if object.node.at(&["spec", "clusterIP"]).and_then(Node::as_text) == Some("None") {
        return;
    }
    let by_type = labels.get("nvidia.com/dynamo-component-type").and_then(Node::as_text) == Some("frontend");
    let by_name = labels.get("nvidia.com/dynamo-component").and_then(Node::as_text);
    let mut fronts = components(graph).filter(|c| c.component_type == ComponentType::Frontend);
    let (Some(front), None) = (fronts.next(), fronts.next()) else { return };
    if !(by_type || by_name == Some(front.name.value.as_str())) || !front.main.env_from.is_empty() {
        return;
    }
    let text = recipe.sources.get(object.file);
    let written = text.text.get(graph.node.span.range()).unwrap_or_default();
    for port in object.node.at(&["spec", "ports"]).into_iter().flat_map(Node::items) {
        let Some(target) = port.get("targetPort").or_else(|| port.get("port")) else { continue };
        let Some(number) = target.as_int().filter(|number| *number != 8000) else { continue };
        // The graph says that number somewhere: another container or option may listen there.
        if graph.file != object.file || written.contains(&number.to_string()) {
            continue;
        }
        out.report(target.span, format!("the frontend does not listen on port {number}"), "connections are refused")
            .subject("targetPort")
            .label(front.name.span, "listens on 8000")
            .help("write `targetPort: 8000`, or name the port of the container: `http`")
            .emit();
    }
}
