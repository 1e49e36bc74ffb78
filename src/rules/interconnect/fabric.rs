//! Whether prefill and decode, and the nodes of one engine, have a fast path to each other at all.

use super::common::{
    Side, buffers_on_gpu, device, has_fabric, mentions, nvidia_gpus, paired, path, sides, value_span, whole,
};
use crate::command::Flag;
use crate::finding::Severity;
use crate::resolve::{Deployment, FabricKind, Framework, Service, Transfer};
use crate::rules::Findings;
use crate::source::Fact;

/// Only one of the two roles asks for an RDMA or EFA device.
pub fn rdma_asymmetric_roles(deployment: &Deployment, out: &mut Findings) {
    let (prefill, decode) = sides(deployment);
    // Lists that have nothing in common have a rule of their own.
    if !super::ucx_roles::disjoint(deployment).is_empty() {
        return;
    }
    for (have, side, lack) in [(&prefill, Side::Prefill, &decode), (&decode, Side::Decode, &prefill)] {
        if have.is_empty() || lack.is_empty() || !have.iter().all(|s| device(s).is_some()) {
            continue;
        }
        // Both in one ComputeDomain: the transfer may be meant to go over NVLink.
        if have.iter().chain(lack.iter()).all(|s| s.fabric.channel().is_some()) {
            continue;
        }
        let (giver, asked) = match have.iter().find_map(|s| device(s).map(|d| (s, d))) {
            Some(found) => found,
            None => continue,
        };
        for service in lack.iter().filter(|s| moves_kv(s) && !s.fabric.may_have_rdma()) {
            // An explicit list without a TCP fall-back has a rule of its own.
            if super::tls::rdma_only(service) {
                continue;
            }
            let fallback = path(service).is_some_and(Transfer::reads_ucx) || path(service) == Some(Transfer::Mooncake);
            let effect = if fallback { "KV cache falls back to TCP" } else { "the transfer has no path" };
            // Where the devices of its container are counted.
            let counted = service.component.main.limits.iter().find(|(name, ..)| name.ends_with("/gpu"));
            out.report(
                counted.map_or(service.span, |(_, key, count)| key.to(count.span)),
                format!(
                    "`{}` asks for `{}`, but the {} worker `{}` asks for no such device",
                    giver.name,
                    asked.name,
                    if side == Side::Prefill { "decode" } else { "prefill" },
                    service.name
                ),
                format!("no RDMA device here: {effect}"),
            )
            .service(service)
            .subject(asked.name.clone())
            .label(asked.span, format!("the {} side has one", side.as_str()))
            .help(format!("give `{}` the same `{}` resource, or remove it from both", service.name, asked.name))
            .severity(if fallback { Severity::Warning } else { Severity::Error })
            .emit();
        }
    }
}

/// One role is on EFA, the other on InfiniBand or RoCE.
pub fn rdma_kind_mismatch(deployment: &Deployment, out: &mut Findings) {
    let (prefill, decode) = sides(deployment);
    let efa_only =
        |s: &&Service| !s.fabric.devices.is_empty() && s.fabric.devices.iter().all(|d| d.kind == FabricKind::Efa);
    let no_efa = |s: &&Service| !s.fabric.devices.is_empty() && s.fabric.device(FabricKind::Efa).is_none();
    for (efa, side, other) in [(&prefill, Side::Prefill, &decode), (&decode, Side::Decode, &prefill)] {
        if !efa.iter().all(efa_only) || !other.iter().all(no_efa) {
            continue;
        }
        let (Some(a), Some(b)) = (efa.first(), other.first()) else { continue };
        let (Some(x), Some(y)) = (device(a), device(b)) else { continue };
        out.report(
            y.span,
            format!(
                "`{}` is on `{}` and `{}` on `{}`: these fabrics do not reach each other",
                a.name, x.name, b.name, y.name
            ),
            "another fabric than the other role's",
        )
        .service(b)
        .subject(y.name.clone())
        .label(x.span, format!("the {} side is on EFA", side.as_str()))
        .help("put both roles on the same kind of device")
        .emit();
    }
    misnamed(deployment, out);
}

/// Names under which device plugins are set up again and again.
const USUAL: [&str; 3] = ["rdma/ib", "rdma/shared_ib", "rdma/hca"];

