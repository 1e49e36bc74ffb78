//! Where each report goes: `-f FORMAT` says how, an `-o FILE` behind it says where.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::Format;
use super::output;
use crate::report::{self, Root, Style, wire};
use crate::source::{SourceFile, Sources};

/// One report of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    format: Format,
    /// Standard output when none.
    file: Option<PathBuf>,
}

/// What the command line asks for; inside GitHub Actions, annotations when it asks for nothing.
pub(super) fn targets(matches: &ArgMatches) -> Result<Vec<Target>, String> {
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let formats = if given("format") { indexed::<Format>(matches, "format") } else { Vec::new() };
    let files = if given("output_file") { indexed::<PathBuf>(matches, "output_file") } else { Vec::new() };
    pair(formats, files, std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true"))
}

fn indexed<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> Vec<(usize, T)> {
    let places = matches.indices_of(id).into_iter().flatten();
    places.zip(matches.get_many::<T>(id).into_iter().flatten().cloned()).collect()
}

/// Joins formats and files by where they stand on the command line.
fn pair(formats: Vec<(usize, Format)>, files: Vec<(usize, PathBuf)>, in_actions: bool) -> Result<Vec<Target>, String> {
    let mut targets: Vec<(usize, Target)> =
        formats.into_iter().map(|(at, format)| (at, Target { format, file: None })).collect();
    for (at, file) in files {
        let Some((_, target)) = targets.iter_mut().rev().find(|(of, _)| *of < at) else {
            return Err(format!("`-o {}` needs the format of the file before it: `-f sarif -o {0}`", file.display()));
        };
        if target.file.replace(file).is_some() {
            return Err("two `-o` stand behind one `-f`".to_owned());
        }
    }
    let mut targets: Vec<Target> = targets.into_iter().map(|(_, target)| target).collect();
    if targets.is_empty() {
        targets.push(Target { format: if in_actions { Format::Github } else { Format::Full }, file: None });
    }
    for (index, target) in targets.iter().enumerate() {
        if let Some(other) = targets[..index].iter().find(|other| other.file == target.file) {
            let (one, two) = (other.format.name(), target.format.name());
            return Err(match &target.file {
                None => format!(
                    "`{one}` and `{two}` would both go to standard output; give one of them a file: `-f {one} -o FILE`"
                ),
                Some(file) => format!("`{one}` and `{two}` would both go to `{}`", file.display()),
            });
        }
    }
    Ok(targets)
}

/// What every renderer may need.
pub(super) struct Rendered<'a> {
    pub check: &'a wire::Check,
    pub sources: &'a Sources,
    /// Findings only.
    pub quiet: bool,
}

/// Writes every report. A file that cannot be written is said, and the others are still written.
pub(super) fn write(targets: &[Target], of: &Rendered<'_>) -> Result<(), String> {
    let root = root();
    let mut failed = None;
    for target in targets {
        let result = match &target.file {
            None => render(target.format, of, &root, Style { summary: !of.quiet, ..output::style() }).map(|text| {
                match target.format {
                    // Escapes are part of these, if anything: nothing is to be taken out for a pipe.
                    Format::Json | Format::Jsonl | Format::Sarif | Format::Gitlab => output::raw(text.as_bytes()),
                    _ => output::print(&text),
                }
            }),
            Some(file) => render(target.format, of, &root, Style { summary: !of.quiet, ..Style::default() })
                .and_then(|text| save(file, &text, of.sources.all())),
        };
        if let Err(message) = result {
            failed.get_or_insert(message);
        }
    }
    let annotated = targets.iter().any(|target| target.format == Format::Github);
    if annotated && let Some(file) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()) {
        job_summary(file, of.check);
    }
    failed.map_or(Ok(()), Err)
}

/// Whether any of the reports shows fixes.
pub(super) fn show_fixes(targets: &[Target]) -> bool {
    targets.iter().any(|target| {
        matches!(target.format, Format::Full | Format::Json | Format::Jsonl | Format::Sarif | Format::Agent)
    })
}

/// Whether the summary has to be said on standard error: when the one format on standard output is for pipes but read by
/// people, and when all reports go to files.
pub(super) fn wants_summary(targets: &[Target]) -> bool {
    targets.iter().find(|target| target.file.is_none()).is_none_or(|target| target.format == Format::Concise)
}

