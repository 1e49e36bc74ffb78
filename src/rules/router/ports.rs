//! Ports that the ranks of one engine count up from a base.

use super::workers::ranks;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// `event-port-collision`
pub fn event_port_collision(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm) && s.at_least(1, 0)) {
        let Some((from, count, at)) = published(service) else { continue };
        let nixl = service.kv.connectors.iter().any(|c| c.value == "NixlConnector");
        let side = ("VLLM_NIXL_SIDE_CHANNEL_PORT", 5600, if nixl { count } else { 0 });
        for (name, unset, taken) in [("DYN_SYSTEM_PORT", 9090, 1), side] {
            let other: Option<u32> = match service.env.fact(name) {
                Fact::Known(port) => port.trim().parse::<u16>().ok().map(u32::from),
                Fact::Unset => Some(unset),
                Fact::Dynamic(_) => None,
            };
            let Some(other) = other.filter(|other| from < other + taken && *other < from + count) else { continue };
            out.report(
                at,
                format!("KV events of `{}` and `{name}` want one port", service.name),
                format!("{count} from {from} on here, {taken} from {other} on there"),
            )
            .service(service)
            .subject(name)
            .label_opt(service.env.get(name).and_then(|v| v.winner().span), "the other one")
            .help("move one of the two: each data-parallel rank takes one port more, counted up from the base")
            .emit();
        }
    }
}

/// The first port on which a worker publishes, how many follow with it, and where that is said. None where part of it cannot be
/// known, or other pods run some of the ranks.
fn published(service: &Service) -> Option<(u32, u32, Span)> {
    let elsewhere = |name: &str| name.starts_with("--data-parallel-") && name != "--data-parallel-size";
    if service.nodes != 1 || service.args_open() || service.args()?.flags.iter().any(|f| elsewhere(&f.name)) {
        return None;
    }
    let config = service.events.config.as_ref().filter(|_| service.events.published == Fact::Known(true))?;
    let endpoint = config.get("endpoint")?;
    let from: u16 = endpoint.as_str()?.strip_prefix("tcp://*:")?.parse().ok()?;
    let count = ranks(service).known().copied()?.clamp(1, u32::from(u16::MAX));
    Some((from.into(), count, endpoint.span))
}
