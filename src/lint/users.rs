//! Kustomizations that take in a file which was named by itself, wherever in its repository they lie: who edits a patch
//! wants to know what it does to the overlays that use it.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use super::kustomize::is_kustomization;
use super::load::Loaded;
use super::reader::Reader;
use crate::kustomize::FILE_NAMES;
use crate::source::normal;
use crate::yaml::Node;

/// Most directories that are looked into, the nearest first. Reading one takes some microseconds.
const DIRECTORIES: usize = 512;

/// The kustomizations, not among `loaded`, whose result a named file takes part in.
pub(super) fn of(loaded: &[Loaded], reader: &Reader<'_>) -> Vec<Loaded> {
    let named: Vec<&Path> =
        loaded.iter().filter(|file| file.explicit).filter_map(|file| file.path.as_deref()).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let known: HashSet<&Path> = loaded.iter().filter_map(|file| file.path.as_deref()).collect();
    let mut seen = HashSet::new();
    let mut candidates: Vec<Loaded> = Vec::new();
    for file in &named {
        for path in around(file, &mut seen) {
            if !known.contains(path.as_path())
                && let Ok(file) = reader.load(&path, false)
            {
                candidates.push(file);
            }
        }
    }
    // What takes in something that is reached is reached itself.
    let mut reached: HashSet<PathBuf> = named.iter().map(|path| (*path).to_owned()).collect();
    reached
        .extend(named.iter().filter(|path| is_kustomization(path)).filter_map(|path| Some(path.parent()?.to_owned())));
    let parts: Vec<Vec<PathBuf>> = candidates.iter().map(names).collect();
    let mut users = vec![false; candidates.len()];
    loop {
        let mut grown = false;
        for (index, candidate) in candidates.iter().enumerate() {
            if !users[index] && parts[index].iter().any(|part| reached.contains(part)) {
                users[index] = true;
                grown = true;
                reached.extend(candidate.dir());
            }
        }
        if !grown {
            break;
        }
    }
    let mut keep = users.into_iter();
    candidates.retain(|_| keep.next().unwrap_or_default());
    candidates
}

/// Kustomizations near a file: below its directory, then below each directory above it, up to the root of the
/// repository. Without a repository no further than the directory above.
fn around(file: &Path, seen: &mut HashSet<PathBuf>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Some(directory) = file.parent() else { return found };
    let root = directory.ancestors().find(|above| above.join(".git").exists());
    let levels = root.map_or(2, |root| directory.ancestors().take_while(|above| *above != root).count() + 1);
    let mut left = DIRECTORIES;
    for above in directory.ancestors().take(levels) {
        let mut queue = VecDeque::from([above.to_owned()]);
        while let Some(directory) = queue.pop_front() {
            if left == 0 {
                return found;
            }
            if !seen.insert(directory.clone()) && directory != above {
                continue;
            }
            left -= 1;
            let mut below = Vec::new();
            for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                if FILE_NAMES.contains(&name) {
                    let path = entry.path();
                    if !found.contains(&path) {
                        found.push(path);
                    }
                } else if !name.starts_with('.')
                    && !matches!(name, "node_modules" | "target")
                    && entry.file_type().is_ok_and(|kind| kind.is_dir())
                {
                    below.push(entry.path());
                }
            }
            crate::source::order(&mut below, Ord::cmp);
            queue.extend(below);
        }
    }
    found
}

/// Files and directories that a kustomization names.
fn names(file: &Loaded) -> Vec<PathBuf> {
    let Some(directory) = file.dir() else { return Vec::new() };
    let roots = file.stream.documents.iter().filter_map(|document| document.root.as_ref());
    let mut texts: Vec<&str> = Vec::new();
    for root in roots {
        let list = |key: &str| root.get(key).into_iter().flat_map(Node::items);
        for key in
            ["resources", "bases", "components", "patchesStrategicMerge", "crds", "configurations", "transformers"]
        {
            texts.extend(list(key).filter_map(Node::as_text));
        }
        for key in ["patches", "patchesJson6902", "replacements"] {
            texts.extend(list(key).filter_map(|item| item.get("path")?.as_text()));
        }
        for generator in list("configMapGenerator").chain(list("secretGenerator")) {
            for key in ["files", "envs", "env"] {
                let items = generator.get(key).into_iter().flat_map(|n| n.items().chain([n])).filter_map(Node::as_text);
                texts.extend(items.map(|text| text.split_once('=').map_or(text, |(_, file)| file)));
            }
        }
        texts.extend(root.at(&["openapi", "path"]).and_then(Node::as_text));
    }
    let inline = |text: &&str| !text.contains('\n') && !text.contains("://");
    texts.into_iter().filter(inline).map(|text| normal(&directory.join(text))).collect()
}
