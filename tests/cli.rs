//! The command line: exit codes, streams, formats, and input of every bad kind.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Sound as far as the reader goes; what it holds is of no interest to any rule.
const SOUND: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n";

/// A warning of the reader.
const TWICE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  mode: a\n  mode: b\n";

/// An error of the reader in the second of three documents.
const BROKEN: &str = "apiVersion: v1\nkind: Service\n---\napiVersion: v1\nkind: [Service\n---\napiVersion: v1\nkind: Pod\ndata:\n  a: 1\n  a: 2\n";

fn dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn dynlint(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
    command.current_dir(dir).env_clear().stdin(Stdio::null());
    command
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        err: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

fn run(dir: &Path, args: &[&str]) -> Ran {
    ran(dynlint(dir).args(args).output().unwrap())
}

fn code(dir: &Path, args: &[&str]) -> i32 {
    run(dir, args).code
}

fn piped(dir: &Path, args: &[&str], input: &[u8]) -> Ran {
    ran(assert_cmd::Command::from(dynlint(dir)).args(args).write_stdin(input.to_vec()).output().unwrap())
}

fn json(dir: &Path, args: &[&str]) -> serde_json::Value {
    let ran = run(dir, &[&["check", "--format", "json"], args].concat());
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {}{}", ran.out, ran.err))
}

#[test]
fn exit_codes_follow_the_findings_and_the_fail_level() {
    let sound = dir(&[("a.yaml", SOUND)]);
    assert_eq!(code(sound.path(), &["check"]), 0);
    let warning = dir(&[("a.yaml", TWICE)]);
    let p = warning.path();
    assert_eq!(code(p, &["check"]), 1);
    assert_eq!(code(p, &["check", "--fail-on", "advice"]), 1);
    assert_eq!(code(p, &["check", "--fail-on", "error"]), 0);
    assert_eq!(code(p, &["check", "--fail-on", "never"]), 0);
    assert_eq!(code(p, &["check", "--exit-zero"]), 0);
    assert_eq!(code(p, &["check", "--ignore", "duplicate-key"]), 0);
    assert_eq!(code(p, &["check", "--select", "yaml-syntax"]), 0);
    assert_eq!(code(p, &["check", "--min-severity", "error"]), 0);
    assert_eq!(code(dir(&[("a.yaml", BROKEN)]).path(), &["check"]), 1);
    for format in ["full", "concise", "json"] {
        assert_eq!(code(p, &["check", "--format", format]), 1, "{format}");
    }
}

#[test]
fn usage_errors_are_2_and_leave_stdout_alone() {
    let d = dir(&[("a.yaml", SOUND)]);
    for (args, says) in [
        (&["check", "--select", "duplicate-kye"][..], "did you mean `duplicate-key`?"),
        (&["check", "--ignore", "zzz"], "`dynlint rules` lists them all"),
        (&["check", "--select", "zzz-*"], "no rule or family matches `zzz-*`"),
        (&["check", "--fail-on", "sometimes"], "invalid value"),
        (&["check", "--dynamo-version", "latest"], "expected a release such as `1.4`"),
        (&["check", "-", "-"], "more than once"),
        (&["check", "--stdin-filename", "x.yaml", "a.yaml"], "needs `-` among the paths"),
        (&["a.yaml"], "write `dynlint check a.yaml`"),
        (&["."], "write `dynlint check .`"),
        (&["chekc"], "similar subcommand"),
        (&[], "Usage: dynlint"),
        (&["explain", "duplicate-keys"], "did you mean `duplicate-key`?"),
        (&["explain", "Duplicate_Key"], "did you mean `duplicate-key`?"),
    ] {
        let ran = run(d.path(), args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}

#[test]
fn nothing_to_lint_is_3() {
    let empty = dir(&[]);
    assert_eq!(code(empty.path(), &["check"]), 3);
    let other = dir(&[("values.yaml", "a: 1\na: 2\n"), ("compose.yml", "services: {}\n"), ("README.md", "# x\n")]);
    let ran = run(other.path(), &["check"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("skipped 2 files: 2 not manifests"), "{}", ran.out);
    assert!(ran.err.contains("nothing to lint"), "{}", ran.err);
    assert_eq!(piped(empty.path(), &["check", "-"], b"").code, 3);
    assert_eq!(code(other.path(), &["resolve", "."]), 3);
}

#[test]
fn unreadable_input_is_4_and_does_not_hide_the_rest() {
    let d = dir(&[("a.yaml", TWICE)]);
    std::fs::write(d.path().join("latin.yaml"), b"apiVersion: v1\nkind: Service\nname: \xe9t\xe9\n").unwrap();
    std::fs::File::create(d.path().join("huge.yaml")).unwrap().set_len(17 << 20).unwrap();
    let report = json(d.path(), &[]);
    let rules: Vec<(&str, &str, u64)> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["path"].as_str().unwrap(), f["rule"].as_str().unwrap(), f["line"].as_u64().unwrap()))
        .collect();
    assert_eq!(rules, [("a.yaml", "duplicate-key", 7), ("huge.yaml", "too-large", 1), ("latin.yaml", "not-utf8", 3)]);
    assert_eq!((&report["summary"]["unreadable"], &report["summary"]["files"]), (&2.into(), &1.into()));
    assert_eq!(code(d.path(), &["check"]), 4);
    assert_eq!(code(d.path(), &["check", "--exit-zero"]), 4);
    let missing = run(d.path(), &["check", "a.yaml", "nowhere/b.yaml"]);
    assert_eq!(missing.code, 4);
    assert!(missing.out.contains("duplicate-key") && missing.out.contains("nowhere/b.yaml"), "{}", missing.out);
    for bytes in [&b"\xff\xfe"[..], b"kind: \0\n", b"kind: A\nname: \xe9\n"] {
        let ran = piped(d.path(), &["check", "-", "--format", "concise"], bytes);
        assert_eq!((ran.code, ran.out.contains("error[not-utf8]")), (4, true), "{}", ran.out);
    }
    assert_eq!(piped(d.path(), &["check", "-"], &vec![b' '; 17 << 20]).code, 4);
}

#[test]
#[cfg(unix)]
fn links_and_permissions() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let d = dir(&[("real/a.yaml", TWICE), ("locked/b.yaml", SOUND)]);
    symlink("a.yaml", d.path().join("real/same.yaml")).unwrap();
    symlink("../real", d.path().join("real/circle")).unwrap();
    let report = json(d.path(), &["real"]);
    assert_eq!(
        report["summary"]["files"], 1,
        "a link to the same file is one file, a link to a directory is left alone"
    );

    symlink("self.yaml", d.path().join("real/self.yaml")).unwrap();
    symlink("gone.yaml", d.path().join("real/dangling.yaml")).unwrap();
    let report = json(d.path(), &["real"]);
    assert_eq!(report["summary"]["passed_over"], 2, "{report:#}");
    assert_eq!(code(d.path(), &["check", "real/self.yaml"]), 4);

    let locked = d.path().join("locked/b.yaml");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&locked).is_ok() {
        println!("skipped: this user can read everything");
        return;
    }
    assert_eq!(code(d.path(), &["check", "locked"]), 4);
}

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let d = dir(&[("a.yaml", BROKEN)]);
    let report = json(d.path(), &[]);
    let rules: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["yaml-syntax", "duplicate-key"]);
}

