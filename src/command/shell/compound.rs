//! Lists, pipelines, conditions, loops, functions.

use tree_sitter::Node;

use super::eval::{Code, Flow, Outcome};
use super::expand::shorten;
use super::lexer::Lexer;
use super::state::Value;
use super::{Shell, children};
use crate::source::Reason;

/// Most words of a `for` that are gone through one by one.
const MAX_UNROLL: usize = 64;

impl<'t> Shell<'t, '_> {
    pub(super) fn compound(&mut self, node: Node<'t>, kind: &str) -> Outcome {
        match kind {
            "list" => self.list(node),
            "pipeline" => self.pipeline(node),
            "negated_command" => self.negated(node),
            "compound_statement" => self.group(node),
            "subshell" => {
                let state = self.copy_state();
                let outcome = self.statements(node);
                self.state = state;
                Outcome { flow: Flow::Next, code: outcome.code }
            }
            "if_statement" => self.condition(&children(node)),
            "case_statement" => self.case(node),
            "while_statement" => self.while_loop(node),
            "for_statement" => self.for_loop(node),
            "c_style_for_statement" => self.unknown_loop(node.child_by_field_name("body"), node, &[], true),
            "function_definition" => {
                if let (Some(name), Some(body)) = (node.child_by_field_name("name"), node.child_by_field_name("body")) {
                    self.state.functions.insert(self.src[name.byte_range()].to_owned(), body);
                }
                Outcome::code(Code::Zero)
            }
            _ => Outcome::code(Code::Unknown),
        }
    }

    fn why(&self, node: Node<'_>) -> Reason {
        let line = self.src[node.byte_range()].lines().next().unwrap_or_default();
        Reason::Shell(shorten(line))
    }

    fn list(&mut self, node: Node<'t>) -> Outcome {
        let parts: Vec<_> = children(node).into_iter().filter(|n| !n.is_extra()).collect();
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return Outcome::code(Code::Unknown) };
        let (mut outcome, mut consumed) = self.statement(first);
        let mut or = None;
        for part in parts {
            match part.kind() {
                "||" => or = Some(true),
                "&&" => or = Some(false),
                _ if part.start_byte() < consumed || outcome.ended() => {}
                _ => {
                    if let Some(or) = or.take() {
                        outcome = self.chain(outcome, or, part);
                        consumed = part.end_byte();
                    }
                }
            }
        }
        outcome
    }

    /// What stands behind `&&` or `||`.
    pub(super) fn chain(&mut self, left: Outcome, or: bool, right: Node<'t>) -> Outcome {
        if left.ended() {
            return left;
        }
        match (or, left.code) {
            (false, Code::NonZero) | (true, Code::Zero) => left,
            (false, Code::Zero | Code::Assumed) | (true, Code::NonZero) => self.statement(right).0,
            (_, Code::Assumed | Code::Unknown) => {
                let why = self.why(right);
                let outcome = self.maybe(&why, |shell| shell.statement(right).0);
                let code = match (or, left.code) {
                    (true, _) if outcome.ended() => Code::Zero,
                    (true, Code::Assumed) => Code::Assumed,
                    (true, _) => outcome.code,
                    (false, _) => Code::Unknown,
                };
                Outcome::code(code)
            }
        }
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
    fn rejoin(&mut self, mut other: super::State<'t>, outcome: Outcome, why: &Reason) {
        if outcome.ended() {
            other.maybe_gone |= outcome.flow == Flow::Exit { exec: true } || self.state.maybe_gone;
            self.state = other;
            return;
        }
        self.spend(self.state.weight() * 8);
        let base = other.ops.len();
        let state = std::mem::replace(&mut self.state, super::State::new(&[]));
        self.state = state.merge(other, base, why);
    }

    fn pipeline(&mut self, node: Node<'t>) -> Outcome {
        let mut code = Code::Assumed;
        let mut negated = false;
        let mut consumed = 0;
        for child in children(node).into_iter().filter(|n| n.is_named() && !n.is_extra()) {
            if child.start_byte() < consumed {
                continue;
            }
            let state = self.copy_state();
            let (outcome, end) = self.statement(child);
            self.state = state;
            consumed = end;
            negated |= child.kind() == "negated_command";
            code = outcome.code;
        }
        Outcome::code(if negated { Code::Unknown } else { code })
    }

    fn negated(&mut self, node: Node<'t>) -> Outcome {
        let outcome = self.statements(node);
        let code = match outcome.code {
            Code::Zero => Code::NonZero,
            Code::NonZero => Code::Zero,
            Code::Assumed | Code::Unknown => Code::Unknown,
        };
        Outcome { code, ..outcome }
    }

    fn group(&mut self, node: Node<'t>) -> Outcome {
        if node.child(0).is_some_and(|n| n.kind() == "((") {
            self.forget_assigned(node);
            return Outcome::code(Code::Unknown);
        }
        self.statements(node)
    }

    /// Forgets the variables that an arithmetic command could set: all whose names stand in it.
    fn forget_assigned(&mut self, node: Node<'_>) {
        let text = &self.src[node.byte_range()];
        if !text.contains(['=', '+', '-']) {
            return;
        }
        let why = self.why(node);
        let names: Vec<String> = text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|w| super::param::name_len(w) > 0)
            .map(str::to_owned)
            .collect();
        for name in names {
            let exported = self.exported(&name);
            self.state.forget(&name, &why, exported);
        }
    }

    /// `if` and `elif`: children from the keyword on.
    fn condition(&mut self, parts: &[Node<'t>]) -> Outcome {
        let then = parts.iter().position(|n| n.kind() == "then").unwrap_or(parts.len());
        let test = self.sequence(&parts[1.min(then)..then]);
        if test.ended() {
            return test;
        }
        let rest = &parts[(then + 1).min(parts.len())..];
        let split = rest.iter().position(|n| matches!(n.kind(), "elif_clause" | "else_clause" | "fi"));
        let (body, clauses) = rest.split_at(split.unwrap_or(rest.len()));
        match test.code {
            Code::Zero => self.sequence(body),
            Code::NonZero => self.otherwise(clauses),
            Code::Assumed | Code::Unknown => {
                let why = parts.first().map_or_else(
                    || Reason::Shell("if".to_owned()),
                    |n| {
                        let end = parts.get(then).map_or(n.end_byte(), Node::start_byte);
                        Reason::Shell(shorten(&self.src[n.start_byte()..end]))
                    },
                );
                self.either(&why, |shell| shell.sequence(body), |shell| shell.otherwise(clauses))
            }
        }
    }

    fn otherwise(&mut self, clauses: &[Node<'t>]) -> Outcome {
        let Some((first, rest)) = clauses.split_first() else { return Outcome::code(Code::Zero) };
        match first.kind() {
            "elif_clause" => {
                let mut parts = children(*first);
                parts.extend_from_slice(rest);
                self.condition(&parts)
            }
            "else_clause" => {
                let parts = children(*first);
                self.sequence(parts.get(1..).unwrap_or_default())
            }
            _ => Outcome::code(Code::Zero),
        }
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
                let two = std::mem::replace(&mut self.state, super::State::new(&[]));
                self.state = after_one.merge(two, base, why);
            }
        }
        Outcome::code(Code::Unknown)
    }

    fn case(&mut self, node: Node<'t>) -> Outcome {
        let Some(value) = node.child_by_field_name("value") else { return Outcome::code(Code::Unknown) };
        let subject = Lexer::new(self.src, value.start_byte()).word().ok().map(|word| self.expand_single(&word));
        let items: Vec<Node<'t>> = children(node).into_iter().filter(|n| n.kind() == "case_item").collect();
        let why = self.why(node);
        self.case_items(subject.as_ref().and_then(|w| w.as_known()), &items, &why)
    }

    fn case_items(&mut self, subject: Option<&str>, items: &[Node<'t>], why: &Reason) -> Outcome {
        let Some((item, rest)) = items.split_first() else { return Outcome::code(Code::Zero) };
        if item.child_by_field_name("fallthrough").is_some() || self.depth > super::MAX_DEPTH {
            // `;&` goes on in the next branch: rare enough to follow no further than this branch.
            return self.maybe(why, |shell| shell.statements(*item));
        }
        let mut cursor = item.walk();
        let values: Vec<Node<'t>> = item.children_by_field_name("value", &mut cursor).collect();
        let mut verdict = Some(false);
        for value in values {
            let pattern = Lexer::new(self.src, value.start_byte()).word().ok().and_then(|word| {
                let any = &self.src[word.range.clone()] == "*";
                let pattern = self.pattern(&word)?;
                Some((pattern, any))
            });
            let hit = match (pattern, subject) {
                (Some((_, true)), _) => Some(true),
                (Some((pattern, _)), Some(subject)) => Some(pattern.matches(subject)),
                _ => None,
            };
            verdict = match (verdict, hit) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
        }
        let body: Vec<Node<'t>> = case_body(*item);
        match verdict {
            Some(true) => self.sequence(&body),
            Some(false) => self.case_items(subject, rest, why),
            None => {
                self.depth += 1;
                let outcome =
                    self.either(why, |shell| shell.sequence(&body), |shell| shell.case_items(subject, rest, why));
                self.depth -= 1;
                outcome
            }
        }
    }

    fn while_loop(&mut self, node: Node<'t>) -> Outcome {
        let parts = children(node);
        let until = parts.first().is_some_and(|n| n.kind() == "until");
        let body = node.child_by_field_name("body");
        let test: Vec<Node<'t>> = parts.into_iter().skip(1).take_while(|n| n.kind() != "do_group").collect();
        // Once for the variables that it changes, without a trace.
        let why = self.why(node);
        self.rehearse(&why, |shell| {
            shell.sequence(&test);
            if let Some(body) = body {
                shell.statements(body);
            }
        });
        let first = self.sequence(&test);
        if first.ended() {
            return first;
        }
        let enters = match (first.code, until) {
            (Code::Zero, false) | (Code::NonZero, true) => Some(true),
            (Code::NonZero, false) | (Code::Zero, true) => Some(false),
            _ => None,
        };
        match (enters, body) {
            (Some(false), _) | (_, None) => Outcome::code(Code::Zero),
            (Some(true), Some(body)) => {
                let outcome = self.statements(body);
                match outcome.flow {
                    Flow::Exit { .. } | Flow::Return => outcome,
                    // A loop without end: what follows is reached through `break` alone.
                    Flow::Next if !leaves(body, self.src) => Outcome::flow(Flow::Exit { exec: false }),
                    Flow::Next | Flow::Loop => Outcome::code(Code::Assumed),
                }
            }
            (None, Some(body)) => {
                self.maybe(&why, |shell| in_loop(shell.statements(body)));
                Outcome::code(Code::Assumed)
            }
        }
    }

    fn for_loop(&mut self, node: Node<'t>) -> Outcome {
        let parts = children(node);
        let (Some(variable), Some(body)) = (node.child_by_field_name("variable"), node.child_by_field_name("body"))
        else {
            return Outcome::code(Code::Unknown);
        };
        let name = self.src[variable.byte_range()].to_owned();
        let select = parts.first().is_some_and(|n| n.kind() == "select");
        let words = if let Some(keyword) = parts.iter().find(|n| n.kind() == "in") {
            let Ok(raw) = Lexer::new(self.src, keyword.end_byte()).words() else { return Outcome::code(Code::Unknown) };
            let mut words = Vec::new();
            for word in &raw {
                self.expand(word, &mut words);
            }
            Some(words)
        } else {
            match self.get("@") {
                Value::Array(words) => Some(words),
                _ => None,
            }
        };
        let known = words.as_ref().filter(|words| {
            !select && words.len() <= MAX_UNROLL && words.iter().all(|w| w.dynamic.is_none()) && !leaves(body, self.src)
        });
        let Some(words) = known else {
            return self.unknown_loop(Some(body), node, &[name], false);
        };
        let span = self.span(variable.byte_range());
        for word in words {
            self.assign(&name, Value::Scalar(word.clone()), span);
            let outcome = self.statements(body);
            if outcome.ended() {
                return outcome;
            }
        }
        Outcome::code(Code::Assumed)
    }

    /// A loop whose rounds are not known.
    fn unknown_loop(&mut self, body: Option<Node<'t>>, node: Node<'t>, names: &[String], arithmetic: bool) -> Outcome {
        let Some(body) = body else { return Outcome::code(Code::Unknown) };
        let why = self.why(node);
        if arithmetic {
            self.forget_assigned(node);
        }
        for name in names {
            let exported = self.exported(name);
            self.state.forget(name, &why, exported);
        }
        self.rehearse(&why, |shell| {
            shell.statements(body);
        });
        self.maybe(&why, |shell| in_loop(shell.statements(body)));
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
}

/// What the body of a loop does to what follows the loop.
fn in_loop(outcome: Outcome) -> Outcome {
    if outcome.flow == Flow::Loop { Outcome::code(Code::Assumed) } else { outcome }
}

/// Statements of a `case` branch.
fn case_body(item: Node<'_>) -> Vec<Node<'_>> {
    children(item).into_iter().skip_while(|n| n.kind() != ")").skip(1).collect()
}

/// Whether a loop body holds `break` or `continue`.
fn leaves(body: Node<'_>, src: &str) -> bool {
    let text = &src[body.byte_range()];
    ["break", "continue"].iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let edge = |c: Option<char>| c.is_none_or(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
            edge(text[..at].chars().next_back()) && edge(text[at + word.len()..].chars().next())
        })
    })
}
