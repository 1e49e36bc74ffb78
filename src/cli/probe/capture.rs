//! `dynlint probe capture`

use std::path::PathBuf;

use clap::Args;

use super::{Output, Session, Target, print, run_async};
use crate::cli::Exit;
use crate::probe::report::Report;
use crate::probe::{Check, env, nixl, node, pods};

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Directory for the snapshot; made when it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Capture) -> Exit {
    let mut target = args.target.clone();
    target.record = Some(args.dir.clone());
    let result = run_async(async {
        let session = match Session::open(&target, false).await {
            Ok(session) => session,
            Err(Ok(exit)) => return Err(exit),
            Err(Err(trouble)) => return Ok(Report::new("capture", "cluster", vec![pods::failed("cluster", &trouble)])),
        };
        let aim = session.aim(&target);
        let node = node::probe(&*session.transport, &aim, session.bounds).await.report;
        let mut checks = access(node.checks);
        if aim.pod.is_some() || aim.deployment.is_some() {
            checks.extend(access(env::probe(&*session.transport, &aim, session.bounds).await.report.checks));
        }
        checks.extend(access(nixl::probe(&*session.transport, &aim, session.bounds).await.0));
        session.close()?;
        Ok(Report::new("capture", node.target, checks))
    });
    match result {
        Ok(Ok(report)) => print(&report, None, &args.output),
        Ok(Err(exit)) | Err(exit) => exit,
    }
}

/// Only whether the facts could be had: what they mean is for whoever replays them.
fn access(checks: Vec<Check>) -> Vec<Check> {
    checks.into_iter().filter(|check| check.name.ends_with("-access") && check.name != "rdma-access").collect()
}
