//! Lists that merge by keys, step by step as kustomize goes about it (`kyaml/yaml/walk/associative_sequence.go` and
//! `ElementSetter` in `kyaml/yaml/fns.go`): with several keys, of which items may lack some, what comes out follows from the
//! steps alone.

use crate::yaml::Node;

/// Text of a field that is there; a field without a scalar has none.
fn text<'a>(item: &'a Node, key: &str) -> Option<&'a str> {
    item.get(key).map(|value| value.as_scalar().map_or("", |scalar| &*scalar.value))
}

/// The value of each key, empty for one that is absent.
fn values_of(item: &Node, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| text(item, key).unwrap_or_default().to_owned()).collect()
}

/// Two values that differ only where one of them has nothing are one, if they have something in common.
fn joined(a: &[String], b: &[String]) -> Option<Vec<String>> {
    let mut common = false;
    let both: Option<Vec<String>> = a
        .iter()
        .zip(b)
        .map(|(a, b)| {
            if a == b {
                common = true;
                return Some(a.clone());
            }
            match (a.is_empty(), b.is_empty()) {
                (false, false) => None,
                (false, true) => Some(a.clone()),
                (true, _) => Some(b.clone()),
            }
        })
        .collect();
    both.filter(|_| common)
}

/// Puts an item in the place of every item that the keys select, or behind all; without an item it takes those away.
/// Items that are null or empty go either way.
fn set(list: &mut Vec<Node>, keys: &[&str], values: &[String], item: Option<&Node>) {
    let by_map = keys.first().is_some_and(|key| !key.is_empty()) && values.first().is_some_and(|v| !v.is_empty());
    let mut found_any = false;
    let mut out = Vec::with_capacity(list.len() + 1);
    for old in list.drain(..) {
        if old.is_null() || old.as_map().is_some_and(|map| map.entries.is_empty()) {
            continue;
        }
        if old.as_map().is_none() && by_map {
            out.push(old);
            continue;
        }
        // A key beyond the values repeats what was found for the one before it.
        let mut last = false;
        let found = keys.iter().enumerate().all(|(n, key)| {
            if let Some(value) = values.get(n) {
                last = text(&old, key).is_some_and(|have| value.is_empty() || have == value);
            }
            last
        });
        if !found {
            if !values.is_empty() {
                out.push(old);
            }
            continue;
        }
        found_any = true;
        out.extend(item.cloned());
    }
    if let Some(item) = item.filter(|_| !found_any) {
        out.push(item.clone());
    }
    *list = out;
}

/// The keys that any of the values has, and what these values are for one of them.
fn carried<'a>(all: &[Vec<String>], values: &[String], keys: &[&'a str]) -> (Vec<&'a str>, Vec<String>) {
    let has = |n: usize| all.iter().any(|values| values.get(n).is_some_and(|v| !v.is_empty()));
    if !(0..keys.len()).any(has) {
        return (keys.to_vec(), values.to_vec());
    }
    let keep = |n: &usize| has(*n);
    (
        (0..keys.len()).filter(keep).map(|n| keys[n]).collect(),
        (0..keys.len()).filter(keep).map(|n| values[n].clone()).collect(),
    )
}

/// Where the first item with exactly these values stands.
fn position(list: &[Node], keys: &[&str], values: &[String]) -> Option<usize> {
    let (keys, values) = carried(&[values.to_vec()], values, keys);
    list.iter().position(|item| {
        item.as_map().is_some() && keys.iter().zip(&values).all(|(key, value)| text(item, key) == Some(value))
    })
}

/// What an old and a new item come to.
pub(super) type Merged<'a> = &'a mut dyn FnMut(Option<&Node>, Option<&Node>) -> Option<Node>;

/// The merged list. `merge` gives what an old and a new item come to, of which at least one is there.
pub(super) fn merge(old: &[Node], new: &[Node], keys: &[&str], merge: Merged<'_>) -> Vec<Node> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for item in new.iter().chain(old) {
        let values = values_of(item, keys);
        if !all.contains(&values) {
            all.push(values);
        }
    }
    if keys.len() > 1 {
        for i in 0..all.len() {
            for j in 0..all.len() {
                if let Some(values) = joined(&all[i], &all[j]) {
                    all[i].clone_from(&values);
                    all[j] = values;
                }
            }
        }
    }
    let mut rest = old.to_vec();
    let mut out = Vec::with_capacity(old.len() + new.len());
    let mut last: Vec<&str> = Vec::new();
    for values in &all {
        let (keys, values) = carried(&all, values, keys);
        let (mine, patch) = (position(&rest, &keys, &values), position(new, &keys, &values));
        let merged = match (mine.map(|n| &rest[n]), patch.map(|n| &new[n])) {
            (None, None) => None,
            (mine, patch) => merge(mine, patch),
        };
        let merged = merged.filter(|item| !item.is_null() && !item.as_map().is_some_and(|m| m.entries.is_empty()));
        match merged {
            None => set(&mut rest, &keys, &values, None),
            Some(mut item) => {
                for (key, value) in keys.iter().zip(&values) {
                    if item.get(key).is_none() && !value.is_empty() {
                        let span = item.span;
                        item = super::edit::insert(
                            &item,
                            super::edit::entry(key, super::names::string(value, span), span),
                        );
                    }
                }
                // Merging happens in place: the old item is the merged one from here on.
                if let Some(n) = mine {
                    rest[n] = item.clone();
                }
                set(&mut out, &keys, &values, Some(&item));
            }
        }
        last = keys;
    }
    for item in &rest {
        let mut values = Vec::new();
        for key in &last {
            match text(item, key) {
                Some(value) => values.push(value.to_owned()),
                None => out.push(item.clone()),
            }
        }
        if last.len() > 1 {
            set(&mut out, &last, &values, None);
        }
        set(&mut out, &last, &values, Some(item));
    }
    out
}
