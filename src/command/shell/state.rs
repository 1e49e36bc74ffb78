//! Variables of a shell and the environment it hands on.

use std::rc::Rc;

use super::super::{AssignKind, EnvOp, Word};
use super::ast::Command;
use crate::source::{Reason, Span, Text};
use rustc_hash::FxHashMap;

/// What a variable holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A string, known in full or in part.
    Scalar(Word),
    /// An indexed array.
    Array(Vec<Word>),
    /// Not set, for certain.
    Unset,
    /// Not known, whether set or not.
    Unknown(Reason),
}

impl Value {
    fn same(&self, other: &Self) -> bool {
        let words = |a: &Word, b: &Word| *a.text == *b.text && a.dynamic == b.dynamic && a.open == b.open;
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => words(a, b),
            (Self::Array(a), Self::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| words(a, b)),
            (Self::Unset, Self::Unset) => true,
            (Self::Unknown(a), Self::Unknown(b)) => a == b,
            _ => false,
        }
    }
}

/// A variable that the script has touched.
#[derive(Clone, Debug)]
pub(super) struct Var {
    pub value: Value,
    pub exported: bool,
    /// The assignment that gave the value.
    pub span: Option<Span>,
}

/// All that a subshell copies.
#[derive(Clone)]
pub(super) struct State {
    pub vars: FxHashMap<String, Rc<Var>>,
    /// Changes to the environment so far.
    pub ops: Rc<Vec<EnvOp>>,
    /// `$0`, `$1`, …; none when `set --` or `shift` made them unknown.
    pub positional: Option<Rc<Vec<Word>>>,
    pub functions: FxHashMap<String, Rc<Command>>,
    /// `set -a`
    pub allexport: bool,
    /// Why the environment may have changed unseen.
    pub env_open: Option<Reason>,
    /// Whether an `exec` on an undecided path may have ended the script already.
    pub maybe_gone: bool,
}

impl State {
    pub fn new(positional: &[Word]) -> Self {
        Self {
            vars: FxHashMap::default(),
            ops: Rc::new(Vec::new()),
            positional: Some(Rc::new(positional.to_vec())),
            functions: FxHashMap::default(),
            allexport: false,
            env_open: None,
            maybe_gone: false,
        }
    }

    /// Rough size of a copy.
    pub fn weight(&self) -> usize {
        self.vars.len() + self.functions.len() + 1
    }

    pub fn push_op(&mut self, op: EnvOp) {
        Rc::make_mut(&mut self.ops).push(op);
    }

    /// Names that the two states hold differently.
    fn differing(&self, other: &Self) -> Vec<String> {
        let mut names: Vec<String> = self
            .vars
            .iter()
            .filter(|(name, var)| {
                other.vars.get(*name).is_none_or(|theirs| {
                    !Rc::ptr_eq(var, theirs) && (var.exported != theirs.exported || !var.value.same(&theirs.value))
                })
            })
            .map(|(name, _)| name.clone())
            .collect();
        names.extend(other.vars.keys().filter(|name| !self.vars.contains_key(*name)).cloned());
        crate::source::order(&mut names, Ord::cmp);
        names
    }

    /// Forgets what `after` changed since `self`.
    pub fn forget_changes(&mut self, after: &Self, why: &Reason) {
        for name in self.differing(after) {
            self.forget(&name, why, after.vars.get(&name).is_some_and(|v| v.exported));
        }
        if !same_positional(self.positional.as_ref(), after.positional.as_ref()) {
            self.positional = None;
        }
    }

    /// Makes one variable unknown.
    pub fn forget(&mut self, name: &str, why: &Reason, exported: bool) {
        let old = self.vars.get(name);
        let exported = exported || old.is_some_and(|v| v.exported);
        let span = old.and_then(|v| v.span);
        self.vars.insert(name.to_owned(), Rc::new(Var { value: Value::Unknown(why.clone()), exported, span }));
    }

    /// What holds after either of two ways was taken, one of them unknown. Both began with `base` operations.
    pub fn merge(mut self, other: Self, base: usize, why: &Reason) -> Self {
        for name in self.differing(&other) {
            let exported = other.vars.get(&name).is_some_and(|v| v.exported);
            self.forget(&name, why, exported);
        }
        self.merge_ops(&other, base, why);
        if !same_positional(self.positional.as_ref(), other.positional.as_ref()) {
            self.positional = None;
        }
        for (name, body) in other.functions {
            self.functions.entry(name).or_insert(body);
        }
        self.allexport |= other.allexport;
        self.maybe_gone |= other.maybe_gone;
        self.env_open = self.env_open.or(other.env_open);
        self
    }

    fn merge_ops(&mut self, other: &Self, base: usize, why: &Reason) {
        if Rc::ptr_eq(&self.ops, &other.ops) || (self.ops.len() == base && other.ops.len() == base) {
            return;
        }
        let (ours, theirs) = (&self.ops[base.min(self.ops.len())..], &other.ops[base.min(other.ops.len())..]);
        let mut merged: Vec<EnvOp> = Vec::new();
        for op in ours.iter().rev().chain(theirs.iter().rev()) {
            if merged.iter().any(|have| have.name == op.name) {
                continue;
            }
            let last = |ops: &[EnvOp]| ops.iter().rfind(|o| o.name == op.name).cloned();
            let agreed = match (last(ours), last(theirs)) {
                (Some(a), Some(b)) => a.kind == b.kind && text_of(&a) == text_of(&b),
                _ => false,
            };
            let mut op = op.clone();
            if !agreed {
                let text = op.value.map_or_else(|| Text::empty(op.span), |w| w.text);
                op.value = Some(Word::unknown(text, why.clone()));
                op.kind = AssignKind::Export;
            }
            merged.push(op);
        }
        merged.reverse();
        let mut ops = self.ops[..base.min(self.ops.len())].to_vec();
        ops.extend(merged);
        self.ops = Rc::new(ops);
    }
}

fn text_of(op: &EnvOp) -> Option<(&str, bool)> {
    op.value.as_ref().map(|w| (w.text.as_str(), w.dynamic.is_some()))
}

fn same_positional(a: Option<&Rc<Vec<Word>>>, b: Option<&Rc<Vec<Word>>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b) || a == b,
        (None, None) => true,
        _ => false,
    }
}
