//! The model that a benchmark asks for, against the names that the graphs serve.

use super::benchmark_host::services;
use super::jobs::{each_aiperf, is_job, texts};
use super::near::recipe_directory;
use crate::finding::{Applicability, Edit};
use crate::manifest::{Container, EnvEntry, EnvSource, Graph, Object};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::Node;

/// `model-name-mismatch`
pub fn model_name_mismatch(recipe: &Recipe, out: &mut Findings) {
    named_models(recipe, out);
    routed_models(recipe, out);
    for job in recipe.here.iter().filter(|o| matches!(o.kind.as_str(), "Job" | "Deployment" | "Pod")) {
        let Some(pod) = job.workload() else { continue };
        for container in &pod.containers {
            let perf = texts(container).any(|(t, _)| {
                ["aiperf", "genai-perf", "/v1/models", "/v1/chat/completions"].iter().any(|w| t.contains(w))
            });
            let picker = container.env.iter().any(|(_, e)| e.name.value == "DYNAMO_MODEL");
            let names: &[&str] = match (job.kind.as_str(), perf, picker) {
                (_, _, true) => &["DYNAMO_MODEL"],
                ("Job" | "Pod", true, _) => &["TARGET_MODEL", "MODEL_NAME", "MODEL", "SERVED_MODEL_NAME"],
                _ => continue,
            };
            let Some((name, word)) = names.iter().find_map(|n| Some((*n, workload::env(container, recipe, n)?))) else {
                continue;
            };
            let Some(model) = word.as_known().map(str::trim).filter(|m| !m.is_empty() && !m.contains(['$', '<', '{']))
            else {
                continue;
            };
            let graphs = recipe_directory(recipe, job.file, "DynamoGraphDeployment");
            let asked = || texts(container).any(|(text, _)| asks_for(text, name));
            let other = |served: &str| {
                let held = |(_, entry): &(_, EnvEntry)| matches!(&entry.source, EnvSource::Value(Some(node)) if node.as_text().is_some_and(|t| holds(t, served)));
                !container.env.iter().any(held) && !texts(container).any(|(text, _)| holds(text, served))
            };
            let known = |g: &&Object| served(g, recipe, model);
            if graphs.is_empty()
                || graphs.iter().any(known) && !renamed(&graphs, model).is_some_and(|n| other(&n) && asked())
            {
                continue;
            }
            out.report(
                word.span(),
                format!("no graph of the recipe serves `{model}`"),
                "the frontend answers 404 for a model it does not know",
            )
            .subject(name)
            .label(graphs[0].name_span, "a graph of this recipe")
            .label_opt(only_served(&graphs).and_then(|served| place(&graphs, &served)), "what it serves")
            .help("write the `--served-model-name` of the workers, or the model's own name where there is none")
            .mend(
                Applicability::Unsafe,
                only_served(&graphs).and_then(|name| {
                    let file = recipe.sources.get(word.span().file);
                    let written = file.text.get(word.span().range()) == Some(model);
                    written.then(|| vec![Edit { span: word.span(), text: name }])
                }),
            )
            .emit();
        }
    }
}

/// Models that aiperf is given by name on its own command line.
fn named_models(recipe: &Recipe, out: &mut Findings) {
    each_aiperf(recipe, |text, words, _, _| {
        let option = words.iter().position(|(word, _)| matches!(*word, "-m" | "--model" | "--model-names"));
        let Some((model, at)) = option.and_then(|o| words.get(o + 1)) else { return };
        let quote = usize::from(model.starts_with(['"', '\'']));
        let model = model.trim_matches(['"', '\'']);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if model.is_empty() || !model.chars().all(plain) || model.starts_with(['/', '-', '.']) {
            return;
        }
        let graphs = recipe_directory(recipe, text.span().file, "DynamoGraphDeployment");
        // The benchmark has to be one of these graphs, and adapters are loaded at run time, by name.
        let jobs = || recipe.here.iter().filter(is_job).filter_map(|job| job.workload()).flat_map(|w| &w.containers);
        let calls = |service: String| jobs().flat_map(texts).any(|(text, _)| text.contains(&service));
        if !graphs.iter().flat_map(|g| services(g)).any(calls)
            || graphs.iter().any(|g| adapters(g))
            || graphs.iter().any(|g| served(g, recipe, model)) && renamed(&graphs, model).is_none()
        {
            return;
        }
        out.report(
            text.slice_span(at + quote..at + quote + model.len()),
            format!("no graph of the recipe serves `{model}`"),
            "the frontend answers 404 for a model it does not know",
        )
        .subject("--model")
        .label(graphs[0].name_span, "a graph of this recipe")
        .help("write the `--served-model-name` of the workers, or the model's own name where there is none")
        .emit();
    });
}

