//! Finding and reading files.

use std::fs;
use std::path::{Path, PathBuf};

use dynlint::source::{FailureKind, Found, Sources, WalkOptions, discover, display_name, read, text};
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;

/// A directory with those files in it.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, content) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("a file");
    }
    dir
}

fn names(dir: &Path, found: &[Found]) -> Vec<String> {
    let relative = |f: &Found| f.path.as_ref().map(|p| p.strip_prefix(dir).unwrap_or(p).display().to_string());
    found.iter().map(|f| relative(f).unwrap_or_else(|| "-".to_owned())).collect()
}

fn both(dir: &tempfile::TempDir, no_ignore: bool) -> Vec<String> {
    let found = discover(&[dir.path().to_owned()], WalkOptions { no_ignore, threads: 2 });
    assert!(found.failures.is_empty(), "{:?}", found.failures);
    assert!(found.files.iter().all(|f| !f.explicit));
    names(dir.path(), &found.files)
}

#[test]
fn ignored_and_hidden_files_are_left_out_unless_asked_for() {
    let dir = tree(&[
        ("b/deploy.yaml", ""),
        ("a.yml", ""),
        ("readme.md", ""),
        ("YAML", ""),
        ("out/gen.yaml", ""),
        (".gitignore", "out/\n"),
        (".kustomize-matrix.yaml", ""),
        (".git/config.yaml", ""),
        ("b/.ignore", "secret.yaml\n"),
        ("b/secret.yaml", ""),
    ]);
    assert_eq!(both(&dir, false), ["a.yml", "b/deploy.yaml"]);
    let all = [".kustomize-matrix.yaml", "a.yml", "b/deploy.yaml", "b/secret.yaml", "out/gen.yaml"];
    assert_eq!(both(&dir, true), all);
}

#[test]
fn a_file_that_is_named_is_read_whatever_it_is_called() {
    let dir = tree(&[(".hidden.yaml", ""), ("ignored.txt", ""), (".gitignore", "*\n")]);
    let paths = [dir.path().join(".hidden.yaml"), dir.path().join("ignored.txt"), PathBuf::from("-")];
    let found = discover(&paths, WalkOptions::default());
    assert_eq!(names(dir.path(), &found.files), ["-", ".hidden.yaml", "ignored.txt"]);
    assert!(found.files.iter().all(|f| f.explicit));
}

#[test]
fn the_same_file_is_listed_once() {
    let dir = tree(&[("a/x.yaml", ""), ("a/y.yaml", "")]);
    let (root, x) = (dir.path().to_owned(), dir.path().join("a/x.yaml"));
    let again = dir.path().join("a/../a/./x.yaml");
    let found = discover(&[root.clone(), x.clone(), again, root], WalkOptions::default());
    assert_eq!(names(dir.path(), &found.files), ["a/x.yaml", "a/y.yaml"]);
    assert_eq!(found.files.iter().map(|f| f.explicit).collect::<Vec<_>>(), [true, false]);
    assert_eq!(found.directories, 4);
}

#[test]
fn what_is_not_there_is_a_failure() {
    let found = discover(&[PathBuf::from("/no/such/place.yaml")], WalkOptions::default());
    assert!(found.files.is_empty());
    assert_eq!(found.failures[0].kind, FailureKind::Missing);
    assert_eq!(found.failures[0].name, "/no/such/place.yaml");
    assert_eq!(found.failures[0].to_string(), "no such file or directory");
}

#[cfg(unix)]
#[test]
fn links_neither_loop_nor_read_twice_and_pipes_do_not_hang() {
    use std::os::unix::fs::symlink;
    let dir = tree(&[("a/real.yaml", "a: 1"), ("dir.yaml/inner.yaml", "")]);
    symlink("..", dir.path().join("a/loop")).expect("a link");
    symlink("real.yaml", dir.path().join("a/zlink.yaml")).expect("a link");
    symlink("nowhere.yaml", dir.path().join("a/dangling.yaml")).expect("a link");
    symlink("../a", dir.path().join("a/dirlink.yaml")).expect("a link");
    let status = std::process::Command::new("mkfifo").arg(dir.path().join("pipe.yaml")).status().expect("mkfifo");
    assert!(status.success());
    for no_ignore in [false, true] {
        assert_eq!(both(&dir, no_ignore), ["a/real.yaml", "dir.yaml/inner.yaml"]);
        let found = discover(&[dir.path().to_owned()], WalkOptions { no_ignore, threads: 0 });
        assert_eq!(found.passed_over, 2);
    }
    // A link that was named is followed.
    let link = dir.path().join("a/loop");
    let found = discover(std::slice::from_ref(&link), WalkOptions::default());
    assert_eq!(names(&link, &found.files), ["a/real.yaml", "dir.yaml/inner.yaml"]);
}

