//! `--manifest`: what was seen, said on the manifest's own lines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::{Output, Target, print};
use crate::cli::{Exit, check, output};
use crate::finding::Severity;
use crate::lint::{self, Input};
use crate::probe::report::Report;
use crate::probe::told;
use crate::report::wire;
use crate::resolve::{self, Deployment, Version};
use crate::rules::Findings;

/// The manifests to compare with.
#[derive(Debug, Args)]
#[command(next_help_heading = "Manifest")]
pub(in crate::cli) struct Manifest {
    /// File or directory with the deployment: what is seen is compared with what it says
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) manifest: Option<PathBuf>,
    /// Dynamo version to assume where no image tag or `runtimeVersionOverride` gives one
    #[arg(long, value_parser = crate::cli::args::version, value_name = "VERSION")]
    pub(in crate::cli) dynamo_version: Option<Version>,
}

impl Manifest {
    /// How the manifest is read: objects without a namespace go where the probe looks.
    pub(in crate::cli) fn options(&self, namespace: Option<&str>) -> lint::Options {
        let cluster = resolve::Cluster { namespace: namespace.map(str::to_owned), ..resolve::Cluster::default() };
        lint::Options { dynamo_version: self.dynamo_version, cluster, ..lint::Options::default() }
    }

    /// Judges the manifest when there is one, prints all, and says how it went: 1 when a check failed or the manifest has a
    /// warning or an error, 4 when the manifest cannot be read, 3 when there is no deployment in it. Of several
    /// deployments it is the one that the probe named, or all of them.
    pub(in crate::cli) fn finish(
        &self,
        mut report: Report,
        of: &Judged<'_>,
        args: &Output,
        judge: impl Fn(&Deployment, &mut Findings) + Sync + Send,
    ) -> Exit {
        let Some(path) = &self.manifest else { return print(&report, None, &of.components, args) };
        let checks = if args.findings_only() { report.checks.as_slice() } else { &[] };
        let only = of.deployment.filter(|name| self.meant(of).iter().any(|d| d.name == **name));
        let judged =
            lint::witness(&[Input::Path(path.clone())], &self.options(of.namespace), |deployment, findings| {
                if only.is_none_or(|name| name == deployment.name) {
                    judge(deployment, findings);
                    told::judge(deployment, checks, &of.components, findings);
                }
            });
        let deployments = judged.summary.deployments;
        // Told in one format and a check in another: the exit code is the checks' then.
        let drifts = judged
            .findings
            .iter()
            .any(|r| r.finding.rule != told::RULE && matches!(r.finding.severity, Severity::Error | Severity::Warning));
        report.manifest = Some(wire::Check::new(&judged, false));
        let exit = print(&report, Some(&judged), &of.components, args);
        check::say_crashes(&judged);
        if judged.summary.unreadable > 0 {
            return Exit::Unreadable;
        }
        if deployments == 0 {
            output::note(&format!("nothing to compare: no DynamoGraphDeployment in {}", path.display()));
            return Exit::Nothing;
        }
        if drifts && exit == Exit::Clean { Exit::Findings } else { exit }
    }

    /// The deployments of the manifest that are meant; none without a manifest.
    pub(in crate::cli) fn meant(&self, of: &Judged<'_>) -> Vec<Deployment> {
        let inputs: Vec<Input> = self.manifest.iter().cloned().map(Input::Path).collect();
        let (mut deployments, _) = lint::resolve(&inputs, &self.options(of.namespace));
        of.narrow(&mut deployments);
        deployments
    }
}

/// What a manifest is judged by.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Judged<'a> {
    /// Where objects without a namespace go.
    pub(in crate::cli) namespace: Option<&'a str>,
    /// The deployment that the probe named.
    pub(in crate::cli) deployment: Option<&'a str>,
    /// Which service each target belongs to.
    pub(in crate::cli) components: BTreeMap<String, String>,
}

impl<'a> Judged<'a> {
    /// By what was seen of these targets.
    pub(in crate::cli) fn of(target: &'a Target, seen: impl Iterator<Item = (String, Option<String>)>) -> Self {
        let components = seen.filter_map(|(target, component)| Some((target, component?))).collect();
        Self { namespace: target.namespace.as_deref(), deployment: target.deployment.as_deref(), components }
    }

    /// Leaves the deployment that the probe names, when it is among them; else all of them are meant.
    pub(in crate::cli) fn narrow(&self, deployments: &mut Vec<Deployment>) {
        if let Some(name) = self.deployment
            && deployments.iter().any(|d| d.name == name)
        {
            deployments.retain(|d| d.name == name);
        }
    }
}
