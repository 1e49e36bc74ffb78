use super::super::{AssignKind, Dialect, Script, Word};
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
    script(&text(source, 0), Dialect::Bash, &lookup, &[])
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
    assert_eq!(env("TP=8; x"), "TP=8", "what the container exports stays exported");
    assert_eq!(env("set -a; A=1; set +a; B=2; x"), "A=1");
    assert_eq!(env("unset TP; env -u MODEL A=b x"), "-TP -MODEL A:=b");
    assert_eq!(env("export A=$(cmd) B=\"$TOKEN\"; x"), "A=?$(cmd) B=?$TOKEN");
    assert_eq!(env("export A=1; (export B=2); { export C=3; }; x"), "A=1 C=3");
    assert_eq!(env("export A=1; export -n A; x"), "A=1 -A");
    assert_eq!(env("PATH=/x:$PATH; x"), "PATH=?/x:$PATH");
    assert_eq!(env("f() { export A=1; }; f; x"), "A=1");
    assert_eq!(env("A=1 bash -c 'export B=2; x'"), "A:=1 B=2");
    assert_eq!(env("mpirun -x A=1 -x B -genv C 2 x"), "A:=1 C:=2");
    assert_eq!(env("for i in 1 2; do export A=$i; done; x"), "A=1 A=2");
    assert_eq!(env("declare -x A=1; readonly B=2; typeset -x C; x"), "A=1");
}

#[test]
fn what_happens_on_a_condition_is_not_known_behind_it() {
    assert_eq!(env("if cmd; then export A=1; fi; x"), "A=?1");
    assert_eq!(env("if cmd; then export A=1; x; fi"), "A=1");
    assert_eq!(env("if cmd; then export A=1; else export A=1; fi; x"), "A=1");
    assert_eq!(env("if cmd; then export A=1; else export A=2; fi; x"), "A=?1");
    assert_eq!(env("if cmd; then unset TP; fi; x"), "TP=?");
    assert_eq!(env("[ -f /x ] && export A=1; x"), "A=?1");
    assert_eq!(env("cmd && export A=1; x"), "A=1", "an ordinary command is taken to succeed");
    assert_eq!(env("cmd || export A=1; x"), "A=?1");
    assert_eq!(env("while cmd; do export A=1; done; x"), "A=?1");
    assert_eq!(env("case $UNKNOWN in a) export A=1;; *) export A=2;; esac; x"), "A=?1");
    assert_eq!(env("if cmd; then A=1; else A=2; fi; export A; x"), "A=?$A");
    assert_eq!(env("if cmd; then export A=1; exit 1; fi; x"), "", "who gets there did not take the branch");
    assert_eq!(env("cmd || { export A=1; exit; }; x"), "");
    assert_eq!(env("cmd | while read l; do export A=1; done; x"), "", "a pipeline runs in subshells");
    assert_eq!(processes("A=1; if cmd; then A=2; fi; a \"$A\" $A"), "cmd\na|?$A|*$A");
    assert_eq!(processes("for i in a $UNKNOWN; do A=$i; done; x \"$A\""), "x|?$A");
}

#[test]
fn conditions_that_can_be_decided() {
    for (source, runs) in [
        ("if [ \"$TP\" = 4 ]; then a; else b; fi", "a"),
        ("if [ -z \"$EMPTY\" ] ; then a; fi", "a"),
        ("if [ -n \"$EMPTY\" ]; then a; elif [[ $MODEL == Qwen/* ]]; then b; else c; fi", "b"),
        ("[ $TP -ge 8 ] && a; [ $TP -lt 8 ] && b", "b"),
        ("true && a || b; false && c || d; ! false && e", "a\nif b\nd\ne"),
        ("case $MODEL in */Qwen3*) a;; *) b;; esac", "a"),
        ("case $TP in 1|2) a;; [3-5]) b;; esac", "b"),
        ("while false; do a; done; until true; do b; done; c", "c"),
        ("test \"$TOKEN\" && a", "if a"),
        ("[ -f /etc/x ] && a; b", "if a\nb"),
        ("[ ! -f /etc/x ] || a", "if a"),
        ("[[ -n $TP && -f x ]] && a", "if a"),
        ("command -v nvidia-smi && a; grep -q x y && b", "if a\ngrep|-q|x|y\nif b"),
        ("if (( TP > 2 )); then a; fi", "if a"),
    ] {
        assert_eq!(processes(source), runs, "{source}");
    }
}

