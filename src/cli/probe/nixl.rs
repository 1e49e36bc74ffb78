//! `dynlint probe nixl`

use clap::{Args, ValueEnum};

use super::manifest::Judged;
use super::{Manifest, Output, Target, in_session};
use crate::cli::{Exit, output};
use crate::probe::nixl;
use crate::probe::program;
use crate::probe::report::Report;
use crate::resolve::Deployment;
use crate::rules::Findings;

#[derive(Debug, Args)]
pub(super) struct Nixl {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    transfer: Transfer,
    #[command(flatten)]
    manifest: Manifest,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Transfer")]
struct Transfer {
    /// Move bytes from the prefill pod to the decode pod by NIXL and compare them; without pods, between two processes here
    #[arg(long)]
    run_transfer: bool,
    /// Pod that owns the bytes
    #[arg(long, value_name = "POD", requires = "run_transfer", requires = "decode_pod")]
    prefill_pod: Option<String>,
    /// Pod that reads them
    #[arg(long, value_name = "POD", requires = "run_transfer", requires = "prefill_pod")]
    decode_pod: Option<String>,
    /// How much to move, in MiB, up to 1024
    #[arg(long, value_name = "MIB", default_value_t = 64, requires = "run_transfer", value_parser = clap::value_parser!(u64).range(1..=1024))]
    transfer_size: u64,
    /// TCP port on which the two sides find each other
    #[arg(long, value_name = "PORT", default_value_t = 18515, requires = "run_transfer", value_parser = clap::value_parser!(u16).range(1..))]
    transfer_port: u16,
    /// Memory to move from and to
    #[arg(long, value_enum, value_name = "MEMORY", default_value_t = Memory::Dram, requires = "run_transfer")]
    memory: Memory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Memory {
    /// Of the host
    Dram,
    /// Of the first GPU; needs torch in the image
    Vram,
}

pub(super) fn run(args: &Nixl) -> Exit {
    let pair = match (&args.transfer.prefill_pod, &args.transfer.decode_pod) {
        (Some(prefill), Some(decode)) => Some((prefill.clone(), decode.clone())),
        _ => None,
    };
    let lost = |check| (Report::new("nixl", "cluster", vec![check]), None, Vec::new());
    let result = in_session(&args.target, pair.is_some(), lost, async |session| {
        let aim = session.aim(&args.target);
        let (mut checks, mut found) = (Vec::new(), Vec::new());
        if pair.is_none() || aim.pod.is_some() || aim.deployment.is_some() {
            (checks, found) = nixl::probe(&*session.transport, &aim, session.bounds).await;
        }
        let mut moved = None;
        if args.transfer.run_transfer {
            let pair = nixl::Pair {
                namespace: session.namespace.clone(),
                pods: pair.clone(),
                container: args.target.container.clone(),
                bytes: args.transfer.transfer_size << 20,
                memory: match args.transfer.memory {
                    Memory::Dram => program::Memory::Dram,
                    Memory::Vram => program::Memory::Vram,
                },
                port: args.transfer.transfer_port,
            };
            if args.target.snapshot.is_none() {
                announce(&pair);
            }
            let (more, path) = nixl::run_transfer(&*session.transport, &pair, session.bounds).await;
            checks.extend(more);
            moved = path;
        } else {
            checks.push(nixl::not_validated(&aim, &found));
        }
        let mut report = nixl::report(&aim, checks);
        if let (Some((prefill, decode)), None, None) = (&pair, &aim.pod, &aim.deployment) {
            report.target = format!("{0}/{prefill} to {0}/{decode}", session.namespace);
        }
        (report, moved, found)
    });
    let (mut report, moved, found) = match result {
        Ok(result) => result,
        Err(exit) => return exit,
    };
    let of = Judged::of(&args.target, found.iter().map(|pod| (pod.path(), pod.component().map(str::to_owned))));
    if let Some(moved) = &moved {
        for deployment in args.manifest.meant(&of) {
            report.add(nixl::intent::compare(&deployment, moved));
        }
    }
    let judge = |deployment: &Deployment, findings: &mut Findings| {
        if let Some(moved) = &moved {
            nixl::intent::judge(deployment, moved, findings);
        }
    };
    args.manifest.finish(report, &of, &args.output, judge)
}

/// It is the only probe that makes load, so it says so before it does.
fn announce(pair: &nixl::Pair) {
    let between = match &pair.pods {
        Some((prefill, decode)) => format!("from {prefill} to {decode}"),
        None => "between two processes on this machine".to_owned(),
    };
    output::note(&format!("moving 3 × {} MiB {between}", pair.bytes >> 20));
}
