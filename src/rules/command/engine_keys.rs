//! Keys of TensorRT-LLM engine configs that are misspelled, or stand in the wrong section.
//!
//! The lists (`rules/catalog/engine-keys*.tsv`) only say what a near miss was meant to be: a key that is near none of them is
//! left alone.

use super::values::{float, int};
use crate::catalog::engine;
use crate::finding::Applicability;
use crate::rules::Findings;
use crate::yaml::Node;

/// Sections whose keys are known as a whole.
const WHOLE: [&str; 7] = [
    "cache_transceiver_config",
    "cuda_graph_config",
    "kv_cache_config",
    "kv_connector_config",
    "moe_config",
    "scheduler_config",
    "speculative_config",
];

/// What a key was meant to be: one or two characters away, and no key itself.
fn near(key: &str, section: &str) -> Option<&'static str> {
    let limit = match key.len() {
        0..=4 => return None,
        5..=11 => 1,
        _ => 2,
    };
    // `max_batch_size` and `batch_sizes` of another section are no misspellings of each other: a key that is one
    // somewhere is judged by where it stands. But at top level one letter is a slip all the same.
    let limit = match engine::known(key) {
        true if !section.is_empty() || engine::has("", key) => return None,
        true => 1,
        false => limit,
    };
    // `max_draft_length`
    let short = key.strip_suffix("gth").and_then(|short| engine::keys(section).find(|whole| *whole == short));
    if short.is_some() {
        return short;
    }
    let mut cut = None;
    for whole in engine::keys(section) {
        if whole.len().abs_diff(key.len()) <= limit && strsim::osa_distance(whole, key) <= limit {
            return Some(whole);
        }
        if cut.is_none() && shortened(key, whole) {
            cut = Some(whole);
        }
    }
    cut
}

/// Whether a key is another one cut short: `free_gpu_mem_fraction`, `kv_cache_cfg`, `tensor_parallel`.
#[inline(never)]
fn shortened(key: &str, whole: &str) -> bool {
    // A part is cut short behind its first letter.
    if key.len() >= whole.len() || key.as_bytes().first() != whole.as_bytes().first() {
        return false;
    }
    if let Some("_size" | "_config" | "_class") = whole.strip_prefix(key) {
        return key.contains('_');
    }
    let (mut parts, mut others) = (key.split('_'), whole.split('_'));
    loop {
        let (a, b) = match (parts.next(), others.next()) {
            (Some(a), Some(b)) => (a.as_bytes(), b.as_bytes()),
            (None, None) => return key.contains('_'),
            _ => return false,
        };
        let mut letters = b.iter();
        let cut = a.len() > 2 && a.first() == b.first() && a.iter().all(|c| letters.any(|l| l == c));
        if a != b && !cut {
            return false;
        }
    }
}

/// Backends of `moe_config`, 1.0 to 1.3 (`MoeConfig`, a `Literal`): only what is near one is told, releases add to them.
const MOE: [&str; 11] = [
    "AUTO",
    "CUTLASS",
    "CUTEDSL",
    "WIDEEP",
    "TRTLLM",
    "DEEPGEMM",
    "DENSEGEMM",
    "VANILLA",
    "TRITON",
    "MARLIN",
    "MEGAMOE_DEEPGEMM",
];

/// Words of other keys, each an enum or a `Literal`: what differs by case or a slip is told.
const WORDS: [(&[&str], &[&str]); 4] = [
    (&["scheduler_config", "capacity_scheduler_policy"], &["GUARANTEED_NO_EVICT", "MAX_UTILIZATION", "STATIC_BATCH"]),
    (&["scheduler_config", "context_chunking_policy"], &["EQUAL_PROGRESS", "FIRST_COME_FIRST_SERVED"]),
    (&["guided_decoding_backend"], &["llguidance", "xgrammar"]),
    (
        &["allreduce_strategy"],
        &["AUTO", "NCCL", "UB", "MINLATENCY", "ONESHOT", "TWOSHOT", "LOWPRECISION", "MNNVL", "NCCL_SYMMETRIC"],
    ),
];

