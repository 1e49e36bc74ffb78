//! What stands beside a deployment.

use crate::manifest::Object;

/// The objects that a deployment can refer to.
#[derive(Debug, Default)]
pub struct Recipe {
    /// Objects of the same file (or kustomization): the only place where ConfigMaps are looked up, since their names
    /// repeat from recipe to recipe.
    pub here: Vec<Object>,
    /// Objects of the other files in the same directory.
    pub beside: Vec<Object>,
}

impl Recipe {
    /// The object of that kind and name in the same file.
    #[must_use]
    pub fn find(&self, kind: &str, name: &str) -> Option<&Object> {
        self.here.iter().find(|o| o.kind == kind && o.name == name)
    }

    /// All objects of that kind, those of the same file first.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.here.iter().chain(&self.beside).filter(move |o| o.kind == kind)
    }
}
