//! The certificate: a fix is applied in memory, what it touches is read, built, resolved and linted again, and only
//! what mends the finding and harms nothing else is offered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::apply::{Changed, changes};
use super::compose::compose;
use super::snapshot::{self, Config, Key, Snapshot};
use crate::finding::{Applicability, Confidence, Edit, Finding, Fix, Profile, Selection, Severity};
use crate::lint::{self, Input, Options, Report};
use crate::source::{normal, text};
use crate::yaml::{self, Stream};

/// Most files of a directory that are judged together with one that is changed.
const TOGETHER: usize = 16;

/// How often a fix may take along what it uncovers.
const CHAIN: usize = 3;

/// Why a fix is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Two edits overlap, or one lies outside its file.
    Edits,
    /// What was linted is not what lies there now.
    Stale,
    /// The finding is still there.
    Stays,
    /// Something else would be found: rule and message.
    New(String, String),
    /// Another service would change: its name, and the kustomization it is in.
    Service(String, Option<String>),
    /// Another document of the file would change.
    Document,
    /// A bug: the rules or the resolver panicked over the changed file.
    Crash(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edits => f.write_str("its edits overlap"),
            Self::Stale => f.write_str("the file has changed since"),
            Self::Stays => f.write_str("the finding would stay"),
            Self::New(rule, message) => write!(f, "`{rule}` would be found: {message}"),
            Self::Service(name, None) => write!(f, "service `{name}` would change too"),
            Self::Service(name, Some(overlay)) => write!(f, "service `{name}` of `{overlay}` would change too"),
            Self::Document => f.write_str("another document of the file would change"),
            Self::Crash(message) => write!(f, "internal error: {message}"),
        }
    }
}

/// What came of trying a fix.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Why it is not to be applied; none when it is proven.
    pub refusal: Option<Refusal>,
    /// The edits that were tried: the fix's own, and those of its siblings when it is sound with them only.
    pub edits: Vec<Edit>,
    /// The files that they change.
    pub changed: Vec<Changed>,
}

impl Certificate {
    /// Whether the fix was tried and did what it should.
    #[must_use]
    pub const fn verified(&self) -> bool {
        self.refusal.is_none()
    }
}

/// Tries fixes of one run. Keeps what it learned about the unchanged files, so that many fixes of one file cost one run
/// over it each and one more.
#[derive(Debug)]
pub struct Certifier<'a> {
    inputs: &'a [Input],
    report: &'a Report,
    options: Options,
    before: Mutex<BTreeMap<Unit, Arc<Snapshot>>>,
    /// Paths of all files of the run.
    paths: Vec<PathBuf>,
}

/// What has to be judged again when files change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    /// These files: kustomizations that take the changed file in, or the file itself with those beside it.
    Paths(BTreeSet<PathBuf>),
    /// Standard input.
    Stdin,
    /// Everything.
    Whole,
}

impl<'a> Certifier<'a> {
    /// For the fixes of `report`, which came from these inputs and options.
    #[must_use]
    pub fn new(inputs: &'a [Input], options: &Options, report: &'a Report) -> Self {
        // Every rule has a say, whichever the user wants to see.
        let selection = Selection { profile: options.selection.profile, ..Selection::default() };
        let mut buffers = options.buffers.clone();
        for input in inputs {
            if let Input::Bytes { bytes, path: Some(path) } = input {
                buffers.insert(path, &bytes[..]);
            }
        }
        // What an edit leaves alone is parsed once for all fixes.
        let cache = options.cache.clone().or_else(|| Some(Arc::new(lint::Cache::new())));
        let profile = selection.profile;
        let options = Options { selection, every_rule: Some(profile), buffers, cache, threads: 1, ..options.clone() };
        let paths = report.sources.all().iter().filter_map(|file| file.path.as_deref().map(normal)).collect();
        Self { inputs, report, options, before: Mutex::default(), paths }
    }

