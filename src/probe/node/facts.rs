//! The sections of `scripts/node.sh` as facts. What a section does not say stays unknown.

use super::sysfs::{self, Device};
use super::tools;
use super::topology::{self, Topology};
use crate::probe::sections::{End, Section, split};

/// What a tool gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Its output; exit code 0.
    Said(String),
    /// It is not there.
    Missing,
    /// It did not end in time.
    TimedOut,
    /// It failed: exit code, first telling line.
    Failed(i32, String),
    /// Its output is cut short, or it was not reached.
    Cut,
}

impl Tool {
    /// What it said.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        if let Self::Said(text) = self { Some(text) } else { None }
    }

    /// Why it says nothing, for the tool of that name.
    #[must_use]
    pub fn silence(&self, name: &str) -> Option<String> {
        Some(match self {
            Self::Said(_) => return None,
            Self::Missing => format!("there is no `{name}`"),
            Self::TimedOut => format!("`{name}` did not end within 10 s"),
            Self::Failed(code, line) if line.is_empty() => format!("`{name}` failed with exit code {code}"),
            Self::Failed(_, line) => format!("`{name}`: {line}"),
            Self::Cut => format!("the output of `{name}` is cut short"),
        })
    }
}

/// A limit on locked memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memlock {
    /// None.
    Unlimited,
    /// That many bytes.
    Bytes(u64),
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// `up`, `down`, `unknown`, …; none when it could not be read.
    pub state: Option<String>,
}

/// Everything that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// RDMA devices; none when the section did not come whole.
    pub devices: Option<Vec<Device>>,
    /// Device files; none when the section did not come whole.
    pub files: Option<Vec<String>>,
    /// Kernel modules that are loaded, as far as asked for; none when that is unknown.
    pub modules: Option<Vec<String>>,
    /// Whether `nv_mem` is registered as a memory peer: what UCX looks at (`ib_md.c`).
    pub peer_memory: bool,
    /// First line of `/proc/driver/nvidia/version`.
    pub driver: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Limit on locked memory of process 1.
    pub memlock: Option<Memlock>,
    /// Effective capabilities of process 1.
    pub capabilities: Option<u64>,
    /// Size of `/dev/shm` in bytes.
    pub shm: Option<u64>,
    /// Network interfaces; none when the section did not come whole.
    pub interfaces: Option<Vec<Interface>>,
    /// `nvidia-smi --query-gpu`.
    pub smi: Tool,
    /// `nvidia-smi topo -m`.
    pub topo: Tool,
    /// `ibstat`.
    pub ibstat: Tool,
    /// `ibv_devinfo`.
    pub ibv_devinfo: Tool,
    /// `fi_info -p efa`.
    pub fi_info: Tool,
    /// Whether the script came to its end.
    pub whole: bool,
}

impl Facts {
    /// Reads the output of the script.
    #[must_use]
    pub fn read(output: &str) -> Self {
        let sections = split(output);
        let get = |name: &str| sections.iter().find(|s| s.name == name);
        let whole = |name: &str| get(name).filter(|s| s.end != End::Open).map(|s| s.body);
        // Parts of a section that was cut are still true, for sections of which each line stands alone.
        let any = |name: &str| get(name).map(|s| s.body);
        let modules = any("modules").unwrap_or_default();
        let value = |path: &str| {
            let line = modules.lines().find_map(|l| l.strip_prefix(path)?.strip_prefix('\t'));
            line.map(str::trim).filter(|v| !v.is_empty() && *v != "!denied").map(str::to_owned)
        };
        let tool = |name: &str| get(name).map_or(Tool::Cut, tool);
        let ibstat = tool("ibstat");
        let ibv_devinfo = tool("ibv_devinfo");
        let mut devices = whole("infiniband").map(sysfs::devices);
        // Where sysfs is hidden, the tools may still know.
        if devices.as_ref().is_none_or(Vec::is_empty) {
            let listed = ibv_devinfo.said().map(tools::ibv_devinfo).filter(|list| !list.is_empty());
            let listed = listed.or_else(|| ibstat.said().map(tools::ibstat).filter(|list| !list.is_empty()));
            devices = listed.or(devices);
        }
        Self {
            devices,
            files: whole("devices").map(|body| body.lines().map(str::to_owned).collect()),
            modules: whole("modules").map(|body| loaded(body, any("lsmod").unwrap_or_default())),
            peer_memory: modules.contains("/sys/kernel/mm/memory_peers/nv_mem/version\t"),
            driver: value("/proc/driver/nvidia/version"),
            kernel: value("/proc/sys/kernel/osrelease"),
            memlock: any("limits").and_then(memlock),
            capabilities: any("capabilities").and_then(capabilities),
            shm: any("shm").and_then(shm),
            interfaces: whole("interfaces").map(interfaces),
            smi: tool("nvidia-smi"),
            topo: tool("topology"),
            ibstat,
            ibv_devinfo,
            fi_info: tool("fi_info"),
            whole: get("done").is_some(),
        }
    }

