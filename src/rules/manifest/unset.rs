//! Variables that are named and given nothing.

use rustc_hash::FxHashSet;

use crate::manifest::{EnvEntry, EnvSource};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::Span;

/// `variable-without-value`
pub fn variable_without_value(recipe: &Recipe, out: &mut Findings) {
    // A list behind an anchor is written once.
    let mut said = FxHashSet::default();
    for (owner, container) in workload::containers(recipe) {
        for (_, entry) in &container.env {
            report(owner, entry, &mut said, out);
        }
    }
    for graph in recipe.here.iter().filter_map(|object| object.graph()) {
        for entry in &graph.env {
            report(&graph.object.name, entry, &mut said, out);
        }
    }
}

fn report(owner: &str, entry: &EnvEntry, said: &mut FxHashSet<Span>, out: &mut Findings) {
    // What stands beside the name under another key is somebody else's to tell.
    let alone = entry.node.entries().all(|e| matches!(&*e.key.name, "name" | "value"));
    if !matches!(entry.source, EnvSource::Value(None)) || !alone || !said.insert(entry.name.span) {
        return;
    }
    let name = &entry.name.value;
    out.report(
        entry.name.span,
        format!("`{name}` of `{owner}` has no value"),
        "Kubernetes sets it to the empty string: nothing is taken over from where the manifest is applied",
    )
    .subject(name.clone())
    .help("give it a `value` or `valueFrom`, or `value: \"\"` where the empty string is meant")
    .emit();
}
