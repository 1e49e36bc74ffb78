//! Merge keys and duplicate keys.

use rustc_hash::FxHashMap;

use super::resolve::Dialect;
use super::{Entry, Kind, Map, Node, Problem, ProblemKind};
use crate::source::Span;

/// Adds what `<<: node` brings, behind what the mapping has so far. Of a list of mappings the first wins, so it is added
/// last (go-yaml v2 `decode.go`, `merge`).
///
/// # Errors
/// When `node` is neither a mapping nor a list of mappings: what is wrong.
pub(super) fn inherit(entries: &mut Vec<Entry>, node: &Node, merge: Span) -> Result<(), &'static str> {
    let mut add = |map: &Map| {
        entries.extend(map.entries.iter().map(|entry| Entry { inherited: Some(merge), ..entry.clone() }));
    };
    match &*node.kind {
        Kind::Map(map) => add(map),
        Kind::Seq(items) => {
            for item in items.iter().rev() {
                match &*item.kind {
                    Kind::Map(map) => add(map),
                    _ => return Err("`<<` takes a mapping or a list of mappings"),
                }
            }
        }
        Kind::Scalar(_) => return Err("`<<` takes a mapping or a list of mappings"),
    }
    Ok(())
}

/// Leaves one entry of each key, the last, and puts own entries before inherited ones. Own keys given twice, and own
/// keys that a merge key below them overrides, are problems.
pub(super) fn settle(mut entries: Vec<Entry>, dialect: Dialect, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let merged = entries.iter().any(|e| e.inherited.is_some());
    if merged && dialect == Dialect::Python {
        // PyYAML's `flatten_mapping` puts what is inherited before all own keys.
        crate::source::order_by_key(&mut entries, |e| e.inherited.is_none());
    }
    if has_twins(&entries) {
        let mut last: FxHashMap<&str, usize> = FxHashMap::default();
        let mut first: FxHashMap<&str, usize> = FxHashMap::default();
        for (at, entry) in entries.iter().enumerate() {
            last.insert(&entry.key.name, at);
            if entry.inherited.is_some() {
                continue;
            }
            if let Some(&first) = first.get(&*entry.key.name) {
                problems.push(Problem {
                    kind: ProblemKind::DuplicateKey,
                    message: format!("key `{}` is given twice; the last one wins", entry.key.name),
                    span: entry.key.span,
                    related: Some((entries[first].key.span, "first given here".to_owned())),
                });
            } else {
                first.insert(&entry.key.name, at);
            }
        }
        for (at, entry) in entries.iter().enumerate() {
            let winner = &entries[last[&*entry.key.name]];
            if let (None, Some(merge)) = (entry.inherited, winner.inherited)
                && first[&*entry.key.name] == at
            {
                problems.push(Problem {
                    kind: ProblemKind::DuplicateKey,
                    message: format!("this merge key overrides key `{}` above it; the last one wins", entry.key.name),
                    span: merge,
                    related: Some((entry.key.span, "given here".to_owned())),
                });
            }
        }
        let keep: Vec<bool> = entries.iter().enumerate().map(|(at, e)| last[&*e.key.name] == at).collect();
        let mut keep = keep.into_iter();
        entries.retain(|_| keep.next().unwrap_or(true));
    }
    if merged {
        crate::source::order_by_key(&mut entries, |e| e.inherited.is_some());
    }
    entries
}

fn has_twins(entries: &[Entry]) -> bool {
    if entries.len() <= 12 {
        return entries
            .iter()
            .enumerate()
            .any(|(at, e)| entries[..at].iter().any(|before| before.key.name == e.key.name));
    }
    let mut seen = rustc_hash::FxHashSet::default();
    entries.iter().any(|e| !seen.insert(&*e.key.name))
}
