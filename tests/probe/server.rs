//! A small API server: TLS, lists and gets of pods, exec and port-forward over web sockets in `v4.channel.k8s.io` and
//! `v5.channel.k8s.io`, and over SPDY/3.1 with or without a web socket around it. `kube` and `kubectl` are its clients alike,
//! so that it is no dialect of its own.
//!
//! How a pod behaves is in its name: `cut-…` loses the connection in the middle, `flood-…` prints without end, and so on;
//! see [`exec`] and [`forward`].

#[path = "server/exec.rs"]
mod exec;
#[path = "server/forward.rs"]
mod forward;
#[path = "server/spdy.rs"]
mod spdy;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

#[allow(unused_imports)] // not every user of this server names it
pub use forward::TUNNEL;

/// What a client asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub method: String,
    pub path: String,
    pub upgrade: bool,
    /// The `Authorization` header.
    pub bearer: String,
}

#[derive(Clone, Debug)]
pub struct Config {
    /// Subprotocols of web sockets that the server takes, best first; those of streams also over SPDY.
    pub protocols: Vec<&'static str>,
    /// Pods that a list gives.
    pub pods: Vec<Value>,
    /// Answer to every list and get: 403.
    pub deny: bool,
    /// Accept connections and never say a word.
    pub mute: bool,
    /// Say this in place of HTTP.
    pub garbage: Option<&'static [u8]>,
    /// Accept TCP connections and never begin TLS; `true` closes them at once.
    pub deaf: Option<bool>,
    /// Port on this machine that `front-…` pods forward to.
    pub frontend: u16,
    /// `PATH` of what it executes.
    pub path: Option<String>,
    /// What a pod of that name answers, whatever is executed in it.
    pub says: std::collections::BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            protocols: vec!["v5.channel.k8s.io", "v4.channel.k8s.io", forward::TUNNEL],
            pods: Vec::new(),
            deny: false,
            mute: false,
            garbage: None,
            deaf: None,
            frontend: 0,
            path: None,
            says: std::collections::BTreeMap::new(),
        }
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub dir: tempfile::TempDir,
    /// Certificate of the authority that signed the server's, PEM.
    pub authority: String,
    log: Arc<Mutex<Vec<Logged>>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Starts on a free port of the loopback interface, on a thread of its own.
    pub fn start(config: Config) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (authority, server) = certificates();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let state = Arc::new(State { config, log: Arc::clone(&log) });
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
                tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
                let accept = async {
                    loop {
                        let Ok((tcp, _)) = listener.accept().await else { continue };
                        let (server, state) = (server.clone(), Arc::clone(&state));
                        tokio::spawn(async move {
                            match state.config.deaf {
                                Some(true) => return,
                                Some(false) => tokio::time::sleep(Duration::from_secs(3600)).await,
                                None => {}
                            }
                            if let Ok(stream) = server.accept(tcp).await {
                                serve(stream, state).await;
                            }
                        });
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        let address = told.recv().expect("the server starts");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": base64(authority.as_bytes()),
            }}, {"name": "untrusted", "cluster": {"server": format!("https://{address}")}}],
            "users": [{"name": "u", "user": {"token": "not-a-secret"}}],
            "contexts": [
                {"name": "test", "context": {"cluster": "c", "user": "u", "namespace": "demo"}},
                {"name": "untrusted", "context": {"cluster": "untrusted", "user": "u"}},
            ],
        });
        std::fs::write(dir.path().join("config"), kubeconfig.to_string()).expect("a kubeconfig");
        Self { address, dir, authority, log, stop: Some(stop), thread: Some(thread) }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    pub fn log(&self) -> Vec<Logged> {
        self.log.lock().expect("no panic in here").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct State {
    config: Config,
    log: Arc<Mutex<Vec<Logged>>>,
}

type Tls = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
type Stream = BufReader<Tls>;

/// A certificate authority as PEM, and a server that its certificate stands for.
fn certificates() -> (String, TlsAcceptor) {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec![]).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).expect("a certificate");
    let issuer = rcgen::Issuer::new(params, key);
    let server_key = rcgen::KeyPair::generate().expect("a key");
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let params = rcgen::CertificateParams::new(names).expect("parameters");
    let certificate = params.signed_by(&server_key, &issuer).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
        )
        .expect("a configuration");
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether the client wants SPDY, not a web socket.
    fn spdy(&self) -> bool {
        self.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("SPDY/3.1"))
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.query.iter().filter(|(n, _)| n == name).map(|(_, v)| v.clone()).collect()
    }
}

