//! Settings for benchmarks and debugging that change or slow what is served.

use crate::finding::Severity;
use crate::resolve::{Deployment, Service};
use crate::rules::Findings;

/// A variable, when it counts as on, and what it does.
struct Knob {
    name: &'static str,
    /// Values that mean off, besides the empty string.
    off: &'static [&'static str],
    effect: &'static str,
    severity: Severity,
}

const KNOBS: [Knob; 6] = [
    Knob {
        name: "VLLM_MOE_ROUTING_SIMULATION_STRATEGY",
        off: &[],
        effect: "tokens go to experts at random: the model's answers are noise",
        severity: Severity::Warning,
    },
    Knob {
        name: "SGLANG_SIMULATE_ACC_LEN",
        off: &["-1", "0"],
        effect: "drafted tokens are accepted unseen: the model's answers are noise",
        severity: Severity::Warning,
    },
    Knob {
        name: "SGLANG_SIMULATE_UNIFORM_EXPERTS",
        off: &["0", "false", "False"],
        effect: "tokens go to experts evenly, not by the model's choice: its answers are noise",
        severity: Severity::Warning,
    },
    Knob {
        name: "CUDA_LAUNCH_BLOCKING",
        off: &["0"],
        effect: "every kernel launch waits for the one before",
        severity: Severity::Warning,
    },
    Knob { name: "TORCH_SHOW_CPP_STACKTRACES", off: &["0"], effect: "for debugging", severity: Severity::Advice },
    Knob {
        name: "VLLM_TRACE_FUNCTION",
        off: &["0"],
        effect: "every function call is written to a log: far too slow for serving",
        severity: Severity::Warning,
    },
];

/// `debug-knob`
pub fn debug_knob(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for knob in &KNOBS {
            let Some(var) = service.env.get(knob.name).filter(|v| v.written()) else { continue };
            let Some(value) = var.known() else { continue };
            if value.trim().is_empty() || knob.off.contains(&value.trim()) {
                continue;
            }
            let Some(span) = var.winner().name_span.or(var.winner().span) else { continue };
            out.report(span, format!("`{}` is left on in `{}`", knob.name, service.name), knob.effect)
                .service(service)
                .subject(knob.name)
                .severity(knob.severity)
                .help(format!("remove `{}`", knob.name))
                .emit();
        }
        dummy_weights(service, out);
    }
}

fn dummy_weights(service: &Service, out: &mut Findings) {
    let Some(flag) = service.flag(&["--load-format"]) else { return };
    if flag.value().and_then(|w| w.as_known()) != Some("dummy") {
        return;
    }
    out.report(
        flag.full_span(),
        format!("`{}` serves random weights", service.name),
        "`dummy` fills the model with random numbers: for benchmarks only",
    )
    .service(service)
    .subject("--load-format")
    .help("drop `--load-format dummy`")
    .emit();
}
