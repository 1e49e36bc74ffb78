//! What the API server's CEL rules and the operator's webhook refuse in a graph: conditions over several fields, which no
//! type and no enum says.

use super::refusal::{self, Refusal, say};
use crate::manifest::{ApiVersion, Component, ComponentType, Graph, GraphKind, Image, quantity};
use crate::resolve::Deployment;
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::Node;

const WEBHOOK: &str = "the API server or the operator's webhook refuses the deployment";

/// `admission-refused`
pub fn admission_refused(deployment: &Deployment, out: &mut Findings) {
    let graph = &deployment.graph;
    if graph.kind == GraphKind::RequestOverride {
        return;
    }
    let mut all = Vec::new();
    if graph.kind == GraphKind::Deployment {
        whole_graph(graph, &mut all);
    }
    for component in &graph.components {
        component_alone(graph, component, &mut all);
    }
    unversioned(deployment, &mut all);
    say(all, out);
}

fn refuse(
    all: &mut Vec<Refusal<'static>>,
    at: Span,
    field: &'static str,
    message: impl Into<String>,
    help: impl Into<String>,
) {
    refusal::refuse(all, at, field, message, WEBHOOK, help);
}

/// Operators from 1.5 on, which images of that age need, want to know every image's release
/// (`webhook/validation/shared.go`, `runtimeVersionOverrideRequired`).
fn unversioned(deployment: &Deployment, all: &mut Vec<Refusal<'static>>) {
    let known = deployment.options.dynamo_version.is_none() && deployment.services.iter().any(|s| s.at_least(1, 5));
    for service in deployment.services.iter().filter(|_| known) {
        let component = &service.component;
        let (Some(text), Some(node)) = (service.image.known(), &component.main.image) else { continue };
        let tag = Image::cut(text.as_str()).tag.unwrap_or_default();
        // A placeholder is to be replaced, as is what nobody else can pull; what has numbers in it may be a version.
        let other = tag.starts_with("my-") || super::images::internal(text.as_str()).is_some();
        if component.runtime_version.is_some() || tag.contains('.') || other {
            continue;
        }
        let message = format!("the image of `{}` does not say which release of Dynamo it is", service.name);
        refuse(
            all,
            node.span,
            "runtimeVersionOverride",
            message,
            "add `runtimeVersionOverride: \"X.Y.Z\"` to the component",
        );
    }
}

const DISCOVERY: &str = "nvidia.com/dynamo-kube-discovery-mode";

/// Values that an annotation takes, as the webhook compares them (`webhook/validation`).
const ANNOTATIONS: [(&str, &[&str], bool); 4] = [
    ("nvidia.com/vllm-distributed-executor-backend", &["mp", "ray"], true),
    (DISCOVERY, &["pod", "container"], false),
    ("nvidia.com/grove-update-strategy", &["RollingRecreate", "OnDelete"], false),
    ("nvidia.com/workload-provider", &["grove", "component"], false),
];

fn annotations<'a>(list: impl Iterator<Item = &'a (String, Span, Node)>, all: &mut Vec<Refusal<'static>>) {
    for (key, _, value) in list {
        let Some((name, takes, any_case)) = ANNOTATIONS.iter().find(|(name, ..)| name == key) else { continue };
        let Some(text) = value.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { continue };
        let fits = |t: &&&str| if *any_case { t.eq_ignore_ascii_case(text) } else { **t == text };
        if takes.iter().find(fits).is_none() {
            let legal = takes.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(" or ");
            refuse(all, value.span, name, format!("`{name}` does not take `{text}`"), format!("write {legal}"));
        }
    }
}

