//! From bytes to text, or why not.

use std::fmt;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{Found, SourceFile, Sources};

/// Why something cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It is not there.
    Missing,
    /// The system says no: why.
    Unreadable(String),
    /// A byte that is no UTF-8.
    NotUtf8 {
        /// Its offset.
        offset: u32,
        /// Its 1-based line.
        line: u32,
        /// What the file is instead, when that can be told.
        instead: Option<&'static str>,
    },
    /// More bytes than are read.
    TooLarge {
        /// The most that are read.
        limit: usize,
    },
}

/// Something that was to be read and cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How reports name it.
    pub name: String,
    /// Where it lies; `None` for standard input.
    pub path: Option<PathBuf>,
    /// Why.
    pub kind: FailureKind,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FailureKind::Missing => f.write_str("no such file or directory"),
            FailureKind::Unreadable(reason) => f.write_str(reason),
            FailureKind::NotUtf8 { offset, line, instead: None } => {
                write!(f, "byte {offset} (line {line}) is no UTF-8")
            }
            FailureKind::NotUtf8 { line, instead: Some(what), .. } => {
                write!(f, "no UTF-8 text but {what} (line {line})")
            }
            FailureKind::TooLarge { limit } => write!(f, "larger than {limit} bytes"),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(super) fn io(name: String, path: Option<&Path>, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => FailureKind::Missing,
            _ => FailureKind::Unreadable(reason(error)),
        };
        Self { name, path: path.map(Path::to_owned), kind }
    }
}

/// What the system says, in our style: lower case, without its number.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(|| "unknown reason".to_owned(), |first| first.to_lowercase().chain(chars).collect())
}

impl Found {
    /// Reads the file and adds it to `sources`; at most `limit` bytes.
    ///
    /// # Errors
    /// When it cannot be opened or read, is larger than `limit`, or is no UTF-8 text.
    pub fn read(&self, sources: &Sources, limit: usize) -> Result<Arc<SourceFile>, Failure> {
        match &self.path {
            Some(path) => read(path, sources, limit),
            None => {
                let name = "<stdin>".to_owned();
                let bytes =
                    bytes(std::io::stdin().lock(), 0, limit).map_err(|e| Failure::io(name.clone(), None, &e))?;
                text(bytes, name, None, sources, limit)
            }
        }
    }
}

/// Reads a file and adds it to `sources`; at most `limit` bytes.
///
/// # Errors
/// When it cannot be opened or read, is larger than `limit`, or is no UTF-8 text.
pub fn read(path: &Path, sources: &Sources, limit: usize) -> Result<Arc<SourceFile>, Failure> {
    text(read_bytes(path, sources, limit)?, display_name(path), Some(path), sources, limit)
}

/// A file's bytes: from the buffers of `sources`, else from the disk. One byte more than `limit` when there are more.
///
/// # Errors
/// When it cannot be opened or read.
pub fn read_bytes(path: &Path, sources: &Sources, limit: usize) -> Result<Vec<u8>, Failure> {
    if let Some(bytes) = sources.buffers().get(path) {
        return Ok(bytes.to_vec());
    }
    let content = std::fs::File::open(path).and_then(|file| {
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(std::io::Error::other("a directory, not a file"));
        }
        let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
        bytes(file, size, limit)
    });
    content.map_err(|error| Failure::io(display_name(path), Some(path), &error))
}

/// One byte more than the limit shows that there are more, however large or endless the rest is.
fn bytes(from: impl Read, size: usize, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    if size <= limit {
        out.try_reserve_exact(size.saturating_add(1)).map_err(std::io::Error::other)?;
    }
    from.take((limit as u64).saturating_add(1)).read_to_end(&mut out)?;
    Ok(out)
}

/// Adds bytes that were read elsewhere (an unsaved buffer) to `sources`. A byte order mark stays in the text.
///
/// # Errors
/// When there are more than `limit` bytes, or they are no UTF-8 text.
pub fn text(
    bytes: Vec<u8>,
    name: String,
    path: Option<&Path>,
    sources: &Sources,
    limit: usize,
) -> Result<Arc<SourceFile>, Failure> {
    let fail = |kind| Failure { name: name.clone(), path: path.map(Path::to_owned), kind };
    if bytes.len() > limit {
        return Err(fail(FailureKind::TooLarge { limit }));
    }
    let broken = |bytes: &[u8], at: usize, instead| FailureKind::NotUtf8 {
        offset: u32::try_from(at).unwrap_or(u32::MAX),
        line: u32::try_from(memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1).unwrap_or(u32::MAX),
        instead,
    };
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(fail(broken(&bytes, 0, Some("UTF-16"))));
    }
    if let Some(at) = memchr::memchr(0, &bytes) {
        return Err(fail(broken(&bytes, at, Some("binary data"))));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(name, path, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(fail(broken(error.as_bytes(), at, None)))
        }
    }
}

/// How reports name a path: relative to the working directory where it lies below it, without `./`, `/`-separated.
#[must_use]
pub fn display_name(path: &Path) -> String {
    let here = if path.is_absolute() { std::env::current_dir().ok() } else { None };
    let path = here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let path: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    if path.as_os_str().is_empty() {
        return ".".to_owned();
    }
    let name = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { name.into_owned() } else { name.replace(std::path::MAIN_SEPARATOR, "/") }
}
