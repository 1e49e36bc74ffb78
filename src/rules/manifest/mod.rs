//! The manifest: fields, names and files that must fit together.
