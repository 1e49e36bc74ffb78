//! The built-in transformers, in the order in which kustomize runs them.

use std::sync::Arc;

use super::config::Config;
use super::edit::{self, entry, visit};
use super::names::{self, string};
use super::resource::Resource;
use super::specs::{self, Conflict, FieldSpec};
use crate::manifest::Image;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// Whose namespace follows in the subjects of a role binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subjects {
    /// The account `default`, and those of this build.
    Default,
    /// Every account.
    Accounts,
    /// Nobody's.
    Nobody,
}

/// `namespace`; with `unset_only` only where there is none yet (`api/filters/namespace/namespace.go`).
pub(super) fn namespace(
    resources: &mut [Resource],
    value: &Node,
    specs: &[FieldSpec],
    subjects: Subjects,
    unset_only: bool,
) {
    if value.as_text().is_none_or(str::is_empty) {
        return;
    }
    let old_accounts: Vec<(String, String)> = resources
        .iter()
        .filter(|r| r.kind() == "ServiceAccount")
        .map(|r| (r.identity().name, r.identity().namespace))
        .collect();
    let free = |old: Option<&Node>| {
        !unset_only || old.is_none_or(|old| old.is_null() || old.as_text().is_some_and(str::is_empty))
    };
    for resource in resources.iter_mut() {
        let identity = resource.identity();
        resource.earlier.push(identity.clone());
        if !names::cluster_scoped(&identity) && free(resource.node.at(&["metadata", "namespace"])) {
            resource.node = edit::set_at(&resource.node, &["metadata", "namespace"], value.clone(), value.span);
        }
        let binding = matches!(identity.kind.as_str(), "RoleBinding" | "ClusterRoleBinding");
        if binding && let Some(list) = resource.node.get("subjects").cloned().filter(|s| s.as_seq().is_some()) {
            let items = list
                .items()
                .map(|subject| {
                    let text = |key: &str| subject.get(key).and_then(Node::as_text).unwrap_or_default().to_owned();
                    let account = text("kind") == "ServiceAccount";
                    let ours = match subjects {
                        Subjects::Accounts => account,
                        Subjects::Nobody => false,
                        Subjects::Default => {
                            let made = |(n, ns): &(String, String)| {
                                *n == text("name") && (*ns == text("namespace") || ns.is_empty())
                            };
                            account && (text("name") == "default" || old_accounts.iter().any(made))
                        }
                    };
                    if ours && free(subject.get("namespace")) {
                        edit::insert(subject, entry("namespace", value.clone(), value.span))
                    } else {
                        subject.clone()
                    }
                })
                .collect();
            let list = edit::with_kind(&list, Kind::Seq(items));
            resource.node = edit::insert(&resource.node, entry("subjects", list, value.span));
        }
        for spec in specs.iter().filter(|spec| spec.selects(&identity)) {
            // These two are done above, whatever is said of them.
            let done = spec.path == "metadata/namespace" || (binding && spec.path == "subjects");
            if done {
                continue;
            }
            let next = spec.visit(&resource.node, value.span, &mut |old| {
                let scalar = old.is_none_or(|old| old.as_scalar().is_some());
                (scalar && free(old)).then(|| value.clone())
            });
            if let Some(next) = next {
                resource.node = next;
            }
        }
    }
}

