//! Strict JSON inside a string, with a span on every key and value in the manifest that holds it.

mod explain;

use std::ops::Range;

use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind, parse_to_ast};

use self::explain::{explain, lexical_error};
use crate::source::{Span, Text};

/// A JSON value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Json {
    /// The value.
    pub value: JsonValue,
    /// Where it stands in the manifest.
    pub span: Span,
}

/// A JSON value. Objects keep order and duplicate keys.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonValue {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// `[…]`
    Array(Vec<Json>),
    /// `{…}`
    Object(Vec<JsonEntry>),
}

/// One key of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonEntry {
    /// The key.
    pub key: String,
    /// Where the key stands, quotes included.
    pub key_span: Span,
    /// Its value.
    pub value: Json,
}

/// A syntax error with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// Where.
    pub span: Span,
}

/// Reads JSON exactly as Python's `json.loads` does: strict, but for `NaN`, `Infinity`, `-Infinity` and unpaired
/// surrogate escapes (which become U+FFFD here). Nesting deeper than 512 is an error.
///
/// # Errors
/// The first syntax error.
pub fn parse(text: &Text) -> Result<Json, JsonError> {
    let src = text.as_str();
    let error = |(range, message): (Range<usize>, String)| JsonError { message, span: text.slice_span(range) };
    let lexical = lexical_error(src);
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: true,
        allow_extended_string_escapes: false,
    };
    let mended;
    let mut result = parse_to_ast(src, &CollectOptions::default(), &strict);
    if matches!(&result, Err(e) if matches!(e.kind(), ParseErrorKind::String(ParseStringErrorKind::InvalidUnicodeEscapeSequence(_))))
    {
        // Python takes half a surrogate pair; the mended text has the same length.
        mended = mend_surrogates(src);
        result = parse_to_ast(&mended, &CollectOptions::default(), &strict);
    }
    match result {
        Err(e) if lexical.as_ref().is_none_or(|(range, _)| e.range().start < range.start) => {
            Err(error(explain(src, &e)))
        }
        _ if lexical.is_some() => Err(error(lexical.unwrap_or_default())),
        Ok(parsed) => match parsed.value {
            Some(value) => Ok(convert(text, &value)),
            None => Err(error((0..src.len(), "there is no JSON here, the text is empty".to_owned()))),
        },
        Err(e) => Err(error(explain(src, &e))),
    }
}

fn convert(text: &Text, value: &Value<'_>) -> Json {
    let range = value.range();
    let span = text.slice_span(range.start..range.end);
    let value = match value {
        Value::NullKeyword(_) => JsonValue::Null,
        Value::BooleanLit(lit) => JsonValue::Bool(lit.value),
        Value::NumberLit(lit) => JsonValue::Number(lit.value.to_owned()),
        Value::StringLit(lit) => JsonValue::String(lit.value.to_string()),
        Value::Array(array) => JsonValue::Array(array.elements.iter().map(|v| convert(text, v)).collect()),
        Value::Object(object) => JsonValue::Object(
            object
                .properties
                .iter()
                .map(|property| {
                    let range = property.name.range();
                    let key = match &property.name {
                        ObjectPropName::String(lit) => lit.value.to_string(),
                        ObjectPropName::Word(lit) => lit.value.to_owned(),
                    };
                    let key_span = text.slice_span(range.start..range.end);
                    JsonEntry { key, key_span, value: convert(text, &property.value) }
                })
                .collect(),
        ),
    };
    Json { value, span }
}

/// Replaces unpaired surrogate escapes by `\ufffd`, which has the same length.
fn mend_surrogates(src: &str) -> String {
    let mut out = src.to_owned();
    let code = |text: &str, at: usize| {
        let hex = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(hex, 16).ok()
    };
    let mut at = 0;
    while let Some(found) = src[at..].find('\\') {
        let start = at + found;
        at = (start + 2).min(src.len());
        while !src.is_char_boundary(at) {
            at += 1;
        }
        let Some(unit) = code(src, start) else { continue };
        at = start + 6;
        if (0xd800..0xdc00).contains(&unit) && code(src, at).is_some_and(|low| (0xdc00..0xe000).contains(&low)) {
            at += 6;
        } else if (0xd800..0xe000).contains(&unit) {
            out.replace_range(start..start + 6, "\\ufffd");
        }
    }
    out
}

impl Json {
    /// The value of a key (the last one of several), when it is an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|e| &e.value)
    }

    /// The entry of a key (the last one of several), when it is an object.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&JsonEntry> {
        match &self.value {
            JsonValue::Object(entries) => entries.iter().rev().find(|e| e.key == key),
            _ => None,
        }
    }

    /// The string, when it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            JsonValue::String(s) => Some(s),
            _ => None,
        }
    }

    /// The boolean, when it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self.value {
            JsonValue::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The items, when it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match &self.value {
            JsonValue::Array(items) => Some(items),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
