//! Configurations as text: what is in force, what may be written, a file to start from.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::find::Effective;
use super::keys::{KEYS, Key, PER_PATH, SEVERITIES, Shape};
use super::layer::{Layer, Value};
use crate::source::display_name;

/// What is in force, as TOML, each value with who says it.
#[must_use]
pub fn show(effective: &Effective) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    for key in KEYS.iter().filter(|key| key.name != "extend") {
        match effective.layer.get(key.name) {
            Some(entry) => {
                rows.push((format!("{} = {}", key.name, toml(&entry.value)), entry.origin.to_string()));
            }
            None if key.is_default => rows.push((format!("{} = {}", key.name, key.example), "default".to_owned())),
            None => rows.push((format!("# {} is not set", key.name), String::new())),
        }
    }
    let width = rows.iter().map(|(text, _)| text.chars().count()).filter(|n| *n <= 60).max().unwrap_or_default();
    let mut out = String::new();
    for file in &effective.files {
        let _ = writeln!(out, "# from {}", file.name());
    }
    if effective.files.is_empty() {
        out.push_str("# no configuration file\n");
    }
    out.push('\n');
    for (text, origin) in rows {
        if origin.is_empty() {
            let _ = writeln!(out, "{text}");
        } else {
            let _ = writeln!(out, "{text:width$}  # {origin}");
        }
    }
    for one in &effective.layer.overrides {
        let _ = writeln!(out, "\n[[per-path]]  # {}", one.origin);
        let _ = writeln!(out, "paths = {}", toml(&Value::List(one.paths.clone())));
        each(&one.layer, |key, value| {
            let _ = writeln!(out, "{} = {}", key.name, toml(value));
        });
    }
    out
}

fn each<'a>(layer: &'a Layer, mut run: impl FnMut(&'static Key, &'a Value)) {
    for key in KEYS {
        if let Some(entry) = layer.get(key.name) {
            run(key, &entry.value);
        }
    }
}

fn toml(value: &Value) -> String {
    let text = |text: &String| toml_edit::Value::from(text.as_str()).to_string().trim().to_owned();
    match value {
        Value::Text(one) => text(one),
        Value::Flag(flag) => flag.to_string(),
        Value::List(list) => format!("[{}]", list.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Directories(list) => {
            format!("[{}]", list.iter().map(|path| text(&display_name(path))).collect::<Vec<_>>().join(", "))
        }
        Value::Table(rows) if rows.is_empty() => "{}".to_owned(),
        Value::Table(rows) => {
            let rows: Vec<String> =
                rows.iter().map(|(rule, severity)| format!("{} = {}", text(rule), text(severity))).collect();
            format!("{{ {} }}", rows.join(", "))
        }
    }
}

/// A file to start from: every key with what it does, commented out.
#[must_use]
pub fn template() -> String {
    let mut out = String::from(
        "# dynlint configuration: the nearest one above a linted file holds for it.\n\
         # `dynlint config show` says what is in force and who says it.\n",
    );
    let (tables, plain): (Vec<&Key>, Vec<&Key>) = KEYS.iter().partition(|key| key.shape == Shape::Severities);
    for key in plain {
        let default = if key.is_default { "" } else { " (not set by default)" };
        let _ = write!(out, "\n# {}{default}\n# {} = {}\n", key.doc, key.name, key.example);
    }
    for key in tables {
        let _ = write!(out, "\n# {}\n# [{}]\n# \"kv-*\" = \"advice\"\n", key.doc, key.name);
    }
    let _ = write!(out, "\n# {PER_PATH}\n# [[per-path]]\n# paths = [\"tests/**\"]\n# ignore = [\"interconnect\"]\n");
    out
}

/// The JSON Schema of `dynlint.toml`.
#[must_use]
pub fn schema() -> Json {
    let mut top = Map::new();
    let mut inner = Map::new();
    for key in KEYS {
        let mut value = shape(key);
        value["description"] = json!(key.doc);
        if key.is_default
            && let Ok(default) = key.example.parse::<toml_edit::Value>()
        {
            value["default"] = plain(&default);
        }
        if key.per_path {
            inner.insert(key.name.to_owned(), value.clone());
        }
        top.insert(key.name.to_owned(), value);
    }
    let globs = json!({ "type": "array", "items": { "type": "string" }, "description": "globs over paths relative to this file" });
    inner.insert("paths".to_owned(), globs);
    let item = json!({ "type": "object", "properties": inner, "required": ["paths"], "additionalProperties": false });
    top.insert("per-path".to_owned(), json!({ "type": "array", "items": item, "description": PER_PATH }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dynlint.toml",
        "description": "Configuration of dynlint; in pyproject.toml the same keys stand in [tool.dynlint].",
        "type": "object",
        "properties": top,
        "additionalProperties": false,
    })
}

fn shape(key: &Key) -> Json {
    match key.shape {
        Shape::Text | Shape::Path => json!({ "type": "string" }),
        Shape::Version => json!({ "type": "string", "pattern": "^v?[0-9]+\\.[0-9]+" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Choice(choices) => json!({ "enum": choices }),
        Shape::Rules | Shape::Globs | Shape::Directories => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Severities => json!({ "type": "object", "additionalProperties": { "enum": SEVERITIES } }),
    }
}

fn plain(value: &toml_edit::Value) -> Json {
    if let Some(text) = value.as_str() {
        return json!(text);
    }
    if let Some(flag) = value.as_bool() {
        return json!(flag);
    }
    if let Some(array) = value.as_array() {
        return Json::Array(array.iter().map(plain).collect());
    }
    json!({})
}
