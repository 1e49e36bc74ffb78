//! AWS EFA: the backend that can drive it, and libfabric's own variables.

use super::common::{falsy, is_kv_worker, kv_workers, name_span, path, truthy, uses_kvbm, value_span, whole, written};
use crate::catalog::vars;
use crate::resolve::{Deployment, EnvVar, FabricKind, FabricResource, Framework, Service, Transfer};
use crate::rules::Findings;

/// The pod has EFA devices, but KV cache goes over NIXL's UCX plugin.
pub fn efa_with_ucx_backend(deployment: &Deployment, out: &mut Findings) {
    for (service, efa) in efa_over_ucx(deployment) {
        if wrong_selectors(service).next().is_some() {
            continue;
        }
        let at = service.kv.span.unwrap_or(efa.span);
        let mut report = out
            .report(
                at,
                format!("`{}` has EFA devices, but NIXL moves its KV cache over UCX", service.name),
                if service.kv.span.is_some() {
                    "the backend is UCX unless it says otherwise"
                } else {
                    "nothing selects LIBFABRIC"
                },
            )
            .service(service)
            .subject(selector(service.framework).0)
            .help(selector(service.framework).1);
        if service.kv.span.is_some() {
            report = report.label(efa.span, "UCX drives these by TCP or SRD only");
        }
        report.emit();
    }
}

/// The pod has EFA devices, and a variable means to select LIBFABRIC but does not for this engine.
pub fn efa_wrong_selector(deployment: &Deployment, out: &mut Findings) {
    for (service, efa) in efa_over_ucx(deployment) {
        let mut wrong = wrong_selectors(service);
        let Some(first) = wrong.next() else { continue };
        let Some(at) = name_span(first) else { continue };
        let engine = service.framework.map_or("this engine", Framework::title);
        let mut report = out
            .report(
                at,
                format!("`{}` does not select the backend of {engine}'s KV transfer, which stays UCX", first.name),
                "not read on this path",
            )
            .service(service)
            .subject(first.name.clone())
            .help(selector(service.framework).1)
            .label(efa.span, "the EFA devices stay unused or slow");
        for more in wrong {
            if let Some(span) = name_span(more) {
                report = report.label(span, "nor is this");
            }
        }
        report.label_opt(service.kv.span, "the backend is selected here").emit();
    }
    for service in kv_workers(deployment).filter(|s| path(s) == Some(Transfer::NixlLibfabric)) {
        let Some(efa) = service.fabric.device(FabricKind::Efa) else { continue };
        for (name, why) in [
            ("FI_PROVIDER", "libfabric leaves the provider `efa` out: KV cache goes by what is left, or not at all"),
            ("FI_EFA_USE_DEVICE_RDMA", "every transfer is emulated in messages instead of read by the device"),
        ] {
            let Some((var, value)) = written(service, name) else { continue };
            let off = if name == "FI_PROVIDER" { without_efa(value) } else { falsy(value) };
            let Some(at) = value_span(var).filter(|_| off) else { continue };
            out.report(at, format!("`{name}={value}` keeps KV cache of `{}` off its EFA devices", service.name), why)
                .service(service)
                .subject(name)
                .label(efa.span, "asked for here")
                .help(if name == "FI_PROVIDER" { "write `efa`, or drop it" } else { "write `1`, or drop it" })
                .emit();
        }
    }
}

/// Whether a list of libfabric's providers leaves `efa` out; behind `^` it says which are left out. `efa-direct` is a fabric of it,
/// no provider.
fn without_efa(list: &str) -> bool {
    let (listed, negated) = list.trim().strip_prefix('^').map_or((list.trim(), false), |rest| (rest, true));
    let efa = listed.split([',', ';']).any(|name| name.trim().eq_ignore_ascii_case("efa"));
    !listed.is_empty() && efa == negated
}

/// Huge pages are asked of libfabric, but the pod may use none.
pub fn efa_hugepages(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some((var, value)) = written(service, "FI_EFA_USE_HUGE_PAGE") else { continue };
        let main = &service.component.main;
        let pages = main.limits.iter().any(|(name, ..)| name.starts_with("hugepages-"));
        if !whole(deployment) || !truthy(value) || pages || !service.fabric.on_efa() {
            continue;
        }
        let Some(at) = value_span(var) else { continue };
        out.report(
            at,
            format!("`{}` asks for huge pages, but its pod has no `hugepages-2Mi` limit", service.name),
            "on a node with huge pages the first touch may end in SIGBUS",
        )
        .service(service)
        .subject(var.name.clone())
        .help("add `hugepages-2Mi` (and as much memory) to `resources.limits`, or write `0`")
        .emit();
    }
}

/// `FI_EFA_ENABLE_SHM_TRANSFER` is an integer.
pub fn efa_shm_transfer(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let Some((var, value)) = written(service, "FI_EFA_ENABLE_SHM_TRANSFER") else { continue };
        let Some(at) = value_span(var) else { continue };
        if vars::lookup(&var.name).is_none_or(|v| v.check(value).is_ok()) {
            continue;
        }
        let meant = match (truthy(value), falsy(value)) {
            (true, _) => "write `1`",
            (_, true) => "write `0`",
            _ => "write `0` or `1`",
        };
        out.report(
            at,
            format!("`FI_EFA_ENABLE_SHM_TRANSFER` takes an integer, not `{value}`"),
            "libfabric cannot read it",
        )
        .service(service)
        .subject(var.name.clone())
        .help(meant)
        .emit();
    }
}

