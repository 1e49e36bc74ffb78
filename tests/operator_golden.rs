//! Pods against what the operator really renders, from its own test data: environment, command, args, resources,
//! volumes, mounts, ports and probes of every container, 100 % equal. Looks for the corpus and is skipped without it.

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{corpus, json};
use dynlint::manifest::{Graph, GraphKind, Object};
use dynlint::resolve::{Cluster, Options, PodRole, Recipe, Service, resolve};
use dynlint::source::{Fact, Reason, Sources};
use dynlint::yaml::{self, Limits};
use serde_json::Value;

/// Deliberate differences: field, and why it is not compared.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("imagePullPolicy", "set by the API server when the Deployment is stored"),
    ("terminationMessagePath", "set by the API server"),
    ("terminationMessagePolicy", "set by the API server"),
    ("dnsPolicy", "set by the API server"),
    ("schedulerName", "set by the API server, or by the scheduler that Grove is configured with"),
    ("serviceAccount", "the deprecated twin of serviceAccountName, set by the API server"),
    ("scheme", "of a probe: set by the API server"),
    ("successThreshold", "of a probe: set by the API server"),
    ("apiVersion", "of a fieldRef: set by the API server"),
];

/// What is not rendered, and why. A deployment that has it is told so (`Pods::besides`), and no golden pair has it.
const NOT_RENDERED: &[(&str, &str, &str)] = &[
    (
        "gpuMemoryService: {mode: InterPod}",
        "the GPU memory service",
        "pods by rank with claims and host directories that Grove numbers in the cluster",
    ),
    (
        "checkpoint: {startupPolicy: Immediate}",
        "checkpoint",
        "behind a gate of the operator; only the cluster has the checkpoint",
    ),
];

/// The exceptions are said to whoever has one of them, and only then.
#[test]
fn what_is_not_rendered_is_said() {
    for (field, said, why) in NOT_RENDERED {
        let text = format!(
            "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {{name: demo}}
spec:
  components:
  - name: W
    type: worker
    experimental: {{{field}}}
    podTemplate: {{spec: {{containers: [{{name: main, image: 'r:1.0.0', command: [python3, -m, dynamo.vllm]}}]}}}}
"
        );
        let sources = Arc::new(Sources::new());
        let file = sources.add("demo.yaml".to_owned(), None, text);
        let here: Vec<Object> =
            yaml::parse(&file, &Limits::default()).documents.iter().flat_map(Object::of_document).collect();
        let graph = here[0].graph().cloned().expect("a graph");
        let recipe = Arc::new(Recipe { here, sources: Arc::clone(&sources), ..Recipe::default() });
        let deployment = resolve(&graph, &recipe, &sources, &Options::default());
        let made = deployment.pods(&deployment.services[0]);
        assert!(matches!(made.besides[..], [one] if one.contains(said)), "{field} ({why}): {made:?}");
    }
}

fn objects(sources: &Sources, path: &Path) -> Vec<Object> {
    let text = std::fs::read_to_string(path).expect("a golden file");
    let file = sources.add(path.display().to_string(), Some(path), text);
    yaml::parse(&file, &Limits::default()).documents.iter().flat_map(Object::of_document).collect()
}

/// A pod spec as rendered.
struct Rendered {
    component: String,
    role: PodRole,
    count: u32,
    spec: Value,
}

