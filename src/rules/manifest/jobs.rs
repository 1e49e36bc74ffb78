//! Benchmark and download Jobs beside a graph.

use std::ops::Range;

use super::downloads::{QUOTES, directory, downloads};
use super::near::{beside_where, recipe_directory};
use super::volumes::provided;
use crate::finding::{Applicability, Edit};
use crate::manifest::{
    ComponentType, Container, EnvEntry, EnvSource, Graph, Image, Mount, Object, Volume, VolumeSource, Workload,
};
use crate::resolve::{Deployment, Framework, Recipe, Version};
use crate::rules::mend::cut;
use crate::rules::{Findings, workload};
use crate::source::{Span, Text};
use crate::yaml::Node;

/// Scalars of a container in which a host or model can stand: env values, command, args. With their values: where each
/// byte stands is worth finding out only for the few that hold something.
pub(super) fn texts(container: &Container) -> impl Iterator<Item = (&str, &Node)> {
    let env = container.env.iter().filter_map(|(_, e)| match &e.source {
        EnvSource::Value(Some(node)) => Some(node),
        _ => None,
    });
    env.chain(workload::words(container)).filter_map(|node| Some((&*node.as_scalar()?.value, node)))
}

/// Those of them that hold a word, traced.
pub(super) fn texts_with<'a>(
    container: &'a Container,
    recipe: &'a Recipe,
    word: &'a str,
) -> impl Iterator<Item = Text> + 'a {
    texts(container).filter(move |(value, _)| value.contains(word)).filter_map(|(_, node)| recipe.text(node))
}

/// Hosts in front of the port, with their places.
fn hosts(text: &Text, port: &str) -> Vec<(String, Span)> {
    let value = text.as_str();
    let host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let mut found = Vec::new();
    for (at, _) in value.match_indices(port) {
        let before = &value.as_bytes()[..at];
        let length = before.iter().rev().take_while(|b| host(**b)).count();
        let start = at - length;
        // Part of `${VAR}-frontend:8000`, a path or a longer number is no host name.
        let glued = start > 0 && matches!(before[start - 1], b'}' | b'$' | b'{' | b'_' | b')');
        let longer = value.as_bytes().get(at + port.len()).is_some_and(u8::is_ascii_digit);
        if length > 0 && !glued && !longer {
            found.push((value[start..at].to_owned(), text.slice_span(start..at)));
        }
    }
    found
}

/// Whether an object is a Job, or the bare Pod that people write instead of one.
pub(in crate::rules) fn is_job(object: &&Object) -> bool {
    matches!(object.kind.as_str(), "Job" | "Pod" | "CronJob")
}

/// Variables behind `://` in a text, and where each one's name stands.
fn variables_of_urls(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.match_indices("://$").filter_map(move |(at, _)| {
        let brace = usize::from(text[at + 4..].starts_with('{'));
        let start = at + 4 + brace;
        let length = text[start..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        (length > 0).then(|| (&text[start..start + length], start))
    })
}

/// Hosts that a variable holds which stands in front of the port: `http://${FRONTEND}:8000`.
fn hosts_by_name(container: &Container, recipe: &Recipe) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    for (text, _) in texts(container) {
        for (name, at) in variables_of_urls(text) {
            let rest = text[at + name.len()..].trim_start_matches('}');
            let port = rest.strip_prefix(PORT).is_some_and(|r| !r.starts_with(|c: char| c.is_ascii_digit()));
            let Some(word) = workload::env(container, recipe, name).filter(|_| port) else { continue };
            let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
            let Some(value) = word.as_known().filter(|v| !v.is_empty() && v.chars().all(host)) else { continue };
            if !found.iter().any(|(known, _)| known == value) {
                found.push((value.to_owned(), word.span()));
            }
        }
    }
    found
}

