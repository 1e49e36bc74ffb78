//! Paths as kustomizations write them.

use std::path::{Component, Path, PathBuf};

/// A path with `.` and `..` worked out, without asking the file system.
pub(super) fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

/// Whether a resource is fetched from elsewhere.
pub(super) fn is_remote(text: &str) -> bool {
    text.contains("://")
        || text.starts_with("git@")
        || text.starts_with("github.com/")
        || text.contains("?ref=")
        || text.contains("//")
}

/// Whether a file lies outside of a directory. kustomize does not read one unless it is told to.
pub(super) fn outside(directory: &Path, path: &Path) -> bool {
    let directory = normalize(directory);
    if directory == Path::new(".") {
        return path.is_absolute() || path.starts_with("..");
    }
    !path.starts_with(&directory)
}

/// Whether a file is named for what is kept out of repositories.
pub(super) fn is_for_secrets(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ["secret", "credential", "token", "password", ".env"].iter().any(|word| name.contains(word))
}
