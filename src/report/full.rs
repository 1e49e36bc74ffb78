//! Findings with the source around them, for people.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan};

use super::source::Shown;
use super::statistics::statistics;
use super::summary::summary;
use super::wire::{Check, CheckFinding, CheckFix, CheckLabel};
use crate::finding::Severity;
use crate::rules::{self, Rule};
use crate::source::{FileId, SourceFile, Sources};

/// Most lines of one label; a longer one shows its first line.
const LINES: usize = 8;

/// How to draw.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// ANSI colours.
    pub color: bool,
    /// Box-drawing characters, else ASCII.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// How rule ids lead to their pages.
    pub links: Links,
    /// Whether the summary follows.
    pub summary: bool,
}

/// How rule ids lead to their pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// Not at all: `dynlint explain` is at hand.
    #[default]
    None,
    /// As terminals' own links (OSC 8).
    Terminal,
    /// The address in plain text, for logs of CI.
    Plain,
}

impl Default for Style {
    fn default() -> Self {
        Self { color: false, unicode: true, width: 100, links: Links::None, summary: true }
    }
}

impl Style {
    fn handler(self) -> GraphicalReportHandler {
        let theme = match (self.unicode, self.color) {
            (true, true) => GraphicalTheme::unicode(),
            (true, false) => GraphicalTheme::unicode_nocolor(),
            (false, true) => GraphicalTheme::ascii(),
            (false, false) => GraphicalTheme::none(),
        };
        // Paths and resource names hold `/` and `-`: lines break at blanks only, so that what is shown can be copied.
        GraphicalReportHandler::new_themed(theme)
            .with_links(false)
            .with_width(self.width.clamp(40, 200))
            .with_break_words(false)
            .with_word_separator(textwrap::WordSeparator::AsciiSpace)
            .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
    }
}

/// Renders a report with source snippets and the summary.
#[must_use]
pub fn full(check: &Check, sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    if let Some(counts) = &check.statistics {
        out.push_str(&statistics(counts));
        finish(&mut out, check, style);
        return out;
    }
    let handler = style.handler();
    // Findings come sorted by path; each file is masked once. Labels may lie in other files.
    let files: HashMap<FileId, Arc<SourceFile>> = check
        .findings
        .iter()
        .flat_map(|finding| &finding.labels)
        .map(|label| (label.span.file, sources.get(label.span.file)))
        .collect();
    let shown: HashMap<FileId, Shown<'_>> = files.iter().map(|(id, file)| (*id, Shown::new(file))).collect();
    // Fixes change files that no label lies in, too.
    let named = std::cell::OnceCell::new();
    let edited = |fix: &CheckFix| -> Vec<Arc<SourceFile>> {
        let named: &HashMap<String, Arc<SourceFile>> =
            named.get_or_init(|| sources.all().into_iter().map(|file| (file.name.clone(), file)).collect());
        let paths = crate::source::set(fix.edits.iter().map(|edit| edit.path.as_str()));
        paths.into_iter().filter_map(|path| named.get(path).cloned()).collect()
    };
    for finding in &check.findings {
        for part in parts(finding, &shown, style.links) {
            // Writing to a string does not fail; a label that cannot be drawn is drawn as a line of text.
            let _ = handler.render_report(&mut out, &part);
        }
        if let Some(fix) = &finding.fix {
            out.push_str(&super::fix::draw(fix, &finding.place.path, &edited(fix), style));
        }
        out.push('\n');
    }
    for open in check.undecided.iter().flatten() {
        let service = open.service.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        let place = format!("{}:{}:{}", open.place.path, open.place.line, open.place.column);
        let _ = writeln!(out, "undecided[{}] {place}: {}{service}", open.rule, open.reason);
    }
    if check.undecided.as_ref().is_some_and(|list| !list.is_empty()) {
        out.push('\n');
    }
    finish(&mut out, check, style);
    out
}

fn finish(out: &mut String, check: &Check, style: Style) {
    if style.summary {
        out.push_str(&summary(check));
        out.push('\n');
    }
}

/// A finding in one part per file, the primary label's first; the last one carries the help.
fn parts<'a>(finding: &'a CheckFinding, shown: &'a HashMap<FileId, Shown<'a>>, links: Links) -> Vec<Part<'a>> {
    let mut parts: Vec<(FileId, Part<'a>)> = Vec::new();
    for label in &finding.labels {
        let file = label.span.file;
        let Some(source) = shown.get(&file) else { continue };
        let span = source.shorten(label.span.range(), LINES);
        let at = (span.start, span.len());
        let first = parts.is_empty();
        let labeled = |text: &CheckLabel| {
            let text = Some(text.message.clone()).filter(|t| !t.is_empty());
            if first { LabeledSpan::new_primary_with_span(text, at) } else { LabeledSpan::new_with_span(text, at) }
        };
        if let Some((_, part)) = parts.iter_mut().find(|(id, _)| *id == file) {
            part.labels.push(labeled(label));
            continue;
        }
        let part = Part {
            code: first.then(|| title(finding, links)),
            url: (first && links == Links::Plain).then(|| rules::find(finding.rule).map(Rule::url)).flatten(),
            severity: if first { finding.severity } else { Severity::Advice },
            message: if first { &finding.message } else { "and in another file" },
            help: None,
            source,
            labels: vec![labeled(label)],
        };
        parts.push((file, part));
    }
    if let Some((_, last)) = parts.last_mut()
        && !finding.help.is_empty()
    {
        last.help = Some(&finding.help);
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// `warning[kv-without-events] in deployment/service`, with the place when a snippet of another
/// label is drawn above it.
fn title(finding: &CheckFinding, links: Links) -> String {
    let rule = match rules::find(finding.rule).filter(|_| links == Links::Terminal) {
        Some(rule) => format!("\u{1b}]8;;{}\u{1b}\\{}\u{1b}]8;;\u{1b}\\", rule.url(), rule.id),
        None => finding.rule.to_owned(),
    };
    let mut title = format!("{}[{rule}]", finding.severity);
    match (&finding.deployment, &finding.service) {
        (Some(deployment), Some(service)) => {
            let _ = write!(title, " in {deployment}/{service}");
        }
        (Some(name), None) | (None, Some(name)) => {
            let _ = write!(title, " in {name}");
        }
        (None, None) => {}
    }
    match &finding.overlays[..] {
        [] => {}
        [one] => {
            let _ = write!(title, " (through {one})");
        }
        [first, rest @ ..] => {
            let _ = write!(title, " (through {first} and {} more)", rest.len());
        }
    }
    let place = &finding.place;
    let above = |label: &CheckLabel| label.place.path == place.path && label.place.end_line + 3 < place.line;
    if finding.labels.iter().any(above) {
        let _ = write!(title, " at {}:{}:{}", place.path, place.line, place.column);
    }
    title
}

/// What miette draws at once.
struct Part<'a> {
    code: Option<String>,
    url: Option<String>,
    severity: Severity,
    message: &'a str,
    help: Option<&'a str>,
    source: &'a Shown<'a>,
    labels: Vec<LabeledSpan>,
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Part<'_> {}

impl Diagnostic for Part<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.url.as_ref().map(|url| Box::new(url) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
