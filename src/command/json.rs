//! Strict JSON inside a string, with a span on every key and value in the manifest that holds it.

use std::ops::Range;

use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind, parse_to_ast};

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

/// What the parser lets pass and Python does not: other blanks than four, control characters in strings, `-NaN`.
fn lexical_error(src: &str) -> Option<(Range<usize>, String)> {
    let mut in_string = false;
    let mut escaped = false;
    for (at, c) in src.char_indices() {
        let range = at..at + c.len_utf8();
        if in_string {
            if c < ' ' {
                let name = match c {
                    '\n' => "a line break".to_owned(),
                    '\t' => "a tab".to_owned(),
                    _ => format!("control character U+{:04X}", u32::from(c)),
                };
                return Some((range, format!("{name} inside a JSON string must be escaped")));
            }
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match c {
            '"' => in_string = true,
            ' ' | '\t' | '\n' | '\r' => {}
            '-' if src[at..].starts_with("-NaN") => {
                return Some((at..at + 4, "`-NaN` is not a JSON number".to_owned()));
            }
            '\u{feff}' => return Some((range, "a byte order mark may not stand in JSON".to_owned())),
            _ if c.is_whitespace() => {
                return Some((range, format!("U+{:04X} is no blank in JSON", u32::from(c))));
            }
            _ => {}
        }
    }
    None
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

/// The parser's error in our words, and the characters to point at.
fn explain(src: &str, error: &ParseError) -> (Range<usize>, String) {
    use ParseErrorKind as K;
    let range = error.range().start..error.range().end.max(error.range().start).min(src.len());
    let found = || found_at(src, range.start);
    let message = match error.kind() {
        K::SingleQuotedStringsNotAllowed => "JSON strings need double quotes".to_owned(),
        K::TrailingCommasNotAllowed => "JSON allows no comma before a closing bracket".to_owned(),
        K::CommentsNotAllowed => "JSON has no comments".to_owned(),
        K::HexadecimalNumbersNotAllowed => return (found().0, "JSON has no hexadecimal numbers".to_owned()),
        K::UnaryPlusNumbersNotAllowed => "a JSON number has no `+` in front".to_owned(),
        K::BareDecimalPointNumbersNotAllowed => {
            return (found().0, "a JSON number needs digits on both sides of its point".to_owned());
        }
        K::ExpectedDigit | K::ExpectedDigitFollowingNegativeSign | K::ExpectedPlusMinusOrDigitInNumberLiteral => {
            "a digit is missing in this number".to_owned()
        }
        K::ExpectedComma => {
            let (range, next) = found_after(src, range.start);
            return (range, format!("a comma is missing before {next}"));
        }
        K::MultipleRootJsonValues => {
            let (range, next) = found();
            return (range, format!("{next} stands behind the end of the JSON value"));
        }
        K::ExpectedColonAfterObjectKey => {
            let (range, next) = found_after(src, range.start);
            return (range, format!("a `:` is missing before {next}"));
        }
        K::String(ParseStringErrorKind::UnterminatedStringLiteral) => {
            return (range.start..range.start + 1, "this string is never closed".to_owned());
        }
        K::String(ParseStringErrorKind::ExpectedFourHexDigits) => {
            return (escape_at(src, range.start), "`\\u` needs four hexadecimal digits".to_owned());
        }
        K::String(_) => {
            let escape = escape_at(src, range.start);
            let message = format!("`{}` is not an escape of JSON", &src[escape.clone()]);
            return (escape, message);
        }
        K::NestingDepthExceeded => "this is nested too deeply".to_owned(),
        K::ExpectedStringObjectProperty | K::UnexpectedTokenInObject => {
            let (range, next) = found();
            return (range, format!("a key in double quotes is expected, not {next}"));
        }
        kind => {
            let opened = matches!(kind, K::UnterminatedObject | K::UnterminatedArray);
            match unpaired(src) {
                Some((at, Some(wanted))) if opened || at == range.start => {
                    return (at..at + 1, format!("`{wanted}` is expected here, not `{}`", &src[at..=at]));
                }
                Some((at, None)) if opened || range.start >= src.trim_end().len() => {
                    return (at..at + 1, format!("`{}` is never closed", &src[at..=at]));
                }
                _ => {}
            }
            let (range, next) = found();
            let hint = match &src[range.clone()] {
                "True" => ", JSON writes `true`",
                "False" => ", JSON writes `false`",
                "None" => ", JSON writes `null`",
                _ => "",
            };
            let word = src[range.clone()].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$'));
            let message = match word {
                true => format!("{next} is not a JSON value{hint}"),
                false => format!("a JSON value is expected, not {next}"),
            };
            return (range, message);
        }
    };
    (range, message)
}

/// The first token at or behind `at`.
fn found_after(src: &str, at: usize) -> (Range<usize>, String) {
    found_at(src, at + (src[at..].len() - src[at..].trim_start().len()))
}

/// The token at `at` and its name for a message.
fn found_at(src: &str, at: usize) -> (Range<usize>, String) {
    let rest = &src[at..];
    let Some(first) = rest.chars().next() else {
        let last = src.trim_end();
        let len = last.chars().next_back().map_or(0, char::len_utf8);
        return (last.len() - len..last.len(), "the end".to_owned());
    };
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$');
    let len = if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
    (at..at + len, format!("`{}`", rest[..len].chars().take(40).collect::<String>()))
}

/// The escape at or behind `at`, which may be off by the width of what stands before it.
fn escape_at(src: &str, at: usize) -> Range<usize> {
    let start = src[..src.len().min(at + 1)].rfind('\\').unwrap_or(at);
    let len = src[start + 1..].chars().next().map_or(0, char::len_utf8);
    start..start + 1 + len
}

/// The first bracket that closes another kind than is open, with what it should be; else the innermost bracket that
/// nothing closes.
fn unpaired(src: &str) -> Option<(usize, Option<char>)> {
    let mut open: Vec<(usize, u8)> = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for (at, byte) in src.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => open.push((at, byte)),
            b'}' | b']' => match open.pop() {
                Some((_, b'{')) if byte == b']' => return Some((at, Some('}'))),
                Some((_, b'[')) if byte == b'}' => return Some((at, Some(']'))),
                _ => {}
            },
            _ => {}
        }
    }
    open.pop().map(|(at, _)| (at, None))
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
mod tests {
    use super::*;
    use crate::source::FileId;

    fn text(value: &str) -> Text {
        Text::opaque(value, Span::new(FileId(0), 0, u32::try_from(value.len()).unwrap()))
    }

    fn fails(source: &str) -> (String, &str) {
        let error = parse(&text(source)).expect_err(source);
        (error.message, &source[error.span.range()])
    }

    #[test]
    fn values_keys_and_their_places() {
        let source = r#" {"a": [1, -2.5e3, "x\u00e9\n"], "b": {"c": true, "c": null}, "d": ""} "#;
        let json = parse(&text(source)).unwrap();
        let at = |span: Span| &source[span.range()];
        assert_eq!(at(json.span), source.trim());
        let entry = json.entry("a").unwrap();
        assert_eq!(at(entry.key_span), "\"a\"");
        let items = entry.value.as_array().unwrap();
        assert_eq!(items[1].value, JsonValue::Number("-2.5e3".to_owned()));
        assert_eq!(at(items[1].span), "-2.5e3");
        assert_eq!(items[2].as_str(), Some("xé\n"));
        assert_eq!(at(items[2].span), r#""x\u00e9\n""#);
        let inner = json.get("b").unwrap();
        assert_eq!(inner.get("c").map(|c| &c.value), Some(&JsonValue::Null), "the last of equal keys counts");
        let JsonValue::Object(entries) = &inner.value else { panic!("an object") };
        assert_eq!(entries.len(), 2, "equal keys are kept");
        assert_eq!(entries[0].value.as_bool(), Some(true));
        assert_eq!(json.get("d").and_then(Json::as_str), Some(""));
        assert_eq!(json.get("e"), None);
        assert_eq!(items[0].get("a"), None);
    }

    #[test]
    fn spans_follow_the_pieces_of_the_text() {
        // As if the shell had removed the backslashes of `{\"a\":\"b\"}` at byte 100.
        let mut value = Text::empty(Span::new(FileId(0), 100, 113));
        let mut at = 100;
        for c in r#"{"a":"b"}"#.chars() {
            let len = if c == '"' { 2 } else { 1 };
            value.push_piece(&c.to_string(), Span::new(FileId(0), at, at + len));
            at += len;
        }
        let json = parse(&value).unwrap();
        let entry = json.entry("a").unwrap();
        assert_eq!(entry.key_span, Span::new(FileId(0), 101, 106));
        assert_eq!(entry.value.span, Span::new(FileId(0), 107, 112));
    }

    #[test]
    fn python_takes_what_strict_json_does_not() {
        for source in ["NaN", "[Infinity, -Infinity]", "{\"a\": NaN}"] {
            assert!(parse(&text(source)).is_ok(), "{source}");
        }
        assert_eq!(parse(&text(r#""\ud800x""#)).unwrap().as_str(), Some("\u{fffd}x"));
        assert_eq!(parse(&text(r#""\ud83d\ude00\udc00""#)).unwrap().as_str(), Some("😀\u{fffd}"));
    }

    #[test]
    fn errors_say_what_and_where() {
        for (source, message, at) in [
            ("", "there is no JSON here, the text is empty", ""),
            ("  ", "there is no JSON here, the text is empty", "  "),
            ("{'a': 1}", "JSON strings need double quotes", "'"),
            ("{\"a\": 1,}", "JSON allows no comma before a closing bracket", ","),
            ("[1, 2,]", "JSON allows no comma before a closing bracket", ","),
            ("{\"a\": 1 \"b\": 2}", "a comma is missing before `\"`", "\""),
            ("[1 2]", "a comma is missing before `2`", "2"),
            ("{\"a\" 1}", "a `:` is missing before `1`", "1"),
            ("{a: 1}", "a key in double quotes is expected, not `a`", "a"),
            ("{1: 1}", "a key in double quotes is expected, not `1`", "1"),
            ("{\"a\": True}", "`True` is not a JSON value, JSON writes `true`", "True"),
            ("{\"a\": None}", "`None` is not a JSON value, JSON writes `null`", "None"),
            ("{\"a\": $PORT}", "`$PORT` is not a JSON value", "$PORT"),
            ("{\"a\": }", "a JSON value is expected, not `}`", "}"),
            ("{\"a\": [1, 2}", "`]` is expected here, not `}`", "}"),
            ("{\"a\": {\"b\": 1}", "`{` is never closed", "{"),
            ("[[1]", "`[` is never closed", "["),
            ("{\"a\": \"b}", "this string is never closed", "\""),
            ("{\"a\": 1} x", "`x` stands behind the end of the JSON value", "x"),
            ("[01]", "a comma is missing before `1`", "1"),
            ("[.5]", "a JSON number needs digits on both sides of its point", ".5"),
            ("[+1]", "a JSON number has no `+` in front", "+"),
            ("[0x1F]", "JSON has no hexadecimal numbers", "0x1F"),
            ("[1] // no", "JSON has no comments", "// no"),
            (r#"["\x41"]"#, "`\\x` is not an escape of JSON", "\\x"),
            (r#"["é\'"]"#, "`\\'` is not an escape of JSON", "\\'"),
            (r#"["ab\u12"]"#, "`\\u` needs four hexadecimal digits", "\\u"),
            ("[\"a\nb\"]", "a line break inside a JSON string must be escaped", "\n"),
            ("[\"a\tb\"]", "a tab inside a JSON string must be escaped", "\t"),
            ("[1,\u{a0}2]", "U+00A0 is no blank in JSON", "\u{a0}"),
            ("-NaN", "`-NaN` is not a JSON number", "-NaN"),
        ] {
            let (said, there) = fails(source);
            assert_eq!((said.as_str(), there), (message, at), "{source}");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let deep = "[".repeat(100_000);
        assert!(parse(&text(&deep)).is_err());
        assert!(parse(&text(&format!("{}{}", "[".repeat(500), "]".repeat(500)))).is_ok());
    }
}
