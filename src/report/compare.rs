//! Two resolved manifests side by side: what each service really gets, without where it is written.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::resolve::{one_line, quoted};
use crate::resolve::wire::{Conclusion, Resolve, ResolvedDeployment, ResolvedPod, ResolvedService, ResolvedVar};

/// Lines of context round a change.
const CONTEXT: usize = 1;

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Deployment, as the first manifest calls it when both have it.
    pub deployment: String,
    /// Service; null for the deployment's own.
    pub service: Option<String>,
    /// What: `role`, `env UCX_TLS`, `argv --tensor-parallel-size`, `pod leader.containers[main].args[0]`.
    pub key: String,
    /// In the first; null when it is not there.
    pub before: Option<String>,
    /// In the second; null when it is not there.
    pub after: Option<String>,
}

/// One service, as lines that can be compared.
struct Section {
    deployment: String,
    service: Option<String>,
    lines: Vec<(String, String)>,
}

/// Everything that differs, in the order of the first manifest.
#[must_use]
pub fn differences(left: &Resolve, right: &Resolve) -> Vec<Difference> {
    let mut out = Vec::new();
    for (a, b) in paired(left, right) {
        let of = a.as_ref().or(b.as_ref());
        let Some((deployment, service)) = of.map(|s| (s.deployment.clone(), s.service.clone())) else { continue };
        let lines = |s: Option<&Section>| s.map(|s| s.lines.clone()).unwrap_or_default();
        let (before, after) = (lines(a.as_ref()), lines(b.as_ref()));
        let mut keys: Vec<&String> = before.iter().chain(&after).map(|(key, _)| key).collect();
        let mut seen = BTreeSet::new();
        keys.retain(|key| seen.insert(key.as_str()));
        for key in keys {
            // A repeated flag is one list of values.
            let values = |lines: &[(String, String)]| -> Option<String> {
                let all: Vec<&str> = lines.iter().filter(|(k, _)| k == key).map(|(_, v)| v.as_str()).collect();
                (!all.is_empty()).then(|| all.join(" "))
            };
            let (before, after) = (values(&before), values(&after));
            if before != after {
                out.push(Difference {
                    deployment: deployment.clone(),
                    service: service.clone(),
                    key: key.clone(),
                    before,
                    after,
                });
            }
        }
    }
    out
}

/// The differences as a unified diff, one part a service. Empty when there are none.
#[must_use]
pub fn unified(left: &Resolve, right: &Resolve, names: [&str; 2], color: bool) -> String {
    let mut out = String::new();
    for (a, b) in paired(left, right) {
        let text = |s: Option<&Section>| -> Vec<String> {
            s.into_iter().flat_map(|s| &s.lines).map(|(key, value)| format!("{key} = {value}")).collect()
        };
        let (before, after) = (text(a.as_ref()), text(b.as_ref()));
        if before == after {
            continue;
        }
        let Some(of) = a.as_ref().or(b.as_ref()) else { continue };
        if out.is_empty() {
            let _ = writeln!(out, "--- {}\n+++ {}", names[0], names[1]);
        }
        let heading = match &of.service {
            Some(service) => format!("@@ {} {service} @@", of.deployment),
            None => format!("@@ {} @@", of.deployment),
        };
        let _ = writeln!(out, "{}", paint(&heading, "36", color));
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        let diff = TextDiff::from_slices(&before, &after);
        for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
            if at > 0 {
                let _ = writeln!(out, "  …");
            }
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let line = change.value();
                let _ = match change.tag() {
                    ChangeTag::Equal => writeln!(out, "  {line}"),
                    ChangeTag::Delete => writeln!(out, "{}", paint(&format!("- {line}"), "31", color)),
                    ChangeTag::Insert => writeln!(out, "{}", paint(&format!("+ {line}"), "32", color)),
                };
            }
        }
    }
    out
}

