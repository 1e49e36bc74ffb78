//! What stands in front of a graph: inference pools, endpoint pickers.

use super::shape::TYPES;
use crate::finding::{Applicability, Edit, Severity};
use crate::manifest::{Container, EnvEntry, Object};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::{FileId, Span};
use crate::yaml::Node;
use crate::yaml::edit::{New, append_item, insert_entry};

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

/// Blocks of another size than those of the workers, which all say the same.
fn picker_blocks(recipe: &Recipe, object: &Object, container: &Container, out: &mut Findings) {
    let size = |text: &str| text.trim().parse::<u32>().ok();
    let Some(word) = workload::env(container, recipe, "DYNAMO_KV_BLOCK_SIZE") else { return };
    let Some(own) = word.as_known().and_then(size) else { return };
    let graphs = super::near::recipe_directory(recipe, object.file, "DynamoGraphDeployment");
    let mut said: Option<(u32, Span)> = None;
    for graph in &graphs {
        let Some(read) = graph.graph() else { return };
        for c in &read.components {
            let words: Vec<&str> =
                workload::words(&c.main).filter_map(Node::as_text).flat_map(str::split_whitespace).collect();
            let Some(sizes) = super::benchmark_model::given(&words, "--block-size", &c.main, read) else { return };
            for text in sizes {
                let Some(number) = size(&text) else { return };
                if number == own || said.is_some_and(|(other, _)| other != number) {
                    return;
                }
                said = Some((number, c.name.span));
            }
        }
    }
    let Some((number, at)) = said else { return };
    out.report(
        word.span(),
        format!("the endpoint picker of `{}` counts in blocks of {own} tokens, its workers in {number}", object.name),
        "no hash of a prompt meets one of the workers': it never finds a cached prefix",
    )
    .subject("DYNAMO_KV_BLOCK_SIZE")
    .label(at, format!("`--block-size {number}`"))
    .help(format!("write `{number}`"))
    .fix(Applicability::Unsafe, word.span(), number.to_string())
    .emit();
}

/// `epp-model-env`
pub fn epp_model_env(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(|o| o.kind == "Deployment") {
        for container in object.workload().into_iter().flat_map(|w| &w.containers) {
            picker_blocks(recipe, object, container, out);
            let has = |name: &str| container.env.iter().find(|(_, e)| e.name.value == name).map(|(_, e)| e);
            let (Some(namespace), Some(_)) = (has("DYNAMO_NAMESPACE"), has("DYNAMO_KV_BLOCK_SIZE")) else { continue };
            if has("DYNAMO_MODEL").is_some() || !container.env_from.is_empty() {
                continue;
            }
            out.report(
                namespace.name.span,
                format!("the endpoint picker of `{}` is not told which model it picks for", object.name),
                "no `DYNAMO_MODEL`: the plugin falls back to `Qwen/Qwen3-0.6B`",
            )
            .subject("DYNAMO_MODEL")
            .help("add `DYNAMO_MODEL` with the name that the workers serve")
            .mend(Applicability::Unsafe, told_model(recipe, object.file, container, namespace))
            .emit();
        }
    }
}

/// The variable with the name that the graphs of the recipe serve, behind the one that says their namespace.
fn told_model(recipe: &Recipe, file: FileId, container: &Container, behind: &EnvEntry) -> Option<Vec<Edit>> {
    let graphs = super::near::recipe_directory(recipe, file, "DynamoGraphDeployment");
    let name = super::benchmark_model::only_served(&graphs)?;
    let list = container.node.as_ref()?.get("env").filter(|list| list.alias().is_none())?;
    let items = list.as_seq()?;
    let upto = items.iter().position(|item| item.span == behind.node.span)? + 1;
    let source = recipe.sources.get(items[upto - 1].span.file);
    Some(vec![append_item(&items[..upto], list.span, &source, &[New::env("DYNAMO_MODEL", &name)])?])
}

/// What an object writes of the pods it makes: those of a graph, or of a workload.
fn pods(object: &Object) -> impl Iterator<Item = &Node> {
    let graph = object.graph().into_iter().flat_map(|g| &g.components).filter_map(|c| c.pod_spec.as_ref());
    graph.chain(object.workload().map(|w| &w.spec))
}

