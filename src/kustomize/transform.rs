//! The built-in transformers, in the order in which kustomize runs them.

use std::sync::Arc;

use super::edit::{self, entry, visit};
use super::names::{self, string};
use super::resource::Resource;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// `namespace`.
pub(super) fn namespace(resources: &mut [Resource], value: &Node) {
    if value.as_text().is_none_or(str::is_empty) {
        return;
    }
    let old_accounts: Vec<(String, String)> = resources
        .iter()
        .filter(|r| r.kind() == "ServiceAccount")
        .map(|r| (r.identity().name, r.identity().namespace))
        .collect();
    for resource in resources.iter_mut() {
        let identity = resource.identity();
        resource.earlier.push(identity.clone());
        if !names::cluster_scoped(&identity) {
            resource.node = edit::set_at(&resource.node, &["metadata", "namespace"], value.clone(), value.span);
        }
        if identity.kind == "Namespace" && identity.group.is_empty() {
            resource.node = edit::set_at(&resource.node, &["metadata", "name"], value.clone(), value.span);
        }
        if matches!(identity.kind.as_str(), "RoleBinding" | "ClusterRoleBinding") {
            let subjects = resource.node.get("subjects").cloned();
            let Some(subjects) = subjects.filter(|s| s.as_seq().is_some()) else { continue };
            let items = subjects
                .items()
                .map(|subject| {
                    let text = |key: &str| subject.get(key).and_then(Node::as_text).unwrap_or_default().to_owned();
                    let ours = text("kind") == "ServiceAccount"
                        && (text("name") == "default"
                            || old_accounts
                                .iter()
                                .any(|(n, ns)| *n == text("name") && (*ns == text("namespace") || ns.is_empty())));
                    if ours {
                        edit::insert(subject, entry("namespace", value.clone(), value.span))
                    } else {
                        subject.clone()
                    }
                })
                .collect();
            let subjects = edit::with_kind(&subjects, Kind::Seq(items));
            resource.node = edit::insert(&resource.node, entry("subjects", subjects, value.span));
        }
    }
}

/// `namePrefix` and `nameSuffix`.
pub(super) fn affix(resources: &mut [Resource], prefix: &str, suffix: &str) {
    for resource in resources {
        let first = resource.earlier.first().cloned().unwrap_or_else(|| resource.identity());
        if names::keeps_name(&first) {
            continue;
        }
        if !prefix.is_empty() {
            names::rename(resource, &format!("{prefix}{}", resource.identity().name));
            resource.prefixes.push(prefix.to_owned());
        }
        if !suffix.is_empty() {
            names::rename(resource, &format!("{}{suffix}", resource.identity().name));
            resource.suffixes.push(suffix.to_owned());
        }
    }
}

/// Paths that take labels besides `metadata/labels`: (kind, path, created when absent, is a selector).
const LABEL_PATHS: &[(&str, &[&str], bool, bool)] = &[
    ("Service", &["spec", "selector"], true, true),
    ("ReplicationController", &["spec", "selector"], true, true),
    ("Deployment", &["spec", "selector", "matchLabels"], true, true),
    ("ReplicaSet", &["spec", "selector", "matchLabels"], true, true),
    ("DaemonSet", &["spec", "selector", "matchLabels"], true, true),
    ("StatefulSet", &["spec", "selector", "matchLabels"], true, true),
    ("Job", &["spec", "selector", "matchLabels"], false, true),
    ("CronJob", &["spec", "jobTemplate", "spec", "selector", "matchLabels"], false, true),
    ("PodDisruptionBudget", &["spec", "selector", "matchLabels"], false, true),
    ("NetworkPolicy", &["spec", "podSelector", "matchLabels"], false, true),
    ("ReplicationController", &["spec", "template", "metadata", "labels"], true, false),
    ("Deployment", &["spec", "template", "metadata", "labels"], true, false),
    ("ReplicaSet", &["spec", "template", "metadata", "labels"], true, false),
    ("DaemonSet", &["spec", "template", "metadata", "labels"], true, false),
    ("StatefulSet", &["spec", "template", "metadata", "labels"], true, false),
    ("Job", &["spec", "template", "metadata", "labels"], true, false),
    ("CronJob", &["spec", "jobTemplate", "metadata", "labels"], true, false),
    ("CronJob", &["spec", "jobTemplate", "spec", "template", "metadata", "labels"], true, false),
    ("StatefulSet", &["spec", "volumeClaimTemplates[]", "metadata", "labels"], true, false),
];

/// Adds pairs at paths of one resource. What is made for one pair is one node wherever it goes, see [`Resource::shared`].
fn add_pairs(resource: &mut Resource, paths: &[(Vec<&str>, bool)], pairs: &Node) {
    for pair in pairs.entries() {
        let one = edit::fresh(&pair.value);
        let mut made = 0;
        for (path, create) in paths {
            // A selector without the map on the way is left alone unless it may be made.
            if !create && !present(&resource.node, path) {
                continue;
            }
            let mut full = path.clone();
            full.push(&pair.key.name);
            let mut changes = Vec::new();
            let next = visit(&resource.node, &full, Some(pair.key.span), &mut |old| match old {
                Some(old) if resource.shares(old) => {
                    changes.push((Arc::clone(&old.kind), pair.value.clone()));
                    Some(old.clone())
                }
                Some(_) => Some(edit::fresh(&pair.value)),
                None => {
                    made += 1;
                    Some(one.clone())
                }
            });
            if let Some(next) = next {
                resource.node = next;
                resource.settle(changes);
            }
        }
        if made > 1 {
            resource.shared.push(Arc::clone(&one.kind));
        }
    }
}

