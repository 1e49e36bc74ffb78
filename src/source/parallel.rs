//! Work on several threads.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

/// Maps on the threads of the pool that this runs in; the order of the result is that of the items. Each item may be taken by
/// any thread: some cost a hundred times what others do, and whoever is left with a run of them keeps the rest waiting. The
/// sharing out is compiled once for all that is mapped here, not once for each type (some 7 KB each).
pub fn map<T: Sync, U: Send>(items: &[T], f: impl Fn(&T) -> U + Sync) -> Vec<U> {
    let slots: Vec<Mutex<Option<U>>> = items.iter().map(|_| Mutex::new(None)).collect();
    each(items.len(), &|at| {
        let made = f(&items[at]);
        *slots[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
    });
    slots.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

fn each(len: usize, task: &(dyn Fn(usize) + Sync)) {
    (0..len).into_par_iter().with_max_len(1).for_each(task);
}

#[cfg(test)]
mod tests {
    #[test]
    fn maps_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(super::map(&items, |at| at * 2), items.iter().map(|at| at * 2).collect::<Vec<_>>());
        assert!(super::map(&[], |at: &usize| *at).is_empty());
    }
}
