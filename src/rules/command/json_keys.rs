//! Keys and values of JSON options, held against the config classes that read them (`rules/catalog/json-keys.tsv`).
//!
//! vLLM's classes refuse a key that they do not have from 0.16 on (Dynamo 1.0), and pass it over before (`@config` of
//! `vllm/config/utils.py`); the planner's passes over what it does not know at the top and refuses it below. All of them
//! refuse a value that their field does not take. Where the release is not known, only what is no key of any, and close to
//! one, is told.

use super::json::entries;
use super::release::Published;
use super::values::{ELSEWHERE, float, human, int, open};
use crate::catalog::Release;
use crate::catalog::flags::Component;
use crate::catalog::json::{Object, Takes, nearest, object};
use crate::command::Flag;
use crate::command::json::{self, Json, JsonValue};
use crate::finding::{Applicability, Confidence, Severity};
use crate::resolve::Service;
use crate::rules::Findings;
use crate::source::Span;

/// What a key has become.
const RENAMED: [(&str, &str); 8] = [
    ("level", "mode"),
    ("enable_fusion", "fuse_norm_quant"),
    ("enable_attn_fusion", "fuse_attn_quant"),
    ("enable_noop", "eliminate_noops"),
    ("enable_sequence_parallelism", "enable_sp"),
    ("enable_async_tp", "fuse_gemm_comms"),
    ("enable_fi_allreduce_fusion", "fuse_allreduce_rms"),
    ("aic_perf_model", "ais_perf_model"),
];

/// What a key or value comes to, and how bad that is.
type Label = (&'static str, Severity);

/// An option and the release that reads it.
pub(super) struct Reader<'a> {
    service: &'a Service,
    object: Object,
    option: &'static str,
    release: Option<Release>,
    certain: bool,
}

impl<'a> Reader<'a> {
    /// The reader of an option, where its keys are known and no rule of its own judges them. `published` is asked only then.
    pub(super) fn new(
        service: &'a Service,
        published: &dyn Fn() -> Option<Published>,
        catalog: &'static Component,
        written: &str,
    ) -> Option<Self> {
        let option = catalog.flag(written).filter(|m| !m.abbreviated)?.flag.name;
        let object = object(catalog.name, option).filter(|_| !ELSEWHERE.contains(&option))?;
        let published = published();
        let (release, certain) = (published.map(|p| p.release), published.is_some_and(|p| p.official));
        Some(Self { service, object, option, release, certain })
    }

    /// Judges the whole object.
    pub(super) fn whole(&self, json: &Json, said: &mut Vec<Span>, out: &mut Findings) {
        if !said.contains(&json.span) {
            said.push(json.span);
            self.part("", json, out);
        }
    }

    /// Judges one key: `--speculative-config.method eagle3`.
    pub(super) fn dotted(
        &self,
        flag: &Flag,
        path: &str,
        whole: Option<&Flag>,
        said: &mut Vec<Span>,
        out: &mut Findings,
    ) {
        if said.contains(&flag.span) {
            return;
        }
        said.push(flag.span);
        if let Some(whole) = whole.filter(|w| !said.contains(&w.span)) {
            said.push(whole.span);
            let message = format!("`{}` is replaced as a whole by what `{}` sets", whole.name, flag.name);
            let label = ("vLLM makes one object of the keys and puts it behind this one", Severity::Warning);
            self.say(whole.full_span(), message, label, "write all keys in one of the two ways".to_owned(), None, out);
        }
        let mut part = String::new();
        let mut names = path.trim_end_matches('+').split('.').peekable();
        while let Some(name) = names.next() {
            let known = self.object.has(&format!("{part}{}", self.spelled(name)), self.release);
            let last = names.peek().is_none();
            if !known || last {
                let word = flag.value().filter(|w| w.as_known().is_some() && last && !path.ends_with('+'));
                let text =
                    |w: &crate::command::Word| Json { value: JsonValue::String(w.text.to_string()), span: w.span() };
                let value = word.map(|w| json::parse(&w.text).unwrap_or_else(|_| text(w)));
                let written = flag.name.strip_suffix('+').unwrap_or(&flag.name);
                let before = written.strip_suffix(name).unwrap_or(written);
                self.entry(&part, name, flag.span, value.as_ref(), &|near| format!("{before}{near}"), out);
                return;
            }
            part = format!("{part}{name}.");
            if !self.object.opens(&part) {
                return;
            }
        }
    }

    fn part(&self, part: &str, json: &Json, out: &mut Findings) {
        for entry in entries(json) {
            let bare = entry.key_span.len() as usize <= entry.key.len();
            self.entry(part, &entry.key, entry.key_span, Some(&entry.value), &|near| as_written(near, bare), out);
        }
    }

    /// vLLM takes `-` for `_` in this one object from 0.26 on.
    fn spelled(&self, key: &str) -> String {
        let dashes = self.option == "--speculative-config" && self.release.is_none_or(|r| r >= (1, 4));
        if dashes { key.replace('-', "_") } else { key.to_owned() }
    }

