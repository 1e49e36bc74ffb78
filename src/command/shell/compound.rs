//! Lists, pipelines, conditions, loops, functions.

use std::ops::Range;
use std::rc::Rc;

use super::Shell;
use super::ast::{Block, Branch, Command, Kind, RawWord};
use super::eval::{Code, Flow, Outcome};
use super::split::shorten;
use super::state::{State, Value};
use crate::source::Reason;

/// Most words of a `for` that are gone through one by one.
const MAX_UNROLL: usize = 64;

impl Shell<'_> {
    pub(super) fn compound(&mut self, command: &Command) -> Outcome {
        let range = &command.range;
        match &command.kind {
            Kind::Simple(_) => Outcome::code(Code::Unknown),
            Kind::Chain(first, rest) => self.chain(first, rest),
            Kind::Pipeline(parts) => self.pipeline(parts),
            Kind::Not(inner) => {
                let outcome = self.run(inner);
                let code = match outcome.code {
                    Code::Zero => Code::NonZero,
                    Code::NonZero => Code::Zero,
                    Code::Assumed | Code::Unknown => Code::Unknown,
                };
                Outcome { code, ..outcome }
            }
            Kind::Group(block) => self.block(block),
            Kind::Subshell(block) => {
                let state = self.copy_state();
                let outcome = self.block(block);
                self.state = state;
                Outcome::code(outcome.code)
            }
            Kind::If(arms, otherwise) => self.condition(arms, otherwise.as_ref(), range),
            Kind::While { until, test, body } => self.while_loop(*until, test, body, range),
            Kind::For { name, words, select, body } => self.for_loop(name, words.as_deref(), *select, body, range),
            Kind::ArithmeticFor(body) => {
                self.forget_assigned(range);
                self.unknown_loop(body, None, range)
            }
            Kind::Arithmetic => {
                self.forget_assigned(range);
                Outcome::code(Code::Unknown)
            }
            Kind::Test(words) => Outcome::code(self.double_brackets(words.as_deref())),
            Kind::Case(subject, branches) => {
                let subject = self.expand_single(subject);
                let why = self.why(range);
                self.case(subject.as_known(), branches, &why)
            }
            Kind::Function(name, body) => {
                self.state.functions.insert(name.clone(), Rc::clone(body));
                Outcome::code(Code::Zero)
            }
        }
    }

    fn why(&self, range: &Range<usize>) -> Reason {
        let line = self.src[range.clone()].lines().next().unwrap_or_default();
        Reason::Shell(shorten(line))
    }

    fn chain(&mut self, first: &Command, rest: &[(bool, Command)]) -> Outcome {
        let mut outcome = self.run(first);
        for (or, right) in rest {
            if outcome.ended() {
                break;
            }
            outcome = match (or, outcome.code) {
                (false, Code::NonZero) | (true, Code::Zero) => outcome,
                (false, Code::Zero | Code::Assumed) | (true, Code::NonZero) => self.run(right),
                (or, left) => {
                    let why = self.why(&right.range);
                    let right = self.maybe(&why, |shell| shell.run(right));
                    Outcome::code(match (or, left) {
                        // Whoever gets here did not fail.
                        (true, _) if right.ended() => Code::Zero,
                        (true, Code::Assumed) => Code::Assumed,
                        (true, _) => right.code,
                        (false, _) => Code::Unknown,
                    })
                }
            };
        }
        outcome
    }

    /// Runs something that may not run at all.
    fn maybe(&mut self, why: &Reason, run: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        let before = self.copy_state();
        let outer = std::mem::replace(&mut self.context.conditional, true);
        let outcome = run(self);
        self.context.conditional = outer;
        self.rejoin(before, outcome, why);
        outcome
    }

    /// Joins the path just taken with `other`, on which nothing more happened.
    fn rejoin(&mut self, mut other: State, outcome: Outcome, why: &Reason) {
        if outcome.ended() {
            other.maybe_gone |= outcome.flow == Flow::Exit { exec: true } || self.state.maybe_gone;
            self.state = other;
            return;
        }
        self.spend(self.state.weight() * 8);
        let base = other.ops.len();
        let state = std::mem::replace(&mut self.state, State::new(&[]));
        self.state = state.merge(other, base, why);
    }

    fn pipeline(&mut self, parts: &[Command]) -> Outcome {
        let mut code = Code::Assumed;
        for part in parts {
            let state = self.copy_state();
            code = self.run(part).code;
            self.state = state;
        }
        Outcome::code(code)
    }

    /// Forgets the variables that arithmetic could set: all whose names stand in it.
    fn forget_assigned(&mut self, range: &Range<usize>) {
        let text = &self.src[range.clone()];
        let text = &text[..text.find("))").unwrap_or(text.len())];
        if !text.contains(['=', '+', '-']) {
            return;
        }
        let why = self.why(range);
        let names: Vec<String> = text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|w| crate::source::name_len(w) > 0)
            .map(str::to_owned)
            .collect();
        for name in names {
            let exported = self.exported(&name);
            self.state.forget(&name, &why, exported);
        }
    }

    fn condition(&mut self, arms: &[(Block, Block)], otherwise: Option<&Block>, range: &Range<usize>) -> Outcome {
        let Some(((test, body), rest)) = arms.split_first() else {
            return otherwise.map_or(Outcome::code(Code::Zero), |block| self.block(block));
        };
        let verdict = self.block(test);
        if verdict.ended() || self.depth > super::MAX_DEPTH {
            return verdict;
        }
        self.depth += 1;
        let outcome = match verdict.code {
            Code::Zero => self.block(body),
            Code::NonZero => self.condition(rest, otherwise, range),
            Code::Assumed | Code::Unknown => {
                let end = test.items.last().map_or(range.end, |item| item.command.range.end);
                let start = test.items.first().map_or(range.start, |item| item.command.range.start);
                let why = Reason::Shell(shorten(&format!("if {}", &self.src[start..end])));
                self.either(&why, |shell| shell.block(body), |shell| shell.condition(rest, otherwise, range))
            }
        };
        self.depth -= 1;
        outcome
    }

    /// Runs both of two ways, only one of which is taken.
    fn either(
        &mut self,
        why: &Reason,
        one: impl FnOnce(&mut Self) -> Outcome,
        two: impl FnOnce(&mut Self) -> Outcome,
    ) -> Outcome {
        let before = self.copy_state();
        let base = before.ops.len();
        let outer = std::mem::replace(&mut self.context.conditional, true);
        let first = one(self);
        let after_one = std::mem::replace(&mut self.state, before);
        let second = two(self);
        self.context.conditional = outer;
        match (first.ended(), second.ended()) {
            (true, true) => {
                let exec = [first.flow, second.flow].contains(&Flow::Exit { exec: true });
                let flow = if first.flow == second.flow { first.flow } else { Flow::Exit { exec } };
                return Outcome { flow, code: Code::Unknown };
            }
            (true, false) => {
                self.state.maybe_gone |= first.flow == Flow::Exit { exec: true } || after_one.maybe_gone;
            }
            (false, true) => {
                let gone = second.flow == Flow::Exit { exec: true } || self.state.maybe_gone;
                self.state = after_one;
                self.state.maybe_gone |= gone;
            }
            (false, false) => {
                self.spend((self.state.weight() + after_one.weight()) * 8);
                let two = std::mem::replace(&mut self.state, State::new(&[]));
                self.state = after_one.merge(two, base, why);
            }
        }
        Outcome::code(Code::Unknown)
    }

    fn case(&mut self, subject: Option<&str>, branches: &[Branch], why: &Reason) -> Outcome {
        let Some((branch, rest)) = branches.split_first() else { return Outcome::code(Code::Zero) };
        if branch.falls || self.depth > super::MAX_DEPTH {
            // `;&` goes on in the next branch: followed no further than this one.
            return self.maybe(why, |shell| shell.block(&branch.body));
        }
        let mut verdict = Some(false);
        for word in &branch.patterns {
            let any = &self.src[word.range.clone()] == "*";
            let hit = match (self.pattern(word), subject) {
                (Some(_), _) if any => Some(true),
                (Some(pattern), Some(subject)) => Some(pattern.matches(subject)),
                _ => None,
            };
            verdict = match (verdict, hit) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        self.depth += 1;
        let outcome = match verdict {
            Some(true) => self.block(&branch.body),
            Some(false) => self.case(subject, rest, why),
            None => self.either(why, |shell| shell.block(&branch.body), |shell| shell.case(subject, rest, why)),
        };
        self.depth -= 1;
        outcome
    }

    fn while_loop(&mut self, until: bool, test: &Block, body: &Block, range: &Range<usize>) -> Outcome {
        // Once for the variables that it changes, without a trace.
        let why = self.why(range);
        self.rehearse(&why, |shell| {
            shell.block(test);
            shell.block(body);
        });
        let first = self.block(test);
        if first.ended() {
            return first;
        }
        match (first.code, until) {
            (Code::Zero, false) | (Code::NonZero, true) => {
                let outcome = self.block(body);
                match outcome.flow {
                    Flow::Exit { .. } | Flow::Return => outcome,
                    // A loop without end: what follows is reached through `break` alone.
                    Flow::Next if !self.leaves(range) => Outcome::flow(Flow::Exit { exec: false }),
                    Flow::Next | Flow::Loop => Outcome::code(Code::Assumed),
                }
            }
            (Code::NonZero, false) | (Code::Zero, true) => Outcome::code(Code::Zero),
            _ => {
                self.maybe(&why, |shell| in_loop(shell.block(body)));
                Outcome::code(Code::Assumed)
            }
        }
    }

    fn for_loop(
        &mut self,
        name: &Range<usize>,
        words: Option<&[RawWord]>,
        select: bool,
        body: &Block,
        range: &Range<usize>,
    ) -> Outcome {
        let variable = self.src[name.clone()].to_owned();
        let words = match words {
            Some(raw) => {
                let mut words = Vec::new();
                for word in raw {
                    self.expand(word, &mut words);
                }
                Some(words)
            }
            None => match self.get("@") {
                Value::Array(words) => Some(words),
                _ => None,
            },
        };
        let known = words.filter(|words| {
            !select && words.len() <= MAX_UNROLL && words.iter().all(|w| w.dynamic.is_none()) && !self.leaves(range)
        });
        let Some(words) = known else {
            return self.unknown_loop(body, Some(&variable), range);
        };
        let span = self.span(name.clone());
        for word in words {
            self.assign(&variable, Value::Scalar(word), span);
            let outcome = self.block(body);
            if outcome.ended() {
                return outcome;
            }
        }
        Outcome::code(Code::Assumed)
    }

    /// A loop whose rounds are not known.
    fn unknown_loop(&mut self, body: &Block, name: Option<&str>, range: &Range<usize>) -> Outcome {
        let why = self.why(range);
        if let Some(name) = name {
            let exported = self.exported(name);
            self.state.forget(name, &why, exported);
        }
        self.rehearse(&why, |shell| {
            shell.block(body);
        });
        self.maybe(&why, |shell| in_loop(shell.block(body)));
        Outcome::code(Code::Assumed)
    }

    /// Runs something without a trace and forgets the variables that it changes: they differ from round to round.
    fn rehearse(&mut self, why: &Reason, run: impl FnOnce(&mut Self)) {
        let before = self.copy_state();
        let processes = self.out.script.processes.len();
        let errors = self.out.script.errors.len();
        run(self);
        self.out.script.processes.truncate(processes);
        self.out.script.errors.truncate(errors);
        let after = std::mem::replace(&mut self.state, before);
        self.spend(after.weight() * 8);
        self.state.forget_changes(&after, why);
    }

    /// Whether a loop holds `break` or `continue`.
    fn leaves(&self, range: &Range<usize>) -> bool {
        let text = &self.src[range.clone()];
        ["break", "continue"].iter().any(|word| {
            text.match_indices(word).any(|(at, _)| {
                let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
                edge(text[..at].chars().next_back()) && edge(text[at + word.len()..].chars().next())
            })
        })
    }
}

/// What the body of a loop does to what follows the loop.
fn in_loop(outcome: Outcome) -> Outcome {
    if outcome.flow == Flow::Loop { Outcome::code(Code::Assumed) } else { outcome }
}
