//! One case after the other, most of them compared with `kubectl` 1.32 by hand.

use dynlint::source::{Span, Text};
use dynlint::yaml::{self, Limits, Node, ProblemKind, Style, Typed};

use crate::support::Parsed;

fn value(text: &str) -> Typed {
    Parsed::new(&format!("k: {text}\n")).root().get("k").expect("k").as_scalar().expect("a scalar").typed.clone()
}

fn problem(text: &str) -> (ProblemKind, String, String) {
    let parsed = Parsed::new(text);
    assert_eq!(parsed.stream.problems.len(), 1, "{:?}", parsed.stream.problems);
    let problem = &parsed.stream.problems[0];
    assert!(!problem.message.ends_with('.') && !problem.message.starts_with(char::is_uppercase), "{}", problem.message);
    (problem.kind, problem.message.clone(), parsed.slice(problem.span).to_owned())
}

/// Message and place of a syntax error.
fn syntax(text: &str) -> (String, String) {
    let parsed = Parsed::new(text);
    assert!(parsed.stream.documents.iter().any(|d| d.root.is_none()));
    let (kind, message, place) = problem(text);
    assert_eq!(kind, ProblemKind::Syntax);
    (message, place)
}

#[test]
fn booleans_are_those_of_go_yaml_also_as_keys() {
    let parsed = Parsed::new("on: {off: No}\n'y': 'n'\n8080: 017\n1e6: x\n");
    let root = parsed.root();
    let names: Vec<&str> = root.entries().map(|e| &*e.key.name).collect();
    assert_eq!(names, ["true", "y", "8080", "1e+06"]);
    assert_eq!(problem("y: 1\nOn: 2\n").1, "key `true` is given twice; the last one wins");
    assert_eq!(root.at(&["true", "false"]).and_then(Node::as_bool), Some(false));
    assert_eq!(root.get("y").and_then(Node::as_str), Some("n"));
    assert_eq!(root.get("8080").and_then(Node::as_int), Some(15));
    assert_eq!(parsed.slice(root.entry("y").expect("y").key.span), "'y'");
}

#[test]
fn tags_and_styles_decide_the_type() {
    assert_eq!(value("!!str 12"), Typed::Str);
    assert_eq!(value("! 12"), Typed::Str);
    assert_eq!(value("!custom 12"), Typed::Str);
    assert_eq!(value("!!int \"017\""), Typed::Int(15.into()));
    assert_eq!(value("!!float 1"), Typed::Int(1.into()));
    assert_eq!(value("!!bool 'on'"), Typed::Bool(true));
    assert_eq!(value("!!null ''"), Typed::Null);
    assert_eq!(value("!!str"), Typed::Str);
    assert_eq!(value("!<tag:yaml.org,2002:int> '3'"), Typed::Int(3.into()));
    assert_eq!(value("|\n  12"), Typed::Str);
    assert_eq!(value("'12'"), Typed::Str);
    assert_eq!(value("2020-01-01"), Typed::Str);
    assert_eq!(value("12:30"), Typed::Str);
    assert_eq!(value(""), Typed::Null);
    assert_eq!(syntax("k: !!int foo\n"), ("`foo` cannot be read as `!!int`".to_owned(), "foo".to_owned()));
    let parsed = Parsed::new("k: !!int '3'\n");
    assert_eq!(parsed.root().get("k").and_then(|n| n.tag().map(str::to_owned)), Some("!!int".into()));
}

#[test]
fn documents_are_cut_as_kubectl_cuts_them() {
    let parsed = Parsed::new("# licence\n---\na: 1\n--- # second\nb: 2\n...\nnot: [read\n---\n\n---\nc: 3");
    assert!(parsed.stream.problems.is_empty());
    let roots: Vec<Option<&str>> =
        parsed.stream.documents.iter().map(|d| d.root.as_ref().map(|r| parsed.slice(r.span))).collect();
    assert_eq!(roots, [Some("a: 1"), Some("b: 2"), None, Some("c: 3")]);
    let comments: Vec<&str> = parsed.stream.comments.iter().map(|c| parsed.slice(c.span)).collect();
    assert_eq!(comments, ["# licence", "# second"]);

    let message = "nothing but a comment may stand behind `---`".to_owned();
    assert_eq!(syntax("--- {a: 1}\n"), (message.clone(), "{a: 1}".to_owned()));
    assert_eq!(syntax("---foo: b\n"), (message, "foo: b".to_owned()));
    assert_eq!(syntax("%YAML 1.1\n---\na: 1\n").1, "");
    assert!(Parsed::new("").stream.documents[0].root.is_none());
}

