//! `dynlint probe compare`: two frontends, the same requests, one after the other.
//!
//! What makes a comparison worth reading: the same model, the same prompts in the same order, the same sampling and
//! concurrency, warm-up that does not count, requests interleaved so that a drift of the machine hits both sides, and an
//! interval that says how much of a difference may be chance. Below [`ENOUGH`] samples it is a smoke comparison, and
//! nothing here ever measures throughput.

pub mod stats;

use futures::StreamExt as _;
use serde::Serialize;

use super::report::Report;
use super::router::chat::{self, Completion};
use super::router::frontend::Frontend;
use super::router::observe::Observed;
use super::router::{self, failed};
use super::{Bounds, Check, Layer, Status, Transport};
use stats::{Difference, Quantiles, difference};

/// Samples of each side from which on a comparison is more than a smoke test.
pub const ENOUGH: usize = 200;

/// How to compare.
#[derive(Clone, Debug)]
pub struct Options {
    /// Model; the first that both list when none is named.
    pub model: Option<String>,
    /// Requests to each side that count.
    pub requests: usize,
    /// Requests to each side before those.
    pub warmup: usize,
    /// How many different prefixes the prompts share.
    pub prefixes: usize,
    /// Words of a prefix.
    pub prefix_words: usize,
    /// Words behind it, different for every prompt.
    pub suffix_words: usize,
    /// Tokens of each completion.
    pub max_tokens: u32,
    /// Requests to each side at a time.
    pub concurrency: usize,
    /// Chooses the prompts: the same number, the same prompts.
    pub seed: u64,
}

/// One side.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// Its URL.
    pub url: String,
    /// What its router is.
    pub router: Observed,
    /// Requests that counted and were answered by a completion.
    pub samples: usize,
    /// Requests that counted and were not.
    pub failed: usize,
    /// Why the first of those failed.
    pub first_failure: Option<String>,
    /// Prompt tokens, as the frontend counts them.
    pub prompt_tokens: Option<u64>,
    /// Those taken from a cache; null when the frontend does not say (before 1.5).
    pub cached_tokens: Option<u64>,
    /// Time to the first text, in milliseconds.
    pub ttft_ms: Option<Quantiles>,
    /// Time to the end, in milliseconds.
    pub latency_ms: Option<Quantiles>,
}

/// The comparison. Part of the JSON of `dynlint probe compare`: keys may be added, never renamed.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// `smoke comparison` or `comparison`.
    pub label: &'static str,
    /// Samples of each side below which the label says smoke.
    pub enough: usize,
    /// Model.
    pub model: String,
    /// Requests that count, warm-up, prefixes, words, tokens, concurrency, seed.
    pub requests: usize,
    /// See `requests`.
    pub warmup: usize,
    /// See `requests`.
    pub prefixes: usize,
    /// See `requests`.
    pub prefix_words: usize,
    /// See `requests`.
    pub suffix_words: usize,
    /// See `requests`.
    pub max_tokens: u32,
    /// See `requests`.
    pub concurrency: usize,
    /// See `requests`.
    pub seed: u64,
    /// First side.
    pub baseline: Side,
    /// Second side.
    pub candidate: Side,
    /// Candidate minus baseline, medians, milliseconds, with a 95 % bootstrap interval over pairs.
    pub ttft_ms: Option<Difference>,
    /// The same of the time to the end.
    pub latency_ms: Option<Difference>,
    /// Always null: requests that take turns measure no throughput.
    pub throughput: Option<f64>,
}

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(name, Layer::Capability, status, detail)
}

/// The prompt of a turn: prefixes take turns, what follows is new each time.
#[must_use]
pub fn prompt(options: &Options, turn: usize) -> String {
    let of = |what: &str, n: usize| chat::seed(&format!("{what} {n} of {}", options.seed));
    let prefix = chat::fresh_prompt(of("prefix", turn % options.prefixes.max(1)), options.prefix_words);
    let suffix = chat::fresh_prompt(of("suffix", turn), options.suffix_words);
    format!("{prefix}\n{suffix}")
}

/// What one request came to: milliseconds.
#[derive(Clone, Debug)]
struct Sample {
    completion: Completion,
    ttft: f64,
    total: f64,
}

async fn ask(
    transport: &dyn Transport,
    at: &Frontend,
    model: &str,
    prompt: &str,
    max_tokens: u32,
    bounds: Bounds,
) -> Result<Sample, String> {
    let body = {
        let mut body = chat::body(model, prompt, max_tokens, true);
        body["temperature"] = 0.into();
        body
    };
    let answer = at.post(transport, "/v1/chat/completions", &body, &[], bounds).await;
    let reply = answer.map_err(|trouble| trouble.message)?;
    let completion = chat::streamed(&reply, model).map_err(|not| not.message)?;
    #[allow(clippy::cast_precision_loss)] // times
    let ms = |micros: u64| micros as f64 / 1000.0;
    let ttft = ms(completion.first_micros.unwrap_or(reply.total_micros));
    Ok(Sample { completion, ttft, total: ms(reply.total_micros) })
}

