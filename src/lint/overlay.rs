//! Kustomizations among the files are built and judged as what would be applied; what they are built from is not judged
//! alone.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use super::check::guard;
use super::kustomize::is_kustomization;
use super::load::Loaded;
use super::reader::Reader;
use super::report::Kustomization;
use crate::kustomize::{self, Build, Loader};
use crate::manifest::Object;
use crate::source::{self, FileId, SourceFile, normal};
use crate::yaml::{self, Node, Stream};

/// A file as read, with its tree.
type Parsed = (Arc<SourceFile>, Arc<Stream>);

/// One kustomization that is not part of another one.
pub(super) struct Overlay {
    /// Its objects, as if they stood in the kustomization's file.
    pub(super) loaded: Loaded,
    /// How reports name it: its directory.
    pub(super) name: String,
    /// Files that took part.
    pub(super) files: Vec<PathBuf>,
    /// What else it asked for.
    reads: Vec<PathBuf>,
}

impl Overlay {
    pub(super) fn kustomization(&self) -> Option<Kustomization> {
        let path = self.loaded.path.clone()?;
        Some(Kustomization { name: self.name.clone(), path, files: self.files.clone(), reads: self.reads.clone() })
    }
}

/// What the kustomizations of a run come to.
#[derive(Default)]
pub(super) struct Overlays {
    /// Those that build.
    pub(super) built: Vec<Overlay>,
    /// Files that took part in one of them, and are judged through it.
    pub(super) covered: FxHashSet<PathBuf>,
    /// Files of those that do not build: what these would add to them is not seen.
    pub(super) failed: FxHashSet<PathBuf>,
    /// The same as this run read them: sources that are shared between runs hold older versions too.
    pub(super) current: FxHashSet<FileId>,
    /// What kustomize refuses, of builds that have all they take in.
    pub(super) refused: Vec<kustomize::Undecided>,
    /// What builds that have all they take in do without a word.
    pub(super) remarks: Vec<kustomize::Remark>,
    /// What could not be taken into account, and why builds failed: where, and in words.
    pub(super) notes: Vec<kustomize::Undecided>,
}

/// Builds every outermost kustomization among the files.
pub(super) fn build(loaded: &[Loaded], reader: &Reader<'_>, parallel: bool) -> Overlays {
    let kustomizations: Vec<(&Loaded, PathBuf)> = loaded
        .iter()
        .filter_map(|file| Some((file, file.path.clone()?)))
        .filter(|(_, path)| is_kustomization(path))
        .collect();
    let mut overlays = Overlays::default();
    if kustomizations.is_empty() {
        return overlays;
    }
    let inner: FxHashSet<PathBuf> = kustomizations.iter().flat_map(|(file, path)| parts(file, path)).collect();
    let files = Files::new(loaded, reader);
    let outermost: Vec<(&Loaded, &Path)> = kustomizations
        .iter()
        .filter_map(|(file, path)| Some((*file, path.parent()?)))
        .filter(|(file, directory)| !is_component(file) && !inner.contains(*directory))
        .collect();
    let builds = super::threads::map(&outermost, parallel, |(_, directory)| {
        // A build that panics leaves its parts to be judged as they stand, like one that fails.
        guard(|| kustomize::build(directory, &files)).ok().flatten()
    });
    for ((file, directory), build) in outermost.into_iter().zip(builds) {
        if let Some(build) = build {
            overlays.take(file, directory, build, &files);
        }
    }
    overlays
}

fn is_component(file: &Loaded) -> bool {
    roots(file).any(|root| root.get("kind").and_then(Node::as_text) == Some("Component"))
}

/// Whether a file has something of the operator's, or a patch for it.
fn is_ours(stream: &Stream) -> bool {
    let text = |node: Option<&Node>| node.and_then(Node::as_text).map(str::to_owned);
    stream.documents.iter().filter_map(|d| d.root.as_ref()).any(|root| {
        let target = |patch: &Node| text(patch.at(&["target", "kind"])).is_some_and(|kind| kind.starts_with("Dynamo"));
        text(root.get("apiVersion")).is_some_and(|version| version.starts_with("nvidia.com/"))
            || root.get("patches").into_iter().flat_map(Node::items).any(target)
    })
}

fn roots(file: &Loaded) -> impl Iterator<Item = &Node> {
    file.stream.documents.iter().filter_map(|d| d.root.as_ref())
}

/// Directories that a kustomization takes in.
fn parts(file: &Loaded, path: &Path) -> Vec<PathBuf> {
    let Some(directory) = path.parent() else { return Vec::new() };
    let lists = ["resources", "bases", "components"];
    roots(file)
        .flat_map(|root| lists.iter().filter_map(|key| root.get(key)).flat_map(Node::items))
        .filter_map(Node::as_text)
        .map(|text| normal(&directory.join(text)))
        .collect()
}

impl Overlays {
    /// Whether a file took part in one that builds, or is the file of one.
    pub(super) fn covers(&self, file: &Loaded) -> bool {
        let own = |overlay: &Overlay| overlay.loaded.path == file.path;
        file.path.as_ref().is_some_and(|path| self.covered.contains(path)) || self.built.iter().any(own)
    }

