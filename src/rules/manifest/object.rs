//! What the API server and the kubelet refuse in any object: its metadata, and the parts of a pod that the operator's own
//! schemas leave open.

use super::ports::PROBES;
use super::refusal::{Refusal, refuse, say};
use crate::command::is_shell;
use crate::manifest::{ApiVersion, Container, EnvEntry, EnvSource, Image, Object, quantity};
use crate::resolve::Recipe;
use crate::rules::{Findings, workload};
use crate::source::Span;
use crate::yaml::{Node, Typed};

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
    // What is missing may come from a kustomization.
    let patched = recipe.around.any("Kustomization");
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
                    refuse(&mut all, name.span, "services", message, by, help);
                }
                if let Some(spec) = &component.pod_spec {
                    pod(spec, &mut all);
                    component.containers().for_each(|c| executable(c, spec, &mut all));
                }
                if let Some(shared) = &component.shared_memory {
                    bytes(&shared.value, shared.span, "sharedMemorySize", "/dev/shm holds nothing", &mut all);
                }
                // In v1alpha1 the component has probes of its own; those of an engine over nodes the operator drops.
                let dropped = component.node_count.is_some();
                probes(&component.node, true, dropped, &mut all);
                for c in component.containers() {
                    container(c, &mut all);
                    // Some operators complete them with their own.
                    c.node.iter().for_each(|node| probes(node, true, dropped, &mut all));
                }
            }
        } else if let Some(workload) = object.workload() {
            pod(&workload.spec, &mut all);
            for c in workload.containers.iter().chain(&workload.init_containers) {
                container(c, &mut all);
                program(c, &mut all);
                executable(c, &workload.spec, &mut all);
                c.node.iter().for_each(|node| probes(node, patched, false, &mut all));
            }
            strings(object.node.at(&["spec", "template", "metadata"]), &mut all);
            if object.kind == "Job" {
                let policy = workload.spec.get("restartPolicy").filter(|n| !n.is_null());
                one_of(policy, "restartPolicy", &["OnFailure", "Never"], SERVER, &mut all);
                if let (None, false, Some(at)) = (policy, patched, workload.spec.entries().next()) {
                    let message = format!("the Job `{}` has no `restartPolicy`", object.name);
                    let help = "add `restartPolicy: Never` (or `OnFailure`): the default `Always` is not for Jobs";
                    refuse(&mut all, at.key.span, "restartPolicy", message, SERVER, help);
                }
            }
        }
        if !patched
            && matches!(
                (object.group(), object.kind.as_str()),
                ("apps", "DaemonSet" | "Deployment" | "StatefulSet") | ("batch", "Job")
            )
            && object.node.get("spec").is_none_or(Node::is_null)
        {
            let message = format!("the {} `{}` has an empty `spec`", object.kind, object.name);
            refuse(&mut all, object.name_span, "template", message, SERVER, "indent what stands behind `spec`");
        }
        super::traffic::traffic(object, patched, &mut all);
        if object.kind == "PersistentVolumeClaim" {
            let modes = object.node.at(&["spec", "accessModes"]).into_iter().flat_map(Node::items);
            let takes = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
            modes.for_each(|mode| one_of(Some(mode), "accessModes", &takes, SERVER, &mut all));
            let wanted = object.node.at(&["spec", "resources", "requests", "storage"]);
            wanted.into_iter().for_each(|node| amount(node, "storage", "nothing fits into the volume", &mut all));
            let spec = object.node.get("spec").filter(|spec| spec.as_map().is_some() && !patched);
            if let Some(at) = spec.filter(|s| s.at(&["resources", "requests", "storage"]).is_none()) {
                let at = at.entries().next().map_or(at.span, |entry| entry.key.span);
                let message = format!("the claim `{}` does not say how much it wants", object.name);
                let help = "add `resources: {requests: {storage: 100Gi}}`";
                refuse(&mut all, at, "storage", message, SERVER, help);
            }
        }
    }
    say(all, out);
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

/// The nearest name that an object can have, for one that it cannot.
pub(super) fn possible(name: &str) -> Option<String> {
    (open(name).is_none() && dns(name, false).is_some()).then(|| plain(name))
}

/// The name as Kubernetes would take it.
fn suggestion(name: &str) -> String {
    format!("`{}`", plain(name))
}

