//! Placeholders of a template filled in: what `envsubst` does to the text, done to the tree, so that everything keeps
//! the place where it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Entry, Key, Kind, Limits, Map, Node, Scalar, Stream, Style, Typed, parse_embedded_all, text_in};
use crate::source::{SourceFile, Text, is_name};

/// Values for placeholders: `${NAME}` and `$NAME` as `envsubst` takes them, and `<NAME>`. Names that are not here stay
/// as they are: nothing is guessed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Sets one; the last one given wins.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// Sets all of another.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `NAME=value` lines as `.env` files and shells write them: comments, `export`, quotes; one line a variable.
    ///
    /// # Errors
    /// The 1-based line that is none of that, and what is wrong with it.
    pub fn read(&mut self, text: &str) -> Result<(), (usize, String)> {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
            let Some((name, value)) = line.split_once('=') else {
                return Err((at + 1, format!("`{line}` is no `NAME=value`")));
            };
            if !is_name(name) {
                return Err((at + 1, format!("`{name}` is no name of a variable")));
            }
            let value =
                unquoted(value.trim()).ok_or_else(|| (at + 1, "a quote is not closed on its line".to_owned()))?;
            self.set(name, value);
        }
        Ok(())
    }

    /// The first placeholder of a text that has a value: its range, and the value.
    fn find(&self, text: &str) -> Option<(std::ops::Range<usize>, &str)> {
        let bytes = text.as_bytes();
        memchr::memchr2_iter(b'$', b'<', bytes).find_map(|at| {
            let rest = &text[at + 1..];
            let (name, len) = if bytes[at] == b'<' {
                let end = close(rest, b'>')?;
                (&rest[..end], end + 2)
            } else if let Some(inner) = rest.strip_prefix('{') {
                let end = close(inner, b'}')?;
                (&inner[..end], end + 3)
            } else {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                (&rest[..end], end + 1)
            };
            let value = self.0.get(name)?;
            Some((at..at + len, value.as_str()))
        })
    }

    /// The text with its placeholders filled, each filled part standing for its placeholder; none when it has none.
    fn fill(&self, text: &Text) -> Option<Text> {
        let mut out: Option<Text> = None;
        let mut done = 0;
        while let Some((found, value)) = self.find(&text[done..]) {
            let (start, end) = (done + found.start, done + found.end);
            let out = out.get_or_insert_with(|| Text::empty(text.whole()));
            out.push_slice(text, done..start);
            out.push_piece(value, text.slice_span(start..end));
            done = end;
        }
        if let Some(out) = &mut out {
            out.push_slice(text, done..text.len());
        }
        out
    }
}

/// Where a placeholder's name ends; names are short.
fn close(text: &str, bracket: u8) -> Option<usize> {
    text.bytes().take(128).position(|b| b == bracket)
}

/// A value without its quotes; `None` when one is not closed. What stands behind a closing quote, or behind a blank and
/// `#`, is a comment.
fn unquoted(value: &str) -> Option<String> {
    if let Some(rest) = value.strip_prefix('\'') {
        return rest.split_once('\'').map(|(inner, _)| inner.to_owned());
    }
    if let Some(rest) = value.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = rest.chars();
        loop {
            match chars.next()? {
                '"' => return Some(out),
                '\\' => match chars.next()? {
                    escaped @ ('"' | '\\' | '$' | '`') => out.push(escaped),
                    other => out.extend(['\\', other]),
                },
                other => out.push(other),
            }
        }
    }
    Some(value.split(" #").next().unwrap_or_default().trim_end().to_owned())
}

/// Fills the placeholders of every document. A scalar without quotes may become something else than a string, as it
/// would when the text is filled before it is read: a number, or the list or mapping that a value spells in JSON.
pub fn fill(stream: &mut Stream, file: &SourceFile, values: &Values, limits: &Limits) {
    if values.is_empty() || values.find(&file.text).is_none() {
        return;
    }
    for document in &mut stream.documents {
        if let Some(root) = &document.root {
            document.root = filled(root, file, values, limits).or_else(|| document.root.clone());
        }
    }
}

