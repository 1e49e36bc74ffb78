//! The one way from files to findings: read, parse, resolve, run the rules, choose, sort.

mod check;
pub mod examples;
mod known;
mod kustomize;
mod load;
mod overlay;
mod plan;
mod problem;
mod provenance;
mod read;
mod reader;
mod report;
mod suppress;
mod touched;
mod users;
mod watch;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::{Configs, FailOn, Settings};
use crate::finding::{Baseline, Date, Finding, Fingerprints, Fix, Identity, Profile, Selection};
use crate::manifest::Object;
use crate::resolve::{self, Around, Cluster, Deployment, Fabrics, Recipe, Version};
use crate::rules::{self, Findings, Undecided};
use crate::source::{Buffers, Failure, FileId, SourceFile, Sources, Span, display_name, normal};
use crate::yaml::{Limits, ProblemKind, Values};

use check::{Judged, judge};
use load::Loaded;
use plan::Plan;
pub use provenance::{Provenance, Step};
pub use reader::Cache;
use reader::{Error, Reader};
pub use report::{
    Crash, Kustomization, Report, Reported, SkipReason, Skipped, Summary, Suppressed, Suppression, SuppressionKind,
};
use suppress::Silenced;
pub use touched::Touched;
pub use watch::{Phase, Watch, Watcher};

/// What is to be linted.
#[derive(Clone, Debug)]
pub enum Input {
    /// A file, or a directory to walk.
    Path(PathBuf),
    /// Standard input, or an unsaved buffer.
    Bytes {
        /// What is in it.
        bytes: Vec<u8>,
        /// Where it would lie: names it in reports, and files beside it are looked at. `<stdin>` when none.
        path: Option<PathBuf>,
    },
}

/// How to lint.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which findings are wanted.
    pub selection: Selection,
    /// Dynamo version to assume where a manifest gives none.
    pub dynamo_version: Option<Version>,
    /// The cluster that the manifests will be applied to.
    pub cluster: Cluster,
    /// Network between the nodes, where a manifest shows none.
    pub fabric: Option<Fabrics>,
    /// What placeholders of templates are filled with before anything is read.
    pub values: Values,
    /// Limits of reading.
    pub limits: Limits,
    /// Walk into what `.gitignore` and the like exclude, and into hidden directories.
    pub no_ignore: bool,
    /// Threads; 0 takes one per core.
    pub threads: usize,
    /// File contents that win over the disk: unsaved buffers, edits that are being tried.
    pub buffers: Buffers,
    /// What earlier runs have parsed.
    pub cache: Option<Arc<Cache>>,
    /// The day it is, for ignores that end; without it none does.
    pub today: Option<Date>,
    /// Whether every ignore must say why.
    pub ignores_need_reason: bool,
    /// Who looks on.
    pub watch: Watch,
    /// Least severity that fails the run.
    pub fail_on: FailOn,
    /// Configurations by file: where they are given, they say in place of the fields above which findings are wanted,
    /// what the manifests cannot tell, and what fails.
    pub configs: Option<Arc<Configs>>,
    /// Findings that are known: they are suppressed.
    pub baseline: Option<Arc<Baseline>>,
    /// Judge a file that is named by itself through the kustomizations of its repository that take it in.
    pub dependants: bool,
    /// Judge only what these files touch; everything else is read for context.
    pub touched: Option<Arc<Touched>>,
    /// Leave out what configurations exclude, even when it is named by itself.
    pub force_exclude: bool,
    /// Run every rule and show all it says under that profile, whatever selections and configurations want.
    pub every_rule: Option<Profile>,
}

impl Options {
    /// How files are linted that no configuration holds for.
    fn settings(&self) -> Settings {
        Settings {
            selection: self.selection.clone(),
            severity: Vec::new(),
            resolve: resolve::Options {
                dynamo_version: self.dynamo_version,
                fabric: self.fabric,
                cluster: self.cluster.clone(),
            },
            ignores_need_reason: self.ignores_need_reason,
            fail_on: self.fail_on,
        }
    }
}

/// Below this many files a thread pool costs more than it saves: starting one takes about a millisecond.
const PARALLEL: usize = 8;

/// Most files that a thread judges side by side, rule by rule: with more, what they hold does not stay at hand.
const BATCH: usize = 8;

/// Stack of a thread: as much as the main one has, so that what works for one file works for many.
const STACK: usize = 8 << 20;

/// Lints everything that the inputs name. Never fails: what cannot be read is a finding, a crash of a rule is a
/// [`Crash`].
#[must_use]
pub fn lint(inputs: &[Input], options: &Options) -> Report {
    pooled(inputs, options, |found, parallel| {
        let (line, report, findings) = Line::read(found, options, parallel);
        line.lint(report, findings, options, parallel, None)
    })
}

