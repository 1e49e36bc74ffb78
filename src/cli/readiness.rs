//! `dynlint readiness`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{ListFormat, Read};
use super::check::{inputs, options, say_crashes};
use super::{Exit, output};
use crate::lint;
use crate::probe::{Check, Layer, Status};
use crate::verdict::{self, Known, State};

#[derive(Debug, Args)]
pub(super) struct Readiness {
    /// Recipe: files and directories; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    read: Read,
    #[cfg(feature = "probe")]
    #[command(flatten)]
    evidence: super::probe::evidence::Evidence,
    /// Join the report of a probe: a file with what `dynlint probe … --format json` printed, however it was come by
    #[arg(long = "evidence", value_name = "FILE", help_heading = "Evidence")]
    reports: Vec<PathBuf>,
    /// How to print
    #[arg(long, short = 'f', value_enum, default_value_t = ListFormat::Full, value_name = "FORMAT", help_heading = "Output")]
    format: ListFormat,
    /// Show what each check has seen
    #[arg(long, short, help_heading = "Output")]
    verbose: bool,
    /// What makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Fail, value_name = "WHAT", help_heading = "Output")]
    fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A check that failed
    Fail,
    /// Also a warning
    Warn,
    /// Also a layer that is not verified
    Inconclusive,
    /// Nothing
    Never,
}

pub(super) fn run(args: &Readiness) -> Exit {
    let inputs = match inputs(&args.paths, &args.read) {
        Ok(inputs) => inputs,
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    let options = options(&args.read, super::config::layer(&args.read));
    let report = lint::lint(&inputs, &options);
    if !report.config.is_empty() {
        return super::config::say(&report.config);
    }
    let (deployments, _) = lint::resolve(&inputs, &options);
    let paths: Vec<String> = args.paths.iter().map(|p| p.display().to_string()).collect();
    let target = paths.join(" ");
    let found = verdict::configuration(&report, &deployments, &target);
    let mut known = Known {
        paths,
        deployment: match found.deployments.as_slice() {
            [name] => Some(name.clone()),
            _ => None,
        },
        namespace: args.read.cluster.namespace.clone(),
        needs_transfer: found.needs_transfer,
        ..Known::default()
    };
    let mut checks = found.checks;
    for path in &args.reports {
        match joined(path) {
            Ok(more) => {
                known.router_probed |= more.router;
                checks.extend(more.checks);
            }
            Err(message) => {
                output::error(&message);
                return Exit::Unreadable;
            }
        }
    }
    #[cfg(feature = "probe")]
    if args.evidence.wanted() {
        match args.evidence.gather(args.read.cluster.namespace.as_deref(), &deployments) {
            Ok(more) => {
                let drift = args.evidence.drift(&more, &inputs, &options, &deployments);
                checks.extend(more.checks);
                checks.extend(drift);
                known.pair = more.pair;
                known.namespace = known.namespace.or(more.namespace);
            }
            Err(exit) => return exit,
        }
        known.router_probed = true;
        known.base_url.clone_from(&args.evidence.smoke.base_url);
        known.deployment = known.deployment.or_else(|| args.evidence.deployment.clone());
    }
    missing(&mut checks, found.needs_transfer);
    known.configuration = Some(State::of(&checks, Layer::Configuration));
    known.capability = Some(State::of(&checks, Layer::Capability));
    known.transfer = Some(State::of(&checks, Layer::Transfer));
    let next = if found.deployments.is_empty() { Vec::new() } else { verdict::steps(&known) };
    let readiness = verdict::Readiness::new(target, checks, found.needs_transfer, next);
    match args.format {
        ListFormat::Full => output::print(&verdict::text(&readiness, args.verbose)),
        ListFormat::Json => match serde_json::to_string_pretty(&readiness) {
            Ok(text) => output::print(&format!("{text}\n")),
            Err(error) => output::error(&error.to_string()),
        },
    }
    say_crashes(&report);
    exit(&readiness, args.fail_on, found.needs_transfer)
}

/// What the report of a probe brings.
struct Joined {
    checks: Vec<Check>,
    router: bool,
}

/// Reads the report of a probe. The configuration layer is the linter's alone: nobody else's word counts there.
fn joined(path: &std::path::Path) -> Result<Joined, String> {
    #[derive(serde::Deserialize)]
    struct Report {
        version: u32,
        probe: String,
        target: String,
        checks: Vec<Check>,
    }
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read `{shown}`: {e}"))?;
    let report: Report =
        serde_json::from_str(&text).map_err(|e| format!("`{shown}` is no report of a probe as JSON: {e}"))?;
    if report.version != 1 {
        return Err(format!("`{shown}` is a report of version {}, this dynlint reads version 1", report.version));
    }
    let about = |mut check: Check| {
        check.target.get_or_insert_with(|| report.target.clone());
        check
    };
    let checks = report.checks.into_iter().filter(|check| check.layer != Layer::Configuration).map(about).collect();
    Ok(Joined { checks, router: report.probe == "router" })
}

/// Says of a layer without evidence that it has none: inconclusive, never a pass.
fn missing(checks: &mut Vec<Check>, needs_transfer: bool) {
    if !checks.iter().any(|check| check.layer == Layer::Capability) {
        let detail = "no node, pod or endpoint was probed";
        checks.push(Check::new("capability", Layer::Capability, Status::Skipped, detail));
    }
    if !checks.iter().any(|check| check.layer == Layer::Transfer) {
        let detail = if needs_transfer {
            "no transfer ran; tooling that is there and an endpoint that answers prove none"
        } else {
            "nothing to transfer between workers"
        };
        checks.push(Check::new("transfer", Layer::Transfer, Status::Skipped, detail));
    }
}

fn exit(readiness: &verdict::Readiness, fail_on: FailOn, needs_transfer: bool) -> Exit {
    let layers = readiness.layers;
    let mut wanted = vec![layers.configuration, layers.capability];
    wanted.extend(needs_transfer.then_some(layers.transfer));
    let fails = match fail_on {
        FailOn::Never => false,
        FailOn::Fail => readiness.counts.fail > 0,
        FailOn::Warn => readiness.counts.fail + readiness.counts.warn > 0,
        FailOn::Inconclusive => wanted.iter().any(|state| *state != State::Verified),
    };
    if fails { Exit::Findings } else { Exit::Clean }
}
