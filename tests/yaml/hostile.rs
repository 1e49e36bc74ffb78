//! Input that is made to hurt: it ends in a problem, soon and without a crash.

use std::fmt::Write as _;

use dynlint::source::Text;
use dynlint::yaml::{self, Limits, ProblemKind};

use crate::support::Parsed;

fn only_problem(parsed: &Parsed, kind: ProblemKind) {
    assert_eq!(parsed.stream.problems.len(), 1, "{:?}", parsed.stream.problems);
    assert_eq!(parsed.stream.problems[0].kind, kind, "{:?}", parsed.stream.problems);
    assert!(parsed.stream.documents[0].root.is_none());
}

#[test]
fn deep_nesting_is_a_problem_and_no_overflow() {
    let n = 100_000;
    let stairs: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    for text in [
        "[".repeat(n),
        "[".repeat(n) + &"]".repeat(n),
        "{a: ".repeat(n),
        "- ".repeat(n),
        "? ".repeat(n),
        "- - [\n".to_owned() + &"[".repeat(n),
        "[{".repeat(n),
        "a: [\n".repeat(n),
        stairs,
    ] {
        let parsed = Parsed::new(&text);
        only_problem(&parsed, ProblemKind::TooDeep);
        assert_eq!(parsed.stream.problems[0].message, "nested more than 200 levels deep");
    }
}

#[test]
fn the_limit_of_depth_is_exact() {
    let nested = |n: usize| format!("{}1{}", "[".repeat(n), "]".repeat(n));
    assert!(Parsed::new(&nested(200)).stream.problems.is_empty());
    only_problem(&Parsed::new(&nested(201)), ProblemKind::TooDeep);
    let block = |n: usize| format!("{}1\n", "- ".repeat(n));
    assert!(Parsed::new(&block(200)).stream.problems.is_empty());
    let parsed = Parsed::new(&block(201));
    only_problem(&parsed, ProblemKind::TooDeep);
    assert_eq!(parsed.stream.problems[0].span.range(), 400..401);
}

/// Each level is shallow, but each holds the one before it.
#[test]
fn depth_counts_through_aliases() {
    let mut text = String::from("a0: &a0 [x]\n");
    for n in 1..100_000 {
        let _ = writeln!(text, "a{n}: &a{n} [*a{}]", n - 1);
    }
    let limits = Limits { nodes: usize::MAX, ..Limits::default() };
    let parsed = Parsed::with(&text, &limits);
    only_problem(&parsed, ProblemKind::TooDeep);
    assert!(parsed.slice(parsed.stream.problems[0].span).starts_with("*a"));
}

#[test]
fn alias_bombs_do_not_go_off() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..60 {
        let _ = writeln!(text, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 9].join(", "));
    }
    let parsed = Parsed::new(&text);
    only_problem(&parsed, ProblemKind::AliasBomb);
    assert_eq!(parsed.slice(parsed.stream.problems[0].span), "*a5");
    let whole = dynlint::source::Span::new(parsed.file.id, 0, parsed.file.text.len() as u32);
    let text = Text::opaque(text, whole);
    let problem = yaml::parse_embedded(&text, &Limits::default()).expect_err("a bomb");
    assert_eq!(problem.kind, ProblemKind::AliasBomb);
}

/// Merging copies entries, so that it must be counted before it is done.
#[test]
fn merges_of_merges_are_counted() {
    let mut text = String::from("base: &base\n");
    for n in 0..20_000 {
        let _ = writeln!(text, "  k{n}: 1");
    }
    for n in 0..20_000 {
        let _ = writeln!(text, "m{n}: {{<<: *base}}");
    }
    only_problem(&Parsed::new(&text), ProblemKind::AliasBomb);
}

#[test]
fn what_is_shared_is_shared() {
    let parsed = Parsed::new("a: &a {x: [1, 2]}\nb: *a\nc: {<<: *a}\n");
    let root = parsed.root();
    let (a, b) = (root.get("a").expect("a"), root.get("b").expect("b"));
    assert!(std::sync::Arc::ptr_eq(&a.kind, &b.kind));
    let x = |key: &str| &root.at(&[key, "x"]).expect("x").kind;
    assert!(std::sync::Arc::ptr_eq(x("a"), x("c")));
}

#[test]
fn too_many_nodes_without_any_alias() {
    let parsed = Parsed::with(&"- a\n".repeat(200), &Limits { nodes: 100, ..Limits::default() });
    only_problem(&parsed, ProblemKind::TooLarge);
    assert_eq!(parsed.stream.problems[0].message, "more than 100 nodes in one document");
    let file = Parsed::with(&"a".repeat(101), &Limits { bytes: 100, ..Limits::default() });
    assert_eq!(file.stream.problems[0].kind, ProblemKind::TooLarge);
    assert!(file.stream.documents.is_empty());
}

#[test]
fn long_lines_and_many_of_everything() {
    let long = "x".repeat(10 << 20);
    for text in
        [format!("a: {long}\n"), format!("a: '{long}'\n"), format!("a: |\n  {long}\n"), format!("# {long}\na: 1\n")]
    {
        let parsed = Parsed::new(&text);
        let root = parsed.root();
        let value = root.get("a").expect("a");
        assert_eq!(yaml::text(value, &parsed.sources).expect("a text").as_str(), value.as_text().expect("a value"));
    }
    let comments = Parsed::new(&format!("a:\n{}  b: 1\n", "# c\n".repeat(100_000)));
    assert_eq!(comments.stream.comments.len(), 100_000);
    comments.root();
    let documents = Parsed::new(&"---\na: 1\n".repeat(50_000));
    assert_eq!(documents.stream.documents.len(), 50_000);
    let keys: String = (0..100_000).map(|n| format!("k{n}: &a{n} v\n")).collect();
    assert_eq!(Parsed::new(&keys).root().entries().count(), 100_000);
    let twins = Parsed::new(&"k: v\n".repeat(20_000));
    assert_eq!(twins.stream.problems.len(), 19_999);
    let blank = Parsed::new(&format!("a: |+\n{}b: 1\n", "\n".repeat(200_000)));
    let value = blank.root().get("a").expect("a");
    assert_eq!(yaml::text(value, &blank.sources).expect("a text").len(), 200_000);
}

/// A string of a hundred thousand lines, each with a key: finding places in it takes no square of that.
#[test]
fn long_embedded_documents_are_read_in_time() {
    let inner: String = (0..50_000).map(|n| format!("  k{n}: v{n}\n")).collect();
    let parsed = Parsed::new(&format!("data: |\n{inner}"));
    let text = yaml::text(parsed.root().get("data").expect("data"), &parsed.sources).expect("a text");
    let root = yaml::parse_embedded(&text, &Limits::default()).expect("YAML").expect("a root");
    let last = root.get("k49999").expect("the last");
    assert_eq!(parsed.slice(last.span), "v49999");
}
