//! Which object is what, and a DynamoGraphDeployment of either version in one shape. Knows nothing about transports
//! or routing.

mod component;
mod engine_config;
mod graph;
mod image;
mod object;
mod pod;
pub mod quantity;
mod v1alpha1;
mod v1beta1;
mod workload;

pub use component::{
    Component, ComponentType, Container, ContainerField, EnvEntry, EnvFrom, EnvLayer, EnvSource, Graph, GraphKind,
    Mount, Volume, VolumeSource,
};
pub use engine_config::trtllm_configs;
pub use image::Image;
pub use object::{ApiVersion, Object};
pub use workload::Workload;

use crate::source::Spanned;
use crate::yaml::Node;

/// The text of a scalar with its place.
fn spanned(node: &Node) -> Option<Spanned<String>> {
    node.as_text().map(|text| Spanned::new(text.to_owned(), node.span))
}
