//! From `command`, `args` and `sh -c` scripts to processes: argv and environment operations, with spans inside block
//! scalars; JSON and YAML inside strings. Knows nothing about what a flag means.

mod flags;
pub mod json;
mod kubelet;
mod program;
mod shell;

pub use flags::{Args, Flag};
pub use kubelet::kubelet_expand;
pub use program::is_shell;
pub use shell::{
    Bash, Call, Effect, Function, Listing, Lookup, Slip, bash_only, listing, script, slips, syntax_errors,
};

use crate::source::{Reason, Span, Text};

/// One word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text. What cannot be known is left as written (`${VAR}`, `$(cmd)`).
    pub text: Text,
    /// Why (part of) it cannot be known.
    pub dynamic: Option<Reason>,
    /// Whether it may come to any number of words, none included: an unquoted `$VAR` or `$(cmd)`, a `"$@"` or array that
    /// cannot be known. Never set on a known word.
    pub open: bool,
}

impl Word {
    /// A word known in full.
    #[must_use]
    pub const fn known(text: Text) -> Self {
        Self { text, dynamic: None, open: false }
    }

    /// One word (never more or fewer) of which some part cannot be known.
    #[must_use]
    pub const fn unknown(text: Text, reason: Reason) -> Self {
        Self { text, dynamic: Some(reason), open: false }
    }

    /// The text when all of it is known.
    #[must_use]
    pub fn as_known(&self) -> Option<&str> {
        self.dynamic.is_none().then(|| self.text.as_str())
    }

    /// Where it stands in the manifest, quotes excluded: the place of a variable's value when the word is that value
    /// and nothing else, the use otherwise.
    #[must_use]
    pub fn span(&self) -> Span {
        let whole = self.text.whole();
        let inside = |span: Span| span.file == whole.file && whole.start <= span.start && span.end <= whole.end;
        let mut pieces = self.text.pieces().iter();
        let first = pieces.next().is_none_or(|p| inside(p.span));
        if pieces.all(|p| inside(p.span) == first) { self.text.span() } else { whole }
    }
}

/// How a shell sets or removes a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignKind {
    /// `export A=b` (or an assignment to a variable that is exported already, or `set -a`).
    Export,
    /// `A=b command`: for that command alone.
    Prefix,
    /// `unset A`, `env -u A`.
    Unset,
}

/// A change that a script makes to the environment of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvOp {
    /// The variable.
    pub name: String,
    /// How.
    pub kind: AssignKind,
    /// The value; none for `unset`.
    pub value: Option<Word>,
    /// The whole assignment (`A=b`) or the name in `unset A`.
    pub span: Span,
}

/// One process that a container starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its words, program first. Wrappers (`exec`, `env`, `nohup`, `numactl …`, `mpirun …`, `trtllm-llmapi-launch`) are
    /// still in front; see [`Process::program`].
    pub argv: Vec<Word>,
    /// Changes to the container's environment in force when it starts, in order.
    pub env: Vec<EnvOp>,
    /// Why the script may have changed the environment in ways that cannot be seen (`source FILE`, `eval`, `env -i`).
    pub env_open: Option<Reason>,
    /// The command as written.
    pub span: Span,
    /// Started with `&`.
    pub background: bool,
    /// Runs only on a condition that cannot be decided (`if`, `||`, a loop).
    pub conditional: bool,
}

impl Process {
    /// A process started without a shell; `env A=b`, `env -u A` and `mpirun -x A=b` in front count as its environment.
    #[must_use]
    pub fn new(argv: Vec<Word>, span: Span) -> Self {
        let program::Launch { env, env_open, .. } = program::launch(&argv);
        Self { argv, env, env_open, span, background: false, conditional: false }
    }

    /// Index of the word that names the program, behind `exec`, `env A=b`, `nohup`, `numactl …` and the like; the last
    /// word when there is nothing behind them.
    #[must_use]
    pub fn program(&self) -> usize {
        program::launch(&self.argv).program
    }

    /// Index of the script when the program is a shell that runs one: `sh -c SCRIPT`, also `-lc`, `-o pipefail -c`.
    #[must_use]
    pub fn shell_script(&self) -> Option<usize> {
        let program = self.program();
        program::shell_script(self.argv.get(program..)?).map(|at| at + program)
    }

    /// Index of the word that names a file when the process runs one: `bash [-e] FILE`, or a program by its path.
    #[must_use]
    pub fn script_file(&self) -> Option<usize> {
        let program = self.program();
        program::script_file(self.argv.get(program..)?).map(|at| at + program)
    }

    /// The shell that runs the file of [`Process::script_file`]: the one in front of it, or the one its first line names;
    /// none when that is no shell.
    #[must_use]
    pub fn dialect_of_file(&self, text: &str) -> Option<Dialect> {
        let program = self.argv.get(self.program())?;
        if program::is_shell(program.as_known()?) {
            return Some(program::dialect(program));
        }
        let line = text.strip_prefix("#!")?.lines().next()?;
        let shell = line.split_whitespace().find(|word| program::is_shell(word))?;
        Some(program::dialect_named(shell))
    }

    /// The shell that runs the script of [`Process::shell_script`].
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.argv.get(self.program()).map_or(Dialect::Other, program::dialect)
    }

    /// The module run by `python3 -m MODULE`, with the index of the first word after it.
    #[must_use]
    pub fn python_module(&self) -> Option<(&Word, usize)> {
        program::python_module(&self.argv)
    }
}

/// How a shell differs from others where it matters to what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `bash`.
    Bash,
    /// `sh`, `dash`, `ash`: no brace expansion. The images that Dynamo releases are Ubuntu's, whose `sh` is dash.
    Posix,
    /// Another, or not known which.
    Other,
}

/// What a script comes to.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Simple commands in the order they would run, builtins (`set`, `ulimit`, `cd`, `echo`, `export`) excluded.
    pub processes: Vec<Process>,
    /// What in the script no shell can parse. (What only the parser cannot read stands among the processes, as one of which
    /// nothing is known.)
    pub errors: Vec<(Span, String)>,
}