#[test]
fn processes_and_conditions() {
    assert_eq!(processes("if nvidia-smi; then a; else b; fi; c"), "nvidia-smi\nif a\nif b\nc");
    assert_eq!(processes("a || b; c & d | e"), "a\nif b\n& c\nd\ne");
    assert_eq!(processes("exec a --b\nc"), "exec|a|--b");
    assert_eq!(processes("exec > /dev/null; a"), "a");
    assert_eq!(processes("if cmd; then exec a; fi; exec b"), "cmd\nif exec|a\nif exec|b");
    assert_eq!(processes("if cmd; then exec a; else exec b; fi; c"), "cmd\nif exec|a\nif exec|b");
    assert_eq!(processes("[ -d \"$X\" ] || exit 1; a"), "a");
    assert_eq!(processes("while true; do a; sleep 1; done; b"), "a\nsleep|1");
    assert_eq!(processes("while true; do a && break; done; b"), "a\nb");
    assert_eq!(processes("until curl x; do sleep 1; done; a"), "curl|x\nif sleep|1\na");
    assert_eq!(processes("for ((i=0; i<3; i++)); do a $i; done; b"), "if a|*$i\nb");
    assert_eq!(processes("(a; exit; b); c"), "a\nc");
    assert_eq!(processes("a &\nb &\nwait -n"), "& a\n& b");
    assert_eq!(processes("a | tee log & b"), "& a\n& tee|log\nb");
}

#[test]
fn functions_and_nested_scripts() {
    assert_eq!(processes("f() { a \"$1\"; }; f x; f 'y z'"), "a|x\na|y z");
    assert_eq!(processes("f() { f; }; f; a"), "", "endless recursion ends, and with it the shell");
    assert_eq!(processes("f() { local TP=1; a $TP; }; f; b $TP"), "a|1\nb|4");
    assert_eq!(env("f() { local TP=1; }; f; b"), "TP=1 TP=4", "a local variable leaves the environment again");
    assert_eq!(processes("cd() { a; }; cd"), "a");
    assert_eq!(processes("bash -c 'a $0 \"$@\"' x y z"), "a|x|y|z");
    assert_eq!(processes("bash -lc \"a '$MODEL'\"; sh -c \"$SCRIPT\""), "a|Qwen/Qwen3-32B\npython3|-m|x|--tp|4");
    assert_eq!(
        processes("exec mpirun -n 8 -x A=b bash -c 'trtllm-llmapi-launch python3 -m x'"),
        "exec|mpirun|-n|8|-x|A=b|trtllm-llmapi-launch|python3|-m|x"
    );
    assert_eq!(processes("bash -c \"a --model $UNKNOWN\""), "a|--model|*$UNKNOWN");
    assert_eq!(
        processes("bash -c $UNKNOWN; bash \"$UNKNOWN\"; bash x.sh"),
        "bash|-c|*$UNKNOWN\nbash|?$UNKNOWN\nbash|x.sh"
    );
    assert_eq!(processes("X=1; bash -c 'a \"$X\"'"), "a|?$X", "not exported, and the image may set it");
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
    assert_eq!(
        processes("a ${UNKNOWN:-x} \"${UNKNOWN:-x}\" ${UNKNOWN:+x} $((UNKNOWN+1))"),
        "a|*${UNKNOWN:-x}|?${UNKNOWN:-x}|*${UNKNOWN:+x}|?$((UNKNOWN+1))"
    );
    assert_eq!(processes("a ${MODEL:?no model} \"${EMPTY:?none}\""), "a|Qwen/Qwen3-32B|?${EMPTY:?none}");
    assert_eq!(
        processes("a $(hostname) \"$(hostname -I | awk '{print $1}')\" `x y`z"),
        "a|*$(hostname)|?$(hostname -I | awk '{print $1}')|*`x y`z"
    );
    assert_eq!(processes("a {1..3} x{a,b} /models/* --x=* 'q*' ~/x"), "a|1|2|3|xa|xb|?/models/*|--x=*|q*|?~/x");
    assert_eq!(processes("a ${!X} ${MODEL:0:4} ${MODEL@Q} $? $$"), "a|*${!X}|*${MODEL:0:4}|*${MODEL@Q}|?$?|?$$");
    assert_eq!(processes("IFS=$UNKNOWN; a $ARGS"), "a|*$ARGS");
    assert_eq!(processes("read X Y; a \"$X\" \"$TP\"; read TP; b \"$TP\""), "a|?$X|4\nb|?$TP");
    assert_eq!(processes("set -- $UNKNOWN; a \"$@\" \"$1\" $#"), "a|*$UNKNOWN|?$1|?$#");
    // What the script put together keeps its literal words.
    assert_eq!(processes("X=\"--a $UNKNOWN --b 2\"; a $X; b \"$X\""), "a|--a|*$UNKNOWN|--b|2\nb|?--a $UNKNOWN --b 2");
}

