//! `dynlint resolve` for people: one block a service, each value with everyone who set it.

use std::fmt::Write as _;

use crate::resolve::wire::{
    Change, Conclusion, Link, Operator, Place, Resolve, ResolvedDeployment, ResolvedService, ResolvedVar,
};

/// What to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResolveOptions<'a> {
    /// Only this service.
    pub service: Option<&'a str>,
    /// Only this variable.
    pub variable: Option<&'a str>,
}

/// Renders resolved deployments as text.
#[must_use]
pub fn resolve(resolved: &Resolve, options: ResolveOptions<'_>) -> String {
    let mut out = String::new();
    for deployment in &resolved.deployments {
        block(&mut out, deployment, options);
    }
    out
}

fn block(out: &mut String, deployment: &ResolvedDeployment, options: ResolveOptions<'_>) {
    let mut services = deployment
        .services
        .iter()
        .filter(|s| options.service.is_none_or(|name| name == s.name))
        .filter(|s| options.variable.is_none_or(|name| variables(s).any(|v| v.name == name)))
        .peekable();
    if services.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "{} ({}, {})", deployment.name, deployment.path, deployment.api_version);
    for service in services {
        out.push('\n');
        let _ = writeln!(out, "{} at {}", service.name, place(&service.place));
        if options.variable.is_none() {
            facts(out, service);
            operator(out, &service.operator);
        }
        for var in variables(service).filter(|v| options.variable.is_none_or(|name| name == v.name)) {
            variable(out, var);
        }
        if let (Some(reason), None) = (&service.env_open, options.variable) {
            let _ = writeln!(out, "  … and whatever else comes {reason}");
        }
    }
    out.push('\n');
}

/// Variables in force and removed ones, by name.
fn variables(service: &ResolvedService) -> impl Iterator<Item = &ResolvedVar> {
    let mut all: Vec<&ResolvedVar> = service.env.iter().chain(&service.unset).collect();
    crate::source::order(&mut all, |a, b| a.name.cmp(&b.name));
    all.into_iter()
}

fn facts(out: &mut String, service: &ResolvedService) {
    let mut fact = |name: &str, value: String| {
        let _ = writeln!(out, "  {name:<12} {value}");
    };
    let unknown = || "?".to_owned();
    let count = |n: Option<u32>| n.map_or_else(unknown, |n| n.to_string());
    let sure = if service.role_known { "" } else { " ?" };
    fact("role", format!("{}{sure}{}", service.role, at(service.evidence.role.as_ref())));
    if let Some(framework) = service.framework {
        fact("framework", framework.to_owned());
    }
    fact("image", service.image.clone().unwrap_or_else(unknown));
    fact(
        "version",
        format!("{}{}", service.version.clone().unwrap_or_else(unknown), at(service.evidence.version.as_ref())),
    );
    let nodes = if service.nodes > 1 { format!(" x {} nodes", service.nodes) } else { String::new() };
    fact("replicas", format!("{}{nodes}, {} GPUs a pod", count(service.replicas), count(service.gpus)));
    for (name, conclusion) in
        [("kv transfer", &service.evidence.kv_transfer), ("kv events", &service.evidence.kv_events)]
    {
        if let Some(text) = concluded(conclusion) {
            fact(name, text);
        }
    }
    for item in &service.evidence.fabric {
        let name = item.name.as_deref().map(|n| format!(" {n}")).unwrap_or_default();
        let count = item.count.map(|n| format!(" x {n}")).unwrap_or_default();
        fact("fabric", format!("{}{name}{count}{}", item.kind, at(Some(&item.place))));
    }
    for config in &service.evidence.configs {
        let unread = if config.readable { "" } else { " (not among these manifests)" };
        fact("config", format!("{} {}{unread}", config.flag, config.path).trim_end().to_owned());
    }
    let argv = if service.argv.is_empty() {
        [service.command.as_slice(), &service.args].concat()
    } else {
        service.argv.clone()
    };
    if !argv.is_empty() {
        fact("command", argv.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(" "));
    }
}

