//! Functional edits on trees: each returns a new tree that shares what it left alone, so every node keeps its own origin.

use std::sync::Arc;

use crate::source::Span;
use crate::yaml::{Entry, Key, Kind, Map, Node};

/// A node with other content at the same place.
pub(super) fn with_kind(node: &Node, kind: Kind) -> Node {
    Node { span: node.span, marks: node.marks.clone(), kind: Arc::new(kind) }
}

/// An empty mapping that stands for `span`.
pub(super) fn empty_map(span: Span) -> Node {
    node(Kind::Map(Map::default()), span)
}

/// A node that stands for `span`.
pub(super) fn node(kind: Kind, span: Span) -> Node {
    Node { span, marks: None, kind: Arc::new(kind) }
}

/// An entry whose key is not written anywhere but stands for `span`.
pub(super) fn entry(name: &str, value: Node, span: Span) -> Entry {
    Entry { key: Key { name: name.into(), span }, value, inherited: None }
}

/// The map with that key set, in place when it has it, else appended. The key keeps its old place unless `key` gives one.
pub(super) fn insert(node: &Node, new: Entry) -> Node {
    let mut map = node.as_map().cloned().unwrap_or_default();
    match map.entries.iter_mut().find(|e| e.key.name == new.key.name) {
        Some(old) => old.value = new.value,
        None => map.entries.push(new),
    }
    with_kind(node, Kind::Map(map))
}

/// The map without that key.
pub(super) fn without(node: &Node, key: &str) -> Node {
    let mut map = node.as_map().cloned().unwrap_or_default();
    map.entries.retain(|e| &*e.key.name != key);
    with_kind(node, Kind::Map(map))
}

/// A node equal to this one that is one with no other.
pub(super) fn fresh(node: &Node) -> Node {
    with_kind(node, Kind::clone(&node.kind))
}

/// The tree with the scalar `old` itself replaced wherever it stands; `None` when it stands nowhere.
pub(super) fn substitute(node: &Node, old: &Arc<Kind>, new: &dyn Fn(&Node) -> Node) -> Option<Node> {
    if Arc::ptr_eq(&node.kind, old) {
        return Some(new(node));
    }
    let mut changed = false;
    let mut next = |child: &mut Node| {
        if let Some(value) = substitute(child, old, new) {
            *child = value;
            changed = true;
        }
    };
    let kind = match &*node.kind {
        Kind::Map(map) => {
            let mut map = map.clone();
            map.entries.iter_mut().for_each(|e| next(&mut e.value));
            Kind::Map(map)
        }
        Kind::Seq(items) => {
            let mut items = items.clone();
            items.iter_mut().for_each(next);
            Kind::Seq(items)
        }
        Kind::Scalar(_) => return None,
    };
    changed.then(|| with_kind(node, kind))
}

/// The tree with every scalar of `shared` in it parted from where else it stands.
pub(super) fn detached(node: &Node, shared: &[Arc<Kind>]) -> Node {
    shared.iter().fold(node.clone(), |node, kind| substitute(&node, kind, &fresh).unwrap_or(node))
}

/// Replaces the value at a path of keys, creating mappings on the way; `span` is where created keys stand.
pub(super) fn set_at(root: &Node, path: &[&str], value: Node, span: Span) -> Node {
    let Some((key, rest)) = path.split_first() else { return value };
    let child = root.get(key).filter(|n| n.as_map().is_some()).cloned().unwrap_or_else(|| empty_map(span));
    insert(root, entry(key, set_at(&child, rest, value, span), span))
}

/// Rewrites the value of each path that a kustomize field spec names: `/`-separated keys, `key[]` or a bare key on a
/// list going into every item, `*` into every value. Missing keys are created only when `create` is set.
pub(super) fn visit(
    root: &Node,
    path: &[&str],
    create: Option<Span>,
    f: &mut dyn FnMut(Option<&Node>) -> Option<Node>,
) -> Option<Node> {
    let Some((step, rest)) = path.split_first() else { return f(Some(root)) };
    if let Some(items) = root.as_seq() {
        let mut changed = false;
        let new: Vec<Node> = items
            .iter()
            .map(|item| {
                let next = visit(item, path, create, f);
                changed |= next.is_some();
                next.unwrap_or_else(|| item.clone())
            })
            .collect();
        return changed.then(|| with_kind(root, Kind::Seq(new)));
    }
    let map = root.as_map()?;
    let key = step.trim_end_matches("[]");
    if key == "*" {
        let mut next = map.clone();
        let mut changed = false;
        for e in &mut next.entries {
            if let Some(value) = visit(&e.value, rest, create, f) {
                e.value = value;
                changed = true;
            }
        }
        return changed.then(|| with_kind(root, Kind::Map(next)));
    }
    match map.get(key) {
        Some(child) if !child.is_null() || create.is_none() => {
            let value = visit(child, rest, create, f)?;
            Some(insert(root, entry(key, value, root.span)))
        }
        _ => {
            let span = create?;
            // A list on the way cannot be made up.
            if step.ends_with("[]") {
                return None;
            }
            let value = if rest.is_empty() { f(None)? } else { visit(&empty_map(span), rest, create, f)? };
            Some(insert(root, entry(key, value, span)))
        }
    }
}
