//! Block sizes: where one has to match, and where one does nothing.

use super::settings::{Place, Source, frontends, routers, variable};
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// Block size of a worker where its command line or config says it.
pub(super) fn block_size(worker: &Service) -> Option<(u32, Span)> {
    use crate::resolve::Framework::{Mocker, Sglang, Trtllm, Vllm};
    let (flags, keys): (&[&str], &[&[&str]]) = match worker.framework? {
        Vllm => (&["--block-size"], &[&["block-size"], &["block_size"]]),
        Mocker => (&["--block-size"], &[]),
        Sglang => (&["--page-size"], &[&["page-size"], &["page_size"]]),
        Trtllm => (&["--kv-block-size"], &[&["kv_cache_config", "tokens_per_block"]]),
        _ => return None,
    };
    // The engine's own config wins over TensorRT-LLM's fallback flag (`llm_worker.py:202-229`).
    for path in keys {
        if let Some(node) = worker.config_at(path)
            && let Some(n) = node.as_int().and_then(|n| u32::try_from(n).ok())
            && (worker.framework == Some(Trtllm) || worker.flag(flags).is_none())
        {
            return Some((n, node.span));
        }
    }
    let word = worker.flag(flags)?.value()?;
    Some((word.as_known()?.parse().ok()?, word.span()))
}

/// `frontend-block-size-inert`
pub fn frontend_block_size_inert(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment) {
        // With vLLM's own preprocessing a debugging path still reads it (`FE/vllm_processor.py:1132`).
        let processor = router.flag("--dyn-chat-processor").and_then(|(f, _)| f.value()?.as_known());
        if processor.is_some_and(|p| p != "dynamo") || router.env.get("DYN_CHAT_PROCESSOR").is_some() {
            continue;
        }
        let source = match router.flag("--kv-cache-block-size") {
            Some((flag, _)) => Source::Flag(flag),
            None => match router.env.get("DYN_KV_CACHE_BLOCK_SIZE").filter(|v| v.written()) {
                Some(var) => Source::Env(var),
                None => continue,
            },
        };
        let Some(span) = source.span() else { continue };
        let value = match source {
            Source::Flag(flag) => flag.value().and_then(|w| w.as_known()),
            Source::Env(var) => var.known().map(|t| t.as_str()),
            Source::Default => None,
        };
        let differs = deployment.workers().find_map(|worker| {
            let (size, at) = block_size(worker)?;
            value.and_then(|v| v.parse::<u32>().ok()).is_some_and(|v| v != size).then_some((size, at))
        });
        let mut report = out
            .report(
                span,
                format!("`{}` has no effect on {}", source.name(), router.noun()),
                match differs {
                    Some((size, _)) => format!("ignored: the workers' {size} counts"),
                    None => "ignored: the block size comes from the workers".to_owned(),
                },
            )
            .service(router.service)
            .subject(source.name())
            .help("drop it: the router reads the block size from the card of each worker");
        if let Some((size, at)) = differs {
            report = report.label(at, format!("{size} here"));
        }
        report.emit();
    }
}

/// `standalone-router-block-size`
pub fn standalone_router_block_size(deployment: &Deployment, out: &mut Findings) {
    let standalone = routers(deployment).into_iter().filter(|r| r.place == Place::Standalone);
    for router in standalone.filter(|r| r.events().wanted == Fact::Known(true)) {
        let Some(args) = router.args().filter(|a| a.open.is_none()) else { continue };
        let (ours, at) = match args.last(&["--router-block-size", "--block-size"]) {
            Some(flag) => {
                let Some(word) = flag.value() else { continue };
                let Some(n) = word.as_known().and_then(|t| t.parse::<u32>().ok()) else { continue };
                (n, Some(word.span()))
            }
            None => match variable(router.env, "DYN_ROUTER_BLOCK_SIZE") {
                (Fact::Known(text), source) => {
                    let Ok(n) = text.parse() else { continue };
                    (n, source.span())
                }
                (Fact::Unset, _) => (128, None),
                (Fact::Dynamic(_), _) => continue,
            },
        };
        for worker in super::events::required(deployment, &router) {
            // Without events nothing is compared.
            if worker.events.published != Fact::Known(true) {
                continue;
            }
            let Some((theirs, there)) = block_size(worker).filter(|(n, _)| *n != ours) else { continue };
            out.report(
                at.unwrap_or_else(|| router.span()),
                format!("`dynamo.router` counts in blocks of {ours}, `{}` in blocks of {theirs}", worker.name),
                if at.is_some() {
                    "no prefix ever matches"
                } else {
                    "no `--router-block-size`: 128, and no prefix ever matches"
                },
            )
            .service(router.service)
            .subject("--router-block-size")
            .label(there, format!("{theirs} here"))
            .help(format!("write `--router-block-size {theirs}`"))
            .emit();
        }
    }
}
