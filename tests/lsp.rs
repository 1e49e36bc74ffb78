//! The language server over an in-memory connection, as a client sees it.
#![cfg(feature = "lsp")]

#[path = "lsp/client.rs"]
mod client;
#[path = "lsp/diagnostics.rs"]
mod diagnostics;
#[path = "lsp/features.rs"]
mod features;
#[path = "lsp/layers.rs"]
mod layers;
#[cfg(feature = "cel")]
#[path = "lsp/own.rs"]
mod own;
#[path = "lsp/protocol.rs"]
mod protocol;
