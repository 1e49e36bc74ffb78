//! TensorRT-LLM: the cache transceiver.

use super::facts::{pairs, place};
use crate::command::json;
use crate::finding::{Applicability, Edit, Severity};
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::{Reason, Span};
use crate::yaml::Node;
use crate::yaml::edit::{New, insert_entry};

const KEY: &str = "cache_transceiver_config";

/// Disaggregated TensorRT-LLM workers.
fn workers(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    deployment.services.iter().filter(|s| {
        s.framework == Some(Framework::Trtllm) && s.role_known && matches!(s.role, Role::Prefill | Role::Decode)
    })
}

/// Whether `--override-engine-args` or `--trtllm.…` say something about that key: `Err` when it cannot be known.
pub(super) fn overridden(service: &Service, key: &str) -> Result<bool, Reason> {
    if service.args_open() {
        return Err(service.args().and_then(|a| a.open.clone()).unwrap_or(Reason::Image));
    }
    if let Some(args) = service.args()
        && args.flags.iter().any(|f| f.name.strip_prefix("--trtllm.").is_some_and(|name| name.starts_with(key)))
    {
        return Ok(true);
    }
    let Some(flag) = service.flag(&["--override-engine-args"]) else {
        let from_env = service.env.get("DYN_TRTLLM_OVERRIDE_ENGINE_ARGS").is_some();
        return if from_env { Err(Reason::Variable("DYN_TRTLLM_OVERRIDE_ENGINE_ARGS".to_owned())) } else { Ok(false) };
    };
    let Some(word) = flag.value() else { return Ok(false) };
    match &word.dynamic {
        Some(reason) => Err(reason.clone()),
        None => Ok(json::parse(&word.text).is_ok_and(|j| j.get(key).is_some())),
    }
}

/// `trtllm-cache-transceiver-missing`
pub fn trtllm_cache_transceiver_missing(deployment: &Deployment, out: &mut Findings) {
    for service in workers(deployment) {
        if service.kv.transceiver.is_some() || service.config_at(&[KEY]).is_some() || service.below(0, 6) {
            continue;
        }
        if service.config_open() {
            let reason = service.configs.iter().find_map(|c| match &c.content {
                crate::source::Fact::Dynamic(reason) => Some((c.span, reason.clone())),
                _ => None,
            });
            if let Some((span, reason)) = reason {
                out.undecided(service, span, reason);
            }
            continue;
        }
        // A config named by the environment alone lies in the image or a volume.
        if service.configs.is_empty() && service.env.get("DYN_TRTLLM_EXTRA_ENGINE_ARGS").is_some() {
            continue;
        }
        match overridden(service, KEY) {
            Ok(true) => continue,
            Err(reason) => {
                out.undecided(service, place(service), reason);
                continue;
            }
            Ok(false) => {}
        }
        let (span, label) = match service.configs.last() {
            Some(config) => (config.span, format!("no `{KEY}` in this file: KV transfer is off")),
            None => (place(service), format!("no engine config with `{KEY}`: KV transfer is off")),
        };
        out.report(
            span,
            format!("{} worker `{}` has no cache transceiver", service.role.as_str(), service.name),
            label,
        )
        .service(service)
        .subject(KEY)
        .label_opt(service.role_span, format!("the {} role is taken here", service.role.as_str()))
        .help(format!("add `{KEY}:` with `backend: DEFAULT` (or `UCX`, `NIXL`) to the engine config of both roles"))
        .emit();
    }
}

/// Values of `backend` (TensorRT-LLM 1.0, `CacheTransceiverConfig`).
const BACKENDS: [&str; 5] = ["DEFAULT", "UCX", "NIXL", "MOONCAKE", "MPI"];

