//! Which configuration holds for a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use globset::GlobSetBuilder;
use rustc_hash::FxHashMap;

use super::error::{ConfigFile, Error};
use super::layer::{Layer, Origin};
use super::own;
use super::parse::{Parsed, glob, parse};
use super::settings::Settings;
use crate::source::normal;

/// Name of a configuration file.
pub const FILE_NAME: &str = "dynlint.toml";
/// Python projects have theirs in here.
const PYPROJECT: &str = "pyproject.toml";
/// Most files that may extend one another.
const CHAIN: usize = 32;
/// Largest configuration that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Where configurations come from.
#[derive(Clone, Debug, Default)]
pub enum Mode {
    /// From each linted file upwards, to the root of its repository; the nearest wins.
    #[default]
    Discover,
    /// This one, for every file.
    File(PathBuf),
    /// None at all.
    Off,
}

/// The configurations of a run. Files are read when first needed, each once.
#[derive(Debug, Default)]
pub struct Configs {
    mode: Mode,
    command_line: Layer,
    known: Mutex<Known>,
}

/// What is known so far. While the disk is asked whether there is a configuration, it is not locked: other threads read
/// manifests meanwhile.
#[derive(Debug, Default)]
struct Known {
    /// Of each directory of manifests that settings were asked for, as it was spelled, what holds for all of them; not where
    /// a configuration tells its files apart.
    alike: FxHashMap<OsString, Arc<Settings>>,
    /// Of each directory, the configuration that holds in it. By letters: these paths are all [`normal`].
    directories: FxHashMap<OsString, Found>,
    /// Of each file, and each directory that may have one, the configuration in it.
    read: FxHashMap<PathBuf, Found>,
    /// Of each configuration and each choice among its `[[per-path]]`, the settings.
    settings: FxHashMap<(Option<PathBuf>, Vec<bool>), Arc<Settings>>,
}

type Found = Result<Option<Arc<Merged>>, Arc<Vec<Error>>>;

/// A configuration with those that it extends.
#[derive(Debug)]
struct Merged {
    path: PathBuf,
    layer: Layer,
    /// The files that take part, the nearest first.
    files: Vec<Arc<ConfigFile>>,
    /// Rules of the user's own that it brings.
    own: Vec<&'static str>,
    /// What is left out.
    exclude: Option<(PathBuf, globset::GlobSet)>,
}

/// What holds for one path.
#[derive(Clone, Debug)]
pub struct Effective {
    /// Everything that somebody says, the command line included.
    pub layer: Layer,
    /// The files that take part, the nearest first.
    pub files: Vec<Arc<ConfigFile>>,
}

impl Known {
    /// The settings of a manifest that lies in a directory where all files are alike.
    fn alike(&self, path: Option<&Path>) -> Option<&Arc<Settings>> {
        self.alike.get(path.filter(|path| is_manifest(path))?.parent()?.as_os_str())
    }
}

impl Configs {
    /// Configurations with what the command line says above them.
    #[must_use]
    pub fn new(mode: Mode, command_line: Layer) -> Self {
        Self { mode, command_line, known: Mutex::default() }
    }

