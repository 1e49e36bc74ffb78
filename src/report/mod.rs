//! One small pure renderer per format over one frozen wire type. Knows nothing about rules' insides.

mod agent;
mod compare;
mod concise;
mod fix;
mod full;
mod github;
mod gitlab;
mod jsonl;
mod junit;
mod markdown;
mod mask;
mod resolve;
mod root;
mod sarif;
mod source;
mod statistics;
mod summary;
mod text;
pub mod wire;

pub use agent::agent;
pub use compare::{Difference, differences, unified};
pub use concise::concise;
pub use fix::diff;
pub use full::{Links, Style, full};
pub use github::github;
pub use gitlab::gitlab;
pub use jsonl::jsonl;
pub use junit::junit;
pub use markdown::markdown;
pub use mask::mask;
pub use resolve::{ResolveOptions, resolve};
pub use root::Root;
pub use sarif::sarif;
pub use summary::summary;

/// Renders a report as JSON.
///
/// # Errors
/// None that the types allow; serde_json's signature wants one.
pub fn json(check: &wire::Check) -> serde_json::Result<String> {
    // Room for all of it: growing would copy it several times.
    let mut text = Vec::with_capacity(1792 * (1 + check.findings.len()));
    serde_json::to_writer_pretty(&mut text, check)?;
    String::from_utf8(text).map_err(serde::ser::Error::custom)
}
