//! Variables that TensorRT-LLM and SGLang read themselves.

use super::common::{each_variable, falsy, kv_workers, number, path, truthy, value_span, worker, written};
use crate::catalog::vars::{self, Grammar};
use crate::command::json::{self, JsonValue};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, EnvVar, Framework, Service, Transfer};
use crate::rules::Findings;
use crate::source::Span;

/// A switch that is meant to be on, but is not spelled `1`.
pub fn trtllm_bool_not_1(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |_, known| known.is_some_and(|v| v.grammar == Grammar::ExactlyOne),
        |service, var| {
            if vars::lookup(&var.name).is_none_or(|v| v.grammar != Grammar::ExactlyOne) {
                return;
            }
            let Some(value) = var.known().filter(|v| v.as_str() != "1" && !falsy(v)) else { return };
            let Some(at) = value_span(var) else { return };
            let report = out
                .report(at, format!("`{}={value}` leaves it off: only `1` turns it on", var.name), "read as off")
                .service(service)
                .subject(var.name.clone())
                .help("write `1`");
            if truthy(value) {
                report.fix(Applicability::Safe, at, number(value, at, "1")).emit()
            } else {
                report.emit()
            }
        },
    );
}

/// A size without a unit, which TensorRT-LLM refuses.
pub fn trtllm_buffer_size_unit(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |_, known| known.is_some_and(|v| v.grammar == Grammar::SizeWithUnit),
        |service, var| {
            let Some(known) = vars::lookup(&var.name).filter(|v| v.grammar == Grammar::SizeWithUnit) else { return };
            let Some(value) = var.known() else { return };
            let Err(expected) = known.check(value) else { return };
            let Some(at) = value_span(var) else { return };
            let help = expected
                .suggestion
                .map_or("write it with its unit, such as `512MB`".to_owned(), |s| format!("did you mean `{s}`?"));
            out.report(
                at,
                format!("`{value}` is no size for `{}`", var.name),
                "a number and one of `B`, `KB`, `MB`, `GB`, `TB`",
            )
            .service(service)
            .subject(var.name.clone())
            .help(help)
            .emit();
        },
    );
}

/// The device list of Mooncake, given to NIXL.
pub fn sglang_ib_device_with_nixl(deployment: &Deployment, out: &mut Findings) {
    for service in kv_workers(deployment).filter(|s| s.framework == Some(Framework::Sglang)) {
        let nixl = path(service)
            .is_some_and(|p| matches!(p, Transfer::NixlUcx | Transfer::NixlLibfabric | Transfer::NixlOther));
        let Some(flag) = service.flag(&["--disaggregation-ib-device"]).filter(|_| nixl) else { continue };
        out.report(
            flag.full_span(),
            format!("`{}` has no effect with the NIXL backend", flag.name),
            "only Mooncake reads this device list",
        )
        .service(service)
        .subject(flag.name.clone())
        .label_opt(service.kv.span, "the backend is selected here")
        .help("remove it; to restrict UCX to some devices set `UCX_NET_DEVICES`")
        .emit();
    }
}

