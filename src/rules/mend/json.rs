//! JSON in strings: what is written there must be quoted as the JSON beside it is.

use super::file;
use crate::command::json::{Json, JsonValue};
use crate::source::{Edit, SourceFile, Sources, Span};

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

/// The edits that put a number or name into double quotes, written as the quote before it on its line is.
#[must_use]
pub fn json_quoted(file: &SourceFile, span: Span) -> Option<(Edit, Edit)> {
    let line = file.line_range(file.line_of(span.start)).start;
    let before = file.text.get(line..span.start as usize)?;
    let at = before.rfind('"')?;
    let quote = if before[..at].ends_with('\\') { "\\\"" } else { "\"" };
    let word = file.text.get(span.range())?;
    let simple = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    simple.then(|| (Edit::insert(file.id, span.start, quote), Edit::insert(file.id, span.end, quote)))
}
