//! What a pod asks for that can carry KV cache (reference: interconnect §2.3).

use super::version::number;
use super::{Claim, Fabric, FabricKind, FabricResource, env::Context};
use crate::manifest::{Component, Container, VolumeSource};
use crate::source::{Fact, Spanned};
use crate::yaml::Node;

const NETWORK_ANNOTATIONS: &[&str] = &["k8s.v1.cni.cncf.io/networks", "networking.gke.io/interfaces"];

pub(super) fn of(ctx: &Context<'_>, component: &Component) -> Fabric {
    let containers: Vec<&Container> = component.containers().collect();
    let mut fabric = Fabric::default();
    for container in &containers {
        devices(container, &mut fabric);
        let Some(security) = &container.security else { continue };
        if let Some(on) = security.get("privileged").filter(|n| n.as_bool() == Some(true)) {
            fabric.privileged.get_or_insert(on.span);
        }
        let added = security.at(&["capabilities", "add"]).into_iter().flat_map(Node::items);
        fabric.capabilities.extend(added.filter_map(|n| Some(Spanned::new(n.as_text()?.to_owned(), n.span))));
    }
    let pod = component.pod_spec.as_ref();
    fabric.host_network =
        pod.and_then(|spec| spec.get("hostNetwork")).filter(|n| n.as_bool() == Some(true)).map(|n| n.span);
    fabric.dev_infiniband = component.volumes.iter().find_map(|volume| match &volume.source {
        VolumeSource::HostPath(path) if path.starts_with("/dev/infiniband") || path == "/dev" => {
            Some(volume.node.at(&["hostPath", "path"]).map_or(volume.name.span, |n| n.span))
        }
        _ => None,
    });
    fabric.network_annotation = component
        .annotations
        .iter()
        .find(|(key, ..)| NETWORK_ANNOTATIONS.contains(&key.as_str()))
        .map(|(_, span, _)| *span);
    let claims = pod.and_then(|spec| spec.get("resourceClaims"));
    fabric.claims = claims.into_iter().flat_map(Node::items).filter_map(|node| claim(ctx, &containers, node)).collect();
    fabric
}

fn devices(container: &Container, fabric: &mut Fabric) {
    for (name, span, quantity) in container.limits.iter().chain(&container.requests) {
        let Some(kind) = kind(name) else { continue };
        let count = number(quantity);
        if count == Fact::Known(0) || fabric.devices.iter().any(|d| d.name == *name) {
            continue;
        }
        fabric.devices.push(FabricResource { name: name.clone(), kind, count, span: *span });
    }
}

fn kind(name: &str) -> Option<FabricKind> {
    let name = name.to_ascii_lowercase();
    if let Some(rest) = name.strip_prefix("networking.gke.io.networks/") {
        return (rest.starts_with("rdma-") && !rest.ends_with(".ip")).then_some(FabricKind::GkeRdma);
    }
    if name.ends_with("/efa") {
        return Some(FabricKind::Efa);
    }
    let rdma =
        name.starts_with("rdma/") || ["hca", "mlnx", "roce", "infiniband"].iter().any(|part| name.contains(part));
    rdma.then_some(FabricKind::Rdma)
}

fn claim(ctx: &Context<'_>, containers: &[&Container], node: &Node) -> Option<Claim> {
    let text = |key: &str| node.get(key).and_then(|n| Some(Spanned::new(n.as_text()?.to_owned(), n.span)));
    let name = text("name")?;
    let template = text("resourceClaimTemplateName").or_else(|| text("resourceClaimName"));
    let compute_domain = template.as_ref().and_then(|template| {
        let domain = ctx.recipe.of_kind("ComputeDomain").find(|domain| {
            let channel = domain.node.at(&["spec", "channel", "resourceClaimTemplate", "name"]);
            channel.and_then(Node::as_text) == Some(&template.value)
        })?;
        Some(domain.name.clone())
    });
    let channel = compute_domain.is_some() || is_channel(ctx, &name.value, template.as_ref().map(|t| t.value.as_str()));
    let used = containers.iter().any(|c| c.claims.iter().any(|claim| claim.value == name.value));
    Some(Claim { name, template, compute_domain, channel, used })
}

/// Whether a claim without its ComputeDomain at hand is a channel: by the device class of its template, else by name.
fn is_channel(ctx: &Context<'_>, name: &str, template: Option<&str>) -> bool {
    if let Some(object) = template.and_then(|t| ctx.recipe.of_kind("ResourceClaimTemplate").find(|o| o.name == t)) {
        let requests = object.node.at(&["spec", "spec", "devices", "requests"]);
        return requests.into_iter().flat_map(Node::items).any(|request| {
            let class = request.get("exactly").unwrap_or(request).get("deviceClassName");
            class.and_then(Node::as_text).is_some_and(|class| class.starts_with("compute-domain"))
        });
    }
    [Some(name), template].into_iter().flatten().any(|text| {
        let text = text.to_ascii_lowercase();
        ["compute-domain", "computedomain", "imex", "mnnvl"].iter().any(|part| text.contains(part))
            || text.ends_with("-channel")
    })
}
