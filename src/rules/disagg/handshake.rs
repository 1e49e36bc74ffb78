//! What vLLM's NIXL connector compares before it hands anything over.

use super::facts::{pairs, place};
use crate::catalog::{Release, flags};
use crate::command::Flag;
use crate::command::json::{Json, JsonValue};
use crate::finding::Severity;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::rules::command::published;
use crate::source::Span;

/// `pd-handshake-refused`
pub fn pd_handshake_refused(deployment: &Deployment, out: &mut Findings) {
    for (prefill, decode) in pairs(deployment) {
        unlike(prefill, decode, out);
        if !nixl_alone(prefill) || !nixl_alone(decode) {
            continue;
        }
        release(prefill, decode, out);
        layout(prefill, decode, out);
        for names in [&["--dtype"][..], &["--attention-backend"]] {
            explicit(prefill, decode, names, out);
        }
        states(prefill, decode, out);
        orders(prefill, decode, out);
        memories(prefill, decode, out);
    }
    engines(deployment, out);
}

/// NIXL hands states of convolutions over in the layout `DS` only, which is not the default: a side without it stops at an
/// assertion where the model has such states, and where it has none the variable says nothing.
fn states(prefill: &Service, decode: &Service, out: &mut Findings) {
    const NAME: &str = "VLLM_SSM_CONV_STATE_LAYOUT";
    let set = |s: &Service| s.env.known(NAME).is_some_and(|v| v.as_str() == "DS");
    let (given, other) = match (set(prefill), set(decode)) {
        (true, false) => (prefill, decode),
        (false, true) => (decode, prefill),
        _ => return,
    };
    let said = other.env.get(NAME);
    let Some(there) = given.env.get(NAME).and_then(|v| v.winner().entry_span.or(v.winner().span)) else { return };
    if other.env.hides().is_some() || said.is_some_and(|v| v.known().is_none()) {
        return;
    }
    let here = said.and_then(|v| v.winner().span).unwrap_or_else(|| place(other));
    out.report(here, format!("`{NAME}` is `DS` on one side only"), "NIXL asserts it where the model has such states")
        .service(other)
        .subject(NAME)
        .label(there, format!("`{}` has it", given.name))
        .help(format!("set `{NAME}=DS` on both"))
        .emit();
}

/// Another order of heads and tokens in a block on each side, where none is told to turn them.
fn orders(prefill: &Service, decode: &Service, out: &mut Findings) {
    const NAME: &str = "VLLM_KV_CACHE_LAYOUT";
    let of = |s: &'_ Service| {
        let var = s.env.get(NAME)?;
        Some((var.known()?.to_string(), var.winner().span?))
    };
    let permutes = |s: &Service| s.kv.config.as_ref().is_some_and(|c| c.get("enable_permute_local_kv").is_some());
    let (Some((p, there)), Some((d, here))) = (of(prefill), of(decode)) else { return };
    if p == d || permutes(prefill) || permutes(decode) {
        return;
    }
    out.report(here, format!("`{NAME}` is `{p}` on prefill and `{d}` on decode"), "NIXL refuses the other layout")
        .service(decode)
        .subject(NAME)
        .severity(Severity::Warning)
        .label(there, format!("`{}` differs", prefill.name))
        .help("give prefill and decode the same, or neither")
        .emit();
}

/// KV cache in memory of the host on one side and of the GPU on the other. Decode takes what prefill has for memory of its own kind
/// (`nixl_memory_type`, vllm-project/vllm#53554): NIXL finds no such memory there.
fn memories(prefill: &Service, decode: &Service, out: &mut Findings) {
    const KEY: &str = "kv_buffer_device";
    let of = |s: &Service| match s.kv.config.as_ref()?.get(KEY) {
        Some(said) => said.as_str().filter(|d| matches!(*d, "cuda" | "cpu")).map(|d| (d == "cpu", said.span)),
        None => s.gpus.known().filter(|n| **n > 0).and_then(|_| Some((false, s.kv.span?))),
    };
    let (Some((p, there)), Some((d, here))) = (of(prefill), of(decode)) else { return };
    if p == d || [prefill, decode].iter().any(|s| !s.below(1, 6) || s.below(1, 0)) {
        return;
    }
    let (own, other) = if d { ("the host", "the GPU") } else { ("the GPU", "the host") };
    out.report(
        here,
        format!("decode has KV cache in memory of {own}, prefill in memory of {other}"),
        "up to 1.5 NIXL looks for memory of the same kind on the other side, and finds none",
    )
    .service(decode)
    .subject(KEY)
    .severity(Severity::Warning)
    .label(there, format!("in memory of {other} in `{}`", prefill.name))
    .help(format!("give both the same `{KEY}`, or neither"))
    .emit();
}

