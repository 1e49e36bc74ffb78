//! `UCX_TLS`: which transports a list leaves usable (UCX v1.21.0 `src/ucp/core/ucp_context.c`
//! `ucp_is_resource_in_transports_list`, names at :727-750).

use super::list::{self, Item, ListError, ListErrorKind, Mode};
use crate::catalog::nearest_of;

/// A transport by its exact name. Order is the bit in a [`Set`].
const TRANSPORTS: [&str; 28] = [
    "self",
    "tcp",
    "posix",
    "sysv",
    "xpmem",
    "knem",
    "cma",
    "rc_verbs",
    "rc_mlx5",
    "ud_verbs",
    "ud_mlx5",
    "dc_mlx5",
    "gga_mlx5",
    "srd",
    "rc_gda",
    "cuda_copy",
    "cuda_ipc",
    "gdr_copy",
    "rocm_copy",
    "rocm_ipc",
    "rocm_gdr",
    "ze_copy",
    "ze_ipc",
    "ze_gdr",
    "gaudi_gdr",
    "ugni_smsg",
    "ugni_rdma",
    "ugni_udt",
];

/// Alias, transports, transports for bootstrap only (`:aux`).
const ALIASES: [(&str, &[&str], &[&str]); 18] = [
    ("mm", &["posix", "sysv", "xpmem"], &[]),
    ("sm", &["posix", "sysv", "xpmem", "knem", "cma"], &[]),
    ("shm", &["posix", "sysv", "xpmem", "knem", "cma"], &[]),
    (
        "ib",
        &["rc_verbs", "ud_verbs", "rc_mlx5", "ud_mlx5", "dc_mlx5", "gga_mlx5", "srd", "rc_gda"],
        &["ud_mlx5", "ud_verbs"],
    ),
    ("ud_v", &["ud_verbs"], &[]),
    ("ud_x", &["ud_mlx5"], &[]),
    ("ud", &["ud_mlx5", "ud_verbs"], &[]),
    ("rc_v", &["rc_verbs"], &["ud_verbs"]),
    ("rc_x", &["rc_mlx5"], &["ud_mlx5"]),
    ("rc", &["rc_mlx5", "rc_verbs"], &["ud_mlx5", "ud_verbs"]),
    ("dc", &["dc_mlx5"], &["ud_mlx5"]),
    ("dc_x", &["dc_mlx5"], &["ud_mlx5"]),
    ("ugni", &["ugni_smsg", "ugni_rdma"], &["ugni_udt"]),
    ("cuda", &["cuda_copy", "cuda_ipc", "gdr_copy"], &[]),
    ("rocm", &["rocm_copy", "rocm_ipc", "rocm_gdr"], &[]),
    ("ze", &["ze_copy", "ze_ipc", "ze_gdr"], &[]),
    ("gaudi", &["gaudi_gdr"], &[]),
    ("gga", &["gga_mlx5"], &[]),
];

/// Transports over an RDMA device that carry active messages with peer-failure detection.
const IB: &[&str] = &["rc_verbs", "rc_mlx5", "ud_verbs", "ud_mlx5", "dc_mlx5", "srd"];

/// A set of transports, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Set(u32);

impl Set {
    const ALL: Self = Self((1 << TRANSPORTS.len()) - 1);

    fn of(names: &[&str]) -> Self {
        let bit = |name: &&str| TRANSPORTS.iter().position(|t| t == name).map_or(0, |i| 1 << i);
        Self(names.iter().map(bit).fold(0, |a, b| a | b))
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// A transport or alias that `UCX_TLS` accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// An exact name.
    Exact(&'static str),
    /// A name that stands for several.
    Alias(&'static str),
}

impl Transport {
    /// The name, when UCX knows it.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let exact = TRANSPORTS.iter().find(|t| **t == name).map(|t| Self::Exact(t));
        exact.or_else(|| ALIASES.iter().find(|(a, ..)| *a == name).map(|(a, ..)| Self::Alias(a)))
    }
}

/// Every name that `UCX_TLS` accepts.
pub fn names() -> impl Iterator<Item = &'static str> {
    TRANSPORTS.into_iter().chain(ALIASES.iter().map(|(alias, ..)| *alias)).chain(["all"])
}

/// A parsed `UCX_TLS`.
#[derive(Clone, Debug)]
pub struct TlsList<'a> {
    value: &'a str,
    mode: Mode,
    items: Vec<Item<'a>>,
    main: Set,
    auxiliary: Set,
}

impl<'a> TlsList<'a> {
    /// Reads a value the way UCX does. Never fails: ask [`Self::errors`].
    #[must_use]
    pub fn parse(value: &'a str) -> Self {
        let (mode, items) = list::split(value);
        let (main, auxiliary) = match mode {
            Mode::All => (Set::ALL, Set::default()),
            Mode::Allow => allowed(&items),
            Mode::Negate => (Set(Set::ALL.0 & !excluded(&items).0), Set::default()),
        };
        Self { value, mode, items, main, auxiliary }
    }

    /// How the list counts.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Its items, with their bytes in the value.
    #[must_use]
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// Whether the list leaves that transport (exact name) usable for data.
    #[must_use]
    pub fn has(&self, transport: &str) -> bool {
        self.main.has(Set::of(&[transport]))
    }

    /// Whether CUDA memory can be recognised and registered: only `cuda_copy` detects it
    /// (`uct/cuda/cuda_copy/cuda_copy_md.c:126-133`).
    #[must_use]
    pub fn has_cuda_copy(&self) -> bool {
        self.has("cuda_copy")
    }

