//! What the operator adds to a component: defaults below the user's env, forced values above it.

use super::env::{Context, Layers};
use super::{Framework, Layer, Version};
use crate::manifest::{ApiVersion, Component, ComponentType, GraphKind};
use crate::source::{Fact, Reason, Span, Text};
use crate::yaml::Node;

const DISCOVERY_BACKEND: &str = "nvidia.com/dynamo-discovery-backend";
const DISCOVERY_MODE: &str = "nvidia.com/dynamo-kube-discovery-mode";
const ORIGIN_VERSION: &str = "nvidia.com/dynamo-operator-origin-version";
const ENABLE_GROVE: &str = "nvidia.com/enable-grove";
const WORKLOAD_PROVIDER: &str = "nvidia.com/workload-provider";
const EXECUTOR_BACKEND: &str = "nvidia.com/vllm-distributed-executor-backend";

/// Default env of a component type (`component_common.go:85-158`, `component_frontend.go:70-84`,
/// `component_worker.go:82-124`, `component_planner.go:79-88`, `component_epp.go:89-131`).
pub(super) fn defaults(ctx: &Context<'_>, component: &Component, kind: &ComponentType, layers: &mut Layers) {
    let at = component.name.span;
    let mut set = |name: &str, value: Fact<Text>| layers.operator(Layer::OperatorDefault, name, value);
    let text = |value: &str| Fact::Known(text(value, at));

    let namespace = dynamo_namespace(ctx, component);
    set("DYN_NAMESPACE", namespace.clone());
    set("DYN_COMPONENT", text(type_name(kind)));
    set("DYN_PARENT_DGD_K8S_NAME", object_name(ctx).map_or_else(Fact::Dynamic, text));
    set("DYN_PARENT_DGD_K8S_NAMESPACE", k8s_namespace(ctx).map_or_else(Fact::Dynamic, |name| text(&name)));
    for (name, path) in
        [("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace"), ("POD_UID", "metadata.uid")]
    {
        set(name, Fact::Dynamic(Reason::Downward(path.to_owned())));
    }
    if discovery_backend(ctx, component) != "etcd" {
        set("DYN_DISCOVERY_BACKEND", text("kubernetes"));
    }
    for (name, value) in ctx.options.cluster.infrastructure() {
        set(name, text(value));
    }
    if annotation(ctx, component, DISCOVERY_MODE) == Some("container") {
        set("CONTAINER_NAME", text("main"));
        set("DYN_KUBE_DISCOVERY_MODE", text("container"));
    }
    match kind {
        ComponentType::Frontend => {
            set("DYNAMO_PORT", text("8000"));
            set("DYN_HTTP_PORT", text("8000"));
            set("DYN_NAMESPACE_PREFIX", namespace);
        }
        ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode => {
            set("DYN_SYSTEM_ENABLED", text("true"));
            set("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", text("[\"generate\"]"));
            set("DYN_SYSTEM_PORT", text("9090"));
            set("DYN_HEALTH_CHECK_ENABLED", text("false"));
            set("NIXL_TELEMETRY_ENABLE", text("n"));
            set("NIXL_TELEMETRY_EXPORTER", text("prometheus"));
            set("NIXL_TELEMETRY_PROMETHEUS_PORT", text("19090"));
            set("DYN_FORWARDPASS_METRIC_PORT", text("20380"));
            // A component that stands alone has no generation of workers to tell apart.
            if ctx.graph.kind != GraphKind::Component {
                let reason = Reason::Cluster("the hash of the workers".to_owned());
                set("DYN_NAMESPACE_WORKER_SUFFIX", Fact::Dynamic(reason));
            }
        }
        ComponentType::Planner => {
            set("PLANNER_PROMETHEUS_PORT", text("9085"));
            set("DYN_SYSTEM_PORT", text("9090"));
        }
        ComponentType::Epp => {
            set("USE_STREAMING", text("true"));
            set("RUST_LOG", text("info"));
            set("DYN_ENFORCE_DISAGG", text("false"));
            set("DYN_NAMESPACE_PREFIX", namespace);
        }
        ComponentType::Unset | ComponentType::Other(_) => {}
    }
}

