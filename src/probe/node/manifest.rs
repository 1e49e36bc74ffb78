//! Device and interface names of the resolved manifest against what a node really has.

use super::Seen;
use super::facts::Facts;
use crate::catalog::nccl::Filter;
use crate::catalog::ucx::{Mode, NetDevices};
use crate::finding::{Confidence, Severity};
use crate::resolve::{Deployment, EnvVar, Service};
use crate::rules::Findings;
use crate::source::Text;

/// The rule whose findings these are.
const RULE: &str = "probe-device-missing";

/// Compares a deployment with what was seen of its pods. A pod without the operator's label, and this machine, stand for
/// every worker.
pub fn judge(deployment: &Deployment, seen: &[Seen], findings: &mut Findings) {
    findings.enter(RULE, Severity::Warning, Confidence::Certain);
    for service in deployment.workers() {
        let of_service: Vec<&Seen> =
            seen.iter().filter(|s| s.component.as_ref().is_none_or(|name| *name == service.name)).collect();
        for name in ["UCX_NET_DEVICES", "NCCL_IB_HCA", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"] {
            if let Some(var) = service.env.get(name)
                && let Some(value) = var.known()
            {
                compare(service, var, value, &of_service, findings);
            }
        }
    }
}

/// What a variable asks for and a place does not have.
#[derive(PartialEq, Eq)]
struct Lack {
    /// How many names the value has.
    named: usize,
    /// Those that are not there.
    absent: Vec<Absent>,
    /// What comes of it.
    effect: &'static str,
}

/// A name that is not there.
#[derive(PartialEq, Eq)]
struct Absent {
    /// Bytes of the value.
    range: std::ops::Range<usize>,
    name: String,
}

fn compare(service: &Service, var: &EnvVar, value: &Text, seen: &[&Seen], findings: &mut Findings) {
    // Replicas that lack the same devices are told of once.
    let mut groups: Vec<(Lack, Vec<&Seen>)> = Vec::new();
    for place in seen {
        let Some(lack) = lack(service, &var.name, value.as_str(), &place.facts) else { continue };
        if lack.absent.is_empty() {
            continue;
        }
        match groups.iter_mut().find(|(known, _)| *known == lack) {
            Some((_, places)) => places.push(place),
            None => groups.push((lack, vec![place])),
        }
    }
    for (lack, places) in groups {
        let names: Vec<String> = lack.absent.iter().map(|a| format!("`{}`", a.name)).collect();
        let span = match lack.absent.as_slice() {
            [one] => value.slice_span(one.range.clone()),
            _ => value.span(),
        };
        let verb = if names.len() == 1 { "is" } else { "are" };
        let target = match places.len() {
            1 => places[0].target.clone(),
            2 => format!("{} and {}", places[0].target, places[1].target),
            n => format!("{} and {} other pods", places[0].target, n - 1),
        };
        let severity = if lack.absent.len() == lack.named { Severity::Error } else { Severity::Warning };
        findings
            .report(
                span,
                format!("`{}` names {}, which {verb} not on {target}", var.name, names.join(", ")),
                "not there",
            )
            .service(service)
            .subject(var.name.as_str())
            .severity(severity)
            .help(format!("{}; {}", lack.effect, offer(&var.name, &places[0].facts)))
            .emit();
    }
}

fn lack(service: &Service, variable: &str, value: &str, facts: &Facts) -> Option<Lack> {
    match variable {
        "UCX_NET_DEVICES" if service.kv.path.known().is_none_or(|path| path.reads_ucx()) => ucx(value, facts),
        // Within one node NCCL uses no adapter.
        "NCCL_IB_HCA" if service.nodes > 1 => nccl_hca(value, facts),
        "NCCL_SOCKET_IFNAME" => nccl_interfaces(value, facts),
        "GLOO_SOCKET_IFNAME" => gloo(value, facts),
        _ => None,
    }
}

