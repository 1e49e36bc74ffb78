//! The language server, `dynlint lsp`: the same engine as `dynlint check`, over unsaved buffers.
//!
//! One thread reads messages, one linter thread lints, the main loop owns all state. A change is linted on a snapshot of
//! the buffers; what comes back for a state that is no longer current is dropped. Trees of files that did not change
//! come from a [`crate::lint::Cache`], and only the `units::Unit` of the changed file is linted: its directory, or the
//! directories that kustomizations join to it.

mod actions;
mod analysis;
mod capabilities;
mod complete;
mod cursor;
mod diagnostics;
mod documents;
mod goto;
mod hover;
mod meaning;
mod outline;
mod position;
mod requests;
mod server;
mod settings;
mod state;
mod transport;
mod typed;
mod units;
mod view;
mod words;

use std::sync::mpsc::channel;

use lsp_server::Connection;

/// Serves one client on standard input and output until it says goodbye.
///
/// # Errors
/// When the client goes away without saying so.
pub fn stdio() -> Result<(), String> {
    let (send, receive) = channel();
    let (out, messages) = channel();
    let events = send.clone();
    std::thread::spawn(move || transport::read(std::io::stdin().lock(), &events));
    let writer = std::thread::spawn(move || transport::write(std::io::stdout().lock(), &messages));
    let result = server::run((send, receive), out);
    // What was said last still has to go out; the reader may wait for a client that says nothing more.
    let _ = writer.join();
    result
}

/// Serves one client over a connection until it says goodbye.
///
/// # Errors
/// When the client goes away without saying so.
pub fn serve(connection: Connection) -> Result<(), String> {
    let (events, out) = server::connect(connection);
    server::run(events, out)
}
