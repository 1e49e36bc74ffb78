//! What stops a planner at start: settings that its config class refuses together, and roles that it does not find.
//!
//! Source: `PlannerConfig._validate_config`, `validate_deployment` of the Kubernetes connector and what it asks
//! (`get_component_from_type_or_name`), default names of components; ai-dynamo 1.0.2 to 1.6.1.

use super::json::entries;
use crate::command::json::{self, Json, JsonEntry, JsonValue};
use crate::finding::Severity;
use crate::manifest::{ComponentType, GraphKind, Mount};
use crate::resolve::{Deployment, Framework, Role, Service, as_json};
use crate::rules::Findings;
use crate::source::Span;

/// `planner-refused`
pub fn planner_refused(deployment: &Deployment, out: &mut Findings) {
    for service in
        deployment.services.iter().filter(|s| s.module() == Some("dynamo.planner.planner_sla") && s.below(1, 0))
    {
        old(deployment, service, out);
    }
    for service in deployment.services.iter().filter(|s| s.module() == Some("dynamo.planner") && !s.below(1, 0)) {
        around(service, out);
        let Some(flag) = service.args().and_then(|args| args.last(&["--config"])) else { continue };
        let Some(word) = flag.value().filter(|word| word.as_known().is_some()) else { continue };
        let config = match service.configs.first() {
            None => json::parse(&word.text).ok(),
            Some(config) => config.content.known().map(as_json),
        };
        let Some(config) = config.filter(|json| !entries(json).is_empty()) else { continue };
        for Contradiction { at, subject, message, label, help } in
            contradictions(&config, &|minor| service.version().is_some() && service.below(1, minor))
        {
            let report = out.report(at, message, REFUSES).service(service).subject(subject);
            report.label_opt(label.map(|(at, _)| at), label.map_or("", |(_, text)| text)).help(help).emit();
        }
        let config = Config(&config);
        const PULLED: &str = "metric_pulling_prometheus_endpoint";
        if let Some(entry) = config.entry(PULLED)
            && let Some(text) = entry.value.as_str().filter(|text| !super::open(text) && !text.contains("://"))
            && !text.is_empty()
        {
            out.report(
                entry.value.span,
                format!("`{PULLED}` does not begin with `http://`"),
                "no request can be made of it: no metrics",
            )
            .service(service)
            .subject(PULLED)
            .severity(Severity::Warning)
            .help(format!("write `http://{text}`"))
            .emit();
        }
        let elsewhere = service.env.get("DYN_PARENT_DGD_K8S_NAME").is_some_and(|var| var.written());
        if config.word("environment", "kubernetes") == Some("kubernetes")
            && !config.says("no_operation", true)
            && !elsewhere
            && deployment.graph.kind != GraphKind::Component
        {
            let at = config.entry("backend").map_or(flag.full_span(), |entry| entry.value.span);
            if roles(deployment, service, &config, flag.full_span(), at, out)
                && let Some(told) = config.word("backend", "vllm")
            {
                backend(deployment, service, (told, at), out);
            }
        }
    }
}

/// A planner before 1.0, which takes everything from its command line.
fn old(deployment: &Deployment, service: &Service, out: &mut Findings) {
    let Some(args) = service.args().filter(|_| !service.args_open()) else { return };
    if args
        .last(&["--no-operation", "--environment"])
        .is_some_and(|f| f.value().is_none_or(|w| w.as_known() != Some("kubernetes")))
    {
        return;
    }
    let told = args.last(&["--backend"]).and_then(|flag| flag.value());
    if let Some((told, at)) = told.and_then(|word| Some((word.as_known()?, word.span()))) {
        backend(deployment, service, (told, at), out);
    }
    // A place outside of the image's own directory that nothing mounts has no profile.
    let Some(word) = args.last(&["--profile-results-dir"]).and_then(|flag| flag.value()) else { return };
    let Some(path) = word.as_known().filter(|path| path.starts_with('/') && !super::open(path)) else { return };
    let main = &service.component.main;
    let own = ["/workspace/", "/opt/", "/home/", "/app/"].iter().any(|own| path.starts_with(own));
    if own || !service.component.init_containers.is_empty() || service.version().is_none() {
        return;
    }
    let storage = |m: &&Mount| m.path.as_ref().is_some_and(|p| p.value != "/dev/shm");
    let mut claims = main.mounts.iter().filter(storage).peekable();
    let first = claims.peek().and_then(|m| m.path.as_ref());
    let Some(first) = first.filter(|_| !claims.any(|m| m.covers(path))) else { return };
    out.report(
        word.span(),
        format!("no volume of the planner is mounted at `{path}`"),
        "it finds no profile there, and exits",
    )
    .service(service)
    .subject("--profile-results-dir")
    .label(first.span, "the volume")
    .help(format!("write a directory below `{}`", first.value))
    .emit();
}

