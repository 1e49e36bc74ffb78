//! What the model says about our own manifests: every layer of the environment, every framework, every source of a
//! role.

#[path = "resolve/pods.rs"]
mod pods;

use std::sync::Arc;

use dynlint::manifest::{Graph, Object};
use dynlint::report::{self, ResolveOptions};
use dynlint::resolve::wire::{self, Resolve};
use dynlint::resolve::{
    Around, Cluster, Deployment, EnvVar, FabricKind, Framework, Layer, Options, Recipe, Role, Service, Transfer,
    Version, resolve,
};
use dynlint::source::{Fact, Reason, Sources, Span};
use dynlint::yaml::{self, Limits};

/// A resolved manifest with its file.
struct Resolved {
    sources: Arc<Sources>,
    deployments: Vec<Deployment>,
}

impl Resolved {
    fn of(text: &str) -> Self {
        Self::with(text, &Options::default())
    }

    fn with(text: &str, options: &Options) -> Self {
        let sources = Arc::new(Sources::new());
        let file = sources.add("deploy.yaml".to_owned(), None, text);
        let stream = yaml::parse(&file, &Limits::default());
        assert!(stream.problems.is_empty(), "{:?}", stream.problems);
        let here: Vec<Object> = stream.documents.iter().flat_map(Object::of_document).collect();
        let around = Arc::new(Around::new(here.clone(), &sources));
        let recipe = Arc::new(Recipe {
            directory: here.clone().into(),
            here,
            around,
            sources: Arc::clone(&sources),
            ..Recipe::default()
        });
        let graphs: Vec<Arc<Graph>> = recipe.here.iter().filter_map(|o| o.graph().cloned()).collect();
        let deployments = graphs.iter().map(|graph| resolve(graph, &recipe, &sources, options)).collect();
        Self { sources, deployments }
    }

    /// The service of that name.
    fn service(&self, name: &str) -> &Service {
        self.deployments.iter().flat_map(|d| &d.services).find(|s| s.name == name).expect("the service")
    }

    /// What stands at a span.
    fn at(&self, span: Option<Span>) -> String {
        let Some(span) = span else { return "-".to_owned() };
        self.sources.get(span.file).text[span.range()].to_owned()
    }

    /// `NAME`: who set it, winner first, as `layer value @text in the file`.
    fn chain(&self, service: &str, name: &str) -> Vec<String> {
        let service = self.service(service);
        let var: &EnvVar = service.env.vars.iter().find(|v| v.name == name).expect("the variable");
        var.chain
            .iter()
            .map(|s| {
                let value = match &s.value {
                    Fact::Known(text) => text.as_str().to_owned(),
                    Fact::Dynamic(reason) => format!("? {reason}"),
                    Fact::Unset => "unset".to_owned(),
                };
                format!("{} {value} @{}", s.layer.as_str(), self.at(s.span))
            })
            .collect()
    }

    fn text(&self) -> String {
        let all = self.deployments.iter().map(|d| wire::deployment(d, &self.sources)).collect();
        report::resolve(&Resolve::new(all), ResolveOptions::default())
    }
}

/// A v1beta1 graph of one worker whose main container holds `container` (indented by ten).
fn worker(kind: &str, container: &str) -> String {
    let container = container.trim_matches('\n').replace('\n', "\n          ");
    format!(
        "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {{name: demo}}
spec:
  components:
  - name: W
    type: {kind}
    podTemplate:
      spec:
        containers:
        - name: main
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
          {container}
"
    )
}

/// The worker of [`worker`], started with these words.
fn run(words: &str) -> Resolved {
    Resolved::of(&worker("worker", &format!("command: [python3, -m]\nargs: [{words}]")))
}

const LAYERS: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: shared}
data:
  FROM_MAP: map
  BOTH: map
---
apiVersion: v1
kind: ConfigMap
metadata: {name: snippets}
data:
  kv: |
    {"kv_connector": "NixlConnector"}
---
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: my.demo, namespace: prod}
spec:
  envs:
  - {name: BOTH, value: graph}
  - {name: LAYERED, value: graph}
  - {name: DYN_SYSTEM_PORT, value: "7000"}
  services:
    W:
      componentType: worker
      envs:
      - {name: LAYERED, value: service}
      - {name: TWICE, value: first}
      - {name: TWICE, value: second}
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
          envFrom:
          - configMapRef: {name: shared}
          - secretRef: {name: hf}
          command: [/bin/bash, -lc]
          args:
          - |
            export EXPORTED=one LAYERED=shell
            unset NIXL_TELEMETRY_ENABLE
            PREFIXED=yes exec python3 -m dynamo.vllm --model m
          env:
          - {name: LAYERED, value: container}
          - {name: KV, valueFrom: {configMapKeyRef: {name: snippets, key: kv}}}
          - {name: LOST, valueFrom: {configMapKeyRef: {name: snippets, key: gone}}}
          - {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}
          - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          - {name: PLACE, value: "${FILL_ME}"}
          - {name: B_USES, value: "$(A_FIRST)-$(Z_LAST)-$(FROM_MAP)-$$(A_FIRST)"}
          - {name: A_FIRST, value: a}
          - {name: Z_LAST, value: z}
          - {name: EMPTY}
"#;

