//! The engine and one pure function per rule. A rule does no I/O, knows no time and no network.

mod engine;
mod registry;

pub use engine::{Check, Findings, Report, Undecided};
pub use registry::{RULES, Rule, find};
