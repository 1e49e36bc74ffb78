//! What a frontend's answers come to: the mode in effect, who is registered, whether KV events arrive.
//!
//! No endpoint of Dynamo states the router mode. What gives it away differs by version; each inference below names the
//! version it was seen on (real frontends with mocker workers, `tests/live`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::metrics::{Metrics, Sample};
use super::surface::{Health, Ready};
use crate::catalog::router::mode_names;
use crate::resolve::Version;

/// What the smoke requests came to.
#[derive(Clone, Debug, Default)]
pub struct Smoke {
    /// Whether a request as any client sends it was answered; none when none was sent.
    pub plain: Option<bool>,
    /// Whether the same request was answered with a worker pinned; none when that was not tried.
    pub pinned: Option<bool>,
    /// The long prompt, sent twice.
    pub long: Option<Long>,
}

/// What a long prompt that no cache could hold did to the router's counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Long {
    /// `stored` events applied to the router's index meanwhile.
    pub stored: f64,
    /// Batches of events received meanwhile (1.4 and later).
    pub batches: f64,
    /// Prompt tokens that the worker took from its cache the second time; none before 1.5.
    pub cached: Option<u64>,
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The frontend's version.
    pub version: Option<Version>,
    /// Whether `/v1/models` lists the model.
    pub listed: bool,
    /// `/health`.
    pub health: Option<Health>,
    /// `/v1/models/{m}/ready`.
    pub ready: Option<Ready>,
    /// `/metrics` before any request of ours.
    pub before: Metrics,
    /// `/metrics` after the last one.
    pub after: Metrics,
    /// The requests.
    pub smoke: Smoke,
}

/// What makes the router see the workers' caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// It subscribes to the workers' KV events.
    Events,
    /// It predicts from where it sent requests (approximate mode).
    Predictions,
    /// Nothing: it goes by load alone (`--load-aware`, or an overlap credit of 0).
    Load,
}

/// Whether KV events arrive at the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Events of a request of ours were seen to arrive.
    Arriving,
    /// The router is connected to every worker that should publish; no event was provoked.
    Connected,
    /// Some of the workers publish.
    Partial,
    /// The router waits for events that nobody publishes.
    None,
    /// Workers publish, the router subscribes, and nothing arrives.
    Lost,
    /// The router does not subscribe.
    Unused,
}

/// What there is to know about a router. Part of the JSON of `dynlint probe router`: keys may be added, never renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// Version of the frontend.
    pub version: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether it can be served; null when that was not found out.
    pub ready: Option<bool>,
    /// Router mode when it is known.
    pub mode: Option<&'static str>,
    /// What the mode can be: one entry when it is known, several when only some are ruled out.
    pub mode_candidates: Vec<&'static str>,
    /// What the `kv` router goes by; null in other modes, or when it cannot be told.
    pub cache_source: Option<Source>,
    /// Approximate mode; null when it cannot be told.
    pub approximate: Option<bool>,
    /// Workers by role (where the frontend has readiness of models) or by component (`backend` stands for decode and aggregated).
    pub workers: BTreeMap<String, usize>,
    /// `role` or `component`: what `workers` counts by.
    pub workers_by: Option<&'static str>,
    /// Roles that are needed and not there.
    pub missing: Vec<String>,
    /// Workers that offer KV events, by component; null when `/health` does not tell.
    pub event_sources: Option<BTreeMap<String, usize>>,
    /// Workers whose events the router would need: prefill and aggregated ones.
    pub event_sources_needed: Option<usize>,
    /// Whether KV events arrive; null when it cannot be told.
    pub kv_events: Option<Arrival>,
    /// KV block size in tokens that the workers registered.
    pub block_size: Option<u64>,
    /// What could not be known, and why.
    pub limits: Vec<String>,
}

const OLD: Version = Version::new(1, 4);

impl Seen {
    /// Whether the frontend is 1.4 or later: by its version, else by what the workers call the endpoint where their KV
    /// state can be asked for.
    fn modern(&self) -> Option<bool> {
        if let Some(version) = self.version {
            return Some(version >= OLD);
        }
        let instances = &self.health.as_ref()?.instances;
        let named = |prefix: &str| instances.iter().any(|i| i.endpoint.starts_with(prefix));
        match (named("worker_kv_query_source_"), named("worker_kv_indexer_query_dp")) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }

    /// Whether there is a `kv` router: families that no other mode registers, or (up to 1.3) its discovery endpoint.
    fn kv(&self) -> bool {
        const FAMILIES: [&str; 4] = [
            // 1.3.1 and later
            "router_worker_registered",
            // 1.4.2 and later
            "router_kv_event_source_mismatch_workers",
            // all from 1.1.1 on
            "frontend_router_queue_pending_requests",
            "kv_cache_events_applied",
        ];
        FAMILIES.iter().any(|family| self.after.has(family)) || self.health.as_ref().is_some_and(Health::kv_router)
    }

