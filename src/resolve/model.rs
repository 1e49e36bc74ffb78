//! The resolved model: what every rule sees.

use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::{Memo, Recipe};
use crate::command::json::Json;
use crate::command::{Args, Process, Word};
use crate::manifest::{Component, ComponentType, Graph};
use crate::source::{Fact, Reason, Span, Spanned, Text};
use crate::yaml::Node;

/// A Dynamo release, `major.minor.patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Major.
    pub major: u16,
    /// Minor.
    pub minor: u16,
    /// Patch.
    pub patch: u16,
}

impl Version {
    /// `major.minor.0`.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor, patch: 0 }
    }

    /// Reads `1.4`, `1.4.2`, `v1.4.2`, `1.4.0-dev3`, and as wheels are named `1.4.0rc1`, `0.7.0.post1`; a pre-release and
    /// a post-release count as their release.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let core = text.trim().trim_start_matches('v');
        let core = core.split(['-', '+']).next()?;
        let mut parts = core.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next()?.parse().ok()?;
        let patch = parts.next().map_or(Some(0), |part| {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            let (number, stage) = part.split_at(digits);
            is_stage(stage).then(|| number.parse().ok()).flatten()
        })?;
        parts.all(|part| !part.is_empty() && is_stage(part)).then_some(Self { major, minor, patch })
    }
}

/// What stands behind the numbers of a wheel's version: nothing, `rc1`, `post1`, `dev20251001`.
fn is_stage(text: &str) -> bool {
    let number = text.trim_start_matches(|c: char| c.is_ascii_lowercase());
    text.is_empty()
        || matches!(&text[..text.len() - number.len()], "a" | "b" | "rc" | "post" | "dev")
            && number.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

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

/// What a service does in serving, as its own process will see it (never as the operator labels it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// HTTP frontend with the router in it.
    Frontend,
    /// Prefill worker of a disaggregated deployment.
    Prefill,
    /// Decode worker of a disaggregated deployment.
    Decode,
    /// Worker that does both.
    Aggregated,
    /// Multimodal encode worker.
    Encode,
    /// Standalone router (`dynamo.router`, `dynamo.global_router`).
    Router,
    /// Planner.
    Planner,
    /// Endpoint picker of the Gateway API inference extension.
    Epp,
    /// Anything else.
    Other,
}

impl Role {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frontend => "frontend",
            Self::Prefill => "prefill",
            Self::Decode => "decode",
            Self::Aggregated => "aggregated",
            Self::Encode => "encode",
            Self::Router => "router",
            Self::Planner => "planner",
            Self::Epp => "epp",
            Self::Other => "other",
        }
    }

    /// Whether it runs an engine.
    #[must_use]
    pub const fn is_worker(self) -> bool {
        matches!(self, Self::Prefill | Self::Decode | Self::Aggregated | Self::Encode)
    }
}

/// The engine of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framework {
    /// `dynamo.vllm`
    Vllm,
    /// `dynamo.sglang`
    Sglang,
    /// `dynamo.trtllm`
    Trtllm,
    /// `dynamo.mocker`
    Mocker,
    /// `dynamo.tokenspeed`
    Tokenspeed,
}

impl Framework {
    /// Lower-case name as in `dynamo.NAME`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::Sglang => "sglang",
            Self::Trtllm => "trtllm",
            Self::Mocker => "mocker",
            Self::Tokenspeed => "tokenspeed",
        }
    }

    /// The name users know: `vLLM`, `SGLang`, `TensorRT-LLM`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::Trtllm => "TensorRT-LLM",
            Self::Mocker => "mocker",
            Self::Tokenspeed => "tokenspeed",
        }
    }
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

/// Who set a value. Later variants win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Baked into the image (never known, named for completeness).
    Image,
    /// `envFrom`.
    EnvFrom,
    /// The operator's default for the component type.
    OperatorDefault,
    /// `spec.envs` / `spec.env`.
    GraphEnv,
    /// v1alpha1 `services.X.envs`.
    ServiceEnv,
    /// The container's `env`.
    ContainerEnv,
    /// Forced by the operator, whatever the user says.
    OperatorForced,
    /// `export` or `unset` in the script.
    ShellExport,
    /// `VAR=value command` in the script.
    ShellPrefix,
}

impl Layer {
    /// Name as printed by `dynlint resolve`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::EnvFrom => "env-from",
            Self::OperatorDefault => "operator-default",
            Self::GraphEnv => "graph-env",
            Self::ServiceEnv => "service-env",
            Self::ContainerEnv => "container-env",
            Self::OperatorForced => "operator-forced",
            Self::ShellExport => "shell-export",
            Self::ShellPrefix => "shell-prefix",
        }
    }
}

/// One place that sets (or unsets) a variable.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Who.
    pub layer: Layer,
    /// The value; `Unset` for `unset VAR`.
    pub value: Fact<Text>,
    /// Where the variable's name stands; none for the operator's own.
    pub name_span: Option<Span>,
    /// Where the value stands (the entry, when it has none of its own); none for the operator's own.
    pub span: Option<Span>,
    /// The whole entry or assignment: what a removal would delete.
    pub entry_span: Option<Span>,
}