    /// Tries the finding's fix. `None` when it has none, or one that is only to be read.
    #[must_use]
    pub fn certify(&self, finding: &Finding) -> Option<Certificate> {
        let fix = finding.fix.as_ref().filter(|fix| fix.applicability != Applicability::Display)?;
        let Some(changed) = changes(&fix.edits, &self.report.sources) else {
            return Some(Certificate { refusal: Some(Refusal::Edits), edits: fix.edits.clone(), changed: Vec::new() });
        };
        let refusal = self.attempt(&[finding], &changed).err();
        if let Some(Refusal::New(..)) = refusal
            && let Some(more) = self.joint(finding).or_else(|| self.chained(finding))
        {
            return Some(more);
        }
        Some(Certificate { refusal, edits: fix.edits.clone(), changed })
    }

    /// Tries edits that answer no finding: only the services meant may change, and nothing new may be found.
    ///
    /// # Errors
    /// Why they are not to be applied.
    pub fn try_edits(&self, edits: &[Edit], meant: &[(String, String)]) -> Result<Vec<Changed>, Refusal> {
        let changed = changes(edits, &self.report.sources).ok_or(Refusal::Edits)?;
        stream(&changed, &|| edits.iter(), &self.options)?;
        let unit = self.unit(&changed);
        let (before, after) = (self.before(&unit, false), self.run(&unit, false, &changed));
        nothing_new(&before, &after, Severity::Warning)?;
        unchanged(&before, &after, &|config| {
            meant.iter().any(|(deployment, service)| *deployment == config.deployment && *service == config.service)
        })?;
        Ok(changed)
    }

    /// What is wrong with both roles is mended on both or on none: tries the fix with those of the same rule in the same
    /// deployment.
    fn joint(&self, finding: &Finding) -> Option<Certificate> {
        let how = finding.fix.as_ref()?.applicability;
        let sibling = |other: &&Finding| {
            other.rule == finding.rule
                && other.deployment == finding.deployment
                && other.overlays == finding.overlays
                && other.primary.span.file == finding.primary.span.file
                && other.fix.as_ref().is_some_and(|fix| fix.applicability == how)
        };
        let all: Vec<&Finding> = self.report.findings.iter().map(|r| &r.finding).filter(sibling).collect();
        if all.len() < 2 || finding.deployment.is_none() {
            return None;
        }
        let changed = self.together(&all).ok()?;
        Some(Certificate { refusal: None, edits: union(&all), changed })
    }

    /// What one mistake hid comes to light when it is mended: tries the fix with that of the finding which it uncovers
    /// in the same service, where that is no bolder.
    fn chained(&self, finding: &Finding) -> Option<Certificate> {
        let how = finding.fix.as_ref()?.applicability;
        let mut tried = finding.clone();
        for _ in 0..CHAIN {
            let edits = tried.fix.as_ref()?.edits.clone();
            let changed = changes(&edits, &self.report.sources)?;
            let (refusal, after) = match self.trial(&[&tried], &changed) {
                Ok(()) => return Some(Certificate { refusal: None, edits, changed }),
                Err((refusal, after)) => (refusal, after?),
            };
            let Refusal::New(rule, message) = refusal else { return None };
            let uncovered = after.report.findings.iter().map(|reported| &reported.finding).find(|other| {
                other.rule == rule
                    && other.message == message
                    && other.service == finding.service
                    && other.fix.as_ref().is_some_and(|fix| fix.applicability <= how)
            })?;
            let more = &uncovered.fix.as_ref()?.edits;
            tried.fix.as_mut()?.edits = compose(&edits, more, &self.report.sources, &after.report.sources)?;
        }
        None
    }

    /// Tries the fixes of several findings at once.
    ///
    /// # Errors
    /// Why they are not to be applied together.
    pub fn together(&self, findings: &[&Finding]) -> Result<Vec<Changed>, Refusal> {
        let changed = changes(&union(findings), &self.report.sources).ok_or(Refusal::Edits)?;
        self.attempt(findings, &changed)?;
        Ok(changed)
    }

    /// The finding's fix as it may be offered: verified, or demoted to advice.
    #[must_use]
    pub fn offer(&self, finding: &Finding) -> Option<Fix> {
        let mut fix = finding.fix.clone()?;
        if let Some(certificate) = self.certify(finding) {
            fix.verified = certificate.verified();
            fix.edits = certificate.edits;
            if !fix.verified {
                fix.applicability = Applicability::Display;
            }
        }
        Some(fix)
    }