/// Nodes of one cluster that a pod asks for, or keeps away from, by name.
fn nodes_by_name(object: &Object, pod: &Node, out: &mut Findings) {
    const LABEL: &str = "kubernetes.io/hostname";
    let terms =
        pod.at(&["affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"]);
    let listed = terms.into_iter().flat_map(Node::items).filter_map(|term| term.get("matchExpressions"));
    let listed = listed.flat_map(Node::items).filter(|item| item.get("key").and_then(Node::as_text) == Some(LABEL));
    let listed = listed.filter_map(|item| item.get("values")).flat_map(Node::items);
    let named = listed.chain(pod.at(&["nodeSelector", LABEL])).chain(pod.get("nodeName"));
    for name in
        named.filter(|name| name.as_text().is_some_and(|t| !t.is_empty() && !t.contains(['$', '<', '{']))).take(1)
    {
        out.report(
            name.span,
            format!("`{}` is bound to the nodes of one cluster", object.name),
            "no other cluster has a node of that name",
        )
        .subject(LABEL)
        .help("select nodes by what they have, e.g. `nvidia.com/gpu.product`")
        .emit();
    }
}

/// `discovery-hard-coded`
pub fn discovery_hard_coded(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        pods(object).for_each(|pod| nodes_by_name(object, pod, out));
        let containers: Vec<&Container> = match object.graph() {
            Some(graph) => graph.components.iter().map(|c| &c.main).collect(),
            None => object.workload().into_iter().flat_map(|w| &w.containers).collect(),
        };
        for container in containers {
            let value = |name: &str| {
                container.env.iter().find(|(_, e)| e.name.value == name).and_then(|(_, e)| match &e.source {
                    crate::manifest::EnvSource::Value(Some(node)) => Some(node),
                    _ => None,
                })
            };
            let etcd = value("DYN_DISCOVERY_BACKEND").filter(|n| n.as_text() == Some("etcd"));
            let (Some(etcd), Some(endpoint)) = (etcd, value("ETCD_ENDPOINTS")) else { continue };
            let Some(host) =
                endpoint.as_text().map(|t| t.trim_start_matches("http://").split(['.', ':']).next().unwrap_or(t))
            else {
                continue;
            };
            // The recipe brings its own.
            if recipe.around.has("Service", host) {
                continue;
            }
            out.report(
                endpoint.span,
                format!("`{}` looks for etcd at the address of one cluster", object.name),
                "the platform installs no etcd by default: elsewhere the process finds nobody and exits",
            )
            .subject("ETCD_ENDPOINTS")
            .label(etcd.span, "forces etcd")
            .help("drop both: the operator sets up discovery, `kubernetes` by default")
            .emit();
        }
    }
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

/// `route-backend-missing`
pub fn route_backend_missing(recipe: &Recipe, out: &mut Findings) {
    super::in_front::routes(recipe, out);
    super::in_front::picker_host(recipe, out);
    for route in recipe.here.iter().filter(|o| o.kind == "HTTPRoute") {
        let rules = route.node.at(&["spec", "rules"]);
        for backend in
            rules.into_iter().flat_map(Node::items).filter_map(|r| r.get("backendRefs")).flat_map(Node::items)
        {
            let kind = backend.get("kind").and_then(Node::as_text).unwrap_or("Service");
            let Some(name) = backend.get("name") else { continue };
            let Some(text) = name.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { continue };
            if kind != "InferencePool" {
                wrong_kind(recipe, route, backend, kind, out);
                continue;
            }
            let near = super::near::recipe_directory(recipe, route.file, "InferencePool");
            let group = backend.get("group").and_then(Node::as_text).unwrap_or_default();
            let there: Vec<_> = near.iter().filter(|pool| pool.name == text).collect();
            let elsewhere = !group.contains(['$', '<', '{']) && there.iter().all(|pool| pool.group() != group);
            let other = there.first().filter(|_| elsewhere);
            if group.is_empty() || other.is_some() {
                let at = backend.get("group").or(backend.get("kind")).map_or(name.span, |node| node.span);
                let message = match group {
                    "" => "the core group has no kind `InferencePool`".to_owned(),
                    _ => format!("the pool `{text}` is of another group"),
                };
                out.report(at, message, "the route has no backend: requests get 500")
                    .subject("group")
                    .label_opt(other.map(|pool| pool.name_span), "this pool")
                    .help(format!(
                        "write `group: {}`",
                        other.map_or("inference.networking.k8s.io", |pool| pool.group())
                    ))
                    .emit();
                continue;
            }
            let graphs = super::near::recipe_directory(recipe, route.file, "DynamoGraphDeployment");
            let made = near.iter().map(|o| o.name.clone()).chain(graphs.iter().map(|g| format!("{}-pool", g.name)));
            let made: Vec<String> = made.collect();
            if near.is_empty() && group == "inference.networking.x-k8s.io" && made.iter().any(|m| m == text) {
                let at = backend.get("group").map_or(name.span, |node| node.span);
                let message = format!("the pool `{text}` that the operator makes is of another group");
                out.report(at, message, "the route has no backend: requests get 500")
                    .subject("group")
                    .help("write `group: inference.networking.k8s.io`")
                    .emit();
                continue;
            }
            if made.is_empty() || made.iter().any(|m| m == text) {
                continue;
            }
            out.report(
                name.span,
                format!("no InferencePool `{text}` in this recipe"),
                "the route has no backend: requests get 500",
            )
            .subject("backendRefs")
            .help(format!("write {}", made.iter().take(4).map(|m| format!("`{m}`")).collect::<Vec<_>>().join(" or ")))
            .emit();
        }
    }
}

