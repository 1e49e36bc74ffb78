//! One small pure renderer per format over one frozen wire type. Knows nothing about rules' insides.

mod resolve;

pub use resolve::{ResolveOptions, resolve};
