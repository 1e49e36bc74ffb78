//! vLLM: `--kv-transfer-config` there, readable and accepted.

use super::facts::{legacy_role_flag, place};
use crate::catalog;
use crate::command::json::{self, Json, JsonValue};
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::Reason;

/// Fields of vLLM's `KVTransferConfig`.
fn fields() -> impl Iterator<Item = &'static str> {
    catalog::json::object("dynamo-vllm", "--kv-transfer-config").into_iter().flat_map(catalog::json::Object::top)
}

/// Connectors of vLLM (`vllm/distributed/kv_transfer/kv_connector/factory.py`), for near misses only.
const CONNECTORS: [&str; 8] = [
    "LMCacheConnectorV1",
    "LMCacheMPConnector",
    "MooncakeConnector",
    "MultiConnector",
    "NixlConnector",
    "OffloadingConnector",
    "P2pNcclConnector",
    "SharedStorageConnector",
];

/// Went with the engine of version 0, in vLLM 0.11.
const OF_V0: &str = "LMCacheConnector";

/// The connector that a name with other capitals or a slip of the finger was meant to be.
fn near_connector(name: &str) -> Option<&'static str> {
    if CONNECTORS.contains(&name) {
        return None;
    }
    if name == OF_V0 {
        return Some(CONNECTORS[0]);
    }
    let lower = name.to_ascii_lowercase();
    CONNECTORS.into_iter().find(|c| {
        let known = c.to_ascii_lowercase();
        known == lower
            || known.strip_suffix("connector") == Some(&lower)
            || (strsim::osa_distance(&known, &lower) <= 1 && !lower.ends_with(|c: char| c.is_ascii_digit()))
    })
}

const ROLES: [&str; 3] = ["kv_producer", "kv_consumer", "kv_both"];

fn vllm_workers(deployment: &Deployment) -> impl Iterator<Item = &Service> {
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

/// `kv-transfer-json-invalid`
pub fn kv_transfer_json_invalid(deployment: &Deployment, out: &mut Findings) {
    for service in vllm_workers(deployment) {
        let Some(word) = &service.kv.config_text else { continue };
        if let Some(reason) = &word.dynamic {
            out.undecided(service, word.span(), reason.clone());
            continue;
        }
        let parsed = match json::parse(&word.text) {
            Ok(parsed) => parsed,
            Err(error) => {
                out.report(
                    error.span,
                    format!("`--kv-transfer-config` of `{}` is no JSON: {}", service.name, error.message),
                    "vLLM refuses the value and exits",
                )
                .service(service)
                .subject("--kv-transfer-config")
                .help("write one JSON object in single quotes, e.g. `'{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"kv_both\"}'`")
                .emit();
                continue;
            }
        };
        if !matches!(parsed.value, JsonValue::Object(_)) {
            out.report(
                parsed.span,
                format!("`--kv-transfer-config` of `{}` is no JSON object", service.name),
                "vLLM refuses the value and exits",
            )
            .service(service)
            .subject("--kv-transfer-config")
            .help("write `{\"kv_connector\": …, \"kv_role\": …}`")
            .emit();
            continue;
        }
        unknown_fields(service, &parsed, out);
    }
}

/// Plugins of NIXL whose names are in capitals (`libplugin_UCX.so`, … of its wheels).
const PLUGINS: [&str; 6] = ["UCX", "LIBFABRIC", "GDS", "GDS_MT", "POSIX", "OBJ"];

/// The plugin that a name was meant for: in other letters, or the name of what it drives.
pub(in crate::rules) fn plugin_meant(name: &str) -> Option<&'static str> {
    if PLUGINS.contains(&name) {
        return None;
    }
    match name.to_ascii_uppercase().as_str() {
        "EFA" | "OFI" => Some("LIBFABRIC"),
        "RDMA" | "IB" | "TCP" | "NVLINK" | "CUDA_IPC" => Some("UCX"),
        upper => PLUGINS.into_iter().find(|plugin| *plugin == upper),
    }
}

