//! Files to disk, whole or not at all.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::apply::Changed;
use super::session::Applied;

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
/// crash or a full disk leaves the old file. Permissions are kept, symbolic links followed. Of a fix that changes
/// several files all are written or none. What lies there must still be what was linted.
///
/// Gives back what could not be written; files without a path are left to the caller.
#[must_use]
pub fn write(changed: &[Changed], applied: &[Applied]) -> Vec<Unwritten> {
    let mut failed: Vec<Unwritten> = Vec::new();
    let mut ready: Vec<(&Changed, Staged)> = Vec::new();
    for change in changed {
        let Some(path) = &change.file.path else { continue };
        match stage(path, &change.file.text, &change.after) {
            Ok(staged) => ready.push((change, staged)),
            Err(error) => failed.push(Unwritten { name: change.file.name.clone(), reason: reason(&error) }),
        }
    }
    // What belongs together stays together.
    loop {
        let lame = |name: &String| failed.iter().any(|f| f.name == *name);
        let held: Vec<&String> = applied.iter().filter(|a| a.files.iter().any(lame)).flat_map(|a| &a.files).collect();
        let Some(at) = ready.iter().position(|(change, _)| held.contains(&&change.file.name)) else { break };
        let (change, _) = ready.swap_remove(at);
        let reason = "a file that belongs to the same fix cannot be written".to_owned();
        failed.push(Unwritten { name: change.file.name.clone(), reason });
    }
    for (change, staged) in ready {
        if let Err(error) = staged.commit() {
            failed.push(Unwritten { name: change.file.name.clone(), reason: reason(&error) });
        }
    }
    failed.sort_by(|a, b| a.name.cmp(&b.name));
    failed
}

/// New content on disk, beside the file that it is for.
struct Staged {
    temporary: NamedTempFile,
    target: PathBuf,
}

fn stage(path: &Path, before: &str, after: &str) -> io::Result<Staged> {
    let target = fs::canonicalize(path)?;
    let meta = fs::metadata(&target)?;
    if !meta.is_file() {
        return Err(io::Error::other("no regular file"));
    }
    // Renaming asks only for the directory's permission; who made the file read-only meant it.
    if meta.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the file is read-only"));
    }
    if fs::read(&target)? != before.as_bytes() {
        return Err(io::Error::other("the file has changed since it was read"));
    }
    let directory = target.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new().prefix(".dynlint-").suffix(".tmp").tempfile_in(directory)?;
    temporary.write_all(after.as_bytes())?;
    temporary.as_file().set_permissions(meta.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        // Only root may give files away; for everybody else the file is theirs anyway.
        let _ = fchown(temporary.as_file(), Some(meta.uid()), Some(meta.gid()));
    }
    temporary.as_file().sync_all()?;
    Ok(Staged { temporary, target })
}

impl Staged {
    fn commit(self) -> io::Result<()> {
        self.temporary.persist(&self.target).map_err(|failed| failed.error)?;
        // The name is on disk when the directory is. Some file systems cannot say so, which is no failure.
        if let Some(directory) = self.target.parent()
            && let Ok(directory) = File::open(directory)
        {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
