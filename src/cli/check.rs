//! `dynlint check`

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Check, Read, Select};
use super::fixing::Next;
use super::outputs::{self, Rendered, Target};
use super::watch::Onlooker;
use super::{Exit, baseline, changed, config, fixing, ignoring, output};
use crate::config::{Layer, Settings};
use crate::finding::{Date, Profile, Selection, Selector};
use crate::fix;
use crate::lint::{self, Input, Report};
use crate::report::{self, wire};
use crate::rules;

/// More fixes than this are a survey, not a repair: each costs a run over its directory to prove, and who lints a whole
/// repository wants the findings now. They are printed as not verified, and proven when they are applied.
const MANY_FIXES: usize = 64;

pub(super) fn run(args: &Check, targets: &[Target]) -> Exit {
    let inputs = match inputs(&args.paths, &args.read) {
        Ok(inputs) => inputs,
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    if let Err(exit) = known(&args.select, &inputs, &args.read) {
        return exit;
    }
    let mut layer = config::layer(&args.read);
    config::select(&mut layer, &args.select, args.output.fail_on);
    let mut options = options(&args.read, layer);
    let first = match first_settings(&args.paths, &options) {
        Ok(settings) => settings,
        Err(errors) => return config::say(&errors),
    };
    options.dependants = true;
    if let Some(revision) = &args.output.changed_since {
        match changed::since(revision) {
            Ok(touched) => options.touched = Some(Arc::new(touched)),
            Err(message) => {
                output::error(&format!("--changed-since: {message}"));
                return Exit::Usage;
            }
        }
    }
    if args.output.show_files {
        return show_files(&inputs, &options, args);
    }
    let show_undecided = args.output.show_undecided || first.selection.profile == Profile::Audit;
    let onlooker = Onlooker::new(args.output.verbose, args.output.quiet);
    let file = args.output.baseline.clone().or_else(|| options.configs.as_deref().and_then(baseline::configured));
    if let Some(file) = file {
        options.baseline = match baseline::load(&file) {
            Ok(baseline) => Some(baseline),
            Err(exit) => return exit,
        };
    }
    if let Some(reason) = &args.output.add_ignores
        && let Err(exit) = ignoring::run(reason, &inputs, &options, args.output.quiet)
    {
        return exit;
    }
    let (inputs, options, at_least) = match args.fixing.run(inputs, options) {
        Next::Report(inputs, options, at_least) => (inputs, *options, at_least),
        Next::Done(exit) => return exit,
    };
    let options = lint::Options { watch: onlooker.watch(), ..options };
    // The process ends with the report: freeing its trees node by node would only take time.
    let mut report = std::mem::ManuallyDrop::new(lint::lint(&inputs, &options));
    let times = onlooker.done();
    if !report.config.is_empty() {
        return config::say(&report.config);
    }
    if !args.output.quiet {
        fixing::say_pending(&report.sources);
    }
    // What is printed is proven, unless there is very much of it; a format that shows no fixes needs no proof.
    let fixes = report.findings.iter().filter(|reported| reported.finding.fix.is_some()).count();
    if outputs::show_fixes(targets) && (fixes <= MANY_FIXES || args.fixing.verify_fixes) {
        fix::certify_all(&mut report, &inputs, &lint::Options { watch: lint::Watch::default(), ..options });
    }
    let mut wire = wire::Check::new(&report, show_undecided);
    if args.output.statistics {
        wire.count_rules();
    }
    let quiet = args.output.quiet;
    let written = outputs::write(targets, &Rendered { check: &wire, sources: &report.sources, quiet });
    if !quiet && outputs::wants_summary(targets) {
        output::note(&report::summary(&wire));
    }
    if let Some(compared) = report.baseline.as_ref().filter(|_| !quiet) {
        output::note(&baseline::counts(compared));
    }
    if let Some(times) = times {
        output::note(&times);
    }
    say_crashes(&report);
    if let Err(message) = written {
        output::error(&message);
        return Exit::Usage;
    }
    match exit(&report, args) {
        Exit::Clean if args.output.exit_zero && at_least == Exit::Findings => Exit::Clean,
        Exit::Clean => at_least,
        exit if at_least == Exit::Unreadable => at_least.max(exit),
        exit => exit,
    }
}

/// One path a line, so that other tools can take them; why the rest is not linted goes to standard error.
fn show_files(inputs: &[Input], options: &lint::Options, args: &Check) -> Exit {
    let (files, report) = lint::files(inputs, options);
    if !report.config.is_empty() {
        return config::say(&report.config);
    }
    output::print(&files.iter().map(|file| format!("{file}\n")).collect::<String>());
    if !args.output.quiet {
        for skipped in &report.skipped {
            output::note(&format!("skipped {}: {}", skipped.path, skipped.reason.words(1)));
        }
        for reported in &report.findings {
            let finding = &reported.finding;
            let place = wire::Place::of(finding.primary.span, &report.sources);
            output::note(&format!("{}:{}:{}: {}", place.path, place.line, place.column, finding.message));
        }
    }
    if report.summary.unreadable > 0 {
        return Exit::Unreadable;
    }
    if files.is_empty() { Exit::Nothing } else { Exit::Clean }
}

fn exit(report: &Report, args: &Check) -> Exit {
    let summary = &report.summary;
    if summary.unreadable > 0 {
        return Exit::Unreadable;
    }
    if report.failing > 0 && !args.output.exit_zero {
        return Exit::Findings;
    }
    if summary.files == 0 && args.output.changed_since.is_some() && !args.output.quiet {
        output::note("nothing to lint has changed");
    } else if summary.files == 0 && !args.output.quiet && !args.output.allow_empty {
        output::note("nothing to lint: no file with a Kubernetes object in it");
    }
    let empty = args.output.allow_empty || args.output.changed_since.is_some();
    if summary.files == 0 && !empty { Exit::Nothing } else { Exit::Clean }
}

/// What the engine is told, from the options that every command which reads manifests has.
pub(super) fn options(read: &Read, layer: Layer) -> lint::Options {
    lint::Options {
        configs: Some(Arc::new(config::configs(read, layer))),
        force_exclude: read.force_exclude,
        values: read.values(),
        no_ignore: read.no_ignore,
        threads: read.threads,
        today: Some(read.today.unwrap_or_else(today)),
        ..lint::Options::default()
    }
}

/// What holds for the first path: what is said about the run as a whole.
fn first_settings(paths: &[PathBuf], options: &lint::Options) -> Result<Arc<Settings>, Arc<Vec<crate::config::Error>>> {
    let path = paths.first().map(PathBuf::as_path).filter(|path| path.as_os_str() != "-");
    options.configs.as_ref().map_or_else(|| Ok(Arc::default()), |configs| configs.settings(path))
}

/// The day it is, UTC: the only look at a clock that the linter takes.
fn today() -> Date {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Date::from_unix_days(now.as_secs() / 86_400)
}

/// The inputs that the arguments name.
pub(super) fn inputs(paths: &[PathBuf], read: &Read) -> Result<Vec<Input>, (Exit, String)> {
    let dashes = paths.iter().filter(|p| p.as_os_str() == "-").count();
    if dashes > 1 {
        return Err((Exit::Usage, "`-` is given more than once".to_owned()));
    }
    if dashes == 0 && read.stdin_filename.is_some() {
        return Err((Exit::Usage, "`--stdin-filename` needs `-` among the paths".to_owned()));
    }
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let limit = lint::Options::default().limits.bytes as u64;
            let mut bytes = Vec::new();
            // One byte more than is allowed shows that there is too much, without reading all of it.
            if let Err(error) = std::io::stdin().lock().take(limit + 1).read_to_end(&mut bytes) {
                return Err((Exit::Unreadable, format!("cannot read standard input: {error}")));
            }
            inputs.push(Input::Bytes { bytes, path: read.stdin_filename.clone() });
        } else {
            inputs.push(Input::Path(path.clone()));
        }
    }
    Ok(inputs)
}

