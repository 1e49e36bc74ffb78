//! One small pure renderer per format over one frozen wire type. Knows nothing about rules' insides.

mod concise;
mod fix;
mod full;
mod mask;
mod resolve;
mod source;
mod summary;
pub mod wire;

pub use concise::concise;
pub use fix::diff;
pub use full::{Style, full};
pub use mask::mask;
pub use resolve::{ResolveOptions, resolve};
pub use summary::summary;

/// Renders a report as one line of JSON.
///
/// # Errors
/// None that the types allow; serde_json's signature wants one.
pub fn json(check: &wire::Check) -> serde_json::Result<String> {
    serde_json::to_string_pretty(check)
}
