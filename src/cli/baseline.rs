//! `dynlint baseline`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::args::{ListFormat, Read, Select};
use super::{Exit, check, config, output};
use crate::config::{Configs, Value};
use crate::finding::{Baseline, BaselineEntry};
use crate::lint::{self, Report};
use crate::report::mask;
use crate::rules;
use crate::source::{display_name, normal};

/// Name of a baseline where nothing else is said.
const FILE_NAME: &str = "dynlint-baseline.json";

#[derive(Debug, Args)]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record every finding that there is now
    Write(Common),
    /// Compare what there is now with what is recorded: new, resolved, unchanged, incomparable; exit code 1 when
    /// anything is new
    Diff(Common),
    /// Forget what is resolved
    Prune(Common),
}

#[derive(Debug, Args)]
struct Common {
    /// Files and directories
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The baseline [default: `baseline` of the configuration, else dynlint-baseline.json]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Full, value_name = "FORMAT")]
    format: ListFormat,
    #[command(flatten)]
    select: Select,
    #[command(flatten)]
    read: Box<Read>,
}

pub(super) fn run(args: &BaselineArgs) -> Exit {
    let done = match &args.command {
        Command::Write(common) => write(common),
        Command::Diff(common) => diff(common),
        Command::Prune(common) => prune(common),
    };
    done.unwrap_or_else(|exit| exit)
}

/// The file that the configuration of the working directory names.
pub(super) fn configured(configs: &Configs) -> Option<PathBuf> {
    let effective = configs.effective(None).ok()?;
    let entry = effective.layer.get("baseline")?;
    let Value::Text(text) = &entry.value else { return None };
    Some(entry.origin.directory().map_or_else(|| PathBuf::from(text), |directory| directory.join(text)))
}

/// Reads a baseline.
pub(super) fn load(path: &Path) -> Result<Arc<Baseline>, Exit> {
    let fail = |message: String| {
        output::error(&format!("`{}`: {message}", path.display()));
        Exit::Usage
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| fail(format!("cannot read the baseline: {error}; `dynlint baseline write` makes one")))?;
    Baseline::parse(path, &text).map(Arc::new).map_err(fail)
}

fn file(common: &Common, options: &lint::Options) -> PathBuf {
    let configured = || options.configs.as_deref().and_then(configured);
    common.baseline.clone().or_else(configured).unwrap_or_else(|| PathBuf::from(FILE_NAME))
}

fn options(common: &Common) -> Result<lint::Options, Exit> {
    check::known(&common.select, &inputs(common)?, &common.read)?;
    let mut layer = config::layer(&common.read);
    config::select(&mut layer, &common.select, None);
    Ok(check::options(&common.read, layer))
}

fn inputs(common: &Common) -> Result<Vec<lint::Input>, Exit> {
    check::inputs(&common.paths, &common.read).map_err(|(exit, message)| {
        output::error(&message);
        exit
    })
}

fn lint(common: &Common, options: &lint::Options) -> Result<Report, Exit> {
    let report = lint::lint(&inputs(common)?, options);
    if !report.config.is_empty() {
        return Err(config::say(&report.config));
    }
    check::say_crashes(&report);
    Ok(report)
}

fn save(path: &Path, baseline: &Baseline) -> Result<(), Exit> {
    std::fs::write(path, baseline.text()).map_err(|error| {
        output::error(&format!("cannot write `{}`: {error}", path.display()));
        Exit::Usage
    })
}

