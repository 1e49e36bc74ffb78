//! Go to definition: from a value that lost to the one that won, from a reference to its object.

use gen_lsp_types::Location;

use super::cursor::{self, Thing};
use super::hover::{flag_span, wins_over};
use super::view::View;
use crate::manifest::Object;
use crate::source::Span;
use crate::yaml::{self, Limits, Node};

/// Where what stands at an offset is defined.
pub(super) fn at(view: &View<'_>, offset: u32) -> Vec<Location> {
    let mut spans = reference(view, offset);
    if spans.is_empty() {
        for thing in cursor::at(view, offset) {
            spans.extend(winner(&thing));
        }
    }
    let mut out: Vec<Location> = Vec::new();
    for location in spans.into_iter().filter_map(|span| view.location(span)) {
        if !out.contains(&location) {
            out.push(location);
        }
    }
    out
}

/// Who decides, where that is somebody else.
fn winner(thing: &Thing<'_>) -> Option<Span> {
    match thing {
        Thing::Variable(variable) => match wins_over(variable.service, &variable.var.name) {
            Some((flag, _)) => Some(flag_span(variable.service, &flag)),
            None => variable.var.winner().span,
        },
        Thing::Flag(option) => option.service.flag(&[&option.flag.name]).map(|flag| flag.span),
        Thing::Key(..) => None,
    }
}

/// The objects, or the key of one, that a reference at that offset names.
fn reference(view: &View<'_>, offset: u32) -> Vec<Span> {
    let stream = yaml::parse(&view.file, &Limits::default());
    let Some(root) =
        stream.documents.iter().filter_map(|d| d.root.as_ref()).find(|root| view.covers(root.span, offset))
    else {
        return Vec::new();
    };
    let way = way_to(view, root, offset);
    let Some((node, keys)) = way.split_last().map(|(last, above)| (last.node, above)) else { return Vec::new() };
    let Some(name) = node.as_text() else { return Vec::new() };
    let key = |back: usize| way.iter().rev().filter_map(|step| step.key).nth(back).unwrap_or_default();
    let holder = keys.iter().rev().map(|step| step.node).find(|node| node.as_map().is_some());
    match (key(1), key(0)) {
        ("configMapKeyRef", "key") => {
            let map = holder.and_then(|holder| holder.get("name")).and_then(Node::as_text).unwrap_or_default();
            let found = objects(view, &["ConfigMap"], map);
            found.iter().filter_map(|object| object.data(name)).map(|node| node.span).collect()
        }
        ("configMapRef" | "configMapKeyRef" | "configMap", "name") => names(view, &["ConfigMap"], name),
        ("secretRef" | "secretKeyRef", "name") | ("secret", "secretName") => names(view, &["Secret"], name),
        (_, "envFromSecret") => names(view, &["Secret"], name),
        (_, "claimName" | "pvcName") => names(view, &["PersistentVolumeClaim"], name),
        ("pvcs" | "pvc", "name") => names(view, &["PersistentVolumeClaim"], name),
        (_, "resourceClaimTemplateName") => {
            let mut spans = names(view, &["ResourceClaimTemplate"], name);
            // A ComputeDomain makes its template itself.
            let template = |object: &&Object| {
                let path = ["spec", "channel", "resourceClaimTemplate", "name"];
                object.node.at(&path).and_then(Node::as_text) == Some(name)
            };
            let all = around(view);
            spans.extend(all.iter().filter(|o| o.kind == "ComputeDomain").filter(template).map(|o| o.name_span));
            spans
        }
        (_, "resourceClaimName") => names(view, &["ResourceClaim"], name),
        (_, "serviceAccountName") => names(view, &["ServiceAccount"], name),
        ("volumeMounts", "name") => of_pod(&way, "volumes", name).into_iter().collect(),
        ("claims", "name") => of_pod(&way, "resourceClaims", name).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The volume of the pod that a mount names, or the claim that a container takes.
fn of_pod(way: &[Step<'_>], list: &str, name: &str) -> Option<Span> {
    let lists = way.iter().rev().filter_map(|step| {
        // Of v1alpha1, `resources` stand beside what is said of the pod.
        step.node.get(list).or_else(|| step.node.at(&["extraPodSpec", list]))
    });
    let mut names = lists.flat_map(|list| list.items().filter_map(|item| item.get("name")));
    names.find(|node| node.as_text() == Some(name)).map(|node| node.span)
}

fn names(view: &View<'_>, kinds: &[&str], name: &str) -> Vec<Span> {
    objects(view, kinds, name).iter().map(|object| object.name_span).collect()
}

/// Objects of the unit by kind and name: those of this file if there are any, else those beside it, else all.
fn objects(view: &View<'_>, kinds: &[&str], name: &str) -> Vec<Object> {
    let all = around(view);
    let all: Vec<Object> = all.into_iter().filter(|o| o.name == name && kinds.contains(&o.kind.as_str())).collect();
    let here: Vec<Object> = all.iter().filter(|object| view.has(object.name_span)).cloned().collect();
    let directory = |object: &&Object| {
        let file = view.analysis.sources().get(object.name_span.file);
        file.path.as_deref().and_then(std::path::Path::parent) == view.path.parent()
    };
    let beside: Vec<Object> = all.iter().filter(directory).cloned().collect();
    [here, beside].into_iter().find(|list| !list.is_empty()).unwrap_or(all)
}

/// Every object of the unit.
fn around(view: &View<'_>) -> Vec<Object> {
    let Some(deployment) = view.deployments().first() else { return Vec::new() };
    let recipe = &deployment.recipe;
    let mut all: Vec<Object> = recipe.around.iter().chain(recipe.directory.iter()).cloned().collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|object| seen.insert((object.kind.clone(), object.name_span)));
    all
}

/// One node on the way from a root to a place, with the key it stands under.
struct Step<'a> {
    key: Option<&'a str>,
    node: &'a Node,
}

/// From the root down to the scalar there.
fn way_to<'a>(view: &View<'_>, root: &'a Node, offset: u32) -> Vec<Step<'a>> {
    let mut way = vec![Step { key: None, node: root }];
    loop {
        let node = way[way.len() - 1].node;
        let entry = node.entries().find(|entry| view.covers(entry.value.span, offset));
        let next = match entry {
            Some(entry) => Some(Step { key: Some(&entry.key.name), node: &entry.value }),
            None => node.items().find(|item| view.covers(item.span, offset)).map(|node| Step { key: None, node }),
        };
        match next {
            Some(step) => way.push(step),
            None => return way,
        }
    }
}
