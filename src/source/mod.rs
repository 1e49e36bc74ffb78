//! Files, positions and text with provenance. Knows nothing about YAML.

mod buffers;
mod discover;
mod fact;
mod file;
mod name;
mod order;
mod parallel;
mod pattern;
mod read;
mod span;
mod text;

pub use buffers::{Buffers, normal, without_dots};
pub use discover::{Discovery, Found, WalkOptions, discover, is_ignored};
pub use fact::{Fact, Reason, Spanned};
pub use file::{FileId, LineColumn, SourceFile, Sources};
pub use name::{is_capital_name, is_name, name_len};
pub use order::{order, order_by_key, permutation, set};
pub use parallel::map;
pub use pattern::Pattern;
pub(crate) use read::reason;
pub use read::{Failure, FailureKind, display_name, read, read_bytes, text};
pub use span::{Edit, Span};
pub use text::{Piece, Text};
