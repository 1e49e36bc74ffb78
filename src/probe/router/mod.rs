//! `dynlint probe router`: whether a frontend really serves, in which mode, with which workers, and whether KV events
//! arrive.

pub mod chat;
pub mod claims;
pub mod frontend;
pub mod metrics;
pub mod observe;
mod say;
pub mod surface;

use std::time::Duration;

use serde_json::Value;

use super::report::Report;
use super::transport::HttpReply;
use super::{Bounds, Check, Layer, Status, Transport, Trouble, TroubleKind};
use chat::{Completion, NotOne};
use frontend::{Frontend, segment};
use metrics::Metrics;
use observe::{Arrival, Long, Observed, Seen};
use surface::{Health, Ready};

/// The seed script's prompt.
pub const PROMPT: &str = "Say hello from Dynamo in one short sentence.";

/// What is asked of a frontend.
#[derive(Clone, Debug)]
pub struct Options {
    /// How often `/v1/models` is asked until it lists a model; at least once.
    pub retries: u32,
    /// Time between two of these.
    pub retry_sleep: Duration,
    /// Model; the first listed when none is named.
    pub model: Option<String>,
    /// Prompt of the smoke requests.
    pub prompt: String,
    /// Most tokens of a completion.
    pub max_tokens: u32,
    /// Send no completion at all.
    pub skip_chat: bool,
    /// Whether to wait between questions: not when the answers are recorded.
    pub pause: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retries: 5,
            retry_sleep: Duration::from_secs(2),
            model: None,
            prompt: PROMPT.to_owned(),
            max_tokens: 32,
            skip_chat: false,
            pause: true,
        }
    }
}

/// How often `/metrics` is read again for events of a request to arrive, and how long apart.
const EVENT_POLLS: u32 = 8;
const EVENT_PAUSE: Duration = Duration::from_millis(250);
/// Prompts that are sent at once before events count as lost.
const AT_ONCE: u32 = 4;

/// What of a frontend was read, and what it comes to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Checks.
    pub checks: Vec<Check>,
    /// What was found out.
    pub observed: Observed,
}

/// Who the frontend is.
struct Surface {
    /// The model to send requests to.
    asked: Option<String>,
    /// The model that all is about: that, or one that is registered and not listed.
    model: Option<String>,
    version: Option<String>,
}

/// A running probe.
struct Run<'a> {
    transport: &'a dyn Transport,
    at: &'a Frontend,
    options: &'a Options,
    bounds: Bounds,
    checks: Vec<Check>,
    seen: Seen,
}

pub(super) fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(name, Layer::Capability, status, detail)
}

/// A check that a trouble ends. What to do depends on what it is about: here an endpoint, not a cluster.
#[must_use]
pub fn failed(name: &str, trouble: &Trouble) -> Check {
    let next = match trouble.kind {
        TroubleKind::Unreachable => "check that the frontend runs and the port-forward stands: `kubectl get pods`",
        TroubleKind::TimedOut => "look at the frontend's and workers' logs, or raise `--timeout`",
        TroubleKind::Garbage => "check what listens there: it does not speak HTTP; `https` where it speaks TLS",
        TroubleKind::Cut => "look at the frontend's log; a proxy in between may cut long answers",
        TroubleKind::Unsupported => "pass `--base-url http://HOST:PORT`, or `--deployment NAME`",
        _ => trouble.next(),
    };
    check(name, Status::Fail, trouble.message.clone()).then(next)
}

/// Probes a frontend.
pub async fn probe(transport: &dyn Transport, at: &Frontend, options: &Options, bounds: Bounds) -> Outcome {
    let mut run = Run { transport, at, options, bounds, checks: Vec::new(), seen: Seen::default() };
    let Some(Surface { asked, model, version }) = run.surface().await else {
        return Outcome { observed: Observed::default(), checks: run.checks };
    };
    if let Some(model) = &asked {
        run.smoke(model).await;
    }
    let observed = run.seen.observe(model.as_deref(), version.as_deref());
    run.checks.extend(say::checks(&observed, &run.seen));
    Outcome { checks: run.checks, observed }
}

/// The report of a probe.
#[must_use]
pub fn report(target: &str, outcome: Outcome) -> Report {
    let mut report = Report::new("router", target, outcome.checks);
    report.router = Some(outcome.observed);
    report
}

