//! Finding the ends of quotes, substitutions and here-documents.

use std::ops::Range;

use super::lexer::{MAX_DEPTH, Part};

/// A quote or bracket without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// What opens it: `"`, `'`, `` ` ``, `$(`, `${`, `(`.
    pub what: &'static str,
    /// Where that stands.
    pub at: usize,
}

impl Unclosed {
    pub const fn new(what: &'static str, at: usize) -> Self {
        Self { what, at }
    }
}

/// End of the comment that starts at `at`: the newline or the end.
pub(super) fn comment(src: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &src.as_bytes()[at..]).map_or(src.len(), |k| at + k)
}

/// End of `'…'` that opens at `at`.
pub(super) fn single_quotes(src: &str, at: usize) -> Result<usize, Unclosed> {
    memchr::memchr(b'\'', &src.as_bytes()[at + 1..]).map(|k| at + k + 2).ok_or(Unclosed::new("'", at))
}

/// End of `$'…'`, whose quote stands at `at`.
pub(super) fn ansi_quotes(src: &str, at: usize) -> Result<usize, Unclosed> {
    let bytes = src.as_bytes();
    let mut k = at + 1;
    while k < bytes.len() {
        match bytes[k] {
            b'\\' => k += 2,
            b'\'' => return Ok(k + 1),
            _ => k += 1,
        }
    }
    Err(Unclosed::new("'", at))
}

/// End of `` `…` `` that opens at `at`.
pub(super) fn backticks(src: &str, at: usize) -> Result<usize, Unclosed> {
    let bytes = src.as_bytes();
    let mut k = at + 1;
    while k < bytes.len() {
        match bytes[k] {
            b'\\' => k += 2,
            b'`' => return Ok(k + 1),
            _ => k += 1,
        }
    }
    Err(Unclosed::new("`", at))
}

/// End of `"…"` that opens at `at`.
pub(super) fn double_quotes(src: &str, at: usize, depth: u32) -> Result<usize, Unclosed> {
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
    Err(Unclosed::new("\"", at))
}

/// End of the expansion that the `$` at `at` opens; one past the `$` when it opens none that brackets.
pub(super) fn dollar(src: &str, at: usize, in_quotes: bool, depth: u32) -> Result<usize, Unclosed> {
    if depth > MAX_DEPTH {
        return Ok(at + 1);
    }
    match src.as_bytes().get(at + 1) {
        Some(b'(') => match arithmetic(src, at, depth) {
            Some(end) => Ok(end),
            None => {
                parens(src, at + 1, depth + 1).map_err(|e| if e.at == at + 1 { Unclosed::new("$(", at) } else { e })
            }
        },
        Some(b'{') => braces(src, at, in_quotes, depth + 1),
        Some(b'\'') if !in_quotes => ansi_quotes(src, at + 1),
        _ => Ok(at + 1),
    }
}

/// End of `${…}` that opens at `at`.
fn braces(src: &str, at: usize, in_quotes: bool, depth: u32) -> Result<usize, Unclosed> {
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
    Err(Unclosed::new("${", at))
}

/// End of `$((…))` that opens at `at`, when the brackets close in pairs as arithmetic does.
pub(super) fn arithmetic(src: &str, at: usize, depth: u32) -> Option<usize> {
    let bytes = src.as_bytes();
    if bytes.get(at + 1) != Some(&b'(') || bytes.get(at + 2) != Some(&b'(') {
        return None;
    }
    let (mut k, mut open) = (at + 3, 0u32);
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
            b';' => return None,
            _ => {}
        }
        k += 1;
    }
    None
}

/// End of `( … )`, commands inside, that opens at `at`.
pub(super) fn parens(src: &str, at: usize, depth: u32) -> Result<usize, Unclosed> {
    let mut scan = Commands { src, at: at + 1, open: vec![Open::Paren(at)], heredocs: Vec::new(), depth };
    scan.run()?;
    if scan.open.is_empty() { Ok(scan.at) } else { Err(Unclosed::new("(", at)) }
}

/// The first quote or substitution of a whole script that has no end.
pub(super) fn unclosed(src: &str) -> Option<Unclosed> {
    let mut scan = Commands { src, at: 0, open: vec![Open::Script], heredocs: Vec::new(), depth: 0 };
    scan.run().err()
}

