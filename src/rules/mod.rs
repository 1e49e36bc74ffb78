//! The engine and one pure function per rule. A rule does no I/O, knows no time and no network.
//!
//! A rule is a page `rules/<family>/<rule-id>.md` and a function `crate::rules::<family>::<rule_id>`; `build/rules.rs`
//! joins them.

pub mod command;
pub mod disagg;
mod engine;
pub mod hygiene;
pub mod interconnect;
pub mod manifest;
pub mod mend;
pub mod page;
mod published;
mod registry;
pub mod router;
mod workload;

pub use engine::{Check, Findings, Judge, Report, Undecided};
#[cfg(feature = "cel")]
pub(crate) use registry::PageText;
pub use registry::{Measured, RULES, Rule, SaidBy, all, families, find, install};
