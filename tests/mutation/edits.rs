//! Changes that need more than a variable or a flag, each to one service (or to what stands beside it).

use regex_lite::Regex;
use serde_yaml::{Mapping, Value};

use super::manifest::{Manifest, Op};

/// Takes the pod's claims away, and the container's use of them.
pub fn no_claims(manifest: &mut Manifest, service: &str) -> Option<()> {
    manifest.pod(service)?.remove("resourceClaims")?;
    manifest.container(service)?.get_mut("resources")?.as_mapping_mut()?.remove("claims")?;
    Some(())
}

/// Another name for the template of a claim.
pub fn another_template(manifest: &mut Manifest, service: &str) -> Option<()> {
    let claims = manifest.pod(service)?.get_mut("resourceClaims")?.as_sequence_mut()?;
    let name = claims.iter_mut().find_map(|c| c.get_mut("resourceClaimTemplateName"))?;
    *name = format!("{}x", name.as_str()?).into();
    Some(())
}

/// One node more for every ComputeDomain that counts its own.
pub fn one_node_more(manifest: &mut Manifest, _: &str) -> Option<()> {
    let mut done = None;
    for document in manifest.documents().iter_mut().filter(|d| d["kind"] == "ComputeDomain") {
        let Some(number) = document.get_mut("spec").and_then(|s| s.get_mut("numNodes")) else { continue };
        if let Some(n) = number.as_u64().filter(|n| *n > 0) {
            *number = (n + 1).into();
            done = Some(());
        }
    }
    done
}

/// The deployment a second time, under its name and `-2`.
pub fn twin(manifest: &mut Manifest, _: &str) -> Option<()> {
    let mut twin = manifest.graph().clone();
    // A namespace of its own keeps them apart.
    if serde_yaml::to_string(&twin).is_ok_and(|text| text.contains("amespace: ")) {
        return None;
    }
    let name = twin.get_mut("metadata")?.get_mut("name")?;
    *name = format!("{}-2", name.as_str().filter(|n| !n.contains('$'))?).into();
    manifest.documents().push(twin);
    Some(())
}

/// Takes the security contexts of pod and container away. Where the script raises the limit itself, that is no mistake.
pub fn no_security_context(manifest: &mut Manifest, service: &str) -> Option<()> {
    if serde_yaml::to_string(manifest.container(service)?).is_ok_and(|text| text.contains("ulimit -l")) {
        return None;
    }
    let pod = manifest.pod(service)?.remove("securityContext");
    let container = manifest.container(service)?.remove("securityContext");
    pod.or(container).map(|_| ())
}

/// Takes the annotation away that attaches the interfaces of GKE's networks.
pub fn no_interfaces(manifest: &mut Manifest, service: &str) -> Option<()> {
    let map = manifest.service(service)?;
    let metadata = match map.get_mut("podTemplate") {
        Some(template) => template.get_mut("metadata")?,
        None => map.get_mut("extraPodMetadata")?,
    };
    metadata.get_mut("annotations")?.as_mapping_mut()?.remove("networking.gke.io/interfaces").map(|_| ())
}

/// Asks for one RDMA device more than the limit allows.
pub fn more_devices_than_the_limit(manifest: &mut Manifest, service: &str) -> Option<()> {
    let alpha = manifest.service(service)?.get("resources").is_some_and(|r| r.get("limits").is_some());
    let resources = if alpha {
        manifest.service(service)?.get_mut("resources")?
    } else {
        manifest.container(service)?.get_mut("resources")?
    };
    let mut limits = resources.get("limits")?.as_mapping()?;
    if alpha {
        limits = limits.get("custom")?.as_mapping()?;
    }
    let name = limits.keys().find(|k| k.as_str().is_some_and(|k| k.starts_with("rdma/")))?.clone();
    let mut requests = resources.as_mapping_mut()?.entry("requests".into()).or_insert_with(|| Mapping::new().into());
    if alpha {
        requests = requests.as_mapping_mut()?.entry("custom".into()).or_insert_with(|| Mapping::new().into());
    }
    requests.as_mapping_mut()?.insert(name, "77".into());
    Some(())
}

/// Takes variables away: the container's, and the graph's for all.
fn without(manifest: &mut Manifest, service: &str, names: &[&str]) -> Option<()> {
    let mut gone = 0;
    let mut clean = |list: Option<&mut Value>| {
        let Some(list) = list.and_then(Value::as_sequence_mut) else { return };
        gone += list.len();
        list.retain(|e| !e["name"].as_str().is_some_and(|name| names.contains(&name)));
        gone -= list.len();
    };
    clean(manifest.container(service)?.get_mut("env"));
    for key in ["env", "envs"] {
        clean(manifest.graph().get_mut("spec")?.get_mut(key));
    }
    (gone > 0).then_some(())
}

/// Takes `UCX_TLS` away.
pub fn no_ucx_tls(manifest: &mut Manifest, service: &str) -> Option<()> {
    without(manifest, service, &["UCX_TLS"])
}

/// Takes away what puts KV cache into memory that another node can map.
pub fn no_fabric_memory(manifest: &mut Manifest, service: &str) -> Option<()> {
    let names = [
        "SGLANG_MOONCAKE_CUSTOM_MEM_POOL",
        "SGLANG_NIXL_VMM_MEM_POOL",
        "PYTORCH_CUDA_ALLOC_CONF",
        "PYTORCH_ALLOC_CONF",
        "VLLM_KV_CACHE_FABRIC",
        "TRTLLM_KVCACHE_POOL_USE_FABRIC_MEMORY",
    ];
    without(manifest, service, &names)
}

