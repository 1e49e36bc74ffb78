//! Random bases, components and overlays over random graphs: the build agrees with `kubectl kustomize` on all of them.
//! `DYNLINT_KUSTOMIZE_CASES` says how many (200 when unset). Many cases go through one start of the oracle: a
//! kustomization that takes them all in; when it refuses, or something differs, each is looked at by itself.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Disk, json};
use dynlint::kustomize;
use dynlint::source::Sources;
use dynlint::yaml::{self, Limits};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// Cases that one kustomization takes in.
const BATCH: usize = 20;

const COMPONENTS: [&str; 3] = ["Frontend", "Decode", "Prefill"];
const VARIABLES: [&str; 5] = ["UCX_TLS", "NCCL_DEBUG", "DYN_LOG", "A", "EMPTY"];
const VALUES: [&str; 8] = ["rc", "tcp,self", "WARN", "1", "", "true", "null", "a: b # c"];

/// Merge keys of the graph, as the recipes' own OpenAPI component gives them.
const OPENAPI: &str = include_str!("kustomize/custom-with-openapi/openapi.json");

type Env = Vec<(&'static str, &'static str)>;

fn env() -> impl Strategy<Value = Env> {
    subsequence(VARIABLES.to_vec(), 0..=4).prop_flat_map(|names| {
        let len = names.len();
        (Just(names), prop::collection::vec(select(VALUES.to_vec()), len))
            .prop_map(|(names, values)| names.into_iter().zip(values).collect())
    })
}

