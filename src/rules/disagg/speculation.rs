//! A draft model on one side of a pair.

use super::facts::pairs;
use super::handshake::nixl_alone;
use crate::catalog::flags;
use crate::command::{Flag, json};
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::rules::command::published;
use crate::source::Span;

/// Where a worker is told to draft, by which method, and with which model.
type Draft = (Span, String, String);

/// What decode and prefill draft by or with, and why the two do not fit.
type Misfit = ([Option<(Span, String)>; 2], &'static str);

/// `pd-speculation-mismatch`
pub fn pd_speculation_mismatch(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        let found = match prefill.framework {
            _ if [prefill, decode].iter().any(|s| s.args_open() || s.config_open()) => None,
            Some(Framework::Vllm) => vllm(prefill, decode),
            Some(Framework::Sglang) => sglang(prefill, decode),
            _ => None,
        };
        let Some(([ours, theirs], why)) = found else { continue };
        let name =
            |draft: &Option<(Span, String)>| draft.as_ref().map_or("nothing".to_owned(), |d| format!("`{}`", d.1));
        let message = format!("decode drafts with {}, prefill with {}", name(&ours), name(&theirs));
        let other = theirs.as_ref().map(|d| d.0).filter(|_| ours.is_some());
        let (service, at) = if ours.is_some() { (decode, ours) } else { (prefill, theirs) };
        let Some((at, _)) = at else { continue };
        out.report(at, message, why)
            .service(service)
            .subject("speculation")
            .label_opt(other, "prefill's")
            .help("give both workers the same `--speculative-*`; with SGLang decode may draft alone")
            .emit();
    }
}

/// Everything on a command line that has to do with speculation.
fn flags_of(service: &Service) -> impl Iterator<Item = &Flag> {
    let speculates =
        |f: &&Flag| f.name.starts_with("--spec-") || f.name.starts_with("--speculative") || f.name == "-sc";
    service.args().into_iter().flat_map(|a| &a.flags).filter(speculates)
}

/// The draft of a vLLM worker, when it has KV cache of its own (`use_eagle` of `SpeculativeConfig`): inside, none; outside, not
/// to be known, for a method that is found out from the model, or single settings of it.
fn draft(service: &Service) -> Option<Option<Draft>> {
    let mut flags = flags_of(service);
    let Some(flag) = flags.next() else { return Some(None) };
    if flags.next().is_some() || !matches!(flag.name.as_str(), "--speculative-config" | "-sc") {
        return None;
    }
    let config = json::parse(&flag.value().filter(|w| w.dynamic.is_none())?.text).ok()?;
    let text = |key| config.get(key).and_then(json::Json::as_str);
    let method = match text("method")? {
        "ngram" | "ngram_gpu" | "suffix" | "medusa" | "mlp_speculator" => return Some(None),
        mtp if mtp.ends_with("mtp") => "mtp",
        own @ ("eagle" | "eagle3" | "dflash" | "dspark") => own,
        _ => return None,
    };
    Some(Some((flag.told(), method.to_owned(), text("model").unwrap_or_default().to_owned())))
}

/// What the two of a pair draft by, where vLLM refuses it, and why.
fn vllm(prefill: &Service, decode: &Service) -> Option<Misfit> {
    const OFF: [&str; 2] = ["--disable-hybrid-kv-cache-manager", "--no-enable-hybrid-kv-cache-manager"];
    const ON: [&str; 2] = ["--no-disable-hybrid-kv-cache-manager", "--enable-hybrid-kv-cache-manager"];
    let catalog = flags::component("dynamo-vllm")?;
    let release = published(decode, catalog)?.release;
    // Without the hybrid manager, which is off beside a connector up to 1.2, each layer is a region of its own.
    let apart = |s: &Service| s.flag(&OFF).is_some() || (release < (1, 3) && s.flag(&ON).is_none());
    let (hashed, counted) = (release >= (1, 5), release >= (0, 8) && apart(prefill) && apart(decode));
    if published(prefill, catalog)?.release != release
        || !nixl_alone(prefill)
        || !nixl_alone(decode)
        || !(hashed || counted)
    {
        return None;
    }
    let (ours, theirs) = (draft(decode)?, draft(prefill)?);
    // Of two drafts only the hash tells one from another.
    let both = ours.is_some() && theirs.is_some();
    let by_model = both && ours.as_ref().map(|d| &d.1) == theirs.as_ref().map(|d| &d.1);
    let name = |draft: Option<Draft>| draft.map(|(span, method, model)| (span, if by_model { model } else { method }));
    let named = [name(ours), name(theirs)];
    let texts = [&named[0], &named[1]].map(|n| n.as_ref().map(|n| n.1.as_str()));
    if texts[0] == texts[1] || (both && !hashed) || texts.contains(&Some("")) {
        return None;
    }
    let why = if hashed {
        "NIXL compatibility hash mismatch: decode refuses what prefill offers"
    } else {
        "the draft has KV cache of its own, and NIXL asserts that both sides have as many layers"
    };
    Some((named, why))
}

/// SGLang's prefill sends the cache of its draft behind that of the model.
fn sglang(prefill: &Service, decode: &Service) -> Option<Misfit> {
    let flag = flags_of(prefill).find(|f| f.name.starts_with("--speculative-algo"))?;
    let algorithm = flag.value()?.as_known()?;
    let alone = ["EAGLE", "EAGLE3", "NEXTN", "STANDALONE"].contains(&algorithm)
        && flags_of(decode).next().is_none()
        && decode.configs.is_empty();
    let why = "prefill sends the draft's KV cache along, and decode has no place for it";
    alone.then(|| ([None, Some((flag.full_span(), algorithm.to_owned()))], why))
}
