//! A draft model on one side of a pair.

use super::facts::pairs;
use super::handshake::nixl_alone;
use crate::catalog::flags;
use crate::command::{Flag, json};
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::rules::command::published;
use crate::source::Span;

/// What a worker drafts with.
struct Draft {
    span: Span,
    method: String,
    model: Option<String>,
}

/// `pd-speculation-mismatch`
pub fn pd_speculation_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        if [prefill, decode].iter().any(|s| s.args_open() || s.config_open()) {
            continue;
        }
        match prefill.framework {
            Some(Framework::Vllm) => vllm(prefill, decode, out),
            Some(Framework::Sglang) => sglang(prefill, decode, out),
            _ => {}
        }
    }
}

/// Everything on a command line that has to do with speculation.
fn flags_of(service: &Service) -> impl Iterator<Item = &Flag> {
    let speculates =
        |f: &&Flag| f.name.starts_with("--spec-") || f.name.starts_with("--speculative") || f.name == "-sc";
    service.args().into_iter().flat_map(|a| &a.flags).filter(speculates)
}

/// The draft of a vLLM worker, when it has KV cache of its own (`use_eagle` of `SpeculativeConfig`). `Err` when that cannot
/// be known: a method that is found out from the model, single settings of it.
fn draft(service: &Service) -> Result<Option<Draft>, ()> {
    let mut flags = flags_of(service);
    let Some(flag) = flags.next() else { return Ok(None) };
    if flags.next().is_some() || !matches!(flag.name.as_str(), "--speculative-config" | "-sc") {
        return Err(());
    }
    let config =
        json::parse(flag.value().filter(|w| w.dynamic.is_none()).map(|w| &w.text).ok_or(())?).map_err(|_| ())?;
    let text = |key: &str| config.get(key).and_then(json::Json::as_str).map(str::to_owned);
    let method = text("method").ok_or(())?;
    let (method, own) = match method.as_str() {
        "mtp" => (method, true),
        name if name.ends_with("_mtp") => ("mtp".to_owned(), true),
        "eagle" | "eagle3" | "dflash" | "dspark" => (method, true),
        "ngram" | "ngram_gpu" | "suffix" | "medusa" | "mlp_speculator" => (method, false),
        _ => return Err(()),
    };
    Ok(own.then(|| Draft { span: flag.full_span(), method, model: text("model") }))
}

fn vllm(prefill: &Service, decode: &Service, out: &mut Findings) {
    const OFF: [&str; 2] = ["--disable-hybrid-kv-cache-manager", "--no-enable-hybrid-kv-cache-manager"];
    const ON: [&str; 2] = ["--no-disable-hybrid-kv-cache-manager", "--enable-hybrid-kv-cache-manager"];
    let Some(catalog) = flags::component("dynamo-vllm") else { return };
    let (Some(p), Some(d)) = (published(prefill, catalog), published(decode, catalog)) else { return };
    let (release, sides) = (d.release, [prefill, decode]);
    // Without the hybrid manager, which is off beside a connector up to 1.2, each layer is a region of its own.
    let apart = |s: &&Service| s.flag(&OFF).is_some() || (release < (1, 3) && s.flag(&ON).is_none());
    let hashed = release >= (1, 5);
    if p.release != release
        || !sides.iter().all(|s| nixl_alone(s))
        || !(hashed || (release >= (0, 8) && sides.iter().all(apart)))
    {
        return;
    }
    let (Ok(ours), Ok(theirs)) = (draft(decode), draft(prefill)) else { return };
    let why = if hashed {
        "NIXL compatibility hash mismatch: decode refuses what prefill offers"
    } else {
        "the draft has KV cache of its own, and NIXL asserts that both sides have as many layers"
    };
    let (at, message, there) = match (&ours, &theirs) {
        (Some(a), Some(b)) if hashed && a.method != b.method => {
            let message = format!("decode drafts by `{}`, prefill by `{}`", a.method, b.method);
            ((decode, a.span), message, Some(b.span))
        }
        (Some(Draft { model: Some(a), span, .. }), Some(Draft { model: Some(b), span: other, .. }))
            if hashed && a != b =>
        {
            ((decode, *span), format!("decode drafts with `{a}`, prefill with `{b}`"), Some(*other))
        }
        (Some(a), None) => ((decode, a.span), format!("decode drafts by `{}`, prefill does not", a.method), None),
        (None, Some(b)) => ((prefill, b.span), format!("prefill drafts by `{}`, decode does not", b.method), None),
        _ => return,
    };
    report(at, message, why, there, "give both workers the same `--speculative-config`", out);
}

/// SGLang's prefill sends the cache of its draft behind that of the model.
fn sglang(prefill: &Service, decode: &Service, out: &mut Findings) {
    let Some(flag) = flags_of(prefill).find(|f| f.name.starts_with("--speculative-algo")) else { return };
    let Some(algorithm) = flag.value().and_then(|w| w.as_known()) else { return };
    let in_config = ["speculative-algorithm", "speculative_algorithm"].iter().any(|k| decode.config_at(&[k]).is_some());
    if !["EAGLE", "EAGLE3", "NEXTN", "STANDALONE"].contains(&algorithm)
        || flags_of(decode).next().is_some()
        || in_config
    {
        return;
    }
    let message = format!("prefill drafts by `{algorithm}`, decode does not");
    let why = "prefill sends the draft's KV cache along, and decode has no place for it";
    let help = "give decode the same `--speculative-*` flags, or take them from prefill: decode may draft alone";
    report((prefill, flag.full_span()), message, why, None, help, out);
}

fn report(
    (service, span): (&Service, Span),
    message: String,
    why: &str,
    there: Option<Span>,
    help: &str,
    out: &mut Findings,
) {
    out.report(span, message, why)
        .service(service)
        .subject("speculation")
        .label_opt(there, "prefill's")
        .help(help)
        .emit();
}
