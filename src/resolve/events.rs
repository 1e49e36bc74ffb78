//! Whether a worker publishes KV events (reference: router §2.1).

use super::{Env, Framework, KvEvents, Role, Service};
use crate::command::json::{self, Json, JsonValue};
use crate::command::{Args, Flag, Word};
use crate::source::{Fact, Reason, Span, Text};
use crate::yaml::Node;

pub(super) fn of(service: &Service, framework: Option<Framework>, args: &Args, env: &Env) -> KvEvents {
    match framework {
        Some(Framework::Vllm) => vllm(service, args),
        Some(Framework::Sglang) => sglang(service, args),
        Some(Framework::Trtllm) => trtllm(service, args, env),
        Some(Framework::Mocker) => mocker(service, args),
        // `tokenspeed/args.py:28-36`
        Some(Framework::Tokenspeed) => said(false, None),
        None => KvEvents { published: Fact::Dynamic(Reason::Image), ..KvEvents::default() },
    }
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
    let off = |keys: [&str; 2], when: bool| {
        keys.iter().find_map(|k| service.config_at(&[k])).filter(|n| n.as_bool() == Some(when)).map(|n| n.span)
    };
    off(["no-enable-prefix-caching", "no_enable_prefix_caching"], true)
        .or_else(|| off(["enable-prefix-caching", "enable_prefix_caching"], false))
}

/// The config as given: on the command line, or in the config file.
enum Given {
    Word(Word),
    Node(Node),
    Hidden(Reason),
    Absent,
}

fn given(service: &Service, args: &Args) -> Given {
    if let Some(flag) = args.last(&["--kv-events-config"]) {
        return flag.value().cloned().map_or(Given::Absent, Given::Word);
    }
    for key in ["kv-events-config", "kv_events_config"] {
        if let Some(node) = service.config_at(&[key]).filter(|n| !n.is_null()) {
            return match node.as_str() {
                Some(text) => Given::Word(Word::known(Text::opaque(text, node.span))),
                None => Given::Node(node.clone()),
            };
        }
    }
    if let Some(reason) = &args.open {
        return Given::Hidden(reason.clone());
    }
    match service.configs.iter().find(|c| c.content.is_dynamic()) {
        Some(config) => Given::Hidden(Reason::File(config.path.clone())),
        None => Given::Absent,
    }
}

/// Reads a config: (enabled, publisher) by key.
fn decide(given: Given, absent: bool, judge: impl Fn(Option<bool>, Option<Option<&str>>) -> bool) -> KvEvents {
    match given {
        Given::Hidden(reason) => KvEvents { published: Fact::Dynamic(reason), ..KvEvents::default() },
        Given::Absent => said(absent, None),
        Given::Node(node) => {
            let publisher = node.get("publisher").map(Node::as_text);
            said(judge(node.get("enable_kv_cache_events").and_then(Node::as_bool), publisher), Some(node.span))
        }
        Given::Word(word) => {
            let span = Some(word.span());
            if let Some(reason) = word.dynamic {
                return KvEvents { published: Fact::Dynamic(reason), span, config: None };
            }
            // What is no JSON publishes nothing: an error at start, or a warning.
            let Ok(config) = json::parse(&word.text) else { return said(false, span) };
            let publisher = config.get("publisher").map(|p| match &p.value {
                JsonValue::Null => None,
                _ => p.as_str(),
            });
            let on = judge(config.get("enable_kv_cache_events").and_then(Json::as_bool), publisher);
            KvEvents { published: Fact::Known(on), span, config: Some(config) }
        }
    }
}

/// vLLM: `enable_kv_cache_events: true`, a publisher other than `"null"`, and prefix caching
/// (`vllm/args.py:288-305`, `435-454`). Before 1.1 automatic.
fn vllm(service: &Service, args: &Args) -> KvEvents {
    let events = decide(given(service, args), service.below(1, 1), |enabled, publisher| {
        enabled == Some(true) && publisher.flatten() != Some("null")
    });
    without_cache(events, prefix_caching_off(service, args))
}

/// SGLang: a publisher other than `"null"`, which is the default (`sglang/args.py:634-647`).
fn sglang(service: &Service, args: &Args) -> KvEvents {
    let events =
        decide(given(service, args), false, |_, publisher| publisher.flatten().is_some_and(|name| name != "null"));
    let off = args.last(&["--disable-radix-cache"]).map(|flag| flag.span).or_else(|| {
        ["disable-radix-cache", "disable_radix_cache"]
            .iter()
            .find_map(|key| service.config_at(&[key]))
            .filter(|n| n.as_bool() == Some(true))
            .map(|n| n.span)
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
