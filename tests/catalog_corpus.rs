//! The catalog against real manifests: every field of every graph is in the schema, every literal value of a transport
//! variable is in its grammar, every router flag is known. Whatever is not must be one of the mistakes listed here.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::corpus;
use dynlint::catalog::crd::{self, Field, Type};
use dynlint::catalog::vars;
use serde_yaml::Value;

fn documents(folder: &Path) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok) {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "yaml" && e != "yml") {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        for document in serde_yaml::Deserializer::from_str(&text) {
            // templates and broken files are other tests' matter
            let Ok(value) = <Value as serde::Deserialize>::deserialize(document) else { break };
            found.push((name.clone(), value));
        }
    }
    found
}

fn kind_of(value: &Value) -> Option<Type> {
    match value {
        Value::Mapping(_) => Some(Type::Object),
        Value::Sequence(_) => Some(Type::Array),
        Value::String(_) => Some(Type::String),
        Value::Bool(_) => Some(Type::Boolean),
        Value::Number(n) if n.is_f64() => Some(Type::Number),
        Value::Number(_) => Some(Type::Integer),
        _ => None,
    }
}

fn check(field: &'static Field, value: &Value, path: &str, told: &mut BTreeSet<String>) {
    // to be filled in before use
    if value.as_str().is_some_and(|text| text.contains("${")) {
        return;
    }
    if let Some(kind) = kind_of(value)
        && !field.takes(kind)
    {
        told.insert(format!("{path}: {}", kind.as_str()));
        return;
    }
    match value {
        Value::Mapping(map) => {
            for (key, child) in map {
                let Some(key) = key.as_str() else { continue };
                match field.child(key) {
                    Some(below) => check(below, child, &format!("{path}.{key}"), told),
                    None if field.is_open() => {}
                    None => {
                        told.insert(format!("{path}.{key}: unknown"));
                    }
                }
            }
            for name in field.required() {
                if map.get(*name).is_none() && !field.is_open() {
                    told.insert(format!("{path}.{name}: missing"));
                }
            }
        }
        Value::Sequence(items) => {
            for item in items {
                if let Some(below) = field.item() {
                    check(below, item, &format!("{path}[]"), told);
                }
            }
        }
        Value::String(text) if !field.choices().is_empty() && !field.choices().contains(&text.as_str()) => {
            told.insert(format!("{path}: {text} is no choice"));
        }
        _ => {}
    }
}

#[test]
fn graphs_are_in_their_schema() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let mut told = BTreeSet::new();
    let mut graphs = 0;
    for (name, document) in documents(&corpus.join("upstream")) {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or_default();
        let Some(root) = crd::root(text("kind"), text("apiVersion")) else { continue };
        graphs += 1;
        let mut here = BTreeSet::new();
        check(root, &document, "", &mut here);
        told.extend(here.into_iter().map(|t| format!("{name}: {t}")));
    }
    assert!(graphs > 100, "{graphs}");
    assert_eq!(told, BTreeSet::new());
}

fn env_pairs(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Mapping(map) => {
            if let (Some(Value::String(name)), Some(Value::String(text))) = (map.get("name"), map.get("value")) {
                found.push((name.clone(), text.clone()));
            }
            map.values().for_each(|v| env_pairs(v, found));
        }
        Value::Sequence(items) => items.iter().for_each(|v| env_pairs(v, found)),
        _ => {}
    }
}

#[test]
fn literal_values_are_in_their_grammar() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let mut told = BTreeSet::new();
    let mut pairs = 0;
    for folder in ["upstream", "third-party"] {
        for (_, document) in documents(&corpus.join(folder)) {
            let mut found = Vec::new();
            env_pairs(&document, &mut found);
            for (variable, value) in found {
                if value.contains('$') {
                    continue;
                }
                pairs += 1;
                let problem = match vars::lookup(&variable) {
                    Some(known) => match known.check(&value) {
                        Err(expected) => format!("={value}: expected {expected}"),
                        // what an engine or aiperf lost counts by the release that is there
                        Ok(()) if matches!(known.owner, "vllm" | "sglang" | "dynamo" | "kvbm" | "aiperf") => continue,
                        Ok(()) if known.is_unread() => ": unread".to_owned(),
                        Ok(()) => continue,
                    },
                    // an unknown name counts where the list is complete, or where a known one is near
                    None if vars::is_external(&variable) => continue,
                    None => match (vars::family(&variable), vars::nearest(&variable)) {
                        (_, Some(near)) => format!(": near {near}"),
                        (Some(family), None) if family.complete() => ": unknown".to_owned(),
                        _ => continue,
                    },
                };
                told.insert(format!("{variable}{problem}"));
            }
        }
    }
    assert!(pairs > 1000, "{pairs}");
    let mistakes = [
        "DYN_STORE_KV: unread",
        "FI_EFA_ENABLE_SHM: unread",
        "FI_HMEM_CUDA_ENABLE_XFER: unread",
        "NCCL_STORE_TIMEOUT: unread",
        "NCCL_TIMEOUT: unread",
        "NIXL_LIBFABRIC_USE_DEVICE_RDMA: unread",
        "NVIDIA_GDRCOPY=1: expected `enabled`",
        "UCX_IB_REG_METHODS: unread",
        "UCX_MEMTYPE_REG_WHOLE: unknown",
    ];
    assert_eq!(told, mistakes.map(str::to_owned).into());
}

fn command_words(value: &Value, found: &mut Vec<Vec<String>>) {
    match value {
        Value::Mapping(map) => {
            let list = |key: &str| map.get(key).and_then(Value::as_sequence).cloned().unwrap_or_default();
            let words: Vec<String> = [list("command"), list("args")]
                .concat()
                .iter()
                .filter_map(Value::as_str)
                .flat_map(|w| w.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .collect();
            if !words.is_empty() {
                found.push(words);
            }
            map.values().for_each(|v| command_words(v, found));
        }
        Value::Sequence(items) => items.iter().for_each(|v| command_words(v, found)),
        _ => {}
    }
}

#[test]
fn flags_of_real_commands_are_known() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let mut told = BTreeSet::new();
    let mut seen = 0;
    for (_, document) in documents(&corpus.join("upstream")) {
        let mut found = Vec::new();
        command_words(&document, &mut found);
        for words in found {
            let mut component = None;
            let mut words = words.iter().peekable();
            while let Some(word) = words.next() {
                if word == "-m" {
                    component = words.peek().and_then(|m| dynlint::catalog::flags::component(m));
                } else if matches!(word.as_str(), "&&" | "&" | ";" | "||" | "|") {
                    component = None;
                }
                let Some(component) = component else { continue };
                if word.starts_with("--") && !word.contains('$') {
                    seen += 1;
                    if component.flag(word).is_none() {
                        told.insert(format!("{} {word}", component.name));
                    }
                }
            }
        }
    }
    assert!(seen > 1000, "{seen}");
    // the chat processor of SGLang takes them
    let others = ["frontend --reasoning-parser", "frontend --tool-call-parser"];
    assert_eq!(told, others.map(str::to_owned).into());
}
