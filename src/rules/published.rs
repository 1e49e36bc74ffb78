//! Images of Dynamo's own.

use crate::resolve::Framework;

/// Where NVIDIA publishes them.
pub(super) const REGISTRY: &str = "nvcr.io/nvidia/ai-dynamo";

/// Engines that have an image of their own.
pub(super) const ENGINES: [Framework; 3] = [Framework::Vllm, Framework::Sglang, Framework::Trtllm];

/// The image that an engine is published in.
pub(super) const fn runtime(engine: Framework) -> Option<&'static str> {
    match engine {
        Framework::Vllm => Some("vllm-runtime"),
        Framework::Sglang => Some("sglang-runtime"),
        Framework::Trtllm => Some("tensorrtllm-runtime"),
        Framework::Mocker | Framework::Tokenspeed => None,
    }
}

/// The repository of an image with its registry, and its tag where it has one; what follows `@` is neither.
pub(super) fn repository(image: &str) -> (&str, Option<&str>) {
    let name = image.split('@').next().unwrap_or_default();
    match name.rsplit_once(':') {
        // Else it is the port of a registry.
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (name, None),
    }
}

/// The last part of an image's repository, and its tag.
pub(super) fn reference(image: &str) -> (&str, &str) {
    let last = image.split('@').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    last.split_once(':').unwrap_or((last, ""))
}