/// Whether the selecting options name rules. Rules of the user's own become known with the configurations that hold for
/// the inputs, so these are read before a name is called unknown.
pub(super) fn known(select: &Select, inputs: &[Input], read: &Read) -> Result<(), Exit> {
    if selection(select).is_ok() {
        return Ok(());
    }
    let (_, report) = lint::files(inputs, &options(read, config::layer(read)));
    if !report.config.is_empty() {
        return Err(config::say(&report.config));
    }
    selection(select).map(drop).map_err(|message| {
        output::error(&message);
        Exit::Usage
    })
}

fn selection(args: &Select) -> Result<Selection, String> {
    let known: Vec<(&str, &str)> = rules::all().map(|rule| (rule.id, rule.family)).collect();
    let parse = |flag: &str, names: &[String]| {
        names
            .iter()
            .map(|name| Selector::parse(name, &known).map_err(|unknown| format!("{flag}: {unknown}")))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Selection {
        own: Vec::new(),
        select: parse("--select", &args.select)?,
        ignore: parse("--ignore", &args.ignore)?,
        min_severity: args.min_severity.map(Into::into),
        profile: args.profile.map(Into::into).unwrap_or_default(),
    })
}

/// A crash is a bug of ours: say so, loudly, without losing the rest of the report.
pub(super) fn say_crashes(report: &Report) {
    for crash in &report.crashes {
        let what = crash.rule.map_or_else(|| "the resolver".to_owned(), |rule| format!("rule `{rule}`"));
        output::error(&format!(
            "internal error in {what} on {}: {}; its findings there are missing. Please report it",
            crash.path, crash.message
        ));
    }
}
