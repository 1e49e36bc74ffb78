//! Where a Job puts what it downloads.

use std::ops::Range;

use super::jobs::{QUOTES, commands, texts, texts_with};
use super::volumes::provided;
use crate::manifest::{Container, EnvSource, Mount, Volume, VolumeSource, Workload};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::{Span, Text};
use crate::yaml::Node;

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

/// `download-outside-volume`
pub fn download_outside_volume(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(|o| o.kind == "Job").filter_map(|o| o.workload()) {
        for container in &job.containers {
            for text in texts_with(container, recipe, "download") {
                for command in downloads(&text) {
                    judge(recipe, job, container, &text, &command, out);
                }
                // Python's way; what it is given a directory for goes there.
                let called = text.find("snapshot_download").filter(|_| !text.contains("local_dir"));
                if let Some(at) = called {
                    let span = text.slice_span(at..at + "snapshot_download".len());
                    lost(recipe, job, container, span, None, "a model", out);
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
    let model = format!("`{}`", text.as_str()[model.clone()].trim_matches(QUOTES));
    lost(recipe, job, container, span, directory(text, command), &model, out);
}

/// What is downloaded by a program that is told a directory, or goes by `HF_HOME`.
fn lost(
    recipe: &Recipe,
    job: &Workload,
    container: &Container,
    span: Span,
    told: Option<(&str, &str)>,
    model: &str,
    out: &mut Findings,
) {
    // The claim that is mounted and does not get it.
    let mount = container.mounts.iter().find(|m| {
        let source = job.volumes.iter().find(|v| v.name.value == m.name.value);
        source.is_some() && claim_of(m, &job.volumes).is_some()
    });
    let Some(at) = mount.and_then(|m| m.path.as_ref()) else { return };
    let volume = at.value.trim_end_matches('/');
    let (path, said, option) = match told {
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
            let hub = container.env.iter().any(|(_, entry)| entry.name.value == "HF_HUB_CACHE");
            (path, said, if hub { "HF_HUB_CACHE" } else { "HF_HOME" })
        }
    };
    // It may be copied there, or be reached by a link.
    let home = container.env.iter().find(|(_, entry)| option == "HF_HUB_CACHE" && entry.name.value == "HF_HOME");
    let apart =
        |node: &Node| home.is_some_and(|(_, e)| matches!(&e.source, EnvSource::Value(Some(v)) if v.span == node.span));
    let mentioned = || texts(container).any(|(text, node)| text.contains(volume) && !apart(node));
    if provided(container, &job.volumes, &path).is_some() || mentioned() {
        return;
    }
    out.report(span, format!("{model} is downloaded to `{path}`, outside the volume"), "gone when the Job ends")
        .subject(option)
        .label_opt(said, "set here")
        .label(at.span, "the volume is mounted here")
        .help(format!("give `{option}` a directory below `{volume}`"))
        .emit();
}

/// A download of a model: the Job's pod, the container, the directory where one is named, and the line.
pub(super) struct Place<'a> {
    pub(super) job: &'a Workload,
    pub(super) container: &'a Container,
    pub(super) directory: Option<String>,
    pub(super) span: Span,
}

/// The claim behind a mount.
pub(super) fn claim_of<'a>(mount: &'a Mount, volumes: &'a [Volume]) -> Option<&'a str> {
    match volumes.iter().find(|v| v.name.value == mount.name.value) {
        Some(Volume { source: VolumeSource::Claim(name), .. }) => Some(name),
        Some(_) => None,
        // A claim of that name.
        None => Some(&mount.name.value),
    }
}

/// The Hugging Face home of a Job, and where it is said; none where its script may say otherwise.
pub(super) fn cache_of(place: &Place<'_>, recipe: &Recipe) -> Option<(String, Option<Span>)> {
    let own = |(text, _): (&str, &Node)| {
        ["HF_HOME=", "HF_HUB_CACHE=", "--cache-dir", "cache_dir"].iter().any(|w| text.contains(w))
    };
    if texts(place.container).any(own) {
        return None;
    }
    let set = |name: &str| workload::env(place.container, recipe, name);
    if set("XDG_CACHE_HOME").is_some() || set("HOME").is_some() {
        return None;
    }
    // The cache within the home, where one is said by itself.
    let hub = set("HF_HUB_CACHE");
    if hub.as_ref().is_some_and(|word| word.as_known().is_none_or(|path| !path.ends_with("/hub"))) {
        return None;
    }
    match hub.or_else(|| set("HF_HOME")) {
        Some(word) => {
            let path = word.as_known().filter(|p| p.starts_with('/') && !p.contains(['$', '<', '{']))?;
            Some((path.trim_end_matches('/').trim_end_matches("/hub").to_owned(), Some(word.span())))
        }
        None => {
            // A Secret holds a token; a ConfigMap may well say where the cache is.
            let near = place.container.env_from.iter().any(|from| !from.secret)
                || place.container.mounts.iter().filter_map(|m| m.path.as_ref()).any(|p| p.value.contains("cache/"));
            (!near).then(|| ("/root/.cache/huggingface".to_owned(), None))
        }
    }
}
