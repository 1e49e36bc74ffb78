//! One open document as a request looks at it: its text, its unit's run, and how to speak about places.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{Location, Position, Range, Uri};

use super::analysis::Analysis;
use super::documents::{Documents, path_of};
use super::position::Encoding;
use super::state::State;
use crate::resolve::Deployment;
use crate::source::{SourceFile, Span};

/// A document with what is known about it.
pub(super) struct View<'a> {
    pub(super) path: PathBuf,
    pub(super) file: Arc<SourceFile>,
    pub(super) analysis: &'a Analysis,
    pub(super) documents: &'a Documents,
    pub(super) encoding: Encoding,
    pub(super) roots: &'a [PathBuf],
}

impl<'a> View<'a> {
    /// None for what is not open, is no file, or could not be read.
    pub(super) fn of(state: &'a mut State, uri: &Uri) -> Option<Self> {
        let path = path_of(uri)?;
        state.documents.get(&path)?;
        state.analysis(&path);
        let key = state.unit(&path).key.clone();
        let state: &'a State = state;
        let analysis = state.made(&key)?;
        let file = analysis.file(&path, &state.documents.get(&path)?.text)?;
        Some(Self { path, file, analysis, documents: &state.documents, encoding: state.encoding, roots: state.roots() })
    }

    pub(super) fn deployments(&self) -> &'a [Deployment] {
        self.analysis.deployments()
    }

    /// Byte offset of a position.
    pub(super) fn offset(&self, position: Position) -> u32 {
        u32::try_from(self.encoding.offset(&self.file.text, position)).unwrap_or(u32::MAX)
    }

    /// Whether a span stands in this document.
    pub(super) fn has(&self, span: Span) -> bool {
        span.file == self.file.id
    }

    /// Whether a span covers a place of this document; its end counts as part of it.
    pub(super) fn covers(&self, span: Span, offset: u32) -> bool {
        self.has(span) && span.start <= offset && offset <= span.end
    }

    /// Range of a span of this document.
    pub(super) fn range(&self, span: Span) -> Range {
        self.encoding.range(&self.file, span)
    }

    /// Where a span stands, whichever file it is in.
    pub(super) fn location(&self, span: Span) -> Option<Location> {
        let file = self.analysis.sources().get(span.file);
        let uri = self.documents.uri(file.path.as_deref()?)?;
        Some(Location { uri, range: self.encoding.range(&file, span) })
    }

    /// A place in words: `deploy.yaml:12`, as short as it can be told apart, and a link to it.
    pub(super) fn place(&self, span: Span) -> String {
        let file = self.analysis.sources().get(span.file);
        let line = file.line_column(span.start).line;
        let Some(path) = file.path.as_deref() else { return format!("{}:{line}", file.name) };
        let name = self.name(path);
        match self.documents.uri(path) {
            Some(uri) => format!("[{name}:{line}]({uri}#L{line})"),
            None => format!("{name}:{line}"),
        }
    }

    /// The same without the link.
    pub(super) fn plain_place(&self, span: Span) -> String {
        let file = self.analysis.sources().get(span.file);
        let name = file.path.as_deref().map_or_else(|| file.name.clone(), |path| self.name(path));
        format!("{name}:{}", file.line_column(span.start).line)
    }

    fn name(&self, path: &Path) -> String {
        let beside = path.parent() == self.path.parent();
        let short = if beside { path.file_name().map(Path::new) } else { None };
        let root = || self.roots.iter().find_map(|root| path.strip_prefix(root).ok());
        short.or_else(root).unwrap_or(path).to_string_lossy().into_owned()
    }
}
