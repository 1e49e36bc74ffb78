//! The transformers that a kustomization's own fields ask for, in kustomize's order.

use std::path::Path;
use std::sync::Arc;

use super::builder::Builder;
use super::idle;
use super::replace;
use super::resource::{Resource, Selector};
use super::specs::FieldSpec;
use super::transform::{self, Affix, Subjects};
use crate::yaml::Node;

impl Builder<'_> {
    pub(super) fn transform(&mut self, directory: &Path, root: &Node, name: &str, resources: &mut Vec<Resource>) {
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
    pub(super) fn images(&mut self, resources: &mut [Resource], item: &Node, specs: &[FieldSpec]) {
        if !transform::images(resources, item, specs) {
            self.idle(|| idle::image(item, resources));
        }
    }

    /// One entry of `replacements`, or the file that has several.
    pub(super) fn replacement(&mut self, directory: &Path, item: &Node, resources: &mut [Resource]) {
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
}
