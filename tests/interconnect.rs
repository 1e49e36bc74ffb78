//! Transport settings as they are found in real recipes: what must be said, and what must not.

mod common;

use std::collections::BTreeMap;

use dynlint::finding::Severity;
use dynlint::lint::{Input, Options, lint};

/// A disaggregated vLLM deployment, one environment for each role.
struct Recipe {
    prefill: &'static [(&'static str, &'static str)],
    decode: &'static [(&'static str, &'static str)],
    /// `rdma/ib` of both pods.
    rdma: bool,
    gpus: u32,
    kv: &'static str,
    nodes: u32,
}

const NIXL: &str = r#"{"kv_connector":"NixlConnector","kv_role":"kv_both"}"#;
const NIXL_CPU: &str = r#"{"kv_connector":"NixlConnector","kv_role":"kv_both","kv_buffer_device":"cpu"}"#;
const LIBFABRIC: &str =
    r#"{"kv_connector":"NixlConnector","kv_role":"kv_both","kv_connector_extra_config":{"backends":["LIBFABRIC"]}}"#;

impl Recipe {
    fn both(env: &'static [(&'static str, &'static str)]) -> Self {
        Self { prefill: env, decode: env, rdma: true, gpus: 4, kv: NIXL, nodes: 1 }
    }

    fn yaml(&self) -> String {
        let mut text = String::from(
            "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata:\n  name: case\nspec:\n  \
                components:\n",
        );
        for (role, env) in [("prefill", self.prefill), ("decode", self.decode)] {
            text += &format!("  - name: {role}\n    type: {role}\n");
            if self.nodes > 1 {
                text += &format!("    multinode:\n      nodeCount: {}\n", self.nodes);
            }
            text += "    podTemplate:\n      spec:\n        containers:\n        - name: main\n";
            text += "          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.1\n          command: \
                [python3, -m, dynamo.vllm]\n";
            text += &format!(
                "          args: [--model, Qwen/Qwen3-32B, --disaggregation-mode, {role}, \
                    --kv-transfer-config, '{}']\n",
                self.kv
            );
            if !env.is_empty() {
                text += "          env:\n";
            }
            for (name, value) in env {
                text += &format!("          - name: {name}\n            value: \"{value}\"\n");
            }
            text += &format!(
                "          resources:\n            limits:\n              nvidia.com/gpu: \"{}\"\n",
                self.gpus
            );
            if self.rdma {
                text += &format!("              rdma/ib: \"{}\"\n", self.gpus);
            }
            text += "          securityContext:\n            capabilities:\n              add: [IPC_LOCK]\n";
        }
        text
    }

    /// Rules about transport that speak, dead settings among them, with the worst severity of each.
    fn findings(&self) -> BTreeMap<&'static str, Severity> {
        findings(self.yaml())
    }
}

fn findings(yaml: String) -> BTreeMap<&'static str, Severity> {
    let report = lint(&[Input::Bytes { bytes: yaml.into_bytes(), path: None }], &Options::default());
    assert!(report.crashes.is_empty(), "{:?}", report.crashes);
    let mut found = BTreeMap::new();
    for reported in &report.findings {
        let rule = reported.finding.rule;
        if dynlint::rules::find(rule).is_some_and(|r| matches!(r.family, "interconnect" | "hygiene")) {
            let worst = found.entry(rule).or_insert(reported.finding.severity);
            *worst = (*worst).max(reported.finding.severity);
        }
    }
    found
}

