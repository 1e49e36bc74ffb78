//! An environment with everyone who set a part of it.

use std::hash::BuildHasher as _;

use rustc_hash::FxBuildHasher;

use crate::source::{Fact, Reason, Span, Text};

/// Who set a value. Later variants win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Baked into the image (never known, named for completeness).
    Image,
    /// `envFrom`.
    EnvFrom,
    /// The operator's default for the component type.
    OperatorDefault,
    /// `spec.envs` / `spec.env`.
    GraphEnv,
    /// v1alpha1 `services.X.envs`.
    ServiceEnv,
    /// The container's `env`.
    ContainerEnv,
    /// Forced by the operator, whatever the user says.
    OperatorForced,
    /// `export` or `unset` in the script.
    ShellExport,
    /// `VAR=value command` in the script.
    ShellPrefix,
}

impl Layer {
    /// Name as printed by `dynlint resolve`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::EnvFrom => "env-from",
            Self::OperatorDefault => "operator-default",
            Self::GraphEnv => "graph-env",
            Self::ServiceEnv => "service-env",
            Self::ContainerEnv => "container-env",
            Self::OperatorForced => "operator-forced",
            Self::ShellExport => "shell-export",
            Self::ShellPrefix => "shell-prefix",
        }
    }
}

/// One place that sets (or unsets) a variable.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Who.
    pub layer: Layer,
    /// The value; `Unset` for `unset VAR`.
    pub value: Fact<Text>,
    /// Where the variable's name stands; none for the operator's own.
    pub name_span: Option<Span>,
    /// Where the value stands (the entry, when it has none of its own); none for the operator's own.
    pub span: Option<Span>,
    /// The whole entry or assignment: what a removal would delete.
    pub entry_span: Option<Span>,
}

/// One variable with everyone who set it.
#[derive(Clone, Debug)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Who set it, winner first. Never empty.
    pub chain: Vec<Setting>,
}

impl EnvVar {
    /// The setting that wins.
    #[must_use]
    pub fn winner(&self) -> &Setting {
        &self.chain[0]
    }

    /// Its effective value when known.
    #[must_use]
    pub fn known(&self) -> Option<&Text> {
        self.winner().value.known()
    }

    /// Whether a manifest says it (not only the operator's default).
    #[must_use]
    pub fn written(&self) -> bool {
        self.winner().span.is_some()
    }
}

/// The effective environment of one process.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// Variables, sorted by name; those that end up unset are kept with an `Unset` winner.
    pub vars: Vec<EnvVar>,
    /// Names that may be among them.
    names: Names,
    /// Why there may be more variables than can be seen (`envFrom` of a Secret or of a ConfigMap that is not here).
    pub open: Option<Reason>,
}

/// Which names may be in a list: most questions are about one that is not, and one bit answers them.
#[derive(Clone, Copy, Debug, Default)]
struct Names([u64; 4]);

impl Names {
    fn place(name: &str) -> (usize, u64) {
        // The upper bits are the well-mixed ones.
        let hash = FxBuildHasher.hash_one(name) >> 56;
        ((hash >> 6) as usize, 1 << (hash & 63))
    }

    fn add(&mut self, name: &str) {
        let (word, bit) = Self::place(name);
        self.0[word] |= bit;
    }

    fn may_have(self, name: &str) -> bool {
        let (word, bit) = Self::place(name);
        self.0[word] & bit != 0
    }
}

impl Env {
    /// One of these variables, sorted by name.
    pub(in crate::resolve) fn of(vars: Vec<EnvVar>, open: Option<Reason>) -> Self {
        let mut names = Names::default();
        vars.iter().for_each(|var| names.add(&var.name));
        Self { vars, names, open }
    }

    /// Why there may be settings that cannot be seen. A Secret holds tokens, not settings.
    #[must_use]
    pub fn hides(&self) -> Option<&Reason> {
        self.open.as_ref().filter(|reason| !matches!(reason, Reason::Secret(_)))
    }

    /// The place of a variable, or the one where it belongs.
    pub(in crate::resolve) fn place(&self, name: &str) -> Result<usize, usize> {
        self.vars.binary_search_by(|var| var.name.as_str().cmp(name))
    }

    /// Puts a variable at the place where it belongs.
    pub(in crate::resolve) fn insert(&mut self, place: usize, var: EnvVar) {
        self.names.add(&var.name);
        self.vars.insert(place, var);
    }

    /// The variable, when something sets it and nothing unsets it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&EnvVar> {
        if !self.names.may_have(name) {
            return None;
        }
        let at = self.place(name).ok()?;
        let var = &self.vars[at];
        (!var.winner().value.is_unset()).then_some(var)
    }

    /// Its value when known.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<&Text> {
        self.get(name)?.known()
    }

    /// Its value as a fact. An unseen `envFrom` does not count: nearly every recipe has one for its Hugging Face token.
    /// Ask [`Env::open`] where that matters.
    #[must_use]
    pub fn fact(&self, name: &str) -> Fact<&Text> {
        match self.get(name) {
            Some(var) => match &var.winner().value {
                Fact::Known(text) => Fact::Known(text),
                Fact::Dynamic(reason) => Fact::Dynamic(reason.clone()),
                Fact::Unset => Fact::Unset,
            },
            None => Fact::Unset,
        }
    }

    /// Variables in force that a manifest or script sets.
    pub fn written(&self) -> impl Iterator<Item = &EnvVar> {
        self.vars.iter().filter(|v| !v.winner().value.is_unset() && v.written())
    }
}
