//! The GPU memory service within a pod: its server, and the claim by which all share the GPUs (`gms/gms.go`,
//! `dra.go:44-101`).

use serde_json::{Value, json};

use super::forced::CONTROL;
use super::merge::{list, name, put, take_list};
use super::volumes::push;
use crate::resolve::version::is_gpu;

/// The pod's claim that stands for its GPUs.
const CLAIM: &str = "intrapod-shared-gpu";
/// The volume with the sockets of the service.
const VOLUME: &str = "gms-intrapod-control";
/// The init container that serves as long as the pod lives.
const SERVER: &str = "gms-server";
/// Where the server says that it is ready.
const READY: &str = "gms-ready";

/// Lets the main container and `clients` among the others take their GPUs from the service. `template` is the claim
/// template that the operator makes for the component.
pub(super) fn share(main: &mut Value, others: &mut [Value], clients: &[String], template: &str, pod: &mut Value) {
    let image = main.get("image").cloned();
    client(main);
    for container in others.iter_mut().filter(|c| clients.iter().any(|client| client == name(c))) {
        client(container);
    }
    push(pod, "volumes", json!({"name": VOLUME, "emptyDir": {}}));
    // The device plugin adds this toleration, claims do not.
    push(pod, "tolerations", json!({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}));
    push(pod, "resourceClaims", json!({"name": CLAIM, "resourceClaimTemplateName": template}));
    let mut server = json!({
        "name": SERVER,
        "command": ["python3", "-m", "gpu_memory_service.cli.server"],
        "env": [{"name": "GMS_SOCKET_DIR", "value": CONTROL}],
        "resources": {"claims": [{"name": CLAIM}]},
        "volumeMounts": [{"name": VOLUME, "mountPath": CONTROL}],
        "startupProbe": {
            "exec": {"command": ["test", "-f", format!("{CONTROL}/{READY}")]},
            "periodSeconds": 1, "failureThreshold": 300,
        },
        "restartPolicy": "Always",
    });
    if let Some(image) = image {
        put(&mut server, "image", image);
    }
    if !list(pod, "initContainers").iter().any(|container| name(container) == SERVER) {
        push(pod, "initContainers", server);
    }
}

/// Scalar GPUs become the claim; the sockets are mounted and named.
fn client(container: &mut Value) {
    let mut resources = container.get("resources").cloned().unwrap_or_else(|| json!({}));
    for side in ["limits", "requests"] {
        if let Some(map) = resources.get_mut(side).and_then(Value::as_object_mut) {
            map.retain(|key, _| !is_gpu(key));
        }
    }
    push(&mut resources, "claims", json!({"name": CLAIM}));
    put(container, "resources", resources);
    if !list(container, "volumeMounts").iter().any(|mount| name(mount) == VOLUME) {
        push(container, "volumeMounts", json!({"name": VOLUME, "mountPath": CONTROL}));
    }
    let mut env = take_list(container, "env");
    env.retain(|entry| name(entry) != "GMS_SOCKET_DIR");
    env.push(json!({"name": "GMS_SOCKET_DIR", "value": CONTROL}));
    put(container, "env", Value::Array(env));
}
