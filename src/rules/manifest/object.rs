//! What the API server and the kubelet refuse in any object: its metadata, and the parts of a pod that the operator's own
//! schemas leave open.

use crate::finding::Severity;
use crate::manifest::{ApiVersion, Container, EnvEntry, EnvSource, Image, Object, quantity};
use crate::resolve::Recipe;
use crate::rules::Findings;
use crate::source::Span;
use crate::yaml::{Node, Typed};

/// One refusal: where, about which field, what is wrong, who refuses it, what to write.
struct Refusal<'a> {
    at: Span,
    field: &'a str,
    message: String,
    by: &'static str,
    help: String,
}

const SERVER: &str = "the API server refuses the object";
const POD: &str = "the API server refuses the pod";

/// Kinds beside the operator's own whose names are DNS names and whose metadata a recipe writes.
const KINDS: [&str; 14] = [
    "ComputeDomain",
    "ConfigMap",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "HTTPRoute",
    "InferencePool",
    "Job",
    "PersistentVolumeClaim",
    "Pod",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
];

/// `object-refused`
pub fn object_refused(recipe: &Recipe, out: &mut Findings) {
    let mut all: Vec<Refusal<'_>> = Vec::new();
    for object in &recipe.here {
        let ours = object.graph().is_some();
        if ours || KINDS.contains(&object.kind.as_str()) {
            metadata(recipe, object, ours, &mut all);
        }
        if let Some(graph) = object.graph() {
            graph.env.iter().for_each(|entry| variable(entry, &mut all));
            for component in &graph.components {
                let name = &component.name;
                if graph.shape == ApiVersion::V1Alpha1
                    && open(&name.value).is_none()
                    && dns(&name.value, true).is_some()
                {
                    let message = format!("no Kubernetes object can have `{}` in its name", name.value);
                    let by = "the operator names its objects after the service, in lower case";
                    let help = format!("write {}", suggestion(&name.value));
                    all.push(Refusal { at: name.span, field: "services", message, by, help });
                }
                if let Some(spec) = &component.pod_spec {
                    pod(spec, &mut all);
                }
                component.containers().for_each(|c| container(c, &mut all));
            }
        } else if let Some(workload) = object.workload() {
            pod(&workload.spec, &mut all);
            workload.containers.iter().chain(&workload.init_containers).for_each(|c| container(c, &mut all));
            strings(object.node.at(&["spec", "template", "metadata"]), &mut all);
            if object.kind == "Job" {
                one_of(workload.spec.get("restartPolicy"), "restartPolicy", &["OnFailure", "Never"], SERVER, &mut all);
            }
        }
        if object.kind == "PersistentVolumeClaim" {
            let modes = object.node.at(&["spec", "accessModes"]).into_iter().flat_map(Node::items);
            let takes = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
            modes.for_each(|mode| one_of(Some(mode), "accessModes", &takes, SERVER, &mut all));
        }
    }
    for Refusal { at, field, message, by, help } in all {
        out.report(at, message, by).subject(field).severity(Severity::Error).help(help).emit();
    }
}

/// Text that another tool fills in first; also a word in capitals only, which is how people mark what is to be replaced.
fn open(text: &str) -> Option<&str> {
    let marked = text.contains(['$', '<', '{', '[', '%']) || !text.contains(|c: char| c.is_ascii_lowercase());
    (marked && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.')).then_some(text)
}

/// The first character that a DNS label (with dots, a subdomain: RFC 1123) cannot have there.
fn dns(name: &str, any_case: bool) -> Option<char> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || (any_case && c.is_ascii_uppercase());
    let bad = name.chars().find(|c| !edge(*c) && !matches!(c, '-' | '.'));
    bad.or_else(|| name.chars().next().filter(|c| !edge(*c))).or_else(|| name.chars().last().filter(|c| !edge(*c)))
}

/// Whether a volume can have the name, or something is to be put in first.
pub(super) fn names_volume(name: &str) -> bool {
    open(name).is_some() || (dns(name, false).is_none() && !name.contains('.') && name.len() <= 63)
}

/// The name as Kubernetes would take it.
fn suggestion(name: &str) -> String {
    let plain: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| if dns(&c.to_string(), false).is_some() && c != '.' { '-' } else { c })
        .collect();
    format!("`{}`", plain.trim_matches(['-', '.']))
}

