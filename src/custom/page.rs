//! Reads the pages of a directory.

use std::fmt;
use std::path::{Path, PathBuf};

use cel::{Context, Program, Value};
use serde::Deserialize;

use super::check::{Kind, check};
use super::place::At;
use super::{Custom, Scope};
use crate::finding::{Confidence, Severity};
use crate::rules::page::Page;
use crate::rules::{self, Check, Rule, SaidBy};

/// What stands between the `---` lines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FrontMatter {
    summary: String,
    severity: Severity,
    #[serde(default = "likely")]
    confidence: Confidence,
    strict: Option<Severity>,
    #[serde(default)]
    since: String,
    #[serde(default = "all")]
    applies_to: String,
    #[serde(default = "yes")]
    ignorable: bool,
    #[serde(default = "first")]
    revision: u32,
    #[serde(default)]
    scope: Scope,
    condition: String,
    message: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    help: String,
    subject: Option<String>,
    #[serde(default)]
    at: OneOrMore,
    #[serde(default)]
    labels: Vec<Label>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    at: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl Default for OneOrMore {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

const fn likely() -> Confidence {
    Confidence::Likely
}

fn all() -> String {
    "all".to_owned()
}

const fn yes() -> bool {
    true
}

const fn first() -> u32 {
    1
}

/// A page that is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageError {
    /// The page, or the directory that cannot be read.
    pub path: PathBuf,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for PageError {}

/// A message with CEL expressions in braces: `{service.name} has {service.replicas} replicas`. `{{` is a brace.
#[derive(Debug, Default)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Expression(Program),
}

impl Template {
    fn parse(text: &str, scope: Scope) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let tail = &rest[at + 1..];
            if let Some(tail) = tail.strip_prefix(brace) {
                plain.push_str(brace);
                rest = tail;
                continue;
            }
            let (expression, tail) = (brace == "{")
                .then(|| tail.split_once('}'))
                .flatten()
                .ok_or_else(|| format!("a lone `{brace}` in `{text}`; write it twice to mean itself"))?;
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Expression(compile(expression, scope)?.0));
            rest = tail;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self(parts))
    }

    /// The text with the values in it; `?` where one cannot be had.
    pub(super) fn render(&self, context: &Context<'_, '_>) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Expression(program) => match program.execute(context) {
                Ok(Value::String(text)) => text.to_string(),
                Ok(Value::Int(n)) => n.to_string(),
                Ok(Value::UInt(n)) => n.to_string(),
                Ok(Value::Float(n)) => n.to_string(),
                Ok(Value::Bool(b)) => b.to_string(),
                _ => "?".to_owned(),
            },
        };
        self.0.iter().map(part).collect()
    }
}

/// Compiles an expression and checks the names in it; what it comes to, too.
fn compile(source: &str, scope: Scope) -> Result<(Program, Kind), String> {
    let source = source.trim();
    let wrong = |what: String| format!("`{source}`: {what}");
    let program = super::values::environment().compile(source).map_err(|errors| wrong(errors.to_string()))?;
    let kind = check(&program, scope, &super::values::bare()).map_err(wrong)?;
    Ok((program, kind))
}

/// Every rule in the pages `*.md` below a directory. A directory in it is a family; a page beside none is of the family
/// `custom`.
///
/// # Errors
/// All that is wrong with the pages: unreadable, no or bad front matter, an expression that does not compile, an id that
/// is taken.
pub fn load(directory: &Path) -> Result<Vec<Rule>, Vec<PageError>> {
    rules_of(directory, pages(directory)?)
}

/// A page with its text.
pub(super) type Text = (PathBuf, String);

