//! Keys of TensorRT-LLM engine configs that were moved or renamed.

use crate::manifest::trtllm_configs;
use crate::resolve::{Deployment, Recipe};
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::Node;

/// Old path and what to write.
struct Moved {
    path: &'static [&'static str],
    now: &'static str,
}

const fn moved(path: &'static [&'static str], now: &'static str) -> Moved {
    Moved { path, now }
}

/// Renames of TensorRT-LLM 1.0 (`LlmArgs` of the PyTorch backend refuses unknown keys) and places that look right.
const MOVED: [Moved; 48] = [
    moved(&["use_cuda_graph"], "`cuda_graph_config:` (present = on)"),
    moved(&["cuda_graph_padding_enabled"], "`cuda_graph_config.enable_padding`"),
    moved(&["cuda_graph_config", "padding_enabled"], "`cuda_graph_config.enable_padding`"),
    moved(&["autotuner_enabled"], "`enable_autotuner`"),
    moved(&["cuda_graph_batch_sizes"], "`cuda_graph_config.batch_sizes`"),
    moved(&["cuda_graph_max_batch_size"], "`cuda_graph_config.max_batch_size`"),
    moved(&["moe_backend"], "`moe_config.backend`"),
    moved(&["moe_load_balancer"], "`moe_config.load_balancer`"),
    moved(&["moe_max_num_tokens"], "`moe_config.max_num_tokens`"),
    moved(&["kv_cache_dtype"], "`kv_cache_config.dtype`"),
    moved(&["enable_overlap_scheduler"], "`disable_overlap_scheduler` (the other way round)"),
    moved(&["pytorch_backend_config"], "its keys at top level"),
    moved(&["use_kv_cache"], "nothing: it is always on"),
    moved(&["torch_compile_enabled"], "`torch_compile_config:` (present = on)"),
    moved(&["torch_compile_fullgraph"], "`torch_compile_config.enable_fullgraph`"),
    moved(&["torch_compile_inductor_enabled"], "`torch_compile_config.enable_inductor`"),
    moved(&["torch_compile_piecewise_cuda_graph"], "`torch_compile_config.enable_piecewise_cuda_graph`"),
    moved(&["torch_compile_enable_userbuffers"], "`torch_compile_config.enable_userbuffers`"),
    moved(&["cache_transceiver_config", "max_num_tokens"], "`cache_transceiver_config.max_tokens_in_buffer`"),
    moved(&["build_config", "max_batch_size"], "`max_batch_size` at top level"),
    moved(&["build_config", "max_num_tokens"], "`max_num_tokens` at top level"),
    moved(&["build_config", "max_seq_len"], "`max_seq_len` at top level"),
    moved(&["build_config", "max_beam_width"], "`max_beam_width` at top level"),
    moved(&["build_config", "max_input_len"], "`max_input_len` at top level"),
    moved(&["build_config", "plugin_config"], "nothing: plugins belong to the TensorRT backend"),
    moved(&["free_gpu_memory_fraction"], "`kv_cache_config.free_gpu_memory_fraction`"),
    moved(&["enable_block_reuse"], "`kv_cache_config.enable_block_reuse`"),
    moved(&["tokens_per_block"], "`kv_cache_config.tokens_per_block`"),
    moved(&["event_buffer_max_size"], "`kv_cache_config.event_buffer_max_size`"),
    moved(&["host_cache_size"], "`kv_cache_config.host_cache_size`"),
    moved(&["enable_partial_reuse"], "`kv_cache_config.enable_partial_reuse`"),
    moved(&["copy_on_partial_reuse"], "`kv_cache_config.copy_on_partial_reuse`"),
    moved(&["max_attention_window"], "`kv_cache_config.max_attention_window`"),
    moved(&["batch_sizes"], "`cuda_graph_config.batch_sizes`"),
    moved(&["enable_padding"], "`cuda_graph_config.enable_padding`"),
    moved(&["kv_transfer_timeout_ms"], "`cache_transceiver_config.kv_transfer_timeout_ms`"),
    moved(&["capacity_scheduler_policy"], "`scheduler_config.capacity_scheduler_policy`"),
    moved(&["decoding_type"], "`speculative_config.decoding_type`"),
    moved(&["num_nextn_predict_layers"], "`speculative_config.num_nextn_predict_layers`"),
    moved(&["max_tokens_in_buffer"], "`cache_transceiver_config.max_tokens_in_buffer`"),
    // What the mapping inside calls them, and the options of `trtllm-serve`.
    moved(&["tp_size"], "`tensor_parallel_size`"),
    moved(&["pp_size"], "`pipeline_parallel_size`"),
    moved(&["ep_size"], "`moe_expert_parallel_size`"),
    moved(&["moe_ep_size"], "`moe_expert_parallel_size`"),
    moved(&["speculative_config", "pytorch_weights_path"], "`speculative_config.speculative_model_dir`"),
    moved(&["kv_cache_config", "kv_cache_dtype"], "`kv_cache_config.dtype`"),
    moved(&["kv_cache_config", "cache_transceiver_config"], "`cache_transceiver_config` at top level"),
    moved(&["kv_cache_config", "max_num_tokens"], "`max_num_tokens` at top level"),
];

