//! Every command and every word of a script, as written.

use std::ops::Range;

use super::ast::{AssignedValue, Block, Command, Kind, RawWord};

/// How deep `$(…)` is followed.
const MAX_DEPTH: u32 = 8;

/// What stands inside a `$(…)` that is found at this depth: its place in the text that the range is of. Nothing for other ways
/// to run a command, and too deep down.
pub(super) fn inside(src: &str, range: &Range<usize>, depth: u32) -> Option<Range<usize>> {
    let text = &src[range.clone()];
    (depth < MAX_DEPTH && text.starts_with("$(") && text.ends_with(')')).then(|| range.start + 2..range.end - 1)
}

/// Looks at what it is shown.
pub(super) trait Visitor {
    /// A command; those inside it follow. Whether it runs in a shell of its own (`( … )`, a part of a pipeline).
    fn command(&mut self, command: &Command, apart: bool);

    /// A word of a command, items of an array among them; an assignment is shown as one word, then its items.
    fn word(&mut self, word: &RawWord);
}

/// Shows a block.
pub(super) fn block(block: &Block, apart: bool, to: &mut dyn Visitor) {
    for item in &block.items {
        command(&item.command, apart || item.background, to);
    }
}

fn command(shown: &Command, apart: bool, to: &mut dyn Visitor) {
    to.command(shown, apart);
    match &shown.kind {
        Kind::Simple(simple) => words(&simple.words, to),
        Kind::Chain(first, rest) => {
            command(first, apart, to);
            rest.iter().for_each(|(_, next)| command(next, apart, to));
        }
        Kind::Pipeline(all) => all.iter().for_each(|part| command(part, true, to)),
        Kind::Not(inner) => command(inner, apart, to),
        Kind::Function(_, body) => command(body, apart, to),
        Kind::Group(body) | Kind::ArithmeticFor(body) => block(body, apart, to),
        Kind::Subshell(body) => block(body, true, to),
        Kind::If(branches, last) => {
            for (test, body) in branches {
                block(test, apart, to);
                block(body, apart, to);
            }
            last.iter().for_each(|body| block(body, apart, to));
        }
        Kind::While { test, body, .. } => {
            block(test, apart, to);
            block(body, apart, to);
        }
        Kind::For { words: list, body, .. } => {
            words(list.as_deref().unwrap_or_default(), to);
            block(body, apart, to);
        }
        Kind::Case(subject, branches) => {
            to.word(subject);
            branches.iter().for_each(|branch| block(&branch.body, apart, to));
        }
        Kind::Arithmetic | Kind::Test(_) => {}
    }
}

fn words(shown: &[RawWord], to: &mut dyn Visitor) {
    for word in shown {
        to.word(word);
        if let Some(AssignedValue::Array(items)) = word.assignment.as_deref().map(|assignment| &assignment.value) {
            words(items, to);
        }
    }
}
