//! Image, Dynamo version, replicas, GPUs.

use super::expand::placeholder;
use super::{Version, env::Context};
use crate::manifest::{Component, Container, Graph, GraphKind, Image, quantity};
use crate::source::{Fact, Reason, Span, Spanned, Text};
use crate::yaml::Node;

/// Image reference of a container.
pub(super) fn image(ctx: &Context<'_>, container: &Container) -> Fact<Text> {
    let Some(node) = &container.image else { return Fact::Unset };
    let text = super::expand::text(node, ctx.recipe);
    match placeholder(&text) {
        Some(found) => Fact::Dynamic(Reason::Placeholder(found.to_owned())),
        None => Fact::Known(text),
    }
}

/// Dynamo version: `runtimeVersionOverride`, else the tag of an image that Dynamo publishes, else what the caller says.
pub(super) fn version(ctx: &Context<'_>, component: &Component, images: &[&Fact<Text>]) -> Option<Spanned<Version>> {
    if let Some(said) = &component.runtime_version
        && let Some(version) = Version::parse(&said.value)
    {
        return Some(Spanned::new(version, said.span));
    }
    let tag = images.iter().find_map(|image| {
        let text = image.known()?;
        let (range, version) = image_version(text)?;
        Some(Spanned::new(version, text.slice_span(range)))
    });
    tag.or_else(|| Some(Spanned::new(ctx.options.dynamo_version?, component.name.span)))
}

/// Version in the tag of an image that Dynamo publishes, with the place of the tag.
fn image_version(image: &str) -> Option<(std::ops::Range<usize>, Version)> {
    let image = Image::cut(image);
    let tag = image.tag.filter(|_| is_dynamo_image(image.name()))?;
    // A Dynamo tag has three numbers; two may be anybody's.
    let core = tag.trim_start_matches('v').split(['-', '+']).next()?;
    if core.split('.').take_while(|part| part.starts_with(|c: char| c.is_ascii_digit())).count() != 3 {
        return None;
    }
    let version = Version::parse(tag).filter(|v| v.major < 10)?;
    let at = image.repository.len() + 1;
    Some((at..at + tag.len(), version))
}

/// The release that an image of Dynamo's own is of.
#[must_use]
pub fn dynamo_release(image: &str) -> Option<Version> {
    Some(image_version(image)?.1)
}

/// Whether a graph was written for images before 0.7: it names a namespace for its components, and works in a directory
/// that images had until then (ai-dynamo/dynamo#3849).
#[must_use]
pub fn aged(graph: &Graph) -> bool {
    let there =
        |c: &Component| c.main.working_dir.as_ref().and_then(Node::as_text).is_some_and(|d| d.contains("/components/"));
    graph.components.iter().any(|c| c.node.get("dynamoNamespace").is_some() && there(c))
}

/// Names under which Dynamo publishes images whose tags are Dynamo releases. They are Ubuntu's.
#[must_use]
pub fn is_dynamo_image(name: &str) -> bool {
    let engine = |name: &str| {
        ["vllm", "sglang", "tensorrtllm", "trtllm", "dynamo", "tokenspeed", "fastvideo"]
            .iter()
            .any(|e| name.starts_with(e))
    };
    let runtime = name.strip_suffix("-runtime").or_else(|| name.split_once("-runtime-").map(|(head, _)| head));
    runtime.is_some_and(engine)
        || matches!(name, "dynamo" | "dynamo-frontend" | "dynamo-planner" | "dynamo-epp" | "dynamo-router" | "frontend")
}

/// Replicas; 1 unless given.
pub(super) fn replicas(ctx: &Context<'_>, component: &Component) -> Fact<u32> {
    match &component.replicas {
        None if ctx.graph.kind == GraphKind::RequestOverride => {
            Fact::Dynamic(Reason::Cluster("the generated deployment".to_owned()))
        }
        None => Fact::Known(1),
        Some(node) => number(&node.value),
    }
}

