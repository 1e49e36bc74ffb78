//! What stands in front of a program: `exec`, `env`, `numactl`, `mpirun` and their kin.

use super::{AssignKind, Dialect, EnvOp, Word};
use crate::source::Reason;

/// What a command line really starts.
#[derive(Debug, Default)]
pub(super) struct Launch {
    /// Index of the word that names the program; the last word when there is none behind the wrappers.
    pub program: usize,
    /// What the wrappers do to its environment.
    pub env: Vec<EnvOp>,
    /// Set by `env -i`.
    pub env_open: Option<Reason>,
}

/// The last component of a path.
pub(super) fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// How many words an option of a wrapper takes besides itself. Joined forms (`--x=y`, `-n8`) take none.
type Arity = fn(&str) -> usize;

/// Wrappers: name, arity of their options, words before the program that are no options (`timeout 5`, `taskset 0x3`).
const WRAPPERS: &[(&str, Arity, usize)] = &[
    ("exec", |o| usize::from(o == "-a"), 0),
    ("command", |_| 0, 0),
    ("builtin", |_| 0, 0),
    ("nohup", |_| 0, 0),
    ("setsid", |_| 0, 0),
    ("time", |o| usize::from(matches!(o, "-f" | "-o" | "--format" | "--output")), 0),
    ("nice", |o| usize::from(matches!(o, "-n" | "--adjustment")), 0),
    ("ionice", |o| usize::from(matches!(o, "-c" | "-n" | "-p" | "--class" | "--classdata")), 0),
    ("chrt", |o| usize::from(matches!(o, "-T" | "-P" | "-D")), 1),
    ("stdbuf", |o| usize::from(matches!(o, "-i" | "-o" | "-e" | "--input" | "--output" | "--error")), 0),
    ("timeout", |o| usize::from(matches!(o, "-k" | "-s" | "--kill-after" | "--signal")), 1),
    ("taskset", |_| 0, 1),
    ("numactl", numactl, 0),
    (
        "sudo",
        |o| usize::from(matches!(o, "-u" | "-g" | "-h" | "-p" | "-C" | "-D" | "-R" | "-T" | "--user" | "--group")),
        0,
    ),
    ("gosu", |_| 0, 1),
    ("su-exec", |_| 0, 1),
    ("tini", |o| usize::from(matches!(o, "-p" | "-e")), 0),
    ("dumb-init", |o| usize::from(matches!(o, "-r" | "--rewrite")), 0),
    ("catatonit", |_| 0, 0),
    ("mpirun", mpirun, 0),
    ("mpiexec", mpirun, 0),
    ("orterun", mpirun, 0),
    ("prterun", mpirun, 0),
    ("srun", srun, 0),
    ("trtllm-llmapi-launch", |_| 0, 0),
];

fn numactl(option: &str) -> usize {
    usize::from(matches!(
        option,
        "-N" | "-m"
            | "-C"
            | "-i"
            | "-p"
            | "-P"
            | "-w"
            | "--cpunodebind"
            | "--membind"
            | "--physcpubind"
            | "--interleave"
            | "--preferred"
            | "--preferred-many"
            | "--weighted-interleave"
            | "--cpubind"
    ))
}

/// Open MPI and MPICH; both accept one or two dashes.
fn mpirun(option: &str) -> usize {
    match option.trim_start_matches('-') {
        "mca" | "gmca" | "pmixmca" | "gpmixmca" | "prtemca" | "omca" | "env" | "genv" => 2,
        "x" | "n" | "np" | "c" | "N" | "H" | "host" | "hosts" | "hostfile" | "machinefile" | "default-hostfile"
        | "f" | "bind-to" | "map-by" | "rank-by" | "npernode" | "npersocket" | "ppn" | "perhost" | "wdir" | "wd"
        | "path" | "prefix" | "output-filename" | "output" | "timeout" | "genvlist" | "envlist" | "launcher"
        | "launcher-exec" | "rmk" | "rf" | "rankfile" | "cpu-set" | "cpu-list" | "stdin" | "tune" | "am" | "app"
        | "personality" | "iface" | "pset" | "runtime-options" | "display" | "report-uri" | "ompi-server"
        | "max-restarts" | "preload-files" | "slot-list" | "xterm" | "report-pid" => 1,
        _ => 0,
    }
}

