//! The command line as clap sees it.

use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::finding::{Date, Profile, Severity};
use crate::resolve::Version;
use crate::yaml::Values;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// A linter for NVIDIA Dynamo recipe manifests: says which settings will not do what they say.
#[derive(Debug, Parser)]
#[command(name = "dynlint", version, styles = STYLES, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 clean, 1 findings, 2 usage error, 3 nothing to lint, 4 some input unreadable.")]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// When to colour
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
    /// Directory with rules of your own: pages whose condition is a CEL expression; may be given more than once
    #[arg(long = "rules", global = true, value_name = "DIR")]
    pub(super) rules: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Lint manifests
    Check(Check),
    /// Show what each service really gets: environment, argv, role, and who set what
    Resolve(Resolve),
    /// Whether a deployment can be trusted: configuration, capability and transfer, each verified, failed or inconclusive
    Readiness(super::readiness::Readiness),
    /// Record the findings there are, so that only new ones count
    Baseline(super::baseline::BaselineArgs),
    /// What is installed, which configuration is in force, what would be linted and what not
    Doctor(super::doctor::Doctor),
    /// Show, describe or start a configuration
    Config(super::config::Config),
    /// Get a frontend into a router mode
    Router(super::router::Router),
    /// Explain a rule
    Explain(Explain),
    /// List the rules
    Rules(Rules),
    /// Serve an editor: the language server, on standard input and output
    Lsp(Lsp),
    /// Print completions for a shell
    Completions(super::shell::Completions),
    /// Print man pages
    Man(super::shell::Man),
    #[cfg(feature = "probe")]
    Probe(super::probe::Probe),
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files and directories to lint; `-` is standard input
    #[arg(default_value = ".", value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) fixing: super::fixing::Fixing,
    #[command(flatten)]
    pub(super) select: Select,
    #[command(flatten)]
    pub(super) read: Read,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct Select {
    /// Run only these: rule ids, families, globs (`kv-*`), `all`; comma-separated
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub(super) select: Vec<String>,
    /// Do not run these; wins over --select
    #[arg(long, value_delimiter = ',', value_name = "RULES")]
    pub(super) ignore: Vec<String>,
    /// Hide findings less severe than this
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(super) min_severity: Option<Level>,
    /// How much to show [default: default]
    #[arg(long, value_enum, value_name = "PROFILE")]
    pub(super) profile: Option<ProfileName>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(super) struct Read {
    /// Dynamo version to assume where no image tag or `runtimeVersionOverride` gives one
    #[arg(long, value_parser = version, value_name = "VERSION")]
    pub(super) dynamo_version: Option<Version>,
    /// Network between the nodes, where a manifest asks for no device that shows it
    #[arg(long, value_parser = ["infiniband", "roce", "efa"], value_name = "FABRIC")]
    pub(super) fabric: Option<String>,
    #[command(flatten)]
    pub(super) cluster: Cluster,
    /// Configuration to take for every file, in place of the nearest `dynlint.toml` above it
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Take no configuration
    #[arg(long, conflicts_with = "config")]
    pub(super) no_config: bool,
    /// Leave out what the configuration excludes, even when it is named on the command line
    #[arg(long)]
    pub(super) force_exclude: bool,
    /// Fill placeholders of templates (`${NAME}`, `$NAME`, `<NAME>`) from a file of `NAME=value` lines; may be repeated
    #[arg(long, value_parser = env_file, value_name = "FILE")]
    pub(super) env_file: Vec<Values>,
    /// Fill one placeholder; may be repeated, and wins over --env-file
    #[arg(long, value_parser = assignment, value_name = "NAME=VALUE")]
    pub(super) set_env: Vec<(String, String)>,
    /// Name of standard input in reports, and where files beside it are looked for
    #[arg(long, value_name = "PATH")]
    pub(super) stdin_filename: Option<PathBuf>,
    /// Read files that `.gitignore` and the like exclude, and hidden ones
    #[arg(long)]
    pub(super) no_ignore: bool,
    /// Threads; 0 takes as many as there are cores
    #[arg(long, short = 'j', default_value_t = 0, value_name = "N", hide_default_value = true)]
    pub(super) threads: usize,
    /// The day it is, in place of the clock's: for tests of ignores that end
    #[arg(long, value_parser = date, value_name = "DATE", hide = true)]
    pub(super) today: Option<Date>,
}

/// What the manifests cannot tell of the cluster.
#[derive(Clone, Debug, Args)]
pub(super) struct Cluster {
    /// Kubernetes namespace of objects that name none
    #[arg(long, short = 'n', value_name = "NAME")]
    pub(super) namespace: Option<String>,
    /// The operator runs without Grove: deployments, and LeaderWorkerSets for several nodes
    #[arg(long)]
    pub(super) no_grove: bool,
    /// Version of the operator that creates the deployments; one of 1.0 or later when not given
    #[arg(long, value_parser = version, value_name = "VERSION")]
    pub(super) operator_version: Option<Version>,
    /// Discovery backend that the operator is configured with
    #[arg(long, value_parser = ["kubernetes", "etcd"], value_name = "BACKEND")]
    pub(super) discovery_backend: Option<String>,
    /// NATS address that the operator is configured with
    #[arg(long, value_name = "URL")]
    pub(super) nats_server: Option<String>,
    /// etcd address that the operator is configured with
    #[arg(long, value_name = "ENDPOINTS")]
    pub(super) etcd_endpoints: Option<String>,
    /// Model Express address that the operator is configured with
    #[arg(long, value_name = "URL")]
    pub(super) model_express_url: Option<String>,
    /// Prometheus address that the operator is configured with
    #[arg(long, value_name = "URL")]
    pub(super) prometheus_endpoint: Option<String>,
}

impl Read {
    /// What placeholders are filled with.
    pub(super) fn values(&self) -> Values {
        let mut values = Values::default();
        self.env_file.iter().for_each(|file| values.extend(file));
        self.set_env.iter().for_each(|(name, value)| values.set(name.clone(), value.clone()));
        values
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// How to print; may be given several times, each but one with an `-o` behind it [default: full, and github inside
    /// GitHub Actions]
    #[arg(long, short = 'f', value_enum, value_name = "FORMAT")]
    pub(super) format: Vec<Format>,
    /// File for the report of the `-f` before it
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(super) output_file: Vec<PathBuf>,
    /// Count findings by rule instead of showing them
    #[arg(long)]
    pub(super) statistics: bool,
    /// Findings only: no summary, no notes
    #[arg(long, short = 'q', conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say on standard error how long each phase and each rule took
    #[arg(long, short = 'v')]
    pub(super) verbose: bool,
    /// List the files that would be linted, and stop
    #[arg(long)]
    pub(super) show_files: bool,
    /// List what could not be decided, and why
    #[arg(long)]
    pub(super) show_undecided: bool,
    /// Least severity that makes the exit code 1 [default: warning]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(super) fail_on: Option<FailOn>,
    /// Exit with 0 even when there are findings
    #[arg(long)]
    pub(super) exit_zero: bool,
    /// Exit with 0 even when there is nothing to lint
    #[arg(long)]
    pub(super) allow_empty: bool,
    /// Report only what changed since this git revision (or since the branch left it), with the overlays and files that
    /// depend on it
    #[arg(long, value_name = "REV")]
    pub(super) changed_since: Option<String>,
    /// Findings recorded in this baseline do not count
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Write an ignore comment with this reason for every finding, and report what is left
    #[arg(long, value_name = "REASON", conflicts_with_all = ["fix", "fix_only", "diff"])]
    pub(super) add_ignores: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// File or directory; `-` is standard input
    #[arg(value_name = "PATH")]
    pub(super) path: PathBuf,
    /// Compare with another manifest, overlay or base: what PATH has and this has not is `-`, the other way round `+`.
    /// Exit code 0 when nothing differs, 1 otherwise
    #[arg(long, value_name = "OTHER")]
    pub(super) diff: Option<PathBuf>,
    /// Only this service
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,
    /// Only this variable, with everyone who set it
    #[arg(long, value_name = "NAME")]
    pub(super) var: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Full, value_name = "FORMAT")]
    pub(super) format: ListFormat,
    #[command(flatten)]
    pub(super) read: Read,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Rule id
    #[arg(value_name = "RULE")]
    pub(super) rule: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Run the examples in the pages of rules of your own
    Test(RulesTest),
}

