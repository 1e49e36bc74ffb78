//! `dynlint probe compare`

use std::collections::BTreeMap;

use clap::Args;

use super::{Output, Target, in_session, print};
use crate::cli::Exit;
use crate::probe::compare::{self, Options};
use crate::probe::report::Report;
use crate::probe::router::frontend::Frontend;

/// Two frontends, the same repeated-prefix requests to each in turn: cached tokens, time to first token, latency.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// URL of the frontend to compare with
    #[arg(long, value_name = "URL")]
    baseline: String,
    /// URL of the frontend that is compared
    #[arg(long, value_name = "URL")]
    candidate: String,
    /// Model; the first that is listed unless given
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Requests to each side that count
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    requests: u32,
    /// Requests to each side before those
    #[arg(long, value_name = "N", default_value_t = 4)]
    warmup: u32,
    /// How many different prefixes the prompts share
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    prefixes: u32,
    /// Words of a prefix
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    prefix_words: u32,
    /// Words behind the prefix, different for every prompt
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    suffix_words: u32,
    /// Tokens of a completion
    #[arg(long, value_name = "N", default_value_t = 16)]
    max_tokens: u32,
    /// Requests to each side at a time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    concurrency: u32,
    /// Chooses the prompts; another number where caches hold those of an earlier run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(args: &Compare) -> Exit {
    let options = Options {
        model: args.model.clone(),
        requests: args.requests as usize,
        warmup: args.warmup as usize,
        prefixes: args.prefixes as usize,
        prefix_words: args.prefix_words as usize,
        suffix_words: args.suffix_words as usize,
        max_tokens: args.max_tokens,
        concurrency: args.concurrency as usize,
        seed: args.seed,
    };
    let lost = |check| Report::new("compare", "cluster", vec![check]);
    let result = in_session(&args.target, false, lost, async |session| {
        match (Frontend::url(&args.baseline), Frontend::url(&args.candidate)) {
            (Ok(a), Ok(b)) => compare::compare(&*session.transport, [&a, &b], &options, session.bounds).await,
            (a, b) => {
                let sides = [("baseline", a.err()), ("candidate", b.err())];
                let refused = sides.into_iter().filter_map(|(side, e)| e.map(|e| compare::refused(side, &e)));
                Report::new("compare", args.candidate.clone(), refused.collect())
            }
        }
    });
    match result {
        Ok(report) => print(&report, None, &BTreeMap::new(), &args.output),
        Err(exit) => exit,
    }
}
