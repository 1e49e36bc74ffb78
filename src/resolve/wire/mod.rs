//! The frozen shape of `dynlint resolve --format json`. Keys may be added, never renamed or removed.

mod mask;
mod pods;

use serde::Serialize;

use super::{Deployment, Env, EnvVar, FabricKind, Service, Setting, Transfer};
use crate::command::Word;
use crate::source::{Fact, Sources, Span, Text};
use mask::{MASK, masked};

pub use mask::is_credential;
pub use pods::{Change, Operator, ResolvedPod};

/// What `dynlint resolve` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Resolve {
    /// Version of this shape.
    pub version: u32,
    /// Deployments, in the order of the files.
    pub deployments: Vec<ResolvedDeployment>,
}

impl Resolve {
    /// Joins deployments.
    #[must_use]
    pub const fn new(deployments: Vec<ResolvedDeployment>) -> Self {
        Self { version: 1, deployments }
    }
}

/// A deployment.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedDeployment {
    /// `metadata.name`.
    pub name: String,
    /// File it stands in.
    pub path: String,
    /// `apiVersion`.
    pub api_version: &'static str,
    /// Its services.
    pub services: Vec<ResolvedService>,
}

/// A service.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedService {
    /// Name.
    pub name: String,
    /// Where the name stands.
    #[serde(flatten)]
    pub place: Place,
    /// What it does.
    pub role: &'static str,
    /// Whether that is certain.
    pub role_known: bool,
    /// Engine.
    pub framework: Option<&'static str>,
    /// Dynamo module that runs.
    pub module: Option<String>,
    /// Image reference; null when unknown.
    pub image: Option<String>,
    /// Dynamo version; null when unknown.
    pub version: Option<String>,
    /// Replicas; null when unknown.
    pub replicas: Option<u32>,
    /// Nodes one engine spans.
    pub nodes: u32,
    /// GPUs of one pod; null when unknown.
    pub gpus: Option<u32>,
    /// Variables in force, sorted by name.
    pub env: Vec<ResolvedVar>,
    /// Variables that the script removes.
    pub unset: Vec<ResolvedVar>,
    /// Why there may be more variables than listed.
    pub env_open: Option<String>,
    /// `command` with the operator's default merged in.
    pub command: Vec<String>,
    /// `args` with the operator's default merged in.
    pub args: Vec<String>,
    /// Words of the Dynamo process; empty when none can be seen.
    pub argv: Vec<String>,
    /// What it asks the scheduler for.
    pub resources: Resources,
    /// What was concluded, and from where.
    pub evidence: Evidence,
    /// What the operator makes of it.
    pub operator: Operator,
}

/// A place; lines and columns start at 1, columns count Unicode scalar values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Relative to the working directory, `/`-separated.
    pub path: String,
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

/// A variable.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedVar {
    /// Name.
    pub name: String,
    /// Value; null when not known. `***` for credentials.
    pub value: Option<String>,
    /// `known`, `dynamic`, or `unset` in the list of those.
    pub state: &'static str,
    /// Why it is not known.
    pub reason: Option<String>,
    /// Who set it, winner first.
    pub chain: Vec<Link>,
}

/// One place that sets a variable.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// Who.
    pub layer: &'static str,
    /// File; null for the operator's own.
    pub path: Option<String>,
    /// Line.
    pub line: Option<u32>,
    /// Column.
    pub column: Option<u32>,
    /// Value; null when not known or removed.
    pub value: Option<String>,
    /// `known`, `dynamic`, `unset`.
    pub state: &'static str,
}

/// Resources of the main container and claims of the pod.
#[derive(Clone, Debug, Serialize)]
pub struct Resources {
    /// `resources.limits`.
    pub limits: serde_json::Map<String, serde_json::Value>,
    /// `resources.requests`.
    pub requests: serde_json::Map<String, serde_json::Value>,
    /// DRA claims that a container uses.
    pub claims: Vec<String>,
}

/// What was concluded, and from where.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// Where the role is said.
    pub role: Option<Place>,
    /// Where the version is said.
    pub version: Option<Place>,
    /// How KV cache is handed over.
    pub kv_transfer: Conclusion,
    /// Whether KV events are published.
    pub kv_events: Conclusion,
    /// Engine configs: flag, path in the container, whether it could be read.
    pub configs: Vec<ConfigFile>,
    /// Devices and claims that can carry KV cache.
    pub fabric: Vec<FabricItem>,
    /// Container whose process decides.
    pub container: String,
}

