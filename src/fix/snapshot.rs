//! What a run comes to, in a form that can be compared with another run over changed files: no byte offsets, no lines.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::finding::{Finding, Severity};
use crate::lint::{Report, Seen};
use crate::resolve::{DynamoProcess, Env, Service, wire};
use crate::source::{Fact, Sources};
use crate::yaml::{Kind, Node, Typed};

/// What a finding is about, wherever it stands and however it is worded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    rule: &'static str,
    /// File, for what belongs to no deployment.
    file: Option<String>,
    deployment: Option<String>,
    service: Option<String>,
    subject: Option<String>,
    /// Kustomization, the empty string when none.
    overlay: String,
}

/// One service: whose, and all that is in force for it.
#[derive(Debug, PartialEq)]
pub(super) struct Config {
    pub(super) deployment: String,
    pub(super) overlay: Option<String>,
    pub(super) service: String,
    /// How many options its process is given.
    pub(super) options: usize,
    value: Value,
}

impl Config {
    /// Which service it is of.
    pub(super) fn identity(&self) -> (&str, Option<&str>, &str) {
        (&self.deployment, self.overlay.as_deref(), &self.service)
    }
}

/// A run, to be compared.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) report: Report,
    counts: BTreeMap<Key, [usize; 3]>,
    pub(super) services: Vec<Config>,
}

impl Snapshot {
    pub(super) fn new(report: Report, seen: &[Seen]) -> Self {
        let mut counts: BTreeMap<Key, [usize; 3]> = BTreeMap::new();
        for reported in &report.findings {
            for key in keys(&reported.finding, &report.sources) {
                counts.entry(key).or_default()[reported.finding.severity as usize] += 1;
            }
        }
        let services = seen.iter().flat_map(|seen| {
            let wires = wire::deployment(&seen.deployment, &report.sources).services;
            seen.deployment.services.iter().zip(wires).map(|(service, wire)| Config {
                deployment: seen.deployment.name.clone(),
                overlay: seen.overlay.clone(),
                service: service.name.clone(),
                options: service.process.as_ref().map_or(0, options),
                value: config(service, &wire),
            })
        });
        let services = services.collect();
        Self { services, counts, report }
    }

    /// How many findings there are of that key and at least that severity.
    pub(super) fn count(&self, key: &Key, least: Severity) -> usize {
        self.counts.get(key).map_or(0, |counts| counts[least as usize..].iter().sum())
    }

    /// What it is spoken about.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.counts.keys()
    }

    /// A finding of that key.
    pub(super) fn finding(&self, key: &Key) -> Option<&Finding> {
        let mut findings = self.report.findings.iter().map(|reported| &reported.finding);
        findings.find(|finding| keys(finding, &self.report.sources).contains(key))
    }
}

/// The keys of a finding: one for each kustomization it was found in.
pub(super) fn keys(finding: &Finding, sources: &Sources) -> Vec<Key> {
    let key = |overlay: &str| Key {
        rule: finding.rule,
        file: finding.deployment.is_none().then(|| sources.get(finding.primary.span.file).name.clone()),
        deployment: finding.deployment.clone(),
        service: finding.service.clone(),
        subject: finding.subject.clone(),
        overlay: overlay.to_owned(),
    };
    if finding.overlays.is_empty() {
        return vec![key("")];
    }
    finding.overlays.iter().map(|overlay| key(overlay)).collect()
}

/// All that is in force for a service: what `dynlint resolve` shows without places and losers, the values it masks, what
/// it leaves out (sidecars, contents of engine configs), and the component as written.
fn config(service: &Service, wire: &wire::ResolvedService) -> Value {
    let mut shown = serde_json::to_value(wire).unwrap_or_default();
    strip(&mut shown);
    let sidecar = service.sidecar.as_deref();
    let parts = [
        shown,
        environment(&service.env),
        service.process.as_ref().map_or(Value::Null, process),
        sidecar.map_or(Value::Null, |s| environment(&s.env)),
        sidecar.and_then(|s| s.process.as_ref()).map_or(Value::Null, process),
        service.others.iter().map(|o| o.process.argv.iter().map(|w| w.text.as_str()).collect::<Value>()).collect(),
        service.configs.iter().map(|config| config.content.known().map_or(Value::Null, value)).collect(),
        value(&service.component.node),
    ];
    parts.into_iter().collect()
}

fn environment(env: &Env) -> Value {
    let value = |fact: &Fact<crate::source::Text>| match fact {
        Fact::Known(text) => Value::from(text.as_str()),
        Fact::Dynamic(reason) => Value::from(vec![reason.to_string()]),
        Fact::Unset => Value::Null,
    };
    env.vars.iter().map(|var| (var.name.clone(), value(&var.winner().value))).collect()
}

fn options(process: &DynamoProcess) -> usize {
    process.argv.iter().filter(|word| word.text.starts_with('-')).count()
}

fn process(process: &DynamoProcess) -> Value {
    process.argv.iter().map(|word| word.text.as_str()).collect()
}

/// Takes out places, and who lost.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["path", "line", "column", "chain"] {
                map.remove(key);
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

/// A tree as Kubernetes sees it.
pub(super) fn value(node: &Node) -> Value {
    match &*node.kind {
        Kind::Map(map) => map.entries.iter().map(|e| (e.key.name.to_string(), value(&e.value))).collect(),
        Kind::Seq(items) => items.iter().map(value).collect(),
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => Value::Null,
            Typed::Bool(flag) => Value::Bool(flag),
            Typed::Str => Value::from(&*scalar.value),
            // A list of one: no string is equal to it.
            Typed::Int(_) | Typed::Float(_) => Value::from(vec![Value::from(&*scalar.value)]),
        },
    }
}
