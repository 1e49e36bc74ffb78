//! Deployments that see each other's workers.

use crate::finding::Severity;
use crate::manifest::{Component, ComponentType, Graph};
use crate::resolve::{Deployment, Framework, Recipe, Role, Service};
use crate::rules::{Findings, workload};
use crate::source::Text;
use crate::yaml::Node;

/// `dgd-name-prefix-collision`
///
/// The operator names the Dynamo namespace `{namespace}-{deployment}`, gives it to the frontend as a prefix, and workers
/// a suffix behind it (`component_common.go:95-143`, `component_frontend.go:70-83`, `component_worker.go:117-124`); the
/// frontend takes every namespace that starts with it (`lib/llm/src/namespace.rs:52`).
pub fn dgd_name_prefix_collision(recipe: &Recipe, out: &mut Findings) {
    let graphs: Vec<&Graph> = recipe
        .here
        .iter()
        .filter(|o| o.kind == "DynamoGraphDeployment" && plain(&o.name))
        .filter_map(|o| o.graph().map(|g| &**g))
        .collect();
    for short in graphs.iter().filter(|g| g.components.iter().any(|c| c.component_type == ComponentType::Frontend)) {
        for long in &graphs {
            let (a, b) = (&short.object, &long.object);
            let collides = b.name.len() > a.name.len() && b.name.starts_with(&a.name) && a.namespace == b.namespace;
            if !collides || !long.components.iter().any(|c| works(c)) || own_namespace(short) || own_namespace(long) {
                continue;
            }
            let same = models(short).iter().any(|model| models(long).contains(model));
            out.report(
                b.name_span,
                format!("the frontend of `{}` also finds the workers of `{}`", a.name, b.name),
                format!("starts with `{}`", a.name),
            )
            .subject("metadata.name")
            .severity(if same { Severity::Warning } else { Severity::Advice })
            .label(a.name_span, if same { "sends it requests for the same model" } else { "lists its models, too" })
            .help("choose names of which none begins with the other, or different Kubernetes namespaces")
            .emit();
        }
    }
}

/// `epp-namespace-mismatch`
pub fn epp_namespace_mismatch(deployment: &Deployment, out: &mut Findings) {
    let named = |s: &Service| {
        s.args_open() || s.flag(&["--endpoint", "--namespace"]).is_some() || s.env.get("DYN_ENDPOINT").is_some()
    };
    let own = |s: &Service| matches!(s.framework, Some(Framework::Vllm | Framework::Sglang));
    // Where one worker may be somewhere else, the picker may mean that one.
    if deployment.workers().next().is_none() || deployment.workers().any(|s| named(s) || !own(s)) {
        return;
    }
    for epp in deployment.role(Role::Epp) {
        let said = |name: &str| epp.env.get(name).filter(|v| v.written()).and_then(|v| v.winner().value.known());
        let namespaces = || deployment.workers().map(|s| s.env.known("DYN_NAMESPACE").map(Text::as_str));
        let outside = |prefix: &str| namespaces().all(|n| n.is_some_and(|n| !n.starts_with(prefix)));
        let component = said("DYN_COMPONENT_NAME").filter(|t| t.as_str() != "backend");
        let prefix = said("DYN_NAMESPACE_PREFIX").filter(|t| outside(t.as_str()));
        let found = [(component, "DYN_COMPONENT_NAME", "component"), (prefix, "DYN_NAMESPACE_PREFIX", "namespace")];
        for (text, name, what) in found {
            let Some(text) = text else { continue };
            out.report(
                text.span(),
                format!("`{}` looks for workers in the {what} `{}`, where there are none", epp.name, text.as_str()),
                "finds no worker to pick",
            )
            .service(epp)
            .subject(name)
            .help("leave it out: the operator says where the workers of the graph are")
            .emit();
        }
    }
}

/// A name that is no template.
fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
}

fn works(component: &Component) -> bool {
    matches!(component.component_type, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode)
}

/// Whether a part of the graph names its Dynamo namespace itself.
fn own_namespace(graph: &Graph) -> bool {
    graph.components.iter().any(|c| c.global_namespace || c.node.get("dynamoNamespace").is_some_and(|n| !n.is_null()))
}

/// What the containers' words say behind `--model`, `--model-path` and `--served-model-name`.
fn models(graph: &Graph) -> Vec<String> {
    let mut out = Vec::new();
    for component in graph.components.iter().filter(|c| works(c)) {
        let words = workload::words(&component.main).filter_map(Node::as_text);
        let words: Vec<&str> = words.flat_map(str::split_whitespace).collect();
        for pair in words.windows(2) {
            if ["--model", "--model-path", "--served-model-name"].contains(&pair[0]) && !pair[1].starts_with('$') {
                out.push(pair[1].to_owned());
            }
        }
    }
    out
}
