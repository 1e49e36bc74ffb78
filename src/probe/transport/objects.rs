//! What of a pod or service the probes read; nothing else of it is kept.

use k8s_openapi::api::core::v1 as core;
use serde::{Deserialize, Serialize};

use super::Labels;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Labels.
    #[serde(default)]
    pub labels: Labels,
    /// Node that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`.
    pub phase: String,
    /// Whether its `Ready` condition holds.
    pub ready: bool,
    /// Whether it is being deleted.
    #[serde(default)]
    pub terminating: bool,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The container that `kubectl exec` would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_container: Option<String>,
    /// Containers that keep running, init containers with `restartPolicy: Always` included (behind the others).
    pub containers: Vec<Container>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image as the pod asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// `command` of the pod; empty when the image's entry point is used.
    #[serde(default)]
    pub command: Vec<String>,
    /// `args` of the pod.
    #[serde(default)]
    pub args: Vec<String>,
    /// `env` of the pod, in its order.
    #[serde(default)]
    pub env: Vec<EnvEntry>,
    /// Sources of `envFrom`: `configmap/NAME`, `secret/NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<String>,
    /// `containerPort`s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// `resources.limits`, then `requests` that have no limit.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub resources: Labels,
    /// Why it waits or ended (`CrashLoopBackOff`); none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_running: Option<String>,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: i32,
}

/// An entry of `env`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvEntry {
    /// Name.
    pub name: String,
    /// Its value, `$(…)` not expanded; none for `valueFrom`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What `valueFrom` refers to: `secret/NAME`, `configmap/NAME/KEY`, `field/PATH`, `resource/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number.
    pub port: i32,
    /// Of a service: the port of the pods, number or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Which pods stand behind it.
    #[serde(default)]
    pub selector: Labels,
    /// Ports.
    pub ports: Vec<Port>,
}

impl Pod {
    /// The container with that name, or without one the default container.
    #[must_use]
    pub fn container(&self, name: Option<&str>) -> Option<&Container> {
        match name.or(self.default_container.as_deref()) {
            Some(name) => self.containers.iter().find(|c| c.name == name),
            None => self.containers.first(),
        }
    }

    /// `namespace/name`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// A selector for labels: `a=b,c=d`.
    #[must_use]
    pub fn selector(labels: &Labels) -> String {
        labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(",")
    }
}

impl From<core::Pod> for Pod {
    fn from(pod: core::Pod) -> Self {
        let (meta, spec, status) = (pod.metadata, pod.spec.unwrap_or_default(), pod.status.unwrap_or_default());
        // As kubectl: the annotation, else the first container.
        let wanted = meta.annotations.unwrap_or_default().remove("kubectl.kubernetes.io/default-container");
        let restartable = spec.init_containers.unwrap_or_default().into_iter();
        let sidecars = restartable.filter(|c| c.restart_policy.as_deref() == Some("Always"));
        let statuses = [status.container_statuses, status.init_container_statuses];
        let statuses: Vec<core::ContainerStatus> = statuses.into_iter().flatten().flatten().collect();
        let containers: Vec<Container> =
            spec.containers.into_iter().chain(sidecars).map(|c| container(c, &statuses)).collect();
        let default_container = wanted
            .filter(|name| containers.iter().any(|c| c.name == *name))
            .or_else(|| containers.first().map(|c| c.name.clone()));
        let ready = status.conditions.unwrap_or_default().iter().any(|c| c.type_ == "Ready" && c.status == "True");
        Self {
            namespace: meta.namespace.unwrap_or_default(),
            name: meta.name.unwrap_or_default(),
            labels: meta.labels.unwrap_or_default(),
            node: spec.node_name,
            phase: status.phase.unwrap_or_else(|| "Unknown".to_owned()),
            ready,
            terminating: meta.deletion_timestamp.is_some(),
            ip: status.pod_ip,
            default_container,
            containers,
        }
    }
}

fn container(container: core::Container, statuses: &[core::ContainerStatus]) -> Container {
    let status = statuses.iter().find(|s| s.name == container.name);
    let not_running = status.and_then(|status| {
        let state = status.state.as_ref()?;
        if state.running.is_some() {
            return None;
        }
        let waiting = state.waiting.as_ref().and_then(|w| w.reason.clone());
        let ended = state.terminated.as_ref().map(|t| t.reason.clone().unwrap_or_else(|| "Terminated".to_owned()));
        Some(waiting.or(ended).unwrap_or_else(|| "Waiting".to_owned()))
    });
    let resources = container.resources.unwrap_or_default();
    let mut quantities = Labels::new();
    for (name, quantity) in resources.requests.into_iter().chain(resources.limits).flatten() {
        quantities.insert(name, quantity.0);
    }
    let sources = container.env_from.unwrap_or_default().into_iter().map(|source| {
        let map = source.config_map_ref.map(|r| format!("configmap/{}", r.name));
        let secret = source.secret_ref.map(|r| format!("secret/{}", r.name));
        map.or(secret).unwrap_or_default()
    });
    Container {
        name: container.name,
        image: container.image,
        command: container.command.unwrap_or_default(),
        args: container.args.unwrap_or_default(),
        env: container.env.unwrap_or_default().into_iter().map(entry).collect(),
        env_from: sources.collect(),
        ports: container
            .ports
            .unwrap_or_default()
            .into_iter()
            .map(|p| Port { name: p.name, port: p.container_port, target: None })
            .collect(),
        resources: quantities,
        not_running,
        restarts: status.map_or(0, |s| s.restart_count),
    }
}

fn entry(var: core::EnvVar) -> EnvEntry {
    let from = var.value_from.map(|source| {
        let secret = source.secret_key_ref.map(|r| format!("secret/{}", r.name));
        let map = source.config_map_key_ref.map(|r| format!("configmap/{}/{}", r.name, r.key));
        let field = source.field_ref.map(|r| format!("field/{}", r.field_path));
        let resource = source.resource_field_ref.map(|r| format!("resource/{}", r.resource));
        secret.or(map).or(field).or(resource).unwrap_or_else(|| "unknown".to_owned())
    });
    // An entry with neither has the empty value.
    let value = if from.is_some() { None } else { Some(var.value.unwrap_or_default()) };
    EnvEntry { name: var.name, value, from }
}

impl From<core::Service> for Service {
    fn from(service: core::Service) -> Self {
        let spec = service.spec.unwrap_or_default();
        let ports = spec.ports.unwrap_or_default().into_iter().map(|p| Port {
            name: p.name,
            port: p.port,
            target: p.target_port.map(|target| match target {
                k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(n) => n.to_string(),
                k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::String(s) => s,
            }),
        });
        Self {
            namespace: service.metadata.namespace.unwrap_or_default(),
            name: service.metadata.name.unwrap_or_default(),
            selector: spec.selector.unwrap_or_default(),
            ports: ports.collect(),
        }
    }
}
