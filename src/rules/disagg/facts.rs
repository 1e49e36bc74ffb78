//! What several rules of the family ask.

use crate::command::Flag;
use crate::manifest::{ComponentType, GraphKind};
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::source::Span;

/// Where to point when something is missing on a command line: the module, else the service's name.
pub(in crate::rules) fn place(service: &Service) -> Span {
    service.process.as_ref().filter(|p| !p.implied).map_or(service.span, |p| p.module.span)
}

/// Where an option would stand that a worker lacks: beside the others in its `--config` file, else at [`place`].
pub(super) fn home(service: &Service) -> Span {
    let first = |c: &crate::resolve::EngineConfig| Some(c.content.known()?.entries().next()?.key.span);
    match service.framework {
        Some(Framework::Sglang | Framework::Vllm) => service.configs.iter().find_map(first),
        _ => None,
    }
    .unwrap_or_else(|| place(service))
}

/// Whether the deployment is a world of its own: one graph in its file, a frontend in it, nobody who could pair its
/// workers with those of another graph (global router, a Dynamo namespace set by hand).
pub(in crate::rules) fn stands_alone(deployment: &Deployment) -> bool {
    deployment.graph.kind == GraphKind::Deployment
        && deployment.recipe.here.iter().filter(|o| o.kind == "DynamoGraphDeployment").count() <= 1
        && deployment.services.iter().any(|s| s.role == Role::Frontend || s.sidecar.is_some())
        && !deployment.services.iter().any(|s| {
            s.component.global_namespace
                || s.env.get("DYN_NAMESPACE").is_some_and(|v| v.written())
                || s.flag(&["--namespace", "--endpoint"]).is_some()
                || s.module().is_some_and(|m| m.starts_with("dynamo.global_") || m == "dynamo.router")
        })
}

/// Whether every service that could run an engine is one whose role can be seen.
pub(super) fn all_roles_known(deployment: &Deployment) -> bool {
    deployment.services.iter().all(|s| match s.role {
        Role::Other => s.component.component_type != ComponentType::Worker && s.process.is_some(),
        role => !role.is_worker() || s.role_known,
    })
}

/// The command line says that mode by a flag of releases before 1.0 (`--is-prefill-worker`).
pub(super) fn legacy_role_flag(service: &Service) -> Option<&Flag> {
    service.flag(&["--is-prefill-worker", "--is-decode-worker"])
}

/// So many workers of a role are held against each other: a graph has 25 components at most (`maxItems` of its schema), and what
/// has more is to be told that and nothing else.
const MOST: usize = 32;

/// Prefill and decode workers of one engine, as every pair that would exchange KV cache.
pub(super) fn pairs(deployment: &Deployment) -> impl Iterator<Item = (&Service, &Service)> {
    deployment.role(Role::Prefill).filter(|s| s.role_known).take(MOST).flat_map(move |prefill| {
        decoders(deployment, prefill)
            .take(MOST)
            .filter(move |decode| serve_same(prefill, decode))
            .map(move |decode| (prefill, decode))
    })
}

/// The workers that decode what a prefill worker hands over: those that say so, else, before 1.3, those that say nothing.
/// Until 0.6 vLLM had no word for it, and until 1.2 an aggregated worker is taken for the other half
/// (`lib/llm/src/discovery/readiness.rs:54-138` came with 1.3).
pub(super) fn decoders<'a>(deployment: &'a Deployment, prefill: &'a Service) -> impl Iterator<Item = &'a Service> {
    let like = |s: &&Service| s.framework == prefill.framework && s.role_known;
    let told = deployment.role(Role::Decode).any(|s| like(&s));
    let old = |s: &Service| s.below(1, 3) || (s.version.is_none() && legacy_role_flag(prefill).is_some());
    deployment.workers().filter(like).filter(move |s| match s.role {
        Role::Decode => true,
        Role::Aggregated => !told && s.role_span.is_none() && s.process.is_some() && old(s),
        _ => false,
    })
}

/// Whether nothing says that the two serve different models: pools for several models can share a graph.
fn serve_same(a: &Service, b: &Service) -> bool {
    match (served_name(a), served_name(b)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// What an option is told.
pub(in crate::rules) struct Said<'a> {
    pub text: &'a str,
    /// Where the value stands.
    pub value: Span,
    /// The value and its name, where they stand together.
    pub whole: Span,
}

/// What an option is told, on the command line or else in the engine's config file.
pub(in crate::rules) fn said<'a>(service: &'a Service, names: &[&str]) -> Option<Said<'a>> {
    if let Some(flag) = service.flag(names) {
        let word = flag.value()?;
        return Some(Said { text: word.as_known()?, value: word.span(), whole: flag.told() });
    }
    let node = names.iter().find_map(|name| service.config_option(&name[2..]))?;
    Some(Said { text: node.as_text()?, value: node.span, whole: node.span })
}

/// The name under which a worker registers its model: `--served-model-name`, else the model.
pub(in crate::rules) fn served_name(service: &Service) -> Option<&str> {
    let own = ["--served-model-name"];
    let named = service.flag(&own).is_some() || service.config_option(&own[0][2..]).is_some();
    Some(said(service, if named { &own } else { model_names(service)? })?.text)
}

/// The options that name the model.
pub(in crate::rules) fn model_names(service: &Service) -> Option<&'static [&'static str]> {
    Some(match service.framework? {
        Framework::Vllm => &["--model", "--model-path", "--model-name"],
        Framework::Sglang | Framework::Trtllm => &["--model-path", "--model"],
        Framework::Mocker => &["--model-path", "--model-name"],
        Framework::Tokenspeed => &["--model", "--model-path"],
    })
}
