//! Items and entries that go, with the comments that speak about them alone.

use super::{after, before, empty, end, end_of_line, starts_with};
use crate::source::{Edit, SourceFile, Span};
use crate::yaml::{Entry, Kind, Node};

/// Deletes the item of a list that stands at `entry`'s value; the whole entry when it is the only one.
#[must_use]
pub fn delete_item(map: &Node, key: &str, index: usize, file: &SourceFile) -> Option<Edit> {
    let entry = map.entry(key)?;
    let items = entry.value.as_seq()?;
    let item = items.get(index)?;
    if entry.value.alias().is_some() || entry.inherited.is_some() || item.alias().is_some() {
        return None;
    }
    if items.len() == 1 {
        return delete_entry(map, key, file);
    }
    let span = |node: &Node| Span::new(file.id, node.span.start, node.span.end);
    if item.span.file != file.id {
        return None;
    }
    if starts_with(file, entry.value.span, '[') {
        return Some(flow(index, items.len(), |at| span(&items[at])));
    }
    let prefix = before(file, item.span.start).trim_start();
    if !prefix.starts_with('-') || !prefix[1..].trim().is_empty() {
        return None;
    }
    lines(file, item.span.start, item.span.end, items.get(index + 1).map(|next| next.span.start))
}

/// Deletes an entry of a mapping.
#[must_use]
pub fn delete_entry(map: &Node, key: &str, file: &SourceFile) -> Option<Edit> {
    let Kind::Map(entries) = &*map.kind else { return None };
    let at = entries.entries.iter().position(|entry| &*entry.key.name == key)?;
    let entry = &entries.entries[at];
    let own = |entry: &Entry| entry.inherited.is_none() && entry.key.span.file == file.id;
    if map.alias().is_some() || !own(entry) || entries.entries.len() == 1 || !entries.entries.iter().all(own) {
        return None;
    }
    let stop = |entry: &Entry| {
        let value = end(&entry.value);
        if value.is_empty() || value.file != file.id { entry.key.span.end + 1 } else { value.end }
    };
    let whole = |at: usize| Span::new(file.id, entries.entries[at].key.span.start, stop(&entries.entries[at]));
    if map.span.file == file.id && starts_with(file, map.span, '{') {
        return Some(flow(at, entries.entries.len(), whole));
    }
    let next = entries.entries.get(at + 1).map(|next| next.key.span.start);
    let prefix = before(file, entry.key.span.start).trim_start_matches('\u{feff}');
    if prefix.trim().is_empty() {
        return lines(file, entry.key.span.start, stop(entry), next);
    }
    // `- key: …`: the dash stays for the next entry.
    let next = next.filter(|_| prefix.trim() == "-")?;
    let between = file.text.get(stop(entry) as usize..next as usize)?;
    let plain = between.lines().enumerate().all(|(at, line)| line.trim().is_empty() || (at == 0 && empty(line)));
    plain.then(|| Edit { span: Span::new(file.id, entry.key.span.start, next), text: String::new() })
}

/// One of several in a flow collection, with the comma beside it.
fn flow(at: usize, count: usize, span: impl Fn(usize) -> Span) -> Edit {
    let own = span(at);
    let span =
        if at + 1 < count { Span { end: span(at + 1).start, ..own } } else { Span { start: span(at - 1).end, ..own } };
    Edit { span, text: String::new() }
}

/// Whole lines, and the comment lines right above them when those speak about nothing else: a comment above several
/// siblings that follow one another is theirs too.
fn lines(file: &SourceFile, start: u32, stop: u32, next: Option<u32>) -> Option<Edit> {
    if !empty(after(file, stop)) {
        return None;
    }
    let first = file.line_of(start);
    let last = file.line_of(end_of_line(file, stop).saturating_sub(1).max(start));
    let is_comment = |line: usize| file.text[file.line_range(line)].trim_start().starts_with('#');
    let group = next.is_some_and(|next| file.line_of(next) == last + 1);
    let mut from = first;
    while !group && from > 0 && is_comment(from - 1) {
        from -= 1;
    }
    let begin = file.line_range(from).start;
    // The next line's start; at the end of the file the line end before goes instead.
    let (begin, finish) = if last + 1 < file.line_count() {
        (begin, file.line_range(last + 1).start)
    } else if file.text.ends_with('\n') {
        (begin, file.text.len())
    } else {
        (file.line_range(from.checked_sub(1)?).end, file.text.len())
    };
    let offset = |at: usize| u32::try_from(at).ok();
    Some(Edit { span: Span::new(file.id, offset(begin)?, offset(finish)?), text: String::new() })
}
