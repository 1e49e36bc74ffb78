//! NCCL and Gloo: collectives inside one engine. They never carry KV cache between prefill and decode.

use super::common::{asked, each_variable, number, value_span, worker, written};
use crate::catalog::nccl;
use crate::catalog::vars::{self, Grammar};
use crate::catalog::{Expected, Reading};
use crate::finding::{Applicability, Severity};
use crate::resolve::{Deployment, EnvVar, Framework, Service};
use crate::rules::Findings;

/// An integer parameter whose value is none: NCCL reads 0 (or the digits in front) and says nothing.
pub fn nccl_non_integer_value(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |_, known| known.is_some_and(|v| v.grammar == Grammar::NcclInt),
        |service, var| {
            let Some(value) = var.known() else { return };
            let Some(known) = vars::lookup(&var.name).filter(|v| v.grammar == Grammar::NcclInt) else { return };
            let Err(expected) = known.check(value) else { return };
            let Some(at) = value_span(var) else { return };
            let read = match &expected.reading {
                Reading::ReadAs(read) => read.clone(),
                Reading::Rejected | Reading::Ignored => "0".to_owned(),
            };
            // `false` reads as 0, which is what it means.
            let harmless = super::common::falsy(value) && read == "0";
            let report = out
                .report(
                    at,
                    format!("NCCL reads `{}={value}` as {read}", var.name),
                    "not an integer; NCCL does \
                not say so",
                )
                .service(service)
                .subject(var.name.clone())
                .severity(if harmless { Severity::Advice } else { Severity::Warning })
                .help(wanted(&expected, value));
            match integer_for(value) {
                Some(right) if at.len() as usize == value.len() => {
                    report.fix(Applicability::Safe, at, number(value, at, right)).emit();
                }
                _ => report.emit(),
            }
        },
    );
}

fn wanted(expected: &Expected, value: &str) -> String {
    match integer_for(value) {
        Some(number) => format!("write `{number}`"),
        None => format!("write {}", expected.legal),
    }
}

fn integer_for(value: &str) -> Option<&'static str> {
    if super::common::truthy(value) {
        Some("1")
    } else if super::common::falsy(value) {
        Some("0")
    } else {
        None
    }
}

/// The number, when NCCL takes the whole value for one.
pub(super) fn integer(value: &str) -> Option<i64> {
    nccl::parse_int(value).and_then(|(number, whole)| whole.then_some(number))
}

/// A topology level that NCCL does not know.
pub fn nccl_level_invalid(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |_, known| known.is_some_and(|v| v.grammar == Grammar::NcclLevel),
        |service, var| {
            let Some(value) = var.known() else { return };
            let Some(known) = vars::lookup(&var.name).filter(|v| v.grammar == Grammar::NcclLevel) else { return };
            let Err(expected) = known.check(value) else { return };
            let Some(at) = value_span(var) else { return };
            let report = out
                .report(at, format!("`{value}` is no level for `{}`", var.name), "ignored without a message")
                .service(service)
                .subject(var.name.clone());
            match &expected.suggestion {
                Some(right) if at.len() as usize == value.len() => {
                    report.help(format!("write `{right}`")).fix(Applicability::Safe, at, right.clone()).emit();
                }
                _ => report.help(format!("write {}", expected.legal)).emit(),
            }
        },
    );
}

/// NCCL may not use InfiniBand although one engine spans nodes and has the devices.
pub fn nccl_ib_disable_multinode(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        if !spans_nodes_over_ib(service) || has_net_plugin(service) {
            continue;
        }
        let Some((var, value)) = asked(service, "NCCL_IB_DISABLE", out) else { continue };
        if integer(value).is_none_or(|n| n == 0) {
            continue;
        }
        report_multinode(service, var, "turns NCCL's InfiniBand transport off", "remove it, or write `0`", out);
    }
}

/// NCCL must use sockets although one engine spans nodes and has the devices.
pub fn nccl_net_socket_multinode(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        if !spans_nodes_over_ib(service) {
            continue;
        }
        let Some((var, value)) = asked(service, "NCCL_NET", out) else { continue };
        if !value.eq_ignore_ascii_case("socket") {
            continue;
        }
        report_multinode(
            service,
            var,
            "makes NCCL use TCP sockets",
            "remove it: NCCL takes the fastest network it finds",
            out,
        );
    }
}

fn report_multinode(service: &Service, var: &EnvVar, does: &str, help: &str, out: &mut Findings) {
    let Some(at) = value_span(var) else { return };
    let device = service.fabric.devices.first().map(|d| d.span);
    out.report(
        at,
        format!("`{}` {does}, but the engine of `{}` spans {} nodes", var.name, service.name, service.nodes),
        "every collective between the nodes goes over TCP",
    )
    .service(service)
    .subject(var.name.clone())
    .label_opt(service.component.node_count.as_ref().map(|n| n.span), "the engine spans nodes here")
    .label_opt(device, "the device that stays unused")
    .help(help)
    .emit();
}

/// One engine over several nodes with an InfiniBand or RoCE device and without multi-node NVLink.
fn spans_nodes_over_ib(service: &Service) -> bool {
    service.nodes > 1
        && service.fabric.channel().is_none()
        && service.framework != Some(Framework::Mocker)
        && service.fabric.on_ib()
}

/// A network plugin brings its own InfiniBand, which `NCCL_IB_DISABLE` does not touch.
fn has_net_plugin(service: &Service) -> bool {
    ["NCCL_NET", "NCCL_NET_PLUGIN"].iter().any(|n| service.env.get(n).is_some())
        || service.env.written().any(|v| v.name.starts_with("NCCL_FASTRAK_") || v.name.starts_with("NCCL_TUNER_"))
}

