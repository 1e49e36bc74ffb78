//! JSON in strings against Python's `json.loads`, which is what will read it.

use std::io::Write;
use std::process::{Command, Stdio};

use dynlint::command::json::{self, Json, JsonValue};
use dynlint::source::{FileId, Span, Text};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Reads documents (a JSON array of strings) and prints what each comes to, equal keys kept.
const READER: &str = r#"
import json, sys
def show(v):
    if isinstance(v, P): return '{' + ','.join(show(k) + ':' + show(x) for k, x in v) + '}'
    if isinstance(v, list): return '[' + ','.join(map(show, v)) + ']'
    if isinstance(v, str): return 's' + ''.join(c if not 0xd800 <= ord(c) < 0xe000 else '\ufffd' for c in v).encode().hex()
    if v is None or v is True or v is False: return str(v)
    return 'n' + repr(float(v))
class P(list): pass
out = []
for text in json.load(sys.stdin):
    try: out.append(show(json.loads(text, object_pairs_hook=P, parse_int=float)))
    except ValueError: out.append('error')
json.dump(out, sys.stdout)
"#;

fn python(documents: &[String]) -> Option<Vec<String>> {
    let mut child = Command::new("python3")
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let input = serde_json::to_string(documents).expect("strings");
    let mut stdin = child.stdin.take()?;
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn show(json: &Json) -> String {
    let hex = |s: &str| format!("s{}", s.bytes().map(|b| format!("{b:02x}")).collect::<String>());
    match &json.value {
        JsonValue::Null => "None".to_owned(),
        JsonValue::Bool(true) => "True".to_owned(),
        JsonValue::Bool(false) => "False".to_owned(),
        JsonValue::String(s) => hex(s),
        JsonValue::Number(n) => match n.as_str() {
            "NaN" => "nnan".to_owned(),
            "Infinity" => "ninf".to_owned(),
            "-Infinity" => "n-inf".to_owned(),
            n => format!("n{:?}", n.parse::<f64>().expect("a number")),
        },
        JsonValue::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
        JsonValue::Object(entries) => {
            let entry = |e: &json::JsonEntry| format!("{}:{}", hex(&e.key), show(&e.value));
            format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

const SEEDS: &[&str] = &[
    r#"{"kv_connector":"NixlConnector","kv_role":"kv_both","kv_connector_extra_config": {"backends": ["UCX"]}}"#,
    r#"{"a": [1, -2.5e+3, 0, true, false, null, "x\u00e9\n\ud83d\ude00"], "a": {}, "": [[]]}"#,
    r#"[NaN, Infinity, -Infinity, 1E5, "\"\\\/\b\f\r\t"]"#,
    " { \"k\" :\t[ 1 ,\r\n 2 ] } ",
    "{'a': 1}",
    "[1, 2,]",
    "[0x1f, .5, 5., +1, 01, -]",
    "\u{feff}{}",
    "\"\u{1}\"",
    "[1,\u{a0}2]",
    "\u{b}[]",
];

/// Values whose text Rust and Python may write differently are left out of the comparison of values.
fn comparable(shown: &str) -> bool {
    !shown.contains(['n'])
        || shown.split(['[', ']', ',', ':', '{', '}']).all(|t| !t.contains('e') && t.len() < 16 || t.starts_with('s'))
}

#[test]
fn the_same_documents_as_python() {
    let mut documents: Vec<String> = SEEDS.iter().map(|s| (*s).to_owned()).collect();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let token = prop_oneof![
        Just("\""),
        Just("'"),
        Just(","),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(":"),
        Just("\\"),
        Just("/"),
        Just("#"),
        Just("-"),
        Just("+"),
        Just("."),
        Just("0"),
        Just("e"),
        Just("NaN"),
        Just("-NaN"),
        Just("Infinity"),
        Just("true"),
        Just("True"),
        Just(" "),
        Just("\n"),
        Just("\t"),
        Just("\u{2003}"),
        Just("\u{c}"),
        Just("\\u12"),
        Just("\\ud800"),
        Just("\\udc00"),
        Just("//"),
        Just("/**/"),
        Just("\u{0}"),
        Just("é"),
        Just("$X"),
        Just("")
    ];
    let mutation = (0..SEEDS.len(), prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, token), 0..3));
    for _ in 0..4000 {
        let (seed, edits) = mutation.new_tree(&mut runner).expect("a mutation").current();
        let mut chars: Vec<String> = SEEDS[seed].chars().map(String::from).collect();
        for (at, drop, token) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + drop).min(chars.len());
            chars.splice(at..end, [token.to_owned()]);
        }
        documents.push(chars.concat());
    }
    let Some(theirs) = python(&documents) else {
        println!("skipped: no python3");
        return;
    };
    assert_eq!(theirs.len(), documents.len());
    let (mut accepted, mut values) = (0, 0);
    for (document, theirs) in documents.iter().zip(theirs) {
        let span = Span::new(FileId(0), 0, u32::try_from(document.len()).unwrap());
        match json::parse(&Text::opaque(document.clone(), span)) {
            Ok(json) => {
                let ours = show(&json);
                assert_ne!(theirs, "error", "{document:?} came to {ours}");
                accepted += 1;
                if comparable(&ours) && comparable(&theirs) {
                    values += 1;
                    assert_eq!(ours, theirs, "{document:?}");
                }
            }
            Err(error) => {
                assert_eq!(theirs, "error", "{document:?}: {error:?}");
                assert!(document.get(error.span.range()).is_some(), "{document:?}: {error:?}");
            }
        }
    }
    println!("compared {} documents: {accepted} accepted, {values} values equal", documents.len());
}
