//! `vars`: `$(NAME)` in certain fields of built-in kinds stands for a field of an object
//! (`api/internal/accumulator/resaccumulator.go`, `api/filters/refvar`). Deprecated in favour of `replacements`.

use super::edit::visit;
use super::names::string;
use super::resource::{Identity, Resource};
use super::specs::FieldSpec;
use crate::source::Span;
use crate::yaml::{Kind, Node, Scalar, Typed};

/// One variable, as its kustomization declares it.
#[derive(Clone, Debug)]
pub(super) struct Var {
    name: String,
    field: String,
    span: Span,
}

/// A variable with the value of its field; `None` for a field that is no scalar, whose references stay.
pub(super) type Value = (Var, Option<Node>);

/// A declaration that cannot be followed: where, and why.
pub(super) type Problem = (Span, String);

/// Takes in the variables of one kustomization and marks the objects that they refer to.
pub(super) fn declare(vars: &mut Vec<Var>, resources: &mut [Resource], root: &Node) -> Result<(), Problem> {
    for item in root.get("vars").into_iter().flat_map(Node::items) {
        let text = |path: &[&str]| item.at(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let name = text(&["name"]);
        let (group, version) = match text(&["objref", "apiVersion"]).split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (text(&["objref", "group"]), text(&["objref", "apiVersion"])),
        };
        let wanted = Identity {
            group,
            version,
            kind: text(&["objref", "kind"]),
            namespace: text(&["objref", "namespace"]),
            name: text(&["objref", "name"]),
        };
        if name.is_empty() || wanted.kind.is_empty() || wanted.name.is_empty() {
            return Err((item.span, "a variable needs a `name` and an `objref` with `kind` and `name`".to_owned()));
        }
        if vars.iter().any(|var| var.name == name) {
            return Err((item.span, format!("the variable `{name}` is already there")));
        }
        let same = |resource: &Resource| {
            let id = resource.earlier.first().cloned().unwrap_or_else(|| resource.identity());
            id.kind == wanted.kind
                && id.name == wanted.name
                && id.group == wanted.group
                && id.version == wanted.version
                && (wanted.namespace.is_empty() || id.is(&wanted))
        };
        let mut found: Vec<&mut Resource> = resources.iter_mut().filter(|r| same(r)).collect();
        if found.len() > 1 {
            return Err((item.span, format!("the variable `{name}` means {} objects", found.len())));
        }
        if let Some(resource) = found.pop() {
            resource.vars.push(name.clone());
        }
        let field = Some(text(&["fieldref", "fieldpath"])).filter(|f| !f.is_empty());
        vars.push(Var { name, field: field.unwrap_or_else(|| "metadata.name".to_owned()), span: item.span });
    }
    Ok(())
}

/// The values of all variables, read from the finished objects.
pub(super) fn values(vars: &[Var], resources: &[Resource]) -> Result<Vec<Value>, Problem> {
    vars.iter()
        .map(|var| {
            let owner = resources.iter().find(|r| r.vars.contains(&var.name));
            let owner = owner.ok_or_else(|| (var.span, format!("the variable `{}` means no object", var.name)))?;
            let found = super::replace::field(&owner.node, &var.field);
            let found = found.ok_or_else(|| (var.span, format!("there is no `{}` to read", var.field)))?;
            Ok((var.clone(), found.as_scalar().map(|_| found.clone())))
        })
        .collect()
}

/// Fields of a container in which variables are followed.
const CONTAINER: &[&[&str]] = &[&["args"], &["command"], &["env", "value"], &["volumeMounts", "mountPath"]];

/// Fields of other kinds (`varreference.go`).
const OTHER: &[(&str, &[&str])] = &[
    ("Ingress", &["spec", "rules", "host"]),
    ("Ingress", &["spec", "tls", "hosts"]),
    ("Ingress", &["spec", "tls", "secretName"]),
    ("Service", &["spec", "ports", "port"]),
    ("Service", &["spec", "ports", "targetPort"]),
    ("StatefulSet", &["spec", "volumeClaimTemplates", "spec", "nfs", "server"]),
    ("PersistentVolume", &["spec", "nfs", "server"]),
];

