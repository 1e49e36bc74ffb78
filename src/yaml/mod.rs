//! The only YAML reader: a lossless multi-document tree with a byte span on every key, value, comment and alias,
//! scalars typed as the Kubernetes API server types them, explicit limits. Knows nothing about Kubernetes objects.

mod block;
mod node;
mod parse;
mod scalar;

pub use node::{Entry, Key, Kind, Map, Node, Scalar, Style, Typed};

use crate::source::{SourceFile, Sources, Span, Text};

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

/// Reads every document of a file.
#[must_use]
pub fn parse(file: &SourceFile, limits: &Limits) -> Stream {
    parse::stream(file, limits)
}

/// Reads YAML that stands inside a string (an engine config in a ConfigMap), with spans in the file that holds it.
///
/// # Errors
/// When the text is no YAML. What follows a second `---` is left out.
pub fn parse_embedded(text: &Text, limits: &Limits) -> Result<Option<Node>, Problem> {
    let here = text.whole().file;
    let outer = |span: Span| text.slice_span(span.range());
    match parse::single(text.as_str(), here, limits) {
        Ok(node) => Ok(node.map(|n| relocate(&n, text, &outer))),
        Err(problem) => Err(Problem {
            span: outer(problem.span),
            related: problem.related.map(|(span, what)| (outer(span), what)),
            ..problem
        }),
    }
}

/// As [`parse_embedded`], every document of the string; empty ones left out.
///
/// # Errors
/// When one of them is no YAML.
pub fn parse_embedded_all(text: &Text, limits: &Limits) -> Result<Vec<Node>, Problem> {
    let mut out = Vec::new();
    let (value, mut start) = (text.as_str(), 0);
    while start < value.len() {
        let separator = value[start..]
            .match_indices("---")
            .map(|(n, _)| start + n)
            .find(|n| *n == start || value.as_bytes()[n - 1] == b'\n');
        let end = separator.unwrap_or(value.len());
        if let Some(node) = parse_embedded(&text.slice(start..end), limits)? {
            out.push(node);
        }
        let Some(at) = separator else { break };
        start = value[at..].find('\n').map_or(value.len(), |n| at + n + 1);
    }
    Ok(out)
}

/// Moves a tree read out of a string to where that string stands.
fn relocate(node: &Node, text: &Text, outer: &dyn Fn(Span) -> Span) -> Node {
    let kind = match &*node.kind {
        Kind::Scalar(scalar) => {
            let raw = text.as_str().get(node.span.range()).unwrap_or_default();
            let inner = block::trace(scalar, raw, node.span);
            let mut origin = Text::empty(outer(node.span));
            for piece in inner.pieces() {
                let value = &inner.as_str()[piece.at as usize..(piece.at + piece.len) as usize];
                if piece.span.len() == piece.len && text.as_str().get(piece.span.range()) == Some(value) {
                    origin.push_slice(text, piece.span.range());
                } else {
                    origin.push_piece(value, outer(piece.span));
                }
            }
            Kind::Scalar(Scalar { origin: Some(std::sync::Arc::new(origin)), ..scalar.clone() })
        }
        Kind::Seq(items) => Kind::Seq(items.iter().map(|n| relocate(n, text, outer)).collect()),
        Kind::Map(map) => Kind::Map(Map {
            entries: map
                .entries
                .iter()
                .map(|e| Entry {
                    key: Key { name: e.key.name.clone(), span: outer(e.key.span) },
                    value: relocate(&e.value, text, outer),
                    inherited: e.inherited.map(outer),
                })
                .collect(),
        }),
    };
    Node {
        span: outer(node.span),
        alias: node.alias.map(outer),
        anchor: node.anchor.map(outer),
        tag: node.tag.clone(),
        kind: std::sync::Arc::new(kind),
    }
}

/// The value of a scalar with the exact origin of each of its bytes: block scalars line by line, folded ones line by
/// line, quoted ones escape by escape, plain ones run by run. `None` when the node is no scalar.
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
    let raw = file.text.get(node.span.range()).unwrap_or_default();
    Some(block::trace(scalar, raw, node.span))
}
