//! Syntax errors in plain words, on the token that has to change.

use std::ops::Range;

use granit_parser::ErrorKind;

/// What to say about a syntax error.
pub(super) struct Said {
    pub message: String,
    /// Where.
    pub place: Range<usize>,
    /// A second place, with what it is.
    pub related: Option<(Range<usize>, String)>,
}

/// The innermost collection that is open where the parser stopped.
#[derive(Clone, Copy)]
pub(super) struct Open {
    pub start: usize,
    /// Whether it is written with brackets.
    pub flow: bool,
}

/// Explains an error at byte `at` of `text`. `cursor` is the end of the last token that was read.
pub(super) fn explain(kind: &ErrorKind, text: &str, at: usize, cursor: usize, open: Option<Open>) -> Said {
    let here = char_at(text, at);
    let sign = &text[here.clone()];
    let bracket = open.filter(|o| o.flow).map(|o| {
        let bracket = char_at(text, o.start);
        (bracket.clone(), format!("`{}` is opened here", &text[bracket]))
    });
    let block =
        |what: &str| open.filter(|o| !o.flow).map(|o| (word_at(text, o.start), format!("the {what} begins here")));
    let (message, place, related) = match kind {
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => open_quote(text, cursor, here),
        ErrorKind::UnknownQuotedScalarEscape => unknown_escape(text, at),
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabNotAllowed
        | ErrorKind::UnexpectedCharacter { character: '\t' } => {
            let line = line_of(text, at);
            // For a block scalar the parser points at its indicator, which stands before the tab.
            let tab = memchr::memrchr(b'\t', &text.as_bytes()[line.start..here.end]).map(|n| line.start + n);
            let tab = tab.or_else(|| memchr::memchr(b'\t', &text.as_bytes()[at..]).map(|n| at + n));
            ("tabs cannot indent; use spaces".to_owned(), tab.map_or(here, |tab| tab..tab + 1), None)
        }
        ErrorKind::MappingValueNotAllowed if bracket.is_none() => misplaced_colon(text, at, here),
        ErrorKind::UnclosedFlowCollection { open } => (format!("`{open}` is never closed"), here, None),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`"), here, None)
        }
        ErrorKind::MisplacedFlowCollectionEnd => (format!("`{sign}` closes nothing"), here, None),
        ErrorKind::ExpectedFlowSequenceSeparator => ("a `,` or `]` is missing before this".to_owned(), here, bracket),
        ErrorKind::ExpectedFlowMappingSeparator => ("a `,` or `}` is missing before this".to_owned(), here, bracket),
        ErrorKind::BlockEntryInFlowCollection => ("no `- ` may stand inside brackets".to_owned(), here, bracket),
        ErrorKind::BlockSequenceEntryNotAllowed => {
            ("no list may begin here; put the `- ` on a line of its own".to_owned(), here, None)
        }
        ErrorKind::ExpectedBlockMappingKey => {
            let message = "this is no key of the mapping above; check its indentation";
            (message.to_owned(), first_word(text, at), block("mapping"))
        }
        ErrorKind::ExpectedBlockSequenceEntry => {
            let message = "this is no item of the list above; check its indentation or begin it with `- `";
            (message.to_owned(), first_word(text, at), block("list"))
        }
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("a key needs `: ` behind it".to_owned(), rest_of_line(text, at), None)
        }
        ErrorKind::UnexpectedCharacter { character } => {
            (format!("no plain value may begin with `{}`; quote it", character.escape_default()), here, None)
        }
        ErrorKind::MissingAnchorOrAliasName => {
            (format!("`{sign}` without a name; quote the value if `{sign}` is meant"), here, None)
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            trailing(text, cursor, at)
        }
        ErrorKind::InvalidBlockScalarHeader => {
            let place = rest_of_line(text, at + 1);
            (format!("only indicators and a comment may follow `{sign}` on its line"), place, None)
        }
        kind => {
            let mut message = kind.to_string();
            if let Some(first) = message.get(..1).map(str::to_ascii_lowercase) {
                message.replace_range(..1, &first);
            }
            (message.trim_end_matches('.').to_owned(), here, bracket)
        }
    };
    Said { message, place, related }
}

type Parts = (String, Range<usize>, Option<(Range<usize>, String)>);

/// The parser gives the place where it gave up; the quote that was open there is what has to change.
fn open_quote(text: &str, cursor: usize, here: Range<usize>) -> Parts {
    let itself = matches!(&text[here.clone()], "\"" | "'").then_some(here.start);
    let Some(quote) = itself.or_else(|| find_open_quote(text, cursor, here.start)) else {
        return ("a quote before this is not closed".to_owned(), here, None);
    };
    ("this quote is never closed".to_owned(), quote..quote + 1, None)
}

/// Something behind a closing quote. Where that closes what a line above opened, the quote there is the one that lacks its
/// other half.
fn trailing(text: &str, cursor: usize, at: usize) -> Parts {
    let rest = rest_of_line(text, at);
    match find_open_quote(text, cursor, line_of(text, at).start) {
        Some(quote) => {
            let message = "this quote is not closed on its line, but by the next one of its kind";
            (message.to_owned(), quote..quote + 1, Some((rest, "follows that one".to_owned())))
        }
        None => ("nothing may follow the closing quote; quote the value as a whole".to_owned(), rest, None),
    }
}

/// The quote between `from` and `to` that begins a string which is still open at `to`.
fn find_open_quote(text: &str, from: usize, to: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at < to {
        let begins =
            at == from || matches!(bytes[at - 1], b' ' | b'\t' | b'\n' | b'\r' | b'[' | b'{' | b',' | b':' | b'-');
        match bytes[at] {
            b'#' if begins => at += memchr::memchr2(b'\n', b'\r', &bytes[at..]).unwrap_or(bytes.len() - at),
            sign @ (b'"' | b'\'') if begins => {
                let opened = at;
                at += 1;
                while at < to && bytes[at] != sign {
                    at += if sign == b'"' && bytes[at] == b'\\' { 2 } else { 1 };
                }
                if at >= to {
                    return Some(opened);
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

/// The parser gives the quote; the escape is what has to change.
fn unknown_escape(text: &str, quote: usize) -> Parts {
    let mut chars = text[quote..].char_indices();
    while let Some((n, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let Some((_, escaped)) = chars.next() else { break };
        if !"0abt\tnvfre \"/\\N_LPxuU\r\n".contains(escaped) {
            let at = quote + n..quote + n + 1 + escaped.len_utf8();
            let message = format!(
                "unknown escape `\\{}`; use single quotes, or `\\\\` for a backslash",
                escaped.escape_default()
            );
            return (message, at, None);
        }
    }
    ("unknown escape in this string".to_owned(), char_at(text, quote), None)
}

/// A `:` where no key can be: the second on its line, or a line that continues the value above.
fn misplaced_colon(text: &str, colon: usize, here: Range<usize>) -> Parts {
    let line = line_of(text, colon);
    let before = text[line.start..colon].trim_start().trim_start_matches("- ");
    if before.contains(": ") || before.is_empty() {
        return ("no `: ` may stand inside a plain value; quote the value".to_owned(), here, None);
    }
    let key = colon - before.trim_start().len()..colon;
    ("no key may stand here: this line continues the value above; check its indentation".to_owned(), key, None)
}

fn line_of(text: &str, at: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    let start = memchr::memrchr2(b'\n', b'\r', &bytes[..at]).map_or(0, |n| n + 1);
    let end = memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |n| at + n);
    start..end
}

/// The character at `at`; nothing at the end of a line.
fn char_at(text: &str, at: usize) -> Range<usize> {
    let c = text.get(at..).and_then(|rest| rest.chars().next()).filter(|c| !matches!(c, '\n' | '\r'));
    at..at + c.map_or(0, char::len_utf8)
}

fn word_at(text: &str, at: usize) -> Range<usize> {
    let rest = &text[at..];
    at..at + rest.find(char::is_whitespace).unwrap_or(rest.len())
}

/// The first word of the line.
fn first_word(text: &str, at: usize) -> Range<usize> {
    let line = line_of(text, at);
    let content = text[line.clone()].trim_start_matches([' ', '\t']);
    word_at(text, line.end - content.len())
}

fn rest_of_line(text: &str, at: usize) -> Range<usize> {
    let end = line_of(text, at).end;
    at..at + text[at..end].trim_end().len()
}
