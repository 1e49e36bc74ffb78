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
