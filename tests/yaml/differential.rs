//! The same documents read by other parsers.

use dynlint::yaml::{Kind, Node, ProblemKind, Style, Typed};
use saphyr::{ScalarStyle, Yaml, YamlLoader};
use saphyr_parser::{BufferedInput, Parser};

use crate::support::{Parsed, real_files};

/// Reads one document without giving its scalars types.
fn saphyr_reads(text: &str) -> Option<Yaml<'static>> {
    let mut parser = Parser::new(BufferedInput::new(text.chars()));
    let mut loader: YamlLoader<Yaml<'static>> = YamlLoader::default();
    loader.early_parse(false);
    loader.allow_duplicate_keys(true);
    parser.load(&mut loader, true).ok()?;
    if loader.error().is_some() {
        return None;
    }
    let mut documents = loader.into_documents();
    if documents.is_empty() { None } else { Some(documents.remove(0)) }
}

/// Compares a document with what saphyr makes of it: structure, styles, string values. Aliases are expanded by both.
pub fn same_as_saphyr(parsed: &Parsed, document: usize) {
    let document = &parsed.stream.documents[document];
    let Some(root) = &document.root else { return };
    let text = parsed.slice(document.span);
    let Some(theirs) = saphyr_reads(text) else { panic!("saphyr does not read {text}") };
    compare(parsed, root, &theirs);
}

