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
        image: example.com/tools:1
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
        image: example.com/tools:1
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

/// An image that others cannot pull becomes the runtime of what the service starts, of the release that is said nearest.
#[test]
fn a_private_image_becomes_the_published_one_of_its_release() {
    const PRIVATE: &str = "gitlab-master.nvidia.com:5005/dl/dynamo:dev";
    let graph = |frontend: &str, worker: &str, module: &str| {
        format!(
            "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: g
spec:
  services:
    Frontend:
      componentType: frontend
      extraPodSpec: {{mainContainer: {{image: {frontend}}}}}
    Worker:
      componentType: worker
      extraPodSpec:
        mainContainer:
          image: {worker} # mine
          command: [python3, -m, {module}]
          args: [--model, Qwen/Qwen3-0.6B]
"
        )
    };
    let published = |name: &str| format!("nvcr.io/nvidia/ai-dynamo/{name}");
    let images = |args: &[&str], files: &[(&str, &str)]| -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let all = [&["check", "--fix-only", "--unsafe-fixes", "--select", "image-private", "."], args].concat();
        super::disk::dynlint(dir.path(), &all);
        let text = std::fs::read_to_string(dir.path().join(files[0].0)).unwrap();
        let image = |line: &str| Some(line.split_once("image: ")?.1.trim_end_matches('}').replace(" # mine", ""));
        text.lines().filter_map(image).collect()
    };
    let both = graph(PRIVATE, PRIVATE, "dynamo.sglang").replace("--model,", "--model-path,");
    let newest = dynlint::catalog::flags::component("dynamo.frontend").unwrap().releases.last().unwrap();
    let newest = published(&format!("sglang-runtime:{}.{}.0", newest.0, newest.1));
    // Nothing says a release; the user does; a graph beside it does; the graph itself does; the image does.
    assert_eq!(images(&[], &[("r/a/deploy.yaml", &both)]), [newest.as_str(), &newest]);
    let said = published("sglang-runtime:1.2.0");
    assert_eq!(images(&["--dynamo-version", "1.2"], &[("r/a/deploy.yaml", &both)]), [said.as_str(), &said]);
    let other = graph(&published("vllm-runtime:1.4.1"), &published("vllm-runtime:1.4.1"), "dynamo.vllm");
    let near = published("sglang-runtime:1.4.1");
    let files = [("r/a/deploy.yaml", &*both), ("r/b/deploy.yaml", &other)];
    assert_eq!(images(&[], &files), [near.as_str(), &near]);
    let beside = graph(&published("vllm-runtime:1.1.1"), PRIVATE, "dynamo.vllm");
    let own = published("vllm-runtime:1.1.1");
    assert_eq!(images(&[], &[("r/a/deploy.yaml", &beside), files[1]]), [own.as_str(), &own]);
    let staged = graph(&published("vllm-runtime:my-tag"), "nvcr.io/nvstaging/x/vllm-runtime:1.3.0rc5", "dynamo.vllm");
    let placeholder = published("vllm-runtime:my-tag");
    let release = published("vllm-runtime:1.3.0");
    assert_eq!(images(&[], &[("r/a/deploy.yaml", &staged)]), [placeholder.as_str(), &release]);
    // What it starts is not known: nothing is offered.
    let unknown = graph(PRIVATE, PRIVATE, "my.worker");
    assert_eq!(images(&[], &[("r/a/deploy.yaml", &unknown)]), [PRIVATE, PRIVATE]);
}

/// The name that the recipe's workers serve: as they say it, or the model's own.
#[test]
fn a_picker_is_told_the_model_that_the_recipe_serves() {
    const PICKER: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: epp}
