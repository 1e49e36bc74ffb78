//! `--kv-transfer-config` of vLLM: JSON that it reads, with fields, connectors and words that it knows.

use super::vllm::vllm_workers;
use crate::catalog;
use crate::command::json::{self, Json, JsonEntry, JsonValue};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;

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
        let role = unknown_fields(service, &parsed, out);
        connectors(service, &parsed, out);
        nixl(service, &parsed, out);
        plugins(service, &parsed, out);
        halves(service, &parsed, role, out);
        choices(service, &parsed, out);
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

/// The connector that a configuration names.
fn connector(config: &Json) -> Option<&Json> {
    config.get("kv_connector").filter(|c| c.value != JsonValue::Null)
}

/// Fields that `KVTransferConfig` does not have. Returns the key that is meant to be the role.
fn unknown_fields<'a>(service: &Service, config: &'a Json, out: &mut Findings) -> Option<&'a str> {
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
    role
}

/// Connectors that vLLM does not have, alone or in a list, and Dynamo's own where they are not loaded right.
fn connectors(service: &Service, config: &Json, out: &mut Findings) {
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
            Some((path, Some(text))) if crate::catalog::is_slip(text, "kvbm.vllm_integration.connector") => {
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
}

/// What NIXL's connector reads otherwise than it is written.
fn nixl(service: &Service, config: &Json, out: &mut Findings) {
    if connector(config).and_then(Json::as_str) != Some("NixlConnector") {
        return;
    }
    if let Some((node, device)) = config.get("kv_buffer_device").and_then(|d| Some((d, d.as_str()?)))
        && !["cuda", "cpu", "xpu", "tpu", "hpu"].contains(&device)
    {
        out.report(node.span, format!("`{device}` is no `kv_buffer_device`"), "RuntimeError: vLLM's worker exits")
            .service(service)
            .subject("kv_buffer_device")
            .help("write `cuda` (or `cpu`), or drop it")
            .emit();
    }
    let extra = config.get("kv_connector_extra_config");
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
}

/// NIXL's plugins under names that none of them has.
fn plugins(service: &Service, config: &Json, out: &mut Findings) {
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
        .fix(Applicability::Unsafe, node.span, format!("\"{plugin}\""))
        .emit();
    }
}

/// A role without a connector, or a connector without a role; `role` is the key that is meant to be the role.
fn halves(service: &Service, config: &Json, role: Option<&str>, out: &mut Findings) {
    let meant = |e: &JsonEntry| e.key != "kv_connector" && strsim::damerau_levenshtein("kv_connector", &e.key) <= 3;
    if let JsonValue::Object(entries) = &config.value
        && connector(config).is_none()
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
    if config.get("kv_role").is_none() && connector(config).is_some() {
        out.report(
            config.span,
            "`kv_connector` is set without `kv_role`",
            "vLLM: \"Please specify kv_role when kv_connector is set\"",
        )
        .service(service)
        .subject("--kv-transfer-config")
        .help(role.map_or("add `\"kv_role\": \"kv_both\"`".to_owned(), |key| format!("rename `{key}` to `kv_role`")))
        .emit();
    }
}

/// Values that are none of the few that a field takes.
fn choices(service: &Service, config: &Json, out: &mut Findings) {
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