fn plain(name: &str) -> String {
    let plain: String = name
        .to_ascii_lowercase()
        .chars()
        .map(|c| if dns(&c.to_string(), false).is_some() && c != '.' { '-' } else { c })
        .collect();
    plain.trim_matches(['-', '.']).to_owned()
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
            refuse(all, value.span, field, message, SERVER, format!("write {}", suggestion(text)));
        }
    }
    // Kustomize and other tools can add what is missing; a graph or Job by itself has a name.
    let needs = ours || matches!(object.kind.as_str(), "Job" | "PersistentVolumeClaim");
    let named = get("name").is_some() || get("generateName").is_some();
    if needs && !named && !object.api_version.is_empty() && !recipe.around.any("Kustomization") {
        let message = format!("this {} has no name", object.kind);
        refuse(all, object.name_span, "name", message, SERVER, "add `metadata: {name: …}`");
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
            refuse(all, entry.value.span, field, message, SERVER, help);
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
pub(super) fn one_of<'a>(
    node: Option<&Node>,
    field: &'a str,
    takes: &[&str],
    by: &'static str,
    all: &mut Vec<Refusal<'a>>,
) {
    let Some((node, text)) = node.and_then(|n| Some((n, n.as_text()?))) else { return };
    if text.is_empty() || takes.contains(&text) || open(text).is_some() {
        return;
    }
    let near = takes.iter().find(|t| t.eq_ignore_ascii_case(text) || strsim::osa_distance(t, text) <= 2);
    let list = takes.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(", ");
    let help = near.map_or_else(|| format!("write one of {list}"), |near| format!("did you mean `{near}`?"));
    refuse(all, node.span, field, format!("`{field}` does not take `{text}`"), by, help);
}

/// What a `hostPath` can be asked to be.
const HOST_PATHS: [&str; 7] =
    ["DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"];

