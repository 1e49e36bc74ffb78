//! `dynlint probe router` and `probe compare` against a frontend that misbehaves.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fake::{Answer, Fake, MODELS, Script, but, good, say};
use crate::readiness::dynlint;

fn probe(script: Script, args: &[&str]) -> (Value, Option<i32>, Duration) {
    let fake = Fake::start(script);
    let url = fake.url();
    let base = ["probe", "router", "--format", "json", "--base-url", &url, "--retries", "1", "--retry-sleep", "0"];
    let all: Vec<&str> = base.into_iter().chain(args.iter().copied()).collect();
    let start = Instant::now();
    let output = dynlint(&all);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    (value, output.status.code(), start.elapsed())
}

fn status<'a>(report: &'a Value, name: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no `{name}`: {checks:#?}"));
    found["status"].as_str().expect("a status")
}

#[test]
fn nothing_hangs_longer_than_it_may() {
    for (what, answer) in [
        ("silence", Answer::Hang),
        ("slow-loris", Answer::Drip),
        ("garbage", Answer::Raw(b"\x16\x03\x01 this is not HTTP at all\r\n\r\n")),
        ("closed", Answer::Close),
        ("cut", Answer::Short),
    ] {
        for path in ["/v1/models", "chat", "stream"] {
            let (report, code, took) = probe(but(path, vec![answer.clone()]), &["--timeout", "1"]);
            assert_eq!(code, Some(1), "{what} on {path}: {report:#}");
            let name = if path == "/v1/models" { "models" } else { path };
            assert_eq!(status(&report, name), "fail", "{what} on {path}");
            let check = report["checks"].as_array().expect("checks").iter().find(|c| c["name"] == name).expect("it");
            assert!(check["next"].is_string(), "{what} on {path}: what next? {check}");
            assert!(took < Duration::from_secs(12), "{what} on {path} took {took:?}");
        }
    }
}

#[test]
fn what_is_beside_the_point_does_not_fail() {
    for path in ["/health", "/metrics", "/openapi.json", "/v1/models/m/ready"] {
        for answer in [say(500, "oops"), say(200, "<html>"), Answer::Raw(b"nonsense\r\n\r\n"), Answer::Close] {
            let (report, code, _) = probe(but(path, vec![answer.clone()]), &["--timeout", "2"]);
            assert_eq!(code, Some(0), "{answer:?} on {path}: {report:#}");
        }
    }
}

