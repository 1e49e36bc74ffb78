//! What holds in one cluster only: addresses and nodes by name.

use super::selectors::pods;
use crate::manifest::{Container, Object};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::yaml::Node;

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
