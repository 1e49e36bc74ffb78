//! Which objects of other files belong to the same recipe.

use std::sync::Mutex;

use rustc_hash::FxHashMap;

use super::benchmark_model::given;
use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::rules::workload;
use crate::source::FileId;
use crate::yaml::Node;

/// How many directories a recipe may reach upwards from a file, its own counted: as many as lie between a model and the base of
/// an overlay, `<model>/<engine>/disagg/<gpu>/kustomize/base/deploy.yaml`.
const LEVELS: usize = 6;

/// More objects of one kind than that are a collection of recipes, not one.
const COLLECTION: usize = 40;

/// More graphs side by side than that are no variants of one recipe.
const VARIANTS: usize = 16;

const GRAPH: &str = "DynamoGraphDeployment";

/// Whether the graphs that lie side by side are variants of one recipe: all of one file, or all that name a model name
/// the same one. Otherwise a directory is where unrelated recipes are collected, and what one of them makes says
/// nothing about another.
fn one_recipe(graphs: &mut dyn Iterator<Item = &Object>) -> bool {
    let graphs: Vec<&Object> = graphs.take(VARIANTS + 1).collect();
    if graphs.len() > VARIANTS {
        return false;
    }
    if graphs.iter().all(|graph| graph.file == graphs[0].file) {
        return true;
    }
    let mut known: Vec<String> = Vec::new();
    for graph in graphs {
        let named = models(graph);
        if !known.is_empty() && !named.is_empty() && !named.iter().any(|model| known.contains(model)) {
            return false;
        }
        if known.is_empty() {
            known = named;
        }
    }
    !known.is_empty()
}

/// The models that the workers of a graph are given, as written.
fn models(graph: &Object) -> Vec<String> {
    let mut found = Vec::new();
    let Some(read) = graph.graph() else { return found };
    for container in read.components.iter().flat_map(|c| c.containers()) {
        // The value may be the next text.
        let mut before = false;
        let texts = workload::words(container).filter_map(Node::as_text);
        let texts = texts.filter(|text| std::mem::replace(&mut before, text.contains("--model")) || before);
        let words: Vec<&str> = texts.flat_map(str::split_whitespace).collect();
        for flag in ["--model", "--model-path"] {
            found.extend(given(&words, flag, container, read).unwrap_or_default());
        }
    }
    found
}

/// Whether a file and what lies beside it are one recipe.
struct OneRecipe(bool);

/// Objects of a kind in the file, and those beside it in its directory where that is one recipe.
pub(in crate::rules) fn of_kind<'a>(recipe: &'a Recipe, kind: &str) -> Vec<&'a Object> {
    let mut found: Vec<&Object> = recipe.here.iter().filter(|o| o.kind == kind).collect();
    let beside: Vec<&Object> = recipe.beside().filter(|o| o.kind == kind).collect();
    let one = || {
        let mut graphs = recipe.here.iter().chain(recipe.beside()).filter(|o| o.kind == GRAPH);
        OneRecipe(one_recipe(&mut graphs))
    };
    if !beside.is_empty() && recipe.memo().once(one).0 {
        found.extend(beside);
    }
    found
}

/// Whether a name may be a typo of the other, or the same.
pub(super) fn typo(a: &str, b: &str) -> bool {
    a.len() >= 6 && strsim::osa_distance(a, b) <= 2
}

/// What was found out about directories, for all files of a run: rules ask about the same few for each.
#[derive(Default)]
struct Directories {
    /// Whether they are collections.
    collections: Answers,
    /// Whether the graphs in them are one recipe.
    recipes: Answers,
}

type Answers = Mutex<FxHashMap<String, bool>>;

/// An answer for a directory, worked out once.
fn answer(answers: &Answers, directory: &str, work_out: impl FnOnce() -> bool) -> bool {
    let known = |answers: &Answers| answers.lock().ok()?.get(directory).copied();
    known(answers).unwrap_or_else(|| {
        let is = work_out();
        if let Ok(mut answers) = answers.lock() {
            answers.insert(directory.to_owned(), is);
        }
        is
    })
}

/// Whether a directory holds more subdirectories with graphs than a recipe has variants.
fn collection(recipe: &Recipe, directory: &str) -> bool {
    let directories = recipe.around.memo().once(Directories::default);
    answer(&directories.collections, directory, || holds_many(recipe, directory))
}

