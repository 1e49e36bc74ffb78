//! Flags of workers and of the planner that are gone.

use super::release::removed;
use crate::finding::Confidence;
use crate::manifest::ComponentType;
use crate::resolve::{Deployment, Role, Service};
use crate::rules::Findings;

/// `removed-worker-flag`
pub fn removed_worker_flag(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let (Some(framework), Some(removed)) = (service.framework, removed(service)) else { continue };
        let mut said: Vec<&str> = Vec::new();
        for flag in service.args().into_iter().flat_map(|a| &a.flags) {
            let Some(gone) = removed(&flag.name).filter(|_| !said.contains(&flag.name.as_str())) else {
                continue;
            };
            said.push(&flag.name);
            let (major, minor) = gone.since;
            out.report(
                flag.full_span(),
                format!("`dynamo.{}` has no `{}` any more", framework.as_str(), flag.name),
                format!("removed in Dynamo {major}.{minor}: the worker exits on the unknown argument"),
            )
            .service(service)
            .subject(flag.name.clone())
            .confidence(if gone.official { Confidence::Certain } else { Confidence::Likely })
            .help(gone.now.unwrap_or("drop it: this release has nothing in its place"))
            .emit();
        }
    }
}

/// `planner-cli-removed`
pub fn planner_cli_removed(deployment: &Deployment, out: &mut Findings) {
    for service in planners(deployment) {
        // `-m planner_sla`, or `planner_sla.py` run by path; in the words of the process, whether a shell starts it or not.
        let module = service.launch.processes.iter().flat_map(|p| &p.argv).find(|word| {
            let last = word.text.as_str().rsplit(['/', '.']).find(|p| !p.is_empty() && *p != "py").unwrap_or_default();
            matches!(last, "planner_sla" | "planner_sla_v2")
        });
        if let Some(word) = module
            && !service.below(1, 0)
        {
            out.report(
                word.span(),
                "the planner is no longer started as `planner_sla`",
                "no such module since Dynamo 1.0",
            )
            .service(service)
            .subject("planner_sla")
            .help("write `-m dynamo.planner --config` with a JSON object or a file")
            .emit();
            continue;
        }
        if service.module() != Some("dynamo.planner") || service.below(1, 0) {
            continue;
        }
        let Some(args) = service.args() else { continue };
        if args.last(&["--config"]).is_some() {
            continue;
        }
        let old = [
            "--adjustment-interval",
            "--profile-results-dir",
            "--environment",
            "--backend",
            "--ttft",
            "--itl",
            "--no-operation",
        ];
        if let Some(flag) = args.flags.iter().find(|f| old.contains(&f.name.as_str())) {
            out.report(
                flag.full_span(),
                format!("`dynamo.planner` has no `{}` any more", flag.name),
                "its settings are keys of `--config` since Dynamo 1.0",
            )
            .service(service)
            .subject(flag.name.clone())
            .help("write `--config` with a JSON object or a file")
            .emit();
        }
    }
}

fn planners(deployment: &Deployment) -> impl Iterator<Item = &Service> {
    deployment
        .services
        .iter()
        .filter(|s| s.role == Role::Planner || s.component.component_type == ComponentType::Planner)
}
