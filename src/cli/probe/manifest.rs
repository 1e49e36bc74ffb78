//! `--manifest`: what was seen, said on the manifest's own lines.

use std::path::PathBuf;

use clap::Args;

use super::{Output, print};
use crate::cli::{Exit, check, output};
use crate::lint::{self, Input};
use crate::probe::report::Report;
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
    /// warning or an error, 4 when the manifest cannot be read, 3 when there is no deployment in it.
    pub(in crate::cli) fn finish(
        &self,
        mut report: Report,
        namespace: Option<&str>,
        args: &Output,
        judge: impl Fn(&Deployment, &mut Findings) + Sync + Send,
    ) -> Exit {
        let Some(path) = &self.manifest else { return print(&report, None, args) };
        let judged = lint::witness(&[Input::Path(path.clone())], &self.options(namespace), judge);
        let deployments = judged.summary.deployments;
        report.manifest = Some(wire::Check::new(&judged, false));
        let exit = print(&report, Some(&judged), args);
        check::say_crashes(&judged);
        if judged.summary.unreadable > 0 {
            return Exit::Unreadable;
        }
        if deployments == 0 {
            output::note(&format!("nothing to compare: no DynamoGraphDeployment in {}", path.display()));
            return Exit::Nothing;
        }
        let summary = &judged.summary;
        if summary.errors + summary.warnings > 0 { Exit::Findings } else { exit }
    }
}