#[test]
fn one_broken_document_leaves_the_others() {
    let parsed = Parsed::new("a: 1\n---\nb: [1\n---\nc: 3\n");
    assert_eq!(parsed.stream.problems.len(), 1);
    let read: Vec<bool> = parsed.stream.documents.iter().map(|d| d.root.is_some()).collect();
    assert_eq!(read, [true, false, true]);
}

#[test]
fn byte_order_marks_and_line_ends() {
    let parsed = Parsed::new("\u{feff}a: 1\r\nb:\r\n  - x\r\n  - |\r\n    l1\r\n    l2\r\n---\r\n\u{feff}c: 2\r\n");
    assert!(parsed.stream.problems.is_empty(), "{:?}", parsed.stream.problems);
    let first = parsed.stream.documents[0].root.as_ref().expect("a root");
    assert_eq!(parsed.slice(first.entry("a").expect("a").key.span), "a");
    let block = &first.get("b").expect("b").as_seq().expect("items")[1];
    assert_eq!(parsed.slice(block.span), "|\r\n    l1\r\n    l2");
    let text = yaml::text(block, &parsed.sources).expect("a text");
    assert_eq!(text.as_str(), "l1\nl2\n");
    assert_eq!(parsed.slice(text.slice_span(3..5)), "l2");
    assert_eq!(parsed.slice(text.slice_span(2..3)), "\r\n");
    let second = parsed.stream.documents[1].root.as_ref().expect("a root");
    assert_eq!(parsed.slice(second.entry("c").expect("c").key.span), "c");
}

#[test]
fn spans_of_absent_values() {
    for (text, at) in
        [("a:", 2), ("a:  \nb: 1\n", 2), ("a: # c\n", 2), ("a   :\n", 5), ("{a: , b: 1}", 3), ("'a' :\n", 5)]
    {
        let parsed = Parsed::new(text);
        let value = parsed.root().get("a").expect("a");
        assert!(value.is_null());
        assert_eq!(&*value.as_scalar().expect("a scalar").value, "");
        assert_eq!(value.span.range(), at..at, "{text:?}");
    }
    let at = |text: &str| Parsed::new(text).root().items().map(|n| n.span.start).collect::<Vec<_>>();
    assert_eq!(at("- \n- # c\n-\n"), [1, 4, 10]);
    assert_eq!(at("- x\n- &a\n-   # c\n- !!str # c\n"), [2, 8, 10, 24]);
    let parsed = Parsed::new("a:\n- - \n  -\n-\n");
    let outer: Vec<&Node> = parsed.root().get("a").expect("a").items().collect();
    assert_eq!(outer[0].items().map(|n| n.span.start).collect::<Vec<_>>(), [6, 11]);
    assert_eq!(outer[1].span.range(), 13..13);
    // `~` is written, not absent.
    let parsed = Parsed::new("a: ~\n");
    assert_eq!(parsed.slice(parsed.root().get("a").expect("a").span), "~");
}

