//! A v1beta1 component: the hub's own shape.

use super::graph::{annotations, component_type, node_count, replicas};
use super::{Component, Container, pod, spanned};
use crate::source::Spanned;
use crate::yaml::Node;

pub(super) fn component(name: Spanned<String>, node: &Node) -> Component {
    let kind = node.get("type").filter(|n| n.as_text().is_some());
    let pod_spec = node.at(&["podTemplate", "spec"]).filter(|n| n.as_map().is_some());
    let part = |key: &str| pod_spec.and_then(|spec| spec.get(key));
    let mut main = None;
    let mut sidecars = Vec::new();
    for container in part("containers").into_iter().flat_map(Node::items) {
        let container = pod::container(container);
        if container.name == "main" && main.is_none() {
            main = Some(container);
        } else {
            sidecars.push(container);
        }
    }
    let cache = node.get("compilationCache");
    Component {
        name,
        component_type: component_type(kind.and_then(Node::as_text)),
        type_span: kind.map(|n| n.span),
        node: node.clone(),
        replicas: replicas(node),
        node_count: node_count(node),
        runtime_version: node.get("runtimeVersionOverride").and_then(spanned),
        global_namespace: node.get("globalDynamoNamespace").and_then(Node::as_bool).unwrap_or_default(),
        shared_memory: node.get("sharedMemorySize").and_then(spanned),
        compilation_cache: cache
            .and_then(|c| Some((spanned(c.get("pvcName")?)?, c.get("mountPath").and_then(spanned)))),
        frontend_sidecar: node.get("frontendSidecar").and_then(spanned).filter(|n| !n.is_empty()),
        annotations: annotations(&[node.at(&["podTemplate", "metadata", "annotations"])]),
        main: main.unwrap_or_else(|| Container { name: "main".to_owned(), ..Container::default() }),
        sidecars,
        init_containers: part("initContainers").into_iter().flat_map(Node::items).map(pod::container).collect(),
        volumes: pod::volumes(part("volumes")),
        pod_spec: pod_spec.cloned(),
        experimental: node.get("experimental").filter(|n| n.as_map().is_some()).cloned(),
        epp_config: node.get("eppConfig").filter(|n| n.as_map().is_some()).cloned(),
    }
}
