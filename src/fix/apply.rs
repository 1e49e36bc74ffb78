//! Edits on bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::finding::Edit;
use crate::source::{FileId, SourceFile, Sources};

/// Replaces the spans of `edits`, which all speak about this text. `None` when two of them overlap, when two insert at
/// the same place, or when one lies outside the text or inside a character.
#[must_use]
pub fn apply<'a>(text: &str, edits: impl IntoIterator<Item = &'a Edit>) -> Option<String> {
    let mut edits: Vec<&Edit> = edits.into_iter().collect();
    crate::source::order_by_key(&mut edits, |edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut at = 0;
    let mut last = None;
    for edit in edits {
        let range = edit.span.range();
        // Of two insertions at one place nobody knows which comes first.
        if range.start < at || range.start > range.end || last == Some(range.start) {
            return None;
        }
        out.push_str(text.get(at..range.start)?);
        text.get(range.clone())?;
        out.push_str(&edit.text);
        at = range.end;
        last = Some(range.start);
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// A file before and after.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The file as it was.
    pub file: Arc<SourceFile>,
    /// Its text afterwards.
    pub after: String,
}

impl Changed {
    /// Where it lies; none for standard input.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        self.file.path.clone()
    }
}

/// What edits make of the files they speak about, by file. `None` as [`apply`] says.
#[must_use]
pub fn changes(edits: &[Edit], sources: &Sources) -> Option<Vec<Changed>> {
    let mut files: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for edit in edits {
        files.entry(edit.span.file).or_default().push(edit);
    }
    let change = |(id, edits): (FileId, Vec<&Edit>)| {
        let file = sources.get(id);
        let after = apply(&file.text, edits)?;
        Some(Changed { file, after })
    };
    files.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { span: Span::new(FileId(0), start, end), text: text.to_owned() }
    }

    #[test]
    fn edits_are_sorted_and_must_not_overlap() {
        assert_eq!(apply("abcdef", &[edit(4, 5, "E"), edit(0, 1, "")]).as_deref(), Some("bcdEf"));
        assert_eq!(apply("abc", &[edit(1, 1, "-"), edit(3, 3, "!")]).as_deref(), Some("a-bc!"));
        assert_eq!(apply("abc", &[edit(0, 2, "x"), edit(2, 3, "y")]).as_deref(), Some("xy"));
        assert_eq!(apply("abc", &[]).as_deref(), Some("abc"));
        assert_eq!(apply("abc", &[edit(0, 2, "x"), edit(1, 3, "y")]), None);
        assert_eq!(apply("abc", &[edit(1, 1, "x"), edit(1, 1, "y")]), None);
        assert_eq!(apply("abc", &[edit(1, 9, "x")]), None);
        assert_eq!(apply("äb", &[edit(1, 2, "x")]), None);
    }
}
