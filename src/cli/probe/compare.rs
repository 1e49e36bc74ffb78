//! `dynlint probe compare`

use clap::Args;

use super::{Output, Session, Target, print, run_async};
use crate::cli::Exit;
use crate::probe::compare::{self, Options};
use crate::probe::pods;
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
    let result = run_async(async {
        let session = match Session::open(&args.target, false).await {
            Ok(session) => session,
            Err(Ok(exit)) => return Err(exit),
            Err(Err(trouble)) => return Ok(Report::new("compare", "cluster", vec![pods::failed("cluster", &trouble)])),
        };
        let report = match (Frontend::url(&args.baseline), Frontend::url(&args.candidate)) {
            (Ok(a), Ok(b)) => compare::compare(&*session.transport, [&a, &b], &options, session.bounds).await,
            (a, b) => {
                let sides = [("baseline", a.err()), ("candidate", b.err())];
                let refused = sides.into_iter().filter_map(|(side, e)| e.map(|e| compare::refused(side, &e)));
                Report::new("compare", args.candidate.clone(), refused.collect())
            }
        };
        session.close()?;
        Ok(report)
    });
    match result {
        Ok(Ok(report)) => print(&report, None, &args.output),
        Ok(Err(exit)) | Err(exit) => exit,
    }
}
