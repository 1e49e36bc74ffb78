//! What engines refuse that their options alone do not show: beside the model, the memory, or in their own config.

use super::given::{Given, State};
use crate::finding::Confidence;
use crate::resolve::{Framework, Role, Service};
use crate::rules::Findings;
use crate::rules::disagg::Said;
use crate::source::Span;
use crate::yaml::Node;

/// What TensorRT-LLM refuses of its own config.
pub(super) fn engine(service: &Service, out: &mut Findings) {
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

/// Memory whose pages PyTorch may move, under a connector that registers them once (`_verify_kv_transfer_compat` of `vllm/config/vllm.py`
/// since vllm-project/vllm#41237).
pub(super) fn remapped(given: &Given<'_>, out: &mut Findings) {
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
pub(super) fn too_long(given: &Given<'_>, model: &Said<'_>, out: &mut Findings) {
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
pub(super) fn other_weights(given: &Given<'_>, model: &Said<'_>, out: &mut Findings) {
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