    /// GPUs that can be seen: by `nvidia-smi`, else by their device files.
    #[must_use]
    pub fn gpus(&self) -> Option<usize> {
        let listed = self.smi.said().map(|text| {
            let gpu = |line: &&str| line.split(',').next().is_some_and(|n| n.trim().parse::<u32>().is_ok());
            text.lines().filter(gpu).count()
        });
        let numbered = |path: &&String| {
            path.strip_prefix("/dev/nvidia").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        };
        listed.filter(|n| *n > 0).or_else(|| Some(self.files.as_ref()?.iter().filter(numbered).count()))
    }

    /// The topology, when `nvidia-smi` printed one.
    #[must_use]
    pub fn topology(&self) -> Option<Topology> {
        topology::parse(self.topo.said()?)
    }

    /// Device files that start so.
    pub fn files_under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.iter().flatten().map(String::as_str).filter(move |path| path.starts_with(prefix))
    }

    /// Whether a module is loaded, as far as known.
    #[must_use]
    pub fn module(&self, name: &str) -> bool {
        self.modules.iter().flatten().any(|m| m == name)
    }
}

fn tool(section: &Section<'_>) -> Tool {
    match section.end {
        End::Missing => Tool::Missing,
        End::Open => Tool::Cut,
        End::Code(0) => match tools::complaint(section.body) {
            // `ibstat` and some `nvidia-smi` say with exit code 0 that they cannot.
            Some(line) if section.body.lines().count() <= 3 => Tool::Failed(0, line.to_owned()),
            _ => Tool::Said(section.body.to_owned()),
        },
        End::Code(124 | 137 | 143) => Tool::TimedOut,
        End::Code(code) => {
            let line = tools::complaint(section.body).or_else(|| section.body.lines().next()).unwrap_or_default();
            Tool::Failed(code, line.trim().to_owned())
        }
    }
}