fn entries(env: &Env) -> Value {
    env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// One component of a graph.
#[derive(Clone, Debug)]
struct Part {
    name: &'static str,
    env: Env,
    replicas: Option<u32>,
    args: Vec<&'static str>,
    sidecar: bool,
}

fn part(name: &'static str) -> impl Strategy<Value = Part> {
    let args = prop::collection::vec(select(vec!["--model", "x", "--port=1", "-v", "{\"a\": 1}"]), 0..4);
    (env(), prop::option::of(0..4u32), args, any::<bool>()).prop_map(move |(env, replicas, args, sidecar)| Part {
        name,
        env,
        replicas,
        args,
        sidecar,
    })
}

fn graph() -> impl Strategy<Value = Vec<Part>> {
    subsequence(COMPONENTS.to_vec(), 1..=3).prop_flat_map(|names| names.into_iter().map(part).collect::<Vec<_>>())
}

fn graph_object(name: &str, parts: &[Part]) -> Value {
    let component = |part: &Part| {
        let mut main =
            json!({"name": "main", "image": "registry.example/dynamo/vllm-runtime:1.3.0", "args": part.args});
        if !part.env.is_empty() {
            main["env"] = entries(&part.env);
        }
        let mut containers = vec![main];
        if part.sidecar {
            containers.push(json!({"name": "log", "image": "busybox"}));
        }
        let mut out = json!({"name": part.name, "podTemplate": {"spec": {"containers": containers}}});
        if let Some(replicas) = part.replicas {
            out["replicas"] = json!(replicas);
        }
        out
    };
    json!({
        "apiVersion": "nvidia.com/v1beta1", "kind": "DynamoGraphDeployment",
        "metadata": {"name": name, "labels": {"team": "serving"}},
        "spec": {"backendFramework": "vllm", "components": parts.iter().map(component).collect::<Vec<_>>()},
    })
}

/// What a patch does.
#[derive(Clone, Debug)]
enum Patch {
    /// Strategic merge on the graph.
    Graph { parts: Vec<Part>, delete: Option<&'static str>, framework: Option<Option<&'static str>> },
    /// Strategic merge on the Deployment.
    Deployment { env: Env, delete_env: Option<&'static str>, replace: bool, replicas: Option<u32>, null_args: bool },
    /// JSON 6902 on the graph.
    Json(Vec<Value>),
    /// Strategic merge on the metadata of the Deployment: a value, or none to take it away.
    Metadata { labels: bool, template: bool, key: &'static str, value: Option<&'static str> },
    /// Strategic merge on the StatefulSet: `$patch` on a map, a merged and a replaced list, a field without merge key.
    Stateful { mounts: Vec<&'static str>, ports: bool, replace: bool, tolerations: u32 },
    /// Strategic merge that takes the Service away, or changes its ports.
    Service(Option<Vec<(u32, &'static str)>>),
}

const PLACES: [&str; 3] = ["/data", "/models", "/dev/shm"];
const PORTS: [(u32, &str); 4] = [(80, "TCP"), (80, "UDP"), (443, "TCP"), (9090, "TCP")];
const KEYS: [&str; 3] = ["label", "note", "team"];

fn patch() -> impl Strategy<Value = Patch> {
    let framework = prop::option::of(prop::option::of(select(vec!["sglang", "trtllm"])));
    let on_graph = (graph(), prop::option::weighted(0.2, select(COMPONENTS.to_vec())), framework)
        .prop_map(|(parts, delete, framework)| Patch::Graph { parts, delete, framework });
    let on_deployment = (
        env(),
        prop::option::weighted(0.3, select(VARIABLES.to_vec())),
        prop::bool::weighted(0.15),
        prop::option::of(0..4u32),
        any::<bool>(),
    )
        .prop_map(|(env, delete_env, replace, replicas, null_args)| Patch::Deployment {
            env,
            delete_env,
            replace,
            replicas,
            null_args,
        });
    let operation = prop_oneof![
        select(VALUES.to_vec()).prop_map(|v| json!({"op": "replace", "path": "/spec/backendFramework", "value": v})),
        (0..4u32).prop_map(|n| json!({"op": "add", "path": "/spec/components/0/replicas", "value": n})),
        select(VALUES.to_vec())
            .prop_map(|v| json!({"op": "add", "path": "/metadata/annotations", "value": {"x/y": v}})),
        Just(
            json!({"op": "add", "path": "/spec/components/0/podTemplate/spec/containers/0/args/-", "value": "--last"})
        ),
        Just(
            json!({"op": "add", "path": "/spec/components/0/podTemplate/spec/containers/0/args/0", "value": "--first"})
        ),
        Just(json!({"op": "remove", "path": "/metadata/labels/team"})),
        Just(json!({"op": "copy", "from": "/spec/backendFramework", "path": "/spec/copied"})),
        Just(json!({"op": "test", "path": "/kind", "value": "DynamoGraphDeployment"})),
    ];
    let on_metadata = (any::<bool>(), any::<bool>(), select(KEYS.to_vec()), prop::option::of(select(VALUES.to_vec())))
        .prop_map(|(labels, template, key, value)| Patch::Metadata { labels, template, key, value });
    let on_stateful = (subsequence(PLACES.to_vec(), 0..=2), any::<bool>(), prop::bool::weighted(0.2), 0..3u32)
        .prop_map(|(mounts, ports, replace, tolerations)| Patch::Stateful { mounts, ports, replace, tolerations });
    let on_service = prop::option::weighted(0.9, subsequence(PORTS.to_vec(), 0..=3)).prop_map(Patch::Service);
    prop_oneof![
        4 => on_graph,
        3 => on_deployment,
        2 => prop::collection::vec(operation, 1..3).prop_map(Patch::Json),
        3 => on_metadata,
        2 => on_stateful,
        1 => on_service,
    ]
}

/// How a patch finds its target.
#[derive(Clone, Debug)]
enum Target {
    /// By its own identity, inline or in a file.
    Own(bool),
    Kind,
    Label,
    Annotation,
    Group,
    NamePattern,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        any::<bool>().prop_map(Target::Own),
        Just(Target::Kind),
        Just(Target::Label),
        Just(Target::Annotation),
        Just(Target::Group),
        Just(Target::NamePattern)
    ]
}

/// Settings of a kustomization, besides resources and patches.
#[derive(Clone, Debug, Default)]
struct Settings(serde_json::Map<String, Value>);

/// What adds to labels: nothing, one or two entries of `labels`, `commonLabels`.
fn labels() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let plain: Vec<&str> = VALUES.iter().copied().filter(|v| v.chars().all(char::is_alphanumeric)).collect();
    let entry = (select(KEYS.to_vec()), select(plain.clone()), any::<bool>(), any::<bool>()).prop_map(
        |(key, value, selectors, templates)| {
            // kustomize refuses both at once.
            let flag = if selectors { "includeSelectors" } else { "includeTemplates" };
            json!({"pairs": {key: value, "x/y": "1"}, flag: selectors || templates})
        },
    );
    let common = prop::option::weighted(0.2, (select(KEYS.to_vec()), select(plain)));
    (prop_oneof![2 => Just(Vec::new()), 2 => prop::collection::vec(entry, 1..3)], common).prop_map(|(list, common)| {
        let mut out = Vec::new();
        if !list.is_empty() {
            out.push(("labels", Value::Array(list)));
        }
        if let Some((key, value)) = common {
            out.push(("commonLabels", json!({key: value})));
        }
        out
    })
}

/// One generator of each kind at most.
fn generators(behaviors: &'static [&'static str]) -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let lines = |env: &Env| env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let map = prop::option::weighted(0.35, (env(), select(behaviors.to_vec()), any::<bool>()));
    let secret = prop::option::weighted(0.25, (env(), select(behaviors.to_vec()), any::<bool>()));
    let options = prop::option::weighted(0.2, any::<bool>());
    (map, secret, options).prop_map(move |(map, secret, options)| {
        let mut out = Vec::new();
        if let Some((env, behavior, labelled)) = map {
            let mut item = json!({"name": "@-map", "literals": lines(&env), "behavior": behavior});
            if labelled {
                item["options"] = json!({"labels": {"made": behavior}, "immutable": true});
            }
            out.push(("configMapGenerator", json!([item])));
        }
        if let Some((env, behavior, hash)) = secret {
            let options = json!({"disableNameSuffixHash": hash});
            let item = json!({"name": "@-secret", "literals": lines(&env), "options": options, "behavior": behavior});
            out.push(("secretGenerator", json!([item])));
        }
        if let Some(hash) = options {
            out.push(("generatorOptions", json!({"disableNameSuffixHash": hash, "annotations": {"made": "yes"}})));
        }
        out
    })
}

fn settings(behaviors: &'static [&'static str]) -> impl Strategy<Value = Settings> {
    let image = prop_oneof![
        select(vec!["2.0", "sha"]).prop_map(|tag| json!({"name": "registry.example/app", "newTag": tag})),
        Just(json!({"name": "busybox", "newName": "registry.example:5000/box"})),
        Just(json!({"name": "busybox", "newName": "box", "newTag": "1"})),
        Just(json!({"name": "registry.example/app", "digest": "sha256:00aa"})),
        Just(json!({"name": "registry.example/dynamo/vllm-runtime", "newTag": "1.4.0"})),
    ];
    (
        (labels(), prop::option::weighted(0.25, (select(KEYS.to_vec()), select(VALUES.to_vec())))),
        prop::option::weighted(0.25, select(vec!["pre-", "x"])),
        prop::option::weighted(0.25, select(vec!["-suf", "-9"])),
        prop::option::weighted(0.25, select(vec!["prod", "dev"])),
        prop::option::weighted(0.4, prop::collection::vec(image, 1..3)),
        generators(behaviors),
        prop::option::weighted(0.25, (select(vec!["@-app", "@-set"]), 0..5u32)),
    )
        .prop_map(move |((labels, note), prefix, suffix, namespace, images, generators, replicas)| {
            let mut out = serde_json::Map::new();
            let mut put = |key: &str, value: Value| {
                out.insert(key.to_owned(), value);
            };
            labels.into_iter().chain(generators).for_each(|(key, value)| put(key, value));
            if let Some((key, value)) = note {
                put("commonAnnotations", json!({key: value, "p/q": "1"}));
            }
            if let Some(prefix) = prefix {
                put("namePrefix", json!(prefix));
            }
            if let Some(suffix) = suffix {
                put("nameSuffix", json!(suffix));
            }
            if let Some(namespace) = namespace {
                put("namespace", json!(namespace));
            }
            if let Some(images) = images {
                put("images", Value::Array(images));
            }
            if let Some((name, count)) = replicas {
                put("replicas", json!([{"name": name, "count": count}]));
            }
            Settings(out)
        })
}

