//! One real transfer between a prefill and a decode pod: bounded, announced, every byte compared.

use super::intent::Moved;
use super::{TRANSFER, rdma_resource, ucx};
use crate::probe::program::{Memory, Program, Transfer};
use crate::probe::transport::{Output, Pod};
use crate::probe::{Bounds, Check, Layer, Place, Status, Transport, Trouble};

/// What is to be moved, from where to where.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Namespace.
    pub namespace: String,
    /// Pod that owns the bytes, and pod that reads them; none runs both sides on this machine.
    pub pods: Option<(String, String)>,
    /// Container of both.
    pub container: Option<String>,
    /// How much.
    pub bytes: u64,
    /// In what memory.
    pub memory: Memory,
    /// TCP port on which the two sides find each other.
    pub port: u16,
}

fn check(name: &str, status: Status, detail: impl Into<String>) -> Check {
    Check::new(name, Layer::Transfer, status, detail)
}

/// Runs it and says how it went: whether the bytes arrived, and over which path.
pub async fn run(transport: &dyn Transport, pair: &Pair, bounds: Bounds) -> (Vec<Check>, Option<Moved>) {
    let failed =
        |trouble: &Trouble| (vec![check(TRANSFER, Status::Fail, trouble.message.clone()).then(trouble.next())], None);
    let container = pair.container.as_deref();
    let (from, to, pods) = match &pair.pods {
        None => (Place::Here {}, Place::Here {}, None),
        Some((prefill, decode)) => {
            let get = |name| transport.pod(&pair.namespace, name, bounds);
            let (prefill, decode) = match futures::try_join!(get(prefill), get(decode)) {
                Ok(both) => both,
                Err(trouble) => return failed(&trouble),
            };
            if let Err(trouble) = prefill.usable(container).and(decode.usable(container)) {
                return failed(&trouble);
            }
            (prefill.place(container), decode.place(container), Some((prefill, decode)))
        }
    };
    let address = match &pods {
        None => "127.0.0.1".to_owned(),
        Some((prefill, _)) => match &prefill.ip {
            Some(ip) => ip.clone(),
            None => {
                let detail = format!("pod {} has no address yet", prefill.path());
                return (vec![check(TRANSFER, Status::Fail, detail)], None);
            }
        },
    };
    // The sides end by themselves before the exec is cut, so that they can say why.
    let seconds = bounds.time.as_secs().saturating_sub(2).max(1);
    let transfer = Transfer { address, port: pair.port, bytes: pair.bytes, memory: pair.memory, seconds };
    let (target, initiator) = futures::join!(
        transport.exec(&from, Program::TransferTarget(transfer.clone()), bounds),
        transport.exec(&to, Program::TransferInitiator(transfer), bounds),
    );
    let names = (name(&from), name(&to));
    judge(pair, &names, target.as_ref(), initiator.as_ref(), pods.as_ref())
}

fn name(place: &Place) -> String {
    match place {
        Place::Here {} => "this machine".to_owned(),
        Place::Pod { namespace, pod, .. } => format!("{namespace}/{pod}"),
    }
}

/// The last line `@@json …`.
fn result(output: &Output) -> Option<serde_json::Value> {
    let line = output.stdout.lines().rev().find_map(|l| l.strip_prefix("@@json "))?;
    serde_json::from_str(line).ok()
}

/// Why a side failed; none when it did not.
fn complaint(side: Result<&Output, &Trouble>) -> Option<(String, &'static str)> {
    const NEXT: &str = "read what UCX and NIXL logged: run it again with `-v`";
    let output = match side {
        Ok(output) => output,
        Err(trouble) => return Some((trouble.message.clone(), trouble.next())),
    };
    match result(output) {
        Some(value) => {
            let error = value["error"].as_str()?;
            let next = if error.contains("No module named") {
                "use an image with NIXL in its `python3`"
            } else if error.contains("refused") || error.contains("timed out") || error.contains("route") {
                "the pods do not reach each other over TCP: look for a NetworkPolicy, or choose another `--transfer-port`"
            } else {
                NEXT
            };
            // NIXL gives a code, UCX the reason.
            let reason = output.stdout.lines().chain(output.stderr.lines()).find(|l| l.contains("UCX  ERROR"));
            let reason = reason.and_then(|l| l.split("UCX  ERROR").nth(1)).map(str::trim);
            Some((reason.map_or_else(|| error.to_owned(), |reason| format!("{error}: {reason}")), next))
        }
        None => {
            let last = output.stderr.lines().chain(output.stdout.lines()).rfind(|l| !l.trim().is_empty());
            let said = output.cut.as_ref().map(ToString::to_string).or_else(|| last.map(str::to_owned));
            Some((said.unwrap_or_else(|| "it ended without a word".to_owned()), NEXT))
        }
    }
}

/// The lines of UCX and NIXL that tell what happened, at most twenty.
fn log(output: &Output) -> Vec<String> {
    let telling = |l: &&str| ["UCX ", "NIXL", "ERROR", "WARN"].iter().any(|w| l.contains(w));
    let lines: Vec<&str> = output.stdout.lines().chain(output.stderr.lines()).filter(telling).collect();
    // Without time and process, which are different every time.
    let plain = |line: &str| line.split("] ").last().unwrap_or(line).split_whitespace().collect::<Vec<_>>().join(" ");
    lines.iter().rev().take(20).rev().map(|l| plain(l)).collect()
}

