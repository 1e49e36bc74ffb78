//! Objects and graphs out of documents of either API version.

#[path = "manifest/api_server.rs"]
mod api_server;
#[path = "common/mod.rs"]
mod common;
#[path = "manifest/mutate.rs"]
mod mutate;
#[path = "manifest/severity.rs"]
mod severity;

use dynlint::manifest::{ApiVersion, ComponentType, EnvLayer, EnvSource, Graph, GraphKind, Object, VolumeSource};
use dynlint::source::Sources;
use dynlint::yaml::{self, Limits, Node};

fn objects(text: &str) -> (Sources, Vec<Object>) {
    let sources = Sources::new();
    let file = sources.add("deploy.yaml".to_owned(), None, text);
    let stream = yaml::parse(&file, &Limits::default());
    assert!(stream.problems.is_empty(), "{:?}", stream.problems);
    let objects = stream.documents.iter().flat_map(Object::of_document).collect();
    (sources, objects)
}

fn graph(text: &str) -> Graph {
    let (_, objects) = objects(text);
    objects.iter().find_map(Graph::of_object).expect("a graph")
}

fn quantities(list: &[(String, dynlint::source::Span, Node)]) -> Vec<(&str, &str)> {
    list.iter().map(|(name, _, node)| (name.as_str(), node.as_text().unwrap_or("?"))).collect()
}

#[test]
fn lists_are_unpacked_and_documents_without_kind_skipped() {
    let (sources, objects) = objects(
        "apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: one, namespace: ns}
- kind: ConfigMapList
  items:
  - kind: ConfigMap
    metadata: {name: two}
  - just a string
---
no: kind
---
# nothing
---
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
",
    );
    let names: Vec<_> = objects.iter().map(|o| (o.kind.as_str(), o.name.as_str(), o.group(), o.version())).collect();
    assert_eq!(
        names,
        [
            ("ConfigMap", "one", "", "v1"),
            ("ConfigMap", "two", "", ""),
            ("DynamoGraphDeployment", "", "nvidia.com", "v1beta1")
        ]
    );
    assert_eq!(objects[0].namespace.as_deref(), Some("ns"));
    let file = sources.get(objects[0].file);
    assert_eq!(&file.text[objects[0].name_span.range()], "one");
    assert_eq!(&file.text[objects[2].name_span.range()], "DynamoGraphDeployment");
}

const ALPHA: &str = r#"
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: demo
  annotations: {a: metadata}
spec:
  annotations: {a: spec, b: spec}
  backendFramework: vllm
  envs:
  - name: GRAPH
    value: "1"
  services:
    Worker:
      componentType: worker
      subComponentType: decode
      replicas: 2
      envFromSecret: hf
      envs:
      - name: A
        value: service
      - name: SECRET
        valueFrom: {secretKeyRef: {name: s, key: k}}
      resources:
        limits:
          gpu: "4"
          gpuType: nvidia.com/h100
          cpu: lots
          custom:
            rdma/ib: "4"
        requests:
          memory: 80Gi
          gpu: "4"
      sharedMemory: {size: 16Gi}
      volumeMounts:
      - name: cache
        mountPoint: /cache
        useAsCompilationCache: true
      multinode: {nodeCount: 3}
      extraPodMetadata:
        annotations: {k8s.v1.cni.cncf.io/networks: ib}
      extraPodSpec:
        volumes:
        - {name: config, configMap: {name: engine}}
        - {name: dev, hostPath: {path: /dev/infiniband}}
        - {name: shm, emptyDir: {medium: Memory}}
        containers:
        - name: main
          image: dropped
        - name: helper
          image: helper:1
        mainContainer:
          name: ignored
          image: vllm-runtime:1.4.0
          command: [python3, -m, dynamo.vllm]
          env:
          - name: A
            value: container
          - name: IP
            valueFrom: {fieldRef: {fieldPath: status.podIP}}
          - name: MAP
            valueFrom: {configMapKeyRef: {name: engine, key: kv}}
          - name: EMPTY
          volumeMounts:
          - {name: config, mountPath: /etc/engine, subPath: x}
          resources:
            limits: {nvidia.com/h100: "8", memory: 1Gi}
            claims: [{name: channel}]
    Frontend:
      componentType: frontend
      frontendSidecar:
        image: side:1
        args: [-m, dynamo.frontend]
        envs: [{name: MODE, value: kv}]
        envFromSecret: other
    Gone: null
    Main:
      componentType: main
      subComponentType: prefill
      multinode: {}
      sharedMemory: {disabled: true}
"#;

