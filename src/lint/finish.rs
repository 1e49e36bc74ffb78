//! From what the rules said to a report: sorted, each said once, named, chosen and counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::line::Line;
use super::plan::Plan;
use super::suppress::Silenced;
use super::{Report, Reported, Suppressed, known};
use crate::finding::{Baseline, Finding, Fingerprints, Fix, Identity};
use crate::manifest::Object;
use crate::rules::{self, Undecided};
use crate::source::{FileId, SourceFile, Span};

impl Line {
    /// Sorts, drops duplicates, names, chooses and counts.
    pub(super) fn finish(
        &self,
        mut report: Report,
        mut findings: Vec<Silenced>,
        plan: &Plan,
        baseline: Option<&Baseline>,
    ) -> Report {
        let files = self.sources.all();
        let text = |span: &Span| text_of(&files, *span);
        for (finding, _) in &mut findings {
            let labels = finding.labels.iter_mut().map(|label| &mut label.span);
            labels.chain([&mut finding.primary.span]).for_each(|span| whole_characters(span, text(span)));
        }
        let open = report.undecided.iter_mut().map(|open| &mut open.span);
        open.for_each(|span| whole_characters(span, text(span)));
        findings.retain(|(f, _)| {
            let selection = &plan.of(f.primary.span.file).settings.selection;
            rules::find(f.rule).is_none_or(|rule| rule.runs(selection))
        });
        let places = places(&files);
        once_each(&mut findings, &places);
        self.choose(&mut report, findings, &files, plan, baseline);
        open_ones(&mut report, &places);
        crate::source::order(&mut report.crashes, Ord::cmp);
        report.crashes.dedup();
        report
    }

    /// Gives each finding its fingerprint and the severity that is wanted for it, and says which are shown.
    fn choose(
        &self,
        report: &mut Report,
        findings: Vec<Silenced>,
        files: &[Arc<SourceFile>],
        plan: &Plan,
        baseline: Option<&Baseline>,
    ) {
        let mut objects: BTreeMap<FileId, Vec<&Object>> = BTreeMap::new();
        for object in self.files.iter().flat_map(|(file, _)| &file.objects) {
            // What a kustomization brings keeps the place where it is written.
            objects.entry(object.node.span.file).or_default().push(object);
        }
        let mut known = baseline.map(|baseline| known::Run::new(self, baseline));
        let mut fingerprints: BTreeMap<FileId, Fingerprints> = BTreeMap::new();
        for (mut finding, by) in findings {
            let span = finding.primary.span;
            let kind = plan.of(span.file);
            kind.active.raise(&mut finding);
            if let Some(severity) = rules::find(finding.rule).and_then(|rule| kind.settings.severity_of(rule)) {
                finding.severity = severity;
            }
            let text = text_of(files, span).get(span.range()).unwrap_or_default();
            let fingerprint = fingerprints.entry(span.file).or_default().next(&identity(&finding, &objects, text));
            let shown = kind.settings.selection.shows(&finding);
            let by = match &mut known {
                Some(known) if by.is_none() => known.take(&finding, fingerprint, &self.sources.get(span.file), shown),
                _ => by,
            };
            if !shown {
                report.summary.hidden += 1;
            } else if let Some(by) = by {
                report.summary.suppressed += 1;
                report.suppressed.push(Suppressed { reported: Reported { finding, fingerprint }, by });
            } else {
                report.summary.count(finding.severity);
                report.failing += usize::from(kind.settings.fail_on.fails(finding.severity));
                report.findings.push(Reported { finding, fingerprint });
            }
        }
        report.baseline = known.map(|known| known.finish(plan));
    }
}

/// Sorts findings by where they stand, and leaves each of them once.
fn once_each(findings: &mut Vec<Silenced>, places: &[u32]) {
    let place = |finding: &Finding| place_of(finding.primary.span, places);
    crate::source::order(findings, |(a, _), (b, _)| place(a).cmp(&place(b)).then_with(|| key(a).cmp(&key(b))));
    findings.dedup_by(|(later, by), (kept, kept_by)| {
        let same = later.primary == kept.primary && key(later) == key(kept);
        if same {
            // One place in a base speaks once, for all the overlays that take it in: those that do not silence it.
            match (by.is_some(), kept_by.is_some()) {
                (false, true) => {
                    std::mem::swap(later, kept);
                    *kept_by = None;
                }
                (true, false) => {}
                _ => {
                    kept.overlays.append(&mut later.overlays);
                    joined(&mut kept.fix, later.fix.take());
                }
            }
        }
        same
    });
}

