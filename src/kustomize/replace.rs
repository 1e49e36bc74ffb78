//! `replacements`: a field of one object copied into fields of others.

use std::cell::RefCell;
use std::sync::Arc;

use super::edit;
use super::names::string;
use super::resource::{Resource, Selector};
use crate::source::Span;
use crate::yaml::{Kind, Node, Scalar};

/// One step of a `fieldPath`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Append,
    All,
    /// `[name=value]`
    Match(String, String),
}

/// Reads `spec.template.spec.containers.[name=main].env.*.value`; a dot inside brackets or behind a backslash is no cut.
fn steps(path: &str) -> Vec<Step> {
    let (mut parts, mut current, mut depth, mut escaped) = (Vec::new(), String::new(), 0usize, false);
    for c in path.chars() {
        match c {
            _ if escaped => {
                current.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '[' => {
                if depth == 0 && !current.is_empty() {
                    parts.push(std::mem::take(&mut current));
                }
                depth += 1;
                current.push(c);
            }
            ']' => {
                depth = depth.saturating_sub(1);
                current.push(c);
            }
            '.' if depth == 0 => {
                if !current.is_empty() {
                    parts.push(std::mem::take(&mut current));
                }
            }
            _ => current.push(c),
        }
    }
    if !current.is_empty() {
        parts.push(current);
    }
    parts
        .into_iter()
        .map(|part| {
            if let Some(inner) = part.strip_prefix('[').and_then(|p| p.strip_suffix(']')) {
                return match inner.split_once('=') {
                    Some((key, value)) => Step::Match(key.to_owned(), value.to_owned()),
                    None => inner.parse().map_or_else(|_| Step::Key(inner.to_owned()), Step::Index),
                };
            }
            match part.as_str() {
                "*" => Step::All,
                "-" => Step::Append,
                digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
                    digits.parse().map_or(Step::Append, Step::Index)
                }
                _ => Step::Key(part),
            }
        })
        .collect()
}

fn get<'a>(node: &'a Node, path: &[Step]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, step| match step {
        Step::Key(key) => node.get(key),
        Step::Index(at) => node.as_seq()?.get(*at),
        Step::Match(key, value) => node.items().find(|i| i.get(key).and_then(Node::as_text) == Some(value)),
        Step::All | Step::Append => None,
    })
}

/// The field that a path like `spec.ports[0].port` leads to.
pub(super) fn field<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    get(node, &steps(path))
}

/// Sets every node that the path selects; `None` when it selects nothing.
fn set(node: &Node, path: &[Step], create: bool, at: Span, f: &dyn Fn(Option<&Node>) -> Option<Node>) -> Option<Node> {
    let Some((step, rest)) = path.split_first() else { return f(Some(node)) };
    match (step, &*node.kind) {
        (Step::Key(key), Kind::Map(map)) => {
            let value = match map.get(key) {
                Some(child) => set(child, rest, create, at, f)?,
                None if !create => return None,
                None if rest.is_empty() => f(None)?,
                None => set(&edit::empty_map(at), rest, create, at, f)?,
            };
            Some(edit::insert(node, edit::entry(key, value, at)))
        }
        (Step::All, Kind::Map(map)) => {
            let mut map = map.clone();
            let mut hit = false;
            for e in &mut map.entries {
                if let Some(value) = set(&e.value, rest, create, at, f) {
                    e.value = value;
                    hit = true;
                }
            }
            hit.then(|| edit::with_kind(node, Kind::Map(map)))
        }
        (_, Kind::Seq(items)) => {
            let mut items = items.clone();
            let mut hit = false;
            for (n, item) in items.iter_mut().enumerate() {
                let chosen = match step {
                    Step::All => true,
                    Step::Index(at) => n == *at,
                    Step::Match(key, value) => item.get(key).and_then(Node::as_text) == Some(value),
                    Step::Key(_) | Step::Append => false,
                };
                if chosen && let Some(value) = set(item, rest, create, at, f) {
                    *item = value;
                    hit = true;
                }
            }
            hit.then(|| edit::with_kind(node, Kind::Seq(items)))
        }
        _ => None,
    }
}

/// A problem with one replacement: what, and where it stands.
pub(super) type Problem = (Span, String);

