//! What stands beside a deployment.

use std::sync::{Arc, Mutex};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Around, Memo};
use crate::manifest::Object;
use crate::source::{FileId, Sources, Span, Text};
use crate::yaml::{self, Limits, Node, Problem};

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
    /// Whether a kustomization adds what cannot be seen: a component that lies elsewhere, or one that does not build.
    pub partial: bool,
    /// The files, so that a rule can point into a script that stands in a block scalar.
    pub sources: Arc<Sources>,
    /// What was found out about texts of this file while it was resolved.
    pub memory: Arc<Memory>,
}

/// What need not be found out twice about the texts of a file. It changes no answer, only its price.
#[derive(Debug, Default)]
pub struct Memory {
    /// Scripts that a shell can parse.
    sound: Mutex<FxHashSet<Box<str>>>,
    /// Long strings with the origin of each byte, by the place of the string.
    traced: Mutex<FxHashMap<Span, Text>>,
    /// YAML inside strings, by the place of the string.
    embedded: Mutex<FxHashMap<Span, Embedded>>,
    /// What rules work out about the file.
    memo: Memo,
}

/// A string that was read as YAML, and what it came to.
type Embedded = (Text, Arc<Result<Option<Node>, Problem>>);

impl Recipe {
    /// What rules work out about the file once for all of them.
    #[must_use]
    pub fn memo(&self) -> &Memo {
        &self.memory.memo
    }

    /// Remembers that a shell can parse a script.
    pub(super) fn note_sound(&self, script: &str) {
        if let Ok(mut sound) = self.memory.sound.lock()
            && !sound.contains(script)
        {
            sound.insert(script.into());
        }
    }

    /// Whether a shell is known to be able to parse a script; `false` when nobody tried.
    #[must_use]
    pub fn is_sound(&self, script: &str) -> bool {
        self.memory.sound.lock().is_ok_and(|sound| sound.contains(script))
    }

    /// [`yaml::parse_embedded`] with the usual limits, once for every text of the file.
    #[must_use]
    pub fn embedded(&self, text: &Text) -> Arc<Result<Option<Node>, Problem>> {
        if let Ok(seen) = self.memory.embedded.lock()
            && let Some((known, parsed)) = seen.get(&text.whole())
            && known == text
        {
            return Arc::clone(parsed);
        }
        let parsed = Arc::new(yaml::parse_embedded(text, &Limits::default()));
        if let Ok(mut seen) = self.memory.embedded.lock() {
            seen.insert(text.whole(), (text.clone(), Arc::clone(&parsed)));
        }
        parsed
    }

    /// Objects of the other files in the same directory.
    pub fn beside(&self) -> impl Iterator<Item = &Object> {
        let own = self.here.first().map(|object| object.file);
        self.directory.iter().filter(move |object| Some(object.file) != own)
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
        /// Shorter ones are traced sooner than found.
        const SHORT: usize = 64;
        let scalar = node.as_scalar()?;
        if scalar.origin.is_some() || scalar.value.len() <= SHORT {
            return yaml::text(node, &self.sources);
        }
        if let Ok(seen) = self.memory.traced.lock()
            && let Some(known) = seen.get(&node.span)
            && known.as_str() == &*scalar.value
        {
            return Some(known.clone());
        }
        let text = yaml::text(node, &self.sources)?;
        if let Ok(mut seen) = self.memory.traced.lock() {
            seen.insert(node.span, text.clone());
        }
        Some(text)
    }

    /// Name of a file as reports show it (`/`-separated), to tell directories apart.
    #[must_use]
    pub fn file_name(&self, file: FileId) -> String {
        self.sources.get(file).name.clone()
    }
}
