//! `dynlint probe env`

use clap::Args;

use super::manifest::Judged;
use super::{Manifest, Output, Target, in_session, settled};
use crate::cli::{Exit, output};
use crate::probe::report::Report;
use crate::probe::{Check, Layer, Status, env};
use crate::resolve::Deployment;
use crate::rules::Findings;

#[derive(Debug, Args)]
pub(super) struct Env {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    manifest: Manifest,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Env) -> Exit {
    if args.target.pod.is_none() && args.target.deployment.is_none() {
        output::error("which pods? name one with `--pod`, or all of a deployment with `--deployment`");
        return Exit::Usage;
    }
    let lost = |check| env::Probed { report: Report::new("env", "cluster", vec![check]), seen: vec![] };
    let result = in_session(&args.target, true, lost, async |session| {
        env::probe(&*session.transport, &session.aim(&args.target), session.bounds).await
    });
    let (mut report, seen) = match result {
        Ok(env::Probed { report, seen }) => (report, seen),
        Err(exit) => return exit,
    };
    let of = Judged::of(&args.target, seen.iter().map(|s| (s.target.clone(), s.component.clone())));
    if args.manifest.manifest.is_some() {
        let meant = args.manifest.meant(&of);
        let open: Vec<env::Decided> = meant.iter().flat_map(|d| env::decided(d, &seen)).collect();
        if !open.is_empty() {
            let lines = open.iter().map(|d| {
                let value = d.value.as_deref().map_or_else(|| "not set".to_owned(), |v| format!("`{v}`"));
                format!("{} of {}: {value} in {} ({})", d.name, d.service, d.target, d.reason)
            });
            let detail = format!("{} values that the manifest leaves open are decided here", open.len());
            let check = Check::new("env-decided", Layer::Capability, Status::Ok, detail).seen(lines);
            report.add(check);
        }
        for check in settled::checks(&args.manifest, &of, &meant, &seen) {
            report.add(check);
        }
    }
    let judge = |deployment: &Deployment, findings: &mut Findings| env::judge_manifest(deployment, &seen, findings);
    args.manifest.finish(report, &of, &args.output, judge)
}
