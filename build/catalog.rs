//! Data files (`rules/catalog/*.tsv`) to sorted statics, so that a lookup at run time is a binary search and nothing is
//! parsed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::pool::{Distinct, Pool};

/// Writes `catalog_*.rs` below `out`.
///
/// # Errors
///
/// Says which file cannot be read or which row does not have its columns.
pub fn generate(catalog: &Path, out: &Path) -> Result<(), String> {
    println!("cargo::rerun-if-changed={}", catalog.display());
    let mut pool = Pool::default();
    write(out, "catalog_vars.rs", &variables(&catalog.join("variables"), &mut pool)?)?;
    write(out, "catalog_flags.rs", &components(&catalog.join("flags"), &mut pool)?)?;
    write(out, "catalog_tables.rs", &tables(catalog, &mut pool)?)?;
    write(out, "catalog_schemas.rs", &schemas(&catalog.join("schemas.jsonl"), &mut pool)?)?;
    write(out, "catalog_text.rs", &pool.source())
}

fn write(out: &Path, name: &str, text: &str) -> Result<(), String> {
    fs::write(out.join(name), text).map_err(|e| format!("{name}: {e}"))
}

/// A data file: what its comment lines say (`key: value`), and its rows.
struct Table {
    notes: BTreeMap<String, String>,
    rows: Vec<Vec<String>>,
}

fn read(path: &Path, columns: usize) -> Result<Table, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut table = Table { notes: BTreeMap::new(), rows: Vec::new() };
    let mut head = true;
    for (index, line) in text.lines().enumerate() {
        if let Some(note) = line.strip_prefix("# ") {
            if let Some((key, value)) = note.split_once(": ") {
                table.notes.insert(key.to_owned(), value.to_owned());
            }
            continue;
        }
        if line.is_empty() || line.starts_with('#') || std::mem::take(&mut head) {
            continue;
        }
        let row: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if row.len() != columns {
            return Err(format!("{}:{}: {} columns, expected {columns}", path.display(), index + 1, row.len()));
        }
        table.rows.push(row);
    }
    Ok(table)
}

fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = fs::read_dir(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    paths.retain(|p| p.extension().is_some_and(|e| e == "tsv"));
    paths.sort();
    Ok(paths)
}

/// `&["a", "b"]` of the parts of a cell.
fn list(cell: &str, separator: char) -> String {
    let parts: Vec<&str> = cell.split(separator).filter(|p| !p.is_empty()).collect();
    format!("&{parts:?}")
}

fn grammar(kind: &str) -> Result<String, String> {
    let (name, detail) = kind.split_once(':').unwrap_or((kind, ""));
    Ok(match name {
        "ucx" => format!("Grammar::Ucx({detail:?})"),
        "nccl-int" => "Grammar::NcclInt".into(),
        "nccl-level" => "Grammar::NcclLevel".into(),
        "nccl-filter" => "Grammar::NcclFilter".into(),
        "nixl-bool" => "Grammar::NixlBool".into(),
        "fi-bool" => "Grammar::FiBool".into(),
        "fi-int" => "Grammar::FiInt".into(),
        "one-of" => format!("Grammar::OneOf({})", list(detail, '|')),
        "one-of-exact" => format!("Grammar::OneOfExact({})", list(detail, '|')),
        "exactly-1" => "Grammar::ExactlyOne".into(),
        "size-unit" => "Grammar::SizeWithUnit".into(),
        "presence" => "Grammar::Presence".into(),
        "uint" => format!("Grammar::UInt({})", if detail.is_empty() { "u64::MAX" } else { detail }),
        "python-bool" => "Grammar::PythonBool".into(),
        "rust-bool" => "Grammar::RustBool".into(),
        "sglang-bool" => "Grammar::SglangBool".into(),
        "kvbm-bool" => "Grammar::KvbmBool".into(),
        "python-int" => "Grammar::PythonInt".into(),
        "python-float" => "Grammar::PythonFloat".into(),
        "sglang-int" => "Grammar::SglangInt".into(),
        "sglang-float" => "Grammar::SglangFloat".into(),
        "on" => format!("Grammar::On({})", list(detail, '|')),
        "on-exact" => format!("Grammar::OnExact({})", list(detail, '|')),
        "json-string-map" => "Grammar::JsonStringMap".into(),
        "any" => "Grammar::Any".into(),
        _ => return Err(format!("unknown type `{kind}`")),
    })
}

