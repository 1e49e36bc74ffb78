//! Which lists merge by key.
//!
//! For built-in kinds the Kubernetes OpenAPI document says so; kustomize carries it. For custom resources nothing does,
//! unless the kustomization names an `openapi` file, which is then global to the build.

use crate::yaml::Node;

/// Merge knowledge of one build.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    /// `definitions` of the `openapi.path` file.
    custom: Option<Node>,
    /// Whether something that lies elsewhere takes part, which may name that file.
    pub(super) remote: bool,
}

/// Where in a kind's schema a merge stands.
#[derive(Clone, Debug)]
pub(super) enum At {
    /// In a custom definition.
    Custom(Node),
    /// In a built-in kind.
    Builtin(Shape),
    /// Nowhere known: lists replace.
    Unknown,
}

/// Shapes of built-in types that lead to mergeable lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object with `spec.template` (Deployment, Job, …).
    Workload,
    /// Its `spec`.
    WorkloadSpec,
    /// CronJob.
    CronJob,
    /// Its `spec`.
    CronJobSpec,
    /// A Pod or a pod template.
    Template,
    /// A pod spec.
    PodSpec,
    /// A container.
    Container,
    /// `resources` of a container.
    Resources,
    /// A Service.
    Service,
    /// Its `spec`.
    ServiceSpec,
    /// A ServiceAccount.
    ServiceAccount,
    /// `metadata`.
    Metadata,
    /// Projected volumes and the like: maps without mergeable lists of their own.
    Plain,
}

/// How a list merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ListMerge {
    /// As a whole.
    Replace,
    /// Item by item, matched by these keys (the first that both have all of).
    ByKeys(Vec<String>),
    /// As a set of scalars.
    Set,
}

impl Schema {
    /// Takes over an `openapi` document.
    pub(super) fn load(&mut self, document: &Node) {
        self.custom = document.get("definitions").cloned();
    }

    /// Where a kind's schema starts.
    pub(super) fn of_kind(&self, api_version: &str, kind: &str) -> At {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        if let Some(custom) = &self.custom {
            for definition in custom.entries() {
                let named = definition.value.get("x-kubernetes-group-version-kind").is_some_and(|list| {
                    list.items().any(|g| {
                        g.get("group").and_then(Node::as_str).unwrap_or_default() == group
                            && g.get("version").and_then(Node::as_str) == Some(version)
                            && g.get("kind").and_then(Node::as_str) == Some(kind)
                    })
                });
                if named {
                    return At::Custom(definition.value.clone());
                }
            }
            // A custom document replaces the built-in one altogether.
            return At::Unknown;
        }
        let shape = match (group, kind) {
            ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
            | ("batch", "Job")
            | ("", "ReplicationController") => Shape::Workload,
            ("batch", "CronJob") => Shape::CronJob,
            ("", "Pod" | "PodTemplate") => Shape::Template,
            ("", "Service") => Shape::Service,
            ("", "ServiceAccount") => Shape::ServiceAccount,
            _ => return At::Unknown,
        };
        At::Builtin(shape)
    }

    /// The `$ref`ed or inline definition behind a node.
    fn deref(&self, node: &Node) -> Node {
        let Some(target) = node.get("$ref").and_then(Node::as_str) else { return node.clone() };
        let name = target.rsplit('/').next().unwrap_or_default();
        self.custom.as_ref().and_then(|d| d.get(name)).cloned().unwrap_or_else(|| node.clone())
    }

    /// The schema of a field.
    pub(super) fn field(&self, at: &At, key: &str) -> At {
        match at {
            At::Custom(node) => {
                let child = node.at(&["properties", key]).or_else(|| node.get("additionalProperties"));
                child.map_or(At::Unknown, |c| At::Custom(self.deref(c)))
            }
            At::Builtin(shape) => builtin_field(*shape, key).map_or(At::Unknown, At::Builtin),
            At::Unknown => At::Unknown,
        }
    }

