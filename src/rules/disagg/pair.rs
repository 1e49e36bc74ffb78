//! What prefill and decode must agree on.

use super::facts::{decoders, model_names, pairs, place, said, served_name};
use super::handshake::nixl_alone;
use super::trtllm;
use crate::command::json::Json;
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::Span;

/// Plugins of `kv_connector_extra_config.backends` of the first NixlConnector, with the place; `UCX` when not said.
fn plugins(config: &Json) -> Option<(Vec<&str>, Span)> {
    let nixl = nixl(config)?;
    match nixl.get("kv_connector_extra_config").and_then(|extra| extra.get("backends")) {
        Some(list) => {
            let names: Option<Vec<&str>> = list.as_array()?.iter().map(Json::as_str).collect();
            Some((names?, list.span))
        }
        None => Some((vec!["UCX"], nixl.span)),
    }
}

/// The NixlConnector's own object: the configuration itself or one of its nested connectors.
fn nixl(config: &Json) -> Option<&Json> {
    if config.get("kv_connector").and_then(Json::as_str) == Some("NixlConnector") {
        return Some(config);
    }
    let nested = config.get("kv_connector_extra_config")?.get("connectors")?.as_array()?;
    nested.iter().find(|c| c.get("kv_connector").and_then(Json::as_str) == Some("NixlConnector"))
}

/// `kv-connector-mismatch`
pub fn kv_connector_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        match prefill.framework {
            Some(Framework::Vllm) => vllm_connectors(prefill, decode, out),
            Some(Framework::Sglang) => sglang_backends(prefill, decode, out),
            Some(Framework::Trtllm) => trtllm_strategies(prefill, decode, out),
            _ => {}
        }
    }
}

