//! `UCX_TLS` lists that leave too little, or the wrong transports, for what the pod has.

use super::common::{buffers_on_gpu, ib_device, nvidia_gpus, paired, value_span, whole};
use super::tls::{self, Tls};
use crate::catalog::ucx::Mode;
use crate::finding::{Applicability, Edit, Severity};
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// The list leaves UCX unable to recognise GPU memory.
pub fn ucx_tls_missing_cuda_copy(deployment: &Deployment, out: &mut Findings) {
    tls::each(deployment, out, |service, tls, out| {
        let other = tls.list.mode() == Mode::Allow && tls.list.has_other_gpu();
        if tls.list.has_cuda_copy() || other || !buffers_on_gpu(service) {
            return;
        }
        if let Fact::Dynamic(reason) = &service.gpus {
            return out.undecided(service, tls.span(service), reason.clone());
        }
        if nvidia_gpus(service).is_none() {
            return;
        }
        let value = tls.text.as_str();
        let mut report = out
            .report(
                tls.item_with("cuda_copy").unwrap_or_else(|| tls.span(service)),
                format!("`UCX_TLS={value}` leaves UCX of `{}` without `cuda_copy`", service.name),
                "GPU memory is taken for host memory: registering the KV cache fails",
            )
            .service(service)
            .subject("UCX_TLS")
            .label_opt(service.kv.span, "KV cache in GPU memory is moved by this");
        report = if tls.list.mode() == Mode::Allow {
            let fixed = if value.contains("cuda_ipc") {
                "`cuda_ipc` is not enough; append `,cuda_copy`"
            } else {
                "append `,cuda_copy`"
            };
            append(report.help(format!("{fixed}, or remove the variable")), &tls, "cuda_copy", Applicability::Safe)
        } else {
            report.help("remove `cuda_copy` (and `cuda`) from the excluded transports")
        };
        report.emit();
    });
}

/// The list leaves no transport that can carry active messages.
pub fn ucx_tls_no_am_transport(deployment: &Deployment, out: &mut Findings) {
    tls::each(deployment, out, |service, tls, out| {
        if tls.list.has_am_transport() {
            return;
        }
        let value = tls.text.as_str();
        let mut report = out
            .report(
                tls.span(service),
                format!(
                    "`UCX_TLS={value}` leaves UCX of `{}` without `tcp` and without any RDMA transport",
                    service.name
                ),
                "no active-message transport: the NIXL backend cannot be created",
            )
            .service(service)
            .subject("UCX_TLS")
            .label_opt(service.kv.span, "the backend that fails");
        report = if tls.list.mode() == Mode::Allow {
            append(
                report.help("append `,tcp` (control messages then go over it) or an RDMA transport such as `,rc_x`"),
                &tls,
                "tcp",
                Applicability::Unsafe,
            )
        } else {
            report.help("do not exclude `tcp`")
        };
        report.emit();
    });
}

/// The list names RDMA transports only, and the pod has no RDMA device.
pub fn ucx_tls_rdma_only_without_rdma(deployment: &Deployment, out: &mut Findings) {
    tls::each(deployment, out, |service, tls, out| {
        if !tls.list.has_ib() || tls.list.has_tcp() || service.fabric.may_have_rdma() || !whole(deployment) {
            return;
        }
        let at = first_ib(&tls).unwrap_or_else(|| tls.span(service));
        out.report(
            at,
            format!("`UCX_TLS={}` needs an RDMA device, but the pod of `{}` asks for none", tls.text, service.name),
            "no device for this transport and no `tcp` to fall back on: the NIXL backend cannot be created",
        )
        .service(service)
        .subject("UCX_TLS")
        .label(service.span, "no `rdma/…` or other RDMA resource here")
        .label_opt(peer_device(deployment, service), "the other role has one")
        .help(
            "add the cluster's RDMA resource to `resources.limits` (`rdma/ib`, `rdma/shared_ib`, …), or \
            append `,tcp` to run without",
        )
        .emit();
    });
}

/// The pod has an RDMA device, and the list keeps UCX from using it.
pub fn ucx_tls_tcp_only_with_rdma(deployment: &Deployment, out: &mut Findings) {
    tls::each(deployment, out, |service, tls, out| {
        // Its twin over NVLink: the ComputeDomain's channel, and no transport that uses it.
        if let Some(claim) = service.fabric.channel().filter(|_| ib_device(service).is_none())
            && tls.list.mode() == Mode::Allow
            && tls.list.has_tcp()
            && !tls.list.has_cuda_ipc()
            && !tls.list.has_ib()
        {
            out.report(
                tls.span(service),
                format!("`UCX_TLS={}` keeps `{}` from using its ComputeDomain", tls.text, service.name),
                "without `cuda_ipc` nothing goes over NVLink: KV cache goes over TCP",
            )
            .service(service)
            .subject("UCX_TLS")
            .label(claim.name.span, "the channel that stays unused")
            .help("add `cuda_ipc`")
            .emit();
            return;
        }
        let Some(device) = ib_device(service) else { return };
        if tls.list.has_ib() || !tls.list.has_tcp() || service.fabric.channel().is_some() {
            return;
        }
        out.report(
            tls.span(service),
            format!("`UCX_TLS={}` keeps `{}` from using its RDMA device", tls.text, service.name),
            "no RDMA transport is left: KV cache goes over TCP",
        )
        .service(service)
        .subject("UCX_TLS")
        .label(device.span, "the device that stays unused")
        .help(
            "remove the variable: UCX takes RDMA where it is, and `cuda_copy` with it; or add `rc_x` and \
            `cuda_copy`",
        )
        .emit();
    });
}