/// Names of `/sys/module/NAME` lines and of the lines of `/proc/modules`.
fn loaded(sys: &str, proc: &str) -> Vec<String> {
    let from_sys = sys.lines().filter_map(|l| l.strip_prefix("/sys/module/")).filter(|l| !l.contains(['/', '\t']));
    let from_proc = proc.lines().filter(|l| !l.starts_with('!')).filter_map(|l| l.split_whitespace().next());
    let mut names: Vec<String> = from_sys.chain(from_proc).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// `Max locked memory         65536                65536                bytes`, that of process 1 first.
fn memlock(body: &str) -> Option<Memlock> {
    let line = body.lines().find_map(|l| l.strip_prefix("Max locked memory"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(Memlock::Unlimited),
        bytes => bytes.parse().ok().map(Memlock::Bytes),
    }
}

/// `CapEff: 00000000a80425fb`, that of process 1 first.
fn capabilities(body: &str) -> Option<u64> {
    let line = body.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Size in bytes: from `df -Pk`, else from the `size=` of the mount.
fn shm(body: &str) -> Option<u64> {
    let of_df = body.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let (blocks, mount) = (fields.nth(1)?, fields.nth(3)?);
        if mount == "/dev/shm" { blocks.parse::<u64>().ok() } else { None }
    });
    let of_mount = || {
        let options = body.lines().find(|l| l.contains(" /dev/shm "))?.split_whitespace().nth(3)?;
        let size = options.split(',').find_map(|o| o.strip_prefix("size="))?;
        let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match &size[digits.len()..] {
            "k" | "K" => 1,
            "m" | "M" => 1 << 10,
            "g" | "G" => 1 << 20,
            "" => return digits.parse::<u64>().ok().map(|bytes| bytes >> 10),
            _ => return None,
        };
        digits.parse::<u64>().ok()?.checked_mul(unit)
    };
    of_df.or_else(of_mount)?.checked_mul(1024)
}

fn interfaces(body: &str) -> Vec<Interface> {
    let mut list: Vec<Interface> = Vec::new();
    for line in body.lines() {
        let (path, value) = line.split_once('\t').unwrap_or((line, ""));
        let Some(rest) = path.trim().strip_prefix("/sys/class/net/") else { continue };
        match rest.split_once('/') {
            // `bonding_masters` is a file of the bonding driver, no interface.
            None if rest != "bonding_masters" => list.push(Interface { name: rest.to_owned(), state: None }),
            Some((name, "operstate")) if value != "!denied" => {
                if let Some(interface) = list.iter_mut().find(|i| i.name == name) {
                    interface.state = Some(value.trim().to_owned());
                }
            }
            _ => {}
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_without_any_hardware() {
        let facts = Facts::read(include_str!("../../../fixtures/probe/node/bare.txt"));
        assert!(facts.whole);
        assert_eq!(facts.devices, Some(vec![]));
        assert_eq!((facts.gpus(), facts.memlock), (Some(0), Some(Memlock::Bytes(8 << 20))));
        assert_eq!(facts.shm, Some(64 << 20));
        assert_eq!((&facts.smi, &facts.ibstat), (&Tool::Missing, &Tool::Missing));
        assert_eq!(facts.interfaces.unwrap()[0].state.as_deref(), Some("up"));
    }

    #[test]
    fn sizes_of_shared_memory() {
        let df = "Filesystem     1024-blocks  Used Available Capacity Mounted on\nshm                  65536     0     65536       0% /dev/shm";
        assert_eq!(shm(df), Some(64 << 20));
        assert_eq!(shm("tmpfs /dev/shm tmpfs rw,nosuid,size=8g 0 0"), Some(8 << 30));
        assert_eq!(shm("shm /dev/shm tmpfs rw,size=65536k,inode64 0 0"), Some(64 << 20));
        assert_eq!(shm("tmpfs /dev/shm tmpfs rw 0 0"), None);
        assert_eq!(shm("!denied"), None);
    }

    #[test]
    fn limits_and_capabilities_of_process_1_win() {
        let limits = "/proc/1/limits\nMax locked memory         unlimited            unlimited            bytes     \n\
                      /proc/self/limits\nMax locked memory         65536                65536                bytes";
        assert_eq!(memlock(limits), Some(Memlock::Unlimited));
        assert_eq!(memlock("Max locked memory   nonsense"), None);
        assert_eq!(capabilities("/proc/1/status\nCapEff:\t00000000a80425fb\nCapBnd:\t0"), Some(0xa804_25fb));
        assert_eq!(capabilities("CapEff:\tzz"), None);
    }

    #[test]
    fn tools_that_say_nothing_say_why() {
        let of = |body: &'static str, end| tool(&Section { name: "x", body, end });
        assert_eq!(of("", End::Missing), Tool::Missing);
        assert_eq!(of("half", End::Open), Tool::Cut);
        assert_eq!(of("", End::Code(124)), Tool::TimedOut);
        assert_eq!(
            of("Fatal error:  No devices", End::Code(255)).silence("ibstatus").unwrap(),
            "`ibstatus`: Fatal error:  No devices"
        );
        // infiniband-diags 44 prints nothing at all and ends with 0.
        assert_eq!(of("", End::Code(0)), Tool::Said(String::new()));
        let smi = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.";
        assert!(matches!(of(smi, End::Code(0)), Tool::Failed(0, _)));
        assert_eq!(of("", End::Code(7)).silence("x").unwrap(), "`x` failed with exit code 7");
    }

    #[test]
    fn a_cut_output_leaves_unknown_what_it_cuts() {
        let text = include_str!("../../../fixtures/probe/node/h100.txt");
        for at in 0..text.len() {
            if !text.is_char_boundary(at) {
                continue;
            }
            let facts = Facts::read(&text[..at]);
            assert!(!facts.whole || at + 10 > text.len());
            // Never fewer devices than there are: all or unknown.
            assert!(facts.devices.is_none_or(|d| d.len() == 2), "{at}");
        }
        assert_eq!(Facts::read(text).gpus(), Some(2));
    }
}
