//! What a patch loses when its list takes the place of the one that it was to join.
//!
//! kustomize merges lists by name where a schema says so, and has none for custom resources.

use super::{Quiet, Remark};
use crate::yaml::{Entry, Node};

/// Lists of which a patch says only what changes: their items have what no other item gives them.
const PIECEMEAL: [(&str, &str); 2] = [("components", "podTemplate"), ("containers", "image")];

/// Further lists that Kubernetes and the operator merge by name.
const BY_NAME: [&str; 5] = ["env", "envs", "initContainers", "volumeMounts", "volumes"];

/// The items of a list by their names; `None` when one has none.
fn named(list: &Node) -> Option<Vec<(&str, &Node)>> {
    list.items().map(|item| Some((item.get("name")?.as_text()?, item))).collect()
}

/// What is gone when `new` stands for the value of `old`; `None` when that may be meant: a patch that repeats a variable or
/// a whole component is one that writes the list out.
pub(super) fn replaced(old: &Entry, new: &Entry) -> Option<Remark> {
    let list = &*old.key.name;
    let (items, patched) = (named(&old.value)?, named(&new.value)?);
    let kept = |wanted: &str| patched.iter().find(|(name, _)| *name == wanted).map(|(_, item)| *item);
    let lost = if let Some((_, needed)) = PIECEMEAL.iter().find(|(name, _)| *name == list) {
        let without = |part: &Node| part.get(needed).is_none();
        let (name, _) =
            items.iter().find(|(name, item)| item.get(needed).is_some() && kept(name).is_some_and(without))?;
        format!("`{name}` loses its `{needed}`")
    } else {
        let all = BY_NAME.contains(&list) && !patched.is_empty() && items.iter().all(|(name, _)| kept(name).is_none());
        match items.as_slice() {
            [(name, _)] if all => format!("`{name}` is lost"),
            [(name, _), rest @ ..] if all => format!("`{name}` and {} more are lost", rest.len()),
            _ => return None,
        }
    };
    Some(Remark {
        about: Quiet::Replaced,
        span: new.key.span,
        message: format!("this `{list}` takes the place of the whole list: {lost}"),
        help: "add to it with a JSON 6902 patch, or give kustomize an `openapi` document with its merge key".to_owned(),
        other: Some((old.key.span, "the list that is gone")),
    })
}