/// Backend parameters that SGLang cannot read, or that NIXL's UCX plugin never looks at.
pub fn sglang_nixl_params_invalid(deployment: &Deployment, out: &mut Findings) {
    /// Keys that NIXL v1.3.2 reads (`src/plugins/ucx/ucx_backend.cpp`, `ucx_utils.cpp`).
    const READ: [&str; 7] = [
        "device_list",
        "num_workers",
        "num_threads",
        "ucx_num_device_channels",
        "ucx_error_handling_mode",
        "engine_config",
        "split_batch_size",
    ];
    const NAME: &str = "SGLANG_DISAGGREGATION_NIXL_BACKEND_PARAMS";
    for service in kv_workers(deployment).filter(|s| s.framework == Some(Framework::Sglang)) {
        let backend = "SGLANG_DISAGGREGATION_NIXL_BACKEND";
        let nixl = !matches!(path(service), None | Some(Transfer::Mooncake | Transfer::Other | Transfer::None));
        if let Some((var, value)) = written(service, backend).filter(|_| nixl)
            && let Some(plugin) = crate::rules::disagg::plugin_meant(value)
            && let Some(at) = value_span(var)
        {
            out.report(
                at,
                format!("NIXL has no plugin `{value}`"),
                "SGLang stops: the backend is not among the plugins",
            )
            .service(service)
            .subject(backend)
            .help(format!("write `{plugin}`"))
            .fix(Applicability::Unsafe, at, plugin.to_owned())
            .emit();
        }
        let Some(var) = service.env.get(NAME).filter(|v| v.written()) else { continue };
        let ucx = path(service) == Some(Transfer::NixlUcx);
        let Some(value) = var.known() else {
            // The values are not known; the keys mostly stand there.
            for (key, at) in raw_keys(deployment, var).filter(|(k, _)| ucx && !READ.contains(&k.as_str())) {
                unread_key(out, service, &key, at, &READ);
            }
            continue;
        };
        let parsed = match json::parse(value) {
            Ok(parsed) => parsed,
            Err(error) => {
                out.report(
                    error.span,
                    format!("`{NAME}` is no JSON: {}", error.message),
                    "SGLang stops with a ValueError",
                )
                .service(service)
                .subject(NAME)
                .help("write a JSON object of strings, such as `{\"num_threads\": \"4\"}`")
                .emit();
                continue;
            }
        };
        let JsonValue::Object(entries) = &parsed.value else {
            out.report(parsed.span, format!("`{NAME}` is no JSON object"), "SGLang stops with a ValueError")
                .service(service)
                .subject(NAME)
                .help("write a JSON object of strings, such as `{\"num_threads\": \"4\"}`")
                .emit();
            continue;
        };
        for entry in entries {
            if entry.value.as_str().is_none() {
                out.report(
                    entry.value.span,
                    format!("the value of `{}` in `{NAME}` is no string", entry.key),
                    "SGLang stops with a ValueError",
                )
                .service(service)
                .subject(NAME)
                .help("put it in quotes: NIXL takes strings only")
                .emit();
            } else if ucx && !READ.contains(&entry.key.as_str()) {
                unread_key(out, service, &entry.key, entry.key_span, &READ);
            }
        }
    }
}

fn unread_key(out: &mut Findings, service: &Service, key: &str, at: Span, read: &[&str]) {
    let help = if key == "ucx_devices" {
        "write `device_list`".to_owned()
    } else {
        format!("it reads `{}`", read.join("`, `"))
    };
    out.report(at, format!("NIXL's UCX plugin does not read `{key}`"), "no such parameter")
        .service(service)
        .subject("SGLANG_DISAGGREGATION_NIXL_BACKEND_PARAMS")
        .help(help)
        .severity(Severity::Advice)
        .emit();
}

/// Keys of a JSON object in a value as it is written, escaped quotes or not.
fn raw_keys(deployment: &Deployment, var: &EnvVar) -> impl Iterator<Item = (String, Span)> {
    let span = var.winner().span;
    let text = span.map(|s| (s, deployment.recipe.sources.get(s.file)));
    let mut found = Vec::new();
    if let Some((span, file)) = text
        && let Some(raw) = file.text.get(span.range())
    {
        let mut at = 0;
        while let Some(colon) = raw[at..].find(':').map(|n| at + n) {
            at = colon + 1;
            let before = raw[..colon].trim_end().trim_end_matches('"').trim_end_matches('\\');
            let start = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
            let key = &before[start..];
            if before.len() < colon && raw[..start].ends_with('"') && !key.is_empty() {
                let (from, to) = (span.start + start as u32, span.start + before.len() as u32);
                found.push((key.to_owned(), Span::new(span.file, from, to)));
            }
        }
    }
    found.into_iter()
}
