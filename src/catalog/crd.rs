//! Schemas of the operator's CRDs: which fields exist, of which type, and what the API server does to them.
//!
//! The API server drops a field that its schema does not know, without an error unless the client asks for strict
//! validation; below an *open* field everything is kept.

use super::nearest_of;
use super::text::Text;

include!(concat!(env!("OUT_DIR"), "/catalog_schemas.rs"));

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A mapping.
    Object,
    /// A list.
    Array,
    /// A string.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl Type {
    /// With its article, for messages: `a string`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Object => "a mapping",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
        }
    }
}

/// How a list merges (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// Items are told apart by key fields; two with the same keys are refused.
    Map,
    /// Items are scalars; one twice is refused.
    Set,
    /// Replaced as a whole.
    Atomic,
}

/// What may stand at one place of an object.
#[derive(Debug)]
pub struct Field {
    types: &'static [Type],
    open: bool,
    embedded: bool,
    nullable: bool,
    list: Option<ListKind>,
    /// Places in `LISTS`: this, `choices` and `required`.
    keys: u16,
    choices: u16,
    pattern: Option<Text>,
    default: Option<Text>,
    min: Option<i64>,
    max: Option<i64>,
    min_length: Option<u32>,
    max_length: Option<u32>,
    max_items: Option<u32>,
    required: u16,
    /// From and to in `ENTRIES`.
    fields: (u16, u16),
    items: Option<u16>,
    values: Option<u16>,
}

/// The schema of a kind of group `nvidia.com`, by its version (`v1alpha1`, `v1beta1`; `nvidia.com/` in front is fine).
#[must_use]
pub fn root(kind: &str, version: &str) -> Option<&'static Field> {
    let version = version.strip_prefix("nvidia.com/").unwrap_or(version);
    ROOTS.iter().find(|(k, v, _)| *k == kind && *v == version).map(|(.., root)| at(*root))
}

/// Kinds and versions whose schemas are known.
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROOTS.iter().map(|(kind, version, _)| (*kind, *version))
}

fn at(index: u16) -> &'static Field {
    // build/catalog.rs refuses an index that is not behind its node
    &FIELDS[usize::from(index)]
}

/// One step from a field to a field below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A named field.
    Field(&'static str),
    /// Any value of a map.
    Value,
    /// Any item of a list.
    Item,
}

/// A way from the root to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl std::fmt::Display for Path {
    /// `spec.services.*.extraPodSpec.containers[].env`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            match step {
                Step::Field(name) => write!(f, "{dot}{name}")?,
                Step::Value => write!(f, "{dot}*")?,
                Step::Item => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

/// Every place below `from` that has a field of that name, nearest to `from` first; at most `limit`.
#[must_use]
pub fn find_field(from: &'static Field, name: &str, limit: usize) -> Vec<Path> {
    let mut found = Vec::new();
    let mut level: Vec<(&'static Field, Vec<Step>)> = vec![(from, Vec::new())];
    // the schemas are trees of finite depth, so that a level-by-level walk ends
    while !level.is_empty() && found.len() < limit {
        let mut next = Vec::new();
        for (field, path) in level {
            let below = field.children().map(|(n, f)| (Step::Field(n), f));
            let below =
                below.chain(field.value().map(|f| (Step::Value, f))).chain(field.item().map(|f| (Step::Item, f)));
            for (step, child) in below {
                let mut path = path.clone();
                path.push(step);
                if step == Step::Field(name_of(step, name)) && found.len() < limit {
                    found.push(Path(path.clone()));
                }
                next.push((child, path));
            }
        }
        level = next;
    }
    found
}

/// The step's own name if it is `name`; an impossible one otherwise, so that a comparison fails.
fn name_of(step: Step, name: &str) -> &'static str {
    match step {
        Step::Field(own) if own == name => own,
        _ => "",
    }
}