/// A count: whole numbers only; a placeholder is dynamic.
pub(super) fn number(node: &Node) -> Fact<u32> {
    let Some(text) = node.as_text() else { return Fact::Unset };
    match quantity::count(text) {
        Some(count) => Fact::Known(count),
        None => Fact::Dynamic(match placeholder(text) {
            Some(found) => Reason::Placeholder(found.to_owned()),
            None => Reason::Invalid(format!("`{text}` is no whole number")),
        }),
    }
}

/// Scalar GPUs of a container: limits first, then requests; among several names the first by the alphabet
/// (`dra.go:103-114`, `379-405`). `Unset` when it names none.
#[must_use]
pub fn scalar_gpus(container: &Container) -> Fact<u32> {
    for list in [&container.limits, &container.requests] {
        let mut names: Vec<&(String, Span, Node)> = list.iter().filter(|(name, ..)| is_gpu(name)).collect();
        crate::source::order(&mut names, |a, b| a.0.cmp(&b.0));
        if let Some((.., node)) = names.first() {
            return number(node);
        }
    }
    Fact::Unset
}

/// Whether a resource counts as a GPU (`dra.go:379-405`).
pub(super) fn is_gpu(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "gpu" || name.ends_with("/gpu") || name.contains("/mig-") || name.starts_with("gpu.")
}

/// GPUs of the pod: scalars of the main container, else of any other, else GPU claims that can be counted.
pub(super) fn gpus(ctx: &Context<'_>, component: &Component) -> Fact<u32> {
    if let Some(count) = super::operator::configured_gpus(ctx, component) {
        return Fact::Known(count);
    }
    for container in component.containers() {
        let count = scalar_gpus(container);
        if !matches!(count, Fact::Unset | Fact::Known(0)) {
            return count;
        }
    }
    if !component.main.claims.is_empty() {
        return claimed_gpus(ctx, component);
    }
    if ctx.graph.kind == GraphKind::RequestOverride {
        return Fact::Dynamic(Reason::Cluster("the generated deployment".to_owned()));
    }
    Fact::Known(0)
}

/// GPUs of one engine container as the operator counts them: scalars of the main container, else its claims
/// (`dra.go:103-341`).
pub(super) fn container_gpus(ctx: &Context<'_>, component: &Component) -> Fact<u32> {
    if let Some(count) = super::operator::configured_gpus(ctx, component) {
        return Fact::Known(count);
    }
    match scalar_gpus(&component.main) {
        Fact::Unset | Fact::Known(0) if !component.main.claims.is_empty() => claimed_gpus(ctx, component),
        count => count,
    }
}

/// GPUs behind resource claims, as far as the templates are at hand (`dra.go:116-341`). A device class is looked up in
/// the cluster; here its name decides.
fn claimed_gpus(ctx: &Context<'_>, component: &Component) -> Fact<u32> {
    let mut total = 0;
    let claims = component.pod_spec.as_ref().and_then(|spec| spec.get("resourceClaims"));
    let used = used_claims(component);
    for claim in claims.into_iter().flat_map(Node::items) {
        let name = claim.get("name").and_then(Node::as_text).unwrap_or_default();
        let wanted: Vec<&Option<String>> = used.iter().filter(|(used, _)| used == name).map(|(_, r)| r).collect();
        if wanted.is_empty() {
            continue;
        }
        let reference = ["resourceClaimTemplateName", "resourceClaimName"].iter().find_map(|k| claim.get(k)?.as_text());
        let Some(reference) = reference else { continue };
        let template = ctx
            .recipe
            .of_kind("ResourceClaimTemplate")
            .chain(ctx.recipe.of_kind("ResourceClaim"))
            .find(|object| object.name == reference);
        let Some(template) = template else {
            if name.to_ascii_lowercase().contains("gpu") || reference.to_ascii_lowercase().contains("gpu") {
                return Fact::Dynamic(Reason::Cluster(format!("resource claim `{reference}`")));
            }
            continue;
        };
        let spec = template.node.at(&["spec", "spec"]).or_else(|| template.node.get("spec"));
        for request in spec.and_then(|s| s.at(&["devices", "requests"])).into_iter().flat_map(Node::items) {
            let own = request.get("name").and_then(Node::as_text);
            if !wanted.iter().any(|wanted| wanted.is_none() || wanted.as_deref() == own) {
                continue;
            }
            match requested(request) {
                Fact::Known(count) => total += count,
                Fact::Unset => {}
                open => return open,
            }
        }
    }
    Fact::Known(total)
}