#[test]
fn effects_that_cannot_be_seen() {
    let open = |source: &str| run(source).processes.last().is_some_and(|p| p.env_open.is_some());
    for source in
        ["source /x.sh; a", ". ./env; a", "eval \"$X\"; a", "env -i a", "export $(cat /x); a", "bash -c 'source x; a'"]
    {
        assert!(open(source), "{source}");
    }
    for source in [
        "a",
        "(source x); a",
        "source x & a",
        "source /opt/dynamo/venv/bin/activate; a",
        "export A=$(cat /x); a",
        "env A=b a",
    ] {
        assert!(!open(source), "{source}");
    }
    assert!(open("if cmd; then source x; fi; a"));
}

#[test]
fn builtins_are_no_processes_unless_something_is_wrong() {
    assert_eq!(
        processes(
            "ulimit -l unlimited && ulimit -n 1 -u 2; ulimit -Sn 5; ulimit; cd /; echo x; printf y; set -eux; umask 0; a"
        ),
        "a"
    );
    assert_eq!(
        processes("ulimit -l unlimited python3 -m dynamo.vllm --x"),
        "ulimit|-l|unlimited|python3|-m|dynamo.vllm|--x"
    );
    assert_eq!(processes("cat <<EOF > /x\npython3 -m y $(z)\nEOF\na"), "cat\na");
}

#[test]
fn words_point_to_what_was_written() {
    let source = r#"python3 -m x --a "$MODEL" --b='q r' --c=$JSON d\ e --m /m/$MODEL "$TP$TP""#;
    let script = run(source);
    let argv = &script.processes[0].argv;
    let word = |k: usize| (argv[k].text.as_str(), argv[k].span(), argv[k].text.whole());
    let at = |part: &str| {
        let start = u32::try_from(source.find(part).unwrap()).unwrap();
        Span::new(FILE, start, start + u32::try_from(part.len()).unwrap())
    };
    assert_eq!(word(2), ("x", at("x"), at("x")));
    // One variable alone keeps the place of its value; the use is its `whole`.
    assert_eq!(word(4), ("Qwen/Qwen3-32B", Span::new(FILE, 10_000, 10_014), at("\"$MODEL\"")));
    assert_eq!(word(5), ("--b=q r", at("--b='q r"), at("--b='q r'")));
    // Behind `--flag=` the value keeps its place, the word as a whole is the use.
    assert_eq!(argv[6].text.as_str(), "--c={\"a\":");
    assert_eq!(argv[6].text.slice_span(4..8), Span::new(FILE, 10_400, 10_404));
    assert_eq!(argv[7].text.as_str(), "\"b");
    assert_eq!(word(9), ("d e", at(r"d\ e"), at(r"d\ e")));
    // Part of a word: the value stands for the use.
    let used = at("/m/$MODEL");
    assert_eq!(argv[11].text.slice_span(5..8), Span::new(FILE, used.start + 3, used.end));
    assert_eq!(argv[12].text.as_str(), "44");
    assert_eq!(argv[12].span(), at("$TP$TP"));
    assert_eq!(script.processes[0].span, at(source));
}

#[test]
fn a_script_out_of_a_variable_points_into_its_value() {
    let script = run("exec bash -c \"$SCRIPT\"");
    let argv = &script.processes[0].argv;
    assert_eq!(argv[0].text.as_str(), "exec");
    assert_eq!((argv[1].text.as_str(), argv[1].span()), ("python3", Span::new(FILE, 10_500, 10_507)));
    assert_eq!((argv[5].text.as_str(), argv[5].span()), ("4", Span::new(FILE, 10_100, 10_101)));
}

