//! Patches: strategic merges and JSON 6902, of files and written in place.

use std::path::Path;

use super::builder::Builder;
use super::path::normalize;
use super::resource::{Identity, Resource, Selector};
use super::{Undecided, edit, idle, json6902, merge, metadata};
use crate::source::{Span, Text};
use crate::yaml::Node;

impl Builder<'_> {
    /// The documents of a patch given as a path or as text.
    pub(super) fn inline_or_path(&mut self, directory: &Path, item: &Node) -> Vec<Node> {
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
    pub(super) fn inline(&mut self, item: &Node) -> Vec<Node> {
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
    pub(super) fn text_of(&self, item: &Node, text: &str) -> Text {
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

    pub(super) fn patch(&mut self, directory: &Path, item: &Node, resources: &mut Vec<Resource>) {
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

    pub(super) fn strategic(
        &mut self,
        patch: &Node,
        target: Option<&Selector>,
        resources: &mut Vec<Resource>,
        at: Span,
    ) {
        self.strategic_with(patch, target, resources, at, (false, false));
    }

    pub(super) fn strategic_with(
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
        let Some(chosen) = self.chosen(&wanted, target, resources, at) else { return };
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
                    let node = unrenamed(node, &resource.node, &old, (name_change, kind_change), at);
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

    /// The places of what a strategic merge patch is for; none when that is not one object, which is an error without a target.
    fn chosen(
        &mut self,
        wanted: &Identity,
        target: Option<&Selector>,
        resources: &[Resource],
        at: Span,
    ) -> Option<Vec<usize>> {
        let all = 0..resources.len();
        if let Some(target) = target {
            return Some(all.filter(|n| target.matches(&resources[*n])).collect());
        }
        let found: Vec<usize> = all.filter(|n| resources[*n].identities().any(|id| id.is(wanted))).collect();
        if found.len() != 1 {
            let many = if found.is_empty() { "no" } else { "more than one" };
            self.error(at, format!("{many} `{}` `{}` to patch", wanted.kind, wanted.name));
            return None;
        }
        Some(found)
    }
}

/// A patched object with what no patch changes: its namespace, and unless the patch is told so its name and kind.
fn unrenamed(mut node: Node, old: &Node, was: &Identity, (name, kind): (bool, bool), at: Span) -> Node {
    let keep = |node: Node, path: &[&str]| match old.at(path) {
        Some(value) => edit::set_at(&node, path, value.clone(), value.span),
        None => node,
    };
    if !name {
        node = keep(node, &["metadata", "name"]);
    }
    if !kind {
        node = keep(keep(node, &["kind"]), &["apiVersion"]);
    }
    if was.namespace == Identity::of(&node).namespace {
        return node;
    }
    if old.at(&["metadata", "namespace"]).is_some() {
        return keep(node, &["metadata", "namespace"]);
    }
    let metadata = edit::without(node.get("metadata").unwrap_or(&node), "namespace");
    edit::set_at(&node, &["metadata"], metadata, at)
}
