//! Which objects of other files belong to the same recipe.

use crate::manifest::Object;
use crate::resolve::Recipe;
use crate::source::FileId;

/// How many directories above a file its recipe may reach: `recipes/<model>/<engine>/<variant>/deploy.yaml`.
const LEVELS: usize = 4;

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
        if !inside.is_empty() {
            return inside;
        }
        if directory.is_empty() {
            return Vec::new();
        }
    }
    Vec::new()
}
