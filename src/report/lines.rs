//! JSON over several lines, exactly as [`serde_json::ser::PrettyFormatter`] lays it out. That one writes the indentation of a
//! line blank by blank, which is most of what writing a report costs.

use std::io::{Result, Write};

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::Formatter;

/// What stands between two values, as far as most documents are nested.
const BETWEEN: &[u8] = b",\n                                ";

/// Writes a value in lines behind what is there.
pub(super) fn append(value: &impl Serialize, text: Vec<u8>) -> serde_json::Result<String> {
    let mut writer = serde_json::Serializer::with_formatter(text, Lines::default());
    value.serialize(&mut writer)?;
    String::from_utf8(writer.into_inner()).map_err(serde_json::Error::custom)
}

/// Where in a document the writer is.
#[derive(Default)]
struct Lines {
    depth: usize,
    /// Whether the innermost list or object that was closed last, or is open, holds something.
    filled: bool,
}

impl Lines {
    fn open<W: ?Sized + Write>(&mut self, out: &mut W, sign: &[u8]) -> Result<()> {
        self.depth += 1;
        self.filled = false;
        out.write_all(sign)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, sign: &[u8]) -> Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(out, true)?;
        }
        out.write_all(sign)
    }

    fn line<W: ?Sized + Write>(&self, out: &mut W, first: bool) -> Result<()> {
        let end = 2 + 2 * self.depth;
        out.write_all(&BETWEEN[usize::from(first)..BETWEEN.len().min(end)])?;
        (BETWEEN.len()..end).try_for_each(|_| out.write_all(b" "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
        self.line(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Result<()> {
        self.line(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Result<()> {
        self.filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn lines_as_serde_json_lays_them_out() {
        let mut value = json!({"a": [], "b": {}, "c": [1, [2, {"d": null, "e": [[]]}]], "f": {"g": {"h": "i\n"}}});
        for _ in 0..20 {
            assert_eq!(super::append(&value, Vec::new()).unwrap(), serde_json::to_string_pretty(&value).unwrap());
            value = json!([1, { "a": value }]);
        }
    }
}