    fn attempt(&self, findings: &[&Finding], changed: &[Changed]) -> Result<(), Refusal> {
        self.trial(findings, changed).map_err(|(refusal, _)| refusal)
    }

    /// What speaks against it, with the run over the changed files when it came to one.
    fn trial(&self, findings: &[&Finding], changed: &[Changed]) -> Result<(), (Refusal, Option<Box<Snapshot>>)> {
        documents(changed, findings, &self.options).map_err(|refusal| (refusal, None))?;
        let possible = findings.iter().any(|finding| finding.confidence == Confidence::Possible);
        let mut unit = self.unit(changed);
        let mut before = self.before(&unit, possible);
        let find = |before: &'_ Snapshot| -> Option<Vec<usize>> {
            findings.iter().map(|finding| self.find(finding, before)).collect()
        };
        let mut found = find(&before);
        // Every kustomization that has the finding has to be mended.
        let everywhere = |found: &Vec<usize>| {
            findings.iter().zip(found).all(|(finding, index)| {
                let there = &before.report.findings[*index].finding.overlays;
                finding.overlays.iter().all(|overlay| there.contains(overlay))
            })
        };
        if !found.as_ref().is_some_and(everywhere) && unit != Unit::Whole {
            // Found, or found everywhere, only in the light of what lies elsewhere.
            unit = Unit::Whole;
            before = self.before(&unit, possible);
            found = find(&before);
        }
        let Some(found) = found else { return Err((Refusal::Stale, None)) };
        let all: Vec<&Finding> = before.report.findings.iter().map(|reported| &reported.finding).collect();
        let found: Vec<&Finding> = found.into_iter().map(|index| all[index]).collect();
        let after = self.run(&unit, possible, changed);
        if let Some(crash) = after.report.crashes.first()
            && before.report.crashes.is_empty()
        {
            return Err((Refusal::Crash(crash.message.clone()), None));
        }
        // One place can be found fault with once for each service that it reaches.
        let same: Vec<&Finding> =
            all.iter().copied().filter(|other| found.iter().any(|found| alike(other, found))).collect();
        judge(&same, &found, &before, &after).map_err(|refusal| (refusal, Some(Box::new(after))))
    }

    /// What has to be judged again.
    fn unit(&self, changed: &[Changed]) -> Unit {
        let mut paths = BTreeSet::new();
        for change in changed {
            let Some(path) = change.file.path.as_deref().map(normal) else { return Unit::Stdin };
            let through = self.report.kustomizations.iter().filter(|k| k.path == path || k.files.contains(&path));
            let through: Vec<PathBuf> = through.map(|k| k.path.clone()).collect();
            if !through.is_empty() {
                paths.extend(through);
                continue;
            }
            let beside = self.paths.iter().filter(|other| other.parent() == path.parent());
            let beside = crate::source::set(beside.cloned());
            if beside.len() <= TOGETHER {
                paths.extend(beside);
            }
            paths.insert(path);
        }
        Unit::Paths(paths)
    }

    fn before(&self, unit: &Unit, possible: bool) -> Arc<Snapshot> {
        let ready = |kept: &BTreeMap<Unit, Arc<Snapshot>>| kept.get(unit).cloned();
        if !possible && let Some(snapshot) = self.before.lock().ok().and_then(|kept| ready(&kept)) {
            return snapshot;
        }
        let snapshot = Arc::new(self.run(unit, possible, &[]));
        if !possible && let Ok(mut kept) = self.before.lock() {
            kept.insert(unit.clone(), Arc::clone(&snapshot));
        }
        snapshot
    }

    fn run(&self, unit: &Unit, possible: bool, changed: &[Changed]) -> Snapshot {
        let mut options = self.options.clone();
        if possible {
            options.selection.profile = Profile::Audit;
            options.every_rule = Some(Profile::Audit);
        }
        let mut stdin = None;
        for change in changed {
            match &change.file.path {
                Some(path) => options.buffers.insert(path, change.after.as_bytes()),
                None => stdin = Some(change.after.clone().into_bytes()),
            }
        }
        let mut inputs: Vec<Input> = match unit {
            Unit::Paths(paths) => paths.iter().cloned().map(Input::Path).collect(),
            Unit::Stdin | Unit::Whole => self.inputs.to_vec(),
        };
        for input in &mut inputs {
            match input {
                Input::Bytes { path: Some(path), .. } => *input = Input::Path(path.clone()),
                Input::Bytes { bytes, path: None } => {
                    if let Some(after) = stdin.take() {
                        *bytes = after;
                    }
                }
                Input::Path(_) => {}
            }
        }
        let (report, seen) = lint::examine(&inputs, &options);
        Snapshot::new(report, &seen)
    }

    /// Which finding it is in another run over the same files.
    fn find(&self, finding: &Finding, snapshot: &Snapshot) -> Option<usize> {
        let name = |f: &Finding, report: &Report| report.sources.get(f.primary.span.file).name.clone();
        let wanted = name(finding, self.report);
        snapshot.report.findings.iter().map(|reported| &reported.finding).position(|other| {
            other.rule == finding.rule
                && other.service == finding.service
                && other.primary.span.range() == finding.primary.span.range()
                && other.message == finding.message
                && name(other, &snapshot.report) == wanted
        })
    }
}

