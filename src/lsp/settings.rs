//! What the client sets: `initializationOptions`, later `workspace/didChangeConfiguration` under `dynlint`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::{Configs, FILE_NAME, Layer, Mode, Value};
use crate::finding::{Profile, Selection, Selector, Severity};
use crate::resolve::Version;
use crate::rules::{self, Rule, SaidBy};

/// What is left to yaml-language-server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Left {
    /// Nothing: it is not there.
    #[default]
    Nothing,
    /// Syntax and duplicate keys: it has no schema of Dynamo's kinds.
    Syntax,
    /// What their schemas say as well.
    Schemas,
}

impl<'de> Deserialize<'de> for Left {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Bool(false) | serde_json::Value::Null => Ok(Self::Nothing),
            serde_json::Value::Bool(true) => Ok(Self::Schemas),
            serde_json::Value::String(word) if word == "syntax" => Ok(Self::Syntax),
            other => Err(serde::de::Error::custom(format!(
                "`yamlLanguageServer`: `{other}` is none of `true`, `false`, `syntax`"
            ))),
        }
    }
}

impl Left {
    /// Rules that are off.
    fn rules(self) -> Vec<String> {
        let off = |rule: &&Rule| match rule.said_by {
            SaidBy::Yaml => self != Self::Nothing,
            SaidBy::Schemas => self == Self::Schemas,
            SaidBy::Nobody | SaidBy::SchemasOfV1beta1 => false,
        };
        rules::all().filter(off).map(|rule| rule.id.to_owned()).collect()
    }
}

/// How diagnostics reach the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Delivery {
    /// Pulled by clients that can pull, else pushed.
    #[default]
    Auto,
    /// Pushed, whatever the client can do.
    Push,
    /// Pulled only.
    Pull,
}

/// The settings as written. Unknown keys are left alone: clients send what other servers read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Written {
    select: Vec<String>,
    ignore: Vec<String>,
    rules: Vec<PathBuf>,
    min_severity: Option<Severity>,
    profile: Option<String>,
    dynamo_version: Option<String>,
    diagnostics: Delivery,
    yaml_language_server: Left,
    inlay_hints: Option<bool>,
    code_lens: Option<bool>,
    debounce: Option<u64>,
}

/// Makes the rules of directories known, as they are now; gives back what is wrong with their pages.
#[cfg(feature = "cel")]
pub(super) fn bring(directories: &[PathBuf]) -> Vec<String> {
    let errors = directories.iter().filter_map(|directory| crate::custom::bring(directory, false).err()).flatten();
    errors.map(|error| error.to_string()).collect()
}

/// A build without CEL cannot run them, and must not look as if it had.
#[cfg(not(feature = "cel"))]
pub(super) fn bring(directories: &[PathBuf]) -> Vec<String> {
    let none = "`rules`: this build has no rules of your own: it needs the feature `cel`";
    directories.first().map(|_| none.to_owned()).into_iter().collect()
}

/// Forgets the rules of directories that the client no longer names.
#[cfg(feature = "cel")]
pub(super) fn leave(directories: &[PathBuf], stay: &[PathBuf]) {
    directories
        .iter()
        .filter(|directory| !stay.contains(directory))
        .for_each(|directory| crate::custom::leave(directory));
}

/// There are none to forget.
#[cfg(not(feature = "cel"))]
pub(super) fn leave(_: &[PathBuf], _: &[PathBuf]) {}

/// The settings.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) selection: Selection,
    pub(super) dynamo_version: Option<Version>,
    pub(super) diagnostics: Delivery,
    pub(super) inlay_hints: bool,
    pub(super) code_lens: bool,
    /// Whether yaml-language-server says what a schema says.
    pub(super) leaves_schemas: bool,
    /// Directories with rules of the user's own.
    pub(super) rules: Vec<PathBuf>,
    /// What lies above every configuration file, as the command line would.
    pub(super) layer: Layer,
    /// Least time between two runs of one unit.
    pub(super) debounce: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(Written::default()).0
    }
}

impl Settings {
    /// Reads settings, and says what in them cannot be used. What is wrong counts as unset. Directories of rules are
    /// relative to the first of `roots`; their rules, and those that configurations bring there, are known from here on.
    pub(super) fn read(value: &serde_json::Value, roots: &[PathBuf]) -> (Self, Vec<String>) {
        // Some clients wrap them in a section, some do not.
        let value = value.get("dynlint").unwrap_or(value);
        if value.is_null() {
            return (Self::default(), Vec::new());
        }
        match Written::deserialize(value) {
            Ok(mut written) => {
                for directory in &mut written.rules {
                    *directory = roots.first().map_or_else(|| directory.clone(), |root| root.join(&*directory));
                }
                let mut problems = bring(&written.rules);
                for root in roots {
                    // What is wrong with them is said where they lie.
                    let _ = Configs::new(Mode::Discover, Layer::default()).effective(Some(&root.join(FILE_NAME)));
                }
                let (settings, more) = Self::of(written);
                problems.extend(more);
                (settings, problems)
            }
            Err(error) => (Self::default(), vec![format!("settings: {error}")]),
        }
    }

