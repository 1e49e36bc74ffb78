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

const KNOBS: [Knob; 7] = [
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
        name: "TORCH_DISTRIBUTED_DEBUG",
        off: &["OFF", "INFO"],
        effect: "every collective is checked twice",
        severity: Severity::Advice,
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
        idle(service, out);
    }
}

/// A container that waits to be entered by hand.
fn idle(service: &Service, out: &mut Findings) {
    if service.component.main.image.is_none() || service.process.as_ref().is_some_and(|p| !p.implied) {
        return;
    }
    let Some(process) = service.launch.processes.last() else { return };
    let words: Vec<&str> = process.argv.iter().map(|w| w.as_known().unwrap_or_default()).collect();
    let program = words.first().and_then(|w| w.rsplit('/').next()).unwrap_or_default();
    let forever = matches!(words.get(1..), Some(["infinity" | "inf"]))
        || words.get(1).is_some_and(|w| w.parse::<u64>().is_ok_and(|s| s >= 3600));
    let tail = program == "tail" && words.contains(&"/dev/null");
    if !(tail || (program == "sleep" && forever)) {
        return;
    }
    out.report(process.span, format!("`{}` does nothing but wait", service.name), "for entering the container by hand")
        .service(service)
        .subject("command")
        .help("start the component here")
        .emit();
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