fn variables(directory: &Path, pool: &mut Pool) -> Result<String, String> {
    let mut merged: BTreeMap<String, String> = BTreeMap::new();
    let (mut grammars, mut defaults, mut facts) = (Distinct::default(), Distinct::default(), Distinct::default());
    for path in files(directory)? {
        for row in read(&path, 6)?.rows {
            let [name, kind, default, owner, flags, source] = &row[..] else { unreachable!("read() counted") };
            let grammar = grammar(kind).map_err(|e| format!("{}: {name}: {e}", path.display()))?;
            let grammar = grammars.place(&grammar);
            // Where each fact comes from stands in the data file; the program asks for the part of the library only.
            let source = match owner.as_str() {
                "ucx" => source.rsplit_once('/').map_or("", |(directory, _)| directory),
                _ if source.contains(" --") => " --",
                _ => "",
            };
            // Most of a row is what many others have: a row is its name and places in lists.
            let label = pool.text(name);
            let default = defaults.place(&pool.text(default));
            let facts = facts.place(&[owner, flags, source].map(|t| pool.text(t)).join(", "));
            let text =
                format!("    Row {{ name: {label}, grammar: {grammar}, default: {default}, facts: {facts} }},\n");
            if merged.insert(name.clone(), text).is_some() {
                return Err(format!("{}: `{name}` is in two files", path.display()));
            }
        }
    }
    Ok(format!(
        "static GRAMMARS: &[Grammar] = &[{}];\n\nstatic DEFAULTS: &[Text] = &[{}];\n\nstatic FACTS: &[(Text, Text, Text)] = &[({})];\n\nstatic VARIABLES: &[Row] = &[\n{}];\n",
        grammars.values().join(", "),
        defaults.values().join(", "),
        facts.values().join("), ("),
        merged.into_values().collect::<String>(),
    ))
}

/// `yh.` as a bit a release; `h` is accepted as well, only not shown.
fn mask(marks: &str) -> u16 {
    marks.chars().enumerate().filter(|(_, c)| matches!(c, 'y' | 'h')).fold(0, |m, (i, _)| m | 1_u16 << i)
}

/// All spellings of a row.
fn spelled(row: &[String]) -> Vec<&str> {
    let aliases = row[1].split_whitespace().map(|a| a.split('=').next().unwrap_or(a));
    aliases.chain([row[0].as_str()]).collect()
}

/// The other spelling of a row that a `--no-` form of it negates.
fn negated(row: &[String], spelling: &str) -> Option<String> {
    let positive = format!("--{}", spelling.strip_prefix("--no-")?);
    spelled(row).contains(&&*positive).then_some(positive)
}

/// `value:int!`: what an option takes, what that must be, and whether the name has to be written in full.
fn shape(text: &str) -> Result<String, String> {
    let (kind, value) = text.trim_end_matches('!').split_once(':').unwrap_or((text.trim_end_matches('!'), ""));
    let value = match value {
        "" => "Text",
        "int" => "Int",
        "human-int" => "HumanInt",
        "float" => "Float",
        "json" => "Json",
        "any" => "Any",
        _ => return Err(format!("value `{value}`")),
    };
    let kind = match kind {
        "switch" => "Switch",
        "bool" => "Bool",
        "value" => "Value",
        "optional" => "OptionalValue",
        "values0" => "ZeroOrMore",
        "values1" => "OneOrMore",
        _ => return Err(format!("kind `{kind}`")),
    };
    Ok(format!("Shape {{ kind: Kind::{kind}, value: Value::{value}, exact: {} }}", text.ends_with('!')))
}

