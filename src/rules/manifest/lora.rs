//! Adapters that are loaded at run time: what Dynamo and the engine have to be told, each by itself.

use super::near;
use crate::resolve::{Deployment, Framework};
use crate::rules::Findings;
use crate::yaml::Node;

/// `lora-half-enabled`
pub fn lora_half_enabled(deployment: &Deployment, out: &mut Findings) {
    let truthy = |text: &str| matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes");
    let adapters = || {
        let models = near::of_kind(&deployment.recipe, "DynamoModel");
        models.iter().any(|m| m.node.at(&["spec", "modelType"]).and_then(Node::as_text) == Some("lora"))
    };
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm) && !s.args_open()) {
        let flag = service.flag(&["--enable-lora"]);
        let var = service.env.get("DYN_LORA_ENABLED");
        let on = var.filter(|v| v.written() && v.known().is_some_and(|t| truthy(t.as_str())));
        if let (None, Some(at)) = (flag, on.and_then(|v| v.winner().span)) {
            out.report(
                at,
                format!("the engine of `{}` takes no adapters", service.name),
                "without `--enable-lora` vLLM refuses every adapter that Dynamo gives it",
            )
            .service(service)
            .subject("--enable-lora")
            .help("add `--enable-lora`, or remove `DYN_LORA_ENABLED`")
            .emit();
        }
        let wanted = || service.env.get("DYN_LORA_PATH").is_some_and(|v| v.written()) || adapters();
        if let Some(flag) =
            flag.filter(|_| var.is_none() && service.component.main.env_from.iter().all(|from| from.secret) && wanted())
        {
            out.report(
                flag.full_span(),
                format!("`{}` does not fetch adapters", service.name),
                "without `DYN_LORA_ENABLED` the worker has no LoRAManager: loading by URI fails",
            )
            .service(service)
            .subject("DYN_LORA_ENABLED")
            .help("add `DYN_LORA_ENABLED` with the value `\"true\"`")
            .emit();
        }
    }
}
