//! What the API server refuses in objects that bring requests to a graph or read its metrics.

use super::object::one_of;
use super::refusal::{Refusal, refuse};
use crate::manifest::Object;
use crate::yaml::{Node, Typed};

const SERVER: &str = "the API server refuses the object";

fn list<'a>(node: &'a Node, path: &[&str]) -> impl Iterator<Item = &'a Node> + use<'a> {
    node.at(path).into_iter().flat_map(Node::items)
}

/// The part of `object-refused` that is about Services, routes and monitors.
pub(super) fn traffic<'a>(object: &'a Object, patched: bool, all: &mut Vec<Refusal<'a>>) {
    // What is missing may come from a kustomization.
    let lacking = |node: &'a Node, field: &'a str, names: &[&'a str], all: &mut Vec<Refusal<'a>>| {
        if !patched {
            lacking(node, field, names, all);
        }
    };
    let node = &object.node;
    for (kind, group, path, known) in FIELDS {
        if object.kind == kind && object.group() == group {
            fields(object, path, known, all);
        }
    }
    bounds(object, all);
    match (object.kind.as_str(), object.group()) {
        // `spec.selector` is a map of strings (`core/v1`).
        ("Service", _) => labels(node.at(&["spec", "selector"]), all),
        ("PodMonitor" | "ServiceMonitor", _) => monitor(object, all),
        ("Ingress", "networking.k8s.io") => {
            for path in list(node, &["spec", "rules"]).flat_map(|rule| list(rule, &["http", "paths"])) {
                let takes = ["Exact", "Prefix", "ImplementationSpecific"];
                one_of(path.get("pathType"), "pathType", &takes, SERVER, all);
                // `extensions/v1beta1` had them, `v1` of `networking.k8s.io` has `service`.
                if let Some(old) = path.get("backend").and_then(|backend| backend.entry("serviceName")) {
                    let help = "write `service: {name: …, port: {number: …}}`";
                    refuse(all, old.key.span, "backend", "an Ingress has no `serviceName` any more", SERVER, help);
                }
            }
        }
        ("HTTPRoute", _) => {
            for parent in list(node, &["spec", "parentRefs"]) {
                let gateway = parent.get("kind").and_then(Node::as_text).is_none_or(|kind| kind == "Gateway");
                let group = parent.get("group").filter(|_| gateway);
                one_of(group, "group", &["gateway.networking.k8s.io"], "the route belongs to no gateway", all);
            }
            for rule in list(node, &["spec", "rules"]) {
                for found in list(rule, &["matches"]) {
                    let paths = ["Exact", "PathPrefix", "RegularExpression"];
                    one_of(found.at(&["path", "type"]), "path.type", &paths, SERVER, all);
                    for header in list(found, &["headers"]) {
                        one_of(header.get("type"), "headers.type", &["Exact", "RegularExpression"], SERVER, all);
                    }
                }
                for time in ["request", "backendRequest"] {
                    duration(rule.at(&["timeouts", time]), "timeouts", all);
                }
            }
        }
        ("Gateway", "gateway.networking.k8s.io") => {
            for listener in list(node, &["spec", "listeners"]) {
                let from = listener.at(&["allowedRoutes", "namespaces", "from"]);
                one_of(from, "from", &["All", "Selector", "Same", "None"], SERVER, all);
                // Implementations have protocols of their own, with their domain before them.
                let protocol = listener.get("protocol").filter(|p| p.as_text().is_none_or(|t| !t.contains('/')));
                one_of(protocol, "protocol", &["HTTP", "HTTPS", "TLS", "TCP", "UDP"], SERVER, all);
                let quoted = |port: &&Node| {
                    port.as_scalar().is_some_and(|s| s.typed == Typed::Str && s.value.parse::<u16>().is_ok())
                };
                if let Some(port) = listener.get("port").filter(quoted) {
                    let help = format!("write `{}` without quotes", port.as_text().unwrap_or_default());
                    refuse(all, port.span, "port", "the `port` of a listener is no number", SERVER, help);
                }
                lacking(listener, "listeners", &["name", "port", "protocol"], all);
            }
            node.get("spec").into_iter().for_each(|s| lacking(s, "spec", &["gatewayClassName", "listeners"], all));
        }
        ("InferencePool", "inference.networking.k8s.io") => {
            let picker = node.at(&["spec", "endpointPickerRef"]);
            let mode = picker.and_then(|p| p.get("failureMode"));
            one_of(mode, "failureMode", &["FailOpen", "FailClose"], SERVER, all);
            let service = |p: &&Node| p.get("kind").and_then(Node::as_text).is_none_or(|kind| kind == "Service");
            if let Some(picker) = picker.filter(service).filter(|p| p.as_map().is_some()) {
                lacking(picker, "endpointPickerRef", &["name", "port"], all);
                if let Some(port) = picker.get("port").filter(|port| port.as_int().is_some()) {
                    let help = format!("write `port: {{number: {}}}`", port.as_text().unwrap_or_default());
                    refuse(all, port.span, "port", "the picker's `port` is an object", SERVER, help);
                }
            }
        }
        ("ClusterRoleBinding" | "RoleBinding", "rbac.authorization.k8s.io") => binding(object, all),
        ("Secret", "") => secret(node, all),
        ("ClusterRole" | "Role", "rbac.authorization.k8s.io") => {
            list(node, &["rules"]).for_each(|rule| lacking(rule, "rules", &["verbs"], all));
        }
        ("ScaledObject", "keda.sh") => {
            if let Some(map) = node.at(&["spec", "triggers"]).filter(|t| t.as_map().is_some()) {
                let at = map.entries().next().map_or(map.span, |entry| entry.key.span);
                refuse(all, at, "triggers", "`triggers` is a list", SERVER, "write each trigger as an item of its own");
            }
            node.get("spec").into_iter().for_each(|s| lacking(s, "spec", &["scaleTargetRef", "triggers"], all));
            for trigger in list(node, &["spec", "triggers"]) {
                let metadata = trigger.get("metadata");
                for entry in metadata.into_iter().flat_map(Node::entries) {
                    if let Some(scalar) = entry.value.as_scalar()
                        && matches!(scalar.typed, Typed::Bool(_) | Typed::Int(_) | Typed::Float(_))
                    {
                        let message = format!("`{}` of a trigger is no string", entry.key.name);
                        let help = format!("write `\"{}\"`", scalar.value);
                        refuse(all, entry.value.span, "metadata", message, SERVER, help);
                    }
                }
                let Some((node, kind)) = trigger.get("type").and_then(|n| Some((n, n.as_text()?))) else { continue };
                if kind.contains(|c: char| c.is_ascii_uppercase()) && !kind.contains(['$', '<', '{']) {
                    let message = format!("KEDA has no scaler `{kind}`");
                    refuse(all, node.span, "type", message, KEDA, format!("write `{}`", kind.to_ascii_lowercase()));
                }
                if let Some(metadata) = metadata.filter(|_| kind == "prometheus") {
                    lacking(metadata, "metadata", &["serverAddress", "query", "threshold"], all);
                }
            }
        }
        ("HorizontalPodAutoscaler", "autoscaling") => {
            node.get("spec").into_iter().for_each(|s| lacking(s, "spec", &["scaleTargetRef", "maxReplicas"], all));
            for metric in list(node, &["spec", "metrics"]) {
                let Some((at, kind)) = metric.get("type").and_then(|n| Some((n, n.as_text()?))) else { continue };
                let kinds = ["Resource", "Pods", "Object", "External", "ContainerResource"];
                one_of(Some(at), "type", &kinds, SERVER, all);
                if !kinds.contains(&kind) {
                    continue;
                }
                let targets = ["Utilization", "Value", "AverageValue"];
                let target = metric.entries().find_map(|entry| entry.value.at(&["target", "type"]));
                one_of(target, "target", &targets, SERVER, all);
                let block = format!("{}{}", kind[..1].to_ascii_lowercase(), &kind[1..]);
                if metric.get(&block).is_none() {
                    let message = format!("a metric of type `{kind}` has no `{block}`");
                    refuse(all, at.span, "metrics", message, SERVER, format!("put what is measured under `{block}`"));
                }
            }
        }
        _ => {}
    }
}

