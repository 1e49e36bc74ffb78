//! The `dynlint` command.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    dynlint::cli::main()
}
