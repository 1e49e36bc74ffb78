//! `dynlint probe nixl`: with the real NIXL and UCX of the Python wheels where they are installed, and against the server.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::cluster::{check, command, dynlint, json};
use crate::server::{Config, Server, pod};

/// The tree that `.ci/nixl` makes.
fn wheels() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let tree = std::env::var_os("DYNLINT_NIXL").map_or_else(|| cache.join("dynlint/nixl"), PathBuf::from);
    let found = tree.join("bin/ucx_info").is_file();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "no NIXL in {}: run .ci/nixl first", tree.display());
        println!("skipped: no NIXL in {}; .ci/nixl installs it", tree.display());
    }
    found.then_some(tree)
}

fn with_wheels(command: &mut Command, tree: &std::path::Path) {
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", tree.join("bin").display())).env_remove("UCX_TLS");
}

fn evidence(report: &Value, name: &str) -> String {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().find(|c| c["name"] == name).map(|c| c["evidence"].to_string()).unwrap_or_default()
}

#[test]
fn a_real_transfer_between_two_pods_of_the_server() {
    let Some(tree) = wheels() else { return };
    // The server runs what it is asked to run on this machine, with the path of this process.
    let path = std::env::var("PATH").unwrap_or_default();
    let mut prefill = pod("wheel-p", "qwen", "prefill", "prefill");
    let decode = pod("wheel-d", "qwen", "decode", "decode");
    prefill["spec"]["containers"][0]["resources"] = serde_json::json!({"limits": {"rdma/ib": "1"}});
    let config = Config {
        pods: vec![prefill, decode],
        path: Some(format!("{}:{path}", tree.join("bin").display())),
        ..Config::default()
    };
    let server = Server::start(config);
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    let args = [
        "probe",
        "nixl",
        "--run-transfer",
        "--prefill-pod",
        "wheel-p",
        "--decode-pod",
        "wheel-d",
        "--transfer-size",
        "4",
        "--transfer-port",
        "18733",
        "--timeout",
        "60",
        "-f",
        "json",
    ];
    let live = dynlint(&server, &[&args[..], &["--record", at]].concat());
    let report = json(&live);
    let (status, detail, _) = check(&report, "nixl-transfer");
    assert_eq!(status, "ok", "{report:#}");
    assert!(detail.starts_with("demo/wheel-d read 4 MiB of DRAM from demo/wheel-p by UCX over "), "{detail}");
    assert!(detail.ends_with("every byte compared"), "{detail}");
    assert_eq!(report["transfer_validated"], true);
    // One side asks for RDMA, the other does not, and there is none here.
    let (status, detail, next) = check(&report, "transfer-path");
    assert_eq!((status, next.is_some()), ("warn", true), "{detail}");
    assert!(detail.contains("one pod has RDMA devices, the other none"), "{detail}");
    assert!(evidence(&report, "nixl-transfer").contains("Backend UCX was instantiated"));
    let replayed = dynlint(&server, &[&args[..], &["--snapshot", at]].concat());
    assert_eq!(String::from_utf8_lossy(&live.stdout), String::from_utf8_lossy(&replayed.stdout));
    assert_eq!(live.status.code(), replayed.status.code());
    // The same transfer against manifests: one gives both workers RDMA devices, one chooses TCP, one says nothing.
    let against = |name: &str| {
        let manifest = format!("fixtures/probe/manifest/{name}.yaml");
        let output = dynlint(&server, &[&args[..], &["--snapshot", at, "--manifest", &manifest]].concat());
        (json(&output), output.status.code())
    };
    let (report, code) = against("rdma");
    let (status, detail, next) = check(&report, "manifest-transfer-path");
    assert_eq!((status, code, next.is_some()), ("warn", Some(1), true), "{detail}");
    assert!(detail.starts_with("RDMA by the manifest, and UCX took "), "{detail}");
    let findings = report["manifest"]["findings"].as_array().expect("findings");
    let lines: Vec<u64> = findings.iter().filter_map(|f| f["line"].as_u64()).collect();
    let source = std::fs::read_to_string("fixtures/probe/manifest/rdma.yaml").expect("a manifest");
    let asked: Vec<u64> =
        (1..).zip(source.lines()).filter(|(_, line)| line.contains("rdma/ib")).map(|(at, _)| at).collect();
    assert_eq!(lines, asked, "on the lines that ask for the devices: {findings:#?}");
    assert!(findings[0]["labels"][0]["message"].as_str().is_some_and(|m| m.starts_with("on the cluster now: ")));
    let (report, code) = against("tcp");
    let (status, detail, _) = check(&report, "manifest-transfer-path");
    assert_eq!((status, code), ("ok", Some(0)), "{detail}");
    let (report, _) = against("devices");
    assert_eq!(check(&report, "manifest-transfer-path").0, "skipped");
}

