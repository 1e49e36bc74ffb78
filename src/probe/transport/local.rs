//! The machine that dynlint runs on.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;

use super::{Answer, Ask, Bounds, Output, Place, Transport, Trouble, TroubleKind, http, redact};
use crate::probe::program::Program;

/// Runs programs here, and makes HTTP exchanges from here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Transport for Local {
    fn ask<'a>(&'a self, ask: &'a Ask, bounds: Bounds) -> LocalBoxFuture<'a, Result<Answer, Trouble>> {
        Box::pin(async move {
            match ask {
                Ask::Exec { place: Place::Here {}, program } => {
                    let program = program.clone();
                    let run = tokio::task::spawn_blocking(move || run(&program, bounds));
                    let mut output = run.await.map_err(|e| Trouble::new(TroubleKind::Garbage, e.to_string()))??;
                    redact::output(&mut output);
                    Ok(Answer::Output(output))
                }
                Ask::Http(request) => Ok(Answer::Http(http::exchange(request, bounds).await?)),
                Ask::Exec { .. } | Ask::Pods { .. } | Ask::Pod { .. } | Ask::Service { .. } => {
                    Err(Trouble::new(TroubleKind::Unsupported, "there is no cluster to ask"))
                }
            }
        })
    }

    fn describe(&self) -> String {
        "this machine".to_owned()
    }

    fn namespace(&self) -> String {
        "default".to_owned()
    }
}

/// Runs a program to its end, or to the end of its time; blocks.
fn run(program: &Program, bounds: Bounds) -> Result<Output, Trouble> {
    let deadline = Instant::now() + bounds.time;
    let argv = program.argv();
    let (name, args) = argv.split_first().ok_or_else(|| Trouble::new(TroubleKind::NoProgram, "no program"))?;
    let mut command = Command::new(name);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Trouble::new(TroubleKind::NoProgram, format!("there is no `{name}` here")),
        std::io::ErrorKind::PermissionDenied => {
            Trouble::new(TroubleKind::Denied, format!("`{name}` may not be run: {error}"))
        }
        _ => Trouble::new(TroubleKind::Refused, format!("cannot run `{name}`: {error}")),
    })?;
    let stdout = child.stdout.take().map(|pipe| collect(pipe, bounds.bytes));
    let stderr = child.stderr.take().map(|pipe| collect(pipe, bounds.bytes));
    let mut pause = Duration::from_millis(1);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() >= deadline => break None,
            Ok(None) => std::thread::sleep(pause),
            Err(error) => return Err(Trouble::new(TroubleKind::Refused, error.to_string())),
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let cut = status.is_none().then(|| {
        kill(&mut child);
        Trouble::new(TroubleKind::TimedOut, format!("not done within {}", super::trouble::seconds(bounds.time)))
    });
    // A grandchild may hold the pipes open after the child is gone: what has come by then is what there is.
    let patience = Instant::now() + Duration::from_millis(500);
    let take = |reader: Option<Reader>| reader.map(|r| r.take(patience)).unwrap_or_default();
    let ((out, out_more), (err, err_more)) = (take(stdout), take(stderr));
    Ok(Output {
        code: status.and_then(|status| status.code()),
        stdout: String::from_utf8_lossy(&out).into_owned(),
        stderr: String::from_utf8_lossy(&err).into_owned(),
        truncated: out_more || err_more,
        cut,
    })
}

/// Ends a program and what it started.
fn kill(child: &mut std::process::Child) {
    #[cfg(unix)]
    {
        let group = format!("-{}", child.id());
        let quiet = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        drop(quiet);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Reads a pipe in a thread, so that neither of two can fill up and neither can hold us.
struct Reader {
    pieces: mpsc::Receiver<Vec<u8>>,
    limit: usize,
}

fn collect(mut pipe: impl Read + Send + 'static, limit: usize) -> Reader {
    let (send, pieces) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 << 10];
        let mut kept = 0;
        while let Ok(n) = pipe.read(&mut buffer) {
            // Beyond the limit it is read on, so that the program does not hang on a full pipe, and dropped.
            let keep = n.min((limit + 1).saturating_sub(kept));
            kept += keep;
            if n == 0 || (keep > 0 && send.send(buffer[..keep].to_vec()).is_err()) {
                break;
            }
        }
    });
    Reader { pieces, limit }
}

impl Reader {
    /// What came until the pipe was closed, at most until then; and whether there was more than the limit.
    fn take(self, until: Instant) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        while let Ok(piece) = self.pieces.recv_timeout(until.saturating_duration_since(Instant::now())) {
            all.extend(piece);
        }
        let more = all.len() > self.limit;
        all.truncate(self.limit);
        (all, more)
    }
}
