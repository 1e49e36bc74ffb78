//! Finding the ends of quotes and expansions without looking inside.

use std::ops::Range;

use super::ast::Part;
use super::lexer::MAX_DEPTH;
use super::syntax::SyntaxError;

/// How much deeper arithmetic counts: what may be arithmetic is gone through twice, once for each thing that it may be.
const STEEP: u32 = 8;

/// End of the comment that starts at `at`: the newline or the end.
pub(super) fn comment(src: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &src.as_bytes()[at..]).map_or(src.len(), |k| at + k)
}

/// End of `'…'` that opens at `at`.
pub(super) fn single_quotes(src: &str, at: usize) -> Result<usize, SyntaxError> {
    memchr::memchr(b'\'', &src.as_bytes()[at + 1..]).map(|k| at + k + 2).ok_or(SyntaxError::unclosed("'", at))
}

/// End of `$'…'`, whose quote stands at `at`.
pub(super) fn ansi_quotes(src: &str, at: usize) -> Result<usize, SyntaxError> {
    let bytes = src.as_bytes();
    let mut k = at + 1;
    while k < bytes.len() {
        match bytes[k] {
            b'\\' => k += 2,
            b'\'' => return Ok(k + 1),
            _ => k += 1,
        }
    }
    Err(SyntaxError::unclosed("'", at))
}

/// End of `` `…` `` that opens at `at`.
pub(super) fn backticks(src: &str, at: usize) -> Result<usize, SyntaxError> {
    let bytes = src.as_bytes();
    let mut k = at + 1;
    while k < bytes.len() {
        match bytes[k] {
            b'\\' => k += 2,
            b'`' => return Ok(k + 1),
            _ => k += 1,
        }
    }
    Err(SyntaxError::unclosed("`", at))
}

/// End of `"…"` that opens at `at`.
pub(super) fn double_quotes(src: &str, at: usize, depth: u32) -> Result<usize, SyntaxError> {
    let bytes = src.as_bytes();
    let mut k = at + 1;
    while k < bytes.len() {
        match bytes[k] {
            b'\\' => k += 2,
            b'"' => return Ok(k + 1),
            b'`' => k = backticks(src, k)?,
            b'$' => k = dollar(src, k, true, depth)?,
            _ => k += 1,
        }
    }
    Err(SyntaxError::unclosed("\"", at))
}

/// End of the expansion that the `$` at `at` opens; one past the `$` when it opens none that brackets.
pub(super) fn dollar(src: &str, at: usize, in_quotes: bool, depth: u32) -> Result<usize, SyntaxError> {
    if depth > MAX_DEPTH {
        return Ok(at + 1);
    }
    match src.as_bytes().get(at + 1) {
        Some(b'(') => match arithmetic(src, at, depth) {
            Some(end) => Ok(end),
            None => parens(src, at + 1, depth + 1),
        },
        Some(b'{') => braces(src, at, in_quotes, depth + 1),
        Some(b'\'') if !in_quotes => ansi_quotes(src, at + 1),
        _ => Ok(at + 1),
    }
}

/// End of `${…}` that opens at `at`.
fn braces(src: &str, at: usize, in_quotes: bool, depth: u32) -> Result<usize, SyntaxError> {
    let bytes = src.as_bytes();
    let mut k = at + 2;
    while k < bytes.len() {
        match bytes[k] {
            b'}' => return Ok(k + 1),
            b'\\' => k += 2,
            b'\'' if !in_quotes => k = single_quotes(src, k)?,
            b'"' => k = double_quotes(src, k, depth + 1)?,
            b'`' => k = backticks(src, k)?,
            b'$' => k = dollar(src, k, in_quotes, depth + 1)?,
            _ => k += 1,
        }
    }
    Err(SyntaxError::unclosed("${", at))
}

/// End of `$((…))` that opens at `at`, when the brackets close in pairs as arithmetic does.
pub(super) fn arithmetic(src: &str, at: usize, depth: u32) -> Option<usize> {
    arithmetic_parens(src, at + 1, depth + STEEP)
}

/// End of `((…))` that opens at `at`, when it can be arithmetic.
pub(super) fn arithmetic_parens(src: &str, at: usize, depth: u32) -> Option<usize> {
    double_parens(src, at, depth).filter(|&end| !src[at..end].contains(';'))
}