/// Follows the variables in every object.
pub(super) fn expand(resources: &mut [Resource], values: &[Value], more: &[FieldSpec]) {
    for resource in resources {
        let pod: Option<&[&str]> = match resource.kind() {
            "Pod" => Some(&["spec"]),
            "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "StatefulSet" => Some(&["spec", "template", "spec"]),
            "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
            _ => None,
        };
        let id = resource.identity();
        let more: Vec<Vec<String>> = more.iter().filter(|spec| spec.selects(&id)).map(FieldSpec::keys).collect();
        let mut paths: Vec<Vec<&str>> = Vec::new();
        if let Some(pod) = pod {
            for list in ["containers", "initContainers"] {
                paths.extend(CONTAINER.iter().map(|field| [pod, &[list], field].concat()));
            }
            if resource.kind() != "Pod" || !pod.is_empty() {
                paths.push([pod, &["volumes", "nfs", "server"]].concat());
            }
        }
        let kind = resource.kind().to_owned();
        paths.extend(OTHER.iter().filter(|(k, _)| *k == kind).map(|(_, path)| path.to_vec()));
        paths.push(vec!["metadata", "labels"]);
        paths.push(vec!["metadata", "annotations"]);
        for path in &more {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        for path in paths {
            let mut changes = Vec::new();
            let next = visit(&resource.node, &path, None, &mut |node| {
                let node = node?;
                let mut one = |node: &Node| match expanded(node, values) {
                    Some(value) if resource.shares(node) => {
                        changes.push((std::sync::Arc::clone(&node.kind), value));
                        None
                    }
                    value => value,
                };
                match &*node.kind {
                    Kind::Scalar(_) => one(node),
                    Kind::Seq(items) => {
                        let items = items.iter().map(|item| one(item).unwrap_or_else(|| item.clone())).collect();
                        Some(super::edit::with_kind(node, Kind::Seq(items)))
                    }
                    Kind::Map(map) => {
                        let mut map = map.clone();
                        for e in &mut map.entries {
                            if let Some(value) = one(&e.value) {
                                e.value = value;
                            }
                        }
                        Some(super::edit::with_kind(node, Kind::Map(map)))
                    }
                }
            });
            if let Some(next) = next {
                resource.node = next;
                resource.settle(changes);
            }
        }
    }
}

/// A string with its variables followed; `None` when it is no string or has none. A string that is one variable and
/// nothing else takes over the type of its value.
fn expanded(node: &Node, values: &[Value]) -> Option<Node> {
    let text = node.as_str().filter(|text| text.contains('$'))?;
    let value = |name: &str| values.iter().find(|(var, _)| var.name == name).and_then(|(_, value)| value.as_ref());
    if let Some(name) = text.strip_prefix("$(").and_then(|t| t.strip_suffix(')'))
        && !name.contains(')')
    {
        let found = value(name)?;
        return Some(super::edit::node(Kind::clone(&found.kind), node.span));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        match tail.chars().next() {
            None => {
                out.push('$');
                rest = tail;
            }
            Some('$') => {
                out.push('$');
                rest = &tail[1..];
            }
            Some('(') => match tail.find(')') {
                Some(end) => {
                    let name = &tail[1..end];
                    match value(name).and_then(Node::as_scalar) {
                        Some(scalar) => out.push_str(&plain(scalar)),
                        None => out.push_str(&rest[at..=at + 1 + end]),
                    }
                    rest = &tail[end + 1..];
                }
                None => {
                    out.push_str("$(");
                    rest = &tail[1..];
                }
            },
            Some(other) => {
                out.push('$');
                out.push(other);
                rest = &tail[other.len_utf8()..];
            }
        }
    }
    out.push_str(rest);
    Some(string(&out, node.span))
}

/// A scalar as Go's `%v` prints it.
fn plain(scalar: &Scalar) -> String {
    match scalar.typed {
        Typed::Bool(value) => value.to_string(),
        Typed::Int(value) => value.get().to_string(),
        _ => scalar.value.to_string(),
    }
}
