//! `dynlint probe` in a cluster: what works, and how each failure ends.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peak;
use crate::server::{Config, Server, pod};

pub fn dynlint(server: &Server, args: &[&str]) -> Output {
    command(server, args).output().expect("dynlint runs")
}

pub fn command(server: &Server, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
    command.args(args).env("KUBECONFIG", server.kubeconfig()).env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
        panic!("{e}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

/// Status and detail of a check.
pub fn check<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str, Option<&'a str>) {
    let checks = report["checks"].as_array().expect("checks");
    let check = checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {report:#}"));
    (check["status"].as_str().expect("status"), check["detail"].as_str().expect("detail"), check["next"].as_str())
}

fn server(pods: &[&str]) -> Server {
    Server::start(Config {
        pods: pods.iter().map(|name| pod(name, "qwen", "prefill", "worker")).collect(),
        ..Config::default()
    })
}

#[test]
fn a_pod_in_both_protocols() {
    for protocols in [vec!["v5.channel.k8s.io", "v4.channel.k8s.io"], vec!["v4.channel.k8s.io"]] {
        let server = Server::start(Config {
            protocols,
            pods: vec![pod("h100-0", "qwen", "prefill", "worker")],
            ..Config::default()
        });
        let output = dynlint(&server, &["probe", "node", "--pod", "h100-0", "-f", "json"]);
        let report = json(&output);
        assert_eq!(check(&report, "node-access").0, "ok");
        assert_eq!(check(&report, "infiniband"), ("ok", "InfiniBand: 1 of 2 ports active", None));
        assert_eq!(report["target"], "demo/h100-0");
        assert_eq!(output.status.code(), Some(0), "{report:#}");
        // The script itself, run by the server's machine.
        let output = dynlint(&server, &["probe", "node", "--pod", "h100-0", "-c", "main", "--namespace", "demo"]);
        assert_eq!(output.status.code(), Some(0));
    }
}

#[test]
fn the_script_runs_where_the_pod_is() {
    let server = server(&["real-0"]);
    let there = json(&dynlint(&server, &["probe", "node", "--pod", "real-0", "-f", "json"]));
    let here = json(&dynlint(&server, &["probe", "node", "-f", "json"]));
    let statuses = |report: &Value| -> Vec<(String, String)> {
        let list = report["checks"].as_array().expect("checks").iter();
        list.map(|c| (c["name"].to_string(), c["status"].to_string())).collect()
    };
    assert_eq!(statuses(&there), statuses(&here));
}

#[test]
fn every_failure_is_one_check_with_a_next_step_in_bounded_time() {
    let pods = [
        "denied-0",
        "unauthorized-0",
        "refused-0",
        "gone-0",
        "unscheduled-0",
        "noshell-0",
        "cut-0",
        "close-0",
        "hang-0",
        "flood-0",
        "garbage-0",
        "nostatus-0",
        "h100-0",
    ];
    let server = server(&pods);
    // Pod, what the detail says, what the next step says.
    let cases = [
        ("denied-0", "cannot create resource \"pods/exec\"", "read-only role"),
        ("unauthorized-0", "Unauthorized", "kubectl auth whoami"),
        ("refused-0", "error dialing backend", "kubectl get events"),
        ("gone-0", "not found", "check namespace and name"),
        ("unscheduled-0", "does not have a host assigned", "kubectl describe pod"),
        ("noshell-0", "the container has no `sh`", "debug container"),
        ("cut-0", "the connection ended after 1500 bytes", "run it again"),
        ("close-0", "the connection ended after 900 bytes", "run it again"),
        ("hang-0", "not done within 2 s; what came before is judged", "raise `--timeout`"),
        ("flood-0", "more than 1048576 bytes", ""),
        ("garbage-0", "the answer is not what was asked for", "POSIX shell"),
        ("nostatus-0", "before the program's status came", "run it again"),
    ];
    for (pod, detail, next) in cases {
        let start = Instant::now();
        let output = dynlint(&server, &["probe", "node", "--pod", pod, "--timeout", "2", "-f", "json"]);
        assert!(start.elapsed() < Duration::from_secs(10), "{pod}: {:?}", start.elapsed());
        let report = json(&output);
        let (status, said, then) = check(&report, "node-access");
        assert_eq!(status, "fail", "{pod}: {said}");
        assert!(said.contains(detail), "{pod}: {said}");
        assert!(then.unwrap_or_default().contains(next), "{pod}: {then:?}");
        assert_eq!(output.status.code(), Some(1), "{pod}");
        assert!(output.stderr.is_empty(), "{pod}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // What came before the cut is judged, the rest inconclusive.
    let report = json(&dynlint(&server, &["probe", "node", "--pod", "cut-0", "-f", "json"]));
    assert_eq!(check(&report, "infiniband").0, "ok");
    assert_eq!(check(&report, "nvlink").0, "skipped");
    // No such container, no such pod.
    let report = json(&dynlint(&server, &["probe", "node", "--pod", "h100-0", "-c", "nope", "-f", "json"]));
    assert!(check(&report, "node-access").1.contains("has no container `nope`; it has `main`"), "{report:#}");
    let report = json(&dynlint(&server, &["probe", "node", "--pod", "other", "-f", "json"]));
    assert!(check(&report, "node-access").1.contains("pods \"other\" not found"));
}

#[test]
fn a_pod_that_does_not_run_is_not_asked() {
    let mut waiting = pod("h100-0", "qwen", "prefill", "worker");
    waiting["status"]["phase"] = "Pending".into();
    waiting["status"]["containerStatuses"][0]["state"] = serde_json::json!({"waiting": {"reason": "ImagePullBackOff"}});
    let server = Server::start(Config { pods: vec![waiting], ..Config::default() });
    let report = json(&dynlint(&server, &["probe", "node", "--pod", "h100-0", "-f", "json"]));
    assert_eq!(check(&report, "node-access").1, "container `main` of pod demo/h100-0 does not run: ImagePullBackOff");
    assert!(server.log().iter().all(|l| !l.upgrade));
}

#[test]
fn a_server_that_is_no_server() {
    let said = |config: Config, args: &[&str]| {
        let server = Server::start(config);
        let start = Instant::now();
        let mut all = vec!["probe", "node", "--deployment", "qwen", "--timeout", "2", "-f", "json"];
        all.extend(args);
        let report = json(&dynlint(&server, &all));
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        let check = report["checks"][0].clone();
        assert_eq!(check["status"], "fail", "{report:#}");
        assert!(check["next"].is_string(), "{report:#}");
        check["detail"].as_str().expect("detail").to_owned()
    };
    let deny = said(Config { deny: true, ..Config::default() }, &[]);
    assert!(deny.contains("cannot list resource \"pods\""), "{deny}");
    let mute = said(Config { mute: true, ..Config::default() }, &[]);
    assert!(mute.contains("no answer within 2 s"), "{mute}");
    let garbage = said(Config { garbage: Some(b"SSH-2.0-OpenSSH_9.2\r\n"), ..Config::default() }, &[]);
    assert!(garbage.contains("not HTTP"), "{garbage}");
    let html =
        said(Config { garbage: Some(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>"), ..Config::default() }, &[]);
    assert!(html.contains("no Kubernetes object"), "{html}");
    let cut = said(
        Config { garbage: Some(b"HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n{\"kind\":"), ..Config::default() },
        &[],
    );
    assert!(cut.contains("broke") || cut.contains("no Kubernetes object"), "{cut}");
    let untrusted = said(Config::default(), &["--context", "untrusted"]);
    assert!(untrusted.contains("certificate") || untrusted.contains("UnknownIssuer"), "{untrusted}");
    let none = said(Config::default(), &[]);
    assert_eq!(none, "no pod of a deployment `qwen` in namespace `demo`");
    let context = said(Config::default(), &["--context", "nope"]);
    assert!(context.contains("nope"), "{context}");
    // Nothing listens.
    let server = Server::start(Config::default());
    let config = std::fs::read_to_string(server.kubeconfig()).expect("a kubeconfig");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let config = config.replace(&server.address.to_string(), &format!("127.0.0.1:{closed}"));
    std::fs::write(server.kubeconfig(), config).expect("a kubeconfig");
    let report = json(&dynlint(&server, &["probe", "node", "--pod", "x", "-f", "json"]));
    assert!(check(&report, "node-access").1.contains("cannot connect to the API server"), "{report:#}");
}

#[test]
fn two_hundred_pods_at_once_and_only_reading() {
    let names: Vec<String> = (0..200).map(|n| format!("h100-{n:03}")).collect();
    let mut pods: Vec<Value> = names.iter().map(|name| pod(name, "qwen", "prefill", "worker")).collect();
    pods.push(pod("front-0", "qwen", "Frontend", "frontend"));
    pods.push(pod("other-0", "else", "prefill", "worker"));
    let server = Server::start(Config { pods, ..Config::default() });
    let run = peak::run(&mut command(&server, &["probe", "node", "--deployment", "qwen", "-f", "json"]));
    let report: Value = serde_json::from_slice(&run.stdout).expect("a report");
    let targets: std::collections::BTreeSet<&str> =
        report["checks"].as_array().expect("checks").iter().filter_map(|c| c["target"].as_str()).collect();
    assert_eq!(targets.len(), 200);
    assert_eq!(report["counts"]["fail"], 0, "{}", report["counts"]);
    println!("200 pods in {:?}, at most {} MiB", run.took, run.peak >> 20);
    // The figures (`cargo bench --bench probe`) are for a machine that is free and code that is optimized; the bounds are
    // for one that is not. Bounded memory is meant: 200 pods that print what they like need no more than 64 answers do.
    assert!(run.took < Duration::from_secs(30), "{:?}", run.took);
    assert!(run.peak < 128 << 20, "{} MiB", run.peak >> 20);

    let log = server.log();
    assert_eq!(log.iter().filter(|l| l.upgrade).count(), 200);
    for request in &log {
        // Lists, gets, and the web sockets of exec: nothing that could change anything.
        assert_eq!(request.method, "GET", "{request:?}");
        let read = !request.upgrade && (request.path.ends_with("/pods") || request.path.contains("/pods/"));
        assert!(read || request.path.ends_with("/exec"), "{request:?}");
    }
}

#[test]
fn two_hundred_pods_that_print_without_end_need_no_more_memory() {
    let pods = (0..200).map(|n| pod(&format!("flood-{n:03}"), "qwen", "prefill", "worker")).collect();
    let server = Server::start(Config { pods, ..Config::default() });
    let run = peak::run(&mut command(&server, &["probe", "node", "--deployment", "qwen", "-f", "json"]));
    let report: Value = serde_json::from_slice(&run.stdout).expect("a report");
    assert_eq!((run.code, &report["counts"]["fail"]), (Some(1), &Value::from(200)));
    println!("200 pods with 10 MB each in {:?}, at most {} MiB", run.took, run.peak >> 20);
    assert!(run.peak < 320 << 20, "{} MiB", run.peak >> 20);
}

#[test]
fn a_recording_gives_the_same_report() {
    let server = server(&["h100-0", "h100-1", "cut-0", "denied-0"]);
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    for args in [
        vec!["probe", "node", "--deployment", "qwen", "-f", "json"],
        vec!["probe", "node", "--pod", "cut-0", "-f", "json", "--manifest", "fixtures/probe/manifest/devices.yaml"],
    ] {
        let live = dynlint(&server, &[args.clone(), vec!["--record", at]].concat());
        let asked = server.log().len();
        let replayed = dynlint(&server, &[args.clone(), vec!["--snapshot", at]].concat());
        assert_eq!(server.log().len(), asked, "a replay asks nobody");
        assert_eq!(String::from_utf8_lossy(&live.stdout), String::from_utf8_lossy(&replayed.stdout));
        assert_eq!(live.status.code(), replayed.status.code());
        // What was not recorded is said, not guessed.
        let other = json(&dynlint(&server, &["probe", "node", "--pod", "h100-9", "-f", "json", "--snapshot", at]));
        assert!(check(&other, "node-access").1.contains("the snapshot does not hold"), "{other:#}");
    }
    let recorded = std::fs::read_to_string(dir.path().join("snapshot.json")).expect("a snapshot");
    assert!(!recorded.contains("not-a-secret"));
    std::fs::write(dir.path().join("snapshot.json"), recorded.replace("\"version\": 1", "\"version\": 9"))
        .expect("written");
    let output = dynlint(&server, &["probe", "node", "--snapshot", at]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("snapshot version 9"));
}

#[test]
fn kubectl_speaks_with_the_same_server() {
    if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        println!("skipped: no kubectl");
        return;
    }
    for protocols in [vec!["v5.channel.k8s.io"], vec!["v4.channel.k8s.io"]] {
        let server = Server::start(Config {
            protocols: protocols.clone(),
            pods: vec![pod("real-0", "qwen", "prefill", "worker")],
            ..Config::default()
        });
        let kubectl = |args: &[&str]| {
            let output = Command::new("kubectl")
                .args(args)
                .env("KUBECONFIG", server.kubeconfig())
                .env("HOME", server.dir.path())
                .output();
            output.expect("kubectl runs")
        };
        let list = kubectl(&["get", "pods", "-o", "name"]);
        assert_eq!(String::from_utf8_lossy(&list.stdout), "pod/real-0\n", "{}", String::from_utf8_lossy(&list.stderr));
        let ran = kubectl(&["exec", "real-0", "--", "sh", "-c", "echo out; echo err >&2; exit 7"]);
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        // kubectl offers v5 alone over a web socket; for v4 it falls back to SPDY.
        assert_eq!((out.as_ref(), ran.status.code()), ("out\n", Some(7)), "{err}");
        assert!(err.starts_with("err\n"), "{err}");
        let execs = server.log().into_iter().filter(|l| l.path.ends_with("/exec"));
        let methods: Vec<String> = execs.map(|l| l.method).collect();
        assert_eq!(methods, if protocols == ["v5.channel.k8s.io"] { vec!["GET"] } else { vec!["GET", "POST"] });
        let missing = kubectl(&["exec", "real-0", "--", "no-such-program"]);
        assert!(String::from_utf8_lossy(&missing.stderr).contains("executable file not found"));
    }
}
