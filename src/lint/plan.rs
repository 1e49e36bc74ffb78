//! How each file is linted: by the options of the run, or by the configuration that holds for it.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::check::Active;
use super::{Options, read};
use crate::config::{self, Settings};
use crate::finding::Selection;
use crate::source::{FileId, SourceFile};

/// Files that are linted alike.
pub(super) struct Kind {
    pub(super) settings: Arc<Settings>,
    pub(super) active: Active,
}

/// The kinds of a run.
pub(super) struct Plan {
    kinds: Vec<Kind>,
    /// Files of another kind than the first.
    files: FxHashMap<FileId, usize>,
}

impl Plan {
    /// For these files; without configurations they are all alike.
    pub(super) fn new(options: &Options, files: &[Arc<SourceFile>]) -> Self {
        let mut plan =
            Self { kinds: vec![Kind::new(Arc::new(options.settings()), options)], files: FxHashMap::default() };
        let Some(configs) = &options.configs else { return plan };
        let mut known: Vec<Arc<Settings>> = Vec::new();
        for file in files {
            // A configuration with mistakes has ended the run, unless it holds only for files read for context.
            let Ok(settings) = configs.settings(file.path.as_deref()) else { continue };
            let at = known.iter().position(|one| Arc::ptr_eq(one, &settings)).unwrap_or_else(|| {
                plan.kinds.push(Kind::new(Arc::clone(&settings), options));
                known.push(settings);
                known.len() - 1
            });
            plan.files.insert(file.id, at + 1);
        }
        plan
    }

    pub(super) fn of(&self, file: FileId) -> &Kind {
        &self.kinds[self.files.get(&file).copied().unwrap_or_default()]
    }
}

impl Kind {
    fn new(settings: Arc<Settings>, options: &Options) -> Self {
        let settings = match options.every_rule {
            Some(profile) => {
                let own = settings.selection.own.clone();
                let selection = Selection { profile, own, ..Selection::default() };
                Arc::new(Settings { selection, ..Settings::clone(&settings) })
            }
            None => settings,
        };
        let active = Active::of(&settings.selection);
        Self { settings, active }
    }
}

/// Whether a file is to be read: configurations leave some out.
///
/// # Errors
/// Mistakes in the configuration that holds for it.
pub(super) fn admits(item: &read::Item, options: &Options) -> Result<bool, Arc<Vec<config::Error>>> {
    let Some(configs) = &options.configs else { return Ok(true) };
    let path = item.path();
    configs.settings(path)?;
    let path = path.filter(|_| options.force_exclude || !item.explicit());
    Ok(!path.is_some_and(|path| configs.excludes(path)))
}

/// The mistakes in configurations that stood in the way of any of them, each once.
pub(super) fn mistakes<T>(read: &[Result<T, Arc<Vec<config::Error>>>]) -> Vec<config::Error> {
    let mut errors: Vec<config::Error> = Vec::new();
    for mistake in read.iter().filter_map(|result| result.as_ref().err()).flat_map(|mistakes| mistakes.iter()) {
        let known = |e: &config::Error| e.file.path == mistake.file.path && e.span == mistake.span;
        if !errors.iter().any(known) {
            errors.push(mistake.clone());
        }
    }
    errors
}

impl read::Item {
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Found(found) => found.path.as_deref(),
            Self::Memory(_, path) => path.as_deref(),
        }
    }

    const fn explicit(&self) -> bool {
        match self {
            Self::Found(found) => found.explicit,
            Self::Memory(..) => true,
        }
    }
}
