//! `dynlint probe nixl`: what there is of NIXL and UCX, and when a user asks for it a transfer that really runs.

pub mod intent;
mod transfer;
pub mod ucx;

use futures::StreamExt as _;

use super::pods::{self, Aim};
use super::program::Program;
use super::report::Report;
use super::sections::{End, Section, split};
use super::transport::{Endpoint, HttpRequest, Pod};
use super::{Bounds, Check, Layer, Place, Status, Transport};

pub use transfer::{Pair, run as run_transfer};

/// Name of the check that says whether a transfer ran and moved its bytes unharmed.
pub const TRANSFER: &str = "nixl-transfer";

/// Most pods that are looked into at once.
const AT_ONCE: usize = 64;

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(name, Layer::Capability, status, detail)
}

/// Looks into this machine, a pod, or every worker pod of a deployment. Without a transfer the report ends by saying that
/// none was run, with the command that would.
pub async fn probe(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> (Vec<Check>, Vec<Pod>) {
    let list = match pods::of(transport, aim, bounds).await {
        Ok(Some(list)) => list,
        Ok(None) => {
            let checks = look(transport, &Place::Here {}, None, bounds).await;
            return (checks.into_iter().map(|c| c.on("this machine")).collect(), vec![]);
        }
        Err(trouble) => return (vec![pods::failed("nixl-access", &trouble)], vec![]),
    };
    let container = aim.container.as_deref();
    let workers = list.iter().filter(|pod| aim.deployment.is_none() || pod.is_worker());
    let looked = futures::stream::iter(workers).map(|pod| async move {
        let checks = match pod.usable(container) {
            Ok(()) => look(transport, &pod.place(container), Some(pod), bounds).await,
            Err(trouble) => vec![pods::failed("nixl-access", &trouble)],
        };
        checks.into_iter().map(|c| c.on(pod.path())).collect::<Vec<_>>()
    });
    let checks: Vec<Vec<Check>> = looked.buffered(AT_ONCE).collect().await;
    (checks.concat(), list)
}

/// That no transfer was run, and how to run one between these pods.
#[must_use]
pub fn not_validated(aim: &Aim, pods: &[Pod]) -> Check {
    let of = |role: &str| {
        let ready = pods.iter().find(|p| p.disaggregated_role() == Some(role) && p.usable(None).is_ok());
        ready.or_else(|| pods.iter().find(|p| p.disaggregated_role() == Some(role))).map(|p| p.name.clone())
    };
    let placeholder = |role: &str| format!("<{role}-pod>");
    let base = "dynlint probe nixl --run-transfer";
    let command = if pods.is_empty() && aim.pod.is_none() && aim.deployment.is_none() {
        format!("{base} -n <namespace> --prefill-pod <prefill-pod> --decode-pod <decode-pod>")
    } else {
        let (prefill, decode) = (of("prefill"), of("decode"));
        format!(
            "{base} -n {} --prefill-pod {} --decode-pod {}",
            aim.namespace,
            prefill.unwrap_or_else(|| placeholder("prefill")),
            decode.unwrap_or_else(|| placeholder("decode"))
        )
    };
    Check::new(TRANSFER, Layer::Transfer, Status::Skipped, "not validated: no transfer was run").then(command)
}

/// Joins the checks to a report.
#[must_use]
pub fn report(aim: &Aim, checks: Vec<Check>) -> Report {
    let target = match aim.deployment.as_deref().or(aim.pod.as_deref()) {
        Some(name) => format!("{}/{name}", aim.namespace),
        None => "this machine".to_owned(),
    };
    Report::new("nixl", target, checks)
}

async fn look(transport: &dyn Transport, place: &Place, pod: Option<&Pod>, bounds: Bounds) -> Vec<Check> {
    const NAME: &str = "nixl-access";
    let output = match transport.exec(place, Program::Nixl, bounds).await {
        Ok(output) => output,
        Err(trouble) => return vec![pods::failed(NAME, &trouble)],
    };
    let sections = split(&output.stdout);
    let whole = sections.iter().any(|s| s.name == "done");
    let first = if whole && output.cut.is_none() && !output.truncated {
        check(NAME, Status::Ok, "all facts read")
    } else {
        let (why, next) = output.shortfall(bounds);
        check(NAME, Status::Fail, format!("{why}; what came before is judged")).then(next)
    };
    let mut checks = vec![first];
    let get = |name: &str| sections.iter().find(|s| s.name == name);
    checks.push(packages(get("versions")));
    checks.push(plugins(get("plugins")));
    checks.push(tools(get("tools")));
    checks.push(ucx_check(get("ucx-version"), get("ucx-devices"), pod));
    if let Some(pod) = pod {
        checks.push(telemetry(transport, place, pod, bounds).await);
    }
    checks
}

/// Whether a section came whole; else why not.
fn whole<'a>(section: Option<&'a Section<'a>>, tool: &str) -> Result<&'a str, String> {
    match section {
        None => Err(format!("`{tool}` was not reached")),
        Some(Section { end: End::Missing, .. }) => Err(format!("there is no `{tool}`")),
        Some(Section { end: End::Open, .. }) => Err(format!("the output of `{tool}` is cut short")),
        Some(Section { end: End::Code(124 | 137 | 143), .. }) => Err(format!("`{tool}` did not end within 15 s")),
        Some(section) => Ok(section.body),
    }
}

fn packages(section: Option<&Section<'_>>) -> Check {
    const NAME: &str = "nixl-version";
    let body = match whole(section, "python3") {
        Ok(body) => body,
        Err(why) => return check(NAME, Status::Skipped, why),
    };
    let lines: Vec<String> =
        body.lines().filter_map(|l| l.split_once('\t')).map(|(name, version)| format!("{name} {version}")).collect();
    match lines.iter().find(|l| l.starts_with("nixl")) {
        Some(nixl) => check(NAME, Status::Ok, nixl.clone()),
        None => check(NAME, Status::Warn, "Python has no package `nixl`")
            .then("use an image with NIXL; it may still be there as a library without a package: see `nixl-plugins`"),
    }
    .seen(lines)
}

fn plugins(section: Option<&Section<'_>>) -> Check {
    const NAME: &str = "nixl-plugins";
    let Some(section) = section.filter(|s| s.end != End::Open) else {
        return check(NAME, Status::Skipped, "the list of plugins did not come whole");
    };
    let name = |path: &str| {
        let file = path.rsplit('/').next()?;
        Some(file.strip_prefix("libplugin_")?.strip_suffix(".so")?.to_owned())
    };
    let mut names: Vec<String> = section.body.lines().filter_map(name).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return check(
            NAME,
            Status::Skipped,
            "no plugin where they usually are (`NIXL_PLUGIN_DIR`, the wheel, /opt/nvidia)",
        );
    }
    let network = names.iter().any(|n| n == "UCX" || n == "LIBFABRIC" || n == "Mooncake");
    let status = if network { Status::Ok } else { Status::Warn };
    let mut dirs: Vec<&str> = section.body.lines().filter_map(|l| l.rsplit_once('/')).map(|(dir, _)| dir).collect();
    dirs.dedup();
    check(NAME, status, names.join(", ")).seen(dirs)
}

