//! Workers that mean to publish KV events and do not.

use super::events::{required, severity, wanting};
use super::settings::ancient;
use super::workers::{prefix_caching_off, targets, worker_span};
use crate::catalog::values;
use crate::command::Word;
use crate::command::json::{self, Json, JsonValue};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// `--kv-events-config` as given on the command line, when all of it is known.
fn config_word(service: &Service) -> Option<&Word> {
    let word = service.flag(&["--kv-events-config"])?.value()?;
    word.dynamic.is_none().then_some(word)
}

/// What is wrong with a `--kv-events-config`.
enum Flaw {
    /// No JSON; where, and what the reader says.
    Syntax(Span, String),
    /// vLLM: no `enable_kv_cache_events`.
    NotEnabled(Span),
    /// `"publisher": "null"` although events are enabled.
    NullPublisher(Span),
    /// SGLang: no `publisher`; whether vLLM's switch was written instead.
    NoPublisher(Span, bool),
    /// SGLang: no `endpoint`.
    NoEndpoint(Span),
    /// A publisher that is none.
    Publisher(Span),
    /// An endpoint that the publisher connects to instead of opening it.
    Connects(Span),
    /// An endpoint that is no address at all.
    Address(Span),
    /// An endpoint whose port is none.
    Port(Span),
}

fn object(json: &Json) -> bool {
    matches!(json.value, JsonValue::Object(_))
}

fn flaws(service: &Service) -> Vec<Flaw> {
    let mut out = Vec::new();
    let parsed = config_word(service).map(|word| json::parse(&word.text));
    let config = match (&parsed, &service.events.config) {
        (Some(Err(error)), _) => {
            out.push(Flaw::Syntax(error.span, error.message.clone()));
            return out;
        }
        (Some(Ok(config)), _) | (None, Some(config)) => config,
        (None, None) => return out,
    };
    if !object(config) {
        return out;
    }
    let publisher = config.get("publisher");
    let asked = service.framework == Some(Framework::Sglang)
        || config.get("enable_kv_cache_events").and_then(Json::as_bool) == Some(true);
    out.extend(
        publisher.filter(|p| p.as_str().is_some_and(|p| !matches!(p, "null" | "zmq"))).map(|p| Flaw::Publisher(p.span)),
    );
    if asked && publisher.is_none_or(|p| p.as_str() == Some("zmq")) {
        out.extend(config.get("endpoint").and_then(|e| endpoint(service, e)));
    }
    let null = publisher.filter(|p| p.as_str() == Some("null"));
    match service.framework {
        Some(Framework::Vllm) => match config.get("enable_kv_cache_events") {
            None => out.push(Flaw::NotEnabled(config.span)),
            Some(on) if on.as_bool() == Some(true) => out.extend(null.map(|p| Flaw::NullPublisher(p.span))),
            Some(_) => {}
        },
        Some(Framework::Sglang) => {
            if publisher.is_none() {
                out.push(Flaw::NoPublisher(config.span, config.get("enable_kv_cache_events").is_some()));
            } else if null.is_none() && config.get("endpoint").is_none() {
                out.push(Flaw::NoEndpoint(config.span));
            }
        }
        _ => {}
    }
    out
}

/// What is wrong with an endpoint. The publishers of both engines open it where it has `*`, `::` (SGLang of late: or `0.0.0.0`)
/// or is `ipc://` or `inproc://`, and connect to it otherwise, as Dynamo does on the other side: then nobody opens it.
fn endpoint(service: &Service, json: &Json) -> Option<Flaw> {
    let text = json.as_str().filter(|t| !t.contains(['$', '{', '<']))?;
    if !text.contains("://") {
        return Some(Flaw::Address(json.span));
    }
    let address = text.strip_prefix("tcp://")?;
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let opens = host == "*" || host.contains("::") || (host == "0.0.0.0" && service.framework != Some(Framework::Vllm));
    if !opens && !host.is_empty() {
        return Some(Flaw::Connects(json.span));
    }
    let number = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_err();
    number.then_some(Flaw::Port(json.span))
}

/// What is to be said of a publisher or an endpoint, the same of both engines: place, severity (`weight` unless the worker
/// stops at it), message, label and help.
fn published_where(
    flaw: &Flaw,
    weight: Severity,
) -> Option<(Span, Severity, &'static str, &'static str, &'static str)> {
    Some(match flaw {
        Flaw::Publisher(at) => (
            *at,
            Severity::Error,
            "`--kv-events-config` names a publisher that is none",
            "the engine refuses it: the worker exits",
            "write `\"publisher\":\"zmq\"`",
        ),
        Flaw::Connects(at) => (
            *at,
            weight,
            "nobody opens the endpoint of `--kv-events-config`, so no KV event arrives",
            "without `*` for a host the engine connects to it, and so does Dynamo",
            "write `tcp://*:PORT`",
        ),
        Flaw::Address(at) => (
            *at,
            Severity::Error,
            "the endpoint of `--kv-events-config` is no address",
            "ZeroMQ refuses it: the worker exits",
            "write `tcp://*:PORT`",
        ),
        Flaw::Port(at) => (
            *at,
            Severity::Error,
            "the endpoint of `--kv-events-config` has no port",
            "no socket can be opened: the worker exits",
            "write `tcp://*:PORT` with a number up to 65535",
        ),
        _ => return None,
    })
}

