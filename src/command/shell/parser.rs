//! The structure of a script: lists, pipelines, compound commands.
//!
//! Written by hand although tree-sitter-bash exists: that grammar takes some scripts for broken that shells run, drops
//! escaped blanks in front of words (which folded YAML scalars are full of), and points at the whole script when a `fi`
//! is missing. The measure is `bash -n`.

use super::ast::{Block, Command, Item, Kind};
use super::lexer::{Lexer, MAX_DEPTH};
use super::skip;
use super::syntax::{SyntaxError, too_deep, unexpected, word_len};

pub(super) type Parsed<T> = Result<T, SyntaxError>;

/// Reserved words that end a block.
const ENDS: &[&str] = &["then", "elif", "else", "fi", "do", "done", "esac", "}"];

/// Parses a script: what a shell would run before it stops at the error, if there is one.
pub(super) fn parse(src: &str) -> (Block, Option<SyntaxError>) {
    let mut parser = Parser { lexer: Lexer::new(src, 0, 0) };
    let mut block = Block::default();
    loop {
        parser.lexer.skip_newlines();
        if parser.lexer.done() {
            return (block, None);
        }
        // A shell reads a line with all that hangs on it before it runs any of it.
        match parser.line() {
            Ok(items) => block.items.extend(items),
            Err(error) => return (block, Some(error)),
        }
    }
}

/// End of the `$(…)` or `<(…)` that begins at `start`.
pub(super) fn substitution(lexer: &Lexer<'_>, start: usize) -> Parsed<usize> {
    if lexer.depth > MAX_DEPTH {
        return Err(too_deep(start));
    }
    let mut parser = Parser { lexer: Lexer::new(lexer.src, start + 2, lexer.depth + 1) };
    parser.lexer.skip_newlines();
    if parser.lexer.peek(0) != b')' {
        parser.block(&[])?;
    }
    parser.close(b')', &lexer.src[start..start + 2], start)
}

/// A parser at its place in a script.
pub(super) struct Parser<'s> {
    pub lexer: Lexer<'s>,
}

