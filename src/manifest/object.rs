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
    pub fn of_document(_document: &Document) -> Vec<Self> {
        unimplemented!("manifest room")
    }

    /// API group: the part of `apiVersion` before `/`, empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}
