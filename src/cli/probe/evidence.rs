//! Evidence for `dynlint readiness`: the probes, live or recorded, in one session.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::router::Smoke;
use super::{Target, in_session};
use crate::cli::Exit;
use crate::lint::{self, Input};
use crate::probe::router::claims::Claims;
use crate::probe::{Check, env, nixl, node, router};
use crate::resolve::Deployment;
use crate::verdict;

/// What to probe for the layers that manifests cannot speak for. Nothing is probed unless one of these is given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub(in crate::cli) struct Evidence {
    /// DynamoGraphDeployment whose pods and frontend are probed
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) deployment: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// Kubeconfig
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
    /// Longest time that one question may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = super::seconds)]
    timeout: Duration,
    /// Write down all answers in DIR, to be replayed with --snapshot
    #[arg(long, value_name = "DIR", conflicts_with = "snapshot")]
    record: Option<PathBuf>,
    /// Take all answers from a recording that was made with the same options; no network, no cluster
    #[arg(long, value_name = "DIR")]
    snapshot: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) smoke: EvidenceSmoke,
}

/// The frontend.
#[derive(Debug, Args)]
#[command(next_help_heading = "Evidence")]
pub(in crate::cli) struct EvidenceSmoke {
    /// URL of the frontend; with --deployment it is reached by a port-forward instead
    #[arg(long, value_name = "URL", conflicts_with = "deployment")]
    pub(in crate::cli) base_url: Option<String>,
    /// Model; the first that is listed unless given
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// How often to ask for models until one is listed
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// Time between two of these, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = super::router::pause)]
    retry_sleep: Duration,
    /// Ask the frontend for no completion
    #[arg(long)]
    skip_chat: bool,
}

/// What the probes brought.
pub(in crate::cli) struct Gathered {
    /// Checks of the capability and transfer layers.
    pub(in crate::cli) checks: Vec<Check>,
    /// A prefill and a decode pod between which a transfer could run.
    pub(in crate::cli) pair: Option<(String, String)>,
    /// The namespace where pods were looked for.
    pub(in crate::cli) namespace: Option<String>,
    /// What nodes have.
    nodes: Vec<node::Seen>,
    /// What containers run with.
    runs: Vec<env::Seen>,
}

impl Evidence {
    /// Whether anything is to be probed.
    pub(in crate::cli) fn wanted(&self) -> bool {
        self.deployment.is_some() || self.smoke.base_url.is_some()
    }

    fn target(&self, namespace: Option<&str>) -> Target {
        Target {
            namespace: namespace.map(str::to_owned),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            pod: None,
            container: None,
            deployment: self.deployment.clone(),
            timeout: self.timeout,
            record: self.record.clone(),
            snapshot: self.snapshot.clone(),
        }
    }

    fn smoke(&self) -> Smoke {
        Smoke {
            base_url: self.smoke.base_url.clone(),
            service: None,
            port: None,
            retries: self.smoke.retries,
            retry_sleep: self.smoke.retry_sleep,
            model: self.smoke.model.clone(),
            prompt: router::PROMPT.to_owned(),
            max_tokens: 32,
            skip_chat: self.smoke.skip_chat,
        }
    }

    /// Probes. The checks speak for the capability layer; the frontend is held against the deployments given.
    ///
    /// # Errors
    /// When a snapshot cannot be read or a recording not be written; said already.
    pub(in crate::cli) fn gather(&self, namespace: Option<&str>, deployments: &[Deployment]) -> Result<Gathered, Exit> {
        let target = self.target(namespace);
        let nothing = |checks| Gathered { checks, pair: None, namespace: None, nodes: Vec::new(), runs: Vec::new() };
        let lost = |check| nothing(vec![check]);
        in_session(&target, false, lost, async |session| {
            let mut gathered = nothing(Vec::new());
            let checks = &mut gathered.checks;
            if target.deployment.is_some() {
                let (transport, aim) = (&*session.transport, session.aim(&target));
                let nodes = node::probe(transport, &aim, session.bounds).await;
                let runs = env::probe(transport, &aim, session.bounds).await;
                checks.extend(nodes.report.checks.into_iter().chain(runs.report.checks));
                (gathered.nodes, gathered.runs) = (nodes.seen, runs.seen);
                gathered.namespace = Some(session.namespace.clone());
                let (tooling, pods) = nixl::probe(transport, &aim, session.bounds).await;
                checks.extend(tooling);
                let of =
                    |role: &str| pods.iter().find(|p| p.disaggregated_role() == Some(role)).map(|p| p.name.clone());
                gathered.pair = of("prefill").zip(of("decode"));
            }
            let smoke = self.smoke();
            let named = target.deployment.as_deref();
            match smoke.frontend(&*session.transport, &session.namespace, None, named, session.bounds).await {
                Ok((frontend, _)) => {
                    let options = smoke.options(self.snapshot.is_none());
                    let outcome = router::probe(&*session.transport, &frontend, &options, session.bounds).await;
                    let known = outcome.observed.workers_by.is_some() || outcome.observed.version.is_some();
                    checks.extend(outcome.checks.into_iter().map(|c| c.on(frontend.to_string())));
                    let judged = deployments.iter().filter(|d| named.is_none_or(|name| name == d.name));
                    if known && let [deployment] = judged.collect::<Vec<_>>().as_slice() {
                        checks.extend(Claims::of(deployment).compare(&outcome.observed));
                    }
                }
                Err(trouble) => checks.push(router::failed("frontend", &trouble)),
            }
            gathered
        })
    }

    /// What was seen that is not as the manifests say, of the deployment that was probed; none when they do not have it.
    pub(in crate::cli) fn drift(
        &self,
        gathered: &Gathered,
        inputs: &[Input],
        options: &lint::Options,
        deployments: &[Deployment],
    ) -> Vec<Check> {
        let named = self.deployment.as_deref();
        let meant = |deployment: &Deployment| named == Some(deployment.name.as_str());
        if !deployments.iter().any(meant) || gathered.nodes.is_empty() && gathered.runs.is_empty() {
            return Vec::new();
        }
        verdict::witnessed(&lint::witness(inputs, options, |deployment, findings| {
            if meant(deployment) {
                node::judge_manifest(deployment, &gathered.nodes, findings);
                env::judge_manifest(deployment, &gathered.runs, findings);
            }
        }))
    }
}