const KEDA: &str = "KEDA refuses the object: nothing is scaled";

/// Fields of objects that the API server takes, of a whole level each: `kubectl` refuses others.
const FIELDS: [(&str, &str, &[&str], &str); 7] = [
    ("HTTPRoute", "gateway.networking.k8s.io", &["spec"], "hostnames parentRefs rules useDefaultGateways"),
    (
        "HTTPRoute",
        "gateway.networking.k8s.io",
        &["spec", "rules"],
        "backendRefs filters matches name retry sessionPersistence timeouts",
    ),
    (
        "Gateway",
        "gateway.networking.k8s.io",
        &["spec"],
        "addresses allowedListeners backendTLS defaultScope gatewayClassName infrastructure listeners tls",
    ),
    ("InferencePool", "inference.networking.k8s.io", &["spec"], "appProtocol endpointPickerRef selector targetPorts"),
    (
        "ScaledObject",
        "keda.sh",
        &["spec"],
        "advanced cooldownPeriod fallback idleReplicaCount initialCooldownPeriod maxReplicaCount minReplicaCount \
        pollingInterval scaleTargetRef triggers",
    ),
    (
        "HorizontalPodAutoscaler",
        "autoscaling",
        &["spec"],
        "behavior maxReplicas metrics minReplicas scaleTargetRef targetCPUUtilizationPercentage",
    ),
    ("PodDisruptionBudget", "policy", &["spec"], "maxUnavailable minAvailable selector unhealthyPodEvictionPolicy"),
];

