//! What `script()` says a shell would run, against what real shells run.
//!
//! Scripts run in a directory of their own with a `PATH` that holds nothing but a stub under every name: it writes down
//! its arguments and environment. Where all is known the two accounts must be equal; where something is not, what is
//! known must be among what really ran.

#![cfg(unix)]

#[path = "shell/argparse.rs"]
mod argparse;
mod common;
#[path = "shell/jail.rs"]
mod jail;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dynlint::command::{AssignKind, Dialect, Process, Script, Word, bash_only, script, syntax_errors};
use dynlint::source::{FileId, Span, Text};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const FILE: FileId = FileId(0);

fn text(value: &str) -> Text {
    Text::opaque(value, Span::new(FILE, 0, u32::try_from(value.len()).unwrap()))
}

fn shell(name: &str) -> Option<PathBuf> {
    ["/bin", "/usr/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|p| p.exists())
}

/// One process: its words from the program on, and its environment.
type Record = (Vec<String>, BTreeMap<String, String>);

/// Wrappers that really run; all other names are stubs.
const REAL: &[&str] = &["env", "nohup", "nice", "timeout", "setsid", "bash", "sh"];

/// Variables that shells set by themselves.
const OWN: &[&str] = &["PWD", "OLDPWD", "SHLVL", "_"];

struct Run {
    records: Vec<Record>,
    failed: bool,
    timed_out: bool,
}

/// Runs a script for real.
fn run(shell: &Path, source: &str, positional: &[&str], env: &BTreeMap<String, String>) -> Run {
    let dir = tempfile::tempdir().expect("a directory");
    let bin = dir.path().join("bin");
    let log = dir.path().join("log");
    let cwd = dir.path().join("cwd");
    for path in [&bin, &log, &cwd] {
        fs::create_dir(path).unwrap();
    }
    let stub = dir.path().join("stub");
    fs::write(&stub, self::stub(&log)).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    for name in names(source) {
        let target = REAL.iter().find(|real| **real == name).and_then(|real| self::shell(real));
        symlink(target.as_deref().unwrap_or(&stub), bin.join(name)).unwrap();
        // An escaped blank in front of a command becomes part of its name.
        if source.contains("\\ ") {
            symlink(&stub, bin.join(format!(" {name}"))).unwrap();
        }
    }
    let mut command = Command::new(shell);
    command.arg("-c").arg(permitted(source)).args(positional).env_clear().envs(env).env("PATH", &bin).current_dir(&cwd);
    command.process_group(0);
    let (failed, timed_out) = finish(command, source);
    Run { records: records(&log), failed, timed_out }
}

/// Starts a shell and waits: whether it failed, and whether it had to be stopped.
fn finish(mut command: Command, source: &str) -> (bool, bool) {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the shell starts");
    let deadline = Instant::now() + Duration::from_secs(5);
    let ended = loop {
        match child.try_wait().expect("the shell can be waited for") {
            Some(status) => break (!status.success(), false),
            None if Instant::now() > deadline => {
                child.kill().ok();
                child.wait().ok();
                break (true, true);
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    // What runs in the background may still be writing: what is of the script's own group until it ends, what has left that
    // for a moment.
    if source.contains('&') {
        std::thread::sleep(Duration::from_millis(60));
        while Instant::now() < deadline && is_there(child.id()) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    ended
}

/// Whether a process of that group is left.
fn is_there(group: u32) -> bool {
    let mut ask = Command::new("/bin/sh");
    ask.args(["-c", &format!("kill -0 -{group}")]).stdout(Stdio::null()).stderr(Stdio::null());
    ask.status().is_ok_and(|status| status.success())
}

/// What the stubs wrote down.
fn records(log: &Path) -> Vec<Record> {
    let mut out = Vec::new();
    for entry in fs::read_dir(log).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let content = String::from_utf8_lossy(&bytes);
        let Some((argv, environ)) = content.split_once("\u{1}\0") else { continue };
        let argv = argv.split_terminator('\0').map(str::to_owned).collect();
        let environ = environ.split_terminator('\0').filter_map(|e| e.split_once('=')).map(own).collect();
        out.push((argv, environ));
    }
    out
}

/// A script as it runs where limits may be raised, as in the containers that it is for, and where nothing is killed before
/// it has written down what it was given.
fn permitted(source: &str) -> String {
    let mut out = String::new();
    if source.contains("ulimit") {
        out.push_str("ulimit() { [ $# -le 2 ] || return 2; }\n");
    }
    if source.contains("kill ") {
        out.push_str("kill() { :; }\n");
    }
    out + source
}

/// Names of programs that a script may call.
fn names(source: &str) -> BTreeSet<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
    source.split(|c| !word(c)).filter(|w| !w.is_empty() && w.len() < 60 && *w != "." && *w != "..").collect()
}

/// A program that writes down its words and its environment.
fn stub(log: &Path) -> String {
    format!(
        "#!/bin/sh\n{{ for a in \"${{0##*/}}\" \"$@\"; do printf '%s\\0' \"$a\"; done; printf '\\001\\0'; /bin/cat /proc/$$/environ; }} > '{}'/$$\n",
        log.display()
    )
}

fn own((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// What a process of ours should have written down, or why it cannot be said.
fn expected(process: &Process, env: &BTreeMap<String, String>) -> Result<(Record, BTreeSet<String>), &'static str> {
    let known: Option<Vec<&str>> = process.argv.iter().map(Word::as_known).collect();
    let known = known.ok_or("dynamic words")?;
    let program = process.program();
    let real = |w: &str| matches!(w, "exec" | "command") || REAL.contains(&w);
    if !known[..program].iter().filter(|w| dynlint_wrapper(w)).all(|w| real(w)) {
        return Err("a launcher");
    }
    if process.env_open.is_some() {
        return Err("open environment");
    }
    let mut environ = env.clone();
    let mut unknown = BTreeSet::new();
    for op in &process.env {
        unknown.remove(&op.name);
        match (op.kind, op.value.as_ref().map(Word::as_known)) {
            (AssignKind::Unset, _) => {
                environ.remove(&op.name);
            }
            (_, Some(Some(value))) => {
                environ.insert(op.name.clone(), value.to_owned());
            }
            _ => {
                unknown.insert(op.name.clone());
            }
        }
    }
    environ.retain(|name, _| !unknown.contains(name));
    // A stub knows its own name only, not the way to it.
    let mut words: Vec<String> = known[program..].iter().map(|w| (*w).to_owned()).collect();
    if let Some(first) = words.first_mut() {
        *first = first.rsplit('/').next().unwrap_or_default().to_owned();
    }
    Ok(((words, environ), unknown))
}

fn dynlint_wrapper(word: &str) -> bool {
    ["exec", "command", "env", "nohup", "nice", "timeout", "setsid", "numactl", "mpirun", "taskset", "stdbuf", "time"]
        .contains(&word)
}

fn matches(real: &Record, ours: &Record, unknown: &BTreeSet<String>) -> bool {
    let mut environ = real.1.clone();
    environ.retain(|name, _| {
        !unknown.contains(name) && name != "PATH" && (!OWN.contains(&name.as_str()) || ours.1.contains_key(name))
    });
    let mut ours_env = ours.1.clone();
    ours_env.remove("PATH");
    real.0 == ours.0 && environ == ours_env
}

/// How a comparison ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Verdict {
    /// Both ran exactly the same.
    Equal,
    /// All that is known really ran.
    Among,
    /// Could not be compared.
    Not(&'static str),
}

fn dialect(shell: &Path) -> Dialect {
    if shell.ends_with("bash") { Dialect::Bash } else { Dialect::Posix }
}

fn compare(shell: &Path, source: &str, positional: &[&str], env: &BTreeMap<String, String>) -> Result<Verdict, String> {
    let lookup = |name: &str| env.get(name).map(|value| Word::known(text(value)));
    let words: Vec<Word> = positional.iter().map(|w| Word::known(text(w))).collect();
    let ours = script(&text(source), dialect(shell), &lookup, &words);
    let real = run(shell, source, positional, env);
    judge(&ours, &real, source, env)
}

fn judge(ours: &Script, real: &Run, source: &str, env: &BTreeMap<String, String>) -> Result<Verdict, String> {
    if !ours.errors.is_empty() {
        return if real.failed {
            Ok(Verdict::Not("a syntax error to both"))
        } else {
            Err(format!("{:?}", ours.errors))
        };
    }
    if real.timed_out {
        return Ok(Verdict::Not("runs without end"));
    }
    let mut left = real.records.clone();
    // Substitutions run commands that are not processes of ours.
    let substitutes = source.replace("$((", "").contains("$(") || source.contains(['`']) || source.contains("<(");
    let mut exact = !substitutes || source.starts_with("#exact");
    let mut reason = None;
    let mut missing = Vec::new();
    for process in &ours.processes {
        if process.conditional {
            exact = false;
            continue;
        }
        match expected(process, env) {
            Ok((record, unknown)) => match left.iter().position(|real| matches(real, &record, &unknown)) {
                Some(at) => drop(left.swap_remove(at)),
                None => missing.push(record),
            },
            Err(why) => {
                exact = false;
                reason = Some(why);
            }
        }
    }
    if !missing.is_empty() {
        // A guard (`[ -f … ] || exit 1`) may have ended it; what ran before must be ours all the same.
        if (real.failed || source.contains("exit")) && (!exact || left.is_empty()) {
            return Ok(Verdict::Not("ended early"));
        }
        return Err(format!("did not run: {missing:#?}\nran: {left:#?}"));
    }
    if exact && !left.is_empty() {
        return Err(format!("ran, but unforeseen: {left:#?}"));
    }
    if exact {
        return Ok(Verdict::Equal);
    }
    let compared = ours.processes.iter().any(|p| !p.conditional && expected(p, env).is_ok());
    Ok(if compared { Verdict::Among } else { Verdict::Not(reason.unwrap_or("all on conditions")) })
}

fn container() -> BTreeMap<String, String> {
    [
        ("MODEL", "Qwen/Qwen3-32B"),
        ("TP", "4"),
        ("EMPTY", ""),
        ("ARGS", " --a  1 --b "),
        ("JSON", r#"{"a": "b c"}"#),
        ("HOME", "/root"),
    ]
    .into_iter()
    .map(own)
    .collect()
}

/// Scripts whose every process is known. `#bash` in front keeps them from other shells, `#among` says that some run on
/// conditions, `#exact` that a substitution in them runs nothing.
const EXACT: &[&str] = &include!("shell/exact.in");

#[test]
fn own_scripts_run_exactly_as_foreseen() {
    let env = container();
    let (mut compared, mut failures) = (0, Vec::new());
    for name in ["bash", "dash"] {
        let Some(shell) = shell(name) else { continue };
        for entry in EXACT {
            let (only_bash, source) = entry.strip_prefix("#bash\n").map_or((false, *entry), |rest| (true, rest));
            if only_bash && name != "bash" {
                continue;
            }
            match compare(&shell, source, &["zero", "one", "two words"], &env) {
                Ok(Verdict::Equal) => compared += 1,
                Ok(Verdict::Among) if source.starts_with("#among") => compared += 1,
                other => {
                    failures.push(format!("{name}: {source}\n{}\n", other.map_or_else(|e| e, |v| format!("{v:?}"))));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    println!("compared {compared} runs of {} scripts", EXACT.len());
    if compared == 0 {
        println!("skipped: no shell");
    }
}

#[test]
fn words_of_all_kinds_expand_as_in_bash_and_dash() {
    const PARTS: &[&str] = &[
        "$ARGS",
        "\"$ARGS\"",
        "${EMPTY:-$ARGS}",
        "\"${EMPTY:-$ARGS}\"",
        "\"${EMPTY:-a  b}\"",
        "${EMPTY:-a  'b c'}",
        "''",
        "a",
        "\\ ",
        "\"x  y\"",
        "$EMPTY",
        "\"$EMPTY\"",
        "${MODEL##*/}",
        "${MODEL%%/*}",
        "$((TP+1))",
        "$1",
        "\"$2\"",
        "--f=",
        "=",
        "x#",
        "${#MODEL}",
        "%",
        "-",
        ":",
        "'$TP'",
        "\\$TP",
        "\"\\$TP\"",
        "\"a'b\"",
        "'a\"b'",
        "\\\\",
        "}",
        "{",
        "{a,b}",
        "{x{y,}z,",
        "{1..3}",
        "{c..a",
        "{$TP,\"{\"",
        "..2",
        "[x",
        "]",
        "!",
        "^",
        ",",
        "$SEP",
        "\"$SEP\"",
        "${TP+x y}",
        "${SEP:+\"p q\"}",
        "${EMPTY:+z}",
        "\\\n",
        "é",
        "\"${MODEL#Qwen\"/\"}\"",
        "$#",
        "0",
        "/x/y",
        "@",
        "+",
    ];
    let mut env = container();
    env.insert("SEP".to_owned(), " ,a,,b , c, ".to_owned());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]));
    // Shells differ where these stand beside other parts.
    let whole = prop::sample::select(&["\"$@\"", "$@", "\"$*\"", "~", "~/x"][..]).prop_map(str::to_owned);
    let joined = prop::collection::vec(prop::sample::select(PARTS), 1..5).prop_map(|parts| parts.concat());
    let word = prop_oneof![1 => whole, 6 => joined];
    let lines = prop::collection::vec((prop::collection::vec(word, 1..5), 0usize..4), 8);
    let (mut compared, mut failures) = (0, Vec::new());
    let rounds = std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(10);
    for name in ["bash", "dash"] {
        let Some(shell) = shell(name) else { continue };
        for _ in 0..rounds {
            let mut source = String::new();
            for (words, kind) in lines.new_tree(&mut runner).expect("lines").current() {
                // With an `IFS` of its own bash lets blanks of one expansion run into marks of the next; dash does not.
                let meets = |w: &String| w.contains("$@") || w.matches("$SEP").count() + w.matches("$ARGS").count() > 1;
                let kind = if kind == 1 && words.iter().any(meets) { 3 } else { kind };
                let list = words.join(" ");
                source += &match kind {
                    0 => format!("V={}; cmd v \"$V\" $V\n", words.first().map_or("", String::as_str)),
                    1 => format!("IFS=' ,'; cmd i {list}; unset IFS\n"),
                    2 => format!("for i in {list}; do cmd f \"$i\"; done\n"),
                    _ => format!("cmd c {list}\n"),
                };
            }
            match compare(&shell, &source, &["zero", "one", "two  words"], &env) {
                // `$10` and the like, which parts may make, are not known.
                Ok(Verdict::Equal | Verdict::Among) => compared += 1,
                other => {
                    failures.push(format!("{name}: {source}\n{}\n", other.map_or_else(|e| e, |v| format!("{v:?}"))));
                }
            }
        }
    }
    println!("compared {compared} runs");
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures[..failures.len().min(3)].join("\n"));
}

/// Every `sh -c` and `bash -c` script of the corpora, with the shell it names.
fn corpus_scripts(root: &Path) -> BTreeMap<(String, String), PathBuf> {
    let mut out = BTreeMap::new();
    for part in ["upstream", "third-party", "wild"] {
        for entry in walkdir::WalkDir::new(root.join(part)).sort_by_file_name().into_iter().filter_map(Result::ok) {
            if !entry.path().extension().is_some_and(|e| e == "yaml" || e == "yml") {
                continue;
            }
            let Ok(content) = fs::read_to_string(entry.path()) else { continue };
            let sources = dynlint::source::Sources::new();
            let file = sources.add(entry.path().display().to_string(), None, content);
            let stream = dynlint::yaml::parse(&file, &dynlint::yaml::Limits::default());
            for root in stream.documents.iter().filter_map(|d| d.root.as_ref()) {
                collect(&common::json(root), entry.path(), &mut out);
            }
        }
    }
    out
}

fn collect(value: &serde_json::Value, path: &Path, out: &mut BTreeMap<(String, String), PathBuf>) {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let list = |key: &str| map.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
            let words: Vec<String> =
                list("command").into_iter().chain(list("args")).filter_map(|v| v.as_str().map(str::to_owned)).collect();
            if let [shell, option, script, ..] = words.as_slice() {
                let name = shell.rsplit('/').next().unwrap_or_default();
                if matches!(name, "sh" | "bash") && option.starts_with('-') && option.ends_with('c') {
                    out.entry((name.to_owned(), script.clone())).or_insert_with(|| path.to_owned());
                }
            }
            map.values().for_each(|v| collect(v, path, out));
        }
        Value::Array(items) => items.iter().for_each(|v| collect(v, path, out)),
        _ => {}
    }
}

/// Whether a script may do something to this machine: it writes to files, calls programs by their paths or by variables,
/// or reads in other scripts. It needs a root directory of its own then.
fn dangerous(source: &str) -> bool {
    let word =
        |w: &str| source.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))).any(|s| s == w);
    if ["source", "eval", "kill", "."].iter().any(|w| word(w)) {
        return true;
    }
    let mut rest = source;
    while let Some(at) = rest.find('>') {
        rest = rest[at + 1..].trim_start_matches(['>', '|', ' ', '(']);
        if !["&1", "&2", "&-", "/dev/null", "/dev/std"].iter().any(|ok| rest.starts_with(ok)) {
            return true;
        }
    }
    let path = |s: &str| s.trim_start().starts_with(['/', '.', '~', '"', '$']);
    let starts = source.split(['\n', ';', '&', '|', '(', '`']).any(&path);
    let after = ["exec ", "then ", "do ", "else ", "env ", "nohup ", "time "]
        .iter()
        .any(|word| source.match_indices(word).any(|(at, _)| path(&source[at + word.len()..])));
    starts || after
}

