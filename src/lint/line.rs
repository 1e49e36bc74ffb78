//! Files on their way through the house: read, parsed and joined with what stands beside them, then judged.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::check::{Judged, judge};
use super::load::{self, Loaded};
use super::overlay::{self, Overlays};
use super::plan::{self, Plan};
use super::reader::{Error, Reader};
use super::threads::map;
use super::{
    Options, Phase, Report, Seen, SkipReason, Skipped, Touched, kustomize, problem, read, report, suppress, users,
};
use crate::config::Configs;
use crate::finding::Finding;
use crate::manifest::Object;
use crate::resolve::{Around, Recipe};
use crate::rules::{self, Undecided};
use crate::source::{Failure, FileId, Reason, SourceFile, Sources, display_name, normal};
use crate::yaml::ProblemKind;

/// Most files that a thread judges side by side, rule by rule: with more, what they hold does not stay at hand.
const BATCH: usize = 8;

/// Files on their way, each with what stands beside it.
pub(super) struct Line {
    pub(super) sources: Arc<Sources>,
    pub(super) files: Vec<(Loaded, Arc<Recipe>)>,
    /// Of each file, the kustomization whose result it stands for.
    pub(super) overlays: Vec<Option<String>>,
    /// Files that are judged as parts of a kustomization.
    pub(super) covered: FxHashSet<PathBuf>,
    /// The same as this run read them.
    pub(super) current: FxHashSet<FileId>,
    /// Files that were asked for, not only read on the way: every kustomization of the run that takes one in is judged.
    pub(super) asked: FxHashSet<FileId>,
}

impl Line {
    /// Reads and parses. Gives back what can be judged, and what was said about the rest.
    pub(super) fn read(found: read::Items, options: &Options, parallel: bool) -> (Self, Report, Vec<Finding>) {
        let sources = Arc::new(match &options.cache {
            Some(cache) => Sources::sharing(&cache.sources, options.buffers.clone()),
            None => Sources::over(options.buffers.clone()),
        });
        // Trees that a cache keeps are those of the files as they stand.
        let cache = options.cache.as_deref().filter(|_| options.values.is_empty());
        let reader = Reader { sources: &sources, limits: &options.limits, cache, values: &options.values };
        let mut report = Report { sources: Arc::clone(&sources), ..Report::default() };
        let mut findings = Vec::new();
        let (mut loaded, excluded) = load_all(found, &reader, options, parallel, &mut report, &mut findings);
        options.watch.phase(Phase::Kustomize, 0);
        let touched = |file: &&Loaded| match (&options.touched, &file.path) {
            (Some(touched), Some(path)) => touched.names(path),
            _ => true,
        };
        let asked = loaded.iter().filter(touched).map(|file| file.file.id).collect();
        let users: FxHashSet<FileId> = if options.dependants {
            let users = users::of(&loaded, &reader);
            let ids = users.iter().map(|file| file.file.id).collect();
            loaded.extend(users);
            ids
        } else {
            FxHashSet::default()
        };
        let mut overlays = overlay::build(&loaded, &reader, parallel);
        let patches = load::patches(&loaded, &reader);
        loaded.retain(|file| match file.skip(&patches) {
            // Found on the way, not asked for.
            _ if users.contains(&file.file.id) => false,
            None => true,
            // Judged as what it builds.
            Some(_) if overlays.covers(file) && file.path.as_deref().is_some_and(kustomize::is_kustomization) => true,
            // Judged through the kustomization that it is part of.
            Some(_) if options.dependants && file.explicit && overlays.covers(file) => true,
            Some(reason) => {
                report.skipped.push(Skipped { path: file.file.name.clone(), reason });
                false
            }
        });
        let skipped = |path: PathBuf| Skipped { path: display_name(&path), reason: SkipReason::Excluded };
        report.skipped.extend(excluded.into_iter().map(skipped));
        report.summary.files = loaded.len();
        crate::source::order(&mut report.skipped, Ord::cmp);
        let contexts = options.touched.as_ref().map(|touched| touched.contexts(&loaded)).unwrap_or_default();
        let names = join(&mut loaded, &mut overlays, &mut report);
        speak(&mut overlays, &mut findings, &mut report);
        let beside = load::siblings(&loaded, &patches, &reader);
        let recipes = recipes(&loaded, beside, &sources);
        let files = loaded.into_iter().zip(recipes).collect();
        let mut line =
            Self { sources, files, overlays: names, covered: overlays.covered, current: overlays.current, asked };
        if let Some(touched) = &options.touched {
            line.keep(touched, &contexts, options.configs.as_deref(), &mut report);
        }
        (line, report, findings)
    }

