//! New items and entries.

use super::write::New;
use super::{after, before, empty, end, end_of_line, indent, newline, starts_with};
use crate::source::{Edit, SourceFile, Span};
use crate::yaml::{Entry, Kind, Node, Style};

/// Appends items to a list that has some, in the style of its last one. `list` is where the list stands.
#[must_use]
pub fn append_item(items: &[Node], list: Span, file: &SourceFile, new: &[New]) -> Option<Edit> {
    let last = items.last()?;
    let at = end(last);
    if at.file != file.id || list.file != file.id || new.is_empty() {
        return None;
    }
    let style = style_of(last);
    if starts_with(file, list, '[') {
        let text: String = new.iter().map(|item| format!(", {}", item.flow(style))).collect();
        return Some(Edit::insert(file.id, at.end, text));
    }
    let prefix = before(file, last.alias().unwrap_or(last.span).start);
    let dash = prefix.trim_start_matches('\u{feff}').trim_start();
    if !dash.starts_with('-') || !dash[1..].trim().is_empty() || !empty(after(file, at.end)) {
        return None;
    }
    let (line, column) = (newline(file), indent(prefix));
    // Maps in flow style stay so.
    let flow = last.as_map().is_some() && starts_with(file, at, '{');
    let text = |item: &New| if flow { item.flow(style) } else { item.block(&column, line, style) };
    let lead = prefix.trim_start_matches('\u{feff}');
    let text: String = new.iter().map(|item| format!("{line}{lead}{}", text(item))).collect();
    Some(Edit::insert(file.id, end_of_line(file, at.end), text))
}

/// Adds an entry to a mapping that has some, behind the entry of `behind` or as the last one.
#[must_use]
pub fn insert_entry(map: &Node, file: &SourceFile, key: &str, value: &New, behind: Option<&str>) -> Option<Edit> {
    let Kind::Map(entries) = &*map.kind else { return None };
    if map.alias().is_some() {
        return None;
    }
    let own = |entry: &&Entry| entry.inherited.is_none() && entry.key.span.file == file.id;
    let named = behind.and_then(|name| entries.entries.iter().filter(own).find(|e| &*e.key.name == name));
    let last = named.or_else(|| entries.entries.iter().filter(own).max_by_key(|e| e.key.span.start))?;
    let value_end = end(&last.value);
    let at = if value_end.is_empty() || value_end.file != file.id { last.key.span.end } else { value_end.end };
    if map.span.file == file.id && starts_with(file, map.span, '{') {
        return Some(Edit::insert(file.id, at, format!(", {key}: {}", value.flow(Style::Plain))));
    }
    let column = indent(before(file, last.key.span.start));
    let rest = after(file, at);
    // Behind the key of an absent value stands its colon.
    let rest = if value_end.is_empty() { rest.trim_start().trim_start_matches(':') } else { rest };
    if !empty(rest) {
        return None;
    }
    let line = newline(file);
    let style = if matches!(value, New::Text(_)) { style_of(&last.value) } else { Style::Plain };
    let text = format!("{line}{column}{key}:{}", value.behind_key(&column, line, style));
    Some(Edit::insert(file.id, end_of_line(file, at), text))
}

/// How strings beside the new one are quoted: the item itself, or its `value`.
fn style_of(node: &Node) -> Style {
    let scalar = node.as_scalar().or_else(|| node.get("value")?.as_scalar());
    match scalar.map(|scalar| scalar.style) {
        Some(style @ (Style::Single | Style::Double)) => style,
        _ => Style::Plain,
    }
}