/// Plugin configurations of endpoint pickers in a file: inline in a graph, or as text in a ConfigMap.
/// A pool that a route names as another kind.
fn wrong_kind(recipe: &Recipe, route: &Object, backend: &Node, kind: &str, out: &mut Findings) {
    let pool = || {
        let (name, port) = (backend.get("name")?, backend.get("kind"));
        let graphs = super::near::recipe_directory(recipe, route.file, "DynamoGraphDeployment");
        let pools = super::near::recipe_directory(recipe, route.file, "InferencePool");
        let text = name.as_text()?;
        let picked = |g: &&Object| {
            g.graph()
                .is_some_and(|g| g.components.iter().any(|c| c.component_type == crate::manifest::ComponentType::Epp))
        };
        let graphs: Vec<&Object> = graphs.into_iter().filter(picked).collect();
        let made = graphs.iter().any(|g| text.strip_suffix("-pool") == Some(g.name.as_str()))
            || pools.iter().any(|p| p.name == text);
        let service = !recipe.around.has("Service", text) && recipe.find("Service", text).is_none();
        (kind == "Service" && made && service).then(|| port.unwrap_or(name).span)
    };
    let slip = kind.eq_ignore_ascii_case("InferencePool") || crate::catalog::is_slip(kind, "InferencePool");
    let at = if slip { backend.get("kind").map(|node| node.span) } else { pool() };
    let Some(at) = at else { return };
    out.report(
        at,
        "the backend is an inference pool, and is not named as one",
        "the route has no backend: requests get 500",
    )
    .subject("kind")
    .help("write `group: inference.networking.k8s.io` and `kind: InferencePool`")
    .emit();
}

fn picker_configs(recipe: &Recipe) -> Vec<Node> {
    let mut found = Vec::new();
    for object in &recipe.here {
        if let Some(graph) = object.graph() {
            let inline = graph.components.iter().filter_map(|c| c.epp_config.as_ref()?.get("config").cloned());
            found.extend(inline);
        } else if object.kind == "ConfigMap" {
            let texts = object.node.get("data").into_iter().flat_map(Node::entries).map(|e| &e.value);
            for text in texts.filter(|n| n.as_text().is_some_and(|t| t.contains("schedulingProfiles"))) {
                let parsed = recipe.text(text).map(|text| recipe.embedded(&text));
                found.extend(parsed.and_then(|parsed| parsed.as_ref().as_ref().ok()?.clone()));
            }
        }
    }
    found
}

/// The weight that a reference lacks.
fn weight(reference: &Node, recipe: &Recipe) -> Option<Edit> {
    let key = reference.entry("pluginRef")?.key.span;
    let one = New::Plain("1".to_owned());
    insert_entry(reference, &recipe.sources.get(key.file), "weight", &one, Some("pluginRef"))
}

/// Types of plugins that Dynamo's picker registers (`deploy/inference-gateway/epp/cmd/epp/main.go`) and those of the gateway
/// API's that people use with it; for near misses only.
const PLUGINS: [&str; 13] = [
    "disagg-profile-handler",
    "dyn-decode-scorer",
    "dyn-kv-scorer",
    "dyn-prefill-scorer",
    "kv-cache-utilization-scorer",
    "label-filter",
    "lora-affinity-scorer",
    "max-score-picker",
    "prefix-cache-scorer",
    "queue-scorer",
    "random-picker",
    "single-profile-handler",
    "weighted-random-picker",
];