/// The edits of several fixes, each once.
fn union(findings: &[&Finding]) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for edit in findings.iter().filter_map(|finding| finding.fix.as_ref()).flat_map(|fix| &fix.edits) {
        if !edits.contains(edit) {
            edits.push(edit.clone());
        }
    }
    edits
}

/// Whether two findings of a run are mended by the same edits.
fn alike(a: &Finding, b: &Finding) -> bool {
    let edits = |f: &Finding| f.fix.as_ref().map(|fix| fix.edits.clone());
    a.rule == b.rule && (a.primary.span == b.primary.span || edits(a) == edits(b))
}

/// Compares a run before with one after. `same` are the findings that the edits are for, `findings` among them.
fn judge(same: &[&Finding], findings: &[&Finding], before: &Snapshot, after: &Snapshot) -> Result<(), Refusal> {
    let sources = &before.report.sources;
    let mut mended: BTreeMap<Key, usize> = BTreeMap::new();
    for key in findings.iter().flat_map(|finding| snapshot::keys(finding, sources)) {
        *mended.entry(key).or_default() += 1;
    }
    for (key, wanted) in mended {
        if after.count(&key, Severity::Advice) + wanted > before.count(&key, Severity::Advice) {
            return Err(Refusal::Stays);
        }
    }
    let least = findings.iter().map(|finding| finding.severity).min().unwrap_or(Severity::Advice);
    nothing_new(before, after, least)?;
    services(same, before, after)
}

fn nothing_new(before: &Snapshot, after: &Snapshot, least: Severity) -> Result<(), Refusal> {
    for key in after.keys() {
        if after.count(key, least) > before.count(key, least) {
            let what = after.finding(key).map_or_else(Default::default, |f| (f.rule.to_owned(), f.message.clone()));
            return Err(Refusal::New(what.0, what.1));
        }
    }
    if after.report.summary.unreadable > before.report.summary.unreadable {
        return Err(Refusal::Document);
    }
    Ok(())
}

/// Every service that no finding is about must stay what it is.
fn services(same: &[&Finding], before: &Snapshot, after: &Snapshot) -> Result<(), Refusal> {
    let meant = |config: &Config| {
        same.iter().any(|finding| {
            let overlay = match &config.overlay {
                Some(overlay) => finding.overlays.contains(overlay),
                None => finding.overlays.is_empty(),
            };
            overlay
                && finding.deployment.as_ref().is_none_or(|name| *name == config.deployment)
                && finding.service.as_ref().is_none_or(|name| *name == config.service)
        })
    };
    unchanged(before, after, &meant)?;
    // An edit takes away one option at most: what an expansion brings beside it stays.
    let edits: usize = same.iter().filter_map(|finding| finding.fix.as_ref()).map(|fix| fix.edits.len()).sum();
    let robbed = |config: &&Config| {
        let now = after.services.iter().find(|other| other.identity() == config.identity());
        now.is_some_and(|now| config.options > now.options + edits)
    };
    match before.services.iter().filter(|config| meant(config)).find(robbed) {
        Some(config) => Err(Refusal::Service(config.service.clone(), config.overlay.clone())),
        None => Ok(()),
    }
}

