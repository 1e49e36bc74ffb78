//! What stands in front of a graph: inference pools, endpoint pickers.

use crate::manifest::Workload;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

const TYPE_LABEL: &str = "nvidia.com/dynamo-component-type";
const TYPES: [&str; 6] = ["frontend", "worker", "prefill", "decode", "planner", "epp"];

/// `pool-selector`
pub fn pool_selector(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(|o| matches!(o.kind.as_str(), "InferencePool" | "Service")) {
        let selector = object.node.at(&["spec", "selector"]);
        let labels = selector.and_then(|s| s.get("matchLabels")).or(selector);
        let dynamo = labels.into_iter().flat_map(Node::entries).any(|e| e.key.name.starts_with("nvidia.com/dynamo"));
        if !dynamo {
            continue;
        }
        if let Some(node) = labels.and_then(|l| l.get(TYPE_LABEL))
            && let Some(value) = node.as_text()
            && !TYPES.contains(&value)
            && !value.contains(['$', '<', '{'])
        {
            let lower = value.to_ascii_lowercase();
            out.report(
                node.span,
                format!("no pod has the label `{TYPE_LABEL}: {value}`"),
                format!("`{}` selects nothing", object.name),
            )
            .subject(TYPE_LABEL)
            .help(if TYPES.contains(&lower.as_str()) {
                format!("write `{lower}`")
            } else {
                "write one of `frontend`, `worker`, `prefill`, `decode`, `planner`, `epp`".to_owned()
            })
            .emit();
        }
        if object.kind == "InferencePool" {
            pool_port(&object.node, out);
        }
    }
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

/// `epp-model-env`
pub fn epp_model_env(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(|o| o.kind == "Deployment") {
        for container in Workload::of_object(object).map(|w| w.containers).unwrap_or_default() {
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
            .emit();
        }
    }
}

/// `discovery-hard-coded`
pub fn discovery_hard_coded(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        let containers = match crate::manifest::Graph::of_object(object) {
            Some(graph) => graph.components.into_iter().map(|c| c.main).collect(),
            None => Workload::of_object(object).map(|w| w.containers).unwrap_or_default(),
        };
        for container in containers {
            let value = |name: &str| {
                container.env.iter().find(|(_, e)| e.name.value == name).and_then(|(_, e)| match &e.source {
                    crate::manifest::EnvSource::Value(Some(node)) => Some(node.clone()),
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
            if recipe.around.iter().chain(&recipe.here).any(|o| o.kind == "Service" && o.name == host) {
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
