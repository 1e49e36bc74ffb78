//! A Kubernetes cluster: pods and services by get and list, programs by exec, HTTP by port-forward. Nothing else is asked
//! of the API server.

use std::path::PathBuf;
use std::time::Instant;

use futures::future::LocalBoxFuture;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::trouble::seconds;
use super::{
    Answer, Ask, Bounds, Endpoint, HttpReply, HttpRequest, Output, Place, Pod, Service, Transport, Trouble,
    TroubleKind, http, redact,
};
use crate::probe::program::Program;

/// How long to wait for what should be there already.
const GRACE: std::time::Duration = std::time::Duration::from_millis(500);

/// How to get into a cluster, as kubectl's options of the same names say it.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `--kubeconfig`; else `KUBECONFIG`, `~/.kube/config`, the service account of the pod dynlint runs in.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; else the current one.
    pub context: Option<String>,
    /// `--namespace`; else that of the context, of the service account, `default`.
    pub namespace: Option<String>,
}

/// A connection to a cluster.
pub struct Cluster {
    client: Client,
    namespace: String,
    name: String,
}

impl Cluster {
    /// Reads the configuration. Nothing is sent yet. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When there is no usable configuration.
    pub async fn connect(access: &Access, bounds: Bounds) -> Result<Self, Trouble> {
        let wrong = |message: String| Trouble::new(TroubleKind::Config, message);
        let options = KubeConfigOptions { context: access.context.clone(), cluster: None, user: None };
        let (mut config, name) = if let Some(path) = &access.kubeconfig {
            let file = Kubeconfig::read_from(path)
                .map_err(|e| wrong(format!("cannot read the kubeconfig {}: {}", path.display(), chain(&e))))?;
            from_file(file, &options).await?
        } else {
            match Kubeconfig::read() {
                Ok(file) => from_file(file, &options).await?,
                // Without a kubeconfig, and unless one was asked for: the service account.
                Err(error) => match Config::incluster() {
                    Ok(config) if access.context.is_none() => (config, "in-cluster".to_owned()),
                    _ => return Err(wrong(format!("no usable kubeconfig: {}", chain(&error)))),
                },
            }
        };
        config.connect_timeout = Some(bounds.time);
        // A probe says what it sees; retrying is for whoever reads it.
        config.default_retry = false;
        if let Some(namespace) = &access.namespace {
            config.default_namespace.clone_from(namespace);
        }
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|e| failed(&e, bounds))?;
        Ok(Self { client, namespace, name })
    }

    async fn exec(&self, place: &Place, program: &Program, bounds: Bounds) -> Result<Output, Trouble> {
        let Place::Pod { namespace, pod, container } = place else {
            return Err(Trouble::new(TroubleKind::Unsupported, "programs run in pods here, not on this machine"));
        };
        let deadline = tokio::time::Instant::now() + bounds.time;
        let late = || Trouble::new(TroubleKind::TimedOut, format!("not done within {}", seconds(bounds.time)));
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), namespace);
        let mut params = AttachParams::default().stdin(false).stdout(true).stderr(true).max_stdout_buf_size(256 << 10);
        params.container.clone_from(container);
        let exec = api.exec(pod, program.argv(), &params);
        let mut process =
            tokio::time::timeout_at(deadline, exec).await.map_err(|_| late())?.map_err(|e| failed(&e, bounds))?;
        let status = process.take_status();
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let (mut out, mut err) = (Kept::new(bounds.bytes), Kept::new(bounds.bytes));
        // The client's task ends with the connection and drops the status with it, but leaves its streams open: whichever
        // of the two ends first decides.
        let mut ended = None;
        let in_time = {
            let status = futures::FutureExt::fuse(async {
                match status {
                    Some(status) => status.await,
                    None => None,
                }
            });
            let read = futures::FutureExt::fuse(async {
                // Too much on one stream ends it all: the rest would only be thrown away.
                let _ = futures::try_join!(out.fill(stdout), err.fill(stderr));
            });
            futures::pin_mut!(status, read);
            let talk = async {
                let streams_first = tokio::select! {
                    biased;
                    _ = &mut read => true,
                    said = &mut status => { ended = said; false }
                };
                if streams_first {
                    // The status is there by now, unless more came than is kept: then nobody reads on.
                    ended = tokio::time::timeout(GRACE, &mut status).await.unwrap_or_default();
                } else {
                    // What has come is there to be read; the rest never comes.
                    let _ = tokio::time::timeout(GRACE, &mut read).await;
                }
            };
            tokio::time::timeout_at(deadline, talk).await.is_ok()
        };
        let truncated = out.more || err.more;
        process.abort();
        let mut output = Output {
            code: None,
            stdout: String::from_utf8_lossy(&out.bytes).into_owned(),
            stderr: String::from_utf8_lossy(&err.bytes).into_owned(),
            truncated,
            cut: None,
        };
        match ended {
            Some(status) => output.code = Some(exit_code(&status)?),
            None if !in_time => output.cut = Some(late()),
            None if truncated => {}
            None => {
                let kept = output.stdout.len() + output.stderr.len();
                output.cut = Some(Trouble::new(
                    TroubleKind::Cut,
                    format!("the connection ended after {kept} bytes, before the program's status came"),
                ));
            }
        }
        redact::output(&mut output);
        Ok(output)
    }

    /// Asks through a port-forward.
    async fn forward(&self, request: &HttpRequest, bounds: Bounds) -> Result<HttpReply, Trouble> {
        let Endpoint::Pod { namespace, pod, port, path } = &request.endpoint else {
            return http::exchange(request, bounds).await;
        };
        let start = Instant::now();
        let api: Api<core::Pod> = Api::namespaced(self.client.clone(), namespace);
        let ports = [*port];
        let connect = tokio::time::timeout(bounds.time, api.portforward(pod, &ports));
        let mut forwarder = connect
            .await
            .map_err(|_| {
                let message = format!("no port-forward to {namespace}/{pod}:{port} within {}", seconds(bounds.time));
                Trouble::new(TroubleKind::TimedOut, message)
            })?
            .map_err(|e| failed(&e, bounds))?;
        let error = forwarder.take_error(*port);
        let stream = forwarder
            .take_stream(*port)
            .ok_or_else(|| Trouble::new(TroubleKind::Garbage, "the port-forward has no stream"))?;
        let host = format!("localhost:{port}");
        let result = http::over(stream, &host, path, request, start, bounds).await;
        let result = match (result, error) {
            (Err(trouble), Some(error)) if trouble.kind != TroubleKind::TimedOut => {
                // The kubelet says on the error channel why the port cannot be used: mostly that nothing listens.
                let said = tokio::time::timeout(std::time::Duration::from_millis(200), error).await;
                match said {
                    Ok(Some(said)) if !said.is_empty() => Err(Trouble::new(
                        TroubleKind::Unreachable,
                        format!("cannot reach port {port} of {namespace}/{pod}: {said}"),
                    )),
                    _ => Err(trouble),
                }
            }
            (result, _) => result,
        };
        forwarder.abort();
        result
    }
}