fn fields<'a>(object: &'a Object, path: &[&'a str], known: &str, all: &mut Vec<Refusal<'a>>) {
    let field = path.last().copied().unwrap_or_default();
    let Some(node) = object.node.at(path) else { return };
    for entry in node.entries().chain(node.items().flat_map(Node::entries)) {
        let name = &*entry.key.name;
        // Another rule tells fields of the other version of a pool.
        let pool = object.kind == "InferencePool" && matches!(name, "targetPortNumber" | "extensionRef");
        if known.split_ascii_whitespace().any(|k| k == name) || name.contains(['$', '{', '<']) || pool {
            continue;
        }
        let near = known.split_ascii_whitespace().find(|k| {
            crate::catalog::is_slip(name, k)
                || k.eq_ignore_ascii_case(name)
                || k.strip_suffix("Count").is_some_and(|k| Some(k) == name.strip_suffix('s'))
        });
        let help = near
            .map_or_else(|| format!("remove `{name}`, or put it where it belongs"), |near| format!("write `{near}`"));
        refuse(all, entry.key.span, field, format!("`{field}` of a {} has no `{name}`", object.kind), SERVER, help);
    }
}

/// Fields that have to be there.
fn lacking<'a>(node: &'a Node, field: &'a str, names: &[&'a str], all: &mut Vec<Refusal<'a>>) {
    let Some(first) = node.entries().next().filter(|entry| entry.key.name != "<<".into()) else { return };
    for name in names.iter().filter(|name| node.get(name).is_none_or(Node::is_null)) {
        refuse(all, first.key.span, field, format!("`{field}` has no `{name}`"), SERVER, format!("add `{name}`"));
    }
}

/// Least and most replicas, and budgets that say both.
fn bounds<'a>(object: &'a Object, all: &mut Vec<Refusal<'a>>) {
    let Some(spec) = object.node.get("spec") else { return };
    let (least, most, by) = match (object.kind.as_str(), object.group()) {
        ("HorizontalPodAutoscaler", "autoscaling") => ("minReplicas", "maxReplicas", SERVER),
        ("ScaledObject", "keda.sh") => ("minReplicaCount", "maxReplicaCount", KEDA),
        ("PodDisruptionBudget", "policy") => {
            if let (Some(_), Some(entry)) = (spec.get("minAvailable"), spec.entry("maxUnavailable")) {
                let message = "a budget says `minAvailable` or `maxUnavailable`, not both";
                refuse(all, entry.key.span, "maxUnavailable", message, SERVER, "keep one of them");
            }
            return;
        }
        _ => return,
    };
    let number = |name: &str| spec.get(name).and_then(|node| Some((node.as_int()?, node.span)));
    if let (Some((idle, at)), Some((from, _))) = (number("idleReplicaCount"), number(least))
        && idle >= from
    {
        let message = format!("`idleReplicaCount` is {idle}, and `{least}` is {from}");
        refuse(all, at, "idleReplicaCount", message, by, "write less: 0 is all that KEDA goes down to");
    }
    if let (Some((from, at)), Some((to, _))) = (number(least), number(most))
        && from > to
    {
        let message = format!("`{least}` is {from}, and `{most}` is {to}");
        refuse(all, at, least, message, by, format!("write a `{least}` of `{most}` or less"));
    }
}

/// Who is bound to which role (`pkg/apis/rbac/validation`).
fn binding<'a>(object: &'a Object, all: &mut Vec<Refusal<'a>>) {
    let group = object.node.at(&["roleRef", "apiGroup"]);
    one_of(group, "apiGroup", &["rbac.authorization.k8s.io"], SERVER, all);
    let roles: &[&str] = if object.kind == "RoleBinding" { &["ClusterRole", "Role"] } else { &["ClusterRole"] };
    one_of(object.node.at(&["roleRef", "kind"]), "kind", roles, SERVER, all);
    for subject in list(&object.node, &["subjects"]) {
        one_of(subject.get("kind"), "kind", &["ServiceAccount", "User", "Group"], SERVER, all);
        // The operator makes this one for planners.
        const PLANNER: &str = "planner-serviceaccount";
        let named = subject.get("name").filter(|n| n.as_text().is_some_and(|t| crate::catalog::is_slip(t, PLANNER)));
        if let Some(node) = named {
            let message = format!("no planner runs as `{}`", node.as_text().unwrap_or_default());
            refuse(all, node.span, "subjects", message, "the planner may not scale", format!("write `{PLANNER}`"));
        }
        let account = subject.get("kind").filter(|kind| kind.as_text() == Some("ServiceAccount"));
        let group = subject.get("apiGroup").filter(|g| account.is_some() && g.as_text().is_some_and(|t| !t.is_empty()));
        if let Some(at) = group {
            let message = "a ServiceAccount has no `apiGroup`";
            refuse(all, at.span, "subjects", message, SERVER, "remove it: it is for users and groups");
        }
        if let Some(at) = account.filter(|_| object.kind == "ClusterRoleBinding" && subject.get("namespace").is_none())
        {
            let message = "a ServiceAccount is bound without its namespace";
            refuse(all, at.span, "subjects", message, SERVER, "add `namespace`");
        }
    }
}

