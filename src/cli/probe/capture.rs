//! `dynlint probe capture`

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::router::Smoke;
use super::{Output, Session, Target, in_session, print};
use crate::cli::Exit;
use crate::probe::report::Report;
use crate::probe::{Check, Layer, Status, TroubleKind, env, nixl, node, router};

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Directory for the snapshot; made when it is not there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    smoke: Smoke,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Capture) -> Exit {
    let mut target = args.target.clone();
    target.record = Some(args.dir.clone());
    let lost = |check| Report::new("capture", "cluster", vec![check]);
    let result = in_session(&target, args.smoke.service.is_some(), lost, async |session| {
        let aim = session.aim(&target);
        let node = node::probe(&*session.transport, &aim, session.bounds).await.report;
        let mut checks = access(node.checks);
        if aim.pod.is_some() || aim.deployment.is_some() {
            checks.extend(access(env::probe(&*session.transport, &aim, session.bounds).await.report.checks));
        }
        checks.extend(access(nixl::probe(&*session.transport, &aim, session.bounds).await.0));
        if aim.deployment.is_some() || args.smoke.service.is_some() || args.smoke.base_url.is_some() {
            checks.push(frontend(session, args, aim.deployment.as_deref()).await);
        }
        Report::new("capture", node.target, checks)
    });
    match result {
        Ok(report) => print(&report, None, &BTreeMap::new(), &args.output),
        Err(exit) => exit,
    }
}

/// Asks a frontend what `probe router` asks; the check says whether it answered.
async fn frontend(session: &Session, args: &Capture, deployment: Option<&str>) -> Check {
    const NAME: &str = "frontend-access";
    let transport = &*session.transport;
    match args.smoke.frontend(transport, &session.namespace, None, deployment, session.bounds).await {
        Ok((frontend, _)) => {
            let outcome = router::probe(transport, &frontend, &args.smoke.options(true), session.bounds).await;
            let known = outcome.observed.workers_by.is_some() || outcome.observed.version.is_some();
            let check = match outcome.checks.into_iter().find(|check| check.name == "models") {
                Some(models) if !known => Check { name: NAME.to_owned(), ..models },
                _ => Check::new(NAME, Layer::Capability, Status::Ok, "all answers read"),
            };
            check.on(frontend.to_string())
        }
        // A graph behind a gateway has none.
        Err(trouble) if trouble.kind == TroubleKind::NotFound => {
            Check::new(NAME, Layer::Capability, Status::Skipped, trouble.message)
        }
        Err(trouble) => router::failed(NAME, &trouble),
    }
}

/// Only whether the facts could be had: what they mean is for whoever replays them.
fn access(checks: Vec<Check>) -> Vec<Check> {
    checks.into_iter().filter(|check| check.name.ends_with("-access") && check.name != "rdma-access").collect()
}
