//! Pods that lie on several nodes, or on the node's own network.

use rustc_hash::FxHashSet;

use super::near::beside_recipe;
use super::volumes::mounted;
use crate::finding::Applicability;
use crate::resolve::{Deployment, Recipe, Service};
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::Node;
use crate::yaml::edit::{New, insert_entry};

/// GPUs of the largest nodes that Dynamo is run on.
const NODE: u32 = 8;

/// Whether a volume of these modes can be attached to one node only.
fn single(modes: &[&Node]) -> bool {
    let words: Vec<&str> = modes.iter().filter_map(|mode| mode.as_text()).collect();
    !words.is_empty() && words.iter().all(|mode| matches!(*mode, "ReadWriteOnce" | "ReadWriteOncePod"))
}

/// `volume-on-one-node`
pub fn volume_on_one_node(deployment: &Deployment, out: &mut Findings) {
    let recipe = &deployment.recipe;
    let claims: Vec<(&Service, Vec<(&str, Span)>)> =
        deployment.services.iter().map(|s| (s, mounted(&deployment.graph, &s.component))).collect();
    let mut asked: FxHashSet<&str> = FxHashSet::default();
    for (service, claimed) in &claims {
        for &(name, at) in claimed {
            if !asked.insert(name) {
                continue;
            }
            let users = claims.iter().filter(|(_, claimed)| claimed.iter().any(|(n, _)| *n == name)).map(|(s, _)| s);
            let gpus = users.filter_map(|s| Some(s.replicas.known()? * s.nodes * s.gpus.known()?)).sum::<u32>();
            if gpus <= NODE {
                continue;
            }
            let declared = deployment.graph.object.node.at(&["spec", "pvcs"]).into_iter().flat_map(Node::items);
            let declared = declared
                .filter(|pvc| pvc.get("name").and_then(Node::as_text) == Some(name))
                .find_map(|pvc| pvc.get("volumeAccessMode"));
            let made = beside_recipe(recipe, service.span.file, "PersistentVolumeClaim");
            let claim =
                recipe.find("PersistentVolumeClaim", name).or_else(|| made.into_iter().find(|o| o.name == name));
            let modes: Vec<&Node> = match (declared, claim) {
                (Some(mode), _) => vec![mode],
                (None, Some(claim)) => {
                    claim.node.at(&["spec", "accessModes"]).into_iter().flat_map(Node::items).collect()
                }
                (None, None) => continue,
            };
            if !single(&modes) {
                continue;
            }
            let mode = modes[0];
            let text = mode.as_text().unwrap_or_default();
            out.report(
                at,
                format!("`{name}` can be attached to one node, and its pods have {gpus} GPUs"),
                "no node has so many: pods on the others wait for the volume",
            )
            .subject(name.to_owned())
            .label(mode.span, format!("`{text}`: by one node at a time"))
            .help("write `ReadWriteMany`, of a storage class that has it, or give each node its own cache")
            .emit();
        }
    }
}

/// `host-network-dns`
pub fn host_network_dns(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        let graph = object.graph().into_iter().flat_map(|graph| &graph.components);
        let pods = graph.filter_map(|c| Some((c.name.value.as_str(), c.pod_spec.as_ref()?)));
        let workload = object.workload().map(|workload| (object.name.as_str(), &workload.spec));
        for (owner, spec) in pods.chain(workload) {
            let Some(on) = spec.entry("hostNetwork").filter(|e| e.value.as_bool() == Some(true)) else { continue };
            let policy = spec.get("dnsPolicy").filter(|node| !node.is_null());
            if policy.is_some_and(|node| node.as_text() != Some("ClusterFirst")) {
                continue;
            }
            let edit = match policy {
                Some(_) => None,
                None => {
                    let policy = New::text("ClusterFirstWithHostNet");
                    insert_entry(spec, &recipe.sources.get(on.key.span.file), "dnsPolicy", &policy, Some("hostNetwork"))
                }
            };
            out.report(
                on.key.span.to(on.value.span),
                format!("`{owner}` asks the node's DNS, which knows no Service of the cluster"),
                "on the node's network `ClusterFirst`, the default, falls back to `Default`",
            )
            .subject("dnsPolicy")
            .label_opt(policy.map(|node| node.span), "not for pods on the node's network")
            .help("add `dnsPolicy: ClusterFirstWithHostNet`")
            .fix_edits(Applicability::Safe, edit.into_iter().collect())
            .emit();
        }
    }
}
