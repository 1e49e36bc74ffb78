//! Router modes: names that are none, modes said twice, modes that the rest of the graph does not fit.

use super::knobs::{AFFINITY_TTL, MIN_WORKERS, MODE, python_number};
use super::mode::Mode;
use super::settings::{Place, Router, Source, frontends, old_frontends, own_layer, variable};
use super::workers::{targets, worker_span};
use crate::catalog::router::{self, ModeLookup};
use crate::catalog::values;
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;
use crate::source::Fact;

/// A mode whose name differs only in case, blanks or `_` for `-`.
fn respelled(text: &str) -> Option<&'static str> {
    let plain = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
    router::MODES.iter().map(|mode| mode.name).find(|name| *name == plain || name.replace('-', "") == plain)
}

/// The modes of a release, for a help line.
fn legal(router: &Router<'_>) -> String {
    let names: Vec<String> = router::mode_names(router.release()).iter().map(|name| format!("`{name}`")).collect();
    format!("one of {}", names.join(", "))
}

/// Whether the mode that a router is told is one of its release, as far as can be known.
pub(super) fn mode_stands(router: &Router<'_>) -> bool {
    let setting = router.setting(MODE);
    let text = match setting.value {
        Fact::Known(text) => text,
        Fact::Unset if setting.source.written() => "",
        _ => return true,
    };
    // `--load-aware` replaces whatever the variable says; a flag is checked before that.
    let replaced = !matches!(setting.source, Source::Flag(_)) && router.load_aware().on == Fact::Known(true);
    let known = |mode: &router::Mode| router.release().is_none_or(|release| release >= mode.since);
    replaced || matches!(router::mode_from(text), ModeLookup::Known(mode) if known(mode))
}

/// `unknown-router-mode`
pub fn unknown_router_mode(deployment: &Deployment, out: &mut Findings) {
    // Before 1.0 the choices of the command line are judged with its other words.
    let old = old_frontends(deployment).into_iter().filter(|r| matches!(r.setting(MODE).source, Source::Env(_)));
    for router in frontends(deployment).chain(old).filter(|r| !mode_stands(r)) {
        let setting = router.setting(MODE);
        let flag = matches!(setting.source, Source::Flag(_));
        let Some(span) = setting.source.span() else { continue };
        let text = match &setting.value {
            Fact::Known(text) => *text,
            Fact::Unset => "",
            Fact::Dynamic(_) => continue,
        };
        let name = setting.source.name();
        let fatal = flag || router.at_least(1, 5);
        // `round_robin` of a variable is taken for what it means, though for another reason.
        let meant = !fatal && router.version.is_some() && respelled(text) == Some("round-robin");
        let effect = match (flag, router.version) {
            (true, _) => "argparse rejects it and the frontend exits",
            (false, Some(_)) if fatal => "the frontend stops with `unknown router mode`",
            (false, Some(_)) => "before 1.5 the frontend takes it for `round-robin` without a word",
            (false, None) => "taken for `round-robin` before 1.5, fatal from then on",
        };
        let severity = match (fatal, meant) {
            (true, _) => Severity::Error,
            (_, true) => Severity::Advice,
            _ => Severity::Warning,
        };
        let found = router::mode_from(text);
        if matches!(found, ModeLookup::Known(_)) {
            let found = router.version.map(|v| v.to_string()).unwrap_or_default();
            out.report(span, format!("router mode `{text}` is newer than Dynamo {found}"), effect)
                .service(router.service)
                .subject(name)
                .severity(severity)
                .help(format!("write {}, or take a newer image", legal(&router)))
                .emit();
            continue;
        }
        let message = if text.is_empty() {
            format!("`{name}` is empty, which is no router mode")
        } else {
            format!("`{text}` is no router mode")
        };
        let help = match found {
            ModeLookup::Suggest(mode) => format!("did you mean `{}`? legal is {}", mode.name, legal(&router)),
            _ => format!("write {}", legal(&router)),
        };
        let mut report =
            out.report(span, message, effect).service(router.service).subject(name).severity(severity).help(help);
        if let Some(name) = respelled(text)
            && span.len() as usize == text.len()
        {
            report = report.fix(Applicability::Safe, span, name);
        }
        report.emit();
    }
}

