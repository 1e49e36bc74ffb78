//! Options of workers that Dynamo's own validators do not take together.
//!
//! Source: `validate` of `dynamo/{vllm,sglang,trtllm}/backend_args.py` and the checks of `args.py` beside them, in the wheels of
//! ai-dynamo 0.7.1 to 1.6.1; `ServerArgs._handle_disaggregation` of SGLang 0.5.3.post2 to 0.5.6.post2. They run behind argparse,
//! with the defaults from variables already in force.

use super::release::{parser, published};
use crate::catalog::Release;
use crate::catalog::flags::Component;
use crate::catalog::values::python_bool;
use crate::finding::Confidence;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};
use crate::yaml::Node;

/// What is refused: the program, the first release that does, the first that no longer does, and all that has to hold:
/// `a` is on or has a value, `a|b` is one of them, `!a` is not given, `a=x|y` has one of these values, `a~x|y` is given
/// with none of them, `$NAME` is a variable that says yes. A row that begins with `!a` asks for `a`, whatever else it has.
const TABLE: &[(&str, Release, Option<Release>, &str)] = &[
    ("vllm", (0, 7), Some((1, 4)), "multimodal-encode-worker multimodal-worker|multimodal-decode-worker"),
    ("vllm", (0, 7), Some((1, 4)), "multimodal-worker multimodal-decode-worker !multimodal-encode-worker"),
    (
        "vllm",
        (0, 7),
        Some((1, 3)),
        "multimodal-encode-worker|multimodal-worker|multimodal-decode-worker !enable-multimodal",
    ),
    ("vllm", (1, 0), Some((1, 4)), "is-prefill-worker|is-decode-worker disaggregation-mode"),
    ("vllm", (1, 0), Some((1, 4)), "is-prefill-worker is-decode-worker !disaggregation-mode"),
    ("vllm", (1, 1), Some((1, 4)), "multimodal-decode-worker disaggregation-mode~decode"),
    ("vllm", (1, 1), Some((1, 4)), "multimodal-encode-worker disaggregation-mode~encode"),
    ("vllm", (1, 1), Some((1, 4)), "multimodal-worker disaggregation-mode~agg|prefill|pd"),
    ("vllm", (1, 3), None, "embedding-worker disaggregation-mode~agg|pd"),
    ("vllm", (1, 3), None, "embedding-worker enable-multimodal"),
    (
        "vllm",
        (1, 3),
        Some((1, 4)),
        "embedding-worker multimodal-encode-worker|multimodal-worker|multimodal-decode-worker",
    ),
    ("vllm", (1, 3), None, "embedding-worker benchmark-mode"),
    ("vllm", (1, 4), None, "custom-encoder-class !enable-multimodal"),
    ("vllm", (1, 4), None, "custom-encoder-class use-vllm-tokenizer"),
    ("vllm", (1, 4), None, "custom-encoder-class frontend-decoding"),
    ("vllm", (1, 4), None, "custom-encoder-class disaggregation-mode~agg|pd"),
    ("vllm", (1, 4), None, "classify-worker embedding-worker"),
    ("vllm", (1, 4), None, "classify-worker disaggregation-mode~agg|pd"),
    ("vllm", (1, 4), None, "classify-worker enable-multimodal|benchmark-mode|headless"),
    ("vllm", (1, 5), None, "classify-worker enable-lora"),
    (
        "vllm",
        (1, 5),
        None,
        "realtime embedding-worker|classify-worker|custom-encoder-class|gms-shadow-mode|enable-rl|headless",
    ),
    ("vllm", (1, 5), None, "realtime enable-multimodal|benchmark-mode|enable-lora"),
    ("vllm", (1, 5), None, "realtime disaggregation-mode~agg|pd"),
    ("vllm", (1, 5), None, "embedding-frontend-tokenization !embedding-worker"),
    ("vllm", (1, 5), None, "embedding-frontend-tokenization use-vllm-tokenizer"),
    ("vllm", (1, 5), None, "embedding-worker-processes~1 !embedding-worker"),
    ("vllm", (1, 5), None, "embedding-worker-processes~1 headless"),
    ("vllm", (1, 4), None, "benchmark-points-file !benchmark-mode"),
    ("sglang", (0, 6), Some((0, 9)), "!prefill-round-robin-balance dp-size~1 disaggregation-mode=decode"),
    ("sglang", (1, 0), None, "disagg-config !disagg-config-key"),
    ("sglang", (1, 0), None, "disagg-config-key !disagg-config"),
    ("sglang", (1, 0), None, "tool-call-parser dyn-tool-call-parser"),
    ("sglang", (1, 0), Some((1, 3)), "reasoning-parser dyn-reasoning-parser"),
    ("sglang", (0, 6), None, "custom-jinja-template use-sglang-tokenizer"),
    ("sglang", (1, 1), None, "schedule-low-priority-values-first"),
    ("sglang", (1, 2), Some((1, 4)), "frontend-decoding multimodal-encode-worker|multimodal-worker"),
    ("sglang", (1, 3), None, "frontend-decoding dedicated-mm-encoder"),
    ("sglang", (1, 3), None, "dedicated-mm-encoder !enable-multimodal !multimodal-worker !multimodal-encode-worker"),
    ("sglang", (1, 3), None, "dedicated-mm-encoder !disaggregation-mode !multimodal-worker"),
    ("sglang", (1, 3), None, "dedicated-mm-encoder disaggregation-mode=agg|encode|null"),
    ("sglang", (1, 4), None, "$DYN_SGL_MULTIMODAL_WORKER"),
    ("sglang", (1, 4), None, "$DYN_SGL_MULTIMODAL_ENCODE_WORKER"),
    ("sglang", (1, 6), None, "rerank-worker embedding-worker|image-diffusion-worker|video-generation-worker"),
    ("sglang", (1, 6), None, "rerank-worker enable-multimodal|dedicated-mm-encoder|frontend-decoding"),
    ("sglang", (1, 6), None, "rerank-worker disaggregation-mode=prefill|decode"),
    ("trtllm", (1, 3), None, "enable-multimodal modality=video_diffusion|image_diffusion"),
    ("trtllm", (1, 4), None, "disaggregation-mode=prefill_and_decode"),
];

