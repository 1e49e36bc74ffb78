//! How requests find their worker: router modes, KV events, and what both sides must agree on.

mod blocks;
mod claims;
mod conditional;
mod demands;
mod events;
mod flags;
mod knobs;
mod mode;
mod modes;
mod moved;
mod namespaces;
mod pairs;
mod planes;
mod publisher;
mod refused;
mod renamed;
mod services;
mod sets;
mod settings;
mod tuning;
mod variables;
mod workers;

pub use blocks::{frontend_block_size_inert, standalone_router_block_size};
pub use claims::{RouterClaim, WorkerClaim, router_claims, worker_claims};
pub use conditional::conditional_disagg_requirements;
pub use demands::{aic_prerequisites, epp_standalone_env};
pub use events::{backend_cannot_publish, events_unused, kv_router_no_events, kv_router_partial_events};
pub use flags::{frontend_choice_invalid, frontend_model_path, removed_router_flag, unknown_frontend_flag};
pub use modes::{
    direct_without_external_router, kv_single_target, lora_unsupported_mode, min_initial_workers_unreachable,
    router_mode_flag_env_conflict, text_input_with_kv_or_direct, unknown_router_mode,
};
pub use moved::router_setting_moves_to_file;
pub use namespaces::{dgd_name_prefix_collision, epp_namespace_mismatch};
pub use pairs::{
    approximate_policy_with_events, indexer_flag_conflict, output_blocks_without_active, predicted_ttl_without_events,
    ttl_inert,
};
pub use planes::{
    event_plane_mismatch, mixed_image_versions, nats_without_server, replica_sync_missing, request_plane_mismatch,
};
pub use publisher::{
    kv_events_without_prefix_cache, sglang_events_schema, trtllm_event_buffer_without_publish, vllm_events_not_enabled,
};
pub use refused::frontend_refused;
pub use renamed::{deprecated_flag_alias, ignored_router_setting, overlap_weight_deprecated};
pub use services::{pool_namespace_unknown, router_service_refused};
pub use sets::{frontend_modes_differ, worker_set_asymmetric};
pub use tuning::{
    bool_env_unrecognised, kv_knob_in_non_kv_mode, load_aware_overrides, queue_policy_invalid,
    router_number_out_of_range,
};
pub use variables::{dead_router_env, epp_sidecar_not_direct, epp_wrong_env, router_env_on_worker};
pub use workers::remedy as event_remedy;
pub(super) use workers::{ranks as target_ranks, scaled};
