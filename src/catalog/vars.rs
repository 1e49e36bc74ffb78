//! Environment variables that UCX, NCCL, NIXL, libfabric, Mooncake, the engines and Dynamo read.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::tables::MISSPELLINGS;
use super::text::Text;
use super::{Expected, Near, nccl, ucx, values};

include!(concat!(env!("OUT_DIR"), "/catalog_vars.rs"));

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// UCX BOOL and its kin: see [`super::ucx::check`]. The name of the UCX type as the data file spells it.
    Ucx(&'static str),
    /// NCCL integer parameter (`strtoll`, base 0).
    NcclInt,
    /// NCCL topology level (`NCCL_P2P_LEVEL`).
    NcclLevel,
    /// NCCL list of interfaces or adapters (`NCCL_IB_HCA`).
    NcclFilter,
    /// NIXL boolean (throws on anything else).
    NixlBool,
    /// libfabric boolean.
    FiBool,
    /// libfabric integer.
    FiInt,
    /// One of these, case-insensitive.
    OneOf(&'static [&'static str]),
    /// One of these, exactly.
    OneOfExact(&'static [&'static str]),
    /// TensorRT-LLM boolean: true for exactly `1`, false for all else.
    ExactlyOne,
    /// A number with a byte unit that must not be missing.
    SizeWithUnit,
    /// Only whether it is set counts, never its value.
    Presence,
    /// Unsigned integer up to and including this.
    UInt(u64),
    /// Dynamo's Python boolean: `true 1 yes on` in any case, all else is false.
    PythonBool,
    /// Dynamo's Rust boolean: unknown words keep the default.
    RustBool,
    /// SGLang boolean: unknown words keep the default.
    SglangBool,
    /// KVBM boolean: unknown words are an error.
    KvbmBool,
    /// vLLM: what Python's `int` takes; the engine stops on anything else.
    PythonInt,
    /// vLLM: what Python's `float` takes; the engine stops on anything else.
    PythonFloat,
    /// SGLang integer: anything else keeps the default.
    SglangInt,
    /// SGLang number: anything else keeps the default.
    SglangFloat,
    /// On for these words in any case, off for all others.
    On(&'static [&'static str]),
    /// On for exactly these words, off for all others.
    OnExact(&'static [&'static str]),
    /// A JSON object whose values are strings.
    JsonStringMap,
    /// Anything.
    Any,
}

/// One variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it accepts.
    pub grammar: Grammar,
    /// Default as the source has it, empty when unknown.
    pub default: &'static str,
    /// Whoever reads it: `ucx`, `nccl`, `nixl`, `libfabric`, `mooncake`, `nvshmem`, `aws-ofi-nccl`, `trtllm`, `sglang`,
    /// `vllm`, `kvbm`, `dynamo`, `misc`, `external:…` (a plugin or image), `nobody`.
    pub owner: &'static str,
    /// `removed:v1.15.0` (last release that has it), `since:1.22`, `dep`, `alias`, `abort-if-set`, `unread`, `binary`, with
    /// blanks between; empty when nothing special. Releases of variables of Dynamo, vLLM and SGLang are Dynamo's, of all
    /// others their library's.
    pub flags: &'static str,
    /// UCX: the directory of the source that declares it; ` --` for what supplies the default of an option. Where all else
    /// comes from stands in the data files.
    pub source: &'static str,
}

/// A variable as the table has it.
struct Row {
    name: Text,
    /// Its place in `GRAMMARS`.
    grammar: u16,
    /// In `DEFAULTS`.
    default: u16,
    /// Owner, flags and source in `FACTS`.
    facts: u16,
}

impl Row {
    fn get(&self) -> Variable {
        let (owner, flags, source) = &FACTS[usize::from(self.facts)];
        Variable {
            name: self.name.get(),
            grammar: GRAMMARS[usize::from(self.grammar)],
            default: DEFAULTS[usize::from(self.default)].get(),
            owner: owner.get(),
            flags: flags.get(),
            source: source.get(),
        }
    }
}

