//! Fixes for people: the lines that change under a finding, and whole files as unified diffs.

use std::fmt::Write as _;
use std::sync::Arc;

use similar::{ChangeTag, TextDiff};

use super::full::Style;
use super::mask::{mask, mask_file};
use super::wire::CheckFix;
use crate::finding::Applicability;
use crate::source::{SourceFile, Sources};

/// Most lines that are drawn of one fix.
const LINES: usize = 24;

/// The lines that a fix takes away and brings, without context: of the finding's own file first, then of every other,
/// under its name. Nothing for edits that do not fit their file.
pub(super) fn draw(fix: &CheckFix, own: &str, files: &[Arc<SourceFile>], style: Style) -> String {
    let mut out = String::new();
    let how = match (fix.applicability, fix.verified) {
        (Applicability::Safe, true) => "fix verified, safe: `--fix` applies it",
        (Applicability::Unsafe, true) => "fix verified, unsafe: `--fix --unsafe-fixes` applies it",
        (Applicability::Safe | Applicability::Unsafe, false) => "fix, not tried",
        (Applicability::Display, _) => "one way to mend it, to be applied by hand",
    };
    let _ = writeln!(out, "  {how}");
    let (same, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| file.name == own);
    for file in same.into_iter().chain(others) {
        let mut edits: Vec<_> = fix.edits.iter().filter(|edit| edit.path == file.name).collect();
        crate::source::order_by_key(&mut edits, |edit| edit.start);
        let Some(first) = edits.first() else { continue };
        if files.len() > 1 || file.name != own {
            let _ = writeln!(out, "  {}:{}", file.name, first.place.line);
        }
        let mut after = String::with_capacity(file.text.len());
        let mut at = 0;
        for edit in edits {
            let (start, end) = (edit.start as usize, edit.end as usize);
            let Some(kept) = file.text.get(at..start) else { return String::new() };
            after.push_str(kept);
            after.push_str(&edit.text);
            at = end;
        }
        after.push_str(file.text.get(at..).unwrap_or_default());
        lines(&mask(&file.text), &mask(&after), style, &mut out);
    }
    out
}

fn lines(before: &str, after: &str, style: Style, out: &mut String) {
    let diff = TextDiff::from_lines(before, after);
    let mut drawn = 0;
    for change in diff.iter_all_changes().filter(|change| change.tag() != ChangeTag::Equal) {
        drawn += 1;
        if drawn > LINES {
            let _ = writeln!(out, "       …");
            break;
        }
        let (sign, color, number) = match change.tag() {
            ChangeTag::Delete => ('-', "31", change.old_index()),
            _ => ('+', "32", change.new_index()),
        };
        let number = number.map_or(0, |index| index + 1);
        let text = change.value().trim_end_matches(['\n', '\r']);
        let bar = if style.unicode { '│' } else { '|' };
        if style.color {
            let _ = writeln!(out, " {number:>5} {bar} \u{1b}[{color}m{sign} {text}\u{1b}[0m");
        } else {
            let _ = writeln!(out, " {number:>5} {bar} {sign} {text}");
        }
    }
}

/// A file before and after as a unified diff that `git apply` and `patch -p1` take, credentials masked.
#[must_use]
pub fn diff(file: &SourceFile, after: &str, style: Style) -> String {
    let masked = Sources::new().add(file.name.clone(), None, after.to_owned());
    let (before, after) = (mask_file(file), mask_file(&masked));
    let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
    let text = diff
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{}", file.name), &format!("b/{}", file.name))
        .to_string();
    if !style.color {
        return text;
    }
    let paint = |line: &str| {
        let color = match line.as_bytes().first() {
            _ if line.starts_with("--- ") || line.starts_with("+++ ") => "1",
            Some(b'-') => "31",
            Some(b'+') => "32",
            Some(b'@') => "36",
            _ => return format!("{line}\n"),
        };
        format!("\u{1b}[{color}m{line}\u{1b}[0m\n")
    };
    text.lines().map(paint).collect()
}
