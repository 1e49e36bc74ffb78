//! The resolved model: what every rule sees.

mod env;
mod fabric;
mod kv;
mod release;
mod role;

use std::sync::Arc;

pub use env::{Env, EnvVar, Layer, Setting};
pub use fabric::{Claim, Fabric, FabricKind, FabricResource, Fabrics};
pub use kv::{KvEvents, KvTransfer, Transfer};
pub use release::Version;
pub use role::{Framework, Role};

use super::{Memo, Recipe};
use crate::command::{Args, Process, Word};
use crate::manifest::{Component, ComponentType, Graph};
use crate::source::{Fact, Span, Spanned, Text};
use crate::yaml::Node;

/// One resolved deployment.
#[derive(Debug)]
pub struct Deployment {
    /// `metadata.name`.
    pub name: String,
    /// The graph as written and converted.
    pub graph: Arc<Graph>,
    /// Services in the graph's order.
    pub services: Vec<Service>,
    /// What stands beside it.
    pub recipe: Arc<Recipe>,
    /// What the manifest could not tell.
    pub options: super::Options,
    /// What rules work out about it once for all of them.
    pub memo: Memo,
}

/// One service of a deployment, resolved.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Where its name stands: the label to fall back on.
    pub span: Span,
    /// The component as written.
    pub component: Arc<Component>,
    /// What it does.
    pub role: Role,
    /// Where the role is said (flag value, config key, env value); none when it is a default.
    pub role_span: Option<Span>,
    /// Whether the role is certain: false when the command line or a config file that could say it is not visible.
    pub role_known: bool,
    /// Its engine.
    pub framework: Option<Framework>,
    /// The Dynamo process (`python3 -m dynamo.X …`), when it can be seen.
    pub process: Option<DynamoProcess>,
    /// Effective environment of that process (of the container when there is no visible process).
    pub env: Env,
    /// Image reference.
    pub image: Fact<Text>,
    /// Dynamo version, with where it is said.
    pub version: Option<Spanned<Version>>,
    /// Release before 1.0 that the graph is of: the newest one that its images name, else what the graph itself shows.
    pub age: Option<Version>,
    /// Replicas (pods, or groups of pods when multinode); default 1.
    pub replicas: Fact<u32>,
    /// Nodes that one engine spans; 1 unless multinode.
    pub nodes: u32,
    /// Scalar GPUs of one pod.
    pub gpus: Fact<u32>,
    /// What the pod asks for that can carry KV cache.
    pub fabric: Fabric,
    /// How KV cache gets from prefill to decode.
    pub kv: KvTransfer,
    /// KV events as published by this worker.
    pub events: KvEvents,
    /// Engine config files that could be read (SGLang `--config`, TRT-LLM `--extra-engine-args`, vLLM `--config`).
    pub configs: Vec<EngineConfig>,
    /// Whether the service runs behind a frontend sidecar; that sidecar's process and env.
    pub sidecar: Option<Box<Sidecar>>,
    /// What the main container starts.
    pub launch: Launch,
    /// What the other containers of the pod start.
    pub others: Vec<PodProcess>,
    /// Name of the container whose process decides framework, role and KV transfer: `main`, unless that one runs no
    /// engine and a sidecar or init container does.
    pub engine_container: String,
}

/// What a container starts: `command` and `args` with the operator's defaults and `$(VAR)` expanded, and the processes
/// they come to.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Effective `command`.
    pub command: Vec<Word>,
    /// Effective `args`.
    pub args: Vec<Word>,
    /// Whether `command` is the operator's default.
    pub command_implied: bool,
    /// Whether `args` are the operator's default.
    pub args_implied: bool,
    /// The script of `sh -c SCRIPT`.
    pub script: Option<Word>,
    /// Processes in the order they start; one for the exec form.
    pub processes: Vec<Process>,
    /// What in the script could not be parsed.
    pub errors: Vec<(Span, String)>,
}

/// Where in a pod a container stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The main container.
    Main,
    /// Another container, or an init container with `restartPolicy: Always`.
    Sidecar,
    /// An init container that ends before the main one starts.
    Init,
}

/// A process of a container other than the main one.
#[derive(Clone, Debug)]
pub struct PodProcess {
    /// Name of the container.
    pub container: String,
    /// Where in the pod it stands.
    pub place: Place,
    /// What it starts.
    pub process: Process,
}

/// A frontend that runs as sidecar of a worker (Gateway API mode).
#[derive(Debug)]
pub struct Sidecar {
    /// Container name and its place.
    pub name: Spanned<String>,
    /// Its process.
    pub process: Option<DynamoProcess>,
    /// Its effective env.
    pub env: Env,
}

