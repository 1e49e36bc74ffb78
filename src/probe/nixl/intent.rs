//! The path that a manifest intends for KV cache, and whether a transfer took it.

use super::ucx::{Class, Lanes};
use crate::finding::{Confidence, Severity};
use crate::probe::{Check, Layer, Status};
use crate::resolve::{Deployment, Role, Service, Transfer};
use crate::rules::Findings;
use crate::source::Span;

/// The rule whose findings these are.
const RULE: &str = "probe-transfer-path";

/// What a transfer between two pods came to.
#[derive(Clone, Debug)]
pub struct Moved {
    /// NIXL's backend.
    pub backend: String,
    /// What UCX took; none when it did not say.
    pub lanes: Option<Lanes>,
    /// The services of the two pods, prefill first, where the operator's label tells.
    pub services: [Option<String>; 2],
}

/// What one worker's part of the manifest comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    /// UCX over RDMA devices that the pod has.
    Rdma,
    /// UCX over TCP or shared memory, by `UCX_TLS`.
    Plain,
    /// NVLink over several nodes.
    NvLink,
    /// Another library.
    Other(Transfer),
}

/// What both workers' parts come to, and where that stands.
#[derive(Clone, Copy, Debug)]
struct Side<'a> {
    service: &'a Service,
    intent: Option<Intent>,
    at: Span,
}

fn side(service: &Service) -> Side<'_> {
    let fabric = &service.fabric;
    let device = fabric.devices.first().map(|device| device.span);
    let tls = service.env.get("UCX_TLS");
    let plain = tls.and_then(|var| var.known()).is_some_and(|value| {
        let names = || value.as_str().split(',').map(str::trim).filter(|name| !name.is_empty());
        let local = ["tcp", "self", "sm", "shm", "mm", "posix", "sysv", "cma", "cuda_copy", "cuda_ipc", "cuda"];
        !value.as_str().starts_with('^') && names().next().is_some() && names().all(|name| local.contains(&name))
    });
    let tls_at = tls.and_then(|var| var.winner().span);
    let (intent, at) = match service.kv.path.known() {
        Some(path) if !path.reads_ucx() => (Some(Intent::Other(*path)), service.kv.span),
        // A list without any RDMA transport means what it says, whatever devices there are.
        _ if plain => (Some(Intent::Plain), tls_at),
        _ if fabric.on_ib() => (Some(Intent::Rdma), device),
        _ if fabric.channel().is_some() => (Some(Intent::NvLink), None),
        _ => (None, None),
    };
    Side { service, intent, at: at.unwrap_or(service.component.name.span) }
}

/// The workers that the transfer stands for: by the pods' labels, else the first of each role.
fn sides<'a>(deployment: &'a Deployment, moved: &Moved) -> Option<[Side<'a>; 2]> {
    let of = |label: &Option<String>, role| match label {
        Some(name) => deployment.services.iter().find(|s| s.name == *name),
        None => deployment.role(role).next(),
    };
    let [prefill, decode] = &moved.services;
    Some([side(of(prefill, Role::Prefill)?), side(of(decode, Role::Decode)?)])
}

/// What of an intent a transfer did not keep; none when it kept it or it cannot be told.
fn broken(intent: Intent, moved: &Moved) -> Option<String> {
    let lanes = moved.lanes.as_ref();
    match intent {
        Intent::Other(path) => {
            let name = match path {
                Transfer::NixlLibfabric => "NIXL's LIBFABRIC plugin",
                Transfer::NixlOther => "another plugin of NIXL",
                Transfer::Mooncake => "Mooncake",
                Transfer::TrtllmMpi => "MPI",
                Transfer::None => "nothing",
                _ => "another connector",
            };
            let same = path == Transfer::NixlLibfabric && moved.backend == "LIBFABRIC";
            (!same).then(|| format!("the manifest moves KV cache by {name}, the transfer ran over {}", moved.backend))
        }
        Intent::Rdma => {
            let lanes = lanes.filter(|lanes| !matches!(lanes.class(), Class::Rdma))?;
            let same = if lanes.same_node { "; both pods are on one node: choose a pair on two" } else { "" };
            Some(format!("RDMA by the manifest, and UCX took {} ({}){same}", lanes.class().title(), lanes.text()))
        }
        Intent::Plain => {
            let lanes = lanes.filter(|lanes| matches!(lanes.class(), Class::Rdma))?;
            Some(format!("no RDMA by the manifest's `UCX_TLS`, and UCX took {}", lanes.text()))
        }
        Intent::NvLink => {
            let lanes = lanes.filter(|lanes| matches!(lanes.class(), Class::Tcp))?;
            Some(format!("NVLink between nodes by the manifest, and UCX took TCP ({})", lanes.text()))
        }
    }
}

/// Whether the transfer took the path that the manifest intends.
#[must_use]
pub fn compare(deployment: &Deployment, moved: &Moved) -> Check {
    let check = |status, detail: String| {
        Check::new("manifest-transfer-path", Layer::Transfer, status, detail).on(deployment.name.clone())
    };
    let Some(both) = sides(deployment, moved) else {
        return check(Status::Skipped, "the manifest has no prefill and decode worker of these pods".to_owned());
    };
    if let Some(why) = both.iter().find_map(|side| broken(side.intent?, moved)) {
        let other = both.iter().any(|side| matches!(side.intent, Some(Intent::Other(_))));
        // A transfer over UCX says nothing against a manifest that moves KV cache in another way.
        return if other { check(Status::Skipped, why) } else { check(Status::Warn, why).then(NEXT) };
    }
    let taken = moved.lanes.as_ref().map(|lanes| format!("{} ({})", lanes.class().title(), lanes.text()));
    let [prefill, decode] = both.map(|side| side.intent);
    match (prefill, decode, taken) {
        (_, _, None) => check(Status::Skipped, "UCX did not log which transports it took".to_owned()),
        (Some(a), Some(b), Some(taken)) if a == b => {
            check(Status::Ok, format!("{taken}, as the manifest has it for prefill and decode"))
        }
        (Some(_), None, Some(taken)) | (None, Some(_), Some(taken)) => {
            check(Status::Warn, format!("{taken}; the manifest gives one of the two a fabric and the other none"))
                .then("dynlint check: ask for the RDMA resource in prefill and decode alike")
        }
        (Some(_), Some(_), Some(taken)) => {
            check(Status::Warn, format!("{taken}; the manifest wants different paths for prefill and decode"))
                .then("dynlint check: give prefill and decode the same `UCX_TLS` and devices")
        }
        (None, None, Some(taken)) => {
            check(Status::Skipped, format!("{taken}; the manifest neither asks for a fabric nor chooses transports"))
        }
    }
}

const NEXT: &str =
    "compare `UCX_TLS` and `UCX_NET_DEVICES` of the pods with `dynlint probe node` and `dynlint probe nixl`";

/// Says on the manifest's lines what the transfer did not keep.
pub fn judge(deployment: &Deployment, moved: &Moved, findings: &mut Findings) {
    findings.enter(RULE, Severity::Warning, Confidence::Certain);
    for side in sides(deployment, moved).into_iter().flatten() {
        let Some(intent) = side.intent.filter(|intent| !matches!(intent, Intent::Other(_))) else { continue };
        let Some(message) = broken(intent, moved) else { continue };
        let taken = moved.lanes.as_ref().map(Lanes::text).unwrap_or_default();
        let subject = if intent == Intent::Plain { "UCX_TLS" } else { "fabric" };
        findings
            .report(side.at, message, format!("on the cluster now: {taken}"))
            .service(side.service)
            .subject(subject)
            .help(NEXT)
            .emit();
    }
}