    /// How to lint a file; `None` is standard input, which lies in the working directory.
    ///
    /// # Errors
    /// Mistakes in the configuration that holds for it.
    pub fn settings(&self, path: Option<&Path>) -> Result<Arc<Settings>, Arc<Vec<Error>>> {
        if let Some(settings) = self.known().alike(path) {
            return Ok(Arc::clone(settings));
        }
        let spelled = path.filter(|path| is_manifest(path)).and_then(Path::parent);
        let path = file_path(path);
        let merged = self.found(path.parent())?;
        let differ = merged.as_ref().is_some_and(|m| m.exclude.is_some() || !m.layer.overrides.is_empty());
        let chosen: Vec<bool> =
            merged.iter().flat_map(|merged| &merged.layer.overrides).map(|o| o.matches(&path)).collect();
        let key = (merged.as_ref().map(|merged| merged.path.clone()), chosen);
        let mut known = self.known();
        let settings = Arc::clone(known.settings.entry(key).or_insert_with(|| {
            let own = merged.as_ref().map(|merged| merged.own.clone()).unwrap_or_default();
            Arc::new(Settings::of(&self.layer(merged.as_deref(), &path), own))
        }));
        if let Some(directory) = spelled.filter(|_| !differ) {
            known.alike.insert(directory.as_os_str().to_owned(), Arc::clone(&settings));
        }
        Ok(settings)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file is left out. A configuration with mistakes leaves out nothing.
    #[must_use]
    pub fn excludes(&self, path: &Path) -> bool {
        if self.known().alike(Some(path)).is_some() {
            return false;
        }
        let path = normal(path);
        let Ok(Some(merged)) = self.found(path.parent()) else { return false };
        let Some((directory, globs)) = &merged.exclude else { return false };
        path.strip_prefix(directory).is_ok_and(|path| globs.is_match(path))
    }

    /// What holds for a path, and who says it.
    ///
    /// # Errors
    /// Mistakes in the configuration that holds for it.
    pub fn effective(&self, path: Option<&Path>) -> Result<Effective, Arc<Vec<Error>>> {
        let path = file_path(path);
        let merged = self.found(path.parent())?;
        let layer = self.layer(merged.as_deref(), &path);
        Ok(Effective { layer, files: merged.map(|merged| merged.files.clone()).unwrap_or_default() })
    }

    fn layer(&self, merged: Option<&Merged>, path: &Path) -> Layer {
        let mut layer = merged.map(|merged| merged.layer.clone()).unwrap_or_default();
        for chosen in layer.overrides.clone().into_iter().filter(|o| o.matches(path)) {
            layer.lay_adding(chosen.layer);
        }
        if self.command_line.get("select").is_some() {
            // Whoever names a rule wants to see it.
            layer.drop_key("ignore");
        }
        layer.lay_adding(self.command_line.clone());
        layer
    }

    fn found(&self, directory: Option<&Path>) -> Found {
        match &self.mode {
            Mode::Off => Ok(None),
            Mode::File(path) => self.loaded(&normal(path), |path| load(path).map(Some)),
            Mode::Discover => {
                let Some(directory) = directory else { return Ok(None) };
                let mut passed = Vec::new();
                let mut found = Ok(None);
                for above in directory.ancestors() {
                    if let Some(hit) = self.known().directories.get(above.as_os_str()) {
                        found = hit.clone();
                        break;
                    }
                    if configured(above) {
                        match self.loaded(above, in_directory) {
                            Ok(None) => {}
                            hit => {
                                found = hit;
                                break;
                            }
                        }
                    }
                    passed.push(above.as_os_str().to_owned());
                    if above.join(".git").exists() {
                        break;
                    }
                }
                let mut known = self.known();
                known.directories.extend(passed.into_iter().map(|directory| (directory, found.clone())));
                found
            }
        }
    }

    /// Reads a configuration, unless that was done: what it brings is brought once.
    fn loaded(&self, place: &Path, read: impl FnOnce(&Path) -> Found) -> Found {
        let mut known = self.known();
        known.read.entry(place.to_owned()).or_insert_with(|| read(place)).clone()
    }
}

/// A file of that name would lie in that directory; a directory holds for itself.
fn file_path(path: Option<&Path>) -> PathBuf {
    let path = normal(path.unwrap_or_else(|| Path::new("-")));
    // What is linted mostly says by its name that it is a file; asking the disk for each would be most of the work here.
    if !is_manifest(&path) && path.is_dir() { path.join("-") } else { path }
}

/// Whether a path's name says that it is a manifest.
fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Whether a directory may have a configuration.
fn configured(directory: &Path) -> bool {
    [FILE_NAME, PYPROJECT].iter().any(|name| directory.join(name).is_file())
}

/// The configuration of one directory.
fn in_directory(directory: &Path) -> Found {
    let own = directory.join(FILE_NAME);
    if own.is_file() {
        return load(&own).map(Some);
    }
    let python = directory.join(PYPROJECT);
    if python.is_file()
        && std::fs::read(&python).is_ok_and(|text| memchr::memmem::find(&text, b"dynlint").is_some())
        && let Some((parsed, file)) = read(&python)?
    {
        return merge(&python, parsed, file).map(Some);
    }
    Ok(None)
}

fn load(path: &Path) -> Result<Arc<Merged>, Arc<Vec<Error>>> {
    let file = |text| Arc::new(ConfigFile { path: path.to_owned(), text });
    let fail = |message: &str, help: &str| {
        let error = Error {
            file: file(String::new()),
            span: None,
            message: message.to_owned(),
            label: String::new(),
            help: Some(help.to_owned()),
        };
        Arc::new(vec![error])
    };
    match read(path)? {
        Some((parsed, file)) => merge(path, parsed, file),
        None => Err(fail("no `[tool.dynlint]` in it", "add that table, or name another file")),
    }
}

type Read = Option<(Parsed, Arc<ConfigFile>)>;

/// Reads one file. `None` for a `pyproject.toml` that says nothing.
fn read(path: &Path) -> Result<Read, Arc<Vec<Error>>> {
    let fail = |message: String| {
        let file = Arc::new(ConfigFile { path: path.to_owned(), text: String::new() });
        Arc::new(vec![Error { file, span: None, message, label: String::new(), help: None }])
    };
    let text = std::fs::metadata(path)
        .and_then(|meta| {
            if meta.len() > LARGEST {
                return Err(std::io::Error::other("too large for a configuration"));
            }
            std::fs::read_to_string(path)
        })
        .map_err(|error| fail(format!("cannot read the configuration: {error}").to_lowercase()))?;
    let file = Arc::new(ConfigFile { path: path.to_owned(), text });
    let pyproject = path.file_name().is_some_and(|name| name == PYPROJECT);
    let parsed = parse(&file, pyproject).map_err(Arc::new)?;
    Ok(parsed.map(|parsed| (parsed, file)))
}

/// Lays a configuration over what it extends.
fn merge(path: &Path, parsed: Parsed, file: Arc<ConfigFile>) -> Result<Arc<Merged>, Arc<Vec<Error>>> {
    let mut chain = vec![(parsed, file)];
    let mut seen = vec![normal(path)];
    while let Some((parsed, file)) = chain.last()
        && let Some(target) = parsed.layer.text("extend")
    {
        let fail = |message: String, label: &str| {
            let span = extend_span(file);
            Arc::new(vec![Error { file: Arc::clone(file), span, message, label: label.to_owned(), help: None }])
        };
        let next = normal(&file.path.parent().unwrap_or(Path::new("")).join(target));
        if let Some(at) = seen.iter().position(|path| *path == next) {
            let circle: Vec<String> =
                seen[at..].iter().chain([&next]).map(|path| crate::source::display_name(path)).collect();
            return Err(fail(
                format!("configurations extend one another: {}", circle.join(" -> ")),
                "closes the circle",
            ));
        }
        if seen.len() == CHAIN {
            return Err(fail(format!("more than {CHAIN} configurations extend one another"), "one too many"));
        }
        if !next.is_file() {
            return Err(fail(format!("cannot extend `{target}`"), "no such file"));
        }
        let Some(below) = read(&next)? else {
            return Err(fail(format!("cannot extend `{target}`"), "no `[tool.dynlint]` in it"));
        };
        seen.push(next);
        chain.push(below);
    }
    let files: Vec<Arc<ConfigFile>> = chain.iter().map(|(_, file)| Arc::clone(file)).collect();
    let mut own = Vec::new();
    let mut errors = Vec::new();
    for (parsed, file) in chain.iter().rev() {
        match own::bring(parsed, file) {
            Ok(ids) => own.extend(ids),
            Err(more) => errors.extend(more),
        }
    }
    // Only now every rule is known that a selector may name; without those that failed to load none is judged.
    if errors.is_empty() {
        errors.extend(chain.iter().flat_map(|(parsed, file)| parsed.selectors(file)));
    }
    if !errors.is_empty() {
        return Err(Arc::new(errors));
    }
    let mut layer = Layer::default();
    for (above, _) in chain.into_iter().rev() {
        layer.lay(above.layer);
    }
    let exclude = layer.get("exclude").and_then(|entry| {
        let Origin::File(file, _) = &entry.origin else { return None };
        let mut builder = GlobSetBuilder::new();
        for text in layer.list("exclude") {
            glob(text, &mut builder).ok()?;
        }
        Some((file.path.parent()?.to_owned(), builder.build().ok()?))
    });
    Ok(Arc::new(Merged { path: normal(path), layer, files, own, exclude }))
}

/// Where the value of `extend` stands.
fn extend_span(file: &ConfigFile) -> Option<std::ops::Range<usize>> {
    let document = toml_edit::Document::parse(file.text.as_str()).ok()?;
    let root = document.as_table();
    let own = root.get("extend").or_else(|| root.get("tool")?.get("dynlint")?.get("extend"));
    own.and_then(toml_edit::Item::span).or(Some(0..0))
}
