//! The grammar of one directive.

use crate::finding::{Date, Selector, nearest};
use crate::source::{FileId, Span};

/// What a directive is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `ignore`: its own line, or the next one when it stands on a line of its own.
    Line,
    /// `ignore-file`: the whole file.
    File,
    /// `ignore-start`: from here to `ignore-end`.
    Start,
    /// `ignore-end`
    End,
}

const VERBS: [(&str, Verb); 4] =
    [("ignore", Verb::Line), ("ignore-file", Verb::File), ("ignore-start", Verb::Start), ("ignore-end", Verb::End)];

/// A name between the brackets.
#[derive(Clone, Debug)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
    /// What it selects; none when it names no rule, or one that cannot be ignored.
    pub selector: Option<Selector>,
}

/// A directive.
#[derive(Clone, Debug)]
pub struct Directive {
    /// What it is about.
    pub verb: Verb,
    /// From its `#` to the end of its comment.
    pub span: Span,
    /// The names between brackets; none without brackets, which means every rule.
    pub rules: Option<Vec<Name>>,
    /// Last day on which it holds, and where that is written.
    pub until: Option<(Date, Span)>,
    /// Why; may be empty.
    pub reason: String,
    /// Whether that day has passed.
    pub expired: bool,
    /// Of an `ignore-end`, the `ignore-start` that it closes.
    pub ends: Option<Span>,
    /// Whether nothing but blanks stands before it on its line.
    pub own_line: bool,
    /// Whether taking the comment away leaves the meaning of the file alone: not in a folded block scalar.
    pub removable: bool,
}

/// What is wrong with a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Span,
    /// What.
    pub message: String,
    /// At the place.
    pub label: String,
    /// What to write.
    pub help: String,
    /// The likely replacement of what stands at `span`.
    pub instead: Option<String>,
}

/// The rules there are.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Ids and families.
    pub rules: &'a [(&'static str, &'static str)],
    /// Ids that cannot be ignored.
    pub fixed: &'a [&'static str],
}

