//! The manifest: fields, names and files that must fit together.

mod admission;
mod benchmark_gpus;
mod benchmark_host;
mod benchmark_model;
mod downloaded;
mod downloads;
mod gpus;
mod images;
mod in_front;
pub(super) mod jobs;
mod knobs;
mod label_filters;
mod limits;
mod lora;
mod misspelled;
mod mounts;
pub(super) mod near;
mod near_mount;
mod object;
mod one_cluster;
mod parents;
mod perf_args;
mod picker;
mod picker_env;
mod pools;
mod ports;
mod references;
mod refusal;
mod refused;
mod request;
mod routes;
mod schema;
mod selectors;
mod shape;
mod spread;
mod traffic;
mod unset;
mod volumes;

pub use admission::{epp_refused, frontend_sidecar_unknown, name_too_long};
pub use benchmark_gpus::perf_gpu_count;
pub use benchmark_host::perf_endpoint_mismatch;
pub use benchmark_model::model_name_mismatch;
pub use downloaded::{download_model_mismatch, model_downloaded_elsewhere};
pub use downloads::download_outside_volume;
pub use gpus::gpu_missing;
pub use images::{image_framework_mismatch, image_misnamed, image_missing, image_placeholder, image_private};
pub use knobs::{debug_knob, stale_env_name};
pub use limits::{quantity_dropped, request_over_limit};
pub use lora::lora_half_enabled;
pub use misspelled::{job_variable_misspelled, kind_unknown, misspelled_variable};
pub use mounts::{mount_invalid, mount_without_volume, volume_not_mounted};
pub use near_mount::path_near_mount;
pub use object::object_refused;
pub use one_cluster::discovery_hard_coded;
pub use perf_args::perf_job_args;
pub use picker::epp_plugin_reference;
pub use picker_env::epp_model_env;
pub use pools::pool_selector;
pub(super) use ports::http_port;
pub use ports::{frontend_port_mismatch, probe_path_unknown, startup_probe_short, system_port_mismatch};
pub use references::{config_key_missing, reference_unmet};
pub use refused::admission_refused;
pub use routes::route_backend_missing;
pub use schema::{duplicate_item, invalid_choice, missing_field, unknown_field, value_refused, wrong_type};
pub use selectors::selector_mismatch;
pub use shape::{
    annotation_as_label, annotation_not_propagated, api_version_shape, component_type_invalid, component_type_missing,
    dynamo_namespace_differs, envfrom_replaced, namespace_differs, operator_forced_env, shared_memory_shrinks,
};
pub use spread::{host_network_dns, volume_on_one_node};
pub use unset::variable_without_value;
pub use volumes::{
    cache_outside_volume, claim_not_in_recipe, config_file_missing, configmap_missing, hf_home_not_mounted,
    model_path_not_mounted, model_snapshot_path,
};
