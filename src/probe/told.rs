//! Checks as findings, for formats that hold findings and nothing else: on a manifest's lines, or on what was probed.

use std::collections::BTreeMap;

use super::report::Report;
use super::{Check, Status};
use crate::finding::{Confidence, Fingerprints, Identity, Severity};
use crate::report::{mask, wire};
use crate::resolve::Deployment;
use crate::rules::Findings;

/// The rule whose findings these are.
pub const RULE: &str = "probe-check";

/// Says each check that warns or fails on the name of the service that it is about, or else of the deployment. `components`
/// tells which service a target belongs to. Pods of one service that are told the same are told it once.
pub fn judge(
    deployment: &Deployment,
    checks: &[Check],
    components: &BTreeMap<String, String>,
    findings: &mut Findings,
) {
    findings.enter(RULE, Severity::Warning, Confidence::Certain);
    let mut groups: Vec<(&Check, Option<&str>, Vec<&str>)> = Vec::new();
    for check in checks {
        // Those are said on the lines that claim otherwise.
        if !matches!(check.status, Status::Warn | Status::Fail) || check.name.starts_with("manifest-") {
            continue;
        }
        let target = check.target.as_deref().unwrap_or_default();
        let service = components.get(target).map(String::as_str);
        let same = |(known, of, _): &&mut (&Check, Option<&str>, Vec<&str>)| {
            (*of, &known.name, known.status, &known.detail) == (service, &check.name, check.status, &check.detail)
        };
        match groups.iter_mut().find(same) {
            Some((_, _, targets)) => targets.push(target),
            None => groups.push((check, service, vec![target])),
        }
    }
    for (check, service, targets) in groups {
        let service = service.and_then(|name| deployment.services.iter().find(|s| s.name == name));
        let on = match targets.as_slice() {
            [""] => String::new(),
            [one] => format!(" ({one})"),
            [one, other] => format!(" ({one} and {other})"),
            [one, rest @ ..] => format!(" ({one} and {} others)", rest.len()),
            [] => continue,
        };
        let at = service.map_or(deployment.graph.object.name_span, |s| s.component.name.span);
        let severity = severity(check.status);
        let said = findings.report(at, format!("{}: {}{on}", check.name, check.detail), "probed");
        let said = said.subject(check.name.as_str()).severity(severity).help(check.next.clone().unwrap_or_default());
        match service {
            Some(service) => said.service(service).emit(),
            None => said.emit(),
        }
    }
}

const fn severity(status: Status) -> Severity {
    if matches!(status, Status::Fail) { Severity::Error } else { Severity::Warning }
}

/// Each check that warns or fails on what it is about, when there is no manifest to say it on. It keeps its name when its pod
/// is replaced by another of the same service.
#[must_use]
pub fn live(report: &Report, components: &BTreeMap<String, String>) -> wire::Check {
    let mut names = Fingerprints::default();
    let bad = report.checks.iter().filter(|check| matches!(check.status, Status::Warn | Status::Fail));
    let findings = bad.map(|check| {
        let target = check.target.as_deref().unwrap_or(&report.target);
        let service = components.get(target);
        let identity = Identity {
            rule: RULE,
            kind: report.probe,
            name: if service.is_some() { "" } else { target },
            service: service.map_or("", String::as_str),
            subject: &check.name,
            ..Identity::default()
        };
        wire::CheckFinding {
            rule: RULE,
            severity: severity(check.status),
            confidence: Confidence::Certain,
            message: format!("{}: {}", check.name, check.detail),
            help: check.next.as_deref().map(mask).unwrap_or_default().into_owned(),
            place: wire::Place::live(target),
            deployment: None,
            service: service.cloned(),
            subject: Some(check.name.clone()),
            fingerprint: names.next(&identity).to_string(),
            labels: Vec::new(),
            fix: None,
            overlays: Vec::new(),
            provenance: Vec::new(),
        }
    });
    let probed = wire::Probed { target: report.target.clone(), checks: report.checks.len() };
    wire::Check::live(probed, findings.collect())
}