    /// Workers that keep a prefix cache of their own.
    fn cached(&self) -> Option<usize> {
        if let Some(ready) = self.ready.as_ref().filter(|r| !r.workers.is_empty()) {
            let of = |role: &str| ready.workers.get(role).copied().unwrap_or(0);
            return Some(of("aggregated") + of("prefill"));
        }
        let workers = self.health.as_ref()?.workers();
        let prefill = workers.get("prefill").copied().unwrap_or(0);
        // Without prefill workers, `backend` is aggregated, or a decode worker that serves as one.
        Some(if prefill > 0 { prefill } else { workers.values().sum() })
    }

    /// Whether there is a worker that completes requests: the router is built for those.
    fn decodes(&self) -> bool {
        let Some(health) = &self.health else { return false };
        health.generating().any(|i| i.component != "prefill" && i.component != "encode")
    }

    /// What a `kv` router goes by.
    fn source(&self) -> Option<Source> {
        let metrics = &self.after;
        // 1.4.2, 1.6.1: registered only where events are subscribed to.
        if metrics.has("router_kv_event_source_mismatch_workers") {
            return Some(Source::Events);
        }
        // A decode worker without prefill workers is registered in another way (1.4.2, 1.6.1), and tells nothing.
        if self.cached()? == 0 || !self.listed || self.ready.as_ref().is_some_and(|r| !r.ready) {
            return None;
        }
        // No index, so no overlap.
        if !metrics.has("kv_cache_events_applied") {
            return Some(Source::Load);
        }
        if self.modern()? { Some(Source::Predictions) } else { self.before_1_4() }
    }

    /// Up to 1.3 nothing says whether events are subscribed to. But a router that does asks each worker that publishes
    /// for what it holds already, which is a round trip that no request explains (1.1.1, 1.2.1).
    fn before_1_4(&self) -> Option<Source> {
        let sources: usize = self.health.as_ref()?.event_sources().values().sum();
        if sources == 0 {
            // Nobody publishes: what is stored all the same was predicted.
            let stored = stored(&self.after);
            let tried = self.smoke.long.is_some();
            return match self.smoke.long {
                Some(long) if long.stored > 0.0 => Some(Source::Predictions),
                _ if stored > 0.0 => Some(Source::Predictions),
                _ if tried => Some(Source::Events),
                _ => None,
            };
        }
        let metrics = &self.before;
        let quiet = ["frontend_inflight_requests", "frontend_active_requests"];
        if quiet.iter().any(|name| metrics.sum(name, |_| true).unwrap_or(0.0) > 0.0) {
            return None;
        }
        let trip = |s: &Sample| s.label("stage") == Some("transport_roundtrip");
        let trips = metrics.sum("frontend_stage_duration_seconds_count", trip).unwrap_or(0.0);
        let routed = metrics.sum("component_router_requests_total", |_| true)?;
        // Requests that failed on their way have trips and no route: then there is nothing to tell.
        let failed = |s: &Sample| s.label("status") == Some("error");
        if metrics.sum("frontend_requests_total", failed).unwrap_or(0.0) > 0.0 {
            return None;
        }
        Some(if trips > routed { Source::Events } else { Source::Predictions })
    }

    /// Whether events arrive.
    fn arrival(&self, source: Option<Source>) -> Option<Arrival> {
        match source? {
            Source::Predictions | Source::Load => return Some(Arrival::Unused),
            Source::Events => {}
        }
        let needed = self.cached()?;
        if needed == 0 {
            return None;
        }
        let sources: Option<usize> = self.health.as_ref().map(|h| h.event_sources().values().sum());
        // From 1.4 on the router itself counts the workers that should publish and do not.
        let silent = self.after.sum("router_kv_event_source_mismatch_workers", |_| true);
        #[allow(clippy::cast_precision_loss)] // a number of workers
        match silent {
            Some(silent) if silent >= needed as f64 => return Some(Arrival::None),
            Some(silent) if silent > 0.0 => return Some(Arrival::Partial),
            Some(_) => {}
            None if sources? == 0 => return Some(Arrival::None),
            None if sources? < needed => return Some(Arrival::Partial),
            None => {}
        }
        let Some(long) = self.smoke.long else { return Some(Arrival::Connected) };
        if long.stored > 0.0 || long.batches > 0.0 {
            return Some(Arrival::Arriving);
        }
        Some(Arrival::Lost)
    }

