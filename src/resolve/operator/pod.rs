//! The pods that the operator makes of a component, step by step as `GenerateBasePodSpec` does (`graph.go:1645-1811`).

use serde_json::{Value, json};

use super::backend::{RawCommand, backend, multiprocessing};
use super::forced::{self, Mode};
use super::inject::Words;
use super::merge::{self, fixed, list, name, put, take_list};
use super::nodes::{Deployer, Member, PodRole, elastic_ray};
use super::volumes::push;
use super::{base, defaults, deployment_config, discovery_backend, grove, memory, shown_name, user, volumes};
use crate::command::Args;
use crate::manifest::{Component, ComponentType, EnvEntry, GraphKind};
use crate::resolve::env::Context;
use crate::resolve::{Framework, launch, version};
use crate::source::{Fact, Reason, Span, Text};
use crate::yaml;

/// Name of the Secret with mpirun's keys, as the platform chart calls it.
const SSH_SECRET: &str = "mpi-run-ssh-secret";

/// Why pods that share GPUs across pods are not spelt out: how many there are, and which claim and which host directory
/// they share, depends on rank and replica as Grove numbers them.
const INTER_POD: &str = "the GPU memory service: pods of its own by rank, their claims and host directories";
/// Why a checkpoint is not spelt out: whether there is one, and for which spec, only the cluster knows.
const CHECKPOINT: &str = "what a restore from a checkpoint needs, when the operator's checkpoint gate is on";

/// What becomes of a component.
#[derive(Clone, Debug, Default)]
pub struct Pods {
    /// `PodCliqueSet`, `LeaderWorkerSet` or `Deployment`: the kind of object that starts the pods.
    pub workload: &'static str,
    /// The kinds of pod of one replica.
    pub pods: Vec<Pod>,
    /// What the operator refuses to render, in words.
    pub problems: Vec<String>,
    /// What is added besides, but not spelt out here.
    pub besides: Vec<&'static str>,
}

/// One kind of pod of a component.
#[derive(Clone, Debug)]
pub struct Pod {
    /// What it is within the component.
    pub role: PodRole,
    /// How many of it a replica has.
    pub count: u32,
    /// Its spec, before the API server's own defaults. What only the cluster knows stands in angle brackets.
    pub spec: Value,
    /// Its spec as the manifest says it, in the same shape.
    pub written: Value,
}

impl Pod {
    /// Options of the Dynamo process of its main container, those that the operator gives it included; `None` when there
    /// is no such process. All of it stands for `at`.
    #[must_use]
    pub fn args(&self, at: Span) -> Option<Args> {
        launch::rendered(&self.spec, at)
    }
}

/// Renders a component.
pub(in crate::resolve) fn pods(ctx: &Context<'_>, component: &Component) -> Pods {
    let nodes = component.node_count.map_or(1, |n| n.value).max(1);
    let grove = grove(ctx);
    let workload = match (grove, nodes > 1) {
        (true, _) => "PodCliqueSet",
        (false, true) => "LeaderWorkerSet",
        (false, false) => "Deployment",
    };
    let mut out = Pods { workload, ..Pods::default() };
    if ctx.graph.kind == GraphKind::RequestOverride {
        out.problems.push("the rest of the deployment is generated in the cluster".to_owned());
        return out;
    }
    let worker =
        matches!(component.component_type, ComponentType::Worker | ComponentType::Prefill | ComponentType::Decode);
    let framework = if worker {
        backend(ctx, component).unwrap_or_else(|problem| {
            out.problems.push(problem);
            None
        })
    } else {
        None
    };
    if forced::memory_service(ctx, component) == Some(Mode::InterPod) {
        out.besides.push(INTER_POD);
    }
    if forced::checkpoint(component) {
        out.besides.push(CHECKPOINT);
    }
    if let Some(Err(problem)) = deployment_config::of(ctx, component) {
        out.problems.push(problem);
    }
    let deployer = if grove { Deployer::Grove(&component.name.value) } else { Deployer::Lws };
    let gpus = version::container_gpus(ctx, component);
    let gpus = match gpus {
        Fact::Known(gpus) => gpus,
        Fact::Dynamic(reason) if nodes > 1 => {
            out.problems.push(format!("the GPUs of a pod are not known: {reason}"));
            0
        }
        _ => 0,
    };
    let roles: &[(PodRole, u32)] =
        if nodes > 1 { &[(PodRole::Leader, 1), (PodRole::Worker, nodes - 1)] } else { &[(PodRole::Main, 1)] };
    for &(role, count) in roles {
        let member = Member { deployer, role, nodes, gpus };
        let render = Render { ctx, component, framework, member, worker };
        match render.pod() {
            Ok(pod) => out.pods.push(Pod { count, ..pod }),
            Err(problem) => {
                if !out.problems.contains(&problem) {
                    out.problems.push(problem);
                }
            }
        }
    }
    out
}

