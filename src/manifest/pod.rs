//! Parts of a pod: containers, env entries, mounts, volumes. The same in both API versions.

use super::{
    Container, ContainerField, EnvEntry, EnvFrom, EnvLayer, EnvSource, Mount, Volume, VolumeSource, quantity, spanned,
};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// Entries of an `env` list; items without a name are skipped.
pub(super) fn env_list(list: Option<&Node>) -> Vec<EnvEntry> {
    list.into_iter().flat_map(Node::items).filter_map(env_entry).collect()
}

fn env_entry(node: &Node) -> Option<EnvEntry> {
    let name = spanned(node.get("name")?)?;
    let source = match node.get("valueFrom").filter(|n| !n.is_null()) {
        Some(from) => value_from(from),
        None => EnvSource::Value(node.get("value").filter(|v| !v.is_null()).cloned()),
    };
    Some(EnvEntry { name, source, node: node.clone() })
}

fn value_from(from: &Node) -> EnvSource {
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_text).unwrap_or_default().to_owned();
    if let Some(map) = from.get("configMapKeyRef") {
        let span = map.get("key").map_or(map.span, |key| key.span);
        EnvSource::ConfigMap { name: text(map, "name"), key: text(map, "key"), span }
    } else if let Some(secret) = from.get("secretKeyRef") {
        EnvSource::Secret { name: text(secret, "name"), key: text(secret, "key"), span: secret.span }
    } else if let Some(field) = from.get("fieldRef") {
        let span = field.get("fieldPath").map_or(field.span, |path| path.span);
        EnvSource::Field { path: text(field, "fieldPath"), span }
    } else if let Some(field) = from.get("resourceFieldRef") {
        let span = field.get("resource").map_or(field.span, |path| path.span);
        EnvSource::Field { path: text(field, "resource"), span }
    } else {
        EnvSource::Unknown(from.span)
    }
}

/// Entries of an `envFrom` list.
pub(super) fn env_from_list(list: Option<&Node>) -> Vec<EnvFrom> {
    list.into_iter()
        .flat_map(Node::items)
        .filter_map(|node| {
            let (secret, reference) = match (node.get("secretRef"), node.get("configMapRef")) {
                (Some(reference), _) => (true, reference),
                (None, reference) => (false, reference?),
            };
            let name = spanned(reference.get("name")?)?;
            let prefix = node.get("prefix").and_then(Node::as_text).unwrap_or_default().to_owned();
            Some(EnvFrom { secret, name, prefix })
        })
        .collect()
}

/// `envFrom` of a v1alpha1 `envFromSecret`.
pub(super) fn env_from_secret(name: Option<&Node>) -> Vec<EnvFrom> {
    name.and_then(spanned)
        .filter(|name| !name.is_empty())
        .map(|name| EnvFrom { secret: true, name, prefix: String::new() })
        .into_iter()
        .collect()
}

/// A list field; the zero value (`[]`, null, a string) counts as written but empty.
pub(super) fn field(node: Option<&Node>) -> ContainerField {
    node.map_or_else(ContainerField::default, |node| ContainerField {
        items: node.items().cloned().collect(),
        span: (!node.is_null()).then_some(node.span),
    })
}

/// A container as the native API writes it.
pub(super) fn container(node: &Node) -> Container {
    let quantities = |kind: &str| {
        node.at(&["resources", kind])
            .into_iter()
            .flat_map(Node::entries)
            .map(|e| (e.key.name.to_string(), e.key.span, e.value.clone()))
            .collect()
    };
    Container {
        name: node.get("name").and_then(Node::as_text).unwrap_or_default().to_owned(),
        image: node.get("image").filter(|n| n.as_text().is_some_and(|t| !t.is_empty())).cloned(),
        command: field(node.get("command")),
        args: field(node.get("args")),
        env: env_list(node.get("env")).into_iter().map(|e| (EnvLayer::Container, e)).collect(),
        env_from: env_from_list(node.get("envFrom")),
        lost_env_from: Vec::new(),
        limits: quantities("limits"),
        requests: quantities("requests"),
        dropped: Vec::new(),
        claims: claims(node.at(&["resources", "claims"])),
        mounts: mounts(node.get("volumeMounts"), "mountPath"),
        security: node.get("securityContext").filter(|n| !n.is_null()).cloned(),
        working_dir: node.get("workingDir").filter(|n| !n.is_null()).cloned(),
        node: Some(node.clone()),
    }
}