/// Every pod spec of a workload.
fn rendered(object: &Value) -> Vec<Rendered> {
    let component = |labels: &Value| labels["nvidia.com/dynamo-component"].as_str().unwrap_or_default().to_owned();
    match object["kind"].as_str() {
        Some("Deployment") => {
            let template = &object["spec"]["template"];
            let labels = &template["metadata"]["labels"];
            vec![Rendered {
                component: component(labels),
                role: PodRole::Main,
                count: 1,
                spec: template["spec"].clone(),
            }]
        }
        Some("LeaderWorkerSet") => {
            let group = &object["spec"]["leaderWorkerTemplate"];
            let size = u32::try_from(group["size"].as_u64().expect("a size")).expect("a small one");
            [("leaderTemplate", PodRole::Leader, 1), ("workerTemplate", PodRole::Worker, size - 1)]
                .map(|(key, role, count)| {
                    let labels = &group[key]["metadata"]["labels"];
                    Rendered { component: component(labels), role, count, spec: group[key]["spec"].clone() }
                })
                .into()
        }
        Some("PodCliqueSet") => {
            let cliques = object["spec"]["template"]["cliques"].as_array().expect("cliques");
            let of = |clique: &Value| {
                let name = clique["name"].as_str().unwrap_or_default();
                let role = match name.rsplit('-').next() {
                    Some("ldr") => PodRole::Leader,
                    Some("wkr") => PodRole::Worker,
                    _ => PodRole::Main,
                };
                let count = clique["spec"]["replicas"].as_u64().expect("a count");
                Rendered {
                    component: component(&clique["labels"]),
                    role,
                    count: u32::try_from(count).expect("a small one"),
                    spec: clique["spec"]["podSpec"].clone(),
                }
            };
            cliques.iter().map(of).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether `ours` is what the golden file says; every difference with its place. Tokens: `$glob:…`, `$pattern:…`,
/// `$var:…` and `$ignore` stand for what a run in a cluster makes up.
fn compare(golden: &Value, ours: &Value, at: &str, out: &mut Vec<String>) {
    let excepted = |key: &str| EXCEPTIONS.iter().any(|(name, _)| *name == key);
    match (golden, ours) {
        (Value::String(token), _) if token == "$ignore" || token.starts_with("$var:") => {}
        (Value::String(token), Value::String(text)) if token.starts_with("$glob:") => {
            let parts: Vec<&str> = token["$glob:".len()..].split('*').collect();
            let fits = text.starts_with(parts[0]) && text.ends_with(parts[parts.len() - 1]);
            if !fits {
                out.push(format!("{at}: {text} does not match {token}"));
            }
        }
        (Value::String(token), Value::String(text)) if token.starts_with("$pattern:") => {
            let mut pattern =
                dynlint::source::Pattern::new(&format!("^(?:{})$", &token["$pattern:".len()..])).expect("a pattern");
            if !pattern.is_match(text) {
                out.push(format!("{at}: {text} does not match {token}"));
            }
        }
        (Value::Object(golden), Value::Object(ours)) => {
            for (key, value) in golden.iter().filter(|(key, _)| !excepted(key)) {
                match ours.get(key) {
                    Some(own) => compare(value, own, &format!("{at}.{key}"), out),
                    None => out.push(format!("{at}.{key}: missing, {value} expected")),
                }
            }
            for key in ours.keys().filter(|key| !golden.contains_key(*key)) {
                out.push(format!("{at}.{key}: not in the golden file: {}", ours[key]));
            }
        }
        (Value::Array(golden), Value::Array(ours)) => {
            // Lists keep their order: that of `env` decides what `$(VAR)` expands to.
            if golden.len() != ours.len() {
                out.push(format!("{at}: {} items, {} expected: {ours:?}", ours.len(), golden.len()));
            }
            for (index, (golden, ours)) in golden.iter().zip(ours).enumerate() {
                compare(golden, ours, &format!("{at}[{index}]"), out);
            }
        }
        _ if golden == ours => {}
        // One golden file writes `value: n` bare, which is a boolean to the API server and was none to who wrote it.
        (Value::Bool(false), Value::String(text)) if text == "n" && at.ends_with("].value") => {}
        _ => out.push(format!("{at}: {ours}, {golden} expected")),
    }
}

/// Where the environment that rules see is not the one that the pod gets.
fn disagreements(service: &Service, spec: &Value, at: &str) -> Vec<String> {
    let env = spec["containers"][0]["env"].as_array().expect("an environment");
    let name = |entry: &Value| entry["name"].as_str().unwrap_or_default().to_owned();
    let mut out = Vec::new();
    for entry in env {
        let ours = service.env.get(&name(entry)).map(|var| &var.winner().value);
        let agrees = match (ours, &entry["value"]) {
            (Some(Fact::Known(value)), Value::String(text)) => value.as_str() == text,
            (Some(Fact::Dynamic(_)), Value::String(text)) => text.starts_with('<'),
            (Some(Fact::Dynamic(Reason::Downward(path))), _) => entry["valueFrom"]["fieldRef"]["fieldPath"] == *path,
            _ => false,
        };
        if !agrees {
            out.push(format!("{at}: `{}` is {ours:?} to the rules", name(entry)));
        }
    }
    for var in service.env.vars.iter().filter(|v| !v.winner().value.is_unset()) {
        if !env.iter().any(|entry| name(entry) == var.name) {
            out.push(format!("{at}: the operator sets no `{}`", var.name));
        }
    }
    out
}

#[test]
fn pods_are_rendered_as_the_operator_does() {
    let Some(corpus) = corpus().filter(|dir| dir.join("operator-golden").is_dir()) else {
        println!("skipped: no corpus");
        return;
    };
    let (mut pods, mut containers, mut differences) = (0, 0, Vec::new());
    for case in
        ["dgd/components", "dgd/grove", "dcd/deployment", "dcd/lws", "dgdr/deployment", "dgdr/grove", "dgdr/lws"]
    {
        let sources = Arc::new(Sources::new());
        let dir = corpus.join("operator-golden").join(case);
        let (input, output) = (objects(&sources, &dir.join("input.yaml")), objects(&sources, &dir.join("output.yaml")));
        let wanted = if case.starts_with("dcd") { GraphKind::Component } else { GraphKind::Deployment };
        // A request's own graph is generated: it stands in the output, as does the annotation that its override adds.
        let graphs: Vec<Arc<Graph>> = if case.starts_with("dgdr") { &output } else { &input }
            .iter()
            .filter_map(|object| object.graph().cloned())
            .filter(|graph| graph.kind == wanted)
            .collect();
        let mut golden: Vec<Rendered> =
            output.iter().filter(|o| o.group() != "nvidia.com").flat_map(|o| rendered(&json(&o.node))).collect();
        let recipe = Arc::new(Recipe { sources: Arc::clone(&sources), ..Recipe::default() });
        let cluster = Cluster {
            namespace: Some("clusterenv-1".to_owned()),
            grove: !matches!(case, "dgdr/deployment" | "dgdr/lws"),
            ..Cluster::default()
        };
        let options = Options { cluster, ..Options::default() };
        for graph in &graphs {
            let deployment = resolve(graph, &recipe, &sources, &options);
            for service in &deployment.services {
                let made = deployment.pods(service);
                assert!(made.problems.is_empty() && made.besides.is_empty(), "{case}: {made:?}");
                for pod in made.pods {
                    let fits = |g: &Rendered| g.component == service.name && g.role == pod.role;
                    let at = golden.iter().position(fits);
                    let at = at.unwrap_or_else(|| panic!("{case} {} {}: no such pod", service.name, pod.role.as_str()));
                    let expected = golden.remove(at);
                    let place = format!("{case} {} {}", service.name, pod.role.as_str());
                    assert_eq!(pod.count, expected.count, "{place}");
                    compare(&expected.spec, &pod.spec, &place, &mut differences);
                    differences.extend(disagreements(service, &pod.spec, &place));
                    pods += 1;
                    containers += expected.spec["containers"].as_array().map_or(0, Vec::len);
                }
            }
        }
        let left: Vec<_> = golden.iter().map(|g| &g.component).collect();
        assert!(left.is_empty(), "{case}: not rendered: {left:?}");
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    println!("{pods} pods, {containers} containers equal");
    assert!(pods >= 17, "{pods} pods compared");
}

/// Components over several nodes: file, component, nodes, GPUs of a pod, and what the operator does to the command.
/// Worked out from the operator's source without this crate.
#[rustfmt::skip]
const MULTINODE: &[(&str, &str, u32, u32, &str)] = &[
    ("examples/backends/sglang/deploy/disagg-multinode.yaml", "decode", 2, 4, "sglang"),
    ("examples/backends/sglang/deploy/disagg-multinode.yaml", "prefill", 2, 4, "sglang"),
    ("examples/backends/trtllm/deploy/disagg-multinode.yaml", "decode", 2, 4, "mpirun"),
    ("examples/backends/trtllm/deploy/disagg-multinode.yaml", "prefill", 2, 4, "mpirun"),
    ("examples/backends/vllm/deploy/disagg-multinode.yaml", "decode", 2, 1, "mp"),
    ("examples/backends/vllm/deploy/disagg-multinode.yaml", "prefill", 2, 1, "mp"),
    ("recipes/deepseek-r1/sglang/disagg-16gpu/deploy.yaml", "decode", 2, 8, "sglang"),
    ("recipes/deepseek-r1/sglang/disagg-16gpu/deploy.yaml", "prefill", 2, 8, "sglang"),
    ("recipes/deepseek-r1/trtllm/disagg/wide_ep/gb200/deploy.yaml", "decode", 8, 4, "mpirun"),
    ("recipes/deepseek-r1/vllm/disagg/deploy_hopper_16gpu.yaml", "decode", 2, 8, "dp"),
    ("recipes/deepseek-r1/vllm/disagg/deploy_hopper_16gpu.yaml", "prefill", 2, 8, "dp"),
    ("recipes/deepseek-v32-fp4/trtllm/agg-round-robin/deploy.yaml", "agg", 2, 4, "mpirun"),
    ("recipes/deepseek-v32-fp4/trtllm/disagg-kv-router/deploy.yaml", "prefill", 2, 4, "mpirun"),
    ("recipes/deepseek-v32-fp4/trtllm/disagg-kv-router/deploy.yaml", "dec", 2, 4, "mpirun"),
    ("recipes/deepseek-v4/deepseek-v4-pro/sglang/agg-gb200/deploy.yaml", "decode", 2, 4, "sglang"),
    ("recipes/deepseek-v4/deepseek-v4-pro/sglang/disagg-gb200/deploy.yaml", "decode", 2, 4, "sglang"),
    ("recipes/deepseek-v4/deepseek-v4-pro/sglang/disagg-gb200/deploy.yaml", "prefill", 2, 4, "sglang"),
    ("recipes/deepseek-v4/deepseek-v4-pro/vllm/agg/gb200/deploy.yaml", "VllmDecodeWorker", 2, 4, "mp"),
    ("recipes/deepseek-v4/deepseek-v4-pro/vllm/disagg/gb200/deploy.yaml", "VllmPrefillWorker", 2, 4, "dp"),
    ("recipes/deepseek-v4/deepseek-v4-pro/vllm/disagg/gb200/deploy.yaml", "VllmDecodeWorker", 2, 4, "dp"),
    ("recipes/glm-5-nvfp4/sglang/disagg/deploy.yaml", "decode", 4, 4, "sglang"),
    ("recipes/glm-5-nvfp4/sglang/disagg/efa/deploy.yaml", "decode", 4, 4, "sglang"),
    ("recipes/kimi-k2.5/trtllm/agg-eagle-kv-router/deploy.yaml", "agg", 2, 4, "mpirun"),
    ("recipes/kimi-k2.5/trtllm/agg-eagle-round-robin/deploy.yaml", "agg", 2, 4, "mpirun"),
    ("recipes/kimi-k2.5/trtllm/agg-round-robin/deploy.yaml", "agg", 2, 4, "mpirun"),
    ("recipes/kimi-k3/vllm/agg-gb200-agentic/deploy.yaml", "VllmDecodeWorker", 4, 4, "mp"),
    ("recipes/kimi-k3/vllm/agg-gb300-agentic/deploy.yaml", "VllmDecodeWorker", 2, 4, "mp"),
    ("recipes/kimi-k3/vllm/disagg-gb200-agentic/deploy.yaml", "Prefill", 4, 4, "mp"),
    ("recipes/kimi-k3/vllm/disagg-gb200-agentic/deploy.yaml", "Decode", 4, 4, "mp"),
    ("recipes/kimi-k3/vllm/disagg-gb300-agentic/deploy.yaml", "PrefillWorker", 2, 4, "mp"),
    ("recipes/kimi-k3/vllm/disagg-gb300-agentic/deploy.yaml", "DecodeWorker", 2, 4, "mp"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/sglang/agg-gb200-chat/deploy.yaml", "Decode", 4, 4, "sglang"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/sglang/agg-gb300-chat/deploy.yaml", "SglangWorker", 4, 4, "sglang"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/sglang/disagg-gb200-chat/deploy.yaml", "PrefillWorker", 4, 4, "sglang"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/sglang/disagg-gb200-chat/deploy.yaml", "Decode", 4, 4, "sglang"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/sglang/disagg-gb300-chat/deploy.yaml", "SglangPrefill", 4, 4, "sglang"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/sglang/disagg-gb300-chat/deploy.yaml", "SglangDecode", 4, 4, "sglang"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/vllm/agg-gb200-agentic/deploy.yaml", "VllmDecodeWorker", 4, 4, "mp"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/vllm/agg-gb200-chat/deploy.yaml", "VllmDecodeWorker", 4, 4, "mp"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/vllm/agg-gb300-agentic/deploy.yaml", "VllmDecodeWorker", 4, 4, "mp"),
    ("recipes/qwen3.8-2.4t-a95b-fp8/vllm/agg-gb300-chat/deploy.yaml", "VllmDecodeWorker", 4, 4, "mp"),
    ("tests/fault_tolerance/deploy/templates/vllm/multinode_elastic_ep.yaml", "VllmDecodeWorker", 2, 3, "elastic"),
];

/// What a leader's command line shows the operator did.
fn path_taken(spec: &Value) -> &'static str {
    let args: Vec<&str> =
        spec["containers"][0]["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let line = args.join(" ");
    let has = |needle: &str| line.contains(needle);
    if has("mpirun ") {
        "mpirun"
    } else if has("--dist-init-addr $(GROVE_PCSG_NAME)") {
        "sglang"
    } else if has("--distributed-executor-backend mp --nnodes") {
        "mp"
    } else if has("--data-parallel-hybrid-lb") {
        "dp"
    } else if has("ray start --head") {
        "elastic"
    } else {
        "nothing"
    }
}

#[test]
fn components_over_several_nodes_take_the_operators_way() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus");
        return;
    };
    for (file, component, nodes, gpus, way) in MULTINODE {
        let sources = Arc::new(Sources::new());
        let here = objects(&sources, &corpus.join("upstream").join(file));
        let graphs: Vec<Arc<Graph>> = here.iter().filter_map(|object| object.graph().cloned()).collect();
        let recipe = Arc::new(Recipe { here, sources: Arc::clone(&sources), ..Recipe::default() });
        let deployments: Vec<_> =
            graphs.iter().map(|graph| resolve(graph, &recipe, &sources, &Options::default())).collect();
        let found = deployments.iter().find_map(|d| Some((d, d.services.iter().find(|s| s.name == *component)?)));
        let (deployment, service) = found.unwrap_or_else(|| panic!("{file}: no {component}"));
        let made = deployment.pods(service);
        let counts: Vec<_> = made.pods.iter().map(|p| (p.role, p.count)).collect();
        assert_eq!(counts, [(PodRole::Leader, 1), (PodRole::Worker, nodes - 1)], "{file} {component}: {made:?}");
        assert_eq!(service.gpus, Fact::Known(*gpus), "{file} {component}");
        assert_eq!(path_taken(&made.pods[0].spec), *way, "{file} {component}");
        let wait = made.pods[1].spec["initContainers"].as_array().into_iter().flatten();
        let waits = wait.filter(|c| c["name"] == "wait-for-leader-mp").count();
        assert_eq!(waits, usize::from(*way == "mp"), "{file} {component}");
    }
}