enum Open {
    /// The script itself: never closes.
    Script,
    /// `(`
    Paren(#[allow(dead_code)] usize),
    /// `case … in`, whose patterns end in `)`.
    Case,
}

struct Commands<'s> {
    src: &'s str,
    at: usize,
    open: Vec<Open>,
    heredocs: Vec<Heredoc>,
    depth: u32,
}

struct Heredoc {
    delimiter: String,
    tabs: bool,
}

impl Commands<'_> {
    /// Scans commands until every bracket is closed, or the end.
    fn run(&mut self) -> Result<(), Unclosed> {
        let bytes = self.src.as_bytes();
        let mut word_start = true;
        while self.at < bytes.len() && !self.open.is_empty() {
            let byte = bytes[self.at];
            let start = word_start;
            word_start = matches!(byte, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>');
            match byte {
                b'\\' => self.at += 2,
                b'\'' => self.at = single_quotes(self.src, self.at)?,
                b'"' => self.at = double_quotes(self.src, self.at, self.depth + 1)?,
                b'`' => self.at = backticks(self.src, self.at)?,
                b'$' => self.at = dollar(self.src, self.at, false, self.depth)?,
                b'#' if start => self.at = comment(self.src, self.at),
                b'(' => {
                    // In arithmetic `<<` is a shift and `#` a base.
                    if bytes.get(self.at + 1) == Some(&b'(')
                        && self.at > 0
                        && let Some(end) = arithmetic(self.src, self.at - 1, self.depth)
                    {
                        self.at = end;
                    } else {
                        // A pattern of `case` may open with `(`.
                        if !matches!(self.open.last(), Some(Open::Case)) {
                            self.open.push(Open::Paren(self.at));
                        }
                        self.at += 1;
                    }
                }
                b')' => {
                    if matches!(self.open.last(), Some(Open::Paren(_))) {
                        self.open.pop();
                    }
                    self.at += 1;
                }
                b'<' if bytes[self.at..].starts_with(b"<<<") => self.at += 3,
                b'<' if bytes[self.at..].starts_with(b"<<") => self.heredoc_start(),
                b'\n' => {
                    self.at += 1;
                    self.heredoc_bodies();
                }
                _ if start && byte.is_ascii_lowercase() => {
                    let end = self.word_end();
                    match &self.src[self.at..end] {
                        "case" if self.command_position() => self.open.push(Open::Case),
                        "esac" if matches!(self.open.last(), Some(Open::Case)) => {
                            self.open.pop();
                        }
                        _ => {}
                    }
                    self.at = end.max(self.at + 1);
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(bytes.len());
        Ok(())
    }

    fn word_end(&self) -> usize {
        let bytes = self.src.as_bytes();
        let mut end = self.at;
        while end < bytes.len() && (bytes[end].is_ascii_alphanumeric() || matches!(bytes[end], b'_' | b'-' | b'.')) {
            end += 1;
        }
        end
    }

    /// Whether a reserved word may stand here: at the start, behind an operator, or behind another reserved word.
    fn command_position(&self) -> bool {
        let before = self.src[..self.at].trim_end_matches([' ', '\t']);
        before.is_empty()
            || before.ends_with(['\n', ';', '&', '|', '(', ')', '{'])
            || ["do", "then", "else"].iter().any(|word| before.ends_with(word))
    }

    fn heredoc_start(&mut self) {
        let bytes = self.src.as_bytes();
        self.at += 2;
        let tabs = bytes.get(self.at) == Some(&b'-');
        if tabs {
            self.at += 1;
        }
        while matches!(bytes.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let mut delimiter = String::new();
        while let Some(next) = self.src[self.at..].chars().next() {
            match next {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>' => break,
                '\'' | '"' => {
                    let from = self.at + 1;
                    let Some(len) = memchr::memchr(next as u8, &bytes[from..]) else { return };
                    delimiter.push_str(&self.src[from..from + len]);
                    self.at = from + len + 1;
                    continue;
                }
                '\\' => {}
                other => delimiter.push(other),
            }
            self.at += next.len_utf8();
        }
        if !delimiter.is_empty() {
            self.heredocs.push(Heredoc { delimiter, tabs });
        }
    }

    fn heredoc_bodies(&mut self) {
        for heredoc in std::mem::take(&mut self.heredocs) {
            while self.at < self.src.len() {
                let end = comment(self.src, self.at);
                let line = &self.src[self.at..end];
                self.at = (end + 1).min(self.src.len());
                if (if heredoc.tabs { line.trim_start_matches('\t') } else { line }) == heredoc.delimiter {
                    break;
                }
            }
        }
    }
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
