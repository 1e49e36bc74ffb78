//! What the catalog knows, in words.

use super::meaning;
use crate::catalog::Release;
use crate::catalog::flags::{Component, Flag, Kind, Match};
use crate::catalog::router::{self, Knob, KnobKind, Scope};
use crate::catalog::vars::{Grammar, Variable, family};

pub(super) fn ticked(values: &[&str]) -> String {
    values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
}

/// `1.4`.
pub(super) fn release((major, minor): Release) -> String {
    format!("{major}.{minor}")
}

/// What a value must look like; none when anything goes or nothing is known.
pub(super) fn grammar(grammar: Grammar) -> Option<String> {
    Some(match grammar {
        Grammar::Ucx(kind) => format!("UCX {}", kind.to_lowercase().replace('_', " ")),
        Grammar::NcclInt => "an integer, in any base of C".to_owned(),
        Grammar::NcclLevel => "a topology level of NCCL".to_owned(),
        Grammar::NcclFilter => "interfaces or adapters, comma-separated; `^` excludes, `=` matches exactly".to_owned(),
        Grammar::NixlBool => "a boolean; NIXL throws on anything else".to_owned(),
        Grammar::FiBool => "a boolean".to_owned(),
        Grammar::FiInt => "an integer".to_owned(),
        Grammar::OneOf(values) => format!("one of {}, in any case", ticked(values)),
        Grammar::OneOfExact(values) => format!("one of {}", ticked(values)),
        Grammar::ExactlyOne => "`1` for on; everything else is off".to_owned(),
        Grammar::SizeWithUnit => "a number with its byte unit (`4GB`)".to_owned(),
        Grammar::Presence => "set or not; the value does not count".to_owned(),
        Grammar::UInt(max) => format!("an integer from 0 to {max}"),
        Grammar::PythonBool => "`true`, `1`, `yes` or `on`, in any case; everything else is off".to_owned(),
        Grammar::RustBool => "a boolean; an unknown word keeps the default".to_owned(),
        Grammar::SglangBool => "a boolean; an unknown word keeps the default".to_owned(),
        Grammar::KvbmBool => "a boolean; an unknown word is an error".to_owned(),
        Grammar::PythonInt => "an integer; vLLM stops on anything else".to_owned(),
        Grammar::PythonFloat => "a number; vLLM stops on anything else".to_owned(),
        Grammar::SglangInt => "an integer; anything else keeps the default".to_owned(),
        Grammar::SglangFloat => "a number; anything else keeps the default".to_owned(),
        Grammar::On(words) | Grammar::OnExact(words) => format!("{} for on; everything else is off", ticked(words)),
        Grammar::JsonStringMap => "a JSON object of strings".to_owned(),
        Grammar::Any => return None,
    })
}

/// Words that a value may be; empty when there is no such list.
pub(super) fn values(grammar: Grammar) -> Vec<&'static str> {
    match grammar {
        Grammar::OneOf(values) | Grammar::OneOfExact(values) | Grammar::On(values) | Grammar::OnExact(values) => {
            values.to_vec()
        }
        Grammar::Ucx("BOOL") | Grammar::NixlBool => vec!["y", "n"],
        Grammar::FiBool => vec!["1", "0"],
        Grammar::ExactlyOne => vec!["1"],
        Grammar::PythonBool | Grammar::RustBool | Grammar::SglangBool | Grammar::KvbmBool => vec!["true", "false"],
        Grammar::NcclLevel => vec!["LOC", "NVL", "PIX", "PXB", "PXN", "PHB", "SYS"],
        _ => Vec::new(),
    }
}

/// A router setting's values.
pub(super) fn knob_values(knob: &Knob) -> Vec<&'static str> {
    match knob.kind {
        KnobKind::Bool => vec!["true", "false"],
        KnobKind::OneOf(values) => values.to_vec(),
        _ => Vec::new(),
    }
}

/// Who reads a variable.
pub(super) fn reader(variable: Variable) -> String {
    match variable.owner {
        "nobody" => "nothing".to_owned(),
        owner => match owner.strip_prefix("external:") {
            Some(plugin) => format!("`{plugin}`, which is not part of Dynamo"),
            None => family(variable.name).map_or_else(|| owner.to_owned(), |family| family.reader.to_owned()),
        },
    }
}