#[test]
fn the_real_wheels_on_this_machine() {
    let Some(tree) = wheels() else { return };
    let server = Server::start(Config::default());
    let run = |args: &[&str], tls: Option<&str>| {
        let mut command = command(&server, args);
        with_wheels(&mut command, &tree);
        if let Some(tls) = tls {
            command.env("UCX_TLS", tls);
        }
        json(&command.output().expect("dynlint runs"))
    };
    let report = run(&["probe", "nixl", "-f", "json"], None);
    assert!(check(&report, "nixl-version").1.starts_with("nixl"), "{report:#}");
    let (status, plugins, _) = check(&report, "nixl-plugins");
    assert!(status == "ok" && plugins.contains("UCX"), "{plugins}");
    let (status, ucx, _) = check(&report, "ucx");
    assert!(status == "ok" && ucx.starts_with("UCX 1.") && ucx.contains("tcp"), "{ucx}");
    // Whatever is installed, nothing was transferred.
    let (status, detail, next) = check(&report, "nixl-transfer");
    assert_eq!((status, detail), ("skipped", "not validated: no transfer was run"));
    assert!(next.is_some_and(|n| n.starts_with("dynlint probe nixl --run-transfer")));
    assert_eq!(report["transfer_validated"], false);
    let base = ["probe", "nixl", "--run-transfer", "--transfer-size", "2", "--timeout", "60", "-f", "json"];
    let report = run(&[&base[..], &["--transfer-port", "18734"]].concat(), Some("tcp"));
    let (status, detail, _) = check(&report, "nixl-transfer");
    assert!(status == "ok" && detail.contains(" over tcp/"), "{report:#}");
    // No network transport: NIXL cannot start its backend, and UCX says why.
    let report = run(&[&base[..], &["--transfer-port", "18735"]].concat(), Some("cma,sm"));
    let (status, detail, _) = check(&report, "nixl-transfer");
    assert!(status == "fail" && detail.contains("NIXL_ERR_BACKEND"), "{detail}");
    assert_eq!(report["transfer_validated"], false);
}

#[test]
fn a_pair_that_cannot_run() {
    let server = Server::start(Config {
        pods: vec![pod("noshell-p", "qwen", "prefill", "prefill"), pod("denied-d", "qwen", "decode", "decode")],
        ..Config::default()
    });
    let run = |prefill: &str, decode: &str| {
        let args = [
            "probe",
            "nixl",
            "--run-transfer",
            "--prefill-pod",
            prefill,
            "--decode-pod",
            decode,
            "--timeout",
            "5",
            "-f",
            "json",
        ];
        let report = json(&dynlint(&server, &args));
        let (status, detail, _) = check(&report, "nixl-transfer");
        assert_eq!(status, "fail");
        assert_eq!(report["transfer_validated"], false);
        detail.to_owned()
    };
    assert!(run("noshell-p", "noshell-p").contains("the container has no `python3`"));
    assert!(run("noshell-p", "denied-d").contains("forbidden"));
    assert!(run("noshell-p", "other").contains("pods \"other\" not found"));
    let output = dynlint(&server, &["probe", "nixl", "--prefill-pod", "a", "--decode-pod", "b"]);
    assert_eq!(output.status.code(), Some(2), "a transfer has to be asked for");
}

#[test]
fn the_command_names_these_pods_and_telemetry_is_read() {
    let mut prefill = pod("metrics-p", "qwen", "prefill", "prefill");
    prefill["spec"]["containers"][0]["env"] = serde_json::json!([
        {"name": "NIXL_TELEMETRY_ENABLE", "value": "y"}, {"name": "NIXL_TELEMETRY_PROMETHEUS_PORT", "value": "19090"},
    ]);
    let mut closed = pod("closed-d", "qwen", "decode", "decode");
    closed["spec"]["containers"][0]["env"] = prefill["spec"]["containers"][0]["env"].clone();
    let server = Server::start(Config { pods: vec![prefill, closed], ..Config::default() });
    let report = json(&dynlint(&server, &["probe", "nixl", "--deployment", "qwen", "-f", "json"]));
    let (_, _, next) = check(&report, "nixl-transfer");
    let want = "dynlint probe nixl --run-transfer -n demo --prefill-pod metrics-p --decode-pod closed-d";
    assert_eq!(next, Some(want), "{report:#}");
    let of = |target: &str| {
        let checks = report["checks"].as_array().expect("checks");
        let found = checks.iter().find(|c| c["name"] == "nixl-telemetry" && c["target"] == target);
        found.map(|c| (c["status"].to_string(), c["detail"].to_string())).expect("a check")
    };
    assert_eq!(
        of("demo/metrics-p"),
        ("\"ok\"".into(), "\"port 19090: 4096 bytes sent, 0 bytes received so far\"".into())
    );
    let (status, detail) = of("demo/closed-d");
    assert!(status == "\"warn\"" && detail.contains("connection refused"), "{detail}");
}
