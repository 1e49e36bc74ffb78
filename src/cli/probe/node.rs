//! `dynlint probe node`

use clap::Args;

use super::{Manifest, Output, Session, Target, run_async};
use crate::cli::Exit;
use crate::probe::report::Report;
use crate::probe::{node, pods};
use crate::resolve::Deployment;
use crate::rules::Findings;

#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    manifest: Manifest,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Node) -> Exit {
    let result = run_async(async {
        let session = match Session::open(&args.target, false).await {
            Ok(session) => session,
            Err(Ok(exit)) => return Err(exit),
            Err(Err(trouble)) => {
                let report = Report::new("node", "cluster", vec![pods::failed("cluster", &trouble)]);
                return Ok(node::Probed { report, seen: vec![] });
            }
        };
        let aim = session.aim(&args.target);
        let probed = node::probe(&*session.transport, &aim, session.bounds).await;
        session.close()?;
        Ok(probed)
    });
    match result {
        Ok(Ok(node::Probed { report, seen })) => {
            let judge = |deployment: &Deployment, findings: &mut Findings| {
                node::judge_manifest(deployment, &seen, findings);
            };
            args.manifest.finish(report, args.target.namespace.as_deref(), &args.output, judge)
        }
        Ok(Err(exit)) | Err(exit) => exit,
    }
}
