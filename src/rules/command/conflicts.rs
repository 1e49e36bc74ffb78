//! Options of workers that Dynamo's own validators, or the engine's behind them, do not take together.
//!
//! Source: `validate` of `dynamo/{vllm,sglang,trtllm}/backend_args.py` and the checks of `args.py` beside them, in the wheels of
//! ai-dynamo 0.7.1 to 1.6.1; `check_server_args`, `_handle_*` (`arg_groups/*_hook.py` from 0.5.14 on) of `ServerArgs` in the
//! SGLang that each pins, 0.5.3.post2 to 0.5.21; the validators of `vllm/config/*.py` and `EngineArgs.create_engine_config`, 0.10.2
//! to 0.31.0. They run behind argparse, with the defaults from variables already in force.

use std::cell::RefCell;
use std::hash::BuildHasher as _;
use std::rc::Rc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::release::{parser, published};
use crate::catalog::Release;
use crate::catalog::flags::{self, Component, Match};
use crate::catalog::values::python_bool;
use crate::command::Flag;
use crate::command::json::{self, JsonValue};
use crate::finding::Confidence;
use crate::resolve::{Deployment, EngineConfig, Framework, Role, Service};
use crate::rules::Findings;
use crate::rules::disagg::{Said, model_names, said};
use crate::source::{Fact, Span};
use crate::yaml::Node;

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

/// An option as it is in force.
enum State<'a> {
    /// Given, or switched on: as written, its value, and where.
    On(&'a str, Option<String>, Span),
    /// Switched off in so many words.
    Not(&'a str, Span),
    Off,
    Unknown,
}

/// The option of a catalog that a condition means. Each row asks for each worker, so they are looked for once.
fn named(catalog: &'static Component, name: &'static str) -> Option<flags::Flag> {
    type Known = FxHashMap<(&'static str, &'static str), Option<flags::Flag>>;
    thread_local! {
        static KNOWN: RefCell<Known> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let look = || catalog.flag(&format!("--{name}")).map(|found| found.flag);
        *known.entry((catalog.name, name)).or_insert_with(look)
    })
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

    /// Whether a release is among those that refuse; one that is not known has to be among them whichever it is.
    fn covers(&self, release: Option<Release>) -> bool {
        match release {
            Some(release) => release >= self.from && self.until.is_none_or(|until| release < until),
            None => self.from <= (1, 0) && self.until.is_none(),
        }
    }
}

/// One of 64 bits for a name: where it is not set the name is not there.
fn bit(name: &str) -> u64 {
    1 << (FxBuildHasher.hash_one(name) >> 58)
}

/// A worker's options by their own names.
struct Given<'a> {
    service: &'a Service,
    catalog: &'static Component,
    flags: Vec<(Match, &'a Flag)>,
    /// Bits of their names.
    bits: u64,
}

impl<'a> Given<'a> {
    fn new(service: &'a Service, catalog: &'static Component) -> Self {
        let flags = service.args().into_iter().flat_map(|args| &args.flags).rev();
        let flags: Vec<(Match, &Flag)> = flags.filter_map(|flag| Some((catalog.flag(&flag.name)?, flag))).collect();
        let bits = flags.iter().fold(0, |bits, (found, _)| bits | bit(found.flag.name));
        Self { service, catalog, flags, bits }
    }

    /// Whether anything that a row asks for is given.
    fn may_meet(&self, row: &Row) -> bool {
        self.bits & row.options != 0
            || !self.service.configs.is_empty()
            || row.variables.iter().any(|name| self.service.env.get(name).is_some())
    }

    /// How one option stands: its last use on the command line, else the file of options, else the variable that supplies its
    /// default.
    fn state(&self, name: &'static str) -> State<'a> {
        if let Some((option, key)) = name.split_once('.') {
            return self.key(name, option, key);
        }
        let Some(flag) = named(self.catalog, name) else { return State::Off };
        let takes_value = flag.takes_value();
        match self.flags.iter().find(|(m, used)| m.flag.name == flag.name && !used.name.contains('.')) {
            Some((found, used)) if found.negated => State::Not(&used.name, used.full_span()),
            Some((_, used)) if !takes_value => State::On(&used.name, None, used.full_span()),
            Some((_, used)) => match used.value().and_then(|word| word.as_known()).filter(|text| !text.is_empty()) {
                Some(text) => State::On(&used.name, Some(text.to_string()), used.full_span()),
                None => State::Unknown,
            },
            None => self.elsewhere(flag, takes_value),
        }
    }

    fn elsewhere(&self, flag: flags::Flag, takes_value: bool) -> State<'a> {
        // Dynamo's own options are not looked for in the file of roles.
        let unseen = |c: &EngineConfig| c.content.is_dynamic() && (c.flag == "--config" || flag.env.is_empty());
        let written = |name: &'static str| self.service.config_option(name.trim_start_matches('-'));
        let configs = !self.service.configs.is_empty();
        match configs.then(|| flag.spellings().find_map(written)).flatten() {
            Some(node) => match node.as_bool() {
                Some(false) => State::Off,
                _ => match node.as_text().filter(|text| !text.is_empty()) {
                    Some(text) => State::On(flag.name, takes_value.then(|| text.to_owned()), node.span),
                    None => State::Unknown,
                },
            },
            None if self.service.configs.iter().any(unseen) => State::Unknown,
            None if flag.env.is_empty() => State::Off,
            None => variable(self.service, flag.env, takes_value),
        }
    }