fn pod<'a>(spec: &'a Node, all: &mut Vec<Refusal<'a>>) {
    spec.get("affinity").into_iter().for_each(|affinity| expressions(affinity, 8, all));
    one_of(
        spec.get("dnsPolicy"),
        "dnsPolicy",
        &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
        POD,
        all,
    );
    for volume in spec.get("volumes").into_iter().flat_map(Node::items) {
        // `HugePages-2Mi`, `HugePages-1Gi`.
        let medium = volume.at(&["emptyDir", "medium"]);
        let medium = medium.filter(|m| m.as_text().is_none_or(|text| !text.starts_with("HugePages")));
        one_of(medium, "medium", &["Memory", "HugePages"], POD, all);
        one_of(volume.at(&["hostPath", "type"]), "type", &HOST_PATHS, POD, all);
        let mut sources = volume.entries().filter(|e| *e.key.name != *"name" && e.value.as_map().is_some());
        if let (Some(first), Some(second)) = (sources.next(), sources.next()) {
            let message = format!("a volume is `{}` and `{}`", first.key.name, second.key.name);
            refuse(all, second.key.span, "volumes", message, POD, "keep one of them");
        }
        // `0755` is an octal number, 755 is more than 0777 (`validateConfigMapVolumeSource` and its kin).
        let source = volume.entries().map(|entry| &entry.value).find_map(|source| source.get("defaultMode"));
        let items = volume.entries().flat_map(|entry| entry.value.get("items").into_iter().flat_map(Node::items));
        let modes = source.into_iter().chain(items.filter_map(|item| item.get("mode")));
        for mode in modes.filter(|mode| mode.as_int().is_some_and(|bits| !(0..=0o777).contains(&bits))) {
            let text = mode.as_text().unwrap_or_default();
            let message = format!("{text} are no permissions: it is read as a decimal number");
            refuse(all, mode.span, "defaultMode", message, POD, format!("write `0{text}`"));
        }
        let limit = volume.at(&["emptyDir", "sizeLimit"]);
        limit.into_iter().for_each(|node| amount(node, "sizeLimit", "nothing fits into the volume", all));
    }
    // `validatePodResourceRequirements`; a server that does not know the field drops it.
    let whole = ["limits", "requests"].into_iter().filter_map(|field| spec.at(&["resources", field]));
    for entry in whole.flat_map(Node::entries) {
        let name = &*entry.key.name;
        if !matches!(name, "cpu" | "memory") && !name.starts_with("hugepages-") && open(name).is_none() {
            let message = format!("`resources` of a pod have no `{name}`");
            refuse(all, entry.key.span, "resources", message, POD, "move `resources` into the container");
        }
    }
    for toleration in spec.get("tolerations").into_iter().flat_map(Node::items) {
        let operator = toleration.get("operator");
        one_of(operator, "operator", &["Exists", "Equal", "Lt", "Gt"], POD, all);
        one_of(toleration.get("effect"), "effect", &["NoSchedule", "PreferNoSchedule", "NoExecute"], POD, all);
        let value = toleration.get("value").filter(|v| v.as_text().is_some_and(|t| !t.is_empty()));
        if let Some(value) = value.filter(|_| operator.and_then(Node::as_text) == Some("Exists")) {
            let message = "a toleration with `operator: Exists` takes no value".to_owned();
            let help = "remove `value`, or write `operator: Equal`";
            refuse(all, value.span, "value", message, POD, help);
        }
        let text = |key: &str| toleration.get(key).and_then(Node::as_text).unwrap_or_default();
        let first = toleration.entries().next();
        if let Some(first) = first.filter(|_| text("key").is_empty() && text("operator") != "Exists") {
            let help = "add `key`, or write `operator: Exists`";
            refuse(all, first.key.span, "key", "a toleration without a key wants `operator: Exists`", POD, help);
        }
        let seconds = toleration.get("tolerationSeconds").filter(|n| !n.is_null());
        if let Some(seconds) = seconds.filter(|_| text("effect") != "NoExecute" && open(text("effect")).is_none()) {
            let help = "remove it, or write `effect: NoExecute`";
            refuse(all, seconds.span, "tolerationSeconds", "`tolerationSeconds` goes with `NoExecute` only", POD, help);
        }
    }
    for entry in spec.get("nodeSelector").into_iter().flat_map(Node::entries) {
        let value = entry.value.as_str().filter(|text| open(text).is_none() && !label(text));
        if let Some(text) = value {
            let message = format!("no node has a label of the value `{text}`");
            let help = "letters, digits, `-`, `_` and `.`: a GPU is `NVIDIA-B200`";
            refuse(all, entry.value.span, "nodeSelector", message, POD, help);
        }
    }
    for spread in spec.get("topologySpreadConstraints").into_iter().flat_map(Node::items) {
        let takes = ["DoNotSchedule", "ScheduleAnyway"];
        one_of(spread.get("whenUnsatisfiable"), "whenUnsatisfiable", &takes, POD, all);
        if let Some(skew) = spread.get("maxSkew").filter(|n| n.as_int().is_some_and(|n| n < 1)) {
            refuse(all, skew.span, "maxSkew", "`maxSkew` is to be 1 or more", POD, "write 1 or more");
        }
    }
    for claim in spec.get("resourceClaims").into_iter().flat_map(Node::items) {
        let has = |key: &str| claim.get(key).is_some_and(|n| !n.is_null());
        // `source` held them before 1.31.
        if let Some(name) = claim.get("name").filter(|_| !has("source"))
            && has("resourceClaimName") == has("resourceClaimTemplateName")
        {
            let message = "a claim of a pod takes one of `resourceClaimName` and `resourceClaimTemplateName`";
            refuse(all, name.span, "resourceClaims", message, POD, "write exactly one of them");
        }
    }
    let named = |list: &'static str| {
        let items = spec.get(list).into_iter().flat_map(Node::items);
        items.filter_map(|c| c.get("name")).filter_map(|n| Some((n, n.as_text()?)))
    };
    for (node, name) in named("initContainers") {
        let main = name == "main" && spec.get("mainContainer").is_some();
        if main || named("containers").any(|(_, other)| other == name) {
            let message = format!("two containers of the pod have the name `{name}`");
            refuse(all, node.span, "initContainers", message, POD, "give the init container another name");
        }
    }
}

/// An amount of memory or storage that is next to nothing: its unit was lost, or `m` (a thousandth) was meant for `M`.
fn amount<'a>(node: &Node, field: &'a str, by: &'static str, all: &mut Vec<Refusal<'a>>) {
    node.as_text().into_iter().for_each(|text| bytes(text, node.span, field, by, all));
}