#[test]
fn every_layer_of_the_environment() {
    let resolved = Resolved::of(LAYERS);
    let chain = |name| resolved.chain("W", name);
    assert_eq!(chain("BOTH"), ["graph-env graph @graph", "env-from map @map"]);
    assert_eq!(chain("FROM_MAP"), ["env-from map @map"]);
    assert_eq!(
        chain("LAYERED"),
        [
            "shell-export shell @shell",
            "container-env container @container",
            "service-env service @service",
            "graph-env graph @graph"
        ]
    );
    assert_eq!(chain("TWICE"), ["service-env second @second", "service-env first @first"]);
    assert_eq!(chain("DYN_SYSTEM_PORT"), ["graph-env 7000 @7000", "operator-default 9090 @-"]);
    assert_eq!(chain("DYN_NAMESPACE"), ["operator-default prod-my-demo @-"]);
    assert_eq!(chain("DYN_COMPONENT"), ["operator-default worker @-"]);
    assert_eq!(chain("EXPORTED"), ["shell-export one @one"]);
    assert_eq!(chain("PREFIXED"), ["shell-prefix yes @yes"]);
    assert_eq!(chain("NIXL_TELEMETRY_ENABLE"), ["shell-export unset @NIXL_TELEMETRY_ENABLE", "operator-default n @-"]);
    assert_eq!(
        chain("KV"),
        ["container-env {\"kv_connector\": \"NixlConnector\"}\n @{\"kv_connector\": \"NixlConnector\"}\n"]
    );
    assert_eq!(chain("LOST"), ["container-env ? from ConfigMap `snippets`, which is not among these manifests @gone"]);
    assert_eq!(chain("TOKEN"), ["container-env ? from secret `s` @{name: s, key: k}"]);
    assert_eq!(chain("IP"), ["container-env ? from the pod's `status.podIP` @status.podIP"]);
    assert_eq!(chain("PLACE"), ["container-env ? placeholder `${FILL_ME}` @${FILL_ME}"]);
    // The operator sorts by name: what sorts behind is not there yet, what comes from `envFrom` is.
    assert_eq!(
        chain("B_USES"),
        ["container-env a-$(Z_LAST)-map-$(A_FIRST) @$(A_FIRST)-$(Z_LAST)-$(FROM_MAP)-$$(A_FIRST)"]
    );
    assert_eq!(chain("EMPTY"), ["container-env  @{name: EMPTY}"]);

    let env = &resolved.service("W").env;
    assert!(env.get("NIXL_TELEMETRY_ENABLE").is_none());
    assert_eq!(env.open, Some(Reason::Secret("hf".into())));
    assert!(env.vars.windows(2).all(|pair| pair[0].name < pair[1].name));
    let written: Vec<_> = env.written().filter(|v| v.name.starts_with("DYN")).map(|v| v.name.as_str()).collect();
    assert_eq!(written, ["DYN_SYSTEM_PORT"]);
}

#[test]
fn the_operators_defaults_by_type() {
    let names = |kind: &str| {
        let resolved = Resolved::of(&worker(kind, "args: []"));
        let service = resolved.service("W");
        let own = service.env.vars.iter().filter(|v| v.winner().layer == Layer::OperatorDefault);
        own.map(|v| v.name.clone()).collect::<Vec<_>>().join(" ")
    };
    let common = "DYN_COMPONENT DYN_DISCOVERY_BACKEND DYN_NAMESPACE";
    assert!(names("frontend").starts_with("DYNAMO_PORT DYN_COMPONENT DYN_DISCOVERY_BACKEND DYN_HTTP_PORT"));
    assert!(names("planner").contains("PLANNER_PROMETHEUS_PORT"));
    assert!(names("epp").contains("USE_STREAMING"));
    assert!(names("router").starts_with(common) && !names("router").contains("NIXL"));
    for kind in ["worker", "prefill", "decode"] {
        assert!(names(kind).contains("NIXL_TELEMETRY_PROMETHEUS_PORT"), "{kind}");
    }
}

#[test]
fn values_that_depend_on_the_cluster_are_open() {
    let resolved = Resolved::of(&worker("frontend", "args: []"));
    let reason = "operator-default ? decided by the cluster: the Kubernetes namespace @-";
    assert_eq!(resolved.chain("W", "DYN_NAMESPACE"), [reason]);
    assert_eq!(resolved.chain("W", "DYN_NAMESPACE_PREFIX"), [reason]);
    let global = worker("worker", "args: []").replace("type: worker", "type: worker\n    globalDynamoNamespace: true");
    assert_eq!(Resolved::of(&global).chain("W", "DYN_NAMESPACE"), ["operator-default dynamo @-"]);
    let etcd = worker("worker", "args: []").replace(
        "metadata: {name: demo}",
        "metadata: {name: demo, annotations: {nvidia.com/dynamo-discovery-backend: etcd}}",
    );
    assert!(Resolved::of(&etcd).service("W").env.get("DYN_DISCOVERY_BACKEND").is_none());
}

