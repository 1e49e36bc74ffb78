//! References by name in built-in kinds that follow renamed objects.
//!
//! Which field may name which kind is kustomize's table (`api/internal/konfig/builtinpluginconsts/namereference.go`);
//! which of several objects is meant, its sieve (`api/filters/nameref/nameref.go`). Custom resources are not in the table,
//! so a generated ConfigMap's hashed name does not reach a DynamoGraphDeployment.

use std::borrow::Cow;

use super::config::Reference;
use super::edit::{self, visit};
use super::names::{cluster_scoped, string};
use super::resource::{Identity, Resource};
use super::specs::FieldSpec;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// Below a pod's spec: the kind that is named, and where.
const IN_POD: &[(&str, &[&str])] = &[
    ("ConfigMap", &["volumes", "configMap", "name"]),
    ("ConfigMap", &["volumes", "projected", "sources", "configMap", "name"]),
    ("ConfigMap", &["containers", "env", "valueFrom", "configMapKeyRef", "name"]),
    ("ConfigMap", &["initContainers", "env", "valueFrom", "configMapKeyRef", "name"]),
    ("ConfigMap", &["containers", "envFrom", "configMapRef", "name"]),
    ("ConfigMap", &["initContainers", "envFrom", "configMapRef", "name"]),
    ("Secret", &["volumes", "secret", "secretName"]),
    ("Secret", &["volumes", "projected", "sources", "secret", "name"]),
    ("Secret", &["containers", "env", "valueFrom", "secretKeyRef", "name"]),
    ("Secret", &["initContainers", "env", "valueFrom", "secretKeyRef", "name"]),
    ("Secret", &["containers", "envFrom", "secretRef", "name"]),
    ("Secret", &["initContainers", "envFrom", "secretRef", "name"]),
    ("Secret", &["imagePullSecrets", "name"]),
    ("ServiceAccount", &["serviceAccountName"]),
    ("PersistentVolumeClaim", &["volumes", "persistentVolumeClaim", "claimName"]),
    ("PriorityClass", &["priorityClassName"]),
];

/// Elsewhere: the kind that names, where, and the kinds that may be meant, in the order of kustomize's table.
const ELSEWHERE: &[(&str, &[&str], &[&str])] = &[
    (
        "HorizontalPodAutoscaler",
        &["spec", "scaleTargetRef", "name"],
        &["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"],
    ),
    ("Node", &["spec", "configSource", "configMap"], &["ConfigMap"]),
    ("Role", &["rules", "resourceNames"], &["ConfigMap", "Secret"]),
    ("ClusterRole", &["rules", "resourceNames"], &["ConfigMap", "Secret", "PersistentVolume"]),
    ("Ingress", &["metadata", "annotations", "nginx.ingress.kubernetes.io/fastcgi-params-configmap"], &["ConfigMap"]),
    ("Ingress", &["spec", "tls", "secretName"], &["Secret"]),
    ("Ingress", &["metadata", "annotations", "ingress.kubernetes.io/auth-secret"], &["Secret"]),
    ("Ingress", &["metadata", "annotations", "nginx.ingress.kubernetes.io/auth-secret"], &["Secret"]),
    ("Ingress", &["metadata", "annotations", "nginx.ingress.kubernetes.io/auth-tls-secret"], &["Secret"]),
    ("ServiceAccount", &["imagePullSecrets", "name"], &["Secret"]),
    ("StorageClass", &["parameters", "secretName"], &["Secret"]),
    ("StorageClass", &["parameters", "adminSecretName"], &["Secret"]),
    ("StorageClass", &["parameters", "userSecretName"], &["Secret"]),
    ("StorageClass", &["parameters", "secretRef"], &["Secret"]),
    ("PersistentVolume", &["spec", "azureFile", "secretName"], &["Secret"]),
    ("StatefulSet", &["spec", "serviceName"], &["Service"]),
    ("Ingress", &["spec", "rules", "http", "paths", "backend", "serviceName"], &["Service"]),
    ("Ingress", &["spec", "backend", "serviceName"], &["Service"]),
    ("Ingress", &["spec", "rules", "http", "paths", "backend", "service", "name"], &["Service"]),
    ("Ingress", &["spec", "defaultBackend", "service", "name"], &["Service"]),
    ("APIService", &["spec", "service", "name"], &["Service"]),
    ("ValidatingWebhookConfiguration", &["webhooks", "clientConfig", "service"], &["Service"]),
    ("MutatingWebhookConfiguration", &["webhooks", "clientConfig", "service"], &["Service"]),
    ("RoleBinding", &["roleRef", "name"], &["Role", "ClusterRole"]),
    ("ClusterRoleBinding", &["roleRef", "name"], &["ClusterRole"]),
    ("RoleBinding", &["subjects"], &["ServiceAccount"]),
    ("ClusterRoleBinding", &["subjects"], &["ServiceAccount"]),
    ("PersistentVolumeClaim", &["spec", "volumeName"], &["PersistentVolume"]),
    ("PersistentVolume", &["spec", "storageClassName"], &["StorageClass"]),
    ("PersistentVolumeClaim", &["spec", "storageClassName"], &["StorageClass"]),
    ("StatefulSet", &["spec", "volumeClaimTemplates", "spec", "storageClassName"], &["StorageClass"]),
    ("Ingress", &["spec", "ingressClassName"], &["IngressClass"]),
];

