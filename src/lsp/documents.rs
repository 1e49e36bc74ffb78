//! What the client has open.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gen_lsp_types::{TextDocumentContentChangeEvent as Change, Uri};

use super::position::Encoding;
use crate::source::normal;

/// One open document.
#[derive(Debug)]
pub(super) struct Document {
    /// As the client calls it.
    pub(super) uri: Uri,
    /// Its version, as the client counts.
    pub(super) version: i32,
    /// What is in it now.
    pub(super) text: String,
}

/// All open documents that lie, or will lie, on disk.
#[derive(Debug, Default)]
pub(super) struct Documents(HashMap<PathBuf, Document>);

/// Path of a document; none for what is no file (`git:`, `untitled:`).
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    (uri.scheme() == "file").then(|| uri.to_file_path().ok()).flatten().map(|path| normal(&path))
}

impl Documents {
    pub(super) fn open(&mut self, path: PathBuf, document: Document) {
        self.0.insert(path, document);
    }

    pub(super) fn close(&mut self, path: &Path) -> Option<Document> {
        self.0.remove(path)
    }

    pub(super) fn get(&self, path: &Path) -> Option<&Document> {
        self.0.get(path)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&PathBuf, &Document)> {
        self.0.iter()
    }

    /// Applies changes in order; false when the document is not open.
    pub(super) fn change(&mut self, path: &Path, version: i32, changes: Vec<Change>, encoding: Encoding) -> bool {
        let Some(document) = self.0.get_mut(path) else { return false };
        document.version = version;
        for change in changes {
            match change {
                Change::TextDocumentContentChangePartial(change) => {
                    let start = encoding.offset(&document.text, change.range.start);
                    let end = encoding.offset(&document.text, change.range.end).max(start);
                    document.text.replace_range(start..end, &change.text);
                }
                Change::TextDocumentContentChangeWholeDocument(change) => document.text = change.text,
            }
        }
        true
    }

    /// How to call a file: as the client does where it has it open.
    pub(super) fn uri(&self, path: &Path) -> Option<Uri> {
        self.0.get(path).map(|document| document.uri.clone()).or_else(|| Uri::from_file_path(path).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_lsp_types::{Position, Range, TextDocumentContentChangePartial};

    #[test]
    fn changes_apply_one_after_the_other() {
        let path = PathBuf::from("/x.yaml");
        let uri = Uri::from_file_path(&path).unwrap();
        let mut documents = Documents::default();
        documents.open(path.clone(), Document { uri, version: 1, text: "a: 🦀b\r\nc\n".to_owned() });
        let change = |line, from, to, text: &str| {
            let range = Range::new(Position::new(line, from), Position::new(line, to));
            #[allow(deprecated)]
            Change::TextDocumentContentChangePartial(TextDocumentContentChangePartial {
                range,
                range_length: None,
                text: text.to_owned(),
            })
        };
        let changes = vec![change(0, 5, 6, "é\nd"), change(1, 1, 1, "e"), change(2, 0, 9, "")];
        assert!(documents.change(&path, 2, changes, Encoding::Utf16));
        assert_eq!(documents.get(&path).unwrap().text, "a: 🦀é\nde\r\n\n");
        assert!(!documents.change(Path::new("/y.yaml"), 2, Vec::new(), Encoding::Utf16));
    }
}
