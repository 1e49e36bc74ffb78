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

/// `download-outside-volume`
pub fn download_outside_volume(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(|o| o.kind == "Job").filter_map(|o| o.workload()) {
        for container in &job.containers {
            for text in texts_with(container, recipe, "download") {
                for command in ["hf", "huggingface-cli"].iter().flat_map(|program| commands(&text, program)) {
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
    let words: Vec<&str> =
        command.iter().map(|w| &text.as_str()[w.clone()]).take_while(|w| !ENDS.contains(w)).collect();
    let [_, "download", model, ..] = words[..] else { return };
    // The claim that is mounted and does not get it.
    let mount = container.mounts.iter().find(|m| {
        let source = job.volumes.iter().find(|v| v.name.value == m.name.value);
        source.is_some() && claim_of(m, &job.volumes).is_some()
    });
    let Some(at) = mount.and_then(|m| m.path.as_ref()) else { return };
    let volume = at.value.trim_end_matches('/');
    let span = text.slice_span(command[0].start..command[2].end);
    let named = words.iter().find(|w| PLACES.iter().any(|p| w.starts_with(p)));
    let (path, said, option) = match named {
        Some(option) => {
            let next = || words.iter().skip_while(|w| w != &option).nth(1).copied();
            let Some(value) = option.split_once('=').map(|(_, v)| v).or_else(next) else { return };
            let value = value.trim_matches(['"', '\'']);
            if !value.starts_with('/') || value.contains(['$', '`', '<', '{']) {
                return;
            }
            (value.trim_end_matches('/').to_owned(), None, option.split('=').next().unwrap_or_default())
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
        format!("`{}` is downloaded to `{path}`, outside the volume", model.trim_matches(['"', '\''])),
        "gone when the Job ends",
    )
    .subject(option)
    .label_opt(said, "set here")
    .label(at.span, "the volume is mounted here")
    .help(format!("give `{option}` a directory below `{volume}`"))
    .emit();
}
