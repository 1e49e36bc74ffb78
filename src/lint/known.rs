//! Findings that the baseline knows.

use super::line::Line;
use super::plan::Plan;
use super::{Suppression, SuppressionKind};
use crate::finding::{Baseline, Compared, Finding, Fingerprint, Known, Matcher};
use crate::rules::{self, Check};
use crate::source::{SourceFile, normal};

/// One run against one baseline.
pub(super) struct Run<'a> {
    line: &'a Line,
    baseline: &'a Baseline,
    matcher: Matcher<'a>,
}

impl<'a> Run<'a> {
    pub(super) fn new(line: &'a Line, baseline: &'a Baseline) -> Self {
        let matcher = Matcher::new(baseline, |entry| !baseline.path_of(entry).exists());
        Self { line, baseline, matcher }
    }

    /// Why a finding does not count, if so.
    pub(super) fn take(
        &mut self,
        finding: &Finding,
        fingerprint: Fingerprint,
        file: &SourceFile,
        shown: bool,
    ) -> Option<Suppression> {
        let path = self.baseline.name_of(file.path.as_deref(), &file.name);
        let name = fingerprint.to_string();
        if !shown {
            self.matcher.pass(&path, &name);
            return None;
        }
        let revision = rules::find(finding.rule).map_or(1, |rule| rule.revision);
        let known = self.matcher.take(&path, finding.rule, revision, &name);
        let reason = match known {
            Known::New => return None,
            Known::Unchanged => "in the baseline",
            Known::Incomparable => "the rule has changed since the baseline was written",
        };
        Some(Suppression { kind: SuppressionKind::Baseline(known), reason: Some(reason.to_owned()), span: None })
    }

    pub(super) fn finish(self, plan: &Plan) -> Compared {
        let sources = self.line.sources.all();
        self.matcher.finish(|entry| {
            let path = self.baseline.path_of(entry);
            if !path.exists() {
                return true;
            }
            let Some(rule) = rules::find(&entry.rule) else { return false };
            let file = sources.iter().find(|f| f.path.as_deref().is_some_and(|p| normal(p) == path));
            rule.revision == entry.revision
                && !matches!(rule.check, Check::Probe)
                && file.is_some_and(|file| {
                    self.line.is_judged(file)
                        && rule.runs(&plan.of(file.id).settings.selection)
                        && !self.line.is_broken(file)
                })
        })
    }
}
