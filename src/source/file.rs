//! Loaded files and the byte ↔ line ↔ column tables.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

use super::Buffers;

/// Index of a file in [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A 1-based line and column; columns count Unicode scalar values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineColumn {
    /// 1-based line.
    pub line: u32,
    /// 1-based column in Unicode scalar values.
    pub column: u32,
}

/// One file as read: text (UTF-8, byte order mark kept) and its line table.
#[derive(Debug)]
pub struct SourceFile {
    /// Index in [`Sources`].
    pub id: FileId,
    /// How reports name it: relative to the working directory where possible, `/`-separated.
    pub name: String,
    /// Where it lies on disk; `None` for standard input and unsaved buffers.
    pub path: Option<PathBuf>,
    /// The text.
    pub text: Arc<str>,
    /// Where lines start, once somebody asks for one.
    line_starts: OnceLock<Vec<u32>>,
    /// Whether a byte is a character, once somebody asks for a column: counting them takes long where a line is.
    ascii: OnceLock<bool>,
}

impl SourceFile {
    /// A file that is in no set yet.
    fn new(name: String, path: Option<PathBuf>, text: Arc<str>) -> Self {
        Self { id: FileId(u32::MAX), name, path, text, line_starts: OnceLock::new(), ascii: OnceLock::new() }
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(ends.map(|at| u32::try_from(at + 1).unwrap_or(u32::MAX))).collect()
        })
    }

    /// Number of lines (a trailing newline does not start another line).
    #[must_use]
    pub fn line_count(&self) -> usize {
        let starts = self.line_starts();
        let n = starts.len();
        if n > 1 && starts[n - 1] as usize == self.text.len() { n - 1 } else { n }
    }

    /// 0-based line that holds byte `offset`.
    #[must_use]
    pub fn line_of(&self, offset: u32) -> usize {
        self.line_starts().partition_point(|&start| start <= offset).saturating_sub(1)
    }

    /// Byte range of 0-based line `line`, without its line end.
    #[must_use]
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let starts = self.line_starts();
        let start = starts.get(line).map_or(self.text.len(), |&s| s as usize);
        let end = starts.get(line + 1).map_or(self.text.len(), |&s| s as usize);
        let slice = self.text[start..end].trim_end_matches(['\n', '\r']);
        start..start + slice.len()
    }

    /// 1-based line and column of byte `offset`.
    #[must_use]
    pub fn line_column(&self, offset: u32) -> LineColumn {
        let offset = (offset as usize).min(self.text.len());
        let line = self.line_of(u32::try_from(offset).unwrap_or(u32::MAX));
        let start = self.line_starts()[line] as usize;
        // A byte order mark has no width in any editor.
        let before = self.text.get(start..offset).unwrap_or_default();
        let column = match *self.ascii.get_or_init(|| self.text.is_ascii()) {
            true => before.len(),
            false => before.chars().filter(|&c| c != '\u{feff}').count(),
        } + 1;
        LineColumn {
            line: u32::try_from(line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// 0-based line and UTF-16 column of byte `offset`, as editors count; a byte order mark has no width.
    #[must_use]
    pub fn utf16_position(&self, offset: u32) -> (u32, u32) {
        let line = self.line_of(offset);
        let range = self.line_range(line);
        let mut end = (offset as usize).clamp(range.start, range.end);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text[range.start..end].trim_start_matches('\u{feff}');
        let column: usize = before.chars().map(char::len_utf16).sum();
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Byte offset of a 0-based line and UTF-16 column. A column behind the line's end is the line's end, a line behind
    /// the file's end is the file's end, a column inside a character is the character's start.
    #[must_use]
    pub fn offset_of_utf16(&self, line: u32, column: u32) -> u32 {
        let range = self.line_range(line as usize);
        let mut at = range.start;
        let mut left = column as usize;
        let text = &self.text[range];
        if text.starts_with('\u{feff}') {
            at += '\u{feff}'.len_utf8();
        }
        for c in text.trim_start_matches('\u{feff}').chars() {
            if left < c.len_utf16() {
                break;
            }
            left -= c.len_utf16();
            at += c.len_utf8();
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }
}

/// All files of a run. Append-only, so a [`FileId`] stays valid; shared between threads.
#[derive(Debug, Default)]
pub struct Sources {
    files: Arc<RwLock<Vec<Arc<SourceFile>>>>,
    buffers: Buffers,
}

impl Sources {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty set whose files are read from `buffers` first, and from the disk where those say nothing.
    #[must_use]
    pub fn over(buffers: Buffers) -> Self {
        Self { buffers, ..Self::default() }
    }

    /// The same files, those that either adds from now on among them, with other contents before the disk: what one run
    /// has read stays valid in the next.
    #[must_use]
    pub fn sharing(other: &Self, buffers: Buffers) -> Self {
        Self { files: Arc::clone(&other.files), buffers }
    }

    /// What wins over the disk.
    #[must_use]
    pub const fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// Adds a file and returns it.
    ///
    /// # Panics
    /// When another thread panicked while adding, or after 2³² files.
    pub fn add(&self, name: String, path: Option<&Path>, text: impl Into<Arc<str>>) -> Arc<SourceFile> {
        // What takes time is done before other threads have to wait.
        let mut file = SourceFile::new(name, path.map(Path::to_owned), text.into());
        let mut files = self.files.write().expect("no thread panics while adding a file");
        file.id = FileId(u32::try_from(files.len()).expect("fewer than 2^32 files"));
        let file = Arc::new(file);
        files.push(Arc::clone(&file));
        file
    }

    /// The file with that index.
    ///
    /// # Panics
    /// When `id` came from another set.
    #[must_use]
    pub fn get(&self, id: FileId) -> Arc<SourceFile> {
        Arc::clone(&self.files.read().expect("no thread panics while adding a file")[id.0 as usize])
    }

    /// All files, in the order they were added.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<SourceFile>> {
        self.files.read().expect("no thread panics while adding a file").clone()
    }
}