/// What the place has instead.
fn offer(variable: &str, facts: &Facts) -> String {
    let interfaces = || facts.interfaces.iter().flatten().map(|i| format!("`{}`", i.name));
    let devices = facts
        .devices
        .iter()
        .flatten()
        .flat_map(|d| d.ports.iter().filter(|p| p.active()).map(move |p| format!("`{}:{}`", d.name, p.number)));
    let devices: Vec<String> = devices.collect();
    let names = match variable {
        "UCX_NET_DEVICES" => devices.into_iter().chain(interfaces().filter(|i| i != "`lo`")).collect::<Vec<_>>(),
        "NCCL_IB_HCA" => devices,
        _ => interfaces().filter(|i| i != "`lo`").collect(),
    };
    if names.is_empty() {
        "there is no such device at all".to_owned()
    } else {
        format!("there is {}", names.join(", "))
    }
}

/// `UCX_NET_DEVICES` holds RDMA ports and interfaces; only an allow list asks for something.
fn ucx(value: &str, facts: &Facts) -> Option<Lack> {
    let list = NetDevices::parse(value);
    let (devices, interfaces) = (facts.devices.as_ref()?, facts.interfaces.as_ref()?);
    if list.mode() != Mode::Allow {
        return None;
    }
    // Patterns are a matter of the UCX release, which the static rules judge.
    let plain: Vec<_> = list.devices().iter().filter(|d| !d.glob && !d.brackets).collect();
    let absent = plain.iter().filter(|wanted| {
        let rdma = devices.iter().any(|d| {
            d.name == wanted.name
                && wanted.port.is_none_or(|port| d.ports.is_empty() || d.ports.iter().any(|p| p.number == port))
        });
        !rdma && !interfaces.iter().any(|i| i.name == wanted.item.text)
    });
    let absent = absent.map(|d| Absent { range: d.item.range.clone(), name: d.item.text.to_owned() }).collect();
    let named = plain.len();
    let effect = "UCX warns and goes on with the devices that are left; with none of the network devices left, NIXL's UCX backend fails";
    Some(Lack { named, absent, effect })
}

/// `NCCL_IB_HCA` matches by prefix unless it starts with `=`.
fn nccl_hca(value: &str, facts: &Facts) -> Option<Lack> {
    let filter = Filter::parse(value);
    let devices = facts.devices.as_ref()?;
    if filter.negate || !filter.errors.is_empty() {
        return None;
    }
    let matches = |name: &str, item: &str| if filter.exact { name == item } else { name.starts_with(item) };
    let absent: Vec<Absent> = filter
        .items
        .iter()
        .filter(|item| !devices.iter().any(|d| matches(&d.name, item.name)))
        // One prefix of several that matches nothing is how one list serves many clusters.
        .filter(|item| filter.exact || item.name.ends_with(|c: char| c.is_ascii_digit()) || filter.items.len() == 1)
        .map(|item| Absent { range: item.range.clone(), name: value[item.range.clone()].to_owned() })
        .collect();
    let effect = "NCCL leaves adapters out that are not there, and takes TCP sockets when none is left";
    Some(Lack { named: filter.items.len(), absent, effect })
}

/// `NCCL_SOCKET_IFNAME`: an error only when nothing matches.
fn nccl_interfaces(value: &str, facts: &Facts) -> Option<Lack> {
    let filter = Filter::parse(value);
    let interfaces = facts.interfaces.as_ref()?;
    if filter.negate || !filter.errors.is_empty() || filter.items.is_empty() {
        return None;
    }
    let matches = |name: &str, item: &str| if filter.exact { name == item } else { name.starts_with(item) };
    if filter.items.iter().any(|item| interfaces.iter().any(|i| matches(&i.name, item.name))) {
        return None;
    }
    let absent =
        filter.items.iter().map(|i| Absent { range: i.range.clone(), name: value[i.range.clone()].to_owned() });
    Some(Lack {
        named: filter.items.len(),
        absent: absent.collect(),
        effect: "NCCL finds no interface and does not start",
    })
}

