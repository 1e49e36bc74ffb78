//! What the workers of a deployment are given for moving KV cache.

use super::configuration::check;
use crate::catalog::vars;
use crate::finding::{Finding, Severity};
use crate::lint::Report;
use crate::probe::{Check, Status};
use crate::report::wire::Place;
use crate::resolve::{Deployment, FabricKind, Role, Service, Transfer};
use crate::source::Fact;

/// Whether KV cache crosses between workers, or one engine spans nodes.
pub(super) fn transfers(deployment: &Deployment) -> bool {
    deployment.workers().any(|s| matches!(s.role, Role::Prefill | Role::Decode) || s.nodes > 1)
}

/// Checks of the workers between which something is transferred; one that says so when there are none.
pub(super) fn checks(deployment: &Deployment, report: &Report) -> Vec<Check> {
    let paired = |s: &&Service| matches!(s.role, Role::Prefill | Role::Decode) || s.nodes > 1;
    let mut out = Vec::new();
    for service in deployment.workers().filter(paired) {
        let target = format!("{}/{}", deployment.name, service.name);
        let mut add = |check: Check| out.push(check.on(target.clone()));
        if matches!(service.role, Role::Prefill | Role::Decode) {
            add(path(service));
        }
        add(fabric(service));
        variables(deployment, service, report).into_iter().for_each(&mut add);
        add(unpinned(service));
    }
    if out.is_empty() {
        let detail = "aggregated on one node: no KV cache crosses between workers";
        out.push(check("kv-transfer", Status::Ok, detail).on(deployment.name.clone()));
    }
    out
}

/// Which library hands KV cache over.
fn path(service: &Service) -> Check {
    let name = "kv-transfer";
    match &service.kv.path {
        Fact::Known(Transfer::None) if service.framework == Some(crate::resolve::Framework::Mocker) => {
            check(name, Status::Ok, "mocker: nothing real is transferred")
        }
        // A rule says it when it is a mistake.
        Fact::Known(Transfer::None) => check(name, Status::Skipped, "no KV transfer configured"),
        Fact::Known(transfer) => check(name, Status::Ok, title(*transfer)),
        Fact::Dynamic(reason) => check(name, Status::Skipped, format!("KV transfer not known: {reason}")),
        Fact::Unset => check(name, Status::Skipped, "KV transfer not known"),
    }
}

const fn title(transfer: Transfer) -> &'static str {
    match transfer {
        Transfer::NixlUcx => "NIXL over UCX",
        Transfer::NixlLibfabric => "NIXL over libfabric",
        Transfer::NixlOther => "NIXL with another plugin",
        Transfer::Mooncake => "Mooncake",
        Transfer::TrtllmUcx => "TensorRT-LLM over UCX",
        Transfer::TrtllmMpi => "TensorRT-LLM over MPI",
        Transfer::Other => "a connector that dynlint does not know",
        Transfer::None => "none",
    }
}

/// What the pod asks for that could carry it.
fn fabric(service: &Service) -> Check {
    let name = "fabric";
    let mut parts: Vec<String> = Vec::new();
    for device in &service.fabric.devices {
        let kind = match device.kind {
            FabricKind::Rdma => "RDMA",
            FabricKind::GkeRdma => "RDMA (GKE)",
            FabricKind::Efa => "EFA",
        };
        let count = device.count.known().map_or_else(String::new, |n| format!(" x {n}"));
        parts.push(format!("{kind} `{}`{count}", device.name));
    }
    if let Some(claim) = service.fabric.channel() {
        parts.push(format!("ComputeDomain channel `{}`", claim.name.value));
    }
    if !parts.is_empty() {
        return check(name, Status::Ok, parts.join(", "));
    }
    if service.framework == Some(crate::resolve::Framework::Mocker) {
        return check(name, Status::Ok, "mocker: needs none");
    }
    let detail = if service.fabric.may_have_rdma() {
        "asks for no RDMA resource by name; the pod may see the host's devices"
    } else {
        "asks for no RDMA resource"
    };
    check(name, Status::Skipped, detail)
}

/// Whether a variable steers a transport of this service's kind of transfer.
fn is_transport(name: &str) -> bool {
    const FAMILIES: [&str; 8] = ["UCX_", "NIXL_", "NCCL_", "FI_", "MC_", "GLOO_", "VLLM_NIXL_", "TRTLLM_UCX_"];
    FAMILIES.iter().any(|family| name.starts_with(family)) || vars::lookup(name).is_some_and(|v| v.owner == "mooncake")
}

/// The worst error or warning about a variable of a service.
fn finding<'a>(report: &'a Report, deployment: &str, service: &str, variable: &str) -> Option<&'a Finding> {
    let about = |f: &&Finding| {
        f.subject.as_deref() == Some(variable)
            && f.severity > Severity::Advice
            && f.deployment.as_deref().is_none_or(|name| name == deployment)
            && f.service.as_deref().is_none_or(|name| name == service)
    };
    report.findings.iter().map(|r| &r.finding).filter(about).max_by_key(|f| f.severity)
}

/// One check for each transport variable in force, with who set it. A finding about it decides how it ends.
fn variables(deployment: &Deployment, service: &Service, report: &Report) -> Vec<Check> {
    let shown = service.env.written().filter(|var| is_transport(&var.name));
    shown
        .map(|var| {
            let winner = var.winner();
            let place = winner.span.map(|span| Place::of(span, &deployment.recipe.sources));
            let place = place.map_or_else(String::new, |p| format!("{}:{}:{} ", p.path, p.line, p.column));
            let from = format!("{place}{}", winner.layer.as_str());
            let name = format!("env:{}", var.name);
            let mut said = match &winner.value {
                Fact::Known(_) if crate::resolve::wire::is_credential(&var.name) => check(&name, Status::Ok, "***"),
                Fact::Known(text) => check(&name, Status::Ok, text.as_str()),
                Fact::Dynamic(reason) => check(&name, Status::Skipped, format!("set, value not known: {reason}")),
                Fact::Unset => check(&name, Status::Ok, "unset"),
            };
            if let Some(finding) = finding(report, &deployment.name, &service.name, &var.name) {
                said.status = if finding.severity == Severity::Error { Status::Fail } else { Status::Warn };
                said.detail = format!("{}: see `{}`", said.detail, finding.rule);
            }
            said.seen([from])
        })
        .collect()
}

/// Which of the variables that people look for are not set, and what that means: usually nothing.
fn unpinned(service: &Service) -> Check {
    const LOOKED_FOR: [&str; 6] = [
        "UCX_TLS",
        "UCX_NET_DEVICES",
        "UCX_IB_GPU_DIRECT_RDMA",
        "NCCL_IB_HCA",
        "NCCL_SOCKET_IFNAME",
        "NCCL_IB_DISABLE",
    ];
    let name = "env:disagg-transport";
    let missing: Vec<&str> = LOOKED_FOR.into_iter().filter(|n| service.env.get(n).is_none()).collect();
    if missing.is_empty() {
        return check(name, Status::Ok, "pinned by the manifest");
    }
    if let Some(reason @ crate::source::Reason::MissingConfigMap(_)) = &service.env.open {
        return check(name, Status::Skipped, format!("{} not seen: more variables {reason}", missing.join(", ")));
    }
    let detail = format!(
        "not set by the manifest: {}; right almost everywhere, the libraries take the fastest they find",
        missing.join(", ")
    );
    check(name, Status::Ok, detail)
}