/// Variables at whose sight the EFA provider calls `abort()`.
pub fn fi_aborting_variable(deployment: &Deployment, out: &mut Findings) {
    const ABORT: [&str; 3] = ["FI_EFA_MTU_SIZE", "FI_EFA_TX_IOV_LIMIT", "FI_EFA_RX_IOV_LIMIT"];
    for service in deployment.workers() {
        let efa = service.fabric.device(FabricKind::Efa);
        if !service.fabric.on_efa() && path(service) != Some(Transfer::NixlLibfabric) {
            continue;
        }
        for var in service.env.written().filter(|v| ABORT.contains(&v.name.as_str())) {
            let Some(at) = name_span(var) else { continue };
            out.report(
                at,
                format!("libfabric aborts the process when `{}` is set", var.name),
                "the EFA provider calls abort() whatever the value",
            )
            .service(service)
            .subject(var.name.clone())
            .label_opt(efa.map(|e| e.span), "the EFA provider is loaded for this")
            .help("remove it: the provider has no such knob any more")
            .emit();
        }
    }
}

/// libfabric variables where nothing uses libfabric.
pub fn fi_vars_without_libfabric(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let mut vars = service.env.written().filter(|v| v.name.starts_with("FI_"));
        let Some(first) = vars.next() else { continue };
        let Some(path) = path(service) else { continue };
        let mooncake_efa = path == Transfer::Mooncake || path == Transfer::Other;
        if path == Transfer::NixlLibfabric
            || mooncake_efa
            || uses_kvbm(service)
            || service.fabric.on_efa()
            || service.nodes > 1
            || super::common::command_mentions(service, "LIBFABRIC")
        {
            continue;
        }
        let Some(at) = name_span(first) else { continue };
        let mut report = out
            .report(
                at,
                format!("`{}` sets libfabric variables, but nothing in it uses libfabric", service.name),
                "no EFA device, and KV cache takes another path",
            )
            .service(service)
            .subject(first.name.clone())
            .help("remove them, or select the LIBFABRIC backend and ask for `vpc.amazonaws.com/efa`");
        for more in vars {
            if let Some(span) = name_span(more) {
                report = report.label(span, "this one too");
            }
        }
        report.label_opt(service.kv.span, "KV cache is moved by this").emit();
    }
}

/// Workers with EFA devices whose KV cache goes over NIXL's UCX plugin without a sign that SRD is meant.
fn efa_over_ucx(deployment: &Deployment) -> impl Iterator<Item = (&Service, &FabricResource)> {
    kv_workers(deployment).filter(|s| is_kv_worker(s) && path(s) == Some(Transfer::NixlUcx)).filter_map(|service| {
        let srd = service.env.known("UCX_TLS").is_some_and(|t| t.split(',').any(|token| token.trim() == "srd"));
        let efa = service.fabric.device(FabricKind::Efa)?;
        (!srd).then_some((service, efa))
    })
}

/// Variables that mean to select LIBFABRIC but are not read on the path of this engine.
fn wrong_selectors(service: &Service) -> impl Iterator<Item = &EnvVar> {
    let right = match service.framework {
        Some(Framework::Sglang) => "SGLANG_DISAGGREGATION_NIXL_BACKEND",
        Some(Framework::Trtllm) => "TRTLLM_NIXL_KVCACHE_BACKEND",
        _ => "",
    };
    service.env.written().filter(move |var| {
        let Some(value) = var.known() else { return false };
        if var.name == right || !var.name.contains("BACKEND") {
            return false;
        }
        match var.name.strip_prefix("DYN_KVBM_NIXL_BACKEND_") {
            Some(backend) => backend == "LIBFABRIC" && truthy(value),
            None => var.name.contains("NIXL") && value.trim().eq_ignore_ascii_case("libfabric"),
        }
    })
}

/// What selects NIXL's plugin: its name and what to write.
fn selector(framework: Option<Framework>) -> (&'static str, &'static str) {
    match framework {
        Some(Framework::Sglang) => (
            "SGLANG_DISAGGREGATION_NIXL_BACKEND",
            "set `SGLANG_DISAGGREGATION_NIXL_BACKEND=LIBFABRIC` on both roles and use an image with EFA support",
        ),
        Some(Framework::Trtllm) => (
            "TRTLLM_NIXL_KVCACHE_BACKEND",
            "set `TRTLLM_NIXL_KVCACHE_BACKEND=LIBFABRIC` on both roles and use an image with EFA support",
        ),
        _ => (
            "--kv-transfer-config",
            "add `\"kv_connector_extra_config\": {\"backends\": [\"LIBFABRIC\"]}` to `--kv-transfer-config` \
                on both roles and use an image with EFA support",
        ),
    }
}
