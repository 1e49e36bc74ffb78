//! NIXL's own variables, KVBM's backend switches, and what vLLM tells its peers.

use super::common::{each_variable, kv_workers, name_span, path, value_span, worker};
use crate::catalog::values;
use crate::catalog::vars::{self, Grammar};
use crate::finding::{Applicability, Severity};
use crate::manifest::quantity;
use crate::resolve::{Deployment, Framework, Service, Transfer};
use crate::rules::Findings;
use crate::source::{Fact, Reason};
use crate::yaml::Node;

/// A boolean that NIXL's reader throws on.
pub fn nixl_invalid_bool(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |_, known| known.is_some_and(|v| v.grammar == Grammar::NixlBool),
        |service, var| {
            let Some(known) = vars::lookup(&var.name).filter(|v| v.grammar == Grammar::NixlBool) else { return };
            let Some(value) = var.known() else { return };
            let Err(expected) = known.check(value) else { return };
            let Some(at) = value_span(var) else { return };
            // Before 1.3 NIXL logs a word that it does not know and goes on without; Dynamo 1.5 has 1.3 in every image.
            let throws = service.at_least(1, 5);
            let (effect, severity) = if throws {
                ("NIXL throws while its agent starts", Severity::Error)
            } else {
                ("NIXL 1.3 and later throw while the agent starts, earlier ones leave it off", Severity::Warning)
            };
            out.report(at, format!("`{value}` is no boolean for `{}`", var.name), effect)
                .service(service)
                .subject(var.name.clone())
                .severity(severity)
                .help(format!("write {}", expected.legal))
                .emit();
        },
    );
}

/// vLLM tells its peers to connect to an address that is theirs, not its own.
pub fn nixl_side_channel_host(deployment: &Deployment, out: &mut Findings) {
    for service in kv_workers(deployment).filter(|s| s.framework == Some(Framework::Vllm)) {
        let Some(var) = service.env.get("VLLM_NIXL_SIDE_CHANNEL_HOST").filter(|v| v.written()) else { continue };
        let host = match &var.winner().value {
            Fact::Known(text) => text.trim(),
            Fact::Dynamic(Reason::Downward(field)) => field,
            _ => continue,
        };
        let why = match host {
            "0.0.0.0" | "::" => "not an address to connect to",
            "localhost" | "::1" => "every other pod takes this for itself",
            _ if host.starts_with("127.") => "every other pod takes this for itself",
            "status.hostIP" if service.fabric.host_network.is_none() => {
                "the node's address: the pod has another, and cannot bind to this one"
            }
            _ if undefined(service, host) => "nothing sets the variable, so these characters are the address",
            _ => continue,
        };
        let Some(at) = value_span(var).filter(|_| path(service) != Some(Transfer::None)) else { continue };
        out.report(at, format!("`{}` announces `{host}` as the address of its NIXL side channel", service.name), why)
            .service(service)
            .subject(var.name.clone())
            .label_opt(service.kv.span, "the handshake of this connector uses it")
            .help(
                "remove the variable (Dynamo sets the pod's address by itself), or take it from `fieldRef: \
            status.podIP`",
            )
            .emit();
    }
}

/// Whether a value is `$(NAME)` of a variable that nothing can set.
fn undefined(service: &Service, value: &str) -> bool {
    let name = value.strip_prefix("$(").and_then(|v| v.strip_suffix(')'));
    service.env.hides().is_none() && name.is_some_and(|name| service.env.get(name).is_none())
}

/// One of two variables that vLLM wants together.
pub fn vllm_nic_mapping_pair(deployment: &Deployment, out: &mut Findings) {
    const PAIR: [&str; 2] = ["VLLM_GPU_NIC_PCIE_MAPPING", "VLLM_NIC_SELECTION_VARS"];
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm)) {
        if service.env.hides().is_some() {
            continue;
        }
        for (have, lack) in [(PAIR[0], PAIR[1]), (PAIR[1], PAIR[0])] {
            let Some(var) = service.env.get(have).filter(|v| v.written()) else { continue };
            if service.env.get(lack).is_some() {
                continue;
            }
            let Some(at) = name_span(var) else { continue };
            out.report(at, format!("`{have}` is set without `{lack}`"), "the engine core fails at start")
                .service(service)
                .subject(have)
                .help(format!("set `{lack}` too, or remove `{have}`"))
                .emit();
        }
    }
}

