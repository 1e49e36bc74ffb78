//! The only YAML reader: a lossless multi-document tree with a byte span on every key, value, comment and alias,
//! scalars typed as the Kubernetes API server types them, explicit limits. Knows nothing about Kubernetes objects.

pub mod edit;
mod fill;
mod json;
mod merge;
mod message;
mod node;
mod resolve;
mod scan;
mod split;
mod trace;
mod tree;

pub use fill::{Values, fill};
pub use json::{from_json, json};
pub use node::{Entry, Int, Key, Kind, Map, Marks, Node, Scalar, Style, Typed};

use std::sync::Arc;

use crate::source::{SourceFile, Sources, Span, Text};
use resolve::Dialect;
use tree::Place;

/// Upper bounds on what is read. Going over one is a [`Problem`], never an abort.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest file, in bytes.
    pub bytes: usize,
    /// Deepest nesting of mappings and sequences.
    pub depth: usize,
    /// Largest number of nodes once every alias is expanded.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 200, nodes: 1_000_000 }
    }
}

/// What went wrong while reading; the kebab-case name of each is the rule id it is reported under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// `yaml-syntax`: the document is no YAML (for kubectl).
    Syntax,
    /// `not-utf8`
    NotUtf8,
    /// `too-large`
    TooLarge,
    /// `too-deep`
    TooDeep,
    /// `alias-bomb`
    AliasBomb,
    /// `duplicate-key`: the last one wins silently.
    DuplicateKey,
}

/// One problem found while reading a file.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Which kind.
    pub kind: ProblemKind,
    /// What, in lower case without a full stop.
    pub message: String,
    /// Where.
    pub span: Span,
    /// A second place that takes part (the first of two equal keys), with what it is.
    pub related: Option<(Span, String)>,
}

/// A comment, `#` included, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Where it stands.
    pub span: Span,
}

/// One document of a stream.
#[derive(Clone, Debug)]
pub struct Document {
    /// 0-based position in the file, empty documents counted.
    pub index: usize,
    /// The chunk of the file that the document was cut from, separators excluded.
    pub span: Span,
    /// The root node; `None` for a document that is empty, holds only comments, or could not be read.
    pub root: Option<Node>,
}

/// A file as read: what could be read and what could not.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Documents, in order.
    pub documents: Vec<Document>,
    /// All comments, in order.
    pub comments: Vec<Comment>,
    /// Problems, in order.
    pub problems: Vec<Problem>,
}

/// Reads every document of a file, cut apart and typed as `kubectl` does it. What goes wrong in one document is one
/// problem and leaves the others alone.
#[must_use]
pub fn parse(file: &SourceFile, limits: &Limits) -> Stream {
    let mut out = Stream::default();
    let text = &*file.text;
    let span = |from: usize, to: usize| Span::new(file.id, offset(from), offset(to));
    if text.len() > limits.bytes {
        out.problems.push(Problem {
            kind: ProblemKind::TooLarge,
            message: format!("the file has {} bytes, more than the {} that are read", text.len(), limits.bytes),
            span: span(0, 0),
            related: None,
        });
        return out;
    }
    let (lead, chunks) = split::split(text);
    let mut at = lead.start;
    for line in text[lead].split_inclusive('\n') {
        if let Some(sign) = line.find('#') {
            out.comments.push(Comment { span: span(at + sign, at + line.trim_end().len()) });
        }
        at += line.len();
    }
    for (index, chunk) in chunks.into_iter().enumerate() {
        if let Some(comment) = chunk.comment {
            out.comments.push(Comment { span: span(comment.start, comment.end) });
        }
        let mut root = None;
        let body = &text[chunk.range.clone()];
        if let Some(rest) = chunk.misplaced {
            out.problems.push(Problem {
                kind: ProblemKind::Syntax,
                message: MISPLACED.to_owned(),
                span: span(rest.start, rest.end),
                related: None,
            });
        } else if !body.bytes().all(|b| b.is_ascii_whitespace()) {
            let (base, body) =
                body.strip_prefix('\u{feff}').map_or((chunk.range.start, body), |rest| (chunk.range.start + 3, rest));
            let mut read = tree::read(body, Place::File(file.id, base), Dialect::Kubernetes, limits);
            root = read.root;
            out.comments.append(&mut read.comments);
            out.problems.append(&mut read.problems);
        }
        out.documents.push(Document { index, span: span(chunk.range.start, chunk.range.end), root });
    }
    crate::source::order_by_key(&mut out.problems, |problem| problem.span.start);
    out
}

/// Reads YAML that stands inside a string (an engine config in a ConfigMap), with spans in the file that holds it.
/// Scalars are typed as PyYAML does it, since Python is what reads such files: `y` is a string there, `1.0` a float.
/// `None` for a text without content. Of two equal keys the last stands, without a word.
///
/// # Errors
/// The first problem, when the text is no YAML, goes over a limit, or holds more than one document.
pub fn parse_embedded(text: &Text, limits: &Limits) -> Result<Option<Node>, Problem> {
    let text = Arc::new(text.clone());
    let read = tree::read(text.as_str(), Place::Inside(Arc::clone(&text), 0), Dialect::Python, limits);
    if read.more {
        return Err(Problem {
            kind: ProblemKind::Syntax,
            message: "more than one document".to_owned(),
            span: text.whole(),
            related: None,
        });
    }
    single(read)
}

/// Reads every document of a string that `kubectl` or kustomize reads (an inline patch), with spans in the file that
/// holds it; typed as manifests are, empty documents left out.
///
/// # Errors
/// The first problem, when one of them is no YAML or goes over a limit.
pub fn parse_embedded_all(text: &Text, limits: &Limits) -> Result<Vec<Node>, Problem> {
    let text = Arc::new(text.clone());
    let mut out = Vec::new();
    for chunk in split::split(text.as_str()).1 {
        if let Some(rest) = chunk.misplaced {
            return Err(Problem {
                kind: ProblemKind::Syntax,
                message: MISPLACED.to_owned(),
                span: text.slice_span(rest),
                related: None,
            });
        }
        let place = Place::Inside(Arc::clone(&text), chunk.range.start);
        let read = tree::read(&text.as_str()[chunk.range], place, Dialect::Kubernetes, limits);
        out.extend(single(read)?);
    }
    Ok(out)
}

/// The root of what was read, or the first problem that is more than a duplicate key.
fn single(read: tree::Outcome) -> Result<Option<Node>, Problem> {
    match read.problems.into_iter().find(|p| p.kind != ProblemKind::DuplicateKey) {
        Some(problem) => Err(problem),
        None => Ok(read.root),
    }
}

/// The value of a scalar with the exact origin of each of its bytes: block scalars line by line, quoted ones escape by
/// escape, plain ones run by run. The string is always the scalar's value. `None` when the node is no scalar.
#[must_use]
pub fn text(node: &Node, sources: &Sources) -> Option<Text> {
    text_in(node, &sources.get(node.span.file))
}

/// As [`text`], for a node known to stand in that file.
#[must_use]
pub fn text_in(node: &Node, file: &SourceFile) -> Option<Text> {
    let scalar = node.as_scalar()?;
    if let Some(origin) = &scalar.origin {
        return Some(Text::clone(origin));
    }
    Some(trace::in_file(file.id, &file.text, node.span.range(), scalar.style, &scalar.value))
}

const MISPLACED: &str = "nothing but a comment may stand behind `---`";

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
