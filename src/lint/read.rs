//! Inputs to text: which files there are, and what they hold.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::load::Loaded;
use super::{Crash, Input, Options, kustomize, problem};
use crate::finding::Finding;
use crate::source::{SourceFile, Sources, Span};
use crate::yaml::Limits;

/// A file to read.
pub(super) enum File {
    Disk { path: PathBuf, explicit: bool },
    Memory { bytes: Vec<u8>, path: Option<PathBuf> },
}

/// What the inputs come to.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<File>,
    pub(super) failed: Vec<Failed>,
}

/// An input that could not be read.
pub(super) struct Failed {
    rule: &'static str,
    name: String,
    path: Option<PathBuf>,
    message: String,
    /// What can be shown of it, and where in that the trouble is.
    shown: String,
    at: u32,
}

pub(super) enum Error {
    Failed(Failed),
    Crash(Crash),
}

impl Failed {
    fn unreadable(path: &Path, message: String) -> Self {
        Self { rule: "unreadable", name: name(path), path: Some(path.to_owned()), message, shown: String::new(), at: 0 }
    }

    /// Reports it, with a file of its own to point at.
    pub(super) fn finding(self, sources: &Sources) -> Finding {
        let file = sources.add(self.name, self.path.as_deref(), self.shown);
        let (label, help) = match self.rule {
            "not-utf8" => ("the first byte that is no UTF-8", "convert the file to UTF-8"),
            "too-large" => ("not read", "split the file, or leave it out of the run"),
            _ => ("not read", "mend the path or its permissions, or leave it out of the run"),
        };
        problem::reader(self.rule, Span::new(file.id, self.at, self.at), self.message, label, help.to_owned())
    }
}

/// Lists the files that the inputs name, each once, sorted by path.
pub(super) fn discover(inputs: &[Input], options: &Options) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for input in inputs {
        match input {
            Input::Bytes { bytes, path } => {
                found.files.push(File::Memory { bytes: bytes.clone(), path: path.clone() });
            }
            Input::Path(path) => match std::fs::metadata(path) {
                Ok(meta) if meta.is_dir() => walk(path, options, &mut seen, &mut found),
                Ok(_) => {
                    if seen.insert(kustomize::normal(path)) {
                        found.files.push(File::Disk { path: path.clone(), explicit: true });
                    }
                }
                Err(error) => found.failed.push(Failed::unreadable(path, format!("cannot read it: {error}"))),
            },
        }
    }
    found
}

fn walk(root: &Path, options: &Options, seen: &mut HashSet<PathBuf>, found: &mut Found) {
    let mut builder = ignore::WalkBuilder::new(root);
    builder.standard_filters(!options.no_ignore).require_git(false).sort_by_file_path(Ord::cmp);
    for entry in builder.build() {
        match entry {
            Ok(entry) => {
                let path = entry.path();
                if !path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                    continue;
                }
                // Links to files are followed, links to directories are not: they may lead anywhere, in circles too.
                match std::fs::metadata(path) {
                    Ok(meta) if meta.is_file() => {
                        if seen.insert(kustomize::normal(path)) {
                            found.files.push(File::Disk { path: path.to_owned(), explicit: false });
                        }
                    }
                    Ok(_) => {}
                    Err(error) => found.failed.push(Failed::unreadable(path, format!("cannot read it: {error}"))),
                }
            }
            Err(error) => {
                let path = failed_path(&error).unwrap_or(root);
                let cause = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                found.failed.push(Failed::unreadable(path, format!("cannot read it: {cause}")));
            }
        }
    }
}

/// The path that a walk stumbled over.
fn failed_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithLineNumber { err, .. } | ignore::Error::WithDepth { err, .. } => failed_path(err),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}

/// Reads and parses one file.
pub(super) fn load(file: &File, sources: &Sources, limits: &Limits) -> Result<Loaded, Error> {
    let (file, explicit) = match file {
        File::Disk { path, explicit } => (self::file(path, sources, limits), *explicit),
        File::Memory { bytes, path } => {
            let label = path.as_deref().map_or_else(|| "<stdin>".to_owned(), name);
            (text(bytes.clone(), label, path.as_deref(), sources, limits), true)
        }
    };
    Loaded::parse(file.map_err(Error::Failed)?, explicit, limits).map_err(Error::Crash)
}

/// Reads one file from disk.
pub(super) fn file(path: &Path, sources: &Sources, limits: &Limits) -> Result<Arc<SourceFile>, Failed> {
    let fail = |error: std::io::Error| Failed::unreadable(path, format!("cannot read it: {error}"));
    let size = std::fs::metadata(path).map_err(fail)?.len();
    if size > limits.bytes as u64 {
        return Err(too_large(name(path), Some(path), limits));
    }
    text(std::fs::read(path).map_err(fail)?, name(path), Some(path), sources, limits)
}

fn text(
    bytes: Vec<u8>,
    name: String,
    path: Option<&Path>,
    sources: &Sources,
    limits: &Limits,
) -> Result<Arc<SourceFile>, Failed> {
    if bytes.len() > limits.bytes {
        return Err(too_large(name, path, limits));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(name, path, text)),
        Err(error) => {
            let at = u32::try_from(error.utf8_error().valid_up_to()).unwrap_or(u32::MAX);
            let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let message = "the file is not UTF-8".to_owned();
            Err(Failed { rule: "not-utf8", name, path: path.map(Path::to_owned), message, shown, at })
        }
    }
}

fn too_large(name: String, path: Option<&Path>, limits: &Limits) -> Failed {
    let message = format!("the file is larger than {} MiB", limits.bytes >> 20);
    Failed { rule: "too-large", name, path: path.map(Path::to_owned), message, shown: String::new(), at: 0 }
}

/// How reports name a path: relative to the working directory where it lies below it, `/`-separated.
fn name(path: &Path) -> String {
    let cwd = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&cwd).unwrap_or(path);
    let parts: Vec<_> = path.components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect();
    let path: PathBuf = parts.iter().collect();
    path.to_string_lossy().replace('\\', "/")
}
