//! What makes the writing of several files one step: a list of them, on disk before the first is changed.
//!
//! A journal lies in the directory of every file that it lists, so that whoever lints one of them meets it. It stands
//! for a decision: from the moment that the first copy is on disk, all of the files will be changed, by the process that
//! wrote it or, if that died, by the next that mends something there. It names files only, a new text and a file beside
//! it: no journal that a stranger leaves in a directory can reach anything that lies elsewhere.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::disk::{Disk, PREFIX, WAITING};

/// What ends the name of a journal.
const SUFFIX: &str = ".journal";
/// Shape of the file.
const VERSION: u32 = 1;
/// How long a text may wait for a decision.
const STALE: Duration = Duration::from_secs(3600);
/// Most bytes of a journal that are read. A line is some 300 bytes.
const MOST: u64 = 4 << 20;

/// A text that is on disk and waits to take a file's place.
#[derive(Debug)]
pub(super) struct Entry {
    /// The text.
    pub(super) waiting: PathBuf,
    /// The file, beside it.
    pub(super) target: PathBuf,
    /// Digest of the file as it was.
    pub(super) before: String,
    /// Digest of the text.
    pub(super) after: String,
}

/// The digest that journals tell contents by.
pub(super) fn digest(content: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(content).iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    files: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    /// From the journal's directory.
    directory: PathBuf,
    waiting: String,
    target: String,
    before: String,
    after: String,
}

/// A journal in force. Its copies are locked as long as the process lives.
#[derive(Debug)]
pub(super) struct Journal {
    copies: Vec<(PathBuf, File)>,
}

impl Journal {
    /// Writes one for files that are ready. When that fails nothing has happened.
    pub(super) fn write(disk: Disk<'_>, entries: &[Entry]) -> io::Result<Self> {
        let directories = crate::source::set(entries.iter().filter_map(|entry| entry.target.parent()));
        // The journal speaks about names that must be there when it is.
        for directory in &directories {
            disk.settle(directory)?;
        }
        let mut this = Self { copies: Vec::new() };
        for directory in &directories {
            if let Err(error) = this.copy(disk, directory, entries) {
                // Without a journal there is no decision.
                this.remove(disk);
                return Err(error);
            }
        }
        Ok(this)
    }

    fn copy(&mut self, disk: Disk<'_>, directory: &Path, entries: &[Entry]) -> io::Result<()> {
        let files: io::Result<Vec<Line>> = entries.iter().map(|entry| line(directory, entry)).collect();
        let text = serde_json::to_vec_pretty(&Written { version: VERSION, files: files? }).map_err(io::Error::other)?;
        let (file, path) = disk.temporary(directory, &text, None)?.into_parts();
        // Whoever finds it must see that its writer lives. Where there are no locks nobody can.
        let _ = file.try_lock();
        let name = path.with_extension(&SUFFIX[1..]);
        disk.place(path, &name)?;
        self.copies.push((name, file));
        disk.settle(directory)
    }

    /// Takes it back. A copy that stays finds nothing to do.
    pub(super) fn remove(self, disk: Disk<'_>) {
        for (path, _) in &self.copies {
            let _ = disk.remove(path);
            if let Some(directory) = path.parent() {
                let _ = disk.settle(directory);
            }
        }
    }
}

fn line(from: &Path, entry: &Entry) -> io::Result<Line> {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let unnamed = || io::Error::other("its name is not UTF-8");
    Ok(Line {
        directory: relative(from, entry.target.parent().unwrap_or(from)),
        waiting: name(&entry.waiting).ok_or_else(unnamed)?,
        target: name(&entry.target).ok_or_else(unnamed)?,
        before: entry.before.clone(),
        after: entry.after.clone(),
    })
}

/// The way from one canonical directory to another.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let same = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(same).map(|_| Component::ParentDir);
    up.chain(to.components().skip(same)).collect()
}

/// What became of a fix that a process left half written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The files of the fix, as reports name them.
    pub files: Vec<String>,
    /// Why it could not be finished; none when it is.
    pub problem: Option<String>,
}

