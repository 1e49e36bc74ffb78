//! Kustomizations are judged as what would be applied, and a finding points at the file that should change.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const BASE: &str = "\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  components:
    - name: Frontend
      type: frontend
      podTemplate:
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
              command: [python3, -m, dynamo.frontend]
              args: [--http-port, \"8000\"]
              env:
                - name: DYN_ROUTER_MODE
                  value: round-robin
";

fn patch(mode: &str) -> String {
    format!(
        "resources: [../../base]\npatches:\n  - target: {{kind: DynamoGraphDeployment}}\n    patch: |-\n      \
         - op: replace\n        path: /spec/components/0/podTemplate/spec/containers/0/env/0/value\n        value: {mode}\n"
    )
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    std::fs::write(path, text).expect("written");
}

fn check(root: &Path) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_dynlint"))
        .args(["check", "--format", "json", "."])
        .current_dir(root)
        .output()
        .expect("dynlint runs");
    serde_json::from_slice(&run.stdout).expect("a JSON report")
}

#[test]
fn a_patch_that_breaks_the_base_is_where_the_finding_points() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
    write(dir.path(), "base/deploy.yaml", BASE);
    write(dir.path(), "overlays/a/kustomization.yaml", &patch("kv-aware"));
    write(dir.path(), "overlays/b/kustomization.yaml", &patch("random"));
    let report = check(dir.path());
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["rule"], "unknown-router-mode");
    assert_eq!(findings[0]["path"], "overlays/a/kustomization.yaml");
    assert_eq!(findings[0]["line"], 7);
    assert_eq!(findings[0]["overlays"], serde_json::json!(["overlays/a"]));
    assert_eq!(report["summary"]["deployments"], 2, "one for each overlay, none for the base alone");
}

#[test]
fn a_mistake_in_the_base_is_said_once_for_all_overlays() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
    write(dir.path(), "base/deploy.yaml", &BASE.replace("round-robin", "kv_aware"));
    for name in ["a", "b"] {
        let text = format!("resources: [../../base]\ncommonLabels: {{overlay: {name}}}\n");
        write(dir.path(), &format!("overlays/{name}/kustomization.yaml"), &text);
    }
    let report = check(dir.path());
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["path"], "base/deploy.yaml");
    assert_eq!(findings[0]["overlays"], serde_json::json!(["overlays/a", "overlays/b"]));
}

#[test]
fn a_patch_for_a_component_that_is_called_otherwise() {
    let alpha = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata: {name: chat}\nspec:\n  services:\n    \
                 Frontend:\n      componentType: frontend\n      extraPodSpec: {mainContainer: {image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0}}\n";
    for (name, said) in [("Frontend", false), ("Frontends", true)] {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
        write(dir.path(), "base/deploy.yaml", alpha);
        write(dir.path(), "a/kustomization.yaml", "resources: [../base]\npatches: [{path: patch.yaml}]\n");
        let patch = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata: {name: chat}\nspec:\n  services:\n    ";
        write(dir.path(), "a/patch.yaml", &format!("{patch}{name}:\n      replicas: 2\n"));
        let report = check(dir.path());
        let findings = report["findings"].as_array().expect("findings");
        let found = findings.iter().find(|f| f["rule"] == "image-missing");
        assert_eq!(found.is_some(), said, "{findings:#?}");
        if let Some(found) = found {
            assert_eq!((&found["path"], &found["help"]), (&"a/patch.yaml".into(), &"did you mean `Frontend`?".into()));
        }
    }
}

#[test]
fn a_kustomization_that_does_not_build_leaves_its_parts_to_be_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "kustomization.yaml", "resources: [deploy.yaml, gone.yaml]\n");
    write(dir.path(), "deploy.yaml", &BASE.replace("round-robin", "kv_aware"));
    let report = check(dir.path());
    assert_eq!(report["findings"][0]["path"], "deploy.yaml");
    assert_eq!(report["summary"]["undecided"], 1);
}

