//! Typed access to `rules/catalog/`: environment variables and their value grammars, flags by component and release,
//! router modes. Knows nothing about the files being linted.
//!
//! All data is static: `build/catalog.rs` turns the data files into sorted slices, a lookup is a binary search.
//! `docs/catalog.md` says where each data file came from.

pub mod crd;
pub mod engine;
pub mod flags;
pub mod json;
pub mod nccl;
pub mod router;
mod scan;
mod text;
pub mod ucx;
pub mod values;
pub mod vars;

mod tables {
    //! The hand-kept tables.
    use super::flags::Leaving;
    use super::json::{JsonRow, Takes};
    use super::router::{Effect, Knob, KnobKind, NameKind, Rename, Scope};
    use super::text::Text;

    include!(concat!(env!("OUT_DIR"), "/catalog_tables.rs"));
}

use std::fmt;

/// A Dynamo release as `(major, minor)`.
pub type Release = (u16, u16);

/// What a value had to look like, and what becomes of the one that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The legal values in words, to stand after "expected".
    pub legal: String,
    /// What to write instead, when that is obvious.
    pub suggestion: Option<String>,
    /// What the reader makes of the value.
    pub reading: Reading,
}

/// What a reader makes of a value outside its grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It refuses the value; what that means depends on the variable.
    Rejected,
    /// It reads something else than is written, without a word: the text is what it reads.
    ReadAs(String),
    /// It drops the value without a word and goes on as if it were unset.
    Ignored,
}

impl Expected {
    fn rejected(legal: impl Into<String>, suggestion: Option<String>) -> Self {
        Self { legal: legal.into(), suggestion, reading: Reading::Rejected }
    }

    /// The same of a reader that keeps its default instead.
    fn ignored(self) -> Self {
        Self { reading: Reading::Ignored, ..self }
    }

    fn read_as(legal: impl Into<String>, suggestion: Option<String>, read: impl Into<String>) -> Self {
        Self { legal: legal.into(), suggestion, reading: Reading::ReadAs(read.into()) }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.legal)
    }
}

/// Whether two words differ by one character too many or too few, or by two neighbours in the wrong order.
#[must_use]
pub fn is_slip(a: &str, b: &str) -> bool {
    let (long, short) = if a.len() >= b.len() { (a.as_bytes(), b.as_bytes()) } else { (b.as_bytes(), a.as_bytes()) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = long.iter().zip(short).take_while(|(x, y)| x == y).count();
    if long.len() > short.len() {
        return long[same + 1..] == short[same..];
    }
    same + 1 < long.len()
        && long[same] == short[same + 1]
        && long[same + 1] == short[same]
        && long[same + 2..] == short[same + 2..]
}

/// The one of `candidates` nearest to `word` by edits (a swap of neighbours is one), if at most `limit` away.
fn nearest_of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, limit: usize) -> Option<&'a str> {
    let near = Near::to(word, limit);
    near.nearest(candidates.into_iter().filter(|c| near.may_be(c)))
}

/// Words that may be a few edits away from one, by what is cheaper to find out than the distance.
struct Near<'a> {
    word: &'a str,
    limit: usize,
    set: u64,
    counts: Letters,
}

impl<'a> Near<'a> {
    fn to(word: &'a str, limit: usize) -> Self {
        Self { word, limit, set: letters(word), counts: Letters::of(word) }
    }

    /// Whether a word may be within the limit, from the cheapest question to the dearest.
    fn may_be(&self, other: &str) -> bool {
        let few = |lost: u64| lost.count_ones() as usize <= self.limit;
        if other.len().abs_diff(self.word.len()) > self.limit {
            return false;
        }
        let set = letters(other);
        few(self.set & !set) && few(set & !self.set) && self.counts.apart(other) <= self.limit
    }

    /// The one nearest to it of those that may be within the limit, if it is.
    fn nearest<'b>(&self, candidates: impl Iterator<Item = &'b str>) -> Option<&'b str> {
        candidates
            .map(|c| (strsim::osa_distance(self.word, c), c))
            .filter(|&(distance, c)| distance <= self.limit && distance < c.len().min(self.word.len()))
            .min()
            .map(|(_, c)| c)
    }
}

/// The letters of a word as a set.
fn letters(word: &str) -> u64 {
    word.bytes().fold(0, |set, byte| set | 1 << (byte & 63))
}

/// How often each letter stands in a word. Letters that one word has and the other lacks must each be edited, so this
/// tells most words apart without measuring a distance.
struct Letters([u8; 64]);

impl Letters {
    fn of(word: &str) -> Self {
        let mut counts = [0u8; 64];
        for byte in word.bytes() {
            let count = &mut counts[usize::from(byte & 63)];
            *count = count.saturating_add(1);
        }
        Self(counts)
    }

    /// A lower bound of the edits between the two.
    fn apart(&self, other: &str) -> usize {
        let other = Self::of(other);
        let (mut more, mut fewer) = (0usize, 0usize);
        for (a, b) in self.0.iter().zip(other.0) {
            more += usize::from(a.saturating_sub(b));
            fewer += usize::from(b.saturating_sub(*a));
        }
        more.max(fewer)
    }
}

/// `a`, `b` or `c`.
fn words(values: &[&str]) -> String {
    match values {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(|v| format!("`{v}`")).collect();
            format!("{} or `{last}`", head.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_counts_a_swap_as_one_and_keeps_its_limit() {
        assert_eq!(nearest_of("UCX_TSL", ["UCX_TLS", "UCX_ACC"], 2), Some("UCX_TLS"));
        assert_eq!(nearest_of("abc", ["xyz"], 2), None);
        assert_eq!(nearest_of("x", ["y"], 2), None, "replacing everything is not a correction");
        assert_eq!(
            nearest_of("tpc", ["tcp", "tp"], 2),
            Some("tcp"),
            "ties go to the smaller name, here both are one away"
        );
    }

    #[test]
    fn a_slip_is_one_character_or_one_swap() {
        assert!(is_slip("--max-model-lenn", "--max-model-len"));
        assert!(is_slip("--max-modle-len", "--max-model-len"));
        assert!(is_slip("--max-model-le", "--max-model-len"));
        assert!(!is_slip("--nsa-decode-backend", "--dsa-decode-backend"));
        assert!(!is_slip("--disable-log-requests", "--enable-log-requests"));
        assert!(!is_slip("--max-model-len", "--max-model-len"));
    }

    #[test]
    fn words_lists_values() {
        assert_eq!(words(&["y"]), "`y`");
        assert_eq!(words(&["y", "n", "try"]), "`y`, `n` or `try`");
    }
}
