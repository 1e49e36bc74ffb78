//! `export`, `declare`, `readonly`, `local`, and the variables that a function call hides.

use std::rc::Rc;

use super::super::{AssignKind, EnvOp, Word};
use super::Shell;
use super::ast::RawWord;
use super::eval::{Code, Outcome};
use super::state::{Value, Var};
use crate::source::{Reason, Span, Text, name_len};

/// Variables as they were before a function made them local.
pub(super) type Frame = Vec<(String, Option<Rc<Var>>)>;

impl Shell<'_> {
    /// `export A=b C`, `declare -x`, `readonly`, `local`.
    pub(super) fn declare(&mut self, name: &str, words: &[RawWord]) -> Outcome {
        let mut mode = Declare::of(name, !self.frames);
        for word in words {
            // `export A={a,b}` is `export A=a A=b` to bash.
            let braced = |shell: &Self| {
                word.assignment.is_some()
                    && shell.src[word.range.clone()].contains('{')
                    && !matches!(shell.braces(&word.all_parts()), Ok(None))
            };
            if let Some(assignment) = word.assignment.as_deref().filter(|_| !braced(self)) {
                let target = assignment.name.clone();
                if mode.integer {
                    self.forget(&target, name);
                    continue;
                }
                let at_name = self.span(assignment.name_range.clone());
                if mode.export == Some(true) && !self.exported(&target) {
                    // Exported first, so that the assignment reaches the environment.
                    self.mark_exported(&target, None);
                }
                self.assign_word(assignment, word.range.clone(), mode.local);
                if mode.export == Some(false) {
                    self.mark_not_exported(&target, at_name);
                }
                continue;
            }
            let mut expanded = Vec::new();
            self.expand(word, &mut expanded);
            for word in expanded {
                match word.as_known() {
                    Some(text) if text.starts_with(['-', '+']) => mode.option(text),
                    _ => self.declare_name(&word, &mode),
                }
            }
        }
        Outcome::code(Code::Zero)
    }

    /// A word of `export` that came out of an expansion.
    pub(super) fn declare_word(&mut self, name: &str, word: &Word) {
        let mode = Declare::of(name, true);
        self.declare_name(word, &mode);
    }

    fn declare_name(&mut self, word: &Word, mode: &Declare) {
        let text = word.text.as_str();
        let len = name_len(text);
        if len == 0 {
            if word.dynamic.is_some() && mode.export == Some(true) {
                // `export $(cat file)`: any variable.
                self.state.env_open = self.state.env_open.take().or_else(|| word.dynamic.clone());
            }
            return;
        }
        let name = &text[..len];
        if mode.functions {
            return;
        }
        let span = word.span();
        if text[len..].starts_with('=') {
            let value = Word { text: word.text.slice(len + 1..text.len()), dynamic: word.dynamic.clone(), open: false };
            if mode.export == Some(true) {
                self.mark_exported(name, None);
            }
            self.assign(name, Value::Scalar(value), span);
            return;
        }
        if mode.local {
            self.make_local(name);
            let var = Var { value: Value::Unset, exported: self.exported(name), span: Some(span) };
            self.state.vars.insert(name.to_owned(), Rc::new(var));
            return;
        }
        match mode.export {
            Some(true) => self.mark_exported(name, Some(span)),
            Some(false) => self.mark_not_exported(name, span),
            None if mode.array && !self.state.vars.contains_key(name) => {
                let value = if mode.map {
                    Value::Unknown(Reason::Shell(format!("${{{name}[…]}}")))
                } else {
                    Value::Array(Vec::new())
                };
                self.state.vars.insert(name.to_owned(), Rc::new(Var { value, exported: false, span: Some(span) }));
            }
            None => {}
        }
    }

    /// Puts a variable into the environment; `span` when its value goes there now.
    fn mark_exported(&mut self, name: &str, span: Option<Span>) {
        let Some(var) = self.state.vars.get(name) else {
            if (self.lookup)(name).is_none() {
                let value = Value::Unknown(Reason::Variable(name.to_owned()));
                self.state.vars.insert(name.to_owned(), Rc::new(Var { value, exported: true, span }));
            }
            return;
        };
        if var.exported {
            return;
        }
        let mut var = Var::clone(var);
        var.exported = true;
        if let Some(span) = span {
            let value = match &var.value {
                Value::Scalar(word) => Some(word.clone()),
                Value::Unknown(reason) => Some(Word::unknown(Text::opaque(format!("${name}"), span), reason.clone())),
                Value::Array(_) | Value::Unset => None,
            };
            if let Some(value) = value {
                let span = var.span.unwrap_or(span);
                let name = name.to_owned();
                self.state.push_op(EnvOp { name, kind: AssignKind::Export, value: Some(value), span });
            }
        }
        self.state.vars.insert(name.to_owned(), Rc::new(var));
    }

    fn mark_not_exported(&mut self, name: &str, span: Span) {
        if !self.exported(name) {
            return;
        }
        let value = self.get(name);
        self.state.push_op(EnvOp { name: name.to_owned(), kind: AssignKind::Unset, value: None, span });
        self.state.vars.insert(name.to_owned(), Rc::new(Var { value, exported: false, span: Some(span) }));
    }

    /// Remembers a variable so that the end of the function brings it back.
    pub(super) fn make_local(&mut self, name: &str) {
        if self.frames && !self.locals.iter().any(|(have, _)| have == name) {
            self.locals.push((name.to_owned(), self.state.vars.get(name).cloned()));
        }
    }

    /// Begins a function call; gives what [`Shell::end_frame`] needs.
    pub(super) fn begin_frame(&mut self) -> (Frame, bool) {
        (std::mem::take(&mut self.locals), std::mem::replace(&mut self.frames, true))
    }

    /// Ends a function call: brings back the variables that were local to it.
    pub(super) fn end_frame(&mut self, (outer, frames): (Frame, bool)) {
        let own = std::mem::replace(&mut self.locals, outer);
        self.frames = frames;
        for (name, var) in own.into_iter().rev() {
            let exported = self.exported(&name);
            let span = self.state.vars.get(&name).and_then(|v| v.span).unwrap_or_else(|| self.text.whole());
            match var {
                Some(var) => self.state.vars.insert(name.clone(), var),
                None => self.state.vars.remove(&name),
            };
            if exported {
                let (kind, value) = match self.get(&name) {
                    Value::Scalar(word) if self.exported(&name) => (AssignKind::Export, Some(word)),
                    Value::Unknown(reason) => (AssignKind::Export, Some(Word::unknown(Text::empty(span), reason))),
                    _ => (AssignKind::Unset, None),
                };
                self.state.push_op(EnvOp { name, kind, value, span });
            }
        }
    }
}

/// What a declaration does to the variables it names.
struct Declare {
    export: Option<bool>,
    local: bool,
    functions: bool,
    integer: bool,
    array: bool,
    map: bool,
    exports: bool,
}

impl Declare {
    fn of(name: &str, top: bool) -> Self {
        Self {
            export: (name == "export").then_some(true),
            local: !top && matches!(name, "local" | "declare" | "typeset"),
            functions: false,
            integer: false,
            array: false,
            map: false,
            exports: name == "export",
        }
    }

    fn option(&mut self, text: &str) {
        let on = text.starts_with('-');
        for letter in text[1..].chars() {
            match letter {
                'x' => self.export = Some(on),
                'n' if self.exports => self.export = Some(false),
                'f' | 'F' | 'p' => self.functions = true,
                'i' => self.integer = on,
                'g' => self.local = false,
                'a' => self.array = true,
                'A' => (self.array, self.map) = (true, true),
                'n' | 'l' | 'u' => self.integer = true,
                _ => {}
            }
        }
    }
}
