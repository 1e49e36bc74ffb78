//! What stops a planner at start: settings that its config class refuses together, and roles that it does not find.
//!
//! Source: `PlannerConfig._validate_config`, `validate_deployment` of the Kubernetes connector and what it asks
//! (`get_component_from_type_or_name`), default names of components; ai-dynamo 1.0.2 to 1.6.1.

use super::json::entries;
use crate::command::json::{self, Json, JsonEntry, JsonValue};
use crate::finding::Severity;
use crate::manifest::{ComponentType, GraphKind};
use crate::resolve::{Deployment, Framework, Role, Service, as_json};
use crate::rules::Findings;
use crate::source::Span;

/// `planner-refused`
pub fn planner_refused(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.services.iter().filter(|s| s.module() == Some("dynamo.planner") && !s.below(1, 0)) {
        let Some(flag) = service.args().and_then(|args| args.last(&["--config"])) else { continue };
        let Some(word) = flag.value().filter(|word| word.as_known().is_some()) else { continue };
        let config = match service.configs.first() {
            None => json::parse(&word.text).ok(),
            Some(config) => config.content.known().map(as_json),
        };
        let Some(config) = config.filter(|json| !entries(json).is_empty()) else { continue };
        let config = Config(&config);
        settings(service, &config, out);
        let elsewhere = service.env.get("DYN_PARENT_DGD_K8S_NAME").is_some_and(|var| var.written());
        if config.word("environment", "kubernetes") == Some("kubernetes")
            && !config.says("no_operation", true)
            && !elsewhere
            && deployment.graph.kind != GraphKind::Component
        {
            let at = config.entry("backend").map_or(flag.full_span(), |entry| entry.value.span);
            if roles(deployment, service, &config, flag.full_span(), at, out) {
                backend(deployment, service, &config, at, out);
            }
        }
    }
}

/// The planner's settings. Of a key that is written twice the last counts.
struct Config<'a>(&'a Json);

impl<'a> Config<'a> {
    fn entry(&self, key: &str) -> Option<&'a JsonEntry> {
        entries(self.0).iter().rev().find(|entry| entry.key == key)
    }

    /// A word; `None` when it cannot be known.
    fn word(&self, key: &str, default: &'a str) -> Option<&'a str> {
        self.entry(key).map_or(Some(default), |entry| entry.value.as_str()).filter(|text| !super::open(text))
    }

    fn says(&self, key: &str, what: bool) -> bool {
        self.entry(key).is_some_and(|entry| matches!(entry.value.value, JsonValue::Bool(is) if is == what))
    }

    fn number(&self, keys: &[&str]) -> Option<(f64, Span)> {
        let entry = keys.iter().find_map(|key| self.entry(key))?;
        match &entry.value.value {
            JsonValue::Number(text) => text.parse().ok().map(|number| (number, entry.key_span.to(entry.value.span))),
            _ => None,
        }
    }
}

fn settings(service: &Service, config: &Config<'_>, out: &mut Findings) {
    const WHY: &str = "the planner checks its settings and exits";
    let environment = config.entry("environment").filter(|entry| entry.value.as_str() == Some("global-planner"));
    if let Some(entry) = environment
        && config.entry("global_planner_namespace").is_none_or(|entry| entry.value.as_str() == Some(""))
    {
        out.report(entry.value.span, "a planner under a global one has to know its namespace", WHY)
            .service(service)
            .subject("global_planner_namespace")
            .help("add `global_planner_namespace`: the Dynamo namespace in which the global planner runs")
            .emit();
    }
    // From 1.1 on any target but `sla` switches scaling by load on and scaling by throughput off.
    let free = config.word("optimization_target", "throughput") == Some("sla")
        || (service.version().is_some() && service.below(1, 1));
    if !free {
        return;
    }
    let (throughput, load) = ("enable_throughput_scaling", "enable_load_scaling");
    if config.says(throughput, false)
        && (config.entry(load).is_none() || config.says(load, false))
        && let Some(entry) = config.entry(throughput)
    {
        out.report(entry.key_span.to(entry.value.span), "both ways of scaling are off", WHY)
            .service(service)
            .subject(throughput)
            .label_opt(config.entry(load).map(|e| e.key_span.to(e.value.span)), "off as well")
            .help(format!("switch `{throughput}` or `{load}` on"))
            .emit();
    }
    let (slow, fast) = (
        ["throughput_adjustment_interval_seconds", "throughput_adjustment_interval"],
        ["load_adjustment_interval_seconds", "load_adjustment_interval"],
    );
    // The names with a unit came in 1.2.
    let from = usize::from(!service.at_least(1, 2));
    if let (Some((slow, other)), Some((fast, at))) = (config.number(&slow[from..]), config.number(&fast[from..]))
        && fast >= slow
        && config.says(load, true)
        && config.entry(throughput).is_none_or(|_| config.says(throughput, true))
    {
        out.report(at, "scaling by load is not quicker than scaling by throughput", WHY)
            .service(service)
            .subject("load_adjustment_interval")
            .label(other, "has to be longer")
            .help("make the interval of scaling by load the shorter one")
            .emit();
    }
}

const ROLES: [&str; 2] = ["prefill", "decode"];