/// Settings that work, are redundant at most, and fill today's recipes.
#[test]
fn what_works_is_not_reported() {
    let sound: &[(&str, Recipe)] = &[
        ("nothing set", Recipe::both(&[])),
        ("a work-around on one node", Recipe::both(&[("NCCL_IB_DISABLE", "1")])),
        ("InfiniBand on by number", Recipe { nodes: 2, ..Recipe::both(&[("NCCL_IB_DISABLE", "0")]) }),
        ("a level", Recipe::both(&[("NCCL_P2P_LEVEL", "NVL")])),
        ("the cache on, by letter", Recipe::both(&[("UCX_MEMTYPE_CACHE", "y")])),
        ("the cache on, by digit", Recipe::both(&[("UCX_MEMTYPE_CACHE", "1")])),
        ("the cache off", Recipe::both(&[("UCX_MEMTYPE_CACHE", "n")])),
        ("GPUDirect by word", Recipe::both(&[("UCX_IB_GPU_DIRECT_RDMA", "yes")])),
        (
            "TCP for host buffers",
            Recipe { rdma: false, gpus: 1, kv: NIXL_CPU, ..Recipe::both(&[("UCX_TLS", "tcp,self")]) },
        ),
        ("no cuda_ipc, RDMA on both", Recipe::both(&[("UCX_TLS", "^cuda_ipc")])),
        ("a list without cuda_ipc, RDMA on both", Recipe::both(&[("UCX_TLS", "rc_x,cuda_copy,tcp")])),
        ("time-outs", Recipe::both(&[("UCX_RC_TIMEOUT", "600s"), ("UCX_KEEPALIVE_INTERVAL", "300s")])),
        (
            "a device for each GPU",
            Recipe::both(&[(
                "UCX_NET_DEVICES",
                "mlx5_0:1,mlx5_1:1,mlx5_4:1,mlx5_5:1,mlx5_6:1,mlx5_7:1,mlx5_8:1,mlx5_9:1",
            )]),
        ),
        (
            "names of plugins",
            Recipe::both(&[("NCCL_FASTRAK_IFNAME", "eth1"), ("NCCL_SHIMNET_GUEST_CONFIG_CHECKER_CONFIG_FILE", "/f")]),
        ),
        ("torch's own alias", Recipe::both(&[("NCCL_ASYNC_ERROR_HANDLING", "1")])),
        ("a transport by vendor's name", Recipe::both(&[("UCX_NET_DEVICES", "^docker0,lo")])),
        ("an integer in hexadecimal", Recipe::both(&[("NCCL_BUFFSIZE", "0x400000")])),
        ("exact names", Recipe::both(&[("NCCL_IB_HCA", "=mlx5_0,mlx5_1")])),
        (
            "fork of NIXL's telemetry",
            Recipe::both(&[
                ("NIXL_TELEMETRY_ENABLE", "y"),
                ("NIXL_TELEMETRY_PROMETHEUS_PORT", "19090"),
                ("NIXL_TELEMETRY_EXPORTER", "prometheus"),
            ]),
        ),
        (
            "role-specific tuning",
            Recipe {
                prefill: &[],
                decode: &[("NCCL_SOCKET_IFNAME", "eth0"), ("GLOO_SOCKET_IFNAME", "eth0")],
                ..Recipe::both(&[])
            },
        ),
    ];
    for (what, recipe) in sound {
        let loud: Vec<_> = recipe.findings().into_iter().filter(|(_, severity)| *severity > Severity::Advice).collect();
        assert!(loud.is_empty(), "{what}: {loud:?}\n{}", recipe.yaml());
    }
}

