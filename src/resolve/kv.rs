//! How KV cache gets from prefill to decode (reference: interconnect §2.1).

use super::{Env, Framework, KvTransfer, Role, Service, Transfer, Version, config};
use crate::command::json::{self, Json};
use crate::command::{Args, Word};
use crate::source::{Fact, Reason, Span, Spanned};
use crate::yaml::Node;

pub(super) fn of(service: &Service, framework: Framework, args: &Args, env: &Env) -> KvTransfer {
    match framework {
        Framework::Vllm => vllm(service, args),
        Framework::Sglang => sglang(service, args, env),
        Framework::Trtllm => trtllm(service, env),
        Framework::Mocker => plain(Fact::Known(Transfer::None), None),
        Framework::Tokenspeed => unseen(),
    }
}

/// An engine whose command line cannot be seen.
pub(super) fn unseen() -> KvTransfer {
    plain(Fact::Dynamic(Reason::Image), None)
}

fn plain(path: Fact<Transfer>, span: Option<Span>) -> KvTransfer {
    KvTransfer { path, span, ..KvTransfer::default() }
}

fn vllm(service: &Service, args: &Args) -> KvTransfer {
    if let Some(flag) = args.last(&["--kv-transfer-config"]) {
        let Some(word) = flag.value() else { return plain(Fact::Dynamic(Reason::Image), Some(flag.span)) };
        return vllm_json(word);
    }
    if let Some(node) = config::option(service, "kv-transfer-config").filter(|n| !n.is_null()) {
        return match config::json(node) {
            Ok(json) => vllm_config(json, plain(Fact::Unset, Some(node.span))),
            Err(word) => vllm_json(&word),
        };
    }
    // Dynamo 0.x: `--connector nixl|lmcache|kvbm|none …`, default `nixl`. Refused by vLLM workers since 1.0
    // (`components/src/dynamo/vllm/args.py:542`).
    if let Some(flag) = args.last(&["--connector"])
        && service.version().is_none_or(|v| v < Version::new(1, 0))
    {
        let names: Vec<Spanned<String>> =
            flag.values.iter().map(|w| Spanned::new(w.text.as_str().to_owned(), w.span())).collect();
        let has = |name: &str| names.iter().any(|n| n.value.eq_ignore_ascii_case(name));
        let path = if has("nixl") {
            Transfer::NixlUcx
        } else if names.is_empty() || has("none") || has("null") {
            Transfer::None
        } else {
            Transfer::Other
        };
        return KvTransfer {
            path: Fact::Known(path),
            span: Some(flag.span),
            connectors: names,
            ..KvTransfer::default()
        };
    }
    if let Some(reason) = &args.open {
        return plain(Fact::Dynamic(reason.clone()), None);
    }
    if let Some((reason, span)) = config::hidden(service) {
        return plain(Fact::Dynamic(reason), Some(span));
    }
    let default = if service.below(1, 0) { Transfer::NixlUcx } else { Transfer::None };
    plain(Fact::Known(default), None)
}

fn vllm_json(word: &Word) -> KvTransfer {
    let mut out = KvTransfer { span: Some(word.span()), config_text: Some(word.clone()), ..KvTransfer::default() };
    if let Some(reason) = &word.dynamic {
        out.path = Fact::Dynamic(reason.clone());
        return out;
    }
    match json::parse(&word.text) {
        Ok(config) => return vllm_config(config, out),
        Err(error) => out.path = Fact::Dynamic(Reason::Invalid(error.message)),
    }
    out
}

fn vllm_config(config: Json, mut out: KvTransfer) -> KvTransfer {
    nested(&config, &mut out.connectors, 0);
    out.buffer_device = string(config.get("kv_buffer_device"));
    out.path = Fact::Known(path_of(&config, 0).unwrap_or(Transfer::None));
    out.config = Some(config);
    out
}

fn string(json: Option<&Json>) -> Option<Spanned<String>> {
    let json = json?;
    Some(Spanned::new(json.as_str()?.to_owned(), json.span))
}

/// Connector names, outermost first.
fn nested(config: &Json, into: &mut Vec<Spanned<String>>, depth: u8) {
    into.extend(string(config.get("kv_connector")));
    for inner in inner(config).filter(|_| depth < 8) {
        nested(inner, into, depth + 1);
    }
}

/// Connectors within a MultiConnector or PdConnector.
fn inner(config: &Json) -> impl Iterator<Item = &Json> {
    let list = config.get("kv_connector_extra_config").and_then(|extra| extra.get("connectors"));
    list.and_then(Json::as_array).into_iter().flatten()
}

/// The path of a connector: of several the one that moves KV cache between workers.
fn path_of(config: &Json, depth: u8) -> Option<Transfer> {
    let inner: Vec<Transfer> = inner(config).filter(|_| depth < 8).filter_map(|c| path_of(c, depth + 1)).collect();
    if let Some(path) = inner.iter().find(|p| **p != Transfer::Other).or(inner.first()) {
        return Some(*path);
    }
    let name = config.get("kv_connector")?.as_str()?;
    let backends = config.get("kv_connector_extra_config").and_then(|extra| extra.get("backends"));
    let backends: Option<Vec<&str>> =
        backends.and_then(Json::as_array).map(|list| list.iter().filter_map(Json::as_str).collect());
    Some(connector(name, backends.as_deref()))
}

