//! What `UCX_TLS` leaves of UCX, for the rules that need to know.

use super::common::{buffers_on_gpu, kv_workers, nvidia_gpus, value_span};
use crate::catalog::ucx::{ListErrorKind, Mode, TlsList};
use crate::resolve::{Deployment, EnvVar, Service, Transfer};
use crate::rules::Findings;
use crate::source::{Fact, Span, Text};

/// The transport list of a worker whose KV cache goes over UCX.
pub(super) struct Tls<'a> {
    /// The variable.
    pub(super) var: &'a EnvVar,
    /// Its value.
    pub(super) text: &'a Text,
    /// The value as UCX reads it.
    pub(super) list: TlsList<'a>,
}

impl Tls<'_> {
    /// The characters of the value.
    pub(super) fn span(&self, service: &Service) -> Span {
        value_span(self.var).unwrap_or(service.span)
    }

    /// The item that names a transport, alone or in an alias: for a negated list the one that takes it away.
    pub(super) fn item_with(&self, transport: &str) -> Option<Span> {
        let names = |text: &str| {
            let one = TlsList::parse(text);
            one.mode() == Mode::Allow && one.has(transport)
        };
        self.list.items().iter().find(|i| names(i.text)).map(|i| self.text.slice_span(i.range.clone()))
    }
}

/// The list, unless it is unset, not known, or so malformed that another rule reports it first.
pub(super) fn list(service: &Service) -> Option<Tls<'_>> {
    let var = service.env.get("UCX_TLS").filter(|v| v.written())?;
    let text = var.known()?;
    let list = TlsList::parse(text);
    let malformed = list.errors().iter().any(|e| match e.kind {
        ListErrorKind::Duplicate | ListErrorKind::AllNotFirst => false,
        ListErrorKind::Unknown => e.replacement.is_some(),
        _ => true,
    });
    (!malformed).then_some(Tls { var, text, list })
}

/// Every well-formed list of a prefill or decode worker whose KV cache goes over UCX. Notes where that cannot be known.
pub(super) fn each<'a>(
    deployment: &'a Deployment,
    out: &mut Findings,
    mut f: impl FnMut(&'a Service, Tls<'a>, &mut Findings),
) {
    for service in kv_workers(deployment) {
        let Some(var) = service.env.get("UCX_TLS").filter(|v| v.written()) else { continue };
        let at = value_span(var).unwrap_or(service.span);
        match (&service.kv.path, &var.winner().value) {
            (Fact::Dynamic(reason), _) | (_, Fact::Dynamic(reason)) => out.undecided(service, at, reason.clone()),
            (Fact::Known(path), _) if Transfer::reads_ucx(*path) => {
                if let Some(tls) = list(service) {
                    f(service, tls, out);
                }
            }
            _ => {}
        }
    }
}

/// Whether the list leaves RDMA transports only, so that there is no TCP to fall back on.
pub(super) fn rdma_only(service: &Service) -> bool {
    list(service).is_some_and(|t| t.list.has_ib() && !t.list.has_tcp())
}

/// Whether the list leaves no RDMA transport.
pub(super) fn excludes_ib(service: &Service) -> bool {
    list(service).is_some_and(|t| !t.list.has_ib())
}

/// Whether the list itself leaves nothing but TCP in a pod without RDMA: `ucx-tls-no-fast-path` says so.
pub(super) fn slow_by_list(service: &Service) -> bool {
    !service.fabric.may_have_rdma()
        && service.fabric.channel().is_none()
        && buffers_on_gpu(service)
        && nvidia_gpus(service).is_some()
        && list(service).is_some_and(|t| t.list.has_tcp() && t.list.has_cuda_copy() && !t.list.has_cuda_ipc())
}

/// Where a worker asks for NVLink between pods: `cuda_ipc` in its list, or the switch for multi-node NVLink.
pub(super) fn nvlink_intent(service: &Service) -> Option<Span> {
    let tls = list(service);
    if service.env.get("UCX_TLS").is_some() && tls.as_ref().is_none_or(|t| !t.list.has_cuda_ipc()) {
        return None;
    }
    let listed = tls.filter(|t| t.list.mode() == Mode::Allow).and_then(|t| t.item_with("cuda_ipc"));
    let switch = || {
        let var = service.env.get("UCX_CUDA_IPC_ENABLE_MNNVL").filter(|v| v.written())?;
        super::common::truthy(var.known()?).then(|| value_span(var)).flatten()
    };
    listed.or_else(switch)
}
