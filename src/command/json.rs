//! Strict JSON inside a string, with a span on every key and value in the manifest that holds it.

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

/// Reads strict JSON, as Python's `json.loads` does.
///
/// # Errors
/// The first syntax error.
pub fn parse(_text: &Text) -> Result<Json, JsonError> {
    unimplemented!("command room")
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
