//! What the kernel says about RDMA devices, without any tool: `/sys/class/infiniband`.
//!
//! Formats: `drivers/infiniband/core/sysfs.c` of Linux (`state_show`: `4: ACTIVE`, `phys_state_show`: `5: LinkUp`,
//! `rate_show`: `400 Gb/sec (4X NDR)`, `link_layer_show`: `InfiniBand`, `Ethernet`, `Unspecified`).

/// A port of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Number, from 1.
    pub number: u16,
    /// `ACTIVE`, `DOWN`, `INIT`, `ARMED`, …; none when it could not be read.
    pub state: Option<String>,
    /// `LinkUp`, `Polling`, `Disabled`, …
    pub physical: Option<String>,
    /// `InfiniBand`, `Ethernet`, `Unspecified` (EFA).
    pub layer: Option<String>,
    /// `400 Gb/sec (4X NDR)`.
    pub rate: Option<String>,
}

impl Port {
    /// Whether traffic can flow.
    #[must_use]
    pub fn active(&self) -> bool {
        self.state.as_deref() == Some("ACTIVE")
    }
}

/// An RDMA device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `mlx5_0`, `rdmap113s0`, …
    pub name: String,
    /// Ports by number.
    pub ports: Vec<Port>,
    /// Network interfaces of the same adapter.
    pub interfaces: Vec<String>,
    /// Whether something of it may not be read.
    pub denied: bool,
}

impl Device {
    /// `InfiniBand`, `RoCE`, `EFA`, or the link layer as it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self.ports.iter().find_map(|p| p.layer.as_deref()) {
            Some("Ethernet") => "RoCE",
            Some("Unspecified") if self.name.starts_with("efa") || self.name.starts_with("rdmap") => "EFA",
            Some(layer) => layer,
            None => "unknown link layer",
        }
    }
}

const ROOT: &str = "/sys/class/infiniband/";

/// Reads `path<TAB>line` lines, in any order; what does not fit is passed over.
#[must_use]
pub fn devices(body: &str) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for line in body.lines() {
        let (path, value) = line.split_once('\t').unwrap_or((line, ""));
        let Some(rest) = path.trim().strip_prefix(ROOT) else { continue };
        let mut parts = rest.split('/');
        let Some(name) = parts.next().filter(|name| !name.is_empty()) else { continue };
        let index = devices.iter().position(|d| d.name == name).unwrap_or_else(|| {
            devices.push(Device { name: name.to_owned(), ..Device::default() });
            devices.len() - 1
        });
        let device = &mut devices[index];
        let value = value.trim();
        if value == "!denied" {
            device.denied = true;
            continue;
        }
        match (parts.next(), parts.next(), parts.next()) {
            (Some("device"), Some("net"), Some(net)) => device.interfaces.push(net.to_owned()),
            (Some("ports"), Some(number), file) => {
                let Ok(number) = number.parse() else { continue };
                let port = port(device, number);
                // `4: ACTIVE`
                let word = || value.split_once(": ").map_or(value, |(_, word)| word).to_owned();
                match file {
                    Some("state") => port.state = Some(word()),
                    Some("phys_state") => port.physical = Some(word()),
                    Some("link_layer") => port.layer = Some(value.to_owned()),
                    Some("rate") => port.rate = Some(value.to_owned()),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    devices.sort_by(|a, b| natural(&a.name, &b.name));
    devices
}

fn port(device: &mut Device, number: u16) -> &mut Port {
    let at = device.ports.partition_point(|p| p.number < number);
    if device.ports.get(at).is_none_or(|p| p.number != number) {
        device.ports.insert(at, Port { number, ..Port::default() });
    }
    &mut device.ports[at]
}

/// `mlx5_2` before `mlx5_10`.
fn natural(a: &str, b: &str) -> std::cmp::Ordering {
    let split = |s: &str| {
        let stem = s.trim_end_matches(|c: char| c.is_ascii_digit());
        (stem.to_owned(), s[stem.len()..].parse::<u64>().unwrap_or(0))
    };
    split(a).cmp(&split(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_infiniband_and_a_roce_port_in_any_order() {
        let body = "\
/sys/class/infiniband/mlx5_10
/sys/class/infiniband/mlx5_10/ports/1/state\t1: DOWN
/sys/class/infiniband/mlx5_10/ports/1/link_layer\tEthernet
/sys/class/infiniband/mlx5_10/device/net/eth2\tnet
/sys/class/infiniband/mlx5_2
/sys/class/infiniband/mlx5_2/ports/2/state\t4: ACTIVE
/sys/class/infiniband/mlx5_2/ports/1/rate\t400 Gb/sec (4X NDR)
/sys/class/infiniband/mlx5_2/ports/1/link_layer\tInfiniBand
/sys/class/infiniband/mlx5_2/ports/1/phys_state\t5: LinkUp
/sys/class/infiniband/mlx5_2/ports/1/state\t4: ACTIVE
/sys/class/infiniband/mlx5_2/ports/x/state\tgarbage
/sys/class/net/eth0
";
        let devices = devices(body);
        assert_eq!(devices.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["mlx5_2", "mlx5_10"]);
        let port = &devices[0].ports[0];
        assert!(port.active());
        assert_eq!((port.number, port.rate.as_deref()), (1, Some("400 Gb/sec (4X NDR)")));
        assert_eq!(port.physical.as_deref(), Some("LinkUp"));
        assert_eq!(devices[0].ports.len(), 2);
        assert_eq!((devices[0].kind(), devices[1].kind()), ("InfiniBand", "RoCE"));
        assert!(!devices[1].ports[0].active());
        assert_eq!(devices[1].interfaces, ["eth2"]);
    }

    #[test]
    fn efa_and_what_may_not_be_read() {
        let body = "/sys/class/infiniband/rdmap113s0/ports/1/link_layer\tUnspecified\n\
                    /sys/class/infiniband/rdmap113s0/ports/1/state\t!denied\n";
        let devices = devices(body);
        assert_eq!(devices[0].kind(), "EFA");
        assert!(devices[0].denied);
        assert_eq!(devices[0].ports[0].state, None);
    }
}
