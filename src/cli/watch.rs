//! A bar for runs that take long, and how long everything took for those who ask.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::lint::{Phase, Watch, Watcher};

/// A run that ends sooner shows no bar.
const PATIENCE: Duration = Duration::from_millis(300);

/// Rules listed by `--verbose`.
const SLOWEST: usize = 15;

/// Watches a run; nothing at all unless a terminal or `--verbose` is there to show it.
#[derive(Default)]
pub(super) struct Onlooker(Option<Arc<Seen>>);

impl Onlooker {
    pub(super) fn new(verbose: bool, quiet: bool) -> Self {
        let bar = !quiet && !verbose && stderr().is_terminal();
        Self((bar || verbose).then(|| Arc::new(Seen::new(bar, verbose))))
    }

    pub(super) fn watch(&self) -> Watch {
        self.0.as_ref().map_or_else(Watch::default, |seen| Watch::new(Arc::clone(seen) as Arc<dyn Watcher>))
    }

    /// Takes the bar away. Gives back what `--verbose` says.
    pub(super) fn done(&self) -> Option<String> {
        let seen = self.0.as_ref()?;
        if let Some(bar) = &*lock(&seen.bar) {
            bar.finish_and_clear();
        }
        seen.verbose.then(|| seen.table())
    }
}

struct Seen {
    verbose: bool,
    /// Whether a bar is wanted.
    wants_bar: bool,
    start: Instant,
    shown: AtomicBool,
    bar: Mutex<Option<ProgressBar>>,
    phases: Mutex<Vec<(Phase, Instant, usize)>>,
    rules: Mutex<BTreeMap<&'static str, (Duration, usize)>>,
}

/// What a panicking thread left is still good enough to show.
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    fn new(wants_bar: bool, verbose: bool) -> Self {
        Self {
            verbose,
            wants_bar,
            start: Instant::now(),
            shown: AtomicBool::new(false),
            bar: Mutex::default(),
            phases: Mutex::default(),
            rules: Mutex::default(),
        }
    }

    fn table(&self) -> String {
        let end = Instant::now();
        let mut out = String::new();
        let phases = lock(&self.phases);
        for (index, &(phase, start, items)) in phases.iter().enumerate() {
            let until = phases.get(index + 1).map_or(end, |next| next.1);
            let of = if items > 0 { format!("  {items} items") } else { String::new() };
            let _ = writeln!(out, "{:10} {:>10}{of}", phase.as_str(), millis(until - start));
        }
        let _ = writeln!(out, "{:10} {:>10}", "in all", millis(end - self.start));
        let rules = lock(&self.rules);
        let mut slowest: Vec<_> = rules.iter().filter(|(what, _)| **what != "resolve").collect();
        crate::source::order_by_key(&mut slowest, |(_, (time, _))| std::cmp::Reverse(*time));
        let sum: Duration = slowest.iter().map(|(_, (time, _))| *time).sum();
        if let Some((time, count)) = rules.get("resolve") {
            let _ = writeln!(out, "\nresolve    {:>10}  {count} times, over all threads", millis(*time));
        }
        let _ = writeln!(out, "rules      {:>10}  {} rules, over all threads", millis(sum), slowest.len());
        for (rule, (time, count)) in slowest.iter().take(SLOWEST) {
            let _ = writeln!(out, "  {:>10}  {rule} ({count} times)", millis(*time));
        }
        out.truncate(out.trim_end().len());
        out
    }
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

impl Watcher for Seen {
    fn phase(&self, phase: Phase, items: usize) {
        lock(&self.phases).push((phase, Instant::now(), items));
        if let Some(bar) = &*lock(&self.bar) {
            bar.set_message(phase.as_str());
            bar.set_length(items as u64);
            bar.set_position(0);
        }
    }

    fn step(&self) {
        if !self.wants_bar {
            return;
        }
        if self.shown.load(Ordering::Relaxed) {
            if let Some(bar) = &*lock(&self.bar) {
                bar.inc(1);
            }
        } else if self.start.elapsed() > PATIENCE && !self.shown.swap(true, Ordering::Relaxed) {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg:10} {wide_bar} {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            if let Some(&(phase, _, items)) = lock(&self.phases).last() {
                bar.set_message(phase.as_str());
                bar.set_length(items as u64);
            }
            *lock(&self.bar) = Some(bar);
        }
    }

    fn times(&self) -> bool {
        self.verbose
    }

    fn took(&self, what: &'static str, time: Duration) {
        let mut rules = lock(&self.rules);
        let (sum, count) = rules.entry(what).or_default();
        *sum += time;
        *count += 1;
    }
}