fn words(place: &str, config: &Node, out: &mut Findings) {
    for (path, takes) in WORDS {
        let Some((node, text)) = config.at(path).and_then(|n| Some((n, n.as_str()?))) else { continue };
        let near = |word: &&&str| {
            let apart = strsim::osa_distance(&word.to_ascii_lowercase(), &text.to_ascii_lowercase());
            apart <= if word.len() > 11 { 2 } else { 1 }
        };
        let Some(meant) = takes.iter().find(near).filter(|_| !takes.contains(&text)) else { continue };
        let name = path.join(".");
        out.report(node.span, format!("`{name}` does not take `{text}` ({place})"), "the engine refuses it and exits")
            .subject(name)
            .help(format!("did you mean `{meant}`?"))
            .fix(Applicability::Unsafe, node.span, *meant)
            .emit();
    }
}

fn backend(place: &str, config: &Node, out: &mut Findings) {
    let Some(node) = config.at(&["moe_config", "backend"]) else { return };
    let Some(text) = node.as_str().filter(|text| !MOE.contains(text)) else { return };
    let upper = text.to_ascii_uppercase();
    // `flashinfer_trtllm` and `deep_gemm` are words of the other engines.
    let bare = upper.trim_start_matches("FLASHINFER_").replace('_', "");
    let Some(meant) = MOE.iter().find(|m| upper == **m || bare == **m || strsim::osa_distance(m, &upper) == 1) else {
        return;
    };
    out.report(
        node.span,
        format!("`{text}` is no backend of `moe_config` ({place})"),
        "the engine refuses it and exits",
    )
    .subject("moe_config.backend")
    .help(format!("did you mean `{meant}`?"))
    .fix(Applicability::Unsafe, node.span, *meant)
    .emit();
}

/// A connector that is no preset has a module and two classes in it (`KvCacheConnectorConfig`).
fn connector(place: &str, config: &Node, out: &mut Findings) {
    let Some(entry) = config.entry("kv_connector_config") else { return };
    let given = entry.value.entries().count();
    // With all that are needed, or more, one of them is misspelled, which is said at that one.
    if entry.value.get("connector").is_some() || !(1..3).contains(&given) {
        return;
    }
    for name in ["connector_module", "connector_scheduler_class", "connector_worker_class"] {
        if entry.value.get(name).is_none() {
            out.report(
                entry.key.span,
                format!("`kv_connector_config` has no `{name}` ({place})"),
                "the engine refuses it and exits",
            )
            .subject(name)
            .help(format!("add `{name}`, or name a preset as `connector`"))
            .emit();
        }
    }
}

/// Kinds of speculation (`decoding_type`, a `Literal` of each class).
const DECODING: [&str; 13] = [
    "AUTO",
    "DFlash",
    "Draft_Target",
    "Eagle",
    "Eagle3",
    "Lookahead",
    "MTP",
    "Medusa",
    "NGram",
    "PARD",
    "SA",
    "SaveState",
    "User_Provided",
];

