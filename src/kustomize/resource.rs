//! Resources of a build and how patches and transformers select them.

use std::sync::Arc;

use super::edit;
use crate::source::{FileId, Pattern};
use crate::yaml::{Kind, Node};

/// One object on its way through a build.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// Its tree as of now.
    pub(super) node: Node,
    /// The file it was first read from.
    pub(super) file: FileId,
    /// Names it had before, oldest first: targets and references may use any of them.
    pub(super) earlier: Vec<Identity>,
    /// Whether a generator made it and its name gets a hash in the end.
    pub(super) hash: bool,
    /// Prefixes that its name has been given, innermost first.
    pub(super) prefixes: Vec<String>,
    /// Suffixes, likewise.
    pub(super) suffixes: Vec<String>,
    /// Scalars of its tree that are one: kustomize puts the same YAML node into every field that a label or annotation
    /// is added to (`api/filters/filtersutil/setters.go`, `SetEntry`), and whoever sets one of them later sets it in
    /// place (`kyaml/yaml/fns.go`, `FieldSetter`), so that all of them change. Only a way through JSON parts them.
    pub(super) shared: Vec<Arc<Kind>>,
    /// Variables (`vars`) that mean it.
    pub(super) vars: Vec<String>,
}

/// New values for scalars that may be shared, in the order in which they are set.
pub(super) type Changes = Vec<(Arc<Kind>, Node)>;

/// Group, version, kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// API group, empty for core.
    pub(super) group: String,
    /// Version.
    pub(super) version: String,
    /// Kind.
    pub(super) kind: String,
    /// Namespace, empty when not given.
    pub(super) namespace: String,
    /// Name.
    pub(super) name: String,
}

impl Identity {
    /// The identity an object has now.
    pub(super) fn of(node: &Node) -> Self {
        let text = |path: &[&str]| node.at(path).and_then(Node::as_text).unwrap_or_default().to_owned();
        let api_version = text(&["apiVersion"]);
        let (group, version) = match api_version.split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), api_version),
        };
        Self {
            group,
            version,
            kind: text(&["kind"]),
            namespace: text(&["metadata", "namespace"]),
            name: text(&["metadata", "name"]),
        }
    }

    /// The namespace, `default` when none is given, and none that a name could be for what lies in no namespace.
    pub(super) fn effective_namespace(&self) -> &str {
        match self.namespace.as_str() {
            _ if super::names::cluster_scoped(self) => "_non_namespaceable_",
            "" => "default",
            name => name,
        }
    }

    /// Whether both mean the same object, `default` and no namespace being one.
    pub(super) fn is(&self, other: &Self) -> bool {
        let namespace = |n: &str| if n == "default" { String::new() } else { n.to_owned() };
        self.group == other.group
            && self.version == other.version
            && self.kind == other.kind
            && self.name == other.name
            && namespace(&self.namespace) == namespace(&other.namespace)
    }
}

impl Resource {
    /// A resource as read.
    pub(super) fn new(node: Node, file: FileId) -> Self {
        Self {
            node,
            file,
            earlier: Vec::new(),
            hash: false,
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            shared: Vec::new(),
            vars: Vec::new(),
        }
    }

    /// Whether the node is one with others of this resource.
    pub(super) fn shares(&self, node: &Node) -> bool {
        shares(&self.shared, node)
    }

    /// Sets shared scalars in place: everywhere they stand.
    pub(super) fn settle(&mut self, changes: Changes) {
        for (n, (old, value)) in changes.iter().enumerate() {
            // Of several values for one scalar the last stands.
            if changes[n + 1..].iter().any(|(later, _)| Arc::ptr_eq(later, old)) {
                continue;
            }
            let Some(slot) = self.shared.iter_mut().find(|kind| Arc::ptr_eq(kind, old)) else { continue };
            let new = edit::fresh(value);
            *slot = Arc::clone(&new.kind);
            if let Some(next) = edit::substitute(&self.node, old, &|_| new.clone()) {
                self.node = next;
            }
        }
    }

    /// Its identity now.
    pub(super) fn identity(&self) -> Identity {
        Identity::of(&self.node)
    }

    /// Its identity now and every one before.
    pub(super) fn identities(&self) -> impl Iterator<Item = Identity> + '_ {
        self.earlier.iter().cloned().chain(std::iter::once(self.identity()))
    }

    /// `apiVersion` as written.
    pub(super) fn api_version(&self) -> &str {
        self.node.get("apiVersion").and_then(Node::as_text).unwrap_or_default()
    }

    /// `kind`.
    pub(super) fn kind(&self) -> &str {
        self.node.get("kind").and_then(Node::as_text).unwrap_or_default()
    }
}

/// Whether the node is one of the shared ones.
pub(super) fn shares(shared: &[Arc<Kind>], node: &Node) -> bool {
    shared.iter().any(|kind| Arc::ptr_eq(kind, &node.kind))
}

/// `target` of a patch, `select` of a replacement.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    group: Option<String>,
    version: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    namespace: Option<String>,
    labels: Option<String>,
    annotations: Option<String>,
}

impl Selector {
    /// Reads a selector.
    pub(super) fn read(node: &Node) -> Self {
        let field = |key: &str| node.get(key).and_then(Node::as_text).filter(|t| !t.is_empty()).map(str::to_owned);
        Self {
            group: field("group"),
            version: field("version"),
            kind: field("kind"),
            name: field("name"),
            namespace: field("namespace"),
            labels: field("labelSelector"),
            annotations: field("annotationSelector"),
        }
    }

