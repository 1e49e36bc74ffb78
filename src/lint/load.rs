//! From inputs to parsed files: what is read, what is skipped and why.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::check::guard;
use super::kustomize::{self, Patches};
use super::reader::Reader;
use super::{Crash, SkipReason};
use crate::manifest::{Object, trtllm_configs};
use crate::source::{self, SourceFile, Sources, name_len};
use crate::yaml::{self, Limits, Node, ProblemKind, Stream, Values};

/// Most files that are read beside one that was named by itself.
const SIBLINGS: usize = 64;

/// One file, parsed.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) file: Arc<SourceFile>,
    pub(super) stream: Stream,
    pub(super) objects: Vec<Object>,
    /// Engine configs that stand in it as documents of their own.
    pub(super) configs: Vec<Node>,
    /// Its path without `.` and `..`, when it lies on disk.
    pub(super) path: Option<PathBuf>,
    /// Named by the user, not found by walking.
    pub(super) explicit: bool,
    /// Whether a kustomization adds to it what cannot be seen here.
    pub(super) partial: bool,
}

impl Loaded {
    pub(super) fn parse(
        file: Arc<SourceFile>,
        explicit: bool,
        limits: &Limits,
        values: &Values,
    ) -> Result<Self, Crash> {
        let parsed = guard(|| {
            let mut stream = yaml::parse(&file, limits);
            yaml::fill(&mut stream, &file, values, limits);
            let objects = stream.documents.iter().flat_map(Object::of_document);
            let objects = objects.filter(|object| !object.api_version.is_empty() || object.is_half_graph()).collect();
            let roots = stream.documents.iter().filter_map(|document| document.root.as_ref());
            let configs = roots.flat_map(trtllm_configs).collect();
            (stream, objects, configs)
        });
        match parsed {
            Ok((stream, objects, configs)) => {
                let path = file.path.as_deref().map(source::normal);
                Ok(Self { file, stream, objects, configs, path, explicit, partial: false })
            }
            Err(message) => Err(Crash { path: file.name.clone(), rule: None, message }),
        }
    }

    /// Directory it lies in; none for standard input without a name.
    pub(super) fn dir(&self) -> Option<PathBuf> {
        Some(self.path.as_deref()?.parent()?.to_owned())
    }

    /// Why it is not to be judged, if so.
    pub(super) fn skip(&self, patches: &Patches) -> Option<SkipReason> {
        let broken = |kind: ProblemKind| self.stream.problems.iter().any(|problem| problem.kind == kind);
        if broken(ProblemKind::Syntax) && (is_template(&self.file.text) || is_sound_when_filled(&self.file.text)) {
            return Some(SkipReason::Template);
        }
        if self.path.as_deref().is_some_and(|path| patches.has(path)) {
            return Some(SkipReason::KustomizePatch);
        }
        // What cannot be read may have been a manifest: it is one when the user says so or when it looks like one.
        let unread = self.stream.problems.iter().any(|problem| problem.kind != ProblemKind::DuplicateKey);
        let looks = || ["apiVersion:", "kind:"].iter().all(|key| self.file.text.contains(key));
        let nothing = self.objects.is_empty() && self.configs.is_empty();
        (nothing && !(unread && (self.explicit || looks()))).then_some(SkipReason::NotAManifest)
    }
}

/// Whether a text that is no YAML is a template: Helm and Jinja actions, or a line that is nothing but a placeholder
/// (`${EXTRA_ARGS}` for envsubst).
fn is_template(text: &str) -> bool {
    let placeholder = |line: &str| {
        let line = line.trim().trim_start_matches("- ");
        line.strip_prefix("${").and_then(|l| l.strip_suffix('}')).is_some_and(|name| !name.contains(['{', '}']))
    };
    text.contains("{{") || text.contains("{%") || text.lines().any(placeholder)
}

/// Whether a text that is no YAML becomes YAML when its `${NAME}` are filled, as in `{zone: ${ZONE}}`.
fn is_sound_when_filled(text: &str) -> bool {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let len = name_len(after);
        if len > 0 && after[len..].starts_with('}') {
            filled.extend(std::iter::repeat_n('x', len));
            rest = &after[len + 1..];
        } else {
            filled.push_str("${");
            rest = after;
        }
    }
    if filled.is_empty() {
        return false;
    }
    filled.push_str(rest);
    let file = Sources::new().add(String::new(), None, filled);
    yaml::parse(&file, &Limits::default()).problems.iter().all(|problem| problem.kind != ProblemKind::Syntax)
}

/// The patches that kustomizations among the files name, and those around files that were named by themselves.
pub(super) fn patches(loaded: &[Loaded], reader: &Reader<'_>) -> Patches {
    let mut patches = Patches::default();
    let mut add = |file: &Loaded| {
        if let Some(path) = file.file.path.as_deref() {
            for root in file.stream.documents.iter().filter_map(|document| document.root.as_ref()) {
                patches.add(path, root);
            }
        }
    };
    let mut seen = HashSet::new();
    for file in loaded {
        if let Some(path) = file.path.as_deref()
            && kustomize::is_kustomization(path)
        {
            seen.insert(path.to_owned());
            add(file);
        }
    }
    let mut dirs = HashSet::new();
    for file in loaded.iter().filter(|file| file.explicit) {
        let Some(path) = file.file.path.as_deref() else { continue };
        if !file.dir().is_some_and(|dir| dirs.insert(dir)) {
            continue;
        }
        for path in kustomize::around(path, reader.sources.buffers()) {
            if !seen.insert(path.clone()) {
                continue;
            }
            // Only its list of patches is of interest: it is not linted, and what is wrong with it is not said.
            let scratch = Sources::over(reader.sources.buffers().clone());
            if let Ok(file) = reader.aside(&scratch).load(&path, false) {
                add(&file);
            }
        }
    }
    patches
}

/// Objects of the files that lie beside the linted ones but were not named: a ComputeDomain or a kustomization may lie
/// there. Only for directories with a file that was named by itself; a walked directory has all its files among
/// `loaded` already.
pub(super) fn siblings(loaded: &[Loaded], patches: &Patches, reader: &Reader<'_>) -> BTreeMap<PathBuf, Vec<Object>> {
    let mut found = BTreeMap::new();
    if !loaded.iter().any(|file| file.explicit) {
        return found;
    }
    let known: HashSet<PathBuf> = loaded.iter().filter_map(|f| f.path.clone()).collect();
    for file in loaded.iter().filter(|file| file.explicit && !file.objects.is_empty()) {
        let Some(dir) = file.dir().filter(|dir| !found.contains_key(dir)) else { continue };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
            .filter(|path| !known.contains(path) && !patches.has(path))
            .take(SIBLINGS)
            .collect();
        source::order(&mut paths, Ord::cmp);
        let objects = paths.iter().filter_map(|path| reader.load(path, false).ok()).flat_map(|file| file.objects);
        let objects = objects.collect();
        found.insert(dir, objects);
    }
    found
}
