//! The ways in: an in-cluster service account, TLS, port-forwards; what is cut on the way, and what a terminal shows.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::{check, command, dynlint, json};
use crate::fake::{Fake, but, good, say};
use crate::server::{Config, Server, pod, tls_front};

fn frontend() -> Value {
    pod("front-0", "qwen", "Frontend", "frontend")
}

#[test]
fn the_service_account_of_a_pod_is_a_way_in() {
    let server = Server::start(Config { pods: vec![pod("h100-0", "qwen", "prefill", "worker")], ..Config::default() });
    let files = server.dir.path().join("account");
    std::fs::create_dir(&files).expect("a directory");
    for (name, text) in [("token", "in-cluster-token"), ("namespace", "demo"), ("ca.crt", server.authority.as_str())] {
        std::fs::write(files.join(name), text).expect("written");
    }
    // Where the kubelet mounts them; in a mount namespace of its own.
    let script = "mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && \
                  cp -r \"$0\" /run/secrets/kubernetes.io/serviceaccount && exec \"$@\"";
    let run = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["-r", "-m", "sh", "-c", script]).arg(&files).arg(env!("CARGO_BIN_EXE_dynlint")).args(args);
        command.env_remove("KUBECONFIG").env("HOME", "/nowhere").env("NO_COLOR", "1");
        let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
        command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
        command.output().expect("unshare runs")
    };
    if !Command::new("unshare").args(["-r", "-m", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: no mount namespace to be had");
        return;
    }
    let output = run(&["probe", "node", "--deployment", "qwen", "-f", "json"]);
    let report = json(&output);
    assert_eq!((check(&report, "node-access").0, output.status.code()), ("ok", Some(0)), "{report:#}");
    assert_eq!(report["target"], "demo/qwen", "the account's namespace");
    let log = server.log();
    assert!(!log.is_empty() && log.iter().all(|l| l.bearer == "Bearer in-cluster-token"), "{log:?}");
    // A context is asked for, and there is no kubeconfig: the account is not what was meant.
    let report = json(&run(&["probe", "node", "--deployment", "qwen", "--context", "other", "-f", "json"]));
    let (status, detail, next) = check(&report, "cluster");
    assert_eq!((status, next.is_some()), ("fail", true), "{detail}");
}

#[test]
fn https_works_and_a_certificate_nobody_vouches_for_does_not() {
    let fake = Fake::start(good());
    let (url, authority) = tls_front(fake.port);
    let dir = tempfile::tempdir().expect("a directory");
    let trusted = dir.path().join("authority.pem");
    std::fs::write(&trusted, authority).expect("written");
    let run = |trust: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dynlint"));
        command
            .args(["probe", "router", "-f", "json", "--retries", "1", "--base-url", &url])
            .env_remove("SSL_CERT_FILE");
        if trust {
            command.env("SSL_CERT_FILE", &trusted);
        }
        command.output().expect("dynlint runs")
    };
    let output = run(true);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    for name in ["models", "chat", "stream"] {
        assert_eq!(check(&report, name).0, "ok", "{report:#}");
    }
    assert_eq!(report["target"], url.as_str());
    let output = run(false);
    let report = json(&output);
    let (status, detail, next) = check(&report, "models");
    assert!(status == "fail" && detail.contains("TLS with 127.0.0.1"), "{detail}");
    assert!(next.is_some_and(|next| next.contains("SSL_CERT_FILE")), "{next:?}");
}

