//! What the operator puts below the user's own: environment, `command` and `args` by component type.

use super::{DISCOVERY_MODE, annotation, discovery_backend, dynamo_namespace, k8s_namespace, object_name, type_name};
use crate::manifest::{Component, ComponentType, GraphKind};
use crate::resolve::env::Context;
use crate::source::{Fact, Reason, Text};

/// Default env of a component type (`component_common.go:85-158`, `component_frontend.go:70-84`,
/// `component_worker.go:82-124`, `component_planner.go:79-88`, `component_epp.go:89-131`).
pub(in crate::resolve) fn defaults(
    ctx: &Context<'_>,
    component: &Component,
    kind: &ComponentType,
    mut set: impl FnMut(&'static str, Fact<Text>),
) {
    let at = component.name.span;
    let text = |value: &str| Fact::Known(super::text(value, at));

    let namespace = dynamo_namespace(ctx, component);
    set("DYN_NAMESPACE", namespace.clone());
    set("DYN_COMPONENT", text(type_name(kind)));
    set("DYN_PARENT_DGD_K8S_NAME", object_name(ctx).map_or_else(Fact::Dynamic, text));
    set("DYN_PARENT_DGD_K8S_NAMESPACE", k8s_namespace(ctx).map_or_else(Fact::Dynamic, |name| text(&name)));
    for (name, path) in
        [("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace"), ("POD_UID", "metadata.uid")]
    {
        set(name, Fact::Dynamic(Reason::Downward(path.to_owned())));
    }
    if discovery_backend(ctx, component) != "etcd" {
        set("DYN_DISCOVERY_BACKEND", text("kubernetes"));
    }
    for (name, value) in ctx.options.cluster.infrastructure() {
        set(name, text(value));
    }
    if annotation(ctx, component, DISCOVERY_MODE) == Some("container") {
        set("CONTAINER_NAME", text("main"));
        set("DYN_KUBE_DISCOVERY_MODE", text("container"));
    }
    match kind {
        ComponentType::Frontend => {
            set("DYNAMO_PORT", text("8000"));
            set("DYN_HTTP_PORT", text("8000"));
            set("DYN_NAMESPACE_PREFIX", namespace);
        }
        ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode => {
            set("DYN_SYSTEM_ENABLED", text("true"));
            set("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", text("[\"generate\"]"));
            set("DYN_SYSTEM_PORT", text("9090"));
            set("DYN_HEALTH_CHECK_ENABLED", text("false"));
            set("NIXL_TELEMETRY_ENABLE", text("n"));
            set("NIXL_TELEMETRY_EXPORTER", text("prometheus"));
            set("NIXL_TELEMETRY_PROMETHEUS_PORT", text("19090"));
            set("DYN_FORWARDPASS_METRIC_PORT", text("20380"));
            // A component that stands alone has no generation of workers to tell apart.
            if ctx.graph.kind != GraphKind::Component {
                let reason = Reason::Cluster("the hash of the workers".to_owned());
                set("DYN_NAMESPACE_WORKER_SUFFIX", Fact::Dynamic(reason));
            }
        }
        ComponentType::Planner => {
            set("PLANNER_PROMETHEUS_PORT", text("9085"));
            set("DYN_SYSTEM_PORT", text("9090"));
        }
        ComponentType::Epp => {
            set("USE_STREAMING", text("true"));
            set("RUST_LOG", text("info"));
            set("DYN_ENFORCE_DISAGG", text("false"));
            set("DYN_NAMESPACE_PREFIX", namespace);
        }
        ComponentType::Unset | ComponentType::Other(_) => {}
    }
}

/// Default `command` and `args` of a component type; `None` when they stand in an object that is not here.
pub(in crate::resolve) fn launch(
    ctx: &Context<'_>,
    kind: &ComponentType,
) -> Option<(&'static [&'static str], Vec<String>)> {
    if ctx.graph.kind == GraphKind::RequestOverride {
        return None;
    }
    Some(match kind {
        ComponentType::Frontend => (&["python3"], vec!["-m".to_owned(), "dynamo.frontend".to_owned()]),
        ComponentType::Epp => (&[], epp_args(ctx)),
        _ => (&["/bin/sh", "-c"], Vec::new()),
    })
}

fn epp_args(ctx: &Context<'_>) -> Vec<String> {
    let namespace = k8s_namespace(ctx).unwrap_or_else(|_| "$(POD_NAMESPACE)".to_owned());
    let pool = format!("{}-pool", ctx.graph.object.name);
    [
        "--pool-name",
        &pool,
        "--pool-namespace",
        &namespace,
        "--pool-group",
        "inference.networking.k8s.io",
        "-v",
        "4",
        "--zap-encoder",
        "json",
        "--grpc-port",
        "9002",
        "--grpc-health-port",
        "9003",
        "--config-file",
        "/etc/epp/epp-config-dynamo.yaml",
    ]
    .map(str::to_owned)
    .to_vec()
}
