use super::*;
use crate::source::{Edit, Sources};
use crate::yaml::{Limits, parse};

/// Applies what `edit` says about the root of a text.
fn edited(text: &str, edit: impl Fn(&Node, &SourceFile) -> Option<Edit>) -> Option<String> {
    let file = Sources::new().add("x".to_owned(), None, text);
    let stream = parse(&file, &Limits::default());
    let edit = edit(stream.documents[0].root.as_ref().unwrap(), &file)?;
    let mut out = text.to_owned();
    out.replace_range(edit.span.range(), &edit.text);
    Some(out)
}

fn append(text: &str, new: New) -> Option<String> {
    edited(text, |root, file| {
        let list = root.get("env")?;
        append_item(list.as_seq()?, list.span, file, std::slice::from_ref(&new))
    })
}

#[test]
fn items_follow_the_style_of_the_list() {
    let env = || New::env("B", "1");
    let cases = [
        ("env:\n  - name: A\n    value: x\n", "env:\n  - name: A\n    value: x\n  - name: B\n    value: \"1\"\n"),
        ("env:\n- name: A\n  value: 'x' # why\n", "env:\n- name: A\n  value: 'x' # why\n- name: B\n  value: '1'\n"),
        ("env:\n-   name: A\n    value: x", "env:\n-   name: A\n    value: x\n-   name: B\n    value: \"1\""),
        ("env: [{name: A, value: x}]\n", "env: [{name: A, value: x}, {name: B, value: \"1\"}]\n"),
        ("env:\n  - {name: A, value: x}\n", "env:\n  - {name: A, value: x}\n  - {name: B, value: \"1\"}\n"),
        (
            "env:\r\n  - name: A\r\n    value: x\r\nz: 1\r\n",
            "env:\r\n  - name: A\r\n    value: x\r\n  - name: B\r\n    value: \"1\"\r\nz: 1\r\n",
        ),
        (
            "env:\n  - name: A\n    value: |\n      x\n      y\n\nz: 1\n",
            "env:\n  - name: A\n    value: |\n      x\n      y\n  - name: B\n    value: \"1\"\n\nz: 1\n",
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(append(text, env()).as_deref(), Some(wanted));
    }
    assert_eq!(append("env: [\"a\"]\n", New::text("--x")).as_deref(), Some("env: [\"a\", \"--x\"]\n"));
    assert_eq!(append("env:\n  -\n    name: A\n", env()), None);
}

#[test]
fn entries_follow_their_neighbours() {
    let add = |text: &str, value: New, behind: Option<&str>| {
        edited(text, |root, file| insert_entry(root, file, "k", &value, behind))
    };
    let list = || New::Seq(vec![New::env("B", "x")]);
    assert_eq!(add("a: 1\nb: 2\n", New::Plain("3".into()), Some("a")).as_deref(), Some("a: 1\nk: 3\nb: 2\n"));
    assert_eq!(add("a: 1", list(), None).as_deref(), Some("a: 1\nk:\n  - name: B\n    value: x"));
    assert_eq!(add("a:\n", New::text("yes"), None).as_deref(), Some("a:\nk: \"yes\"\n"));
    assert_eq!(add("a: 'x'\n", New::text("y"), None).as_deref(), Some("a: 'x'\nk: 'y'\n"));
    assert_eq!(add("{a: 1}\n", list(), None).as_deref(), Some("{a: 1, k: [{name: B, value: x}]}\n"));
    assert_eq!(add("\u{feff}a: 1\n", New::text("y"), None).as_deref(), Some("\u{feff}a: 1\nk: \"y\"\n"));
    let inside = edited("x:\n  - a: 1\n    b:\n      c: 2 # why\n  - d\n", |root, file| {
        insert_entry(root.get("x")?.as_seq()?.first()?, file, "k", &New::text("y"), None)
    });
    assert_eq!(inside.as_deref(), Some("x:\n  - a: 1\n    b:\n      c: 2 # why\n    k: \"y\"\n  - d\n"));
}

#[test]
fn strings_are_quoted_where_they_must_be() {
    let cases = [
        ("kv", "kv"),
        ("true", "\"true\""),
        ("y", "\"y\""),
        ("1", "\"1\""),
        ("", "\"\""),
        ("a: b", "\"a: b\""),
        ("a #b", "\"a #b\""),
        ("- a", "\"- a\""),
        ("{\"a\":1}", "'{\"a\":1}'"),
        ("a\nb", "\"a\\nb\""),
    ];
    for (text, wanted) in cases {
        assert_eq!(quoted(text, crate::yaml::Style::Plain, false), wanted);
    }
    assert_eq!(quoted("a,b", crate::yaml::Style::Plain, true), "\"a,b\"");
    assert_eq!(quoted("it's", crate::yaml::Style::Single, false), "'it''s'");
    let replaced = |text: &str, value: &str| edited(text, |root, file| replace(root.get("a")?, file, value));
    assert_eq!(replaced("a: 'x' # c\n", "y").as_deref(), Some("a: 'y' # c\n"));
    assert_eq!(replaced("{a: x, b: 1}", "y,z").as_deref(), Some("{a: \"y,z\", b: 1}"));
    assert_eq!(replaced("b: &n x\na: *n\n", "y"), None);
    assert_eq!(replaced("a: |\n  x\n", "y"), None);
}

#[test]
fn what_goes_takes_its_own_comments_along() {
    let item = |text: &str, index: usize| edited(text, |root, file| delete_item(root, "env", index, file));
    let cases = [
        ("env:\n  - a\n  # why b\n  - b # so\n\n  - c\n", 1, "env:\n  - a\n\n  - c\n"),
        ("env:\n  # all three\n  - a\n  - b\n  - c\n", 0, "env:\n  # all three\n  - b\n  - c\n"),
        ("env: [a, b, c]\n", 1, "env: [a, c]\n"),
        ("env: [a, b, c]\n", 2, "env: [a, b]\n"),
        ("env:\n  - name: a\n    value: x\n  - name: b\n", 0, "env:\n  - name: b\n"),
        ("env:\n  - a\n  - b", 1, "env:\n  - a"),
        ("x: 1\nenv:\n  - a\nz: 2\n", 0, "x: 1\nz: 2\n"),
        ("env:\r\n  - a\r\n  - b\r\n", 0, "env:\r\n  - b\r\n"),
    ];
    for (text, index, wanted) in cases {
        assert_eq!(item(text, index).as_deref(), Some(wanted), "{text}");
    }
    let entry = |text: &str| edited(text, |root, file| delete_entry(root, "k", file));
    assert_eq!(entry("a: 1\n# why\nk: 2\n").as_deref(), Some("a: 1\n"));
    assert_eq!(entry("k:\na: 1\n").as_deref(), Some("a: 1\n"));
    assert_eq!(entry("{k: 1, a: 2}\n").as_deref(), Some("{a: 2}\n"));
    assert_eq!(entry("k: 1\n"), None);
    let first =
        edited("x:\n  - k: 1\n    a: 2\n", |root, file| delete_entry(root.get("x")?.as_seq()?.first()?, "k", file));
    assert_eq!(first.as_deref(), Some("x:\n  - a: 2\n"));
}
