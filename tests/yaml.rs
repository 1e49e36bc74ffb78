//! The YAML reader: against real files, generated documents, other parsers, and hostile input.

mod common;
#[path = "yaml/corpus.rs"]
mod corpus;
#[path = "yaml/differential.rs"]
mod differential;
#[path = "yaml/edge.rs"]
mod edge;
#[path = "yaml/generated.rs"]
mod generated;
#[path = "yaml/hostile.rs"]
mod hostile;
#[path = "yaml/kubectl.rs"]
mod kubectl;
#[path = "yaml/model.rs"]
mod model;
#[path = "yaml/support.rs"]
mod support;
