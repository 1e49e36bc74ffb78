//! The router family on small graphs: what argparse, the environment and the shell make of a setting, release by release.

use std::fmt::Write as _;

use dynlint::finding::{Profile, Selection, Selector};
use dynlint::lint::{self, Input, Options};
use dynlint::rules::RULES;

const EVENTS: &str =
    r#"--kv-events-config '{"publisher":"zmq","endpoint":"tcp://*:20080","enable_kv_cache_events":true}'"#;

/// A frontend and two workers, each as a shell command with its own environment.
#[derive(Clone)]
struct Graph {
    release: &'static str,
    frontend: String,
    frontend_env: Vec<(&'static str, &'static str)>,
    graph_env: Vec<(&'static str, &'static str)>,
    worker: String,
    worker_env: Vec<(&'static str, &'static str)>,
    replicas: u32,
}

fn graph(frontend: &str, worker: &str) -> Graph {
    Graph {
        release: "1.4.0",
        frontend: format!("python3 -m dynamo.frontend {frontend}"),
        frontend_env: Vec::new(),
        graph_env: Vec::new(),
        worker: format!("python3 -m dynamo.vllm --model Qwen/Qwen3-0.6B {worker}"),
        worker_env: Vec::new(),
        replicas: 2,
    }
}

fn env(out: &mut String, indent: &str, vars: &[(&str, &str)]) {
    if !vars.is_empty() {
        let _ = writeln!(out, "{indent}env:");
    }
    for (name, value) in vars {
        let _ = writeln!(out, "{indent}  - name: {name}\n{indent}    value: {value:?}");
    }
}

impl Graph {
    fn release(mut self, release: &'static str) -> Self {
        self.release = release;
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.frontend_env.push((name, value));
        self
    }

    fn graph_env(mut self, name: &'static str, value: &'static str) -> Self {
        self.graph_env.push((name, value));
        self
    }

    fn worker_env(mut self, name: &'static str, value: &'static str) -> Self {
        self.worker_env.push((name, value));
        self
    }

    fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    fn text(&self) -> String {
        let mut out =
            "apiVersion: nvidia.com/v1beta1\nkind: DynamoGraphDeployment\nmetadata:\n  name: t\nspec:\n".to_owned();
        env(&mut out, "  ", &self.graph_env);
        out.push_str("  components:\n");
        for (name, kind, replicas, command, vars) in [
            ("Frontend", "frontend", 1, &self.frontend, &self.frontend_env),
            ("Worker", "worker", self.replicas, &self.worker, &self.worker_env),
        ] {
            let image = format!("nvcr.io/nvidia/ai-dynamo/vllm-runtime:{}", self.release);
            let _ = write!(
                out,
                "    - name: {name}\n      type: {kind}\n      replicas: {replicas}\n      podTemplate:\n        spec:\n          \
                 containers:\n            - name: main\n              image: {image}\n              command: [sh, -c]\n"
            );
            env(&mut out, "              ", vars);
            let _ = writeln!(out, "              args:\n                - |\n                  {command}");
        }
        out
    }

    /// Rules of the router, inert settings among them, that speak, with their severity; sorted.
    fn says(&self) -> Vec<String> {
        let rules: Vec<_> = RULES.iter().map(|r| (r.id, r.family)).collect();
        let families = ["router", "hygiene"].map(|f| Selector::parse(f, &rules).expect("the family exists"));
        let selection = Selection { select: families.into(), profile: Profile::Audit, ..Selection::default() };
        let options = Options { selection, ..Options::default() };
        let report = lint::lint(&[Input::Bytes { bytes: self.text().into_bytes(), path: None }], &options);
        // What it has to say is no matter of routing.
        let findings = report.findings.iter().map(|r| &r.finding).filter(|f| f.rule != "duplicated-flag");
        let mut out: Vec<String> = findings.map(|f| format!("{} {}", f.severity, f.rule)).collect();
        out.sort();
        out
    }
}

#[track_caller]
fn expect(graph: &Graph, want: &[&str]) {
    assert_eq!(graph.says(), want, "\n{}", graph.text());
}

#[test]
fn where_the_mode_comes_from() {
    let silent = "warning kv-router-no-events";
    expect(&graph("--router-mode kv", ""), &[silent]);
    expect(&graph("--router-mode=kv", ""), &[silent]);
    expect(&graph("--router-mod kv", ""), &[silent]); // argparse completes it
    expect(&graph("", "").env("DYN_ROUTER_MODE", "kv"), &[silent]);
    expect(&graph("", "").graph_env("DYN_ROUTER_MODE", "kv"), &[silent]);
    expect(&graph("--router-mode random --router-mode kv", ""), &[silent]);
    expect(&graph("--router-mode kv --router-mode random", ""), &[]);
    let mut prefixed = graph("", "");
    prefixed.frontend = "DYN_ROUTER_MODE=kv python3 -m dynamo.frontend".to_owned();
    expect(&prefixed, &[silent]);
    // What cannot be known is left alone.
    expect(&graph("--router-mode \"$MODE\"", ""), &[]);
    expect(&graph("--router-mode kv $EXTRA", ""), &[]);
    expect(&graph("--router-mode kv", "$EXTRA"), &[]);
}

