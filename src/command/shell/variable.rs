//! Assignments, and what variables and special parameters hold.

use std::ops::Range;
use std::rc::Rc;

use super::super::{AssignKind, EnvOp, Word};
use super::Shell;
use super::ast::{AssignedValue, Assignment, RawWord};
use super::split::shorten;
use super::state::{Value, Var};
use crate::source::{Reason, Span, Text};

/// Variables that are in the environment of any container.
const ALWAYS_EXPORTED: &[&str] = &["PATH", "HOME", "HOSTNAME", "PWD", "SHLVL"];

impl Shell<'_> {
    /// One assignment of a statement without a command.
    pub(super) fn assign_word(&mut self, assignment: &Assignment, range: Range<usize>, local: bool) {
        let span = self.span(range.clone());
        if local {
            self.make_local(&assignment.name);
        }
        if let Some(index) = &assignment.index {
            return self.assign_index(assignment, index.clone(), range);
        }
        let value = match &assignment.value {
            AssignedValue::Scalar(raw) => {
                if assignment.append
                    && let Value::Array(mut words) = self.get(&assignment.name)
                    && !words.is_empty()
                {
                    let first = self.joined_word(Some(words[0].clone()), raw);
                    words[0] = first;
                    Value::Array(words)
                } else {
                    Value::Scalar(self.assigned_scalar(assignment, raw))
                }
            }
            AssignedValue::Array(raw) => {
                let mut words = Vec::new();
                for word in raw {
                    self.expand(word, &mut words);
                }
                match self.get(&assignment.name) {
                    _ if !assignment.append => Value::Array(words),
                    Value::Array(mut old) => {
                        old.extend(words);
                        Value::Array(old)
                    }
                    Value::Scalar(word) => Value::Array(std::iter::once(word).chain(words).collect()),
                    Value::Unset => Value::Array(words),
                    Value::Unknown(reason) => Value::Unknown(reason),
                }
            }
        };
        self.assign(&assignment.name, value, span);
    }

    fn assign_index(&mut self, assignment: &Assignment, index: Range<usize>, range: Range<usize>) {
        let span = self.span(range.clone());
        let unknown = Value::Unknown(Reason::Shell(shorten(&self.src[range])));
        let k = self.arithmetic(&self.src[index]).ok().and_then(|k| usize::try_from(k).ok());
        let AssignedValue::Scalar(raw) = &assignment.value else { return self.assign(&assignment.name, unknown, span) };
        let word = self.expand_single(raw);
        let mut words = match self.get(&assignment.name) {
            Value::Array(words) if words.iter().all(|w| !w.open) => words,
            Value::Unset => Vec::new(),
            _ => return self.assign(&assignment.name, unknown, span),
        };
        match k {
            Some(k) if k < words.len() && !assignment.append => words[k] = word,
            Some(k) if k == words.len() => words.push(word),
            _ => return self.assign(&assignment.name, unknown, span),
        }
        self.assign(&assignment.name, Value::Array(words), span);
    }

    /// The right side of `A=b`; for `A+=b`, joined to what `A` holds.
    pub(super) fn assigned_scalar(&mut self, assignment: &Assignment, raw: &RawWord) -> Word {
        if !assignment.append {
            return self.expand_single(raw);
        }
        let old = match self.get(&assignment.name) {
            Value::Scalar(word) => Some(word),
            Value::Unset => None,
            Value::Unknown(reason) => {
                let span = self.span(assignment.name_range.clone());
                Some(Word::unknown(Text::opaque(format!("${}", assignment.name), span), reason))
            }
            Value::Array(words) => words.into_iter().next(),
        };
        self.joined_word(old, raw)
    }

    fn joined_word(&mut self, old: Option<Word>, raw: &RawWord) -> Word {
        let new = self.expand_single(raw);
        let Some(mut word) = old else { return new };
        word.text.push(&new.text);
        word.dynamic = word.dynamic.or(new.dynamic);
        word.open = false;
        self.spend(word.text.len());
        word
    }

    /// Gives a variable a value, in the environment too when it is exported.
    pub(super) fn assign(&mut self, name: &str, mut value: Value, span: Span) {
        if let Value::Scalar(word) = &value
            && let Some(Value::Array(words)) = self.state.vars.get(name).map(|v| &v.value)
            && words.len() > 1
        {
            // The name alone is the first element.
            let mut words = words.clone();
            words[0] = word.clone();
            value = Value::Array(words);
        }
        let exported = self.state.allexport || self.exported(name);
        if exported && let Value::Scalar(word) = &value {
            let op = EnvOp { name: name.to_owned(), kind: AssignKind::Export, value: Some(word.clone()), span };
            self.spend(word.text.len() + 16);
            self.state.push_op(op);
        }
        self.state.vars.insert(name.to_owned(), Rc::new(Var { value, exported, span: Some(span) }));
    }

    /// Whether a variable is in the environment.
    pub(super) fn exported(&self, name: &str) -> bool {
        match self.state.vars.get(name) {
            Some(var) => var.exported,
            None => ALWAYS_EXPORTED.contains(&name) || (self.lookup)(name).is_some(),
        }
    }

    /// What a variable or special parameter holds.
    pub(super) fn get(&self, name: &str) -> Value {
        if let Some(var) = self.state.vars.get(name) {
            return var.value.clone();
        }
        let known = |text: String| Value::Scalar(Word::known(Text::opaque(text, self.text.whole())));
        match name {
            "" | "?" | "$" | "!" | "-" | "_" | "RANDOM" | "SECONDS" | "LINENO" => {
                Value::Unknown(Reason::Shell(format!("${name}")))
            }
            "@" | "*" | "#" | "0" => match (&self.state.positional, name) {
                (None, _) => Value::Unknown(Reason::Shell(format!("${name}"))),
                (Some(words), "#") if words.iter().all(|w| !w.open) => known(words.len().saturating_sub(1).to_string()),
                (Some(_), "#") => Value::Unknown(Reason::Shell("$#".to_owned())),
                (Some(words), "0") => words
                    .first()
                    .map_or_else(|| Value::Unknown(Reason::Shell("$0".to_owned())), |w| Value::Scalar(w.clone())),
                (Some(words), _) => Value::Array(words.get(1..).unwrap_or_default().to_vec()),
            },
            _ if name.as_bytes()[0].is_ascii_digit() => match &self.state.positional {
                Some(words) if words.iter().all(|w| !w.open) => {
                    let word = name.parse::<usize>().ok().and_then(|k| words.get(k));
                    word.map_or(Value::Unset, |w| Value::Scalar(w.clone()))
                }
                _ => Value::Unknown(Reason::Shell(format!("${name}"))),
            },
            _ => match (self.lookup)(name) {
                Some(word) => Value::Scalar(word),
                None => Value::Unknown(Reason::Variable(name.to_owned())),
            },
        }
    }
}