#[derive(Debug, Args)]
pub(super) struct RulesTest {
    /// Directories of pages; those of `rules-dirs` in the configuration when none is given
    #[arg(value_name = "DIR")]
    pub(super) directories: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Rules {
    #[command(subcommand)]
    pub(super) command: Option<RulesCommand>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ListFormat::Full, value_name = "FORMAT")]
    pub(super) format: ListFormat,
}

#[derive(Debug, Args)]
pub(super) struct Lsp {
    /// Many clients say so; there is no other way
    #[arg(long, hide = true)]
    pub(super) stdio: bool,
    /// The process of the client
    #[arg(long = "clientProcessId", hide = true, value_name = "PID")]
    pub(super) client_process_id: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal; `NO_COLOR` and `CLICOLOR_FORCE` are honoured
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With the source around each finding, and a summary
    Full,
    /// One line per finding
    Concise,
    /// For machines; its schema is `schemas/check-1.json`
    Json,
    /// The same, one object a line
    Jsonl,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Annotations of GitHub Actions, and the job's summary
    Github,
    /// Code quality report of GitLab
    Gitlab,
    /// `JUnit` XML
    Junit,
    /// Markdown
    Markdown,
    /// One self-contained line per finding, for coding agents
    Agent,
}

impl Format {
    /// As written on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    /// For people
    Full,
    /// For machines
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    Error,
    Warning,
    Advice,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warning => Self::Warning,
            Level::Advice => Self::Advice,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    Error,
    Warning,
    Advice,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProfileName {
    /// What is certain or likely
    Default,
    /// The same, with settings that work by luck raised to warnings
    Strict,
    /// Also what is only possible, and what could not be decided
    Audit,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Default => Self::Default,
            ProfileName::Strict => Self::Strict,
            ProfileName::Audit => Self::Audit,
        }
    }
}

fn date(text: &str) -> Result<Date, String> {
    Date::parse(text).ok_or_else(|| "expected a day such as `2027-01-31`".to_owned())
}

fn env_file(path: &str) -> Result<Values, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read it: {error}"))?;
    let mut values = Values::default();
    values.read(&text).map_err(|(line, message)| format!("line {line}: {message}"))?;
    Ok(values)
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected `NAME=value`".to_owned()),
    }
}

pub(super) fn version(text: &str) -> Result<Version, String> {
    Version::parse(text).ok_or_else(|| "expected a release such as `1.4` or `1.4.2`".to_owned())
}