impl Transport for Cluster {
    fn ask<'a>(&'a self, ask: &'a Ask, bounds: Bounds) -> LocalBoxFuture<'a, Result<Answer, Trouble>> {
        Box::pin(async move {
            match ask {
                Ask::Exec { place, program } => Ok(Answer::Output(self.exec(place, program, bounds).await?)),
                Ask::Http(request) => Ok(Answer::Http(self.forward(request, bounds).await?)),
                Ask::Pods { namespace, selector } => {
                    let api: Api<core::Pod> = Api::namespaced(self.client.clone(), namespace);
                    let params = ListParams::default().labels(selector);
                    let list = within(bounds, api.list(&params)).await?;
                    let mut pods: Vec<Pod> = list.items.into_iter().map(Pod::from).collect();
                    pods.iter_mut().for_each(redact::pod);
                    pods.sort_by(|a, b| a.name.cmp(&b.name));
                    Ok(Answer::Pods(pods))
                }
                Ask::Pod { namespace, name } => {
                    let api: Api<core::Pod> = Api::namespaced(self.client.clone(), namespace);
                    let mut pod = Pod::from(within(bounds, api.get(name)).await?);
                    redact::pod(&mut pod);
                    Ok(Answer::Pod(Box::new(pod)))
                }
                Ask::Service { namespace, name } => {
                    let api: Api<core::Service> = Api::namespaced(self.client.clone(), namespace);
                    Ok(Answer::Service(Service::from(within(bounds, api.get(name)).await?)))
                }
            }
        })
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn namespace(&self) -> String {
        self.namespace.clone()
    }
}

async fn from_file(file: Kubeconfig, options: &KubeConfigOptions) -> Result<(Config, String), Trouble> {
    let name = options.context.clone().or_else(|| file.current_context.clone()).unwrap_or_default();
    let config = Config::from_custom_kubeconfig(file, options)
        .await
        .map_err(|e| Trouble::new(TroubleKind::Config, format!("the kubeconfig cannot be used: {}", chain(&e))))?;
    Ok((config, name))
}

async fn within<T>(bounds: Bounds, ask: impl Future<Output = kube::Result<T>>) -> Result<T, Trouble> {
    match tokio::time::timeout(bounds.time, ask).await {
        Ok(result) => result.map_err(|e| failed(&e, bounds)),
        Err(_) => Err(Trouble::new(
            TroubleKind::TimedOut,
            format!("the API server gave no answer within {}", seconds(bounds.time)),
        )),
    }
}

/// Bytes of a stream, up to a limit.
struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    more: bool,
}

impl Kept {
    const fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, more: false }
    }

    /// Reads to the end; an error when there is more than the limit.
    async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>) -> Result<(), ()> {
        let Some(stream) = stream else { return Ok(()) };
        // An error here is the connection's, which the missing status tells.
        let _ = stream.take(self.limit as u64 + 1).read_to_end(&mut self.bytes).await;
        self.more = self.bytes.len() > self.limit;
        self.bytes.truncate(self.limit);
        if self.more { Err(()) } else { Ok(()) }
    }
}