#[test]
fn spans_of_collections() {
    let slices = |text: &str, path: &[&str]| {
        let parsed = Parsed::new(text);
        parsed.slice(parsed.root().at(path).expect("there").span).to_owned()
    };
    assert_eq!(slices("a:\n  b: 1\n  c:\n\nd: 2\n", &["a"]), "b: 1\n  c:");
    assert_eq!(slices("a:\n- 1\n- 2 # c\nd: 2\n", &["a"]), "- 1\n- 2");
    assert_eq!(slices("a:\n  - 1\n  -\nd: 2\n", &["a"]), "- 1\n  -");
    assert_eq!(slices("a:\n- - 1\n  - 2\n- 3\n", &["a"]), "- - 1\n  - 2\n- 3");
    assert_eq!(slices("a: &x !!map # c\n  &k b: 1\n", &["a"]), "&k b: 1");
    assert_eq!(slices("a: [1, {b: 2 } , ] # c\n", &["a"]), "[1, {b: 2 } , ]");
    assert_eq!(slices("a: {b: [\n]}\n", &["a", "b"]), "[\n]");
    assert_eq!(slices("a: &x # - c\n- 1\n", &["a"]), "- 1");
    assert_eq!(slices("x: &x [1]\na:\n  - *x\n  - *x\n", &["a"]), "- *x\n  - *x");
    let parsed = Parsed::new("- - a\n  - b\n- - c\n- d:\n  - e\n");
    let items: Vec<&str> = parsed.root().items().map(|n| parsed.slice(n.span)).collect();
    assert_eq!(items, ["- a\n  - b", "- c", "d:\n  - e"]);
    let parsed = Parsed::new("a: [b: 1, ? c : 2]\n");
    let items: Vec<&str> = parsed.root().get("a").expect("a").items().map(|n| parsed.slice(n.span)).collect();
    assert_eq!(items, ["b: 1", "? c : 2"]);
}

#[test]
fn spans_of_block_scalars() {
    let slice = |text: &str| {
        let parsed = Parsed::new(text);
        let value = parsed.root().get("a").expect("a").clone();
        let text = yaml::text(&value, &parsed.sources).expect("a text");
        (parsed.slice(value.span).to_owned(), text.as_str().to_owned())
    };
    let both = |span: &str, value: &str| (span.to_owned(), value.to_owned());
    assert_eq!(
        slice("a: |  # hi | there\n\n  x\n   y  \n\n# c\nb: 1\n"),
        both("|  # hi | there\n\n  x\n   y  ", "\nx\n y  \n")
    );
    assert_eq!(slice("a: >-\n  q\n  r\n\n  s\n\nb: 1\n"), both(">-\n  q\n  r\n\n  s", "q r\ns"));
    assert_eq!(slice("a: |2\n   x\n  y\nb: 1\n"), both("|2\n   x\n  y", " x\ny\n"));
    assert_eq!(slice("a: |+\n  x\n\n\nb: 1\n"), both("|+\n  x", "x\n\n\n"));
    assert_eq!(slice("a: |\nb: 1\n"), both("|", ""));
    assert_eq!(slice("a: |+\n\n\nb: 1\n"), both("|+", "\n\n"));
    assert_eq!(slice("a: !!str &x |-\n  x\nb: *x\n"), both("|-\n  x", "x"));
    assert_eq!(slice("a:\n  # | c\n  |\n  x\n"), both("|\n  x", "x\n"));
    assert_eq!(slice("a: >\n  x\n   more\n  y\n  z\n"), both(">\n  x\n   more\n  y\n  z", "x\n more\ny z\n"));
    // `kubectl` completes the last line before it reads.
    assert_eq!(slice("a: |\n  x"), both("|\n  x", "x\n"));
}

