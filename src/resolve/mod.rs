//! The effective configuration of every service, as the operator, Kubernetes, the shell and argparse will make it, with
//! the provenance of each value. Knows nothing about severities.

mod around;
mod cluster;
mod config;
mod env;
mod events;
mod expand;
mod fabric;
mod kv;
mod launch;
mod memo;
mod model;
mod operator;
mod recipe;
mod role;
mod running;
mod service;
mod version;
pub mod wire;

pub use around::Around;
pub use cluster::Cluster;
pub(crate) use config::as_json;
pub use memo::Memo;
pub use model::*;
pub use operator::{Pod, PodRole, Pods};
pub use recipe::Recipe;
pub use running::Running;
pub use version::{aged, dynamo_release, is_dynamo_image, scalar_gpus};

use std::sync::Arc;

use crate::manifest::Graph;
use crate::source::Sources;

/// What the manifest cannot tell.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Dynamo version to assume where no image tag or override gives one.
    pub dynamo_version: Option<Version>,
    /// Network between the nodes, where nothing in the manifest shows one.
    pub fabric: Option<Fabrics>,
    /// The cluster that the manifest will be applied to.
    pub cluster: Cluster,
}

/// Resolves one graph in the context of what stands beside it.
#[must_use]
pub fn resolve(graph: &Arc<Graph>, recipe: &Arc<Recipe>, sources: &Sources, options: &Options) -> Deployment {
    let context = env::Context { graph, recipe, sources, options };
    let mut services: Vec<Service> =
        graph.components.iter().map(|component| service::of(&context, component)).collect();
    // What one service asks for shows that the others could: then nothing is assumed.
    if options.fabric.is_some() && !services.iter().any(|s| s.fabric.may_have_rdma() || s.fabric.channel().is_some()) {
        services.iter_mut().for_each(|service| service.fabric.assumed = options.fabric);
    }
    // What is built from an old release, under a tag of somebody's own, stands beside the others of that release.
    let newest = services.iter().filter_map(Service::version).max();
    let age = if newest.is_none() && aged(graph) { Some(Version::new(0, 6)) } else { newest.filter(|v| v.major == 0) };
    services.iter_mut().for_each(|service| service.age = age);
    Deployment {
        name: graph.object.name.clone(),
        graph: Arc::clone(graph),
        services,
        recipe: Arc::clone(recipe),
        memo: Memo::default(),
        options: options.clone(),
    }
}
