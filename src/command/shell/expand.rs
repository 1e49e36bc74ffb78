//! From parts of words to the words a process gets.
//!
//! Where a word comes from: literal text maps to its characters in the script. The value of a variable maps to the use
//! (`$MODEL`), except where the whole word, or all of it behind `--flag=`, is that one variable: then the value keeps
//! its own provenance, so that JSON handed on through an environment variable is reported where it is written.

use std::ops::Range;

use super::super::Word;
use super::lexer::{Part, RawWord};
use super::param::{Index, Op, Param};
use super::pattern::Pattern;
use super::state::Value;
use super::{Shell, arith, skip};
use crate::source::{Reason, Span, Text};

/// How a word is treated after expansion.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Words of a command: split and globbed.
    Words,
    /// Right side of an assignment, patterns, tests: neither.
    Single,
}

/// What an expansion comes to.
enum Expanded {
    /// One string.
    Known(Text),
    /// Any number of words, kept apart when quoted.
    Many(Vec<Word>),
    /// Not known; what the script itself put into the variable, when it did.
    Dynamic(Reason, Option<Text>),
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
        if braces_expand(self.src, &parts) {
            let source = self.text.slice(word.range.clone());
            let reason = Reason::Shell(shorten(&source));
            out.push(Word::unknown(source, reason));
            return;
        }
        let mut builder = self.builder(&parts, word.range.clone(), Mode::Words);
        self.emit(&parts, &mut builder, false);
        builder.end_field();
        self.spend(builder.fields.iter().map(|w| w.text.len() + 8).sum());
        out.extend(builder.fields);
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

    /// The value of a parameter, index applied.
    fn value(&mut self, param: &Param) -> Value {
        let value = self.get(&param.name);
        let Some(Index::One(range)) = &param.index else {
            return match (value, &param.index) {
                (Value::Array(words), None) if !matches!(param.name.as_str(), "@" | "*") => {
                    words.into_iter().next().map_or(Value::Unset, Value::Scalar)
                }
                (Value::Scalar(word), Some(_)) => Value::Array(vec![word]),
                (Value::Unset, Some(_)) => Value::Array(Vec::new()),
                (value, _) => value,
            };
        };
        let index = self.arithmetic(&self.src[range.clone()]);
        match (value, index) {
            (Value::Array(words), Ok(k)) if words.iter().all(|w| !w.open) => {
                let k = if k < 0 { k + i64::try_from(words.len()).unwrap_or(i64::MAX) } else { k };
                usize::try_from(k).ok().and_then(|k| words.into_iter().nth(k)).map_or(Value::Unset, Value::Scalar)
            }
            (Value::Scalar(word), Ok(0)) => Value::Scalar(word),
            (Value::Unset, _) => Value::Unset,
            (Value::Unknown(reason), _) | (_, Err(Some(reason))) => Value::Unknown(reason),
            _ => Value::Unknown(Reason::Shell(shorten(&self.src[param.range.clone()]))),
        }
    }

    /// Applies every operator but the tests.
    fn param(&mut self, param: &Param) -> Expanded {
        let own_value = self.state.vars.contains_key(&param.name);
        let value = self.value(param);
        if let Op::Length = param.op {
            return self.length(param, value);
        }
        let unknown = |src: &str| Expanded::Dynamic(Reason::Shell(shorten(&src[param.range.clone()])), None);
        let word = match value {
            Value::Unset => Word::known(Text::empty(self.text.slice_span(param.range.clone()))),
            Value::Unknown(reason) => return Expanded::Dynamic(reason, None),
            Value::Array(words) if matches!(param.op, Op::Plain) => {
                let star = param.name == "*" || param.index == Some(Index::Star);
                return if star && param.quoted { self.joined(param, &words) } else { Expanded::Many(words) };
            }
            Value::Array(_) => return unknown(self.src),
            Value::Scalar(word) => word,
        };
        match (word.dynamic, &param.op) {
            (None, Op::Plain) => Expanded::Known(word.text),
            (Some(reason), Op::Plain) => Expanded::Dynamic(reason, own_value.then_some(word.text)),
            (Some(reason), _) => Expanded::Dynamic(reason, None),
            (None, Op::Trim { kind, longest, pattern }) => self.trim(param, &word.text, *kind, *longest, pattern),
            (None, Op::Replace { kind, pattern, with }) => self.replace(param, &word.text, *kind, pattern, with),
            (None, Op::Case { upper, all }) => Expanded::Known(change_case(&word.text, *upper, *all)),
            _ => unknown(self.src),
        }
    }

