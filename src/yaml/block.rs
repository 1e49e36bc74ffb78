//! From a scalar's value back to the bytes it was written with.

use super::{Scalar, Style};
use crate::source::{Span, Text};

/// Indentation of a block scalar's content: that of its first line that is not blank, at least 1.
pub(super) fn indent(text: &str, content: usize, end: usize) -> usize {
    let end = end.clamp(content.min(text.len()), text.len());
    text[content.min(text.len())..end]
        .split('\n')
        .find(|line| !line.trim().is_empty())
        .map_or(0, |line| line.bytes().take_while(|b| *b == b' ').count())
}

/// The value of a scalar with the origin of each byte. `raw` is what stands at `span`.
pub(super) fn trace(scalar: &Scalar, raw: &str, span: Span) -> Text {
    let mut writer = Writer { text: Text::empty(span), raw, span };
    match scalar.style {
        Style::Plain if raw == &*scalar.value => return Text::opaque(&*scalar.value, span),
        Style::Plain => writer.flow(0, raw.len(), false, false),
        Style::Single if raw.len() >= 2 => writer.flow(1, raw.len() - 1, true, false),
        Style::Double if raw.len() >= 2 => writer.flow(1, raw.len() - 1, false, true),
        Style::Literal => writer.block(false, &scalar.value),
        Style::Folded => writer.block(true, &scalar.value),
        _ => {}
    }
    // Whatever the tracing missed, the value stands; only its inner places are lost.
    if writer.text.as_str() == &*scalar.value { writer.text } else { Text::opaque(&*scalar.value, span) }
}

struct Writer<'a> {
    text: Text,
    raw: &'a str,
    span: Span,
}