/// cuMem is off while NCCL is to use multi-node NVLink, which needs it.
pub fn nccl_cumem_0_with_mnnvl(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers().filter(|s| s.nodes > 1) {
        let Some((var, value)) = asked(service, "NCCL_CUMEM_ENABLE", out) else { continue };
        if integer(value) != Some(0) {
            continue;
        }
        let forced = written(service, "NCCL_MNNVL_ENABLE").filter(|(_, v)| integer(v) == Some(1));
        let channel = service.fabric.channel();
        if forced.is_none() && channel.is_none() {
            continue;
        }
        let Some(at) = value_span(var) else { continue };
        out.report(
            at,
            format!(
                "`NCCL_CUMEM_ENABLE=0` keeps the engine of `{}` from using NVLink between its \
                nodes",
                service.name
            ),
            "multi-node NVLink needs cuMem allocations",
        )
        .service(service)
        .subject(var.name.clone())
        .label_opt(forced.and_then(|(v, _)| value_span(v)), "multi-node NVLink is asked for here")
        .label_opt(channel.map(|c| c.name.span), "the IMEX channel that stays unused")
        .help("remove it: NCCL enables cuMem where it works")
        .emit();
    }
}

/// Lists of interfaces or adapters in a syntax that NCCL does not have.
pub fn nccl_filter_syntax(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |_, known| known.is_some_and(|v| v.grammar == Grammar::NcclFilter),
        |service, var| {
            let Some(value) = var.known() else { return };
            if vars::lookup(&var.name).is_none_or(|v| v.grammar != Grammar::NcclFilter) {
                return;
            }
            let prefix = value.len() - value.trim_start_matches('^').trim_start_matches('=').len();
            let mut bad: Vec<(std::ops::Range<usize>, &str)> = Vec::new();
            let mut good = 0;
            let mut at = prefix;
            for item in value[prefix..].split(',') {
                let range = at..at + item.len();
                at = range.end + 1;
                if item.starts_with(['^', '=']) {
                    bad.push((range, "counts only in front of the whole list, and `^` before `=`"));
                } else if item.contains(char::is_whitespace) {
                    bad.push((range, "the blank is taken for part of the name"));
                } else if item.contains('*') {
                    bad.push((range, "no wildcards: a name matches by its beginning as it is"));
                } else if !item.is_empty() {
                    good += 1;
                }
            }
            let Some((range, why)) = bad.first().cloned() else { return };
            let fatal = good == 0 && !value.starts_with('^') && var.name == "NCCL_SOCKET_IFNAME";
            out.report(
                value.slice_span(range.clone()),
                format!("`{}` in `{}` matches nothing", &value[range], var.name),
                why,
            )
            .service(service)
            .subject(var.name.clone())
            .severity(if fatal { Severity::Error } else { Severity::Warning })
            .help("write `[^][=]name[,name…]`: `^` excludes, `=` compares whole names, without blanks")
            .emit();
        },
    );
}

/// Names of adapters by their beginning, of which a longer one may exist: `mlx5_1` takes `mlx5_10` as well.
pub fn nccl_hca_prefix_ambiguous(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |service| service.role.is_worker() && service.nodes > 1 && service.framework != Some(Framework::Mocker),
        |name, _| name == "NCCL_IB_HCA",
        |service, var| {
            let Some(value) = var.known() else { return };
            let prefix = value.len() - value.trim_start_matches('^').len();
            if value[prefix..].starts_with('=') {
                return;
            }
            let device = |item: &str| item.split(':').next().unwrap_or(item).to_owned();
            let names: Vec<String> = value[prefix..].split(',').map(device).collect();
            // `mlx5_0` has no longer brother, no node has forty, and eight that are counted from 0 are what one has.
            let number = |name: &str| name.strip_prefix("mlx5_").is_some_and(|n| matches!(n, "1" | "2" | "3"));
            let longer = |name: &str| names.iter().any(|o| o.len() > name.len() && o.starts_with(name));
            let Some(name) = names.iter().find(|n| number(n) && !longer(n)) else { return };
            if names.iter().any(|n| n == "mlx5_0") && names.len() >= 8 {
                return;
            }
            let Some(start) = value.as_str().find(name.as_str()) else { return };
            out.report(
                value.slice_span(start..start + name.len()),
                format!("`{name}` in `NCCL_IB_HCA` stands for `{name}0` to `{name}9` as well"),
                "a name matches by its beginning",
            )
            .service(service)
            .subject(var.name.clone())
            .help(format!(
                "put `=` in front of the list, where a node has more than {}0 adapters: `=mlx5_1,mlx5_2`",
                name.trim_start_matches("mlx5_")
            ))
            .emit();
        },
    );
}

/// NCCL's filter syntax in Gloo's variable, which knows whole names only.
pub fn gloo_ifname_pattern(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        worker,
        |name, _| name == "GLOO_SOCKET_IFNAME",
        |service, var| {
            let Some(value) = var.known().filter(|_| var.name == "GLOO_SOCKET_IFNAME") else { return };
            let mut at = 0;
            for item in value.split(',') {
                let range = at..at + item.len();
                at = range.end + 1;
                if !item.contains(['^', '=', '*', '?', ' ']) {
                    continue;
                }
                out.report(
                    value.slice_span(range),
                    format!("`{item}` is no interface name, and `GLOO_SOCKET_IFNAME` takes nothing else"),
                    format!("Gloo fails with `Unable to find address for: {item}`"),
                )
                .service(service)
                .subject(var.name.clone())
                .help("write whole interface names, such as `eth0`; `^` and prefixes are NCCL's syntax")
                .emit();
                return;
            }
        },
    );
}