/// `kv-single-target`
pub fn kv_single_target(deployment: &Deployment, out: &mut Findings) {
    let alone = |role| targets(deployment, deployment.role(role)).one();
    let known = deployment.workers().all(|s| s.role_known && !s.args_open() && s.replicas.known().is_some());
    if deployment.workers().next().is_none()
        || !known
        || ![Role::Prefill, Role::Decode, Role::Aggregated].map(alone).iter().all(|one| *one)
    {
        return;
    }
    for router in frontends(deployment).filter(|r| r.place == Place::Frontend && r.mode().is(Mode::Kv)) {
        out.report(
            router.mode_span(),
            "`kv` mode has one worker to choose from",
            "whatever the caches hold, every request goes there",
        )
        .service(router.service)
        .subject(MODE)
        .help("scale the workers, or leave the mode out until there are more")
        .emit();
    }
}

const MODE_VARIABLE: &str = "DYN_ROUTER_MODE";

/// `router-mode-flag-env-conflict`
pub fn router_mode_flag_env_conflict(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment) {
        let Some((flag, _)) = router.flag(MODE) else { continue };
        let (Some(word), Some(var)) = (flag.value(), router.env.get(MODE_VARIABLE)) else { continue };
        let (Some(by_flag), Fact::Known(by_env)) = (word.as_known(), &var.winner().value) else { continue };
        if !var.written() {
            continue;
        }
        let span = Source::Env(var).span().unwrap_or(flag.span);
        let same = by_flag == by_env.as_str();
        let (message, label) = if same {
            (format!("the router mode `{by_flag}` is given twice"), "has no effect beside the flag")
        } else {
            (
                format!("`{}={}` loses to `--router-mode {by_flag}`", MODE_VARIABLE, by_env.as_str()),
                "loses: a flag wins over a variable",
            )
        };
        // A graph-wide default that one frontend overrides is what graph-wide variables are for.
        let severity = if same || !own_layer(var) { Severity::Advice } else { Severity::Warning };
        if same && !own_layer(var) {
            continue;
        }
        out.report(span, message, label)
            .service(router.service)
            .subject(MODE_VARIABLE)
            .severity(severity)
            .label(word.span(), "wins")
            .help(format!("keep one of the two: drop `{}`", MODE_VARIABLE))
            .emit();
    }
}

/// By what a worker takes text instead of tokens.
fn text_input(service: &Service) -> Option<(crate::source::Span, &'static str)> {
    let (on, off, var) = match service.framework? {
        Framework::Vllm => ("--use-vllm-tokenizer", "--no-use-vllm-tokenizer", "DYN_VLLM_USE_TOKENIZER"),
        Framework::Sglang => ("--use-sglang-tokenizer", "--no-use-sglang-tokenizer", "DYN_SGL_USE_TOKENIZER"),
        _ => return None,
    };
    match service.args()?.switch(&[on], &[off]) {
        Some((true, flag)) => Some((flag.span, on)),
        Some((false, _)) => None,
        None => {
            let (Fact::Known(text), source) = variable(&service.env, var) else { return None };
            values::python_bool(text).0.then_some(())?;
            Some((source.span()?, var))
        }
    }
}

/// `text-input-with-kv-or-direct`
pub fn text_input_with_kv_or_direct(deployment: &Deployment, out: &mut Findings) {
    let Some((router, mode)) = frontends(deployment).find_map(|r| match r.mode().mode {
        Fact::Known(mode @ (Mode::Kv | Mode::Direct)) => Some((r, mode)),
        _ => None,
    }) else {
        return;
    };
    for service in deployment.workers() {
        let embeds = service.flag(&["--embedding-worker"]).is_some();
        let Some((span, subject)) = text_input(service).filter(|_| !embeds) else { continue };
        let name = mode.name();
        let chat = match service.framework {
            Some(Framework::Sglang) => "sglang",
            _ => "vllm",
        };
        out.report(
            span,
            format!("the worker takes text, which the router cannot route in `{name}` mode"),
            "registers the model for text input, so every request fails",
        )
        .service(service)
        .subject(subject)
        .label(router.mode_span(), format!("routes in `{name}` mode, which needs tokens"))
        .help(format!(
            "drop `{subject}` (`--dyn-chat-processor {chat}` on the frontend gives the same processing), or route \
             round-robin"
        ))
        .emit();
    }
}

/// `direct-without-external-router`
pub fn direct_without_external_router(deployment: &Deployment, out: &mut Findings) {
    let picker = deployment.services.iter().any(|s| matches!(s.role, Role::Epp | Role::Router));
    let gateway = deployment.recipe.here.iter().chain(deployment.recipe.beside()).any(|o| {
        o.kind.starts_with("InferencePool")
            || o.kind == "HTTPRoute"
            || o.kind == "Gateway"
            || o.kind == "InferenceModel"
    });
    if picker || gateway {
        return;
    }
    for router in frontends(deployment).filter(|r| r.place == Place::Frontend) {
        let mode = router.mode();
        if !mode.is(Mode::Direct) {
            continue;
        }
        out.report(
            router.mode_span(),
            "the router runs in `direct` mode, and nothing in this recipe picks workers for it",
            "answers 400 to every request that does not name its worker",
        )
        .service(router.service)
        .subject(mode.source.name())
        .help(
            "use `kv` or `round-robin`, or put an endpoint picker (`type: epp`) in front; clients may also send \
             `x-dynamo-worker-instance-id` themselves",
        )
        .emit();
    }
}

