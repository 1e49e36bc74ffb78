//! The effective configuration of every service, as the operator, Kubernetes, the shell and argparse will make it, with
//! the provenance of each value. Knows nothing about severities.

mod model;
mod recipe;

pub use model::*;
pub use recipe::Recipe;

use crate::manifest::Graph;
use crate::source::Sources;

/// What the manifest cannot tell.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Dynamo version to assume where no image tag or override gives one.
    pub dynamo_version: Option<Version>,
}

/// Resolves one graph in the context of what stands beside it.
#[must_use]
pub fn resolve(_graph: &Graph, _recipe: &std::sync::Arc<Recipe>, _sources: &Sources, _options: &Options) -> Deployment {
    unimplemented!("resolve room")
}