/// The exit code in the status that ends an exec. A program that could not be started is a trouble: the runtime says so
/// with the reason `InternalError` and no exit code.
fn exit_code(status: &Status) -> Result<i32, Trouble> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let message = status.message.clone().unwrap_or_default();
    let causes = status.details.as_ref().and_then(|d| d.causes.as_deref()).unwrap_or_default();
    let code = causes.iter().find(|c| c.reason.as_deref() == Some("ExitCode")).and_then(|c| c.message.as_deref());
    if let Some(code) = code.and_then(|c| c.parse().ok()) {
        // 126 and 127 can be the runtime's (cri-o) or a shell's own.
        if (code == 127 || code == 126) && not_started(&message) {
            return Err(no_program(&message));
        }
        return Ok(code);
    }
    if not_started(&message) {
        return Err(no_program(&message));
    }
    let lower = message.to_lowercase();
    let kind = if lower.contains("container not found") || lower.contains("not valid for pod") {
        TroubleKind::NoContainer
    } else if lower.contains("is not running") || lower.contains("not created") || lower.contains("container is in") {
        TroubleKind::NotReady
    } else {
        TroubleKind::Refused
    };
    Err(Trouble::new(kind, if message.is_empty() { "the exec failed without a reason".to_owned() } else { message }))
}

fn not_started(message: &str) -> bool {
    ["executable file not found", "no such file or directory", "exec format error", "permission denied"]
        .iter()
        .any(|part| message.contains("exec") && message.contains(part))
}

fn no_program(message: &str) -> Trouble {
    // `… failed to start exec "231d6c…": … exec: "nvidia-smi": executable file not found in $PATH: unknown`
    let name =
        message.rsplit_once("exec: \"").and_then(|(_, rest)| rest.split('"').next()).filter(|name| !name.is_empty());
    let said = match name {
        Some(name) if message.contains("permission denied") => format!("`{name}` may not be run in the container"),
        Some(name) => format!("the container has no `{name}`"),
        None => message.to_owned(),
    };
    Trouble::new(TroubleKind::NoProgram, said)
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

/// What an error of the client means.
fn failed(error: &kube::Error, bounds: Bounds) -> Trouble {
    match error {
        kube::Error::Api(status) => api(status),
        kube::Error::Auth(e) => Trouble::new(TroubleKind::Config, format!("no credentials: {}", chain(e))),
        kube::Error::UpgradeConnection(e) => {
            Trouble::new(TroubleKind::Garbage, format!("the API server does not open a web socket: {}", chain(e)))
        }
        kube::Error::SerdeError(_) | kube::Error::FromUtf8(_) => {
            Trouble::new(TroubleKind::Garbage, format!("the answer is no Kubernetes object: {}", chain(error)))
        }
        kube::Error::RustlsTls(e) => Trouble::new(TroubleKind::Tls, chain(e)),
        other => {
            let text = chain(other);
            let text = text.split(": https://docs.rs").next().unwrap_or_default();
            let lower = text.to_lowercase();
            let cut = ["close_notify", "peer closed", "reset", "incomplete", "reading a body", "broken pipe"];
            if cut.iter().any(|word| lower.contains(word)) {
                Trouble::new(TroubleKind::Cut, format!("the connection to the API server broke: {text}"))
            } else if lower.contains("certificate") || lower.contains("tls") || lower.contains("handshake") {
                Trouble::new(TroubleKind::Tls, format!("no trusted connection to the API server: {text}"))
            } else if lower.contains("timed out") || lower.contains("deadline") || lower.contains("elapsed") {
                let within = seconds(bounds.time);
                Trouble::new(TroubleKind::TimedOut, format!("no connection to the API server within {within}"))
            } else if lower.contains("connect") || lower.contains("dns") || lower.contains("resolve") {
                Trouble::new(TroubleKind::Unreachable, format!("cannot connect to the API server: {text}"))
            } else if lower.contains("parse") || lower.contains("invalid http") {
                Trouble::new(TroubleKind::Garbage, format!("the API server's answer is not HTTP: {text}"))
            } else {
                Trouble::new(TroubleKind::Cut, format!("the connection to the API server broke: {text}"))
            }
        }
    }
}

/// What the API server says.
fn api(status: &kube::core::Status) -> Trouble {
    let message = if status.message.is_empty() { status.reason.clone() } else { status.message.clone() };
    let kind = match status.code {
        401 => TroubleKind::Unauthorized,
        403 => TroubleKind::Denied,
        _ if message.contains("is not valid for pod") || message.contains("container not found") => {
            TroubleKind::NoContainer
        }
        404 => TroubleKind::NotFound,
        _ if message.contains("does not have a host assigned") || message.contains("pod is not running") => {
            TroubleKind::NotReady
        }
        504 => TroubleKind::TimedOut,
        _ => TroubleKind::Refused,
    };
    let message = if message.is_empty() { format!("the API server answered {}", status.code) } else { message };
    Trouble::new(kind, message)
}
