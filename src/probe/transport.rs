//! The one way out of the house: every probe asks through a [`Transport`], so that a local run, a cluster and a recorded
//! snapshot differ nowhere else.
//!
//! A transport only reads. What it can be asked is the closed list of [`Ask`]; programs come from
//! [`super::program`] alone. Credentials are masked here, before an answer reaches a probe or a snapshot.

mod cluster;
mod http;
mod local;
mod objects;
mod redact;
mod snapshot;
mod trouble;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use serde::{Deserialize, Serialize};

use super::program::Program;

pub use cluster::{Access, Cluster};
pub use http::Url;
pub use local::Local;
pub use objects::{Container, EnvEntry, Pod, Port, Service};
pub use snapshot::{Recorder, SNAPSHOT_VERSION, Snapshot};
pub use trouble::{Trouble, TroubleKind};

/// Most bytes that are kept of each stream of a program, and of an HTTP body, unless asked otherwise.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// Where a program runs or a file is read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A container of a pod; none is the pod's default container.
    Pod {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
        /// Container.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
    },
    /// The machine that dynlint runs on.
    Here {},
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here {} => f.write_str("this machine"),
            Self::Pod { namespace, pod, container: None } => write!(f, "{namespace}/{pod}"),
            Self::Pod { namespace, pod, container: Some(container) } => write!(f, "{namespace}/{pod}/{container}"),
        }
    }
}

/// Where an HTTP request goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Endpoint {
    /// A URL, `http` or `https`.
    Url {
        /// The URL with its path.
        url: String,
    },
    /// A port of a pod, through a port-forward in process; plain HTTP.
    Pod {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
        /// Port.
        port: u16,
        /// Path, with its query; starts with `/`.
        path: String,
    },
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url { url } => f.write_str(url),
            Self::Pod { namespace, pod, port, path } => write!(f, "{namespace}/{pod}:{port}{path}"),
        }
    }
}

/// An HTTP request. Redirects are not followed: what answers must be what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Where to.
    pub endpoint: Endpoint,
    /// Headers besides `Host` and `Content-Length`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Tells equal requests apart in a snapshot: the how-manieth it is.
    #[serde(default)]
    pub turn: u32,
}

impl HttpRequest {
    /// A `GET`.
    #[must_use]
    pub fn get(endpoint: Endpoint) -> Self {
        Self { method: "GET".to_owned(), endpoint, headers: Vec::new(), body: None, turn: 0 }
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(endpoint: Endpoint, body: &serde_json::Value) -> Self {
        Self {
            method: "POST".to_owned(),
            endpoint,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Some(body.to_string()),
            turn: 0,
        }
    }
}

/// An HTTP answer, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body as text; bytes that are no UTF-8 become U+FFFD.
    pub body: String,
    /// Whether the body went on beyond the limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// Why the body ended early, when the peer cut it or the time ran out after the head had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Trouble>,
    /// From the start of the request to the head of the answer, in microseconds.
    pub head_micros: u64,
    /// Arrival of each piece of the body: bytes so far, microseconds since the start of the request. At most
    /// [`ARRIVALS`] pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<(u64, u64)>,
    /// From the start of the request to the end of the body, in microseconds.
    pub total_micros: u64,
}

/// Most pieces of a body whose arrival is kept.
pub const ARRIVALS: usize = 4096;

impl HttpReply {
    /// A header by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What a program left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Exit code; none when it was killed or the answer did not say.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Whether a stream went on beyond the limit.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// Why it ended early: what came before is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Trouble>,
}

