//! What was observed, as checks.

use super::chat::Completion;
use super::check;
use super::observe::{Arrival, Observed, Seen, Source};
use crate::probe::{Check, Status};

/// A completion that is one.
pub(super) fn completion(name: &str, completion: &Completion) -> Check {
    let tokens = completion.completion_tokens.map_or_else(|| "a".to_owned(), |n| format!("{n} token"));
    let mut detail = format!("{tokens} completion");
    if completion.completion_tokens == Some(1) || completion.completion_tokens.is_none() {
        detail = detail.replace("1 token completion", "one token");
    }
    if name == "stream" {
        detail = format!("{detail} in {} pieces", completion.pieces);
    }
    check(name, Status::Ok, detail)
}

fn listed<'a>(counts: impl IntoIterator<Item = (&'a String, &'a usize)>) -> String {
    counts.into_iter().map(|(role, n)| format!("{n} {role}")).collect::<Vec<_>>().join(", ")
}

/// Readiness, workers, mode, events, block size, limits.
pub(super) fn checks(observed: &Observed, seen: &Seen) -> Vec<Check> {
    let mut out = vec![workers(observed), ready(observed, seen), mode(observed)];
    out.extend(events(observed, seen));
    out.push(match observed.block_size {
        Some(size) => check("block-size", Status::Ok, format!("{size} tokens, as the workers registered it")),
        None => check("block-size", Status::Skipped, "no worker has registered one"),
    });
    out
}

fn workers(observed: &Observed) -> Check {
    let total: usize = observed.workers.values().sum();
    if observed.workers_by.is_none() {
        return check("workers", Status::Skipped, "neither `/health` nor the model's readiness tells");
    }
    if total == 0 {
        return check("workers", Status::Fail, "none registered; that `/health` says healthy proves nothing")
            .then("check that worker pods are ready: `kubectl get pods`, then their logs");
    }
    let by = if observed.workers_by == Some("role") { "" } else { " (by component)" };
    let counted = listed(&observed.workers);
    if observed.missing.is_empty() {
        return check("workers", Status::Ok, format!("{counted}{by}"));
    }
    let missing = observed.missing.join(", ");
    check("workers", Status::Fail, format!("{counted}{by}; missing: {missing}"))
        .then(format!("start a {missing} worker, or check that it says so: `--disaggregation-mode {missing}`"))
}

fn ready(observed: &Observed, seen: &Seen) -> Check {
    let reason = seen.ready.as_ref().and_then(|r| r.reason.clone()).map_or_else(String::new, |r| format!(": {r}"));
    match observed.ready {
        Some(true) if seen.ready.is_some() => check("ready", Status::Ok, "the frontend says that the model is ready"),
        Some(true) => check("ready", Status::Ok, "the model answers; the frontend has no readiness of models"),
        Some(false) => check("ready", Status::Fail, format!("the model cannot be served{reason}"))
            .then("start what `workers` misses; the logs of the frontend and the workers say more"),
        None => check("ready", Status::Skipped, "the frontend has no readiness of models, and none was tried"),
    }
}

fn mode(observed: &Observed) -> Check {
    let limit = observed.limits.iter().find(|l| l.starts_with("the mode") || l.starts_with("which of"));
    match (observed.mode, limit) {
        (Some("kv"), _) => {
            let by = match observed.cache_source {
                Some(Source::Events) => "by KV events",
                Some(Source::Predictions) => "approximate: predicts what is cached from where it sent requests",
                Some(Source::Load) => "by load alone (`--load-aware`, or an overlap credit of 0)",
                None => "whether by KV events cannot be told",
            };
            check("router-mode", Status::Ok, format!("kv, {by}"))
        }
        (Some(mode), _) => check("router-mode", Status::Ok, mode),
        (None, Some(limit)) => check("router-mode", Status::Skipped, limit.clone()),
        (None, None) => check("router-mode", Status::Skipped, observed.mode_candidates.join(" or ")),
    }
}

fn events(observed: &Observed, seen: &Seen) -> Option<Check> {
    if observed.mode != Some("kv") {
        return None;
    }
    let name = "kv-events";
    let sources: Option<usize> = observed.event_sources.as_ref().map(|s| s.values().sum());
    let of = match (sources, observed.event_sources_needed) {
        (Some(sources), Some(needed)) => format!("{sources} of {needed} workers"),
        _ => "the workers".to_owned(),
    };
    const PUBLISH: &str = "switch KV events on at the workers (`dynlint explain kv-router-no-events`), or give the frontend \
                           `--no-router-kv-events`";
    let cached = seen.smoke.long.and_then(|l| l.cached).filter(|n| *n > 0);
    Some(match observed.kv_events {
        Some(Arrival::Arriving) => check(name, Status::Ok, format!("arriving, published by {of}")),
        Some(Arrival::Connected) => check(name, Status::Ok, format!("published by {of}; none was provoked")),
        Some(Arrival::Partial) => {
            check(name, Status::Warn, format!("published by {of}: the others look empty to the router")).then(PUBLISH)
        }
        Some(Arrival::None) => {
            check(name, Status::Warn, "awaited, and no worker publishes: requests go by load alone").then(PUBLISH)
        }
        Some(Arrival::Lost) => {
            let seen = cached.map_or_else(String::new, |n| format!(" though the worker had {n} tokens cached"));
            check(name, Status::Warn, format!("published by {of}, and none arrives{seen}"))
                .then("compare `DYN_EVENT_PLANE` (and `--event-plane`) of frontend and workers")
        }
        Some(Arrival::Unused) => match observed.cache_source {
            Some(Source::Predictions) => {
                let detail = format!("not subscribed to (approximate mode); published by {of}");
                let said = check(name, Status::Ok, detail);
                if cached.is_none() && seen.smoke.long.is_some_and(|l| l.cached == Some(0)) {
                    Check { status: Status::Warn, ..said }
                        .seen(["a repeated prompt was not cached by the worker: predicted affinity without a cache behind it"])
                        .then("switch prefix caching on at the workers, or take a mode without `kv`")
                } else {
                    said
                }
            }
            _ => check(name, Status::Ok, "not subscribed to"),
        },
        None => {
            let limit = observed.limits.iter().find(|l| l.contains("KV events"));
            check(name, Status::Skipped, limit.map_or("cannot be told", String::as_str))
        }
    })
}
