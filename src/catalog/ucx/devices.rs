//! `UCX_NET_DEVICES`: RDMA devices and TCP interfaces in one list (`src/ucp/core/ucp_context.c:621`).

use super::list::{self, Item, ListError, ListErrorKind, Mode};

/// What a device name looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// An RDMA device (`mlx5_0`, `rdmap113s0`).
    Rdma,
    /// A network interface that TCP uses (`eth0`; IP over InfiniBand as `ib0` is one, too).
    Interface,
    /// Neither for sure.
    Unknown,
}

/// One item of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    /// The item as written, with its bytes in the value.
    pub item: Item<'a>,
    /// Name without the port.
    pub name: &'a str,
    /// Port after the colon.
    pub port: Option<u16>,
    /// By its name.
    pub kind: DeviceKind,
    /// `*` or `?`, which UCX does not expand.
    pub glob: bool,
    /// `prefix[first-last]suffix`, which UCX expands since 1.22.
    pub brackets: bool,
}

/// A parsed `UCX_NET_DEVICES`.
#[derive(Clone, Debug)]
pub struct NetDevices<'a> {
    value: &'a str,
    mode: Mode,
    devices: Vec<Device<'a>>,
}

/// Kernel names of RDMA devices, by driver.
const RDMA: &[&str] = &[
    "mlx5_", "mlx4_", "bnxt_re", "irdma", "rdmap", "efa_", "efa", "hns_", "qib", "hfi1_", "roce", "erdma", "ionic_",
    "mana_",
];

/// Names of network interfaces.
const INTERFACES: &[&str] =
    &["eth", "ens", "eno", "enp", "enP", "bond", "br", "net", "lo", "ib", "docker", "wlan", "veth", "team", "gpu"];

impl<'a> NetDevices<'a> {
    /// Reads a value the way UCX does. Never fails: ask [`Self::errors`].
    #[must_use]
    pub fn parse(value: &'a str) -> Self {
        let (mode, items) = list::split(value);
        Self { value, mode, devices: items.into_iter().map(device).collect() }
    }

    /// How the list counts.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Its items.
    #[must_use]
    pub fn devices(&self) -> &[Device<'a>] {
        &self.devices
    }

    /// RDMA devices that the list names; none unless it is an allow list.
    pub fn rdma(&self) -> impl Iterator<Item = &Device<'a>> {
        self.devices.iter().filter(|d| self.mode == Mode::Allow && d.kind == DeviceKind::Rdma)
    }

    /// Whether the list leaves no RDMA device: an allow list of interfaces only, every one of them known to be one.
    #[must_use]
    pub fn interfaces_only(&self) -> bool {
        self.mode == Mode::Allow
            && !self.devices.is_empty()
            && self.devices.iter().all(|d| d.kind == DeviceKind::Interface)
    }

    /// Whether the list leaves no TCP interface: an allow list of RDMA devices only.
    #[must_use]
    pub fn rdma_only(&self) -> bool {
        self.mode == Mode::Allow && !self.devices.is_empty() && self.devices.iter().all(|d| d.kind == DeviceKind::Rdma)
    }

    /// What is wrong with the list, in the order of the value. Globs and brackets are on [`Device`]: whether they are
    /// mistakes depends on the UCX release.
    #[must_use]
    pub fn errors(&self) -> Vec<ListError> {
        let items: Vec<Item<'_>> = self.devices.iter().map(|d| d.item.clone()).collect();
        let mut errors = list::shape_errors(self.value, &items);
        errors.extend(self.devices.iter().filter_map(device_error));
        crate::source::order_by_key(&mut errors, |e| e.range.start);
        errors
    }
}

fn device(item: Item<'_>) -> Device<'_> {
    let (name, port) = match item.text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok()),
        None => (item.text, None),
    };
    let glob = item.text.contains(['*', '?']);
    let brackets = name.split_once('[').is_some_and(|(_, rest)| {
        rest.split_once(']').and_then(|(range, _)| range.split_once('-')).is_some_and(|(first, last)| {
            let number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            number(first) && number(last)
        })
    });
    let kind = kind(name);
    Device { item, name, port, kind, glob, brackets }
}

fn kind(name: &str) -> DeviceKind {
    // `ib0` is an interface; `ibp12s0` may be either, so it stays unknown
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| {
            prefix.ends_with('_') || rest.is_empty() || !rest.starts_with(|c: char| c.is_ascii_alphabetic())
        })
    };
    if RDMA.iter().any(|p| numbered(p)) || ["roceP", "rocep"].iter().any(|p| name.starts_with(p)) {
        DeviceKind::Rdma
    } else if INTERFACES.iter().any(|p| numbered(p))
        || ["enp", "enP", "ens", "eno", "enx"].iter().any(|p| name.starts_with(p))
    {
        DeviceKind::Interface
    } else {
        DeviceKind::Unknown
    }
}

/// A name that no device can have, or that is a slip of the commonest one.
fn device_error(device: &Device<'_>) -> Option<ListError> {
    let item = &device.item;
    if item.text == "all" {
        return None;
    }
    let (kind, tidy) = list::tidy(item);
    if let Some(kind) = kind {
        return Some(ListError { kind, range: item.range.clone(), replacement: Some(tidy) });
    }
    if device.glob || device.brackets || device.kind != DeviceKind::Unknown {
        return None;
    }
    let lower = item.text.to_ascii_lowercase();
    if lower != item.text && self::kind(lower.split(':').next().unwrap_or_default()) == DeviceKind::Rdma {
        return Some(ListError { kind: ListErrorKind::Case, range: item.range.clone(), replacement: Some(lower) });
    }
    slip_of_mlx5(&lower).map(|right| ListError {
        kind: ListErrorKind::Unknown,
        range: item.range.clone(),
        replacement: Some(right),
    })
}

/// `mxl5_0:1`, `mlx_5`, `mlx5-0`, `mlx50`: one or two edits from `mlx5_`, with the number and port kept.
fn slip_of_mlx5(text: &str) -> Option<String> {
    let (name, port) = text.split_once(':').map_or((text, ""), |(n, p)| (n, p));
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &name[stem.len()..];
    let port = if port.is_empty() { String::new() } else { format!(":{port}") };
    // the 5 of the name may be all the number there is
    if matches!(stem, "mlx" | "mlx_" | "mlx-") {
        let number = number.strip_prefix('5').filter(|n| !n.is_empty()).unwrap_or(number);
        return (!number.is_empty()).then(|| format!("mlx5_{number}{port}"));
    }
    let near =
        strsim::osa_distance(stem, "mlx5_") <= 2 && stem.contains('5') && stem.starts_with('m') && stem != "mlx5_";
    (near && !number.is_empty()).then(|| format!("mlx5_{number}{port}"))
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
