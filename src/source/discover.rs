//! Which files there are: what the user named, and what lies in the directories they named.

use std::collections::hash_map::Entry;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use ignore::gitignore::Gitignore;
use ignore::{WalkBuilder, WalkState};
use rustc_hash::FxHashMap;

use super::{Failure, FailureKind, display_name, normal};

/// How to walk.
#[derive(Clone, Copy, Debug, Default)]
pub struct WalkOptions {
    /// Walk into what `.gitignore`, `.ignore` and the like exclude, and into what is hidden. `.git` stays out.
    pub no_ignore: bool,
    /// Threads to walk with; 0 takes one per core.
    pub threads: usize,
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies, as named or as found below what was named; `None` for standard input (`-`).
    pub path: Option<PathBuf>,
    /// Whether it was named itself, not found by walking.
    pub explicit: bool,
}

/// What the named paths come to.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// Files, standard input first and then by path, each once.
    pub files: Vec<Found>,
    /// What was named and is not there, and what could not be walked.
    pub failures: Vec<Failure>,
    /// Directories that were walked.
    pub directories: usize,
    /// Things with the name of a YAML file that are no files: pipes, sockets, dangling links.
    pub passed_over: usize,
}

/// Lists the files that `paths` name. A file is taken whatever it is called; a directory is walked for `*.yaml` and
/// `*.yml`, links to directories inside it left alone. `-` is standard input. The same file named twice, also through a
/// link, is listed once.
#[must_use]
pub fn discover(paths: &[PathBuf], options: WalkOptions) -> Discovery {
    let mut out = Discovery::default();
    let mut named = Named::default();
    // What one walk meets without links, it meets once.
    let alone = paths.len() == 1;
    let mut stdin = false;
    for path in paths {
        if path.as_os_str() == "-" {
            stdin = true;
            continue;
        }
        let (meta, real) = match std::fs::metadata(path).and_then(|meta| Ok((meta, real_path(path)?))) {
            Ok(both) => both,
            Err(error) => {
                out.failures.push(Failure::io(display_name(path), Some(path), &error));
                continue;
            }
        };
        if !meta.is_dir() {
            named.add(real, Found { path: Some(path.clone()), explicit: true });
            continue;
        }
        let walked = if options.no_ignore { everything(path) } else { tracked(path, options.threads) };
        let linked = walked.iter().any(|step| matches!(step, Step::File(_, true)));
        for step in walked {
            match step {
                Step::Directory => out.directories += 1,
                Step::File(file, _) if alone && !linked => out.files.push(Found { path: Some(file), explicit: false }),
                Step::File(file, link) => {
                    let real = match (link, file.strip_prefix(path)) {
                        (false, Ok(rest)) => real.join(rest),
                        _ => real_path(&file).unwrap_or_else(|_| file.clone()),
                    };
                    named.add(real, Found { path: Some(file), explicit: false });
                }
                Step::NoFile => out.passed_over += 1,
                Step::Failure(failure) => out.failures.push(failure),
            }
        }
    }
    out.files.extend(named.files.into_values());
    if stdin {
        out.files.push(Found { path: None, explicit: true });
    }
    // By their parts, as paths are ordered; comparing them part by part would be most of the work.
    let parts = |found: &Found| {
        let parts = found.path.as_deref()?.components();
        Some(parts.map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>())
    };
    let mut files: Vec<_> = out.files.into_iter().map(|found| (parts(&found), found)).collect();
    super::order(&mut files, |(a, _), (b, _)| a.cmp(b));
    out.files = files.into_iter().map(|(_, found)| found).collect();
    super::order(&mut out.failures, |a, b| a.name.cmp(&b.name));
    out
}

/// Files by where they really lie, spelled as the system spells it.
#[derive(Default)]
struct Named {
    files: FxHashMap<OsString, Found>,
}

impl Named {
    /// Keeps one of two names of a file: that which the user gave first, then the first in order.
    fn add(&mut self, real: PathBuf, found: Found) {
        match self.files.entry(real.into_os_string()) {
            Entry::Vacant(slot) => {
                slot.insert(found);
            }
            Entry::Occupied(mut slot) => {
                let have = slot.get();
                let better = !have.explicit && (found.explicit || found.path < have.path);
                if better {
                    slot.insert(found);
                }
            }
        }
    }
}

