//! `dynlint check --fix` and its relatives.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Exit;
use super::output;
use crate::fix::{self, Changed, Outcome, Recovered};
use crate::lint::{Input, Options};
use crate::report;
use crate::source::Sources;

#[derive(Debug, Args)]
#[command(next_help_heading = "Fixing")]
pub(super) struct Fixing {
    /// Apply safe fixes, each proven before it is written; report what is left
    #[arg(long)]
    pub(super) fix: bool,
    /// Also apply fixes that are likely meant, not certainly (with --fix, --fix-only or --diff)
    #[arg(long)]
    pub(super) unsafe_fixes: bool,
    /// Print what --fix would change as a unified diff, and write nothing
    #[arg(long)]
    pub(super) diff: bool,
    /// Apply fixes and report nothing; standard input comes back fixed on standard output
    #[arg(long)]
    pub(super) fix_only: bool,
    /// Prove every fix that is printed, however many there are (up to 64 are proven unasked; --fix proves all it applies)
    #[arg(long)]
    pub(super) verify_fixes: bool,
    /// Exit with 1 when anything was fixed, even when nothing is left
    #[arg(long)]
    pub(super) exit_non_zero_on_fix: bool,
}

/// How a run goes on.
pub(super) enum Next {
    /// Nothing more to say.
    Done(Exit),
    /// Report what is left, which these inputs and options give; what to exit with at least.
    Report(Vec<Input>, Box<Options>, Exit),
}

impl Fixing {
    const fn wanted(&self) -> bool {
        self.fix || self.fix_only || self.diff
    }

    /// Fixes what is to be fixed before anything is reported.
    pub(super) fn run(&self, inputs: Vec<Input>, options: Options) -> Next {
        if !self.wanted() {
            if self.unsafe_fixes || self.exit_non_zero_on_fix {
                let flag = if self.unsafe_fixes { "--unsafe-fixes" } else { "--exit-non-zero-on-fix" };
                output::error(&format!("`{flag}` needs `--fix`, `--fix-only` or `--diff`"));
                return Next::Done(Exit::Usage);
            }
            return Next::Report(inputs, Box::new(options), Exit::Clean);
        }
        let stdin = inputs.iter().any(|input| matches!(input, Input::Bytes { .. }));
        if stdin && !self.fix_only && !self.diff {
            output::error(
                "standard input cannot be written to; `--fix-only` prints it fixed, `--diff` what would change",
            );
            return Next::Done(Exit::Usage);
        }
        let mut outcome = fix::mend(&inputs, &options, self.unsafe_fixes);
        let interrupted = if self.diff { Interrupted::default() } else { Interrupted::finish(&outcome.report.sources) };
        if interrupted.written {
            outcome = fix::mend(&inputs, &options, self.unsafe_fixes);
        }
        for (fix, refusal) in &outcome.refused {
            let place = format!("{}:{}", fix.files.first().map_or("", String::as_str), fix.line);
            output::note(&format!("{place}: fix of `{}` not applied: {refusal}", fix.rule));
        }
        if self.diff {
            say_pending(&outcome.report.sources);
            return Next::Done(print_diff(&outcome));
        }
        self.write(outcome, &inputs, interrupted.exit)
    }

