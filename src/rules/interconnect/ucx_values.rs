//! Other UCX variables: values that UCX cannot read, and settings without effect.

use super::common::{
    Reads, asked, each_variable, falsy, ib_device, name_span, path, reads_ucx, ucx_workers, value_span, written,
};
use crate::catalog::Reading;
use crate::catalog::ucx::{BadValue, on_bad_value};
use crate::catalog::vars::{self, Grammar};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, EnvVar, Transfer};
use crate::rules::Findings;

/// A value outside the grammar of its variable.
pub fn ucx_invalid_value(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |s| reads_ucx(s) != Reads::No,
        |_, known| known.is_some_and(|v| matches!(v.grammar, Grammar::Ucx(_))),
        |service, var| {
            let Some(known) =
                vars::lookup(&var.name).filter(|v| matches!(v.grammar, Grammar::Ucx(_)) && !v.is_unread())
            else {
                return;
            };
            // The two lists have rules of their own.
            if matches!(var.name.as_str(), "UCX_TLS" | "UCX_NET_DEVICES") {
                return;
            }
            let Some(value) = var.known() else { return };
            let Err(expected) = known.check(value) else { return };
            let Some(at) = value_span(var) else { return };
            let (effect, severity) = match (&expected.reading, on_bad_value(known)) {
                (Reading::ReadAs(read), _) => (format!("read as `{read}`"), Severity::Warning),
                (Reading::Ignored, _) | (_, BadValue::DefaultUsed) => {
                    ("dropped: the default is used".to_owned(), Severity::Warning)
                }
                (_, BadValue::TransportLost) => {
                    ("the transport it belongs to cannot be opened".to_owned(), Severity::Error)
                }
                (_, BadValue::InitFails) => {
                    ("UCX refuses its configuration and does not start".to_owned(), Severity::Error)
                }
            };
            let report = out
                .report(at, format!("`{value}` is no value for `{}`", var.name), effect)
                .service(service)
                .subject(var.name.clone())
                .severity(severity);
            match &expected.suggestion {
                Some(right) if at.len() as usize == value.len() && !value.is_empty() => {
                    let quoted = value.whole().len() > at.len();
                    // A plain `1` or `y` would not be a string to Kubernetes.
                    let text = if quoted { right.clone() } else { format!("\"{right}\"") };
                    report
                        .help(format!("write `{right}`; legal is {}", expected.legal))
                        .fix(Applicability::Safe, at, text)
                        .emit();
                }
                _ => report.help(format!("write {}", expected.legal)).emit(),
            }
        },
    );
}

/// A variable that UCX had once.
pub fn ucx_removed_variable(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |s| reads_ucx(s) != Reads::No,
        |_, known| known.is_some_and(|v| v.owner == "ucx" && v.removed().is_some()),
        |service, var| {
            let Some(last) = vars::lookup(&var.name).filter(|v| v.owner == "ucx").and_then(|v| v.removed()) else {
                return;
            };
            let Some(at) = name_span(var) else { return };
            out.report(
                at,
                format!("UCX does not read `{}` any more", var.name),
                format!("gone after UCX {}, long before Dynamo 1.0", last.trim_start_matches('v')),
            )
            .service(service)
            .subject(var.name.clone())
            .help("remove it")
            .emit();
        },
    );
}

/// GPUDirect RDMA is off although the pod has an RDMA device.
pub fn ucx_gpu_direct_disabled(deployment: &Deployment, out: &mut Findings) {
    for service in ucx_workers(deployment) {
        let Some((var, value)) = asked(service, "UCX_IB_GPU_DIRECT_RDMA", out) else { continue };
        let (Some(device), Some(at)) = (ib_device(service), value_span(var)) else { continue };
        if value.is_empty() || !falsy(value) || known_bad(var) || !super::common::buffers_on_gpu(service) {
            continue;
        }
        out.report(
            at,
            format!("`{}` may not register GPU memory with its RDMA device", service.name),
            "switches peer memory and dma-buf off: KV cache is staged through host memory, or the transfer hangs",
        )
        .service(service)
        .subject(var.name.clone())
        .label(device.span, "the device")
        .help("remove it: the default `try` uses what the node offers")
        .emit();
    }
}

