//! Options of workers that Dynamo's own validators, or the engine's behind them, do not take together.
//!
//! Source: `validate` of `dynamo/{vllm,sglang,trtllm}/backend_args.py` and the checks of `args.py` beside them, in the wheels of
//! ai-dynamo 0.7.1 to 1.6.1; `check_server_args`, `_handle_*` (`arg_groups/*_hook.py` from 0.5.14 on) of `ServerArgs` in the
//! SGLang that each pins, 0.5.3.post2 to 0.5.21; the validators of `vllm/config/*.py` and `EngineArgs.create_engine_config`, 0.10.2
//! to 0.31.0. They run behind argparse, with the defaults from variables already in force.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::given::{Given, State, bit, named, variable};
use super::refused::{engine, other_weights, remapped, too_long};
use super::release::{parser, published};
use crate::catalog::Release;
use crate::catalog::flags::Component;
use crate::finding::Confidence;
use crate::resolve::{Deployment, Framework};
use crate::rules::Findings;
use crate::rules::disagg::{model_names, said};
use crate::source::Span;

/// What is refused: the program, the first release that does, the first that no longer does, and all that has to hold:
/// `a` is on or has a value, `a|b` is one of them, `!a` is not given, `a=x|y` has one of these values, `a~x|y` is given
/// with none of them, `$NAME` is a variable that says yes, `-a` is switched off, `a@c` is given and has that letter in it.
/// Numbers: `a<b`, `a>=b`, `a%b` (`b` does not divide `a`), where `b` is an option or a number. `a.b` is a key of a JSON option.
/// A row that begins with `!a` asks for `a`, whatever else it has.
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
    ("vllm", (0, 6), None, "max-num-batched-tokens<max-num-seqs"),
    ("vllm", (0, 9), None, "-enable-chunked-prefill max-num-batched-tokens<max-model-len"),
    ("vllm", (0, 9), None, "max-model-len=0"),
    ("vllm", (0, 6), None, "gpu-memory-utilization=0|0.0"),
    ("vllm", (0, 6), None, "enable-eplb !enable-expert-parallel"),
    ("vllm", (0, 6), Some((1, 0)), "enable-eplb !tensor-parallel-size !data-parallel-size"),
    ("vllm", (1, 0), None, "enable-eplb !tensor-parallel-size !data-parallel-size !prefill-context-parallel-size"),
    ("vllm", (0, 6), None, "!enable-eplb eplb-config.num_redundant_experts>=1"),
    ("vllm", (0, 6), None, "tensor-parallel-size%decode-context-parallel-size !prefill-context-parallel-size"),
    ("vllm", (0, 6), None, "!tensor-parallel-size decode-context-parallel-size>=2 !prefill-context-parallel-size"),
    ("vllm", (0, 6), None, "data-parallel-rank>=data-parallel-size"),
    ("vllm", (0, 6), None, "data-parallel-external-lb !data-parallel-size"),
    ("vllm", (0, 8), None, "headless data-parallel-hybrid-lb"),
    ("vllm", (0, 8), None, "node-rank>=nnodes"),
    ("vllm", (0, 8), None, "nnodes>=2 distributed-executor-backend=ray"),
    ("vllm", (1, 0), None, "enable-dbo all2all-backend=naive|allgather_reducescatter|pplx|flashinfer_all2allv"),
    ("vllm", (0, 9), None, "attention-backend attention-config.backend"),
    ("vllm", (0, 8), None, "max-cudagraph-capture-size compilation-config.max_cudagraph_capture_size"),
    ("vllm", (0, 8), None, "cudagraph-capture-sizes compilation-config.cudagraph_capture_sizes"),
    ("vllm", (0, 6), None, "speculative-config.num_speculative_tokens<1"),
    (
        "vllm",
        (0, 6),
        None,
        "!speculative-config.num_speculative_tokens speculative-config.method=ngram|eagle|eagle3|draft_model|medusa",
    ),
    ("vllm", (1, 0), None, "speculative-config.tensor_parallel_size"),
    ("vllm", (0, 6), None, "speculative-config.prompt_lookup_max<speculative-config.prompt_lookup_min"),
    (
        "vllm",
        (0, 6),
        None,
        "speculative-config.draft_tensor_parallel_size<tensor-parallel-size speculative-config.draft_tensor_parallel_size>=2",
    ),
    (
        "vllm",
        (1, 2),
        None,
        "!speculative-config.synthetic_acceptance_rates speculative-config.rejection_sample_method=synthetic !speculative-config.synthetic_acceptance_length",
    ),
    ("vllm", (1, 5), None, "max-model-len<long-prefill-token-threshold"),
    ("vllm", (0, 6), None, "max-cpu-loras<max-loras enable-lora"),
    ("vllm", (0, 8), None, "mamba-block-size -enable-prefix-caching"),
    ("vllm", (0, 8), None, "!otlp-traces-endpoint collect-detailed-traces"),
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
    ("sglang", (0, 6), None, "!enable-dp-attention enable-dp-lm-head dp-size>=2"),
    ("sglang", (0, 6), None, "moe-dense-tp-size<tp-size moe-dense-tp-size>=2"),
    ("sglang", (0, 8), None, "served-model-name@:"),
    ("sglang", (0, 6), None, "enable-hierarchical-cache disable-radix-cache"),
    ("sglang", (0, 6), Some((1, 3)), "enable-mixed-chunk pp-size>=2"),
    ("sglang", (0, 6), Some((1, 6)), "speculative-algorithm pp-size>=2"),
    (
        "sglang",
        (0, 6),
        None,
        "!speculative-num-steps speculative-algorithm=EAGLE|EAGLE3|NEXTN|STANDALONE speculative-num-draft-tokens|speculative-eagle-topk !speculative-adaptive",
    ),
    (
        "sglang",
        (0, 8),
        None,
        "speculative-eagle-topk>=2 attention-backend=trtllm_mha speculative-algorithm=EAGLE|EAGLE3|NEXTN",
    ),
    ("sglang", (0, 6), None, "speculative-algorithm=NGRAM|STANDALONE enable-dp-attention dp-size>=2"),
    ("sglang", (0, 9), Some((1, 4)), "!moe-a2a-backend enable-two-batch-overlap !enable-dp-attention"),
    ("sglang", (0, 6), None, "!ep-size enable-eplb !moe-a2a-backend !enable-dp-attention !elastic-ep-backend"),
    ("sglang", (0, 6), None, "ep-size<tp-size ep-size>=2 moe-runner-backend=flashinfer_cutlass !moe-a2a-backend"),
    (
        "sglang",
        (0, 8),
        None,
        "moe-runner-backend=flashinfer_cutlass quantization=fp8|w8a8_fp8|w8a8_int8|awq|awq_marlin|gptq|gptq_marlin|mxfp4|compressed-tensors",
    ),
    ("sglang", (0, 6), None, "enable-priority-scheduling schedule-policy~fcfs|lof"),
    ("sglang", (0, 6), None, "!max-lora-rank enable-lora !lora-paths"),
    ("sglang", (0, 6), None, "!lora-target-modules enable-lora !lora-paths max-lora-rank"),
    ("sglang", (0, 6), None, "max-loaded-loras<max-loras-per-batch enable-lora|lora-paths"),
    ("sglang", (0, 6), Some((1, 1)), "disaggregation-decode-tp disaggregation-mode=decode"),
    ("sglang", (0, 9), None, "encoder-only language-only"),
    ("sglang", (0, 9), None, "encoder-only disaggregation-mode=prefill|decode"),
    ("sglang", (0, 9), Some((1, 3)), "!encoder-urls language-only"),
    ("sglang", (0, 6), None, "enable-tokenizer-batch-encode enable-dynamic-batch-tokenizer"),
    ("sglang", (0, 6), None, "disaggregation-decode-enable-offload-kvcache disaggregation-mode~decode"),
    ("sglang", (0, 6), None, "enable-pdmux disaggregation-mode=prefill|decode"),
    ("sglang", (0, 8), None, "!export-metrics-to-file-dir export-metrics-to-file"),
    ("trtllm", (1, 3), None, "enable-multimodal modality=video_diffusion|image_diffusion"),
    ("trtllm", (1, 4), None, "disaggregation-mode=prefill_and_decode"),
];

