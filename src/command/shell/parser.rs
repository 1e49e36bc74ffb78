//! The structure of a script: lists, pipelines, compound commands.
//!
//! Written by hand although tree-sitter-bash exists: that grammar takes some scripts for broken that shells run, drops
//! escaped blanks in front of words (which folded YAML scalars are full of), and points at the whole script when a `fi`
//! is missing. The measure is `bash -n`.

use std::ops::Range;
use std::rc::Rc;

use super::lexer::{Lexer, MAX_DEPTH, RawCommand, RawWord, Until};
use super::skip;

/// What in a script cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Where.
    pub range: Range<usize>,
    /// What is wrong.
    pub message: String,
}

impl SyntaxError {
    /// A quote or bracket without its end.
    pub fn unclosed(what: &str, at: usize) -> Self {
        let name = match what {
            "'" => "this single quote".to_owned(),
            "\"" => "this double quote".to_owned(),
            "`" => "this backtick".to_owned(),
            _ => format!("this `{what}`"),
        };
        Self { range: at..at + what.len(), message: format!("{name} is never closed") }
    }
}

/// Commands one after the other.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub items: Vec<Item>,
}

/// One command of a block.
#[derive(Debug)]
pub(super) struct Item {
    pub command: Command,
    /// Ended by `&`.
    pub background: bool,
}

/// A command with its place.
#[derive(Debug)]
pub(super) struct Command {
    pub kind: Kind,
    pub range: Range<usize>,
}

/// What kind of command.
#[derive(Debug)]
pub(super) enum Kind {
    /// Words, assignments, redirections.
    Simple(RawCommand),
    /// `a && b || c`: whether each further one hangs on `||`.
    Chain(Box<Command>, Vec<(bool, Command)>),
    /// `a | b`
    Pipeline(Vec<Command>),
    /// `! a`
    Not(Box<Command>),
    /// `{ …; }`
    Group(Block),
    /// `( … )`
    Subshell(Block),
    /// `if … elif … else`: tests with bodies.
    If(Vec<(Block, Block)>, Option<Block>),
    /// `while` and `until`.
    While { until: bool, test: Block, body: Block },
    /// `for` and `select`; no words means `"$@"`.
    For { name: Range<usize>, words: Option<Vec<RawWord>>, select: bool, body: Block },
    /// `for (( … ))`
    ArithmeticFor(Block),
    /// `(( … ))`
    Arithmetic,
    /// `[[ … ]]`; the words when there is no operator among them that is not a word.
    Test(Option<Vec<RawWord>>),
    /// `case`
    Case(RawWord, Vec<Branch>),
    /// `f() { … }`
    Function(String, Rc<Command>),
}

/// One branch of `case`.
#[derive(Debug)]
pub(super) struct Branch {
    pub patterns: Vec<RawWord>,
    pub body: Block,
    /// Ended by `;&` or `;;&`.
    pub falls: bool,
}

type Parsed<T> = Result<T, SyntaxError>;

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

fn too_deep(at: usize) -> SyntaxError {
    SyntaxError { range: at..at + 1, message: "this is nested too deeply".to_owned() }
}

/// The error for what stands at the lexer's place.
pub(super) fn unexpected(lexer: &Lexer<'_>, expected: &str) -> SyntaxError {
    let rest = &lexer.src[lexer.at.min(lexer.src.len())..];
    let operator = [";;&", ";;", ";&", "&&", "||", "|&", "&>", "<<", ">>"].into_iter().find(|op| rest.starts_with(op));
    let len = match rest.chars().next() {
        None => 0,
        Some('\n') => 1,
        Some(c) => operator.map_or_else(|| word_len(rest).max(c.len_utf8()), str::len),
    };
    let token = match &rest[..len] {
        "" => "the end of the script".to_owned(),
        "\n" => "the end of the line".to_owned(),
        token => format!("`{}`", token.chars().take(40).collect::<String>()),
    };
    let range =
        if rest[..len].trim().is_empty() { last_char(&lexer.src[..lexer.at]) } else { lexer.at..lexer.at + len };
    let message = if expected.is_empty() {
        format!("{token} may not stand here")
    } else {
        format!("{expected} is expected here, not {token}")
    };
    SyntaxError { range, message }
}

/// Something to point at in front of an end.
fn last_char(before: &str) -> Range<usize> {
    let before = before.trim_end();
    let len = before.chars().next_back().map_or(0, char::len_utf8);
    before.len() - len..before.len()
}

/// Length of the unquoted word at the start of `text`.
fn word_len(text: &str) -> usize {
    text.find([' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>']).unwrap_or(text.len())
}

struct Parser<'s> {
    lexer: Lexer<'s>,
}

impl<'s> Parser<'s> {
    /// The unquoted word that stands here.
    fn word_here(&self) -> &'s str {
        let rest = &self.lexer.src[self.lexer.at..];
        &rest[..word_len(rest)]
    }

    /// Consumes a reserved word.
    fn reserved(&mut self, word: &str) -> bool {
        let here = self.word_here() == word;
        if here {
            self.lexer.at += word.len();
        }
        here
    }

    fn expect(&mut self, word: &str, opener: &str, at: usize) -> Parsed<()> {
        if self.reserved(word) {
            return Ok(());
        }
        if self.lexer.done() {
            let message = format!("this `{opener}` has no `{word}`");
            return Err(SyntaxError { range: at..at + opener.len(), message });
        }
        Err(unexpected(&self.lexer, &format!("`{word}`")))
    }

    fn close(&mut self, byte: u8, opener: &str, at: usize) -> Parsed<usize> {
        if self.lexer.peek(0) == byte {
            self.lexer.at += 1;
            return Ok(self.lexer.at);
        }
        if self.lexer.done() { Err(SyntaxError::unclosed(opener, at)) } else { Err(unexpected(&self.lexer, "")) }
    }

    /// The separator behind a command: none, or whether it is `&`.
    fn separator(&mut self) -> Option<bool> {
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
    fn block(&mut self, ends: &[&str]) -> Parsed<Block> {
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
    fn redirections(&mut self) -> Parsed<usize> {
        let mut end = self.lexer.at;
        loop {
            self.lexer.skip_blanks();
            if !self.lexer.redirection()? {
                return Ok(end);
            }
            end = self.lexer.at;
        }
    }

    fn compound(&mut self, word: &str, start: usize) -> Parsed<Option<Kind>> {
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

    fn condition(&mut self, start: usize) -> Parsed<Kind> {
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
    fn body(&mut self, opener: &str, at: usize) -> Parsed<Block> {
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

    fn for_loop(&mut self, word: &str, start: usize) -> Parsed<Kind> {
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

    fn case(&mut self, start: usize) -> Parsed<Kind> {
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

    fn function(&mut self, name: &str) -> Parsed<Kind> {
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

    /// The inside of `[[ … ]]`.
    fn test(&mut self, start: usize) -> Parsed<Kind> {
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
