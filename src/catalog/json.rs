//! Keys of options that take a JSON object.

use super::tables::JSON_KEYS;

/// A key that the object of an option may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonKey {
    /// The option, `--kv-transfer-config`.
    pub flag: &'static str,
    /// Whose option: `vllm`, `sglang`, `frontend`.
    pub component: &'static str,
    /// The key.
    pub name: &'static str,
    /// Values it takes, when those are a list.
    pub values: &'static [&'static str],
    /// What it says.
    pub about: &'static str,
}

/// Options whose keys are known.
pub fn flags() -> impl Iterator<Item = &'static str> {
    let starts = JSON_KEYS.iter().enumerate().filter(|(at, key)| *at == 0 || JSON_KEYS[at - 1].flag != key.flag);
    starts.map(|(_, key)| key.flag)
}

/// Keys of an option, by name; of every component that has it when none is given.
pub fn keys(flag: &str, component: Option<&str>) -> impl Iterator<Item = &'static JsonKey> {
    JSON_KEYS.iter().filter(move |key| key.flag == flag && component.is_none_or(|name| key.component == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::flags::component;

    #[test]
    fn every_option_is_one_of_its_component() {
        assert_eq!(flags().count(), 3);
        for key in JSON_KEYS {
            let module = match key.component {
                "frontend" => "dynamo.frontend".to_owned(),
                engine => format!("dynamo.{engine}"),
            };
            let found = component(&module).and_then(|c| c.flag(key.flag).map(|_| c));
            assert!(found.is_some(), "{key:?}");
        }
    }

    #[test]
    fn keys_differ_by_component() {
        let names = |component| keys("--kv-events-config", component).map(|key| key.name).collect::<Vec<_>>();
        assert!(names(Some("vllm")).contains(&"enable_kv_cache_events"));
        assert!(!names(Some("sglang")).contains(&"enable_kv_cache_events"));
        assert!(names(Some("frontend")).is_empty());
    }
}
