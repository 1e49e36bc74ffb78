//! `sh -c` scripts: tree-sitter-bash gives their structure, this room reads and runs them as far as they can be known.

mod arith;
mod builtin;
mod compound;
mod errors;
mod eval;
mod expand;
mod lexer;
mod param;
mod pattern;
mod skip;
mod state;
mod test;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use self::state::State;
use super::{Process, Script, Word};
use crate::source::{Span, Text};

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
/// `lookup` gives the container's environment; `positional` are the words after the script (`$0`, `$1`, …).
///
/// A variable that neither the script nor `lookup` sets is not known, because the image may set it. Words made of
/// literal text and variables map to the script; a word that is one variable (or `--flag=` and one variable) keeps the
/// provenance of the value. A script longer than 256 KiB comes to nothing.
#[must_use]
pub fn script(text: &Text, lookup: &Lookup<'_>, positional: &[Word]) -> Script {
    let mut out = Output { script: Script::default(), fuel: FUEL, wrappers: Vec::new() };
    run(text, lookup, State::new(positional), &mut out, Context::default());
    out.script
}

/// What the shell cannot parse in a script, without running it.
#[must_use]
pub fn syntax_errors(text: &Text) -> Vec<(Span, String)> {
    let src = text.as_str();
    let tree = if src.len() > MAX_SCRIPT { None } else { parse(src) };
    let errors = tree.map(|tree| errors::collect(src, &tree).0).unwrap_or_default();
    errors.into_iter().map(|(range, message)| (text.slice_span(range), message)).collect()
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

fn run(text: &Text, lookup: &Lookup<'_>, state: State<'_>, out: &mut Output, context: Context) {
    let src = text.as_str();
    if src.len() > MAX_SCRIPT || context.depth > MAX_DEPTH {
        return;
    }
    let Some(tree) = parse(src) else { return };
    let (errors, limit) = errors::collect(src, &tree);
    out.script.errors.extend(errors.into_iter().map(|(range, message)| (text.slice_span(range), message)));
    let State { vars, ops, positional, env_open, .. } = state;
    // Functions belong to the tree they are written in.
    let state = State { vars, ops, env_open, ..State::new(positional.as_deref().map_or(&[], Vec::as_slice)) };
    let mut shell = Shell {
        text,
        src,
        lookup,
        state,
        out,
        context,
        limit,
        depth: context.depth,
        locals: Vec::new(),
        frames: false,
    };
    shell.statements(tree.root_node());
}

/// Scripts whose trees a thread keeps: the resolver and the rules look at the same ones, and a recipe's workers often
/// run the same.
const KEPT: usize = 16;

/// Parses with a parser that the thread keeps, once for each of the last few scripts.
fn parse(src: &str) -> Option<Tree> {
    thread_local! {
        static TREES: RefCell<VecDeque<(Box<str>, Tree)>> = const { RefCell::new(VecDeque::new()) };
    }
    let known = TREES.with_borrow(|trees| trees.iter().find(|(text, _)| **text == *src).map(|(_, tree)| tree.clone()));
    if known.is_some() {
        return known;
    }
    let tree = parse_anew(src)?;
    TREES.with_borrow_mut(|trees| {
        trees.truncate(KEPT - 1);
        trees.push_front((src.into(), tree.clone()));
    });
    Some(tree)
}

fn parse_anew(src: &str) -> Option<Tree> {
    thread_local! {
        static PARSER: RefCell<Parser> = RefCell::new({
            let mut parser = Parser::new();
            // Only fails for a grammar of another ABI, which the tests would show.
            let _ = parser.set_language(&tree_sitter_bash::LANGUAGE.into());
            parser
        });
    }
    PARSER.with_borrow_mut(|parser| {
        let mut calls = 0u32;
        let mut progress = |_: &tree_sitter::ParseState| {
            calls += 1;
            if calls > 20_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let options = ParseOptions::new().progress_callback(&mut progress);
        let tree = parser.parse_with_options(&mut |at, _| &src.as_bytes()[at.min(src.len())..], None, Some(options));
        if tree.is_none() {
            parser.reset();
        }
        tree
    })
}

/// A shell that runs one script.
struct Shell<'t, 'a> {
    text: &'a Text,
    src: &'a str,
    lookup: &'a Lookup<'a>,
    state: State<'t>,
    out: &'a mut Output,
    context: Context,
    /// Where the first thing that cannot be parsed begins: a shell stops there.
    limit: usize,
    depth: u32,
    /// Variables that the running function made local.
    locals: builtin::Frame,
    /// Whether a function is running.
    frames: bool,
}

impl Shell<'_, '_> {
    fn spend(&mut self, work: usize) {
        self.out.fuel = self.out.fuel.saturating_sub(work + 1);
    }

    fn exhausted(&self) -> bool {
        self.out.fuel == 0 || self.out.script.processes.len() >= MAX_PROCESSES
    }

    fn span(&self, range: std::ops::Range<usize>) -> Span {
        self.text.slice_span(range)
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

/// Children of a node, in order.
fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

#[cfg(test)]
mod tests;
