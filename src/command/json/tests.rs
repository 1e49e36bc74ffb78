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