/// Reads the directive in `text`, which starts with `#` and stands at byte `at` of `file`. Faults are added to `faults`;
/// none when the directive cannot be understood at all.
pub(super) fn parse(
    text: &str,
    file: FileId,
    at: usize,
    known: Known<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Directive> {
    let span = |from: usize, to: usize| Span::new(file, offset(at + from), offset(at + to));
    let mark = text.find(super::MARK)? + super::MARK.len();
    let start = mark + text[mark..].len() - text[mark..].trim_start().len();
    let end = text[start..]
        .find(|c: char| !(c.is_ascii_alphabetic() || c == '-' || c == '_'))
        .map_or(text.len(), |n| start + n);
    let word = &text[start..end];
    let Some((_, verb)) = VERBS.iter().find(|(name, _)| *name == word) else {
        let near = nearest(word, VERBS.map(|(name, _)| name));
        faults.push(Fault {
            span: if word.is_empty() { span(0, text.len()) } else { span(start, end) },
            message: if word.is_empty() {
                "nothing follows `dynlint:`".to_owned()
            } else {
                format!("`{word}` is no directive")
            },
            label: near
                .map_or_else(|| "this comment does nothing".to_owned(), |near| format!("did you mean `{near}`?")),
            help: "write `# dynlint: ignore[rule-id] reason`, or `ignore-file`, `ignore-start`, `ignore-end`"
                .to_owned(),
            instead: near.map(str::to_owned),
        });
        return None;
    };
    let mut rest = end;
    let blanks = text[rest..].len() - text[rest..].trim_start().len();
    let mut rules = None;
    if text[rest + blanks..].starts_with('[') {
        let open = rest + blanks + 1;
        let Some(close) = text[open..].find(']').map(|n| open + n) else {
            faults.push(Fault {
                span: span(open - 1, text.len()),
                message: "the list of rules has no closing bracket".to_owned(),
                label: "opened here".to_owned(),
                help: "write `# dynlint: ignore[rule-a, rule-b] reason`".to_owned(),
                instead: None,
            });
            return None;
        };
        rules = Some(names(&text[open..close], file, at + open, known, faults));
        rest = close + 1;
    }
    let nothing = rules.as_ref().is_some_and(Vec::is_empty);
    if nothing || (rules.is_none() && matches!(verb, Verb::Line | Verb::Start)) {
        faults.push(Fault {
            span: span(start, rest),
            message: format!("`{word}` names no rule"),
            label: "of which rule?".to_owned(),
            help: format!("name the rules in brackets: `{word}[rule-id]`"),
            instead: None,
        });
        return None;
    }
    let mut reason: Vec<&str> = Vec::new();
    let mut until = None;
    for word in text[rest..].split_whitespace() {
        let Some(day) = word.strip_prefix("until=") else {
            // `ignore[x]: why` and `ignore[x] -- why` are the same as `ignore[x] why`.
            if !(reason.is_empty() && word.chars().all(|c| matches!(c, ':' | '-' | '–' | '—'))) {
                reason.push(word);
            }
            continue;
        };
        let from = word.as_ptr() as usize - text.as_ptr() as usize;
        let place = span(from, from + word.len());
        match Date::parse(day) {
            Some(date) => until = Some((date, place)),
            None => faults.push(Fault {
                span: place,
                message: format!("`{day}` is no day"),
                label: "not understood, so the ignore would never end".to_owned(),
                help: "write the last day as year, month and day: `until=2027-01-31`".to_owned(),
                instead: None,
            }),
        }
    }
    Some(Directive {
        verb: *verb,
        span: span(0, text.len()),
        rules,
        until,
        reason: reason.join(" "),
        expired: false,
        ends: None,
        own_line: false,
        removable: true,
    })
}

fn names(list: &str, file: FileId, at: usize, known: Known<'_>, faults: &mut Vec<Fault>) -> Vec<Name> {
    let mut out = Vec::new();
    let mut from = 0;
    for part in list.split(',') {
        let lead = part.len() - part.trim_start().len();
        let text = part.trim();
        let start = at + from + lead;
        from += part.len() + 1;
        if text.is_empty() {
            continue;
        }
        let span = Span::new(file, offset(start), offset(start + text.len()));
        let selector = if known.fixed.contains(&text) {
            faults.push(Fault {
                span,
                message: format!("`{text}` cannot be ignored"),
                label: "has no effect".to_owned(),
                help: "mend what it says, or leave the file out of the run".to_owned(),
                instead: None,
            });
            None
        } else {
            match Selector::parse(text, known.rules) {
                Ok(selector) => Some(selector),
                Err(unknown) => {
                    faults.push(Fault {
                        span,
                        message: format!("no rule or family matches `{text}`"),
                        label: unknown
                            .near
                            .map_or_else(|| "silences nothing".to_owned(), |near| format!("did you mean `{near}`?")),
                        help: "`dynlint rules` lists the rules and their families".to_owned(),
                        instead: unknown.near.map(str::to_owned),
                    });
                    None
                }
            }
        };
        out.push(Name { text: text.to_owned(), span, selector });
    }
    out
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known<'static> = Known {
        rules: &[("kv-without-events", "router"), ("ucx-value-invalid", "interconnect"), ("yaml-syntax", "reader")],
        fixed: &["yaml-syntax"],
    };

    fn read(text: &str) -> (Option<Directive>, Vec<Fault>) {
        let mut faults = Vec::new();
        (parse(text, FileId(0), 100, KNOWN, &mut faults), faults)
    }

    #[test]
    fn names_reason_and_date() {
        let (directive, faults) =
            read("# dynlint: ignore[kv-without-events, interconnect] until=2027-01-31 -- waits for 1.5");
        let directive = directive.unwrap();
        assert!(faults.is_empty());
        assert_eq!(directive.verb, Verb::Line);
        assert_eq!(directive.reason, "waits for 1.5");
        assert_eq!(directive.until.unwrap().0.to_string(), "2027-01-31");
        let names = directive.rules.unwrap();
        assert_eq!(names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>(), ["kv-without-events", "interconnect"]);
        assert_eq!((names[1].span.start, names[1].span.end), (137, 149));
        assert!(names[1].selector.as_ref().unwrap().matches("ucx-value-invalid", "interconnect"));
        let (file, faults) = read("#dynlint:ignore-file generated");
        assert!(faults.is_empty());
        assert_eq!(file.map(|d| (d.verb, d.reason)), Some((Verb::File, "generated".to_owned())));
    }

    #[test]
    fn slips_are_named() {
        let said = |text: &str| read(text).1.into_iter().map(|f| (f.message, f.label)).collect::<Vec<_>>();
        let pair = |a: &str, b: &str| vec![(a.to_owned(), b.to_owned())];
        assert_eq!(said("# dynlint: ignroe[x]"), pair("`ignroe` is no directive", "did you mean `ignore`?"));
        assert_eq!(said("# dynlint:"), pair("nothing follows `dynlint:`", "this comment does nothing"));
        assert_eq!(said("# dynlint: ignore because"), pair("`ignore` names no rule", "of which rule?"));
        assert_eq!(said("# dynlint: ignore[]"), pair("`ignore` names no rule", "of which rule?"));
        assert_eq!(said("# dynlint: ignore[x"), pair("the list of rules has no closing bracket", "opened here"));
        assert_eq!(
            said("# dynlint: ignore[kv-without-event]"),
            pair("no rule or family matches `kv-without-event`", "did you mean `kv-without-events`?")
        );
        assert_eq!(said("# dynlint: ignore[yaml-syntax]"), pair("`yaml-syntax` cannot be ignored", "has no effect"));
        assert_eq!(
            said("# dynlint: ignore[router] until=2027-02-30"),
            pair("`2027-02-30` is no day", "not understood, so the ignore would never end")
        );
    }
}