    fn take(&mut self, file: &Loaded, directory: &Path, build: Build, loader: &Files<'_>) {
        let objects: Vec<Object> =
            build.objects.iter().filter_map(|built| Object::of_node(&built.node, built.file)).collect();
        let graph = objects.iter().any(|object| object.group() == "nvidia.com");
        let failed = !build.errors.is_empty();
        let sure = graph && !build.incomplete && build.undecided.is_empty();
        self.notes.extend(build.undecided);
        if sure && !failed {
            for remark in build.remarks {
                // Overlays of one base say the same of it.
                if !self.remarks.iter().any(|known| (known.span, known.about) == (remark.span, remark.about)) {
                    self.remarks.push(remark);
                }
            }
        }
        let files: Vec<PathBuf> = build.files.iter().map(|path| normal(path)).collect();
        // Without its base a build has no graph; what is to change one tells.
        let ours = || graph || files.iter().any(|path| loader.yaml(path).is_some_and(|(_, stream)| is_ours(&stream)));
        if let Some(gone) = build.gone.filter(|_| ours())
            && !self.refused.iter().any(|known| known.span == gone.span)
        {
            self.refused.push(gone);
        }
        let mut errors = build.errors.into_iter().peekable();
        // kustomize stops at the first; overlays of one base stop at the same.
        if let Some(first) = errors.next_if(|_| sure)
            && !self.refused.iter().any(|known| known.span == first.span)
        {
            self.refused.push(first);
        }
        self.notes.extend(errors);
        // What does not build, or holds nothing of ours, leaves its parts to be judged as they stand.
        if failed {
            self.failed.extend(files);
            return;
        }
        if !graph {
            return;
        }
        let reads: Vec<PathBuf> = build.reads.iter().map(|path| normal(path)).collect();
        self.current.extend(files.iter().filter_map(|path| Some(loader.yaml(path)?.0.id)));
        self.covered.extend(files.iter().cloned());
        let loaded = Loaded {
            file: Arc::clone(&file.file),
            stream: Stream::default(),
            objects,
            configs: Vec::new(),
            path: file.path.clone(),
            explicit: file.explicit,
            partial: build.partial,
        };
        self.built.push(Overlay { loaded, name: source::display_name(directory), files, reads });
    }
}

/// The files of the run, and on demand those around them.
struct Files<'a> {
    /// Those of the run, each with its tree once somebody asked for it: builds that run side by side ask for the same ones.
    /// By the letters of their [`normal`] paths.
    known: FxHashMap<&'a OsStr, (&'a Loaded, OnceLock<Arc<Stream>>)>,
    parsed: Mutex<FxHashMap<PathBuf, Option<Parsed>>>,
    schemas: Mutex<FxHashMap<PathBuf, Option<Node>>>,
    reader: &'a Reader<'a>,
}

impl<'a> Files<'a> {
    fn new(loaded: &'a [Loaded], reader: &'a Reader<'a>) -> Self {
        let known =
            loaded.iter().filter_map(|f| Some((f.path.as_deref()?.as_os_str(), (f, OnceLock::new())))).collect();
        Self { known, parsed: Mutex::default(), schemas: Mutex::default(), reader }
    }

    fn read(&self, path: &Path) -> Option<Parsed> {
        if self.reader.sources.buffers().get(path).is_none() && !path.is_file() {
            return None;
        }
        let loaded = self.reader.load(path, false).ok()?;
        Some((loaded.file, Arc::new(loaded.stream)))
    }
}

impl Loader for Files<'_> {
    fn yaml(&self, path: &Path) -> Option<Parsed> {
        let path = normal(path);
        if let Some((file, stream)) = self.known.get(path.as_os_str()) {
            let stream = stream.get_or_init(|| Arc::new(file.stream.clone()));
            return Some((Arc::clone(&file.file), Arc::clone(stream)));
        }
        let mut parsed = self.parsed.lock().ok()?;
        if let Some(hit) = parsed.get(&path) {
            return hit.clone();
        }
        let found = self.read(&path);
        parsed.insert(path, found.clone());
        found
    }

    fn schema(&self, path: &Path) -> Option<Node> {
        let path = normal(path);
        let mut schemas = self.schemas.lock().ok()?;
        if let Some(known) = schemas.get(&path) {
            return known.clone();
        }
        // These are large, and JSON as a rule, which is read much faster as what it is.
        let json = self.bytes(&path).and_then(|bytes| yaml::from_json(&bytes));
        let found = json.or_else(|| self.yaml(&path)?.1.documents.iter().find_map(|document| document.root.clone()));
        schemas.insert(path, found.clone());
        found
    }

    fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        if let Some(bytes) = self.reader.sources.buffers().get(path) {
            return Some(bytes.to_vec());
        }
        // Nothing that is linted is larger than a file may be; what a generator takes in is not either.
        let size = std::fs::metadata(path).ok()?.len();
        (size <= self.reader.limits.bytes as u64).then(|| std::fs::read(path).ok()).flatten()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn may_exist(&self, path: &Path) -> bool {
        // What ignore files exclude is made or brought later.
        self.reader.sources.buffers().get(path).is_some() || path.exists() || source::is_ignored(path)
    }
}
