//! What a manifest claims about its routers and workers: what a live frontend can be held against.

use super::blocks::block_size;
use super::settings::{Place, routers};
use super::workers::{ranks, scaled};
use crate::resolve::{Deployment, Role, Version};
use crate::source::{Fact, Span};

/// What a manifest says about one router.
#[derive(Clone, Debug)]
pub struct RouterClaim {
    /// Service it runs in.
    pub service: String,
    /// `frontend`, `frontend sidecar`, `endpoint picker`, `standalone router`.
    pub place: &'static str,
    /// Router mode; `Unset` when the one written is no mode.
    pub mode: Fact<&'static str>,
    /// Where the mode is said, or the router when nothing says it.
    pub mode_at: Span,
    /// Whether it subscribes to KV events.
    pub events: Fact<bool>,
    /// Where that is said, or the router.
    pub events_at: Span,
    /// Whether it goes by load alone (`--load-aware`).
    pub load_aware: Fact<bool>,
    /// Its release.
    pub version: Option<Version>,
    /// Where the release is said, or the router.
    pub version_at: Span,
}

/// What a manifest says about one worker service.
#[derive(Clone, Debug)]
pub struct WorkerClaim {
    /// Service.
    pub service: String,
    /// Where its name stands.
    pub at: Span,
    /// Role.
    pub role: Role,
    /// Whether the role is certain.
    pub role_known: bool,
    /// Workers that register with the frontend: one a replica.
    pub replicas: Fact<u32>,
    /// Where the replicas are said, or the service.
    pub replicas_at: Span,
    /// Whether something else than the manifest sets the replicas.
    pub scaled: bool,
    /// Routing targets of one worker.
    pub ranks: Fact<u32>,
    /// Whether it publishes KV events.
    pub events: Fact<bool>,
    /// Where that is said, or the service.
    pub events_at: Span,
    /// KV block size in tokens, where its command line or config says it.
    pub block_size: Option<(u32, Span)>,
}

/// Routers of a deployment as its manifest has them.
#[must_use]
pub fn router_claims(deployment: &Deployment) -> Vec<RouterClaim> {
    let claim = |router: super::settings::Router<'_>| RouterClaim {
        service: router.service.name.clone(),
        place: match router.place {
            Place::Frontend => "frontend",
            Place::Sidecar => "frontend sidecar",
            Place::Epp => "endpoint picker",
            Place::Standalone => "standalone router",
        },
        mode: match router.mode().mode {
            Fact::Known(mode) if mode.name().is_empty() => Fact::Unset,
            mode => mode.map(super::mode::Mode::name),
        },
        mode_at: router.mode().source.span().unwrap_or_else(|| router.span()),
        events: router.events().wanted,
        events_at: router.events().source.span().unwrap_or_else(|| router.span()),
        load_aware: router.load_aware().on,
        version: router.version,
        version_at: router.service.version.as_ref().map_or_else(|| router.span(), |v| v.span),
    };
    routers(deployment).into_iter().map(claim).collect()
}

/// Workers of a deployment as its manifest has them.
#[must_use]
pub fn worker_claims(deployment: &Deployment) -> Vec<WorkerClaim> {
    let planned = deployment.role(Role::Planner).next().is_some();
    let claim = |service: &crate::resolve::Service| WorkerClaim {
        service: service.name.clone(),
        at: service.span,
        role: service.role,
        role_known: service.role_known,
        replicas: match &service.replicas {
            Fact::Unset => Fact::Known(1),
            other => other.clone(),
        },
        replicas_at: service.component.replicas.as_ref().map_or(service.span, |r| r.span),
        scaled: planned || scaled(service),
        ranks: ranks(service),
        events: service.events.published.clone(),
        events_at: service.events.span.unwrap_or(service.span),
        block_size: block_size(service),
    };
    deployment.workers().map(claim).collect()
}
