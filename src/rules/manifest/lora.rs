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
        // A word that neither switches it on nor looks as if it were to.
        let off = |text: &str| ["false", "0", "no", "off", ""].contains(&text.to_ascii_lowercase().as_str());
        let unread = var.filter(|v| v.written() && v.known().is_some_and(|t| !truthy(t.as_str()) && !off(t.as_str())));
        if let Some((var, at)) = unread.and_then(|v| Some((v, v.winner().span?))) {
            let word = var.known().map(|t| t.to_string()).unwrap_or_default();
            out.report(at, format!("`{word}` does not switch `DYN_LORA_ENABLED` on"), "Dynamo reads it as off")
                .service(service)
                .subject("DYN_LORA_ENABLED")
                .help("write `\"true\"`")
                .emit();
        }
        let endpoint = service.env.get("AWS_ENDPOINT").filter(|v| on.is_some() && v.written());
        let bare = |text: &str| !text.is_empty() && !text.contains("://") && !text.contains(['$', '<', '{']);
        if let Some(at) = endpoint.filter(|v| v.known().is_some_and(|t| bare(t.as_str()))).and_then(|v| v.winner().span)
        {
            out.report(at, "`AWS_ENDPOINT` is no URL", "no adapter can be fetched from there")
                .service(service)
                .subject("AWS_ENDPOINT")
                .help("begin it with `http://` or `https://`")
                .emit();
        }
        let filed = || service.config_open() || service.config_option("enable-lora").is_some();
        if let (None, Some(at)) = (flag, on.and_then(|v| v.winner().span).filter(|_| !filed())) {
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