async fn read(stream: &mut Stream) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = query.split('&').filter(|p| !p.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    });
    Some(Request { method, path: path.to_owned(), query: query.collect(), headers })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        match b {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            b => bytes.push(b),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn answer(stream: &mut Stream, code: u16, body: &Value) {
    let body = body.to_string();
    let head =
        format!("HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.flush().await;
}

pub fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code})
}

async fn serve(stream: Tls, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        if state.config.mute {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        let upgrade = request.header("upgrade").is_some();
        let bearer = request.header("authorization").unwrap_or_default().to_owned();
        let logged = Logged { method: request.method.clone(), path: request.path.clone(), upgrade, bearer };
        state.log.lock().expect("no panic in here").push(logged);
        if let Some(garbage) = state.config.garbage {
            let _ = stream.write_all(garbage).await;
            let _ = stream.flush().await;
            return;
        }
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["api"] => answer(&mut stream, 200, &json!({"kind": "APIVersions", "versions": ["v1"]})).await,
            ["apis"] => {
                answer(&mut stream, 200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})).await
            }
            ["api", "v1"] => {
                let resources = json!([
                    {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"], "shortNames": ["po"]},
                    {"name": "pods/exec", "namespaced": true, "kind": "PodExecOptions", "verbs": ["create", "get"]},
                    {"name": "services", "namespaced": true, "kind": "Service", "verbs": ["get", "list"]},
                ]);
                let list = json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": resources});
                answer(&mut stream, 200, &list).await;
            }
            ["api", "v1", "namespaces", _, kind @ ("pods" | "services"), ..] if state.config.deny => {
                let message = format!(
                    "{kind} is forbidden: User \"u\" cannot list resource \"{kind}\" in API group \"\" in the namespace \"demo\""
                );
                answer(&mut stream, 403, &status(403, "Forbidden", &message)).await;
            }
            ["api", "v1", "namespaces", _, "pods"] => {
                let wanted = request.all("labelSelector").first().cloned().unwrap_or_default();
                let fits = |pod: &&Value| {
                    wanted.split(',').filter(|p| !p.is_empty()).all(|pair| {
                        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                        pod["metadata"]["labels"][key] == value
                    })
                };
                let items: Vec<&Value> = state.config.pods.iter().filter(fits).collect();
                let list = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items});
                answer(&mut stream, 200, &list).await;
            }
            ["api", "v1", "namespaces", _, "pods", name] => {
                match state.config.pods.iter().find(|p| p["metadata"]["name"] == *name) {
                    Some(pod) => answer(&mut stream, 200, pod).await,
                    None => {
                        answer(&mut stream, 404, &status(404, "NotFound", &format!("pods \"{name}\" not found"))).await
                    }
                }
            }
            ["api", "v1", "namespaces", _, "pods", name, what @ ("exec" | "portforward")] => {
                let name = (*name).to_owned();
                if name.starts_with("phase-request") {
                    return stall(&name).await;
                }
                match refusal(&name, &request) {
                    Some(refusal) => {
                        let code = u16::try_from(refusal["code"].as_u64().unwrap_or(500)).unwrap_or(500);
                        answer(&mut stream, code, &refusal).await;
                    }
                    None if *what == "exec" => return exec::serve(stream, &name, &request, &state).await,
                    None => return forward::serve(stream, &name, &request, &state).await,
                }
            }
            _ => {
                answer(&mut stream, 404, &status(404, "NotFound", "the server could not find the requested resource"))
                    .await
            }
        }
    }
}

