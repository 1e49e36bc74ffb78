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
}

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
    prop_oneof![
        4 => on_graph,
        3 => on_deployment,
        2 => prop::collection::vec(operation, 1..3).prop_map(Patch::Json),
    ]
}

/// How a patch finds its target.
#[derive(Clone, Debug)]
enum Target {
    /// By its own identity, inline or in a file.
    Own(bool),
    Kind,
    Label,
    NamePattern,
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![any::<bool>().prop_map(Target::Own), Just(Target::Kind), Just(Target::Label), Just(Target::NamePattern)]
}

/// Settings of a kustomization, besides resources and patches.
#[derive(Clone, Debug, Default)]
struct Settings(serde_json::Map<String, Value>);

fn settings(deployment: bool) -> impl Strategy<Value = Settings> {
    let pairs = |key: &'static str| {
        prop::option::weighted(0.25, select(VALUES.to_vec())).prop_map(move |v| v.map(|v| (key, v)))
    };
    (
        (pairs("label"), pairs("note")),
        prop::option::weighted(0.3, select(vec!["pre-", "x"])),
        prop::option::weighted(0.3, select(vec!["-suf", "-9"])),
        prop::option::weighted(0.3, select(vec!["prod", "dev"])),
        prop::option::weighted(0.3, select(vec!["2.0", "sha"])),
        prop::option::weighted(0.4, env()),
        prop::option::weighted(0.3, 0..5u32),
        (prop::option::weighted(0.25, env()), any::<bool>()),
    )
        .prop_map(move |((label, note), prefix, suffix, namespace, tag, literals, replicas, (secret, hash))| {
            let mut out = serde_json::Map::new();
            let mut put = |key: &str, value: Value| {
                out.insert(key.to_owned(), value);
            };
            if let Some((key, value)) = label.filter(|(_, v)| v.chars().all(char::is_alphanumeric)) {
                put("labels", json!([{"pairs": {key: value}, "includeSelectors": hash}]));
            }
            if let Some((key, value)) = note {
                put("commonAnnotations", json!({key: value}));
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
            if let Some(tag) = tag {
                put(
                    "images",
                    json!([{"name": "registry.example/app", "newTag": tag}, {"name": "busybox", "newName": "box"}]),
                );
            }
            let lines = |env: &Env| env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
            if let Some(env) = literals {
                put("configMapGenerator", json!([{"name": "@-map", "literals": lines(&env)}]));
            }
            if let Some(env) = secret {
                let options = json!({"disableNameSuffixHash": hash});
                put("secretGenerator", json!([{"name": "@-secret", "literals": lines(&env), "options": options}]));
            }
            if let Some(replicas) = replicas.filter(|_| deployment) {
                put("replicas", json!([{"name": "@-app", "count": replicas}]));
            }
            Settings(out)
        })
}

#[derive(Clone, Debug)]
struct Case {
    graph: Vec<Part>,
    env: Env,
    base: Settings,
    component: Option<Vec<(Patch, Target)>>,
    overlay: Settings,
    patches: Vec<(Patch, Target)>,
    replacement: bool,
    pick: Index,
}

fn case() -> impl Strategy<Value = Case> {
    let patches = |max| prop::collection::vec((patch(), target()), 0..=max);
    let names = ["namePrefix", "nameSuffix", "namespace", "configMapGenerator", "secretGenerator", "replicas"];
    // A base with names of its own would have to be known to the overlay; the overlay renames.
    let base = settings(false).prop_map(move |mut settings| {
        names.iter().for_each(|name| drop(settings.0.remove(*name)));
        settings
    });
    (
        graph(),
        env(),
        base,
        prop::option::weighted(0.4, patches(2)),
        settings(true),
        patches(3),
        prop::bool::weighted(0.25),
        any::<Index>(),
    )
        .prop_map(|(graph, env, base, component, overlay, patches, replacement, pick)| Case {
            graph,
            env,
            base,
            component,
            overlay,
            patches,
            replacement,
            pick,
        })
}

impl Case {
    /// Writes the case into a directory; every name in it starts with `name`.
    fn write(&self, root: &Path, name: &str) {
        let write = |path: &str, text: String| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        // Names in `@` stand for this case's.
        let yaml = |value: &Value| value.to_string().replace('@', name);
        write("base/graph.yaml", yaml(&graph_object("@", &self.graph)));
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "@-app", "labels": {"team": "serving"}},
            "spec": {"selector": {"matchLabels": {"app": "@"}}, "template": {
                "metadata": {"labels": {"app": "@"}},
                "spec": {
                    "containers": [{
                        "name": "app", "image": "registry.example/app:1.0", "args": ["a", "b"], "env": entries(&self.env),
                        "envFrom": [{"configMapRef": {"name": "@-map"}}],
                    }],
                    "volumes": [{"name": "s", "secret": {"secretName": "@-secret"}}],
                },
            }},
        });
        write("base/app.yaml", yaml(&deployment));
        let mut base = Value::Object(self.base.0.clone());
        base["resources"] = json!(["graph.yaml", "app.yaml"]);
        write("base/kustomization.yaml", yaml(&base));

        let mut files = Vec::new();
        let mut overlay = Value::Object(self.overlay.0.clone());
        overlay["resources"] = json!(["../base"]);
        if let Some(patches) = &self.component {
            let list: Vec<Value> =
                patches.iter().enumerate().map(|(at, p)| self.patch(p, at, "component", &mut files)).collect();
            let component =
                json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": list});
            write("component/kustomization.yaml", yaml(&component));
            overlay["components"] = json!(["../component"]);
        }
        let list: Vec<Value> =
            self.patches.iter().enumerate().map(|(at, p)| self.patch(p, at, "overlay", &mut files)).collect();
        if !list.is_empty() {
            overlay["patches"] = Value::Array(list);
        }
        if self.replacement {
            overlay["replacements"] = json!([{
                "source": {"kind": "Deployment", "fieldPath": "spec.template.spec.containers.0.image"},
                "targets": [{"select": {"kind": "DynamoGraphDeployment"}, "fieldPaths": ["spec.backendFramework"], "options": {"create": true}}],
            }]);
        }
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

/// Why a directory is not built as the oracle builds it.
fn difference(directory: &Path) -> Option<String> {
    let (mine, refused) = ours(directory);
    match oracle(directory) {
        Ok(theirs) if theirs == mine && !refused => None,
        Ok(theirs) => {
            let first = mine.iter().zip(&theirs).find(|(a, b)| a != b);
            Some(match first {
                Some((a, b)) => format!("ours   {a}\noracle {b}"),
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
        let openapi = (done / BATCH).is_multiple_of(2);
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