fn bytes<'a>(text: &str, at: Span, field: &'a str, by: &'static str, all: &mut Vec<Refusal<'a>>) {
    // Who writes `512Ki` means it.
    let bare = text.ends_with(|c: char| c.is_ascii_digit() || c == 'm');
    let Some(amount) = quantity::parse(text).filter(|n| bare && *n > 0.0 && *n < 1_048_576.0) else { return };
    let message = match amount < 1.0 {
        true => format!("`{text}` is less than one byte"),
        false => format!("`{text}` means {amount} bytes"),
    };
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    refuse(all, at, field, message, by, format!("write the unit: `{number}Gi`, `{number}Mi`"));
}

/// Conditions on labels: which operators take values.
fn expressions<'a>(node: &'a Node, depth: u8, all: &mut Vec<Refusal<'a>>) {
    for entry in node.entries().filter(|_| depth > 0) {
        if *entry.key.name != *"matchExpressions" {
            expressions(&entry.value, depth - 1, all);
            continue;
        }
        for item in entry.value.items() {
            let Some(operator) = item.get("operator") else { continue };
            one_of(Some(operator), "operator", &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"], POD, all);
            let values = item.get("values").is_some_and(|values| values.items().next().is_some());
            let message = match operator.as_text() {
                Some("Exists" | "DoesNotExist") if values => "takes no `values`",
                Some("In" | "NotIn") if !values => "wants `values`",
                _ => continue,
            };
            let message = format!("`operator: {}` {message}", operator.as_text().unwrap_or_default());
            let help = "write `In` with `values`, or `Exists` without";
            refuse(all, operator.span, "values", message, POD, help);
        }
    }
    node.items().for_each(|item| expressions(item, depth.saturating_sub(1), all));
}

/// Numbers and words of a probe (`validateProbe`, `validateHTTPGetAction`, `ValidatePortNumOrName`).
fn probe_values<'a>(field: &'a str, probe: &'a Node, all: &mut Vec<Refusal<'a>>) {
    one_of(probe.at(&["httpGet", "scheme"]), "scheme", &["HTTP", "HTTPS"], POD, all);
    let port = ["httpGet", "tcpSocket"].into_iter().find_map(|way| probe.at(&[way, "port"]));
    if let Some(text) = port.and_then(Node::as_str).filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit())) {
        let at = port.map_or(probe.span, |n| n.span);
        let message = format!("the {field} asks for a port of the name \"{text}\"");
        refuse(all, at, field, message, "a name has a letter in it: the API server refuses the pod", "drop the quotes");
    }
    let numbers = ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"];
    for (name, node) in numbers.into_iter().filter_map(|name| Some((name, probe.get(name)?))) {
        let Some(number) = node.as_int() else { continue };
        let once = name == "successThreshold" && field != "readinessProbe";
        if number < 0 || (once && number > 1) {
            let help = if once { "write 1, or leave it out" } else { "write 0 or more" };
            refuse(all, node.span, field, format!("`{name}` of the {field} is not to be {number}"), POD, help);
        }
    }
}

/// A probe asks in one way.
fn probes<'a>(node: &'a Node, partial: bool, dropped: bool, all: &mut Vec<Refusal<'a>>) {
    const WAYS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
    for field in PROBES {
        let Some(probe) = node.get(field).filter(|p| p.entries().next().is_some()) else { continue };
        if !dropped {
            probe_values(field, probe, all);
        }
        let mut ways = WAYS.iter().filter_map(|way| probe.entry(way).filter(|entry| !entry.value.is_null()));
        let (at, what) = match (ways.next(), ways.next()) {
            (None, _) if !partial => (probe.entries().next().map_or(probe.span, |e| e.key.span), "asks for nothing"),
            (Some(_), Some(second)) => (second.key.span, "asks in two ways"),
            _ => continue,
        };
        let help = "write one of `httpGet`, `exec`, `tcpSocket`, `grpc`";
        refuse(all, at, field, format!("`{field}` {what}"), POD, help);
    }
}

/// The program of a container that no rule about graphs looks at: `["sh -c"]` as one word, a script without `-c`.
fn program<'a>(container: &Container, all: &mut Vec<Refusal<'a>>) {
    let Some(first) = container.command.items.first() else { return };
    let Some(text) = first.as_text().filter(|t| !t.contains(['$', '{', '<'])) else { return };
    let none = || format!("there is no program `{}`", text.lines().next().unwrap_or(text));
    let (message, help) = if text.trim().contains(' ') && !text.contains('/') {
        (none(), "write each word as an item of its own".to_owned())
    } else if let Some(help) = workload::no_program(text) {
        (none(), help)
    } else {
        let mut rest = workload::words(container).skip(1);
        let script = rest.next().filter(|_| is_shell(text)).and_then(Node::as_text);
        match script.filter(|s| s.contains('\n') && !s.starts_with(['-', '+', '/'])) {
            Some(_) => {
                (format!("`{text}` takes the script for the name of a file"), "put `-c` behind the shell".to_owned())
            }
            None => return,
        }
    };
    refuse(all, first.span, "command", message, "the container cannot start", help);
}

