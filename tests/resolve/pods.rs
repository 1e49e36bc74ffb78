//! Pods as the operator renders them, one statement of its behaviour at a time.

use serde_json::{Value, json};

use super::{Resolved, worker};
use dynlint::report;
use dynlint::resolve::wire::{self, Resolve};
use dynlint::resolve::{Cluster, Options, Pods};

fn pods(text: &str, service: &str) -> Pods {
    pods_with(text, service, Cluster::default())
}

fn pods_with(text: &str, service: &str, cluster: Cluster) -> Pods {
    let resolved = Resolved::with(text, &Options { cluster, ..Options::default() });
    let found = resolved.deployments.iter().find_map(|d| Some(d.pods(d.services.iter().find(|s| s.name == service)?)));
    found.expect("the service")
}

/// The only pod of a service.
fn pod(text: &str, service: &str) -> Value {
    let mut made = pods(text, service);
    assert_eq!(made.problems, Vec::<String>::new());
    made.pods.remove(0).spec
}

fn main(text: &str) -> Value {
    pod(text, "W")["containers"][0].clone()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

fn env<'a>(container: &'a Value, name: &str) -> Option<&'a Value> {
    container["env"].as_array()?.iter().rev().find(|e| e["name"] == name)
}

/// A v1beta1 component with these fields beside the main container's.
fn component(kind: &str, fields: &str, container: &str) -> String {
    let fields = fields.trim_matches('\n').replace('\n', "\n    ");
    worker(kind, container).replace("    podTemplate:\n", &format!("    {fields}\n    podTemplate:\n"))
}

const VLLM: &str = "command: [python3, -m, dynamo.vllm]";

#[test]
fn shared_memory_belongs_to_the_operator() {
    let own = format!(
        "{VLLM}\nvolumeMounts: [{{name: dshm, mountPath: /dev/shm}}, {{name: shared-memory, mountPath: /x}}, {{name: data, mountPath: /data}}]"
    );
    let text = worker("worker", &own).replace(
        "      spec:\n        containers",
        "      spec:\n        volumes: [{name: dshm, emptyDir: {sizeLimit: 64Gi}}, {name: shared-memory, emptyDir: {}}]\n        containers",
    );
    let made = pod(&text, "W");
    assert_eq!(names(&made["containers"][0]["volumeMounts"]), ["data", "shared-memory"]);
    assert_eq!(made["containers"][0]["volumeMounts"][1], json!({"name": "shared-memory", "mountPath": "/dev/shm"}));
    // The user's volume stays, unmounted; a mount without a volume stands for the claim of its name.
    assert_eq!(names(&made["volumes"]), ["data", "shared-memory", "dshm"]);
    assert_eq!(made["volumes"][0]["persistentVolumeClaim"]["claimName"], "data");
    assert_eq!(made["volumes"][1]["emptyDir"], json!({"medium": "Memory", "sizeLimit": "8Gi"}));

    let sized = text.replace("    podTemplate:", "    sharedMemorySize: 80Gi\n    podTemplate:");
    assert_eq!(pod(&sized, "W")["volumes"][1]["emptyDir"]["sizeLimit"], "80Gi");
    let off = text.replace("    podTemplate:", "    sharedMemorySize: \"0\"\n    podTemplate:");
    assert_eq!(names(&pod(&off, "W")["containers"][0]["volumeMounts"]), ["dshm", "shared-memory", "data"]);
}

#[test]
fn compilation_cache() {
    let cached = |fields: &str, container: &str| component("worker", fields, container);
    let made = pod(&cached("compilationCache: {pvcName: cc}", VLLM), "W");
    let container = &made["containers"][0];
    assert_eq!(container["volumeMounts"][0], json!({"name": "cc", "mountPath": "/root/.cache/vllm"}));
    assert_eq!(env(container, "VLLM_CACHE_ROOT").expect("set")["value"], "/root/.cache/vllm");
    assert_eq!(made["volumes"][0]["persistentVolumeClaim"]["claimName"], "cc");

    let sglang = "command: [python3, -m, dynamo.sglang]";
    let made = pods(&cached("compilationCache: {pvcName: cc}", sglang), "W");
    assert_eq!(made.problems, ["`compilationCache.mountPath` is required for this engine"]);
    let container = main(&cached("compilationCache: {pvcName: cc, mountPath: /cache}", sglang));
    assert!(env(&container, "VLLM_CACHE_ROOT").is_none(), "only vLLM is told");

    let taken = format!("{VLLM}\nvolumeMounts: [{{name: other, mountPath: /cache}}]");
    let made = pods(&cached("compilationCache: {pvcName: cc, mountPath: /cache}", &taken), "W");
    assert_eq!(made.problems, ["`/cache` of the compilation cache is taken by volume `other`"]);
}