/// Options of the other engines, and of their speculation.
const FOREIGN: [Moved; 11] = [
    moved(&["gpu_memory_utilization"], "`kv_cache_config.free_gpu_memory_fraction`"),
    moved(&["mem_fraction_static"], "`kv_cache_config.free_gpu_memory_fraction`"),
    moved(&["max_model_len"], "`max_seq_len`"),
    moved(&["context_length"], "`max_seq_len`"),
    moved(&["max_num_seqs"], "`max_batch_size`"),
    moved(&["max_num_batched_tokens"], "`max_num_tokens`"),
    moved(&["enable_prefix_caching"], "`kv_cache_config.enable_block_reuse`"),
    moved(&["block_size"], "`kv_cache_config.tokens_per_block`"),
    moved(&["speculative_config", "num_speculative_tokens"], "`max_draft_len`, or `num_nextn_predict_layers` of `MTP`"),
    moved(&["speculative_config", "method"], "`decoding_type`"),
    moved(&["speculative_config", "model"], "`speculative_model`"),
];

fn key_at(config: &Node, path: &[&str]) -> Option<Span> {
    let (last, parents) = path.split_last()?;
    Some(config.at(parents)?.entry(last)?.key.span)
}

/// `engine-config-key`
pub fn engine_config_key(recipe: &Recipe, out: &mut Findings) {
    for config in &recipe.configs {
        check("this file", config, out);
    }
    for map in recipe.here.iter().filter(|o| o.kind == "ConfigMap") {
        for entry in map.node.get("data").into_iter().flat_map(Node::entries) {
            let Some(text) = entry.value.as_text().filter(|t| t.contains("_config:") || t.contains("_size:")) else {
                continue;
            };
            // Only what is read as YAML, and only what is TensorRT-LLM's.
            if !entry.key.name.ends_with(".yaml")
                && !entry.key.name.ends_with(".yml")
                && text.trim_start().starts_with('{')
            {
                continue;
            }
            let Some(parsed) = recipe.text(&entry.value).map(|text| recipe.embedded(&text)) else { continue };
            let Ok(Some(root)) = &*parsed else { continue };
            for config in trtllm_configs(root) {
                check(&format!("`{}`", entry.key.name), &config, out);
            }
        }
    }
}

/// `engine-config-syntax`
pub fn engine_config_syntax(deployment: &Deployment, out: &mut Findings) {
    let mut said: Vec<Span> = Vec::new();
    for service in &deployment.services {
        let reader = match service.module() {
            Some(module) if service.framework.is_none() => format!("`{module}`"),
            _ => "the engine".to_owned(),
        };
        for config in &service.configs {
            let Some(problem) = config.problem.as_ref().filter(|p| !said.contains(&p.span)) else { continue };
            // A template is no YAML yet.
            let text = &deployment.recipe.sources.get(problem.span.file).text;
            let line = text.get(problem.span.start as usize..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            if line.contains("{{") || line.contains("${") {
                continue;
            }
            said.push(problem.span);
            out.report(
                problem.span,
                format!(
                    "{reader} cannot read its config `{}`",
                    if config.path.is_empty() { &config.flag } else { &config.path }
                ),
                problem.message.clone(),
            )
            .service(service)
            .subject(config.flag.clone())
            .label(config.span, "read here")
            .help("mend the text inside the ConfigMap")
            .emit();
        }
    }
}

/// Keys of an engine config, wherever it is written.
pub(super) fn check(place: &str, config: &Node, out: &mut Findings) {
    let tensorrt = config.get("backend").and_then(Node::as_str).is_some_and(|b| b.eq_ignore_ascii_case("tensorrt"));
    if !tensorrt {
        super::engine_keys::check(place, config, out);
    }
    // Who has `kv_cache_config` and the like is no other engine's.
    let own = ["kv_cache_config", "cuda_graph_config", "moe_config", "cache_transceiver_config", "enable_attention_dp"];
    let own = own.iter().any(|key| config.get(key).is_some());
    for entry in FOREIGN.iter().filter(|_| own) {
        let Some(span) = key_at(config, entry.path) else { continue };
        let name = entry.path.join(".");
        out.report(
            span,
            format!("TensorRT-LLM has no `{name}` ({place})"),
            "the PyTorch backend refuses or ignores the key",
        )
        .subject(name)
        .help(format!("write {}", entry.now))
        .emit();
    }
    let mut nested: Vec<(Span, &Moved)> = Vec::new();
    for entry in &MOVED {
        let Some(span) = key_at(config, entry.path) else { continue };
        if tensorrt && entry.path[0] == "build_config" {
            continue;
        }
        if entry.path[0] == "build_config" {
            nested.push((span, entry));
            continue;
        }
        let name = entry.path.join(".");
        out.report(
            span,
            format!("TensorRT-LLM has no `{name}` any more ({place})"),
            "the PyTorch backend refuses or ignores the key",
        )
        .subject(name)
        .help(format!("write {}", entry.now))
        .emit();
    }
    if let (Some(parent), false) = (key_at(config, &["build_config"]), nested.is_empty()) {
        let keys: Vec<String> = nested.iter().map(|(_, m)| format!("`{}`", m.path[1])).collect();
        let mut report = out
            .report(
                parent,
                format!("limits under `build_config` do not reach the PyTorch backend ({place})"),
                format!("{} here", keys.join(", ")),
            )
            .subject("build_config");
        for (span, _) in &nested {
            report = report.label(*span, "dropped");
        }
        report.help(format!("move {} to top level", keys.join(", "))).emit();
    }
}
