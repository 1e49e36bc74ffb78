//! What stands in front of a program: `exec`, `env`, `numactl`, `mpirun` and their kin.

use super::{AssignKind, EnvOp, Word};
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
    let name = basename(argv.first()?.as_known()?);
    if !matches!(name, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh") {
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
