//! One run of a probe: where it asks, and what becomes of the answers.

use std::future::Future;
use std::path::PathBuf;
use std::rc::Rc;

use super::Target;
use super::progress::Progress;
use crate::cli::{Exit, output};
use crate::probe::pods::{self, Aim};
use crate::probe::transport::{Access, Cluster, Local, Recorder, Snapshot};
use crate::probe::{Bounds, Check, Transport, Trouble};

/// What a probe works with.
pub(in crate::cli) struct Session {
    /// Where to ask.
    pub(in crate::cli) transport: Rc<dyn Transport>,
    /// The namespace in force.
    pub(in crate::cli) namespace: String,
    /// Bounds of one question.
    pub(in crate::cli) bounds: Bounds,
    recording: Option<(Rc<Recorder>, PathBuf)>,
}

/// Opens a session, runs a probe in it to its end on this thread, and writes the recording. Without a way into the cluster
/// the failed check goes to `lost`, and that is the result.
///
/// # Errors
/// When the snapshot is unusable or the recording cannot be written; said already.
pub(in crate::cli) fn in_session<T>(
    args: &Target,
    cluster: bool,
    lost: impl FnOnce(Check) -> T,
    probe: impl AsyncFnOnce(&Session) -> T,
) -> Result<T, Exit> {
    run_async(async {
        let session = match Session::open(args, cluster).await {
            Ok(session) => session,
            Err(Ok(exit)) => return Err(exit),
            Err(Err(trouble)) => return Ok(lost(pods::failed("cluster", &trouble))),
        };
        let result = probe(&session).await;
        session.close()?;
        Ok(result)
    })?
}

/// Runs a future to its end, on this thread.
fn run_async<T>(future: impl Future<Output = T>) -> Result<T, Exit> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(future);
            // A name that is still being looked up is no reason to wait.
            runtime.shutdown_background();
            Ok(result)
        }
        Err(error) => {
            output::error(&format!("cannot start: {error}"));
            Err(Exit::Usage)
        }
    }
}

impl Session {
    /// Opens the transport that the options name: a snapshot, a cluster when a pod or deployment is given (or `cluster`
    /// says so), this machine otherwise.
    ///
    /// # Errors
    /// `Err(Ok(exit))` for an unusable snapshot, already said; `Err(Err(trouble))` when there is no way into the cluster.
    async fn open(args: &Target, cluster: bool) -> Result<Self, Result<Exit, Trouble>> {
        let bounds = Bounds::of(args.timeout);
        let cluster = cluster || args.pod.is_some() || args.deployment.is_some();
        let transport: Box<dyn Transport> = if let Some(path) = &args.snapshot {
            match Snapshot::read(path) {
                Ok(snapshot) => Box::new(snapshot),
                Err(message) => {
                    output::error(&message);
                    return Err(Ok(Exit::Unreadable));
                }
            }
        } else if cluster {
            let access = Access {
                kubeconfig: args.kubeconfig.clone(),
                context: args.context.clone(),
                namespace: args.namespace.clone(),
            };
            Progress::over(Box::new(Cluster::connect(&access, bounds).await.map_err(Err)?))
        } else {
            Progress::over(Box::new(Local))
        };
        let namespace = args.namespace.clone().unwrap_or_else(|| transport.namespace());
        let (transport, recording): (Rc<dyn Transport>, _) = match &args.record {
            Some(dir) => {
                let recorder = Rc::new(Recorder::new(transport));
                (Rc::clone(&recorder) as Rc<dyn Transport>, Some((recorder, dir.clone())))
            }
            None => (Rc::from(transport), None),
        };
        Ok(Self { transport, namespace, bounds, recording })
    }

    /// Which pods are meant.
    pub(in crate::cli) fn aim(&self, args: &Target) -> Aim {
        Aim {
            namespace: self.namespace.clone(),
            pod: args.pod.clone(),
            container: args.container.clone(),
            deployment: args.deployment.clone(),
        }
    }

    /// Writes the recording, when there is one to write.
    ///
    /// # Errors
    /// When it cannot be written; said already.
    fn close(self) -> Result<(), Exit> {
        let Some((recorder, dir)) = &self.recording else { return Ok(()) };
        match recorder.write(dir) {
            Ok(()) => {
                output::note(&format!("recorded in {}", dir.display()));
                Ok(())
            }
            Err(error) => {
                output::error(&format!("cannot write the recording to {}: {error}", dir.display()));
                Err(Exit::Unreadable)
            }
        }
    }
}