/// One entry of `replacements`.
fn replacement() -> impl Strategy<Value = Value> {
    let target = |kind: &str, path: &str, options: Value| {
        let mut target = json!({"select": {"kind": kind}, "fieldPaths": [path]});
        if !options.is_null() {
            target["options"] = options;
        }
        target
    };
    let source = prop_oneof![
        Just(json!({"kind": "Deployment", "fieldPath": "spec.template.spec.containers.0.image"})),
        Just(json!({"kind": "Deployment", "fieldPath": "spec.template.spec.containers.[name=app].image",
            "options": {"delimiter": ":", "index": 0}})),
        Just(json!({"kind": "Deployment", "name": "@-app"})),
        Just(json!({"kind": "Deployment", "fieldPath": "metadata.labels"})),
        Just(json!({"kind": "StatefulSet", "fieldPath": "spec.replicas"})),
        Just(json!({"kind": "Deployment", "fieldPath": "metadata.labels.team"})),
    ];
    let targets = prop_oneof![
        Just(target("DynamoGraphDeployment", "spec.backendFramework", json!({"create": true}))),
        Just(target("Deployment", "spec.template.metadata.labels.copied", json!({"create": true}))),
        Just(target("Deployment", "metadata.annotations.copied", json!({"create": true}))),
        Just(target("StatefulSet", "spec.template.spec.containers.*.image", Value::Null)),
        Just(target(
            "StatefulSet",
            "spec.template.spec.containers.[name=main].image",
            json!({"delimiter": ":", "index": 1})
        )),
        Just(target("StatefulSet", "spec.template.metadata.labels.app", Value::Null)),
    ];
    (source, prop::collection::vec(targets, 1..3))
        .prop_map(|(source, targets)| json!({"source": source, "targets": targets}))
}

/// `vars` and who uses them: the image of the Deployment, the name of the Service, how often the StatefulSet runs.
fn vars() -> Value {
    let of = |name: &str, api: &str, kind: &str, object: &str, path: &str| json!({"name": format!("@_{name}"), "objref": {"apiVersion": api, "kind": kind, "name": object}, "fieldref": {"fieldpath": path}});
    json!([
        of("IMAGE", "apps/v1", "Deployment", "@-app", "spec.template.spec.containers[0].image"),
        of("SET", "apps/v1", "StatefulSet", "@-set", "metadata.name"),
        of("COUNT", "apps/v1", "StatefulSet", "@-set", "spec.replicas"),
    ])
}

