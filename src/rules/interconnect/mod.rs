//! UCX, NCCL, NIXL and libfabric: variables, devices and the path KV cache really takes.
