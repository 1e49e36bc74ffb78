//! Byte offsets to the positions of the protocol and back, in the encoding that the client asked for.

use gen_lsp_types::{Position, PositionEncodingKind, Range};

use crate::source::{SourceFile, Span};

/// In what columns are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes.
    Utf8,
    /// UTF-16 code units: what every client can do, and what counts when nothing is said.
    #[default]
    Utf16,
    /// Unicode scalar values.
    Utf32,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl Encoding {
    /// The cheapest of those that a client offers.
    pub(super) fn negotiate<'a>(offered: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        let has = |name: &str| offered.clone().into_iter().any(|o| o == name);
        match () {
            () if has("utf-8") => Self::Utf8,
            () if has("utf-32") && !has("utf-16") => Self::Utf32,
            () => Self::Utf16,
        }
    }

    pub(super) const fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    const fn width(self, c: char) -> usize {
        match self {
            Self::Utf8 => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
            Self::Utf32 => 1,
        }
    }

    /// Position of a byte. A byte order mark has no width: editors do not show it.
    pub(super) fn position(self, file: &SourceFile, offset: u32) -> Position {
        let line = file.line_of(offset);
        let range = file.line_range(line);
        let mut end = (offset as usize).clamp(range.start, range.end);
        while !file.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = file.text[range.start..end].trim_start_matches(BYTE_ORDER_MARK);
        let column: usize = match self {
            Self::Utf8 => before.len(),
            _ => before.chars().map(|c| self.width(c)).sum(),
        };
        Position::new(number(line), number(column))
    }

    pub(super) fn range(self, file: &SourceFile, span: Span) -> Range {
        Range::new(self.position(file, span.start), self.position(file, span.end.max(span.start)))
    }

    /// Byte offset of a position in a text. A column behind the line's end is the line's end, a line behind the last is
    /// the text's end, a column within a character is the character's start.
    pub(super) fn offset(self, text: &str, position: Position) -> usize {
        let mut start = 0;
        for _ in 0..position.line {
            match memchr::memchr(b'\n', &text.as_bytes()[start..]) {
                Some(at) => start += at + 1,
                None => return text.len(),
            }
        }
        let rest = &text[start..];
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let mut left = position.character as usize;
        let mut at = start;
        for c in line.chars() {
            let width = if c == BYTE_ORDER_MARK && at == 0 { 0 } else { self.width(c) };
            if left < width || (left == 0 && width > 0) {
                break;
            }
            left -= width;
            at += c.len_utf8();
        }
        at
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn the_cheapest_encoding_wins() {
        assert_eq!(Encoding::negotiate([]), Encoding::Utf16);
        assert_eq!(Encoding::negotiate(["utf-16", "utf-8"]), Encoding::Utf8);
        assert_eq!(Encoding::negotiate(["utf-32", "utf-16"]), Encoding::Utf16);
        assert_eq!(Encoding::negotiate(["utf-32"]), Encoding::Utf32);
        assert_eq!(Encoding::negotiate(["utf-7"]), Encoding::Utf16);
    }

    #[test]
    fn every_character_boundary_goes_there_and_back() {
        let text = "\u{feff}a: 🦀é\r\n# çà\nb\n\n𝄞: x";
        let file = Sources::new().add("t".to_owned(), None, text);
        for encoding in [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32] {
            for (at, c) in text.char_indices().filter(|&(_, c)| c != BYTE_ORDER_MARK && c != '\n') {
                let position = encoding.position(&file, u32::try_from(at).unwrap());
                assert_eq!(encoding.offset(text, position), at, "{encoding:?} {c:?}");
            }
        }
        let at = |needle: &str| u32::try_from(text.find(needle).unwrap()).unwrap();
        let columns = |offset: u32| {
            [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32].map(|e| e.position(&file, offset).character)
        };
        assert_eq!(columns(at("é")), [7, 5, 4]);
        assert_eq!(columns(at(": x")), [4, 2, 1]);
    }

    #[test]
    fn positions_outside_are_brought_inside() {
        let text = "ab\r\n🦀\n";
        let offset = |line, character| Encoding::Utf16.offset(text, Position::new(line, character));
        assert_eq!(offset(0, 99), 2, "before the line end");
        assert_eq!(offset(1, 1), 4, "within a character");
        assert_eq!(offset(2, 0), text.len());
        assert_eq!(offset(9, 9), text.len());
    }
}
