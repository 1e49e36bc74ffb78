//! The command line.

/// Entry point of the `dynlint` binary.
#[must_use]
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
