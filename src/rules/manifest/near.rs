//! Which objects of other files belong to the same recipe.

use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::source::FileId;

/// How many directories above a file its recipe may reach: `recipes/<model>/<engine>/<variant>/deploy.yaml`.
const LEVELS: usize = 4;

/// More objects of one kind than that are a collection of recipes, not one.
const COLLECTION: usize = 40;

/// Objects of a kind in the nearest directory, from the file's own upwards, that holds any (in itself or below).
/// Directories that merely collect recipes (`recipes`, `examples`) are no recipe.
pub(super) fn recipe_directory<'a>(recipe: &'a Recipe, file: FileId, kind: &str) -> Vec<&'a Object> {
    let own = recipe.file_name(file);
    let candidates: Vec<(&Object, String)> = recipe
        .around
        .iter()
        .chain(&recipe.here)
        .filter(|o| o.kind == kind)
        .map(|o| (o, recipe.file_name(o.file)))
        .collect();
    let mut directory = own.as_str();
    for level in 0..LEVELS {
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        let name = directory.rsplit('/').next().unwrap_or_default();
        if level > 0
            && (directory.is_empty() || matches!(name, "recipes" | "examples" | "deploy" | "tests" | "." | ".."))
        {
            return Vec::new();
        }
        let inside: Vec<&Object> = candidates
            .iter()
            .filter(|(_, path)| {
                directory.is_empty() || path.strip_prefix(directory).is_some_and(|r| r.starts_with('/'))
            })
            .map(|(o, _)| *o)
            .collect();
        if inside.len() > COLLECTION {
            return Vec::new();
        }
        if !inside.is_empty() {
            return inside;
        }
        if directory.is_empty() {
            return Vec::new();
        }
    }
    Vec::new()
}

/// Of what [`recipe_directory`] finds, what lies beside the recipe and not in another one: in a directory on the way up,
/// or in one below it that holds no graph (`model-cache/`).
pub(super) fn beside_recipe<'a>(recipe: &'a Recipe, file: FileId, kind: &str) -> Vec<&'a Object> {
    let own = recipe.file_name(file);
    let directory = |name: &str| name.rsplit_once('/').map_or(String::new(), |(parent, _)| format!("{parent}/"));
    let graphs: Vec<String> = recipe
        .around
        .iter()
        .filter(|o| o.kind == "DynamoGraphDeployment")
        .map(|o| directory(&recipe.file_name(o.file)))
        .collect();
    let mut found = recipe_directory(recipe, file, kind);
    found.retain(|object| {
        let place = directory(&recipe.file_name(object.file));
        own.starts_with(&place)
            || !graphs.iter().any(|g| g.starts_with(&place) && !directory(&own).starts_with(g.as_str()))
    });
    found
}