/// One variable with everyone who set it.
#[derive(Clone, Debug)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Who set it, winner first. Never empty.
    pub chain: Vec<Setting>,
}

impl EnvVar {
    /// The setting that wins.
    #[must_use]
    pub fn winner(&self) -> &Setting {
        &self.chain[0]
    }

    /// Its effective value when known.
    #[must_use]
    pub fn known(&self) -> Option<&Text> {
        self.winner().value.known()
    }

    /// Whether a manifest says it (not only the operator's default).
    #[must_use]
    pub fn written(&self) -> bool {
        self.winner().span.is_some()
    }
}

/// The effective environment of one process.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// Variables, sorted by name; those that end up unset are kept with an `Unset` winner.
    pub vars: Vec<EnvVar>,
    /// Names that may be among them.
    names: Names,
    /// Why there may be more variables than can be seen (`envFrom` of a Secret or of a ConfigMap that is not here).
    pub open: Option<Reason>,
}

/// Which names may be in a list: most questions are about one that is not, and one bit answers them.
#[derive(Clone, Copy, Debug, Default)]
struct Names([u64; 4]);

impl Names {
    fn place(name: &str) -> (usize, u64) {
        // The upper bits are the well-mixed ones.
        let hash = FxBuildHasher.hash_one(name) >> 56;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    fn add(&mut self, name: &str) {
        let (word, bit) = Self::place(name);
        self.0[word] |= bit;
    }

    fn may_have(self, name: &str) -> bool {
        let (word, bit) = Self::place(name);
        self.0[word] & bit != 0
    }
}

impl Env {
    /// One of these variables, sorted by name.
    pub(super) fn of(vars: Vec<EnvVar>, open: Option<Reason>) -> Self {
        let mut names = Names::default();
        vars.iter().for_each(|var| names.add(&var.name));
        Self { vars, names, open }
    }

    /// Why there may be settings that cannot be seen. A Secret holds tokens, not settings.
    #[must_use]
    pub fn hides(&self) -> Option<&Reason> {
        self.open.as_ref().filter(|reason| !matches!(reason, Reason::Secret(_)))
    }

    /// The place of a variable, or the one where it belongs.
    pub(super) fn place(&self, name: &str) -> Result<usize, usize> {
        self.vars.binary_search_by(|var| var.name.as_str().cmp(name))
    }

    /// Puts a variable at the place where it belongs.
    pub(super) fn insert(&mut self, place: usize, var: EnvVar) {
        self.names.add(&var.name);
        self.vars.insert(place, var);
    }

    /// The variable, when something sets it and nothing unsets it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&EnvVar> {
        if !self.names.may_have(name) {
            return None;
        }
        let at = self.place(name).ok()?;
        let var = &self.vars[at];
        (!var.winner().value.is_unset()).then_some(var)
    }

    /// Its value when known.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<&Text> {
        self.get(name)?.known()
    }

    /// Its value as a fact. An unseen `envFrom` does not count: nearly every recipe has one for its Hugging Face token.
    /// Ask [`Env::open`] where that matters.
    #[must_use]
    pub fn fact(&self, name: &str) -> Fact<&Text> {
        match self.get(name) {
            Some(var) => match &var.winner().value {
                Fact::Known(text) => Fact::Known(text),
                Fact::Dynamic(reason) => Fact::Dynamic(reason.clone()),
                Fact::Unset => Fact::Unset,
            },
            None => Fact::Unset,
        }
    }

    /// Variables in force that a manifest or script sets.
    pub fn written(&self) -> impl Iterator<Item = &EnvVar> {
        self.vars.iter().filter(|v| !v.winner().value.is_unset() && v.written())
    }
}

/// What kind of fabric a resource stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FabricKind {
    /// `rdma/*`, `*hca*`, `*mlnx*`: InfiniBand or RoCE.
    Rdma,
    /// `networking.gke.io.networks/rdma-N`.
    GkeRdma,
    /// `vpc.amazonaws.com/efa`.
    Efa,
}

/// A device that the pod asks for.
#[derive(Clone, Debug)]
pub struct FabricResource {
    /// Resource name, or the DRA claim's.
    pub name: String,
    /// What it stands for.
    pub kind: FabricKind,
    /// How many.
    pub count: Fact<u32>,
    /// Where it is asked for (the key).
    pub span: Span,
}

/// A DRA claim of the pod.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `resourceClaims[].name`.
    pub name: Spanned<String>,
    /// `resourceClaimTemplateName` or `resourceClaimName`.
    pub template: Option<Spanned<String>>,
    /// The ComputeDomain whose channel template it is: its name, when one is among the manifests.
    pub compute_domain: Option<String>,
    /// Whether it is (or by its name very likely is) a ComputeDomain channel.
    pub channel: bool,
    /// Whether a container of the pod really uses it (`resources.claims`).
    pub used: bool,
}

