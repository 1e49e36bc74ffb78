//! What several integration tests share.
#![allow(dead_code, unused_imports)] // each test binary uses its own part

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dynlint::kustomize::Loader;
use dynlint::source::{SourceFile, Sources};
use dynlint::yaml::{self, Limits, Stream};

/// Where the corpora lie, when they do.
pub fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("DYNLINT_CORPUS")
        .map(PathBuf::from)
        .into_iter()
        .chain([root.join("../shared/corpus"), root.join("../../shared/corpus")])
        .find(|p| p.join("upstream").is_dir())
}

pub use dynlint::yaml::json;

/// A file as read, and what it parses to.
type Loaded = (Arc<SourceFile>, Arc<Stream>);

/// Files straight from the disk.
#[derive(Default)]
pub struct Disk {
    pub sources: Sources,
    cache: Mutex<std::collections::HashMap<PathBuf, Loaded>>,
}

impl Loader for Disk {
    fn yaml(&self, path: &Path) -> Option<(Arc<SourceFile>, Arc<Stream>)> {
        if let Some(hit) = self.cache.lock().expect("no panic in here").get(path) {
            return Some(hit.clone());
        }
        let text = std::fs::read_to_string(path).ok()?;
        let file = self.sources.add(path.display().to_string(), Some(path), text);
        let stream = Arc::new(yaml::parse(&file, &Limits::default()));
        self.cache.lock().expect("no panic in here").insert(path.to_owned(), (file.clone(), stream.clone()));
        Some((file, stream))
    }

    fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        std::fs::read(path).ok()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
}