    fn entry(
        &self,
        part: &str,
        key: &str,
        at: Span,
        value: Option<&Json>,
        written: &dyn Fn(&str) -> String,
        out: &mut Findings,
    ) {
        let name = self.spelled(key);
        let path = format!("{part}{name}");
        if self.object.has(&path, self.release) {
            if let Some(value) = value.filter(|_| !at.is_empty()) {
                self.value(&path, key, value, out);
            }
            return;
        }
        let elsewhere = self.release.is_some() && self.object.has(&path, None);
        let near = RENAMED.iter().find(|(old, _)| *old == name).map(|(_, now)| *now);
        let near = near.filter(|now| self.object.has(&format!("{part}{now}"), self.release));
        let near = near.or_else(|| self.object.nearest(part, &name, self.release));
        // A release that is not known may have more.
        if (self.release.is_none() && near.is_none()) || key.contains(['<', '{', '$']) {
            return;
        }
        let release = self.release.or_else(|| self.service.version().map(|v| (v.major, v.minor)));
        let refused = self.object.refuses(part, release);
        let message = match self.release.filter(|_| elsewhere) {
            Some((major, minor)) => format!("`{}` has no key `{key}` in Dynamo {major}.{minor}", self.option),
            None => format!("`{}` has no key `{key}`", self.option),
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "drop it, or use a release that has it".to_owned(),
        };
        let label = if refused { self.refused() } else { ("passed over: it has no effect", Severity::Warning) };
        self.say(at, message, label, help, near.map(written), out);
    }

    /// What comes of something that is refused.
    const fn refused(&self) -> Label {
        let worker = self.service.framework.is_some();
        (if worker { "refused: the worker exits" } else { "refused: the planner exits" }, Severity::Error)
    }

    fn say(&self, at: Span, message: String, label: Label, help: String, fix: Option<String>, out: &mut Findings) {
        let (label, severity) = label;
        let mut report = out
            .report(at, message, label)
            .service(self.service)
            .subject(self.option)
            .severity(severity)
            .confidence(if self.certain { Confidence::Certain } else { Confidence::Likely })
            .help(help);
        if let Some(text) = fix {
            report = report.fix(Applicability::Unsafe, at, text);
        }
        report.emit();
    }

    fn value(&self, path: &str, key: &str, value: &Json, out: &mut Findings) {
        // `vllm-events-not-enabled` says it.
        if path == "publisher" {
            return;
        }
        let part = format!("{path}.");
        if matches!(value.value, JsonValue::Object(_)) && self.object.opens(&part) {
            return self.part(&part, value, out);
        }
        let takes = self.object.takes(path, self.release);
        if takes.iter().any(|(takes, words)| fits(*takes, words, value)) {
            return;
        }
        let words: Vec<&str> = takes.iter().flat_map(|(_, words)| words.split('|')).filter(|w| !w.is_empty()).collect();
        let text = value.as_str().unwrap_or_default();
        let near = nearest(text, &words);
        let help = match (near, takes.first()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            // A release that is not known may have more.
            (None, Some((Takes::Word | Takes::Name, _))) if self.release.is_none() => return,
            (None, Some((Takes::Word | Takes::Name, _))) => match words.len() {
                0..=12 => format!("write one of `{}`", words.join("`, `")),
                more => format!("write one of `{}` or {} more", words[..10].join("`, `"), more - 10),
            },
            (None, Some((Takes::Int, _))) => "write a whole number".to_owned(),
            (None, Some((Takes::Float, _))) => "write a number".to_owned(),
            (None, _) => "write `true` or `false`".to_owned(),
        };
        let bare = value.span.len() as usize <= text.len();
        let fix = near.map(|near| as_written(near, bare));
        self.say(value.span, format!("`{key}` does not take this value"), self.refused(), help, fix, out);
    }
}

fn as_written(text: &str, bare: bool) -> String {
    if bare { text.to_owned() } else { format!("\"{text}\"") }
}

/// Whether a field takes a value, the way pydantic reads one out of JSON.
fn fits(takes: Takes, words: &str, value: &Json) -> bool {
    let text = match &value.value {
        JsonValue::Null => return true,
        JsonValue::Array(_) | JsonValue::Object(_) => return !matches!(takes, Takes::Int | Takes::Float | Takes::Bool),
        JsonValue::Bool(_) => return true,
        JsonValue::Number(number) => {
            let number = number.parse::<f64>().unwrap_or_default();
            return match takes {
                Takes::Int => number.fract() == 0.0,
                Takes::Bool => number == 0.0 || number == 1.0,
                _ => true,
            };
        }
        JsonValue::String(text) => text.trim(),
    };
    if open(text) {
        return true;
    }
    match takes {
        Takes::Int => int(text) || human(text) || float(text) && text.ends_with(".0"),
        Takes::Float => float(text) || human(text),
        Takes::Bool => ["true", "false", "yes", "no", "on", "off", "y", "n", "t", "f", "1", "0"]
            .iter()
            .any(|w| w.eq_ignore_ascii_case(text)),
        Takes::Word => words.split('|').any(|word| word == text),
        Takes::Name => int(text) || words.split('|').any(|word| word.eq_ignore_ascii_case(text)),
        Takes::Open | Takes::Refuses => true,
    }
}