#[test]
fn probes_and_ports_by_type() {
    let container = main(&worker("decode", VLLM));
    assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/live", "port": "system"}));
    assert_eq!(container["startupProbe"]["failureThreshold"], 720);
    assert_eq!(names(&container["ports"]), ["system", "nixl"]);

    let own = format!("{VLLM}\nlivenessProbe: {{tcpSocket: {{port: 1}}}}\nports: [{{name: mine, containerPort: 5}}]");
    let container = main(&worker("decode", &own));
    assert_eq!(container["livenessProbe"], json!({"tcpSocket": {"port": 1}}), "a probe replaces as a whole");
    assert_eq!(names(&container["ports"]), ["mine"], "a list replaces a list");

    assert!(main(&worker("other", VLLM)).get("livenessProbe").is_none());
}

#[test]
fn planner_and_endpoint_picker() {
    let planner = pod(&worker("planner", "args: [\"python3 -m dynamo.planner\"]"), "W");
    assert_eq!(planner["serviceAccountName"], "planner-serviceaccount");
    assert_eq!(planner["containers"][0]["command"], json!(["/bin/sh", "-c"]));
    assert_eq!(names(&planner["containers"][0]["ports"]), ["metrics", "system"]);

    let config = "eppConfig: {configMapRef: {name: mine, key: c.yaml}}";
    let epp = pod(&component("epp", config, "env: [{name: RUST_LOG, value: debug}]"), "W");
    assert_eq!(epp["terminationGracePeriodSeconds"], 130);
    assert_eq!(epp["serviceAccountName"], "epp-serviceaccount");
    let container = &epp["containers"][0];
    assert!(container.get("command").is_none());
    assert_eq!(container["args"][1], "demo-pool");
    assert_eq!(names(&container["volumeMounts"]), ["epp-config", "hf-cache", "shared-memory"]);
    assert_eq!(epp["volumes"][0]["configMap"]["items"][0], json!({"key": "c.yaml", "path": "epp-config-dynamo.yaml"}));
    assert_eq!(epp["volumes"][0]["configMap"]["name"], "mine");

    // Its own mounts replace the defaults: the picker loses its configuration.
    let lost = "volumeMounts: [{name: x, mountPath: /x}]";
    let epp = pod(&component("epp", "eppConfig: {config: {}}", lost), "W");
    assert_eq!(names(&epp["containers"][0]["volumeMounts"]), ["x", "shared-memory"]);
}

#[test]
fn frontend_sidecar() {
    let text = component("worker", "frontendSidecar: side", VLLM).replace(
        "        containers:\n",
        "        containers:\n        - {name: side, image: f:1, env: [{name: DYN_HTTP_PORT, value: \"9\"}]}\n",
    );
    let text = text.replace("spec:\n  components", "spec:\n  env: [{name: GRAPH, value: x}]\n  components");
    let cluster = Cluster { nats_server: Some("nats://n".to_owned()), ..Cluster::default() };
    let made = pods_with(&text, "W", cluster);
    let side = &made.pods[0].spec["containers"][1];
    assert_eq!(side["command"], json!(["python3"]));
    assert_eq!(env(side, "DYN_COMPONENT").expect("set")["value"], "frontend");
    assert_eq!(env(side, "DYN_HTTP_PORT").expect("set")["value"], "9", "its own wins");
    assert_eq!(env(side, "NATS_SERVER").expect("set")["value"], "nats://n");
    assert!(env(side, "GRAPH").is_none(), "the graph's env reaches the main container only");
    assert!(env(&made.pods[0].spec["containers"][0], "GRAPH").is_some());
}