/// Options that the engine does not look at, unless another one is given: program, the options, all that would have to be missing.
/// Only where all releases from 0.6 on agree.
const INERT: [(&str, &str, &str); 5] = [
    ("vllm", "max-loras|max-lora-rank|max-cpu-loras", "!enable-lora"),
    ("vllm", "all2all-backend", "!enable-expert-parallel !enable-dbo"),
    (
        "sglang",
        "speculative-num-steps|speculative-eagle-topk|speculative-num-draft-tokens|speculative-draft-model-path",
        "!speculative-algorithm",
    ),
    (
        "sglang",
        "hicache-ratio|hicache-size|hicache-storage-backend|hicache-write-policy|hicache-io-backend|hicache-mem-layout",
        "!enable-hierarchical-cache !disaggregation-mode !enable-hisparse",
    ),
    ("sglang", "max-lora-rank|lora-target-modules|max-loras-per-batch", "!enable-lora !lora-paths"),
];

/// `worker-option-inert`
pub fn worker_option_inert(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|service| !service.args_open()) {
        let Some(catalog) = parser(service) else { continue };
        let given = Given::new(service, catalog);
        for (_, options, missing) in INERT.iter().filter(|(program, ..)| catalog.name.ends_with(program)) {
            let (Some(Some((name, at))), true) =
                (holds(&given, options), missing.split(' ').all(|word| holds(&given, word).is_some()))
            else {
                continue;
            };
            let lacks = missing.split(' ').next().unwrap_or_default().trim_start_matches('!');
            out.report(at, format!("`{name}` has no effect without `--{lacks}`"), "the engine does not look at it")
                .service(service)
                .subject(name)
                .help(format!("add `--{lacks}`, or drop `{name}`"))
                .emit();
        }
    }
}