    /// What it all comes to.
    #[must_use]
    pub fn observe(&self, model: Option<&str>, version: Option<&str>) -> Observed {
        let mut out = Observed {
            version: version.map(str::to_owned),
            model: model.map(str::to_owned),
            ready: self.is_ready(),
            block_size: self.block_size(model),
            ..Observed::default()
        };
        self.count_workers(&mut out);
        self.judge_mode(&mut out);
        if out.mode != Some("kv") {
            if out.mode.is_some() || !out.mode_candidates.contains(&"kv") {
                out.kv_events = Some(Arrival::Unused);
                out.approximate = Some(false);
            }
            return out;
        }
        out.cache_source = self.source();
        out.approximate = out.cache_source.map(|source| source == Source::Predictions);
        out.kv_events = self.arrival(out.cache_source);
        match out.cache_source {
            None if self.cached() == Some(0) => {
                out.limits.push("whether KV events arrive: no worker that could publish them is there".to_owned());
            }
            None => out.limits.push(
                "KV events or predictions (`--no-router-kv-events`): a frontend before 1.4 shows the difference only while \
                 it is idle and no request has failed"
                    .to_owned(),
            ),
            Some(Source::Events) if out.kv_events == Some(Arrival::None) && self.modern() == Some(false) => out.limits.push(
                "workers before 1.4 that publish through JetStream alone (durable events) look like workers that do not \
                 publish"
                    .to_owned(),
            ),
            Some(_) => {}
        }
        out
    }

    /// Whether the model can be served: as the frontend says it, else as it was tried.
    fn is_ready(&self) -> Option<bool> {
        if let Some(ready) = &self.ready {
            return Some(ready.ready);
        }
        if !self.listed {
            return Some(false);
        }
        Some(self.smoke.plain? || self.smoke.pinned == Some(true))
    }

    fn block_size(&self, model: Option<&str>) -> Option<u64> {
        let sizes = self.after.of("model_kv_cache_block_size");
        let mut sizes = sizes.filter(|s| model.is_none_or(|m| s.label("model") == Some(m)));
        let size = sizes.next()?.value;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a block size, checked
        ((1.0..1e6).contains(&size)).then_some(size as u64)
    }

    fn count_workers(&self, out: &mut Observed) {
        if let Some(ready) = self.ready.as_ref().filter(|r| !r.workers.is_empty()) {
            out.workers.clone_from(&ready.workers);
            out.workers_by = Some("role");
            out.missing = ready.missing.iter().cloned().collect();
        } else if let Some(health) = &self.health {
            out.workers = health.workers();
            out.workers_by = Some("component");
            if !out.workers.is_empty() {
                out.limits.push(
                    "decode or aggregated: this frontend counts components only, and both register as `backend`"
                        .to_owned(),
                );
            }
        }
        out.event_sources = self.health.as_ref().map(Health::event_sources);
        out.event_sources_needed = self.cached();
    }

    fn judge_mode(&self, out: &mut Observed) {
        let release = self.version.map(|v| (v.major, v.minor));
        let all = mode_names(release);
        if self.kv() {
            out.mode = Some("kv");
            out.mode_candidates = vec!["kv"];
            return;
        }
        let answered = self.smoke.plain == Some(true) || self.smoke.pinned == Some(true);
        let untried = self.smoke.plain.is_none() && self.listed && self.decodes();
        let routed_to = answered || untried || self.ready.as_ref().is_some_and(|r| r.ready);
        if self.after.is_empty() {
            out.mode_candidates = all;
            out.limits.push("the mode: `/metrics` says nothing, and no endpoint states it".to_owned());
            return;
        }
        if !routed_to {
            out.mode_candidates = all;
            out.limits
                .push("the mode: a router shows itself once there is a worker it can send requests to".to_owned());
            return;
        }
        let other = all.into_iter().filter(|mode| *mode != "kv");
        match (self.smoke.plain, self.smoke.pinned) {
            (Some(false), Some(true)) => {
                out.mode = Some("direct");
                out.mode_candidates = vec!["direct"];
            }
            (Some(true), _) => {
                out.mode_candidates = other.filter(|mode| *mode != "direct").collect();
                out.limits.push(format!(
                    "which of {}: no endpoint or metric of Dynamo tells these modes apart",
                    out.mode_candidates.join(", ")
                ));
            }
            _ => {
                out.mode_candidates = other.collect();
                out.limits.push("the mode: not `kv`; the rest shows only in how requests are answered".to_owned());
            }
        }
    }
}

/// `stored` events that were applied.
#[must_use]
pub(super) fn stored(metrics: &Metrics) -> f64 {
    let applied = |s: &Sample| s.label("event_type") == Some("stored") && s.label("status") == Some("ok");
    metrics.sum("kv_cache_events_applied", applied).unwrap_or(0.0)
}

/// Batches of events that came in over ZMQ.
#[must_use]
pub(super) fn batches(metrics: &Metrics) -> f64 {
    metrics.sum("router_kv_zmq_ingress_batches_total", |_| true).unwrap_or(0.0)
}