/// A conclusion.
#[derive(Clone, Debug, Serialize)]
pub struct Conclusion {
    /// What; null when it does not apply or cannot be known.
    pub value: Option<String>,
    /// Why it cannot be known.
    pub reason: Option<String>,
    /// Where it is said; null for a default.
    pub place: Option<Place>,
}

/// An engine config file.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigFile {
    /// Flag that names it.
    pub flag: String,
    /// Path in the container.
    pub path: String,
    /// Whether its content is among the manifests.
    pub readable: bool,
}

/// Something that can carry KV cache.
#[derive(Clone, Debug, Serialize)]
pub struct FabricItem {
    /// `rdma`, `gke-rdma`, `efa`, `compute-domain`, `claim`, `host-network`, `dev-infiniband`, `privileged`,
    /// `capability`, `network-annotation`.
    pub kind: &'static str,
    /// Resource, claim or capability name.
    pub name: Option<String>,
    /// How many.
    pub count: Option<u32>,
    /// Where.
    pub place: Place,
}

/// Describes a deployment. Credentials are masked.
#[must_use]
pub fn deployment(deployment: &Deployment, sources: &Sources) -> ResolvedDeployment {
    let object = &deployment.graph.object;
    let mut places = Places { sources, last: None };
    ResolvedDeployment {
        name: deployment.name.clone(),
        path: places.of(object.name_span).path,
        api_version: deployment.graph.api_version.as_str(),
        services: deployment.services.iter().map(|s| service(deployment, s, &mut places)).collect(),
    }
}

fn service(deployment: &Deployment, service: &Service, places: &mut Places<'_>) -> ResolvedService {
    let main = &service.component.main;
    let quantities = |list: &[(String, Span, crate::yaml::Node)]| {
        list.iter().map(|(name, _, node)| (name.clone(), node.as_text().unwrap_or_default().into())).collect()
    };
    let (env, unset) = variables(&service.env, places);
    ResolvedService {
        name: service.name.clone(),
        place: places.of(service.span),
        role: service.role.as_str(),
        role_known: service.role_known,
        framework: service.framework.map(super::Framework::as_str),
        module: service.module().map(str::to_owned),
        image: service.image.known().map(|t| t.as_str().to_owned()),
        version: service.version().map(|v| v.to_string()),
        replicas: service.replicas.known().copied(),
        nodes: service.nodes,
        gpus: service.gpus.known().copied(),
        env,
        unset,
        env_open: service.env.open.as_ref().map(ToString::to_string),
        command: words(&service.launch.command),
        args: words(&service.launch.args),
        argv: service.process.as_ref().map(|p| words(&p.argv)).unwrap_or_default(),
        resources: Resources {
            limits: quantities(&main.limits),
            requests: quantities(&main.requests),
            claims: service.fabric.claims.iter().filter(|c| c.used).map(|c| c.name.value.clone()).collect(),
        },
        evidence: Evidence {
            role: service.role_span.map(|s| places.of(s)),
            version: service.version.as_ref().map(|v| places.of(v.span)),
            kv_transfer: conclusion(&service.kv.path, service.kv.span, places, |t| transfer(*t).to_owned()),
            kv_events: conclusion(&service.events.published, service.events.span, places, |on| {
                if *on { "on".to_owned() } else { "off".to_owned() }
            }),
            configs: service
                .configs
                .iter()
                .map(|c| ConfigFile { flag: c.flag.clone(), path: c.path.clone(), readable: !c.content.is_dynamic() })
                .collect(),
            fabric: fabric(service, places),
            container: service.engine_container.clone(),
        },
        operator: pods::operator(deployment, service),
    }
}

fn conclusion<T>(
    fact: &Fact<T>,
    span: Option<Span>,
    places: &mut Places<'_>,
    name: impl Fn(&T) -> String,
) -> Conclusion {
    let reason = match fact {
        Fact::Dynamic(reason) => Some(reason.to_string()),
        _ => None,
    };
    Conclusion { value: fact.known().map(name), reason, place: span.map(|s| places.of(s)) }
}

const fn transfer(path: Transfer) -> &'static str {
    match path {
        Transfer::NixlUcx => "nixl-ucx",
        Transfer::NixlLibfabric => "nixl-libfabric",
        Transfer::NixlOther => "nixl-other",
        Transfer::Mooncake => "mooncake",
        Transfer::TrtllmUcx => "trtllm-ucx",
        Transfer::TrtllmMpi => "trtllm-mpi",
        Transfer::Other => "other",
        Transfer::None => "none",
    }
}