/// One mistake each, in the spellings of the wild.
#[test]
fn what_fails_is_reported() {
    use Severity::{Advice, Error, Warning};
    let cases: &[(&str, Severity, Recipe)] = &[
        ("ucx-tls-missing-cuda-copy", Error, Recipe::both(&[("UCX_TLS", "rc,sm")])),
        ("ucx-tls-missing-cuda-copy", Error, Recipe::both(&[("UCX_TLS", "cuda_ipc,rc_x,tcp")])),
        ("ucx-tls-missing-cuda-copy", Error, Recipe::both(&[("UCX_TLS", "^cuda")])),
        (
            "ucx-tls-missing-cuda-copy",
            Error,
            Recipe { rdma: false, gpus: 1, ..Recipe::both(&[("UCX_TLS", "tcp,self")]) },
        ),
        ("ucx-tls-no-am-transport", Error, Recipe::both(&[("UCX_TLS", "cuda,sm,self")])),
        ("ucx-tls-no-am-transport", Error, Recipe::both(&[("UCX_TLS", "^ib,tcp")])),
        (
            "ucx-tls-rdma-only-without-rdma",
            Error,
            Recipe { rdma: false, ..Recipe::both(&[("UCX_TLS", "cuda_ipc,cuda_copy,rc")]) },
        ),
        ("ucx-tls-rdma-only-without-rdma", Error, Recipe { rdma: false, ..Recipe::both(&[("UCX_TLS", "^tcp")]) }),
        ("ucx-tls-no-fast-path", Warning, Recipe { rdma: false, ..Recipe::both(&[("UCX_TLS", "^cuda_ipc")]) }),
        ("ucx-tls-no-fast-path", Advice, Recipe { rdma: false, ..Recipe::both(&[("UCX_TLS", "tcp,cuda_copy")]) }),
        ("ucx-tls-caret-not-first", Warning, Recipe::both(&[("UCX_TLS", "rc,ud,sm,cuda_copy,^cuda_ipc")])),
        ("ucx-tls-all-not-alone", Warning, Recipe::both(&[("UCX_TLS", "rc_x,cuda_copy,all")])),
        ("ucx-tls-empty", Error, Recipe::both(&[("UCX_TLS", "")])),
        ("ucx-tls-token-format", Error, Recipe::both(&[("UCX_TLS", "rc_x, cuda_copy")])),
        ("ucx-tls-token-format", Error, Recipe::both(&[("UCX_TLS", "RC_X,CUDA_COPY")])),
        ("ucx-tls-token-format", Warning, Recipe::both(&[("UCX_TLS", "rc_x,cuda_copy, cuda_ipc")])),
        ("ucx-tls-unknown-transport", Error, Recipe::both(&[("UCX_TLS", "rc_x,cuda_cpy")])),
        ("ucx-tls-unknown-transport", Warning, Recipe::both(&[("UCX_TLS", "rc_x,cuda_copy,nvlink")])),
        ("ucx-net-devices-suspicious-name", Warning, Recipe::both(&[("UCX_NET_DEVICES", "mlx5_0:1,mxl5_1:1")])),
        ("ucx-net-devices-no-ib", Error, Recipe::both(&[("UCX_NET_DEVICES", "")])),
        ("ucx-net-devices-glob", Error, Recipe::both(&[("UCX_NET_DEVICES", "mlx5_*")])),
        ("ucx-net-devices-glob", Warning, Recipe::both(&[("UCX_NET_DEVICES", "mlx5_[0-7]:1")])),
        ("ucx-invalid-value", Error, Recipe::both(&[("UCX_IB_GPU_DIRECT_RDMA", "true")])),
        ("ucx-invalid-value", Error, Recipe::both(&[("UCX_RNDV_THRESH", "8KiB")])),
        ("ucx-invalid-value", Warning, Recipe::both(&[("UCX_LOG_LEVEL", "verbose")])),
        ("ucx-gpu-direct-disabled", Warning, Recipe::both(&[("UCX_IB_GPU_DIRECT_RDMA", "no")])),
        ("unknown-transport-variable", Warning, Recipe::both(&[("UCX_TSL", "rc_x,cuda_copy")])),
        ("unknown-transport-variable", Warning, Recipe::both(&[("UXC_TLS", "rc_x,cuda_copy")])),
        ("unknown-transport-variable", Warning, Recipe::both(&[("NCCL_IB_QPS", "4")])),
        ("unknown-transport-variable", Advice, Recipe::both(&[("NCCL_STORE_TIMEOUT", "3600")])),
        ("nccl-non-integer-value", Warning, Recipe::both(&[("NCCL_IB_DISABLE", "true")])),
        ("nccl-non-integer-value", Advice, Recipe::both(&[("NCCL_IB_DISABLE", "false")])),
        ("nccl-ib-disable-multinode", Warning, Recipe { nodes: 2, ..Recipe::both(&[("NCCL_IB_DISABLE", "1")]) }),
        ("nccl-level-invalid", Warning, Recipe::both(&[("NCCL_NET_GDR_LEVEL", "phb")])),
        ("nccl-filter-syntax", Warning, Recipe::both(&[("NCCL_IB_HCA", "mlx5_0,^mlx5_1")])),
        ("gloo-ifname-pattern", Error, Recipe::both(&[("GLOO_SOCKET_IFNAME", "eth*")])),
        ("fi-aborting-variable", Error, Recipe { kv: LIBFABRIC, ..Recipe::both(&[("FI_EFA_TX_IOV_LIMIT", "4")]) }),
        ("ucx-vars-without-ucx", Advice, Recipe { kv: LIBFABRIC, ..Recipe::both(&[("UCX_TLS", "tcp")]) }),
        ("nixl-side-channel-host", Error, Recipe::both(&[("VLLM_NIXL_SIDE_CHANNEL_HOST", "127.0.0.1")])),
        ("vllm-nic-mapping-pair", Error, Recipe::both(&[("VLLM_GPU_NIC_PCIE_MAPPING", "{}")])),
        (
            "ucx-tls-roles-disjoint",
            Error,
            Recipe {
                prefill: &[("UCX_TLS", "rc_x,cuda_copy")],
                decode: &[("UCX_TLS", "tcp,cuda_copy")],
                ..Recipe::both(&[])
            },
        ),
    ];
    for (rule, severity, recipe) in cases {
        let found = recipe.findings();
        assert_eq!(found.get(rule), Some(severity), "{rule}: {found:?}\n{}", recipe.yaml());
    }
}