#[test]
fn assignments_point_to_themselves_and_their_values() {
    let source = "export A=b 'C'=x; D=\"$MODEL\" env -u E F=g y";
    let script = run(source);
    let ops: Vec<(&str, &str)> =
        script.processes[0].env.iter().map(|op| (op.name.as_str(), &source[op.span.range()])).collect();
    assert_eq!(ops, [("A", "A=b"), ("C", "C'=x"), ("D", "D=\"$MODEL\""), ("E", "E"), ("F", "F=g")]);
    assert_eq!(script.processes[0].env[2].value.as_ref().unwrap().span(), Span::new(FILE, 10_000, 10_014));
}

#[test]
fn errors_stand_on_what_causes_them() {
    for (source, at, message) in [
        ("a 'b", "'", "this single quote is never closed"),
        ("a \"b\nc", "\"", "this double quote is never closed"),
        ("a `b", "`", "this backtick is never closed"),
        ("a \"$(b", "$(", "this `$(` is never closed"),
        ("a ${b", "${", "this `${` is never closed"),
        ("a; (b", "(", "this `(` is never closed"),
        ("a=(b", "(", "this `(` is never closed"),
        ("a\nif b; then\nc", "if", "this `if` has no `fi`"),
        ("if b; c", "if", "this `if` has no `then`"),
        ("while a; do b", "while", "this `while` has no `done`"),
        ("for i in a b", "for", "this `for` has no `do`"),
        ("case x in a) b", "case", "this `case` has no `esac`"),
        ("f() { a", "{", "this `{` has no `}`"),
        ("[[ -n x", "[[", "this `[[` is never closed"),
        ("a; fi", "fi", "`fi` may not stand here"),
        ("if a; then b; done", "done", "`done` may not stand here"),
        ("a || ; b", ";", "`;` may not stand here"),
        ("a |", "|", "the end of the script may not stand here"),
        ("a && \n", "&&", "the end of the script may not stand here"),
        ("a ;; b", ";;", "`;;` may not stand here"),
        ("a (b)", "(", "`(` may not stand here"),
        ("a )", ")", "`)` may not stand here"),
        ("a >", ">", "a file name is expected here, not the end of the script"),
        ("if then a; fi", "then", "`then` may not stand here"),
        ("a <b> -c", "-c", ""),
    ] {
        let script = run(source);
        if message.is_empty() {
            assert!(script.errors.is_empty(), "{source}: a redirection from `b`");
            continue;
        }
        let [(span, said)] = script.errors.as_slice() else { panic!("{source}: {:?}", script.errors) };
        assert_eq!(said, message, "{source}");
        let there = &source[span.range()];
        assert!(at == there || at.ends_with(there), "{source}: at `{there}`, not `{at}`");
    }
}

#[test]
fn what_stands_before_an_error_still_runs() {
    let first = |source: &str| run(source).processes.iter().map(|p| p.argv[0].text.to_string()).collect::<Vec<_>>();
    assert_eq!(first("a\nb; c\nd 'e"), ["a", "b", "c"]);
    assert_eq!(first("a; b; )"), [""; 0]);
}

#[test]
fn what_nests_as_deep_as_is_followed_is_read() {
    // Up to here the parser crate goes down the stack.
    for deep in [8, 38, 39, 40, 41] {
        for (open, inner, close) in [
            ("{ ", "a;", "};"),
            ("(", "a", ")"),
            ("if b; then ", "a;", "fi;"),
            ("while b; do ", "a;", "done;"),
            ("f() { ", "a;", "};"),
            ("case x in y) ", "a;", "esac;"),
            ("case x in y) ", "a;", ";; esac;"),
            ("[[ x && ( ", "y", " ) ]]"),
            ("b $(", "a", ")"),
            ("b \"$(", "a", ")\""),
            ("b <(", "a", ")"),
            ("coproc { ", "a;", "};"),
            ("! ", "a", ""),
        ] {
            let source = format!("{}{inner}{}", open.repeat(deep), close.repeat(deep));
            run(&source);
            let broken = run(&format!("{} ) {}", open.repeat(deep), close.repeat(deep)));
            assert!(broken.processes.len() <= super::MAX_PROCESSES);
        }
        run(&format!("[[ {} x {} ]]", "! ".repeat(deep + 10), "|| y".repeat(deep + 10)));
        let tests = format!("[[ {} x {} ]]", "! ( ".repeat(deep), " )".repeat(deep));
        run(&tests);
    }
}

