//! Annotations that a build keeps for itself, and `buildMetadata`, which lets some of them stand in the result.
//!
//! kustomize records where each object came from and which transformers ran over it in annotations of the object itself
//! (`api/resource/resource.go`, `api/internal/target/multitransformer.go`), whenever the root asks for any build metadata,
//! and takes away in the end what was not asked for (`api/krusty/kustomizer.go`). Doing the same here keeps what follows from
//! it: a patch that replaces all annotations loses the origin too.

use super::edit::{self, entry};
use super::names::string;
use super::resource::Resource;
use crate::source::Span;
use crate::yaml::{Entry, Kind, Map, Node};

const ORIGIN: &str = "config.kubernetes.io/origin";
const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
const LOCAL: &str = "config.kubernetes.io/local-config";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What `kubectl kustomize` calls itself; a stand-alone kustomize gives its version.
const BUILDER: &str = "kustomize-(devel)";

/// Annotations of kustomize's own that no result keeps (`api/resource/resource.go`, `BuildAnnotations`).
const INTERNAL: &[&str] = &[
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// What is written down while a build runs that was asked for metadata.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// Where it is asked for.
    span: Span,
    /// The directory being built, as the way to it is written, from the root's.
    directory: String,
}

impl Metadata {
    /// For a root kustomization; none when it asks for no metadata.
    pub(super) fn of(root: &Node) -> Option<Self> {
        let asked = root.get("buildMetadata").filter(|list| list.items().next().is_some())?;
        Some(Self { span: asked.span, directory: String::new() })
    }

    /// The same below a base or component.
    pub(super) fn below(&self, path: &str) -> Self {
        Self { span: self.span, directory: join(&self.directory, path) }
    }

    /// Says of a resource that it was read from a file.
    pub(super) fn read(&self, resource: &mut Resource, path: &str) {
        annotate(resource, ORIGIN, &format!("path: {}\n", scalar(&join(&self.directory, path))), self.span);
    }

    /// Says of a resource that a generator made it, see [`Metadata::configured`].
    pub(super) fn generated(&self, resource: &mut Resource, by: &str) {
        annotate(resource, ORIGIN, by, self.span);
    }

    /// Says of every resource that a transformer has run, see [`Metadata::configured`].
    pub(super) fn transformed(&self, resources: &mut [Resource], by: &str) {
        for resource in resources {
            if resource.node.at(&["metadata", "annotations", ORIGIN]).is_none() {
                annotate(resource, ORIGIN, by, self.span);
                continue;
            }
            let before = resource.node.at(&["metadata", "annotations", TRANSFORMATIONS]).and_then(Node::as_text);
            let item: String =
                by.lines().enumerate().map(|(n, l)| format!("{}{l}\n", if n == 0 { "- " } else { "  " })).collect();
            let all = format!("{}{item}", before.unwrap_or_default());
            annotate(resource, TRANSFORMATIONS, &all, self.span);
        }
    }

    /// What is written of a generator or transformer that is a field of this directory's kustomization.
    pub(super) fn configured(&self, file: &str, kind: &str) -> String {
        let path = join(&self.directory, file);
        format!("configuredIn: {}\nconfiguredBy:\n  apiVersion: builtin\n  kind: {kind}\n", scalar(&path))
    }

    /// The same of one that is an object of its own, as it was read.
    pub(super) fn plugin(&self, plugin: &Resource) -> String {
        let origin = plugin.node.at(&["metadata", "annotations", ORIGIN]).and_then(Node::as_text).unwrap_or_default();
        let path = origin.lines().find_map(|line| line.strip_prefix("path: ")).unwrap_or_default();
        let id = plugin.identity();
        let kind = &id.kind;
        let mut out = format!("configuredIn: {path}\nconfiguredBy:\n  apiVersion: builtin\n  kind: {kind}\n");
        for (key, value) in [("name", &id.name), ("namespace", &id.namespace)] {
            if !value.is_empty() {
                out.push_str(&format!("  {key}: {}\n", scalar(value)));
            }
        }
        out
    }
}

/// A path as YAML writes it.
fn scalar(path: &str) -> String {
    let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/' | b'_' | b'-'));
    if plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "''")) }
}