fn unknown_fields(service: &Service, config: &Json, out: &mut Findings) {
    // The key that is meant to be the role.
    let mut role = None;
    if let JsonValue::Object(entries) = &config.value {
        for entry in entries.iter().filter(|e| fields().all(|field| field != e.key)) {
            let near = fields()
                .map(|f| (strsim::damerau_levenshtein(f, &entry.key), f))
                .min()
                .filter(|(distance, _)| *distance <= 3)
                .map(|(_, field)| field)
                .filter(|field| config.get(field).is_none());
            if near == Some("kv_role") {
                role = Some(entry.key.as_str());
            }
            let extra = ["backends", "connectors", "use_ucx"].contains(&entry.key.as_str());
            let help = match near {
                Some(field) => format!("rename `{}` to `{field}`", entry.key),
                None if extra => format!("`{}` belongs under `kv_connector_extra_config`", entry.key),
                None => "settings of a connector belong under `kv_connector_extra_config`".to_owned(),
            };
            out.report(
                entry.key_span,
                format!("`--kv-transfer-config` has no field `{}`", entry.key),
                "vLLM ignores it, and since 0.16 (Dynamo 1.0) refuses it",
            )
            .service(service)
            .subject("--kv-transfer-config")
            .severity(Severity::Warning)
            .help(help)
            .emit();
        }
    }
    let connector = config.get("kv_connector").filter(|c| c.value != JsonValue::Null);
    let nested = config.get("kv_connector_extra_config").and_then(|c| c.get("connectors")).and_then(Json::as_array);
    for one in nested.into_iter().flatten().chain([config]) {
        let Some((node, name)) = one.get("kv_connector").and_then(|c| Some((c, c.as_str()?))) else { continue };
        // A connector of the user's own comes with its module.
        if one.get("kv_connector_module_path").is_none()
            && let Some(near) = near_connector(name).filter(|_| name != OF_V0 || service.at_least(0, 6))
        {
            out.report(
                node.span,
                format!("vLLM has no connector `{name}`"),
                "ValueError at start: unsupported connector",
            )
            .service(service)
            .subject("kv_connector")
            .help(format!("did you mean `{near}`?"))
            .emit();
        }
        if !matches!(name, "DynamoConnector" | "PdConnector") {
            continue;
        }
        if let Some(list) = one.get("kv_connector_extra_config").and_then(|c| c.get("connectors"))
            && let Some(inner) = list.as_array()
            && name == "PdConnector"
        {
            let first = inner.first().and_then(|c| c.get("kv_connector")).and_then(Json::as_str);
            if inner.len() != 2 || first == Some("NixlConnector") {
                out.report(
                    list.span,
                    "`PdConnector` takes two connectors: one that offloads, then NIXL's",
                    "refused at start",
                )
                .service(service)
                .subject("connectors")
                .help("write `DynamoConnector` or `LMCacheConnectorV1` first, `NixlConnector` second")
                .emit();
            }
        }
        let (at, message, label) = match one.get("kv_connector_module_path").map(|path| (path, path.as_str())) {
            None => (
                node.span,
                format!("vLLM has no connector `{name}` of its own"),
                "ValueError at start: unsupported connector",
            ),
            // Moved into a package of its own with 0.7.
            Some((path, Some(text))) if text.starts_with("dynamo.llm.") && service.at_least(0, 7) => {
                (path.span, format!("there is no module `{text}`"), "ModuleNotFoundError at start")
            }
            Some(_) => continue,
        };
        out.report(at, message, label)
            .service(service)
            .subject("kv_connector_module_path")
            .help("write `\"kv_connector_module_path\": \"kvbm.vllm_integration.connector\"`")
            .emit();
    }
    let nixl = connector.and_then(Json::as_str) == Some("NixlConnector");
    if let Some((node, device)) = config.get("kv_buffer_device").and_then(|d| Some((d, d.as_str()?)))
        && nixl
        && !["cuda", "cpu", "xpu", "tpu", "hpu"].contains(&device)
    {
        out.report(node.span, format!("`{device}` is no `kv_buffer_device`"), "RuntimeError: vLLM's worker exits")
            .service(service)
            .subject("kv_buffer_device")
            .help("write `cuda` (or `cpu`), or drop it")
            .emit();
    }
    let extra = config.get("kv_connector_extra_config").filter(|_| nixl);
    let wrong =
        extra.and_then(|c| c.get("backends")).filter(|b| b.as_str().is_some()).or_else(|| extra?.get("backend"));
    if let Some(node) = wrong {
        out.report(
            node.span,
            "NIXL's plugins are listed in `backends`",
            "not read so: the connector takes UCX or fails",
        )
        .service(service)
        .subject("backends")
        .help("write `\"backends\": [\"LIBFABRIC\"]` with the plugin's name")
        .emit();
    }
    let backends = config.get("kv_connector_extra_config").and_then(|c| c.get("backends")).and_then(Json::as_array);
    for (node, name) in backends.into_iter().flatten().filter_map(|b| Some((b, b.as_str()?))) {
        let Some(plugin) = plugin_meant(name) else { continue };
        out.report(
            node.span,
            format!("NIXL has no plugin `{name}`"),
            "names of plugins are names of files: case counts",
        )
        .service(service)
        .subject("backends")
        .help(format!("write `{plugin}`"))
        .fix(crate::finding::Applicability::Unsafe, node.span, format!("\"{plugin}\""))
        .emit();
    }
    let meant = |e: &crate::command::json::JsonEntry| {
        e.key != "kv_connector" && strsim::damerau_levenshtein("kv_connector", &e.key) <= 3
    };
    if let JsonValue::Object(entries) = &config.value
        && connector.is_none()
        && config.get("kv_role").is_some()
        && !entries.iter().any(meant)
    {
        out.report(
            config.span,
            "`--kv-transfer-config` names no connector",
            "vLLM transfers nothing without `kv_connector`",
        )
        .service(service)
        .subject("kv_connector")
        .help("add `\"kv_connector\": \"NixlConnector\"`")
        .emit();
    }
    match config.get("kv_role") {
        None if connector.is_some() => {
            out.report(
                config.span,
                "`kv_connector` is set without `kv_role`",
                "vLLM: \"Please specify kv_role when kv_connector is set\"",
            )
            .service(service)
            .subject("--kv-transfer-config")
            .help(
                role.map_or("add `\"kv_role\": \"kv_both\"`".to_owned(), |key| format!("rename `{key}` to `kv_role`")),
            )
            .emit();
        }
        _ => {}
    }
    for (key, words) in [("kv_role", &ROLES[..]), ("kv_load_failure_policy", &["recompute", "fail"])] {
        let Some(node) = config.get(key).filter(|node| node.value != JsonValue::Null) else { continue };
        if node.as_str().is_some_and(|word| words.contains(&word)) {
            continue;
        }
        let what = node.as_str().unwrap_or("this");
        out.report(node.span, format!("`{what}` is no `{key}`"), "vLLM refuses the value and exits")
            .service(service)
            .subject("--kv-transfer-config")
            .help(format!("write one of `{}`", words.join("`, `")))
            .emit();
    }
}
