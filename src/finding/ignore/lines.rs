//! On which lines an ignore speaks about a finding.

use super::scan::holds;
use crate::source::{SourceFile, Span};
use crate::yaml::{Kind, Node, Stream, Style};

/// The 0-based lines on which (or above which) an ignore silences what is said about `span`, the nearest first:
///
/// - the line on which it starts;
/// - within a value of several lines (a script, a config): the line on which the command starts that goes on here
///   (`\` at line ends), the line of `|`, and the line of the key;
/// - within an entry of a list of variables (`name` with `value` or `valueFrom`): the first line of that entry;
/// - within brackets or braces over several lines: the line on which the outermost of them opens, and its key;
/// - for all of a value: the line of its key.
#[must_use]
pub fn lines_of(file: &SourceFile, stream: &Stream, span: Span) -> Vec<usize> {
    let mut lines = vec![file.line_of(span.start)];
    let root = stream.documents.iter().filter_map(|d| d.root.as_ref()).find(|root| holds(root.span, span.start));
    if let Some(root) = root {
        descend(file, root, None, false, span, &mut lines);
    }
    let mut seen = std::collections::HashSet::new();
    lines.retain(|line| seen.insert(*line));
    lines
}

fn descend(file: &SourceFile, node: &Node, key: Option<Span>, in_flow: bool, span: Span, lines: &mut Vec<usize>) {
    if node.alias().is_some() || !holds(node.span, span.start) {
        return;
    }
    let line = |at: u32| file.line_of(at);
    let start = line(node.span.start);
    let above = |lines: &mut Vec<usize>| {
        lines.push(start);
        lines.extend(key.map(|key| line(key.start)));
    };
    if node.span == span {
        above(lines);
    }
    let several = line(node.span.end.max(node.span.start + 1) - 1) > start;
    let flow = file.text.as_bytes().get(node.span.start as usize).is_some_and(|b| matches!(b, b'[' | b'{'));
    match &*node.kind {
        Kind::Scalar(scalar) => {
            if matches!(scalar.style, Style::Literal | Style::Folded) {
                lines.push(command_start(file, start, lines[0]));
            }
            above(lines);
        }
        Kind::Seq(items) => {
            if flow && several && !in_flow {
                above(lines);
            }
            for item in items.iter().filter(|item| holds(item.span, span.start)) {
                if item.get("name").is_some() && (item.get("value").is_some() || item.get("valueFrom").is_some()) {
                    lines.push(line(item.span.start));
                }
                descend(file, item, None, in_flow || flow, span, lines);
            }
        }
        Kind::Map(map) => {
            if flow && several && !in_flow {
                above(lines);
            }
            for entry in map.entries.iter().filter(|entry| entry.inherited.is_none()) {
                descend(file, &entry.value, Some(entry.key.span), in_flow || flow, span, lines);
            }
        }
    }
}

/// The line on which the command starts that line `at` goes on with; `header` is the line of the block's `|`.
fn command_start(file: &SourceFile, header: usize, at: usize) -> usize {
    let goes_on = |line: usize| file.text[file.line_range(line)].trim_end().ends_with('\\');
    let mut line = at;
    while line > header + 1 && goes_on(line - 1) {
        line -= 1;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use crate::yaml::{self, Limits};

    /// Lines, from 1, for the place of `word`.
    fn lines(text: &str, word: &str) -> Vec<usize> {
        let sources = Sources::new();
        let file = sources.add("a.yaml".to_owned(), None, text);
        let stream = yaml::parse(&file, &Limits::default());
        assert!(stream.problems.is_empty(), "{:?}", stream.problems);
        let at = u32::try_from(text.find(word).unwrap()).unwrap();
        let span = Span::new(file.id, at, at + u32::try_from(word.len()).unwrap());
        lines_of(&file, &stream, span).into_iter().map(|line| line + 1).collect()
    }

    #[test]
    fn values_entries_and_keys() {
        assert_eq!(lines("a:\n  b: x\n", "x"), [2]);
        assert_eq!(lines("env:\n  - name: A\n    value: x\n", "x"), [3, 2]);
        assert_eq!(lines("list:\n  - name: main\n    image: x\n", "x"), [3]);
        assert_eq!(lines("a:\n  - x\n  - y\n", "- x\n  - y"), [2, 1]);
        assert_eq!(lines("a: \"one\n  x\"\n", "x"), [2, 1]);
    }

    #[test]
    fn scripts() {
        let text = "args:\n  - |\n    set -e\n    exec python3 \\\n      --flag \\\n      --bad\n    done\n";
        assert_eq!(lines(text, "--bad"), [6, 4, 2]);
        assert_eq!(lines(text, "set"), [3, 2]);
        assert_eq!(lines("key:\n  script:\n    |\n    bad\n", "bad"), [4, 3, 2]);
    }

    #[test]
    fn brackets() {
        assert_eq!(lines("a:\n  - args: [\n      x,\n      [y]\n    ]\n", "y"), [4, 2]);
        assert_eq!(lines("args: [x, y]\n", "y"), [1]);
    }
}
