//! `dynlint router`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::args::{ListFormat, Read};
use super::fixing::Interrupted;
use super::{Exit, check, config, output};
use crate::fix::{self, Certifier};
use crate::lint::{self, Seen};
use crate::plan::{self, Events, Wish};

/// Get a frontend into a router mode.
#[derive(Debug, Args)]
pub(super) struct Router {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what to change for a router mode, and why; `--write` changes it
    Plan(Plan),
}

#[derive(Debug, Args)]
struct Plan {
    /// File or directory with the deployment; `-` is standard input
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Router mode: round-robin, random, kv, direct, power-of-two, least-loaded, device-aware-weighted; chosen unless given
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// Whose KV events the `kv` mode counts on
    #[arg(long, value_enum, default_value_t = EventsName::Auto, value_name = "HOW")]
    events: EventsName,
    /// Only this deployment
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// Local port, for the commands
    #[arg(long, default_value_t = 8000, value_name = "PORT")]
    port: u16,
    /// Add a patch for kustomize
    #[arg(long)]
    kustomize: bool,
    /// Apply the edits, each proven, to the files
    #[arg(long)]
    write: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Full, value_name = "FORMAT")]
    format: ListFormat,
    #[command(flatten)]
    read: Read,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventsName {
    /// The workers' when all of them publish, else none
    Auto,
    /// The workers', which are changed to publish
    Workers,
    /// None: the router predicts what is cached
    Approximate,
}

pub(super) fn run(args: &Router) -> Exit {
    let Command::Plan(args) = &args.command;
    let inputs = match check::inputs(std::slice::from_ref(&args.path), &args.read) {
        Ok(inputs) => inputs,
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    if args.write && args.path.as_os_str() == "-" {
        output::error("standard input cannot be written to");
        return Exit::Usage;
    }
    let options = check::options(&args.read, config::layer(&args.read));
    let (mut report, mut seen) = lint::examine(&inputs, &options);
    if args.write {
        let interrupted = Interrupted::finish(&report.sources);
        if interrupted.exit != Exit::Clean {
            return interrupted.exit;
        }
        if interrupted.written {
            (report, seen) = lint::examine(&inputs, &options);
        }
    }
    if !report.config.is_empty() {
        return config::say(&report.config);
    }
    check::say_crashes(&report);
    if report.summary.unreadable > 0 {
        output::error(&format!("cannot read `{}`", args.path.display()));
        return Exit::Unreadable;
    }
    let named = |seen: &&Seen| args.deployment.as_ref().is_none_or(|name| *name == seen.deployment.name);
    let count = seen.iter().filter(named).count();
    if count == 0 {
        output::note("nothing to plan: no such DynamoGraphDeployment in it");
        return Exit::Nothing;
    }
    let mut plans = Vec::new();
    let mut exit = Exit::Clean;
    for at in 0..count {
        let Some(one) = seen.iter().filter(named).nth(at) else { break };
        let planned = {
            let certifier = Certifier::new(&inputs, &options, &report);
            plan::plan(&one.deployment, &wish(args, one), &certifier)
        };
        let plan = match planned {
            Ok(plan) => plan,
            Err(message) => {
                output::error(&message);
                exit = exit.max(Exit::Usage);
                continue;
            }
        };
        if args.write && !plan.done {
            exit = exit.max(write(&plan));
            // What follows may stand in the same file: it is planned over the file as it is now.
            if at + 1 < count {
                (report, seen) = lint::examine(&inputs, &options);
            }
        }
        plans.push(plan);
    }
    match args.format {
        ListFormat::Full => {
            let text: Vec<String> = plans.iter().map(|plan| plan::text(plan, args.kustomize, args.write)).collect();
            output::print(&text.join("\n"));
        }
        ListFormat::Json => match serde_json::to_string_pretty(&serde_json::json!({ "version": 1, "plans": plans })) {
            Ok(text) => output::print(&format!("{text}\n")),
            Err(error) => output::error(&error.to_string()),
        },
    }
    exit
}

fn wish(args: &Plan, of: &Seen) -> Wish {
    let path = args.path.display().to_string();
    let place = Path::new(&of.file);
    let apply = match &of.overlay {
        Some(overlay) => format!("-k {overlay}"),
        // `kubectl` does not look into directories below the one it is given.
        None if args.path.is_dir() && place.parent() != Some(&args.path) => format!("-f {}", of.file),
        None => format!("-f {path}"),
    };
    Wish {
        mode: args.mode.clone(),
        events: match args.events {
            EventsName::Auto => Events::Auto,
            EventsName::Workers => Events::Workers,
            EventsName::Approximate => Events::Approximate,
        },
        namespace: args.read.cluster.namespace.clone(),
        port: args.port,
        path,
        apply,
        write: args.write,
    }
}

/// Writes the edits of one plan.
fn write(plan: &plan::Plan) -> Exit {
    if let Some(why) = &plan.refused {
        output::error(&format!("`{}` is not changed: {why}", plan.deployment));
        return Exit::Findings;
    }
    let files: Vec<String> = plan.changed.iter().map(|change| change.file.name.clone()).collect();
    let failed = fix::write(&plan.changed, &[&files]);
    for unwritten in &failed {
        output::error(&unwritten.to_string());
    }
    for change in plan.changed.iter().filter(|c| !failed.iter().any(|u| u.name == c.file.name)) {
        output::note(&format!("wrote `{}`", change.file.name));
    }
    if failed.is_empty() { Exit::Clean } else { Exit::Unreadable }
}
