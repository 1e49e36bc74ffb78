//! Files to disk, whole or not at all.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::apply::Changed;
use super::disk::Disk;
use super::journal::{Entry, Journal, digest};
use crate::source::reason;

/// A file that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// How reports name it.
    pub name: String,
    /// Why, lower case.
    pub reason: String,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write `{}`: {}", self.name, self.reason)
    }
}

/// Writes files. Every one is first written beside its place and brought to disk; only then are they renamed, so that a
/// crash or a full disk leaves the old file. Permissions are kept, symbolic links followed. What lies there must still
/// be what was linted.
///
/// `together` names files that belong together: of those all are written or none. A journal of them is on disk before
/// the first is renamed, and [`super::recover`] finishes what a crash leaves.
///
/// Gives back what could not be written; files without a path are left to the caller.
#[must_use]
pub fn write(changed: &[Changed], together: &[&[String]]) -> Vec<Unwritten> {
    write_on(Disk::REAL, changed, together)
}

pub(super) fn write_on(disk: Disk<'_>, changed: &[Changed], together: &[&[String]]) -> Vec<Unwritten> {
    let mut failed: Vec<Unwritten> = Vec::new();
    for group in groups(changed, together) {
        let mut ready: Vec<Staged<'_>> = Vec::new();
        let mut lame: Vec<(&Changed, io::Error)> = Vec::new();
        for change in &group {
            let Some(path) = &change.file.path else { continue };
            match stage(disk, change, path) {
                Ok(staged) => ready.push(staged),
                Err(error) => lame.push((change, error)),
            }
        }
        if lame.is_empty()
            && let Err(error) = commit(disk, ready)
        {
            lame.extend(group.first().map(|change| (*change, error)));
        }
        if lame.is_empty() {
            continue;
        }
        for change in group.iter().filter(|change| change.file.path.is_some()) {
            let own = lame.iter().find(|(other, _)| std::ptr::eq(*other, *change));
            let together = || "a file that belongs to the same fix cannot be written".to_owned();
            let reason = own.map_or_else(together, |(_, error)| reason(error));
            failed.push(Unwritten { name: change.file.name.clone(), reason });
        }
    }
    crate::source::order(&mut failed, |a, b| a.name.cmp(&b.name));
    failed
}

/// Files by what belongs together, directly or through others.
fn groups<'c>(changed: &'c [Changed], together: &[&[String]]) -> Vec<Vec<&'c Changed>> {
    let index: HashMap<&str, usize> = changed.iter().enumerate().map(|(at, c)| (c.file.name.as_str(), at)).collect();
    // Which group each file is in: named after one of its files.
    let mut group: Vec<usize> = (0..changed.len()).collect();
    for names in together {
        let members: Vec<usize> = names.iter().filter_map(|name| index.get(name.as_str()).copied()).collect();
        let Some(first) = members.first().map(|at| group[*at]) else { continue };
        for other in members.iter().map(|at| group[*at]).collect::<Vec<_>>() {
            group.iter_mut().filter(|own| **own == other).for_each(|own| *own = first);
        }
    }
    let mut out: Vec<Vec<&Changed>> = vec![Vec::new(); changed.len()];
    for (change, group) in changed.iter().zip(group) {
        out[group].push(change);
    }
    out.retain(|group| !group.is_empty());
    out
}

/// New content on disk, beside the file that it is for.
struct Staged<'c> {
    change: &'c Changed,
    waiting: TempPath,
    target: PathBuf,
}

fn stage<'c>(disk: Disk<'_>, change: &'c Changed, path: &Path) -> io::Result<Staged<'c>> {
    let target = fs::canonicalize(path)?;
    let meta = fs::metadata(&target)?;
    if !meta.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    // Renaming asks only for the directory's permission; who made the file read-only meant it.
    if meta.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
    }
    if fs::read(&target)? != change.file.text.as_bytes() {
        return Err(io::Error::other("the file has changed since it was read"));
    }
    let directory = target.parent().unwrap_or(Path::new("."));
    let waiting = disk.temporary(directory, change.after.as_bytes(), Some(&target))?.into_temp_path();
    Ok(Staged { change, waiting, target })
}

/// Puts the new texts in place: all or none.
fn commit(disk: Disk<'_>, staged: Vec<Staged<'_>>) -> io::Result<()> {
    // One rename is whole by itself.
    let journal = if staged.len() < 2 {
        None
    } else {
        let entries: Vec<Entry> = staged.iter().map(Staged::entry).collect();
        Some(Journal::write(disk, &entries)?)
    };
    for at in 0..staged.len() {
        let Err(error) = disk.rename(&staged[at].waiting, &staged[at].target) else { continue };
        if let Err(stuck) = undo(disk, &staged[..at]) {
            // Neither way is open: journal and texts stay for whoever comes when one is.
            for left in staged {
                let _ = left.waiting.keep();
            }
            return Err(io::Error::other(format!(
                "{}; what was written could not be taken back ({}): `dynlint check --fix` finishes it later",
                reason(&error),
                reason(&stuck)
            )));
        }
        // The journal goes before the texts do: without them it means nothing.
        if let Some(journal) = journal {
            journal.remove(disk);
        }
        return Err(error);
    }
    // All of it is written; whether it outlives a power cut is the disk's to say.
    let directories = crate::source::set(staged.iter().filter_map(|staged| staged.target.parent()));
    for directory in directories {
        let _ = disk.settle(directory);
    }
    if let Some(journal) = journal {
        journal.remove(disk);
    }
    Ok(())
}

/// Puts the old texts back, and the new ones to where they waited: at every point the journal can still be followed.
fn undo(disk: Disk<'_>, done: &[Staged<'_>]) -> io::Result<()> {
    for Staged { change, waiting, target } in done {
        let directory = target.parent().unwrap_or(Path::new("."));
        let text =
            |text: &str| disk.temporary(directory, text.as_bytes(), Some(target)).map(NamedTempFile::into_temp_path);
        let (new, old) = (text(&change.after)?, text(&change.file.text)?);
        disk.place(new, waiting)?;
        disk.place(old, target)?;
    }
    Ok(())
}

impl Staged<'_> {
    fn entry(&self) -> Entry {
        Entry {
            waiting: self.waiting.to_path_buf(),
            target: self.target.clone(),
            before: digest(self.change.file.text.as_bytes()),
            after: digest(self.change.after.as_bytes()),
        }
    }
}
