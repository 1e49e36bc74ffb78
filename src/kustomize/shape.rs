//! What a kustomization may say: kustomize decodes it strictly, and what it refuses is not built here either
//! (`api/types/kustomization.go` and the types around it).

use crate::source::Span;
use crate::yaml::{Kind, Node, Typed};

/// What a field holds. `null` stands for any of it.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Count,
    Switch,
    Texts,
    Pairs,
    Switches,
    Any,
    One(Fields),
    Many(Fields),
}

type Fields = &'static [(&'static str, Shape)];

use Shape::{Any, Count, Many, One, Pairs, Switch, Switches, Text, Texts};

const KUSTOMIZATION: Fields = &[
    ("apiVersion", Text),
    ("kind", Text),
    ("metadata", Any),
    ("openapi", Pairs),
    ("namePrefix", Text),
    ("nameSuffix", Text),
    ("namespace", Text),
    ("commonLabels", Pairs),
    ("commonAnnotations", Pairs),
    ("labels", Many(LABEL)),
    ("patchesStrategicMerge", Texts),
    ("patchesJson6902", Many(PATCH)),
    ("patches", Many(PATCH)),
    ("images", Many(IMAGE)),
    ("imageTags", Many(IMAGE)),
    ("replacements", Many(REPLACEMENT)),
    ("replicas", Many(&[("name", Text), ("count", Count)])),
    ("vars", Many(VAR)),
    ("sortOptions", One(SORT)),
    ("resources", Texts),
    ("bases", Texts),
    ("components", Texts),
    ("crds", Texts),
    ("configMapGenerator", Many(GENERATOR)),
    ("secretGenerator", Many(GENERATOR)),
    ("generatorOptions", One(OPTIONS)),
    ("helmGlobals", Any),
    ("helmCharts", Any),
    ("helmChartInflationGenerator", Any),
    ("configurations", Texts),
    ("generators", Texts),
    ("transformers", Texts),
    ("validators", Texts),
    ("buildMetadata", Texts),
];

const FIELD_SPEC: Fields = &[("group", Text), ("version", Text), ("kind", Text), ("path", Text), ("create", Switch)];

const LABEL: Fields =
    &[("pairs", Pairs), ("includeSelectors", Switch), ("includeTemplates", Switch), ("fields", Many(FIELD_SPEC))];

const SELECTOR: Fields = &[
    ("group", Text),
    ("version", Text),
    ("kind", Text),
    ("name", Text),
    ("namespace", Text),
    ("labelSelector", Text),
    ("annotationSelector", Text),
];

const PATCH: Fields = &[("path", Text), ("patch", Text), ("target", One(SELECTOR)), ("options", Switches)];

const IMAGE: Fields = &[("name", Text), ("newName", Text), ("newTag", Text), ("tagSuffix", Text), ("digest", Text)];

const FIELD_OPTIONS: Fields = &[("delimiter", Text), ("index", Count), ("encoding", Text), ("create", Switch)];

