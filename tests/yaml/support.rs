//! Helpers of these tests.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use dynlint::source::{SourceFile, Sources};
use dynlint::yaml::{self, Kind, Limits, Node, Stream};

/// A parsed text.
pub struct Parsed {
    pub sources: Sources,
    pub file: std::sync::Arc<SourceFile>,
    pub stream: Stream,
}

impl Parsed {
    pub fn new(text: &str) -> Self {
        Self::with(text, &Limits::default())
    }

    pub fn with(text: &str, limits: &Limits) -> Self {
        let sources = Sources::new();
        let file = sources.add("test.yaml".to_owned(), None, text);
        let stream = yaml::parse(&file, limits);
        Self { sources, file, stream }
    }

    /// Root of the only document, which must have no problem.
    pub fn root(&self) -> &Node {
        assert!(self.stream.problems.is_empty(), "{:?}", self.stream.problems);
        assert_eq!(self.stream.documents.len(), 1);
        self.stream.documents[0].root.as_ref().expect("a root")
    }

    pub fn slice(&self, span: dynlint::source::Span) -> &str {
        &self.file.text[span.range()]
    }
}

/// Calls `f` on every node as written: aliases are visited but not entered, inherited entries are left out.
pub fn walk<'a>(node: &'a Node, f: &mut impl FnMut(&'a Node)) {
    f(node);
    if node.alias().is_some() {
        return;
    }
    match &*node.kind {
        Kind::Scalar(_) => {}
        Kind::Seq(items) => items.iter().for_each(|n| walk(n, f)),
        Kind::Map(map) => map.entries.iter().filter(|e| e.inherited.is_none()).for_each(|e| walk(&e.value, f)),
    }
}

/// The corpus of real manifests, when it is there.
pub fn corpus() -> Option<PathBuf> {
    let found = crate::common::corpus();
    if found.is_none() {
        println!("skipped: no corpus");
    }
    found
}

/// All YAML files under `dir`, sorted.
pub fn yaml_files(dir: &Path) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = walkdir::WalkDir::new(dir)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|e| e.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|p| p.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .collect();
    out.sort();
    out
}

/// Fixtures, and the corpus where it is.
pub fn real_files() -> Vec<(PathBuf, String)> {
    let mut files = yaml_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"));
    files.extend(corpus().iter().flat_map(|dir| yaml_files(dir)));
    files.into_iter().filter_map(|p| std::fs::read_to_string(&p).ok().map(|text| (p, text))).collect()
}
