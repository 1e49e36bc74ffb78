//! What stands at the cursor.

use super::view::View;
use crate::command::Flag;
use crate::command::json::{Json, JsonEntry, JsonValue, parse};
use crate::resolve::{DynamoProcess, Env, EnvVar, Service};
use crate::source::Span;

/// Something that means something.
pub(super) enum Thing<'a> {
    /// The name or value of a variable.
    Variable(Variable<'a>),
    /// An option of a Dynamo process, or its value.
    Flag(Option_<'a>),
    /// A key in the JSON that an option takes.
    Key(Option_<'a>, Vec<String>, Span),
}

/// A variable as one place sets it.
pub(super) struct Variable<'a> {
    pub(super) service: &'a Service,
    pub(super) var: &'a EnvVar,
    /// What is pointed at: the name, or the value.
    pub(super) span: Span,
}

/// An option as used.
pub(super) struct Option_<'a> {
    pub(super) service: &'a Service,
    pub(super) process: &'a DynamoProcess,
    pub(super) flag: &'a Flag,
    pub(super) span: Span,
}

/// All that stands there, in the order of the services: a base or an anchor may speak for several.
pub(super) fn at<'a>(view: &View<'a>, offset: u32) -> Vec<Thing<'a>> {
    let mut out = Vec::new();
    for service in view.deployments().iter().flat_map(|deployment| &deployment.services) {
        for env in envs(service) {
            out.extend(variable(view, service, env, offset).map(Thing::Variable));
        }
        let sidecar = service.sidecar.as_ref().and_then(|sidecar| sidecar.process.as_ref());
        for process in service.process.iter().chain(sidecar) {
            out.extend(option(view, service, process, offset));
        }
    }
    out
}

/// Environments of a service that are resolved.
pub(super) fn envs(service: &Service) -> impl Iterator<Item = &Env> {
    std::iter::once(&service.env).chain(service.sidecar.as_ref().map(|sidecar| &sidecar.env))
}

fn variable<'a>(view: &View<'a>, service: &'a Service, env: &'a Env, offset: u32) -> Option<Variable<'a>> {
    env.vars.iter().find_map(|var| {
        let mut here = var.chain.iter().flat_map(|setting| [setting.name_span, setting.span]).flatten();
        let span = here.find(|&span| view.covers(span, offset))?;
        Some(Variable { service, var, span })
    })
}

fn option<'a>(view: &View<'a>, service: &'a Service, process: &'a DynamoProcess, offset: u32) -> Option<Thing<'a>> {
    for flag in &process.args.flags {
        let it = |span| Option_ { service, process, flag, span };
        if view.covers(flag.span, offset) {
            return Some(Thing::Flag(it(flag.span)));
        }
        for value in &flag.values {
            let span = value.span();
            if !view.covers(span, offset) {
                continue;
            }
            if value.text.trim_start().starts_with('{')
                && let Ok(json) = parse(&value.text)
                && let Some((path, span)) = key(view, &json, offset)
            {
                return Some(Thing::Key(it(span), path, span));
            }
            return Some(Thing::Flag(it(span)));
        }
    }
    None
}

/// The way to the innermost entry there.
fn key(view: &View<'_>, json: &Json, offset: u32) -> Option<(Vec<String>, Span)> {
    match &json.value {
        JsonValue::Object(entries) => entries.iter().find_map(|JsonEntry { key: name, key_span, value }| {
            if let Some((mut path, span)) = key(view, value, offset) {
                path.insert(0, name.clone());
                return Some((path, span));
            }
            let here = view.covers(*key_span, offset) || view.covers(value.span, offset);
            here.then(|| (vec![name.clone()], key_span.to(value.span)))
        }),
        JsonValue::Array(items) => items.iter().find_map(|item| key(view, item, offset)),
        _ => None,
    }
}
