//! Which objects of other files belong to the same recipe.

use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::source::FileId;

/// How many directories above a file its recipe may reach: `recipes/<model>/<engine>/<variant>/deploy.yaml`.
const LEVELS: usize = 4;

/// More objects of one kind than that are a collection of recipes, not one.
const COLLECTION: usize = 40;

/// Whether a name may be a typo of the other, or the same.
pub(super) fn typo(a: &str, b: &str) -> bool {
    a.len() >= 6 && strsim::osa_distance(a, b) <= 2
}

/// Objects of a kind in the nearest directory, from the file's own upwards, that holds any (in itself or below).
/// Directories that merely collect recipes (`recipes`, `examples`) are no recipe.
pub(super) fn recipe_directory<'a>(recipe: &'a Recipe, file: FileId, kind: &str) -> Vec<&'a Object> {
    let own = recipe.file_name(file);
    let mut directory = own.as_str();
    for level in 0..LEVELS {
        directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        let name = directory.rsplit('/').next().unwrap_or_default();
        // Where one stands may be anything, unless all of it is about one graph.
        let anywhere = || recipe.around.below("DynamoGraphDeployment", "").nth(1).is_some();
        if level > 0
            && (matches!(name, "recipes" | "examples" | "deploy" | "tests" | "." | "..")
                || (directory.is_empty() && anywhere()))
        {
            return Vec::new();
        }
        let inside: Vec<&Object> = recipe.around.below(kind, directory).take(COLLECTION + 1).map(|(_, o)| o).collect();
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
    let home = directory(&own);
    let mut found = recipe_directory(recipe, file, kind);
    found.retain(|object| {
        let place = directory(&recipe.file_name(object.file));
        let graphs = || recipe.around.below("DynamoGraphDeployment", place.trim_end_matches('/'));
        own.starts_with(&place) || !graphs().any(|(name, _)| !home.starts_with(&directory(name)))
    });
    found
}