#[test]
fn what_the_operator_forces() {
    let multinode = worker(
        "worker",
        "command: [python3, -m, dynamo.vllm]
args: [--model, m]
env:
- {name: VLLM_NIXL_SIDE_CHANNEL_HOST, value: localhost}
- {name: DYN_TOPOLOGY_ENABLED, value: \"false\"}",
    )
    .replace(
        "type: worker",
        "type: worker\n    multinode: {nodeCount: 2}\n    compilationCache: {pvcName: c, mountPath: /c}",
    )
    .replace(
        "spec:\n  components",
        "spec:\n  experimental: {kvTransferPolicy: {labelKey: zone, preferredWeight: 0.5}}\n  components",
    );
    let resolved = Resolved::of(&multinode);
    assert_eq!(
        resolved.chain("W", "VLLM_NIXL_SIDE_CHANNEL_HOST"),
        ["operator-forced ? from the pod's `status.podIP` @-", "container-env localhost @localhost"]
    );
    assert_eq!(resolved.chain("W", "VLLM_CACHE_ROOT"), ["operator-forced /c @-"]);
    assert_eq!(resolved.chain("W", "DYN_TOPOLOGY_ENABLED"), ["operator-forced true @-", "container-env false @false"]);
    assert_eq!(resolved.chain("W", "DYN_KV_TRANSFER_ENFORCEMENT"), ["operator-forced required @-"]);
    assert_eq!(resolved.chain("W", "DYN_KV_TRANSFER_PREFERRED_WEIGHT"), ["operator-forced 0.5 @-"]);
    assert_eq!(resolved.service("W").nodes, 2);
}

#[test]
fn engines_cloned_for_failover() {
    let beta = worker("worker", "command: [python3, -m, dynamo.vllm]")
        .replace("type: worker", "type: worker\n    experimental: {gpuMemoryService: {}, failover: {mode: IntraPod}}");
    let resolved = Resolved::of(&beta);
    assert_eq!(
        resolved.chain("W", "DYN_SYSTEM_PORT"),
        ["operator-forced ? decided by the cluster: one of several engines of the pod @-", "operator-default 9090 @-"]
    );
    assert_eq!(resolved.chain("W", "GMS_SOCKET_DIR"), ["operator-forced /gms-intrapod-control @-"]);
    assert!(resolved.service("W").env.get("DYN_HEALTH_CHECK_ENABLED").is_none());
    // v1alpha1 has a switch.
    let alpha = "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec: {services: {W: {componentType: worker, failover: {enabled: false}, gpuMemoryService: {mode: interPod, enabled: true}}}}
";
    let resolved = Resolved::of(alpha);
    assert_eq!(resolved.chain("W", "DYN_SYSTEM_PORT"), ["operator-default 9090 @-"]);
    assert_eq!(resolved.chain("W", "GMS_SOCKET_DIR"), ["operator-forced /run/gms/shared @-"]);
}

#[test]
fn roles_come_from_the_command_line() {
    let role = |words: &str| {
        let resolved = run(words);
        let service = resolved.service("W");
        (service.role, service.role_known, resolved.at(service.role_span))
    };
    let said = |role, text: &str| (role, true, text.to_owned());
    assert_eq!(role("dynamo.vllm, --disaggregation-mode, prefill"), said(Role::Prefill, "prefill"));
    assert_eq!(role("dynamo.vllm, --disaggregation-mode=decode"), said(Role::Decode, "decode"));
    assert_eq!(
        role("dynamo.trtllm, --disaggregation-mode, prefill, --disaggregation-mode, decode"),
        said(Role::Decode, "decode")
    );
    assert_eq!(role("dynamo.vllm, --disaggregation-mode, encode"), said(Role::Encode, "encode"));
    assert_eq!(role("dynamo.vllm, --disaggregation-mode, pd"), said(Role::Aggregated, "pd"));
    assert_eq!(role("dynamo.sglang, --disaggregation-mode, \"null\""), said(Role::Aggregated, "null"));
    assert_eq!(role("dynamo.vllm"), said(Role::Aggregated, "-"));
    assert_eq!(role("dynamo.mocker, --is-prefill-worker"), said(Role::Prefill, "--is-prefill-worker"));
    assert_eq!(role("dynamo.mocker, --is-decode-worker"), said(Role::Decode, "--is-decode-worker"));
    assert_eq!(role("dynamo.vllm, --is-prefill-worker"), said(Role::Prefill, "--is-prefill-worker"));
    let implied = Resolved::of(&worker("frontend", "tty: false"));
    assert_eq!((implied.service("W").role, implied.service("W").role_span), (Role::Frontend, None));
    // What poses as a frontend for its port is none.
    let posing = Resolved::of(&worker("frontend", "command: [./modelexpress-server]"));
    assert_eq!((posing.service("W").role, posing.service("W").role_known), (Role::Other, false));
    assert_eq!(role("dynamo.frontend"), said(Role::Frontend, "dynamo.frontend"));
    assert_eq!(role("dynamo.router, --endpoint, a.b.c"), said(Role::Router, "dynamo.router"));
    assert_eq!(role("dynamo.global_router"), said(Role::Router, "dynamo.global_router"));
    assert_eq!(role("dynamo.planner"), said(Role::Planner, "dynamo.planner"));
    // A mode that cannot be known leaves the role open.
    assert!(!role("dynamo.vllm, --disaggregation-mode, \"${MODE}\"").1);
    assert!(!role("dynamo.vllm, --disaggregation-mode, sideways").1);
}

#[test]
fn the_operators_type_is_no_role() {
    let resolved = Resolved::of(&worker("decode", "command: [python3, -m, dynamo.vllm]\nargs: [--model, m]"));
    let service = resolved.service("W");
    assert_eq!((service.role, service.role_known), (Role::Aggregated, true));
    // Only where nothing can be seen it is a guess.
    for hidden in ["command: [python3, worker.py]", "command: [vllm, serve, m]", "args: []"] {
        let resolved = Resolved::of(&worker("decode", hidden));
        let service = resolved.service("W");
        assert_eq!((service.role, service.role_known), (Role::Decode, false), "{hidden}");
        assert!(service.process.is_none());
    }
    let sidecar = "command: [dynamo-vllm-sidecar]\nargs: [--disaggregation-mode, prefill]";
    let resolved = Resolved::of(&worker("worker", sidecar));
    let service = resolved.service("W");
    assert_eq!((service.role, service.role_known, service.framework), (Role::Prefill, true, Some(Framework::Vllm)));
}

#[test]
fn roles_from_variables_and_config_files() {
    let by_env = "command: [python3, -m, dynamo.vllm]
env: [{name: DYN_VLLM_DISAGGREGATION_MODE, value: prefill}]";
    let resolved = Resolved::of(&worker("worker", by_env));
    let service = resolved.service("W");
    assert_eq!((service.role, resolved.at(service.role_span)), (Role::Prefill, "prefill".to_owned()));
    // Another framework does not read it.
    let resolved = Resolved::of(&worker("worker", &by_env.replace("dynamo.vllm", "dynamo.trtllm")));
    assert_eq!(resolved.service("W").role, Role::Aggregated);

    let resolved = Resolved::of(SGLANG);
    let service = resolved.service("W");
    assert_eq!((service.role, service.role_known), (Role::Decode, true));
    assert_eq!(resolved.at(service.role_span), "decode");
    assert_eq!(service.configs[0].path, "/etc/sglang/decode.yaml");
    assert_eq!(service.kv.path, Fact::Known(Transfer::NixlLibfabric));
    assert_eq!(resolved.at(service.kv.span), "nixl");
    assert_eq!(service.events.published, Fact::Known(true));

    // Without the ConfigMap nothing is known, and nothing is claimed.
    let resolved = Resolved::of(&SGLANG.replace("metadata: {name: sglang-config}", "metadata: {name: elsewhere}"));
    let service = resolved.service("W");
    assert!(!service.role_known && service.kv.path.is_dynamic() && service.events.published.is_dynamic());
    assert!(service.config_open());
}

const SGLANG: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: sglang-config}
data:
  decode.yaml: |
    model-path: m
    disaggregation-mode: decode
    disaggregation-transfer-backend: nixl
    kv-events-config: '{"publisher": "zmq", "endpoint": "tcp://*:5557"}'
