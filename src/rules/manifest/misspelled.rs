//! Names that nothing reads because they are misspelled.

use super::jobs::{aiperf_release, is_job};
use crate::catalog::{crd, flags, is_slip, vars};
use crate::finding::{Applicability, Edit, Severity};
use crate::manifest::{Container, Object};
use crate::resolve::{Deployment, Recipe};
use crate::rules::{Findings, Report, workload};
use crate::source::Span;
use crate::yaml::Node;

/// Variables outside of the catalog's families that recipes set (huggingface_hub `constants.py`, CUDA, Python, PyTorch,
/// OpenTelemetry, TensorRT-LLM, Dynamo).
const COMMON: [&str; 47] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "CUDA_VISIBLE_DEVICES",
    "ETCD_ENDPOINTS",
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_DISABLE_TELEMETRY",
    "HF_HUB_DOWNLOAD_TIMEOUT",
    "HF_HUB_ENABLE_HF_TRANSFER",
    "HF_HUB_OFFLINE",
    "HF_MODULES_CACHE",
    "HF_TOKEN",
    "HF_XET_HIGH_PERFORMANCE",
    "HUGGING_FACE_HUB_TOKEN",
    "LD_LIBRARY_PATH",
    "LMCACHE_CHUNK_SIZE",
    "LMCACHE_CONFIG_FILE",
    "LMCACHE_LOCAL_CPU",
    "LMCACHE_LOCAL_DISK",
    "LMCACHE_MAX_LOCAL_CPU_SIZE",
    "LMCACHE_MAX_LOCAL_DISK_SIZE",
    "LMCACHE_REMOTE_URL",
    "MODEL_EXPRESS_URL",
    "NATS_SERVER",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORT_ENABLED",
    "OTEL_SERVICE_NAME",
    "PROMETHEUS_ENDPOINT",
    "PYTHONHASHSEED",
    "PYTHONUNBUFFERED",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TLLM_LOG_LEVEL",
    "TORCHINDUCTOR_CACHE_DIR",
    "TORCH_CUDA_ARCH_LIST",
    "TORCH_EXTENSIONS_DIR",
    "TRANSFORMERS_CACHE",
    "TRANSFORMERS_OFFLINE",
    "TRITON_CACHE_DIR",
    "TRTLLM_ENABLE_PDL",
    "TRTLLM_SERVER_DISABLE_GC",
    "TRTLLM_WORKER_DISABLE_GC",
    "XDG_CACHE_HOME",
];

/// Families that the catalog does not have whole: there only a slip of the finger is told from a name that is new.
const OPEN: [&str; 8] = ["AIPERF_", "DYN_", "DYN_KVBM_", "SGLANG_", "TRTLLM_", "VLLM_", "MC_", "GLOO_"];

/// `misspelled-variable`
pub fn misspelled_variable(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for var in service.env.vars.iter().filter(|v| v.written()) {
            let Some(meant) = meant(&var.name) else { continue };
            // Set under its right name too, or read by the container's own script: not what it looks like.
            if service.env.get(meant).is_some_and(|v| v.written()) || script_reads(service, &var.name) {
                continue;
            }
            let Some(at) = var.winner().name_span.or(var.winner().span) else { continue };
            // Where the platform has them, the operator gives the right ones: the wrong one takes nothing away.
            let given = matches!(meant, "NATS_SERVER" | "ETCD_ENDPOINTS") && !slip(&var.name, meant);
            let mut report = unread(out, at, &var.name, meant).service(service);
            if given {
                report = report.severity(Severity::Advice);
            }
            report.emit();
        }
    }
}

/// A name that nothing reads, and the one that was meant.
fn unread<'a>(out: &'a mut Findings, at: Span, name: &str, meant: &str) -> Report<'a> {
    // Only what is written as it is read is replaced: a name in quotes keeps them.
    let edit = (at.len() as usize == name.len()).then(|| Edit { span: at, text: meant.to_owned() });
    out.report(at, format!("nothing reads `{name}`"), "a slip of the finger")
        .subject(name)
        .help(format!("did you mean `{meant}`?"))
        .fix_edits(Applicability::Unsafe, edit.into_iter().collect())
}