fn srun(option: &str) -> usize {
    let short =
        option.len() == 2 && !matches!(option, "-l" | "-u" | "-v" | "-Q" | "-O" | "-s" | "-X" | "-W" | "-k" | "-Z");
    usize::from(short || matches!(option, "--ntasks" | "--nodes" | "--mpi" | "--ntasks-per-node" | "--gpus"))
}

/// Follows the wrappers of a command line.
pub(super) fn launch(argv: &[Word]) -> Launch {
    let mut launch = Launch::default();
    let mut at = 0;
    while at < argv.len() {
        launch.program = at;
        let Some(name) = argv[at].as_known() else {
            // A word that may be nothing at all, in front of an interpreter, is a wrapper or nothing.
            let python = argv.get(at + 1).and_then(Word::as_known).is_some_and(is_python);
            if argv[at].open && python {
                launch.program = at + 1;
            }
            break;
        };
        let name = basename(name);
        let next = if name == "env" {
            env(argv, at + 1, &mut launch)
        } else if let Some((_, arity, operands)) = WRAPPERS.iter().find(|(wrapper, ..)| *wrapper == name) {
            options(argv, at + 1, *arity, *operands, name, &mut launch)
        } else {
            break;
        };
        if next >= argv.len() {
            break;
        }
        at = next;
    }
    launch
}

/// Skips the options and operands of a wrapper.
fn options(argv: &[Word], from: usize, arity: Arity, operands: usize, name: &str, launch: &mut Launch) -> usize {
    let mpi = name.starts_with("mpi") || name.ends_with("terun");
    let mut at = from;
    while let Some(word) = argv.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            at += 1;
            break;
        }
        if word.open && !text.starts_with('-') && argv.get(at + 1).is_some() && operands == 0 {
            // `numactl $OPTIONS python3`
            at += 1;
            continue;
        }
        if !text.starts_with('-') {
            break;
        }
        let takes = arity(text);
        if mpi {
            mpi_env(argv, at, launch);
        }
        at += 1 + takes;
    }
    let list = name == "taskset" && argv.get(from).is_some_and(|w| matches!(&*w.text, "-p" | "--pid"));
    at + if list { 0 } else { operands }
}

/// `-x A=b` (Open MPI) and `-env A b`, `-genv A b` (MPICH).
fn mpi_env(argv: &[Word], at: usize, launch: &mut Launch) {
    let Some(next) = argv.get(at + 1) else { return };
    match argv[at].text.trim_start_matches('-') {
        "x" => launch.env.extend(assignment(next)),
        "env" | "genv" => {
            if let Some(value) = argv.get(at + 2) {
                launch.env.push(EnvOp {
                    name: next.text.as_str().to_owned(),
                    kind: AssignKind::Prefix,
                    value: Some(value.clone()),
                    span: next.text.whole().to(value.text.whole()),
                });
            }
        }
        _ => {}
    }
}

/// Skips the options and assignments of `env`.
fn env(argv: &[Word], from: usize, launch: &mut Launch) -> usize {
    let mut at = from;
    while let Some(word) = argv.get(at) {
        let text = word.text.as_str();
        match text {
            "-" | "-i" | "--ignore-environment" => launch.env_open = Some(Reason::Shell("env -i".to_owned())),
            "-u" | "--unset" => {
                at += 1;
                launch.env.extend(argv.get(at).map(|name| unset(name, 0)));
            }
            "-C" | "--chdir" | "-S" | "--split-string" => at += 1,
            "--" => {
                at += 1;
                break;
            }
            _ if text.starts_with("--unset=") => launch.env.push(unset(word, "--unset=".len())),
            _ if text.starts_with("-u") => launch.env.push(unset(word, 2)),
            _ if text.starts_with('-') => {}
            _ => break,
        }
        at += 1;
    }
    while let Some(op) = argv.get(at).and_then(assignment) {
        launch.env.push(op);
        at += 1;
    }
    at
}

fn unset(word: &Word, skip: usize) -> EnvOp {
    let name = word.text.slice(skip..word.text.len());
    EnvOp { name: name.as_str().to_owned(), kind: AssignKind::Unset, value: None, span: name.span() }
}

/// `NAME=value` as one word.
fn assignment(word: &Word) -> Option<EnvOp> {
    let text = word.text.as_str();
    let (name, _) = text.split_once('=')?;
    if name.is_empty() || name.contains(['$', '`', '/', ' ']) {
        return None;
    }
    let value = Word { text: word.text.slice(name.len() + 1..text.len()), dynamic: word.dynamic.clone(), open: false };
    Some(EnvOp { name: name.to_owned(), kind: AssignKind::Prefix, value: Some(value), span: word.text.whole() })
}