/// Neither RDMA nor a ComputeDomain in the pod, and the list takes NVLink away as well.
pub fn ucx_tls_no_fast_path(deployment: &Deployment, out: &mut Findings) {
    if paired(deployment).is_empty() {
        return;
    }
    tls::each(deployment, out, |service, tls, out| {
        if !tls::slow_by_list(service) {
            return;
        }
        // Who writes `tcp` and no other network transport wants TCP.
        let meant = tls.list.mode() == Mode::Allow && !tls.list.has_ib();
        out.report(
            tls.item_with("cuda_ipc").unwrap_or_else(|| tls.span(service)),
            format!("nothing but TCP is left to move KV cache of `{}`", service.name),
            "`cuda_ipc` is not among the transports, and the pod asks for no RDMA device",
        )
        .service(service)
        .subject("UCX_TLS")
        .label(service.span, "no RDMA resource and no ComputeDomain channel here")
        .label_opt(peer_device(deployment, service), "the other role has one")
        .severity(if meant { Severity::Advice } else { Severity::Warning })
        .help(
            "add the cluster's RDMA resource to prefill and decode (`rdma/ib`, …), or claim one \
            ComputeDomain channel on both and allow `cuda_ipc`",
        )
        .emit();
    });
}

/// RDMA transports by raw name, without the one that connects them.
pub fn ucx_tls_raw_ib_without_aux(deployment: &Deployment, out: &mut Findings) {
    tls::each(deployment, out, |service, tls, out| {
        if !tls.list.only_raw_ib_without_aux() {
            return;
        }
        const RAW: [(&str, &str); 3] = [("rc_mlx5", "rc_x"), ("rc_verbs", "rc_v"), ("dc_mlx5", "dc_x")];
        let item = tls.list.items().iter().find_map(|i| {
            RAW.iter()
                .find(|(raw, _)| i.text.trim_start_matches('\\') == *raw)
                .map(|(_, alias)| (i.range.clone(), *alias))
        });
        let Some((range, alias)) = item else { return };
        let at = tls.text.slice_span(range.clone());
        let raw = &tls.text.as_str()[range.clone()];
        let report = out
            .report(
                at,
                format!("`{raw}` of `{}` has nothing to connect with", service.name),
                "the raw name leaves `ud` out, over which its endpoints are set up",
            )
            .service(service)
            .subject("UCX_TLS")
            .help(format!("write `{alias}`, which brings it along"));
        if at.len() as usize == range.len() { report.fix(Applicability::Safe, at, alias).emit() } else { report.emit() }
    });
}

/// Multi-node NVLink is switched on for a transport that is excluded, or off where it is the only fast path.
pub fn ucx_mnnvl_contradiction(deployment: &Deployment, out: &mut Findings) {
    for service in super::common::ucx_workers(deployment) {
        let Some(var) = service.env.get("UCX_CUDA_IPC_ENABLE_MNNVL").filter(|v| v.written()) else { continue };
        let (Some(value), Some(at)) = (var.known(), value_span(var)) else { continue };
        if super::common::truthy(value) {
            let Some(tls) = tls::list(service).filter(|t| !t.list.has_cuda_ipc()) else { continue };
            let rdma = service.fabric.may_have_rdma();
            out.report(
                at,
                format!(
                    "multi-node NVLink is switched on for `{}`, but `UCX_TLS={}` excludes `cuda_ipc`",
                    service.name, tls.text
                ),
                "has no effect",
            )
            .service(service)
            .subject(var.name.clone())
            .label(
                tls.item_with("cuda_ipc").unwrap_or_else(|| tls.span(service)),
                "the transport that would use NVLink is not allowed",
            )
            .severity(if rdma { Severity::Advice } else { Severity::Warning })
            .help("remove the one that is not meant")
            .emit();
        } else if super::common::falsy(value) && !value.is_empty() {
            let Some(channel) = service.fabric.channel().filter(|_| !service.fabric.may_have_rdma()) else { continue };
            out.report(
                at,
                format!("multi-node NVLink is switched off for `{}`, which has no other fast path", service.name),
                "KV cache goes over TCP",
            )
            .service(service)
            .subject(var.name.clone())
            .label(channel.name.span, "the ComputeDomain channel that stays unused")
            .help("remove it: UCX uses fabric handles where they work")
            .emit();
        }
    }
}

fn append<'a>(
    report: crate::rules::Report<'a>,
    tls: &Tls<'_>,
    name: &str,
    applicability: Applicability,
) -> crate::rules::Report<'a> {
    let span = tls.text.span();
    if span.len() as usize != tls.text.len() || tls.text.is_empty() {
        return report;
    }
    let end = Span::new(span.file, span.end, span.end);
    report.fix_edits(applicability, vec![Edit { span: end, text: format!(",{name}") }])
}

/// The first item that is a transport over RDMA.
fn first_ib(tls: &Tls<'_>) -> Option<Span> {
    if tls.list.mode() != Mode::Allow {
        return None;
    }
    let ib = |text: &str| crate::catalog::ucx::TlsList::parse(text).has_ib();
    tls.list.items().iter().find(|i| ib(i.text)).map(|i| tls.text.slice_span(i.range.clone()))
}

/// A device of the other role.
fn peer_device(deployment: &Deployment, service: &Service) -> Option<Span> {
    let others = paired(deployment).into_iter().find(|(s, ..)| std::ptr::eq(*s, service))?.2;
    others.into_iter().find_map(ib_device).map(|d| d.span)
}