fn whole_graph(graph: &Graph, all: &mut Vec<Refusal<'static>>) {
    let spec = graph.object.node.get("spec");
    annotations(graph.annotations.iter(), all);
    // What was read from a cluster is there already.
    let dumped = graph.object.node.get("status").is_some() || graph.object.node.at(&["metadata", "uid"]).is_some();
    if let Some(restart) = spec.and_then(|s| s.get("restart")).filter(|n| !n.is_null() && !dumped) {
        let message = "`spec.restart` is set in a manifest that creates the deployment";
        refuse(all, restart.span, "restart", message, "remove it: it is for a deployment that exists already");
    }
    if graph.components.len() > 25 {
        let message = format!("{} components, and at most 25 are taken", graph.components.len());
        refuse(all, graph.object.name_span, "components", message, "split the graph");
    }
    // The map of v1alpha1 has a name once, but the operator's objects are named in lower case.
    for (index, component) in graph.components.iter().enumerate() {
        let same = |c: &&std::sync::Arc<Component>| {
            c.name.value.eq_ignore_ascii_case(&component.name.value) && c.name.value != component.name.value
        };
        if graph.components[..index].iter().any(|c| same(&c)) && graph.shape == ApiVersion::V1Beta1 {
            let message = format!("two components have the name `{}` but for capitals", component.name.value);
            refuse(all, component.name.span, "name", message, "give one of them another name");
        }
    }
    let pickers: Vec<_> = graph.components.iter().filter(|c| c.component_type == ComponentType::Epp).collect();
    if let [_, second, ..] = pickers[..] {
        let at = second.type_span.unwrap_or(second.name.span);
        refuse(all, at, "type", "a graph has one endpoint picker at most", "remove one of them");
    }
    for claim in spec.and_then(|s| s.get("pvcs")).into_iter().flat_map(Node::items) {
        if claim.get("create").and_then(Node::as_bool) == Some(true) {
            let lacks: Vec<&str> = ["size", "storageClass", "volumeAccessMode"]
                .into_iter()
                .filter(|f| claim.get(f).is_none_or(Node::is_null))
                .collect();
            if !lacks.is_empty() {
                let names = lacks.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
                let at = claim.get("create").map_or(claim.span, |n| n.span);
                refuse(
                    all,
                    at,
                    "pvcs",
                    "a claim that is to be created lacks what it is made of",
                    format!("add {names}"),
                );
            }
        }
    }
    if let Some(policy) = &graph.kv_transfer_policy {
        transfer_policy(policy, all);
    }
}

fn transfer_policy(policy: &Node, all: &mut Vec<Refusal<'static>>) {
    const FIELD: &str = "kvTransferPolicy";
    let has = |name: &str| policy.get(name).is_some_and(|n| !n.is_null());
    if has("labelKey") == has("clusterTopologyName") {
        let message = "`kvTransferPolicy` takes one of `labelKey` and `clusterTopologyName`";
        refuse(all, policy.span, FIELD, message, "write exactly one of them");
    }
    let preferred = policy.get("enforcement").and_then(Node::as_text) == Some("preferred");
    if preferred && !has("preferredWeight") {
        refuse(all, policy.span, FIELD, "`enforcement: preferred` wants a weight", "add `preferredWeight`");
    }
    if let Some(weight) = policy.get("preferredWeight").filter(|_| !preferred) {
        let message = "`preferredWeight` counts beside `enforcement: preferred` only";
        refuse(all, weight.span, FIELD, message, "write `enforcement: preferred`, or remove the weight");
    }
}

fn component_alone(graph: &Graph, component: &Component, all: &mut Vec<Refusal<'static>>) {
    let node = &component.node;
    let name = &component.name.value;
    annotations(component.annotations.iter(), all);
    let replicas = component.replicas.as_ref().map_or(Some(1), |r| r.value.as_int());
    if let (Some(least), Some(replicas)) = (node.get("minAvailable"), replicas)
        && least.as_int().is_some_and(|n| n > replicas && replicas != 0)
    {
        let message = format!("`{name}` wants more pods available than it has replicas ({replicas})");
        refuse(all, least.span, "minAvailable", message, "write a `minAvailable` of `replicas` or less");
    }
    if let Some(config) = &component.epp_config {
        if graph.shape == ApiVersion::V1Beta1 && component.component_type != ComponentType::Epp {
            let message = format!("`{name}` has an `eppConfig` and is no endpoint picker");
            refuse(all, config.span, "eppConfig", message, "write `type: epp`, or remove `eppConfig`");
        }
        let has = |f: &str| config.get(f).is_some_and(|n| !n.is_null());
        if config.as_map().is_some() && has("config") && has("configMapRef") {
            let message = "`eppConfig` takes one of `config` and `configMapRef`";
            refuse(all, config.span, "eppConfig", message, "keep one of them");
        }
    }
    if let Some(shared) = node.get("sharedMemory").filter(|n| n.as_map().is_some()) {
        let disabled = shared.get("disabled").and_then(Node::as_bool) == Some(true);
        let size = shared.get("size").and_then(Node::as_text);
        let open = size.is_some_and(|t| t.contains(['$', '<', '{']));
        if !disabled && !open && size.and_then(quantity::parse).is_none_or(|n| n <= 0.0) {
            let message = format!("the shared memory of `{name}` has no size");
            refuse(all, shared.span, "sharedMemory", message, "write `size: 16Gi`, or `disabled: true`");
        }
    }
    // The operator would make a container of its own beside it, without an image.
    if graph.shape == ApiVersion::V1Beta1
        && graph.kind == GraphKind::Deployment
        && component.main.node.is_none()
        && let Some(other) = component.sidecars.first().and_then(|c| c.node.as_ref()?.get("name"))
    {
        let message = format!("no container of `{name}` has the name `main`");
        refuse(all, other.span, "containers", message, "name the container that runs the component `main`");
    }
    images(component, all);
    experimental(graph, component, all);
    power_limit(component, all);
}

