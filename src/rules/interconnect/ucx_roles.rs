//! `UCX_TLS` of prefill and decode, compared.

use super::common::{path, sides};
use super::tls;
use crate::resolve::{Deployment, Service, Transfer};
use crate::rules::Findings;

/// What a list leaves to reach another pod by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    tcp: bool,
    rdma: bool,
}

/// Prefill and decode have no transport between pods in common.
pub fn ucx_tls_roles_disjoint(deployment: &Deployment, out: &mut Findings) {
    for (peer, here, decode, there) in disjoint(deployment) {
        let name = |r: Reach| if r.rdma { "RDMA" } else { "TCP" };
        let Some(own) = tls::list(decode) else { continue };
        let mut report = out
            .report(
                own.span(decode),
                format!(
                    "`{}` reaches other pods by {} only, `{}` by {} only",
                    peer.name,
                    name(here),
                    decode.name,
                    name(there)
                ),
                "no transport in common: every KV transfer fails",
            )
            .service(decode)
            .subject("UCX_TLS")
            .help("give both roles the same list, or remove it from both");
        if let Some(theirs) = tls::list(peer) {
            report = report.label(theirs.span(peer), format!("the list of `{}`", peer.name));
        }
        report.emit();
    }
}

/// Prefill and decode workers whose lists have nothing in common: with each decode worker the first prefill one.
pub(super) fn disjoint<'a>(deployment: &'a Deployment) -> Vec<(&'a Service, Reach, &'a Service, Reach)> {
    let known = |services: Vec<&'a Service>| -> Vec<(&'a Service, Reach)> {
        let ucx = services.into_iter().filter(|s| path(s).is_some_and(Transfer::reads_ucx));
        ucx.filter_map(|s| Some((s, reach(s)?))).collect()
    };
    let (prefill, decode) = sides(deployment);
    let (prefill, decode) = (known(prefill), known(decode));
    let mut found = Vec::new();
    for (service, there) in &decode {
        let Some((peer, here)) = prefill.first() else { continue };
        let common = prefill.iter().any(|(_, r)| (r.tcp && there.tcp) || (r.rdma && there.rdma));
        // With nothing at all on one side another rule speaks.
        if !common && (here.tcp || here.rdma) && (there.tcp || there.rdma) {
            found.push((*peer, *here, *service, *there));
        }
    }
    found
}

/// Without a list everything is there; a list that is not known, or malformed, tells nothing.
fn reach(service: &Service) -> Option<Reach> {
    match service.env.get("UCX_TLS") {
        None => None,
        Some(_) => {
            let tls = tls::list(service)?;
            Some(Reach { tcp: tls.list.has_tcp(), rdma: tls.list.has_ib() })
        }
    }
}