    fn joined(&self, param: &Param, words: &[Word]) -> Expanded {
        if let Some(reason) = words.iter().find_map(|w| w.dynamic.clone()) {
            return Expanded::Dynamic(reason, None);
        }
        let Some(separators) = self.separators() else {
            return Expanded::Dynamic(Reason::Shell("$IFS".to_owned()), None);
        };
        let span = self.text.slice_span(param.range.clone());
        let mut text = Text::empty(span);
        for (k, word) in words.iter().enumerate() {
            if let Some(first) = separators.get(..1).filter(|_| k > 0) {
                text.push_piece(first, span);
            }
            text.push(&word.text);
        }
        Expanded::Known(text)
    }

    fn length(&self, param: &Param, value: Value) -> Expanded {
        let count = match value {
            Value::Unset => 0,
            Value::Unknown(reason) => return Expanded::Dynamic(reason, None),
            Value::Scalar(word) => match word.dynamic {
                None => word.text.chars().count(),
                Some(reason) => return Expanded::Dynamic(reason, None),
            },
            Value::Array(words) => match words.iter().find(|w| w.open) {
                None => words.len(),
                Some(word) => {
                    let reason = word.dynamic.clone().unwrap_or_else(|| Reason::Variable(param.name.clone()));
                    return Expanded::Dynamic(reason, None);
                }
            },
        };
        Expanded::Known(Text::opaque(count.to_string(), self.text.slice_span(param.range.clone())))
    }

    /// The pattern that a word comes to; none when some of it is not known.
    pub(super) fn pattern(&mut self, word: &RawWord) -> Option<Pattern> {
        let mut pattern = Pattern::default();
        for part in &word.all_parts() {
            match part {
                Part::Plain(range) => pattern.active(&self.src[range.clone()]),
                Part::Quoted(range) => pattern.literal(&self.src[range.clone()]),
                Part::Escaped(value, _) => pattern.literal(value),
                Part::Param(param) => {
                    let one = RawWord { parts: vec![part.clone()], range: param.range.clone(), assignment: None };
                    let value = self.expand_single(&one);
                    let text = value.as_known()?;
                    if param.quoted { pattern.literal(text) } else { pattern.active(text) }
                }
                Part::Arith { .. } | Part::Command { .. } => return None,
            }
        }
        Some(pattern)
    }

    fn trim(&mut self, param: &Param, text: &Text, kind: u8, longest: bool, pattern: &RawWord) -> Expanded {
        let Some(pattern) = self.pattern(pattern) else {
            return Expanded::Dynamic(Reason::Shell(shorten(&self.src[param.range.clone()])), None);
        };
        self.spend(text.len() * 8);
        let range = if kind == b'#' {
            let ends = pattern.ends(text);
            let cut = if longest { ends.last() } else { ends.first() };
            cut.copied().unwrap_or(0)..text.len()
        } else {
            // Try every suffix; bounded, because each try is linear.
            let mut starts: Vec<usize> =
                text.char_indices().map(|(at, _)| at).chain(std::iter::once(text.len())).collect();
            if !longest {
                starts.reverse();
            }
            if starts.len() > 2000 {
                return Expanded::Dynamic(Reason::Shell(shorten(&self.src[param.range.clone()])), None);
            }
            self.spend(starts.len() * 16);
            0..starts.into_iter().find(|&at| pattern.matches(&text[at..])).unwrap_or(text.len())
        };
        Expanded::Known(text.slice(range))
    }

    fn replace(&mut self, param: &Param, text: &Text, kind: u8, pattern: &RawWord, with: &RawWord) -> Expanded {
        let with = self.expand_single(with);
        let (Some(pattern), None) = (self.pattern(pattern), &with.dynamic) else {
            return Expanded::Dynamic(Reason::Shell(shorten(&self.src[param.range.clone()])), None);
        };
        if text.len() > 2000 {
            return Expanded::Dynamic(Reason::Shell(shorten(&self.src[param.range.clone()])), None);
        }
        self.spend(text.len() * 16);
        let mut out = Text::empty(text.whole());
        let (mut at, mut done) = (0, false);
        while at < text.len() {
            let end = match kind {
                _ if done => None,
                b'#' if at > 0 => None,
                b'%' => pattern.matches(&text[at..]).then_some(text.len()),
                _ => pattern.ends(&text[at..]).last().map(|len| at + len),
            };
            if let Some(end) = end.filter(|&end| end > at) {
                out.push(&with.text);
                done = kind != b'/';
                at = end;
            } else {
                let len = text[at..].chars().next().map_or(1, char::len_utf8);
                out.push_slice(text, at..at + len);
                at += len;
            }
        }
        Expanded::Known(out)
    }

    /// Characters that split words; none when `IFS` is not known.
    fn separators(&self) -> Option<String> {
        match self.state.vars.get("IFS").map(|v| &v.value) {
            None | Some(Value::Unset) => Some(" \t\n".to_owned()),
            Some(Value::Scalar(word)) => word.as_known().map(str::to_owned),
            Some(_) => None,
        }
    }