/// What a name gets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Affix<'a> {
    /// `namePrefix`
    Prefix(&'a str),
    /// `nameSuffix`
    Suffix(&'a str),
}

/// `namePrefix` or `nameSuffix`.
pub(super) fn affix(resources: &mut [Resource], affix: Affix<'_>, specs: &[FieldSpec], span: Span) {
    let with = |text: &str| match affix {
        Affix::Prefix(prefix) => format!("{prefix}{text}"),
        Affix::Suffix(suffix) => format!("{text}{suffix}"),
    };
    for resource in resources {
        let first = resource.earlier.first().cloned().unwrap_or_else(|| resource.identity());
        if names::keeps_name(&first) {
            continue;
        }
        for spec in specs.iter().filter(|spec| spec.selects(&first)) {
            if spec.path == "metadata/name" {
                names::rename(resource, &with(&resource.identity().name));
                match affix {
                    Affix::Prefix(prefix) => resource.prefixes.push(prefix.to_owned()),
                    Affix::Suffix(suffix) => resource.suffixes.push(suffix.to_owned()),
                }
                continue;
            }
            let next = spec.visit(&resource.node, span, &mut |old| {
                let text = old.map_or(Some(""), |old| old.as_scalar().map(|scalar| &*scalar.value))?;
                Some(string(&with(text), old.map_or(span, |old| old.span)))
            });
            if let Some(next) = next {
                resource.node = next;
            }
        }
    }
}

/// Adds labels or annotations at every field that the specs name. What is made for one pair is one node wherever it goes,
/// see [`Resource::shared`].
pub(super) fn pairs(resources: &mut [Resource], pairs: &Node, specs: &[FieldSpec]) {
    for resource in resources {
        let identity = resource.identity();
        let specs: Vec<&FieldSpec> = specs.iter().filter(|spec| spec.selects(&identity)).collect();
        for pair in pairs.entries() {
            // A map of texts has none of `null` but an empty one.
            let value = if pair.value.is_null() { string("", pair.value.span) } else { pair.value.clone() };
            let one = edit::fresh(&value);
            let mut made = 0;
            for spec in &specs {
                let mut changes = Vec::new();
                let next = spec.visit(&resource.node, pair.key.span, &mut |target| {
                    let map = match target {
                        None => edit::empty_map(pair.key.span),
                        Some(map) if map.as_map().is_some() => map.clone(),
                        Some(null) if null.is_null() && spec.create => edit::empty_map(pair.key.span),
                        Some(_) => return None,
                    };
                    let next = match map.get(&pair.key.name) {
                        Some(old) if resource.shares(old) => {
                            changes.push((Arc::clone(&old.kind), value.clone()));
                            return None;
                        }
                        Some(_) => edit::fresh(&value),
                        None => {
                            made += 1;
                            one.clone()
                        }
                    };
                    Some(edit::insert(&map, entry(&pair.key.name, next, pair.key.span)))
                });
                if let Some(next) = next {
                    resource.node = next;
                }
                resource.settle(changes);
            }
            if made > 1 {
                resource.shared.push(Arc::clone(&one.kind));
            }
        }
    }
}

/// The fields of one entry of `labels`: its own, and those that its switches ask for
/// (`api/internal/target/kusttarget_configplugin.go`).
///
/// # Errors
/// One of its own fields says otherwise whether to create it.
pub(super) fn label_fields(item: &Node, config: &Config) -> Result<Vec<FieldSpec>, Conflict> {
    let flag = |key: &str| item.get(key).and_then(Node::as_bool).unwrap_or(false);
    let mut out = FieldSpec::list(item.get("fields"));
    if flag("includeSelectors") {
        specs::merge(&mut out, &config.common_labels)?;
    } else if flag("includeTemplates") {
        specs::merge(&mut out, &config.template_labels)?;
    }
    specs::merge(&mut out, &config.labels)?;
    Ok(out)
}

/// One entry of `replicas`; whether there is anything for it to count.
pub(super) fn replicas(resources: &mut [Resource], item: &Node, specs: &[FieldSpec]) -> bool {
    let (Some(name), Some(count)) = (item.get("name").and_then(Node::as_text), item.get("count")) else { return false };
    let mut hit = false;
    for spec in specs {
        for resource in resources.iter_mut() {
            if !resource.identities().any(|id| id.name == name && spec.selects(&id)) {
                continue;
            }
            hit = true;
            if let Some(next) = spec.visit(&resource.node, count.span, &mut |_| Some(count.clone())) {
                resource.node = next;
            }
        }
    }
    hit
}

/// One entry of `images`: every `containers` and `initContainers` list at any depth, then the fields that the specs name.
/// What both reach is changed twice, which a `tagSuffix` shows (`api/internal/builtins/ImageTagTransformer.go`). Whether
/// there was anything to change.
pub(super) fn images(resources: &mut [Resource], item: &Node, specs: &[FieldSpec]) -> bool {
    let mut hit = false;
    for resource in resources {
        let identity = resource.identity();
        if identity.kind != "CustomResourceDefinition"
            && let Some(next) = image_walk(&resource.node, item)
        {
            hit = true;
            resource.node = next;
        }
        for spec in specs.iter().filter(|spec| spec.selects(&identity)) {
            // A field that is made is empty and no image.
            let path: Vec<String> = spec.keys();
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            if let Some(next) = visit(&resource.node, &path, None, &mut |node| image(node?, item)) {
                hit = true;
                resource.node = next;
            }
        }
    }
    hit
}

fn image_walk(node: &Node, item: &Node) -> Option<Node> {
    match &*node.kind {
        Kind::Map(map) => {
            let mut map = map.clone();
            let mut changed = false;
            for e in &mut map.entries {
                let next = if matches!(&*e.key.name, "containers" | "initContainers") && e.value.as_seq().is_some() {
                    visit(&e.value, &["image"], None, &mut |n| image(n?, item))
                } else {
                    image_walk(&e.value, item)
                };
                if let Some(next) = next {
                    e.value = next;
                    changed = true;
                }
            }
            changed.then(|| edit::with_kind(node, Kind::Map(map)))
        }
        Kind::Seq(items) => {
            let mut items = items.clone();
            let mut changed = false;
            for child in &mut items {
                if let Some(next) = image_walk(child, item) {
                    *child = next;
                    changed = true;
                }
            }
            changed.then(|| edit::with_kind(node, Kind::Seq(items)))
        }
        Kind::Scalar(_) => None,
    }
}

fn image(node: &Node, item: &Node) -> Option<Node> {
    let field = |key: &str| item.get(key).and_then(Node::as_text).filter(|t| !t.is_empty());
    let Image { repository: name, tag, digest } = Image::cut(node.as_text()?);
    if Some(name) != field("name") {
        return None;
    }
    let span: Span =
        ["newTag", "digest", "tagSuffix", "newName"].iter().find_map(|k| item.get(k)).map_or(item.span, |n| n.span);
    let mut out = field("newName").unwrap_or(name).to_owned();
    // Whichever of tag and digest is given replaces both (`api/filters/imagetag/updater.go`).
    let (tag, digest) = match (field("newTag"), field("digest"), field("tagSuffix")) {
        (Some(tag), digest, _) => (Some(tag.to_owned()), digest),
        (None, Some(digest), _) => (None, Some(digest)),
        (None, None, Some(suffix)) => (Some(format!("{}{suffix}", tag.unwrap_or_default())), None),
        (None, None, None) => (tag.map(str::to_owned), digest),
    };
    for (mark, part) in [(':', tag.as_deref()), ('@', digest)] {
        if let Some(part) = part {
            out.push(mark);
            out.push_str(part);
        }
    }
    Some(string(&out, span))
}