    /// Whether `cuda_ipc` (NVLink, multi-node NVLink) is usable.
    #[must_use]
    pub fn has_cuda_ipc(&self) -> bool {
        self.has("cuda_ipc")
    }

    /// Whether `tcp` is usable.
    #[must_use]
    pub fn has_tcp(&self) -> bool {
        self.has("tcp")
    }

    /// Whether any transport over an RDMA device is usable.
    #[must_use]
    pub fn has_ib(&self) -> bool {
        self.main.has(Set::of(IB))
    }

    /// Whether some transport carries active messages with peer-failure detection, which NIXL's endpoint needs: `tcp`, or
    /// one over RDMA (nixl#1846, nixl#2050).
    #[must_use]
    pub fn has_am_transport(&self) -> bool {
        self.has_tcp() || self.has_ib()
    }

    /// Whether memory of another vendor's GPU can be recognised (`rocm_copy`, `ze_copy`, `gaudi_gdr`).
    #[must_use]
    pub fn has_other_gpu(&self) -> bool {
        self.main.has(Set::of(&["rocm_copy", "ze_copy", "gaudi_gdr"]))
    }

    /// Whether the only RDMA transports are exact names that cannot connect: `rc_mlx5`, `rc_verbs` or `dc_mlx5` without
    /// `ud`, which their aliases bring along for bootstrap, and no `tcp` beside them (ucx#5320).
    #[must_use]
    pub fn only_raw_ib_without_aux(&self) -> bool {
        let ud = Set::of(&["ud_mlx5", "ud_verbs"]);
        self.mode == Mode::Allow
            && self.main.has(Set::of(&["rc_mlx5", "rc_verbs", "dc_mlx5"]))
            && !self.main.has(ud)
            && !self.auxiliary.has(ud)
            && !self.has_tcp()
            && !self.has("srd")
    }

    /// Items that add nothing, since another item already stands for all they name: the item, and the other.
    #[must_use]
    pub fn redundant(&self) -> Vec<(&Item<'a>, &Item<'a>)> {
        let meaning = |item: &Item<'_>| allowed(std::slice::from_ref(item));
        let mut found = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let (main, aux) = meaning(item);
            let wider = self.items.iter().enumerate().find(|(other, candidate)| {
                let (wide, wide_aux) = meaning(candidate);
                let covers = main.0 & !wide.0 == 0 && aux.0 & !(wide_aux.0 | wide.0) == 0;
                let same = (main, aux) == (wide, wide_aux);
                *other != index && main.0 != 0 && covers && (!same || *other < index)
            });
            if let Some((_, other)) = wider {
                found.push((item, other));
            }
        }
        found
    }

    /// What is wrong with the list, in the order of the value.
    #[must_use]
    pub fn errors(&self) -> Vec<ListError> {
        let mut errors = list::shape_errors(self.value, &self.items);
        for (index, item) in self.items.iter().enumerate() {
            errors.extend(item_error(index, item));
        }
        crate::source::order_by_key(&mut errors, |e| e.range.start);
        errors
    }
}

/// The name in an item: without the `\` that stops alias expansion and without `:aux`.
fn bare(text: &str) -> &str {
    let text = text.strip_prefix('\\').unwrap_or(text);
    text.strip_suffix(":aux").unwrap_or(text)
}

fn item_error(index: usize, item: &Item<'_>) -> Option<ListError> {
    if Transport::find(bare(item.text)).is_some() || item.text == "all" {
        return None;
    }
    let (kind, tidy) = list::tidy(item);
    let lower = tidy.to_ascii_lowercase();
    let name = bare(&lower);
    let known = Transport::find(name).is_some() || (name == "all" && index == 0);
    let (kind, replacement) = if known {
        (kind.unwrap_or(ListErrorKind::Case), Some(lower))
    } else {
        let near = nearest_of(name, names(), if name.len() > 3 { 2 } else { 1 });
        (kind.filter(|k| *k == ListErrorKind::CaretNotFirst).unwrap_or(ListErrorKind::Unknown), near.map(str::to_owned))
    };
    Some(ListError { kind, range: item.range.clone(), replacement })
}

/// Transports for data and for bootstrap only, in an allow list.
fn allowed(items: &[Item<'_>]) -> (Set, Set) {
    let (mut main, mut auxiliary) = (0, 0);
    for item in items {
        let (text, aux) = item.text.strip_suffix(":aux").map_or((item.text, false), |t| (t, true));
        let (text, strict) = text.strip_prefix('\\').map_or((text, false), |t| (t, true));
        let alias = ALIASES.iter().find(|(a, ..)| *a == text).filter(|_| !strict);
        let (more, more_aux) = match alias {
            Some((_, main, aux)) => (Set::of(main), Set::of(aux)),
            None => (Set::of(&[text]), Set::default()),
        };
        if aux && alias.is_none() {
            auxiliary |= more.0;
        } else {
            main |= more.0;
            auxiliary |= more_aux.0;
        }
    }
    (Set(main), Set(auxiliary))
}

/// Transports that a negated list takes away: exact names, and those of an alias but not its bootstrap ones.
fn excluded(items: &[Item<'_>]) -> Set {
    let (main, _) = allowed(items);
    let exact = items.iter().filter_map(|i| i.text.strip_suffix(":aux")).fold(0, |m, t| m | Set::of(&[bare(t)]).0);
    Set(main.0 | exact)
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
