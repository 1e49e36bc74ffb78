//! One source of settings, as written: a file, or the command line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::GlobSet;

use super::error::ConfigFile;
use super::keys::{KEYS, Key, RULES_DIRS};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text, a version, a path, a choice.
    Text(String),
    /// A flag.
    Flag(bool),
    /// A list.
    List(Vec<String>),
    /// Directories, absolute.
    Directories(Vec<PathBuf>),
    /// Severities by rule.
    Table(Vec<(String, String)>),
}

/// Who says it.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A file, on a 1-based line.
    File(Arc<ConfigFile>, usize),
    /// An option.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file, line) => write!(f, "{}:{line}", file.name()),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

impl Origin {
    /// The directory that paths are relative to; none for the command line, whose paths are relative to the working
    /// directory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::File(file, _) => file.path.parent(),
            Self::CommandLine => None,
        }
    }
}

/// A value with who says it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// Who says it.
    pub origin: Origin,
}

/// Settings for some paths.
#[derive(Clone, Debug)]
pub struct Override {
    /// Globs as written.
    pub paths: Vec<String>,
    /// The same, to match paths relative to the directory of the file.
    pub(super) globs: GlobSet,
    /// What holds there.
    pub layer: Layer,
    /// Where it stands.
    pub origin: Origin,
}

impl Override {
    /// Whether it speaks about a path (absolute, without `.` and `..`).
    pub(super) fn matches(&self, path: &Path) -> bool {
        let Some(directory) = self.origin.directory() else { return false };
        path.strip_prefix(directory).is_ok_and(|path| self.globs.is_match(path))
    }
}

/// What one source says, by key.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    entries: BTreeMap<&'static str, Entry>,
    /// `[[per-path]]`, in order.
    pub overrides: Vec<Override>,
}

impl Layer {
    /// What it says about a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    pub(super) fn put(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.entries.insert(key.name, Entry { value, origin });
    }

    /// Sets a key from the command line; a name that is no key is a mistake of the caller and does nothing.
    pub fn set(&mut self, key: &str, value: Value) {
        if let Some(key) = KEYS.iter().find(|k| k.name == key) {
            self.put(key, value, Origin::CommandLine);
        }
    }

    /// Lays `above` over it: what that says wins. Severities and directories of rules are joined, `[[per-path]]` of both
    /// holds.
    pub(super) fn lay(&mut self, above: Self) {
        for (name, mut entry) in above.entries {
            if let (Some(Entry { value: Value::Table(below), .. }), Value::Table(rows)) =
                (self.entries.get(name), &mut entry.value)
            {
                let mut kept = below.clone();
                kept.retain(|(rule, _)| !rows.iter().any(|(r, _)| r == rule));
                rows.splice(0..0, kept);
            }
            if let (Some(Entry { value: Value::Directories(below), .. }), Value::Directories(list)) =
                (self.entries.get(name), &mut entry.value)
            {
                let mut kept = below.clone();
                kept.retain(|directory| !list.contains(directory));
                list.splice(0..0, kept);
            }
            self.entries.insert(name, entry);
        }
        self.overrides.extend(above.overrides);
    }

    /// As [`Layer::lay`] for `[[per-path]]` and for the command line, whose `ignore` adds to what is there.
    pub(super) fn lay_adding(&mut self, above: Self) {
        let ignored = match self.get("ignore") {
            Some(Entry { value: Value::List(list), .. }) => list.clone(),
            _ => Vec::new(),
        };
        self.lay(above);
        if let Some(Entry { value: Value::List(list), .. }) = self.entries.get_mut("ignore") {
            list.splice(0..0, ignored);
            let mut seen = std::collections::HashSet::new();
            list.retain(|rule| seen.insert(rule.clone()));
        }
    }

    pub(super) fn drop_key(&mut self, key: &str) {
        self.entries.remove(key);
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub(super) fn list(&self, key: &str) -> &[String] {
        match self.get(key).map(|entry| &entry.value) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// Directories of rules of the user's own.
    #[must_use]
    pub fn rules_dirs(&self) -> &[PathBuf] {
        match self.get(RULES_DIRS).map(|entry| &entry.value) {
            Some(Value::Directories(list)) => list,
            _ => &[],
        }
    }

    pub(super) fn rows(&self, key: &str) -> &[(String, String)] {
        match self.get(key).map(|entry| &entry.value) {
            Some(Value::Table(rows)) => rows,
            _ => &[],
        }
    }
}