/// What a layer says of the transformers' fields, and transformers that are objects of their own: written in place, the
/// last in a file.
#[derive(Clone, Debug, Default)]
struct Extra {
    fields: serde_json::Map<String, Value>,
    transformers: Vec<Value>,
}

/// Specs of one path always agree on `create`: all cases of a batch end in one configuration.
fn extra() -> impl Strategy<Value = Extra> {
    const GRAPH: &str = "DynamoGraphDeployment";
    let spec = |path: &str, create: bool| json!([{"path": path, "kind": GRAPH, "create": create}]);
    let reference = |kind: &str, paths: &[&str]| {
        let fields: Vec<Value> = paths.iter().map(|path| json!({"path": path, "group": "nvidia.com"})).collect();
        json!({"kind": kind, "version": "v1", "fieldSpecs": fields})
    };
    let fields: Vec<(&str, Value)> = vec![
        ("namePrefix", spec("spec/title", true)),
        (
            "nameSuffix",
            json!([{"path": "spec/serviceName", "kind": "StatefulSet"}, {"path": "spec/title", "kind": GRAPH}]),
        ),
        ("namespace", spec("spec/place", true)),
        ("commonLabels", spec("spec/tags", true)),
        ("commonLabels", json!([{"path": "spec/template/spec/nodeSelector", "kind": "Deployment", "create": true}])),
        ("labels", json!([{"path": "spec/own", "group": "nvidia.com", "version": "v1beta1", "create": true}])),
        ("templateLabels", spec("spec/components/podTemplate/metadata/labels", true)),
        ("commonAnnotations", spec("spec/notes", true)),
        ("images", spec("spec/components/podTemplate/spec/containers/image", false)),
        ("replicas", json!([{"path": "spec/minReadySeconds", "kind": "Deployment", "create": true}])),
        (
            "nameReference",
            json!([reference("ConfigMap", &["spec/settings"]), reference("Secret", &["spec/secrets/name"])]),
        ),
        (
            "nameReference",
            json!([{"kind": "StatefulSet", "group": "apps", "fieldSpecs": [{"path": "spec/peer", "kind": GRAPH}]}]),
        ),
        ("varReference", spec("spec/used", false)),
    ];
    let plugin = |kind: &str, fields: Value| {
        let mut out = json!({"apiVersion": "builtin", "kind": kind, "metadata": {"name": "plugin"}});
        for (key, value) in fields.as_object().into_iter().flatten() {
            out[key] = value.clone();
        }
        out
    };
    let labels = json!([{"path": "metadata/labels", "create": true}, {"path": "spec/template/metadata/labels", "kind": "Deployment", "create": true}]);
    let transformers: Vec<Value> = vec![
        plugin("PrefixTransformer", json!({"prefix": "t-", "fieldSpecs": [{"path": "metadata/name"}]})),
        plugin(
            "SuffixTransformer",
            json!({"suffix": "-t", "fieldSpecs": [{"path": "spec/title"}, {"path": "metadata/name", "kind": "Deployment"}]}),
        ),
        plugin("LabelTransformer", json!({"labels": {"team": "other", "plug": "in"}, "fieldSpecs": labels})),
        plugin(
            "AnnotationsTransformer",
            json!({"annotations": {"note": "two"}, "fieldSpecs": [{"path": "metadata/annotations", "create": true}]}),
        ),
        plugin(
            "NamespaceTransformer",
            json!({"metadata": {"name": "place", "namespace": "elsewhere"}, "unsetOnly": true}),
        ),
        plugin(
            "NamespaceTransformer",
            json!({"metadata": {"name": "place", "namespace": "there"}, "fieldSpecs": [{"path": "spec/place", "create": true, "kind": GRAPH}]}),
        ),
        plugin(
            "ImageTagTransformer",
            json!({"imageTag": {"name": "busybox", "newTag": "7"}, "fieldSpecs": [{"path": "spec/template/spec/containers[]/image"}]}),
        ),
        plugin("ImageTagTransformer", json!({"imageTag": {"name": "registry.example/app", "tagSuffix": "-x"}})),
        plugin(
            "PatchTransformer",
            json!({"patch": "[{\"op\": \"add\", \"path\": \"/spec/paused\", \"value\": true}]", "target": {"kind": "Deployment"}}),
        ),
        plugin(
            "PatchJson6902Transformer",
            json!({"jsonOp": "[{\"op\": \"add\", \"path\": \"/spec/extra\", \"value\": [1]}]", "target": {"kind": GRAPH, "name": "@.*"}}),
        ),
        plugin(
            "ReplicaCountTransformer",
            json!({"replica": {"name": "@-app", "count": 9}, "fieldSpecs": [{"path": "spec/replicas", "create": true, "kind": "Deployment"}]}),
        ),
        plugin(
            "ValueAddTransformer",
            json!({"value": "added", "targets": [{"selector": {"kind": "StatefulSet"}, "fieldPath": "spec/serviceName"}]}),
        ),
        plugin("HashTransformer", json!({})),
    ];
    let fields = prop_oneof![2 => Just(Vec::new()), 1 => subsequence(fields, 1..5)];
    let transformers = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(transformers, 1..4)];
    (fields, transformers).prop_map(|(list, mut transformers)| {
        let mut fields = serde_json::Map::new();
        for (key, value) in list {
            let all = fields.entry(key).or_insert_with(|| json!([]));
            if let (Value::Array(all), Value::Array(new)) = (all, value) {
                all.extend(new);
            }
        }
        for (at, plugin) in transformers.iter_mut().enumerate() {
            plugin["metadata"]["name"] = json!(format!("plugin-{at}"));
        }
        Extra { fields, transformers }
    })
}

