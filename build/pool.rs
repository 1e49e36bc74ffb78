//! Text that statics hold by number. A `&str` in a static is 16 bytes of data and 24 bytes of relocation that the loader
//! works off at every start; a number is 4 bytes and needs none.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

/// Strings, each once.
#[derive(Default)]
pub struct Pool {
    text: String,
    known: HashMap<String, u32>,
}

impl Pool {
    /// `Text(n)` for a string: its place in the upper 20 bits, its length in the lower 12.
    pub fn text(&mut self, text: &str) -> String {
        let number = self.known.get(text).copied().unwrap_or_else(|| {
            let at = if text.is_empty() { 0 } else { self.text.len() };
            assert!(at < 1 << 20 && text.len() < 1 << 12, "the catalog has outgrown its numbers: {text}");
            self.text.push_str(text);
            let number = (at << 12 | text.len()) as u32;
            self.known.insert(text.to_owned(), number);
            number
        });
        format!("Text({number})")
    }

    /// The static that the numbers point into.
    pub fn source(&self) -> String {
        format!("static TEXT: &str = {:?};\n", self.text)
    }
}

/// Values of one type, each once, named by their place.
pub struct Distinct<T> {
    values: Vec<T>,
    known: HashMap<T, usize>,
}

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self { values: Vec::new(), known: HashMap::new() }
    }
}

impl<T: Clone + Debug + Eq + Hash> Distinct<T> {
    /// The place of a value.
    pub fn place(&mut self, value: &T) -> usize {
        if let Some(place) = self.known.get(value) {
            return *place;
        }
        self.values.push(value.clone());
        self.known.insert(value.clone(), self.values.len() - 1);
        self.values.len() - 1
    }

    /// The values by place.
    pub fn values(&self) -> &[T] {
        &self.values
    }
}
