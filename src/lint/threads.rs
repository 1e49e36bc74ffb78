//! Work on several threads, where there is enough of it.

use super::{Input, Options, Phase, read};

/// Below this many files a thread pool costs more than it saves: starting one takes about a millisecond.
const PARALLEL: usize = 8;

/// Stack of a thread: as much as the main one has, so that what works for one file works for many.
const STACK: usize = 8 << 20;

/// Runs with a thread pool when there is enough to do for one.
pub(super) fn pooled<T: Send>(
    inputs: &[Input],
    options: &Options,
    run: impl FnOnce(read::Items, bool) -> T + Send,
) -> T {
    options.watch.phase(Phase::Discover, 0);
    let found = read::discover(inputs, options);
    // No threads to be had: slower, not wrong.
    let Some(pool) = pool(found.items.len(), options) else { return run(found, false) };
    let (mut task, mut made) = (Some(|| run(found, true)), None);
    within(&pool, &mut || made = task.take().map(|task| task()));
    made.unwrap_or_else(|| unreachable!("a pool runs what it is given"))
}

fn pool(items: usize, options: &Options) -> Option<rayon::ThreadPool> {
    if items < PARALLEL || options.threads == 1 {
        return None;
    }
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).stack_size(STACK).build().ok()
}

/// Compiled once for all that a pool is given.
fn within(pool: &rayon::ThreadPool, task: &mut (dyn FnMut() + Send)) {
    pool.install(task);
}

/// Maps in parallel when it pays.
pub(super) fn map<T: Sync, U: Send>(items: &[T], parallel: bool, f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    if parallel { crate::source::map(items, f) } else { items.iter().map(f).collect() }
}
