//! Configurations on the command line: options that become a layer of settings, and `dynlint config`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum as _};
use miette::{GraphicalReportHandler, GraphicalTheme};

use super::args::{FailOn, Read, Select};
use super::{Exit, output};
use crate::config::{Configs, Error, FILE_NAME, Layer, Mode, Value, schema, show, template};

#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what holds for a path, each value with who says it
    Show {
        /// File or directory
        #[arg(default_value = ".", value_name = "PATH")]
        path: PathBuf,
        #[command(flatten)]
        read: Box<Read>,
    },
    /// Print the JSON Schema of `dynlint.toml`
    Schema,
    /// Write a `dynlint.toml` to start from: every key, commented out
    Init {
        /// Replace one that is there
        #[arg(long)]
        force: bool,
    },
}

pub(super) fn run(args: &Config) -> Exit {
    match &args.command {
        Command::Show { path, read } => {
            if !path.exists() {
                output::error(&format!("no such file or directory: `{}`", path.display()));
                return Exit::Usage;
            }
            match configs(read, layer(read)).effective(Some(path)) {
                Ok(effective) => output::print(&show(&effective)),
                Err(errors) => return say(&errors),
            }
        }
        Command::Schema => match serde_json::to_string_pretty(&schema()) {
            Ok(text) => output::print(&format!("{text}\n")),
            Err(error) => output::error(&error.to_string()),
        },
        Command::Init { force } => {
            let path = std::path::Path::new(FILE_NAME);
            let open = if *force { std::fs::File::create(path) } else { std::fs::File::create_new(path) };
            match open.and_then(|mut file| std::io::Write::write_all(&mut file, template().as_bytes())) {
                Ok(()) => output::note(&format!("wrote `{FILE_NAME}`; `dynlint config show` says what is in force")),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    output::error(&format!("there is a `{FILE_NAME}`; `--force` replaces it"));
                    return Exit::Usage;
                }
                Err(error) => {
                    output::error(&format!("cannot write `{FILE_NAME}`: {error}"));
                    return Exit::Usage;
                }
            }
        }
    }
    Exit::Clean
}

/// Configurations as the options want them, with a layer of the command line above.
pub(super) fn configs(read: &Read, layer: Layer) -> Configs {
    let mode = match &read.config {
        _ if read.no_config => Mode::Off,
        Some(path) => Mode::File(path.clone()),
        None => Mode::Discover,
    };
    Configs::new(mode, layer)
}

/// Makes the rules known that the configuration of the working directory brings. What is wrong with it is said and no
/// more: whoever asks for the list of rules may be mending just that.
pub(super) fn bring() {
    if let Err(errors) = Configs::new(Mode::Discover, Layer::default()).effective(None) {
        say(&errors);
    }
}

/// What the reading options say.
pub(super) fn layer(read: &Read) -> Layer {
    let mut layer = Layer::default();
    let cluster = &read.cluster;
    let texts = [
        ("dynamo-version", read.dynamo_version.map(|version| version.to_string())),
        ("fabric", read.fabric.clone()),
        ("namespace", cluster.namespace.clone()),
        ("operator-version", cluster.operator_version.map(|version| version.to_string())),
        ("discovery-backend", cluster.discovery_backend.clone()),
        ("nats-server", cluster.nats_server.clone()),
        ("etcd-endpoints", cluster.etcd_endpoints.clone()),
        ("model-express-url", cluster.model_express_url.clone()),
        ("prometheus-endpoint", cluster.prometheus_endpoint.clone()),
    ];
    for (key, text) in texts.into_iter().filter_map(|(key, text)| Some((key, text?))) {
        layer.set(key, Value::Text(text));
    }
    if cluster.no_grove {
        layer.set("grove", Value::Flag(false));
    }
    layer
}

/// Adds what the selecting options say; their names have been checked.
pub(super) fn select(layer: &mut Layer, select: &Select, fail_on: Option<FailOn>) {
    let name = |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
    let texts = [
        ("profile", name(select.profile.and_then(|profile| profile.to_possible_value()))),
        ("min-severity", name(select.min_severity.and_then(|severity| severity.to_possible_value()))),
        ("fail-on", name(fail_on.and_then(|fail_on| fail_on.to_possible_value()))),
    ];
    for (key, text) in texts.into_iter().filter_map(|(key, text)| Some((key, text?))) {
        layer.set(key, Value::Text(text));
    }
    for (key, list) in [("select", &select.select), ("ignore", &select.ignore)] {
        if !list.is_empty() {
            layer.set(key, Value::List(list.clone()));
        }
    }
}

/// Says what is wrong with configurations, on the characters that are wrong.
pub(super) fn say(errors: &[Error]) -> Exit {
    let style = output::style_of_stderr();
    let theme = match (style.color, style.unicode) {
        (true, true) => GraphicalTheme::unicode(),
        (false, true) => GraphicalTheme::unicode_nocolor(),
        (true, false) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(style.width).with_links(false);
    for error in errors {
        let mut text = String::new();
        match handler.render_report(&mut text, &error.drawn()) {
            Ok(()) => output::note(text.trim_end()),
            Err(_) => output::error(&error.to_string()),
        }
    }
    Exit::Usage
}
