//! Transports between workers: UCX, NCCL, NIXL, libfabric, and the devices that pods ask for.

mod common;
mod compute_domain;
mod efa;
mod engines;
mod nixl;
mod pod;

pub use compute_domain::{compute_domain_claim_undefined, compute_domain_numnodes};
pub use efa::{
    efa_hugepages, efa_shm_transfer, efa_with_ucx_backend, efa_wrong_selector, fi_aborting_variable,
    fi_vars_without_libfabric,
};
pub use engines::{sglang_ib_device_with_nixl, sglang_nixl_params_invalid, trtllm_bool_not_1, trtllm_buffer_size_unit};
pub use nixl::{
    gdrcopy_value, kvbm_backend_value, mc_vars_without_mooncake, nixl_invalid_bool, nixl_side_channel_host,
    nixl_telemetry_port_collision, vllm_nic_mapping_pair,
};
pub use pod::{gke_rdma_incomplete, rdma_resource_limits_only, rdma_without_memlock, security_asymmetric};