/// `GLOO_SOCKET_IFNAME`: exact names, every one of which must be there.
fn gloo(value: &str, facts: &Facts) -> Option<Lack> {
    let interfaces = facts.interfaces.as_ref()?;
    let mut at = 0;
    let mut named = 0;
    let mut absent = Vec::new();
    for item in value.split(',') {
        let range = at..at + item.len();
        at = range.end + 1;
        // Marks of NCCL's grammar are a static rule's matter.
        if item.is_empty() || item.starts_with(['^', '=']) {
            continue;
        }
        named += 1;
        if !interfaces.iter().any(|i| i.name == item) {
            absent.push(Absent { range, name: item.to_owned() });
        }
    }
    let effect = "Gloo looks for the exact name and fails: `Unable to find address for`";
    (named > 0).then_some(Lack { named, absent, effect })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{self, Input};

    fn said(manifest: &str, seen: &[Seen]) -> Vec<(String, String, String)> {
        let input = Input::Bytes { bytes: manifest.as_bytes().to_vec(), path: None };
        let report = lint::witness(&[input], &lint::Options::default(), |d, findings| judge(d, seen, findings));
        let sources = &report.sources;
        let text =
            |f: &crate::finding::Finding| sources.get(f.primary.span.file).text[f.primary.span.range()].to_owned();
        let one = |r: &lint::Reported| (r.finding.severity.to_string(), text(&r.finding), r.finding.message.clone());
        report.findings.iter().map(one).collect()
    }

    #[test]
    fn names_of_the_manifest_against_the_node() {
        const MANIFEST: &str = include_str!("../../../fixtures/probe/manifest/devices.yaml");
        let facts = Facts::read(include_str!("../../../fixtures/probe/node/h100.txt"));
        let at = |target: &str, component: Option<&str>| Seen {
            target: target.to_owned(),
            component: component.map(str::to_owned),
            facts: facts.clone(),
        };
        let got =
            said(MANIFEST, &[at("ns/p0", Some("prefill")), at("ns/p1", Some("prefill")), at("ns/d0", Some("decode"))]);
        let want = [
            ("warning", "mlx5_7:1", "`UCX_NET_DEVICES` names `mlx5_7:1`, which is not on ns/p0 and ns/p1"),
            ("error", "ens,enp", "`NCCL_SOCKET_IFNAME` names `ens`, `enp`, which are not on ns/p0 and ns/p1"),
        ];
        let want: Vec<_> = want.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())).into();
        assert_eq!(got, want);
        // This machine stands for every worker; a pod of another service for none.
        assert_eq!(said(MANIFEST, &[at("this machine", None)]).len(), 2);
        assert_eq!(said(MANIFEST, &[at("ns/x", Some("planner"))]), []);
        // What was not seen is not missing.
        let blind = Seen { facts: Facts::read(""), ..at("ns/p0", Some("prefill")) };
        assert_eq!(said(MANIFEST, &[blind]), []);
    }

    #[test]
    fn adapters_count_when_the_engine_spans_nodes() {
        let facts = Facts::read(include_str!("../../../fixtures/probe/node/h100.txt"));
        let absent = |value: &str| nccl_hca(value, &facts).map(|lack| lack.absent.len());
        assert_eq!(absent("mlx5"), Some(0));
        assert_eq!(absent("=mlx5"), Some(1));
        assert_eq!(absent("mlx5_0,mlx5_9"), Some(1));
        assert_eq!(absent("mlx5_0,bnxt"), Some(0));
        assert_eq!(absent("bnxt"), Some(1));
        assert_eq!(absent("^mlx5_0"), None);
        assert_eq!(gloo("eth0,eth7", &facts).map(|l| (l.named, l.absent.len())), Some((2, 1)));
        assert_eq!(gloo("^lo", &facts).map(|l| l.named), None);
    }
}
