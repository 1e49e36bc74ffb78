//! What several rules of the family need to know about a service.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::catalog::vars::{self, Variable};
use crate::manifest::GraphKind;
use crate::resolve::{Deployment, EnvVar, FabricKind, FabricResource, Framework, Layer, Role, Service, Transfer};
use crate::rules::Findings;
use crate::source::{Fact, Span, Text};
use crate::yaml::Node;

/// Whether `UCX_*` variables can reach a transport in that service's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    /// Its KV cache goes over UCX.
    Yes,
    /// Nothing visible says so, and nothing visible excludes it.
    Maybe,
    /// Nothing in the process reads them.
    No,
}

/// Which end of a KV transfer a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Sends.
    Prefill,
    /// Receives.
    Decode,
}

impl Side {
    /// Lower-case name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Prefill => "prefill",
            Self::Decode => "decode",
        }
    }
}

/// Prefill and decode workers with a real engine, in the deployment or alone (two graphs may share one model).
pub(super) fn kv_workers(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    deployment.services.iter().filter(|s| is_kv_worker(s))
}

/// Whether it hands KV cache over to another worker: by its role, or by a connector that is set up for it.
pub(super) fn is_kv_worker(service: &Service) -> bool {
    let role = matches!(service.role, Role::Prefill | Role::Decode);
    service.framework != Some(Framework::Mocker) && (role || connects(service))
}

/// An aggregated worker with a connector: it opens the transfer library all the same.
fn connects(service: &Service) -> bool {
    let moves = matches!(
        path(service),
        Some(Transfer::NixlUcx | Transfer::NixlLibfabric | Transfer::NixlOther | Transfer::Mooncake)
    );
    service.role == Role::Aggregated && moves
}

/// Whether what a pod asks for is all there: an override in a deployment request is merged with more, and so is what a
/// kustomization adds to out of sight.
pub(super) fn whole(deployment: &Deployment) -> bool {
    deployment.graph.kind != GraphKind::RequestOverride && !deployment.recipe.partial
}

/// The two ends of the KV transfer; both empty unless the deployment has both. A worker that declares no role but has a
/// connector is the end that is otherwise missing.
pub(super) fn sides(deployment: &Deployment) -> (Vec<&Service>, Vec<&Service>) {
    let of = |role: Role| -> Vec<&Service> { kv_workers(deployment).filter(|s| s.role == role).collect() };
    let (mut prefill, mut decode) = (of(Role::Prefill), of(Role::Decode));
    match (prefill.is_empty(), decode.is_empty()) {
        (false, true) => decode = of(Role::Aggregated),
        (true, false) => prefill = of(Role::Aggregated),
        _ => {}
    }
    if prefill.is_empty() || decode.is_empty() || deployment.graph.kind == GraphKind::RequestOverride {
        (Vec::new(), Vec::new())
    } else {
        (prefill, decode)
    }
}

/// Both ends, each worker with its side and the workers of the other.
pub(super) fn paired(deployment: &Deployment) -> Vec<(&Service, Side, Vec<&Service>)> {
    let (prefill, decode) = sides(deployment);
    let mut all: Vec<(&Service, Side, Vec<&Service>)> = Vec::with_capacity(prefill.len() + decode.len());
    for service in &deployment.services {
        if prefill.iter().any(|s| std::ptr::eq(*s, service)) {
            all.push((service, Side::Prefill, decode.clone()));
        } else if decode.iter().any(|s| std::ptr::eq(*s, service)) {
            all.push((service, Side::Decode, prefill.clone()));
        }
    }
    all
}

/// Prefill and decode workers whose KV cache is known to go over UCX.
pub(super) fn ucx_workers(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    kv_workers(deployment).filter(|s| path(s).is_some_and(Transfer::reads_ucx))
}

/// The KV path when known.
pub(super) fn path(service: &Service) -> Option<Transfer> {
    service.kv.path.known().copied()
}

