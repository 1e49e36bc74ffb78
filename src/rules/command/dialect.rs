//! Scripts for `sh` that only bash understands.

use crate::command::{Effect, bash_only};
use crate::finding::{Applicability, Severity};
use crate::manifest::{Container, Image};
use crate::resolve::{Recipe, is_dynamo_image};
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::Node;

/// Longest piece of a script that a message repeats, in characters.
const SHOWN: usize = 40;

/// Whether `sh` is dash in an image: those of Debian and Ubuntu, and what is built on them.
fn has_dash(image: &str) -> bool {
    let image = Image::cut(image);
    let tag = image.tag.unwrap_or_default();
    match image.library() {
        Some("debian" | "ubuntu") => return true,
        Some("python") => return !tag.contains("alpine") && !tag.contains("windows"),
        _ => {}
    }
    match image.place() {
        ("vllm" | "docker.io/vllm", "vllm-openai") | ("lmsysorg" | "docker.io/lmsysorg", "sglang") => true,
        ("nvidia" | "docker.io/nvidia" | "nvcr.io/nvidia", "cuda") => tag.contains("ubuntu"),
        (_, name) => is_dynamo_image(name),
    }
}

/// The word that names the shell, where that is `sh`.
fn sh<'a>(container: &'a Container, recipe: &Recipe) -> Option<(&'a Node, Span)> {
    let first = workload::words(container).next()?;
    let text = recipe.text(first).filter(|text| text.rsplit('/').next() == Some("sh"))?;
    Some((first, text.slice_span(text.len() - 2..text.len())))
}

/// `bash-in-sh`
pub fn bash_in_sh(recipe: &Recipe, out: &mut Findings) {
    for (owner, container) in workload::containers(recipe) {
        let Some(image) = container.image.as_ref().filter(|image| image.as_text().is_some_and(has_dash)) else {
            continue;
        };
        let Some((shell, name)) = sh(container, recipe) else { continue };
        let script = workload::script(container).filter(|node| node.as_text().is_some_and(|t| !t.contains("{{")));
        let Some(script) = script.and_then(|node| recipe.text(node)) else { continue };
        let found = bash_only(&script);
        // The first of the worst.
        let Some(worst) = found.iter().rev().max_by_key(|bash| bash.effect) else { continue };
        let what: String = script[worst.range.clone()].chars().take(SHOWN).collect();
        let label = match worst.effect {
            Effect::Ends => "`sh` is dash in this image, and stops here",
            Effect::Fails => "`sh` is dash in this image, and has none: the command fails",
            Effect::Background => "to dash, the `sh` of this image, it is `&`: the command goes to the background",
            Effect::Literal => "to dash, the `sh` of this image, it is one word: the loop runs once",
        };
        let more = if found.len() > 1 { format!(" (and {} more)", found.len() - 1) } else { String::new() };
        let severity = if worst.effect == Effect::Ends { Severity::Error } else { Severity::Warning };
        out.report(
            script.slice_span(worst.range.clone()),
            format!("`{what}` in the script of `{owner}` is for bash, not for `sh`{more}"),
            label,
        )
        .severity(severity)
        .subject(owner)
        .label(shell.span, "the shell")
        .label(image.span, "an image of Debian or Ubuntu")
        .help("start the script with `bash -c`, or write what every shell understands")
        .fix(Applicability::Unsafe, name, "bash")
        .emit();
    }
}