/// `lora-unsupported-mode`
pub fn lora_unsupported_mode(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment).filter(|r| r.at_least(1, 3)) {
        let (Fact::Known(text), source) = variable(router.env, "DYN_LORA_ENABLED") else { continue };
        let Some(span) = source.span().filter(|_| values::rust_bool(text).0 == Some(true)) else { continue };
        let mode = router.mode();
        let Fact::Known(kind) = mode.mode else { continue };
        let affinity = router.setting(AFFINITY_TTL);
        let (at, message, label, help) = match kind {
            Mode::Direct | Mode::PowerOfTwo | Mode::LeastLoaded | Mode::DeviceAware => (
                router.mode_span(),
                format!("LoRA serving does not work in `{}` mode: the frontend stops at start", kind.name()),
                "LoRA allows `kv`, `random` and `round-robin`",
                "use `kv`, `random` or `round-robin`",
            ),
            Mode::RoundRobin | Mode::Random if affinity.value.known().is_some() => (
                affinity.source.span().unwrap_or(span),
                "LoRA serving with session affinity needs `kv` mode: the frontend stops at start".to_owned(),
                "session affinity",
                "use `--router-mode kv`, or drop the session affinity",
            ),
            _ => continue,
        };
        out.report(at, message, label)
            .service(router.service)
            .subject("DYN_LORA_ENABLED")
            .label(span, "LoRA is on")
            .help(help)
            .emit();
    }
}

/// `min-initial-workers-unreachable`
pub fn min_initial_workers_unreachable(deployment: &Deployment, out: &mut Findings) {
    // A planner, autoscaler or second deployment may add workers.
    if deployment.role(Role::Planner).next().is_some() || deployment.workers().next().is_none() {
        return;
    }
    for router in frontends(deployment).filter(|r| !r.below(1, 1)) {
        let setting = router.setting(MIN_WORKERS);
        let (Fact::Known(text), Some(span)) = (&setting.value, setting.source.span()) else { continue };
        let Some(wanted) = python_number(text, true).filter(|n| *n >= 1.0) else { continue };
        let Some(workers) = workers(deployment) else { continue };
        if wanted <= f64::from(workers) {
            continue;
        }
        let effect = if router.mode().is(Mode::Kv) { "waits for them for ever" } else { "gives up after 120 s" };
        let mut report = out
            .report(
                span,
                format!("the router waits for {text} workers, but the deployment has {workers}"),
                format!("the router {effect}"),
            )
            .service(router.service)
            .subject(setting.source.name())
            .help(format!("write at most {workers}, or raise `replicas`"));
        for service in deployment.workers() {
            report = report.label(
                service.component.replicas.as_ref().map_or_else(|| worker_span(service), |r| r.span),
                format!("{} of `{}`", plural(service), service.name),
            );
        }
        report.emit();
    }
}

fn plural(service: &Service) -> String {
    match service.replicas.known() {
        Some(1) | None => "1 replica".to_owned(),
        Some(n) => format!("{n} replicas"),
    }
}

/// Worker processes of a deployment, when all their counts are known and nothing scales them. Every data-parallel rank
/// may count as one, so that the largest count anybody could mean is returned.
fn workers(deployment: &Deployment) -> Option<u32> {
    let mut sum = 0_u32;
    for service in deployment.workers() {
        let replicas = match service.replicas {
            Fact::Known(n) => n,
            Fact::Unset => 1,
            Fact::Dynamic(_) => return None,
        };
        let Fact::Known(ranks) = super::workers::ranks(service) else { return None };
        if super::workers::scaled(service) {
            return None;
        }
        sum = sum.saturating_add(replicas.saturating_mul(ranks.max(1)).saturating_mul(service.nodes.max(1)));
    }
    Some(sum)
}

impl Router<'_> {
    /// `the frontend` or `the frontend sidecar`.
    pub(super) fn noun(&self) -> &'static str {
        match self.place {
            Place::Frontend => "the frontend",
            Place::Sidecar => "the frontend sidecar",
            Place::Epp => "the endpoint picker",
            Place::Standalone => "`dynamo.router`",
        }
    }
}