/// Names in `resources.claims`.
pub(super) fn claims(list: Option<&Node>) -> Vec<Spanned<String>> {
    list.into_iter().flat_map(Node::items).filter_map(|claim| spanned(claim.get("name")?)).collect()
}

/// Mounts; `path_key` is `mountPath`, or `mountPoint` in v1alpha1's own list.
pub(super) fn mounts(list: Option<&Node>, path_key: &str) -> Vec<Mount> {
    list.into_iter()
        .flat_map(Node::items)
        .filter_map(|node| {
            Some(Mount {
                name: spanned(node.get("name")?)?,
                path: node.get(path_key).and_then(spanned),
                sub_path: node.get("subPath").and_then(Node::as_text).map(str::to_owned),
            })
        })
        .collect()
}

/// Pod volumes.
pub(super) fn volumes(list: Option<&Node>) -> Vec<Volume> {
    list.into_iter()
        .flat_map(Node::items)
        .filter_map(|node| {
            Some(Volume { name: spanned(node.get("name")?)?, source: volume_source(node), node: node.clone() })
        })
        .collect()
}

fn volume_source(node: &Node) -> VolumeSource {
    let text = |path: &[&str]| node.at(path).and_then(Node::as_text).map(str::to_owned);
    if let Some(name) = text(&["configMap", "name"]) {
        VolumeSource::ConfigMap(name)
    } else if let Some(name) = text(&["secret", "secretName"]) {
        VolumeSource::Secret(name)
    } else if let Some(name) = text(&["persistentVolumeClaim", "claimName"]) {
        VolumeSource::Claim(name)
    } else if let Some(path) = text(&["hostPath", "path"]) {
        VolumeSource::HostPath(path)
    } else if node.get("emptyDir").is_some() {
        VolumeSource::EmptyDir(text(&["emptyDir", "medium"]))
    } else {
        VolumeSource::Other
    }
}

/// Resource lists by name: (name, key span, quantity).
pub(super) type Quantities = Vec<(String, Span, Node)>;

/// v1alpha1 `resources.limits` or `.requests` as native resource names, and what is dropped because it is no quantity
/// (operator `shared_spec_conversion.go:2489-2545`). Placeholders are filled before the API server sees them.
pub(super) fn alpha_quantities(item: Option<&Node>) -> (Quantities, Quantities) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    let Some(item) = item else { return (kept, dropped) };
    let mut add = |name: &str, span: Span, value: &Node| {
        let Some(text) = value.as_text().filter(|t| !t.is_empty()) else { return };
        if quantity::parse(text).is_some() || text.contains("${") || text.contains('<') {
            upsert(&mut kept, (name.to_owned(), span, value.clone()));
        } else {
            dropped.push((name.to_owned(), span, value.clone()));
        }
    };
    for entry in item.entries() {
        match &*entry.key.name {
            name @ ("cpu" | "memory") => add(name, entry.key.span, &entry.value),
            "gpu" => {
                let kind = item.get("gpuType").and_then(Node::as_text).filter(|t| !t.is_empty());
                add(kind.unwrap_or("nvidia.com/gpu"), entry.key.span, &entry.value);
            }
            _ => {}
        }
    }
    for entry in item.get("custom").into_iter().flat_map(Node::entries) {
        add(&entry.key.name, entry.key.span, &entry.value);
    }
    (kept, dropped)
}

/// Sets a resource by name: the later one wins, in the earlier one's place.
pub(super) fn upsert(list: &mut Quantities, item: (String, Span, Node)) {
    match list.iter_mut().find(|(name, ..)| *name == item.0) {
        Some(slot) => *slot = item,
        None => list.push(item),
    }
}
