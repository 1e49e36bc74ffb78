//! `dynlint lsp`

use super::args::Lsp;
use super::{Exit, output};

#[cfg(feature = "lsp")]
pub(super) fn run(_: &Lsp) -> Exit {
    match crate::lsp::stdio() {
        Ok(()) => Exit::Clean,
        Err(message) => {
            output::error(&message);
            Exit::Findings
        }
    }
}

#[cfg(not(feature = "lsp"))]
pub(super) fn run(_: &Lsp) -> Exit {
    output::error("this dynlint was built without its language server; build it with `--features lsp`");
    Exit::Usage
}
