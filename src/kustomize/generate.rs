//! `configMapGenerator` and `secretGenerator`.

use sha2::{Digest, Sha256};

use super::edit::{entry, node, set_at, without};
use super::names::string;
use super::resource::Resource;
use crate::source::{FileId, Span};
use crate::yaml::{Kind, Map, Node};

/// Reads a file next to the kustomization; `None` when it is not there.
pub(super) type ReadFile<'a> = dyn Fn(&str) -> Option<(Vec<u8>, Option<Span>)> + 'a;

/// What one generator makes.
pub(super) struct Generated {
    /// The object.
    pub(super) resource: Resource,
    /// `create`, `merge` or `replace`.
    pub(super) behavior: String,
    /// What keeps it from being made: where, and why.
    pub(super) problems: Vec<(Span, String)>,
    /// Files that are not there: where they are named, and how.
    pub(super) absent: Vec<(Span, String)>,
}

/// Makes the object of one generator entry.
pub(super) fn generate(
    kind: &str,
    item: &Node,
    options: Option<&Node>,
    file: FileId,
    read: &ReadFile<'_>,
) -> Generated {
    let text = |key: &str| item.get(key).and_then(Node::as_text);
    let mut problems = Vec::new();
    let mut absent = Vec::new();
    let mut data: Vec<(String, Vec<u8>, Span)> = Vec::new();
    let mut files: Vec<(&Node, &str)> = Vec::new();
    for env in item.get("envs").into_iter().flat_map(Node::items).chain(item.get("env")) {
        let Some(path) = env.as_text() else { continue };
        match read(path) {
            Some((bytes, _)) => {
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let line = line.trim_start();
                    if line.is_empty() || line.starts_with('#') {
                        continue;
                    }
                    match line.split_once('=') {
                        Some((key, value)) => data.push((key.to_owned(), value.as_bytes().to_vec(), env.span)),
                        None => {
                            let who = format!("`{line}` takes its value from the environment of who builds");
                            problems.push((env.span, who));
                        }
                    }
                }
            }
            None => absent.push((env.span, path.to_owned())),
        }
    }
    for item in item.get("files").into_iter().flat_map(Node::items) {
        if let Some(spec) = item.as_text() {
            files.push((item, spec));
        }
    }
    for (at, spec) in files {
        let (key, path) = match spec.split_once('=') {
            Some((key, path)) => (key, path),
            None => (spec.rsplit('/').next().unwrap_or(spec), spec),
        };
        match read(path) {
            Some((bytes, _)) => data.push((key.to_owned(), bytes, at.span)),
            None => absent.push((at.span, path.to_owned())),
        }
    }
    for literal in item.get("literals").into_iter().flat_map(Node::items) {
        let Some((key, value)) = literal.as_text().and_then(|t| t.split_once('=')) else {
            problems.push((literal.span, "a literal is `key=value`".to_owned()));
            continue;
        };
        let unquoted = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
        data.push((key.to_owned(), unquoted.as_bytes().to_vec(), literal.span));
    }
    let span = item.span;
    let secret = kind == "Secret";
    let mut plain = Map::default();
    let mut binary = Map::default();
    crate::source::order(&mut data, |a, b| a.0.cmp(&b.0));
    for (key, bytes, at) in data {
        match String::from_utf8(bytes) {
            Ok(value) if !secret => plain.entries.push(entry(&key, string(&value, at), at)),
            Ok(value) => plain.entries.push(entry(&key, string(&base64(value.as_bytes()), at), at)),
            Err(error) => {
                let encoded = string(&base64(error.as_bytes()), at);
                if secret { &mut plain } else { &mut binary }.entries.push(entry(&key, encoded, at));
            }
        }
    }
    let mut metadata = Map::default();
    metadata.entries.push(entry("name", item.get("name").cloned().unwrap_or_else(|| string("", span)), span));
    if let Some(namespace) = item.get("namespace") {
        metadata.entries.push(entry("namespace", namespace.clone(), span));
    }
    for key in ["labels", "annotations"] {
        let mut pairs = Map::default();
        // The generator's own pairs win over those of `generatorOptions`.
        for source in [item.at(&["options", key]), options.and_then(|o| o.get(key))].into_iter().flatten() {
            for pair in source.entries() {
                if pairs.get(&pair.key.name).is_none() {
                    pairs.entries.push(pair.clone());
                }
            }
        }
        if !pairs.entries.is_empty() {
            metadata.entries.push(entry(key, node(Kind::Map(pairs), span), span));
        }
    }
    let mut object = Map::default();
    object.entries.push(entry("apiVersion", string("v1", span), span));
    // A Secret has its data even when there are none.
    if !plain.entries.is_empty() || kind == "Secret" {
        object.entries.push(entry("data", node(Kind::Map(plain), span), span));
    }
    if !binary.entries.is_empty() {
        object.entries.push(entry("binaryData", node(Kind::Map(binary), span), span));
    }
    object.entries.push(entry("kind", string(kind, span), span));
    object.entries.push(entry("metadata", node(Kind::Map(metadata), span), span));
    if secret {
        object.entries.push(entry("type", string(text("type").unwrap_or("Opaque"), span), span));
    }
    let flag = |key: &str| {
        // What `generatorOptions` switch on cannot be switched off.
        let set = |options: Option<&Node>| options.and_then(|o| o.get(key)).and_then(Node::as_bool).unwrap_or(false);
        set(item.get("options")) || set(options)
    };
    if flag("immutable") {
        let yes = crate::yaml::Scalar {
            value: "true".into(),
            style: crate::yaml::Style::Plain,
            typed: crate::yaml::Typed::Bool(true),
            origin: None,
        };
        object.entries.push(entry("immutable", node(Kind::Scalar(yes), span), span));
    }
    let mut resource = Resource::new(node(Kind::Map(object), span), file);
    resource.hash = !flag("disableNameSuffixHash");
    Generated { resource, behavior: text("behavior").unwrap_or("create").to_owned(), problems, absent }
}