fn present(node: &Node, path: &[&str]) -> bool {
    path.iter().try_fold(node, |n, k| n.get(k.trim_end_matches("[]"))).is_some()
}

/// `commonLabels` (selectors and templates as well) and one entry of `labels`.
pub(super) fn labels(
    resources: &mut [Resource],
    pairs: &Node,
    selectors: bool,
    templates: bool,
    fields: Option<&Node>,
) {
    for resource in resources {
        let kind = resource.kind().to_owned();
        let mut paths = vec![(vec!["metadata", "labels"], true)];
        for (_, path, create, selector) in LABEL_PATHS.iter().filter(|(k, ..)| *k == kind) {
            if if *selector { selectors } else { selectors || templates } {
                paths.push((path.to_vec(), *create));
            }
        }
        for field in fields.into_iter().flat_map(Node::items) {
            let text = |key: &str| field.get(key).and_then(Node::as_text);
            if text("kind").is_none_or(|k| k == kind)
                && let Some(path) = text("path")
            {
                let create = field.get("create").and_then(Node::as_bool).unwrap_or(false);
                let path: Vec<&str> = path.split('/').collect();
                if !paths.iter().any(|(have, _)| *have == path) {
                    paths.push((path, create));
                }
            }
        }
        add_pairs(resource, &paths, pairs);
    }
}

/// `commonAnnotations`.
pub(super) fn annotations(resources: &mut [Resource], pairs: &Node) {
    for resource in resources {
        let templates: &[&[&str]] = match resource.kind() {
            "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" | "Job" | "ReplicationController" => {
                &[&["spec", "template", "metadata", "annotations"]]
            }
            "CronJob" => &[
                &["spec", "jobTemplate", "metadata", "annotations"],
                &["spec", "jobTemplate", "spec", "template", "metadata", "annotations"],
            ],
            _ => &[],
        };
        let own: &[&str] = &["metadata", "annotations"];
        let paths: Vec<_> = std::iter::once(&own).chain(templates).map(|path| (path.to_vec(), true)).collect();
        add_pairs(resource, &paths, pairs);
    }
}

/// One entry of `replicas`.
pub(super) fn replicas(resources: &mut [Resource], item: &Node) -> bool {
    let (Some(name), Some(count)) = (item.get("name").and_then(Node::as_text), item.get("count")) else { return false };
    let mut hit = false;
    for resource in resources {
        let scales = matches!(resource.kind(), "Deployment" | "ReplicationController" | "ReplicaSet" | "StatefulSet");
        if scales && resource.identities().any(|id| id.name == name) {
            resource.node = edit::set_at(&resource.node, &["spec", "replicas"], count.clone(), count.span);
            hit = true;
        }
    }
    hit
}

/// One entry of `images`: every `containers` and `initContainers` list at any depth.
pub(super) fn images(resources: &mut [Resource], item: &Node) {
    for resource in resources {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        if let Some(next) = image_walk(&resource.node, item) {
            resource.node = next;
        }
    }
}

fn image_walk(node: &Node, item: &Node) -> Option<Node> {
    match &*node.kind {
        Kind::Map(map) => {
            let mut map = map.clone();
            let mut changed = false;
            for e in &mut map.entries {
                let next = if matches!(&*e.key.name, "containers" | "initContainers") && e.value.as_seq().is_some() {
                    visit(&e.value, &["image"], None, &mut |n| image(n?, item))
                } else {
                    image_walk(&e.value, item)
                };
                if let Some(next) = next {
                    e.value = next;
                    changed = true;
                }
            }
            changed.then(|| edit::with_kind(node, Kind::Map(map)))
        }
        Kind::Seq(items) => {
            let mut items = items.clone();
            let mut changed = false;
            for child in &mut items {
                if let Some(next) = image_walk(child, item) {
                    *child = next;
                    changed = true;
                }
            }
            changed.then(|| edit::with_kind(node, Kind::Seq(items)))
        }
        Kind::Scalar(_) => None,
    }
}

/// A reference cut into name, tag and digest.
fn split_image(reference: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    // A colon before the last slash belongs to a registry's port.
    let slash = rest.rfind('/').map_or(0, |n| n + 1);
    match rest[slash..].find(':') {
        Some(colon) => (&rest[..slash + colon], Some(&rest[slash + colon + 1..]), digest),
        None => (rest, None, digest),
    }
}

fn image(node: &Node, item: &Node) -> Option<Node> {
    let field = |key: &str| item.get(key).and_then(Node::as_text).filter(|t| !t.is_empty());
    let (name, tag, digest) = split_image(node.as_text()?);
    if Some(name) != field("name") {
        return None;
    }
    let span: Span = ["newTag", "digest", "newName"].iter().find_map(|k| item.get(k)).map_or(item.span, |n| n.span);
    let mut out = field("newName").unwrap_or(name).to_owned();
    match (field("newTag"), field("digest")) {
        (new_tag, Some(digest)) => {
            if let Some(tag) = new_tag {
                out = format!("{out}:{tag}");
            }
            out = format!("{out}@{digest}");
        }
        (Some(tag), None) => out = format!("{out}:{}{tag}", field("tagSuffix").map_or("", |_| "")),
        (None, None) => {
            if let Some(tag) = tag {
                out = format!("{out}:{tag}{}", field("tagSuffix").unwrap_or_default());
            }
            if let Some(digest) = digest {
                out = format!("{out}@{digest}");
            }
        }
    }
    Some(string(&out, span))
}
