//! What shells and `man` are told about the command line; both come from the same definition that parses it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};

use super::args::Cli;
use super::{Exit, output};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Shell to write them for
    #[arg(value_enum, value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Directory for one page per command; without it the page of `dynlint` goes to standard output
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(super) output: Option<PathBuf>,
}

/// Completions on standard output, where each shell's own way to install them can take them.
pub(super) fn completions(args: &Completions) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dynlint", &mut text);
    raw(&text)
}

/// Man pages.
pub(super) fn man(args: &Man) -> Exit {
    // Pages of subcommands are called `dynlint-check`, which only a built command knows.
    let mut command = Cli::command();
    command.build();
    let Some(directory) = &args.output else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(command).render(&mut page) {
            Ok(()) => raw(&page),
            Err(error) => failed(&error),
        };
    };
    match std::fs::create_dir_all(directory).and_then(|()| pages(&command, "dynlint", directory)) {
        Ok(()) => Exit::Clean,
        Err(error) => failed(&error),
    }
}

fn pages(command: &clap::Command, name: &str, directory: &Path) -> io::Result<()> {
    let mut page = Vec::new();
    // A page's name must live as long as the command: clap takes owned strings only with its feature `string`.
    clap_mangen::Man::new(command.clone().name(name.to_owned())).render(&mut page)?;
    std::fs::write(directory.join(format!("{name}.1")), page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        pages(sub, &format!("{name}-{}", sub.get_name()), directory)?;
    }
    Ok(())
}

/// As it is: these formats have escapes of their own.
fn raw(text: &[u8]) -> Exit {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => failed(&error),
        _ => Exit::Clean,
    }
}

fn failed(error: &io::Error) -> Exit {
    output::error(&format!("cannot write: {error}"));
    Exit::Usage
}
