//! Settings that stop a process at start unless others stand beside them.

use super::blocks::block_size;
use super::mode::Mode;
use super::settings::{Place, routers, variable};
use crate::resolve::{Deployment, Role};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// `aic-prerequisites`
pub fn aic_prerequisites(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment).iter().filter(|r| matches!(r.place, Place::Frontend | Place::Sidecar)) {
        let model = router.setting("--router-prefill-load-model");
        let Fact::Known(name @ ("aic" | "ais")) = model.value else { continue };
        // `aic` was renamed in 1.6; a name that the release does not know is another rule's.
        if router.args_hide().is_some()
            || router.version.is_none()
            || !router.at_least(1, 1)
            || (name == "ais") != router.at_least(1, 6)
        {
            continue;
        }
        let Some(at) = model.source.span() else { continue };
        let said = |flag: &str, env: &str| match router.flag(flag) {
            Some((flag, _)) => flag.value().map_or(Fact::Unset, |word| {
                word.as_known().map_or(Fact::Dynamic(crate::source::Reason::Image), |t| Fact::Known(t.to_owned()))
            }),
            None => variable(router.env, env).0.map(|t: &str| t.to_owned()),
        };
        let mut wanted: Vec<String> = Vec::new();
        if matches!(router.mode().mode, Fact::Known(mode) if mode != Mode::Kv) {
            wanted.push("`--router-mode kv`".to_owned());
        }
        if matches!(said("--dyn-chat-processor", "DYN_CHAT_PROCESSOR"), Fact::Known(p) if p != "dynamo") {
            wanted.push("`--dyn-chat-processor dynamo`".to_owned());
        }
        if router.toggle("--router-track-prefill-tokens").on == Fact::Known(false) {
            wanted.push("`--router-track-prefill-tokens`".to_owned());
        }
        if name == "aic" {
            for (ours, flag, env) in [
                ("--aic-backend", "--ais-backend", "DYN_AIC_BACKEND"),
                ("--aic-system", "--ais-system", "DYN_AIC_SYSTEM"),
                ("--aic-model-path", "--ais-model-path", "DYN_AIC_MODEL_PATH"),
            ] {
                if said(flag, env) == Fact::Unset {
                    wanted.push(format!("`{ours}`"));
                }
            }
        }
        if wanted.is_empty() {
            continue;
        }
        out.report(
            at,
            format!("the `{name}` load model needs {}: the frontend stops at start", wanted.join(", ")),
            "asked for here",
        )
        .service(router.service)
        .subject("--router-prefill-load-model")
        .help(format!("add {}, or drop the load model", wanted.join(" and ")))
        .emit();
    }
}

/// `epp-standalone-env`
pub fn epp_standalone_env(deployment: &Deployment, out: &mut Findings) {
    const MODE: &str = "DYN_EPP_MODE";
    for service in deployment.role(Role::Epp) {
        let env = &service.env;
        let (Fact::Known(mode), source) = variable(env, MODE) else { continue };
        let Some(at) = source.span() else { continue };
        let mut say = |at: Span, message: String, label: &str, subject: &str, help: String| {
            out.report(at, message, label).service(service).subject(subject).help(help).emit();
        };
        if mode == "dynamo" {
            continue;
        }
        if mode != "standalone" {
            let help = "write `dynamo` or `standalone`".to_owned();
            say(at, format!("`{mode}` is no mode of the endpoint picker"), "it stops at start", MODE, help);
            continue;
        }
        let needs = [
            "DYN_EPP_INFERENCE_POOL_NAME",
            "DYN_MODEL_NAME",
            "DYN_EPP_TOKENIZER_SERVICE_URL",
            "DYN_EPP_TOKENIZER_PROTOCOL",
            "DYN_KV_CACHE_BLOCK_SIZE",
        ];
        let missing: Vec<&str> = needs.into_iter().filter(|name| variable(env, name).0 == Fact::Unset).collect();
        if !missing.is_empty() {
            let list = format!("`{}`", missing.join("`, `"));
            say(
                at,
                format!("a standalone endpoint picker needs {list}"),
                "it stops at start",
                MODE,
                format!("set {list} on `{}`", service.name),
            );
        }
        if let (Fact::Known(protocol), source) = variable(env, "DYN_EPP_TOKENIZER_PROTOCOL")
            && protocol != "vllm-render"
            && let Some(at) = source.span()
        {
            let message = format!("`{protocol}` is no protocol of the tokenizer service");
            say(
                at,
                message,
                "the picker stops at start",
                "DYN_EPP_TOKENIZER_PROTOCOL",
                "write `vllm-render`".to_owned(),
            );
        }
        if let (Fact::Known(url), source) = variable(env, "DYN_EPP_TOKENIZER_SERVICE_URL")
            && !url.starts_with("http://")
            && !url.starts_with("https://")
            && let Some(at) = source.span()
        {
            let help = "begin it with `http://` or `https://`".to_owned();
            let label = "the picker stops at start";
            say(
                at,
                "the tokenizer service has no URL of HTTP".to_owned(),
                label,
                "DYN_EPP_TOKENIZER_SERVICE_URL",
                help,
            );
        }
        let (Fact::Known(text), source) = variable(env, "DYN_KV_CACHE_BLOCK_SIZE") else { continue };
        let Some(at) = source.span() else { continue };
        let Some(ours) = text.trim().parse::<u32>().ok().filter(|n| *n > 0) else {
            let message = format!("`{text}` is no block size");
            let help = "write the block size of the engine".to_owned();
            say(at, message, "the picker stops at start", "DYN_KV_CACHE_BLOCK_SIZE", help);
            continue;
        };
        let other = deployment.workers().find_map(|w| block_size(w).filter(|(n, _)| *n != ours).map(|(n, _)| (w, n)));
        if let Some((worker, theirs)) = other {
            let message = format!("the picker counts in blocks of {ours}, `{}` in blocks of {theirs}", worker.name);
            let help = format!("write `{theirs}`");
            say(at, message, "no prefix ever matches", "DYN_KV_CACHE_BLOCK_SIZE", help);
        }
    }
}