/// A row of the table, with what at least one of has to be given for it to hold: the options of the first condition that asks
/// for some, as bits of their names, or the variables that supply them. Most workers give none of it for most rows.
struct Row {
    from: Release,
    until: Option<Release>,
    conditions: &'static str,
    options: u64,
    variables: Vec<&'static str>,
}

impl Row {
    fn new(catalog: &'static Component, from: Release, until: Option<Release>, conditions: &'static str) -> Self {
        let asks = conditions.split(' ').find(|word| !word.starts_with('!')).unwrap_or_default();
        let names = asks.split(['=', '~', '@', '<', '>', '%']).next().unwrap_or_default().trim_start_matches('-');
        let (mut options, mut variables) = (0, Vec::new());
        for name in names.split('|') {
            if let Some(variable) = name.strip_prefix('$') {
                variables.push(variable);
            } else if let Some(flag) = name.split('.').next().and_then(|name| named(catalog, name)) {
                options |= bit(flag.name);
                variables.extend(Some(flag.env).filter(|env| !env.is_empty()));
            }
        }
        Self { from, until, conditions, options, variables }
    }

    /// The rows about a program.
    fn all(catalog: &'static Component) -> Rc<[Self]> {
        thread_local! {
            static KNOWN: RefCell<FxHashMap<&'static str, Rc<[Row]>>> = RefCell::default();
        }
        let own = |(program, ..): &&(&str, Release, Option<Release>, &str)| catalog.name.ends_with(program);
        let rows = || TABLE.iter().filter(own).map(|&(_, from, until, words)| Self::new(catalog, from, until, words));
        KNOWN.with_borrow_mut(|known| Rc::clone(known.entry(catalog.name).or_insert_with(|| rows().collect())))
    }

    /// Whether anything that it asks for is given.
    fn may_meet(&self, given: &Given<'_>) -> bool {
        given.bits & self.options != 0
            || !given.service.configs.is_empty()
            || self.variables.iter().any(|name| given.service.env.get(name).is_some())
    }

    /// Whether a release is among those that refuse; one that is not known has to be among them whichever it is.
    fn covers(&self, release: Option<Release>) -> bool {
        match release {
            Some(release) => release >= self.from && self.until.is_none_or(|until| release < until),
            None => self.from <= (1, 0) && self.until.is_none(),
        }
    }
}

/// Two numbers that do not go together, and how that is said.
fn compared(word: &'static str) -> Option<(&'static str, &'static str, &'static str)> {
    let (a, b) = word.split_once(['>', '<', '%'])?;
    Some(match word.as_bytes()[a.len()] {
        b'>' => (a, b.trim_start_matches('='), "is not below"),
        b'<' => (a, b, "is below"),
        _ => (a, b, "is no multiple of"),
    })
}

type Hit<'a> = (&'a str, Span);

/// Whether a word of a condition holds, with what makes it so; of `!a` nothing does.
fn holds<'a>(given: &Given<'a>, word: &'static str) -> Option<Option<Hit<'a>>> {
    if let Some(name) = word.strip_prefix('!') {
        return matches!(given.state(name), State::Off | State::Not(..)).then_some(None);
    }
    if let Some(name) = word.strip_prefix('-') {
        return match given.state(name) {
            State::Not(written, span) => Some(Some((written, span))),
            _ => None,
        };
    }
    if let Some(name) = word.strip_prefix('$') {
        return match variable(given.service, name, false) {
            State::On(name, _, span) => Some(Some((name, span))),
            _ => None,
        };
    }
    if let Some((name, values)) = word.split_once(['=', '~', '@']) {
        let State::On(written, Some(value), span) = given.state(name) else { return None };
        let listed = match word.contains('@') {
            true => value.contains(values) && !value.contains("//"),
            false => values.split('|').any(|v| v == value.trim()) != word.contains('~'),
        };
        return listed.then_some(Some((written, span)));
    }
    let on = word.split('|').find_map(|name| match given.state(name) {
        State::On(written, _, span) => Some((written, span)),
        _ => None,
    });
    on.map(Some)
}

