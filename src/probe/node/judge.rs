//! What the facts of a node mean for KV transfer.

use super::facts::{Facts, Memlock};
use super::tools;
use super::topology::Link;
use crate::probe::{Check, Layer, Status};

/// `CAP_IPC_LOCK` (capability.h).
const IPC_LOCK: u32 = 14;

/// Names of the capabilities that matter here, by number.
const CAPABILITIES: [(u32, &str); 4] = [(14, "IPC_LOCK"), (21, "SYS_ADMIN"), (23, "SYS_NICE"), (24, "SYS_RESOURCE")];

/// Below this, engines and NCCL run out of shared memory: a container has 64 MiB unless told otherwise.
const SHM: u64 = 1 << 30;

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(name, Layer::Capability, status, detail)
}

/// All checks, always the same ones in the same order.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Check> {
    vec![
        infiniband(facts),
        access(facts),
        verbs(facts),
        efa(facts),
        gpudirect(facts),
        gdrcopy(facts),
        nvlink(facts),
        affinity(facts),
        imex(facts),
        shared_memory(facts),
        memlock(facts),
        capabilities(facts),
    ]
}

fn rdma(facts: &Facts) -> bool {
    facts.devices.as_ref().is_some_and(|d| !d.is_empty())
}

fn infiniband(facts: &Facts) -> Check {
    const NAME: &str = "infiniband";
    let Some(devices) = &facts.devices else {
        return check(NAME, Status::Skipped, "the list of RDMA devices did not come whole");
    };
    if devices.is_empty() {
        return check(NAME, Status::Warn, "no RDMA device: KV transfer to other nodes can only go over TCP").then(
            "request the cluster's RDMA resource (`rdma/…`, `vpc.amazonaws.com/efa`) for prefill and decode alike",
        );
    }
    let ports = || devices.iter().flat_map(|d| d.ports.iter().map(move |p| (d, p)));
    let lines = ports().map(|(device, port)| {
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
        format!(
            "{}:{} {} {} {} {}",
            device.name,
            port.number,
            device.kind(),
            part(&port.state),
            part(&port.physical),
            part(&port.rate)
        )
    });
    let lines: Vec<String> = lines.collect();
    let (all, active) = (ports().count(), ports().filter(|(_, p)| p.active()).count());
    let unknown = ports().filter(|(_, p)| p.state.is_none()).count();
    let mut kinds: Vec<&str> = devices.iter().map(super::sysfs::Device::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let what = kinds.join(" and ");
    let result = if active == 0 && unknown > 0 {
        check(NAME, Status::Skipped, format!("{what}: the state of {unknown} of {all} ports may not be read"))
    } else if active == 0 {
        check(NAME, Status::Fail, format!("{what}: none of {all} ports is active"))
            .then("ask the cluster's administrator: cable, switch port or subnet manager; `ibstat` on the node")
    } else {
        check(NAME, Status::Ok, format!("{what}: {active} of {all} ports active"))
    };
    result.seen(lines)
}

fn access(facts: &Facts) -> Check {
    const NAME: &str = "rdma-access";
    if facts.files.is_none() {
        return check(NAME, Status::Skipped, "the list of device files did not come whole");
    }
    let files: Vec<&str> = facts.files_under("/dev/infiniband/").collect();
    let verbs = files.iter().filter(|f| f.contains("/uverbs")).count();
    if !rdma(facts) && verbs == 0 {
        return check(NAME, Status::Skipped, "no RDMA device to have access to");
    }
    if verbs == 0 {
        return check(NAME, Status::Fail, "the node has RDMA devices, but no `/dev/infiniband/uverbs*` is here")
            .then("request the RDMA resource of the cluster's device plugin in the container's `resources.limits`");
    }
    check(NAME, Status::Ok, format!("{verbs} `/dev/infiniband/uverbs*`")).seen(files)
}

fn verbs(facts: &Facts) -> Check {
    const NAME: &str = "verbs-tools";
    let silences: Vec<String> = [("ibv_devinfo", &facts.ibv_devinfo), ("ibstat", &facts.ibstat)]
        .iter()
        .filter_map(|(name, tool)| tool.silence(name))
        .collect();
    let listed = |tool: &super::facts::Tool, read: fn(&str) -> Vec<super::sysfs::Device>| {
        tool.said().map(read).filter(|list| !list.is_empty())
    };
    let by = listed(&facts.ibv_devinfo, tools::ibv_devinfo).map(|list| ("ibv_devinfo", list));
    let by = by.or_else(|| listed(&facts.ibstat, tools::ibstat).map(|list| ("ibstat", list)));
    if let Some((tool, list)) = by {
        let active = list.iter().filter(|d| d.ports.iter().any(super::sysfs::Port::active)).count();
        let lines = list.iter().map(|d| d.name.clone());
        return check(NAME, Status::Ok, format!("`{tool}` opens {} devices, {active} active", list.len())).seen(lines);
    }
    let detail = if silences.is_empty() { "the tools list no device".to_owned() } else { silences.join("; ") };
    let broken = matches!(facts.ibv_devinfo, super::facts::Tool::Failed(..)) && rdma(facts);
    if broken {
        return check(NAME, Status::Warn, detail)
            .then("the kernel has devices that verbs cannot open: check `rdma-access`");
    }
    check(NAME, Status::Skipped, detail)
}

fn efa(facts: &Facts) -> Check {
    const NAME: &str = "efa";
    let devices = facts.devices.iter().flatten().filter(|d| d.kind() == "EFA").count();
    match facts.fi_info.said().map(tools::efa_domains) {
        Some(domains) if !domains.is_empty() => {
            check(NAME, Status::Ok, format!("libfabric sees {} EFA domains", domains.len())).seen(domains)
        }
        _ if devices == 0 => check(NAME, Status::Skipped, "no EFA device"),
        Some(_) => check(NAME, Status::Fail, format!("{devices} EFA devices, but libfabric offers none")),
        None => {
            let why = facts.fi_info.silence("fi_info").unwrap_or_default();
            check(NAME, Status::Skipped, format!("{devices} EFA devices; {why}"))
        }
    }
}

fn gpudirect(facts: &Facts) -> Check {
    const NAME: &str = "gpudirect-rdma";
    match facts.gpus() {
        None => return check(NAME, Status::Skipped, "whether there is a GPU is unknown"),
        Some(0) => return check(NAME, Status::Skipped, "no GPU here"),
        Some(_) => {}
    }
    if !rdma(facts) {
        return check(NAME, Status::Skipped, "no RDMA device here");
    }
    let peer = ["nvidia_peermem", "nv_peer_mem"].into_iter().find(|name| facts.module(name));
    if let Some(name) = peer {
        return check(NAME, Status::Ok, format!("module `{name}` is loaded"));
    }
    if facts.peer_memory {
        return check(NAME, Status::Ok, "`nv_mem` is registered as a memory peer");
    }
    if facts.modules.is_none() {
        return check(NAME, Status::Skipped, "the list of kernel modules did not come whole");
    }
    // DMA-BUF needs no module: Linux 5.12 and NVIDIA's open kernel modules (UCX, `ib_md.c`: `uct_ib_md_check_dmabuf`).
    let open = facts.driver.as_deref().map(|line| line.contains("Open Kernel Module"));
    let modern = facts.kernel.as_deref().and_then(kernel).map(|version| version >= (5, 12));
    let seen = facts.driver.iter().chain(&facts.kernel).cloned();
    match (open, modern) {
        (Some(true), Some(true)) => {
            check(NAME, Status::Ok, "no `nvidia_peermem`, but DMA-BUF: open kernel module and Linux 5.12 or later")
                .seen(seen)
        }
        (Some(_), Some(_)) => check(
            NAME,
            Status::Warn,
            "neither `nvidia_peermem` nor what DMA-BUF needs: KV transfer is staged through host memory",
        )
        .then("ask the cluster's administrator to load `nvidia-peermem`, or to use the open kernel module")
        .seen(seen),
        _ => check(NAME, Status::Skipped, "no `nvidia_peermem`; whether DMA-BUF works cannot be seen from here")
            .seen(seen),
    }
}

/// `6.8.0-1021-nvidia` → (6, 8).
fn kernel(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn gdrcopy(facts: &Facts) -> Check {
    const NAME: &str = "gdrcopy";
    if facts.files.is_none() {
        return check(NAME, Status::Skipped, "the list of device files did not come whole");
    }
    if facts.files_under("/dev/gdrdrv").next().is_some() {
        return check(NAME, Status::Ok, "`/dev/gdrdrv` is here");
    }
    if facts.gpus() == Some(0) {
        return check(NAME, Status::Skipped, "no GPU here");
    }
    let loaded = facts.module("gdrdrv");
    let detail = if loaded {
        "the node has `gdrdrv`, but `/dev/gdrdrv` is not in the container"
    } else {
        "no `/dev/gdrdrv`: small copies to and from GPUs are slower"
    };
    let next = "optional; with the NVIDIA container toolkit `NVIDIA_GDRCOPY=enabled` brings it into the container";
    check(NAME, Status::Warn, detail).then(next)
}

fn nvlink(facts: &Facts) -> Check {
    const NAME: &str = "nvlink";
    let Some(topology) = facts.topology() else { return no_topology(NAME, facts) };
    if topology.gpus.len() < 2 {
        return check(NAME, Status::Skipped, "one GPU: there is no other to link to");
    }
    let lines = topology.pairs.iter().map(|(a, b, link)| format!("{a} {b} {}", link.text()));
    let lines: Vec<String> = lines.collect();
    match topology.nvlinks() {
        Some(n) => check(NAME, Status::Ok, format!("{} GPUs, every pair joined by NV{n} or more", topology.gpus.len())),
        None => {
            let poor = topology.pairs.iter().find(|(_, _, link)| !matches!(link, Link::NvLink(_)));
            let detail = poor.map_or_else(
                || "no pair of GPUs is joined by NVLink".to_owned(),
                |(a, b, link)| format!("{a} and {b} are joined by {}, not NVLink", link.text()),
            );
            check(NAME, Status::Warn, detail)
        }
    }
    .seen(lines)
}

fn no_topology(name: &str, facts: &Facts) -> Check {
    if facts.gpus() == Some(0) && facts.topo == super::facts::Tool::Missing {
        return check(name, Status::Skipped, "no GPU here; there is no `nvidia-smi`");
    }
    let why = facts.topo.silence("nvidia-smi topo -m");
    check(name, Status::Skipped, why.unwrap_or_else(|| "`nvidia-smi topo -m` printed no matrix".to_owned()))
}

fn affinity(facts: &Facts) -> Check {
    const NAME: &str = "nic-affinity";
    let Some(topology) = facts.topology() else { return no_topology(NAME, facts) };
    if topology.nics.is_empty() {
        return check(NAME, Status::Skipped, "`nvidia-smi` shows no NIC");
    }
    let mut lines = Vec::new();
    let mut far = Vec::new();
    for gpu in &topology.gpus {
        let Some((link, nics)) = topology.nearest(gpu) else { continue };
        lines.push(format!("{gpu}: {} ({})", nics.join(", "), link.text()));
        if link >= Link::Sys {
            far.push(gpu.as_str());
        }
    }
    let nics = topology.nics.len();
    if far.is_empty() {
        check(NAME, Status::Ok, format!("every GPU has one of {nics} NICs in its NUMA node")).seen(lines)
    } else {
        let detail = format!("{} reach no NIC within their NUMA node", far.join(", "));
        check(NAME, Status::Warn, detail).seen(lines)
    }
}

fn imex(facts: &Facts) -> Check {
    const NAME: &str = "imex-channels";
    if facts.files.is_none() {
        return check(NAME, Status::Skipped, "the list of device files did not come whole");
    }
    let channels: Vec<&str> = facts.files_under("/dev/nvidia-caps-imex-channels/").collect();
    if channels.is_empty() {
        return check(NAME, Status::Skipped, "no IMEX channel; only NVLink between nodes (GB200, GB300) needs one");
    }
    check(NAME, Status::Ok, format!("{} IMEX channels", channels.len())).seen(channels)
}

fn shared_memory(facts: &Facts) -> Check {
    const NAME: &str = "shared-memory";
    match facts.shm {
        None => check(NAME, Status::Skipped, "the size of `/dev/shm` cannot be seen"),
        Some(bytes) if bytes < SHM => {
            let detail = format!("`/dev/shm` has {}; engines and NCCL need more", size(bytes));
            check(NAME, Status::Warn, detail)
                .then("set `sharedMemory.size` of the service, or mount an `emptyDir` of medium Memory")
        }
        Some(bytes) => check(NAME, Status::Ok, format!("`/dev/shm` has {}", size(bytes))),
    }
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 30 && b.is_multiple_of(1 << 30) => format!("{} GiB", b >> 30),
        b if b >= 10 << 30 => format!("{} GiB", b >> 30),
        b if b >= 1 << 20 => format!("{} MiB", b >> 20),
        b => format!("{} KiB", b >> 10),
    }
}

fn has(facts: &Facts, capability: u32) -> Option<bool> {
    facts.capabilities.map(|set| set & (1 << capability) != 0)
}

fn memlock(facts: &Facts) -> Check {
    const NAME: &str = "memlock";
    match facts.memlock {
        None => check(NAME, Status::Skipped, "the limit on locked memory cannot be seen"),
        Some(Memlock::Unlimited) => check(NAME, Status::Ok, "locked memory is unlimited"),
        Some(Memlock::Bytes(bytes)) if has(facts, IPC_LOCK) == Some(true) => {
            check(NAME, Status::Ok, format!("the limit is {}, but `IPC_LOCK` lifts it", size(bytes)))
        }
        Some(Memlock::Bytes(bytes)) if rdma(facts) => {
            let detail = format!("locked memory is limited to {}: registering KV cache for RDMA can fail", size(bytes));
            check(NAME, Status::Warn, detail).then("add the capability `IPC_LOCK` to the container")
        }
        Some(Memlock::Bytes(bytes)) => {
            check(NAME, Status::Skipped, format!("limited to {}, which matters with RDMA only", size(bytes)))
        }
    }
}

fn capabilities(facts: &Facts) -> Check {
    const NAME: &str = "capabilities";
    let Some(set) = facts.capabilities else {
        return check(NAME, Status::Skipped, "the capabilities of process 1 cannot be seen");
    };
    let names: Vec<&str> = CAPABILITIES.iter().filter(|(n, _)| set & (1 << n) != 0).map(|(_, name)| *name).collect();
    let detail = if names.is_empty() { "none of those that matter here".to_owned() } else { names.join(", ") };
    check(NAME, Status::Ok, detail).seen([format!("CapEff {set:016x}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: &str = include_str!("../../../fixtures/probe/node/bare.txt");
    const H100: &str = include_str!("../../../fixtures/probe/node/h100.txt");

    fn of(output: &str, name: &str) -> (Status, String) {
        let checks = judge(&Facts::read(output));
        let check = checks.into_iter().find(|c| c.name == name).expect("every check is always there");
        (check.status, check.detail)
    }

    #[test]
    fn a_good_node() {
        let want = [
            ("infiniband", Status::Ok, "InfiniBand: 1 of 2 ports active"),
            ("rdma-access", Status::Ok, "2 `/dev/infiniband/uverbs*`"),
            ("verbs-tools", Status::Skipped, "there is no `ibv_devinfo`; there is no `ibstat`"),
            ("efa", Status::Skipped, "no EFA device"),
            ("gpudirect-rdma", Status::Ok, "module `nvidia_peermem` is loaded"),
            ("gdrcopy", Status::Ok, "`/dev/gdrdrv` is here"),
            ("nvlink", Status::Ok, "2 GPUs, every pair joined by NV18 or more"),
            ("nic-affinity", Status::Ok, "every GPU has one of 2 NICs in its NUMA node"),
            ("shared-memory", Status::Ok, "`/dev/shm` has 80 GiB"),
            ("memlock", Status::Ok, "the limit is 64 KiB, but `IPC_LOCK` lifts it"),
            ("capabilities", Status::Ok, "IPC_LOCK"),
        ];
        for (name, status, detail) in want {
            assert_eq!(of(H100, name), (status, detail.to_owned()), "{name}");
        }
    }

    #[test]
    fn a_node_without_anything_passes_nothing() {
        let checks = judge(&Facts::read(BARE));
        let ok: Vec<&str> = checks.iter().filter(|c| c.status == Status::Ok).map(|c| c.name.as_str()).collect();
        assert_eq!(ok, ["capabilities"]);
        assert_eq!(of(BARE, "infiniband").0, Status::Warn);
        assert_eq!(of(BARE, "gpudirect-rdma"), (Status::Skipped, "no GPU here".to_owned()));
        assert_eq!(of(BARE, "shared-memory").0, Status::Warn);
    }

    /// One fact of the good node changed at a time.
    #[test]
    fn each_fact_counts() {
        let with = |from: &str, to: &str, name: &str| {
            assert!(H100.contains(from), "{from}");
            of(&H100.replace(from, to), name)
        };
        assert_eq!(with("4: ACTIVE", "1: DOWN", "infiniband").0, Status::Fail);
        assert_eq!(with("state\t4: ACTIVE", "state\t!denied", "infiniband").0, Status::Skipped);
        assert_eq!(with("/dev/infiniband/", "/dev/other/", "rdma-access").0, Status::Fail);
        let no_peermem = H100.replace("/sys/module/nvidia_peermem\n", "").replace("nvidia_peermem 16384", "other 1");
        assert!(of(&no_peermem, "gpudirect-rdma").1.contains("DMA-BUF"));
        assert_eq!(of(&no_peermem, "gpudirect-rdma").0, Status::Ok);
        let closed = no_peermem.replace("UNIX Open Kernel Module", "UNIX x86_64 Kernel Module");
        assert_eq!(of(&closed, "gpudirect-rdma").0, Status::Warn);
        let old = no_peermem.replace("6.8.0-55-generic", "5.4.0-150-generic");
        assert_eq!(of(&old, "gpudirect-rdma").0, Status::Warn);
        let hidden = no_peermem.replace("/proc/driver/nvidia/version\t", "/proc/driver/other\t");
        assert_eq!(of(&hidden, "gpudirect-rdma").0, Status::Skipped);
        assert_eq!(with("/dev/gdrdrv\n", "", "gdrcopy").0, Status::Warn);
        assert_eq!(with("NV18", "PHB", "nvlink").0, Status::Warn);
        let far = H100.replace("GPU0\t X \tNV18\tPIX\tSYS", "GPU0\t X \tNV18\tSYS\tSYS");
        assert_eq!(of(&far, "nic-affinity"), (Status::Warn, "GPU0 reach no NIC within their NUMA node".to_owned()));
        assert_eq!(with("00000000a80465fb", "00000000a80425fb", "memlock").0, Status::Warn);
        assert_eq!(with("65536                65536", "unlimited  unlimited", "memlock").0, Status::Ok);
        assert_eq!(with("/dev/gdrdrv", "/dev/nvidia-caps-imex-channels/channel0", "imex-channels").0, Status::Ok);
    }

    #[test]
    fn a_tool_that_hangs_or_fails_is_inconclusive() {
        let start = H100.find("@@ topology").unwrap();
        let cut = |end: &str| format!("{}@@ topology\n{end}\n\n@@ done\n@@= 0\n", &H100[..start]);
        assert_eq!(
            of(&cut("\n@@= 124"), "nvlink"),
            (Status::Skipped, "`nvidia-smi topo -m` did not end within 10 s".into())
        );
        assert_eq!(of(&cut("\n@@= missing"), "nvlink").0, Status::Skipped);
        let failed = cut("Failed to initialize NVML: Driver/library version mismatch\n@@= 18");
        assert!(of(&failed, "nvlink").1.contains("version mismatch"));
        assert_eq!(of(&failed, "nvlink").0, Status::Skipped);
        assert_eq!(of(&H100[..start + 20], "nic-affinity").0, Status::Skipped);
    }

    #[test]
    fn efa_by_sysfs_and_libfabric() {
        let efa = H100.replace("mlx5_0", "rdmap79s0").replace("link_layer\tInfiniBand", "link_layer\tUnspecified");
        assert_eq!(of(&efa, "efa"), (Status::Skipped, "1 EFA devices; there is no `fi_info`".to_owned()));
        let info = include_str!("../../../fixtures/probe/tools/fi_info-efa.txt");
        let listed = efa.replace("@@ fi_info\n\n@@= missing", &format!("@@ fi_info\n{info}\n@@= 0"));
        assert_eq!(of(&listed, "efa").0, Status::Ok);
        let none = efa.replace("@@ fi_info\n\n@@= missing", "@@ fi_info\nprovider: shm\n  domain: shm\na\nb\n@@= 0");
        assert_eq!(of(&none, "efa").0, Status::Fail);
    }
}
