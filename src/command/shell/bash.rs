//! What only bash understands, and what becomes of it where `sh` is dash, as it is in images of Debian and Ubuntu. Tried
//! with dash 0.5.12.

use std::ops::Range;

use super::ast::{AssignedValue, Command, Kind, Part, RawCommand, RawWord};
use super::param::Op;
use super::visit::{self, Visitor};
use super::{MAX_SCRIPT, brace, parser};
use crate::source::Text;

/// What dash makes of something that bash understands, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Braces stay as written: a loop over `{1..60}` runs once.
    Literal,
    /// `&>` sends the command to the background, and what hangs on its status goes on as if it had succeeded.
    Background,
    /// The command fails and does nothing.
    Fails,
    /// The shell stops.
    Ends,
}

/// Something that only bash understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bash {
    /// Where it stands in the script, in bytes.
    pub range: Range<usize>,
    /// What dash makes of it.
    pub effect: Effect,
}

/// What in a script only bash understands, in the order it is written; nothing for a script that cannot be parsed, or that
/// asks which shell it runs in.
#[must_use]
pub fn bash_only(text: &Text) -> Vec<Bash> {
    let src = text.as_str();
    if src.len() > MAX_SCRIPT || src.contains("BASH_VERSION") || src.contains("exec bash") {
        return Vec::new();
    }
    let mut found = Vec::new();
    Scan { src, base: 0, depth: 0, apart: false, found: &mut found }.run();
    crate::source::order_by_key(&mut found, |bash| bash.range.start);
    found
}

struct Scan<'a> {
    src: &'a str,
    /// Where `src` begins in the script.
    base: usize,
    depth: u32,
    /// Whether what is looked at runs in a shell of its own.
    apart: bool,
    found: &'a mut Vec<Bash>,
}

impl Scan<'_> {
    fn run(mut self) {
        let (block, error) = &*parser::parse(self.src);
        if error.is_none() {
            visit::block(block, self.apart, &mut self);
        }
    }

    fn add(&mut self, range: Range<usize>, effect: Effect) {
        self.found.push(Bash { range: self.base + range.start..self.base + range.end, effect });
    }

    /// What stops the shell that runs it; where that is one of its own, a command fails.
    fn stops(&mut self, range: Range<usize>) {
        let effect = if self.apart { Effect::Fails } else { Effect::Ends };
        self.add(range, effect);
    }

    fn simple(&mut self, command: &RawCommand) {
        for operator in &command.redirections {
            match &self.src[operator.clone()] {
                text if text.ends_with("<<<") => self.add(operator.clone(), Effect::Ends),
                text if text.starts_with("&>") => self.add(operator.clone(), Effect::Background),
                _ => {}
            }
        }
        let begun = command.words.iter().position(|word| word.assignment.is_none()).unwrap_or(command.words.len());
        let (assigned, words) = command.words.split_at(begun);
        for assignment in assigned.iter().filter_map(|word| word.assignment.as_deref()) {
            if let AssignedValue::Scalar(_) = assignment.value
                && (assignment.append || assignment.index.is_some())
            {
                self.add(assignment.name_range.clone(), Effect::Fails);
            }
        }
        let Some((name, words)) = words.split_first() else { return };
        let src = self.src;
        let texts = || words.iter().map(|word| &src[word.range.clone()]);
        let any = |test: &dyn Fn(&str) -> bool| texts().any(test);
        // Options stand in front.
        let option = |letters: &[char]| texts().take_while(|w| w.starts_with('-')).any(|w| w.contains(letters));
        let signal = |word: &str| word.starts_with("SIG") || matches!(word, "ERR" | "DEBUG" | "RETURN");
        let fails = match &src[name.range.clone()] {
            "source" | "let" | "declare" | "typeset" | "shopt" | "pushd" | "popd" | "mapfile" | "readarray"
            | "disown" => true,
            "[" | "test" => texts().any(|w| w == "==") || texts().next() == Some("-v"),
            "read" => option(&['a', 'd', 'n', 'N', 's', 't', 'u']),
            "wait" => option(&['n']),
            "printf" => texts().next() == Some("-v"),
            "kill" => texts().next().is_some_and(|w| w.starts_with("-SIG")),
            "trap" => texts().skip(1).any(signal),
            "export" if option(&['f']) => return self.stops(name.range.clone()),
            "set" if any(&|w| w == "pipefail") => {
                // In a shell of its own it is a question.
                if !self.apart && !src.contains("(set -o pipefail") {
                    let end = words.last().map_or(name.range.end, |word| word.range.end);
                    self.add(name.range.start..end, Effect::Ends);
                }
                return;
            }
            _ => false,
        };
        if fails {
            self.add(name.range.clone(), Effect::Fails);
        }
    }
}