/// Sorts what is open by where it stands, leaves each once, and counts.
fn open_ones(report: &mut Report, places: &[u32]) {
    let place = |open: &Undecided| place_of(open.span, places);
    let near =
        |a: &Undecided, b: &Undecided| (a.span.start, a.rule, &a.service).cmp(&(b.span.start, b.rule, &b.service));
    let reason = |a: &Undecided, b: &Undecided| a.reason.to_string().cmp(&b.reason.to_string());
    crate::source::order(&mut report.undecided, |a, b| {
        place(a).cmp(&place(b)).then_with(|| near(a, b)).then_with(|| reason(a, b))
    });
    report.undecided.dedup_by(|a, b| a.span == b.span && near(a, b).then_with(|| reason(a, b)).is_eq());
    report.summary.undecided = report.undecided.len();
}

/// The text of a span's file.
fn text_of(files: &[Arc<SourceFile>], span: Span) -> &str {
    files.get(span.file.0 as usize).map_or("", |file| &file.text)
}

/// The place of a span's file in the order of their names.
fn place_of(span: Span, places: &[u32]) -> u32 {
    places.get(span.file.0 as usize).copied().unwrap_or_default()
}

/// What orders the findings of a file.
fn key(f: &Finding) -> impl Ord + '_ {
    (f.primary.span.start, f.rule, f.service.as_ref(), &*f.message, f.deployment.as_ref(), f.subject.as_ref())
}

/// Findings that nothing silences.
pub(super) fn silent(findings: Vec<Finding>) -> Vec<Silenced> {
    findings.into_iter().map(|finding| (finding, None)).collect()
}

/// Of each file, its place in the order of their names.
fn places(files: &[Arc<SourceFile>]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..files.len()).collect();
    crate::source::order(&mut order, |&a, &b| files[a].name.cmp(&files[b].name));
    let (mut places, mut place) = (vec![0; files.len()], 0);
    for (before, &at) in std::iter::once(None).chain(order.iter().map(Some)).zip(&order) {
        place += u32::from(before.is_some_and(|&before| files[before].name != files[at].name));
        places[at] = place;
    }
    places
}

/// Widens a label that ends within a character (`start..start + 1` of a key in another script) to all of it.
fn whole_characters(span: &mut Span, text: &str) {
    let len = text.len();
    let (mut start, mut end) = ((span.start as usize).min(len), (span.end as usize).min(len));
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    // Both only move towards offsets that a span can hold.
    span.start = u32::try_from(start).unwrap_or(u32::MAX);
    span.end = u32::try_from(end.max(start)).unwrap_or(u32::MAX);
}

/// What makes a finding the one it is: the object it stands in (the innermost of a list), and what it is about.
fn identity<'a>(finding: &'a Finding, objects: &BTreeMap<FileId, Vec<&'a Object>>, text: &'a str) -> Identity<'a> {
    let span = finding.primary.span;
    let inside = |object: &&&Object| object.node.span.start <= span.start && span.start < object.node.span.end.max(1);
    let object = objects.get(&span.file).and_then(|list| list.iter().filter(inside).min_by_key(|o| o.node.span.len()));
    let once = rules::find(finding.rule).is_some_and(|rule| rule.once);
    Identity {
        rule: finding.rule,
        kind: object.map_or("", |o| o.kind.as_str()),
        name: object.map_or("", |o| o.name.as_str()),
        deployment: finding.deployment.as_deref().unwrap_or_default(),
        service: finding.service.as_deref().filter(|_| !once).unwrap_or_default(),
        subject: finding.subject.as_deref().unwrap_or_default(),
        text: if once { "" } else { text },
    }
}

/// What is found in several kustomizations at once is mended in all of them.
fn joined(fix: &mut Option<Fix>, other: Option<Fix>) {
    if let (Some(fix), Some(other)) = (fix, other) {
        fix.applicability = fix.applicability.max(other.applicability);
        let new: Vec<_> = other.edits.into_iter().filter(|edit| !fix.edits.contains(edit)).collect();
        fix.edits.extend(new);
    }
}
