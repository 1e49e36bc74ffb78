//! Flags and variables of the frontend that work under an old name, or work no more.

use super::flags::{shown, written};
use super::knobs::{CREDIT, WEIGHT};
use super::settings::{Router, catalog, frontends};
use crate::catalog::Release;
use crate::catalog::flags::Match;
use crate::catalog::router::{self as names, Effect, NameKind};
use crate::command::Flag;
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, Framework};
use crate::rules::Findings;

/// `deprecated-flag-alias`
pub fn deprecated_flag_alias(deployment: &Deployment, out: &mut Findings) {
    for router in written(deployment) {
        let Some(catalog) = catalog() else { continue };
        for (flag, found) in router.flags() {
            let Some(found) = found else { continue };
            // The weight has a rule of its own.
            let short = !found.spelling.starts_with("--");
            if found.spelling == found.flag.name || found.flag.name == WEIGHT || found.abbreviated || short {
                continue;
            }
            let present = Match { spelling: found.flag.name, ..*found };
            let both = |release: Release| {
                catalog.accepts(found, release) == Some(true) && catalog.accepts(&present, release) == Some(true)
            };
            let holds = match router.release() {
                Some(release) => both(release),
                None => catalog.releases.iter().filter(|r| **r >= (1, 0)).all(|r| both(*r)),
            };
            if !holds {
                continue;
            }
            let new =
                if found.negated { format!("--no-{}", &found.flag.name[2..]) } else { found.flag.name.to_owned() };
            report_alias(&router, flag, &new, out);
        }
    }
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Mocker)) {
        let Some(flag) = service.flag(&["--is-prefill-worker", "--is-decode-worker"]) else { continue };
        let new = if flag.name == "--is-prefill-worker" { "prefill" } else { "decode" };
        out.report(
            flag.span,
            format!("`{}` is an old name", flag.name),
            "still read by the mocker, vLLM has dropped it",
        )
        .service(service)
        .subject(flag.name.clone())
        .help(format!("write `--disaggregation-mode {new}`"))
        .emit();
    }
    for service in deployment.workers() {
        let Some(flag) = service.flag(&["--publish-events-and-metrics", "--no-publish-events-and-metrics"]) else {
            continue;
        };
        if service.framework != Some(Framework::Trtllm) || !service.at_least(1, 3) {
            continue;
        }
        let no = if flag.name.starts_with("--no-") { "--no-" } else { "--" };
        // 1.6 splits it in two (`dynamo/trtllm/args.py:124-130`).
        let new = if service.at_least(1, 6) {
            format!("{no}publish-kv-events {no}publish-metrics")
        } else {
            format!("{no}publish-kv-events")
        };
        let report = out
            .report(flag.span, format!("`{}` is an old name", flag.name), "still read, with a warning in the log")
            .service(service)
            .subject(flag.name.clone())
            .help(format!("write `{new}`"));
        if service.at_least(1, 6) || flag.span.len() as usize != flag.name.len() {
            report.emit();
        } else {
            report.fix(Applicability::Safe, flag.span, new).emit();
        }
    }
}

fn report_alias(router: &Router<'_>, flag: &Flag, new: &str, out: &mut Findings) {
    let report = out
        .report(flag.span, format!("`{}` is an old name", flag.name), "still read, not to be relied on")
        .service(router.service)
        .subject(flag.name.clone())
        .help(format!("write `{new}`"));
    if flag.span.len() as usize == flag.name.len() {
        report.fix(Applicability::Safe, flag.span, new).emit();
    }
}

/// `ignored-router-setting`
pub fn ignored_router_setting(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment) {
        for row in names::renames().iter().filter(|r| r.effect == Effect::Ignored && r.component == "frontend") {
            let Some(release) = router.release().filter(|release| *release >= row.since) else { continue };
            let (span, name) = match row.kind {
                NameKind::Flag => {
                    let Some((flag, _)) = router.flag(row.old) else { continue };
                    (flag.span, flag.name.clone())
                }
                NameKind::Env => {
                    let Some(var) = router.env.get(row.old).filter(|v| v.written()) else { continue };
                    (var.winner().name_span.or(var.winner().span).unwrap_or_else(|| router.span()), row.old.to_owned())
                }
            };
            let help = match row.new {
                [] => "drop it: the topology is read from the workers that register".to_owned(),
                new => format!("drop it; `{}` does the job now", new.join("`, `")),
            };
            out.report(span, format!("`{name}` is ignored"), format!("without effect in {}", shown(release)))
                .service(router.service)
                .subject(name)
                .help(help)
                .emit();
        }
    }
}

/// `overlap-weight-deprecated`
pub fn overlap_weight_deprecated(deployment: &Deployment, out: &mut Findings) {
    for router in frontends(deployment).filter(|r| r.at_least(1, 2)) {
        let by_flag = router.flag(WEIGHT).map(|(flag, _)| (flag.span, flag.name.clone()));
        let by_env = || {
            ["DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT", "DYN_OVERLAP_SCORE_WEIGHT"].iter().find_map(|name| {
                let var = router.env.get(name).filter(|v| v.written())?;
                Some((var.winner().name_span.or(var.winner().span)?, (*name).to_owned()))
            })
        };
        let Some((span, name)) = by_flag.or_else(by_env) else { continue };
        let new = [CREDIT, "--router-prefill-load-scale"]
            .into_iter()
            .map(|name| router.setting(name).source)
            .find(|source| source.written());
        let (message, severity) = match &new {
            Some(source) => (format!("`{name}` wins over `{}`", source.name()), Severity::Warning),
            None => (format!("`{name}` is deprecated"), Severity::Advice),
        };
        out.report(span, message, "read as `--router-prefill-load-scale`; 0 also sets the overlap credit to 0")
            .service(router.service)
            .subject(name)
            .severity(severity)
            .label_opt(new.and_then(|source| source.span()), "replaced by the deprecated weight")
            .help(
                "write `--router-prefill-load-scale`, and `--router-kv-overlap-score-credit` for what caching is worth",
            )
            .emit();
    }
}
