//! The model that a Job downloads, against what the workers look for and where.

use std::cell::LazyCell;
use std::ops::Range;

use super::benchmark_model::served;
use super::downloads::{Place, cache_of, claim_of, directory, downloads};
use super::jobs::{QUOTES, texts, texts_with};
use super::near::{beside_where, recipe_directory};
use super::volumes::{default_cache, provided};
use crate::manifest::{Container, Mount, Object, Volume};
use crate::resolve::{Deployment, Framework, Recipe};
use crate::rules::{Findings, workload};
use crate::source::{Span, Text};

/// `download-model-mismatch`
pub fn download_model_mismatch(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(|o| o.kind == "Job") {
        let Some(pod) = job.workload() else { continue };
        for container in &pod.containers {
            let fetches = texts(container).any(|(t, _)| {
                ["hf download", "huggingface-cli download", "snapshot_download"].iter().any(|w| t.contains(w))
            });
            // An adapter is loaded at run time, by name.
            let adapter = || {
                texts(container).any(|(t, _)| t.to_ascii_lowercase().contains("lora"))
                    || container.env.iter().any(|(_, e)| e.name.to_ascii_lowercase().contains("lora"))
            };
            if !fetches || adapter() {
                continue;
            }
            let graphs = recipe_directory(recipe, job.file, "DynamoGraphDeployment");
            if graphs.is_empty() {
                continue;
            }
            for name in ["MODEL_NAME", "MODEL", "MODEL_ID", "HF_MODEL"] {
                let Some(word) = workload::env(container, recipe, name) else { continue };
                let Some(model) =
                    word.as_known().map(str::trim).filter(|m| m.contains('/') && !m.contains(['$', '<', '{', ' ']))
                else {
                    continue;
                };
                if graphs.iter().any(|g| served(g, recipe, model)) {
                    continue;
                }
                out.report(
                    word.span(),
                    format!("no graph of the recipe uses `{model}`"),
                    "downloaded, while the workers fetch or look for something else",
                )
                .subject(name)
                .label(graphs[0].name_span, "a graph of this recipe")
                .help("download the model that the workers are given")
                .emit();
            }
        }
    }
}

/// `model-downloaded-elsewhere`
pub fn model_downloaded_elsewhere(deployment: &Deployment, out: &mut Findings) {
    let recipe = &deployment.recipe;
    let jobs = LazyCell::new(|| beside_where(recipe, deployment.graph.object.file, "Job", fetches));
    for service in deployment.workers() {
        let names: &[&str] = match service.framework {
            Some(Framework::Vllm) => &["--model"],
            Some(Framework::Sglang | Framework::Trtllm) => &["--model-path", "--model"],
            _ => continue,
        };
        let Some(word) = service.flag(names).and_then(|f| f.value()) else { continue };
        let Some((model, root)) = word.as_known().and_then(wanted) else { continue };
        let home = || service.env.known("HF_HOME").map(|t| t.as_str().trim_end_matches('/').to_owned());
        let root = root.or_else(|| home().filter(|_| service.env.get("HF_HUB_CACHE").is_none()));
        let mut places: Vec<Place<'_>> = Vec::new();
        for job in jobs.iter().filter_map(|job| job.workload()) {
            for container in &job.containers {
                for text in texts_with(container, recipe, "download") {
                    let all = fetched(&text, &model, container, recipe).into_iter();
                    places.extend(all.map(|(directory, span)| Place { job, container, directory, span }));
                }
            }
        }
        let Some(place) = places.last() else { continue };
        // Where the Job's directory is in the pod of the worker, by the claim that both mount.
        let main = &service.component.main;
        let seen = |claim: &str, rest: &str| {
            let mount = main.mounts.iter().find(|m| claim_of(m, &service.component.volumes) == Some(claim))?;
            Some((format!("{}{rest}", mount.path.as_ref()?.value.trim_end_matches('/')), mount))
        };
        let cached = places.iter().any(|p| p.directory.is_none());
        if let (Some(directory), false) = (&place.directory, cached) {
            let found = match stored(place.container, &place.job.volumes, directory) {
                Some((claim, rest)) => seen(claim, &rest),
                // A Job that mounts nothing is written down in part.
                None if place.container.mounts.is_empty() => {
                    let under = |m: &&Mount| {
                        m.path.as_ref().is_some_and(|p| directory.starts_with(p.value.trim_end_matches('/')))
                    };
                    main.mounts.iter().find(under).map(|m| (directory.clone(), m))
                }
                None => None,
            };
            let Some((directory, mount)) = found else { continue };
            out.report(
                word.span(),
                format!("`{}` fetches `{model}` again: the recipe downloads it to `{directory}`", service.name),
                "looked up in the Hugging Face cache, and the download made none",
            )
            .service(service)
            .subject("model")
            .label(place.span, "downloaded here, outside the cache")
            .label(mount.path.as_ref().map_or(mount.name.span, |p| p.span), "the volume is mounted here")
            .help(format!("write `{}` `{directory}`, and keep the name with `--served-model-name {model}`", names[0]))
            .emit();
            continue;
        }
        let Some((cache, said)) = cache_of(place, recipe).filter(|_| place.directory.is_none()) else { continue };
        let shared = place
            .container
            .mounts
            .iter()
            .find(|m| claim_of(m, &place.job.volumes).is_some_and(|claim| seen(claim, "").is_some()));
        let Some(shared) = shared else { continue };
        // Told nothing, the worker looks in the home of its image's user.
        let home = default_cache(service)
            .filter(|home| root.is_none() && provided(main, &service.component.volumes, home).is_none());
        let message = match stored(place.container, &place.job.volumes, &cache) {
            Some((claim, _)) if home.is_some() && seen(claim, "").is_some() => {
                format!("without `HF_HOME` it looks in `{}`, which is on no volume", home.unwrap_or_default())
            }
            None if provided(place.container, &place.job.volumes, &cache).is_none() => {
                format!("the Job's cache is `{cache}`, outside its volume")
            }
            Some((claim, rest)) => match (seen(claim, &rest), &root) {
                (Some((there, _)), Some(root))
                    if there != *root
                        && stored(main, &service.component.volumes, root).is_some_and(|(other, _)| other == claim) =>
                {
                    format!("in this pod the Job's cache is `{there}`, not `{root}`")
                }
                _ => continue,
            },
            None => continue,
        };
        out.report(
            word.span(),
            format!("`{}` does not find `{model}` where the recipe downloads it", service.name),
            message,
        )
        .service(service)
        .subject("model")
        .label(place.span, "downloaded here")
        .label_opt(said, "the cache is set here")
        .label(shared.path.as_ref().map_or(shared.name.span, |p| p.span), "the Job mounts the volume here")
        .help("point `HF_HOME` of the Job at the directory of the volume that `HF_HOME` of the workers names")
        .emit();
    }
}