/// The variables that a script uses, each with a value of its own.
fn container_of(source: &str, value: &str) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for (at, _) in source.match_indices('$') {
        let rest = source[at + 1..].trim_start_matches('{');
        let len = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let name = &rest[..len];
        if name.starts_with(|c: char| c.is_ascii_uppercase()) && !["IFS", "PATH", "PWD", "RANDOM"].contains(&name) {
            env.insert(name.to_owned(), value.replace('%', name));
        }
    }
    env
}

#[test]
fn scripts_of_the_corpora_run_as_foreseen() {
    let (Some(root), Some(bash)) = (common::corpus(), shell("bash")) else {
        println!("skipped: no corpus or no bash");
        return;
    };
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    let (mut failures, mut listed) = (Vec::new(), Vec::new());
    for ((name, source), path) in corpus_scripts(&root) {
        let shown = || {
            format!(
                "{}: {}",
                path.strip_prefix(&root).unwrap_or(&path).display(),
                source.lines().next().unwrap_or_default()
            )
        };
        let guarded = jail::works() && ["-f \"", "-s \"", "-e \"", "-r \""].iter().any(|test| source.contains(test));
        let jailed = dangerous(&source) || guarded;
        if jailed && !jail::works() {
            let why = "needs a root of its own, which is not allowed here";
            listed.push(format!("{why}: {}", shown()));
            *counts.entry(Verdict::Not(why)).or_default() += 1;
            continue;
        }
        let shell = if name == "bash" { bash.clone() } else { shell("sh").unwrap_or_else(|| bash.clone()) };
        for value in ["v-%", "a  %/b c"] {
            let env = container_of(&source, value);
            let compared = if jailed {
                let lookup = |name: &str| env.get(name).map(|value| Word::known(text(value)));
                let ours = script(&text(&source), dialect(&shell), &lookup, &[]);
                judge(&ours, &jail::run(&shell, &source, &env), &source, &env)
            } else {
                compare(&shell, &source, &[], &env)
            };
            match compared {
                Ok(verdict) => {
                    if let Verdict::Not(why) = verdict {
                        listed.push(format!("{why}: {}", shown()));
                    }
                    *counts.entry(verdict).or_default() += 1;
                }
                Err(why) => failures.push(format!("{}:\n{source}\n--\n{why}\n", path.display())),
            }
        }
    }
    for (verdict, count) in &counts {
        println!("{count:4} {verdict:?}");
    }
    listed.sort();
    listed.dedup();
    println!("not compared to the end:\n  {}", listed.join("\n  "));
    assert!(failures.is_empty(), "{} scripts differ:\n{}", failures.len(), failures.join("\n"));
    let good: usize = counts.iter().filter(|(v, _)| matches!(v, Verdict::Equal | Verdict::Among)).map(|(_, n)| n).sum();
    assert!(good > 0, "nothing could be compared");
}

