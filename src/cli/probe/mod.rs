//! `dynlint probe`

mod capture;
pub(in crate::cli) mod compare;
mod env;
pub(in crate::cli) mod evidence;
mod manifest;
mod nixl;
mod node;
pub(in crate::cli) mod router;
mod session;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{Exit, output};
use crate::lint;
use crate::probe::report::{self, Report};
use crate::report::wire;

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
    /// How to print
    #[arg(long, short = 'f', value_enum, default_value_t = Format::Full, value_name = "FORMAT")]
    pub(super) format: Format,
    /// Show what each check has seen
    #[arg(long, short)]
    pub(super) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Full,
    /// For machines
    Json,
    /// Findings on the manifest as SARIF 2.1.0, for code scanning
    Sarif,
    /// Findings on the manifest as annotations of GitHub Actions
    Github,
    /// Findings on the manifest as a code quality report of GitLab
    Gitlab,
    /// Findings on the manifest as `JUnit` XML
    Junit,
    /// Findings on the manifest as Markdown
    Markdown,
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

/// Prints a report, with the findings on the manifest behind it. Exit code 1 when a check failed.
pub(super) fn print(report: &Report, judged: Option<&lint::Report>, args: &Output) -> Exit {
    match args.format {
        Format::Full => {
            let mut text = report::text(report, args.verbose);
            if let (Some(wire), Some(judged)) = (&report.manifest, judged) {
                text.push('\n');
                text.push_str(&crate::report::full(wire, &judged.sources, output::style()));
            }
            output::print(&text);
        }
        Format::Json => match report::json(report) {
            Ok(text) => output::print(&text),
            Err(error) => output::error(&error.to_string()),
        },
        format => {
            let Some(wire) = &report.manifest else {
                output::error(
                    "this format holds findings on a manifest: give one with `--manifest`, or take `-f json`",
                );
                return Exit::Usage;
            };
            match findings(format, wire) {
                Ok(text) => output::print(&text),
                Err(error) => output::error(&error),
            }
            // The checks are no findings; who reads the report's file still wants to see them.
            output::note(report::text(report, args.verbose).trim_end());
        }
    }
    if report.failed() { Exit::Findings } else { Exit::Clean }
}

fn findings(format: Format, wire: &wire::Check) -> Result<String, String> {
    let root = crate::cli::outputs::root();
    let json = |text: serde_json::Result<String>| text.map(|text| text + "\n").map_err(|error| error.to_string());
    match format {
        Format::Sarif => json(crate::report::sarif(wire, &root)),
        Format::Gitlab => json(crate::report::gitlab(wire, &root)),
        Format::Github => Ok(crate::report::github(wire, &root)),
        Format::Junit => crate::report::junit(wire).map_err(|error| error.to_string()),
        Format::Markdown => Ok(crate::report::markdown(wire)),
        Format::Full | Format::Json => Err("not a format of findings".to_owned()),
    }
}

/// A time in seconds, fractions allowed, more than zero and at most a day.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let wrong = || "expected seconds, such as `30` or `0.5`, up to 86400".to_owned();
    let value: f64 = text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| wrong())?;
    if value > 0.0 && value <= 86_400.0 { Ok(Duration::from_secs_f64(value)) } else { Err(wrong()) }
}