/// `worker-option-conflict`
pub fn worker_option_conflict(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|service| !service.args_open()) {
        if service.framework == Some(Framework::Trtllm) {
            engine(service, out);
        }
        let Some(catalog) = parser(service) else { continue };
        let published = published(service, catalog);
        let given = Given::new(service, catalog);
        let release = published.map(|p| p.release);
        for row in Row::all(catalog).iter().filter(|row| row.may_meet(&given) && row.covers(release)) {
            refuse(&given, row.conditions, published.is_some_and(|p| p.official), out);
        }
        if service.framework == Some(Framework::Vllm) && service.at_least(1, 3) {
            remapped(&given, out);
        }
        if let Some(model) = model_names(service).and_then(|names| said(service, names)) {
            too_long(&given, &model, out);
            other_weights(&given, &model, out);
        }
    }
}

fn refuse(given: &Given<'_>, conditions: &'static str, certain: bool, out: &mut Findings) {
    let (mut hits, mut missing, mut asks, mut told) = (Vec::new(), None, false, None);
    for word in conditions.split(' ') {
        if let Some((a, b, says)) = compared(word) {
            let (Some((x, first)), Some((y, second))) = (given.number(a), given.number(b)) else { return };
            let wrong = match says {
                "is below" => x < y,
                "is not below" => x >= y,
                _ => y > 0 && x % y != 0,
            };
            if !wrong {
                return;
            }
            if let (Some((a, _)), Some((b, _))) = (first, second) {
                told = Some(format!("`{a}` {x} {says} `{b}` {y}"));
            }
            hits.extend(first.into_iter().chain(second));
            continue;
        }
        match holds(given, word) {
            Some(Some(hit)) => hits.push(hit),
            Some(None) => {
                asks |= hits.is_empty();
                missing = missing.or(word.strip_prefix('!'));
            }
            None => return,
        }
    }
    let Some(&(name, at)) = hits.first() else { return };
    let (message, help) = match (told, hits.get(1).filter(|_| !asks), missing) {
        (Some(told), ..) => (told, "write numbers that go together".to_owned()),
        (None, Some((other, _)), _) => {
            (format!("`{name}` and `{other}` exclude each other"), "keep one of the two".to_owned())
        }
        (None, None, Some(lacks)) => {
            let lacks = if lacks.contains('.') { lacks.to_owned() } else { format!("--{lacks}") };
            (format!("`{name}` asks for `{lacks}`"), format!("write `{lacks}`, or drop `{name}`"))
        }
        (None, None, None) => {
            (format!("the worker refuses this `{name}`"), "see the page of the rule for what took its place".to_owned())
        }
    };
    out.report(at, message, "options are held against each other at start: the worker exits")
        .service(given.service)
        .subject(name)
        .label_opt(hits.get(1).map(|(_, span)| *span), if asks { "beside this" } else { "not beside this" })
        .confidence(if certain { Confidence::Certain } else { Confidence::Likely })
        .help(help)
        .emit();
}

#[cfg(test)]
mod tests {
    use super::{INERT, TABLE};
    use crate::catalog::flags;

    #[test]
    fn every_inert_option_is_one() {
        for (program, options, missing) in INERT {
            let catalog = flags::component(&format!("dynamo.{program}")).expect(program);
            for name in options.split('|').chain(missing.split(' ').map(|word| word.trim_start_matches('!'))) {
                assert!(catalog.flag(&format!("--{name}")).is_some_and(|m| !m.abbreviated), "{name}");
            }
        }
    }

    /// A word that names no option would never hold, or always.
    #[test]
    fn every_row_names_options_of_its_program() {
        for row @ (program, from, until, conditions) in TABLE {
            let catalog = flags::component(&format!("dynamo.{program}")).expect(program);
            assert!(until.is_none_or(|until| *from < until), "{row:?}");
            for word in conditions.split(' ').filter(|word| !word.starts_with('$')) {
                let (names, values) = match super::compared(word) {
                    Some((a, b, _)) => (a, if b.starts_with(|c: char| c.is_ascii_digit()) { "1" } else { b }),
                    None => word.split_once(['=', '~', '@']).unwrap_or((word, "")),
                };
                for name in names.trim_start_matches(['!', '-']).split('|') {
                    let name = name.split('.').next().expect("a name");
                    let found = catalog.flag(&format!("--{name}")).unwrap_or_else(|| panic!("{row:?}: {name}"));
                    assert!(values.is_empty() || found.flag.takes_value(), "{row:?}: {name}");
                }
            }
        }
    }
}
