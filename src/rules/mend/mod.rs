//! Edits of manifests in the words that rules use: set a variable, give a flag, drop one. Each changes what one service
//! sees and nothing else where the layout allows it; `None` where it is one that cannot be kept. Whether an edit does
//! what it should is proven later, by `fix`.

mod args;
mod env;
mod image;
mod json;
mod layout;
mod repair;

pub use args::{append_words, cut, drop_flag, set_flag};
pub use env::{drop_variables, insert_variable, insert_variables, set_variable};
pub use json::{insert_key, json_quoted};
pub use layout::{moved_out, moved_to};
pub use repair::{complete, complete_files};

use std::sync::Arc;

use crate::source::{SourceFile, Sources, Span};

/// The file that a span points into.
fn file(sources: &Sources, span: Span) -> Arc<SourceFile> {
    sources.get(span.file)
}
