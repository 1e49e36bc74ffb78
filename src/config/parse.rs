//! From TOML to a [`Layer`], every mistake on its characters.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use toml_edit::{Document, Item, TableLike};

use super::error::{ConfigFile, Error};
use super::keys::{KEYS, Key, SEVERITIES, Shape, find};
use super::layer::{Layer, Origin, Override, Value};
use crate::finding::{Selector, nearest};
use crate::resolve::Version;
use crate::rules;
use crate::source::normal;

/// What a file says, and what of it can be judged only when the rules of the user's own are known: those that it brings
/// and those of the files that it extends.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) layer: Layer,
    /// Directories of rules, with their places.
    pub(super) directories: Vec<(PathBuf, Place)>,
    selectors: Vec<(String, Place)>,
}

/// Reads a file. `pyproject.toml` holds it in `[tool.dynlint]`; none when it has no such table.
///
/// # Errors
/// Every mistake in it, but for those that [`Parsed::selectors`] finds. Where there are others, nobody can say which
/// rules there would be.
pub(super) fn parse(file: &Arc<ConfigFile>, pyproject: bool) -> Result<Option<Parsed>, Vec<Error>> {
    let document = Document::parse(file.text.as_str()).map_err(|error| {
        // The parser's words, in our style.
        let message = error.message().trim().replace('\n', "; ");
        vec![Error {
            file: Arc::clone(file),
            span: error.span().or(Some(0..0)),
            message: format!("not TOML: {message}"),
            label: "reading stops here".to_owned(),
            help: None,
        }]
    })?;
    let root: &dyn TableLike = if pyproject {
        let table = document.as_table().get("tool").and_then(|tool| tool.get("dynlint"));
        match table.and_then(Item::as_table_like) {
            Some(table) => table,
            None => return Ok(None),
        }
    } else {
        document.as_table()
    };
    let mut reader = Reader { file, errors: Vec::new(), selectors: Vec::new(), directories: Vec::new() };
    let layer = reader.table(root, false);
    let Reader { mut errors, selectors, directories, .. } = reader;
    let parsed = Parsed { layer, directories, selectors };
    if errors.is_empty() {
        return Ok(Some(parsed));
    }
    if parsed.directories.is_empty() && parsed.layer.get("extend").is_none() {
        errors.extend(parsed.selectors(file));
        crate::source::order_by_key(&mut errors, |error| error.span.as_ref().map(|span| span.start));
    }
    Err(errors)
}

impl Parsed {
    /// Selectors that name no rule there is now.
    pub(super) fn selectors(&self, file: &Arc<ConfigFile>) -> Vec<Error> {
        let names: Vec<(&str, &str)> = rules::all().map(|rule| (rule.id, rule.family)).collect();
        let wrong = |(text, place): &(String, Place)| {
            let unknown = Selector::parse(text, &names).err()?;
            let label =
                unknown.near.map_or_else(|| "names no rule".to_owned(), |near| format!("did you mean `{near}`?"));
            let help = Some("`dynlint rules` lists the rules and their families".to_owned());
            let message = format!("no rule or family matches `{text}`");
            Some(Error { file: Arc::clone(file), span: place.clone().or(Some(0..0)), message, label, help })
        };
        self.selectors.iter().filter_map(wrong).collect()
    }
}

struct Reader<'a> {
    file: &'a Arc<ConfigFile>,
    errors: Vec<Error>,
    selectors: Vec<(String, Place)>,
    directories: Vec<(PathBuf, Place)>,
}

type Place = Option<Range<usize>>;

