//! `kustomize build`, in process, with every node remembering the file and span that set it.
//!
//! Order of a target as in kustomize 5 (`api/internal/target/kusttarget.go`): resources, generators, components, then the
//! transformers (patches, namespace, prefix, suffix, labels, annotations, JSON patches, replicas, images, replacements);
//! outermost last: hashes, name references, sorting. `kubectl kustomize` is the oracle in the tests. What is not
//! supported is said in [`Build::undecided`]; the build goes on without it.

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
mod plugins;
mod references;
mod replace;
mod replaced;
mod resource;
mod schema;
mod shape;
mod specs;
mod transform;
mod unfollowed;
mod vars;

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, LazyLock};

use config::Config;
use metadata::Metadata;
use resource::{Identity, Resource, Selector};
use schema::Schema;
use specs::FieldSpec;
use transform::{Affix, Subjects};
use vars::Var;

use crate::source::{FileId, SourceFile, Span, Text};
use crate::yaml::{Node, Stream};

/// File names of a kustomization, in the order in which kustomize looks (`pkg/konfig/general.go`,
/// `RecognizedKustomizationFileNames`).
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields of the transformers when nobody says more of them.
static BUILT_IN: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);

/// Deepest nesting of bases and components.
const MAX_DEPTH: usize = 64;

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
    /// Whether there is something of that path, readable or not.
    fn exists(&self, path: &Path) -> bool {
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
    /// The first resource, component, patch or file of a ConfigMap that is nowhere: kustomize stops there.
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
    let mut builder = Builder {
        loader,
        schema: Schema::default(),
        build: Build::default(),
        stack: Vec::new(),
        reused: false,
        metadata: None,
        vars: Vec::new(),
        config: Arc::clone(&BUILT_IN),
    };
    builder.find_openapi(directory, 0);
    builder.metadata = builder.kustomization(directory).and_then(|(_, _, root)| Metadata::of(&root));
    builder.kustomization(directory)?;
    if let Some((resources, root)) = builder.target(directory, Vec::new()) {
        builder.finish(resources, &root);
    }
    Some(builder.build)
}

/// One generator, of a kustomization or on its own.
#[derive(Clone, Copy)]
struct Generator<'a> {
    /// `ConfigMap` or `Secret`.
    kind: &'static str,
    /// What it says.
    item: &'a Node,
    /// `generatorOptions` of its kustomization.
    options: Option<&'a Node>,
    /// The file that it stands in.
    file: FileId,
}

struct Builder<'a> {
    loader: &'a dyn Loader,
    schema: Schema,
    build: Build,
    stack: Vec<PathBuf>,
    /// Whether what is being built is a component, made for more than one build.
    reused: bool,
    /// What is written down about the directory being built, when the root asks for it.
    metadata: Option<Metadata>,
    /// Variables declared so far.
    vars: Vec<Var>,
    /// The fields of the transformers of the directory being built, those of its bases included.
    config: Arc<Config>,
}

