//! mergo with `WithOverride`, and the operator's own merge of environments (reference: mergo v0.3.16 `merge.go:59-309`,
//! operator `graph.go:718-740`, `1825-1850`).

use std::collections::BTreeMap;

use serde_json::Value;

/// A value from its JSON text, which is much less code than putting it together.
pub(super) fn fixed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

/// Sets a key of an object.
#[inline(never)]
pub(super) fn put(object: &mut Value, key: &str, value: Value) {
    object[key] = value;
}

/// Merges what the user says over a default: a zero value never wins, a list replaces a list unless it is empty, maps
/// and structs merge by key.
pub(super) fn over(base: &mut Value, user: &Value) {
    match (base, user) {
        (Value::Object(base), Value::Object(user)) => {
            for (key, value) in user {
                match base.get_mut(key) {
                    // In a map of quantities even `"0"` wins; as text it is not zero to this rule either.
                    Some(have) => over(have, value),
                    None if value.is_null() => {}
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (base, user) if !is_zero(user) => *base = user.clone(),
        _ => {}
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// A container of the user's over the defaults: mergo, but probes replace as a whole and the environment is merged by
/// name.
pub(super) fn container(base: &mut Value, user: &Value) {
    let base_env = take_list(base, "env");
    over(base, user);
    let user_env = list(user, "env");
    put(base, "env", Value::Array(env(base_env, user_env.to_vec())));
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = user.get(key).filter(|p| !p.is_null()) {
            put(base, key, probe.clone());
        }
    }
}

/// `MergeEnvs`: by name, the specific one wins, within one list the later one; sorted.
pub(super) fn env(common: Vec<Value>, specific: Vec<Value>) -> Vec<Value> {
    let mut by_name = BTreeMap::new();
    for entry in common.into_iter().chain(specific) {
        by_name.insert(name(&entry).to_owned(), entry);
    }
    by_name.into_values().collect()
}

/// The `name` of a list item.
pub(super) fn name(item: &Value) -> &str {
    item.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// A list field, empty when absent.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Takes a list field out.
pub(super) fn take_list(object: &mut Value, key: &str) -> Vec<Value> {
    match object.as_object_mut().and_then(|map| map.shift_remove(key)) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn zero_values_never_win() {
        let mut base = json!({"grace": 60, "on": true, "list": [1], "text": "a", "map": {"x": "1"}, "keep": 1});
        over(
            &mut base,
            &json!({"grace": 0, "on": false, "list": [], "text": "", "map": {"x": "0", "y": "2"}, "new": null}),
        );
        assert_eq!(
            base,
            json!({"grace": 60, "on": true, "list": [1], "text": "a", "map": {"x": "0", "y": "2"}, "keep": 1})
        );
        over(&mut base, &json!({"list": [2, 3], "grace": 5}));
        assert_eq!((&base["list"], &base["grace"]), (&json!([2, 3]), &json!(5)));
    }

    #[test]
    fn probes_replace_and_environments_merge() {
        let mut base = json!({
            "env": [{"name": "B", "value": "base"}, {"name": "A", "value": "base"}],
            "livenessProbe": {"httpGet": {"path": "/live"}, "periodSeconds": 5},
        });
        container(
            &mut base,
            &json!({
                "env": [{"name": "C", "value": "1"}, {"name": "B", "value": "user"}, {"name": "C", "value": "2"}],
                "livenessProbe": {"tcpSocket": {"port": 1}},
            }),
        );
        let names: Vec<_> = list(&base, "env").iter().map(|e| format!("{}={}", name(e), e["value"])).collect();
        assert_eq!(names, ["A=\"base\"", "B=\"user\"", "C=\"2\""]);
        assert_eq!(base["livenessProbe"], json!({"tcpSocket": {"port": 1}}));
    }
}