/// Index of the script in `bash [OPTIONS] -c SCRIPT …`, when the words start a shell that way.
pub(super) fn shell_script(argv: &[Word]) -> Option<usize> {
    if !is_shell(argv.first()?.as_known()?) {
        return None;
    }
    let mut command = false;
    let mut at = 1;
    while let Some(word) = argv.get(at) {
        let text = word.text.as_str();
        match text {
            _ if word.dynamic.is_some() && !command => return None,
            "--rcfile" | "--init-file" | "-o" | "+o" | "-O" | "+O" => at += 1,
            "--" | "-" => return (command && at + 1 < argv.len()).then_some(at + 1),
            _ if text.starts_with("--") => {}
            _ if text.starts_with(['-', '+']) && word.dynamic.is_none() => {
                command |= text.starts_with('-') && text.contains('c');
                at += usize::from(text.ends_with('o'));
            }
            _ => return command.then_some(at),
        }
        at += 1;
    }
    None
}

/// Whether a word names a shell.
#[must_use]
pub fn is_shell(program: &str) -> bool {
    matches!(basename(program), "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh")
}

/// Index of the file in `bash [OPTIONS] FILE …`, or of the program itself when it is named by its path.
pub(super) fn script_file(argv: &[Word]) -> Option<usize> {
    let program = argv.first()?.as_known()?;
    if !is_shell(program) {
        return program.contains('/').then_some(0);
    }
    let mut words = argv.iter().enumerate().skip(1);
    let (at, word) = words.find(|(_, w)| w.as_known().is_none_or(|t| !t.starts_with(['-', '+'])))?;
    // `-o pipefail` is two words; whatever else takes one is not written in front of files.
    match argv[at - 1].text.ends_with('o') && at > 1 {
        true => words.next().map(|(at, _)| at),
        false => word.as_known().map(|_| at),
    }
}

/// The shell that a word names.
pub(super) fn dialect(program: &Word) -> Dialect {
    program.as_known().map_or(Dialect::Other, dialect_named)
}

/// The shell of a name.
pub(super) fn dialect_named(program: &str) -> Dialect {
    match basename(program) {
        "bash" => Dialect::Bash,
        "sh" | "dash" | "ash" => Dialect::Posix,
        _ => Dialect::Other,
    }
}