/// The pod's spec in a kind, and whether the table names that kind for the sort of object meant.
fn pod_spec(kind: &str, meant: &str) -> Option<&'static [&'static str]> {
    let settings = matches!(meant, "ConfigMap" | "Secret");
    Some(match kind {
        "Pod" => &["spec"],
        "PodTemplate" if settings => &["template", "spec"],
        "ReplicaSet" if settings => &["spec", "template", "spec"],
        "ReplicationController" if !settings => &["spec", "template", "spec"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" => &["spec", "template", "spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => return None,
    })
}

/// What the sieve needs to know of an object that may be meant.
struct Candidate {
    now: Identity,
    earlier: Vec<Identity>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

/// Whether the shorter list is the end of the longer one.
fn same_end(a: &[String], b: &[String]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}

/// Lets every reference follow the renames of the build. Gives where one may mean several objects, and the name.
pub(super) fn follow(resources: &mut [Resource], more: &[Reference]) -> Vec<(Span, String)> {
    let candidates: Vec<Candidate> = resources
        .iter()
        .filter(|r| !r.earlier.is_empty())
        .map(|r| Candidate {
            now: r.identity(),
            earlier: r.earlier.clone(),
            prefixes: r.prefixes.clone(),
            suffixes: r.suffixes.clone(),
        })
        .collect();
    let mut problems = Vec::new();
    if candidates.is_empty() {
        return problems;
    }
    for resource in resources {
        let kind = resource.kind().to_owned();
        let own = resource.earlier.first().map_or_else(|| kind.clone(), |id| id.kind.clone());
        let mut fields: Vec<(Vec<&str>, &str)> = Vec::new();
        for (meant, path) in IN_POD {
            if let Some(base) = pod_spec(&own, meant) {
                fields.push(([base, path].concat(), meant));
            }
        }
        for (referrer, path, meant) in ELSEWHERE {
            if *referrer == own {
                fields.extend(meant.iter().map(|meant| (path.to_vec(), *meant)));
            }
        }
        let id = resource.earlier.first().cloned().unwrap_or_else(|| resource.identity());
        let built_in = fields.into_iter().map(|(path, meant)| {
            (path.into_iter().map(str::to_owned).collect(), Cow::Owned(FieldSpec::of_kind(meant)))
        });
        let own = more.iter().flat_map(|reference| {
            let fields = reference.fields.iter().filter(|spec| spec.selects(&id));
            fields.map(|spec| (spec.keys(), Cow::Borrowed(&reference.target)))
        });
        let all: Vec<(Vec<String>, Cow<'_, FieldSpec>)> = built_in.chain(own).collect();
        for (path, meant) in all {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let sieve = Sieve {
                resource,
                candidates: &candidates,
                meant: &meant,
                role: path.last() == Some(&"name") && path[0] == "roleRef",
            };
            let next = visit(&resource.node, &path, None, &mut |node| sieve.set(node?, &mut problems));
            if let Some(next) = next {
                resource.node = next;
            }
        }
    }
    problems
}

/// One field of one object.
struct Sieve<'a> {
    resource: &'a Resource,
    candidates: &'a [Candidate],
    meant: &'a FieldSpec,
    role: bool,
}

impl Sieve<'_> {
    fn set(&self, node: &Node, problems: &mut Vec<(Span, String)>) -> Option<Node> {
        match &*node.kind {
            Kind::Scalar(scalar) => {
                let meant = self.choose(&scalar.value, None, node.span, problems)?;
                (meant.now.name != *scalar.value).then(|| string(&meant.now.name, node.span))
            }
            Kind::Map(map) => {
                let name = map.get("name")?;
                let within = map.get("namespace").and_then(Node::as_text);
                let meant = self.choose(name.as_text()?, within, node.span, problems)?;
                let mut out = edit::insert(node, edit::entry("name", string(&meant.now.name, name.span), name.span));
                if !meant.now.namespace.is_empty() {
                    let value = string(&meant.now.namespace, name.span);
                    out = edit::insert(&out, edit::entry("namespace", value, name.span));
                }
                Some(out)
            }
            Kind::Seq(items) => {
                let items = items.iter().map(|item| self.set(item, problems).unwrap_or_else(|| item.clone())).collect();
                Some(edit::with_kind(node, Kind::Seq(items)))
            }
        }
    }

    /// The object that the name means, if any; of several with different names none.
    fn choose(
        &self,
        name: &str,
        within: Option<&str>,
        span: Span,
        problems: &mut Vec<(Span, String)>,
    ) -> Option<&Candidate> {
        let referrer = self.resource.identity();
        let role = self.resource.node.get("roleRef").filter(|_| self.role);
        let role = role.and_then(|r| Some((r.get("apiGroup")?.as_text()?, r.get("kind")?.as_text()?)));
        let accounts: Vec<&str> = match referrer.kind.as_str() {
            "RoleBinding" => {
                let subjects = self.resource.node.get("subjects").into_iter().flat_map(Node::items);
                let accounts = subjects.filter(|s| s.get("kind").and_then(Node::as_text) == Some("ServiceAccount"));
                accounts.filter_map(|s| s.get("namespace").and_then(Node::as_text)).collect()
            }
            _ => Vec::new(),
        };
        let reachable = |c: &&Candidate| {
            cluster_scoped(&referrer)
                || cluster_scoped(&c.now)
                || c.now.effective_namespace() == referrer.effective_namespace()
                || accounts.contains(&c.now.namespace.as_str())
        };
        let mut found: Vec<&Candidate> = self.candidates.iter().filter(reachable).collect();
        if let Some(within) = within {
            let by = |old: bool| {
                let id = |c: &Candidate| (if old { &c.earlier[0] } else { &c.now }).effective_namespace().to_owned();
                found.iter().copied().filter(|c| id(c) == within).collect::<Vec<_>>()
            };
            let original = by(true);
            found = if original.is_empty() { by(false) } else { original };
        }
        found.retain(|c| {
            c.earlier.iter().any(|id| id.name == name) && c.earlier.iter().any(|id| self.meant.selects(id))
        });
        if let Some((group, kind)) = role {
            found.retain(|c| c.earlier.iter().any(|id| id.kind == kind && (group.is_empty() || id.group == group)));
        }
        found.retain(|c| {
            cluster_scoped(&referrer)
                || cluster_scoped(&c.now)
                || c.now.kind == "ServiceAccount"
                || c.now.effective_namespace() == referrer.effective_namespace()
        });
        let (prefixes, suffixes) = (&self.resource.prefixes, &self.resource.suffixes);
        for lenient in [true, false] {
            if found.len() > 1 {
                let same = |a: &[String], b: &[String]| (lenient && (a.is_empty() || b.is_empty())) || same_end(a, b);
                found.retain(|c| same(&c.prefixes, prefixes) && same(&c.suffixes, suffixes));
            }
        }
        let first = *found.first()?;
        if found.iter().any(|c| c.now.name != first.now.name) {
            problems.push((span, format!("`{name}` may mean {} objects of this build", found.len())));
            return None;
        }
        Some(first)
    }
}
