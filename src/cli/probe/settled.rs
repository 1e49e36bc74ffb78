//! What `dynlint check` has to leave open, once more with what the pods run with.

use std::collections::{BTreeMap, BTreeSet};

use super::Manifest;
use super::manifest::Judged;
use crate::finding::Severity;
use crate::lint::{self, Input};
use crate::probe::env::Seen;
use crate::probe::env::running::Source;
use crate::probe::{Check, Layer, Status};
use crate::report::wire::Place;
use crate::resolve::{Deployment, Running};

fn check(name: &str, status: Status, detail: String) -> Check {
    Check::new(name, Layer::Capability, status, detail)
}

/// What the services of a deployment were seen to run with: of each the first process, without what is masked.
fn running(deployments: &[Deployment], seen: &[Seen]) -> Running {
    let mut out = Running::default();
    for deployment in deployments {
        for service in &deployment.services {
            let of = |s: &&Seen| s.component.as_ref().is_none_or(|name| *name == service.name);
            let process = |s: &&Seen| matches!(s.running.source, Source::Process { .. });
            let mut places = seen.iter().filter(of).filter(process);
            let Some(place) = places.clone().find(|s| s.running.is_dynamo()).or_else(|| places.next()) else {
                continue;
            };
            let plain = place.running.env.iter().filter(|(_, value)| !value.starts_with('*'));
            let env: BTreeMap<String, String> = plain.map(|(n, v)| (n.clone(), v.clone())).collect();
            out.add(&deployment.name, &service.name, env);
        }
    }
    out
}

/// The rules, first on the manifest alone and then with what runs: which of their open questions are decided, and what they
/// find that the manifest alone does not show.
pub(super) fn checks(manifest: &Manifest, of: &Judged<'_>, deployments: &[Deployment], seen: &[Seen]) -> Vec<Check> {
    let Some(path) = &manifest.manifest else { return Vec::new() };
    let running = running(deployments, seen);
    if running.is_empty() {
        return Vec::new();
    }
    let inputs = [Input::Path(path.clone())];
    let alone = manifest.options(of.namespace);
    let mut with = alone.clone();
    with.cluster.running = running;
    let (before, after) = (lint::lint(&inputs, &alone), lint::lint(&inputs, &with));
    let at = |span, report: &lint::Report| {
        let Place { path, line, column, .. } = Place::of(span, &report.sources);
        format!("{path}:{line}:{column}")
    };
    let open = |report: &lint::Report| -> BTreeSet<String> {
        let one = |u: &crate::rules::Undecided| format!("{} at {}: {}", u.rule, at(u.span, report), u.reason);
        report.undecided.iter().map(one).collect()
    };
    let found = |report: &lint::Report| -> BTreeMap<String, Severity> {
        let one = |r: &lint::Reported| {
            let f = &r.finding;
            (format!("{}: {}: {} ({})", at(f.primary.span, report), f.severity, f.message, f.rule), f.severity)
        };
        report.findings.iter().map(one).collect()
    };
    let mut out = Vec::new();
    let (asked, left) = (open(&before), open(&after));
    if !asked.is_empty() {
        let settled: Vec<&String> = asked.difference(&left).collect();
        let detail = format!("{} of {} open questions of `dynlint check` are decided here", settled.len(), asked.len());
        let status = if settled.is_empty() { Status::Skipped } else { Status::Ok };
        out.push(check("env-undecided", status, detail).seen(settled));
    }
    let (known, seen) = (found(&before), found(&after));
    let mut new: Vec<(&String, Severity)> =
        seen.iter().filter(|(text, _)| !known.contains_key(*text)).map(|(text, severity)| (text, *severity)).collect();
    new.sort_by_key(|(_, severity)| std::cmp::Reverse(*severity));
    let gone: Vec<String> =
        known.keys().filter(|text| !seen.contains_key(*text)).map(|text| format!("no more: {text}")).collect();
    let status = match new.iter().map(|(_, severity)| *severity).max() {
        Some(Severity::Error) => Status::Fail,
        Some(Severity::Warning) => Status::Warn,
        _ => Status::Ok,
    };
    let detail = match new.len() {
        0 => "with what the pods run with, the rules find nothing that the manifest alone does not show".to_owned(),
        1 => format!("with what the pods run with: {}", new[0].0),
        n => format!("with what the pods run with, the rules find {n} things more; the worst: {}", new[0].0),
    };
    let said = check("env-rules", status, detail).seen(new.iter().map(|(text, _)| (*text).clone()).chain(gone));
    out.push(if status == Status::Ok {
        said
    } else {
        said.then("write into the manifest what should run: it wins over what the image or a Secret sets")
    });
    out
}