/// `job-variable-misspelled`
pub fn job_variable_misspelled(recipe: &Recipe, out: &mut Findings) {
    for object in recipe.here.iter().filter(is_job) {
        for container in object.workload().into_iter().flat_map(|w| w.containers.iter().chain(&w.init_containers)) {
            let set = |name: &str| container.env.iter().any(|(_, entry)| entry.name.value == name);
            for (_, entry) in &container.env {
                let name = &entry.name;
                let used = || workload::words(container).filter_map(Node::as_text).any(|t| t.contains(&name.value));
                match meant(&name.value).filter(|meant| slip(&name.value, meant) && !set(meant)) {
                    Some(meant) if !used() => unread(out, name.span, &name.value, meant).emit(),
                    None if name.value.starts_with("AIPERF_")
                        && no_setting(container, recipe, &name.value)
                        && !used() =>
                    {
                        let (severity, help) = match vars::nearest(&name.value) {
                            Some(near) => (Severity::Warning, format!("did you mean `{near}`?")),
                            None => {
                                (Severity::Advice, "remove it, or look for its name in the documentation".to_owned())
                            }
                        };
                        out.report(name.span, format!("nothing reads `{}`", name.value), "no setting of aiperf")
                            .subject(&*name.value)
                            .severity(severity)
                            .help(help)
                            .emit();
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Whether a name is none of aiperf's, beside others of its section: of a release that was read, which the container starts.
fn no_setting(container: &Container, recipe: &Recipe, name: &str) -> bool {
    let section = |name: &str| name.split('_').nth(1).map(str::to_owned);
    let beside = || vars::all().any(|v| v.owner == "aiperf" && section(v.name) == section(name));
    let read = flags::component("aiperf").zip(aiperf_release(container, recipe));
    vars::lookup(name).is_none() && read.is_some_and(|(c, v)| c.covers((v.major, v.minor))) && beside()
}

/// Names that look right and are none of Dynamo's, further away than a slip of the finger.
const ALIKE: [(&str, &str); 18] = [
    ("DYN_ROUTER", "DYN_ROUTER_MODE"),
    ("DYN_ROUTER_MODES", "DYN_ROUTER_MODE"),
    ("DYN_KV_ROUTER_MODE", "DYN_ROUTER_MODE"),
    ("DYNAMO_ROUTER", "DYN_ROUTER_MODE"),
    ("DYN_DISCOVERY", "DYN_DISCOVERY_BACKEND"),
    ("ETCD_ENDPOINT", "ETCD_ENDPOINTS"),
    ("ETCD_ENDPOINTS_URL", "ETCD_ENDPOINTS"),
    ("NATS_URL", "NATS_SERVER"),
    ("NATS_SERVERS", "NATS_SERVER"),
    ("DYN_LOG_LEVEL", "DYN_LOG"),
    ("DYN_LOGLEVEL", "DYN_LOG"),
    ("DYN_LOGGING_LEVEL", "DYN_LOG"),
    ("DYN_AUDIT_SINK", "DYN_AUDIT_SINKS"),
    ("DYN_ENABLE_ANTHROPIC", "DYN_ENABLE_ANTHROPIC_API"),
    ("DYN_FRONTEND_MIGRATION_LIMIT", "DYN_MIGRATION_LIMIT"),
    ("DYN_FRONTEND_HTTP_PORT", "DYN_HTTP_PORT"),
    ("DYN_KVBM_CPU_CACHE", "DYN_KVBM_CPU_CACHE_GB"),
    ("LMCACHE_LOCAL_CPU_SIZE", "LMCACHE_MAX_LOCAL_CPU_SIZE"),
];

/// The variable that a name was meant to be.
fn meant(name: &str) -> Option<&'static str> {
    if let Some((_, right)) = ALIKE.iter().find(|(wrong, _)| *wrong == name) {
        return Some(right);
    }
    if let Some(rest) = name.strip_prefix("DYNAMO_")
        && let Some(known) = vars::lookup(&format!("DYN_{rest}"))
        && vars::lookup(name).is_none()
    {
        return Some(known.name);
    }
    if name.len() < 6 || name.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let common = || COMMON.iter().copied().find(|known| slip(name, known));
    let near = match vars::family(name) {
        _ if COMMON.contains(&name) => None,
        Some(family) if OPEN.contains(&family.prefix) => {
            if vars::lookup(name).is_some() || vars::misspelling(name).is_some() {
                return None;
            }
            vars::nearest(name).filter(|near| slip(name, near)).or_else(common)
        }
        Some(_) => None,
        None => common().or_else(|| vars::slipped_prefix(name)),
    };
    near.filter(|_| !vars::is_external(name))
}

/// A slip of the finger, but for an `S` more or less at the end of a word: that is a name of its own often enough.
fn slip(a: &str, b: &str) -> bool {
    let plural = |long: &str, short: &str| {
        long.len() == short.len() + 1
            && long
                .split('_')
                .zip(short.split('_'))
                .filter(|(l, s)| l != s)
                .all(|(l, s)| l.strip_suffix('S') == Some(s))
            && long.matches('_').count() == short.matches('_').count()
    };
    is_slip(a, b) && !plural(a, b) && !plural(b, a)
}

/// Whether the container's own words use the variable.
fn script_reads(service: &crate::resolve::Service, name: &str) -> bool {
    let main = &service.component.main;
    workload::words(main).filter_map(Node::as_text).any(|text| text.contains(name))
}

fn is_kind(kind: &str) -> bool {
    crd::kinds().any(|(known, _)| known == kind)
}

/// The kind that was meant: one a slip away, or the shortest that is this one with words more.
fn meant_kind(kind: &str) -> Option<&'static str> {
    let longer = |known: &&str| {
        let mut rest = known.chars();
        kind.len() > "Dynamo".len() + 4 && kind.starts_with("Dynamo") && kind.chars().all(|c| rest.any(|k| k == c))
    };
    let kinds = || crd::kinds().map(|(kind, _)| kind);
    let slip = kinds().find(|known| known.eq_ignore_ascii_case(kind) || strsim::osa_distance(known, kind) <= 2);
    slip.or_else(|| kinds().filter(longer).min_by_key(|known| known.len()))
}

/// `kind-unknown`
pub fn kind_unknown(recipe: &Recipe, out: &mut Findings) {
    for object in &recipe.here {
        if object.is_half_graph() {
            halved(object, out);
            continue;
        }
        let Some(node) = object.node.get("kind") else { continue };
        if object.group() == "nvidia.com" {
            if is_kind(&object.kind) {
                versions(object, out);
                continue;
            }
            let Some(meant) = meant_kind(&object.kind) else { continue };
            no_kind(object, node, meant, out);
        } else if is_kind(&object.kind) && !object.api_version.contains(['$', '<', '{']) {
            let help = "write `nvidia.com/v1beta1` or `nvidia.com/v1alpha1`, whichever shape it has";
            other_group(object, help.to_owned(), out);
        } else {
            beside(object, node, out);
        }
    }
}

/// A graph that lacks one of the two by which the API server knows what it is.
fn halved(object: &Object, out: &mut Findings) {
    let shape =
        if object.node.at(&["spec", "components"]).is_some() { "nvidia.com/v1beta1" } else { "nvidia.com/v1alpha1" };
    let (lacks, line, has) = match object.kind.is_empty() {
        true => ("kind", "kind: DynamoGraphDeployment".to_owned(), "apiVersion"),
        false => ("apiVersion", format!("apiVersion: {shape}"), "kind"),
    };
    let at = object.node.get(has).map_or(object.name_span, |node| node.span);
    out.report(at, format!("`{}` has no `{lacks}`", object.name), "the API server refuses the object")
        .subject(lacks)
        .help(format!("add `{line}`"))
        .emit();
}

fn no_kind(object: &Object, kind: &Node, meant: &str, out: &mut Findings) {
    out.report(kind.span, format!("there is no kind `{}`", object.kind), "the API server refuses the object")
        .subject("kind")
        .help(format!("write `{meant}`"))
        .fix(Applicability::Unsafe, kind.span, meant)
        .emit();
}

fn other_group(object: &Object, help: String, out: &mut Findings) {
    let Some(version) = object.node.get("apiVersion") else { return };
    let message = format!("`{}` is not of group `{}`", object.kind, object.group());
    out.report(version.span, message, "the API server refuses the object").subject("apiVersion").help(help).emit();
}

/// Kinds that stand beside a graph, by their group; no group here has others that differ by a slip.
const BESIDE: [(&str, &str); 13] = [
    (
        "",
        "ConfigMap Endpoints Event LimitRange List Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate \
        ReplicationController ResourceQuota Secret Service ServiceAccount",
    ),
    ("apps", "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "CronJob Job"),
    ("gateway.networking.k8s.io", "GRPCRoute Gateway GatewayClass HTTPRoute ReferenceGrant"),
    ("inference.networking.k8s.io", "InferencePool"),
    ("keda.sh", "ClusterTriggerAuthentication ScaledJob ScaledObject TriggerAuthentication"),
    (
        "monitoring.coreos.com",
        "Alertmanager AlertmanagerConfig PodMonitor Probe Prometheus PrometheusAgent PrometheusRule ScrapeConfig \
        ServiceMonitor ThanosRuler",
    ),
    ("networking.k8s.io", "IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR"),
    ("policy", "Eviction PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "ClusterRole ClusterRoleBinding Role RoleBinding"),
    ("resource.k8s.io", "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice"),
    ("resource.nvidia.com", "ComputeDomain"),
];

/// A group, its versions, and older ones with the release of Kubernetes that took each away.
type Versions = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Versions of groups, those that are gone with the release of Kubernetes that took them away.
const VERSIONS: [Versions; 6] = [
    ("autoscaling", "v1 v2", &[("v2beta1", "1.25"), ("v2beta2", "1.26")]),
    ("batch", "v1", &[("v1beta1", "1.25"), ("v2alpha1", "1.21")]),
    ("gateway.networking.k8s.io", "v1 v1beta1 v1alpha2 v1alpha3", &[]),
    ("inference.networking.k8s.io", "v1", &[]),
    ("keda.sh", "v1alpha1", &[]),
    ("policy", "v1", &[("v1beta1", "1.25")]),
];

/// A version that a group of Kubernetes' does not have, or has no more.
fn version(object: &Object, out: &mut Findings) {
    let Some((_, now, gone)) = VERSIONS.iter().find(|(group, ..)| *group == object.group()) else { return };
    let Some(node) = object.node.get("apiVersion").filter(|_| !object.api_version.contains(['$', '<', '{'])) else {
        return;
    };
    if now.split(' ').any(|version| version == object.version()) {
        return;
    }
    let label = match gone.iter().find(|(version, _)| *version == object.version()) {
        Some((_, release)) => format!("gone since Kubernetes {release}"),
        None => "the API server refuses the object".to_owned(),
    };
    let newest = now.split(' ').next().unwrap_or(now);
    let newest = if object.group() == "autoscaling" { "v2" } else { newest };
    out.report(node.span, format!("there is no `{}` of version `{}`", object.kind, object.version()), label)
        .subject("apiVersion")
        .help(format!("write `{}/{newest}`", object.group()))
        .emit();
}

/// A kind of Kubernetes a slip away from one of its group, or one of another group.
fn beside(object: &Object, kind: &Node, out: &mut Findings) {
    let near = |a: &str, b: &str| is_slip(a, b) || (a != b && a.eq_ignore_ascii_case(b));
    let (group, name) = (object.group(), object.kind.as_str());
    if object.api_version.contains(['$', '<', '{']) {
        return;
    }
    let own = BESIDE.iter().find(|(of, _)| *of == group);
    let home = BESIDE.iter().find(|(_, kinds)| kinds.split(' ').any(|known| known == name));
    match (own, home) {
        (Some((group, _)), Some((home, _))) if group == home => version(object, out),
        (Some((_, kinds)), None) => {
            let Some(meant) = kinds.split(' ').find(|known| near(known, name)) else { return };
            no_kind(object, kind, meant, out);
        }
        // Other groups have kinds of these names as well.
        (own, Some((home, _))) if *home != group && (own.is_some() || near(home, group)) => {
            let group = if home.is_empty() { "`v1`".to_owned() } else { format!("group `{home}`") };
            other_group(object, format!("write {group}"), out);
        }
        _ => {}
    }
}

/// Versions of the operator's kinds: `v1alpha1`, and `v1beta1` for some.
fn versions(object: &Object, out: &mut Findings) {
    let known = |version: &str| crd::kinds().any(|(kind, has)| kind == object.kind && has == version);
    if known(object.version()) || object.api_version.contains(['$', '<', '{']) {
        return;
    }
    let Some(node) = object.node.get("apiVersion") else { return };
    out.report(
        node.span,
        format!("there is no `{}` of version `{}`", object.kind, object.version()),
        "the API server refuses the object",
    )
    .subject("apiVersion")
    .help(if known("v1beta1") {
        "write `nvidia.com/v1beta1` or `nvidia.com/v1alpha1`, whichever shape it has"
    } else {
        "write `nvidia.com/v1alpha1`"
    })
    .emit();
}

#[cfg(test)]
mod tests {
    use super::{meant, meant_kind};

    #[test]
    fn kinds_of_other_times() {
        assert_eq!(meant_kind("DynamoDeployment"), Some("DynamoGraphDeployment"));
        assert_eq!(meant_kind("DynamoGraphDeploy"), Some("DynamoGraphDeployment"));
        assert_eq!(meant_kind("DynamoGraphDeploymnt"), Some("DynamoGraphDeployment"));
        assert_eq!(meant_kind("ClusterPolicy"), None);
        assert_eq!(meant_kind("DynamoSomethingElse"), None);
    }

    #[test]
    fn a_slip_is_told_from_another_name() {
        assert_eq!(meant("HF_HUB_OFFINE"), Some("HF_HUB_OFFLINE"));
        assert_eq!(meant("DYN_ROUTER_MOED"), Some("DYN_ROUTER_MODE"));
        assert_eq!(meant("DYN_ROUTER_MODE"), None);
        assert_eq!(meant("DYNAMO_ROUTER_MODE"), Some("DYN_ROUTER_MODE"));
        assert_eq!(meant("DYN_LOG_LEVEL"), Some("DYN_LOG"));
        assert_eq!(meant("NATS_URL"), Some("NATS_SERVER"));
        assert_eq!(meant("DYNAMO_SOMETHING_OF_MINE"), None);
        assert_eq!(meant("HF_HOMES"), None);
        assert_eq!(meant("HF_TOKEN_2"), None);
        assert_eq!(meant("MODEL_PATH"), None);
    }
}