/// Eight GPUs on two nodes work over sockets, slowly; on the trays of a rack the engine counts on NVLink between them.
#[test]
fn a_small_engine_on_a_rack_needs_its_nvlink() {
    let recipe = Recipe { nodes: 2, rdma: false, ..Recipe::both(&[]) };
    for (gpu, severity) in [("NVIDIA-H100-80GB-HBM3", Severity::Advice), ("NVIDIA-GB200", Severity::Warning)] {
        let selector = format!("      spec:\n        nodeSelector: {{nvidia.com/gpu.product: {gpu}}}\n");
        let yaml = recipe.yaml().replace("      spec:\n", &selector).replace("add: [IPC_LOCK]", "add: []");
        assert_eq!(findings(yaml.clone()).get("multinode-no-nic"), Some(&severity), "{yaml}");
    }
}

/// A value that the manifest does not show keeps the rules silent and is counted.
#[test]
fn what_cannot_be_known_is_undecided() {
    let hidden = Recipe::both(&[("UCX_TLS", "tcp")])
        .yaml()
        .replace("value: \"tcp\"", "valueFrom: {secretKeyRef: {name: transport, key: tls}}");
    let report = lint(&[Input::Bytes { bytes: hidden.into_bytes(), path: None }], &Options::default());
    let spoke: Vec<&str> =
        report.findings.iter().map(|f| f.finding.rule).filter(|r| r.starts_with("ucx-tls")).collect();
    assert!(spoke.is_empty(), "{spoke:?}");
    assert!(report.undecided.iter().any(|u| u.rule == "ucx-tls-missing-cuda-copy"), "{:?}", report.undecided);
}

