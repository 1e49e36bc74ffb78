//! Argv the way argparse reads it.

use super::Word;
use crate::source::Span;

/// One option as used on a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// As written, without `=value`: `--router-mode`, `-tp`.
    pub name: String,
    /// Its values: after `=`, or the words up to the next option.
    pub values: Vec<Word>,
    /// Whether the value was joined with `=`.
    pub joined: bool,
    /// Where the flag's name stands.
    pub span: Span,
    /// Index of its word in the argv it was read from.
    pub index: usize,
}

impl Flag {
    /// Its first value.
    #[must_use]
    pub fn value(&self) -> Option<&Word> {
        self.values.first()
    }

    /// Span of the flag with its values.
    #[must_use]
    pub fn full_span(&self) -> Span {
        self.values.iter().fold(self.span, |s, w| s.to(w.span()))
    }
}

/// Options and positional words of one process, program excluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// Options in order.
    pub flags: Vec<Flag>,
    /// Words that belong to no option.
    pub positional: Vec<Word>,
    /// Whether a word that cannot be known could hide further options (`"$@"`, `${EXTRA_ARGS}`).
    pub open: Option<crate::source::Reason>,
}

impl Args {
    /// Reads the words after the program. Without knowledge of the program every option takes the words up to the next
    /// one, as `nargs="*"` would; ask [`Flag::value`] for the first.
    #[must_use]
    pub fn parse(_words: &[Word]) -> Self {
        unimplemented!("command room")
    }

    /// The last use of any of the names: for argparse `store` actions the last one wins.
    #[must_use]
    pub fn last(&self, names: &[&str]) -> Option<&Flag> {
        self.flags.iter().rev().find(|f| names.contains(&f.name.as_str()))
    }

    /// All uses of any of the names.
    pub fn all<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = &'a Flag> {
        self.flags.iter().filter(move |f| names.contains(&f.name.as_str()))
    }

    /// A boolean with a negated form (`--x` / `--no-x`); the last one wins.
    #[must_use]
    pub fn switch(&self, on: &[&str], off: &[&str]) -> Option<(bool, &Flag)> {
        self.flags.iter().rev().find_map(|f| {
            if on.contains(&f.name.as_str()) {
                Some((true, f))
            } else if off.contains(&f.name.as_str()) {
                Some((false, f))
            } else {
                None
            }
        })
    }
}

pub(super) fn program_index(_argv: &[Word]) -> usize {
    unimplemented!("command room")
}

pub(super) fn python_module(_argv: &[Word]) -> Option<(&Word, usize)> {
    unimplemented!("command room")
}