fn metadata<'a>(recipe: &Recipe, object: &'a Object, ours: bool, all: &mut Vec<Refusal<'a>>) {
    let node = object.node.get("metadata");
    let get = |key: &str| node.and_then(|m| m.get(key)).filter(|n| !n.is_null());
    for (field, dots) in [("name", true), ("namespace", false)] {
        let Some(value) = get(field) else { continue };
        let Some(text) = value.as_text() else { continue };
        let bad = dns(text, false).or_else(|| text.chars().find(|c| *c == '.' && !dots));
        if let (Some(bad), None) = (bad, open(text)) {
            let message = format!(
                "`metadata.{field}` cannot have `{bad}`{}",
                if bad.is_ascii_uppercase() { " in capitals" } else { " there" }
            );
            all.push(Refusal {
                at: value.span,
                field,
                message,
                by: SERVER,
                help: format!("write {}", suggestion(text)),
            });
        }
    }
    // Kustomize and other tools can add what is missing; a graph or Job by itself has a name.
    let needs = ours || matches!(object.kind.as_str(), "Job" | "PersistentVolumeClaim");
    let named = get("name").is_some() || get("generateName").is_some();
    if needs && !named && !object.api_version.is_empty() && !recipe.around.any("Kustomization") {
        let message = format!("this {} has no name", object.kind);
        all.push(Refusal {
            at: object.name_span,
            field: "name",
            message,
            by: SERVER,
            help: "add `metadata: {name: …}`".to_owned(),
        });
    }
    strings(node, all);
}

/// Values of labels and annotations are strings; those of labels are short words.
fn strings<'a>(metadata: Option<&'a Node>, all: &mut Vec<Refusal<'a>>) {
    for field in ["annotations", "labels"] {
        for entry in metadata.and_then(|m| m.get(field)).into_iter().flat_map(Node::entries) {
            let Some(scalar) = entry.value.as_scalar() else { continue };
            let message = match scalar.typed {
                Typed::Bool(_) | Typed::Int(_) | Typed::Float(_) => "is no string",
                Typed::Str if field == "labels" && open(&scalar.value).is_none() && !label(&scalar.value) => {
                    "is no value of a label"
                }
                _ => continue,
            };
            let help = match scalar.typed {
                Typed::Str => "write at most 63 letters, digits, `-`, `_` and `.`, or make it an annotation".to_owned(),
                _ => format!("write `\"{}\"`", scalar.value),
            };
            let message = format!("`{}` of `{}` {message}", scalar.value, entry.key.name);
            all.push(Refusal { at: entry.value.span, field, message, by: SERVER, help });
        }
    }
}

/// Whether a label can have the value.
fn label(value: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && edge(value.chars().next())
        && edge(value.chars().last())
}

/// A word out of a closed list.
fn one_of<'a>(node: Option<&Node>, field: &'a str, takes: &[&str], by: &'static str, all: &mut Vec<Refusal<'a>>) {
    let Some((node, text)) = node.and_then(|n| Some((n, n.as_text()?))) else { return };
    if text.is_empty() || takes.contains(&text) || open(text).is_some() {
        return;
    }
    let near = takes.iter().find(|t| t.eq_ignore_ascii_case(text) || strsim::osa_distance(t, text) <= 2);
    let list = takes.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
    let help = near.map_or_else(|| format!("write one of {list}"), |near| format!("did you mean `{near}`?"));
    all.push(Refusal { at: node.span, field, message: format!("`{field}` does not take `{text}`"), by, help });
}

fn pod<'a>(spec: &'a Node, all: &mut Vec<Refusal<'a>>) {
    for toleration in spec.get("tolerations").into_iter().flat_map(Node::items) {
        let operator = toleration.get("operator");
        one_of(operator, "operator", &["Exists", "Equal", "Lt", "Gt"], POD, all);
        one_of(toleration.get("effect"), "effect", &["NoSchedule", "PreferNoSchedule", "NoExecute"], POD, all);
        let value = toleration.get("value").filter(|v| v.as_text().is_some_and(|t| !t.is_empty()));
        if let Some(value) = value.filter(|_| operator.and_then(Node::as_text) == Some("Exists")) {
            let message = "a toleration with `operator: Exists` takes no value".to_owned();
            let help = "remove `value`, or write `operator: Equal`".to_owned();
            all.push(Refusal { at: value.span, field: "value", message, by: POD, help });
        }
    }
}

/// What the downward API offers to variables.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The kernel's capabilities (`capabilities(7)`), as Kubernetes names them.
const CAPABILITIES: &str = "ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN \
    DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE \
    MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN \
    SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG \
    WAKE_ALARM";

fn variable<'a>(entry: &EnvEntry, all: &mut Vec<Refusal<'a>>) {
    let value = entry.node.get("value").filter(|v| v.as_text().is_some_and(|t| !t.is_empty()));
    let from = entry.node.get("valueFrom").filter(|n| n.as_map().is_some());
    if let (Some(value), Some(_)) = (value, from) {
        let message = format!("`{}` has a `value` and a `valueFrom`", entry.name.value);
        all.push(Refusal { at: value.span, field: "valueFrom", message, by: POD, help: "keep one of them".to_owned() });
    }
    let field = from.and_then(|f| f.at(&["fieldRef", "fieldPath"]));
    if let (EnvSource::Field { path, .. }, Some(node)) = (&entry.source, field)
        && !path.starts_with("metadata.labels[")
        && !path.starts_with("metadata.annotations[")
    {
        one_of(Some(node), "fieldPath", &FIELDS, POD, all);
    }
}

