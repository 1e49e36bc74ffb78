//! Fixes that meet, and fixes that must not be: the others are applied all the same.

use dynlint::finding::{Profile, Selection};
use dynlint::fix::{Outcome, mend};
use dynlint::lint::{Input, Options};

fn mended(text: &str) -> (String, Outcome) {
    let selection = Selection { profile: Profile::Audit, ..Selection::default() };
    let inputs = [Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }];
    let outcome = mend(&inputs, &Options { selection, ..Options::default() }, true);
    let after = outcome.changed.first().map_or_else(|| text.to_owned(), |change| change.after.clone());
    (after, outcome)
}

/// A frontend with these lines of `envs`, and a worker with those.
fn graph(frontend: &str, worker: &str) -> String {
    format!(
        "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
      envs:
{frontend}    Worker:
      componentType: worker
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
      envs:
{worker}"
    )
}

fn rules(outcome: &Outcome) -> Vec<&'static str> {
    let mut rules: Vec<_> = outcome.applied.iter().map(|applied| applied.rule).collect();
    rules.sort_unstable();
    rules
}

#[test]
fn of_fixes_that_meet_one_is_applied_and_the_rest_goes_on() {
    // One rule takes the entry out, the other would spell its name; the mode is nobody's business but its own.
    let text = graph(
        "        - name: DYN_ROUTER_MODE\n          value: KV # why\n        - name: NCCL_DEBGU\n          value: INFO\n",
        "        - name: NOTE\n          value: x\n",
    );
    let (after, outcome) = mended(&text);
    let entry = "        - name: NCCL_DEBGU\n          value: INFO\n";
    assert_eq!(after, text.replace(entry, "").replace("value: KV # why", "value: kv # why"), "{outcome:?}");
    let applied = rules(&outcome);
    assert!(applied.contains(&"frontend-transport-vars") && applied.contains(&"unknown-router-mode"), "{applied:?}");
    assert!(!applied.contains(&"unknown-transport-variable"), "{applied:?}");
}

#[test]
fn a_fix_that_would_do_harm_is_left_out_alone() {
    // The mode is what another service notes too: it stays. The misspelled name next to it does not.
    let text = graph(
        "        - name: DYN_ROUTER_MODE\n          value: &mode KV\n",
        "        - name: NOTE\n          value: *mode\n        - name: NCCL_DEBGU # why\n          value: INFO\n",
    );
    let (after, outcome) = mended(&text);
    assert_eq!(after, text.replace("NCCL_DEBGU", "NCCL_DEBUG"), "{outcome:?}");
    assert_eq!(rules(&outcome), ["unknown-transport-variable"]);
    let refused: Vec<_> = outcome.refused.iter().map(|(fix, why)| (fix.rule, why.to_string())).collect();
    assert_eq!(refused, [("unknown-router-mode", "service `Worker` would change too".to_owned())]);
}

#[test]
fn what_stands_in_a_base_is_mended_in_every_overlay_that_has_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("written");
    };
    let engine = "backend: pytorch\n    kv_cache_config:\n      event_buffer_max_size: 1024\n";
    let graph = "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:1.4.0
          command: [python3, -m, dynamo.frontend]
          args: [--router-mode, kv]
    Worker:
      componentType: worker
      replicas: 2
      extraPodSpec:
        volumes: [{name: engine, configMap: {name: engine}}]
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/tensorrtllm-runtime:1.4.0
          command: [python3, -m, dynamo.trtllm]
          volumeMounts: [{name: engine, mountPath: /config}]
          args: [--model-path, Qwen/Qwen3-0.6B, --extra-engine-args, /config/agg.yaml]
";
    let config =
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: engine\ndata:\n  agg.yaml: |\n    {engine}");
    write("base/deploy.yaml", &format!("{config}---\n{graph}"));
    write("base/kustomization.yaml", "resources: [deploy.yaml]\n");
    // The finding stands in the base's ConfigMap, what mends it in the words that each overlay writes itself.
    for (name, port) in [("one", 8001), ("two", 8002)] {
        let kustomization = "resources: [../../base]\npatches: [{path: patch.yaml}]\n";
        write(&format!("overlays/{name}/kustomization.yaml"), &format!("namespace: {name}\n{kustomization}"));
        let patch = graph.replace("/config/agg.yaml]", &format!("/config/agg.yaml, --port, \"{port}\"]"));
        write(&format!("overlays/{name}/patch.yaml"), &patch);
    }
    let selection = Selection { profile: Profile::Audit, ..Selection::default() };
    let options = Options { selection, ..Options::default() };
    let inputs = [Input::Path(dir.path().to_owned())];
    let rule = "trtllm-event-buffer-without-publish";
    let has = |report: &dynlint::lint::Report| report.findings.iter().any(|found| found.finding.rule == rule);
    assert!(has(&dynlint::lint::lint(&inputs, &options)));
    let outcome = mend(&inputs, &options, true);
    let fix = outcome.applied.iter().find(|applied| applied.rule == rule).expect("it is mended");
    assert_eq!(fix.files.len(), 2, "{fix:?}");
    assert!(fix.files.iter().all(|file| file.ends_with("patch.yaml")), "{fix:?}");
    assert!(!has(&outcome.report));
}
