//! Flags of workers against the catalog: misspelled ones, and ones whose value is missing.

use std::cell::LazyCell;

use super::release::published;
use crate::catalog::flags::{self, Component, Lookup};
use crate::catalog::is_slip;
use crate::command::Flag;
use crate::finding::Confidence;
use crate::resolve::{Deployment, Framework, Service};
use crate::rules::Findings;

/// The catalog of a worker: Dynamo's own options and the engine's.
pub(super) fn catalogs(service: &Service) -> Vec<&'static Component> {
    let names: &[&str] = match service.framework {
        Some(Framework::Vllm) => &["dynamo-vllm"],
        Some(Framework::Sglang) => &["dynamo-sglang"],
        Some(Framework::Trtllm) => &["dynamo-trtllm"],
        _ => return Vec::new(),
    };
    names.iter().filter_map(|n| flags::component(n)).collect()
}

/// Catalogs of a service: a worker's, else that of its module.
pub(super) fn known(service: &Service) -> Vec<&'static Component> {
    match (catalogs(service), service.module()) {
        (own, Some(module)) if own.is_empty() => flags::component(module).into_iter().collect(),
        (own, _) => own,
    }
}

/// `misspelled-worker-flag`
pub fn misspelled_worker_flag(deployment: &Deployment, out: &mut Findings) {
    for service in deployment.workers() {
        let known = catalogs(service);
        let Some(args) = service.args().filter(|_| !known.is_empty()) else { continue };
        let open = LazyCell::new(|| published(service, known[0]).is_none());
        for flag in args.flags.iter().filter(|f| f.name.starts_with("--") && f.name.len() > 6) {
            if known.iter().any(|c| !matches!(c.find(&flag.name), Lookup::Unknown)) {
                continue;
            }
            let own = elsewhere(&flag.name, service.framework);
            let near = if own.is_none() { known.iter().find_map(|c| c.nearest(&flag.name)) } else { None };
            // `unknown-worker-flag` says it of a release that is known.
            let other = || open.then(|| foreign(&flag.name, known[0]))?;
            let near_enough = near.as_deref().is_some_and(|near| sure(&flag.name, near));
            let of = if own.is_some() || near_enough { None } else { other() };
            let help = match (own, of, &near) {
                (Some(own), ..) => format!("this engine calls it `{own}`"),
                (_, Some(of), _) => moved(of),
                (.., Some(near)) => format!("did you mean `{near}`?"),
                (None, None, None) => continue,
            };
            let mut report = out
                .report(flag.span, format!("`{}` is not known", flag.name), "the worker exits on an unknown argument")
                .service(service)
                .subject(flag.name.clone())
                .help(help);
            // Engines rename options from release to release (`--nsa-…`, `--dsa-…`), and the release in the image is
            // not the one that was read: only a slip of the finger is told from a renamed option.
            if of.is_none() && near.is_some() && !near_enough {
                report = report.confidence(Confidence::Possible);
            }
            report.emit();
        }
    }
}

/// Whether one option is a slip of another, or has underscores for dashes.
pub(super) fn sure(written: &str, near: &str) -> bool {
    is_slip(written, near) || written.replace('_', "-") == near
}

/// The other program of Dynamo's that has an option of this name, and had it in its first supported release: newer ones
/// may be on their way to this engine as well.
pub(super) fn foreign(written: &str, own: &Component) -> Option<&'static str> {
    let programs = [
        ("dynamo-trtllm", "dynamo.trtllm"),
        ("dynamo-sglang", "dynamo.sglang"),
        ("dynamo-vllm", "dynamo.vllm"),
        ("frontend", "dynamo.frontend"),
    ];
    let other = programs.into_iter().filter(|(name, _)| *name != own.name);
    other.into_iter().find_map(|(name, module)| {
        let catalog = flags::component(name)?;
        let found = catalog.flag(written).filter(|m| !m.abbreviated && !written.contains('.'))?;
        catalog.since(&found).is_none_or(|since| since <= (1, 0)).then_some(module)
    })
}

pub(super) fn moved(of: &str) -> String {
    format!("drop it: it is an option of `python3 -m {of}`")
}

/// What the engines call the same thing: vLLM, SGLang, TensorRT-LLM, and words that none of them takes. Only options that
/// no release of the other engines has had.
const SAME: [(&str, &str, &str, &[&str]); 6] = [
    ("--model", "--model-path", "--model-path", &[]),
    ("--max-model-len", "--context-length", "--max-seq-len", &["--max-context-length", "--max-context-len"]),
    ("--gpu-memory-utilization", "--mem-fraction-static", "--free-gpu-memory-fraction", &[]),
    ("--max-num-seqs", "--max-running-requests", "--max-batch-size", &[]),
    (
        "--tensor-parallel-size",
        "--tp-size",
        "--tensor-parallel-size",
        &["--tensor-parallelism", "--tensor-parallel-degree"],
    ),
    ("--pipeline-parallel-size", "--pp-size", "--pipeline-parallel-size", &["--pipeline-parallelism"]),
];

/// The engine's own name for an option that is another engine's, or nobody's.
pub(super) fn elsewhere(flag: &str, framework: Option<Framework>) -> Option<&'static str> {
    let (vllm, sglang, trtllm, _) =
        SAME.iter().find(|(a, b, c, wrong)| [a, b, c].contains(&&flag) || wrong.contains(&flag))?;
    let own = match framework? {
        Framework::Vllm => vllm,
        Framework::Sglang => sglang,
        Framework::Trtllm => trtllm,
        _ => return None,
    };
    (*own != flag).then_some(own)
}

/// `flag-missing-value`
pub fn flag_missing_value(deployment: &Deployment, out: &mut Findings) {
    for service in &deployment.services {
        let known = known(service);
        let Some(args) = service.args().filter(|_| !known.is_empty()) else { continue };
        for flag in args.flags.iter().filter(|f| f.values.is_empty() && !f.joined) {
            let needs =
                known.iter().find_map(|c| c.flag(&flag.name)).is_some_and(|m| m.flag.takes_value() && !m.negated);
            if !needs || followed_by_open_word(service, flag) {
                continue;
            }
            out.report(flag.span, format!("`{}` has no value", flag.name), "argparse: expected one argument")
                .service(service)
                .subject(flag.name.clone())
                .help(format!("write `{} <value>`", flag.name))
                .emit();
        }
    }
}

/// Whether what stands behind a flag could still turn into its value: an expansion, or nothing that we see.
fn followed_by_open_word(service: &Service, flag: &Flag) -> bool {
    let Some(process) = &service.process else { return true };
    let at = process.argv.iter().position(|w| w.span() == flag.span);
    at.is_none_or(|i| process.argv.get(i + 1).is_some_and(|w| w.dynamic.is_some() || !w.text.starts_with('-')))
}
