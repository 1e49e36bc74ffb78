//! From the text of a script to the tokens of the parser crate.
//!
//! A token's position is its number; where it stands in the script, to the byte, and what a word is made of is kept beside
//! it ([`Site`]). The text of a token is what the grammar looks at: reserved words, operators, and whether a word is an
//! assignment. Words are cut by the lexer that also takes them apart, so that nothing can disagree on where one ends.

use std::ops::Range;
use std::sync::Arc;

use brush_parser::{SourcePosition, SourceSpan, Token};

use super::ast::{Part, RawWord};
use super::lexer::{Lexer, MAX_DEPTH};
use super::nesting::{Kind, Nesting, Place};
use super::skip;
use super::syntax::SyntaxError;

/// Words that mean something to the grammar, outside of `[[ … ]]`.
const RESERVED: &[&str] = &[
    "!", "{", "}", "[[", "]]", "-p", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "function",
    "if", "in", "select", "then", "time", "until", "while",
];
/// A word without quotes and expansions, of which the grammar need not know more. (It looks for the name of a variable in
/// each: this one has none from the first character on.)
const PLAIN: &str = "-";
/// Any other word. (The grammar takes no word that ends with `=` for the name of a function.)
const WORD: &str = "$=";
/// An operator that may stand nowhere.
const NOWHERE: &str = "(?";
/// Most operators of one `[[ … ]]`: the parser crate follows them down the stack.
const MAX_CHAIN: usize = 60;
/// Most `coproc` of one command, for the same reason.
const MAX_COPROCS: usize = 8;

/// Where a token stands.
#[derive(Debug)]
pub(super) struct Site {
    pub range: Range<usize>,
    /// The word, when the token is one that can be expanded.
    pub word: Option<RawWord>,
    /// The words that follow it as arguments of the same command: one token to the grammar, which asks nothing of them.
    pub more: Vec<RawWord>,
    /// Whether further arguments may be added.
    arguments: bool,
    /// The token that closes what this one opens.
    pub closed_by: Option<usize>,
    /// Whether it is an operator in front of the target of a redirection.
    pub redirects: bool,
}

/// What a token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing.
    None,
    /// A line on which nothing stays open.
    Line,
    /// The `$(…)` that is read.
    Substitution,
    /// The script.
    Script,
}

/// Reads tokens.
pub(super) struct Tokens<'l, 's> {
    pub lexer: &'l mut Lexer<'s>,
    pub tokens: Vec<Token>,
    pub sites: Vec<Site>,
    pub nesting: Nesting,
    /// Whether this is the inside of `$(…)`.
    inner: bool,
    /// Operators of the last `[[ … ]]`.
    chain: usize,
    coprocs: usize,
    /// How deep `case` nests.
    cases: usize,
}

impl<'l, 's> Tokens<'l, 's> {
    pub fn new(lexer: &'l mut Lexer<'s>, inner: bool) -> Self {
        Self {
            lexer,
            tokens: Vec::new(),
            sites: Vec::new(),
            nesting: Nesting::default(),
            inner,
            chain: 0,
            coprocs: 0,
            cases: 0,
        }
    }

