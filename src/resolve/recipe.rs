//! What stands beside a deployment.

use std::sync::{Arc, OnceLock};

use super::Around;
use crate::manifest::{Graph, Object};
use crate::source::{FileId, Sources, Text};
use crate::yaml::{self, Node};

/// The objects that a deployment can refer to.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// Objects of the same file (or kustomization): the only place where ConfigMaps are looked up, since their names
    /// repeat from recipe to recipe.
    pub here: Vec<Object>,
    /// Objects of all files in the directory, those of this file among them: one list for all its files.
    pub directory: Arc<[Object]>,
    /// Objects of every file of the run (those of this file and directory included). Names repeat from recipe to
    /// recipe: whoever looks here must say by the directory which ones belong together.
    pub around: Arc<Around>,
    /// Engine configs that stand in this file as documents of their own.
    pub configs: Vec<Node>,
    /// The files, so that a rule can point into a script that stands in a block scalar.
    pub sources: Arc<Sources>,
    /// Graphs of `here`, read when first asked for.
    pub graphs: OnceLock<Vec<Option<Graph>>>,
}

impl Recipe {
    /// Objects of the other files in the same directory.
    pub fn beside(&self) -> impl Iterator<Item = &Object> {
        let own = self.here.first().map(|object| object.file);
        self.directory.iter().filter(move |object| Some(object.file) != own)
    }

    /// The graph that an object of `here` is, read once for all rules.
    #[must_use]
    pub fn graph(&self, object: &Object) -> Option<&Graph> {
        let at = self.here.iter().position(|o| std::ptr::eq(o, object))?;
        self.graphs.get_or_init(|| self.here.iter().map(Graph::of_object).collect())[at].as_ref()
    }

    /// The object of that kind and name in the same file.
    #[must_use]
    pub fn find(&self, kind: &str, name: &str) -> Option<&Object> {
        self.here.iter().find(|o| o.kind == kind && o.name == name)
    }

    /// All objects of that kind, those of the same file first.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.here.iter().chain(self.beside()).filter(move |o| o.kind == kind)
    }

    /// The text of a scalar, each byte with its origin.
    #[must_use]
    pub fn text(&self, node: &Node) -> Option<Text> {
        yaml::text(node, &self.sources)
    }

    /// Name of a file as reports show it (`/`-separated), to tell directories apart.
    #[must_use]
    pub fn file_name(&self, file: FileId) -> String {
        self.sources.get(file).name.clone()
    }
}
