//! What the pod must ask for besides the device itself.

use super::common::{Side, command_mentions, device, paired, whole};
use crate::command::json;
use crate::finding::Severity;
use crate::manifest::ApiVersion;
use crate::resolve::{Deployment, FabricKind, FabricResource, Framework, Role, Service, Transfer};
use crate::rules::Findings;
use crate::source::{Fact, Span};
use crate::yaml::Node;

/// The pod has an RDMA device but may not pin memory.
pub fn rdma_without_memlock(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some(found) = device(service) else { continue };
        if !whole(deployment)
            || may_pin(service).is_some()
            || command_mentions(service, "ulimit -l")
            || peer_may_pin(deployment, service)
        {
            continue;
        }
        out.report(
            found.span,
            format!("`{}` asks for `{}` but not for the `IPC_LOCK` capability", service.name, found.name),
            "registering memory fails unless the node's memlock limit is unlimited",
        )
        .service(service)
        .subject(found.name.clone())
        .help("add `securityContext.capabilities.add: [IPC_LOCK]` to the container")
        .emit();
    }
}

/// Only one of the two roles may pin memory, though both have a device.
pub fn security_asymmetric(deployment: &Deployment, out: &mut Findings) {
    for (service, side, others) in paired(deployment) {
        let Some(found) = device(service) else { continue };
        if may_pin(service).is_some() || command_mentions(service, "ulimit -l") {
            continue;
        }
        let Some((peer, at, what)) = pinning(&others) else { continue };
        out.report(
            service.span,
            format!(
                "`{}` may lock memory (`{what}`), but the {} worker `{}` may not",
                peer.name,
                side.as_str(),
                service.name
            ),
            format!("has `{}` without `IPC_LOCK`: registering KV cache may fail on this side only", found.name),
        )
        .service(service)
        .subject("securityContext")
        .label(at, format!("the {} side has it", if side == Side::Prefill { "decode" } else { "prefill" }))
        .label(found.span, "the device that needs it")
        .help("give both roles the same `securityContext`")
        .emit();
    }
}

/// An RDMA device for an engine on one node that exchanges nothing with others.
pub fn rdma_in_single_node_agg(deployment: &Deployment, out: &mut Findings) {
    // Weights and cached blocks may come over the fabric from elsewhere.
    const MOVERS: [&str; 9] =
        ["DYN_KVBM_", "MODEL_EXPRESS_", "MX_", "LMCACHE_", "MOONCAKE_", "NIXL_", "UCX_", "FI_", "NVSHMEM_"];
    let alone = |s: &Service| s.role == Role::Aggregated && s.role_known && s.nodes == 1;
    if !whole(deployment) || !deployment.workers().all(alone) {
        return;
    }
    for service in deployment.workers().filter(|s| s.framework != Some(Framework::Mocker)) {
        let Some(found) = device(service) else { continue };
        let open = service.env.hides().is_some() || service.args().is_none_or(|args| args.open.is_some());
        let moves = service.env.written().any(|v| MOVERS.iter().any(|p| v.name.starts_with(p)));
        let asks = [
            "--kv-transfer-config",
            "--load-format",
            "--connector",
            "--enable-hierarchical-cache",
            "--hicache-storage-backend",
            "--data-parallel-address",
            "--dist-init-addr",
            "--custom-script",
        ];
        let configured = service.config_at(&["kv_connector_config"]).is_some()
            || service.config_at(&["cache_transceiver_config"]).is_some();
        if open
            || moves
            || configured
            || !matches!(service.kv.path, Fact::Unset | Fact::Known(Transfer::None))
            || asks.iter().any(|f| service.flag(&[f]).is_some())
        {
            continue;
        }
        out.report(
            found.span,
            format!("`{}` asks for `{}`, which nothing in it uses", service.name, found.name),
            "aggregated, on one node: it exchanges neither KV cache nor activations with other pods",
        )
        .service(service)
        .subject(found.name.clone())
        .help("leave it out: the pod then fits on nodes without a free adapter")
        .emit();
    }
}

/// An extended resource whose request and limit differ.
pub fn rdma_resource_limits_only(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let main = &service.component.main;
        for (name, at, wanted) in &main.requests {
            if !is_device_name(name) {
                continue;
            }
            let limit = main.limits.iter().find(|(n, ..)| n == name);
            let same = limit.is_some_and(|(.., l)| l.as_text().map(str::trim) == wanted.as_text().map(str::trim));
            if same || wanted.as_text().is_none_or(|t| t.contains('$')) {
                continue;
            }
            let (message, label) = match limit {
                Some(_) => {
                    (format!("`{name}` is requested and limited to different amounts"), "differs from the limit")
                }
                None => (format!("`{name}` is requested without a limit"), "no limit of that name"),
            };
            let content = |node: &Node| deployment.recipe.text(node).map_or(node.span, |text| text.span());
            let mut report = out.report(content(wanted), message, label).service(service).subject(name.clone()).help(
                "an extended resource cannot be overcommitted: write the same amount under `limits` \
                    (a request may then be left out)",
            );
            match limit {
                Some((.., l)) => report = report.label(content(l), "the limit"),
                None => report = report.label(*at, "the API server rejects the pod"),
            }
            report.emit();
        }
    }
}

