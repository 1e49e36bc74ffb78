//! Where one document ends and the next begins, as `kubectl` sees it.
//!
//! Source: `k8s.io/apimachinery` `pkg/util/yaml/decoder.go`, `YAMLReader.Read`: the file is cut at lines that start with
//! `---` before any YAML is parsed, and nothing but blanks and a comment may stand behind it on that line.

use std::ops::Range;

/// A document's piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Its bytes, separator lines excluded.
    pub range: Range<usize>,
    /// The comment on the separator line before it.
    pub comment: Option<Range<usize>>,
    /// What stands behind `---` on the separator line before it and must not.
    pub misplaced: Option<Range<usize>>,
}

/// Cuts a file into at least one chunk. Text before the first separator is a chunk of its own only when it holds
/// something besides blanks and comments, so that the usual licence header does not count as a document; otherwise it is
/// what is returned first.
pub(super) fn split(text: &str) -> (Range<usize>, Vec<Chunk>) {
    let mut chunks = Vec::new();
    let mut lead = 0..0;
    let mut current = Chunk { range: 0..0, comment: None, misplaced: None };
    for at in separators(text) {
        current.range.end = at;
        let keep = !chunks.is_empty() || current.range.start > 0 || holds_content(&text[..at]);
        let line = &text[at..];
        let line = &line[..memchr::memchr(b'\n', line.as_bytes()).map_or(line.len(), |n| n + 1)];
        let rest = line[3..].trim();
        let from = at + line.len() - line[3..].trim_start().len();
        let (comment, misplaced) = match rest.as_bytes().first() {
            None => (None, None),
            Some(b'#') => (Some(from..from + rest.len()), None),
            Some(_) => (None, Some(from..from + rest.len())),
        };
        let next = Chunk { range: at + line.len()..text.len(), comment, misplaced };
        let done = std::mem::replace(&mut current, next);
        if keep {
            chunks.push(done);
        } else {
            lead = done.range;
        }
    }
    current.range.end = text.len();
    chunks.push(current);
    (lead, chunks)
}

/// Offsets of lines that start with `---`.
fn separators(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let first = text[bom..].starts_with("---").then_some(bom);
    first.into_iter().chain(memchr::memmem::find_iter(text.as_bytes(), b"\n---").map(|at| at + 1))
}

fn holds_content(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim_start)
        .any(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        split(text).1.into_iter().map(|c| &text[c.range]).collect()
    }

    #[test]
    fn cuts_at_lines_that_start_with_three_dashes() {
        assert_eq!(cut("a: 1\n---\nb: 2\n"), ["a: 1\n", "b: 2\n"]);
        assert_eq!(cut("---\na: 1\n---\n---\n"), ["a: 1\n", "", ""]);
        assert_eq!(cut("a: 1\r\n---\r\nb: 2"), ["a: 1\r\n", "b: 2"]);
        assert_eq!(cut("a: |\n  ---\n"), ["a: |\n  ---\n"]);
        assert_eq!(cut(""), [""]);
        assert_eq!(cut("---"), [""]);
    }

    #[test]
    fn a_licence_header_is_no_document() {
        assert_eq!(cut("# licence\n\n---\na: 1\n"), ["a: 1\n"]);
        assert_eq!(split("# licence\n\n---\na: 1\n").0, 0..11);
        assert_eq!(cut("# only\n"), ["# only\n"]);
        assert_eq!(cut("\u{feff}---\na: 1\n"), ["a: 1\n"]);
        assert_eq!(cut("%YAML 1.1\n---\na: 1\n"), ["%YAML 1.1\n", "a: 1\n"]);
    }

    #[test]
    fn what_stands_behind_a_separator() {
        let text = "--- # note\na: 1\n--- {b: 2}\n---foo: 3\n";
        let (_, chunks) = split(text);
        assert_eq!(chunks[0].comment.clone().map(|r| &text[r]), Some("# note"));
        assert_eq!(chunks[1].misplaced.clone().map(|r| &text[r]), Some("{b: 2}"));
        assert_eq!(chunks[2].misplaced.clone().map(|r| &text[r]), Some("foo: 3"));
    }
}
