//! `dynlint probe router`

use std::time::Duration;

use clap::Args;

use super::manifest::Judged;
use super::{Manifest, Output, Session, Target, in_session};
use crate::cli::{Exit, output};
use crate::lint::{self, Input};
use crate::probe::report::Report;
use crate::probe::router::claims::{self, Claims};
use crate::probe::router::frontend::Frontend;
use crate::probe::router::{self, PROMPT};
use crate::probe::{Bounds, Check, Layer, Status, Transport, Trouble};
use crate::resolve::Deployment;
use crate::rules::Findings;

/// Whether a frontend serves, in which mode, with which workers, and whether KV events arrive.
#[derive(Debug, Args)]
pub(super) struct Router {
    #[command(flatten)]
    pub(super) smoke: Smoke,
    #[command(flatten)]
    manifest: Manifest,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

/// Which frontend, and what it is asked.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Smoke {
    /// URL of the frontend, `http` or `https`; without it, --deployment, --service and --pod reach it by a port-forward
    /// [default: http://127.0.0.1:8000]
    #[arg(long, value_name = "URL", conflicts_with_all = ["pod", "service"])]
    pub(in crate::cli) base_url: Option<String>,
    /// Service of the frontend: one of its pods is asked, as `kubectl port-forward svc/NAME` would
    #[arg(long, value_name = "NAME", conflicts_with_all = ["deployment", "pod"])]
    pub(in crate::cli) service: Option<String>,
    /// Port of the frontend's pod or service; its port `http`, or 8000, unless given
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) port: Option<u16>,
    /// How often to ask for models until one is listed
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(in crate::cli) retries: u32,
    /// Time between two of these, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = pause)]
    pub(in crate::cli) retry_sleep: Duration,
    /// Model; the first that is listed unless given
    #[arg(long, value_name = "MODEL")]
    pub(in crate::cli) model: Option<String>,
    /// Prompt of the smoke requests
    #[arg(long, value_name = "TEXT", default_value = PROMPT, hide_default_value = true)]
    pub(in crate::cli) prompt: String,
    /// Most tokens of a completion
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(in crate::cli) max_tokens: u32,
    /// Ask for no completion
    #[arg(long)]
    pub(in crate::cli) skip_chat: bool,
}

impl Smoke {
    /// What the probe is told; `live` is whether there is something to wait for.
    pub(in crate::cli) fn options(&self, live: bool) -> router::Options {
        router::Options {
            retries: self.retries,
            retry_sleep: self.retry_sleep,
            model: self.model.clone(),
            prompt: self.prompt.clone(),
            max_tokens: self.max_tokens,
            skip_chat: self.skip_chat,
            pause: live,
        }
    }

    /// The frontend that is meant, and how many there are.
    pub(in crate::cli) async fn frontend(
        &self,
        transport: &dyn Transport,
        namespace: &str,
        pod: Option<&str>,
        deployment: Option<&str>,
        bounds: Bounds,
    ) -> Result<(Frontend, usize), Trouble> {
        if let Some(url) = &self.base_url {
            return Ok((Frontend::url(url)?, 1));
        }
        if let Some(service) = &self.service {
            return Frontend::of_service(transport, namespace, service, self.port, bounds).await;
        }
        if let Some(deployment) = deployment {
            return Frontend::of_deployment(transport, namespace, deployment, self.port, bounds).await;
        }
        if let Some(pod) = pod {
            let pod = transport.pod(namespace, pod, bounds).await?;
            pod.usable(None)?;
            return Ok((Frontend::of_pod(&pod, self.port), 1));
        }
        Ok((Frontend::url("http://127.0.0.1:8000")?, 1))
    }
}

/// Seconds from 0 on, fractions allowed.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    if text.parse::<f64>().is_ok_and(|n| n == 0.0) { Ok(Duration::ZERO) } else { super::seconds(text) }
}

pub(super) fn run(args: &Router) -> Exit {
    let of = Judged::of(&args.target, std::iter::empty());
    // Before anything is asked: which deployment is meant.
    let claims = match args.manifest.manifest.as_ref().map(|path| read(path, &args.manifest, &of)).transpose() {
        Ok(claims) => claims,
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    let lost = |check| (Report::new("router", "cluster", vec![check]), false);
    let mut target = args.target.clone();
    if args.smoke.base_url.is_some() {
        // It says which deployment of the manifest is meant; no cluster is asked.
        target.deployment = None;
    }
    let result = in_session(&target, args.smoke.service.is_some(), lost, async |session| {
        probe(session, args, claims.as_ref()).await
    });
    let (report, known) = match result {
        Ok(result) => result,
        Err(exit) => return exit,
    };
    let observed = report.router.clone().unwrap_or_default();
    let judge = |deployment: &Deployment, findings: &mut Findings| {
        // Nothing that was read can contradict a manifest.
        if known && claims.as_ref().is_some_and(|claims| claims.deployment == deployment.name) {
            claims::judge(deployment, &observed, findings);
        }
    };
    args.manifest.finish(report, &of, &args.output, judge)
}

/// The report, and whether enough was read to hold a manifest against it.
async fn probe(session: &Session, args: &Router, claims: Option<&Claims>) -> (Report, bool) {
    let Target { pod, deployment, .. } = &args.target;
    let transport = &*session.transport;
    let found =
        args.smoke.frontend(transport, &session.namespace, pod.as_deref(), deployment.as_deref(), session.bounds).await;
    let (frontend, count) = match found {
        Ok(found) => found,
        Err(trouble) => {
            let named = deployment.as_ref().or(pod.as_ref()).or(args.smoke.service.as_ref());
            let url = args.smoke.base_url.as_ref();
            let name = if named.is_some() && url.is_none() { "frontend" } else { "base-url" };
            let target = url.or(named).cloned();
            let checks = vec![router::failed(name, &trouble)];
            return (Report::new("router", target.unwrap_or_default(), checks), false);
        }
    };
    let live = args.target.snapshot.is_none();
    let mut outcome = router::probe(transport, &frontend, &args.smoke.options(live), session.bounds).await;
    if count > 1 {
        let detail = format!("one of {count} frontends was asked; each has a router of its own");
        outcome.checks.push(Check::new("frontends", Layer::Capability, Status::Skipped, detail));
    }
    let known = outcome.observed.workers_by.is_some() || outcome.observed.version.is_some();
    if known {
        outcome.checks.extend(claims.iter().flat_map(|claims| claims.compare(&outcome.observed)));
    }
    (router::report(&frontend.to_string(), outcome), known)
}

/// The claims of a recipe. With several deployments in it, `--deployment` says which.
fn read(path: &std::path::Path, manifest: &Manifest, of: &Judged<'_>) -> Result<Claims, (Exit, String)> {
    let shown = path.display();
    let (mut deployments, report) = lint::resolve(&[Input::Path(path.to_owned())], &manifest.options(of.namespace));
    if report.summary.unreadable > 0 {
        return Err((Exit::Unreadable, format!("cannot read `{shown}`: `dynlint check {shown}` says why")));
    }
    of.narrow(&mut deployments);
    match deployments.as_slice() {
        [] => Err((Exit::Nothing, format!("no DynamoGraphDeployment in `{shown}`"))),
        [one] => Ok(Claims::of(one)),
        many => {
            let names = many.iter().map(|d| format!("`{}`", d.name)).collect::<Vec<_>>().join(", ");
            let message =
                format!("`{shown}` has several deployments ({names}); name one with `--deployment`, or its file");
            Err((Exit::Usage, message))
        }
    }
}
