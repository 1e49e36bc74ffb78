//! What chapters have put in: `{{file PATH}}`, `{{help}}`, `{{config}}`, `{{rules}}`, `{{summary}}`, and what commands
//! print.

use super::rules::{self, Rule};
use super::{Book, Result, config, help};

/// Replaces directives, which stand alone on their line, and runs the commands of `console run` blocks.
pub fn fill(text: &str, book: &Book, rules: &[Rule]) -> Result<String> {
    let mut out = String::new();
    let mut running = false;
    for line in text.lines() {
        if line == "```console run" {
            running = true;
            out.push_str("```console\n");
            continue;
        }
        if running {
            running = line != "```";
            out.push_str(line);
            out.push('\n');
            if let Some(command) = line.strip_prefix("$ dynlint ") {
                let args: Vec<&str> = command.split_whitespace().collect();
                let printed = book.dynlint(&args)?;
                out.push_str(printed.trim_end());
                out.push('\n');
            }
            continue;
        }
        match directive(line) {
            None => out.push_str(line),
            Some(("file", path)) => out.push_str(book.read(path)?.trim_end()),
            Some(("below", path)) => out.push_str(&demoted(&book.read(path)?)),
            Some(("help", "")) => out.push_str(&help::all(book)?),
            Some(("config", "")) => out.push_str(&config::keys(book)?),
            Some(("rules", "")) => out.push_str(&rules::index(rules)),
            Some(("summary", "")) => out.push_str(&rules::summary(rules)),
            Some((name, _)) => return Err(format!("`{{{{{name}}}}}` is nothing that can be put in")),
        }
        out.push('\n');
    }
    Ok(out)
}

fn directive(line: &str) -> Option<(&str, &str)> {
    let inner = line.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    Some(inner.split_once(' ').unwrap_or((inner, "")))
}

/// Where files of the repository are that the book does not hold.
const REPOSITORY: &str = "https://github.com/dynlint/dynlint/blob/main/";

/// A document of `docs` as a part of a chapter: without its title, what it links above itself in the repository.
fn demoted(text: &str) -> String {
    let body =
        text.trim_start().strip_prefix("# ").and_then(|rest| rest.split_once('\n')).map_or(text, |(_, body)| body);
    body.trim().replace("](../", &format!("]({REPOSITORY}"))
}