fn vllm_connectors(prefill: &Service, decode: &Service, out: &mut Findings) {
    let (Some(p), Some(d)) = (&prefill.kv.config, &decode.kv.config) else { return };
    let (p_nixl, d_nixl) = (nixl(p), nixl(d));
    if p_nixl.is_some() != d_nixl.is_some() {
        // A nested connector of another kind may speak NIXL too; only plain, different names are certain.
        let (Some(a), Some(b)) = (prefill.kv.connectors.first(), decode.kv.connectors.first()) else { return };
        if prefill.kv.connectors.len() == 1 && decode.kv.connectors.len() == 1 && a.value != b.value {
            out.report(
                b.span,
                format!("prefill hands KV cache over by `{}`, decode takes it by `{}`", a.value, b.value),
                "a connector talks to its own kind only",
            )
            .service(decode)
            .subject("--kv-transfer-config")
            .label(a.span, format!("`{}` uses this one", prefill.name))
            .help("use the same `kv_connector` on both sides")
            .emit();
        }
        return;
    }
    if let (Some((ours, place)), Some((theirs, other))) = (plugins(d), plugins(p))
        && !ours.iter().any(|a| theirs.contains(a))
    {
        out.report(
            place,
            format!("prefill and decode share no NIXL backend: {} here, {} there", list(&ours), list(&theirs)),
            "NIXL finds no backend that both agents have",
        )
        .service(decode)
        .subject("--kv-transfer-config")
        .label(other, format!("`{}` has {}", prefill.name, list(&theirs)))
        .help("give both the same `kv_connector_extra_config.backends`")
        .emit();
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

fn sglang_backends(prefill: &Service, decode: &Service, out: &mut Findings) {
    let backend = |s: &Service| -> Option<(String, Span)> {
        if let Some(flag) = s.flag(&["--disaggregation-transfer-backend"]) {
            let word = flag.value()?;
            return Some((word.as_known()?.to_owned(), word.span()));
        }
        if let Some(node) = s.config_at(&["disaggregation-transfer-backend"]) {
            return Some((node.as_str()?.to_owned(), node.span));
        }
        (!s.args_open() && !s.config_open()).then(|| ("mooncake".to_owned(), place(s)))
    };
    let (Some((p, p_span)), Some((d, d_span))) = (backend(prefill), backend(decode)) else { return };
    if p != d {
        out.report(
            d_span,
            format!("prefill hands KV cache over by `{p}`, decode takes it by `{d}`"),
            "the two transfer backends do not talk to each other",
        )
        .service(decode)
        .subject("--disaggregation-transfer-backend")
        .label(p_span, format!("`{}` uses `{p}`", prefill.name))
        .help("give both the same `--disaggregation-transfer-backend`")
        .emit();
    }
    if p != d || p != "nixl" {
        return;
    }
    const PLUGIN: &str = "SGLANG_DISAGGREGATION_NIXL_BACKEND";
    let plugin = |s: &Service, at: Span| match s.env.get(PLUGIN) {
        Some(var) => Some((var.known()?.to_string(), var.winner().span.unwrap_or(at))),
        None => s.env.hides().is_none().then(|| ("UCX".to_owned(), at)),
    };
    let (Some((p, there)), Some((d, here))) = (plugin(prefill, p_span), plugin(decode, d_span)) else { return };
    if !p.eq_ignore_ascii_case(&d) {
        out.report(
            here,
            format!("prefill and decode share no NIXL backend: `{d}` here, `{p}` there"),
            "NIXL finds no backend that both agents have",
        )
        .service(decode)
        .subject(PLUGIN)
        .label(there, format!("`{}` has `{p}`", prefill.name))
        .help(format!("give both the same `{PLUGIN}`"))
        .emit();
    }
}

/// Which half of a pair the frontend's requests come to, said on both: each waits for the other, or neither for any.
fn trtllm_strategies(prefill: &Service, decode: &Service, out: &mut Findings) {
    const NAME: &str = "--disaggregation-strategy";
    let told = |s: &Service| s.version().is_none() || s.below(0, 7);
    let strategy = |s: &Service| match said(s, &[NAME]) {
        Some(said) => Some((said.text.to_owned(), said.value, true)),
        None => (s.flag(&[NAME]).is_none() && !s.args_open()).then(|| ("decode_first".to_owned(), place(s), false)),
    };
    let (Some((p, p_span, p_said)), Some((d, d_span, d_said))) = (strategy(prefill), strategy(decode)) else { return };
    if p == d || !told(prefill) || !told(decode) || !["prefill_first", "decode_first"].contains(&d.as_str()) {
        return;
    }
    let (at, other, of, service) =
        if d_said || !p_said { (d_span, p_span, prefill, decode) } else { (p_span, d_span, decode, prefill) };
    out.report(
        at,
        format!("decode works `{d}`, prefill `{p}`"),
        "each half hands a request over to the other, or neither does",
    )
    .service(service)
    .subject(NAME)
    .label(other, format!("`{}`", of.name))
    .help(format!("give both the same `{NAME}`"))
    .emit();
}

/// `pd-block-size-mismatch`
pub fn pd_block_size_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        let names: &[&str] = match prefill.framework {
            Some(Framework::Vllm | Framework::Mocker) => &["--block-size"],
            Some(Framework::Sglang) => &["--page-size"],
            Some(Framework::Trtllm) => &["--kv-block-size"],
            _ => continue,
        };
        let option = |s| said(s, names).map(|said| (said.text.to_owned(), said.whole));
        let options = option(prefill).zip(option(decode)).map(|(p, d)| ([p, d], names[0].to_owned()));
        // What TensorRT-LLM is told of blocks is not what Dynamo is told.
        let mut places = [options, in_engine_configs(prefill, decode)].into_iter().flatten();
        let Some(([(p, there), (d, here)], name)) = places.find(|([p, d], _)| p.0 != d.0) else { continue };
        out.report(
            here,
            format!("decode works in KV blocks of {d} tokens, prefill in blocks of {p}"),
            format!("{d} here, {p} in `{}`", prefill.name),
        )
        .service(decode)
        .subject(name.clone())
        .label(there, format!("{p} here"))
        .help(format!("give both the same `{name}`"))
        .emit();
    }
}

/// Block sizes of TensorRT-LLM's engine configs, and the key.
fn in_engine_configs(prefill: &Service, decode: &Service) -> Option<([(String, Span); 2], String)> {
    const KEY: &str = "tokens_per_block";
    let size = |service: &Service| {
        let node =
            service.config_at(&["kv_cache_config", KEY]).filter(|_| service.framework == Some(Framework::Trtllm))?;
        Some((node.as_int()?.to_string(), node.span))
    };
    Some(([size(prefill)?, size(decode)?], KEY.to_owned()))
}

/// Tokens that a worker's engine has room for, as written.
fn context(service: &Service) -> Option<(u64, Span)> {
    let name = match service.framework? {
        Framework::Vllm => "--max-model-len",
        Framework::Sglang => "--context-length",
        Framework::Trtllm => "--max-seq-len",
        _ => return None,
    };
    let said = said(service, &[name])?;
    Some((said.text.parse().ok()?, said.whole))
}

/// `pd-context-length-mismatch`
pub fn pd_context_length_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        // Prefill needs no room for the answer: a shorter context there is common and meant.
        let Some((d, here)) = context(decode) else { continue };
        let Some((p, there)) = context(prefill).filter(|(p, _)| *p > d) else { continue };
        out.report(
            here,
            format!("decode has room for {d} tokens, prefill for {p}"),
            "a longer prompt is prefilled and then has nowhere to go",
        )
        .service(decode)
        .subject("context-length")
        .label(there, format!("{p} in `{}`", prefill.name))
        .help("give decode the context of prefill and room for the answer")
        .emit();
    }
}

