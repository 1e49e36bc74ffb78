//! Which pods a probe looks into.

use std::fmt::Write as _;

use super::transport::Pod;
use super::{Bounds, Check, Layer, Place, Status, Transport, Trouble, TroubleKind};

/// The operator's label with the name of the graph, on every pod of it (`consts.go`: `KubeLabelDynamoGraphDeploymentName`).
pub const DEPLOYMENT: &str = "nvidia.com/dynamo-graph-deployment-name";
/// The operator's label with the name of the service.
pub const COMPONENT: &str = "nvidia.com/dynamo-component";
/// The operator's label with the component type: `frontend`, `worker`, `planner`, …; from v1beta1 on also `prefill` and
/// `decode`.
pub const COMPONENT_TYPE: &str = "nvidia.com/dynamo-component-type";
/// The operator's label with `prefill` or `decode`.
pub const SUB_COMPONENT_TYPE: &str = "nvidia.com/dynamo-sub-component-type";

/// What is looked into.
#[derive(Clone, Debug, Default)]
pub struct Aim {
    /// Namespace.
    pub namespace: String,
    /// One pod.
    pub pod: Option<String>,
    /// A container of it, or of every pod.
    pub container: Option<String>,
    /// All pods of a deployment.
    pub deployment: Option<String>,
}

impl Pod {
    /// Name of the service that it belongs to.
    #[must_use]
    pub fn component(&self) -> Option<&str> {
        self.labels.get(COMPONENT).map(String::as_str)
    }

    /// Component type in lower case.
    #[must_use]
    pub fn component_type(&self) -> Option<String> {
        self.labels.get(COMPONENT_TYPE).map(|t| t.to_ascii_lowercase())
    }

    /// `prefill`, `decode`, or none: by the operator's labels, never by the pod's name.
    #[must_use]
    pub fn disaggregated_role(&self) -> Option<&str> {
        let known = |role: &&str| matches!(*role, "prefill" | "decode");
        let sub = self.labels.get(SUB_COMPONENT_TYPE).map(String::as_str).filter(known);
        sub.or_else(|| self.labels.get(COMPONENT_TYPE).map(String::as_str).filter(known))
    }

    /// Whether it runs an engine: not a frontend, planner or endpoint picker. A pod without the label counts as one.
    #[must_use]
    pub fn is_worker(&self) -> bool {
        self.component_type().is_none_or(|t| matches!(t.as_str(), "worker" | "prefill" | "decode" | "encode"))
    }

    /// Why nothing can be executed in it; none when something can.
    ///
    /// # Errors
    /// When its phase, its deletion or the container's state stands against it, or it has no such container.
    pub fn usable(&self, container: Option<&str>) -> Result<(), Trouble> {
        let Some(container) = self.container(container) else {
            let mut message = format!("pod {} has no container `{}`", self.path(), container.unwrap_or_default());
            let names: Vec<String> = self.containers.iter().map(|c| format!("`{}`", c.name)).collect();
            let _ = write!(message, "; it has {}", names.join(", "));
            return Err(Trouble::new(TroubleKind::NoContainer, message));
        };
        if self.terminating {
            return Err(Trouble::new(TroubleKind::NotReady, format!("pod {} is being deleted", self.path())));
        }
        if let Some(why) = &container.not_running {
            let message = format!("container `{}` of pod {} does not run: {why}", container.name, self.path());
            return Err(Trouble::new(TroubleKind::NotReady, message));
        }
        if self.phase != "Running" {
            return Err(Trouble::new(TroubleKind::NotReady, format!("pod {} is {}", self.path(), self.phase)));
        }
        Ok(())
    }

    /// Where to execute.
    #[must_use]
    pub fn place(&self, container: Option<&str>) -> Place {
        Place::Pod {
            namespace: self.namespace.clone(),
            pod: self.name.clone(),
            container: container.map(str::to_owned).or_else(|| self.default_container.clone()),
        }
    }
}

/// All pods of a deployment, by the operator's label.
///
/// # Errors
/// When the API server does not list them, or there are none.
pub async fn of_deployment(
    transport: &dyn Transport,
    namespace: &str,
    deployment: &str,
    bounds: Bounds,
) -> Result<Vec<Pod>, Trouble> {
    let pods = transport.pods(namespace, &format!("{DEPLOYMENT}={deployment}"), bounds).await?;
    if pods.is_empty() {
        let message = format!("no pod of a deployment `{deployment}` in namespace `{namespace}`");
        return Err(Trouble::new(TroubleKind::NotFound, message));
    }
    Ok(pods)
}

/// The pods that are meant; none when no pod is named at all.
///
/// # Errors
/// When the API server does not give them.
pub async fn of(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> Result<Option<Vec<Pod>>, Trouble> {
    if let Some(deployment) = &aim.deployment {
        return of_deployment(transport, &aim.namespace, deployment, bounds).await.map(Some);
    }
    match &aim.pod {
        Some(pod) => Ok(Some(vec![transport.pod(&aim.namespace, pod, bounds).await?])),
        None => Ok(None),
    }
}

/// A check that a trouble ends.
#[must_use]
pub fn failed(name: &str, trouble: &Trouble) -> Check {
    Check::new(name, Layer::Capability, Status::Fail, trouble.message.clone()).then(trouble.next())
}