impl Variable {
    /// Whether nothing reads a variable of that name: it never existed for its library, or was removed.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        self.owner == "nobody" || self.removed().is_some()
    }

    /// Whether a word is among its flags.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.flags.split(' ').any(|word| word == flag)
    }

    fn release(&self, flag: &str) -> Option<&'static str> {
        self.flags.split(' ').find_map(|word| word.strip_prefix(flag))
    }

    /// The last release that had it (`v1.15.0`), for one that was removed.
    #[must_use]
    pub fn removed(&self) -> Option<&'static str> {
        let last = self.release("removed:")?;
        Some(last.rsplit("..").next().unwrap_or(last))
    }

    /// The release of its library that brought it, where the tables saw its absence before.
    #[must_use]
    pub fn since(&self) -> Option<&'static str> {
        self.release("since:")
    }

    /// Whether `value` is in its grammar.
    ///
    /// # Errors
    ///
    /// Says what was expected, and what the reader makes of the value.
    pub fn check(&self, value: &str) -> Result<(), Expected> {
        match self.grammar {
            Grammar::Ucx(kind) => ucx::check(kind, value),
            Grammar::NcclInt => nccl::check_int(value),
            Grammar::NcclLevel => nccl::check_level(value),
            Grammar::NcclFilter | Grammar::Any | Grammar::Presence => Ok(()),
            Grammar::NixlBool => values::nixl_bool(value),
            Grammar::FiBool => values::fi_bool(value),
            Grammar::FiInt => values::fi_int(value),
            Grammar::OneOf(legal) => values::one_of(value, legal, false),
            Grammar::OneOfExact(legal) => values::one_of(value, legal, true),
            Grammar::ExactlyOne => values::exactly_one(value),
            Grammar::SizeWithUnit => values::size_with_unit(value),
            Grammar::UInt(max) => values::uint(value, max),
            Grammar::PythonBool => values::python_bool(value).1,
            Grammar::RustBool => values::rust_bool(value).1,
            Grammar::SglangBool => values::sglang_bool(value),
            Grammar::KvbmBool => values::kvbm_bool(value),
            Grammar::PythonInt => values::python_int(value),
            Grammar::PythonFloat => values::python_float(value),
            Grammar::SglangInt => values::python_int(value).map_err(Expected::ignored),
            Grammar::SglangFloat => values::python_float(value).map_err(Expected::ignored),
            Grammar::On(words) => values::on(value, words, false),
            Grammar::OnExact(words) => values::on(value, words, true),
            Grammar::JsonStringMap => values::json_string_map(value),
        }
    }
}

/// All variables, sorted by name.
pub fn all() -> impl Iterator<Item = Variable> {
    VARIABLES.iter().map(Row::get)
}

/// The variable of that name. Names of KVBM back ends are open-ended and not in here: see [`is_external`].
#[must_use]
pub fn lookup(name: &str) -> Option<Variable> {
    static PLACES: OnceLock<FxHashMap<&'static str, u16>> = OnceLock::new();
    let places = PLACES.get_or_init(|| (0..).zip(VARIABLES).map(|(at, row)| (row.name.get(), at)).collect());
    places.get(name).map(|at| VARIABLES[usize::from(*at)].get())
}

/// A wrong name that people write: the right one (`None` when there is none) and a note, which may be empty.
#[must_use]
pub fn misspelling(name: &str) -> Option<(Option<&'static str>, &'static str)> {
    let index = MISSPELLINGS.binary_search_by(|row| row.0.cmp(name)).ok()?;
    let (_, right, note) = MISSPELLINGS[index];
    Some(((!right.is_empty()).then_some(right), note))
}

/// Nearest known name of the same family for a did-you-mean: from the table of common misspellings, else by edit distance
/// (at most 2; at most 3 when twelve or more characters stand behind the prefix). Never a name that nothing reads.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    if let Some((right, _)) = misspelling(name) {
        return right;
    }
    let family = family(name)?;
    let limit = if name.len() - family.prefix.len() >= 12 { 3 } else { 2 };
    // a variable's own name is not its correction, and neither is a name that is as dead as this one
    let live = |v: &Variable| !v.is_unread() && !v.has("binary") && !v.has("dep") && v.name != name;
    let from = VARIABLES.partition_point(|v| v.name.get() < family.prefix);
    let kin = VARIABLES[from..].iter().take_while(|v| v.name.get().starts_with(family.prefix));
    let near = Near::to(name, limit);
    let kin = kin.filter(|v| near.may_be(v.name.get())).map(Row::get);
    near.nearest(kin.filter(live).map(|v| v.name))
}

