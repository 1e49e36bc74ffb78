//! The simple commands of a script and its functions, as written, for those who look for what was not meant.

use std::ops::Range;

use super::ast::{Command, Kind, Part, RawWord};
use super::visit::{self, Visitor};
use super::{MAX_SCRIPT, parser};
use crate::source::Text;

/// One simple command. Ranges are bytes of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its words, quotes included, assignments in front among them.
    pub words: Vec<Range<usize>>,
    /// How many of them are assignments in front of the command.
    pub assigned: usize,
    /// Operators of its redirections.
    pub redirections: Vec<Range<usize>>,
}

/// A function of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// All of it.
    pub range: Range<usize>,
}

/// What a script consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its commands in the order they are written, those of functions and of `$(…)` among them.
    pub calls: Vec<Call>,
    /// Its functions.
    pub functions: Vec<Function>,
}

/// The commands and functions of a script; nothing of one that cannot be parsed.
#[must_use]
pub fn listing(text: &Text) -> Listing {
    let mut found = Listing::default();
    if text.len() <= MAX_SCRIPT {
        Scan { src: text.as_str(), base: 0, depth: 0, found: &mut found }.run();
    }
    crate::source::order_by_key(&mut found.calls, |call| call.words.first().map_or(0, |word| word.start));
    found
}

struct Scan<'a> {
    src: &'a str,
    /// Where `src` begins in the script.
    base: usize,
    depth: u32,
    found: &'a mut Listing,
}

impl Scan<'_> {
    fn run(mut self) {
        let (block, error) = &*parser::parse(self.src);
        if error.is_none() {
            visit::block(block, false, &mut self);
        }
    }

    fn place(&self, range: &Range<usize>) -> Range<usize> {
        self.base + range.start..self.base + range.end
    }
}

impl Visitor for Scan<'_> {
    fn command(&mut self, command: &Command, _: bool) {
        match &command.kind {
            Kind::Simple(simple) if !simple.words.is_empty() => {
                let words = simple.words.iter().map(|word| self.place(&word.range)).collect();
                let redirections = simple.redirections.iter().map(|operator| self.place(operator)).collect();
                let assigned = simple.words.iter().take_while(|word| word.assignment.is_some()).count();
                self.found.calls.push(Call { words, assigned, redirections });
            }
            Kind::Function(name, _) => {
                let range = self.place(&command.range);
                self.found.functions.push(Function { name: name.clone(), range });
            }
            _ => {}
        }
    }

    fn word(&mut self, word: &RawWord) {
        for part in &*word.all_parts() {
            let Part::Command { range, .. } = part else { continue };
            if let Some(inner) = visit::inside(self.src, range, self.depth) {
                let base = self.base + inner.start;
                let src = &self.src[inner];
                Scan { src, base, depth: self.depth + 1, found: self.found }.run();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::listing;
    use crate::source::{FileId, Span, Text};

    #[test]
    fn every_command_is_listed() {
        let script = "f() { echo \"$1\"; }\nA=1 B=2 run x > y\nif a; then b | c; fi\nV=$(d $(e) && g)\nf \"$(h)\"\n";
        let text = Text::opaque(script, Span::new(FileId(0), 0, 0));
        let found = listing(&text);
        let names: Vec<&str> = found
            .calls
            .iter()
            .filter_map(|call| call.words.get(call.assigned).map(|word| &script[word.clone()]))
            .collect();
        assert_eq!(names, ["echo", "run", "a", "b", "c", "d", "e", "g", "f", "h"]);
        assert_eq!(found.functions.len(), 1);
        assert_eq!(&script[found.functions[0].range.clone()], "f() { echo \"$1\"; }");
        let run = found.calls.iter().find(|call| call.assigned == 2).expect("the command with two assignments");
        assert_eq!(run.redirections.iter().map(|range| &script[range.clone()]).collect::<Vec<_>>(), [">"]);
    }
}
