//! The command line.

mod args;
mod baseline;
mod changed;
mod check;
mod config;
mod custom;
mod doctor;
mod explain;
mod fixing;
mod ignoring;
mod lsp;
mod output;
mod outputs;
#[cfg(feature = "probe")]
mod probe;
mod readiness;
mod resolve;
mod router;
mod rules;
mod shell;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Cli, Command};

/// Exit codes, the same for every format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exit {
    /// No finding at or above the fail level.
    Clean = 0,
    /// Findings at or above it.
    Findings = 1,
    /// Usage or configuration error.
    Usage = 2,
    /// No file with a Kubernetes object in it.
    Nothing = 3,
    /// Some input could not be read.
    Unreadable = 4,
}

/// Entry point of the `dynlint` binary.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(run(std::env::args_os().collect()) as u8)
}

fn run(args: Vec<OsString>) -> Exit {
    // The matches are kept: they know where each `-o` stands.
    let parsed = Cli::command()
        .try_get_matches_from(&args)
        .and_then(|matches| Cli::from_arg_matches(&matches).map(|cli| (cli, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error.format(&mut Cli::command()), &args),
    };
    output::set_color(cli.color);
    // A rule that panics is caught and said at the end; here only where it was, without a backtrace nobody asked for.
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        std::panic::set_hook(Box::new(|panic| {
            if let Some(place) = panic.location() {
                output::note(&format!("dynlint stumbled at {place}"));
            }
        }));
    }
    if let Err(exit) = custom::install(&cli.rules) {
        return exit;
    }
    match cli.command {
        Command::Readiness(args) => readiness::run(&args),
        Command::Check(args) => match outputs::targets(matches.subcommand_matches("check").unwrap_or(&matches)) {
            Ok(targets) => check::run(&args, &targets),
            Err(message) => {
                output::error(&message);
                Exit::Usage
            }
        },
        Command::Resolve(args) => resolve::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Router(args) => router::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        #[cfg(feature = "probe")]
        Command::Probe(args) => probe::run(&args),
    }
}

/// Prints what clap has to say. A path in place of a command is a likely slip, so it gets an answer of its own.
fn usage(error: &clap::Error, args: &[OsString]) -> Exit {
    if matches!(error.kind(), ErrorKind::InvalidSubcommand | ErrorKind::UnknownArgument)
        && let Some(first) = args.get(1).and_then(|a| a.to_str())
        && !first.starts_with('-')
        && (first.contains(['/', '\\', '.']) || std::path::Path::new(first).exists())
    {
        output::error(&format!("`{first}` is no command; to lint it, write `dynlint check {first}`"));
        return Exit::Usage;
    }
    // A closed pipe under `dynlint --help | head` is no error.
    let _ = error.print();
    if error.exit_code() == 0 { Exit::Clean } else { Exit::Usage }
}