impl Visitor for Scan<'_> {
    fn command(&mut self, command: &Command, apart: bool) {
        self.apart = apart || self.depth > 0;
        let start = command.range.start;
        let opens = |len: usize| start..(start + len).min(command.range.end);
        match &command.kind {
            Kind::Simple(simple) => self.simple(simple),
            Kind::Test(_) => self.add(opens(2), Effect::Fails),
            Kind::Arithmetic => self.add(opens(2), Effect::Fails),
            Kind::ArithmeticFor(_) => self.add(opens(3), Effect::Ends),
            Kind::For { select: true, .. } => self.add(opens(6), Effect::Ends),
            Kind::For { words: Some(words), .. } => {
                for word in words {
                    if matches!(brace::expand(self.src, &word.parts), Ok(Some(_))) {
                        self.add(word.range.clone(), Effect::Literal);
                    }
                }
            }
            Kind::Function(..) if self.src[command.range.clone()].starts_with("function") => {
                self.add(opens(8), Effect::Ends);
            }
            _ => {}
        }
    }

    fn word(&mut self, word: &RawWord) {
        if let Some(assignment) = word.assignment.as_deref()
            && let AssignedValue::Array(_) = assignment.value
        {
            return self.add(assignment.name_range.clone(), Effect::Ends);
        }
        for part in &*word.all_parts() {
            match part {
                Part::Param(param) => {
                    if param.index.is_some() || matches!(param.op, Op::Replace { .. } | Op::Case { .. } | Op::Other) {
                        self.stops(param.range.clone());
                    }
                }
                Part::Arith { range, inner } => {
                    let inner = self.src[inner.clone()].trim_end();
                    if inner.ends_with("++") || inner.ends_with("--") || inner.contains("**") {
                        self.stops(range.clone());
                    }
                }
                Part::Command { range, .. } if self.src[range.clone()].starts_with(['<', '>']) => {
                    self.add(range.clone(), Effect::Ends);
                }
                Part::Command { range, .. } => {
                    if let Some(inner) = visit::inside(self.src, range, self.depth) {
                        let base = self.base + inner.start;
                        let src = &self.src[inner];
                        Scan { src, base, depth: self.depth + 1, apart: true, found: self.found }.run();
                    }
                }
                Part::Plain(_) | Part::Quoted(_) | Part::Escaped(..) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{Effect, bash_only};
    use crate::source::{FileId, Span, Text};

    fn found(script: &str) -> Vec<(Effect, &str)> {
        let text = Text::opaque(script, Span::new(FileId(0), 0, 0));
        bash_only(&text).into_iter().map(|bash| (bash.effect, &script[bash.range])).collect()
    }

    /// Whether a dash at hand reaches the line behind a script, and whether that line finds that the last command failed.
    fn dash(script: &str) -> Option<(bool, bool)> {
        let script = format!("a() {{ cat > /dev/null; }}; b() {{ :; }}; PID=$$\n{script}\necho reached $?");
        let mut dash = Command::new("dash");
        dash.args(["-c", &script]).stdin(Stdio::null()).stderr(Stdio::null()).env_clear();
        let Ok(output) = dash.output() else {
            eprintln!("skipped: no dash");
            return None;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = said.lines().find_map(|line| line.strip_prefix("reached "));
        Some((status.is_some(), status.is_some_and(|status| status != "0")))
    }

    #[test]
    fn the_shell_stops() {
        for (script, what) in [
            ("set -euo pipefail\na", "set -euo pipefail"),
            ("set -o pipefail 2>/dev/null || true", "set -o pipefail"),
            ("a=(1 2)", "a"),
            ("a+=(1 2)", "a"),
            ("function f { a; }", "function"),
            ("function f() { a; }", "function"),
            ("for ((i=0; i<3; i++)); do a; done", "for"),
            ("echo ${a^^}", "${a^^}"),
            ("echo \"${a//-/_}\"", "${a//-/_}"),
            ("echo ${a:1:2}", "${a:1:2}"),
            ("echo ${!a}", "${!a}"),
            ("X=${a[0]}", "${a[0]}"),
            ("echo $((i++))", "$((i++))"),
            ("a <(b)", "<(b)"),
            ("a <<< b", "<<<"),
        ] {
            assert_eq!(found(script), [(Effect::Ends, what)], "{script}");
            assert!(dash(script).is_none_or(|(reached, _)| !reached), "{script}");
        }
    }

    #[test]
    fn commands_fail() {
        for (script, what) in [
            ("source /opt/env.sh && a", "source"),
            ("if [[ -n $X ]]; then a; fi", "[["),
            ("[ \"$X\" == b ] || a", "["),
            ("((i++))", "(("),
            ("ARGS+=\" --x\"", "ARGS"),
            ("a & b & wait -n", "wait"),
            ("trap 'a' EXIT SIGTERM", "trap"),
            ("kill -SIGTERM $PID", "kill"),
            ("X=$(a ${b^^})", "${b^^}"),
            ("X=$(echo a | while read -t 5 l; do b; done)", "read"),
            ("echo \"$(source x)\"", "source"),
        ] {
            assert_eq!(found(script), [(Effect::Fails, what)], "{script}");
            assert!(dash(script).is_none_or(|(reached, _)| reached), "{script}");
        }
    }

    #[test]
    fn their_status_says_so() {
        for script in [
            "source /dev/null",
            "[[ -n a ]]",
            "[ a == a ]",
            "((1))",
            "A+=b",
            "wait -n",
            "trap a SIGTERM",
            "trap a ERR",
            "kill -SIGTERM $PID",
            "read -t 1 l",
            "printf -v l x",
            "declare -A m",
            "[ -v PATH ]",
            "let x=1",
        ] {
            assert_eq!(found(script).first().map(|(effect, _)| *effect), Some(Effect::Fails), "{script}");
            assert!(dash(script).is_none_or(|(_, failed)| failed), "{script}");
        }
    }

    #[test]
    fn something_else_happens() {
        assert_eq!(found("for i in {1..60}; do a; done"), [(Effect::Literal, "{1..60}")]);
        assert_eq!(found("until curl x &> /dev/null; do a; done"), [(Effect::Background, "&>")]);
    }

    #[test]
    fn what_dash_understands() {
        for script in [
            "set -eux; ulimit -l unlimited; . /opt/env.sh; a && b || c",
            "f() { local x=1; echo ${x:-2} ${x#a} ${x%%b} ${#x}; }; f",
            "[ \"$a\" = b ] && test -n \"$c\"; trap 'kill 0' EXIT TERM INT; wait $PID; kill -TERM $PID",
            "for i in 1 2 $(seq 3); do echo $((i + 1)) `a`; done > x 2>&1",
            "case $x in a) b;; esac; while read -r l; do a; done < x",
            "cat > x <<EOF\nsource ${a^^} [[ x ]]\nEOF\na --json '{\"a\": [[1]]}' --x={1..2}",
            "(set -o pipefail) 2>/dev/null && set -o pipefail",
            "[ -n \"$BASH_VERSION\" ] && shopt -s nullglob",
            "bash -c 'source x; [[ a ]]'",
            "a -v; find / -name source; echo let declare [[",
        ] {
            assert!(found(script).is_empty(), "{script}: {:?}", found(script));
        }
    }
}
