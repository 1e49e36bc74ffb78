//! Which files belong together: those of one directory, and the directories that kustomizations join to it.
//!
//! Directories are split into groups, so that a file is judged in one group only and what one run says about it is never
//! contradicted by another.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use crate::kustomize::FILE_NAMES;
use crate::source::{self, Buffers, Sources, normal};
use crate::yaml::{self, Limits, Node};

/// Most entries that are looked at to find kustomizations in one workspace folder.
const ENTRIES: usize = 200_000;

/// Most files of a group that are linted together; a group with more is taken apart into directories.
const FILES: usize = 512;

/// Files that are linted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Name of the group: its first directory.
    pub(super) key: PathBuf,
    /// All YAML files in it, sorted.
    pub(super) files: Vec<PathBuf>,
    /// Those that kustomizations name, and the kustomizations themselves.
    pub(super) parts: HashSet<PathBuf>,
}

/// The kustomizations of the workspace.
#[derive(Debug, Default)]
pub(super) struct Units {
    roots: Vec<PathBuf>,
    /// Of each kustomization file, the files and directories it names.
    known: HashMap<PathBuf, Vec<PathBuf>>,
    /// Directories that were searched.
    searched: HashSet<PathBuf>,
}

pub(super) fn is_kustomization(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| FILE_NAMES.contains(&name))
}

pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

impl Units {
    pub(super) fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots, ..Self::default() }
    }

    pub(super) fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Takes workspace folders in and out.
    pub(super) fn set_roots(&mut self, roots: Vec<PathBuf>) {
        *self = Self::new(roots);
    }

    /// Notes that a kustomization changed, came or went.
    pub(super) fn touch(&mut self, path: &Path, buffers: &Buffers) {
        if is_kustomization(path) {
            self.read(path, buffers);
        }
    }

    /// The group of a file.
    pub(super) fn of(&mut self, path: &Path, buffers: &Buffers) -> Unit {
        let directory = path.parent().unwrap_or(path).to_owned();
        self.search(&directory, buffers);
        let mut group = self.joined(&directory);
        let mut files = files(&group, buffers);
        if files.len() > FILES {
            group = BTreeSet::from([directory.clone()]);
            files = self::files(&group, buffers);
            if files.len() > FILES {
                // A heap of manifests, not a recipe: each stands for itself.
                files = vec![path.to_owned()];
                group = BTreeSet::from([path.to_owned()]);
            }
        }
        let key = group.first().cloned().unwrap_or(directory);
        let mut parts = HashSet::new();
        for (file, named) in self.known.iter().filter(|(file, _)| file.parent().is_some_and(|d| group.contains(d))) {
            parts.insert(file.clone());
            parts.extend(named.iter().cloned());
        }
        Unit { key, files, parts }
    }

    /// Looks for kustomizations, once, where those of a directory may lie.
    fn search(&mut self, directory: &Path, buffers: &Buffers) {
        let root = match self.roots.iter().find(|root| directory.starts_with(root)) {
            Some(root) => root.clone(),
            None => project(directory),
        };
        if !self.searched.insert(root.clone()) {
            return;
        }
        // A home directory or the whole disk is no project.
        let too_wide = root.parent().is_none() || std::env::home_dir().is_some_and(|home| home.starts_with(&root));
        let depth = if too_wide { Some(1) } else { None };
        let root = if too_wide { directory.to_owned() } else { root };
        let walk = WalkBuilder::new(&root).require_git(false).max_depth(depth).build();
        let found: Vec<PathBuf> = walk
            .take(ENTRIES)
            .filter_map(|entry| Some(entry.ok()?.into_path()))
            .filter(|path| is_kustomization(path) && path.is_file())
            .collect();
        for path in found {
            self.read(&path, buffers);
        }
        let open: Vec<PathBuf> = buffers.below(&root).filter(|p| is_kustomization(p)).map(Path::to_owned).collect();
        for path in open {
            self.read(&path, buffers);
        }
    }

    fn read(&mut self, path: &Path, buffers: &Buffers) {
        let sources = Sources::over(buffers.clone());
        let limits = Limits::default();
        let Ok(file) = source::read(path, &sources, limits.bytes) else {
            self.known.remove(path);
            return;
        };
        let directory = path.parent().unwrap_or(path);
        let stream = yaml::parse(&file, &limits);
        let roots: Vec<&Node> = stream.documents.iter().filter_map(|d| d.root.as_ref()).collect();
        if roots.is_empty() && !file.text.trim().is_empty() && self.known.contains_key(path) {
            // Half typed: what it named a moment ago still belongs to it.
            return;
        }
        let named = roots.iter().flat_map(|root| named(root)).map(|name| normal(&directory.join(name))).collect();
        self.known.insert(path.to_owned(), named);
    }

    /// All directories that are joined to one, itself included.
    fn joined(&self, directory: &Path) -> BTreeSet<PathBuf> {
        let mut links: HashMap<&Path, Vec<&Path>> = HashMap::new();
        for (file, named) in &self.known {
            let Some(here) = file.parent() else { continue };
            for path in named {
                let there = if is_yaml(path) || path.is_file() { path.parent().unwrap_or(path) } else { path };
                links.entry(here).or_default().push(there);
                links.entry(there).or_default().push(here);
            }
        }
        let mut group = BTreeSet::new();
        let mut next = vec![directory];
        while let Some(directory) = next.pop() {
            if group.insert(directory.to_owned()) {
                next.extend(links.get(directory).into_iter().flatten());
            }
        }
        group
    }
}