/// Values of `data` are in base64.
fn secret<'a>(secret: &'a Node, all: &mut Vec<Refusal<'a>>) {
    for entry in secret.get("data").into_iter().flat_map(Node::entries) {
        let Some(text) = entry.value.as_text().filter(|t| !t.is_empty()) else { continue };
        let bare: String = text.split_ascii_whitespace().collect();
        let end = bare.trim_end_matches('=');
        let coded = bare.len().is_multiple_of(4)
            && bare.len() - end.len() <= 2
            && end.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
        // What is to be replaced is told by its words.
        let lower = text.to_ascii_lowercase();
        let open = ["your", "base64", "replace", "change", "xxx", "todo", "token_here", "..."]
            .iter()
            .any(|w| lower.contains(w))
            || text.contains(['$', '<', '{', '['])
            || !text.contains(|c: char| c.is_ascii_lowercase());
        // Nobody runs a command that stands there.
        if !coded && (!open || text.starts_with("$(")) {
            let message = format!("`{}` of a Secret's `data` is not in base64", entry.key.name);
            refuse(all, entry.key.span, "data", message, SERVER, "write it under `stringData`");
        }
    }
}

/// Labels to select by: strings, and nothing but strings.
fn labels<'a>(selector: Option<&'a Node>, all: &mut Vec<Refusal<'a>>) {
    for entry in selector.into_iter().flat_map(Node::entries) {
        let name = &*entry.key.name;
        if entry.value.as_map().is_some() {
            let help = "write the labels themselves under `selector`";
            refuse(all, entry.key.span, "selector", format!("`{name}` is no label of a selector"), SERVER, help);
        } else if let Some(scalar) = entry.value.as_scalar()
            && matches!(scalar.typed, Typed::Bool(_) | Typed::Int(_) | Typed::Float(_))
        {
            let help = format!("write `\"{}\"`", scalar.value);
            refuse(all, entry.value.span, "selector", format!("the label `{name}` is no string"), SERVER, help);
        }
    }
}

/// A time without its unit.
fn duration<'a>(node: Option<&Node>, field: &'a str, all: &mut Vec<Refusal<'a>>) {
    let Some((node, text)) = node.and_then(|n| Some((n, n.as_text()?))) else { return };
    if !text.is_empty() && text != "0" && text.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("`{text}` is a time without a unit");
        refuse(all, node.span, field, message, SERVER, format!("write `{text}s`"));
    }
}

/// Monitors of the Prometheus operator (`monitoring.coreos.com/v1`).
fn monitor<'a>(object: &'a Object, all: &mut Vec<Refusal<'a>>) {
    let Some(spec) = object.node.get("spec") else { return };
    let (own, other) = match object.kind.as_str() {
        "PodMonitor" => ("podMetricsEndpoints", "endpoints"),
        _ => ("endpoints", "podMetricsEndpoints"),
    };
    if let (Some(entry), None) = (spec.entry(other), spec.get(own)) {
        let message = format!("a {} has no `{other}`", object.kind);
        refuse(all, entry.key.span, other, message, SERVER, format!("write `{own}`"));
    }
    let selector = spec.get("selector");
    labels(selector.and_then(|s| s.get("matchLabels")), all);
    let stray = |e: &&crate::yaml::Entry| e.value.as_scalar().is_some();
    if let Some(entry) = selector.and_then(|s| s.entries().find(stray)) {
        let message = format!("the selector of a {} has no `{}`", object.kind, entry.key.name);
        refuse(all, entry.key.span, "selector", message, SERVER, "put the labels under `matchLabels`");
    }
    for endpoint in [own, other].into_iter().flat_map(|name| list(spec, &[name])) {
        if let Some(port) = endpoint.get("port").filter(|port| port.as_int().is_some()) {
            let message = "the `port` of a monitor is a name";
            refuse(all, port.span, "port", message, SERVER, "write the port's name: `http` or `system`");
        }
        duration(endpoint.get("interval"), "interval", all);
        duration(endpoint.get("scrapeTimeout"), "scrapeTimeout", all);
    }
}
