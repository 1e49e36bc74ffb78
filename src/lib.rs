//! dynlint: a static-analysis linter for NVIDIA Dynamo recipe manifests.
//!
//! Data flows one way through the house:
//!
//! ```text
//! source → yaml → manifest → command → resolve → rules → finding → report → cli
//! ```
//!
//! A room imports only rooms to its left; `docs/architecture.md` says what each owns.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod catalog;
pub mod cli;
pub mod command;
pub mod config;
#[cfg(feature = "cel")]
pub mod custom;
pub mod finding;
pub mod fix;
pub mod kustomize;
pub mod lint;
#[cfg(feature = "lsp")]
pub mod lsp;
pub mod manifest;
pub mod plan;
pub mod probe;
pub mod report;
pub mod resolve;
pub mod rules;
pub mod source;
pub mod verdict;
pub mod yaml;
