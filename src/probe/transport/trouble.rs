//! Why there is no answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Answer;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// No usable kubeconfig, unknown context, bad credentials plugin.
    Config,
    /// The address does not resolve, or nothing listens there.
    Unreachable,
    /// The peer's certificate is not trusted, or the handshake failed.
    Tls,
    /// Not logged in (401).
    Unauthorized,
    /// RBAC says no (403).
    Denied,
    /// No such object (404).
    NotFound,
    /// The pod does not run (yet, or any more).
    NotReady,
    /// The pod has no such container.
    NoContainer,
    /// The container has no such program.
    NoProgram,
    /// Anything else that the API server or kubelet refused.
    Refused,
    /// The connection ended in the middle.
    Cut,
    /// Not within the time given.
    TimedOut,
    /// The answer is not what the protocol says.
    Garbage,
    /// This transport cannot do that: pods without a cluster, a URL that is not HTTP.
    Unsupported,
    /// The snapshot has no answer to that.
    NotRecorded,
}

/// Why there is no answer, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What went wrong.
    pub kind: TroubleKind,
    /// One line; lower case, no full stop.
    pub message: String,
}

impl Trouble {
    /// A trouble.
    #[must_use]
    pub fn new(kind: TroubleKind, message: impl Into<String>) -> Self {
        let message: String = message.into();
        // One line, and not a page: servers put whole documents into errors.
        let mut line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((at, _)) = line.char_indices().nth(400) {
            line.truncate(at);
            line.push('…');
        }
        Self { kind, message: line }
    }

    /// An answer to another question: a snapshot that was tampered with.
    #[must_use]
    pub fn mismatch(answer: &Answer) -> Self {
        let what = match answer {
            Answer::Output(_) => "the output of a program",
            Answer::Pods(_) => "a list of pods",
            Answer::Pod(_) => "a pod",
            Answer::Service(_) => "a service",
            Answer::Http(_) => "an HTTP answer",
        };
        Self::new(TroubleKind::Garbage, format!("the answer is {what}, which was not asked for"))
    }

    /// What to do about it.
    #[must_use]
    pub const fn next(&self) -> &'static str {
        match self.kind {
            TroubleKind::Config => "check `kubectl config get-contexts`, or pass `--kubeconfig` and `--context`",
            TroubleKind::Unreachable => "check the address and the network: `kubectl cluster-info`",
            TroubleKind::Tls => {
                "check the certificate authority and the clock; `SSL_CERT_FILE` names an authority of your own for a URL"
            }
            TroubleKind::Unauthorized => "log in again: `kubectl auth whoami`",
            TroubleKind::Denied => {
                "ask for the read-only role in docs/probe.md; `kubectl auth can-i create pods/exec` tells whether you have it"
            }
            TroubleKind::NotFound => "check namespace and name: `kubectl get pods -A`",
            TroubleKind::NotReady => "wait until the pod runs: `kubectl describe pod` says what holds it",
            TroubleKind::NoContainer => "name one of the pod's containers with `-c`",
            TroubleKind::NoProgram => "use an image that has it, or a debug container; without it this stays unknown",
            TroubleKind::Refused => "see what the API server says: `kubectl get events`",
            TroubleKind::Cut => "run it again; a connection that is cut twice points at a proxy in between",
            TroubleKind::TimedOut => "raise `--timeout`, or find out what hangs",
            TroubleKind::Garbage => "check what listens there: it does not speak the protocol",
            TroubleKind::Unsupported => "name a pod with `--pod`, or a deployment with `--deployment`",
            TroubleKind::NotRecorded => "record the snapshot again with the same options and this version of dynlint",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

/// A time as people say it: `10 s`, `0.5 s`.
pub(super) fn seconds(time: std::time::Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) { format!("{} s", millis / 1000) } else { format!("{} s", time.as_secs_f64()) }
}