/// A path with `.` and `..` worked out, without asking the file system.
fn normalize(path: &Path) -> PathBuf {
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
fn is_remote(text: &str) -> bool {
    text.contains("://")
        || text.starts_with("git@")
        || text.starts_with("github.com/")
        || text.contains("?ref=")
        || text.contains("//")
}

/// Whether a file lies outside of a directory. kustomize does not read one unless it is told to.
fn outside(directory: &Path, path: &Path) -> bool {
    let directory = normalize(directory);
    if directory == Path::new(".") {
        return path.is_absolute() || path.starts_with("..");
    }
    !path.starts_with(&directory)
}

impl Builder<'_> {
    /// The file that a kustomization names.
    fn file_of(&mut self, directory: &Path, text: &str, at: Span) -> PathBuf {
        let path = normalize(&directory.join(text));
        self.within(directory, &path, at);
        path
    }

    fn within(&mut self, directory: &Path, path: &Path, at: Span) {
        if outside(directory, path) && !self.loader.is_dir(path) {
            let shown = path.display();
            self.undecided(at, format!("`{shown}` lies outside, and is read with `--load-restrictor` only"));
        }
    }

    fn undecided(&mut self, span: Span, message: impl Into<String>) {
        self.build.undecided.push(Undecided { span, message: message.into() });
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.build.errors.push(Undecided { span, message: message.into() });
    }

    /// What selects nothing; in a component it may be for what other builds have.
    fn idle(&mut self, found: impl FnOnce() -> Option<Remark>) {
        if !self.reused {
            self.build.remarks.extend(found());
        }
    }

    /// A file or directory that is not there.
    fn absent(&mut self, span: Span, message: impl Into<String>) {
        self.build.incomplete = true;
        self.error(span, message);
    }

    /// The same of one that a kustomization names, and that no tool makes beforehand.
    fn gone(&mut self, path: &Path, span: Span, message: String) {
        if self.build.gone.is_none() && !self.loader.exists(path) {
            self.build.gone = Some(Undecided { span, message: message.clone() });
        }
        self.absent(span, message);
    }

    /// The kustomization file of a directory, parsed.
    fn kustomization(&self, directory: &Path) -> Option<(PathBuf, Arc<SourceFile>, Node)> {
        FILE_NAMES.iter().find_map(|name| {
            let path = normalize(&directory.join(name));
            let (file, stream) = self.loader.yaml(&path)?;
            let root = stream.documents.iter().find_map(|d| d.root.clone())?;
            Some((path, file, root))
        })
    }

    /// The OpenAPI document is global to the build, so it is looked for before anything is merged.
    fn find_openapi(&mut self, directory: &Path, depth: usize) {
        let Some((_, _, root)) = self.kustomization(directory) else { return };
        if depth > MAX_DEPTH {
            return;
        }
        if let Some(path) = root.at(&["openapi", "path"]).and_then(Node::as_text) {
            let path = normalize(&directory.join(path));
            let document = self.loader.schema(&path);
            self.build.reads.push(path);
            match document {
                Some(document) => {
                    self.schema.load(&document);
                    return;
                }
                None => self.absent(root.span, "the `openapi` document is not there"),
            }
        }
        for list in ["resources", "bases", "components"] {
            for item in root.get(list).into_iter().flat_map(Node::items) {
                let Some(text) = item.as_text() else { continue };
                let path = normalize(&directory.join(text));
                if self.loader.is_dir(&path) {
                    self.find_openapi(&path, depth + 1);
                } else if is_remote(text) {
                    self.schema.remote = true;
                }
            }
        }
    }

    /// Accumulates one target on top of what is there (nothing, for a kustomization; the parent's, for a component).
    fn target(&mut self, directory: &Path, mut resources: Vec<Resource>) -> Option<(Vec<Resource>, Node)> {
        let (path, file, root) = self.kustomization(directory)?;
        let key = normalize(directory);
        if self.stack.contains(&key) || self.stack.len() > MAX_DEPTH {
            self.error(root.span, "the kustomization includes itself");
            return None;
        }
        if let Some((span, message)) = shape::refused(&root) {
            self.error(span, message);
        }
        self.stack.push(key);
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        self.build.files.push(path);
        for field in ["validators", "helmCharts", "helmChartInflationGenerator"] {
            if let Some(entry) = root.entry(field).filter(|e| e.value.items().next().is_some()) {
                self.undecided(entry.key.span, format!("`{field}` is not followed"));
            }
        }
        for list in ["resources", "bases"] {
            for item in root.get(list).into_iter().flat_map(Node::items) {
                self.resource(directory, item, &mut resources);
            }
        }
        self.configure(directory, &root);
        self.generators(directory, &root, (file.id, &name), &mut resources);
        self.plugin_generators(directory, &root, (file.id, &name), &mut resources);
        for item in root.get("components").into_iter().flat_map(Node::items) {
            let Some(text) = item.as_text() else { continue };
            if is_remote(text) {
                self.undecided(item.span, format!("`{text}` lies elsewhere"));
                self.build.partial = true;
                continue;
            }
            let path = normalize(&directory.join(text));
            match self.below(text, &path, std::mem::take(&mut resources)) {
                Some(next) => resources = next,
                None => {
                    self.gone(&path, item.span, format!("`{text}` holds no component"));
                    self.stack.pop();
                    return None;
                }
            }
        }
        self.reused = root.get("kind").and_then(Node::as_text) == Some("Component");
        self.transform(directory, &root, &name, &mut resources);
        self.plugin_transformers(directory, &root, (file.id, &name), &mut resources);
        if let Err((span, message)) = vars::declare(&mut self.vars, &mut resources, &root) {
            self.error(span, message);
        }
        self.stack.pop();
        Some((resources, root))
    }

    /// A base or component, reached by what is written for it.
    fn below(&mut self, text: &str, directory: &Path, resources: Vec<Resource>) -> Option<Vec<Resource>> {
        let here = self.metadata.clone();
        self.metadata = here.as_ref().map(|m| m.below(text));
        let made = self.target(directory, resources);
        self.metadata = here;
        made.map(|(resources, _)| resources)
    }

    fn resource(&mut self, directory: &Path, item: &Node, resources: &mut Vec<Resource>) {
        let Some(text) = item.as_text() else { return };
        let path = normalize(&directory.join(text));
        if self.loader.is_dir(&path) {
            // A base starts with the built-in fields, and what it adds to them holds here as well.
            let here = std::mem::replace(&mut self.config, Arc::clone(&BUILT_IN));
            let found = self.below(text, &path, Vec::new());
            let base = std::mem::replace(&mut self.config, here);
            self.merge_config(&base, item.span);
            match found {
                Some(found) => {
                    for resource in found {
                        self.add(resource, item.span, resources);
                    }
                }
                None => self.absent(item.span, format!("`{text}` holds no kustomization")),
            }
            return;
        }
        let Some((file, stream)) = self.loader.yaml(&path) else {
            if is_remote(text) {
                self.undecided(item.span, format!("`{text}` lies elsewhere"));
            } else {
                self.gone(&path, item.span, format!("there is no `{text}`"));
            }
            return;
        };
        self.within(directory, &path, item.span);
        self.build.files.push(path);
        for root in stream.documents.iter().filter_map(|d| d.root.as_ref()) {
            let is_list = root.get("kind").and_then(Node::as_text).is_some_and(|k| k.ends_with("List"))
                && root.get("items").is_some();
            let objects: Vec<Node> = if is_list {
                root.get("items").into_iter().flat_map(Node::items).cloned().collect()
            } else {
                vec![root.clone()]
            };
            for node in objects {
                if node.as_map().is_some() {
                    let mut resource = Resource::new(node, file.id);
                    if let Some(metadata) = &self.metadata {
                        metadata.read(&mut resource, text);
                    }
                    self.add(resource, item.span, resources);
                }
            }
        }
    }

    fn add(&mut self, resource: Resource, at: Span, resources: &mut Vec<Resource>) {
        let id = resource.identity();
        if resources.iter().any(|r| r.identity().is(&id)) {
            self.error(at, format!("`{}` `{}` is already there", id.kind, id.name));
        } else {
            resources.push(resource);
        }
    }

    fn generators(
        &mut self,
        directory: &Path,
        root: &Node,
        (file, name): (FileId, &str),
        resources: &mut Vec<Resource>,
    ) {
        let options = root.get("generatorOptions");
        for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            for item in root.get(field).into_iter().flat_map(Node::items) {
                let generator = Generator { kind, item, options, file };
                let origin = self.metadata.as_ref().map(|m| m.configured(name, &format!("{kind}Generator")));
                self.generator(directory, &generator, origin.as_deref(), resources);
            }
        }
    }

    /// Runs one generator and lets what it makes join the others.
    fn generator(
        &mut self,
        directory: &Path,
        generator: &Generator<'_>,
        origin: Option<&str>,
        resources: &mut Vec<Resource>,
    ) {
        let Generator { kind, item, options, file } = *generator;
        let loader = self.loader;
        let asked = RefCell::new(Vec::new());
        let read = |path: &str| {
            let path = normalize(&directory.join(path));
            let bytes = loader.bytes(&path);
            asked.borrow_mut().push(path);
            bytes.map(|bytes| (bytes, None))
        };
        let mut made = generate::generate(kind, item, options, file, &read);
        for path in asked.into_inner() {
            self.within(directory, &path, item.span);
            self.build.reads.push(path);
        }
        if let Some((metadata, origin)) = self.metadata.as_ref().zip(origin).filter(|_| made.behavior != "merge") {
            metadata.generated(&mut made.resource, origin);
        }
        for (span, message) in made.problems {
            self.absent(span, message);
        }
        for (span, path) in made.absent {
            let message = format!("there is no `{path}`");
            // Those of a Secret are rarely kept beside it.
            if kind == "ConfigMap" {
                self.gone(&normalize(&directory.join(&path)), span, message);
            } else {
                self.absent(span, message);
            }
        }
        let id = made.resource.identity();
        let old = resources.iter_mut().find(|r| r.identities().any(|i| i.is(&id)));
        match (made.behavior.as_str(), old) {
            (behavior @ ("merge" | "replace"), Some(old)) => {
                generate::absorb(old, made.resource, behavior == "merge");
            }
            ("merge" | "replace", None) => {
                self.error(item.span, format!("there is no `{kind}` `{}` to change", id.name));
            }
            (_, Some(_)) => self.error(item.span, format!("`{kind}` `{}` is already there", id.name)),
            _ => self.add(made.resource, item.span, resources),
        }
    }

    /// What `configurations` and `crds` say of the fields that the transformers touch.
    fn configure(&mut self, directory: &Path, root: &Node) {
        for (field, types) in [("configurations", false), ("crds", true)] {
            for item in root.get(field).into_iter().flat_map(Node::items) {
                let Some(text) = item.as_text() else { continue };
                let documents = if text.contains('\n') {
                    // Newer ones than the one in `kubectl` 1.32 read it there.
                    self.undecided(item.span, format!("`{field}` written in place is not for every kustomize"));
                    self.inline(item)
                } else {
                    let path = self.file_of(directory, text, item.span);
                    let Some((_, stream)) = self.loader.yaml(&path) else {
                        self.absent(item.span, format!("there is no `{text}`"));
                        continue;
                    };
                    self.build.files.push(path);
                    stream.documents.iter().filter_map(|d| d.root.clone()).collect()
                };
                for document in documents {
                    let config = Arc::make_mut(&mut self.config);
                    let added = if types { config.add_types(&document) } else { config.add(&document) };
                    if let Err(message) = added {
                        self.error(item.span, message);
                    }
                }
            }
        }
    }

    fn merge_config(&mut self, other: &Arc<Config>, at: Span) {
        if Arc::ptr_eq(other, &BUILT_IN) || Arc::ptr_eq(other, &self.config) {
            return;
        }
        if let Err(message) = Arc::make_mut(&mut self.config).merge(other) {
            self.error(at, message);
        }
    }

    fn transform(&mut self, directory: &Path, root: &Node, name: &str, resources: &mut Vec<Resource>) {
        let metadata = self.metadata.clone();
        let config = Arc::clone(&self.config);
        let ran = |resources: &mut Vec<Resource>, kind: &str| {
            if let Some(metadata) = &metadata {
                metadata.transformed(resources, &metadata.configured(name, kind));
            }
        };
        let has = |key: &str| root.get(key).is_some_and(|list| list.items().next().is_some());
        for item in root.get("patchesStrategicMerge").into_iter().flat_map(Node::items) {
            for patch in self.inline_or_path(directory, item) {
                self.strategic(&patch, None, resources, item.span);
            }
        }
        if has("patchesStrategicMerge") {
            ran(resources, "PatchStrategicMergeTransformer");
        }
        for item in root.get("patches").into_iter().flat_map(Node::items) {
            self.patch(directory, item, resources);
            ran(resources, "PatchTransformer");
        }
        if let Some(value) = root.get("namespace").filter(|n| n.as_text().is_some_and(|n| !n.is_empty())) {
            transform::namespace(resources, value, &config.namespace, Subjects::Default, false);
            ran(resources, "NamespaceTransformer");
        }
        let text = |key: &str| root.get(key).and_then(Node::as_text).filter(|text| !text.is_empty());
        if let Some(prefix) = text("namePrefix") {
            transform::affix(resources, Affix::Prefix(prefix), &config.prefix, root.span);
            ran(resources, "PrefixTransformer");
        }
        if let Some(suffix) = text("nameSuffix") {
            transform::affix(resources, Affix::Suffix(suffix), &config.suffix, root.span);
            ran(resources, "SuffixTransformer");
        }
        for item in root.get("labels").into_iter().flat_map(Node::items) {
            match transform::label_fields(item, &config) {
                Ok(fields) => {
                    if let Some(pairs) = item.get("pairs") {
                        transform::pairs(resources, pairs, &fields);
                    }
                }
                Err(message) => self.error(item.span, message),
            }
            ran(resources, "LabelTransformer");
        }
        let pairs = |key: &str| root.get(key).filter(|pairs| pairs.entries().next().is_some());
        if let Some(pairs) = pairs("commonLabels") {
            transform::pairs(resources, pairs, &config.common_labels);
        }
        if has("labels") || pairs("commonLabels").is_some() {
            ran(resources, "LabelTransformer");
        }
        if let Some(pairs) = pairs("commonAnnotations") {
            transform::pairs(resources, pairs, &config.annotations);
            ran(resources, "AnnotationsTransformer");
        }
        for item in root.get("patchesJson6902").into_iter().flat_map(Node::items) {
            self.patch(directory, item, resources);
            ran(resources, "PatchJson6902Transformer");
        }
        for item in root.get("replicas").into_iter().flat_map(Node::items) {
            if !transform::replicas(resources, item, &config.replicas) {
                self.error(item.span, "`replicas` names no workload of this build");
            }
            ran(resources, "ReplicaCountTransformer");
        }
        // What `images` was called before.
        let images = ["images", "imageTags"].into_iter().filter_map(|key| root.get(key));
        for item in images.flat_map(Node::items) {
            self.images(resources, item, &config.images);
            ran(resources, "ImageTagTransformer");
        }
        for item in root.get("replacements").into_iter().flat_map(Node::items) {
            self.replacement(directory, item, resources);
        }
        if has("replacements") {
            ran(resources, "ReplacementTransformer");
        }
    }

    /// One entry of `images`.
    fn images(&mut self, resources: &mut [Resource], item: &Node, specs: &[FieldSpec]) {
        if !transform::images(resources, item, specs) {
            self.idle(|| idle::image(item, resources));
        }
    }

    /// One entry of `replacements`, or the file that has several.
    fn replacement(&mut self, directory: &Path, item: &Node, resources: &mut [Resource]) {
        let entries: Vec<Node> = match item.get("path").and_then(Node::as_text) {
            Some(path) => match self.loader.yaml(&self.file_of(directory, path, item.span)) {
                Some((_, stream)) => stream
                    .documents
                    .iter()
                    .filter_map(|d| d.root.clone())
                    .flat_map(|r| if r.as_seq().is_some() { r.items().cloned().collect() } else { vec![r] })
                    .collect(),
                None => {
                    self.absent(item.span, format!("there is no `{path}`"));
                    return;
                }
            },
            None => vec![item.clone()],
        };
        for entry in entries {
            for target in entry.get("targets").into_iter().flat_map(Node::items) {
                self.idle(|| idle::selection(target, "select", resources, Selector::means));
            }
            if let Err((span, message)) = replace::apply(resources, &entry) {
                self.error(span, message);
            }
        }
    }

    /// The documents of a patch given as a path or as text.
    fn inline_or_path(&mut self, directory: &Path, item: &Node) -> Vec<Node> {
        let Some(text) = item.as_text() else { return Vec::new() };
        let path = normalize(&directory.join(text));
        if !text.contains('\n')
            && let Some((_, stream)) = self.loader.yaml(&path)
        {
            self.within(directory, &path, item.span);
            self.build.files.push(path);
            return stream.documents.iter().filter_map(|d| d.root.clone()).collect();
        }
        self.inline(item)
    }

    /// The documents of a patch written in the kustomization itself.
    fn inline(&mut self, item: &Node) -> Vec<Node> {
        let Some(text) = item.as_text() else { return Vec::new() };
        let whole = self.text_of(item, text);
        match crate::yaml::parse_embedded_all(&whole, &crate::yaml::Limits::default()) {
            Ok(nodes) => nodes,
            Err(problem) => {
                self.error(problem.span, problem.message);
                Vec::new()
            }
        }
    }

    /// A scalar's text, with where each character of it stands.
    fn text_of(&self, item: &Node, text: &str) -> Text {
        if let Some(origin) = item.as_scalar().and_then(|scalar| scalar.origin.clone()) {
            return Text::clone(&origin);
        }
        // Its file was read through the loader, which has the text.
        let raw = self
            .build
            .files
            .iter()
            .filter_map(|p| self.loader.yaml(p))
            .find(|(f, _)| f.id == item.span.file)
            .and_then(|(f, _)| crate::yaml::text_in(item, &f));
        raw.unwrap_or_else(|| Text::opaque(text, item.span))
    }

    fn patch(&mut self, directory: &Path, item: &Node, resources: &mut Vec<Resource>) {
        let target = item.get("target").map(Selector::read);
        self.idle(|| idle::selection(item, "target", resources, Selector::matches));
        let documents = if let Some(path_node) = item.get("path") {
            let Some(path) = path_node.as_text() else { return };
            let full = self.file_of(directory, path, path_node.span);
            let Some((_, stream)) = self.loader.yaml(&full) else {
                self.gone(&full, path_node.span, format!("there is no `{path}`"));
                return;
            };
            self.build.files.push(full);
            stream.documents.iter().filter_map(|d| d.root.clone()).collect()
        } else if let Some(patch) = item.get("patch").or_else(|| item.get("jsonOp")) {
            self.inline(patch)
        } else {
            return;
        };
        for document in documents {
            if document.as_seq().is_some() {
                let Some(target) = &target else {
                    self.error(item.span, "a JSON 6902 patch needs a `target`");
                    return;
                };
                for resource in resources.iter_mut().filter(|r| target.matches(r)) {
                    match json6902::apply(&resource.node, &document) {
                        Ok(node) => {
                            resource.earlier.push(resource.identity());
                            resource.node = node;
                            resource.shared.clear();
                        }
                        Err(failure) => {
                            self.build.errors.push(Undecided { span: failure.span, message: failure.message })
                        }
                    }
                }
            } else {
                let options = |key: &str| item.at(&["options", key]).and_then(Node::as_bool).unwrap_or(false);
                let keep = (options("allowNameChange"), options("allowKindChange"));
                self.strategic_with(&document, target.as_ref(), resources, item.span, keep);
            }
        }
    }

    fn strategic(&mut self, patch: &Node, target: Option<&Selector>, resources: &mut Vec<Resource>, at: Span) {
        self.strategic_with(patch, target, resources, at, (false, false));
    }

    fn strategic_with(
        &mut self,
        patch: &Node,
        target: Option<&Selector>,
        resources: &mut Vec<Resource>,
        at: Span,
        (name_change, kind_change): (bool, bool),
    ) {
        let wanted = Identity::of(patch);
        if wanted.kind.is_empty() || wanted.name.is_empty() {
            // It may be the name of a file.
            self.absent(at, "a strategic merge patch needs `kind` and `metadata.name`");
            return;
        }
        let chosen: Vec<usize> = match target {
            Some(target) => (0..resources.len()).filter(|n| target.matches(&resources[*n])).collect(),
            None => {
                let same = |n: &usize| resources[*n].identities().any(|id| id.is(&wanted));
                let found: Vec<usize> = (0..resources.len()).filter(same).collect();
                if found.len() != 1 {
                    let many = if found.is_empty() { "no" } else { "more than one" };
                    self.error(at, format!("{many} `{}` `{}` to patch", wanted.kind, wanted.name));
                    return;
                }
                found
            }
        };
        // A patch that is copied to its targets has its labels and annotations written anew.
        let patch = if target.is_some() { &metadata::rewritten(patch) } else { patch };
        let mut gone = Vec::new();
        for n in chosen {
            let resource = &mut resources[n];
            let schema_at = self.schema.of_kind(resource.api_version(), resource.kind());
            let mut merge = merge::Merge::new(&self.schema, &resource.shared);
            match merge.merge(&resource.node, patch, &schema_at) {
                Some(node) => {
                    let changes = merge.changes;
                    self.build.remarks.extend(merge.replaced);
                    let old = resource.identity();
                    let old_node = resource.node.clone();
                    let mut node = node;
                    // A patch does not rename what it patches unless told so.
                    if !name_change && let Some(name) = old_node.at(&["metadata", "name"]) {
                        node = edit::set_at(&node, &["metadata", "name"], name.clone(), name.span);
                    }
                    if !kind_change {
                        for key in ["kind", "apiVersion"] {
                            if let Some(value) = old_node.get(key) {
                                node = edit::set_at(&node, &[key], value.clone(), value.span);
                            }
                        }
                    }
                    if old.namespace != Identity::of(&node).namespace {
                        node = match old_node.at(&["metadata", "namespace"]) {
                            Some(value) => edit::set_at(&node, &["metadata", "namespace"], value.clone(), value.span),
                            None => {
                                let metadata = edit::without(node.get("metadata").unwrap_or(&node), "namespace");
                                edit::set_at(&node, &["metadata"], metadata, at)
                            }
                        };
                    }
                    if name_change || kind_change {
                        resource.earlier.push(old);
                    }
                    resource.node = node;
                    resource.settle(changes);
                }
                None => gone.push(n),
            }
        }
        for n in gone.into_iter().rev() {
            resources.remove(n);
        }
    }

    fn finish(&mut self, mut resources: Vec<Resource>, root: &Node) {
        for resource in &mut resources {
            if resource.hash {
                let name = format!("{}-{}", resource.identity().name, generate::hash(resource));
                names::rename(resource, &name);
            }
        }
        for (span, message) in references::follow(&mut resources, &self.config.references) {
            self.error(span, message);
        }
        match vars::values(&self.vars, &resources) {
            Ok(values) if !values.is_empty() => vars::expand(&mut resources, &values, &self.config.variables),
            Ok(_) => {}
            Err((span, message)) => self.error(span, message),
        }
        let remarks = unfollowed::unfollowed(&resources, &|node, text| self.text_of(node, text));
        self.build.remarks.extend(remarks);
        order::sort(&mut resources, root.get("sortOptions"));
        metadata::finish(&mut resources, root);
        self.build.objects = resources.into_iter().map(|r| Built { node: r.node, file: r.file }).collect();
    }
}
