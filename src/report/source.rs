//! Source text for miette, served from the line table: its own reading scans the file for every label.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::mask::mask_file;
use crate::source::SourceFile;

/// A file as it may be shown: credentials masked.
pub(super) struct Shown<'a> {
    file: &'a SourceFile,
    text: std::borrow::Cow<'a, str>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(file: &'a SourceFile) -> Self {
        Self { file, text: mask_file(file) }
    }

    /// First line of a byte range, when it covers more than `most` lines: a label on a whole service need not print it.
    pub(super) fn shorten(&self, range: std::ops::Range<usize>, most: usize) -> std::ops::Range<usize> {
        let end = range.end.min(self.text.len());
        let start = range.start.min(end);
        let (first, last) = (self.line(start), self.line(end));
        if last - first < most { start..end } else { start..self.file.line_range(first).end.max(start) }
    }

    fn line(&self, offset: usize) -> usize {
        self.file.line_of(u32::try_from(offset).unwrap_or(u32::MAX))
    }
}

impl SourceCode for Shown<'_> {
    fn read_span<'s>(
        &'s self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'s> + 's>, MietteError> {
        let end = (span.offset() + span.len()).min(self.text.len());
        let start = span.offset().min(end);
        let (first, last) = (self.line(start), self.line(end.saturating_sub(1).max(start)));
        let from_line = first.saturating_sub(before);
        let to_line = (last + after).min(self.file.line_count().saturating_sub(1)).max(last);
        let (from, column) = if before == 0 {
            (start, self.file.line_column(u32::try_from(start).unwrap_or(u32::MAX)).column as usize - 1)
        } else {
            (self.file.line_range(from_line).start, 0)
        };
        let to = if after == 0 { end } else { self.file.line_range(to_line).end.max(end) };
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.name.clone(),
            &self.text.as_bytes()[from..to],
            (from, to - from).into(),
            from_line,
            column,
            to_line - from_line + 1,
        )))
    }
}
