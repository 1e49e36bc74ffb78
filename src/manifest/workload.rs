//! Native workloads beside a graph: benchmark and download Jobs, bare Pods, Deployments.

use super::{Container, Object, Volume, pod};
use crate::yaml::Node;

/// The pod of a native workload.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its pod spec.
    pub spec: Node,
    /// Containers, as written.
    pub containers: Vec<Container>,
    /// Init containers, as written.
    pub init_containers: Vec<Container>,
    /// Volumes.
    pub volumes: Vec<Volume>,
}

impl Workload {
    /// Reads the pod of a Pod, Job, CronJob, Deployment, StatefulSet, DaemonSet or ReplicaSet, or of the
    /// job of a DynamoCheckpoint; `None` for anything else.
    #[must_use]
    pub fn of_object(object: &Object) -> Option<Self> {
        let path: &[&str] = match object.kind.as_str() {
            "Pod" => &["spec"],
            "Job" | "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => &["spec", "template", "spec"],
            "DynamoCheckpoint" if object.group() == "nvidia.com" => &["spec", "job", "podTemplateSpec", "spec"],
            "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
            _ => return None,
        };
        let spec = object.node.at(path).filter(|n| n.as_map().is_some())?;
        let containers = |key: &str| spec.get(key).into_iter().flat_map(Node::items).map(pod::container).collect();
        Some(Self {
            spec: spec.clone(),
            containers: containers("containers"),
            init_containers: containers("initContainers"),
            volumes: pod::volumes(spec.get("volumes")),
        })
    }
}
