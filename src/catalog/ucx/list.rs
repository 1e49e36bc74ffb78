//! The list grammar that `UCX_TLS` and `UCX_NET_DEVICES` share (parser.c:944-975 `ucs_config_sscanf_allow_list`).

use std::ops::Range;

/// How a list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only what is listed.
    Allow,
    /// Everything but what is listed (`^` as the first character of the value).
    Negate,
    /// Everything (`all` or `^all`).
    All,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// As written, blanks and quotes included: UCX trims nothing.
    pub text: &'a str,
    /// Its bytes in the value.
    pub range: Range<usize>,
}

/// What is wrong with a list, and where in the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListError {
    /// What.
    pub kind: ListErrorKind,
    /// Bytes of the value.
    pub range: Range<usize>,
    /// What to write in place of the bytes; `Some("")` = leave them out.
    pub replacement: Option<String>,
}

/// Kinds of mistakes in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListErrorKind {
    /// `all` first with others behind it: the value is refused.
    AllNotAlone,
    /// `all` after others: it counts as a name that matches nothing.
    AllNotFirst,
    /// The list has no item. `UCX_TLS` is refused; `UCX_NET_DEVICES` then has no network device.
    Empty,
    /// `^` before an item that is not the first: part of the name, so that the item matches nothing. In a negated list
    /// the exclusion is dropped without a word.
    CaretNotFirst,
    /// A blank that UCX takes for part of the name.
    Blank,
    /// A quote that UCX takes for part of the name.
    Quote,
    /// Right but for upper case; UCX compares exactly.
    Case,
    /// No such name.
    Unknown,
    /// The same item twice.
    Duplicate,
}

/// Splits a value: its mode, and the items without empty ones (`strtok` skips them).
pub(super) fn split(value: &str) -> (Mode, Vec<Item<'_>>) {
    let (mut mode, start) = if value.starts_with('^') { (Mode::Negate, 1) } else { (Mode::Allow, 0) };
    let mut items = Vec::new();
    let mut at = start;
    for text in value[start..].split(',') {
        if !text.is_empty() {
            items.push(Item { text, range: at..at + text.len() });
        }
        at += text.len() + 1;
    }
    if items.first().is_some_and(|i| i.text == "all") {
        mode = Mode::All;
    }
    (mode, items)
}

/// Mistakes that do not depend on what the items name.
pub(super) fn shape_errors(value: &str, items: &[Item<'_>]) -> Vec<ListError> {
    let mut errors = Vec::new();
    if items.is_empty() {
        errors.push(ListError { kind: ListErrorKind::Empty, range: 0..value.len(), replacement: None });
    }
    for (index, item) in items.iter().enumerate() {
        if item.text == "all" && items.len() > 1 {
            let kind = if index == 0 { ListErrorKind::AllNotAlone } else { ListErrorKind::AllNotFirst };
            errors.push(ListError { kind, range: item.range.clone(), replacement: None });
        }
        if items[..index].iter().any(|i| i.text == item.text) {
            errors.push(ListError {
                kind: ListErrorKind::Duplicate,
                range: item.range.clone(),
                replacement: Some(String::new()),
            });
        }
    }
    errors
}

/// An item without what UCX would take for part of its name: what had to go first, and the tidy text.
pub(super) fn tidy(item: &Item<'_>) -> (Option<ListErrorKind>, String) {
    let mut text = item.text;
    let mut kind = None;
    let blank = |c: char| c.is_whitespace();
    let quote = |c: char| matches!(c, '"' | '\'');
    if text.contains(blank) {
        kind = Some(ListErrorKind::Blank);
    }
    if text.contains(quote) {
        kind = Some(ListErrorKind::Quote);
    }
    text = text.trim_matches(|c| blank(c) || quote(c));
    if let Some(rest) = text.strip_prefix('^') {
        kind = kind.or(Some(ListErrorKind::CaretNotFirst));
        text = rest.trim_matches(|c| blank(c) || quote(c));
    }
    (kind, text.to_owned())
}