/// Compares two frontends.
pub async fn compare(transport: &dyn Transport, sides: [&Frontend; 2], options: &Options, bounds: Bounds) -> Report {
    let target = format!("{} against {}", sides[1], sides[0]);
    let looked = [look(transport, sides[0], options, bounds).await, look(transport, sides[1], options, bounds).await];
    let mut checks = Vec::new();
    let mut observed = Vec::new();
    for (name, (found, mut said)) in ["baseline", "candidate"].into_iter().zip(looked) {
        said.retain(|c| c.status == Status::Fail);
        checks.extend(said.into_iter().map(|c| c.on(name)));
        observed.push(found);
    }
    let (candidate, baseline) = (observed.pop().unwrap_or_default(), observed.pop().unwrap_or_default());
    let model = match (&baseline.model, &candidate.model) {
        (Some(a), Some(b)) if a == b => a.clone(),
        (a, b) => {
            let named = |m: &Option<String>| m.as_ref().map_or_else(|| "none".to_owned(), |m| format!("`{m}`"));
            let detail = format!("not the same model: baseline {}, candidate {}", named(a), named(b));
            checks.push(check("compare-model", Status::Fail, detail).then("name one that both serve with `--model`"));
            return Report::new("compare", target, checks);
        }
    };
    if checks.iter().any(|c| c.status == Status::Fail) {
        return Report::new("compare", target, checks);
    }
    checks.push(check("compare-model", Status::Ok, model.clone()));
    checks.push(workers(&baseline, &candidate));

    for turn in 0..options.warmup {
        // Warm-up uses turns behind those that count, so that it fills caches with prefixes and nothing else.
        let text = prompt(options, options.requests + turn);
        for at in sides {
            let _ = ask(transport, at, &model, &text, options.max_tokens, bounds).await;
        }
    }
    let turns = futures::stream::iter(0..options.requests).map(|turn| {
        let model = &model;
        async move {
            let text = prompt(options, turn);
            let one = |at| ask(transport, at, model, &text, options.max_tokens, bounds);
            // Who goes first changes, so that nobody profits from it.
            if turn % 2 == 0 {
                let first = one(sides[0]).await;
                (first, one(sides[1]).await)
            } else {
                let first = one(sides[1]).await;
                (one(sides[0]).await, first)
            }
        }
    });
    let pairs: Vec<_> = turns.buffered(options.concurrency.max(1)).collect().await;
    let both: Vec<(&Sample, &Sample)> =
        pairs.iter().filter_map(|(a, b)| Some((a.as_ref().ok()?, b.as_ref().ok()?))).collect();
    let of = |pick: fn(&Sample) -> f64| difference(&both.iter().map(|(a, b)| (pick(a), pick(b))).collect::<Vec<_>>());
    let comparison = Comparison {
        label: if both.len() >= ENOUGH { "comparison" } else { "smoke comparison" },
        enough: ENOUGH,
        requests: options.requests,
        warmup: options.warmup,
        prefixes: options.prefixes,
        prefix_words: options.prefix_words,
        suffix_words: options.suffix_words,
        max_tokens: options.max_tokens,
        concurrency: options.concurrency,
        seed: options.seed,
        baseline: side(sides[0], baseline, pairs.iter().map(|(a, _)| a)),
        candidate: side(sides[1], candidate, pairs.iter().map(|(_, b)| b)),
        ttft_ms: of(|s| s.ttft),
        latency_ms: of(|s| s.total),
        throughput: None,
        model,
    };
    checks.extend(say(&comparison, both.len()));
    let mut report = Report::new("compare", target, checks);
    report.compare = Some(comparison);
    report
}

/// Which model and router a side has; no completion is asked for.
async fn look(transport: &dyn Transport, at: &Frontend, options: &Options, bounds: Bounds) -> (Observed, Vec<Check>) {
    let options =
        router::Options { retries: 1, model: options.model.clone(), skip_chat: true, ..router::Options::default() };
    let outcome = router::probe(transport, at, &options, bounds).await;
    (outcome.observed, outcome.checks)
}

fn side<'a>(at: &Frontend, router: Observed, results: impl Iterator<Item = &'a Result<Sample, String>>) -> Side {
    let (mut good, mut failures) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(sample) => good.push(sample),
            Err(message) => failures.push(message.clone()),
        }
    }
    let sum = |pick: fn(&Completion) -> Option<u64>| {
        let known: Vec<u64> = good.iter().filter_map(|s| pick(&s.completion)).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    };
    Side {
        url: at.to_string(),
        router,
        samples: good.len(),
        failed: failures.len(),
        prompt_tokens: sum(|c| c.prompt_tokens),
        cached_tokens: sum(|c| c.cached_tokens),
        ttft_ms: Quantiles::of(&good.iter().map(|s| s.ttft).collect::<Vec<_>>()),
        latency_ms: Quantiles::of(&good.iter().map(|s| s.total).collect::<Vec<_>>()),
        first_failure: failures.into_iter().next(),
    }
}

