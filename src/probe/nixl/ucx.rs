//! What UCX says: `ucx_info -v`, `ucx_info -d`, and the line about an endpoint's lanes at `UCX_LOG_LEVEL=info`.
//!
//! Formats: UCX 1.18 to 1.23, `src/tools/info/{build_info,tl_info}.c`, `src/ucp/core/ucp_worker.c`
//! (`inter-node cfg#1 rma(rc_mlx5/mlx5_0:1) am(tcp/eth0)`).

/// A transport on a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// `rc_mlx5`, `tcp`, `cma`, …
    pub transport: String,
    /// `mlx5_0:1`, `eth0`, `memory`.
    pub device: String,
}

/// What `ucx_info -d` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Transports, each with its device.
    pub resources: Vec<Resource>,
    /// Whether an InfiniBand memory domain can register CUDA memory: GPUDirect RDMA works.
    pub cuda_on_ib: bool,
}

/// Reads `ucx_info -d`.
#[must_use]
pub fn devices(text: &str) -> Devices {
    let mut devices = Devices::default();
    let (mut transport, mut ib) = (None, false);
    for line in text.lines() {
        let Some((key, value)) = line.trim_start_matches('#').trim().split_once(": ") else { continue };
        let value = value.trim();
        match key.trim() {
            "Component" => ib = value == "ib",
            "Transport" => transport = Some(value.to_owned()),
            "Device" => {
                if let Some(transport) = &transport {
                    devices.resources.push(Resource { transport: transport.clone(), device: value.to_owned() });
                }
            }
            "memory types" => {
                let cuda = value.split("cuda (").nth(1).and_then(|rest| rest.split(')').next());
                devices.cuda_on_ib |= ib && cuda.is_some_and(|verbs| verbs.split(',').any(|v| v.trim() == "reg"));
            }
            _ => {}
        }
    }
    devices
}

/// `# Library version: 1.22.0`.
#[must_use]
pub fn version(text: &str) -> Option<&str> {
    text.lines().find_map(|l| l.trim_start_matches('#').trim().strip_prefix("Library version:")).map(str::trim)
}

/// Class of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// RDMA: InfiniBand, RoCE, EFA.
    Rdma,
    /// NVLink, or PCIe between GPUs.
    CudaIpc,
    /// Memory that two processes of one machine share.
    SharedMemory,
    /// TCP.
    Tcp,
    /// Anything else.
    Other,
}

impl Class {
    /// Of a transport by its name.
    #[must_use]
    pub fn of(transport: &str) -> Self {
        match transport {
            "tcp" => Self::Tcp,
            "cuda_ipc" | "rocm_ipc" | "ze_ipc" => Self::CudaIpc,
            "posix" | "sysv" | "xpmem" | "knem" | "cma" | "self" => Self::SharedMemory,
            t if ["rc_", "dc_", "ud_", "gga_"].iter().any(|p| t.starts_with(p)) || t == "srd" => Self::Rdma,
            _ => Self::Other,
        }
    }

    /// For messages.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rdma => "RDMA",
            Self::CudaIpc => "CUDA IPC",
            Self::SharedMemory => "shared memory",
            Self::Tcp => "TCP",
            Self::Other => "another transport",
        }
    }
}

/// The lanes of the endpoint to the other side, as UCX logs them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Whether UCX takes the other side to be on the same machine.
    pub same_node: bool,
    /// Lanes that remote memory access goes over.
    pub data: Vec<Resource>,
    /// Whether UCX emulates remote memory access by messages.
    pub emulated: bool,
}

impl Lanes {
    /// The fastest class among the lanes.
    #[must_use]
    pub fn class(&self) -> Class {
        self.data.iter().map(|r| Class::of(&r.transport)).min().unwrap_or(Class::Other)
    }

