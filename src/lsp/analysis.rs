//! One run over one unit, and what was learned from it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::units::Unit;
use crate::config;
use crate::finding::Finding;
use crate::lint::{self, Input, Options, Report};
use crate::resolve::Deployment;
use crate::rules::{self, SaidBy};
use crate::source::{SourceFile, Sources};

/// What is to be linted: a unit as it was when the job was made.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) unit: Arc<Unit>,
    pub(super) options: Options,
    /// The state of the buffers it was made from.
    pub(super) revision: u64,
    /// Whether another server says what a schema says.
    pub(super) leaves_schemas: bool,
}

/// The result.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) job: Job,
    pub(super) report: Report,
    /// Mistakes in the configurations that hold for the unit.
    pub(super) mistakes: Vec<config::Error>,
    deployments: OnceLock<(Vec<Deployment>, Report)>,
}

impl Job {
    pub(super) fn run(mut self) -> Analysis {
        let mut report = lint::lint(&self.inputs(), &self.options);
        let mistakes = std::mem::take(&mut report.config);
        if !mistakes.is_empty() {
            // A configuration that is being edited must not take all findings away: it counts once it holds.
            self.options.configs = None;
            report = lint::lint(&self.inputs(), &self.options);
        }
        Analysis { report, mistakes, deployments: OnceLock::new(), job: self }
    }

    pub(super) fn inputs(&self) -> Vec<Input> {
        self.unit.files.iter().cloned().map(Input::Path).collect()
    }
}

impl Analysis {
    /// The unit's deployments, resolved when first asked for.
    pub(super) fn deployments(&self) -> &[Deployment] {
        &self.deployments.get_or_init(|| lint::resolve(&self.job.inputs(), &self.job.options)).0
    }

    /// Whether the finding is left to a server that knows the schemas. Most such rules are off; some speak about
    /// v1alpha1 too, whose schema takes any word.
    pub(super) fn is_left(&self, finding: &Finding) -> bool {
        let beta = |d: &Deployment| {
            finding.deployment.as_ref() == Some(&d.name) && d.graph.shape == crate::manifest::ApiVersion::V1Beta1
        };
        let half = || rules::find(finding.rule).is_some_and(|rule| rule.said_by == SaidBy::SchemasOfV1beta1);
        self.job.leaves_schemas && half() && self.deployments().iter().any(beta)
    }

    /// A file of the unit, as this run read it.
    pub(super) fn file(&self, path: &Path, text: &str) -> Option<Arc<SourceFile>> {
        self.job.options.cache.as_ref()?.file(path, text)
    }

    pub(super) fn sources(&self) -> &Arc<Sources> {
        &self.report.sources
    }

    /// Whether findings in a file are ours to show: it holds an object of Dynamo, or it is part of a kustomization that
    /// comes to one.
    pub(super) fn concerns(&self, file: &SourceFile) -> bool {
        let dynamo = || ["nvidia.com/v1", "Dynamo"].iter().all(|word| file.text.contains(word));
        let part = || file.path.as_deref().is_some_and(|path| self.job.unit.parts.contains(path));
        dynamo() || (self.report.summary.deployments > 0 && part())
    }
}
