//! Throughput, in MB/s of manifest text, best of several rounds, on one thread unless it says otherwise:
//! `cargo bench --bench lint`, over `fixtures` or the directory that `DYNLINT_BENCH_DIR` names.
//!
//! Each stage does all that the one before it does, so their ratios say what a stage costs.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dynlint::lint::{self, Input, Options};
use dynlint::source::{Found, SourceFile, Sources, WalkOptions, discover};
use dynlint::yaml::{self, Limits};
use rayon::prelude::*;

/// How long to measure one stage.
const BUDGET: Duration = Duration::from_secs(2);

fn main() {
    let dir = std::env::var_os("DYNLINT_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures"), PathBuf::from);
    let walk = || discover(std::slice::from_ref(&dir), WalkOptions::default());
    let files = walk().files;
    let limits = Limits::default();
    let sources = Sources::new();
    let loaded: Vec<_> = files.iter().filter_map(|f| f.read(&sources, limits.bytes).ok()).collect();
    let bytes: usize = loaded.iter().map(|f| f.text.len()).sum();
    println!("{}: {} files, {:.2} MB", dir.display(), loaded.len(), mega(bytes));

    report("discover", bytes, || {
        black_box(walk());
    });
    report("read", bytes, || {
        black_box(read(&files, limits.bytes));
    });
    report("parser events", bytes, || loaded.iter().for_each(|f| events(f)));
    let events_only = report("events, no comments", bytes, || loaded.iter().for_each(|f| plain_events(f)));
    let trees = report("trees", bytes, || {
        for file in &loaded {
            black_box(yaml::parse(file, &limits));
        }
    });
    println!("trees / events without comments: {:.2}", trees.as_secs_f64() / events_only.as_secs_f64());

    let inputs = [Input::Path(dir.clone())];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, threads] {
        let options = Options { threads, ..Options::default() };
        let reads = report(&format!("read and trees, {threads} threads"), bytes, || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let sources = Sources::new();
            let parse = |f: &Found| f.read(&sources, limits.bytes).map(|f| yaml::parse(&f, &limits));
            black_box(pool.install(|| walk().files.par_iter().map(parse).collect::<Vec<_>>()));
        });
        let all = report(&format!("lint, {threads} threads"), bytes, || {
            black_box(lint::lint(&inputs, &options));
        });
        println!("lint / read and trees: {:.2}", all.as_secs_f64() / reads.as_secs_f64());
    }
}

fn read(files: &[Found], limit: usize) -> Sources {
    let sources = Sources::new();
    for file in files {
        // What cannot be read was left out of the count of bytes as well.
        let _ = file.read(&sources, limit);
    }
    sources
}

fn options() -> granit_parser::Options {
    granit_parser::options! { max_buffered_comment_events: usize::MAX, emit_anchor_events: true, emit_unresolved_aliases: true }
}

fn events(file: &SourceFile) {
    for event in granit_parser::Parser::new_from_str_with_options(&file.text, options()) {
        if black_box(event).is_err() {
            break;
        }
    }
}

fn plain_events(file: &SourceFile) {
    let mut options = options();
    options.set_emit_comments(false);
    for event in granit_parser::Parser::new_from_str_with_options(&file.text, options) {
        if black_box(event).is_err() {
            break;
        }
    }
}

/// Runs `f` until the budget is spent, prints and returns its best time.
fn report(name: &str, bytes: usize, mut f: impl FnMut()) -> Duration {
    f();
    let (start, mut best, mut rounds) = (Instant::now(), Duration::MAX, 0);
    while start.elapsed() < BUDGET {
        let round = Instant::now();
        f();
        best = best.min(round.elapsed());
        rounds += 1;
    }
    let speed = mega(bytes) / best.as_secs_f64();
    println!("{name:<27} {speed:>8.1} MB/s  best {:>8.3} ms of {rounds}", best.as_secs_f64() * 1e3);
    best
}

fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