#[test]
fn every_byte_of_a_text_knows_its_origin() {
    let origin = |text: &str, part: &str| {
        let parsed = Parsed::new(text);
        let traced = yaml::text(parsed.root().get("a").expect("a"), &parsed.sources).expect("a text");
        let at = traced.as_str().find(part).expect("the part");
        parsed.slice(traced.slice_span(at..at + part.len())).to_owned()
    };
    assert_eq!(origin("a: plain text # c\n", "text"), "text");
    assert_eq!(origin("a: one\n  two\n\n  three\n", "two"), "two");
    assert_eq!(origin("a: one\n  two\n\n  three\n", "two\nthree"), "two\n\n  three");
    assert_eq!(origin("a: 'it''s so'\n", "'"), "''");
    assert_eq!(origin("a: 'it''s so'\n", "s so"), "s so");
    assert_eq!(origin("a: 'one  \n\n  two'\n", "two"), "two");
    assert_eq!(origin(r#"a: "x\ty\u00e9z\"q""#, "\t"), r"\t");
    assert_eq!(origin(r#"a: "x\ty\u00e9z\"q""#, "\u{e9}"), r"\u00e9");
    assert_eq!(origin(r#"a: "x\ty\u00e9z\"q""#, "z\"q"), r#"z\"q"#);
    assert_eq!(origin(r#"a: "\ud834\udd1e!""#, "\u{1d11e}"), r"\ud834\udd1e");
    assert_eq!(origin("a: \"one \\\n   two\\\n  three\"\n", "two"), "two");
    assert_eq!(origin("a: \"one \\\n   two\\\n  three\"\n", "twothree"), "two\\\n  three");
    assert_eq!(origin("a: |\n    first\n    second\n", "second"), "second");
    assert_eq!(origin("a: >-\n    first\n    second\n\n    third\n", "second"), "second");
    assert_eq!(origin("a: >-\n    first\n    second\n\n    third\n", "d\nt"), "d\n\n    t");
    assert_eq!(origin("a: >-\n  first\n    more\n  last\n", "  more"), "  more");
}

#[test]
fn absent_values_have_an_empty_text() {
    let parsed = Parsed::new("a:\n");
    let text = yaml::text(parsed.root().get("a").expect("a"), &parsed.sources).expect("a text");
    assert_eq!((text.as_str(), text.span().range()), ("", 2..2));
    assert!(yaml::text(parsed.root(), &parsed.sources).is_none());
}

#[test]
fn anchors_and_aliases() {
    let parsed = Parsed::new("a: &x {b: 1}\nc: *x\nd: &x 2\ne: *x\n&k f: 3\n*k : 4\n");
    // The last line's key is `f` again.
    assert_eq!(parsed.stream.problems.len(), 1);
    let root = parsed.stream.documents[0].root.as_ref().expect("a root");
    let (a, c, e) = (root.get("a").expect("a"), root.get("c").expect("c"), root.get("e").expect("e"));
    assert_eq!(a.anchor().map(|s| parsed.slice(s)), Some("&x"));
    assert_eq!(c.alias().map(|s| parsed.slice(s)), Some("*x"));
    assert_eq!((c.span, c.anchor()), (a.span, None));
    assert_eq!(e.as_int(), Some(2));
    let f = root.entry("f").expect("f");
    assert_eq!((parsed.slice(f.key.span), f.value.as_int()), ("*k", Some(4)));
    assert_eq!(syntax("a: *nope\n"), ("no anchor `&nope` before this alias".to_owned(), "*nope".to_owned()));
    assert_eq!(syntax("a: &x [*x]\n"), ("anchor `x` contains itself".to_owned(), "*x".to_owned()));
    // Anchors end with their document.
    assert_eq!(syntax("a: &x 1\n---\nb: *x\n").1, "*x");
}

#[test]
fn merge_keys_count_where_they_stand() {
    let base = "base: &b {p: base, q: base}\nmore: &m {p: more, r: more}\n";
    let read = |rest: &str| {
        let parsed = Parsed::new(&format!("{base}{rest}"));
        let root = parsed.stream.documents[0].root.as_ref().expect("a root");
        let map = root.get("x").expect("x").as_map().expect("a mapping");
        let entries = map.entries.iter().map(|e| {
            let from = e.inherited.map_or("own", |s| parsed.slice(s));
            format!("{}={}({from})", e.key.name, e.value.as_str().unwrap_or_default())
        });
        (entries.collect::<Vec<_>>().join(" "), parsed.stream.problems.len())
    };
    assert_eq!(read("x: {<<: *b, p: own}\n"), ("p=own(own) q=base(<<)".to_owned(), 0));
    // As `kubectl` has it: a merge key below overrides.
    assert_eq!(read("x: {p: own, <<: *b}\n"), ("p=base(<<) q=base(<<)".to_owned(), 1));
    assert_eq!(read("x: {<<: [*b, *m]}\n"), ("r=more(<<) p=base(<<) q=base(<<)".to_owned(), 0));
    assert_eq!(read("x: {<<: *b, <<: *m}\n"), ("q=base(<<) p=more(<<) r=more(<<)".to_owned(), 0));
    assert_eq!(read("x: {!!merge <<: *b}\n"), ("p=base(<<) q=base(<<)".to_owned(), 0));
    assert_eq!(read("x: {<<: {p: here}}\n"), ("p=here(<<)".to_owned(), 0));
    assert_eq!(read("x: {\"<<\": v}\n"), ("<<=v(own)".to_owned(), 0));
    let (message, place) = syntax("x:\n  <<: 5\n");
    assert_eq!((message.as_str(), place.as_str()), ("`<<` takes a mapping or a list of mappings", "5"));
    assert_eq!(syntax("x:\n  <<:\n  a: 1\n").1, "");

    let parsed = Parsed::new(&format!("{base}x:\n  p: own\n  <<: *b\n"));
    let problem = &parsed.stream.problems[0];
    assert_eq!((problem.kind, parsed.slice(problem.span)), (ProblemKind::DuplicateKey, "<<"));
    assert_eq!(problem.related.as_ref().map(|(span, _)| parsed.slice(*span)), Some("p"));
}

#[test]
fn of_equal_keys_the_last_stands() {
    let parsed = Parsed::new("a: 1\nb: 2\n'a': 3\na: 4\n");
    let root = parsed.stream.documents[0].root.as_ref().expect("a root");
    let entries: Vec<_> = root.entries().map(|e| (&*e.key.name, e.value.as_int())).collect();
    assert_eq!(entries, [("b", Some(2)), ("a", Some(4))]);
    let places: Vec<_> = parsed.stream.problems.iter().map(|p| (p.kind, parsed.slice(p.span), p.span.start)).collect();
    assert_eq!(places, [(ProblemKind::DuplicateKey, "'a'", 10), (ProblemKind::DuplicateKey, "a", 17)]);
    let (first, what) = parsed.stream.problems[1].related.clone().expect("the first");
    assert_eq!((first.start, what.as_str()), (0, "first given here"));
    let many: String = (0..40).map(|n| format!("k{}: {n}\n", n % 39)).collect();
    assert_eq!(problem(&many).1, "key `k0` is given twice; the last one wins");
}

#[test]
fn syntax_errors_point_at_what_has_to_change() {
    let said = |text: &str| {
        let (message, place) = syntax(text);
        format!("{message} @ {place}")
    };
    let open = "this quote is not closed on its line, but by the next one of its kind";
    assert_eq!(said("a: 1\nb: \"abc\nc: \"d\"\n"), format!("{open} @ \""));
    assert_eq!(said("a: 1\nb: 'abc\n  d' e\n"), format!("{open} @ '"));
    assert_eq!(said("a: 'abc\n"), "this quote is never closed @ '");
    assert_eq!(said("a: [1, 'b]\n"), "this quote is never closed @ '");
    assert_eq!(said("a: \"x\" y # c\n"), "nothing may follow the closing quote; quote the value as a whole @ y # c");
    assert_eq!(said("a: \"\\n\\d\"\n"), "unknown escape `\\d`; use single quotes, or `\\\\` for a backslash @ \\d");
    let tab = "tabs cannot indent; use spaces @ \t";
    assert_eq!(said("a:\n\tb: 1\n"), tab);
    assert_eq!(said("a: >-\n\tx\n"), tab);
    let twice = "no `: ` may stand inside a plain value; quote the value @ :";
    assert_eq!(said("a: b: c\n"), twice);
    assert_eq!(said("- a: b: c\n"), twice);
    let continued = "no key may stand here: this line continues the value above; check its indentation";
    assert_eq!(said("a: 1\n  b: 2\n"), format!("{continued} @ b"));
    assert_eq!(said("${X}\na: 1\n"), format!("{continued} @ a"));
    assert_eq!(said("a: 1\n${X} # c\n"), "a key needs `: ` behind it @ ${X} # c");
    assert_eq!(said("a: [1\n"), "`[` is never closed @ [");
    assert_eq!(said("a: [1}\n"), "`[` is closed by `}` @ [");
    assert_eq!(said("a: ]\n"), "`]` closes nothing @ ]");
    assert_eq!(said("a: {b: 1 c: 2}\n"), "a `,` or `}` is missing before this @ :");
    assert_eq!(said("a: [\n- b\n]\n"), "no `- ` may stand inside brackets @ -");
    assert_eq!(said("a: - b\n"), "no list may begin here; put the `- ` on a line of its own @ -");
    let key = "this is no key of the mapping above; check its indentation";
    assert_eq!(said("env:\n  - name: A\n    value: b\n    - name: C\n"), format!("{key} @ -"));
    assert_eq!(said("a:\n  b: 1\n c: 2\n"), format!("{key} @ c:"));
    let item = "this is no item of the list above; check its indentation or begin it with `- `";
    assert_eq!(said("a:\n  - x: 1\n   y: 2\n"), format!("{item} @ y:"));
    assert_eq!(said("a: @x\n"), "no plain value may begin with `@`; quote it @ @");
    assert_eq!(said("a: *\n"), "`*` without a name; quote the value if `*` is meant @ *");
    assert_eq!(said("a: |x\n  b\n"), "only indicators and a comment may follow `|` on its line @ x");
    assert_eq!(said("a: \"x\\/y\"\n"), "unknown escape `\\/`: `kubectl` takes only YAML 1.1 escapes @ \\/");
    assert_eq!(said("? [a]\n: b\n"), "a key must be a scalar @ [a]");
    assert_eq!(said("~: b\n"), "a key must not be null @ ~");
    assert_eq!(
        said("a: {{ .Values.x }}\n"),
        "`{{` opens two mappings, the inner one as a key; a template has to be rendered (or the value quoted) first @ { .Values.x }"
    );
    let parsed = Parsed::new("a: [1, 2\nb: 3\n");
    let (open, what) = parsed.stream.problems[0].related.clone().expect("the bracket");
    assert_eq!((parsed.slice(open), what.as_str()), ("[", "`[` is opened here"));
}

#[test]
fn what_kubectl_takes_is_taken() {
    for text in [
        "a: [\n1\n]\n",
        "b:\t2\n",
        "a: [a, b, ]\n",
        "? a\n: b\n",
        "\"a\": b\n",
        "a: 'x\n\n y'\n",
        "a:\n  b: 'x\ny'\n",
        "a:\n  b: \"x\n\n\ty\"\n",
        "a: !!seq {b: 1}\n",
        "- |\n x\n  |\n",
    ] {
        let parsed = Parsed::new(text);
        assert!(parsed.stream.problems.is_empty(), "{text:?}: {:?}", parsed.stream.problems);
        assert!(parsed.stream.documents[0].root.is_some());
    }
    // A key may be followed by any number of comment lines.
    let parsed = Parsed::new(&format!("a:\n{}  b: 1\n", "  # c\n".repeat(2000)));
    assert_eq!(parsed.root().at(&["a", "b"]).and_then(Node::as_int), Some(1));
    // No key is longer than 1024 characters.
    syntax(&format!("\"{}\": 1\n", "a".repeat(1100)));
}

#[test]
fn comments_are_found_wherever_they_stand() {
    let text = "# top\na: 1 # right\nb: # key\n  # above\n  - x#y # item\n  - 'q # no' # q\nc: | # head\n  # text\nd: [ # in\n  1, # one\n] # out\ne: &a#b # anchor\n  f\ng: \"x\n  # no\" # last\n# end";
    let parsed = Parsed::new(text);
    parsed.root();
    let comments: Vec<&str> = parsed.stream.comments.iter().map(|c| parsed.slice(c.span)).collect();
    let wanted = [
        "# top", "# right", "# key", "# above", "# item", "# q", "# head", "# in", "# one", "# out", "# anchor",
        "# last", "# end",
    ];
    assert_eq!(comments, wanted);
    let only = Parsed::new("# one\n\n  # two\n");
    assert_eq!(only.stream.comments.len(), 2);
    assert!(only.stream.documents[0].root.is_none());
}

#[test]
fn styles_are_kept() {
    let parsed = Parsed::new("[a, 'b', \"c\"]");
    let styles: Vec<Style> = parsed.root().items().map(|n| n.as_scalar().expect("a scalar").style).collect();
    assert_eq!(styles, [Style::Plain, Style::Single, Style::Double]);
}

fn embedded(parsed: &Parsed, path: &[&str]) -> Text {
    yaml::text(parsed.root().at(path).expect("there"), &parsed.sources).expect("a text")
}

#[test]
fn yaml_inside_yaml_stands_in_the_outer_file() {
    let parsed = Parsed::new(
        "data:\n  c.yaml: |\n    # c\n    a: y\n    b:\n      - 1.0\n      - 'it''s'\n    d: |\n      one\n      two\n    e:\n    f: &x {g: 1e3}\n    h: *x\n",
    );
    let text = embedded(&parsed, &["data", "c.yaml"]);
    let root = yaml::parse_embedded(&text, &Limits::default()).expect("YAML").expect("a root");
    // Python's types.
    assert_eq!(root.get("a").and_then(Node::as_str), Some("y"));
    let items = root.get("b").and_then(Node::as_seq).expect("items");
    assert_eq!(items[0].as_scalar().map(|s| s.typed.clone()), Some(Typed::Float(1.0)));
    assert_eq!(items[0].as_float(), Some(1.0));
    assert_eq!(root.at(&["f", "g"]).and_then(Node::as_str), Some("1e3"));
    assert_eq!(parsed.slice(items[1].span), "'it''s'");
    assert_eq!(parsed.slice(root.entry("d").expect("d").key.span), "d");
    assert_eq!(root.get("h").and_then(Node::alias).map(|s| parsed.slice(s)), Some("*x"));
    let block = yaml::text(root.get("d").expect("d"), &parsed.sources).expect("a text");
    assert_eq!(block.as_str(), "one\ntwo\n");
    assert_eq!(parsed.slice(block.slice_span(4..7)), "two");
    let quoted = yaml::text(&items[1], &parsed.sources).expect("a text");
    assert_eq!(parsed.slice(quoted.slice_span(2..3)), "''");
    let absent = root.get("e").expect("e");
    assert_eq!(absent.span.range(), parsed.file.text.find("e:\n    f").map(|at| at + 2..at + 2).expect("e"));
}

#[test]
fn yaml_inside_a_quoted_string() {
    let parsed = Parsed::new(r#"c: "a: [\"x\", 2]\nb: 3\n""#);
    let text = embedded(&parsed, &["c"]);
    let root = yaml::parse_embedded(&text, &Limits::default()).expect("YAML").expect("a root");
    let items = root.get("a").and_then(Node::as_seq).expect("items");
    assert_eq!(parsed.slice(items[0].span), r#"\"x\""#);
    assert_eq!(parsed.slice(items[1].span), "2");
    assert_eq!(parsed.slice(root.entry("b").expect("b").key.span), "b");
}

#[test]
fn embedded_problems_stand_in_the_outer_file_too() {
    let parsed = Parsed::new("c: |\n  a: 1\n  b: 'x\n");
    let problem = yaml::parse_embedded(&embedded(&parsed, &["c"]), &Limits::default()).expect_err("a quote");
    assert_eq!((problem.message.as_str(), parsed.slice(problem.span)), ("this quote is never closed", "'"));
    let parsed = Parsed::new(
        "c: |\n  --- {a: 1}\n  ...\n  # c\nd: |\n  a: 1\n  ---\n  b: 2\ne: |\n  # c\nf: |\n  p: own\n  <<: {p: base}\n",
    );
    let read = |key: &str| yaml::parse_embedded(&embedded(&parsed, &[key]), &Limits::default());
    assert_eq!(read("c").expect("one document").expect("a root").get("a").and_then(Node::as_int), Some(1));
    assert_eq!(read("d").expect_err("two documents").message, "more than one document");
    assert!(read("e").expect("YAML").is_none());
    // PyYAML lets own keys win wherever the merge key stands.
    assert_eq!(read("f").expect("YAML").expect("a root").get("p").and_then(Node::as_str), Some("own"));
    let all = yaml::parse_embedded_all(&embedded(&parsed, &["d"]), &Limits::default()).expect("two documents");
    let places: Vec<&str> = all.iter().map(|n| parsed.slice(n.span)).collect();
    assert_eq!(places, ["a: 1", "b: 2"]);
}

#[test]
fn a_text_that_ends_without_a_line_end() {
    let whole = Span::new(Parsed::new("").file.id, 0, 100);
    let text = Text::opaque("a: |\n  x", whole);
    let root = yaml::parse_embedded(&text, &Limits::default()).expect("YAML").expect("a root");
    // PyYAML adds none.
    assert_eq!(root.get("a").and_then(Node::as_str), Some("x"));
}
