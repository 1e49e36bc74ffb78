//! Entries of a kustomization that kustomize passes over without a word, because nothing is what they ask for.

use super::resource::{Resource, Selector};
use super::{Quiet, Remark};
use crate::manifest::Image;
use crate::source::Span;
use crate::yaml::{Kind, Node};

fn idle(span: Span, message: String, help: String) -> Remark {
    Remark { about: Quiet::Idle, span, message: format!("this entry changes nothing: {message}"), help, other: None }
}

/// What an entry selects objects with, when it selects none. What names no object is for any that may be there, unless a
/// single field keeps it from one.
pub(super) fn selection<'a>(
    entry: &Node,
    field: &str,
    resources: &'a [Resource],
    means: impl Fn(&Selector, &'a Resource) -> bool,
) -> Option<Remark> {
    let select = entry.entry(field)?;
    let selector = Selector::read(&select.value);
    if resources.iter().any(|resource| means(&selector, resource)) {
        return None;
    }
    let near = selector.but_one().find_map(|(field, wider)| {
        let resource = resources.iter().find(|resource| means(&wider, resource))?;
        Some((field, resource.identity()))
    });
    let slip = |kind: &str| strsim::osa_distance(selector.kind().unwrap_or_default(), kind) <= 2;
    let kind = resources.iter().map(Resource::kind).find(|kind| slip(kind));
    let help = match near {
        None if let Some(kind) = kind => format!("did you mean `{kind}`?"),
        Some((field, id)) => format!("but for `{field}` it would be for the {} `{}`", id.kind, id.name),
        None if select.value.get("name").is_none() => return None,
        None => "`kubectl kustomize` says nothing of it either; mend what it selects, or drop it".to_owned(),
    };
    Some(idle(select.key.span, format!("no object of this build has {selector}"), help))
}

/// One entry of `images` that no container has.
pub(super) fn image(item: &Node, resources: &[Resource]) -> Option<Remark> {
    let name = item.get("name")?;
    let shown = name.as_text()?;
    let idle = |message, help: &str| Some(idle(name.span, message, help.to_owned()));
    if let Some(owner) = resources.iter().find_map(|resource| elsewhere(&resource.node, shown)) {
        return idle(
            format!("`{shown}` stands in `{owner}`, and `images` looks into `containers` and `initContainers`"),
            "patch the image, or name its field in a file of `configurations` (`images: [{path: …, kind: …}]`)",
        );
    }
    idle(
        format!("no container of this build has the image `{shown}`"),
        "the name is everything before the tag, registry included",
    )
}

/// The field that holds a container with this image outside of any list of containers.
fn elsewhere<'a>(node: &'a Node, name: &str) -> Option<&'a str> {
    match &*node.kind {
        Kind::Map(map) => map.entries.iter().find_map(|entry| {
            let image = entry.value.get("image").and_then(Node::as_text);
            match image.is_some_and(|image| Image::cut(image).repository == name) {
                true => Some(&*entry.key.name),
                false => elsewhere(&entry.value, name),
            }
        }),
        Kind::Seq(items) => items.iter().find_map(|item| elsewhere(item, name)),
        Kind::Scalar(_) => None,
    }
}