impl Output {
    /// Why a script's output did not come whole, and what to do about it.
    #[must_use]
    pub fn shortfall(&self, bounds: Bounds) -> (String, &'static str) {
        if let Some(cut) = &self.cut {
            return (cut.to_string(), cut.next());
        }
        if self.truncated {
            let next = "look at what the image calls by the names of these tools: one of them prints without end";
            return (format!("more than {} bytes: cut off there", bounds.bytes), next);
        }
        // 128 and the number of a signal: the pod is going away, or somebody ended it.
        if let Some(code) = self.code.filter(|code| *code > 128) {
            let next = "check that the pod still runs, then run it again";
            return (format!("killed before it was done (exit code {code})"), next);
        }
        let said = self.stderr.lines().next().unwrap_or("no message");
        let next = "run `sh -c true` in the container: a POSIX shell is all that is needed";
        (format!("the answer is not what was asked for; standard error says: {said}"), next)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape that serde asks for
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Bounds of one question. No part of what identifies it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Longest time.
    pub time: Duration,
    /// Most bytes kept of each stream.
    pub bytes: usize,
}

impl Bounds {
    /// That time, and [`OUTPUT_LIMIT`].
    #[must_use]
    pub const fn of(time: Duration) -> Self {
        Self { time, bytes: OUTPUT_LIMIT }
    }
}

/// Everything that a transport can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
pub enum Ask {
    /// Run a program to its end.
    Exec {
        /// Where.
        place: Place,
        /// Which: one of [`super::program`].
        program: Program,
    },
    /// The pods that a label selector chooses.
    Pods {
        /// Namespace.
        namespace: String,
        /// Label selector, `a=b,c=d`.
        selector: String,
    },
    /// One pod.
    Pod {
        /// Namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// One service.
    Service {
        /// Namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An HTTP exchange.
    Http(HttpRequest),
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// To [`Ask::Exec`].
    Output(Output),
    /// To [`Ask::Pods`], sorted by name.
    Pods(Vec<Pod>),
    /// To [`Ask::Pod`].
    Pod(Box<Pod>),
    /// To [`Ask::Service`].
    Service(Service),
    /// To [`Ask::Http`].
    Http(HttpReply),
}

/// A way to ask.
pub trait Transport {
    /// Asks. Comes back within `bounds.time`, with at most `bounds.bytes` of each stream.
    ///
    /// # Errors
    /// When there is no answer: unreachable, denied, not there, cut, out of time.
    fn ask<'a>(&'a self, ask: &'a Ask, bounds: Bounds) -> LocalBoxFuture<'a, Result<Answer, Trouble>>;

    /// What the questions go to, for titles: `local`, a context, a directory.
    fn describe(&self) -> String;

    /// The namespace where pods are looked for, unless said.
    fn namespace(&self) -> String;
}

impl dyn Transport + '_ {
    /// Runs a program.
    ///
    /// # Errors
    /// When it could not be started: see [`TroubleKind`]. One that started and was cut short is an [`Output`] with `cut`.
    pub async fn exec(&self, place: &Place, program: Program, bounds: Bounds) -> Result<Output, Trouble> {
        match self.ask(&Ask::Exec { place: place.clone(), program }, bounds).await? {
            Answer::Output(output) => Ok(output),
            other => Err(Trouble::mismatch(&other)),
        }
    }

    /// Lists pods, sorted by name.
    ///
    /// # Errors
    /// When the API server does not give the list.
    pub async fn pods(&self, namespace: &str, selector: &str, bounds: Bounds) -> Result<Vec<Pod>, Trouble> {
        let ask = Ask::Pods { namespace: namespace.to_owned(), selector: selector.to_owned() };
        match self.ask(&ask, bounds).await? {
            Answer::Pods(pods) => Ok(pods),
            other => Err(Trouble::mismatch(&other)),
        }
    }

    /// Gets a pod.
    ///
    /// # Errors
    /// When the API server does not give it.
    pub async fn pod(&self, namespace: &str, name: &str, bounds: Bounds) -> Result<Pod, Trouble> {
        let ask = Ask::Pod { namespace: namespace.to_owned(), name: name.to_owned() };
        match self.ask(&ask, bounds).await? {
            Answer::Pod(pod) => Ok(*pod),
            other => Err(Trouble::mismatch(&other)),
        }
    }

    /// Gets a service.
    ///
    /// # Errors
    /// When the API server does not give it.
    pub async fn service(&self, namespace: &str, name: &str, bounds: Bounds) -> Result<Service, Trouble> {
        let ask = Ask::Service { namespace: namespace.to_owned(), name: name.to_owned() };
        match self.ask(&ask, bounds).await? {
            Answer::Service(service) => Ok(service),
            other => Err(Trouble::mismatch(&other)),
        }
    }

    /// Makes an HTTP exchange.
    ///
    /// # Errors
    /// When no head of an answer came. Every status is an answer.
    pub async fn http(&self, request: HttpRequest, bounds: Bounds) -> Result<HttpReply, Trouble> {
        match self.ask(&Ask::Http(request), bounds).await? {
            Answer::Http(reply) => Ok(reply),
            other => Err(Trouble::mismatch(&other)),
        }
    }
}

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;
