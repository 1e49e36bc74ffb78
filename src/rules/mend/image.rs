//! A published image in place of one that others cannot pull: the runtime of what the service starts, of the release
//! that the recipe is of.

use super::file;
use crate::catalog::flags;
use crate::manifest::{Component, ComponentType, Graph, Image};
use crate::resolve::{Framework, Recipe, Version};
use crate::rules::manifest::near::upwards;
use crate::rules::published::{ENGINES, REGISTRY, runtime};
use crate::rules::workload;
use crate::source::{Edit, FileId, Span};
use crate::yaml::Node;
use crate::yaml::edit::replace;

/// The edit that puts a published image in place of the one at `at`; `assumed` is the release that the user says where
/// a manifest does not.
pub(super) fn published(recipe: &Recipe, at: Span, assumed: Option<Version>) -> Option<Vec<Edit>> {
    let graphs = || recipe.here.iter().filter_map(|object| object.graph());
    let (graph, component, node) = graphs().find_map(|graph| {
        let mut own = graph.components.iter().filter_map(|c| Some((graph, c, c.main.image.as_ref()?)));
        own.find(|(.., node)| node.span == at)
    })?;
    let image = Image::cut(node.as_text()?.trim());
    // A build with patches of its own has no published one that does the same.
    if image.tag.is_some_and(|tag| tag.contains("patch")) {
        return None;
    }
    let own = image.name();
    let name = if is_published(own) { own } else { started(graph, component)? };
    // Beside it in the graph, on itself, in what the user says, around it, and the newest there is.
    let beside = published_tags(graph).max_by_key(|(version, _)| *version).map(|(_, tag)| tag.to_owned());
    let said = || {
        let said = component.runtime_version.as_ref().and_then(|said| Version::parse(&said.value));
        let said = said.or_else(|| image.tag.and_then(Version::parse).filter(|_| is_published(own)));
        said.or(assumed).map(|version| version.to_string())
    };
    let tag = beside.or_else(said).or_else(|| around(recipe, graph.object.file)).or_else(newest)?;
    Some(vec![replace(node, &file(&recipe.sources, node.span), &format!("{REGISTRY}/{name}:{tag}"))?])
}

/// Names under which Dynamo's own releases are published, each with the release as its tag.
fn is_published(name: &str) -> bool {
    ENGINES.iter().any(|engine| runtime(*engine) == Some(name)) || matches!(name, "dynamo-frontend" | "dynamo-planner")
}

/// The image that has what a component starts. A frontend is in every runtime: it takes the one of the workers.
fn started(graph: &Graph, component: &Component) -> Option<&'static str> {
    let starts = |component: &Component, engine: Framework| {
        let module = format!("dynamo.{}", engine.as_str());
        workload::words(&component.main).any(|word| word.as_text().is_some_and(|text| text.contains(&module)))
    };
    let engine = |component: &Component| ENGINES.into_iter().find(|e| starts(component, *e)).and_then(runtime);
    match component.component_type {
        ComponentType::Planner => Some("dynamo-planner"),
        ComponentType::Frontend => {
            let mut engines = graph.components.iter().filter_map(|component| engine(component));
            let first = engines.next()?;
            engines.all(|other| other == first).then_some(first)
        }
        _ => engine(component),
    }
}

/// Releases of the published images of a graph, with their tags as written.
fn published_tags(graph: &Graph) -> impl Iterator<Item = (Version, &str)> {
    graph.components.iter().filter_map(|component| {
        let image = component.main.image.as_ref().and_then(Node::as_text)?;
        let image = Image::cut(image.trim());
        let (registry, name) = image.place();
        let tag = image.tag.filter(|_| registry == REGISTRY && is_published(name))?;
        Some((Version::parse(tag)?, tag))
    })
}

/// The newest release that graphs near a file use, the nearest directory first.
fn around(recipe: &Recipe, at: FileId) -> Option<String> {
    let name = recipe.file_name(at);
    upwards(recipe, &name).find_map(|directory| {
        let graphs = recipe.around.below("DynamoGraphDeployment", directory).filter_map(|(_, object)| object.graph());
        let newest = graphs.flat_map(|graph| published_tags(graph)).max_by_key(|(version, _)| *version);
        newest.map(|(_, tag)| tag.to_owned())
    })
}

/// The newest release that the catalog knows.
fn newest() -> Option<String> {
    let (major, minor) = *flags::component("dynamo.frontend")?.releases.last()?;
    Some(Version::new(major, minor).to_string())
}