/// Whether `UCX_*` variables matter to that service.
pub(super) fn reads_ucx(service: &Service) -> Reads {
    match service.role {
        Role::Frontend | Role::Router | Role::Planner | Role::Epp => return Reads::No,
        Role::Prefill | Role::Decode | Role::Aggregated | Role::Encode | Role::Other => {}
    }
    if service.framework == Some(Framework::Mocker) {
        return Reads::No;
    }
    match &service.kv.path {
        Fact::Known(Transfer::NixlUcx | Transfer::TrtllmUcx) => Reads::Yes,
        // LMCache and others may bring NIXL along, an MPI may be built on UCX.
        Fact::Known(Transfer::Other | Transfer::TrtllmMpi) | Fact::Dynamic(_) => Reads::Maybe,
        Fact::Known(_) | Fact::Unset if uses_kvbm(service) || service.role == Role::Encode => Reads::Maybe,
        Fact::Unset if service.role == Role::Other => Reads::Maybe,
        Fact::Known(_) | Fact::Unset => Reads::No,
    }
}

/// Whether KV cache blocks are offloaded or pooled by KVBM, which brings its own NIXL agent.
pub(super) fn uses_kvbm(service: &Service) -> bool {
    service.env.written().any(|v| v.name.starts_with("DYN_KVBM_"))
        || service.kv.connectors.iter().any(|c| c.value.contains("Dynamo") || c.value.contains("Kvbm"))
}

/// Where a variable's value stands: its exact characters, else the entry.
pub(super) fn value_span(var: &EnvVar) -> Option<Span> {
    let setting = var.winner();
    match setting.value.known() {
        Some(text) if !text.is_empty() => Some(text.span()),
        _ => setting.span.or(setting.entry_span).or(setting.name_span),
    }
}

/// Where a variable's name stands, else its value.
pub(super) fn name_span(var: &EnvVar) -> Option<Span> {
    let setting = var.winner();
    setting.name_span.or(setting.span).or(setting.entry_span)
}

/// A variable that a manifest sets, with its value when known.
pub(super) fn written<'a>(service: &'a Service, name: &str) -> Option<(&'a EnvVar, &'a Text)> {
    let var = service.env.get(name).filter(|v| v.written())?;
    Some((var, var.known()?))
}

/// Like [`written`], noting where a manifest sets the variable to something that cannot be known.
pub(super) fn asked<'a>(service: &'a Service, name: &str, out: &mut Findings) -> Option<(&'a EnvVar, &'a Text)> {
    let var = service.env.get(name).filter(|v| v.written())?;
    if let Fact::Dynamic(reason) = &var.winner().value {
        out.undecided(service, value_span(var).unwrap_or(service.span), reason.clone());
    }
    Some((var, var.known()?))
}

/// Whether that is a spelling of true that anyone may have meant as such.
pub(super) fn truthy(value: &str) -> bool {
    ["1", "y", "yes", "on", "true", "t", "enable", "enabled"].iter().any(|t| value.trim().eq_ignore_ascii_case(t))
}

/// Whether that is a spelling of false.
pub(super) fn falsy(value: &str) -> bool {
    ["", "0", "n", "no", "off", "false", "f", "disable", "disabled"]
        .iter()
        .any(|t| value.trim().eq_ignore_ascii_case(t))
}

/// Number of NVIDIA GPUs of a pod when known; none when the pod asks for another vendor's.
pub(super) fn nvidia_gpus(service: &Service) -> Option<u32> {
    let main = &service.component.main;
    let other =
        |name: &str| name.starts_with("gpu.intel.com") || name.starts_with("amd.com") || name.contains("habana");
    if main.limits.iter().chain(&main.requests).any(|(name, ..)| other(name)) {
        return None;
    }
    service.gpus.known().copied().filter(|&n| n > 0)
}

/// Whether KV cache stays in GPU memory (the default) while it is transferred.
pub(super) fn buffers_on_gpu(service: &Service) -> bool {
    service.kv.buffer_device.as_ref().is_none_or(|d| d.value == "cuda")
}