#[derive(Clone, Debug)]
struct Case {
    graph: Vec<Part>,
    env: Env,
    base: Settings,
    component: Option<(Settings, Vec<(Patch, Target)>)>,
    middle: Option<(Settings, Vec<(Patch, Target)>)>,
    overlay: Settings,
    patches: Vec<(Patch, Target)>,
    replacements: Vec<Value>,
    vars: bool,
    extra: [Extra; 4],
    pick: Index,
}

impl Extra {
    /// Adds it to a layer's kustomization.
    fn write(&self, layer: &str, kustomization: &mut Value, write: &mut dyn FnMut(&str, &Value)) {
        if !self.fields.is_empty() {
            write(&format!("{layer}/fields.yaml"), &Value::Object(self.fields.clone()));
            kustomization["configurations"] = json!(["fields.yaml"]);
        }
        if let Some((last, others)) = self.transformers.split_last() {
            write(&format!("{layer}/plugin.yaml"), last);
            let list = std::iter::once("plugin.yaml".to_owned()).chain(others.iter().map(Value::to_string));
            kustomization["transformers"] = list.collect();
        }
    }
}

/// What a generator may do where nothing has been generated below, and where something may have been.
const CREATE: &[&str] = &["create"];
const CHANGE: &[&str] = &["merge", "merge", "replace", "create"];

fn case() -> impl Strategy<Value = Case> {
    let patches = |max| prop::collection::vec((patch(), target()), 0..=max);
    // Overlays change what the base generates, if it does: they create nothing of that name then.
    let base = prop_oneof![
        1 => (settings(CREATE), Just(false)),
        1 => settings(CREATE).prop_map(|mut settings| {
            settings.0.insert("configMapGenerator".to_owned(), json!([{"name": "@-map", "literals": ["A=base", "B=2"]}]));
            settings.0.insert("secretGenerator".to_owned(), json!([{"name": "@-secret", "type": "x/y", "literals": ["A=base"]}]));
            (settings, true)
        }),
    ];
    let over = prop_oneof![4 => settings(CHANGE), 1 => settings(CREATE)];
    let middle = prop::option::weighted(0.4, (settings(CHANGE), patches(1)));
    (
        (graph(), env(), base),
        prop::option::weighted(0.4, (settings(CHANGE), patches(2))),
        middle,
        over,
        patches(3),
        prop::collection::vec(replacement(), 0..2),
        prop::bool::weighted(0.2),
        (any::<Index>(), [extra(), extra(), extra(), extra()]),
    )
        .prop_map(
            |(
                (graph, env, (mut base, generated)),
                mut component,
                mut middle,
                mut overlay,
                patches,
                replacements,
                vars,
                (pick, extra),
            )| {
                // Where the base generates nothing, nothing above it can be changed either.
                let mut made =
                    ["configMapGenerator", "secretGenerator"].map(|key| generated || base.0.contains_key(key));
                let layers =
                    [middle.as_mut().map(|m| &mut m.0), component.as_mut().map(|c| &mut c.0), Some(&mut overlay)];
                // Generators run before components.
                for layer in layers.into_iter().flatten() {
                    for (key, made) in ["configMapGenerator", "secretGenerator"].iter().zip(&mut made) {
                        if let Some(item) = layer.0.get_mut(*key) {
                            if !*made {
                                item[0]["behavior"] = json!("create");
                            } else if item[0]["behavior"] == "create" {
                                item[0]["behavior"] = json!("merge");
                            }
                        }
                    }
                    made =
                        [0, 1].map(|n| made[n] || layer.0.contains_key(["configMapGenerator", "secretGenerator"][n]));
                }
                if pick.index(5) == 0 {
                    base.0.remove("replicas");
                }
                Case { graph, env, base, component, middle, overlay, patches, replacements, vars, extra, pick }
            },
        )
}

