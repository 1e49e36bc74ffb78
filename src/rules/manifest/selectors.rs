//! Selectors of pods against the pods that the recipe makes.

use crate::finding::Severity;
use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

/// What an object writes of the pods it makes: those of a graph, or of a workload.
pub(super) fn pods(object: &Object) -> impl Iterator<Item = &Node> {
    let graph = object.graph().into_iter().flat_map(|g| &g.components).filter_map(|c| c.pod_spec.as_ref());
    graph.chain(object.workload().map(|w| &w.spec))
}

/// `selector-mismatch`
pub fn selector_mismatch(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        pods(object).for_each(|pod| neighbours(recipe, object, pod, out));
        match object.kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" => own_pods(object, out),
            "Service" => service_pods(recipe, object, out),
            _ => {}
        }
    }
}

/// Pods of a graph beside which a pod has to run, by a name that no graph has.
fn neighbours(recipe: &Recipe, object: &Object, pod: &Node, out: &mut Findings) {
    const LABEL: &str = "nvidia.com/dynamo-graph-deployment-name";
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let listed = |kind: &str, how: &str| {
        let terms = pod.at(&["affinity", kind, how]).into_iter().flat_map(Node::items);
        terms.filter_map(|term| term.get("podAffinityTerm").unwrap_or(term).get("labelSelector")).collect::<Vec<_>>()
    };
    for (kind, how) in ["podAffinity", "podAntiAffinity"].into_iter().flat_map(|k| [(k, REQUIRED), (k, PREFERRED)]) {
        listed(kind, how).into_iter().for_each(|selector| component_label(object, selector, out));
    }
    let required = listed("podAffinity", REQUIRED).into_iter().map(|selector| (selector, true));
    let preferred = listed("podAffinity", PREFERRED).into_iter().map(|selector| (selector, false));
    for (selector, required) in required.chain(preferred) {
        let listed = selector.get("matchExpressions").into_iter().flat_map(Node::items).filter(|item| {
            let text = |field: &str| item.get(field).and_then(Node::as_text);
            (text("key"), text("operator")) == (Some(LABEL), Some("In"))
        });
        let mut names: Vec<&Node> = listed.filter_map(|item| item.get("values")).flat_map(Node::items).collect();
        names.extend(selector.at(&["matchLabels", LABEL]));
        let mut graphs = super::near::recipe_directory(recipe, object.file, "DynamoGraphDeployment");
        graphs.extend(recipe.here.iter().filter(|o| o.kind == "DynamoGraphDeployment"));
        let there = |name: &&Node| {
            name.as_text().is_none_or(|text| {
                text.contains(['$', '<', '{'])
                    || recipe.around.has("DynamoGraphDeployment", text)
                    || graphs.iter().any(|g| g.name == text || g.name.contains(['$', '<', '{']))
            })
        };
        let (Some(first), Some(graph)) = (names.first().filter(|_| !names.iter().any(there)), graphs.first()) else {
            continue;
        };
        out.report(
            first.span,
            format!("no graph of the recipe is called `{}`", first.as_text().unwrap_or_default()),
            match required {
                true => format!("the pod of `{}` has to run beside one of its pods: it stays Pending", object.name),
                false => format!("the pod of `{}` finds none of its pods to run beside", object.name),
            },
        )
        .subject(LABEL)
        .severity(if required { Severity::Error } else { Severity::Warning })
        .label(graph.name_span, "a graph of this recipe")
        .help(format!("write `{}`", graph.name))
        .emit();
    }
}

