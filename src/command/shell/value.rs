//! Values of parameters and what the operators in `${…}` make of them.

use super::super::Word;
use super::ast::{Part, RawWord};
use super::param::{Index, Op, Param};
use super::pattern::Pattern;
use super::split::shorten;
use super::state::Value;
use super::{Shell, arith};
use crate::source::{Reason, Text};

/// What an expansion comes to.
pub(super) enum Expanded {
    /// One string.
    Known(Text),
    /// Any number of words, kept apart when quoted.
    Many(Vec<Word>),
    /// Not known; what the script itself put into the variable, when it did.
    Dynamic(Reason, Option<Text>),
}

impl Shell<'_> {
    /// The value of a parameter, index applied.
    pub(super) fn value(&mut self, param: &Param) -> Value {
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
    pub(super) fn param(&mut self, param: &Param) -> Expanded {
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
        for part in &*word.all_parts() {
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
    pub(super) fn separators(&self) -> Option<String> {
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