#[test]
fn a_connection_that_is_killed_in_any_phase_costs_no_more_than_the_time_out() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    // Of a machine that is busy with other tests; what it comes to is printed.
    const SLACK: Duration = Duration::from_secs(3);
    let mut worst = Duration::ZERO;
    let mut count = 0;
    let mut judge = |what: &str, name: &str, server: &Server, args: &[&str]| {
        let run = || {
            let start = Instant::now();
            let output = dynlint(server, &[args, &["--timeout", "2", "-f", "json"]].concat());
            (output, start.elapsed())
        };
        let (mut output, mut took) = run();
        if took >= TIMEOUT + SLACK {
            // A machine may stand still for a while; what hangs does so again.
            (output, took) = run();
        }
        let report = json(&output);
        let (status, detail, next) = check(&report, name);
        assert_eq!((status, output.status.code()), ("fail", Some(1)), "{what}: {detail}");
        assert!(next.is_some(), "{what}: what next? {detail}");
        assert!(took < TIMEOUT + SLACK, "{what} took {took:?}: {detail}");
        worst = worst.max(took);
        count += 1;
    };
    for end in ["cut", "hang"] {
        let phases = ["request", "head", "upgrade", "ports", "answer", "body", "output", "status"];
        let names: Vec<String> = phases.iter().map(|phase| format!("phase-{phase}-{end}")).collect();
        let pods = names.iter().map(|name| pod(name, "qwen", "Frontend", "frontend")).collect();
        let server = Server::start(Config { pods, ..Config::default() });
        for name in &names {
            if ["output", "status"].iter().all(|phase| !name.contains(phase)) {
                let args = ["probe", "router", "--pod", name, "--retries", "1"];
                judge(&format!("port-forward {name}"), "models", &server, &args);
            }
            if ["ports", "answer", "body"].iter().all(|phase| !name.contains(phase)) {
                judge(&format!("exec {name}"), "node-access", &server, &["probe", "node", "--pod", name]);
            }
        }
        // Before the first byte: no TLS.
        let server = Server::start(Config { deaf: Some(end == "cut"), ..Config::default() });
        judge(&format!("TLS {end}"), "node-access", &server, &["probe", "node", "--pod", "h100-0"]);
        judge(&format!("TLS {end}"), "frontend", &server, &["probe", "router", "--pod", "front-0"]);
    }
    println!("{count} phases, the longest took {worst:?} of {TIMEOUT:?}");
}

#[test]
fn a_capture_holds_the_frontend_too() {
    let fake = Fake::start(but(
        "/openapi.json",
        vec![say(200, r#"{"info":{"title":"NVIDIA Dynamo OpenAI Frontend","version":"1.1.1"}}"#)],
    ));
    let pods = vec![pod("h100-0", "qwen", "prefill", "prefill"), frontend()];
    let server = Server::start(Config { pods, frontend: fake.port, ..Config::default() });
    let dir = tempfile::tempdir().expect("a directory");
    let at = dir.path().to_str().expect("UTF-8");
    let report = json(&dynlint(&server, &["probe", "capture", at, "--deployment", "qwen", "-f", "json"]));
    let (status, detail, _) = check(&report, "frontend-access");
    assert_eq!(status, "ok", "{detail}");
    let router = ["probe", "router", "--deployment", "qwen", "-f", "json"];
    let live = dynlint(&server, &router);
    assert_eq!(check(&json(&live), "chat").0, "ok");
    drop((server, fake));
    // Somebody else, elsewhere: the same report, and the verdict over all of it.
    let elsewhere = Server::start(Config::default());
    let replayed = dynlint(&elsewhere, &[&router[..], &["--snapshot", at]].concat());
    assert_eq!(String::from_utf8_lossy(&live.stdout), String::from_utf8_lossy(&replayed.stdout));
    let verdict =
        ["readiness", "fixtures/probe/manifest/devices.yaml", "--deployment", "qwen", "--snapshot", at, "-f", "json"];
    let verdict = json(&dynlint(&elsewhere, &verdict));
    let text = verdict.to_string();
    assert!(!text.contains("the snapshot does not hold"), "{verdict:#}");
    assert_eq!((check(&verdict, "chat").0, &verdict["transfer_validated"]), ("ok", &Value::Bool(false)));
    assert!(elsewhere.log().is_empty(), "nobody was asked");
    // A graph without a frontend is captured as well.
    let server = Server::start(Config { pods: vec![pod("h100-0", "qwen", "prefill", "prefill")], ..Config::default() });
    let report = json(&dynlint(&server, &["probe", "capture", at, "--deployment", "qwen", "-f", "json"]));
    assert_eq!(check(&report, "frontend-access").0, "skipped");
}

#[test]
fn a_terminal_shows_that_something_goes_on() {
    let server = Server::start(Config { pods: vec![pod("hang-0", "qwen", "prefill", "worker")], ..Config::default() });
    let line = format!("{} probe node --pod hang-0 --timeout 2", env!("CARGO_BIN_EXE_dynlint"));
    let Ok(shown) = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("KUBECONFIG", server.kubeconfig())
        .env("TERM", "xterm")
        .output()
    else {
        println!("skipped: no `script` to make a terminal");
        return;
    };
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(text.contains("probing test: 1 answers, 1 under way"), "{text:?}");
    assert!(text.contains("not done within 2 s"), "{text:?}");
    // And a pipe sees nothing of it.
    let piped =
        command(&server, &["probe", "node", "--pod", "hang-0", "--timeout", "2"]).output().expect("dynlint runs");
    assert!(piped.stderr.is_empty() && !String::from_utf8_lossy(&piped.stdout).contains("probing"));
}
