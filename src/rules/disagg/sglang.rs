//! SGLang: transfer backend and bind address.

use super::facts::{home, place};
use crate::finding::Severity;
use crate::resolve::{Deployment, FabricKind, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::{Fact, Reason, Span};

/// Disaggregated SGLang workers with a visible command line and config.
fn workers<'a>(deployment: &'a Deployment, out: &mut Findings) -> Vec<&'a Service> {
    let mut seen = Vec::new();
    for service in deployment.disaggregated().filter(|s| s.framework == Some(Framework::Sglang) && s.role_known) {
        if service.args_open() || service.config_open() {
            let reason = service.args().and_then(|a| a.open.clone()).unwrap_or(Reason::Image);
            out.undecided(service, place(service), reason);
        } else {
            seen.push(service);
        }
    }
    seen
}

/// A setting by flag or by key of the `--config` file: value and place.
fn setting(service: &Service, flag: &str, key: &str) -> Fact<(String, Span)> {
    if let Some(flag) = service.flag(&[flag]) {
        let Some(word) = flag.value() else { return Fact::Unset };
        return match (word.as_known(), &word.dynamic) {
            (Some(value), _) => Fact::Known((value.to_owned(), word.span())),
            (None, reason) => Fact::Dynamic(reason.clone().unwrap_or(Reason::Image)),
        };
    }
    match service.config_at(&[key]) {
        Some(node) => match node.as_text() {
            Some(value) => Fact::Known((value.to_owned(), node.span)),
            None => Fact::Unset,
        },
        None => Fact::Unset,
    }
}

/// `sglang-backend-defaults-mooncake`
pub fn sglang_backend_defaults_mooncake(deployment: &Deployment, out: &mut Findings) {
    for service in workers(deployment, out) {
        if !setting(service, "--disaggregation-transfer-backend", "disaggregation-transfer-backend").is_unset() {
            continue;
        }
        // Mooncake settings show that the default is meant.
        let mooncake = service.env.written().any(|v| v.name.starts_with("MC_") || v.name.starts_with("MOONCAKE_"))
            || service.flag(&["--disaggregation-ib-device"]).is_some()
            || service.config_at(&["disaggregation-ib-device"]).is_some();
        if mooncake {
            continue;
        }
        let nixl = service.env.written().find(|v| v.name.starts_with("SGLANG_DISAGGREGATION_NIXL_"));
        let no_fabric = !service.fabric.may_have_rdma() && service.fabric.device(FabricKind::Efa).is_none();
        let severity = match (nixl.is_some(), no_fabric) {
            (true, _) | (_, true) => Severity::Warning,
            _ => Severity::Advice,
        };
        out.report(
            home(service),
            format!("`{}` does not say by which backend KV cache is handed over", service.name),
            if no_fabric {
                "SGLang defaults to `mooncake`, which without an RDMA device goes over TCP"
            } else {
                "SGLang defaults to `mooncake`"
            },
        )
        .service(service)
        .subject("--disaggregation-transfer-backend")
        .severity(severity)
        .label_opt(nixl.and_then(|v| v.winner().name_span), "set for NIXL, which is not selected")
        .help("add `--disaggregation-transfer-backend nixl`, or `mooncake` if that is meant")
        .emit();
    }
}

/// `sglang-bind-host`
pub fn sglang_bind_host(deployment: &Deployment, out: &mut Findings) {
    for service in workers(deployment, out) {
        // The bootstrap server runs in the prefill worker; a decode worker only connects.
        if service.role != Role::Prefill {
            continue;
        }
        // The SGLang of older releases bound it to every address.
        if service.below(0, 6) {
            continue;
        }
        match setting(service, "--host", "host") {
            Fact::Dynamic(reason) => out.undecided(service, place(service), reason),
            Fact::Known((host, span)) if loopback(&host) => {
                out.report(
                    span,
                    format!("the bootstrap server of `{}` listens on `{host}` only", service.name),
                    "no other pod can reach it",
                )
                .service(service)
                .subject("--host")
                .help("write `--host 0.0.0.0`")
                .emit();
            }
            Fact::Known(_) => {}
            Fact::Unset => {
                // The port that nobody reaches, where one is given.
                let port = service.flag(&["--disaggregation-bootstrap-port"]).map(crate::command::Flag::full_span);
                out.report(
                    port.or(service.role_span).unwrap_or_else(|| home(service)),
                    format!("the bootstrap server of `{}` listens on 127.0.0.1 only", service.name),
                    "no `--host`: SGLang binds to 127.0.0.1, and decode pods cannot connect",
                )
                .service(service)
                .subject("--host")
                .label(place(service), "prefill workers run the bootstrap server")
                .help("add `--host 0.0.0.0`")
                .emit();
            }
        }
    }
}

fn loopback(host: &str) -> bool {
    matches!(host, "localhost" | "::1") || host.starts_with("127.")
}
