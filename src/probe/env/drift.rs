//! Drift: what runs is not what the manifest says. Said on the manifest's own lines.

use std::collections::BTreeMap;

use super::Seen;
use crate::finding::{Confidence, Severity};
use crate::probe::program::steers;
use crate::resolve::wire::is_credential;
use crate::resolve::{Deployment, EnvVar, Layer, Service};
use crate::rules::Findings;
use crate::source::{Fact, Span};

/// What stands for a credential; never compared.
const MASK: char = '*';

/// Something that the manifest leaves open and the running process decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Service.
    pub service: String,
    /// Variable.
    pub name: String,
    /// Why the manifest cannot tell.
    pub reason: String,
    /// What it is; none when it is not set.
    pub value: Option<String>,
    /// Where it was seen.
    pub target: String,
}

/// What runs for a service: pods with its label, and pods without a label of their own.
fn of_service<'a>(service: &'a Service, seen: &'a [Seen]) -> impl Iterator<Item = &'a Seen> {
    seen.iter().filter(|s| s.component.as_ref().is_none_or(|name| *name == service.name))
}

/// Compares a deployment with what runs.
pub fn judge(deployment: &Deployment, seen: &[Seen], findings: &mut Findings) {
    for service in &deployment.services {
        findings.enter("probe-env-drift", Severity::Warning, Confidence::Certain);
        for var in &service.env.vars {
            variable(service, var, seen, findings);
        }
        findings.enter("probe-argv-drift", Severity::Warning, Confidence::Certain);
        flags(service, seen, findings);
    }
}

/// Places with what was seen there, the same things together.
fn groups<'a>(places: impl Iterator<Item = (&'a Seen, Option<String>)>) -> Vec<(Option<String>, String)> {
    let mut by: BTreeMap<Option<String>, Vec<&str>> = BTreeMap::new();
    for (seen, value) in places {
        by.entry(value).or_default().push(&seen.target);
    }
    let name = |targets: Vec<&str>| match targets.as_slice() {
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        list => format!("{} and {} other pods", list[0], list.len() - 1),
    };
    by.into_iter().map(|(value, targets)| (value, name(targets))).collect()
}

fn variable(service: &Service, var: &EnvVar, seen: &[Seen], findings: &mut Findings) {
    if !steers(&var.name) || is_credential(&var.name) {
        return;
    }
    let winner = var.winner();
    let Some(span) = winner.span.or(winner.name_span) else { return };
    let Fact::Known(wanted) = &winner.value else { return };
    // A script's `export` is seen in the process that it starts only.
    let by_script = matches!(winner.layer, Layer::ShellExport | Layer::ShellPrefix);
    let others = of_service(service, seen).filter(|s| !by_script || s.running.is_dynamo()).filter_map(|s| {
        let now = s.running.env.get(&var.name);
        // A spec does not show what it takes from elsewhere, nor values that the kubelet expands.
        let unseen = s.running.source == super::Source::Spec && now.is_none();
        let masked = now.is_some_and(|now| now.starts_with(MASK)) || wanted.as_str().starts_with(MASK);
        let same = now.is_some_and(|now| now == wanted.as_str());
        (!unseen && !masked && !same).then(|| (s, now.cloned()))
    });
    for (now, target) in groups(others) {
        let (message, label) = match &now {
            Some(now) => (
                format!("`{}` is `{}` here, and `{now}` in {target}", var.name, wanted.as_str()),
                format!("on the cluster now: `{now}`"),
            ),
            None => (
                format!("`{}` is `{}` here, and not set in {target}", var.name, wanted.as_str()),
                "on the cluster now: not set".to_owned(),
            ),
        };
        findings
            .report(span, message, label)
            .service(service)
            .subject(var.name.as_str())
            .help("apply this manifest, or change it to what runs; a script or entry point in the image can also be the one that sets it")
            .emit();
    }
}

fn flags(service: &Service, seen: &[Seen], findings: &mut Findings) {
    let Some(process) = service.process.as_ref().filter(|p| !p.implied) else { return };
    let module = process.module.value.as_str();
    let places: Vec<&Seen> = of_service(service, seen)
        .filter(|s| s.running.module().is_some_and(|(running, _)| running == module))
        .collect();
    let mut told: Vec<&str> = Vec::new();
    for flag in process.args.flags.iter().rev() {
        // The last use is the one that counts.
        if told.contains(&flag.name.as_str()) || is_credential(&flag.name) || !flag.name.starts_with("--") {
            continue;
        }
        told.push(&flag.name);
        let wanted = match flag.value() {
            Some(word) => match word.as_known() {
                Some(text) => Some(text),
                None => continue,
            },
            None => None,
        };
        let span: Span = flag.value().map_or(flag.span, crate::command::Word::span);
        let others = places.iter().filter_map(|s| {
            let now = s.running.flag(&flag.name);
            match now {
                Some(now) if now == wanted || now.is_some_and(|n| n.starts_with(MASK)) => None,
                Some(now) => Some((*s, Some(now.unwrap_or("(no value)").to_owned()))),
                None => Some((*s, None)),
            }
        });
        for (now, target) in groups(others) {
            let (message, label) = match &now {
                Some(now) => {
                    (format!("`{}` has another value in {target}", flag.name), format!("on the cluster now: `{now}`"))
                }
                None => {
                    (format!("`{}` is not given in {target}", flag.name), "on the cluster now: not given".to_owned())
                }
            };
            findings
                .report(span, message, label)
                .service(service)
                .subject(flag.name.as_str())
                .help("apply this manifest, or change it to what runs")
                .emit();
        }
    }
}

/// What the manifest leaves open and the running processes decide.
#[must_use]
pub fn decided(deployment: &Deployment, seen: &[Seen]) -> Vec<Decided> {
    let mut list = Vec::new();
    for service in &deployment.services {
        for var in service.env.vars.iter().filter(|v| steers(&v.name) && !is_credential(&v.name)) {
            let Fact::Dynamic(reason) = &var.winner().value else { continue };
            let Some(place) = of_service(service, seen).find(|s| s.running.source != super::Source::Spec) else {
                continue;
            };
            list.push(Decided {
                service: service.name.clone(),
                name: var.name.clone(),
                reason: reason.to_string(),
                value: place.running.env.get(&var.name).cloned(),
                target: place.target.clone(),
            });
        }
    }
    list
}
