//! Hover: what a name means, and what comes of it in this service.

use std::fmt::Write as _;

use gen_lsp_types::{Contents, Hover, MarkupContent, MarkupKind};

use super::cursor::{self, Option_, Thing, Variable};
use super::view::View;
use super::{complete, meaning, words};
use crate::catalog::{Release, flags, router, vars};
use crate::report::mask;
use crate::resolve::wire::is_credential;
use crate::resolve::{EnvVar, Service, Setting};
use crate::source::{Fact, Span, Text};

/// Most services that are spelled out.
const SERVICES: usize = 6;

/// Hover at an offset.
pub(super) fn at(view: &View<'_>, offset: u32) -> Option<Hover> {
    let things = cursor::at(view, offset);
    let first = things.first()?;
    let mut out = String::new();
    let span = match first {
        Thing::Variable(variable) => {
            heading(&mut out, &variable.var.name, &about_variable(&variable.var.name, variable.service));
            variable.span
        }
        Thing::Flag(option) => {
            heading(&mut out, &option.flag.name, &about_flag(option));
            option.span
        }
        Thing::Key(option, path, span) => {
            let name = path.join(".");
            heading(&mut out, &name, &about_key(option, path));
            *span
        }
    };
    for thing in things.iter().take(SERVICES) {
        match thing {
            Thing::Variable(variable) => effective(&mut out, view, variable),
            Thing::Flag(option) => used(&mut out, view, option),
            Thing::Key(..) => {}
        }
    }
    if things.len() > SERVICES {
        let _ = writeln!(out, "\n… and {} more services", things.len() - SERVICES);
    }
    let contents = Contents::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: out });
    Some(Hover { contents, range: Some(view.range(span)) })
}

fn heading(out: &mut String, name: &str, facts: &[String]) {
    let _ = writeln!(out, "**`{name}`**\n");
    for fact in facts {
        let _ = writeln!(out, "- {fact}");
    }
}

pub(super) fn release_of(service: &Service) -> Option<Release> {
    service.version().map(|version| (version.major, version.minor))
}

/// What the catalog knows about a variable.
pub(super) fn about_variable(name: &str, service: &Service) -> Vec<String> {
    let mut facts = vars::lookup(name).map(words::variable).unwrap_or_default();
    if let Some(knob) = router::knob(name) {
        facts.retain(|fact| !fact.starts_with("takes") && !fact.starts_with("default"));
        facts.extend(words::knob(knob));
    }
    let component = service.module().and_then(flags::component);
    if let Some(flag) = component.and_then(|component| component.by_env(name)) {
        let meaning = meaning::of(flag.name).map(str::to_owned);
        if meaning::of(name).is_none() && meaning.as_ref() != facts.first() {
            facts.splice(..0, meaning);
        }
        facts.push(format!("supplies the default of `{}`", flag.name));
        if let Some(component) = component {
            let values = words::flag_values(component, flag, release_of(service));
            if !values.is_empty() && !facts.iter().any(|fact| fact.starts_with("takes one of")) {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                facts.push(format!("takes one of {}", values.join(", ")));
            }
        }
    }
    if facts.is_empty() {
        facts.push(match vars::family(name) {
            Some(family) if family.complete() => format!("{} knows no variable of that name", family.reader),
            _ => "not in the catalog".to_owned(),
        });
        facts.extend(vars::nearest(name).map(|near| format!("did you mean `{near}`?")));
    }
    facts
}

fn about_flag(option: &Option_<'_>) -> Vec<String> {
    let module = option.process.module.value.as_str();
    let Some(component) = flags::component(module) else { return vec![format!("an option of `{module}`")] };
    let Some(found) = component.flag(&option.flag.name) else {
        let mut facts = vec![format!("`{module}` has no such option that the catalog knows")];
        facts.extend(component.nearest(&option.flag.name).map(|near| format!("did you mean `{near}`?")));
        return facts;
    };
    let mut facts = vec![format!("an option of `{module}`")];
    facts.extend(words::flag(component, &found, release_of(option.service)));
    if let Some(knob) = router::knob(found.flag.name) {
        facts.extend(words::knob(knob).into_iter().filter(|f| !f.starts_with("takes") && !f.starts_with("default")));
    }
    facts.dedup();
    facts
}

fn about_key(option: &Option_<'_>, path: &[String]) -> Vec<String> {
    let component = flags::component(&option.process.module.value);
    let known = match path {
        [name] => complete::json_keys(&option.flag.name, component).into_iter().find(|key| key.name == name),
        _ => None,
    };
    let mut facts = known.as_ref().map(complete::about_key).unwrap_or_default();
    // Behind what it means, in front of what it may be.
    facts.insert(facts.len().min(1), format!("a key of what `{}` takes", option.flag.name));
    facts
}