impl Writer<'_> {
    fn at(&self, from: usize, to: usize) -> Span {
        let start = self.span.start;
        Span::new(self.span.file, start + u32::try_from(from).unwrap_or(0), start + u32::try_from(to).unwrap_or(0))
    }

    fn copy(&mut self, from: usize, to: usize) {
        let span = self.at(from, to);
        self.text.push_piece(&self.raw[from..to], span);
    }

    fn put(&mut self, value: &str, from: usize, to: usize) {
        let span = self.at(from, to);
        self.text.push_piece(value, span);
    }

    /// Plain and quoted scalars: escapes and line folding.
    fn flow(&mut self, start: usize, end: usize, single: bool, double: bool) {
        let bytes = self.raw.as_bytes();
        let mut at = start;
        let mut run = start;
        while at < end {
            match bytes[at] {
                b'\'' if single => {
                    self.copy(run, at);
                    self.put("'", at, (at + 2).min(end));
                    at += 2;
                    run = at;
                }
                b'\\' if double => {
                    self.copy(run, at);
                    at = self.escape(at, end);
                    run = at;
                }
                b'\n' | b'\r' => {
                    // White space round a line break folds.
                    let kept = self.raw[run..at].trim_end_matches([' ', '\t']).len() + run;
                    self.copy(run, kept);
                    let mut breaks = 0;
                    let mut next = at;
                    while next < end && matches!(bytes[next], b' ' | b'\t' | b'\n' | b'\r') {
                        breaks += usize::from(bytes[next] == b'\n');
                        next += 1;
                    }
                    let fold = if breaks <= 1 { " ".to_owned() } else { "\n".repeat(breaks - 1) };
                    self.put(&fold, kept, next);
                    at = next;
                    run = at;
                }
                _ => at += 1,
            }
        }
        self.copy(run.min(end), end);
    }

    /// One escape of a double-quoted scalar; returns where it ends.
    fn escape(&mut self, at: usize, end: usize) -> usize {
        let bytes = self.raw.as_bytes();
        let Some(&kind) = bytes.get(at + 1) else { return end };
        let hex = |digits: usize| {
            let to = (at + 2 + digits).min(end);
            let c = self.raw.get(at + 2..to).and_then(|h| u32::from_str_radix(h, 16).ok()).and_then(char::from_u32);
            (c.unwrap_or('\u{fffd}'), to)
        };
        let (c, to) = match kind {
            b'x' => hex(2),
            b'u' => hex(4),
            b'U' => hex(8),
            b'\n' | b'\r' => {
                // An escaped line break is nothing, with the indentation behind it.
                let mut next = at + 1;
                let mut breaks = 0;
                while next < end && matches!(bytes[next], b' ' | b'\t' | b'\n' | b'\r') {
                    breaks += usize::from(bytes[next] == b'\n');
                    next += 1;
                }
                if breaks > 1 {
                    self.put(&"\n".repeat(breaks - 1), at, next);
                }
                return next;
            }
            _ => {
                let c = match kind {
                    b'0' => '\0',
                    b'a' => '\u{7}',
                    b'b' => '\u{8}',
                    b't' | b'\t' => '\t',
                    b'n' => '\n',
                    b'v' => '\u{b}',
                    b'f' => '\u{c}',
                    b'r' => '\r',
                    b'e' => '\u{1b}',
                    b'N' => '\u{85}',
                    b'_' => '\u{a0}',
                    b'L' => '\u{2028}',
                    b'P' => '\u{2029}',
                    other => other as char,
                };
                (c, at + 2)
            }
        };
        self.put(c.encode_utf8(&mut [0; 4]), at, to);
        to
    }

    /// Literal and folded scalars. Chomping shows in `value`, so the end is cut or filled to agree with it.
    fn block(&mut self, folded: bool, value: &str) {
        let Some(first_break) = memchr::memchr(b'\n', self.raw.as_bytes()) else { return };
        let header = &self.raw[..first_break];
        let content = first_break + 1;
        let explicit = header[1..].bytes().take(2).find(u8::is_ascii_digit);
        let indent = match explicit {
            // Relative to the parent, which the value tells: what the first line has more than its text.
            Some(_) => {
                let line = self.raw[content..].split('\n').next().unwrap_or_default();
                let have = line.bytes().take_while(|b| *b == b' ').count();
                have - value.bytes().take_while(|b| *b == b' ').count().min(have)
            }
            None => indent(self.raw, content, self.raw.len()),
        };
        // (start, end) of the text of each line, and where its line break stands.
        let mut lines: Vec<(usize, usize, usize)> = Vec::new();
        let mut at = content;
        while at <= self.raw.len() {
            let next = memchr::memchr(b'\n', &self.raw.as_bytes()[at..]).map_or(self.raw.len(), |n| at + n);
            let end = if next > at && self.raw.as_bytes()[next - 1] == b'\r' { next - 1 } else { next };
            lines.push(((at + indent).min(end), end, next));
            if next == self.raw.len() {
                break;
            }
            at = next + 1;
        }
        let empty = |line: &(usize, usize, usize)| line.0 >= line.1;
        let more = |w: &Self, line: &(usize, usize, usize)| {
            line.0 < line.1 && matches!(w.raw.as_bytes()[line.0], b' ' | b'\t')
        };
        let mut k = 0;
        while k < lines.len() {
            let (start, end, brk) = lines[k];
            self.copy(start, end);
            let last = k + 1 == lines.len();
            let stop = (brk + 1).min(self.raw.len());
            if last {
                break;
            }
            if !folded || empty(&lines[k]) || more(self, &lines[k]) {
                self.put("\n", brk, stop);
                k += 1;
                continue;
            }
            // A text line of a folded scalar: count the blank lines behind it.
            let mut next = k + 1;
            while next < lines.len() && empty(&lines[next]) {
                next += 1;
            }
            let blanks = next - k - 1;
            let to = lines.get(next).map_or(self.raw.len(), |l| l.0);
            if next < lines.len() && more(self, &lines[next]) {
                self.put(&"\n".repeat(blanks + 1), brk, to);
            } else if blanks == 0 {
                self.put(" ", brk, to);
            } else {
                self.put(&"\n".repeat(blanks), brk, to);
            }
            k = next;
        }
        // The span ends with the last line's text: what the value has more are the line breaks that chomping kept.
        let have = self.text.as_str().len();
        if value.len() > have && value.starts_with(self.text.as_str()) && value[have..].bytes().all(|b| b == b'\n') {
            let end = self.raw.len();
            self.put(&value[have..], end, end);
        }
    }
}
