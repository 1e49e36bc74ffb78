//! What a script has opened and not closed yet: `if`, `{`, `(` and their kin.
//!
//! No grammar: that is the parser crate's. What is open tells where a command may end, whether `[[` opens a test, and
//! what to point at when the script ends too early.

use std::ops::Range;

/// What was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    If,
    /// `for`, `select`, `while`, `until`.
    Loop,
    Case,
    Brace,
    Paren,
    Test,
}

/// Something open.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub kind: Kind,
    /// Token that opens it.
    pub token: usize,
    /// Where that stands.
    pub range: Range<usize>,
    /// Whether its `then`, `do` or `in` was seen.
    pub begun: bool,
}

/// What may stand at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// A command, so that words may be reserved.
    #[default]
    Command,
    /// A pattern of `case`.
    Pattern,
    /// A word.
    Word,
}

/// What is open at a place of a script.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    pub open: Vec<Open>,
    pub place: Place,
    /// The last word, when it was the first of a command: a function could be named so.
    pub name: Option<usize>,
    /// `function` or `coproc`, when it was the last word.
    named: Option<usize>,
    /// Whether a command must come next.
    pub wants: bool,
    /// The first reserved word that belongs to nothing: the grammar looks one token further before it gives up.
    pub stray: Option<usize>,
}

impl Nesting {
    pub fn top(&self) -> Option<Kind> {
        self.open.last().map(|open| open.kind)
    }

    /// Whether the next word may be a reserved one.
    pub fn reserves(&self) -> bool {
        let header = |open: &Open| !open.begun && matches!(open.kind, Kind::Loop | Kind::Case);
        self.place != Place::Word || self.open.last().is_some_and(header)
    }

    /// Takes note of a redirection, behind which no word is reserved.
    pub fn redirected(&mut self) {
        self.wants = false;
        if self.place == Place::Command {
            self.place = Place::Word;
        }
    }

    fn push(&mut self, kind: Kind, token: usize, range: Range<usize>) {
        self.open.push(Open { kind, token, range, begun: false });
    }

    fn pop(&mut self, kind: Kind) -> Option<usize> {
        self.open.pop_if(|open| open.kind == kind).map(|open| open.token)
    }

    /// Takes note of an operator; gives the token that it closes.
    pub fn operator(&mut self, text: &str, token: usize, range: Range<usize>) -> Option<usize> {
        let mut closed = None;
        match (text, self.place) {
            ("(" | "\n", Place::Pattern) => {
                self.wants |= text == "(";
                return None;
            }
            ("\n", _) => {}
            _ => self.wants = matches!(text, "(" | "&&" | "||" | "|" | "|&"),
        }
        match (text, self.place) {
            ("(", _) => self.push(Kind::Paren, token, range),
            (")", _) => closed = self.pop(Kind::Paren),
            _ => {}
        }
        let next = text.starts_with(";;") || text == ";&";
        self.place = match self.top() {
            Some(Kind::Case) if next => Place::Pattern,
            _ if self.in_test() => Place::Word,
            _ => Place::Command,
        };
        closed
    }

    /// Whether this is inside `[[ … ]]`.
    pub fn in_test(&self) -> bool {
        self.open.iter().rev().find(|open| open.kind != Kind::Paren).is_some_and(|open| open.kind == Kind::Test)
    }

    /// Takes note of a word; gives the token that it closes.
    pub fn word(&mut self, text: &str, token: usize, range: Range<usize>) -> Option<usize> {
        if self.place == Place::Pattern {
            if !std::mem::take(&mut self.wants) && text == "esac" {
                self.place = Place::Command;
                return self.pop(Kind::Case);
            }
            return None;
        }
        if let Some(at) = self.named.take() {
            // Behind the name of a function comes its body.
            self.name = Some(token).filter(|_| at + 1 == token);
            self.place = Place::Command;
            return None;
        }
        if self.place == Place::Word {
            return self.head(text, token);
        }
        let wanted = std::mem::take(&mut self.wants);
        let mut closed = None;
        match text {
            "if" => self.push(Kind::If, token, range),
            "while" | "until" => self.push(Kind::Loop, token, range),
            "for" | "select" | "case" => {
                self.push(if text == "case" { Kind::Case } else { Kind::Loop }, token, range);
                self.place = Place::Word;
            }
            "{" => self.push(Kind::Brace, token, range),
            "[[" => {
                self.push(Kind::Test, token, range);
                self.place = Place::Word;
            }
            "then" | "do" | "else" | "elif" => {
                let (kind, begun) = (if text == "do" { Kind::Loop } else { Kind::If }, matches!(text, "else" | "elif"));
                match self.open.last_mut() {
                    Some(open) if open.kind == kind && open.begun == begun && !wanted => open.begun = text != "elif",
                    _ => self.lost(token),
                }
            }
            "fi" | "done" => {
                let begun = self.open.last().is_some_and(|open| open.begun);
                closed = self.pop(if text == "fi" { Kind::If } else { Kind::Loop });
                if !begun {
                    self.lost(token);
                }
            }
            "esac" => closed = self.pop(Kind::Case),
            "}" => closed = self.pop(Kind::Brace),
            "function" | "coproc" => self.named = Some(token),
            "!" | "time" | "-p" => {}
            _ => {
                self.name = Some(token);
                self.place = Place::Word;
            }
        }
        match text {
            "fi" | "done" | "esac" | "}" if wanted || closed.is_none() => self.lost(token),
            "if" | "while" | "until" | "{" | "then" | "do" | "else" | "elif" | "!" => self.wants = true,
            _ => {}
        }
        closed
    }

    /// A word that starts no command: `in` and `do` of a loop or `case`, `]]`.
    fn head(&mut self, text: &str, token: usize) -> Option<usize> {
        let open = self.open.last_mut()?;
        match (open.kind, text) {
            (Kind::Case, "in") if !open.begun && token > open.token + 1 => {
                open.begun = true;
                self.place = Place::Pattern;
            }
            (Kind::Loop, "do") if !open.begun && token == open.token + 2 => {
                open.begun = true;
                self.place = Place::Command;
            }
            (Kind::Test, "]]") => {
                self.place = Place::Command;
                return self.pop(Kind::Test);
            }
            _ => {}
        }
        None
    }

    fn lost(&mut self, token: usize) {
        self.stray.get_or_insert(token);
    }
}