/// A KVBM backend switch that is no boolean, or a parameter where only a switch is read.
pub fn kvbm_backend_value(deployment: &Deployment, out: &mut Findings) {
    cacheless(deployment, out);
    each_variable(
        deployment,
        worker,
        |name, _| name.starts_with("DYN_KVBM_NIXL_BACKEND_"),
        |service, var| {
            let Some(backend) = var.name.strip_prefix("DYN_KVBM_NIXL_BACKEND_") else { return };
            if backend.contains('_') {
                let Some(at) = name_span(var) else { return };
                out.report(
                    at,
                    format!("`{}` is taken for a backend parameter, which KVBM refuses", var.name),
                    "a second `_` after the backend's name",
                )
                .service(service)
                .subject(var.name.clone())
                .help(
                    "write `DYN_KVBM_NIXL_BACKEND_<NAME>` with `true` or `false`; names with `_` cannot be \
                    given this way",
                )
                .emit();
                return;
            }
            let Some(value) = var.known() else { return };
            let Err(expected) = values::kvbm_bool(value) else { return };
            let Some(at) = value_span(var) else { return };
            out.report(at, format!("`{value}` is no boolean for `{}`", var.name), "KVBM refuses to start with it")
                .service(service)
                .subject(var.name.clone())
                .help(format!("write {}", expected.legal))
                .emit();
        },
    );
}

/// KVBM's connector wants a cache to keep something in (`sanity_check` of `block_manager/distributed/leader.rs`); what is no
/// number counts as none.
fn cacheless(deployment: &Deployment, out: &mut Findings) {
    const SIZES: [&str; 4] = [
        "DYN_KVBM_CPU_CACHE_GB",
        "DYN_KVBM_DISK_CACHE_GB",
        "DYN_KVBM_CPU_CACHE_OVERRIDE_NUM_BLOCKS",
        "DYN_KVBM_DISK_CACHE_OVERRIDE_NUM_BLOCKS",
    ];
    for service in deployment.workers().filter(|s| s.at_least(0, 7)) {
        let vllm = service.kv.connectors.iter().find(|c| c.value == "DynamoConnector").map(|c| c.span);
        let module = service.config_at(&["kv_connector_config", "connector_module"]);
        let of = |module: &&Node| module.as_text().is_some_and(|t| t.ends_with(".trtllm_integration.connector"));
        let module = module.filter(|m| service.framework == Some(Framework::Trtllm) && of(m));
        // Moved into a package of its own with 0.7.
        if let Some(module) = module
            && let Some(text) = module.as_text().filter(|t| t.starts_with("dynamo.llm."))
        {
            out.report(module.span, format!("there is no module `{text}`"), "ModuleNotFoundError at start")
                .service(service)
                .subject("connector_module")
                .help("write `kvbm.trtllm_integration.connector`")
                .emit();
        }
        let Some(at) = vllm.or(module.map(|m| m.span)) else { continue };
        above_memory(service, out);
        let some = |name: &str| match service.env.fact(name) {
            Fact::Unset => false,
            Fact::Known(text) => text.trim().parse::<f64>().is_ok_and(|size| size > 0.0),
            Fact::Dynamic(_) => true,
        };
        // A Secret holds a token; a ConfigMap may hold the sizes.
        let unseen = service.component.main.env_from.iter().any(|from| !from.secret);
        if unseen || service.launch.processes.is_empty() || SIZES.iter().any(|name| some(name)) {
            continue;
        }
        let said = SIZES.iter().find_map(|name| service.env.get(name)).filter(|var| var.written());
        let at = said.and_then(value_span).unwrap_or(at);
        let message = match said.and_then(|var| var.known()) {
            Some(text) => format!("`{text}` is no size of a cache for KVBM"),
            None => format!("KVBM of `{}` has no cache to keep blocks in", service.name),
        };
        out.report(at, message, "KVBM refuses to start with neither CPU nor disk cache")
            .service(service)
            .subject(SIZES[0])
            .help("set `DYN_KVBM_CPU_CACHE_GB` to a number of gigabytes")
            .emit();
    }
}

