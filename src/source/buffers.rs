//! File contents that win over the disk: unsaved buffers of an editor, and edits that are only being tried.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Absolute path without `.` and `..`, symbolic links left alone. Two spellings of one file become equal.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    if is_normal(path) {
        return path.to_owned();
    }
    without_dots(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
}

/// Whether [`normal`] has nothing to do, as far as the letters tell: `/.hidden` is looked at more closely.
fn is_normal(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    cfg!(unix)
        && bytes.first() == Some(&b'/')
        && bytes.last() != Some(&b'/')
        && !bytes.windows(2).any(|pair| pair == b"//" || pair == b"/.")
}

/// Takes `.` and `..` out of an absolute path without asking the file system.
#[must_use]
pub fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// Contents by path. Whatever reads a file asks here first; a file that lies only here is read as if it lay on disk.
/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Buffers(Arc<BTreeMap<PathBuf, Arc<[u8]>>>);

impl Buffers {
    /// Sets the content of a file. The path may be spelled in any way, and lead through symbolic links.
    pub fn insert(&mut self, path: &Path, bytes: impl Into<Arc<[u8]>>) {
        let (files, bytes) = (Arc::make_mut(&mut self.0), bytes.into());
        let path = normal(path);
        // The same file may be read under its own name where this one leads through a link.
        if let Ok(real) = path.canonicalize()
            && real != path
        {
            files.insert(real, Arc::clone(&bytes));
        }
        files.insert(path, bytes);
    }

    /// Forgets a file: the disk speaks for it again.
    pub fn remove(&mut self, path: &Path) {
        let files = Arc::make_mut(&mut self.0);
        let path = normal(path);
        if let Ok(real) = path.canonicalize() {
            files.remove(&real);
        }
        files.remove(&path);
    }

    /// The content of a file, when it is known here.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&[u8]> {
        if self.0.is_empty() {
            return None;
        }
        let path = normal(path);
        let found = self.0.get(&path).or_else(|| self.0.get(&path.canonicalize().ok()?));
        found.map(|bytes| &**bytes)
    }

    /// Whether nothing is known here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Files at or below a path, in order.
    pub fn below(&self, path: &Path) -> impl Iterator<Item = &Path> {
        let path = normal(path);
        self.0.keys().map(PathBuf::as_path).filter(move |file| file.starts_with(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_path_become_equal() {
        assert_eq!(normal(Path::new("/a/./b/../c.yaml")), Path::new("/a/c.yaml"));
        assert_eq!(normal(Path::new("x.yaml")), std::env::current_dir().unwrap().join("x.yaml"));
    }

    #[test]
    fn a_buffer_is_found_by_any_spelling_and_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().join("real.yaml");
        std::fs::write(&real, "disk").unwrap();
        let mut buffers = Buffers::default();
        assert!(buffers.is_empty() && buffers.get(&real).is_none());
        buffers.insert(&dir.path().join("x/../real.yaml"), *b"buffer");
        assert_eq!(buffers.get(&real), Some(&b"buffer"[..]));
        #[cfg(unix)]
        {
            let link = dir.path().join("link.yaml");
            std::os::unix::fs::symlink(&real, &link).unwrap();
            assert_eq!(buffers.get(&link), Some(&b"buffer"[..]));
            buffers.insert(&link, *b"through the link");
            assert_eq!(buffers.get(&real), Some(&b"through the link"[..]));
            buffers.remove(&link);
        }
        buffers.remove(&real);
        assert!(buffers.is_empty());
    }
}
