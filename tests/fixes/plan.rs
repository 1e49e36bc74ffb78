//! `dynlint router plan`

use serde_json::Value;

use super::disk::{GRAPH, dynlint};

const ALPHA: &str = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  services:
    Frontend:
      componentType: frontend
      replicas: 1
    Worker:
      componentType: worker
      replicas: 4
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [python3, -m, dynamo.vllm]
          args:
            - --model
            - Qwen/Qwen3-0.6B # small
";

fn plan(text: &str, args: &[&str]) -> (tempfile::TempDir, Value) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("deploy.yaml"), text).unwrap();
    let mut all = vec!["router", "plan", "deploy.yaml", "--format", "json"];
    all.extend(args);
    let out = dynlint(dir.path(), &all);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    (dir, json["plans"][0].clone())
}

#[test]
fn silent_workers_get_the_approximate_mode_in_the_shape_of_the_manifest() {
    let (dir, plan) = plan(ALPHA, &["--mode", "kv", "--write"]);
    assert_eq!(plan["kv"], "approximate");
    assert_eq!(plan["verified"], true, "{plan:#}");
    assert_eq!(
        plan["local_command"],
        "python3 -m dynamo.frontend --router-mode kv --no-router-kv-events --http-port 8000"
    );
    assert_eq!(plan["service"]["port_forward"], "kubectl port-forward svc/chat-frontend 8000:8000");
    let envs = "      replicas: 1\n      envs:\n        - name: DYN_ROUTER_MODE\n          value: kv\n        - name: DYN_ROUTER_USE_KV_EVENTS\n          value: \"false\"\n";
    assert_eq!(
        std::fs::read_to_string(dir.path().join("deploy.yaml")).unwrap(),
        ALPHA.replace("      replicas: 1\n", envs)
    );
    let again = dynlint(dir.path(), &["router", "plan", "deploy.yaml", "--mode", "kv", "--format", "json"]);
    let again: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(again["plans"][0]["done"], true);
}

#[test]
fn workers_are_changed_to_publish_when_asked() {
    let (dir, plan) = plan(ALPHA, &["--events", "workers", "--write"]);
    assert_eq!((&plan["kv"], &plan["mode"]), (&"events".into(), &"kv".into()));
    assert_eq!(plan["verified"], true, "{plan:#}");
    let text = std::fs::read_to_string(dir.path().join("deploy.yaml")).unwrap();
    assert!(
        text.contains(
            "            - Qwen/Qwen3-0.6B # small\n            - --kv-events-config\n            - '{\"publisher\""
        ),
        "{text}"
    );
    assert!(!text.contains("USE_KV_EVENTS"));
}

#[test]
fn one_target_needs_no_choice_and_an_unknown_mode_is_said() {
    let (_dir, plan) = plan(&ALPHA.replace("replicas: 4", "replicas: 1"), &[]);
    assert_eq!(plan["mode"], "round-robin");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("deploy.yaml"), ALPHA).unwrap();
    let wrong = dynlint(dir.path(), &["router", "plan", "deploy.yaml", "--mode", "prefix"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("`prefix` is no router mode"));
}