/// Mistakes that were found by hand in the public recipes: rule, file, how often.
#[test]
fn known_mistakes_of_real_recipes_are_found() {
    const KNOWN: &[(&str, &str, usize)] = &[
        ("compute-domain-asymmetric", "recipes/glm-5-nvfp4/sglang/disagg/deploy.yaml", 1),
        ("compute-domain-numnodes", "recipes/glm-5-nvfp4/sglang/disagg/deploy.yaml", 1),
        ("compute-domain-numnodes", "recipes/glm-5-nvfp4/sglang/disagg/efa/deploy.yaml", 1),
        ("disagg-no-fabric", "recipes/deepseek-r1/sglang/disagg-8gpu/deploy.yaml", 1),
        ("disagg-no-fabric", "recipes/gpt-oss-120b/trtllm/disagg/deploy.yaml", 1),
        ("disagg-no-fabric", "recipes/llama-3-70b/vllm/disagg-multi-node/deploy.yaml", 1),
        (
            "efa-wrong-selector",
            "recipes/qwen3-235b-a22b-fp8/trtllm/disagg/blackwell/deploy-aws-p6-b200.48xlarge.yaml",
            2,
        ),
        ("mc-vars-without-mooncake", "recipes/qwen3.8-2.4t-a95b-fp8/sglang/disagg-gb300-chat/deploy.yaml", 2),
        ("multinode-no-nic", "recipes/deepseek-r1/sglang/disagg-16gpu/deploy.yaml", 2),
        ("sglang-nixl-params-invalid", "recipes/glm-5.2/sglang/disagg-h200-agentic/deploy.yaml", 2),
        ("ucx-mnnvl-contradiction", "recipes/kimi-k3/vllm/disagg-gb200-agentic/deploy.yaml", 2),
        ("ucx-net-devices-single-hca", "recipes/deepseek-v4/deepseek-v4-pro/sglang/disagg-b200/deploy.yaml", 2),
        ("ucx-net-devices-single-hca", "recipes/nemotron-3-ultra/vllm/disagg-b200-agentic/deploy.yaml", 2),
        ("ucx-net-devices-single-hca", "recipes/qwen3-32b-fp8/vllm/disagg/deploy.yaml", 2),
        ("ucx-removed-variable", "recipes/deepseek-v4/deepseek-v4-pro/vllm/disagg-h200-agentic/deploy.yaml", 2),
        ("ucx-tls-no-fast-path", "recipes/nemotron-3.5-lightning/vllm/disagg-gb200-dflash-bf16/deploy.yaml", 2),
        ("ucx-tls-no-fast-path", "recipes/nemotron-3.5-lightning/vllm/disagg-gb200-dspark-bf16/deploy.yaml", 2),
        ("ucx-tls-rdma-only-without-rdma", "recipes/deepseek-v4/deepseek-v4-pro/sglang/disagg-gb200/deploy.yaml", 2),
        ("ucx-tls-redundant", "recipes/qwen3-vl-32b-fp8/vllm/hetero_hardware_disagg/deploy.yaml", 2),
        ("unknown-transport-variable", "recipes/nemotron-3.5-lightning/vllm/disagg-h100-dspark/deploy.yaml", 2),
    ];
    let Some(corpus) = common::corpus() else {
        println!("skipped: no corpus");
        return;
    };
    let report = lint(&[Input::Path(corpus.join("upstream"))], &Options::default());
    let mut found: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for reported in &report.findings {
        let file = report.sources.get(reported.finding.primary.span.file).name.clone();
        *found.entry((reported.finding.rule, file)).or_default() += 1;
    }
    for (rule, path, times) in KNOWN {
        let hits: usize = found.iter().filter(|((r, f), _)| r == rule && f.ends_with(path)).map(|(_, n)| n).sum();
        assert_eq!(hits, *times, "{rule} in {path}");
    }
}

/// Keys are found in what a script spells, whatever else stands there.
#[test]
fn odd_characters_around_keys_do_no_harm() {
    let manifest = "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: case
spec:
  components:
  - name: prefill
    type: prefill
    podTemplate:
      spec:
        containers:
        - name: main
          image: nvcr.io/nvidia/ai-dynamo/sglang-runtime:1.4.1
          command: [/bin/sh, -c]
          args:
          - |
            export SGLANG_DISAGGREGATION_NIXL_BACKEND_PARAMS=\"{\\\"é\\\":\\\"$A\\\",\\\"ucx_devices\\\":\\\"${B}\\\",ü: ::\\\"}\"
            exec python3 -m dynamo.sglang --model-path m --disaggregation-mode prefill --disaggregation-transfer-backend nixl --host 0.0.0.0
";
    let report = lint(&[Input::Bytes { bytes: manifest.as_bytes().to_vec(), path: None }], &Options::default());
    assert!(report.crashes.is_empty(), "{:?}", report.crashes);
    let keys: Vec<&str> = report
        .findings
        .iter()
        .filter(|f| f.finding.rule == "sglang-nixl-params-invalid")
        .map(|f| &manifest[f.finding.primary.span.range()])
        .collect();
    assert_eq!(keys, ["ucx_devices"]);
}