/// A cache in memory of the host that is larger than what the container may have of it.
fn above_memory(service: &Service, out: &mut Findings) {
    let Some(var) = service.env.get("DYN_KVBM_CPU_CACHE_GB").filter(|var| var.written()) else { return };
    let Some(size) = var.known().and_then(|text| text.trim().parse::<f64>().ok()) else { return };
    let memory = service.component.main.limits.iter().find(|(name, ..)| name == "memory").map(|(.., node)| node);
    let Some((node, limit)) = memory.and_then(|n| Some((n, n.as_text()?))) else { return };
    let Some((bytes, at)) = quantity::parse(limit.trim()).zip(value_span(var)) else { return };
    // Pinned when KVBM starts.
    if size * 1e9 < bytes {
        return;
    }
    out.report(
        at,
        format!("KVBM of `{}` keeps {size} GB, and its memory is limited to {limit}", service.name),
        "where pinned memory counts, the container is killed: OOMKilled",
    )
    .severity(Severity::Advice)
    .service(service)
    .subject("DYN_KVBM_CPU_CACHE_GB")
    .label(node.span, "the limit")
    .help("raise the limit above the cache, or keep less")
    .emit();
}

/// The container toolkit acts on one value only.
pub fn gdrcopy_value(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |name, _| name == "NVIDIA_GDRCOPY",
        |service, var| {
            let Some(value) = var.known().filter(|_| var.name == "NVIDIA_GDRCOPY") else { return };
            if *value.as_str() == *"enabled" || super::common::falsy(value) {
                return;
            }
            let Some(at) = value_span(var) else { return };
            out.report(
                at,
                format!("`NVIDIA_GDRCOPY={value}` does nothing: only `enabled` is acted on"),
                "no /dev/gdrdrv in the container",
            )
            .service(service)
            .subject(var.name.clone())
            .help("write `enabled` on nodes with the gdrdrv module, or remove the variable")
            .fix(Applicability::Unsafe, at, "enabled")
            .emit();
        },
    );
}

/// Whether Mooncake may be in the process by another door than the KV transfer.
fn may_use_mooncake(service: &Service) -> bool {
    path(service).is_none_or(|p| matches!(p, Transfer::Mooncake | Transfer::Other))
        || super::common::command_mentions(service, "ooncake")
        || service.configs.iter().any(|c| c.content.known().is_none_or(|n| super::common::mentions(n, "ooncake")))
        || service.env.written().any(|v| v.name.contains("MOONCAKE"))
}

/// Mooncake variables where Mooncake does not run.
pub fn mc_vars_without_mooncake(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let mut vars = service.env.written().filter(|v| v.name.starts_with("MC_"));
        let Some(first) = vars.next() else { continue };
        if service.framework == Some(Framework::Mocker) || may_use_mooncake(service) {
            continue;
        }
        let Some(at) = name_span(first) else { continue };
        let mut report = out
            .report(
                at,
                format!("`{}` sets Mooncake variables, but nothing in it uses Mooncake", service.name),
                "only Mooncake's transfer engine reads it",
            )
            .service(service)
            .subject(first.name.clone())
            .help("remove them");
        for more in vars {
            if let Some(span) = name_span(more) {
                report = report.label(span, "this one too");
            }
        }
        report.label_opt(service.kv.span, "KV cache is moved by this").emit();
    }
}
