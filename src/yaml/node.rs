//! The tree.

use std::sync::Arc;

use crate::source::{Span, Text};

/// A node: a cheap handle on an immutable subtree. Trees share subtrees: an alias shares its anchor's content, and a
/// patched object shares what the patch left alone.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the content stands: for an alias the anchored node's place. Scalars include their quotes or block header:
    /// a block scalar runs from `|` or `>` to the end of its last line that is not blank, without that line's end.
    /// Collections run from their first token (`-`, `[`, the first key with its anchor or tag) to their last. Anchors and
    /// tags of the node itself lie outside. An absent value has an empty span right behind its colon or dash.
    pub span: Span,
    /// Anchor, alias and tag, which few nodes have.
    pub marks: Option<Arc<Marks>>,
    /// The content.
    pub kind: Arc<Kind>,
}

/// What stands before the content of a node, or in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Where the alias `*name` stands, when this node is one.
    pub alias: Option<Span>,
    /// Where the anchor `&name` stands, `&` included.
    pub anchor: Option<Span>,
    /// An explicit tag as written.
    pub tag: Option<Arc<str>>,
}

impl Marks {
    /// One place for them all; none when there are none.
    #[must_use]
    #[inline]
    pub fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

/// The content of a node.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar.
    Scalar(Scalar),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Unquoted.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// A scalar as `sigs.k8s.io/yaml` (go-yaml v2) types it.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed {
    /// `null`, `~`, nothing.
    Null,
    /// `true`, `yes`, `on`, `y`, … in the usual casings.
    Bool(bool),
    /// Integers in any of the accepted bases, with `_`. In a manifest also `1.0`, `1e3` and `08`: on the way through
    /// JSON a float without a fraction becomes an integer.
    Int(Int),
    /// Other floating point, `.inf`, `.nan`.
    Float(f64),
    /// All else, and whatever is quoted, a block, or tagged `!!str`.
    Str,
}

/// A whole number as a scalar keeps it. An `i128` would have every scalar allocated at multiples of 16 bytes, for which
/// allocators take a longer way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed(8))]
pub struct Int(i128);

impl Int {
    /// The number.
    #[must_use]
    pub const fn get(self) -> i128 {
        self.0
    }
}

impl From<i128> for Int {
    fn from(value: i128) -> Self {
        Self(value)
    }
}

/// A scalar.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The value after unescaping and folding, before typing.
    pub value: Arc<str>,
    /// How it is written.
    pub style: Style,
    /// How Kubernetes types it.
    pub typed: Typed,
    /// The value with its origins, for scalars that are not written at `span` as they are (YAML inside a string, names
    /// put together by kustomize); none for the others, whose bytes are traced on demand.
    pub origin: Option<Arc<Text>>,
}

/// The key of an entry.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key as Kubernetes sees it: always a string (`y:` becomes `true`, `8080:` stays `8080`).
    pub name: Arc<str>,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// An entry of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value; an absent value is an empty plain scalar typed null whose span is empty.
    pub value: Node,
    /// Where the merge key `<<` stands through which the entry came, when it was inherited.
    pub inherited: Option<Span>,
}

/// A mapping. Entries are effective: own entries in order, then those that merge keys add. Of two equal keys the last
/// stands and the first is gone, as `kubectl` reads it; that holds for merge keys too, so `<<` overrides the own keys
/// above it and yields to those below.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// Effective entries.
    pub entries: Vec<Entry>,
}

impl Map {
    /// The entry of that key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| &*e.key.name == key)
    }

    /// The value of that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|e| &e.value)
    }
}

impl Node {
    /// Where the alias `*name` stands, when this node is one.
    #[must_use]
    pub fn alias(&self) -> Option<Span> {
        self.marks.as_ref()?.alias
    }

    /// Where the anchor `&name` stands, `&` included.
    #[must_use]
    pub fn anchor(&self) -> Option<Span> {
        self.marks.as_ref()?.anchor
    }

    /// An explicit tag as written.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.marks.as_ref()?.tag.as_deref()
    }

    /// The mapping, when it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match &*self.kind {
            Kind::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, when it is a sequence.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &*self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The scalar, when it is one.
    #[must_use]
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &*self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The value of a scalar that Kubernetes types as a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.as_scalar().filter(|s| s.typed == Typed::Str).map(|s| &*s.value)
    }

    /// The text of any scalar but null, however it is typed.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        self.as_scalar().filter(|s| s.typed != Typed::Null).map(|s| &*s.value)
    }

    /// The boolean, when Kubernetes types it so.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_scalar()?.typed {
            Typed::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, when Kubernetes types it so.
    #[must_use]
    pub fn as_int(&self) -> Option<i128> {
        match self.as_scalar()?.typed {
            Typed::Int(value) => Some(value.get()),
            _ => None,
        }
    }

    /// The number, when Kubernetes types it as an integer or a float.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a float is what was asked for")]
    pub fn as_float(&self) -> Option<f64> {
        match self.as_scalar()?.typed {
            Typed::Float(value) => Some(value),
            Typed::Int(value) => Some(value.get() as f64),
            _ => None,
        }
    }

    /// Whether it is null (or an absent value).
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|s| s.typed == Typed::Null)
    }

    /// The value of a key, when it is a mapping that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The entry of a key, when it is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.entry(key)
    }

    /// Follows keys; `None` as soon as one is missing.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Entries of a mapping, none for anything else.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.as_map().into_iter().flat_map(|m| m.entries.iter())
    }

    /// Items of a sequence, none for anything else.
    pub fn items(&self) -> impl Iterator<Item = &Self> {
        self.as_seq().into_iter().flatten()
    }
}
