//! The compound commands that reserved words open.

use std::rc::Rc;

use super::ast::{Block, Branch, Command, Kind, RawWord};
use super::lexer::Until;
use super::parser::{Parsed, Parser};
use super::skip;
use super::syntax::{SyntaxError, unexpected};

impl Parser<'_> {
    pub(super) fn condition(&mut self, start: usize) -> Parsed<Kind> {
        let mut arms = Vec::new();
        loop {
            let test = self.block(&["then"])?;
            self.expect("then", "if", start)?;
            let body = self.block(&["elif", "else", "fi"])?;
            arms.push((test, body));
            if self.reserved("elif") {
                continue;
            }
            let otherwise = if self.reserved("else") { Some(self.block(&["fi"])?) } else { None };
            self.expect("fi", "if", start)?;
            return Ok(Kind::If(arms, otherwise));
        }
    }

    /// `do … done`; bash takes braces too.
    pub(super) fn body(&mut self, opener: &str, at: usize) -> Parsed<Block> {
        self.lexer.skip_newlines();
        let brace = self.lexer.at;
        if opener != "while" && opener != "until" && self.reserved("{") {
            let block = self.block(&["}"])?;
            self.expect("}", "{", brace)?;
            return Ok(block);
        }
        self.expect("do", opener, at)?;
        let block = self.block(&["done"])?;
        self.expect("done", opener, at)?;
        Ok(block)
    }

    pub(super) fn for_loop(&mut self, word: &str, start: usize) -> Parsed<Kind> {
        self.lexer.skip_blanks();
        if word == "for" && self.lexer.starts_with("((") {
            let at = self.lexer.at;
            let Some(end) = skip::for_header(self.lexer.src, at, self.lexer.depth) else {
                return Err(SyntaxError::unclosed("((", at));
            };
            self.lexer.at = end;
            self.separator();
            return Ok(Kind::ArithmeticFor(self.body(word, start)?));
        }
        let from = self.lexer.at;
        self.lexer.parts(Until::WordEnd)?;
        let name = from..self.lexer.at;
        if name.is_empty() {
            return Err(unexpected(&self.lexer, "the name of a variable"));
        }
        self.lexer.skip_blanks();
        let mut words = None;
        if self.lexer.peek(0) != b';' {
            self.lexer.skip_newlines();
            if self.reserved("in") {
                words = Some(self.lexer.words()?);
                if !matches!(self.lexer.peek(0), b';' | b'\n') {
                    return Err(if self.lexer.done() {
                        SyntaxError { range: start..start + word.len(), message: format!("this `{word}` has no `do`") }
                    } else {
                        unexpected(&self.lexer, "")
                    });
                }
            }
        }
        // Braces instead of `do … done` need a separator in front.
        if self.separator().is_none() && !matches!(self.lexer.peek(0), b'\n') {
            self.lexer.skip_newlines();
            if self.word_here() != "do" {
                return self.expect("do", word, start).map(|()| Kind::Arithmetic);
            }
        }
        Ok(Kind::For { name, words, select: word == "select", body: self.body(word, start)? })
    }

    pub(super) fn case(&mut self, start: usize) -> Parsed<Kind> {
        self.lexer.skip_blanks();
        let from = self.lexer.at;
        let parts = self.lexer.parts(Until::WordEnd)?;
        let subject = RawWord { parts, range: from..self.lexer.at, assignment: None };
        if subject.range.is_empty() {
            return Err(unexpected(&self.lexer, "a word"));
        }
        self.lexer.skip_newlines();
        self.expect("in", "case", start)?;
        let mut branches = Vec::new();
        loop {
            self.lexer.skip_newlines();
            if self.reserved("esac") {
                return Ok(Kind::Case(subject, branches));
            }
            if self.lexer.done() {
                self.expect("esac", "case", start)?;
            }
            branches.push(self.branch()?);
            self.lexer.skip_newlines();
            if self.lexer.starts_with(";;") || self.lexer.starts_with(";&") {
                let falls = !self.lexer.starts_with(";;") || self.lexer.starts_with(";;&");
                self.lexer.at += if self.lexer.starts_with(";;&") { 3 } else { 2 };
                if let Some(branch) = branches.last_mut() {
                    branch.falls = falls;
                }
            } else {
                self.expect("esac", "case", start)?;
                return Ok(Kind::Case(subject, branches));
            }
        }
    }

    fn branch(&mut self) -> Parsed<Branch> {
        if self.lexer.peek(0) == b'(' {
            self.lexer.at += 1;
        }
        let mut patterns = Vec::new();
        loop {
            self.lexer.skip_blanks();
            let from = self.lexer.at;
            let parts = self.lexer.parts(Until::WordEnd)?;
            if self.lexer.at == from {
                return Err(unexpected(&self.lexer, "a pattern"));
            }
            patterns.push(RawWord { parts, range: from..self.lexer.at, assignment: None });
            self.lexer.skip_blanks();
            match self.lexer.peek(0) {
                b'|' => self.lexer.at += 1,
                b')' => break,
                _ => return Err(unexpected(&self.lexer, "`)`")),
            }
        }
        self.lexer.at += 1;
        self.lexer.skip_newlines();
        let empty = self.lexer.starts_with(";;") || self.lexer.starts_with(";&") || self.word_here() == "esac";
        let body = if empty { Block::default() } else { self.block(&["esac"])? };
        Ok(Branch { patterns, body, falls: false })
    }

    pub(super) fn function(&mut self, name: &str) -> Parsed<Kind> {
        self.lexer.skip_newlines();
        let start = self.lexer.at;
        let word = self.word_here();
        if self.lexer.done() || word == "function" {
            return Err(unexpected(&self.lexer, "the body of the function"));
        }
        match self.compound(word, start)? {
            Some(kind) => {
                let body = Command { kind, range: start..self.redirections()? };
                Ok(Kind::Function(name.to_owned(), Rc::new(body)))
            }
            None => Err(unexpected(&self.lexer, "the body of the function in `{ … }`")),
        }
    }

    /// The inside of `[[ … ]]`.
    pub(super) fn test(&mut self, start: usize) -> Parsed<Kind> {
        let mut words: Vec<RawWord> = Vec::new();
        let mut plain = true;
        loop {
            self.lexer.skip_newlines();
            if self.lexer.done() {
                return Err(SyntaxError::unclosed("[[", start));
            }
            if self.word_here() == "]]" {
                if words.is_empty() {
                    return Err(unexpected(&self.lexer, "an expression"));
                }
                self.lexer.at += 2;
                return Ok(Kind::Test(plain.then_some(words)));
            }
            if words.last().is_some_and(|w| &self.lexer.src[w.range.clone()] == "=~") {
                plain = false;
                self.regex()?;
                words.clear();
                words.push(RawWord { parts: Vec::new(), range: start..start, assignment: None });
                continue;
            }
            let from = self.lexer.at;
            let parts = self.lexer.parts(Until::WordEnd)?;
            if self.lexer.at > from {
                words.push(RawWord { parts, range: from..self.lexer.at, assignment: None });
                if self.lexer.peek(0) == b'(' {
                    // An extended pattern: `@(a|b)`.
                    plain = false;
                    self.regex()?;
                }
                continue;
            }
            plain = false;
            match (self.lexer.peek(0), self.lexer.peek(1)) {
                (b'&', b'&') | (b'|', b'|') => self.lexer.at += 2,
                (b'(' | b')' | b'<' | b'>', _) => self.lexer.at += 1,
                _ => return Err(unexpected(&self.lexer, "`]]`")),
            }
        }
    }

    /// Skips a pattern in which brackets and `|` are literal.
    fn regex(&mut self) -> Parsed<()> {
        let mut open = 0u32;
        while !self.lexer.done() {
            match self.lexer.peek(0) {
                b'(' => open += 1,
                b')' if open == 0 => return Ok(()),
                b')' => open -= 1,
                b' ' | b'\t' | b'\n' if open == 0 => return Ok(()),
                b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'<' | b'>' => {}
                _ => {
                    let at = self.lexer.at;
                    self.lexer.parts(Until::WordEnd)?;
                    if self.lexer.at > at {
                        continue;
                    }
                }
            }
            self.lexer.at += 1;
        }
        Ok(())
    }
}
