//! Where directives stand in a file.

use std::ops::Range;

use super::directive::{Directive, Fault, Known, Verb, parse};
use crate::source::{SourceFile, Span};
use crate::yaml::{Kind, Node, Stream, Style};

/// What every directive starts with, behind its `#`.
pub const MARK: &str = "dynlint:";

/// What a file says.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Directives, in order.
    pub(super) directives: Vec<Directive>,
    /// Of each, the 0-based lines that it speaks about.
    pub(super) covers: Vec<Range<usize>>,
    /// What is wrong with them.
    pub(super) faults: Vec<Fault>,
}

/// Whether a file may hold a directive: cheap, and no for nearly every file.
#[must_use]
pub fn mentions(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), MARK.as_bytes()).is_some()
}

/// The directives of a file: in YAML comments, and in comments of what stands in block scalars (scripts, configs).
#[must_use]
pub fn scan(file: &SourceFile, stream: &Stream, known: Known<'_>) -> Scanned {
    let mut out = Scanned::default();
    let mut open: Vec<usize> = Vec::new();
    for hit in memchr::memmem::find_iter(file.text.as_bytes(), MARK.as_bytes()) {
        let Some((comment, block)) = comment_at(file, stream, hit) else { continue };
        let text = &file.text[comment.clone()];
        let Some(mut directive) = parse(text, file.id, comment.start, known, &mut out.faults) else { continue };
        let line = file.line_of(directive.span.start);
        directive.own_line = file.text[file.line_range(line).start..comment.start].trim().is_empty();
        directive.removable = block != Some(Style::Folded);
        let covers = match directive.verb {
            Verb::Line if directive.own_line => next_line(file, line),
            Verb::Line => line..line + 1,
            Verb::File => 0..usize::MAX,
            Verb::Start => {
                open.push(out.directives.len());
                line..usize::MAX
            }
            Verb::End => {
                let names = names_of(&directive);
                let at = open.iter().rposition(|&i| names.is_empty() || names_of(&out.directives[i]) == names);
                match at.map(|at| open.remove(at)) {
                    Some(start) => {
                        directive.ends = Some(out.directives[start].span);
                        out.covers[start].end = line;
                    }
                    None => out.faults.push(Fault {
                        span: directive.span,
                        message: "this `ignore-end` closes nothing".to_owned(),
                        label: "no open `ignore-start` of these rules stands above".to_owned(),
                        help: "remove it, or write the `ignore-start` that it belongs to".to_owned(),
                        instead: None,
                    }),
                }
                0..0
            }
        };
        out.directives.push(directive);
        out.covers.push(covers);
    }
    for start in open {
        out.faults.push(Fault {
            span: out.directives[start].span,
            message: "this `ignore-start` is never closed".to_owned(),
            label: "silences all the rest of the file".to_owned(),
            help: "write `# dynlint: ignore-end` below, or `ignore-file` if the whole file is meant".to_owned(),
            instead: None,
        });
    }
    out
}

fn names_of(directive: &Directive) -> Vec<&str> {
    directive.rules.iter().flatten().map(|name| name.text.as_str()).collect()
}

/// The line that a comment on a line of its own speaks about: the next one that is more than a comment.
fn next_line(file: &SourceFile, line: usize) -> Range<usize> {
    let speaks = |line: &usize| {
        let text = file.text[file.line_range(*line)].trim_start();
        !(text.is_empty() || text.starts_with('#'))
    };
    (line + 1..file.line_count()).find(speaks).map_or(0..0, |line| line..line + 1)
}

/// The comment whose directive's mark stands at `hit`: from its `#` to its end, and the style of the block scalar that
/// it stands in.
fn comment_at(file: &SourceFile, stream: &Stream, hit: usize) -> Option<(Range<usize>, Option<Style>)> {
    let text = &*file.text;
    let line = file.line_range(file.line_of(u32::try_from(hit).ok()?));
    // Right before the mark stands the sign, and before that nothing that would make it part of a word.
    let sign = line.start + text[line.start..hit].trim_end_matches([' ', '\t']).strip_suffix('#')?.len();
    let after = stream.comments.partition_point(|c| c.span.start as usize <= hit);
    let comment = after.checked_sub(1).map(|i| stream.comments[i].span.range());
    if let Some(comment) = comment.filter(|c| c.start <= sign && hit < c.end) {
        return Some((sign..sign + text[sign..comment.end].trim_end().len(), None));
    }
    if !text[line.start..sign].chars().next_back().is_none_or(char::is_whitespace) {
        return None;
    }
    let root = stream.documents.iter().filter_map(|d| d.root.as_ref());
    let style = root.filter_map(|root| block_at(root, u32::try_from(hit).ok()?)).next()?;
    Some((sign..sign + text[sign..line.end].trim_end().len(), Some(style)))
}

/// The style of the block scalar that holds byte `at`.
fn block_at(node: &Node, at: u32) -> Option<Style> {
    if node.alias().is_some() || !holds(node.span, at) {
        return None;
    }
    match &*node.kind {
        Kind::Scalar(scalar) => matches!(scalar.style, Style::Literal | Style::Folded).then_some(scalar.style),
        Kind::Seq(items) => items.iter().find_map(|item| block_at(item, at)),
        Kind::Map(map) => {
            map.entries.iter().filter(|e| e.inherited.is_none()).find_map(|entry| block_at(&entry.value, at))
        }
    }
}

pub(super) const fn holds(span: Span, at: u32) -> bool {
    span.start <= at && (at < span.end || (span.start == span.end && at == span.start))
}
