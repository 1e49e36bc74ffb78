//! Engine configs that lie in a file of their own, beside the manifests that mount or bake them in.

use crate::yaml::Node;

/// Keys by which a TensorRT-LLM config shows itself, old spellings included.
const SIGNATURE: [&str; 17] = [
    "cache_transceiver_config",
    "cuda_graph_config",
    "disable_overlap_scheduler",
    "enable_attention_dp",
    "enable_overlap_scheduler",
    "kv_cache_config",
    "kv_cache_dtype",
    "kv_connector_config",
    "max_num_tokens",
    "moe_backend",
    "moe_config",
    "moe_expert_parallel_size",
    "print_iter_log",
    "pytorch_backend_config",
    "speculative_config",
    "tensor_parallel_size",
    "use_cuda_graph",
];

/// Sections of a config that describes the workers of both roles.
const SECTIONS: [&str; 2] = ["context_servers", "generation_servers"];

/// The TensorRT-LLM configs in a document: the document itself, or its `context_servers` and `generation_servers`.
/// Nothing for a Kubernetes object or a document of any other kind.
#[must_use]
pub fn trtllm_configs(root: &Node) -> Vec<Node> {
    let keys = |node: &Node| SIGNATURE.iter().filter(|key| node.get(key).is_some()).count();
    if root.get("apiVersion").is_some() || root.get("kind").is_some() {
        return Vec::new();
    }
    let sections: Vec<Node> =
        SECTIONS.iter().filter_map(|key| root.get(key)).filter(|node| keys(node) >= 2).cloned().collect();
    if !sections.is_empty() {
        return sections;
    }
    if keys(root) >= 3 { vec![root.clone()] } else { Vec::new() }
}
