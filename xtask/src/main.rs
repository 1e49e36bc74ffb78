//! What maintainers run: `cargo xtask ecosystem`, `cargo xtask catalog`, `cargo xtask docs`.
#![forbid(unsafe_code)]

mod docs;
mod ecosystem;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
cargo xtask ecosystem [--corpus DIR] [--binary FILE] [--check]
    lints the real manifests, shows findings that came and went, counts each rule's reviewed findings into
    rules/catalog/precision.tsv; --check writes nothing and fails when that file is not current
cargo xtask catalog [ARGUMENTS]
    reads variables, flags and schemas anew out of released packages (rules/catalog/released.py and refresh.py,
    docs/catalog.md)
cargo xtask docs
    assembles the book's sources in target/book-src: docs/src with rule pages, help and examples put in
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let done = match args.first().map(String::as_str) {
        Some("ecosystem") => ecosystem::run(&root(), rest),
        Some("catalog") => catalog(rest),
        Some("docs") => docs::run(&root()),
        Some("help" | "--help" | "-h") | None => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("no task is called `{other}`\n\n{HELP}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

fn catalog(args: &[String]) -> Result<(), String> {
    // Variables that supply an option's default are derived from the options: workers come first.
    run(Command::new("python3").arg("rules/catalog/released.py").current_dir(root()))?;
    run(Command::new("python3").arg("rules/catalog/refresh.py").args(args).current_dir(root()))
}

/// Runs a command to its end; its failure is an error.
fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}