/// `pd-model-mismatch`
pub fn pd_model_mismatch(deployment: &Deployment, out: &mut Findings) {
    // Pools for several models share a graph only when each has both halves.
    let (Some(prefill), None) = two(deployment.role(Role::Prefill)) else { return };
    let (Some(decode), None) = two(decoders(deployment, prefill)) else { return };
    if !prefill.role_known || deployment.role(Role::Decode).any(|s| !std::ptr::eq(s, decode)) {
        return;
    }
    let name = |s| said(s, model_names(s)?).map(|said| (said.text, said.value));
    if let (Some((p, p_span)), Some((d, d_span))) = (name(prefill), name(decode))
        && let Some(why) = different_models(prefill, decode, p, d)
    {
        out.report(d_span, format!("decode loads `{d}`, prefill loads `{p}`"), why)
            .service(decode)
            .subject("model")
            .label(p_span, format!("`{}` loads this one", prefill.name))
            .help("serve the same model on both sides")
            .emit();
        return;
    }
    overrides(prefill, decode, out);
    let own_name = ["--served-model-name"];
    let served = |s| said(s, &own_name).map(|said| (said.text, said.value));
    if let (Some((p, p_span)), Some((d, d_span))) = (served(prefill), served(decode))
        && p != d
    {
        out.report(
            d_span,
            format!("decode registers as `{d}`, prefill as `{p}`"),
            "Dynamo pairs workers by the name of the model: these two never meet",
        )
        .service(decode)
        .subject("--served-model-name")
        .label(p_span, format!("`{}` registers under this name", prefill.name))
        .help("give both the same `--served-model-name`")
        .emit();
    } else if let (Some(p), Some(d)) = (served_name(prefill), served_name(decode))
        && p != d
        && let Some((flagged, own, at)) = match (served(prefill), served(decode)) {
            (None, Some((_, at))) if !p.starts_with(['/', '.']) => Some((decode, prefill, at)),
            (Some((_, at)), None) if !d.starts_with(['/', '.']) => Some((prefill, decode, at)),
            _ => None,
        }
        && served(own).is_none()
        && own.flag(&own_name).is_none()
        && !own.args_open()
        && !own.config_open()
    {
        out.report(
            at,
            format!("`{}` registers under another name than `{}`", flagged.name, own.name),
            "Dynamo pairs workers by the name of the model: these two never meet",
        )
        .service(flagged)
        .subject("--served-model-name")
        .label_opt(name(own).map(|(_, at)| at), "without `--served-model-name` it registers under this")
        .help("give both the same `--served-model-name`")
        .emit();
    } else if served_name(prefill).is_none() {
        out.undecided(prefill, place(prefill), crate::source::Reason::Image);
    }
}

/// The first two.
fn two<'a>(mut services: impl Iterator<Item = &'a Service>) -> (Option<&'a Service>, Option<&'a Service>) {
    (services.next(), services.next())
}

/// Other settings of the model on one side: positions and layers are then computed otherwise, and nothing compares them.
fn overrides(prefill: &Service, decode: &Service, out: &mut Findings) {
    let names = ["--hf-overrides"];
    let open = |s: &Service| s.framework != Some(Framework::Vllm) || s.args_open() || !s.configs.is_empty();
    if open(prefill) || open(decode) {
        return;
    }
    // The same characters in another order are the same keys.
    let text = |s: &Service| -> Option<Vec<char>> {
        let Some(flag) = s.flag(&names) else { return Some(Vec::new()) };
        let mut all: Vec<char> = flag.value()?.as_known()?.chars().filter(|c| !c.is_whitespace()).collect();
        all.sort_unstable();
        Some(all)
    };
    let (Some(p), Some(d)) = (text(prefill), text(decode)) else { return };
    let Some(flag) = decode.flag(&names).or_else(|| prefill.flag(&names)).filter(|_| p != d) else { return };
    let (here, other) = if decode.flag(&names).is_some() { (decode, prefill) } else { (prefill, decode) };
    out.report(
        flag.told(),
        format!("`{}` and `{}` change the model in different ways", prefill.name, decode.name),
        "KV cache of one is not what the other computes with",
    )
    .service(here)
    .subject("--hf-overrides")
    .severity(Severity::Warning)
    .label(other.flag(&names).map_or_else(|| place(other), |f| f.told()), format!("not so in `{}`", other.name))
    .help("give both the same `--hf-overrides`")
    .emit();
}

