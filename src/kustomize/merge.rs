//! Strategic merge as kustomize does it (`kyaml/yaml/merge2`, list direction *prepend*): maps merge, `null` deletes,
//! scalars replace, lists merge by key where the schema says so and replace otherwise; of a merged list the patch's
//! items come first in the patch's order, then those it did not touch.

use std::sync::Arc;

use super::edit::with_kind;
use super::replaced::replaced;
use super::resource::{Changes, shares};
use super::schema::{At, ListMerge, Schema};
use super::{Remark, lists};
use crate::yaml::{Entry, Kind, Map, Node};

/// What a `$patch` directive asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(node: &Node) -> Directive {
    match node.get("$patch").and_then(Node::as_str) {
        Some("replace") => Directive::Replace,
        Some("delete") => Directive::Delete,
        _ => Directive::Merge,
    }
}

/// A patch's own content, its directives left out.
fn strip(node: &Node) -> Node {
    match &*node.kind {
        Kind::Map(map) if map.get("$patch").is_some() => {
            let entries = map.entries.iter().filter(|e| &*e.key.name != "$patch").cloned().collect();
            with_kind(node, Kind::Map(Map { entries }))
        }
        _ => node.clone(),
    }
}

/// Content that a patch adds: what it would delete is left out on the way in.
fn added(node: &Node) -> Option<Node> {
    match &*node.kind {
        Kind::Map(map) => {
            if directive(node) == Directive::Delete {
                return None;
            }
            let entries = map
                .entries
                .iter()
                .filter(|e| &*e.key.name != "$patch" && !e.value.is_null())
                .filter_map(|e| Some(Entry { value: added(&e.value)?, ..e.clone() }))
                .collect();
            Some(with_kind(node, Kind::Map(Map { entries })))
        }
        Kind::Seq(items) => {
            let items = items.iter().filter(|i| directive_only(i).is_none()).filter_map(added).collect();
            Some(with_kind(node, Kind::Seq(items)))
        }
        Kind::Scalar(_) => Some(node.clone()),
    }
}

/// The directive of a list item that holds nothing else.
fn directive_only(item: &Node) -> Option<Directive> {
    let map = item.as_map()?;
    (map.entries.len() == 1 && map.get("$patch").is_some()).then(|| directive(item))
}

/// One merge: what it knows, and what it finds to be set in place.
pub(super) struct Merge<'a> {
    /// Which lists merge by key.
    pub(super) schema: &'a Schema,
    /// Scalars of the base that are one.
    pub(super) shared: &'a [Arc<Kind>],
    /// What the patch sets them to, in the order of kustomize's walk; the tree still holds the old ones.
    pub(super) changes: Changes,
    /// Lists that the patch takes the place of, with what they lose.
    pub(super) replaced: Vec<Remark>,
}

impl<'a> Merge<'a> {
    /// A merge that has found nothing yet.
    pub(super) fn new(schema: &'a Schema, shared: &'a [Arc<Kind>]) -> Self {
        Self { schema, shared, changes: Vec::new(), replaced: Vec::new() }
    }
}

impl Merge<'_> {
    /// `base` with `patch` applied; `None` when the patch deletes it.
    pub(super) fn merge(&mut self, base: &Node, patch: &Node, at: &At) -> Option<Node> {
        match (&*base.kind, &*patch.kind) {
            (Kind::Map(old), Kind::Map(new)) => match directive(patch) {
                Directive::Delete => None,
                Directive::Replace => Some(strip(patch)),
                Directive::Merge => Some(with_kind(base, Kind::Map(self.merge_maps(old, new, at)))),
            },
            _ if shares(self.shared, base) => {
                self.changes.push((Arc::clone(&base.kind), added(patch)?));
                Some(base.clone())
            }
            _ => added(patch),
        }
    }

    fn merge_maps(&mut self, old: &Map, new: &Map, at: &At) -> Map {
        let mut out = Map { entries: Vec::with_capacity(old.entries.len() + new.entries.len()) };
        let mut order: Vec<usize> = (0..old.entries.len()).collect();
        // kustomize walks fields by name; of several values for one shared scalar the last stands.
        if !self.shared.is_empty() {
            crate::source::order(&mut order, |&a, &b| old.entries[a].key.name.cmp(&old.entries[b].key.name));
        }
        let mut merged: Vec<Option<Entry>> = vec![None; old.entries.len()];
        for n in order {
            let entry = &old.entries[n];
            let Some(written) = new.entry(&entry.key.name) else {
                merged[n] = Some(entry.clone());
                continue;
            };
            let patch = &written.value;
            if patch.is_null() {
                continue;
            }
            let child = self.schema.field(at, &entry.key.name);
            let value = match (&*entry.value.kind, &*patch.kind) {
                (Kind::Seq(items), Kind::Seq(patches)) => {
                    let how = self.schema.list(at, &entry.key.name);
                    match self.merge_lists(items, patches, &how, &self.schema.item(&child)) {
                        Some(merged) => Some(with_kind(patch, Kind::Seq(merged))),
                        // A list without a merge key is taken as it stands: directives and nulls in it stay.
                        None => {
                            self.replaced.extend(replaced(entry, written));
                            Some(patch.clone())
                        }
                    }
                }
                _ => self.merge(&entry.value, patch, &child),
            };
            merged[n] = value.map(|value| Entry { value, ..entry.clone() });
        }
        out.entries.extend(merged.into_iter().flatten());
        for entry in &new.entries {
            if &*entry.key.name == "$patch" || entry.value.is_null() || old.get(&entry.key.name).is_some() {
                continue;
            }
            if let Some(value) = added(&entry.value) {
                out.entries.push(Entry { value, ..entry.clone() });
            }
        }
        out
    }

    /// The merged list, or none when it replaces.
    fn merge_lists(&mut self, old: &[Node], new: &[Node], how: &ListMerge, item: &At) -> Option<Vec<Node>> {
        if matches!(how, ListMerge::Replace) {
            return None;
        }
        match new.iter().find_map(directive_only) {
            Some(Directive::Replace) => {
                return Some(new.iter().filter(|n| directive_only(n).is_none()).filter_map(added).collect());
            }
            Some(Directive::Delete) => return Some(Vec::new()),
            _ => {}
        }
        match how {
            ListMerge::Replace => None,
            ListMerge::Set => {
                let mut out: Vec<Node> = new.iter().filter_map(added).collect();
                for node in old {
                    if !out.iter().any(|have| have.as_text() == node.as_text()) {
                        out.push(node.clone());
                    }
                }
                Some(out)
            }
            ListMerge::ByKeys(keys) => {
                if !old.iter().chain(new).any(|n| keys.iter().any(|k| n.get(k).is_some())) {
                    return None;
                }
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                // A list that is empty or absent is merged with the patch's own.
                let old = if old.is_empty() { new } else { old };
                Some(lists::merge(old, new, &keys, &mut |mine, patch| match (mine, patch) {
                    (Some(mine), Some(patch)) => self.merge(mine, patch, item),
                    (mine, patch) => mine.cloned().or_else(|| added(patch?)),
                }))
            }
        }
    }
}
