//! `generators` and `transformers`: objects of `apiVersion: builtin`, in files or written in the kustomization itself,
//! that set off one of kustomize's own generators or transformers (`api/internal/target/kusttarget.go`,
//! `api/internal/builtins`). Those that are programs of somebody's, `kubectl kustomize` does not run either.

use std::path::Path;

use super::builder::{Builder, Generator};
use super::edit::{entry, insert};
use super::resource::{Resource, Selector};
use super::specs::FieldSpec;
use super::transform::{self, Affix, Subjects};
use super::{generate, names, replace};
use crate::source::{FileId, Span};
use crate::yaml::Node;

impl Builder<'_> {
    /// Runs the generators that are objects of their own.
    pub(super) fn plugin_generators(
        &mut self,
        directory: &Path,
        root: &Node,
        from: (FileId, &str),
        resources: &mut Vec<Resource>,
    ) {
        for (plugin, at) in self.plugins(directory, root, "generators", from) {
            let id = plugin.identity();
            let kind = match (plugin.api_version(), id.kind.as_str()) {
                ("builtin", "ConfigMapGenerator") => "ConfigMap",
                ("builtin", "SecretGenerator") => "Secret",
                _ => {
                    self.undecided(at, format!("the generator `{}` is not followed", id.kind));
                    continue;
                }
            };
            // What it makes is called as it is called itself, unless it says otherwise.
            let mut item = plugin.node.clone();
            for key in ["name", "namespace"] {
                if item.get(key).and_then(Node::as_text).is_none_or(str::is_empty)
                    && let Some(value) = plugin.node.at(&["metadata", key])
                {
                    item = insert(&item, entry(key, value.clone(), value.span));
                }
            }
            let origin = self.metadata.as_ref().map(|m| m.plugin(&plugin));
            let generator = Generator { kind, item: &item, options: None, file: plugin.file };
            self.generator(directory, &generator, origin.as_deref(), resources);
        }
    }

    /// Runs the transformers that are objects of their own, after those that are fields of the kustomization.
    pub(super) fn plugin_transformers(
        &mut self,
        directory: &Path,
        root: &Node,
        from: (FileId, &str),
        resources: &mut Vec<Resource>,
    ) {
        for (plugin, at) in self.plugins(directory, root, "transformers", from) {
            self.transformer(directory, &plugin, at, resources);
            if let Some(metadata) = self.metadata.clone() {
                metadata.transformed(resources, &metadata.plugin(&plugin));
            }
        }
    }

    /// The objects of a list: those written in place first, as kustomize collects them, then those of files and
    /// directories. Each with where the list asks for it.
    fn plugins(
        &mut self,
        directory: &Path,
        root: &Node,
        field: &str,
        (file, name): (FileId, &str),
    ) -> Vec<(Resource, Span)> {
        let mut out: Vec<(Resource, Span)> = Vec::new();
        let mut paths = Vec::new();
        for item in root.get(field).into_iter().flat_map(Node::items) {
            let Some(text) = item.as_text() else { continue };
            // A path has neither a line break nor a brace in it.
            if !text.contains(['\n', '{']) {
                paths.push(item);
                continue;
            }
            for node in self.inline(item) {
                let mut plugin = Resource::new(node, file);
                if let Some(metadata) = &self.metadata {
                    metadata.read(&mut plugin, name);
                }
                self.join(plugin, item.span, &mut out);
            }
        }
        for item in paths {
            let mut found = Vec::new();
            self.resource(directory, item, &mut found);
            for plugin in found {
                self.join(plugin, item.span, &mut out);
            }
        }
        out
    }

    fn join(&mut self, plugin: Resource, at: Span, out: &mut Vec<(Resource, Span)>) {
        let id = plugin.identity();
        if out.iter().any(|(have, _)| have.identity().is(&id)) {
            self.error(at, format!("`{}` `{}` is already there", id.kind, id.name));
        } else {
            out.push((plugin, at));
        }
    }

    fn transformer(&mut self, directory: &Path, plugin: &Resource, at: Span, resources: &mut Vec<Resource>) {
        let node = &plugin.node;
        let kind = plugin.kind();
        if plugin.api_version() != "builtin" {
            self.undecided(at, format!("the transformer `{kind}` is not followed"));
            return;
        }
        let specs = FieldSpec::list(node.get("fieldSpecs"));
        let text = |key: &str| node.get(key).and_then(Node::as_text).unwrap_or_default();
        match kind {
            "PatchJson6902Transformer" if node.at(&["target", "name"]).is_none() => {
                self.error(at, format!("`{kind}` needs the name of its target"));
            }
            "PatchTransformer" | "PatchJson6902Transformer" => self.patch(directory, node, resources),
            "PatchStrategicMergeTransformer" => {
                let mut patches = Vec::new();
                for item in node.get("paths").into_iter().flat_map(Node::items) {
                    patches.extend(self.inline_or_path(directory, item));
                }
                patches.extend(node.get("patches").into_iter().flat_map(|item| self.inline(item)));
                for patch in patches {
                    self.strategic(&patch, None, resources, at);
                }
            }
            "NamespaceTransformer" => {
                let subjects = match text("setRoleBindingSubjects") {
                    "allServiceAccounts" => Subjects::Accounts,
                    "none" => Subjects::Nobody,
                    _ => Subjects::Default,
                };
                let unset_only = node.get("unsetOnly").and_then(Node::as_bool).unwrap_or(false);
                if let Some(value) = node.at(&["metadata", "namespace"]) {
                    transform::namespace(resources, value, &specs, subjects, unset_only);
                }
            }
            "PrefixTransformer" | "SuffixTransformer" if node.get("fieldSpecs").is_none() => {
                self.error(at, format!("`{kind}` needs `fieldSpecs`"));
            }
            "PrefixTransformer" => transform::affix(resources, Affix::Prefix(text("prefix")), &specs, node.span),
            "SuffixTransformer" => transform::affix(resources, Affix::Suffix(text("suffix")), &specs, node.span),
            "LabelTransformer" | "AnnotationsTransformer" => {
                let key = if kind == "LabelTransformer" { "labels" } else { "annotations" };
                if let Some(pairs) = node.get(key) {
                    transform::pairs(resources, pairs, &specs);
                }
            }
            "ReplicaCountTransformer" => {
                let counted = node.get("replica").is_some_and(|item| transform::replicas(resources, item, &specs));
                if !counted {
                    self.error(at, "`replica` names no workload of this build");
                }
            }
            "ImageTagTransformer" => {
                if let Some(item) = node.get("imageTag") {
                    self.images(resources, item, &specs);
                }
            }
            "ReplacementTransformer" => {
                for item in node.get("replacements").into_iter().flat_map(Node::items) {
                    self.replacement(directory, item, resources);
                }
            }
            "ValueAddTransformer" => self.value_add(node, at, resources),
            "HashTransformer" => {
                for resource in resources.iter_mut().filter(|r| r.hash) {
                    let name = format!("{}-{}", resource.identity().name, generate::hash(resource));
                    names::rename(resource, &name);
                }
            }
            _ => self.undecided(at, format!("the transformer `{kind}` is not followed")),
        }
    }

    /// Puts a value into a field of every target (`api/internal/builtins/ValueAddTransformer.go`).
    fn value_add(&mut self, plugin: &Node, at: Span, resources: &mut [Resource]) {
        let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_text).unwrap_or_default().trim().to_owned();
        let value = text(plugin, "value");
        let targets: Vec<&Node> = plugin.get("targets").into_iter().flat_map(Node::items).collect();
        let plain_paths = targets.iter().all(|target| !text(target, "fieldPath").contains(['[', '*']));
        let positions = targets.iter().any(|target| target.get("filePathPosition").is_some());
        if value.is_empty() || !plain_paths || positions || plugin.get("targetFilePath").is_some() {
            self.undecided(at, "this `ValueAddTransformer` is not followed");
            return;
        }
        let value = replace::plain(&value, plugin.get("value").map_or(at, |node| node.span));
        for target in targets {
            let selector = target.get("selector").map(Selector::read).unwrap_or_default();
            let spec = FieldSpec { create: true, path: text(target, "fieldPath"), ..FieldSpec::of_kind("") };
            for resource in resources.iter_mut().filter(|r| selector.matches(r)) {
                if spec.path == "metadata/namespace" {
                    transform::namespace(std::slice::from_mut(resource), &value, &[], Subjects::Default, false);
                    continue;
                }
                let next = spec.visit(&resource.node, value.span, &mut |old| {
                    old.is_none_or(|old| old.as_scalar().is_some()).then(|| value.clone())
                });
                match next {
                    Some(next) => resource.node = next,
                    None => self.error(at, format!("`{}` is no scalar", spec.path)),
                }
            }
        }
    }
}
