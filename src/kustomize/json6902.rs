//! JSON 6902 patches (RFC 6902) on trees that keep their origins.

use super::edit::{entry, with_kind};
use crate::source::Span;
use crate::yaml::{Kind, Node, Scalar, Style, Typed};

/// Why a patch could not be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What is wrong, lower case, no full stop.
    pub(super) message: String,
    /// The operation it stands in.
    pub(super) span: Span,
}

fn fail(at: &Node, message: impl Into<String>) -> Failure {
    Failure { message: message.into(), span: at.span }
}

/// Applies every operation in order.
pub(super) fn apply(target: &Node, operations: &Node) -> Result<Node, Failure> {
    let Some(list) = operations.as_seq() else {
        return Err(fail(operations, "a JSON 6902 patch is a list of operations"));
    };
    list.iter().try_fold(target.clone(), |node, op| operation(&node, op))
}

fn operation(root: &Node, op: &Node) -> Result<Node, Failure> {
    let field = |name: &str| op.get(name).and_then(Node::as_text);
    let path = pointer(op, field("path"))?;
    let name = field("op").unwrap_or_default();
    match name {
        "add" | "replace" | "test" => {
            let Some(value) = op.get("value") else { return Err(fail(op, format!("`{name}` needs a `value`"))) };
            match name {
                "add" => edit(root, &path, op, &|parent, last| add(parent, last, value, op)),
                "replace" => edit(root, &path, op, &|parent, last| replace(parent, last, value, op)),
                _ => match find(root, &path) {
                    Some(found) if same(found, value) => Ok(root.clone()),
                    _ => Err(fail(op, "`test` does not hold")),
                },
            }
        }
        "remove" => edit(root, &path, op, &|parent, last| remove(parent, last, op)),
        "move" | "copy" => {
            let from = pointer(op, field("from"))?;
            let missing_key = |from: &[String]| {
                let parent = from.split_last().and_then(|(_, parent)| find(root, parent));
                name == "copy" && parent.is_some_and(|parent| parent.as_map().is_some())
            };
            let value = match find(root, &from) {
                Some(value) => value.clone(),
                // The same library copies a key that is not there as null.
                None if missing_key(&from) => null(op.span),
                None => return Err(fail(op, "`from` does not exist")),
            };
            let root = if name == "move" {
                edit(root, &from, op, &|parent, last| remove(parent, last, op))?
            } else {
                root.clone()
            };
            edit(&root, &path, op, &|parent, last| add(parent, last, &value, op))
        }
        _ => Err(fail(op, "`op` is one of `add`, `remove`, `replace`, `move`, `copy`, `test`")),
    }
}

/// The tokens of a JSON pointer.
fn pointer(op: &Node, text: Option<&str>) -> Result<Vec<String>, Failure> {
    let Some(text) = text else { return Err(fail(op, "the operation needs a path")) };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else { return Err(fail(op, "a path starts with `/`")) };
    Ok(rest.split('/').map(|t| t.replace("~1", "/").replace("~0", "~")).collect())
}

/// The node a pointer leads to.
pub(super) fn find<'a>(root: &'a Node, path: &[String]) -> Option<&'a Node> {
    path.iter().try_fold(root, |node, token| match &*node.kind {
        Kind::Map(map) => map.get(token),
        Kind::Seq(items) => items.get(token.parse::<usize>().ok()?),
        Kind::Scalar(_) => None,
    })
}

type Change<'a> = dyn Fn(&Node, &str) -> Result<Node, Failure> + 'a;

