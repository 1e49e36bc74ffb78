use super::super::{AssignKind, Script, Word};
use super::script;
use crate::source::{FileId, Reason, Span, Text};

const FILE: FileId = FileId(0);

fn text(value: &str, at: u32) -> Text {
    Text::opaque(value, Span::new(FILE, at, at + u32::try_from(value.len()).unwrap()))
}

/// The container's environment in these tests; values stand behind byte 10 000.
fn lookup(name: &str) -> Option<Word> {
    Some(match name {
        "MODEL" => Word::known(text("Qwen/Qwen3-32B", 10_000)),
        "TP" => Word::known(text("4", 10_100)),
        "EMPTY" => Word::known(text("", 10_200)),
        "ARGS" => Word::known(text("--a  1 --b", 10_300)),
        "JSON" => Word::known(text(r#"{"a": "b c"}"#, 10_400)),
        "SCRIPT" => Word::known(text("python3 -m x --tp $TP", 10_500)),
        "TOKEN" => Word::unknown(text("", 10_600), Reason::Secret("hf".to_owned())),
        "POD_IP" => Word::unknown(text("", 10_700), Reason::Downward("status.podIP".to_owned())),
        _ => return None,
    })
}

fn run(source: &str) -> Script {
    script(&text(source, 0), &lookup, &[])
}

fn show(word: &Word) -> String {
    let mark = match (&word.dynamic, word.open) {
        (None, _) => "",
        (Some(_), false) => "?",
        (Some(_), true) => "*",
    };
    format!("{mark}{}", word.text)
}

/// Processes one a line: words joined by `|`; dynamic words begin with `?`, open ones with `*`; `&` for background, `if`
/// for conditional ones.
fn processes(source: &str) -> String {
    let script = run(source);
    assert!(script.errors.is_empty(), "{source}: {:?}", script.errors);
    let line = |p: &super::Process| {
        let words: Vec<String> = p.argv.iter().map(show).collect();
        let flags = format!("{}{}", if p.conditional { "if " } else { "" }, if p.background { "& " } else { "" });
        format!("{flags}{}", words.join("|"))
    };
    script.processes.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Environment of the last process: the operation that counts for each name, in order.
fn env(source: &str) -> String {
    let script = run(source);
    assert!(script.errors.is_empty(), "{source}: {:?}", script.errors);
    let process = script.processes.last().expect("a process");
    let op = |op: &super::super::EnvOp| {
        let sign = match op.kind {
            AssignKind::Export => "=",
            AssignKind::Prefix => ":=",
            AssignKind::Unset => return format!("-{}", op.name),
        };
        format!("{}{sign}{}", op.name, op.value.as_ref().map(show).unwrap_or_default())
    };
    process.env.iter().map(op).collect::<Vec<_>>().join(" ")
}

#[test]
fn quoting() {
    for (source, words) in [
        ("a b  c", "a|b|c"),
        ("a 'b c' \"d e\"", "a|b c|d e"),
        (r#"a "x\"y\$z\q" '\n' \"b\ c"#, r#"a|x"y$z\q|\n|"b c"#),
        ("a '' \"\" b", "a|||b"),
        ("a \\\n  --b \\\n c", "a|--b|c"),
        ("a b\\\nc", "a|bc"),
        ("a 'b'\"c\"d\\e", "a|bcde"),
        (r"a $'x\ty\'z\x41\u00e9\101'", "a|x\ty'zAéA"),
        ("a $\"b\"", "a|b"),
        ("a b#c # d", "a|b#c"),
        ("a $ b$ \"$\" '$x'", "a|$|b$|$|$x"),
        ("a --b={\"c\":1}", "a|--b={c:1}"),
        ("a [1] {} { } [ ! = == =~ x=y", "a|[1]|{}|{|}|[|!|=|==|=~|x=y"),
        ("a > /dev/null b 2>&1 c &> log d < in", "a|b|c|d"),
        ("a 2 > x 3", "a|2|3"),
        ("a <<< \"x\" b", "a|b"),
        ("é 'ü' ß", "é|ü|ß"),
        ("a;b", "a\nb"),
        ("a&&b", "a\nb"),
    ] {
        assert_eq!(processes(source), words, "{source}");
    }
}

#[test]
fn escaped_blanks_of_folded_scalars_are_words() {
    assert_eq!(processes(r"python \ --model \ x"), "python| --model| x");
    assert_eq!(processes(r"a && \ python -m b"), "a\n python|-m|b");
    assert_eq!(processes("a \\ \nb"), "a| \nb");
    assert_eq!(processes(r"ulimit -l unlimited X=0 \ python -m b"), "ulimit|-l|unlimited|X=0| python|-m|b");
}

#[test]
fn exports_prefixes_and_unset() {
    assert_eq!(env("export A=b; C=d; x"), "A=b");
    assert_eq!(env("A=b C=$A x"), "A:=b C:=b");
    assert_eq!(env("A=1; export A; A=2; x"), "A=1 A=2");
    assert_eq!(env("TP=8; x"), "TP=8");
    assert_eq!(env("set -a; A=1; set +a; B=2; x"), "A=1");
    assert_eq!(env("unset TP; env -u MODEL A=b x"), "-TP -MODEL A:=b");
    assert_eq!(env("export A=$(cmd) B=\"$TOKEN\"; x"), "A=?$(cmd) B=?$TOKEN");
}

#[test]
fn processes_and_conditions() {
    assert_eq!(processes("if nvidia-smi; then a; else b; fi; c"), "nvidia-smi\nif a\nif b\nc");
    assert_eq!(processes("a || b; c & d | e"), "a\nif b\n& c\nd\ne");
    assert_eq!(processes("if [ \"$TP\" = 4 ]; then a; else b; fi"), "a");
    assert_eq!(processes("exec a --b\nc"), "exec|a|--b");
    assert_eq!(processes("f() { a \"$1\"; }; f x; f 'y z'"), "a|x\na|y z");
    assert_eq!(processes("bash -c 'a $0 \"$@\"' x y z"), "a|x|y|z");
    assert_eq!(
        processes("exec mpirun -n 8 -x A=b bash -c 'trtllm-llmapi-launch python3 -m x'"),
        "exec|mpirun|-n|8|-x|A=b|trtllm-llmapi-launch|python3|-m|x"
    );
}

#[test]
fn variables() {
    assert_eq!(
        processes("a $MODEL \"$MODEL\" ${UNKNOWN} \"${UNKNOWN}\" $TOKEN $POD_IP"),
        "a|Qwen/Qwen3-32B|Qwen/Qwen3-32B|*${UNKNOWN}|?${UNKNOWN}|*$TOKEN|?$POD_IP"
    );
    assert_eq!(processes("a $ARGS \"$ARGS\" x$ARGS"), "a|--a|1|--b|--a  1 --b|x--a|1|--b");
    assert_eq!(
        processes("X=(--a \"b c\" $UNKNOWN); X+=(d); a \"${X[@]}\" ${#X[@]}"),
        "a|--a|b c|*$UNKNOWN|d|?${#X[@]}"
    );
}
