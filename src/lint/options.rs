//! What is to be linted, and how.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Cache, Touched, Watch};
use crate::config::{Configs, FailOn, Settings};
use crate::finding::{Baseline, Date, Profile, Selection};
use crate::resolve::{self, Cluster, Fabrics, Version};
use crate::source::Buffers;
use crate::yaml::{Limits, Values};
/// What is to be linted.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file, or a directory to walk.
    Path(PathBuf),
    /// Standard input, or an unsaved buffer.
    Bytes {
        /// What is in it.
        bytes: Vec<u8>,
        /// Where it would lie: names it in reports, and files beside it are looked at. `<stdin>` when none.
        path: Option<PathBuf>,
    },
}

/// How to lint.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which findings are wanted.
    pub selection: Selection,
    /// Dynamo version to assume where a manifest gives none.
    pub dynamo_version: Option<Version>,
    /// The cluster that the manifests will be applied to.
    pub cluster: Cluster,
    /// Network between the nodes, where a manifest shows none.
    pub fabric: Option<Fabrics>,
    /// What placeholders of templates are filled with before anything is read.
    pub values: Values,
    /// Limits of reading.
    pub limits: Limits,
    /// Walk into what `.gitignore` and the like exclude, and into hidden directories.
    pub no_ignore: bool,
    /// Threads; 0 takes one per core.
    pub threads: usize,
    /// File contents that win over the disk: unsaved buffers, edits that are being tried.
    pub buffers: Buffers,
    /// What earlier runs have parsed.
    pub cache: Option<Arc<Cache>>,
    /// The day it is, for ignores that end; without it none does.
    pub today: Option<Date>,
    /// Whether every ignore must say why.
    pub ignores_need_reason: bool,
    /// Who looks on.
    pub watch: Watch,
    /// Least severity that fails the run.
    pub fail_on: FailOn,
    /// Configurations by file: where they are given, they say in place of the fields above which findings are wanted,
    /// what the manifests cannot tell, and what fails.
    pub configs: Option<Arc<Configs>>,
    /// Findings that are known: they are suppressed.
    pub baseline: Option<Arc<Baseline>>,
    /// Judge a file that is named by itself through the kustomizations of its repository that take it in.
    pub dependants: bool,
    /// Judge only what these files touch; everything else is read for context.
    pub touched: Option<Arc<Touched>>,
    /// Leave out what configurations exclude, even when it is named by itself.
    pub force_exclude: bool,
    /// Run every rule and show all it says under that profile, whatever selections and configurations want.
    pub every_rule: Option<Profile>,
}

impl Options {
    /// How files are linted that no configuration holds for.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            selection: self.selection.clone(),
            severity: Vec::new(),
            resolve: resolve::Options {
                dynamo_version: self.dynamo_version,
                fabric: self.fabric,
                cluster: self.cluster.clone(),
            },
            ignores_need_reason: self.ignores_need_reason,
            fail_on: self.fail_on,
        }
    }
}