/// A value, without what is secret.
pub(super) fn shown(name: &str, value: &Fact<Text>) -> String {
    match value {
        Fact::Known(text) if is_credential(name) && !text.is_empty() => "`***`".to_owned(),
        Fact::Known(text) => {
            let line = text.as_str().lines().next().unwrap_or_default();
            let cut: String = line.chars().take(120).collect();
            let more = if cut.len() < text.as_str().len() { "…" } else { "" };
            format!("`{}{more}`", mask(&cut))
        }
        Fact::Dynamic(reason) => format!("not known: {reason}"),
        Fact::Unset => "unset".to_owned(),
    }
}

/// What the service gets, and from whom.
fn effective(out: &mut String, view: &View<'_>, variable: &Variable<'_>) {
    let Variable { service, var, .. } = variable;
    let _ = writeln!(
        out,
        "\n`{}` ({}) gets {}\n",
        service.name,
        service.role.as_str(),
        shown(&var.name, &var.winner().value)
    );
    for (at, setting) in var.chain.iter().enumerate() {
        let _ = writeln!(out, "{}. {}", at + 1, link(view, var, setting, at));
    }
    if let Some((flag, value)) = wins_over(service, &var.name) {
        let _ =
            writeln!(out, "\nbut `{flag}` on the command line wins{value}: {}", view.place(flag_span(service, &flag)));
    }
}

fn link(view: &View<'_>, var: &EnvVar, setting: &Setting, at: usize) -> String {
    let place = setting.span.or(setting.entry_span).map_or_else(|| "the operator".to_owned(), |span| view.place(span));
    let lost = if at == 0 { "" } else { ", overridden" };
    format!("{}: {} ({place}){lost}", setting.layer.as_str(), shown(&var.name, &setting.value))
}

/// The option that makes a variable's value count for nothing, and its value.
pub(super) fn wins_over(service: &Service, variable: &str) -> Option<(String, String)> {
    let component = flags::component(service.module()?)?;
    let flag = component.by_env(variable)?;
    let used = service
        .args()?
        .flags
        .iter()
        .rev()
        .find(|used| component.flag(&used.name).is_some_and(|found| found.flag.name == flag.name))?;
    let value = used.value().and_then(|word| word.as_known()).map(|value| format!(" with `{}`", mask(value)));
    Some((used.name.clone(), value.unwrap_or_default()))
}

pub(super) fn flag_span(service: &Service, name: &str) -> Span {
    service.flag(&[name]).map_or(service.span, |flag| flag.span)
}

/// What the service makes of an option.
fn used(out: &mut String, view: &View<'_>, option: &Option_<'_>) {
    let Option_ { service, process, flag, .. } = option;
    let component = flags::component(&process.module.value);
    let same = |name: &str| match (component.and_then(|c| c.flag(name)), component.and_then(|c| c.flag(&flag.name))) {
        (Some(a), Some(b)) => a.flag.name == b.flag.name,
        _ => name == flag.name,
    };
    let uses: Vec<_> = process.args.flags.iter().filter(|used| same(&used.name)).collect();
    let Some(last) = uses.last() else { return };
    let hidden = is_credential(&last.name);
    let value = match last.value() {
        None => "on".to_owned(),
        Some(_) if hidden => "`***`".to_owned(),
        Some(word) => match &word.dynamic {
            Some(reason) => format!("not known: {reason}"),
            None => format!("`{}`", mask(&word.text.as_str().chars().take(120).collect::<String>())),
        },
    };
    let place = view.place(last.value().map_or(last.span, |word| word.span()));
    let _ = writeln!(out, "\n`{}` ({}) runs with {value} ({place})", service.name, service.role.as_str());
    if uses.len() > 1 {
        let _ = writeln!(out, "\ngiven {} times, the last counts: {}", uses.len(), view.place(last.span));
    }
    let env = component.and_then(|c| c.flag(&flag.name)).map(|found| found.flag.env).filter(|env| !env.is_empty());
    if let Some(var) = env.and_then(|env| service.env.get(env)) {
        let place = var.winner().span.map(|span| format!(" ({})", view.place(span))).unwrap_or_default();
        let _ = writeln!(out, "\nwins over `{}` = {}{place}", var.name, shown(&var.name, &var.winner().value));
    }
}
