//! What a probe saw a service run with: decides what the manifest leaves open.

use std::collections::BTreeMap;

use super::{Env, EnvVar, Layer, Setting};
use crate::manifest::{Component, Graph};
use crate::source::{Fact, Text};

/// Variables of running processes, by deployment and service. Empty unless a probe has looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running(BTreeMap<(String, String), BTreeMap<String, String>>);

impl Running {
    /// Adds what a service of a deployment runs with: the variables that steer transport and routing, all of them.
    pub fn add(&mut self, deployment: &str, service: &str, env: BTreeMap<String, String>) {
        self.0.insert((deployment.to_owned(), service.to_owned()), env);
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Settles what of an environment is open: values that cannot be known are what they are in the process, and what the
    /// process has and nobody sets comes from the image. What the manifest says stays as it says it.
    pub(super) fn decide(&self, graph: &Graph, component: &Component, env: &mut Env) {
        if self.0.is_empty() {
            return;
        }
        let at = component.name.span;
        let Some(seen) = self.0.get(&(graph.object.name.clone(), component.name.value.clone())) else { return };
        for (name, value) in seen {
            match env.place(name) {
                Ok(found) => {
                    let winner = &mut env.vars[found].chain[0];
                    if matches!(winner.value, Fact::Dynamic(_)) {
                        winner.value = Fact::Known(Text::opaque(value.as_str(), winner.span.unwrap_or(at)));
                    }
                }
                Err(place) => {
                    let value = Fact::Known(Text::opaque(value.as_str(), at));
                    let setting = Setting { layer: Layer::Image, value, name_span: None, span: None, entry_span: None };
                    env.insert(place, EnvVar { name: name.clone(), chain: vec![setting] });
                }
            }
        }
        // Whatever else sets variables: those that count were all seen.
        env.open = None;
    }
}