/// Whether a rule of this file says why a silent worker is silent.
pub(super) fn explained(service: &Service) -> bool {
    service.framework == Some(Framework::Tokenspeed)
        || !flaws(service).is_empty()
        || asks_without_cache(service).is_some()
        || buffer_without_publish(service).is_some()
}

/// How bad it is that this worker stays silent: nobody listens, one target, or a real choice.
fn weight(deployment: &Deployment, service: &Service) -> (Severity, Option<Span>) {
    let Some(router) = wanting(deployment) else { return (Severity::Advice, None) };
    let workers = required(deployment, &router);
    if !workers.iter().any(|s| std::ptr::eq(*s, service)) {
        return (Severity::Advice, None);
    }
    (severity(&targets(deployment, workers.iter().copied())), Some(router.mode_span()))
}

/// Where a worker is told to publish events, whether or not it then can.
pub(super) fn asks(service: &Service) -> Option<Span> {
    match service.framework? {
        Framework::Vllm => {
            let config = service.events.config.as_ref()?;
            (config.get("enable_kv_cache_events")?.as_bool() == Some(true)).then_some(config.span)
        }
        Framework::Sglang => {
            let config = service.events.config.as_ref()?;
            (config.get("publisher")?.as_str() != Some("null")).then_some(config.span)
        }
        Framework::Trtllm => publish_flag(service),
        Framework::Mocker | Framework::Tokenspeed => None,
    }
}

/// Asks for events with prefix caching off: where it asks, where it is off.
fn asks_without_cache(service: &Service) -> Option<(Span, Span)> {
    let off = prefix_caching_off(service)?;
    Some((asks(service)?, off))
}

/// The flag or variable by which TensorRT-LLM publishes.
fn publish_flag(service: &Service) -> Option<Span> {
    let on = ["--publish-kv-events", "--publish-events-and-metrics"];
    let off = ["--no-publish-kv-events", "--no-publish-events-and-metrics"];
    match service.args()?.switch(&on, &off) {
        Some((true, flag)) => Some(flag.span),
        Some((false, _)) => None,
        None => ["DYN_TRTLLM_PUBLISH_KV_EVENTS", "DYN_TRTLLM_PUBLISH_EVENTS_AND_METRICS"].iter().find_map(|name| {
            let var = service.env.get(name)?;
            values::python_bool(var.known()?).0.then_some(var.winner().span?)
        }),
    }
}

/// `kv-events-without-prefix-cache`
pub fn kv_events_without_prefix_cache(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| !ancient(s)) {
        let Some((asks, off)) = asks_without_cache(service) else { continue };
        // A worker whose events nobody wants had better not ask for them: `events-unused`.
        let (severity, Some(router)) = weight(deployment, service) else { continue };
        let (message, help) = match service.framework {
            Some(Framework::Trtllm) => (
                "KV events are published with block reuse off, so they never say that a prefix is cached",
                "set `enable_block_reuse: true`, or do not publish KV events",
            ),
            Some(Framework::Sglang) => (
                "KV events are asked for with the radix cache off, so there are none",
                "drop `--disable-radix-cache`, or `--kv-events-config`",
            ),
            _ => (
                "KV events are asked for with prefix caching off, so `--kv-events-config` is dropped",
                "replace `--no-enable-prefix-caching` by `--enable-prefix-caching`, or drop `--kv-events-config`",
            ),
        };
        out.report(off, message, "no prefix cache, no KV events")
            .service(service)
            .subject("kv-events")
            .severity(severity)
            .label(asks, "asks for KV events")
            .label(router, "the router counts on them")
            .help(help)
            .emit();
    }
}

/// `vllm-events-not-enabled`
pub fn vllm_events_not_enabled(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm) && !ancient(s)) {
        let (severity, router) = weight(deployment, service);
        for flaw in flaws(service) {
            let (span, severity, message, label, help) = match flaw {
                Flaw::NotEnabled(span) => (
                    span,
                    severity,
                    "`--kv-events-config` does not enable KV events",
                    "`enable_kv_cache_events` defaults to false",
                    "add `\"enable_kv_cache_events\":true`",
                ),
                Flaw::NullPublisher(span) => (
                    span,
                    severity,
                    "`--kv-events-config` enables KV events and throws them away",
                    "the `null` publisher publishes nothing",
                    "write `\"publisher\":\"zmq\"`",
                ),
                _ => match published_where(&flaw, severity) {
                    Some(said) => said,
                    None => continue,
                },
            };
            let mut report = out
                .report(span, message, label)
                .service(service)
                .subject("--kv-events-config")
                .severity(severity)
                .label_opt(router, "the router counts on them")
                .help(help);
            if let Some((at, text)) = fix(service, &flaw) {
                report = report.fix(Applicability::Safe, at, text);
            }
            report.emit();
        }
    }
}

