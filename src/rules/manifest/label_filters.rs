//! Parameters of the endpoint picker's `label-filter`.
//!
//! Source: `deploy/inference-gateway/epp/pkg/plugins/label_filter` (`LabelFilterFactory`).

use super::pools::LABELS;
use crate::finding::{Applicability, Severity};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

const PARAMETERS: [&str; 3] = ["label", "validValues", "allowsNoLabel"];

/// The part of `epp-plugin-reference` that is about what filters are told.
pub(super) fn label_filters(recipe: &Recipe, config: &Node, out: &mut Findings) {
    for plugin in config.get("plugins").into_iter().flat_map(Node::items) {
        let Some(kind) = plugin.get("type").filter(|t| t.as_text() == Some("label-filter")) else { continue };
        let given = plugin.get("parameters");
        let at = plugin.entry("parameters").map_or(kind.span, |entry| entry.key.span);
        let unknown = || given.into_iter().flat_map(Node::entries).filter(|e| !PARAMETERS.contains(&&*e.key.name));
        for name in &PARAMETERS[..2] {
            let value = given.and_then(|given| given.get(name)).filter(|v| !v.is_null());
            if value.is_some_and(|v| v.as_seq().is_none_or(|items| !items.is_empty())) {
                continue;
            }
            // What stands there in its place is where it is to be written.
            let instead = unknown().next().map_or(at, |entry| entry.key.span);
            out.report(
                instead,
                format!("a `label-filter` has no `{name}`"),
                "the endpoint picker refuses its configuration",
            )
            .subject(*name)
            .severity(Severity::Error)
            .help("write `parameters: {label: …, validValues: […]}`")
            .emit();
            return;
        }
        for entry in unknown() {
            let report = out
                .report(
                    entry.key.span,
                    format!("a `label-filter` has no parameter `{}`", entry.key.name),
                    "nobody reads it",
                )
                .subject(&*entry.key.name);
            report.help("the parameters are `label`, `validValues` and `allowsNoLabel`").emit();
        }
        let Some((node, label)) = given.and_then(|given| given.get("label")).and_then(|n| Some((n, n.as_text()?)))
        else {
            continue;
        };
        if let Some(meant) = LABELS.iter().find(|known| crate::catalog::is_slip(label, known)) {
            out.report(node.span, format!("no pod has a label `{label}`"), "the filter keeps none, or all of them")
                .subject(*meant)
                .help(format!("did you mean `{meant}`?"))
                .fix(Applicability::Unsafe, node.span, *meant)
                .emit();
        }
        types_for_names(recipe, node, given, out);
    }
}

/// Types under the label that has the names of components, where none of the recipe is called so: the filter keeps no pod.
fn types_for_names(recipe: &Recipe, label: &Node, given: Option<&Node>, out: &mut Findings) {
    const TYPES: [&str; 3] = ["prefill", "decode", "worker"];
    if label.as_text() != Some("nvidia.com/dynamo-component") {
        return;
    }
    let values = given.and_then(|given| given.get("validValues")).into_iter().flat_map(Node::items);
    let values: Vec<&str> = values.map(|value| value.as_text().unwrap_or_default()).collect();
    let mut names = recipe.here.iter().filter_map(|o| o.graph()).flat_map(|g| &g.components).map(|c| &c.name.value);
    let mut names = names.by_ref().peekable();
    // Without the graph at hand nobody knows what its components are called.
    if names.peek().is_none()
        || !values.iter().all(|v| TYPES.contains(v))
        || names.any(|name| values.contains(&name.as_str()))
    {
        return;
    }
    out.report(label.span, "the filter asks for a component's name, and has a type", "it keeps no pod")
        .subject("nvidia.com/dynamo-component")
        .help("write `nvidia.com/dynamo-component-type`")
        .emit();
}
