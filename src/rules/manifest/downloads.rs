//! Where a Job puts what it downloads.

use std::ops::Range;

use super::jobs::{Place, cache_of, claim_of, commands, texts, texts_with};
use super::volumes::provided;
use crate::manifest::{Container, Workload};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::source::Text;

/// Options that name where a download goes.
const PLACES: [&str; 2] = ["--local-dir", "--cache-dir"];

/// What ends a command on its line.
const ENDS: [&str; 5] = ["&&", "||", ";", "|", "&"];

/// Downloads of a script, from the word `download` on; lines that a backslash joins are one.
pub(super) fn downloads(text: &Text) -> Vec<Vec<Range<usize>>> {
    let ends = |word: &Range<usize>| ENDS.contains(&&text.as_str()[word.clone()]);
    let cut = |words: Vec<Range<usize>>| words.into_iter().take_while(|word| !ends(word)).collect();
    commands(text, "download").into_iter().map(cut).collect()
}

/// The option that says where a download goes, and what it says.
pub(super) fn directory<'a>(text: &'a Text, words: &[Range<usize>]) -> Option<(&'a str, &'a str)> {
    let at = |index: usize| words.get(index).map(|word| &text.as_str()[word.clone()]);
    let index = (0..words.len()).find(|i| PLACES.iter().any(|p| at(*i).is_some_and(|word| word.starts_with(p))))?;
    let (option, value) = match at(index)?.split_once('=') {
        Some(joined) => joined,
        None => (at(index)?, at(index + 1)?),
    };
    Some((option, value.trim_matches(QUOTES)))
}

/// What may stand around a word.
pub(super) const QUOTES: [char; 3] = ['"', '\'', ';'];

/// `download-outside-volume`
pub fn download_outside_volume(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(|o| o.kind == "Job").filter_map(|o| o.workload()) {
        for container in &job.containers {
            for text in texts_with(container, recipe, "download") {
                for command in downloads(&text) {
                    judge(recipe, job, container, &text, &command, out);
                }
            }
        }
    }
}

/// One `hf download MODEL …`.
fn judge(
    recipe: &Recipe,
    job: &Workload,
    container: &Container,
    text: &Text,
    command: &[Range<usize>],
    out: &mut Findings,
) {
    let [download, model, ..] = command else { return };
    let before = text.as_str()[..download.start].trim_end();
    let Some(program) = ["huggingface-cli", "hf"].into_iter().find(|name| before.ends_with(name)) else { return };
    let span = text.slice_span(before.len() - program.len()..model.end);
    let model = &text.as_str()[model.clone()];
    // The claim that is mounted and does not get it.
    let mount = container.mounts.iter().find(|m| {
        let source = job.volumes.iter().find(|v| v.name.value == m.name.value);
        source.is_some() && claim_of(m, &job.volumes).is_some()
    });
    let Some(at) = mount.and_then(|m| m.path.as_ref()) else { return };
    let volume = at.value.trim_end_matches('/');
    let (path, said, option) = match directory(text, command) {
        Some((option, value)) => {
            if !value.starts_with('/') || value.contains(['$', '`', '<', '{']) {
                return;
            }
            (value.trim_end_matches('/').to_owned(), None, option)
        }
        None => {
            let place = Place { job, container, directory: None, span };
            let Some((path, said)) = cache_of(&place, recipe) else { return };
            // Whose home it is stands in the image.
            if said.is_none() && ["/root", "/home"].iter().any(|home| at.value.starts_with(home)) {
                return;
            }
            (path, said, "HF_HOME")
        }
    };
    // It may be copied there, or be reached by a link.
    let mentioned = || texts(container).any(|(text, _)| text.contains(volume));
    if provided(container, &job.volumes, &path).is_some() || mentioned() {
        return;
    }
    out.report(
        span,
        format!("`{}` is downloaded to `{path}`, outside the volume", model.trim_matches(QUOTES)),
        "gone when the Job ends",
    )
    .subject(option)
    .label_opt(said, "set here")
    .label(at.span, "the volume is mounted here")
    .help(format!("give `{option}` a directory below `{volume}`"))
    .emit();
}
