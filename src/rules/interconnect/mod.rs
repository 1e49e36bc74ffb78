//! Transports between workers: UCX, NCCL, NIXL, libfabric, and the devices that pods ask for.

mod common;
mod compute_domain;
mod efa;
mod engine_variables;
mod engines;
mod fabric;
mod inert;
mod moved;
mod nccl;
mod nixl;
mod nvlink;
mod pinned;
mod pod;
mod ports;
mod shell;
mod tls;
mod ucx_devices;
mod ucx_list;
mod ucx_roles;
mod ucx_tls;
mod ucx_values;
mod unknown;

pub use compute_domain::{compute_domain_claim_undefined, compute_domain_numnodes};
pub use efa::{
    efa_hugepages, efa_shm_transfer, efa_with_ucx_backend, efa_wrong_selector, fi_aborting_variable,
    fi_vars_without_libfabric,
};
pub use engine_variables::{engine_variable_value, variable_not_in_release};
pub use engines::{sglang_ib_device_with_nixl, sglang_nixl_params_invalid, trtllm_bool_not_1, trtllm_buffer_size_unit};
pub use fabric::{disagg_no_fabric, multinode_no_nic, rdma_asymmetric_roles, rdma_kind_mismatch};
pub use inert::{frontend_transport_vars, transport_vars_in_agg, ucx_vars_without_ucx};
pub use moved::vllm_all2all_env;
pub use nccl::{
    gloo_ifname_pattern, nccl_cumem_0_with_mnnvl, nccl_filter_syntax, nccl_hca_prefix_ambiguous,
    nccl_ib_disable_multinode, nccl_level_invalid, nccl_net_socket_multinode, nccl_non_integer_value,
};
pub use nixl::{
    gdrcopy_value, kvbm_backend_value, mc_vars_without_mooncake, nixl_invalid_bool, nixl_side_channel_host,
    vllm_nic_mapping_pair,
};
pub use nvlink::{compute_domain_asymmetric, mnnvl_kv_not_fabric_memory, mnnvl_without_compute_domain};
pub use pinned::disagg_transport_unpinned;
pub use pod::{
    gke_rdma_incomplete, rdma_in_single_node_agg, rdma_resource_limits_only, rdma_without_memlock, security_asymmetric,
};
pub use ports::port_collision;
pub use shell::{env_shell_expansion, mpirun_env_not_forwarded};
pub use ucx_devices::{
    ucx_net_devices_glob, ucx_net_devices_missing_port, ucx_net_devices_no_ib, ucx_net_devices_role_mismatch,
    ucx_net_devices_single_hca, ucx_net_devices_suspicious_name,
};
pub use ucx_list::{
    ucx_tls_all_not_alone, ucx_tls_caret_not_first, ucx_tls_empty, ucx_tls_redundant, ucx_tls_token_format,
    ucx_tls_unknown_transport,
};
pub use ucx_roles::ucx_tls_roles_disjoint;
pub use ucx_tls::{
    ucx_mnnvl_contradiction, ucx_tls_missing_cuda_copy, ucx_tls_no_am_transport, ucx_tls_no_fast_path,
    ucx_tls_raw_ib_without_aux, ucx_tls_rdma_only_without_rdma, ucx_tls_tcp_only_with_rdma,
};
pub use ucx_values::{
    ucx_addr_type_noop, ucx_gid_and_subnets, ucx_gid_index_hardcoded, ucx_gpu_direct_disabled, ucx_invalid_value,
    ucx_removed_variable, ucx_rndv_inert_under_nixl,
};
pub use unknown::unknown_transport_variable;
