//! `dynlint probe env`

use clap::Args;

use super::{Manifest, Output, Session, Target, run_async};
use crate::cli::{Exit, output};
use crate::lint::{self, Input};
use crate::probe::report::Report;
use crate::probe::{Check, Layer, Status, env, pods};
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
    let result = run_async(async {
        let session = match Session::open(&args.target, true).await {
            Ok(session) => session,
            Err(Ok(exit)) => return Err(exit),
            Err(Err(trouble)) => {
                let report = Report::new("env", "cluster", vec![pods::failed("cluster", &trouble)]);
                return Ok(env::Probed { report, seen: vec![] });
            }
        };
        let aim = session.aim(&args.target);
        let probed = env::probe(&*session.transport, &aim, session.bounds).await;
        session.close()?;
        Ok(probed)
    });
    let (mut report, seen) = match result {
        Ok(Ok(env::Probed { report, seen })) => (report, seen),
        Ok(Err(exit)) | Err(exit) => return exit,
    };
    let namespace = args.target.namespace.as_deref();
    if let Some(path) = &args.manifest.manifest {
        let (deployments, _) = lint::resolve(&[Input::Path(path.clone())], &args.manifest.options(namespace));
        let open: Vec<env::Decided> = deployments.iter().flat_map(|d| env::decided(d, &seen)).collect();
        if !open.is_empty() {
            let lines = open.iter().map(|d| {
                let value = d.value.as_deref().map_or_else(|| "not set".to_owned(), |v| format!("`{v}`"));
                format!("{} of {}: {value} in {} ({})", d.name, d.service, d.target, d.reason)
            });
            let detail = format!("{} values that the manifest leaves open are decided here", open.len());
            let check = Check::new("env-decided", Layer::Capability, Status::Ok, detail).seen(lines);
            report.add(check);
        }
    }
    let judge = |deployment: &Deployment, findings: &mut Findings| env::judge_manifest(deployment, &seen, findings);
    args.manifest.finish(report, namespace, &args.output, judge)
}