fn components(directory: &Path, pool: &mut Pool) -> Result<String, String> {
    let mut out = String::from("static COMPONENTS: &[Component] = &[\n");
    let (mut all_aliases, mut all_choices, mut all_shapes) =
        (Distinct::default(), Distinct::default(), Distinct::default());
    for path in files(directory)? {
        let table = read(&path, 7)?;
        let name = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let note = |key: &str| table.notes.get(key).map_or("", String::as_str);
        let yes = |key: &str| note(key) == "yes";
        let releases: Vec<(u16, u16)> = note("releases")
            .split_whitespace()
            .map(|r| {
                let mut parts = r.split('.').map(str::parse);
                match (parts.next(), parts.next()) {
                    (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
                    _ => Err(format!("{}: release `{r}`", path.display())),
                }
            })
            .collect::<Result<_, _>>()?;
        if releases.is_empty() || releases.len() > 16 {
            return Err(format!("{}: {} releases, and a mark is one of 16 bits", path.display(), releases.len()));
        }
        let _ = writeln!(
            out,
            "  Component {{ name: {name:?}, releases: &{releases:?}, abbreviations: {}, complete: {}, style: Style::{}, flags: &[",
            yes("abbreviations"),
            yes("complete"),
            if note("style") == "vllm" { "Vllm" } else { "Plain" },
        );
        let mut rows = table.rows;
        rows.sort();
        let mut index = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            for spelling in spelled(row).into_iter().filter(|s| negated(row, s).is_none()) {
                if index.insert(spelling.to_owned(), number).is_some() {
                    return Err(format!("{}: `{spelling}` is in two rows", path.display()));
                }
            }
        }
        let index: String = index.iter().map(|(name, number)| format!("({}, {number}), ", pool.text(name))).collect();
        for row in rows {
            let [flag, aliases, env, kind, choices, default, present] = &row[..] else {
                unreachable!("read() counted")
            };
            let (whole, own) = present.split_once('/').unwrap_or((present, present));
            let (mut spellings, mut negations) = (String::new(), String::new());
            for alias in aliases.split_whitespace() {
                let (alias, marks) = alias.split_once('=').unwrap_or((alias, whole));
                let list = if negated(&row, alias).is_some() { &mut negations } else { &mut spellings };
                let positive = negated(&row, alias).unwrap_or_else(|| alias.to_owned());
                let _ = write!(list, "({}, {}), ", pool.text(&positive), mask(marks));
            }
            let mut lists = String::new();
            for entry in choices.split_whitespace() {
                let (marks, values) = entry.split_once('=').unwrap_or((whole, entry));
                let _ = write!(lists, "({}, {}), ", mask(marks), pool.text(values));
            }
            // What holds for single releases comes first, what holds elsewhere last.
            let (usual, others) = kind.split_once(' ').unwrap_or((kind, ""));
            let mut shapes = String::new();
            for entry in others.split_whitespace() {
                let (marks, kind) =
                    entry.split_once('=').ok_or(format!("{}: {flag}: kind `{entry}`", path.display()))?;
                let kind = shape(kind).map_err(|e| format!("{}: {flag}: {e}", path.display()))?;
                let _ = write!(shapes, "({}, {kind}), ", mask(marks));
            }
            let _ = write!(
                shapes,
                "({}, {})",
                u16::MAX,
                shape(usual).map_err(|e| format!("{}: {flag}: {e}", path.display()))?
            );
            // The present variable comes first.
            let env = env.split([' ', '=']).next().unwrap_or_default();
            let [name, env, default] = [flag.as_str(), env, default].map(|t| pool.text(t));
            let _ = writeln!(
                out,
                "    Row {{ name: {name}, aliases: {}, negations: {}, env: {env}, shapes: {}, choices: {}, default: {default}, present: {}, own: {} }},",
                all_aliases.place(&spellings),
                all_aliases.place(&negations),
                all_shapes.place(&shapes),
                all_choices.place(&lists),
                mask(whole),
                mask(own),
            );
        }
        let _ = writeln!(out, "  ], index: &[{index}] }},");
    }
    out.push_str("];\n\n");
    let lists = |values: &[String]| values.iter().map(|v| format!("&[{v}], ")).collect::<String>();
    let _ = writeln!(out, "static ALIASES: &[&[(Text, u16)]] = &[{}];\n", lists(all_aliases.values()));
    let _ = writeln!(out, "static CHOICES: &[Choices] = &[{}];\n", lists(all_choices.values()));
    let _ = writeln!(out, "static SHAPES: &[&[(u16, Shape)]] = &[{}];", lists(all_shapes.values()));
    Ok(out)
}