/// What a directory outside every workspace folder belongs to: its repository, else the directory above it.
fn project(directory: &Path) -> PathBuf {
    let repository = directory.ancestors().find(|dir| dir.join(".git").exists());
    repository.or_else(|| directory.parent()).unwrap_or(directory).to_owned()
}

/// YAML files that lie in these directories, on disk or in a buffer.
fn files(group: &BTreeSet<PathBuf>, buffers: &Buffers) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for directory in group {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        files.extend(entries.map(|entry| entry.path()).filter(|path| is_yaml(path) && path.is_file()));
        files.extend(
            buffers.below(directory).filter(|p| is_yaml(p) && p.parent() == Some(directory)).map(Path::to_owned),
        );
    }
    files.into_iter().collect()
}

/// The files and directories that a kustomization names.
fn named(root: &Node) -> Vec<String> {
    const LISTS: [&str; 8] = [
        "resources",
        "bases",
        "components",
        "patchesStrategicMerge",
        "transformers",
        "generators",
        "configurations",
        "crds",
    ];
    const PATHS: [&str; 3] = ["patches", "patchesJson6902", "replacements"];
    let lists = LISTS.iter().filter_map(|key| root.get(key)).flat_map(Node::items);
    let paths = PATHS.iter().filter_map(|key| root.get(key)).flat_map(Node::items).filter_map(|item| item.get("path"));
    let generators = ["configMapGenerator", "secretGenerator"].iter().filter_map(|key| root.get(key));
    let generated = generators.flat_map(Node::items).flat_map(|item| {
        let many = ["files", "envs"].iter().filter_map(|key| item.get(key)).flat_map(Node::items);
        many.chain(item.get("env"))
    });
    let all = lists.chain(paths).chain(generated).chain(root.at(&["openapi", "path"]));
    let local = |text: &&str| !text.contains('\n') && !text.contains("://") && !text.contains(": ");
    // `files: [name=path]`
    all.filter_map(Node::as_text).filter(local).map(|text| text.rsplit('=').next().unwrap_or(text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("base/kustomization.yaml", "resources: [deploy.yaml]\n");
        write("base/deploy.yaml", "a: 1\n");
        write("overlays/a/kustomization.yaml", "resources: [../../base]\npatches: [{path: p.yaml}]\n");
        write("overlays/a/p.yaml", "a: 2\n");
        write("overlays/b/kustomization.yaml", "resources: [../../base]\npatches: [{path: ../../common/p.yaml}]\n");
        write("common/p.yaml", "a: 3\n");
        write("alone/x.yaml", "a: 4\n");
        write("alone/notes.txt", "");
        dir
    }

    fn names(unit: &Unit, root: &Path) -> Vec<String> {
        let name = |p: &PathBuf| p.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        unit.files.iter().map(name).collect()
    }

    #[test]
    fn kustomizations_join_directories() {
        let dir = tree();
        let root = normal(dir.path());
        let buffers = Buffers::default();
        let mut units = Units::new(vec![root.clone()]);
        let whole = units.of(&root.join("base/deploy.yaml"), &buffers);
        assert_eq!(
            names(&whole, &root),
            [
                "base/deploy.yaml",
                "base/kustomization.yaml",
                "common/p.yaml",
                "overlays/a/kustomization.yaml",
                "overlays/a/p.yaml",
                "overlays/b/kustomization.yaml",
            ]
        );
        assert_eq!(units.of(&root.join("common/p.yaml"), &buffers), whole, "whichever file is asked for");
        assert!(whole.parts.contains(&root.join("common/p.yaml")));
        let alone = units.of(&root.join("alone/x.yaml"), &buffers);
        assert_eq!(names(&alone, &root), ["alone/x.yaml"]);
        assert!(alone.parts.is_empty());
    }

    #[test]
    fn buffers_and_changes_count() {
        let dir = tree();
        let root = normal(dir.path());
        let mut units = Units::new(vec![root.clone()]);
        let mut buffers = Buffers::default();
        let joined =
            |units: &mut Units, buffers: &Buffers| names(&units.of(&root.join("alone/x.yaml"), buffers), &root).len();
        assert_eq!(joined(&mut units, &buffers), 1);
        let overlay = root.join("overlays/b/kustomization.yaml");
        buffers.insert(&overlay, *b"resources: [../../base, ../../alone/x.yaml]\n");
        units.touch(&overlay, &buffers);
        assert_eq!(joined(&mut units, &buffers), 6, "alone, base, a and b");
        buffers.insert(&overlay, *b"resources: [../../base, ../../al\n");
        units.touch(&overlay, &buffers);
        assert_eq!(joined(&mut units, &buffers), 6, "half typed");
        buffers.insert(&root.join("alone/new.yaml"), *b"a: 1\n");
        assert_eq!(joined(&mut units, &buffers), 7, "not on disk yet");
    }

    #[test]
    fn without_a_workspace_folder_the_directory_above_is_searched() {
        let dir = tree();
        let root = normal(dir.path());
        let mut units = Units::default();
        let unit = units.of(&root.join("overlays/a/p.yaml"), &Buffers::default());
        assert!(unit.files.len() >= 4, "{unit:?}");
    }
}