    /// `rc_mlx5/mlx5_0:1, rc_mlx5/mlx5_1:1`.
    #[must_use]
    pub fn text(&self) -> String {
        self.data.iter().map(|r| format!("{}/{}", r.transport, r.device)).collect::<Vec<_>>().join(", ")
    }
}

/// The last line about an endpoint to another process.
#[must_use]
pub fn lanes(log: &str) -> Option<Lanes> {
    let line = log.lines().rev().find(|l| l.contains("-node cfg#"))?;
    let same_node = line.contains("intra-node cfg#");
    let list = |name: &str| -> Vec<Resource> {
        let rest = line.split_once(&format!(" {name}(")).and_then(|(_, rest)| rest.split_once(')'));
        let items = rest.map(|(inside, _)| inside).unwrap_or_default();
        let resource = |item: &str| {
            let (transport, device) = item.split_once('/')?;
            Some(Resource { transport: transport.to_owned(), device: device.to_owned() })
        };
        items.split_whitespace().filter_map(resource).collect()
    };
    // `rma(…)` and `rma_bw(…)` carry the bytes themselves; `rma_am(…)` says that messages do.
    let direct: Vec<Resource> = ["rma_bw", "rma"].into_iter().flat_map(list).collect();
    let emulated = direct.is_empty();
    let mut data = if emulated { ["rma_am", "am", "am_bw"].into_iter().flat_map(list).collect() } else { direct };
    data.sort();
    data.dedup();
    (!data.is_empty()).then_some(Lanes { same_node, data, emulated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_as_real_runs_log_them() {
        // Both of NIXL 1.5.1 with UCX 1.23.0 over loopback.
        let shm = "[1795253361.764134] [vm:6688 :0]  ucp_worker.c:1997 UCX  INFO    dynlint-initiator intra-node cfg#1 rma_am(tcp/lo)  amo_am(tcp/lo)  am(tcp/lo cma/memory)  ka(tcp/lo)";
        let got = lanes(shm).unwrap();
        assert_eq!((got.class(), got.same_node, got.emulated), (Class::SharedMemory, true, true));
        assert_eq!(got.text(), "cma/memory, tcp/lo");
        let tcp = "x intra-node cfg#1 rma_am(tcp/lo)  amo_am(tcp/lo)  am(tcp/lo tcp/eth0)  ka(tcp/lo)";
        assert_eq!(lanes(tcp).unwrap().class(), Class::Tcp);
        // As written in UCX's sources for InfiniBand.
        let ib = "y self cfg#0 rma(self/memory)\nz inter-node cfg#1 rma(rc_mlx5/mlx5_0:1 rc_mlx5/mlx5_1:1)  amo(rc_mlx5/mlx5_0:1)  am(rc_mlx5/mlx5_0:1)  ka(ud_mlx5/mlx5_0:1)";
        let got = lanes(ib).unwrap();
        assert_eq!((got.class(), got.same_node, got.emulated), (Class::Rdma, false, false));
        assert_eq!(got.text(), "rc_mlx5/mlx5_0:1, rc_mlx5/mlx5_1:1");
        assert_eq!(lanes("self cfg#0 am(tcp/lo)"), None);
        assert_eq!(lanes(""), None);
    }

    #[test]
    fn devices_as_ucx_info_lists_them() {
        let text = include_str!("../../../fixtures/probe/tools/ucx_info-d.txt");
        let got = devices(text);
        let has = |t: &str, d: &str| got.resources.iter().any(|r| r.transport == t && r.device == d);
        assert!(has("tcp", "eth0") && has("rc_mlx5", "mlx5_0:1") && has("self", "memory"));
        assert!(got.cuda_on_ib);
        assert!(!devices(&text.replace("cuda (access,reg,cache)", "cuda (access,cache)")).cuda_on_ib);
        assert_eq!(devices("garbage: x\n# Device: y"), Devices::default());
        assert_eq!(version("# Library version: 1.22.0\n# Library path: /x"), Some("1.22.0"));
    }
}
