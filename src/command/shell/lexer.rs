//! Words: where they begin and end, and what they are made of, quotes and expansions told apart.

use super::ast::{AssignedValue, Assignment, Part, RawWord};
use super::param;
use super::parser;
use super::skip;
use super::syntax::SyntaxError;
use crate::source::name_len;

/// How deep quotes and expansions may nest before they are taken literally.
pub(super) const MAX_DEPTH: u32 = 40;

/// Which characters end a run of parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Blanks and operators.
    WordEnd,
    /// `"`.
    DoubleQuote,
    /// `}` of `${…}`.
    Brace,
    /// `}` of `${…}` inside double quotes.
    BraceInQuotes,
    /// `/` or `}`: the pattern of `${a/b/c}`.
    Slash,
}

/// Bytes that mean something in one state or another; all others are letters of a word.
static MEANT: [bool; 256] = {
    let mut meant = [false; 256];
    let bytes = b" \t\n;|&()<>\"'`$\\}/";
    let mut i = 0;
    while i < bytes.len() {
        meant[bytes[i] as usize] = true;
        i += 1;
    }
    meant
};

pub(super) struct Lexer<'s> {
    pub src: &'s str,
    pub at: usize,
    pub depth: u32,
    /// Here-documents whose bodies begin at the next newline.
    heredocs: Vec<Heredoc>,
}

struct Heredoc {
    delimiter: String,
    tabs: bool,
}

impl<'s> Lexer<'s> {
    pub fn new(src: &'s str, at: usize, depth: u32) -> Self {
        Self { src, at, depth, heredocs: Vec::new() }
    }