---
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec:
  components:
  - name: W
    type: decode
    podTemplate:
      spec:
        volumes:
        - name: config
          configMap: {name: sglang-config}
        containers:
        - name: main
          image: nvcr.io/nvidia/ai-dynamo/sglang-runtime:1.4.0
          command: [/bin/bash, -c]
          args:
          - >-
            ulimit -l unlimited &&
            exec python3 -m dynamo.sglang --config "$CONFIG_DIR/decode.yaml"
          env:
          - {name: CONFIG_DIR, value: /etc/sglang}
          - {name: SGLANG_DISAGGREGATION_NIXL_BACKEND, value: LIBFABRIC}
          volumeMounts:
          - {name: config, mountPath: /etc/sglang}
"#;

#[test]
fn scripts_out_of_config_maps() {
    let map = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: scripts}
data:
  run.sh: |
    #!/usr/bin/env bash
    export UCX_TLS=rc
    exec python3 -m dynamo.vllm "$@" --disaggregation-mode prefill
  run.py: |
    #!/usr/bin/env python3
    exec python3 -m dynamo.vllm
---
"#;
    let mounted = "volumeMounts: [{name: scripts, mountPath: /scripts}]";
    for started in [
        "command: [/bin/bash, /scripts/run.sh]\nargs: [--model, M]",
        "command: [bash, -eu, -o, pipefail, /scripts/run.sh, --model, M]",
        "command: [/scripts/run.sh]\nargs: [--model, M]",
        "command: [/bin/sh, -c]\nargs: ['cd /tmp && exec /scripts/run.sh --model M']",
        "command: [./run.sh, --model, M]\nworkingDir: /scripts",
    ] {
        let text = worker("worker", &format!("{started}\n{mounted}"));
        let text = format!(
            "{map}{}",
            text.replace(
                "    podTemplate:\n      spec:\n",
                "    podTemplate:\n      spec:\n        volumes: [{name: scripts, configMap: {name: scripts}}]\n"
            )
        );
        let resolved = Resolved::of(&text);
        let service = resolved.service("W");
        let args = &service.process.as_ref().expect(started).args;
        assert_eq!(args.last(&["--model"]).and_then(|f| f.value()?.as_known()), Some("M"), "{started}");
        assert_eq!((service.role, resolved.at(service.role_span)), (Role::Prefill, "prefill".to_owned()), "{started}");
        assert_eq!(resolved.chain("W", "UCX_TLS").len(), 1, "{started}");
    }
    for started in
        ["command: [/scripts/run.py]", "command: [/bin/bash, /scripts/none.sh]", "command: [/bin/bash, -s, \"$X\"]"]
    {
        let text = worker("worker", &format!("{started}\n{mounted}"));
        let resolved = Resolved::of(&format!(
            "{map}{}",
            text.replace(
                "      spec:\n",
                "      spec:\n        volumes: [{name: scripts, configMap: {name: scripts}}]\n"
            )
        ));
        assert!(resolved.service("W").process.is_none(), "{started}");
    }
}

#[test]
fn images_versions_and_counts() {
    let text = worker("worker", "command: [python3, -m, dynamo.vllm]\nresources: {limits: {nvidia.com/gpu: \"8\"}}");
    let resolved = Resolved::of(&text);
    let service = resolved.service("W");
    assert_eq!(service.version(), Version::parse("1.4.0"));
    assert_eq!(resolved.at(service.version.map(|v| v.span)), "1.4.0");
    assert_eq!((&service.replicas, &service.gpus, service.nodes), (&Fact::Known(1), &Fact::Known(8), 1));

    let resolved =
        Resolved::of(&text.replace("type: worker", "type: worker\n    runtimeVersionOverride: 1.2.1\n    replicas: 4"));
    let service = resolved.service("W");
    assert_eq!(resolved.at(service.version.map(|v| v.span)), "1.2.1");
    assert_eq!(service.replicas, Fact::Known(4));

    let unknown = text.replace(":1.4.0", ":my-tag").replace("\"8\"", "\"${GPUS}\"");
    let resolved = Resolved::of(&unknown.replace("type: worker", "type: worker\n    replicas: ${N}"));
    let service = resolved.service("W");
    assert_eq!(service.version(), None);
    assert!(service.replicas.is_dynamic() && service.gpus.is_dynamic());
    let options = Options { dynamo_version: Version::parse("1.3"), ..Options::default() };
    assert_eq!(Resolved::with(&unknown, &options).service("W").version(), Version::parse("1.3.0"));
    let resolved =
        Resolved::of(&text.replace("nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0", "<registry>/vllm-runtime:1.4.0"));
    assert!(resolved.service("W").image.is_dynamic());
}

