//! NVLink between nodes: who is in the IMEX domain, and whether KV cache lies in memory that it can export.

use super::common::{Side, asked, paired, path, value_span, whole};
use crate::finding::Confidence;
use crate::resolve::{Claim, Deployment, Framework, Service, Transfer};
use crate::rules::Findings;
use crate::source::Fact;

/// KV cache is meant to go over multi-node NVLink, but only one role is in the ComputeDomain, or each in its own.
pub fn compute_domain_asymmetric(deployment: &Deployment, out: &mut Findings) {
    for (service, side, others) in paired(deployment) {
        if !path(service).is_some_and(Transfer::reads_ucx) {
            continue;
        }
        let Some(intent) = super::tls::nvlink_intent(service) else { continue };
        if service.fabric.may_have_rdma() && !super::tls::excludes_ib(service) {
            continue;
        }
        let peers: Vec<(&Service, &Claim)> =
            others.iter().filter_map(|s| s.fabric.channel().map(|c| (*s, c))).collect();
        let Some((peer, theirs)) = peers.first() else { continue };
        let (message, label) = match service.fabric.channel() {
            None => (
                format!(
                    "`{}` claims a ComputeDomain channel, but the {} worker `{}` does not",
                    peer.name,
                    side.as_str(),
                    service.name
                ),
                "no IMEX channel here: no fabric handles, so NVLink does not reach the other role".to_owned(),
            ),
            Some(ours)
                if differ(ours, theirs) && peers.iter().all(|(_, c)| differ(ours, c)) && side == Side::Prefill =>
            {
                (
                    format!("`{}` and `{}` are in different ComputeDomains", service.name, peer.name),
                    "an IMEX domain of its own: NVLink does not reach the other role".to_owned(),
                )
            }
            Some(_) => continue,
        };
        let at = service.fabric.channel().map_or(service.span, |c| c.template.as_ref().map_or(c.name.span, |t| t.span));
        out.report(at, message, label)
            .service(service)
            .subject("resourceClaims")
            .label(
                theirs.template.as_ref().map_or(theirs.name.span, |t| t.span),
                format!(
                    "`{}` claims it \
                here",
                    peer.name
                ),
            )
            .label(intent, "this asks for NVLink between the pods")
            .help(
                "claim the same ComputeDomain channel on both roles (`resourceClaims` of the pod and \
                `resources.claims` of the container), and count both in `numNodes`",
            )
            .emit();
    }
}

/// NCCL is forced to use multi-node NVLink, but the pods have no IMEX channel.
pub fn mnnvl_without_compute_domain(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.nodes > 1) {
        let Some((var, value)) = asked(service, "NCCL_MNNVL_ENABLE", out) else { continue };
        let channels = service.env.get("NVIDIA_IMEX_CHANNELS").is_some() || service.fabric.privileged.is_some();
        if super::nccl::integer(value) != Some(1)
            || service.fabric.channel().is_some()
            || channels
            || !whole(deployment)
        {
            continue;
        }
        if service.fabric.claims.iter().any(|c| c.template.is_none()) {
            continue;
        }
        let at = value_span(var).unwrap_or(service.span);
        out.report(
            at,
            format!("`{}` forces multi-node NVLink, but its pods claim no ComputeDomain channel", service.name),
            "NCCL finds no IMEX channel",
        )
        .service(service)
        .subject("NCCL_MNNVL_ENABLE")
        .label_opt(service.component.node_count.as_ref().map(|n| n.span), "the engine spans nodes here")
        .help(
            "claim the channel of a ComputeDomain (`resourceClaims` and `resources.claims`), or remove \
            the variable: NCCL finds out by itself",
        )
        .emit();
    }
}

/// KV cache is to go over multi-node NVLink but lies in memory that has no fabric handle.
pub fn mnnvl_kv_not_fabric_memory(deployment: &Deployment, out: &mut Findings) {
    let workers: Vec<&Service> = paired(deployment).into_iter().map(|(s, ..)| s).collect();
    let joined = !workers.is_empty()
        && workers.iter().all(|s| {
            s.fabric.channel().is_some()
                && !s.fabric.may_have_rdma()
                && s.kv.path.known().copied().is_some_and(Transfer::reads_ucx)
        });
    if !joined {
        return;
    }
    for service in workers {
        let Some(intent) = super::tls::nvlink_intent(service) else { continue };
        let Some(remedy) = missing_fabric_memory(service) else { continue };
        let at = service.env.get("UCX_TLS").and_then(value_span).unwrap_or(intent);
        out.report(
            at,
            format!("KV cache of `{}` lies in memory that `cuda_ipc` cannot export to another node", service.name),
            "between nodes the transfer silently takes the next transport",
        )
        .service(service)
        .subject("UCX_TLS")
        .label_opt(service.fabric.channel().map(|c| c.name.span), "the IMEX channel alone is not enough")
        .help(remedy)
        .confidence(Confidence::Possible)
        .emit();
    }
}

/// What would put KV cache into memory with a fabric handle; none when something visible may do so already.
fn missing_fabric_memory(service: &Service) -> Option<&'static str> {
    let on = |name: &str| match service.env.fact(name) {
        Fact::Known(text) => super::common::truthy(text),
        Fact::Dynamic(_) => true,
        Fact::Unset => false,
    };
    let expandable =
        ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"].iter().any(|name| match service.env.fact(name) {
            Fact::Known(text) => text.contains("expandable_segments:True"),
            Fact::Dynamic(_) => true,
            Fact::Unset => false,
        });
    match service.framework? {
        Framework::Vllm if expandable || on("VLLM_KV_CACHE_FABRIC") => None,
        Framework::Vllm if service.at_least(1, 3) => Some(
            "give the pods RDMA devices too, or measure the transfer: this vLLM takes no `expandable_segments:True` beside a \
                connector",
        ),
        Framework::Vllm => {
            Some("set `PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True` on both roles and measure the transfer")
        }
        Framework::Sglang => {
            let pool = ["SGLANG_MOONCAKE_CUSTOM_MEM_POOL", "SGLANG_NIXL_VMM_MEM_POOL"];
            let pooled = pool.iter().any(|n| service.env.get(n).is_some());
            (!pooled && !expandable).then_some(
                "set `SGLANG_MOONCAKE_CUSTOM_MEM_POOL=NVLINK` or \
                    `PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True` on both roles and measure the transfer",
            )
        }
        Framework::Trtllm => (!on("TRTLLM_KVCACHE_POOL_USE_FABRIC_MEMORY"))
            .then_some("set `TRTLLM_KVCACHE_POOL_USE_FABRIC_MEMORY=1` on both roles"),
        Framework::Mocker | Framework::Tokenspeed => None,
    }
}

fn differ(a: &Claim, b: &Claim) -> bool {
    match (&a.template, &b.template) {
        (Some(a), Some(b)) => a.value != b.value,
        _ => false,
    }
}
