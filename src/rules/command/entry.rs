//! What the operator's default command makes of a container that writes only half of it.
//!
//! Source: operator `graph.go:1826-1850` (user lists replace base lists only when they are not empty),
//! `component_frontend.go:70-84`, `component_worker.go:82-124`.

use crate::command::is_shell;
use crate::manifest::{Component, ComponentType, GraphKind};
use crate::resolve::{Deployment, Service};
use crate::rules::{Findings, workload};
use crate::source::Span;

/// Components as they will be rendered.
fn complete(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    let whole = deployment.graph.kind != GraphKind::RequestOverride;
    // Before 0.5 the operator had no default command, and the image's entrypoint counted.
    deployment.services.iter().filter(move |s| whole && !s.below(0, 5))
}

fn words(component: &Component) -> (Vec<&str>, Vec<&str>) {
    (
        component.main.command.items.iter().filter_map(crate::yaml::Node::as_text).collect(),
        component.main.args.items.iter().filter_map(crate::yaml::Node::as_text).collect(),
    )
}

/// `args-without-command`
pub fn args_without_command(deployment: &Deployment, out: &mut Findings) {
    for service in complete(deployment) {
        let component = &service.component;
        let (command, args) = words(component);
        let (Some(first), Some(span)) = (args.first(), component.main.args.span) else { continue };
        if !command.is_empty() || component.component_type == ComponentType::Epp {
            continue;
        }
        let at = component.main.args.items.first().map_or(span, |n| n.span);
        if component.component_type == ComponentType::Frontend {
            // `python3 -m …`, `python3 -u …`, `python3 script.py`
            let option = first.starts_with('-') && !first.starts_with("--") && first.len() == 2;
            if option || first.ends_with(".py") {
                continue;
            }
            out.report(
                at,
                format!("`{}` has `args` but no `command`", service.name),
                format!("runs as `python3 {}`: the operator's command for a frontend is `python3`", shown(first)),
            )
            .service(service)
            .subject("command")
            .help("start `args` with `-m`, `dynamo.frontend`, or write the `command` too")
            .emit();
        } else if first.starts_with('-') || (args.len() > 1 && !first.contains('$') && !first.contains(['\n', ';'])) {
            out.report(
                at,
                format!("`{}` has `args` but no `command`", service.name),
                format!(
                    "runs as `/bin/sh -c {}`: the operator's command is `/bin/sh -c`, which takes one script{}",
                    shown(first),
                    if args.len() > 1 { " and drops the rest" } else { "" }
                ),
            )
            .service(service)
            .subject("command")
            .help("write the `command` too (`[python3, -m, …]`), or put all of it into one `args` entry")
            .emit();
        }
    }
}

/// A word short enough for a message.
fn shown(word: &str) -> String {
    let line = word.lines().next().unwrap_or_default();
    if line.chars().count() > 40 {
        format!("'{}…'", line.chars().take(40).collect::<String>())
    } else if line.contains(' ') {
        format!("'{line}'")
    } else {
        line.to_owned()
    }
}

/// `command-without-args`
pub fn command_without_args(deployment: &Deployment, out: &mut Findings) {
    for service in complete(deployment) {
        let component = &service.component;
        let (command, args) = words(component);
        if !args.is_empty() || component.component_type == ComponentType::Epp {
            continue;
        }
        let frontend = component.component_type == ComponentType::Frontend;
        let Some(first) = command.first() else {
            // Without an image it is a fragment, to be completed elsewhere; `main` is of operators that left it to the image.
            let early = service.age.is_some() && component.component_type == ComponentType::Other("main".to_owned());
            if !frontend && component.main.image.is_some() && !early {
                nothing(service, out);
            }
            continue;
        };
        let span = component.main.command.span.unwrap_or(service.span);
        let nodes = &component.main.command.items;
        // `bash /scripts/run.sh` has its script in a file.
        let scriptless = is_shell(first)
            && match workload::script_index(nodes.iter()) {
                Some(script) => script >= nodes.len(),
                None => command.iter().skip(1).all(|word| word.starts_with(['-', '+'])),
            };
        if scriptless {
            let what = if frontend { " (the script becomes `-m`, from the operator's default `args`)" } else { "" };
            report(service, span, format!("a shell without a script{what}"), "add the script as `args`", out);
        } else if frontend && !is_shell(first) && command.len() > 1 {
            report(
                service,
                span,
                format!(
                    "runs as `{} -m dynamo.frontend`: the operator's default `args` are appended",
                    command.join(" ")
                ),
                "move everything behind `python3` into `args`, which replaces the default",
                out,
            );
        }
    }
}

fn nothing(service: &Service, out: &mut Findings) {
    report(
        service,
        service.span,
        "the operator runs `/bin/sh -c` without a script, whatever the image's entrypoint is".to_owned(),
        // A frontend needs none, when it is one to the operator.
        match service.name.to_ascii_lowercase().contains("frontend") {
            true => "write `frontend` for its type, or `command` and `args`",
            false => "write `command` and `args`",
        },
        out,
    );
}

fn report(service: &Service, span: Span, label: String, help: &str, out: &mut Findings) {
    out.report(span, format!("`{}` has no `args`", service.name), label)
        .service(service)
        .subject("args")
        .help(help)
        .emit();
}
