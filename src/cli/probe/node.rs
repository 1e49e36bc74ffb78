//! `dynlint probe node`

use clap::Args;

use super::{Output, Session, Target, print, run_async};
use crate::cli::Exit;
use crate::probe::report::Report;
use crate::probe::{Check, Layer, Status, node};

#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Node) -> Exit {
    let result = run_async(async {
        let session = match Session::open(&args.target, false).await {
            Ok(session) => session,
            Err(Ok(exit)) => return Err(exit),
            Err(Err(trouble)) => {
                let check = Check::new("cluster", Layer::Capability, Status::Fail, trouble.message.clone());
                return Ok(Report::new("node", "cluster", vec![check.then(trouble.next())]));
            }
        };
        let aim = node::Aim {
            namespace: session.namespace.clone(),
            pod: args.target.pod.clone(),
            container: args.target.container.clone(),
            deployment: args.target.deployment.clone(),
        };
        let report = node::probe(&*session.transport, &aim, session.bounds).await;
        session.close()?;
        Ok(report)
    });
    match result {
        Ok(Ok(report)) => print(&report, &args.output),
        Ok(Err(exit)) | Err(exit) => exit,
    }
}