spec:
  selector: {matchLabels: {app: epp}}
  template:
    metadata: {labels: {app: epp}}
    spec:
      containers:
        - name: epp
          image: nvcr.io/nvidia/ai-dynamo/dynamo-frontend:1.4.0
          env:
            - {name: DYNAMO_NAMESPACE, value: x} # ours
            - {name: DYNAMO_KV_BLOCK_SIZE, value: \"16\"}
";
    let graph = |args: &str| {
        format!(
            "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata: {{name: g}}
spec:
  components:
    - name: Worker
      type: worker
      podTemplate:
        spec:
          containers:
            - name: main
              image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
              command: [sh, -c]
              args: [\"python3 -m dynamo.vllm {args}\"]
              env: [{{name: NAME, value: a/b}}]
"
        )
    };
    let laid = |args: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("r/gaie")).unwrap();
        std::fs::write(dir.path().join("r/deploy.yaml"), graph(args)).unwrap();
        std::fs::write(dir.path().join("r/gaie/epp.yaml"), PICKER).unwrap();
        dir
    };
    let fixed = |dir: &tempfile::TempDir, here: &str| {
        let args = ["check", "--fix-only", "--unsafe-fixes", "--select", "epp-model-env", "."];
        super::disk::dynlint(&dir.path().join(here), &args);
        std::fs::read_to_string(dir.path().join("r/gaie/epp.yaml")).unwrap()
    };
    let told = |args: &str| fixed(&laid(args), "");
    let with = |name: &str| {
        let comment = "value: x} # ours\n";
        PICKER.replace(comment, &format!("{comment}            - {{name: DYNAMO_MODEL, value: {name}}}\n"))
    };
    assert_eq!(told("--model Qwen/Qwen3-0.6B"), with("Qwen/Qwen3-0.6B"));
    assert_eq!(told("--model /models/q --served-model-name $NAME"), with("a/b"));
    assert_eq!(told("--model x/y --served-model-name=q"), with("q"));
    // From inside the recipe, and not when others stand beside it.
    let name = "Qwen/Qwen3-0.6B";
    let dir = laid("--model Qwen/Qwen3-0.6B");
    assert_eq!(fixed(&dir, "r"), with(name));
    let dir = laid("--model Qwen/Qwen3-0.6B");
    std::fs::create_dir(dir.path().join("r/other")).unwrap();
    std::fs::write(dir.path().join("r/other/deploy.yaml"), graph("--model x/y")).unwrap();
    assert_eq!(fixed(&dir, "r"), PICKER);
    // A path is no name to ask for, and a variable of the cluster's is not known.
    assert_eq!(told("--model /models/q"), PICKER);
    assert_eq!(told("--model $ELSEWHERE"), PICKER);
}

/// An expansion that brings several options loses one of them where it is written, and stays.
#[test]
fn one_option_of_several_goes_from_where_they_are_written() {
    let graph = graph("      componentType: worker\n");
    let image = "          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.3.0\n";
    let with = |script: &str| {
        let lines: String = script.lines().map(|line| format!("            {line}\n")).collect();
        graph.replacen(
            image,
            &format!("{image}          command: [/bin/bash, -c]\n          args:\n          - |\n{lines}"),
            1,
        )
    };
    for (script, old, new) in [
        (
            "a=(\n  --router-mode random\n  --kv-cache-block-size 64\n  --http-port 8000\n)\nexec python3 -m dynamo.frontend \"${a[@]}\"",
            "              --kv-cache-block-size 64\n",
            "",
        ),
        (
            "o=\"--router-mode random --kv-cache-block-size 64 --http-port 8000\"\npython3 -m dynamo.frontend $o",
            " --kv-cache-block-size 64",
            "",
        ),
        (
            "set -- --kv-cache-block-size=64 --http-port=8000\nexec python3 -m dynamo.frontend \"$@\"",
            " --kv-cache-block-size=64",
            "",
        ),
        (
            "exec python3 -m dynamo.frontend --kv-cache-block-size \"${N:-64}\" --http-port 8000",
            " --kv-cache-block-size \"${N:-64}\"",
            "",
        ),
    ] {
        becomes("frontend-block-size-inert", &with(script), old, new);
    }
    // The value stands elsewhere.
    let apart =
        with("n=64\na=(--kv-cache-block-size \"$n\" --http-port=8000)\nexec python3 -m dynamo.frontend \"${a[@]}\"");
    assert_eq!(mended("frontend-block-size-inert", &apart), apart);
    let twice = with("o=\"--kv-cache-block-size 64\"\no=\"$o --http-port 8000\"\npython3 -m dynamo.frontend $o");
    assert_eq!(mended("frontend-block-size-inert", &twice), twice);
}
