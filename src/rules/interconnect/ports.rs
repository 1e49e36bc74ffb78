//! Ports that the servers of one container want.

use super::common::truthy;
use crate::command::Args;
use crate::finding::Severity;
use crate::resolve::{Deployment, Env, Framework, Role, Service};
use crate::rules::Findings;
use crate::rules::router::target_ranks;
use crate::source::{Fact, Span};

/// A server: the setting that gives it its port, the first one, how many follow, and where that is said.
struct Listener {
    setting: &'static str,
    from: u32,
    count: u32,
    at: Option<Span>,
}

/// A port that a server can be bound to; 0 takes any that is free.
fn port(text: &str) -> Option<u32> {
    text.trim().parse::<u16>().ok().filter(|port| *port > 0).map(u32::from)
}

/// The listeners of a container, those that a manifest is most likely to have moved first.
#[derive(Default)]
struct Listeners(Vec<Listener>);

impl Listeners {
    fn add(&mut self, setting: &'static str, from: Option<u32>, count: u32, at: Option<Span>) {
        self.0.extend(from.map(|from| Listener { setting, from, count, at }));
    }

    /// A server whose port a variable says; `unset` is the port of one that starts without.
    fn variable(&mut self, env: &Env, name: &'static str, unset: Option<u32>, count: u32) {
        let from = match env.fact(name) {
            Fact::Known(text) => port(text),
            Fact::Unset => unset,
            Fact::Dynamic(_) => None,
        };
        self.add(name, from, count, env.get(name).and_then(|v| v.winner().span));
    }

    /// A server whose port an option of SGLang says, behind the last colon of an address.
    fn option(&mut self, service: &Service, name: &'static str) {
        let said = match service.flag(&[name]).and_then(|f| f.value()) {
            Some(word) => word.as_known().map(|text| (text, word.span())),
            None => service.config_at(&[&name[2..]]).and_then(|n| Some((n.as_text()?, n.span))),
        };
        let Some((text, at)) = said else { return };
        self.add(name, port(text.rsplit(':').next().unwrap_or(text)), 1, Some(at));
    }
}

/// Where KV events are published, on every address: the first port and its place.
fn published(service: &Service) -> Option<(u32, Span)> {
    let config = service.events.config.as_ref().filter(|_| service.events.published == Fact::Known(true))?;
    let endpoint = config.get("endpoint")?;
    Some((port(endpoint.as_str()?.strip_prefix("tcp://*:")?)?, endpoint.span))
}

/// Data-parallel ranks that run in this pod; none where part of it cannot be known, or other pods run some of them.
fn local_ranks(service: &Service, args: &Args) -> Option<u32> {
    let elsewhere = |name: &str| name.starts_with("--data-parallel-") && name != "--data-parallel-size";
    if service.nodes != 1 || args.flags.iter().any(|f| elsewhere(&f.name)) {
        return None;
    }
    Some(target_ranks(service).known().copied()?.clamp(1, u32::from(u16::MAX)))
}

/// vLLM counts each of its ports up by rank.
fn vllm(service: &Service, args: &Args, found: &mut Listeners) {
    let Some(ranks) = local_ranks(service, args).filter(|_| service.at_least(1, 0)) else { return };
    if let Some((from, at)) = published(service) {
        found.add("--kv-events-config", Some(from), ranks, Some(at));
    }
    if service.kv.connectors.iter().any(|c| c.value == "NixlConnector") {
        found.variable(&service.env, "VLLM_NIXL_SIDE_CHANNEL_PORT", Some(5600), ranks);
    }
    // Dynamo's scheduler publishes on it; a scheduler of one's own does not.
    if service.at_least(1, 1) && service.flag(&["--scheduler-cls"]).is_none() && !service.config_open() {
        found.variable(&service.env, "DYN_FORWARDPASS_METRIC_PORT", None, ranks);
    }
    if service.kv.connectors.iter().any(|c| c.value == "DynamoConnector") {
        for name in ["DYN_KVBM_LEADER_ZMQ_PUB_PORT", "DYN_KVBM_LEADER_ZMQ_ACK_PORT"] {
            found.variable(&service.env, name, None, 1);
        }
    }
}