    pub fn peek(&self, ahead: usize) -> u8 {
        self.src.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    pub fn done(&self) -> bool {
        self.at >= self.src.len()
    }

    pub fn starts_with(&self, what: &str) -> bool {
        self.src.as_bytes()[self.at.min(self.src.len())..].starts_with(what.as_bytes())
    }

    /// Blanks, line continuations and a comment.
    pub fn skip_blanks(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' => self.at += 1,
                b'\\' if self.peek(1) == b'\n' => self.at += 2,
                b'#' => self.at = skip::comment(self.src, self.at),
                _ => return,
            }
        }
    }

    /// Blanks and newlines, with the here-documents that begin there.
    pub fn skip_newlines(&mut self) {
        loop {
            self.skip_blanks();
            if self.peek(0) != b'\n' {
                return;
            }
            self.at += 1;
            for heredoc in std::mem::take(&mut self.heredocs) {
                self.skip_body(&heredoc);
            }
        }
    }

    fn skip_body(&mut self, heredoc: &Heredoc) {
        while self.at < self.src.len() {
            let end = skip::comment(self.src, self.at);
            let line = &self.src[self.at..end];
            self.at = (end + 1).min(self.src.len());
            if (if heredoc.tabs { line.trim_start_matches('\t') } else { line }) == heredoc.delimiter {
                return;
            }
        }
    }

    /// Skips the operator of a redirection, with the descriptor in front of it; whether it begins a here-document, and then
    /// whether tabs are taken off that.
    pub fn redirection(&mut self) -> Option<Option<bool>> {
        let start = self.at;
        if !matches!(self.peek(0), b'<' | b'>' | b'&' | b'{' | b'0'..=b'9') {
            return None;
        }
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start
            && self.peek(0) == b'{'
            && let Some(close) = self.src[start..].find('}')
            && name_len(&self.src[start + 1..]) == close - 1
            && matches!(self.src.as_bytes().get(start + close + 1), Some(b'<' | b'>'))
        {
            // `{fd}> file`
            self.at += close + 1;
        }
        let operator = ["<<<", "<<-", "&>>", "<<", ">>", "<&", ">&", "<>", ">|", "&>", "<", ">"]
            .into_iter()
            .find(|op| self.starts_with(op) && !(op.starts_with('&') && self.at > start));
        let process = matches!(self.peek(0), b'<' | b'>') && self.peek(1) == b'(';
        let Some(operator) = operator.filter(|_| !process) else {
            self.at = start;
            return None;
        };
        self.at += operator.len();
        Some(matches!(operator, "<<" | "<<-").then_some(operator == "<<-"))
    }

    /// Skips the target of a redirection; gives it as written.
    pub fn target(&mut self, heredoc: Option<bool>) -> Result<&'s str, SyntaxError> {
        let from = self.at;
        self.parts(Until::WordEnd)?;
        let target = &self.src[from..self.at];
        if let Some(tabs) = heredoc {
            // Quotes around the delimiter (`<<'EOF'`) are not part of it.
            self.heredocs.push(Heredoc { delimiter: target.replace(['\'', '"', '\\'], ""), tabs });
        }
        Ok(target)
    }

    /// A word that is no assignment, whatever it looks like.
    pub fn bare_word(&mut self) -> Result<RawWord, SyntaxError> {
        let from = self.at;
        let parts = self.parts(Until::WordEnd)?;
        Ok(RawWord { parts, range: from..self.at, assignment: None })
    }

    /// Skips a pattern in which brackets and `|` are letters.
    pub fn regex(&mut self) -> Result<(), SyntaxError> {
        let mut open = 0u32;
        while !self.done() {
            match self.peek(0) {
                b'(' => open += 1,
                b')' if open == 0 => return Ok(()),
                b')' => open -= 1,
                b' ' | b'\t' | b'\n' if open == 0 => return Ok(()),
                b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'<' | b'>' => {}
                _ => {
                    let at = self.at;
                    self.parts(Until::WordEnd)?;
                    if self.at > at {
                        continue;
                    }
                }
            }
            self.at += 1;
        }
        Ok(())
    }

    /// One word; its range is empty when none stands here.
    pub fn word(&mut self) -> Result<RawWord, SyntaxError> {
        let start = self.at;
        if let Some(assignment) = self.assignment()? {
            return Ok(RawWord { parts: Vec::new(), range: start..self.at, assignment: Some(Box::new(assignment)) });
        }
        self.bare_word()
    }

    /// `NAME=`, `NAME+=`, `NAME[…]=` and the value, or nothing.
    fn assignment(&mut self) -> Result<Option<Assignment>, SyntaxError> {
        let start = self.at;
        let name_end = start + name_len(&self.src[start..]);
        if name_end == start {
            return Ok(None);
        }
        let bytes = self.src.as_bytes();
        let mut at = name_end;
        let mut index = None;
        if bytes.get(at) == Some(&b'[')
            && let Some(close) = memchr::memchr2(b']', b'\n', &bytes[at..]).filter(|&k| bytes[at + k] == b']')
        {
            index = Some(at + 1..at + close);
            at += close + 1;
        }
        let append = bytes.get(at) == Some(&b'+') && bytes.get(at + 1) == Some(&b'=');
        if append {
            at += 1;
        }
        if bytes.get(at) != Some(&b'=') {
            return Ok(None);
        }
        self.at = at + 1;
        let value = if self.peek(0) == b'(' && index.is_none() {
            let words = self.array()?;
            // `a=(b)c` is one word, whatever it means.
            self.parts(Until::WordEnd)?;
            AssignedValue::Array(words)
        } else {
            AssignedValue::Scalar(self.bare_word()?)
        };
        let name = self.src[start..name_end].to_owned();
        Ok(Some(Assignment { name, name_range: start..name_end, index, append, value }))
    }

    fn array(&mut self) -> Result<Vec<RawWord>, SyntaxError> {
        let open = self.at;
        self.at += 1;
        let mut words = Vec::new();
        loop {
            self.skip_newlines();
            if self.done() {
                return Err(SyntaxError::unclosed("(", open));
            }
            if self.peek(0) == b')' {
                self.at += 1;
                return Ok(words);
            }
            let word = self.bare_word()?;
            if word.range.is_empty() {
                return Err(SyntaxError::unexpected(self.src, self.at..self.at + 1, "a word"));
            }
            words.push(word);
        }
    }

    pub fn ends_word(&self, until: Until) -> bool {
        match until {
            Until::WordEnd => {
                matches!(self.peek(0), b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'(' | b')')
                    || (matches!(self.peek(0), b'<' | b'>') && self.peek(1) != b'(')
            }
            Until::DoubleQuote => self.peek(0) == b'"',
            Until::Brace | Until::BraceInQuotes => self.peek(0) == b'}',
            Until::Slash => matches!(self.peek(0), b'/' | b'}'),
        }
    }

    /// Parts up to the end that `until` names, which is not consumed.
    pub fn parts(&mut self, until: Until) -> Result<Vec<Part>, SyntaxError> {
        let mut parts = Vec::new();
        let in_quotes = matches!(until, Until::DoubleQuote | Until::BraceInQuotes);
        let mut literal = self.at;
        let flush = |parts: &mut Vec<Part>, before: usize, from: usize, to: usize| {
            if from < to {
                // Most words have one part.
                parts.reserve_exact(usize::from(parts.is_empty()));
                parts.insert(before, if in_quotes { Part::Quoted(from..to) } else { Part::Plain(from..to) });
            }
        };
        loop {
            let rest = self.src.as_bytes().get(self.at..).unwrap_or_default();
            self.at += rest.iter().take_while(|byte| !MEANT[usize::from(**byte)]).count();
            if self.done() || self.ends_word(until) {
                break;
            }
            let byte = self.peek(0);
            let special = match byte {
                b'\\' | b'`' | b'$' => true,
                b'\'' => !in_quotes,
                b'"' => until != Until::DoubleQuote,
                b'<' | b'>' => until == Until::WordEnd,
                _ => false,
            };
            if !special || self.depth > MAX_DEPTH {
                self.at += 1;
                continue;
            }
            let from = self.at;
            let before = parts.len();
            self.depth += 1;
            let taken = self.special(byte, in_quotes, until, &mut parts);
            self.depth -= 1;
            if taken? {
                flush(&mut parts, before, literal, from);
                literal = self.at;
            }
        }
        let before = parts.len();
        flush(&mut parts, before, literal, self.at);
        Ok(parts)
    }

    /// One quote, escape or expansion; false when it is a literal byte after all (which is consumed).
    fn special(&mut self, byte: u8, in_quotes: bool, until: Until, parts: &mut Vec<Part>) -> Result<bool, SyntaxError> {
        let start = self.at;
        match byte {
            b'\\' => return Ok(self.escape(in_quotes, until, parts)),
            b'\'' => {
                let end = skip::single_quotes(self.src, start)?;
                parts.push(Part::Quoted(start + 1..end - 1));
                self.at = end;
            }
            b'"' => {
                self.double_quotes(start, start + 1, parts)?;
            }
            b'`' => {
                self.at = skip::backticks(self.src, start)?;
                parts.push(Part::Command { range: start..self.at, quoted: in_quotes });
            }
            b'<' | b'>' => {
                self.at = parser::substitution(self, start)?;
                parts.push(Part::Command { range: start..self.at, quoted: true });
            }
            _ => return self.dollar(in_quotes, parts),
        }
        Ok(true)
    }

    fn escape(&mut self, in_quotes: bool, until: Until, parts: &mut Vec<Part>) -> bool {
        let start = self.at;
        let Some(next) = self.src[start + 1..].chars().next() else {
            self.at += 1;
            return false;
        };
        let end = start + 1 + next.len_utf8();
        if next == '\n' {
            self.at = end;
            return true;
        }
        let escapes =
            !in_quotes || matches!(next, '$' | '`' | '"' | '\\') || (until == Until::BraceInQuotes && next == '}');
        self.at = end;
        if escapes {
            parts.push(Part::Escaped(next.to_string(), start..end));
        }
        escapes
    }

    /// `"…"`, from the quote at `open`, whose content begins at `from`.
    fn double_quotes(&mut self, open: usize, from: usize, parts: &mut Vec<Part>) -> Result<(), SyntaxError> {
        self.at = from;
        let inner = self.parts(Until::DoubleQuote)?;
        if self.peek(0) != b'"' {
            return Err(SyntaxError::unclosed("\"", open));
        }
        if inner.is_empty() {
            parts.push(Part::Quoted(self.at..self.at));
        }
        parts.extend(inner);
        self.at += 1;
        Ok(())
    }

    fn dollar(&mut self, in_quotes: bool, parts: &mut Vec<Part>) -> Result<bool, SyntaxError> {
        let start = self.at;
        match self.peek(1) {
            b'(' if self.peek(2) == b'(' => {
                if let Some(end) = skip::arithmetic(self.src, start, self.depth) {
                    self.at = end;
                    parts.push(Part::Arith { range: start..end, inner: start + 3..end - 2 });
                } else {
                    let read = parser::substitution(self, start);
                    // Bash takes some of it for arithmetic all the same.
                    let both = read.is_err() && skip::for_header(self.src, start + 1, self.depth).is_some();
                    self.at = if both { read.map_err(|_| SyntaxError::too_deep(start))? } else { read? };
                    parts.push(Part::Command { range: start..self.at, quoted: in_quotes });
                }
            }
            b'(' => {
                self.at = parser::substitution(self, start)?;
                parts.push(Part::Command { range: start..self.at, quoted: in_quotes });
            }
            b'\'' if !in_quotes => {
                let end = skip::ansi_quotes(self.src, start + 1)?;
                skip::unescape_ansi(self.src, start + 2..end - 1, parts);
                self.at = end;
            }
            b'"' if !in_quotes => self.double_quotes(start + 1, start + 2, parts)?,
            _ => {
                let Some(parameter) = param::parse(self, in_quotes)? else {
                    self.at = start + 1;
                    return Ok(false);
                };
                parts.push(Part::Param(Box::new(parameter)));
            }
        }
        Ok(true)
    }
}