/// Who runs the profiles: nobody, one that takes a single profile, or Dynamo's, which runs `prefill` and `decode` only
/// (`Pick` in `epp/pkg/plugins/disagg/profile_handler.go`; of the gateway API's loader `no profile handler was specified`).
fn profile_handler(config: &Node, out: &mut Findings) {
    let types = || config.get("plugins").into_iter().flat_map(Node::items).filter_map(|p| p.get("type"));
    let profiles: Vec<&Node> =
        config.get("schedulingProfiles").into_iter().flat_map(Node::items).filter_map(|p| p.get("name")).collect();
    let handler = types().find(|kind| kind.as_text().is_some_and(|t| t.contains("handler")));
    let refused = "the endpoint picker refuses its configuration";
    let (at, message, label, help) = match (handler, handler.and_then(Node::as_text)) {
        (None, _) if profiles.len() > 1 => {
            let Some(first) = types().next() else { return };
            (
                first.span,
                "several profiles, and no plugin that chooses between them".to_owned(),
                refused,
                "add a plugin of `type: disagg-profile-handler`",
            )
        }
        (Some(kind), Some("single-profile-handler")) if profiles.len() > 1 => (
            kind.span,
            format!("`single-profile-handler` beside {} profiles", profiles.len()),
            refused,
            "write `disagg-profile-handler`",
        ),
        (Some(_), Some("disagg-profile-handler")) => {
            let other = |name: &&&Node| name.as_text().is_some_and(|t| !matches!(t, "prefill" | "decode"));
            let Some(name) = profiles.iter().find(other) else { return };
            (
                name.span,
                format!("nothing runs the profile `{}`", name.as_text().unwrap_or_default()),
                "`disagg-profile-handler` runs `prefill`, then `decode`: without one of them that role is picked by nobody",
                "call it `prefill` or `decode`",
            )
        }
        _ => return,
    };
    out.report(at, message, label).subject("schedulingProfiles").help(help).emit();
}

/// A second picker in a profile (`AddPlugins` of the gateway API's scheduler: `already have a registered picker plugin`).
fn second_picker(config: &Node, out: &mut Findings) {
    let plugins = || config.get("plugins").into_iter().flat_map(Node::items);
    let called = |p: &Node, name: &str| {
        p.get("name").filter(|n| !n.is_null()).or_else(|| p.get("type")).and_then(Node::as_text) == Some(name)
    };
    let picks = |name: &str| {
        let plugin = plugins().find(|p| called(p, name));
        plugin.and_then(|p| p.get("type")?.as_text()).is_some_and(|kind| kind.ends_with("-picker"))
    };
    for profile in config.get("schedulingProfiles").into_iter().flat_map(Node::items) {
        let references = profile.get("plugins").into_iter().flat_map(Node::items).filter_map(|r| r.get("pluginRef"));
        let mut pickers = references.filter(|node| node.as_text().is_some_and(picks));
        let (Some(first), Some(second)) = (pickers.next(), pickers.next()) else { continue };
        out.report(second.span, "a profile has one picker at most", "the endpoint picker refuses its configuration")
            .subject("pluginRef")
            .label(first.span, "the first one")
            .help("keep one of them")
            .emit();
    }
}

/// The role that a plugin is for: Dynamo's scorers, and filters that keep pods of one type only.
fn plugin_role(plugin: &Node) -> Option<&str> {
    let role = match plugin.get("type")?.as_text()? {
        "dyn-prefill-scorer" => "prefill",
        "dyn-decode-scorer" => "decode",
        "label-filter" => match plugin.at(&["parameters", "validValues"])?.as_seq()? {
            [only] => only.as_text()?,
            _ => return None,
        },
        _ => return None,
    };
    matches!(role, "prefill" | "decode").then_some(role)
}