/// An option as it is in force.
enum State<'a> {
    /// Given, or switched on: as written, its value, and where.
    On(&'a str, Option<&'a str>, Span),
    Off,
    Unknown,
}

fn variable<'a>(service: &'a Service, name: &str, value: bool) -> State<'a> {
    match service.env.fact(name) {
        Fact::Unset => State::Off,
        Fact::Known(text) => {
            let var = service.env.get(name).and_then(|var| Some((var.name.as_str(), var.winner().span?)));
            match var {
                Some((name, span)) if value && !text.is_empty() => State::On(name, Some(text.as_str()), span),
                Some((name, span)) if !value && python_bool(text).0 => State::On(name, None, span),
                Some(_) if !value => State::Off,
                _ => State::Unknown,
            }
        }
        Fact::Dynamic(_) => State::Unknown,
    }
}

/// How one option stands: its last use on the command line, else the variable that supplies its default.
fn state<'a>(service: &'a Service, catalog: &Component, name: &str) -> State<'a> {
    let (on, off) = (format!("--{name}"), format!("--no-{name}"));
    let Some(flag) = catalog.flag(&on).map(|found| found.flag) else { return State::Off };
    let takes_value = flag.takes_value();
    match service.flag(&[&on, &off]) {
        Some(used) if used.is_any(&[&off]) => State::Off,
        Some(used) if !takes_value => State::On(&used.name, None, used.full_span()),
        Some(used) => match used.value().and_then(|word| word.as_known()).filter(|text| !text.is_empty()) {
            Some(text) => State::On(&used.name, Some(text), used.full_span()),
            None => State::Unknown,
        },
        // What stands in a file of options is not looked for.
        None if service.configs.iter().any(|config| config.flag == "--config") => State::Unknown,
        None if flag.env.is_empty() => State::Off,
        None => variable(service, flag.env, takes_value),
    }
}

/// Whether a word of a condition holds, with what makes it so; of `!a` nothing does.
fn holds<'a>(service: &'a Service, catalog: &Component, word: &str) -> Option<Option<(&'a str, Span)>> {
    if let Some(name) = word.strip_prefix('!') {
        return matches!(state(service, catalog, name), State::Off).then_some(None);
    }
    if let Some(name) = word.strip_prefix('$') {
        return match variable(service, name, false) {
            State::On(name, _, span) => Some(Some((name, span))),
            _ => None,
        };
    }
    if let Some((name, values)) = word.split_once(['=', '~']) {
        let State::On(written, Some(value), span) = state(service, catalog, name) else { return None };
        let listed = values.split('|').any(|v| v == value.trim());
        return (listed == word.contains('=')).then_some(Some((written, span)));
    }
    let on = word.split('|').find_map(|name| match state(service, catalog, name) {
        State::On(written, _, span) => Some((written, span)),
        _ => None,
    });
    on.map(Some)
}