fn paint(text: &str, code: &str, color: bool) -> String {
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Sections of both that belong together: deployments by name, those left over by order; services by name.
fn paired(left: &Resolve, right: &Resolve) -> Vec<(Option<Section>, Option<Section>)> {
    let mut rest: Vec<&ResolvedDeployment> = right.deployments.iter().collect();
    let mut partners: Vec<Option<&ResolvedDeployment>> =
        left.deployments.iter().map(|d| rest.iter().position(|r| r.name == d.name).map(|at| rest.remove(at))).collect();
    for partner in partners.iter_mut().filter(|p| p.is_none()) {
        if !rest.is_empty() {
            *partner = Some(rest.remove(0));
        }
    }
    let mut out = Vec::new();
    for (deployment, partner) in left.deployments.iter().zip(partners) {
        let others = partner.map_or(&[][..], |p| &p.services);
        out.push((Some(heading(deployment)), partner.map(heading)));
        for service in &deployment.services {
            let other = others.iter().find(|o| o.name == service.name);
            out.push((Some(section(deployment, service)), other.map(|o| section(deployment, o))));
        }
        let alone = others.iter().filter(|o| !deployment.services.iter().any(|s| s.name == o.name));
        out.extend(alone.map(|o| (None, Some(section(deployment, o)))));
    }
    for deployment in rest {
        out.push((None, Some(heading(deployment))));
        out.extend(deployment.services.iter().map(|s| (None, Some(section(deployment, s)))));
    }
    out
}

fn heading(deployment: &ResolvedDeployment) -> Section {
    let lines = vec![
        ("name".to_owned(), deployment.name.clone()),
        ("api version".to_owned(), deployment.api_version.to_owned()),
    ];
    Section { deployment: deployment.name.clone(), service: None, lines }
}

fn section(deployment: &ResolvedDeployment, service: &ResolvedService) -> Section {
    let mut lines = Vec::new();
    let mut add = |key: &str, value: String| lines.push((key.to_owned(), value));
    let known = |value: Option<String>| value.unwrap_or_else(|| "?".to_owned());
    let number = |value: Option<u32>| known(value.map(|n| n.to_string()));
    add("role", service.role.to_owned());
    if let Some(framework) = service.framework {
        add("framework", framework.to_owned());
    }
    add("image", known(service.image.clone()));
    add("version", known(service.version.clone()));
    add("replicas", number(service.replicas));
    add("nodes", service.nodes.to_string());
    add("gpus", number(service.gpus));
    for (key, conclusion) in
        [("kv transfer", &service.evidence.kv_transfer), ("kv events", &service.evidence.kv_events)]
    {
        if let Some(value) = concluded(conclusion) {
            add(key, value);
        }
    }
    for item in &service.evidence.fabric {
        let name = item.name.as_deref().unwrap_or_default();
        add(&format!("fabric {}", item.kind), format!("{name} {}", number(item.count)).trim().to_owned());
    }
    for (kind, list) in [("limits", &service.resources.limits), ("requests", &service.resources.requests)] {
        let mut list: Vec<_> = list.iter().collect();
        crate::source::order(&mut list, |a, b| a.0.cmp(b.0));
        for (name, quantity) in list {
            add(&format!("{kind} {name}"), quantity.as_str().unwrap_or_default().to_owned());
        }
    }
    for var in &service.env {
        add(&format!("env {}", var.name), value(var));
    }
    for var in &service.unset {
        add(&format!("env {}", var.name), "unset".to_owned());
    }
    if let Some(open) = &service.env_open {
        add("env …", open.clone());
    }
    let words: Vec<&String> = if service.argv.is_empty() {
        service.command.iter().chain(&service.args).collect()
    } else {
        service.argv.iter().collect()
    };
    // Flags of different names may change places; those of one name keep theirs, the last may win.
    let mut argv = flags(&words);
    crate::source::order(&mut argv, |a, b| {
        a.0.starts_with("argv").cmp(&b.0.starts_with("argv")).then_with(|| a.0.cmp(&b.0))
    });
    for (key, value) in argv {
        add(&key, value);
    }
    add("workload", service.operator.workload.to_owned());
    for pod in &service.operator.pods {
        pod_lines(pod, &mut add);
    }
    for problem in &service.operator.problems {
        add("operator refuses", problem.clone());
    }
    Section { deployment: deployment.name.clone(), service: Some(service.name.clone()), lines }
}

fn concluded(conclusion: &Conclusion) -> Option<String> {
    conclusion.value.clone().or_else(|| conclusion.reason.as_ref().map(|reason| format!("? {reason}")))
}

fn value(var: &ResolvedVar) -> String {
    match (&var.value, &var.reason) {
        (Some(value), _) => one_line(value),
        (None, Some(reason)) => format!("? {reason}"),
        (None, None) => "?".to_owned(),
    }
}

/// Words of a command line: the program up to the first flag, then each flag with what follows it.
fn flags(words: &[&String]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let is_flag =
        |word: &str| word.len() > 1 && word.starts_with('-') && !word.starts_with(|c: char| c.is_ascii_digit());
    for word in words {
        // `-m MODULE` is what runs, not an option of it.
        let option = word.starts_with("--") || (is_flag(word) && out.iter().any(|(key, _)| key != "command"));
        match word.split_once('=').filter(|_| option) {
            Some((name, value)) => out.push((format!("argv {name}"), quoted(value))),
            None if option => out.push((format!("argv {word}"), String::new())),
            None => match out.last_mut() {
                Some((_, value)) => {
                    if !value.is_empty() {
                        value.push(' ');
                    }
                    value.push_str(&quoted(word));
                }
                None => out.push(("command".to_owned(), quoted(word))),
            },
        }
    }
    out
}

/// A pod's spec as `path = value`, list items by their name. What stands among the service's own facts is left out: its
/// environment, image and resources, and its command unless the operator made one per node.
fn pod_lines(pod: &ResolvedPod, add: &mut impl FnMut(&str, String)) {
    add(&format!("pod {}", pod.role), format!("{} a replica", pod.count));
    let main = pod.role == "main";
    let mut lines = Vec::new();
    flatten(&pod.spec, String::new(), &mut lines);
    // A mapping has no order, and of the lists only `args` has one that counts: its items are numbered.
    crate::source::order(&mut lines, Ord::cmp);
    for (path, value) in lines {
        let own = path.strip_prefix("containers[main].");
        let said = own.is_some_and(|path| {
            let field = path.split(['.', '[']).next().unwrap_or_default();
            matches!(field, "env" | "image" | "resources" | "name") || (main && matches!(field, "command" | "args"))
        });
        if !said {
            add(&format!("pod {}.{path}", pod.role), one_line(&value));
        }
    }
}

fn flatten(value: &Value, path: String, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(value, path, out);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let name = ["mountPath", "name"].iter().find_map(|key| item.get(key)?.as_str());
                let name = name.map_or_else(|| at.to_string(), str::to_owned);
                flatten(item, format!("{path}[{name}]"), out);
            }
        }
        Value::String(text) => out.push((path, text.clone())),
        Value::Null => {}
        other => out.push((path, other.to_string())),
    }
}