struct Render<'a, 'b> {
    ctx: &'a Context<'b>,
    component: &'a Component,
    framework: Option<Framework>,
    member: Member<'a>,
    worker: bool,
}

impl Render<'_, '_> {
    fn pod(&self) -> Result<Pod, String> {
        let (ctx, component) = (self.ctx, self.component);
        let mut written = Value::Object(user::main(ctx.graph, component));
        let sidecars = user::sidecars(component);
        let mut spec_written = Value::Object(user::pod(component));

        let mut main = base::container(ctx, &component.component_type);
        put(&mut main, "env", Value::Array(self.defaults(&component.component_type)));
        self.graph_env(&mut written);
        let mut said = written.clone();
        self.policy(&mut said);
        merge::container(&mut main, &said);
        if let Some(Ok(config)) = deployment_config::of(ctx, component) {
            config.apply(&mut main);
        }
        let cache = self.cache();
        if let Some((claim, at)) = &cache {
            let at = at.as_deref().ok_or("`compilationCache.mountPath` is required for this engine")?;
            volumes::compilation_cache(claim, at, &mut main)?;
        }
        for mount in list(&main, "volumeMounts") {
            if name(mount).is_empty() || volumes::path(mount).is_empty() {
                return Err(format!("a volume mount of `{}` lacks its name or path", component.name.value));
            }
        }
        self.infrastructure(&mut main);
        let shared_mounts = list(&main, "volumeMounts").to_vec();
        self.engine(&mut main)?;

        let mut pod = base::pod(ctx, component);
        merge::over(&mut pod, &spec_written);
        if spec_written.get("securityContext").is_none() {
            put(&mut pod, "securityContext", json!({"fsGroup": 1000}));
        }
        if discovery_backend(ctx, component) == "kubernetes" && pod.get("serviceAccountName").is_none() {
            put(&mut pod, "serviceAccountName", json!(format!("{}-k8s-service-discovery", shown_name(ctx))));
        }
        if let Some((claim, _)) = &cache {
            volumes::cache_volume(claim, &mut pod);
        }
        volumes::shared_memory(component, &mut pod, &mut main);
        let mut sidecars_rendered = sidecars.iter().map(|s| self.sidecar(s, &shared_mounts)).collect::<Vec<_>>();
        self.around(&main, &mut pod);
        volumes::claims(&mut pod, list(&main, "volumeMounts"));
        self.topology(&mut main, &mut pod);

        if forced::memory_service(ctx, component) == Some(Mode::IntraPod) && self.worker {
            let template = format!("{}-{}-gpu", shown_name(ctx), component.name.value.to_ascii_lowercase());
            let clients = forced::memory_clients(component);
            memory::share(&mut main, &mut sidecars_rendered, &clients, &template, &mut pod);
        }

        let mut containers = match forced::failover_mode(ctx, component) {
            Some(Mode::IntraPod) => engines(&main, self.framework, self.member.nodes)?,
            _ => vec![main],
        };
        containers.extend(sidecars_rendered);
        put(&mut pod, "containers", Value::Array(containers));

        put(&mut written, "name", json!("main"));
        put(&mut spec_written, "containers", Value::Array(std::iter::once(written).chain(sidecars).collect()));
        Ok(Pod { role: self.member.role, count: 1, spec: pod, written: spec_written })
    }