#[test]
fn bash_and_we_agree_on_what_is_an_error() {
    let Some(bash) = shell("bash") else {
        println!("skipped: no bash");
        return;
    };
    let mut scripts: Vec<String> = EXACT.iter().map(|s| s.replace("#bash\n", "")).collect();
    if let Some(root) = common::corpus() {
        scripts.extend(corpus_scripts(&root).into_keys().map(|(_, source)| source));
    }
    let mut bad = 0;
    for source in &scripts {
        let run = Command::new(&bash).args(["-n", "-c", source]).env_clear().output().expect("bash runs");
        let ours = script(&text(source), Dialect::Bash, &|_| None, &[]);
        assert_eq!(run.status.success(), ours.errors.is_empty(), "{source}\n{:?}\n{run:?}", ours.errors);
        bad += usize::from(!run.status.success());
    }
    println!("compared {} scripts, {bad} of them broken", scripts.len());
}

/// The shapes that recipes have.
const RECIPES: &[&str] = &[
    "python3 -m dynamo.vllm \\\n  --model Qwen/Qwen3-32B \\\n  --kv-transfer-config '{\"kv_connector\":\"NixlConnector\"}' \\\n  2>&1 | tee /tmp/log",
    "set -e\nexport UCX_TLS=rc,cuda_copy\nARGS=(--tp 4 \"--model=$MODEL\")\nif [ -n \"$X\" ]; then\n  ARGS+=(--x)\nfi\nexec python3 -m dynamo.sglang \"${ARGS[@]}\"",
    "cat > /tmp/config.yaml <<EOF\ntp: ${TP:-4}\nEOF\ntrtllm-llmapi-launch python3 -m dynamo.trtllm --extra-engine-args /tmp/config.yaml",
    "for i in $(seq 0 3); do CUDA_VISIBLE_DEVICES=$i python3 -m dynamo.vllm & done; wait -n; exit $?",
    "while ! curl -s http://$HOST:8000/health; do sleep 5; done && case $ROLE in prefill|decode) run;; *) exit 1;; esac",
];

