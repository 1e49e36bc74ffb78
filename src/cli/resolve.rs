//! `dynlint resolve`

use std::path::Path;

use super::args::{ListFormat, Resolve};
use super::{Exit, check, config, output};
use crate::finding::nearest_of;
use crate::lint;
use crate::report::{self, ResolveOptions};
use crate::resolve::wire;
use crate::source;

pub(super) fn run(args: &Resolve) -> Exit {
    if args.path.as_os_str() == "-" && args.diff.as_ref().is_some_and(|other| other.as_os_str() == "-") {
        output::error("standard input can stand on one side of `--diff` only");
        return Exit::Usage;
    }
    let left = match read(&args.path, args) {
        Ok(resolved) => resolved,
        Err(exit) => return exit,
    };
    let Some(other) = &args.diff else {
        print(&left, args);
        return Exit::Clean;
    };
    let right = match read(other, args) {
        Ok(resolved) => resolved,
        Err(exit) => return exit,
    };
    let differences = report::differences(&left, &right);
    let names = [source::display_name(&args.path), source::display_name(other)];
    match args.format {
        ListFormat::Full => {
            output::print(&report::unified(&left, &right, [&names[0], &names[1]], output::style().color));
            if differences.is_empty() {
                output::note("no difference in what the services get");
            }
        }
        ListFormat::Json => {
            let equal = differences.is_empty();
            json(&serde_json::json!({
                "version": 1, "left": names[0], "right": names[1], "equal": equal, "differences": differences,
            }));
        }
    }
    if differences.is_empty() { Exit::Clean } else { Exit::Findings }
}

/// Resolves what stands at a path, narrowed to what was asked for. What goes wrong is said here.
fn read(path: &Path, args: &Resolve) -> Result<wire::Resolve, Exit> {
    let mut options = args.read.clone();
    if args.diff.is_some() && path.as_os_str() != "-" {
        options.stdin_filename = None;
    }
    let inputs = check::inputs(&[path.to_owned()], &options).map_err(|(exit, message)| {
        output::error(&message);
        exit
    })?;
    let (deployments, report) = lint::resolve(&inputs, &check::options(&args.read, config::layer(&args.read)));
    if !report.config.is_empty() {
        return Err(config::say(&report.config));
    }
    let mut resolved = wire::Resolve::new(deployments.iter().map(|d| wire::deployment(d, &report.sources)).collect());
    for reported in &report.findings {
        let place = report::wire::Place::of(reported.finding.primary.span, &report.sources);
        output::note(&format!("{}:{}:{}: {}", place.path, place.line, place.column, reported.finding.message));
    }
    check::say_crashes(&report);
    if report.summary.unreadable > 0 {
        return Err(Exit::Unreadable);
    }
    if resolved.deployments.is_empty() {
        output::note(&format!("nothing to resolve: no DynamoGraphDeployment in {}", source::display_name(path)));
        return Err(Exit::Nothing);
    }
    narrow(&mut resolved, args).map_err(|message| {
        output::error(&message);
        Exit::Usage
    })?;
    Ok(resolved)
}

fn print(resolved: &wire::Resolve, args: &Resolve) {
    match args.format {
        ListFormat::Full => {
            let options = ResolveOptions { service: args.service.as_deref(), variable: args.var.as_deref() };
            output::print(&report::resolve(resolved, options));
        }
        ListFormat::Json => json(resolved),
    }
}

fn json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => output::print(&format!("{text}\n")),
        Err(error) => output::error(&error.to_string()),
    }
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
