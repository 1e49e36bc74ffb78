//! Volumes and mounts that the operator owns: shared memory, the compilation cache, claims for mounts without a volume.

use serde_json::{Value, json};

use super::merge::{list, name, put, take_list};
use crate::manifest::{Component, quantity};

/// Name of the volume behind `/dev/shm`.
const SHARED_MEMORY: &str = "shared-memory";

/// `/dev/shm` belongs to the operator unless it is switched off: mounts of the user's there are dropped
/// (`shared_memory.go:27-74`).
pub(super) fn shared_memory(component: &Component, pod: &mut Value, main: &mut Value) {
    let size = component.shared_memory.as_ref().map_or("8Gi", |size| size.value.as_str());
    if quantity::parse(size) == Some(0.0) {
        return;
    }
    let mut volumes = take_list(pod, "volumes");
    volumes.retain(|volume| name(volume) != SHARED_MEMORY);
    volumes.push(json!({"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": size}}));
    put(pod, "volumes", Value::Array(volumes));
    let mut mounts = take_list(main, "volumeMounts");
    mounts.retain(|mount| name(mount) != SHARED_MEMORY && path(mount) != "/dev/shm");
    mounts.push(json!({"name": SHARED_MEMORY, "mountPath": "/dev/shm"}));
    put(main, "volumeMounts", Value::Array(mounts));
}

/// The compilation cache's claim and where it is mounted (`graph.go:1849-1935`). What the operator refuses to render is
/// said.
pub(super) fn compilation_cache(claim: &str, at: &str, main: &mut Value) -> Result<(), String> {
    let mut mounts = Vec::new();
    let mut mounted = false;
    for mut mount in take_list(main, "volumeMounts") {
        if name(&mount) == claim && path(&mount).is_empty() {
            put(&mut mount, "mountPath", json!(at));
        }
        if path(&mount) == at {
            if name(&mount) != claim {
                return Err(format!("`{at}` of the compilation cache is taken by volume `{}`", name(&mount)));
            }
            if mount.get("readOnly") == Some(&json!(true)) {
                return Err(format!("the compilation cache at `{at}` is mounted read-only"));
            }
            if std::mem::replace(&mut mounted, true) {
                continue;
            }
        }
        mounts.push(mount);
    }
    if !mounted {
        mounts.push(json!({"name": claim, "mountPath": at}));
    }
    put(main, "volumeMounts", Value::Array(mounts));
    Ok(())
}

/// The volume of the compilation cache.
pub(super) fn cache_volume(claim: &str, pod: &mut Value) {
    if !list(pod, "volumes").iter().any(|volume| name(volume) == claim) {
        push(pod, "volumes", json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}}));
    }
}

/// A mount of the main container without a volume stands for the claim of that name; volumes take the order of the
/// mounts (`graph.go:1937-1974`).
pub(super) fn claims(pod: &mut Value, mounts: &[Value]) {
    let mut rest = take_list(pod, "volumes");
    let mut ordered: Vec<Value> = Vec::new();
    for mount in mounts {
        let wanted = name(mount);
        if wanted.is_empty() || ordered.iter().any(|volume| name(volume) == wanted) {
            continue;
        }
        match rest.iter().position(|volume| name(volume) == wanted) {
            Some(at) => ordered.push(rest.remove(at)),
            None => ordered.push(json!({"name": wanted, "persistentVolumeClaim": {"claimName": wanted}})),
        }
    }
    ordered.extend(rest);
    if !ordered.is_empty() {
        put(pod, "volumes", Value::Array(ordered));
    }
}

/// Appends to a list field.
pub(super) fn push(object: &mut Value, key: &str, item: Value) {
    let mut items = take_list(object, key);
    items.push(item);
    put(object, key, Value::Array(items));
}

/// `mountPath`
pub(super) fn path(mount: &Value) -> &str {
    mount.get("mountPath").and_then(Value::as_str).unwrap_or_default()
}
