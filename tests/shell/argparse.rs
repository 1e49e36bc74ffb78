//! What [`Args`] reads off a command line, against Python's argparse itself: repeated flags, `--flag=value`, short flags,
//! `nargs`, negated booleans, values that look like options, the end of options.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use dynlint::command::{Args, Word};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Flags of every kind that the catalogs know, and how argparse is told of them.
const FLAGS: [(&str, &str); 9] = [
    ("--model", "store"),
    ("-tp", "store"),
    ("--config", "store"),
    ("--trust", "store_true"),
    ("--kv-events", "boolean"),
    ("--names", "+"),
    ("--hosts", "*"),
    ("--level", "?"),
    ("--middleware", "append"),
];

const PARSER: &str = r"
import argparse, json, sys
class Refused(Exception): pass
class Parser(argparse.ArgumentParser):
    def error(self, message): raise Refused(message)
flags, lines = json.load(sys.stdin)
out = []
for line in lines:
    parser = Parser(allow_abbrev=False, add_help=False)
    for name, kind in flags:
        more = {'store': {}, 'store_true': {'action': 'store_true', 'default': None},
                'boolean': {'action': argparse.BooleanOptionalAction, 'default': None},
                '+': {'nargs': '+'}, '*': {'nargs': '*'}, '?': {'nargs': '?', 'const': '(const)'},
                'append': {'action': 'append'}}[kind]
        parser.add_argument(name, dest=name, **more)
    try:
        known, _ = parser.parse_known_args(line)
        out.append({name: value for name, value in vars(known).items() if value is not None})
    except Refused:
        out.append(None)
json.dump(out, sys.stdout)
";

fn word() -> impl Strategy<Value = String> {
    let values = ["m", "8", "-1", "-0.5", "-", "", "a b", "--model x", "{\"a\": -1}", "x=y", "true", "--", "é"];
    let given = FLAGS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    prop_oneof![
        4 => select(given.clone()),
        // What Python makes of `--flag=--` depends on its version.
        2 => (select(given), select(values.to_vec())).prop_map(|(flag, value)| format!("{flag}={value}"))
            .prop_filter("a version's own", |word| !word.ends_with("=--")),
        1 => Just("--no-kv-events".to_owned()),
        5 => select(values.to_vec()).prop_map(str::to_owned),
    ]
}

/// What we say each flag comes to.
fn ours(line: &[String]) -> BTreeMap<String, Value> {
    let words: Vec<Word> = line.iter().map(|word| Word::known(super::text(word))).collect();
    let args = Args::parse(&words);
    let mut out = BTreeMap::new();
    for (name, kind) in FLAGS {
        let texts = |words: &[Word]| words.iter().map(|word| word.text.as_str().to_owned()).collect::<Vec<_>>();
        let value = match kind {
            "boolean" => args.switch(&[name], &["--no-kv-events"]).map(|(on, _)| json!(on)),
            "store_true" => args.last(&[name]).map(|_| json!(true)),
            "+" | "*" => args.last(&[name]).map(|flag| json!(texts(&flag.values))),
            "?" => {
                args.last(&[name]).map(|flag| flag.value().map_or(json!("(const)"), |word| json!(word.text.as_str())))
            }
            "append" => {
                let names = [name];
                let all: Vec<&str> = args.all(&names).filter_map(|f| Some(f.value()?.text.as_str())).collect();
                (!all.is_empty()).then(|| json!(all))
            }
            _ => args.last(&[name]).and_then(|flag| flag.value()).map(|word| json!(word.text.as_str())),
        };
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    }
    out
}

#[test]
fn command_lines_are_read_as_argparse_reads_them() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = prop::collection::vec(word(), 0..9);
    let lines: Vec<Vec<String>> =
        (0..4000).map(|_| strategy.new_tree(&mut runner).expect("a line").current()).collect();
    let started = Command::new("python3")
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut python) = started else {
        assert!(std::env::var_os("CI").is_none(), "python3 is needed here");
        println!("skipped: no python3");
        return;
    };
    let input = serde_json::to_vec(&(FLAGS, &lines)).expect("JSON");
    python.stdin.take().expect("its input").write_all(&input).expect("written");
    let said = python.wait_with_output().expect("an end");
    let theirs: Vec<Option<BTreeMap<String, Value>>> = serde_json::from_slice(&said.stdout).expect("its answers");
    let mut equal = 0;
    let mut different = Vec::new();
    for (line, theirs) in lines.iter().zip(&theirs) {
        // What argparse refuses has no meaning that could be compared.
        let Some(theirs) = theirs else { continue };
        let ours = ours(line);
        if ours == *theirs {
            equal += 1;
        } else {
            different.push(format!("{line:?}\n  ours     {ours:?}\n  argparse {theirs:?}"));
        }
    }
    println!("{equal} of {} command lines read alike, {} refused", lines.len(), lines.len() - equal - different.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different[..different.len().min(8)].join("\n"));
    assert!(equal > 1000, "only {equal} lines that argparse takes");
}