/// What the operator adds or takes away. Its default variables stand among the others, with their layer.
fn operator(out: &mut String, operator: &Operator) {
    let pods: Vec<String> = operator.pods.iter().map(|pod| format!("{} {}", pod.count, pod.role)).collect();
    let count = |n: Option<u32>, one: &str| {
        n.map_or_else(String::new, |n| format!(", {n} {one}{}", if n == 1 { "" } else { "s" }))
    };
    let totals = format!("{}{}", count(operator.pods_total, "pod"), count(operator.gpus_total, "GPU"));
    if pods.is_empty() {
        let _ = writeln!(out, "  {:<12} {}", "operator", operator.workload);
    } else {
        let _ = writeln!(out, "  {:<12} {}: {} a replica{totals}", "operator", operator.workload, pods.join(", "));
    }
    for problem in &operator.problems {
        let _ = writeln!(out, "    refuses  {problem}");
    }
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for pod in &operator.pods {
        for change in pod.changes.iter().filter(|change| change.kind != "env-added") {
            let line = sentence(change);
            match said.iter_mut().find(|(have, _)| *have == line) {
                Some((_, roles)) => roles.push(pod.role),
                None => said.push((line, vec![pod.role])),
            }
        }
    }
    for (line, roles) in said {
        let of = if roles.len() == operator.pods.len() { String::new() } else { format!("{}: ", roles.join(", ")) };
        let _ = writeln!(out, "    {of}{line}");
    }
    for besides in &operator.besides {
        let _ = writeln!(out, "    adds     {besides}");
    }
}

fn sentence(change: &Change) -> String {
    let (verb, what) = match change.kind.split_once('-') {
        Some(("env", "forced")) => ("forces", "env"),
        Some(("env", "removed")) => ("removes", "env"),
        Some((what, "removed" | "dropped")) => ("drops", what),
        Some((what, "replaced" | "forced")) => ("replaces", what),
        Some((_, "defaulted")) => ("defaults", ""),
        Some((_, "inserted")) => ("inserts", "flags"),
        Some(("init", _)) => ("adds", "init container"),
        Some(("field", _)) => ("sets", ""),
        Some((what, _)) => ("adds", what),
        None => ("changes", change.kind),
    };
    let main = change.container.as_deref().is_none_or(|name| name == "main");
    let container =
        if main { String::new() } else { format!(" of {}", change.container.as_deref().unwrap_or_default()) };
    let name = match change.kind {
        "flags-added" | "flags-inserted" => String::new(),
        "probe-added" | "probe-removed" | "probe-replaced" => change.name.trim_end_matches("Probe").to_owned(),
        _ => change.name.clone(),
    };
    let value = match (change.kind, &change.before, &change.after) {
        ("mount-added" | "mount-dropped" | "port-added" | "port-dropped", ..) => String::new(),
        (_, _, Some(after)) => one_line(after),
        (_, Some(before), None) => one_line(before),
        (_, None, None) => String::new(),
    };
    let before = match (change.kind, &change.before) {
        ("env-forced", Some(before)) => format!(" (the manifest says {})", one_line(before)),
        _ => String::new(),
    };
    let words = [what, &name, &value].into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ");
    format!("{verb:<8} {words}{container}{before}")
}

fn concluded(conclusion: &Conclusion) -> Option<String> {
    let text = match (&conclusion.value, &conclusion.reason) {
        (Some(value), _) => value.clone(),
        (None, Some(reason)) => format!("? {reason}"),
        (None, None) => return None,
    };
    Some(format!("{text}{}", at(conclusion.place.as_ref())))
}

fn variable(out: &mut String, var: &ResolvedVar) {
    let value = match (&var.value, &var.reason) {
        (Some(value), _) => format!("= {}", one_line(value)),
        (None, Some(reason)) => format!("? {reason}"),
        (None, None) => "unset".to_owned(),
    };
    let _ = writeln!(out, "  {} {value}", var.name);
    for (index, link) in var.chain.iter().enumerate() {
        chain(out, link, index > 0);
    }
}

fn chain(out: &mut String, link: &Link, overridden: bool) {
    let place = match (&link.path, link.line, link.column) {
        (Some(path), Some(line), Some(column)) => format!("{path}:{line}:{column} "),
        _ => String::new(),
    };
    let value = match (&link.value, link.state) {
        (Some(value), _) => one_line(value),
        (None, "unset") => "unset".to_owned(),
        (None, _) => "?".to_owned(),
    };
    let _ = writeln!(out, "    {place}{} {value}{}", link.layer, if overridden { " (overridden)" } else { "" });
}

fn at(place: Option<&Place>) -> String {
    place.map(|p| format!("  ({})", self::place(p))).unwrap_or_default()
}

fn place(place: &Place) -> String {
    format!("{}:{}:{}", place.path, place.line, place.column)
}

/// A value on one line: an empty one and one with line ends or blanks at its ends in quotes.
pub(super) fn one_line(value: &str) -> String {
    let plain = !value.is_empty() && value.trim() == value && !value.contains(['\n', '\r', '\t']);
    if plain { value.to_owned() } else { format!("{value:?}") }
}

/// A word as a shell would need it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+$(){}".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", one_line_raw(word)) }
}

fn one_line_raw(word: &str) -> String {
    word.replace('\'', "'\\''").replace('\n', "\\n")
}
