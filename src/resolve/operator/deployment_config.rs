//! `DYN_DEPLOYMENT_CONFIG`: JSON that says what each component of a deployment asks for. The operator reads it where it
//! makes component deployments, not for Grove (`graph.go:592-716`).

use serde_json::{Map, Value, json};

use super::grove;
use super::merge::name;
use crate::manifest::{Component, ComponentType, EnvEntry, EnvSource, GraphKind, quantity};
use crate::resolve::env::Context;

/// The variable.
pub(super) const NAME: &str = "DYN_DEPLOYMENT_CONFIG";
/// Where a frontend listens.
const FRONTEND_PORT: u32 = 8000;

/// What the configuration comes to for one component.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Config {
    /// The variable's new value; a frontend's port is written into it.
    pub text: Option<String>,
    /// Resources that are requests and limits at once.
    pub resources: Map<String, Value>,
}

/// Reads it for a component; `None` when there is none or nobody reads it.
///
/// # Errors
/// What the operator refuses to render, in words.
pub(super) fn of(ctx: &Context<'_>, component: &Component) -> Option<Result<Config, String>> {
    // A hand-written component deployment is the one that the operator would have made.
    if grove(ctx) || ctx.graph.kind != GraphKind::Deployment {
        return None;
    }
    let own = component.main.env.iter().rev().map(|(_, entry)| entry);
    let entry = own.chain(ctx.graph.env.iter().rev()).find(|entry| entry.name.value == NAME)?;
    Some(read(text(entry), &component.name.value, component.component_type == ComponentType::Frontend))
}

fn text(entry: &EnvEntry) -> &str {
    match &entry.source {
        EnvSource::Value(Some(node)) => node.as_text().unwrap_or_default(),
        // Whatever stands in `valueFrom`, it is an empty text to the operator.
        _ => "",
    }
}

fn read(text: &str, component: &str, frontend: bool) -> Result<Config, String> {
    let mut all: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("`{NAME}` is not read: {error}"))?;
    let key = if all.contains_key(component) || !frontend {
        component.to_owned()
    } else {
        all.keys().find(|key| key.eq_ignore_ascii_case("frontend")).cloned().unwrap_or_default()
    };
    let mut out = Config::default();
    if frontend {
        if let Some(Value::Object(own)) = all.get_mut(&key) {
            own.insert("port".to_owned(), json!(FRONTEND_PORT));
        }
        out.text = Some(go_json(&Value::Object(all.clone())));
    }
    let Some(asked) = all.get(&key).and_then(|own| field(own, "ServiceArgs")).and_then(|args| field(args, "resources"))
    else {
        return Ok(out);
    };
    let named = [("cpu", "cpu"), ("memory", "memory"), ("gpu", "nvidia.com/gpu")];
    let named = named.iter().filter_map(|(key, resource)| Some((*resource, field(asked, key)?)));
    let custom = field(asked, "custom").and_then(Value::as_object);
    let custom = custom.into_iter().flatten().map(|(key, value)| (key.as_str(), value));
    for (resource, value) in named.chain(custom) {
        let amount = value.as_str().unwrap_or_default();
        if amount.is_empty() {
            continue;
        }
        if quantity::parse(amount).is_none() {
            return Err(format!("`{NAME}` asks for `{amount}` of `{resource}`, which is no quantity"));
        }
        out.resources.insert(resource.to_owned(), json!(amount));
    }
    Ok(out)
}

/// A field as Go finds it: by its name in any case.
fn field<'a>(of: &'a Value, key: &str) -> Option<&'a Value> {
    of.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

/// JSON as Go writes a map: keys sorted, what could be HTML escaped.
fn go_json(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                crate::source::order(&mut entries, |a, b| a.0.cmp(b.0));
                entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect::<Map<_, _>>().into()
            }
            Value::Array(list) => list.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    sorted(value).to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

impl Config {
    /// Writes it into the main container.
    pub(super) fn apply(&self, main: &mut Value) {
        if let Some(text) = &self.text
            && let Some(env) = main.get_mut("env").and_then(Value::as_array_mut)
            && let Some(entry) = env.iter_mut().find(|entry| name(entry) == NAME)
        {
            *entry = json!({"name": NAME, "value": text});
        }
        for (resource, amount) in &self.resources {
            for side in ["limits", "requests"] {
                main["resources"][side][resource] = amount.clone();
            }
        }
    }

    /// GPUs that it asks for.
    pub(super) fn gpus(&self) -> Option<u32> {
        quantity::count(self.resources.get("nvidia.com/gpu")?.as_str()?)
    }
}