fn compare(parsed: &Parsed, ours: &Node, theirs: &Yaml<'_>) {
    match (&*ours.kind, theirs) {
        (_, Yaml::Tagged(_, inner)) => compare(parsed, ours, inner),
        (Kind::Scalar(scalar), Yaml::Representation(value, style, _)) => {
            let same_style = match scalar.style {
                Style::Plain => ScalarStyle::Plain,
                Style::Single => ScalarStyle::SingleQuoted,
                Style::Double => ScalarStyle::DoubleQuoted,
                Style::Literal => ScalarStyle::Literal,
                Style::Folded => ScalarStyle::Folded,
            };
            assert_eq!(*style, same_style);
            // An absent value is `~` for them.
            let absent = ours.span.is_empty();
            assert!(*scalar.value == **value || absent && value == "~", "{:?} {value:?}", scalar.value);
        }
        (Kind::Seq(items), Yaml::Sequence(others)) => {
            assert_eq!(items.len(), others.len());
            items.iter().zip(others).for_each(|(ours, theirs)| compare(parsed, ours, theirs));
        }
        (Kind::Map(map), Yaml::Mapping(others)) => {
            // They leave merge keys alone.
            let own = map.entries.iter().filter(|e| e.inherited.is_none());
            let others = others.iter().filter(|(key, _)| !is_merge(key));
            let mut pairs = own.zip(others.clone());
            assert_eq!(map.entries.iter().filter(|e| e.inherited.is_none()).count(), others.count());
            assert!(pairs.all(|(entry, (key, value))| {
                let Yaml::Representation(key, style, _) = key else { return false };
                let ours = if *style == ScalarStyle::Plain && !parsed.slice(entry.key.span).starts_with('*') {
                    parsed.slice(entry.key.span)
                } else {
                    &*entry.key.name
                };
                assert_eq!(ours, key);
                compare(parsed, &entry.value, value);
                true
            }));
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}

fn is_merge(key: &Yaml<'_>) -> bool {
    matches!(key, Yaml::Representation(text, ScalarStyle::Plain, None) if text == "<<")
}

#[test]
fn saphyr_reads_real_files_alike() {
    let mut compared = 0;
    for (path, text) in real_files() {
        let parsed = Parsed::new(&text);
        if parsed.stream.problems.iter().any(|p| p.kind == ProblemKind::DuplicateKey) {
            continue;
        }
        for (index, document) in parsed.stream.documents.iter().enumerate() {
            println!("{} #{index}", path.display());
            if document.root.is_some() {
                same_as_saphyr(&parsed, index);
                compared += 1;
            } else {
                let broken = parsed.stream.problems.iter().any(|p| p.kind == ProblemKind::Syntax);
                assert!(broken || saphyr_reads(parsed.slice(document.span)).is_none());
            }
        }
    }
    assert!(compared > 20);
}

/// Where serde_yaml (YAML 1.2 core with a bit of 1.1) and go-yaml v2 part, by the text of a plain scalar.
fn serde_differs(text: &str) -> bool {
    let word = matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off");
    let digits = text.trim_start_matches(['-', '+']);
    let octal_or_binary = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let underscores = text.contains('_') && digits.starts_with(|c: char| c.is_ascii_digit());
    word || octal_or_binary || underscores
}

fn compare_serde(ours: &Node, theirs: &serde_yaml::Value) {
    use serde_yaml::Value;
    match (&*ours.kind, theirs) {
        (_, Value::Tagged(tagged)) => compare_serde(ours, &tagged.value),
        (Kind::Scalar(scalar), _) if scalar.style == Style::Plain && serde_differs(&scalar.value) => {}
        (Kind::Scalar(scalar), theirs) => match (&scalar.typed, theirs) {
            (Typed::Null, Value::Null) => {}
            (Typed::Bool(a), Value::Bool(b)) => assert_eq!(a, b),
            (Typed::Str, Value::String(b)) => assert_eq!(&*scalar.value, b),
            (Typed::Int(a), Value::Number(b)) => {
                // `1.0` is an integer for Kubernetes.
                assert!(b.as_f64().is_some_and(|b| (a.get() as f64 - b).abs() < 1e-9 * b.abs().max(1.0)), "{a:?} {b}");
            }
            (Typed::Float(a), Value::Number(b)) => {
                let b = b.as_f64().expect("a number");
                assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{a} {b}");
            }
            (a, b) => panic!("{:?}: {a:?} is not {b:?}", scalar.value),
        },
        (Kind::Seq(items), Value::Sequence(others)) => {
            assert_eq!(items.len(), others.len());
            items.iter().zip(others).for_each(|(ours, theirs)| compare_serde(ours, theirs));
        }
        (Kind::Map(map), Value::Mapping(others)) => {
            let own: Vec<_> = map.entries.iter().filter(|e| e.inherited.is_none()).collect();
            let others: Vec<_> = others.iter().filter(|(key, _)| key.as_str() != Some("<<")).collect();
            assert_eq!(own.len(), others.len());
            for (entry, (key, value)) in own.into_iter().zip(others) {
                match key {
                    Value::String(key) if serde_differs(key) => {}
                    Value::String(key) => assert_eq!(&*entry.key.name, key),
                    Value::Bool(key) => assert_eq!(&*entry.key.name, key.to_string()),
                    Value::Number(key) => assert_eq!(&*entry.key.name, key.to_string()),
                    other => panic!("{other:?}"),
                }
                compare_serde(&entry.value, value);
            }
        }
        (ours, theirs) => panic!("{ours:?} is not {theirs:?}"),
    }
}

#[test]
fn serde_yaml_reads_real_files_alike_but_for_what_is_known() {
    let mut compared = 0;
    for (path, text) in real_files() {
        let parsed = Parsed::new(&text);
        // It refuses duplicate keys.
        if !parsed.stream.problems.is_empty() {
            continue;
        }
        for (index, document) in parsed.stream.documents.iter().enumerate() {
            println!("{} #{index}", path.display());
            let Some(root) = &document.root else { continue };
            // It takes no byte order mark, and does not complete the last line as `kubectl` does.
            let text = format!("{}\n", parsed.slice(document.span).trim_start_matches('\u{feff}'));
            let theirs: serde_yaml::Value = serde_yaml::from_str(&text).expect("serde_yaml reads it");
            compare_serde(root, &theirs);
            compared += 1;
        }
    }
    assert!(compared > 20);
}