impl Recovered {
    /// One line about a fix that [`pending`] found, with what finishes it.
    #[must_use]
    pub fn advice(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|name| format!("`{name}`")).collect();
        let (files, first) = (files.join(", "), self.files.first().map_or(".", String::as_str));
        match &self.problem {
            None => format!("a fix of {files} was interrupted half-way: `dynlint check --fix {first}` finishes it"),
            Some(problem) => format!("a fix was interrupted, and its journal {files} is of no use: {problem}"),
        }
    }
}

/// Finishes what processes that are no more left half written in these directories.
#[must_use]
pub fn recover<'p>(directories: impl IntoIterator<Item = &'p Path>) -> Vec<Recovered> {
    recover_on(Disk::REAL, directories)
}

pub(super) fn recover_on<'p>(disk: Disk<'_>, directories: impl IntoIterator<Item = &'p Path>) -> Vec<Recovered> {
    let directories = crate::source::set(directories.into_iter().filter_map(|d| fs::canonicalize(d).ok()));
    let mut out = Vec::new();
    for directory in directories {
        let Ok(listing) = fs::read_dir(&directory) else { continue };
        let mut names: Vec<PathBuf> = listing.flatten().map(|entry| entry.path()).filter(|p| is_journal(p)).collect();
        crate::source::order(&mut names, Ord::cmp);
        out.extend(names.iter().filter_map(|name| finish(disk, &directory, name)));
        sweep(disk, &directory);
    }
    out
}

/// What [`recover`] would finish in these directories, each fix once: nothing is changed.
#[must_use]
pub fn pending<'p>(directories: impl IntoIterator<Item = &'p Path>) -> Vec<Recovered> {
    let mut out: Vec<Recovered> = Vec::new();
    for directory in directories {
        let Ok(listing) = fs::read_dir(directory) else { continue };
        // Only what is called like one is looked at: this is asked of every directory that is linted.
        for name in listing.flatten().map(|entry| entry.path()).filter(|path| is_called(path, SUFFIX)) {
            let waits = || waits(&fs::canonicalize(directory).ok()?, &fs::canonicalize(&name).ok()?);
            out.extend(waits().filter(|found| is_journal(&name) && !out.contains(found)));
        }
    }
    out
}

/// Whether something is left to do about a journal, of a writer that is no more.
fn waits(directory: &Path, name: &Path) -> Option<Recovered> {
    let file = File::open(name).ok()?;
    if matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)) {
        return None;
    }
    let mut bytes = Vec::new();
    (&file).take(MOST).read_to_end(&mut bytes).ok()?;
    let Some(entries) = read(directory, &bytes) else { return Some(unusable(name, DAMAGED)) };
    any_waits(&entries).then(|| Recovered { files: names(&entries), problem: None })
}

/// Whether a text still waits to take the place of a file.
fn any_waits(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.waiting.symlink_metadata().is_ok())
}

/// The files of a fix, as reports show them.
fn names(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| crate::source::display_name(&entry.target)).collect()
}

/// What is wrong with a journal that names nothing.
const DAMAGED: &str = "it is damaged, or names directories that are gone";

fn unusable(name: &Path, problem: &str) -> Recovered {
    Recovered { files: vec![crate::source::display_name(name)], problem: Some(problem.to_owned()) }
}

fn is_journal(path: &Path) -> bool {
    is_ours(path, SUFFIX)
}

fn is_ours(path: &Path, suffix: &str) -> bool {
    is_called(path, suffix) && path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

fn is_called(path: &Path, suffix: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(suffix))
}

/// Removes texts that nothing came of: their writer died before it decided, long ago, and no journal is left to want them.
fn sweep(disk: Disk<'_>, directory: &Path) {
    let all: Vec<PathBuf> = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    if all.iter().any(|path| is_journal(path)) {
        return;
    }
    let old = |path: &&PathBuf| {
        let written = path.symlink_metadata().and_then(|meta| meta.modified()).ok();
        written.and_then(|written| written.elapsed().ok()).is_some_and(|age| age > STALE)
    };
    for path in all.iter().filter(|path| is_ours(path, WAITING)).filter(old) {
        let _ = disk.remove(path);
    }
}

