//! Blocks and simple commands.

use std::ops::Range;
use std::rc::Rc;

use super::super::program;
use super::super::{AssignKind, EnvOp, Process, Word};
use super::ast::{AssignedValue, Assignment, Block, Command, Kind, RawCommand, RawWord};
use super::state::{State, Value, Var};
use super::{Context, MAX_DEPTH, Shell};
use crate::source::{Reason, Text};

/// How a command ends, as far as it can be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Code {
    /// Succeeds.
    Zero,
    /// Fails.
    NonZero,
    /// An ordinary command: taken to succeed where commands are chained with `&&`.
    Assumed,
    /// A test: either way.
    Unknown,
}

/// Where control goes next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Flow {
    /// To the next command.
    Next,
    /// Out of the function.
    Return,
    /// To the end of the loop body, or out of the loop.
    Loop,
    /// The shell ends; whether because another program took its place.
    Exit { exec: bool },
}

/// What running a statement comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Outcome {
    pub flow: Flow,
    pub code: Code,
}

impl Outcome {
    pub const fn code(code: Code) -> Self {
        Self { flow: Flow::Next, code }
    }

    pub const fn flow(flow: Flow) -> Self {
        Self { flow, code: Code::Assumed }
    }

    pub fn ended(self) -> bool {
        self.flow != Flow::Next
    }
}

