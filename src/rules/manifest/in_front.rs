//! What stands in front of a graph in its own file, against the Services and pods that the operator makes of it.
//!
//! Source: operator `GetDynamoComponentServiceName` (`<graph>-<component>` in lower case), `DynamoServicePort` (8000), labels of pods.

use super::near::{recipe_directory, typo};
use crate::manifest::{Component, ComponentType, Object};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

const GRAPH_LABEL: &str = "nvidia.com/dynamo-graph-deployment-name";

fn open(text: &str) -> bool {
    text.contains(['$', '<', '{', '*'])
}

/// Graphs of the file in the namespace of an object, or the one graph beside a file that has none; none where a name of
/// theirs is not known.
pub(super) fn graphs<'a>(recipe: &'a Recipe, object: &Object) -> Vec<&'a Object> {
    let same = |graph: &&Object| graph.namespace.as_ref().zip(object.namespace.as_ref()).is_none_or(|(a, b)| a == b);
    let mut all: Vec<&Object> = recipe.here.iter().filter(|o| o.graph().is_some()).collect();
    if all.is_empty() {
        let folder = |file| recipe.file_name(file).rsplit_once('/').map(|(folder, _)| folder.to_owned());
        all = recipe_directory(recipe, object.file, "DynamoGraphDeployment");
        all.retain(|graph| graph.graph().is_some());
        if !matches!(&all[..], [one] if folder(one.file) == folder(object.file)) {
            return Vec::new();
        }
    }
    all.retain(same);
    if all.iter().any(|graph| open(&graph.name)) { Vec::new() } else { all }
}

fn components(graph: &Object) -> impl Iterator<Item = &Component> {
    graph.graph().into_iter().flat_map(|g| &g.components).map(|component| &**component)
}

/// The Service that the operator makes for a component.
pub(super) fn service(graph: &Object, component: &Component) -> String {
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
            // The graph's own name, without the component.
            let bare = || {
                let graph = graphs.iter().find(|graph| graph.name == text)?;
                let front = components(graph).find(|c| c.component_type == ComponentType::Frontend)?;
                Some((service(graph, front), front))
            };
            let Some((meant, component)) = near.filter(|_| graphs.iter().any(own)).or_else(bare) else { continue };
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
    let kinds = ["PodDisruptionBudget", "Service"];
    let Some(named) = labels.get(GRAPH_LABEL).filter(|_| kinds.contains(&object.kind.as_str()) && !graphs.is_empty())
    else {
        return;
    };
    let Some(name) = named.as_text().filter(|t| !open(t)) else { return };
    let Some(graph) = graphs.iter().find(|graph| graph.name == name) else {
        if !recipe.around.has("DynamoGraphDeployment", name) {
            let report = out.report(
                named.span,
                format!("no graph of the recipe is called `{name}`"),
                format!("`{}` selects nothing", object.name),
            );
            let report = report.subject(GRAPH_LABEL).label(graphs[0].name_span, "the graph that is made");
            report.help(format!("write `{}`", graphs[0].name)).emit();
        }
        return;
    };
    let called = labels.get("nvidia.com/dynamo-component");
    if let Some((node, text)) = called.and_then(|n| Some((n, n.as_text()?)))
        && components(graph).all(|c| c.name.value != text)
        && let Some(meant) = components(graph).find(|c| c.name.value.eq_ignore_ascii_case(text))
    {
        let message = format!("no component of `{name}` is called `{text}`");
        out.report(node.span, message, format!("`{}` selects nothing", object.name))
            .subject("nvidia.com/dynamo-component")
            .label(meant.name.span, "capitals count in labels")
            .help(format!("write `{}`", meant.name.value))
            .emit();
    }
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
    let text = recipe.sources.get(graph.file);
    let written = text.text.get(graph.node.span.range()).unwrap_or_default();
    for port in object.node.at(&["spec", "ports"]).into_iter().flat_map(Node::items) {
        let Some(target) = port.get("targetPort").or_else(|| port.get("port")) else { continue };
        let Some(number) = target.as_text().filter(|number| !matches!(*number, "8000" | "http") && !open(number))
        else {
            continue;
        };
        // The graph says that number somewhere: another container or option may listen there.
        if written.contains(number) {
            continue;
        }
        out.report(target.span, format!("the frontend does not listen on port {number}"), "connections are refused")
            .subject("targetPort")
            .label(front.name.span, "listens on 8000")
            .help("write `targetPort: 8000`, or name the port of the container: `http`")
            .emit();
    }
}