/// Whether the value is outside its grammar, which another rule reports.
fn known_bad(var: &EnvVar) -> bool {
    match (vars::lookup(&var.name), var.known()) {
        (Some(known), Some(value)) => known.check(value).is_err(),
        _ => false,
    }
}

/// Settings of the rendezvous protocol, which NIXL's transfers do not use.
pub fn ucx_rndv_inert_under_nixl(deployment: &Deployment, out: &mut Findings) {
    const NAMES: [&str; 4] = ["UCX_RNDV_SCHEME", "UCX_RNDV_THRESH", "UCX_MAX_RNDV_RAILS", "UCX_MAX_RNDV_LANES"];
    for service in ucx_workers(deployment).filter(|s| path(s) == Some(Transfer::NixlUcx)) {
        let mut vars = service.env.written().filter(|v| NAMES.contains(&v.name.as_str()));
        let Some(first) = vars.next() else { continue };
        let Some(at) = name_span(first) else { continue };
        let mut report = out
            .report(
                at,
                format!("`{}` does not shape the KV transfer of `{}`", first.name, service.name),
                "NIXL puts and gets; rendezvous is for messages",
            )
            .service(service)
            .subject(first.name.clone())
            .help("remove it; the number of rails of NIXL's transfers is `UCX_MAX_RMA_RAILS`");
        for more in vars {
            if let Some(span) = name_span(more) {
                report = report.label(span, "nor does this");
            }
        }
        report.label_opt(service.kv.span, "KV cache is moved by this").emit();
    }
}

/// An address type that changes nothing.
pub fn ucx_addr_type_noop(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |s| reads_ucx(s) != Reads::No,
        |name, _| name == "UCX_IB_ADDR_TYPE",
        |service, var| {
            let Some(value) = var.known().filter(|_| var.name == "UCX_IB_ADDR_TYPE") else { return };
            if !["eth", "ib_local"].iter().any(|v| value.eq_ignore_ascii_case(v)) {
                return;
            }
            let Some(at) = value_span(var) else { return };
            out.report(
                at,
                format!("`UCX_IB_ADDR_TYPE={value}` changes nothing"),
                "only `ib_site_local` and \
                `ib_global` do something",
            )
            .service(service)
            .subject(var.name.clone())
            .help(
                "remove it: RoCE ports use global addresses by themselves; to force them on InfiniBand \
                write `UCX_IB_IS_GLOBAL=y`",
            )
            .emit();
        },
    );
}

/// A GID index together with a list of subnets.
pub fn ucx_gid_and_subnets(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.services.iter().filter(|s| reads_ucx(s) != Reads::No) {
        let Some((index, number)) = written(service, "UCX_IB_GID_INDEX") else { continue };
        let Some((subnets, list)) = written(service, "UCX_IB_ROCE_SUBNETS") else { continue };
        let Some(at) = value_span(index) else { continue };
        if number.eq_ignore_ascii_case("auto") || list.is_empty() {
            continue;
        }
        out.report(
            at,
            format!("`{}` sets both a GID index and a list of RoCE subnets", service.name),
            "UCX refuses the pair and the device is lost",
        )
        .service(service)
        .subject(index.name.clone())
        .label_opt(value_span(subnets), "the subnets")
        .help("keep one: the subnets choose the GID by themselves")
        .emit();
    }
}

/// A GID index as a number, which holds on one kind of node only.
pub fn ucx_gid_index_hardcoded(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        for name in ["UCX_IB_GID_INDEX", "NCCL_IB_GID_INDEX"] {
            let Some((var, value)) = written(service, name) else { continue };
            let used = match name {
                "UCX_IB_GID_INDEX" => path(service).is_some_and(Transfer::reads_ucx),
                _ => service.nodes > 1,
            };
            if !used || value.parse::<u32>().is_err() || service.env.get("UCX_IB_ROCE_SUBNETS").is_some() {
                continue;
            }
            let Some(at) = value_span(var) else { continue };
            out.report(
                at,
                format!("`{name}={value}` fixes an index that differs from node to node"),
                "the table of GIDs depends on the interfaces of the pod and of the node",
            )
            .service(service)
            .subject(name)
            .help("remove it: the RoCE v2 address is found without it")
            .emit();
        }
    }
}