/// The pages below a directory, sorted by name.
pub(super) fn pages(directory: &Path) -> Result<Vec<Text>, Vec<PageError>> {
    let (mut pages, mut errors) = (Vec::new(), Vec::new());
    if !directory.is_dir() {
        return Err(vec![PageError { path: directory.to_owned(), message: "no such directory".to_owned() }]);
    }
    for entry in walkdir::WalkDir::new(directory).sort_by_file_name() {
        let path = match entry {
            Ok(entry) => entry.into_path(),
            Err(error) => {
                let path = error.path().unwrap_or(directory).to_owned();
                errors.push(PageError { path, message: error.to_string() });
                continue;
            }
        };
        let readme = path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
        if readme || path.extension().is_none_or(|e| e != "md") {
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => pages.push((path, text.replace("\r\n", "\n"))),
            Err(error) => errors.push(PageError { path, message: error.to_string() }),
        }
    }
    if errors.is_empty() { Ok(pages) } else { Err(errors) }
}

/// The rules of these pages.
pub(super) fn rules_of(directory: &Path, pages: Vec<Text>) -> Result<Vec<Rule>, Vec<PageError>> {
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    for (path, text) in pages {
        match rule(&path, directory, &text) {
            Ok(rule) => {
                if let Some(twin) = rules.iter().find(|r: &&Rule| r.id == rule.id) {
                    let message = format!("there are two pages called `{}`", twin.id);
                    errors.push(PageError { path, message });
                } else {
                    rules.push(rule);
                }
            }
            Err(message) => errors.push(PageError { path, message }),
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
}

fn rule(path: &Path, root: &Path, text: &str) -> Result<Rule, String> {
    let id = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let kebab = |name: &str| {
        name.split('-').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
    };
    if !kebab(&id) {
        return Err(format!("`{id}` is not kebab case"));
    }
    if rules::RULES.iter().any(|rule| rule.id == id) {
        return Err(format!("`{id}` is the name of a rule of dynlint itself"));
    }
    let parent = path.parent().filter(|parent| *parent != root).and_then(Path::file_name);
    let family = parent.map_or_else(|| "custom".to_owned(), |name| name.to_string_lossy().into_owned());
    if !kebab(&family) {
        return Err(format!("`{family}` is not kebab case"));
    }
    let rest = text.strip_prefix("---\n").ok_or("no front matter: the first line must be `---`")?;
    let (front, body) = rest.split_once("\n---\n").ok_or("the front matter has no closing `---` line")?;
    let front: FrontMatter = serde_yaml::from_str(front).map_err(|e| format!("front matter: {e}"))?;
    if let Some(error) = Page::parse(text).errors.into_iter().next() {
        return Err(error);
    }
    let list = match front.at {
        OneOrMore::One(at) => vec![at],
        OneOrMore::More(list) => list,
    };
    let template = |name: &str, text: &str| Template::parse(text, front.scope).map_err(|e| format!("{name}: {e}"));
    let mut labels = Vec::new();
    for label in &front.labels {
        labels.push((At::parse(&label.at)?, template("labels", &label.message)?));
    }
    let label = if front.label.is_empty() { &front.summary } else { &front.label };
    let (condition, kind) = compile(&front.condition, front.scope).map_err(|e| format!("condition: {e}"))?;
    if kind != Kind::Bool && kind != Kind::Open {
        let what = kind.scalar().unwrap_or("a value of many parts");
        return Err(format!("condition: `{}` is {what}, not true or false", front.condition.trim()));
    }
    let custom = Custom {
        scope: front.scope,
        condition,
        source: front.condition.clone(),
        message: template("message", &front.message)?,
        label: template("label", label)?,
        help: template("help", &front.help)?,
        subject: front.subject,
        at: list.iter().map(|at| At::parse(at)).collect::<Result<_, _>>()?,
        labels,
    };
    // Rules live as long as the process: those of dynlint are statics, and a directory is read once.
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    Ok(Rule {
        id: leak(id),
        family: leak(family),
        summary: leak(front.summary),
        severity: front.severity,
        confidence: front.confidence,
        strict: front.strict,
        since: leak(front.since),
        applies_to: leak(front.applies_to),
        ignorable: front.ignorable,
        said_by: SaidBy::Nobody,
        scoped: false,
        once: false,
        security_severity: None,
        measured: rules::Measured::default(),
        revision: front.revision,
        page: rules::PageText::Read(leak(body.trim_start_matches('\n').to_owned())),
        check: Check::Custom(Box::leak(Box::new(custom))),
    })
}
