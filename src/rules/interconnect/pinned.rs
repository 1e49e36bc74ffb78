//! What a disaggregated deployment leaves to its libraries' choice.

use super::common::{device, ib_device, paired, path};
use crate::resolve::{Deployment, FabricKind, Framework, Service, Transfer};
use crate::rules::Findings;

/// The transport of a prefill or decode worker with an RDMA device is left to its library.
pub fn disagg_transport_unpinned(deployment: &Deployment, out: &mut Findings) {
    for (service, side, _) in paired(deployment) {
        let (Some(found), Some(path)) = (device(service), path(service)) else { continue };
        let Some((names, default)) = choice(service, path) else { continue };
        let missing: Vec<&str> = names.iter().copied().filter(|n| service.env.get(n).is_none()).collect();
        if missing.is_empty()
            || service.env.open.as_ref().is_some_and(|r| matches!(r, crate::source::Reason::MissingConfigMap(_)))
        {
            continue;
        }
        let listed = format!("`{}`", missing.join("`, `"));
        let (is, are) = if missing.len() == 1 { ("is", "it") } else { ("are", "them") };
        // Where an overlay brings the device, that is where the variables belong.
        let patched = found.span.file != service.span.file;
        let (at, other) = if patched { (found.span, service.span) } else { (service.span, found.span) };
        out.report(at, format!("{listed} {is} not set on the {} worker `{}`", side.as_str(), service.name), default)
            .service(service)
            .subject(missing[0])
            .label(other, if patched { "the service" } else { "a device whose use could be pinned" })
            .label_opt(service.kv.span, "the KV transfer that would read it")
            .help(format!(
                "fine as it is on most clusters; set {are} on both roles where the choice must not depend on the node"
            ))
            .emit();
    }
}

/// The variables that pin a path, and what happens without them.
fn choice(service: &Service, path: Transfer) -> Option<(&'static [&'static str], &'static str)> {
    match path {
        // On EFA the path itself is what is wrong.
        Transfer::NixlUcx | Transfer::TrtllmUcx if ib_device(service).is_some() => Some((
            &["UCX_TLS", "UCX_NET_DEVICES"],
            "UCX takes every transport and device it finds, and TCP without a message when none of them works",
        )),
        Transfer::NixlLibfabric if service.fabric.device(FabricKind::Efa).is_some() => Some((
            &["FI_PROVIDER", "FI_EFA_USE_DEVICE_RDMA"],
            "libfabric takes the first provider that offers what NIXL asks for",
        )),
        Transfer::Mooncake if service.framework == Some(Framework::Sglang) => {
            let flagged =
                service.flag(&["--disaggregation-ib-device"]).is_some() || service.args_open() || service.config_open();
            (!flagged && service.config_at(&["disaggregation-ib-device"]).is_none()).then_some((
                &["--disaggregation-ib-device"],
                "Mooncake takes every HCA it finds, and TCP when there is none",
            ))
        }
        _ => None,
    }
}