fn write(common: &Common) -> Result<Exit, Exit> {
    let options = options(common)?;
    let path = file(common, &options);
    let report = lint(common, &options)?;
    if report.summary.files == 0 {
        output::note("nothing to lint: no file with a Kubernetes object in it; no baseline written");
        return Ok(Exit::Nothing);
    }
    let mut baseline = Baseline::at(&path);
    baseline.entries = report
        .findings
        .iter()
        .map(|reported| {
            let source = report.sources.get(reported.finding.primary.span.file);
            BaselineEntry {
                path: baseline.name_of(source.path.as_deref(), &source.name),
                rule: reported.finding.rule.to_owned(),
                revision: rules::find(reported.finding.rule).map_or(1, |rule| rule.revision),
                fingerprint: reported.fingerprint.to_string(),
                message: mask(&reported.finding.message).into_owned(),
            }
        })
        .collect();
    save(&path, &baseline)?;
    let found = baseline.entries.len();
    let (words, name) = (if found == 1 { "finding" } else { "findings" }, display_name(&path));
    // A check takes the baseline that its configuration names.
    let named = options.configs.as_deref().and_then(configured).is_some_and(|named| normal(&named) == normal(&path));
    let option = if named { String::new() } else { format!(" --baseline {name}") };
    output::note(&format!("recorded {found} {words} in `{name}`; `dynlint check{option}` fails on new ones only"));
    Ok(if report.summary.unreadable > 0 { Exit::Unreadable } else { Exit::Clean })
}

fn diff(common: &Common) -> Result<Exit, Exit> {
    let mut options = options(common)?;
    options.baseline = Some(load(&file(common, &options))?);
    let report = lint(common, &options)?;
    let compared = report.baseline.clone().unwrap_or_default();
    let new = report.findings.iter().map(|reported| {
        let finding = &reported.finding;
        let source = report.sources.get(finding.primary.span.file);
        let at = source.line_column(finding.primary.span.start);
        (source.name.clone(), at.line, finding.rule, mask(&finding.message).into_owned(), reported.fingerprint)
    });
    match common.format {
        ListFormat::Full => {
            for (name, line, rule, message, _) in new {
                output::print(&format!("new           {name}:{line}: {rule}: {message}\n"));
            }
            for (word, list) in [("resolved     ", &compared.resolved), ("incomparable ", &compared.unjudged)] {
                for entry in list {
                    output::print(&format!("{word} {}: {}: {}\n", entry.path, entry.rule, entry.message));
                }
            }
            output::note(&counts(&compared));
        }
        ListFormat::Json => {
            let new: Vec<_> = new
                .map(|(path, line, rule, message, fingerprint)| {
                    serde_json::json!({
                        "path": path, "line": line, "rule": rule, "message": message, "fingerprint": fingerprint.to_string(),
                    })
                })
                .collect();
            let text = serde_json::json!({
                "version": 1,
                "new": new,
                "resolved": compared.resolved,
                "incomparable": compared.unjudged,
                "counts": {
                    "new": compared.new,
                    "unchanged": compared.unchanged,
                    "resolved": compared.resolved.len(),
                    "incomparable": compared.incomparable + compared.unjudged.len(),
                },
            });
            output::print(&format!("{text:#}\n"));
        }
    }
    Ok(if compared.new > 0 { Exit::Findings } else { Exit::Clean })
}

fn prune(common: &Common) -> Result<Exit, Exit> {
    let mut options = options(common)?;
    let path = file(common, &options);
    let baseline = load(&path)?;
    options.baseline = Some(Arc::clone(&baseline));
    let report = lint(common, &options)?;
    let compared = report.baseline.clone().unwrap_or_default();
    let mut kept = Baseline::clone(&baseline);
    for entry in &compared.resolved {
        // Two equal entries stand for two findings: one of them may still be there.
        if let Some(at) = kept.entries.iter().position(|kept| kept == entry) {
            kept.entries.remove(at);
        }
    }
    let before = kept.entries.len();
    kept.entries.retain(|entry| rules::find(&entry.rule).is_some());
    let forgotten = compared.resolved.len() + before - kept.entries.len();
    save(&path, &kept)?;
    output::note(&format!("forgot {forgotten}, kept {} in `{}`", kept.entries.len(), display_name(&path)));
    Ok(Exit::Clean)
}

/// The counts in words.
pub(super) fn counts(compared: &crate::finding::Compared) -> String {
    let resolved = compared.resolved.len();
    let incomparable = compared.incomparable + compared.unjudged.len();
    let prune = if resolved > 0 { " (`dynlint baseline prune` forgets them)" } else { "" };
    format!(
        "baseline: {} new, {} unchanged, {resolved} resolved{prune}, {incomparable} incomparable",
        compared.new, compared.unchanged
    )
}
