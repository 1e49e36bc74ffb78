//! Strings of the big tables, by number: see `build/pool.rs`.

include!(concat!(env!("OUT_DIR"), "/catalog_text.rs"));

/// A string of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) u32);

impl Text {
    /// The string.
    pub(super) fn get(self) -> &'static str {
        let at = (self.0 >> 12) as usize;
        &TEXT[at..at + (self.0 & 0xfff) as usize]
    }
}
