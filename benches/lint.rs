//! Throughput, in MB/s of manifest text, best of several rounds, on one thread unless it says otherwise:
//! `cargo bench --bench lint`, over `fixtures` or the directory that `DYNLINT_BENCH_DIR` names.
//!
//! Each stage does all that the one before it does, so their ratios say what a stage costs. The first part repeats each stage
//! in one process. The second runs it once in a process of its own, as the command does, where memory is new and nothing is
//! in the caches of the processor yet; that is what somebody waits for.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dynlint::lint::{self, Input, Options};
use dynlint::source::{Found, SourceFile, Sources, WalkOptions, discover};
use dynlint::yaml::{self, Limits};
use rayon::prelude::*;

/// The allocator of the binary, for all stages alike.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long to measure one stage.
const BUDGET: Duration = Duration::from_secs(2);

/// How many processes run one stage.
const PROCESSES: usize = 25;

/// The stage that this process is to run once, and on how many threads.
const STAGE: &str = "DYNLINT_BENCH_STAGE";

fn main() {
    let dir = std::env::var_os("DYNLINT_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures"), PathBuf::from);
    if let Ok(stage) = std::env::var(STAGE) {
        println!("{}", once(&stage, &dir).as_nanos());
        return;
    }
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
    let events_only = report("parser events", bytes, || loaded.iter().for_each(|f| events(f)));
    let trees = report("trees", bytes, || {
        for file in &loaded {
            black_box(yaml::parse(file, &limits));
        }
    });
    println!("trees / parser events: {:.2}", trees.as_secs_f64() / events_only.as_secs_f64());

    let inputs = [Input::Path(dir.clone())];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, cores] {
        let options = Options { threads, ..Options::default() };
        let floor = report(&format!("read and events, {threads} threads"), bytes, || read_events(&files, threads));
        // Whoever is given a directory has to find the files first; `lint` does.
        let walked =
            report(&format!("walk and the same, {threads} threads"), bytes, || walk_read_events(&dir, threads));
        // Kustomizations built and every service resolved, nothing judged.
        let resolved = report(&format!("resolve, {threads} threads"), bytes, || lint::resolve(&inputs, &options));
        println!("resolve / (read + events), {threads} threads: {:.2}", resolved.as_secs_f64() / floor.as_secs_f64());
        let all = report(&format!("lint, {threads} threads"), bytes, || lint::lint(&inputs, &options));
        println!("lint / (read + events), {threads} threads: {:.2}", all.as_secs_f64() / floor.as_secs_f64());
        println!("lint / (walk + read + events), {threads} threads: {:.2}", all.as_secs_f64() / walked.as_secs_f64());
    }
    for threads in [1, cores] {
        let [floor, walked, all] = processes(["events", "walk", "lint"], threads, bytes);
        println!("once: lint / (read + events), {threads} threads: {:.2}", all.as_secs_f64() / floor.as_secs_f64());
        println!(
            "once: lint / (walk + read + events), {threads} threads: {:.2}",
            all.as_secs_f64() / walked.as_secs_f64()
        );
    }
}

/// Runs a stage of that name (`lint 2`: on two threads).
fn once(stage: &str, dir: &Path) -> Duration {
    let (stage, threads) = stage.split_once(' ').expect("a stage and its threads");
    let threads = threads.parse().expect("a number of threads");
    let files = if stage == "events" { discover(&[dir.to_owned()], WalkOptions::default()).files } else { Vec::new() };
    let start = Instant::now();
    match stage {
        "events" => read_events(&files, threads),
        "walk" => walk_read_events(dir, threads),
        _ => {
            let report = lint::lint(&[Input::Path(dir.to_owned())], &Options { threads, ..Options::default() });
            let took = start.elapsed();
            std::mem::forget(black_box(report));
            return took;
        }
    }
    start.elapsed()
}

/// Runs these stages in turn, each in processes of its own, prints and returns their best times.
fn processes<const N: usize>(stages: [&str; N], threads: usize, bytes: usize) -> [Duration; N] {
    let program = std::env::current_exe().expect("this program");
    let mut best = [Duration::MAX; N];
    for _ in 0..PROCESSES {
        for (stage, best) in stages.iter().zip(&mut best) {
            let said = Command::new(&program).env(STAGE, format!("{stage} {threads}")).output().expect("a process");
            let nanos = String::from_utf8_lossy(&said.stdout).trim().parse().expect("nanoseconds");
            *best = (*best).min(Duration::from_nanos(nanos));
        }
    }
    for (stage, best) in stages.iter().zip(&best) {
        say(&format!("once: {stage}, {threads} threads"), bytes, *best, PROCESSES);
    }
    best
}

fn on<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(run)
}

fn read_events(files: &[Found], threads: usize) {
    let (sources, limit) = (Sources::new(), Limits::default().bytes);
    let parse = |file: &Found| file.read(&sources, limit).map(|file| events(&file)).is_ok();
    black_box(on(threads, || files.par_iter().map(parse).collect::<Vec<_>>()));
}

fn walk_read_events(dir: &Path, threads: usize) {
    let files = discover(&[dir.to_owned()], WalkOptions { threads, ..WalkOptions::default() }).files;
    read_events(&files, threads);
}

fn read(files: &[Found], limit: usize) -> Sources {
    let sources = Sources::new();
    for file in files {
        // What cannot be read was left out of the count of bytes as well.
        let _ = file.read(&sources, limit);
    }
    sources
}

/// Events with the settings that dynlint reads manifests with: it finds comments between the tokens by itself, which costs
/// less than having them as events, so that this floor is the lower one of the two.
fn events(file: &SourceFile) {
    let mut options = granit_parser::options! { emit_anchor_events: true, emit_unresolved_aliases: true };
    options.set_emit_comments(false);
    for event in granit_parser::Parser::new_from_str_with_options(&file.text, options) {
        if black_box(event).is_err() {
            break;
        }
    }
}

/// Runs `f` until the budget is spent, prints and returns its best time. Freeing what it returns is not measured: the
/// command leaves that to the end of the process.
fn report<T>(name: &str, bytes: usize, mut f: impl FnMut() -> T) -> Duration {
    drop(f());
    let (start, mut best, mut rounds) = (Instant::now(), Duration::MAX, 0);
    while start.elapsed() < BUDGET {
        let round = Instant::now();
        let made = black_box(f());
        best = best.min(round.elapsed());
        drop(made);
        rounds += 1;
    }
    say(name, bytes, best, rounds);
    best
}

fn say(name: &str, bytes: usize, best: Duration, rounds: usize) {
    let speed = mega(bytes) / best.as_secs_f64();
    println!("{name:<27} {speed:>8.1} MB/s  best {:>8.3} ms of {rounds}", best.as_secs_f64() * 1e3);
}

fn mega(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
