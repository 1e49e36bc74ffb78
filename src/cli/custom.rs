//! Rules of the user's own: `--rules DIR` and `dynlint rules test`.

use std::path::PathBuf;

use super::args::RulesTest;
use super::{Exit, output};

/// Adds the rules of those directories to dynlint's, for every file; returns how many there are.
#[cfg(feature = "cel")]
pub(super) fn install(directories: &[PathBuf]) -> Result<usize, Exit> {
    let (mut count, mut failed) = (0, false);
    for directory in directories {
        match crate::custom::bring(directory, false) {
            Ok(ids) => count += ids.len(),
            Err(errors) => {
                errors.iter().for_each(|error| output::error(&error.to_string()));
                failed = true;
            }
        }
    }
    if failed {
        return Err(Exit::Usage);
    }
    if count == 0 && !directories.is_empty() {
        output::note("no page with a rule in the directories of `--rules`");
    }
    Ok(count)
}

/// A build without CEL cannot run them, and must not look as if it had.
#[cfg(not(feature = "cel"))]
pub(super) fn install(directories: &[PathBuf]) -> Result<usize, Exit> {
    if directories.is_empty() {
        return Ok(0);
    }
    output::error("this build has no rules of your own: install with `--features cel` or `--features full`");
    Err(Exit::Usage)
}

/// `dynlint rules test`
#[cfg(feature = "cel")]
pub(super) fn test(args: &RulesTest) -> Exit {
    use crate::finding::Selector;
    use crate::lint::examples::{judge, run_only};
    use crate::rules::page::{Kind, Page};

    let directories = match named(args) {
        Ok(directories) => directories,
        Err(exit) => return exit,
    };
    if let Err(exit) = install(&directories) {
        return exit;
    }
    let known: Vec<(&str, &str)> = crate::rules::all().map(|rule| (rule.id, rule.family)).collect();
    let (mut pages, mut examples, mut failures) = (0, 0, 0);
    for rule in crate::rules::all().filter(|rule| matches!(rule.check, crate::rules::Check::Custom(_))) {
        pages += 1;
        let page = Page::parse(rule.page());
        for kind in [Kind::Bad, Kind::Good] {
            if !page.examples.iter().any(|example| example.kind == kind) {
                failures += 1;
                let kind = if kind == Kind::Bad { "bad" } else { "good" };
                output::print(&format!("{}: no example in a fence ` ```yaml {kind}`\n", rule.id));
            }
        }
        for example in &page.examples {
            examples += 1;
            let wrong = judge(
                rule.id,
                example,
                &run_only(&example.text, Selector::parse(rule.id, &known).into_iter().collect()),
            );
            if !wrong.is_empty() {
                failures += 1;
                let kind = if example.kind == Kind::Bad { "bad" } else { "good" };
                output::print(&format!(
                    "{}: the {kind} example on line {} behind the front matter\n",
                    rule.id, example.page_line
                ));
                wrong.iter().for_each(|text| output::print(text));
            }
        }
    }
    let count = |n: i32, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let counts = [count(pages, "rule"), count(examples, "example"), count(failures, "failure")];
    output::note(&counts.join(", "));
    if pages == 0 {
        Exit::Nothing
    } else if failures > 0 {
        Exit::Findings
    } else {
        Exit::Clean
    }
}

/// The directories that are given, or else those of the configuration of the working directory.
#[cfg(feature = "cel")]
fn named(args: &RulesTest) -> Result<Vec<PathBuf>, Exit> {
    use crate::config::{Configs, Layer, Mode};

    if !args.directories.is_empty() {
        return Ok(args.directories.clone());
    }
    let effective =
        Configs::new(Mode::Discover, Layer::default()).effective(None).map_err(|errors| super::config::say(&errors))?;
    let directories = effective.layer.rules_dirs().to_vec();
    if directories.is_empty() {
        output::error("which directory? none is given, and no configuration here names one in `rules-dirs`");
        return Err(Exit::Usage);
    }
    Ok(directories)
}

#[cfg(not(feature = "cel"))]
pub(super) fn test(_: &RulesTest) -> Exit {
    let any = [PathBuf::new()];
    install(&any).map_or_else(|exit| exit, |_| Exit::Usage)
}
