//! What somebody refuses, written down by the rules that know all that can be refused.

use crate::finding::Severity;
use crate::rules::Findings;
use crate::source::Span;

/// One refusal: where, about which field, what is wrong, who refuses it, what to write.
pub(super) struct Refusal<'a> {
    at: Span,
    field: &'a str,
    message: String,
    by: &'static str,
    help: String,
}

/// Written down out of line: it is asked for in many places, and rarely.
#[inline(never)]
pub(super) fn refuse<'a>(
    all: &mut Vec<Refusal<'a>>,
    at: Span,
    field: &'a str,
    message: impl Into<String>,
    by: &'static str,
    help: impl Into<String>,
) {
    all.push(Refusal { at, field, message: message.into(), by, help: help.into() });
}

/// Says all of them.
pub(super) fn say(all: Vec<Refusal<'_>>, out: &mut Findings) {
    for Refusal { at, field, message, by, help } in all {
        out.report(at, message, by).subject(field).severity(Severity::Error).help(help).emit();
    }
}
