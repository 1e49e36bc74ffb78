//! Kubernetes objects found in YAML documents.

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
    /// `kind` as written.
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
}

impl Object {
    /// All objects of a document: one, those of a `kind: List`, or none (no `kind`).
    #[must_use]
    pub fn of_document(document: &Document) -> Vec<Self> {
        let Some(root) = &document.root else { return Vec::new() };
        let mut out = Vec::new();
        collect(root, document.span.file, &mut out, 0);
        out
    }

    /// Reads one object; `None` without a `kind`.
    #[must_use]
    pub fn of_node(node: &Node, file: FileId) -> Option<Self> {
        let kind = node.get("kind")?;
        let text = |path: &[&str]| node.at(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let name = node.at(&["metadata", "name"]).filter(|n| n.as_text().is_some());
        Some(Self {
            api_version: text(&["apiVersion"]),
            kind: kind.as_text()?.to_owned(),
            name: text(&["metadata", "name"]),
            namespace: node.at(&["metadata", "namespace"]).and_then(Node::as_text).map(str::to_owned),
            name_span: name.unwrap_or(kind).span,
            file,
            node: node.clone(),
        })
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
