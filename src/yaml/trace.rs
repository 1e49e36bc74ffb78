//! From a scalar's value back to the bytes it was written with.
//!
//! Source and value are walked side by side: the parser has already said what the value is, so all that is left is to
//! find which bytes stand for which. Where the two do not agree the walk gives up and the value is one opaque piece.

use std::ops::Range;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::Style;
use crate::source::{FileId, Span, Text};

/// A run of bytes of the value and the bytes of the source that stand for it.
struct Step {
    len: usize,
    raw: Range<usize>,
}

/// The value of a scalar that stands at `raw` in a file's text.
pub(super) fn in_file(file: FileId, source: &str, raw: Range<usize>, style: Style, value: &str) -> Text {
    let span = |raw: &Range<usize>| Span::new(file, offset(raw.start), offset(raw.end));
    let runs = steps(source, &raw, style, value).into_iter().map(|step| (step.len, span(&step.raw)));
    Text::of_runs(value, runs, span(&raw))
}

/// The value of a scalar that stands at `raw` in a string that itself stands elsewhere.
pub(super) fn in_text(outer: &Arc<Text>, raw: Range<usize>, style: Style, value: &str) -> Text {
    let source = outer.as_str();
    let mut out = Text::empty(outer.slice_span(raw.clone()));
    let mut at = 0;
    for step in steps(source, &raw, style, value) {
        let part = &value[at..at + step.len];
        if source.get(step.raw.clone()) == Some(part) {
            out.push_slice(outer, step.raw);
        } else {
            out.push_piece(part, outer.slice_span(step.raw));
        }
        at += step.len;
    }
    debug_assert_eq!(out.as_str(), value);
    out
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Most scalars are one run, which needs no place of its own in memory.
type Steps = SmallVec<[Step; 1]>;

fn steps(source: &str, raw: &Range<usize>, style: Style, value: &str) -> Steps {
    let inner = match style {
        Style::Single | Style::Double if raw.len() >= 2 => raw.start + 1..raw.end - 1,
        _ => raw.clone(),
    };
    // Most scalars are written as they are.
    if source.as_bytes().get(inner.clone()) == Some(value.as_bytes()) && !value.is_empty() {
        return smallvec![Step { len: value.len(), raw: inner }];
    }
    let mut walk = Walk { source, value, at: 0, steps: Steps::new() };
    let agreed = match style {
        Style::Plain | Style::Single | Style::Double => walk.flow(inner.clone(), style),
        Style::Literal => walk.block(raw.start, false),
        Style::Folded => walk.block(raw.start, true),
    };
    let sound = value.is_char_boundary(walk.at) && walk.steps.iter().all(|s| source.is_char_boundary(s.raw.start));
    if agreed.is_some() && walk.at == value.len() && sound {
        return walk.steps;
    }
    if value.is_empty() { Steps::new() } else { smallvec![Step { len: value.len(), raw: inner }] }
}

struct Walk<'a> {
    source: &'a str,
    value: &'a str,
    /// How much of the value is accounted for.
    at: usize,
    steps: Steps,
}

/// A line of a block scalar: its text without line end, and its line end.
struct Line {
    text: Range<usize>,
    end: Range<usize>,
}