fn container<'a>(container: &'a Container, all: &mut Vec<Refusal<'a>>) {
    let get = |key: &str| container.node.as_ref().and_then(|n| n.get(key));
    one_of(get("imagePullPolicy"), "imagePullPolicy", &["Always", "IfNotPresent", "Never"], POD, all);
    container.env.iter().for_each(|(_, entry)| variable(entry, all));
    for (name, _, amount) in container.limits.iter().chain(&container.requests) {
        // Devices are counted; those of Kubernetes itself (`hugepages-…`, `cpu`) have no `/`.
        let part = amount.as_text().and_then(quantity::parse).is_some_and(|n| n.fract() != 0.0);
        if part && name.contains('/') && !name.contains("kubernetes.io/") {
            let message = format!("`{name}` is counted in whole devices");
            all.push(Refusal {
                at: amount.span,
                field: "resources",
                message,
                by: POD,
                help: "write a whole number".to_owned(),
            });
        }
    }
    let security = container.security.as_ref().and_then(|s| s.get("capabilities"));
    for item in ["add", "drop"].iter().filter_map(|k| security?.get(k)).flat_map(Node::items) {
        let Some(text) = item.as_text().filter(|t| open(&t.to_ascii_lowercase()).is_none()) else { continue };
        let bare = text.to_ascii_uppercase();
        let bare = bare.strip_prefix("CAP_").unwrap_or(&bare);
        if !CAPABILITIES.split(' ').any(|known| known == bare) {
            let near = CAPABILITIES.split(' ').find(|known| strsim::osa_distance(known, bare) <= 2);
            let help = near.map_or_else(|| "see capabilities(7)".to_owned(), |near| format!("did you mean `{near}`?"));
            let message = format!("the kernel has no capability `{text}`");
            all.push(Refusal {
                at: item.span,
                field: "capabilities",
                message,
                by: "the container cannot be created",
                help,
            });
        }
    }
    let image = container.image.as_ref().and_then(|n| Some((n, n.as_text()?)));
    if let Some((node, text)) = image.filter(|(_, t)| !t.contains(['$', '<', '{', '[']))
        && let Some(what) = misformed(text)
    {
        let (message, help) =
            (format!("`{text}` is no image reference: {what}"), "write `registry/name:tag`".to_owned());
        all.push(Refusal {
            at: node.span,
            field: "image",
            message,
            by: "the kubelet answers `InvalidImageName`",
            help,
        });
    }
}

/// What is wrong with an image reference (`distribution/reference`).
fn misformed(image: &str) -> Option<&'static str> {
    if image.contains(char::is_whitespace) {
        return Some("it holds a blank");
    }
    let Image { repository: path, tag, .. } = Image::cut(image);
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if tag.is_some_and(|t| t.contains(':')) {
        return Some("it has two tags");
    }
    if tag.is_some_and(|t| t.is_empty() || t.len() > 128 || !t.chars().all(word) || t.starts_with(['.', '-'])) {
        return Some("its tag is none");
    }
    let mut parts = path.split('/').peekable();
    let first = path.split('/').next().unwrap_or_default();
    if path.contains('/') && (first.contains(['.', ':']) || first == "localhost") {
        parts.next();
    }
    for part in parts {
        // A word in capitals stands for what is to be filled in.
        if !part.is_empty() && !part.contains(|c: char| c.is_ascii_lowercase()) {
            continue;
        }
        if part.contains(|c: char| c.is_ascii_uppercase()) {
            return Some("its name has capitals");
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !part.chars().all(word) || !edge(part.chars().next()) || !edge(part.chars().last()) {
            return Some("a part of its name is empty or has other characters");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_references() {
        for good in [
            "nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0",
            "vllm/vllm-openai",
            "localhost:5000/a/b:c",
            "a__b/c--d:X_1",
            "r.io/a@sha256:00ff",
            "MY_REGISTRY/vllm-runtime:TAG",
        ] {
            assert_eq!(misformed(good), None, "{good}");
        }
        for bad in ["a/b:1:1", "a/vLLM:1", "a/b: 1", "a//b", "a/b:", "r.io/a_/b", "\"a/b\""] {
            assert!(misformed(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn names() {
        assert_eq!(dns("qwen3-0.6b", false), None);
        assert_eq!(dns("Qwen", false), Some('Q'));
        assert_eq!(dns("a_b", false), Some('_'));
        assert_eq!(dns("VllmWorker", true), None);
        assert_eq!(dns("a-", false), Some('-'));
        assert_eq!(suggestion("My_Graph"), "`my-graph`");
        assert!(open("RELEASE_NAME").is_some() && open("${X}").is_some() && open("a_b").is_none());
        assert!(label("v1.2_x") && label("") && !label("a/b") && !label("-a"));
    }
}