/// A variable of NCCL that the script exports, in front of everything else.
pub fn export_in_script(manifest: &mut Manifest, service: &str) -> Option<()> {
    let container = manifest.container(service)?;
    for key in ["command", "args"] {
        let Some(list) = container.get_mut(key).and_then(Value::as_sequence_mut) else { continue };
        if let Some(Value::String(script)) =
            list.iter_mut().find(|w| w.as_str().is_some_and(|w| w.contains("dynamo.trtllm") && w.contains(' ')))
        {
            *script = format!("export NCCL_DEBUG_SUBSYS=INIT\n{script}");
            return Some(());
        }
    }
    None
}

/// Another engine's module, of one that cannot publish KV events.
pub fn tokenspeed(manifest: &mut Manifest, service: &str) -> Option<()> {
    let container = manifest.container(service)?;
    let mut done = None;
    for key in ["command", "args"] {
        for word in container.get_mut(key).and_then(Value::as_sequence_mut).into_iter().flatten() {
            if let Some(text) = word.as_str().filter(|t| *t == "dynamo.vllm") {
                *word = text.replace("dynamo.vllm", "dynamo.tokenspeed").into();
                done = Some(());
            }
        }
    }
    done
}

/// A release whose KV events a router of 1.4 and later does not hear.
pub fn older_image(manifest: &mut Manifest, service: &str) -> Option<()> {
    let image = manifest.container(service)?.get_mut("image")?;
    let (name, _) = image.as_str()?.rsplit_once(':')?;
    *image = format!("{name}:1.3.1").into();
    Some(())
}

/// Every sidecar that is told to take the picker's choice chooses itself.
pub fn sidecar_chooses(manifest: &mut Manifest, service: &str) -> Option<()> {
    let pod = manifest.pod(service)?;
    let mut done = None;
    for container in pod.get_mut("containers")?.as_sequence_mut()?.iter_mut().filter(|c| c["name"] != "main") {
        for word in container.get_mut("args").and_then(Value::as_sequence_mut).into_iter().flatten() {
            if word.as_str() == Some("direct") {
                *word = "kv".into();
                done = Some(());
            } else if word.as_str() == Some("--router-mode=direct") {
                *word = "--router-mode=kv".into();
                done = Some(());
            }
        }
        for entry in container.get_mut("env").and_then(Value::as_sequence_mut).into_iter().flatten() {
            if entry["name"] == "DYN_ROUTER_MODE" {
                entry.as_mapping_mut()?.insert("value".into(), "kv".into());
                done = Some(());
            }
        }
    }
    done
}

/// A second service like it.
pub fn second(manifest: &mut Manifest, service: &str) -> Option<()> {
    let mut copy = manifest.service(service)?.clone();
    let name = format!("{service}-two");
    let spec = manifest.graph().get_mut("spec")?;
    if let Some(services) = spec.get_mut("services") {
        services.as_mapping_mut()?.insert(name.into(), copy.into());
    } else {
        copy.insert("name".into(), name.into());
        spec.get_mut("components")?.as_sequence_mut()?.push(copy.into());
    }
    Some(())
}

/// A value that only a shell would fill in. Where the manifest is a template already, that is no mistake.
pub fn shell_reference(manifest: &mut Manifest, service: &str) -> Option<()> {
    if serde_yaml::to_string(manifest.graph()).is_ok_and(|text| text.contains("${") || text.contains("{{")) {
        return None;
    }
    manifest.apply(service, &Op::Env("NCCL_SOCKET_IFNAME", "${POD_IFNAME}".to_owned()))
}

/// What selects libfabric for the engines of the graph, replaced by a name that none of them reads.
pub fn wrong_selector(manifest: &mut Manifest, _: &str) -> Option<()> {
    let pattern = |p: &str| Regex::new(p).expect("a pattern");
    let before = serde_json::to_string(manifest.graph()).ok()?;
    let named = pattern(r#""(TRTLLM_NIXL_KVCACHE|SGLANG_DISAGGREGATION_NIXL)_BACKEND""#);
    // vLLM's stands in JSON, which is a string here.
    let listed = pattern(r#",\s*\\"kv_connector_extra_config\\":\s*\{\\"backends\\":\s*\[\\"LIBFABRIC\\"\]\}"#);
    let renamed = named.replace_all(&before, r#""NIXL_BACKEND""#);
    let after = listed.replace_all(&renamed, "");
    let graph: Value = serde_json::from_str(&after).ok()?;
    let alpha = graph["spec"].get("services").is_some();
    *manifest.graph() = graph;
    if after == renamed {
        return (before != after).then_some(());
    }
    let mut entry = Mapping::new();
    entry.insert("name".into(), "NIXL_BACKEND".into());
    entry.insert("value".into(), "LIBFABRIC".into());
    let spec = manifest.graph().get_mut("spec")?.as_mapping_mut()?;
    let list = spec.entry(if alpha { "envs" } else { "env" }.into()).or_insert_with(|| Value::Sequence(Vec::new()));
    list.as_sequence_mut()?.push(entry.into());
    Some(())
}
