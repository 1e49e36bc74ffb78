//! JSON in strings: what is written there must be quoted as the JSON beside it is.

use super::file;
use crate::command::json::{Json, JsonValue};
use crate::source::{Edit, Sources, Span};

/// How a double quote of this JSON is written in the manifest: `"`, `\"`, `""`… `None` when that cannot be told.
fn quote(object: &Json, sources: &Sources) -> Option<(String, Span)> {
    let JsonValue::Object(entries) = &object.value else { return None };
    let first = entries.first()?;
    let source = file(sources, first.key_span);
    let raw = source.text.get(first.key_span.range())?;
    let at = raw.find(first.key.as_str())?;
    let (open, close) = (&raw[..at], raw.get(at + first.key.len()..)?);
    (open == close && !open.is_empty()).then(|| (open.to_owned(), first.key_span))
}

/// Adds a key in front of the others. `value` is JSON without strings, or one simple string in double quotes.
#[must_use]
pub fn insert_key(object: &Json, key: &str, value: &str, sources: &Sources) -> Option<Vec<Edit>> {
    let (quote, at) = quote(object, sources)?;
    let colon = separator(object, sources).unwrap_or(": ");
    let text = format!("\"{key}\"{colon}{value}, ").replace('"', &quote);
    let text = if colon == ":" { text.trim_end().to_owned() } else { text };
    Some(vec![Edit::insert(at.file, at.start, text)])
}

/// Whether a blank follows the colons.
fn separator(object: &Json, sources: &Sources) -> Option<&'static str> {
    let JsonValue::Object(entries) = &object.value else { return None };
    let first = entries.first()?;
    let source = file(sources, first.key_span);
    let between = source.text.get(first.key_span.end as usize..first.value.span.start as usize)?;
    Some(if between == ":" { ":" } else { ": " })
}

/// The edit that puts other JSON in the place of a value.
#[must_use]
pub fn value_text(object: &Json, old: &Json, new: &str, sources: &Sources) -> Option<Vec<Edit>> {
    let (quote, _) = quote(object, sources)?;
    Some(vec![Edit { span: old.span, text: new.replace('"', &quote) }])
}
