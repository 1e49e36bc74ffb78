//! What a pod has that can carry KV cache.

use crate::source::{Fact, Span, Spanned};

/// What kind of fabric a resource stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FabricKind {
    /// `rdma/*`, `*hca*`, `*mlnx*`: InfiniBand or RoCE.
    Rdma,
    /// `networking.gke.io.networks/rdma-N`.
    GkeRdma,
    /// `vpc.amazonaws.com/efa`.
    Efa,
}

/// A device that the pod asks for.
#[derive(Clone, Debug)]
pub struct FabricResource {
    /// Resource name, or the DRA claim's.
    pub name: String,
    /// What it stands for.
    pub kind: FabricKind,
    /// How many.
    pub count: Fact<u32>,
    /// Where it is asked for (the key).
    pub span: Span,
}

/// A DRA claim of the pod.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `resourceClaims[].name`.
    pub name: Spanned<String>,
    /// `resourceClaimTemplateName` or `resourceClaimName`.
    pub template: Option<Spanned<String>>,
    /// The ComputeDomain whose channel template it is: its name, when one is among the manifests.
    pub compute_domain: Option<String>,
    /// Whether it is (or by its name very likely is) a ComputeDomain channel.
    pub channel: bool,
    /// Whether a container of the pod really uses it (`resources.claims`).
    pub used: bool,
}

/// A network between nodes, as a user names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fabrics {
    /// InfiniBand.
    Infiniband,
    /// RDMA over Ethernet.
    Roce,
    /// AWS EFA.
    Efa,
}

impl Fabrics {
    /// Reads `infiniband`, `roce`, `efa`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "infiniband" => Some(Self::Infiniband),
            "roce" => Some(Self::Roce),
            "efa" => Some(Self::Efa),
            _ => None,
        }
    }
}

/// Evidence of a fast path.
#[derive(Clone, Debug, Default)]
pub struct Fabric {
    /// RDMA, RoCE and EFA devices asked for by the containers of the pod, the main one first (limits, then requests).
    pub devices: Vec<FabricResource>,
    /// DRA claims.
    pub claims: Vec<Claim>,
    /// `hostNetwork: true`.
    pub host_network: Option<Span>,
    /// `/dev/infiniband` mounted from the host.
    pub dev_infiniband: Option<Span>,
    /// `privileged: true`.
    pub privileged: Option<Span>,
    /// Capabilities added (`IPC_LOCK`, …).
    pub capabilities: Vec<Spanned<String>>,
    /// A pod annotation that attaches networks (Multus, GKE multi-network).
    pub network_annotation: Option<Span>,
    /// What the user says the nodes have, where no service of the deployment shows anything.
    pub assumed: Option<Fabrics>,
}

impl Fabric {
    /// First device of that kind.
    #[must_use]
    pub fn device(&self, kind: FabricKind) -> Option<&FabricResource> {
        self.devices.iter().find(|d| d.kind == kind)
    }

    /// A claim on a ComputeDomain channel (multi-node NVLink).
    #[must_use]
    pub fn channel(&self) -> Option<&Claim> {
        self.claims.iter().find(|c| c.channel)
    }

    /// Whether anything at all could give the pod an RDMA device, named resource or not.
    #[must_use]
    pub fn may_have_rdma(&self) -> bool {
        !self.devices.is_empty()
            || self.host_network.is_some()
            || self.dev_infiniband.is_some()
            || self.privileged.is_some()
            || self.network_annotation.is_some()
            || self.claims.iter().any(|c| !c.channel)
            || self.assumed.is_some()
    }

    /// Whether the pod is on EFA, asked for or assumed.
    #[must_use]
    pub fn on_efa(&self) -> bool {
        self.device(FabricKind::Efa).is_some() || self.assumed == Some(Fabrics::Efa)
    }

    /// Whether UCX and NCCL find InfiniBand or RoCE, asked for or assumed.
    #[must_use]
    pub fn on_ib(&self) -> bool {
        self.devices.iter().any(|d| matches!(d.kind, FabricKind::Rdma | FabricKind::GkeRdma))
            || matches!(self.assumed, Some(Fabrics::Infiniband | Fabrics::Roce))
    }
}