/// The part of `rdma-kind-mismatch` that looks at names: two services ask for devices whose names are one slip apart.
/// Numbers, and letters at the end, count devices of one kind.
fn misnamed(deployment: &Deployment, out: &mut Findings) {
    let named =
        |s: &'_ Service| s.fabric.devices.iter().filter(|d| d.kind == FabricKind::Rdma).cloned().collect::<Vec<_>>();
    let all: Vec<_> = deployment.services.iter().flat_map(|s| named(s).into_iter().map(move |d| (s, d))).collect();
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    for (index, (service, device)) in all.iter().enumerate().filter(|(_, (_, d))| !USUAL.contains(&&*d.name)) {
        let near = |(at, (_, other)): &(usize, &(&Service, crate::resolve::FabricResource))| {
            let (a, b) = (device.name.as_str(), other.name.as_str());
            (USUAL.contains(&b) || *at < index)
                && a.chars().last() == b.chars().last()
                && digits(a) == digits(b)
                && strsim::osa_distance(a, b) == 1
        };
        let Some((_, (peer, meant))) = all.iter().enumerate().find(near) else { continue };
        out.report(
            device.span,
            format!("`{}` asks for `{}` and `{}` for `{}`", service.name, device.name, peer.name, meant.name),
            "one of the two is a slip: where no node has such a device the pod stays Pending",
        )
        .service(service)
        .subject(device.name.clone())
        .label(meant.span, "the other one")
        .help(format!("did you mean `{}`?", meant.name))
        .emit();
    }
}

/// Neither role has any device that could carry KV cache.
pub fn disagg_no_fabric(deployment: &Deployment, out: &mut Findings) {
    let workers: Vec<&Service> = paired(deployment).into_iter().map(|(s, ..)| s).collect();
    if workers.is_empty() || workers.iter().any(|s| has_fabric(s)) || is_kustomize_base(deployment) {
        return;
    }
    let mut concerned = Vec::new();
    for service in &workers {
        if let Fact::Dynamic(reason) = &service.kv.path {
            out.undecided(service, service.span, reason.clone());
            return;
        }
        if !moves_kv(service) || !buffers_on_gpu(service) || nvidia_gpus(service).is_none() {
            return;
        }
        // A list of transports that says so has a rule of its own.
        if super::tls::rdma_only(service) || super::tls::slow_by_list(service) {
            return;
        }
        concerned.push(*service);
    }
    let Some(first) = concerned.first() else { return };
    // Where every engine spans nodes, `multinode-no-nic` warns already.
    let large = concerned.iter().any(|s| s.nodes == 1 && nvidia_gpus(s).is_some_and(|n| n >= 4));
    let meant = concerned.iter().find_map(|s| fabric_intent(s).map(|span| (*s, span)));
    // Workers that are kept on one node may mean NVLink between the pods, or do not mind.
    let packed = concerned.iter().any(|s| on_one_node(s));
    let (severity, why) = match (packed, meant, large) {
        (true, ..) => (Severity::Advice, "and NVLink does not reach from pod to pod by itself, even on one node"),
        (_, Some(_), _) => (Severity::Warning, "although its settings are for RDMA"),
        (_, None, true) => (Severity::Warning, "and its workers are large"),
        (_, None, false) => (Severity::Advice, "and none is declared"),
    };
    let mut report = out
        .report(
            first.span,
            format!("no worker asks for an RDMA device or a ComputeDomain, {why}: KV cache goes over TCP"),
            "nothing here can carry KV cache but the pod network",
        )
        .service(first)
        .severity(severity)
        .help(
            "ask for the cluster's RDMA resource on prefill and decode (`rdma/ib`, `rdma/shared_ib`, \
             `vpc.amazonaws.com/efa`, …), or ignore this rule where TCP is meant",
        );
    for other in concerned.iter().skip(1) {
        report = report.label(other.span, "nor here");
    }
    if let Some((service, span)) = meant {
        report = report.label(span, format!("`{}` is prepared for RDMA here", service.name));
    }
    report.emit();
}

/// From this many GPUs on an engine without a fabric between its nodes is a mistake, not an example to complete.
const LARGE_ENGINE: u32 = 16;

