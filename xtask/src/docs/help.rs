//! The command line's own help, command by command.

use std::fmt::Write as _;

use super::{Book, Result};

/// The help of `dynlint` and of every command below it.
pub fn all(book: &Book) -> Result<String> {
    let mut out = String::new();
    add(book, &[], &mut out)?;
    Ok(out.trim_end().to_owned())
}

fn add(book: &Book, command: &[&str], out: &mut String) -> Result {
    let text = book.dynlint(&[command, &["--help"]].concat())?;
    let name = [&["dynlint"], command].concat().join(" ");
    let _ = write!(out, "## `{name}`\n\n```text\n{}\n```\n\n", text.trim_end());
    for sub in commands(&text).iter().filter(|sub| sub.as_str() != "help") {
        add(book, &[command, &[sub]].concat(), out)?;
    }
    Ok(())
}

/// Names below `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let name = |line: &str| {
        let line = line.strip_prefix("  ")?;
        // A description that wraps is indented further.
        (!line.starts_with(' ')).then(|| line.split_whitespace().next().unwrap_or_default().to_owned())
    };
    list.filter_map(name).collect()
}