/// Names by which the planner of a backend took a component for a role that no type says, and the release from which on it is
/// the role's own, as of all other backends.
const NAMES: [(&str, u16, [&str; 2]); 2] = [
    ("vllm", 6, ["VllmPrefillWorker", "VllmDecodeWorker"]),
    ("trtllm", 2, ["TRTLLMPrefillWorker", "TRTLLMDecodeWorker"]),
];

/// Whether a planner takes a component of that name for the role; with no backend, whether any does.
fn named(name: &str, role: usize, planner: &Service, backend: Option<&str>) -> bool {
    let own = NAMES.iter().find(|(of, ..)| Some(*of) == backend);
    let old = |(_, until, names): &(&str, u16, [&str; 2])| names[role] == name && !planner.at_least(1, *until);
    match (own, backend) {
        (Some(own), _) => old(own) || (name == ROLES[role] && !planner.below(1, own.1)),
        (None, Some(_)) => name == ROLES[role],
        (None, None) => name == ROLES[role] || NAMES.iter().any(|(.., names)| names[role] == name),
    }
}

/// Workers of another engine than the planner is told: it asks for names and metrics of that one.
fn backend(deployment: &Deployment, planner: &Service, config: &Config<'_>, at: Span, out: &mut Findings) {
    let Some(told) = config.word("backend", "vllm") else { return };
    let engines = [Some("vllm"), Some("sglang"), Some("trtllm")];
    let runs = |worker: &Service| worker.framework.map(Framework::as_str);
    let mut workers = deployment.workers();
    if !(told == "mocker" || engines.contains(&Some(told)))
        || !workers.all(|worker| engines.contains(&runs(worker)) && runs(worker) != Some(told))
    {
        return;
    }
    let Some(worker) = deployment.workers().find(|worker| worker.role != Role::Prefill) else { return };
    let runs = runs(worker).unwrap_or_default();
    // Decode workers of TensorRT-LLM had a name of their own.
    let lost = planner.at_least(1, 2)
        && planner.below(1, 3)
        && (told == "trtllm") != (runs == "trtllm")
        && worker.flag(&["--endpoint"]).is_none();
    out.report(
        at,
        format!("the planner is told `{told}`, and `{}` runs `{runs}`", worker.name),
        if lost {
            "it waits for figures of decode workers that do not exist"
        } else {
            "it asks for metrics of another engine"
        },
    )
    .service(planner)
    .subject("backend")
    .severity(if lost { Severity::Warning } else { Severity::Advice })
    .label(worker.process.as_ref().map_or(worker.span, |p| p.module.span), "the engine")
    .help(format!("write `\"backend\": \"{runs}\"`"))
    .emit();
}

/// Whether the planner finds one component of each role that it asks for.
fn roles(
    deployment: &Deployment,
    planner: &Service,
    config: &Config<'_>,
    at: Span,
    backend: Span,
    out: &mut Findings,
) -> bool {
    let Some(mode) = config.word("mode", "disagg") else { return true };
    let told = config.word("backend", "vllm");
    let services = &deployment.services;
    let unclear =
        |service: &&Service| matches!(&service.component.component_type, ComponentType::Other(t) if super::open(t));
    if services.iter().any(|s| unclear(&s)) || !matches!(mode, "disagg" | "prefill" | "decode") {
        return true;
    }
    let mut complete = true;
    let place = config.entry("mode").map_or(at, |entry| entry.value.span);
    for (index, role) in ROLES.iter().enumerate().filter(|(_, role)| mode == "disagg" || mode == **role) {
        let is = |service: &&Service| {
            let sub = service.component.node.get("subComponentType").and_then(|node| node.as_text());
            match service.component.component_type {
                ComponentType::Prefill => *role == "prefill",
                ComponentType::Decode => *role == "decode",
                _ => sub == Some(role),
            }
        };
        let typed: Vec<&Service> = services.iter().filter(is).collect();
        let span = |service: &Service| service.component.type_span.unwrap_or(service.span);
        if let [first, second, ..] = typed[..] {
            out.report(span(second), format!("two components are `{role}`, and the planner scales one"), EXITS)
                .service(planner)
                .subject(*role)
                .label(span(first), "the first one")
                .help("scale one component by its replicas, or give each graph a planner of its own")
                .emit();
        } else if typed.is_empty() {
            let generic: Vec<&Service> = services.iter().filter(|s| s.is_type(&ComponentType::Worker)).collect();
            // A sole worker decodes from 1.3 on.
            let sole = *role == "decode" && generic.len() == 1 && !planner.below(1, 3);
            if sole || services.iter().any(|s| named(&s.name, index, planner, told)) {
                continue;
            }
            complete = false;
            // By the name that the planner of another backend or release looks for.
            let other = services.iter().find(|s| named(&s.name, index, planner, None));
            let mut report = out
                .report(
                    if other.is_some() { backend } else { place },
                    format!("the planner finds no `{role}` component in its graph"),
                    EXITS,
                )
                .service(planner)
                .subject(*role);
            for service in generic {
                report = report.label(span(service), "a plain worker has no role, and not the name that is looked for");
            }
            report
                .help(format!(
                    "write `type: {role}`, in v1alpha1 `subComponentType: {role}`, or another `mode` of the planner"
                ))
                .emit();
        }
    }
    complete
}

/// Why that matters.
const EXITS: &str = "the planner asks for one component of each role that it scales, and exits";
