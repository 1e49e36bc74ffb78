//! The GPUs that a benchmark counts with, against those of the graph that it measures.

use super::benchmark_host::services;
use super::jobs::{is_job, texts};
use super::near::recipe_directory;
use crate::manifest::{ComponentType, Container, Graph, Object};
use crate::resolve::{Recipe, scalar_gpus};
use crate::rules::{Findings, workload};
use crate::source::Fact;

/// How the recipes of ai-dynamo call the number of GPUs of the whole graph in their benchmarks.
const COUNT: &str = "DEPLOYMENT_GPU_COUNT";

/// `perf-gpu-count`
pub fn perf_gpu_count(recipe: &Recipe, out: &mut Findings) {
    for job in recipe.here.iter().filter(is_job) {
        for container in job.workload().into_iter().flat_map(|w| &w.containers) {
            let Some(word) = workload::env(container, recipe, COUNT) else { continue };
            let Some(count) = word.as_known().and_then(|text| text.trim().parse::<u32>().ok()) else { continue };
            let mut graphs = recipe_directory(recipe, job.file, "DynamoGraphDeployment");
            graphs.extend(recipe.here.iter().filter(|object| object.kind == "DynamoGraphDeployment"));
            graphs.retain(|graph| measures(container, graph));
            // Variants for several clouds have one name.
            let totals: Option<Vec<u32>> = graphs.iter().map(|graph| total(graph.graph()?)).collect();
            let Some(totals) = totals.filter(|totals| !totals.is_empty() && !totals.contains(&count)) else { continue };
            out.report(
                word.span(),
                format!("`{}` has {} GPUs, and the benchmark counts with {count}", graphs[0].name, totals[0]),
                "its load, and its results per GPU, are of another deployment",
            )
            .subject(COUNT)
            .label(graphs[0].name_span, "the graph that it measures")
            .help(format!("write `{}`: replicas times nodes times GPUs of all workers", totals[0]))
            .emit();
        }
    }
}

/// Whether a container sends requests to a graph's frontend.
fn measures(container: &Container, graph: &Object) -> bool {
    let whole = |text: &str, host: &str| {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
        text.find(host).is_some_and(|at| !text[..at].ends_with(part) && !text[at + host.len()..].starts_with(part))
    };
    let hosts: Vec<String> = services(graph).into_iter().filter(|host| host.ends_with("-frontend")).collect();
    texts(container).any(|(text, _)| hosts.iter().any(|host| whole(text, host)))
}

/// The GPUs of a graph; `None` where they cannot be counted, or change while it runs.
fn total(graph: &Graph) -> Option<u32> {
    let mut sum = 0;
    for component in &graph.components {
        if component.component_type == ComponentType::Planner || component.node.get("scalingAdapter").is_some() {
            return None;
        }
        let replicas = match &component.replicas {
            Some(replicas) => u32::try_from(replicas.value.as_int()?).ok()?,
            None => 1,
        };
        let mut gpus = 0;
        for container in component.containers() {
            match scalar_gpus(container) {
                Fact::Known(count) => gpus += count,
                Fact::Unset if container.claims.is_empty() => {}
                _ => return None,
            }
        }
        sum += replicas * gpus * component.node_count.as_ref().map_or(1, |nodes| nodes.value);
    }
    (sum > 0).then_some(sum)
}
