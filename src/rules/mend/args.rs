//! Command lines: lists of words, and scripts in block scalars.

use super::file;
use crate::command::{Flag, Word};
use crate::resolve::Service;
use crate::source::{Edit, SourceFile, Sources, Span};
use crate::yaml::edit::{New, append_item, newline};
use crate::yaml::{Node, Style};

/// The list item in which a word is written: its list, the place of that list, and the item.
fn holder(service: &Service, at: Span) -> Option<(&[Node], Span, &Node)> {
    let main = &service.component.main;
    [&main.args, &main.command].into_iter().find_map(|field| {
        let inside = |node: &&Node| {
            node.alias().is_none()
                && node.span.file == at.file
                && node.span.start <= at.start
                && at.end <= node.span.end
        };
        Some((&field.items[..], field.span?, field.items.iter().find(inside)?))
    })
}

/// Whether the item is a script, not one word.
fn is_script(item: &Node, word: &Word) -> bool {
    item.as_scalar().is_none_or(|scalar| *scalar.value != *word.text.as_str())
}

/// Words as a shell takes them.
fn shell(words: &[&str]) -> Option<String> {
    let plain =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:,=+@%-".contains(&b));
    let quoted = |word: &&str| match word {
        word if plain(word) => Some((*word).to_owned()),
        word if !word.contains('\'') => Some(format!("'{word}'")),
        _ => None,
    };
    words.iter().map(quoted).collect::<Option<Vec<_>>>().map(|words| words.join(" "))
}