/// Finishes one; none when it has nothing to do or its writer lives.
fn finish(disk: Disk<'_>, directory: &Path, name: &Path) -> Option<Recovered> {
    let file = File::open(name).ok()?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => return None,
        // Where there are no locks nobody can tell; what is written is the same whoever writes it.
        Ok(()) | Err(fs::TryLockError::Error(_)) => {}
    }
    let mut bytes = Vec::new();
    if (&file).take(MOST).read_to_end(&mut bytes).is_err() {
        return Some(unusable(name, "the journal cannot be read"));
    }
    let Some(entries) = read(directory, &bytes) else { return Some(unusable(name, DAMAGED)) };
    // Copies lie in the directory of every file, under names of their own.
    let drop_all = || {
        let _ = disk.remove(name);
        for directory in crate::source::set(entries.iter().filter_map(|entry| entry.target.parent())) {
            for path in fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
                if is_journal(&path) && same(directory, &path, &entries) {
                    let _ = disk.remove(&path);
                }
            }
            let _ = disk.settle(directory);
        }
    };
    let files = names(&entries);
    let states: Vec<State> = entries.iter().map(state).collect();
    let stuck = entries.iter().zip(&states).find(|(_, state)| **state == State::Other);
    // Where no text waits any more the fix is whole, or was taken back: this copy outlived the others.
    let waits = any_waits(&entries);
    let mut problem = None;
    if let Some((entry, _)) = stuck {
        // Somebody went on working: what they wrote counts, and there is no way back to one state.
        let half = states.contains(&State::Done) && waits;
        let shown = crate::source::display_name(&entry.target);
        problem =
            half.then(|| format!("`{shown}` has been changed since, so that not all of them are as the fix wants"));
    } else {
        for (entry, _) in entries.iter().zip(&states).filter(|(_, state)| **state == State::Waiting) {
            let done = disk.rename(&entry.waiting, &entry.target);
            if let Err(error) = done
                && state(entry) != State::Done
            {
                // The journal stays: the next to come may be able to.
                return Some(Recovered { files, problem: Some(crate::source::reason(&error)) });
            }
        }
        for directory in crate::source::set(entries.iter().filter_map(|entry| entry.target.parent())) {
            let _ = disk.settle(directory);
        }
    }
    for entry in &entries {
        if entry.waiting.symlink_metadata().is_ok() {
            let _ = disk.remove(&entry.waiting);
        }
    }
    drop_all();
    let idle = problem.is_none() && (stuck.is_some() || states.iter().all(|state| *state == State::Done));
    (!idle).then_some(Recovered { files, problem })
}

/// Whether a file is a copy of that journal.
fn same(directory: &Path, path: &Path, entries: &[Entry]) -> bool {
    let waiting = |entries: &[Entry]| entries.iter().map(|entry| entry.waiting.clone()).collect::<Vec<_>>();
    fs::read(path).ok().and_then(|bytes| read(directory, &bytes)).is_some_and(|own| waiting(&own) == waiting(entries))
}

fn read(directory: &Path, bytes: &[u8]) -> Option<Vec<Entry>> {
    let written: Written = serde_json::from_slice(bytes).ok()?;
    if written.version != VERSION {
        return None;
    }
    let plain = |name: &str| {
        let mut parts = Path::new(name).components();
        matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
    };
    let entry = |line: Line| {
        let sound = plain(&line.target)
            && plain(&line.waiting)
            && line.waiting.starts_with(PREFIX)
            && line.waiting.ends_with(WAITING);
        let directory = fs::canonicalize(directory.join(&line.directory)).ok().filter(|_| sound)?;
        Some(Entry {
            waiting: directory.join(line.waiting),
            target: directory.join(line.target),
            before: line.before,
            after: line.after,
        })
    };
    written.files.into_iter().map(entry).collect()
}

/// How far a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it was, with its new text beside it.
    Waiting,
    /// As it should be.
    Done,
    /// Neither.
    Other,
}

fn state(entry: &Entry) -> State {
    let content = |path: &Path| {
        path.symlink_metadata().ok().filter(fs::Metadata::is_file).and_then(|_| fs::read(path).ok()).map(|c| digest(&c))
    };
    match content(&entry.target) {
        Some(is) if is == entry.after => State::Done,
        Some(is) if is == entry.before && content(&entry.waiting).as_ref() == Some(&entry.after) => State::Waiting,
        _ => State::Other,
    }
}
