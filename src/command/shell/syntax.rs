//! What in a script cannot be parsed, and the words for it.

use std::ops::Range;

/// What in a script cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Where.
    pub range: Range<usize>,
    /// What is wrong; empty where only the parser crate refuses, or nothing looks further, and a shell may well read on.
    pub message: String,
}

impl SyntaxError {
    /// A quote or bracket without its end.
    pub fn unclosed(what: &str, at: usize) -> Self {
        let name = match what {
            "'" => "this single quote".to_owned(),
            "\"" => "this double quote".to_owned(),
            "`" => "this backtick".to_owned(),
            _ => format!("this `{what}`"),
        };
        Self { range: at..at + what.len(), message: format!("{name} is never closed") }
    }

    /// A reserved word without the one that belongs to it.
    pub fn without(opener: &str, closer: &str, range: Range<usize>) -> Self {
        Self { range, message: format!("this `{opener}` has no `{closer}`") }
    }

    /// More brackets than are followed.
    pub fn too_deep(at: usize) -> Self {
        Self::undecided(at..at + 1)
    }

    /// Something that a shell may understand.
    pub fn undecided(range: Range<usize>) -> Self {
        Self { range, message: String::new() }
    }

    /// The error for what stands somewhere.
    pub fn unexpected(src: &str, range: Range<usize>, expected: &str) -> Self {
        let token = src.get(range.clone()).unwrap_or_default();
        let shown = match token {
            "" => "the end of the script".to_owned(),
            _ if token.starts_with('\n') => "the end of the line".to_owned(),
            token => format!("`{}`", token.chars().take(40).collect::<String>()),
        };
        let range = if token.trim().is_empty() { last_char(&src[..range.start.min(src.len())]) } else { range };
        let message = if expected.is_empty() {
            format!("{shown} may not stand here")
        } else {
            format!("{expected} is expected here, not {shown}")
        };
        Self { range, message }
    }

    /// Whether a shell is certain to refuse the script.
    pub fn certain(&self) -> bool {
        !self.message.is_empty()
    }
}

/// Something to point at in front of an end.
fn last_char(before: &str) -> Range<usize> {
    let before = before.trim_end();
    let len = before.chars().next_back().map_or(0, char::len_utf8);
    before.len() - len..before.len()
}
