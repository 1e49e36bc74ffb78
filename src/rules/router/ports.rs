//! Ports that the ranks of one engine count up from a base.

use super::workers::ranks;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// One after another from a base, for each data-parallel rank.
struct Listeners {
    what: &'static str,
    from: u32,
    count: u32,
    span: Option<Span>,
}

/// `event-port-collision`
pub fn event_port_collision(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm) && s.at_least(1, 0)) {
        let Some((events, others)) = listeners(service) else { continue };
        let Some(at) = events.span else { continue };
        for other in others {
            if events.from >= other.from + other.count || other.from >= events.from + events.count {
                continue;
            }
            out.report(
                at,
                format!("KV events and {} of `{}` want one port", other.what, service.name),
                format!("{}; {} wants {}", range(&events), other.what, range(&other)),
            )
            .service(service)
            .subject("--kv-events-config")
            .label_opt(other.span, "the other one")
            .help("move one of the two: each data-parallel rank takes one port more, counted up from the base")
            .emit();
        }
    }
}

fn range(ports: &Listeners) -> String {
    match ports.count {
        1 => ports.from.to_string(),
        n => format!("{} to {}", ports.from, ports.from + n - 1),
    }
}

/// Where a worker publishes, and what else it listens to. None where part of it cannot be known, or other pods run some of the
/// ranks.
fn listeners(service: &Service) -> Option<(Listeners, Vec<Listeners>)> {
    let elsewhere = |name: &str| name.starts_with("--data-parallel-") && name != "--data-parallel-size";
    if service.nodes != 1 || service.args_open() || service.args()?.flags.iter().any(|f| elsewhere(&f.name)) {
        return None;
    }
    let count = ranks(service).known().copied()?.max(1);
    let config = service.events.config.as_ref().filter(|_| service.events.published == Fact::Known(true))?;
    let endpoint = config.get("endpoint")?;
    let from = endpoint.as_str()?.strip_prefix("tcp://*:")?.parse().ok()?;
    let events = Listeners { what: "KV events", from, count, span: Some(endpoint.span) };
    let port = |name: &str, unset: u32| {
        let span = service.env.get(name).and_then(|v| v.winner().span);
        match service.env.fact(name) {
            Fact::Known(port) => port.trim().parse().ok().map(|n| (n, span)),
            Fact::Unset => Some((unset, None)),
            Fact::Dynamic(_) => None,
        }
    };
    let mut others = Vec::new();
    if let Some((from, span)) = port("DYN_SYSTEM_PORT", 9090) {
        others.push(Listeners { what: "the status server", from, count: 1, span });
    }
    let nixl = service.kv.connectors.iter().any(|c| c.value == "NixlConnector");
    if let Some((from, span)) = port("VLLM_NIXL_SIDE_CHANNEL_PORT", 5600).filter(|_| nixl) {
        others.push(Listeners { what: "NIXL's side channel", from, count, span });
    }
    Some((events, others))
}
