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

    /// Whether it is that string. Looks at its characters only where the length is the same.
    pub(super) fn is(self, other: &str) -> bool {
        self.len() == other.len() && self.get() == other
    }

    /// The order of tables that are searched often: by length, then by name.
    pub(super) fn cmp_by_length(self, other: &str) -> Ordering {
        self.len().cmp(&other.len()).then_with(|| self.get().cmp(other))
    }
}
