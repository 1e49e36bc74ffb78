//! Names: how one is changed, which kinds keep theirs, and which lie in no namespace.

use super::edit;
use super::resource::{Identity, Resource};
use crate::source::{Span, Text};
use crate::yaml::{Kind, Node, Scalar, Style, Typed};

/// A string that stands for `span` without being written there.
pub(super) fn string(value: &str, span: Span) -> Node {
    let origin = Some(std::sync::Arc::new(Text::opaque(value, span)));
    edit::node(Kind::Scalar(Scalar { value: value.into(), style: Style::Plain, typed: Typed::Str, origin }), span)
}

/// Sets `metadata.name`, remembering the old one.
pub(super) fn rename(resource: &mut Resource, name: &str) {
    let old = resource.identity();
    let span = resource.node.at(&["metadata", "name"]).map_or(resource.node.span, |n| n.span);
    resource.node = edit::set_at(&resource.node, &["metadata", "name"], string(name, span), span);
    resource.earlier.push(old);
}

/// Kinds whose names kustomize leaves alone.
pub(super) fn keeps_name(identity: &Identity) -> bool {
    matches!(
        (identity.group.as_str(), identity.kind.as_str()),
        ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("apiregistration.k8s.io", "APIService")
            | ("", "Namespace")
    )
}

/// Kinds that lie in no namespace.
pub(super) fn cluster_scoped(identity: &Identity) -> bool {
    matches!(
        identity.kind.as_str(),
        "Namespace"
            | "Node"
            | "PersistentVolume"
            | "ClusterRole"
            | "ClusterRoleBinding"
            | "CustomResourceDefinition"
            | "APIService"
            | "StorageClass"
            | "PriorityClass"
            | "RuntimeClass"
            | "IngressClass"
            | "CSIDriver"
            | "CSINode"
            | "VolumeAttachment"
            | "MutatingWebhookConfiguration"
            | "ValidatingWebhookConfiguration"
            | "ValidatingAdmissionPolicy"
            | "ValidatingAdmissionPolicyBinding"
            | "DeviceClass"
            | "FlowSchema"
            | "PriorityLevelConfiguration"
            | "CertificateSigningRequest"
            | "TokenReview"
            | "SubjectAccessReview"
            | "SelfSubjectAccessReview"
            | "SelfSubjectRulesReview"
            | "ComponentStatus"
            | "PodSecurityPolicy"
    )
}