/// What a planner is told beside its config.
fn around(service: &Service, out: &mut Findings) {
    const ENDPOINT: &str = "PROMETHEUS_ENDPOINT";
    if let Some(text) = service.env.known(ENDPOINT).filter(|text| !super::open(text) && !text.contains("://")) {
        out.report(
            text.span(),
            format!("`{ENDPOINT}` does not begin with `http://`"),
            "no request can be made of it: no metrics",
        )
        .service(service)
        .subject(ENDPOINT)
        .severity(Severity::Warning)
        .help(format!("write `http://{}`", text.as_str()))
        .emit();
    }
    let others = ["PROMETHEUS_URL", "PROMETHEUS_HOST", "PROMETHEUS_SERVER", "PROMETHEUS_ADDRESS"];
    let other = others.iter().find_map(|name| service.env.get(name).filter(|var| var.written()));
    if let Some(var) = other.filter(|_| service.env.get(ENDPOINT).is_none_or(|var| !var.written()))
        && let Some(at) = var.winner().name_span.or(var.winner().span)
    {
        out.report(at, format!("no planner reads `{}`", var.name), "it asks the default address for metrics")
            .service(service)
            .subject(ENDPOINT)
            .severity(Severity::Warning)
            .help(format!("write `{ENDPOINT}`"))
            .emit();
    }
    let told = service.process.as_ref().is_some_and(|process| !process.implied) && !service.args_open();
    if let Some(args) = service.args().filter(|args| told && args.last(&["--config", "--help"]).is_none())
        // Options of before are `planner-cli-removed`'s.
        && args.flags.iter().all(|flag| flag.name.starts_with("--config"))
        && let Some(process) = &service.process
    {
        let at = args.flags.first().map_or(process.module.span, |flag| flag.span);
        out.report(at, "the planner is not told its `--config`", "argparse asks for it, and the planner exits")
            .service(service)
            .subject("--config")
            .help("add `--config` with a JSON object or a file")
            .emit();
    }
}