/// `trtllm-transceiver-backend`
pub fn trtllm_transceiver_backend(deployment: &Deployment, out: &mut Findings) {
    for service in workers(deployment).filter(|s| !s.below(0, 6)) {
        let Some(node) = &service.kv.transceiver else { continue };
        if node.as_map().is_none() || service.config_open() || overridden(service, KEY) != Ok(false) {
            continue;
        }
        match node.get("backend").filter(|b| !b.is_null()) {
            None => {
                let at = node.entries().next().map_or(node.span, |e| e.key.span);
                out.report(
                    at,
                    format!("the cache transceiver of `{}` has no backend", service.name),
                    "without `backend` KV transfer is off",
                )
                .service(service)
                .subject("backend")
                .help("add `backend: DEFAULT` (or `UCX`, `NIXL`) under `cache_transceiver_config`")
                .emit();
            }
            Some(value) => {
                let Some(text) = value.as_text().filter(|t| !BACKENDS.contains(t) && !t.contains(['$', '<', '{']))
                else {
                    continue;
                };
                let upper = text.to_ascii_uppercase();
                let known = BACKENDS.contains(&upper.as_str());
                let edit = known.then(|| Edit { span: value.span, text: upper.clone() });
                out.report(
                    value.span,
                    format!("`{text}` is no transceiver backend"),
                    "TensorRT-LLM compares the name exactly and exits",
                )
                .service(service)
                .subject("backend")
                .help(if known {
                    format!("write `{upper}`")
                } else {
                    "write one of `DEFAULT`, `UCX`, `NIXL`, `MOONCAKE`, `MPI`".to_owned()
                })
                .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
                .emit();
            }
        }
    }
}

/// The transceiver's node and the backend it comes out as; `None` when it cannot be known.
fn backend(service: &Service) -> Option<(String, Span)> {
    let node = service.kv.transceiver.as_ref()?;
    let value = node.get("backend")?;
    let name = value.as_str()?.to_ascii_uppercase();
    if name != "DEFAULT" {
        return Some((name, value.span));
    }
    // DEFAULT takes the first of these that is exactly `1`, else NIXL.
    if service.env.hides().is_some() {
        return None;
    }
    for candidate in ["NIXL", "UCX", "MOONCAKE", "MPI"] {
        if let Some(var) = service.env.get(&format!("TRTLLM_USE_{candidate}_KVCACHE"))
            && var.known()?.as_str() == "1"
        {
            return Some((candidate.to_owned(), value.span));
        }
    }
    // Before 1.0 the default was UCX; the two sides agree either way.
    Some(("NIXL".to_owned(), value.span))
}

/// `trtllm-cache-transceiver-mismatch`
pub fn trtllm_cache_transceiver_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment).filter(|(p, _)| p.framework == Some(Framework::Trtllm)) {
        if [prefill, decode].iter().any(|s| s.config_open() || overridden(s, KEY) != Ok(false)) {
            continue;
        }
        let (Some((p, p_span)), Some((d, d_span))) = (backend(prefill), backend(decode)) else { continue };
        if p == d {
            continue;
        }
        out.report(
            d_span,
            format!("prefill hands KV cache over by `{p}`, decode takes it by `{d}`"),
            "the two transceivers do not talk to each other",
        )
        .service(decode)
        .subject(KEY)
        .label(p_span, format!("`{}` uses `{p}`", prefill.name))
        .help("give both the same `cache_transceiver_config.backend`")
        .emit();
    }
}

/// A positive whole number at a key.
fn number(node: Option<&Node>) -> Option<(i128, Span)> {
    let node = node?;
    node.as_int().map(|value| (value, node.span))
}

/// How many tokens the transfer buffer should hold, where something says: the longest prompt that the prefill workers
/// take. Where chunked prefill is off, longer ones than `max_num_tokens` are refused (`_check_arguments` in
/// `tensorrt_llm/llmapi/llm.py`). Where it is on they are taken, and a prompt beyond the buffer gets one of its own, but
/// not through NIXL, which needs its memory registered: the transfer may fail (`getOrAllocateBuffers` in
/// `batch_manager/baseTransBuffer.cpp`). The default of chunked prefill is about to change (NVIDIA/TensorRT-LLM#9499),
/// so it must be said.
fn prompt(deployment: &Deployment, backend: Option<&str>) -> Option<i128> {
    let grows = matches!(backend, Some("UCX" | "MPI"));
    let mut longest = None;
    for service in workers(deployment).filter(|s| s.role == Role::Prefill) {
        let chunked = service.config_at(&["enable_chunked_prefill"]).and_then(Node::as_bool)?;
        let bound = service.config_at(&["max_num_tokens"])?.as_int().filter(|n| (!chunked || grows) && *n > 0)?;
        longest = longest.max(Some(bound));
    }
    longest
}

