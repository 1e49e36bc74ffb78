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
