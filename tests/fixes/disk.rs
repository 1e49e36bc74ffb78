//! `dynlint check --fix` and its relatives, on real files.

use std::path::Path;
use std::process::{Command, Output};

pub const GRAPH: &str = "\
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
                  value: power_of_two # spread
";

/// Runs it as on a terminal that draws lines, whatever the locale of who runs the tests.
pub fn dynlint(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
    command.args(args).current_dir(dir).env("LC_ALL", "C.UTF-8").output().expect("dynlint runs")
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn laid() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("deploy.yaml");
    std::fs::write(&path, GRAPH).expect("written");
    (dir, path)
}

#[test]
fn fix_writes_only_what_it_says_and_reports_what_is_left() {
    let (dir, path) = laid();
    let diff = dynlint(dir.path(), &["check", "--diff", "."]);
    assert_eq!(diff.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GRAPH, "--diff writes nothing");
    let shown = text(&diff.stdout);
    assert!(shown.starts_with("--- a/deploy.yaml\n+++ b/deploy.yaml\n@@"), "{shown}");
    assert!(shown.contains(
        "-                  value: power_of_two # spread\n+                  value: power-of-two # spread\n"
    ));
    let fix = dynlint(dir.path(), &["check", "--fix", ".", "--format", "json"]);
    assert_eq!(fix.status.code(), Some(0), "{}", text(&fix.stderr));
    assert!(text(&fix.stderr).contains("fixed 1 finding in 1 file"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GRAPH.replace("power_of_two", "power-of-two"));
    assert!(!text(&fix.stdout).contains("unknown-router-mode"));
    let again = dynlint(dir.path(), &["check", "--diff", "."]);
    assert_eq!((again.status.code(), text(&again.stdout).as_str()), (Some(0), ""));
}

#[test]
fn exit_codes_and_streams() {
    let (dir, path) = laid();
    let usage = |args: &[&str]| dynlint(dir.path(), args).status.code();
    assert_eq!(usage(&["check", "--unsafe-fixes", "."]), Some(2));
    assert_eq!(usage(&["check", "--fix", "-"]), Some(2));
    assert_eq!(usage(&["check", "--fix-only", "--exit-non-zero-on-fix", "."]), Some(1));
    assert_eq!(usage(&["check", "--fix-only", "--exit-non-zero-on-fix", "."]), Some(0));
    std::fs::write(&path, GRAPH).unwrap();
    let shell = format!("{} check --fix-only - < deploy.yaml", env!("CARGO_BIN_EXE_dynlint"));
    let piped = Command::new("sh").args(["-c", &shell]).current_dir(dir.path()).output().unwrap();
    assert_eq!(text(&piped.stdout), GRAPH.replace("power_of_two", "power-of-two"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GRAPH);
}

#[test]
fn the_full_report_draws_a_proven_fix() {
    let (dir, _) = laid();
    let report = text(&dynlint(dir.path(), &["check", "."]).stdout);
    assert!(report.contains("fix verified, safe"), "{report}");
    assert!(report.contains("-                   value: power_of_two # spread"), "{report}");
    let json = text(&dynlint(dir.path(), &["check", "--format", "json", "."]).stdout);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["fix"]["verified"], true);
}

#[cfg(unix)]
#[test]
fn permissions_links_and_read_only_files() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (dir, path) = laid();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::create_dir(dir.path().join("linked")).unwrap();
    let link = dir.path().join("linked/other.yaml");
    symlink(&path, &link).unwrap();
    assert_eq!(dynlint(dir.path(), &["check", "--fix-only", "linked"]).status.code(), Some(0));
    assert!(link.symlink_metadata().unwrap().file_type().is_symlink());
    assert!(std::fs::read_to_string(&path).unwrap().contains("power-of-two"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    std::fs::write(&path, GRAPH).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
    let refused = dynlint(dir.path(), &["check", "--fix-only", "deploy.yaml"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(text(&refused.stderr).contains("cannot write `deploy.yaml`: the file is read-only"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GRAPH);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "no temporary file is left");
}

/// A file size limit stands in for a full disk: writing fails half way.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    let (dir, path) = laid();
    let long = format!("{GRAPH}{}", "# padding so that the file is larger than the limit\n".repeat(100));
    std::fs::write(&path, &long).unwrap();
    let run = |trap: &str| {
        let script = format!("{trap} ulimit -f 2; exec {} check --fix-only .", env!("CARGO_BIN_EXE_dynlint"));
        Command::new("bash").args(["-c", &script]).current_dir(dir.path()).output().unwrap()
    };
    // Refused by the system.
    let refused = run("trap '' XFSZ;");
    assert_eq!(refused.status.code(), Some(4), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("cannot write `deploy.yaml`"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), long);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    // Killed in the middle of writing.
    assert_ne!(run("").status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), long);
}

#[test]
fn a_base_that_others_share_is_not_edited_for_one() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("base/deploy.yaml", GRAPH);
    write("base/kustomization.yaml", "resources: [deploy.yaml]\n");
    // One overlay takes the value as it is, the other replaces the image only: both have the finding, both are mended.
    write("overlays/a/kustomization.yaml", "resources: [../../base]\n");
    write("overlays/b/kustomization.yaml", "resources: [../../base]\nnamePrefix: b-\n");
    let json = |args: &[&str]| -> serde_json::Value {
        serde_json::from_str(&text(&dynlint(dir.path(), args).stdout)).unwrap()
    };
    let both = json(&["check", ".", "--format", "json", "--select", "unknown-router-mode"]);
    let fixes: Vec<&serde_json::Value> = both["findings"].as_array().unwrap().iter().map(|f| &f["fix"]).collect();
    assert!(!fixes.is_empty() && fixes.iter().all(|fix| fix["verified"] == true), "{both:#}");
    // The other overlay says the mode itself: what it says must stay, and it does.
    let patch = "resources: [../../base]\npatches:\n  - target: {kind: DynamoGraphDeployment}\n    patch: |-\n      - op: replace\n        path: /spec/components/0/podTemplate/spec/containers/0/env/0/value\n        value: kv\n";
    write("overlays/b/kustomization.yaml", patch);
    let one = json(&["check", ".", "--format", "json", "--select", "unknown-router-mode"]);
    assert_eq!(one["findings"][0]["fix"]["verified"], true, "{one:#}");
    assert_eq!(one["findings"][0]["overlays"], serde_json::json!(["overlays/a"]));
}

#[test]
fn a_value_behind_an_anchor_is_not_changed_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let graph = "\
apiVersion: nvidia.com/v1alpha1
kind: DynamoGraphDeployment
metadata:
  name: chat
spec:
  services:
    Frontend:
      componentType: frontend
      envs:
        - name: DYN_ROUTER_MODE
          value: &mode KV
    Other:
      componentType: worker
      envs:
        - name: NOTE
          value: *mode
";
    std::fs::write(dir.path().join("deploy.yaml"), graph).unwrap();
    let report = text(&dynlint(dir.path(), &["check", ".", "--format", "json"]).stdout);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let finding = report["findings"].as_array().unwrap().iter().find(|f| f["rule"] == "unknown-router-mode").unwrap();
    assert_eq!(finding["fix"]["applicability"], "display", "{finding:#}");
    assert_eq!(dynlint(dir.path(), &["check", ".", "--fix-only", "--unsafe-fixes"]).status.code(), Some(0));
    assert!(std::fs::read_to_string(dir.path().join("deploy.yaml")).unwrap().contains("&mode KV"));
}