/// Models by which a route in front of the recipe's only graph picks requests (`X-Gateway-Model-Name`, which the gateway
/// takes from the request's body).
fn routed_models(recipe: &Recipe, out: &mut Findings) {
    for route in recipe.here.iter().filter(|o| o.kind == "HTTPRoute") {
        let rules = route.node.at(&["spec", "rules"]).into_iter().flat_map(Node::items);
        let matches = rules.filter_map(|rule| rule.get("matches")).flat_map(Node::items);
        for header in matches.filter_map(|m| m.get("headers")).flat_map(Node::items) {
            let is = |key: &str, word: &str| {
                header.get(key).and_then(Node::as_text).is_some_and(|t| t.eq_ignore_ascii_case(word))
            };
            let value = header.get("value").and_then(|node| Some((node, node.as_text()?)));
            let Some((node, model)) =
                value.filter(|_| is("name", "X-Gateway-Model-Name") && !is("type", "RegularExpression"))
            else {
                continue;
            };
            let graphs = recipe_directory(recipe, route.file, "DynamoGraphDeployment");
            let [graph] = &graphs[..] else { continue };
            if model.contains(['$', '<', '{']) || adapters(graph) || served(graph, recipe, model) {
                continue;
            }
            out.report(
                node.span,
                format!("no graph of the recipe serves `{model}`"),
                "the route is for no request that can be answered",
            )
            .subject("X-Gateway-Model-Name")
            .label(graph.name_span, "the graph of this recipe")
            .help("write the `--served-model-name` of the workers, or the model's own name where there is none")
            .emit();
        }
    }
}

/// Whether a graph mentions adapters: those are loaded at run time, by names of their own.
fn adapters(graph: &Object) -> bool {
    let containers = graph.graph().into_iter().flat_map(|g| &g.components).flat_map(|c| c.containers());
    containers.flat_map(texts).any(|(text, _)| text.contains("lora"))
}

/// Whether a text holds a model name that does not go on: `org/X`, and not `org/X-FP8`.
fn holds(text: &str, model: &str) -> bool {
    let on = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    // Most words are shorter, and getting ready to search is most of a search.
    if text.len() < model.len() {
        return false;
    }
    text.match_indices(model).any(|(at, _)| {
        let rest = &text.as_bytes()[at + model.len()..];
        let dot = rest.first() == Some(&b'.') && rest.get(1).is_some_and(u8::is_ascii_alphanumeric);
        !rest.first().is_some_and(on) && !dot
    })
}

/// Whether a model name stands in what a graph is given (command, args, env values, and ConfigMaps of its directory): in
/// full, or as the directory of a cache.
pub(super) fn served(graph: &Object, recipe: &Recipe, model: &str) -> bool {
    let cached = model.replace('/', "--");
    let names = |node: &Node| node.as_text().is_some_and(|text| holds(text, model) || holds(text, &cached));
    let set = |entry: &EnvEntry| matches!(&entry.source, EnvSource::Value(Some(node)) if names(node));
    let Some(read) = graph.graph() else { return false };
    let mut containers = read.components.iter().flat_map(|c| c.containers());
    read.env.iter().any(set)
        || containers.any(|c| workload::words(c).any(names) || c.env.iter().any(|(_, entry)| set(entry)))
        || {
            let file = recipe.file_name(graph.file);
            let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
            let mut maps = recipe.around.below("ConfigMap", directory);
            maps.any(|(_, map)| map.node.get("data").into_iter().flat_map(Node::entries).any(|e| names(&e.value)))
        }
}

