//! The YAML reader: against real files, generated documents, other parsers, and hostile input.

#[path = "yaml/corpus.rs"]
mod corpus;
#[path = "yaml/support.rs"]
mod support;
