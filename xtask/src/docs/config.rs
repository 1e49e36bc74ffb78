//! Keys of the configuration, from its schema.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Book, Result};

/// A table of every key: name, type, meaning.
pub fn keys(book: &Book) -> Result<String> {
    let schema: Value = serde_json::from_str(&book.dynlint(&["config", "schema"])?).map_err(|e| e.to_string())?;
    let mut out = String::from("| key | type | meaning |\n|---|---|---|\n");
    properties(&schema, &schema, "", &mut out, 0);
    Ok(out.trim_end().to_owned())
}

fn properties(schema: &Value, root: &Value, prefix: &str, out: &mut String, depth: usize) {
    let Some(known) = schema["properties"].as_object() else { return };
    for (key, value) in known {
        let value = resolve(value, root);
        let name = format!("{prefix}{key}");
        let about = value["description"].as_str().unwrap_or_default().replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(out, "| `{name}` | {} | {about} |", kind(value, root));
        if depth < 3 {
            properties(value, root, &format!("{name}."), out, depth + 1);
            properties(resolve(&value["items"], root), root, &format!("{name}[]."), out, depth + 1);
        }
    }
}

fn resolve<'a>(value: &'a Value, root: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|path| path.strip_prefix('#')).and_then(|path| root.pointer(path));
    target.unwrap_or(value)
}

fn kind(value: &Value, root: &Value) -> String {
    if let Some(values) = value["enum"].as_array() {
        let names = values.iter().map(|v| format!("`{}`", v.as_str().map_or_else(|| v.to_string(), str::to_owned)));
        return names.collect::<Vec<_>>().join(", ");
    }
    match value["type"].as_str() {
        Some("array") => format!("list of {}", kind(resolve(&value["items"], root), root)),
        Some(name) => name.to_owned(),
        None => "one of several".to_owned(),
    }
}