    fn write(&self, outcome: Outcome, given: &[Input], interrupted: Exit) -> Next {
        let memory = |change: &Changed| {
            given.iter().any(|input| matches!(input, Input::Bytes { path, .. } if *path == change.file.path))
        };
        let (piped, files): (Vec<Changed>, Vec<Changed>) = outcome.changed.iter().cloned().partition(memory);
        let together: Vec<&[String]> = outcome.applied.iter().map(|applied| &applied.files[..]).collect();
        let failed = fix::write(&files, &together);
        for unwritten in &failed {
            output::error(&unwritten.to_string());
        }
        let written: Vec<Changed> =
            files.into_iter().filter(|f| !failed.iter().any(|u| u.name == f.file.name)).collect();
        let count = outcome
            .applied
            .iter()
            .filter(|a| !a.files.iter().any(|name| failed.iter().any(|u| u.name == *name)))
            .count();
        let changed: Vec<Changed> = piped.iter().chain(&written).cloned().collect();
        let at_least = match () {
            () if !failed.is_empty() => Exit::Unreadable,
            () if self.exit_non_zero_on_fix && count > 0 => Exit::Findings,
            () => Exit::Clean,
        };
        let at_least = at_least.max(interrupted);
        if self.fix_only {
            for input in given {
                if let Input::Bytes { bytes, path } = input {
                    let fixed = piped.iter().find(|change| change.file.path == *path).map(|change| &change.after);
                    output::raw(fixed.map_or(&bytes[..], |text| text.as_bytes()));
                }
            }
            output::note(&words(count, &changed, "fixed"));
            return Next::Done(at_least);
        }
        output::note(&words(count, &changed, "fixed"));
        // From the disk: what could not be written is reported as it lies there.
        let mut options = outcome.options;
        options.buffers = crate::source::Buffers::default();
        Next::Report(given.to_vec(), Box::new(options), at_least)
    }
}

/// What was done about fixes that an earlier run could not finish writing, because it was killed or the machine failed.
pub(super) struct Interrupted {
    /// Whether files have changed.
    pub(super) written: bool,
    /// What to exit with at least.
    pub(super) exit: Exit,
}

impl Default for Interrupted {
    fn default() -> Self {
        Self { written: false, exit: Exit::Clean }
    }
}

impl Interrupted {
    /// Finishes those that lie beside the files of this run, and says so.
    pub(super) fn finish(sources: &Sources) -> Self {
        let mut this = Self::default();
        let files = sources.all();
        // A link's file, and with it the journal, lies elsewhere.
        let paths =
            crate::source::set(files.iter().filter_map(|file| std::fs::canonicalize(file.path.as_deref()?).ok()));
        for Recovered { files, problem } in fix::recover(paths.iter().filter_map(|path| path.parent())) {
            let files: Vec<String> = files.iter().map(|name| format!("`{name}`")).collect();
            let files = files.join(", ");
            if let Some(problem) = problem {
                output::error(&format!("a fix of {files} was interrupted and cannot be finished: {problem}"));
                this.exit = Exit::Unreadable;
            } else {
                output::note(&format!("finished a fix of {files} that was interrupted"));
                this.written = true;
            }
        }
        this
    }
}

/// Says which fixes an earlier run left half written beside the files of this one, which writes nothing, and what
/// finishes them. A file that was reached through a link is not looked after, and many directories are not: listing them
/// once more would take as long as finding the files did. `--fix` looks everywhere.
pub(super) fn say_pending(sources: &Sources) {
    const MANY: usize = 32;
    let files = sources.all();
    let mut directories = BTreeSet::new();
    for directory in files.iter().filter_map(|file| file.path.as_deref()?.parent()) {
        directories.insert(directory);
        if directories.len() > MANY {
            return;
        }
    }
    let here = |path: &'_ Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    let directories: Vec<PathBuf> = directories.into_iter().map(here).collect();
    for pending in fix::pending(directories.iter().map(PathBuf::as_path)) {
        output::note(&pending.advice());
    }
}

fn print_diff(outcome: &Outcome) -> Exit {
    let style = output::style();
    let text: String = outcome.changed.iter().map(|c| report::diff(&c.file, &c.after, style)).collect();
    output::print(&text);
    output::note(&words(outcome.applied.len(), &outcome.changed, "would fix"));
    if outcome.report.summary.unreadable > 0 {
        return Exit::Unreadable;
    }
    if outcome.changed.is_empty() { Exit::Clean } else { Exit::Findings }
}

fn words(fixes: usize, changed: &[Changed], verb: &str) -> String {
    let many = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    match fixes {
        0 => format!("{verb} nothing"),
        n => format!("{verb} {} in {}", many(n, "finding"), many(changed.len(), "file")),
    }
}