/// Small tables kept by hand.
fn tables(catalog: &Path, pool: &mut Pool) -> Result<String, String> {
    let mut out = String::from(
        "/// Wrong name, right name (empty: there is none), note.\npub(super) static MISSPELLINGS: &[(&str, &str, &str)] = &[\n",
    );
    let mut rows = read(&catalog.join("misspellings.tsv"), 3)?.rows;
    rows.sort();
    for row in rows {
        let _ = writeln!(out, "    ({:?}, {:?}, {:?}),", row[0], row[1], row[2]);
    }
    out.push_str("];\n\npub(super) static RENAMES: &[Rename] = &[\n");
    let mut rows = read(&catalog.join("renames.tsv"), 7)?.rows;
    rows.sort();
    for row in rows {
        let [old, component, kind, new, until, effect, source] = &row[..] else { unreachable!("read() counted") };
        let kind = match kind.as_str() {
            "flag" => "Flag",
            "env" => "Env",
            _ => return Err(format!("renames.tsv: {old}: kind `{kind}`")),
        };
        let until = match until.split_once('.') {
            Some((major, minor)) => format!("({major}, {minor})"),
            None => return Err(format!("renames.tsv: {old}: release `{until}`")),
        };
        let effect = match effect.as_str() {
            "alias" => "Alias",
            "ignored" => "Ignored",
            "dead" => "Dead",
            "rejected" => "Rejected",
            "mapped" => "Mapped",
            _ => return Err(format!("renames.tsv: {old}: effect `{effect}`")),
        };
        let _ = writeln!(
            out,
            "    Rename {{ old: {old:?}, component: {component:?}, kind: NameKind::{kind}, new: {}, since: {until}, effect: Effect::{effect}, source: {source:?} }},",
            list(new, ' '),
        );
    }
    out.push_str("];\n\npub(super) static LEAVING: &[Leaving] = &[\n");
    let mut rows = read(&catalog.join("worker-flags.tsv"), 6)?.rows;
    rows.sort();
    for row in rows {
        let [flag, component, now, deprecated, gone, _] = &row[..] else { unreachable!("read() counted") };
        let release = |text: &str| -> Result<String, String> {
            let Some((major, minor)) = text.split_once('.') else { return Ok("None".into()) };
            match (major.parse::<u16>(), minor.parse::<u16>()) {
                (Ok(major), Ok(minor)) => Ok(format!("Some(({major}, {minor}))")),
                _ => Err(format!("worker-flags.tsv: {flag}: release `{text}`")),
            }
        };
        let (deprecated, gone) = (release(deprecated)?, release(gone)?);
        let [flag, component, now] = [flag, component, now].map(|t| pool.text(t));
        let _ = writeln!(
            out,
            "    Leaving {{ flag: {flag}, component: {component}, now: {now}, deprecated: {deprecated}, gone: {gone} }},",
        );
    }
    out.push_str("];\n\npub(super) static KNOBS: &[Knob] = &[\n");
    let mut rows = read(&catalog.join("router-knobs.tsv"), 8)?.rows;
    rows.sort();
    for row in rows {
        let [flag, env, since, kind, scope, epp, default, source] = &row[..] else { unreachable!("read() counted") };
        let minor: u16 = since
            .strip_prefix("1.")
            .and_then(|m| m.parse().ok())
            .ok_or(format!("router-knobs.tsv: {flag}: `{since}`"))?;
        let scope = match scope.as_str() {
            "kv" => "Kv",
            "any" => "Any",
            _ => return Err(format!("router-knobs.tsv: {flag}: scope `{scope}`")),
        };
        let kind = knob_kind(kind).ok_or(format!("router-knobs.tsv: {flag}: kind `{kind}`"))?;
        let _ = writeln!(
            out,
            "    Knob {{ flag: {flag:?}, env: {env:?}, since: (1, {minor}), kind: {kind}, scope: Scope::{scope}, epp: {}, default: {default:?}, source: {source:?} }},",
            epp == "yes",
        );
    }
    out.push_str("];\n\n");
    out.push_str(&json_keys(catalog, pool)?);
    let mut keys = std::collections::BTreeSet::new();
    for file in ["engine-keys.tsv", "engine-keys-read.tsv"] {
        keys.extend(read(&catalog.join(file), 3)?.rows.into_iter().map(|row| (row[0].clone(), row[1].clone())));
    }
    let keys: String = keys.iter().map(|(s, k)| format!("({}, {}), ", pool.text(s), pool.text(k))).collect();
    let _ = writeln!(out, "pub(super) static ENGINE_KEYS: &[(Text, Text)] = &[{keys}];");
    Ok(out)
}

