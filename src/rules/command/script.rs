//! Scripts in block scalars: what YAML folding and the shell's own parser make of them.

use std::ops::Range;

use super::slips::dollars;
use crate::command::{Listing, listing};
use crate::finding::{Applicability, Edit};
use crate::manifest::{Container, Image};
use crate::resolve::{Recipe, is_dynamo_image};
use crate::rules::{Findings, workload};
use crate::source::{Span, Text, is_capital_name};
use crate::yaml::{Node, Style};

/// The node of a container's script: the one word behind `sh -c`, or the only `args` entry where the operator puts
/// `sh -c` in front.
pub(super) fn script(container: &Container) -> Option<&Node> {
    match workload::script(container) {
        Some(script) => Some(script),
        None if container.command.items.is_empty() && container.args.items.len() == 1 => container.args.items.first(),
        None => None,
    }
}

/// A script of a container with its commands.
pub(super) struct Scripted {
    /// Which of [`workload::containers`] it is of.
    container: usize,
    /// The script.
    pub(super) text: Text,
    /// Its commands.
    pub(super) listing: Listing,
}

/// The scripts of a file; several rules look at their commands, so they are listed once.
struct Scripts(Vec<Scripted>);

impl Scripts {
    fn of(recipe: &Recipe) -> Self {
        let containers = workload::containers(recipe).into_iter().enumerate();
        let scripted = containers.filter_map(|(at, (_, container))| {
            let node = script(container).filter(|node| node.as_text().is_some_and(|text| !text.contains("{{")))?;
            let text = node.as_text().filter(|text| worth_listing(container, text)).and_then(|_| recipe.text(node))?;
            let listing = listing(&text);
            Some(Scripted { container: at, text, listing })
        });
        Self(scripted.collect())
    }
}

/// Whether a script may hold what the rules about its commands look for. Most of those that start an engine hold none of it, and
/// need not be taken apart.
fn worth_listing(container: &Container, script: &str) -> bool {
    const MARKS: [&str; 7] = [" =", "= ", "()", "$(", "\n$", "install", "hugging"];
    let image = container.image.as_ref().and_then(Node::as_text).map(Image::cut);
    let engine = image.is_some_and(|image| is_dynamo_image(image.name()));
    let quoted = || dollars(script).any(|(_, single)| single);
    !engine || MARKS.iter().any(|mark| script.contains(mark)) || quoted()
}

/// Calls `f` for every script of a file that is not to be filled by another tool first, with its owner and container.
pub(super) fn each_script(recipe: &Recipe, mut f: impl FnMut(&str, &Container, &Scripted)) {
    let scripts = recipe.memo().once(|| Scripts::of(recipe));
    if scripts.0.is_empty() {
        return;
    }
    let containers = workload::containers(recipe);
    for scripted in &scripts.0 {
        let (owner, container) = containers[scripted.container];
        f(owner, container, scripted);
    }
}