    fn of(written: Written) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let known: Vec<(&str, &str)> = rules::all().map(|rule| (rule.id, rule.family)).collect();
        let mut parse = |key: &str, names: &[String]| -> Vec<Selector> {
            let parsed = names.iter().map(|name| Selector::parse(name, &known));
            let keep = |result: Result<Selector, crate::finding::UnknownRule>| {
                result.map_err(|unknown| problems.push(format!("`{key}`: {unknown}"))).ok()
            };
            parsed.filter_map(keep).collect()
        };
        let select = parse("select", &written.select);
        let mut ignore = parse("ignore", &written.ignore);
        let left = written.yaml_language_server.rules();
        ignore.extend(parse("yamlLanguageServer", &left));
        let profile = match written.profile.as_deref() {
            None | Some("default") => Profile::Default,
            Some("strict") => Profile::Strict,
            Some("audit") => Profile::Audit,
            Some(other) => {
                problems.push(format!("`profile`: `{other}` is none of `default`, `strict`, `audit`"));
                Profile::Default
            }
        };
        let dynamo_version = written.dynamo_version.as_deref().and_then(|text| {
            let version = Version::parse(text);
            if version.is_none() {
                problems.push(format!("`dynamoVersion`: `{text}` is no release such as `1.4` or `1.4.2`"));
            }
            version
        });
        let mut layer = Layer::default();
        let kept = |names: &[String]| names.iter().filter(|n| Selector::parse(n, &known).is_ok()).cloned().collect();
        let ignored = [&written.ignore[..], &left].concat();
        for (key, names) in [("select", kept(&written.select)), ("ignore", kept(&ignored))] {
            let names: Vec<String> = names;
            if !names.is_empty() {
                layer.set(key, Value::List(names));
            }
        }
        if let Some(severity) = written.min_severity {
            layer.set("min-severity", Value::Text(severity.as_str().to_owned()));
        }
        if let Some(name @ ("default" | "strict" | "audit")) = written.profile.as_deref() {
            layer.set("profile", Value::Text(name.to_owned()));
        }
        if let Some(version) = dynamo_version {
            layer.set("dynamo-version", Value::Text(version.to_string()));
        }
        let settings = Self {
            selection: Selection { select, ignore, min_severity: written.min_severity, profile, own: Vec::new() },
            dynamo_version,
            diagnostics: written.diagnostics,
            inlay_hints: written.inlay_hints.unwrap_or(true),
            code_lens: written.code_lens.unwrap_or(true),
            leaves_schemas: written.yaml_language_server == Left::Schemas,
            debounce: Duration::from_millis(written.debounce.unwrap_or(50)),
            layer,
            rules: written.rules,
        };
        (settings, problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_read_with_or_without_their_section() {
        let (plain, problems) = Settings::read(&json!({"ignore": ["router"], "profile": "strict", "other": 1}), &[]);
        assert!(problems.is_empty());
        assert_eq!(plain.selection.profile, Profile::Strict);
        assert!(!plain.selection.runs("kv-router-no-events", "router"));
        let (nested, _) =
            Settings::read(&json!({"dynlint": {"yamlLanguageServer": true, "dynamoVersion": "1.4"}}), &[]);
        assert_eq!(nested.dynamo_version, Some(Version::new(1, 4)));
        assert!(!nested.selection.runs("duplicate-key", "reader"));
        assert!(!nested.selection.runs("unknown-field", "manifest"));
        let (syntax, _) = Settings::read(&json!({"yamlLanguageServer": "syntax"}), &[]);
        assert!(!syntax.selection.runs("duplicate-key", "reader") && !syntax.leaves_schemas);
        assert!(syntax.selection.runs("unknown-field", "manifest"));
        assert_eq!(Settings::read(&json!({"yamlLanguageServer": "on"}), &[]).1.len(), 1);
        assert!(nested.selection.runs("unknown-router-mode", "router"));
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_holds() {
        let (settings, problems) = Settings::read(&json!({"select": ["routr"], "profile": "x", "debounce": 7}), &[]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(settings.selection.select.is_empty());
        assert_eq!(settings.debounce, Duration::from_millis(7));
        assert_eq!(Settings::read(&json!({"select": 3}), &[]).1.len(), 1);
        assert!(Settings::read(&json!(null), &[]).1.is_empty());
    }

    #[test]
    fn a_page_says_to_whom_its_rule_is_left() {
        assert_eq!(Left::Syntax.rules(), ["duplicate-key", "yaml-syntax"]);
        let schemas = Left::Schemas.rules();
        assert_eq!(schemas.len(), 7, "{schemas:?}");
        assert!(schemas.iter().any(|id| id == "wrong-type") && Left::Nothing.rules().is_empty());
    }
}