#[test]
fn v1alpha1_becomes_the_hub_shape() {
    let graph = graph(ALPHA);
    assert_eq!(
        (graph.kind, graph.api_version, graph.shape),
        (GraphKind::Deployment, ApiVersion::V1Alpha1, ApiVersion::V1Alpha1)
    );
    let annotations: Vec<_> = graph.annotations.iter().map(|(k, _, v)| (k.as_str(), v.as_text())).collect();
    assert_eq!(annotations, [("a", Some("metadata")), ("b", Some("spec"))]);
    assert_eq!(graph.backend_framework.as_ref().map(|b| b.as_str()), Some("vllm"));
    assert_eq!(graph.env[0].name.value, "GRAPH");
    // Sorted by name, null services skipped.
    let names: Vec<_> = graph.components.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["Frontend", "Main", "Worker"]);

    let worker = &graph.components[2];
    assert_eq!(worker.component_type, ComponentType::Decode);
    assert_eq!(worker.node_count.map(|n| n.value), Some(3));
    assert_eq!(worker.shared_memory.as_ref().map(|s| s.as_str()), Some("16Gi"));
    assert_eq!(worker.annotations[0].0, "k8s.v1.cni.cncf.io/networks");
    let (cache, path) = worker.compilation_cache.as_ref().expect("a cache");
    assert_eq!((cache.as_str(), path.as_ref().map(|p| p.as_str())), ("cache", Some("/cache")));
    let main = &worker.main;
    assert_eq!(main.name, "main");
    // Service env first, the container's own behind: later wins.
    let env: Vec<_> = main.env.iter().map(|(layer, e)| (*layer, e.name.as_str())).collect();
    assert_eq!(
        env,
        [
            (EnvLayer::Service, "A"),
            (EnvLayer::Service, "SECRET"),
            (EnvLayer::Container, "A"),
            (EnvLayer::Container, "IP"),
            (EnvLayer::Container, "MAP"),
            (EnvLayer::Container, "EMPTY")
        ]
    );
    assert!(matches!(&main.env[1].1.source, EnvSource::Secret { name, key, .. } if name == "s" && key == "k"));
    assert!(matches!(&main.env[3].1.source, EnvSource::Field { path, .. } if path == "status.podIP"));
    assert!(matches!(&main.env[4].1.source, EnvSource::ConfigMap { name, key, .. } if name == "engine" && key == "kv"));
    assert!(matches!(&main.env[5].1.source, EnvSource::Value(None)));
    assert_eq!(quantities(&main.limits), [("nvidia.com/h100", "8"), ("rdma/ib", "4"), ("memory", "1Gi")]);
    assert_eq!(quantities(&main.requests), [("memory", "80Gi"), ("nvidia.com/gpu", "4")]);
    assert_eq!(quantities(&main.dropped), [("cpu", "lots")]);
    assert_eq!(main.claims[0].value, "channel");
    // The container's mounts, then the service's.
    let mounts: Vec<_> = main.mounts.iter().map(|m| (m.name.as_str(), m.path.as_ref().map(|p| p.as_str()))).collect();
    assert_eq!(mounts, [("config", Some("/etc/engine")), ("cache", Some("/cache"))]);
    assert_eq!(main.mounts[0].sub_path.as_deref(), Some("x"));
    assert!(main.env_from.len() == 1 && main.env_from[0].secret && main.lost_env_from.is_empty());
    let sidecars: Vec<_> = worker.sidecars.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(sidecars, ["helper"]);
    let sources: Vec<_> = worker.volumes.iter().map(|v| v.source.clone()).collect();
    assert_eq!(
        sources,
        [
            VolumeSource::ConfigMap("engine".into()),
            VolumeSource::HostPath("/dev/infiniband".into()),
            VolumeSource::EmptyDir(Some("Memory".into()))
        ]
    );

    let frontend = &graph.components[0];
    assert_eq!(frontend.frontend_sidecar.as_ref().map(|s| s.as_str()), Some("sidecar-frontend"));
    let sidecar = &frontend.sidecars[0];
    assert_eq!((sidecar.name.as_str(), sidecar.args.items.len()), ("sidecar-frontend", 2));
    assert_eq!(sidecar.env[0].1.name.value, "MODE");
    assert_eq!(sidecar.env_from[0].name.value, "other");

    // A sub type only counts for workers.
    let other = &graph.components[1];
    assert_eq!(other.component_type, ComponentType::Other("main".into()));
    assert_eq!(other.node_count.map(|n| n.value), Some(2));
    assert_eq!(other.shared_memory.as_ref().map(|s| s.as_str()), Some("0"));
}

#[test]
fn env_from_of_the_container_replaces_the_services_secret() {
    let graph = graph(
        "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec:
  services:
    W:
      envFromSecret: lost
      extraPodSpec:
        mainContainer:
          envFrom:
          - configMapRef: {name: kept}
            prefix: P_
",
    );
    let main = &graph.components[0].main;
    assert_eq!(main.env_from.len(), 1);
    assert_eq!((main.env_from[0].name.as_str(), main.env_from[0].prefix.as_str()), ("kept", "P_"));
    assert_eq!(main.lost_env_from[0].name.value, "lost");
}

