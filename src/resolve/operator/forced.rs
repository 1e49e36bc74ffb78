//! What the operator sets whatever the user says (reference: operator `backend_*.go`, `failover.go`, `graph.go`).

use super::backend::{self, RawCommand, multiprocessing};
use super::deployment_config::{self, Config};
use super::text;
use crate::manifest::{ApiVersion, Component, ComponentType};
use crate::resolve::env::{Context, Layers};
use crate::resolve::{Framework, Layer};
use crate::source::{Fact, Reason, Text};
use crate::yaml::Node;

/// Where vLLM's compilation cache is mounted when nothing says otherwise.
pub(super) const VLLM_CACHE: &str = "/root/.cache/vllm";
/// Where engines of one pod meet the GPU memory service.
pub(super) const CONTROL: &str = "/gms-intrapod-control";

/// Env that the operator sets whatever the user says (reference §2.7, §2.8).
pub(in crate::resolve) fn forced(ctx: &Context<'_>, component: &Component, layers: &mut Layers) {
    if let Some(Ok(Config { text: Some(value), .. })) = deployment_config::of(ctx, component) {
        let value = Fact::Known(text(&value, component.name.span));
        layers.operator(Layer::OperatorForced, deployment_config::NAME, value);
    }
    let worker =
        matches!(component.component_type, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode);
    if !worker {
        return;
    }
    for (name, value) in kv_policy(ctx, component) {
        if !value.is_unset() || layers.has(name) {
            layers.operator(Layer::OperatorForced, name, value);
        }
    }
    let backend = backend::backend(ctx, component).unwrap_or_default();
    for (name, value) in engine(ctx, component, backend).into_iter().chain(failover(ctx, component, backend)) {
        layers.operator(Layer::OperatorForced, name, value);
    }
}

/// One forced variable; `Unset` takes it away.
pub(super) type Forced = (&'static str, Fact<Text>);

/// What the engine's part of the operator and the GPU memory service append to every main container.
pub(super) fn engine(ctx: &Context<'_>, component: &Component, backend: Option<Framework>) -> Vec<Forced> {
    let known = |value: &str| Fact::Known(text(value, component.name.span));
    let pod_ip = || Fact::Dynamic(Reason::Downward("status.podIP".to_owned()));
    let nodes = component.node_count.map_or(1, |n| n.value);
    let mut out = Vec::new();
    if backend == Some(Framework::Vllm) {
        if nodes > 1 && multiprocessing(ctx, component) {
            out.push(("VLLM_NIXL_SIDE_CHANNEL_HOST", pod_ip()));
        }
        if nodes <= 1 && !component.main.command.items.is_empty() && RawCommand::of(component).elastic() {
            out.push(("POD_IP", pod_ip()));
            out.push(("VLLM_DP_MASTER_IP", pod_ip()));
        }
        if let Some((_, mount)) = &component.compilation_cache {
            let path = mount.as_ref().map(|m| m.value.as_str()).filter(|p| !p.is_empty());
            out.push(("VLLM_CACHE_ROOT", known(path.unwrap_or(VLLM_CACHE))));
        }
    }
    if backend == Some(Framework::Trtllm) && nodes > 1 {
        out.push(("OMPI_MCA_orte_keep_fqdn_hostnames", known("1")));
    }
    if let Some(mode) = memory_service(ctx, component) {
        out.push(("GMS_SOCKET_DIR", known(if mode == Mode::InterPod { "/run/gms/shared" } else { CONTROL })));
    }
    out
}

/// What failover sets on every engine, as far as it is the same on all of them.
fn failover(ctx: &Context<'_>, component: &Component, backend: Option<Framework>) -> Vec<Forced> {
    let Some(mode) = failover_mode(ctx, component) else { return Vec::new() };
    let known = |value: &str| Fact::Known(text(value, component.name.span));
    let engine = || Fact::Dynamic(Reason::Cluster("one of several engines of the pod".to_owned()));
    let mut out = vec![
        ("ENGINE_ID", engine()),
        ("FAILOVER_LOCK_PATH", engine()),
        ("DYN_SYSTEM_STARTING_HEALTH_STATUS", known("notready")),
        ("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", Fact::Unset),
    ];
    let vllm = backend == Some(Framework::Vllm);
    if vllm {
        out.push(("DYN_VLLM_GMS_SHADOW_MODE", known("true")));
    }
    if mode == Mode::IntraPod {
        out.extend(["CONTAINER_NAME", "DYN_SYSTEM_PORT", "DYN_FORWARDPASS_METRIC_PORT"].map(|name| (name, engine())));
        out.push(("DYN_SYSTEM_ENABLED", known("true")));
        out.push(("DYN_HEALTH_CHECK_ENABLED", Fact::Unset));
        if vllm {
            out.extend(["VLLM_NIXL_SIDE_CHANNEL_PORT", "DYN_VLLM_KV_EVENT_PORT"].map(|name| (name, engine())));
        }
    }
    out
}

/// Whether engines share their weights or their pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    IntraPod,
    InterPod,
}

