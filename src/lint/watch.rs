//! Lets the caller look on: how far the work is, and what takes how long.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A step of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Walking directories.
    Discover,
    /// Reading and parsing files.
    Read,
    /// Building kustomizations, and reading what stands beside the files.
    Kustomize,
    /// Resolving deployments and running the rules.
    Judge,
    /// Sorting, naming and choosing findings.
    Finish,
}

impl Phase {
    /// In one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Read => "read",
            Self::Kustomize => "kustomize",
            Self::Judge => "judge",
            Self::Finish => "finish",
        }
    }
}

/// Looks on. Called from several threads.
pub trait Watcher: Send + Sync {
    /// A phase starts, with so many items to do (0 when that is not known).
    fn phase(&self, phase: Phase, items: usize);
    /// One item of it is done.
    fn step(&self) {}
    /// Whether [`Self::took`] is to be called: measuring costs two looks at the clock for each rule and deployment.
    fn times(&self) -> bool {
        false
    }
    /// A rule, or `resolve`, took so long on one deployment or file.
    fn took(&self, _what: &'static str, _time: Duration) {}
}

/// Who looks on, when somebody does.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Watcher>>);

impl Watch {
    /// Reports to that watcher.
    #[must_use]
    pub fn new(watcher: Arc<dyn Watcher>) -> Self {
        Self(Some(watcher))
    }

    pub(super) fn phase(&self, phase: Phase, items: usize) {
        if let Some(watcher) = &self.0 {
            watcher.phase(phase, items);
        }
    }

    pub(super) fn step(&self) {
        if let Some(watcher) = &self.0 {
            watcher.step();
        }
    }

    /// Runs, and tells how long it took when somebody wants to know.
    pub(super) fn time<T>(&self, what: &'static str, run: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(watcher) if watcher.times() => {
                let start = Instant::now();
                let result = run();
                watcher.took(what, start.elapsed());
                result
            }
            _ => run(),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watch(on)" } else { "Watch(off)" })
    }
}