/// `http://$ENDPOINT` where the variable begins with `http://` as well.
fn twice_a_scheme(job: &Object, recipe: &Recipe, out: &mut Findings) {
    for container in job.workload().into_iter().flat_map(|w| &w.containers) {
        let used = || texts(container).flat_map(|(text, _)| variables_of_urls(text));
        let Some((word, name)) = used().find_map(|(name, _)| {
            let word = workload::env(container, recipe, name)?;
            word.as_known().is_some_and(|v| v.starts_with("http") && v.contains("://")).then_some((word, name))
        }) else {
            continue;
        };
        // The script may cut it off, or set another value.
        if texts(container).any(|(text, _)| text.contains(&format!("{name}=")) || text.contains(&format!("{name}#"))) {
            continue;
        }
        out.report(
            word.span(),
            format!("the URLs of `{}` have `://` twice", job.name),
            format!("the script writes `://` in front of `${name}`"),
        )
        .subject("endpoint")
        .help("write host and port alone")
        .emit();
    }
}

fn is_graph(object: &&Object) -> bool {
    object.kind == "DynamoGraphDeployment"
}

/// Names of the Services that the operator makes for the components of a graph.
fn services(object: &Object) -> Vec<String> {
    let components = object.graph().into_iter().flat_map(|g| &g.components);
    components.map(|c| format!("{}-{}", object.name, c.name.value.to_ascii_lowercase())).collect()
}

/// Names of the Services of components that say they are something else than a frontend: they have other ports.
fn portless(object: &Object) -> Vec<String> {
    use ComponentType::{Decode, Epp, Planner, Prefill, Worker};
    let components = object.graph().into_iter().flat_map(|g| &g.components);
    let other = components.filter(|c| matches!(c.component_type, Worker | Prefill | Decode | Planner | Epp));
    other.map(|c| format!("{}-{}", object.name, c.name.value.to_ascii_lowercase())).collect()
}

/// Whether nothing but the command of a Job's one container could listen in its pod, and that starts no server.
fn alone(pod: &Workload) -> bool {
    const SERVERS: [&str; 9] =
        ["port-forward", "socat", "ssh", "serve", "dynamo.", "uvicorn", "nginx", "http.server", "proxy"];
    let [container] = &pod.containers[..] else { return false };
    let network = pod.spec.get("hostNetwork").is_some();
    let quiet = |text: &str| {
        let background = text.replace("&&", "").replace(">&", "").replace("&>", "").contains('&');
        !background && !SERVERS.iter().any(|s| text.contains(s))
    };
    !network
        && pod.init_containers.is_empty()
        && !container.command.items.is_empty()
        && workload::words(container).filter_map(Node::as_text).all(quiet)
}

/// The directory of a file.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// What stands behind the host of a frontend.
const PORT: &str = ":8000";