/// End of the `((…;…;…))` of a `for` that opens at `at`.
pub(super) fn for_header(src: &str, at: usize, depth: u32) -> Option<usize> {
    double_parens(src, at, depth)
}

fn double_parens(src: &str, at: usize, depth: u32) -> Option<usize> {
    let bytes = src.as_bytes();
    if bytes.get(at) != Some(&b'(') || bytes.get(at + 1) != Some(&b'(') {
        return None;
    }
    let (mut k, mut open) = (at + 2, 0u32);
    while k < bytes.len() {
        match bytes[k] {
            b'(' => open += 1,
            b')' if open > 0 => open -= 1,
            b')' => return (bytes.get(k + 1) == Some(&b')')).then_some(k + 2),
            b'$' => {
                k = dollar(src, k, true, depth + 1).ok()?;
                continue;
            }
            b'`' => {
                k = backticks(src, k).ok()?;
                continue;
            }
            b'\\' => k += 1,
            _ => {}
        }
        k += 1;
    }
    None
}

/// End of `( … )` that opens at `at`, commands inside not looked at.
fn parens(src: &str, at: usize, depth: u32) -> Result<usize, SyntaxError> {
    let bytes = src.as_bytes();
    let (mut k, mut open) = (at + 1, 1u32);
    while k < bytes.len() {
        match bytes[k] {
            b'\\' => k += 1,
            b'\'' => k = single_quotes(src, k)? - 1,
            b'"' => k = double_quotes(src, k, depth + 1)? - 1,
            b'`' => k = backticks(src, k)? - 1,
            b'$' => k = dollar(src, k, false, depth + 1)? - 1,
            b'(' => open += 1,
            b')' if open == 1 => return Ok(k + 1),
            b')' => open -= 1,
            _ => {}
        }
        k += 1;
    }
    Err(SyntaxError::unclosed("(", at))
}

/// Resolves the escapes of `$'…'`, whose content is `range`.
pub(super) fn unescape_ansi(src: &str, range: Range<usize>, parts: &mut Vec<Part>) {
    if range.is_empty() {
        parts.push(Part::Quoted(range));
        return;
    }
    let (mut at, mut literal) = (range.start, range.start);
    while at < range.end {
        let Some(len) = memchr::memchr(b'\\', &src.as_bytes()[at..range.end]) else { break };
        at += len;
        let (value, end) = ansi_escape(&src[at..range.end]);
        if literal < at {
            parts.push(Part::Quoted(literal..at));
        }
        parts.push(Part::Escaped(value, at..at + end));
        at += end;
        literal = at;
    }
    if literal < range.end {
        parts.push(Part::Quoted(literal..range.end));
    }
}

/// One escape of `$'…'` at the start of `text`: what it stands for and its length.
fn ansi_escape(text: &str) -> (String, usize) {
    let Some(kind) = text[1..].chars().next() else { return ("\\".to_owned(), 1) };
    let simple = |c: char| (c.to_string(), 2);
    let number = |digits: &str, radix: u32, max: usize, skip: usize| {
        let len = digits.chars().take(max).take_while(|c| c.is_digit(radix)).count();
        let code = u32::from_str_radix(&digits[..len], radix).ok()?;
        let value = char::from_u32(code)?;
        Some((if value == '\0' { String::new() } else { value.to_string() }, skip + len))
    };
    let as_written = (text[..1 + kind.len_utf8()].to_owned(), 1 + kind.len_utf8());
    match kind {
        'n' => simple('\n'),
        't' => simple('\t'),
        'r' => simple('\r'),
        'a' => simple('\x07'),
        'b' => simple('\x08'),
        'e' | 'E' => simple('\x1b'),
        'f' => simple('\x0c'),
        'v' => simple('\x0b'),
        '\\' | '\'' | '"' | '?' => simple(kind),
        'x' => number(&text[2..], 16, 2, 2).unwrap_or(as_written),
        'u' => number(&text[2..], 16, 4, 2).unwrap_or(as_written),
        'U' => number(&text[2..], 16, 8, 2).unwrap_or(as_written),
        '0'..='7' => number(&text[1..], 8, 3, 1).unwrap_or(as_written),
        _ => as_written,
    }
}
