//! Keys of TensorRT-LLM's engine config.

use super::tables::ENGINE_KEYS;

/// Keys of a section (empty: of the top level), by name. A section that is not known has none.
pub fn keys(section: &str) -> impl Iterator<Item = &'static str> {
    ENGINE_KEYS.iter().filter(move |(s, _)| s.is(section)).map(|(_, key)| key.get())
}

/// Whether a section has a key.
#[must_use]
pub fn has(section: &str, key: &str) -> bool {
    ENGINE_KEYS.iter().any(|(s, k)| k.is(key) && s.is(section))
}

/// Whether some section has a key, or is called so.
#[must_use]
pub fn known(key: &str) -> bool {
    ENGINE_KEYS.iter().any(|(_, k)| k.is(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_is_a_key_of_the_top_level() {
        for (section, key) in ENGINE_KEYS {
            assert!(section.get().is_empty() || has("", section.get()), "{}.{}", section.get(), key.get());
        }
        assert!(ENGINE_KEYS.is_sorted_by(|a, b| (a.0.get(), a.1.get()) < (b.0.get(), b.1.get())));
        assert!(has("kv_cache_config", "tokens_per_block") && !has("", "tokens_per_block"));
        assert!(keys("moe_config").any(|key| key == "load_balancer") && keys("unheard_of").next().is_none());
        assert!(known("batch_sizes") && !known("batch_size_s"));
    }
}
