//! The steps in which a file system is changed, each brought to disk, with a place for a test to stand between any two.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::{Builder, NamedTempFile, TempPath};

/// What begins the name of every file that lies beside others for a while.
pub(super) const PREFIX: &str = ".dynlint-";
/// What ends the name of a text that waits to take a file's place.
pub(super) const WAITING: &str = ".tmp";

/// The way to the disk.
#[derive(Clone, Copy)]
pub(super) struct Disk<'a> {
    /// Called before each step with the file or directory that it is about; what it says instead of `Ok` fails the step.
    pub(super) before: &'a dyn Fn(Step, &Path) -> io::Result<()>,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A file is made.
    Create,
    /// A file gets its content.
    Fill,
    /// A file or directory is brought to disk.
    Sync,
    /// A file takes another name, and the place of what had it.
    Rename,
    /// A file goes.
    Remove,
}

impl Disk<'static> {
    /// The disk as it is.
    pub(super) const REAL: Self = Self { before: &|_, _| Ok(()) };
}

impl Disk<'_> {
    /// A new file with that content, on disk. It goes when what is given back does.
    pub(super) fn temporary(self, directory: &Path, content: &[u8], like: Option<&Path>) -> io::Result<NamedTempFile> {
        (self.before)(Step::Create, directory)?;
        let mut file = Builder::new().prefix(PREFIX).suffix(WAITING).tempfile_in(directory)?;
        (self.before)(Step::Fill, file.path())?;
        file.write_all(content)?;
        if let Some(like) = like {
            let meta = fs::metadata(like)?;
            file.as_file().set_permissions(meta.permissions())?;
            #[cfg(unix)]
            {
                use std::os::unix::fs::{MetadataExt as _, fchown};
                // Only root may give files away; for everybody else the file is theirs anyway.
                let _ = fchown(file.as_file(), Some(meta.uid()), Some(meta.gid()));
            }
        }
        (self.before)(Step::Sync, file.path())?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Puts a file in the place of another.
    pub(super) fn rename(self, from: &Path, to: &Path) -> io::Result<()> {
        (self.before)(Step::Rename, to)?;
        fs::rename(from, to)
    }

    /// [`Self::rename`] of a file that would go by itself.
    pub(super) fn place(self, from: TempPath, to: &Path) -> io::Result<()> {
        self.rename(&from, to)?;
        // There is nothing under the old name to remove any more.
        let _ = from.keep();
        Ok(())
    }

    /// Removes a file.
    pub(super) fn remove(self, path: &Path) -> io::Result<()> {
        (self.before)(Step::Remove, path)?;
        fs::remove_file(path)
    }

    /// A name is on disk when its directory is. Some file systems cannot say so, which is no failure.
    pub(super) fn settle(self, directory: &Path) -> io::Result<()> {
        (self.before)(Step::Sync, directory)?;
        if let Ok(directory) = File::open(directory) {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}