/// The process that a service is about.
#[derive(Clone, Debug)]
pub struct DynamoProcess {
    /// `dynamo.frontend`, `dynamo.vllm`, …
    pub module: Spanned<String>,
    /// All words, wrappers and program included.
    pub argv: Vec<Word>,
    /// Options after the module.
    pub args: Args,
    /// The command as written.
    pub span: Span,
    /// Whether it is the operator's default command, not written anywhere.
    pub implied: bool,
}

/// An engine config file of a worker.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The flag that names it.
    pub flag: String,
    /// Path in the container; empty for a config given inline (`--override-engine-args`).
    pub path: String,
    /// Its content with spans in the ConfigMap that holds it; `Dynamic` when it is not among the manifests.
    pub content: Fact<Node>,
    /// Where the path is given.
    pub span: Span,
    /// Why the content could not be read although it is here.
    pub problem: Option<crate::yaml::Problem>,
}

impl Deployment {
    /// The pods that the operator makes of a service. Worked out when asked for: rules judge what the manifest says.
    #[must_use]
    pub fn pods(&self, service: &Service) -> super::Pods {
        let context = super::env::Context {
            graph: &self.graph,
            recipe: &self.recipe,
            sources: &self.recipe.sources,
            options: &self.options,
        };
        super::operator::pods(&context, &service.component)
    }

    /// Services of a role.
    pub fn role(&self, role: Role) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(move |s| s.role == role)
    }

    /// Services that run an engine.
    pub fn workers(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|s| s.role.is_worker())
    }

    /// Whether it has both a prefill and a decode worker.
    #[must_use]
    pub fn is_disaggregated(&self) -> bool {
        self.role(Role::Prefill).next().is_some() && self.role(Role::Decode).next().is_some()
    }

    /// Prefill and decode workers of a disaggregated deployment, none otherwise.
    pub fn disaggregated(&self) -> impl Iterator<Item = &Service> {
        let on = self.is_disaggregated();
        self.services.iter().filter(move |s| on && matches!(s.role, Role::Prefill | Role::Decode))
    }
}

impl Service {
    /// Options of its Dynamo process.
    #[must_use]
    pub fn args(&self) -> Option<&Args> {
        self.process.as_ref().map(|p| &p.args)
    }

    /// Last use of a flag by any of its names.
    #[must_use]
    pub fn flag(&self, names: &[&str]) -> Option<&crate::command::Flag> {
        self.args()?.last(names)
    }

    /// Whether flags that cannot be seen may be in force: no visible process, or `"$@"`-like words in it.
    #[must_use]
    pub fn args_open(&self) -> bool {
        self.args().is_none_or(|a| a.open.is_some())
    }

    /// The module that runs, `dynamo.frontend` and the like.
    #[must_use]
    pub fn module(&self) -> Option<&str> {
        self.process.as_ref().map(|p| p.module.value.as_str())
    }

    /// The version when it is known.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version.as_ref().map(|v| v.value)
    }

    /// Whether the version is at least that. One that nobody knows is taken for 1.0: older ones are not supported any more.
    #[must_use]
    pub fn at_least(&self, major: u16, minor: u16) -> bool {
        self.version_or_age().map_or((major, minor) <= (1, 0), |v| v >= Version::new(major, minor))
    }

    /// Whether the version is known and below that.
    #[must_use]
    pub fn below(&self, major: u16, minor: u16) -> bool {
        self.version_or_age().is_some_and(|v| v < Version::new(major, minor))
    }

    fn version_or_age(&self) -> Option<Version> {
        self.version().or(self.age)
    }

    /// Whether the component type is the operator's `frontend`.
    #[must_use]
    pub fn is_type(&self, component_type: &ComponentType) -> bool {
        self.component.component_type == *component_type
    }

    /// A value of an engine config file: `path` is a list of keys. The last file that has it wins.
    #[must_use]
    pub fn config_at(&self, path: &[&str]) -> Option<&Node> {
        self.configs.iter().rev().find_map(|c| c.content.known()?.at(path))
    }

    /// The value of an option in the engine's config file.
    #[must_use]
    pub fn config_option(&self, name: &str) -> Option<&Node> {
        super::config::option(self, name)
    }

    /// Where the engine's config file turns a switch off, `name: false`, as far as the release heeds that.
    #[must_use]
    pub fn config_off(&self, name: &str) -> Option<Span> {
        super::config::off(self, name)
    }

    /// Whether an engine config file is named whose content cannot be seen.
    #[must_use]
    pub fn config_open(&self) -> bool {
        self.configs.iter().any(|c| c.content.is_dynamic())
    }
}