/// Lets a generated object take the place of an older one (`api/resmap/reswrangler.go`, `appendReplaceOrMerge`): it keeps
/// the old name, namespace and pairs of metadata that it has not itself, and with `merge` the old data; all else is new.
pub(super) fn absorb(old: &mut Resource, new: Resource, merge: bool) {
    let mut node = new.node;
    let mut fields: Vec<&[&str]> = vec![&["metadata", "labels"], &["metadata", "annotations"]];
    if merge {
        fields.extend([&["data"] as &[&str], &["binaryData"]]);
    }
    for field in fields {
        let Some(before) = old.node.at(field).and_then(Node::as_map) else { continue };
        let mut pairs = before.clone();
        for e in node.at(field).into_iter().flat_map(Node::entries) {
            pairs.entries.retain(|have| have.key.name != e.key.name);
            pairs.entries.push(e.clone());
        }
        if !pairs.entries.is_empty() {
            node = set_at(&node, field, super::edit::node(Kind::Map(pairs), node.span), node.span);
        }
    }
    // Merged data are written anew, and of none nothing is written (`kyaml/yaml/rnode.go`, `SetDataMap`).
    if merge && node.get("data").is_some_and(|data| data.entries().next().is_none()) {
        node = without(&node, "data");
    }
    for key in ["name", "namespace"] {
        let field = ["metadata", key];
        match old.node.at(&field) {
            Some(value) => node = set_at(&node, &field, value.clone(), value.span),
            None => {
                let metadata = node.get("metadata").map(|metadata| without(metadata, key));
                node = metadata.map_or(node.clone(), |metadata| set_at(&node, &["metadata"], metadata, node.span));
            }
        }
    }
    old.node = node;
    old.hash &= new.hash;
    old.shared.clear();
}

/// kustomize's name suffix: SHA-256 of the object's content as canonical JSON, its first ten hex digits with the
/// letters that could spell something replaced (`api/hasher/hasher.go`).
pub(super) fn hash(resource: &Resource) -> String {
    let secret = resource.kind() == "Secret";
    let field = |key: &str| {
        let mut pairs: Vec<(&str, &str)> = resource
            .node
            .get(key)
            .map(|m| m.entries().map(|e| (&*e.key.name, e.value.as_text().unwrap_or_default())).collect())
            .unwrap_or_default();
        crate::source::order(&mut pairs, Ord::cmp);
        let mut map = serde_json::Map::new();
        for (key, value) in pairs {
            map.insert(key.to_owned(), value.into());
        }
        map
    };
    let mut json = serde_json::Map::new();
    let data = field("data");
    // The name is not part of it: kustomize hashes before the object has one.
    if secret {
        let none = resource.node.get("data").is_none();
        json.insert("data".into(), if none { "".into() } else { data.into() });
        json.insert("kind".into(), "Secret".into());
        json.insert("name".into(), "".into());
        json.insert("type".into(), resource.node.get("type").and_then(Node::as_text).unwrap_or_default().into());
    } else {
        let binary = field("binaryData");
        if !binary.is_empty() {
            json.insert("binaryData".into(), binary.into());
        }
        json.insert("data".into(), if data.is_empty() { "".into() } else { data.into() });
        json.insert("kind".into(), "ConfigMap".into());
        json.insert("name".into(), "".into());
    }
    // Go's encoder escapes these three for HTML.
    let text = serde_json::Value::Object(json)
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().take(5).map(|b| format!("{b:02x}")).collect();
    hex.chars()
        .map(|c| match c {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            other => other,
        })
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