#[test]
fn whether_the_router_wants_events() {
    for off in [
        "--no-router-kv-events",
        "--no-kv-events --no-router-kv-events",
        "--router-kv-overlap-score-credit 0",
        "--router-kv-overlap-score-credit 0.0",
        "--use-remote-indexer",
    ] {
        let said = graph(&format!("--router-mode kv {off}"), "").says();
        assert!(!said.iter().any(|s| s.contains("no-events")), "{off}: {said:?}");
    }
    expect(&graph("--load-aware", ""), &[]);
    expect(&graph("--router-mode kv", "").env("DYN_ROUTER_USE_KV_EVENTS", "0"), &[]);
    let misread = graph("--router-mode kv", "").env("DYN_ROUTER_USE_KV_EVENTS", "ture");
    expect(&misread, &["warning bool-env-unrecognised"]);
    // From 1.6 on the policy file may switch them off.
    let policy = graph("--router-mode kv --router-policy-config /etc/policy.yaml", "");
    expect(&policy, &["warning kv-router-no-events"]);
    expect(&policy.release("1.6.1"), &[]);
}

#[test]
fn how_many_targets_there_are() {
    let single = "advice kv-single-target";
    expect(&graph("--router-mode kv", "").replicas(1), &["advice kv-router-no-events", single]);
    expect(&graph("--router-mode kv", "--data-parallel-size 4").replicas(1), &["warning kv-router-no-events"]);
    expect(&graph("--router-mode kv", "-dp 4").replicas(1), &["warning kv-router-no-events"]);
    expect(&graph("--router-mode kv", EVENTS).replicas(1), &[single]);
}

#[test]
fn vllm_publishes_unasked_in_1_0_only() {
    expect(&graph("--router-mode kv", "").release("1.0.2"), &[]);
    expect(&graph("--router-mode kv", "").release("1.1.0"), &["warning kv-router-no-events"]);
    expect(&graph("--router-mode kv", "").release("0.6.0"), &[]);
    let cacheless = graph("--router-mode kv", "--no-enable-prefix-caching");
    expect(&cacheless.release("1.0.2"), &["warning kv-router-no-events"]);
}

#[test]
fn a_mode_that_is_none() {
    expect(&graph("--router-mode KV", ""), &["error unknown-router-mode"]);
    expect(&graph("", "").env("DYN_ROUTER_MODE", "KV"), &["warning unknown-router-mode"]);
    expect(&graph("", "").env("DYN_ROUTER_MODE", "KV").release("1.5.0"), &["error unknown-router-mode"]);
    expect(&graph("", "").env("DYN_ROUTER_MODE", ""), &["warning unknown-router-mode"]);
    expect(&graph("--router-mode least-loaded", "").release("1.0.2"), &["error unknown-router-mode"]);
    expect(&graph("--router-mode least-loaded", "").release("1.1.0"), &[]);
    // Of releases before 1.0 the command line is known, and from 0.7 on what becomes of the variable.
    expect(&graph("--router-mode KV", "").release("0.9.0"), &["error frontend-choice-invalid"]);
    expect(&graph("", "").env("DYN_ROUTER_MODE", "KV").release("0.9.0"), &["warning unknown-router-mode"]);
    expect(&graph("", "").env("DYN_ROUTER_MODE", "KV").release("0.6.0"), &[]);
    expect(&graph("--router-mode KV", "").release("0.3.2"), &[]);
}

#[test]
fn flag_and_variable() {
    let twice = "advice router-mode-flag-env-conflict";
    expect(&graph("--router-mode random", "").env("DYN_ROUTER_MODE", "random"), &[twice]);
    let differ = graph("--router-mode random", "").env("DYN_ROUTER_MODE", "least-loaded");
    expect(&differ, &["warning router-mode-flag-env-conflict"]);
    let overridden = graph("--router-mode random", "").graph_env("DYN_ROUTER_MODE", "least-loaded");
    expect(&overridden, &[twice]);
}

