//! What a component type brings along before anything the user says: ports, probes, mounts, the pod around them
//! (`component_common.go`, `component_frontend.go`, `component_worker.go`, `component_planner.go`, `component_epp.go`).

use serde_json::{Value, json};

use super::merge::{fixed, put};
use super::{launch, shown_name};
use crate::manifest::{Component, ComponentType};
use crate::resolve::env::Context;
use crate::yaml::Node;

/// Fields of the main container; `env` is added by the caller.
pub(super) fn container(ctx: &Context<'_>, kind: &ComponentType) -> Value {
    let (command, args) = launch(ctx, kind).unwrap_or((&[], Vec::new()));
    let mut out = json!({"name": "main"});
    let mut set = |key: &str, value: Value| put(&mut out, key, value);
    if !command.is_empty() {
        set("command", json!(command));
    }
    if !args.is_empty() {
        set("args", json!(args));
    }
    match kind {
        ComponentType::Frontend => {
            set("ports", json!([port("http", 8000)]));
            set("livenessProbe", probe("/live", "http", Times { delay: 15, period: 10, timeout: 1, failures: 3 }));
            set("readinessProbe", probe("/health", "http", Times { delay: 10, period: 10, timeout: 3, failures: 3 }));
        }
        ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode => {
            set("ports", json!([port("system", 9090), port("nixl", 19_090)]));
            system_probes(&mut set);
        }
        ComponentType::Planner => {
            set("ports", json!([port("metrics", 9085), port("system", 9090)]));
            system_probes(&mut set);
        }
        ComponentType::Epp => {
            set("ports", json!([port("grpc", 9002), port("grpc-health", 9003), port("metrics", 9090)]));
            let check = r#""grpc": {"port": 9003, "service": "inference-extension"}, "periodSeconds": 10"#;
            let steady = fixed(&format!(r#"{{{check}, "initialDelaySeconds": 5}}"#));
            set("livenessProbe", steady.clone());
            set("readinessProbe", steady);
            set("startupProbe", fixed(&format!(r#"{{{check}, "failureThreshold": 180}}"#)));
            set(
                "volumeMounts",
                fixed(
                    r#"[{"name": "epp-config", "mountPath": "/etc/epp", "readOnly": true},
                        {"name": "hf-cache", "mountPath": "/home/nonroot/.cache"}]"#,
                ),
            );
        }
        ComponentType::Unset | ComponentType::Other(_) => {}
    }
    // Go writes an empty `resources` out.
    put(&mut out, "resources", json!({}));
    out
}

/// The pod around it, as merged under the user's.
pub(super) fn pod(ctx: &Context<'_>, component: &Component) -> Value {
    let mut out = fixed(r#"{"restartPolicy": "Always", "terminationGracePeriodSeconds": 60}"#);
    match component.component_type {
        ComponentType::Planner => out["serviceAccountName"] = json!("planner-serviceaccount"),
        ComponentType::Epp => {
            put(&mut out, "serviceAccountName", json!("epp-serviceaccount"));
            put(&mut out, "terminationGracePeriodSeconds", json!(130));
            out["volumes"] = json!([
                {"name": "epp-config", "configMap": epp_config(ctx, component)},
                {"name": "hf-cache", "emptyDir": {}},
            ]);
        }
        _ => {}
    }
    out
}

fn system_probes(set: &mut impl FnMut(&str, Value)) {
    set("livenessProbe", probe("/live", "system", Times { delay: 0, period: 5, timeout: 4, failures: 1 }));
    set("readinessProbe", probe("/health", "system", Times { delay: 0, period: 10, timeout: 4, failures: 3 }));
    set("startupProbe", probe("/live", "system", Times { delay: 0, period: 10, timeout: 5, failures: 720 }));
}

/// Seconds of a probe, and how many failures it takes.
struct Times {
    delay: u32,
    period: u32,
    timeout: u32,
    failures: u32,
}

fn probe(path: &str, port: &str, times: Times) -> Value {
    let mut out = json!({"httpGet": {"path": path, "port": port}});
    if times.delay > 0 {
        put(&mut out, "initialDelaySeconds", json!(times.delay));
    }
    put(&mut out, "periodSeconds", json!(times.period));
    put(&mut out, "timeoutSeconds", json!(times.timeout));
    put(&mut out, "failureThreshold", json!(times.failures));
    out
}

fn port(name: &str, number: u32) -> Value {
    json!({"name": name, "containerPort": number, "protocol": "TCP"})
}

/// The ConfigMap with the endpoint picker's configuration: the user's, else the one that the operator writes from
/// `eppConfig.config`.
fn epp_config(ctx: &Context<'_>, component: &Component) -> Value {
    let field = |key: &str| {
        let reference = component.epp_config.as_ref()?.get("configMapRef")?;
        reference.get(key).and_then(Node::as_text).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let name = field("name").unwrap_or_else(|| format!("{}-epp-config", shown_name(ctx)));
    let key = field("key").unwrap_or_else(|| "epp-config-dynamo.yaml".to_owned());
    json!({"name": name, "items": [{"key": key, "path": "epp-config-dynamo.yaml"}]})
}
