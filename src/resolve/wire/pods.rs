//! What the operator adds to a service or takes away.

use serde::Serialize;
use serde_json::{Map, Value};

use super::mask::{MASK, is_credential, masked};
use crate::resolve::{Deployment, Pod, Service};

/// What the operator makes of a service.
#[derive(Clone, Debug, Serialize)]
pub struct Operator {
    /// `PodCliqueSet`, `LeaderWorkerSet` or `Deployment`.
    pub workload: &'static str,
    /// Pods of all replicas; null when the replicas are not known.
    pub pods_total: Option<u32>,
    /// GPUs of all pods; null when not known.
    pub gpus_total: Option<u32>,
    /// The kinds of pod of one replica.
    pub pods: Vec<ResolvedPod>,
    /// What is added besides, but not spelt out.
    pub besides: Vec<&'static str>,
    /// What the operator refuses to render.
    pub problems: Vec<String>,
}

/// One kind of pod of a service.
#[derive(Clone, Debug, Serialize)]
pub struct ResolvedPod {
    /// `main`, `leader` or `worker`.
    pub role: &'static str,
    /// How many of it a replica has.
    pub count: u32,
    /// What the operator changed in it.
    pub changes: Vec<Change>,
    /// Its spec, before the API server's own defaults; credentials masked.
    pub spec: Value,
}

/// One change of the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `env-added`, `env-forced`, `env-removed`, `command-defaulted`, `command-replaced`, `args-defaulted`,
    /// `args-replaced`, `flags-added`, `flags-inserted`, `mount-added`, `mount-dropped`, `probe-added`, `probe-removed`,
    /// `probe-replaced`, `port-added`, `port-dropped`, `volume-added`, `volume-dropped`, `container-added`,
    /// `container-dropped`, `init-container-added`, `field-set`.
    pub kind: &'static str,
    /// Container, when it is one's.
    pub container: Option<String>,
    /// Variable, mount, probe, volume or field.
    pub name: String,
    /// As the manifest says it; null when it does not.
    pub before: Option<String>,
    /// As the operator leaves it; null when it is taken away.
    pub after: Option<String>,
}

pub(super) fn operator(deployment: &Deployment, service: &Service) -> Operator {
    let made = deployment.pods(service);
    let replicas = service.replicas.known().copied();
    let per_replica: u32 = made.pods.iter().map(|pod| pod.count).sum();
    let pods_total = if made.pods.is_empty() { None } else { replicas.and_then(|n| n.checked_mul(per_replica)) };
    let gpus_total = pods_total.zip(service.gpus.known().copied()).and_then(|(pods, gpus)| pods.checked_mul(gpus));
    let pods = made
        .pods
        .into_iter()
        .map(|pod| {
            let changes = changes(&pod);
            let mut spec = pod.spec;
            mask(&mut spec);
            ResolvedPod { role: pod.role.as_str(), count: pod.count, changes, spec }
        })
        .collect();
    Operator { workload: made.workload, pods_total, gpus_total, pods, besides: made.besides, problems: made.problems }
}

