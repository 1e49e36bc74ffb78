//! What a manifest cannot tell of the cluster it will be applied to.

use super::{Running, Version};

/// The cluster as far as it decides what the operator renders. The defaults are those of a current Dynamo platform
/// chart: Grove installed, discovery through Kubernetes, an operator of 1.0 or later, and neither NATS nor etcd
/// bundled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Namespace of objects that name none; not known when none is given, then nothing is guessed.
    pub namespace: Option<String>,
    /// Whether Grove is installed and the operator uses it. Without it a component over several nodes becomes a
    /// LeaderWorkerSet. The annotation `nvidia.com/enable-grove: "false"` opts a deployment out.
    pub grove: bool,
    /// Version of the operator that creates the deployment. Since 1.0 a vLLM engine over several nodes runs by
    /// multiprocessing, before by Ray (`internal/features/compatibility`). None stands for 1.0 or later.
    pub operator_version: Option<Version>,
    /// The operator's default discovery backend: `kubernetes` or `etcd` (`api/config/v1alpha1/defaults.go:78-81`).
    pub discovery_backend: String,
    /// `infrastructure.natsAddress` of the operator's configuration: sets `NATS_SERVER`.
    pub nats_server: Option<String>,
    /// `infrastructure.etcdAddress`: sets `ETCD_ENDPOINTS`.
    pub etcd_endpoints: Option<String>,
    /// `infrastructure.modelExpressURL`: sets `MODEL_EXPRESS_URL`.
    pub model_express_url: Option<String>,
    /// `infrastructure.prometheusEndpoint`: sets `PROMETHEUS_ENDPOINT`.
    pub prometheus_endpoint: Option<String>,
    /// What a probe saw its services run with.
    pub running: Running,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            namespace: None,
            grove: true,
            operator_version: None,
            discovery_backend: "kubernetes".to_owned(),
            nats_server: None,
            etcd_endpoints: None,
            model_express_url: None,
            prometheus_endpoint: None,
            running: Running::default(),
        }
    }
}

impl Cluster {
    /// The variables that the operator's configuration sets on every main container and frontend sidecar, unless the
    /// manifest does (`graph.go:1565-1595`).
    pub(super) fn infrastructure(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("NATS_SERVER", &self.nats_server),
            ("ETCD_ENDPOINTS", &self.etcd_endpoints),
            ("MODEL_EXPRESS_URL", &self.model_express_url),
            ("PROMETHEUS_ENDPOINT", &self.prometheus_endpoint),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}