/// A deployment of a run.
#[derive(Debug)]
pub struct Seen {
    /// The deployment.
    pub deployment: Deployment,
    /// Name of the file it stands in, or of the kustomization that brings it.
    pub file: String,
    /// Directory of that kustomization.
    pub overlay: Option<String>,
}

/// As [`lint`], with every deployment in the order of the files: what was judged.
#[must_use]
pub fn examine(inputs: &[Input], options: &Options) -> (Report, Vec<Seen>) {
    pooled(inputs, options, |found, parallel| {
        let (line, report, findings) = Line::read(found, options, parallel);
        let mut seen = Vec::new();
        let report = line.lint(report, findings, options, parallel, Some(&mut seen));
        (report, seen)
    })
}

/// Resolves every deployment that the inputs name, in the order of the files, without judging them. The report holds
/// what could not be read.
#[must_use]
pub fn resolve(inputs: &[Input], options: &Options) -> (Vec<Deployment>, Report) {
    pooled(inputs, options, |found, parallel| {
        let (line, mut report, mut findings) = Line::read(found, options, parallel);
        line.add_problems(&mut findings);
        let mut deployments = Vec::new();
        let plan = Plan::new(options, &line.sources.all());
        for list in map(&line.files, parallel, |(file, recipe)| {
            check::deployments(file, recipe, &line.sources, &plan.of(file.file.id).settings.resolve)
        }) {
            for result in list {
                match result {
                    Ok(deployment) => deployments.push(deployment),
                    Err(crash) => report.crashes.push(crash),
                }
            }
        }
        (deployments, line.finish(report, silent(findings), &plan, None))
    })
}

/// The files that would be judged, sorted, and those that would be skipped; nothing is resolved. The report holds what
/// could not be read.
#[must_use]
pub fn files(inputs: &[Input], options: &Options) -> (Vec<String>, Report) {
    pooled(inputs, options, |found, parallel| {
        let (line, report, mut findings) = Line::read(found, options, parallel);
        line.add_problems(&mut findings);
        let mut names: Vec<String> = line.files.iter().map(|(file, _)| file.file.name.clone()).collect();
        crate::source::order(&mut names, Ord::cmp);
        names.dedup();
        (names, line.finish(report, silent(findings), &Plan::new(options, &line.sources.all()), None))
    })
}

/// Resolves every deployment that the inputs name and has each judged by what was seen of it outside the manifests: the
/// findings of a probe, ready for every renderer. No rule runs.
#[must_use]
pub fn witness(
    inputs: &[Input],
    options: &Options,
    judge: impl Fn(&Deployment, &mut Findings) + Sync + Send,
) -> Report {
    pooled(inputs, options, |found, parallel| {
        let (line, mut report, mut findings) = Line::read(found, options, parallel);
        let plan = Plan::new(options, &line.sources.all());
        for (file, recipe) in &line.files {
            for result in check::deployments(file, recipe, &line.sources, &plan.of(file.file.id).settings.resolve) {
                match result {
                    Ok(deployment) => {
                        report.summary.deployments += 1;
                        report.summary.services += deployment.services.len();
                        let mut said = Findings::new(&deployment);
                        judge(&deployment, &mut said);
                        findings.extend(said.found);
                        report.undecided.extend(said.undecided);
                    }
                    Err(crash) => report.crashes.push(crash),
                }
            }
        }
        line.add_problems(&mut findings);
        let policy = suppress::Policy {
            today: options.today,
            needs_reason: &|file| plan.of(file).settings.ignores_need_reason,
            // Comments for the other rules are neither used nor unused here.
            runs: &|_, rule| matches!(rule.check, rules::Check::Probe),
            crashed: !report.crashes.is_empty(),
            limits: &options.limits,
        };
        let findings = suppress::judge(&line, findings, &policy, parallel);
        let mut report = line.finish(report, findings, &plan, None);
        report.files = report::Kept(line.files);
        report
    })
}

/// Runs with a thread pool when there is enough to do for one.
fn pooled<T: Send>(inputs: &[Input], options: &Options, run: impl FnOnce(read::Items, bool) -> T + Send) -> T {
    options.watch.phase(Phase::Discover, 0);
    let found = read::discover(inputs, options);
    // No threads to be had: slower, not wrong.
    let Some(pool) = pool(found.items.len(), options) else { return run(found, false) };
    let (mut task, mut made) = (Some(|| run(found, true)), None);
    within(&pool, &mut || made = task.take().map(|task| task()));
    made.unwrap_or_else(|| unreachable!("a pool runs what it is given"))
}

