//! Settings for benchmarks and debugging that change or slow what is served.

use crate::catalog::Release;
use crate::command::{Process, is_shell};
use crate::finding::{Confidence, Severity};
use crate::resolve::{Deployment, Role, Service};
use crate::rules::Findings;
use crate::rules::disagg::stands_alone;

/// A variable, when it counts as on, and what it does.
struct Knob {
    name: &'static str,
    /// Values that mean off, besides the empty string.
    off: &'static [&'static str],
    effect: &'static str,
    severity: Severity,
}

const KNOBS: [Knob; 8] = [
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
        name: "TLLM_SPEC_DECODE_FORCE_NUM_ACCEPTED_TOKENS",
        off: &["0"],
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
    unserved(deployment, out);
}

/// Frontends that are scaled to nothing by hand, before workers that are not.
fn unserved(deployment: &Deployment, out: &mut Findings) {
    let none = |service: &Service| service.replicas.known() == Some(&0);
    let mut frontends = deployment.role(Role::Frontend);
    let Some(frontend) = frontends.next().filter(|first| none(first) && frontends.all(none)) else { return };
    let at = frontend.component.replicas.as_ref().map(|replicas| replicas.span);
    let sidecar = deployment.services.iter().any(|s| s.sidecar.is_some());
    if let Some(at) = at
        && deployment.workers().any(|worker| worker.replicas.known() != Some(&0))
        && !sidecar
        && !crate::rules::router::scaled(frontend)
        && stands_alone(deployment)
    {
        out.report(at, format!("`{}` has no replicas", frontend.name), "nobody takes requests for the workers")
            .service(frontend)
            .subject("replicas")
            .confidence(Confidence::Likely)
            .help("write `replicas: 1`, or scale the workers to 0 as well")
            .emit();
    }
}

/// A container that waits to be entered by hand.
fn idle(service: &Service, out: &mut Findings) {
    if service.component.main.image.is_none() || service.process.as_ref().is_some_and(|p| !p.implied) {
        return;
    }
    let Some((process, before)) = service.launch.processes.split_last() else { return };
    // What was started before may serve in the background, or is the other branch.
    let starts = |p: &Process| {
        let program = p.argv.first().and_then(|w| w.as_known()).unwrap_or("/");
        let daemon =
            matches!(program, "tmux" | "screen" | "supervisord" | "service" | "systemctl" | "setsid" | "docker");
        daemon || program.contains('/') || program.starts_with("python") || is_shell(program)
    };
    if process.conditional || before.iter().any(|p| p.background || starts(p)) {
        return;
    }
    let words: Vec<&str> = process.argv.iter().map(|w| w.as_known().unwrap_or_default()).collect();
    let program = words.first().and_then(|w| w.rsplit('/').next()).unwrap_or_default();
    // With the engine's options left behind it, it does not even that.
    let forever = matches!(words.get(1), Some(&("infinity" | "inf")))
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

/// Variables that were renamed, what they are now, and the first release that reads only the new name; the page names the changes.
const RENAMED: [(&str, &str, Release); 10] = [
    ("DYNAMO_NAMESPACE", "DYN_NAMESPACE", (0, 6)),
    ("DYN_RUNTIME_HTTP_ENABLED", "DYN_SYSTEM_ENABLED", (0, 4)),
    ("DYN_RUNTIME_HTTP_PORT", "DYN_SYSTEM_PORT", (0, 4)),
    ("DYN_RUNTIME_HTTP_HOST", "DYN_SYSTEM_HOST", (0, 4)),
    ("DYN_ENABLE_FRONTEND_NVEXT", "DYN_DISABLE_FRONTEND_NVEXT", (1, 3)),
    ("DYN_ENABLE_FRONTEND_ADMIN_API", "DYN_DISABLE_FRONTEND_ADMIN_API", (1, 3)),
    ("DYN_AGENT_TRACE", "DYN_REQUEST_TRACE", (1, 3)),
    ("DYN_KV_STORE", "DYN_DISCOVERY_BACKEND", (1, 0)),
    ("ENABLE_KVBM_RECORD", "DYN_KVBM_ENABLE_RECORD", (1, 0)),
    ("OTEL_EXPORT_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", (0, 7)),
];

/// `stale-env-name`
pub fn stale_env_name(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for (old, now, (major, minor)) in RENAMED {
            let holds = service.at_least(major, minor);
            let Some(var) = service.env.get(old).filter(|v| v.written() && holds) else { continue };
            let Some(span) = var.winner().name_span.or(var.winner().span) else { continue };
            out.report(span, format!("nothing reads `{old}` any more"), format!("renamed in Dynamo {major}.{minor}"))
                .service(service)
                .subject(old)
                .help(format!("write `{now}`"))
                .emit();
        }
    }
}
