//! What `ibstat`, `ibv_devinfo` and `fi_info` print. They only help: the kernel's own files say the same without them.
//!
//! Formats: `infiniband-diags/ibstat.c` (`CA 'mlx5_0'`, `Port 1:`, `State: Active`, `Physical state: LinkUp`, `Rate: 400`,
//! `Link layer: InfiniBand`); `libibverbs/examples/devinfo.c` (`hca_id:\tmlx5_0`, `port:\t1`, `state:\t\t\tPORT_ACTIVE (4)`,
//! `link_layer:\t\tInfiniBand`); `libfabric/util/info.c` (`provider: efa`, `domain: rdmap113s0-rdm`).

use super::sysfs::{Device, Port};

/// Devices that `ibstat` lists.
#[must_use]
pub fn ibstat(body: &str) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for line in body.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("CA '").and_then(|rest| rest.strip_suffix('\'')) {
            devices.push(Device { name: name.to_owned(), ..Device::default() });
            continue;
        }
        let Some(device) = devices.last_mut() else { continue };
        if let Some(number) = line.strip_prefix("Port ").and_then(|rest| rest.strip_suffix(':')) {
            if let Ok(number) = number.parse() {
                device.ports.push(Port { number, ..Port::default() });
            }
            continue;
        }
        let (Some(port), Some((key, value))) = (device.ports.last_mut(), line.split_once(": ")) else { continue };
        let value = value.trim().to_owned();
        match key {
            "State" => port.state = Some(value.to_ascii_uppercase()),
            "Physical state" => port.physical = Some(value),
            "Rate" => port.rate = Some(format!("{value} Gb/sec")),
            "Link layer" => port.layer = Some(value),
            _ => {}
        }
    }
    devices
}

/// Devices that `ibv_devinfo` lists.
#[must_use]
pub fn ibv_devinfo(body: &str) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for line in body.lines() {
        let Some((key, value)) = line.trim().split_once(':') else { continue };
        let value = value.trim();
        if key == "hca_id" {
            devices.push(Device { name: value.to_owned(), ..Device::default() });
            continue;
        }
        let Some(device) = devices.last_mut() else { continue };
        if key == "port" {
            if let Ok(number) = value.parse() {
                device.ports.push(Port { number, ..Port::default() });
            }
            continue;
        }
        let Some(port) = device.ports.last_mut() else { continue };
        match key {
            // `PORT_ACTIVE (4)`
            "state" => {
                let word = value.split_whitespace().next().unwrap_or_default();
                port.state = Some(word.trim_start_matches("PORT_").to_owned());
            }
            "link_layer" => port.layer = Some(value.to_owned()),
            _ => {}
        }
    }
    devices
}

/// Domains of the EFA provider, each once, in order.
#[must_use]
pub fn efa_domains(body: &str) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    let mut efa = false;
    for line in body.lines() {
        match line.trim().split_once(": ") {
            Some(("provider", name)) => efa = name.trim() == "efa",
            Some(("domain", name)) if efa => {
                let name = name.trim().to_owned();
                if !domains.contains(&name) {
                    domains.push(name);
                }
            }
            _ => {}
        }
    }
    domains
}

/// Why a tool shows nothing, when its message says so.
#[must_use]
pub fn complaint(body: &str) -> Option<&str> {
    let lower = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["fail", "error", "not permitted", "denied", "no devices", "unable", "couldn't", "not implemented", "-61"]
            .iter()
            .any(|word| line.contains(word))
    };
    body.lines().map(str::trim).find(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IBSTAT: &str = include_str!("../../../fixtures/probe/tools/ibstat-ndr.txt");
    const DEVINFO: &str = include_str!("../../../fixtures/probe/tools/ibv_devinfo-roce.txt");
    const FI_INFO: &str = include_str!("../../../fixtures/probe/tools/fi_info-efa.txt");

    #[test]
    fn ibstat_lists_devices_with_their_ports() {
        let devices = ibstat(IBSTAT);
        let seen: Vec<_> = devices.iter().map(|d| (d.name.as_str(), d.ports[0].active(), d.kind())).collect();
        assert_eq!(seen, [("mlx5_0", true, "InfiniBand"), ("mlx5_1", false, "InfiniBand"), ("mlx5_2", true, "RoCE")]);
        assert_eq!(devices[0].ports[0].rate.as_deref(), Some("400 Gb/sec"));
        assert_eq!(devices[1].ports[0].physical.as_deref(), Some("Polling"));
        assert_eq!(ibstat(""), []);
        assert_eq!(ibstat("State: Active\nPort 1:\n"), []);
    }

    #[test]
    fn ibv_devinfo_lists_devices_with_their_ports() {
        let devices = ibv_devinfo(DEVINFO);
        let seen: Vec<_> = devices.iter().map(|d| (d.name.as_str(), d.ports[0].active(), d.kind())).collect();
        assert_eq!(seen, [("mlx5_0", true, "RoCE"), ("mlx5_1", false, "RoCE")]);
        // Cut in the middle of a line.
        assert_eq!(
            ibv_devinfo(&DEVINFO[..DEVINFO.find("PORT_ACTIVE").unwrap() + 6])[0].ports[0].state.as_deref(),
            Some("A")
        );
        assert_eq!(ibv_devinfo("Failed to get IB devices list: Function not implemented"), []);
    }

    #[test]
    fn fi_info_names_efa_domains_once() {
        assert_eq!(efa_domains(FI_INFO), ["rdmap79s0-rdm", "rdmap80s0-rdm"]);
        assert_eq!(efa_domains("fi_getinfo: -61 (No data available)"), [""; 0]);
        assert_eq!(complaint("fi_getinfo: -61 (No data available)"), Some("fi_getinfo: -61 (No data available)"));
    }
}
