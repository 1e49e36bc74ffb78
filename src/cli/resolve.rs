//! `dynlint resolve`

use super::args::{ListFormat, Resolve};
use super::{Exit, check, output};
use crate::finding::{Selection, nearest_of};
use crate::lint;
use crate::report::{self, ResolveOptions};
use crate::resolve::wire;

pub(super) fn run(args: &Resolve) -> Exit {
    let inputs = match check::inputs(std::slice::from_ref(&args.path), &args.read) {
        Ok(inputs) => inputs,
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    let (deployments, report) = lint::resolve(&inputs, &check::options(&args.read, Selection::default()));
    let read = || deployments.iter().map(|d| wire::deployment(d, &report.sources));
    let mut resolved = wire::Resolve::new(read().collect());
    for reported in &report.findings {
        let place = report::wire::Place::of(reported.finding.primary.span, &report.sources);
        output::note(&format!("{}:{}:{}: {}", place.path, place.line, place.column, reported.finding.message));
    }
    check::say_crashes(&report);
    if report.summary.unreadable > 0 {
        return Exit::Unreadable;
    }
    if resolved.deployments.is_empty() {
        output::note("nothing to resolve: no DynamoGraphDeployment in it");
        return Exit::Nothing;
    }
    if let Err(message) = narrow(&mut resolved, args) {
        output::error(&message);
        return Exit::Usage;
    }
    match args.format {
        ListFormat::Full => {
            let options = ResolveOptions { service: args.service.as_deref(), variable: args.var.as_deref() };
            output::print(&report::resolve(&resolved, options));
        }
        ListFormat::Json => match serde_json::to_string_pretty(&resolved) {
            Ok(text) => output::print(&format!("{text}\n")),
            Err(error) => output::error(&error.to_string()),
        },
    }
    Exit::Clean
}

/// Leaves the service and variable that were asked for; a name that is nowhere is a slip worth an answer.
fn narrow(resolved: &mut wire::Resolve, args: &Resolve) -> Result<(), String> {
    if let Some(name) = &args.service {
        let names: Vec<String> =
            resolved.deployments.iter().flat_map(|d| d.services.iter().map(|s| s.name.clone())).collect();
        if !names.contains(name) {
            let near = nearest_of(name, names.iter().map(String::as_str));
            let hint = near.map_or_else(|| format!("there are {}", list(&names)), |n| format!("did you mean `{n}`?"));
            return Err(format!("no service is called `{name}`; {hint}"));
        }
        for deployment in &mut resolved.deployments {
            deployment.services.retain(|service| service.name == *name);
        }
    }
    if let Some(name) = &args.var {
        for service in resolved.deployments.iter_mut().flat_map(|d| &mut d.services) {
            service.env.retain(|var| var.name == *name);
            service.unset.retain(|var| var.name == *name);
        }
        let has = |s: &wire::ResolvedService| !s.env.is_empty() || !s.unset.is_empty();
        if !resolved.deployments.iter().flat_map(|d| &d.services).any(has) {
            output::note(&format!("nothing sets `{name}` in these services"));
        }
    }
    Ok(())
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