/// What a planner's config says for a key, as far as it is seen.
pub(in crate::rules) fn planner_setting(service: &Service, key: &str) -> Option<(String, Span)> {
    let word = service.args()?.last(&["--config"])?.value()?;
    let json = match service.configs.first() {
        None => json::parse(&word.text).ok()?,
        Some(config) => as_json(config.content.known()?),
    };
    let entry = Config(&json).entry(key)?;
    Some((entry.value.as_str()?.to_owned(), entry.value.span))
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

/// Settings that the planner refuses, alone or beside each other.
pub(in crate::rules) struct Contradiction {
    pub at: Span,
    pub subject: &'static str,
    pub message: String,
    pub label: Option<(Span, &'static str)>,
    pub help: String,
}

/// Bounds of numbers (`Field(ge=…)`, `_validate_config`): least, whether that itself is left out, most, and the release that looks.
const BOUNDS: [(&str, f64, bool, f64, u16); 20] = [
    ("ttft", 0.0, true, f64::INFINITY, 1),
    ("ttft_ms", 0.0, true, f64::INFINITY, 2),
    ("report_interval_hours", 0.0, true, f64::INFINITY, 1),
    ("load_adjustment_interval_seconds", 0.0, true, f64::INFINITY, 3),
    ("prefill_scale_up_queue_tokens", 0.0, false, f64::INFINITY, 3),
    ("prefill_scale_down_queue_tokens", 0.0, false, f64::INFINITY, 3),
    ("decode_scale_up_kv_rate", 0.0, false, 100.0, 3),
    ("decode_scale_down_kv_rate", 0.0, false, 100.0, 3),
    ("speculative_nextn", 0.0, false, f64::INFINITY, 3),
    ("min_endpoint", 0.0, false, f64::INFINITY, 5),
    ("prefill_min_endpoint", 1.0, false, f64::INFINITY, 5),
    ("decode_min_endpoint", 1.0, false, f64::INFINITY, 5),
    ("control_api_port", 0.0, false, 65535.0, 5),
    ("total_gpu_power_limit", 1.0, false, f64::INFINITY, 5),
    ("metric_pulling_prometheus_request_timeout_seconds", 0.0, true, f64::INFINITY, 5),
    ("max_throughput_scaling_replicas", 0.0, true, f64::INFINITY, 6),
    ("prophet_window_size", 0.0, true, f64::INFINITY, 6),
    ("max_num_fpm_samples", 0.0, true, f64::INFINITY, 6),
    ("fpm_sample_bucket_size", 0.0, true, f64::INFINITY, 6),
    ("load_scaling_down_sensitivity", 0.0, false, 100.0, 6),
];

/// What the planner finds wrong with its settings; `below` says whether its release is known to be an older one.
pub(in crate::rules) fn contradictions(config: &Json, below: &dyn Fn(u16) -> bool) -> Vec<Contradiction> {
    let config = Config(config);
    let mut all = Vec::new();
    let mut say = |at: Span, subject: &'static str, message: &str, label: Option<(Span, &'static str)>, help: &str| {
        all.push(Contradiction { at, subject, message: message.to_owned(), label, help: help.to_owned() });
    };
    let whole = |entry: &JsonEntry| entry.key_span.to(entry.value.span);
    for (key, least, open, most, since) in BOUNDS {
        let Some((number, at)) = config.number(&[key]).filter(|_| !below(since)) else { continue };
        if number < least || number > most || (open && number <= least) {
            let lowest = format!("{} {least}", if open { "above" } else { "of at least" });
            let range = if most.is_finite() { format!("from {least} to {most}") } else { lowest };
            say(at, key, &format!("`{key}` is not to be {number}"), None, &format!("write a number {range}"));
        }
    }
    if let Some((size, at)) = config.number(&["fpm_sample_bucket_size"])
        && !below(1)
        && size > 0.0
        && size.sqrt().fract() != 0.0
    {
        let key = "fpm_sample_bucket_size";
        say(at, key, "the buckets of samples make no square", None, "write the square of a whole number: 9, 16, 25");
    }
    let environment = config.entry("environment").filter(|entry| entry.value.as_str() == Some("global-planner"));
    if let Some(entry) = environment
        && config.entry("global_planner_namespace").is_none_or(|entry| entry.value.as_str() == Some(""))
    {
        say(
            entry.value.span,
            "global_planner_namespace",
            "a planner under a global one has to know its namespace",
            None,
            "add `global_planner_namespace`: the Dynamo namespace in which the global planner runs",
        );
    }
    let mode = config.word("mode", "disagg");
    for (key, fits) in [("prefill_min_endpoint", ["disagg", "prefill"]), ("decode_min_endpoint", ["disagg", "decode"])]
    {
        if let (Some(entry), Some(mode)) = (config.entry(key).filter(|e| e.value.value != JsonValue::Null), mode)
            && !below(5)
            && !fits.contains(&mode)
        {
            say(
                whole(entry),
                key,
                &format!("`{key}` counts for nothing in mode `{mode}`"),
                None,
                "write `min_endpoint`",
            );
        }
    }
    if config.says("enable_power_awareness", true)
        && !below(5)
        && let Some(entry) = config.entry("enable_power_awareness")
    {
        let key = "enable_power_awareness";
        if config.entry("total_gpu_power_limit").is_none() {
            let help = "add `total_gpu_power_limit`: watts of all GPUs together";
            say(whole(entry), key, "the planner minds power, and is not told how much there is", None, help);
        } else if mode == Some("agg")
            || config.word("environment", "kubernetes").is_some_and(|environment| environment != "kubernetes")
        {
            let help = "switch it off, or scale prefill and decode of a graph in Kubernetes";
            say(whole(entry), key, "power is minded only in Kubernetes, and not in mode `agg`", None, help);
        }
    }
    let target = config.word("optimization_target", "throughput");
    if target == Some("load")
        && !below(3)
        && let Some((entry, mode)) = config.entry("optimization_target").zip(mode)
    {
        for (modes, up, down) in [
            (["disagg", "prefill", ""], "prefill_scale_up_queue_tokens", "prefill_scale_down_queue_tokens"),
            (["disagg", "decode", "agg"], "decode_scale_up_kv_rate", "decode_scale_down_kv_rate"),
        ] {
            if !modes.contains(&mode) {
                continue;
            }
            let lacks: Vec<&str> = [up, down].into_iter().filter(|key| config.entry(key).is_none()).collect();
            if !lacks.is_empty() {
                let list = lacks.join("` and `");
                let message = format!("scaling to load needs `{list}`");
                say(whole(entry), up, &message, None, &format!("add `{list}`"));
            } else if let (Some((high, at)), Some((low, other))) = (config.number(&[up]), config.number(&[down]))
                && high <= low
            {
                let label = Some((other, "the mark to scale down at"));
                let message = format!("`{up}` is not above `{down}`");
                say(at, up, &message, label, "make the mark to scale up at the higher one");
            }
        }
    }
    // From 1.1 on any target but `sla` switches scaling by load on and scaling by throughput off.
    let free = target == Some("sla") || below(1);
    if !free {
        return all;
    }
    let (throughput, load) = ("enable_throughput_scaling", "enable_load_scaling");
    if config.says(throughput, false)
        && (config.entry(load).is_none() || config.says(load, false))
        && let Some(entry) = config.entry(throughput)
    {
        let label = config.entry(load).map(|e| (whole(e), "off as well"));
        let help = format!("switch `{throughput}` or `{load}` on");
        say(whole(entry), throughput, "both ways of scaling are off", label, &help);
    }
    if let Some(entry) = config.entry("pre_deployment_sweeping_mode")
        && entry.value.as_str() == Some("none")
        && !config.says(throughput, false)
        && below(3)
    {
        let help = "write `rapid` or `thorough`, or switch `enable_throughput_scaling` off";
        let message = "scaling by throughput needs a sweep before the deployment";
        say(whole(entry), "pre_deployment_sweeping_mode", message, None, help);
    }
    let (slow, fast) = (
        ["throughput_adjustment_interval_seconds", "throughput_adjustment_interval"],
        ["load_adjustment_interval_seconds", "load_adjustment_interval"],
    );
    // The names with a unit came in 1.2.
    let from = usize::from(below(2));
    if let (Some((slow, other)), Some((fast, at))) = (config.number(&slow[from..]), config.number(&fast[from..]))
        && fast >= slow
        && config.says(load, true)
        && config.entry(throughput).is_none_or(|_| config.says(throughput, true))
    {
        let label = Some((other, "has to be longer"));
        let message = "scaling by load is not quicker than scaling by throughput";
        say(at, "load_adjustment_interval", message, label, "make the interval of scaling by load the shorter one");
    }
    all
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
fn backend(deployment: &Deployment, planner: &Service, (told, at): (&str, Span), out: &mut Findings) {
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
    let lost = (planner.at_least(1, 2) || planner.below(1, 0))
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
    .help(if planner.below(1, 0) {
        format!("write `--backend={runs}`")
    } else {
        format!("write `\"backend\": \"{runs}\"`")
    })
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

/// What comes of settings that do not go together.
pub(in crate::rules) const REFUSES: &str = "the planner checks its settings and exits";

/// Why that matters.
const EXITS: &str = "the planner asks for one component of each role that it scales, and exits";