/// A plugin for the other role, in a profile that picks for one.
fn foreign_plugin(config: &Node, out: &mut Findings) {
    let plugins = || config.get("plugins").into_iter().flat_map(Node::items);
    let called = |p: &Node, name: &str| {
        p.get("name").filter(|n| !n.is_null()).or_else(|| p.get("type")).and_then(Node::as_text) == Some(name)
    };
    for profile in config.get("schedulingProfiles").into_iter().flat_map(Node::items) {
        let Some(own) = profile.get("name").and_then(Node::as_text).filter(|n| matches!(*n, "prefill" | "decode"))
        else {
            continue;
        };
        for reference in profile.get("plugins").into_iter().flat_map(Node::items) {
            let Some((node, name)) = reference.get("pluginRef").and_then(|n| Some((n, n.as_text()?))) else { continue };
            let Some(plugin) = plugins().find(|p| called(p, name)) else { continue };
            let Some(role) = plugin_role(plugin).filter(|role| *role != own) else { continue };
            out.report(
                node.span,
                format!("the profile `{own}` uses `{name}`, which is for {role} workers"),
                format!("requests get a {role} worker where a {own} worker is to be picked"),
            )
            .subject(name)
            .label(plugin.get("type").map_or(plugin.span, |t| t.span), format!("for {role} workers"))
            .help(format!("refer to the plugin for {own} workers"))
            .emit();
        }
    }
}

/// `epp-plugin-reference`
pub fn epp_plugin_reference(recipe: &Recipe, out: &mut Findings) {
    for config in picker_configs(recipe) {
        profile_handler(&config, out);
        foreign_plugin(&config, out);
        second_picker(&config, out);
        super::picker::label_filters(recipe, &config, out);
        for kind in config.get("plugins").into_iter().flat_map(Node::items).filter_map(|p| p.get("type")) {
            let Some(text) = kind.as_text().filter(|t| !PLUGINS.contains(t)) else { continue };
            let last = text.rsplit('-').next().unwrap_or_default();
            // Names of Dynamo's own are known; other pickers have plugins of their own.
            let own = text.starts_with("dyn") && !text.contains(['$', '<', '{']);
            let tail = |known: &str| {
                own && known.starts_with("dyn")
                    && text.split('-').rev().zip(known.split('-').rev()).take(2).all(|(a, b)| a == b)
            };
            let near = PLUGINS.iter().find(|known| {
                crate::catalog::is_slip(text, known)
                    || known.strip_prefix(text).is_some_and(|rest| rest.starts_with('-'))
            });
            let near = near.or_else(|| PLUGINS.iter().find(|known| tail(known)));
            let near =
                near.or_else(|| PLUGINS.iter().find(|known| own && last == "handler" && known.ends_with("handler")));
            let Some(near) =
                near.or_else(|| PLUGINS.iter().find(|known| own && known.starts_with("dyn") && known.ends_with(last)))
            else {
                continue;
            };
            out.report(
                kind.span,
                format!("there is no plugin of type `{text}`"),
                "the endpoint picker refuses its configuration",
            )
            .subject(text)
            .severity(crate::finding::Severity::Error)
            .help(format!("did you mean `{near}`?"))
            .emit();
        }
        let plugins: Vec<&str> = config
            .get("plugins")
            .into_iter()
            .flat_map(Node::items)
            .filter_map(|p| p.get("name").filter(|n| !n.is_null()).or_else(|| p.get("type"))?.as_text())
            .collect();
        let profiles = config.get("schedulingProfiles").into_iter().flat_map(Node::items);
        for reference in profiles.filter_map(|p| p.get("plugins")).flat_map(Node::items) {
            let Some(node) = reference.get("pluginRef") else { continue };
            let Some(name) = node.as_text().filter(|t| !t.contains(['$', '<', '{'])) else { continue };
            if !plugins.is_empty() && !plugins.contains(&name) {
                let near = plugins.iter().find(|p| strsim::osa_distance(p, name) <= 2);
                out.report(
                    node.span,
                    format!("no plugin is called `{name}`"),
                    "the endpoint picker refuses its configuration",
                )
                .subject(name)
                .severity(crate::finding::Severity::Error)
                .help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "the plugins are {}",
                        plugins.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", ")
                    ),
                })
                .emit();
            } else if reference.get("weight").is_none() {
                out.report(
                    node.span,
                    format!("the reference to plugin `{name}` has no weight"),
                    "picker releases that ask for one refuse the configuration, others leave a scorer out",
                )
                .subject(name)
                .severity(crate::finding::Severity::Advice)
                .help("add `weight: 1`")
                .fix_edits(Applicability::Unsafe, weight(reference, recipe).into_iter().collect())
                .emit();
            }
        }
    }
}
