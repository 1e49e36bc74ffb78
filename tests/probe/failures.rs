//! What can go wrong, each once: in bounded time one check fails and says what to do next.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::cluster::{check, dynlint, json};
use crate::fake::{Answer, Fake, but, good};
use crate::server::{Config, Server, pod, tls_front};

/// Of one question; every case here comes down to one that is not answered.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Of a machine that is busy with other tests; what it comes to is printed.
const SLACK: Duration = Duration::from_secs(4);

struct Case<'a> {
    what: &'a str,
    server: &'a Server,
    args: &'a [&'a str],
    /// The check that fails, what it says, what it says to do.
    check: (&'a str, &'a str, &'a str),
}

fn judge(cases: &[Case<'_>]) {
    for Case { what, server, args, check: (name, detail, next) } in cases {
        let run = || {
            let start = Instant::now();
            let output = dynlint(server, &[&["probe"], *args, &["--timeout", "2", "-f", "json"]].concat());
            (output, start.elapsed())
        };
        let (mut output, mut took) = run();
        if took >= TIMEOUT + SLACK {
            // A machine may stand still for a while; what hangs does so again.
            (output, took) = run();
        }
        let report = json(&output);
        let failed: Vec<_> =
            report["checks"].as_array().expect("checks").iter().filter(|c| c["status"] == "fail").collect();
        assert_eq!(failed.len(), 1, "{what}: one check tells: {failed:#?}");
        let said = |key: &str| failed[0][key].as_str().unwrap_or_default().to_owned();
        assert_eq!((said("name").as_str(), output.status.code()), (*name, Some(1)), "{what}");
        assert!(said("detail").contains(detail), "{what}: {}", said("detail"));
        assert!(!said("next").is_empty() && said("next").contains(next), "{what}: {}", said("next"));
        assert!(output.stderr.is_empty(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(took < TIMEOUT + SLACK, "{what} took {took:?}");
        println!("{what}: {:.2} s", took.as_secs_f64());
    }
}

#[test]
fn in_the_cluster() {
    let mut waiting = pod("waiting-0", "qwen", "prefill", "worker");
    waiting["status"]["phase"] = "Pending".into();
    waiting["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let names = ["h100-0", "denied-0", "refused-0", "cut-0", "garbage-0", "flood-0", "hang-0", "noshell-0"];
    let mut pods: Vec<_> = names.iter().map(|name| pod(name, "qwen", "prefill", "worker")).collect();
    pods.push(waiting);
    let up = Server::start(Config { pods, ..Config::default() });
    let elsewhere = |address: &str| {
        let server = Server::start(Config::default());
        let config = std::fs::read_to_string(server.kubeconfig()).expect("a kubeconfig");
        std::fs::write(server.kubeconfig(), config.replace(&server.address.to_string(), address)).expect("written");
        server
    };
    // Nothing listens; nobody answers (TEST-NET-1, RFC 5737); no such name (RFC 2606).
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").to_string();
    let (closed, nobody, nameless) = (elsewhere(&closed), elsewhere("192.0.2.1:6443"), elsewhere("api.invalid:6443"));
    let with = |config: Config| Server::start(config);
    let (deny, mute) =
        (with(Config { deny: true, ..Config::default() }), with(Config { mute: true, ..Config::default() }));
    let garbage = with(Config { garbage: Some(b"SSH-2.0-OpenSSH_9.2\r\n"), ..Config::default() });
    let moved = b"HTTP/1.1 302 Found\r\nlocation: https://x.example/\r\ncontent-length: 0\r\n\r\n";
    let moved = with(Config { garbage: Some(moved), ..Config::default() });
    fn case<'a>(what: &'a str, server: &'a Server, args: &'a [&'a str], detail: &'a str, next: &'a str) -> Case<'a> {
        Case { what, server, args, check: ("node-access", detail, next) }
    }
    let any = &["node", "--pod", "h100-0"];
    judge(&[
        case("cluster unreachable", &closed, any, "cannot connect to the API server", "kubectl cluster-info"),
        case("cluster that is not there", &nobody, any, "the API server", ""),
        case("cluster without an address", &nameless, any, "cannot connect to the API server", "kubectl cluster-info"),
        case("cluster that says nothing", &mute, any, "no answer within 2 s", "--timeout"),
        case("cluster that is none", &garbage, any, "not HTTP", "does not speak the protocol"),
        case("redirect by the cluster", &moved, any, "", ""),
        case("TLS error", &up, &["node", "--pod", "h100-0", "--context", "untrusted"], "certificate", "authority"),
        case("RBAC denied", &deny, any, "forbidden", "read-only role"),
        case(
            "exec denied",
            &up,
            &["node", "--pod", "denied-0"],
            "cannot create resource \"pods/exec\"",
            "read-only role",
        ),
        case("exec refused", &up, &["node", "--pod", "refused-0"], "error dialing backend", "kubectl get events"),
        case(
            "pod not ready",
            &up,
            &["node", "--pod", "waiting-0"],
            "does not run: CrashLoopBackOff",
            "kubectl describe",
        ),
        case("no such pod", &up, &["node", "--pod", "other-0"], "not found", "check namespace and name"),
        case("container missing", &up, &["node", "--pod", "h100-0", "-c", "nope"], "no container `nope`", "-c"),
        case("program missing", &up, &["node", "--pod", "noshell-0"], "the container has no `sh`", "debug container"),
        case("web socket cut mid-stream", &up, &["node", "--pod", "cut-0"], "ended after 1500 bytes", "run it again"),
        case("output that never ends", &up, &["node", "--pod", "hang-0"], "not done within 2 s", "--timeout"),
        case("garbage output", &up, &["node", "--pod", "garbage-0"], "not what was asked for", "POSIX shell"),
        case("10 MB of output", &up, &["node", "--pod", "flood-0"], "more than 1048576 bytes", ""),
    ]);
}

/// The same troubles end the other probes of pods in the same way; `env` still has the pod's spec to judge, so it warns.
#[test]
fn in_every_probe_of_pods() {
    let names = ["denied-0", "refused-0", "cut-0", "garbage-0", "flood-0", "hang-0", "noshell-0"];
    let pods = names.iter().map(|name| pod(name, "qwen", "prefill", "worker")).collect();
    let server = Server::start(Config { pods, ..Config::default() });
    for name in names {
        for (probe, access, status) in
            [("node", "node-access", "fail"), ("nixl", "nixl-access", "fail"), ("env", "env-access", "warn")]
        {
            let output = dynlint(&server, &["probe", probe, "--pod", name, "--timeout", "2", "-f", "json"]);
            let report = json(&output);
            let (said, detail, next) = check(&report, access);
            assert_eq!(said, status, "{probe} {name}: {detail}");
            assert!(next.is_some_and(|next| !next.is_empty()), "{probe} {name}: what next? {detail}");
            assert_eq!(output.status.code(), Some(i32::from(status == "fail")), "{probe} {name}");
        }
    }
}

#[test]
fn at_the_frontend() {
    // Never asked; the frontends are elsewhere.
    let cluster = Server::start(Config::default());
    let models = |answer: Answer| Fake::start(but("/v1/models", vec![answer]));
    let big = format!(r#"{{"object":"list","data":[{{"id":"m","x":"{}"}}]}}"#, "y".repeat(10 << 20));
    let fakes = [
        ("redirect", models(Answer::Redirect("https://x.example/v1/models".into())), "redirect", "https://x.example"),
        ("slow loris", models(Answer::Drip), "within 2 s", ""),
        ("silence", models(Answer::Hang), "within 2 s", ""),
        ("no HTTP", models(Answer::Raw(b"\x16\x03\x01 nonsense\r\n\r\n")), "not HTTP", ""),
        ("hung up", models(Answer::Close), "closed", ""),
        ("answer cut short", models(Answer::Short), "", ""),
        ("10 MB of models", models(Answer::Say(200, big)), "", ""),
    ];
    for (what, fake, detail, next) in &fakes {
        let url = fake.url();
        let args = ["router", "--retries", "1", "--base-url", &url];
        judge(&[Case { what, server: &cluster, args: &args, check: ("models", detail, next) }]);
    }
    let fake = Fake::start(good());
    let (https, _) = tls_front(fake.port);
    let urls = [
        ("TLS error", https.as_str(), "models", "TLS with 127.0.0.1", "SSL_CERT_FILE"),
        ("nothing listens", "http://127.0.0.1:1", "models", "cannot connect to 127.0.0.1:1", ""),
        ("nobody is there", "http://192.0.2.1:8000", "models", "192.0.2.1:8000", ""),
        ("file", "file:///etc/passwd", "base-url", "", ""),
        ("ftp", "ftp://127.0.0.1/", "base-url", "`ftp` is not supported", "http"),
        ("web socket", "ws://127.0.0.1:8000/", "base-url", "`ws` is not supported", "http"),
        ("no scheme", "127.0.0.1:8000", "base-url", "", "http"),
    ];
    for (what, url, name, detail, next) in urls {
        let args = ["router", "--retries", "1", "--base-url", url];
        judge(&[Case { what, server: &cluster, args: &args, check: (name, detail, next) }]);
    }
    assert!(cluster.log().is_empty());
}