/// Whether a Job downloads something.
fn fetches(job: &Object) -> bool {
    let containers = job.workload().into_iter().flat_map(|w| &w.containers);
    containers.flat_map(texts).any(|(text, _)| text.contains("download"))
}

/// The Hub id that a worker names, and the cache in which it looks where it names a path into one.
fn wanted(text: &str) -> Option<(String, Option<String>)> {
    if let Some((root, rest)) = text.split_once("/models--").filter(|_| text.starts_with('/')) {
        let model = rest.split('/').next()?.replacen("--", "/", 1);
        return Some((model, Some(root.strip_suffix("/hub").unwrap_or(root).to_owned())));
    }
    (text.contains('/') && !text.starts_with(['/', '.', '$'])).then(|| (text.to_owned(), None))
}

/// The claim in which a path lies, and what follows its mount; none for parts of volumes.
fn stored<'a>(container: &'a Container, volumes: &'a [Volume], path: &str) -> Option<(&'a str, String)> {
    let (mount, _) = provided(container, volumes, path)?;
    let rest = path.strip_prefix(mount.path.as_ref()?.value.trim_end_matches('/'))?;
    let claim = claim_of(mount, volumes).filter(|_| mount.sub_path.is_none())?;
    Some((claim, rest.trim_end_matches('/').to_owned()))
}

/// Downloads of a model in a script: the directory where one is named, and where the command stands.
fn fetched(text: &Text, model: &str, container: &Container, recipe: &Recipe) -> Vec<(Option<String>, Span)> {
    let names = |word: &&Range<usize>| {
        let word = text.as_str()[(*word).clone()].trim_matches(QUOTES);
        match word.strip_prefix('$') {
            Some(variable) => {
                let value = workload::env(container, recipe, variable.trim_matches(['{', '}']));
                value.is_some_and(|v| v.as_known().map(str::trim) == Some(model))
            }
            None => word == model,
        }
    };
    let one = |words: Vec<Range<usize>>| {
        let named = words.get(1).filter(names)?;
        let directory = directory(text, &words).filter(|(option, _)| *option == "--local-dir");
        Some((directory.map(|(_, value)| value.to_owned()), text.slice_span(words[0].start..named.end)))
    };
    downloads(text).into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn models_that_a_worker_wants() {
        assert_eq!(wanted("org/X"), Some(("org/X".to_owned(), None)));
        let path = "/opt/models/hub/models--org--X/snapshots/1";
        assert_eq!(wanted(path), Some(("org/X".to_owned(), Some("/opt/models".to_owned()))));
        assert_eq!(wanted("/models/X"), None);
    }
}
