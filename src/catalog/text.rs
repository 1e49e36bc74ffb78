//! Strings of the big tables, by number: see `build/pool.rs`.

use std::cmp::Ordering;

include!(concat!(env!("OUT_DIR"), "/catalog_text.rs"));

/// A string of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) u32);

impl Text {
    /// The string.
    pub(super) fn get(self) -> &'static str {
        let at = (self.0 >> 12) as usize;
        &TEXT[at..at + self.len()]
    }

    /// Its length in bytes.
    pub(super) const fn len(self) -> usize {
        (self.0 & 0xfff) as usize
    }

    fn bytes(self) -> &'static [u8] {
        let at = (self.0 >> 12) as usize;
        &TEXT.as_bytes()[at..at + self.len()]
    }

    /// Whether it is that string. Looks at its characters only where the length is the same.
    pub(super) fn is(self, other: &str) -> bool {
        self.len() == other.len() && self.bytes() == other.as_bytes()
    }

    /// The order of tables that are searched often: by length, then by name.
    pub(super) fn cmp_by_length(self, other: &str) -> Ordering {
        self.len().cmp(&other.len()).then_with(|| self.bytes().cmp(other.as_bytes()))
    }
}
