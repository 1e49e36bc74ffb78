//! DynamoGraphDeployments of either version in one shape: the operator's v1beta1 hub, with spans into what was written.
//!
//! Source: `reference` conversion `shared_spec_conversion.go:140-223` and `1435-1574` of the operator.

use std::sync::Arc;

use super::{ApiVersion, Object};
use crate::source::{Span, Spanned};
use crate::yaml::Node;

/// What kind of object a [`Graph`] was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphKind {
    /// DynamoGraphDeployment.
    Deployment,
    /// DynamoComponentDeployment: one component.
    Component,
    /// `spec.overrides.dgd` of a DynamoGraphDeploymentRequest: partial.
    RequestOverride,
}

/// A graph of components after conversion to the hub version, before the operator adds anything.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The object.
    pub object: Object,
    /// What it was read from.
    pub kind: GraphKind,
    /// The version it is written in: what `apiVersion` says.
    pub api_version: ApiVersion,
    /// The version whose shape it has: `spec.services` is v1alpha1, `spec.components` v1beta1. Where it differs from
    /// `api_version` the API server drops every component.
    pub shape: ApiVersion,
    /// `spec.backendFramework`.
    pub backend_framework: Option<Spanned<String>>,
    /// `spec.envs` / `spec.env`.
    pub env: Vec<EnvEntry>,
    /// Components, sorted by name for v1alpha1 (a map), in order for v1beta1 (a list).
    pub components: Vec<Arc<Component>>,
    /// `metadata.annotations` then `spec.annotations` (metadata wins): key → (key span, value).
    pub annotations: Vec<(String, Span, Node)>,
    /// The node of `spec.experimental.kvTransferPolicy`.
    pub kv_transfer_policy: Option<Node>,
}

/// The operator's component type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComponentType {
    /// `frontend`
    Frontend,
    /// `worker`
    Worker,
    /// `prefill`
    Prefill,
    /// `decode`
    Decode,
    /// `planner`
    Planner,
    /// `epp`
    Epp,
    /// Not given.
    Unset,
    /// Anything else (`main`, `router`, …): the operator's Base defaults.
    Other(String),
}

/// One component (service) of a graph.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name: the key in v1alpha1, `name` in v1beta1.
    pub name: Spanned<String>,
    /// Hub type: `subComponentType` when `componentType` is `worker` and it is prefill or decode, else `componentType`.
    pub component_type: ComponentType,
    /// Where the type is written (the sub type's value when that decided).
    pub type_span: Option<Span>,
    /// The node of the whole component.
    pub node: Node,
    /// `replicas`; the operator's default is 1.
    pub replicas: Option<Spanned<Node>>,
    /// `multinode.nodeCount`, with the CRD default 2 for an empty `multinode`.
    pub node_count: Option<Spanned<u32>>,
    /// `runtimeVersionOverride`.
    pub runtime_version: Option<Spanned<String>>,
    /// `globalDynamoNamespace`.
    pub global_namespace: bool,
    /// `sharedMemorySize` / `sharedMemory`: none when unset (8Gi), `Some("0")` when disabled.
    pub shared_memory: Option<Spanned<String>>,
    /// Compilation cache: PVC name and mount path.
    pub compilation_cache: Option<(Spanned<String>, Option<Spanned<String>>)>,
    /// Name of the container that is a frontend sidecar.
    pub frontend_sidecar: Option<Spanned<String>>,
    /// `podTemplate.metadata.annotations` / `extraPodMetadata.annotations`.
    pub annotations: Vec<(String, Span, Node)>,
    /// The main container as written (after the v1alpha1 merge of `services.X.*` and `extraPodSpec.mainContainer`).
    pub main: Container,
    /// Other containers.
    pub sidecars: Vec<Container>,
    /// Init containers.
    pub init_containers: Vec<Container>,
    /// Pod volumes.
    pub volumes: Vec<Volume>,
    /// The pod spec node: v1beta1 `podTemplate.spec`, v1alpha1 `extraPodSpec`.
    pub pod_spec: Option<Node>,
    /// `experimental` (v1beta1) or the component itself (v1alpha1), for gpuMemoryService and failover.
    pub experimental: Option<Node>,
    /// `eppConfig`.
    pub epp_config: Option<Node>,
}

impl Component {
    /// The containers of its pods: the main one, sidecars, init containers.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        std::iter::once(&self.main).chain(&self.sidecars).chain(&self.init_containers)
    }
}

