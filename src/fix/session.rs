//! Applies the fixes of a run: in passes, until none is left that can be proven.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::apply::Changed;
use super::certify::{Certifier, Refusal};
use crate::finding::{Applicability, Edit, Finding, Fingerprint};
use crate::lint::{self, Input, Options, Report};
use crate::source::{FileId, SourceFile, Sources};

/// Most passes. Each applies at least one fix, so only fixes that undo each other come near it.
const PASSES: usize = 100;

/// A fix that was applied, or was tried and is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Rule id.
    pub rule: &'static str,
    /// What was wrong.
    pub message: String,
    /// Names of the files that the fix changes.
    pub files: Vec<String>,
    /// 1-based line of the finding, in its file as it was then.
    pub line: u32,
    /// Service.
    pub service: Option<String>,
}

/// What a run of fixes comes to.
#[derive(Debug)]
pub struct Outcome {
    /// Files as they were and as they should be; those without a path are standard input.
    pub changed: Vec<Changed>,
    /// Fixes behind that, in the order they were applied.
    pub applied: Vec<Applied>,
    /// Fixes that were tried and would have done harm.
    pub refused: Vec<(Applied, Refusal)>,
    /// What is left to say about the changed files.
    pub report: Report,
    /// Inputs and options that give this report: standard input as changed, and buffers over what is not written yet.
    pub inputs: Vec<Input>,
    /// See `inputs`.
    pub options: Options,
}

/// Applies every safe fix, the unsafe ones too when asked, and proves each before and all of them together. Writes
/// nothing.
#[must_use]
pub fn mend(inputs: &[Input], options: &Options, with_unsafe: bool) -> Outcome {
    let mut state = State {
        inputs: inputs.to_vec(),
        options: options.clone(),
        texts: BTreeMap::new(),
        applied: Vec::new(),
        refused: Vec::new(),
        failed: HashSet::new(),
    };
    let mut report = lint::lint(&state.inputs, &state.options);
    for _ in 0..PASSES {
        let Some(changed) = state.pass(&report, with_unsafe) else { break };
        state.take(changed);
        report = lint::lint(&state.inputs, &state.options);
    }
    let changed = state.texts.into_values().filter(|change| change.after != *change.file.text).collect();
    let State { inputs, options, applied, refused, .. } = state;
    Outcome { changed, applied, refused, report, inputs, options }
}

struct State {
    inputs: Vec<Input>,
    options: Options,
    /// By name.
    texts: BTreeMap<String, Changed>,
    applied: Vec<Applied>,
    refused: Vec<(Applied, Refusal)>,
    failed: HashSet<(Fingerprint, String)>,
}

impl State {
    /// What one pass changes; none when nothing is left to do.
    fn pass(&mut self, report: &Report, with_unsafe: bool) -> Option<Vec<Changed>> {
        let allowed = |how: Applicability| match how {
            Applicability::Safe => true,
            Applicability::Unsafe => with_unsafe,
            Applicability::Display => false,
        };
        let wanted = report.findings.iter().filter(|reported| {
            let key = (reported.fingerprint, reported.finding.message.clone());
            reported.finding.fix.as_ref().is_some_and(|fix| allowed(fix.applicability)) && !self.failed.contains(&key)
        });
        let mut taken: Vec<&Edit> = Vec::new();
        let mut chosen = Vec::new();
        for reported in wanted {
            let edits = reported.finding.fix.as_ref().map_or(&[][..], |fix| &fix.edits);
            // The same edits may mend several findings; those that meet others wait for the next pass.
            let known = edits.iter().all(|edit| taken.contains(&edit));
            if !known && edits.iter().any(|edit| taken.iter().any(|other| meet(edit, other))) {
                continue;
            }
            taken.extend(edits);
            chosen.push(reported);
        }
        if chosen.is_empty() {
            return None;
        }
        let certifier = Certifier::new(&self.inputs, &self.options, report);
        let tries = crate::source::map(&chosen, |reported| certifier.certify(&reported.finding));
        let mut sound: Vec<Finding> = Vec::new();
        for (reported, certificate) in chosen.iter().zip(tries) {
            let Some(certificate) = certificate else { continue };
            match certificate.refusal {
                None => {
                    let mut finding = reported.finding.clone();
                    if let Some(fix) = &mut finding.fix {
                        fix.edits = certificate.edits;
                    }
                    sound.push(finding);
                }
                Some(refusal) => {
                    self.failed.insert((reported.fingerprint, reported.finding.message.clone()));
                    self.refused.push((applied(&reported.finding, &report.sources), refusal));
                }
            }
        }
        if sound.is_empty() {
            return self.pass(report, with_unsafe);
        }
        let groups = groups(sound.iter().collect());
        let done = crate::source::map(&groups, |group| most(&certifier, group));
        let mut changed = Vec::new();
        for (files, mended) in done.into_iter().flatten() {
            changed.extend(files);
            self.applied.extend(mended.iter().map(|finding| applied(finding, &report.sources)));
        }
        (!changed.is_empty()).then_some(changed)
    }