/// Why two model references certainly do not go together. Paths and Hub ids are not compared with each other, and a draft or
/// quantised twin (`X` and `X-FP8`) is left to the eye, but for NIXL's connector of vLLM, whose hash has the name.
fn different_models(prefill: &Service, decode: &Service, a: &str, b: &str) -> Option<&'static str> {
    let tail = |s: &str| s.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let path = |s: &str| s.starts_with(['/', '.', '~']);
    if a == b || path(a) != path(b) {
        return None;
    }
    let hashed = !path(a) && [prefill, decode].iter().all(|s| nixl_alone(s) && s.at_least(1, 0));
    let (a, b) = (tail(a), tail(b));
    if a != b && !a.starts_with(&b) && !b.starts_with(&a) && !a.is_empty() && !b.is_empty() {
        return Some("KV cache of one model means nothing to another");
    }
    hashed.then_some("NIXL compatibility hash mismatch: decode refuses what prefill offers")
}

/// The type of KV cache that an engine is told, and where; `auto` when nothing says one, none when something unseen may.
fn kv_dtype(service: &Service) -> Option<(&str, Option<Span>)> {
    if service.args_open() || service.config_open() {
        return None;
    }
    if service.framework == Some(Framework::Trtllm) {
        const KEY: &str = "kv_cache_config";
        let Some(node) = service.config_at(&[KEY, "dtype"]) else { return Some(("auto", None)) };
        return (trtllm::overridden(service, KEY) == Ok(false)).then_some((node.as_text()?, Some(node.span)));
    }
    let names = ["--kv-cache-dtype"];
    let named = service.flag(&names).is_some() || service.config_option(&names[0][2..]).is_some();
    if !named {
        return Some(("auto", None));
    }
    said(service, &names).map(|said| (said.text, Some(said.whole)))
}

/// `pd-kv-dtype-mismatch`
pub fn pd_kv_dtype_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        if !matches!(prefill.framework, Some(Framework::Vllm | Framework::Sglang | Framework::Trtllm)) {
            continue;
        }
        let (Some((p, there)), Some((d, here))) = (kv_dtype(prefill), kv_dtype(decode)) else { continue };
        let Some(at) = here.or(there) else { continue };
        // `fp8` and `fp8_e4m3` are one type; `auto` may come out as any.
        let plain = |v| if v == "fp8" { "fp8_e4m3" } else { v };
        if plain(p) == plain(d) {
            continue;
        }
        let certain = p != "auto" && d != "auto";
        out.report(
            at,
            format!("KV cache is `{p}` on prefill and `{d}` on decode"),
            "the bytes handed over are read as another type",
        )
        .service(if here.is_some() { decode } else { prefill })
        .subject("--kv-cache-dtype")
        .severity(if certain { Severity::Warning } else { Severity::Advice })
        .label_opt(there.filter(|span| *span != at), format!("`{p}` here"))
        .help("give both the same type")
        .emit();
    }
}

/// Connectors that know nothing of vLLM's hybrid KV cache manager: around one of them `PdConnector` turns it off.
const PLAIN_CACHE: [&str; 3] = ["DynamoConnector", "LMCacheConnectorV1", "FlexKVConnectorV1"];

/// `hybrid-cache-asymmetric`
pub fn hybrid_cache_asymmetric(deployment: &Deployment, out: &mut Findings) {
    const OFF: &str = "--disable-hybrid-kv-cache-manager";
    for (prefill, decode) in pairs(deployment) {
        // The vLLM of Dynamo 1.3 is the first that has the manager on beside a connector.
        if prefill.framework != Some(Framework::Vllm) || decode.below(1, 3) || decode.args_open() {
            continue;
        }
        let outer = &prefill.kv.connectors;
        let inner = outer.iter().find(|c| PLAIN_CACHE.contains(&c.value.as_str()));
        let (Some(inner), [own]) = (inner, &decode.kv.connectors[..]) else { continue };
        let off = decode.flag(&[OFF, "--no-enable-hybrid-kv-cache-manager"]).is_some()
            || decode.config_open()
            || decode.config_option(&OFF[2..]).is_some();
        let wraps = outer.first().is_some_and(|c| c.value == "PdConnector");
        if !wraps || own.value != "NixlConnector" || off {
            continue;
        }
        out.report(
            own.span,
            format!("`{}` keeps another KV cache layout than `{}`", decode.name, prefill.name),
            "with vLLM's hybrid KV cache manager on, NIXL refuses the layout of the other side",
        )
        .service(decode)
        .subject(OFF)
        .severity(if decode.version().is_some() { Severity::Warning } else { Severity::Advice })
        .label(inner.span, format!("`{}` does not work with it, so it is off here", inner.value))
        .help(format!("add `{OFF}` to both workers"))
        .emit();
    }
}