fn sglang(service: &Service, found: &mut Listeners) {
    if let Some((from, at)) = published(service) {
        found.add("--kv-events-config", Some(from), 1, Some(at));
    }
    if service.role == Role::Prefill && service.role_known {
        found.option(service, "--disaggregation-bootstrap-port");
    }
    let address = service.flag(&["--dist-init-addr", "--nccl-init-addr"]).is_some()
        || service.config_at(&["dist-init-addr"]).is_some();
    if service.nodes != 1 {
        // The operator gives the leader `--dist-init-addr <leader>:29500`, where it sees the command.
        let seen = !address && !service.component.main.args.items.is_empty();
        found.add("--dist-init-addr", seen.then_some(29500), 1, None);
    } else if address {
        found.option(service, "--dist-init-addr");
    } else {
        found.option(service, "--nccl-port");
    }
}

/// `port-collision`
pub fn port_collision(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let found = listeners(service);
        for (index, one) in found.iter().enumerate() {
            for other in &found[index + 1..] {
                if one.from < other.from + other.count && other.from < one.from + one.count {
                    say(service, one, other, out);
                }
            }
        }
    }
}

fn listeners(service: &Service) -> Vec<Listener> {
    let mut found = Listeners::default();
    let env = &service.env;
    let module = service.module().unwrap_or_default();
    if let Some(args) = service.args().filter(|_| !service.args_open()) {
        match service.framework {
            Some(Framework::Vllm) => vllm(service, args, &mut found),
            Some(Framework::Sglang) => sglang(service, &mut found),
            _ => {}
        }
    }
    if service.role.is_worker() {
        let on = |name: &str| env.known(name).is_some_and(|v| truthy(v));
        let exporter = env.known("NIXL_TELEMETRY_EXPORTER").is_some_and(|v| v.eq_ignore_ascii_case("prometheus"));
        if exporter && on("NIXL_TELEMETRY_ENABLE") {
            found.variable(env, "NIXL_TELEMETRY_PROMETHEUS_PORT", Some(9090), 1);
        }
        if on("DYN_KVBM_METRICS") && service.kv.connectors.iter().any(|c| c.value == "DynamoConnector") {
            found.variable(env, "DYN_KVBM_METRICS_PORT", Some(6880), 1);
        }
    }
    if module.starts_with("dynamo.planner") {
        found.variable(env, "PLANNER_PROMETHEUS_PORT", None, 1);
    }
    // A frontend beside it shares its network.
    if let Some((sidecar, args)) = service.sidecar.as_ref().and_then(|s| Some((s, &s.process.as_ref()?.args))) {
        match args.last(&["--http-port"]).and_then(|f| f.value()) {
            Some(word) => found.add("--http-port", word.as_known().and_then(port), 1, Some(word.span())),
            None if args.open.is_some() => {}
            None => found.variable(&sidecar.env, "DYN_HTTP_PORT", Some(8000), 1),
        }
    }
    // The status server of the runtime; without a port it is off.
    if service.framework.is_some() || (module.starts_with("dynamo.") && service.at_least(1, 0)) {
        found.variable(env, "DYN_SYSTEM_PORT", None, 1);
    }
    if module == "dynamo.frontend"
        && let Some((port, at)) = crate::rules::manifest::http_port(service)
    {
        found.add("--http-port", u32::try_from(port).ok(), 1, at);
    }
    found.0
}

fn say(service: &Service, one: &Listener, other: &Listener, out: &mut Findings) {
    let (one, other) = if one.at.is_some() { (one, other) } else { (other, one) };
    let Some(at) = one.at else { return };
    let label = match (one.count, other.count) {
        (1, 1) => "the second to bind it gets `Address already in use`".to_owned(),
        _ => format!("{} from {} on here, {} from {} on there", one.count, one.from, other.count, other.from),
    };
    // NIXL logs that it has no exporter, and goes on.
    let metrics = [one, other].iter().any(|l| l.setting.starts_with("NIXL_TELEMETRY_"));
    let help = match one.count.max(other.count) {
        1 => "move one of the two",
        _ => "move one of the two: each data-parallel rank takes one port more, counted up from the base",
    };
    out.report(at, format!("`{}` and `{}` of `{}` want one port", one.setting, other.setting, service.name), label)
        .service(service)
        .subject(other.setting)
        .severity(if metrics { Severity::Warning } else { Severity::Error })
        .label_opt(other.at, "the other one")
        .help(help)
        .emit();
}