/// Whether anything but a ComputeDomain channel could reach the other worker fast.
pub(super) fn has_fabric(service: &Service) -> bool {
    service.fabric.may_have_rdma() || service.fabric.channel().is_some()
}

/// First RDMA, RoCE or EFA device.
pub(super) fn device(service: &Service) -> Option<&FabricResource> {
    service.fabric.devices.first()
}

/// First device that UCX's InfiniBand transports can use.
pub(super) fn ib_device(service: &Service) -> Option<&FabricResource> {
    service.fabric.devices.iter().find(|d| matches!(d.kind, FabricKind::Rdma | FabricKind::GkeRdma))
}

/// `1 GPU`, `4 GPUs`.
pub(super) fn count(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Whether a string occurs in any scalar below a node.
pub(super) fn mentions(node: &Node, what: &str) -> bool {
    node.as_scalar().is_some_and(|s| s.value.contains(what))
        || node.items().any(|n| mentions(n, what))
        || node.entries().any(|e| mentions(&e.value, what))
}

/// Whether any word of the command line, of the container's command or of its args holds a string.
pub(super) fn command_mentions(service: &Service, what: &str) -> bool {
    let main = &service.component.main;
    service.process.as_ref().is_some_and(|p| p.argv.iter().any(|w| w.text.contains(what)))
        || main.command.items.iter().chain(&main.args.items).any(|n| mentions(n, what))
}

/// Whether a service's own manifest lines set the variable, not the graph-wide list that every service inherits.
pub(super) fn own(var: &EnvVar) -> bool {
    !matches!(var.winner().layer, Layer::GraphEnv | Layer::OperatorDefault | Layer::OperatorForced)
}

/// A variable that a manifest sets for a service: by indices, where its name stands, and what the catalog knows of it.
struct Written {
    service: usize,
    var: usize,
    span: Span,
    known: Option<Variable>,
}

/// All of them, those of workers first.
struct AllWritten(Vec<Written>);

fn all_written(deployment: &Deployment) -> Arc<AllWritten> {
    deployment.memo.once(|| {
        let services = || deployment.services.iter().enumerate();
        let workers = services().filter(|(_, s)| s.role.is_worker());
        let mut all = Vec::new();
        for (service, s) in workers.chain(services().filter(|(_, s)| !s.role.is_worker())) {
            let in_force = |var: &EnvVar| !var.winner().value.is_unset() && var.written();
            for (var, v) in s.env.vars.iter().enumerate().filter(|(_, v)| in_force(v)) {
                if let Some(span) = name_span(v) {
                    all.push(Written { service, var, span, known: vars::lookup(&v.name) });
                }
            }
        }
        AllWritten(all)
    })
}

/// Calls `f` for every variable that a manifest sets for a service that `keep` accepts and that `wanted` accepts by its
/// name and what the catalog knows of it, once a place: a variable that several services inherit belongs to the first
/// worker among them.
pub(super) fn each_variable<'a>(
    deployment: &'a Deployment,
    keep: impl Fn(&Service) -> bool,
    wanted: impl Fn(&str, Option<Variable>) -> bool,
    mut f: impl FnMut(&'a Service, &'a EnvVar),
) {
    let mut seen: FxHashSet<(Span, &str)> = FxHashSet::default();
    for written in &all_written(deployment).0 {
        let service = &deployment.services[written.service];
        let var = &service.env.vars[written.var];
        if wanted(&var.name, written.known) && keep(service) && seen.insert((written.span, var.name.as_str())) {
            f(service, var);
        }
    }
}

/// Whether it runs an engine.
pub(super) fn worker(service: &Service) -> bool {
    service.role.is_worker()
}

/// A number or boolean to be written in place of a value: `env` takes strings only, so that it needs quotes unless the
/// value stands between some already.
pub(super) fn number(value: &Text, at: Span, right: &str) -> String {
    if value.whole().len() > at.len() { right.to_owned() } else { format!("\"{right}\"") }
}
