//! `dynlint probe capture`

use std::path::PathBuf;

use clap::Args;

use super::{Output, Target, in_session, print};
use crate::cli::Exit;
use crate::probe::report::Report;
use crate::probe::{Check, env, nixl, node};

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
    let lost = |check| Report::new("capture", "cluster", vec![check]);
    let result = in_session(&target, false, lost, async |session| {
        let aim = session.aim(&target);
        let node = node::probe(&*session.transport, &aim, session.bounds).await.report;
        let mut checks = access(node.checks);
        if aim.pod.is_some() || aim.deployment.is_some() {
            checks.extend(access(env::probe(&*session.transport, &aim, session.bounds).await.report.checks));
        }
        checks.extend(access(nixl::probe(&*session.transport, &aim, session.bounds).await.0));
        Report::new("capture", node.target, checks)
    });
    match result {
        Ok(report) => print(&report, None, &args.output),
        Err(exit) => exit,
    }
}

/// Only whether the facts could be had: what they mean is for whoever replays them.
fn access(checks: Vec<Check>) -> Vec<Check> {
    checks.into_iter().filter(|check| check.name.ends_with("-access") && check.name != "rdma-access").collect()
}