impl Case {
    /// Writes the case into a directory; every name in it starts with `name`.
    fn write(&self, root: &Path, name: &str) {
        let write = |path: &str, text: String| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        // `@` stands for this case's name, `%` for `@`.
        let yaml = |value: &Value| value.to_string().replace('@', name).replace('%', "@");
        let mut graph = graph_object("@", &self.graph);
        graph["metadata"]["annotations"] = json!({"note": "graph", "count": 1});
        for (key, value) in [
            ("settings", json!("@-map")),
            ("secrets", json!([{"name": "@-secret"}])),
            ("peer", json!("@-set")),
            ("used", json!(if self.vars { "is $(@_SET)" } else { "plain" })),
        ] {
            graph["spec"][key] = value;
        }
        write("base/graph.yaml", yaml(&graph));
        let args =
            if self.vars { json!(["a", "$(@_IMAGE)", "--of=$(@_SET)", "$(@_COUNT)"]) } else { json!(["a", "b"]) };
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "@-app", "labels": {"team": "serving"}, "annotations": {"note": "graph"}},
            "spec": {"selector": {"matchLabels": {"app": "@"}}, "template": {
                "metadata": {"labels": {"app": "@"}},
                "spec": {
                    "containers": [{
                        "name": "app", "image": "registry.example/app:1.0", "args": args, "env": entries(&self.env),
                        "envFrom": [{"configMapRef": {"name": "@-map"}}],
                    }],
                    "volumes": [{"name": "s", "secret": {"secretName": "@-secret"}}],
                },
            }},
        });
        let stateful = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "@-set", "labels": {"team": "serving"}},
            "spec": {
                "serviceName": "@-svc", "replicas": 2, "selector": {"matchLabels": {"app": "@"}},
                "template": {
                    "metadata": {"labels": {"app": "@"}},
                    "spec": {
                        "tolerations": [{"key": "a", "operator": "Exists"}],
                        "containers": [
                            {"name": "main", "image": "busybox:1.36", "ports": [{"containerPort": 80, "name": "http"}],
                             "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "shm", "mountPath": "/dev/shm"}]},
                            {"name": "side", "image": "busybox%sha256:0f"},
                        ],
                    },
                },
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
            },
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "@-svc", "annotations": {"note": "graph"}},
            "spec": {"selector": {"app": "@"}, "ports": [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 81, "protocol": "TCP", "name": "b"}]},
        });
        let rest = [deployment, stateful, service].map(|object| yaml(&object)).join("\n---\n");
        write("base/app.yaml", rest);
        let mut base = Value::Object(self.base.0.clone());
        base["resources"] = json!(["graph.yaml", "app.yaml"]);
        if self.vars {
            base["vars"] = vars();
        }
        self.extra[0].write("base", &mut base, &mut |path, value| write(path, yaml(value)));
        write("base/kustomization.yaml", yaml(&base));

        let mut files = Vec::new();
        let mut below = "../base";
        if let Some((settings, patches)) = &self.middle {
            let mut middle = Value::Object(settings.0.clone());
            middle["resources"] = json!([below]);
            middle["patches"] =
                patches.iter().enumerate().map(|(at, p)| self.patch(p, at, "middle", &mut files)).collect();
            self.extra[1].write("middle", &mut middle, &mut |path, value| write(path, yaml(value)));
            write("middle/kustomization.yaml", yaml(&middle));
            below = "../middle";
        }
        let mut overlay = Value::Object(self.overlay.0.clone());
        overlay["resources"] = json!([below]);
        if let Some((settings, patches)) = &self.component {
            let mut component = Value::Object(settings.0.clone());
            component["apiVersion"] = json!("kustomize.config.k8s.io/v1alpha1");
            component["kind"] = json!("Component");
            component["patches"] =
                patches.iter().enumerate().map(|(at, p)| self.patch(p, at, "component", &mut files)).collect();
            self.extra[2].write("component", &mut component, &mut |path, value| write(path, yaml(value)));
            write("component/kustomization.yaml", yaml(&component));
            overlay["components"] = json!(["../component"]);
        }
        let list: Vec<Value> =
            self.patches.iter().enumerate().map(|(at, p)| self.patch(p, at, "overlay", &mut files)).collect();
        if !list.is_empty() {
            overlay["patches"] = Value::Array(list);
        }
        if !self.replacements.is_empty() {
            overlay["replacements"] = Value::Array(self.replacements.clone());
        }
        self.extra[3].write("overlay", &mut overlay, &mut |path, value| write(path, yaml(value)));
        write("overlay/kustomization.yaml", yaml(&overlay));
        for (path, text) in files {
            write(&path, yaml(&text));
        }
    }

    fn patch(
        &self,
        (patch, target): &(Patch, Target),
        at: usize,
        place: &str,
        files: &mut Vec<(String, Value)>,
    ) -> Value {
        let (kind, name, body) = match patch {
            Patch::Graph { parts, delete, framework } => {
                // Without merge keys a list replaces; with them a part that is not there is added.
                let mut body = graph_object("@", parts);
                if let Some(spec) = body["spec"].as_object_mut() {
                    spec.remove("backendFramework");
                    if let Some(framework) = framework {
                        spec.insert("backendFramework".to_owned(), json!(framework));
                    }
                }
                if let (Some(name), Some(list)) = (delete, body["spec"]["components"].as_array_mut()) {
                    list.retain(|component| component["name"] != *name);
                    list.push(json!({"name": name, "$patch": "delete"}));
                }
                ("DynamoGraphDeployment", "@", body)
            }
            Patch::Deployment { env, delete_env, replace, replicas, null_args } => {
                let mut list = entries(env);
                if let (Some(name), Some(list)) = (delete_env, list.as_array_mut()) {
                    list.retain(|entry| entry["name"] != *name);
                    list.push(json!({"name": name, "$patch": "delete"}));
                }
                let mut container = json!({"name": "app", "env": list});
                if *null_args {
                    container["args"] = Value::Null;
                }
                let mut containers = vec![container];
                if *replace {
                    containers = vec![json!({"$patch": "replace"}), json!({"name": "new", "image": "busybox"})];
                }
                let mut body = json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "@-app"},
                    "spec": {"template": {"spec": {"containers": containers}}},
                });
                if let Some(replicas) = replicas {
                    body["spec"]["replicas"] = json!(replicas);
                }
                ("Deployment", "@-app", body)
            }
            Patch::Json(operations) => ("DynamoGraphDeployment", "@", json!(operations)),
            Patch::Metadata { labels, template, key, value } => {
                let pairs = json!({if *labels { "labels" } else { "annotations" }: {*key: value}});
                let mut body = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "@-app"}});
                if *template {
                    body["spec"] = json!({"template": {"metadata": pairs}});
                } else {
                    body["metadata"] = pairs;
                    body["metadata"]["name"] = json!("@-app");
                }
                ("Deployment", "@-app", body)
            }
            Patch::Stateful { mounts, ports, replace, tolerations } => {
                let list = |n: u32| (0..n).map(|n| json!({"key": format!("k{n}"), "operator": "Exists"})).collect();
                let mut main = json!({"name": "main"});
                if !mounts.is_empty() {
                    main["volumeMounts"] = mounts.iter().map(|m| json!({"name": "new", "mountPath": m})).collect();
                }
                if *ports {
                    main["ports"] = json!([{"containerPort": 80, "name": "web"}, {"containerPort": 81}]);
                }
                let mut spec = json!({"containers": [main]});
                if *tolerations > 0 {
                    let list: Vec<Value> = list(*tolerations);
                    spec["tolerations"] = Value::Array(list);
                }
                if *replace {
                    spec = json!({"$patch": "replace", "containers": [{"name": "only", "image": "busybox"}]});
                }
                let body = json!({
                    "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "@-set"},
                    "spec": {"template": {"spec": spec}},
                });
                ("StatefulSet", "@-set", body)
            }
            Patch::Service(ports) => {
                let mut body = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "@-svc"}});
                match ports {
                    None => body["$patch"] = json!("delete"),
                    Some(ports) => {
                        let list: Vec<Value> =
                            ports.iter().map(|(port, protocol)| json!({"port": port, "protocol": protocol})).collect();
                        body["spec"] = json!({"ports": list});
                    }
                }
                ("Service", "@-svc", body)
            }
        };
        let inline = || json!(body.to_string());
        let own = !matches!(patch, Patch::Json(_));
        match target {
            Target::Own(true) if own => {
                files.push((format!("{place}/patch-{at}.yaml"), body));
                json!({"path": format!("patch-{at}.yaml")})
            }
            Target::Own(_) if own => json!({"patch": inline()}),
            Target::Kind | Target::Own(_) => json!({"patch": inline(), "target": {"kind": kind}}),
            Target::Annotation => {
                json!({"patch": inline(), "target": {"kind": kind, "annotationSelector": "note in (graph, two)"}})
            }
            Target::Group => {
                let group = if kind == "DynamoGraphDeployment" { "nvidia.com" } else { "apps" };
                json!({"patch": inline(), "target": {"kind": kind, "group": group}})
            }
            Target::Label => json!({"patch": inline(), "target": {"kind": kind, "labelSelector": "team=serving"}}),
            Target::NamePattern => {
                json!({"patch": inline(), "target": {"kind": kind, "name": if self.pick.index(2) == 0 { name } else { ".*" }}})
            }
        }
    }
}