fn tools(section: Option<&Section<'_>>) -> Check {
    const NAME: &str = "nixl-tools";
    let Some(section) = section.filter(|s| s.end != End::Open) else {
        return check(NAME, Status::Skipped, "the list of tools did not come whole");
    };
    let found: Vec<&str> =
        section.body.lines().filter_map(|l| l.split('\t').next()).filter(|n| !n.is_empty()).collect();
    if !found.contains(&"nixlbench") {
        let others = if found.is_empty() { String::new() } else { format!("; there is {}", found.join(", ")) };
        return check(NAME, Status::Skipped, format!("no `nixlbench`{others}"));
    }
    // A tool that is there has transferred nothing yet.
    check(NAME, Status::Ok, format!("{}; none of them was run", found.join(", ")))
}

/// Resources of a pod that stand for RDMA devices.
fn rdma_resource(pod: &Pod) -> Option<&str> {
    let of = |name: &str| {
        name.starts_with("rdma/")
            || name.ends_with("/efa")
            || name.contains("mlnx")
            || name.contains("hca")
            || (name.starts_with("networking.gke.io.networks/rdma") && !name.ends_with(".IP"))
    };
    pod.containers.iter().flat_map(|c| c.resources.keys()).map(String::as_str).find(|name| of(name))
}