/// Claims of the main container, and which request of each: all when none is named.
fn used_claims(component: &Component) -> Vec<(String, Option<String>)> {
    let of = |node: Option<&Node>| -> Vec<(String, Option<String>)> {
        let list = node.and_then(|node| node.at(&["resources", "claims"]));
        let text = |item: &Node, key: &str| item.get(key).and_then(Node::as_text).map(str::to_owned);
        list.into_iter()
            .flat_map(Node::items)
            .filter_map(|item| Some((text(item, "name")?, text(item, "request"))))
            .collect()
    };
    let own = of(component.main.node.as_ref());
    if own.is_empty() { of(Some(&component.node)) } else { own }
}

/// GPUs of one request: what is not a GPU is not counted, and alternatives have to agree (`dra.go:251-341`).
fn requested(request: &Node) -> Fact<u32> {
    let exactly = |node: &Node| {
        if !is_gpu(node.get("deviceClassName").and_then(Node::as_text).unwrap_or_default()) {
            return Fact::Unset;
        }
        if node.get("allocationMode").and_then(Node::as_text) == Some("All") {
            return Fact::Dynamic(Reason::Cluster("a claim for all GPUs".to_owned()));
        }
        match node.get("count").map(number) {
            None | Some(Fact::Unset) => Fact::Known(1),
            Some(count) => count,
        }
    };
    let Some(choices) = request.get("firstAvailable").filter(|list| list.items().next().is_some()) else {
        return exactly(request.get("exactly").unwrap_or(request));
    };
    let mut counts: Vec<Fact<u32>> = choices.items().map(exactly).collect();
    counts.dedup();
    match counts.pop() {
        Some(count) if counts.is_empty() => count,
        _ => Fact::Dynamic(Reason::Cluster("which of several device requests is granted".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::{image_version, is_gpu};
    use crate::resolve::Version;

    #[test]
    fn tags() {
        let version = |image: &'static str| image_version(image).map(|(range, v)| (&image[range], v.to_string()));
        assert_eq!(
            version("nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0-dev.1"),
            Some(("1.4.0-dev.1", "1.4.0".to_owned()))
        );
        assert_eq!(version("r:5000/dynamo-frontend:v1.2.3@sha256:ab"), Some(("v1.2.3", "1.2.3".to_owned())));
        assert_eq!(version("vllm-runtime:0.7.0.post1"), Some(("0.7.0.post1", "0.7.0".to_owned())));
        for none in [
            "vllm/vllm-openai:v0.11.0",
            "nvcr.io/nvidia/ai-dynamo/vllm-runtime:my-tag",
            "vllm-runtime",
            "vllm-runtime@sha256:1.2.3",
            "localhost:5000/vllm-runtime",
            "nvidia/cuda:12.4.0-runtime-ubuntu22.04",
            "ghcr.io/nvidia/modelexpress-server:0.3.0",
            "x/modelexpress-vllm-runtime:1.2.3",
            "vllm-runtime:20250812.1.2",
        ] {
            assert_eq!(version(none), None, "{none}");
        }
        assert_eq!(Version::parse("1.3"), Some(Version::new(1, 3)));
        for (wheel, release) in [("0.7.0.post1", (0, 7)), ("1.4.0rc2", (1, 4)), ("v1.5.0.dev20260801", (1, 5))] {
            assert_eq!(Version::parse(wheel), Some(Version::new(release.0, release.1)), "{wheel}");
        }
        for none in ["1.4.0.1", "1.4.0.", "1.4.x", "1.4.0cuda12", "1.4.0.post1x"] {
            assert_eq!(Version::parse(none), None, "{none}");
        }
    }

    #[test]
    fn gpu_names() {
        for gpu in ["nvidia.com/gpu", "GPU", "amd.com/gpu", "nvidia.com/mig-1g.5gb", "gpu.intel.com/xe"] {
            assert!(is_gpu(gpu), "{gpu}");
        }
        assert!(!is_gpu("rdma/ib"));
    }
}
