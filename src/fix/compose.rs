//! Edits of an edited text, as edits of the text before.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::finding::Edit;
use crate::source::{FileId, Sources, Span};

/// What a text is made of.
enum Piece {
    /// Bytes of the text before.
    Kept(Range<usize>),
    /// Bytes that an edit wrote.
    Written(String),
}

impl Piece {
    fn len(&self) -> usize {
        match self {
            Self::Kept(range) => range.len(),
            Self::Written(text) => text.len(),
        }
    }

    /// The part of it in front of a byte, and the part behind.
    fn split(self, at: usize) -> (Self, Self) {
        match self {
            Self::Kept(range) => {
                let middle = range.start + at;
                (Self::Kept(range.start..middle), Self::Kept(middle..range.end))
            }
            Self::Written(mut text) => {
                let rest = text.split_off(at);
                (Self::Written(text), Self::Written(rest))
            }
        }
    }
}

/// Where, and what stands there then.
type Change<'e> = (Range<usize>, &'e str);

/// One list of edits of `sources` that does what `first` and then `second` do. The files of `second` are those of
/// `after`, which have the same names. `None` where edits overlap, or a file is not among `sources`.
#[must_use]
pub(super) fn compose(first: &[Edit], second: &[Edit], sources: &Sources, after: &Sources) -> Option<Vec<Edit>> {
    let mut files: BTreeMap<FileId, [Vec<Change<'_>>; 2]> = BTreeMap::new();
    for edit in first {
        files.entry(edit.span.file).or_default()[0].push((edit.span.range(), &edit.text));
    }
    for edit in second {
        let name = &after.get(edit.span.file).name;
        let file = sources.all().iter().find(|file| file.name == *name)?.id;
        files.entry(file).or_default()[1].push((edit.span.range(), &edit.text));
    }
    let mut out = Vec::new();
    for (file, [first, second]) in files {
        let len = sources.get(file).text.len();
        let mut pieces = vec![Piece::Kept(0..len)];
        pieces = edited(pieces, first)?;
        pieces = edited(pieces, second)?;
        out.extend(edits(file, &pieces, len)?);
    }
    Some(out)
}

fn edited(pieces: Vec<Piece>, mut edits: Vec<Change<'_>>) -> Option<Vec<Piece>> {
    crate::source::order_by_key(&mut edits, |(range, _)| (range.start, range.end));
    let mut out = Vec::new();
    let (mut rest, mut at) = (pieces.into_iter(), 0);
    let mut next = rest.next();
    // Moves pieces up to that byte over, or away.
    let mut pass = |until: usize, keep: bool, out: &mut Vec<Piece>| -> Option<()> {
        if until < at {
            return None;
        }
        while at < until {
            let piece = next.take()?;
            let piece = if piece.len() > until - at {
                let (front, back) = piece.split(until - at);
                next = Some(back);
                front
            } else {
                next = rest.next();
                piece
            };
            at += piece.len();
            if keep {
                out.push(piece);
            }
        }
        Some(())
    };
    for (range, text) in edits {
        pass(range.start, true, &mut out)?;
        out.push(Piece::Written(text.to_owned()));
        pass(range.end, false, &mut out)?;
    }
    out.extend(next);
    out.extend(rest);
    Some(out)
}

fn edits(file: FileId, pieces: &[Piece], len: usize) -> Option<Vec<Edit>> {
    let (mut out, mut at, mut text) = (Vec::new(), 0, String::new());
    let mut flush = |at: usize, until: usize, text: &mut String| -> Option<()> {
        if at < until || !text.is_empty() {
            let span = Span::new(file, u32::try_from(at).ok()?, u32::try_from(until).ok()?);
            out.push(Edit { span, text: std::mem::take(text) });
        }
        Some(())
    };
    for piece in pieces.iter().filter(|piece| piece.len() > 0) {
        match piece {
            Piece::Kept(range) => {
                flush(at, range.start, &mut text)?;
                at = range.end;
            }
            Piece::Written(new) => text.push_str(new),
        }
    }
    flush(at, len, &mut text)?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::apply::apply;
    use super::*;

    fn edit(start: u32, end: u32, text: &str) -> Edit {
        Edit { span: Span::new(FileId(0), start, end), text: text.to_owned() }
    }

    fn composed(text: &str, first: &[Edit], second: &[Edit]) -> Option<Vec<Edit>> {
        let (sources, after) = (Sources::new(), Sources::new());
        sources.add("a".to_owned(), None, text.to_owned());
        after.add("a".to_owned(), None, apply(text, first)?);
        compose(first, second, &sources, &after)
    }

    #[test]
    fn two_lists_of_edits_do_what_one_does() {
        let text = "abcdefgh";
        let first = [edit(2, 3, "CCC"), edit(5, 5, "--"), edit(6, 8, "")];
        let once = apply(text, &first).unwrap();
        for start in 0..=u32::try_from(once.len()).unwrap() {
            for end in start..=u32::try_from(once.len()).unwrap() {
                for new in ["", "xy"] {
                    let second = [edit(start, end, new)];
                    let wanted = apply(&once, &second).unwrap();
                    let edits = composed(text, &first, &second).unwrap();
                    assert_eq!(apply(text, &edits).as_deref(), Some(&*wanted), "{start}..{end} {new:?}: {edits:?}");
                }
            }
        }
        assert_eq!(composed(text, &[edit(1, 1, "x")], &[edit(2, 2, "y")]), Some(vec![edit(1, 1, "xy")]));
    }
}
