//! The `dynlint` command.
#![forbid(unsafe_code)]

/// Most of what a run does is make small things on several threads and drop few of them, which this does best.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    dynlint::cli::main()
}
