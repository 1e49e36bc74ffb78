//! Kubernetes objects found in YAML documents.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::{Graph, Workload};
use crate::source::{FileId, Span};
use crate::yaml::{Document, Node};

/// A `nvidia.com` API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiVersion {
    /// `nvidia.com/v1alpha1`
    V1Alpha1,
    /// `nvidia.com/v1beta1`
    V1Beta1,
}

impl ApiVersion {
    /// `nvidia.com/v1alpha1` or `nvidia.com/v1beta1`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1Alpha1 => "nvidia.com/v1alpha1",
            Self::V1Beta1 => "nvidia.com/v1beta1",
        }
    }
}

/// One object: a document, an item of a `kind: List`, or (later) the product of a kustomization.
#[derive(Clone, Debug)]
pub struct Object {
    /// `apiVersion` as written, empty when absent.
    pub api_version: String,
    /// `kind` as written, empty when absent.
    pub kind: String,
    /// `metadata.name`, empty when absent.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// Where `metadata.name`'s value stands; the `kind` value when there is no name.
    pub name_span: Span,
    /// The file it stands in.
    pub file: FileId,
    /// The root mapping.
    pub node: Node,
    reading: Reading,
}

/// What an object comes to, read when first asked for and shared by all copies of the object.
#[derive(Clone, Default)]
struct Reading {
    graph: Arc<OnceLock<Option<Arc<Graph>>>>,
    workload: Arc<OnceLock<Option<Arc<Workload>>>>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It says nothing that the node does not.
        f.write_str("Reading")
    }
}

impl Object {
    /// All objects of a document: one, those of a `kind: List`, or none.
    #[must_use]
    pub fn of_document(document: &Document) -> Vec<Self> {
        let Some(root) = &document.root else { return Vec::new() };
        let mut out = Vec::new();
        collect(root, document.span.file, &mut out, 0);
        out
    }

    /// Reads one object; `None` without a `kind`, unless all else says that it is a graph.
    #[must_use]
    pub fn of_node(node: &Node, file: FileId) -> Option<Self> {
        let kind = node.get("kind").filter(|kind| !kind.is_null());
        let group = || node.get("apiVersion").filter(|v| v.as_text().is_some_and(|v| v.starts_with("nvidia.com/")));
        let head = kind.or_else(|| group().filter(|_| has_body_of_graph(node)))?;
        let text = |path: &[&str]| node.at(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let name = node.at(&["metadata", "name"]).filter(|n| n.as_text().is_some());
        Some(Self {
            api_version: text(&["apiVersion"]),
            kind: kind.map_or(Some(""), Node::as_text)?.to_owned(),
            name: text(&["metadata", "name"]),
            namespace: node.at(&["metadata", "namespace"]).and_then(Node::as_text).map(str::to_owned),
            name_span: name.unwrap_or(head).span,
            file,
            node: node.clone(),
            reading: Reading::default(),
        })
    }

    /// Whether it is a graph but for its `kind` or its `apiVersion`.
    #[must_use]
    pub fn is_half_graph(&self) -> bool {
        let half = match self.kind.as_str() {
            "" => self.group() == "nvidia.com",
            kind => kind == "DynamoGraphDeployment" && self.api_version.is_empty(),
        };
        half && has_body_of_graph(&self.node)
    }

    /// The graph that it is: [`Graph::of_object`], read once.
    #[must_use]
    pub fn graph(&self) -> Option<&Arc<Graph>> {
        self.reading.graph.get_or_init(|| Graph::of_object(self).map(Arc::new)).as_ref()
    }

    /// The native workload that it is: [`Workload::of_object`], read once.
    #[must_use]
    pub fn workload(&self) -> Option<&Workload> {
        self.reading.workload.get_or_init(|| Workload::of_object(self).map(Arc::new)).as_deref()
    }

    /// The same object as a graph of its own holds it: what was read would hold itself otherwise.
    pub(super) fn unread(&self) -> Self {
        Self { reading: Reading::default(), ..self.clone() }
    }

    /// API group: the part of `apiVersion` before `/`, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Version: the part of `apiVersion` after `/`, all of it for the core group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&self.api_version, |(_, version)| version)
    }

    /// A string of a ConfigMap's `data`.
    #[must_use]
    pub fn data(&self, key: &str) -> Option<&Node> {
        self.node.at(&["data", key]).filter(|n| n.as_scalar().is_some())
    }
}

/// Whether a mapping has the name and the services or components of a graph.
fn has_body_of_graph(node: &Node) -> bool {
    let any =
        |key: &str| node.at(&["spec", key]).is_some_and(|n| n.entries().next().is_some() || n.items().next().is_some());
    node.at(&["metadata", "name"]).is_some_and(|n| n.as_text().is_some()) && (any("services") || any("components"))
}

/// `kubectl` unpacks lists, lists in lists too; eight levels are more than anybody writes.
fn collect(node: &Node, file: FileId, out: &mut Vec<Object>, depth: u8) {
    let Some(object) = Object::of_node(node, file) else { return };
    let items = node.get("items").filter(|items| items.as_seq().is_some());
    match items {
        Some(items) if object.kind.ends_with("List") && depth < 8 => {
            for item in items.items() {
                collect(item, file, out, depth + 1);
            }
        }
        _ => out.push(object),
    }
}