/// Default `command` and `args` of a component type; `None` when they stand in an object that is not here.
pub(super) fn launch(ctx: &Context<'_>, kind: &ComponentType) -> Option<(&'static [&'static str], Vec<String>)> {
    if ctx.graph.kind == GraphKind::RequestOverride {
        return None;
    }
    Some(match kind {
        ComponentType::Frontend => (&["python3"], vec!["-m".to_owned(), "dynamo.frontend".to_owned()]),
        ComponentType::Epp => (&[], epp_args(ctx)),
        _ => (&["/bin/sh", "-c"], Vec::new()),
    })
}

fn epp_args(ctx: &Context<'_>) -> Vec<String> {
    let namespace = k8s_namespace(ctx).unwrap_or_else(|_| "$(POD_NAMESPACE)".to_owned());
    let pool = format!("{}-pool", ctx.graph.object.name);
    [
        "--pool-name",
        &pool,
        "--pool-namespace",
        &namespace,
        "--pool-group",
        "inference.networking.k8s.io",
        "-v",
        "4",
        "--zap-encoder",
        "json",
        "--grpc-port",
        "9002",
        "--grpc-health-port",
        "9003",
        "--config-file",
        "/etc/epp/epp-config-dynamo.yaml",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Env that the operator sets whatever the user says (reference §2.7, §2.8).
pub(super) fn forced(ctx: &Context<'_>, component: &Component, layers: &mut Layers) {
    let worker =
        matches!(component.component_type, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode);
    if !worker {
        return;
    }
    kv_policy(ctx, component, layers);

    let at = component.name.span;
    let words = RawCommand::of(component);
    let backend = words.backend().or_else(|| {
        let said = ctx.graph.backend_framework.as_ref()?;
        super::role::framework(&format!("dynamo.{}", said.value))
    });
    let nodes = component.node_count.map_or(1, |n| n.value);
    let mut set = |name: &str, value: Fact<Text>| layers.operator(Layer::OperatorForced, name, value);
    let known = |value: &str| Fact::Known(text(value, at));
    let pod_ip = || Fact::Dynamic(Reason::Downward("status.podIP".to_owned()));

    if backend == Some(Framework::Vllm) {
        if nodes > 1 && multiprocessing(ctx, component) {
            set("VLLM_NIXL_SIDE_CHANNEL_HOST", pod_ip());
        }
        let elastic = words.has("--enable-elastic-ep")
            && (words.has("--data-parallel-backend") || words.has("-dpb"))
            && words.has("ray");
        if nodes <= 1 && elastic && !component.main.command.items.is_empty() {
            set("POD_IP", pod_ip());
            set("VLLM_DP_MASTER_IP", pod_ip());
        }
        if let Some((_, mount)) = &component.compilation_cache {
            let path = mount.as_ref().map(|m| m.value.as_str()).filter(|p| !p.is_empty());
            set("VLLM_CACHE_ROOT", known(path.unwrap_or("/root/.cache/vllm")));
        }
    }
    if backend == Some(Framework::Trtllm) && nodes > 1 {
        set("OMPI_MCA_orte_keep_fqdn_hostnames", known("1"));
    }

    let enabled = |key: &str| {
        let node = component.experimental.as_ref()?.get(key).filter(|n| n.as_map().is_some())?;
        // v1alpha1 has a switch, in v1beta1 presence is on.
        let on = match ctx.graph.shape {
            ApiVersion::V1Alpha1 => node.get("enabled").and_then(Node::as_bool) == Some(true),
            ApiVersion::V1Beta1 => true,
        };
        on.then_some(node)
    };
    let inter_pod =
        |node: &Node| node.get("mode").and_then(Node::as_text).is_some_and(|m| m.eq_ignore_ascii_case("interpod"));
    if let Some(memory) = enabled("gpuMemoryService") {
        set("GMS_SOCKET_DIR", known(if inter_pod(memory) { "/run/gms/shared" } else { "/gms-intrapod-control" }));
    }
    if let Some(failover) = enabled("failover") {
        let engine = || Fact::Dynamic(Reason::Cluster("one of several engines of the pod".to_owned()));
        for name in ["ENGINE_ID", "FAILOVER_LOCK_PATH"] {
            set(name, engine());
        }
        set("DYN_SYSTEM_STARTING_HEALTH_STATUS", known("notready"));
        set("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS", Fact::Unset);
        if backend == Some(Framework::Vllm) {
            set("DYN_VLLM_GMS_SHADOW_MODE", known("true"));
        }
        if !inter_pod(failover) {
            for name in ["CONTAINER_NAME", "DYN_SYSTEM_PORT", "DYN_FORWARDPASS_METRIC_PORT"] {
                set(name, engine());
            }
            set("DYN_SYSTEM_ENABLED", known("true"));
            set("DYN_HEALTH_CHECK_ENABLED", Fact::Unset);
            if backend == Some(Framework::Vllm) {
                for name in ["VLLM_NIXL_SIDE_CHANNEL_PORT", "DYN_VLLM_KV_EVENT_PORT"] {
                    set(name, engine());
                }
            }
        }
    }
}

/// Whether a vLLM engine over several nodes runs by multiprocessing rather than by Ray: as annotated, else since
/// operator 1.0, whose version admission writes into every new graph, not into a component on its own
/// (`backend_vllm.go:356-376`).
fn multiprocessing(ctx: &Context<'_>, component: &Component) -> bool {
    match annotation(ctx, component, EXECUTOR_BACKEND).map(str::to_ascii_lowercase).as_deref() {
        Some("mp") => true,
        Some("ray") => false,
        _ => match annotation(ctx, component, ORIGIN_VERSION) {
            Some(version) => Version::parse(version).is_some_and(|v| v >= Version::new(1, 0)),
            None if ctx.graph.kind == GraphKind::Component => false,
            None => ctx.options.cluster.operator_version.is_none_or(|v| v >= Version::new(1, 0)),
        },
    }
}

/// The five names of a KV transfer policy: the user's values are removed (`graph.go:2171-2262`).
fn kv_policy(ctx: &Context<'_>, component: &Component, layers: &mut Layers) {
    let Some(policy) = &ctx.graph.kv_transfer_policy else { return };
    let field = |key: &str| policy.get(key).and_then(Node::as_text).filter(|t| !t.is_empty());
    if field("labelKey").is_none() && field("clusterTopologyName").is_none() {
        return;
    }
    let at = component.name.span;
    let fixed = |value: &str| Fact::Known(text(value, at));
    let of = |node: Option<&Node>| node.map(|n| Fact::Known(super::expand::text(n, ctx.sources)));
    let values = [
        (
            "DYN_KV_TRANSFER_DOMAIN",
            of(policy.get("domain"))
                .unwrap_or_else(|| Fact::Dynamic(Reason::Cluster("the topology of the KV transfer policy".to_owned()))),
        ),
        ("DYN_KV_TRANSFER_ENFORCEMENT", of(policy.get("enforcement")).unwrap_or_else(|| fixed("required"))),
        ("DYN_TOPOLOGY_ENABLED", fixed("true")),
        ("DYN_TOPOLOGY_MOUNT_PATH", fixed("/etc/dynamo/topology")),
        ("DYN_KV_TRANSFER_PREFERRED_WEIGHT", of(policy.get("preferredWeight")).unwrap_or(Fact::Unset)),
    ];
    for (name, value) in values {
        if !value.is_unset() || layers.has(name) {
            layers.operator(Layer::OperatorForced, name, value);
        }
    }
}

fn text(value: &str, at: Span) -> Text {
    super::expand::implied(value, at).text
}

const fn type_name(kind: &ComponentType) -> &str {
    match kind {
        ComponentType::Frontend => "frontend",
        ComponentType::Worker => "worker",
        ComponentType::Prefill => "prefill",
        ComponentType::Decode => "decode",
        ComponentType::Planner => "planner",
        ComponentType::Epp => "epp",
        ComponentType::Unset => "",
        ComponentType::Other(other) => other.as_str(),
    }
}

/// The graph's name as the cluster will have it.
fn object_name<'a>(ctx: &Context<'a>) -> Result<&'a str, Reason> {
    let name = ctx.graph.object.name.as_str();
    if let Some(found) = super::expand::placeholder(name) {
        return Err(Reason::Placeholder(found.to_owned()));
    }
    let unnamed = name.is_empty() || ctx.graph.kind == GraphKind::RequestOverride;
    if unnamed { Err(Reason::Cluster("the name of the deployment".to_owned())) } else { Ok(name) }
}

fn k8s_namespace(ctx: &Context<'_>) -> Result<String, Reason> {
    match ctx.graph.object.namespace.as_deref() {
        Some(name) => match super::expand::placeholder(name) {
            Some(found) => Err(Reason::Placeholder(found.to_owned())),
            None => Ok(name.to_owned()),
        },
        None => match &ctx.options.cluster.namespace {
            Some(name) => Ok(name.clone()),
            None => Err(Reason::Cluster("the Kubernetes namespace".to_owned())),
        },
    }
}

/// `{k8s namespace}-{name}`, or `dynamo` with `globalDynamoNamespace` (`dynamocomponentdeployment_types.go:403-409`).
fn dynamo_namespace(ctx: &Context<'_>, component: &Component) -> Fact<Text> {
    let at = component.name.span;
    if component.global_namespace {
        return Fact::Known(text("dynamo", at));
    }
    match (k8s_namespace(ctx), object_name(ctx)) {
        (Ok(namespace), Ok(name)) => Fact::Known(text(&format!("{namespace}-{}", name.replace('.', "-")), at)),
        (Err(reason), _) | (_, Err(reason)) => Fact::Dynamic(reason),
    }
}

/// A rendering annotation: of the pod template, else of the graph.
fn annotation<'a>(ctx: &'a Context<'_>, component: &'a Component, key: &str) -> Option<&'a str> {
    let of = |list: &'a [(String, Span, Node)]| list.iter().find(|(k, ..)| k == key).and_then(|(.., v)| v.as_text());
    of(&component.annotations).or_else(|| of(&ctx.graph.annotations))
}

