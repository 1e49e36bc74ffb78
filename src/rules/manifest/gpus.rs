//! Workers that get no GPU.

use crate::finding::{Applicability, Severity};
use crate::manifest::GraphKind;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;

/// `gpu-missing`
pub fn gpu_missing(deployment: &Deployment, out: &mut Findings) {
    if deployment.graph.kind == GraphKind::RequestOverride {
        return;
    }
    let has = |s: &Service| s.gpus.known().is_some_and(|n| *n > 0);
    let others = deployment.workers().any(has);
    for service in deployment.workers() {
        beyond(service, out);
        let main = &service.component.main;
        let resources = || main.limits.iter().chain(&main.requests);
        if let Some((name, span, right)) = resources().find_map(|(name, span, _)| Some((name, span, misspelled(name)?)))
        {
            out.report(*span, format!("no device has the name `{name}`"), "the pod stays Pending: no node offers it")
                .service(service)
                .subject("gpu")
                .help(format!("write `{right}`"))
                .fix(Applicability::Unsafe, *span, right)
                .emit();
            continue;
        }
        let engine = matches!(service.framework, Some(Framework::Vllm | Framework::Sglang | Framework::Trtllm));
        let image = main.image.as_ref().and_then(crate::yaml::Node::as_text).unwrap_or_default();
        let none = |amount: &crate::yaml::Node| amount.as_text() == Some("0");
        let device = |name: &str, amount: &crate::yaml::Node| {
            name.contains('/')
                && !none(amount)
                && !["rdma", "efa", "hugepages", "ephemeral"].iter().any(|o| name.contains(o))
        };
        // They come by their devices in a way of their own.
        let shared = ["checkpoint", "failover", "gpuMemoryService"];
        let elsewhere = service.component.sidecars.iter().chain(&service.component.init_containers);
        if !engine
            || service.gpus.known() != Some(&0)
            || service.engine_container != "main"
            || image.is_empty()
            || ["xpu", "cpu", "hpu", "rocm", "neuron", "mock"].iter().any(|word| image.contains(word))
            || service.component.experimental.as_ref().is_some_and(|n| shared.iter().any(|key| n.get(key).is_some()))
            || !main.claims.is_empty()
            || main.dropped.iter().any(|(.., amount)| !none(amount))
            || resources().any(|(name, _, amount)| device(name, amount))
            || elsewhere.flat_map(|c| c.limits.iter().chain(&c.requests)).any(|(name, _, amount)| device(name, amount))
            || service.env.get("NVIDIA_VISIBLE_DEVICES").is_some_and(|v| v.written())
            || service.flag(&["--device", "--load-format"]).is_some()
        {
            continue;
        }
        let at = service.process.as_ref().map_or(service.span, |p| p.module.span);
        let report = out
            .report(
                at,
                format!("`{}` asks for no GPU", service.name),
                "the engine finds no device, or one that another pod holds",
            )
            .service(service)
            .subject("gpu")
            .help("add `nvidia.com/gpu` to the limits of the main container");
        let written = resources().any(|(name, _, amount)| name.ends_with("/gpu") && none(amount));
        if others || written { report.emit() } else { report.severity(Severity::Advice).emit() }
    }
}

/// Devices that are chosen by number and that the pod does not have: it sees its own, from 0 on.
fn beyond(service: &Service, out: &mut Findings) {
    let Some(var) = service.env.get("CUDA_VISIBLE_DEVICES").filter(|v| v.written()) else { return };
    let (Some(value), Some(at), Some(count)) = (var.known(), var.winner().span, service.gpus.known()) else { return };
    let privileged = service.component.main.security.as_ref().and_then(|s| s.get("privileged"));
    // A privileged container sees all of the node, and so does who asks the runtime for them.
    let all = privileged.is_some() || service.env.get("NVIDIA_VISIBLE_DEVICES").is_some_and(|v| v.written());
    let claims = !service.component.main.claims.is_empty();
    let over = |word: &str| word.trim().parse::<u32>().is_ok_and(|number| number >= *count);
    // Those in front of it remain: that may be all of them.
    let first = value.split(',').enumerate().find(|(_, word)| over(word));
    let Some((_, first)) = first.filter(|(at, _)| *at < *count as usize && !all && !claims) else { return };
    let last = count - 1;
    out.report(at, format!("`{}` has no GPU {}", service.name, first.trim()), "CUDA drops it and all that follow")
        .service(service)
        .subject("CUDA_VISIBLE_DEVICES")
        .help(format!("remove it: the pod sees its own GPUs only, 0 to {last}"))
        .emit();
}

/// `nvidia.com/gpus`, `nvidia.com/GPU`, `nvida.com/gpu`. KubeVirt's `nvidia.com/pgpu` and shared GPUs are real names.
fn misspelled(name: &str) -> Option<&'static str> {
    const RIGHT: &str = "nvidia.com/gpu";
    const EFA: &str = "vpc.amazonaws.com/efa";
    // `vpc.amazonaws.com/efas`, `aws.amazon.com/efa`
    let (maker, device) = name.split_once('/')?;
    if name != EFA && maker.contains("amazon") && (device.starts_with("efa") || strsim::osa_distance(name, EFA) <= 2) {
        return Some(EFA);
    }
    let gpu = name != RIGHT
        && !matches!(name, "nvidia.com/pgpu" | "nvidia.com/vgpu" | "nvidia.com/gpu.shared")
        && name.contains('/')
        && name.len().abs_diff(RIGHT.len()) <= 4
        && (name.eq_ignore_ascii_case(RIGHT) || name == "nvidia/gpu" || strsim::osa_distance(name, RIGHT) == 1);
    gpu.then_some(RIGHT)
}