/// Components of its own graph, by a name that differs in capitals, or that stands under the label of the type.
fn component_label(object: &Object, selector: &Node, out: &mut Findings) {
    let Some(graph) = object.graph() else { return };
    for key in ["nvidia.com/dynamo-component", "nvidia.com/dynamo-component-type"] {
        let Some((node, text)) = selector.at(&["matchLabels", key]).and_then(|n| Some((n, n.as_text()?))) else {
            continue;
        };
        let by_type = key.ends_with("-type");
        let named = graph.components.iter().find(|c| c.name.value.eq_ignore_ascii_case(text));
        let types = ["frontend", "worker", "prefill", "decode", "planner", "epp", "default"];
        let typed = by_type && types.contains(&text);
        let Some(meant) = named.filter(|c| !typed && (by_type || c.name.value != text)) else { continue };
        let (label, help) = match by_type {
            true => ("a name, not a type", "write `nvidia.com/dynamo-component`".to_owned()),
            false => ("capitals count in labels", format!("write `{}`", meant.name.value)),
        };
        out.report(node.span, format!("no pod has the label `{key}: {text}`"), "the affinity is to nobody")
            .subject(key)
            .severity(Severity::Warning)
            .label(meant.name.span, label)
            .help(help)
            .emit();
    }
}

/// A workload must select the pods that it makes: the API server refuses it otherwise.
fn own_pods(object: &Object, out: &mut Findings) {
    let selector = object.node.at(&["spec", "selector", "matchLabels"]);
    let Some(labels) = object.node.at(&["spec", "template", "metadata", "labels"]) else { return };
    for entry in selector.into_iter().flat_map(Node::entries) {
        let wanted = entry.value.as_text();
        let found = labels.get(&entry.key.name).and_then(Node::as_text);
        if wanted == found || [wanted, found].iter().flatten().any(|t| t.contains(['$', '<', '{'])) {
            continue;
        }
        out.report(
            entry.value.span,
            format!("`{}` does not select the pods it makes", object.name),
            match found {
                Some(found) => format!("its pods have `{}: {found}`", entry.key.name),
                None => format!("its pods have no label `{}`", entry.key.name),
            },
        )
        .subject(entry.key.name.to_string())
        .label(labels.span, "labels of the pods")
        .help("give selector and pod template the same labels")
        .emit();
    }
}

/// A Service whose selector nearly fits a workload of the same file, but for a value.
fn service_pods(recipe: &Recipe, service: &Object, out: &mut Findings) {
    let Some(selector) = service.node.at(&["spec", "selector"]).filter(|s| s.entries().next().is_some()) else {
        return;
    };
    // Pods of graphs carry labels of the operator's.
    if selector.entries().any(|e| e.key.name.starts_with("nvidia.com/") || e.key.name.starts_with("grove.io/")) {
        return;
    }
    let pods: Vec<(&Object, &Node)> = recipe
        .here
        .iter()
        .filter_map(|o| {
            let path: &[&str] =
                if o.kind == "Pod" { &["metadata", "labels"] } else { &["spec", "template", "metadata", "labels"] };
            o.workload()?;
            Some((o, o.node.at(path)?))
        })
        .collect();
    let fits = |labels: &Node| {
        selector.entries().all(|e| labels.get(&e.key.name).and_then(Node::as_text) == e.value.as_text())
    };
    if pods.is_empty()
        || pods.iter().any(|(_, labels)| fits(labels))
        || selector.entries().any(|e| e.value.as_text().is_none_or(|t| t.contains(['$', '<', '{'])))
    {
        return;
    }
    // One that has all the keys was meant.
    let Some((meant, labels)) =
        pods.iter().find(|(_, labels)| selector.entries().all(|e| labels.get(&e.key.name).is_some()))
    else {
        return;
    };
    let Some(entry) = selector.entries().find(|e| labels.get(&e.key.name).and_then(Node::as_text) != e.value.as_text())
    else {
        return;
    };
    out.report(
        entry.value.span,
        format!("Service `{}` selects no pod of this file", service.name),
        format!(
            "`{}` makes pods with `{}: {}`",
            meant.name,
            entry.key.name,
            labels.get(&entry.key.name).and_then(Node::as_text).unwrap_or_default()
        ),
    )
    .subject(entry.key.name.to_string())
    .label(labels.span, "labels of the pods")
    .help("select the labels that the pods have")
    .emit();
}
