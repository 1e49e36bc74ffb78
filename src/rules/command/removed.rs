//! Flags of workers and of the planner that are gone.

use crate::manifest::ComponentType;
use crate::resolve::{Deployment, Framework, Role, Service};
use crate::rules::Findings;

/// A flag that a component no longer takes.
struct Removed {
    component: Framework,
    flag: &'static str,
    /// First release without it.
    since: (u16, u16),
    /// What to write.
    now: &'static str,
}

/// Migration is the frontend's since 1.0.
const MIGRATION: Removed = Removed {
    component: Framework::Vllm,
    flag: "--migration-limit",
    since: (1, 0),
    now: "give it to the frontend (ai-dynamo/dynamo#5918)",
};

/// Release notes and source history of ai-dynamo/dynamo.
const REMOVED: [Removed; 10] = [
    MIGRATION,
    Removed { component: Framework::Sglang, ..MIGRATION },
    Removed { component: Framework::Trtllm, ..MIGRATION },
    Removed {
        component: Framework::Trtllm,
        flag: "--disaggregation-strategy",
        since: (0, 7),
        now: "drop it: decode-first is gone, requests always go to prefill first (ai-dynamo/dynamo#4097)",
    },
    Removed {
        component: Framework::Vllm,
        flag: "--is-prefill-worker",
        since: (1, 4),
        now: "write `--disaggregation-mode prefill` (ai-dynamo/dynamo#12089)",
    },
    Removed {
        component: Framework::Vllm,
        flag: "--is-decode-worker",
        since: (1, 4),
        now: "write `--disaggregation-mode decode` (ai-dynamo/dynamo#12089)",
    },
    Removed {
        component: Framework::Vllm,
        flag: "--store-kv",
        since: (1, 0),
        now: "write `--discovery-backend` (ai-dynamo/dynamo#6167)",
    },
    Removed {
        component: Framework::Sglang,
        flag: "--store-kv",
        since: (1, 0),
        now: "write `--discovery-backend` (ai-dynamo/dynamo#6167)",
    },
    Removed {
        component: Framework::Trtllm,
        flag: "--store-kv",
        since: (1, 0),
        now: "write `--discovery-backend` (ai-dynamo/dynamo#6167)",
    },
    Removed {
        component: Framework::Trtllm,
        flag: "--next-endpoint",
        since: (0, 7),
        now: "drop it: the router pairs prefill and decode",
    },
];

/// `removed-worker-flag`
pub fn removed_worker_flag(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        for gone in REMOVED.iter().filter(|r| service.framework == Some(r.component)) {
            let (major, minor) = gone.since;
            // What went with 1.0 or before is gone from every release that is still supported.
            let holds = service.at_least(major, minor) || (service.version().is_none() && gone.since <= (1, 0));
            let Some(flag) = service.flag(&[gone.flag]).filter(|_| holds) else { continue };
            out.report(
                flag.full_span(),
                format!("`dynamo.{}` has no `{}` any more", gone.component.as_str(), gone.flag),
                format!("removed in Dynamo {major}.{minor}: the worker exits on the unknown argument"),
            )
            .service(service)
            .subject(gone.flag)
            .help(gone.now)
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