/// The GPU memory service, when it is on.
pub(super) fn memory_service(ctx: &Context<'_>, component: &Component) -> Option<Mode> {
    mode(ctx, component, "gpuMemoryService")
}

/// Other containers of the pod that the service serves.
pub(super) fn memory_clients(component: &Component) -> Vec<String> {
    let list = component.experimental.as_ref().and_then(|e| e.at(&["gpuMemoryService", "extraClientContainers"]));
    list.into_iter().flat_map(Node::items).filter_map(Node::as_text).map(str::to_owned).collect()
}

/// Whether it is restored from a checkpoint, or makes one.
pub(super) fn checkpoint(component: &Component) -> bool {
    component.experimental.as_ref().and_then(|e| e.get("checkpoint")).is_some_and(|node| node.as_map().is_some())
}

/// Failover, when it is on.
pub(super) fn failover_mode(ctx: &Context<'_>, component: &Component) -> Option<Mode> {
    mode(ctx, component, "failover")
}

fn mode(ctx: &Context<'_>, component: &Component, key: &str) -> Option<Mode> {
    let node = component.experimental.as_ref()?.get(key).filter(|n| n.as_map().is_some())?;
    // v1alpha1 has a switch, in v1beta1 presence is on.
    let on = match ctx.graph.shape {
        ApiVersion::V1Alpha1 => node.get("enabled").and_then(Node::as_bool) == Some(true),
        ApiVersion::V1Beta1 => true,
    };
    let inter = node.get("mode").and_then(Node::as_text).is_some_and(|m| m.eq_ignore_ascii_case("interpod"));
    on.then_some(if inter { Mode::InterPod } else { Mode::IntraPod })
}

/// The five names of a KV transfer policy: the user's values are removed (`graph.go:2171-2262`).
pub(super) fn kv_policy(ctx: &Context<'_>, component: &Component) -> Vec<Forced> {
    let Some(policy) = &ctx.graph.kv_transfer_policy else { return Vec::new() };
    let field = |key: &str| policy.get(key).and_then(Node::as_text).filter(|t| !t.is_empty());
    if field("labelKey").is_none() && field("clusterTopologyName").is_none() {
        return Vec::new();
    }
    let at = component.name.span;
    let fixed = |value: &str| Fact::Known(text(value, at));
    let of = |node: Option<&Node>| node.map(|n| Fact::Known(crate::resolve::expand::text(n, ctx.recipe)));
    vec![
        (
            "DYN_KV_TRANSFER_DOMAIN",
            of(policy.get("domain"))
                .unwrap_or_else(|| Fact::Dynamic(Reason::Cluster("the topology of the KV transfer policy".to_owned()))),
        ),
        ("DYN_KV_TRANSFER_ENFORCEMENT", of(policy.get("enforcement")).unwrap_or_else(|| fixed("required"))),
        ("DYN_TOPOLOGY_ENABLED", fixed("true")),
        ("DYN_TOPOLOGY_MOUNT_PATH", fixed("/etc/dynamo/topology")),
        ("DYN_KV_TRANSFER_PREFERRED_WEIGHT", of(policy.get("preferredWeight")).unwrap_or(Fact::Unset)),
    ]
}
