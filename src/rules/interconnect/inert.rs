//! Transport variables that stand where nothing reads them.

use super::common::{Reads, is_kv_worker, name_span, own, path, reads_ucx, uses_kvbm};
use crate::resolve::{Deployment, EnvVar, Framework, Role, Service, Transfer};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// KV transfer variables on an aggregated worker.
pub fn transport_vars_in_agg(deployment: &Deployment, out: &mut Findings) {
    // An encoder hands embeddings over by NIXL, and a role that cannot be seen may be a prefill or decode worker.
    let plain = deployment
        .services
        .iter()
        .all(|s| matches!(s.role, Role::Frontend | Role::Router | Role::Planner | Role::Epp | Role::Aggregated));
    if !plain {
        return;
    }
    for service in deployment.role(Role::Aggregated).filter(|s| s.role_known && own_process(s)) {
        if !matches!(service.kv.path, Fact::Known(Transfer::None) | Fact::Unset) || uses_kvbm(service) {
            continue;
        }
        let prefixes: &[&str] = if service.nodes > 1 { &["UCX_"] } else { &["UCX_", "FI_"] };
        let vars = service.env.written().filter(|v| own(v) && prefixes.iter().any(|p| v.name.starts_with(p)));
        report(
            service,
            vars,
            format!("`{}` moves no KV cache, so that nothing reads its transfer variables", service.name),
            "only a KV transfer reads it",
            "remove them: an aggregated worker has no KV transfer",
            None,
            out,
        );
    }
}

/// UCX variables on a worker whose KV cache takes another path.
pub fn ucx_vars_without_ucx(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.services.iter().filter(|s| is_kv_worker(s) && own_process(s)) {
        let Some(other) = path(service) else { continue };
        if reads_ucx(service) != Reads::No || other == Transfer::None {
            continue;
        }
        let what = match other {
            Transfer::NixlLibfabric => "NIXL's LIBFABRIC plugin",
            Transfer::Mooncake => "Mooncake",
            _ => continue,
        };
        let vars = service.env.written().filter(|v| own(v) && v.name.starts_with("UCX_"));
        report(
            service,
            vars,
            format!("`{}` moves KV cache by {what}, which reads no UCX variables", service.name),
            "no effect on this path",
            "remove them",
            service.kv.span,
            out,
        );
    }
}

/// Transport variables on a service that runs no engine.
pub fn frontend_transport_vars(deployment: &Deployment, out: &mut Findings) {
    const PREFIXES: [&str; 5] = ["UCX_", "NCCL_", "FI_", "NVSHMEM_", "MC_"];
    for service in &deployment.services {
        if !matches!(service.role, Role::Frontend | Role::Router | Role::Planner | Role::Epp)
            || service.sidecar.is_some()
        {
            continue;
        }
        let vars = service.env.written().filter(|v| own(v) && PREFIXES.iter().any(|p| v.name.starts_with(p)));
        report(
            service,
            vars,
            format!("`{}` runs no engine, so that nothing reads its transport variables", service.name),
            "read by engines and KV transfers only",
            "remove them, or move them to the workers",
            None,
            out,
        );
    }
}

/// A visible Dynamo process: another program in the pod may read anything.
fn own_process(service: &Service) -> bool {
    service.process.is_some() && service.framework != Some(Framework::Mocker)
}

/// One finding a service: the first variable, with the others as labels.
fn report<'a>(
    service: &Service,
    mut vars: impl Iterator<Item = &'a EnvVar>,
    message: String,
    label: &str,
    help: &str,
    cause: Option<Span>,
    out: &mut Findings,
) {
    let Some(first) = vars.next() else { return };
    let Some(at) = name_span(first) else { return };
    let mut report = out.report(at, message, label).service(service).subject(first.name.clone()).help(help);
    for more in vars {
        if let Some(span) = name_span(more) {
            report = report.label(span, "this one too");
        }
    }
    report.label_opt(cause, "the path is selected here").emit();
}
