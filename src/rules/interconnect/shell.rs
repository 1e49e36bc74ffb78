//! What Kubernetes and mpirun do not do with environment variables, though it looks as if they would.

use std::cell::LazyCell;

use super::common::{name_span, value_span};
use crate::manifest::{EnvEntry, EnvSource};
use crate::resolve::{Deployment, Framework, Layer, Service};
use crate::rules::{Findings, workload};
use crate::source::Text;

/// Variables in which a literal `${…}` breaks library loading or the transport.
fn matters(name: &str) -> bool {
    const PATHS: [&str; 4] = ["LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "LD_PRELOAD"];
    const PREFIXES: [&str; 6] = ["UCX_", "NCCL_", "NIXL_", "FI_", "NVSHMEM_", "TRTLLM_"];
    PATHS.contains(&name) || PREFIXES.iter().any(|p| name.starts_with(p))
}

/// `${VAR}` or an unresolvable `$(VAR)` in an `env` value, which Kubernetes passes on as it stands.
pub fn env_shell_expansion(deployment: &Deployment, out: &mut Findings) {
    let templated = LazyCell::new(|| workload::is_template(&deployment.graph.object.node));
    // The graph's own list comes first; it is one list, however many services inherit it.
    let graph = deployment.services.first().into_iter().flat_map(|s| deployment.graph.env.iter().map(move |e| (s, e)));
    let own = deployment.services.iter().flat_map(|s| s.component.main.env.iter().map(move |(_, e)| (s, e)));
    for (service, entry) in graph.chain(own) {
        let Some(text) = literal(deployment, entry) else { continue };
        let Some((range, name)) = reference(&text, &entry.name.value) else { continue };
        let own = name == entry.name.value;
        let opening = &text.as_str()[range.start..range.start + 2];
        // `$(VAR)` of another variable may be defined; `${VAR}` in a template is filled in before it is applied.
        let filled_by_from = opening == "$(" && !service.component.main.env_from.is_empty();
        if (!own && (opening == "$(" || *templated)) || filled_by_from {
            continue;
        }
        let effect = if own {
            "stays as it stands: the image's own value is lost"
        } else {
            "stays as it stands: no shell reads `env` values"
        };
        let help = if own {
            format!("write the whole value, or set it in a shell command: `export {name}=…:${name}`")
        } else {
            format!("write `$({name})` if an earlier entry sets `{name}`, or set it in a shell command")
        };
        out.report(
            text.slice_span(range.clone()),
            format!("Kubernetes does not expand `{}` in the value of `{}`", &text.as_str()[range], entry.name.value),
            effect,
        )
        .service(service)
        .subject(entry.name.value.clone())
        .help(help)
        .emit();
    }
}

fn literal(deployment: &Deployment, entry: &EnvEntry) -> Option<Text> {
    let EnvSource::Value(Some(node)) = &entry.source else { return None };
    // Only a value with a `$` in it can refer to anything.
    let refers = node.as_scalar().is_some_and(|s| s.value.contains('$'));
    (refers && matters(&entry.name.value)).then(|| deployment.recipe.text(node)).flatten()
}

/// First `${NAME}`, `$NAME` or `$(own)` in a value, with the name.
fn reference<'a>(text: &'a Text, own: &str) -> Option<(std::ops::Range<usize>, &'a str)> {
    let value = text.as_str();
    let bytes = value.as_bytes();
    let mut at = 0;
    while let Some(found) = value[at..].find('$') {
        let start = at + found;
        at = start + 1;
        let name_at = |from: usize| {
            let end =
                value[from..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(value.len(), |n| from + n);
            (end > from && !bytes[from].is_ascii_digit()).then_some((from, end))
        };
        match bytes.get(at) {
            Some(b'$') => at += 1,
            Some(b'{') => {
                if let (Some((from, end)), Some(close)) = (name_at(at + 1), value[at..].find('}')) {
                    return Some((start..at + close + 1, &value[from..end]));
                }
            }
            Some(b'(') => {
                if let Some((from, end)) = name_at(at + 1)
                    && bytes.get(end) == Some(&b')')
                    && value[from..end] == *own
                {
                    return Some((start..end + 1, &value[from..end]));
                }
            }
            _ => {
                if let Some((from, end)) = name_at(at)
                    && value[from..end] == *own
                {
                    return Some((start..end, &value[from..end]));
                }
            }
        }
    }
    None
}

/// The fixed list of names that the operator's mpirun forwards besides those in the container's `env`
/// (operator `backend_trtllm.go:235-266`).
const FORWARDED: [&str; 5] =
    ["NCCL_DEBUG", "NCCL_IB_DISABLE", "NCCL_P2P_DISABLE", "TRTLLM_USE_UCX_KVCACHE", "LD_LIBRARY_PATH"];

/// A transport variable that does not reach the ranks on other nodes.
pub fn mpirun_env_not_forwarded(deployment: &Deployment, out: &mut Findings) {
    const PREFIXES: [&str; 6] = ["UCX_", "NCCL_", "NIXL_", "FI_", "NVSHMEM_", "TRTLLM_"];
    for service in deployment.workers().filter(|s| s.framework == Some(Framework::Trtllm) && s.nodes > 1) {
        let lost = service.env.written().filter(|var| {
            PREFIXES.iter().any(|p| var.name.starts_with(p))
                && !FORWARDED.contains(&var.name.as_str())
                && !var.chain.iter().any(|s| {
                    matches!(
                        s.layer,
                        Layer::GraphEnv
                            | Layer::ServiceEnv
                            | Layer::ContainerEnv
                            | Layer::OperatorDefault
                            | Layer::OperatorForced
                    )
                })
        });
        for var in lost {
            let Some(at) = name_span(var).or_else(|| value_span(var)) else { continue };
            let how =
                if var.winner().layer == Layer::EnvFrom { "comes from `envFrom`" } else { "is set by the script" };
            out.report(
                at,
                format!("`{}` does not reach the ranks of `{}` on other nodes", var.name, service.name),
                format!("{how}: mpirun forwards the names in the container's `env` only"),
            )
            .service(service)
            .subject(var.name.clone())
            .label_opt(node_count(service), "the engine spans nodes here")
            .help("set it in the container's `env`")
            .emit();
        }
    }
}

fn node_count(service: &Service) -> Option<crate::source::Span> {
    service.component.node_count.as_ref().map(|n| n.span)
}
