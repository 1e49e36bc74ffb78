//! `dynlint probe node`

use clap::Args;

use super::manifest::Judged;
use super::{Manifest, Output, Target, in_session};
use crate::cli::Exit;
use crate::probe::node;
use crate::probe::report::Report;
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
    let lost = |check| node::Probed { report: Report::new("node", "cluster", vec![check]), seen: vec![] };
    let result = in_session(&args.target, false, lost, async |session| {
        node::probe(&*session.transport, &session.aim(&args.target), session.bounds).await
    });
    match result {
        Ok(node::Probed { report, seen }) => {
            let judge = |deployment: &Deployment, findings: &mut Findings| {
                node::judge_manifest(deployment, &seen, findings);
            };
            let places = seen.iter().map(|s| (s.target.clone(), s.component.clone()));
            args.manifest.finish(report, &Judged::of(&args.target, places), &args.output, judge)
        }
        Err(exit) => exit,
    }
}