/// A script of a ConfigMap that is started by its path: without `defaultMode` nobody may execute it (0644).
fn executable<'a>(container: &'a Container, spec: &'a Node, all: &mut Vec<Refusal<'a>>) {
    let Some(first) = container.command.items.first() else { return };
    let Some(path) = first.as_text().filter(|text| text.starts_with('/') && !text.contains(['$', ' '])) else { return };
    let mounts = container.mounts.iter().filter(|m| {
        m.path
            .as_ref()
            .and_then(|p| path.strip_prefix(p.value.trim_end_matches('/')))
            .is_some_and(|r| r.starts_with('/'))
    });
    let Some(mount) = mounts.max_by_key(|m| m.path.as_ref().map_or(0, |p| p.value.len())) else { return };
    let named = |v: &&Node| v.get("name").and_then(Node::as_text) == Some(mount.name.value.as_str());
    let Some(volume) = spec.get("volumes").into_iter().flat_map(Node::items).find(named) else { return };
    let Some(map) = volume.get("configMap").filter(|map| map.as_map().is_some() && map.get("items").is_none()) else {
        return;
    };
    let mode = map.get("defaultMode").filter(|n| !n.is_null());
    if mode.is_none_or(|mode| mode.as_int().is_some_and(|bits| bits & 0o111 == 0)) {
        let message = format!("`{path}` may not be executed: it comes from a ConfigMap");
        let help = "add `defaultMode: 0755` to the volume, or start it by a shell";
        refuse(all, first.span, "command", message, "the container cannot start it", help);
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
    // Since 1.30 all else is taken (`IsRelaxedEnvVarName`).
    let name = &entry.name;
    if let Some((before, _)) = name.value.split_once('=').filter(|(before, _)| !before.contains(['$', '<', '{'])) {
        let message = format!("`{}` is no name of a variable", name.value);
        refuse(all, name.span, "env", message, POD, format!("write `{before}`, and what is behind `=` as its `value`"));
    }
    let value = entry.node.get("value").filter(|v| v.as_text().is_some_and(|t| !t.is_empty()));
    let from = entry.node.get("valueFrom").filter(|n| n.as_map().is_some());
    if let (Some(value), Some(_)) = (value, from) {
        let message = format!("`{}` has a `value` and a `valueFrom`", entry.name.value);
        refuse(all, value.span, "valueFrom", message, POD, "keep one of them");
    }
    let field = from.and_then(|f| f.at(&["fieldRef", "fieldPath"]));
    if let (EnvSource::Field { path, .. }, Some(node)) = (&entry.source, field) {
        let (name, key) = path.split_once('[').map_or((path.as_str(), None), |(name, key)| (name, Some(key)));
        match key {
            None => one_of(Some(node), "fieldPath", &FIELDS, POD, all),
            Some(key) if open(key).is_some() || matches!(name, "metadata.labels" | "metadata.annotations") => {}
            Some(_) => {
                let message = format!("`fieldPath` does not take `{path}`");
                let help = "write `metadata.labels['…']` or `metadata.annotations['…']`";
                refuse(all, node.span, "fieldPath", message, POD, help);
            }
        }
    }
}

fn container<'a>(container: &'a Container, all: &mut Vec<Refusal<'a>>) {
    let get = |key: &str| container.node.as_ref().and_then(|n| n.get(key));
    for from in get("envFrom").into_iter().flat_map(Node::items) {
        let unnamed = |field: &&str| from.get(field).is_some_and(|r| r.get("name").is_none_or(Node::is_null));
        if let Some(field) = ["secretRef", "configMapRef"].into_iter().find(unnamed) {
            let message = format!("`{field}` of `envFrom` names nothing");
            refuse(all, from.span, field, message, POD, "add its `name`");
        }
    }
    one_of(get("imagePullPolicy"), "imagePullPolicy", &["Always", "IfNotPresent", "Never"], POD, all);
    for mount in get("volumeMounts").into_iter().flat_map(Node::items) {
        let path = mount.get("subPath").and_then(|n| Some((n, n.as_text()?)));
        if let Some((node, text)) = path.filter(|(_, text)| text.starts_with('/') || text.split('/').any(|p| p == ".."))
        {
            let message = format!("`subPath` does not take `{text}`");
            refuse(all, node.span, "subPath", message, POD, "write a path inside the volume, without `/` in front");
        }
    }
    let allowed = |key: &str| get("securityContext").and_then(|c| c.get(key)).filter(|n| n.as_text().is_some());
    let says = |key: &str, text: &str| allowed(key).filter(|n| n.as_text() == Some(text));
    if let (Some(_), Some(no)) = (says("privileged", "true"), says("allowPrivilegeEscalation", "false")) {
        let message = "a privileged container cannot be kept from more privileges";
        refuse(all, no.span, "securityContext", message, POD, "remove one of the two");
    }
    if let (Some(root), Some(_)) = (says("runAsUser", "0"), says("runAsNonRoot", "true")) {
        let by = "the kubelet does not start the container";
        let message = "`runAsUser: 0` is root, and `runAsNonRoot` forbids that";
        refuse(all, root.span, "securityContext", message, by, "write another user, or remove `runAsNonRoot`");
    }
    container.env.iter().for_each(|(_, entry)| variable(entry, all));
    let exec = |field: &&str| get(field)?.at(&["exec", "command"])?.items().next();
    let asked = PROBES.iter().filter_map(exec);
    for first in container.command.items.first().into_iter().chain(asked) {
        let Some((text, shell)) = first.as_text().and_then(|text| Some((text, workload::near_shell(text)?))) else {
            continue;
        };
        refuse(
            all,
            first.span,
            "command",
            format!("there is no program `{text}`"),
            "the container cannot start it",
            format!("did you mean `{shell}`?"),
        );
    }
    for (name, _, most) in &container.limits {
        match name.as_str() {
            "memory" => amount(most, "memory", "the container cannot start", all),
            "ephemeral-storage" => amount(most, "ephemeral-storage", "the kubelet evicts the pod", all),
            _ => {}
        }
    }
    for (name, _, amount) in container.limits.iter().chain(&container.requests) {
        // Devices are counted; those of Kubernetes itself (`hugepages-…`, `cpu`) have no `/`.
        let part = amount.as_text().and_then(quantity::parse).is_some_and(|n| n.fract() != 0.0);
        if part && name.contains('/') && !name.contains("kubernetes.io/") {
            let message = format!("`{name}` is counted in whole devices");
            refuse(all, amount.span, "resources", message, POD, "write a whole number");
        }
    }
    // `ValidateResourceRequirements`: what cannot be shared out twice is to be limited as it is asked for.
    for (name, at, _) in container.requests.iter().filter(|(name, ..)| name.starts_with("hugepages-")) {
        if !container.limits.iter().any(|(limit, ..)| limit == name) {
            let help = "add the same amount to the limits";
            refuse(all, *at, "resources", format!("`{name}` is asked for without a limit"), POD, help);
        }
    }
    // `gpu` is v1alpha1's own name for them, and no resource of Kubernetes.
    let native = ["limits", "requests"].into_iter().filter_map(|field| get("resources")?.get(field));
    for entry in native.flat_map(Node::entries) {
        let name = &*entry.key.name;
        let own = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
        if !own && !name.contains('/') && open(name).is_none() {
            let message = format!("containers have no resource `{name}`");
            let help = match name {
                "gpu" => "write `nvidia.com/gpu`",
                _ => "write `cpu`, `memory`, `ephemeral-storage`, or a name with its domain (`rdma/ib`)",
            };
            refuse(all, entry.key.span, "resources", message, POD, help);
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
            refuse(all, item.span, "capabilities", message, "the container cannot be created", help);
        }
    }
    let image = container.image.as_ref().and_then(|n| Some((n, n.as_text()?)));
    if let Some((node, text)) = image.filter(|(_, t)| !t.contains(['$', '<', '{', '[']))
        && let Some(what) = misformed(text)
    {
        let (message, help) = (format!("`{text}` is no image reference: {what}"), "write `registry/name:tag`");
        refuse(all, node.span, "image", message, "the kubelet answers `InvalidImageName`", help);
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
