//! What a script is made of.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use super::param::Param;

/// One part of a word. Ranges are bytes of the script.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Unquoted literal bytes.
    Plain(Range<usize>),
    /// Literal bytes inside quotes; an empty range stands for `''`.
    Quoted(Range<usize>),
    /// Bytes that stand for something else (`\"`, `\n` in `$'…'`); counts as quoted.
    Escaped(String, Range<usize>),
    /// `$NAME` and `${…}`.
    Param(Box<Param>),
    /// `$(…)`, `` `…` ``, `<(…)`.
    Command { range: Range<usize>, quoted: bool },
    /// `$((…))`: the whole and the expression.
    Arith { range: Range<usize>, inner: Range<usize> },
}

/// The left side of a word that may be an assignment.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    /// The variable.
    pub name: String,
    /// Where the name stands.
    pub name_range: Range<usize>,
    /// `a[INDEX]=`: the index.
    pub index: Option<Range<usize>>,
    /// `+=`.
    pub append: bool,
    /// The right side.
    pub value: AssignedValue,
}

/// The right side of an assignment.
#[derive(Clone, Debug)]
pub(super) enum AssignedValue {
    /// One word.
    Scalar(RawWord),
    /// `( … )`.
    Array(Vec<RawWord>),
}

/// A word before expansion.
#[derive(Clone, Debug)]
pub(super) struct RawWord {
    /// Its parts.
    pub parts: Vec<Part>,
    /// All of it, quotes included.
    pub range: Range<usize>,
    /// Set when it has the form `NAME=…`.
    pub assignment: Option<Box<Assignment>>,
}

/// A simple command before expansion. What it redirects to is left out.
#[derive(Clone, Debug, Default)]
pub(super) struct RawCommand {
    /// Words and assignments in order.
    pub words: Vec<RawWord>,
    /// Operators of its redirections.
    pub redirections: Vec<Range<usize>>,
    /// Where the last word or redirection ends.
    pub end: usize,
}

impl RawWord {
    /// Its parts, those of an assignment put together again.
    pub(super) fn all_parts(&self) -> Cow<'_, [Part]> {
        let Some(assignment) = self.assignment.as_deref() else { return Cow::Borrowed(&self.parts) };
        Cow::Owned(match &assignment.value {
            AssignedValue::Scalar(value) => {
                let mut parts = vec![Part::Plain(self.range.start..value.range.start)];
                parts.extend(value.parts.iter().cloned());
                parts
            }
            AssignedValue::Array(_) => vec![Part::Plain(self.range.clone())],
        })
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
