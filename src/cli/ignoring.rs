//! `dynlint check --add-ignores`

use std::collections::BTreeMap;

use super::fixing::Interrupted;
use super::{Exit, config, output};
use crate::finding::ignore::{Wanted, write};
use crate::fix::{self, Changed};
use crate::lint::{self, Input};
use crate::rules;
use crate::source::FileId;
use crate::yaml;

/// Writes an ignore for every finding that can have one; `quiet` leaves out how many.
pub(super) fn run(reason: &str, inputs: &[Input], options: &lint::Options, quiet: bool) -> Result<(), Exit> {
    if reason.contains(['\n', '\r']) || reason.trim().is_empty() {
        output::error("the reason of `--add-ignores` must be one line with words in it");
        return Err(Exit::Usage);
    }
    let mut report = lint::lint(inputs, options);
    if !report.config.is_empty() {
        return Err(config::say(&report.config));
    }
    // A file that is changed now could not be brought to the state that an interrupted fix wants.
    let interrupted = Interrupted::finish(&report.sources);
    if interrupted.written {
        report = lint::lint(inputs, options);
    }
    let mut files: BTreeMap<FileId, Vec<Wanted<'_>>> = BTreeMap::new();
    for reported in &report.findings {
        let finding = &reported.finding;
        if rules::find(finding.rule).is_some_and(|rule| rule.ignorable) {
            let wanted = Wanted { rule: finding.rule, span: finding.primary.span };
            files.entry(finding.primary.span.file).or_default().push(wanted);
        }
    }
    let mut changed = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (id, wanted) in files {
        let file = report.sources.get(id);
        if file.path.is_none() {
            continue;
        }
        let stream = yaml::parse(&file, &options.limits);
        let after = write(&file, &stream, &wanted, reason.trim(), &options.limits);
        counts.insert(file.name.clone(), wanted.len());
        changed.push(Changed { file, after });
    }
    let failed = fix::write(&changed, &[]);
    for unwritten in &failed {
        output::error(&unwritten.to_string());
        counts.remove(&unwritten.name);
    }
    let (count, files) = (counts.values().sum::<usize>(), counts.len());
    if !quiet {
        output::note(&match (count, files) {
            (0, _) => "wrote no ignores".to_owned(),
            (1, _) => "wrote an ignore for 1 finding".to_owned(),
            (_, 1) => format!("wrote ignores for {count} findings in 1 file"),
            _ => format!("wrote ignores for {count} findings in {files} files"),
        });
    }
    if failed.is_empty() && interrupted.exit == Exit::Clean { Ok(()) } else { Err(Exit::Unreadable) }
}
