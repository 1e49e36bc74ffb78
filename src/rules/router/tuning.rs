//! Settings of a router one by one and in pairs: values it rejects, misreads or ignores.

use super::knobs::{
    CONDITIONAL, CONDITIONAL_CONFIG, CREDIT, KV_EVENTS, LOAD_MODEL, MODE, POLICY_CONFIG, QUEUE_POLICY, QUEUE_THRESHOLD,
    SERVE_INDEXER, knob, knobs, python_number,
};
use super::mode::Mode;
use super::settings::{Place, Router, Source, own_layer, routers, variable};
use crate::catalog::router::{Knob, KnobKind, Scope};
use crate::catalog::values;
use crate::finding::Severity;
use crate::resolve::Deployment;
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// Everything that runs the settings of `dynamo.frontend` or `dynamo.router`.
pub(super) fn tuned(deployment: &Deployment) -> impl Iterator<Item = Router<'_>> {
    routers(deployment).into_iter().filter(|r| r.place != Place::Epp)
}

/// Who says a setting for this process itself: a flag, or a variable not meant for the whole graph.
fn said<'a>(router: &Router<'a>, knob: &Knob) -> Option<Source<'a>> {
    let source = match router.flag(knob.flag) {
        Some((flag, _)) => Source::Flag(flag),
        None => Source::Env(router.env.get(knob.env).filter(|var| var.written() && own_layer(var))?),
    };
    Some(source)
}

/// The same by the flag's name.
pub(super) fn said_of<'a>(router: &Router<'a>, name: &str) -> Option<Source<'a>> {
    said(router, knob(name)?)
}

/// Whether the value given only repeats what happens anyway in a mode that reads no such setting.
fn harmless(router: &Router<'_>, knob: &Knob) -> bool {
    match knob.kind {
        KnobKind::Bool => router.toggle(knob.flag).on == Fact::Known(false),
        _ => {
            router.setting(knob.flag).value.known().is_some_and(|text| ["", "0", "0.0", "none", "None"].contains(text))
        }
    }
}