/// One engine spans nodes, and its pods have nothing but the pod network between them.
pub fn multinode_no_nic(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.nodes > 1 && s.framework != Some(Framework::Mocker)) {
        if !whole(deployment) || has_fabric(service) || nvidia_gpus(service).is_none() {
            continue;
        }
        // Stages of a pipeline exchange little; only where tensors are split does every layer wait for the network.
        let pipelined = flag_value(service, &["--pipeline-parallel-size", "-pp", "--pp-size", "--pp"])
            .is_some_and(|n| n >= service.nodes);
        // Who tells NCCL to use sockets knows.
        let meant = service.env.known("NCCL_NET").is_some_and(|net| net.eq_ignore_ascii_case("socket"));
        // An engine this small works over sockets, slowly: a portable example more often than a mistake.
        // Trays of an NVL72 rack have NVLink between them, and engines count on it: without IMEX channels they hang.
        let small = nvidia_gpus(service).is_some_and(|gpus| gpus.saturating_mul(service.nodes) < LARGE_ENGINE)
            && !on_nvl72(deployment, service);
        let at = service.component.node_count.as_ref().map_or(service.span, |n| n.span);
        out.report(
            at,
            format!(
                "`{}` spans {} nodes, but its pods ask for no RDMA, EFA or ComputeDomain",
                service.name, service.nodes
            ),
            "NCCL between these nodes uses TCP sockets",
        )
        .service(service)
        .subject("multinode.nodeCount")
        .severity(if pipelined || meant || small { Severity::Advice } else { Severity::Warning })
        .help(
            "ask for the cluster's RDMA resource in `resources.limits` (`rdma/ib`, \
            `vpc.amazonaws.com/efa`, …) or claim a ComputeDomain channel",
        )
        .emit();
    }
}

/// Whether it asks for nodes of an NVL72 rack by the name of their GPU.
fn on_nvl72(deployment: &Deployment, service: &Service) -> bool {
    let node = &service.component.node;
    let places = ["affinity", "nodeSelector"];
    places
        .iter()
        .flat_map(|key| [node.at(&["podTemplate", "spec", key]), node.at(&["extraPodSpec", key])])
        .flatten()
        .any(|place| {
            let text = &deployment.recipe.sources.get(place.span.file).text;
            text.get(place.span.range()).is_some_and(|asked| asked.contains("GB200") || asked.contains("GB300"))
        })
}

fn flag_value(service: &Service, names: &[&str]) -> Option<u32> {
    service.flag(names).and_then(Flag::value)?.as_known()?.parse().ok()
}

/// Whether it transfers KV cache by something that RDMA would carry.
pub(super) fn moves_kv(service: &Service) -> bool {
    path(service).is_some_and(|t| !matches!(t, Transfer::None | Transfer::Other | Transfer::NixlOther))
}

/// A setting that only makes sense with RDMA.
fn fabric_intent(service: &Service) -> Option<crate::source::Span> {
    let lock = service.fabric.capabilities.iter().find(|c| c.value == "IPC_LOCK").map(|c| c.span);
    let names = ["UCX_NET_DEVICES", "UCX_IB_GPU_DIRECT_RDMA", "UCX_IB_GID_INDEX", "NCCL_IB_HCA", "FI_PROVIDER"];
    let var = || names.iter().find_map(|n| service.env.get(n).filter(|v| v.written()).and_then(value_span));
    lock.or_else(var)
}

/// Whether the pod is drawn to the node of other pods.
fn on_one_node(service: &Service) -> bool {
    let affinity = service.component.pod_spec.as_ref().and_then(|spec| spec.at(&["affinity", "podAffinity"]));
    affinity.is_some_and(|a| mentions(a, "kubernetes.io/hostname"))
}

/// Whether a kustomization beside it names this file: overlays may bring the fabric.
fn is_kustomize_base(deployment: &Deployment) -> bool {
    let path = deployment.recipe.file_name(deployment.graph.object.file);
    let name = path.rsplit('/').next().unwrap_or_default();
    deployment.recipe.of_kind("Kustomization").any(|k| k.node.get("resources").is_some_and(|r| mentions(r, name)))
}