/// Keys of JSON options: what the wheels say, and by hand what they mean.
fn json_keys(catalog: &Path, pool: &mut Pool) -> Result<String, String> {
    // By option: key, what it takes, words, releases.
    let mut options: BTreeMap<(String, String), Vec<[String; 3]>> = BTreeMap::new();
    let mut masks: BTreeMap<(String, String), Vec<u16>> = BTreeMap::new();
    for row in read(&catalog.join("json-keys.tsv"), 6)?.rows {
        let option = (row[0].clone(), row[1].clone());
        options.entry(option.clone()).or_default().push([row[2].clone(), row[3].clone(), row[4].clone()]);
        masks.entry(option).or_default().push(mask(&row[5]));
    }
    let mut about = Vec::new();
    for row in read(&catalog.join("json-keys-read.tsv"), 6)?.rows {
        let [flag, component, key, values, told, _] = &row[..] else { unreachable!("read() counted") };
        let option = (component.clone(), flag.clone());
        let rows = options.entry(option.clone()).or_default();
        about.push((option.clone(), key.clone(), told.clone()));
        let known: Vec<usize> = (0..rows.len()).filter(|at| rows[*at][0] == *key).collect();
        let takes = if values.is_empty() { "" } else { "word" };
        if known.is_empty() {
            rows.push([key.clone(), takes.into(), values.clone()]);
            masks.entry(option).or_default().push(u16::MAX);
        } else if known.iter().all(|at| rows[*at][1].is_empty()) {
            // A list that the class leaves to what reads it.
            for at in known {
                rows[at] = [key.clone(), takes.into(), values.clone()];
            }
        }
    }
    let (mut starts, mut entries, mut count) = (String::new(), String::new(), 0);
    for ((component, flag), rows) in &options {
        let _ = write!(starts, "({}, {}, {count}), ", pool.text(component), pool.text(flag));
        for ([key, takes, words], present) in rows.iter().zip(&masks[&(component.clone(), flag.clone())]) {
            let takes = match takes.as_str() {
                "" => "Open",
                "int" => "Int",
                "float" => "Float",
                "bool" => "Bool",
                "word" => "Word",
                "name" => "Name",
                "refuses" => "Refuses",
                _ => return Err(format!("json-keys.tsv: {key}: takes `{takes}`")),
            };
            let (key, words) = (pool.text(key), pool.text(words));
            let _ = write!(
                entries,
                "JsonRow {{ key: {key}, words: {words}, present: {present}, takes: Takes::{takes} }}, "
            );
            count += 1;
        }
    }
    let mut told = String::new();
    for ((component, flag), key, text) in about {
        let [component, flag, key, text] = [component, flag, key, text].map(|t| pool.text(&t));
        let _ = write!(told, "({component}, {flag}, {key}, {text}), ");
    }
    Ok(format!(
        "/// Component, option, and where its rows start.\npub(super) static JSON_OPTIONS: &[(Text, Text, u16)] = &[{starts}];\n\npub(super) static JSON_ROWS: &[JsonRow] = &[{entries}];\n\npub(super) static JSON_ABOUT: &[(Text, Text, Text, Text)] = &[{told}];\n\n"
    ))
}

/// `bool`, `int:1..`, `int?:0..`, `float:0..1`, `one-of:a|b`, `path`, `text`, `json`; `?` = the empty value and `None` are
/// accepted.
fn knob_kind(kind: &str) -> Option<String> {
    let (name, detail) = kind.split_once(':').unwrap_or((kind, ""));
    let nullable = name.ends_with('?');
    let range = |suffix: &str| -> Option<(String, String)> {
        let (low, high) = detail.split_once("..")?;
        let point = |text: &str, open: &str| if text.is_empty() { open.to_owned() } else { format!("{text}{suffix}") };
        Some((point(low, "MIN"), point(high, "MAX")))
    };
    Some(match name.trim_end_matches('?') {
        "bool" => "KnobKind::Bool".into(),
        "int" => {
            let (low, high) = range("")?;
            let full = |p: String| if p == "MIN" || p == "MAX" { format!("i64::{p}") } else { p };
            format!("KnobKind::Int {{ min: {}, max: {}, nullable: {nullable} }}", full(low), full(high))
        }
        "float" => {
            let (low, high) = range("_f64")?;
            let full = |p: String| if p == "MIN" || p == "MAX" { format!("f64::{p}") } else { p };
            format!("KnobKind::Float {{ min: {}, max: {}, nullable: {nullable} }}", full(low), full(high))
        }
        "one-of" => format!("KnobKind::OneOf({})", list(detail, '|')),
        "path" | "text" => "KnobKind::Text".into(),
        "json" => "KnobKind::Json".into(),
        _ => return None,
    })
}