    /// The defaults of a component type as entries of an `env` list.
    fn defaults(&self, kind: &ComponentType) -> Vec<Value> {
        let mut out = Vec::new();
        let infrastructure: Vec<&str> = self.ctx.options.cluster.infrastructure().map(|(name, _)| name).collect();
        defaults(self.ctx, self.component, kind, |name, value| {
            if !infrastructure.contains(&name) {
                out.extend(entry(name, &value));
            }
        });
        out
    }

    /// `spec.env` below the container's own (`graph.go:2145-2169`).
    fn graph_env(&self, said: &mut Value) {
        let graph: Vec<Value> = self.ctx.graph.env.iter().map(|e: &EnvEntry| yaml::json(&e.node)).collect();
        if !graph.is_empty() {
            let own = take_list(said, "env");
            put(said, "env", Value::Array(merge::env(graph, own)));
        }
    }

    /// The KV transfer policy in place of what the user says of it (`graph.go:2171-2262`).
    fn policy(&self, said: &mut Value) {
        let policy = if self.worker { forced::kv_policy(self.ctx, self.component) } else { Vec::new() };
        if policy.is_empty() {
            return;
        }
        let mut env = take_list(said, "env");
        env.retain(|e| !policy.iter().any(|(forced, _)| *forced == name(e)));
        env.extend(policy.iter().filter_map(|(name, value)| entry(name, value)));
        put(said, "env", Value::Array(env));
    }

    /// Addresses of the operator's configuration, unless the container has its own.
    fn infrastructure(&self, container: &mut Value) {
        let common: Vec<Value> = self
            .ctx
            .options
            .cluster
            .infrastructure()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        if !common.is_empty() {
            let own = take_list(container, "env");
            put(container, "env", Value::Array(merge::env(common, own)));
        }
    }

    /// The claim of the compilation cache and where it is mounted.
    fn cache(&self) -> Option<(String, Option<String>)> {
        let (claim, at) = self.component.compilation_cache.as_ref()?;
        let at = at.as_ref().map(|at| at.value.clone()).filter(|at| !at.is_empty());
        let vllm = self.framework == Some(Framework::Vllm);
        Some((claim.value.clone(), at.or_else(|| vllm.then(|| forced::VLLM_CACHE.to_owned()))))
    }