    pub(super) fn arithmetic(&self, text: &str) -> Result<i64, Option<Reason>> {
        let value = |name: &str| match self.get(name) {
            Value::Unset => Ok(0),
            Value::Unknown(reason) => Err(reason),
            Value::Scalar(word) => match word.as_known() {
                Some("") => Ok(0),
                Some(text) => arith::number(text.trim()).ok_or_else(|| Reason::Shell(format!("${name}"))),
                None => Err(word.dynamic.unwrap_or_else(|| Reason::Variable(name.to_owned()))),
            },
            Value::Array(_) => Err(Reason::Shell(format!("${name}"))),
        };
        arith::eval(text, &value)
    }
}

impl RawWord {
    /// Its parts, those of an assignment put together again.
    pub(super) fn all_parts(&self) -> Vec<Part> {
        use super::lexer::AssignedValue;
        match self.assignment.as_deref() {
            None => self.parts.clone(),
            Some(assignment) => match &assignment.value {
                AssignedValue::Scalar(value) => {
                    let mut parts = vec![Part::Plain(self.range.start..value.range.start)];
                    parts.extend(value.parts.iter().cloned());
                    parts
                }
                AssignedValue::Array(_) => vec![Part::Plain(self.range.clone())],
            },
        }
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

/// Whether bash would expand braces (`{a,b}`, `{1..3}`) in the word. dash does not; which of the two runs is not known.
fn braces_expand(src: &str, parts: &[Part]) -> bool {
    let mut open: Vec<bool> = Vec::new();
    for part in parts {
        let Part::Plain(range) = part else { continue };
        let bytes = &src.as_bytes()[range.clone()];
        for (k, byte) in bytes.iter().enumerate() {
            match byte {
                b'{' => open.push(false),
                b',' => open.iter_mut().rev().take(1).for_each(|o| *o = true),
                b'.' if bytes.get(k + 1) == Some(&b'.') => open.iter_mut().rev().take(1).for_each(|o| *o = true),
                b'}' if open.pop() == Some(true) => return true,
                _ => {}
            }
        }
    }
    false
}

/// What stands behind a piece of a split value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing: the next part of the word joins on.
    Join,
    /// Blanks: the field ends if there is one.
    Blank,
    /// Another separator of `IFS`: the field ends, empty or not.
    Mark,
}

/// Splits a value as `IFS` says.
fn split(text: &str, separators: &str) -> Vec<(Range<usize>, End)> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n') && separators.contains(c);
    let blanks = |at: usize| text[at..].find(|c| !blank(c)).map_or(text.len(), |len| at + len);
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = text[at..].find(|c| separators.contains(c)).map_or(text.len(), |len| at + len);
        let next = blanks(end);
        let mark = text[next..].chars().next().filter(|c| separators.contains(*c));
        let kind = if mark.is_some() {
            End::Mark
        } else if next > end {
            End::Blank
        } else {
            End::Join
        };
        out.push((at..end, kind));
        at = mark.map_or(next, |c| blanks(next + c.len_utf8()));
    }
    out
}

/// Splits a value in which what is not known stands as written: pieces, whether one holds such a part, whether the
/// field ends behind it.
fn split_around_holes(text: &str) -> Vec<(Range<usize>, bool, bool)> {
    let bytes = text.as_bytes();
    let (mut out, mut start, mut at, mut hole) = (Vec::new(), 0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' | b'\n' => {
                out.push((start..at, hole, true));
                hole = false;
                at += 1;
                start = at;
            }
            b'$' => {
                hole = true;
                at = skip::dollar(text, at, true, 0).unwrap_or(bytes.len());
            }
            b'`' => {
                hole = true;
                at = skip::backticks(text, at).unwrap_or(bytes.len());
            }
            _ => at += 1,
        }
    }
    if start < bytes.len() {
        out.push((start..bytes.len(), hole, false));
    }
    out
}

fn change_case(text: &Text, upper: bool, all: bool) -> Text {
    let mut out = Text::empty(text.whole());
    for (at, c) in text.char_indices() {
        let range = at..at + c.len_utf8();
        if all || at == 0 {
            let changed: String = if upper { c.to_uppercase().collect() } else { c.to_lowercase().collect() };
            out.push_piece(&changed, text.slice_span(range));
        } else {
            out.push_slice(text, range);
        }
    }
    out
}

/// Source text short enough for a message, on one line.
pub(super) fn shorten(source: &str) -> String {
    const MAX: usize = 60;
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX {
        return line;
    }
    line.chars().take(MAX - 1).chain(std::iter::once('…')).collect()
}