/// `perf-endpoint-mismatch`
pub fn perf_endpoint_mismatch(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(is_job) {
        let Some(pod) = job.workload() else { continue };
        other_port(recipe, job, out);
        twice_a_scheme(job, recipe, out);
        let mut all: Vec<(String, Span)> =
            pod.containers.iter().flat_map(|c| texts_with(c, recipe, PORT)).flat_map(|t| hosts(&t, PORT)).collect();
        all.extend(pod.containers.iter().flat_map(|c| hosts_by_name(c, recipe)));
        if all.is_empty() {
            continue;
        }
        let graphs: Vec<&Object> = recipe_directory(recipe, job.file, "DynamoGraphDeployment");
        let graphs: Vec<&Object> =
            graphs.into_iter().filter(is_graph).filter(|g| !g.name.contains(['$', '<'])).collect();
        if graphs.is_empty() {
            continue;
        }
        let other: Vec<String> = graphs.iter().flat_map(|g| portless(g)).collect();
        let known: Vec<String> =
            graphs.iter().flat_map(|g| services(g)).filter(|service| !other.contains(service)).collect();
        // Services that the recipe makes itself.
        let own = |host: &str| recipe.around.has("Service", host);
        let label = |host: &str| host.split('.').next().unwrap_or_default().to_ascii_lowercase();
        if all.iter().any(|(host, _)| known.contains(&label(host))) {
            continue;
        }
        let local = |host: &str| host == "localhost" || host.starts_with("127.");
        if let Some((host, span)) = all.first().filter(|_| all.iter().all(|(host, _)| local(host)) && alone(pod)) {
            let right = graphs.iter().flat_map(|g| services(g)).find(|s| s.contains("frontend"));
            out.report(
                *span,
                format!("nothing in the pod of `{}` listens on `{host}{PORT}`", job.name),
                "`localhost` is this pod itself, not the one of the frontend",
            )
            .subject("endpoint")
            .label(graphs[0].name_span, "this graph")
            .help(match &right {
                Some(right) => format!("write `{right}{PORT}`"),
                None => "write the Service of the frontend".to_owned(),
            })
            .emit();
            continue;
        }
        // Only hosts named after a graph of the recipe: others belong to somebody else.
        let wrong = all.iter().find_map(|(host, span)| {
            let host = label(host);
            let graph = graphs.iter().filter(|g| host == g.name || host.starts_with(&format!("{}-", g.name)));
            let graph = graph.max_by_key(|g| g.name.len()).copied().or_else(|| {
                // `llama-agg-frontend` where the recipe has `llama-disagg`: the name of a frontend's Service, of no graph.
                let first =
                    host.strip_suffix("-frontend")?.split('-').next().filter(|f| !matches!(*f, "my" | "your"))?;
                graphs.iter().find(|g| g.name.split('-').next() == Some(first)).copied()
            });
            // `llama-disagg-frontend` may be of another graph, which lies elsewhere; beside the Job it would be at hand.
            let elsewhere = |g: &Object| {
                let named = host.strip_suffix("-frontend").is_some_and(|name| name != g.name);
                named && folder(&recipe.file_name(g.file)) != folder(&recipe.file_name(job.file))
            };
            graph.filter(|g| !own(&host) && !elsewhere(g)).map(|g| (host.clone(), *span, g))
        });
        let Some((host, span, graph)) = wrong else { continue };
        let right = services(graph).into_iter().find(|s| s.contains("frontend"));
        let right = right.unwrap_or_else(|| format!("{}-frontend", graph.name));
        let message = match other.contains(&host) {
            true => format!("the Service `{host}` has no port 8000, because it is no frontend's"),
            false => format!("the operator makes no Service `{host}`"),
        };
        let label = format!("graph `{}` is reached by the Service of its frontend", graph.name);
        out.report(span, message, label)
            .subject("endpoint")
            .label(graph.name_span, "this graph")
            .help(format!("write `{right}:8000`"))
            .fix(Applicability::Unsafe, span, right)
            .emit();
    }
}

/// The host of a graph's frontend in front of another port than its Service has.
fn other_port(recipe: &Recipe, job: &Object, out: &mut Findings) {
    let containers = || job.workload().into_iter().flat_map(|w| &w.containers);
    if !containers().any(|c| texts(c).any(|(text, _)| text.contains("-frontend"))) {
        return;
    }
    for graph in recipe_directory(recipe, job.file, "DynamoGraphDeployment") {
        for service in services(graph).into_iter().filter(|s| s.ends_with("-frontend") && !s.contains(['$', '<'])) {
            for text in containers().flat_map(|c| texts_with(c, recipe, &service)) {
                let Some((at, port)) = port_behind(text.as_str(), &service) else { continue };
                out.report(
                    text.slice_span(at),
                    format!("the Service `{service}` has no port {port}"),
                    "the operator gives the Service of a frontend port 8000",
                )
                .subject("endpoint")
                .label(graph.name_span, "this graph")
                .help("write port 8000")
                .emit();
                return;
            }
        }
    }
}

/// A port other than 8000 behind a host (with or without its domain), and its place.
fn port_behind(text: &str, host: &str) -> Option<(Range<usize>, u16)> {
    text.match_indices(host).find_map(|(at, _)| {
        let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if text.as_bytes()[..at].last().is_some_and(|b| name(b) || matches!(b, b'}' | b'_')) {
            return None;
        }
        let rest = &text[at + host.len()..];
        let domain = if rest.starts_with('.') { rest.bytes().take_while(name).count() } else { 0 };
        let digits = rest[domain..].strip_prefix(':')?;
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        let port: u16 = digits[..length].parse().ok()?;
        let start = at + host.len() + domain + 1;
        (port != 8000).then_some((start..start + length, port))
    })
}

