//! One run over one unit, and what was learned from it.

use std::sync::Arc;

use super::units::Unit;
use crate::lint::{self, Input, Options, Report};
use crate::source::{SourceFile, Sources};

/// What is to be linted: a unit as it was when the job was made.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) unit: Unit,
    pub(super) options: Options,
    /// The state of the buffers it was made from.
    pub(super) revision: u64,
}

/// The result.
#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) job: Job,
    pub(super) report: Report,
}

impl Job {
    pub(super) fn run(self) -> Analysis {
        let report = lint::lint(&self.inputs(), &self.options);
        Analysis { report, job: self }
    }

    fn inputs(&self) -> Vec<Input> {
        self.unit.files.iter().cloned().map(Input::Path).collect()
    }
}

impl Analysis {
    pub(super) fn sources(&self) -> &Arc<Sources> {
        &self.report.sources
    }

    /// Whether findings in a file are ours to show: it holds an object of Dynamo, or it is part of a kustomization that
    /// comes to one.
    pub(super) fn concerns(&self, file: &SourceFile) -> bool {
        let dynamo = || file.text.contains("nvidia.com/v1");
        let part = || file.path.as_deref().is_some_and(|path| self.job.unit.parts.contains(path));
        dynamo() || (self.report.summary.deployments > 0 && part())
    }
}