/// More than one thread is given at first: the walk begins anew with all of them.
#[test]
fn a_large_tree_loses_nothing_and_doubles_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    for inner in 0..50 {
        let inner = dir.path().join(format!("d{inner}"));
        fs::create_dir(&inner).expect("a directory");
        for file in 0..100 {
            fs::write(inner.join(format!("{file}.{}", if file < 10 { "yaml" } else { "txt" })), "").expect("a file");
        }
    }
    for threads in [0, 1, 3] {
        let found = discover(&[dir.path().to_owned()], WalkOptions { no_ignore: false, threads });
        assert_eq!((found.files.len(), found.directories), (500, 51), "{threads} threads");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_a_failure() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tree(&[("shut/x.yaml", ""), ("open/y.yaml", "")]);
    let shut = dir.path().join("shut");
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).expect("permissions");
    let denied = fs::read_dir(&shut).is_err();
    let found = discover(&[dir.path().to_owned()], WalkOptions::default());
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o755)).expect("permissions");
    // Root may read anything.
    if denied {
        assert_eq!(found.failures[0].to_string(), "permission denied");
        assert_eq!(names(dir.path(), &found.files), ["open/y.yaml"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_told_apart() {
    let sources = Sources::new();
    let kind = |bytes: &[u8]| text(bytes.to_vec(), "x".to_owned(), None, &sources, 100).expect_err("no text").kind;
    assert_eq!(kind(b"a: 1\nb: \xff\n"), FailureKind::NotUtf8 { offset: 8, line: 2, instead: None });
    assert_eq!(kind(b"\xff\xfea\0"), FailureKind::NotUtf8 { offset: 0, line: 1, instead: Some("UTF-16") });
    assert_eq!(kind(b"a\n\0"), FailureKind::NotUtf8 { offset: 2, line: 2, instead: Some("binary data") });
    assert_eq!(kind(&[b'a'; 101]), FailureKind::TooLarge { limit: 100 });
    assert!(sources.all().is_empty());
    let failure = text(b"\xc3".to_vec(), "x".to_owned(), None, &sources, 100).expect_err("cut short");
    assert_eq!(failure.to_string(), "byte 0 (line 1) is no UTF-8");
}

#[test]
fn reading_gives_the_text_or_the_reason() {
    let dir = tree(&[("a.yaml", "\u{feff}a: 1\n"), ("big.yaml", &"x".repeat(200))]);
    let sources = Sources::new();
    let file = read(&dir.path().join("a.yaml"), &sources, LIMIT).expect("a file");
    assert_eq!(&*file.text, "\u{feff}a: 1\n");
    assert_eq!(file.line_column(3).column, 1);
    let large = read(&dir.path().join("big.yaml"), &sources, 100).expect_err("too large");
    assert_eq!(large.kind, FailureKind::TooLarge { limit: 100 });
    let folder = read(dir.path(), &sources, LIMIT).expect_err("a directory");
    assert_eq!(folder.to_string(), "a directory, not a file");
    let missing = read(Path::new("nope.yaml"), &sources, LIMIT).expect_err("missing");
    assert_eq!((missing.kind, missing.name.as_str()), (FailureKind::Missing, "nope.yaml"));
}

#[test]
fn names_are_relative_to_where_we_are() {
    let here = std::env::current_dir().expect("a directory");
    assert_eq!(display_name(&here.join("a/b.yaml")), "a/b.yaml");
    assert_eq!(display_name(Path::new("./a/./b.yaml")), "a/b.yaml");
    assert_eq!(display_name(Path::new("../b.yaml")), "../b.yaml");
    assert_eq!(display_name(Path::new(".")), ".");
    assert_eq!(display_name(Path::new("/etc/x.yaml")), "/etc/x.yaml");
}

#[test]
fn utf16_positions_of_wide_characters_line_ends_and_marks() {
    let sources = Sources::new();
    let file = sources.add("x".to_owned(), None, "\u{feff}é𝄞x: 1\r\n\r\n中: y\r\n");
    let at = |needle: &str| u32::try_from(file.text.find(needle).expect("there")).expect("small");
    assert_eq!(file.utf16_position(0), (0, 0));
    assert_eq!(file.utf16_position(3), (0, 0));
    assert_eq!(file.utf16_position(at("𝄞")), (0, 1));
    assert_eq!(file.utf16_position(at("x:")), (0, 3));
    assert_eq!(file.utf16_position(at("\r\n")), (0, 7));
    assert_eq!(file.utf16_position(at("\n")), (0, 7));
    assert_eq!(file.utf16_position(at("中")), (2, 0));
    assert_eq!(file.utf16_position(at("y")), (2, 3));
    assert_eq!(file.utf16_position(u32::MAX), (3, 0));
    assert_eq!(file.offset_of_utf16(0, 3), at("x:"));
    // In the middle of the pair of surrogates.
    assert_eq!(file.offset_of_utf16(0, 2), at("𝄞"));
    assert_eq!(file.offset_of_utf16(0, 99), at("\r\n"));
    assert_eq!(file.offset_of_utf16(2, 3), at("y"));
    assert_eq!(file.offset_of_utf16(99, 0), u32::try_from(file.text.len()).expect("small"));
}

proptest! {
    #[test]
    fn utf16_positions_lead_back(text in "[a\u{e9}\u{1d11e}\u{4e2d} \n\r:]{0,60}") {
        let sources = Sources::new();
        let file = sources.add("x".to_owned(), None, text.as_str());
        for (offset, c) in text.char_indices() {
            if matches!(c, '\r' | '\n') {
                continue;
            }
            let offset = u32::try_from(offset).expect("small");
            // What trails on a line behind a carriage return belongs to its end.
            if offset as usize >= file.line_range(file.line_of(offset)).end {
                continue;
            }
            let (line, column) = file.utf16_position(offset);
            prop_assert_eq!(file.offset_of_utf16(line, column), offset);
        }
    }
}