/// Applies one entry of `replacements`.
pub(super) fn apply(resources: &mut [Resource], item: &Node) -> Result<(), Problem> {
    let source = item.get("source").ok_or((item.span, "a replacement needs a `source`".to_owned()))?;
    let selector = Selector::read(source);
    let chosen: Vec<&Resource> = resources.iter().filter(|r| selector.means(r)).collect();
    let [origin] = chosen[..] else {
        return Err((source.span, format!("`source` selects {} objects, not one", chosen.len())));
    };
    let field = source.get("fieldPath").and_then(Node::as_text).unwrap_or("metadata.name");
    let value = get(&origin.node, &steps(field)).ok_or((source.span, format!("the source has no `{field}`")))?;
    let value = edit::detached(value, &origin.shared);
    let value = match options(source) {
        Some((delimiter, index, _)) => {
            let text = value.as_text().unwrap_or_default();
            let at = usize::try_from(index).ok();
            let part = at.and_then(|n| text.split(delimiter.as_str()).nth(n));
            let part = part.ok_or((source.span, format!("the source has no part {index}")))?;
            string(part, value.span)
        }
        None => value,
    };
    for target in item.get("targets").into_iter().flat_map(Node::items) {
        let select = target.get("select").map(Selector::read).unwrap_or_default();
        let rejects: Vec<Selector> =
            target.get("reject").into_iter().flat_map(Node::items).map(Selector::read).collect();
        let default_path = [Step::Key("metadata".to_owned()), Step::Key("name".to_owned())];
        let paths: Vec<Vec<Step>> = match target.get("fieldPaths") {
            Some(list) => list.items().filter_map(Node::as_text).map(steps).collect(),
            None => vec![default_path.to_vec()],
        };
        let create = target.at(&["options", "create"]).and_then(Node::as_bool).unwrap_or(false);
        let put = |old: Option<&Node>| match (options(target), old) {
            (Some((delimiter, index, _)), Some(old)) => {
                let mut parts: Vec<&str> = old.as_text().unwrap_or_default().split(delimiter.as_str()).collect();
                let new = value.as_text().unwrap_or_default();
                match usize::try_from(index) {
                    Err(_) => parts.insert(0, new),
                    Ok(n) if n >= parts.len() => parts.push(new),
                    Ok(n) => parts[n] = new,
                }
                Some(string(&parts.join(&delimiter), value.span))
            }
            // A scalar field keeps its type and takes over the text alone; one that is made has no type yet.
            (_, Some(old)) if old.as_scalar().is_some() => {
                let text = value.as_scalar().map_or("", |scalar| &*scalar.value);
                Some(if old.as_str().is_some() { string(text, value.span) } else { plain(text, value.span) })
            }
            (_, None) => match value.as_scalar() {
                Some(scalar) => Some(plain(&scalar.value, value.span)),
                None => Some(value.clone()),
            },
            _ => Some(value.clone()),
        };
        for resource in resources.iter_mut() {
            if !select.means(resource) || rejects.iter().any(|r| r.rejects(resource)) {
                continue;
            }
            for path in &paths {
                let changes = RefCell::new(Vec::new());
                let put = |old: Option<&Node>| match old.filter(|old| resource.shares(old)) {
                    Some(old) => {
                        changes.borrow_mut().push((Arc::clone(&old.kind), put(Some(old))?));
                        Some(old.clone())
                    }
                    None => put(old),
                };
                match set(&resource.node, path, create, value.span, &put) {
                    Some(next) => {
                        resource.node = next;
                        resource.settle(changes.into_inner());
                    }
                    None => return Err((target.span, "a target field does not exist".to_owned())),
                }
            }
        }
    }
    Ok(())
}

/// A scalar that is typed as its text reads when it is not quoted.
pub(super) fn plain(text: &str, span: Span) -> Node {
    let whole = crate::source::Text::opaque(text, span);
    let read = crate::yaml::parse_embedded_all(&whole, &crate::yaml::Limits::default()).ok();
    let typed = read.as_deref().and_then(|nodes| match nodes {
        [node] => node.as_scalar().filter(|scalar| &*scalar.value == text).map(|scalar| scalar.typed.clone()),
        _ => None,
    });
    let made = string(text, span);
    match (&*made.kind, typed) {
        (Kind::Scalar(scalar), Some(typed)) => edit::node(Kind::Scalar(Scalar { typed, ..scalar.clone() }), span),
        _ => made,
    }
}

/// `options.delimiter` and `index`.
fn options(node: &Node) -> Option<(String, i128, bool)> {
    let options = node.get("options")?;
    let delimiter = options.get("delimiter").and_then(Node::as_text).filter(|d| !d.is_empty())?;
    Some((delimiter.to_owned(), options.get("index").and_then(Node::as_int).unwrap_or(0), false))
}