fn ucx_check(version: Option<&Section<'_>>, list: Option<&Section<'_>>, pod: Option<&Pod>) -> Check {
    const NAME: &str = "ucx";
    let body = match whole(list, "ucx_info") {
        Ok(body) => body,
        Err(why) => return check(NAME, Status::Skipped, why),
    };
    let devices = ucx::devices(body);
    if devices.resources.is_empty() {
        return check(NAME, Status::Skipped, "`ucx_info -d` lists no transport");
    }
    let version = version.and_then(|s| ucx::version(s.body)).map_or_else(String::new, |v| format!("UCX {v}: "));
    let mut names: Vec<&str> = devices.resources.iter().map(|r| r.transport.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let lines = devices.resources.iter().map(|r| format!("{} on {}", r.transport, r.device));
    let rdma = names.iter().any(|t| ucx::Class::of(t) == ucx::Class::Rdma);
    let wanted = pod.and_then(rdma_resource);
    let gpu = if devices.cuda_on_ib { "; GPU memory can be registered for RDMA" } else { "" };
    let result = match wanted {
        Some(resource) if !rdma => {
            let detail = format!("{version}{}; no RDMA transport although the pod has `{resource}`", names.join(", "));
            check(NAME, Status::Fail, detail)
                .then("compare with `dynlint probe node`: are the devices in the pod, is the port active?")
        }
        _ => check(NAME, Status::Ok, format!("{version}{}{gpu}", names.join(", "))),
    };
    result.seen(lines)
}

/// NIXL's own counters, when the pod's spec turns them on (`telemetry.cpp`, `prometheus_exporter.cpp`).
async fn telemetry(transport: &dyn Transport, place: &Place, pod: &Pod, bounds: Bounds) -> Check {
    const NAME: &str = "nixl-telemetry";
    let Place::Pod { namespace, pod: name, container } = place else {
        return check(NAME, Status::Skipped, "no pod");
    };
    let env = |key: &str| {
        let container = pod.container(container.as_deref())?;
        container.env.iter().rev().find(|e| e.name == key)?.value.clone()
    };
    let on = |value: &String| ["y", "yes", "on", "1", "true", "enable"].contains(&value.to_lowercase().as_str());
    if !env("NIXL_TELEMETRY_ENABLE").as_ref().is_some_and(on) {
        return check(NAME, Status::Skipped, "off: the pod's spec does not set `NIXL_TELEMETRY_ENABLE`");
    }
    // NIXL's default; the operator sets 19090.
    let port = env("NIXL_TELEMETRY_PROMETHEUS_PORT").and_then(|p| p.parse().ok()).unwrap_or(9090);
    let endpoint = Endpoint::Pod { namespace: namespace.clone(), pod: name.clone(), port, path: "/metrics".to_owned() };
    match transport.http(HttpRequest::get(endpoint), bounds).await {
        Err(trouble) => {
            check(NAME, Status::Warn, format!("on, but port {port} gives nothing: {trouble}")).then(trouble.next())
        }
        Ok(reply) if reply.status != 200 => check(NAME, Status::Warn, format!("port {port} answers {}", reply.status)),
        Ok(reply) => {
            let value = |name: &str| -> Option<f64> {
                let lines =
                    reply.body.lines().filter(|l| l.strip_prefix(name).is_some_and(|r| r.starts_with(['{', ' '])));
                lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).reduce(|a, b| a + b)
            };
            let bytes = |side: &str| {
                value(&format!("agent_{side}_bytes_total")).or_else(|| value(&format!("agent_{side}_bytes")))
            };
            match (bytes("tx"), bytes("rx")) {
                (None, None) => check(NAME, Status::Warn, format!("port {port} has no counter of NIXL")),
                (tx, rx) => {
                    let (tx, rx) = (tx.unwrap_or(0.0), rx.unwrap_or(0.0));
                    check(NAME, Status::Ok, format!("port {port}: {tx} bytes sent, {rx} bytes received so far"))
                }
            }
        }
    }
}
