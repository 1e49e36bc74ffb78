//! `UCX_NET_DEVICES`: which devices and interfaces UCX may use.

use super::common::{
    Reads, asked, count, each_variable, ib_device, nvidia_gpus, path, reads_ucx, sides, ucx_workers, value_span,
};
use crate::catalog::ucx::{Device, DeviceKind, ListErrorKind, NetDevices};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, Service, Transfer};
use crate::rules::Findings;
use crate::source::Fact;

/// One device for a pod of several GPUs.
pub fn ucx_net_devices_single_hca(deployment: &Deployment, out: &mut Findings) {
    for service in ucx_workers(deployment) {
        let Some((var, text)) = asked(service, "UCX_NET_DEVICES", out) else { continue };
        let list = NetDevices::parse(text);
        let mut named = list.rdma();
        let (Some(one), None) = (named.next(), named.next()) else { continue };
        if one.glob || one.brackets {
            continue;
        }
        if let Fact::Dynamic(reason) = &service.gpus {
            out.undecided(service, text.span(), reason.clone());
            continue;
        }
        let Some(gpus) = nvidia_gpus(service).filter(|&n| n >= 2) else { continue };
        let device = ib_device(service);
        // The pod's one network is the one device it can use, whatever the device plugin counts.
        if one_network(service) {
            continue;
        }
        let single = device.is_none_or(|d| d.count.known().is_some_and(|&n| n <= 1));
        out.report(
            text.slice_span(one.item.range.clone()),
            format!("all {} of `{}` share the one device `{}`", count(gpus, "GPU"), service.name, one.name),
            "every transfer goes through this device, however far it is from the GPU",
        )
        .service(service)
        .subject(var.name.clone())
        .label_opt(device.map(|d| d.span), "the pod may have more")
        .severity(if single { Severity::Advice } else { Severity::Warning })
        .help("remove the variable: UCX then takes the devices nearest to each GPU; or name one for each GPU")
        .emit();
    }
}

/// Prefill and decode workers of one size name different numbers of adapters.
pub fn ucx_net_devices_role_mismatch(deployment: &Deployment, out: &mut Findings) {
    let adapters = |s: &Service| {
        let text = s.env.known("UCX_NET_DEVICES").filter(|_| path(s).is_some_and(Transfer::reads_ucx))?;
        let list = NetDevices::parse(text);
        let plain = list.errors().is_empty() && list.rdma().all(|d| !d.glob && !d.brackets);
        Some((list.rdma().count(), text.span())).filter(|(n, _)| plain && *n > 0 && !text.starts_with('^'))
    };
    let (prefill, decode) = sides(deployment);
    for service in decode {
        let Some((here, at)) = adapters(service) else { continue };
        let like = |p: &&&Service| nvidia_gpus(p).is_some() && nvidia_gpus(p) == nvidia_gpus(service);
        let Some(peer) = prefill.iter().find(like) else { continue };
        let Some((there, other)) = adapters(peer).filter(|(n, _)| *n != here) else { continue };
        out.report(
            at,
            format!("`{}` names {}, `{}` {there}, for as many GPUs", service.name, count_of(here), peer.name),
            "the side with fewer is as fast as both are",
        )
        .service(service)
        .subject("UCX_NET_DEVICES")
        .label(other, format!("{there} here"))
        .help("name as many on both, or leave the variable out")
        .emit();
    }
}

fn count_of(adapters: usize) -> String {
    count(u32::try_from(adapters).unwrap_or(u32::MAX), "adapter")
}

/// Whether the pod is given exactly one network beside its own (Multus: a list of names, or JSON).
fn one_network(service: &Service) -> bool {
    let mut annotations = service.component.annotations.iter();
    let text = annotations.find(|(key, ..)| key == "k8s.v1.cni.cncf.io/networks").and_then(|(.., v)| v.as_text());
    text.is_some_and(|text| {
        let names =
            if text.trim_start().starts_with('[') { text.matches("\"name\"").count() } else { text.split(',').count() };
        names == 1
    })
}

/// Only network interfaces are allowed, though the pod has an RDMA device.
pub fn ucx_net_devices_no_ib(deployment: &Deployment, out: &mut Findings) {
    for service in ucx_workers(deployment) {
        let Some((var, text)) = asked(service, "UCX_NET_DEVICES", out) else { continue };
        let Some(at) = value_span(var) else { continue };
        let list = NetDevices::parse(text);
        let device = ib_device(service);
        if list.errors().iter().any(|e| e.kind == ListErrorKind::Empty) {
            out.report(
                at,
                format!("`UCX_NET_DEVICES` of `{}` names no device", service.name),
                "no network device is left to UCX: the backend cannot be created",
            )
            .service(service)
            .subject(var.name.clone())
            .severity(Severity::Error)
            .help("remove the variable: an empty value does not mean the default")
            .emit();
        } else if let Some(device) = device.filter(|_| list.interfaces_only()) {
            out.report(
                at,
                format!("`UCX_NET_DEVICES={text}` keeps `{}` from using its RDMA device", service.name),
                "interfaces only: KV cache goes over TCP",
            )
            .service(service)
            .subject(var.name.clone())
            .label(device.span, "the device that stays unused")
            .help("remove the variable, or name RDMA devices with their port, such as `mlx5_0:1`")
            .emit();
        }
    }
}