#[test]
fn flags_by_release() {
    let reset = graph("--router-reset-states", "");
    assert!(reset.says().contains(&"error removed-router-flag".to_owned()), "{:?}", reset.says());
    assert!(reset.clone().release("1.3.1").says().contains(&"advice removed-router-flag".to_owned()));
    assert!(reset.release("my-tag").says().contains(&"warning removed-router-flag".to_owned()));
    let late = "--router-session-affinity-mode hard";
    expect(&graph(late, ""), &["error unknown-frontend-flag"]);
    expect(&graph(late, "").release("1.5.1"), &[]);
    expect(&graph(late, "").release("my-tag"), &[]);
    // Before 1.0.
    expect(&graph("--static-endpoint a.b.c", "").release("0.7.1"), &[]);
    expect(&graph("--static-endpoint a.b.c", "").release("0.8.1"), &["error removed-router-flag"]);
    expect(&graph("--no-router-replica-sync", "").release("0.9.1"), &["error unknown-frontend-flag"]);
    expect(&graph("--no-track-active-blocks --router-replica", "").release("0.6.1"), &[]);
    expect(&graph("--store-kv nats", "").release("0.7.0"), &[]);
    expect(&graph("--store-kv nats", "").release("0.8.0"), &["error frontend-choice-invalid"]);
    // Hidden from `--help`, and still parsed.
    expect(&graph("--admission-control none", ""), &["advice ignored-router-setting"]);
    expect(&graph("--admission-control none", "").release("1.2.1"), &["error unknown-frontend-flag"]);
    let weight = graph("--router-mode kv --kv-overlap-score-weight 1.0", EVENTS);
    expect(&weight, &["advice overlap-weight-deprecated"]);
    expect(&weight.release("1.1.0"), &[]);
}

#[test]
fn words_that_argparse_will_not_take() {
    expect(&graph("--no-such-flag", ""), &["error unknown-frontend-flag"]);
    expect(&graph("--router 1", ""), &["error unknown-frontend-flag"]); // begins many
    expect(&graph("--router-mode kv --router-replica-sync true", EVENTS), &["error unknown-frontend-flag"]);
    expect(&graph("--http-port 8000 8001", ""), &["error unknown-frontend-flag"]);
    expect(&graph("--http-port 8000", ""), &[]);
    expect(&graph("--dyn-chat-processor vllm --no-such-flag", ""), &[]);
    expect(
        &graph("--dyn-chat-processor sglang --tool-call-parser x --reasoning-parser y", ""),
        &["warning frontend-refused"],
    );
    expect(&graph("--tool-call-parser x", ""), &["error unknown-frontend-flag"]);
    expect(&graph("--event-plane kafka", ""), &["error frontend-choice-invalid"]);
}

#[test]
fn ranges_are_checked_from_1_2_on_and_in_kv_mode() {
    let cold = graph("--router-mode kv --router-temperature -1", EVENTS);
    expect(&cold, &["error router-number-out-of-range"]);
    expect(&cold.clone().release("1.1.0"), &[]);
    let credit = graph("--router-mode kv --router-kv-overlap-score-credit 1.5", EVENTS);
    expect(&credit, &[]);
    expect(&credit.release("1.3.0"), &["error router-number-out-of-range"]);
    // What is no number stops the frontend whatever the mode, by variable even beside a flag.
    let word = graph("--router-mode kv --router-ttl-secs 5 --no-router-kv-events", "").env("DYN_ROUTER_TTL_SECS", "5s");
    expect(&word, &["error router-number-out-of-range"]);
    expect(&graph("--active-decode-blocks-threshold None", ""), &[]);
    expect(&graph("--active-decode-blocks-threshold 85", ""), &["error router-number-out-of-range"]);
}

#[test]
fn settings_on_a_worker() {
    let inert = graph("", "").worker_env("DYN_ROUTER_MODE", "kv");
    expect(&inert, &["warning router-env-on-worker"]);
    expect(&inert.clone().release("1.5.1"), &[]);
    expect(&graph("", "--router-mode kv"), &["error router-env-on-worker"]);
    expect(&graph("", "--router-mode kv").release("1.5.1"), &[]);
    // A variable of the graph reaches the workers, and from 1.5 on takes the frontend's settings away.
    let leak = graph("--router-temperature 0.5", EVENTS).graph_env("DYN_ROUTER_MODE", "kv");
    expect(&leak, &[]);
    expect(&leak.release("1.5.1"), &["warning router-env-on-worker"]);
    expect(&graph("", EVENTS).graph_env("DYN_ROUTER_MODE", "kv").release("1.5.1"), &[]);
}

#[test]
fn planes_that_do_not_meet() {
    let graph = |router: &str, worker: &str| graph(router, worker).graph_env("NATS_SERVER", "nats://nats:4222");
    expect(&graph("--router-mode kv", &format!("{EVENTS} --event-plane zmq")), &[]);
    expect(&graph("--router-mode kv", &format!("{EVENTS} --event-plane nats")), &["warning event-plane-mismatch"]);
    // Before 1.3 the default is the other one; without a release it is not known.
    expect(&graph("--router-mode kv", &format!("{EVENTS} --event-plane nats")).release("1.2.1"), &[]);
    expect(&graph("--router-mode kv", &format!("{EVENTS} --event-plane nats")).release("my-tag"), &[]);
    expect(&graph("", "").worker_env("DYN_REQUEST_PLANE", "nats"), &["error request-plane-mismatch"]);
    expect(&graph("", "").graph_env("DYN_REQUEST_PLANE", "nats"), &[]);
}