/// What differs between a pod as written and as rendered.
fn changes(pod: &Pod) -> Vec<Change> {
    let mut out = Changes::default();
    let (written, spec) = (items(&pod.written, "containers"), items(&pod.spec, "containers"));
    for container in spec {
        let name = text(container, "name");
        // Failover clones the main container.
        let source = if name.starts_with("engine-") { "main" } else { name };
        match written.iter().find(|w| text(w, "name") == source) {
            Some(before) => out.container(name, before, container),
            None => out.add("container-added", None, name, None, Some(name.to_owned())),
        }
    }
    let init = items(&pod.written, "initContainers");
    for container in items(&pod.spec, "initContainers") {
        let name = text(container, "name");
        if !init.iter().any(|w| text(w, "name") == name) {
            out.add("init-container-added", None, name, None, Some(joined(container)));
        }
    }
    let (before, after) = (items(&pod.written, "volumes"), items(&pod.spec, "volumes"));
    out.lists(
        None,
        ["volume-added", "volume-dropped"],
        before,
        after,
        |v| text(v, "name").to_owned(),
        |v| {
            let mut source = v.clone();
            if let Some(map) = source.as_object_mut() {
                map.shift_remove("name");
            }
            source.to_string()
        },
    );
    let lists = ["containers", "initContainers", "volumes"];
    for (key, value) in pod.spec.as_object().into_iter().flatten().filter(|(key, _)| !lists.contains(&key.as_str())) {
        let before = pod.written.get(key);
        if before != Some(value) {
            out.add("field-set", None, key, before.map(plain), Some(plain(value)));
        }
    }
    out.0
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn add(
        &mut self,
        kind: &'static str,
        container: Option<&str>,
        name: &str,
        before: Option<String>,
        after: Option<String>,
    ) {
        let container = container.map(str::to_owned);
        self.0.push(Change { kind, container, name: name.to_owned(), before, after });
    }

    fn container(&mut self, name: &str, before: &Value, after: &Value) {
        let at = Some(name);
        self.env(name, items(before, "env"), items(after, "env"));
        self.words(name, before, after);
        self.lists(
            at,
            ["mount-added", "mount-dropped"],
            items(before, "volumeMounts"),
            items(after, "volumeMounts"),
            |mount| format!("{} at {}", text(mount, "name"), text(mount, "mountPath")),
            |mount| text(mount, "mountPath").to_owned(),
        );
        let port = |p: &Value| format!("{} {}", text(p, "name"), p.get("containerPort").map(plain).unwrap_or_default());
        let ports = |v| items(v, "ports");
        self.lists(at, ["port-added", "port-dropped"], ports(before), ports(after), port, port);
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            let (old, new) = (before.get(probe).map(described), after.get(probe).map(described));
            let kind = match (&old, &new) {
                (None, Some(_)) => "probe-added",
                (Some(_), None) => "probe-removed",
                (Some(old), Some(new)) if old != new => "probe-replaced",
                _ => continue,
            };
            self.add(kind, at, probe, old, new);
        }
    }

    fn env(&mut self, container: &str, before: &[Value], after: &[Value]) {
        let at = Some(container);
        let last = |list: &[Value], name: &str| list.iter().rev().find(|e| text(e, "name") == name).map(value);
        let mut seen: Vec<&str> = Vec::new();
        for entry in after.iter().chain(before) {
            let name = text(entry, "name");
            if seen.contains(&name) {
                continue;
            }
            seen.push(name);
            let (old, new) = (last(before, name), last(after, name));
            let kind = match (&old, &new) {
                (None, Some(_)) => "env-added",
                (Some(_), None) => "env-removed",
                (Some(old), Some(new)) if old != new => "env-forced",
                _ => continue,
            };
            self.add(kind, at, name, old, new);
        }
    }

    fn words(&mut self, container: &str, before: &Value, after: &Value) {
        let at = Some(container);
        let list = |v: &Value, key: &str| -> Vec<String> {
            items(v, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (old, new) = (list(before, "command"), list(after, "command"));
        let (command_kept, command_left_out) = (old == new, old.is_empty());
        if !command_kept {
            let kind = if command_left_out { "command-defaulted" } else { "command-replaced" };
            self.add(kind, at, "command", (!old.is_empty()).then(|| line(&old)), Some(line(&new)));
        }
        let (old, new) = (list(before, "args"), list(after, "args"));
        if old == new {
            return;
        }
        if old.is_empty() && (command_kept || command_left_out) {
            self.add("args-defaulted", at, "args", None, Some(line(&new)));
        } else if command_kept && new.len() > old.len() && new.starts_with(&old) {
            self.add("flags-added", at, "args", None, Some(line(&new[old.len()..])));
        } else if let Some(inserted) = inserted(&old, &new).filter(|_| command_kept) {
            self.add("flags-inserted", at, "args", None, Some(masked(&inserted)));
        } else {
            self.add("args-replaced", at, "args", (!old.is_empty()).then(|| line(&old)), Some(line(&new)));
        }
    }

    fn lists(
        &mut self,
        container: Option<&str>,
        [added, dropped]: [&'static str; 2],
        before: &[Value],
        after: &[Value],
        name: impl Fn(&Value) -> String,
        shown: impl Fn(&Value) -> String,
    ) {
        for item in before.iter().filter(|item| !after.iter().any(|other| name(other) == name(item))) {
            self.add(dropped, container, &name(item), Some(shown(item)), None);
        }
        for item in after.iter().filter(|item| !before.iter().any(|other| name(other) == name(item))) {
            self.add(added, container, &name(item), None, Some(shown(item)));
        }
    }
}

/// What was written into the one argument that differs, when the rest of it is as before.
fn inserted(old: &[String], new: &[String]) -> Option<String> {
    if old.len() != new.len() {
        return None;
    }
    let mut changed = old.iter().zip(new).filter(|(old, new)| old != new);
    let ((old, new), None) = (changed.next()?, changed.next()) else { return None };
    let head = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let extra = new.len().checked_sub(old.len())?;
    // Where the same letters stand before and behind, several places would do: whole words are what was inserted.
    let fits = |&at: &usize| new.is_char_boundary(at) && new.get(at + extra..) == old.get(at..);
    let starts_a_word = |&at: &usize| new.get(at..).is_some_and(|rest| rest.starts_with(char::is_whitespace));
    let places = || (0..=head).rev().take_while(fits);
    let at = places().find(starts_a_word).or_else(|| places().next())?;
    Some(new.get(at..at + extra)?.trim().to_owned())
}

fn items<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    object.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn line(words: &[String]) -> String {
    masked(&words.join(" "))
}

fn joined(container: &Value) -> String {
    let words: Vec<String> = ["command", "args"]
        .iter()
        .flat_map(|key| items(container, key))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    line(&words)
}

/// The value of an env entry on one line, masked.
fn value(entry: &Value) -> String {
    if let Some(from) = entry.get("valueFrom") {
        let path = from.pointer("/fieldRef/fieldPath").and_then(Value::as_str);
        return path.map_or_else(|| from.to_string(), |path| format!("pod's {path}"));
    }
    let value = entry.get("value").map(plain).unwrap_or_default();
    if is_credential(text(entry, "name")) && !value.is_empty() { MASK.to_owned() } else { masked(&value) }
}

/// A probe on one line.
fn described(probe: &Value) -> String {
    let number = |key: &str| probe.get(key).and_then(Value::as_u64);
    let how = if let Some(http) = probe.get("httpGet") {
        format!("GET {} on {}", text(http, "path"), http.get("port").map(plain).unwrap_or_default())
    } else if let Some(socket) = probe.get("tcpSocket") {
        format!("TCP connection to {}", socket.get("port").map(plain).unwrap_or_default())
    } else if let Some(grpc) = probe.get("grpc") {
        format!("gRPC health check on {}", grpc.get("port").map(plain).unwrap_or_default())
    } else if let Some(exec) = probe.get("exec") {
        format!("`{}`", joined(exec))
    } else {
        probe.to_string()
    };
    // The API server's defaults: every 10 s, three failures.
    format!(
        "{how}, every {} s, {} failures",
        number("periodSeconds").unwrap_or(10),
        number("failureThreshold").unwrap_or(3)
    )
}

/// Masks credentials of a pod spec, wherever they stand.
fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => {
            let mut hide = false;
            for item in items {
                if let Value::String(text) = item {
                    let flag = text.starts_with("--") && !text.contains('=') && is_credential(text);
                    if std::mem::replace(&mut hide, flag) && !text.starts_with('-') {
                        *text = MASK.to_owned();
                        continue;
                    }
                }
                mask(item);
            }
        }
        Value::Object(map) => {
            hide_value(map);
            map.values_mut().for_each(mask);
        }
        Value::String(text) => *text = masked(text),
        _ => {}
    }
}