fn holds_many(recipe: &Recipe, directory: &str) -> bool {
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in recipe.around.below(GRAPH, directory).take(COLLECTION * VARIANTS) {
        let rest = if directory.is_empty() { name } else { name.get(directory.len() + 1..).unwrap_or_default() };
        let child = rest.split_once('/').map_or("", |(child, _)| child);
        if !seen.contains(&child) {
            seen.push(child);
        }
    }
    seen.len() > VARIANTS
}

/// The directory of a file and those above it as far as its recipe may reach. Directories that merely collect recipes
/// (`recipes`, `examples`) are no recipe.
pub(in crate::rules) fn upwards<'a>(recipe: &'a Recipe, file: &'a str) -> impl Iterator<Item = &'a str> {
    let mut left = LEVELS;
    let mut directory = file;
    std::iter::from_fn(move || {
        let first = left == LEVELS;
        if left == 0 || (!first && directory.is_empty()) {
            return None;
        }
        left -= 1;
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        let name = directory.rsplit('/').next().unwrap_or_default();
        // Where one stands may be anything, unless all of it is about one graph.
        let anywhere = || recipe.around.below(GRAPH, "").nth(1).is_some();
        let stop = matches!(name, "recipes" | "examples" | "deploy" | "tests" | "." | "..")
            || (directory.is_empty() && anywhere())
            || (!first && collection(recipe, directory));
        if !first && stop {
            left = 0;
            return None;
        }
        Some(directory)
    })
}

/// Objects of a kind in the nearest directory, from the file's own upwards, that holds any (in itself or below).
pub(super) fn recipe_directory<'a>(recipe: &'a Recipe, file: FileId, kind: &str) -> Vec<&'a Object> {
    nearest(recipe, file, kind, |_| true)
}

fn nearest<'a>(recipe: &'a Recipe, file: FileId, kind: &str, wanted: fn(&Object) -> bool) -> Vec<&'a Object> {
    let own = recipe.file_name(file);
    for directory in upwards(recipe, &own) {
        let inside: Vec<(&str, &Object)> = recipe.around.below(kind, directory).take(COLLECTION + 1).collect();
        if inside.len() > COLLECTION {
            return Vec::new();
        }
        let inside: Vec<(&str, &Object)> = inside.into_iter().filter(|(_, object)| wanted(object)).collect();
        if !inside.is_empty() {
            return related(recipe, file, directory, inside);
        }
    }
    Vec::new()
}

/// Objects of the file itself, and those in directories whose graphs are one recipe. Graphs below a directory whose own
/// are not are no more related to the file than those.
fn related<'a>(recipe: &'a Recipe, file: FileId, top: &str, found: Vec<(&'a str, &'a Object)>) -> Vec<&'a Object> {
    let place = |name: &'a str| name.rsplit_once('/').map_or("", |(parent, _)| parent);
    let directories = recipe.around.memo().once(Directories::default);
    let one = |directory: &str| {
        answer(&directories.recipes, directory, || {
            let below = recipe.around.below(GRAPH, directory).take(COLLECTION * VARIANTS);
            one_recipe(&mut below.filter(|(name, _)| place(name) == directory).map(|(_, graph)| graph))
        })
    };
    found
        .into_iter()
        .filter(|(name, object)| object.file == file || (one(place(name)) && (object.kind != GRAPH || one(top))))
        .map(|(_, object)| object)
        .collect()
}

/// Of what [`recipe_directory`] finds, what lies beside the recipe and not in another one: in a directory on the way up,
/// or in one below it that holds no graph (`model-cache/`).
pub(super) fn beside_recipe<'a>(recipe: &'a Recipe, file: FileId, kind: &str) -> Vec<&'a Object> {
    beside_where(recipe, file, kind, |_| true)
}

/// The same of objects of some sort: nearer ones of the kind that are not of it do not hide them.
pub(super) fn beside_where<'a>(
    recipe: &'a Recipe,
    file: FileId,
    kind: &str,
    wanted: fn(&Object) -> bool,
) -> Vec<&'a Object> {
    let own = recipe.file_name(file);
    let directory = |name: &str| name.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
    let home = directory(&own);
    let mut found = nearest(recipe, file, kind, wanted);
    found.retain(|object| {
        if object.file == file {
            return true;
        }
        let place = directory(&recipe.file_name(object.file));
        let graphs = || recipe.around.below(GRAPH, place.trim_end_matches('/'));
        own.starts_with(&place) || !graphs().any(|(name, _)| !home.starts_with(&directory(name)))
    });
    found
}
