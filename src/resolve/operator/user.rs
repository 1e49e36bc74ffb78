//! What the user says of a component, as the operator's hub version holds it, in JSON.

use serde_json::{Map, Value, json};

use crate::manifest::{ApiVersion, Component, Container, EnvLayer, Graph};
use crate::yaml::{self, Node};

/// The pod spec without its containers.
pub(super) fn pod(component: &Component) -> Map<String, Value> {
    let mut out = component.pod_spec.as_ref().map(yaml::json).map(object).unwrap_or_default();
    out.remove("containers");
    out.remove("mainContainer");
    out.retain(|_, value| !value.is_null());
    out
}

/// The main container.
pub(super) fn main(graph: &Graph, component: &Component) -> Map<String, Value> {
    let main = &component.main;
    let mut out = main.node.as_ref().map(yaml::json).map(object).unwrap_or_default();
    out.retain(|_, value| !value.is_null());
    out.insert("name".to_owned(), json!("main"));
    put_list(&mut out, "env", env(main));
    if graph.shape == ApiVersion::V1Alpha1 {
        converted(component, &mut out);
    }
    out
}

/// The other containers, the frontend sidecar of v1alpha1 among them.
pub(super) fn sidecars(component: &Component) -> Vec<Value> {
    component.sidecars.iter().map(sidecar).collect()
}

fn sidecar(container: &Container) -> Value {
    let mut out = container.node.as_ref().map(yaml::json).map(object).unwrap_or_default();
    // What v1alpha1 calls `envs` and `envFromSecret` in `frontendSidecar`.
    for key in ["envs", "envFromSecret"] {
        out.remove(key);
    }
    out.retain(|_, value| !value.is_null());
    out.insert("name".to_owned(), json!(container.name));
    put_list(&mut out, "env", env(container));
    put_list(&mut out, "envFrom", env_from(container));
    Value::Object(out)
}

/// Fields that v1alpha1 has outside the container (`shared_spec_conversion.go:1482-1574`).
fn converted(component: &Component, out: &mut Map<String, Value>) {
    let main = &component.main;
    put_list(out, "envFrom", env_from(main));
    let quantities = |list: &[(String, crate::source::Span, Node)]| -> Map<String, Value> {
        list.iter().map(|(name, _, node)| (name.clone(), json!(node.as_text().unwrap_or_default()))).collect()
    };
    let mut resources = Map::new();
    for (key, list) in [("limits", &main.limits), ("requests", &main.requests)] {
        if !list.is_empty() {
            resources.insert(key.to_owned(), Value::Object(quantities(list)));
        }
    }
    if !main.claims.is_empty() {
        let own =
            main.node.as_ref().and_then(|n| n.at(&["resources", "claims"])).filter(|n| n.items().next().is_some());
        let claims = own.or_else(|| component.node.at(&["resources", "claims"]));
        resources.insert("claims".to_owned(), claims.map(yaml::json).unwrap_or_default());
    }
    if resources.is_empty() {
        out.remove("resources");
    } else {
        out.insert("resources".to_owned(), Value::Object(resources));
    }
    for key in ["livenessProbe", "readinessProbe"] {
        if let Some(dedicated) = component.node.get(key).filter(|n| n.as_map().is_some()) {
            let mut merged = yaml::json(dedicated);
            if let Some(own) = out.get(key) {
                super::merge::over(&mut merged, own);
            }
            out.insert(key.to_owned(), merged);
        }
    }
    let mut mounts = match out.remove("volumeMounts") {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    for mount in component.node.get("volumeMounts").into_iter().flat_map(Node::items) {
        let name = mount.get("name").and_then(Node::as_text).unwrap_or_default();
        let path = mount.get("mountPoint").and_then(Node::as_text).unwrap_or_default();
        mounts.push(json!({"name": name, "mountPath": path}));
    }
    put_list(out, "volumeMounts", mounts);
}

/// `env` with the service's own list below the container's: a name keeps its first place and takes its last value
/// (`shared_spec_conversion.go:2638-2657`).
fn env(container: &Container) -> Vec<Value> {
    let mut out: Vec<(EnvLayer, Value)> = Vec::new();
    for (layer, entry) in &container.env {
        let value = yaml::json(&entry.node);
        let lower = |(have, old): &&mut (EnvLayer, Value)| have != layer && old.get("name") == value.get("name");
        match out.iter_mut().find(lower) {
            Some(slot) => *slot = (*layer, value),
            None => out.push((*layer, value)),
        }
    }
    out.into_iter().map(|(_, value)| value).collect()
}

fn env_from(container: &Container) -> Vec<Value> {
    let of = |from: &crate::manifest::EnvFrom| {
        let kind = if from.secret { "secretRef" } else { "configMapRef" };
        let mut out = json!({kind: {"name": from.name.value}});
        if !from.prefix.is_empty() {
            out["prefix"] = json!(from.prefix);
        }
        out
    };
    container.env_from.iter().map(of).collect()
}

fn put_list(out: &mut Map<String, Value>, key: &str, list: Vec<Value>) {
    if list.is_empty() {
        out.remove(key);
    } else {
        out.insert(key.to_owned(), Value::Array(list));
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