    /// Rewrites the main container for its engine.
    fn engine(&self, main: &mut Value) -> Result<(), String> {
        let component = self.component;
        let member = &self.member;
        let mut words = Words { command: strings(main, "command"), args: strings(main, "args") };
        if member.deployer == Deployer::Lws && member.nodes > 1 && (words.command.is_empty() || words.args.is_empty()) {
            return Err("a LeaderWorkerSet needs both `command` and `args` on `main`".to_owned());
        }
        let before = words.clone();
        let worker = member.role == PodRole::Worker;
        let many = member.nodes > 1;
        match self.framework {
            Some(Framework::Vllm) => {
                if forced::memory_service(self.ctx, component) == Some(Mode::InterPod)
                    && !words.has("--load-format", "gms")
                {
                    words.inject("--load-format gms", false, "vllm");
                }
                if many {
                    member.vllm(&mut words, multiprocessing(self.ctx, component));
                } else if RawCommand::of(component).elastic() {
                    elastic_ray(&mut words, PodRole::Main, "");
                }
                if many && worker {
                    drop_probes(main, &["livenessProbe", "readinessProbe", "startupProbe"]);
                }
            }
            Some(Framework::Sglang) if many => {
                member.sglang(&mut words);
                if worker {
                    drop_probes(main, &["livenessProbe", "readinessProbe", "startupProbe"]);
                }
            }
            Some(Framework::Trtllm) if many => {
                if worker {
                    drop_probes(main, &["livenessProbe", "startupProbe"]);
                    let probe = r#"{"tcpSocket": {"port": 2222}, "initialDelaySeconds": 20, "periodSeconds": 20,
                        "timeoutSeconds": 5, "failureThreshold": 10}"#;
                    put(main, "readinessProbe", fixed(probe));
                }
                push(main, "volumeMounts", json!({"name": SSH_SECRET, "mountPath": "/ssh-pk", "readOnly": true}));
            }
            _ => {}
        }
        for (name, value) in forced::engine(self.ctx, component, self.framework) {
            if let Some(entry) = entry(name, &value) {
                push(main, "env", entry);
            }
        }
        if self.framework == Some(Framework::Trtllm) && many {
            let env: Vec<String> = list(main, "env").iter().map(|e| name(e).to_owned()).collect();
            member.trtllm(&mut words, &env);
        }
        if words != before {
            put(main, "command", json!(words.command));
            put(main, "args", json!(words.args));
        }
        Ok(())
    }

    /// What the engine adds to the pod around the container.
    fn around(&self, main: &Value, pod: &mut Value) {
        if self.member.nodes <= 1 {
            return;
        }
        if self.framework == Some(Framework::Trtllm) {
            push(pod, "volumes", json!({"name": SSH_SECRET, "secret": {"secretName": SSH_SECRET, "defaultMode": 420}}));
        }
        let words = Words { command: strings(main, "command"), args: strings(main, "args") };
        let waits = self.framework == Some(Framework::Vllm)
            && self.member.role == PodRole::Worker
            && words.has("--distributed-executor-backend", "mp");
        if !waits {
            return;
        }
        let map = format!("{}-wait-leader-script", shown_name(self.ctx));
        push(pod, "volumes", json!({"name": "wait-leader-script", "configMap": {"name": map}}));
        let leader = self.member.deployer.leader().replace("$(", "${").replace(')', "}");
        let script = format!(
            "export LEADER_HOST=\"{leader}\" LEADER_PORT=\"29500\" && exec python3 /scripts/wait-for-leader.py"
        );
        let mut wait = json!({
            "name": "wait-for-leader-mp",
            "command": ["sh", "-c", script],
            "volumeMounts": [{"name": "wait-leader-script", "mountPath": "/scripts", "readOnly": true}],
        });
        if let Some(image) = main.get("image") {
            put(&mut wait, "image", image.clone());
        }
        push(pod, "initContainers", wait);
    }

    /// The frontend sidecar gets the frontend's defaults; any other container stays as it is (`graph.go:1976-2007`).
    fn sidecar(&self, written: &Value, mounts: &[Value]) -> Value {
        let wanted = self.component.frontend_sidecar.as_ref().map(|n| n.value.as_str());
        if wanted != Some(name(written)) {
            return written.clone();
        }
        let mut out = base::container(self.ctx, &ComponentType::Frontend);
        let env = self.defaults(&ComponentType::Frontend);
        merge::over(&mut out, written);
        put(&mut out, "env", Value::Array(merge::env(env, list(written, "env").to_vec())));
        self.infrastructure(&mut out);
        for mount in mounts {
            if !list(&out, "volumeMounts").iter().any(|have| name(have) == name(mount)) {
                push(&mut out, "volumeMounts", mount.clone());
            }
        }
        out
    }

    /// The volume behind `DYN_TOPOLOGY_MOUNT_PATH` (`graph.go:2171-2262`).
    fn topology(&self, main: &mut Value, pod: &mut Value) {
        if !self.worker || forced::kv_policy(self.ctx, self.component).is_empty() {
            return;
        }
        push(main, "volumeMounts", fixed(r#"{"name": "topology-labels", "mountPath": "/etc/dynamo/topology"}"#));
        let volume = r#"{"name": "topology-labels", "downwardAPI": {"items": [
            {"path": "<domain>", "fieldRef": {"fieldPath": "metadata.labels['<topology label>']"}}]}}"#;
        push(pod, "volumes", fixed(volume));
    }
}

