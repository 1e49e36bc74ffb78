//! Advice on settings that do nothing: inert, redundant, or under a name on its way out.
//!
//! A function stands with the facts that it reads, in the room of its component; what belongs together for who reads the
//! findings is put together here.

pub use super::command::{deprecated_worker_flag, duplicated_flag};
pub use super::disagg::trtllm_env_ignored;
pub use super::interconnect::{
    fi_vars_without_libfabric, frontend_transport_vars, mc_vars_without_mooncake, sglang_ib_device_with_nixl,
    transport_vars_in_agg, ucx_addr_type_noop, ucx_removed_variable, ucx_tls_redundant, ucx_vars_without_ucx,
    variable_not_in_release,
};
pub use super::manifest::operator_forced_env;
pub use super::router::{
    dead_router_env, deprecated_flag_alias, events_unused, frontend_block_size_inert, ignored_router_setting,
    kv_single_target, router_setting_moves_to_file, ttl_inert,
};
