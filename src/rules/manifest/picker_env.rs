//! What an endpoint picker is told about the workers it picks from.

use crate::finding::{Applicability, Edit};
use crate::manifest::{Container, EnvEntry, Object};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::{FileId, Span};
use crate::yaml::Node;
use crate::yaml::edit::{New, append_item};

/// `epp-model-env`
pub fn epp_model_env(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(|o| o.kind == "Deployment") {
        for container in object.workload().into_iter().flat_map(|w| &w.containers) {
            picker_blocks(recipe, object, container, out);
            let has = |name: &str| container.env.iter().find(|(_, e)| e.name.value == name).map(|(_, e)| e);
            let (Some(namespace), Some(_)) = (has("DYNAMO_NAMESPACE"), has("DYNAMO_KV_BLOCK_SIZE")) else { continue };
            if has("DYNAMO_MODEL").is_some() || !container.env_from.is_empty() {
                continue;
            }
            out.report(
                namespace.name.span,
                format!("the endpoint picker of `{}` is not told which model it picks for", object.name),
                "no `DYNAMO_MODEL`: the plugin falls back to `Qwen/Qwen3-0.6B`",
            )
            .subject("DYNAMO_MODEL")
            .help("add `DYNAMO_MODEL` with the name that the workers serve")
            .mend(Applicability::Unsafe, told_model(recipe, object.file, container, namespace))
            .emit();
        }
    }
}

/// Blocks of another size than those of the workers, which all say the same.
fn picker_blocks(recipe: &Recipe, object: &Object, container: &Container, out: &mut Findings) {
    let size = |text: &str| text.trim().parse::<u32>().ok();
    let Some(word) = workload::env(container, recipe, "DYNAMO_KV_BLOCK_SIZE") else { return };
    let Some(own) = word.as_known().and_then(size) else { return };
    let graphs = super::near::recipe_directory(recipe, object.file, "DynamoGraphDeployment");
    let mut said: Option<(u32, Span)> = None;
    for graph in &graphs {
        let Some(read) = graph.graph() else { return };
        for c in &read.components {
            let words: Vec<&str> =
                workload::words(&c.main).filter_map(Node::as_text).flat_map(str::split_whitespace).collect();
            let Some(sizes) = super::benchmark_model::given(&words, "--block-size", &c.main, read) else { return };
            for text in sizes {
                let Some(number) = size(&text) else { return };
                if number == own || said.is_some_and(|(other, _)| other != number) {
                    return;
                }
                said = Some((number, c.name.span));
            }
        }
    }
    let Some((number, at)) = said else { return };
    out.report(
        word.span(),
        format!("the endpoint picker of `{}` counts in blocks of {own} tokens, its workers in {number}", object.name),
        "no hash of a prompt meets one of the workers': it never finds a cached prefix",
    )
    .subject("DYNAMO_KV_BLOCK_SIZE")
    .label(at, format!("`--block-size {number}`"))
    .help(format!("write `{number}`"))
    .fix(Applicability::Unsafe, word.span(), number.to_string())
    .emit();
}

/// The variable with the name that the graphs of the recipe serve, behind the one that says their namespace.
fn told_model(recipe: &Recipe, file: FileId, container: &Container, behind: &EnvEntry) -> Option<Vec<Edit>> {
    let graphs = super::near::recipe_directory(recipe, file, "DynamoGraphDeployment");
    let name = super::benchmark_model::only_served(&graphs)?;
    let list = container.node.as_ref()?.get("env").filter(|list| list.alias().is_none())?;
    let items = list.as_seq()?;
    let upto = items.iter().position(|item| item.span == behind.node.span)? + 1;
    let source = recipe.sources.get(items[upto - 1].span.file);
    Some(vec![append_item(&items[..upto], list.span, &source, &[New::env("DYNAMO_MODEL", &name)])?])
}
