//! What the server knows: buffers, settings, what the client can do, and the newest findings of each unit.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::analysis::{Analysis, Job};
use super::capabilities::Asked;
use super::documents::Documents;
use super::position::Encoding;
use super::settings::{Delivery, Settings};
use super::units::{Unit, Units, is_kustomization};
use crate::config::{Configs, Mode};
use crate::finding::Date;
use crate::lint::{Cache, Options};
use crate::source::Buffers;

/// What requests are answered from.
pub(super) struct State {
    pub(super) encoding: Encoding,
    pub(super) settings: Settings,
    pub(super) documents: Documents,
    pub(super) client: Client,
    pub(super) units: Units,
    pub(super) buffers: Buffers,
    cache: Arc<Cache>,
    configs: Arc<Configs>,
    /// Grows with every change of a buffer, a file on disk, or the settings.
    revision: u64,
    /// The newest run of each unit.
    pub(super) analyses: HashMap<PathBuf, Analysis>,
    /// When each unit changed last.
    touched: HashMap<PathBuf, u64>,
    /// When something changed that may concern all of them.
    all_touched: u64,
    /// What the last answer about the whole workspace was made from.
    pub(super) surveyed: Option<u64>,
    /// The unit of each directory, and the revision that it was worked out for.
    of: HashMap<PathBuf, (u64, Arc<Unit>)>,
}

/// What the client can do.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    pub(super) pulls: bool,
    pub(super) refreshes: bool,
    pub(super) watches: bool,
    /// Takes edits of documents with the version they are meant for.
    pub(super) versioned_edits: bool,
}

impl State {
    pub(super) fn new(asked: Asked, settings: Settings) -> Self {
        Self {
            encoding: asked.encoding,
            configs: Arc::new(Configs::new(Mode::Discover, settings.layer.clone())),
            settings,
            documents: Documents::default(),
            client: asked.client,
            units: Units::new(asked.roots),
            buffers: Buffers::default(),
            cache: Arc::new(Cache::new()),
            revision: 1,
            analyses: HashMap::new(),
            touched: HashMap::new(),
            all_touched: 0,
            surveyed: None,
            of: HashMap::new(),
        }
    }

    fn options(&self) -> Options {
        Options {
            selection: self.settings.selection.clone(),
            dynamo_version: self.settings.dynamo_version,
            threads: 1,
            buffers: self.buffers.clone(),
            configs: Some(Arc::clone(&self.configs)),
            force_exclude: true,
            today: Some(today()),
            cache: Some(Arc::clone(&self.cache)),
            ..Options::default()
        }
    }

    /// The unit of a file as things stand.
    pub(super) fn unit(&mut self, path: &Path) -> Arc<Unit> {
        let directory = path.parent().unwrap_or(path);
        if let Some((revision, unit)) = self.of.get(directory)
            && *revision == self.revision
            && unit.files.binary_search_by(|file| file.as_path().cmp(path)).is_ok()
        {
            return Arc::clone(unit);
        }
        let unit = Arc::new(self.units.of(path, &self.buffers));
        self.of.insert(directory.to_owned(), (self.revision, Arc::clone(&unit)));
        unit
    }

    pub(super) fn job(&mut self, path: &Path) -> Job {
        let unit = self.unit(path);
        Job { unit, options: self.options(), revision: self.revision, leaves_schemas: self.settings.leaves_schemas }
    }

    /// Whether nothing that counts for the unit has changed since.
    fn holds(&self, key: &Path, revision: u64) -> bool {
        revision >= self.all_touched && self.touched.get(key).is_none_or(|touched| revision >= *touched)
    }

    /// The newest run over a file's unit, made now if what there is is out of date.
    pub(super) fn analysis(&mut self, path: &Path) -> &Analysis {
        let key = self.unit(path).key.clone();
        if self.analyses.get(&key).is_none_or(|analysis| !self.holds(&key, analysis.job.revision)) {
            let analysis = self.job(path).run();
            self.analyses.insert(key.clone(), analysis);
        }
        &self.analyses[&key]
    }

    /// The run that [`Self::analysis`] made, with the rest of the state in reach.
    pub(super) fn made(&self, key: &Path) -> Option<&Analysis> {
        self.analyses.get(key)
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn roots(&self) -> &[PathBuf] {
        self.units.roots()
    }

    /// Whether diagnostics are pushed.
    pub(super) fn pushes(&self) -> bool {
        match self.settings.diagnostics {
            Delivery::Auto => !self.client.pulls,
            Delivery::Push => true,
            Delivery::Pull => false,
        }
    }

    /// Reads configurations anew.
    pub(super) fn forget_configs(&mut self) {
        self.configs = Arc::new(Configs::new(Mode::Discover, self.settings.layer.clone()));
    }

    /// Something changed: in one unit, or nobody knows where.
    pub(super) fn changed(&mut self, path: Option<&Path>) {
        self.revision += 1;
        match path {
            Some(path) if !is_kustomization(path) => {
                let key = self.unit(path).key.clone();
                self.touched.insert(key, self.revision);
            }
            // What belongs together may have changed.
            _ => {
                self.all_touched = self.revision;
                self.of.clear();
                self.touched.clear();
            }
        }
        if self.cache.is_old() {
            self.cache = Arc::new(Cache::new());
        }
    }
}

/// Today, for ignores that end; what a clock before 1970 shows is the first day.
fn today() -> Date {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Date::from_unix_days(now.map_or(0, |since| since.as_secs() / 86_400))
}
