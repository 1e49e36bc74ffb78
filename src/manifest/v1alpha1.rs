//! A v1alpha1 service, converted to the hub's shape (operator `shared_spec_conversion.go:140-223`, `1435-1574`).

use super::graph::{annotations, component_type, node_count, replicas};
use super::{Component, ComponentType, Container, EnvLayer, pod, spanned};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// The name the conversion gives the container of a `frontendSidecar`.
const SIDECAR: &str = "sidecar-frontend";

pub(super) fn component(name: Spanned<String>, node: &Node) -> Component {
    let (component_type, type_span) = hub_type(node);
    let pod_spec = node.get("extraPodSpec").filter(|n| n.as_map().is_some());
    let part = |key: &str| pod_spec.and_then(|spec| spec.get(key));
    // A container called `main` in `extraPodSpec.containers` is dropped (`shared_spec_conversion.go:1524-1528`).
    let mut sidecars: Vec<Container> = part("containers")
        .into_iter()
        .flat_map(Node::items)
        .map(pod::container)
        .filter(|container| container.name != "main")
        .collect();
    let frontend_sidecar = node.entry("frontendSidecar").filter(|e| e.value.as_map().is_some());
    if let Some(entry) = frontend_sidecar
        && !sidecars.iter().any(|c| c.name == SIDECAR)
    {
        sidecars.push(sidecar(&entry.value));
    }
    Component {
        name,
        component_type,
        type_span,
        node: node.clone(),
        replicas: replicas(node),
        node_count: node_count(node),
        runtime_version: node.get("runtimeVersionOverride").and_then(spanned),
        global_namespace: node.get("globalDynamoNamespace").and_then(Node::as_bool).unwrap_or_default(),
        shared_memory: shared_memory(node),
        compilation_cache: compilation_cache(node),
        frontend_sidecar: frontend_sidecar.map(|e| Spanned::new(SIDECAR.to_owned(), e.key.span)),
        annotations: annotations(&[node.at(&["extraPodMetadata", "annotations"])]),
        main: main(node, part("mainContainer").filter(|n| n.as_map().is_some())),
        sidecars,
        init_containers: part("initContainers").into_iter().flat_map(Node::items).map(pod::container).collect(),
        volumes: pod::volumes(part("volumes")),
        pod_spec: pod_spec.cloned(),
        experimental: Some(node.clone()),
        epp_config: node.get("eppConfig").filter(|n| n.as_map().is_some()).cloned(),
    }
}

/// `shared_spec_conversion.go:396-426`.
fn hub_type(node: &Node) -> (ComponentType, Option<Span>) {
    let kind = node.get("componentType").filter(|n| n.as_text().is_some());
    let sub = node.get("subComponentType").filter(|n| matches!(n.as_text(), Some("prefill" | "decode")));
    let decides = match (kind.and_then(Node::as_text), sub) {
        (Some("worker"), Some(sub)) => Some(sub),
        _ => kind,
    };
    (component_type(decides.and_then(Node::as_text)), decides.map(|n| n.span))
}

fn shared_memory(node: &Node) -> Option<Spanned<String>> {
    let memory = node.get("sharedMemory")?;
    if let Some(disabled) = memory.get("disabled").filter(|n| n.as_bool() == Some(true)) {
        return Some(Spanned::new("0".to_owned(), disabled.span));
    }
    memory.get("size").and_then(spanned).filter(|size| super::quantity::parse(size) != Some(0.0))
}

fn compilation_cache(node: &Node) -> Option<(Spanned<String>, Option<Spanned<String>>)> {
    let mount = node
        .get("volumeMounts")?
        .items()
        .find(|m| m.get("useAsCompilationCache").and_then(Node::as_bool) == Some(true))?;
    Some((spanned(mount.get("name")?)?, mount.get("mountPoint").and_then(spanned)))
}

fn sidecar(node: &Node) -> Container {
    let mut container = pod::container(node);
    container.name = SIDECAR.to_owned();
    container.env = pod::env_list(node.get("envs")).into_iter().map(|e| (EnvLayer::Container, e)).collect();
    container.env_from = pod::env_from_secret(node.get("envFromSecret"));
    container
}

/// The dedicated fields as base, `mainContainer` merged on top as mergo does with `WithOverride`: slices replace,
/// maps merge by key, env merges by name, mounts are joined.
fn main(node: &Node, written: Option<&Node>) -> Container {
    let mut container = written.map(pod::container).unwrap_or_default();
    container.name = "main".to_owned();

    let dedicated = pod::env_list(node.get("envs")).into_iter().map(|e| (EnvLayer::Service, e));
    container.env.splice(0..0, dedicated);

    let secret = pod::env_from_secret(node.get("envFromSecret"));
    if container.env_from.is_empty() {
        container.env_from = secret;
    } else {
        container.lost_env_from = secret;
    }

    for (kind, list) in [("limits", &mut container.limits), ("requests", &mut container.requests)] {
        let (mut merged, dropped) = pod::alpha_quantities(node.at(&["resources", kind]));
        for item in list.drain(..) {
            pod::upsert(&mut merged, item);
        }
        *list = merged;
        container.dropped.extend(dropped);
    }
    if container.claims.is_empty() {
        container.claims = pod::claims(node.at(&["resources", "claims"]));
    }
    container.mounts.extend(pod::mounts(node.get("volumeMounts"), "mountPoint"));
    container
}
