//! Fixes that prove themselves: edits are tried in memory before they are offered, and undone when they do harm.
//!
//! Stands above the line, like `cli`: it calls the same `lint` as everybody, over buffers that hold the edited files.

mod apply;
mod certify;
mod compose;
mod disk;
mod journal;
mod session;
mod snapshot;
mod write;
#[cfg(test)]
mod write_tests;

pub use apply::{Changed, apply, changes};
pub use certify::{Certificate, Certifier, Refusal, certify_all};
pub use journal::{Recovered, pending, recover};
pub use session::{Applied, Outcome, mend};
pub use write::{Unwritten, write};