/// Where bash has ways of its own: indices, arithmetic that is none, `! ;`, quotes inside `"${a:-'}"`, `$f()`.
fn quirk(source: &str) -> bool {
    let odd = ["[[", "A[", "[@", "[*", "$((", "${$", "${'", "${-", "! ", ":-"];
    let dollar_name = |at: usize| source[..at].chars().rev().take_while(|c| !c.is_whitespace()).any(|c| c == '$');
    odd.iter().any(|odd| source.contains(odd)) || source.match_indices("()").any(|(at, _)| dollar_name(at))
}

#[test]
fn bash_and_we_agree_on_broken_scripts() {
    let Some(bash) = shell("bash") else {
        println!("skipped: no bash");
        return;
    };
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[3; 32]));
    let token = prop_oneof![
        Just("'"),
        Just("\""),
        Just("`"),
        Just("("),
        Just(")"),
        Just("{ "),
        Just("}"),
        Just("$("),
        Just("${"),
        Just(";"),
        Just("&"),
        Just("|"),
        Just("\n"),
        Just(" "),
        Just("\\"),
        Just("<"),
        Just(">"),
        Just("#"),
        Just("if "),
        Just(" then "),
        Just("fi"),
        Just("; do "),
        Just("done"),
        Just("case x in "),
        Just("esac"),
        Just(";;"),
        Just("! "),
        Just("for i "),
        Just("$"),
        Just("="),
        Just("")
    ];
    let sources: Vec<&str> = EXACT.iter().chain(RECIPES).copied().collect();
    let mutation = (0..sources.len(), prop::collection::vec((any::<prop::sample::Index>(), 0usize..6, token), 1..3));
    let (mut broken, mut unread, mut differ) = (0, 0, Vec::new());
    let rounds = std::env::var("ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(500);
    for _ in 0..rounds {
        let (which, edits) = mutation.new_tree(&mut runner).expect("a mutation").current();
        let mut chars: Vec<String> = sources[which].chars().map(String::from).collect();
        for (at, drop, token) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + drop).min(chars.len());
            chars.splice(at..end, [token.to_owned()]);
        }
        let source = chars.concat();
        let run = Command::new(&bash).args(["-n", "-c", "--", &source]).env_clear().output().expect("bash runs");
        // `bash -n` succeeds on a bad `[[`, though it complains.
        let complaint = String::from_utf8_lossy(&run.stderr);
        let fails = complaint.lines().any(|line| !line.contains("warning: here-document"));
        let ours = syntax_errors(&text(&source));
        broken += usize::from(fails);
        unread += usize::from(!fails && unreadable(&source));
        if fails == ours.is_empty() && !quirk(&source) {
            differ.push(format!("{source}\n  {ours:?}\n  {complaint}"));
        }
    }
    println!("compared {rounds} scripts, {broken} of them broken; {unread} sound ones could not be read to the end");
    assert!(unread * 200 <= rounds, "{unread} of {rounds} sound scripts could not be read to the end");
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

