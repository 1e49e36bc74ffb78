//! Entries that stand in the wrong mapping.

use crate::source::{Edit, SourceFile, Span};
use crate::yaml::edit::{New, delete_entry, insert_entry};
use crate::yaml::{Entry, Node};

/// Takes an entry out of its mapping into one around it that `wanted` knows by its keys, by giving it less
/// indentation: only where it is the last thing of everything between the two, so that the change of its indentation is
/// the whole edit. The nearest such mapping is taken.
#[must_use]
pub fn moved_out(
    root: &Node,
    key: Span,
    file: &SourceFile,
    wanted: &mut dyn FnMut(&Node) -> bool,
) -> Option<Vec<Edit>> {
    let chain = way(root, key)?;
    let entry = own(chain.last()?, key)?;
    let end = if entry.value.span.is_empty() { entry.key.span.end } else { entry.value.span.end };
    let plain = |node: &Node| node.alias().is_none() && node.span.file == file.id;
    let last = chain.last()?.entries().all(|other| other.key.span.start <= key.start);
    if !last || entry.inherited.is_some() || !plain(&entry.value) || entry.key.span.file != file.id {
        return None;
    }
    // From the inside out, as long as nothing follows in the mapping or list at hand.
    for around in chain.iter().rev().skip(1) {
        if around.as_map().is_none() {
            let last = around.as_seq().and_then(|items| items.last());
            if last.is_none_or(|last| last.span.end != chain_end(&chain, around)) {
                return None;
            }
            continue;
        }
        if wanted(around) {
            return shifted(entry, around, end, file);
        }
        let last = around.entries().max_by_key(|e| e.key.span.start)?;
        if last.value.span.end != chain_end(&chain, around) {
            return None;
        }
    }
    None
}

/// Where the child of `around` on the way ends.
fn chain_end(chain: &[&Node], around: &Node) -> u32 {
    let at = chain.iter().position(|node| std::ptr::eq(*node, around)).unwrap_or_default();
    chain.get(at + 1).map_or(0, |node| node.span.end)
}

fn own(map: &Node, key: Span) -> Option<&Entry> {
    map.as_map()?.entries.iter().find(|entry| entry.key.span == key)
}

/// Mappings and lists from the root to the mapping that has the entry.
fn way(node: &Node, key: Span) -> Option<Vec<&Node>> {
    if own(node, key).is_some() {
        return Some(vec![node]);
    }
    let holds = |child: &&Node| {
        child.alias().is_none()
            && child.span.file == key.file
            && child.span.start <= key.start
            && key.end <= child.span.end
    };
    let inner = node.entries().map(|entry| &entry.value).chain(node.items()).find(holds)?;
    let mut rest = way(inner, key)?;
    rest.insert(0, node);
    Some(rest)
}

/// The lines of an entry, indented as the entries of another mapping are.
fn shifted(entry: &Entry, around: &Node, end: u32, file: &SourceFile) -> Option<Vec<Edit>> {
    let first = around.as_map()?.entries.first()?;
    let column = |at: u32| {
        let start = file.line_range(file.line_of(at)).start;
        let text = file.text.get(start..at as usize)?;
        text.chars().all(|c| matches!(c, ' ' | '-')).then_some((start, text.len()))
    };
    let (start, from) = column(entry.key.span.start)?;
    let (_, to) = column(first.key.span.start)?;
    // Behind a dash it would take the dash along.
    let blank = file.text.get(start..entry.key.span.start as usize)?.trim().is_empty();
    let less = from.checked_sub(to).filter(|less| *less > 0 && blank)?;
    let lines = file.line_of(entry.key.span.start)..=file.line_of(end.saturating_sub(1));
    let mut text = String::new();
    for (at, line) in lines.enumerate() {
        let from = file.line_range(line).start;
        // The ends of lines are taken from the file as they are.
        let to = if at == 0 { from } else { text_end(file, line)? };
        text.push_str(file.text.get(to..from)?);
        let content = file.text.get(from..file.line_range(line).end)?;
        let blank = content.trim().is_empty();
        if !blank && !content.get(..less)?.bytes().all(|b| b == b' ') {
            return None;
        }
        text.push_str(if blank { content } else { &content[less..] });
    }
    // The entry itself is what the edit is about, not the blanks in front of it alone.
    let stop = file.line_range(file.line_of(end.saturating_sub(1))).end;
    let span = Span::new(file.id, u32::try_from(start).ok()?, u32::try_from(stop).ok()?);
    Some(vec![Edit { span, text }])
}

/// Where the line before this one ends, its line end left out.
fn text_end(file: &SourceFile, line: usize) -> Option<usize> {
    Some(file.line_range(line.checked_sub(1)?).end)
}

/// Moves a text entry from one mapping of `parent` to another of its mappings, which is made when there is none: by its
/// new name alone where nothing else stands in the old one.
#[must_use]
pub fn moved_to(parent: &Node, from: &str, to: &str, key: &str, file: &SourceFile) -> Option<Vec<Edit>> {
    let old = parent.entry(from)?;
    let count = old.value.entries().count();
    if old.value.alias().is_some() || old.inherited.is_some() || parent.alias().is_some() {
        return None;
    }
    let value = New::text(old.value.get(key)?.as_text()?);
    match parent.entry(to) {
        None if count == 1 => Some(vec![Edit { span: old.key.span, text: to.to_owned() }]),
        None => {
            let new = New::Map(vec![(key.to_owned(), value)]);
            let insert = insert_entry(parent, file, to, &new, Some(from))?;
            Some(vec![delete_entry(&old.value, key, file)?, insert])
        }
        Some(there) if there.value.entries().next().is_some() && there.value.get(key).is_none() => {
            let insert = insert_entry(&there.value, file, key, &value, None)?;
            let delete =
                if count == 1 { delete_entry(parent, from, file) } else { delete_entry(&old.value, key, file) };
            Some(vec![delete?, insert])
        }
        Some(_) => None,
    }
}