fn workers(baseline: &Observed, candidate: &Observed) -> Check {
    let shown = |o: &Observed| o.workers.iter().map(|(role, n)| format!("{n} {role}")).collect::<Vec<_>>().join(", ");
    if baseline.workers_by != candidate.workers_by {
        let detail = format!("baseline {}, candidate {}: counted differently", shown(baseline), shown(candidate));
        return check("compare-workers", Status::Skipped, detail);
    }
    if baseline.workers == candidate.workers {
        return check("compare-workers", Status::Ok, format!("{} on both sides", shown(baseline)));
    }
    let detail = format!("not the same workers: baseline {}, candidate {}", shown(baseline), shown(candidate));
    check("compare-workers", Status::Warn, detail)
        .then("compare routers over the same workers, or say that they differ")
}

fn say(comparison: &Comparison, both: usize) -> Vec<Check> {
    let mut out = Vec::new();
    let Comparison { baseline, candidate, .. } = comparison;
    let failures = baseline.failed + candidate.failed;
    let counted = format!("{both} pairs of {}", comparison.requests);
    out.push(if both == 0 {
        let why = baseline.first_failure.as_ref().or(candidate.first_failure.as_ref());
        let detail = format!("no pair was answered: {}", why.map_or("", String::as_str));
        check("compare-samples", Status::Fail, detail).then(format!("dynlint probe router --base-url {}", baseline.url))
    } else if failures > 0 {
        let why = baseline.first_failure.as_ref().or(candidate.first_failure.as_ref());
        let detail = format!("{counted}; {failures} requests failed: {}", why.map_or("", String::as_str));
        check("compare-samples", Status::Warn, detail)
    } else if both < ENOUGH {
        let detail = format!("{counted}: a smoke comparison, below {ENOUGH} of each side");
        check("compare-samples", Status::Skipped, detail)
            .then(format!("--requests {ENOUGH}, and a benchmark (AIPerf) before any claim"))
    } else {
        check("compare-samples", Status::Ok, counted)
    });
    let cached = |side: &Side| match (side.cached_tokens, side.prompt_tokens) {
        (Some(cached), Some(all)) if all > 0 => format!("{} % of {all}", cached * 100 / all),
        _ => "not said (before Dynamo 1.5)".to_owned(),
    };
    let detail = format!("baseline {}, candidate {}", cached(baseline), cached(candidate));
    let known = baseline.cached_tokens.is_some() && candidate.cached_tokens.is_some();
    out.push(check("cached-tokens", if known { Status::Ok } else { Status::Skipped }, detail));
    for (name, difference, a, b) in [
        ("ttft", comparison.ttft_ms, baseline.ttft_ms, candidate.ttft_ms),
        ("latency", comparison.latency_ms, baseline.latency_ms, candidate.latency_ms),
    ] {
        let (Some(d), Some(a), Some(b)) = (difference, a, b) else { continue };
        let verdict = if d.clear() { "" } else { ": may be chance" };
        let detail = format!(
            "{}: median {:.1} ms, was {:.1} ms; {:+.1} ms [{:+.1}, {:+.1}]{verdict}",
            comparison.label, b.p50, a.p50, d.value, d.low, d.high
        );
        let quantiles = |side: &str, q: Quantiles| {
            let p99 = q.p99.map_or_else(String::new, |p| format!(", p99 {p:.1}"));
            format!(
                "{side}: n {}, mean {:.1}, p50 {:.1}, p90 {:.1}{p99}, max {:.1} ms",
                q.samples, q.mean, q.p50, q.p90, q.max
            )
        };
        out.push(check(name, Status::Ok, detail).seen([quantiles("baseline", a), quantiles("candidate", b)]));
    }
    let refused = "not measured: requests that take turns say nothing about throughput";
    out.push(
        check("throughput", Status::Skipped, refused).then("run a load generator (AIPerf) against each side alone"),
    );
    out
}

/// A check for a URL that is none.
#[must_use]
pub fn refused(side: &str, trouble: &super::Trouble) -> Check {
    failed("base-url", trouble).on(side)
}

#[cfg(test)]
mod tests {
    use super::{Options, prompt};

    #[test]
    fn prompts_share_prefixes_and_are_the_same_every_time() {
        let options = Options {
            model: None,
            requests: 8,
            warmup: 2,
            prefixes: 2,
            prefix_words: 50,
            suffix_words: 5,
            max_tokens: 4,
            concurrency: 1,
            seed: 7,
        };
        let first = |turn: usize| prompt(&options, turn).lines().next().expect("a prefix").to_owned();
        assert_eq!(first(0), first(2));
        assert_ne!(first(0), first(1));
        assert_ne!(prompt(&options, 0), prompt(&options, 2));
        assert_eq!(prompt(&options, 3), prompt(&options, 3));
        assert_ne!(prompt(&Options { seed: 8, ..options.clone() }, 0), prompt(&options, 0));
    }
}