/// Whether what a script runs is not known from some place on, because the parser crate refuses what bash reads.
fn unreadable(source: &str) -> bool {
    let ours = script(&text(source), Dialect::Bash, &|_| None, &[]);
    ours.processes.last().is_some_and(|last| {
        let rest = last.argv.len() == 1 && last.argv[0].open && last.env_open.is_some();
        rest && last.argv[0].text.as_str() == source[last.span.range()].trim_end_matches('\n')
    })
}

fn quoted(word: &str, style: u8) -> String {
    match style {
        0 => format!("'{}'", word.replace('\'', r"'\''")),
        1 => {
            let mut out = String::from("\"");
            for c in word.chars() {
                if matches!(c, '"' | '\\' | '$' | '`') {
                    out.push('\\');
                }
                out.push(c);
            }
            out + "\""
        }
        _ => word
            .chars()
            .map(|c| match c {
                '\n' => "'\n'".to_owned(),
                c => format!("\\{c}"),
            })
            .collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn words_survive_quoting_and_point_to_their_characters(
        words in prop::collection::vec(("[ -~éß\n\t]{0,12}", 0u8..3, "[ \t]{1,3}|\\\\\n"), 1..8)
    ) {
        let mut source = String::from("cmd");
        for (word, style, gap) in &words {
            source.push(' ');
            source.push_str(gap);
            source.push_str(&if word.is_empty() { "''".to_owned() } else { quoted(word, *style) });
        }
        let ours = script(&text(&source), Dialect::Bash, &|_| None, &[]);
        prop_assert_eq!(&ours.errors, &[]);
        prop_assert_eq!(ours.processes.len(), 1);
        let argv = &ours.processes[0].argv;
        let got: Vec<Option<&str>> = argv[1..].iter().map(Word::as_known).collect();
        let want: Vec<Option<&str>> = words.iter().map(|(word, ..)| Some(word.as_str())).collect();
        prop_assert_eq!(got, want);
        for word in argv {
            for piece in word.text.pieces() {
                let value = &word.text.as_str()[piece.at as usize..(piece.at + piece.len) as usize];
                let from = &source[piece.span.range()];
                prop_assert!(from == value || from == format!("\\{value}"), "{from:?} gave {value:?}");
            }
        }
    }

    #[test]
    fn nothing_panics_and_spans_stay_inside(source in "[ -~\n]{0,80}|([a-z]|[\"'`$(){};&|<>#= \n\\\\]){0,60}") {
        let ours = script(&text(&source), Dialect::Bash, &|_| None, &[]);
        for (span, message) in &ours.errors {
            prop_assert!(source.get(span.range()).is_some() && !message.is_empty());
        }
        for process in &ours.processes {
            prop_assert!(!process.argv.is_empty() && process.program() < process.argv.len());
            prop_assert!(source.get(process.span.range()).is_some());
        }
        for bash in bash_only(&text(&source)) {
            prop_assert!(source.get(bash.range).is_some_and(|what| !what.is_empty()));
        }
    }
}
