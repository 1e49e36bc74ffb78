//! The programs that probes run: a closed list, so that nothing else can ever be sent to a container. All of them read
//! and print; only [`Program::TransferTarget`] and [`Program::TransferInitiator`], which a user has to ask for, move bytes.

use serde::{Deserialize, Serialize};

/// How the names of variables start that steer transport and routing. No other variable is read from a process.
pub const VARIABLES: [&str; 22] = [
    "UCX_",
    "NIXL_",
    "NCCL_",
    "FI_",
    "OFI_NCCL_",
    "MC_",
    "NVSHMEM_",
    "GLOO_",
    "DYN_",
    "DYNAMO_",
    "KVBM_",
    "VLLM_",
    "SGLANG_",
    "TRTLLM_",
    "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ALLOC_CONF",
    "NVIDIA_",
    "CUDA_VISIBLE_DEVICES",
    "LD_LIBRARY_PATH",
    "NATS_SERVER",
    "ETCD_ENDPOINTS",
    "MODEL_EXPRESS_URL",
];

/// Whether a variable steers transport or routing.
#[must_use]
pub fn steers(name: &str) -> bool {
    VARIABLES.iter().any(|prefix| name.starts_with(prefix))
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Program {
    /// Devices, modules, limits and the tools that describe them.
    Node,
    /// Argv of the Dynamo process and its variables of transport and router: [`VARIABLES`].
    Environ,
    /// NIXL's packages, plugins and tools, and what `ucx_info` says.
    Nixl,
    /// The side of a transfer that owns the bytes. A user has to ask for it.
    TransferTarget(Transfer),
    /// The side of a transfer that reads them.
    TransferInitiator(Transfer),
}

/// A transfer between two places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Address that the target listens on.
    pub address: String,
    /// TCP port on which the two sides find each other.
    pub port: u16,
    /// How much is moved.
    pub bytes: u64,
    /// In what memory.
    pub memory: Memory,
    /// Longest time; no part of what a snapshot knows the transfer by.
    #[serde(skip)]
    pub seconds: u64,
}

/// Memory that a transfer reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// Of the host.
    Dram,
    /// Of the first GPU; needs torch in the image.
    Vram,
}

impl Memory {
    /// Lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dram => "dram",
            Self::Vram => "vram",
        }
    }
}

impl Program {
    /// Its name in snapshots and messages.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Environ => "environ",
            Self::Nixl => "nixl",
            Self::TransferTarget(_) => "transfer-target",
            Self::TransferInitiator(_) => "transfer-initiator",
        }
    }

    /// What is executed. Arguments that come from outside are arguments, never part of a script.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        let shell = |script: &str| vec!["sh".to_owned(), "-c".to_owned(), script.to_owned(), "dynlint".to_owned()];
        match self {
            Self::Node => shell(include_str!("scripts/node.sh")),
            Self::Environ => {
                let mut argv = shell(include_str!("scripts/environ.sh"));
                argv.extend(VARIABLES.iter().map(|prefix| (*prefix).to_owned()));
                argv
            }
            Self::Nixl => shell(include_str!("scripts/nixl.sh")),
            Self::TransferTarget(transfer) => transfer.argv("target"),
            Self::TransferInitiator(transfer) => transfer.argv("initiator"),
        }
    }
}

impl Transfer {
    fn argv(&self, role: &str) -> Vec<String> {
        let Self { address, port, bytes, memory, seconds } = self;
        let script = include_str!("scripts/transfer.py");
        let words = ["python3", "-u", "-c", script, role, address];
        let numbers = [port.to_string(), bytes.to_string(), seconds.to_string(), memory.as_str().to_owned()];
        words.map(str::to_owned).into_iter().chain(numbers).collect()
    }
}
