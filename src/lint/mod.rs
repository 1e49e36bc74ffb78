//! The one way from files to findings: read, parse, resolve, run the rules, choose, sort.

mod check;
pub mod examples;
mod finish;
mod known;
mod kustomize;
mod line;
mod load;
mod options;
mod overlay;
mod plan;
mod problem;
mod provenance;
mod read;
mod reader;
mod report;
mod suppress;
mod threads;
mod touched;
mod users;
mod watch;

pub(crate) use check::guard;
use finish::silent;
use line::Line;
pub use options::{Input, Options};
use plan::Plan;
pub use provenance::{Provenance, Step};
pub use reader::Cache;
pub use report::{
    Crash, Kustomization, Report, Reported, SkipReason, Skipped, Summary, Suppressed, Suppression, SuppressionKind,
};
use threads::{map, pooled};
pub use touched::Touched;
pub use watch::{Phase, Watch, Watcher};

use crate::resolve::Deployment;
use crate::rules::{self, Findings};

/// Lints everything that the inputs name. Never fails: what cannot be read is a finding, a crash of a rule is a
/// [`Crash`].
#[must_use]
pub fn lint(inputs: &[Input], options: &Options) -> Report {
    pooled(inputs, options, |found, parallel| {
        let (line, report, findings) = Line::read(found, options, parallel);
        line.lint(report, findings, options, parallel, None)
    })
}

/// A deployment of a run.
#[derive(Debug)]
pub struct Seen {
    /// The deployment.
    pub deployment: Deployment,
    /// Name of the file it stands in, or of the kustomization that brings it.
    pub file: String,
    /// Directory of that kustomization.
    pub overlay: Option<String>,
}

/// As [`lint`], with every deployment in the order of the files: what was judged.
#[must_use]
pub fn examine(inputs: &[Input], options: &Options) -> (Report, Vec<Seen>) {
    pooled(inputs, options, |found, parallel| {
        let (line, report, findings) = Line::read(found, options, parallel);
        let mut seen = Vec::new();
        let report = line.lint(report, findings, options, parallel, Some(&mut seen));
        (report, seen)
    })
}

/// Resolves every deployment that the inputs name, in the order of the files, without judging them. The report holds
/// what could not be read.
#[must_use]
pub fn resolve(inputs: &[Input], options: &Options) -> (Vec<Deployment>, Report) {
    pooled(inputs, options, |found, parallel| {
        let (line, mut report, mut findings) = Line::read(found, options, parallel);
        line.add_problems(&mut findings);
        let mut deployments = Vec::new();
        let plan = Plan::new(options, &line.sources.all());
        for list in map(&line.files, parallel, |(file, recipe)| {
            check::deployments(file, recipe, &line.sources, &plan.of(file.file.id).settings.resolve)
        }) {
            for result in list {
                match result {
                    Ok(deployment) => deployments.push(deployment),
                    Err(crash) => report.crashes.push(crash),
                }
            }
        }
        (deployments, line.finish(report, silent(findings), &plan, None))
    })
}

/// The files that would be judged, sorted, and those that would be skipped; nothing is resolved. The report holds what
/// could not be read.
#[must_use]
pub fn files(inputs: &[Input], options: &Options) -> (Vec<String>, Report) {
    pooled(inputs, options, |found, parallel| {
        let (line, report, mut findings) = Line::read(found, options, parallel);
        line.add_problems(&mut findings);
        let mut names: Vec<String> = line.files.iter().map(|(file, _)| file.file.name.clone()).collect();
        crate::source::order(&mut names, Ord::cmp);
        names.dedup();
        (names, line.finish(report, silent(findings), &Plan::new(options, &line.sources.all()), None))
    })
}

/// Resolves every deployment that the inputs name and has each judged by what was seen of it outside the manifests: the
/// findings of a probe, ready for every renderer. No rule runs.
#[must_use]
pub fn witness(
    inputs: &[Input],
    options: &Options,
    judge: impl Fn(&Deployment, &mut Findings) + Sync + Send,
) -> Report {
    pooled(inputs, options, |found, parallel| {
        let (line, mut report, mut findings) = Line::read(found, options, parallel);
        let plan = Plan::new(options, &line.sources.all());
        for (file, recipe) in &line.files {
            for result in check::deployments(file, recipe, &line.sources, &plan.of(file.file.id).settings.resolve) {
                match result {
                    Ok(deployment) => {
                        report.summary.deployments += 1;
                        report.summary.services += deployment.services.len();
                        let mut said = Findings::new(&deployment);
                        judge(&deployment, &mut said);
                        findings.extend(said.found);
                        report.undecided.extend(said.undecided);
                    }
                    Err(crash) => report.crashes.push(crash),
                }
            }
        }
        line.add_problems(&mut findings);
        let policy = suppress::Policy {
            today: options.today,
            needs_reason: &|file| plan.of(file).settings.ignores_need_reason,
            // Comments for the other rules are neither used nor unused here.
            runs: &|_, rule| matches!(rule.check, rules::Check::Probe),
            crashed: !report.crashes.is_empty(),
            limits: &options.limits,
        };
        let findings = suppress::judge(&line, findings, &policy, parallel);
        let mut report = line.finish(report, findings, &plan, None);
        report.files = report::Kept(line.files);
        report
    })
}