    /// The fields as they are written, each with what it asks for.
    fn fields(&self) -> [(&'static str, &Option<String>); 7] {
        [
            ("group", &self.group),
            ("version", &self.version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("labelSelector", &self.labels),
            ("annotationSelector", &self.annotations),
        ]
    }

    /// The kind that it asks for.
    pub(super) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The selectors that ask for all but one of several fields, with the field left out.
    pub(super) fn but_one(&self) -> impl Iterator<Item = (&'static str, Self)> + '_ {
        let fields = self.fields().into_iter().filter(|(_, value)| value.is_some());
        let alone = fields.clone().count() < 2;
        fields.filter(move |_| !alone).map(|(field, _)| {
            let mut wider = self.clone();
            *match field {
                "group" => &mut wider.group,
                "version" => &mut wider.version,
                "kind" => &mut wider.kind,
                "name" => &mut wider.name,
                "namespace" => &mut wider.namespace,
                "labelSelector" => &mut wider.labels,
                _ => &mut wider.annotations,
            } = None;
            (field, wider)
        })
    }

    /// Whether a patch's target is the resource: patterns are anchored regular expressions, namespace and name may be those
    /// that it had first (`api/resmap/reswrangler.go`, `Select`).
    pub(super) fn matches(&self, resource: &Resource) -> bool {
        let now = resource.identity();
        let first = resource.earlier.first().unwrap_or(&now);
        let either = |pattern: &Option<String>, field: &dyn Fn(&Identity) -> String| {
            whole(pattern.as_deref(), &field(first)) || whole(pattern.as_deref(), &field(&now))
        };
        either(&self.namespace, &|id| id.effective_namespace().to_owned())
            && either(&self.name, &|id| id.name.clone())
            && whole(self.group.as_deref(), &now.group)
            && whole(self.version.as_deref(), &now.version)
            && whole(self.kind.as_deref(), &now.kind)
            && self.selects_pairs(resource)
    }

    /// Whether a replacement means the resource: names are taken as they are, and any identity that it ever had counts
    /// (`api/filters/replacement/replacement.go`).
    pub(super) fn means(&self, resource: &Resource) -> bool {
        self.selects_pairs(resource) && self.means_identity(resource)
    }

    /// The same for an entry of `reject`, which only counts for what it says.
    pub(super) fn rejects(&self, resource: &Resource) -> bool {
        let says = |fields: &[&Option<String>]| fields.iter().any(|field| field.is_some());
        let identity = [&self.group, &self.version, &self.kind, &self.name, &self.namespace];
        (says(&identity) && self.means_identity(resource))
            || (says(&[&self.labels, &self.annotations]) && self.selects_pairs(resource))
    }

    fn means_identity(&self, resource: &Resource) -> bool {
        let same = |field: &Option<String>, value: &str| field.as_deref().is_none_or(|field| field == value);
        resource.identities().any(|id| {
            same(&self.group, &id.group)
                && same(&self.version, &id.version)
                && same(&self.kind, &id.kind)
                && same(&self.name, &id.name)
                && same(&self.namespace, id.effective_namespace())
        })
    }

    fn selects_pairs(&self, resource: &Resource) -> bool {
        let metadata = |key: &str| resource.node.at(&["metadata", key]);
        self.labels.as_deref().is_none_or(|s| label_selector(s, metadata("labels")))
            && self.annotations.as_deref().is_none_or(|s| label_selector(s, metadata("annotations")))
    }
}

impl std::fmt::Display for Selector {
    /// What it asks for, as "kind `DynamoGraphDeployment`, name `chat`".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = self.fields().into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        for (n, (name, value)) in said.enumerate() {
            write!(f, "{}{name} `{value}`", if n == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Whether the pattern, anchored at both ends, matches; no pattern matches everything.
fn whole(pattern: Option<&str>, text: &str) -> bool {
    pattern.is_none_or(|pattern| {
        // Names and groups, nearly all, need no regular expression: no character in them is special but the dot.
        if pattern.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'/' | b'.')) {
            let mut rest = text.chars();
            let one = |p: char| rest.next().is_some_and(|c| p == c || p == '.' && c != '\n');
            return pattern.chars().all(one) && rest.next().is_none();
        }
        Pattern::new(&format!("^(?:{pattern})$")).is_some_and(|mut pattern| pattern.is_match(text))
    })
}

/// A Kubernetes label selector: `a=b`, `a!=b`, `a in (x,y)`, `a notin (x)`, `a`, `!a`, joined by commas.
fn label_selector(selector: &str, labels: Option<&Node>) -> bool {
    let value = |key: &str| labels.and_then(|l| l.get(key.trim())).and_then(Node::as_text);
    split_outside_parentheses(selector).iter().all(|term| {
        let term = term.trim();
        if let Some((key, set)) = term.split_once(" notin ") {
            return value(key).is_none_or(|v| !in_set(set, v));
        }
        if let Some((key, set)) = term.split_once(" in ") {
            return value(key).is_some_and(|v| in_set(set, v));
        }
        if let Some((key, want)) = term.split_once("!=") {
            return value(key) != Some(want.trim());
        }
        if let Some((key, want)) = term.split_once("==").or_else(|| term.split_once('=')) {
            return value(key) == Some(want.trim());
        }
        match term.strip_prefix('!') {
            Some(key) => value(key).is_none(),
            None => value(term).is_some(),
        }
    })
}

fn in_set(set: &str, value: &str) -> bool {
    set.trim().trim_start_matches('(').trim_end_matches(')').split(',').any(|v| v.trim() == value)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut out, mut depth, mut start) = (Vec::new(), 0usize, 0usize);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                out.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out
}
