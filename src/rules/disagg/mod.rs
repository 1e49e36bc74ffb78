//! Prefill and decode: declared, paired, and able to hand KV cache over.

mod facts;
mod handshake;
mod layout;
mod pair;
mod roles;
mod sglang;
mod speculation;
mod transfer;
mod trtllm;
mod vllm;

pub(in crate::rules) use facts::{Said, model_names, place, said, served_name, stands_alone};
pub use handshake::pd_handshake_refused;
pub use layout::pd_layout_refused;
pub use pair::{
    hybrid_cache_asymmetric, kv_connector_mismatch, pd_block_size_mismatch, pd_context_length_mismatch,
    pd_kv_dtype_mismatch, pd_model_mismatch,
};
pub use roles::{
    disagg_peer_missing, disagg_role_in_aggregated, disagg_role_undeclared, disagg_subtype_missing,
    operator_type_contradicts_role, role_duplicated,
};
pub use sglang::{sglang_backend_defaults_mooncake, sglang_bind_host};
pub use speculation::pd_speculation_mismatch;
pub use transfer::kv_transfer_json_invalid;
pub(in crate::rules) use transfer::plugin_meant;
pub use trtllm::{
    trtllm_cache_transceiver_mismatch, trtllm_cache_transceiver_missing, trtllm_env_ignored,
    trtllm_transceiver_backend, trtllm_transfer_buffer,
};
pub use vllm::{vllm_connector_flag_removed, vllm_kv_transfer_missing};
