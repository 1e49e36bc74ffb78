//! What repairs that move or spell things make of a manifest, byte for byte.

use dynlint::finding::{Profile, Selection, Selector};
use dynlint::fix::mend;
use dynlint::lint::{Input, Options};

/// The text after the fixes of one rule.
fn mended(rule: &'static str, text: &str) -> String {
    let selection = Selection {
        profile: Profile::Audit,
        select: vec![Selector::parse(rule, &[(rule, "")]).expect("a rule")],
        ..Selection::default()
    };
    let options = Options { selection, ..Options::default() };
    let outcome = mend(&[Input::Bytes { bytes: text.as_bytes().to_vec(), path: None }], &options, true);
    assert_eq!(outcome.refused, []);
    outcome.changed.first().map_or_else(|| text.to_owned(), |change| change.after.clone())
}

fn graph(worker: &str) -> String {
    format!(
        "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: g
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
    Worker:
{worker}"
    )
}

/// Replaces, and both line ends are tried.
#[track_caller]
fn becomes(rule: &'static str, text: &str, old: &str, new: &str) {
    assert!(text.contains(old), "no `{old}` in the manifest");
    for end in ["\n", "\r\n"] {
        let with = |text: &str| text.replace('\n', end);
        assert_eq!(mended(rule, &with(text)), with(&text.replacen(old, new, 1)));
    }
}

#[test]
fn a_field_that_slipped_into_the_last_item_comes_out() {
    let text = graph(
        "      componentType: worker
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          volumeMounts:
          - name: a # why
            mountPath: /a
            # kept where it is
            workingDir: /w # so
        volumes:
        - name: a
          emptyDir: {}
",
    );
    becomes("unknown-field", &text, "            workingDir: /w # so", "          workingDir: /w # so");
    // Something follows: less indentation would take that along.
    let followed = text.replace("workingDir: /w # so", "workingDir: /w # so\n            readOnly: true");
    assert_eq!(mended("unknown-field", &followed), followed);
}

#[test]
fn a_label_becomes_an_annotation() {
    let text = graph("      componentType: worker\n");
    let with = |metadata: &str| text.replace("  name: g\n", &format!("  name: g\n{metadata}"));
    let key = "nvidia.com/enable-grove";
    let alone = with(&format!("  labels:\n    {key}: \"true\"\n"));
    becomes("annotation-as-label", &alone, "  labels:", "  annotations:");
    let two = with(&format!("  labels:\n    {key}: \"true\"\n    a: b\n"));
    let wanted = format!("  labels:\n    a: b\n  annotations:\n    {key}: \"true\"\n");
    becomes("annotation-as-label", &two, &format!("  labels:\n    {key}: \"true\"\n    a: b\n"), &wanted);
    let there = with(&format!("  labels:\n    {key}: \"true\"\n    a: b\n  annotations:\n    c: d\n"));
    let wanted = format!("  labels:\n    a: b\n  annotations:\n    c: d\n    {key}: \"true\"\n");
    becomes(
        "annotation-as-label",
        &there,
        &format!("  labels:\n    {key}: \"true\"\n    a: b\n  annotations:\n    c: d\n"),
        &wanted,
    );
}

#[test]
fn flags_are_written_as_the_scalar_asks() {
    const JSON: &str = r#"{"kv_connector":"NixlConnector","kv_role":"kv_both"}"#;
    let worker = |args: &str| {
        graph(&format!(
            "      componentType: worker
      subComponentType: prefill
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [/bin/sh, -c]
          args:
          - {args}
    Decode:
      componentType: worker
      subComponentType: decode
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0
          command: [python3, -m, dynamo.vllm]
          args:
          - --model
          - m/m
          - --disaggregation-mode
          - decode
          - --kv-transfer-config
          - '{JSON}'
"
        ))
    };
    let script = "python3 -m dynamo.vllm --model m/m --disaggregation-mode prefill";
    let cases = [
        (format!("\"{script}\""), format!("\"{script} --kv-transfer-config '{}'\"", JSON.replace('"', "\\\""))),
        (format!("'{script}'"), format!("'{script} --kv-transfer-config ''{JSON}'''")),
        (format!("|\n            {script}"), format!("|\n            {script} --kv-transfer-config '{JSON}'")),
    ];
    for (before, after) in cases {
        becomes("vllm-kv-transfer-missing", &worker(&before), &before, &after);
    }
}

#[test]
fn a_quote_that_nothing_answers_goes() {
    let job = |script: &str| {
        format!(
            "apiVersion: batch/v1
kind: Job
metadata:
  name: download
spec:
  template:
    spec:
      containers:
      - name: main
        image: python:3.12
        command: [sh, -c]
        args:
        - |
          set -e
          {script}
"
        )
    };
    let text = job("hf download $MODEL --revision $REV\"");
    becomes("script-syntax", &text, "$REV\"", "$REV");
    let inside = job("echo a\"b c");
    assert_eq!(mended("script-syntax", &inside), inside, "either end of the word may lack the other quote");
}

#[test]
fn options_that_a_job_may_not_combine_go_with_their_lines() {
    let text = "apiVersion: batch/v1
kind: Job
metadata:
  name: perf
spec:
  template:
    spec:
      containers:
      - name: perf
        image: python:3.12
        command: [bash, -c]
        args:
        - |
          pip install aiperf==0.10.0
          aiperf profile --model m \\
            --input-file t.jsonl \\
            --isl 512 \\
            --isl-stddev 0 \\
            --url http://x:8000
";
    becomes("perf-job-args", text, "            --isl 512 \\\n            --isl-stddev 0 \\\n", "");
}

#[test]
fn a_key_of_json_that_is_spelt_otherwise_is_renamed_not_added() {
    let worker = |json: &str| {
        let image = "image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0\n          command: [python3, -m, dynamo.vllm]";
        format!(
            "      componentType: worker\n      extraPodSpec:\n        mainContainer:\n          {image}\n          \
             args: [--model, Qwen/Qwen3-0.6B, --kv-transfer-config, {json}] # so\n"
        )
    };
    let role = r#"'{"kv_connector": "NixlConnector", "kv_roel": "kv_both"}'"#;
    becomes("kv-transfer-json-invalid", &graph(&worker(role)), "kv_roel", "kv_role");
    let escaped = r#""{\"kv_connector\": \"NixlConnector\", \"kv_role\": \"kv_both\", \"kv_bufer_size\": 1e9}""#;
    becomes("kv-transfer-json-invalid", &graph(&worker(escaped)), "kv_bufer_size", "kv_buffer_size");
}
