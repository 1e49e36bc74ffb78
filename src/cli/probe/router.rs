//! `dynlint probe router`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Output, Session, Target, in_session, print};
use crate::cli::{Exit, output};
use crate::finding::Selection;
use crate::lint::{self, Input};
use crate::probe::report::Report;
use crate::probe::router::claims::Claims;
use crate::probe::router::frontend::Frontend;
use crate::probe::router::{self, PROMPT};
use crate::probe::{Bounds, Check, Layer, Status, Transport, Trouble};

/// Whether a frontend serves, in which mode, with which workers, and whether KV events arrive.
#[derive(Debug, Args)]
pub(super) struct Router {
    #[command(flatten)]
    pub(super) smoke: Smoke,
    /// Hold what is live against this recipe: mode, workers of each role, KV events, block size, version
    #[arg(long, value_name = "PATH")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

/// Which frontend, and what it is asked.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Smoke {
    /// URL of the frontend, `http` or `https`; with --deployment, --service or --pod it is reached by a port-forward instead
    /// [default: http://127.0.0.1:8000]
    #[arg(long, value_name = "URL", conflicts_with_all = ["deployment", "pod", "service"])]
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
        let url = self.base_url.as_deref().unwrap_or("http://127.0.0.1:8000");
        Ok((Frontend::url(url)?, 1))
    }
}

/// Seconds from 0 on, fractions allowed.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    if text.parse::<f64>().is_ok_and(|n| n == 0.0) { Ok(Duration::ZERO) } else { super::seconds(text) }
}

pub(super) fn run(args: &Router) -> Exit {
    let claims = match args.manifest.as_ref().map(|path| read(path, &args.target)).transpose() {
        Ok(claims) => claims.unwrap_or_default(),
        Err((exit, message)) => {
            output::error(&message);
            return exit;
        }
    };
    let lost = |check| Report::new("router", "cluster", vec![check]);
    let result = in_session(&args.target, args.smoke.service.is_some(), lost, async |session| {
        probe(session, args, &claims).await
    });
    match result {
        Ok(report) => print(&report, None, &args.output),
        Err(exit) => exit,
    }
}

async fn probe(session: &Session, args: &Router, claims: &[Claims]) -> Report {
    let Target { pod, deployment, .. } = &args.target;
    let transport = &*session.transport;
    let found =
        args.smoke.frontend(transport, &session.namespace, pod.as_deref(), deployment.as_deref(), session.bounds).await;
    let (frontend, count) = match found {
        Ok(found) => found,
        Err(trouble) => {
            let named = deployment.as_ref().or(pod.as_ref()).or(args.smoke.service.as_ref());
            let name = if named.is_some() { "frontend" } else { "base-url" };
            let target = named.or(args.smoke.base_url.as_ref()).cloned();
            return Report::new("router", target.unwrap_or_default(), vec![router::failed(name, &trouble)]);
        }
    };
    let live = args.target.snapshot.is_none();
    let mut outcome = router::probe(transport, &frontend, &args.smoke.options(live), session.bounds).await;
    if count > 1 {
        let detail = format!("one of {count} frontends was asked; each has a router of its own");
        outcome.checks.push(Check::new("frontends", Layer::Capability, Status::Skipped, detail));
    }
    // Nothing that was read can contradict a manifest.
    if outcome.observed.workers_by.is_some() || outcome.observed.version.is_some() {
        outcome.checks.extend(claims.iter().flat_map(|claims| claims.compare(&outcome.observed)));
    }
    router::report(&frontend.to_string(), outcome)
}

/// The claims of a recipe. With several deployments in it, `--deployment` says which.
pub(in crate::cli) fn read(path: &std::path::Path, target: &Target) -> Result<Vec<Claims>, (Exit, String)> {
    let shown = path.display();
    let options = lint::Options { selection: Selection::default(), ..lint::Options::default() };
    let (mut deployments, report) = lint::resolve(&[Input::Path(path.to_owned())], &options);
    if report.summary.unreadable > 0 {
        return Err((Exit::Unreadable, format!("cannot read `{shown}`: `dynlint check {shown}` says why")));
    }
    if let Some(name) = &target.deployment
        && deployments.iter().any(|d| d.name == *name)
    {
        deployments.retain(|d| d.name == *name);
    }
    match deployments.as_slice() {
        [] => Err((Exit::Nothing, format!("no DynamoGraphDeployment in `{shown}`"))),
        [one] => Ok(vec![Claims::of(one)]),
        many => {
            let names = many.iter().map(|d| format!("`{}`", d.name)).collect::<Vec<_>>().join(", ");
            let message =
                format!("`{shown}` has several deployments ({names}); name one with `--deployment`, or its file");
            Err((Exit::Usage, message))
        }
    }
}
