//! What in a script cannot be parsed, and where.

use std::ops::Range;

use tree_sitter::{Node, Tree};

use super::{children, skip};

/// Most errors reported for one script: later ones mostly follow from the first.
const MAX_ERRORS: usize = 1;

/// Errors with their places, and where the first begins (the end of the script when there is none).
pub(super) fn collect(src: &str, tree: &Tree) -> (Vec<(Range<usize>, String)>, usize) {
    if let Some(unclosed) = skip::unclosed(src) {
        let what = unclosed.what;
        let message = match what {
            "'" | "\"" | "`" => format!("the quote `{what}` is never closed", what = quote(what)),
            _ => format!("`{what}` is never closed"),
        };
        return (vec![(unclosed.at..unclosed.at + what.len(), message)], unclosed.at);
    }
    if !tree.root_node().has_error() {
        return (Vec::new(), src.len());
    }
    let mut errors = Vec::new();
    gather(tree.root_node(), src, &mut errors, 0);
    let limit = errors.iter().map(|(range, _)| range.start).min().unwrap_or(src.len());
    (errors, limit)
}

/// A quote as it stands in a message between backticks.
fn quote(what: &str) -> &str {
    if what == "`" { "backtick" } else { what }
}

fn gather(node: Node<'_>, src: &str, out: &mut Vec<(Range<usize>, String)>, depth: u32) {
    if out.len() >= MAX_ERRORS || depth > 400 {
        return;
    }
    if node.is_missing() {
        let at = node.start_byte();
        out.push((place(src, at), format!("`{}` is missing here", node.kind())));
        return;
    }
    if node.is_error() {
        let range = trimmed(src, node.byte_range());
        let token = src[range.clone()].split_whitespace().next().unwrap_or_default();
        out.push((range.start..range.start + token.len(), format!("the shell does not understand `{token}` here")));
        return;
    }
    if node.has_error() {
        for child in children(node) {
            gather(child, src, out, depth + 1);
        }
    }
}

/// A place to point at for something that is not there: the character before.
fn place(src: &str, at: usize) -> Range<usize> {
    let before = src[..at].trim_end();
    let len = before.chars().next_back().map_or(0, char::len_utf8);
    before.len() - len..before.len()
}

fn trimmed(src: &str, range: Range<usize>) -> Range<usize> {
    let text = &src[range.clone()];
    let start = range.start + (text.len() - text.trim_start().len());
    start..start + text.trim().len()
}
