//! Whether a worker publishes KV events (reference: router §2.1).

use super::{Env, Framework, KvEvents, Role, Service, config};
use crate::command::json::{self, Json};
use crate::command::{Args, Flag, Word};
use crate::source::{Fact, Reason, Span};

pub(super) fn of(service: &Service, framework: Framework, args: &Args, env: &Env) -> KvEvents {
    match framework {
        Framework::Vllm => vllm(service, args),
        Framework::Sglang => sglang(service, args),
        Framework::Trtllm => trtllm(service, args, env),
        Framework::Mocker => mocker(service, args),
        // `tokenspeed/args.py:28-36`
        Framework::Tokenspeed => said(false, None),
    }
}

/// A worker whose command line cannot be seen.
pub(super) fn unseen() -> KvEvents {
    KvEvents { published: Fact::Dynamic(Reason::Image), ..KvEvents::default() }
}

fn said(published: bool, span: Option<Span>) -> KvEvents {
    KvEvents { published: Fact::Known(published), span, config: None }
}

/// Whether prefix caching is switched off, with where.
fn prefix_caching_off(service: &Service, args: &Args) -> Option<Span> {
    match args.switch(&["--enable-prefix-caching"], &["--no-enable-prefix-caching"]) {
        Some((false, flag)) => return Some(flag.span),
        Some((true, _)) => return None,
        None => {}
    }
    let off =
        |name: &str, when: bool| config::option(service, name).filter(|n| n.as_bool() == Some(when)).map(|n| n.span);
    off("no-enable-prefix-caching", true).or_else(|| service.config_off("enable-prefix-caching"))
}

/// The config as given: on the command line, or in the config file.
enum Given {
    /// JSON, with the flag or value to point at.
    Word(Word, Span),
    Json(Json),
    Hidden(Reason),
    Absent,
}

fn given(service: &Service, args: &Args) -> Given {
    if let Some(flag) = args.last(&["--kv-events-config"]) {
        return flag.value().cloned().map_or(Given::Absent, |word| Given::Word(word, flag.span));
    }
    if let Some(node) = config::option(service, "kv-events-config").filter(|n| !n.is_null()) {
        return config::json(node).map_or_else(|word| Given::Word(word, node.span), Given::Json);
    }
    if let Some(reason) = &args.open {
        return Given::Hidden(reason.clone());
    }
    config::hidden(service).map_or(Given::Absent, |(reason, _)| Given::Hidden(reason))
}

/// Reads a config and asks `judge` about `enable_kv_cache_events` and `publisher`.
fn decide(given: Given, absent: bool, judge: impl Fn(Option<bool>, Option<&str>) -> bool) -> KvEvents {
    let (config, span) = match given {
        Given::Hidden(reason) => return KvEvents { published: Fact::Dynamic(reason), ..KvEvents::default() },
        Given::Absent => return said(absent, None),
        Given::Json(json) => {
            let span = json.span;
            (json, span)
        }
        Given::Word(word, span) => {
            if let Some(reason) = word.dynamic {
                return KvEvents { published: Fact::Dynamic(reason), span: Some(span), config: None };
            }
            // What is no JSON publishes nothing: an error at start, or a warning.
            let Ok(json) = json::parse(&word.text) else { return said(false, Some(span)) };
            (json, span)
        }
    };
    let enabled = config.get("enable_kv_cache_events").and_then(Json::as_bool);
    let on = judge(enabled, config.get("publisher").and_then(Json::as_str));
    KvEvents { published: Fact::Known(on), span: Some(span), config: Some(config) }
}

/// vLLM: `enable_kv_cache_events: true`, a publisher other than `"null"`, and prefix caching
/// (`vllm/args.py:288-305`, `435-454`). Before 1.1 automatic.
fn vllm(service: &Service, args: &Args) -> KvEvents {
    let events = decide(given(service, args), service.below(1, 1), |enabled, publisher| {
        enabled == Some(true) && publisher != Some("null")
    });
    without_cache(events, prefix_caching_off(service, args))
}

/// SGLang: a publisher other than `"null"`, which is the default (`sglang/args.py:634-647`).
fn sglang(service: &Service, args: &Args) -> KvEvents {
    let events = decide(given(service, args), false, |_, publisher| publisher.is_some_and(|name| name != "null"));
    let off = args.last(&["--disable-radix-cache"]).map(|flag| flag.span).or_else(|| {
        config::option(service, "disable-radix-cache").filter(|n| n.as_bool() == Some(true)).map(|n| n.span)
    });
    without_cache(events, off)
}

/// Without a prefix cache there is nothing to publish; the config stays for rules to see.
fn without_cache(events: KvEvents, off: Option<Span>) -> KvEvents {
    match off {
        Some(span) if events.published != Fact::Known(false) => {
            KvEvents { published: Fact::Known(false), span: Some(span), config: events.config }
        }
        _ => events,
    }
}

/// TensorRT-LLM: `--publish-kv-events` or its variable (`trtllm/backend_args.py:179-194`).
fn trtllm(service: &Service, args: &Args, env: &Env) -> KvEvents {
    let reuse = service
        .config_at(&["kv_cache_config", "enable_block_reuse"])
        .filter(|n| n.as_bool() == Some(false))
        .map(|n| n.span);
    let flag = args.switch(
        &["--publish-kv-events", "--publish-events-and-metrics"],
        &["--no-publish-kv-events", "--no-publish-events-and-metrics"],
    );
    if let Some((on, flag)) = flag {
        return without_cache(said(on && !is_false(flag), Some(flag.span)), reuse);
    }
    for name in ["DYN_TRTLLM_PUBLISH_KV_EVENTS", "DYN_TRTLLM_PUBLISH_EVENTS_AND_METRICS"] {
        let Some(var) = env.get(name) else { continue };
        let span = var.winner().span;
        return match &var.winner().value {
            Fact::Known(text) => without_cache(said(python_true(text), span), reuse),
            Fact::Dynamic(reason) => KvEvents { published: Fact::Dynamic(reason.clone()), span, config: None },
            Fact::Unset => continue,
        };
    }
    match &args.open {
        Some(reason) => KvEvents { published: Fact::Dynamic(reason.clone()), ..KvEvents::default() },
        None => said(false, None),
    }
}

/// The mocker: on with prefix caching unless it decodes (`mocker/config.py:352-357`).
fn mocker(service: &Service, args: &Args) -> KvEvents {
    if let Some(span) = prefix_caching_off(service, args) {
        return said(false, Some(span));
    }
    if service.role_known { said(service.role != Role::Decode, None) } else { said(true, None) }
}

fn is_false(flag: &Flag) -> bool {
    flag.joined && flag.value().and_then(Word::as_known).is_some_and(|v| !python_true(v))
}

/// How Dynamo's Python reads a boolean variable (`common/configuration/utils.py:74-75`).
fn python_true(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on")
}