fn pool(items: usize, options: &Options) -> Option<rayon::ThreadPool> {
    if items < PARALLEL || options.threads == 1 {
        return None;
    }
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).stack_size(STACK).build().ok()
}

/// Compiled once for all that a pool is given.
fn within(pool: &rayon::ThreadPool, task: &mut (dyn FnMut() + Send)) {
    pool.install(task);
}

/// Maps in parallel when it pays.
fn map<T: Sync, U: Send>(items: &[T], parallel: bool, f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    if parallel { crate::source::map(items, f) } else { items.iter().map(f).collect() }
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

/// Files on their way, each with what stands beside it.
struct Line {
    sources: Arc<Sources>,
    files: Vec<(Loaded, Arc<Recipe>)>,
    /// Of each file, the kustomization whose result it stands for.
    overlays: Vec<Option<String>>,
    /// Files that are judged as parts of a kustomization.
    covered: FxHashSet<PathBuf>,
    /// The same as this run read them.
    current: FxHashSet<FileId>,
    /// Files that were asked for, not only read on the way: every kustomization of the run that takes one in is judged.
    asked: FxHashSet<FileId>,
}

impl Line {
    /// Reads and parses. Gives back what can be judged, and what was said about the rest.
    fn read(mut found: read::Items, options: &Options, parallel: bool) -> (Self, Report, Vec<Finding>) {
        let sources = Arc::new(match &options.cache {
            Some(cache) => Sources::sharing(&cache.sources, options.buffers.clone()),
            None => Sources::over(options.buffers.clone()),
        });
        // Trees that a cache keeps are those of the files as they stand.
        let cache = options.cache.as_deref().filter(|_| options.values.is_empty());
        let reader = Reader { sources: &sources, limits: &options.limits, cache, values: &options.values };
        let mut report = Report { sources: Arc::clone(&sources), ..Report::default() };
        options.watch.phase(Phase::Read, found.items.len());
        // Configurations are looked for on the way: asking the disk takes time that other threads read in.
        let mut read = map(&found.items, parallel, |item| {
            let file = plan::admits(item, options).map(|admitted| admitted.then(|| read::load(item, &reader)));
            options.watch.step();
            file
        });
        report.config = plan::mistakes(&read);
        if !report.config.is_empty() {
            read.clear();
            found = read::Items::default();
        }
        let mut findings = Vec::new();
        let mut loaded = Vec::new();
        report.summary.passed_over = found.passed_over;
        let mut fail = |failure: &Failure| {
            report.summary.unreadable += 1;
            findings.push(read::finding(failure, &sources));
        };
        found.failures.iter().for_each(&mut fail);
        let mut excluded = Vec::new();
        for (result, item) in read.into_iter().flatten().zip(&found.items) {
            match result {
                Some(Ok(file)) => loaded.push(file),
                Some(Err(Error::Failure(failure))) => fail(&failure),
                Some(Err(Error::Crash(crash))) => report.crashes.push(crash),
                None => excluded.extend(item.path()),
            }
        }
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
        let skipped = |path: &Path| Skipped { path: display_name(path), reason: SkipReason::Excluded };
        report.skipped.extend(excluded.into_iter().map(skipped));
        report.summary.files = loaded.len();
        crate::source::order(&mut report.skipped, Ord::cmp);
        let contexts = options.touched.as_ref().map(|touched| touched.contexts(&loaded)).unwrap_or_default();
        for file in &mut loaded {
            if file.path.as_ref().is_some_and(|path| overlays.covered.contains(path)) {
                // Judged through the kustomization that it is part of.
                file.objects.clear();
            }
            file.partial |= file.path.as_ref().is_some_and(|path| overlays.failed.contains(path));
        }
        let mut names = vec![None; loaded.len()];
        for overlay in overlays.built.drain(..) {
            report.kustomizations.extend(overlay.kustomization());
            loaded.push(overlay.loaded);
            names.push(Some(overlay.name));
        }
        for refused in overlays.refused {
            let message = format!("kustomize refuses to build this: {}", refused.message);
            let help = "mend what it names or what it changes; `kubectl kustomize` says the same".to_owned();
            findings.push(problem::reader("kustomize-refused", refused.span, message, "the build ends here", help));
        }
        findings.extend(overlays.remarks.into_iter().map(problem::remark));
        for note in overlays.notes {
            report.undecided.push(Undecided {
                rule: "kustomize",
                service: None,
                reason: crate::source::Reason::Cluster(note.message),
                span: note.span,
            });
        }
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

    fn lint(
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
    fn add_problems(&self, findings: &mut Vec<Finding>) {
        for (file, _) in &self.files {
            findings.extend(file.stream.problems.iter().map(problem::finding));
        }
    }

    /// Whether what is written in that file was judged, by itself or as part of a kustomization.
    fn is_judged(&self, file: &SourceFile) -> bool {
        self.files.iter().any(|(loaded, _)| loaded.file.id == file.id)
            || self.current.contains(&file.id)
                && file.path.as_deref().is_some_and(|path| self.covered.contains(&normal(path)))
    }

    /// Whether part of that file could not be read: what stands there is not known.
    fn is_broken(&self, file: &SourceFile) -> bool {
        let streams =
            self.files.iter().filter(|(loaded, _)| loaded.file.id == file.id).map(|(loaded, _)| &loaded.stream);
        streams.flat_map(|stream| &stream.problems).any(|problem| problem.kind != ProblemKind::DuplicateKey)
    }

    /// Sorts, drops duplicates, names, chooses and counts.
    fn finish(
        &self,
        mut report: Report,
        mut findings: Vec<Silenced>,
        plan: &Plan,
        baseline: Option<&Baseline>,
    ) -> Report {
        let mut objects: BTreeMap<FileId, Vec<&Object>> = BTreeMap::new();
        for object in self.files.iter().flat_map(|(file, _)| &file.objects) {
            // What a kustomization brings keeps the place where it is written.
            objects.entry(object.node.span.file).or_default().push(object);
        }
        let files = self.sources.all();
        let text = |span: &Span| files.get(span.file.0 as usize).map_or("", |file| &*file.text);
        for (finding, _) in &mut findings {
            let labels = finding.labels.iter_mut().map(|label| &mut label.span);
            labels.chain([&mut finding.primary.span]).for_each(|span| whole_characters(span, text(span)));
        }
        let open = report.undecided.iter_mut().map(|open| &mut open.span);
        open.for_each(|span| whole_characters(span, text(span)));
        let places = places(&files);
        let place = |span: Span| places.get(span.file.0 as usize).copied().unwrap_or_default();
        findings.retain(|(f, _)| {
            let selection = &plan.of(f.primary.span.file).settings.selection;
            rules::find(f.rule).is_none_or(|rule| rule.runs(selection))
        });
        crate::source::order(&mut findings, |(a, _), (b, _)| {
            place(a.primary.span).cmp(&place(b.primary.span)).then_with(|| key(a).cmp(&key(b)))
        });
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

        let mut known = baseline.map(|baseline| known::Run::new(self, baseline));
        let mut fingerprints: BTreeMap<FileId, Fingerprints> = BTreeMap::new();
        for (mut finding, by) in findings {
            let span = finding.primary.span;
            let kind = plan.of(span.file);
            kind.active.raise(&mut finding);
            if let Some(severity) = rules::find(finding.rule).and_then(|rule| kind.settings.severity_of(rule)) {
                finding.severity = severity;
            }
            let text = text(&span).get(span.range()).unwrap_or_default();
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
        let near =
            |a: &Undecided, b: &Undecided| (a.span.start, a.rule, &a.service).cmp(&(b.span.start, b.rule, &b.service));
        let reason = |a: &Undecided, b: &Undecided| a.reason.to_string().cmp(&b.reason.to_string());
        crate::source::order(&mut report.undecided, |a, b| {
            place(a.span).cmp(&place(b.span)).then_with(|| near(a, b)).then_with(|| reason(a, b))
        });
        report.undecided.dedup_by(|a, b| a.span == b.span && near(a, b).then_with(|| reason(a, b)).is_eq());
        report.summary.undecided = report.undecided.len();
        crate::source::order(&mut report.crashes, Ord::cmp);
        report.crashes.dedup();
        report
    }
}

/// What orders the findings of a file.
fn key(f: &Finding) -> impl Ord + '_ {
    (f.primary.span.start, f.rule, f.service.as_ref(), &*f.message, f.deployment.as_ref(), f.subject.as_ref())
}

/// Findings that nothing silences.
fn silent(findings: Vec<Finding>) -> Vec<Silenced> {
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

/// What is found in several kustomizations at once is mended in all of them.
fn joined(fix: &mut Option<Fix>, other: Option<Fix>) {
    if let (Some(fix), Some(other)) = (fix, other) {
        fix.applicability = fix.applicability.max(other.applicability);
        let new: Vec<_> = other.edits.into_iter().filter(|edit| !fix.edits.contains(edit)).collect();
        fix.edits.extend(new);
    }
}
