//! One file through the resolver and the rules.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::load::Loaded;
use super::plan::Kind;
use super::provenance::Provenance;
use super::{Crash, Watch};
use crate::finding::{Finding, Profile, Selection};
use crate::manifest::Object;
use crate::resolve::{self, Deployment, Recipe};
use crate::rules::{self, Check, Findings, Judge, Rule, Undecided, mend};

use crate::source::Sources;

/// The function of a rule that looks at a `T`.
type Function<T> = fn(&T, &mut Findings);

/// The rules that a selection leaves, split by what they look at.
#[derive(Default)]
pub(super) struct Active {
    deployment: Vec<(&'static Rule, Function<Deployment>)>,
    file: Vec<(&'static Rule, Function<Recipe>)>,
    /// Rules of the user's own.
    own: Vec<(&'static Rule, &'static dyn Judge)>,
    /// Rules whose severity a profile raises.
    raised: Vec<&'static Rule>,
}

impl Active {
    pub(super) fn of(selection: &Selection) -> Self {
        let mut active = Self::default();
        for rule in rules::all().filter(|rule| rule.runs(selection)) {
            match rule.check {
                Check::Deployment(function) => active.deployment.push((rule, function)),
                Check::File(function) => active.file.push((rule, function)),
                Check::Custom(judge) => active.own.push((rule, judge)),
                Check::Reader | Check::Probe => {}
            }
            if selection.profile == Profile::Strict && rule.strict.is_some() {
                active.raised.push(rule);
            }
        }
        active
    }

    /// Applies the profile's severities.
    pub(super) fn raise(&self, finding: &mut Finding) {
        let strict = self.raised.iter().find(|rule| rule.id == finding.rule).and_then(|rule| rule.strict);
        if let Some(strict) = strict {
            finding.severity = finding.severity.max(strict);
        }
    }
}

/// What the rules say about one file.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) findings: Vec<Finding>,
    pub(super) undecided: Vec<Undecided>,
    pub(super) crashes: Vec<Crash>,
    pub(super) provenance: Provenance,
    pub(super) deployments: usize,
    pub(super) services: usize,
    /// The graphs, when they are wanted.
    pub(super) resolved: Vec<Deployment>,
}

/// The graphs of one file, resolved.
pub(super) fn deployments(
    loaded: &Loaded,
    recipe: &Arc<Recipe>,
    sources: &Sources,
    options: &resolve::Options,
) -> Vec<Result<Deployment, Crash>> {
    let resolve = |object: &Object| {
        guard(|| object.graph().map(|graph| resolve::resolve(graph, recipe, sources, options)))
            .map_err(|message| Crash { path: loaded.file.name.clone(), rule: None, message })
            .transpose()
    };
    recipe.here.iter().filter_map(resolve).collect()
}

/// Runs the rules over a few files that are linted alike. A panic in the resolver or in a rule costs that deployment or
/// that rule, nothing else.
///
/// Each rule sees all of the deployments before the next one starts: the rules are more code than a processor keeps at
/// hand, and not fetching it anew for each deployment saves a few per cent.
pub(super) fn judge(
    files: &[(Loaded, Arc<Recipe>)],
    sources: &Sources,
    kind: &Kind,
    keep: bool,
    watch: &Watch,
) -> Vec<Judged> {
    let (rules, options) = (&kind.active, &kind.settings.resolve);
    let mut judged: Vec<Judged> = files.iter().map(|_| Judged::default()).collect();
    let crash = |at: usize, rule, message| Crash { path: files[at].0.file.name.clone(), rule, message };
    let mut graphs: Vec<(usize, Deployment, Findings)> = Vec::new();
    for (at, (loaded, recipe)) in files.iter().enumerate() {
        for deployment in watch.time("resolve", || deployments(loaded, recipe, sources, options)) {
            match deployment {
                Ok(deployment) => {
                    judged[at].deployments += 1;
                    judged[at].services += deployment.services.len();
                    let out = Findings::new(&deployment);
                    graphs.push((at, deployment, out));
                }
                Err(crash) => judged[at].crashes.push(crash),
            }
        }
    }
    for &(rule, function) in &rules.deployment {
        for (at, deployment, out) in &mut graphs {
            out.enter(rule.id, rule.severity, rule.confidence);
            if let Err(message) = guard(|| watch.time(rule.id, || function(deployment, out))) {
                judged[*at].crashes.push(crash(*at, Some(rule.id), message));
            }
        }
    }
    for (at, deployment, mut out) in graphs {
        let judged = &mut judged[at];
        for &(rule, judge) in &rules.own {
            out.enter(rule.id, rule.severity, rule.confidence);
            if let Err(message) = guard(|| watch.time(rule.id, || judge.judge(&deployment, &mut out))) {
                judged.crashes.push(crash(at, Some(rule.id), message));
            }
        }
        judged.provenance.append(Provenance::collect(&deployment, &out.found));
        // A repair that cannot be worked out is one that is not offered.
        let _ = guard(|| mend::complete(&deployment, &mut out.found));
        judged.findings.append(&mut out.found);
        judged.undecided.append(&mut out.undecided);
        if keep {
            judged.resolved.push(deployment);
        }
    }
    let mut outs: Vec<Findings> = files.iter().map(|_| Findings::default()).collect();
    for &(rule, function) in &rules.file {
        for (at, out) in outs.iter_mut().enumerate() {
            out.enter(rule.id, rule.severity, rule.confidence);
            if let Err(message) = guard(|| watch.time(rule.id, || function(&files[at].1, out))) {
                judged[at].crashes.push(crash(at, Some(rule.id), message));
            }
        }
    }
    for ((judged, mut out), (_, recipe)) in judged.iter_mut().zip(outs).zip(files) {
        let _ = guard(|| mend::complete_files(recipe, options.dynamo_version, &mut out.found));
        judged.findings.append(&mut out.found);
        judged.undecided.append(&mut out.undecided);
    }
    judged
}

/// Runs a closure; a panic becomes its message. What the closure wrote so far is kept: findings are appended whole.
pub(crate) fn guard<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "panic without a message".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::guard;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guard(|| 7), Ok(7));
        assert_eq!(guard(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
        let n = 3;
        assert_eq!(guard(|| -> u8 { panic!("made {n}") }), Err("made 3".to_owned()));
        assert_eq!(guard(|| -> u8 { std::panic::panic_any(1) }), Err("panic without a message".to_owned()));
    }
}
