//! Words of a script that are plainly not what was meant, found without running it.

use std::ops::Range;

use super::ast::{Command, Kind, Part, RawWord};
use super::visit::{self, Visitor};
use super::{MAX_SCRIPT, parser};
use crate::source::Text;

/// What is wrong with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    /// A command's name starts with `-`: the line belongs to the command before it.
    LostLine,
    /// JSON whose double quotes the shell takes away.
    JsonQuotes,
}

/// Slips in a script, in the order they are written; nothing for a script that cannot be parsed.
#[must_use]
pub fn slips(text: &Text) -> Vec<(Slip, Range<usize>)> {
    let src = text.as_str();
    if src.len() > MAX_SCRIPT {
        return Vec::new();
    }
    let (block, error) = &*parser::parse(src);
    let mut found = Vec::new();
    if error.is_none() {
        visit::block(block, false, &mut Stray { src, found: &mut found });
    }
    crate::source::order_by_key(&mut found, |(_, range)| range.start);
    found
}

struct Stray<'a> {
    src: &'a str,
    found: &'a mut Vec<(Slip, Range<usize>)>,
}

impl Visitor for Stray<'_> {
    fn command(&mut self, command: &Command, _: bool) {
        if let Kind::Simple(simple) = &command.kind
            && let Some(first) = simple.words.first()
            && let Some(Part::Plain(range)) = first.parts.first()
            && option(&self.src[range.clone()])
        {
            self.found.push((Slip::LostLine, first.range.clone()));
        }
    }

    fn word(&mut self, word: &RawWord) {
        if word.assignment.is_none() && json_without_quotes(&self.src[word.range.clone()]) {
            self.found.push((Slip::JsonQuotes, word.range.clone()));
        }
    }
}

/// `--name` or `-x…`.
fn option(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|rest| rest.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// `{"key"…` and `"{"key"…`, bare or behind `--flag=`.
fn json_without_quotes(word: &str) -> bool {
    let value = match word.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => value,
        _ => word,
    };
    let inner = value.strip_prefix('"').unwrap_or(value);
    inner.strip_prefix("{\"").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        && value.ends_with(['}', '"'])
        && value.contains(':')
}

#[cfg(test)]
mod tests {
    use super::{Slip, slips};
    use crate::source::{FileId, Span, Text};

    fn found(script: &str) -> Vec<(Slip, &str)> {
        let text = Text::opaque(script, Span::new(FileId(0), 0, 0));
        slips(&text).into_iter().map(|(slip, range)| (slip, &script[range])).collect()
    }

    #[test]
    fn a_line_that_starts_with_an_option_is_lost() {
        assert_eq!(found("run \\\n  --a 1\n  --b 2\n"), [(Slip::LostLine, "--b")]);
        assert_eq!(found("run \\\n  --a 1 \\ \n  --b 2\n"), [(Slip::LostLine, "--b")]);
        assert_eq!(found("run \\\n  # why\n  --b 2\n"), [(Slip::LostLine, "--b")]);
        assert_eq!(found("if true; then\n run\n -tp 2\nfi"), [(Slip::LostLine, "-tp")]);
        assert!(found("run \\\n  --a 1 \\\n  --b 2\n").is_empty());
        assert!(found("a=(\n --a\n --b\n)\nrun \"${a[@]}\"\ncase $1 in --x) run;; esac\n").is_empty());
        assert!(found("cat <<E\n--boundary\nE\n").is_empty());
    }

    #[test]
    fn json_loses_its_quotes() {
        assert_eq!(found("run --c {\"a\":1}"), [(Slip::JsonQuotes, "{\"a\":1}")]);
        assert_eq!(found("run --c=\"{\"a\":\"b\"}\""), [(Slip::JsonQuotes, "--c=\"{\"a\":\"b\"}\"")]);
        assert!(found("run --c '{\"a\":1}' \"{\\\"a\\\":1}\"").is_empty());
    }
}