/// Workers that only RDMA can connect.
const PAIR: &str = "\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  components:
    - name: Prefill
      type: prefill
      podTemplate: &pod
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.1
              command: [python3, -m, dynamo.vllm]
              args: [--model, m, --disaggregation-mode, prefill, --kv-transfer-config, '{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"kv_both\"}']
              env: [{name: UCX_TLS, value: \"cuda_copy,cuda_ipc,rc\"}]
              resources: {limits: {nvidia.com/gpu: \"4\"}}
    - name: Decode
      type: decode
      podTemplate: *pod
";

#[test]
fn what_lies_elsewhere_may_bring_the_device_and_the_schema() {
    let rule = "ucx-tls-rdma-only-without-rdma";
    let patch = "  - target: {kind: DynamoGraphDeployment}\n    patch: |-\n      apiVersion: nvidia.com/v1beta1\n      \
                 kind: DynamoGraphDeployment\n      metadata: {name: chat}\n      spec:\n        components:\n        \
                 - {name: Prefill, podTemplate: {spec: {nodeSelector: {a: b}, tolerations: [{operator: Exists}]}}}\n";
    for (more, said) in [
        ("", true),
        ("components: ['https://example.com/dynamo//components/ib?ref=1']\n", false),
        ("secretGenerator: [{name: a, files: [gone.yaml]}]\n", false),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
        write(dir.path(), "base/deploy.yaml", PAIR);
        let patches = if more.starts_with("components") { format!("patches:\n{patch}") } else { String::new() };
        write(dir.path(), "overlay/kustomization.yaml", &format!("resources: [../base]\n{more}{patches}"));
        let report = check(dir.path());
        let findings = report["findings"].as_array().expect("findings");
        assert_eq!(findings.iter().any(|f| f["rule"] == rule), said, "{more}: {findings:#?}");
        // Lists of a graph merge by name when their schema may lie there too.
        assert!(!findings.iter().any(|f| f["severity"] == "error" && f["rule"] != rule), "{more}: {findings:#?}");
    }
}

#[test]
fn a_patch_that_kustomize_refuses_is_an_error_where_all_of_the_build_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let patch = patch("kv").replace("env/0/value", "envFrom/-").replace("op: replace", "op: add");
    write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
    write(dir.path(), "base/deploy.yaml", BASE);
    write(dir.path(), "overlays/a/kustomization.yaml", &patch);
    let refused = |report: &Value| {
        let findings = report["findings"].as_array().expect("findings").clone();
        findings.into_iter().find(|finding| finding["rule"] == "kustomize-refused")
    };
    let finding = refused(&check(dir.path())).expect("a finding");
    assert_eq!((finding["path"].as_str(), finding["line"].as_u64()), (Some("overlays/a/kustomization.yaml"), Some(5)));
    write(dir.path(), "overlays/a/kustomization.yaml", &patch.replace("[../../base]", "[../../base, ../../more.yaml]"));
    let finding = refused(&check(dir.path())).expect("a finding");
    assert_eq!(finding["line"].as_u64(), Some(1), "what is missing may hold what the patch changes: {finding}");
}

#[test]
fn what_a_kustomization_names_and_nobody_has_is_told() {
    let patch = "patches: [{path: patch.yaml, target: {kind: DynamoGraphDeployment}}]\n";
    for (text, line) in [
        (patch.to_owned(), None),
        (patch.replace("patch.yaml", "patches.yaml"), Some(2)),
        ("components: [../components/rdma]\n".to_owned(), Some(2)),
        ("configMapGenerator: [{name: a, files: [a.yaml]}]\n".to_owned(), Some(2)),
        ("configMapGenerator: [{name: a, files: [wait.sh]}]\n".to_owned(), None),
        // Neither do these, or they are made for the build.
        ("configMapGenerator: [{name: a, files: [hf-token.yaml]}]\n".to_owned(), None),
        ("components: [../components/secrets]\n".to_owned(), None),
        ("configMapGenerator: [{name: a, files: [made/a.yaml]}]\n".to_owned(), None),
        // Those of a Secret stand in no repository.
        ("secretGenerator: [{name: a, files: [a.json]}]\n".to_owned(), None),
        ("components: ['https://example.com/dynamo//components/ib?ref=1']\n".to_owned(), None),
    ] {
        for base in ["[../base]", "[../bases]"] {
            let dir = tempfile::tempdir().expect("a directory");
            write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
            write(dir.path(), "base/deploy.yaml", BASE);
            write(dir.path(), ".gitignore", "/overlay/made/\n");
            write(dir.path(), "overlay/patch.yaml", "- {op: add, path: /metadata/labels, value: {a: b}}\n");
            write(dir.path(), "overlay/kustomization.yaml", &format!("resources: {base}\n{text}"));
            let report = check(dir.path());
            let found = report["findings"].as_array().expect("findings").iter();
            let lines: Vec<Option<u64>> =
                found.filter(|f| f["rule"] == "kustomize-refused").map(|f| f["line"].as_u64()).collect();
            // Without its base nothing but a patch for graphs tells that a build is one of ours.
            let wanted = match base {
                "[../base]" => line,
                _ => text.starts_with("patches").then_some(1),
            };
            assert_eq!(lines, wanted.into_iter().map(Some).collect::<Vec<_>>(), "{base} {text}");
        }
    }
}

/// Findings of a rule in an overlay of `BASE` as the kustomization `text`: file, line and message.
fn of_overlay(base: &str, text: &str, rule: &str) -> Vec<(String, u64, String)> {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\n");
    write(dir.path(), "base/deploy.yaml", base);
    write(dir.path(), "overlay/kustomization.yaml", &format!("resources: [../base]\n{text}"));
    let report = check(dir.path());
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let findings = report["findings"].as_array().expect("findings").iter().filter(|f| f["rule"] == rule);
    findings.map(|f| (text(&f["path"]), f["line"].as_u64().expect("a line"), text(&f["message"]))).collect()
}

#[test]
fn an_entry_that_selects_nothing_is_told() {
    let patch = "\n    patch: '[{op: add, path: /metadata/labels, value: {a: b}}]'\n";
    let old =
        BASE.replace("v1beta1", "v1alpha1").replace("containers:\n            - name: main\n", "mainContainer:\n");
    for (base, text, said) in [
        (BASE, format!("patches:\n  - target: {{kind: DynamoGraphDeployment, name: chat}}{patch}"), ""),
        (
            BASE,
            format!("patches:\n  - target: {{kind: DynamoGraphDeployment, name: chart}}{patch}"),
            "no object of this build has kind `DynamoGraphDeployment`, name `chart`",
        ),
        (BASE, format!("patches:\n  - target: {{version: v1alpha1, kind: Dynamo.*}}{patch}"), "version `v1alpha1`"),
        // For Jobs, should there be any.
        (BASE, format!("patches:\n  - target: {{kind: Job}}{patch}"), ""),
        (BASE, format!("patches:\n  - target: {{kind: DynamoGraphDeploymnt}}{patch}"), "kind `DynamoGraphDeploymnt`"),
        // The name that it has by then counts, and the one that it had first.
        (BASE, format!("namePrefix: my-\npatches:\n  - target: {{name: chat}}{patch}"), ""),
        (BASE, format!("namePrefix: my-\npatches:\n  - target: {{name: my-chat}}{patch}"), "name `my-chat`"),
        (BASE, "images: [{name: nvcr.io/nvidia/ai-dynamo/vllm-runtime, newTag: 1.3.1}]\n".to_owned(), ""),
        (
            BASE,
            "images: [{name: vllm-runtime, newTag: 1.3.1}]\n".to_owned(),
            "no container of this build has the image",
        ),
        (
            &old,
            "images: [{name: nvcr.io/nvidia/ai-dynamo/vllm-runtime, newTag: 1.3.1}]\n".to_owned(),
            "stands in `mainContainer`, and `images` looks into `containers`",
        ),
        (
            BASE,
            "replacements:\n  - source: {kind: DynamoGraphDeployment}\n    targets: [{select: {name: chart}}]\n"
                .to_owned(),
            "name `chart`",
        ),
        // What is missing may be what the patch is for.
        (BASE, format!("patches:\n  - target: {{name: chart}}{patch}secretGenerator: [{{name: a, files: [b]}}]\n"), ""),
    ] {
        let found = of_overlay(base, &text, "kustomize-no-effect");
        assert_eq!(found.len(), usize::from(!said.is_empty()), "{text}: {found:#?}");
        assert!(
            found.iter().all(|(path, _, message)| path.starts_with("overlay/") && message.contains(said)),
            "{found:#?}"
        );
    }
}

#[test]
fn a_component_may_be_for_what_other_builds_have() {
    let dir = tempfile::tempdir().expect("a directory");
    let patch =
        "patches:\n  - target: {name: other}\n    patch: '[{op: add, path: /metadata/labels, value: {a: b}}]'\n";
    write(dir.path(), "base/deploy.yaml", BASE);
    write(dir.path(), "part/kustomization.yaml", &format!("kind: Component\n{patch}"));
    write(dir.path(), "base/kustomization.yaml", "resources: [deploy.yaml]\ncomponents: [../part]\n");
    assert_eq!(check(dir.path())["summary"]["warnings"], 0);
}

#[test]
fn a_list_that_a_patch_takes_the_place_of_is_told() {
    let patch = |spec: &str| {
        format!(
            "patches:\n  - patch: |-\n      apiVersion: nvidia.com/v1beta1\n      kind: DynamoGraphDeployment\n      \
             metadata: {{name: chat}}\n      spec: {spec}\n"
        )
    };
    let base =
        BASE.replace("spec:\n  components", "spec:\n  env: [{name: A, value: a}, {name: B, value: b}]\n  components");
    for (spec, said) in [
        ("{env: [{name: C, value: c}]}", "this `env` takes the place of the whole list: `A` and 1 more are lost"),
        ("{env: [{name: A, value: c}]}", ""),
        ("{env: []}", ""),
        ("{components: [{name: Frontend, replicas: 2}]}", "`Frontend` loses its `podTemplate`"),
        ("{components: [{name: Other, podTemplate: {}}]}", ""),
        ("{backendFramework: vllm}", ""),
    ] {
        let found = of_overlay(&base, &patch(spec), "kustomize-list-replaced");
        assert_eq!(found.len(), usize::from(!said.is_empty()), "{spec}: {found:#?}");
        assert!(found.iter().all(|(_, line, message)| *line == 7 && message.contains(said)), "{found:#?}");
    }
    // With a schema that has the key of the list they merge.
    let dir = tempfile::tempdir().expect("a directory");
    let schema = r#"{"definitions": {"com.nvidia.v1beta1.DynamoGraphDeployment": {
        "x-kubernetes-group-version-kind": [{"group": "nvidia.com", "kind": "DynamoGraphDeployment", "version": "v1beta1"}],
        "properties": {"spec": {"properties": {"env": {"x-kubernetes-patch-merge-key": "name",
            "x-kubernetes-patch-strategy": "merge", "items": {}}}}}}}}"#;
    write(dir.path(), "schema.json", schema);
    write(dir.path(), "deploy.yaml", &base);
    let text =
        format!("openapi: {{path: schema.json}}\nresources: [deploy.yaml]\n{}", patch("{env: [{name: C, value: c}]}"));
    write(dir.path(), "kustomization.yaml", &text);
    let report = check(dir.path());
    let findings = report["findings"].as_array().expect("findings");
    assert!(!findings.iter().any(|f| f["rule"] == "kustomize-list-replaced"), "{findings:#?}");
}

