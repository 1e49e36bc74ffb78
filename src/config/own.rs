//! Rules of the user's own that a configuration brings (`rules-dirs`).

use std::sync::Arc;

use super::error::{ConfigFile, Error};
use super::parse::Parsed;

/// Adds the rules of the directories that a file names, and returns their ids.
#[cfg(feature = "cel")]
pub(super) fn bring(parsed: &Parsed, file: &Arc<ConfigFile>) -> Result<Vec<&'static str>, Vec<Error>> {
    let (mut ids, mut errors) = (Vec::new(), Vec::new());
    for (directory, place) in &parsed.directories {
        let error = |message: String, label: &str, help: Option<&str>| Error {
            file: Arc::clone(file),
            span: place.clone().or(Some(0..0)),
            message,
            label: label.to_owned(),
            help: help.map(str::to_owned),
        };
        let name = crate::source::display_name(directory);
        match crate::custom::bring(directory, true) {
            Ok(more) if more.is_empty() => {
                let help = "a page is a Markdown file with front matter: docs/custom-rules.md";
                errors.push(error(format!("no page with a rule in `{name}`"), "brings nothing", Some(help)));
            }
            Ok(more) => ids.extend(more),
            Err(pages) if !directory.is_dir() && pages.len() == 1 => {
                errors.push(error(format!("no such directory: `{name}`"), "relative to this file", None));
            }
            Err(pages) => errors.extend(pages.into_iter().map(|page| {
                let path = crate::source::display_name(&page.path);
                error(format!("{path}: {}", page.message), "named here", None)
            })),
        }
    }
    if errors.is_empty() { Ok(ids) } else { Err(errors) }
}

/// A build without CEL cannot run them, and must not look as if it had.
#[cfg(not(feature = "cel"))]
pub(super) fn bring(parsed: &Parsed, file: &Arc<ConfigFile>) -> Result<Vec<&'static str>, Vec<Error>> {
    let Some((_, place)) = parsed.directories.first() else { return Ok(Vec::new()) };
    Err(vec![Error {
        file: Arc::clone(file),
        span: place.clone().or(Some(0..0)),
        message: "this build cannot run rules of your own".to_owned(),
        label: "needs the feature `cel`".to_owned(),
        help: Some("install with `cargo install --features cel` (or `full`), or use a released binary".to_owned()),
    }])
}
