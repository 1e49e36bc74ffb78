//! Writing ignores into a file, without changing what it means.

use std::collections::{BTreeMap, BTreeSet};

use super::lines_of;
use super::scan::MARK;
use crate::source::{SourceFile, Sources, Span};
use crate::yaml::{self, Kind, Limits, Node, Stream, Style};

/// A finding that is to be silenced.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its rule.
    pub rule: &'a str,
    /// Its primary label.
    pub span: Span,
}

/// The text of the file with an ignore for each of the findings: as a comment on a line of its own above the line that
/// it speaks about. Where a comment would become part of a value, it stands above the key; where there is no such place,
/// it speaks for the whole file, from its top.
#[must_use]
pub fn write(file: &SourceFile, stream: &Stream, wanted: &[Wanted<'_>], reason: &str, limits: &Limits) -> String {
    let mut lines: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    let mut whole: BTreeSet<&str> = BTreeSet::new();
    for finding in wanted {
        let free = lines_of(file, stream, finding.span).into_iter().find(|line| is_free(file, stream, *line));
        match free {
            Some(line) => lines.entry(line).or_default().insert(finding.rule),
            None => whole.insert(finding.rule),
        };
    }
    let text = put(file, &lines, &whole, reason);
    if !lines.is_empty() && !same_meaning(file, stream, &text, limits) {
        // No place was known to go wrong; this is the net below.
        let whole = wanted.iter().map(|finding| finding.rule).collect();
        return put(file, &BTreeMap::new(), &whole, reason);
    }
    text
}

fn put(file: &SourceFile, lines: &BTreeMap<usize, BTreeSet<&str>>, whole: &BTreeSet<&str>, reason: &str) -> String {
    let end = if file.text.contains("\r\n") { "\r\n" } else { "\n" };
    let comment = |verb: &str, rules: &BTreeSet<&str>| {
        let rules: Vec<&str> = rules.iter().copied().collect();
        format!("# {MARK} {verb}[{}] {reason}{end}", rules.join(", "))
    };
    let mut out = String::with_capacity(file.text.len() + 80 * (lines.len() + 1));
    let mut done = 0;
    if !whole.is_empty() {
        // A byte order mark stays first.
        done = file.text.len() - file.text.trim_start_matches('\u{feff}').len();
        out.push_str(&file.text[..done]);
        out.push_str(&comment("ignore-file", whole));
    }
    for (line, rules) in lines {
        let range = file.line_range(*line);
        out.push_str(&file.text[done..range.start.max(done)]);
        done = range.start.max(done);
        let text = file.text[range].trim_start_matches('\u{feff}');
        let indent = &text[..text.len() - text.trim_start_matches(' ').len()];
        out.push_str(indent);
        out.push_str(&comment("ignore", rules));
    }
    out.push_str(&file.text[done..]);
    out
}

/// Whether a comment may stand on a line of its own above that line: not within a value of several lines, and not
/// within brackets.
fn is_free(file: &SourceFile, stream: &Stream, line: usize) -> bool {
    let at = u32::try_from(file.line_range(line).start).unwrap_or(u32::MAX);
    // A byte order mark must stay first.
    let mark = at == 0 && file.text.starts_with('\u{feff}');
    let mut roots = stream.documents.iter().filter_map(|d| d.root.as_ref());
    !mark && roots.all(|root| !is_within(file, root, at))
}

fn is_within(file: &SourceFile, node: &Node, at: u32) -> bool {
    if node.alias().is_some() || !(node.span.start < at && at < node.span.end) {
        return false;
    }
    let flow = file.text.as_bytes().get(node.span.start as usize).is_some_and(|b| matches!(b, b'[' | b'{'));
    match &*node.kind {
        Kind::Scalar(_) => true,
        _ if flow => true,
        Kind::Seq(items) => items.iter().any(|item| is_within(file, item, at)),
        Kind::Map(map) => map.entries.iter().any(|e| e.inherited.is_none() && is_within(file, &e.value, at)),
    }
}

/// Whether the new text holds the same documents.
fn same_meaning(file: &SourceFile, stream: &Stream, text: &str, limits: &Limits) -> bool {
    let sources = Sources::new();
    let new = sources.add(file.name.clone(), None, text);
    let new = yaml::parse(&new, limits);
    let roots = |stream: &Stream| -> Vec<Option<Node>> { stream.documents.iter().map(|d| d.root.clone()).collect() };
    let (old, new_roots) = (roots(stream), roots(&new));
    stream.problems.len() == new.problems.len()
        && old.len() == new_roots.len()
        && old.iter().zip(&new_roots).all(|pair| match pair {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => true,
            _ => false,
        })
}

fn same(a: &Node, b: &Node) -> bool {
    let block = |style: Style| matches!(style, Style::Literal | Style::Folded);
    match (&*a.kind, &*b.kind) {
        (Kind::Scalar(a), Kind::Scalar(b)) => {
            a.value == b.value && a.typed == b.typed && block(a.style) == block(b.style)
        }
        (Kind::Seq(a), Kind::Seq(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Kind::Map(a), Kind::Map(b)) => {
            a.entries.len() == b.entries.len()
                && a.entries.iter().zip(&b.entries).all(|(a, b)| a.key.name == b.key.name && same(&a.value, &b.value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, words: &[&str]) -> String {
        let sources = Sources::new();
        let file = sources.add("a.yaml".to_owned(), None, text);
        let stream = yaml::parse(&file, &Limits::default());
        let wanted: Vec<Wanted<'_>> = words
            .iter()
            .map(|word| {
                let at = u32::try_from(text.find(word).unwrap()).unwrap();
                Wanted { rule: "r", span: Span::new(file.id, at, at + 1) }
            })
            .collect();
        let out = write(&file, &stream, &wanted, "why", &Limits::default());
        assert!(same_meaning(&file, &stream, &out, &Limits::default()), "{out}");
        out
    }

    #[test]
    fn above_the_line_with_its_indent() {
        assert_eq!(
            written("env:\n  - name: A\n    value: x\n  - name: B\n    value: y\n", &["x", "y"]),
            "env:\n  - name: A\n    # dynlint: ignore[r] why\n    value: x\n  - name: B\n    # dynlint: ignore[r] why\n    value: y\n"
        );
        assert_eq!(written("a: 1\r\nb: 2\r\n", &["b"]), "a: 1\r\n# dynlint: ignore[r] why\r\nb: 2\r\n");
    }

    #[test]
    fn above_the_key_of_a_script_and_of_brackets() {
        assert_eq!(
            written("a:\n  - |\n    run \\\n      --x\nb: 1\n", &["--x"]),
            "a:\n  # dynlint: ignore[r] why\n  - |\n    run \\\n      --x\nb: 1\n"
        );
        assert_eq!(
            written("a:\n  args: [\n    x,\n    y]\n", &["y"]),
            "a:\n  # dynlint: ignore[r] why\n  args: [\n    x,\n    y]\n"
        );
        assert_eq!(written("s: >-\n  one\n  two\n", &["two"]), "# dynlint: ignore[r] why\ns: >-\n  one\n  two\n");
    }

    #[test]
    fn for_the_whole_file_where_there_is_no_other_place() {
        assert_eq!(written("\u{feff}a: x\n", &["x"]), "\u{feff}# dynlint: ignore-file[r] why\na: x\n");
    }
}
