//! The build: resources, generators and components of a target, and what is done to all of them at the end.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::config::Config;
use super::metadata::{self, Metadata};
use super::path::{is_for_secrets, is_remote, normalize, outside};
use super::resource::Resource;
use super::schema::Schema;
use super::vars::{self, Var};
use super::{
    Build, Built, FILE_NAMES, Loader, Remark, Undecided, generate, names, order, references, shape, unfollowed,
};
use crate::source::{FileId, SourceFile, Span};
use crate::yaml::Node;

/// The fields of the transformers when nobody says more of them.
static BUILT_IN: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);

/// Deepest nesting of bases and components.
const MAX_DEPTH: usize = 64;

/// One generator, of a kustomization or on its own.
#[derive(Clone, Copy)]
pub(super) struct Generator<'a> {
    /// `ConfigMap` or `Secret`.
    pub(super) kind: &'static str,
    /// What it says.
    pub(super) item: &'a Node,
    /// `generatorOptions` of its kustomization.
    pub(super) options: Option<&'a Node>,
    /// The file that it stands in.
    pub(super) file: FileId,
}

pub(super) struct Builder<'a> {
    pub(super) loader: &'a dyn Loader,
    pub(super) schema: Schema,
    pub(super) build: Build,
    pub(super) stack: Vec<PathBuf>,
    /// Whether what is being built is a component, made for more than one build.
    pub(super) reused: bool,
    /// What is written down about the directory being built, when the root asks for it.
    pub(super) metadata: Option<Metadata>,
    /// Variables declared so far.
    pub(super) vars: Vec<Var>,
    /// The fields of the transformers of the directory being built, those of its bases included.
    pub(super) config: Arc<Config>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(loader: &'a dyn Loader) -> Self {
        Self {
            loader,
            schema: Schema::default(),
            build: Build::default(),
            stack: Vec::new(),
            reused: false,
            metadata: None,
            vars: Vec::new(),
            config: Arc::clone(&BUILT_IN),
        }
    }

    pub(super) fn build(mut self, directory: &Path) -> Option<Build> {
        self.find_openapi(directory, 0);
        self.metadata = self.kustomization(directory).and_then(|(_, _, root)| Metadata::of(&root));
        self.kustomization(directory)?;
        if let Some((resources, root)) = self.target(directory, Vec::new()) {
            self.finish(resources, &root);
        }
        Some(self.build)
    }

    /// The file that a kustomization names.
    pub(super) fn file_of(&mut self, directory: &Path, text: &str, at: Span) -> PathBuf {
        let path = normalize(&directory.join(text));
        self.within(directory, &path, at);
        path
    }

    pub(super) fn within(&mut self, directory: &Path, path: &Path, at: Span) {
        if outside(directory, path) && !self.loader.is_dir(path) {
            let shown = path.display();
            self.undecided(at, format!("`{shown}` lies outside, and is read with `--load-restrictor` only"));
        }
    }

    pub(super) fn undecided(&mut self, span: Span, message: impl Into<String>) {
        self.build.undecided.push(Undecided { span, message: message.into() });
    }

    pub(super) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.build.errors.push(Undecided { span, message: message.into() });
    }

    /// What selects nothing; in a component it may be for what other builds have.
    pub(super) fn idle(&mut self, found: impl FnOnce() -> Option<Remark>) {
        if !self.reused {
            self.build.remarks.extend(found());
        }
    }

    /// A file or directory that is not there.
    pub(super) fn absent(&mut self, span: Span, message: impl Into<String>) {
        self.build.incomplete = true;
        self.error(span, message);
    }

    /// The same of one that a kustomization names, and that nobody brings before it is built.
    pub(super) fn gone(&mut self, path: &Path, span: Span, message: String) {
        if self.build.gone.is_none() && !is_for_secrets(path) && !self.loader.may_exist(path) {
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

    pub(super) fn resource(&mut self, directory: &Path, item: &Node, resources: &mut Vec<Resource>) {
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

    pub(super) fn add(&mut self, resource: Resource, at: Span, resources: &mut Vec<Resource>) {
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
    pub(super) fn generator(
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
            // Those of a Secret are rarely kept beside it; scripts and the like are made, or are not handed on with manifests.
            let kept = Path::new(&path).extension().is_some_and(|end| end == "yaml" || end == "yml");
            if kind == "ConfigMap" && kept {
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

    pub(super) fn merge_config(&mut self, other: &Arc<Config>, at: Span) {
        if Arc::ptr_eq(other, &BUILT_IN) || Arc::ptr_eq(other, &self.config) {
            return;
        }
        if let Err(message) = Arc::make_mut(&mut self.config).merge(other) {
            self.error(at, message);
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
