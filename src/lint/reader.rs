//! Reads and parses the files of one run; a file that an earlier run has parsed is not parsed again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Crash;
use super::load::Loaded;
use crate::source::{self, Failure, Sources, display_name};
use crate::yaml::Limits;

/// Contents kept of one file: what is there, and what is being tried in its place.
const KEPT: usize = 2;

/// Files of earlier runs with their trees. All runs that use it share one set of files, so what one of them points at
/// stays valid in the next.
#[derive(Default)]
pub struct Cache {
    pub(super) sources: Sources,
    loaded: Mutex<HashMap<PathBuf, Vec<Loaded>>>,
    stale: AtomicUsize,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cache with {} stale texts", self.stale())
    }
}

impl Cache {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many texts it keeps that newer ones have replaced. Spans may still point into them, so they stay: a cache that
    /// has grown old is best dropped as a whole.
    #[must_use]
    pub fn stale(&self) -> usize {
        self.stale.load(Ordering::Relaxed)
    }

    fn get(&self, path: &Path, bytes: &[u8]) -> Option<Loaded> {
        let mut loaded = self.loaded.lock().ok()?;
        let kept = loaded.get_mut(path)?;
        let at = kept.iter().position(|file| file.file.text.as_bytes() == bytes)?;
        // The one used last is dropped last.
        kept[at..].rotate_left(1);
        kept.last().cloned()
    }

    fn put(&self, path: &Path, file: &Loaded) {
        let Ok(mut loaded) = self.loaded.lock() else { return };
        let kept = loaded.entry(path.to_owned()).or_default();
        if kept.len() == KEPT {
            kept.remove(0);
            self.stale.fetch_add(1, Ordering::Relaxed);
        }
        kept.push(file.clone());
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
        let loaded = Loaded::parse(file.map_err(Error::Failure)?, explicit, self.limits).map_err(Error::Crash)?;
        if let Some(cache) = self.cache {
            cache.put(path, &loaded);
        }
        Ok(loaded)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        assert_eq!((files(), cache.stale()), (before, 0), "the second run reads nothing anew");
        std::fs::write(&path, GRAPH.replace("disk", "changed")).unwrap();
        assert_eq!(value(&inputs, &options).as_deref(), Some("changed"));
        assert_eq!(files(), before + 1);
        // Going back and forth between two contents, as trying an edit does, parses neither again.
        std::fs::write(&path, GRAPH).unwrap();
        assert_eq!(value(&inputs, &options).as_deref(), Some("disk"));
        assert_eq!((files(), cache.stale()), (before + 1, 0));
        std::fs::write(&path, GRAPH.replace("disk", "third")).unwrap();
        assert_eq!(value(&inputs, &options).as_deref(), Some("third"));
        assert_eq!((files(), cache.stale()), (before + 2, 1));
    }
}