/// The edit that mends a vLLM config, where its quotes stand in the manifest as they stand in the JSON.
fn fix(service: &Service, flaw: &Flaw) -> Option<(Span, String)> {
    match flaw {
        Flaw::NotEnabled(_) => {
            let parsed = json::parse(&config_word(service)?.text).ok()?;
            let JsonValue::Object(entries) = &parsed.value else { return None };
            let first = entries.first()?;
            let plain = first.key_span.len() as usize == first.key.len() + 2;
            let at = Span { end: first.key_span.start, ..first.key_span };
            plain.then(|| (at, "\"enable_kv_cache_events\":true,".to_owned()))
        }
        Flaw::NullPublisher(span) => (span.len() == 6).then(|| (*span, "\"zmq\"".to_owned())),
        _ => None,
    }
}

/// `sglang-events-schema`
pub fn sglang_events_schema(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Sglang) && !ancient(s)) {
        let (weight, router) = weight(deployment, service);
        // Up to 1.3 the subscriber is set up, and wants an endpoint, whatever the publisher.
        let crash = service.below(1, 4);
        for flaw in flaws(service) {
            let (span, severity, message, label, help) = match flaw {
                Flaw::Syntax(span, what) => (
                    span,
                    weight,
                    "`--kv-events-config` is no JSON, so no KV events are published".to_owned(),
                    what,
                    "write `{\"publisher\":\"zmq\",\"endpoint\":\"tcp://*:20080\"}` in single quotes",
                ),
                Flaw::NoPublisher(span, vllm) => (
                    span,
                    if crash { Severity::Error } else { weight },
                    if vllm {
                        "`enable_kv_cache_events` is vLLM's key: SGLang publishes nothing without `publisher`"
                            .to_owned()
                    } else {
                        "`--kv-events-config` names no publisher, so SGLang publishes nothing".to_owned()
                    },
                    "`publisher` defaults to `null`".to_owned(),
                    "write `{\"publisher\":\"zmq\",\"endpoint\":\"tcp://*:20080\"}`",
                ),
                Flaw::NoEndpoint(span) => (
                    span,
                    Severity::Error,
                    "`--kv-events-config` has no `endpoint`, so the worker stops at start".to_owned(),
                    "`dynamo.sglang` raises `ValueError` without `endpoint`".to_owned(),
                    "add `\"endpoint\":\"tcp://*:20080\"`",
                ),
                _ => match published_where(&flaw, weight) {
                    Some((span, severity, message, label, help)) => {
                        (span, severity, message.to_owned(), label.to_owned(), help)
                    }
                    None => continue,
                },
            };
            out.report(span, message, label)
                .service(service)
                .subject("--kv-events-config")
                .severity(severity)
                .label_opt(router, "the router counts on them")
                .help(help)
                .emit();
        }
    }
}

/// TensorRT-LLM keeps events that nobody publishes: where the buffer is sized.
fn buffer_without_publish(service: &Service) -> Option<Span> {
    // Told to publish it fails for another reason, which `kv-events-without-prefix-cache` names.
    let silent = service.events.published == Fact::Known(false) && publish_flag(service).is_none();
    if service.framework != Some(Framework::Trtllm) || !silent {
        return None;
    }
    let node = service.config_at(&["kv_cache_config", "event_buffer_max_size"])?;
    node.as_int().is_some_and(|n| n > 0).then_some(node.span)
}

/// `trtllm-event-buffer-without-publish`
pub fn trtllm_event_buffer_without_publish(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| !ancient(s)) {
        let Some(span) = buffer_without_publish(service) else { continue };
        let (severity, router) = weight(deployment, service);
        let flag = if service.below(1, 3) { "--publish-events-and-metrics" } else { "--publish-kv-events" };
        out.report(
            span,
            "`event_buffer_max_size` keeps KV events that Dynamo never publishes",
            format!("fills a buffer that nobody reads without `{flag}`"),
        )
        .service(service)
        .subject("event_buffer_max_size")
        .severity(severity)
        .label(worker_span(service), format!("runs without `{flag}`"))
        .label_opt(router, "the router counts on KV events")
        .help(format!("add `{flag}` to `dynamo.trtllm`"))
        .emit();
    }
}