fn json(reply: &HttpReply) -> Option<Value> {
    (reply.status == 200 && reply.cut.is_none() && !reply.truncated)
        .then(|| serde_json::from_str(&reply.body).ok())
        .flatten()
}

/// Why an answer that should be JSON with status 200 is none.
fn odd(reply: &HttpReply) -> String {
    match reply.status {
        200 => match &reply.cut {
            Some(cut) => format!("HTTP 200, but {}", cut.message),
            None => format!("HTTP 200, but not what a Dynamo frontend says: `{}`", chat::short(&reply.body)),
        },
        300..=399 => format!("HTTP {}: redirects to `{}`", reply.status, reply.header("location").unwrap_or("nowhere")),
        _ => chat::message(reply),
    }
}

impl Run<'_> {
    async fn get(&self, path: &str) -> Result<HttpReply, Trouble> {
        self.at.get(self.transport, path, self.bounds).await
    }

    async fn pause(&self, time: Duration) {
        if self.options.pause {
            tokio::time::sleep(time).await;
        }
    }

    /// Models, health, version, readiness, metrics. None when there is no frontend to speak of.
    async fn surface(&mut self) -> Option<Surface> {
        let models = self.models().await?;
        let named = self.options.model.clone();
        let asked = named.clone().or_else(|| models.first().cloned());
        self.seen.listed = asked.as_ref().is_some_and(|m| models.contains(m));
        self.say_models(&models, named.as_deref());
        let version = self.version().await;
        self.live().await;
        self.health().await;
        self.seen.before = self.metrics(true).await;
        self.seen.after = self.seen.before.clone();
        // A model whose workers are incomplete is registered and not listed: the metrics name it.
        let model = asked.clone().or_else(|| self.seen.before.models().into_iter().next());
        if let Some(model) = &model {
            self.ready(model).await;
        }
        Some(Surface { asked, model, version })
    }

    /// Asks for the models until there is one.
    async fn models(&mut self) -> Option<Vec<String>> {
        let mut last = None;
        for attempt in 1..=self.options.retries.max(1) {
            if attempt > 1 {
                self.pause(self.options.retry_sleep).await;
            }
            let answer = self.get("/v1/models").await;
            let models = answer.as_ref().ok().and_then(json).and_then(|body| surface::models(&body));
            if let Some(models) = models.as_ref().filter(|list| !list.is_empty()) {
                return Some(models.clone());
            }
            let hopeless = |kind: TroubleKind| {
                matches!(
                    kind,
                    TroubleKind::Unsupported
                        | TroubleKind::Tls
                        | TroubleKind::NotRecorded
                        | TroubleKind::Config
                        | TroubleKind::Denied
                        | TroubleKind::Unauthorized
                )
            };
            let stop = answer.as_ref().is_err_and(|trouble| hopeless(trouble.kind))
                || answer.as_ref().is_ok_and(|reply| (300..400).contains(&reply.status));
            last = Some((answer, models, attempt));
            if stop {
                break;
            }
        }
        let (answer, models, attempts) = last?;
        let tries = if attempts == 1 { String::new() } else { format!(", asked {attempts} times") };
        match (answer, models) {
            (_, Some(empty)) => return Some(empty),
            (Err(trouble), None) => {
                let mut said = failed("models", &trouble);
                said.detail.push_str(&tries);
                self.checks.push(said);
            }
            (Ok(reply), None) => {
                let next = match reply.header("location").filter(|_| (300..400).contains(&reply.status)) {
                    Some(to) => format!("dynlint probe router --base-url {}", to.trim_end_matches("/v1/models")),
                    None => "check that `--base-url` is a Dynamo frontend, without a path behind it".to_owned(),
                };
                self.checks.push(check("models", Status::Fail, odd(&reply) + &tries).then(next));
            }
        }
        None
    }

    fn say_models(&mut self, models: &[String], named: Option<&str>) {
        const NEXT: &str = "check that worker pods are ready and use the frontend's namespace and discovery backend; \
                            `dynlint probe router` again once they are";
        let said = match (models, named) {
            ([], _) => {
                let tries = self.options.retries.max(1);
                let times = if tries == 1 { String::new() } else { format!(" after {tries} tries") };
                check("models", Status::Fail, format!("no model is listed{times}: no worker serves one")).then(NEXT)
            }
            (list, Some(model)) if !list.iter().any(|m| m == model) => {
                let listed = list.iter().map(|m| format!("`{m}`")).collect::<Vec<_>>().join(", ");
                check("models", Status::Fail, format!("`{model}` is not listed; there is {listed}"))
                    .then("name one of them with `--model`")
            }
            (list, _) => check("models", Status::Ok, list.join(", ")),
        };
        self.checks.push(said);
    }

    async fn version(&mut self) -> Option<String> {
        let answer = self.get("/openapi.json").await.ok().as_ref().and_then(json);
        match answer.as_ref().and_then(surface::version) {
            Some((text, version)) => {
                self.seen.version = Some(version);
                self.checks.push(check("version", Status::Ok, format!("Dynamo {text}")));
                Some(text)
            }
            None => {
                let detail = "`/openapi.json` names no Dynamo version; judged by what the metrics hold";
                self.checks.push(check("version", Status::Skipped, detail));
                None
            }
        }
    }

    async fn live(&mut self) {
        let said = match self.get("/live").await {
            Ok(reply) if reply.status == 200 => check("live", Status::Ok, "HTTP 200"),
            Ok(reply) => check("live", Status::Warn, odd(&reply)),
            Err(trouble) => Check { status: Status::Warn, ..failed("live", &trouble) },
        };
        self.checks.push(said);
    }

    async fn health(&mut self) {
        let said = match self.get("/health").await {
            Ok(reply) => match json(&reply).as_ref().and_then(Health::of) {
                Some(health) => {
                    let instances = health.generating().count();
                    let processes = if instances == 1 { "worker" } else { "workers" };
                    let detail =
                        format!("`{}` with {instances} {processes}; it says so whatever there is", health.status);
                    let lines = health.workers().into_iter().map(|(component, n)| format!("{component}: {n}"));
                    let said = check("health", Status::Ok, detail).seen(lines);
                    self.seen.health = Some(health);
                    said
                }
                None => check("health", Status::Skipped, odd(&reply)),
            },
            Err(trouble) => Check { status: Status::Skipped, ..failed("health", &trouble) },
        };
        self.checks.push(said);
    }

    async fn ready(&mut self, model: &str) {
        let path = format!("/v1/models/{}/ready", segment(model));
        // 404 is what a frontend without the route says, and one that does not know the model.
        if let Ok(reply) = self.get(&path).await {
            let body = serde_json::from_str(&reply.body).ok();
            self.seen.ready = body.as_ref().and_then(Ready::of);
        }
    }

    async fn metrics(&mut self, say: bool) -> Metrics {
        let answer = self.get("/metrics").await;
        let metrics = match &answer {
            Ok(reply) if reply.status == 200 => Metrics::parse(&reply.body),
            _ => Metrics::default(),
        };
        if say {
            let said = match &answer {
                _ if !metrics.is_empty() => {
                    check("metrics", Status::Ok, format!("{} families", metrics.families.len()))
                }
                Ok(reply) if reply.status == 200 => check("metrics", Status::Skipped, "HTTP 200, but no metrics in it"),
                Ok(reply) => check("metrics", Status::Skipped, odd(reply)),
                Err(trouble) => Check { status: Status::Skipped, ..failed("metrics", trouble) },
            };
            self.checks.push(said);
        }
        metrics
    }

    async fn complete(&self, model: &str, prompt: &str, stream: bool, pin: Option<u64>) -> Result<Completion, Check> {
        let name = if stream { "stream" } else { "chat" };
        let body = chat::body(model, prompt, self.options.max_tokens, stream);
        let pin: Vec<(&str, String)> = pin.map(|id| ("x-worker-instance-id", id.to_string())).into_iter().collect();
        let answer = self.at.post(self.transport, "/v1/chat/completions", &body, &pin, self.bounds).await;
        let reply = answer.map_err(|trouble| failed(name, &trouble))?;
        let read = if stream { chat::streamed(&reply, model) } else { chat::unary(&reply, model) };
        read.map_err(|NotOne { message, status }| {
            let next = match status {
                404 => "the model is listed and not served: check that its workers are there and agree",
                503 => "a role is missing or not ready: see `workers`",
                200 => "check what answers there, and the workers' logs",
                _ => "look at the frontend's and workers' logs",
            };
            check(name, Status::Fail, message).then(next)
        })
    }

    /// The completions: the prompt asked for, the same streamed, and a long one when it can tell whether events arrive.
    async fn smoke(&mut self, model: &str) {
        if self.options.skip_chat {
            self.checks.push(check("chat", Status::Skipped, "not asked for (`--skip-chat`)"));
            return;
        }
        let prompt = self.options.prompt.clone();
        let first = self.complete(model, &prompt, false, None).await;
        self.seen.smoke.plain = Some(first.is_ok());
        let mut pin = None;
        let said = match &first {
            Ok(completion) => say::completion("chat", completion),
            Err(refused) => match self.pinned(model, &prompt).await {
                Some(id) => {
                    pin = Some(id);
                    check("chat", Status::Warn, "only requests that name a worker are answered")
                        .seen([refused.detail.clone()])
                        .then("this is `direct` mode: put an endpoint picker in front, or set another `--router-mode`")
                }
                None => refused.clone(),
            },
        };
        let answered = said.status != Status::Fail;
        self.checks.push(said);
        if answered {
            let stream = self.complete(model, &prompt, true, pin).await;
            self.checks.push(stream.map_or_else(|refused| refused, |c| say::completion("stream", &c)));
        }
        let wanted = self.metrics(false).await;
        self.seen.after = wanted;
        if let Ok(completion) = &first {
            self.long(model, &completion.id).await;
        }
    }

    /// Whether the request is answered when it names a worker: what `direct` mode asks for.
    async fn pinned(&mut self, model: &str, prompt: &str) -> Option<u64> {
        // A frontend that is not ready refuses for another reason.
        if self.seen.ready.as_ref().is_some_and(|r| !r.ready) {
            return None;
        }
        // In disaggregated graphs the worker that decodes is the one to name.
        let health = self.seen.health.as_ref()?;
        let id = health.generating().find(|i| i.component != "prefill" && i.component != "encode")?.id;
        let answered = self.complete(model, prompt, false, Some(id)).await.is_ok();
        self.seen.smoke.pinned = Some(answered);
        answered.then_some(id)
    }

    /// Sends a prompt that no cache can hold, twice, and watches the router's index.
    async fn long(&mut self, model: &str, id: &str) {
        let observed = self.seen.observe(Some(model), None);
        if observed.mode != Some("kv") {
            return;
        }
        let block = observed.block_size.unwrap_or(64);
        if block > 2048 {
            // A prompt of several such blocks is no smoke test any more.
            return;
        }
        let words = usize::try_from(block * 3).unwrap_or(256).clamp(96, 6144);
        let prompt = chat::fresh_prompt(chat::seed(id), words);
        let start = self.seen.after.clone();
        if self.complete(model, &prompt, false, None).await.is_err() {
            return;
        }
        let mut now = self.stored_beyond(&start).await;
        let again = self.complete(model, &prompt, false, None).await.ok();
        let arrived = |now: &Metrics| {
            observe::stored(now) > observe::stored(&start) || observe::batches(now) > observe::batches(&start)
        };
        if observed.kv_events == Some(Arrival::Connected) && !arrived(&now) && !now.is_empty() {
            // One prompt goes to one rank of one worker, and routers before 1.3 take the events of a worker's second rank
            // for those of its first that they have already (1.2.1): several at once reach every rank.
            let several = (1..=AT_ONCE).map(|n| chat::fresh_prompt(chat::seed(&format!("{id} {n}")), words));
            let several: Vec<String> = several.collect();
            let _ = futures::future::join_all(several.iter().map(|p| self.complete(model, p, false, None))).await;
            now = self.stored_beyond(&start).await;
        }
        self.seen.smoke.long = Some(Long {
            stored: observe::stored(&now) - observe::stored(&start),
            batches: observe::batches(&now) - observe::batches(&start),
            cached: again.and_then(|c| c.cached_tokens),
        });
        self.seen.after = now;
    }

    /// The metrics once more is stored than before, or as they are when that does not come.
    async fn stored_beyond(&mut self, start: &Metrics) -> Metrics {
        let mut now = self.metrics(false).await;
        for _ in 0..EVENT_POLLS {
            if observe::stored(&now) > observe::stored(start) || now.is_empty() {
                break;
            }
            self.pause(EVENT_PAUSE).await;
            now = self.metrics(false).await;
        }
        now
    }
}
