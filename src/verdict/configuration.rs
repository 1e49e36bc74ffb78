//! The configuration layer: what the linter finds, and what it takes a deployment to be.

use super::service;
use crate::finding::{Finding, Severity};
use crate::lint::Report;
use crate::probe::{Check, Layer, Status};
use crate::report::wire::Place;
use crate::resolve::{Deployment, Role};
use crate::rules::router::{router_claims, worker_claims};
use crate::source::Fact;

/// What the manifests come to.
#[derive(Clone, Debug)]
pub struct Static {
    /// Checks of the configuration layer.
    pub checks: Vec<Check>,
    /// Whether KV cache crosses between workers.
    pub needs_transfer: bool,
    /// Names of the deployments.
    pub deployments: Vec<String>,
}

/// Judges manifests: `report` is what the rules found in them, `deployments` what they resolve to.
#[must_use]
pub fn configuration(report: &Report, deployments: &[Deployment], target: &str) -> Static {
    let mut checks = vec![manifests(report, deployments, target)];
    findings(report, &mut checks);
    undecided(report, &mut checks);
    let mut needs_transfer = false;
    for deployment in deployments {
        let on = |check: Check| check.on(deployment.name.clone());
        checks.push(on(roles(deployment)));
        checks.extend(router(deployment).map(on));
        let moves = service::transfers(deployment);
        needs_transfer |= moves;
        checks.extend(service::checks(deployment, report));
    }
    Static { checks, needs_transfer, deployments: deployments.iter().map(|d| d.name.clone()).collect() }
}

pub(super) fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(name, Layer::Configuration, status, detail)
}

