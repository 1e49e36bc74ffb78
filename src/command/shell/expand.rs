//! From parts of words to the words a process gets.
//!
//! Where a word comes from: literal text maps to its characters in the script. The value of a variable maps to the use
//! (`$MODEL`), except where the whole word, or all of it behind `--flag=`, is that one variable: then the value keeps
//! its own provenance, so that JSON handed on through an environment variable is reported where it is written.

use std::ops::Range;

use super::super::{Dialect, Word};
use super::ast::{Part, RawWord};
use super::param::{Index, Op, Param};
use super::split::{End, shorten, split, split_around_holes};
use super::state::Value;
use super::value::Expanded;
use super::{Shell, brace};
use crate::source::{Reason, Span, Text};

/// How a word is treated after expansion.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Words of a command: split and globbed.
    Words,
    /// Right side of an assignment, patterns, tests: neither.
    Single,
}

/// Collects the fields of one word.
struct Builder {
    fields: Vec<Word>,
    current: Option<Text>,
    dynamic: Option<Reason>,
    open: bool,
    star: bool,
    span: Span,
    mode: Mode,
    own: bool,
}

impl Builder {
    fn text(&mut self) -> &mut Text {
        let span = self.span;
        self.current.get_or_insert_with(|| Text::empty(span))
    }

    fn mark(&mut self, reason: Reason, open: bool) {
        self.dynamic.get_or_insert(reason);
        self.open |= open;
    }

    fn end_field(&mut self) {
        let (star, open) = (std::mem::take(&mut self.star), std::mem::take(&mut self.open));
        let mut dynamic = self.dynamic.take();
        let Some(text) = self.current.take() else { return };
        if star && self.mode == Mode::Words && !text.starts_with('-') {
            dynamic.get_or_insert_with(|| Reason::Shell(text.as_str().to_owned()));
        }
        self.fields.push(Word { text, open: open && dynamic.is_some(), dynamic });
    }
}

