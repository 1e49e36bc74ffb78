//! How the operator writes flags into a command it has not made: quoting, and the one expression by which it finds the
//! engine in a script (`utils.go:44-180`).

use crate::source::Pattern;

/// `command` and `args` on their way to the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub command: Vec<String>,
    pub args: Vec<String>,
}

impl Words {
    /// A shell with one script.
    pub fn shell(&mut self, shell: &str, script: String) {
        self.command = vec![shell.to_owned(), "-c".to_owned()];
        self.args = vec![script];
    }

    /// Words of `args` as vLLM's part of the operator reads them: each split at blanks, quotes and all. What stands in
    /// `command` is not looked at.
    pub fn expanded(&self) -> Vec<&str> {
        self.args.iter().flat_map(|arg| arg.split_whitespace()).collect()
    }

    /// Command and args, quoted for a shell and joined.
    pub fn quoted(&self, quote: impl Fn(&str) -> String) -> String {
        self.command.iter().chain(&self.args).map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// Puts flags where the operator puts them. To a Python command they are appended, behind `exec` in a shell when
    /// they need one; in anything else they land in the first argument that holds the engine.
    pub fn inject(&mut self, flags: &str, needs_shell: bool, framework: &str) {
        if self.is_python() {
            if needs_shell {
                let script = format!("exec {} {flags}", self.quoted(double_quoted));
                self.shell("sh", script);
            } else {
                self.args.extend(flags.split_whitespace().map(str::to_owned));
            }
            return;
        }
        for arg in &mut self.args {
            let changed = into_script(arg, flags, framework);
            if changed != *arg {
                *arg = changed;
                return;
            }
        }
    }

    /// Whether the command is a Python interpreter: all that the operator takes for a command it may append to.
    pub fn is_python(&self) -> bool {
        self.command.first().is_some_and(|first| is_python(first))
    }

    /// Whether `flag value` or `flag=value` stands anywhere in the command line (`containerCommandLineHasArg`).
    pub fn has(&self, flag: &str, value: &str) -> bool {
        let words: Vec<&str> = self.command.iter().chain(&self.args).map(String::as_str).collect();
        let split: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
        has(&words, flag, value) || has(&split, flag, value)
    }
}

fn has(words: &[&str], flag: &str, value: &str) -> bool {
    let (joined, equals) = (format!("{flag} {value}"), format!("{flag}={value}"));
    words.iter().any(|word| word.contains(&joined) || word.contains(&equals))
        || words.windows(2).any(|pair| pair[0] == flag && pair[1] == value)
}

/// `^(.*/)?(python\d*(\.\d+)*)$`
fn is_python(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    let Some(version) = name.strip_prefix("python") else { return false };
    let mut parts = version.split('.');
    parts.next().is_some_and(|major| major.bytes().all(|b| b.is_ascii_digit()))
        && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// Flags into every Python command of a script that names the engine: behind the last word of the segment that holds
/// its name, since the expression is greedy.
fn into_script(script: &str, flags: &str, framework: &str) -> String {
    let blank = r"[\t\n\x0C\r ]";
    let pattern = format!("(python[0-9.]*{blank}+[^|&;]*{framework}[^|&;]*?)({blank}|$|[|&;])");
    let Some(mut pattern) = Pattern::new(&pattern) else { return script.to_owned() };
    pattern.replace_all(script, |groups| format!("{} {flags}{}", groups[1], groups[2]))
}

/// Double quotes round what a shell would take apart (`shellQuoteForBashC`).
pub(super) fn double_quoted(word: &str) -> String {
    if !word.contains([' ', '\t', '\n', '\'', '"', '\\', '{', '}', '[', ']', '$', '`', '!']) {
        return word.to_owned();
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$").replace('`', "\\`");
    format!("\"{}\"", escaped.replace('\'', "'\"'\"'"))
}

/// Single quotes round what is not plain (`shellQuotePOSIX`).
pub(super) fn single_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str], args: &[&str]) -> Words {
        let owned = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect();
        Words { command: owned(command), args: owned(args) }
    }

    #[test]
    fn interpreters() {
        for yes in ["python", "python3", "python3.11", "/usr/bin/python3", "/opt/x/python2.7.1"] {
            assert!(is_python(yes), "{yes}");
        }
        for no in ["python3.", "pythonw", "python3-dbg", "ipython", "bash", "", "python3 -m"] {
            assert!(!is_python(no), "{no}");
        }
    }

    #[test]
    fn a_python_command_takes_flags_at_its_end() {
        let mut plain = words(&["python3", "-m", "dynamo.sglang"], &["--tp", "8"]);
        plain.inject("--nnodes 2 --node-rank 0", false, "sglang");
        assert_eq!(plain.args, ["--tp", "8", "--nnodes", "2", "--node-rank", "0"]);

        let mut shell = words(&["python3"], &["-m", "dynamo.vllm", "--kv", "{\"a\": '$b'}"]);
        shell.inject("--node-rank $((I + 1))", true, "vllm");
        assert_eq!(shell.command, ["sh", "-c"]);
        let quoted = r#""{\"a\": '"'"'\$b'"'"'}""#;
        assert_eq!(shell.args, [format!("exec python3 -m dynamo.vllm --kv {quoted} --node-rank $((I + 1))")]);
    }

    #[test]
    fn in_a_script_the_last_mention_of_the_engine_counts() {
        let at = |script: &str| into_script(script, "--X", "vllm");
        assert_eq!(at("exec python3 -m dynamo.vllm --model m"), "exec python3 -m dynamo.vllm --X --model m");
        assert_eq!(at("python -m dynamo.vllm"), "python -m dynamo.vllm --X");
        assert_eq!(
            at("ulimit -n 5 && python3 -m dynamo.vllm \\\n  --scheduler-cls vllm.v1.S \\\n  --tp 8"),
            "ulimit -n 5 && python3 -m dynamo.vllm \\\n  --scheduler-cls vllm.v1.S --X \\\n  --tp 8"
        );
        assert_eq!(at("python3 -m dynamo.vllm|tee log"), "python3 -m dynamo.vllm --X|tee log");
        assert_eq!(at("vllm serve m"), "vllm serve m", "no Python, no flags");
        assert_eq!(at("python3 -m dynamo.sglang"), "python3 -m dynamo.sglang");
        assert_eq!(
            at("python3 -m dynamo.vllm & python3 -m dynamo.vllm -x"),
            "python3 -m dynamo.vllm --X & python3 -m dynamo.vllm --X -x"
        );
        // A JSON argument that names the engine is taken apart.
        assert_eq!(
            at("python3 -m dynamo.vllm -c '{\"a\": \"vllm x\"}'"),
            "python3 -m dynamo.vllm -c '{\"a\": \"vllm --X x\"}'"
        );
    }

    #[test]
    fn only_the_first_argument_that_changes_and_never_the_command() {
        let mut two = words(&["bash", "-c"], &["python3 -m dynamo.vllm", "python3 -m dynamo.vllm"]);
        two.inject("--X", false, "vllm");
        assert_eq!(two.args, ["python3 -m dynamo.vllm --X", "python3 -m dynamo.vllm"]);
        let mut hidden = words(&["bash", "-c", "python3 -m dynamo.vllm"], &[]);
        let before = hidden.clone();
        hidden.inject("--X", false, "vllm");
        assert_eq!(hidden, before, "a script in `command` is never rewritten");
    }

    #[test]
    fn flags_found() {
        let line = words(&["sh", "-c"], &["x --distributed-executor-backend mp"]);
        assert!(line.has("--distributed-executor-backend", "mp"));
        assert!(words(&[], &["--distributed-executor-backend=mp"]).has("--distributed-executor-backend", "mp"));
        assert!(words(&[], &["--a", "b"]).has("--a", "b"));
        assert!(!words(&[], &["--a", "c"]).has("--a", "b"));
    }

    #[test]
    fn quoting_for_posix_shells() {
        assert_eq!(single_quoted("--model=a/b"), "--model=a/b");
        assert_eq!(single_quoted(""), "''");
        assert_eq!(single_quoted("it's {}"), "'it'\\''s {}'");
    }
}