/// The node filled; none when nothing in it changes.
fn filled(node: &Node, file: &SourceFile, values: &Values, limits: &Limits) -> Option<Node> {
    let kind = match &*node.kind {
        Kind::Map(map) => {
            let mut changed = false;
            let entries = map
                .entries
                .iter()
                .map(|entry| {
                    let key = values.fill(&Text::opaque(&*entry.key.name, entry.key.span));
                    let value = filled(&entry.value, file, values, limits);
                    changed |= key.is_some() || value.is_some();
                    Entry {
                        key: key.map_or_else(
                            || entry.key.clone(),
                            |name| Key { name: Arc::from(name.as_str()), span: entry.key.span },
                        ),
                        value: value.unwrap_or_else(|| entry.value.clone()),
                        inherited: entry.inherited,
                    }
                })
                .collect();
            changed.then_some(Kind::Map(Map { entries }))
        }
        Kind::Seq(items) => {
            let mut changed = false;
            let items = items
                .iter()
                .map(|item| {
                    let next = filled(item, file, values, limits);
                    changed |= next.is_some();
                    next.unwrap_or_else(|| item.clone())
                })
                .collect();
            changed.then_some(Kind::Seq(items))
        }
        Kind::Scalar(scalar) => {
            values.find(&scalar.value)?;
            let text = values.fill(&text_in(node, file)?)?;
            if scalar.style == Style::Plain
                && let Ok([one]) = parse_embedded_all(&text, limits).as_deref()
            {
                return Some(Node { span: node.span, kind: Arc::clone(&one.kind), ..node.clone() });
            }
            let value = Arc::from(text.as_str());
            Some(Kind::Scalar(Scalar { value, style: scalar.style, typed: Typed::Str, origin: Some(Arc::new(text)) }))
        }
    };
    kind.map(|kind| Node { kind: Arc::new(kind), ..node.clone() })
}

#[cfg(test)]
mod tests {
    use super::super::{json, parse};
    use super::*;
    use crate::source::Sources;

    fn values(list: &[(&str, &str)]) -> Values {
        let mut values = Values::default();
        list.iter().for_each(|(name, value)| values.set(*name, *value));
        values
    }

    #[test]
    fn what_envsubst_does() {
        let sources = Sources::new();
        let text = "image: ${REG}/x:$TAG\nreplicas: ${N}\nquoted: \"${N}\"\nselector: ${SEL}\n${KEY}: 1\nopen: ${OTHER} $REGX \
                    <your-name> <other>\nscript: |\n  run --n $N \\\n    --m \"${M:-x}\"\n";
        let file = sources.add("t.yaml".to_owned(), None, text);
        let mut stream = parse(&file, &Limits::default());
        let values = values(&[
            ("REG", "nvcr.io"),
            ("TAG", "1.2"),
            ("N", "3"),
            ("SEL", "{\"a\":\"b\"}"),
            ("KEY", "key"),
            ("your-name", "me"),
            ("M", "no"),
        ]);
        fill(&mut stream, &file, &values, &Limits::default());
        let root = stream.documents[0].root.as_ref().expect("a root");
        assert_eq!(
            json(root),
            serde_json::json!({
                "image": "nvcr.io/x:1.2", "replicas": 3, "quoted": "3", "selector": {"a": "b"}, "key": 1,
                "open": "${OTHER} $REGX me <other>", "script": "run --n 3 \\\n  --m \"${M:-x}\"\n",
            })
        );
        // Each part stands where it is written.
        let image = super::super::text(root.get("image").expect("an image"), &sources).expect("a scalar");
        assert_eq!(&file.text[image.slice_span(0..7).range()], "${REG}");
        assert_eq!(&file.text[image.slice_span(7..9).range()], "/x");
        assert_eq!(&file.text[root.get("selector").expect("it").span.range()], "${SEL}");
    }

    #[test]
    fn env_files() {
        let mut values = Values::default();
        let text =
            "# a comment\n\nexport A='{\"x\": 1}' # why\nB=plain value # why\nC=\"a \\\"b\\\" \\n\"\nD=\nA2=$B\n";
        assert_eq!(values.read(text), Ok(()));
        for (name, value) in [("A", "{\"x\": 1}"), ("B", "plain value"), ("C", "a \"b\" \\n"), ("D", ""), ("A2", "$B")]
        {
            assert_eq!(values.0.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(values.read("A=1\nnothing\n").expect_err("no assignment").0, 2);
        assert_eq!(values.read("A='1\n").expect_err("open").0, 1);
        assert_eq!(values.read("1A=1\n").expect_err("no name").0, 1);
    }

    #[test]
    fn without_a_placeholder_nothing_is_touched() {
        let sources = Sources::new();
        let file = sources.add("t.yaml".to_owned(), None, "a: $B\nc: {d: <e>}\n");
        let mut stream = parse(&file, &Limits::default());
        let before = stream.documents[0].root.clone().expect("a root");
        fill(&mut stream, &file, &values(&[("X", "1")]), &Limits::default());
        assert!(Arc::ptr_eq(&before.kind, &stream.documents[0].root.as_ref().expect("a root").kind));
    }
}
