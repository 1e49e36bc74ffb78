//! What settings mean, in a line: for hovers and completion.

use std::collections::HashMap;
use std::sync::OnceLock;

/// `rules/catalog/meanings.tsv`: name and meaning.
const TABLE: &str = include_str!("../../rules/catalog/meanings.tsv");

fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).skip(1).filter_map(|line| line.split_once('\t'))
}

/// The meaning of a variable or option.
pub(super) fn of(name: &str) -> Option<&'static str> {
    static ALL: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    ALL.get_or_init(|| rows().collect()).get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{flags, router, vars};

    #[test]
    fn what_is_explained_is_known_and_every_router_setting_is_explained() {
        let names: Vec<&str> = rows().map(|(name, _)| name).collect();
        assert!(names.is_sorted() && names.len() > 150, "{}", names.len());
        for (name, meaning) in rows() {
            let known = match name.strip_prefix("--") {
                Some(_) => flags::all().iter().any(|component| component.flag(name).is_some()),
                None => vars::lookup(name).is_some() || OTHERS.contains(&name),
            };
            assert!(known, "{name}");
            assert!(!meaning.is_empty() && !meaning.ends_with('.') && meaning.len() < 120, "{name}: {meaning}");
        }
        let frontend = flags::component("dynamo.frontend").unwrap();
        for flag in frontend.flags().filter(|flag| router::knob(flag.name).is_some()) {
            assert!(of(flag.name).is_some(), "{}", flag.name);
        }
    }

    /// Variables of libraries that the catalog does not hold.
    const OTHERS: [&str; 6] =
        ["CUDA_VISIBLE_DEVICES", "ETCD_ENDPOINTS", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN"];
}