/// Every container of a pod needs an image; the operator brings none of its own.
fn images(component: &Component, all: &mut Vec<Refusal<'static>>) {
    let others = component.sidecars.iter().chain(&component.init_containers);
    for container in others.filter(|c| c.image.is_none() && !c.name.is_empty()) {
        // In v1alpha1 the operator makes the sidecar itself, from fields of another name.
        let Some(at) = container.node.as_ref().and_then(|n| n.get("name")) else { continue };
        let message = format!("container `{}` of `{}` has no image", container.name, component.name.value);
        refuse(all, at.span, "image", message, "add `image`");
    }
}

/// GPU memory service, failover and checkpoints: which go with which.
fn experimental(graph: &Graph, component: &Component, all: &mut Vec<Refusal<'static>>) {
    let Some(node) = &component.experimental else { return };
    let on = |n: &&Node| n.as_map().is_some() && n.get("enabled").and_then(Node::as_bool) != Some(false);
    let service = node.get("gpuMemoryService").filter(on);
    let mode = |n: &Node| n.get("mode").and_then(Node::as_text).unwrap_or("intraPod").to_ascii_lowercase();
    let worker =
        matches!(component.component_type, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode);
    if let Some(service) = service {
        if !worker {
            let message = format!("`{}` has a GPU memory service and is no worker", component.name.value);
            refuse(all, service.span, "gpuMemoryService", message, "remove it, or write the type of a worker");
        }
        let some = |f: &str| service.get(f).is_some_and(|n| n.items().next().is_some());
        if some("extraClientContainers") && mode(service) != "intrapod" {
            let message = "`extraClientContainers` go with mode IntraPod only";
            refuse(all, service.span, "gpuMemoryService", message, "write the mode, or `extraClientPods`");
        }
        // Of v1alpha1 the operator checks what it converted.
        for client in service.get("extraClientContainers").into_iter().flat_map(Node::items) {
            let name = client.as_text().filter(|t| !t.contains(['$', '<', '{'])).unwrap_or("main");
            if graph.shape == ApiVersion::V1Beta1
                && name != "main"
                && !component.sidecars.iter().any(|c| c.name == name)
            {
                let message = format!("`extraClientContainers` names `{name}`, which is no container of the pod");
                refuse(
                    all,
                    client.span,
                    "gpuMemoryService",
                    message,
                    "name a container of `podTemplate.spec.containers`",
                );
            }
        }
        if some("extraClientPods") && mode(service) != "interpod" {
            let message = "`extraClientPods` go with mode InterPod only";
            refuse(all, service.span, "gpuMemoryService", message, "write the mode, or `extraClientContainers`");
        }
    }
    if let Some(failover) = node.get("failover").filter(on) {
        match service {
            None => {
                let message = format!("failover of `{}` needs a GPU memory service", component.name.value);
                refuse(all, failover.span, "failover", message, "add `gpuMemoryService` with the same mode");
            }
            Some(service) if mode(service) != mode(failover) => {
                let message = "failover and GPU memory service have different modes";
                refuse(all, failover.span, "failover", message, "write the same `mode` for both");
            }
            // Two engines of one pod are ready one by one.
            Some(_)
                if graph.kind == GraphKind::Deployment
                    && mode(failover) == "intrapod"
                    && !graph
                        .annotations
                        .iter()
                        .any(|(key, _, how)| key == DISCOVERY && how.as_text() != Some("pod")) =>
            {
                let message =
                    format!("failover within a pod of `{}` wants discovery by container", component.name.value);
                let help = format!("annotate the graph with `{DISCOVERY}: container`");
                refuse(all, failover.span, DISCOVERY, message, help);
            }
            Some(_) => {}
        }
    }
    if let Some(checkpoint) = node.get("checkpoint") {
        let named = checkpoint.get("checkpointRef").and_then(Node::as_text).is_some_and(|t| !t.is_empty());
        if named && checkpoint.get("job").is_some_and(|n| !n.is_null()) {
            let message = "a checkpoint takes one of `job` and `checkpointRef`";
            refuse(all, checkpoint.span, "checkpoint", message, "keep one of them");
        }
    }
}

fn power_limit(component: &Component, all: &mut Vec<Refusal<'static>>) {
    const KEY: &str = "dynamo.nvidia.com/gpu-power-limit";
    let Some((.., value)) = component.annotations.iter().find(|(key, ..)| key == KEY) else { return };
    let Some(text) = value.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { return };
    if text.parse::<u32>().is_ok_and(|n| n > 0) {
        return;
    }
    refuse(all, value.span, KEY, format!("`{KEY}` does not take `{text}`"), "write watts as a whole number above 0");
}
