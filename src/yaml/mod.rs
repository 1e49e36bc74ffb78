//! The only YAML reader: a lossless multi-document tree with a byte span on every key, value, comment and alias,
//! scalars typed as the Kubernetes API server types them, explicit limits. Knows nothing about Kubernetes objects.

mod node;

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
pub fn parse(_file: &SourceFile, _limits: &Limits) -> Stream {
    unimplemented!("yaml room")
}

/// Reads YAML that stands inside a string (an engine config in a ConfigMap), with spans in the file that holds it.
/// Scalars of the result have spans in the outer file. `Err` is the first problem.
///
/// # Errors
/// When the text is no YAML or holds more than one document.
pub fn parse_embedded(_text: &Text, _limits: &Limits) -> Result<Option<Node>, Problem> {
    unimplemented!("yaml room")
}

/// The value of a scalar with the exact origin of each of its bytes: block scalars line by line, folded ones line by
/// line, quoted ones escape by escape, plain ones run by run. `None` when the node is no scalar.
#[must_use]
pub fn text(_node: &Node, _sources: &Sources) -> Option<Text> {
    unimplemented!("yaml room")
}