/// The two engines of a pod with failover (`failover.go:430-525`, `failover_vllm.go:24-56`).
fn engines(main: &Value, framework: Option<Framework>, nodes: u32) -> Result<Vec<Value>, String> {
    if framework != Some(Framework::Vllm) {
        return Err("failover within a pod is supported for vLLM only".to_owned());
    }
    const REPLACED: [&str; 6] = [
        "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS",
        "DYN_SYSTEM_PORT",
        "DYN_SYSTEM_ENABLED",
        "DYN_HEALTH_CHECK_ENABLED",
        "CONTAINER_NAME",
        "DYN_FORWARDPASS_METRIC_PORT",
    ];
    let engine = |id: u32| {
        let mut out = main.clone();
        let (own, port) = (format!("engine-{id}"), format!("system-{id}"));
        put(&mut out, "name", json!(own));
        put(&mut out, "ports", json!([{"name": port, "containerPort": 9090 + id, "protocol": "TCP"}]));
        let mut env = take_list(&mut out, "env");
        env.retain(|e| !REPLACED.contains(&name(e)));
        let mut set = |name: &str, value: String| env.push(json!({"name": name, "value": value}));
        set("ENGINE_ID", id.to_string());
        set("CONTAINER_NAME", own);
        set("FAILOVER_LOCK_PATH", format!("{}/failover.lock", forced::CONTROL));
        set("DYN_SYSTEM_STARTING_HEALTH_STATUS", "notready".to_owned());
        set("DYN_SYSTEM_PORT", (9090 + id).to_string());
        set("DYN_SYSTEM_ENABLED", "true".to_owned());
        set("DYN_FORWARDPASS_METRIC_PORT", (20_380 + id).to_string());
        set("DYN_VLLM_GMS_SHADOW_MODE", "true".to_owned());
        set("VLLM_NIXL_SIDE_CHANNEL_PORT", (5600 + id).to_string());
        set("DYN_VLLM_KV_EVENT_PORT", (20_080 + id).to_string());
        if nodes > 1 {
            set("NNODES", nodes.to_string());
        }
        put(&mut out, "env", Value::Array(env));
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            if let Some(http) = out.get_mut(probe).and_then(|p| p.get_mut("httpGet")) {
                put(http, "port", json!(port));
            }
        }
        if id > 0 {
            stagger_master_port(&mut out, 29_500 + 100 * id);
        }
        out
    };
    Ok((0..2).map(engine).collect())
}

/// A second engine of the pod gets a master port of its own.
fn stagger_master_port(container: &mut Value, port: u32) {
    let mut args = strings(container, "args");
    let flag = "--master-port";
    if let Some(at) = args.iter().position(|arg| arg == flag).filter(|at| at + 1 < args.len()) {
        args[at + 1] = port.to_string();
    } else if let Some(arg) = args.iter_mut().find(|arg| arg.starts_with("--master-port=")) {
        *arg = format!("{flag}={port}");
    } else {
        args.extend([flag.to_owned(), port.to_string()]);
    }
    put(container, "args", json!(args));
}

fn drop_probes(container: &mut Value, names: &[&str]) {
    if let Some(map) = container.as_object_mut() {
        map.retain(|key, _| !names.contains(&key.as_str()));
    }
}

fn strings(container: &Value, key: &str) -> Vec<String> {
    list(container, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An entry of an `env` list for a value of the operator's own; none for one that is taken away.
fn entry(name: &str, value: &Fact<Text>) -> Option<Value> {
    Some(match value {
        Fact::Known(text) => json!({"name": name, "value": text.as_str()}),
        Fact::Dynamic(Reason::Downward(path)) => {
            json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}})
        }
        Fact::Dynamic(Reason::Placeholder(what)) => json!({"name": name, "value": what}),
        Fact::Dynamic(Reason::Cluster(what)) => json!({"name": name, "value": format!("<{what}>")}),
        Fact::Dynamic(reason) => json!({"name": name, "value": format!("<{reason}>")}),
        Fact::Unset => return None,
    })
}
