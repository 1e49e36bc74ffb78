//! Cutting values into fields, and what is not known out of them.

use std::ops::Range;

use super::skip;

/// What stands behind a piece of a split value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing: the next part of the word joins on.
    Join,
    /// Blanks: the field ends if there is one.
    Blank,
    /// Another separator of `IFS`: the field ends, empty or not.
    Mark,
}

/// Splits a value as `IFS` says.
pub(super) fn split(text: &str, separators: &str) -> Vec<(Range<usize>, End)> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n') && separators.contains(c);
    let blanks = |at: usize| text[at..].find(|c| !blank(c)).map_or(text.len(), |len| at + len);
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = text[at..].find(|c| separators.contains(c)).map_or(text.len(), |len| at + len);
        let next = blanks(end);
        let mark = text[next..].chars().next().filter(|c| separators.contains(*c));
        let kind = if mark.is_some() {
            End::Mark
        } else if next > end {
            End::Blank
        } else {
            End::Join
        };
        out.push((at..end, kind));
        at = mark.map_or(next, |c| blanks(next + c.len_utf8()));
    }
    out
}

/// Splits a value in which what is not known stands as written: pieces, whether one holds such a part, whether the
/// field ends behind it.
pub(super) fn split_around_holes(text: &str) -> Vec<(Range<usize>, bool, bool)> {
    let bytes = text.as_bytes();
    let (mut out, mut start, mut at, mut hole) = (Vec::new(), 0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b'\t' | b'\n' => {
                out.push((start..at, hole, true));
                hole = false;
                at += 1;
                start = at;
            }
            b'$' => {
                hole = true;
                at = skip::dollar(text, at, true, 0).unwrap_or(bytes.len());
            }
            b'`' => {
                hole = true;
                at = skip::backticks(text, at).unwrap_or(bytes.len());
            }
            _ => at += 1,
        }
    }
    if start < bytes.len() {
        out.push((start..bytes.len(), hole, false));
    }
    out
}

/// Source text short enough for a message, on one line.
pub(super) fn shorten(source: &str) -> String {
    const MAX: usize = 60;
    let line = source.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX {
        return line;
    }
    line.chars().take(MAX - 1).chain(std::iter::once('…')).collect()
}
