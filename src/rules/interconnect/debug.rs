//! Knobs for benchmarks and tests that make a server answer wrongly.

use super::common::{each_variable, falsy, name_span, value_span, worker};
use crate::command::Flag;
use crate::resolve::{Deployment, Framework};
use crate::rules::Findings;

/// Variables with what they do; each is harmless when unset, empty, 0 or negative.
const KNOBS: [(&str, &str); 4] = [
    (
        "VLLM_MOE_ROUTING_SIMULATION_STRATEGY",
        "tokens go to experts by a simulation, not by the model's gate: the output is wrong",
    ),
    ("SGLANG_SIMULATE_ACC_LEN", "draft tokens are accepted without being verified: the output is wrong"),
    ("SGLANG_TEST_DISAGG_FAILURE_PROB", "KV transfers fail at random"),
    ("TRTLLM_DISAGG_BENCHMARK_GEN_ONLY", "decode does not wait for KV cache from prefill: the output is wrong"),
];

/// A simulation for benchmarks is on in a serving manifest.
pub fn simulation_knob_left_on(deployment: &Deployment, out: &mut Findings) {
    each_variable(deployment, worker, |service, var| {
        let Some((name, effect)) = KNOBS.iter().find(|(name, _)| *name == var.name) else { return };
        let Some(value) = var.known().filter(|v| is_on(v)) else { return };
        let Some(at) = value_span(var) else { return };
        out.report(at, format!("`{name}={value}` is for benchmarks"), *effect)
            .service(service)
            .subject(*name)
            .help("remove it")
            .emit();
    });
    for service in deployment.workers() {
        let Some(flag) = service.flag(&["--load-format"]) else { continue };
        let Some(value) = flag.value().filter(|w| w.as_known() == Some("dummy")) else { continue };
        out.report(
            value.span(),
            format!("`{} dummy` starts `{}` with random weights", flag.name, service.name),
            "the output is noise",
        )
        .service(service)
        .subject(flag.name.clone())
        .help("remove it, or load the real weights")
        .emit();
    }
}

/// Whether the knob is on: a number above 0, or any word but a "no".
fn is_on(value: &str) -> bool {
    !falsy(value) && value.trim().parse::<f64>().map_or(true, |n| n > 0.0)
}

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