/// A pipe from the shell (`<(helm template …)`) has no path that can be resolved further.
fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.exists() => Ok(path.to_owned()),
        result => result,
    }
}

/// What a walk comes across.
enum Step {
    Directory,
    /// A file, and whether it was reached through a link.
    File(PathBuf, bool),
    NoFile,
    Failure(Failure),
}

impl Step {
    fn of(path: PathBuf, kind: Option<std::fs::FileType>) -> Option<Self> {
        let kind = kind?;
        if kind.is_dir() {
            return Some(Self::Directory);
        }
        if !path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            return None;
        }
        if kind.is_symlink() {
            return match std::fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => None,
                Ok(meta) if meta.is_file() => Some(Self::File(path, true)),
                _ => Some(Self::NoFile),
            };
        }
        Some(if kind.is_file() { Self::File(path, false) } else { Self::NoFile })
    }
}

/// Entries of a walk from which on it pays to walk with several threads: they wait for each other a millisecond at a time.
const LARGE: usize = 4096;

/// All but what ignore files exclude and what is hidden.
fn tracked(root: &Path, threads: usize) -> Vec<Step> {
    let alone = if threads == 1 { usize::MAX } else { LARGE };
    walked(root, 1, alone).or_else(|| walked(root, threads, usize::MAX)).unwrap_or_default()
}

/// The steps of such a walk, unless it comes across more than so many entries.
fn walked(root: &Path, threads: usize, most: usize) -> Option<Vec<Step>> {
    let (send, receive) = mpsc::channel();
    let seen = AtomicUsize::new(0);
    let walker = WalkBuilder::new(root).require_git(false).threads(threads).build_parallel();
    walker.run(|| {
        let (send, seen) = (send.clone(), &seen);
        Box::new(move |entry| {
            let step = match entry {
                Ok(entry) => {
                    let kind = entry.file_type();
                    Step::of(entry.into_path(), kind)
                }
                Err(error) => Some(Step::Failure(walk_failure(&error, root))),
            };
            // The receiver outlives the walk.
            if let Some(step) = step {
                let _ = send.send(step);
            }
            if seen.fetch_add(1, Ordering::Relaxed) < most { WalkState::Continue } else { WalkState::Quit }
        })
    });
    drop(send);
    (seen.into_inner() <= most).then(|| receive.into_iter().collect())
}

/// All but `.git`.
fn everything(root: &Path) -> Vec<Step> {
    let walk = walkdir::WalkDir::new(root).into_iter().filter_entry(|e| e.depth() == 0 || e.file_name() != ".git");
    walk.filter_map(|entry| match entry {
        Ok(entry) => {
            let kind = entry.file_type();
            let kind =
                if entry.depth() == 0 { std::fs::metadata(entry.path()).map_or(kind, |m| m.file_type()) } else { kind };
            Step::of(entry.into_path(), Some(kind))
        }
        Err(error) => {
            let path = error.path().unwrap_or(root);
            let kind = FailureKind::Unreadable(error.io_error().map_or_else(|| error.to_string(), super::read::reason));
            Some(Step::Failure(Failure { name: display_name(path), path: Some(path.to_owned()), kind }))
        }
    })
    .collect()
}

/// Whether the `.gitignore` of a directory above excludes a path, up to the repository's own.
#[must_use]
pub fn is_ignored(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return false };
    let path = normal(&path);
    for directory in path.ancestors().skip(1) {
        let (ignored, _) = Gitignore::new(directory.join(".gitignore"));
        if ignored.matched_path_or_any_parents(&path, false).is_ignore() {
            return true;
        }
        if directory.join(".git").exists() {
            break;
        }
    }
    false
}

fn walk_failure(error: &ignore::Error, root: &Path) -> Failure {
    let path = path_of(error).unwrap_or(root);
    let reason = error.io_error().map_or_else(|| error.to_string(), super::read::reason);
    Failure { name: display_name(path), path: Some(path.to_owned()), kind: FailureKind::Unreadable(reason) }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Loop { child, .. } => Some(child),
        _ => None,
    }
}