impl Field {
    /// The JSON types it takes; empty when it takes any.
    #[must_use]
    pub const fn types(&self) -> &'static [Type] {
        self.types
    }

    /// Whether a value of that type is taken. An integer is a number as well.
    #[must_use]
    pub fn takes(&self, kind: Type) -> bool {
        self.types.is_empty() || self.types.contains(&kind)
    }

    /// Whether fields that the schema does not name are kept.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open || (self.types.is_empty() && self.fields.0 == self.fields.1)
    }

    /// Whether it is a map from free names to values of one schema.
    #[must_use]
    pub const fn is_map(&self) -> bool {
        self.values.is_some()
    }

    /// Whether a whole Kubernetes object stands there.
    #[must_use]
    pub const fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Whether `null` is kept as a value. Elsewhere the API server drops a null field.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// What may stand under a name: the named field, else the value of a map.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&'static Self> {
        self.named(name).or_else(|| self.value())
    }

    /// Its named fields, sorted.
    fn entries(&self) -> &'static [(Text, u16)] {
        &ENTRIES[usize::from(self.fields.0)..usize::from(self.fields.1)]
    }

    /// The named field alone.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&'static Self> {
        self.named_entry(name).map(|(_, field)| field)
    }

    /// The named field with its name.
    #[must_use]
    pub fn named_entry(&self, name: &str) -> Option<(&'static str, &'static Self)> {
        let entries = self.entries();
        let (name, index) = entries[entries.binary_search_by(|(n, _)| n.cmp_by_length(name)).ok()?];
        Some((name.get(), at(index)))
    }

    /// All named fields, sorted by name.
    pub fn children(&self) -> impl Iterator<Item = (&'static str, &'static Self)> {
        let mut all: Vec<_> = self.entries().iter().map(|(name, index)| (name.get(), at(*index))).collect();
        crate::source::order_by_key(&mut all, |(name, _)| *name);
        all.into_iter()
    }

    /// What a list's items look like.
    #[must_use]
    pub fn item(&self) -> Option<&'static Self> {
        self.items.map(at)
    }

    /// What a map's values look like.
    #[must_use]
    pub fn value(&self) -> Option<&'static Self> {
        self.values.map(at)
    }

    /// Fields that must be there; the API server refuses the object otherwise.
    #[must_use]
    pub fn required(&self) -> &'static [&'static str] {
        LISTS[usize::from(self.required)]
    }

    /// The values an enum takes; empty for no enum.
    #[must_use]
    pub fn choices(&self) -> &'static [&'static str] {
        LISTS[usize::from(self.choices)]
    }

    /// How a list merges.
    #[must_use]
    pub const fn list(&self) -> Option<ListKind> {
        self.list
    }

    /// Key fields of a list that merges by key.
    #[must_use]
    pub fn list_keys(&self) -> &'static [&'static str] {
        LISTS[usize::from(self.keys)]
    }

    /// The value that the API server fills in.
    #[must_use]
    pub fn default(&self) -> Option<&'static str> {
        self.default.map(Text::get)
    }

    /// Regular expression (RE2) that a string must match.
    #[must_use]
    pub fn pattern(&self) -> Option<&'static str> {
        self.pattern.map(Text::get)
    }

    /// Smallest and largest number.
    #[must_use]
    pub const fn range(&self) -> (Option<i64>, Option<i64>) {
        (self.min, self.max)
    }

    /// Fewest and most characters of a string.
    #[must_use]
    pub const fn length(&self) -> (Option<u32>, Option<u32>) {
        (self.min_length, self.max_length)
    }

    /// Most items of a list.
    #[must_use]
    pub const fn max_items(&self) -> Option<u32> {
        self.max_items
    }

    /// The named field nearest to an unknown name: right but for case and separators, else at most two edits away.
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        let plain = |text: &str| text.replace(['_', '-'], "").to_ascii_lowercase();
        let wanted = plain(name);
        let names = || self.entries().iter().map(|(n, _)| n.get());
        let same = names().find(|n| plain(n) == wanted);
        let limit = if name.len() > 5 { 2 } else { 1 };
        same.or_else(|| nearest_of(name, names(), limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(kind: &str, version: &str, path: &[&str]) -> &'static Field {
        path.iter().fold(root(kind, version).expect("a root"), |field, step| {
            if *step == "[]" {
                field.item().expect("a list")
            } else {
                field.child(step).unwrap_or_else(|| panic!("{step}"))
            }
        })
    }

    #[test]
    fn both_versions_of_a_graph_are_there() {
        for (kind, version) in [
            ("DynamoGraphDeployment", "v1alpha1"),
            ("DynamoGraphDeployment", "nvidia.com/v1beta1"),
            ("DynamoComponentDeployment", "v1alpha1"),
            ("DynamoComponentDeployment", "v1beta1"),
            ("DynamoGraphDeploymentRequest", "v1alpha1"),
            ("DynamoGraphDeploymentRequest", "v1beta1"),
            ("DynamoModel", "v1alpha1"),
        ] {
            let root = root(kind, version).unwrap_or_else(|| panic!("{kind} {version}"));
            assert!(root.named("spec").is_some() && root.named("metadata").is_some_and(Field::is_open), "{kind}");
        }
        assert!(root("DynamoGraphDeployment", "v2").is_none());
        assert!(root("Deployment", "v1beta1").is_none());
        assert!(kinds().count() >= 8);
    }

    #[test]
    fn every_node_is_sound() {
        for field in FIELDS {
            assert!(field.entries().windows(2).all(|p| p[0].0.cmp_by_length(p[1].0.get()).is_lt()));
            for name in field.required() {
                assert!(field.open || field.named(name).is_some(), "required `{name}` is no field");
            }
            assert_eq!(field.list == Some(ListKind::Map), !field.list_keys().is_empty());
            for key in field.list_keys() {
                assert!(field.item().is_some_and(|i| i.named(key).is_some()), "key `{key}` is no field of the items");
            }
        }
    }

    #[test]
    fn a_graph_of_the_old_version_walks_through_its_services() {
        let service = walk("DynamoGraphDeployment", "v1alpha1", &["spec", "services", "VllmDecodeWorker"]);
        assert!(walk("DynamoGraphDeployment", "v1alpha1", &["spec", "services"]).is_map());
        assert!(service.named("extraPodSpec").is_some());
        assert!(!service.is_open());
        assert_eq!(service.child("replicaz").map(|_| ()), None);
        let pod = service.child("extraPodSpec").expect("a field");
        let env = pod.child("mainContainer").and_then(|c| c.child("env")).expect("a list");
        assert_eq!((env.list(), env.list_keys()), (Some(ListKind::Map), &["name"][..]));
        assert_eq!(env.item().expect("items").required(), ["name"]);
        assert_eq!(env.item().and_then(|i| i.child("value")).map(Field::types), Some(&[Type::String][..]));
        assert_eq!(service.child("replicas").map(Field::types), Some(&[Type::Integer][..]));
        let custom = service.child("resources").and_then(|r| r.child("limits")).and_then(|l| l.child("custom"));
        assert!(custom.is_some_and(Field::is_map));
        let count = walk("DynamoGraphDeployment", "v1alpha1", &["spec", "services", "x", "multinode", "nodeCount"]);
        assert_eq!((count.default(), count.range().0), (Some("2"), Some(2)));
    }

    #[test]
    fn a_graph_of_the_new_version_walks_through_its_components() {
        let path = [
            "spec",
            "components",
            "[]",
            "podTemplate",
            "spec",
            "containers",
            "[]",
            "resources",
            "limits",
            "nvidia.com/gpu",
        ];
        let quantity = walk("DynamoGraphDeployment", "v1beta1", &path);
        assert_eq!(quantity.types(), [Type::Integer, Type::String]);
        assert!(quantity.takes(Type::Integer) && quantity.takes(Type::String) && !quantity.takes(Type::Boolean));
        let component = walk("DynamoGraphDeployment", "v1beta1", &["spec", "components", "[]"]);
        assert_eq!(component.required(), ["name"]);
        let kind = component.named("type").expect("a field");
        for name in ["frontend", "prefill", "decode", "worker", "epp", "planner"] {
            assert!(kind.choices().contains(&name), "{name}");
        }
        assert!(
            walk("DynamoGraphDeployment", "v1beta1", &["spec", "components", "[]", "eppConfig", "config"]).is_open()
        );
        let list = walk("DynamoGraphDeployment", "v1beta1", &["spec", "components"]);
        assert_eq!((list.list(), list.list_keys()), (Some(ListKind::Map), &["name"][..]));
    }

    #[test]
    fn overrides_of_a_request_hold_a_whole_object() {
        let dgd = walk("DynamoGraphDeploymentRequest", "v1beta1", &["spec", "overrides", "dgd"]);
        assert!(dgd.is_embedded() && dgd.is_open());
    }

    #[test]
    fn unknown_names_have_a_neighbour() {
        let service = walk("DynamoGraphDeployment", "v1alpha1", &["spec", "services", "x"]);
        for (wrong, right) in [
            ("replica", Some("replicas")),
            ("Replicas", Some("replicas")),
            ("component_type", Some("componentType")),
            ("extraPodspec", Some("extraPodSpec")),
            ("envFromSecrets", Some("envFromSecret")),
            ("somethingElse", None),
            ("env", Some("envs")),
        ] {
            assert_eq!(service.nearest(wrong), right, "{wrong}");
        }
    }

    #[test]
    fn misplaced_fields_are_found_where_they_belong() {
        let root = root("DynamoGraphDeployment", "v1alpha1").expect("known");
        let paths: Vec<String> = find_field(root, "nodeSelector", 3).iter().map(ToString::to_string).collect();
        assert_eq!(paths.first().map(String::as_str), Some("spec.services.*.extraPodSpec.nodeSelector"));
        let paths: Vec<String> = find_field(root, "command", 2).iter().map(ToString::to_string).collect();
        assert!(paths.iter().any(|p| p == "spec.services.*.extraPodSpec.mainContainer.command"), "{paths:?}");
        assert!(find_field(root, "noSuchField", 5).is_empty());
        assert_eq!(find_field(root, "name", 4).len(), 4);
    }
}