/// What the oracle makes of a directory.
fn oracle(directory: &Path) -> Result<Vec<Value>, String> {
    let run = Command::new("kubectl").arg("kustomize").arg(directory).output().map_err(|e| e.to_string())?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned());
    }
    let sources = Sources::new();
    let file = sources.add("oracle".to_owned(), None, String::from_utf8(run.stdout).expect("UTF-8"));
    let stream = yaml::parse(&file, &Limits::default());
    assert!(stream.problems.is_empty(), "{:?}", stream.problems);
    Ok(stream.documents.iter().filter_map(|d| d.root.as_ref()).map(json_of).collect())
}

fn json_of(node: &yaml::Node) -> Value {
    json(node)
}

fn ours(directory: &Path) -> (Vec<Value>, bool) {
    let build = kustomize::build(directory, &Disk::default()).expect("a kustomization");
    let refused = !build.errors.is_empty() || !build.undecided.is_empty();
    (build.objects.iter().map(|o| json(&o.node)).collect(), refused)
}

/// Adds where two trees differ.
fn apart(path: &str, ours: &Value, theirs: &Value, out: &mut String) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(json!("(absent)"));
                apart(&format!("{path}/{key}"), &of(a), &of(b), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| apart(&format!("{path}/{n}"), a, b, out));
        }
        _ if ours == theirs => {}
        _ => *out += &format!("\n  {path}\n    ours   {ours}\n    oracle {theirs}"),
    }
}