/// One `env` entry.
#[derive(Clone, Debug)]
pub struct EnvEntry {
    /// Name, with the span of its value token.
    pub name: Spanned<String>,
    /// Where the value comes from.
    pub source: EnvSource,
    /// The whole entry (`{name: …, value: …}`).
    pub node: Node,
}

/// Where an env entry's value comes from.
#[derive(Clone, Debug)]
pub enum EnvSource {
    /// `value`, or nothing at all (the empty string).
    Value(Option<Node>),
    /// `configMapKeyRef`: name, key, optional; the ref's node.
    ConfigMap {
        /// ConfigMap name.
        name: String,
        /// Key.
        key: String,
        /// Where `key`'s value stands.
        span: Span,
    },
    /// `secretKeyRef`: Secret name.
    Secret {
        /// Secret name.
        name: String,
        /// Key.
        key: String,
        /// Where the reference stands.
        span: Span,
    },
    /// `fieldRef` / `resourceFieldRef`: the path.
    Field {
        /// `status.podIP` and the like.
        path: String,
        /// Where it stands.
        span: Span,
    },
    /// Anything else.
    Unknown(Span),
}

/// One `envFrom` entry.
#[derive(Clone, Debug)]
pub struct EnvFrom {
    /// Whether it names a Secret (else a ConfigMap).
    pub secret: bool,
    /// Name of the object.
    pub name: Spanned<String>,
    /// `prefix`.
    pub prefix: String,
}

/// A list field of a container and where it stands.
#[derive(Clone, Debug, Default)]
pub struct ContainerField {
    /// Items; empty when absent.
    pub items: Vec<Node>,
    /// Span of the list node; none when the field is absent.
    pub span: Option<Span>,
}

/// A container as written.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// Name (`main` for the main container).
    pub name: String,
    /// Image reference.
    pub image: Option<Node>,
    /// `command`.
    pub command: ContainerField,
    /// `args`.
    pub args: ContainerField,
    /// `env` in effective order of the user's layers: service env (v1alpha1 `envs`) and container env already merged by
    /// name for the value, but every entry kept here with its layer, lowest precedence first.
    pub env: Vec<(EnvLayer, EnvEntry)>,
    /// `envFrom`, first to last.
    pub env_from: Vec<EnvFrom>,
    /// v1alpha1 `envFromSecret` that is lost because `mainContainer.envFrom` replaces it.
    pub lost_env_from: Vec<EnvFrom>,
    /// `resources.limits`: resource name → (key span, quantity node). v1alpha1 `gpu` and `custom` are mapped already.
    pub limits: Vec<(String, Span, Node)>,
    /// `resources.requests`.
    pub requests: Vec<(String, Span, Node)>,
    /// v1alpha1 resource strings that are no quantities: the conversion drops them without a word.
    pub dropped: Vec<(String, Span, Node)>,
    /// Names in `resources.claims`.
    pub claims: Vec<Spanned<String>>,
    /// `volumeMounts`: (name, mountPath, sub path, node).
    pub mounts: Vec<Mount>,
    /// `securityContext`.
    pub security: Option<Node>,
    /// `workingDir`.
    pub working_dir: Option<Node>,
    /// The container's own node (mainContainer or the list item), when there is one.
    pub node: Option<Node>,
}

/// Which user layer an env entry was written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvLayer {
    /// v1alpha1 `services.X.envs`.
    Service,
    /// The container's own `env`.
    Container,
}

/// A volume mount.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Volume (v1alpha1 `volumeMounts`: PVC) name.
    pub name: Spanned<String>,
    /// Path in the container.
    pub path: Option<Spanned<String>>,
    /// `subPath`.
    pub sub_path: Option<String>,
}

impl Mount {
    /// Whether a path of the container, without dots, lies in it.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        self.path.as_ref().is_some_and(|p| {
            let at = p.value.trim_end_matches('/');
            path == at || path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// A pod volume.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Name.
    pub name: Spanned<String>,
    /// What it is.
    pub source: VolumeSource,
    /// The whole entry.
    pub node: Node,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// ConfigMap of that name.
    ConfigMap(String),
    /// Secret of that name.
    Secret(String),
    /// PersistentVolumeClaim of that name.
    Claim(String),
    /// `hostPath` with that path.
    HostPath(String),
    /// `emptyDir`: medium.
    EmptyDir(Option<String>),
    /// Anything else.
    Other,
}