pub(super) fn render(format: Format, of: &Rendered<'_>, root: &Root, style: Style) -> Result<String, String> {
    let Rendered { check, sources, .. } = of;
    let json = |text: serde_json::Result<String>| text.map(|text| text + "\n").map_err(|error| error.to_string());
    match format {
        Format::Full => Ok(report::full(check, sources, style)),
        Format::Concise => Ok(report::concise(check)),
        Format::Json => json(report::json(check)),
        Format::Jsonl => report::jsonl(check).map_err(|error| error.to_string()),
        Format::Sarif => json(report::sarif(check, root)),
        Format::Github => Ok(report::github(check, root)),
        Format::Gitlab => json(report::gitlab(check, root)),
        Format::Junit => report::junit(check).map_err(|error| error.to_string()),
        Format::Markdown => Ok(report::markdown(check)),
        Format::Agent => Ok(report::agent(check)),
    }
}

/// Never writes over what was linted: `-o` and the paths are easily swapped.
pub(super) fn save(file: &Path, text: &str, read: impl IntoIterator<Item = Arc<SourceFile>>) -> Result<(), String> {
    let same = |path: &PathBuf| path == file || same_file(path, file);
    if read.into_iter().any(|source| source.path.as_ref().is_some_and(same)) {
        return Err(format!("`{}` was read as a manifest and will not be overwritten", file.display()));
    }
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| format!("cannot create `{}`: {error}", parent.display()))?;
    }
    std::fs::write(file, text).map_err(|error| format!("cannot write `{}`: {error}", file.display()))
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.file_name() == other.file_name()
        && matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Adds to the job's page; other steps write there too.
fn job_summary(file: OsString, check: &wire::Check) {
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut out| out.write_all(report::markdown(check).as_bytes()));
    if let Err(error) = written {
        output::note(&format!("cannot write the job summary `{}`: {error}", Path::new(&file).display()));
    }
}

/// The checkout: what CI says it is, else the nearest directory upwards that git keeps, else the working directory.
pub(super) fn root() -> Root {
    let cwd = std::env::current_dir().unwrap_or_default();
    let ci = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"].into_iter().find_map(std::env::var_os).map(PathBuf::from);
    let top = ci
        .filter(|dir| cwd.starts_with(dir))
        .or_else(|| cwd.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned))
        .unwrap_or_else(|| cwd.clone());
    Root { cwd, top }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(formats: &[(usize, Format)], files: &[(usize, &str)]) -> Result<Vec<(Format, Option<String>)>, String> {
        let files = files.iter().map(|&(at, file)| (at, file.into())).collect();
        let targets = pair(formats.to_vec(), files, false)?;
        Ok(targets.into_iter().map(|t| (t.format, t.file.map(|file| file.display().to_string()))).collect())
    }

    #[test]
    fn a_file_belongs_to_the_format_before_it() {
        assert_eq!(
            pairs(&[(1, Format::Sarif), (5, Format::Full)], &[(3, "out.sarif")]).unwrap(),
            [(Format::Sarif, Some("out.sarif".to_owned())), (Format::Full, None)]
        );
        assert_eq!(
            pairs(&[(1, Format::Full), (3, Format::Json)], &[(5, "o.json")]).unwrap(),
            [(Format::Full, None), (Format::Json, Some("o.json".to_owned()))]
        );
        assert_eq!(pairs(&[], &[]).unwrap(), [(Format::Full, None)]);
        assert_eq!(pair(Vec::new(), Vec::new(), true).unwrap()[0].format, Format::Github);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(pairs(&[(3, Format::Json)], &[(1, "o.json")]).unwrap_err().contains("before it"));
        assert!(pairs(&[(1, Format::Json)], &[(3, "a"), (5, "b")]).unwrap_err().contains("two `-o`"));
        assert!(pairs(&[(1, Format::Json), (3, Format::Full)], &[]).unwrap_err().contains("standard output"));
        assert!(pairs(&[(1, Format::Json), (5, Format::Sarif)], &[(3, "a"), (7, "a")]).unwrap_err().contains("`a`"));
    }
}
