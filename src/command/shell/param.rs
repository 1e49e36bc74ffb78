//! `$NAME` and `${…}` as written.

use std::ops::Range;

use super::ast::{Part, RawWord};
use super::lexer::{Lexer, Until};
use super::syntax::SyntaxError;
use crate::source::name_len;

/// A parameter expansion.
#[derive(Clone, Debug)]
pub(super) struct Param {
    /// `HOME`, `1`, `@`, …
    pub name: String,
    /// `[…]` behind the name.
    pub index: Option<Index>,
    /// What is done with the value.
    pub op: Op,
    /// All of it.
    pub range: Range<usize>,
    /// Whether it stands inside double quotes.
    pub quoted: bool,
}

/// Which element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Index {
    /// `[@]`
    At,
    /// `[*]`
    Star,
    /// `[0]`
    One(Range<usize>),
}

/// What an expansion does with the value.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Nothing.
    Plain,
    /// `${#a}`
    Length,
    /// `:-`, `-`, `:=`, `=`, `:+`, `+`, `:?`, `?`: the letter, whether with a colon, the word.
    Test { kind: u8, colon: bool, word: RawWord },
    /// `#`, `##`, `%`, `%%`: the letter, whether doubled, the pattern.
    Trim { kind: u8, longest: bool, pattern: RawWord },
    /// `/`, `//`, `/#`, `/%`: the second letter (0 for none), pattern, replacement.
    Replace { kind: u8, pattern: RawWord, with: RawWord },
    /// `^`, `^^`, `,`, `,,`: upper or lower case, of all or the first letter.
    Case { upper: bool, all: bool },
    /// Anything else (`${!a}`, `${a:1:2}`, `${a@Q}`): known to the shell alone.
    Other,
}

fn parameter_len(text: &str) -> usize {
    match text.as_bytes().first() {
        Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') => 1,
        Some(b'0'..=b'9') => text.bytes().take_while(u8::is_ascii_digit).count(),
        _ => name_len(text),
    }
}

/// Reads the expansion at the lexer's `$`; none when the `$` is literal.
pub(super) fn parse(lexer: &mut Lexer<'_>, quoted: bool) -> Result<Option<Param>, SyntaxError> {
    let start = lexer.at;
    let rest = &lexer.src[start + 1..];
    if rest.starts_with('{') {
        return braces(lexer, quoted).map(Some);
    }
    let len = match rest.as_bytes().first() {
        Some(b'0'..=b'9') => 1,
        _ => parameter_len(rest),
    };
    if len == 0 {
        return Ok(None);
    }
    let name = rest[..len].to_owned();
    lexer.at = start + 1 + len;
    Ok(Some(Param { name, index: None, op: Op::Plain, range: start..lexer.at, quoted }))
}

fn braces(lexer: &mut Lexer<'_>, quoted: bool) -> Result<Param, SyntaxError> {
    let (start, src) = (lexer.at, lexer.src);
    let mut param = Param { name: String::new(), index: None, op: Op::Plain, range: start..start, quoted };
    lexer.at = start + 2;
    let rest = &src[lexer.at..];
    // `#` and `!` are prefixes when a parameter follows, else parameters themselves.
    let prefixed = rest.len() > 1 && parameter_len(&rest[1..]) > 0 && !matches!(rest.as_bytes()[1], b'-' | b'?');
    match rest.as_bytes().first() {
        Some(b'#') if prefixed => (param.op, lexer.at) = (Op::Length, lexer.at + 1),
        Some(b'!') if prefixed => (param.op, lexer.at) = (Op::Other, lexer.at + 1),
        _ => {}
    }
    let len = parameter_len(&src[lexer.at..]);
    src[lexer.at..lexer.at + len].clone_into(&mut param.name);
    lexer.at += len;
    if len == 0 {
        param.op = Op::Other;
    }
    if lexer.peek(0) == b'['
        && let Some(bracket) = memchr::memchr3(b']', b'}', b'\n', &src.as_bytes()[lexer.at..])
        && src.as_bytes()[lexer.at + bracket] == b']'
    {
        let range = lexer.at + 1..lexer.at + bracket;
        lexer.at += bracket + 1;
        param.index = Some(match &src[range.clone()] {
            "@" => Index::At,
            "*" => Index::Star,
            _ => Index::One(range),
        });
    }
    if lexer.peek(0) != b'}' && matches!(param.op, Op::Plain) {
        param.op = operator(lexer, quoted)?;
    }
    if lexer.peek(0) != b'}' && !lexer.done() {
        // An index with brackets in it, or an operator that is not known here.
        operand(lexer, if quoted { Until::BraceInQuotes } else { Until::Brace })?;
        param.op = Op::Other;
    }
    if lexer.done() {
        return Err(SyntaxError::unclosed("${", start));
    }
    lexer.at += 1;
    param.range = start..lexer.at;
    Ok(param)
}

fn operator(lexer: &mut Lexer<'_>, quoted: bool) -> Result<Op, SyntaxError> {
    let until = if quoted { Until::BraceInQuotes } else { Until::Brace };
    let first = lexer.peek(0);
    let second = lexer.peek(1);
    Ok(match first {
        b':' if matches!(second, b'-' | b'=' | b'+' | b'?') => {
            lexer.at += 2;
            Op::Test { kind: second, colon: true, word: operand(lexer, until)? }
        }
        b'-' | b'=' | b'+' | b'?' => {
            lexer.at += 1;
            Op::Test { kind: first, colon: false, word: operand(lexer, until)? }
        }
        b'#' | b'%' => {
            let longest = second == first;
            lexer.at += 1 + usize::from(longest);
            Op::Trim { kind: first, longest, pattern: operand(lexer, Until::Brace)? }
        }
        b'/' => {
            let kind = if matches!(second, b'/' | b'#' | b'%') { second } else { 0 };
            lexer.at += 1 + usize::from(kind != 0);
            let pattern = operand(lexer, Until::Slash)?;
            let at = lexer.at;
            if lexer.peek(0) == b'/' {
                lexer.at += 1;
            }
            let with = if lexer.at > at {
                operand(lexer, until)?
            } else {
                RawWord { parts: Vec::<Part>::new(), range: at..at, assignment: None }
            };
            Op::Replace { kind, pattern, with }
        }
        b'^' | b',' => {
            let all = second == first;
            lexer.at += 1 + usize::from(all);
            // A pattern behind it is rare enough to leave to the shell.
            if lexer.peek(0) == b'}' { Op::Case { upper: first == b'^', all } } else { Op::Other }
        }
        _ => Op::Other,
    })
}

fn operand(lexer: &mut Lexer<'_>, until: Until) -> Result<RawWord, SyntaxError> {
    let from = lexer.at;
    let parts = lexer.parts(until)?;
    Ok(RawWord { parts, range: from..lexer.at, assignment: None })
}