    /// Forgets the tokens read so far, with which a command ended.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.sites.clear();
        self.nesting = Nesting::default();
        self.chain = 0;
        self.coprocs = 0;
        self.cases = 0;
    }

    /// Whether the tokens are words of one command, none of them reserved.
    pub fn plain(&self) -> bool {
        let (last, rest) = match self.tokens.split_last() {
            Some((Token::Operator(text, _), rest)) if text == "\n" => (None, rest),
            Some((last, rest)) => (Some(last), rest),
            None => return true,
        };
        rest.iter().chain(last).all(|token| matches!(token, Token::Word(text, _) if !RESERVED.contains(&text.as_str())))
    }

    /// What parsing the tokens may cost at worst, in tokens.
    pub fn work(&self) -> usize {
        self.tokens.len().saturating_mul(1 << self.cases.min(20))
    }

    fn text(&self, back: usize) -> &str {
        self.tokens.len().checked_sub(back).and_then(|at| self.tokens.get(at)).map_or("", Token::to_str)
    }

    fn add(&mut self, operator: bool, text: &str, range: Range<usize>, word: Option<RawWord>) {
        let position = Arc::new(SourcePosition { index: self.tokens.len(), line: 0, column: 0 });
        let place = SourceSpan { start: Arc::clone(&position), end: position };
        let text = text.to_owned();
        self.tokens.push(if operator { Token::Operator(text, place) } else { Token::Word(text, place) });
        self.sites.push(Site { range, word, more: Vec::new(), arguments: false, closed_by: None, redirects: false });
    }

    fn operator(&mut self, text: &str, range: Range<usize>) {
        self.add(true, text, range, None);
    }

    /// Adds an operator and takes note of what it opens and closes.
    fn noted(&mut self, text: &str, range: Range<usize>) {
        let at = self.tokens.len();
        self.operator(text, range.clone());
        if let Some(site) = self.nesting.operator(text, at, range).and_then(|opener| self.sites.get_mut(opener)) {
            site.closed_by = Some(at);
        }
    }

    /// Reads what stands next.
    pub fn step(&mut self) -> Result<End, SyntaxError> {
        self.lexer.skip_blanks();
        let at = self.lexer.at;
        let tested = self.nesting.in_test();
        if self.lexer.done() {
            return Ok(End::Script);
        }
        let deep = self.nesting.open.len() + self.lexer.depth as usize > MAX_DEPTH as usize;
        if deep || self.chain > MAX_CHAIN || self.coprocs > MAX_COPROCS {
            return Err(SyntaxError::too_deep(at));
        }
        match (self.lexer.peek(0), self.lexer.peek(1)) {
            (b'\n', _) => return Ok(self.newline(at)),
            (b'(', _) => self.open(at),
            (b')', _) => {
                if self.inner && self.closes() {
                    return Ok(End::Substitution);
                }
                if self.text(1) == "esac" && self.sites.iter().any(|site| site.closed_by == Some(self.tokens.len() - 1))
                {
                    // Else the parser crate takes `esac)` for a pattern.
                    self.operator("\n", at..at + 1);
                }
                self.lexer.at += 1;
                self.noted(")", at..at + 1);
            }
            (b'<' | b'>', next) if tested && next != b'(' => {
                self.lexer.at += 1;
                self.noted(if self.lexer.src.as_bytes()[at] == b'<' { "<" } else { ">" }, at..at + 1);
            }
            (b';' | b'|' | b'&', _) => {
                if !tested && self.redirection()? {
                    return Ok(End::None);
                }
                let operator = [";;&", ";;", ";&", "&&", "||", "|&", ";", "&", "|"];
                let text = operator.into_iter().find(|op| self.lexer.starts_with(op)).unwrap_or(NOWHERE);
                self.lexer.at += text.len();
                self.chain += usize::from(tested);
                self.noted(text, at..self.lexer.at);
            }
            _ => {
                if tested || !self.redirection()? {
                    self.word()?;
                }
            }
        }
        Ok(End::None)
    }

    fn newline(&mut self, at: usize) -> End {
        self.lexer.skip_newlines();
        if self.nesting.in_test() {
            return End::None;
        }
        let goes_on = matches!(self.text(1), "&&" | "||" | "|" | "|&") || (self.text(2) == "(" && self.text(1) == ")");
        self.noted("\n", at..at + 1);
        if self.nesting.open.is_empty() && !goes_on { End::Line } else { End::None }
    }

    /// Whether the `)` that stands next closes what is read.
    fn closes(&self) -> bool {
        self.nesting.place != Place::Pattern && !self.nesting.open.iter().any(|open| open.kind == Kind::Paren)
    }

    /// `(` in all its meanings.
    fn open(&mut self, at: usize) {
        let tested = self.nesting.in_test();
        let last = self.tokens.len().wrapping_sub(1);
        let header = self.text(1) == "for";
        let command = self.nesting.place == Place::Command;
        if !tested && (header || command) && self.lexer.peek(1) == b'(' {
            let (src, depth) = (self.lexer.src, self.lexer.depth);
            let end = if header { skip::for_header(src, at, depth) } else { skip::arithmetic_parens(src, at, depth) };
            if let Some(end) = end {
                return self.arithmetic(at, end, header);
            }
        }
        self.lexer.at += 1;
        if tested {
            self.chain += 1;
            return self.noted("(", at..at + 1);
        }
        let rest = self.lexer.src[self.lexer.at..].trim_start_matches([' ', '\t']);
        let function = self.nesting.name == Some(last) && last < self.tokens.len() && rest.starts_with(')');
        if !(function || self.nesting.place != Place::Word) {
            // The parser crate would take `word (` for the beginning of an array, whatever the word.
            return self.operator(NOWHERE, at..at + 1);
        }
        if self.text(1) == "(" {
            // `( (` is no arithmetic.
            self.operator("\n", at..at + 1);
        }
        self.noted("(", at..at + 1);
    }

    /// `((…))`: what stands inside is one word each, as a shell reads it as text first.
    fn arithmetic(&mut self, at: usize, end: usize, header: bool) {
        self.lexer.at = end;
        self.operator("(", at..at + 1);
        self.operator("(", at + 1..at + 2);
        let inner = at + 2..end - 2;
        let semicolons = if header { self.lexer.src[inner.clone()].matches(';').count() } else { 0 };
        for k in 0..=semicolons {
            if k > 0 {
                self.operator(";", inner.clone());
            }
            self.add(false, WORD, inner.clone(), None);
        }
        self.operator(")", end - 2..end - 1);
        self.operator(")", end - 1..end);
        self.nesting.place = Place::Command;
    }

    /// A redirection with its target, when one stands here. All kinds look alike to the grammar.
    fn redirection(&mut self) -> Result<bool, SyntaxError> {
        let at = self.lexer.at;
        let Some(heredoc) = self.lexer.redirection() else { return Ok(false) };
        self.operator(">>", at..self.lexer.at);
        if let Some(site) = self.sites.last_mut() {
            site.redirects = true;
        }
        self.nesting.redirected();
        self.lexer.skip_blanks();
        let target = self.lexer.at;
        let parts = self.lexer.target(heredoc)?;
        let number = matches!(self.lexer.peek(0), b'<' | b'>') && parts.bytes().all(|b| b.is_ascii_digit());
        if number {
            // The descriptor of the next one, and this one has no target.
            self.lexer.at = target;
        } else if !parts.is_empty() {
            self.add(false, WORD, target..self.lexer.at, None);
        }
        Ok(true)
    }

    fn word(&mut self) -> Result<(), SyntaxError> {
        let at = self.lexer.at;
        if self.nesting.in_test() {
            let token = self.tokens.len();
            let regex = self.text(1) == "=~";
            let mut word = if regex { None } else { Some(self.lexer.bare_word()?) };
            if regex || (self.lexer.peek(0) == b'(' && self.lexer.at > at) {
                // A pattern in which brackets and `|` are letters.
                word = None;
                self.lexer.regex()?;
            }
            if self.lexer.at == at {
                self.lexer.at += self.lexer.src[at..].chars().next().map_or(1, char::len_utf8);
                self.operator(NOWHERE, at..self.lexer.at);
                return Ok(());
            }
            let range = at..self.lexer.at;
            let text = word.as_ref().map_or(WORD, |word| self.seen(word));
            self.chain += usize::from(text == "!");
            self.add(false, text, range.clone(), word);
            self.note(text, token, range);
            return Ok(());
        }
        let word = if self.nesting.place == Place::Pattern { self.lexer.bare_word()? } else { self.lexer.word()? };
        let range = word.range.clone();
        if range.is_empty() {
            self.lexer.at += self.lexer.src[at..].chars().next().map_or(1, char::len_utf8);
            self.operator(NOWHERE, at..self.lexer.at);
            return Ok(());
        }
        if !self.nesting.reserves() {
            self.argument(word);
            return Ok(());
        }
        let text = self.seen(&word);
        if text == "esac" && self.nesting.place == Place::Command && self.nesting.top() == Some(Kind::Case) {
            // A last branch without its `;;` costs the parser crate two tries.
            self.operator(";;", range.clone());
        }
        if text == "time" && self.text(1) == "!" {
            // The parser crate knows them in the other order only.
            return Ok(());
        }
        match text {
            "coproc" => self.coprocs += 1,
            "[[" => self.chain = 0,
            _ => {}
        }
        let token = self.tokens.len();
        self.add(false, if text == "select" { "for" } else { text }, range.clone(), Some(word));
        self.note(text, token, range);
        Ok(())
    }

    fn note(&mut self, text: &str, token: usize, range: Range<usize>) {
        if text == "case" {
            let cases = self.nesting.open.iter().filter(|open| open.kind == Kind::Case).count();
            self.cases = self.cases.max(cases + 1);
        }
        if let Some(site) = self.nesting.word(text, token, range).and_then(|opener| self.sites.get_mut(opener)) {
            site.closed_by = Some(token);
        }
    }

    /// A word that stands where none is reserved.
    fn argument(&mut self, word: RawWord) {
        match self.sites.last_mut() {
            Some(site) if site.arguments => {
                site.range.end = word.range.end;
                site.more.push(word);
            }
            _ => {
                self.add(false, PLAIN, word.range.clone(), Some(word));
                if let Some(site) = self.sites.last_mut() {
                    site.arguments = true;
                }
            }
        }
    }

    /// What the grammar gets to see of a word.
    fn seen(&self, word: &RawWord) -> &'s str {
        match word.parts.as_slice() {
            _ if word.assignment.is_some() => "a=",
            [Part::Plain(range)] if *range == word.range => {
                let text = &self.lexer.src[range.clone()];
                if RESERVED.contains(&text) || self.nesting.in_test() { text } else { PLAIN }
            }
            _ => WORD,
        }
    }
}
