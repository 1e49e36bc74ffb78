//! Keys of TensorRT-LLM engine configs that are misspelled, or stand in the wrong section.
//!
//! Source: `tensorrt_llm/llmapi/llm_args.py` (1.0 to 1.3: `LlmArgs`, `KvCacheConfig`, `CudaGraphConfig` and the others).
//! The lists only say what a near miss was meant to be: a key that is near none of them is left alone.

use crate::finding::Applicability;
use crate::rules::Findings;
use crate::yaml::Node;

const TOP: [&str; 58] = [
    "allreduce_strategy",
    "attention_dp_config",
    "attn_backend",
    "backend",
    "batch_wait_max_tokens_ratio",
    "batch_wait_timeout_iters",
    "batch_wait_timeout_ms",
    "cache_transceiver_config",
    "context_parallel_size",
    "cuda_graph_config",
    "disable_overlap_scheduler",
    "enable_attention_dp",
    "enable_autotuner",
    "enable_chunked_prefill",
    "enable_iter_perf_stats",
    "enable_iter_req_stats",
    "enable_layerwise_nvtx_marker",
    "enable_lm_head_tp_in_adp",
    "enable_lora",
    "enable_min_latency",
    "force_dynamic_quantization",
    "gather_generation_logits",
    "gpus_per_node",
    "guided_decoding_backend",
    "iter_stats_max_iterations",
    "kv_cache_config",
    "kv_connector_config",
    "load_format",
    "lora_config",
    "max_batch_size",
    "max_beam_width",
    "max_input_len",
    "max_num_tokens",
    "max_seq_len",
    "moe_cluster_parallel_size",
    "moe_config",
    "moe_expert_parallel_size",
    "moe_tensor_parallel_size",
    "num_postprocess_workers",
    "nvfp4_gemm_config",
    "orchestrator_type",
    "peft_cache_config",
    "perf_metrics_max_requests",
    "pipeline_parallel_size",
    "print_iter_log",
    "quant_config",
    "reasoning_parser",
    "request_stats_max_iterations",
    "return_perf_metrics",
    "sampler_type",
    "scheduler_config",
    "skip_tokenizer_init",
    "sparse_attention_config",
    "speculative_config",
    "stream_interval",
    "tensor_parallel_size",
    "torch_compile_config",
    "trust_remote_code",
];

/// Sections with their keys.
const SECTIONS: [(&str, &[&str]); 5] = [
    (
        "kv_cache_config",
        &[
            "copy_on_partial_reuse",
            "dtype",
            "enable_block_reuse",
            "enable_partial_reuse",
            "event_buffer_max_size",
            "free_gpu_memory_fraction",
            "host_cache_size",
            "mamba_ssm_cache_dtype",
            "max_attention_window",
            "max_gpu_total_bytes",
            "max_tokens",
            "secondary_offload_min_priority",
            "sink_token_length",
            "tokens_per_block",
            "use_uvm",
        ],
    ),
    (
        "cache_transceiver_config",
        &["backend", "kv_transfer_sender_future_timeout_ms", "kv_transfer_timeout_ms", "max_tokens_in_buffer"],
    ),
    ("cuda_graph_config", &["batch_sizes", "enable_padding", "max_batch_size"]),
    (
        "moe_config",
        &["backend", "disable_finalize_fusion", "load_balancer", "max_num_tokens", "use_low_precision_moe_combine"],
    ),
    ("scheduler_config", &["capacity_scheduler_policy", "context_chunking_policy", "dynamic_batch_config"]),
];

/// What a key was meant to be: one or two characters away, and no key itself.
fn near(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let limit = match key.len() {
        0..=4 => return None,
        5..=11 => 1,
        _ => 2,
    };
    // `max_batch_size` and `batch_sizes` of another section are no misspellings of each other: a key that is one
    // somewhere is judged by where it stands.
    let elsewhere = TOP.contains(&key) || SECTIONS.iter().any(|(name, keys)| *name == key || keys.contains(&key));
    if elsewhere || known.contains(&key) {
        return None;
    }
    known.iter().copied().find(|k| k.len().abs_diff(key.len()) <= limit && strsim::osa_distance(k, key) <= limit)
}

/// Reports near misses of a config, and keys that belong to the level above.
pub(super) fn check(place: &str, config: &Node, out: &mut Findings) {
    for entry in config.entries() {
        let key = &*entry.key.name;
        if let Some(meant) = near(key, &TOP) {
            report(place, key, entry.key.span, meant, out);
        }
        let Some((section, keys)) = SECTIONS.iter().find(|(name, _)| *name == key) else { continue };
        for inner in entry.value.entries() {
            let name = &*inner.key.name;
            if let Some(meant) = near(name, keys) {
                report(place, &format!("{section}.{name}"), inner.key.span, meant, out);
            } else if !keys.contains(&name) && TOP.contains(&name) && name != "max_num_tokens" {
                out.report(
                    inner.key.span,
                    format!("`{name}` stands under `{section}` ({place})"),
                    "TensorRT-LLM looks for it at top level",
                )
                .subject(format!("{section}.{name}"))
                .help(format!("move `{name}` to top level"))
                .emit();
            }
        }
    }
}

fn report(place: &str, name: &str, at: crate::source::Span, meant: &str, out: &mut Findings) {
    out.report(at, format!("TensorRT-LLM has no `{name}` ({place})"), "the PyTorch backend refuses or ignores the key")
        .subject(name)
        .help(format!("did you mean `{meant}`?"))
        .fix(Applicability::Unsafe, at, meant)
        .emit();
}

#[cfg(test)]
mod tests {
    use super::{SECTIONS, TOP, near};

    #[test]
    fn a_key_is_no_misspelling_of_another() {
        for key in TOP.iter().chain(SECTIONS.iter().flat_map(|(_, keys)| *keys)) {
            assert_eq!(near(key, &TOP), None, "{key}");
        }
        assert_eq!(near("max_num_token", &TOP), Some("max_num_tokens"));
        assert_eq!(near("kv_cache_confg", &TOP), Some("kv_cache_config"));
        assert_eq!(near("free_gpu_memory_fractions", SECTIONS[0].1), Some("free_gpu_memory_fraction"));
        assert_eq!(near("enable_new_thing", &TOP), None);
    }
}