fn judge(
    pair: &Pair,
    (from, to): &(String, String),
    target: Result<&Output, &Trouble>,
    initiator: Result<&Output, &Trouble>,
    pods: Option<&(Pod, Pod)>,
) -> (Vec<Check>, Option<Moved>) {
    let logs = || [initiator, target].into_iter().filter_map(Result::ok).flat_map(log).collect::<Vec<_>>();
    // The initiator's reason comes first, unless all it knows is that nobody answered.
    let complaints = [(to, complaint(initiator)), (from, complaint(target))];
    let blind =
        |text: &str| text.contains("refused") || text.contains("closed the connection") || text.contains("timed out");
    let told = complaints.iter().filter_map(|(side, c)| c.as_ref().map(|(text, next)| (side, text, next)));
    if let Some((side, text, next)) = told.clone().find(|(_, text, _)| !blind(text)).or_else(|| told.clone().next()) {
        let check = check(TRANSFER, Status::Fail, format!("{side}: {text}")).seen(logs()).then(*next);
        return (vec![check], None);
    }
    let Some(value) = initiator.ok().and_then(result) else {
        return (vec![check(TRANSFER, Status::Fail, "the initiator gave no result").seen(logs())], None);
    };
    if value["verified"] != true {
        return (vec![check(TRANSFER, Status::Fail, "the bytes were not compared").seen(logs())], None);
    }
    #[allow(clippy::cast_precision_loss)] // a speed for people
    let speed = value["bytes_per_second"].as_u64().unwrap_or(0) as f64 / 1e9;
    let backend = value["backend"].as_str().unwrap_or("NIXL").to_owned();
    let stdout = initiator.map(|o| o.stdout.as_str()).unwrap_or_default();
    let lanes = ucx::lanes(stdout);
    let over = lanes.as_ref().map_or_else(String::new, |lanes| format!(" over {}", lanes.text()));
    let detail = format!(
        "{to} read {} MiB of {} from {from} by {backend}{over} at {speed:.2} GB/s; every byte compared",
        pair.bytes >> 20,
        pair.memory.as_str().to_uppercase()
    );
    let checks = vec![check(TRANSFER, Status::Ok, detail).seen(logs()), path(pair, lanes.as_ref(), pods)];
    let services = match pods {
        Some((prefill, decode)) => [prefill, decode].map(|pod| pod.component().map(str::to_owned)),
        None => [None, None],
    };
    (checks, Some(Moved { backend, lanes, services }))
}

/// Whether the path is the one that the pods were given the means for.
fn path(pair: &Pair, lanes: Option<&ucx::Lanes>, pods: Option<&(Pod, Pod)>) -> Check {
    const NAME: &str = "transfer-path";
    let Some(lanes) = lanes else {
        return check(NAME, Status::Skipped, "UCX did not log which transports it took")
            .then("look for `UCX_LOG_LEVEL` or `UCX_LOG_FILE` in the image");
    };
    let class = lanes.class();
    let Some((prefill, decode)) = pods else {
        return check(NAME, Status::Skipped, format!("{}; there are no pods to say what is intended", class.title()));
    };
    let (a, b) = (rdma_resource(prefill), rdma_resource(decode));
    let tls = |pod: &Pod| {
        pod.container(pair.container.as_deref())?.env.iter().rev().find(|e| e.name == "UCX_TLS")?.value.clone()
    };
    let only_tcp = |pod: &Pod| {
        tls(pod).is_some_and(|v| v.split(',').all(|t| matches!(t, "tcp" | "self" | "sm" | "shm" | "cuda_copy")))
    };
    match (a, b, class) {
        (Some(_), Some(_), ucx::Class::Rdma) => check(NAME, Status::Ok, "RDMA, for which both pods have devices"),
        (None, None, ucx::Class::Rdma) => check(NAME, Status::Ok, "RDMA, though neither pod asks for a device by name"),
        _ if only_tcp(prefill) && only_tcp(decode) => {
            check(NAME, Status::Ok, format!("{}, as `UCX_TLS` of both pods says", class.title()))
        }
        (Some(resource), Some(_), _) => {
            let detail = format!("both pods have `{resource}`, but UCX took {} ({})", class.title(), lanes.text());
            let same = if lanes.same_node { "; both pods are on one node: choose a pair on two" } else { "" };
            check(NAME, Status::Warn, format!("{detail}{same}"))
                .then("compare `UCX_TLS` and `UCX_NET_DEVICES` of the pods with `dynlint probe node` and `dynlint probe nixl`")
        }
        (Some(_), None, _) | (None, Some(_), _) => {
            check(NAME, Status::Warn, format!("one pod has RDMA devices, the other none; UCX took {}", class.title()))
                .then("request the RDMA resource for prefill and decode alike")
        }
        (None, None, class) => check(NAME, Status::Warn, format!("{}: neither pod has an RDMA device", class.title()))
            .then("request the cluster's RDMA resource, or `UCX_TLS=tcp,cuda_copy` to say that TCP is intended"),
    }
}
