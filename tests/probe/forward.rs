//! Port-forwards: what is asked once is answered once, whoever the client is.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dynlint::probe::transport::{Access, Cluster, Endpoint, HttpRequest};
use dynlint::probe::{Bounds, Transport};

use crate::cluster::{check, dynlint, json};
use crate::fake::{Fake, good};
use crate::server::{Config, Server, TUNNEL, pod};

/// Sends requests to port 8000 of a pod in the kubeconfig's namespace: through `count` port-forwards, `width` of them at a
/// time. What came back, or why nothing did.
pub fn ask(
    kubeconfig: &Path,
    pod: &str,
    count: usize,
    width: usize,
    request: impl Fn(Endpoint) -> HttpRequest,
) -> Vec<Result<String, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let bounds = Bounds::of(Duration::from_secs(20));
        let access = Access { kubeconfig: Some(kubeconfig.to_owned()), ..Access::default() };
        let cluster = Cluster::connect(&access, bounds).await.expect("a cluster");
        let cluster: &dyn Transport = &cluster;
        let (namespace, pod) = (cluster.namespace(), pod.to_owned());
        let endpoint = Endpoint::Pod { namespace, pod, port: 8000, path: "/v1/models".to_owned() };
        let mut said = Vec::new();
        while said.len() < count {
            let some = (0..width.min(count - said.len())).map(|_| cluster.http(request(endpoint.clone()), bounds));
            for answer in futures::future::join_all(some).await {
                said.push(match answer {
                    Ok(reply) => match reply.cut {
                        None => Ok(reply.body),
                        Some(cut) => Err(format!("cut: {}", cut.message)),
                    },
                    Err(trouble) => Err(trouble.message),
                });
            }
        }
        said
    })
}

#[test]
fn no_port_forward_is_lost() {
    const COUNT: usize = 400;
    let fake = Fake::start(good());
    let pods = ["front-0", "plain-0"].map(|name| pod(name, "qwen", "Frontend", "frontend"));
    let server = Server::start(Config { pods: pods.to_vec(), frontend: fake.port, ..Config::default() });
    for (name, width) in [("front-0", 1), ("front-0", 8), ("plain-0", 8)] {
        let before = server.log().len();
        let said = ask(&server.kubeconfig(), name, COUNT, width, HttpRequest::get);
        let lost: Vec<&String> = said.iter().filter_map(|answer| answer.as_ref().err()).collect();
        let asked = server.log().len() - before;
        println!("{name}, {width} at a time: {COUNT} answers wanted, {asked} port-forwards, {} lost", lost.len());
        assert!(lost.is_empty(), "{lost:?}");
        // Nobody asked twice.
        assert_eq!(asked, COUNT);
    }
}

#[test]
fn an_answer_that_does_not_wait_for_the_request_arrives() {
    // It answers the head of a request and is gone: what is still on its way to it is answered with a reset.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let mut some = [0; 64];
            let _ = peer.read(&mut some);
            let _ = peer.write_all(b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 8\r\n\r\ntoo long");
        }
    });
    let pods = vec![pod("front-0", "qwen", "Frontend", "frontend")];
    let server = Server::start(Config { pods, frontend: port, ..Config::default() });
    let body = serde_json::json!({"prompt": "x".repeat(600 << 10)});
    let said = ask(&server.kubeconfig(), "front-0", 60, 2, |endpoint| HttpRequest::post(endpoint, &body));
    let lost: Vec<_> = said.iter().filter(|answer| answer.as_deref() != Ok("too long")).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
}

/// `kubectl port-forward` to that pod on a port of its own choice.
struct Kubectl {
    child: std::process::Child,
    url: String,
}

impl Kubectl {
    fn start(server: &Server, pod: &str, websockets: bool) -> Self {
        let mut child = Command::new("kubectl")
            .args(["port-forward", &format!("pod/{pod}"), ":8000", "--address", "127.0.0.1", "-v", "6"])
            .env("KUBECONFIG", server.kubeconfig())
            .env("HOME", server.dir.path())
            .env("KUBECTL_PORT_FORWARD_WEBSOCKETS", websockets.to_string())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(server.dir.path().join("said")).expect("a file"))
            .spawn()
            .expect("kubectl runs");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("its output");
        std::io::BufReader::new(stdout).read_line(&mut line).expect("its first line");
        let said = std::fs::read_to_string(server.dir.path().join("said")).expect("what it said");
        let address = line.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next());
        let url = format!("http://{}", address.unwrap_or_else(|| panic!("{line}{said}")));
        Self { child, url }
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn kubectl_forwards_a_port_of_a_pod() {
    if Command::new("kubectl").arg("version").arg("--client").output().is_err() {
        println!("skipped: no kubectl");
        return;
    }
    let fake = Fake::start(good());
    let pods = ["front-0", "plain-0", "closed-0"].map(|name| pod(name, "qwen", "Frontend", "frontend"));
    // SPDY in a web socket; SPDY alone, because it is told to; the same, because the server knows nothing else.
    let ways = [(true, vec![TUNNEL], "GET"), (false, vec![TUNNEL], "POST"), (true, vec![], "POST")];
    for (websockets, protocols, method) in ways {
        let config = Config { pods: pods.to_vec(), frontend: fake.port, protocols, ..Config::default() };
        let server = Server::start(config);
        // A probe through it: models, one completion and one streamed, each in a connection of its own.
        let kubectl = Kubectl::start(&server, "front-0", websockets);
        let report = json(&dynlint(&server, &["probe", "router", "--base-url", &kubectl.url, "-f", "json"]));
        for name in ["models", "chat", "stream"] {
            assert_eq!(check(&report, name).0, "ok", "{report:#}");
        }
        let way = server.log().into_iter().rfind(|l| l.path.ends_with("/portforward")).expect("a port-forward");
        assert_eq!((way.method.as_str(), way.upgrade), (method, true));
        // Nothing listens on the pod's port: what the kubelet says comes through.
        let closed = Kubectl::start(&server, "closed-0", websockets);
        let mut socket = std::net::TcpStream::connect(closed.url.trim_start_matches("http://")).expect("it listens");
        let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n");
        let mut nothing = Vec::new();
        let _ = socket.read_to_end(&mut nothing);
        assert!(nothing.is_empty());
        let said = || std::fs::read_to_string(server.dir.path().join("said")).expect("what it said");
        let start = std::time::Instant::now();
        while !said().contains("connection refused") {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
