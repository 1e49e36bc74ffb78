//! Names: prefixes, suffixes, hashes, and the references in built-in kinds that follow them.
//!
//! Custom resources are not in kustomize's reference table (`api/internal/konfig/builtinpluginconsts/namereference.go`),
//! so a generated ConfigMap's hashed name does not reach a DynamoGraphDeployment.

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
    if old.name == name {
        return;
    }
    let span = resource.node.at(&["metadata", "name"]).map_or(resource.node.span, |n| n.span);
    resource.node = edit::set_at(&resource.node, &["metadata", "name"], string(name, span), span);
    resource.earlier.push(old);
    resource.renamed = true;
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

/// Below the pod spec of each workload kind.
fn pod_spec(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &["spec"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController" => {
            &["spec", "template", "spec"]
        }
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    })
}

/// Where a pod spec refers to each kind by name.
const POD_REFERENCES: &[(&str, &[&str])] = &[
    ("ConfigMap", &["volumes[]", "configMap", "name"]),
    ("ConfigMap", &["volumes[]", "projected", "sources[]", "configMap", "name"]),
    ("ConfigMap", &["containers[]", "env[]", "valueFrom", "configMapKeyRef", "name"]),
    ("ConfigMap", &["initContainers[]", "env[]", "valueFrom", "configMapKeyRef", "name"]),
    ("ConfigMap", &["containers[]", "envFrom[]", "configMapRef", "name"]),
    ("ConfigMap", &["initContainers[]", "envFrom[]", "configMapRef", "name"]),
    ("Secret", &["volumes[]", "secret", "secretName"]),
    ("Secret", &["volumes[]", "projected", "sources[]", "secret", "name"]),
    ("Secret", &["containers[]", "env[]", "valueFrom", "secretKeyRef", "name"]),
    ("Secret", &["initContainers[]", "env[]", "valueFrom", "secretKeyRef", "name"]),
    ("Secret", &["containers[]", "envFrom[]", "secretRef", "name"]),
    ("Secret", &["initContainers[]", "envFrom[]", "secretRef", "name"]),
    ("Secret", &["imagePullSecrets[]", "name"]),
    ("ServiceAccount", &["serviceAccountName"]),
    ("PersistentVolumeClaim", &["volumes[]", "persistentVolumeClaim", "claimName"]),
    ("PriorityClass", &["priorityClassName"]),
];

/// Where other built-in kinds refer by name: (referrer, path, referred kinds).
const OTHER_REFERENCES: &[(&str, &[&str], &[&str])] = &[
    (
        "HorizontalPodAutoscaler",
        &["spec", "scaleTargetRef", "name"],
        &["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"],
    ),
    ("StatefulSet", &["spec", "serviceName"], &["Service"]),
    ("RoleBinding", &["subjects[]", "name"], &["ServiceAccount"]),
    ("ClusterRoleBinding", &["subjects[]", "name"], &["ServiceAccount"]),
    ("RoleBinding", &["roleRef", "name"], &["Role", "ClusterRole"]),
    ("ClusterRoleBinding", &["roleRef", "name"], &["ClusterRole"]),
    ("Ingress", &["spec", "rules[]", "http", "paths[]", "backend", "service", "name"], &["Service"]),
    ("Ingress", &["spec", "defaultBackend", "service", "name"], &["Service"]),
    ("Ingress", &["spec", "tls[]", "secretName"], &["Secret"]),
    ("ServiceAccount", &["imagePullSecrets[]", "name"], &["Secret"]),
    ("ServiceAccount", &["secrets[]", "name"], &["Secret"]),
    ("PersistentVolumeClaim", &["spec", "volumeName"], &["PersistentVolume"]),
];

/// Lets every reference in a built-in kind follow the renames of this build.
pub(super) fn follow(resources: &mut [Resource]) {
    // (kind, old name, namespace) → new name
    let renamed: Vec<(String, String, String)> = resources
        .iter()
        .filter(|r| r.renamed)
        .flat_map(|r| {
            let now = r.identity();
            r.earlier.iter().map(move |old| (now.kind.clone(), old.name.clone(), now.name.clone())).collect::<Vec<_>>()
        })
        .collect();
    if renamed.is_empty() {
        return;
    }
    let new_name = |kinds: &[&str], name: &str| {
        renamed
            .iter()
            .find(|(kind, old, _)| kinds.contains(&kind.as_str()) && old == name)
            .map(|(_, _, new)| new.clone())
    };
    for resource in resources {
        let kind = resource.kind().to_owned();
        let mut paths: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
        if let Some(base) = pod_spec(&kind) {
            for (referred, path) in POD_REFERENCES {
                paths.push((base.iter().chain(*path).copied().collect(), vec![referred]));
            }
        }
        for (referrer, path, referred) in OTHER_REFERENCES {
            if *referrer == kind {
                paths.push((path.to_vec(), referred.to_vec()));
            }
        }
        for (path, kinds) in paths {
            let next = edit::visit(&resource.node, &path, None, &mut |node| {
                let node = node?;
                new_name(&kinds, node.as_text()?).map(|name| string(&name, node.span))
            });
            if let Some(next) = next {
                resource.node = next;
            }
        }
    }
}
