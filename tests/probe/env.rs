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
fn what_the_manifest_leaves_open_is_decided_by_what_runs() {
    let manifest = "fixtures/probe/manifest/open.yaml";
    let prefill = include_str!("../../fixtures/probe/env/prefill.txt");
    let run = |tls: &str| {
        let mut worker = pod("says-0", "qwen", "prefill", "worker");
        worker["spec"]["containers"][0]["env"] = json!([{"name": "UCX_NET_DEVICES", "valueFrom": {}}]);
        let says = [("says-0".to_owned(), prefill.replace("UCX_TLS=rc_x,cuda_copy,cuda_ipc,tcp", tls))].into();
        let server = Server::start(Config { pods: vec![worker], says, ..Config::default() });
        let args = ["probe", "env", "--deployment", "qwen", "--manifest", manifest, "-f", "json"];
        json(&dynlint(&server, &args))
    };
    let evidence = |report: &serde_json::Value, name: &str| {
        let checks = report["checks"].as_array().expect("checks");
        checks.iter().find(|c| c["name"] == name).map(|c| c["evidence"].to_string()).unwrap_or_default()
    };
    // Two variables come from a Secret: what they are, and what the rules then say of them.
    let report = run("UCX_TLS=rc_x,tcp");
    let decided = evidence(&report, "env-decided");
    assert!(decided.contains("UCX_TLS of prefill: `rc_x,tcp` in demo/says-0"), "{report:#}");
    let (status, detail, _) = check(&report, "env-undecided");
    assert!(status == "ok" && detail.contains("open questions of `dynlint check` are decided here"), "{detail}");
    assert!(evidence(&report, "env-undecided").contains("ucx-tls-missing-cuda-copy"), "{report:#}");
    let (status, detail, next) = check(&report, "env-rules");
    assert!(status == "fail" && detail.contains("ucx-tls-missing-cuda-copy") && next.is_some(), "{detail}");
    let report = run("UCX_TLS=rc_x,cuda_copy,cuda_ipc,tcp");
    assert_eq!(check(&report, "env-rules").0, "ok", "{report:#}");
    assert_eq!(report["counts"]["fail"], 0);
}

#[test]
fn checks_are_findings_in_formats_that_hold_no_checks() {
    // No port of the node is active.
    let down = include_str!("../../fixtures/probe/node/h100.txt").replace("4: ACTIVE", "1: DOWN");
    let says = ["0", "1"].map(|n| (format!("says-{n}"), down.clone())).into();
    let pods = ["says-0", "says-1"].iter().map(|name| pod(name, "qwen", "prefill", "worker")).collect();
    let server = Server::start(Config { pods, says, ..Config::default() });
    let base = ["probe", "node", "--deployment", "qwen", "--manifest", "fixtures/probe/manifest/tcp.yaml"];
    let sarif = json(&dynlint(&server, &[&base[..], &["-f", "sarif"]].concat()));
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let of = |subject: &str| results.iter().filter(|r| r["properties"]["subject"] == subject).collect::<Vec<_>>();
    let ports = of("infiniband");
    assert_eq!(ports.len(), 1, "two pods of one service are told once: {results:#?}");
    assert_eq!((&ports[0]["ruleId"], &ports[0]["level"]), (&json!("probe-check"), &json!("error")));
    // On the name of the service.
    let region = &ports[0]["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["startColumn"]), (&json!(13), &json!(5)), "{region}");
    assert!(ports[0]["message"]["text"].as_str().is_some_and(|t| t.contains("demo/says-0 and demo/says-1")));
    // In JSON they are checks and nothing else; the exit code is the same.
    let output = dynlint(&server, &[&base[..], &["-f", "json"]].concat());
    assert_eq!(json(&output)["manifest"]["findings"], json!([]));
    assert_eq!(output.status.code(), Some(1));
    // Into a file, with the text for people beside it.
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("out/probe.sarif");
    let output = dynlint(&server, &[&base[..], &["-f", "sarif", "-o", file.to_str().expect("UTF-8")]].concat());
    assert!(String::from_utf8_lossy(&output.stdout).contains("infiniband"));
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(written["runs"][0]["results"], sarif["runs"][0]["results"]);
    for format in ["concise", "jsonl", "agent"] {
        let output = dynlint(&server, &[&base[..], &["-f", format]].concat());
        assert!(String::from_utf8_lossy(&output.stdout).contains("probe-check"), "{format}");
    }
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

#[test]
fn readiness_has_drift_in_the_capability_layer() {
    let server = Server::start(Config { pods: vec![worker("env-0")], ..Config::default() });
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    let base = ["readiness", MANIFEST, "--deployment", "qwen", "--retries", "1", "-f", "json"];
    let live = dynlint(&server, &[&base[..], &["--record", at]].concat());
    let verdict = json(&live);
    let drift: Vec<&serde_json::Value> = verdict["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|c| c["name"] == "probe-env-drift" || c["name"] == "probe-argv-drift")
        .collect();
    assert_eq!(drift.len(), 2, "{verdict:#}");
    for check in drift {
        assert_eq!((&check["layer"], &check["status"]), (&json!("capability"), &json!("warn")));
        assert!(check["evidence"][0].as_str().is_some_and(|at| at.starts_with(MANIFEST)), "{check:#}");
    }
    // The next commands name the namespace that was looked in.
    let next = verdict["next"].as_array().expect("commands");
    assert!(
        next.iter().any(|step| step.as_str().is_some_and(|s| s.starts_with("dynlint probe node -n demo "))),
        "{next:?}"
    );
    assert!(!verdict["next"].to_string().contains("NAMESPACE"), "{next:?}");
    let replayed = dynlint(&Server::start(Config::default()), &[&base[..], &["--snapshot", at]].concat());
    assert_eq!(String::from_utf8_lossy(&replayed.stdout), String::from_utf8_lossy(&live.stdout));
}
