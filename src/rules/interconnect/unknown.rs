//! Names that look like a transport library's variables and that nothing reads.

use super::common::{each_variable, name_span};
use crate::catalog::vars::{self, Family};
use crate::finding::{Applicability, Confidence, Severity};
use crate::resolve::{Deployment, EnvVar, Service};
use crate::rules::Findings;
use crate::yaml::Node;

/// Prefixes of the libraries that move KV cache or run collectives.
const TRANSPORT: [&str; 10] =
    ["UCX_", "NCCL_", "NIXL_", "FI_", "NVSHMEM_", "OFI_NCCL_", "MC_", "TRTLLM_", "SGLANG_", "VLLM_"];

/// A variable that no release of its library reads.
pub fn unknown_transport_variable(deployment: &Deployment, out: &mut Findings) {
    each_variable(
        deployment,
        |_| true,
        // A variable that once existed has a rule of its own.
        |_, known| known.is_none_or(|v| v.owner == "nobody"),
        |service, var| {
            let Some(family) = vars::family(&var.name) else { return misspelled_prefix(service, var, out) };
            if !TRANSPORT.contains(&family.prefix) || vars::is_external(&var.name) {
                return;
            }
            if vars::lookup(&var.name).is_none() && vars::misspelling(&var.name).is_none() && !family.complete() {
                return;
            }
            if own_script_reads(service, &var.name) {
                return;
            }
            report(service, var, family, out);
        },
    );
}

fn report(service: &Service, var: &EnvVar, family: Family, out: &mut Findings) {
    let Some(at) = name_span(var) else { return };
    let note = vars::misspelling(&var.name).map_or("", |(_, note)| note);
    let right = vars::nearest(&var.name);
    // The right name is set as well: the wrong one is a leftover, not a loss.
    let redundant = right.is_some_and(|r| service.env.get(r).is_some());
    let label = if note.is_empty() { format!("{} reads no such variable", family.reader) } else { note.to_owned() };
    let report =
        out.report(at, format!("nothing reads `{}`", var.name), label).service(service).subject(var.name.clone());
    match right {
        Some(right) if !redundant => {
            let exact = var.name.len() == at.len() as usize;
            let report = report
                .severity(Severity::Warning)
                .confidence(Confidence::Certain)
                .help(format!("did you mean `{right}`?"));
            if exact { report.fix(Applicability::Unsafe, at, right).emit() } else { report.emit() }
        }
        Some(right) => report.help(format!("remove it: `{right}` is set too, and that one counts")).emit(),
        None => report.help("remove it").emit(),
    }
}

/// Whether the container's own script uses the variable for something: `$NAME` or `${NAME…}`, not a longer name.
pub(super) fn own_script_reads(service: &Service, name: &str) -> bool {
    let longer = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let used = |text: &str| {
        let behind = |(at, found): (usize, &str)| !text[at + found.len()..].starts_with(longer);
        text.match_indices(&format!("${name}")).any(behind) || text.match_indices(&format!("${{{name}")).any(behind)
    };
    fn any(node: &Node, used: &impl Fn(&str) -> bool) -> bool {
        node.as_scalar().is_some_and(|s| used(&s.value))
            || node.items().any(|n| any(n, used))
            || node.entries().any(|e| any(&e.value, used))
    }
    let main = &service.component.main;
    main.command.items.iter().chain(&main.args.items).any(|node| any(node, &used))
}

/// `UXC_TLS`, `NCLL_IB_HCA`: the prefix is wrong, what stands behind it is a variable.
fn misspelled_prefix(service: &Service, var: &EnvVar, out: &mut Findings) {
    /// Prefixes that are near one of ours and belong to somebody.
    const OTHERS: [&str; 6] = ["UCC", "UCS", "UCT", "UCP", "RCCL", "CCL"];
    let Some((prefix, rest)) = var.name.split_once('_') else { return };
    if prefix.len() < 3 || OTHERS.contains(&prefix) {
        return;
    }
    for right in ["UCX", "NCCL", "NIXL", "NVSHMEM"] {
        // Lengths tell most words apart without measuring.
        if prefix.chars().count().abs_diff(right.len()) > 1
            || strsim::osa_distance(&prefix.to_ascii_uppercase(), right) > 1
        {
            continue;
        }
        let name = format!("{right}_{}", rest.to_ascii_uppercase());
        if name == var.name || vars::lookup(&name).is_none_or(|v| v.is_unread()) {
            continue;
        }
        let Some(at) = name_span(var) else { return };
        out.report(at, format!("nothing reads `{}`", var.name), format!("no library has the prefix `{prefix}_`"))
            .service(service)
            .subject(var.name.clone())
            .severity(Severity::Warning)
            .help(format!("did you mean `{name}`?"))
            .emit();
        return;
    }
}
