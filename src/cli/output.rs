//! Where output goes: the report to stdout, all else to stderr; colour as the user and the terminal want it.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::ColorChoice;

use super::args::Color;
use crate::report::{Links, Style};

/// Makes the choice of `--color` the one for all streams.
pub(super) fn set_color(color: Color) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// How to draw on stdout.
pub(super) fn style() -> Style {
    let color = anstream::AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let width = terminal_size::terminal_size_of(io::stdout()).map_or(100, |(width, _)| usize::from(width.0));
    Style { color, unicode: unicode(), width, links: links(color), summary: true }
}

/// Links that a terminal can follow; addresses in plain text where CI keeps a log.
fn links(color: bool) -> Links {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let ci = var("CI");
    if !io::stdout().is_terminal() {
        return if ci.is_empty() || ci == "false" { Links::None } else { Links::Plain };
    }
    if color && terminal_links(&var) { Links::Terminal } else { Links::None }
}

/// Which terminals are known to follow OSC 8 links; others may print rubbish. `FORCE_HYPERLINK` wins.
fn terminal_links(var: &dyn Fn(&str) -> String) -> bool {
    match var("FORCE_HYPERLINK").as_str() {
        "" => {}
        "0" | "false" => return false,
        _ => return true,
    }
    let version = |name: &str, least: u32| var(name).parse::<u32>().is_ok_and(|version| version >= least);
    version("VTE_VERSION", 5000)
        || !var("WT_SESSION").is_empty()
        || !var("KONSOLE_VERSION").is_empty()
        || !var("DOMTERM").is_empty()
        || matches!(
            var("TERM_PROGRAM").as_str(),
            "Hyper" | "iTerm.app" | "terminology" | "WezTerm" | "vscode" | "ghostty"
        )
        || matches!(var("TERM").as_str(), "xterm-kitty" | "alacritty" | "alacritty-direct" | "xterm-ghostty" | "foot")
}

/// How to draw on stderr.
pub(super) fn style_of_stderr() -> Style {
    let color = anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(100, |(width, _)| usize::from(width.0));
    Style { color, unicode: unicode(), width, links: Links::None, summary: false }
}

/// Whether box-drawing characters can be shown: unless the locale or the terminal says no.
fn unicode() -> bool {
    if io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term == "dumb" || term == "linux") {
        return false;
    }
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    locale.is_none_or(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("utf-8") || name.contains("utf8")
    })
}

/// Writes the report. A reader that closed its end (`| head`) has seen enough.
pub(super) fn print(text: &str) {
    let mut out = anstream::AutoStream::auto(io::stdout()).lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        self::error(&format!("cannot write to standard output: {error}"));
    }
}

/// Writes bytes as they are.
pub(super) fn raw(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        self::error(&format!("cannot write to standard output: {error}"));
    }
}

/// Says something on stderr.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says on stderr that something failed.
pub(super) fn error(text: &str) {
    note(&format!("\u{1b}[1;31merror\u{1b}[0m: {text}"));
}