/// The part of `route-backend-missing` that is about the picker's Service in a DestinationRule.
pub(super) fn picker_host(recipe: &Recipe, out: &mut Findings) {
    for rule in recipe.here.iter().filter(|o| o.kind == "DestinationRule") {
        let Some((node, host)) = rule.node.at(&["spec", "host"]).and_then(|n| Some((n, n.as_text()?))) else {
            continue;
        };
        let label = host.split('.').next().unwrap_or_default();
        let graphs = graphs(recipe, rule);
        let made = || graphs.iter().flat_map(|g| components(g).map(move |c| (service(g, c), c)));
        let mut pickers = made().filter(|(_, c)| c.component_type == ComponentType::Epp);
        let (Some((meant, component)), None) = (pickers.next(), pickers.next()) else { continue };
        if open(host) || !label.ends_with("-epp") || recipe.around.has("Service", label) || label == meant {
            continue;
        }
        out.report(node.span, format!("the operator makes no Service `{label}`"), "the rule is for nobody")
            .subject("host")
            .label(component.name.span, "its Service has graph and component in its name, in lower case")
            .help(format!("write `{}`", host.replacen(label, &meant, 1)))
            .emit();
    }
}

/// The part of `pool-selector` that is about the picker of a graph: the Service that the operator makes for it, and its port.
pub(super) fn graph_picker(
    recipe: &Recipe,
    pool: &Object,
    reference: &Node,
    node: &Node,
    text: &str,
    out: &mut Findings,
) {
    let graphs = graphs(recipe, pool);
    let made = || graphs.iter().flat_map(|g| components(g).map(move |c| (service(g, c), c)));
    let mut pickers = made().filter(|(_, c)| c.component_type == ComponentType::Epp);
    let (Some((meant, component)), None) = (pickers.next(), pickers.next()) else { return };
    let port = reference.at(&["port", "number"]).or_else(|| reference.get("portNumber"));
    let other = port.filter(|port| port.as_int().is_some_and(|number| number != 9002));
    let (at, message, help) = if text != meant {
        (node.span, format!("the operator makes no Service `{text}`"), format!("write `{meant}`"))
    } else if let Some(port) = other {
        (port.span, "the picker is not asked at that port".to_owned(), "write `9002`".to_owned())
    } else {
        return;
    };
    out.report(at, message, "the pool has nobody that picks: requests get 500")
        .subject("endpointPickerRef")
        .label(component.name.span, "the picker of the graph")
        .help(help)
        .emit();
}

/// Ports of pods by name, as the operator gives them.
const PORTS: [&str; 6] = ["http", "system", "nixl", "metrics", "grpc", "grpc-health"];

/// The part of `pool-selector` that is about monitors: the port of a pod that has no port of that name.
pub(super) fn monitored_port(recipe: &Recipe, monitor: &Object, labels: &Node, out: &mut Findings) {
    for port in monitor.node.at(&["spec", "podMetricsEndpoints"]).into_iter().flat_map(Node::items) {
        let Some((node, name)) = port.get("port").and_then(|n| Some((n, n.as_text()?))) else { continue };
        // A graph may name ports of its own.
        let graphs = recipe_directory(recipe, monitor.file, "DynamoGraphDeployment");
        let named = |graph: &&Object| {
            let text = recipe.sources.get(graph.file);
            text.text.get(graph.node.span.range()).is_some_and(|written| written.contains(&format!("name: {name}")))
        };
        let of = labels.get("nvidia.com/dynamo-component-type").and_then(Node::as_text).unwrap_or_default();
        let planner = name == "metrics" && matches!(of, "frontend" | "worker" | "prefill" | "decode");
        if open(name) || (PORTS.contains(&name) && !planner) || graphs.is_empty() || graphs.iter().any(named) {
            continue;
        }
        out.report(
            node.span,
            match of {
                "" => format!("no pod of a graph has a port `{name}`"),
                _ => format!("no `{of}` of a graph has a port `{name}`"),
            },
            format!("`{}` reads no metrics", monitor.name),
        )
        .subject("port")
        .help("write `http` for frontends, `system` for workers")
        .emit();
    }
}
