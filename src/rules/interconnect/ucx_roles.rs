//! `UCX_TLS` of prefill and decode, compared.

use super::common::ucx_workers;
use super::tls;
use crate::resolve::{Deployment, Role, Service};
use crate::rules::Findings;

/// What a list leaves to reach another pod by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    tcp: bool,
    rdma: bool,
}

/// Prefill and decode have no transport between pods in common.
pub fn ucx_tls_roles_disjoint(deployment: &Deployment, out: &mut Findings) {
    if !deployment.is_disaggregated() {
        return;
    }
    let all: Vec<(&Service, Reach)> = ucx_workers(deployment).filter_map(|s| Some((s, reach(s)?))).collect();
    for (decode, there) in all.iter().filter(|(s, _)| s.role == Role::Decode) {
        let prefill: Vec<_> = all.iter().filter(|(s, _)| s.role == Role::Prefill).collect();
        let Some((peer, here)) = prefill.first() else { return };
        let common = prefill.iter().any(|(_, r)| (r.tcp && there.tcp) || (r.rdma && there.rdma));
        // With nothing at all on one side another rule speaks.
        if common || !(here.tcp || here.rdma) || !(there.tcp || there.rdma) {
            continue;
        }
        let name = |r: Reach| if r.rdma { "RDMA" } else { "TCP" };
        let Some(own) = tls::list(decode) else { continue };
        let mut report = out
            .report(
                own.span(decode),
                format!(
                    "`{}` reaches other pods by {} only, `{}` by {} only",
                    peer.name,
                    name(*here),
                    decode.name,
                    name(*there)
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
