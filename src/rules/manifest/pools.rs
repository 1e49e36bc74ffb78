//! What selects pods of a graph by label: inference pools, Services, disruption budgets, monitors.

use super::shape::TYPES;
use crate::finding::{Applicability, Edit};
use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::Node;

const TYPE_LABEL: &str = "nvidia.com/dynamo-component-type";

/// Labels that the operator gives to pods.
pub(super) const LABELS: [&str; 7] = [
    TYPE_LABEL,
    "nvidia.com/dynamo-component",
    "nvidia.com/dynamo-component-class",
    "nvidia.com/dynamo-graph-deployment-name",
    "nvidia.com/dynamo-namespace",
    "nvidia.com/dynamo-sub-component-type",
    "nvidia.com/metrics-enabled",
];

/// `pool-selector`
pub fn pool_selector(recipe: &Recipe, out: &mut Findings) {
    for object in recipe
        .here
        .iter()
        .filter(|o| matches!(o.kind.as_str(), "InferencePool" | "PodDisruptionBudget" | "PodMonitor" | "Service"))
    {
        let selector = object.node.at(&["spec", "selector"]);
        let labels = selector.and_then(|s| s.get("matchLabels")).or(selector);
        let dynamo = labels.into_iter().flat_map(Node::entries).any(|e| e.key.name.starts_with("nvidia.com/dynamo"));
        if !dynamo {
            continue;
        }
        if object.kind == "InferencePool" {
            pool_shape(object, out);
        }
        for entry in labels.into_iter().flat_map(Node::entries) {
            let Some(meant) = LABELS.iter().find(|label| crate::catalog::is_slip(&entry.key.name, label)) else {
                continue;
            };
            let message = format!("no pod has a label `{}`", entry.key.name);
            out.report(entry.key.span, message, format!("`{}` selects nothing", object.name))
                .subject(*meant)
                .help(format!("did you mean `{meant}`?"))
                .fix(Applicability::Unsafe, entry.key.span, *meant)
                .emit();
        }
        if let Some(node) = labels.and_then(|l| l.get(TYPE_LABEL))
            && let Some(value) = node.as_text()
            && !TYPES.contains(&value)
            && !value.contains(['$', '<', '{'])
        {
            let lower = value.to_ascii_lowercase();
            let known = TYPES.contains(&lower.as_str());
            let edit = known.then(|| Edit { span: node.span, text: lower.clone() });
            out.report(
                node.span,
                format!("no pod has the label `{TYPE_LABEL}: {value}`"),
                format!("`{}` selects nothing", object.name),
            )
            .subject(TYPE_LABEL)
            .help(if known {
                format!("write `{lower}`")
            } else {
                "write one of `frontend`, `worker`, `prefill`, `decode`, `planner`, `epp`".to_owned()
            })
            .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
            .emit();
        }
        if let Some(labels) = labels.filter(|_| object.kind == "PodMonitor") {
            super::in_front::monitored_port(recipe, object, labels, out);
        }
        if object.kind == "InferencePool" {
            pool_port(&object.node, out);
            picker_of_pool(recipe, object, out);
        }
        if let Some(labels) = labels {
            super::in_front::service_of_graph(recipe, object, labels, out);
        }
    }
}

/// Fields of the pool's other version: `v1alpha2` of the group with `x-k8s.io`, `v1` of the one without
/// (kubernetes-sigs/gateway-api-inference-extension#1354; istio/istio#57295, #57520).
fn pool_shape(pool: &Object, out: &mut Findings) {
    const FIELDS: [[&str; 2]; 3] =
        [["targetPortNumber", "targetPorts"], ["extensionRef", "endpointPickerRef"], ["portNumber", "port"]];
    let now = match pool.group() {
        "inference.networking.k8s.io" => 1,
        "inference.networking.x-k8s.io" => 0,
        _ => return,
    };
    let Some(spec) = pool.node.get("spec") else { return };
    let mut say = |at: Span, field: &str, help: String| {
        out.report(at, format!("`{}` has no `{field}`", pool.api_version), "the API server refuses the pool")
            .subject(field)
            .severity(crate::finding::Severity::Error)
            .help(help)
            .emit();
    };
    for part in [Some(spec), spec.get("endpointPickerRef").filter(|_| now == 1)].into_iter().flatten() {
        for names in FIELDS {
            if let Some(entry) = part.entry(names[1 - now]).filter(|_| part.get(names[now]).is_none()) {
                say(entry.key.span, names[1 - now], format!("write `{}` as that version has it", names[now]));
            }
        }
    }
    let flat = spec.get("selector").filter(|s| s.get("matchLabels").is_none() == (now == 1));
    if let Some(entry) = flat.and_then(|s| s.entries().next()) {
        let help =
            if now == 1 { "put the labels under `matchLabels`" } else { "write the labels without `matchLabels`" };
        say(entry.key.span, &entry.key.name, help.to_owned());
    }
}

/// The Service of the endpoint picker, by a name that is nearly one of the recipe's.
fn picker_of_pool(recipe: &Recipe, pool: &Object, out: &mut Findings) {
    let reference = ["extensionRef", "endpointPickerRef"].iter().find_map(|key| pool.node.at(&["spec", key]));
    let named = reference.and_then(|r| r.get("name"));
    let Some((node, text)) = named.and_then(|n| Some((n, n.as_text()?))) else { return };
    let services = super::near::recipe_directory(recipe, pool.file, "Service");
    if text.contains(['$', '<', '{']) || recipe.around.has("Service", text) {
        return;
    }
    let near = services.iter().find(|s| super::near::typo(&s.name, text) || s.name.strip_suffix("-epp") == Some(text));
    let Some(near) = near else {
        reference.into_iter().for_each(|r| super::in_front::graph_picker(recipe, pool, r, node, text, out));
        return;
    };
    out.report(
        node.span,
        format!("no Service `{text}` in this recipe"),
        "the pool has nobody that picks: requests get 500",
    )
    .subject("extensionRef")
    .label(near.name_span, "this Service")
    .help(format!("write `{}`", near.name))
    .fix(Applicability::Unsafe, node.span, near.name.clone())
    .emit();
}

/// Frontends, sidecars included, listen on 8000.
fn pool_port(pool: &Node, out: &mut Findings) {
    let single = pool.at(&["spec", "targetPortNumber"]);
    let list = pool.at(&["spec", "targetPorts"]).into_iter().flat_map(Node::items).filter_map(|p| p.get("number"));
    for node in single.into_iter().chain(list) {
        let Some(port) = node.as_int().filter(|p| *p != 8000) else { continue };
        out.report(node.span, format!("the pool sends requests to port {port}"), "a Dynamo frontend listens on 8000")
            .subject("targetPortNumber")
            .help("write `8000`, unless the frontends say `--http-port`")
            .emit();
    }
}
