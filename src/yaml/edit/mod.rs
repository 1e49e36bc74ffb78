//! Edits of a file that keep everything else as it is: comments, quoting, indentation, flow style, line ends. Every
//! function gives `None` where the layout is one it does not know how to keep.

mod delete;
mod insert;
mod write;

pub use delete::{delete_entry, delete_item};
pub use insert::{append_item, insert_entry};
pub use write::{New, quoted, replace};

use super::Node;
use crate::source::{SourceFile, Span};

/// Where a node ends as it is written: an alias ends at its name, not where the anchored content does.
fn end(node: &Node) -> Span {
    node.alias().unwrap_or(node.span)
}

/// Bytes from the start of the line to an offset.
fn before(file: &SourceFile, at: u32) -> &str {
    let start = file.line_range(file.line_of(at)).start;
    file.text.get(start..at as usize).unwrap_or_default()
}

/// Bytes from an offset to the end of its line.
fn after(file: &SourceFile, at: u32) -> &str {
    let end = file.line_range(file.line_of(at)).end;
    file.text.get(at as usize..end.max(at as usize)).unwrap_or_default()
}

/// How lines of the file end.
#[must_use]
pub fn newline(file: &SourceFile) -> &'static str {
    let first = file.text.find('\n').unwrap_or_default();
    if first > 0 && file.text.as_bytes()[first - 1] == b'\r' { "\r\n" } else { "\n" }
}

/// The end of the line that holds the last byte before `at`.
fn end_of_line(file: &SourceFile, at: u32) -> u32 {
    let line = file.line_of(at.saturating_sub(1).max(1));
    u32::try_from(file.line_range(line).end).unwrap_or(u32::MAX).max(at)
}

/// Whether nothing but blanks and a comment stands there.
fn empty(text: &str) -> bool {
    let text = text.trim_start();
    text.is_empty() || text.starts_with('#')
}

/// A column as blanks: what stands before, each character that is no tab as one blank.
fn indent(text: &str) -> String {
    text.chars().filter(|c| *c != '\u{feff}').map(|c| if c == '\t' { '\t' } else { ' ' }).collect()
}

fn starts_with(file: &SourceFile, span: Span, c: char) -> bool {
    file.text.get(span.range()).is_some_and(|text| text.starts_with(c))
}

#[cfg(test)]
mod tests;