/// What the classes of `speculative_config` ask for: a kind that there is, and for a draft its model and length
/// (`EagleDecodingConfig.validate_eagle_config`, `validate_speculative_model`).
fn speculation(place: &str, config: &Node, out: &mut Findings) {
    let Some(section) = config.entry("speculative_config") else { return };
    let Some(kind) = section.value.get("decoding_type") else {
        if let Some(first) = section.value.entries().next().filter(|e| !e.key.name.contains(['$', '<', '{'])) {
            out.report(
                first.key.span,
                format!("`speculative_config` does not say its `decoding_type` ({place})"),
                "the engine refuses it and exits",
            )
            .subject("speculative_config.decoding_type")
            .help("add `decoding_type`: `MTP`, `Eagle`, `NGram`, `Draft_Target`, …")
            .emit();
        }
        return;
    };
    let Some(text) = kind.as_str() else { return };
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let near = |a: &str, b: &str| a == b || (a.len() > 3 && strsim::osa_distance(a, b) == 1);
    if !DECODING.contains(&text) {
        let Some(meant) = DECODING.iter().find(|known| near(&plain(known), &plain(text))).filter(|_| text.len() > 2)
        else {
            return;
        };
        out.report(
            kind.span,
            format!("`{text}` is no `decoding_type` of `speculative_config` ({place})"),
            "the engine refuses it and exits",
        )
        .subject("speculative_config.decoding_type")
        .help(format!("did you mean `{meant}`?"))
        .fix(Applicability::Unsafe, kind.span, *meant)
        .emit();
        return;
    }
    if !matches!(text, "Eagle" | "Eagle3" | "Draft_Target") {
        return;
    }
    for names in [
        &["speculative_model", "speculative_model_dir", "pytorch_weights_path"][..],
        &["max_draft_len", "eagle_choices"],
    ] {
        if names.iter().all(|name| section.value.get(name).is_none()) {
            out.report(
                kind.span,
                format!("`speculative_config` has no `{}` ({place})", names[0]),
                format!("`{text}` needs one: the engine refuses the config and exits"),
            )
            .subject(format!("speculative_config.{}", names[0]))
            .help(format!("add `{}`", names[0]))
            .emit();
        }
    }
}

/// Switches that are neither on nor off the way pydantic reads it.
fn switches(place: &str, prefix: &str, section: &Node, out: &mut Findings) {
    const WORDS: [&str; 12] = ["true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0"];
    for entry in section.entries() {
        let key = &*entry.key.name;
        let switch = key.starts_with("enable_") || key.starts_with("disable_");
        let Some(text) = entry.value.as_text().filter(|_| switch && engine::has(prefix, key)) else { continue };
        let word = text.to_ascii_lowercase();
        if text.is_empty() || word == "null" || text.contains(['$', '{', '<']) || WORDS.contains(&&*word) {
            continue;
        }
        out.report(
            entry.value.span,
            format!("`{text}` is neither true nor false ({place})"),
            "the engine refuses it and exits",
        )
        .subject(key)
        .help("write `true` or `false`")
        .emit();
    }
}

/// Whole numbers, by section.
const INTS: [(&str, &[&str]); 6] = [
    (
        "",
        &[
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "context_parallel_size",
            "moe_expert_parallel_size",
            "moe_tensor_parallel_size",
            "moe_cluster_parallel_size",
            "gpus_per_node",
            "max_batch_size",
            "max_num_tokens",
            "max_seq_len",
            "max_input_len",
            "max_beam_width",
            "stream_interval",
            "num_postprocess_workers",
        ],
    ),
    ("kv_cache_config", &["max_tokens", "tokens_per_block", "host_cache_size", "event_buffer_max_size"]),
    ("cuda_graph_config", &["max_batch_size"]),
    ("cache_transceiver_config", &["max_tokens_in_buffer", "kv_transfer_timeout_ms"]),
    ("moe_config", &["max_num_tokens"]),
    ("speculative_config", &["max_draft_len", "num_nextn_predict_layers", "max_window_size", "max_ngram_size"]),
];

/// What pydantic makes no number, no list or no section of.
fn kinds(place: &str, config: &Node, out: &mut Findings) {
    let mut refuse = |node: &Node, name: &str, what: &str, help: &'static str| {
        let text = node.as_text().unwrap_or_default();
        if text.is_empty() || text.contains(['$', '<', '{']) || matches!(text, "None" | "null" | "~") {
            return;
        }
        out.report(node.span, format!("`{name}` is {what}: `{text}` ({place})"), "the engine refuses it and exits")
            .subject(name)
            .help(help)
            .emit();
    };
    for (section, keys) in INTS {
        let Some(node) = (if section.is_empty() { Some(config) } else { config.get(section) }) else { continue };
        for (key, value) in keys.iter().filter_map(|key| Some((*key, node.get(key)?))) {
            let text = value.as_text().unwrap_or_default();
            if !(int(text) || float(text) && text.ends_with(".0")) {
                refuse(value, key, "no whole number", "write a whole number");
            }
        }
    }
    for section in WHOLE.into_iter().filter(|name| *name != "kv_connector_config").chain(["torch_compile_config"]) {
        if let Some(node) = config.get(section) {
            refuse(node, section, "no section", "write keys and values below it, or leave it out");
        }
    }
    if let Some(sizes) = config.at(&["cuda_graph_config", "batch_sizes"]) {
        refuse(sizes, "batch_sizes", "no list", "write a list: `[1, 2, 4, 8]`");
    }
    // TensorRT-LLM `docs/source/advanced/kv-cache-reuse.md`: a power of two.
    let block = config.at(&["kv_cache_config", "tokens_per_block"]);
    if let Some(block) = block.filter(|n| n.as_int().is_some_and(|n| n <= 0 || n.count_ones() != 1)) {
        refuse(block, "tokens_per_block", "no power of two", "write 16, 32, 64, …");
    }
    let host = config.at(&["kv_cache_config", "host_cache_size"]);
    if let Some(host) = host.filter(|n| n.as_int().is_some_and(|n| n < 0)) {
        refuse(host, "host_cache_size", "below zero", "write bytes, or leave it out");
    }
}