impl Walk<'_> {
    /// Bytes that stand for themselves.
    fn same(&mut self, raw: Range<usize>) -> Option<()> {
        if raw.is_empty() {
            return Some(());
        }
        let bytes = &self.source.as_bytes()[raw.clone()];
        self.value.as_bytes()[self.at..].starts_with(bytes).then(|| self.take(bytes.len(), raw))
    }

    /// The given byte, written as `raw`.
    fn byte(&mut self, byte: u8, raw: Range<usize>) -> Option<()> {
        (self.value.as_bytes().get(self.at) == Some(&byte)).then(|| self.take(1, raw))
    }

    fn take(&mut self, len: usize, raw: Range<usize>) {
        self.at += len;
        self.steps.push(Step { len, raw });
    }

    /// The line end at `at`, of one or two bytes.
    fn line_end(&self, at: usize) -> Option<Range<usize>> {
        match self.source.as_bytes().get(at)? {
            b'\n' => Some(at..at + 1),
            b'\r' if self.source.as_bytes().get(at + 1) == Some(&b'\n') => Some(at..at + 2),
            b'\r' => Some(at..at + 1),
            _ => None,
        }
    }

    fn skip_blanks(&self, mut at: usize, end: usize) -> usize {
        while at < end && matches!(self.source.as_bytes()[at], b' ' | b'\t') {
            at += 1;
        }
        at
    }

    /// Plain and quoted scalars.
    fn flow(&mut self, inner: Range<usize>, style: Style) -> Option<()> {
        let bytes = self.source.as_bytes();
        let (mut run, mut at) = (inner.start, inner.start);
        while at < inner.end {
            match bytes[at] {
                b' ' | b'\t' | b'\n' | b'\r' => {
                    let next = self.skip_blanks(at, inner.end);
                    if next < inner.end && self.line_end(next).is_some() {
                        self.same(run..at)?;
                        at = self.fold(next, inner.end)?;
                        run = at;
                    } else {
                        at = next;
                    }
                }
                b'\'' if style == Style::Single => {
                    self.same(run..at)?;
                    self.byte(b'\'', at..(at + 2).min(inner.end))?;
                    at += 2;
                    run = at;
                }
                b'\\' if style == Style::Double => {
                    self.same(run..at)?;
                    at = self.escape(at, inner.end)?;
                    run = at;
                }
                _ => at += 1,
            }
        }
        self.same(run.min(inner.end)..inner.end)
    }

    /// Line ends between two lines of a flow scalar: one makes a blank, each further one a line end.
    fn fold(&mut self, at: usize, end: usize) -> Option<usize> {
        let first = self.line_end(at)?;
        let mut next = self.skip_blanks(first.end, end);
        if next >= end || self.line_end(next).is_none() {
            self.byte(b' ', first)?;
            return Some(next);
        }
        while next < end
            && let Some(more) = self.line_end(next)
        {
            next = self.skip_blanks(more.end, end);
            self.byte(b'\n', more)?;
        }
        Some(next)
    }

    /// One escape of a double-quoted scalar: it stands for one character, an escaped line end for none.
    fn escape(&mut self, at: usize, end: usize) -> Option<usize> {
        let bytes = self.source.as_bytes();
        if let Some(broken) = self.line_end(at + 1) {
            let mut next = self.skip_blanks(broken.end, end);
            while next < end
                && let Some(more) = self.line_end(next)
            {
                next = self.skip_blanks(more.end, end);
                self.byte(b'\n', more)?;
            }
            return Some(next);
        }
        let hex = |from: usize| u32::from_str_radix(self.source.get(from..from + 4)?, 16).ok();
        let len = match bytes.get(at + 1)? {
            b'x' => 4,
            // A pair of surrogates makes one character.
            b'u' if matches!(hex(at + 2), Some(0xD800..0xDC00)) => 12,
            b'u' => 6,
            b'U' => 10,
            _ => 1 + self.source.get(at + 1..)?.chars().next()?.len_utf8(),
        };
        if at + len > end {
            return None;
        }
        let c = self.value.get(self.at..)?.chars().next()?;
        self.take(c.len_utf8(), at..at + len);
        Some(at + len)
    }

    fn line(&self, start: usize) -> Line {
        let bytes = self.source.as_bytes();
        let at = memchr::memchr2(b'\n', b'\r', &bytes[start..]).map_or(bytes.len(), |n| start + n);
        Line { text: start..at, end: self.line_end(at).unwrap_or(at..at) }
    }

    /// Literal and folded scalars, from their indicator on.
    fn block(&mut self, indicator: usize, folded: bool) -> Option<()> {
        let mut next = self.line(indicator).end.end;
        let indent = self.indent(next)?;
        let content_end = self.value.trim_end_matches('\n').len();
        let mut breaks: Vec<Range<usize>> = Vec::new();
        let mut first = true;
        while self.at < self.value.len() {
            let line = self.line(next);
            let spaces = line.text.clone().take_while(|&at| self.source.as_bytes()[at] == b' ').count();
            let content = line.text.start + spaces.min(indent)..line.text.end;
            if spaces < indent && !content.is_empty() {
                return None;
            }
            if content.is_empty() {
                breaks.push(line.end.clone());
            } else {
                self.gap(&mut breaks, !folded || first)?;
                self.same(content)?;
                breaks.push(line.end.clone());
                first = false;
            }
            next = line.end.end;
            if line.end.is_empty() || self.at >= content_end && breaks.len() >= self.value.len() - self.at {
                break;
            }
        }
        // What chomping kept. At the end of the input a line end may be missing in the source.
        for at in breaks {
            if self.at < self.value.len() {
                self.byte(b'\n', at)?;
            }
        }
        Some(())
    }

    /// Line ends before a line of a block scalar: kept as they are, or folded unless one of the lines round them is
    /// indented further, which the value tells.
    fn gap(&mut self, breaks: &mut Vec<Range<usize>>, keep: bool) -> Option<()> {
        let kept = self.value.as_bytes()[self.at..].iter().take(breaks.len()).take_while(|&&b| b == b'\n').count();
        let folded = breaks.len() - kept;
        if keep && folded > 0 || folded > 1 {
            return None;
        }
        for (n, at) in breaks.drain(..).enumerate() {
            if n >= folded {
                self.byte(b'\n', at)?;
            } else if kept == 0 {
                self.byte(b' ', at)?;
            }
        }
        Some(())
    }

    /// Indentation of a block scalar whose first line starts at `start`: what the first line that is not blank has more
    /// in the source than in the value.
    fn indent(&self, start: usize) -> Option<usize> {
        let lead = |line: &str| line.bytes().take_while(|&b| b == b' ').count();
        let blank = |line: &&str| !line.trim_matches([' ', '\r']).is_empty();
        let there = self.source[start..].split('\n').find(blank).map_or(0, lead);
        match self.value.split('\n').find(blank) {
            Some(here) => there.checked_sub(lead(here)),
            // All blank: no line may be shorter than the indentation, which nothing tells.
            None if self.value.bytes().all(|b| b == b'\n') => Some(usize::MAX),
            None => None,
        }
    }
}