/// GKE network resources without the annotation that attaches the interfaces, or other ones than the other role's.
pub fn gke_rdma_incomplete(deployment: &Deployment, out: &mut Findings) {
    const INTERFACES: &str = "networking.gke.io/interfaces";
    for service in deployment.workers() {
        let Some(first) = service.fabric.device(FabricKind::GkeRdma) else { continue };
        if let Some((_, _, list)) = service.component.annotations.iter().find(|(key, ..)| key == INTERFACES) {
            interfaces(deployment, service, list, out);
            continue;
        }
        if !whole(deployment) {
            continue;
        }
        let place = match deployment.graph.api_version {
            ApiVersion::V1Alpha1 => "extraPodMetadata.annotations",
            ApiVersion::V1Beta1 => "podTemplate.metadata.annotations",
        };
        out.report(
            first.span,
            format!(
                "`{}` asks for `{}` but no `{INTERFACES}` annotation attaches the interfaces",
                service.name, first.name
            ),
            "the device is allocated, but the pod gets no interface on that network",
        )
        .service(service)
        .subject(INTERFACES)
        .help(format!("add `{INTERFACES}` and `networking.gke.io/default-interface` under `{place}`"))
        .emit();
    }
}

/// The interfaces that an annotation attaches: a list in JSON, one of each network that the container asks for.
fn interfaces(deployment: &Deployment, service: &Service, list: &Node, out: &mut Findings) {
    let Some(text) = deployment.recipe.text(list).filter(|text| !text.as_str().contains(['$', '<'])) else { return };
    let parsed = json::parse(&text);
    let (at, message, label) = match parsed.as_ref().map(|parsed| parsed.as_array()) {
        Err(error) => (error.span, "the list of interfaces is no JSON".to_owned(), "no interface is attached"),
        Ok(None) => return,
        Ok(Some(entries)) => {
            let attached = |network: &str| {
                entries.iter().any(|e| e.get("network").and_then(json::Json::as_str).is_none_or(|n| n == network))
            };
            let network = |d: &FabricResource| {
                let name = d.name.strip_prefix("networking.gke.io.networks/")?;
                Some(name.strip_suffix(".IP").unwrap_or(name).to_owned())
            };
            let asked = service.fabric.devices.iter().filter(|d| d.kind == FabricKind::GkeRdma);
            let Some(lost) = asked.filter_map(network).find(|network| !attached(network)) else { return };
            (
                list.span,
                format!("no interface is attached to the network `{lost}`"),
                "its device is allocated for nothing",
            )
        }
    };
    out.report(at, message, label)
        .service(service)
        .subject("networking.gke.io/interfaces")
        .severity(if parsed.is_err() { Severity::Warning } else { Severity::Advice })
        .help("list one interface for each `networking.gke.io.networks/…` of the container")
        .emit();
}

/// What lets the container lock memory: where, and what it is called.
fn may_pin(service: &Service) -> Option<(Span, &'static str)> {
    let lock = service
        .fabric
        .capabilities
        .iter()
        .find(|c| matches!(c.value.as_str(), "IPC_LOCK" | "CAP_IPC_LOCK" | "ALL" | "SYS_RESOURCE"))
        .map(|c| (c.span, "IPC_LOCK"));
    lock.or_else(|| service.fabric.privileged.map(|span| (span, "privileged: true")))
}

/// The first of these workers with a device that may lock memory.
fn pinning<'a>(workers: &[&'a Service]) -> Option<(&'a Service, Span, &'static str)> {
    workers.iter().filter(|s| device(s).is_some()).find_map(|s| may_pin(s).map(|(at, what)| (*s, at, what)))
}

/// Whether the other end of the transfer may lock memory: then the difference is what is wrong.
fn peer_may_pin(deployment: &Deployment, service: &Service) -> bool {
    paired(deployment).iter().any(|(s, _, others)| std::ptr::eq(*s, service) && pinning(others).is_some())
}

/// Names of device plugins for fabrics: they are extended resources, which Kubernetes does not overcommit.
fn is_device_name(name: &str) -> bool {
    name.starts_with("rdma/") || name.starts_with("networking.gke.io.networks/") || name == "vpc.amazonaws.com/efa"
}