/// Every service but those meant is what it was.
fn unchanged(before: &Snapshot, after: &Snapshot, meant: &dyn Fn(&Config) -> bool) -> Result<(), Refusal> {
    let refuse = |config: &Config| Err(Refusal::Service(config.service.clone(), config.overlay.clone()));
    let mut left: Vec<&Config> = after.services.iter().collect();
    let mut gone = false;
    for config in &before.services {
        let equal = left.iter().position(|other| *other == config);
        if let Some(at) = equal.or_else(|| {
            let same_name = left.iter().position(|other| other.identity() == config.identity());
            same_name.filter(|_| meant(config))
        }) {
            left.swap_remove(at);
        } else if meant(config) {
            gone = true;
        } else {
            return refuse(config);
        }
    }
    // A service may appear when one that was meant is gone: it was renamed.
    match left.first() {
        Some(new) if !gone => refuse(new),
        _ => Ok(()),
    }
}

/// Other documents of an edited file stay byte for byte, and the file stays a stream of as many documents.
fn documents(changed: &[Changed], findings: &[&Finding], options: &Options) -> Result<(), Refusal> {
    let edits = || findings.iter().filter_map(|finding| finding.fix.as_ref()).flat_map(|fix| &fix.edits);
    stream(changed, &edits, options)
}

fn stream<'e, I: Iterator<Item = &'e Edit>>(
    changed: &[Changed],
    edits: &dyn Fn() -> I,
    options: &Options,
) -> Result<(), Refusal> {
    for change in changed {
        let sources = crate::source::Sources::new();
        let read = |bytes: &str| {
            let file = text(bytes.into(), change.file.name.clone(), None, &sources, options.limits.bytes);
            file.ok().map(|file| (yaml::parse(&file, &options.limits), file))
        };
        let (Some((old, old_file)), Some((new, new_file))) = (read(&change.file.text), read(&change.after)) else {
            return Err(Refusal::Document);
        };
        for problem in &new.problems {
            let count = |stream: &Stream| stream.problems.iter().filter(|other| other.kind == problem.kind).count();
            if count(&new) > count(&old) {
                return Err(Refusal::New("yaml-syntax".to_owned(), problem.message.clone()));
            }
        }
        let count = |stream: &Stream| stream.documents.len();
        let touched = |range: std::ops::Range<usize>| {
            let edits = edits().filter(|edit| edit.span.file == change.file.id);
            edits.map(|edit| edit.span.range()).any(|edit| edit.start <= range.end && range.start <= edit.end)
        };
        let same = count(&old) == count(&new)
            && old.documents.iter().zip(&new.documents).all(|(old, new)| {
                touched(old.span.range()) || old_file.text.get(old.span.range()) == new_file.text.get(new.span.range())
            });
        if !same {
            return Err(Refusal::Document);
        }
    }
    Ok(())
}

/// Tries every fix of a report and writes down what came of it: `verified`, or demoted to `display`.
pub fn certify_all(report: &mut Report, inputs: &[Input], options: &Options) {
    let wanted: Vec<usize> = report
        .findings
        .iter()
        .enumerate()
        .filter(|(_, reported)| reported.finding.fix.is_some())
        .map(|(index, _)| index)
        .collect();
    if wanted.is_empty() {
        return;
    }
    let certifier = Certifier::new(inputs, options, report);
    let offer = |&index: &usize| certifier.offer(&report.findings[index].finding);
    let offers: Vec<Option<Fix>> =
        if wanted.len() > 3 { crate::source::map(&wanted, offer) } else { wanted.iter().map(offer).collect() };
    for (index, fix) in wanted.into_iter().zip(offers) {
        report.findings[index].finding.fix = fix;
    }
}