    pub(super) fn lint(
        self,
        mut report: Report,
        mut findings: Vec<Finding>,
        options: &Options,
        parallel: bool,
        mut keep: Option<&mut Vec<Seen>>,
    ) -> Report {
        let plan = Plan::new(options, &self.sources.all());
        let wanted = keep.is_some();
        options.watch.phase(Phase::Judge, self.files.len());
        let judged = map(&batches(&self.files, &plan, parallel), parallel, |batch| {
            let judged = judge(batch, &self.sources, plan.of(batch[0].0.file.id), wanted, &options.watch);
            batch.iter().for_each(|_| options.watch.step());
            judged
        });
        options.watch.phase(Phase::Finish, 0);
        for ((judged, overlay), (file, _)) in judged.into_iter().flatten().zip(&self.overlays).zip(&self.files) {
            let Judged { findings: mut said, undecided, crashes, provenance, deployments, services, resolved } = judged;
            if let Some(seen) = &mut keep {
                let of = |deployment| Seen { deployment, file: file.file.name.clone(), overlay: overlay.clone() };
                seen.extend(resolved.into_iter().map(of));
            }
            for finding in &mut said {
                finding.overlays.extend(overlay.clone());
            }
            findings.extend(said);
            report.undecided.extend(undecided);
            report.crashes.extend(crashes);
            report.provenance.append(provenance);
            report.summary.deployments += deployments;
            report.summary.services += services;
        }
        self.add_problems(&mut findings);
        let policy = suppress::Policy {
            today: options.today,
            needs_reason: &|file| plan.of(file).settings.ignores_need_reason,
            runs: &|file, rule| {
                !matches!(rule.check, rules::Check::Probe) && rule.runs(&plan.of(file).settings.selection)
            },
            crashed: !report.crashes.is_empty(),
            limits: &options.limits,
        };
        let findings = suppress::judge(&self, findings, &policy, parallel);
        let mut report = self.finish(report, findings, &plan, options.baseline.as_deref());
        report.files = report::Kept(self.files);
        report
    }

    /// Leaves what is touched.
    fn keep(
        &mut self,
        touched: &Touched,
        contexts: &FxHashSet<PathBuf>,
        configs: Option<&Configs>,
        report: &mut Report,
    ) {
        let built = |name: &Option<String>| report.kustomizations.iter().find(|k| Some(&k.name) == name.as_ref());
        let judged: Vec<bool> = self
            .files
            .iter()
            .zip(&self.overlays)
            .map(|((file, _), overlay)| touched.has(file, built(overlay), contexts, configs))
            .collect();
        let kept = |names: &[Option<String>]| -> FxHashSet<PathBuf> {
            names.iter().filter_map(built).flat_map(|k| k.files.iter().cloned()).collect()
        };
        let mut keep = judged.iter();
        self.overlays.retain(|_| keep.next().copied().unwrap_or_default());
        self.covered = kept(&self.overlays);
        let mut keep = judged.iter();
        self.files.retain(|_| keep.next().copied().unwrap_or_default());
        report.summary.files = self.files.len();
        let names: FxHashSet<&String> = self.overlays.iter().flatten().collect();
        report.kustomizations.retain(|k| names.contains(&k.name));
    }

    /// Adds what the reader found.
    pub(super) fn add_problems(&self, findings: &mut Vec<Finding>) {
        for (file, _) in &self.files {
            findings.extend(file.stream.problems.iter().map(problem::finding));
        }
    }

    /// Whether what is written in that file was judged, by itself or as part of a kustomization.
    pub(super) fn is_judged(&self, file: &SourceFile) -> bool {
        self.files.iter().any(|(loaded, _)| loaded.file.id == file.id)
            || self.current.contains(&file.id)
                && file.path.as_deref().is_some_and(|path| self.covered.contains(&normal(path)))
    }

    /// Whether part of that file could not be read: what stands there is not known.
    pub(super) fn is_broken(&self, file: &SourceFile) -> bool {
        let streams =
            self.files.iter().filter(|(loaded, _)| loaded.file.id == file.id).map(|(loaded, _)| &loaded.stream);
        streams.flat_map(|stream| &stream.problems).any(|problem| problem.kind != ProblemKind::DuplicateKey)
    }
}

