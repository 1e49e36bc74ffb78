//! A run that reports only what a change touches.

use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use super::load::Loaded;
use super::report::Kustomization;
use crate::config::{Configs, FILE_NAME};
use crate::source::normal;

/// Files that changed: there, gone, or renamed (both names), by their [`crate::source::normal`] paths.
#[derive(Clone, Debug, Default)]
pub struct Touched(FxHashSet<PathBuf>);

impl Touched {
    /// These files.
    #[must_use]
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(paths.into_iter().collect())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that file is one of them.
    pub(super) fn names(&self, path: &Path) -> bool {
        self.0.contains(path)
    }

    /// Directories in which something changed that every file there may refer to: an object other than a graph, or a file
    /// that is gone. Graphs do not refer to one another.
    pub(super) fn contexts(&self, loaded: &[Loaded]) -> FxHashSet<PathBuf> {
        let shared = |file: &&Loaded| {
            file.path.as_ref().is_some_and(|path| self.0.contains(path))
                && file.objects.iter().any(|object| object.kind != "DynamoGraphDeployment")
        };
        let mut directories: FxHashSet<PathBuf> = loaded.iter().filter(shared).filter_map(Loaded::dir).collect();
        let yaml = |path: &&PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        let gone = self.0.iter().filter(yaml).filter(|path| !path.exists());
        directories.extend(gone.filter_map(|path| Some(path.parent()?.to_owned())));
        directories
    }

    /// Whether a configuration that holds for a path changed: one that it extends, or rules that it brings.
    fn changes(&self, configs: &Configs, path: &Path) -> bool {
        let Ok(effective) = configs.effective(Some(path)) else { return false };
        let rules = |directory: &PathBuf| self.0.iter().any(|path| path.starts_with(directory));
        effective.files.iter().any(|file| self.0.contains(&normal(&file.path)))
            || effective.layer.rules_dirs().iter().any(rules)
    }

    /// Whether a file is to be judged: it changed, what it stands for changed, or what may be seen from it.
    pub(super) fn has(
        &self,
        file: &Loaded,
        kustomization: Option<&Kustomization>,
        contexts: &FxHashSet<PathBuf>,
        configs: Option<&Configs>,
    ) -> bool {
        let Some(path) = file.path.as_deref() else { return true };
        let configured = |path: &Path| {
            path.ancestors()
                .any(|above| [FILE_NAME, "pyproject.toml"].iter().any(|name| self.0.contains(&above.join(name))))
                || configs.is_some_and(|configs| self.changes(configs, path))
        };
        let parts = kustomization.into_iter().flat_map(|k| k.files.iter().chain(&k.reads));
        self.0.contains(path)
            || configured(path)
            || parts.clone().any(|part| self.0.contains(part))
            || path.parent().is_some_and(|directory| contexts.contains(directory))
            || parts
                .filter_map(|part| part.parent())
                .any(|directory| kustomization.is_some() && contexts.contains(directory))
    }
}