/// A text as it has to be written inside a scalar of that style: what the style gives a meaning is escaped. `None` where
/// it cannot stand there.
fn within(text: &str, style: Style) -> Option<String> {
    match style {
        Style::Literal | Style::Folded => Some(text.to_owned()),
        Style::Plain => {
            let ends = text.contains(": ") || text.contains(" #") || text.ends_with(':');
            // In a flow list these would end the scalar; whether it stands in one is not asked.
            (!ends && !text.contains(['{', '}', '[', ']', ','])).then(|| text.to_owned())
        }
        Style::Single => Some(text.replace('\'', "''")),
        Style::Double => Some(text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Appends words to the command line of the service's Dynamo process: as items of its list, or in its script, on a line
/// of their own where the others have one.
#[must_use]
pub fn append_words(service: &Service, sources: &Sources, words: &[&str]) -> Option<Vec<Edit>> {
    let process = service.process.as_ref().filter(|process| !process.implied)?;
    let last = process.argv.last()?;
    let at = last.text.whole();
    let (items, list, item) = holder(service, at)?;
    let source = file(sources, at);
    if !is_script(item, last) {
        if items.last().map(|node| node.span) != Some(item.span) {
            return None;
        }
        let words: Vec<New> = words.iter().map(|word| New::text(*word)).collect();
        return Some(vec![append_item(items, list, &source, &words)?]);
    }
    let style = item.as_scalar()?.style;
    let text = within(&shell(words)?, style)?;
    // Where the last word ends there must be nothing that belongs to it.
    let rest = source.text.get(at.end as usize..item.span.end as usize)?;
    let rest =
        if matches!(style, Style::Single | Style::Double) { rest.get(..rest.len().checked_sub(1)?)? } else { rest };
    if !(rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r', ';', '|', '&', ')', '>'])) {
        return None;
    }
    let own = own_line(&source, process.argv.iter().map(|word| word.text.whole()), at);
    let text = match own {
        Some((indent, backslash)) => {
            let line = newline(&source);
            let slash = if backslash { " \\" } else { "" };
            format!("{slash}{line}{indent}{text}")
        }
        None => format!(" {text}"),
    };
    Some(vec![Edit::insert(source.id, at.end, text)])
}

/// When the options of a command stand on lines of their own: the indentation of the last of those lines, and whether
/// the lines are joined by backslashes.
fn own_line(file: &SourceFile, words: impl Iterator<Item = Span>, last: Span) -> Option<(String, bool)> {
    let line = file.line_of(last.start);
    if words.filter(|span| span.file == last.file).all(|span| file.line_of(span.start) == line) {
        return None;
    }
    let text = file.text.get(file.line_range(line))?;
    let indent: String = text.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
    let before = file.text.get(file.line_range(line.checked_sub(1)?))?;
    Some((indent, before.ends_with('\\')))
}

/// Gives a flag another value: its own word, and the first one only.
#[must_use]
pub fn set_flag(service: &Service, flag: &Flag, sources: &Sources, value: &str) -> Option<Vec<Edit>> {
    let word = flag.value().filter(|word| word.dynamic.is_none())?;
    let span = word.text.span();
    let source = file(sources, span);
    let exact = source.text.get(span.range()) == Some(word.text.as_str());
    let inside = holder(service, span)?;
    let scalar = inside.2.as_scalar()?;
    let simple = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./-".contains(&b)) && !value.is_empty();
    // A plain word that becomes a number or boolean would need quotes.
    let typed = scalar.style == Style::Plain && !is_script(inside.2, word) && !flag.joined;
    if !exact || word.text.is_empty() || !simple {
        return None;
    }
    if typed {
        return Some(vec![crate::yaml::edit::replace(inside.2, &source, value)?]);
    }
    Some(vec![Edit { span, text: value.to_owned() }])
}

/// Takes a flag with its values off the command line.
#[must_use]
pub fn drop_flag(service: &Service, flag: &Flag, sources: &Sources) -> Option<Vec<Edit>> {
    let process = service.process.as_ref().filter(|process| !process.implied)?;
    let span = flag.full_span();
    let source = file(sources, span);
    let (items, list, item) = holder(service, flag.used)?;
    let word = process.argv.iter().find(|word| word.text.whole() == flag.used)?;
    if is_script(item, word) {
        // What an expansion brings beside the flag stays: the flag goes where it is written.
        let values = if flag.joined { &[][..] } else { &flag.values[..] };
        let here = |w: &&Word| w.text.whole() == flag.used || values.iter().any(|v| v.text.whole() == w.text.whole());
        let alone = process.argv.iter().filter(here).count() == 1 + values.len();
        let end = values.last().map_or_else(|| word.span(), Word::span);
        // A flag that went through several variables is written nowhere as it is, and its value may come from elsewhere.
        let literal = || source.text.get(flag.span.range()) == Some(flag.name.as_str()) && end.start >= flag.span.start;
        if !alone && !literal() {
            return None;
        }
        let span = if alone { span } else { flag.span.to(end) };
        // All of it must stand in that one script.
        let inside = item.span.file == span.file && item.span.start <= span.start && span.end <= item.span.end;
        return inside.then(|| cut(&source, span).map(|edit| vec![edit]))?;
    }
    let values: Vec<Span> =
        if flag.joined { Vec::new() } else { flag.values.iter().map(|word| word.text.whole()).collect() };
    let first = items.iter().position(|node| node.span == item.span)?;
    let count = 1 + values.len();
    let run = items.get(first..first + count)?;
    let same = run[1..].iter().zip(&values).all(|(node, value)| node.alias().is_none() && node.span == *value);
    if !same || count == items.len() {
        return None;
    }
    if source.text.get(list.range())?.starts_with('[') {
        let span = match items.get(first + count) {
            Some(next) => Span { end: next.alias().unwrap_or(next.span).start, ..run[0].span },
            None => {
                let before = &items[first.checked_sub(1)?];
                Span::new(source.id, before.alias().unwrap_or(before.span).end, run.last()?.span.end)
            }
        };
        return Some(vec![Edit { span, text: String::new() }]);
    }
    let (from, to) = (source.line_of(run[0].span.start), source.line_of(run.last()?.span.end.saturating_sub(1)));
    let start = source.line_range(from).start;
    let dash = source.text.get(start..run[0].span.start as usize)?.trim();
    if dash != "-" {
        return None;
    }
    let (start, end) = if to + 1 < source.line_count() {
        (start, source.line_range(to + 1).start)
    } else {
        (source.line_range(from.checked_sub(1)?).end, source.line_range(to).end)
    };
    let span = Span::new(source.id, u32::try_from(start).ok()?, u32::try_from(end).ok()?);
    Some(vec![Edit { span, text: String::new() }])
}

/// Cuts a span out of a script: with its line when it stands alone there, with the blanks before it otherwise.
#[must_use]
pub fn cut(file: &SourceFile, span: Span) -> Option<Edit> {
    let (first, last) = (file.line_of(span.start), file.line_of(span.end.saturating_sub(1)));
    let (start, end) = (file.line_range(first).start, file.line_range(last).end);
    let before = file.text.get(start..span.start as usize)?;
    let after = file.text.get(span.end as usize..end)?;
    let (start, end) = match (before.trim().is_empty(), after.trim()) {
        (true, "\\") => (start, file.line_range(last + 1).start),
        (true, "") => {
            // The last line of the command: the one before must not go on.
            let previous = file.line_range(first.checked_sub(1)?);
            let text = file.text.get(previous.clone())?;
            let kept = text.strip_suffix('\\').unwrap_or(text).trim_end();
            (previous.start + kept.len(), end)
        }
        (true, _) => {
            let blanks = after.len() - after.trim_start().len();
            (span.start as usize, span.end as usize + blanks)
        }
        (false, _) => (start + before.trim_end().len(), span.end as usize),
    };
    let span = Span::new(file.id, u32::try_from(start).ok()?, u32::try_from(end).ok()?);
    Some(Edit { span, text: String::new() })
}
