//! `kustomize build`, in process, with every node remembering the file and span that set it.
//!
//! Order of a target as in kustomize 5 (`api/internal/target/kusttarget.go`): resources, generators, components, then the
//! transformers (patches, namespace, prefix, suffix, labels, annotations, JSON patches, replicas, images, replacements);
//! outermost last: hashes, name references, sorting. `kubectl kustomize` is the oracle in the tests. What is not
//! supported is said in [`Build::undecided`]; the build goes on without it.

mod builder;
mod config;
mod edit;
mod generate;
mod idle;
mod json6902;
mod lists;
mod merge;
mod metadata;
mod names;
mod order;
mod patches;
mod path;
mod plugins;
mod references;
mod replace;
mod replaced;
mod resource;
mod schema;
mod shape;
mod specs;
mod transform;
mod transformers;
mod unfollowed;
mod vars;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use builder::Builder;

use crate::source::{FileId, SourceFile, Span};
use crate::yaml::{Node, Stream};

/// File names of a kustomization, in the order in which kustomize looks (`pkg/konfig/general.go`,
/// `RecognizedKustomizationFileNames`).
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Gives the build its files.
pub trait Loader {
    /// A YAML (or JSON) file, read and parsed; `None` when it is not there or cannot be read.
    fn yaml(&self, path: &Path) -> Option<(Arc<SourceFile>, Arc<Stream>)>;
    /// A file's bytes.
    fn bytes(&self, path: &Path) -> Option<Vec<u8>>;
    /// The schema document that a kustomization names. Nothing in it is ever pointed at, so it may come without places.
    fn schema(&self, path: &Path) -> Option<Node> {
        self.yaml(path)?.1.documents.iter().find_map(|document| document.root.clone())
    }
    /// Whether the path is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether there is something of that path, readable or not, or may be by the time of a build.
    fn may_exist(&self, path: &Path) -> bool {
        self.is_dir(path) || self.bytes(path).is_some()
    }
}

/// One object of a build.
#[derive(Clone, Debug)]
pub struct Built {
    /// The object's tree.
    pub node: Node,
    /// The file it was first read from (the kustomization for a generated one).
    pub file: FileId,
}

/// Something that the build could not take into account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// Where it is asked for.
    pub span: Span,
    /// What, lower case, no full stop.
    pub message: String,
}

/// What a build does without a word, and nobody means it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// An entry changes nothing.
    Idle,
    /// A patch's list takes the place of the one that it was to join.
    Replaced,
    /// An object gets another name, and what refers to it does not.
    Unfollowed,
}

/// One such thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What it is.
    pub about: Quiet,
    /// Where it is asked for.
    pub span: Span,
    /// What comes of it, lower case, no full stop.
    pub message: String,
    /// What may be meant instead.
    pub help: String,
    /// What else has a part in it, and how.
    pub other: Option<(Span, &'static str)>,
}

/// What a kustomization comes to.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// Objects in the order of `kubectl kustomize`.
    pub objects: Vec<Built>,
    /// What could not be taken into account.
    pub undecided: Vec<Undecided>,
    /// What makes kustomize refuse the build.
    pub errors: Vec<Undecided>,
    /// What it does without a word.
    pub remarks: Vec<Remark>,
    /// Whether something that the build takes in is not there: it may be elsewhere.
    pub incomplete: bool,
    /// The first resource, component, patch or YAML file of a ConfigMap that is nowhere: kustomize stops there.
    pub gone: Option<Undecided>,
    /// Whether a component that lies elsewhere changes the objects further.
    pub partial: bool,
    /// Every YAML file that took part: resources, patches, kustomizations.
    pub files: Vec<PathBuf>,
    /// What else it asked for, whether it was there or not: files that generators put in, schemas.
    pub reads: Vec<PathBuf>,
}

/// Builds the kustomization in a directory; `None` when there is none.
#[must_use]
pub fn build(directory: &Path, loader: &dyn Loader) -> Option<Build> {
    Builder::new(loader).build(directory)
}