fn is_python(program: &str) -> bool {
    basename(program).strip_prefix("python").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// The module of `python3 [OPTIONS] -m MODULE`, with the index of the first word after it. Words that begin with `-m`
/// count too: the image's entry point may be the interpreter.
pub(super) fn python_module(argv: &[Word]) -> Option<(&Word, usize)> {
    let mut at = launch(argv).program;
    let first = argv.get(at)?.as_known()?;
    if is_python(first) {
        at += 1;
    } else if first != "-m" {
        return None;
    }
    while let Some(word) = argv.get(at) {
        let text = word.as_known()?;
        match text {
            "-X" | "-W" | "--check-hash-based-pycs" => at += 2,
            _ if text.starts_with("--") => at += 1,
            _ if text.starts_with('-') && text.len() > 1 => {
                // Letters may be run together; `c`, `m`, `W` and `X` take what follows.
                match text[1..].find(['c', 'm', 'W', 'X']).map(|k| (text.as_bytes()[k + 1], k + 2 == text.len())) {
                    Some((b'm', true)) => return argv.get(at + 1).map(|module| (module, at + 2)),
                    Some((b'c' | b'm', _)) => return None,
                    Some((_, true)) => at += 2,
                    _ => at += 1,
                }
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span, Text};

    fn words(line: &str) -> Vec<Word> {
        let span = Span::new(FileId(0), 0, 1);
        line.split_whitespace()
            .map(|w| match w.strip_prefix('*') {
                Some(open) => Word { open: true, ..Word::unknown(Text::opaque(open, span), Reason::Image) },
                None => Word::known(Text::opaque(w, span)),
            })
            .collect()
    }

    #[test]
    fn the_program_behind_its_wrappers() {
        for (line, program) in [
            ("python3 -m x", "python3"),
            ("exec python3", "python3"),
            ("exec -a name python3", "python3"),
            ("exec env -i -u A B=c D= python3 E=f", "python3"),
            ("/usr/bin/env python3", "python3"),
            ("env --unset=A -- python3", "python3"),
            ("nohup nice -n 5 python3", "python3"),
            ("nice -5 python3", "python3"),
            ("timeout 10 python3", "python3"),
            ("timeout -k 5 --signal=KILL 10s python3", "python3"),
            ("numactl --cpunodebind=0 --membind 0 -l python3", "python3"),
            ("numactl -N 0 -m 0 -- python3", "python3"),
            ("taskset -c 0-3 python3", "python3"),
            ("taskset 0xff python3", "python3"),
            ("stdbuf -oL -e 0 python3", "python3"),
            ("time -p sudo -E -u root python3", "python3"),
            ("/usr/local/bin/mpirun --oversubscribe -n 8 -H a,b -x A -mca btl tcp python3", "python3"),
            ("mpirun --allow-run-as-root --map-by node -np 4 trtllm-llmapi-launch python3", "python3"),
            ("srun -n 8 --mpi=pmix -l python3", "python3"),
            ("tini -g -- python3", "python3"),
            ("command python3", "python3"),
            ("numactl *$OPTS python3", "python3"),
            ("*$LAUNCHER python3", "python3"),
            ("*$LAUNCHER x", "$LAUNCHER"),
            ("ulimit -l unlimited python3", "ulimit"),
            ("exec", "exec"),
            ("env A=b", "env"),
            ("timeout 10", "timeout"),
            ("chrt -f 99 python3", "python3"),
        ] {
            let argv = words(line);
            assert_eq!(&*argv[launch(&argv).program].text, program, "{line}");
        }
    }

    #[test]
    fn what_wrappers_do_to_the_environment() {
        let show = |line: &str| {
            let launch = launch(&words(line));
            let op = |op: &EnvOp| match &op.value {
                Some(value) => format!("{}={}", op.name, value.text),
                None => format!("-{}", op.name),
            };
            let open = if launch.env_open.is_some() { " open" } else { "" };
            launch.env.iter().map(op).collect::<Vec<_>>().join(" ") + open
        };
        assert_eq!(show("env A=b -u C x"), "A=b", "`-u` behind an assignment is the program");
        assert_eq!(show("env -u C -uD --unset=E A=b x F=g"), "-C -D -E A=b");
        assert_eq!(show("env -i A=b x"), "A=b open");
        assert_eq!(show("mpirun -x A=b -x C -genv D e x"), "A=b D=e");
        assert_eq!(show("x A=b"), "");
        assert_eq!(show("numactl -x A=b y"), "");
    }

    #[test]
    fn modules_of_python() {
        for (line, module, rest) in [
            ("python3 -m dynamo.vllm --x", "dynamo.vllm", "--x"),
            ("/opt/venv/bin/python3.12 -u -X dev -W ignore -OO -m a.b c", "a.b", "c"),
            ("exec env A=b python -um a", "a", ""),
            ("python -Xdev -m a", "a", ""),
            ("python --check-hash-based-pycs always -m a b", "a", "b"),
            ("-m dynamo.vllm --x", "dynamo.vllm", "--x"),
            ("trtllm-llmapi-launch python3 -m dynamo.trtllm", "dynamo.trtllm", ""),
        ] {
            let argv = words(line);
            let (found, at) = python_module(&argv).expect(line);
            assert_eq!(&*found.text, module, "{line}");
            assert_eq!(argv.get(at).map_or("", |w| &*w.text), rest, "{line}");
        }
        for line in [
            "python3 x.py -m a",
            "python3 -c -m a",
            "python3",
            "python3 -m",
            "pythonic -m a",
            "python3-config -m a",
            "vllm serve",
            "*$PY -m a",
            "python3 *$X -m a",
        ] {
            assert_eq!(python_module(&words(line)), None, "{line}");
        }
    }

    #[test]
    fn scripts_of_shells() {
        for (line, script) in [
            ("sh -c S a", Some("S")),
            ("/bin/bash -lc S", Some("S")),
            ("bash -l -c S", Some("S")),
            ("bash -c -e S", Some("S")),
            ("bash -o pipefail -ec S", Some("S")),
            ("bash -euo pipefail -c S", Some("S")),
            ("bash --rcfile f --login -c -- S", Some("S")),
            ("bash -c", None),
            ("bash S", None),
            ("bash -e S -c", None),
            ("fish -c S", None),
            ("bash *$X -c S", None),
        ] {
            let argv = words(line);
            assert_eq!(shell_script(&argv).map(|at| &*argv[at].text), script, "{line}");
        }
    }
}