    /// The schema of a list's items.
    pub(super) fn item(&self, at: &At) -> At {
        match at {
            At::Custom(node) => node.get("items").map_or(At::Unknown, |c| At::Custom(self.deref(c))),
            // Shapes of list fields are those of their items.
            At::Builtin(shape) => At::Builtin(*shape),
            At::Unknown => At::Unknown,
        }
    }

    /// How the list in field `key` of `parent` merges.
    pub(super) fn list(&self, parent: &At, key: &str) -> ListMerge {
        match parent {
            At::Custom(node) => {
                let Some(field) = node.at(&["properties", key]) else { return ListMerge::Replace };
                let merges = field
                    .get("x-kubernetes-patch-strategy")
                    .and_then(Node::as_str)
                    .is_some_and(|s| s.split(',').any(|s| s == "merge"));
                if !merges {
                    return ListMerge::Replace;
                }
                if let Some(keys) = field.get("x-kubernetes-list-map-keys").filter(|k| k.as_seq().is_some()) {
                    return ListMerge::ByKeys(keys.items().filter_map(Node::as_str).map(str::to_owned).collect());
                }
                match field.get("x-kubernetes-patch-merge-key").and_then(Node::as_str) {
                    Some(key) => ListMerge::ByKeys(vec![key.to_owned()]),
                    None => ListMerge::Set,
                }
            }
            At::Builtin(shape) => builtin_list(*shape, key),
            // A schema that lies elsewhere is one for Dynamo's kinds, which hold lists of pods under names of their own.
            At::Unknown if self.remote && self.custom.is_none() => {
                let key = if key == "components" { "containers" } else { key };
                match builtin_list(Shape::PodSpec, key) {
                    ListMerge::Replace => builtin_list(Shape::Container, key),
                    merge => merge,
                }
            }
            At::Unknown => ListMerge::Replace,
        }
    }
}

fn builtin_field(shape: Shape, key: &str) -> Option<Shape> {
    Some(match (shape, key) {
        (_, "metadata") => Shape::Metadata,
        (Shape::Workload, "spec") => Shape::WorkloadSpec,
        (Shape::CronJob, "spec") => Shape::CronJobSpec,
        (Shape::CronJobSpec, "jobTemplate") => Shape::Workload,
        (Shape::WorkloadSpec, "template") => Shape::Template,
        (Shape::Template, "spec") => Shape::PodSpec,
        (Shape::Template, "template") => Shape::Template,
        (Shape::PodSpec, "containers" | "initContainers" | "ephemeralContainers") => Shape::Container,
        (Shape::Container, "resources") => Shape::Resources,
        (Shape::Service, "spec") => Shape::ServiceSpec,
        _ => Shape::Plain,
    })
}

fn builtin_list(shape: Shape, key: &str) -> ListMerge {
    let keys: &[&str] = match (shape, key) {
        (
            Shape::PodSpec,
            "containers"
            | "initContainers"
            | "ephemeralContainers"
            | "volumes"
            | "imagePullSecrets"
            | "resourceClaims"
            | "schedulingGates",
        ) => &["name"],
        (Shape::PodSpec, "hostAliases") => &["ip"],
        (Shape::PodSpec, "topologySpreadConstraints") => &["topologyKey", "whenUnsatisfiable"],
        (Shape::Container, "env") => &["name"],
        (Shape::Container, "volumeMounts") => &["mountPath"],
        (Shape::Container, "volumeDevices") => &["devicePath"],
        (Shape::Container, "ports") => &["containerPort", "protocol"],
        (Shape::ServiceSpec, "ports") => &["port", "protocol"],
        (Shape::ServiceAccount, "secrets" | "imagePullSecrets") => &["name"],
        (Shape::Metadata, "ownerReferences") => &["uid"],
        (Shape::Metadata, "finalizers") => return ListMerge::Set,
        _ => return ListMerge::Replace,
    };
    ListMerge::ByKeys(keys.iter().map(|k| (*k).to_owned()).collect())
}
