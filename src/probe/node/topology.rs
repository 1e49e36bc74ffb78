//! The matrix of `nvidia-smi topo -m`: how GPUs reach each other, and which NIC is near which GPU.

/// How two devices are joined; nearer first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Link {
    /// That many NVLinks.
    NvLink(u16),
    /// At most one PCIe bridge.
    Pix,
    /// Several PCIe bridges, no host bridge.
    Pxb,
    /// Through a host bridge.
    Phb,
    /// Between host bridges of a NUMA node.
    Node,
    /// Between NUMA nodes.
    Sys,
}

impl Link {
    fn parse(cell: &str) -> Option<Self> {
        Some(match cell {
            "PIX" => Self::Pix,
            "PXB" => Self::Pxb,
            "PHB" => Self::Phb,
            "NODE" => Self::Node,
            "SYS" => Self::Sys,
            _ => Self::NvLink(cell.strip_prefix("NV")?.parse().ok()?),
        })
    }

    /// As `nvidia-smi` prints it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::NvLink(n) => format!("NV{n}"),
            Self::Pix => "PIX".to_owned(),
            Self::Pxb => "PXB".to_owned(),
            Self::Phb => "PHB".to_owned(),
            Self::Node => "NODE".to_owned(),
            Self::Sys => "SYS".to_owned(),
        }
    }
}

/// The matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// GPUs by name, `GPU0`.
    pub gpus: Vec<String>,
    /// NICs by device name, `mlx5_0`; by column when the legend does not name them.
    pub nics: Vec<String>,
    /// Between GPUs, each pair once.
    pub pairs: Vec<(String, String, Link)>,
    /// From GPU to NIC.
    pub near: Vec<(String, String, Link)>,
}

impl Topology {
    /// Fewest NVLinks between any two GPUs; none when a pair has none, or there is one GPU.
    #[must_use]
    pub fn nvlinks(&self) -> Option<u16> {
        let links = self.pairs.iter().map(|(_, _, link)| if let Link::NvLink(n) = link { *n } else { 0 });
        links.min().filter(|n| *n > 0)
    }

    /// The nearest NICs of a GPU.
    #[must_use]
    pub fn nearest(&self, gpu: &str) -> Option<(Link, Vec<&str>)> {
        let of = || self.near.iter().filter(|(g, _, _)| g == gpu);
        let best = of().map(|(_, _, link)| *link).min()?;
        Some((best, of().filter(|(_, _, link)| *link == best).map(|(_, nic, _)| nic.as_str()).collect()))
    }
}

/// Reads the matrix; none when there is none in the text.
#[must_use]
pub fn parse(text: &str) -> Option<Topology> {
    let plain = without_escapes(text);
    let mut lines = plain.lines();
    let header = lines.by_ref().find(|line| cells(line).any(is_gpu))?;
    // Only the columns before `CPU Affinity` form the matrix.
    let columns: Vec<&str> = cells(header).take_while(|c| is_gpu(c) || is_nic(c)).collect();
    let mut topology = Topology::default();
    let mut rows: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut legend: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        let mut row = line.split('\t').map(str::trim);
        let name = row.next().unwrap_or_default();
        if (is_gpu(name) || is_nic(name)) && columns.contains(&name) {
            rows.push((name, row.filter(|c| !c.is_empty()).collect()));
        } else if let Some((nic, device)) = line.trim().split_once(": ")
            && nic.starts_with("NIC")
        {
            legend.push((nic, device.trim()));
        }
    }
    let device = |column: &str| {
        let named = legend.iter().find(|(nic, _)| *nic == column).map(|(_, device)| *device);
        named.unwrap_or(column).to_owned()
    };
    for column in &columns {
        if is_gpu(column) { topology.gpus.push((*column).to_owned()) } else { topology.nics.push(device(column)) }
    }
    for (name, cells) in &rows {
        if !is_gpu(name) {
            continue;
        }
        let own = columns.iter().position(|c| c == name).unwrap_or(0);
        for (at, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let Some(link) = Link::parse(cell) else { continue };
            if !is_gpu(column) {
                topology.near.push(((*name).to_owned(), device(column), link));
            } else if at > own {
                topology.pairs.push(((*name).to_owned(), (*column).to_owned(), link));
            }
        }
    }
    Some(topology)
}

fn cells(line: &str) -> impl Iterator<Item = &str> {
    line.split('\t').map(str::trim).filter(|c| !c.is_empty())
}

fn is_gpu(cell: &str) -> bool {
    cell.strip_prefix("GPU").is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// `NIC0`, or a device's own name as drivers before R525 have it.
fn is_nic(cell: &str) -> bool {
    let nic = cell.strip_prefix("NIC").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    nic || ["mlx", "bnxt", "irdma", "rdmap", "efa", "hfi"].iter().any(|p| cell.starts_with(p))
}

/// The text without ANSI sequences: the header is underlined.
fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
        } else if chars.next() == Some('[') {
            // Up to the letter that ends the sequence.
            let _ = chars.by_ref().find(|c| c.is_ascii_alphabetic());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_with_an_underlined_header_and_a_legend() {
        let got = parse(include_str!("../../../fixtures/probe/tools/topo-h100-ib.txt")).unwrap();
        assert_eq!((got.gpus.len(), got.nics.as_slice()), (2, ["mlx5_0".to_owned(), "mlx5_1".to_owned()].as_slice()));
        assert_eq!(got.nvlinks(), Some(18));
        assert_eq!(got.nearest("GPU0"), Some((Link::Pix, vec!["mlx5_0"])));
        assert_eq!(got.nearest("GPU1"), Some((Link::Pxb, vec!["mlx5_1"])));
        assert_eq!(got.nearest("GPU7"), None);
    }

    #[test]
    fn other_forms() {
        let got = parse(include_str!("../../../fixtures/probe/tools/topo-gb200.txt")).unwrap();
        assert_eq!((got.gpus.len(), got.pairs.len(), got.nics.len()), (4, 6, 1));
        assert_eq!(got.nearest("GPU3"), Some((Link::Sys, vec!["mlx5_bond_0"])));
        let got = parse(include_str!("../../../fixtures/probe/tools/topo-old.txt")).unwrap();
        assert_eq!(got.nics, ["mlx5_0", "mlx5_1"]);
        assert_eq!(got.nvlinks(), Some(12));
        let got = parse(include_str!("../../../fixtures/probe/tools/topo-pcie.txt")).unwrap();
        assert_eq!((got.nvlinks(), got.pairs[0].2), (None, Link::Phb));
    }

    #[test]
    fn what_is_no_matrix() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."), None);
        // One GPU, and a row cut short.
        assert_eq!(parse("\tGPU0\tCPU Affinity\nGPU0\t X \t0-3").unwrap().nvlinks(), None);
        assert_eq!(parse("\tGPU0\tGPU1\tCPU Affinity\nGPU0\t X \tNV1").unwrap().pairs.len(), 1);
        assert!(parse("\u{1b}[4m\tGPU0\u{1b}").is_some());
    }
}