/// A variable: who reads it, what it takes, its default, since when and until when.
pub(super) fn variable(variable: Variable) -> Vec<String> {
    let own = meaning::of(variable.name);
    let meaning = own.or_else(|| meaning::of(router::knob(variable.name)?.flag));
    let mut out: Vec<String> = meaning.map(str::to_owned).into_iter().collect();
    out.push(format!("read by {}", reader(variable)));
    out.extend(grammar(variable.grammar).map(|text| format!("takes {text}")));
    if !variable.default.is_empty() {
        out.push(format!("default `{}`", variable.default));
    }
    // An engine's own numbering is not what a recipe shows.
    let of = if matches!(variable.owner, "vllm" | "sglang") { "Dynamo " } else { "" };
    if let Some(last) = variable.removed() {
        out.push(format!("gone after {of}{last}"));
    }
    if let Some(first) = variable.since() {
        out.push(format!("since {of}{first}"));
    }
    for (flag, text) in [
        ("dep", "deprecated"),
        ("alias", "an alias"),
        ("unread", "read by no release"),
        ("abort-if-set", "the process aborts when it is set"),
    ] {
        if variable.has(flag) {
            out.push(text.to_owned());
        }
    }
    out
}

/// A router setting: what it takes, where it counts.
pub(super) fn knob(knob: &Knob) -> Vec<String> {
    let mut out = Vec::new();
    out.push(match knob.kind {
        KnobKind::Bool => "takes a boolean".to_owned(),
        KnobKind::Int { min, max, .. } if max == i64::MAX => format!("takes an integer from {min}"),
        KnobKind::Int { min, max, .. } => format!("takes an integer from {min} to {max}"),
        KnobKind::Float { min, max, .. } if max.is_finite() && max < 1e15 => {
            format!("takes a number from {min} to {max}")
        }
        KnobKind::Float { min, .. } if min.is_finite() && min > -1e15 => format!("takes a number from {min}"),
        KnobKind::Float { .. } => "takes a number".to_owned(),
        KnobKind::OneOf(values) => format!("takes one of {}", ticked(values)),
        KnobKind::Text => "takes a text".to_owned(),
        KnobKind::Json => "takes JSON".to_owned(),
    });
    if !knob.default.is_empty() {
        out.push(format!("default `{}`", knob.default));
    }
    out.push(format!("since {}", release(knob.since)));
    if knob.scope == Scope::Kv {
        out.push("counts in router mode `kv` only".to_owned());
    }
    if knob.epp {
        out.push("the endpoint picker reads its variable too".to_owned());
    }
    out
}

/// An option: what it takes, its default, its variable, its releases.
pub(super) fn flag(component: &Component, found: &Match, at: Option<Release>) -> Vec<String> {
    let flag = found.flag;
    let choices = component.choices(flag, at);
    let mut out: Vec<String> = meaning::of(flag.name).map(str::to_owned).into_iter().collect();
    out.push(match flag.kind {
        Kind::Switch => "takes no value".to_owned(),
        Kind::Bool => format!("takes no value; `--no-{}` turns it off", flag.name.trim_start_matches("--")),
        _ if flag.name == "--router-mode" => format!("takes one of {}", ticked(&router::mode_names(at))),
        _ if !choices.is_empty() => format!("takes one of {}", ticked(&choices)),
        Kind::Value => "takes a value".to_owned(),
        Kind::OptionalValue => "takes a value or none".to_owned(),
        Kind::ZeroOrMore | Kind::OneOrMore => "takes a list of values".to_owned(),
    });
    if !flag.default.is_empty() {
        out.push(format!("default `{}`", flag.default));
    }
    if !flag.env.is_empty() {
        out.push(format!("`{}` supplies the default", flag.env));
    }
    out.extend(component.since(found).map(|first| format!("since {}", release(first))));
    out.extend(component.removed(found).map(|gone| format!("gone in {}", release(gone))));
    if let Some(at) = at
        && component.accepts(found, at) == Some(false)
    {
        out.push(format!("**not accepted by {}**", release(at)));
    }
    if found.spelling != flag.name {
        out.push(format!("another spelling of `{}`", flag.name));
    }
    out
}

/// Whether an option's value may be one of these words.
pub(super) fn flag_values(component: &Component, flag: Flag, at: Option<Release>) -> Vec<&'static str> {
    if flag.name == "--router-mode" { router::mode_names(at) } else { component.choices(flag, at).to_vec() }
}