/// Go's `path.Join`.
fn join(base: &str, path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if out.last().is_some_and(|last| *last != "..") => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out.join("/")
}

/// Sets an annotation as `SetAnnotations` does: all of them become new nodes, shared with no other field.
fn annotate(resource: &mut Resource, key: &str, value: &str, span: Span) {
    let old = resource.node.at(&["metadata", "annotations"]).and_then(Node::as_map).cloned().unwrap_or_default();
    let mut entries: Vec<_> = old.entries;
    for e in &mut entries {
        e.value = edit::fresh(&e.value);
    }
    let node = edit::insert(&edit::node(Kind::Map(Map { entries }), span), entry(key, string(value, span), span));
    resource.node = edit::set_at(&resource.node, &["metadata", "annotations"], node, span);
}

/// A patch with labels and annotations as `SetLabels` and `SetAnnotations` write them: all strings, `null` too, and none at
/// all when there are none (`api/resource/resource.go`, `CopyMergeMetaDataFieldsFrom`). So no such patch takes one away.
pub(super) fn rewritten(patch: &Node) -> Node {
    let mut out = patch.clone();
    for key in ["labels", "annotations"] {
        let Some(pairs) = out.at(&["metadata", key]).cloned() else { continue };
        let mut entries: Vec<_> = pairs.entries().cloned().collect();
        entries.iter_mut().for_each(written_as_string);
        let Some(metadata) = out.get("metadata").cloned() else { continue };
        let metadata = if entries.is_empty() {
            edit::without(&metadata, key)
        } else {
            let pairs = edit::with_kind(&pairs, Kind::Map(Map { entries }));
            edit::insert(&metadata, entry(key, pairs, metadata.span))
        };
        out = edit::insert(&out, entry("metadata", metadata, patch.span));
    }
    out
}

/// One label or annotation as it is written from a map of strings: the text of a scalar, and nothing of what has none
/// (`kyaml/yaml/rnode.go`, `getMapFromMeta`).
fn written_as_string(pair: &mut Entry) {
    if pair.value.as_str().is_none() {
        let text = pair.value.as_scalar().map_or("", |scalar| &*scalar.value).to_owned();
        pair.value = string(&text, pair.value.span);
    }
}

/// What is done to the finished result: local objects go, annotations that are the build's own go unless asked for, those
/// that stay are strings, and the label of the builder is put on when asked for.
pub(super) fn finish(resources: &mut Vec<Resource>, root: &Node) {
    let asked = |option: &str| {
        root.get("buildMetadata").and_then(|list| list.items().find(|item| item.as_text() == Some(option))).cloned()
    };
    resources.retain(|r| r.node.at(&["metadata", "annotations", LOCAL]).is_none());
    for resource in resources.iter_mut() {
        if let Some(item) = asked("managedByLabel") {
            let value = string(BUILDER, item.span);
            resource.node = edit::set_at(&resource.node, &["metadata", "labels", MANAGED_BY], value, item.span);
        }
        let Some(annotations) = resource.node.at(&["metadata", "annotations"]).cloned() else { continue };
        let Some(map) = annotations.as_map() else { continue };
        let gone = |key: &str| {
            INTERNAL.contains(&key)
                || (key == ORIGIN && asked("originAnnotations").is_none())
                || (key == TRANSFORMATIONS && asked("transformerAnnotations").is_none())
        };
        let written = map.entries.iter().all(|e| e.value.as_str().is_some() && !gone(&e.key.name));
        if written && !map.entries.is_empty() {
            continue;
        }
        let mut entries = map.entries.clone();
        entries.retain(|e| !gone(&e.key.name));
        entries.iter_mut().for_each(written_as_string);
        let Some(metadata) = resource.node.entry("metadata").cloned() else { continue };
        let value = if entries.is_empty() {
            edit::without(&metadata.value, "annotations")
        } else {
            let annotations = edit::with_kind(&annotations, Kind::Map(Map { entries }));
            edit::insert(&metadata.value, entry("annotations", annotations, metadata.key.span))
        };
        resource.node = edit::insert(&resource.node, Entry { value, ..metadata });
    }
}