/// `kv-knob-in-non-kv-mode`
pub fn kv_knob_in_non_kv_mode(deployment: &Deployment, out: &mut Findings) {
    // These stop a frontend that is not in `kv` mode; rules of their own.
    let fatal = [SERVE_INDEXER, CONDITIONAL, CONDITIONAL_CONFIG, LOAD_MODEL];
    for router in tuned(deployment) {
        let mode = router.mode();
        let Fact::Known(kind) = mode.mode else { continue };
        if matches!(kind, Mode::Kv | Mode::Invalid) {
            continue;
        }
        let given: Vec<(&Knob, Source<'_>)> = knobs()
            .filter(|knob| knob.scope == Scope::Kv && !fatal.contains(&knob.flag))
            .filter_map(|knob| said(&router, knob).map(|source| (knob, source)))
            .collect();
        let Some((first, source)) = given.iter().find(|(knob, _)| !harmless(&router, knob)).or(given.first()) else {
            continue;
        };
        let severity = if harmless(&router, first) { Severity::Advice } else { Severity::Warning };
        let at = name_span(*source).unwrap_or_else(|| router.span());
        let mut report = out
            .report(
                at,
                format!("`{}` has no effect in `{}` mode", source.name(), kind.name()),
                "only the `kv` mode reads it",
            )
            .service(router.service)
            .subject(source.name())
            .severity(severity)
            .label(
                router.mode_span(),
                if mode.source.written() {
                    format!("routes in `{}` mode", kind.name())
                } else {
                    format!("no `--router-mode`: routes in `{}` mode", kind.name())
                },
            )
            .help("add `--router-mode kv`, or drop the setting");
        for (knob, source) in given.iter().filter(|(knob, _)| knob.flag != first.flag) {
            report = report.label_opt(name_span(*source), format!("`{}` has no effect either", knob.flag));
        }
        report.emit();
    }
}

/// Where the flag or variable is named.
pub(super) fn name_span(source: Source<'_>) -> Option<Span> {
    match source {
        Source::Flag(flag) => Some(flag.span),
        Source::Env(var) => var.winner().name_span.or(var.winner().span),
        Source::Default => None,
    }
}

/// What `--load-aware` replaces (`kv_router_args.py` `_LOAD_AWARE_KWARG_OVERRIDES`): the setting's flag and the value it gets.
const OVERRIDDEN: &[(&str, &str)] = &[
    ("--router-kv-overlap-score-credit", "0"),
    ("--router-kv-events", "off"),
    ("--router-track-active-blocks", "on"),
    ("--router-assume-kv-reuse", "off"),
    ("--router-track-prefill-tokens", "on"),
    ("--use-remote-indexer", "off"),
    ("--serve-indexer", "off"),
    ("--shared-cache-multiplier", "0"),
    ("--shared-cache-type", "none"),
    ("--router-predicted-ttl-secs", "unset"),
];

/// `load-aware-overrides`
pub fn load_aware_overrides(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment) {
        let load_aware = router.load_aware();
        if load_aware.on != Fact::Known(true) {
            continue;
        }
        let (name, by) = (load_aware.source.name(), load_aware.source.span());
        if router.place != Place::Standalone
            && let Some(source) = said_of(&router, MODE)
            && let Fact::Known(mode) = router.setting(MODE).value
            && mode != "kv"
        {
            out.report(
                source.span().unwrap_or_else(|| router.span()),
                format!("`{name}` makes the mode `kv`, so `{mode}` is ignored"),
                "ignored",
            )
            .service(router.service)
            .subject(source.name())
            .label_opt(by, "forces `kv` mode without KV events")
            .help(format!("drop one of the two: `{name}` is `kv` mode routing by load alone"))
            .emit();
        }
        for (flag, value) in OVERRIDDEN {
            let Some(knob) = knob(flag) else { continue };
            let Some(source) = said(&router, knob) else { continue };
            let same = match knob.kind {
                KnobKind::Bool => match router.toggle(knob.flag).on {
                    Fact::Known(on) => on == (*value == "on"),
                    _ => continue,
                },
                KnobKind::Int { .. } | KnobKind::Float { .. } => match router.setting(knob.flag).value {
                    Fact::Known(text) => python_number(text, false) == python_number(value, false),
                    _ => continue,
                },
                _ => match router.setting(knob.flag).value {
                    Fact::Known(text) => text == *value,
                    _ => continue,
                },
            };
            if same {
                continue;
            }
            out.report(
                name_span(source).unwrap_or_else(|| router.span()),
                format!("`{name}` overrides `{}`", source.name()),
                format!("becomes {value}"),
            )
            .service(router.service)
            .subject(source.name())
            .label_opt(by, "routes by load alone")
            .help(format!("drop `{name}` to keep the setting, or drop the setting"))
            .emit();
        }
    }
}

/// `queue-policy-invalid`
pub fn queue_policy_invalid(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment).filter(|r| !r.below(1, 1)) {
        let setting = router.setting(QUEUE_POLICY);
        let (Fact::Known(text), Some(span)) = (&setting.value, setting.source.span()) else { continue };
        let flag = matches!(setting.source, Source::Flag(_));
        let kv = router.mode().is(Mode::Kv);
        let (message, label, severity, help) = match *text {
            "fcfs" => continue,
            "wspt" => {
                // Until 1.3 a queue threshold was set by default, so a policy alone did something.
                let threshold = [QUEUE_THRESHOLD, POLICY_CONFIG].iter().any(|k| router.setting(k).source.written());
                if !kv || !router.at_least(1, 4) || threshold || router.args_hide().is_some() {
                    continue;
                }
                (
                    "the queue policy has no effect: nothing turns queueing on".to_owned(),
                    "no request ever waits in the queue",
                    Severity::Advice,
                    "add `--router-queue-threshold`, or drop the policy",
                )
            }
            "lcfs" if !flag && kv => (
                "queue policy `lcfs` works by variable only, by an oversight".to_owned(),
                "`--router-queue-policy` accepts `fcfs` and `wspt`",
                Severity::Advice,
                "use `fcfs` or `wspt`",
            ),
            _ if flag => (
                format!("`{text}` is no queue policy"),
                "argparse rejects it and the frontend exits",
                Severity::Error,
                "write `fcfs` or `wspt`",
            ),
            _ if kv => (
                format!("`{text}` is no queue policy"),
                "the frontend stops at start",
                Severity::Error,
                "write `fcfs` or `wspt`",
            ),
            _ => continue,
        };
        out.report(span, message, label)
            .service(router.service)
            .subject(setting.source.name())
            .severity(severity)
            .help(help)
            .emit();
    }
}

