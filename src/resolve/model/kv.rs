//! KV cache on its way: how it gets from prefill to decode, and what is published about it.

use crate::command::Word;
use crate::command::json::Json;
use crate::source::{Fact, Span, Spanned};
use crate::yaml::Node;

/// Which library moves KV cache between prefill and decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transfer {
    /// NIXL with its UCX plugin.
    NixlUcx,
    /// NIXL with its LIBFABRIC plugin.
    NixlLibfabric,
    /// NIXL with another plugin.
    NixlOther,
    /// Mooncake.
    Mooncake,
    /// TensorRT-LLM's own UCX.
    TrtllmUcx,
    /// TensorRT-LLM over MPI.
    TrtllmMpi,
    /// Something else (LMCache, P2pNccl, …).
    Other,
    /// Nothing: no transfer is configured.
    None,
}

impl Transfer {
    /// Whether `UCX_*` variables steer it.
    #[must_use]
    pub const fn reads_ucx(self) -> bool {
        matches!(self, Self::NixlUcx | Self::TrtllmUcx)
    }
}

/// How a worker hands KV cache over.
#[derive(Clone, Debug, Default)]
pub struct KvTransfer {
    /// The path; `Unset` for services that are no workers, `Dynamic` when it cannot be seen.
    pub path: Fact<Transfer>,
    /// Where that is said; none for a default.
    pub span: Option<Span>,
    /// `--kv-transfer-config` as parsed (vLLM).
    pub config: Option<Json>,
    /// `--kv-transfer-config` as given, parsed or not.
    pub config_text: Option<Word>,
    /// Connector names, outermost first, with the nested ones of PdConnector and MultiConnector behind.
    pub connectors: Vec<Spanned<String>>,
    /// `kv_buffer_device`: `cuda` unless given.
    pub buffer_device: Option<Spanned<String>>,
    /// TRT-LLM `cache_transceiver_config` node.
    pub transceiver: Option<Node>,
}

/// Whether a worker publishes KV events.
#[derive(Clone, Debug, Default)]
pub struct KvEvents {
    /// On, off, or not to be known. `Unset` for services that are no workers. A vLLM worker that says nothing is off,
    /// which holds from Dynamo 1.1 on; with a known version before 1.1 it is on.
    pub published: Fact<bool>,
    /// The flag, key or variable that decides; none when it is the default.
    pub span: Option<Span>,
    /// `--kv-events-config` as parsed (vLLM, SGLang).
    pub config: Option<Json>,
}
