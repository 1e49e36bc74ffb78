//! What the operator makes of a component: defaults below the user's own, forced values above it, and the pods that
//! come out.

mod backend;
mod base;
mod defaults;
mod deployment_config;
mod forced;
mod inject;
mod memory;
mod merge;
mod nodes;
mod pod;
mod user;
mod volumes;

pub(super) use defaults::{defaults, launch};
pub(super) use forced::forced;
pub use nodes::PodRole;
pub(super) use pod::pods;
pub use pod::{Pod, Pods};

use super::env::Context;
use crate::manifest::{Component, ComponentType, GraphKind};
use crate::source::{Fact, Reason, Span, Text};
use crate::yaml::Node;

const DISCOVERY_BACKEND: &str = "nvidia.com/dynamo-discovery-backend";
const DISCOVERY_MODE: &str = "nvidia.com/dynamo-kube-discovery-mode";
const ORIGIN_VERSION: &str = "nvidia.com/dynamo-operator-origin-version";
const EXECUTOR_BACKEND: &str = "nvidia.com/vllm-distributed-executor-backend";
const ENABLE_GROVE: &str = "nvidia.com/enable-grove";
const WORKLOAD_PROVIDER: &str = "nvidia.com/workload-provider";

/// GPUs that `DYN_DEPLOYMENT_CONFIG` gives the main container, in place of its own.
pub(super) fn configured_gpus(ctx: &Context<'_>, component: &Component) -> Option<u32> {
    deployment_config::of(ctx, component)?.ok()?.gpus()
}

fn text(value: &str, at: Span) -> Text {
    crate::resolve::expand::implied(value, at).text
}

const fn type_name(kind: &ComponentType) -> &str {
    match kind {
        ComponentType::Frontend => "frontend",
        ComponentType::Worker => "worker",
        ComponentType::Prefill => "prefill",
        ComponentType::Decode => "decode",
        ComponentType::Planner => "planner",
        ComponentType::Epp => "epp",
        ComponentType::Unset => "",
        ComponentType::Other(other) => other.as_str(),
    }
}

/// The graph's name as the cluster will have it.
fn object_name<'a>(ctx: &Context<'a>) -> Result<&'a str, Reason> {
    let name = ctx.graph.object.name.as_str();
    if let Some(found) = crate::resolve::expand::placeholder(name) {
        return Err(Reason::Placeholder(found.to_owned()));
    }
    let unnamed = name.is_empty() || ctx.graph.kind == GraphKind::RequestOverride;
    if unnamed { Err(Reason::Cluster("the name of the deployment".to_owned())) } else { Ok(name) }
}

/// The graph's name, or what stands for it when it is not known.
fn shown_name(ctx: &Context<'_>) -> String {
    object_name(ctx).map_or_else(|_| "<name>".to_owned(), str::to_owned)
}

fn k8s_namespace(ctx: &Context<'_>) -> Result<String, Reason> {
    match ctx.graph.object.namespace.as_deref() {
        Some(name) => match crate::resolve::expand::placeholder(name) {
            Some(found) => Err(Reason::Placeholder(found.to_owned())),
            None => Ok(name.to_owned()),
        },
        None => match &ctx.options.cluster.namespace {
            Some(name) => Ok(name.clone()),
            None => Err(Reason::Cluster("the Kubernetes namespace".to_owned())),
        },
    }
}

/// `{k8s namespace}-{name}`, or `dynamo` with `globalDynamoNamespace` (`dynamocomponentdeployment_types.go:403-409`).
fn dynamo_namespace(ctx: &Context<'_>, component: &Component) -> Fact<Text> {
    let at = component.name.span;
    if component.global_namespace {
        return Fact::Known(text("dynamo", at));
    }
    match (k8s_namespace(ctx), object_name(ctx)) {
        (Ok(namespace), Ok(name)) => Fact::Known(text(&format!("{namespace}-{}", name.replace('.', "-")), at)),
        (Err(reason), _) | (_, Err(reason)) => Fact::Dynamic(reason),
    }
}

/// A rendering annotation: of the pod template, else of the graph.
fn annotation<'a>(ctx: &'a Context<'_>, component: &'a Component, key: &str) -> Option<&'a str> {
    let of = |list: &'a [(String, Span, Node)]| list.iter().find(|(k, ..)| k == key).and_then(|(.., v)| v.as_text());
    of(&component.annotations).or_else(|| of(&ctx.graph.annotations))
}

/// Whether the deployment becomes a PodCliqueSet of Grove rather than component deployments
/// (`dynamographdeployment_handler.go:165-180`). A component that stands alone never does.
fn grove(ctx: &Context<'_>) -> bool {
    if ctx.graph.kind == GraphKind::Component {
        return false;
    }
    match metadata_annotation(ctx, WORKLOAD_PROVIDER) {
        Some("grove") => true,
        Some("component") => false,
        _ => {
            let off = metadata_annotation(ctx, ENABLE_GROVE).is_some_and(|v| v.eq_ignore_ascii_case("false"));
            ctx.options.cluster.grove && !off
        }
    }
}

/// The discovery backend by precedence. Of Grove: the graph's metadata, else the operator's default; the pod template
/// is overwritten (`graph.go:2623`, `2652-2654`). Of components: the pod template, the graph's metadata, its
/// `spec.annotations`, the operator's default.
fn discovery_backend<'a>(ctx: &'a Context<'_>, component: &'a Component) -> &'a str {
    let said = if grove(ctx) {
        metadata_annotation(ctx, DISCOVERY_BACKEND)
    } else {
        annotation(ctx, component, DISCOVERY_BACKEND)
    };
    said.unwrap_or(&ctx.options.cluster.discovery_backend)
}

/// An annotation of the graph's own metadata.
fn metadata_annotation<'a>(ctx: &Context<'a>, key: &str) -> Option<&'a str> {
    ctx.graph.object.node.at(&["metadata", "annotations", key]).and_then(Node::as_text)
}