fn fabric(service: &Service, places: &mut Places<'_>) -> Vec<FabricItem> {
    let fabric = &service.fabric;
    let mut out = Vec::new();
    for device in &fabric.devices {
        let kind = match device.kind {
            FabricKind::Rdma => "rdma",
            FabricKind::GkeRdma => "gke-rdma",
            FabricKind::Efa => "efa",
        };
        out.push((kind, Some(device.name.clone()), device.count.known().copied(), device.span));
    }
    for claim in fabric.claims.iter().filter(|c| c.used) {
        let kind = if claim.channel { "compute-domain" } else { "claim" };
        out.push((kind, Some(claim.name.value.clone()), None, claim.name.span));
    }
    for (kind, span) in [
        ("host-network", fabric.host_network),
        ("dev-infiniband", fabric.dev_infiniband),
        ("privileged", fabric.privileged),
        ("network-annotation", fabric.network_annotation),
    ] {
        out.extend(span.map(|span| (kind, None, None, span)));
    }
    out.extend(fabric.capabilities.iter().map(|c| ("capability", Some(c.value.clone()), None, c.span)));
    out.into_iter().map(|(kind, name, count, span)| FabricItem { kind, name, count, place: places.of(span) }).collect()
}

/// Variables in force, and those that a script removes.
fn variables(env: &Env, places: &mut Places<'_>) -> (Vec<ResolvedVar>, Vec<ResolvedVar>) {
    env.vars.iter().map(|var| variable(var, places)).partition(|var| var.state != "unset")
}

fn variable(var: &EnvVar, places: &mut Places<'_>) -> ResolvedVar {
    let winner = var.winner();
    ResolvedVar {
        name: var.name.clone(),
        value: shown(&var.name, winner.value.known()),
        state: state(&winner.value),
        reason: match &winner.value {
            Fact::Dynamic(reason) => Some(reason.to_string()),
            _ => None,
        },
        chain: var.chain.iter().map(|setting| link(&var.name, setting, places)).collect(),
    }
}

fn link(name: &str, setting: &Setting, places: &mut Places<'_>) -> Link {
    let place = setting.span.map(|span| places.of(span));
    Link {
        layer: setting.layer.as_str(),
        line: place.as_ref().map(|p| p.line),
        column: place.as_ref().map(|p| p.column),
        path: place.map(|p| p.path),
        value: shown(name, setting.value.known()),
        state: state(&setting.value),
    }
}

const fn state<T>(fact: &Fact<T>) -> &'static str {
    match fact {
        Fact::Known(_) => "known",
        Fact::Dynamic(_) => "dynamic",
        Fact::Unset => "unset",
    }
}

/// One setting in words: who, and to what; credentials masked.
#[must_use]
pub fn shown_setting(name: &str, setting: &Setting) -> String {
    match (&setting.value, shown(name, setting.value.known())) {
        (_, Some(value)) => format!("{} sets `{name}` to `{value}`", setting.layer.as_str()),
        (Fact::Unset, None) => format!("{} removes `{name}`", setting.layer.as_str()),
        (_, None) => format!("{} sets `{name}` to what cannot be known here", setting.layer.as_str()),
    }
}

fn shown(name: &str, value: Option<&Text>) -> Option<String> {
    let value = value?.as_str();
    let secret = is_credential(name) && !value.is_empty();
    Some(if secret { MASK.to_owned() } else { masked(value) })
}

/// Words with credentials masked: behind a flag that names one, behind `NAME=`, or by their own look.
fn words(words: &[Word]) -> Vec<String> {
    let mut hide = false;
    words
        .iter()
        .map(|word| {
            let text = word.text.as_str();
            let hidden =
                std::mem::replace(&mut hide, text.starts_with("--") && !text.contains('=') && is_credential(text));
            if hidden && !text.starts_with('-') { MASK.to_owned() } else { masked(text) }
        })
        .collect()
}

/// Looks files up, the last one kept.
struct Places<'a> {
    sources: &'a Sources,
    last: Option<std::sync::Arc<crate::source::SourceFile>>,
}

impl Places<'_> {
    fn of(&mut self, span: Span) -> Place {
        let file = match self.last.take() {
            Some(file) if file.id == span.file => file,
            _ => self.sources.get(span.file),
        };
        let at = file.line_column(span.start);
        let place = Place { path: file.name.clone(), line: at.line, column: at.column };
        self.last = Some(file);
        place
    }
}
