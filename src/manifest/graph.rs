//! From an object to a graph, whatever kind and version it is written in.

use super::{ApiVersion, ComponentType, Graph, GraphKind, Object, pod, spanned, v1alpha1, v1beta1};
use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Node};

impl Graph {
    /// Reads a graph out of an object of kind DynamoGraphDeployment, DynamoComponentDeployment, or
    /// DynamoGraphDeploymentRequest with `spec.overrides.dgd`. `None` for every other kind and for objects too broken
    /// to hold a component.
    #[must_use]
    pub fn of_object(object: &Object) -> Option<Self> {
        if object.group() != "nvidia.com" {
            return None;
        }
        match object.kind.as_str() {
            "DynamoGraphDeployment" => read(object, &object.node, GraphKind::Deployment),
            "DynamoComponentDeployment" => component_deployment(object),
            "DynamoGraphDeploymentRequest" => {
                let node = object.node.at(&["spec", "overrides", "dgd"])?;
                read(object, node, GraphKind::RequestOverride)
            }
            _ => None,
        }
    }
}

fn version(api_version: &str) -> Option<ApiVersion> {
    match api_version {
        "nvidia.com/v1alpha1" => Some(ApiVersion::V1Alpha1),
        "nvidia.com/v1beta1" => Some(ApiVersion::V1Beta1),
        _ => None,
    }
}

fn read(object: &Object, node: &Node, kind: GraphKind) -> Option<Graph> {
    let spec = node.get("spec")?;
    let written = node.get("apiVersion").and_then(Node::as_text).and_then(version);
    let has = |key: &str| spec.get(key).is_some_and(|n| !n.is_null());
    let shape = match (written, has("services"), has("components")) {
        (_, true, false) => ApiVersion::V1Alpha1,
        (_, false, true) => ApiVersion::V1Beta1,
        (Some(version), ..) => version,
        (None, ..) => return None,
    };
    let components = match shape {
        ApiVersion::V1Alpha1 => {
            let mut entries: Vec<&Entry> = spec
                .get("services")
                .into_iter()
                .flat_map(Node::entries)
                .filter(|e| e.value.as_map().is_some())
                .collect();
            crate::source::order(&mut entries, |a, b| a.key.name.cmp(&b.key.name));
            entries
                .into_iter()
                .map(|e| v1alpha1::component(Spanned::new(e.key.name.to_string(), e.key.span), &e.value).into())
                .collect()
        }
        ApiVersion::V1Beta1 => spec
            .get("components")
            .into_iter()
            .flat_map(Node::items)
            .filter(|n| n.as_map().is_some())
            .map(|n| {
                let name = n.get("name").and_then(spanned);
                v1beta1::component(name.unwrap_or_else(|| Spanned::new(String::new(), n.span)), n).into()
            })
            .collect(),
    };
    let env = match shape {
        ApiVersion::V1Alpha1 => spec.get("envs"),
        ApiVersion::V1Beta1 => spec.get("env"),
    };
    Some(Graph {
        object: object.unread(),
        kind,
        api_version: written.unwrap_or(shape),
        shape,
        backend_framework: spec.get("backendFramework").and_then(spanned),
        env: pod::env_list(env),
        components,
        annotations: annotations(&[node.at(&["metadata", "annotations"]), spec.get("annotations")]),
        kv_transfer_policy: spec.at(&["experimental", "kvTransferPolicy"]).filter(|n| n.as_map().is_some()).cloned(),
    })
}

fn component_deployment(object: &Object) -> Option<Graph> {
    let spec = object.node.get("spec").filter(|n| n.as_map().is_some())?;
    let written = version(&object.api_version);
    let shape = written.unwrap_or(if spec.get("podTemplate").is_some() || spec.get("type").is_some() {
        ApiVersion::V1Beta1
    } else {
        ApiVersion::V1Alpha1
    });
    let name_key = match shape {
        ApiVersion::V1Alpha1 => "serviceName",
        ApiVersion::V1Beta1 => "name",
    };
    let name = spec.get(name_key).and_then(spanned).filter(|n| !n.is_empty());
    let name = name.unwrap_or_else(|| Spanned::new(object.name.clone(), object.name_span));
    let component = match shape {
        ApiVersion::V1Alpha1 => v1alpha1::component(name, spec),
        ApiVersion::V1Beta1 => v1beta1::component(name, spec),
    };
    Some(Graph {
        object: object.unread(),
        kind: GraphKind::Component,
        api_version: shape,
        shape,
        backend_framework: spec.get("backendFramework").and_then(spanned),
        env: Vec::new(),
        components: vec![component.into()],
        annotations: annotations(&[object.node.at(&["metadata", "annotations"])]),
        kv_transfer_policy: None,
    })
}

/// Annotations of several maps, the first map that has a key wins.
pub(super) fn annotations(maps: &[Option<&Node>]) -> Vec<(String, Span, Node)> {
    let mut out: Vec<(String, Span, Node)> = Vec::new();
    for entry in maps.iter().flatten().flat_map(|map| map.entries()) {
        if !out.iter().any(|(key, ..)| **key == *entry.key.name) {
            out.push((entry.key.name.to_string(), entry.key.span, entry.value.clone()));
        }
    }
    out
}

pub(super) fn component_type(text: Option<&str>) -> ComponentType {
    match text.unwrap_or_default() {
        "" => ComponentType::Unset,
        "frontend" => ComponentType::Frontend,
        "worker" => ComponentType::Worker,
        "prefill" => ComponentType::Prefill,
        "decode" => ComponentType::Decode,
        "planner" => ComponentType::Planner,
        "epp" => ComponentType::Epp,
        other => ComponentType::Other(other.to_owned()),
    }
}

/// `multinode.nodeCount`; 2, the CRD's default and minimum, when `multinode` is there without a readable count.
pub(super) fn node_count(component: &Node) -> Option<Spanned<u32>> {
    let multinode = component.get("multinode").filter(|n| n.as_map().is_some())?;
    let Some(count) = multinode.get("nodeCount").filter(|n| !n.is_null()) else {
        return Some(Spanned::new(2, multinode.span));
    };
    let value = count.as_text().and_then(|t| t.parse().ok()).unwrap_or(2);
    Some(Spanned::new(value, count.span))
}

/// `replicas` unless absent or null.
pub(super) fn replicas(component: &Node) -> Option<Spanned<Node>> {
    let node = component.get("replicas").filter(|n| !n.is_null())?;
    Some(Spanned::new(node.clone(), node.span))
}
