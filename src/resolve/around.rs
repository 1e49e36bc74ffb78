//! Every object of a run, found by kind, by name, and by the directory it lies in.

use std::collections::HashSet;

use rustc_hash::FxHashMap;

use super::memo::Memo;
use crate::manifest::Object;
use crate::source::Sources;

/// All objects of a run. A rule that asks it for every file must not look at every object: a tree of ten thousand
/// manifests would be looked at ten thousand times.
#[derive(Debug, Default)]
pub struct Around {
    objects: Vec<Object>,
    kinds: FxHashMap<String, Kind>,
    memory: Memo,
}

#[derive(Debug, Default)]
struct Kind {
    /// File names, sorted, with indices into `objects`.
    files: Vec<(String, usize)>,
    /// Names of the objects.
    names: HashSet<String>,
}

impl Around {
    /// Indexes objects by the names of their files.
    #[must_use]
    pub fn new(objects: Vec<Object>, sources: &Sources) -> Self {
        let mut kinds: FxHashMap<String, Kind> = FxHashMap::default();
        for (index, object) in objects.iter().enumerate() {
            let kind = match kinds.get_mut(&object.kind) {
                Some(kind) => kind,
                None => kinds.entry(object.kind.clone()).or_default(),
            };
            kind.files.push((sources.get(object.file).name.clone(), index));
            kind.names.insert(object.name.clone());
        }
        for kind in kinds.values_mut() {
            crate::source::order(&mut kind.files, Ord::cmp);
        }
        Self { objects, kinds, memory: Memo::default() }
    }

    /// Objects of a kind in a directory or below it, with the names of their files; the empty directory is all of them.
    pub fn below<'a>(&'a self, kind: &str, directory: &str) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        self.starting(kind, prefix)
    }

    fn starting<'a>(&'a self, kind: &str, prefix: String) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let files = self.kinds.get(kind).map_or(&[][..], |kind| &kind.files);
        let from = files.partition_point(|(name, _)| *name < prefix);
        files[from..]
            .iter()
            .take_while(move |(name, _)| name.starts_with(&prefix))
            .map(|(name, index)| (name.as_str(), &self.objects[*index]))
    }

    /// What was found out about all of it.
    #[must_use]
    pub const fn memo(&self) -> &Memo {
        &self.memory
    }

    /// Whether there is an object of that kind and name.
    #[must_use]
    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.kinds.get(kind).is_some_and(|kind| kind.names.contains(name))
    }

    /// Whether there is any object of that kind.
    #[must_use]
    pub fn any(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind)
    }
}

impl std::ops::Deref for Around {
    type Target = [Object];
    fn deref(&self) -> &[Object] {
        &self.objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{self, Limits};

    #[test]
    fn directories_are_ranges() {
        let sources = Sources::new();
        let mut objects = Vec::new();
        for name in ["a/b/x.yaml", "a/b.yaml", "a/c/y.yaml", "ab/z.yaml", "top.yaml"] {
            let text = format!("kind: Job\nmetadata: {{name: {name:?}}}\n---\nkind: Pod\nmetadata: {{name: p}}\n");
            let file = sources.add(name.to_owned(), None, text);
            objects.extend(yaml::parse(&file, &Limits::default()).documents.iter().flat_map(Object::of_document));
        }
        objects.reverse();
        let around = Around::new(objects, &sources);
        let below = |dir: &str| around.below("Job", dir).map(|(_, o)| o.name.as_str()).collect::<Vec<_>>();
        assert_eq!(below("a"), ["a/b.yaml", "a/b/x.yaml", "a/c/y.yaml"]);
        assert_eq!(below("a/b"), ["a/b/x.yaml"]);
        assert_eq!(below("").len(), 5);
        assert_eq!(below("b"), [""; 0]);
        assert_eq!(around.below("Service", "a").count(), 0);
        assert!(around.has("Job", "top.yaml") && !around.has("Pod", "top.yaml") && around.any("Pod"));
        assert_eq!(around.len(), 10);
    }
}