impl Shell<'_> {
    /// Runs the commands of a block, in order.
    pub(super) fn block(&mut self, block: &Block) -> Outcome {
        let mut last = Outcome::code(Code::Zero);
        for item in &block.items {
            last = if item.background { self.background(&item.command) } else { self.run(&item.command) };
            if last.ended() {
                break;
            }
        }
        last
    }

    fn background(&mut self, command: &Command) -> Outcome {
        let (state, context) = (self.copy_state(), self.context);
        self.context.background = true;
        self.run(command);
        self.state = state;
        self.context = context;
        Outcome::code(Code::Zero)
    }

    pub(super) fn copy_state(&mut self) -> State {
        self.spend(self.state.weight() * 8);
        self.state.clone()
    }

    /// Runs one command.
    pub(super) fn run(&mut self, command: &Command) -> Outcome {
        self.spend(1);
        if self.exhausted() || self.depth > MAX_DEPTH {
            return Outcome { flow: Flow::Exit { exec: false }, code: Code::Unknown };
        }
        self.depth += 1;
        let outcome = match &command.kind {
            Kind::Simple(simple) => self.simple(simple, command.range.start),
            _ => self.compound(command),
        };
        self.depth -= 1;
        outcome
    }

    fn simple(&mut self, command: &RawCommand, start: usize) -> Outcome {
        let leading = command.words.iter().take_while(|w| w.assignment.is_some()).count();
        let (assignments, words) = command.words.split_at(leading);
        let prefix: Vec<&Assignment> = assignments.iter().filter_map(|w| w.assignment.as_deref()).collect();
        if words.is_empty() {
            let mut substituted = false;
            for (word, assignment) in assignments.iter().zip(prefix) {
                substituted |= has_command(word);
                self.assign_word(assignment, word.range.clone(), false);
            }
            // The status is that of the last `$(…)`.
            return Outcome::code(if substituted { Code::Unknown } else { Code::Zero });
        }
        if let Some(name) = declaration(self.src, &words[0]) {
            return self.declare(name, &words[1..]);
        }
        let mut argv = Vec::new();
        for word in words {
            self.expand(word, &mut argv);
        }
        if argv.is_empty() {
            for (word, assignment) in assignments.iter().zip(prefix) {
                self.assign_word(assignment, word.range.clone(), false);
            }
            return Outcome::code(Code::Zero);
        }
        let prefixed = assignments.iter().zip(prefix).map(|(word, a)| (a, word.range.clone())).collect::<Vec<_>>();
        self.invoke(argv, &prefixed, start..command.end)
    }

    /// Runs a command whose words are expanded.
    pub(super) fn invoke(
        &mut self,
        argv: Vec<Word>,
        prefix: &[(&Assignment, Range<usize>)],
        range: Range<usize>,
    ) -> Outcome {
        let name = argv[0].as_known().map(str::to_owned);
        if let Some(name) = name {
            if let Some(body) = self.state.functions.get(&name).cloned() {
                return self.call(&body, &argv, prefix);
            }
            if let Some(outcome) = self.builtin(&name, &argv, &range) {
                return outcome;
            }
        }
        let ops = self.prefix_ops(prefix);
        self.process(argv, ops, range)
    }

    /// The operations of `A=b` in front of a command; later ones see earlier ones.
    fn prefix_ops(&mut self, prefix: &[(&Assignment, Range<usize>)]) -> Vec<EnvOp> {
        if prefix.is_empty() {
            return Vec::new();
        }
        let saved = self.copy_state();
        let mut ops = Vec::new();
        for (assignment, range) in prefix {
            let AssignedValue::Scalar(raw) = &assignment.value else { continue };
            let value = self.assigned_scalar(assignment, raw);
            let span = self.span(range.clone());
            ops.push(EnvOp {
                name: assignment.name.clone(),
                kind: AssignKind::Prefix,
                value: Some(value.clone()),
                span,
            });
            let var = Var { value: Value::Scalar(value), exported: true, span: Some(span) };
            self.state.vars.insert(assignment.name.clone(), Rc::new(var));
        }
        self.state = saved;
        ops
    }

    fn process(&mut self, argv: Vec<Word>, prefix: Vec<EnvOp>, range: Range<usize>) -> Outcome {
        let exec = argv[0].as_known() == Some("exec");
        let launch = program::launch(&argv);
        let mut env: Vec<EnvOp> = self.state.ops.as_ref().clone();
        env.extend(prefix);
        env.extend(launch.env);
        let env_open = self.state.env_open.clone().or(launch.env_open);
        let code = if is_test(argv.get(launch.program)) { Code::Unknown } else { Code::Assumed };
        if let Some(at) = program::shell_script(&argv[launch.program..]).map(|at| at + launch.program)
            && self.nested(&argv, launch.program, at, &env, env_open.clone())
        {
            // The nested script stands for the process.
        } else {
            let span = self.span(range);
            self.push(Process {
                argv,
                env,
                env_open,
                span,
                background: self.context.background,
                conditional: self.context.conditional || self.state.maybe_gone,
            });
        }
        if exec { Outcome::flow(Flow::Exit { exec: true }) } else { Outcome::code(code) }
    }

    /// Runs `bash -c SCRIPT`; false when the script cannot be seen.
    fn nested(&mut self, argv: &[Word], program: usize, at: usize, env: &[EnvOp], env_open: Option<Reason>) -> bool {
        let word = &argv[at];
        // What is not known in the text stands there as written and is not known to the nested shell either, except
        // for its own parameters.
        let own_parameters = word.text.contains("$@")
            || word.text.contains("$*")
            || word.text.as_bytes().windows(2).any(|w| w[0] == b'$' && w[1].is_ascii_digit());
        if word.open || (word.dynamic.is_some() && (own_parameters || word.text.starts_with('$'))) {
            return false;
        }
        let mut state = State::new(&argv[at + 1..]);
        for op in env {
            let value = op.value.clone().map_or(Value::Unset, Value::Scalar);
            let var = Var { value, exported: op.kind != AssignKind::Unset, span: Some(op.span) };
            state.vars.insert(op.name.clone(), Rc::new(var));
        }
        // Variables that the script made unknown are no better known inside.
        for (name, var) in &self.state.vars {
            if let (true, Value::Unknown(_)) = (var.exported, &var.value) {
                state.vars.insert(name.clone(), Rc::clone(var));
            }
        }
        state.ops = Rc::new(env.to_vec());
        state.env_open = env_open;
        self.spend(env.len() * 16 + word.text.len());
        let context = Context {
            conditional: self.context.conditional || self.state.maybe_gone,
            background: self.context.background,
            depth: self.depth + 1,
        };
        let outer = self.out.wrappers.len();
        self.out.wrappers.extend(argv[..program].iter().cloned());
        let text: Text = word.text.clone();
        super::run(&text, program::dialect(&argv[program]), self.lookup, state, self.out, context);
        self.out.wrappers.truncate(outer);
        true
    }

    /// Calls a function.
    fn call(&mut self, body: &Command, argv: &[Word], prefix: &[(&Assignment, Range<usize>)]) -> Outcome {
        let positional = self.state.positional.take();
        let ops = self.prefix_ops(prefix);
        let saved: Vec<_> = ops.iter().map(|op| (op.name.clone(), self.state.vars.get(&op.name).cloned())).collect();
        let ops_before = self.state.ops.len();
        for op in ops {
            let var = Var {
                value: op.value.clone().map_or(Value::Unset, Value::Scalar),
                exported: true,
                span: Some(op.span),
            };
            self.state.vars.insert(op.name.clone(), Rc::new(var));
            self.state.push_op(op);
        }
        let mut own = vec![positional.as_ref().and_then(|p| p.first().cloned()).unwrap_or_else(|| argv[0].clone())];
        own.extend_from_slice(&argv[1..]);
        self.state.positional = Some(Rc::new(own));
        let frame = self.begin_frame();
        let mut outcome = self.run(body);
        self.end_frame(frame);
        if !saved.is_empty() {
            // `A=b` in front of a call holds for the call alone.
            let ops = Rc::make_mut(&mut self.state.ops);
            let end = (ops_before + saved.len()).min(ops.len());
            ops.drain(ops_before.min(end)..end);
        }
        for (name, var) in saved {
            match var {
                Some(var) => self.state.vars.insert(name, var),
                None => self.state.vars.remove(&name),
            };
        }
        self.state.positional = positional;
        if outcome.flow == Flow::Return {
            outcome.flow = Flow::Next;
        }
        outcome
    }
}

fn has_command(word: &RawWord) -> bool {
    use super::ast::Part;
    word.all_parts().iter().any(|p| matches!(p, Part::Command { .. }))
}

/// The name of a builtin whose arguments are assignments.
fn declaration<'s>(src: &'s str, word: &RawWord) -> Option<&'s str> {
    let text = &src[word.range.clone()];
    matches!(text, "export" | "declare" | "typeset" | "local" | "readonly").then_some(text)
}

/// Whether a program is run for its verdict.
fn is_test(program: Option<&Word>) -> bool {
    const TESTS: &[&str] = &["test", "[", "grep", "egrep", "fgrep", "pgrep", "which", "diff", "cmp", "nc"];
    program.and_then(Word::as_known).is_some_and(|p| TESTS.contains(&program::basename(p)))
}