/// `bool-env-unrecognised`
pub fn bool_env_unrecognised(deployment: &Deployment, out: &mut Findings) {
    for router in routers(deployment) {
        for knob in knobs().filter(|knob| knob.kind == KnobKind::Bool) {
            let epp = router.place == Place::Epp;
            if epp && !knob.epp && knob.flag != KV_EVENTS {
                continue;
            }
            let env = if epp && knob.flag == KV_EVENTS { "DYN_USE_KV_EVENTS" } else { knob.env };
            let (Fact::Known(text), source) = variable(router.env, env) else { continue };
            let Some(span) = source.span() else { continue };
            let (read, judged) = if epp { values::rust_bool(text) } else { (Some(false), values::python_bool(text).1) };
            // A flag replaces the variable.
            let Err(expected) = judged else { continue };
            if !epp && router.flag(knob.flag).is_some() {
                continue;
            }
            let read = read.map_or(knob.default, |on| if on { "true" } else { "false" });
            let shown = if text.is_empty() { "the empty string".to_owned() } else { format!("`{text}`") };
            out.report(
                span,
                format!("{shown} is no boolean: `{env}` is read as {read}"),
                if epp {
                    "not understood, so the default stays"
                } else {
                    "everything but true, 1, yes and on is false"
                },
            )
            .service(router.service)
            .subject(env)
            .help(match &expected.suggestion {
                Some(word) => format!("did you mean `\"{word}\"`? legal is {expected}"),
                None => format!("write {expected}"),
            })
            .emit();
        }
    }
}

/// `router-number-out-of-range`
pub fn router_number_out_of_range(deployment: &Deployment, out: &mut Findings) {
    for router in tuned(deployment) {
        let kv = router.mode().is(Mode::Kv);
        for knob in knobs() {
            let Some((integer, min, mut max, nullable)) = bounds(knob) else { continue };
            if knob.flag == CREDIT && router.at_least(1, 2) && router.below(1, 4) {
                max = 1.0;
            }
            // The variable is converted even when the flag wins (`utils.py` `env_or_default`).
            let (by_env, env) = variable(router.env, knob.env);
            let by_flag = router.flag(knob.flag).map(|(flag, _)| Source::Flag(flag));
            for (value, source) in
                by_flag.map(|source| (router.setting(knob.flag).value, source)).into_iter().chain([(by_env, env)])
            {
                let (Fact::Known(text), Some(span)) = (value, source.span()) else { continue };
                if nullable && ["", "None"].contains(&text) {
                    continue;
                }
                // An older release does not read the variable; the flag is another rule's.
                if router.release().is_some_and(|release| release < knob.since) {
                    continue;
                }
                let kind = if integer { "an integer" } else { "a number" };
                let loses = by_flag.is_some() && matches!(source, Source::Env(_));
                let (message, label, severity) = match python_number(text, integer) {
                    None => (
                        format!("`{text}` is not {kind}: {} stops at start", router.noun()),
                        format!("`{}` takes {kind}", source.name()),
                        Severity::Error,
                    ),
                    Some(n) if n >= min && n <= max => continue,
                    // Nothing looks at the range before 1.2, nor outside `kv` mode.
                    Some(_) if loses || (knob.scope == Scope::Kv && (!kv || router.below(1, 2))) => continue,
                    Some(_) => (
                        format!("`{text}` is out of range for `{}`", source.name()),
                        format!("must be {}", range(min, max)),
                        if router.at_least(1, 2) { Severity::Error } else { Severity::Warning },
                    ),
                };
                out.report(span, message, label)
                    .service(router.service)
                    .subject(source.name())
                    .severity(severity)
                    .help(format!("write {kind} {}", range(min, max)))
                    .emit();
            }
        }
    }
}

/// Whether a number is whole, its bounds, and whether it may be absent.
fn bounds(knob: &Knob) -> Option<(bool, f64, f64, bool)> {
    match knob.kind {
        KnobKind::Int { min, max, nullable } => Some((true, min as f64, max as f64, nullable)),
        KnobKind::Float { min, max, nullable } => Some((false, min, max, nullable)),
        _ => None,
    }
}

fn range(min: f64, max: f64) -> String {
    if max < 1e15 { format!("between {min} and {max}") } else { format!("of at least {min}") }
}
