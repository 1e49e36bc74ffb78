//! Which files are patches: a patch says only what it changes, so it must not be judged as if it were whole.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;

use crate::kustomize::FILE_NAMES;
use crate::source::{Buffers, normal};
use crate::yaml::Node;

/// Most directories that are looked into around one file that was named by itself.
const SIBLINGS: usize = 256;

/// Whether a file is a kustomization, by its name.
pub(super) fn is_kustomization(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| FILE_NAMES.contains(&name))
}

/// Files that kustomizations apply as patches, by the letters of their [`normal`] paths.
#[derive(Debug, Default)]
pub(super) struct Patches(FxHashSet<OsString>);

impl Patches {
    /// Adds what one kustomization at `path` names: `patches[].path`, `patchesJson6902[].path`, `patchesStrategicMerge[]`.
    pub(super) fn add(&mut self, path: &Path, root: &Node) {
        let Some(dir) = path.parent() else { return };
        let of = |key: &str| root.get(key).into_iter().flat_map(Node::items);
        let paths = of("patches").chain(of("patchesJson6902")).filter_map(|patch| patch.get("path")?.as_text());
        // An item of `patchesStrategicMerge` is a path or the patch itself.
        let inline = |text: &&str| !text.contains('\n') && !text.contains(": ");
        let merges = of("patchesStrategicMerge").filter_map(Node::as_text).filter(inline);
        self.0.extend(paths.chain(merges).map(|name| normal(&dir.join(name)).into_os_string()));
    }

    /// Whether a file, by its [`normal`] path, is one of them.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.0.contains(path.as_os_str())
    }
}

/// Kustomizations on disk that may name a file which was given by itself: in its directory, in the directory above, and
/// in the directories beside it (`../base/patch.yaml`).
pub(super) fn around(file: &Path, buffers: &Buffers) -> Vec<PathBuf> {
    let normal = normal(file);
    let Some(dir) = normal.parent() else { return Vec::new() };
    let mut dirs = vec![dir.to_owned()];
    if let Some(above) = dir.parent() {
        dirs.push(above.to_owned());
        let beside = std::fs::read_dir(above).into_iter().flatten().take(SIBLINGS).flatten();
        dirs.extend(beside.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path()).filter(|p| p != dir));
    }
    dirs.iter()
        .flat_map(|dir| FILE_NAMES.map(|name| dir.join(name)))
        .filter(|path| buffers.get(path).is_some() || path.is_file())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kustomizations_around_a_file() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["base", "overlay", "overlay/deep"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
            std::fs::write(dir.path().join(name).join("kustomization.yaml"), "").unwrap();
        }
        let names = |file: &str| -> Vec<String> {
            let mut found: Vec<String> = around(&dir.path().join(file), &Buffers::default())
                .iter()
                .map(|p| p.strip_prefix(normal(dir.path())).unwrap().to_string_lossy().into_owned())
                .collect();
            found.sort();
            found
        };
        assert_eq!(names("base/p.yaml"), ["base/kustomization.yaml", "overlay/kustomization.yaml"]);
        assert_eq!(names("overlay/deep/p.yaml"), ["overlay/deep/kustomization.yaml", "overlay/kustomization.yaml"]);
    }
}
