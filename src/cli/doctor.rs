//! `dynlint doctor`

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::args::Read;
use super::{Exit, check, config, output};
use crate::lint::{self, SkipReason};
use crate::rules;
use crate::source::normal;

/// Most names that are listed of a kind.
const NAMES: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Files and directories
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    read: Box<Read>,
}

pub(super) fn run(args: &Doctor) -> Exit {
    let mut out = String::new();
    let features: Vec<&str> =
        [("lsp", cfg!(feature = "lsp")), ("probe", cfg!(feature = "probe")), ("cel", cfg!(feature = "cel"))]
            .into_iter()
            .filter_map(|(name, on)| on.then_some(name))
            .collect();
    let features = if features.is_empty() { "none".to_owned() } else { features.join(", ") };
    let _ = writeln!(out, "dynlint       {}", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(out, "features      {features}");
    let _ = writeln!(out, "platform      {} {}", std::env::consts::OS, std::env::consts::ARCH);
    let here = std::env::current_dir().unwrap_or_default();
    let _ = writeln!(out, "directory     {}", here.display());
    let root = here.ancestors().find(|above| above.join(".git").exists());
    let _ =
        writeln!(out, "repository    {}", root.map_or_else(|| "none".to_owned(), |root| root.display().to_string()));
    let options = check::options(&args.read, config::layer(&args.read));
    if let Some(configs) = &options.configs {
        for path in &args.paths {
            match configs.effective(Some(path)) {
                Ok(effective) => {
                    let names: Vec<String> = effective.files.iter().map(|file| file.name()).collect();
                    let names = if names.is_empty() { "none".to_owned() } else { names.join(", extends ") };
                    let _ = writeln!(out, "configuration {names} (for {})", path.display());
                }
                Err(errors) => {
                    output::print(&out);
                    return config::say(&errors);
                }
            }
        }
    }
    let own = rules::all().filter(|rule| !rule.check.is_ours()).count();
    let own = if own == 0 { String::new() } else { format!(", {own} of them of your own") };
    let _ = writeln!(out, "rules         {}{own}", rules::all().count());
    let inputs = match check::inputs(&args.paths, &args.read) {
        Ok(inputs) => inputs,
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    let (files, report) = lint::files(&inputs, &options);
    if !report.config.is_empty() {
        output::print(&out);
        return config::say(&report.config);
    }
    let _ = writeln!(out, "\nwould lint    {}", files.len());
    list(&mut out, &files);
    for kustomization in &report.kustomizations {
        let parts = kustomization.files.iter().filter(|path| **path != normal(&kustomization.path)).count();
        let _ = writeln!(out, "  builds {} from {parts} more files", kustomization.name);
    }
    let mut skipped: BTreeMap<SkipReason, Vec<String>> = BTreeMap::new();
    for file in report.skipped {
        skipped.entry(file.reason).or_default().push(file.path);
    }
    for (reason, names) in &skipped {
        let _ = writeln!(out, "\nwould skip    {} ({})", names.len(), reason.words(names.len()));
        list(&mut out, names);
    }
    if report.summary.unreadable > 0 {
        let _ = writeln!(out, "\ncannot read   {}", report.summary.unreadable);
    }
    for reported in &report.findings {
        let _ = writeln!(out, "  {}", reported.finding.message);
    }
    if !report.undecided.is_empty() {
        let _ = writeln!(out, "\nkustomize cannot be followed everywhere:");
        for open in report.undecided.iter().take(NAMES) {
            let file = report.sources.get(open.span.file);
            let _ = writeln!(out, "  {}:{}: {}", file.name, file.line_column(open.span.start).line, open.reason);
        }
    }
    output::print(&out);
    match (report.summary.unreadable, files.len()) {
        (1.., _) => Exit::Unreadable,
        (_, 0) => Exit::Nothing,
        _ => Exit::Clean,
    }
}

fn list(out: &mut String, names: &[String]) {
    for name in names.iter().take(NAMES) {
        let _ = writeln!(out, "  {name}");
    }
    if names.len() > NAMES {
        let _ = writeln!(out, "  and {} more (`dynlint check --show-files` lists them all)", names.len() - NAMES);
    }
}
