//! The environment and command of main containers against what the operator really renders, from its own test data.
//! Looks for the corpus and is skipped without it.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::corpus;
use dynlint::manifest::{Graph, GraphKind, Object};
use dynlint::resolve::{Options, Recipe, Service, resolve};
use dynlint::source::{Fact, Reason, Sources};
use dynlint::yaml::{self, Limits, Node};

fn objects(sources: &Sources, path: &Path) -> Vec<Object> {
    let text = std::fs::read_to_string(path).expect("a golden file");
    let file = sources.add(path.display().to_string(), Some(path), text);
    yaml::parse(&file, &Limits::default()).documents.iter().flat_map(Object::of_document).collect()
}

/// Main containers of everything rendered, wherever they stand in the object.
fn rendered<'a>(node: &'a Node, out: &mut Vec<&'a Node>) {
    for container in node.get("containers").into_iter().flat_map(Node::items) {
        if container.get("name").and_then(Node::as_text) == Some("main") && container.get("env").is_some() {
            out.push(container);
        }
    }
    for child in node.entries().map(|e| &e.value).chain(node.items()) {
        rendered(child, out);
    }
}

fn value<'a>(container: &'a Node, name: &str) -> Option<&'a str> {
    let env = container.get("env")?;
    env.items().find(|e| e.get("name").and_then(Node::as_text) == Some(name))?.get("value")?.as_text()
}

/// Whether a rendered value says what ours does. `$pattern:…`, `$var:…` and `$glob:…` stand for what the cluster gives.
fn agrees(entry: &Node, service: &Service) -> Result<(), String> {
    let name = entry.get("name").and_then(Node::as_text).unwrap_or_default();
    let Some(var) = service.env.get(name) else { return Err(format!("`{name}` is missing")) };
    let ours = &var.winner().value;
    let matches = match (entry.get("value").and_then(Node::as_text), ours) {
        (Some(text), Fact::Dynamic(_)) => text.starts_with('$'),
        (Some(text), Fact::Known(value)) => text.starts_with('$') || text == value.as_str(),
        (None, Fact::Dynamic(Reason::Downward(path))) => {
            entry.at(&["valueFrom", "fieldRef", "fieldPath"]).and_then(Node::as_text) == Some(path)
        }
        _ => false,
    };
    if matches { Ok(()) } else { Err(format!("`{name}` is {ours:?}")) }
}

#[test]
fn main_containers_are_rendered_as_the_operator_does() {
    let Some(corpus) = corpus().filter(|dir| dir.join("operator-golden").is_dir()) else {
        println!("skipped: no corpus");
        return;
    };
    let mut compared = 0;
    for case in
        ["dgd/components", "dgd/grove", "dcd/deployment", "dcd/lws", "dgdr/deployment", "dgdr/grove", "dgdr/lws"]
    {
        let sources = Arc::new(Sources::new());
        let dir = corpus.join("operator-golden").join(case);
        let (input, output) = (objects(&sources, &dir.join("input.yaml")), objects(&sources, &dir.join("output.yaml")));
        // A request's own graph is generated: it stands in the output.
        let graphs: Vec<Graph> = if case.starts_with("dgdr") { &output } else { &input }
            .iter()
            .filter_map(Graph::of_object)
            .filter(|g| g.kind == if case.starts_with("dcd") { GraphKind::Component } else { GraphKind::Deployment })
            .collect();
        let mut containers = Vec::new();
        for object in output.iter().filter(|o| o.group() != "nvidia.com") {
            rendered(&object.node, &mut containers);
        }
        let recipe = Arc::new(Recipe { sources: Arc::clone(&sources), ..Recipe::default() });
        for graph in &graphs {
            let deployment = resolve(graph, &recipe, &sources, &Options::default());
            for service in &deployment.services {
                let kind = service.env.known("DYN_COMPONENT").expect("a type").as_str().to_owned();
                let own = containers.iter().filter(|c| value(c, "DYN_COMPONENT") == Some(&kind));
                for container in own {
                    compared += 1;
                    let env = container.get("env").expect("env");
                    let problems: Vec<String> = env.items().filter_map(|e| agrees(e, service).err()).collect();
                    let at = format!("{case} {}", service.name);
                    assert!(problems.is_empty(), "{at}: {problems:?}");
                    let names: Vec<_> = env.items().filter_map(|e| e.get("name").and_then(Node::as_text)).collect();
                    for var in service.env.vars.iter().filter(|v| !v.winner().value.is_unset()) {
                        // The hash of the workers is set where a graph is rolled out by generation.
                        let known = names.contains(&var.name.as_str()) || var.name == "DYN_NAMESPACE_WORKER_SUFFIX";
                        assert!(known, "{at}: the operator sets no `{}`", var.name);
                    }
                    if service.nodes == 1 {
                        let words = |key: &str| -> Vec<_> {
                            container.get(key).into_iter().flat_map(Node::items).filter_map(Node::as_text).collect()
                        };
                        let ours = |list: &[dynlint::command::Word]| -> Vec<String> {
                            list.iter().map(|w| w.text.as_str().to_owned()).collect()
                        };
                        assert_eq!(ours(&service.launch.command), words("command"), "{at}");
                        assert_eq!(ours(&service.launch.args), words("args"), "{at}");
                    }
                }
            }
        }
    }
    assert!(compared >= 12, "{compared} containers compared");
}