/// Decode keeps what it knows of a prefill engine by `engine_id`: a second engine under it is read at the addresses of the first.
fn engines(deployment: &Deployment, out: &mut Findings) {
    let id = |s: &Service| {
        let node = s.kv.config.as_ref()?.get("engine_id")?;
        Some((node.as_str()?.to_owned(), node.span))
    };
    let named: Vec<_> =
        deployment.workers().filter(|s| nixl_alone(s)).filter_map(|s| id(s).map(|(id, at)| (s, id, at))).collect();
    for (index, (service, own, at)) in named.iter().enumerate() {
        let other = named[..index].iter().find(|(_, id, _)| id == own);
        let copies = service.component.replicas.as_ref().filter(|_| service.replicas.known().is_some_and(|n| *n > 1));
        let (Some(there), name) = (match (other, copies) {
            (Some((first, _, there)), _) => (Some(*there), first.name.as_str()),
            (_, Some(replicas)) => (Some(replicas.value.span), "another of its replicas"),
            _ => continue,
        }) else {
            continue;
        };
        out.report(
            *at,
            format!("`{}` has the `engine_id` of another engine", service.name),
            "KV cache of one is read at the addresses of the other",
        )
        .service(service)
        .subject("engine_id")
        .label(there, format!("the same: {name}"))
        .help("drop `engine_id`: vLLM makes one up for each engine")
        .emit();
    }
}

/// Whether a vLLM worker has NIXL's connector alone, all of its command line can be seen, and nothing loosens the comparison.
pub(super) fn nixl_alone(s: &Service) -> bool {
    s.framework == Some(Framework::Vllm)
        && matches!(&s.kv.connectors[..], [one] if one.value == "NixlConnector")
        && s.kv.config.as_ref().is_some_and(|c| !tolerant(c))
        && !s.args_open()
        && !s.config_open()
}

/// Whether the comparison is turned off, or told to let something pass.
fn tolerant(config: &Json) -> bool {
    let Some(JsonValue::Object(keys)) = config.get("kv_connector_extra_config").map(|c| &c.value) else { return false };
    keys.iter().any(|entry| entry.key == "enforce_handshake_compat" || entry.key.contains("hetero"))
}

fn report(
    (prefill, there): (&Service, Span),
    (decode, here): (&Service, Span),
    subject: &str,
    message: String,
    out: &mut Findings,
) {
    out.report(here, message, "NIXL compatibility hash mismatch: decode refuses what prefill offers")
        .service(decode)
        .subject(subject)
        .label(there, format!("`{}` differs", prefill.name))
        .help("give prefill and decode the same")
        .emit();
}

/// Releases of Dynamo whose SGLang changed the messages by which decode asks prefill for KV cache: fields moved
/// (`send_multipart` in `srt/disaggregation/nixl/conn.py` of 0.5.0rc2, 0.5.3 and 0.5.9), and the query of the bootstrap server
/// (`common/conn.py` of 0.5.10). Later ones only append.
const MESSAGES: [(u16, u16); 3] = [(0, 6), (1, 0), (1, 1)];

