//! Files, positions and text with provenance. Knows nothing about YAML.

mod fact;
mod file;
mod span;
mod text;

pub use fact::{Fact, Reason, Spanned};
pub use file::{FileId, LineColumn, SourceFile, Sources};
pub use span::Span;
pub use text::{Piece, Text};