#[test]
fn vllm_kv_transfer() {
    let path = |json: &str| {
        let resolved = run(&format!("dynamo.vllm, --kv-transfer-config, '{json}'"));
        let kv = &resolved.service("W").kv;
        let names: Vec<String> = kv.connectors.iter().map(|c| resolved.at(Some(c.span))).collect();
        (kv.path.clone(), names.join(" "))
    };
    let known = |path, names: &str| (Fact::Known(path), names.to_owned());
    let nixl = "\"NixlConnector\"";
    assert_eq!(path(r#"{"kv_connector":"NixlConnector","kv_role":"kv_both"}"#), known(Transfer::NixlUcx, nixl));
    let with = |backends: &str| {
        path(&format!(r#"{{"kv_connector":"NixlConnector","kv_connector_extra_config":{{"backends":{backends}}}}}"#)).0
    };
    assert_eq!(with("[\"LIBFABRIC\"]"), Fact::Known(Transfer::NixlLibfabric));
    assert_eq!(with("[\"UCX\",\"GDS\"]"), Fact::Known(Transfer::NixlUcx));
    assert_eq!(with("[\"GDS\"]"), Fact::Known(Transfer::NixlOther));
    assert_eq!(with("[]"), Fact::Known(Transfer::NixlUcx));
    assert_eq!(
        path(
            r#"{"kv_connector":"PdConnector","kv_connector_extra_config":{"connectors":[{"kv_connector":"DynamoConnector"},{"kv_connector":"NixlConnector"}]}}"#
        ),
        known(Transfer::NixlUcx, "\"PdConnector\" \"DynamoConnector\" \"NixlConnector\"")
    );
    assert_eq!(path(r#"{"kv_connector":"LMCacheConnectorV1"}"#).0, Fact::Known(Transfer::Other));
    assert_eq!(path(r#"{"kv_connector":"MooncakeConnector"}"#).0, Fact::Known(Transfer::Mooncake));
    assert!(matches!(path("{kv_connector: nope}").0, Fact::Dynamic(Reason::Invalid(_))));
    // Nothing said: nothing is moved, since 1.0.
    assert_eq!(run("dynamo.vllm").service("W").kv.path, Fact::Known(Transfer::None));
    assert_eq!(run("dynamo.frontend").service("W").kv.path, Fact::Unset);
}

#[test]
fn kv_transfer_through_a_variable() {
    let text = worker(
        "worker",
        "command: [python3, -m, dynamo.vllm]
args: [--kv-transfer-config=$(KV)]
env: [{name: KV, valueFrom: {configMapKeyRef: {name: map, key: kv}}}]",
    );
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: map}\ndata:\n  kv: '{\"kv_connector\": \"NixlConnector\", \"kv_buffer_device\": \"cpu\"}'\n";
    let resolved = Resolved::of(&format!("{text}{map}"));
    let kv = &resolved.service("W").kv;
    assert_eq!(kv.path, Fact::Known(Transfer::NixlUcx));
    // The label lands in the ConfigMap.
    assert_eq!(resolved.at(kv.buffer_device.as_ref().map(|d| d.span)), "\"cpu\"");
    let secret = text.replace("configMapKeyRef", "secretKeyRef");
    assert_eq!(Resolved::of(&secret).service("W").kv.path, Fact::Dynamic(Reason::Secret("map".into())));
}

#[test]
fn sglang_kv_transfer() {
    let path = |words: &str| run(&format!("dynamo.sglang, {words}")).service("W").kv.path.clone();
    let prefill = "--disaggregation-mode, prefill";
    assert_eq!(path(prefill), Fact::Known(Transfer::Mooncake));
    assert_eq!(path(&format!("{prefill}, --disaggregation-transfer-backend, nixl")), Fact::Known(Transfer::NixlUcx));
    assert_eq!(path(&format!("{prefill}, --disaggregation-transfer-backend=mori")), Fact::Known(Transfer::Other));
    assert_eq!(path("--tp, \"8\""), Fact::Known(Transfer::None));
}

/// TensorRT-LLM with a transceiver config and variables.
fn trtllm(transceiver: &str, env: &str) -> Resolved {
    Resolved::of(&format!(
        r#"
apiVersion: v1
kind: ConfigMap
metadata: {{name: engine}}
data:
  prefill.yaml: |
    kv_cache_config: {{enable_block_reuse: true}}
    {transceiver}
---
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {{name: demo}}
spec:
  services:
    W:
      componentType: worker
      extraPodSpec:
        volumes:
        - {{name: engine, configMap: {{name: engine, items: [{{key: prefill.yaml, path: sub/p.yaml}}]}}}}
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:1.4.0
          workingDir: /workspace
          command: [python3, -m, dynamo.trtllm]
          args: [--extra-engine-args, ./engine/sub/p.yaml, --disaggregation-mode, prefill]
          env: [{env}]
          volumeMounts:
          - {{name: engine, mountPath: /workspace/engine/}}
"#
    ))
}

#[test]
fn trtllm_kv_transfer() {
    let path = |transceiver: &str, env: &str| trtllm(transceiver, env).service("W").kv.path.clone();
    assert_eq!(path("", ""), Fact::Known(Transfer::None));
    assert_eq!(path("cache_transceiver_config: {max_tokens_in_buffer: 1}", ""), Fact::Known(Transfer::None));
    let with = |backend: &str| format!("cache_transceiver_config: {{backend: {backend}}}");
    assert_eq!(path(&with("UCX"), ""), Fact::Known(Transfer::TrtllmUcx));
    assert_eq!(path(&with("MPI"), ""), Fact::Known(Transfer::TrtllmMpi));
    assert_eq!(path(&with("DEFAULT"), ""), Fact::Known(Transfer::NixlUcx));
    assert_eq!(
        path(&with("NIXL"), "{name: TRTLLM_NIXL_KVCACHE_BACKEND, value: LIBFABRIC}"),
        Fact::Known(Transfer::NixlLibfabric)
    );
    assert_eq!(
        path(&with("DEFAULT"), "{name: TRTLLM_USE_UCX_KVCACHE, value: \"1\"}"),
        Fact::Known(Transfer::TrtllmUcx)
    );
    // Only exactly `1` counts.
    assert_eq!(
        path(&with("DEFAULT"), "{name: TRTLLM_USE_UCX_KVCACHE, value: \"true\"}"),
        Fact::Known(Transfer::NixlUcx)
    );
    let resolved = trtllm(&with("UCX"), "");
    assert_eq!(resolved.at(resolved.service("W").kv.span), "UCX");
    // A file of the image stays unknown.
    let hidden = run("dynamo.trtllm, --extra-engine-args, engine_configs/prefill.yaml");
    assert!(hidden.service("W").kv.path.is_dynamic());
    let inline = run(r#"dynamo.trtllm, --override-engine-args, '{"cache_transceiver_config": {"backend": "UCX"}}'"#);
    assert_eq!(inline.service("W").kv.path, Fact::Known(Transfer::TrtllmUcx));
}

#[test]
fn kv_events() {
    let events = |words: &str| run(words).service("W").events.published.clone();
    let vllm = |json: &str| events(&format!("dynamo.vllm, --kv-events-config, '{json}'"));
    assert_eq!(vllm(r#"{"enable_kv_cache_events": true}"#), Fact::Known(true));
    assert_eq!(vllm(r#"{"publisher": "zmq"}"#), Fact::Known(false));
    assert_eq!(vllm(r#"{"enable_kv_cache_events": true, "publisher": "null"}"#), Fact::Known(false));
    assert_eq!(
        events(r#"dynamo.vllm, --no-enable-prefix-caching, --kv-events-config, '{"enable_kv_cache_events": true}'"#),
        Fact::Known(false)
    );
    assert_eq!(events("dynamo.vllm"), Fact::Known(false));
    let old = worker("worker", "command: [python3, -m, dynamo.vllm]").replace(":1.4.0", ":0.8.1");
    assert_eq!(Resolved::of(&old).service("W").events.published, Fact::Known(true));

    // vLLM drops `false` from its config file before Dynamo 1.5, and later behind a name with `_`.
    let file = |release: &str, line: &str| {
        let spec = "command: [python3, -m, dynamo.vllm, --config, /e/a.yaml]\nvolumeMounts: [{name: c, mountPath: /e}]";
        let map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata:\n  a.yaml: |\n    {line}\n    kv-events-config: {{enable_kv_cache_events: true}}\n---\n"
        );
        let graph = worker("worker", spec).replace(":1.4.0", release);
        let graph = graph.replacen(
            "        containers:",
            "        volumes: [{name: c, configMap: {name: m}}]\n        containers:",
            1,
        );
        Resolved::of(&(map + &graph)).service("W").events.published.clone()
    };
    assert_eq!(file(":1.4.0", "enable-prefix-caching: false"), Fact::Known(true));
    assert_eq!(file(":1.5.0", "enable-prefix-caching: false"), Fact::Known(false));
    assert_eq!(file(":1.5.0", "enable_prefix_caching: false"), Fact::Known(true));
    assert_eq!(file(":1.4.0", "no-enable-prefix-caching: true"), Fact::Known(false));

    let sglang = |json: &str| events(&format!("dynamo.sglang, --kv-events-config, '{json}'"));
    assert_eq!(sglang(r#"{"publisher": "zmq", "endpoint": "tcp://*:1"}"#), Fact::Known(true));
    assert_eq!(sglang(r#"{"enable_kv_cache_events": true}"#), Fact::Known(false));
    assert_eq!(events("dynamo.sglang"), Fact::Known(false));

    assert_eq!(events("dynamo.trtllm"), Fact::Known(false));
    assert_eq!(events("dynamo.trtllm, --publish-kv-events"), Fact::Known(true));
    assert_eq!(events("dynamo.trtllm, --publish-events-and-metrics"), Fact::Known(true));
    assert_eq!(events("dynamo.trtllm, --publish-kv-events, --no-publish-kv-events"), Fact::Known(false));
    let by_env = "command: [python3, -m, dynamo.trtllm]\nenv: [{name: DYN_TRTLLM_PUBLISH_KV_EVENTS, value: \"True\"}]";
    assert_eq!(Resolved::of(&worker("worker", by_env)).service("W").events.published, Fact::Known(true));

    assert_eq!(events("dynamo.mocker"), Fact::Known(true));
    assert_eq!(events("dynamo.mocker, --disaggregation-mode, decode"), Fact::Known(false));
    assert_eq!(events("dynamo.mocker, --no-enable-prefix-caching"), Fact::Known(false));
    assert_eq!(events("dynamo.tokenspeed"), Fact::Known(false));
    assert_eq!(events("dynamo.frontend"), Fact::Unset);
}

#[test]
fn fabric() {
    let text = r#"
apiVersion: resource.nvidia.com/v1beta1
kind: ComputeDomain
metadata: {name: domain}
spec:
  channel: {resourceClaimTemplate: {name: the-channel}}
---
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec:
  components:
  - name: W
    type: worker
    podTemplate:
      metadata:
        annotations: {networking.gke.io/interfaces: "[]"}
      spec:
        hostNetwork: true
        resourceClaims:
        - {name: channel, resourceClaimTemplateName: the-channel}
        - {name: nic, resourceClaimTemplateName: some-nic}
        volumes:
        - {name: ib, hostPath: {path: /dev/infiniband}}
        containers:
        - name: main
          command: [python3, -m, dynamo.vllm]
          securityContext: {privileged: true, capabilities: {add: [IPC_LOCK]}}
          resources:
            limits: {rdma/ib: "2", vpc.amazonaws.com/efa: 4, networking.gke.io.networks/rdma-0: 1, networking.gke.io.networks/rdma-0.IP: 1, rdma/none: "0", example.com/hca_a: "${N}"}
            requests: {rdma/ib: "2", nvidia.com/mlnxnics: 1}
            claims: [{name: channel}]
"#;
    let resolved = Resolved::of(text);
    let fabric = &resolved.service("W").fabric;
    let devices: Vec<_> = fabric.devices.iter().map(|d| (d.kind, d.name.as_str(), d.count.known().copied())).collect();
    assert_eq!(
        devices,
        [
            (FabricKind::Rdma, "rdma/ib", Some(2)),
            (FabricKind::Efa, "vpc.amazonaws.com/efa", Some(4)),
            (FabricKind::GkeRdma, "networking.gke.io.networks/rdma-0", Some(1)),
            (FabricKind::Rdma, "example.com/hca_a", None),
            (FabricKind::Rdma, "nvidia.com/mlnxnics", Some(1)),
        ]
    );
    let claims: Vec<_> =
        fabric.claims.iter().map(|c| (c.name.as_str(), c.compute_domain.as_deref(), c.channel, c.used)).collect();
    assert_eq!(claims, [("channel", Some("domain"), true, true), ("nic", None, false, false)]);
    assert_eq!(resolved.at(fabric.host_network), "true");
    assert_eq!(resolved.at(fabric.dev_infiniband), "/dev/infiniband");
    assert_eq!(resolved.at(fabric.privileged), "true");
    assert_eq!(resolved.at(fabric.network_annotation), "networking.gke.io/interfaces");
    assert_eq!(fabric.capabilities[0].value, "IPC_LOCK");
    assert_eq!(resolved.service("W").gpus, Fact::Known(0));
}

#[test]
fn default_commands_follow_the_merge_rules() {
    let argv = |kind: &str, container: &str| {
        let resolved = Resolved::of(&worker(kind, container));
        let service = resolved.service("W");
        let words = |list: &[dynlint::command::Word]| {
            list.iter().map(|w| w.text.as_str().to_owned()).collect::<Vec<_>>().join(" ")
        };
        (
            words(&service.launch.command),
            words(&service.launch.args),
            service.process.as_ref().map(|p| (p.implied, words(&p.argv))),
        )
    };
    let frontend = "python3 -m dynamo.frontend";
    assert_eq!(
        argv("frontend", "tty: false"),
        ("python3".into(), "-m dynamo.frontend".into(), Some((true, frontend.into())))
    );
    // Empty lists do not override.
    assert_eq!(argv("frontend", "command: []\nargs: []").2, Some((true, frontend.into())));
    // A command alone keeps the default args.
    assert_eq!(
        argv("frontend", "command: [python3, -m, dynamo.frontend]").2,
        Some((false, format!("{frontend} -m dynamo.frontend")))
    );
    // Args alone replace `-m dynamo.frontend`: no Dynamo process is left.
    assert_eq!(argv("frontend", "args: [--router-mode, kv]").2, None);
    assert_eq!(
        argv("worker", "args: [\"python3 -m dynamo.vllm --model m\"]"),
        (
            "/bin/sh -c".into(),
            "python3 -m dynamo.vllm --model m".into(),
            Some((false, "python3 -m dynamo.vllm --model m".into()))
        )
    );
    assert_eq!(argv("worker", "tty: false"), ("/bin/sh -c".into(), String::new(), None));
    assert!(argv("epp", "tty: false").1.starts_with("--pool-name demo-pool"));
}

#[test]
fn the_process_that_counts() {
    let module = |kind: &str, script: &str| {
        let script = script.replace('\n', "\n  ");
        let resolved = Resolved::of(&worker(kind, &format!("command: [/bin/sh, -c]\nargs:\n- |\n  {script}")));
        let service = resolved.service("W");
        (service.module().map(str::to_owned), service.launch.processes.len())
    };
    let both = "python3 -m dynamo.vllm --model m &\npython3 -m dynamo.frontend";
    assert_eq!(module("frontend", both).0.as_deref(), Some("dynamo.frontend"));
    assert_eq!(module("worker", both), (Some("dynamo.vllm".into()), 2));
    let nested = "bash -c 'export A=b; python3 -m dynamo.sglang --tp 8'";
    assert_eq!(module("worker", nested).0.as_deref(), Some("dynamo.sglang"));
    assert_eq!(module("worker", "echo hello").0, None);
}

#[test]
fn an_engine_in_another_container() {
    let text = worker("worker", "command: [sleep, infinity]").replace(
        "        containers:\n",
        "        initContainers:
        - name: engine
          restartPolicy: Always
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
          command: [python3, -m, dynamo.vllm]
          args: [--disaggregation-mode, decode]
          env: [{name: UCX_TLS, value: rc}]
          resources: {limits: {nvidia.com/gpu: 2, rdma/ib: 1}}
        - name: prepare
          command: [python3, -m, dynamo.vllm]
        containers:\n",
    );
    let resolved = Resolved::of(&text);
    let service = resolved.service("W");
    assert_eq!((service.role, service.engine_container.as_str()), (Role::Decode, "engine"));
    assert_eq!(service.env.known("UCX_TLS").map(|t| t.as_str()), Some("rc"));
    assert_eq!(service.gpus, Fact::Known(2));
    assert!(service.fabric.device(FabricKind::Rdma).is_some());
    assert_eq!(service.others.len(), 2);
}

#[test]
fn frontend_sidecars() {
    let resolved = Resolved::of(
        r#"
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec:
  envs: [{name: GRAPH, value: g}]
  services:
    W:
      componentType: worker
      frontendSidecar:
        image: nvcr.io/nvidia/ai-dynamo/dynamo-frontend:1.4.0
        args: [-m, dynamo.frontend, --router-mode, direct]
        envs: [{name: OWN, value: o}]
      extraPodSpec:
        mainContainer:
          command: [python3, -m, dynamo.vllm]
"#,
    );
    let service = resolved.service("W");
    let sidecar = service.sidecar.as_ref().expect("a sidecar");
    let process = sidecar.process.as_ref().expect("a process");
    assert_eq!(process.module.value, "dynamo.frontend");
    assert_eq!(process.args.last(&["--router-mode"]).and_then(|f| f.value()).map(|w| w.text.as_str()), Some("direct"));
    assert_eq!(sidecar.env.known("DYN_COMPONENT").map(|t| t.as_str()), Some("frontend"));
    // Graph env does not reach it.
    assert!(sidecar.env.get("OWN").is_some() && sidecar.env.get("GRAPH").is_none());
    assert!(service.env.get("GRAPH").is_some());
    // The main image says nothing, the sidecar's is no engine image but a Dynamo one.
    assert_eq!(service.role, Role::Aggregated);
}

#[test]
fn partial_graphs_of_requests_claim_nothing() {
    let resolved = Resolved::of(
        "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata: {name: request}
spec:
  overrides:
    dgd:
      apiVersion: nvidia.com/v1beta1
      kind: DynamoGraphDeployment
      spec:
        components:
        - name: W
          type: decode
          podTemplate: {spec: {containers: [{name: main, args: [--x]}]}}
",
    );
    let service = resolved.service("W");
    assert!(!service.role_known && service.process.is_none() && service.args_open());
    assert!(service.gpus.is_dynamic() && service.replicas.is_dynamic());
}

#[test]
fn text_and_json() {
    let resolved = Resolved::of(LAYERS);
    insta::assert_snapshot!("layers", resolved.text());
    let sglang = Resolved::of(SGLANG);
    insta::assert_snapshot!("sglang", sglang.text());
    let all = sglang.deployments.iter().map(|d| wire::deployment(d, &sglang.sources)).collect();
    let mut json = serde_json::to_value(Resolve::new(all)).expect("json");
    // The whole environment is in the text already.
    let service = &mut json["deployments"][0]["services"][0];
    let env = service["env"].as_array().expect("env").clone();
    service["env"] = env.into_iter().filter(|v| v["name"] == "CONFIG_DIR" || v["name"] == "POD_UID").collect();
    insta::assert_json_snapshot!("sglang-json", json);
}

#[test]
fn credentials_are_masked() {
    let resolved = Resolved::of(&worker(
        "worker",
        "command: [/bin/sh, -c]
args: [\"export NGC_API_KEY=nvapi-0123456789abcdef; python3 -m dynamo.vllm --api-key topsecret\"]
env: [{name: HF_TOKEN, value: hf_0123456789abcdef0123}]",
    ));
    let all: Vec<_> = resolved.deployments.iter().map(|d| wire::deployment(d, &resolved.sources)).collect();
    let json = serde_json::to_string(&Resolve::new(all)).expect("json");
    for secret in ["hf_0123", "nvapi-", "topsecret"] {
        assert!(!json.contains(secret) && !resolved.text().contains(secret), "{secret}");
    }
    assert!(json.contains("***"));
}

/// What the cluster decides is not known until it is told, and then it is.
#[test]
fn what_the_cluster_decides_can_be_told() {
    let text = worker("decode", "command: [python3, -m, dynamo.vllm]");
    let at_home = Resolved::of(&text);
    assert!(at_home.chain("W", "DYN_NAMESPACE")[0].contains("decided by the cluster: the Kubernetes namespace"));
    assert!(at_home.service("W").env.get("NATS_SERVER").is_none());
    let cluster = Cluster {
        namespace: Some("prod".to_owned()),
        nats_server: Some("nats://n:4222".to_owned()),
        etcd_endpoints: Some("e:2379".to_owned()),
        discovery_backend: "etcd".to_owned(),
        ..Cluster::default()
    };
    let told = Resolved::with(&text, &Options { cluster, ..Options::default() });
    assert_eq!(told.chain("W", "DYN_NAMESPACE"), ["operator-default prod-demo @-"]);
    assert_eq!(told.chain("W", "NATS_SERVER"), ["operator-default nats://n:4222 @-"]);
    assert_eq!(told.chain("W", "ETCD_ENDPOINTS"), ["operator-default e:2379 @-"]);
    assert!(told.service("W").env.get("DYN_DISCOVERY_BACKEND").is_none());
}

/// A manifest's own NATS address wins over the operator's, and its namespace over the command line's.
#[test]
fn the_manifest_wins_over_the_cluster() {
    let text = worker("decode", "command: [python3, -m, dynamo.vllm]\nenv: [{name: NATS_SERVER, value: mine}]")
        .replace("{name: demo}", "{name: demo, namespace: own}");
    let cluster = Cluster {
        namespace: Some("prod".to_owned()),
        nats_server: Some("nats://n:4222".to_owned()),
        ..Cluster::default()
    };
    let told = Resolved::with(&text, &Options { cluster, ..Options::default() });
    assert!(told.chain("W", "DYN_NAMESPACE")[0].starts_with("operator-default own-demo"));
    assert!(told.chain("W", "NATS_SERVER")[0].starts_with("container-env mine"));
}

/// Of Grove only the graph's metadata counts, of components the pod template first, then the graph.
#[test]
fn discovery_backend_by_precedence() {
    let text = |metadata: &str, spec: &str, template: &str| {
        worker("decode", "command: [python3, -m, dynamo.vllm]")
            .replace("{name: demo}", &format!("{{name: demo, annotations: {{{metadata}}}}}"))
            .replace("spec:\n  components", &format!("spec:\n  annotations: {{{spec}}}\n  components"))
            .replace("podTemplate:\n", &format!("podTemplate:\n      metadata: {{annotations: {{{template}}}}}\n"))
    };
    let etcd = "nvidia.com/dynamo-discovery-backend: etcd";
    let off = "nvidia.com/enable-grove: \"False\"";
    let components = Options { cluster: Cluster { grove: false, ..Cluster::default() }, ..Options::default() };
    for (text, options, kubernetes) in [
        (text(etcd, "", ""), Options::default(), false),
        (text("", etcd, ""), Options::default(), true),
        (text("", "", etcd), Options::default(), true),
        (text(off, etcd, ""), Options::default(), false),
        (text(off, "", etcd), Options::default(), false),
        (text("", "", etcd), components.clone(), false),
        (text("", etcd, "nvidia.com/dynamo-discovery-backend: kubernetes"), components.clone(), true),
        (text("nvidia.com/workload-provider: grove", "", etcd), components, true),
    ] {
        let service = Resolved::with(&text, &options);
        let set = service.service("W").env.get("DYN_DISCOVERY_BACKEND").is_some();
        assert_eq!(set, kubernetes, "{text}");
    }
}

/// Which of multiprocessing and Ray spans the nodes of a vLLM engine: annotation, origin version, operator.
#[test]
fn multiprocessing_or_ray() {
    let text = |metadata: &str| {
        worker("decode", "command: [python3, -m, dynamo.vllm]")
            .replace("    type: decode\n", "    type: decode\n    multinode: {nodeCount: 2}\n")
            .replace("{name: demo}", &format!("{{name: demo, annotations: {{{metadata}}}}}"))
    };
    let old = Cluster { operator_version: Version::parse("0.9"), ..Cluster::default() };
    for (metadata, cluster, forced) in [
        ("", Cluster::default(), true),
        ("", old.clone(), false),
        ("nvidia.com/vllm-distributed-executor-backend: RAY", Cluster::default(), false),
        ("nvidia.com/vllm-distributed-executor-backend: mp", old.clone(), true),
        ("nvidia.com/dynamo-operator-origin-version: 0.8.1", Cluster::default(), false),
        ("nvidia.com/dynamo-operator-origin-version: 1.0.0", old, true),
    ] {
        let resolved = Resolved::with(&text(metadata), &Options { cluster, ..Options::default() });
        let host = resolved.service("W").env.get("VLLM_NIXL_SIDE_CHANNEL_HOST");
        assert_eq!(host.is_some(), forced, "{metadata}");
    }
}
