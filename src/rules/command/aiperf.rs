//! Options of aiperf in Jobs against those of its release.

use super::dashes::DASHES;
use crate::catalog::flags::{self, Component, Lookup};
use crate::finding::Confidence;
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::rules::manifest::jobs::{At, each_aiperf};
use crate::source::Text;

/// Words that end a command.
fn ends(word: &str) -> bool {
    matches!(word, "|" | "||" | "&" | "&&" | ";") || word.starts_with(['>', '<', '#', '|']) || word.starts_with("2>")
}

/// An option's name, when the word is one and is seen in full.
fn option(word: &str) -> Option<&str> {
    let name = word.split('=').next().unwrap_or_default();
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (name.len() > 3 && name.starts_with("--") && name.bytes().all(plain)).then_some(name)
}

/// An option with one hyphen or a typographic dash: as written, and as it is right.
fn dashed<'a>(catalog: &Component, word: &'a str) -> Option<(&'a str, String)> {
    let written = word.split('=').next().unwrap_or_default();
    let bare = written.trim_start_matches(DASHES);
    let single = || written.strip_prefix('-').filter(|name| !name.starts_with('-') && name.len() > 3);
    let right = format!("--{}", if bare.len() < written.len() { bare.trim_start_matches('-') } else { single()? });
    catalog.flag(&right).is_some_and(|m| !m.abbreviated).then_some((written, right))
}

/// Whether a quote is open before the word at `at` of its command: then the word is a part of another's value.
fn quoted(before: &str) -> bool {
    before.matches('"').count() % 2 == 1 || before.matches('\'').count() % 2 == 1
}

/// `unknown-aiperf-flag`
pub fn unknown_aiperf_flag(recipe: &Recipe, out: &mut Findings) {
    let Some(catalog) = flags::component("aiperf") else { return };
    each_aiperf(recipe, |text, words, start, release| {
        let Some(&(command, at)) = words.get(1) else { return };
        if command != "profile" {
            // `aiperf` alone takes a command, and of the options only these.
            if first(&text[..start])
                && option(command).is_some_and(|name| !matches!(name, "--help" | "--version" | "--install-completion"))
            {
                out.report(
                    text.slice_span(at..at + command.len()),
                    "`aiperf` is started without `profile`",
                    "an option stands where aiperf expects a command: it exits",
                )
                .subject("profile")
                .help("write `aiperf profile`")
                .emit();
            }
            return;
        }
        swallowed(text, words, start, out);
        let release = release.map(|v| (v.major, v.minor)).filter(|r| catalog.covers(*r));
        for (word, at) in words.iter().skip(2).take_while(|(word, _)| !ends(word)) {
            // What begins no option is not worth a look at the quotes before it.
            if !(word.starts_with('-') || word.starts_with(DASHES)) || quoted(&text[start..*at]) {
                continue;
            }
            if let Some((written, right)) = dashed(catalog, word) {
                let message = format!("`{written}` is not `{right}`");
                out.report(text.slice_span(*at..at + written.len()), message, "aiperf knows no such option and exits")
                    .subject(right.clone())
                    .help(format!("write `{right}`"))
                    .emit();
                continue;
            }
            let Some(name) = option(word) else { continue };
            let Some((label, help)) = refused(catalog, name, release) else { continue };
            out.report(text.slice_span(*at..at + name.len()), format!("`aiperf profile` has no `{name}`"), label)
                .subject(name)
                .confidence(if release.is_some() { Confidence::Certain } else { Confidence::Likely })
                .help(help)
                .emit();
        }
    });
}

/// Whether a command begins behind that text: `pip install aiperf --upgrade` starts no aiperf.
fn first(before: &str) -> bool {
    let (lines, line) = before.rsplit_once('\n').unwrap_or(("", before));
    let word = line.split_whitespace().next_back().unwrap_or(";");
    !lines.ends_with('\\')
        && (matches!(word, "do" | "then" | "else" | "exec" | "time") || word.ends_with([';', '&', '|', '(', '{']))
}

/// Commands that are words of aiperf, because the line before them ends in a backslash.
fn swallowed(text: &Text, words: &[At<'_>], start: usize, out: &mut Findings) {
    const COMMANDS: [&str; 9] = ["echo", "ls", "cat", "cp", "mkdir", "sleep", "exit", "export", "aiperf"];
    let lost = words.iter().skip(2).find(|(word, at)| {
        let before = text[start..*at].trim_end_matches([' ', '\t']);
        // Behind an option that stands alone it may be the option's value.
        let line = before.strip_suffix("\\\n").map(|b| b.rsplit('\n').next().unwrap_or_default().trim());
        let complete = |line: &str| line.starts_with('-') && line.split_whitespace().nth(1).is_some();
        COMMANDS.contains(word) && line.is_some_and(complete) && !quoted(before)
    });
    if let Some((word, at)) = lost {
        out.report(
            text.slice_span(*at..at + word.len()),
            format!("`{word}` is a word of `aiperf profile`"),
            "the backslash before it joins the lines: aiperf exits",
        )
        .subject("backslash")
        .help("end the last line of the command without a backslash")
        .emit();
    }
}

/// What is wrong with an option: of the release that is pinned, else of all.
fn refused(catalog: &'static Component, name: &str, release: Option<(u16, u16)>) -> Option<(String, String)> {
    if matches!(name, "--help" | "--version") {
        return None;
    }
    let known = match catalog.find(name) {
        Lookup::Found(found) => found,
        _ => {
            let help = match catalog.nearest(name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "drop it".to_owned(),
            };
            // A release to come may have it: without a pin only a slip is told.
            let told = release.is_some() || catalog.nearest(name).is_some_and(|n| crate::catalog::is_slip(name, &n));
            return told.then(|| ("no release that was read has it: aiperf exits".to_owned(), help));
        }
    };
    let release = release.filter(|r| catalog.accepts(&known, *r) == Some(false))?;
    let shown = |(major, minor)| format!("{major}.{minor}");
    match (catalog.since(&known), catalog.removed(&known)) {
        (Some(first), _) if first > release => Some((
            format!("came with {}, and the Job pins {}: aiperf exits", shown(first), shown(release)),
            format!("pin {} or later, or drop it", shown(first)),
        )),
        (_, Some(gone)) if gone <= release => {
            Some((format!("gone since {}: aiperf exits", shown(gone)), "drop it, or pin an earlier release".to_owned()))
        }
        _ => None,
    }
}
