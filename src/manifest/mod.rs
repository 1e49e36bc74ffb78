//! Which object is what, and a DynamoGraphDeployment of either version in one shape. Knows nothing about transports
//! or routing.

mod component;
mod object;

pub use component::{
    Component, ComponentType, Container, ContainerField, EnvEntry, EnvFrom, EnvLayer, EnvSource, Graph, GraphKind,
    Mount, Volume, VolumeSource,
};
pub use object::{ApiVersion, Object};
