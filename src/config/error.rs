//! What is wrong with a configuration, on the characters that are wrong.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::source::display_name;

/// A configuration file as read.
#[derive(Debug)]
pub struct ConfigFile {
    /// Where it lies: absolute, without `.` and `..`.
    pub path: PathBuf,
    /// Its text; empty when it could not be read.
    pub text: String,
}

impl ConfigFile {
    /// 1-based line of a byte.
    #[must_use]
    pub fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
    }

    /// Its name as reports show it.
    #[must_use]
    pub fn name(&self) -> String {
        display_name(&self.path)
    }
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct Error {
    /// The file.
    pub file: Arc<ConfigFile>,
    /// Bytes; none when the file as a whole is meant.
    pub span: Option<Range<usize>>,
    /// What; lower case, no full stop.
    pub message: String,
    /// Why there.
    pub label: String,
    /// What to write.
    pub help: Option<String>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.span.is_none() {
            write!(f, " (`{}`)", self.file.name())?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// An error as miette draws it.
#[derive(Debug)]
pub struct Drawn<'a> {
    error: &'a Error,
    source: NamedSource<String>,
}

impl Error {
    /// For a renderer of miette's.
    #[must_use]
    pub fn drawn(&self) -> Drawn<'_> {
        Drawn { error: self, source: NamedSource::new(self.file.name(), self.file.text.clone()) }
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Drawn<'_> {}

impl Diagnostic for Drawn<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Error)
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.error.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.error.span.is_some().then_some(&self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.error.span.clone()?;
        let label = Some(self.error.label.clone()).filter(|label| !label.is_empty());
        Some(Box::new(std::iter::once(LabeledSpan::new(label, span.start, span.len()))))
    }
}