/// Reads and parses every file. Gives back those that were, and those that a configuration excludes.
fn load_all(
    found: read::Items,
    reader: &Reader<'_>,
    options: &Options,
    parallel: bool,
    report: &mut Report,
    findings: &mut Vec<Finding>,
) -> (Vec<Loaded>, Vec<PathBuf>) {
    let read::Items { items, failures, passed_over } = found;
    options.watch.phase(Phase::Read, items.len());
    // Configurations are looked for on the way: asking the disk takes time that other threads read in.
    let read = map(&items, parallel, |item| {
        let file = plan::admits(item, options).map(|admitted| admitted.then(|| read::load(item, reader)));
        options.watch.step();
        file
    });
    report.config = plan::mistakes(&read);
    let (mut loaded, mut excluded) = (Vec::new(), Vec::new());
    if !report.config.is_empty() {
        return (loaded, excluded);
    }
    report.summary.passed_over = passed_over;
    let mut fail = |failure: &Failure| {
        report.summary.unreadable += 1;
        findings.push(read::finding(failure, reader.sources));
    };
    failures.iter().for_each(&mut fail);
    for (result, item) in read.into_iter().flatten().zip(&items) {
        match result {
            Some(Ok(file)) => loaded.push(file),
            Some(Err(Error::Failure(failure))) => fail(&failure),
            Some(Err(Error::Crash(crash))) => report.crashes.push(crash),
            None => excluded.extend(item.path().map(Path::to_owned)),
        }
    }
    (loaded, excluded)
}

/// Lets what kustomizations build join the files, in place of what it is built from. Gives back of each file the kustomization
/// whose result it stands for.
fn join(loaded: &mut Vec<Loaded>, overlays: &mut Overlays, report: &mut Report) -> Vec<Option<String>> {
    for file in &mut *loaded {
        let Some(path) = &file.path else { continue };
        if overlays.covered.contains(path) {
            // Judged through the kustomization that it is part of.
            file.objects.clear();
        }
        file.partial |= overlays.failed.contains(path);
    }
    let mut names = vec![None; loaded.len()];
    for overlay in overlays.built.drain(..) {
        report.kustomizations.extend(overlay.kustomization());
        loaded.push(overlay.loaded);
        names.push(Some(overlay.name));
    }
    names
}

/// What the builds say by themselves.
fn speak(overlays: &mut Overlays, findings: &mut Vec<Finding>, report: &mut Report) {
    for refused in overlays.refused.drain(..) {
        let message = format!("kustomize refuses to build this: {}", refused.message);
        let help = "mend what it names or what it changes; `kubectl kustomize` says the same".to_owned();
        findings.push(problem::reader("kustomize-refused", refused.span, message, "the build ends here", help));
    }
    findings.extend(overlays.remarks.drain(..).map(problem::remark));
    report.undecided.extend(overlays.notes.drain(..).map(|note| Undecided {
        rule: "kustomize",
        service: None,
        reason: Reason::Cluster(note.message),
        span: note.span,
    }));
}

/// Consecutive files that are linted alike, a few at a time, but each thread has its share.
fn batches<'a>(files: &'a [(Loaded, Arc<Recipe>)], plan: &Plan, parallel: bool) -> Vec<&'a [(Loaded, Arc<Recipe>)]> {
    let threads = if parallel { rayon::current_num_threads() } else { 1 };
    let most = (files.len() / (4 * threads)).clamp(1, BATCH);
    let alike = |(a, _): &(Loaded, Arc<Recipe>), (b, _): &(Loaded, Arc<Recipe>)| {
        std::ptr::eq(plan.of(a.file.id), plan.of(b.file.id))
    };
    files.chunk_by(alike).flat_map(|run| run.chunks(most)).collect()
}

/// The objects that each file's deployments can refer to.
fn recipes(loaded: &[Loaded], beside: BTreeMap<PathBuf, Vec<Object>>, sources: &Arc<Sources>) -> Vec<Arc<Recipe>> {
    // Keyed by letters: these paths are all written alike, and comparing them part by part is slow.
    let mut beside: FxHashMap<OsString, Vec<Object>> =
        beside.into_iter().map(|(dir, list)| (dir.into_os_string(), list)).collect();
    let directory = |file: &Loaded| Some(file.path.as_deref()?.parent()?.as_os_str().to_owned());
    for file in loaded {
        if let Some(dir) = directory(file) {
            beside.entry(dir).or_default().extend(file.objects.iter().cloned());
        }
    }
    let all = loaded.iter().flat_map(|file| file.objects.iter().cloned()).collect();
    let around = Arc::new(Around::new(all, sources));
    let beside: FxHashMap<OsString, Arc<[Object]>> = beside.into_iter().map(|(dir, list)| (dir, list.into())).collect();
    let recipe = |file: &Loaded| Recipe {
        here: file.objects.clone(),
        directory: directory(file).and_then(|dir| beside.get(&dir).cloned()).unwrap_or_default(),
        around: Arc::clone(&around),
        configs: file.configs.clone(),
        partial: file.partial,
        sources: Arc::clone(sources),
        memory: Arc::default(),
    };
    loaded.iter().map(|file| Arc::new(recipe(file))).collect()
}