impl Reader<'_> {
    fn error(&mut self, span: Place, message: String, label: &str, help: Option<String>) {
        let (file, label) = (Arc::clone(self.file), label.to_owned());
        self.errors.push(Error { file, span: span.or(Some(0..0)), message, label, help });
    }

    fn origin(&self, span: &Place) -> Origin {
        Origin::File(Arc::clone(self.file), self.file.line(span.as_ref().map_or(0, |span| span.start)))
    }

    fn table(&mut self, table: &dyn TableLike, per_path: bool) -> Layer {
        let mut layer = Layer::default();
        for (name, item) in table.iter() {
            let place = table.key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
            if name == "per-path" && !per_path {
                layer.overrides = self.overrides(item);
                continue;
            }
            if name == "paths" && per_path {
                continue;
            }
            match find(name) {
                Some(key) if key.per_path || !per_path => {
                    if let Some(value) = self.value(key, item) {
                        layer.put(key, value, self.origin(&place));
                    }
                }
                Some(_) => {
                    let help = "it holds for all paths: write it at the top of the file";
                    self.error(
                        place,
                        format!("`{name}` cannot differ by path"),
                        "not in `[[per-path]]`",
                        Some(help.to_owned()),
                    );
                }
                None => self.unknown(name, place, per_path),
            }
        }
        layer
    }

    fn unknown(&mut self, name: &str, place: Place, per_path: bool) {
        let extra = if per_path { "paths" } else { "per-path" };
        let names = || KEYS.iter().filter(|key| key.per_path || !per_path).map(|key| key.name).chain([extra]);
        let near = nearest(name, names());
        let label = near.map_or_else(|| "no such key".to_owned(), |near| format!("did you mean `{near}`?"));
        let list = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = near.is_none().then(|| format!("there are {}", list()));
        self.error(place, format!("unknown key `{name}`"), &label, help);
    }

    fn wrong(&mut self, item: &Item, name: &str, expected: &str) {
        let kind = item.type_name();
        self.error(item.span(), format!("`{name}` must be {expected}"), &format!("this is {}", article(kind)), None);
    }

    fn value(&mut self, key: &Key, item: &Item) -> Option<Value> {
        let name = key.name;
        match key.shape {
            Shape::Flag => match item.as_bool() {
                Some(flag) => Some(Value::Flag(flag)),
                None => {
                    self.wrong(item, name, "`true` or `false`");
                    None
                }
            },
            Shape::Text | Shape::Path => {
                let text = self.text(item, name, "a string")?;
                Some(Value::Text(text))
            }
            Shape::Choice(choices) => Some(Value::Text(self.choice(item, name, choices)?)),
            Shape::Version => {
                let text = self.text(item, name, "a string such as `\"1.0\"`")?;
                if Version::parse(&text).is_none() {
                    let help = Some("write a release such as `1.4` or `1.4.2`".to_owned());
                    self.error(item.span(), format!("`{text}` is no version"), "not a release", help);
                    return None;
                }
                Some(Value::Text(text))
            }
            Shape::Directories => {
                let here = self.file.path.parent().unwrap_or(Path::new("")).to_owned();
                let list = self.list(item, name)?;
                let list: Vec<_> = list.into_iter().map(|(text, place)| (normal(&here.join(text)), place)).collect();
                let paths = list.iter().map(|(path, _)| path.clone()).collect();
                self.directories.extend(list);
                Some(Value::Directories(paths))
            }
            Shape::Rules => {
                let list = self.list(item, name)?;
                self.selectors.extend(list.iter().cloned());
                Some(Value::List(list.into_iter().map(|(text, _)| text).collect()))
            }
            Shape::Globs => {
                let list = self.list(item, name)?;
                self.globs(&list)?;
                Some(Value::List(list.into_iter().map(|(text, _)| text).collect()))
            }
            Shape::Severities => {
                let Some(table) = item.as_table_like() else {
                    self.wrong(item, name, "a table of rules and severities");
                    return None;
                };
                let mut rows = Vec::new();
                for (rule, item) in table.iter() {
                    let place = table.key(rule).and_then(toml_edit::Key::span);
                    self.selectors.push((rule.to_owned(), place));
                    if let Some(severity) = self.choice(item, rule, SEVERITIES) {
                        rows.push((rule.to_owned(), severity));
                    }
                }
                Some(Value::Table(rows))
            }
        }
    }

    fn text(&mut self, item: &Item, name: &str, expected: &str) -> Option<String> {
        if let Some(text) = item.as_str() {
            return Some(text.to_owned());
        }
        self.wrong(item, name, expected);
        None
    }

    fn choice(&mut self, item: &Item, name: &str, choices: &[&'static str]) -> Option<String> {
        let list: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        let text = self.text(item, name, &format!("one of {}", list.join(", ")))?;
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        let label = nearest(&text, choices.iter().copied())
            .map_or_else(|| "not one of them".to_owned(), |near| format!("did you mean `{near}`?"));
        self.error(item.span(), format!("`{name}` must be one of {}", list.join(", ")), &label, None);
        None
    }

    /// The texts of a list, each with its place.
    fn list(&mut self, item: &Item, name: &str) -> Option<Vec<(String, Place)>> {
        let Some(array) = item.as_array() else {
            self.wrong(item, name, "a list of strings");
            return None;
        };
        let mut out = Vec::new();
        for value in array {
            match value.as_str() {
                Some(text) => out.push((text.to_owned(), value.span())),
                None => {
                    let label = format!("this is {}", article(value.type_name()));
                    self.error(value.span(), format!("`{name}` must be a list of strings"), &label, None);
                }
            }
        }
        Some(out)
    }

    fn globs(&mut self, list: &[(String, Place)]) -> Option<GlobSet> {
        let mut builder = GlobSetBuilder::new();
        for (text, place) in list {
            match glob(text, &mut builder) {
                Ok(()) => {}
                Err(error) => {
                    let message = error.kind().to_string();
                    self.error(place.clone(), format!("`{text}` is no glob"), &message, None);
                }
            }
        }
        builder.build().ok()
    }

    fn overrides(&mut self, item: &Item) -> Vec<Override> {
        let tables: Vec<&dyn TableLike> = if let Some(tables) = item.as_array_of_tables() {
            tables.iter().map(|table| table as &dyn TableLike).collect()
        } else if let Some(array) = item.as_array() {
            array.iter().filter_map(|value| Some(value.as_inline_table()? as &dyn TableLike)).collect()
        } else {
            self.wrong(item, "per-path", "a list of tables: write `[[per-path]]`");
            return Vec::new();
        };
        let mut out = Vec::new();
        for table in tables {
            let place = table.key("paths").and_then(toml_edit::Key::span);
            let origin = self.origin(&place.clone().or_else(|| item.span()));
            let layer = self.table(table, true);
            let Some(paths) = table.get("paths") else {
                let help = Some("write `paths = [\"tests/**\"]`".to_owned());
                let first = table.iter().next().and_then(|(name, _)| table.key(name)).and_then(toml_edit::Key::span);
                self.error(
                    first.or_else(|| item.span()),
                    "`[[per-path]]` has no `paths`".to_owned(),
                    "of which paths?",
                    help,
                );
                continue;
            };
            let Some(list) = self.list(paths, "paths") else { continue };
            let Some(globs) = self.globs(&list) else { continue };
            let paths = list.into_iter().map(|(text, _)| text).collect();
            out.push(Override { paths, globs, layer, origin });
        }
        out
    }
}

/// Adds a glob over relative paths. `*` stays within a name. As in `.gitignore`, a pattern without a slash speaks about
/// names at any depth, and one that matches a directory speaks about all below it.
pub(super) fn glob(text: &str, builder: &mut GlobSetBuilder) -> Result<(), globset::Error> {
    let trimmed = text.trim_end_matches('/');
    let rooted = trimmed.contains('/');
    let trimmed = trimmed.trim_start_matches("./").trim_start_matches('/');
    let lead = if rooted { "" } else { "**/" };
    for pattern in [format!("{lead}{trimmed}"), format!("{lead}{trimmed}/**")] {
        builder.add(GlobBuilder::new(&pattern).literal_separator(true).build()?);
    }
    Ok(())
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}
