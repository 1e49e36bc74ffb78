//! Names that a build changes, where kustomize does not follow them: it knows where built-in kinds write the names of others,
//! and nothing of custom resources or of addresses inside of texts.

use super::resource::Resource;
use super::{Quiet, Remark};
use crate::source::{Span, Text};
use crate::yaml::{Kind, Map, Node};

/// Fields that hold a name, what they stand in, and the kind of what is meant.
const FIELDS: [(&str, &str, &str); 9] = [
    ("configMap", "name", "ConfigMap"),
    ("configMapRef", "name", "ConfigMap"),
    ("configMapKeyRef", "name", "ConfigMap"),
    ("secret", "secretName", "Secret"),
    ("secretRef", "name", "Secret"),
    ("secretKeyRef", "name", "Secret"),
    ("imagePullSecrets", "name", "Secret"),
    ("persistentVolumeClaim", "claimName", "PersistentVolumeClaim"),
    ("pvcs", "name", "PersistentVolumeClaim"),
];

/// Fields that hold a name wherever they stand.
const ANYWHERE: [(&str, &str); 2] = [("envFromSecret", "Secret"), ("serviceAccountName", "ServiceAccount")];

/// An object that has another name in the end than at first.
struct Renamed {
    kind: String,
    old: String,
    new: String,
    span: Span,
}

/// Names that stay what they were while the objects that they are for are called otherwise. `trace` gives the text of a
/// scalar, character by character.
pub(super) fn unfollowed(resources: &[Resource], trace: &dyn Fn(&Node, &str) -> Text) -> Vec<Remark> {
    let now: Vec<_> = resources.iter().map(Resource::identity).collect();
    let renamed: Vec<Renamed> = resources
        .iter()
        .zip(&now)
        .filter_map(|(resource, id)| {
            let old = resource.earlier.iter().map(|earlier| &earlier.name).find(|old| **old != id.name)?;
            // Another object may have taken its name.
            let free = !now.iter().any(|other| other.kind == id.kind && other.name == *old);
            let span = resource.node.at(&["metadata", "name"])?.span;
            free.then(|| Renamed { kind: id.kind.clone(), old: old.clone(), new: id.name.clone(), span })
        })
        .collect();
    let mut out = Vec::new();
    if renamed.is_empty() {
        return out;
    }
    for (resource, id) in resources.iter().zip(&now) {
        if id.group == "nvidia.com" {
            names(&resource.node, "", &renamed, &id.kind, &mut out);
        } else {
            addresses(&resource.node, &renamed, trace, &mut out);
        }
    }
    out
}

fn remark(renamed: &Renamed, span: Span, help: String) -> Remark {
    Remark {
        about: Quiet::Unfollowed,
        span,
        message: format!("the {} `{}` is called `{}` in this build", renamed.kind, renamed.old, renamed.new),
        help,
        other: Some((renamed.span, "it gets another name here")),
    }
}

/// Looks through the fields of a custom resource.
fn names(node: &Node, parent: &str, renamed: &[Renamed], referrer: &str, out: &mut Vec<Remark>) {
    let made_by_the_operator = |map: &Map| map.get("create").and_then(Node::as_bool) == Some(true);
    match &*node.kind {
        Kind::Map(map) => {
            for entry in &map.entries {
                let key = &*entry.key.name;
                let here = FIELDS.iter().find(|(holder, field, _)| (*holder, *field) == (parent, key));
                let anywhere = ANYWHERE.iter().find(|(field, _)| *field == key);
                let kind = here.map(|(.., kind)| *kind).or_else(|| anywhere.map(|(_, kind)| *kind));
                if let Some((kind, name)) = kind.zip(entry.value.as_text()).filter(|_| !made_by_the_operator(map)) {
                    let meant = renamed.iter().find(|renamed| renamed.kind == kind && renamed.old == name);
                    out.extend(meant.map(|renamed| {
                        let help = format!(
                            "kustomize does not follow names into a {referrer}: name the field in a file of \
                             `configurations` (`nameReference`), or keep the name (`disableNameSuffixHash`, no affix)"
                        );
                        remark(renamed, entry.value.span, help)
                    }));
                } else {
                    names(&entry.value, key, renamed, referrer, out);
                }
            }
        }
        Kind::Seq(items) => items.iter().for_each(|item| names(item, parent, renamed, referrer, out)),
        Kind::Scalar(_) => {}
    }
}

/// Looks for addresses of a graph's frontend.
fn addresses(node: &Node, renamed: &[Renamed], trace: &dyn Fn(&Node, &str) -> Text, out: &mut Vec<Remark>) {
    match &*node.kind {
        Kind::Map(map) => map.entries.iter().for_each(|entry| addresses(&entry.value, renamed, trace, out)),
        Kind::Seq(items) => items.iter().for_each(|item| addresses(item, renamed, trace, out)),
        Kind::Scalar(scalar) => {
            let graphs = renamed.iter().filter(|renamed| renamed.kind == "DynamoGraphDeployment");
            for graph in graphs {
                let address = format!("{}-frontend", graph.old);
                let Some(at) = scalar.value.find(&address) else { continue };
                let ends = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
                if ends(scalar.value[..at].chars().next_back())
                    && ends(scalar.value[at + address.len()..].chars().next())
                {
                    let span = trace(node, &scalar.value).slice_span(at..at + address.len());
                    out.push(remark(graph, span, format!("write `{}-frontend`", graph.new)));
                }
            }
        }
    }
}
