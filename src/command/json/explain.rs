//! Syntax errors of JSON in words that help, on exact characters.

use std::ops::Range;

use jsonc_parser::ParseStringErrorKind;
use jsonc_parser::errors::{ParseError, ParseErrorKind};

/// What the parser lets pass and Python does not: other blanks than four, control characters in strings, `-NaN`.
pub(super) fn lexical_error(src: &str) -> Option<(Range<usize>, String)> {
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

/// The parser's error in our words, and the characters to point at.
pub(super) fn explain(src: &str, error: &ParseError) -> (Range<usize>, String) {
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
