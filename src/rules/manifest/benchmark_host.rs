//! The host that a benchmark calls, against the Services that the operator makes.

use std::cell::LazyCell;
use std::ops::Range;

use super::in_front::service;
use super::jobs::{is_job, texts, texts_with};
use super::near::recipe_directory;
use crate::finding::Applicability;
use crate::manifest::{Component, ComponentType, Container, Object, Workload};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::{Span, Text, name_len};
use crate::yaml::Node;

/// What stands behind the host of a frontend.
const PORT: &str = ":8000";

/// `perf-endpoint-mismatch`
pub fn perf_endpoint_mismatch(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(is_job) {
        let Some(pod) = job.workload() else { continue };
        other_port(recipe, job, out);
        other_path(recipe, job, out);
        twice_a_scheme(job, recipe, out);
        encrypted(job, recipe, out);
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
            other_namespace(recipe, job, &graphs, &all, out);
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

/// A host without a namespace, or with another, while Job and graph say in which they lie.
fn other_namespace(recipe: &Recipe, job: &Object, graphs: &[&Object], all: &[(String, Span)], out: &mut Findings) {
    fn said(object: &Object) -> Option<&Node> {
        let node = object.node.at(&["metadata", "namespace"])?;
        node.as_text().filter(|t| !t.is_empty() && !t.contains(['$', '<', '{'])).map(|_| node)
    }
    if recipe.around.any("Kustomization") {
        return;
    }
    for (host, span) in all {
        let mut labels = host.split('.');
        let first = labels.next().unwrap_or_default();
        let mut owners = graphs.iter().filter(|g| services(g).iter().any(|s| s == first));
        let (Some(graph), None) = (owners.next(), owners.next()) else { continue };
        let Some(home) = said(graph) else { continue };
        let Some(asked) = labels.next().or_else(|| said(job)?.as_text()) else { continue };
        let Some(right) = home.as_text().filter(|home| *home != asked && !recipe.around.has("Service", first)) else {
            continue;
        };
        out.report(*span, format!("`{host}` is looked for in namespace `{asked}`"), "the graph lies in another")
            .subject("endpoint")
            .label(home.span, "the graph's namespace")
            .label_opt(said(job).map(|node| node.span), "the benchmark's")
            .help(format!("write `{first}.{right}`"))
            .emit();
        return;
    }
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

/// Variables behind `://` in a text, and where each one's name stands.
fn variables_of_urls(text: &str) -> impl Iterator<Item = (&str, usize)> {
    text.match_indices("://$").filter_map(move |(at, _)| {
        let brace = usize::from(text[at + 4..].starts_with('{'));
        let start = at + 4 + brace;
        let length = name_len(&text[start..]);
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

/// A path one letter away from the one at which a frontend lists its models.
fn other_path(recipe: &Recipe, job: &Object, out: &mut Findings) {
    const WRONG: &str = "/v1/model";
    let containers = || job.workload().into_iter().flat_map(|w| &w.containers);
    if !containers().any(|c| texts(c).any(|(text, _)| text.contains("aiperf"))) {
        return;
    }
    for text in containers().flat_map(|c| texts_with(c, recipe, WRONG)) {
        let ends = |at: &usize| text[at + WRONG.len()..].starts_with(['"', '\'', ' ', '\n', '|', ')']);
        let Some(at) = text.match_indices(WRONG).map(|(at, _)| at).find(ends) else { continue };
        // A file of that name is none.
        let host = text[..at].rsplit([' ', '"', '\'']).next().is_some_and(|word| word.contains("://"));
        if host && text[..at].lines().next_back().is_some_and(|line| line.contains("curl")) {
            out.report(
                text.slice_span(at..at + WRONG.len()),
                "a frontend has no `/v1/model`",
                "it answers 404: the Job waits for ever",
            )
            .subject("path")
            .help("write `/v1/models`")
            .emit();
            return;
        }
    }
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

/// `https://` in front of a graph's frontend, which talks plain HTTP unless it has a certificate.
fn encrypted(job: &Object, recipe: &Recipe, out: &mut Findings) {
    const SCHEME: &str = "https://";
    let graphs = LazyCell::new(|| recipe_directory(recipe, job.file, "DynamoGraphDeployment"));
    let plain = |c: &Component| {
        let mut words = workload::words(&c.main).filter_map(Node::as_text);
        c.component_type == ComponentType::Frontend
            && !c.main.env.iter().any(|(_, entry)| entry.name.value.contains("TLS"))
            && !words.any(|word| word.contains("tls"))
    };
    let front = |host: &str| {
        let mut all = graphs.iter().filter(|g| is_graph(g)).filter_map(|g| Some((g, g.graph()?)));
        all.any(|(g, graph)| graph.components.iter().any(|c| service(g, c) == host && plain(c)))
    };
    for container in job.workload().into_iter().flat_map(|w| &w.containers) {
        for text in texts_with(container, recipe, SCHEME) {
            let named = |rest: &str| {
                let bare = rest.strip_prefix('$').map(|name| name.trim_start_matches('{'));
                let end =
                    |s: &str| s.find(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c))).unwrap_or(s.len());
                let Some(name) = bare else { return Some(rest[..end(rest)].to_owned()) };
                let word = workload::env(container, recipe, &name[..end(name)])?;
                let value = word.as_known()?;
                Some(value[..end(value)].to_owned())
            };
            let mut places = text.match_indices(SCHEME).map(|(at, _)| at);
            let Some(at) = places.find(|at| named(&text[at + SCHEME.len()..]).is_some_and(|host| front(&host))) else {
                continue;
            };
            let span = text.slice_span(at..at + SCHEME.len());
            out.report(
                span,
                format!("`{}` asks the frontend in TLS, and it talks plain HTTP", job.name),
                "no request gets through",
            )
            .subject("endpoint")
            .help("write `http://`")
            .fix(Applicability::Unsafe, span, "http://")
            .emit();
            return;
        }
    }
}

fn is_graph(object: &&Object) -> bool {
    object.kind == "DynamoGraphDeployment"
}

/// Names of the Services that the operator makes for the components of a graph.
pub(super) fn services(object: &Object) -> Vec<String> {
    let components = object.graph().into_iter().flat_map(|g| &g.components);
    components.map(|c| service(object, c)).collect()
}

/// Names of the Services of components that say they are something else than a frontend: they have other ports.
fn portless(object: &Object) -> Vec<String> {
    use ComponentType::{Decode, Epp, Planner, Prefill, Worker};
    let components = object.graph().into_iter().flat_map(|g| &g.components);
    let other = components.filter(|c| matches!(c.component_type, Worker | Prefill | Decode | Planner | Epp));
    other.map(|c| service(object, c)).collect()
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
            // `http://HOST/v1`, written out or by a variable, goes to port 80.
            let written = || {
                containers().flat_map(|c| texts_with(c, recipe, &service)).find_map(|text| {
                    let url = format!("http://{service}/v1/");
                    text.find(&url).map(|at| text.slice_span(at + 7..at + 7 + service.len()))
                })
            };
            let named = containers().find_map(|c| {
                let (node, at, name) = texts(c).find_map(|(text, node)| {
                    variables_of_urls(text).find_map(|(name, at)| {
                        let portless = text[at + name.len()..].trim_start_matches('}').starts_with("/v1/");
                        let word = workload::env(c, recipe, name).filter(|_| portless)?;
                        (word.as_known() == Some(&*service)).then_some((node, at, name))
                    })
                })?;
                // The script may set another.
                let set = texts(c).any(|(text, _)| text.contains(&format!("{name}=")));
                recipe.text(node).filter(|_| !set).map(|text| text.slice_span(at..at + name.len()))
            });
            if let Some(span) = named.or_else(written) {
                out.report(
                    span,
                    format!("the Service `{service}` has no port 80"),
                    "no port stands behind the host in a URL of the script",
                )
                .subject("endpoint")
                .label(graph.name_span, "this graph")
                .help("write `:8000` behind it")
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

#[cfg(test)]
mod tests {
    use super::port_behind;

    #[test]
    fn ports_behind_a_host() {
        assert_eq!(port_behind("http://a-frontend:8080/v1", "a-frontend"), Some((18..22, 8080)));
        assert_eq!(port_behind("a-frontend.ns.svc:9000", "a-frontend").map(|(_, p)| p), Some(9000));
        for fine in ["a-frontend:8000", "my-a-frontend:8080", "${X}a-frontend:8080", "a-frontend-2:8080", "a-frontend"]
        {
            assert_eq!(port_behind(fine, "a-frontend"), None, "{fine}");
        }
    }
}