/// The C++ transceiver asserts that its buffer holds whole blocks (`maxNumTokens % tokensPerBlock` in
/// `batch_manager/cacheTransBuffer.cpp`). A block has 32 tokens unless the config says otherwise; what a model makes of that is
/// a multiple of it.
fn whole_blocks(service: &Service, node: &Node, out: &mut Findings) {
    let block = match service.config_at(&["kv_cache_config", "tokens_per_block"]) {
        Some(said) => said.as_int().filter(|n| *n > 0),
        None => Some(32),
    };
    let python = node.get("transceiver_runtime").is_some_and(|n| n.as_text() != Some("CPP"));
    let (Some(block), Some((tokens, at))) = (block, number(node.get("max_tokens_in_buffer"))) else { return };
    if python || service.flag(&["--kv-block-size"]).is_some() || tokens % block == 0 {
        return;
    }
    out.report(
        at,
        format!("a KV transfer buffer of {tokens} tokens holds no whole number of blocks of {block}"),
        "TensorRT-LLM asserts that it does, and the executor is not created",
    )
    .service(service)
    .subject("max_tokens_in_buffer")
    .severity(Severity::Error)
    .help(format!("write {}", (tokens / block + 1) * block))
    .emit();
}

/// `trtllm-transfer-buffer`
pub fn trtllm_transfer_buffer(deployment: &Deployment, out: &mut Findings) {
    for service in workers(deployment) {
        let Some(node) = &service.kv.transceiver else { continue };
        if service.config_open() || overridden(service, KEY) != Ok(false) {
            continue;
        }
        if node.get("max_tokens_in_buffer").is_some() {
            whole_blocks(service, node, out);
            continue;
        }
        let bounded = service.config_at(&["max_seq_len"]).is_some()
            || service.config_at(&["build_config", "max_seq_len"]).is_some()
            || service.flag(&["--max-seq-len"]).is_some()
            || service.env.get("DYN_TRTLLM_MAX_SEQ_LEN").is_some();
        if bounded {
            continue;
        }
        let at = node.get("backend").map_or(node.span, |n| n.span);
        let bound = prompt(deployment, node.get("backend").and_then(Node::as_text));
        let edit = bound.and_then(|bound| {
            let first = node.entries().next()?.key.span;
            let value = New::Plain(bound.to_string());
            let file = deployment.recipe.sources.get(first.file);
            insert_entry(node, &file, "max_tokens_in_buffer", &value, Some("backend"))
        });
        let amount = bound.map_or_else(
            || "at least the longest prompt in tokens".to_owned(),
            |bound| format!("`max_num_tokens` ({bound}) or the longest prompt: a longer one gets a buffer of its own"),
        );
        out.report(
            at,
            format!("the KV transfer buffer of `{}` has no bound", service.name),
            "neither `max_tokens_in_buffer` nor `max_seq_len`: TensorRT-LLM makes room for the model's whole context",
        )
        .service(service)
        .subject("max_tokens_in_buffer")
        .help(format!("add `max_tokens_in_buffer:` under `cache_transceiver_config`, {amount}"))
        .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
        .emit();
    }
    for (prefill, decode) in pairs(deployment).filter(|(p, _)| p.framework == Some(Framework::Trtllm)) {
        let of = |s: &Service| number(s.kv.transceiver.as_ref().and_then(|n| n.get("max_tokens_in_buffer")));
        let (Some((p, p_span)), Some((d, d_span))) = (of(prefill), of(decode)) else { continue };
        if d >= p || d == 0 || p == 0 {
            continue;
        }
        out.report(
            d_span,
            format!("decode takes KV cache in buffers of {d} tokens, prefill sends up to {p}"),
            format!("smaller than the {p} of `{}`", prefill.name),
        )
        .service(decode)
        .subject("max_tokens_in_buffer")
        .label(p_span, "what prefill may send at once")
        .help(format!("write `max_tokens_in_buffer: {p}` on both sides"))
        .emit();
    }
}

/// `trtllm-env-ignored`
pub fn trtllm_env_ignored(deployment: &Deployment, out: &mut Findings) {
    for service in workers(deployment) {
        let Some(value) = service.kv.transceiver.as_ref().and_then(|n| n.get("backend")) else { continue };
        let Some(backend) = value.as_str().filter(|b| !b.eq_ignore_ascii_case("default")) else { continue };
        for name in ["NIXL", "UCX", "MOONCAKE", "MPI"] {
            let name = format!("TRTLLM_USE_{name}_KVCACHE");
            let Some(var) = service.env.get(&name).filter(|v| v.written()) else { continue };
            let Some(span) = var.winner().name_span.or(var.winner().span) else { continue };
            out.report(
                span,
                format!("`{name}` has no effect on `{}`", service.name),
                format!("read only for `backend: DEFAULT`, and the engine config says `{backend}`"),
            )
            .service(service)
            .subject(name.clone())
            .label(value.span, "this decides")
            .help(format!("remove `{name}`, or write `backend: DEFAULT`"))
            .emit();
        }
    }
}
