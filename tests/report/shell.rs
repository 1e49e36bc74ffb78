//! Completions and man pages, by the programs that read them.

use std::process::{Command, Stdio};

use crate::run::{Ran, finish, root, run};

/// Feeds text to a program; `None` when there is no such program.
fn feed(program: &str, args: &[&str], text: &str) -> Option<Ran> {
    let file = tempfile::NamedTempFile::new().ok()?;
    std::fs::write(file.path(), text).ok()?;
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: no {program}");
        return None;
    }
    let mut command = Command::new(program);
    command.args(args).arg(file.path());
    Some(finish(command))
}

#[test]
fn completions_are_scripts_that_know_the_options() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(root(), &["completions", shell]);
        assert_eq!(ran.code, 0, "{shell}");
        for word in ["check", "explain", "show-undecided"] {
            assert!(ran.out.contains(word), "{shell}: {word}");
        }
        let parsed = match shell {
            "bash" | "zsh" => feed(shell, &["-n"], &ran.out),
            "fish" => feed(shell, &["--no-execute"], &ran.out),
            _ => None,
        };
        if let Some(parsed) = parsed {
            assert_eq!((parsed.code, parsed.err.as_str()), (0, ""), "{shell}");
        }
    }
    assert_eq!(run(root(), &["completions", "tcsh"]).code, 2);
}

#[test]
fn bash_completes_formats() {
    let mut script = run(root(), &["completions", "bash"]).out;
    script.push_str("\nCOMP_WORDS=(dynlint check --format sa); COMP_CWORD=3; _dynlint dynlint sa --format; echo \"${COMPREPLY[*]}\"\n");
    if let Some(ran) = feed("bash", &["--norc"], &script) {
        assert_eq!(ran.out, "sarif\n", "{}", ran.err);
    }
}

#[test]
fn every_command_has_a_man_page() {
    let pages = tempfile::tempdir().expect("a directory");
    assert_eq!(run(root(), &["man", "-o", &pages.path().display().to_string()]).code, 0);
    for name in ["dynlint", "dynlint-check", "dynlint-resolve", "dynlint-explain", "dynlint-rules"] {
        let page = std::fs::read_to_string(pages.path().join(format!("{name}.1"))).expect(name);
        assert!(page.contains(".TH") && page.contains(".SH NAME"), "{name}");
        if let Some(ran) = feed("groff", &["-man", "-Tutf8", "-ww", "-z"], &page) {
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{name}");
        }
    }
    let check = std::fs::read_to_string(pages.path().join("dynlint-check.1")).expect("there");
    assert!(check.contains("show\\-undecided"));
    assert!(run(root(), &["man"]).out.contains(".TH"));
}