#[test]
fn health_alone_proves_nothing() {
    let mut script = but("/v1/models", vec![say(200, r#"{"data":[]}"#)]);
    script.insert("/health", vec![say(200, r#"{"status":"healthy","endpoints":[],"instances":[]}"#)]);
    let (report, code, _) = probe(script, &[]);
    assert_eq!(code, Some(1));
    assert_eq!((status(&report, "health"), status(&report, "workers")), ("ok", "fail"));
    assert_eq!(report["router"]["ready"], false);
}

#[test]
fn a_redirect_is_named_not_followed() {
    let (report, code, _) = probe(but("/v1/models", vec![Answer::Redirect("https://x.example/v1/models".into())]), &[]);
    assert_eq!(code, Some(1));
    let check = &report["checks"][0];
    assert_eq!(check["next"], "dynlint probe router --base-url https://x.example");
}

#[test]
fn ten_megabytes_are_not_kept() {
    let big = format!(r#"{{"object":"list","data":[{{"id":"m","x":"{}"}}]}}"#, "y".repeat(10 << 20));
    let (report, code, _) = probe(but("/v1/models", vec![say(200, big)]), &["--timeout", "10"]);
    assert_eq!(code, Some(1), "{report:#}");
    let detail = report["checks"][0]["detail"].as_str().expect("text");
    assert!(detail.len() < 1000, "{} bytes", detail.len());
}

#[test]
fn a_recording_says_the_same_without_a_network() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("UTF-8");
    let fake = Fake::start(good());
    let url = fake.url();
    let base = ["probe", "router", "-f", "json", "--base-url", &url];
    let live = dynlint(&[&base[..], &["--record", path]].concat());
    drop(fake);
    let replayed = dynlint(&[&base[..], &["--snapshot", path]].concat());
    assert_eq!(live.status.code(), Some(0));
    assert_eq!(live.stdout, replayed.stdout);
    assert_eq!(live.status.code(), replayed.status.code());
}

#[test]
fn what_lives_is_held_against_the_manifest() {
    // A kv router in the manifest, a frontend that shows none of it, and no worker.
    let mut script = good();
    script.insert(
        "/openapi.json",
        vec![say(200, r#"{"info":{"title":"NVIDIA Dynamo OpenAI Frontend","version":"1.6.1"}}"#)],
    );
    script.insert("/metrics", vec![Answer::As(200, "text/plain", "# TYPE dynamo_frontend_x gauge\n".into())]);
    let instance = r#"{"namespace":"d","component":"prefill","endpoint":"generate","instance_id":1}"#;
    script.insert("/health", vec![say(200, format!(r#"{{"status":"healthy","instances":[{instance}]}}"#))]);
    let (report, code, _) = probe(script.clone(), &["--manifest", "fixtures/good/vllm-agg-nvlink"]);
    assert_eq!(code, Some(1), "{report:#}");
    assert_eq!(status(&report, "manifest-router-mode"), "fail");
    assert_eq!(status(&report, "manifest-version"), "warn");
    assert_eq!(status(&report, "manifest-workers"), "fail");
    // And on the manifest's own lines.
    let findings = report["manifest"]["findings"].as_array().expect("findings");
    let file = findings[0]["path"].as_str().expect("a path");
    let source = std::fs::read_to_string(file).expect("the manifest");
    let on = |subject: &str| {
        let found =
            findings.iter().find(|f| f["subject"] == subject).unwrap_or_else(|| panic!("{subject}: {findings:#?}"));
        let line = usize::try_from(found["line"].as_u64().expect("a line")).expect("small");
        let label = found["labels"][0]["message"].as_str().expect("a label").to_owned();
        (source.lines().nth(line - 1).expect("a line").trim().to_owned(), label, found["severity"].clone())
    };
    let (line, label, severity) = on("router-mode");
    assert!(line.contains("kv") && severity == "error", "{line}");
    assert!(label.starts_with("live now: ") && label.contains("round-robin"), "{label}");
    let (line, label, severity) = on("version");
    assert!(line.starts_with("image:") && severity == "warning", "{line}");
    assert_eq!(label, "live now: 1.6.1");
    // A prefill worker that nobody claims stands on the deployment's name, the missing ones on their replicas.
    let (line, label, _) = on("workers");
    assert!(line.starts_with("name:"), "{line}");
    assert_eq!(label, "live now: 1 prefill");
    let labels: Vec<&str> = findings.iter().filter_map(|f| f["labels"][0]["message"].as_str()).collect();
    assert!(labels.contains(&"live now: 0 backend"), "{labels:?}");
    // In SARIF: those, and the checks that stand on no line.
    let fake = Fake::start(script);
    let url = fake.url();
    let base = ["probe", "router", "--base-url", &url, "--retries", "1", "--manifest", "fixtures/good/vllm-agg-nvlink"];
    let output = dynlint(&[&base[..], &["-f", "sarif"]].concat());
    let sarif: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let count = |rule: &str| results.iter().filter(|r| r["ruleId"] == rule).count();
    assert_eq!(count("probe-router-drift"), findings.len(), "{results:#?}");
    assert!(
        output.status.code() == Some(1) && results.iter().all(|r| r["locations"][0]["physicalLocation"].is_object())
    );
    let shown = dynlint(&base);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("live now: 1.6.1"));
    let (_, code, _) = probe(good(), &["--manifest", "fixtures/good/sglang-agg"]);
    assert_eq!(code, Some(0), "nothing was read that could contradict it");
}

#[test]
fn readiness_takes_the_frontend_as_evidence() {
    let fake = Fake::start(good());
    let url = fake.url();
    let recipe = "fixtures/good/vllm-agg-nvlink";
    let live = |url: &str| {
        dynlint(&["readiness", recipe, "-f", "json", "--base-url", url, "--retries", "1", "--timeout", "2"])
    };
    let json = |output: std::process::Output| -> Value { serde_json::from_slice(&output.stdout).expect("JSON") };
    let up = json(live(&url));
    assert_eq!(up["layers"]["configuration"], "verified");
    assert_ne!(up["layers"]["capability"], "failed", "{up:#}");
    assert_eq!(up["transfer_validated"], false, "an endpoint that answers proves no transfer");
    drop(fake);
    let down = json(live("http://127.0.0.1:1"));
    assert_eq!(down["layers"]["capability"], "failed");
}

#[test]
fn a_comparison_is_a_smoke_comparison_and_claims_no_throughput() {
    let (a, b) = (Fake::start(good()), Fake::start(good()));
    let (a_url, b_url) = (a.url(), b.url());
    let args = [
        "probe",
        "compare",
        "-f",
        "json",
        "--baseline",
        &a_url,
        "--candidate",
        &b_url,
        "--requests",
        "6",
        "--warmup",
        "2",
    ];
    let output = dynlint(&args);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    let comparison = &report["compare"];
    assert_eq!(comparison["label"], "smoke comparison");
    assert_eq!(comparison["throughput"], Value::Null);
    assert_eq!(status(&report, "throughput"), "skipped");
    for side in ["baseline", "candidate"] {
        assert_eq!(comparison[side]["samples"], 6, "{comparison:#}");
        assert_eq!(comparison[side]["ttft_ms"]["samples"], 6);
    }
    let low = comparison["latency_ms"]["low"].as_f64().expect("a number");
    assert!(low <= comparison["latency_ms"]["high"].as_f64().expect("a number"));
    // Both sides got the same prompts, four prefixes in turn.
    let prompts = |fake: &Fake| {
        let mut all = fake.asked.lock().expect("no panic").clone();
        all.sort();
        all
    };
    assert_eq!(prompts(&a).len(), 8);
    assert_eq!(prompts(&a), prompts(&b));
}

#[test]
fn different_models_are_not_compared() {
    let other = MODELS.replace("\"m\"", "\"n\"");
    let (a, b) = (Fake::start(good()), Fake::start(but("/v1/models", vec![say(200, other)])));
    let output = dynlint(&["probe", "compare", "-f", "json", "--baseline", &a.url(), "--candidate", &b.url()]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(status(&report, "compare-model"), "fail");
    assert!(a.asked.lock().expect("no panic").is_empty(), "no request was sent");
}
