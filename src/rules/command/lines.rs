//! Lines and quotes that a script loses on the way to the process.

use std::ops::Range;

use super::script::script;
use crate::command::{Slip, slips};
use crate::finding::{Applicability, Edit};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::Text;

/// The scripts of a file that may hold a slip, with the name of their owner.
fn scripts<'a>(recipe: &'a Recipe, worth: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = (&'a str, Text)> + 'a {
    workload::containers(recipe).into_iter().filter_map(move |(owner, container)| {
        let node = script(container)?;
        let plain = node.as_text()?;
        // Text to be filled by another tool is no script yet.
        (!plain.contains("{{") && worth(plain)).then(|| recipe.text(node)).flatten().map(|text| (owner, text))
    })
}

/// Whether some line starts with an option and may not be the continuation of the one before: most scripts need not be
/// parsed to see that they have none.
fn has_lost_line(script: &str) -> bool {
    let continued = |line: &str| {
        let backslashes = line.bytes().rev().take_while(|&b| b == b'\\').count();
        // Behind a `#` a backslash continues nothing.
        backslashes % 2 == 1 && !line.contains('#')
    };
    let mut lines = script.split('\n');
    let mut before = lines.next().unwrap_or_default();
    lines.any(|line| {
        let last = std::mem::replace(&mut before, line);
        line.trim_start().starts_with('-') && (!continued(last) || ends_command(last))
    })
}

/// Whether a line ends its command although a backslash joins it to the next one.
fn ends_command(line: &str) -> bool {
    line.trim_end().trim_end_matches('\\').trim_end().ends_with(';')
}

/// Builtins that start no program out of the words behind them.
const TAKERS: [&str; 4] = ["cd", "export", "ulimit", "unset"];

/// Python with a module of Dynamo's among the words of a builtin: where, and of which one.
fn swallowed(script: &str) -> Option<(Range<usize>, &str)> {
    ["python3 -m dynamo.", "python -m dynamo."].iter().flat_map(|start| script.match_indices(start)).find_map(
        |(at, _)| {
            // A backslash joins the line in front.
            let line = script[..at].rfind('\n').map_or(0, |mut end| {
                while script[..end].ends_with('\\') {
                    match script[..end].rfind('\n') {
                        Some(before) => end = before,
                        None => return 0,
                    }
                }
                end + 1
            });
            let before = &script[line..at];
            let command = before.rsplit([';', '&', '|', '(', '`', '{']).next().unwrap_or_default();
            let mut words = command.split_whitespace();
            let taker = words.next().filter(|word| TAKERS.contains(word))?;
            let odd = command.contains(['"', '\'', '#', '$', '<']) || command.trim_end().ends_with('=');
            (words.next().is_some() && !odd).then(|| (at..at + script[at..].find(' ').unwrap_or_default(), taker))
        },
    )
}

/// `script-line-lost`
pub fn script_line_lost(recipe: &Recipe, out: &mut Findings) {
    for (owner, text) in scripts(recipe, |script| swallowed(script).is_some()) {
        let Some((range, taker)) = swallowed(&text) else { continue };
        let span = text.slice_span(range.clone());
        // A fold that joins the lines is `folded-script-backslash`'s.
        let from = text[..range.start].rfind(taker).unwrap_or_default();
        let written = text.slice_span(from..range.end).range();
        let lines = |text: &str| text.matches('\n').count();
        if recipe.sources.get(span.file).text.get(written).is_none_or(|w| lines(w) != lines(&text[from..range.end])) {
            continue;
        }
        out.report(span, format!("`{}` is a word of `{taker}` (`{owner}`)", &text[range]), "nothing starts it")
            .subject(owner)
            .help(format!(
                "end the command `{taker} …` in front of it with `&&`, `;` or a line end without a backslash"
            ))
            .emit();
    }
    for (owner, text) in scripts(recipe, has_lost_line) {
        for (slip, range) in slips(&text) {
            let before = text[..range.start].trim_end_matches([' ', '\t']);
            // `; --x` on one line is somebody's riddle, not a lost line.
            let Some(before) = before.strip_suffix('\n').filter(|_| slip == Slip::LostLine) else { continue };
            let line = before.rsplit('\n').next().unwrap_or_default();
            let end = before.len();
            let trimmed = line.trim();
            let (why, edit) = if trimmed.is_empty() {
                ("an empty line ends the command before it", None)
            } else if trimmed.starts_with('#') {
                ("a comment ends the command before it", None)
            } else if ends_command(line) {
                let at = end - line.len() + line.rfind(';').unwrap_or_default();
                let edit = Edit { span: text.slice_span(at..at + 1), text: String::new() };
                ("the `;` in the line before it ends the command", Some(edit))
            } else if trimmed.ends_with('\\') {
                let blanks = end - before.trim_end().len();
                let edit = Edit { span: text.slice_span(end - blanks..end), text: String::new() };
                ("the backslash before it escapes a blank, not the line end", Some(edit))
            } else if let Some(hash) = comment_start(line) {
                let code = end - line.len() + line[..hash].trim_end().len();
                let backslash = text[..code].ends_with('\\');
                let edit = Edit {
                    span: text.slice_span(code..end),
                    text: if backslash { String::new() } else { " \\".to_owned() },
                };
                ("the line before it ends in a comment, not in a backslash", Some(edit))
            } else {
                let last = before.chars().next_back().map_or(1, char::len_utf8);
                let edit =
                    Edit { span: text.slice_span(end - last..end), text: format!("{} \\", &before[end - last..]) };
                ("no backslash ends the line before it", Some(edit))
            };
            out.report(
                text.slice_span(range.clone()),
                format!("`{}` runs as a command of its own (`{owner}`)", &text[range]),
                why,
            )
            .subject(owner)
            .help("end every line of the command but the last in a backslash, with nothing behind it and no comment between")
            .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
            .emit();
            break;
        }
    }
}

/// Where a comment behind code begins. One that only looks so, since a backslash stands in front of it, counts as well.
fn comment_start(line: &str) -> Option<usize> {
    let hash = line.find(" #")? + 1;
    let quotes = |part: &str, quote: char| part.matches(quote).count();
    let (code, comment) = line.split_at(hash);
    (['"', '\''].iter().all(|q| quotes(code, *q) % 2 == 0 && quotes(comment, *q) == 0)).then_some(hash)
}

/// `json-quotes-lost`
pub fn json_quotes_lost(recipe: &Recipe, out: &mut Findings) {
    for (owner, text) in scripts(recipe, |script| script.contains("{\"")) {
        for (slip, range) in slips(&text) {
            if slip != Slip::JsonQuotes {
                continue;
            }
            out.report(
                text.slice_span(range),
                format!("the shell takes the quotes of this JSON away (`{owner}`)"),
                "no quotes around it that keep those inside",
            )
            .subject(owner)
            .help("put the JSON into single quotes")
            .emit();
        }
    }
}