/// Why a directory is not built as the oracle builds it.
fn difference(directory: &Path) -> Option<String> {
    let (mine, refused) = ours(directory);
    match oracle(directory) {
        Ok(theirs) if theirs == mine && !refused => None,
        Ok(theirs) => {
            let first = mine.iter().zip(&theirs).find(|(a, b)| a != b);
            Some(match first {
                Some((a, b)) => {
                    let mut out = format!("in {} {}", b["kind"], b["metadata"]["name"]);
                    apart("", a, b, &mut out);
                    out
                }
                None => {
                    format!("{} objects of ours (refused: {refused}), {} of the oracle's", mine.len(), theirs.len())
                }
            })
        }
        Err(_) if refused => None,
        Err(message) => Some(format!("the oracle refuses it, we do not: {message}")),
    }
}

#[test]
fn random_overlays_build_as_the_oracle_builds_them() {
    if !Command::new("kubectl").args(["kustomize", "--help"]).output().is_ok_and(|o| o.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "kubectl is needed here");
        println!("skipped: no kubectl");
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let cases = usize::try_from(number("DYNLINT_KUSTOMIZE_CASES").unwrap_or(200)).expect("a count");
    // The same cases every time, unless another start is asked for.
    let seed = number("DYNLINT_KUSTOMIZE_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = case();
    let (mut done, mut starts, mut failures) = (0, 0, Vec::new());
    while done < cases && failures.len() < 5 {
        let dir = tempfile::tempdir().expect("a directory");
        let batch = BATCH.min(cases - done);
        // Every second batch knows the merge keys of the graph.
        let number = done / BATCH;
        let openapi = number.is_multiple_of(2);
        std::fs::write(dir.path().join("openapi.json"), OPENAPI).expect("written");
        for at in 0..batch {
            let case = strategy.new_tree(&mut runner).expect("a case").current();
            case.write(&dir.path().join(format!("c{at}")), &format!("c{}", done + at));
        }
        let mut check = |directories: &[usize]| -> Option<String> {
            let mut top =
                json!({"resources": directories.iter().map(|at| format!("c{at}/overlay")).collect::<Vec<_>>()});
            if openapi {
                top["openapi"] = json!({"path": "openapi.json"});
            }
            if number % 3 == 1 {
                top["sortOptions"] = json!({"order": "fifo"});
            }
            if number % 3 == 2 {
                let order = json!({"orderFirst": ["Service", "ConfigMap"], "orderLast": ["Deployment"]});
                top["sortOptions"] = json!({"order": "legacy", "legacySortOptions": order});
            }
            // A third of the batches keep what is written down about a build, in one way or another.
            let metadata = [&["originAnnotations"] as &[&str], &["transformerAnnotations", "managedByLabel"]];
            if let Some(options) = metadata.get(number % 6) {
                top["buildMetadata"] = json!(options);
            }
            std::fs::write(dir.path().join("kustomization.yaml"), top.to_string()).expect("written");
            starts += 1;
            difference(dir.path())
        };
        // What both refuse says nothing about the rest of a batch: cases that we refuse are looked at by themselves.
        let (refused, sound): (Vec<usize>, Vec<usize>) =
            (0..batch).partition(|at| ours(&dir.path().join(format!("c{at}/overlay"))).1);
        let mut wrong: Vec<(usize, String)> = refused.iter().filter_map(|at| Some((*at, check(&[*at])?))).collect();
        if check(&sound).is_some() {
            wrong.extend(sound.iter().filter_map(|at| Some((*at, check(&[*at])?))));
        }
        for (at, found) in wrong {
            let mut show = Command::new("sh");
            show.arg("-c").arg(format!("cd c{at} && tail -n +1 */*.yaml")).current_dir(dir.path());
            let show = show.output().map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
            failures.push(format!("case {} (openapi: {openapi}):\n{found}\n{show}", done + at));
        }
        done += batch;
    }
    println!("{done} cases, {starts} starts of the oracle, {} differences", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
