//! Typed access to `rules/catalog/`: environment variables and their value grammars, flags by component and version,
//! router modes. Knows nothing about the files being linted.

pub mod flags;
pub mod nccl;
pub mod ucx;
pub mod vars;