#[test]
fn kv_transfer_policy() {
    let text = worker("decode", &format!("{VLLM}\nenv: [{{name: DYN_KV_TRANSFER_ENFORCEMENT, value: mine}}]")).replace(
        "spec:\n  components",
        "spec:\n  experimental: {kvTransferPolicy: {labelKey: topology.kubernetes.io/zone, domain: zone, preferredWeight: 0.5}}\n  components",
    );
    let made = pod(&text, "W");
    let container = &made["containers"][0];
    let all = container["env"].as_array().expect("env").iter();
    assert_eq!(all.filter(|e| e["name"] == "DYN_KV_TRANSFER_ENFORCEMENT").count(), 1, "the user's is removed");
    assert_eq!(env(container, "DYN_KV_TRANSFER_ENFORCEMENT").expect("set")["value"], "required");
    assert_eq!(env(container, "DYN_KV_TRANSFER_PREFERRED_WEIGHT").expect("set")["value"], "0.5");
    assert!(names(&made["volumes"]).contains(&"topology-labels"));
    // A frontend has no part in it.
    let frontend = pod(&text.replace("type: decode", "type: frontend"), "W");
    assert!(!names(&frontend["volumes"]).contains(&"topology-labels"));
}

#[test]
fn failover_clones_the_engine() {
    let fields = "experimental: {gpuMemoryService: {mode: IntraPod}, failover: {mode: IntraPod}}";
    let made = pods(&component("worker", fields, VLLM), "W");
    assert!(made.besides.is_empty(), "{made:?}");
    let containers = &made.pods[0].spec["containers"];
    assert_eq!(names(containers), ["engine-0", "engine-1"]);
    let second = &containers[1];
    for (name, value) in [
        ("ENGINE_ID", "1"),
        ("DYN_SYSTEM_PORT", "9091"),
        ("DYN_FORWARDPASS_METRIC_PORT", "20381"),
        ("VLLM_NIXL_SIDE_CHANNEL_PORT", "5601"),
        ("FAILOVER_LOCK_PATH", "/gms-intrapod-control/failover.lock"),
    ] {
        assert_eq!(env(second, name).expect(name)["value"], value);
    }
    assert!(env(second, "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS").is_none());
    assert_eq!(second["args"], json!(["--master-port", "29600"]));
    assert_eq!(second["livenessProbe"]["httpGet"]["port"], "system-1");

    let sglang = component("worker", fields, "command: [python3, -m, dynamo.sglang]");
    assert_eq!(pods(&sglang, "W").problems, ["failover within a pod is supported for vLLM only"]);
}

