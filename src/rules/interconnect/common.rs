//! What several rules of the family need to know about a service.

use crate::resolve::{Deployment, EnvVar, FabricResource, Framework, Role, Service, Transfer};
use crate::source::{Span, Text};
use crate::yaml::Node;

/// Prefill and decode workers with a real engine, in the deployment or alone (two graphs may share one model).
pub(super) fn kv_workers(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    deployment.services.iter().filter(|s| is_kv_worker(s))
}

/// Whether it hands KV cache over to another worker.
pub(super) fn is_kv_worker(service: &Service) -> bool {
    matches!(service.role, Role::Prefill | Role::Decode) && service.framework != Some(Framework::Mocker)
}

/// The KV path when known.
pub(super) fn path(service: &Service) -> Option<Transfer> {
    service.kv.path.known().copied()
}

/// Whether KV cache blocks are offloaded or pooled by KVBM, which brings its own NIXL agent.
pub(super) fn uses_kvbm(service: &Service) -> bool {
    service.env.written().any(|v| v.name.starts_with("DYN_KVBM_"))
        || service.kv.connectors.iter().any(|c| c.value.contains("Dynamo") || c.value.contains("Kvbm"))
}

/// Where a variable's value stands: its exact characters, else the entry.
pub(super) fn value_span(var: &EnvVar) -> Option<Span> {
    let setting = var.winner();
    match setting.value.known() {
        Some(text) if !text.is_empty() => Some(text.span()),
        _ => setting.span.or(setting.entry_span).or(setting.name_span),
    }
}

/// Where a variable's name stands, else its value.
pub(super) fn name_span(var: &EnvVar) -> Option<Span> {
    let setting = var.winner();
    setting.name_span.or(setting.span).or(setting.entry_span)
}

/// A variable that a manifest sets, with its value when known.
pub(super) fn written<'a>(service: &'a Service, name: &str) -> Option<(&'a EnvVar, &'a Text)> {
    let var = service.env.get(name).filter(|v| v.written())?;
    Some((var, var.known()?))
}

/// Whether that is a spelling of true that anyone may have meant as such.
pub(super) fn truthy(value: &str) -> bool {
    ["1", "y", "yes", "on", "true", "t", "enable", "enabled"].iter().any(|t| value.trim().eq_ignore_ascii_case(t))
}

/// Whether that is a spelling of false.
pub(super) fn falsy(value: &str) -> bool {
    ["", "0", "n", "no", "off", "false", "f", "disable", "disabled"]
        .iter()
        .any(|t| value.trim().eq_ignore_ascii_case(t))
}

/// First RDMA, RoCE or EFA device.
pub(super) fn device(service: &Service) -> Option<&FabricResource> {
    service.fabric.devices.first()
}

/// Whether a string occurs in any scalar below a node.
pub(super) fn mentions(node: &Node, what: &str) -> bool {
    node.as_scalar().is_some_and(|s| s.value.contains(what))
        || node.items().any(|n| mentions(n, what))
        || node.entries().any(|e| mentions(&e.value, what))
}

/// Whether any word of the command line, of the container's command or of its args holds a string.
pub(super) fn command_mentions(service: &Service, what: &str) -> bool {
    let main = &service.component.main;
    service.process.as_ref().is_some_and(|p| p.argv.iter().any(|w| w.text.contains(what)))
        || main.command.items.iter().chain(&main.args.items).any(|n| mentions(n, what))
}

/// Calls `f` for every variable that a manifest sets, once a place: a graph-wide variable belongs to the first worker
/// that has it.
pub(super) fn each_variable<'a>(deployment: &'a Deployment, mut f: impl FnMut(&'a Service, &'a EnvVar)) {
    let mut seen: Vec<(Span, &str)> = Vec::new();
    let workers = deployment.services.iter().filter(|s| s.role.is_worker());
    for service in workers.chain(deployment.services.iter().filter(|s| !s.role.is_worker())) {
        for var in service.env.written() {
            let Some(span) = name_span(var) else { continue };
            if !seen.contains(&(span, var.name.as_str())) {
                seen.push((span, var.name.as_str()));
                f(service, var);
            }
        }
    }
}
