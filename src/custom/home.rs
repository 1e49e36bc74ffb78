//! Directories of pages, and which rules each brought.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::page::{PageError, Text, pages, rules_of};
use crate::rules;

/// A directory that was read.
#[derive(Debug)]
struct Home {
    /// What stood in it.
    pages: Vec<Text>,
    ids: Vec<&'static str>,
    /// Whether its rules run only where a configuration names it.
    scoped: bool,
}

static HOMES: Mutex<BTreeMap<PathBuf, Home>> = Mutex::new(BTreeMap::new());

/// Adds the rules of a directory to dynlint's and returns their ids. With `scoped` they run only where a selection lists
/// them. A directory that was read before is read again, and costs nothing where no page changed.
///
/// # Errors
/// As [`super::load`]; also when another directory has a rule of the same id.
pub fn bring(directory: &Path, scoped: bool) -> Result<Vec<&'static str>, Vec<PageError>> {
    let texts = pages(directory)?;
    let name = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let mut homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
    let before = homes.get(&name);
    // Rules that hold everywhere hold in particular where a configuration names them.
    let scoped = scoped && before.is_none_or(|home| home.scoped);
    if let Some(home) = before.filter(|home| home.pages == texts && home.scoped == scoped) {
        return Ok(home.ids.clone());
    }
    let mut brought = rules_of(directory, texts.clone())?;
    let mut errors = Vec::new();
    for rule in &mut brought {
        rule.scoped = scoped;
        let twin = homes.iter().find(|(other, home)| **other != name && home.ids.contains(&rule.id));
        if let Some((other, _)) = twin {
            let message =
                format!("`{}` is the name of more than one rule: there is one in {}", rule.id, other.display());
            errors.push(PageError { path: directory.to_owned(), message });
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let ids: Vec<&'static str> = brought.iter().map(|rule| rule.id).collect();
    let gone: Vec<&'static str> = before.map(|home| home.ids.clone()).unwrap_or_default();
    rules::install(brought, &gone);
    homes.insert(name, Home { pages: texts, ids: ids.clone(), scoped });
    Ok(ids)
}

/// Takes the rules of a directory out again; one that was never read brings none.
pub fn leave(directory: &Path) {
    let name = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let home = HOMES.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    if let Some(home) = home {
        rules::install(Vec::new(), &home.ids);
    }
}
