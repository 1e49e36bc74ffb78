//! `dynlint probe env`: drift on the manifest's own lines, what the image sets, what the manifest leaves open.

use serde_json::json;

use crate::cluster::{check, dynlint, json};
use crate::server::{Config, Server, pod};

const MANIFEST: &str = "fixtures/probe/manifest/devices.yaml";

fn worker(name: &str) -> serde_json::Value {
    let mut worker = pod(name, "qwen", "prefill", "worker");
    worker["spec"]["containers"][0]["env"] = json!([
        {"name": "UCX_NET_DEVICES", "value": "mlx5_0:1"},
        {"name": "NCCL_SOCKET_IFNAME", "value": "ens,enp"},
        {"name": "DYN_NAMESPACE", "value": "demo-qwen"},
        {"name": "HF_TOKEN", "value": "hunter2hunter2"},
        {"name": "VLLM_API_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]);
    worker
}

#[test]
fn drift_stands_on_the_lines_that_set_it() {
    let server = Server::start(Config { pods: vec![worker("env-0"), worker("env-1")], ..Config::default() });
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    let args = ["probe", "env", "--deployment", "qwen", "--manifest", MANIFEST, "-f", "json"];
    let live = dynlint(&server, &[&args[..], &["--record", at]].concat());
    let report = json(&live);
    assert_eq!(live.status.code(), Some(1));
    assert_eq!(check(&report, "env-access").0, "ok");
    let findings = report["manifest"]["findings"].as_array().expect("findings");
    let seen: Vec<(&str, &str, u64, &str)> = findings
        .iter()
        .map(|f| {
            let text = |key: &str| f[key].as_str().expect("text");
            (
                text("rule"),
                text("subject"),
                f["line"].as_u64().expect("line"),
                f["labels"][0]["message"].as_str().expect("label"),
            )
        })
        .collect();
    let want = [
        ("probe-env-drift", "UCX_NET_DEVICES", 19, "on the cluster now: `mlx5_0:1`"),
        (
            "probe-argv-drift",
            "--kv-transfer-config",
            35,
            "on the cluster now: `{\"kv_connector\":\"NixlConnector\",\"kv_role\":\"kv_producer\"}`",
        ),
    ];
    assert_eq!(seen, want, "{report:#}");
    assert!(findings[0]["message"].as_str().expect("text").ends_with("in demo/env-0 and demo/env-1"));
    // The image sets what no spec shows.
    let image =
        report["checks"].as_array().expect("checks").iter().find(|c| c["name"] == "env-image").expect("a check");
    assert_eq!(image["evidence"], json!(["UCX_TLS=rc_x,cuda_copy,cuda_ipc,tcp"]), "{image:#}");
    // Same offline, and no secret anywhere.
    let replayed = dynlint(&server, &[&args[..], &["--snapshot", at]].concat());
    assert_eq!(String::from_utf8_lossy(&live.stdout), String::from_utf8_lossy(&replayed.stdout));
    let recorded = std::fs::read_to_string(dir.path().join("snapshot.json")).expect("a snapshot");
    assert!(!recorded.contains("hunter2") && !String::from_utf8_lossy(&live.stdout).contains("hunter2"));
    // For people.
    let shown = dynlint(&server, &["probe", "env", "--deployment", "qwen", "--manifest", MANIFEST]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("on the cluster now: `mlx5_0:1`"));
}

#[test]
fn without_exec_the_spec_is_judged() {
    let mut worker = worker("denied-0");
    worker["spec"]["containers"][0]["env"][0]["value"] = "mlx5_1:1".into();
    let server = Server::start(Config { pods: vec![worker], ..Config::default() });
    let output = dynlint(&server, &["probe", "env", "--pod", "denied-0", "--manifest", MANIFEST, "-f", "json"]);
    let report = json(&output);
    let (status, detail, next) = check(&report, "env-access");
    assert_eq!(status, "warn");
    assert!(detail.contains("judged by the pod's spec") && next.is_some_and(|n| n.contains("role")), "{detail}");
    let findings = report["manifest"]["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1, "{report:#}");
    assert_eq!(findings[0]["labels"][0]["message"], "on the cluster now: `mlx5_1:1`");
}

#[test]
fn it_wants_to_know_which_pods() {
    let server = Server::start(Config::default());
    let output = dynlint(&server, &["probe", "env"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--deployment"));
}

#[test]
fn findings_in_the_formats_of_services() {
    let server = Server::start(Config { pods: vec![worker("env-0")], ..Config::default() });
    let run = |more: &[&str]| dynlint(&server, &[&["probe", "env", "--deployment", "qwen"][..], more].concat());
    let sarif = json(&run(&["--manifest", MANIFEST, "-f", "sarif"]));
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let rules: Vec<&str> = results.iter().filter_map(|r| r["ruleId"].as_str()).collect();
    assert_eq!(rules, ["probe-env-drift", "probe-argv-drift"]);
    for format in ["github", "gitlab", "junit", "markdown"] {
        let output = run(&["--manifest", MANIFEST, "-f", format]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("UCX_NET_DEVICES"), "{format}");
        assert_eq!(output.status.code(), Some(1));
    }
    // Without a manifest there are no findings to print.
    assert_eq!(run(&["-f", "sarif"]).status.code(), Some(2));
}

#[test]
fn a_capture_serves_every_probe() {
    let server = Server::start(Config { pods: vec![worker("env-0")], ..Config::default() });
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    let output = dynlint(&server, &["probe", "capture", at, "--deployment", "qwen", "-f", "json"]);
    let report = json(&output);
    // The pod of this test answers every program with its environment, so only that access succeeds.
    assert_eq!(check(&report, "env-access").0, "ok", "{report:#}");
    drop(server);
    let elsewhere = Server::start(Config::default());
    for probe in ["node", "env", "nixl"] {
        let replayed =
            json(&dynlint(&elsewhere, &["probe", probe, "--deployment", "qwen", "--snapshot", at, "-f", "json"]));
        let text = replayed.to_string();
        assert!(!text.contains("the snapshot does not hold") && text.contains("demo/env-0"), "{replayed:#}");
    }
    assert!(elsewhere.log().is_empty());
}
