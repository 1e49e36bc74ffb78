//! Environment variables that UCX, NCCL, NIXL, libfabric, Mooncake, the engines and Dynamo read.

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// UCX BOOL and its kin: see [`super::ucx`]. The name of the UCX type as its tables spell it.
    Ucx(&'static str),
    /// NCCL integer parameter (`strtoll`, base 0).
    NcclInt,
    /// NIXL boolean (throws on anything else).
    NixlBool,
    /// libfabric boolean.
    FiBool,
    /// libfabric integer.
    FiInt,
    /// One of these, case-insensitive.
    OneOf(&'static [&'static str]),
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
    /// Whoever reads it: `ucx`, `nccl`, `nixl`, `libfabric`, `mooncake`, `nvshmem`, `trtllm`, `sglang`, `vllm`, `kvbm`, `dynamo`, `external:…`.
    pub owner: &'static str,
    /// `removed:1.16`, `since:1.22`, `dep`, `alias`, `abort-if-set`, … as the tables say; empty when nothing special.
    pub flags: &'static str,
    /// Source line.
    pub source: &'static str,
}

/// The variable of that name.
#[must_use]
pub fn lookup(_name: &str) -> Option<&'static Variable> {
    unimplemented!("catalog room")
}

/// Nearest known name with that prefix (`UCX_`, …) for a did-you-mean, or none when nothing is near.
#[must_use]
pub fn nearest(_name: &str) -> Option<&'static str> {
    unimplemented!("catalog room")
}