/// A network between nodes, as a user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fabrics {
    /// InfiniBand.
    Infiniband,
    /// RDMA over Ethernet.
    Roce,
    /// AWS EFA.
    Efa,
}

impl Fabrics {
    /// Reads `infiniband`, `roce`, `efa`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "infiniband" => Some(Self::Infiniband),
            "roce" => Some(Self::Roce),
            "efa" => Some(Self::Efa),
            _ => None,
        }
    }
}

/// Evidence of a fast path.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    /// RDMA, RoCE and EFA devices asked for by the containers of the pod, the main one first (limits, then requests).
    pub devices: Vec<FabricResource>,
    /// DRA claims.
    pub claims: Vec<Claim>,
    /// `hostNetwork: true`.
    pub host_network: Option<Span>,
    /// `/dev/infiniband` mounted from the host.
    pub dev_infiniband: Option<Span>,
    /// `privileged: true`.
    pub privileged: Option<Span>,
    /// Capabilities added (`IPC_LOCK`, …).
    pub capabilities: Vec<Spanned<String>>,
    /// A pod annotation that attaches networks (Multus, GKE multi-network).
    pub network_annotation: Option<Span>,
    /// What the user says the nodes have, where no service of the deployment shows anything.
    pub assumed: Option<Fabrics>,
}

impl Fabric {
    /// First device of that kind.
    #[must_use]
    pub fn device(&self, kind: FabricKind) -> Option<&FabricResource> {
        self.devices.iter().find(|d| d.kind == kind)
    }

    /// A claim on a ComputeDomain channel (multi-node NVLink).
    #[must_use]
    pub fn channel(&self) -> Option<&Claim> {
        self.claims.iter().find(|c| c.channel)
    }

    /// Whether anything at all could give the pod an RDMA device, named resource or not.
    #[must_use]
    pub fn may_have_rdma(&self) -> bool {
        !self.devices.is_empty()
            || self.host_network.is_some()
            || self.dev_infiniband.is_some()
            || self.privileged.is_some()
            || self.network_annotation.is_some()
            || self.claims.iter().any(|c| !c.channel)
            || self.assumed.is_some()
    }

    /// Whether the pod is on EFA, asked for or assumed.
    #[must_use]
    pub fn on_efa(&self) -> bool {
        self.device(FabricKind::Efa).is_some() || self.assumed == Some(Fabrics::Efa)
    }

    /// Whether UCX and NCCL find InfiniBand or RoCE, asked for or assumed.
    #[must_use]
    pub fn on_ib(&self) -> bool {
        self.devices.iter().any(|d| matches!(d.kind, FabricKind::Rdma | FabricKind::GkeRdma))
            || matches!(self.assumed, Some(Fabrics::Infiniband | Fabrics::Roce))
    }
}

/// Which library moves KV cache between prefill and decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// NIXL with its UCX plugin.
    NixlUcx,
    /// NIXL with its LIBFABRIC plugin.
    NixlLibfabric,
    /// NIXL with another plugin.
    NixlOther,
    /// Mooncake.
    Mooncake,
    /// TensorRT-LLM's own UCX.
    TrtllmUcx,
    /// TensorRT-LLM over MPI.
    TrtllmMpi,
    /// Something else (LMCache, P2pNccl, …).
    Other,
    /// Nothing: no transfer is configured.
    None,
}

impl Transfer {
    /// Whether `UCX_*` variables steer it.
    #[must_use]
    pub const fn reads_ucx(self) -> bool {
        matches!(self, Self::NixlUcx | Self::TrtllmUcx)
    }
}

/// How a worker hands KV cache over.
#[derive(Clone, Debug, Default)]
pub struct KvTransfer {
    /// The path; `Unset` for services that are no workers, `Dynamic` when it cannot be seen.
    pub path: Fact<Transfer>,
    /// Where that is said; none for a default.
    pub span: Option<Span>,
    /// `--kv-transfer-config` as parsed (vLLM).
    pub config: Option<Json>,
    /// `--kv-transfer-config` as given, parsed or not.
    pub config_text: Option<Word>,
    /// Connector names, outermost first, with the nested ones of PdConnector and MultiConnector behind.
    pub connectors: Vec<Spanned<String>>,
    /// `kv_buffer_device`: `cuda` unless given.
    pub buffer_device: Option<Spanned<String>>,
    /// TRT-LLM `cache_transceiver_config` node.
    pub transceiver: Option<Node>,
}

/// Whether a worker publishes KV events.
#[derive(Clone, Debug, Default)]
pub struct KvEvents {
    /// On, off, or not to be known. `Unset` for services that are no workers. A vLLM worker that says nothing is off,
    /// which holds from Dynamo 1.1 on; with a known version before 1.1 it is on.
    pub published: Fact<bool>,
    /// The flag, key or variable that decides; none when it is the default.
    pub span: Option<Span>,
    /// `--kv-events-config` as parsed (vLLM, SGLang).
    pub config: Option<Json>,
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