/// Whether a text holds a model name that does not go on: `org/X`, and not `org/X-FP8`.
fn holds(text: &str, model: &str) -> bool {
    let on = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    text.match_indices(model).any(|(at, _)| {
        let rest = &text.as_bytes()[at + model.len()..];
        let dot = rest.first() == Some(&b'.') && rest.get(1).is_some_and(u8::is_ascii_alphanumeric);
        !rest.first().is_some_and(on) && !dot
    })
}

/// Whether a model name stands in what a graph is given (command, args, env values, and ConfigMaps of its file): in full,
/// or as the directory of a cache.
fn served(graph: &Object, recipe: &Recipe, model: &str) -> bool {
    let cached = model.replace('/', "--");
    let names = |node: &Node| node.as_text().is_some_and(|text| holds(text, model) || holds(text, &cached));
    let set = |entry: &EnvEntry| matches!(&entry.source, EnvSource::Value(Some(node)) if names(node));
    let Some(read) = graph.graph() else { return false };
    let mut containers = read.components.iter().flat_map(|c| c.containers());
    read.env.iter().any(set)
        || containers.any(|c| workload::words(c).any(names) || c.env.iter().any(|(_, entry)| set(entry)))
        || recipe
            .around
            .in_file("ConfigMap", &recipe.file_name(graph.file))
            .any(|map| map.node.get("data").into_iter().flat_map(Node::entries).any(|e| names(&e.value)))
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
        let adapters = |g: &Object| {
            let containers = g.graph().into_iter().flat_map(|g| &g.components).flat_map(|c| c.containers());
            containers.flat_map(texts).any(|(text, _)| text.contains("lora"))
        };
        if !graphs.iter().flat_map(|g| services(g)).any(calls)
            || graphs.iter().any(|g| adapters(g) || served(g, recipe, model))
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

/// `model-name-mismatch`
pub fn model_name_mismatch(recipe: &Recipe, out: &mut Findings) {
    named_models(recipe, out);
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
            if graphs.is_empty() || graphs.iter().any(|g| served(g, recipe, model)) {
                continue;
            }
            out.report(
                word.span(),
                format!("no graph of the recipe serves `{model}`"),
                "the frontend answers 404 for a model it does not know",
            )
            .subject(name)
            .label(graphs[0].name_span, "a graph of this recipe")
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
        let jobs = beside_where(recipe, deployment.graph.object.file, "Job", fetches);
        let mut places: Vec<Place<'_>> = Vec::new();
        for job in jobs.into_iter().filter_map(|job| job.workload()) {
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
        let message = match stored(place.container, &place.job.volumes, &cache) {
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

/// A download of a model: the Job's pod, the container, the directory where one is named, and the line.
pub(super) struct Place<'a> {
    pub(super) job: &'a Workload,
    pub(super) container: &'a Container,
    pub(super) directory: Option<String>,
    pub(super) span: Span,
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

/// The claim behind a mount.
pub(super) fn claim_of<'a>(mount: &'a Mount, volumes: &'a [Volume]) -> Option<&'a str> {
    match volumes.iter().find(|v| v.name.value == mount.name.value) {
        Some(Volume { source: VolumeSource::Claim(name), .. }) => Some(name),
        Some(_) => None,
        // A claim of that name.
        None => Some(&mount.name.value),
    }
}

/// The claim in which a path lies, and what follows its mount; none for parts of volumes.
fn stored<'a>(container: &'a Container, volumes: &'a [Volume], path: &str) -> Option<(&'a str, String)> {
    let (mount, _) = provided(container, volumes, path)?;
    let rest = path.strip_prefix(mount.path.as_ref()?.value.trim_end_matches('/'))?;
    let claim = claim_of(mount, volumes).filter(|_| mount.sub_path.is_none())?;
    Some((claim, rest.trim_end_matches('/').to_owned()))
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
    if set("HF_HUB_CACHE").is_some() || set("XDG_CACHE_HOME").is_some() || set("HOME").is_some() {
        return None;
    }
    match set("HF_HOME") {
        Some(word) => {
            let path = word.as_known().filter(|p| p.starts_with('/') && !p.contains(['$', '<', '{']))?;
            Some((path.trim_end_matches('/').to_owned(), Some(word.span())))
        }
        None => {
            // A Secret holds a token; a ConfigMap may well say where the cache is.
            let near = place.container.env_from.iter().any(|from| !from.secret)
                || place.container.mounts.iter().filter_map(|m| m.path.as_ref()).any(|p| p.value.contains("cache/"));
            (!near).then(|| ("/root/.cache/huggingface".to_owned(), None))
        }
    }
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

/// `perf-job-args`
pub fn perf_job_args(recipe: &Recipe, out: &mut Findings) {
    each_aiperf(recipe, |text, words, _, release| check_aiperf(recipe, text, words, release, out));
}

/// Calls `f` for every command of a Job that starts aiperf: the script, the words, where the first one stands, and the
/// release that the Job pins.
pub(in crate::rules) fn each_aiperf(recipe: &Recipe, mut f: impl FnMut(&Text, &[At<'_>], usize, Option<Version>)) {
    for Aiperf { text, words, release } in &recipe.memo().once(|| AiperfCommands::of(recipe)).0 {
        let at: Vec<At<'_>> = words.iter().map(|word| (&text.as_str()[word.clone()], word.start)).collect();
        f(text, &at, words.first().map_or(0, |word| word.start), *release);
    }
}

/// A command that starts aiperf: the script, the places of its words, and the release that the Job pins.
struct Aiperf {
    text: Text,
    words: Vec<Range<usize>>,
    release: Option<Version>,
}

/// All of them in the Jobs of a file. Several rules speak about them; they are looked for once.
struct AiperfCommands(Vec<Aiperf>);

impl AiperfCommands {
    fn of(recipe: &Recipe) -> Self {
        let mut all = Vec::new();
        for job in recipe.here.iter().filter(is_job) {
            for container in job.workload().into_iter().flat_map(|w| &w.containers) {
                for text in texts_with(container, recipe, "aiperf") {
                    let release = aiperf_release(container, recipe);
                    let commands = commands(&text, "aiperf");
                    all.extend(commands.into_iter().map(|words| Aiperf { text: text.clone(), words, release }));
                }
            }
        }
        Self(all)
    }
}

/// The release of aiperf that a Job pins: `aiperf==0.10.0` in its script, `AIPERF_VERSION`, or the tag of its image.
fn aiperf_release(container: &Container, recipe: &Recipe) -> Option<Version> {
    let pinned = texts(container)
        .find_map(|(t, _)| t.split_once("aiperf=="))
        .map(|(_, rest)| rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect::<String>());
    let image = container.image.as_ref().and_then(Node::as_text).map(Image::cut);
    let image = image.filter(|i| i.name() == "aiperf").and_then(|i| i.tag);
    let variable = workload::env(container, recipe, "AIPERF_VERSION").and_then(|w| w.as_known().map(str::to_owned));
    pinned
        .and_then(|v| Version::parse(v.trim_end_matches('.')))
        .or_else(|| Version::parse(&variable?))
        .or_else(|| Version::parse(image?))
}

/// A word of a script and its byte offset.
pub(in crate::rules) type At<'a> = (&'a str, usize);

/// Commands of a script that start with that program, as places of words; backslashes join lines.
pub(super) fn commands(text: &Text, program: &str) -> Vec<Vec<Range<usize>>> {
    let value = text.as_str();
    let mut found: Vec<Vec<Range<usize>>> = Vec::new();
    let mut current: Option<Vec<Range<usize>>> = None;
    let mut at = 0;
    for line in value.split_inclusive('\n') {
        let body = line.trim_end();
        // Most lines have nothing to do with the program, and need not be taken apart.
        if current.is_none() && !body.contains(program) {
            at += line.len();
            continue;
        }
        let comment = body.trim_start().starts_with('#');
        let mut offset = at;
        for word in body.split(' ') {
            if !word.is_empty() && !comment && word != "\\" {
                if current.is_none() && word == program {
                    current = Some(Vec::new());
                }
                if let Some(words) = &mut current {
                    words.push(offset..offset + word.len());
                }
            }
            offset += word.len() + 1;
        }
        at += line.len();
        if !body.ends_with('\\')
            && let Some(done) = current.take()
        {
            found.push(done);
        }
    }
    found.extend(current);
    found
}

/// Options that shape synthetic prompts; aiperf 0.9 to 0.11 refuse them beside `--input-file`
/// (`config/flags/_converter_dataset.py`).
const SYNTHETIC: [&str; 17] = [
    "--prompt-input-tokens-block-size",
    "--synthetic-input-tokens-block-size",
    "--isl-block-size",
    "--isl",
    "--prompt-input-tokens-mean",
    "--synthetic-input-tokens-mean",
    "--isl-stddev",
    "--prompt-input-tokens-stddev",
    "--synthetic-input-tokens-stddev",
    "--prompt-prefix-length",
    "--prefix-prompt-length",
    "--prompt-prefix-pool-size",
    "--shared-system-prompt-length",
    "--user-context-prompt-length",
    "--prompt-batch-size",
    "--seq-dist",
    "--sequence-distribution",
];

/// Types of endpoints and their paths, of those that have one of their own (`aiperf` 0.6 to 0.13).
const ENDPOINTS: [(&str, &str); 4] = [
    ("chat", "v1/chat/completions"),
    ("completions", "v1/completions"),
    ("embeddings", "v1/embeddings"),
    ("responses", "v1/responses"),
];

/// Takes every option of a kind off a command, with its value.
fn without(recipe: &Recipe, text: &Text, words: &[At<'_>], names: &[&str]) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    for (index, (word, at)) in words.iter().enumerate() {
        let name = word.split('=').next().unwrap_or_default();
        if !names.contains(&name) {
            continue;
        }
        let (last, end) = match words.get(index + 1).filter(|_| name == *word) {
            Some((value, start)) if !value.starts_with("--") => (*value, start + value.len()),
            _ => (*word, at + word.len()),
        };
        // A value in quotes may go on behind the blank, one at the end may close what stands around.
        if last.contains(['"', '\'', '`', '(', ')', ';', '|', '&', '>']) {
            return None;
        }
        let span = text.slice_span(*at..end);
        edits.push(cut(&recipe.sources.get(span.file), span)?);
    }
    Some(edits)
}

fn check_aiperf(recipe: &Recipe, text: &Text, words: &[At<'_>], release: Option<Version>, out: &mut Findings) {
    let find = |names: &[&str]| {
        words.iter().find(|(w, _)| names.contains(&w.split('=').next().unwrap_or_default())).map(|(w, at)| (*w, *at))
    };
    let span = |(word, at): At<'_>| text.slice_span(at..at + word.split('=').next().unwrap_or(word).len());
    // Each type of endpoint sends a body of its own, and goes to the path of that type when no other is written.
    let value = |names: &[&str]| {
        let at = words.iter().position(|(w, _)| names.contains(&w.split('=').next().unwrap_or_default()))?;
        let (word, from) = words[at];
        let (value, from) = match word.split_once('=') {
            Some((name, value)) => (value, from + name.len() + 1),
            None => *words.get(at + 1)?,
        };
        let quote = usize::from(value.starts_with(['"', '\'']));
        Some((value.trim_matches(['"', '\'']), from + quote))
    };
    let kind = value(&["--endpoint-type"]);
    let near = kind.and_then(|(kind, _)| ENDPOINTS.iter().find(|(name, _)| crate::catalog::is_slip(kind, name)));
    let path = value(&["--endpoint", "--custom-endpoint"]).map(|(path, at)| (path.trim_start_matches('/'), path, at));
    let own = ENDPOINTS.iter().find(|(name, _)| *name == kind.map_or("chat", |(kind, _)| kind));
    let other =
        path.zip(own).filter(|((path, ..), (_, own))| path != own && ENDPOINTS.iter().any(|(_, known)| known == path));
    if let (Some((kind, at)), Some((name, _))) = (kind, near) {
        out.report(
            text.slice_span(at..at + kind.len()),
            format!("aiperf has no endpoint type `{kind}`"),
            "aiperf exits",
        )
        .subject("--endpoint-type")
        .severity(crate::finding::Severity::Error)
        .help(format!("did you mean `{name}`?"))
        .emit();
    } else if let Some(((_, path, at), (name, own))) = other {
        let message = format!("aiperf sends requests of type `{name}` to `{path}`");
        out.report(text.slice_span(at..at + path.len()), message, "the frontend refuses a body of another type")
            .subject("--endpoint")
            .severity(crate::finding::Severity::Error)
            .help(format!("write `/{own}`, or the `--endpoint-type` of that path"))
            .emit();
    }
    let refuses = release.is_some_and(|v| v >= Version::new(0, 9) && v < Version::new(0, 12));
    if let (true, Some(file), Some(synthetic)) = (refuses, find(&["--input-file"]), find(&SYNTHETIC)) {
        let name = synthetic.0.split('=').next().unwrap_or_default();
        out.report(
            span(synthetic),
            format!("aiperf refuses `{name}` beside `--input-file`"),
            "it shapes synthetic prompts, and the prompts come from a file",
        )
        .subject(name)
        .severity(crate::finding::Severity::Error)
        .label(span(file), "the data file")
        .help(format!("drop `{name}`"))
        .mend(Applicability::Unsafe, without(recipe, text, words, &SYNTHETIC))
        .emit();
    }
    // `gt=0` in 0.6 to 0.13.
    let none = ["--warmup-request-count", "--num-warmup-requests", "--warmup-duration"];
    let zero = |(at, (word, _)): (usize, &At<'_>)| {
        let (name, value) = word.split_once('=').unwrap_or((word, words.get(at + 1).map_or("", |(next, _)| next)));
        none.contains(&name) && value.trim_matches(QUOTES) == "0"
    };
    if let Some(at) = words.iter().enumerate().position(zero) {
        let name = words[at].0.split('=').next().unwrap_or_default();
        out.report(span(words[at]), format!("aiperf refuses a `{name}` of 0"), "it has to be greater: aiperf exits")
            .subject(name)
            .severity(crate::finding::Severity::Error)
            .help(format!("drop `{name}`: without it nothing is warmed up"))
            .mend(Applicability::Unsafe, without(recipe, text, words, &[name]))
            .emit();
    }
    // Refused up to 0.8; what later releases make of both was not read.
    if release.is_some_and(|v| v >= Version::new(0, 9)) {
        return;
    }
    if let (Some(number), Some(count)) = (
        find(&["--conversation-num", "--num-conversations", "--num-sessions"]),
        find(&["--request-count", "--num-requests"]),
    ) {
        let name = number.0.split('=').next().unwrap_or_default();
        out.report(
            span(number),
            format!("aiperf takes `{name}` or a request count, not both"),
            "each says when the run ends: aiperf exits",
        )
        .subject(name)
        .label(span(count), "the request count")
        .help("write `--num-dataset-entries` for the number of different prompts, or drop one of the two")
        .fix(Applicability::Unsafe, span(number), "--num-dataset-entries")
        .emit();
    }
}

#[cfg(test)]
mod tests {
    use super::{holds, port_behind, wanted};

    #[test]
    fn a_model_is_not_its_quantised_twin() {
        assert!(holds("--model org/X --tp 2", "org/X") && holds("/hub/models--org--X/snapshots", "models--org--X"));
        assert!(holds("serves org/X.", "org/X"));
        assert!(!holds("--model org/X-FP8", "org/X") && !holds("org/X.1", "org/X") && !holds("org/X2", "org/X"));
    }

    #[test]
    fn ports_behind_a_host() {
        assert_eq!(port_behind("http://a-frontend:8080/v1", "a-frontend"), Some((18..22, 8080)));
        assert_eq!(port_behind("a-frontend.ns.svc:9000", "a-frontend").map(|(_, p)| p), Some(9000));
        for fine in ["a-frontend:8000", "my-a-frontend:8080", "${X}a-frontend:8080", "a-frontend-2:8080", "a-frontend"]
        {
            assert_eq!(port_behind(fine, "a-frontend"), None, "{fine}");
        }
    }

    #[test]
    fn models_that_a_worker_wants() {
        assert_eq!(wanted("org/X"), Some(("org/X".to_owned(), None)));
        let path = "/opt/models/hub/models--org--X/snapshots/1";
        assert_eq!(wanted(path), Some(("org/X".to_owned(), Some("/opt/models".to_owned()))));
        assert_eq!(wanted("/models/X"), None);
    }
}