#[test]
fn a_name_that_kustomize_does_not_follow_is_told() {
    let rule = "kustomize-name-not-followed";
    let base = BASE.replace("env:", "envFrom: [{configMapRef: {name: settings}}]\n              env:");
    let settings = "configMapGenerator: [{name: settings, literals: [A=b]}]\n";
    let follow = "configurations: [follow.yaml]\n";
    let job = "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: perf}\nspec: {template: {spec: {containers: [{name: c, \
               args: ['curl http://chat-frontend:8000; echo chat-frontends']}]}}}\n";
    for (more, text, said) in [
        ("", settings.to_owned(), &["the ConfigMap `settings` is called `settings-"][..]),
        ("", format!("{settings}generatorOptions: {{disableNameSuffixHash: true}}\n"), &[]),
        ("", format!("{settings}{follow}"), &[]),
        (job, String::new(), &[]),
        (job, "namePrefix: my-\n".to_owned(), &["the DynamoGraphDeployment `chat` is called `my-chat`"]),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let field = "nameReference: [{kind: ConfigMap, fieldSpecs: [{kind: DynamoGraphDeployment, \
                     path: spec/components/podTemplate/spec/containers/envFrom/configMapRef/name}]}]\n";
        write(dir.path(), "follow.yaml", field);
        write(dir.path(), "deploy.yaml", &format!("{base}{more}"));
        write(dir.path(), "kustomization.yaml", &format!("resources: [deploy.yaml]\n{text}"));
        let report = check(dir.path());
        let findings = report["findings"].as_array().expect("findings").iter().filter(|f| f["rule"] == rule);
        let found: Vec<&str> = findings.map(|f| f["message"].as_str().expect("text")).collect();
        assert_eq!(found.len(), said.len(), "{text}: {found:#?}");
        assert!(found.iter().zip(said).all(|(found, said)| found.starts_with(said)), "{found:#?}");
    }
}