/// Whether the deployment becomes a PodCliqueSet of Grove rather than component deployments
/// (`dynamographdeployment_handler.go:165-180`). A component that stands alone never does.
fn grove(ctx: &Context<'_>) -> bool {
    if ctx.graph.kind == GraphKind::Component {
        return false;
    }
    match metadata_annotation(ctx, WORKLOAD_PROVIDER) {
        Some("grove") => true,
        Some("component") => false,
        _ => {
            let off = metadata_annotation(ctx, ENABLE_GROVE).is_some_and(|v| v.eq_ignore_ascii_case("false"));
            ctx.options.cluster.grove && !off
        }
    }
}

/// The discovery backend by precedence. Of Grove: the graph's metadata, else the operator's default; the pod template
/// is overwritten (`graph.go:2623`, `2652-2654`). Of components: the pod template, the graph's metadata, its
/// `spec.annotations`, the operator's default.
fn discovery_backend<'a>(ctx: &'a Context<'_>, component: &'a Component) -> &'a str {
    let said = if grove(ctx) {
        metadata_annotation(ctx, DISCOVERY_BACKEND)
    } else {
        annotation(ctx, component, DISCOVERY_BACKEND)
    };
    said.unwrap_or(&ctx.options.cluster.discovery_backend)
}

/// An annotation of the graph's own metadata.
fn metadata_annotation<'a>(ctx: &Context<'a>, key: &str) -> Option<&'a str> {
    ctx.graph.object.node.at(&["metadata", "annotations", key]).and_then(Node::as_text)
}

