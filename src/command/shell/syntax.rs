//! What in a script cannot be parsed, and the words for it.

use std::ops::Range;

use super::lexer::Lexer;

/// What in a script cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// Where.
    pub range: Range<usize>,
    /// What is wrong.
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
}

/// More brackets than are followed.
pub(super) fn too_deep(at: usize) -> SyntaxError {
    SyntaxError { range: at..at + 1, message: "this is nested too deeply".to_owned() }
}

/// The error for what stands at the lexer's place.
pub(super) fn unexpected(lexer: &Lexer<'_>, expected: &str) -> SyntaxError {
    let rest = &lexer.src[lexer.at.min(lexer.src.len())..];
    let operator = [";;&", ";;", ";&", "&&", "||", "|&", "&>", "<<", ">>"].into_iter().find(|op| rest.starts_with(op));
    let len = match rest.chars().next() {
        None => 0,
        Some('\n') => 1,
        Some(c) => operator.map_or_else(|| word_len(rest).max(c.len_utf8()), str::len),
    };
    let token = match &rest[..len] {
        "" => "the end of the script".to_owned(),
        "\n" => "the end of the line".to_owned(),
        token => format!("`{}`", token.chars().take(40).collect::<String>()),
    };
    let range =
        if rest[..len].trim().is_empty() { last_char(&lexer.src[..lexer.at]) } else { lexer.at..lexer.at + len };
    let message = if expected.is_empty() {
        format!("{token} may not stand here")
    } else {
        format!("{expected} is expected here, not {token}")
    };
    SyntaxError { range, message }
}

/// Something to point at in front of an end.
fn last_char(before: &str) -> Range<usize> {
    let before = before.trim_end();
    let len = before.chars().next_back().map_or(0, char::len_utf8);
    before.len() - len..before.len()
}

/// Length of the unquoted word at the start of `text`.
pub(super) fn word_len(text: &str) -> usize {
    text.find([' ', '\t', '\n', ';', '&', '|', '(', ')', '<', '>']).unwrap_or(text.len())
}