fn edit(root: &Node, path: &[String], op: &Node, change: &Change<'_>) -> Result<Node, Failure> {
    let Some((first, rest)) = path.split_first() else { return Err(fail(op, "the whole object cannot be the target")) };
    if rest.is_empty() {
        return change(root, first);
    }
    match &*root.kind {
        Kind::Map(map) => {
            let mut map = map.clone();
            let Some(child) = map.entries.iter_mut().find(|e| &*e.key.name == first) else {
                return Err(fail(op, format!("the path has no `{first}`")));
            };
            child.value = edit(&child.value, rest, op, change)?;
            Ok(with_kind(root, Kind::Map(map)))
        }
        Kind::Seq(items) => {
            let mut items = items.clone();
            let child = first.parse::<usize>().ok().and_then(|at| items.get_mut(at));
            let Some(child) = child else { return Err(fail(op, format!("the list has no item `{first}`"))) };
            *child = edit(child, rest, op, change)?;
            Ok(with_kind(root, Kind::Seq(items)))
        }
        Kind::Scalar(_) => Err(fail(op, format!("`{first}` lies below a scalar"))),
    }
}

fn add(parent: &Node, last: &str, value: &Node, op: &Node) -> Result<Node, Failure> {
    match &*parent.kind {
        Kind::Map(map) => {
            let mut map = map.clone();
            match map.entries.iter_mut().find(|e| &*e.key.name == last) {
                Some(old) => old.value = value.clone(),
                None => map.entries.push(entry(last, value.clone(), op.get("path").map_or(op.span, |p| p.span))),
            }
            Ok(with_kind(parent, Kind::Map(map)))
        }
        Kind::Seq(items) => {
            let mut items = items.clone();
            let at = if last == "-" { items.len() } else { index(last, items.len() + 1, op)? };
            items.insert(at, value.clone());
            Ok(with_kind(parent, Kind::Seq(items)))
        }
        Kind::Scalar(_) => Err(fail(op, format!("`{last}` lies below a scalar"))),
    }
}

fn replace(parent: &Node, last: &str, value: &Node, op: &Node) -> Result<Node, Failure> {
    match &*parent.kind {
        // The library behind kustomize (evanphx/json-patch v4) takes a key that is not there, against RFC 6902.
        Kind::Map(_) => add(parent, last, value, op),
        Kind::Seq(items) => {
            let mut items = items.clone();
            let at = index(last, items.len(), op)?;
            items[at] = value.clone();
            Ok(with_kind(parent, Kind::Seq(items)))
        }
        Kind::Scalar(_) => Err(fail(op, format!("`{last}` lies below a scalar"))),
    }
}

fn remove(parent: &Node, last: &str, op: &Node) -> Result<Node, Failure> {
    match &*parent.kind {
        Kind::Map(map) => {
            let mut map = map.clone();
            let before = map.entries.len();
            map.entries.retain(|e| &*e.key.name != last);
            if map.entries.len() == before {
                return Err(fail(op, format!("there is no `{last}` to remove")));
            }
            Ok(with_kind(parent, Kind::Map(map)))
        }
        Kind::Seq(items) => {
            let mut items = items.clone();
            let at = index(last, items.len(), op)?;
            items.remove(at);
            Ok(with_kind(parent, Kind::Seq(items)))
        }
        Kind::Scalar(_) => Err(fail(op, format!("`{last}` lies below a scalar"))),
    }
}

fn index(token: &str, len: usize, op: &Node) -> Result<usize, Failure> {
    token
        .parse::<usize>()
        .ok()
        .filter(|at| *at < len)
        .ok_or_else(|| fail(op, format!("the list has no place `{token}`")))
}

fn null(span: crate::source::Span) -> Node {
    let scalar = Scalar { value: "null".into(), style: Style::Plain, typed: Typed::Null, origin: None };
    super::edit::node(Kind::Scalar(scalar), span)
}

/// Equality of content, wherever it stands.
pub(super) fn same(a: &Node, b: &Node) -> bool {
    match (&*a.kind, &*b.kind) {
        (Kind::Scalar(x), Kind::Scalar(y)) => x.typed == y.typed && (x.value == y.value || a.is_null()),
        (Kind::Seq(x), Kind::Seq(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        (Kind::Map(x), Kind::Map(y)) => {
            x.entries.len() == y.entries.len()
                && x.entries.iter().all(|e| y.get(&e.key.name).is_some_and(|v| same(&e.value, v)))
        }
        _ => false,
    }
}