/// What an API server says before it upgrades; the words are those of a real one (1.20 and later).
fn refusal(pod: &str, request: &Request) -> Option<Value> {
    let container = request.all("container").first().cloned().unwrap_or_default();
    if container == "nope" {
        return Some(status(400, "BadRequest", &format!("container nope is not valid for pod {pod}")));
    }
    let kind = pod.split('-').next().unwrap_or_default();
    match kind {
        "denied" => Some(status(
            403,
            "Forbidden",
            &format!(
                "pods \"{pod}\" is forbidden: User \"u\" cannot create resource \"pods/exec\" in API group \"\" in the namespace \"demo\""
            ),
        )),
        "unauthorized" => Some(status(401, "Unauthorized", "Unauthorized")),
        "refused" => Some(status(
            500,
            "InternalError",
            "error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused",
        )),
        "gone" => Some(status(404, "NotFound", &format!("pods \"{pod}\" not found"))),
        "unscheduled" => Some(status(400, "BadRequest", &format!("pod {pod} does not have a host assigned"))),
        _ => None,
    }
}

/// Upgrades to a web socket with the best protocol that both sides know, which is also given back.
async fn upgrade(
    mut stream: Stream,
    request: &Request,
    state: &State,
) -> Option<(&'static str, WebSocketStream<Stream>)> {
    let protocol = common(request, "sec-websocket-protocol", &state.config.protocols);
    let (Some(key), Some(protocol)) = (request.header("sec-websocket-key"), protocol) else {
        answer(&mut stream, 400, &status(400, "BadRequest", "unable to upgrade: no protocol in common")).await;
        return None;
    };
    let more = format!(
        "upgrade: websocket\r\nsec-websocket-accept: {}\r\nsec-websocket-protocol: {protocol}\r\n",
        derive_accept_key(key.as_bytes())
    );
    switch(&mut stream, &more).await?;
    Some((protocol, WebSocketStream::from_raw_socket(stream, Role::Server, None).await))
}

/// Upgrades to SPDY, when that is asked for; the protocol of the streams as the client names it has to be one of these.
async fn upgrade_spdy(mut stream: Stream, request: &Request, protocols: &[&'static str]) -> Option<Stream> {
    let Some(protocol) = common(request, "x-stream-protocol-version", protocols) else {
        let message = "unable to upgrade: no protocol in common";
        answer(&mut stream, 403, &status(403, "Forbidden", message)).await;
        return None;
    };
    switch(&mut stream, &format!("upgrade: SPDY/3.1\r\nx-stream-protocol-version: {protocol}\r\n")).await?;
    Some(stream)
}

/// The first of ours that the client offers in that header, which may be there more than once.
fn common(request: &Request, header: &str, ours: &[&'static str]) -> Option<&'static str> {
    let offered = || request.headers.iter().filter(|(n, _)| n == header).flat_map(|(_, v)| v.split(','));
    ours.iter().copied().find(|ours| offered().any(|theirs| theirs.trim() == *ours))
}

async fn switch(stream: &mut Stream, more: &str) -> Option<()> {
    let head = format!("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

fn frame(channel: u8, bytes: &[u8]) -> Message {
    let mut frame = vec![channel];
    frame.extend_from_slice(bytes);
    Message::binary(frame)
}

/// `phase-…-cut`: the connection is gone when this returns. `phase-…-hang`: it stays, and nothing more comes.
async fn stall(pod: &str) {
    if pod.ends_with("-hang") {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}

async fn half_a_head(mut stream: Stream, pod: &str) {
    let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: webso").await;
    let _ = stream.flush().await;
    stall(pod).await;
}

/// TLS in front of a plain server on this machine: its URL, and the certificate of its authority, PEM.
pub fn tls_front(port: u16) -> (String, String) {
    let (authority, acceptor) = certificates();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            tell.send(listener.local_addr().expect("an address")).expect("somebody waits");
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                    let Ok(mut plain) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
                });
            }
        });
    });
    (format!("https://{}", told.recv().expect("it starts")), authority)
}

/// A running worker pod.
pub fn pod(name: &str, deployment: &str, component: &str, kind: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "demo", "labels": {
            "nvidia.com/dynamo-graph-deployment-name": deployment,
            "nvidia.com/dynamo-component": component,
            "nvidia.com/dynamo-component-type": kind,
        }},
        "spec": {"nodeName": "node-1", "containers": [{"name": "main", "image": "img"}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "main", "ready": true, "restartCount": 0, "image": "img", "imageID": "i",
                "state": {"running": {}}}]},
    })
}