    /// A key of a JSON option, written in the object or behind the option's name.
    fn key(&self, name: &'static str, option: &str, key: &str) -> State<'a> {
        let mut uses = self.flags.iter().filter(|(m, _)| m.flag.name.strip_prefix("--") == Some(option)).peekable();
        if uses.peek().is_none() {
            let entry = self.service.config_option(option).and_then(|node| node.entry(key));
            return match entry.and_then(|entry| Some((entry, entry.value.as_text()?))) {
                Some((entry, text)) => State::On(name, Some(text.to_owned()), entry.key.span.to(entry.value.span)),
                None if self.service.configs.is_empty() => State::Off,
                None => State::Unknown,
            };
        }
        let dotted = |used: &&(Match, &Flag)| used.1.name.contains('.');
        let (at, value) = if let Some((_, used)) = uses.clone().find(dotted) {
            let own = uses
                .find(|(_, used)| used.name.rsplit_once('.').is_some_and(|(_, last)| last.replace('-', "_") == key));
            let Some((_, used)) = own else {
                // Other keys are set so: the object is made of those.
                return if used.name.contains('+') { State::Unknown } else { State::Off };
            };
            let Some(word) = used.value().and_then(|word| word.as_known()) else { return State::Unknown };
            (used.full_span(), word.to_string())
        } else {
            let word = uses.next().and_then(|(_, used)| used.value()).filter(|word| word.as_known().is_some());
            let Some(word) = word else { return State::Unknown };
            // Most objects lack most of the keys that are asked for.
            if !word.text.contains(key) {
                return State::Off;
            }
            let Ok(json) = json::parse(&word.text) else { return State::Unknown };
            let Some(entry) = json.entry(key) else { return State::Off };
            let value = match &entry.value.value {
                JsonValue::Null => return State::Off,
                JsonValue::Number(text) | JsonValue::String(text) => text.clone(),
                _ => "{}".to_owned(),
            };
            (entry.key_span.to(entry.value.span), value)
        };
        State::On(name, Some(value), at)
    }

    fn number(&self, name: &'static str) -> Option<(i64, Option<(&'a str, Span)>)> {
        if let Ok(number) = name.parse() {
            return Some((number, None));
        }
        let State::On(written, Some(value), span) = self.state(name) else { return None };
        // `human_readable_int` of vLLM: small letters count in thousands.
        let text = value.trim();
        let unit = ["k", "m", "g"].iter().position(|unit| text.ends_with(unit));
        let (digits, times) =
            unit.map_or((text, 1), |n| (&text[..text.len() - 1], [1_000, 1_000_000, 1_000_000_000][n]));
        Some((digits.parse::<i64>().ok()?.checked_mul(times)?, Some((written, span))))
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

fn variable<'a>(service: &'a Service, name: &str, value: bool) -> State<'a> {
    match service.env.fact(name) {
        Fact::Unset => State::Off,
        Fact::Known(text) => {
            let var = service.env.get(name).and_then(|var| Some((var.name.as_str(), var.winner().span?)));
            match var {
                Some((name, span)) if value && !text.is_empty() => State::On(name, Some(text.to_string()), span),
                Some((name, span)) if !value && python_bool(text).0 => State::On(name, None, span),
                Some(_) if !value => State::Off,
                _ => State::Unknown,
            }
        }
        Fact::Dynamic(_) => State::Unknown,
    }
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
        let given = Given::new(service, catalog);
        let release = published.map(|p| p.release);
        for row in Row::all(catalog).iter().filter(|row| given.may_meet(row) && row.covers(release)) {
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

/// Memory whose pages PyTorch may move, under a connector that registers them once (`_verify_kv_transfer_compat` of `vllm/config/vllm.py`
/// since vllm-project/vllm#41237).
fn remapped(given: &Given<'_>, out: &mut Findings) {
    let service = given.service;
    let Some(var) = service.env.get("PYTORCH_CUDA_ALLOC_CONF") else { return };
    let Some(at) = var.known().filter(|text| text.contains("expandable_segments:True")).and(var.winner().span) else {
        return;
    };
    let State::On(_, Some(transfer), option) = given.state("kv-transfer-config") else { return };
    let pins = ["Nixl", "Mooncake"].iter().any(|name| transfer.contains(name));
    let exempt = ["enable-sleep-mode", "enable-cumem-allocator"];
    if !pins || exempt.iter().any(|name| !matches!(given.state(name), State::Off | State::Not(..))) {
        return;
    }
    out.report(
        at,
        "vLLM takes no `expandable_segments:True` beside a KV connector",
        "PyTorch moves pages that the connector has registered: the worker exits",
    )
    .service(service)
    .subject("PYTORCH_CUDA_ALLOC_CONF")
    .label(option, "the connector")
    .confidence(Confidence::Likely)
    .help("remove it, or add `--enable-cumem-allocator`")
    .emit();
}

/// How many tokens models can look at (`max_position_embeddings` of their `config.json`), by what their names begin with; `|` ends
/// a name but for its format. Only models that need no option for it.
const CONTEXTS: [(&str, i64); 14] = [
    ("Qwen/Qwen3-0.6B|", 40_960),
    ("Qwen/Qwen3-1.7B|", 40_960),
    ("Qwen/Qwen3-4B|", 40_960),
    ("Qwen/Qwen3-8B|", 40_960),
    ("Qwen/Qwen3-14B|", 40_960),
    ("Qwen/Qwen3-32B|", 40_960),
    ("Qwen/Qwen3-30B-A3B|", 40_960),
    ("Qwen/Qwen3-235B-A22B|", 40_960),
    ("meta-llama/Llama-3.1-8B", 131_072),
    ("meta-llama/Llama-3.1-70B", 131_072),
    ("meta-llama/Llama-3.3-70B", 131_072),
    ("openai/gpt-oss-", 131_072),
    ("deepseek-ai/DeepSeek-R1|", 163_840),
    ("deepseek-ai/DeepSeek-R1-Distill-", 131_072),
];

/// Formats of weights that names of models and words of `--quantization` say, and that engines hold against each other.
const FORMATS: [(&str, &str, &str); 5] = [
    ("nvfp4", "-nvfp4 -fp4", "modelopt_fp4 nvfp4 petit_nvfp4"),
    ("fp8", "-fp8", "fp8 modelopt_fp8 fbgemm_fp8 ptpc_fp8 w8a8_fp8"),
    ("awq", "-awq", "awq awq_marlin"),
    ("gptq", "-gptq", "gptq gptq_marlin"),
    ("mxfp4", "-mxfp4 openai/gpt-oss-", "mxfp4"),
];

/// More tokens than the model's own config knows: vLLM and SGLang refuse that unless they are told to stretch it.
fn too_long(given: &Given<'_>, model: &Said<'_>, out: &mut Findings) {
    let fits = |(name, _): &&(&str, i64)| match name.strip_suffix('|') {
        Some(name) => model.text.strip_prefix(name).is_some_and(|rest| ["", "-FP8", "-AWQ"].contains(&rest)),
        None => model.text.starts_with(name),
    };
    let Some((_, most)) = CONTEXTS.iter().find(fits) else { return };
    let (name, stretch): (_, &[&str]) = match given.service.framework {
        Some(Framework::Vllm) => ("max-model-len", &["hf-overrides", "rope-scaling", "hf-config-path"]),
        Some(Framework::Sglang) => ("context-length", &["json-model-override-args"]),
        _ => return,
    };
    let allowed = ["VLLM_ALLOW_LONG_MAX_MODEL_LEN", "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN"];
    let Some((wanted, Some((option, at)))) = given.number(name).filter(|(wanted, _)| wanted > most) else { return };
    if allowed.iter().any(|name| given.service.env.get(name).is_some())
        || stretch.iter().any(|name| !matches!(given.state(name), State::Off))
        || given.service.flag(&["--hf-overrides.rope_scaling", "--hf-overrides.rope_parameters"]).is_some()
    {
        return;
    }
    out.report(at, format!("`{option}` {wanted} is more than `{}` takes", model.text), "the worker exits")
        .service(given.service)
        .subject(option)
        .label(model.value, format!("its own config says {most}"))
        .confidence(Confidence::Likely)
        .help(format!("write at most {most}, or tell the engine how to scale its positions (`{}`)", stretch[0]))
        .emit();
}

/// Weights of another format than the name of the model says.
fn other_weights(given: &Given<'_>, model: &Said<'_>, out: &mut Findings) {
    let State::On(option, Some(word), at) = given.state("quantization") else { return };
    let name = model.text.to_ascii_lowercase();
    let mut held = FORMATS.iter().filter(|(_, parts, _)| parts.split(' ').any(|part| name.contains(part)));
    let (Some((is, ..)), None) = (held.next(), held.next()) else { return };
    let asked = FORMATS.iter().find(|(.., words)| words.split(' ').any(|w| w == word));
    let Some((other, ..)) = asked.filter(|(other, ..)| other != is) else { return };
    out.report(at, format!("`{option}` asks for {other} weights of `{}`", model.text), "the worker exits")
        .service(given.service)
        .subject(option)
        .label(model.value, format!("weights in {is}, by its name"))
        .confidence(Confidence::Likely)
        .help("drop it: engines read the format from the model's config")
        .emit();
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
    use super::{INERT, TABLE, flags};

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