/// One line of `schemas.jsonl`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Node {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    open: bool,
    #[serde(default)]
    int_or_string: bool,
    #[serde(default)]
    embedded: bool,
    #[serde(default)]
    nullable: bool,
    list: Option<String>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default, rename = "enum")]
    choices: Vec<String>,
    pattern: Option<String>,
    default: Option<serde_yaml::Value>,
    min: Option<i64>,
    max: Option<i64>,
    min_length: Option<u32>,
    max_length: Option<u32>,
    max_items: Option<u32>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    fields: BTreeMap<String, u16>,
    items: Option<u16>,
    values: Option<u16>,
}

/// The last lines of `schemas.jsonl`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    kind: String,
    version: String,
    root: u16,
}

fn schemas(path: &Path, pool: &mut Pool) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (mut nodes, mut roots, mut entries) = (String::new(), String::new(), String::new());
    let (mut lists, mut named) = (Distinct::default(), 0_usize);
    let mut count = 0_usize;
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let told = |e: serde_yaml::Error| format!("{}: {line}: {e}", path.display());
        if line.contains("\"root\":") {
            let root: Root = serde_yaml::from_str(line).map_err(told)?;
            let _ = writeln!(roots, "    ({:?}, {:?}, {}),", root.kind, root.version, root.root);
            continue;
        }
        let node: Node = serde_yaml::from_str(line).map_err(told)?;
        if node.fields.values().chain(&node.items).chain(&node.values).any(|n| usize::from(*n) >= count) {
            return Err(format!("{}: {line}: points forward", path.display()));
        }
        let default = match &node.default {
            None => None,
            Some(serde_yaml::Value::String(text)) => Some(text.clone()),
            Some(other) => Some(serde_yaml::to_string(other).map_err(told)?.trim().to_owned()),
        };
        let list = match node.list.as_deref() {
            None => "None",
            Some("map") => "Some(ListKind::Map)",
            Some("set") => "Some(ListKind::Set)",
            Some("atomic") => "Some(ListKind::Atomic)",
            Some(other) => return Err(format!("{}: list `{other}`", path.display())),
        };
        let types = match (node.kind.as_deref(), node.int_or_string) {
            (_, true) => "&[Type::Integer, Type::String]",
            (Some("object"), _) => "&[Type::Object]",
            (Some("array"), _) => "&[Type::Array]",
            (Some("string"), _) => "&[Type::String]",
            (Some("integer"), _) => "&[Type::Integer]",
            (Some("number"), _) => "&[Type::Number, Type::Integer]",
            (Some("boolean"), _) => "&[Type::Boolean]",
            (None, false) => "&[]",
            (Some(other), _) => return Err(format!("{}: type `{other}`", path.display())),
        };
        let fields = format!("({named}, {})", named + node.fields.len());
        named += node.fields.len();
        // Lengths tell most names apart without a look at them.
        let mut ordered: Vec<_> = node.fields.iter().collect();
        ordered.sort_by_key(|(name, _)| (name.len(), name.as_str()));
        for (name, number) in ordered {
            let _ = write!(entries, "({}, {number}), ", pool.text(name));
        }
        let mut text =
            |text: &Option<String>| text.as_ref().map_or("None".into(), |t| format!("Some({})", pool.text(t)));
        let (pattern, default) = (text(&node.pattern), text(&default));
        let _ = writeln!(
            nodes,
            "    Field {{ types: {types}, open: {}, embedded: {}, nullable: {}, list: {list}, keys: {}, choices: {}, pattern: {pattern}, default: {default}, min: {:?}, max: {:?}, min_length: {:?}, max_length: {:?}, max_items: {:?}, required: {}, fields: {fields}, items: {:?}, values: {:?} }},",
            node.open,
            node.embedded,
            node.nullable,
            lists.place(&node.keys),
            lists.place(&node.choices),
            node.min,
            node.max,
            node.min_length,
            node.max_length,
            node.max_items,
            lists.place(&node.required),
            node.items,
            node.values,
        );
        count += 1;
    }
    let lists: String = lists.values().iter().map(|list| format!("&{list:?}, ")).collect();
    Ok(format!(
        "static FIELDS: &[Field] = &[\n{nodes}];\n\nstatic ENTRIES: &[(Text, u16)] = &[{entries}];\n\nstatic LISTS: &[&[&str]] = &[{lists}];\n\nstatic ROOTS: &[(&str, &str, u16)] = &[\n{roots}];\n"
    ))
}