#[test]
fn hostile_yaml_is_a_finding() {
    let deep = format!("apiVersion: v1\nkind: Pod\nx: {}{}\n", "[".repeat(5000), "]".repeat(5000));
    let bomb = {
        let mut text = String::from("apiVersion: v1\nkind: Pod\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..9 {
            let items = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{items}]\n"));
        }
        text
    };
    let d = dir(&[("bomb.yaml", &bomb), ("deep.yaml", &deep)]);
    let report = json(d.path(), &[]);
    let rules: Vec<&str> = report["findings"].as_array().unwrap().iter().map(|f| f["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["alias-bomb", "too-deep"]);
    assert_eq!(code(d.path(), &["check"]), 1);
}

#[test]
fn templates_and_patches_are_skipped_with_a_reason() {
    let d = dir(&[
        (
            "chart/templates/a.yaml",
            "apiVersion: v1\nkind: Service\n{{- if .Values.x }}\nspec: {{ .Values.y }}\n{{ end }}\n",
        ),
        ("envsubst.yaml", "apiVersion: v1\nkind: Service\n${EXTRA}\n"),
        (
            "overlay/kustomization.yaml",
            "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nresources: [../base]\npatches:\n  - path: patch.yaml\n  - path: ../more/p2.yaml\npatchesStrategicMerge: [p3.yaml]\n",
        ),
        ("overlay/patch.yaml", TWICE),
        ("overlay/p3.yaml", TWICE),
        ("more/p2.yaml", TWICE),
        ("base/a.yaml", SOUND),
    ]);
    let report = json(d.path(), &[]);
    let skipped: Vec<(&str, &str)> = report["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["path"].as_str().unwrap(), s["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(
        skipped,
        [
            ("chart/templates/a.yaml", "template"),
            ("envsubst.yaml", "template"),
            ("more/p2.yaml", "kustomize_patch"),
            ("overlay/p3.yaml", "kustomize_patch"),
            ("overlay/patch.yaml", "kustomize_patch"),
        ]
    );
    assert_eq!(report["findings"].as_array().unwrap().len(), 0);
    assert_eq!((&report["summary"]["files"], &report["summary"]["skipped"]), (&2.into(), &5.into()));
    for patch in ["overlay/patch.yaml", "more/p2.yaml"] {
        assert_eq!(code(d.path(), &["check", patch]), 3, "{patch} is known as a patch when given by itself");
    }
    assert_eq!(code(d.path(), &["check", "chart/templates/a.yaml"]), 3);
}

#[test]
fn a_file_that_is_no_yaml_is_an_error_only_when_it_may_be_a_manifest() {
    let d = dir(&[("notes.yaml", "a: [\n"), ("manifest.yaml", "apiVersion: v1\nkind: [\n")]);
    let report = json(d.path(), &[]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    assert_eq!(report["findings"][0]["path"], "manifest.yaml");
    assert_eq!(code(d.path(), &["check", "notes.yaml"]), 1, "the user says it is one");
}

#[test]
fn ignore_files_are_honoured_unless_told_otherwise() {
    let d = dir(&[(".gitignore", "out/\n"), ("out/a.yaml", TWICE), (".hidden/b.yaml", TWICE), ("c.yaml", SOUND)]);
    assert_eq!(json(d.path(), &[])["summary"]["files"], 1);
    assert_eq!(json(d.path(), &["--no-ignore"])["summary"]["files"], 3);
    assert_eq!(json(d.path(), &["out/a.yaml"])["summary"]["files"], 1, "a file named by itself is read");
    assert_eq!(json(d.path(), &["c.yaml", ".", "./c.yaml"])["summary"]["files"], 1, "each file once");
}

#[test]
fn labels_cover_whole_characters() {
    let text = "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {name: a}\nspec:\n  components:\n    \
                - name: f\n      type: frontend\n      podTemplate:\n        spec:\n          \u{1f600}containers: []\n";
    let d = dir(&[("a.yaml", text)]);
    let report = json(d.path(), &["--profile", "audit"]);
    for finding in report["findings"].as_array().unwrap() {
        let (line, start, end) = (&finding["line"], &finding["column"], &finding["end_column"]);
        assert!(start.as_u64() < end.as_u64() || start == end, "{finding:#}");
        if line == 10 {
            assert_eq!(start, 11, "{finding:#}");
        }
    }
    assert_eq!(run(d.path(), &["check"]).err, "");
}

#[test]
fn standard_input() {
    let d = dir(&[]);
    let ran = piped(d.path(), &["check", "--format", "concise", "-"], TWICE.as_bytes());
    assert_eq!(ran.code, 1);
    assert_eq!(ran.out, "<stdin>:7:3: warning[duplicate-key] key `mode` is given twice; the last one wins\n");
    assert!(ran.err.contains("checked 1 file"), "{}", ran.err);
    let named = piped(
        d.path(),
        &["check", "--format", "concise", "-", "--stdin-filename", "./deploy/a.yaml"],
        TWICE.as_bytes(),
    );
    assert!(named.out.starts_with("deploy/a.yaml:7:3: "), "{}", named.out);
}

#[test]
fn order_and_result_do_not_depend_on_threads() {
    let names: Vec<String> = (0..40).map(|n| format!("d{}/f{n}.yaml", n % 7)).collect();
    let files: Vec<(&str, &str)> =
        names.iter().enumerate().map(|(n, name)| (name.as_str(), [TWICE, BROKEN, SOUND][n % 3])).collect();
    let d = dir(&files);
    let one = json(d.path(), &["-j1"]);
    assert_eq!(one, json(d.path(), &["-j4"]));
    let paths: Vec<&str> = one["findings"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert!(paths.is_sorted());
    assert_eq!(paths.len(), 14 + 2 * 13);
}

#[test]
fn fingerprints_do_not_move_with_lines_or_directories() {
    let prints = |text: &str, name: &str, args: &[&str]| -> Vec<String> {
        let d = dir(&[(name, text)]);
        let report = json(d.path(), args);
        let mut all: Vec<String> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["fingerprint"].as_str().unwrap().to_owned())
            .collect();
        all.sort();
        all
    };
    let before = prints(BROKEN, "a.yaml", &[]);
    assert_eq!(before.len(), 2);
    assert_ne!(before[0], before[1]);
    assert_eq!(before, prints(&format!("# comment\n\n{BROKEN}"), "x/y/a.yaml", &["x"]));
    let other = TWICE.replace("name: settings", "name: others");
    assert_ne!(prints(TWICE, "a.yaml", &[]), prints(&other, "a.yaml", &[]));
}

#[test]
fn colour_is_as_asked() {
    let d = dir(&[("a.yaml", TWICE)]);
    let colored = |args: &[&str], env: &[(&str, &str)]| {
        let output = dynlint(d.path()).arg("check").args(args).envs(env.iter().copied()).output().unwrap();
        ran(output).out.contains('\u{1b}')
    };
    assert!(!colored(&[], &[]), "stdout is no terminal");
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[], &[("NO_COLOR", "1")]));
    assert!(colored(&["--color", "always"], &[("NO_COLOR", "1")]), "a flag is stronger than the environment");
    assert!(!colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    let ascii = |locale: &str| {
        let output = dynlint(d.path()).arg("check").env("LC_ALL", locale).output().unwrap();
        ran(output).out.is_ascii()
    };
    assert!(ascii("C") && !ascii("en_US.UTF-8") && !ascii(""));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let files: Vec<(String, String)> =
        (0..300).map(|n| (format!("f{n}.yaml"), format!("{TWICE}{}", "#\n".repeat(n)))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    let d = dir(&files);
    let mut child = dynlint(d.path()).arg("check").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn credentials_are_never_printed() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  token: hunter2\n  token: hunter3\n---\n\
                apiVersion: v1\nkind: Pod\nenv:\n  - name: HF_TOKEN\n    value: hunter4\n    value: hunter5\n";
    let d = dir(&[("a.yaml", text)]);
    for format in ["full", "concise", "json"] {
        let ran = run(d.path(), &["check", "--format", format]);
        assert_eq!(ran.code, 1);
        assert!(!ran.out.contains("hunter") && !ran.err.contains("hunter"), "{format}: {}", ran.out);
    }
}

/// Examples of the reader's rules only: what others say changes with them.
fn example() -> TempDir {
    dir(&[
        ("a/broken.yaml", BROKEN),
        ("a/values.yaml", "x: 1\n"),
        ("b/wide.yaml", "apiVersion: v1\nkind: ConfigMap\ndata:\n  ä: one\n  \"ä\": two # über\n"),
    ])
}

#[test]
fn full_output() {
    let ran = run(example().path(), &["check"]);
    insta::assert_snapshot!("full", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn concise_output() {
    let ran = run(example().path(), &["check", "--format", "concise"]);
    insta::assert_snapshot!("concise", format!("{}--- stderr\n{}", ran.out, ran.err));
}

#[test]
fn json_output() {
    insta::assert_json_snapshot!("json", json(example().path(), &["--show-undecided"]));
}

#[test]
fn rules_and_explain() {
    let d = dir(&[]);
    let list = run(d.path(), &["rules", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    let rules = list["rules"].as_array().unwrap();
    assert_eq!(rules.len(), dynlint::rules::RULES.len());
    let table = run(d.path(), &["rules"]).out;
    for rule in dynlint::rules::RULES {
        assert!(table.contains(rule.id), "{}", rule.id);
        let page = run(d.path(), &["explain", rule.id]);
        assert_eq!(page.code, 0);
        assert!(page.out.starts_with(&format!("{}: {}", rule.id, rule.summary)), "{}", page.out);
        assert!(!page.out.contains("#~") && !page.out.contains("```") && !page.out.contains('\u{1b}'), "{}", page.out);
    }
    insta::assert_snapshot!("explain", run(d.path(), &["explain", "duplicate-key"]).out);
}

const GRAPH: &str = "apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: demo
spec:
  services:
    Frontend:
      componentType: frontend
      envs:
        - name: DYN_ROUTER_MODE
          value: kv
      extraPodSpec:
        mainContainer:
          image: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.4.0
";

#[test]
fn resolve_narrows_to_service_and_variable() {
    let d = dir(&[("a.yaml", GRAPH)]);
    let all = run(d.path(), &["resolve", "a.yaml"]);
    assert_eq!((all.code, all.err.as_str()), (0, ""));
    assert!(all.out.contains("demo") && all.out.contains("Frontend"), "{}", all.out);
    let one =
        run(d.path(), &["resolve", "a.yaml", "--service", "Frontend", "--var", "DYN_ROUTER_MODE", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&one.out).unwrap();
    let env = &value["deployments"][0]["services"][0]["env"];
    assert_eq!(env.as_array().unwrap().len(), 1);
    assert_eq!((&env[0]["value"], &env[0]["chain"][0]["line"]), (&"kv".into(), &11.into()));
    let slip = run(d.path(), &["resolve", "a.yaml", "--service", "Frontent"]);
    assert_eq!((slip.code, slip.out.as_str()), (2, ""));
    assert!(slip.err.contains("did you mean `Frontend`?"), "{}", slip.err);
    assert_eq!(code(d.path(), &["resolve", "nowhere.yaml"]), 4);
}

/// A graph of one frontend with this variable.
fn graph(value: &str) -> String {
    format!(
        "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata: {{name: g}}\nspec:\n  components:\n  - name: F\n    \
         type: frontend\n    podTemplate: {{spec: {{containers: [{{name: main, image: x:1, env: [{{name: A, value: {value}}}]}}]}}}}\n"
    )
}

#[test]
fn resolve_compares() {
    let dir =
        dir(&[("a.yaml", &graph("one")), ("b.yaml", &graph("two")), ("c.yaml", &format!("# c\n{}", graph("one")))]);
    let different = run(dir.path(), &["resolve", "a.yaml", "--diff", "b.yaml"]);
    assert_eq!(different.code, 1, "{}", different.err);
    assert!(different.out.starts_with("--- a.yaml\n+++ b.yaml\n@@ g F @@\n"), "{}", different.out);
    assert!(different.out.contains("- env A = one\n+ env A = two\n"), "{}", different.out);
    let equal = run(dir.path(), &["resolve", "a.yaml", "--diff", "c.yaml"]);
    assert_eq!((equal.code, equal.out.as_str()), (0, ""), "comments are no difference");
    let json = run(dir.path(), &["resolve", "a.yaml", "--diff", "b.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["equal"], false);
    assert_eq!(json["differences"][0]["key"], "env A");
    let piped = piped(dir.path(), &["resolve", "-", "--diff", "b.yaml"], graph("two").as_bytes());
    assert_eq!(piped.code, 0, "{}", piped.err);
    assert_eq!(code(dir.path(), &["resolve", "-", "--diff", "-"]), 2);
    assert_eq!(code(dir.path(), &["resolve", "a.yaml", "--diff", "missing.yaml"]), 4);
}

#[test]
fn the_cluster_can_be_told() {
    let dir = dir(&[("a.yaml", &graph("one"))]);
    let args = ["resolve", "a.yaml", "--var", "DYN_NAMESPACE", "-n", "prod", "--no-grove", "--operator-version", "1.2"];
    let told = run(dir.path(), &args);
    assert!(told.out.contains("DYN_NAMESPACE = prod-g"), "{}", told.out);
    assert_eq!(code(dir.path(), &["check", "a.yaml", "--discovery-backend", "consul"]), 2);
}

const TEMPLATE: &str = "apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeployment
metadata:
  name: ${NAME}
spec:
  components:
  - name: F
    type: frontend
    replicas: ${N}
    podTemplate:
      spec:
        nodeSelector: ${SELECTOR}
        containers:
        - name: main
          image: <registry>/dynamo-frontend:$TAG
          env: [{name: DYN_ROUTER_MODE, value: \"${MODE}\"}]
";

#[test]
fn templates_are_filled() {
    let dir =
        dir(&[("t.yaml", TEMPLATE), ("a.env", "# hardware\nexport N=3\nMODE=kv\nSELECTOR='{\"gpu\": \"h100\"}'\n")]);
    let open = run(dir.path(), &["resolve", "t.yaml", "--format", "json"]);
    let service = |ran: &Ran| {
        serde_json::from_str::<serde_json::Value>(&ran.out).unwrap()["deployments"][0]["services"][0].clone()
    };
    let before = service(&open);
    assert!(before["image"].is_null() && before["replicas"].is_null(), "open placeholders are not guessed");
    let mode = before["env"].as_array().unwrap().iter().find(|v| v["name"] == "DYN_ROUTER_MODE").unwrap();
    assert_eq!((mode["state"].as_str(), mode["reason"].as_str()), (Some("dynamic"), Some("placeholder `${MODE}`")));
    assert_eq!(mode["chain"][0]["line"], 16);

    let args =
        ["--env-file", "a.env", "--set-env", "registry=r", "--set-env", "TAG=1.4.0", "--set-env", "MODE=kv_aware"];
    let filled = run(dir.path(), &[&["resolve", "t.yaml", "--format", "json"][..], &args].concat());
    let after = service(&filled);
    assert_eq!(after["image"], "r/dynamo-frontend:1.4.0");
    assert_eq!((&after["replicas"], &after["version"]), (&3.into(), &"1.4.0".into()));
    assert_eq!(after["operator"]["pods"][0]["spec"]["nodeSelector"], serde_json::json!({"gpu": "h100"}));

    // A finding in a filled value points at its placeholder.
    let args = [&["check", "t.yaml", "--format", "concise"][..], &args].concat();
    let found = run(dir.path(), &args);
    assert!(found.out.contains("t.yaml:16:") && found.out.contains("kv_aware"), "{}", found.out);

    let broken = dir.path().join("broken.env");
    std::fs::write(&broken, "A=1\nnonsense\n").unwrap();
    let said = run(dir.path(), &["check", "t.yaml", "--env-file", "broken.env"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("line 2"), "{}", said.err);
    assert_eq!(code(dir.path(), &["check", "t.yaml", "--set-env", "nonsense"]), 2);
}

#[test]
fn raw_templates_are_skipped_with_the_reason() {
    let dir = dir(&[
        (
            "helm.yaml",
            "{{- if .Values.on }}\napiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\n{{- end }}\n",
        ),
        ("jinja.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n{% if on %}\n  name: x\n{% endif %}\n"),
        ("block.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\n${EXTRA_BLOCK}\n"),
        ("flow.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  nodeSelector: {zone: ${ZONE}}\n"),
        ("sound.yaml", SOUND),
    ]);
    let said = run(dir.path(), &["check", "."]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let json = json(dir.path(), &["."]);
    assert_eq!(json["summary"]["skipped"], 4, "{}", json["summary"]);
    assert!(format!("{}{}", said.out, said.err).contains("4 templates"), "{}{}", said.out, said.err);
    // A placeholder does not excuse what is wrong beside it.
    let broken = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: \"${NAME}\nspec:\n  nodeSelector: {zone: ${ZONE}}\n";
    std::fs::write(dir.path().join("flow.yaml"), broken).unwrap();
    let said = run(dir.path(), &["check", ".", "--format", "concise"]);
    assert!(said.code == 1 && said.out.contains("yaml-syntax"), "{}{}", said.out, said.err);
}

/// What `kubectl get -o yaml` prints: a list, with status and managed fields.
#[test]
fn dumps_are_accepted() {
    let item = graph("one").replace("metadata: {name: g}", "metadata: {name: g, uid: x, resourceVersion: \"1\", managedFields: [{manager: kubectl, operation: Update, fieldsV1: {\"f:spec\": {\"f:components\": {}}}}]}");
    // Go writes the metadata of a pod template out whole.
    let item = item.replace("podTemplate:\n", "podTemplate:\n      metadata: {creationTimestamp: null}\n");
    let item = format!("{item}status: {{state: successful, conditions: [{{type: Ready, status: \"True\"}}]}}\n");
    let indented = item.replace('\n', "\n  ");
    let dump = format!("apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: \"\"}}\nitems:\n- {indented}\n");
    let dir = dir(&[("dump.yaml", &dump)]);
    let clean = run(dir.path(), &["check", "dump.yaml", "--profile", "audit"]);
    assert_eq!(clean.code, 0, "{}", clean.out);
    let piped = piped(dir.path(), &["resolve", "-", "--var", "A", "--stdin-filename", "live.yaml"], dump.as_bytes());
    assert!(piped.out.contains("A = one\n    live.yaml:"), "{}{}", piped.out, piped.err);
}

/// What `helm template` prints: `# Source:` comments, empty documents, several kinds.
#[test]
fn rendered_charts_come_through_a_pipe() {
    let rendered = format!(
        "---\n# Source: chart/templates/empty.yaml\n---\n# Source: chart/templates/svc.yaml\n{SOUND}---\n# Source: chart/templates/dgd.yaml\n{}",
        graph("kv-x").replace("name: A,", "name: DYN_ROUTER_MODE,")
    );
    let dir = dir(&[]);
    let said = piped(
        dir.path(),
        &["check", "-", "--stdin-filename", "chart.yaml", "--format", "concise"],
        rendered.as_bytes(),
    );
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.contains("chart.yaml:") && said.out.contains("kv-x"), "{}", said.out);
}