impl Shell<'_> {
    /// The words that one word of a command comes to.
    pub(super) fn expand(&mut self, word: &RawWord, out: &mut Vec<Word>) {
        let parts = word.all_parts();
        match self.braces(&parts) {
            Ok(None) => self.expand_parts(&parts, word.range.clone(), out),
            Ok(Some(words)) => {
                self.spend(words.iter().map(|parts| parts.len() * 16).sum());
                for parts in words {
                    self.expand_parts(&parts, word.range.clone(), out);
                }
            }
            Err(brace::Beyond) => {
                let text = self.text.slice(word.range.clone());
                let dynamic = Some(Reason::Shell(shorten(&text)));
                out.push(Word { text, dynamic, open: true });
            }
        }
    }

    /// What the braces of a word come to in the shell that runs.
    pub(super) fn braces(&self, parts: &[Part]) -> Result<Option<Vec<Vec<Part>>>, brace::Beyond> {
        match self.dialect {
            Dialect::Posix => Ok(None),
            Dialect::Bash => brace::expand(self.src, parts),
            // Like bash, but not to the letter.
            Dialect::Other => match brace::expand(self.src, parts) {
                Ok(None) => Ok(None),
                _ => Err(brace::Beyond),
            },
        }
    }

    fn expand_parts(&mut self, parts: &[Part], range: Range<usize>, out: &mut Vec<Word>) {
        let mut builder = self.builder(parts, range, Mode::Words);
        let before = out.len();
        builder.fields = std::mem::take(out);
        self.emit(parts, &mut builder, false);
        builder.end_field();
        self.spend(builder.fields[before..].iter().map(|w| w.text.len() + 8).sum());
        *out = builder.fields;
    }

    /// The one word that the right side of an assignment or a pattern comes to.
    pub(super) fn expand_single(&mut self, word: &RawWord) -> Word {
        let parts = word.all_parts();
        let mut builder = self.builder(&parts, word.range.clone(), Mode::Single);
        self.emit(&parts, &mut builder, false);
        builder.text();
        builder.end_field();
        let span = builder.span;
        let mut word = builder.fields.pop().unwrap_or_else(|| Word::known(Text::empty(span)));
        word.open = false;
        self.spend(word.text.len() + 8);
        word
    }

    fn builder(&self, parts: &[Part], range: Range<usize>, mode: Mode) -> Builder {
        let span = self.text.slice_span(range);
        Builder {
            fields: Vec::new(),
            current: None,
            dynamic: None,
            open: false,
            star: false,
            span,
            mode,
            own: one_variable(self.src, parts),
        }
    }

    /// `operand`: whether unquoted literal blanks split, as in `${a:-b c}`.
    fn emit(&mut self, parts: &[Part], b: &mut Builder, operand: bool) {
        for (k, part) in parts.iter().enumerate() {
            match part {
                Part::Plain(range) => {
                    let mut range = range.clone();
                    if k == 0 && self.src[range.clone()].starts_with('~') {
                        range.start += self.tilde(range.clone(), parts.len() == 1, b);
                    }
                    self.plain(range, b, operand);
                }
                Part::Quoted(range) => b.text().push_slice(self.text, range.clone()),
                Part::Escaped(value, range) => {
                    let span = self.text.slice_span(range.clone());
                    b.text().push_piece(value, span);
                }
                Part::Command { range, quoted } => {
                    let reason = Reason::Shell(shorten(&self.src[range.clone()]));
                    self.as_written(range.clone(), b);
                    b.mark(reason, !quoted && b.mode == Mode::Words);
                }
                Part::Arith { range, inner } => match self.arithmetic(&self.src[inner.clone()]) {
                    Ok(value) => {
                        let span = self.text.slice_span(range.clone());
                        b.text().push_piece(&value.to_string(), span);
                    }
                    Err(reason) => {
                        self.as_written(range.clone(), b);
                        b.mark(reason.unwrap_or_else(|| Reason::Shell(shorten(&self.src[range.clone()]))), false);
                    }
                },
                Part::Param(param) => self.emit_param(param, b),
            }
        }
    }

    fn plain(&self, range: Range<usize>, b: &mut Builder, operand: bool) {
        if range.is_empty() {
            return;
        }
        b.star |= self.src[range.clone()].contains('*');
        if !operand || b.mode == Mode::Single {
            b.text().push_slice(self.text, range);
            return;
        }
        for (piece, ends) in split(&self.src[range.clone()], " \t\n") {
            if !piece.is_empty() {
                b.text().push_slice(self.text, range.start + piece.start..range.start + piece.end);
            }
            if ends != End::Join {
                b.end_field();
            }
        }
    }

    fn as_written(&self, range: Range<usize>, b: &mut Builder) {
        b.text().push_slice(self.text, range);
    }

    /// Expands a leading `~`; returns how many bytes it took.
    fn tilde(&mut self, range: Range<usize>, alone: bool, b: &mut Builder) -> usize {
        let rest = &self.src[range.start + 1..range.end];
        let name = rest.split('/').next().unwrap_or_default();
        let ends = name.len() < rest.len() || alone;
        if !name.is_empty() && ends && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.+-".contains(&b)) {
            // `~user`, `~+`, `~1`
            b.mark(Reason::Shell(format!("~{name}")), false);
            return 0;
        }
        if !(name.is_empty() && ends) {
            return 0;
        }
        let at = range.start..range.start + 1;
        match self.get("HOME") {
            Value::Scalar(home) if home.dynamic.is_none() => {
                let span = self.text.slice_span(at);
                b.text().push_piece(home.text.as_str(), span);
            }
            _ => {
                self.as_written(at, b);
                b.mark(Reason::Variable("HOME".to_owned()), false);
            }
        }
        1
    }

    fn emit_param(&mut self, param: &Param, b: &mut Builder) {
        self.spend(4);
        if self.out.fuel == 0 {
            return;
        }
        if let Op::Test { kind, colon, word } = &param.op {
            return self.emit_test(param, *kind, *colon, word, b);
        }
        let expanded = self.param(param);
        self.emit_expanded(param, expanded, b);
    }

    fn emit_expanded(&mut self, param: &Param, expanded: Expanded, b: &mut Builder) {
        match expanded {
            Expanded::Known(text) => self.emit_known(param, &text, b),
            Expanded::Many(words) => self.emit_many(param, words, b),
            Expanded::Dynamic(reason, own) => self.emit_dynamic(param, reason, own, b),
        }
    }

    fn emit_known(&mut self, param: &Param, text: &Text, b: &mut Builder) {
        self.spend(text.len());
        let use_span = self.text.slice_span(param.range.clone());
        let own = b.own;
        let push = |b: &mut Builder, range: Range<usize>| {
            if own {
                b.text().push_slice(text, range);
            } else {
                let piece = &text.as_str()[range];
                b.text().push_piece(piece, use_span);
            }
        };
        if param.quoted || b.mode == Mode::Single {
            b.text();
            push(b, 0..text.len());
            return;
        }
        let Some(separators) = self.separators() else {
            return self.emit_dynamic(param, Reason::Shell("$IFS".to_owned()), None, b);
        };
        for (piece, ends) in split(text, &separators) {
            if !piece.is_empty() {
                b.star |= text[piece.clone()].contains('*');
                push(b, piece);
            }
            if ends == End::Mark {
                b.text();
            }
            if ends != End::Join {
                b.end_field();
            }
        }
    }

    fn emit_many(&mut self, param: &Param, words: Vec<Word>, b: &mut Builder) {
        let joined = b.mode == Mode::Single;
        for (k, word) in words.into_iter().enumerate() {
            if k > 0 {
                if joined {
                    let span = self.text.slice_span(param.range.clone());
                    b.text().push_piece(" ", span);
                } else {
                    b.end_field();
                }
            }
            match word.dynamic {
                None if param.quoted => {
                    let use_span = self.text.slice_span(param.range.clone());
                    self.spend(word.text.len() + 8);
                    if b.own {
                        b.text().push(&word.text);
                    } else {
                        b.text().push_piece(word.text.as_str(), use_span);
                    }
                }
                None => self.emit_known(param, &word.text, b),
                Some(reason) => {
                    b.text().push(&word.text);
                    b.mark(reason, word.open || (!param.quoted && !joined));
                }
            }
        }
    }

    fn emit_dynamic(&mut self, param: &Param, reason: Reason, own: Option<Text>, b: &mut Builder) {
        let splits = !param.quoted && b.mode == Mode::Words && can_split(param, &reason);
        let Some(own) = own.filter(|_| b.own) else {
            self.as_written(param.range.clone(), b);
            b.mark(reason, splits);
            return;
        };
        self.spend(own.len());
        if !splits {
            b.text().push(&own);
            b.mark(reason, false);
            return;
        }
        // The script put the value together itself: what is literal in it is known, the holes are not.
        for (piece, hole, ends) in split_around_holes(&own) {
            if !piece.is_empty() {
                b.text().push_slice(&own, piece);
                if hole {
                    b.mark(reason.clone(), true);
                }
            }
            if ends {
                b.end_field();
            }
        }
    }

    /// `${a:-b}` and its kin.
    fn emit_test(&mut self, param: &Param, kind: u8, colon: bool, word: &RawWord, b: &mut Builder) {
        let base = Param { op: Op::Plain, index: param.index.clone(), name: param.name.clone(), ..param.clone() };
        let value = self.value(&base);
        let (set, empty) = match &value {
            Value::Unset => (Some(false), Some(true)),
            Value::Unknown(_) => (None, None),
            Value::Scalar(w) if w.dynamic.is_none() => (Some(true), Some(w.text.is_empty())),
            // Some of it is literal, or it came from a Secret or the pod: set, and empty only in theory.
            Value::Scalar(_) => (Some(true), None),
            Value::Array(words) => (Some(!words.is_empty()), Some(words.iter().all(|w| w.text.is_empty()))),
        };
        let usable = if colon { empty.map(|e| !e) } else { set };
        let list = matches!(param.name.as_str(), "@" | "*") || matches!(param.index, Some(Index::At | Index::Star));
        match (kind, usable) {
            (b'-' | b'=' | b'?', Some(true)) => {
                let expanded = self.param(&base);
                self.emit_expanded(&base, expanded, b);
            }
            (b'-', Some(false)) => self.emit_operand(param, word, b),
            (b'=', Some(false)) if !list => {
                let assigned = self.expand_single(word);
                let span = self.text.slice_span(param.range.clone());
                self.assign(&param.name, Value::Scalar(assigned), span);
                let expanded = self.param(&base);
                self.emit_expanded(&base, expanded, b);
            }
            (b'+', Some(true)) => self.emit_operand(param, word, b),
            (b'+', Some(false)) => {}
            (b'?', Some(false)) => {
                // The shell stops here with an error.
                self.as_written(param.range.clone(), b);
                b.mark(Reason::Variable(param.name.clone()), false);
            }
            _ => {
                let reason = match value {
                    Value::Unknown(reason) => reason,
                    Value::Scalar(w) => w.dynamic.unwrap_or_else(|| Reason::Variable(param.name.clone())),
                    _ => Reason::Variable(param.name.clone()),
                };
                self.emit_dynamic(param, reason, None, b);
            }
        }
    }

    fn emit_operand(&mut self, param: &Param, word: &RawWord, b: &mut Builder) {
        if param.quoted {
            b.text();
        }
        self.depth += 1;
        if self.depth < super::MAX_DEPTH {
            self.emit(&word.parts, b, !param.quoted);
        }
        self.depth -= 1;
    }
}

/// Whether the value that an expansion stands for could be more or fewer words than one.
fn can_split(param: &Param, reason: &Reason) -> bool {
    // Pod fields (addresses, names) hold no blanks; lengths and process numbers are numbers.
    !matches!(reason, Reason::Downward(_))
        && !matches!(param.op, Op::Length)
        && !matches!(param.name.as_str(), "#" | "?" | "$" | "!" | "-")
}

/// Whether a word is one variable, alone or behind `--flag=`.
fn one_variable(src: &str, parts: &[Part]) -> bool {
    let Some((Part::Param(_), before)) = parts.split_last() else { return false };
    let mut literal = String::new();
    for part in before {
        match part {
            Part::Plain(range) | Part::Quoted(range) => literal.push_str(&src[range.clone()]),
            Part::Escaped(value, _) => literal.push_str(value),
            _ => return false,
        }
    }
    literal.is_empty() || literal.ends_with('=')
}