    fn take(&mut self, changed: Vec<Changed>) {
        for change in changed {
            match &change.file.path {
                Some(path) => self.options.buffers.insert(path, change.after.as_bytes()),
                None => {
                    for input in &mut self.inputs {
                        if let Input::Bytes { bytes, path: None } = input {
                            *bytes = change.after.clone().into_bytes();
                        }
                    }
                }
            }
            for input in &mut self.inputs {
                if let Input::Bytes { bytes, path: Some(path) } = input
                    && Some(&*path) == change.file.path.as_ref()
                {
                    *bytes = change.after.clone().into_bytes();
                }
            }
            let original: Arc<SourceFile> = Arc::clone(&change.file);
            self.texts
                .entry(change.file.name.clone())
                .or_insert(Changed { file: original, after: String::new() })
                .after = change.after;
        }
    }
}

/// Findings by the files that their fixes change: what changes different files is tried apart.
fn groups(findings: Vec<&Finding>) -> Vec<Vec<&Finding>> {
    let files = |finding: &Finding| -> BTreeSet<FileId> {
        crate::source::set(finding.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span.file))
    };
    let mut groups: Vec<(BTreeSet<FileId>, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let mut own = (files(finding), vec![finding]);
        let (same, other): (Vec<_>, Vec<_>) = groups.into_iter().partition(|(known, _)| !known.is_disjoint(&own.0));
        groups = other;
        for (known, members) in same {
            own.0.extend(known);
            own.1.splice(0..0, members);
        }
        groups.push(own);
    }
    groups.into_iter().map(|(_, members)| members).collect()
}

/// As many of the fixes, each sound by itself, as go together; the others show in the next pass what stands in their way.
fn most<'f>(certifier: &Certifier<'_>, findings: &[&'f Finding]) -> Option<(Vec<Changed>, Vec<&'f Finding>)> {
    if let Ok(changed) = certifier.together(findings) {
        return Some((changed, findings.to_vec()));
    }
    if findings.len() < 2 {
        return None;
    }
    let (left, right) = findings.split_at(findings.len() / 2);
    most(certifier, left).or_else(|| most(certifier, right))
}

/// Whether two edits overlap or touch: what comes of edits that touch depends on their order.
fn meet(a: &Edit, b: &Edit) -> bool {
    a.span.file == b.span.file && a.span.start <= b.span.end && b.span.start <= a.span.end
}

fn applied(finding: &Finding, sources: &Sources) -> Applied {
    let edits = finding.fix.as_ref().map_or(&[][..], |fix| &fix.edits);
    let mut files: Vec<String> = edits.iter().map(|edit| sources.get(edit.span.file).name.clone()).collect();
    crate::source::order(&mut files, Ord::cmp);
    files.dedup();
    Applied {
        rule: finding.rule,
        message: finding.message.clone(),
        files,
        line: sources.get(finding.primary.span.file).line_column(finding.primary.span.start).line,
        service: finding.service.clone(),
    }
}
