//! Ignores: comments that silence findings.
//!
//! ```yaml
//! # dynlint: ignore[ucx-tls-no-ib] this cluster has no InfiniBand
//! - name: UCX_TLS   # dynlint: ignore[unknown-router-mode] until=2027-01-31 waits for the upgrade
//! # dynlint: ignore-file[router]
//! # dynlint: ignore-start[kv-*] … # dynlint: ignore-end
//! ```

mod directive;
mod lines;
mod scan;
mod write;

pub use directive::{Directive, Fault, Known, Name, Verb};
pub use lines::lines_of;
pub use scan::{MARK, mentions, scan};
pub use write::{Wanted, write};

use std::ops::Range;

use super::Date;
use crate::source::Span;

/// The ignores of one file, and which of them did something.
#[derive(Debug, Default)]
pub struct Ignores {
    /// In order.
    pub directives: Vec<Directive>,
    /// Of each, the 0-based lines that it speaks about.
    covers: Vec<Range<usize>>,
    /// Of each, which of its names silenced something; one entry for a directive without brackets.
    used: Vec<Vec<bool>>,
    /// Directives that say something wrong.
    pub faults: Vec<Fault>,
}

impl Ignores {
    /// Joins the directives of a file (see [`scan`]); those that have ended by `today` do nothing.
    #[must_use]
    pub fn new(scanned: scan::Scanned, today: Option<Date>) -> Self {
        let scan::Scanned { directives, covers, faults } = scanned;
        let used = directives.iter().map(|d| vec![false; d.rules.as_ref().map_or(1, Vec::len)]).collect();
        let mut out = Self { directives, covers, used, faults };
        if let Some(today) = today {
            for directive in &mut out.directives {
                directive.expired = directive.until.is_some_and(|(until, _)| until < today);
            }
        }
        out
    }

    /// Whether a finding of that rule on one of those 0-based lines is silenced: the directive that does it. Every
    /// directive that would do it counts as used.
    pub fn silence(&mut self, rule: &str, family: &str, lines: &[usize]) -> Option<&Directive> {
        let mut by = None;
        for (index, directive) in self.directives.iter().enumerate() {
            if directive.expired || !lines.iter().any(|line| self.covers[index].contains(line)) {
                continue;
            }
            if mark(directive, &mut self.used[index], rule, family) {
                by.get_or_insert(index);
            }
        }
        by.map(|index| &self.directives[index])
    }

    /// As [`Ignores::silence`], by the directives for the whole file alone: what a kustomization's file says about
    /// everything that it builds.
    pub fn silence_whole(&mut self, rule: &str, family: &str) -> Option<&Directive> {
        let mut by = None;
        for (index, directive) in self.directives.iter().enumerate() {
            if directive.verb == Verb::File
                && !directive.expired
                && mark(directive, &mut self.used[index], rule, family)
            {
                by.get_or_insert(index);
            }
        }
        by.map(|index| &self.directives[index])
    }

    /// Directives that silenced nothing: the directive, and those of its names that did nothing (none when it has no
    /// brackets). Expired ones are not among them. `decided` says whether a name's rules all ran.
    pub fn unused(&self, decided: impl Fn(Option<&Name>) -> bool) -> Vec<(&Directive, Vec<&Name>)> {
        let mut out = Vec::new();
        for (directive, used) in self.directives.iter().zip(&self.used) {
            if directive.expired || directive.verb == Verb::End {
                continue;
            }
            match &directive.rules {
                None if !used[0] && decided(None) => out.push((directive, Vec::new())),
                None => {}
                Some(names) => {
                    let idle = names.iter().zip(used).filter(|(_, used)| !**used).map(|(name, _)| name);
                    // What names no rule is a fault of its own.
                    let idle: Vec<&Name> = idle.filter(|n| n.selector.is_some() && decided(Some(n))).collect();
                    if !idle.is_empty() {
                        out.push((directive, idle));
                    }
                }
            }
        }
        out
    }

    /// Where the end of a region stands that starts with `directive`.
    #[must_use]
    pub fn end_of(&self, directive: &Directive) -> Option<Span> {
        let index = self.directives.iter().position(|d| std::ptr::eq(d, directive))?;
        let end = self.directives.get(index..)?.iter().find(|d| d.ends == Some(directive.span))?;
        Some(end.span)
    }
}

fn mark(directive: &Directive, used: &mut [bool], rule: &str, family: &str) -> bool {
    let Some(names) = &directive.rules else {
        used[0] = true;
        return true;
    };
    let mut hit = false;
    for (name, used) in names.iter().zip(used) {
        if name.selector.as_ref().is_some_and(|selector| selector.matches(rule, family)) {
            *used = true;
            hit = true;
        }
    }
    hit
}