/// `gms/gms.go:61-119`, `dra.go:44-101`: scalar GPUs become a claim that all clients share, a server stands beside them.
#[test]
fn the_memory_service_of_a_pod() {
    let fields = "experimental: {gpuMemoryService: {mode: IntraPod, extraClientContainers: [loader]}}";
    let container = format!(
        "{VLLM}\nenv: [{{name: GMS_SOCKET_DIR, value: mine}}]\nresources: {{limits: {{nvidia.com/gpu: 2, memory: 8Gi}}, requests: {{nvidia.com/gpu: 2}}}}"
    );
    let text = component("worker", fields, &container).replace(
        "        containers:\n",
        "        containers:\n        - {name: loader, image: l:1, resources: {limits: {nvidia.com/gpu: 1}}}\n        - {name: log, image: l:1}\n",
    );
    let made = pod(&text, "W");
    let (main, loader, log) = (&made["containers"][0], &made["containers"][1], &made["containers"][2]);
    assert_eq!(main["resources"]["limits"], json!({"memory": "8Gi"}));
    assert_eq!(main["resources"]["requests"], json!({}));
    for client in [main, loader] {
        assert_eq!(client["resources"]["claims"], json!([{"name": "intrapod-shared-gpu"}]));
        let all: Vec<&Value> =
            client["env"].as_array().expect("env").iter().filter(|e| e["name"] == "GMS_SOCKET_DIR").collect();
        assert_eq!(all, [&json!({"name": "GMS_SOCKET_DIR", "value": "/gms-intrapod-control"})], "overwritten, once");
        assert!(names(&client["volumeMounts"]).contains(&"gms-intrapod-control"));
    }
    assert!(log.get("resources").is_none() && log.get("env").is_none());
    let claim = json!([{"name": "intrapod-shared-gpu", "resourceClaimTemplateName": "demo-w-gpu"}]);
    assert_eq!(made["resourceClaims"], claim);
    let toleration = json!([{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]);
    assert_eq!(made["tolerations"], toleration);
    let server = &made["initContainers"][0];
    assert_eq!((&server["name"], &server["restartPolicy"]), (&json!("gms-server"), &json!("Always")));
    assert_eq!(server["command"], json!(["python3", "-m", "gpu_memory_service.cli.server"]));

    // Of what is not spelt out, it is said that it is there.
    let across = fields.replace("IntraPod", "InterPod");
    let made = pods(&component("worker", &across, VLLM), "W");
    assert!(made.besides[0].starts_with("the GPU memory service"), "{made:?}");
    assert!(made.pods[0].spec["containers"][0]["args"].to_string().contains("--load-format"));
    let restored = component("worker", "experimental: {checkpoint: {startupPolicy: Immediate}}", VLLM);
    assert!(pods(&restored, "W").besides[0].contains("checkpoint"));
}

/// `graph.go:592-716`: JSON by component; resources are requests and limits, a frontend's port is written in. Read where
/// component deployments are made, so not for Grove and not of one that is written by hand.
#[test]
fn deployment_config() {
    let config = r#"env: [{name: DYN_DEPLOYMENT_CONFIG, value: '{"W": {"ServiceArgs": {"Workers": 4, "Resources": {"CPU": "2", "Memory": "4Gi", "GPU": "3", "custom": {"rdma/ib": "1"}}}, "a": "<b>"}}'}]"#;
    let own = format!("{VLLM}\n{config}\nresources: {{limits: {{nvidia.com/gpu: 8, cpu: 1}}, requests: {{cpu: 1}}}}");
    let component_path = || Cluster { grove: false, ..Cluster::default() };
    let made = pods_with(&worker("worker", &own), "W", component_path());
    let both = json!({"nvidia.com/gpu": "3", "cpu": "2", "memory": "4Gi", "rdma/ib": "1"});
    let container = &made.pods[0].spec["containers"][0];
    assert_eq!((&container["resources"]["limits"], &container["resources"]["requests"]), (&both, &both));
    let resolved =
        Resolved::with(&worker("worker", &own), &Options { cluster: component_path(), ..Options::default() });
    assert_eq!(resolved.service("W").gpus, dynlint::source::Fact::Known(3));
    assert_eq!(resolved.service("W").replicas, dynlint::source::Fact::Known(1), "admission has set one before");
    let grove = pod(&worker("worker", &own), "W");
    assert_eq!(grove["containers"][0]["resources"]["limits"]["nvidia.com/gpu"], json!(8));

    let frontend = worker("frontend", config);
    let made = pods_with(&frontend, "W", component_path());
    let value = &env(&made.pods[0].spec["containers"][0], "DYN_DEPLOYMENT_CONFIG").expect("set")["value"];
    let written = r#"{"W":{"ServiceArgs":{"Resources":{"CPU":"2","GPU":"3","Memory":"4Gi","custom":{"rdma/ib":"1"}},"Workers":4},"a":"\u003cb\u003e","port":8000}}"#;
    assert_eq!(value, written);
    let resolved = Resolved::with(&frontend, &Options { cluster: component_path(), ..Options::default() });
    let seen = resolved.service("W").env.get("DYN_DEPLOYMENT_CONFIG").expect("set").winner().value.clone();
    assert_eq!(seen.known().map(|text| text.as_str().to_owned()), Some(written.to_owned()), "rules see it so too");

    let broken = worker("worker", &own.replace("{\"W\"", "{W"));
    assert!(pods_with(&broken, "W", component_path()).problems[0].starts_with("`DYN_DEPLOYMENT_CONFIG` is not read"));
    let odd = worker("worker", &own.replace("4Gi", "lots"));
    assert!(pods_with(&odd, "W", component_path()).problems[0].contains("`lots` of `memory`"));
}

#[test]
fn what_the_operator_refuses() {
    let text = worker("worker", VLLM);
    let other = text.replace("spec:\n  components", "spec:\n  backendFramework: sglang\n  components");
    assert!(pods(&other, "W").problems[0].starts_with("backend framework mismatch"));
    let two = worker("worker", "command: [sh, -c, 'python3 -m dynamo.vllm & python3 -m dynamo.sglang']");
    assert!(pods(&two, "W").problems[0].starts_with("multiple backend frameworks detected"));
    let nodes = component("worker", "multinode: {}", VLLM);
    let made = pods_with(&nodes, "W", Cluster { grove: false, ..Cluster::default() });
    assert_eq!(made.problems, ["a LeaderWorkerSet needs both `command` and `args` on `main`"]);
    assert_eq!(made.workload, "LeaderWorkerSet");
    assert!(pods(&nodes, "W").problems.is_empty(), "Grove does not mind");
}

#[test]
fn gpus_behind_claims_count_for_the_operator() {
    let template = "---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: four}
spec: {spec: {devices: {requests: [{name: g, exactly: {deviceClassName: gpu.nvidia.com, count: 4}}]}}}
";
    let container = "command: [python3, -m, dynamo.vllm]
args: [--tensor-parallel-size, \"8\"]
resources: {claims: [{name: gpu}]}";
    let text = component("worker", "multinode: {nodeCount: 2}", container).replace(
        "      spec:\n",
        "      spec:\n        resourceClaims: [{name: gpu, resourceClaimTemplateName: four}]\n",
    ) + template;
    let made = pods(&text, "W");
    let args = made.pods[0].spec["containers"][0]["args"].to_string();
    assert!(args.contains("--distributed-executor-backend"), "8 > 4 GPUs a pod: {args}");
}

/// `dra.go:116-341`: each request of a claim once, `count` or one; of a claim only the request that is named; no number
/// where all devices are asked for or alternatives differ.
#[test]
fn gpus_of_claims_are_counted_as_the_operator_counts() {
    let gpus = |requests: &str, claims: &str, scalar: &str| {
        let template = format!(
            "---
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {{name: devices}}
spec: {{spec: {{devices: {{requests: [{requests}]}}}}}}
"
        );
        let container = format!("{VLLM}\nresources: {{claims: [{claims}]{scalar}}}");
        let text = worker("worker", &container).replace(
            "      spec:\n",
            "      spec:\n        resourceClaims: [{name: c, resourceClaimTemplateName: devices}, {name: channel, resourceClaimTemplateName: imex}]\n",
        ) + &template;
        Resolved::of(&text).service("W").gpus.clone()
    };
    use dynlint::source::Fact;
    let two = "{name: a, exactly: {deviceClassName: gpu.nvidia.com, count: 2}}";
    let one = "{name: b, exactly: {deviceClassName: gpu.nvidia.com}}";
    let nic = "{name: n, exactly: {deviceClassName: rdma.nvidia.com, count: 8}}";
    let all = format!("{two}, {one}, {nic}");
    assert_eq!(gpus(&all, "{name: c}", ""), Fact::Known(3));
    assert_eq!(gpus(&all, "{name: c, request: b}", ""), Fact::Known(1));
    assert_eq!(gpus(&all, "{name: c, request: a}, {name: c, request: b}", ""), Fact::Known(3));
    assert_eq!(gpus(&all, "{name: c, request: n}", ""), Fact::Known(0));
    // A channel of a ComputeDomain is no GPU, and scalar GPUs win over any claim.
    assert_eq!(gpus(&all, "{name: channel}", ""), Fact::Known(0));
    assert_eq!(gpus(&all, "{name: c}", ", limits: {nvidia.com/gpu: 7}"), Fact::Known(7));
    let either = |first: u32, second: u32| {
        format!(
            "{{name: e, firstAvailable: [{{name: x, deviceClassName: gpu.nvidia.com, count: {first}}}, {{name: y, deviceClassName: gpu.amd.com, count: {second}}}]}}"
        )
    };
    assert_eq!(gpus(&either(4, 4), "{name: c}", ""), Fact::Known(4));
    assert!(gpus(&either(4, 8), "{name: c}", "").is_dynamic());
    let every = "{name: a, exactly: {deviceClassName: gpu.nvidia.com, allocationMode: All}}";
    assert!(gpus(every, "{name: c}", "").is_dynamic());
}

/// What differs between a PodCliqueSet of Grove and a LeaderWorkerSet: how the leader is found, and who works out the rank
/// (`grove.go:54-94`, `lws.go:17-67`); all else is the same.
#[test]
fn grove_and_leader_worker_sets() {
    let nodes =
        component("worker", "multinode: {nodeCount: 3}", "command: [python3, -m, dynamo.sglang]\nargs: [--tp, \"24\"]");
    let grove = pods(&nodes, "W");
    let lws = pods_with(&nodes, "W", Cluster { grove: false, ..Cluster::default() });
    assert_eq!((grove.workload, lws.workload), ("PodCliqueSet", "LeaderWorkerSet"));
    let args = |made: &Pods, at: usize| made.pods[at].spec["containers"][0]["args"].to_string();
    let host = "$(GROVE_PCSG_NAME)-$(GROVE_PCSG_INDEX)-w-ldr-0.$(GROVE_HEADLESS_SERVICE):29500";
    assert!(args(&grove, 0).contains(host) && args(&grove, 1).contains("$((GROVE_PCLQ_POD_INDEX + 1))"));
    assert_eq!(grove.pods[1].spec["containers"][0]["command"], json!(["sh", "-c"]), "a shell adds one");
    assert!(args(&lws, 0).contains("$(LWS_LEADER_ADDRESS):29500") && args(&lws, 1).contains("$(LWS_WORKER_INDEX)"));
    assert_eq!(
        lws.pods[1].spec["containers"][0]["command"],
        json!(["python3", "-m", "dynamo.sglang"]),
        "none is needed"
    );
    let counts = |made: &Pods| made.pods.iter().map(|pod| pod.count).collect::<Vec<_>>();
    assert_eq!((counts(&grove), counts(&lws)), (vec![1, 2], vec![1, 2]));
    let env = |made: &Pods| made.pods[1].spec["containers"][0]["env"].clone();
    assert_eq!(env(&grove), env(&lws));
    // Both lose the probes of the workers, that do not serve.
    assert!(grove.pods[1].spec["containers"][0].get("livenessProbe").is_none());
}

/// Rules may ask what the engine is told in the end: the recipe's own flags and the operator's, in the order in which the
/// engine reads them (`utils.go:119-180`).
#[test]
fn flags_of_the_operator_are_seen() {
    let of = |container: &str, role: usize| {
        let text = component("worker", "multinode: {nodeCount: 2}", container);
        let resolved = Resolved::of(&text);
        let deployment = &resolved.deployments[0];
        let service = &deployment.services[0];
        let args = deployment.pods(service).pods[role].args(service.span).expect("the engine");
        args.flags
            .iter()
            .map(|f| format!("{} {}", f.name, f.value().and_then(|v| v.as_known()).unwrap_or("?")))
            .collect::<Vec<_>>()
    };
    let script = "command: [sh, -c]\nargs: ['exec python3 -m dynamo.sglang --tp 16 --node-rank 0']\nresources: {limits: {nvidia.com/gpu: 8}}";
    assert_eq!(of(script, 0), ["--dist-init-addr ?", "--nnodes 2", "--node-rank 0", "--tp 16", "--node-rank 0"]);
    assert_eq!(of(script, 1), ["--dist-init-addr ?", "--nnodes 2", "--node-rank ?", "--tp 16", "--node-rank 0"]);
    let list = "command: [python3, -m, dynamo.vllm]\nargs: [--tensor-parallel-size, \"16\"]\nresources: {limits: {nvidia.com/gpu: 8}}";
    let flags = of(list, 1);
    assert_eq!(flags[..2], ["--tensor-parallel-size 16", "--distributed-executor-backend mp"]);
    assert!(flags.contains(&"--headless ?".to_owned()) && flags.contains(&"--nnodes 2".to_owned()), "{flags:?}");
}

const ALPHA: &str = r#"
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec:
  envs: [{name: A, value: graph}, {name: B, value: graph}, {name: C, value: graph}]
  services:
    Gone: null
    W:
      componentType: worker
      subComponentType: decode
      envs: [{name: B, value: service}, {name: C, value: service}]
      envFromSecret: hf
      resources: {limits: {gpu: "4", memory: 8Gi, cpu: lots, custom: {rdma/ib: "1"}}, requests: {gpu: "4", gpuType: amd.com/gpu}}
      volumeMounts: [{name: cache, mountPoint: /cache}]
      livenessProbe: {httpGet: {path: /x, port: 1}, periodSeconds: 7}
      sharedMemory: {size: 16Gi}
      extraPodSpec:
        containers: [{name: main, image: dropped}, {name: log, image: l:1}]
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
          command: [python3, -m, dynamo.vllm]
          env: [{name: C, value: container}]
          resources: {limits: {memory: 9Gi}}
          livenessProbe: {periodSeconds: 9}
"#;

#[test]
fn v1alpha1_is_converted_first() {
    let made = pod(ALPHA, "W");
    assert_eq!(names(&made["containers"]), ["main", "log"]);
    let container = &made["containers"][0];
    for (name, value) in [("A", "graph"), ("B", "service"), ("C", "container"), ("DYN_COMPONENT", "decode")] {
        assert_eq!(env(container, name).expect(name)["value"], value, "{name}");
    }
    assert_eq!(container["envFrom"], json!([{"secretRef": {"name": "hf"}}]));
    assert_eq!(container["resources"]["limits"], json!({"nvidia.com/gpu": "4", "memory": "9Gi", "rdma/ib": "1"}));
    assert_eq!(container["resources"]["requests"], json!({"amd.com/gpu": "4"}));
    assert_eq!(container["livenessProbe"], json!({"httpGet": {"path": "/x", "port": 1}, "periodSeconds": 9}));
    assert_eq!(container["volumeMounts"][0], json!({"name": "cache", "mountPath": "/cache"}));
    assert_eq!(made["volumes"][1]["emptyDir"]["sizeLimit"], "16Gi");

    let replaced = ALPHA.replace("          env:", "          envFrom: [{configMapRef: {name: m}}]\n          env:");
    let made = pod(&replaced, "W");
    assert_eq!(made["containers"][0]["envFrom"], json!([{"configMapRef": {"name": "m"}}]), "the secret is lost");
}

fn wired(text: &str) -> Resolve {
    let resolved = Resolved::of(text);
    Resolve::new(resolved.deployments.iter().map(|d| wire::deployment(d, &resolved.sources)).collect())
}

#[test]
fn what_the_operator_changes_is_listed() {
    let text = component(
        "decode",
        "multinode: {nodeCount: 2}",
        "command: [/bin/sh, -c]
args: [\"exec python3 -m dynamo.vllm --tensor-parallel-size 16\"]
env: [{name: VLLM_NIXL_SIDE_CHANNEL_HOST, value: mine}]
volumeMounts: [{name: dshm, mountPath: /dev/shm}]
resources: {limits: {nvidia.com/gpu: 8}}",
    );
    let wire = wired(&text);
    let operator = &wire.deployments[0].services[0].operator;
    assert_eq!((operator.workload, operator.pods_total, operator.gpus_total), ("PodCliqueSet", Some(2), Some(16)));
    let shown = report::resolve(&wire, report::ResolveOptions::default());
    let section: Vec<&str> =
        shown.lines().skip_while(|l| !l.starts_with("  operator")).take_while(|l| !l.contains(" = ")).collect();
    insta::assert_snapshot!("operator-section", section.join("\n"));
}

#[test]
fn two_manifests_side_by_side() {
    let one = worker(
        "decode",
        "command: [python3, -m, dynamo.vllm]\nargs: [--model, m, --port, \"1\"]\nenv: [{name: UCX_TLS, value: rc}, {name: GONE, value: x}]",
    );
    let other = worker(
        "decode",
        "command: [python3, -m, dynamo.vllm]\nargs: [--port=1, --model, n]\nenv: [{name: UCX_TLS, value: tcp}]",
    )
    .replace("name: demo", "name: renamed");
    let (left, right) = (wired(&one), wired(&other));
    insta::assert_snapshot!("diff", report::unified(&left, &right, ["one.yaml", "other.yaml"], false));
    let keys: Vec<String> = report::differences(&left, &right).into_iter().map(|d| d.key).collect();
    assert!(keys.contains(&"env UCX_TLS".to_owned()) && keys.contains(&"argv --model".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"argv --port".to_owned()), "the spelling of a flag is no difference");
    assert!(report::differences(&left, &left).is_empty());
    assert_eq!(report::unified(&left, &left, ["a", "b"], false), "");
}

/// Where the environment of a DynamoCheckpoint or the job of a request stands, nothing of ours runs.
#[test]
fn a_service_that_is_only_in_one() {
    let one = worker("decode", VLLM);
    let two = format!("{one}  - name: New\n    type: frontend\n");
    let (left, right) = (wired(&one), wired(&two));
    let text = report::unified(&left, &right, ["a", "b"], false);
    assert!(text.contains("@@ demo New @@\n+ role = frontend"), "{text}");
    assert!(
        report::differences(&left, &right).iter().all(|d| d.before.is_none() && d.service.as_deref() == Some("New"))
    );
}
