//! What the routed side looks like: targets, ranks, and why a worker publishes nothing.

use crate::command::Flag;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::source::{Fact, Reason, Span};

/// How many targets a router can choose between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    /// That many.
    Exactly(u32),
    /// That many or more: part of it cannot be seen, or a planner scales it.
    AtLeast(u32),
}

impl Targets {
    /// Whether there can be no choice to make, now or later.
    pub fn one(&self) -> bool {
        matches!(self, Self::Exactly(n) if *n <= 1)
    }
}

/// Routing targets of the services: replicas times data-parallel ranks, since routers address `(worker, dp_rank)`.
pub(super) fn targets<'a>(deployment: &Deployment, services: impl Iterator<Item = &'a Service>) -> Targets {
    let mut known = deployment.role(Role::Planner).next().is_none();
    let mut sum = 0_u32;
    for service in services {
        let replicas = match &service.replicas {
            Fact::Known(n) => *n,
            Fact::Unset => 1,
            Fact::Dynamic(_) => {
                known = false;
                1
            }
        };
        // A rank count hidden in an unseen file is at least one; whoever hides it rarely hides several.
        let ranks = match ranks(service) {
            Fact::Known(n) => n.max(1),
            _ => 1,
        };
        sum = sum.saturating_add(replicas.saturating_mul(ranks));
        known &= !scaled(service);
    }
    if known { Targets::Exactly(sum) } else { Targets::AtLeast(sum) }
}

/// Whether something else than the manifest sets the replicas.
pub(in crate::rules) fn scaled(service: &Service) -> bool {
    let on = |key: &str| {
        service.component.node.get(key).is_some_and(|n| {
            n.as_map().is_some() && n.get("enabled").and_then(crate::yaml::Node::as_bool) != Some(false)
        })
    };
    on("autoscaling") || on("scalingAdapter")
}

/// Data-parallel ranks of one worker.
pub(in crate::rules) fn ranks(service: &Service) -> Fact<u32> {
    match service.framework {
        Some(Framework::Vllm) => {
            number(service, &["--data-parallel-size", "-dp"], &["data-parallel-size", "data_parallel_size"])
        }
        Some(Framework::Sglang) => number(
            service,
            &["--dp-size", "--data-parallel-size", "--dp"],
            &["dp-size", "dp_size", "data-parallel-size", "data_parallel_size"],
        ),
        Some(Framework::Mocker) => number(service, &["--data-parallel-size"], &[]),
        Some(Framework::Trtllm) => attention_ranks(service),
        _ => Fact::Known(1),
    }
}

/// TensorRT-LLM routes by attention rank when attention runs data parallel (`llm_worker.py:821-825`).
fn attention_ranks(service: &Service) -> Fact<u32> {
    let flag = service.flag(&["--enable-attention-dp"]);
    let config = service.config_at(&["enable_attention_dp"]).and_then(crate::yaml::Node::as_bool);
    match (flag, config) {
        (Some(_), _) | (None, Some(true)) => number(service, &["--tensor-parallel-size"], &["tensor_parallel_size"]),
        (None, None) if service.config_open() => Fact::Dynamic(Reason::File("--extra-engine-args".to_owned())),
        _ => Fact::Known(1),
    }
}

/// A number given by flag or engine config; 1 when nobody says it.
fn number(service: &Service, flags: &[&str], keys: &[&str]) -> Fact<u32> {
    if let Some(word) = service.flag(flags).and_then(Flag::value) {
        return match &word.dynamic {
            Some(reason) => Fact::Dynamic(reason.clone()),
            None => word.text.parse().map_or(Fact::Known(1), Fact::Known),
        };
    }
    for key in keys {
        if let Some(n) = service.config_at(&[key]).and_then(crate::yaml::Node::as_int) {
            return u32::try_from(n).map_or(Fact::Known(1), Fact::Known);
        }
    }
    if service.config_open() { Fact::Dynamic(Reason::File("engine config".to_owned())) } else { Fact::Known(1) }
}

/// Where to point at a worker: the module it runs, else its name.
pub(super) fn worker_span(service: &Service) -> Span {
    match &service.process {
        Some(process) if !process.implied => process.module.span,
        _ => service.component.name.span,
    }
}

/// Workers that a router without conditional disaggregation needs events from: prefill and aggregated ones.
pub(super) fn cached(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    deployment.workers().filter(|s| matches!(s.role, Role::Prefill | Role::Aggregated))
}

/// vLLM prefix caching switched off by flag: where.
pub(super) fn prefix_caching_off(service: &Service) -> Option<Span> {
    match service.framework? {
        Framework::Vllm | Framework::Mocker => {
            match service.args()?.switch(&["--enable-prefix-caching"], &["--no-enable-prefix-caching"]) {
                Some((on, flag)) => (!on).then_some(flag.span),
                None => service.config_off("enable-prefix-caching"),
            }
        }
        Framework::Sglang => {
            if let Some(flag) = service.flag(&["--disable-radix-cache"]) {
                return Some(flag.span);
            }
            ["disable-radix-cache", "disable_radix_cache"].iter().find_map(|key| {
                let node = service.config_at(&[key])?;
                (node.as_bool() == Some(true)).then_some(node.span)
            })
        }
        Framework::Trtllm => {
            let node = service.config_at(&["kv_cache_config", "enable_block_reuse"])?;
            (node.as_bool() == Some(false)).then_some(node.span)
        }
        Framework::Tokenspeed => None,
    }
}

/// Why a worker that publishes nothing publishes nothing, in words that fit behind its label.
pub(super) fn silence(service: &Service) -> &'static str {
    let config = service.events.config.is_some();
    match service.framework {
        Some(Framework::Tokenspeed) => "tokenspeed cannot publish KV events",
        Some(Framework::Vllm | Framework::Mocker) if prefix_caching_off(service).is_some() => {
            "prefix caching is off, so there are no KV events to publish"
        }
        Some(Framework::Vllm) if config => "its `--kv-events-config` does not enable KV events",
        Some(Framework::Vllm | Framework::Sglang) if !config => "publishes no KV events: no `--kv-events-config`",
        Some(Framework::Sglang) => "its `--kv-events-config` names no publisher",
        Some(Framework::Trtllm) if service.below(1, 3) => "publishes no KV events: no `--publish-events-and-metrics`",
        Some(Framework::Trtllm) => "publishes no KV events: no `--publish-kv-events`",
        _ => "publishes no KV events",
    }
}

/// The option by which a worker publishes, and what it takes.
pub(super) fn publisher(service: &Service) -> Option<(&'static str, Option<&'static str>)> {
    match service.framework? {
        Framework::Vllm => Some((
            "--kv-events-config",
            Some(r#"{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:20080","enable_kv_cache_events":true}"#),
        )),
        Framework::Sglang => {
            Some(("--kv-events-config", Some(r#"{"publisher":"zmq","topic":"kv-events","endpoint":"tcp://*:20080"}"#)))
        }
        Framework::Trtllm if service.below(1, 3) => Some(("--publish-events-and-metrics", None)),
        Framework::Trtllm => Some(("--publish-kv-events", None)),
        _ => None,
    }
}

/// What to write so that a worker publishes.
#[must_use]
pub fn remedy(service: &Service) -> String {
    match publisher(service) {
        Some((flag, Some(value))) => format!("`{flag} '{value}'`"),
        Some((flag, None)) => format!("`{flag}`"),
        None => "prefix caching".to_owned(),
    }
}