/// Whether a key given as an option takes whole numbers.
pub(super) fn whole(path: &str) -> bool {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    INTS.iter().any(|(part, keys)| *part == section && keys.contains(&key))
}

/// A key given as an option, `--trtllm.kv_cache_config.dtype`: what it was meant to be.
pub(super) fn dotted(path: &str) -> Option<&'static str> {
    let (section, key) = path.rsplit_once('.').unwrap_or(("", path));
    if section.is_empty() || WHOLE.contains(&section) { near(key, section) } else { None }
}

/// Reports near misses of a config, and keys that belong to the level above.
pub(super) fn check(place: &str, config: &Node, out: &mut Findings) {
    backend(place, config, out);
    connector(place, config, out);
    speculation(place, config, out);
    kinds(place, config, out);
    words(place, config, out);
    switches(place, "", config, out);
    for entry in config.entries() {
        let key = &*entry.key.name;
        switches(place, key, &entry.value, out);
        if let Some(meant) = near(key, "") {
            report(place, key, entry.key.span, meant, out);
        }
        if !WHOLE.contains(&key) {
            continue;
        }
        for inner in entry.value.entries() {
            let name = &*inner.key.name;
            if let Some(meant) = near(name, key) {
                report(place, &format!("{key}.{name}"), inner.key.span, meant, out);
            } else if !engine::has(key, name) && engine::has("", name) && name != "max_num_tokens" {
                out.report(
                    inner.key.span,
                    format!("`{name}` stands under `{key}` ({place})"),
                    "TensorRT-LLM looks for it at top level",
                )
                .subject(format!("{key}.{name}"))
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
    use super::near;
    use crate::catalog::engine;

    #[test]
    fn a_key_is_no_misspelling_of_another() {
        for key in engine::keys("").flat_map(|section| engine::keys(section).chain([section])) {
            let meant = near(key, "");
            assert!(meant.is_none() || key == "max_num_token", "{key}: {meant:?}");
        }
        assert_eq!(near("max_num_tokns", ""), Some("max_num_tokens"));
        assert_eq!(near("kv_cache_confg", ""), Some("kv_cache_config"));
        assert_eq!(near("free_gpu_memory_fractions", "kv_cache_config"), Some("free_gpu_memory_fraction"));
        assert_eq!(near("enable_new_thing", ""), None);
        for (key, section, meant) in [
            ("free_gpu_mem_fraction", "kv_cache_config", "free_gpu_memory_fraction"),
            ("kv_cache_cfg", "", "kv_cache_config"),
            ("connector_worker", "kv_connector_config", "connector_worker_class"),
            ("tensor_parallel", "", "tensor_parallel_size"),
            ("max_num_toks", "", "max_num_tokens"),
        ] {
            assert_eq!(near(key, section), Some(meant));
        }
        // Both are keys, but at top level only one of them.
        assert_eq!(near("max_num_token", ""), Some("max_num_tokens"));
        assert_eq!(near("max_num_tokens", "cuda_graph_config"), None);
    }
}