fn hide_value(map: &mut Map<String, Value>) {
    let secret = map.get("name").and_then(Value::as_str).is_some_and(is_credential);
    if let Some(Value::String(value)) = map.get_mut("value").filter(|_| secret)
        && !value.is_empty()
    {
        *value = MASK.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn insertions() {
        let list = |text: &str| vec!["-c".to_owned(), text.to_owned()];
        assert_eq!(inserted(&list("python -m x --a"), &list("python -m x --f 1 --a")).as_deref(), Some("--f 1"));
        assert_eq!(inserted(&list("x --tp 8"), &list("x --td 1 --tp 8")).as_deref(), Some("--td 1"));
        assert_eq!(inserted(&list("run"), &list("run --f")).as_deref(), Some("--f"));
        assert_eq!(inserted(&list("a b"), &list("c d e")), None);
        assert_eq!(inserted(&list("é --a"), &list("é --ä --a")).as_deref(), Some("--ä"));
    }

    #[test]
    fn credentials_of_a_pod() {
        let mut spec = json!({"containers": [{
            "env": [{"name": "HF_TOKEN", "value": "abc"}, {"name": "X", "value": "1"}],
            "args": ["--api-key", "secret", "--port", "1"],
        }]});
        mask(&mut spec);
        assert_eq!(spec["containers"][0]["env"][0]["value"], json!(MASK));
        assert_eq!(spec["containers"][0]["args"], json!(["--api-key", MASK, "--port", "1"]));
    }
}