/// `command` and `args` as written: all that the operator looks at.
struct RawCommand<'a>(Vec<&'a str>);

impl<'a> RawCommand<'a> {
    fn of(component: &'a Component) -> Self {
        let main = &component.main;
        Self(main.command.items.iter().chain(&main.args.items).filter_map(Node::as_text).collect())
    }

    /// Whether a word of the command line is exactly that.
    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|text| text.split_ascii_whitespace().any(|w| w == word))
    }

    /// The backend by the operator's three expressions
    /// (`python[0-9.]*\s+[^|&;]*-m\s+[^|&;]*dynamo\.(vllm|sglang|trtllm)`, `graph.go:3019-3104`).
    fn backend(&self) -> Option<Framework> {
        let joined = self.0.join(" ");
        let mut found = None;
        for segment in joined.split(['|', '&', ';']) {
            let Some(python) = segment.find("python") else { continue };
            let Some(flag) = segment[python..].find("-m").map(|at| python + at + 2) else { continue };
            for (name, framework) in [
                ("dynamo.vllm", Framework::Vllm),
                ("dynamo.sglang", Framework::Sglang),
                ("dynamo.trtllm", Framework::Trtllm),
            ] {
                if segment[flag..].contains(name) {
                    found = Some(framework);
                }
            }
        }
        found
    }
}