#[test]
fn v1beta1_is_read_as_it_stands() {
    let graph = graph(
        "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec:
  env: [{name: G, value: g}]
  experimental:
    kvTransferPolicy: {labelKey: zone}
  components:
  - name: decode
    type: decode
    sharedMemorySize: 4Gi
    runtimeVersionOverride: 1.4.1
    globalDynamoNamespace: true
    multinode: {}
    frontendSidecar: fe
    compilationCache: {pvcName: cc}
    podTemplate:
      metadata: {annotations: {x: y}}
      spec:
        initContainers: [{name: init}]
        containers:
        - name: fe
        - name: main
          image: i:1
          args: [\"a\"]
  - type: worker
",
    );
    assert!(graph.kv_transfer_policy.is_some());
    let decode = &graph.components[0];
    assert_eq!(decode.component_type, ComponentType::Decode);
    assert_eq!(decode.node_count.map(|n| n.value), Some(2));
    assert!(decode.global_namespace);
    assert_eq!(decode.runtime_version.as_ref().map(|v| v.as_str()), Some("1.4.1"));
    assert_eq!(decode.frontend_sidecar.as_ref().map(|s| s.as_str()), Some("fe"));
    assert_eq!((decode.main.args.items.len(), decode.sidecars.len(), decode.init_containers.len()), (1, 1, 1));
    assert_eq!(decode.annotations[0].0, "x");
    assert_eq!(
        decode.compilation_cache.as_ref().map(|(name, path)| (name.as_str(), path.is_none())),
        Some(("cc", true))
    );
    // Nameless: kept, so that its env can still be judged.
    assert_eq!(graph.components[1].name.value, "");
}

#[test]
fn the_shape_decides_when_the_version_lies() {
    let graph = graph(
        "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {name: demo}
spec: {services: {A: {componentType: frontend}}}
",
    );
    assert_eq!((graph.api_version, graph.shape), (ApiVersion::V1Beta1, ApiVersion::V1Alpha1));
    assert_eq!(graph.components[0].component_type, ComponentType::Frontend);
}

#[test]
fn other_kinds_that_hold_graphs() {
    let request = graph(
        "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata: {name: request}
spec:
  overrides:
    dgd:
      apiVersion: nvidia.com/v1alpha1
      kind: DynamoGraphDeployment
      spec: {services: {W: {extraPodSpec: {mainContainer: {args: [--x]}}}}}
",
    );
    assert_eq!((request.kind, request.api_version), (GraphKind::RequestOverride, ApiVersion::V1Alpha1));
    let component = graph(
        "apiVersion: nvidia.com/v1beta1
kind: DynamoComponentDeployment
metadata: {name: object}
spec: {name: one, type: prefill, backendFramework: vllm, podTemplate: {spec: {containers: [{name: main}]}}}
",
    );
    assert_eq!(component.kind, GraphKind::Component);
    assert_eq!(component.components[0].name.value, "one");
    assert_eq!(component.components[0].component_type, ComponentType::Prefill);
}

#[test]
fn nothing_where_there_is_no_graph() {
    for text in [
        "apiVersion: v1\nkind: DynamoGraphDeployment\nspec: {}\n",
        "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeploymentRequest\nspec: {}\n",
        "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\n",
        "apiVersion: nvidia.com/v7\nkind: DynamoGraphDeployment\nspec: {}\n",
        "apiVersion: nvidia.com/v1alpha1\nkind: DynamoModel\nspec: {}\n",
    ] {
        assert!(objects(text).1.iter().all(|o| Graph::of_object(o).is_none()), "{text}");
    }
}

#[test]
fn strings_where_maps_are_expected_do_no_harm() {
    let graph = graph(
        "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata: placeholder
spec:
  envs: ${ENVS}
  annotations: none
  services:
    A: ${SERVICE}
    B:
      componentType: [worker]
      replicas: ${REPLICAS}
      multinode: 2
      envs: [text, {value: no name}, {name: X, valueFrom: text}, {name: {a: b}}]
      resources: {limits: {gpu: [1]}, requests: text}
      sharedMemory: 4
      volumeMounts: [text, {name: x}]
      frontendSidecar: text
      extraPodMetadata: []
      extraPodSpec:
        nodeSelector: ${HW_NODE_SELECTOR}
        tolerations: ${HW_TOLERATIONS}
        volumes: text
        containers: {name: x}
        initContainers: [null, text]
        mainContainer:
          image: {a: b}
          command: python3
          args:
          env: {A: b}
          envFrom: [null, {secretRef: null}, {configMapRef: text}]
          securityContext: text
    C:
      extraPodSpec: ${SPEC}
",
    );
    let names: Vec<_> = graph.components.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["B", "C"]);
    let b = &graph.components[0];
    assert_eq!(b.component_type, ComponentType::Unset);
    let env: Vec<_> = b.main.env.iter().map(|(_, e)| e.name.as_str()).collect();
    assert_eq!(env, ["X"]);
    assert!(b.main.image.is_none() && b.main.env_from.is_empty());
    assert_eq!(b.replicas.as_ref().and_then(|r| r.value.as_text()), Some("${REPLICAS}"));
}
