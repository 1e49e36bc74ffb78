//! `dynlint probe env`: what the processes really run with, against what the manifest says.

mod drift;
pub mod running;

use futures::StreamExt as _;

use super::pods::{self, Aim};
use super::program::Program;
use super::report::Report;
use super::transport::{Pod, TroubleKind};
use super::{Bounds, Check, Layer, Status, Transport};
use running::{Running, Source};

pub use drift::{Decided, decided, judge as judge_manifest};

/// Most pods that are looked into at once.
const AT_ONCE: usize = 64;

/// What runs in one container.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `namespace/pod`, or `this machine`.
    pub target: String,
    /// The service that the pod belongs to, by the operator's label.
    pub component: Option<String>,
    /// What runs there.
    pub running: Running,
}

/// What a probe of environments comes to.
#[derive(Clone, Debug)]
pub struct Probed {
    /// The checks.
    pub report: Report,
    /// What runs where.
    pub seen: Vec<Seen>,
}

/// Looks into a pod, or into every pod of a deployment.
pub async fn probe(transport: &dyn Transport, aim: &Aim, bounds: Bounds) -> Probed {
    let list = match pods::of(transport, aim, bounds).await {
        Ok(list) => list.unwrap_or_default(),
        Err(trouble) => {
            let report = Report::new("env", aim.namespace.clone(), vec![pods::failed("env-access", &trouble)]);
            return Probed { report, seen: vec![] };
        }
    };
    let looked = futures::stream::iter(&list).map(|pod| async move {
        let (checks, running) = look(transport, pod, aim.container.as_deref(), bounds).await;
        let checks: Vec<Check> = checks.into_iter().map(|c| c.on(pod.path())).collect();
        let component = pod.component().map(str::to_owned);
        (checks, running.map(|running| Seen { target: pod.path(), component, running }))
    });
    let all: Vec<(Vec<Check>, Option<Seen>)> = looked.buffered(AT_ONCE).collect().await;
    let (checks, seen): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    let target = aim.deployment.as_deref().or(aim.pod.as_deref()).unwrap_or_default();
    let report = Report::new("env", format!("{}/{target}", aim.namespace), checks.concat());
    Probed { report, seen: seen.into_iter().flatten().collect() }
}

async fn look(
    transport: &dyn Transport,
    pod: &Pod,
    container: Option<&str>,
    bounds: Bounds,
) -> (Vec<Check>, Option<Running>) {
    const NAME: &str = "env-access";
    let check = |status, detail: String| Check::new(NAME, Layer::Capability, status, detail);
    // A pod that does not run still has a spec, which holds most of what can drift.
    let Some(spec) = pod.container(container) else {
        let trouble = pod.usable(container).err();
        return (trouble.iter().map(|t| pods::failed(NAME, t)).collect(), None);
    };
    let by_spec = || Running::of_spec(spec);
    if let Err(trouble) = pod.usable(container) {
        return (
            vec![check(Status::Warn, format!("{trouble}; judged by the pod's spec")).then(trouble.next())],
            Some(by_spec()),
        );
    }
    let output = match transport.exec(&pod.place(container), Program::Environ, bounds).await {
        Ok(output) => output,
        Err(trouble) => {
            let status = if trouble.kind == TroubleKind::NotRecorded { Status::Fail } else { Status::Warn };
            let detail = format!("{trouble}; judged by the pod's spec, without what the image sets");
            return (vec![check(status, detail).then(trouble.next())], Some(by_spec()));
        }
    };
    let Some(running) = Running::read(&output.stdout) else {
        let (why, next) = running::unread(&output.stdout).unwrap_or_else(|| output.shortfall(bounds));
        return (vec![check(Status::Warn, format!("{why}; judged by the pod's spec")).then(next)], Some(by_spec()));
    };
    let first = match running.source {
        Source::Process { pid, dynamo: true } => {
            check(Status::Ok, format!("{} variables of the Dynamo process (pid {pid})", running.env.len()))
        }
        Source::Process { pid, dynamo: false } => check(
            Status::Ok,
            format!("{} variables of process {pid}; no `python3 -m dynamo.…` is running", running.env.len()),
        ),
        Source::Spec => check(Status::Ok, format!("{} variables of the pod's spec", running.env.len())),
    };
    let lines = running.env.iter().map(|(name, value)| format!("{name}={value}"));
    let mut checks = vec![first.seen(lines)];
    checks.extend(image(&running, spec));
    (checks, Some(running))
}

/// What neither the pod's spec nor Kubernetes sets: the image does, or a script in it.
fn image(running: &Running, spec: &super::transport::Container) -> Option<Check> {
    const NAME: &str = "env-image";
    if !spec.env_from.is_empty() {
        let detail = format!("cannot be told: {} may set variables, too", spec.env_from.join(", "));
        return Some(Check::new(NAME, Layer::Capability, Status::Skipped, detail));
    }
    let baked = running.env.iter().filter(|(name, _)| !spec.env.iter().any(|e| e.name == **name));
    let lines: Vec<String> = baked.map(|(name, value)| format!("{name}={value}")).collect();
    let detail = match lines.len() {
        0 => "the image sets nothing that steers transport or routing".to_owned(),
        n => format!("{n} variables come from the image or its script, which no manifest shows"),
    };
    Some(Check::new(NAME, Layer::Capability, Status::Ok, detail).seen(lines))
}
