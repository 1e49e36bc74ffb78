//! `dynlint probe`

mod capture;
pub(in crate::cli) mod compare;
mod env;
pub(in crate::cli) mod evidence;
mod manifest;
mod nixl;
mod node;
mod progress;
pub(in crate::cli) mod router;
mod session;
mod settled;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::args::Format;
use super::{Exit, output, outputs};
use crate::lint;
use crate::probe::report::{self, Report};
use crate::probe::told;
use crate::source::Sources;

pub(super) use manifest::Manifest;
pub(super) use session::{Session, in_session};

/// Ask nodes, pods and endpoints what they really have. Reads only; nothing is created, changed or deleted.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(in crate::cli) struct Probe {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// RDMA devices, GPUDirect, NVLink, limits: on this machine, in a pod, or in every worker pod of a deployment
    Node(node::Node),
    /// Environment and argv of the running processes, against the manifest
    Env(env::Env),
    /// NIXL and UCX: versions, plugins, transports; with --run-transfer a transfer that really runs
    Nixl(nixl::Nixl),
    Router(router::Router),
    Compare(compare::Compare),
    /// Write down all that the other probes read, for somebody without access to look at with --snapshot
    Capture(capture::Capture),
}

/// What is probed, and how; the same for every probe.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Target")]
pub(super) struct Target {
    /// Namespace; that of the context unless given
    #[arg(long, short, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "CONTEXT")]
    pub(super) context: Option<String>,
    /// Kubeconfig; `KUBECONFIG`, then `~/.kube/config`, then the pod's service account unless given
    #[arg(long, value_name = "PATH")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Pod to look into
    #[arg(long, value_name = "POD", conflicts_with = "deployment")]
    pub(super) pod: Option<String>,
    /// Container of the pod; its default container unless given
    #[arg(long, short, value_name = "CONTAINER")]
    pub(super) container: Option<String>,
    /// DynamoGraphDeployment whose pods are looked into
    #[arg(long, value_name = "NAME")]
    pub(super) deployment: Option<String>,
    /// Longest time that one question may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub(super) timeout: Duration,
    /// Write down all answers in DIR, to be replayed with --snapshot
    #[arg(long, value_name = "DIR", conflicts_with = "snapshot")]
    pub(super) record: Option<PathBuf>,
    /// Take all answers from a recording; no network, no cluster
    #[arg(long, value_name = "DIR")]
    pub(super) snapshot: Option<PathBuf>,
}

/// How to print.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// How to print; all but `full` and `json` hold findings: on the manifest's lines with `--manifest`, else on what was
    /// probed
    #[arg(long, short = 'f', value_enum, default_value_t = Format::Full, value_name = "FORMAT")]
    pub(super) format: Format,
    /// Write it to FILE, and what people want to read to standard output
    #[arg(long, short = 'o', value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Show what each check has seen
    #[arg(long, short)]
    pub(super) verbose: bool,
}

impl Output {
    /// Whether the format holds findings and no checks.
    pub(super) const fn findings_only(&self) -> bool {
        !matches!(self.format, Format::Full | Format::Json)
    }
}

pub(in crate::cli) fn run(args: &Probe) -> Exit {
    match &args.command {
        Command::Node(args) => node::run(args),
        Command::Env(args) => env::run(args),
        Command::Nixl(args) => nixl::run(args),
        Command::Router(args) => router::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Capture(args) => capture::run(args),
    }
}

/// Prints a report, with the findings on the manifest behind it. `components` tells which service a target belongs to. Exit
/// code 1 when a check failed.
pub(super) fn print(
    report: &Report,
    judged: Option<&lint::Report>,
    components: &BTreeMap<String, String>,
    args: &Output,
) -> Exit {
    let text = |style: crate::report::Style| {
        let mut text = report::text(report, args.verbose);
        if let (Some(wire), Some(judged)) = (&report.manifest, judged) {
            text.push('\n');
            text.push_str(&crate::report::full(wire, &judged.sources, style));
        }
        text
    };
    let to_file = args.output_file.is_some();
    let style = if to_file { crate::report::Style::default() } else { output::style() };
    let rendered = match args.format {
        Format::Full => Ok(text(style)),
        Format::Json => report::json(report).map_err(|error| error.to_string()),
        format => {
            let (none, live);
            let of = match (&report.manifest, judged) {
                (Some(wire), Some(judged)) => outputs::Rendered { check: wire, sources: &judged.sources, quiet: false },
                _ => {
                    (none, live) = (Sources::default(), told::live(report, components));
                    outputs::Rendered { check: &live, sources: &none, quiet: false }
                }
            };
            outputs::render(format, &of, &outputs::root(), style)
        }
    };
    let written = rendered.and_then(|rendered| match &args.output_file {
        None => {
            output::print(&rendered);
            Ok(())
        }
        Some(file) => {
            let plain = anstream::adapter::strip_str(&rendered).to_string();
            let read = judged.iter().flat_map(|judged| judged.sources.all());
            outputs::save(file, if args.format == Format::Full { &plain } else { &rendered }, read)
        }
    });
    if let Err(message) = written {
        output::error(&message);
        return Exit::Unreadable;
    }
    if to_file {
        output::print(&text(output::style()));
    } else if args.findings_only() {
        // The checks are no findings; who reads the report's file still wants to see them.
        output::note(report::text(report, args.verbose).trim_end());
    }
    if report.failed() { Exit::Findings } else { Exit::Clean }
}

/// A time in seconds, fractions allowed, more than zero and at most a day.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "expected seconds, such as `30` or `0.5`, up to 86400".to_owned();
    let value: f64 = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| wrong())?;
    if value > 0.0 && value <= 86_400.0 { Ok(Duration::from_secs_f64(value)) } else { Err(wrong()) }
}