/// The name that the workers of these graphs serve under, where all that say one say the same: what
/// `--served-model-name` says, else the model's own name on the Hub.
pub(super) fn only_served(graphs: &[&Object]) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for graph in graphs {
        let read = graph.graph()?;
        for container in read.components.iter().flat_map(|c| c.containers()) {
            let texts: Vec<&str> = workload::words(container).filter_map(Node::as_text).collect();
            let words: Vec<&str> = texts.iter().flat_map(|text| text.split_whitespace()).collect();
            let engine = ["vllm", "sglang", "trtllm", "mocker"].map(|name| format!("dynamo.{name}"));
            let starts = words.iter().any(|word| engine.iter().any(|module| word.starts_with(module.as_str())));
            let said = given(&words, "--served-model-name", container, read)?;
            let said = if said.is_empty() && starts {
                let mut own = given(&words, "--model", container, read)?;
                own.extend(given(&words, "--model-path", container, read)?);
                // A path is no name, and a worker that is given no model serves one that is not seen here.
                if own.is_empty() || own.iter().any(|name| name.starts_with(['/', '.'])) {
                    return None;
                }
                own
            } else {
                said
            };
            names.extend(said);
        }
    }
    names.retain(|name| !name.contains(['$', '<', '{']));
    crate::source::order(&mut names, Ord::cmp);
    names.dedup();
    let [name] = &names[..] else { return None };
    Some(name.clone())
}

/// The one name that all workers of these graphs are told to serve under, where it is another than this.
fn renamed(graphs: &[&Object], model: &str) -> Option<String> {
    let name = only_served(graphs).filter(|name| name != model)?;
    let mut containers =
        graphs.iter().filter_map(|g| g.graph()).flat_map(|g| &g.components).flat_map(|c| c.containers());
    let said = |container: &Container| {
        let texts: Vec<&str> = workload::words(container).filter_map(Node::as_text).collect();
        let words: Vec<&str> = texts.iter().flat_map(|text| text.split_whitespace()).collect();
        let engine = words.iter().any(|word| word.starts_with("dynamo.") && !word.starts_with("dynamo.frontend"));
        let at = words.iter().position(|word| word.starts_with("--served-model-name"));
        // vLLM takes several names.
        let one = at.is_some_and(|at| {
            let next = at + if words[at].contains('=') { 1 } else { 2 };
            words.get(next).is_none_or(|word| word.starts_with(['-', '\\', ';', '&', '|', '2']))
        });
        !engine && at.is_none() && !words.contains(&"--model-name") || one
    };
    (containers.all(said) && !graphs.iter().any(|g| adapters(g))).then_some(name)
}

/// Where a name stands in the graphs.
fn place(graphs: &[&Object], name: &str) -> Option<Span> {
    let containers = graphs.iter().filter_map(|g| g.graph()).flat_map(|g| &g.components).flat_map(|c| c.containers());
    let mut nodes = containers.flat_map(|c| {
        let set = c.env.iter().filter_map(|(_, entry)| match &entry.source {
            EnvSource::Value(Some(node)) => Some(node),
            _ => None,
        });
        set.chain(workload::words(c))
    });
    nodes.find(|node| node.as_text() == Some(name)).map(|node| node.span)
}

/// Whether a script hands a variable to `--model`.
fn asks_for(script: &str, variable: &str) -> bool {
    script.split_whitespace().zip(script.split_whitespace().skip(1)).any(|(option, value)| {
        matches!(option, "--model" | "-m" | "--model-names")
            && value.trim_matches(['"', '\'', '$', '{', '}']) == variable
    })
}

/// Values of an option among the words of a container, variables read; none when one cannot be known.
pub(super) fn given(words: &[&str], flag: &str, container: &Container, graph: &Graph) -> Option<Vec<String>> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(rest) = word.strip_prefix(flag).filter(|rest| rest.is_empty() || rest.starts_with('=')) else {
            continue;
        };
        let value = rest.strip_prefix('=').or_else(|| words.get(at + 1).copied())?.trim_matches(['"', '\'']);
        let Some(variable) = value.strip_prefix('$') else {
            found.push(value.to_owned());
            continue;
        };
        let variable = variable.trim_matches(['{', '}', '(', ')']);
        let mut entries = container.env.iter().map(|(_, entry)| entry).chain(&graph.env);
        let EnvSource::Value(Some(node)) = &entries.find(|entry| entry.name.value == variable)?.source else {
            return None;
        };
        found.push(node.as_text()?.to_owned());
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn a_model_is_not_its_quantised_twin() {
        assert!(holds("--model org/X --tp 2", "org/X") && holds("/hub/models--org--X/snapshots", "models--org--X"));
        assert!(holds("serves org/X.", "org/X"));
        assert!(!holds("--model org/X-FP8", "org/X") && !holds("org/X.1", "org/X") && !holds("org/X2", "org/X"));
    }
}