/// Halves of SGLang or TensorRT-LLM from different releases: nothing compares what they send each other.
fn unlike(prefill: &Service, decode: &Service, out: &mut Findings) {
    let (catalog, engine) = match prefill.framework {
        Some(Framework::Sglang) => ("dynamo-sglang", "SGLang"),
        Some(Framework::Trtllm) => ("dynamo-trtllm", "TensorRT-LLM"),
        _ => return,
    };
    let Some(Apart { releases: (p, d), places: (there, here), message }) = apart(prefill, decode, catalog, engine)
    else {
        return;
    };
    let age = |release| MESSAGES.iter().filter(|first| release >= **first).count();
    let (severity, label) = match engine == "SGLang" && age(p) != age(d) {
        true => (Severity::Error, "prefill reads its requests for KV cache in another order of fields"),
        false => (Severity::Advice, "nothing compares what they send each other"),
    };
    out.report(here, message, label)
        .service(decode)
        .subject("image")
        .severity(severity)
        .label(there, format!("`{}` differs", prefill.name))
        .help("give prefill and decode the same")
        .emit();
}

/// Halves whose engine is of different releases of Dynamo: of prefill, of decode, and where the releases are said.
struct Apart {
    releases: (Release, Release),
    places: (Span, Span),
    message: String,
}

/// Whether the halves run an engine of different releases; none where one of them is not known.
fn apart(prefill: &Service, decode: &Service, catalog: &str, engine: &str) -> Option<Apart> {
    let catalog = flags::component(catalog)?;
    let of = |s: &Service| Some((published(s, catalog)?.release, s.version.as_ref()?.span));
    let ((p, there), (d, here)) = (of(prefill)?, of(decode)?);
    let message = format!("prefill runs the {engine} of Dynamo {}.{}, decode that of {}.{}", p.0, p.1, d.0, d.1);
    (p != d).then_some(Apart { releases: (p, d), places: (there, here), message })
}

/// Each minor release from 1.0 on pins another vLLM, whose version is a part of the hash.
fn release(prefill: &Service, decode: &Service, out: &mut Findings) {
    if let Some(Apart { places: (there, here), message, .. }) = apart(prefill, decode, "dynamo-vllm", "vLLM") {
        report((prefill, there), (decode, here), "image", message, out);
    }
}

/// Ranks of decode pull from ranks of prefill in whole groups (`tp_ratio` of vLLM 0.12.0 to 0.31.0); up to Dynamo 0.8 no rank
/// of decode pulls from several (`Decode TP cannot be smaller than prefill TP`, vLLM 0.11.0 and 0.12.0).
fn layout(prefill: &Service, decode: &Service, out: &mut Findings) {
    let ranks = |s: &Service| match s.flag(&["--tensor-parallel-size", "-tp"]) {
        Some(flag) => Some((flag.value()?.as_known()?.parse::<u32>().ok().filter(|n| *n > 0)?, flag.told())),
        None => Some((1, place(s))),
    };
    let (Some((p, there)), Some((d, here))) = (ranks(prefill), ranks(decode)) else { return };
    let narrow = decode.below(0, 9) && d < p;
    if !narrow && (p % d == 0 || d % p == 0) {
        return;
    }
    out.report(
        here,
        format!("{d} tensor-parallel ranks of decode cannot read the KV cache of {p} of prefill"),
        if narrow {
            "before 0.9 NIXL asserts that decode has as many ranks or more"
        } else {
            "NIXL asserts that one number divides the other"
        },
    )
    .service(decode)
    .subject("--tensor-parallel-size")
    .label(there, format!("`{}` has {p}", prefill.name))
    .help("give decode as many ranks as prefill, or a multiple of them")
    .emit();
}

/// A setting that both say and say differently.
fn explicit(prefill: &Service, decode: &Service, names: &[&str], out: &mut Findings) {
    let of = |s: &Service| -> Option<(String, Span, String)> {
        let flag: &Flag = s.flag(names)?;
        let word = flag.value()?;
        let value = word.as_known()?.to_ascii_lowercase();
        let value = match value.as_str() {
            "half" => "float16",
            "float" => "float32",
            "auto" | "" => return None,
            other => other,
        };
        Some((value.to_owned(), flag.told(), flag.name.clone()))
    };
    // What a release before 1.0 compares was not read.
    if [prefill, decode].iter().any(|s| !s.at_least(1, 0)) {
        return;
    }
    let (Some((p, there, _)), Some((d, here, name))) = (of(prefill), of(decode)) else { return };
    if p != d {
        let message = format!("`{name}` is `{p}` on prefill and `{d}` on decode");
        report((prefill, there), (decode, here), &name, message, out);
    }
}
