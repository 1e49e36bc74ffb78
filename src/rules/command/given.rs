//! How the options of a worker stand: the command line, then files of options, then the variables that supply defaults.

use std::cell::RefCell;
use std::hash::BuildHasher as _;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::catalog::flags::{self, Component, Match};
use crate::catalog::values::python_bool;
use crate::command::Flag;
use crate::command::json::{self, JsonValue};
use crate::resolve::{EngineConfig, Service};
use crate::source::{Fact, Span};

/// An option as it is in force.
pub(super) enum State<'a> {
    /// Given, or switched on: as written, its value, and where.
    On(&'a str, Option<String>, Span),
    /// Switched off in so many words.
    Not(&'a str, Span),
    Off,
    Unknown,
}

/// The option of a catalog that a condition means. Each row asks for each worker, so they are looked for once.
pub(super) fn named(catalog: &'static Component, name: &'static str) -> Option<flags::Flag> {
    type Known = FxHashMap<(&'static str, &'static str), Option<flags::Flag>>;
    thread_local! {
        static KNOWN: RefCell<Known> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let look = || catalog.flag(&format!("--{name}")).map(|found| found.flag);
        *known.entry((catalog.name, name)).or_insert_with(look)
    })
}

/// A worker's options by their own names.
pub(super) struct Given<'a> {
    pub(super) service: &'a Service,
    catalog: &'static Component,
    flags: Vec<(Match, &'a Flag)>,
    /// Bits of their names.
    pub(super) bits: u64,
}

impl<'a> Given<'a> {
    pub(super) fn new(service: &'a Service, catalog: &'static Component) -> Self {
        let flags = service.args().into_iter().flat_map(|args| &args.flags).rev();
        let flags: Vec<(Match, &Flag)> = flags.filter_map(|flag| Some((catalog.flag(&flag.name)?, flag))).collect();
        let bits = flags.iter().fold(0, |bits, (found, _)| bits | bit(found.flag.name));
        Self { service, catalog, flags, bits }
    }

    /// How one option stands: its last use on the command line, else the file of options, else the variable that supplies its
    /// default.
    pub(super) fn state(&self, name: &'static str) -> State<'a> {
        if let Some((option, key)) = name.split_once('.') {
            return self.key(name, option, key);
        }
        let Some(flag) = named(self.catalog, name) else { return State::Off };
        let takes_value = flag.takes_value();
        match self.flags.iter().find(|(m, used)| m.flag.name == flag.name && !used.name.contains('.')) {
            Some((found, used)) if found.negated => State::Not(&used.name, used.full_span()),
            Some((_, used)) if !takes_value => State::On(&used.name, None, used.full_span()),
            Some((_, used)) => match used.value().and_then(|word| word.as_known()).filter(|text| !text.is_empty()) {
                Some(text) => State::On(&used.name, Some(text.to_string()), used.full_span()),
                None => State::Unknown,
            },
            None => self.elsewhere(flag, takes_value),
        }
    }

    fn elsewhere(&self, flag: flags::Flag, takes_value: bool) -> State<'a> {
        // Dynamo's own options are not looked for in the file of roles.
        let unseen = |c: &EngineConfig| c.content.is_dynamic() && (c.flag == "--config" || flag.env.is_empty());
        let written = |name: &'static str| self.service.config_option(name.trim_start_matches('-'));
        let configs = !self.service.configs.is_empty();
        match configs.then(|| flag.spellings().find_map(written)).flatten() {
            Some(node) => match node.as_bool() {
                Some(false) => State::Off,
                _ => match node.as_text().filter(|text| !text.is_empty()) {
                    Some(text) => State::On(flag.name, takes_value.then(|| text.to_owned()), node.span),
                    None => State::Unknown,
                },
            },
            None if self.service.configs.iter().any(unseen) => State::Unknown,
            None if flag.env.is_empty() => State::Off,
            None => variable(self.service, flag.env, takes_value),
        }
    }

    /// A key of a JSON option, written in the object or behind the option's name.
    fn key(&self, name: &'static str, option: &str, key: &str) -> State<'a> {
        let mut uses = self.flags.iter().filter(|(m, _)| m.flag.name.strip_prefix("--") == Some(option)).peekable();
        if uses.peek().is_none() {
            let entry = self.service.config_option(option).and_then(|node| node.entry(key));
            return match entry.and_then(|entry| Some((entry, entry.value.as_text()?))) {
                Some((entry, text)) => State::On(name, Some(text.to_owned()), entry.key.span.to(entry.value.span)),
                None if self.service.configs.is_empty() => State::Off,
                None => State::Unknown,
            };
        }
        let dotted = |used: &&(Match, &Flag)| used.1.name.contains('.');
        let (at, value) = if let Some((_, used)) = uses.clone().find(dotted) {
            let own = uses
                .find(|(_, used)| used.name.rsplit_once('.').is_some_and(|(_, last)| last.replace('-', "_") == key));
            let Some((_, used)) = own else {
                // Other keys are set so: the object is made of those.
                return if used.name.contains('+') { State::Unknown } else { State::Off };
            };
            let Some(word) = used.value().and_then(|word| word.as_known()) else { return State::Unknown };
            (used.full_span(), word.to_string())
        } else {
            let word = uses.next().and_then(|(_, used)| used.value()).filter(|word| word.as_known().is_some());
            let Some(word) = word else { return State::Unknown };
            // Most objects lack most of the keys that are asked for.
            if !word.text.contains(key) {
                return State::Off;
            }
            let Ok(json) = json::parse(&word.text) else { return State::Unknown };
            let Some(entry) = json.entry(key) else { return State::Off };
            let value = match &entry.value.value {
                JsonValue::Null => return State::Off,
                JsonValue::Number(text) | JsonValue::String(text) => text.clone(),
                _ => "{}".to_owned(),
            };
            (entry.key_span.to(entry.value.span), value)
        };
        State::On(name, Some(value), at)
    }

    pub(super) fn number(&self, name: &'static str) -> Option<(i64, Option<(&'a str, Span)>)> {
        if let Ok(number) = name.parse() {
            return Some((number, None));
        }
        let State::On(written, Some(value), span) = self.state(name) else { return None };
        // `human_readable_int` of vLLM: small letters count in thousands.
        let text = value.trim();
        let unit = ["k", "m", "g"].iter().position(|unit| text.ends_with(unit));
        let (digits, times) =
            unit.map_or((text, 1), |n| (&text[..text.len() - 1], [1_000, 1_000_000, 1_000_000_000][n]));
        Some((digits.parse::<i64>().ok()?.checked_mul(times)?, Some((written, span))))
    }
}

pub(super) fn variable<'a>(service: &'a Service, name: &str, value: bool) -> State<'a> {
    match service.env.fact(name) {
        Fact::Unset => State::Off,
        Fact::Known(text) => {
            let var = service.env.get(name).and_then(|var| Some((var.name.as_str(), var.winner().span?)));
            match var {
                Some((name, span)) if value && !text.is_empty() => State::On(name, Some(text.to_string()), span),
                Some((name, span)) if !value && python_bool(text).0 => State::On(name, None, span),
                Some(_) if !value => State::Off,
                _ => State::Unknown,
            }
        }
        Fact::Dynamic(_) => State::Unknown,
    }
}

/// One of 64 bits for a name: where it is not set the name is not there.
pub(super) fn bit(name: &str) -> u64 {
    1 << (FxBuildHasher.hash_one(name) >> 58)
}