/// A name that no device has, or one slip away from the commonest.
pub fn ucx_net_devices_suspicious_name(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |s| reads_ucx(s) != Reads::No,
        |name, _| name == "UCX_NET_DEVICES",
        |service, var| {
            let Some(text) = var.known().filter(|_| var.name == "UCX_NET_DEVICES") else { return };
            let kinds = [ListErrorKind::Unknown, ListErrorKind::Case, ListErrorKind::Blank, ListErrorKind::Quote];
            for error in NetDevices::parse(text).errors().iter().filter(|e| kinds.contains(&e.kind)) {
                let token = &text.as_str()[error.range.clone()];
                let at = text.slice_span(error.range.clone());
                let why = match error.kind {
                    ListErrorKind::Blank => "the blank is taken for part of the name",
                    ListErrorKind::Quote => "the quote is taken for part of the name",
                    ListErrorKind::Case => "device names are compared exactly",
                    _ => "no driver names its devices like this",
                };
                let report = out
                    .report(at, format!("UCX will find no device `{token}`"), why)
                    .service(service)
                    .subject(var.name.clone());
                match &error.replacement {
                    Some(right) if at.len() as usize == error.range.len() => {
                        let certain = error.kind != ListErrorKind::Unknown;
                        let how = if certain { Applicability::Safe } else { Applicability::Unsafe };
                        report.help(format!("did you mean `{right}`?")).fix(how, at, right.clone()).emit();
                    }
                    Some(right) => report.help(format!("did you mean `{right}`?")).emit(),
                    None => report.help("name devices as `ibv_devices` does, with their port: `mlx5_0:1`").emit(),
                }
            }
        },
    );
}

/// A device without its port, which UCX before 1.21 does not find.
pub fn ucx_net_devices_missing_port(deployment: &Deployment, out: &mut Findings) {
    // Dynamo 1.3 has UCX 1.20 (its release notes); which port-less names match changed in 1.21.
    for service in ucx_workers(deployment).filter(|s| s.below(1, 4)) {
        let Some((var, text)) = asked(service, "UCX_NET_DEVICES", out) else { continue };
        let list = NetDevices::parse(text);
        let bare = |d: &&Device<'_>| d.port.is_none() && !d.item.text.contains(':') && !d.glob && !d.brackets;
        let Some(first) = list.rdma().find(bare) else { continue };
        let all = list.rdma_only() && list.devices().iter().all(|d| bare(&d));
        let at = text.slice_span(first.item.range.clone());
        let report = out
            .report(
                at,
                format!("UCX of `{}` finds no device `{}` without its port", service.name, first.item.text),
                if all { "no network device is left" } else { "left out" },
            )
            .service(service)
            .subject(var.name.clone())
            .label_opt(service.version.as_ref().map(|v| v.span), "images of this release have UCX 1.20 or older")
            .severity(if all { Severity::Error } else { Severity::Warning })
            .help("write every device with its port, which is 1 on most adapters");
        let whole = text.span();
        if whole.len() as usize == text.len() {
            let ported: Vec<String> = list
                .devices()
                .iter()
                .map(|d| {
                    let add = d.kind == DeviceKind::Rdma && bare(&d);
                    format!("{}{}", d.item.text, if add { ":1" } else { "" })
                })
                .collect();
            report.fix(Applicability::Unsafe, whole, ported.join(",")).emit();
        } else {
            report.emit();
        }
    }
}

/// A pattern where UCX compares names.
pub fn ucx_net_devices_glob(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |s| reads_ucx(s) != Reads::No,
        |name, _| name == "UCX_NET_DEVICES",
        |service, var| {
            let Some(text) = var.known().filter(|_| var.name == "UCX_NET_DEVICES") else { return };
            let list = NetDevices::parse(text);
            // Ranges are read since UCX 1.22, which later releases than 1.5 may have.
            let pattern = |d: &&Device<'_>| d.glob || (d.brackets && !service.at_least(1, 6));
            let Some(first) = list.devices().iter().find(pattern) else { return };
            let rest = list.devices().iter().any(|d| !pattern(&d));
            let severity = if first.glob && !rest { Severity::Error } else { Severity::Warning };
            out.report(
                text.slice_span(first.item.range.clone()),
                format!("UCX takes `{}` for the name of one device", first.item.text),
                if first.glob {
                    "no patterns in device names"
                } else {
                    "ranges are read since UCX 1.22; Dynamo's images up to 1.5 have older ones"
                },
            )
            .service(service)
            .subject(var.name.clone())
            .severity(severity)
            .help("name every device with its port: `mlx5_0:1,mlx5_1:1`, or remove the variable")
            .emit();
        },
    );
}