fn connector(name: &str, backends: Option<&[&str]>) -> Transfer {
    if name.starts_with("Nixl") {
        return match backends {
            None | Some([]) => Transfer::NixlUcx,
            Some(list) => nixl(list),
        };
    }
    if name.starts_with("Mooncake") { Transfer::Mooncake } else { Transfer::Other }
}

fn nixl(plugins: &[&str]) -> Transfer {
    let has = |name: &str| plugins.iter().any(|p| p.eq_ignore_ascii_case(name));
    if has("UCX") {
        Transfer::NixlUcx
    } else if has("LIBFABRIC") {
        Transfer::NixlLibfabric
    } else {
        Transfer::NixlOther
    }
}

/// A NIXL plugin named by a variable, UCX by default; with where it is said.
fn nixl_by_env(env: &Env, variable: &str) -> (Fact<Transfer>, Option<Span>) {
    let Some(var) = env.get(variable) else { return (Fact::Known(Transfer::NixlUcx), None) };
    let span = var.winner().span;
    match &var.winner().value {
        Fact::Known(text) => (Fact::Known(nixl(&[text.as_str()])), span),
        Fact::Dynamic(reason) => (Fact::Dynamic(reason.clone()), span),
        Fact::Unset => (Fact::Known(Transfer::NixlUcx), None),
    }
}

fn sglang(service: &Service, args: &Args, env: &Env) -> KvTransfer {
    let said = match args.last(&["--disaggregation-transfer-backend"]) {
        Some(flag) => flag.value().map(|word| match &word.dynamic {
            Some(reason) => (Fact::Dynamic(reason.clone()), word.span()),
            None => (Fact::Known(word.text.as_str().to_owned()), word.span()),
        }),
        None => config::option(service, "disaggregation-transfer-backend")
            .and_then(|node| Some((Fact::Known(node.as_text()?.to_owned()), node.span))),
    };
    // Only a prefill or decode worker opens the path.
    if service.role_known && !matches!(service.role, Role::Prefill | Role::Decode) {
        return plain(Fact::Known(Transfer::None), None);
    }
    match said {
        Some((Fact::Known(name), span)) => match name.as_str() {
            "nixl" => {
                let (path, _) = nixl_by_env(env, "SGLANG_DISAGGREGATION_NIXL_BACKEND");
                plain(path, Some(span))
            }
            "mooncake" | "mooncake_tcp" => plain(Fact::Known(Transfer::Mooncake), Some(span)),
            _ => plain(Fact::Known(Transfer::Other), Some(span)),
        },
        Some((Fact::Dynamic(reason), span)) => plain(Fact::Dynamic(reason), Some(span)),
        _ => match (&args.open, config::hidden(service)) {
            (Some(reason), _) => plain(Fact::Dynamic(reason.clone()), None),
            (None, Some((reason, span))) => plain(Fact::Dynamic(reason), Some(span)),
            // `srt/server_args.py:2988`
            (None, None) => plain(Fact::Known(Transfer::Mooncake), None),
        },
    }
}

fn trtllm(service: &Service, env: &Env) -> KvTransfer {
    let Some(node) = service.config_at(&["cache_transceiver_config"]).filter(|n| !n.is_null()) else {
        if let Some((reason, span)) = config::hidden(service) {
            return plain(Fact::Dynamic(reason), Some(span));
        }
        if let Some(reason) = service.args().and_then(|a| a.open.clone()) {
            return plain(Fact::Dynamic(reason), None);
        }
        return plain(Fact::Known(Transfer::None), None);
    };
    let backend = service.config_at(&["cache_transceiver_config", "backend"]).filter(|n| !n.is_null());
    let (path, span) = match backend.and_then(Node::as_text) {
        None => (Fact::Known(Transfer::None), None),
        Some(name) => match name.to_ascii_uppercase().as_str() {
            "UCX" => (Fact::Known(Transfer::TrtllmUcx), None),
            "NIXL" => nixl_by_env(env, "TRTLLM_NIXL_KVCACHE_BACKEND"),
            "MOONCAKE" => (Fact::Known(Transfer::Mooncake), None),
            "MPI" => (Fact::Known(Transfer::TrtllmMpi), None),
            "DEFAULT" => trtllm_default(env),
            _ => (Fact::Known(Transfer::Other), None),
        },
    };
    let span = backend.map(|n| n.span).or(span).unwrap_or(node.span);
    KvTransfer { path, span: Some(span), transceiver: Some(node.clone()), ..KvTransfer::default() }
}

/// `DEFAULT`: the first of `TRTLLM_USE_{NIXL,UCX,MOONCAKE,MPI}_KVCACHE` that is exactly `1`, else NIXL.
fn trtllm_default(env: &Env) -> (Fact<Transfer>, Option<Span>) {
    for (variable, path) in [
        ("TRTLLM_USE_NIXL_KVCACHE", None),
        ("TRTLLM_USE_UCX_KVCACHE", Some(Transfer::TrtllmUcx)),
        ("TRTLLM_USE_MOONCAKE_KVCACHE", Some(Transfer::Mooncake)),
        ("TRTLLM_USE_MPI_KVCACHE", Some(Transfer::TrtllmMpi)),
    ] {
        match env.fact(variable) {
            Fact::Known(text) if text.as_str() == "1" => match path {
                Some(path) => return (Fact::Known(path), env.get(variable).and_then(|v| v.winner().span)),
                None => break,
            },
            Fact::Dynamic(reason) => return (Fact::Dynamic(reason), None),
            _ => {}
        }
    }
    nixl_by_env(env, "TRTLLM_NIXL_KVCACHE_BACKEND")
}