impl<'s> Parser<'s> {
    /// The unquoted word that stands here.
    pub(super) fn word_here(&self) -> &'s str {
        let rest = &self.lexer.src[self.lexer.at..];
        &rest[..word_len(rest)]
    }

    /// Consumes a reserved word.
    pub(super) fn reserved(&mut self, word: &str) -> bool {
        let here = self.word_here() == word;
        if here {
            self.lexer.at += word.len();
        }
        here
    }

    pub(super) fn expect(&mut self, word: &str, opener: &str, at: usize) -> Parsed<()> {
        if self.reserved(word) {
            return Ok(());
        }
        if self.lexer.done() {
            let message = format!("this `{opener}` has no `{word}`");
            return Err(SyntaxError { range: at..at + opener.len(), message });
        }
        Err(unexpected(&self.lexer, &format!("`{word}`")))
    }

    pub(super) fn close(&mut self, byte: u8, opener: &str, at: usize) -> Parsed<usize> {
        if self.lexer.peek(0) == byte {
            self.lexer.at += 1;
            return Ok(self.lexer.at);
        }
        if self.lexer.done() { Err(SyntaxError::unclosed(opener, at)) } else { Err(unexpected(&self.lexer, "")) }
    }

    /// The separator behind a command: none, or whether it is `&`.
    pub(super) fn separator(&mut self) -> Option<bool> {
        self.lexer.skip_blanks();
        let background = match self.lexer.peek(0) {
            b';' if !matches!(self.lexer.peek(1), b';' | b'&') => false,
            b'&' if self.lexer.peek(1) != b'&' => true,
            _ => return None,
        };
        self.lexer.at += 1;
        Some(background)
    }

    /// Commands up to a newline.
    fn line(&mut self) -> Parsed<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            let command = self.chain()?;
            let separator = self.separator();
            items.push(Item { command, background: separator == Some(true) });
            self.lexer.skip_blanks();
            if self.lexer.done() || self.lexer.peek(0) == b'\n' {
                return Ok(items);
            }
            if separator.is_none() {
                return Err(unexpected(&self.lexer, ""));
            }
        }
    }

    /// Commands up to one of the reserved words (not consumed), `)`, or `;;`. At least one.
    pub(super) fn block(&mut self, ends: &[&str]) -> Parsed<Block> {
        let mut block = Block::default();
        self.lexer.skip_newlines();
        loop {
            if self.lexer.done() {
                return Ok(block);
            }
            let command = self.chain()?;
            let separator = self.separator();
            block.items.push(Item { command, background: separator == Some(true) });
            let line_end = self.lexer.peek(0) == b'\n';
            self.lexer.skip_newlines();
            let here = self.word_here();
            let closed = self.lexer.peek(0) == b')' || self.lexer.starts_with(";;") || self.lexer.starts_with(";&");
            if self.lexer.done() || closed || ((separator.is_some() || line_end) && ends.contains(&here)) {
                return Ok(block);
            }
            // Behind a compound command the next reserved word needs no separator (`if ((x)) then`).
            let compound = block.items.last().is_some_and(|i| !matches!(i.command.kind, Kind::Simple(_)));
            if compound && ends.contains(&here) {
                return Ok(block);
            }
            if separator.is_none() && !line_end {
                return Err(unexpected(&self.lexer, ""));
            }
        }
    }

    fn chain(&mut self) -> Parsed<Command> {
        let start = self.lexer.at;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.lexer.skip_blanks();
            let or = match (self.lexer.peek(0), self.lexer.peek(1)) {
                (b'&', b'&') => false,
                (b'|', b'|') => true,
                _ => break,
            };
            self.lexer.at += 2;
            self.lexer.skip_newlines();
            rest.push((or, self.pipeline()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let end = rest.last().map_or(start, |(_, c)| c.range.end);
        Ok(Command { kind: Kind::Chain(Box::new(first), rest), range: start..end })
    }

    fn pipeline(&mut self) -> Parsed<Command> {
        let start = self.lexer.at;
        let mut negated = false;
        while self.reserved("!") {
            negated = !negated;
            self.lexer.skip_blanks();
        }
        let mut parts = vec![self.command()?];
        loop {
            self.lexer.skip_blanks();
            if self.lexer.peek(0) != b'|' || self.lexer.peek(1) == b'|' {
                break;
            }
            self.lexer.at += 1 + usize::from(self.lexer.peek(1) == b'&');
            self.lexer.skip_newlines();
            parts.push(self.command()?);
        }
        let end = parts.last().map_or(start, |c| c.range.end);
        let command = match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                Command { kind: Kind::Pipeline(parts), range: start..end }
            }
        };
        Ok(if negated { Command { kind: Kind::Not(Box::new(command)), range: start..end } } else { command })
    }

    fn command(&mut self) -> Parsed<Command> {
        let start = self.lexer.at;
        self.lexer.depth += 1;
        if self.lexer.depth > MAX_DEPTH {
            return Err(too_deep(start));
        }
        let word = self.word_here();
        let compound = self.compound(word, start)?;
        let command = match compound {
            Some(kind) => Command { kind, range: start..self.redirections()? },
            None => self.simple(start)?,
        };
        self.lexer.depth -= 1;
        Ok(command)
    }

    /// Skips the redirections behind a compound command; gives where the last ends.
    pub(super) fn redirections(&mut self) -> Parsed<usize> {
        let mut end = self.lexer.at;
        loop {
            self.lexer.skip_blanks();
            if !self.lexer.redirection()? {
                return Ok(end);
            }
            end = self.lexer.at;
        }
    }

    pub(super) fn compound(&mut self, word: &str, start: usize) -> Parsed<Option<Kind>> {
        if self.lexer.peek(0) == b'(' {
            return self.parentheses(start).map(Some);
        }
        if ENDS.contains(&word) {
            return Err(unexpected(&self.lexer, ""));
        }
        if !matches!(word, "{" | "if" | "while" | "until" | "for" | "select" | "case" | "function" | "[[" | "time") {
            return Ok(None);
        }
        if word == "time" {
            return self.timed();
        }
        self.lexer.at += word.len();
        Ok(Some(match word {
            "{" => {
                let block = self.block(&["}"])?;
                self.expect("}", word, start)?;
                Kind::Group(block)
            }
            "if" => self.condition(start)?,
            "while" | "until" => {
                let test = self.block(&["do"])?;
                Kind::While { until: word == "until", test, body: self.body(word, start)? }
            }
            "for" | "select" => self.for_loop(word, start)?,
            "case" => self.case(start)?,
            "function" => {
                self.lexer.skip_blanks();
                let name = self.word_here();
                if name.is_empty() {
                    return Err(unexpected(&self.lexer, "the name of a function"));
                }
                self.lexer.at += name.len();
                self.lexer.skip_blanks();
                if self.lexer.peek(0) == b'(' {
                    self.lexer.at += 1;
                    self.lexer.skip_blanks();
                    self.close(b')', "(", self.lexer.at - 1)?;
                }
                self.function(name)?
            }
            _ => self.test(start)?,
        }))
    }

    /// `time` in front of a compound command is a reserved word; elsewhere it may as well be a program.
    fn timed(&mut self) -> Parsed<Option<Kind>> {
        let start = self.lexer.at;
        self.lexer.at += "time".len();
        self.lexer.skip_blanks();
        if self.word_here() == "-p" {
            self.lexer.at += 2;
            self.lexer.skip_blanks();
        }
        let word = self.word_here();
        let inner = self.lexer.at;
        if self.lexer.peek(0) == b'(' || matches!(word, "{" | "if" | "while" | "until" | "for" | "case" | "[[") {
            return self.compound(word, inner);
        }
        self.lexer.at = start;
        Ok(None)
    }

    fn parentheses(&mut self, start: usize) -> Parsed<Kind> {
        if self.lexer.peek(1) == b'('
            && let Some(end) = skip::arithmetic_parens(self.lexer.src, start, self.lexer.depth)
        {
            self.lexer.at = end;
            return Ok(Kind::Arithmetic);
        }
        self.lexer.at += 1;
        let block = self.block(&[])?;
        self.close(b')', "(", start)?;
        Ok(Kind::Subshell(block))
    }

    fn simple(&mut self, start: usize) -> Parsed<Command> {
        let command = self.lexer.command()?;
        let range = start..command.end;
        if range.is_empty() {
            return Err(unexpected(&self.lexer, ""));
        }
        if self.lexer.peek(0) == b'(' && !self.lexer.done() {
            let plain = self.lexer.src[range.clone()].trim_end();
            if let [word] = command.words.as_slice()
                && word.assignment.is_none()
                && word.range == range
                && !plain.contains(['\'', '"', '\\', '$', '`'])
            {
                let open = self.lexer.at;
                self.lexer.at += 1;
                self.lexer.skip_blanks();
                if self.lexer.peek(0) == b')' {
                    self.lexer.at += 1;
                    let kind = self.function(plain)?;
                    return Ok(Command { kind, range: start..self.lexer.at });
                }
                self.lexer.at = open;
            }
            return Err(unexpected(&self.lexer, ""));
        }
        Ok(Command { kind: Kind::Simple(command), range })
    }
}