#[test]
fn the_kustomize_patch_is_what_kustomize_applies() {
    let (dir, plan) = plan(&GRAPH.replace("power_of_two", "random"), &["--mode", "least-loaded", "--kustomize"]);
    let patch = plan["kustomize"].as_str().expect("a patch");
    let root = dir.path();
    std::fs::create_dir(root.join("overlay")).unwrap();
    std::fs::create_dir(root.join("base")).unwrap();
    std::fs::rename(root.join("deploy.yaml"), root.join("base/deploy.yaml")).unwrap();
    std::fs::write(root.join("base/kustomization.yaml"), "resources: [deploy.yaml]\n").unwrap();
    std::fs::write(root.join("overlay/router-mode.yaml"), patch).unwrap();
    let kustomization = "resources: [../base]\npatches:\n  - path: router-mode.yaml\n    target: {group: nvidia.com, kind: DynamoGraphDeployment, name: chat}\n";
    std::fs::write(root.join("overlay/kustomization.yaml"), kustomization).unwrap();
    let shown =
        dynlint(root, &["resolve", ".", "--service", "Frontend", "--var", "DYN_ROUTER_MODE", "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["deployments"][0]["services"][0]["env"][0]["value"], "least-loaded", "{shown:#}");
}

/// Both shapes, every engine: the patch for kustomize comes to what `--write` makes of the file.
#[test]
fn the_kustomize_patch_changes_what_write_changes() {
    const BETA: &str = "\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  components:
    - name: Frontend
      type: frontend
    - name: Worker
      type: worker
      replicas: 4
      podTemplate:
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
              command: [python3, -m, dynamo.vllm]
              args: [--model, Qwen/Qwen3-0.6B]
";
    let engines = [
        ("vllm", "vllm-runtime", "--model", "--kv-events-config"),
        ("sglang", "sglang-runtime", "--model-path", "--kv-events-config"),
        ("trtllm", "tensorrtllm-runtime", "--model-path", "--publish-kv-events"),
    ];
    for (shape, (engine, image, model, flag)) in [ALPHA, BETA].iter().flat_map(|s| engines.map(|e| (s, e))) {
        let text = shape.replace("vllm-runtime", image).replace("dynamo.vllm", &format!("dynamo.{engine}"));
        let text = text.replace("--model", model);
        for events in ["workers", "approximate"] {
            let args = ["--mode", "kv", "--events", events, "--kustomize"];
            let (dir, first) = plan(&text, &args);
            let what = format!("{engine}, {}, {events}", first["api_version"]);
            assert_eq!(first["verified"], true, "{what}: {first:#}");
            assert_eq!(first["workers"][0]["framework"], engine);
            assert!(first["workers"][0]["add"].as_str().unwrap().starts_with(flag), "{what}: {first:#}");
            let root = dir.path();
            let effective = |place: &str| -> Value {
                let out = dynlint(root, &["resolve", place, "--format", "json"]);
                let json: Value = serde_json::from_slice(&out.stdout).unwrap();
                let services = json["deployments"][0]["services"].as_array().unwrap();
                let said = |service: &Value| {
                    let env = service["env"].as_array().unwrap().iter().map(json_pair).collect::<Vec<_>>();
                    (service["name"].clone(), env, service["argv"].clone())
                };
                serde_json::to_value(services.iter().map(said).collect::<Vec<_>>()).unwrap()
            };
            let before = effective("deploy.yaml");
            let write =
                dynlint(root, &["router", "plan", "deploy.yaml", "--mode", "kv", "--events", events, "--write"]);
            assert_eq!(write.status.code(), Some(0));
            let written = effective("deploy.yaml");
            assert_ne!(before, written, "{what}");
            std::fs::write(root.join("deploy.yaml"), &text).unwrap();
            std::fs::create_dir(root.join("overlay")).unwrap();
            std::fs::create_dir(root.join("base")).unwrap();
            std::fs::rename(root.join("deploy.yaml"), root.join("base/deploy.yaml")).unwrap();
            std::fs::write(root.join("base/kustomization.yaml"), "resources: [deploy.yaml]\n").unwrap();
            std::fs::write(root.join("overlay/router-mode.yaml"), first["kustomize"].as_str().unwrap()).unwrap();
            let kustomization = "resources: [../base]\npatches:\n  - path: router-mode.yaml\n    target: {group: nvidia.com, kind: DynamoGraphDeployment, name: chat}\n";
            std::fs::write(root.join("overlay/kustomization.yaml"), kustomization).unwrap();
            assert_eq!(effective("overlay"), written, "{what}: {}", first["kustomize"]);
        }
    }
    // A script is one word of its list: nothing can be appended to it by an operation.
    let script = ALPHA.replace(
        "          command: [python3, -m, dynamo.vllm]\n          args:\n            - --model\n            - Qwen/Qwen3-0.6B # small\n",
        "          command: [sh, -c]\n          args: [\"python3 -m dynamo.vllm --model Qwen/Qwen3-0.6B\"]\n",
    );
    assert_ne!(script, ALPHA);
    let (_dir, scripted) = plan(&script, &["--mode", "kv", "--events", "workers"]);
    assert_eq!((&scripted["verified"], &scripted["kustomize"]), (&Value::Bool(true), &Value::Null), "{scripted:#}");
}

fn json_pair(variable: &Value) -> (Value, Value) {
    (variable["name"].clone(), variable["value"].clone())
}

/// What is printed to be run next can be run: the edits first, then what `kubectl` takes.
#[test]
fn the_next_commands_are_those_that_work() {
    let (dir, first) = plan(ALPHA, &["--mode", "kv", "--events", "approximate", "-n", "dev"]);
    let next = |plan: &Value| plan["next"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect();
    let commands: Vec<String> = next(&first);
    let write = "dynlint router plan deploy.yaml --deployment chat --mode kv --events approximate -n dev --write";
    assert_eq!(commands[..2], [write, "kubectl apply -n dev -f deploy.yaml"]);
    let words: Vec<&str> = commands[0].split(' ').skip(1).collect();
    let written = dynlint(dir.path(), &words);
    assert_eq!(written.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&written.stdout).contains("--write"), "it is done");
    // Of a kustomization, and of a directory with the file further down.
    let root = dir.path();
    std::fs::create_dir_all(root.join("all/base")).unwrap();
    std::fs::rename(root.join("deploy.yaml"), root.join("all/base/deploy.yaml")).unwrap();
    let apply = |path: &str| {
        let out = dynlint(root, &["router", "plan", path, "--mode", "kv", "--format", "json"]);
        let commands: Vec<String> = next(&serde_json::from_slice::<Value>(&out.stdout).unwrap()["plans"][0]);
        commands[0].clone()
    };
    assert_eq!(apply("all"), "kubectl apply -f all/base/deploy.yaml");
    assert_eq!(apply("all/base"), "kubectl apply -f all/base");
    std::fs::write(root.join("all/base/kustomization.yaml"), "resources: [deploy.yaml]\n").unwrap();
    assert_eq!(apply("all"), "kubectl apply -k all/base");
    assert_eq!(apply("all/base"), "kubectl apply -k all/base");
}

#[test]
fn two_deployments_of_one_file_are_written_in_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let two = format!("{ALPHA}---\n{}", ALPHA.replace("name: chat", "name: more"));
    std::fs::write(dir.path().join("deploy.yaml"), &two).unwrap();
    let out = dynlint(dir.path(), &["router", "plan", "deploy.yaml", "--mode", "random", "--write"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let text = std::fs::read_to_string(dir.path().join("deploy.yaml")).unwrap();
    assert_eq!(text.matches("value: random").count(), 2, "{text}");
}
