//! What the operator tells each node of a worker over several, and whether the engine hears it.
//!
//! Source: operator `utils.go:119-180` (where flags are put), `backend_sglang.go:67-83`, `backend_vllm.go:386-404`.

use crate::resolve::{Deployment, PodRole, Service};
use crate::rules::Findings;

/// Flags that differ from node to node or count the nodes.
const FLAGS: [&str; 2] = ["--node-rank", "--nnodes"];

/// `node-flag-overridden`
pub fn node_flag_overridden(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.nodes > 1) {
        for name in FLAGS {
            report(deployment, service, name, out);
        }
    }
}

fn report(deployment: &Deployment, service: &Service, name: &str, out: &mut Findings) {
    let Some(own) = service.flag(&[name]) else { return };
    let Some(written) = own.value().and_then(|value| value.as_known()) else { return };
    // The pods as they will be started: what stands there besides the recipe's own is the operator's.
    let made = deployment.pods(service);
    let Some(worker) = made.pods.iter().find(|pod| pod.role == PodRole::Worker) else { return };
    let Some(args) = worker.args(own.span) else { return };
    let names = [name];
    let all: Vec<Option<&str>> = args.all(&names).map(|flag| flag.value().and_then(|v| v.as_known())).collect();
    let (Some(last), [.., _]) = (all.last(), &all[..all.len().saturating_sub(1)]) else { return };
    if *last != Some(written) || all[..all.len() - 1].iter().all(|given| *given == Some(written)) {
        return;
    }
    let told = all[0].map_or_else(|| "a rank of its own".to_owned(), |given| format!("`{name} {given}`"));
    out.report(
        own.full_span(),
        format!("`{name} {written}` wins over what the operator gives each node"),
        format!("every node reads this last; the operator puts {told} in front of it"),
    )
    .service(service)
    .subject(name)
    .label_opt(service.component.node_count.as_ref().map(|n| n.span), "the operator joins these nodes")
    .help(format!("remove `{name}`: the operator gives it to every node"))
    .emit();
}
