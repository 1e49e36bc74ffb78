//! Three-valued knowledge: what the manifest says, what it says but we cannot know, what it does not say.

use std::fmt;

/// Why a value cannot be known from the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It lies in a Secret.
    Secret(String),
    /// It comes from a ConfigMap that is not among the manifests at hand.
    MissingConfigMap(String),
    /// It comes from the pod itself (`fieldRef`, `resourceFieldRef`); the path.
    Downward(String),
    /// A shell variable that nothing visible sets; the name.
    Variable(String),
    /// The output of a command, arithmetic, a glob, or another expansion the shell does at run time.
    Shell(String),
    /// A placeholder to be filled before use (`${VAR}` for envsubst, `<your-image>`).
    Placeholder(String),
    /// A file that is not among the manifests; the path.
    File(String),
    /// Whatever the image brings along.
    Image,
    /// Decided by the cluster or operator, not the manifest.
    Cluster(String),
    /// Written, but not readable as what it should be; what is wrong, lower case.
    Invalid(String),
    /// The condition of a rule of one's own comes to nothing there; why, in words.
    Condition(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "from secret `{name}`"),
            Self::MissingConfigMap(name) => write!(f, "from ConfigMap `{name}`, which is not among these manifests"),
            Self::Downward(path) => write!(f, "from the pod's `{path}`"),
            Self::Variable(name) => write!(f, "from `${name}`, which nothing here sets"),
            Self::Shell(what) => write!(f, "computed by the shell: `{what}`"),
            Self::Placeholder(what) => write!(f, "placeholder `{what}`"),
            Self::File(path) => write!(f, "from file `{path}`, which is not among these manifests"),
            Self::Image => f.write_str("from the image"),
            Self::Cluster(what) => write!(f, "decided by the cluster: {what}"),
            Self::Invalid(what) => write!(f, "not readable: {what}"),
            Self::Condition(why) => f.write_str(why),
        }
    }
}

/// A fact: known, known to exist but not its value, or absent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// Known.
    Known(T),
    /// Set, but not to be known from here.
    Dynamic(Reason),
    /// Not set.
    #[default]
    Unset,
}

impl<T> Fact<T> {
    /// The value when known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is set to something that cannot be known.
    pub fn is_dynamic(&self) -> bool {
        matches!(self, Self::Dynamic(_))
    }

    /// Whether it is not set.
    pub fn is_unset(&self) -> bool {
        matches!(self, Self::Unset)
    }

    /// Maps the known value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(f(value)),
            Self::Dynamic(reason) => Fact::Dynamic(reason),
            Self::Unset => Fact::Unset,
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: super::Span,
}

impl<T> Spanned<T> {
    /// Joins a value with its place.
    pub const fn new(value: T, span: super::Span) -> Self {
        Self { value, span }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}
