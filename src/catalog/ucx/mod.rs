//! UCX value grammars and transport-list algebra (UCX v1.21.0 `src/ucs/config/parser.c`, `src/ucp/core/ucp_context.c`).

mod devices;
mod list;
mod tls;
mod value;

pub use devices::{Device, DeviceKind, NetDevices};
pub use list::{Item, ListError, ListErrorKind, Mode};
pub use tls::{TlsList, Transport, names as transports};
pub use value::check;

use super::vars::Variable;

/// What UCX does when the value of a variable is outside its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadValue {
    /// The value is dropped and the default used (the tables read with `ignore_errors`: `src/ucs/config/global_opts.c`,
    /// `ucm_opts.c`).
    DefaultUsed,
    /// The transport that owns the variable cannot be opened: its memory domain is skipped, or the worker cannot be
    /// created (`src/uct`, `ucp_context.c` `ucp_fill_tl_md`).
    TransportLost,
    /// `ucp_config_read` fails, and with it whatever initialises UCX (`src/ucp`).
    InitFails,
}

/// What happens when `variable` has a value outside its grammar, by the table that declares it.
#[must_use]
pub fn on_bad_value(variable: Variable) -> BadValue {
    let source = variable.source;
    if ["src/ucs/config", "src/ucs/arch", "src/ucm"].iter().any(|part| source.starts_with(part)) {
        BadValue::DefaultUsed
    } else if source.starts_with("src/ucp") {
        BadValue::InitFails
    } else {
        BadValue::TransportLost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::vars::lookup;

    #[test]
    fn a_bad_value_is_as_bad_as_its_table() {
        for (name, effect) in [
            ("UCX_LOG_LEVEL", BadValue::DefaultUsed),
            ("UCX_MEMTYPE_CACHE", BadValue::DefaultUsed),
            ("UCX_WARN_UNUSED_ENV_VARS", BadValue::DefaultUsed),
            ("UCX_MEM_EVENTS", BadValue::DefaultUsed),
            ("UCX_TLS", BadValue::InitFails),
            ("UCX_NET_DEVICES", BadValue::InitFails),
            ("UCX_RNDV_THRESH", BadValue::InitFails),
            ("UCX_IB_GPU_DIRECT_RDMA", BadValue::TransportLost),
            ("UCX_RC_TIMEOUT", BadValue::TransportLost),
            ("UCX_CUDA_IPC_ENABLE_MNNVL", BadValue::TransportLost),
        ] {
            assert_eq!(on_bad_value(lookup(name).expect(name)), effect, "{name}");
        }
    }
}