const REPLACEMENT: Fields = &[
    ("path", Text),
    (
        "source",
        One(&[
            ("group", Text),
            ("version", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
            ("fieldPath", Text),
            ("options", One(FIELD_OPTIONS)),
        ]),
    ),
    (
        "targets",
        Many(&[
            ("select", One(SELECTOR)),
            ("reject", Many(SELECTOR)),
            ("fieldPaths", Texts),
            ("options", One(FIELD_OPTIONS)),
        ]),
    ),
];

const VAR: Fields = &[("name", Text), ("objref", Any), ("fieldref", Any)];

const SORT: Fields = &[("order", Text), ("legacySortOptions", One(&[("orderFirst", Texts), ("orderLast", Texts)]))];

const OPTIONS: Fields =
    &[("labels", Pairs), ("annotations", Pairs), ("disableNameSuffixHash", Switch), ("immutable", Switch)];

const GENERATOR: Fields = &[
    ("name", Text),
    ("namespace", Text),
    ("behavior", Text),
    ("type", Text),
    ("literals", Texts),
    ("files", Texts),
    ("envs", Texts),
    ("env", Text),
    ("options", One(OPTIONS)),
];

/// The first thing that kustomize would refuse in a kustomization: where, and why.
pub(super) fn refused(root: &Node) -> Option<(Span, String)> {
    if let Some(found) = wrong_fields(root, KUSTOMIZATION) {
        return Some(found);
    }
    let text = |key: &str| root.get(key).and_then(Node::as_text).filter(|text| !text.is_empty());
    let at = |key: &str| root.get(key).map_or(root.span, |node| node.span);
    let (kind, version) = (text("kind").unwrap_or("Kustomization"), text("apiVersion"));
    let wanted = match kind {
        "Kustomization" => "kustomize.config.k8s.io/v1beta1",
        "Component" => "kustomize.config.k8s.io/v1alpha1",
        _ => return Some((at("kind"), format!("`{kind}` is no kind of kustomization"))),
    };
    if version.is_some_and(|version| version != wanted) {
        return Some((at("apiVersion"), format!("the `apiVersion` of a `{kind}` is `{wanted}`")));
    }
    let order = root
        .at(&["sortOptions", "order"])
        .filter(|order| order.as_text().is_some_and(|order| !matches!(order, "" | "legacy" | "fifo")));
    if let Some(order) = order {
        return Some((order.span, "the order is `legacy` or `fifo`".to_owned()));
    }
    let unnamed = ["configMapGenerator", "secretGenerator"].iter().find_map(|key| {
        root.get(key)?.items().find(|item| item.get("name").and_then(Node::as_text).is_none_or(str::is_empty))
    });
    unnamed.map(|item| (item.span, "a generator needs a `name`".to_owned()))
}

fn wrong_fields(node: &Node, fields: Fields) -> Option<(Span, String)> {
    for entry in node.entries() {
        let Some((_, shape)) = fields.iter().find(|(name, _)| *name == &*entry.key.name) else {
            return Some((entry.key.span, format!("there is no field `{}`", entry.key.name)));
        };
        if let Some(found) = wrong(&entry.value, *shape, &entry.key.name) {
            return Some(found);
        }
    }
    None
}

fn wrong(node: &Node, shape: Shape, name: &str) -> Option<(Span, String)> {
    if node.is_null() {
        return None;
    }
    let not = |what: &str| Some((node.span, format!("`{name}` is no {what}")));
    let typed =
        |node: &Node, fits: fn(&Typed) -> bool| node.is_null() || node.as_scalar().is_some_and(|s| fits(&s.typed));
    let text: fn(&Typed) -> bool = |typed| matches!(typed, Typed::Str);
    let switch: fn(&Typed) -> bool = |typed| matches!(typed, Typed::Bool(_));
    match shape {
        Any => None,
        Text if !typed(node, text) => not("text"),
        Switch if !typed(node, switch) => not("boolean"),
        Count if !typed(node, |typed| matches!(typed, Typed::Int(_))) => not("whole number"),
        Text | Switch | Count => None,
        Texts => match &*node.kind {
            Kind::Seq(items) if items.iter().all(|item| typed(item, text)) => None,
            _ => not("list of texts"),
        },
        Pairs | Switches => {
            let fits = if matches!(shape, Pairs) { text } else { switch };
            let what = if matches!(shape, Pairs) { "map of texts" } else { "map of booleans" };
            match &*node.kind {
                Kind::Map(map) if map.entries.iter().all(|e| typed(&e.value, fits)) => None,
                _ => not(what),
            }
        }
        One(fields) => match &*node.kind {
            Kind::Map(_) => wrong_fields(node, fields),
            _ => not("map"),
        },
        Many(fields) => match &*node.kind {
            Kind::Seq(items) => items.iter().find_map(|item| match &*item.kind {
                Kind::Map(_) => wrong_fields(item, fields),
                _ if item.is_null() => None,
                _ => not("list of maps"),
            }),
            _ => not("list"),
        },
    }
}