/// What TensorRT-LLM refuses of its own config.
fn engine(service: &Service, out: &mut Findings) {
    let elsewhere = |name: &str| name.starts_with("--trtllm.") || name == "--override-engine-args";
    if service.args().is_some_and(|args| args.flags.iter().any(|f| elsewhere(&f.name)))
        || service.env.get("DYN_TRTLLM_OVERRIDE_ENGINE_ARGS").is_some()
        || service.config_open()
    {
        return;
    }
    let mut refuse = |at: Span, subject: &'static str, message: String, label: &'static str, help: String| {
        out.report(at, message, label).service(service).subject(subject).help(help).emit();
    };
    let sizes = service.config_at(&["cuda_graph_config", "batch_sizes"]).into_iter().flat_map(Node::items);
    let largest = sizes.filter_map(Node::as_int).max();
    let most = service.config_at(&["cuda_graph_config", "max_batch_size"]);
    if let Some((most, number, largest)) = most.and_then(|n| Some((n, n.as_int()?, largest?)))
        && number != largest
        && number != 0
    {
        let message = format!("`max_batch_size` of the CUDA graphs is {number}, and their largest batch {largest}");
        let help = format!("drop `max_batch_size`, or write {largest}");
        refuse(
            most.span,
            "max_batch_size",
            message,
            "TensorRT-LLM takes one of the two, or both when they agree",
            help,
        );
    }
    // `base_worker.py` of 1.0 to 1.2, which Dynamo 0.5 to 0.8 pin: on by default, and refused since NVIDIA/TensorRT-LLM#4174.
    let refuses = service.at_least(0, 5) && service.below(0, 9);
    let config = service.configs.iter().find_map(|c| c.content.known()).filter(|c| c.as_map().is_some());
    if let (Role::Prefill, true, Some(config)) = (service.role, service.role_known && refuses, config) {
        let said = service.config_at(&["disable_overlap_scheduler"]);
        if said.and_then(Node::as_bool) != Some(true) && said.is_none_or(|n| n.as_bool().is_some()) {
            let at = said.map_or_else(|| config.entries().next().map_or(config.span, |e| e.key.span), |n| n.span);
            let message = format!("the overlap scheduler of prefill worker `{}` is on", service.name);
            let label = "this release refuses every request for a prefill then";
            refuse(
                at,
                "disable_overlap_scheduler",
                message,
                label,
                "write `disable_overlap_scheduler: true`".to_owned(),
            );
        }
    }
}

/// `worker-option-conflict`
pub fn worker_option_conflict(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|service| !service.args_open()) {
        if service.framework == Some(Framework::Trtllm) {
            engine(service, out);
        }
        let Some(catalog) = parser(service) else { continue };
        let published = published(service, catalog);
        let refused = TABLE.iter().filter(|(program, from, until, _)| {
            catalog.name.ends_with(program) && covers(*from, *until, published.map(|p| p.release))
        });
        for (.., conditions) in refused {
            refuse(service, catalog, conditions, published.is_some_and(|p| p.official), out);
        }
    }
}

/// Whether a release is among those that refuse; one that is not known has to be among them whichever it is.
fn covers(from: Release, until: Option<Release>, release: Option<Release>) -> bool {
    match release {
        Some(release) => release >= from && until.is_none_or(|until| release < until),
        None => from <= (1, 0) && until.is_none(),
    }
}

fn refuse(service: &Service, catalog: &Component, conditions: &str, certain: bool, out: &mut Findings) {
    let (mut hits, mut missing, mut asks) = (Vec::new(), None, false);
    for word in conditions.split(' ') {
        match holds(service, catalog, word) {
            Some(Some(hit)) => hits.push(hit),
            Some(None) => {
                asks |= hits.is_empty();
                missing = missing.or(word.strip_prefix('!'));
            }
            None => return,
        }
    }
    let Some(&(name, at)) = hits.first() else { return };
    let (message, help) = match (hits.get(1).filter(|_| !asks), missing) {
        (Some((other, _)), _) => {
            (format!("`{name}` and `{other}` exclude each other"), "keep one of the two".to_owned())
        }
        (None, Some(lacks)) => {
            (format!("`{name}` asks for `--{lacks}`"), format!("write `--{lacks}`, or drop `{name}`"))
        }
        (None, None) => {
            (format!("Dynamo refuses this `{name}`"), "see the page of the rule for what took its place".to_owned())
        }
    };
    out.report(at, message, "options are held against each other at start: the worker exits")
        .service(service)
        .subject(name)
        .label_opt(hits.get(1).map(|(_, span)| *span), if asks { "beside this" } else { "not beside this" })
        .confidence(if certain { Confidence::Certain } else { Confidence::Likely })
        .help(help)
        .emit();
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::catalog::flags;

    /// A word that names no option would never hold, or always.
    #[test]
    fn every_row_names_options_of_its_program() {
        for row @ (program, from, until, conditions) in TABLE {
            let catalog = flags::component(&format!("dynamo.{program}")).expect(program);
            assert!(until.is_none_or(|until| *from < until), "{row:?}");
            for word in conditions.split(' ').filter(|word| !word.starts_with('$')) {
                let (names, values) = word.split_once(['=', '~']).unwrap_or((word, ""));
                for name in names.trim_start_matches('!').split('|') {
                    let found = catalog.flag(&format!("--{name}")).unwrap_or_else(|| panic!("{row:?}: {name}"));
                    assert!(values.is_empty() || found.flag.takes_value(), "{row:?}: {name}");
                }
            }
        }
    }
}