/// `folded-script-backslash`
pub fn folded_script_backslash(recipe: &Recipe, out: &mut Findings) {
    for (owner, container) in workload::containers(recipe) {
        let Some(node) = script(container) else { continue };
        let folds = node.as_scalar().is_some_and(|s| s.style != Style::Literal);
        if !folds {
            continue;
        }
        let Some(text) = recipe.text(node) else { continue };
        joined(recipe, owner, &text, out);
        if node.as_scalar().is_some_and(|s| s.style == Style::Double) || !text.contains("\\ ") {
            continue;
        }
        let source = recipe.sources.get(node.span.file);
        let found: Vec<usize> = folded(&text)
            .filter(|&at| {
                let end = text.slice_span(at..at + 1).end as usize;
                // The blank behind the backslash is a line end in the file.
                source.text.get(end..).is_some_and(|rest| rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'))
            })
            .collect();
        let Some(&first) = found.first() else { continue };
        let next: String = text[first + 1..].chars().take_while(|c| *c != '\\').collect();
        let next = next.trim_start().split(' ').next().unwrap_or_default().to_owned();
        let more = if found.len() > 1 { format!(", and {} more", found.len() - 1) } else { String::new() };
        out.report(
            text.slice_span(first..first + 1),
            format!("line continuation in a folded scalar: the shell sees an escaped blank ({owner})"),
            format!("YAML joins the lines, so the next word starts with a blank: ` {next}`{more}"),
        )
        .subject(owner)
        .help("write the script as a literal scalar (`|`), or drop the backslashes")
        .fix_edits(Applicability::Safe, found.iter().map(|&at| remove(&text, at)).collect())
        .emit();
    }
}

/// Builtins, and commands that take any words, which start no program out of them.
const TAKERS: [&str; 16] = [
    "ulimit", "export", "cd", "set", "source", ".", "unset", "shopt", "echo", "mkdir", "sleep", "umask", "pip", "rm",
    "chmod", "declare",
];

/// Words that start a command where they begin a line.
const STARTERS: [&str; 22] = [
    "aiperf",
    "apt-get",
    "curl",
    "exec",
    "hf",
    "huggingface-cli",
    "pip",
    "python3",
    "python",
    "ulimit",
    "export",
    "cd",
    "set",
    "source",
    "unset",
    "numactl",
    "mpirun",
    "trtllm-llmapi-launch",
    "nohup",
    "echo",
    "vllm",
    "wget",
];

/// Lines that a fold joins into one command.
fn joined(recipe: &Recipe, owner: &str, text: &Text, out: &mut Findings) {
    let source = &recipe.sources.get(text.span().file).text;
    let mut from = 0;
    for (at, _) in text.match_indices([' ', '\n']) {
        // A blank that stands for a line end of the file; a line end of the text begins another command anyway.
        let kept = text.as_bytes()[at] == b'\n';
        let end = text.slice_span(at.saturating_sub(1)..at).end as usize;
        let breaks = || source.get(end..).is_some_and(|s| s.trim_start_matches([' ', '\t', '\r']).starts_with('\n'));
        if !kept && (at == 0 || !breaks()) {
            continue;
        }
        let start = std::mem::replace(&mut from, at + 1);
        let line = &text[start..at];
        if let Some(hash) = comment(&text[..start], line).filter(|_| !kept) {
            let told = text.slice_span(start + hash..at);
            out.report(
                told,
                format!("all that follows is a part of this comment ({owner})"),
                "a folded scalar joins the lines",
            )
            .subject(owner)
            .help("write the script as a literal scalar (`|`), or take the comment out of it")
            .emit();
            return;
        }
        if kept || line.matches('"').count() % 2 == 1 || line.matches('\'').count() % 2 == 1 {
            continue;
        }
        let last = line.rsplit([';', '|', '&']).next().unwrap_or_default();
        let (Some(taker), Some(next)) = (last.split_whitespace().next(), text[at + 1..].split_whitespace().next())
        else {
            continue;
        };
        // `export A=1` goes on with `B=2`.
        let assigns = next.split_once('=').is_some_and(|(name, _)| is_capital_name(name))
            && matches!(taker, "ulimit" | "cd" | "set" | "source" | ".");
        let starts = assigns || STARTERS.contains(&next);
        if !TAKERS.contains(&taker) || !starts || last.ends_with('\\') || line.contains('#') {
            continue;
        }
        out.report(
            text.slice_span(at + 1..at + 1 + next.len()),
            format!("`{next}` is a word of `{taker}` in the line above ({owner})"),
            "a folded scalar joins the lines with a blank: no command begins here",
        )
        .subject(owner)
        .help("write the script as a literal scalar (`|`), or end the line above in `&&` or `;`")
        .emit();
        return;
    }
}

/// Where a comment begins in a line of a shell's.
fn comment(above: &str, line: &str) -> Option<usize> {
    let count = |part: &str, quote: char| part.matches(quote).count();
    let closed = |at: usize| ['"', '\'', '`'].iter().all(|q| (count(above, *q) + count(&line[..at], *q)) % 2 == 0);
    line.match_indices('#').map(|(at, _)| at).find(|at| {
        let before = &line[..*at];
        (before.trim().is_empty() || before.ends_with(' ')) && closed(*at)
    })
}

/// Takes a backslash away, and the blanks in front of it.
fn remove(text: &Text, at: usize) -> Edit {
    let start = text[..at].trim_end_matches(' ').len();
    // Blanks that come from the lines before stay: they are not next to the backslash in the file.
    let (span, blanks) = (text.slice_span(at..at + 1), text.slice_span(start..at));
    let joined =
        start < at && blanks.file == span.file && blanks.end == span.start && blanks.len() as usize == at - start;
    Edit { span: if joined { blanks.to(span) } else { span }, text: String::new() }
}

/// Offsets of backslashes that escape a blank.
fn folded(text: &Text) -> impl Iterator<Item = usize> {
    let bytes = text.as_str().as_bytes();
    (0..bytes.len().saturating_sub(1)).filter(move |&i| {
        let run = bytes[..=i].iter().rev().take_while(|b| **b == b'\\').count();
        bytes[i] == b'\\' && bytes[i + 1] == b' ' && run % 2 == 1
    })
}

/// The line that was to end a here-document and has blanks around it.
fn unended(script: &str) -> Option<(Range<usize>, &str)> {
    let mut lines = script.split('\n');
    while let Some(line) = lines.next() {
        let code = line.split('#').next().unwrap_or_default();
        let Some((_, rest)) = code.split_once("<<").filter(|(_, rest)| !rest.starts_with(['<', '-'])) else { continue };
        let rest = rest.trim_start().trim_start_matches(['\'', '"', '\\']);
        let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let mut blank = None;
        let ended = lines.clone().any(|line| {
            blank = blank.or_else(|| (line.trim() == word).then_some(line));
            line == word
        });
        if let (false, Some(line)) = (ended, blank) {
            let at = line.as_ptr() as usize - script.as_ptr() as usize + line.len() - line.trim_start().len();
            return Some((at..at + word.len(), word));
        }
        // What stands in one is no script.
        lines.by_ref().find(|line| *line == word);
    }
    None
}

/// `script-syntax`
pub fn script_syntax(recipe: &Recipe, out: &mut Findings) {
    for (owner, container) in workload::containers(recipe) {
        let text = script(container).filter(|n| n.as_text().is_some_and(|t| t.contains("<<") && unended(t).is_some()));
        if let Some(text) = text.and_then(|node| recipe.text(node))
            && let Some((range, word)) = unended(&text)
        {
            let message = format!("the here-document `{word}` of `{owner}` does not end here");
            out.report(text.slice_span(range), message, "blanks around the word: all lines that follow belong to it")
                .subject(owner)
                .help(format!("write `{word}` where the lines of the script begin, or `<<-{word}` with tabs in front"))
                .emit();
        }
        let errors = workload::script_errors(container, recipe);
        let Some((span, message)) = errors.first() else { continue };
        let stray = stray_quote(container, recipe, *span);
        out.report(*span, format!("the shell cannot parse the script of `{owner}`: {message}"), "syntax error")
            .subject(owner)
            .help(if stray.is_some() {
                "drop the quote, or write the one that belongs to it"
            } else {
                "close what is open, or quote what is meant literally"
            })
            .fix_edits(Applicability::Unsafe, stray.into_iter().collect())
            .emit();
    }
}

/// The edit that drops a quote which nothing answers: where it stands at the edge of a word and the script is sound
/// without it.
fn stray_quote(container: &Container, recipe: &Recipe, at: Span) -> Option<Edit> {
    let node = workload::script(container)?;
    let text = recipe.text(node)?;
    let index = (0..text.len())
        .find(|&index| matches!(text.as_bytes()[index], b'"' | b'\'') && text.slice_span(index..index + 1) == at)?;
    let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let edge = blank(text[..index].chars().next_back()) || blank(text[index + 1..].chars().next());
    let without = format!("{}{}", &text[..index], &text[index + 1..]);
    let sound = crate::command::syntax_errors(&Text::opaque(without, at)).is_empty();
    (edge && sound).then(|| Edit { span: at, text: String::new() })
}
