//! A string whose every byte knows where in which file it came from.
//!
//! One value passes through many hands before a process sees it: a YAML block scalar, `$(VAR)` expansion by the
//! kubelet, words of a shell, JSON inside a word. [`Text`] keeps the way back, so that a label can point at one key of
//! that JSON in the manifest.

use ecow::EcoString;
use smallvec::{SmallVec, smallvec};

use super::Span;

/// A run of bytes of a [`Text`] and where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// First byte of the run in the text.
    pub at: u32,
    /// Length of the run in the text, in bytes.
    pub len: u32,
    /// Where it came from. When its length equals `len`, byte `k` of the run is byte `k` of the span; otherwise (an
    /// escape, a fold, an expansion without a source) the whole run stands for the whole span.
    pub span: Span,
}

/// A string with provenance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Words are short and pass through many hands: neither a short one nor a copy costs an allocation.
    value: EcoString,
    /// Most texts are one run, which then needs no place of its own in memory.
    pieces: SmallVec<[Piece; 1]>,
    whole: Span,
}

impl Text {
    /// A text none of whose bytes can be told apart: all map to `span` (or byte by byte when the lengths agree).
    #[must_use]
    pub fn opaque(value: impl Into<EcoString>, span: Span) -> Self {
        let value = value.into();
        let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        Self { value, pieces: smallvec![Piece { at: 0, len, span }], whole: span }
    }

    /// A text of runs: how many bytes of the value each has, and what they stand for. Together they have all of its bytes.
    #[must_use]
    pub fn of_runs(value: &str, runs: impl IntoIterator<Item = (usize, Span)>, whole: Span) -> Self {
        let mut out = Self { value: value.into(), pieces: SmallVec::new(), whole };
        let mut at = 0;
        for (len, span) in runs.into_iter().filter(|(len, _)| *len > 0) {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            out.account(at, len, span);
            at += len;
        }
        debug_assert_eq!(at as usize, value.len());
        out
    }

    /// An empty text at `span`, to be filled with [`Text::push`].
    #[must_use]
    pub fn empty(span: Span) -> Self {
        Self { value: EcoString::new(), pieces: SmallVec::new(), whole: span }
    }

    /// The string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// Span of the whole node, quotes and indicators included.
    #[must_use]
    pub const fn whole(&self) -> Span {
        self.whole
    }

    /// Span of the content: from the first to the last byte that has a source in the whole's file.
    #[must_use]
    pub fn span(&self) -> Span {
        self.slice_span(0..self.value.len())
    }

    /// Span of a byte range of the string.
    #[must_use]
    pub fn slice_span(&self, range: std::ops::Range<usize>) -> Span {
        let (start, end) = (range.start as u32, range.end as u32);
        let mut found: Option<Span> = None;
        for piece in self.pieces_from(start) {
            if piece.at > end {
                break;
            }
            let (from, to) = (piece.at.max(start), (piece.at + piece.len).min(end));
            let touches =
                from < to || (start == end && piece.at <= start && start <= piece.at + piece.len && found.is_none());
            if !touches {
                continue;
            }
            let span = if piece.span.len() == piece.len {
                let to = to.max(from);
                Span::new(piece.span.file, piece.span.start + (from - piece.at), piece.span.start + (to - piece.at))
            } else {
                piece.span
            };
            found = Some(found.map_or(span, |have| have.to(span)));
        }
        found.unwrap_or(self.whole)
    }

    /// A part of the text, with its provenance.
    #[must_use]
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        let mut out = Self::empty(self.slice_span(range.clone()));
        out.push_slice(self, range);
        out
    }

    /// Appends a part of another text.
    pub fn push_slice(&mut self, other: &Self, range: std::ops::Range<usize>) {
        let (start, end) = (range.start as u32, range.end as u32);
        for piece in other.pieces_from(start) {
            if piece.at >= end {
                break;
            }
            let (from, to) = (piece.at.max(start), (piece.at + piece.len).min(end));
            if from >= to {
                continue;
            }
            let span = if piece.span.len() == piece.len {
                Span::new(piece.span.file, piece.span.start + (from - piece.at), piece.span.start + (to - piece.at))
            } else {
                piece.span
            };
            self.push_piece(&other.value[from as usize..to as usize], span);
        }
    }

    /// Appends a whole other text.
    pub fn push(&mut self, other: &Self) {
        self.push_slice(other, 0..other.value.len());
    }

    /// Appends a string that stands for `span`.
    pub fn push_piece(&mut self, value: &str, span: Span) {
        if value.is_empty() {
            return;
        }
        let at = u32::try_from(self.value.len()).unwrap_or(u32::MAX);
        let len = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.value.push_str(value);
        self.account(at, len, span);
    }

    /// Says what the bytes behind those that are accounted for stand for.
    fn account(&mut self, at: u32, len: u32, span: Span) {
        if let Some(last) = self.pieces.last_mut()
            && last.span.file == span.file
            && last.span.end == span.start
            && last.span.len() == last.len
            && span.len() == len
        {
            last.len += len;
            last.span.end = span.end;
            return;
        }
        self.pieces.push(Piece { at, len, span });
    }

    /// The pieces from the first on that ends at `start` or behind it.
    fn pieces_from(&self, start: u32) -> &[Piece] {
        &self.pieces[self.pieces.partition_point(|piece| piece.at + piece.len < start)..]
    }

    /// The pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

impl std::ops::Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.value
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.value)
    }
}
