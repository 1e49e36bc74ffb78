//! vLLM: a connector there, and one that Dynamo can drive.

use super::facts::{legacy_role_flag, place};
use crate::catalog;
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::Reason;

/// Workers of vLLM.
pub(super) fn vllm_workers(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    deployment.workers().filter(|s| s.framework == Some(Framework::Vllm))
}

/// Whether anything gives the engine a KV transfer configuration: the flag in any of vLLM's spellings, or a config file.
fn configured(service: &Service) -> bool {
    service.kv.config_text.is_some()
        || service.args().is_some_and(|args| {
            args.flags.iter().any(|f| {
                let name = f.name.replace('_', "-");
                name.starts_with("--kv-transfer-config") || name == "--engine-config-json"
            })
        })
        || ["kv-transfer-config", "kv_transfer_config"].iter().any(|key| service.config_at(&[key]).is_some())
}

/// `vllm-kv-transfer-missing`
pub fn vllm_kv_transfer_missing(deployment: &Deployment, out: &mut Findings) {
    let prefill_here = deployment.role(Role::Prefill).any(|s| s.role_known);
    for service in vllm_workers(deployment).filter(|s| s.role_known) {
        if configured(service) {
            undriven(deployment, service, out);
            continue;
        }
        let prefill = match service.role {
            Role::Prefill => true,
            // Without a prefill worker there is nothing to hand over.
            Role::Decode if prefill_here => false,
            _ => continue,
        };
        // Before 1.0 the connector was `nixl` unless told otherwise; the mode flag itself came with 1.0.
        if service.below(1, 0) && legacy_role_flag(service).is_some() {
            continue;
        }
        // Named by the old flag: `vllm-connector-flag-removed` says it.
        if service.flag(&["--connector"]).is_some() || service.env.get("DYN_CONNECTOR").is_some() {
            continue;
        }
        // The flag and the field of old releases beside an image of no known one: it may be of a release with a default.
        let aged = service.version.is_none()
            && legacy_role_flag(service).is_some()
            && service.component.node.get("dynamoNamespace").is_some();
        if aged || service.args_open() || service.config_open() {
            let reason = service.args().and_then(|a| a.open.clone()).unwrap_or(Reason::Image);
            out.undecided(service, place(service), reason);
            continue;
        }
        let (message, label) = if prefill {
            (
                format!("prefill worker `{}` has no `--kv-transfer-config`", service.name),
                "`dynamo.vllm` exits with a ValueError: no connector is the default since 1.0",
            )
        } else {
            (
                format!("decode worker `{}` has no `--kv-transfer-config`", service.name),
                "no connector: each request is logged as \"no KVConnector found\" and its prompt computed again",
            )
        };
        let value = r#"'{"kv_connector":"NixlConnector","kv_role":"kv_both"}'"#;
        out.report(service.role_span.unwrap_or_else(|| place(service)), message, label)
            .service(service)
            .subject("--kv-transfer-config")
            .severity(if prefill { Severity::Error } else { Severity::Warning })
            .label(place(service), "this process needs a connector in that role")
            .help(format!("add `--kv-transfer-config {value}`"))
            .emit();
    }
}

/// Connectors that hand nothing from prefill to decode, or in a way that Dynamo does not drive; and those around others.
const UNDRIVEN: [&str; 11] = [
    "DynamoConnector",
    "ExampleConnector",
    "FlexKVConnectorV1",
    "LMCacheConnectorV1",
    "MooncakeStoreConnector",
    "MultiConnector",
    "OffloadingConnector",
    "P2pNcclConnector",
    "PdConnector",
    "SharedStorageConnector",
    "SimpleCPUOffloadConnector",
];

/// What may hand over by a store of its own, where Dynamo does not ask by which connector.
const STORES: [&str; 4] =
    ["ExampleConnector", "LMCacheConnectorV1", "MooncakeStoreConnector", "SharedStorageConnector"];

/// Whether the worker runs the vLLM and the Dynamo of a published image.
fn as_published(service: &Service) -> bool {
    let catalog = catalog::flags::component("dynamo-vllm");
    catalog.is_some_and(|catalog| crate::rules::command::published(service, catalog).is_some())
}

/// A prefill worker with connectors none of which Dynamo can drive: from 1.3 on it looks for one in a table of its own
/// (`KV_CONNECTOR_PROTOCOLS` in `dynamo/vllm/kv_connector_protocols.py`), before it speaks NIXL's language to all of them
/// (`PrefillWorkerHandler` in `dynamo/vllm/handlers.py`).
fn undriven(deployment: &Deployment, service: &Service, out: &mut Findings) {
    let connectors = &service.kv.connectors;
    let Some(first) = connectors.first() else { return };
    let tabled = service.at_least(1, 3);
    let undriven = |name: &str| match name {
        "MooncakeConnector" => !tabled,
        _ => UNDRIVEN.contains(&name) && (tabled || !STORES.contains(&name)),
    };
    if service.role != Role::Prefill
        || service.below(1, 0)
        || !(tabled || as_published(service))
        || !connectors.iter().all(|c| undriven(&c.value))
    {
        return;
    }
    // Another one on decode: `kv-connector-mismatch` says it.
    let alone = |s: &Service| s.kv.connectors.len() == 1 && connectors.len() == 1;
    if deployment.role(Role::Decode).any(|s| alone(s) && s.kv.connectors[0].value != first.value) {
        return;
    }
    out.report(
        first.span,
        format!("`{}` has no connector that hands KV cache to decode workers", service.name),
        if tabled {
            "ValueError at each request: \"Unsupported kv_connector … for PD\""
        } else {
            "each request ends in \"No disaggregated params in prefill response\", or decode computes its prompt"
        },
    )
    .service(service)
    .subject("--kv-transfer-config")
    .label_opt(service.role_span, "prefills for others")
    .help("use `NixlConnector`, alone or beside it in a `MultiConnector` (KVBM, LMCache: `PdConnector`)")
    .emit();
}

/// `vllm-connector-flag-removed`
pub fn vllm_connector_flag_removed(deployment: &Deployment, out: &mut Findings) {
    for service in vllm_workers(deployment).filter(|s| !s.below(1, 0)) {
        // A release before 1.0 is likely where the version is not known and the other flags are of that age.
        if service.version.is_none() && legacy_role_flag(service).is_some() {
            continue;
        }
        let help = "write `--kv-transfer-config '{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"kv_both\"}'` for \
                    `nixl`, and nothing at all for `none`";
        if let Some(flag) = service.flag(&["--connector"]) {
            out.report(
                flag.full_span(),
                "`--connector` was removed from `dynamo.vllm`",
                "ValueError at start since Dynamo 1.0",
            )
            .service(service)
            .subject("--connector")
            .help(help)
            .emit();
        } else if let Some(var) = service.env.get("DYN_CONNECTOR") {
            let setting = var.winner();
            let Some(span) = setting.span else { continue };
            if setting.value.known().is_some_and(|v| v.trim().is_empty()) {
                continue;
            }
            out.report(span, "`DYN_CONNECTOR` was removed from `dynamo.vllm`", "ValueError at start since Dynamo 1.0")
                .service(service)
                .subject("DYN_CONNECTOR")
                .help(help)
                .emit();
        }
    }
}
