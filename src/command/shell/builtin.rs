//! Commands that the shell runs itself.

use std::ops::Range;
use std::rc::Rc;

use super::super::{AssignKind, EnvOp, Word};
use super::eval::{Code, Flow, Outcome};
use super::split::shorten;
use super::state::{Value, Var};
use super::{Shell, test};
use crate::source::{Reason, Span, Text, name_len};

/// Builtins that start no process and change nothing that is followed here.
const INERT: &[&str] = &[
    "cd", "echo", "printf", "umask", "wait", "trap", "alias", "unalias", "hash", "pushd", "popd", "dirs", "shopt",
    "jobs", "kill", "times", "fg", "bg", "disown", "complete", "bind", "enable", "help", "history", "caller", "logout",
];

impl Shell<'_> {
    /// Runs a builtin; none when the command is none.
    pub(super) fn builtin(&mut self, name: &str, argv: &[Word], range: &Range<usize>) -> Option<Outcome> {
        Some(match name {
            ":" | "true" => Outcome::code(Code::Zero),
            "false" => Outcome::code(Code::NonZero),
            "[" | "test" => Outcome::code(test::simple(argv)),
            "exit" | "return" | "break" | "continue" => Outcome::flow(match name {
                "exit" => Flow::Exit { exec: false },
                "return" => Flow::Return,
                _ => Flow::Loop,
            }),
            "exec" if argv.len() == 1 => Outcome::code(Code::Zero),
            "set" => {
                self.set(argv);
                Outcome::code(Code::Zero)
            }
            "shift" => {
                self.shift(argv);
                Outcome::code(Code::Assumed)
            }
            "unset" | "unsetenv" => {
                self.unset(argv);
                Outcome::code(Code::Zero)
            }
            // Reached through `command export …` or an expansion.
            "export" | "readonly" | "declare" | "typeset" | "local" => {
                for word in &argv[1..] {
                    self.declare_word(name, word);
                }
                Outcome::code(Code::Zero)
            }
            "ulimit" => {
                if !well_formed_ulimit(argv) {
                    return None;
                }
                Outcome::code(Code::Assumed)
            }
            "read" | "mapfile" | "readarray" | "getopts" => {
                self.read(argv);
                Outcome::code(Code::Unknown)
            }
            "printf" if argv.get(1).is_some_and(|w| &*w.text == "-v") => {
                if let Some(target) = argv.get(2) {
                    self.forget(target.text.as_str(), "printf -v");
                }
                Outcome::code(Code::Assumed)
            }
            "let" => {
                for word in &argv[1..] {
                    let len = name_len(&word.text);
                    self.forget(&word.text[..len], "let");
                }
                Outcome::code(Code::Unknown)
            }
            // Images have this environment on their `PATH` already (`container/templates/*_runtime.Dockerfile`).
            "." | "source" if argv.get(1).is_some_and(|w| &*w.text == "/opt/dynamo/venv/bin/activate") => {
                Outcome::code(Code::Assumed)
            }
            "." | "source" | "eval" => {
                let what = shorten(&self.src[range.clone()]);
                // What it runs may set anything.
                self.state.env_open.get_or_insert(Reason::Shell(what));
                Outcome::code(Code::Assumed)
            }
            "command" | "builtin" | "type" => return self.indirect(name, argv, range),
            _ if INERT.contains(&name) => Outcome::code(Code::Assumed),
            _ => return None,
        })
    }

    /// `command -v X` asks; `command X` runs X past functions.
    fn indirect(&mut self, name: &str, argv: &[Word], range: &Range<usize>) -> Option<Outcome> {
        let asks = name == "type" || argv.get(1).is_some_and(|w| matches!(&*w.text, "-v" | "-V"));
        if asks {
            return Some(Outcome::code(Code::Unknown));
        }
        let next = argv.get(1)?.as_known()?.to_owned();
        self.builtin(&next, &argv[1..], range)
    }

    pub(super) fn forget(&mut self, name: &str, why: &str) {
        if !name.is_empty() {
            let exported = self.exported(name);
            self.state.forget(name, &Reason::Shell(why.to_owned()), exported);
        }
    }

    fn set(&mut self, argv: &[Word]) {
        let mut words = argv[1..].iter().enumerate();
        while let Some((k, word)) = words.next() {
            match &*word.text {
                "-o" | "+o" => {
                    if let Some((_, option)) = words.next()
                        && &*option.text == "allexport"
                    {
                        self.state.allexport = word.text.starts_with('-');
                    }
                }
                "--" => {
                    self.set_positional(&argv[k + 2..]);
                    return;
                }
                text if text.starts_with(['-', '+']) && text.len() > 1 => {
                    if text.contains('a') {
                        self.state.allexport = text.starts_with('-');
                    }
                    if text.ends_with('o')
                        && let Some((_, option)) = words.next()
                        && &*option.text == "allexport"
                    {
                        self.state.allexport = text.starts_with('-');
                    }
                }
                _ => {
                    self.set_positional(&argv[k + 1..]);
                    return;
                }
            }
        }
    }

    fn set_positional(&mut self, words: &[Word]) {
        let zero = self.state.positional.as_ref().and_then(|p| p.first().cloned());
        let zero =
            zero.unwrap_or_else(|| Word::unknown(Text::empty(self.text.whole()), Reason::Shell("$0".to_owned())));
        self.state.positional = Some(Rc::new(std::iter::once(zero).chain(words.iter().cloned()).collect()));
    }

    fn shift(&mut self, argv: &[Word]) {
        let count = match argv.get(1) {
            None => Some(1),
            Some(word) => word.as_known().and_then(|t| t.parse::<usize>().ok()),
        };
        let Some(words) = self.state.positional.take() else { return };
        if let Some(count) = count
            && words.iter().all(|w| !w.open)
        {
            let rest = words.get(1 + count..).unwrap_or_else(|| words.get(1..).unwrap_or_default());
            self.state.positional = Some(Rc::new(words.iter().take(1).chain(rest).cloned().collect()));
        }
    }

    fn unset(&mut self, argv: &[Word]) {
        let mut functions = false;
        for word in &argv[1..] {
            match word.as_known() {
                Some("-f") => functions = true,
                Some(text) if text.starts_with('-') => {}
                Some(name) if functions => {
                    self.state.functions.remove(name);
                }
                Some(name) => self.unset_variable(&name[..name_len(name)], word.span()),
                None => {}
            }
        }
    }

    fn unset_variable(&mut self, name: &str, span: Span) {
        if name.is_empty() {
            return;
        }
        // A function of that name goes when there is no such variable; variables the image sets are not known.
        if !self.state.vars.contains_key(name) && (self.lookup)(name).is_none() {
            self.state.functions.remove(name);
        }
        self.state.push_op(EnvOp { name: name.to_owned(), kind: AssignKind::Unset, value: None, span });
        let var = Var { value: Value::Unset, exported: false, span: Some(span) };
        self.state.vars.insert(name.to_owned(), Rc::new(var));
    }

    fn read(&mut self, argv: &[Word]) {
        const WITH_VALUE: &[&str] = &["-d", "-i", "-n", "-N", "-p", "-t", "-u", "-O", "-c", "-C", "-s"];
        let mut skip = false;
        let mut named = false;
        let array = argv[0].as_known() != Some("read");
        for word in &argv[1..] {
            if std::mem::take(&mut skip) {
                continue;
            }
            let text = word.text.as_str();
            if text.starts_with('-') {
                skip = WITH_VALUE.contains(&text) && text != if array { "-t" } else { "-s" };
                continue;
            }
            let len = name_len(text);
            named |= len > 0;
            self.forget(&text[..len], "read");
        }
        if !named {
            self.forget(if array { "MAPFILE" } else { "REPLY" }, "read");
        }
    }
}

/// Whether `ulimit` has options and their values only. A stray word makes dash refuse the command, and is often a
/// program that was meant to run.
fn well_formed_ulimit(argv: &[Word]) -> bool {
    let mut value = true;
    argv[1..].iter().all(|word| {
        if word.text.starts_with('-') {
            value = true;
            return true;
        }
        std::mem::replace(&mut value, false)
    })
}