#[test]
fn what_only_the_parser_crate_refuses_is_not_known() {
    for source in ["a\nfor i in 1 2; { b; }\nc", "a\nf() [[ x ]]\nc"] {
        let script = run(source);
        assert!(script.errors.is_empty(), "{source}: {:?}", script.errors);
        let words: Vec<String> = script.processes.iter().map(|p| show(&p.argv[0])).collect();
        assert_eq!(words.len(), 2, "{source}: {words:?}");
        assert!(words[0] == "a" && words[1].starts_with('*') && script.processes[1].env_open.is_some(), "{words:?}");
    }
}

#[test]
fn nothing_blows_up() {
    let started = std::time::Instant::now();
    let deep = 5000;
    for source in [
        format!("{}a{}", "$(".repeat(deep), ")".repeat(deep)),
        format!("{}a{}", "\"$(".repeat(deep), ")\"".repeat(deep)),
        format!("{}a{}", "${x:-".repeat(deep), "}".repeat(deep)),
        format!("{}a{}", "(".repeat(deep), ")".repeat(deep)),
        format!("{}a{}", "((".repeat(deep), "))".repeat(deep)),
        format!("{}1{}", "a $((".repeat(deep), "))".repeat(deep)),
        format!("{}a;{}", "if b; then ".repeat(deep), "fi;".repeat(deep)),
        format!("{}a;{}", "{ ".repeat(deep), "};".repeat(deep)),
        "a '".repeat(deep),
        "a \"`$(".repeat(deep),
        "a <<E\n".repeat(deep),
        "! ".repeat(deep),
        "a $((".repeat(deep),
        "$((".repeat(deep),
        format!("A='{} bash -c \"$A\"; {}'; export A; bash -c \"$A\"", "{ ".repeat(35), "}; ".repeat(35)),
        format!("[[ {} x ]]", "! ".repeat(deep)),
        format!("[[ {} x ]]", "x || ".repeat(deep)),
        format!("[[ {} x ]]", "( ".repeat(deep)),
        format!("for (({}", "(".repeat(deep)),
        format!("a <({} x", "b <(".repeat(deep)),
        format!("a < {} x", "( ".repeat(deep)),
        format!("{} x", "coproc ".repeat(deep)),
        format!("{} x", "case x in a) ".repeat(30)),
        format!("{} b {}", "case x in a) ".repeat(12), "esac; ".repeat(10)),
        format!("if a; then\n{}", "b && \n".repeat(deep)),
        "b &&\n".repeat(deep),
        "f()\n".repeat(deep),
        "coproc x {\n".repeat(deep),
        "a 99999999999999999999> b 2> c\n".repeat(deep),
        "if a; then export X=1; fi\n".repeat(deep),
        format!("A=aaaaaaaaaaaaaaaa; {} x $A", "A=$A$A; ".repeat(60)),
        format!("A=(a b c d); {} x \"${{A[@]}}\"", "A+=(\"${A[@]}\"); ".repeat(60)),
        format!("{} x $i; {}", "for i in 1 2 3 4 5 6 7 8 9; do ".repeat(30), "done; ".repeat(30)),
        format!("f() {{ {} }}; f", "f; ".repeat(20)),
        format!("{} x; {}", "while a; do ".repeat(30), "done; ".repeat(30)),
        format!("case $u in {} esac", "a) x;; ".repeat(3000)),
        format!("export {}; {}", "A=b ".repeat(3000), "x; ".repeat(3000)),
        format!("bash -c '{}'", "a; ".repeat(50_000)),
        format!("A='bash -c \"$A\"'; export A; {}", "bash -c \"$A\"; ".repeat(50)),
        format!("a ${{MODEL//{}/x}}", "*?".repeat(500)),
        "x".repeat(400_000),
    ] {
        let script = run(&source);
        assert!(script.processes.len() <= super::MAX_PROCESSES);
        let _ = super::bash_only(&text(&source, 0));
    }
    // Generous: an unoptimized build on a busy machine. Exponential work would take hours.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
