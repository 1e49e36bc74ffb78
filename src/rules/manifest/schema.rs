//! Objects of group `nvidia.com` against the operator's own schemas, and those of Kubernetes whose shape is in them as well:
//! a graph holds whole pods, a request holds a Job, a volume holds a claim.

use std::cell::RefCell;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::catalog::crd::{self, Field, ListKind, Path, Step, Type};
use crate::finding::{Applicability, Severity};
use crate::manifest::{Image, Object, quantity};
use crate::resolve::{Recipe, Version, aged, dynamo_release};
use crate::rules::Findings;
use crate::rules::mend::moved_out;
use crate::source::{Pattern, Sources, Span};
use crate::yaml::{Kind, Node, Typed};

/// What does not fit a schema.
enum Misfit {
    /// A field that is not there.
    Unknown { name: String, at: Span, parent: &'static Field, path: Vec<Step>, siblings: Vec<String> },
    /// A value of another type; none for a null.
    Type { at: Span, path: Vec<Step>, wanted: &'static Field, found: Option<Type> },
    /// A value outside the enum.
    Choice { at: Span, path: Vec<Step>, wanted: &'static Field, value: String },
    /// A field that must be there.
    Missing { at: Span, path: Vec<Step>, name: &'static str },
    /// A value outside the limits of its field: too small, too long, of another form.
    Limit { at: Span, path: Vec<Step>, what: String },
    /// An item of a list that tells its items apart, for the second time.
    Twice { at: Span, first: Span, path: Vec<Step>, key: String },
}

/// The part of an object whose schema is known: the way to it, what stands there, and the schema.
struct Part<'a> {
    path: &'static [&'static str],
    node: &'a Node,
    field: &'static Field,
    /// Whether the object is Kubernetes' own, which keeps no list as a map.
    native: bool,
}

/// What a request runs as a Job; the shape of every Job.
const JOB: [&str; 4] = ["spec", "overrides", "profilingJob", "template"];
const CLAIM: [&str; 4] = ["volumes", "ephemeral", "volumeClaimTemplate", "spec"];

fn below(from: &'static Field, path: &[&str]) -> Option<&'static Field> {
    path.iter().try_fold(from, |field, name| field.item().unwrap_or(field).named(name))
}

fn part(object: &Object) -> Option<Part<'_>> {
    if object.group() == "nvidia.com" {
        let field = crd::root(&object.kind, object.version())?;
        return Some(Part { path: &[], node: &object.node, field, native: false });
    }
    let request = crd::root("DynamoGraphDeploymentRequest", "v1beta1")?;
    let job = || below(request, &JOB[..3]);
    let pod = || below(request, &JOB)?.named("spec");
    let (path, field): (&'static [&'static str], _) = match (object.group(), object.kind.as_str()) {
        ("batch", "Job") => (&["spec"], job()),
        ("batch", "CronJob") => (&["spec", "jobTemplate", "spec"], job()),
        ("", "Pod") => (&["spec"], pod()),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => (&["spec", "template", "spec"], pod()),
        ("", "PersistentVolumeClaim") => (&["spec"], below(pod()?, &CLAIM)),
        // Texts by name, like the labels of a pod template.
        ("", "ConfigMap") => (&["data"], below(pod()?, &["nodeSelector"])),
        _ => return None,
    };
    Some(Part { path, node: object.node.at(path)?, field: field?, native: true })
}

fn type_of(node: &Node) -> Option<Type> {
    Some(match &*node.kind {
        Kind::Map(_) => Type::Object,
        Kind::Seq(_) => Type::Array,
        Kind::Scalar(scalar) => match scalar.typed {
            Typed::Null => return None,
            Typed::Bool(_) => Type::Boolean,
            Typed::Int(_) => Type::Integer,
            Typed::Float(_) => Type::Number,
            Typed::Str => Type::String,
        },
    })
}

/// Text that another tool replaces before the API server sees it: `${VAR}`, `<value>`, `{{ … }}`.
fn placeholder(node: &Node) -> bool {
    node.as_text().is_some_and(|t| {
        t.contains("${") || t.contains("{{") || (t.starts_with('<') && t.ends_with('>')) || t.starts_with('$')
    })
}

fn walk(node: &Node, field: &'static Field, path: &mut Vec<Step>, out: &mut Vec<Misfit>) {
    let Some(found) = type_of(node) else { return };
    let number = found == Type::Integer && field.takes(Type::Number);
    if !(number || field.takes(found)) {
        if !placeholder(node) {
            out.push(Misfit::Type { at: node.span, path: path.clone(), wanted: field, found: Some(found) });
        }
        return;
    }
    if let (false, Some(value)) = (field.choices().is_empty(), node.as_text())
        && !field.choices().contains(&value)
        && !placeholder(node)
    {
        out.push(Misfit::Choice { at: node.span, path: path.clone(), wanted: field, value: value.to_owned() });
    }
    if let Some(what) = outside(node, field) {
        out.push(Misfit::Limit { at: node.span, path: path.clone(), what });
    }
    if let Some(items) = node.as_seq() {
        twice(items, field, path, out);
        let Some(item) = field.item() else { return };
        path.push(Step::Item);
        for node in items {
            // A field that is null counts as absent; an item is there.
            if node.is_null() && !item.is_nullable() && !item.types().is_empty() {
                out.push(Misfit::Type { at: node.span, path: path.clone(), wanted: item, found: None });
            }
            walk(node, item, path, out);
        }
        path.pop();
        return;
    }
    let Some(map) = node.as_map() else { return };
    for entry in &map.entries {
        let name = &*entry.key.name;
        let named = field.named_entry(name);
        match (named, field.value()) {
            (Some((name, child)), _) => {
                path.push(Step::Field(name));
                walk(&entry.value, child, path, out);
                path.pop();
            }
            (None, Some(value)) => {
                path.push(Step::Value);
                walk(&entry.value, value, path, out);
                path.pop();
            }
            (None, None) if field.is_open() => {}
            // Go writes it out wherever there is metadata, and it says nothing.
            (None, None) if name == "creationTimestamp" && entry.value.is_null() => {}
            (None, None) => out.push(Misfit::Unknown {
                name: name.to_owned(),
                at: entry.key.span,
                parent: field,
                path: path.clone(),
                siblings: map.entries.iter().map(|e| e.key.name.to_string()).collect(),
            }),
        }
    }
    for required in field.required() {
        if map.get(required).is_none_or(Node::is_null) {
            out.push(Misfit::Missing { at: node.span, path: path.clone(), name: required });
        }
    }
}

/// What a value should have been, when it is outside the limits of its field.
fn outside(node: &Node, field: &Field) -> Option<String> {
    if let Some(items) = node.as_seq() {
        let most = field.max_items()?;
        return (items.len() > most as usize).then(|| format!("at most {most} items"));
    }
    if let Some(number) = node.as_int() {
        return match field.range() {
            (Some(least), _) if number < i128::from(least) => Some(format!("{least} or more")),
            (_, Some(most)) if number > i128::from(most) => Some(format!("{most} or less")),
            _ => None,
        };
    }
    let limits = field.length();
    let pattern = field.pattern();
    if limits == (None, None) && pattern.is_none() {
        return None;
    }
    let text = node.as_str().filter(|_| !placeholder(node))?;
    let length = text.chars().count();
    match limits {
        (Some(1), _) if length == 0 => return Some("some text".to_owned()),
        (Some(least), _) if length < least as usize => return Some(format!("{least} characters or more")),
        (_, Some(most)) if length > most as usize => return Some(format!("{most} characters or less")),
        _ => {}
    }
    let pattern = pattern?;
    // The pattern of a quantity is the same wherever one stands, and says less than its name.
    if pattern.contains("numkMGTPE") {
        return quantity::parse(text).is_none().then(|| "a quantity like `500m`, `4` or `80Gi`".to_owned());
    }
    (!matches(pattern, text)).then(|| format!("text that matches `{pattern}`"))
}

/// Whether a text has that form. There are a handful of patterns, and every object asks for the same ones.
fn matches(pattern: &'static str, text: &str) -> bool {
    thread_local! {
        static KNOWN: RefCell<Vec<(&'static str, Option<Pattern>)>> = const { RefCell::new(Vec::new()) };
    }
    KNOWN.with_borrow_mut(|known| {
        let at = known.iter().position(|(p, _)| *p == pattern).unwrap_or_else(|| {
            known.push((pattern, Pattern::new(pattern)));
            known.len() - 1
        });
        known[at].1.as_mut().is_none_or(|r| r.is_match(text))
    })
}

/// Items with the same keys in a list that the API server keeps as a map, and equal items in a set.
fn twice(items: &[Node], field: &Field, path: &[Step], out: &mut Vec<Misfit>) {
    let keys = field.list_keys();
    let set = field.list() == Some(ListKind::Set);
    if items.len() < 2 || (keys.is_empty() && !set) {
        return;
    }
    let at = |item: &Node| match set {
        true => item.span,
        false => keys.iter().find_map(|k| item.get(k)).map_or(item.span, |n| n.span),
    };
    // An absent key counts with its default, which two items can share as well.
    let default = |name: &&str| field.item().and_then(|i| i.named(name)).and_then(Field::default);
    // What tells the items apart, so many parts an item.
    let width = if set { 1 } else { keys.len() };
    let mut seen: FxHashMap<Vec<&str>, &Node> = FxHashMap::default();
    for item in items {
        let own: Vec<&str> = match set {
            true => item.as_text().into_iter().collect(),
            false => keys.iter().filter_map(|k| item.get(k).and_then(Node::as_text).or_else(|| default(k))).collect(),
        };
        if own.len() < width {
            continue;
        }
        match seen.entry(own) {
            Slot::Vacant(free) => {
                free.insert(item);
            }
            Slot::Occupied(taken) => {
                let key = taken.key().join(", ");
                out.push(Misfit::Twice { at: at(item), first: at(taken.get()), path: path.to_vec(), key });
            }
        }
    }
}

/// What does not fit in the objects of a file, object by object. Six rules speak about it; it is looked for once.
struct Misfits(Vec<Vec<Misfit>>);

fn misfits(recipe: &Recipe) -> Arc<Misfits> {
    recipe.memo().once(|| {
        let of = |object: &Object| {
            let mut found = Vec::new();
            if let Some(part) = part(object) {
                walk(part.node, part.field, &mut part.path.iter().map(|name| Step::Field(name)).collect(), &mut found);
                // Of its own objects Kubernetes says itself what may stand twice (a variable or a port may), and reads any
                // number as a quantity.
                found.retain(|misfit| match misfit {
                    _ if !part.native => true,
                    Misfit::Twice { .. } | Misfit::Type { found: None, .. } => false,
                    Misfit::Type { wanted, found: Some(Type::Number), .. } => wanted.pattern().is_none(),
                    _ => true,
                });
            }
            found
        };
        Misfits(recipe.here.iter().map(of).collect())
    })
}

/// Whether the images show that the object was written for an operator before 1.0, whose schema was another one. One of
/// Dynamo's own decides; `v1beta1` is younger than that.
fn old(object: &Object) -> bool {
    let before = |version: Version| version < Version::new(1, 0);
    object.graph().filter(|_| object.version() != "v1beta1").is_some_and(|graph| {
        let images = || graph.components.iter().filter_map(|c| c.main.image.as_ref()?.as_text());
        match images().find_map(dynamo_release) {
            Some(release) => before(release),
            None => images().any(|i| Image::cut(i).tag.and_then(Version::parse).is_some_and(before)) || aged(graph),
        }
    })
}

fn shown(path: &[Step]) -> String {
    if path.is_empty() { "the object".to_owned() } else { format!("`{}`", Path(path.to_vec())) }
}

/// Fields that older operators had, and what took their place.
const GONE: [(&str, &str); 3] = [
    ("pvc", "declare the claim in `spec.pvcs` and mount it with `volumeMounts: [{name, mountPoint}]`"),
    ("dynamoComponent", "write `services` with an image for each"),
    ("dynamoGraph", "write `services` with an image for each"),
];

/// Fields of operators newer than the schemas, with the end of the way to them.
const NEWER: [(&str, &[Step]); 7] = [
    ("dynamoSidecar", &[Step::Field("components"), Step::Item]),
    ("roles", &[Step::Field("components"), Step::Item]),
    ("lpx", &[Step::Field("components"), Step::Item]),
    ("engineGroup", &[Step::Field("components"), Step::Item]),
    ("roles", &[Step::Field("services"), Step::Value]),
    ("lpx", &[Step::Field("services"), Step::Value]),
    ("componentGroups", &[Step::Field("spec"), Step::Field("experimental")]),
];

/// The place where a field of that name would be understood: the one that shares most of the way.
fn home(root: &'static Field, name: &str, path: &[Step]) -> Option<Path> {
    let shared = |p: &Path| p.0.iter().zip(path).take_while(|(a, b)| a == b).count();
    // Of the lists of containers the one without a word in front is meant, and no pod's `resources` instead of theirs.
    let container = |p: &Path| p.0.iter().rev().nth(2) == Some(&Step::Field("containers"));
    let pod = [Step::Field("podTemplate"), Step::Field("spec"), Step::Field("resources")];
    let candidates = crd::find_field(root, name, 64).into_iter().filter(|p| !p.0.ends_with(&pod));
    // A name that many unrelated parts have (`name`, `kind`) says nothing when the way is not shared.
    let best = candidates.max_by_key(|p| (shared(p), usize::MAX - p.0.len(), container(p)))?;
    (shared(&best) >= 2 || path.len() < 2).then_some(best)
}

/// `unknown-field`
pub fn unknown_field(recipe: &Recipe, out: &mut Findings) {
    super::request::planner_keys(recipe, out);
    for (object, misfits) in recipe.here.iter().zip(&misfits(recipe).0) {
        let Some(Part { path: upto, node, field: root, .. }) = part(object) else { continue };
        for misfit in misfits {
            let Misfit::Unknown { name, at, parent, path, siblings } = misfit else { continue };
            let at = *at;
            // `api-version-shape` says this better.
            if **path == [Step::Field("spec")] && matches!(name.as_str(), "services" | "components") {
                continue;
            }
            if NEWER.iter().any(|(field, way)| *field == name && path.ends_with(way)) {
                continue;
            }
            let near = parent.nearest(name).filter(|n| !siblings.iter().any(|s| s == n));
            let home = home(root, name, &path[upto.len()..])
                .map(|home| Path(upto.iter().map(|name| Step::Field(name)).chain(home.0).collect()));
            let gone = GONE.iter().find(|(field, _)| *field == name);
            let help = match (near, gone, &home) {
                (Some(near), ..) => format!("did you mean `{near}`?"),
                (None, Some((_, instead)), _) => (*instead).to_owned(),
                (None, None, Some(home)) => format!("it belongs to `{home}`: check the indentation"),
                (None, None, None) if name.contains('/') && parent.child("custom").is_some() => {
                    if name == "nvidia.com/gpu" { "write `gpu`" } else { "write it below `custom`" }.to_owned()
                }
                (None, None, None) => format!("remove `{name}`"),
            };
            let label = if home.is_some() && near.is_none() { "no such field here" } else { "no such field" };
            let mut report = out
                .report(at, format!("{} has no field `{name}`", shown(path)), label)
                .subject(name.clone())
                .help(help);
            if let Some(near) = near {
                report = report.fix(Applicability::Unsafe, at, near);
            } else if gone.is_none() && home.is_some() {
                report = report.mend(Applicability::Unsafe, outdented(node, root, name, at, &recipe.sources));
            }
            if old(object) {
                report = report.severity(Severity::Warning);
            }
            report.emit();
        }
    }
}

/// A field that slipped into the last thing in front of it, back under the parent that knows it.
fn outdented(
    part: &Node,
    root: &'static Field,
    name: &str,
    at: Span,
    sources: &Sources,
) -> Option<Vec<crate::finding::Edit>> {
    let mut knows = |node: &Node| {
        let field = field_of(part, root, node.span);
        field.is_some_and(|field| field.named_entry(name).is_some()) && node.get(name).is_none()
    };
    moved_out(part, at, &sources.get(at.file), &mut knows)
}

/// The schema of the mapping that stands there.
fn field_of(node: &Node, field: &'static Field, at: Span) -> Option<&'static Field> {
    if node.span == at && node.as_map().is_some() {
        return Some(field);
    }
    let inside = |child: &Node| child.span.start <= at.start && at.end <= child.span.end;
    if let Some(items) = node.as_seq() {
        return items.iter().find(|item| inside(item)).and_then(|item| field_of(item, field.item()?, at));
    }
    let entry = node.entries().find(|entry| inside(&entry.value))?;
    let child = match field.named_entry(&entry.key.name) {
        Some((_, child)) => child,
        None => field.value()?,
    };
    field_of(&entry.value, child, at)
}

/// `wrong-type`
pub fn wrong_type(recipe: &Recipe, out: &mut Findings) {
    for misfits in &misfits(recipe).0 {
        for misfit in misfits {
            let Misfit::Type { at, path, wanted, found } = misfit else { continue };
            let at = *at;
            let types = wanted.types().iter().map(|t| t.as_str()).collect::<Vec<_>>().join(" or ");
            let quotes =
                wanted.takes(Type::String) && matches!(found, Some(Type::Integer | Type::Number | Type::Boolean));
            let help = if quotes {
                "put it in quotes".to_owned()
            } else if *found == Some(Type::String) && (wanted.takes(Type::Integer) || wanted.takes(Type::Boolean)) {
                "write it without quotes".to_owned()
            } else {
                format!("write {types}")
            };
            let written = recipe.sources.get(at.file).text.get(at.range()).unwrap_or_default().to_owned();
            let mut report = out
                .report(
                    at,
                    format!("{} takes {types}, not {}", shown(path), found.map_or("null", Type::as_str)),
                    "the API server refuses the object",
                )
                .subject(path_text(path))
                .help(help);
            if quotes && !written.is_empty() && !written.contains(['"', '\\']) {
                report = report.fix(Applicability::Safe, at, format!("\"{written}\""));
            }
            report.emit();
        }
    }
}

fn path_text(path: &[Step]) -> String {
    Path(path.to_vec()).to_string()
}

/// `invalid-choice`
pub fn invalid_choice(recipe: &Recipe, out: &mut Findings) {
    super::request::planner_words(recipe, out);
    for misfits in &misfits(recipe).0 {
        for misfit in misfits {
            let Misfit::Choice { at, path, wanted, value } = misfit else { continue };
            let at = *at;
            // `component-type-invalid` says this better.
            if path.last() == Some(&Step::Field("type")) && path.get(1) == Some(&Step::Field("components")) {
                continue;
            }
            // Operators learn of new GPUs: one that is written like theirs, and is not half of one.
            let form = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if path.last() == Some(&Step::Field("gpuSku"))
                && value.bytes().all(form)
                && !wanted.choices().iter().any(|c| c.starts_with(value.as_str()))
            {
                continue;
            }
            let legal = wanted.choices().iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
            out.report(at, format!("{} does not take `{value}`", shown(path)), "the API server refuses the object")
                .subject(path_text(path))
                .help(format!("write one of {legal}"))
                .emit();
        }
    }
}

/// `missing-field`
pub fn missing_field(recipe: &Recipe, out: &mut Findings) {
    for misfits in &misfits(recipe).0 {
        for misfit in misfits {
            let Misfit::Missing { at, path, name } = misfit else { continue };
            let at = *at;
            let start = Span::new(at.file, at.start, at.start + 1);
            out.report(start, format!("{} has no `{name}`", shown(path)), "the API server refuses the object")
                .subject(*name)
                .help(format!("add `{name}`"))
                .emit();
        }
    }
}

/// `value-refused`
pub fn value_refused(recipe: &Recipe, out: &mut Findings) {
    super::request::planner_refuses(recipe, out);
    for misfits in &misfits(recipe).0 {
        for misfit in misfits {
            let Misfit::Limit { at, path, what } = misfit else { continue };
            out.report(*at, format!("{} does not take this value", shown(path)), "the API server refuses the object")
                .subject(path_text(path))
                .help(format!("write {what}"))
                .emit();
        }
    }
}

/// `duplicate-item`
pub fn duplicate_item(recipe: &Recipe, out: &mut Findings) {
    for misfits in &misfits(recipe).0 {
        for misfit in misfits {
            let Misfit::Twice { at, first, path, key } = misfit else { continue };
            out.report(*at, format!("{} has `{key}` twice", shown(path)), "the API server refuses the object")
                .subject(key.clone())
                .label(*first, "first here")
                .help("keep one of them")
                .emit();
        }
    }
}