fn counted(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Whether there is anything to judge, and all of it could be read.
fn manifests(report: &Report, deployments: &[Deployment], target: &str) -> Check {
    let summary = &report.summary;
    if summary.unreadable > 0 {
        let detail = format!("{} could not be read", counted(summary.unreadable, "input", "inputs"));
        return check("manifests", Status::Fail, detail).then(format!("dynlint check {}", super::next::quote(target)));
    }
    if summary.files == 0 {
        return check("manifests", Status::Fail, format!("no manifest at `{target}`"));
    }
    if deployments.is_empty() {
        let files = counted(summary.files, "file", "files");
        return check("manifests", Status::Fail, format!("no DynamoGraphDeployment in {files}"));
    }
    let services = deployments.iter().map(|d| d.services.len()).sum();
    let detail = format!(
        "{}, {}, {}",
        counted(summary.files, "file", "files"),
        counted(deployments.len(), "deployment", "deployments"),
        counted(services, "service", "services")
    );
    check("manifests", Status::Ok, detail)
}

/// One check for each error and warning; one in all when there is none.
fn findings(report: &Report, checks: &mut Vec<Check>) {
    let before = checks.len();
    let mut advice = 0;
    for reported in &report.findings {
        let finding = &reported.finding;
        let status = match finding.severity {
            Severity::Error => Status::Fail,
            Severity::Warning => Status::Warn,
            Severity::Advice => {
                advice += 1;
                continue;
            }
        };
        checks.push(one(finding, status, report));
    }
    for crash in &report.crashes {
        let rule = crash.rule.unwrap_or("resolver");
        checks.push(check("rules", Status::Skipped, format!("internal error in `{rule}` on {}", crash.path)));
    }
    if checks.len() == before {
        let more = if advice == 0 { String::new() } else { format!(" ({advice} of advice)") };
        checks.push(check("rules", Status::Ok, format!("no error or warning{more}")));
    }
}

fn one(finding: &Finding, status: Status, report: &Report) -> Check {
    let place = Place::of(finding.primary.span, &report.sources);
    let on: Vec<&str> = finding.deployment.iter().chain(&finding.service).map(String::as_str).collect();
    let said = check(finding.rule, status, finding.message.clone())
        .seen([format!("{}:{}:{}", place.path, place.line, place.column), format!("help: {}", finding.help)])
        .then(format!("dynlint explain {}", finding.rule));
    if on.is_empty() { said } else { said.on(on.join("/")) }
}

/// What probes found on the manifests' lines, as checks of the capability layer: one for each, or that there is none.
#[must_use]
pub fn witnessed(report: &Report) -> Vec<Check> {
    let found = report.findings.iter().map(|reported| &reported.finding).filter(|f| f.rule.starts_with("probe-"));
    let mut checks: Vec<Check> = found
        .map(|finding| {
            let status = if finding.severity == Severity::Error { Status::Fail } else { Status::Warn };
            let mut said = one(finding, status, report);
            said.layer = Layer::Capability;

            said
        })
        .collect();
    if checks.is_empty() {
        let detail = "what runs is what the manifest says, and its devices are there";
        checks.push(Check::new("drift", Layer::Capability, Status::Ok, detail));
    }
    checks
}

/// What rules needed and could not know: each is a question that the manifest leaves open.
fn undecided(report: &Report, checks: &mut Vec<Check>) {
    if report.undecided.is_empty() {
        return;
    }
    let line = |open: &crate::rules::Undecided| {
        let place = Place::of(open.span, &report.sources);
        let service = open.service.as_ref().map_or_else(String::new, |s| format!(" ({s})"));
        format!("{}:{}:{} {}{service}: {}", place.path, place.line, place.column, open.rule, open.reason)
    };
    let detail = format!("{} left open by the manifests", counted(report.undecided.len(), "question", "questions"));
    let listed = report.undecided.iter().take(20).map(line);
    checks.push(check("undecided", Status::Skipped, detail).seen(listed));
}

/// Who is there.
fn roles(deployment: &Deployment) -> Check {
    const ORDER: [Role; 9] = [
        Role::Frontend,
        Role::Epp,
        Role::Router,
        Role::Prefill,
        Role::Decode,
        Role::Aggregated,
        Role::Encode,
        Role::Planner,
        Role::Other,
    ];
    let of = |role: Role| {
        let names: Vec<&str> = deployment.role(role).map(|s| s.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{} ({})", role.as_str(), names.join(", ")))
    };
    let detail = ORDER.into_iter().filter_map(of).collect::<Vec<_>>().join(", ");
    let unknown: Vec<&str> = deployment.workers().filter(|s| !s.role_known).map(|s| s.name.as_str()).collect();
    if unknown.is_empty() {
        check("roles", Status::Ok, detail)
    } else {
        let why = format!("the command line of {} cannot be seen; taken as {detail}", unknown.join(", "));
        check("roles", Status::Skipped, why)
    }
}

/// How requests find their worker, by the manifest.
fn router(deployment: &Deployment) -> impl Iterator<Item = Check> {
    let workers = worker_claims(deployment);
    router_claims(deployment).into_iter().map(move |claim| {
        let cached: Vec<_> = workers.iter().filter(|w| matches!(w.role, Role::Prefill | Role::Aggregated)).collect();
        let place = format!("{} {}", claim.place, claim.service);
        let mode = match &claim.mode {
            Fact::Known(mode) => *mode,
            Fact::Dynamic(reason) => {
                return check("router-mode", Status::Skipped, format!("{place}: mode not known: {reason}"));
            }
            // The rules say what is wrong with it.
            Fact::Unset => return check("router-mode", Status::Skipped, format!("{place}: names no mode")),
        };
        let events = match (&claim.events, claim.load_aware.known()) {
            _ if mode != "kv" => String::new(),
            (_, Some(true)) => ", by load alone".to_owned(),
            (Fact::Known(false), _) => ", predicts what is cached (no KV events)".to_owned(),
            (Fact::Known(true), _) => {
                let publishing = cached.iter().filter(|w| w.events == Fact::Known(true)).count();
                let open = cached.iter().filter(|w| w.events.is_dynamic()).count();
                let services = counted(cached.len(), "worker service", "worker services");
                let more = if open == 0 { String::new() } else { format!(", {open} not known") };
                format!(", KV events from {publishing} of {services}{more}")
            }
            (Fact::Dynamic(reason), _) => {
                let detail = format!("{place}: kv, whether by KV events is not known: {reason}");
                return check("router-mode", Status::Skipped, detail);
            }
            (Fact::Unset, _) => String::new(),
        };
        check("router-mode", Status::Ok, format!("{place}: {mode}{events}"))
    })
}