/// A family of names: those with one prefix and one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// `UCX_`.
    pub prefix: &'static str,
    /// Who reads it, for messages: `UCX`.
    pub reader: &'static str,
    complete: bool,
}

impl Family {
    /// Whether the catalog has every name of the family, so that an unknown one is a mistake and not just unknown to us.
    #[must_use]
    pub const fn complete(&self) -> bool {
        self.complete
    }
}

/// Longest prefixes first where one is the start of another.
const FAMILIES: &[Family] = &[
    Family { prefix: "AIPERF_", reader: "aiperf", complete: false },
    Family { prefix: "DYN_KVBM_", reader: "KVBM", complete: false },
    Family { prefix: "DYN_", reader: "Dynamo", complete: false },
    Family { prefix: "FI_", reader: "libfabric", complete: true },
    Family { prefix: "GLOO_", reader: "Gloo", complete: false },
    Family { prefix: "MC_", reader: "Mooncake", complete: false },
    Family { prefix: "MOONCAKE_", reader: "Mooncake", complete: false },
    Family { prefix: "NATS_", reader: "NATS clients", complete: false },
    Family { prefix: "NCCL_", reader: "NCCL", complete: true },
    Family { prefix: "NIXL_", reader: "NIXL", complete: true },
    Family { prefix: "NVSHMEM_", reader: "NVSHMEM", complete: true },
    Family { prefix: "OFI_NCCL_", reader: "aws-ofi-nccl", complete: true },
    Family { prefix: "SGLANG_", reader: "SGLang", complete: false },
    Family { prefix: "SGL_", reader: "SGLang", complete: false },
    Family { prefix: "TRTLLM_", reader: "TensorRT-LLM", complete: false },
    Family { prefix: "UCX_", reader: "UCX", complete: true },
    Family { prefix: "VLLM_", reader: "vLLM", complete: false },
];

/// The family a name belongs to by its prefix.
#[must_use]
pub fn family(name: &str) -> Option<Family> {
    let first = name.as_bytes().first()?;
    FAMILIES.iter().find(|f| f.prefix.as_bytes()[0] == *first && name.starts_with(f.prefix)).copied()
}

/// The variable of a family that a name is but for a slip in its prefix: `VLML_USE_V1`.
#[must_use]
pub fn slipped_prefix(name: &str) -> Option<&'static str> {
    let (head, rest) = name.split_once('_')?;
    // Of complete ones `unknown-transport-variable` speaks.
    let slipped = FAMILIES.iter().filter(|f| !f.complete && super::is_slip(head, f.prefix.trim_end_matches('_')));
    slipped.filter_map(|f| lookup(&format!("{}{rest}", f.prefix))).find(|v| !v.is_unread()).map(|v| v.name)
}

/// Prefixes under which plugins, cloud images and test suites keep their own names.
const EXTERNAL: &[&str] = &[
    "DYN_KVBM_NIXL_BACKEND_",
    "NCCL_FASTRAK_",
    "NCCL_GIB_",
    "NCCL_GPUDIRECTTCPX_",
    "NCCL_IBEXT_",
    "NCCL_INSPECTOR_",
    "NCCL_PROFILE_",
    "NCCL_PROFILER_",
    "NCCL_SHARP_",
    "NCCL_SHIMNET_",
    "NCCL_TESTS_",
    "NCCL_TUNER_",
    "UCX_CONFIG_DIR",
    "UCX_HOME",
    "UCX_INSTALL_DIR",
    "UCX_PREFIX",
    "UCX_REF",
    "UCX_ROOT",
    "UCX_VERSION",
    "NCCL_HOME",
    "NCCL_INCLUDE_DIR",
    "NCCL_LIB",
    "NCCL_ROOT",
    "NCCL_VERSION",
    "NIXL_PREFIX",
    "NIXL_REF",
    "NIXL_VERSION",
    "NVSHMEM_DIR",
    "NVSHMEM_HOME",
    "NVSHMEM_PREFIX",
    "NVSHMEM_VERSION",
];

/// Whether a plugin, an image or a build script owns the name: never a typo, never unknown.
#[must_use]
pub fn is_external(name: &str) -> bool {
    lookup(name).is_some_and(|v| v.owner.starts_with("external:")) || EXTERNAL.iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
#[path = "vars_tests.rs"]
mod tests;
