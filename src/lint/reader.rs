//! Reads and parses the files of one run; a file that an earlier run has parsed is not parsed again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::Crash;
use super::load::Loaded;
use crate::source::{self, Failure, SourceFile, Sources, display_name};
use crate::yaml::{Limits, Values};

/// Replaced texts that a cache keeps before it counts as old: how many, and of how many bytes together.
const OLD: (usize, usize) = (512, 32 << 20);

/// Files of earlier runs with their trees. All runs that use it share one set of files: the same content of the same path
/// is the same file in all of them, and what one of them points at stays valid in the next. It only grows: one that
/// [is old](Self::is_old) is best dropped as a whole.
#[derive(Default)]
pub struct Cache {
    pub(super) sources: Sources,
    loaded: Mutex<HashMap<PathBuf, Vec<Loaded>>>,
    replaced: AtomicUsize,
    replaced_bytes: AtomicUsize,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cache with {} replaced texts", self.replaced.load(Ordering::Relaxed))
    }
}

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it keeps much that is of no use any more.
    #[must_use]
    pub fn is_old(&self) -> bool {
        let (count, bytes) = OLD;
        self.replaced.load(Ordering::Relaxed) > count || self.replaced_bytes.load(Ordering::Relaxed) > bytes
    }

    /// The file of that path and content, when a run has read it.
    #[must_use]
    pub fn file(&self, path: &Path, text: &str) -> Option<Arc<SourceFile>> {
        self.get(path, text.as_bytes()).map(|loaded| loaded.file)
    }

    fn get(&self, path: &Path, bytes: &[u8]) -> Option<Loaded> {
        let loaded = self.loaded.lock().ok()?;
        loaded.get(path)?.iter().rev().find(|file| file.file.text.as_bytes() == bytes).cloned()
    }

    /// Keeps a file, unless another run was quicker: gives back the one that is kept.
    fn put(&self, path: &Path, file: Loaded) -> Loaded {
        let Ok(mut loaded) = self.loaded.lock() else { return file };
        let kept = loaded.entry(path.to_owned()).or_default();
        if let Some(same) = kept.iter().find(|kept| kept.file.text == file.file.text) {
            return same.clone();
        }
        if let Some(before) = kept.last() {
            self.replaced.fetch_add(1, Ordering::Relaxed);
            self.replaced_bytes.fetch_add(before.file.text.len(), Ordering::Relaxed);
        }
        kept.push(file.clone());
        file
    }
}

/// Why there is no [`Loaded`].
pub(super) enum Error {
    Failure(Failure),
    Crash(Crash),
}

/// Reads the files of one run.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) sources: &'a Sources,
    pub(super) limits: &'a Limits,
    pub(super) cache: Option<&'a Cache>,
    /// What placeholders of templates are filled with.
    pub(super) values: &'a Values,
}

impl Reader<'_> {
    /// The same for files that are only looked at: they stay out of the run's files, unless a cache keeps them.
    pub(super) const fn aside<'b>(&'b self, sources: &'b Sources) -> Reader<'b> {
        match self.cache {
            Some(_) => *self,
            None => Reader { sources, ..*self },
        }
    }

    /// Reads and parses a file.
    pub(super) fn load(&self, path: &Path, explicit: bool) -> Result<Loaded, Error> {
        let bytes = source::read_bytes(path, self.sources, self.limits.bytes).map_err(Error::Failure)?;
        if let Some(mut hit) = self.cache.and_then(|cache| cache.get(path, &bytes)) {
            hit.explicit = explicit;
            return Ok(hit);
        }
        let file = source::text(bytes, display_name(path), Some(path), self.sources, self.limits.bytes);
        let loaded =
            Loaded::parse(file.map_err(Error::Failure)?, explicit, self.limits, self.values).map_err(Error::Crash)?;
        let Some(cache) = self.cache else { return Ok(loaded) };
        let mut kept = cache.put(path, loaded);
        kept.explicit = explicit;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{Input, Options, lint, resolve};

    const GRAPH: &str = "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {name: g}\nspec:\n  components:\n    - name: Frontend\n      type: frontend\n      podTemplate:\n        spec:\n          containers:\n            - name: main\n              env:\n                - {name: A, value: disk}\n";

    fn value(inputs: &[Input], options: &Options) -> Option<String> {
        let (deployments, _) = resolve(inputs, options);
        deployments.first()?.services[0].env.known("A").map(|text| text.as_str().to_owned())
    }

    #[test]
    fn a_cache_parses_what_changed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deploy.yaml");
        std::fs::write(&path, GRAPH).unwrap();
        std::fs::write(dir.path().join("other.yaml"), GRAPH.replace("name: g", "name: h")).unwrap();
        let cache = Arc::new(Cache::new());
        let options = Options { cache: Some(Arc::clone(&cache)), ..Options::default() };
        let inputs = [Input::Path(dir.path().to_owned())];
        let files = || cache.sources.all().len();
        let first = lint(&inputs, &options);
        let (before, summary) = (files(), first.summary);
        assert_eq!(lint(&inputs, &options).summary, summary);
        assert_eq!(files(), before, "the second run reads nothing anew");
        std::fs::write(&path, GRAPH.replace("disk", "changed")).unwrap();
        assert_eq!(value(&inputs, &options).as_deref(), Some("changed"));
        assert_eq!(files(), before + 1);
        // Going back and forth between two contents, as trying an edit does, parses neither again.
        std::fs::write(&path, GRAPH).unwrap();
        assert_eq!(value(&inputs, &options).as_deref(), Some("disk"));
        assert_eq!(files(), before + 1);
        std::fs::write(&path, GRAPH.replace("disk", "third")).unwrap();
        assert_eq!(value(&inputs, &options).as_deref(), Some("third"));
        assert_eq!(files(), before + 2);
        assert!(!cache.is_old());
        assert_eq!(cache.file(&path, GRAPH).unwrap().path.as_deref(), Some(&*path));
    }
}
