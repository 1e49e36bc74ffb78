//! Engine variables that moved to a flag.

use super::common::name_span;
use crate::command::Flag;
use crate::resolve::{Deployment, Framework};
use crate::rules::Findings;

/// vLLM's selector of the all-to-all backend, which moved from a variable to a flag.
pub fn vllm_all2all_env(deployment: &Deployment, out: &mut Findings) {
    const NAME: &str = "VLLM_ALL2ALL_BACKEND";
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Vllm)) {
        let Some(var) = service.env.get(NAME).filter(|v| v.written()) else { continue };
        if service.below(1, 0) {
            continue;
        }
        let Some(at) = name_span(var) else { continue };
        let flag = service.flag(&["--all2all-backend", "--all2all_backend"]);
        let chosen = flag.and_then(Flag::value);
        let wanted = var.known().map_or("<backend>", |v| v.as_str());
        out.report(
            at,
            format!("vLLM does not read `{NAME}` any more"),
            if chosen.is_some() {
                "the flag counts"
            } else {
                "expert parallelism runs on the default all-to-all backend"
            },
        )
        .service(service)
        .subject(NAME)
        .label_opt(chosen.map(|w| w.span()), "this is what counts")
        .help(if chosen.is_some() { "remove it".to_owned() } else { format!("write `--all2all-backend {wanted}`") })
        .emit();
    }
}
