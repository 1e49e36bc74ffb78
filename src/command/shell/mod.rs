//! `sh -c` scripts, read and run as far as they can be known.
//!
//! The grammar is that of `brush-parser` ([`parser`]). Words are ours, as nothing else knows where each byte of one comes
//! from: `lexer` and `param` take them apart, `tokens` shows the crate as much of them as its grammar looks at, `adapter`
//! puts them back into the tree that it makes, and `eval` with what is called from there runs that.

mod adapter;
mod arith;
mod ast;
mod bash;
mod brace;
mod builtin;
mod compound;
mod declare;
mod eval;
mod expand;
mod lexer;
mod listing;
mod nesting;
mod param;
mod parser;
mod pattern;
mod skip;
mod split;
mod state;
mod stray;
mod syntax;
mod test;
mod tokens;
mod value;
mod variable;
mod visit;

pub use self::bash::{Bash, Effect, bash_only};
pub use self::listing::{Call, Function, Listing, listing};
use self::state::State;
pub use self::stray::{Slip, slips};
use self::syntax::SyntaxError;
use super::{Dialect, Process, Script, Word};
use crate::source::{Reason, Span, Text};

/// What a variable is before the script starts: `None` when unset.
pub type Lookup<'a> = dyn Fn(&str) -> Option<Word> + 'a;

/// Longest script that is read, in bytes.
const MAX_SCRIPT: usize = 256 * 1024;
/// Most processes that a script comes to.
const MAX_PROCESSES: usize = 1024;
/// How deep statements, functions and nested scripts may go.
const MAX_DEPTH: u32 = 60;
/// Work that a script may cause, in rough units of bytes copied.
const FUEL: usize = 4 << 20;

/// Evaluates a script as far as it can be known: which simple commands run, with which words and environment.
/// `dialect` is the shell that runs it, `lookup` gives the container's environment; `positional` are the words after the script (`$0`, `$1`, …).
///
/// A variable that neither the script nor `lookup` sets is not known, because the image may set it. Words made of
/// literal text and variables map to the script; a word that is one variable (or `--flag=` and one variable) keeps the
/// provenance of the value. A script longer than 256 KiB comes to nothing.
#[must_use]
pub fn script(text: &Text, dialect: Dialect, lookup: &Lookup<'_>, positional: &[Word]) -> Script {
    let mut out = Output { script: Script::default(), fuel: FUEL, wrappers: Vec::new() };
    run(text, dialect, lookup, State::new(positional), &mut out, Context::default());
    out.script
}

/// What the shell cannot parse in a script, without running it. `bash -n` is the measure.
#[must_use]
pub fn syntax_errors(text: &Text) -> Vec<(Span, String)> {
    let src = text.as_str();
    let error = if src.len() > MAX_SCRIPT { None } else { parser::parse(src).1.clone() };
    let certain = error.into_iter().filter(SyntaxError::certain);
    certain.map(|error| (text.slice_span(error.range), error.message)).collect()
}

/// What a script inherits from where it is started.
#[derive(Clone, Copy, Default)]
struct Context {
    conditional: bool,
    background: bool,
    depth: u32,
}

/// What is collected while scripts run.
struct Output {
    script: Script,
    /// Work that may still be done.
    fuel: usize,
    /// Words in front of a nested `bash -c`, which stay in front of what it runs.
    wrappers: Vec<Word>,
}

fn run(text: &Text, dialect: Dialect, lookup: &Lookup<'_>, state: State, out: &mut Output, context: Context) {
    let src = text.as_str();
    if src.len() > MAX_SCRIPT || context.depth > MAX_DEPTH {
        return;
    }
    let parsed = parser::parse(src);
    let (block, error) = &*parsed;
    let (certain, rest) = match error.clone() {
        Some(error) if !error.certain() => (None, Some(error.range)),
        error => (error, None),
    };
    out.script.errors.extend(certain.map(|error| (text.slice_span(error.range), error.message)));
    let depth = context.depth;
    let mut shell = Shell { text, src, dialect, lookup, state, out, context, depth, locals: Vec::new(), frames: false };
    let outcome = shell.block(block);
    if let Some(rest) = rest.filter(|_| !outcome.ended()) {
        shell.unread(rest);
    }
}

/// A shell that runs one script.
struct Shell<'a> {
    text: &'a Text,
    src: &'a str,
    dialect: Dialect,
    lookup: &'a Lookup<'a>,
    state: State,
    out: &'a mut Output,
    context: Context,
    depth: u32,
    /// Variables that the running function made local.
    locals: declare::Frame,
    /// Whether a function is running.
    frames: bool,
}

impl Shell<'_> {
    fn spend(&mut self, work: usize) {
        self.out.fuel = self.out.fuel.saturating_sub(work + 1);
    }

    fn exhausted(&self) -> bool {
        self.out.fuel == 0 || self.out.script.processes.len() >= MAX_PROCESSES
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        self.text.slice_span(range)
    }

    /// Stands for commands that could not be read: some process with some environment.
    fn unread(&mut self, range: std::ops::Range<usize>) {
        let line = range.start..self.src[range.start..].find('\n').map_or(range.end, |len| range.start + len);
        let reason = Reason::Shell(split::shorten(&self.src[line.clone()]));
        self.push(Process {
            argv: vec![Word { text: self.text.slice(line.clone()), dynamic: Some(reason.clone()), open: true }],
            env: self.state.ops.as_ref().clone(),
            env_open: Some(reason),
            span: self.span(line),
            background: self.context.background,
            conditional: true,
        });
    }

    fn push(&mut self, mut process: Process) {
        self.spend(process.argv.len() + process.env.len() * 16);
        if self.exhausted() {
            return;
        }
        if !self.out.wrappers.is_empty() {
            process.argv.splice(0..0, self.out.wrappers.iter().cloned());
        }
        self.out.script.processes.push(process);
    }
}

#[cfg(test)]
mod tests;
