//! Inputs to parsed files, and what could not be read to findings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::load::Loaded;
use super::reader::{Error, Reader};
use super::{Input, Options, problem};
use crate::finding::Finding;
use crate::source::{
    self, Buffers, Discovery, Failure, FailureKind, Found, SourceFile, Sources, Span, WalkOptions, display_name,
};

/// One thing to read.
pub(super) enum Item {
    /// On disk, or standard input.
    Found(Found),
    /// In memory: bytes, and where they would lie.
    Memory(Vec<u8>, Option<PathBuf>),
}

/// What the inputs come to.
#[derive(Default)]
pub(super) struct Items {
    pub(super) items: Vec<Item>,
    pub(super) failures: Vec<Failure>,
    pub(super) passed_over: usize,
}

/// Lists what the inputs name, each file once.
pub(super) fn discover(inputs: &[Input], options: &Options) -> Items {
    let mut items = Vec::new();
    let mut paths = Vec::new();
    for input in inputs {
        match input {
            Input::Bytes { bytes, path } => items.push(Item::Memory(bytes.clone(), path.clone())),
            Input::Path(path) => paths.push(path.clone()),
        }
    }
    let walk = WalkOptions { no_ignore: options.no_ignore, threads: options.threads };
    let mut found = source::discover(&paths, walk);
    only_in_memory(&paths, &options.buffers, &mut found);
    items.extend(found.files.into_iter().map(Item::Found));
    Items { items, failures: found.failures, passed_over: found.passed_over }
}

/// Adds the files that `paths` name and that lie only in memory: what an editor has not saved yet.
fn only_in_memory(paths: &[PathBuf], buffers: &Buffers, found: &mut Discovery) {
    if buffers.is_empty() {
        return;
    }
    found.failures.retain(|failure| {
        let Some(path) = failure.path.as_deref().filter(|path| buffers.get(path).is_some()) else { return true };
        found.files.push(Found { path: Some(path.to_owned()), explicit: true });
        false
    });
    let yaml = |path: &&Path| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    for directory in paths.iter().filter(|path| path.is_dir()) {
        let new = buffers.below(directory).filter(yaml).filter(|path| !path.exists());
        let new: Vec<Found> = new.map(|path| Found { path: Some(path.to_owned()), explicit: false }).collect();
        found.files.extend(new);
    }
    source::order(&mut found.files, |a, b| a.path.cmp(&b.path));
    found.files.dedup_by(|a, b| a.path == b.path);
}

/// Reads and parses one of them.
pub(super) fn load(item: &Item, reader: &Reader<'_>) -> Result<Loaded, Error> {
    let (sources, limits) = (reader.sources, reader.limits);
    let (file, explicit) = match item {
        Item::Found(Found { path: Some(path), explicit }) => return reader.load(path, *explicit),
        Item::Found(found) => (found.read(sources, limits.bytes), found.explicit),
        Item::Memory(bytes, path) => {
            let name = path.as_deref().map_or_else(|| "<stdin>".to_owned(), display_name);
            (source::text(bytes.clone(), name, path.as_deref(), sources, limits.bytes), true)
        }
    };
    Loaded::parse(file.map_err(Error::Failure)?, explicit, limits, reader.values).map_err(Error::Crash)
}

/// The finding that a failure is reported as, with a file of its own to point at.
pub(super) fn finding(failure: &Failure, sources: &Sources) -> Finding {
    let path = failure.path.as_deref();
    let (rule, message, label, help, file, at) = match &failure.kind {
        FailureKind::Missing | FailureKind::Unreadable(_) => (
            "unreadable",
            format!("cannot read `{}`: {failure}", failure.name),
            "not read",
            "mend the path or its permissions, or leave it out of the run",
            sources.add(failure.name.clone(), path, ""),
            0,
        ),
        FailureKind::TooLarge { limit } => (
            "too-large",
            format!("the file is larger than {} MiB", limit >> 20),
            "not read",
            "split the file, or leave it out of the run",
            sources.add(failure.name.clone(), path, ""),
            0,
        ),
        FailureKind::NotUtf8 { offset, line, instead } => {
            let (file, at) = lossy(failure, *offset, *line, sources);
            let message = match instead {
                Some(what) => format!("the file is {what}, not UTF-8"),
                None => "the file is not UTF-8".to_owned(),
            };
            ("not-utf8", message, "the first byte that is no UTF-8 text", "convert the file to UTF-8", file, at)
        }
    };
    problem::reader(rule, Span::new(file.id, at, at), message, label, help.to_owned())
}

/// What can be shown of a file that is no UTF-8, and where in that the trouble starts. What stands before is valid, so
/// its offset stays.
fn lossy(failure: &Failure, offset: u32, line: u32, sources: &Sources) -> (Arc<SourceFile>, u32) {
    let path: Option<&Path> = failure.path.as_deref();
    let end = offset as usize;
    match path.and_then(|path| std::fs::read(path).ok()).and_then(|bytes| {
        // The rest of the line is enough; a NUL would not print well.
        let rest = bytes.get(end..)?.split(|&b| b == b'\n').next()?;
        let text = [bytes.get(..end)?, &rest[..rest.len().min(80)]].concat();
        Some(String::from_utf8_lossy(&text).replace('\0', "\u{fffd}"))
    }) {
        Some(text) => (sources.add(failure.name.clone(), path, text), offset),
        // Standard input is gone; its line number is not.
        None => {
            let lines = "\n".repeat(line.saturating_sub(1) as usize);
            let at = u32::try_from(lines.len()).unwrap_or(u32::MAX);
            (sources.add(failure.name.clone(), path, lines), at)
        }
    }
}
