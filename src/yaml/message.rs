//! Syntax errors in plain words, on the token that has to change.

use std::ops::Range;

use granit_parser::ErrorKind;

use super::scan;

/// What to say about a syntax error.
pub(super) struct Said {
    pub message: String,
    /// Where; none for the character where the parser stopped.
    pub place: Option<Range<usize>>,
    /// A second place, with what it is.
    pub related: Option<(Range<usize>, String)>,
}

/// Explains an error at byte `at` of `text`. `cursor` is the end of the last token that was read, `open` the innermost
/// bracket still open there.
pub(super) fn explain(kind: &ErrorKind, text: &str, at: usize, cursor: usize, open: Option<Range<usize>>) -> Said {
    let quote = matches!(
        kind,
        ErrorKind::UnclosedQuotedScalar
            | ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::DocumentIndicatorInQuotedScalar
    )
    .then(|| scan::find_token(text, cursor, |b| matches!(b, b'"' | b'\'')))
    .flatten();
    if let Some(quote) = quote {
        return Said { message: "this quote is never closed".to_owned(), place: Some(quote..quote + 1), related: None };
    }
    let bracket = open.map(|open| {
        let what = format!("`{}` is opened here", &text[open.clone()]);
        (open, what)
    });
    let place = None;
    let (message, related) = match kind {
        ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation | ErrorKind::TabAtBlockScalarStart => {
            ("tabs cannot indent; use spaces".to_owned(), None)
        }
        ErrorKind::MappingValueNotAllowed if bracket.is_none() => (
            "no `: ` may stand inside a plain value; quote the value, or start a new line if this is a key".to_owned(),
            None,
        ),
        ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` is never closed"), bracket),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{close}` closes what `{open}` opened"), bracket)
        }
        kind => {
            let mut message = kind.to_string();
            if let Some(first) = message.get(..1) {
                let first = first.to_ascii_lowercase();
                message.replace_range(..1, &first);
            }
            (message.trim_end_matches('.').to_owned(), bracket)
        }
    };
    let _ = at;
    Said { message, place, related }
}
